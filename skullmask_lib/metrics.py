"""How well a mask agrees with the truth: overlap, surface distances and area.

Conventions, tested in ``tests/test_metrics.py``. Both masks empty: IoU = Dice = 1, distances and area error 0.
One of them empty: IoU = Dice = 0, distances infinite. The surface of a mask is the set of its pixels with a
4-neighbour outside of it (beyond the frame counts as outside). Over many slices see `known_slices`.
"""

import itertools
from collections.abc import Iterable

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from .errors import InputError, check_spacing, check_stack, check_unmasked


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
        If the shapes differ.

    Examples
    --------
    >>> iou(np.array([[1, 1, 0]]), np.array([[0, 1, 1]]))
    0.3333333333333333
    """
    both, either, _ = _overlap(mask, truth)
    return both / either if either else 1.0


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
        If the shapes differ.

    Examples
    --------
    >>> dice(np.array([[1, 1, 0]]), np.array([[0, 1, 1]]))
    0.5
    """
    both, _, total = _overlap(mask, truth)
    return 2 * both / total if total else 1.0


def hausdorff_mm(mask: np.ndarray, truth: np.ndarray, spacing_mm: tuple[float, float] = (1.0, 1.0)) -> float:
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
        If the shapes differ or the spacing is not two positive numbers.

    Examples
    --------
    >>> hausdorff_mm(np.array([[1, 0, 0]]), np.array([[0, 0, 1]]), (1.0, 0.5))
    1.0
    """
    return float(max(d.max() for d in _surface_distances(mask, truth, spacing_mm)))


def hd95_mm(mask: np.ndarray, truth: np.ndarray, spacing_mm: tuple[float, float] = (1.0, 1.0)) -> float:
    """Pooled 95 % Hausdorff distance.

    Of the three definitions in use this is the pooled one, MedPy's: the 95th percentile (linear) of all
    distances, from mask to truth and from truth to mask, taken together.

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
        If the shapes differ or the spacing is not two positive numbers.

    Examples
    --------
    >>> hd95_mm(np.eye(4), np.eye(4))
    0.0
    """
    return _hd95(*_surface_distances(mask, truth, spacing_mm))


def assd_mm(mask: np.ndarray, truth: np.ndarray, spacing_mm: tuple[float, float] = (1.0, 1.0)) -> float:
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
        If the shapes differ or the spacing is not two positive numbers.

    Examples
    --------
    >>> assd_mm(np.array([[1, 0, 0, 0]]), np.array([[0, 1, 0, 1]]))
    1.5
    """
    return _assd(*_surface_distances(mask, truth, spacing_mm))


def area_error(mask: np.ndarray, truth: np.ndarray) -> float:
    """Signed area error as a fraction of the true area: positive where the mask is too large.

    Parameters
    ----------
    mask, truth : ndarray of the same shape, bool or {0, 1}

    Returns
    -------
    float
        −1 for an empty mask, 0 if both are empty, infinite if only the truth is.

    Raises
    ------
    InputError
        If the shapes differ.

    Examples
    --------
    >>> area_error(np.array([[1, 1, 1]]), np.array([[1, 1, 0]]))
    0.5
    """
    _, _, total = _overlap(mask, truth)
    true_area = int(np.count_nonzero(truth))
    extra = total - 2 * true_area
    return extra / true_area if true_area else (np.inf if extra else 0.0)


def score(mask: np.ndarray, truth: np.ndarray, spacing_mm: tuple[float, float] | None = None) -> dict[str, float]:
    """Measure a mask in every way this module knows.

    Parameters
    ----------
    mask, truth : ndarray of shape (H, W), bool or {0, 1}
    spacing_mm : pair of float, optional
        Row and column spacing [mm]. Without it distances are in pixels, and their keys say so.

    Returns
    -------
    dict of str to float
        ``iou``, ``dice``, ``area_error`` and ``hausdorff_mm``, ``hd95_mm``, ``assd_mm`` (or ``…_px``).

    Raises
    ------
    InputError
        If the shapes differ or the spacing is not two positive numbers.

    Examples
    --------
    >>> list(score(np.eye(3), np.eye(3)))
    ['iou', 'dice', 'area_error', 'hausdorff_px', 'hd95_px', 'assd_px']
    """
    unit = "px" if spacing_mm is None else "mm"
    there, back = _surface_distances(mask, truth, (1.0, 1.0) if spacing_mm is None else spacing_mm)
    return {
        "iou": iou(mask, truth),
        "dice": dice(mask, truth),
        "area_error": area_error(mask, truth),
        f"hausdorff_{unit}": float(max(there.max(), back.max())),
        f"hd95_{unit}": _hd95(there, back),
        f"assd_{unit}": _assd(there, back),
    }


def known_slices(truth: Iterable[np.ndarray]) -> np.ndarray:
    """Tell of which slices the truth is known.

    One rule for every score: a truth that is empty on some slices and not on others is unknown there, as where only
    some slices of a volume were traced. Such slices are shown, and left out of means, rankings and sweeps. A truth that
    is empty on all slices counts as it is.

    Parameters
    ----------
    truth : iterable of N ndarrays of shape (H, W), bool or {0, 1}

    Returns
    -------
    ndarray of shape (N,), bool

    Examples
    --------
    >>> known_slices(np.array([[[0, 0]], [[0, 1]]])), known_slices(np.zeros((2, 3, 3)))
    (array([False,  True]), array([ True,  True]))
    """
    filled = np.array([bool(np.any(plane)) for plane in truth], bool)
    return filled if filled.any() else np.ones(filled.shape, bool)


def skipped_planes(truth_px: np.ndarray) -> np.ndarray:
    """Tell in which planes of a volume a truth breaks off: it is empty in them and large beside them.

    Where only some planes were traced, slices across another axis are known in part. A head that
    ends, as at the crown, grows small before.

    Parameters
    ----------
    truth_px : ndarray of shape (P,), int
        How many pixels of the truth lie in each of the planes, in their order.

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


def no_score(spacing_mm: tuple[float, float] | None = None) -> dict[str, float]:
    """Give the scores of a slice whose truth is unknown: NaN for each.

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
    unit = "px" if spacing_mm is None else "mm"
    distances = [f"{distance}_{unit}" for distance in ("hausdorff", "hd95", "assd")]
    return dict.fromkeys(["iou", "dice", "area_error", *distances], np.nan)


def score_slices(
    made: Iterable[np.ndarray], truth: Iterable[np.ndarray], spacing_mm: Iterable[tuple[float, float]] | None = None
) -> list[dict[str, float]]:
    """Measure the masks of many slices, each as `score` does.

    Parameters
    ----------
    made, truth : iterables of N ndarrays of shape (H, W), bool or {0, 1}
    spacing_mm : iterable of N pairs of float, optional
        Row and column spacing of every slice [mm], as in `Data`.

    Returns
    -------
    list of dict of str to float
        NaN where the truth is unknown, see `known_slices`.

    Raises
    ------
    InputError
        See `score`.

    Examples
    --------
    >>> [s["iou"] for s in score_slices(np.ones((2, 3, 3)), np.ones((2, 3, 3)))]
    [1.0, 1.0]
    """
    check_stack(made)
    check_stack(truth)
    truth = truth if isinstance(truth, np.ndarray) else list(truth)
    known = known_slices(truth)
    spacings = itertools.repeat(None, len(known)) if spacing_mm is None else spacing_mm
    scores = []
    for mask, true, spacing, is_known in zip(made, truth, spacings, known, strict=True):
        scores.append(score(mask, true, spacing) if is_known else no_score(spacing))
    return scores


def mean_scores(scores: list[dict[str, float]]) -> dict[str, float]:
    """Average every score over the slices where it is finite.

    It is NaN where the truth is unknown; distances are infinite where one mask is empty.

    Parameters
    ----------
    scores : list of dict of str to float
        As from `score_slices`; at least one.

    Returns
    -------
    dict of str to float
        Infinite where no slice has a finite one.

    Examples
    --------
    >>> mean_scores([{"iou": 1.0, "assd_px": 2.0}, {"iou": 0.0, "assd_px": np.inf}])
    {'iou': 0.5, 'assd_px': 2.0}
    """
    finite = {key: [row[key] for row in scores if np.isfinite(row[key])] for key in scores[0]}
    return {key: sum(values) / len(values) if values else np.inf for key, values in finite.items()}


def _hd95(there: np.ndarray, back: np.ndarray) -> float:
    if np.isinf(there).any():
        return np.inf
    return float(np.percentile(np.concatenate([there, back]), 95))


def _assd(there: np.ndarray, back: np.ndarray) -> float:
    return float((there.mean() + back.mean()) / 2)


def _bool(mask: np.ndarray) -> np.ndarray:
    return np.asarray(check_unmasked(mask), bool)


def _overlap(mask: np.ndarray, truth: np.ndarray) -> tuple[int, int, int]:
    """Count the pixels of the intersection, of the union and of both masks together."""
    mask, truth = _bool(mask), _bool(truth)
    if mask.shape != truth.shape:
        raise InputError(f"expected a mask and a truth of one shape, got {mask.shape} and {truth.shape}")
    both = int(np.count_nonzero(mask & truth))
    total = int(np.count_nonzero(mask)) + int(np.count_nonzero(truth))
    return both, total - both, total


def _surface_distances(
    mask: np.ndarray, truth: np.ndarray, spacing_mm: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Distances from every surface pixel of the mask to the truth's surface, and the other way round."""
    spacing = check_spacing(spacing_mm)
    mask, truth = _bool(mask), _bool(truth)
    if mask.shape != truth.shape or mask.ndim != 2:
        raise InputError(f"expected (H, W) mask and truth of one shape, got {mask.shape} and {truth.shape}")
    surfaces = [np.argwhere(m & ~ndimage.binary_erosion(m)) * spacing for m in (mask, truth)]
    if not all(len(points) for points in surfaces):
        distance = np.array([np.inf if any(len(points) for points in surfaces) else 0.0])
        return distance, distance
    trees = [KDTree(points) for points in surfaces]
    return trees[1].query(surfaces[0])[0], trees[0].query(surfaces[1])[0]
