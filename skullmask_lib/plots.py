"""Figures in one look: every function draws on an Axes and returns it; `picture` turns the figure into a PNG."""

import base64
import io
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from IPython.display import Markdown
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from .sweep import Sweep

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


@dataclass(frozen=True)
class Picture:
    """A finished figure: what notebooks show, explorers redraw and reports embed.

    Attributes
    ----------
    png : bytes
    alt : str
        What it shows, for who cannot see it; also its text in a notebook, which tests compare.
    """

    png: bytes
    alt: str

    def _repr_mimebundle_(self, **_):
        data = {"image/png": base64.b64encode(self.png).decode(), "text/plain": self.alt}
        return data, {"image/png": {"alt": self.alt}}


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
    with mpl.rc_context(STYLE):
        fig = Figure(figsize=(width, height))
        FigureCanvasAgg(fig)
        return fig, fig.subplots(rows, columns, squeeze=False).ravel()


def picture(fig: Figure, alt: str) -> Picture:
    """Render a figure.

    Parameters
    ----------
    fig : Figure
    alt : str
        What it shows, in words and numbers.

    Returns
    -------
    Picture
        In 256 colours, which keeps stored notebooks small.

    Examples
    --------
    >>> picture(figure()[0], "an empty pair of axes")._repr_mimebundle_()[0]["text/plain"]
    'an empty pair of axes'
    """
    with mpl.rc_context(STYLE):
        fig.canvas.draw()
    pixels = np.asarray(fig.canvas.buffer_rgba())[..., :3] & 0b11111000
    colours = Image.fromarray(pixels | pixels >> 5)
    few = colours.quantize(256, method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    stream = io.BytesIO()
    few.save(stream, "PNG")
    return Picture(stream.getvalue(), alt)


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
    low, high = float(image.min()), float(np.percentile(image, white_percentile))
    axes.imshow(image, cmap="gray", vmin=low, vmax=max(high, low + 1e-12), interpolation="antialiased")
    axes.set_title(title)
    axes.set_axis_off()
    return axes


def zoom(axes: Iterable[Axes], image: np.ndarray, *, margin: float = 0.08) -> None:
    """Show only the window around what is bright: the head.

    Parameters
    ----------
    axes : iterable of Axes
        All get the same window.
    image : ndarray of shape (H, W)
        A slice or a mask.
    margin : float
        Added on every side, as a fraction of the window.

    Examples
    --------
    >>> fig, axes = figure()
    >>> zoom(axes, np.pad(np.ones((10, 10)), 20), margin=0.1)
    >>> [float(limit) for limit in axes[0].get_xlim()]
    [18.5, 30.5]
    """
    bright = image > image.min() + 0.05 * (np.percentile(image, 99.5) - image.min())
    for axis, pixels in (("y", np.flatnonzero(bright.any(axis=1))), ("x", np.flatnonzero(bright.any(axis=0)))):
        if pixels.size:
            extra = margin * (pixels[-1] + 1 - pixels[0])
            low, high = pixels[0] - 0.5 - extra, pixels[-1] + 0.5 + extra
            for each in axes:
                each.set(**{f"{axis}lim": (high, low) if axis == "y" else (low, high)})


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
    if np.any(mask):
        axes.contour(np.asarray(mask, float), [0.5], colors=[COLOURS[kind]], linewidths=1.6)
    return axes


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
    mask, truth = np.asarray(mask, bool), np.asarray(truth, bool)
    low, high = float(image.min()), float(np.percentile(image, 99.5))
    gray = np.clip((image - low) / max(high - low, 1e-12), 0, 1)
    colour = np.repeat(np.asarray(gray, float)[..., None], 3, axis=2)
    for kind, where in (("over-reach", mask & ~truth), ("miss", truth & ~mask)):
        colour[where] = 0.35 * colour[where] + 0.65 * np.array(to_rgb(COLOURS[kind]))
    axes.imshow(colour, interpolation="antialiased")
    axes.set_title(title)
    axes.set_axis_off()
    return outline(axes, truth)


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
    patches = [Patch(color=COLOURS[kind], label=kind) for kind in kinds]
    fig.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False, fontsize=11)


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
    axes.bar(np.arange(256), np.bincount(gray.ravel(), minlength=256), width=1.0, color="0.6")
    lines = itertools.cycle([("measured", "-"), ("published", "--"), ("anchor", ":")])
    for (name, level), (kind, style) in zip((thresholds or {}).items(), lines, strict=False):
        axes.axvline(level, color=COLOURS[kind], linestyle=style, label=f"{name}: {level:.0f}")
    axes.set(xlabel="grey level, 0 … 255", ylabel="pixels", yscale="symlog", xlim=(-1, 256))
    if thresholds:
        axes.legend(loc="upper right")
    return axes


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


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> Markdown:
    """Set a table that a notebook shows and a terminal can print (``.data``).

    Parameters
    ----------
    rows : sequence of sequences
        Numbers that are not whole are rounded to four digits behind the point, lengths to two; published ones stay;
        for NaN stands a dash.
    header : sequence of str
        Lengths end in their unit, ``[mm]``, ``_mm``, ``[px]`` or ``_px``; published figures begin with ``published``.

    Returns
    -------
    Markdown

    Examples
    --------
    >>> print(table([("v1", 0.73456)], ["version", "IoU"]).data)
    | version | IoU    |
    | :------ | -----: |
    | v1      | 0.7346 |
    """
    cells = [
        [_number(cell, name) if isinstance(cell, float) else str(cell) for cell, name in zip(row, header, strict=True)]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    numeric = [bool(rows) and not isinstance(cell, str) for cell in rows[0]] if rows else [False] * len(header)
    rule = [("-" * (w - 1) + ":") if n else (":" + "-" * (w - 1)) for w, n in zip(widths, numeric, strict=True)]
    lines = [list(header), rule, *cells]
    return Markdown(
        "\n".join("| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines)
    )


def _number(value: float, name: str) -> str:
    if np.isnan(value):
        return "–"
    if name.startswith("published"):
        return format(value, "g")
    return format(value, ".2f" if re.search(r"(\[|_)(mm|px)\]?$", name) else ".4f")
