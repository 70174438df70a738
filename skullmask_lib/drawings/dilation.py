"""Figures of lessons 04 to 06: structuring elements, sweeps, and the reach that a skull needs.

They are drawn from arrays and tables; nothing here loads data or makes masks.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..plots import (
    COLOURS,
    SCORE_NAMES,
    WIDTH_LABEL,
    Picture,
    compare,
    figure,
    in_look,
    picture,
    show,
    sweep_curve,
    zoom,
)
from ..sweeps import Sweep


@in_look
def error_bars(axes: Axes, shares: Mapping[str, np.ndarray]) -> Axes:
    """Draw over-reach upwards and misses downwards: a group for each version, a bar for each slice.

    Parameters
    ----------
    axes : Axes
    shares : mapping of str to ndarray of shape (N, 2)
        Over-reach and miss of every slice [% of the true area], by version.

    Returns
    -------
    Axes

    Examples
    --------
    >>> shares = {"v1": np.array([[0, 30]]), "v2": np.array([[20, 0]])}
    >>> error_bars(figure()[1][0], shares).get_xlabel()
    'one slice for each version'
    """
    start = 0
    middles = []
    for index, slices in enumerate(shares.values()):
        over_reach, miss = np.asarray(slices, float).T
        places = start + np.arange(len(over_reach))
        look = {"width": 0.8, "label": None}
        axes.bar(places, over_reach, color=COLOURS["over-reach"], **look)
        axes.bar(places, -miss, color=COLOURS["miss"], **look)
        label = None if index else "area error: the difference"
        net = over_reach - miss
        axes.plot(places, net, "D", color=COLOURS["measured"], markeredgecolor="white", label=label)
        middles.append(places.mean())
        start = places[-1] + 2.5
    axes.axhline(0, color="black", linewidth=1.2)
    axes.set_xticks(middles, list(shares))
    count = len(next(iter(shares.values())))
    slices_of = "one slice" if count == 1 else f"{count} slices"
    axes.set(xlabel=f"{slices_of} for each version", ylabel=_ERROR_LABEL)
    axes.margins(y=0.2)
    axes.legend(loc="upper right")
    return axes


_ERROR_LABEL = "over-reach (up) and miss (down)\n[% of the true area]"


@in_look
def cut_out(
    axes: Axes,
    image: np.ndarray,
    mask: np.ndarray,
    truth: np.ndarray,
    *,
    overview: Axes,
    side_px: int = 48,
) -> Axes:
    """Enlarge a typical piece of a true outline, so that thin errors show, and say where it lies.

    Of all squares around a pixel of the outline it takes one with a median number of wrong pixels.

    Parameters
    ----------
    axes : Axes
    image : ndarray of shape (H, W)
    mask, truth : ndarray of shape (H, W), {0, 1}
    overview : Axes
        Shows the whole slice; the square is drawn on it.
    side_px : int
        Of the square.

    Returns
    -------
    Axes

    Examples
    --------
    >>> fig, (left, right) = figure(2)
    >>> truth = np.pad(np.ones((4, 4)), 4)
    >>> cut_out(right, truth, truth, truth, overview=left, side_px=5).get_title()
    'the square, enlarged'
    """
    wrong = ((mask > 0) != (truth > 0)).astype(np.float32)
    counts = cv2.boxFilter(wrong, -1, (side_px, side_px), borderType=cv2.BORDER_CONSTANT)
    solid = (truth > 0).astype(np.uint8)
    rows, columns = np.nonzero(solid - cv2.erode(solid, np.ones((3, 3), np.uint8)))
    row, column = truth.shape[0] // 2, truth.shape[1] // 2
    if rows.size:
        place = np.argsort(counts[rows, columns], kind="stable")[rows.size // 2]
        row, column = rows[place], columns[place]
    left, top = column - side_px / 2, row - side_px / 2
    compare(axes, image, mask, truth, "the square, enlarged")
    axes.set(xlim=(left, left + side_px), ylim=(top + side_px, top))
    overview.add_patch(
        Rectangle((left, top), side_px, side_px, fill=False, edgecolor="white", linewidth=1.5)
    )
    return axes


# The pointed ends of a colour bar: whether values lie below it, and above it
_BAR_ENDS = {
    (False, False): "neither",
    (True, False): "min",
    (False, True): "max",
    (True, True): "both",
}


@in_look
def coloured_outline(
    axes: Axes,
    image: np.ndarray,
    outline: np.ndarray,
    values: np.ndarray,
    *,
    title: str,
    label: str,
) -> Axes:
    """Show the pixels of an outline on a slice, coloured by a value, with a colour bar.

    Parameters
    ----------
    axes : Axes
    image : ndarray of shape (H, W)
    outline : ndarray of shape (H, W), bool
    values : ndarray of shape (P,)
        One for each pixel of the outline, in the order of ``image[outline]``.
    title, label : str
        Of the axes and of the colour bar.

    Returns
    -------
    Axes

    Examples
    --------
    >>> fig, (axes,) = figure()
    >>> diagonal = np.eye(3) > 0
    >>> coloured_outline(axes, np.eye(3), diagonal, np.arange(3), title="a", label="b").get_title()
    'a'
    """
    show(axes, image, title)
    zoom([axes], image)
    y, x = np.nonzero(outline)
    low, high = np.percentile(values, (2, 95))
    high = max(high, low + 0.1)
    dots = axes.scatter(x, y, c=values, s=14, cmap="plasma", vmin=low, vmax=high)
    beyond = values.min() < low, values.max() > high
    extend = _BAR_ENDS[beyond]
    bar = axes.get_figure().colorbar(dots, ax=axes, extend=extend, shrink=0.85)
    bar.set_label(label)
    return axes


@in_look
def elements_picture(widths_px: Sequence[int]) -> Picture:
    """Draw structuring elements, each with its anchor and its middle.

    Parameters
    ----------
    widths_px : sequence of int

    Returns
    -------
    Picture

    Examples
    --------
    >>> elements_picture([5, 6]).alt
    'Structuring elements: in the width of 5 px the anchor lies in the middle; in the width of ...'
    """
    fig, axes = figure(len(widths_px), width=11, height=4.5)
    widest = max(widths_px)
    places = []
    for one, width in zip(axes, widths_px, strict=True):
        element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
        sides = np.arange(width + 1)
        one.pcolormesh(sides, sides, element, cmap="Greys", vmax=2.5, edgecolors="0.75", lw=0.4)
        anchor = width // 2 + 0.5
        middle = width / 2
        dot = {"markersize": 13, "markerfacecolor": "none", "markeredgewidth": 2}
        one.plot(anchor, anchor, "o", color="black", label="anchor", **dot)
        one.plot(middle, middle, "+", color="black", markersize=9, mew=2, label="middle")
        one.set(title=f"width {width} px", aspect="equal", xlabel="column [px]")
        one.set(xlim=(0, widest), ylim=(widest, 0))
        offset = anchor - middle
        where = f"{offset:g} px below and to the right of" if offset else "in"
        places.append(f"in the width of {width} px the anchor lies {where} the middle")
    axes[0].set_ylabel("row [px]")
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2)
    return picture(fig, f"Structuring elements: {'; '.join(places)}.")


@in_look
def published_sweep_picture(
    result: Sweep,
    published: Mapping[str, float],
    *,
    name: str,
) -> Picture:
    """Draw a sweep beside the scores that the source published: all widths, and its widths alone.

    Parameters
    ----------
    result : Sweep
        Scores of all published widths among them.
    published : mapping of str to float
        From `project.published`.
    name : str
        Of the measured slices.

    Returns
    -------
    Picture

    Examples
    --------
    >>> scores = np.array([[0.8, 0.9, 0.8]])
    >>> published = {"iou_width_26": 0.98, "dice_width_26": 0.99}
    >>> sweep = Sweep(np.array([24, 26, 28]), scores, scores)
    >>> published_sweep_picture(sweep, published, name="phantom").alt
    'On phantom the mean IoU rises to 0.900 at 26 px and falls to 0.800 at 28 px; ...'
    """
    widths = [int(item.split("_")[-1]) for item in published if item.startswith("iou_width_")]
    sizes = result.sizes
    mean = result.iou.mean(axis=0)
    fig, (left, right) = figure(2, width=11, height=4.8)
    sweep_curve(left, result, label="mean (thin: each slice)")
    _published_points(left, published, "iou", "o", widths)
    left.set_title(f"all widths, {name}")
    left.legend(loc="lower right")
    near = (sizes >= min(widths) - 3) & (sizes <= max(widths) + 3)
    for score, marker, linestyle in (("iou", "o", "-"), ("dice", "s", "--")):
        look = {"color": COLOURS["measured"], "linestyle": linestyle, "marker": marker}
        means = getattr(result, score).mean(axis=0)[near]
        right.plot(
            sizes[near], means, markersize=4, label=f"{SCORE_NAMES[score]}, measured", **look
        )
        _published_points(right, published, score, marker, widths)
    right.set(title="the top, mean of the slices", xlabel=WIDTH_LABEL, ylabel="mean score")
    right.margins(y=0.35)
    right.legend(loc="lower center", ncols=2)
    alt = f"On {name} the mean IoU rises to {mean.max():.3f} at {result.best_size} px"
    if result.best_size == sizes[-1]:
        alt += ", the last width"
    else:
        alt += f" and falls to {mean[-1]:.3f} at {sizes[-1]} px"
    gap = max(abs(mean[list(sizes).index(w)] - published[f"iou_width_{w}"]) for w in widths)
    return picture(fig, f"{alt}; the published means differ from the curve by at most {gap:.3f}.")


def _published_points(
    axes: Axes,
    published: Mapping[str, float],
    score: str,
    marker: str,
    widths: Sequence[int],
) -> None:
    """Draw the published scores of some widths as open markers."""
    axes.plot(
        widths,
        [published[f"{score}_width_{width}"] for width in widths],
        linestyle="none",
        marker=marker,
        markersize=10,
        markerfacecolor="none",
        markeredgewidth=2.2,
        color=COLOURS["published"],
        label=f"{SCORE_NAMES[score]}, published",
    )


@in_look
def reach_picture(
    image: np.ndarray,
    outline: np.ndarray,
    needed_px: np.ndarray,
    *,
    reaches_px: Mapping[str, int],
    title: str,
) -> Picture:
    """Show which reach of a dilation each place of an outline needs: on the slice, and as counts.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    outline : ndarray of shape (H, W), bool
    needed_px : ndarray of shape (P,)
        One for each pixel of the outline, in the order of ``image[outline]``.
    reaches_px : mapping of str to int
        Reaches to mark, the first as measured, the second as published; by name.
    title : str

    Returns
    -------
    Picture

    Examples
    --------
    >>> needed_px = np.array([1.0, 2.0, 3.0])
    >>> reach_picture(
    ...     np.eye(3), np.eye(3) > 0, needed_px, reaches_px={"v6": 2}, title="slice 0"
    ... ).alt
    'slice 0: half of the outline needs a reach between 1.5 and 2.5 px, and 5 % more than 2.9 px.'
    """
    fig, (left, right) = figure(2, width=11, height=4.8)
    label = "reach needed [px]"
    coloured_outline(left, image, outline, needed_px, title=title, label=label)
    steps = np.arange(needed_px.max() + 2) - 0.5
    right.hist(needed_px, bins=steps, color="0.8", label="true outline")
    looks = (("measured", "-"), ("published", "--"))[: len(reaches_px)]
    for (name, reach), (kind, style) in zip(reaches_px.items(), looks, strict=True):
        look = {"color": COLOURS[kind], "linestyle": style, "linewidth": 2.5}
        right.axvline(reach, label=f"{name}: reach {reach} px", **look)
    right.set(xlabel=label, ylabel="pixels of the true outline", title="one reach does not fit all")
    right.legend(loc="upper right")
    low, high, last = np.percentile(needed_px, (25, 75, 95))
    middle = f"half of the outline needs a reach between {low:.1f} and {high:.1f} px"
    return picture(fig, f"{title}: {middle}, and 5 % more than {last:.1f} px.")
