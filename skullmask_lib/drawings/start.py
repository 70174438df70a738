"""Figures of lessons 00 and 01: what a slice shows, and what a threshold does to it.

They are drawn from arrays and tables; nothing here loads data or makes masks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..metrics import iou
from ..plots import (
    COLOURS,
    Picture,
    compare,
    errors,
    figure,
    histogram,
    in_look,
    key,
    picture,
    rim,
    show,
    zoom,
)


@in_look
def places_picture(
    head: np.ndarray,
    places: Mapping[str, tuple[int, int]],
    window: tuple[slice, slice],
    near_places: Mapping[str, tuple[int, int]],
    alt: str,
) -> Picture:
    """Name places of a whole head, and of a close-up of it for what is thin.

    Parameters
    ----------
    head : ndarray of shape (H, W)
    places : mapping of str to (row, column)
        Named on the whole head.
    window : pair of slice
        Rows and columns of the close-up; a box marks them on the head.
    near_places : mapping of str to (row, column)
        Named on the close-up.
    alt : str

    Returns
    -------
    Picture

    Examples
    --------
    >>> window = slice(0, 4), slice(0, 4)
    >>> places_picture(np.eye(9), {"far": (8, 8)}, window, {"near": (1, 1)}, "Two places.").alt
    'Two places.'
    """
    fig, (whole, near) = figure(2, height=4.6)
    fig.set_layout_engine("none")
    whole.set_position((0.12, 0.02, 0.28, 0.9))  # the names need the space between
    near.set_position((0.535, 0.02, 0.3, 0.9))
    show(whole, head, "the whole head")
    zoom([whole], head, margin=0.02)
    _name_places(whole, places, np.mean(whole.get_xlim()))
    show(near, head, "close-up of the box")
    rows, columns = window
    near.set(
        xlim=(columns.start - 0.5, columns.stop - 0.5),
        ylim=(rows.stop - 0.5, rows.start - 0.5),
    )
    _name_places(near, near_places, -np.inf)
    corner = columns.start - 0.5, rows.start - 0.5
    box = Rectangle(corner, columns.stop - columns.start, rows.stop - rows.start, fill=False)
    box.set(edgecolor="white", linewidth=2)
    whole.add_patch(box)
    return picture(fig, alt)


def _name_places(axes: Axes, places: Mapping[str, tuple[int, int]], middle: float) -> None:
    """Write names beside a slice, those of columns below ``middle`` on its left, with arrows."""
    left = {}
    right = {}
    for name, (row, column) in sorted(places.items(), key=lambda item: item[1]):
        side = left if column < middle else right
        side[name] = (column, row)
    _name_one_side(axes, left, place=-0.06, alignment="right")
    _name_one_side(axes, right, place=1.06, alignment="left")


def _name_one_side(
    axes: Axes,
    points: Mapping[str, tuple[int, int]],
    *,
    place: float,
    alignment: str,
) -> None:
    """Write names one below the other at a side of the axes; points are matplotlib's (x, y)."""
    heights = np.linspace(0.9, 0.1, len(points))
    for (name, point), height in zip(points.items(), heights, strict=True):
        axes.annotate(
            name,
            point,
            (place, height),
            textcoords="axes fraction",
            ha=alignment,
            va="center",
            arrowprops={
                "arrowstyle": "->",
                "color": "white",
                "linewidth": 1.8,
                "shrinkB": 0,
                "relpos": (1 if alignment == "right" else 0, 0.5),
                "path_effects": rim(4),
            },
        )


@in_look
def otsu_picture(gray: np.ndarray, variance: np.ndarray, threshold: int) -> Picture:
    """Draw what Otsu's method compares: the histogram, and below it the between-class variance.

    Parameters
    ----------
    gray : ndarray of shape (H, W), uint8
    variance : ndarray of shape (256,)
        Between-class variance at every threshold.
    threshold : int
        The one that was chosen.

    Returns
    -------
    Picture

    Examples
    --------
    >>> gray = np.array([[0, 200]], np.uint8)
    >>> otsu_picture(gray, np.arange(256) < 200, 0).alt
    'Histogram of a slice and between-class variance, which is highest at 0; Otsu takes 0.'
    """
    fig, (above, below) = figure(1, 2, width=9.0, height=5.0)
    histogram(above, gray, {"Otsu's threshold": threshold})
    above.set(xlabel="", ylabel="pixels (log scale)", title="histogram of the slice")
    look = {"color": COLOURS["measured"]}
    below.plot(variance, label="between-class variance", **look)
    below.plot(threshold, variance[threshold], "o", markersize=9, label="at the threshold", **look)
    below.set(xlim=above.get_xlim(), xlabel="grey level, 0 … 255", ylabel="variance [levels²]")
    below.legend(loc="upper right")
    highest = f"which is highest at {int(np.argmax(variance))}; Otsu takes {threshold}"
    return picture(fig, f"Histogram of a slice and between-class variance, {highest}.")


@in_look
def threshold_picture(
    image: np.ndarray,
    truth: np.ndarray,
    levels: Sequence[int],
    candidates: Sequence[np.ndarray],
) -> Picture:
    """Draw how a mask depends on its threshold, and the mask at the best one and one step lower.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    truth : ndarray of shape (H, W), {0, 1}
    levels : sequence of int
        Thresholds, ascending.
    candidates : sequence of ndarray of shape (H, W), {0, 1}
        The mask at each of them.

    Returns
    -------
    Picture

    Examples
    --------
    >>> image = np.array([[0, 1, 2, 3]])
    >>> truth = np.array([[0, 0, 1, 1]])
    >>> threshold_picture(image, truth, [0, 1, 2], [image > level for level in range(3)]).alt
    'The IoU is highest, 1.000, at threshold 1. One step lower it is 0.667, with more over-reach.'
    """
    true_area_px = max(np.count_nonzero(truth), 1)
    shares = {"IoU": [], "miss": [], "over-reach": []}
    for mask in candidates:
        for kind, region in errors(mask, truth).items():
            shares[kind].append(np.count_nonzero(region) / true_area_px)
        shares["IoU"].append(iou(mask, truth))
    best = int(np.argmax(shares["IoU"]))
    lower = max(best - 1, 0)
    fig, axes = figure(3, height=4.6)
    for name, style in (("IoU", "-"), ("miss", "--"), ("over-reach", ":")):
        colour = COLOURS["measured" if name == "IoU" else name]
        axes[0].plot(levels, shares[name], style, color=colour, label=name)
    axes[0].set(
        xlabel="threshold [grey level]",
        ylabel="IoU; errors as a share of the true area",
        ylim=(0, 1.02),
    )
    axes[0].legend(loc="upper right")
    for one, index in zip(axes[1:], (lower, best), strict=True):
        title = f"threshold {levels[index]}: IoU {shares['IoU'][index]:.3f}"
        compare(one, image, candidates[index], truth, title)
    zoom(axes[1:], image)
    key(fig)
    alt = f"The IoU is highest, {shares['IoU'][best]:.3f}, at threshold {levels[best]}."
    if lower < best:
        gain = shares["over-reach"][lower] - shares["over-reach"][best]
        change = "more over-reach" if gain > 0 else "no more over-reach"
        alt += f" One step lower it is {shares['IoU'][lower]:.3f}, with {change}."
    return picture(fig, alt)
