"""Figures in one look. `figure` gives Axes to draw on; `panels` only places images, and is faster.

What draws images, masks, curves and tables of scores lives here; what a lesson asks, and so which
picture it needs, is in `views`. Nothing here loads data or makes masks.
"""

import base64
import contextlib
import io
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import NamedTuple

import cv2
import matplotlib as mpl
import numpy as np
from contourpy import contour_generator
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke
from matplotlib.transforms import Transform
from nibabel.affines import voxel_sizes
from PIL import Image

from . import polar
from .errors import InputError
from .sweeps import Sweep
from .texts import plain

STYLE = mpl.rc_params_from_file(
    Path(__file__).with_name("skullmask.mplstyle"), use_default_template=False
)
# One colour for one role, in every figure; they stay apart for colour-blind readers.
COLOURS = {
    # on slices
    "truth": "#F0E442",
    "mask": "#E69F00",
    "over-reach": "#C8102E",
    "miss": "#0072B2",
    "scalp": "#CC79A7",
    "path": "#56B4E9",
    "brain": "#009E73",
    "doubtful": "#00E5FF",
    # where two masks are compared with each other
    "first alone": "#99FF99",
    "second alone": "#7733FF",
    # in plots
    "measured": "#222222",
    "published": "#8A63D2",
    "baseline": "#8C8C8C",
}

# Of a figure of panels: the strip below them for the key, and the space beside a slice
_KEY_DOTS = 30
_GAP_DOTS = 8
_TITLE_DOTS = 18  # a line
_TITLE_GAP_DOTS = 6
_LARGE_TITLE_POINTS = 16
_LARGE_TITLE_DOTS = 32
PANELS_WIDTH_IN = 11.0
WIDTH_LABEL = "width of the structuring element [px]"
SCORE_NAMES = {"iou": "IoU", "dice": "Dice"}
_WHITE_PERCENTILE = 99.5
PAINT_OPACITY = 0.65
_OUTLINE_POINTS = 1.4
# A dark rim on both sides keeps an outline visible on bright tissue
_RIM_POINTS = 0.5
_OUTLINE_DOTS = 2
_RIM_DOTS = 1
_OUTLINE_COATS = 3
# OpenCV draws lines at places in sixteenths of a dot
_SHIFT_BITS = 4
_BLACK = (0, 0, 0)
# Volumes are drawn with at most so many dots along their longest side
_LONGEST_SIDE_DOTS = 1024


def _look() -> dict[str, object]:
    """Join matplotlib's defaults and the project's style, without what changes no picture."""
    settings = dict(mpl.rcParamsDefault)
    for name in ("backend", "backend_fallback", "interactive"):
        settings.pop(name, None)
    return settings | dict(STYLE)


_LOOK = _look()


@contextlib.contextmanager
def look() -> Iterator[None]:
    """Draw with matplotlib's defaults and the project's style, whatever the user's settings.

    Examples
    --------
    >>> with mpl.rc_context({"text.usetex": True}), look():
    ...     mpl.rcParams["text.usetex"]
    False
    """
    different = {}
    for name, value in _LOOK.items():
        if mpl.rcParams[name] != value:
            different[name] = value
    if not different:  # rc_context is slow
        yield
        return
    with mpl.rc_context(different):
        yield


def in_look(draw: Callable) -> Callable:
    """Make a function draw within `look`."""

    @wraps(draw)
    def drawn(*args, **options):
        with look():
            return draw(*args, **options)

    return drawn


@dataclass(frozen=True)
class Picture:
    """A finished figure: what notebooks show, explorers redraw and reports embed.

    Attributes
    ----------
    pixels : ndarray of shape (H, W, 3), uint8
    alt : str
        What it shows, for those who cannot see it. Also its text in a notebook, which tests
        compare.
    mask : ndarray of shape (H, W), uint8 of {0, 1}, or None
        The skull mask it shows, where it shows one.
    call : str
        Python that makes ``mask`` from ``image``, with this library as ``sm``.
    """

    pixels: np.ndarray
    alt: str
    mask: np.ndarray | None = None
    call: str = ""

    @property
    def png(self) -> bytes:
        """The picture as PNG in 256 colours, which keeps stored notebooks small."""
        five_bits = self.pixels & 0b11111000
        colours = Image.fromarray(five_bits | five_bits >> 5)
        few = colours.quantize(
            256,
            method=Image.Quantize.MAXCOVERAGE,
            kmeans=1,
            dither=Image.Dither.NONE,
        )
        stream = io.BytesIO()
        few.save(stream, "PNG")
        return stream.getvalue()

    @property
    def jpeg(self) -> bytes:
        """The picture as JPEG, for a moving slider: it takes 2 ms, a PNG 10 or more."""
        blue_green_red = self.pixels[..., ::-1]
        settings = [
            cv2.IMWRITE_JPEG_QUALITY,
            95,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ]
        _, encoded = cv2.imencode(".jpg", blue_green_red, settings)
        return encoded.tobytes()

    def _repr_mimebundle_(self, **_):
        data = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}


@in_look
def figure(
    columns: int = 1,
    rows: int = 1,
    *,
    width: float = 11.0,
    height: float = 4.2,
) -> tuple[Figure, np.ndarray]:
    """Start a figure in the project's style, without pyplot and its global state.

    Parameters
    ----------
    columns, rows : int
    width, height : float
        In inches; 80 dots each.

    Returns
    -------
    figure : Figure
    axes : ndarray of shape (rows * columns,) of Axes

    Examples
    --------
    >>> fig, axes = figure(3)
    >>> len(axes)
    3
    """
    fig = Figure(figsize=(width, height))
    FigureCanvasAgg(fig)
    return fig, fig.subplots(rows, columns, squeeze=False).ravel()


class Frame(NamedTuple):
    """The place of a panel in a figure, below its title [dots]."""

    left: int
    bottom: int
    width: int
    height: int


class Plot(NamedTuple):
    """A plot that is drawn once and shown often: its pixels, and how data map to dots in it.

    Marks begin at the foot of its lowest axes, so many dots above the bottom.
    """

    pixels: np.ndarray
    to_dots: Transform
    foot: int = 0


@in_look
def panels(
    *widths: float,
    height: float = 4.8,
    lines: int = 1,
) -> tuple[Figure, list[Frame]]:
    """Start a figure that is drawn again and again, several times as fast as one of `figure`.

    It has no axes. `slice_panel` sets slices into it, `plot_panel` plots that were drawn before.
    Nothing moves from picture to picture.

    Parameters
    ----------
    *widths : float
        Relative widths of the panels, from left to right.
    height : float
        In inches; the width is 11.
    lines : int
        Number of lines of the titles.

    Returns
    -------
    figure : Figure
    frames : list of Frame

    Examples
    --------
    >>> panels(1, 3)[1]
    [Frame(left=0, bottom=30, width=220, height=330), Frame(left=220, bottom=30, width=660, ...)]
    """
    fig = Figure(figsize=(PANELS_WIDTH_IN, height), layout="none")
    FigureCanvasAgg(fig)
    width_dots, height_dots = _size_dots(fig)
    ends = np.cumsum((0, *widths)) / sum(widths) * width_dots
    lefts = ends.round().astype(int).tolist()
    top = int(height_dots) - _TITLE_GAP_DOTS - _TITLE_DOTS * lines
    frames = []
    for left, right in itertools.pairwise(lefts):
        frames.append(Frame(left, _KEY_DOTS, right - left, top - _KEY_DOTS))
    return fig, frames


def _size_dots(fig: Figure) -> np.ndarray:
    """Return width and height of a figure [dots]."""
    return fig.dpi * fig.get_size_inches()


@in_look
def plot(
    frame: Frame,
    draw: Callable[[np.ndarray], object],
    *,
    rows: int = 1,
) -> Plot:
    """Draw axes once, as large as a frame, to be shown by `plot_panel`.

    Parameters
    ----------
    frame : Frame
    draw : callable
        Takes the axes, from top to bottom, and draws on them.
    rows : int
        Number of axes.

    Returns
    -------
    Plot
        It maps the data of the first axes.

    Examples
    --------
    >>> plot(panels(1, 3)[1][0], lambda axes: axes[0].plot([0, 1])).pixels.shape
    (330, 220, 3)
    """
    dpi = STYLE["figure.dpi"]
    fig, axes = figure(1, rows, width=frame.width / dpi, height=frame.height / dpi)
    draw(axes)
    pixels = picture(fig, "").pixels
    foot = round(axes[-1].get_window_extent().y0)
    return Plot(pixels, axes[0].transData.frozen(), foot)


@in_look
def plot_panel(
    fig: Figure,
    frame: Frame,
    shown: Plot,
    title: str = "",
    *,
    marks: Iterable[tuple[float, float | None]] = (),
) -> None:
    """Set a plot into a frame of `panels`, with marks on it.

    Parameters
    ----------
    fig, frame
        From `panels`.
    shown : Plot
    title : str
    marks : iterable of (x, y)
        Each draws a line at x, and a dot at y if that is not None.

    Examples
    --------
    >>> fig, (frame,) = panels(1)
    >>> line = plot(frame, lambda axes: axes[0].plot([0, 1]))
    >>> plot_panel(fig, frame, line, "a line", marks=[(0.5, 0.5)])
    """
    pixels = shown.pixels.copy()
    for x, y in marks:
        column, _ = _dot_at(shown, x, 0)
        foot = len(pixels) - shown.foot
        cv2.line(pixels, (column, foot), (column, 0), _BLACK, thickness=2)
        if y is not None:
            cv2.circle(pixels, _dot_at(shown, x, y), 5, _BLACK, cv2.FILLED, cv2.LINE_AA)
    fig.figimage(pixels, frame.left, frame.bottom, origin="upper")
    _title(fig, frame, title)


def _dot_at(shown: Plot, x: float, y: float) -> tuple[int, int]:
    """Find the dot of a plot that shows some data, in OpenCV's (x, y)."""
    right, up = shown.to_dots.transform((x, y)).round().astype(int).tolist()
    return right, len(shown.pixels) - up


@in_look
def slice_panel(
    fig: Figure,
    frame: Frame,
    image: np.ndarray,
    title: str = "",
    *,
    window: tuple[slice, slice] = (slice(None), slice(None)),
    kinds: dict[str, np.ndarray] | None = None,
    outlined: dict[str, np.ndarray] | None = None,
    opacity: float = PAINT_OPACITY,
    white_percentile: float = _WHITE_PERCENTILE,
) -> None:
    """Set a slice into a frame of `panels`, with regions painted over it and others outlined.

    Parameters
    ----------
    fig, frame
        From `panels`.
    image : ndarray of shape (H, W)
    title : str
    window : pair of slice
        Rows and columns to show, see `head_window`.
    kinds, outlined : dict of str to ndarray of shape (H, W), {0, 1}
        Regions to paint over the slice, and masks to outline; each by a key of `COLOURS`.
    opacity : float
        Of the paint, 0 … 1.
    white_percentile : float
        Percentile that is drawn white.

    Examples
    --------
    >>> fig, (frame,) = panels(1)
    >>> slice_panel(fig, frame, np.eye(4), "identity", kinds={"brain": np.eye(4)})
    """
    low, high = grey_limits(image, white_percentile)
    rows, columns = image[window].shape
    factor = min((frame.width - 2 * _GAP_DOTS) / columns, frame.height / rows)
    width = max(1, round(factor * columns))
    height = max(1, round(factor * rows))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST

    def fitted(values: np.ndarray) -> np.ndarray:
        part = np.asarray(values[window], np.float32)
        return cv2.resize(part, (width, height), interpolation=method)

    with np.errstate(over="ignore", invalid="ignore"):  # the range may be too large for a float
        scaled = (image.astype(float) - low) / (high - low)
        gray = np.clip(np.nan_to_num(fitted(scaled)), 0, 1)
    covers = {kind: fitted(region) for kind, region in (kinds or {}).items()}
    top_left = np.array([window[1].start or 0, window[0].start or 0])  # OpenCV's (x, y)
    outlines = {}
    for kind, mask in (outlined or {}).items():
        outlines[kind] = [(line + 0.5 - top_left) * factor - 0.5 for line in _contours(mask)]
        _draw_rims(gray, outlines[kind], closed=True)
    colour = paint(gray, covers, opacity)
    for kind, lines in outlines.items():
        _draw_lines(colour, lines, kind, closed=True)
    left = frame.left + (frame.width - width) // 2
    bottom = frame.bottom + frame.height - height
    fig.figimage(colour, left, bottom, origin="upper")
    _title(fig, frame, title)


def _draw_rims(gray: np.ndarray, lines: Iterable[np.ndarray], *, closed: bool) -> None:
    """Darken grey of 0 … 1 beside lines, in place; paint comes over it, so it hides no error."""
    thickness = _OUTLINE_DOTS + 2 * _RIM_DOTS
    cv2.polylines(gray, _shifted(lines), closed, 0.0, thickness, shift=_SHIFT_BITS)


def _draw_lines(
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
    colour = _rgb(kind)
    points = _shifted(lines)
    for _ in range(_OUTLINE_COATS):
        cv2.polylines(pixels, points, closed, colour, 1, cv2.LINE_AA, shift=_SHIFT_BITS)


def _shifted(lines: Iterable[np.ndarray]) -> list[np.ndarray]:
    return [(line * 2**_SHIFT_BITS).round().astype(np.int32) for line in lines]


def _title(fig: Figure, frame: Frame, title: str) -> None:
    middle = frame.left + frame.width / 2
    top = frame.bottom + frame.height + _TITLE_GAP_DOTS
    place = np.divide((middle, top), _size_dots(fig))
    lines = map(plain, title.split("\n"))
    fig.text(*place, "\n".join(lines), ha="center", size=STYLE["axes.titlesize"])


def stacked(frames: Sequence[Frame], rows: int) -> list[Frame]:
    """Split frames into rows, with room for a large title above each.

    Parameters
    ----------
    frames : sequence of Frame
        From `panels` with ``lines=0``.
    rows : int

    Returns
    -------
    list of Frame
        Row by row from the top.

    Examples
    --------
    >>> stacked([Frame(left=0, bottom=30, width=220, height=400)], 2)
    [Frame(left=0, bottom=230, width=220, height=168), Frame(left=0, bottom=30, width=220, ...)]
    """
    split = []
    for row in reversed(range(rows)):
        for frame in frames:
            height = frame.height // rows
            bottom = frame.bottom + row * height
            split.append(Frame(frame.left, bottom, frame.width, height - _LARGE_TITLE_DOTS))
    return split


@in_look
def large_title(fig: Figure, frame: Frame, title: str) -> None:
    """Write a title above a frame of `stacked` that can be read from the back of a room.

    Parameters
    ----------
    fig, frame
    title : str

    Examples
    --------
    >>> fig, frames = panels(1, lines=0)
    >>> large_title(fig, stacked(frames, 1)[0], "1 normalise")
    """
    middle = frame.left + frame.width / 2
    top = frame.bottom + frame.height + _TITLE_GAP_DOTS
    place = np.divide((middle, top), _size_dots(fig))
    fig.text(*place, plain(title), ha="center", size=_LARGE_TITLE_POINTS)


def paint(
    gray: np.ndarray,
    kinds: dict[str, np.ndarray],
    opacity: float,
) -> np.ndarray:
    """Turn grey of 0 … 1 into colours, and paint kinds over it where they cover it; uint8."""
    bright = (255 * gray).astype(np.float32)
    colour = np.repeat(bright[..., None], 3, axis=2)
    for kind, cover in kinds.items():
        where = cover > 0
        share = opacity * cover[where][:, None]
        paint = np.array(_rgb(kind), np.float32)
        colour[where] += share * (paint - colour[where])
    return colour.astype(np.uint8)


def _rgb(kind: str) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in to_rgb(COLOURS[kind]))


def _contours(mask: np.ndarray) -> list[np.ndarray]:
    """Trace the outlines of a mask, halfway between its pixels and the others, as (x, y)."""
    mask = np.asarray(mask, np.uint8)
    x, y, columns, rows = cv2.boundingRect(mask)
    if not columns:
        return []
    part = mask[y : y + rows, x : x + columns].astype(np.float32)
    lines = contour_generator(z=np.pad(part, 1)).lines(0.5)
    corner = np.array((x - 1, y - 1))
    return [line + corner for line in lines]


@in_look
def picture(
    fig: Figure,
    alt: str,
    *,
    mask: np.ndarray | None = None,
    call: str = "",
) -> Picture:
    """Render a figure.

    Parameters
    ----------
    fig : Figure
    alt : str
        What it shows, in words and numbers.
    mask, call
        See `Picture`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> picture(figure()[0], "an empty pair of axes")._repr_mimebundle_()[0]["text/plain"]
    'an empty pair of axes'
    """
    with warnings.catch_warnings():
        # Names may be in scripts that the font lacks
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        fig.canvas.draw()
    pixels = np.asarray(fig.canvas.buffer_rgba())[..., :3]
    return Picture(pixels.copy(), alt, mask, call)


@in_look
def row_of_slices(
    shown: Sequence[Mapping[str, object]],
    alt: str,
    *,
    kinds: Sequence[str] = (),
    height: float = 4.8,
    lines: int = 1,
) -> Picture:
    """Draw slices side by side, with one key for all of them.

    Parameters
    ----------
    shown : sequence of mapping
        For each slice what `slice_panel` takes after the frame, by name: ``image``, ``title``, …
    alt : str
        See `picture`.
    kinds : sequence of str
        Keys of `COLOURS` to explain below the slices.
    height, lines
        See `panels`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> row_of_slices([{"image": np.eye(4), "title": "identity"}], "a diagonal").alt
    'a diagonal'
    """
    fig, frames = panels(*[1] * len(shown), height=height, lines=lines)
    for frame, options in zip(frames, shown, strict=True):
        slice_panel(fig, frame, **options)
    if kinds:
        key(fig, kinds)
    return picture(fig, alt)


@in_look
def show(
    axes: Axes,
    image: np.ndarray,
    title: str = "",
    *,
    white_percentile: float = _WHITE_PERCENTILE,
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
    >>> show(figure()[1][0], np.eye(3), "identity").get_title()
    'identity'
    """
    low, high = grey_limits(image, white_percentile)
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="antialiased")
    return bare_axes(axes, title)


def grey_limits(
    image: np.ndarray,
    white_percentile: float = _WHITE_PERCENTILE,
) -> tuple[float, float]:
    """Find what is drawn black and white: the minimum, and a percentile of every few pixels."""
    step = max(min(image.shape[:2]) // 256, 1)
    sample = image[::step, ::step].astype(float)
    low = float(image.min())
    high = float(np.percentile(sample, white_percentile))
    if high > low:
        return low, high
    if low > 0:  # a flat image is white, or black if it is at 0 or below
        return low - abs(low), low
    return low, low + 1.0


def gray_of(image: np.ndarray) -> np.ndarray:
    """Scale a slice to grey, its brightest pixels clipped as in `show`.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    ndarray of shape (H, W), float
        0 … 1

    Examples
    --------
    >>> gray_of(np.array([[0, 5, 10]])).round(1).tolist()
    [[0.0, 0.5, 1.0]]
    """
    low, high = grey_limits(image)
    return np.clip((image - low) / (high - low), 0, 1)


def bare_axes(axes: Axes, title: str) -> Axes:
    """Leave nothing but a title; axes that are only switched off double the time of layout."""
    axes.set_title(title)
    axes.set_axis_off()
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    return axes


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
    return _range_of(bright.any(axis=1), margin), _range_of(bright.any(axis=0), margin)


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
    >>> fig, axes = figure()
    >>> zoom(axes, np.pad(np.ones((10, 10)), 20), margin=0.1)
    >>> [float(limit) for limit in axes[0].get_xlim()]
    [18.5, 30.5]
    """
    rows, columns = head_window(image, margin=margin)
    left_right = columns.start - 0.5, columns.stop - 0.5
    bottom_top = rows.stop - 0.5, rows.start - 0.5
    for one in axes:
        one.set(xlim=left_right, ylim=bottom_top)


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
    >>> axes = outline(figure()[1][0], np.pad(np.ones((2, 2)), 2), "mask")
    """
    lines = LineCollection(
        _contours(mask),
        colors=[COLOURS[kind] if colour is None else colour],
        linewidths=_OUTLINE_POINTS,
        path_effects=rim(_OUTLINE_POINTS + 2 * _RIM_POINTS),
    )
    axes.add_collection(lines, autolim=False)
    return axes


def rim(points: float, colour: str = "black") -> list[AbstractPathEffect]:
    """Give the path effects that put a rim around lines or text, to keep them visible.

    Parameters
    ----------
    points : float
        Width of a line with its rim on both sides.
    colour : str
        Of the rim.

    Returns
    -------
    list of AbstractPathEffect

    Examples
    --------
    >>> line = figure()[1][0].axhline(0, path_effects=rim(4))
    """
    return [Stroke(linewidth=points, foreground=colour), Normal()]


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
    >>> compare(figure()[1][0], np.eye(4), np.eye(4), np.ones((4, 4)), "a mask").get_title()
    'a mask'
    """
    painted = paint(gray_of(image), errors(mask, truth), PAINT_OPACITY)
    axes.imshow(painted, interpolation="antialiased")
    return outline(bare_axes(axes, title), truth)


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


@in_look
def key(
    fig: Figure,
    kinds: Sequence[str] = ("over-reach", "miss", "truth"),
) -> None:
    """Explain the colours once, below a figure.

    Parameters
    ----------
    fig : Figure
    kinds : sequence of str
        Keys of `COLOURS`.

    Examples
    --------
    >>> key(figure()[0])
    """
    if fig.get_layout_engine():
        _legend(fig, kinds)
    else:
        strip = _key_pixels(tuple(kinds))
        width_dots, _ = _size_dots(fig)
        left = (width_dots - strip.shape[1]) // 2
        fig.figimage(strip, left, 0, origin="upper")


def _legend(fig: Figure, kinds: Sequence[str]) -> None:
    patches = [Patch(color=COLOURS[kind], label=kind) for kind in kinds]
    fig.legend(
        handles=patches,
        loc="outside lower center",
        ncols=len(patches),
        frameon=False,
        fontsize=11,
    )


@lru_cache
@in_look
def _key_pixels(kinds: tuple[str, ...]) -> np.ndarray:
    """Draw a key once; it takes longer than the rest of a figure of `panels`."""
    fig, (axes,) = figure(width=2.2 * len(kinds), height=_KEY_DOTS / STYLE["figure.dpi"])
    axes.remove()
    _legend(fig, kinds)
    return picture(fig, "").pixels


@in_look
def histogram(
    axes: Axes,
    gray: np.ndarray,
    thresholds: dict[str, float] | None = None,
) -> Axes:
    """Draw the histogram of a normalised slice with thresholds on it.

    Parameters
    ----------
    axes : Axes
    gray : ndarray of shape (H, W), uint8
    thresholds : dict of str to float, optional
        Name to grey level.

    Returns
    -------
    Axes

    Examples
    --------
    >>> histogram(figure()[1][0], np.zeros((2, 2), np.uint8), {"Otsu": 23}).get_xlabel()
    'grey level, 0 … 255'
    """
    counts = np.bincount(gray.ravel(), minlength=256)
    axes.stairs(np.log10(1 + counts), np.arange(257) - 0.5, fill=True, color="0.6")
    lines = itertools.cycle([("measured", "-"), ("published", "--"), ("baseline", ":")])
    for name, level in (thresholds or {}).items():
        kind, style = next(lines)
        label = f"{name}: {level:.0f}"
        axes.axvline(level, color=COLOURS[kind], linestyle=style, label=label)
    digits = len(str(counts.max()))
    ticks = 100 ** np.arange((digits + 1) // 2)
    axes.set_yticks(np.log10(1 + ticks), [f"{tick:,}" for tick in ticks])
    axes.set(xlabel="grey level, 0 … 255", ylabel="pixels", xlim=(-1, 256))
    if thresholds:
        axes.legend(loc="upper right")
    return axes


PolarPicture = tuple[np.ndarray, tuple[float, float], np.ndarray | None, str]


def polar_plot(frame: Frame, shown: Sequence[PolarPicture]) -> Plot:
    """Draw polar pictures of a head one above the other.

    Angles run to the right, depth below the skin downwards.

    Parameters
    ----------
    frame : Frame
    shown : sequence of (values, limits, path, title)
        Values (angles, depths), one every `polar.STEP_MM`; the values that are drawn black and
        white; the depths (angles,) of a line [steps], or None; a title.

    Returns
    -------
    Plot

    Examples
    --------
    >>> diagonal = np.eye(360, 96), (0, 1), None, "a diagonal"
    >>> polar_plot(panels(1, 1)[1][0], [diagonal]).pixels.shape
    (330, 440, 3)
    """
    titles = tuple((title, values.shape[1]) for values, _, _, title in shown)
    labelled, boxes = _polar_axes(frame, titles)
    pixels = labelled.pixels.copy()
    for (values, limits, path, _), box in zip(shown, boxes, strict=True):
        rows = slice(box.top, box.top + box.height)
        columns = slice(box.left, box.left + box.width)
        pixels[rows, columns] = polar_pixels((box.width, box.height), values, limits, path)
    return Plot(pixels, labelled.to_dots)


class _Box(NamedTuple):
    """The inside of axes [dots]."""

    left: int
    top: int
    width: int
    height: int


def polar_pixels(
    size: tuple[int, int],
    values: np.ndarray,
    limits: tuple[float, float],
    path: np.ndarray | None = None,
    *,
    kind: str = "path",
) -> np.ndarray:
    """Draw a polar picture without axes, and a line over it.

    Parameters
    ----------
    size : tuple of int
        Width and height [dots].
    values, limits, path
        See `polar_plot`.
    kind : str
        Of the line, a key of `COLOURS`.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8

    Examples
    --------
    >>> polar_pixels((2, 3), np.eye(360, 96), (0, 1)).shape
    (3, 2, 3)
    """
    width, height = size
    low, high = limits
    gray = np.clip((values.T - low) / (high - low), 0, 1).astype(np.float32)
    fitted = 255 * cv2.resize(gray, size)
    pixels = cv2.cvtColor(fitted.astype(np.uint8), cv2.COLOR_GRAY2RGB)
    if path is not None:
        x = (np.arange(path.size) + 0.5) * width / path.size
        y = path * height / values.shape[1]
        _draw_lines(pixels, [np.stack([x, y], axis=1)], kind, closed=False)
    return pixels


@lru_cache
@in_look
def _polar_axes(
    frame: Frame,
    titles: tuple[tuple[str, int], ...],
) -> tuple[Plot, list[_Box]]:
    """Draw the axes of `polar_plot` once, since that takes longer than what goes into them.

    Titles come with the number of depths. Returns the boxes inside of the axes, too.
    """
    drawn = []

    def draw(axes: np.ndarray) -> None:
        for one, (title, depths) in zip(axes, titles, strict=True):
            one.set(
                title=title,
                xlim=(0, polar.ANGLES),
                ylim=(polar.STEP_MM * depths, 0),
                ylabel="below the skin [mm]",
            )
            one.set_xticks(range(0, polar.ANGLES + 1, 90))
        axes[-1].set_xlabel("angle [degrees], clockwise from the right")
        drawn.extend(axes)

    labelled = plot(frame, draw, rows=len(titles))
    height = len(labelled.pixels)
    boxes = []
    for one in drawn:
        inside = one.get_window_extent()
        sides = (inside.x0, height - inside.y1, inside.width, inside.height)
        boxes.append(_Box(*map(round, sides)))
    return labelled, boxes


@in_look
def sweep_curve(
    axes: Axes,
    result: Sweep,
    *,
    score: str = "iou",
    label: str = "measured",
    linestyle: str = "-",
) -> Axes:
    """Draw a score against the dilation width: each slice and their mean; with IoU the best width.

    Parameters
    ----------
    axes : Axes
    result : Sweep
    score : {"iou", "dice"}
    label, linestyle : str
        Of the mean.

    Returns
    -------
    Axes

    Examples
    --------
    >>> scores = np.array([[0.8, 0.9, 0.8]])
    >>> sweep_curve(figure()[1][0], Sweep(np.array([24, 26, 28]), scores, scores)).get_ylabel()
    'IoU'
    """
    values = getattr(result, score)
    look = {"color": COLOURS["measured"], "linestyle": linestyle}
    axes.plot(result.sizes, values.T, alpha=0.25, linewidth=1.2, **look)
    axes.plot(result.sizes, values.mean(axis=0), label=label, **look)
    if score == "iou":  # the width is chosen by it
        look = {"color": COLOURS["baseline"], "linestyle": ":", "linewidth": 1.8}
        axes.axvline(result.best_size, label=f"best mean: {result.best_size} px", **look)
    axes.set(xlabel=WIDTH_LABEL, ylabel=SCORE_NAMES[score])
    return axes


@in_look
def sweep_picture(result: Sweep) -> Picture:
    """Draw a whole sweep: IoU and Dice against the width.

    Parameters
    ----------
    result : Sweep

    Returns
    -------
    Picture

    Examples
    --------
    >>> scores = np.array([[0.8, 0.9, 0.8]])
    >>> sweep_picture(Sweep(np.array([24, 26, 28]), scores, scores)).alt
    'IoU and Dice against the dilation width, 24 to 28 px; the mean IoU is highest, 0.9000, at ...'
    """
    fig, axes = figure(1, width=9)
    sweep_curve(axes[0], result, label="IoU")
    sweep_curve(axes[0], result, score="dice", label="Dice", linestyle="--")
    axes[0].set_ylabel("mean score, thin: each slice")
    axes[0].legend()
    widths = f"{result.sizes[0]} to {result.sizes[-1]} px"
    best_iou = result.iou.mean(axis=0).max()
    best = f"the mean IoU is highest, {best_iou:.4f}, at {result.best_size} px"
    return picture(fig, f"IoU and Dice against the dilation width, {widths}; {best}.")


@in_look
def ladder_picture(rows: Sequence[tuple]) -> Picture:
    """Draw the ladder: published, phantom and other seeds side by side for every version.

    Parameters
    ----------
    rows : sequence of tuple
        From `sweeps.phantom_ladder`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> ladder_picture([("v1", 0.73, 0.7309, 0.0009, 0.7349, "by construction")]).alt
    'Mean IoU, published and on the phantom: v1 0.73 and 0.73.'
    """
    fig, (axes,) = figure(width=11, height=3.8)
    places = np.arange(len(rows))
    bars = (
        (-0.27, 1, "published", "published", None),
        (0.0, 2, "measured", "phantom", None),
        (0.27, 4, "measured", "other seeds", "///"),
    )
    for shift, column, kind, label, hatch in bars:
        heights = [row[column] for row in rows]
        look = {"color": COLOURS[kind], "label": label, "fill": hatch is None, "hatch": hatch}
        drawn = axes.bar(places + shift, heights, 0.26, **look)
        axes.bar_label(drawn, list(map(_two_digits, heights)), fontsize=10, padding=2)
    axes.set_xticks(places, list(map(_ladder_label, rows)), fontsize=10)
    axes.set(ylabel="mean IoU", ylim=(0, 1.12))
    fig.legend(loc="outside upper center", ncols=3, frameon=False)
    scores = []
    for version, published, phantom, *_ in rows:
        scores.append(f"{version} {_two_digits(published) or 'nothing'} and {phantom:.2f}")
    return picture(fig, f"Mean IoU, published and on the phantom: {', '.join(scores)}.")


def _ladder_label(row: tuple) -> str:
    """Write a version and its agreement one below the other, split at commas."""
    version, agreement = row[0], row[5]
    return "\n".join([version, *agreement.split(", ")])


def _two_digits(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"


@in_look
def class_picture(
    counts: Mapping[str, int],
    what: str = "slices",
) -> Picture:
    """Draw how many of a data set belong to each class.

    Parameters
    ----------
    counts : mapping of str to int
        By the name of the class, as from `cohorts.class_counts`.
    what : str
        What was counted.

    Returns
    -------
    Picture

    Examples
    --------
    >>> class_picture({"no tumour": 2556, "tumour": 1373}).alt
    'slices: no tumour 2556 (65 %), tumour 1373 (35 %)'
    """
    counts = dict(counts.items())  # it may be a Series
    whole = sum(counts.values())
    names = list(counts)
    shares = [f"{count} ({100 * count / whole:.0f} %)" for count in counts.values()]
    fig, (axes,) = figure(height=1.3 + 0.5 * len(counts))
    bars = axes.barh(names, list(counts.values()), color=COLOURS["measured"], height=0.6)
    axes.bar_label(bars, shares, padding=5)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(xlabel=what, title=f"{whole} {what}")
    classes = ", ".join(map(" ".join, zip(names, shares, strict=True)))
    return picture(fig, f"{what}: {classes}")


@in_look
def three_planes(
    volume: np.ndarray,
    affine: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    doubtful: np.ndarray | None = None,
    at: Sequence[int] | None = None,
    name: str = "",
) -> Picture:
    """Show a volume in three planes through one voxel, to scale, with the outline of a mask.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
        In RAS order: the patient's left is on the left.
    affine : ndarray of shape (4, 4)
        Voxels to world [mm].
    mask : ndarray of shape (X, Y, Z), {0, 1}, optional
    doubtful : ndarray of shape (X, Y, Z), {0, 1}, optional
        A part of the mask that should be looked at; its outline has another colour.
    at : sequence of int, optional
        Where the planes cross; by default the middle of the mask, or of the volume.
    name : str
        Of the volume, and what else to say of the picture. It stands above the planes.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        If a doubtful part comes without its mask.

    Examples
    --------
    >>> three_planes(np.ones((4, 4, 4)), np.diag([2, 2, 3, 1]), name="a cube").alt
    'a cube: axial, coronal and sagittal plane through voxel 2, 2, 2'
    """
    if at is None:
        at = _middle(volume, mask)
    at = [int(index) for index in at]
    spacing_mm = voxel_sizes(affine)
    extent_mm = np.multiply(volume.shape, spacing_mm)
    dot_mm = max(spacing_mm.min(), extent_mm.max() / _LONGEST_SIDE_DOTS)
    sizes = np.maximum(1, np.rint(extent_mm / dot_mm)).astype(int).tolist()
    widths_mm = [extent_mm[plane.across] for plane in PLANES]
    height = 0.8 + PANELS_WIDTH_IN * extent_mm[1:].max() / np.sum(widths_mm)
    lines = 1
    if name:
        lines = 2
        height += _TITLE_DOTS / STYLE["figure.dpi"]
    fig, frames = panels(*widths_mm, height=height, lines=lines)
    if name:
        _headline(fig, name)
    if mask is None and doubtful is not None:
        raise InputError("expected the mask of which a part is doubtful, got None")
    parts = {}
    if mask is not None:
        parts["mask"] = mask
    if doubtful is not None and doubtful.any():
        parts = {"mask": mask > doubtful, "doubtful": doubtful}
    for frame, plane in zip(frames, PLANES, strict=True):
        size = (sizes[plane.across], sizes[plane.down])  # OpenCV's (x, y)
        outlined = {}
        for kind, part in parts.items():
            cut = cut_plane(part, plane, at)
            outlined[kind] = cv2.resize(cut, size, interpolation=cv2.INTER_NEAREST)
        image = cv2.resize(cut_plane(volume, plane, at), size)
        title = f"{plane.name}, {'xyz'[plane.axis]} = {at[plane.axis]}"
        slice_panel(fig, frame, image, title, outlined=outlined)
    if parts:
        key(fig, tuple(parts))
    voxel = ", ".join(map(str, at))
    alt = f"axial, coronal and sagittal plane through voxel {voxel}"
    return picture(fig, f"{name}: {alt}" if name else alt)


def _headline(fig: Figure, text: str) -> None:
    """Write a title above all panels, in the upper of two lines."""
    _, height_dots = _size_dots(fig)
    baseline = 1 - _TITLE_DOTS / height_dots
    fig.text(0.5, baseline, plain(text), ha="center", size=STYLE["axes.titlesize"], weight="bold")


class Plane(NamedTuple):
    """A plane of a volume: its axis, and the axes that run across and down in its picture."""

    name: str
    axis: int
    across: int
    down: int


PLANES = (
    Plane("axial", axis=2, across=0, down=1),
    Plane("coronal", axis=1, across=0, down=2),
    Plane("sagittal", axis=0, across=1, down=2),
)


def _middle(volume: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Find the middle of a mask, or of the volume if there is none."""
    if mask is None or not mask.any():
        return np.divide(volume.shape, 2)
    return np.mean(np.nonzero(mask), axis=1)


def cut_plane(
    volume: np.ndarray,
    plane: Plane,
    at: Sequence[int],
) -> np.ndarray:
    """Cut a volume; the last row and column axes point up and to the right."""
    part = np.take(volume, at[plane.axis], plane.axis)
    return part.T[::-1].astype(np.float32)
