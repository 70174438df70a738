"""Figures in one look, drawn on an Axes of `figure`, or set into a frame of `panels` where it must be fast."""

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
from matplotlib.transforms import Transform
from nibabel.affines import voxel_sizes
from PIL import Image

from . import polar
from .sweeps import Sweep
from .texts import plain

STYLE = mpl.rc_params_from_file(Path(__file__).with_name("skullmask.mplstyle"), use_default_template=False)
COLOURS = {
    "truth": "#F0E442",
    "mask": "#E69F00",
    "over-reach": "#D55E00",
    "miss": "#0072B2",
    "scalp": "#CC79A7",
    "path": "#56B4E9",
    "brain": "#009E73",
    "measured": "#0072B2",
    "published": "#D55E00",
    "anchor": "#009E73",
}

_KEY_DOTS, _GAP_DOTS = 30, 8  # of a figure of panels
_NO_LOOK = ("backend", "backend_fallback", "interactive")  # of matplotlib's settings: they change no picture
_LOOK = {name: value for name, value in mpl.rcParamsDefault.items() if name not in _NO_LOOK} | dict(STYLE)


@contextlib.contextmanager
def look() -> Iterator[None]:
    """Draw with matplotlib's defaults and the project's style, whatever the settings of the user are.

    Examples
    --------
    >>> with mpl.rc_context({"text.usetex": True}), look():
    ...     mpl.rcParams["text.usetex"]
    False
    """
    different = {name: value for name, value in _LOOK.items() if mpl.rcParams[name] != value}
    if not different:
        yield
        return
    with mpl.rc_context(different):
        yield


def _in_look(draw: Callable) -> Callable:
    """Let a function draw within `look`."""

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
        What it shows, for who cannot see it; also its text in a notebook, which tests compare.
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
        """In 256 colours, which keeps stored notebooks small."""
        pixels = self.pixels & 0b11111000
        colours = Image.fromarray(pixels | pixels >> 5)
        few = colours.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
        stream = io.BytesIO()
        few.save(stream, "PNG")
        return stream.getvalue()

    @property
    def jpeg(self) -> bytes:
        """Within 2 ms, where a PNG takes 10 or more: what a moving slider shows."""
        look = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        return cv2.imencode(".jpg", self.pixels[..., ::-1], look)[1].tobytes()

    def _repr_mimebundle_(self, **_):
        data = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}


@_in_look
def figure(columns: int = 1, rows: int = 1, *, width: float = 11.0, height: float = 4.2) -> tuple[Figure, np.ndarray]:
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
    """Where a panel goes in a figure, below its title: left, bottom, width and height [dots]."""

    left: int
    bottom: int
    width: int
    height: int


class Plot(NamedTuple):
    """A plot that is drawn once and shown often: its pixels, and where its data lie among them."""

    pixels: np.ndarray
    to_dots: Transform


@_in_look
def panels(*widths: float, height: float = 4.8, lines: int = 1) -> tuple[Figure, list[Frame]]:
    """Start a figure that is drawn again and again, several times as fast as one of `figure`.

    It has no axes: slices are set into it by `slice_panel`, plots that were drawn before by `plot_panel`. Nothing
    moves from picture to picture.

    Parameters
    ----------
    *widths : float
        One panel each, as parts of the whole, from left to right.
    height : float
        In inches; the width is 11.
    lines : int
        Of the titles.

    Returns
    -------
    figure : Figure
    frames : list of Frame

    Examples
    --------
    >>> panels(1, 3)[1]
    [Frame(left=0, bottom=30, width=220, height=330), Frame(left=220, bottom=30, width=660, height=330)]
    """
    fig = Figure(figsize=(11.0, height), layout="none")
    FigureCanvasAgg(fig)
    dots = fig.dpi * fig.get_size_inches()
    ends = np.cumsum((0, *widths)) / sum(widths) * dots[0]
    lefts, top = ends.round().astype(int).tolist(), int(dots[1]) - 6 - 18 * lines
    return fig, [Frame(left, _KEY_DOTS, right - left, top - _KEY_DOTS) for left, right in itertools.pairwise(lefts)]


@_in_look
def plot(frame: Frame, draw: Callable[[np.ndarray], object], *, rows: int = 1) -> Plot:
    """Draw axes once, as large as a frame, to be shown by `plot_panel`.

    Parameters
    ----------
    frame : Frame
    draw : callable
        Called with the axes, from top to bottom.
    rows : int
        Number of axes.

    Returns
    -------
    Plot
        Its data are those of the first axes.

    Examples
    --------
    >>> plot(panels(1, 3)[1][0], lambda axes: axes[0].plot([0, 1])).pixels.shape
    (330, 220, 3)
    """
    dpi = STYLE["figure.dpi"]
    fig, axes = figure(1, rows, width=frame.width / dpi, height=frame.height / dpi)
    draw(axes)
    pixels = picture(fig, "").pixels
    return Plot(pixels, axes[0].transData.frozen())


@_in_look
def plot_panel(
    fig: Figure, frame: Frame, shown: Plot, title: str = "", *, marks: Iterable[tuple[float, float | None]] = ()
) -> None:
    """Set a plot into a frame of `panels`, with marks on it.

    Parameters
    ----------
    fig, frame
        Of `panels`.
    shown : Plot
    title : str
    marks : iterable of (x, y)
        A line at x, and a dot at y if it is not None.

    Examples
    --------
    >>> fig, (frame,) = panels(1)
    >>> plot_panel(fig, frame, plot(frame, lambda axes: axes[0].plot([0, 1])), "a line", marks=[(0.5, 0.5)])
    """
    pixels = shown.pixels.copy()
    for x, y in marks:
        low, high = shown.to_dots.transform([(x, 0), (x, 0 if y is None else y)]).round().astype(int).tolist()
        rows = len(pixels) - low[1], len(pixels) - high[1]
        cv2.line(pixels, (low[0], rows[0]), (low[0], 0), (0, 0, 0), 2)
        if y is not None:
            cv2.circle(pixels, (high[0], rows[1]), 5, (0, 0, 0), -1, cv2.LINE_AA)
    fig.figimage(pixels, frame.left, frame.bottom, origin="upper")
    _title(fig, frame, title)


@_in_look
def slice_panel(
    fig: Figure,
    frame: Frame,
    image: np.ndarray,
    title: str = "",
    *,
    window: tuple[slice, slice] = (slice(None), slice(None)),
    kinds: dict[str, np.ndarray] | None = None,
    outlined: dict[str, np.ndarray] | None = None,
    opacity: float = 0.65,
    white_percentile: float = 99.5,
) -> None:
    """Set a slice into a frame of `panels`, with regions painted over it and outlines around others.

    Parameters
    ----------
    fig, frame
        Of `panels`.
    image : ndarray of shape (H, W)
    title : str
    window : pair of slice
        Rows and columns to show, see `head_window`.
    kinds, outlined : dict of str to ndarray of shape (H, W), {0, 1}
        Key of `COLOURS` to where it is painted, and to what it is drawn around.
    opacity : float
        Of the paint, 0 … 1.
    white_percentile : float
        Percentile that is drawn white.

    Examples
    --------
    >>> fig, (frame,) = panels(1)
    >>> slice_panel(fig, frame, np.eye(4), "identity", kinds={"brain": np.eye(4)})
    """
    low, high = _limits(image, white_percentile)
    rows, columns = image[window].shape
    factor = min((frame.width - 2 * _GAP_DOTS) / columns, frame.height / rows)
    size = max(1, round(factor * columns)), max(1, round(factor * rows))  # OpenCV's (x, y)

    def fitted(values: np.ndarray) -> np.ndarray:
        part = np.asarray(values[window], np.float32)
        return cv2.resize(part, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST)

    with np.errstate(over="ignore", invalid="ignore"):  # a range beyond that of the numbers
        gray = np.clip(np.nan_to_num(fitted((image.astype(float) - low) / (high - low))), 0, 1)
    colour = _painted(gray, {kind: fitted(where) for kind, where in (kinds or {}).items()}, opacity)
    start = [axis.start or 0 for axis in window]
    for kind, mask in (outlined or {}).items():
        places = [(line + 0.5 - start[::-1]) * factor - 0.5 for line in _contours(mask)]
        points = [(16 * place).round().astype(np.int32) for place in places]
        cv2.polylines(colour, points, True, _rgb(kind), 1, cv2.LINE_AA, shift=4)
    left, bottom = frame.left + (frame.width - size[0]) // 2, frame.bottom + frame.height - size[1]
    fig.figimage(colour, left, bottom, origin="upper")
    _title(fig, frame, title)


def _title(fig: Figure, frame: Frame, title: str) -> None:
    middle, top = frame.left + frame.width / 2, frame.bottom + frame.height + 6
    place = np.divide((middle, top), fig.dpi * fig.get_size_inches())
    fig.text(*place, "\n".join(map(plain, title.split("\n"))), ha="center", size=STYLE["axes.titlesize"])


def _painted(gray: np.ndarray, kinds: dict[str, np.ndarray], opacity: float) -> np.ndarray:
    """Turn grey of 0 … 1 into colours, and paint kinds over it where they cover; uint8."""
    colour = np.repeat((255 * gray).astype(np.float32)[..., None], 3, axis=2)
    for kind, cover in kinds.items():
        where = cover > 0
        share = opacity * cover[where][:, None]
        colour[where] += share * (np.array(_rgb(kind), np.float32) - colour[where])
    return colour.astype(np.uint8)


def _rgb(kind: str) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in to_rgb(COLOURS[kind]))


def _contours(mask: np.ndarray) -> list[np.ndarray]:
    """Give the outlines of a mask, halfway between its pixels and the others, as (x, y)."""
    mask = np.asarray(mask, np.uint8)
    x, y, columns, rows = cv2.boundingRect(mask)
    if not columns:
        return []
    part = np.pad(mask[y : y + rows, x : x + columns].astype(np.float32), 1)
    return [line + np.array((x - 1, y - 1)) for line in contour_generator(z=part).lines(0.5)]


@_in_look
def picture(fig: Figure, alt: str, *, mask: np.ndarray | None = None, call: str = "") -> Picture:
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
        warnings.filterwarnings("ignore", "Glyph .* missing from")  # the font has no Chinese; names may
        fig.canvas.draw()
    return Picture(np.asarray(fig.canvas.buffer_rgba())[..., :3].copy(), alt, mask, call)


@_in_look
def show(axes: Axes, image: np.ndarray, title: str = "", *, white_percentile: float = 99.5) -> Axes:
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
    low, high = _limits(image, white_percentile)
    axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="antialiased")
    return _bare(axes, title)


def _limits(image: np.ndarray, white_percentile: float = 99.5) -> tuple[float, float]:
    """Give what is drawn black and white: the minimum and a percentile of every few pixels."""
    step = max(min(image.shape[:2]) // 256, 1)
    low, high = float(image.min()), float(np.percentile(image[::step, ::step].astype(float), white_percentile))
    if high > low:
        return low, high
    return (low - abs(low), low) if low > 0 else (low, low + 1.0)  # flat: black at 0 and below, else white


def _bare(axes: Axes, title: str) -> Axes:
    """Leave the axes a title alone; what is only switched off would still be laid out, at twice the time."""
    axes.set_title(title)
    axes.set_axis_off()
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)
    return axes


def head_window(image: np.ndarray, *, margin: float = 0.08) -> tuple[slice, slice]:
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
    low, high = _limits(image)
    bright = image > low + 0.05 * (high - low)
    window = []
    for pixels, size in zip((np.flatnonzero(bright.any(axis=other)) for other in (1, 0)), image.shape, strict=True):
        first, last = (pixels[0], pixels[-1] + 1) if pixels.size else (0, size)
        extra = round(margin * (last - first))
        window.append(slice(max(int(first) - extra, 0), min(int(last) + extra, size)))
    return tuple(window)


def zoom(axes: Iterable[Axes], image: np.ndarray, *, margin: float = 0.08) -> None:
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
    for each in axes:
        each.set(xlim=(columns.start - 0.5, columns.stop - 0.5), ylim=(rows.stop - 0.5, rows.start - 0.5))


@_in_look
def outline(axes: Axes, mask: np.ndarray, kind: str = "truth") -> Axes:
    """Draw the outline of a mask over a slice.

    Parameters
    ----------
    axes : Axes
    mask : ndarray of shape (H, W), {0, 1}
    kind : str
        A key of `COLOURS`.

    Returns
    -------
    Axes

    Examples
    --------
    >>> axes = outline(figure()[1][0], np.pad(np.ones((2, 2)), 2), "mask")
    """
    lines = LineCollection(_contours(mask), colors=[COLOURS[kind]], linewidths=1.6)
    axes.add_collection(lines, autolim=False)
    return axes


@_in_look
def compare(axes: Axes, image: np.ndarray, mask: np.ndarray, truth: np.ndarray, title: str = "") -> Axes:
    """Show a mask against the truth: over-reach and misses painted over the slice, the truth outlined.

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
    low, high = _limits(image)
    gray = np.clip((image - low) / (high - low), 0, 1)
    axes.imshow(_painted(gray, errors(mask, truth), 0.65), interpolation="antialiased")
    return outline(_bare(axes, title), truth)


def errors(mask: np.ndarray, truth: np.ndarray) -> dict[str, np.ndarray]:
    """Tell where a mask reaches too far and where it misses.

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
    mask, truth = np.asarray(mask, bool), np.asarray(truth, bool)
    return {"over-reach": (mask & ~truth).view(np.uint8), "miss": (truth & ~mask).view(np.uint8)}


@_in_look
def key(fig: Figure, kinds: Sequence[str] = ("over-reach", "miss", "truth")) -> None:
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
        fig.figimage(strip, (fig.get_size_inches()[0] * fig.dpi - strip.shape[1]) // 2, 0, origin="upper")


def _legend(fig: Figure, kinds: Sequence[str]) -> None:
    patches = [Patch(color=COLOURS[kind], label=kind) for kind in kinds]
    fig.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False, fontsize=11)


@lru_cache
@_in_look
def _key_pixels(kinds: tuple[str, ...]) -> np.ndarray:
    """Draw a key once: it takes longer than all the rest of a figure of `panels`."""
    fig, (axes,) = figure(width=2.2 * len(kinds), height=_KEY_DOTS / STYLE["figure.dpi"])
    axes.remove()
    _legend(fig, kinds)
    return picture(fig, "").pixels


@_in_look
def histogram(axes: Axes, gray: np.ndarray, thresholds: dict[str, float] | None = None) -> Axes:
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
    lines = itertools.cycle([("measured", "-"), ("published", "--"), ("anchor", ":")])
    for (name, level), (kind, style) in zip((thresholds or {}).items(), lines, strict=False):
        axes.axvline(level, color=COLOURS[kind], linestyle=style, label=f"{name}: {level:.0f}")
    marks = 100 ** np.arange((len(str(counts.max())) + 1) // 2)
    axes.set_yticks(np.log10(1 + marks), [f"{mark:,}" for mark in marks])
    axes.set(xlabel="grey level, 0 … 255", ylabel="pixels", xlim=(-1, 256))
    if thresholds:
        axes.legend(loc="upper right")
    return axes


def polar_plot(frame: Frame, shown: Sequence[tuple[np.ndarray, tuple[float, float], np.ndarray | None, str]]) -> Plot:
    """Draw polar pictures of a head one above the other: angles to the right, depth below the skin downwards.

    Parameters
    ----------
    frame : Frame
    shown : sequence of (values, limits, path, title)
        Values, (angles, depths), one every `polar.STEP_MM`; what is drawn black and white; depths [steps], (angles,),
        to draw a line at, or None; a title.

    Returns
    -------
    Plot

    Examples
    --------
    >>> polar_plot(panels(1, 1)[1][0], [(np.eye(360, 96), (0, 1), None, "a diagonal")]).pixels.shape
    (330, 440, 3)
    """
    labelled, boxes = _polar_axes(frame, tuple((title, values.shape[1]) for values, _, _, title in shown))
    pixels = labelled.pixels.copy()
    for (values, (low, high), path, _), (left, top, width, height) in zip(shown, boxes, strict=True):
        gray = np.clip((values.T - low) / (high - low), 0, 1).astype(np.float32)
        inside = cv2.cvtColor((255 * cv2.resize(gray, (width, height))).astype(np.uint8), cv2.COLOR_GRAY2RGB)
        if path is not None:
            places = (np.arange(path.size) + 0.5) * width / path.size, path * height / values.shape[1]
            points = (16 * np.stack(places, axis=1)).round().astype(np.int32)
            cv2.polylines(inside, [points], False, _rgb("path"), 1, cv2.LINE_AA, shift=4)
        pixels[top : top + height, left : left + width] = inside
    return Plot(pixels, labelled.to_dots)


@lru_cache
@_in_look
def _polar_axes(frame: Frame, panels: tuple[tuple[str, int], ...]) -> tuple[Plot, list[tuple[int, int, int, int]]]:
    """Draw the axes of `polar_plot` once: they take longer than what is in them; and tell where that goes [dots]."""
    boxes = []

    def draw(axes: np.ndarray) -> None:
        for axis, (title, depths) in zip(axes, panels, strict=True):
            axis.set(
                title=title, xlim=(0, polar.ANGLES), ylim=(polar.STEP_MM * depths, 0), ylabel="below the skin [mm]"
            )
            axis.set_xticks(range(0, polar.ANGLES + 1, 90))
        axes[-1].set_xlabel("angle [degrees], clockwise from the right")
        boxes.extend(axes)

    labelled = plot(frame, draw, rows=len(panels))
    inside = [axis.get_window_extent() for axis in boxes]
    rows = len(labelled.pixels)
    return labelled, [tuple(map(round, (box.x0, rows - box.y1, box.width, box.height))) for box in inside]


@_in_look
def sweep_curve(
    axes: Axes, result: Sweep, *, score: str = "iou", label: str = "measured", color: str = COLOURS["measured"]
) -> Axes:
    """Draw a score against the dilation width: the mean over the slices, each slice, the best width.

    Parameters
    ----------
    axes : Axes
    result : Sweep
    score : {"iou", "dice"}
    label, color : str
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
    axes.plot(result.sizes, values.T, color=color, alpha=0.25, linewidth=1)
    axes.plot(result.sizes, values.mean(axis=0), color=color, label=label)
    axes.axvline(result.best_size, color="0.5", linestyle=":", linewidth=1.5)
    axes.set(xlabel="width of the structuring element [px]", ylabel={"iou": "IoU", "dice": "Dice"}[score])
    return axes


@_in_look
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
    'IoU and Dice against the dilation width, 24 to 28 px; the mean IoU is highest, 0.9000, at 26 px.'
    """
    fig, axes = figure(1, width=9)
    sweep_curve(axes[0], result, label="IoU")
    sweep_curve(axes[0], result, score="dice", label="Dice", color=COLOURS["mask"]).set_ylabel(
        "mean score, thin: each slice"
    )
    axes[0].legend()
    best = result.best_size
    return picture(
        fig,
        f"IoU and Dice against the dilation width, {result.sizes[0]} to {result.sizes[-1]} px; "
        f"the mean IoU is highest, {result.iou.mean(axis=0).max():.4f}, at {best} px.",
    )


@_in_look
def ladder_picture(rows: Sequence[tuple]) -> Picture:
    """Draw the ladder: published, phantom and other seeds side by side for every version.

    Parameters
    ----------
    rows : sequence of tuple
        As `sweep.phantom_ladder` gives them.

    Returns
    -------
    Picture

    Examples
    --------
    >>> ladder_picture([("v1", 0.73, 0.7309, 0.0009, 0.7349, "by construction")]).alt
    'Mean IoU, published and on the phantom: v1 0.73 and 0.73.'
    """
    fig, (axes,) = figure(width=11, height=3.8)
    place = np.arange(len(rows))
    for shift, column, kind, label in (
        (-0.27, 1, "published", "published"),
        (0.0, 2, "measured", "phantom"),
        (0.27, 4, "path", "other seeds"),
    ):
        heights = [row[column] for row in rows]
        bars = axes.bar(place + shift, heights, 0.26, color=COLOURS[kind], label=label)
        axes.bar_label(bars, [_known(height) for height in heights], fontsize=9, padding=2)
    axes.set_xticks(place, [f"{row[0]}\n{row[5].replace(', ', chr(10))}" for row in rows], fontsize=9)
    axes.set(ylabel="mean IoU", ylim=(0, 1.12))
    fig.legend(loc="outside upper center", ncols=3, frameon=False)
    told = ", ".join(f"{row[0]} {_known(row[1]) or 'nothing'} and {row[2]:.2f}" for row in rows)
    return picture(fig, f"Mean IoU, published and on the phantom: {told}.")


def _known(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"


@_in_look
def class_picture(counts: Mapping[str, int], what: str = "slices") -> Picture:
    """Draw how many of a data set belong to each class.

    Parameters
    ----------
    counts : mapping of str to int
        By the name of the class, as `cohorts.class_counts` gives them.
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
    counts = dict(counts.items())  # of a Series too
    whole = sum(counts.values())
    told = {name: f"{count} ({100 * count / whole:.0f} %)" for name, count in counts.items()}
    fig, (axes,) = figure(height=1.3 + 0.5 * len(counts))
    bars = axes.barh(list(counts), list(counts.values()), color=COLOURS["measured"], height=0.6)
    axes.bar_label(bars, list(told.values()), padding=5)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(xlabel=what, title=f"{whole} {what}")
    return picture(fig, f"{what}: {', '.join(f'{name} {share}' for name, share in told.items())}")


@_in_look
def three_planes(
    volume: np.ndarray,
    affine: np.ndarray,
    *,
    mask: np.ndarray | None = None,
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
    at : sequence of int, optional
        Where the planes cross; by default the middle of the mask, or of the volume.
    name : str
        Of the volume.

    Returns
    -------
    Picture

    Examples
    --------
    >>> three_planes(np.ones((4, 4, 4)), np.diag([2, 2, 3, 1]), name="a cube").alt
    'a cube: axial, coronal and sagittal plane through voxel 2, 2, 2'
    """
    if at is None:
        at = np.mean(np.nonzero(mask), axis=1) if mask is not None and mask.any() else np.divide(volume.shape, 2)
    at, mm = [int(place) for place in at], voxel_sizes(affine)
    names, acrosses, downs = ("axial", "coronal", "sagittal"), (0, 0, 1), (1, 2, 2)
    extent_mm = np.multiply(volume.shape, mm)
    fine = max(mm.min(), extent_mm.max() / 1024)
    height = 0.8 + 11.0 * extent_mm[1:].max() / extent_mm[list(acrosses)].sum()
    fig, frames = panels(*extent_mm[list(acrosses)], height=height)
    for frame, plane, across, down in zip(frames, names, acrosses, downs, strict=True):
        axis = 3 - across - down
        size = [max(1, round(extent_mm[n] / fine)) for n in (across, down)]  # OpenCV's (x, y)
        cuts = [np.take(v, at[axis], axis).T[::-1].astype(np.float32) for v in (volume, mask) if v is not None]
        drawn = {} if mask is None else {"mask": cv2.resize(cuts[1], size, interpolation=cv2.INTER_NEAREST)}
        slice_panel(fig, frame, cv2.resize(cuts[0], size), f"{plane}, {'xyz'[axis]} = {at[axis]}", outlined=drawn)
    places = ", ".join(map(str, at))
    return picture(fig, f"{name}: axial, coronal and sagittal plane through voxel {places}".removeprefix(": "))
