"""What software draws around an image (bright frames, boxes of zeros) and how it is painted over.

Only `polar` needs this, before it looks for the head. Nothing here knows what a head looks like.
Images come with their brightness scaled to about 0 … 1, so every constant is a share of that range.
"""

from typing import NamedTuple

import numpy as np

_EVEN = 0.1  # a line whose brightness varies by less is even
_FAINT = 0.02  # a box of zeros differs from its noisy surroundings by less
_RIM_SHARE = 0.05  # at most this share of a rim may have the value of the box around it
_FRAME_PARTS = 20  # a frame is at most this part of the side wide, a twentieth …
_MIN_FRAME_PX = 3  # … or this wide
_MOST_OF_LINE = 0.9  # a frame is bright and even along this share of a line; tissue hardly is
_SAMPLE_EVERY = 3  # pixels, to find a frame and the background beside it
_BLUR_PX = 8  # JPEG blurs a frame over one of its blocks


class _Border(NamedTuple):
    """The lines of a border, one for each side that has a border."""

    outermost: list[np.ndarray]
    innermost: list[np.ndarray]


def paint_over_border(image: np.ndarray) -> None:
    """Paint over what is drawn around an image, in place.

    A frame is painted over with the background beside it, and a box of zeros with the background
    that it surrounds, if that background is plain.

    Parameters
    ----------
    image : ndarray of shape (H, W), float
        Brightness, scaled so that nearly all of it lies in 0 … 1.

    Examples
    --------
    >>> slice_ = np.pad(np.eye(12), 2)
    >>> framed = np.pad(slice_, 3, constant_values=1.0)
    >>> paint_over_border(framed)
    >>> np.array_equal(framed, np.pad(slice_, 3))
    True
    """
    for quarter in range(4):
        side = np.rot90(image, quarter)  # a view whose first rows lie along one side
        _paint_frame_along(side)
    rows, columns = _inside_even_lines(image)
    inside = image[rows, columns]
    if inside.size in (0, image.size):
        return
    border = _border_around(image, rows, columns)
    outermost = _median_of_medians(border.outermost)
    innermost = _median_of_medians(border.innermost)
    rim = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
    quartiles = np.percentile(rim, (25, 50, 75))
    is_frame = innermost > quartiles[1] + _EVEN
    is_box = _is_plain(quartiles - innermost) and np.mean(rim == innermost) <= _RIM_SHARE
    background = quartiles[1] if is_frame or is_box else innermost
    sides = (
        image[: rows.start],
        image[rows.stop :],
        image[rows, : columns.start],
        image[rows, columns.stop :],
    )
    for side in sides:
        _paint_over(side, outermost, background)


def _paint_over(side: np.ndarray, box: float, background: float) -> None:
    """Paint over what differs from the background in one side of a border, in place."""
    is_box_drawn = abs(box - background) > _FAINT
    if not side.size or (_is_near(side, background) and not is_box_drawn):
        return
    drawn = np.abs(side - background) > _EVEN
    if is_box_drawn:
        drawn |= side == box
    side[drawn] = background


def _is_near(side: np.ndarray, background: float) -> bool:
    """Check that a side is nowhere far brighter or darker than the background."""
    return side.max() - background <= _EVEN and background - side.min() <= _EVEN


def _paint_frame_along(side: np.ndarray) -> None:
    """Paint over a bright frame in the first rows of ``side``, in place.

    Lossy formats make its lines uneven, and blur it.
    """
    depth = max(_MIN_FRAME_PX, len(side) // _FRAME_PARTS)
    if len(side) <= depth:
        return
    background = np.median(side[depth : 2 * depth : _SAMPLE_EVERY, ::_SAMPLE_EVERY])
    bright_shares = np.mean(side[:depth, ::_SAMPLE_EVERY] > background + _EVEN, axis=1)
    bright_lines = np.flatnonzero(bright_shares > _MOST_OF_LINE)
    if not bright_lines.size:
        return
    percentiles = (100 - 100 * _MOST_OF_LINE, 100 * _MOST_OF_LINE)
    low, high = np.percentile(side[bright_lines], percentiles, axis=1)
    lines = bright_lines[high - low < 2 * _EVEN]
    if not lines.size:
        return
    end = lines[-1] + 1
    side[:end] = background
    blurred = side[end : end + _BLUR_PX]
    blurred[np.abs(blurred - background) < 2 * _EVEN] = background


def _inside_even_lines(image: np.ndarray) -> tuple[slice, slice]:
    """Find the rows and columns that remain when even lines are peeled off all four sides."""
    height, width = image.shape
    rows = slice(0, height)
    columns = slice(0, width)
    while True:
        peeled_rows = _uneven(image[rows, columns], rows.start)
        peeled_columns = _uneven(image[peeled_rows, columns].T, columns.start)
        if (peeled_rows, peeled_columns) == (rows, columns):
            return rows, columns
        if peeled_columns.stop == 0:
            return slice(0, 0), slice(0, 0)
        rows = peeled_rows
        columns = peeled_columns


def _uneven(lines: np.ndarray, start: int) -> slice:
    """Find the lines from the first uneven one to the last; the first line has number ``start``."""
    if not lines.size:
        return slice(0, 0)
    outermost = np.ptp(lines[[0, -1]], axis=1)
    if outermost.min() > _EVEN:  # nothing to peel off, as in most images
        return slice(start, start + len(lines))
    uneven = np.flatnonzero(np.ptp(lines, axis=1) > _EVEN)
    if not uneven.size:
        return slice(0, 0)
    return slice(start + int(uneven[0]), start + int(uneven[-1]) + 1)


def _border_around(
    image: np.ndarray,
    rows: slice,
    columns: slice,
) -> _Border:
    """Collect the outermost and the innermost line of the border on each side that has one."""
    height, width = image.shape
    border = _Border([], [])
    if rows.start > 0:
        border.outermost.append(image[0])
        border.innermost.append(image[rows.start - 1, columns])
    if rows.stop < height:
        border.outermost.append(image[-1])
        border.innermost.append(image[rows.stop, columns])
    if columns.start > 0:
        border.outermost.append(image[:, 0])
        border.innermost.append(image[rows, columns.start - 1])
    if columns.stop < width:
        border.outermost.append(image[:, -1])
        border.innermost.append(image[rows, columns.stop])
    return border


def _median_of_medians(lines: list[np.ndarray]) -> float:
    return np.median([np.median(line) for line in lines])


def _is_plain(above_box: np.ndarray) -> bool:
    """Check whether a background is even and faint, by how far its quartiles lie above a box."""
    lower, middle, upper = above_box
    is_faint = middle <= 2 * _EVEN
    is_even = upper - lower <= _EVEN
    return bool(is_faint and is_even)
