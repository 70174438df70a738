"""How well a mask agrees with the truth: overlap, surface distances and area.

Scores of masks live here; `sweeps` uses them to choose a version or a width.

If both masks are empty, IoU and Dice are 1, and distances and the area error are 0. If one of them
is empty, IoU and Dice are 0 and distances are infinite. Distances are between surfaces, see
`surface_of`. For scores of many slices, see `known_slices`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from .errors import (
    InputError,
    Spacing,
    check_binary,
    check_spacing,
    check_spacings,
    check_stack,
    pair_up,
)

PIXELS: Spacing = (1.0, 1.0)  # a spacing that measures distances in pixels


class _Counts(NamedTuple):
    """Numbers of pixels: in a mask, in the truth, and in both."""

    mask: int
    truth: int
    both: int


class _Distances(NamedTuple):
    """Distances from every surface pixel of one mask to the surface of the other."""

    to_truth: np.ndarray
    to_mask: np.ndarray


# --- One slice -----------------------------------------------------------------------------------


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union, the Jaccard index.

    Parameters
    ----------
    mask, truth : ndarray of the same shape, bool or {0, 1}

    Returns
    -------
    float
        0 … 1; 1 if both are empty, 0 if one is.

    Raises
    ------
    InputError
        If the shapes differ, or a mask holds several values beside 0.

    Examples
    --------
    >>> iou(np.array([[1, 1, 0]]), np.array([[0, 1, 1]]))
    0.3333333333333333
    """
    return _iou(_count_pixels(mask, truth))


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    """Dice coefficient: twice the intersection over the sum of both areas.

    Parameters
    ----------
    mask, truth : ndarray of the same shape, bool or {0, 1}

    Returns
    -------
    float
        0 … 1; 1 if both are empty, 0 if one is. Equals 2 · IoU / (1 + IoU).

    Raises
    ------
    InputError
        If the shapes differ, or a mask holds several values beside 0.

    Examples
    --------
    >>> dice(np.array([[1, 1, 0]]), np.array([[0, 1, 1]]))
    0.5
    """
    return _dice(_count_pixels(mask, truth))


def hausdorff_mm(
    mask: np.ndarray,
    truth: np.ndarray,
    spacing_mm: Spacing = PIXELS,
) -> float:
    """Hausdorff distance: the largest distance from one surface to the other.

    Parameters
    ----------
    mask, truth : ndarray of shape (H, W), bool or {0, 1}
    spacing_mm : pair of float
        Row and column spacing [mm]; with (1, 1) the result is in pixels.

    Returns
    -------
    float
        In millimetres; 0 if both are empty, infinite if one is.

    Raises
    ------
    InputError
        If the shapes differ, a mask holds several values beside 0, or the spacing is not two
        positive numbers.

    Examples
    --------
    >>> hausdorff_mm(np.array([[1, 0, 0]]), np.array([[0, 0, 1]]), (1.0, 0.5))
    1.0
    """
    return _hausdorff(_surface_distances(mask, truth, spacing_mm))


def hd95_mm(
    mask: np.ndarray,
    truth: np.ndarray,
    spacing_mm: Spacing = PIXELS,
) -> float:
    """Pooled 95 % Hausdorff distance.

    Three definitions are in use. This is the pooled one, as in MedPy: the 95th percentile (linear)
    of all distances together, from mask to truth and from truth to mask.

    Parameters
    ----------
    mask, truth : ndarray of shape (H, W), bool or {0, 1}
    spacing_mm : pair of float
        Row and column spacing [mm]; with (1, 1) the result is in pixels.

    Returns
    -------
    float
        In millimetres; 0 if both are empty, infinite if one is.

    Raises
    ------
    InputError
        If the shapes differ, a mask holds several values beside 0, or the spacing is not two
        positive numbers.

    Examples
    --------
    >>> hd95_mm(np.eye(4), np.eye(4))
    0.0
    """
    return _hd95(_surface_distances(mask, truth, spacing_mm))


def assd_mm(
    mask: np.ndarray,
    truth: np.ndarray,
    spacing_mm: Spacing = PIXELS,
) -> float:
    """Average symmetric surface distance: the mean of the two directed means.

    Parameters
    ----------
    mask, truth : ndarray of shape (H, W), bool or {0, 1}
    spacing_mm : pair of float
        Row and column spacing [mm]; with (1, 1) the result is in pixels.

    Returns
    -------
    float
        In millimetres; 0 if both are empty, infinite if one is.

    Raises
    ------
    InputError
        If the shapes differ, a mask holds several values beside 0, or the spacing is not two
        positive numbers.

    Examples
    --------
    >>> assd_mm(np.array([[1, 0, 0, 0]]), np.array([[0, 1, 0, 1]]))
    1.5
    """
    return _assd(_surface_distances(mask, truth, spacing_mm))


def outward_mm(
    mask: np.ndarray,
    truth: np.ndarray,
    spacing_mm: Spacing = PIXELS,
) -> float:
    """Mean distance of a mask's surface from that of the truth, negative where it lies inside.

    Parameters
    ----------
    mask, truth : ndarray of shape (H, W), bool or {0, 1}
    spacing_mm : pair of float
        Row and column spacing [mm]; with (1, 1) the result is in pixels.

    Returns
    -------
    float
        In millimetres; 0 if both are empty, NaN if one is. Errors outwards and inwards cancel out,
        so it measures a bias. `assd_mm` measures the errors.

    Raises
    ------
    InputError
        If the shapes differ, a mask holds several values beside 0, or the spacing is not two
        positive numbers.

    Examples
    --------
    >>> outward_mm(np.array([[0, 1, 1, 1, 0]]), np.array([[0, 0, 1, 0, 0]]), (1.0, 0.5))
    0.3333333333333333
    """
    distances = _surface_distances(mask, truth, spacing_mm).to_truth
    if np.isinf(distances).any():
        return np.nan
    is_inside = _as_bool(truth)[surface_of(mask) > 0]
    if not is_inside.size:
        return 0.0
    return float(np.where(is_inside, -distances, distances).mean())


def area_error(mask: np.ndarray, truth: np.ndarray) -> float:
    """Signed area error as a fraction of the true area: positive where the mask is too large.

    Parameters
    ----------
    mask, truth : ndarray of the same shape, bool or {0, 1}

    Returns
    -------
    float
        −1 for an empty mask, 0 if both are empty, infinite if only the truth is empty.

    Raises
    ------
    InputError
        If the shapes differ, or a mask holds several values beside 0.

    Examples
    --------
    >>> area_error(np.array([[1, 1, 1]]), np.array([[1, 1, 0]]))
    0.5
    """
    return _area_error(_count_pixels(mask, truth))


def score(
    mask: np.ndarray,
    truth: np.ndarray,
    spacing_mm: Spacing | None = None,
) -> dict[str, float]:
    """Score a mask in every way this module knows.

    Parameters
    ----------
    mask, truth : ndarray of shape (H, W), bool or {0, 1}
    spacing_mm : pair of float, optional
        Row and column spacing [mm]. Without it distances are in pixels, and their keys say so.

    Returns
    -------
    dict of str to float
        ``iou``, ``dice``, ``area_error``, ``hausdorff_mm``, ``hd95_mm``, ``assd_mm`` (or ``…_px``).

    Raises
    ------
    InputError
        If the shapes differ, a mask holds several values beside 0, or the spacing is not two
        positive numbers.

    Examples
    --------
    >>> list(score(np.eye(3), np.eye(3)))
    ['iou', 'dice', 'area_error', 'hausdorff_px', 'hd95_px', 'assd_px']
    """
    distances = _surface_distances(mask, truth, PIXELS if spacing_mm is None else spacing_mm)
    counts = _count_pixels(mask, truth)
    values = (
        _iou(counts),
        _dice(counts),
        _area_error(counts),
        _hausdorff(distances),
        _hd95(distances),
        _assd(distances),
    )
    return dict(zip(_score_names(spacing_mm), values, strict=True))


def surface_of(mask: np.ndarray) -> np.ndarray:
    """Mark the surface of a mask: what has a neighbour outside of it or lies on the frame.

    Neighbours share a side: a pixel has four, a voxel six.

    Parameters
    ----------
    mask : ndarray of any number of axes, bool or {0, 1}

    Returns
    -------
    ndarray of the same shape, uint8

    Raises
    ------
    InputError
        If the mask holds several values beside 0.

    Examples
    --------
    >>> surface_of(np.pad(np.ones((3, 4)), 1))
    array([[0, 0, 0, 0, 0, 0],
           [0, 1, 1, 1, 1, 0],
           [0, 1, 0, 0, 1, 0],
           [0, 1, 1, 1, 1, 0],
           [0, 0, 0, 0, 0, 0]], dtype=uint8)
    >>> int(surface_of(np.ones((3, 3, 3))).sum())
    26
    """
    mask = _as_bool(mask)  # bool erodes faster than uint8
    surface = mask & ~ndimage.binary_erosion(mask)
    return surface.view(np.uint8)


# --- Many slices ---------------------------------------------------------------------------------


def known_slices(truth: Iterable[np.ndarray]) -> np.ndarray:
    """Find the slices whose truth is known.

    One rule holds for every score. Where a truth is empty on some slices and not on others, the
    empty ones are unknown: only some slices of a volume may have been traced. Unknown slices are
    shown, but left out of means, rankings and sweeps. A truth that is empty on all slices counts
    as it is.

    Parameters
    ----------
    truth : iterable of N ndarrays of shape (H, W), bool or {0, 1}

    Returns
    -------
    ndarray of shape (N,), bool

    Examples
    --------
    >>> known_slices(np.array([[[0, 0]], [[0, 1]]]))
    array([False,  True])
    >>> known_slices(np.zeros((2, 3, 3)))
    array([ True,  True])
    """
    filled = np.fromiter(map(np.any, truth), bool)
    if not filled.any():
        return np.ones(filled.shape, bool)
    return filled


def skipped_planes(truth_px: np.ndarray) -> np.ndarray:
    """Find the planes of a volume where a truth breaks off: empty, beside a plane with much truth.

    Where only some planes were traced, slices across another axis are known only in part. Where a
    head ends instead, as at the crown, it first grows small.

    Parameters
    ----------
    truth_px : ndarray of shape (P,), int
        Number of the truth's pixels in each plane, in order.

    Returns
    -------
    ndarray of shape (P,), bool

    Examples
    --------
    >>> skipped_planes(np.array([0, 1, 5, 9, 0, 0, 8, 9])).astype(int)
    array([0, 0, 0, 0, 1, 1, 0, 0])
    """
    labels, _ = ndimage.label(truth_px == 0)
    is_large = truth_px > truth_px.max(initial=0) / 2
    before = labels[:-1][is_large[1:]]
    behind = labels[1:][is_large[:-1]]
    beside = np.union1d(before, behind)
    return (labels > 0) & np.isin(labels, beside)


def no_score(spacing_mm: Spacing | None = None) -> dict[str, float]:
    """Return the scores of a slice whose truth is unknown, all of them NaN.

    Parameters
    ----------
    spacing_mm : pair of float, optional
        See `score`.

    Returns
    -------
    dict of str to float
        With the keys of `score`.

    Examples
    --------
    >>> no_score()["hd95_px"]
    nan
    """
    return dict.fromkeys(_score_names(spacing_mm), np.nan)


def _score_names(spacing_mm: Spacing | None) -> tuple[str, ...]:
    """Name the scores; without a spacing, distances are in pixels."""
    overlap = ("iou", "dice", "area_error")
    if spacing_mm is None:
        return (*overlap, "hausdorff_px", "hd95_px", "assd_px")
    return (*overlap, "hausdorff_mm", "hd95_mm", "assd_mm")


def score_if_known(
    mask: np.ndarray,
    truth: np.ndarray,
    spacing_mm: Spacing | None,
    *,
    is_known: bool,
) -> dict[str, float]:
    """Score a mask as `score` does, or as `no_score` where the truth is unknown.

    Parameters
    ----------
    mask, truth, spacing_mm
        See `score`.
    is_known : bool
        Of this slice, from `known_slices`.

    Returns
    -------
    dict of str to float

    Raises
    ------
    InputError
        See `score`.

    Examples
    --------
    >>> mask = np.ones((3, 3))
    >>> score_if_known(mask, mask, None, is_known=False)["iou"]
    nan
    """
    if is_known:
        return score(mask, truth, spacing_mm)
    return no_score(spacing_mm)


def score_slices(
    masks: Iterable[np.ndarray],
    truth: Iterable[np.ndarray],
    spacing_mm: np.ndarray | None = None,
) -> list[dict[str, float]]:
    """Score the masks of many slices, as `score` does for one.

    Parameters
    ----------
    masks, truth : iterable of N ndarrays of shape (H, W), bool or {0, 1}
    spacing_mm : ndarray of shape (N, 2), optional
        Row and column spacing of every slice [mm], as in `Data`.

    Returns
    -------
    list of dict of str to float
        NaN where the truth is unknown, see `known_slices`.

    Raises
    ------
    InputError
        See `score`; also if there are not as many masks or spacings as true masks.

    Examples
    --------
    >>> scores = score_slices(np.ones((2, 3, 3)), np.ones((2, 3, 3)))
    >>> scores[0]["iou"], scores[1]["iou"]
    (1.0, 1.0)
    """
    check_stack(masks)
    check_stack(truth)
    if not isinstance(truth, np.ndarray):
        truth = list(truth)
    known = known_slices(truth)
    spacings = check_spacings(spacing_mm, len(known))
    scores = []
    partners = zip(truth, spacings, known, strict=True)
    for mask, (true_mask, spacing, is_known) in pair_up(masks, partners, "true mask"):
        scores.append(score_if_known(mask, true_mask, spacing, is_known=is_known))
    return scores


def mean_scores(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Average each score over the slices whose truth is known.

    Parameters
    ----------
    scores : sequence of mapping of str to float
        From `score_slices`, or others beside them, such as the quality. The truth of a slice is
        unknown where ``iou`` is NaN; if it is unknown everywhere, all slices count.

    Returns
    -------
    dict of str to float
        NaN where no slice has the score. A mean distance is infinite if the distance of one slice
        is, because one of its masks is empty: otherwise masks would look better for being empty
        where they are hard to make. See `bounded_scores`.

    Examples
    --------
    >>> mean_scores([{"iou": 0.5}, {"iou": np.nan}, {"iou": 0.75}])
    {'iou': 0.625}
    >>> mean_scores([{"iou": 1.0, "assd_px": 2.0}, {"iou": 0.0, "assd_px": np.inf}])
    {'iou': 0.5, 'assd_px': inf}
    """
    known = [row for row in scores if not math.isnan(row.get("iou", 0.0))]
    means = {}
    for name in scores[0] if scores else ():
        values = [row[name] for row in known or scores if not math.isnan(row[name])]
        means[name] = sum(values) / len(values) if values else math.nan
    return means


def bounded_scores(scores: Sequence[Mapping[str, float]]) -> list[Mapping[str, float]]:
    """Select the scores of the slices on which no score is infinite.

    Parameters
    ----------
    scores : sequence of mapping of str to float
        See `mean_scores`.

    Returns
    -------
    list of mapping of str to float

    Examples
    --------
    >>> bounded_scores([{"iou": 1.0, "assd_px": 2.0}, {"iou": 0.0, "assd_px": np.inf}])
    [{'iou': 1.0, 'assd_px': 2.0}]
    """
    return [row for row in scores if math.inf not in row.values()]


# --- Pixel counts and distances ------------------------------------------------------------------


def _iou(counts: _Counts) -> float:
    either = counts.mask + counts.truth - counts.both
    if not either:
        return 1.0
    return counts.both / either


def _dice(counts: _Counts) -> float:
    total = counts.mask + counts.truth
    if not total:
        return 1.0
    return 2 * counts.both / total


def _area_error(counts: _Counts) -> float:
    if counts.truth:
        return (counts.mask - counts.truth) / counts.truth
    return np.inf if counts.mask else 0.0


def _hausdorff(distances: _Distances) -> float:
    return float(max(distances.to_truth.max(), distances.to_mask.max()))


def _hd95(distances: _Distances) -> float:
    if np.isinf(distances.to_truth).any():
        return np.inf
    return float(np.percentile(np.concatenate(distances), 95))


def _assd(distances: _Distances) -> float:
    return float((distances.to_truth.mean() + distances.to_mask.mean()) / 2)


def _as_bool(mask: np.ndarray) -> np.ndarray:
    """Convert a mask to bool; refuse probabilities, labels and NaN."""
    return np.asarray(check_binary(mask)).view(bool)


def _count_pixels(mask: np.ndarray, truth: np.ndarray) -> _Counts:
    """Count the pixels of two masks of one shape."""
    mask = _as_bool(mask)
    truth = _as_bool(truth)
    if mask.shape != truth.shape:
        shapes = f"{mask.shape} and {truth.shape}"
        raise InputError(f"expected a mask and a truth of one shape, got {shapes}")
    return _Counts(
        mask=int(np.count_nonzero(mask)),
        truth=int(np.count_nonzero(truth)),
        both=int(np.count_nonzero(mask & truth)),
    )


def _surface_distances(
    mask: np.ndarray,
    truth: np.ndarray,
    spacing_mm: Spacing,
) -> _Distances:
    """Measure the distances between the surfaces of two masks, in both directions."""
    spacing = check_spacing(spacing_mm)
    mask = _as_bool(mask)
    truth = _as_bool(truth)
    if mask.shape != truth.shape or mask.ndim != 2:
        shapes = f"{mask.shape} and {truth.shape}"
        raise InputError(f"expected (H, W) mask and truth of one shape, got {shapes}")
    points = _surface_mm(mask, spacing)
    true_points = _surface_mm(truth, spacing)
    if not len(points) or not len(true_points):
        both_are_empty = len(points) == len(true_points)
        distance = np.array([0.0 if both_are_empty else np.inf])
        return _Distances(distance, distance)
    to_truth, _ = KDTree(true_points).query(points)
    to_mask, _ = KDTree(points).query(true_points)
    return _Distances(to_truth, to_mask)


def _surface_mm(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Locate the surface pixels of a mask, (P, 2) [mm]."""
    return np.argwhere(surface_of(mask)) * spacing
