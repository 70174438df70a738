"""From a path to a mask: the outline in fractions of a step, its place in the image, its pixels.

How good an outline is belongs in `rating`.
"""

import cv2
import numpy as np
from scipy import ndimage

from .. import masks
from . import anatomy, grid
from .grid import Places
from .unwrapping import Unwrapped, from_centre, in_image

# An outline lies this close to the path
_OUTLINE_REACH_MM = 2.0
_OUTLINE_MEDIAN_ANGLES = 5
_OUTLINE_SIGMA_ANGLES = 2.0
# It is filled as a polygon with this many corners for every angle of the grid …
_FINE_ANGLES = 4
# … at fractions of pixels
_FRACTION_BITS = 8
# An outline leaps where it moves in or out by more than it moves on
_STEEP = 1.0
# Pixels that the polygon touches lie this close to pixels outside of it
_TOUCHING = np.ones((5, 5), np.uint8)


def half_maximum(
    brightness: np.ndarray,
    path: np.ndarray,
    cut: np.ndarray | bool = False,
) -> np.ndarray:
    """Move a path to where the brightness is halfway from scalp to bone, and smooth it.

    Parameters
    ----------
    brightness : ndarray of shape (A, D)
        See `unwrapping.Unwrapped`; what is brighter than the brain counts as bright as the brain.
    path : ndarray of shape (A,), int
    cut : ndarray of shape (A,), bool
        Where the frame cuts the head.

    Returns
    -------
    ndarray of shape (A,), float64
        Depths in fractions of steps, at most about 2 mm off ``path``. They are −1, beyond the
        frame, where the path follows the frame.

    Examples
    --------
    >>> rays = np.tile(np.float32([1, 1, 1, 1, 0.8, 0.4, 0.2, 0.2, 0.2, 0.2]), (8, 1))
    >>> half_maximum(rays, np.full(8, 5))[0].round(2)
    np.float64(4.5)
    """
    reach = grid.steps(_OUTLINE_REACH_MM)
    columns = path[:, None] + np.arange(-reach, reach + 1)
    columns = np.clip(columns, 0, brightness.shape[1] - 1)
    near = np.take_along_axis(brightness, columns, axis=1)
    near = np.minimum(near, 1)
    scalp = near[:, : reach + 1].max(axis=1, keepdims=True)
    bone = near[:, reach:].min(axis=1, keepdims=True)
    shift = _nearest_fall(near, (scalp + bone) / 2)
    shift = ndimage.median_filter(shift, _OUTLINE_MEDIAN_ANGLES, mode="wrap")
    depth = ndimage.gaussian_filter1d(path + shift, _OUTLINE_SIGMA_ANGLES, mode="wrap")
    is_frame = cut & (path < grid.steps(anatomy.MIN_SCALP_MM))
    return np.where(is_frame, -1.0, depth)


def _nearest_fall(near: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Find where each ray falls below ``half`` nearest to its middle, from there [steps]."""
    reach = near.shape[1] // 2
    offsets = np.arange(-reach, reach)
    falls = (near[:, :-1] >= half) & (near[:, 1:] < half)
    distance = np.where(falls, np.abs(offsets + 0.5), np.inf)
    nearest = distance.argmin(axis=1)[:, None]
    before = np.take_along_axis(near, nearest, axis=1)
    after = np.take_along_axis(near, nearest + 1, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = offsets[nearest] + (before - half) / (before - after)
    return np.where(falls.any(axis=1, keepdims=True), shift, 0)[:, 0]


def fill_outline(unwrapped: Unwrapped, depth: np.ndarray) -> np.ndarray:
    """Mark the pixels of the image whose centre lies inside an outline.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin [steps].

    Returns
    -------
    ndarray of shape (H, W), uint8
        Of the image's shape.

    Examples
    --------
    >>> from skullmask_lib import polar
    >>> square = np.pad(np.ones((24, 24)), 8)
    >>> unwrapped = polar.unwrap(square, (1.0, 1.0))
    >>> disc = fill_outline(unwrapped, unwrapped.skin - 10.0)  # with a radius of 5 mm
    >>> int(disc.sum())
    80
    """
    angles = np.arange(_FINE_ANGLES * grid.ANGLES) / _FINE_ANGLES  # [degrees of the grid]
    radius = np.maximum(unwrapped.skin - depth, 0)
    radius = np.interp(angles, np.arange(grid.ANGLES), radius, period=grid.ANGLES)
    filled = _fill_polygon(unwrapped, angles, radius)
    # OpenCV also fills pixels that the outline merely touches
    rows, columns = _pixels_near_edge(filled)
    y, x = from_centre(unwrapped, (rows, columns))
    pixel_angles = np.arctan2(y, x) * (grid.ANGLES / 2 / np.pi)
    limits = np.interp(pixel_angles, angles, radius, period=grid.ANGLES)
    filled[rows, columns] = np.hypot(y, x) <= limits
    return filled


def _fill_polygon(
    unwrapped: Unwrapped,
    angles: np.ndarray,
    radius: np.ndarray,
) -> np.ndarray:
    """Fill a polygon around the head's centre, and all pixels that it touches."""
    turn = angles * (2 * np.pi / grid.ANGLES)  # [radians]
    row, column = unwrapped.centre
    places = row + np.sin(turn) * radius, column + np.cos(turn) * radius
    corner_rows, corner_columns = in_image(unwrapped, places)
    corners = np.stack([corner_columns, corner_rows], axis=1)  # OpenCV's (x, y)
    corners = np.rint(corners * 2**_FRACTION_BITS).astype(np.int32)
    filled = np.zeros(unwrapped.shape, np.uint8)
    cv2.fillPoly(filled, [corners], 1, shift=_FRACTION_BITS)
    return filled


def _pixels_near_edge(mask: np.ndarray) -> Places:
    """Find the pixels of a mask that lie close to pixels outside of it: rows and columns."""
    box_rows, box_columns = masks.bounding_box(mask)
    box = mask[box_rows, box_columns]
    near_edge = box > cv2.erode(box, _TOUCHING, borderValue=0)
    # np.nonzero takes many times as long where little is marked
    rows, columns = np.unravel_index(np.flatnonzero(near_edge), near_edge.shape)
    return rows + box_rows.start, columns + box_columns.start


def leaps(unwrapped: Unwrapped, depth: np.ndarray) -> bool:
    """Check whether an outline leaps from ray to ray, so that it may not fill in one piece.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin [steps].

    Returns
    -------
    bool

    Examples
    --------
    >>> from skullmask_lib import polar
    >>> unwrapped = polar.unwrap(np.pad(np.ones((24, 24)), 8), (1.0, 1.0))
    >>> leaps(unwrapped, unwrapped.skin - 10.0), leaps(unwrapped, np.arange(polar.ANGLES) % 9)
    (False, True)
    """
    radius = unwrapped.skin - depth
    along = np.maximum(radius, 1) * 2 * np.pi / grid.ANGLES  # from ray to ray [steps]
    slope = np.abs(np.diff(radius, append=radius[0])) / along
    return bool(slope.max() > _STEEP)


def outline(unwrapped: Unwrapped, depth: np.ndarray) -> Places:
    """Locate an outline in the image.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin [steps].

    Returns
    -------
    rows, columns : ndarray of shape (ANGLES,), float64
        Fractions of pixels; whole numbers are the centres of pixels.

    Examples
    --------
    >>> from skullmask_lib import polar
    >>> square = np.pad(np.ones((24, 24)), 8)
    >>> unwrapped = polar.unwrap(square, (1.0, 1.0))
    >>> rows, columns = outline(unwrapped, unwrapped.skin - 10.0)  # a circle 10 mm wide
    >>> float(rows[90] - rows[270]), float(columns[0] - columns[180])
    (10.0, 10.0)
    """
    radii = (unwrapped.skin - depth)[:, None]
    places = grid.places_at(unwrapped.centre, radii)
    rows, columns = in_image(unwrapped, places)
    return rows[:, 0], columns[:, 0]


def without_air(unwrapped: Unwrapped, mask: np.ndarray) -> np.ndarray:
    """Remove from a mask the air that its rays cross, beside a nose or an ear, and keep one piece.

    On each side of the frame all pixels from the head's first to its last count as head, because
    the bone may be open where the frame cuts it.

    Parameters
    ----------
    unwrapped : Unwrapped
    mask : ndarray of the image's shape, uint8 of {0, 1}

    Returns
    -------
    ndarray of the image's shape, uint8 of {0, 1}

    Examples
    --------
    >>> from skullmask_lib import polar
    >>> head = np.ones((40, 40))
    >>> head[16:24, 26:] = 0  # a notch
    >>> unwrapped = polar.unwrap(np.pad(head, 8), (1.0, 1.0))
    >>> tissue = without_air(unwrapped, np.ones(unwrapped.shape, np.uint8))
    >>> tissue[28, 28:40].tolist()
    [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    """
    closed = masks.fill_holes(_closed_along_frame(unwrapped.head))
    head = grid.resized(255 * closed, *unwrapped.shape, cv2.INTER_LINEAR)
    return masks.largest_component(mask & (head > 127))


def _closed_along_frame(head: np.ndarray) -> np.ndarray:
    """Fill each side of the frame from the head's first pixel there to its last."""
    closed = head.copy()
    for side in (closed[0], closed[-1], closed[:, 0], closed[:, -1]):
        places = np.flatnonzero(side)
        if places.size:
            side[places[0] : places[-1]] = 1
    return closed
