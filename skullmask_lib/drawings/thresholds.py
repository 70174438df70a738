"""Figures of lessons 02 and 03: floods, thresholds, and bands of grey levels.

They are drawn from arrays and tables; nothing here loads data or makes masks.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..metrics import iou
from ..plots import (
    COLOURS,
    PANELS_WIDTH_IN,
    Picture,
    compare,
    errors,
    figure,
    in_look,
    key,
    picture,
    show,
    zoom,
)

# Errors of a smaller share of the true area hide below the outline of the truth
_VISIBLE_SHARE = 0.005


@in_look
def grid_picture(
    grids: Mapping[str, np.ndarray],
    alt: str,
) -> Picture:
    """Draw toy grids side by side, with lines between their pixels.

    Parameters
    ----------
    grids : mapping of str to ndarray of shape (H, W)
        By title; 0 is drawn black and 1 white.
    alt : str

    Returns
    -------
    Picture

    Examples
    --------
    >>> grid_picture({"identity": np.eye(3)}, "a diagonal").alt
    'a diagonal'
    """
    fig, axes = figure(len(grids), height=3.7)
    for one, (title, grid) in zip(axes, grids.items(), strict=True):
        one.imshow(grid, cmap="gray", vmin=0, vmax=1)
        rows, columns = grid.shape
        one.set_xticks(np.arange(columns + 1) - 0.5, [""] * (columns + 1))
        one.set_yticks(np.arange(rows + 1) - 0.5, [""] * (rows + 1))
        one.grid(color="0.4", linewidth=1.2)
        one.tick_params(length=0)
        one.spines[:].set_visible(False)
        one.set_title(title)
    return picture(fig, alt)


@in_look
def comparison_picture(
    cases: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]],
    finding: str,
    *,
    whole: bool = False,
    arrows: Mapping[str, tuple[str, tuple[int, int]]] | None = None,
) -> Picture:
    """Compare several masks with their truths side by side; each title gives the IoU.

    Parameters
    ----------
    cases : sequence of (name, image, mask, truth)
        Arrays of shape (H, W).
    finding : str
        What the pictures show, for the alt text.
    whole : bool
        Show whole slices, not only the heads, which are all drawn at one scale.
    arrows : mapping of str to (text, (row, column)), optional
        By the name of a case: a text and the place that an arrow leads to from it.

    Returns
    -------
    Picture

    Examples
    --------
    >>> comparison_picture([("half", np.eye(4), np.eye(4), np.ones((4, 4)))], "A bad mask.").alt
    'A bad mask. half: IoU 0.250.'
    """
    fig, axes = figure(len(cases), height=5.2 if whole else 4.2)
    titles = []
    for one, (name, image, mask, truth) in zip(axes, cases, strict=True):
        title = f"{name}: IoU {iou(mask, truth):.3f}"
        compare(one, image, mask, truth, title)
        if not whole:
            zoom([one], image)
        if name in (arrows or {}):
            _point_at(one, *arrows[name])
        titles.append(title)
    if not whole:
        _share_scale(axes)
    key(fig)
    return picture(fig, f"{finding} {'; '.join(titles)}.")


def _point_at(axes: Axes, text: str, place: tuple[int, int]) -> None:
    """Lead an arrow from a text in the upper right corner to a place (row, column)."""
    axes.annotate(
        text,
        place[::-1],
        (0.97, 0.98),
        textcoords="axes fraction",
        ha="right",
        va="top",
        color="white",
        arrowprops={"arrowstyle": "->", "color": "white", "linewidth": 1.8, "shrinkB": 2},
    )


def _share_scale(axes: Sequence[Axes]) -> None:
    """Give all axes windows of one size, so that a pixel is as large in each; lower ends stay."""
    width = max(np.ptp(one.get_xlim()) for one in axes)
    height = max(np.ptp(one.get_ylim()) for one in axes)
    for one in axes:
        middle = np.mean(one.get_xlim())
        bottom = max(one.get_ylim())
        one.set(xlim=(middle - width / 2, middle + width / 2), ylim=(bottom, bottom - height))


class OptionCurve(NamedTuple):
    """The scores of a version against one of its options, for `option_picture`.

    Attributes
    ----------
    version : str
    option : str
        Label of the axis, with its unit.
    values : ndarray of shape (V,)
    ious : ndarray of shape (N, V)
        Of every slice.
    ours : int
        The value that we chose, one of ``values``.
    published : float
    """

    version: str
    option: str
    values: np.ndarray
    ious: np.ndarray
    ours: int
    published: float


@in_look
def option_picture(curves: Sequence[OptionCurve]) -> Picture:
    """Draw the IoU of every slice and their mean against an option, for several versions.

    Parameters
    ----------
    curves : sequence of OptionCurve

    Returns
    -------
    Picture

    Examples
    --------
    >>> values = np.array([10, 20])
    >>> scores = np.array([[0.7, 0.9]])
    >>> option_picture([OptionCurve("v3", "threshold", values, scores, 10, 0.54)]).alt
    'Mean IoU against the threshold of v3: 0.900 at best, 0.700 at our value, 10.'
    """
    fig, axes = figure(len(curves), height=4.8)
    findings = []
    for one, curve in zip(axes, curves, strict=True):
        _draw_option(one, curve)
        mean = curve.ious.mean(axis=0)
        our_mean = float(mean[curve.values == curve.ours][0])
        one.set_title(f"{curve.version}: best mean {mean.max():.3f}")
        scores = f"{mean.max():.3f} at best, {our_mean:.3f} at our value, {curve.ours}"
        option = curve.option.partition(" [")[0]
        findings.append(f"Mean IoU against the {option} of {curve.version}: {scores}.")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=12)
    return picture(fig, " ".join(findings))


def _draw_option(axes: Axes, curve: OptionCurve) -> None:
    black = COLOURS["measured"]
    mean = curve.ious.mean(axis=0)
    each, *_ = axes.plot(curve.values, curve.ious.T, color=black, alpha=0.5, linewidth=1.6)
    each.set_label("each slice")
    axes.plot(curve.values, mean, color=black, linewidth=3.5, label="mean")
    axes.plot(
        curve.ours,
        mean[curve.values == curve.ours],
        marker="D",
        markersize=11,
        markeredgecolor="white",
        color=black,
        linestyle="none",
        label="our value",
        zorder=3,
    )
    axes.axhline(
        curve.published,
        color=COLOURS["published"],
        linestyle="--",
        linewidth=2.5,
        label="published",
    )
    scores_at = np.flatnonzero(curve.ious.max(axis=0) > 0.02)
    last = curve.values[scores_at[-1]] if scores_at.size else curve.values[-1]
    right = min(1.1 * max(last, curve.ours), curve.values[-1])
    axes.set(xlabel=curve.option, ylabel="IoU", xlim=(0, right), ylim=(0, 1.02))


@in_look
def levels_picture(
    gray: np.ndarray,
    truth: np.ndarray,
    thresholds: Mapping[str, int],
) -> Picture:
    """Draw how many pixels of each grey level lie inside and outside the true mask.

    Parameters
    ----------
    gray : ndarray of shape (H, W), uint8
    truth : ndarray of shape (H, W), {0, 1}
    thresholds : mapping of str to int
        Name to grey level.

    Returns
    -------
    Picture

    Examples
    --------
    >>> gray = np.array([[0, 9, 9, 9]], np.uint8)
    >>> levels_picture(gray, np.array([[0, 0, 1, 1]]), {"Otsu": 0}).alt
    'Grey levels inside and outside the skull overlap: 100 % of the pixels inside have a level ...'
    """
    inside = np.bincount(gray[truth > 0], minlength=256)
    outside = np.bincount(gray[truth == 0], minlength=256)
    share = np.divide(inside, inside + outside, out=np.zeros(256), where=inside + outside > 0)
    unsure = (share > 0.1) & (share < 0.9)
    fig, axes = figure(2, height=4.4)
    edges = np.arange(257) - 0.5
    black = {"color": COLOURS["measured"], "linewidth": 2.2}
    axes[0].stairs(np.log10(1 + inside), edges, label="inside the true mask", **black)
    dashed = {"linestyle": (0, (2, 1)), "label": "outside"}
    axes[0].stairs(np.log10(1 + outside), edges, **dashed, **black)
    ticks = 10 ** np.arange(len(str(gray.size)))
    axes[0].set_yticks(np.log10(1 + ticks), [f"{tick:,}" for tick in ticks])
    axes[0].set(ylabel="pixels (log scale)", title="inside and outside overlap")
    axes[1].stairs(100 * share, edges, **black)
    axes[1].set(ylabel="share [%]", title="share of each level that lies inside", ylim=(0, 102))
    styles = itertools.cycle((":", "--"))
    for (name, level), style in zip(thresholds.items(), styles, strict=False):
        look = {"color": COLOURS["baseline"], "linestyle": style, "linewidth": 2.5}
        for one in axes:
            one.axvline(level, label=f"{name}: {level}", **look)
    last = int(np.percentile(gray[gray > gray.min()], 99.5)) if np.ptp(gray) else 255
    for one in axes:
        one.set(xlabel="grey level", xlim=(-0.5, last + 0.5))
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=12)
    of_inside = 100 * inside[unsure].sum() / max(inside.sum(), 1)
    finding = f"{of_inside:.0f} % of the pixels inside have a level of which 10 to 90 % lie inside"
    return picture(fig, f"Grey levels inside and outside the skull overlap: {finding}.")


@in_look
def band_picture(
    image: np.ndarray,
    component: np.ndarray,
    mask: np.ndarray,
    truth: np.ndarray,
    ious: np.ndarray,
    lows: Sequence[int],
    highs: Sequence[int],
) -> Picture:
    """Show a band of grey levels: its component, its mask, and the scores of all bands.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    component : ndarray of shape (H, W), {0, 1}
        The largest component of the best band, before it is filled.
    mask, truth : ndarray of shape (H, W), {0, 1}
    ious : ndarray of shape (L, U)
        The score of every band.
    lows, highs : sequence of int
        The ends of the bands [grey levels].

    Returns
    -------
    Picture

    Examples
    --------
    >>> one = np.ones((4, 4))
    >>> band_picture(np.eye(4), one, one, one, np.array([[0.5, 0.9]]), [1], [6, 18]).alt
    'The mean IoU is highest, 0.900, for the band 1 … 18.'
    """
    fig = Figure(figsize=(PANELS_WIDTH_IN, 4.6))
    FigureCanvasAgg(fig)
    axes = fig.subplots(1, 3, width_ratios=(1, 1, 2.1))
    show(axes[0], image, "largest component of the band")
    painted = np.zeros((*component.shape, 4))
    painted[component > 0] = (*to_rgb(COLOURS["mask"]), 0.8)
    axes[0].imshow(painted, interpolation="antialiased")
    compare(axes[1], image, mask, truth, f"filled: IoU {iou(mask, truth):.4f}")
    zoom(axes[:2], image)
    row, column = np.unravel_index(ious.argmax(), ious.shape)
    _draw_table(axes[2], ious, lows, highs)
    frame = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False)
    frame.set(edgecolor=COLOURS["measured"], linewidth=4)
    axes[2].add_patch(frame)
    axes[2].set_title("mean IoU of every band; thick frame: the best")
    wrong = errors(mask, truth)
    visible_px = _VISIBLE_SHARE * np.count_nonzero(truth)
    to_see = [kind for kind, region in wrong.items() if np.count_nonzero(region) > visible_px]
    key(fig, ("mask", *to_see, "truth"))
    beside = ious[[near for near in (row - 1, row + 1) if 0 <= near < len(lows)], column]
    alt = f"The mean IoU is highest, {ious.max():.3f}, for the band {lows[row]} … {highs[column]}"
    if beside.size:
        alt += f"; another lower end can make it {beside.min():.3f}"
    return picture(fig, f"{alt}.")


def _draw_table(
    axes: Axes,
    ious: np.ndarray,
    lows: Sequence[int],
    highs: Sequence[int],
) -> None:
    """Write scores on shades of grey, the higher the brighter."""
    axes.imshow(ious, cmap="gray", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(ious.shape):
        dark = ious[row, column] < 0.5
        text = f"{ious[row, column]:.3f}".removeprefix("0")
        colour = "white" if dark else "black"
        axes.text(column, row, text, ha="center", va="center", size=10.5, color=colour)
    axes.set_xticks(range(len(highs)), list(highs))
    axes.set_yticks(range(len(lows)), list(lows))
    axes.tick_params(length=0)
    axes.set(xlabel="upper end [grey level]", ylabel="lower end [grey level]")
