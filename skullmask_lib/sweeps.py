"""One dilation width against another: the sweep, the choice without the scored slice, and the ladder."""

import csv
import math
import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from . import errors, masks, phantom, project
from .metrics import dice, iou, known_slices
from .texts import csv_text
from .versions import VERSIONS, Stages, brain_and_scalp, mask_slices


@dataclass(frozen=True)
class Sweep:
    """Scores of v7 at many dilation widths.

    Attributes
    ----------
    sizes : ndarray of shape (S,), int
        Dilation widths [px].
    iou, dice : ndarray of shape (N, S), float64
        Scores of every slice at every width; without the slices whose truth is unknown, see `known_slices`.
    """

    sizes: np.ndarray
    iou: np.ndarray
    dice: np.ndarray

    @property
    def best_size(self) -> int:
        """Width with the highest mean IoU; of equal ones the smallest."""
        return int(self.sizes[self.iou.mean(axis=0).argmax()])


def sweep(
    images: Iterable[np.ndarray], truth: Sequence[np.ndarray], *, sizes: Iterable[int], names: Sequence[str] = ()
) -> Sweep:
    """Score v7 at many dilation widths; all that comes before the dilation is done once for each slice.

    Slices whose truth is unknown are left out, see `metrics.known_slices`.

    Parameters
    ----------
    images : (N, H, W) or iterable of ndarray of shape (H, W)
    truth : (N, H, W), bool or {0, 1}
    sizes : iterable of int
        Dilation widths [px], each 1 … shorter side of a slice.
    names : sequence of str, optional
        One label for each slice, for messages.

    Returns
    -------
    Sweep

    Raises
    ------
    InputError
        If there is nothing to sweep, a width is out of range, or images and truth do not fit together.

    Examples
    --------
    >>> image = np.pad(np.ones((2, 2)), 3)
    >>> truth = np.pad(np.ones((4, 4)), 2)
    >>> sweep([image], [truth], sizes=[1, 3]).iou.round(2)
    array([[0.25, 0.75]])
    """
    errors.check_stack(images)
    errors.check_stack(truth)
    sizes = list(sizes)
    known = known_slices(truth)
    scores = []
    count = 0
    for index, image in enumerate(images):
        count += 1
        name = names[index] if names else f"slice {index}"
        if index >= len(known):
            raise errors.InputError(f"{name}: expected a truth for each slice, got {len(truth)}")
        if known[index]:
            scores.append(_scores(image, truth[index], sizes, name))
    if not sizes or not scores or count != len(truth):
        raise errors.InputError(f"expected widths to try, and {len(truth)} slices as in the truth, got {count}")
    if not any(map(np.any, truth)):
        raise errors.InputError("expected a truth to choose a width by, got one that is empty")
    by_slice = np.array(scores)
    return Sweep(np.array(sizes), by_slice[..., 0], by_slice[..., 1])


def _scores(image: np.ndarray, truth: np.ndarray, sizes: list[int], name: str) -> list[tuple[float, float]]:
    try:
        stages = brain_and_scalp(image)
        scores = [(iou(mask, truth), dice(mask, truth)) for mask in masks_at_widths(stages, sizes)]
    except errors.InputError as error:
        raise errors.InputError(f"{name}: {error}") from None
    if not stages["brain"].any():
        reason = "no bright component inside of the frame"
        warnings.warn(f"{name}: the mask is empty: {reason}", errors.EmptyMaskWarning, stacklevel=3)
    return scores


def masks_at_widths(stages: Stages, sizes: Iterable[int]) -> Iterator[np.ndarray]:
    """Make the masks of v7 at many dilation widths.

    Parameters
    ----------
    stages : dict
        As `brain_and_scalp` gives them.
    sizes : iterable of int
        Dilation widths [px].

    Yields
    ------
    ndarray of shape (H, W), uint8

    Examples
    --------
    >>> [int(mask.sum()) for mask in masks_at_widths(brain_and_scalp(np.pad([[9]], 3)), [1, 3])]
    [1, 5]
    """
    for size in sizes:
        yield masks.fill_holes(masks.dilate(stages["brain"], size) & ~stages["scalp"])


def parse_range(text: str, *, low: int = 1) -> range:
    """Read whole numbers written as ``start:stop:step``; stop is included.

    Parameters
    ----------
    text : str
        ``start:stop:step``, ``start:stop`` or a single number.
    low : int
        The smallest start: 1 for widths [px], 0 for places of slices.

    Returns
    -------
    range

    Raises
    ------
    InputError
        If the text is anything else.

    Examples
    --------
    >>> list(parse_range("22:30:2"))
    [22, 24, 26, 28, 30]
    """
    found = re.fullmatch(r"(\d{1,5})(?::(\d{1,5}))?(?::(\d{1,5}))?", text.strip())
    start, stop, step = (int(number) if number else None for number in found.groups()) if found else (0, 0, 0)
    stop, step = start if stop is None else stop, 1 if step is None else step
    if step < 1 or not low <= start <= stop:
        raise errors.InputError(
            f"expected whole numbers from {low} as start:stop:step, for example 1:61:2, got {text!r}"
        )
    return range(start, stop + 1, step)


def write_csv(result: Sweep, output: str | os.PathLike, *, names: Sequence[str]) -> None:
    """Write the scores of every slice at every width.

    Parameters
    ----------
    result : Sweep
    output : str or path
        CSV with the columns slice, dilation_size, iou, dice.
    names : sequence of str
        One label for each slice of the result.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = pathlib.Path(folder, "sweep.csv")
    ...     write_csv(Sweep(np.array([26]), np.array([[0.9]]), np.array([[0.95]])), table, names=["a"])
    ...     table.read_text().split()
    ['slice,dilation_size,iou,dice', 'a,26,0.9,0.95']
    """
    with open(output, "w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(["slice", "dilation_size", "iou", "dice"])
        for name, ious, dices in zip(names, result.iou, result.dice, strict=True):
            for size, i, d in zip(result.sizes, ious, dices, strict=True):
                writer.writerow([csv_text(name), size, i, d])


def leave_one_out(result: Sweep) -> tuple[np.ndarray, np.ndarray]:
    """Choose the width on all slices but one and score it on that one, for each slice in turn.

    Parameters
    ----------
    result : Sweep
        Of two slices or more.

    Returns
    -------
    sizes : ndarray of shape (N,), int
        The width that the other slices choose [px].
    iou : ndarray of shape (N,), float64
        What that width scores on the slice left out.

    Raises
    ------
    InputError
        If there is only one slice.

    Examples
    --------
    >>> scores = np.array([[0.8, 0.9], [0.7, 0.9], [0.9, 0.8]])
    >>> leave_one_out(Sweep(np.array([24, 26]), scores, scores))
    (array([26, 26, 26]), array([0.9, 0.9, 0.8]))
    """
    count = len(result.iou)
    if count < 2:
        raise errors.InputError(f"expected two slices or more to leave one out, got {count}")
    others = (result.iou.sum(axis=0) - result.iou) / (count - 1)
    chosen = others.argmax(axis=1)
    return result.sizes[chosen], result.iou[np.arange(count), chosen]


def bootstrap(
    scores: np.ndarray, *, draws: int = 10_000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over slices.

    Slices of one head are not independent, so the interval is too narrow for other heads.

    Parameters
    ----------
    scores : ndarray of shape (N,), float
    draws : int
        Resamples with replacement.
    confidence : float
        Between 0 and 1.
    seed : int

    Returns
    -------
    low, high : float

    Raises
    ------
    InputError
        If there is no score.

    References
    ----------
    B. Efron, "Bootstrap methods: another look at the jackknife", The Annals of Statistics 7(1):1–26, 1979.

    Examples
    --------
    >>> bootstrap(np.array([0.5, 0.5, 0.5]))
    (0.5, 0.5)
    """
    scores = np.asarray(scores, float)
    if not scores.size:
        raise errors.InputError("expected scores to resample, got none")
    picks = np.random.default_rng(seed).integers(scores.size, size=(draws, scores.size))
    tail = (1 - confidence) / 2
    low, high = np.quantile(scores[picks].mean(axis=1), [tail, 1 - tail])
    return float(low), float(high)


def ladder(images: np.ndarray, truth: np.ndarray, *, spacing_mm: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Score every version with its defaults.

    Parameters
    ----------
    images : ndarray of shape (N, H, W)
    truth : ndarray of shape (N, H, W), bool or {0, 1}
    spacing_mm : ndarray of shape (N, 2), optional
        Row and column spacing [mm], for the versions that know millimetres.

    Returns
    -------
    dict of str to ndarray of shape (N,), float64
        Version to the IoU of every slice, without those whose truth is unknown, see `metrics.known_slices`.

    Examples
    --------
    >>> image = np.pad(np.ones((9, 9)), 20)
    >>> ladder(image[None], image[None])["v1"]
    array([1.])
    """
    errors.check_stack(images)
    errors.check_stack(truth)
    names = [f"slice {index}" for index in range(len(images))]
    known = known_slices(truth)
    scores = {}
    for version in VERSIONS:
        made = mask_slices(images, names=names, version=version, spacing_mm=spacing_mm)
        overlap = np.array([iou(mask, true) for mask, true in zip(made, truth, strict=True)])
        scores[version] = overlap[known]
    return scores


LADDER_HEADER = ("version", "published IoU", "phantom", "difference", "other seeds", "agreement")
OTHER_SEEDS = (1, 2, 3, 4)  # heads that the phantom was never calibrated on
_AGREEMENT = {  # what the phantom was calibrated to, and what it was not
    **dict.fromkeys(("v1", "v2", "v7"), "by construction"),
    **dict.fromkeys(("v3", "v4"), "reconstruction, threshold ours"),
    **dict.fromkeys(("v5", "v6"), "prediction, width ours"),
}


@cache
def phantom_ladder() -> tuple[tuple[str, float, float, float, float, str], ...]:
    """Put the published ladder beside that of the phantom and of heads it was not calibrated on.

    Returns
    -------
    tuple of tuple
        A row for each version with the columns `LADDER_HEADER`; all but the last are mean IoU over the slices, NaN
        where nothing was published.

    Examples
    --------
    >>> phantom_ladder()[0][:2]
    ('v1', 0.73)
    """
    published_iou = project.published()
    calibrated = _ladder_of_phantom()
    others = [_ladder_of_phantom(seed=seed) for seed in OTHER_SEEDS]
    rows = []
    for version, scores in calibrated.items():
        published = published_iou.get(f"iou_{version}", math.nan)
        mean = float(scores.mean())
        elsewhere = float(np.mean([scores_of_head[version] for scores_of_head in others]))
        agreement = _AGREEMENT.get(version, "not in the source")
        rows.append((version, published, mean, mean - published, elsewhere, agreement))
    return tuple(rows)


def _ladder_of_phantom(**head) -> dict[str, np.ndarray]:
    """Score every version on the five slices of a seeded head."""
    images, labels, spacing_mm, _ = phantom.five_slices(**head)
    return ladder(images, phantom.skull_mask(labels), spacing_mm=spacing_mm)
