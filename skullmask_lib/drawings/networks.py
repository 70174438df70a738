"""Figures of lesson 30: what labelled slices and random images are worth to a network.

They are drawn from arrays and tables; nothing here loads data, trains or makes masks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from ..plots import COLOURS, Picture, figure, in_look, outline, picture, show

Points = Mapping[float, Sequence[float]]

# Closer ticks of a logarithmic axis would run into each other
_CLOSEST_TICKS = 1.6


@in_look
def curves_picture(
    panels: Mapping[str, Mapping[str, Points]],
    levels: Mapping[str, Mapping[str, float]],
    xlabel: str,
    alt: str,
    *,
    lowest: float = 0.5,
) -> Picture:
    """Draw scores against a number on a logarithmic axis, side by side, with levels to reach.

    Parameters
    ----------
    panels : mapping of str to mapping of str to points
        By title, and by the name of a curve (at most two): the scores of repeated trainings at each
        number. The curve is their mean, the band reaches from the lowest to the highest.
    levels : mapping of str to mapping of str to float
        By title, and by name: a score that does not depend on the number.
    xlabel, alt : str
    lowest : float
        Where the axis of the scores begins.

    Returns
    -------
    Picture

    Examples
    --------
    >>> panels = {"phantoms": {"network": {1: [0.8, 0.9], 10: [0.9, 0.92]}}}
    >>> curves_picture(panels, {"phantoms": {"v8": 0.95}}, "slices", "a curve").alt
    'a curve'
    """
    fig, axes = figure(len(panels), width=11, height=4.6)
    for one, (title, curves) in zip(axes, panels.items(), strict=True):
        looks = (("o-", COLOURS["measured"]), ("s--", COLOURS["baseline"]))[: len(curves)]
        for (name, points), (style, colour) in zip(curves.items(), looks, strict=True):
            _draw_points(one, points, name, style, colour)
        numbers = sorted({number for points in curves.values() for number in points})
        _draw_levels(one, levels[title])
        one.set(xscale="log", xlabel=xlabel, ylim=(lowest, 1), title=title)
        ticks = _apart(numbers)
        one.set_xticks(ticks, [f"{number:g}" for number in ticks])
        one.minorticks_off()
    axes[0].set_ylabel("mean IoU")
    axes[-1].legend(loc="lower right")
    return picture(fig, alt)


def _apart(numbers: Sequence[float]) -> list[float]:
    """Choose the numbers that are far enough from the next, from the largest down."""
    chosen: list[float] = []
    for number in reversed(numbers):
        if not chosen or number * _CLOSEST_TICKS <= chosen[-1]:
            chosen.append(number)
    return chosen


def _draw_points(axes: Axes, points: Points, name: str, style: str, colour: str) -> None:
    """Draw the means of repeated scores as a line, and their range as a band."""
    numbers = list(points)
    means = [np.mean(scores) for scores in points.values()]
    lows = [min(scores) for scores in points.values()]
    highs = [max(scores) for scores in points.values()]
    axes.fill_between(numbers, lows, highs, color=colour, alpha=0.2, linewidth=0)
    axes.plot(numbers, means, style, color=colour, label=name)


def _draw_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    """Draw a line for each level, with its name beside the axes."""
    highest = max(levels.values(), default=0)
    for name, level in levels.items():
        axes.axhline(level, color=COLOURS["baseline"], linestyle=":", linewidth=2, zorder=0)
        above = "bottom" if level == highest else "top"
        look = {"fontsize": 11, "va": above, "transform": axes.get_yaxis_transform()}
        axes.text(1.01, level, f"{name} {level:.3f}", **look)


@in_look
def gallery_picture(
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    alt: str,
    *,
    columns: int = 6,
) -> Picture:
    """Show many small slices in rows, each with the outline of its true mask.

    Parameters
    ----------
    images, masks : sequence of N ndarrays of shape (H, W)
        Shapes may differ from slice to slice.
    alt : str
    columns : int
        N is a multiple of it.

    Returns
    -------
    Picture

    Examples
    --------
    >>> slices = [np.pad(np.ones((4, 4)), 2)] * 2
    >>> gallery_picture(slices, slices, "two squares", columns=2).alt
    'two squares'
    """
    rows = len(images) // columns
    fig, axes = figure(columns, rows, width=11, height=2.3 * rows)
    for one, image, mask in zip(axes, images, masks, strict=True):
        show(one, image, white_percentile=100)
        outline(one, mask, "truth")
    return picture(fig, alt)
