"""Choices and comparisons by scores: the dilation width of v7, and the ladder of all versions.

Statistics over the scores of many slices or versions live here. `metrics` computes the scores, and
`plots` draws them.
"""

import csv
import math
import os
import re
import reprlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from . import errors, phantom, project, versions
from .metrics import dice, iou, known_slices
from .texts import csv_text
from .versions import NO_BRAIN, VERSIONS, Stages, brain_and_scalp, mask_slices

_MOST_DRAWS = 1_000_000
_DRAWN_AT_ONCE = 10_000_000  # scores


@dataclass(frozen=True)
class Sweep:
    """Scores of v7 at many dilation widths.

    Attributes
    ----------
    sizes : ndarray of shape (S,), int
        Dilation widths [px].
    iou, dice : ndarray of shape (N, S), float64
        Scores of every slice at every width. Slices whose truth is unknown are left out, see
        `metrics.known_slices`.
    """

    sizes: np.ndarray
    iou: np.ndarray
    dice: np.ndarray

    @property
    def best_size(self) -> int:
        """Width with the highest mean IoU; the smallest if several are equal."""
        return int(self.sizes[self.iou.mean(axis=0).argmax()])


def sweep(
    images: Iterable[np.ndarray],
    truth: Sequence[np.ndarray],
    *,
    sizes: Iterable[int],
    names: Sequence[str] = (),
) -> Sweep:
    """Score v7 at many dilation widths.

    Everything before the dilation is done once for each slice. Slices whose truth is unknown are
    left out, see `metrics.known_slices`.

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
        If there are no widths, one of them is out of range, the truth is empty, or images, truth
        and names do not fit.

    Examples
    --------
    >>> image = np.pad(np.ones((2, 2)), 3)
    >>> truth = np.pad(np.ones((4, 4)), 2)
    >>> sweep([image], [truth], sizes=[1, 3]).iou.round(2)
    array([[0.25, 0.75]])
    """
    errors.check_stack(images)
    errors.check_stack(truth)
    widths = list(sizes)
    if not widths:
        raise errors.InputError("expected widths to try, got none")
    if not any(map(np.any, truth)):
        got = "one that is empty" if len(truth) else "none"
        raise errors.InputError(f"expected a truth to choose a width by, got {got}")
    names = names or [f"slice {index}" for index in range(len(truth))]
    if len(names) != len(truth):
        raise errors.InputError(f"expected {len(truth)} names, as in the truth, got {len(names)}")
    known = known_slices(truth)
    partners = zip(truth, known, names, strict=True)
    ious = []
    dices = []
    for image, (true_mask, is_known, name) in errors.pair_up(images, partners, "true mask"):
        if is_known:
            with errors.placed(name):
                slice_ious, slice_dices = _scores(image, true_mask, widths)
            ious.append(slice_ious)
            dices.append(slice_dices)
    return Sweep(np.array(widths), np.array(ious), np.array(dices))


def _scores(
    image: np.ndarray,
    truth: np.ndarray,
    sizes: list[int],
) -> tuple[list[float], list[float]]:
    """Score one slice at every width: IoU and Dice."""
    stages = brain_and_scalp(image)
    ious = []
    dices = []
    for mask in masks_at_widths(stages, sizes):
        ious.append(iou(mask, truth))
        dices.append(dice(mask, truth))
    if not stages["brain"].any():
        warnings.warn(NO_BRAIN, errors.EmptyMaskWarning, stacklevel=3)
    return ious, dices


def masks_at_widths(
    stages: Stages,
    sizes: Iterable[int],
) -> Iterator[np.ndarray]:
    """Make the masks of v7 at many dilation widths.

    Parameters
    ----------
    stages : dict
        From `brain_and_scalp`.
    sizes : iterable of int
        Dilation widths [px].

    Yields
    ------
    ndarray of shape (H, W), uint8

    Examples
    --------
    >>> stages = brain_and_scalp(np.pad([[9]], 3))
    >>> narrow, wide = masks_at_widths(stages, [1, 3])
    >>> int(narrow.sum()), int(wide.sum())
    (1, 5)
    """
    for size in sizes:
        yield versions.finish_interior_brain(stages, size)["filled"]


def parse_range(text: str, *, low: int = 1) -> range:
    """Read whole numbers written as ``start:stop:step``; stop is included.

    Parameters
    ----------
    text : str
        ``start:stop:step``, ``start:stop`` or a single number.
    low : int
        The smallest start: 1 for widths [px], 0 for numbers of slices.

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
    match = re.fullmatch(r"(\d{1,5})(?::(\d{1,5}))?(?::(\d{1,5}))?", text.strip())
    if match:
        start = int(match[1])
        stop = int(match[2] or start)
        step = int(match[3] or 1)
        if step >= 1 and low <= start <= stop:
            return range(start, stop + 1, step)
    wanted = f"whole numbers from {low} as start:stop:step, for example 1:61:2"
    raise errors.InputError(f"expected {wanted}, got {text!r}")


def write_csv(
    result: Sweep,
    output: str | os.PathLike,
    *,
    names: Sequence[str],
) -> None:
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
    ...     result = Sweep(np.array([26]), np.array([[0.9]]), np.array([[0.95]]))
    ...     write_csv(result, table, names=["a"])
    ...     table.read_text().split()
    ['slice,dilation_size,iou,dice', 'a,26,0.9,0.95']
    """
    with open(output, "w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(["slice", "dilation_size", "iou", "dice"])
        slices = zip(names, result.iou, result.dice, strict=True)
        for name, slice_ious, slice_dices in slices:
            rows = zip(result.sizes, slice_ious, slice_dices, strict=True)
            for row in rows:
                writer.writerow([csv_text(name), *row])


# --- How far the choice of a width holds ---------------------------------------------------------


def leave_one_out(result: Sweep) -> tuple[np.ndarray, np.ndarray]:
    """Choose the width on all slices but one, and score it on that one; for each slice in turn.

    Parameters
    ----------
    result : Sweep
        Of two slices or more.

    Returns
    -------
    sizes : ndarray of shape (N,), int
        The width that the other slices choose [px].
    iou : ndarray of shape (N,), float64
        The score of that width on the slice left out.

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
    scores: np.ndarray,
    *,
    draws: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Estimate the interval of a mean over slices by the percentile bootstrap.

    Slices of one head are not independent, so the interval is too narrow for other heads.

    Parameters
    ----------
    scores : ndarray of shape (N,), float
    draws : int
        Resamples with replacement, 1 … 1,000,000.
    confidence : float
        Above 0 and below 1.
    seed : int

    Returns
    -------
    low, high : float

    Raises
    ------
    InputError
        If the scores are not a row of finite numbers, there is none, or an option is out of range.

    References
    ----------
    B. Efron, "Bootstrap methods: another look at the jackknife", The Annals of Statistics
    7(1):1–26, 1979.

    Examples
    --------
    >>> bootstrap(np.array([0.5, 0.5, 0.5]))
    (0.5, 0.5)
    """
    scores = _check_scores(scores)
    errors.check_whole(draws, "number of draws", 1, _MOST_DRAWS)
    if not 0 < confidence < 1:
        raise errors.InputError(f"expected a confidence above 0 and below 1, got {confidence}")
    if scores.size == 1:
        return float(scores[0]), float(scores[0])
    from scipy import stats  # takes long to import, and nothing else here needs it

    result = stats.bootstrap(
        (scores,),
        np.mean,
        n_resamples=draws,
        batch=max(1, _DRAWN_AT_ONCE // scores.size),
        confidence_level=confidence,
        method="percentile",
        random_state=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return float(low), float(high)


def _check_scores(scores: np.ndarray) -> np.ndarray:
    """Convert scores to floats; refuse anything but a row of finite numbers."""
    wanted = "one score for each slice, as in [0.89, 0.93]"
    try:
        numbers = np.asarray(scores, float)
    except (TypeError, ValueError):
        got = reprlib.repr(errors.as_typed(scores))
        raise errors.InputError(f"expected {wanted}, got {got}") from None
    if not numbers.size:
        raise errors.InputError("expected scores to resample, got none")
    if numbers.ndim != 1:
        raise errors.InputError(f"expected {wanted}, got shape {numbers.shape}")
    errors.check_values(numbers)
    return numbers


# --- The ladder ----------------------------------------------------------------------------------


def ladder(
    images: np.ndarray,
    truth: np.ndarray,
    *,
    spacing_mm: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Score every version with its defaults.

    Parameters
    ----------
    images : ndarray of shape (N, H, W)
    truth : ndarray of shape (N, H, W), bool or {0, 1}
    spacing_mm : ndarray of shape (N, 2), optional
        Row and column spacing [mm], for versions that use it.

    Returns
    -------
    dict of str to ndarray of shape (N,), float64
        The IoU of every slice, by version. Slices whose truth is unknown are left out, see
        `metrics.known_slices`.

    Examples
    --------
    >>> image = np.pad(np.ones((9, 9)), 20)
    >>> ladder(image[None], image[None])["v1"]
    array([1.])
    """
    errors.check_stack(images)
    errors.check_stack(truth)
    known = known_slices(truth)
    scores = {}
    for version in VERSIONS:
        slice_masks = mask_slices(images, version=version, spacing_mm=spacing_mm)
        pairs = errors.pair_up(slice_masks, truth, "true mask")
        ious = [iou(mask, true_mask) for mask, true_mask in pairs]
        scores[version] = np.array(ious)[known]
    return scores


class Rung(NamedTuple):
    """A version on the ladder: its mean IoU, published and ours; NaN where none was published.

    Attributes
    ----------
    version : str
    published_iou : float
    phantom_iou : float
        On the calibrated phantom.
    difference : float
        ``phantom_iou`` minus ``published_iou``.
    other_seeds_iou : float
        On the heads `OTHER_SEEDS`, which the phantom was never calibrated on.
    agreement : str
        Why the phantom agrees with what was published, or how far it can.
    """

    version: str
    published_iou: float
    phantom_iou: float
    difference: float
    other_seeds_iou: float
    agreement: str


# The columns of `Rung`, as tables show them
LADDER_HEADER = (
    "version",
    "published IoU",
    "phantom",
    "difference",
    "other seeds",
    "agreement",
)
OTHER_SEEDS = (1, 2, 3, 4)
_AGREEMENT = {
    "v1": "by construction",
    "v2": "by construction",
    "v3": "reconstruction, setting ours",
    "v4": "reconstruction, setting ours",
    "v5": "prediction, width ours",
    "v6": "prediction, width ours",
    "v7": "by construction",
}


@cache
def phantom_ladder() -> tuple[Rung, ...]:
    """Compare the published ladder with the phantom's, and with heads it was not calibrated on.

    Returns
    -------
    tuple of Rung
        One for each version, from v1 on. The figures are mean IoU over the slices.

    Examples
    --------
    >>> phantom_ladder()[0].published_iou
    0.73
    """
    published_iou = project.published()
    calibrated = _ladder_of_phantom()
    others = [_ladder_of_phantom(seed=seed) for seed in OTHER_SEEDS]
    rungs = []
    for version, scores in calibrated.items():
        published = published_iou.get(f"iou_{version}", math.nan)
        mean = float(scores.mean())
        elsewhere = float(np.mean([other[version] for other in others]))
        agreement = _AGREEMENT.get(version, "not in the source")
        rungs.append(Rung(version, published, mean, mean - published, elsewhere, agreement))
    return tuple(rungs)


def _ladder_of_phantom(**head: Any) -> dict[str, np.ndarray]:
    """Score every version on the five slices of a seeded head."""
    images, labels, spacing_mm, _ = phantom.five_slices(**head)
    return ladder(images, phantom.skull_mask(labels), spacing_mm=spacing_mm)
