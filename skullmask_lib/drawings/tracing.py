"""The figures of the tracer: the unwrapped head with the traced points, and the slice beside it.

What the points come to as an outline is decided here, too, so that lines and masks agree.
"""

from typing import Any

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator

from .. import plots, polar
from ..errors import Spacing
from ..plots import Picture, in_look

# Angles at which a point can be set, clockwise from the right
POINTS = 24
# The deepest place that can be traced below the skin
DEEPEST_MM = 24.0
# Of the unwrapped head: a column for each point
COLUMN_DOTS = 32
HEIGHT_DOTS = 288
# An outline needs so many points
FEWEST_POINTS = 3
_RAYS = polar.ANGLES // POINTS  # in a column
_DEPTHS = round(DEEPEST_MM / polar.STEP_MM)
_LIMITS = 0.0, 1.5  # 1 is the brain's brightness
_POINT_DOTS = 5
_WHITE = (255, 255, 255)


def outline_of(points_mm: np.ndarray) -> np.ndarray | None:
    """Lay an outline through the points that are set.

    Parameters
    ----------
    points_mm : ndarray of shape (POINTS,)
        Below the skin; 0 is not set.

    Returns
    -------
    ndarray of shape (ANGLES,), or None
        Below the skin [mm], at every angle; None if too few points are set.

    Examples
    --------
    >>> points_mm = np.zeros(POINTS)
    >>> points_mm[[0, 8, 16]] = 4.0, 6.0, 4.0
    >>> outline_of(points_mm)[[0, 60, 120]]
    array([4., 5., 6.])
    """
    is_set = np.flatnonzero(points_mm)
    if is_set.size < FEWEST_POINTS:
        return None
    angles = _RAYS * is_set
    around = np.concatenate([angles - polar.ANGLES, angles, angles + polar.ANGLES])
    depths_mm = np.tile(points_mm[is_set], 3)
    return PchipInterpolator(around, depths_mm)(np.arange(polar.ANGLES))


def mask_of(head: polar.Unwrapped, points_mm: np.ndarray) -> np.ndarray:
    """Fill the outline through the points that are set.

    Parameters
    ----------
    head : Unwrapped
    points_mm : ndarray of shape (POINTS,)
        See `outline_of`.

    Returns
    -------
    ndarray of shape (H, W), uint8 of {0, 1}
        Empty if too few points are set.

    Examples
    --------
    >>> disc = np.hypot(*np.ogrid[-50:51, -50:51]) < 45
    >>> head = polar.unwrap(disc, (2.0, 2.0))
    >>> mask = mask_of(head, np.full(POINTS, 20.0))  # 10 px
    >>> round(np.sqrt(mask.sum() / np.pi))
    36
    """
    outline_mm = outline_of(points_mm)
    if outline_mm is None:
        return np.zeros(head.shape, np.uint8)
    # A sample is the middle of the step that is drawn for it
    return polar.fill_outline(head, outline_mm / polar.STEP_MM - 0.5)


def strip_pixels(
    head: polar.Unwrapped,
    points_mm: np.ndarray,
    *,
    with_points: bool = False,
) -> np.ndarray:
    """Draw the unwrapped head, and the outline through the points that are set.

    Parameters
    ----------
    head : Unwrapped
    points_mm : ndarray of shape (POINTS,)
        See `outline_of`.
    with_points : bool
        Draw the points, too, for a picture without sliders on it.

    Returns
    -------
    ndarray of shape (HEIGHT_DOTS, POINTS * COLUMN_DOTS, 3), uint8
        The column of each point is centred on its angle.

    Examples
    --------
    >>> head = polar.unwrap(np.hypot(*np.ogrid[-50:51, -50:51]) < 45, (2.0, 2.0))
    >>> strip_pixels(head, np.zeros(POINTS)).shape
    (288, 768, 3)
    """
    size = POINTS * COLUMN_DOTS, HEIGHT_DOTS
    half_column = _RAYS // 2
    rays = np.roll(head.brightness[:, :_DEPTHS], half_column, axis=0)
    outline_mm = outline_of(points_mm)
    path = None
    if outline_mm is not None:
        path = np.roll(outline_mm, half_column) / polar.STEP_MM
    pixels = plots.polar_pixels(size, rays, _LIMITS, path, kind="mask")
    if with_points:
        for place in np.flatnonzero(points_mm):
            x = round((place + 0.5) * COLUMN_DOTS)
            y = round(points_mm[place] * HEIGHT_DOTS / DEEPEST_MM)
            cv2.circle(pixels, (x, y), _POINT_DOTS, _WHITE, cv2.FILLED, cv2.LINE_AA)
    return pixels


@in_look
def slice_picture(
    image: np.ndarray,
    mask: np.ndarray,
    alt: str,
    *,
    spacing_mm: Spacing | None = None,
) -> Picture:
    """Draw a slice as it is, and with the outline of a mask.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    mask : ndarray of shape (H, W), uint8 of {0, 1}
    alt : str
        See `picture`.
    spacing_mm : (float, float), optional
        See `plots.slice_panel`.

    Returns
    -------
    Picture
        With the mask.

    Examples
    --------
    >>> slice_picture(np.eye(9), np.eye(9, dtype=np.uint8), "a diagonal").alt
    'a diagonal'
    """
    look: dict[str, Any] = {"window": plots.head_window(image), "spacing_mm": spacing_mm}
    fig, frames = plots.panels(1, 1)
    plots.slice_panel(fig, frames[0], image, "the slice", **look)
    plots.slice_panel(fig, frames[1], image, "your outline", outlined={"mask": mask}, **look)
    return plots.picture(fig, alt, mask=mask)


def below_each_other(strip: np.ndarray, picture: Picture) -> Picture:
    """Put the unwrapped head above the slices, for where no kernel runs.

    Parameters
    ----------
    strip : ndarray
        From `strip_pixels`.
    picture : Picture
        From `slice_picture`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> picture = slice_picture(np.eye(9), np.eye(9, dtype=np.uint8), "a diagonal")
    >>> below_each_other(np.zeros((100, 768, 3), np.uint8), picture).pixels.shape
    (484, 880, 3)
    """
    width = picture.pixels.shape[1]
    margin = width - strip.shape[1]
    padding = ((0, 0), (margin // 2, margin - margin // 2), (0, 0))
    padded = np.pad(strip, padding, constant_values=255)
    pixels = np.concatenate([padded, picture.pixels])
    return Picture(pixels, picture.alt, picture.mask)
