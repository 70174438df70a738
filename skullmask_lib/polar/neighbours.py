"""What the slices of a volume say about each other: a soft prior, the odd one out, and trust.

`boundary` decides which slices are neighbours, and when to ask them.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from . import grid, rating
from .grid import Places
from .unwrapping import Unwrapped, from_centre

# --- Outlines of neighbouring slices ---
# Cost per mm beyond the neighbouring slices' outlines, up to this distance
_NEIGHBOUR_COST_PER_MM = 0.3
_MAX_NEIGHBOUR_MM = 4.0
# Outlines that differ by less on average have the same shape
_SAME_SHAPE_MM = 0.1

# --- Trust in a volume ---
# A mask fits badly whose area changes by more than this share from slice to slice, as it does
# where thick slices cut the skull at a slant
_SLANTED = 0.2
# A quality that does not fit into its volume is multiplied by this, so that it is not trusted
_LOWERING = 0.9 * rating.TRUSTED
# So many doubtful slices in a row part two stretches of trusted ones …
_GAP_SLICES = 3
# … of which one may be trusted if it is as long as this share of the longest
_VAULT_SHARE = 0.5


def neighbour_cost(
    unwrapped: Unwrapped,
    outlines: Iterable[Places],
    count: int,
) -> np.ndarray:
    """Price the distance from the outlines of neighbouring slices: a soft prior.

    Parameters
    ----------
    unwrapped : Unwrapped
    outlines : iterable of pairs of ndarray
        Rows and columns, as from `outlines.outline`, of the slices on either side.
    count : int
        Number of depths to price.

    Returns
    -------
    ndarray of shape (ANGLES, count), float64
        0 on the outlines and between them; from 4 mm off it grows no further.

    Examples
    --------
    >>> from skullmask_lib import polar
    >>> square = np.pad(np.ones((24, 24)), 8)
    >>> unwrapped = polar.unwrap(square, (1.0, 1.0))
    >>> near = polar.outline(unwrapped, np.full(polar.ANGLES, 7.0))
    >>> int(neighbour_cost(unwrapped, [near, near], 20)[0].argmin())
    7
    """
    radii = _radii_of(outlines, unwrapped)
    depths = np.arange(count)
    above = (unwrapped.skin - radii.max(axis=0))[:, None] - depths
    below = depths - (unwrapped.skin - radii.min(axis=0))[:, None]
    off_mm = grid.STEP_MM * np.maximum(np.maximum(above, below), 0)
    return _NEIGHBOUR_COST_PER_MM * np.minimum(off_mm, _MAX_NEIGHBOUR_MM)


def is_odd(
    unwrapped: Unwrapped,
    depth: np.ndarray,
    outlines: Iterable[Places],
) -> bool:
    """Check whether an outline is the odd one out beside those of its two neighbours.

    It is odd if it differs from their mean by more than they differ from each other, and by more
    than 0.1 mm. Only shape matters, not size: the same change on all rays does not count.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin [steps].
    outlines : iterable of two pairs of ndarray
        Rows and columns, as from `outlines.outline`, of the slices on either side.

    Returns
    -------
    bool

    Examples
    --------
    >>> from skullmask_lib import polar
    >>> square = np.pad(np.ones((24, 24)), 8)
    >>> unwrapped = polar.unwrap(square, (1.0, 1.0))
    >>> even = np.full(polar.ANGLES, 7.0)
    >>> dented = np.where(np.arange(polar.ANGLES) < 90, 9.0, 7.0)
    >>> is_odd(unwrapped, dented, [polar.outline(unwrapped, even)] * 2)
    True
    >>> is_odd(unwrapped, even, [polar.outline(unwrapped, even), polar.outline(unwrapped, dented)])
    False
    """
    before, after = _radii_of(outlines, unwrapped)
    radius = unwrapped.skin - depth
    apart_mm = _unlikeness_mm(before, after)
    off_mm = _unlikeness_mm(radius, (before + after) / 2)
    return off_mm > max(apart_mm, _SAME_SHAPE_MM)


def _radii_of(outlines: Iterable[Places], unwrapped: Unwrapped) -> np.ndarray:
    """Measure how far outlines lie from the centre of a head, at every angle [steps]."""
    turn = 2 * np.pi
    radii = []
    for places in outlines:
        y, x = from_centre(unwrapped, places)
        angle = np.arctan2(y, x) % turn
        radius = np.hypot(y, x)
        radii.append(np.interp(grid.angles(), angle, radius, period=turn))
    return np.array(radii)


def _unlikeness_mm(radius: np.ndarray, other: np.ndarray) -> float:
    """Measure how much two outlines differ in shape, whatever their size."""
    difference = radius - other
    return grid.STEP_MM * float(np.abs(difference - np.median(difference)).mean())


def volume_qualities(areas_px: Sequence[int], qualities: Sequence[float]) -> np.ndarray:
    """Lower to below `rating.TRUSTED` the quality of masks that do not fit into their volume.

    Two kinds of masks do not fit. Near the vertex the skull is cut at a slant, so that the area
    changes fast from slice to slice. Where several slices in a row are doubtful, the ring of bone
    is open, as below the orbits; a stretch of trusted slices that they cut off is doubtful, too,
    unless it is at least half as long as the longest one.

    Parameters
    ----------
    areas_px : sequence of int
        The masks' areas, in the order of the slices.
    qualities : sequence of float
        0 … 1, as from `rating.quality`.

    Returns
    -------
    ndarray of shape (N,), float64
        A quality that is lowered stays below `rating.TRUSTED`, and the order of those lowered
        remains.

    Examples
    --------
    >>> areas_px = [900, 900, 900, 900, 900, 900, 900, 850, 600, 300]
    >>> qualities = [0.4, 0.1, 0.2, 0.1, 0.5, 0.5, 0.6, 0.6, 0.6, 0.6]
    >>> volume_qualities(areas_px, qualities).round(2).tolist()
    [0.13, 0.1, 0.2, 0.1, 0.5, 0.5, 0.6, 0.6, 0.19, 0.19]
    """
    quality = np.array(qualities, float)
    is_slanted = _is_slanted(np.asarray(areas_px))
    is_trusted = (quality >= rating.TRUSTED) & ~is_slanted
    is_cut_off = is_trusted & ~_is_in_vault(is_trusted)
    return np.where(is_slanted | is_cut_off, _LOWERING * quality, quality)


def _is_slanted(areas_px: np.ndarray) -> np.ndarray:
    """Mark the slices at which the area of the masks grows fast, or shrinks fast, on both sides.

    Slices without a mask are passed over. A single slice that is larger or smaller than both its
    neighbours is none of these, and neither are they.
    """
    is_slanted = np.zeros(len(areas_px), bool)
    places = np.flatnonzero(areas_px)
    if len(places) > 1:
        areas = areas_px[places].astype(float)
        changes = np.diff(areas) / np.diff(places)
        before = np.concatenate([changes[:1], changes])
        after = np.concatenate([changes, changes[-1:]])
        is_one_way = np.sign(before) == np.sign(after)
        change = np.minimum(np.abs(before), np.abs(after))
        is_slanted[places] = is_one_way & (change > _SLANTED * areas)
    return is_slanted


def _is_in_vault(is_trusted: np.ndarray) -> np.ndarray:
    """Mark the longest stretch of slices to be trusted, and those that are nearly as long."""
    in_vault = np.zeros(len(is_trusted), bool)
    places = np.flatnonzero(is_trusted)
    is_gap = np.diff(places) > _GAP_SLICES
    stretches = np.split(places, np.flatnonzero(is_gap) + 1)
    longest = max(map(len, stretches))
    for stretch in stretches:
        if 0 < len(stretch) >= _VAULT_SHARE * longest:
            in_vault[stretch] = True
    return in_vault
