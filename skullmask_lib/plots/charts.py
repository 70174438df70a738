"""Curves, bars and histograms of scores, counts and grey levels."""

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..sweeps import Rung, Sweep
from .pictures import Picture, figure, picture
from .style import COLOURS, SCORE_NAMES, WIDTH_LABEL, in_look

_LABEL_CHARACTERS = 14  # fit below the bars of a version


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
    colour = COLOURS["measured"]
    mean = values.mean(axis=0)
    marker = ""
    if len(result.sizes) == 1:  # a single point has no line
        marker = "o" if score == "iou" else "s"
    look: dict[str, Any] = {"color": colour, "linestyle": linestyle, "marker": marker}
    axes.plot(result.sizes, values.T, alpha=0.25, lw=1.2, **look)
    axes.plot(result.sizes, mean, label=label, **look)
    if score == "iou":  # the width is chosen by it
        best = f"best mean: {result.best_size} px"
        axes.axvline(result.best_size, label=best, color=COLOURS["baseline"], linestyle=":", lw=1.8)
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
def ladder_picture(rungs: Sequence[Rung]) -> Picture:
    """Draw the ladder: published, phantom and other seeds side by side for every version.

    Parameters
    ----------
    rungs : sequence of Rung
        As from `sweeps.phantom_ladder`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> ladder_picture([Rung("v1", 0.73, 0.7309, 0.0009, 0.7349, "by construction")]).alt
    'Mean IoU, published and on the phantom: v1 0.73 and 0.731.'
    """
    fig, (axes,) = figure(width=11, height=4.2)
    places = np.arange(len(rungs))
    bars = (
        (-0.27, "published_iou", "published", "published", None),
        (0.0, "phantom_iou", "measured", "phantom", None),
        (0.27, "other_seeds_iou", "measured", "other seeds", "///"),
    )
    for shift, score, kind, label, hatch in bars:
        heights = [getattr(rung, score) for rung in rungs]
        digits = 2 if kind == "published" else 3
        look = {"color": COLOURS[kind], "label": label, "fill": hatch is None, "hatch": hatch}
        drawn = axes.bar(places + shift, heights, 0.26, **look)
        numbers = [_rounded(height, digits) for height in heights]
        axes.bar_label(drawn, numbers, fontsize=10, padding=3, rotation="vertical")
    axes.set_xticks(places, list(map(_ladder_label, rungs)), fontsize=10)
    axes.set(ylabel="mean IoU", ylim=(0, 1.25), yticks=np.linspace(0, 1, 6))
    fig.legend(loc="outside upper center", ncols=3, frameon=False)
    scores = []
    for rung in rungs:
        published = _rounded(rung.published_iou, 2) or "nothing"
        scores.append(f"{rung.version} {published} and {rung.phantom_iou:.3f}")
    return picture(fig, f"Mean IoU, published and on the phantom: {', '.join(scores)}.")


def _ladder_label(rung: Rung) -> str:
    """Write a version and, below it, its agreement in lines as narrow as three bars."""
    lines = [rung.version]
    for part in rung.agreement.split(", "):
        lines.extend(textwrap.wrap(part, _LABEL_CHARACTERS))
    return "\n".join(lines)


def _rounded(value: float, digits: int) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"


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
    whole = max(sum(counts.values()), 1)
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
