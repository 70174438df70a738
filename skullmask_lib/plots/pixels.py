"""Slices and masks as pixels: grey, painted over, and outlined, without Axes."""

from collections.abc import Iterable

import cv2
import numpy as np
from contourpy import contour_generator

from .. import masks
from .style import rgb

WHITE_PERCENTILE = 99.5
PAINT_OPACITY = 0.65
_OUTLINE_DOTS = 2
# A dark rim on both sides keeps an outline visible on bright tissue
_RIM_DOTS = 1
_OUTLINE_COATS = 3
# OpenCV draws lines at places in sixteenths of a dot
_SHIFT_BITS = 4


def grey_limits(
    image: np.ndarray,
    white_percentile: float = WHITE_PERCENTILE,
) -> tuple[float, float]:
    """Find what is drawn black and white: the minimum, and a percentile of every few pixels.

    White is the maximum where so few pixels are bright that the percentile would hide them. Pixels
    that are not finite are left out.
    """
    low = float(image.min())
    highest = float(image.max())
    if not np.isfinite((low, highest)).all():
        finite = image[np.isfinite(image)]
        return grey_limits(finite[None], white_percentile) if finite.size else (0.0, 1.0)
    step = max(min(image.shape[:2]) // 256, 1)
    sample = image[::step, ::step].astype(float)
    high = float(np.percentile(sample, white_percentile))
    if high > low:
        return low, high
    if highest > low:
        return low, highest
    if low > 0:  # a flat image is white, or black if it is at 0 or below
        return 0.0, low
    return low, low + 1.0


def grey_of(image: np.ndarray) -> np.ndarray:
    """Scale a slice to grey, its brightest pixels clipped as in `show`.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    ndarray of shape (H, W), float
        0 … 1; 0 where a pixel is NaN.

    Examples
    --------
    >>> grey_of(np.array([[0, 5, 10]])).round(1).tolist()
    [[0.0, 0.5, 1.0]]
    """
    low, high = grey_limits(image)
    return np.clip(np.nan_to_num((image - low) / (high - low)), 0, 1)


def errors(
    mask: np.ndarray,
    truth: np.ndarray,
) -> dict[str, np.ndarray]:
    """Find where a mask reaches too far and where it misses.

    Parameters
    ----------
    mask, truth : ndarray of shape (H, W), {0, 1}

    Returns
    -------
    dict of str to ndarray of shape (H, W), uint8 of {0, 1}
        Keys of `COLOURS`.

    Examples
    --------
    >>> errors(np.array([[1, 1, 0]]), np.array([[0, 1, 1]]))
    {'over-reach': array([[1, 0, 0]], dtype=uint8), 'miss': array([[0, 0, 1]], dtype=uint8)}
    """
    mask = np.asarray(mask, bool)
    truth = np.asarray(truth, bool)
    over_reach = mask & ~truth
    miss = truth & ~mask
    return {"over-reach": over_reach.view(np.uint8), "miss": miss.view(np.uint8)}


def paint(
    gray: np.ndarray,
    kinds: dict[str, np.ndarray],
    opacity: float,
) -> np.ndarray:
    """Turn grey of 0 … 1 into colours, and paint kinds over it where they cover it; uint8.

    A cover of 1 or more, such as 255, is whole; less lets the grey through.
    """
    bright = (255 * gray).astype(np.float32)
    colour = np.repeat(bright[..., None], 3, axis=2)
    for kind, cover in kinds.items():
        where = cover > 0
        share = opacity * np.minimum(cover[where], 1)[:, None]
        paint = np.array(rgb(kind), np.float32)
        colour[where] += share * (paint - colour[where])
    return colour.astype(np.uint8)


def contours(mask: np.ndarray) -> list[np.ndarray]:
    """Trace the outlines of a mask, halfway between its pixels and the others, as (x, y)."""
    mask = (np.asarray(mask) > 0).astype(np.uint8)
    rows, columns = masks.bounding_box(mask)
    part = mask[rows, columns].astype(np.float32)
    if not part.size:
        return []
    lines = contour_generator(z=np.pad(part, 1)).lines(0.5)
    corner = np.array((columns.start - 1, rows.start - 1))
    return [line + corner for line in lines]


def draw_rims(gray: np.ndarray, lines: Iterable[np.ndarray], *, closed: bool) -> None:
    """Darken grey of 0 … 1 beside lines, in place; paint comes over it, so it hides no error."""
    thickness = _OUTLINE_DOTS + 2 * _RIM_DOTS
    cv2.polylines(gray, _shifted(lines), closed, 0.0, thickness, shift=_SHIFT_BITS)


def draw_lines(
    pixels: np.ndarray,
    lines: Iterable[np.ndarray],
    kind: str,
    *,
    closed: bool,
) -> None:
    """Draw smooth lines into pixels, in place; lines are (P, 2) of OpenCV's (x, y).

    A smooth line of one dot is a faint one of two; drawn over itself it becomes a clear one. The
    next thickness would be four dots, and hide thin errors.
    """
    colour = rgb(kind)
    points = _shifted(lines)
    for _ in range(_OUTLINE_COATS):
        cv2.polylines(pixels, points, closed, colour, 1, cv2.LINE_AA, shift=_SHIFT_BITS)


def _shifted(lines: Iterable[np.ndarray]) -> list[np.ndarray]:
    return [(line * 2**_SHIFT_BITS).round().astype(np.int32) for line in lines]
