"""Figures of panels, which only place images and are drawn several times as fast as Axes."""

import bisect
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.transforms import Transform

from ..errors import Spacing
from ..texts import plain
from .pictures import KEY_DOTS, Picture, figure, ignored_glyphs, key, picture, size_dots
from .pixels import (
    PAINT_OPACITY,
    WHITE_PERCENTILE,
    contours,
    draw_lines,
    draw_rims,
    grey_limits,
    paint,
)
from .style import STYLE, in_look

PANELS_WIDTH_IN = 11.0
_GAP_DOTS = 8  # beside a slice, and between titles
TITLE_DOTS = 18  # a line
_TITLE_GAP_DOTS = 6
_LARGE_TITLE_POINTS = 16
_LARGE_TITLE_DOTS = 32
_BLACK = (0, 0, 0)
_BORDER = (160, 160, 160)


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
    # matplotlib's types lack "none"
    fig = Figure(figsize=(PANELS_WIDTH_IN, height), layout="none")  # type: ignore[arg-type]
    FigureCanvasAgg(fig)
    width_dots, height_dots = size_dots(fig)
    ends = np.cumsum((0, *widths)) / sum(widths) * width_dots
    lefts = ends.round().astype(int).tolist()
    top = int(height_dots) - _TITLE_GAP_DOTS - TITLE_DOTS * lines
    frames = []
    for left, right in itertools.pairwise(lefts):
        frames.append(Frame(left, KEY_DOTS, right - left, top - KEY_DOTS))
    return fig, frames


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
    spacing_mm: Spacing | None = None,
    kinds: dict[str, np.ndarray] | None = None,
    outlined: dict[str, np.ndarray] | None = None,
    opacity: float = PAINT_OPACITY,
    white_percentile: float = WHITE_PERCENTILE,
    bordered: bool = False,
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
    spacing_mm : (float, float), optional
        Row and column spacing, to draw the slice to scale; by default its pixels are square.
    kinds, outlined : dict of str to ndarray of shape (H, W), {0, 1}
        Regions to paint over the slice, and masks to outline; each by a key of `COLOURS`.
    opacity : float
        Of the paint, 0 … 1.
    white_percentile : float
        Percentile that is drawn white.
    bordered : bool
        Draw a border, which an image that is white at its edge needs on the white page.

    Examples
    --------
    >>> fig, (frame,) = panels(1)
    >>> slice_panel(fig, frame, np.eye(4), "identity", kinds={"brain": np.eye(4)})
    """
    low, high = grey_limits(image, white_percentile)
    rows, columns = image[window].shape
    scale = _scale(frame, rows, columns, spacing_mm)
    width = max(1, round(scale[0] * columns))
    height = max(1, round(scale[1] * rows))
    method = cv2.INTER_AREA if scale.min() < 1 else cv2.INTER_NEAREST

    def fitted(values: np.ndarray) -> np.ndarray:
        part = np.asarray(values[window], np.float32)
        return cv2.resize(part, (width, height), interpolation=method)

    with np.errstate(over="ignore", invalid="ignore"):  # the range may be too large for a float
        scaled = (image.astype(float) - low) / (high - low)
        gray = np.clip(np.nan_to_num(fitted(scaled)), 0, 1)
    covers = {kind: fitted(region > 0) for kind, region in (kinds or {}).items()}
    top_left = np.array([window[1].start or 0, window[0].start or 0])  # OpenCV's (x, y)
    outlines = {}
    for kind, mask in (outlined or {}).items():
        outlines[kind] = [(line + 0.5 - top_left) * scale - 0.5 for line in contours(mask)]
        draw_rims(gray, outlines[kind], closed=True)
    colour = paint(gray, covers, opacity)
    for kind, lines in outlines.items():
        draw_lines(colour, lines, kind, closed=True)
    if bordered:
        cv2.rectangle(colour, (0, 0), (width - 1, height - 1), _BORDER)
    left = frame.left + (frame.width - width) // 2
    bottom = frame.bottom + frame.height - height
    fig.figimage(colour, left, bottom, origin="upper")
    _title(fig, frame, title)


def _scale(
    frame: Frame,
    rows: int,
    columns: int,
    spacing_mm: Spacing | None,
) -> np.ndarray:
    """Choose how many dots a pixel is wide and high, as (x, y), so that a slice fills a frame."""
    row_mm, column_mm = spacing_mm or (1.0, 1.0)
    tall = row_mm / column_mm
    factor = min((frame.width - 2 * _GAP_DOTS) / columns, frame.height / (tall * rows))
    return factor * np.array((1.0, tall))


def _title(
    fig: Figure,
    frame: Frame,
    title: str,
    size: float = STYLE["axes.titlesize"],
) -> None:
    """Write a title of one line or more above a frame, each shortened to the width of the frame."""
    middle = frame.left + frame.width / 2
    top = frame.bottom + frame.height + _TITLE_GAP_DOTS
    across, up = np.divide((middle, top), size_dots(fig))
    lines = [fitted_text(plain(line), frame.width, size) for line in title.split("\n")]
    fig.text(across, up, "\n".join(lines), ha="center", size=size)


def fitted_text(
    text: str,
    width_dots: float,
    size: float,
    weight: str = "normal",
) -> str:
    """Leave out the middle of a text that is too wide for a place; its end often is a number.

    Parameters
    ----------
    text : str
    width_dots : float
    size : float
        Of the font [points].
    weight : str
        "normal" or "bold".

    Returns
    -------
    str

    Examples
    --------
    >>> fitted_text("a_long_name_of_a_slice.npy[3]", 122, 12)
    'a_long_….npy[3]'
    """
    most_dots = width_dots - _GAP_DOTS
    if _width_dots(text, size, weight) <= most_dots:
        return text

    def width_of(kept: int) -> float:
        return _width_dots(_without_middle(text, kept), size, weight)

    kept = bisect.bisect_right(range(len(text)), most_dots, lo=2, key=width_of) - 1
    return _without_middle(text, kept)


def _without_middle(text: str, kept: int) -> str:
    """Keep some characters of a text, half of them at its end; below two none."""
    if kept < 2:
        return "…"
    at_end = kept // 2
    return f"{text[: kept - at_end]}…{text[-at_end:]}"


@lru_cache(maxsize=1024)
def _width_dots(text: str, size: float, weight: str) -> float:
    """Measure a text of one line."""
    font = FontProperties(size=size, weight=weight)
    with ignored_glyphs():
        width, _, _ = _renderer().get_text_width_height_descent(text, font, ismath=False)
    return width


@lru_cache
def _renderer() -> RendererAgg:
    """Give what measures texts; it takes long to make."""
    return RendererAgg(1, 1, STYLE["figure.dpi"])


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
    _title(fig, frame, title, _LARGE_TITLE_POINTS)


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
