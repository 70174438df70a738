"""Labelled slices of heads for a network: which head a slice is of, batches, and masks back.

Slices are prepared as `learned` prepares them. Heads are kept apart: a network is never scored on
slices of a head that it has learned from, for neighbouring slices are all but the same.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from .. import errors, learned, metrics, polar
from ..errors import InputError
from ..io import data as slices_of
from ..io.data import Data

# What `augmented` draws from
_TURN_DEGREES = 10.0
_ZOOM = 0.1
_SHIFT_PX = 4.0
_GAMMA = 0.3

_NUMBER = re.compile(r"\[\d+\]$")
_LGG_SLICE = re.compile(r"(TCGA_\w+_\d{8})_\d+\.tif")

Predictor = learned.Predictor
# From an image, its mask and a generator to both, changed
Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


class Prepared(NamedTuple):
    """Slices or volumes as a network takes them."""

    images: np.ndarray  # (N, 1, H, W) or (N, 1, X, Y, Z), float32
    masks: np.ndarray  # of the same shape, float32: the share of each pixel inside of the mask


# --- Keep heads apart ----------------------------------------------------------------------------


def head_of(name: str) -> str:
    """Tell which head a slice is of, by its name.

    Parameters
    ----------
    name : str
        Of the slice: that of the head, and then a number in brackets; or as in LGG. Another name
        may be that of a head or of a slice, so it stands for itself, see `split`. Slices without
        names of their own bear that of their file and a number.

    Returns
    -------
    str

    Examples
    --------
    >>> head_of("sub-01[73]"), head_of("TCGA_CS_4941_19960909_1.tif"), head_of("chris")
    ('sub-01', 'TCGA_CS_4941_19960909', 'chris')
    """
    lgg = _LGG_SLICE.fullmatch(name)
    if lgg:
        return lgg[1]
    return _NUMBER.sub("", name)


def split(
    parts: Sequence[Data],
    *,
    share: float = 0.2,
    seed: int = 0,
    one_slice_per_head: bool = False,
) -> tuple[list[Data], list[Data]]:
    """Part slices by head, into some to learn from and some to validate by.

    Parameters
    ----------
    parts : sequence of Data
    share : float
        Of the heads, to validate by; at least one.
    seed : int
    one_slice_per_head : bool
        Whether heads of one slice each may have names that differ in digits alone. Otherwise such
        names are refused, for ``scan004`` and ``scan005`` may be neighbours in one head.

    Returns
    -------
    training, validation : list of Data

        Without the slices whose truth is unknown, see `prepare`. That is decided before the heads
        are parted: alone, a head that nobody has traced would look like one without a skull.

    Raises
    ------
    InputError
        If there are fewer than two heads with a known truth, or names do not tell heads from
        slices.

    Examples
    --------
    >>> names = ("a[1]", "a[2]", "b[1]", "b[2]")
    >>> truth = np.ones((4, 9, 9), np.uint8)
    >>> training, validation = split([Data(np.zeros((4, 9, 9)), truth, None, names)])
    >>> training[0].names, validation[0].names
    (('b[1]', 'b[2]'), ('a[1]', 'a[2]'))
    """
    if not one_slice_per_head:
        _check_heads(Counter(head_of(name) for data in parts for name in data.names))
    labelled: list[Data] = []
    for data, known in zip(parts, _known(parts), strict=True):
        labelled += _selected(data, known)
    heads = [head_of(name) for data in labelled for name in data.names]
    to_validate_by = held_out(heads, share=share, seed=seed)
    training: list[Data] = []
    validation: list[Data] = []
    for data in labelled:
        is_held_out = np.array([head_of(name) in to_validate_by for name in data.names])
        training += _selected(data, ~is_held_out)
        validation += _selected(data, is_held_out)
    return training, validation


def _selected(data: Data, is_selected: np.ndarray) -> list[Data]:
    """Select slices; where none is selected, there is nothing to list."""
    if not is_selected.any():
        return []
    return [slices_of.select(data, np.flatnonzero(is_selected).tolist())]


def held_out(
    heads: Iterable[str],
    *,
    share: float = 0.2,
    seed: int = 0,
    hint: str = "name slices as head[number], or bring others to validate by",
) -> set[str]:
    """Choose heads to validate by.

    Parameters
    ----------
    heads : iterable of str
        At least one.
    share : float
        Of the heads to choose; at least one is chosen, and one is left.
    seed : int
    hint : str
        What to do if there is one head only, for the message.

    Returns
    -------
    set of str

    Raises
    ------
    InputError
        If there are fewer than two heads.

    Examples
    --------
    >>> held_out(["a", "b", "c"])
    {'c'}
    """
    names = sorted(set(heads))
    if len(names) < 2:
        wanted = "two heads or more with a known truth"
        raise InputError(f"expected {wanted}; {hint}", where=names[0])
    order = np.random.default_rng(seed).permutation(len(names))
    count = min(max(1, round(share * len(names))), len(names) - 1)
    return {names[index] for index in order[:count]}


def _check_heads(counts: Mapping[str, int]) -> None:
    """Refuse heads of one slice each whose names differ in digits alone: they may be one head."""
    by_pattern: dict[str, str] = {}
    for head, count in counts.items():
        if count > 1:
            continue
        other = by_pattern.setdefault(re.sub(r"\d+", "0", head), head)
        if other != head:
            hint = "name slices as head[number], or say --one-slice-per-head"
            got = f"it and {head}, which may be of one"
            raise InputError(f"expected names that tell the heads, got {got}; {hint}", where=other)


def check_apart(training: Sequence[Data], validation: Sequence[Data]) -> None:
    """Refuse slices of one head both to learn from and to validate by.

    Parameters
    ----------
    training, validation : sequence of Data

    Raises
    ------
    InputError

    Examples
    --------
    >>> data = Data(np.zeros((2, 9, 9)), None, None, ("a[1]", "a[2]"))
    >>> check_apart([data], [data])
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: a: expected other heads to validate by than to ...
    """
    heads = {head_of(name) for data in training for name in data.names}
    for data in validation:
        for name in data.names:
            if head_of(name) in heads:
                wanted = "other heads to validate by than to learn from"
                raise InputError(f"expected {wanted}, got it in both", where=head_of(name))


# --- Slices to learn from ------------------------------------------------------------------------


def labels_of(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Return the true masks of slices, and which of them are known.

    Parameters
    ----------
    data : Data
        The truth is the skull mask where there is one, or else the brain, as of NFBS, or the
        tumour, as of LGG.

    Returns
    -------
    truth : ndarray of shape (N, H, W), uint8 of {0, 1}
    known : ndarray of shape (N,), bool
        See `metrics.known_slices`. Brains and tumours are known on all slices, also where there is
        none.

    Raises
    ------
    InputError
        If the data bring no mask.

    Examples
    --------
    >>> tumour = np.array([[[0, 0]], [[0, 1]]])
    >>> data = Data(np.zeros((2, 1, 2)), None, None, ("a[0]", "a[1]"), tumour=tumour)
    >>> labels_of(data)[1]
    array([ True,  True])
    """
    if data.truth is not None:
        return data.truth, metrics.known_slices(data.truth)
    for truth in (data.brain, data.tumour):
        if truth is not None:
            return truth, np.ones(len(truth), bool)
    raise InputError("brings no true masks", where=head_of(data.names[0]))


def prepare(parts: Sequence[Data]) -> Prepared:
    """Prepare labelled slices, each as for prediction, then padded with zeros to one size.

    Parameters
    ----------
    parts : sequence of Data
        See `labels_of`. Slices whose truth is unknown, or that show no head, are left out. If any
        part shows a skull, a skull mask that is empty is unknown in all of them.

    Returns
    -------
    Prepared

    Raises
    ------
    InputError
        If there is no truth, or no slice is left.

    Examples
    --------
    >>> from ..io.datasets import load
    >>> prepared = prepare([load("phantom")])
    >>> prepared.images.shape == prepared.masks.shape, float(prepared.masks.max())
    (True, 1.0)
    """
    images = []
    shares = []
    for data, known in zip(parts, _known(parts), strict=True):
        for unwrapped, truth in _labelled(data, known):
            window = learned.window_around(unwrapped.head, polar.STEP_MM)
            image = learned.prepare(unwrapped.on_grid, polar.STEP_MM, window)
            images.append(image)
            shares.append(_share(truth, unwrapped.head.shape, window, image.shape))
    if not images:
        raise InputError("expected slices with a head and its true mask, got none")
    return Prepared(_stacked(images), _stacked(shares))


def _known(parts: Sequence[Data]) -> list[np.ndarray]:
    """Mark the slices of each part whose truth is known; all skull masks count together."""
    is_traced = any(data.truth is not None and data.truth.any() for data in parts)
    marks = []
    for data in parts:
        truth, known = labels_of(data)
        if is_traced and data.truth is not None:
            known = np.asarray(truth.any(axis=(1, 2)))
        marks.append(known)
    return marks


def _labelled(data: Data, known: np.ndarray) -> Iterator[tuple[polar.Unwrapped, np.ndarray]]:
    """Unwrap the heads whose truth is known, one after another."""
    truth, _ = labels_of(data)
    for place in np.flatnonzero(known).tolist():
        with errors.placed(data.names[place]):
            unwrapped = polar.unwrap(data.images[place], data.spacing_of(place))
        if unwrapped is not None:
            yield unwrapped, truth[place]


def _stacked(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Stack images (N, 1, H, W), each in the middle of the largest size, with zeros around."""
    size = np.max([part.shape for part in parts], axis=0)
    result = np.zeros((len(parts), 1, *size), np.float32)
    for place, part in zip(result[:, 0], parts, strict=True):
        top, left = (size - part.shape) // 2
        rows, columns = part.shape
        place[top : top + rows, left : left + columns] = part
    return result


def _share(
    truth: np.ndarray,
    grid: tuple[int, int],
    window: learned.Window,
    shape: tuple[int, int],
) -> np.ndarray:
    """Measure which share of a network's pixels lies inside of a mask."""
    on_grid = cv2.resize(truth.astype(np.float32), grid[::-1], interpolation=cv2.INTER_LINEAR)
    cut = learned.cut_out(on_grid, window)
    return cv2.resize(cut, shape[::-1], interpolation=cv2.INTER_AREA)


def batches(
    prepared: Prepared,
    size: int,
    *,
    seed: int = 0,
    augment: bool = True,
    change: Change | None = None,
) -> Callable[[int], Prepared]:
    """Give batches by their number, such that every slice has its turn before any comes again.

    Parameters
    ----------
    prepared : Prepared
    size : int
        Slices in a batch.
    seed : int
        Of the order and the changes.
    augment : bool
        Change the images, with their masks, at random.
    change : callable, optional
        How: by default by `augmented`.

    Returns
    -------
    callable
        From the number of a batch, counted from 0; the same number gives the same batch.

    Examples
    --------
    >>> values = np.arange(3, dtype=np.float32).reshape(3, 1, 1, 1)
    >>> batch_of = batches(Prepared(values, values), 2, augment=False)
    >>> six = np.concatenate([batch_of(number).images.ravel() for number in range(3)])
    >>> sorted(six[:3].tolist()), sorted(six[3:].tolist())
    ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
    """
    count = len(prepared.images)
    change = change or augmented

    def place_of(turn: int) -> int:
        round_number, position = divmod(turn, count)
        order = np.random.default_rng((seed, round_number)).permutation(count)
        return int(order[position])

    def batch_of(number: int) -> Prepared:
        turns = range(number * size, (number + 1) * size)
        images = []
        shares = []
        for turn in turns:
            place = place_of(turn)
            image = prepared.images[place, 0]
            share = prepared.masks[place, 0]
            if augment:
                generator = np.random.default_rng((seed, turn, 1))
                image, share = change(image, share, generator)
            images.append(image)
            shares.append(share)
        return Prepared(np.stack(images)[:, None], np.stack(shares)[:, None])

    return batch_of


def augmented(
    image: np.ndarray,
    mask: np.ndarray,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Mirror, turn, zoom and shift a slice with its mask at random, and change its contrast.

    Parameters
    ----------
    image, mask : ndarray of shape (H, W), float32, 0 … 1
    generator : numpy.random.Generator

    Returns
    -------
    image, mask : ndarray of shape (H, W), float32, 0 … 1

    Examples
    --------
    >>> square = np.pad(np.ones((8, 8), np.float32), 12)
    >>> image, mask = augmented(square, square, np.random.default_rng(0))
    >>> bool(image[mask > 0.5].mean() > 0.8)
    True
    """
    rows, columns = image.shape
    turn = generator.uniform(-_TURN_DEGREES, _TURN_DEGREES)
    zoom = generator.uniform(1 - _ZOOM, 1 + _ZOOM)
    matrix = cv2.getRotationMatrix2D((columns / 2, rows / 2), turn, zoom)
    matrix[:, 2] = matrix[:, 2] + generator.uniform(-_SHIFT_PX, _SHIFT_PX, 2)
    image = cv2.warpAffine(image, matrix, (columns, rows))
    mask = cv2.warpAffine(mask, matrix, (columns, rows))
    if generator.random() < 0.5:
        image = image[:, ::-1]
        mask = mask[:, ::-1]
    gamma = np.float32(np.exp(generator.uniform(-_GAMMA, _GAMMA)))
    return image**gamma, mask


# --- Masks ---------------------------------------------------------------------------------------


def masks_of(ask: Predictor, data: Data) -> Iterator[np.ndarray]:
    """Make the mask of every slice by a network: the largest piece that is probable, filled.

    Parameters
    ----------
    ask : callable
        From prepared images (N, H, W) to probabilities, as `prediction.probabilities`.
    data : Data

    Yields
    ------
    ndarray of shape (H, W), uint8 of {0, 1}
        Empty where there is no head.

    Raises
    ------
    InputError
        If a slice cannot be used.

    Examples
    --------
    >>> from ..io.datasets import load
    >>> [mask, *_] = masks_of(lambda images: images > 0.2, load("phantom"))
    >>> mask.shape, mask.dtype, bool(mask.any())
    ((768, 624), dtype('uint8'), True)
    """
    for place, image in enumerate(data.images):
        with errors.placed(data.names[place]):
            unwrapped = polar.unwrap(image, data.spacing_of(place))
        if unwrapped is None:
            yield np.zeros(image.shape, np.uint8)
            continue
        on_grid = learned.probability_on_grid(unwrapped, ask=ask)
        yield learned.most_probable_mask(cv2.resize(on_grid, image.shape[::-1]))


def score(masks: Iterable[np.ndarray], data: Data) -> list[dict[str, float]]:
    """Score the masks of slices by `labels_of`, see `metrics.score`.

    Parameters
    ----------
    masks : iterable of N ndarrays of shape (H, W), uint8 of {0, 1}
    data : Data

    Returns
    -------
    list of dict of str to float
        NaN where the truth is unknown.

    Raises
    ------
    InputError
        If the data bring no true masks.

    Examples
    --------
    >>> from ..io.datasets import load
    >>> data = load("phantom")
    >>> score(data.truth, data)[0]["iou"]
    1.0
    """
    truth, known = labels_of(data)
    scores = []
    for place, mask in enumerate(masks):
        spacing_mm = data.spacing_of(place)
        scores.append(metrics.score_if_known(mask, truth[place], spacing_mm, is_known=known[place]))
    return scores


def pooled_dice(ask: Predictor, prepared: Prepared) -> float:
    """Score a network on the pixels of all prepared slices at once, as if they were one image.

    Where most masks are empty, this is the score to choose a network by: a mean over slices would
    give every empty mask of an empty slice a 1.

    Parameters
    ----------
    ask : callable
        As of `masks_of`.
    prepared : Prepared

    Returns
    -------
    float

    Examples
    --------
    Three slices, of which one shows something, and a network that finds nothing:

    >>> values = np.zeros((3, 1, 4, 4), np.float32)
    >>> values[0] = 1
    >>> prepared = Prepared(values, values)
    >>> pooled_dice(np.zeros_like, prepared)
    0.0
    """
    inside = ask(prepared.images[:, 0]) > 0.5
    truth = prepared.masks[:, 0] > 0.5
    return metrics.dice(inside.reshape(1, -1), truth.reshape(1, -1))
