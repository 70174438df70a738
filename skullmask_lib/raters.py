"""How well people who traced the same slices agree, and the mask that they agree on.

Everything works on arrays in memory: the masks of one rater are a stack (N, H, W), and a slice that
a rater has not traced is empty. Reading traces from files is the task of `capstone`.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from . import errors, metrics
from .errors import InputError, Spacing

# The masks of every rater, by name: ndarrays of shape (N, H, W), uint8 of {0, 1}
Traces = Mapping[str, np.ndarray]

_IN_STAPLE = 0.5  # pixels that belong to the mask with at least this probability


class Pair(NamedTuple):
    """How well two raters agree, on average over the slices that both have traced.

    Attributes
    ----------
    first, second : str
    slices : int
        Number of these slices. Without any, the scores are NaN.
    iou, dice : float
    assd : float
        Mean surface distance [mm], or in pixels without a spacing.
    """

    first: str
    second: str
    slices: int
    iou: float
    dice: float
    assd: float


class Deviation(NamedTuple):
    """How one rater differs from the others, on average over them and over slices.

    Attributes
    ----------
    rater : str
    slices : int
        Number of slices that this rater and any other have traced. Without any, the rest is NaN.
    iou : float
    area_error : float
        Beside the areas of the others.
    outward : float
        How far the rater's outline lies outside of those of the others [mm], or in pixels without
        a spacing; negative if it lies inside.
    """

    rater: str
    slices: int
    iou: float
    area_error: float
    outward: float


class Staple(NamedTuple):
    """A consensus that trusts some raters more than others.

    Attributes
    ----------
    mask : ndarray of shape (N, H, W), uint8 of {0, 1}
        Empty on slices that not all raters have traced.
    sensitivity, specificity : dict of str to float
        Of every rater: the share of the consensus that is traced, and of its surroundings that is
        not.
    """

    mask: np.ndarray
    sensitivity: dict[str, float]
    specificity: dict[str, float]


def traced(traces: Traces) -> np.ndarray:
    """Find out which slices every rater has traced.

    Parameters
    ----------
    traces : mapping of str to ndarray of shape (N, H, W), {0, 1}

    Returns
    -------
    ndarray of shape (R, N), bool

    Raises
    ------
    InputError
        If there is no rater, or the shapes differ or are not ``(N, H, W)``.

    Examples
    --------
    >>> traced({"a": np.ones((2, 3, 3)), "b": np.stack([np.ones((3, 3)), np.zeros((3, 3))])})
    array([[ True,  True],
           [ True, False]])
    """
    shapes = {np.shape(masks) for masks in traces.values()}
    if len(shapes) != 1 or len(min(shapes)) != 3:
        got = sorted(shapes) or "no rater"
        raise InputError(f"expected traces of one shape (N, H, W), got {got}")
    return np.stack([np.any(masks, axis=(1, 2)) for masks in traces.values()])


def pairs(
    traces: Traces,
    spacing_mm: np.ndarray | None = None,
) -> list[Pair]:
    """Compare every two raters.

    Parameters
    ----------
    traces : mapping of str to ndarray of shape (N, H, W), {0, 1}
    spacing_mm : ndarray of shape (N, 2), optional
        Row and column spacing of every slice [mm].

    Returns
    -------
    list of Pair

    Raises
    ------
    InputError
        See `traced`; also if there is not one spacing for each slice.

    Examples
    --------
    >>> wide, narrow = np.zeros((2, 1, 5, 5), np.uint8)
    >>> wide[0, 1:4, 1:4] = narrow[0, 1:4, 1:3] = 1
    >>> [pair] = pairs({"anna": wide, "ben": narrow})
    >>> pair.slices, round(pair.iou, 3), round(pair.dice, 3)
    (1, 0.667, 0.8)
    """
    is_traced = dict(zip(traces, traced(traces), strict=True))
    spacings = _spacings(traces, spacing_mm)
    compared = []
    for first, second in itertools.combinations(traces, 2):
        both = np.flatnonzero(is_traced[first] & is_traced[second]).tolist()
        scores = []
        for index in both:
            mask = traces[first][index]
            other = traces[second][index]
            distance = metrics.assd_mm(mask, other, spacings[index])
            scores.append((metrics.iou(mask, other), metrics.dice(mask, other), distance))
        compared.append(Pair(first, second, len(both), *_means(scores)))
    return compared


def majority(traces: Traces) -> np.ndarray:
    """Keep the pixels that more than half of those who traced a slice have included.

    A tie leaves a pixel out, so of two raters only what both have included is kept.

    Parameters
    ----------
    traces : mapping of str to ndarray of shape (N, H, W), {0, 1}

    Returns
    -------
    ndarray of shape (N, H, W), uint8 of {0, 1}

    Raises
    ------
    InputError
        See `traced`.

    Examples
    --------
    >>> votes = np.array([[[1, 1, 0]], [[0, 1, 0]], [[0, 1, 1]]], np.uint8)[:, None]
    >>> majority(dict(zip("abc", votes, strict=True)))
    array([[[0, 1, 0]]], dtype=uint8)
    """
    counts = traced(traces).sum(axis=0)
    votes = np.count_nonzero(list(traces.values()), axis=0)  # masks may hold 255
    return (2 * votes > counts[:, None, None]).astype(np.uint8)


def deviations(
    traces: Traces,
    spacing_mm: np.ndarray | None = None,
) -> list[Deviation]:
    """Compare every rater with each of the others.

    Parameters
    ----------
    traces : mapping of str to ndarray of shape (N, H, W), {0, 1}
    spacing_mm : ndarray of shape (N, 2), optional
        Row and column spacing of every slice [mm].

    Returns
    -------
    list of Deviation

    Raises
    ------
    InputError
        See `pairs`.

    Examples
    --------
    >>> distance = np.hypot(*np.ogrid[-9:10, -9:10])[None]
    >>> traces = {name: np.uint8(distance < radius) for name, radius in zip("abc", (4, 5, 6))}
    >>> [round(row.outward, 1) for row in deviations(traces)]
    [-1.5, -0.0, 1.6]
    """
    is_traced = dict(zip(traces, traced(traces), strict=True))
    spacings = _spacings(traces, spacing_mm)
    rows = []
    for rater, masks in traces.items():
        scores = []
        shared = np.zeros(len(masks), bool)
        for other, other_masks in traces.items():
            if other == rater:
                continue
            both = is_traced[rater] & is_traced[other]
            shared |= both
            for index in np.flatnonzero(both).tolist():
                pair = masks[index], other_masks[index]
                outward = metrics.outward_mm(*pair, spacings[index])
                scores.append((metrics.iou(*pair), metrics.area_error(*pair), outward))
        rows.append(Deviation(rater, int(shared.sum()), *_means(scores)))
    return rows


def staple(traces: Traces) -> Staple:
    """Find the consensus and how reliable each rater is at once (STAPLE, by SimpleITK).

    Parameters
    ----------
    traces : mapping of str to ndarray of shape (N, H, W), {0, 1}

    Returns
    -------
    Staple

    Raises
    ------
    InputError
        If SimpleITK is missing, no slice was traced by all raters, or the shapes differ.

    References
    ----------
    Warfield, S. K., Zou, K. H., Wells, W. M.: *Simultaneous truth and performance level estimation
    (STAPLE)*, IEEE Transactions on Medical Imaging, 2004.

    Examples
    --------
    >>> usual = np.zeros((1, 9, 9), np.uint8)
    >>> usual[0, 3:6, 3:6] = 1
    >>> small = np.zeros((1, 9, 9), np.uint8)
    >>> small[0, 4:6, 3:6] = 1
    >>> found = staple({"anna": usual, "ben": usual, "eve": small})
    >>> np.array_equal(found.mask, usual), round(found.sensitivity["eve"], 2)
    (True, 0.67)
    """
    sitk = errors.extra("SimpleITK", "STAPLE", "volumes")
    by_all = traced(traces).all(axis=0)
    if not by_all.any():
        raise InputError("expected a slice that all raters have traced, got none")
    stacks = []
    for masks in traces.values():
        is_set = masks[by_all] > 0  # masks may hold 255
        stacks.append(sitk.GetImageFromArray(is_set.astype(np.uint8)))
    estimate = sitk.STAPLEImageFilter()
    estimate.SetForegroundValue(1)
    probability = sitk.GetArrayFromImage(estimate.Execute(stacks))
    mask = np.zeros(next(iter(traces.values())).shape, np.uint8)
    mask[by_all] = probability >= _IN_STAPLE
    sensitivity = dict(zip(traces, estimate.GetSensitivity(), strict=True))
    specificity = dict(zip(traces, estimate.GetSpecificity(), strict=True))
    return Staple(mask, sensitivity, specificity)


def _spacings(traces: Traces, spacing_mm: np.ndarray | None) -> list[Spacing]:
    """Return the spacing of every slice; without one, distances are in pixels."""
    count = len(next(iter(traces.values())))
    spacings = errors.check_spacings(spacing_mm, count)
    return [spacing or metrics.PIXELS for spacing in spacings]


def _means(scores: Sequence[tuple[float, float, float]]) -> list[float]:
    """Average scores over slices; NaN where there is no slice."""
    if not scores:
        return [np.nan] * 3
    return np.mean(scores, axis=0).tolist()
