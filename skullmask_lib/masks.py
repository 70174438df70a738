"""Primitives that versions share: arrays in, a new array out, no input changed.

What only v8 and v9 need is in `polar`; a later version gets a module of its own. Images are
``(H, W)``, rows before columns. A mask may come as bool or {0, 1}; those returned are ``uint8`` of
{0, 1}. Components are 8-connected, background is 4-connected, and foreground is strictly above a
threshold.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from .errors import (
    InputError,
    check_binary,
    check_slice,
    check_unmasked,
    check_values,
    check_whole,
)


def normalize(image: np.ndarray) -> np.ndarray:
    """Stretch a slice linearly to 0 … 255 and truncate.

    Parameters
    ----------
    image : ndarray of shape (H, W), bool, integer or float
        Computed in the float precision of the input, integers in float64.

    Returns
    -------
    ndarray of shape (H, W), uint8
        ``(x − min) / (max − min) · 255``, truncated; zeros where the slice is flat.

    Raises
    ------
    InputError
        If the slice holds NaN or infinite values, or is not ``(H, W)``.

    Examples
    --------
    >>> normalize(np.array([[1.0, 2.0], [3.0, 5.0]]))
    array([[  0,  63],
           [127, 255]], dtype=uint8)
    """
    return _normalized(check_slice(image))


def normalize_values(values: np.ndarray) -> np.ndarray:
    """Stretch values of any number of axes as `normalize` does those of a slice.

    Parameters
    ----------
    values : ndarray, bool, integer or float
        At least one; for example a volume.

    Returns
    -------
    ndarray of the same shape, uint8
        See `normalize`.

    Raises
    ------
    InputError
        If there are no values, or if some are NaN or infinite.

    Examples
    --------
    >>> normalize_values(np.array([1.0, 2.0, 3.0, 5.0]))
    array([  0,  63, 127, 255], dtype=uint8)
    """
    values = _check_values_of_any_shape(values)
    check_values(values)
    return _normalized(values)


def _normalized(values: np.ndarray) -> np.ndarray:
    """Stretch checked values to 0 … 255 and truncate."""
    if values.dtype.kind != "f":
        values = values.astype(np.float64)
    low = values.min()
    high = values.max()
    if low == high:
        return np.zeros(values.shape, np.uint8)
    with np.errstate(over="ignore"):
        overflows = np.isinf(high - low)
    if overflows:  # halving is exact, and then the range fits
        values = values / 2
        low = low / 2
        high = high / 2
    return ((values - low) / (high - low) * 255).astype(np.uint8)


def otsu_threshold(gray: np.ndarray) -> int:
    """Find the grey level that best splits a histogram into two classes.

    Parameters
    ----------
    gray : ndarray of shape (H, W), uint8

    Returns
    -------
    int
        Foreground is ``gray > threshold``; 0 for a flat slice.

    Raises
    ------
    InputError
        If ``gray`` is not a ``uint8`` slice.

    References
    ----------
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
    Systems, Man, and Cybernetics 9(1):62–66, 1979, doi:10.1109/TSMC.1979.4310076. The
    implementation is OpenCV's.

    Examples
    --------
    >>> otsu_threshold(np.array([[10, 10, 12], [200, 210, 200]], np.uint8))
    12
    """
    return otsu_of_values(check_slice(gray))


def otsu_of_values(values: np.ndarray) -> int:
    """Find the grey level that best splits values of any number of axes, see `otsu_threshold`.

    Parameters
    ----------
    values : ndarray, uint8
        At least one; for example a volume, or the pixels inside of a mask.

    Returns
    -------
    int
        Foreground is ``values > threshold``; 0 if all values are equal.

    Raises
    ------
    InputError
        If there are no values, or if they are not ``uint8``.

    Examples
    --------
    >>> otsu_of_values(np.array([10, 10, 12, 200, 210, 200], np.uint8))
    12
    """
    values = _check_values_of_any_shape(values)
    if values.dtype != np.uint8:
        raise InputError(f"expected uint8 values (see normalize), got dtype {values.dtype}")
    in_a_row = values.reshape(1, -1)
    threshold, _ = cv2.threshold(in_a_row, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return int(threshold)


def label_components(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the 8-connected components of a mask.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool or {0, 1}

    Returns
    -------
    labels : ndarray of shape (H, W), int32
        0 is background, components are 1 … n in OpenCV's order.
    areas_px : ndarray of shape (n + 1,), int64
        Number of pixels of each label, background first.

    Raises
    ------
    InputError
        If ``mask`` holds several values beside 0, or is not ``(H, W)``.

    Examples
    --------
    >>> mask = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]], np.uint8)
    >>> labels, areas_px = label_components(mask)
    >>> areas_px
    array([9, 2, 1])
    """
    count, labels = cv2.connectedComponents(_checked(mask), connectivity=8)
    return labels, np.bincount(labels.ravel(), minlength=count)


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Keep the largest 8-connected component.

    Among equally large ones the lowest OpenCV label wins.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool or {0, 1}

    Returns
    -------
    ndarray of shape (H, W), uint8
        Empty if ``mask`` is.

    Raises
    ------
    InputError
        If ``mask`` holds several values beside 0, or is not ``(H, W)``.

    Examples
    --------
    >>> largest_component(np.array([[1, 0, 1], [0, 0, 1]], np.uint8))
    array([[0, 0, 1],
           [0, 0, 1]], dtype=uint8)
    """
    return largest_of(*label_components(mask))


def largest_of(labels: np.ndarray, areas_px: np.ndarray) -> np.ndarray:
    """Keep the largest of the components that `label_components` has numbered.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int32
    areas_px : ndarray of shape (n + 1,), int64

    Returns
    -------
    ndarray of shape (H, W), uint8
        Empty if there is no component. Among equally large ones the lowest label wins.

    Examples
    --------
    >>> largest_of(np.array([[1, 0, 2], [0, 0, 2]]), np.array([3, 1, 2]))
    array([[0, 0, 1],
           [0, 0, 1]], dtype=uint8)
    """
    if len(areas_px) == 1:
        return np.zeros(labels.shape, np.uint8)
    largest = 1 + areas_px[1:].argmax()
    return (labels == largest).astype(np.uint8)


def touches_edge(labels: np.ndarray) -> np.ndarray:
    """Find the labels that touch the frame of the image.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int
        0 is background.

    Returns
    -------
    ndarray of shape (labels.max() + 1,), bool
        Entry k belongs to label k; the background's entry is False.

    Examples
    --------
    >>> touches_edge(np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]]))
    array([False,  True, False])
    """
    touching = np.zeros(labels.max() + 1, bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touching[side] = True
    touching[0] = False
    return touching


def flood(
    passable: np.ndarray,
    seeds: Iterable[tuple[int, int]],
) -> np.ndarray:
    """Flood from some pixels through passable ones, 4-connected.

    Parameters
    ----------
    passable : ndarray of shape (H, W), bool or {0, 1}
    seeds : iterable of (row, column)
        Where the flood starts, if those pixels are passable; negative numbers count from the end.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 where the flood arrives.

    Raises
    ------
    InputError
        If ``passable`` holds several values beside 0 or is not ``(H, W)``, or if a seed lies
        outside of it.

    Examples
    --------
    >>> walls = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]])
    >>> flood(walls == 0, [(0, -1)])
    array([[0, 0, 1, 1],
           [0, 0, 0, 1],
           [0, 0, 1, 1]], dtype=uint8)
    """
    wet = np.array(_checked(passable), order="C")  # a copy, since floodFill writes into it
    height, width = wet.shape
    for row, column in seeds:
        row = check_whole(row, "row of a seed", -height, height - 1)
        column = check_whole(column, "column of a seed", -width, width - 1)
        if wet[row, column] == 1:
            seed = column % width, row % height  # OpenCV's (x, y)
            cv2.floodFill(wet, None, seed, 2, flags=4)
    return (wet == 2).astype(np.uint8)


def flood_from_edges(passable: np.ndarray) -> np.ndarray:
    """Flood from the whole frame through passable pixels, 4-connected.

    Parameters
    ----------
    passable : ndarray of shape (H, W), bool or {0, 1}

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 where the flood arrives.

    Raises
    ------
    InputError
        If ``passable`` holds several values beside 0, or is not ``(H, W)``.

    Examples
    --------
    >>> walls = np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]])
    >>> flood_from_edges(walls == 0)
    array([[1, 0, 1, 1],
           [0, 0, 0, 1],
           [1, 0, 1, 1]], dtype=uint8)
    """
    with_ring = np.pad(_checked(passable), 1, constant_values=1)
    wet = flood(with_ring, [(0, 0)])
    return np.ascontiguousarray(wet[1:-1, 1:-1])


def bounding_box(mask: np.ndarray, margin_px: int = 0) -> tuple[slice, slice]:
    """Find the rows and the columns that a mask or the labels of a slice take up.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool or int
        All values beside 0 count.
    margin_px : int
        Pixels to add on every side, as far as the frame allows.

    Returns
    -------
    rows, columns : slice
        Empty if ``mask`` is.

    Examples
    --------
    >>> mask = np.array([[0, 0, 0, 0], [0, 0, 1, 1]], np.uint8)
    >>> bounding_box(mask)
    (slice(1, 2, None), slice(2, 4, None))
    >>> bounding_box(mask, margin_px=1)
    (slice(0, 2, None), slice(1, 4, None))
    """
    marked = np.asarray(mask) != 0
    _check_is_slice(marked)
    left, top, width, height = cv2.boundingRect(marked.view(np.uint8))
    if not width:
        return slice(0, 0), slice(0, 0)
    frame_rows, frame_columns = marked.shape
    first_row = max(top - margin_px, 0)
    first_column = max(left - margin_px, 0)
    rows = slice(first_row, min(top + height + margin_px, frame_rows))
    columns = slice(first_column, min(left + width + margin_px, frame_columns))
    return rows, columns


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Fill the holes: background that is not 4-connected to the frame.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool or {0, 1}

    Returns
    -------
    ndarray of shape (H, W), uint8

    Raises
    ------
    InputError
        If ``mask`` holds several values beside 0, or is not ``(H, W)``.

    Examples
    --------
    >>> fill_holes(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint8))
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]], dtype=uint8)
    """
    mask = _checked(mask)
    filled = np.zeros_like(mask)
    box = bounding_box(mask)  # no hole lies outside of it
    if not mask[box].size:
        return filled
    filled[box] = 1 - flood_from_edges(mask[box] == 0)
    return filled


def dilate(mask: np.ndarray, size: int) -> np.ndarray:
    """Dilate once with an elliptical structuring element.

    The mask grows by about half of ``size``. An element of even width has no centre pixel: OpenCV
    anchors it at ``size // 2``, so the mask grows one pixel further down and right than up and
    left.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool or {0, 1}
    size : int
        Width and height of the element [px], 1 … shorter side of the mask; 1 changes nothing.

    Returns
    -------
    ndarray of shape (H, W), uint8

    Raises
    ------
    InputError
        If ``size`` is not a whole number in that range, or if ``mask`` holds several values beside
        0 or is not ``(H, W)``.

    Examples
    --------
    >>> dilate(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.uint8), 3)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]], dtype=uint8)
    """
    mask = _checked(mask)
    shorter_side = min(mask.shape)
    size = check_whole(size, "dilation size", 1, shorter_side, "px (the shorter side)")
    grown = np.zeros_like(mask)
    window = bounding_box(mask, size)  # nothing changes outside of it
    if not mask[window].size:
        return grown
    for rectangle, anchor in _rectangles(size):
        grown[window] |= cv2.dilate(mask[window], rectangle, anchor=anchor)
    return grown


def _checked(mask: np.ndarray) -> np.ndarray:
    """Convert a mask of one slice to ``uint8`` of {0, 1}, as OpenCV needs it; refuse others."""
    mask = check_binary(mask)
    _check_is_slice(mask)
    if not mask.size:
        raise InputError(f"expected an (H, W) mask with at least one pixel, got shape {mask.shape}")
    return mask


def _check_values_of_any_shape(values: np.ndarray) -> np.ndarray:
    """Refuse an array with masked values, or without values."""
    values = np.asarray(check_unmasked(values))
    if not values.size:
        raise InputError(f"expected at least one value, got shape {values.shape}")
    return values


def _check_is_slice(mask: np.ndarray) -> None:
    if mask.ndim != 2:
        raise InputError(f"expected one (H, W) mask, got shape {mask.shape}")


def _rectangles(size: int) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    """Split an ellipse into rectangles, since OpenCV dilates by those several times faster.

    The ellipse is their union. Yields each rectangle and its anchor, in OpenCV's (x, y).
    """
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    widths = element.sum(axis=1)
    for width in np.unique(widths):
        rows = np.flatnonzero(widths >= width)
        left = element[widths == width][0].argmax()
        anchor = int(size // 2 - left), int(size // 2 - rows[0])
        yield np.ones((rows.size, width), np.uint8), anchor
