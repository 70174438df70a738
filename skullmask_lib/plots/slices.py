"""Slices on Axes: shown in grey, outlined, compared with the truth, and cut to the head."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from .pixels import (
    PAINT_OPACITY,
    WHITE_PERCENTILE,
    contours,
    errors,
    grey_limits,
    grey_of,
    paint,
)
from .style import COLOURS, in_look, rim

_OUTLINE_POINTS = 1.4
# A dark rim on both sides keeps an outline visible on bright tissue
_RIM_POINTS = 0.5


@in_look
def show(
    axes: Axes,
    image: np.ndarray,
    title: str = "",
    *,
    white_percentile: float = WHITE_PERCENTILE,
) -> Axes:
    """Show a slice in grey, its brightest pixels clipped so that the rest can be seen.

    Parameters
    ----------
    axes : Axes
    image : ndarray of shape (H, W) or (H, W, 3)
    title : str
    white_percentile : float
        Percentile that is drawn white.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from skullmask_lib import plots
    >>> show(plots.figure()[1][0], np.eye(3), "identity").get_title()
    'identity'
    """
    low, high = grey_limits(image, white_percentile)
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="antialiased")
    return bare_axes(axes, title)


def bare_axes(axes: Axes, title: str) -> Axes:
    """Leave nothing but a title; axes that are only switched off double the time of layout."""
    axes.set_title(title)
    axes.set_axis_off()
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    return axes


@in_look
def outline(
    axes: Axes,
    mask: np.ndarray,
    kind: str = "truth",
    *,
    colour: str | None = None,
) -> Axes:
    """Draw the outline of a mask over a slice.

    Parameters
    ----------
    axes : Axes
    mask : ndarray of shape (H, W), {0, 1}
    kind : str
        A key of `COLOURS`.
    colour : str, optional
        Instead of that of the kind.

    Returns
    -------
    Axes

    Examples
    --------
    >>> from skullmask_lib import plots
    >>> axes = outline(plots.figure()[1][0], np.pad(np.ones((2, 2)), 2), "mask")
    """
    lines = LineCollection(
        contours(mask),
        colors=[COLOURS[kind] if colour is None else colour],
        linewidths=_OUTLINE_POINTS,
        path_effects=rim(_OUTLINE_POINTS + 2 * _RIM_POINTS),
    )
    axes.add_collection(lines, autolim=False)
    return axes


@in_look
def compare(
    axes: Axes,
    image: np.ndarray,
    mask: np.ndarray,
    truth: np.ndarray,
    title: str = "",
) -> Axes:
    """Compare a mask with the truth: over-reach and misses are painted, the truth is outlined.

    Parameters
    ----------
    axes : Axes
    image : ndarray of shape (H, W)
    mask, truth : ndarray of shape (H, W), {0, 1}
    title : str

    Returns
    -------
    Axes

    Examples
    --------
    >>> from skullmask_lib import plots
    >>> compare(plots.figure()[1][0], np.eye(4), np.eye(4), np.ones((4, 4)), "a mask").get_title()
    'a mask'
    """
    painted = paint(grey_of(image), errors(mask, truth), PAINT_OPACITY)
    axes.imshow(painted, interpolation="antialiased")
    return outline(bare_axes(axes, title), truth)


def head_window(
    image: np.ndarray,
    *,
    margin: float = 0.08,
) -> tuple[slice, slice]:
    """Find the window around what is bright: the head.

    Parameters
    ----------
    image : ndarray of shape (H, W)
        A slice or a mask.
    margin : float
        Added on every side, as a fraction of the window.

    Returns
    -------
    rows, columns : slice
        Inside of the slice; all of it where nothing is bright.

    Examples
    --------
    >>> head_window(np.pad(np.ones((10, 10)), 20), margin=0.1)
    (slice(19, 31, None), slice(19, 31, None))
    """
    low, high = grey_limits(image)
    bright = image > low + 0.05 * (high - low)
    rows = np.any(bright, axis=1)
    columns = np.any(bright, axis=0)
    return _range_of(rows, margin), _range_of(columns, margin)


def _range_of(is_bright: np.ndarray, margin: float) -> slice:
    """Find the range of lines from the first bright one to the last, with a margin."""
    count = is_bright.size
    lines = np.flatnonzero(is_bright)
    if not lines.size:
        return slice(0, count)
    first = int(lines[0])
    stop = int(lines[-1]) + 1
    extra = round(margin * (stop - first))
    return slice(max(first - extra, 0), min(stop + extra, count))


def zoom(
    axes: Iterable[Axes],
    image: np.ndarray,
    *,
    margin: float = 0.08,
) -> None:
    """Show only the head.

    Parameters
    ----------
    axes : iterable of Axes
        All get the same window.
    image, margin
        See `head_window`.

    Examples
    --------
    >>> from skullmask_lib import plots
    >>> fig, axes = plots.figure()
    >>> zoom(axes, np.pad(np.ones((10, 10)), 20), margin=0.1)
    >>> [float(limit) for limit in axes[0].get_xlim()]
    [18.5, 30.5]
    """
    rows, columns = head_window(image, margin=margin)
    left_right = columns.start - 0.5, columns.stop - 0.5
    bottom_top = rows.stop - 0.5, rows.start - 0.5
    for one in axes:
        one.set(xlim=left_right, ylim=bottom_top)
