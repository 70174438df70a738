"""Morphology in three dimensions: holes, components, balls and boxes.

Only functions of binary masks belong here, nothing that knows files or grey values.

Masks are ``(X, Y, Z)``. Voxels are neighbours where they share a face (6-connected), in the mask
as in its background.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from scipy import ndimage

from .. import masks
from ..errors import check_unmasked, check_whole

# The cost of a ball grows with the cube of its radius.
LARGEST_RADIUS_VOXELS = 50


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Fill the holes of a mask: background that is not connected to a side of the volume.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8

    Examples
    --------
    >>> shell = np.ones((3, 3, 3), np.uint8)
    >>> shell[1, 1, 1] = 0
    >>> int(fill_holes(shell).sum())
    27
    """
    labels, _ = _label_background(mask)
    outside = labels[0, 0, 0]
    filled = labels != outside
    return filled[1:-1, 1:-1, 1:-1].astype(np.uint8)


def count_holes(mask: np.ndarray) -> int:
    """Count the holes of a mask.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}

    Returns
    -------
    int

    Examples
    --------
    >>> shell = np.ones((3, 3, 3), np.uint8)
    >>> shell[1, 1, 1] = 0
    >>> count_holes(shell)
    1
    """
    _, count = _label_background(mask)
    surroundings = 1
    return count - surroundings


def _label_background(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Label the background inside a mask and, as one component, all around the volume."""
    return ndimage.label(np.pad(mask, 1) == 0)


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Keep the largest component of a mask.

    Of equally large components, the one whose first voxel comes first in C order is kept.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8
        Empty if ``mask`` is empty.

    Examples
    --------
    >>> largest_component(np.array([[[1, 0, 1, 1, 0, 1, 1]]]))
    array([[[0, 0, 1, 1, 0, 0, 0]]], dtype=uint8)
    """
    labels, count = ndimage.label(mask)
    if not count:
        return np.zeros(labels.shape, np.uint8)
    sizes = np.zeros(count + 1, np.int64)
    for plane in labels:
        sizes += np.bincount(plane.ravel(), minlength=count + 1)
    largest = 1 + np.argmax(sizes[1:])
    return (labels == largest).astype(np.uint8)


def close(mask: np.ndarray, radius: int) -> np.ndarray:
    """Close a mask with a ball: dilate, then erode.

    Beyond the sides of the volume nothing is known. Voxels there count as background for the
    dilation, and as mask for the erosion.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}
    radius : int
        Radius of the ball [voxels], 0 … 50. The ball holds every voxel at most this far from its
        centre; 0 changes nothing.

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8

    Raises
    ------
    InputError
        If the radius is not a whole number from 0 to 50.

    Examples
    --------
    >>> close(np.array([[[0, 1, 0, 1, 0, 0, 0, 1, 0]]]), 1)
    array([[[1, 1, 1, 1, 0, 0, 0, 1, 1]]], dtype=uint8)
    """
    mask = np.asarray(check_unmasked(mask), np.uint8)
    radius = check_radius(radius)
    rows = mask.shape[1]
    padded = np.pad(mask, ((0, 0), (0, radius), (0, 0)))
    gaps = 1 - dilate(padded, radius)
    gaps[:, rows:] = 0
    return 1 - dilate(gaps, radius)[:, :rows]


def check_radius(radius: int) -> int:
    """Return a closing radius if it is a whole number of voxels from 0 to 50.

    Parameters
    ----------
    radius : int
        [voxels]

    Returns
    -------
    int

    Raises
    ------
    InputError
        If it is anything else.

    Examples
    --------
    >>> check_radius(51)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected a closing radius from 0 to 50 voxels, got 51
    """
    return check_whole(radius, "closing radius", 0, LARGEST_RADIUS_VOXELS, "voxels")


def dilate(
    mask: np.ndarray,
    radius: float,
    spacing: Sequence[float] | np.ndarray = (1, 1, 1),
) -> np.ndarray:
    """Dilate a mask with a ball.

    The planes of the first axis are laid one below the other and dilated as one picture, once
    for each disc of the ball.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}
        Rows are those of the second axis. As many rows as the ball reaches must be empty at the
        end of every plane, or alike at both ends: they keep the planes apart.
    radius : float
        Radius of the ball, in the unit of ``spacing``.
    spacing : sequence of float
        Size of a voxel along each axis.

    Returns
    -------
    ndarray of shape (X, Y, Z), in the dtype of the mask
        1 where some voxel of the mask is at most ``radius`` away.

    Examples
    --------
    >>> point = np.pad(np.ones((1, 1, 1), np.uint8), 1)
    >>> int(dilate(point, 1).sum()), int(dilate(point, 1, (2, 1, 0.5)).sum())
    (7, 5)
    """
    planes = np.ascontiguousarray(mask).view(np.uint8)
    count = len(planes)
    below = planes.reshape(-1, planes.shape[2])
    grown = planes.copy()
    # A voxel at the very end is within reach, however its size was rounded.
    reach = radius * (1 + 1e-6)
    thickness, height, width = spacing
    y = _offsets(reach, height)
    z = _offsets(reach, width)
    most_planes = min(int(reach / thickness) + 1, count)
    for offset in range(most_planes):
        room = reach**2 - (offset * thickness) ** 2
        disc = y[:, None] ** 2 + z**2 <= room
        dilated: np.ndarray = cv2.dilate(below, disc.astype(np.uint8))
        wide = dilated.reshape(planes.shape)
        grown[offset:] |= wide[: count - offset]
        grown[: count - offset] |= wide[offset:]
    return grown.view(mask.dtype)


def _offsets(reach: float, size: float) -> np.ndarray:
    """Return the offsets of the voxels within reach along one axis, in the unit of the reach."""
    steps = int(reach / size)
    return np.arange(-steps, steps + 1) * size


def close_slice(
    mask: np.ndarray,
    radius: float,
    spacing: Sequence[float] | np.ndarray = (1, 1),
) -> np.ndarray:
    """Close a slice with a disc, however large.

    Beyond the frame there is background.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool or uint8 of {0, 1}
    radius : float
        Radius of the disc, in the unit of ``spacing``.
    spacing : pair of float
        Size of a pixel along each axis.

    Returns
    -------
    ndarray of shape (H, W), uint8

    Examples
    --------
    >>> close_slice(np.array([[1, 0, 1], [1, 0, 1], [1, 0, 1]]), 1.0)
    array([[1, 0, 1],
           [1, 1, 1],
           [1, 0, 1]], dtype=uint8)
    """
    closed = np.zeros(mask.shape, np.uint8)
    box = masks.bounding_box(np.asarray(mask, np.uint8))
    # The dilated mask must not reach the frame.
    margins = [(int(radius / size) + 2,) * 2 for size in spacing]
    padded = np.pad(mask[box], margins)
    if not padded.any():
        return closed
    # A pixel at the very end is within reach, however its size was rounded.
    reach = radius * (1 + 1e-6)
    dilated = ndimage.distance_transform_edt(padded == 0, sampling=spacing) <= reach
    eroded = ndimage.distance_transform_edt(dilated, sampling=spacing) > reach
    inner = tuple(slice(margin, -margin) for margin, _ in margins)
    closed[box] = eroded[inner]
    return closed


def box_around(mask: np.ndarray, margin: int = 0) -> tuple[slice, ...]:
    """Return the smallest box around a mask, widened by a margin within the volume.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z)
        Must not be empty.
    margin : int
        Voxels to add at every side, as far as the volume goes.

    Returns
    -------
    tuple of three slices

    Examples
    --------
    >>> box_around(np.pad([[[1]]], ((2, 2), (0, 0), (3, 3))), 1)
    (slice(1, 4, None), slice(0, 1, None), slice(2, 5, None))
    """
    box = []
    for axis, size in enumerate(mask.shape):
        others = tuple({0, 1, 2} - {axis})
        occupied = np.flatnonzero(mask.any(axis=others))
        start = max(int(occupied[0]) - margin, 0)
        stop = min(int(occupied[-1]) + margin + 1, size)
        box.append(slice(start, stop))
    return tuple(box)
