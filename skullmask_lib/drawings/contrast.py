"""Figures of lessons 09 and 10: changes of contrast, and crops.

They are drawn from arrays and tables; nothing here loads data or makes masks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from ..plots import (
    COLOURS,
    Picture,
    errors,
    figure,
    grey_of,
    head_window,
    in_look,
    key,
    panels,
    picture,
    plot,
    plot_panel,
    show,
    slice_panel,
    zoom,
)


@in_look
def tone_picture(
    slices: Mapping[str, np.ndarray],
    curves: Mapping[str, np.ndarray],
    noise: float,
    alt: str,
) -> Picture:
    """Draw a slice after several changes of contrast, and the tone curves of these changes.

    Parameters
    ----------
    slices : mapping of str to ndarray of shape (H, W)
        By title. All show the window of the first.
    curves : mapping of str to ndarray of shape (L,)
        By name (at most three): the new brightness of L old ones, evenly spaced; both run from 0 to
        1.
    noise : float
        99% of the air lies below this brightness before the change, 0 … 1; marked on every curve.
    alt : str
        See `picture`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> tone_picture({"a slice": np.eye(9)}, {"no change": np.linspace(0, 1, 9)}, 0.1, "a line").alt
    'a line'
    """
    fig, axes = figure(len(slices) + 1, height=4)
    *places, plot_axes = axes
    for one, (title, image) in zip(places, slices.items(), strict=True):
        show(one, image, title)
    zoom(places, next(iter(slices.values())), margin=0.25)
    colour = COLOURS["measured"]
    looks = ("o-", colour, 7), ("D--", colour, 5), ("o:", "none", 14)
    for (name, curve), (style, face, size) in zip(
        curves.items(), looks[: len(curves)], strict=True
    ):
        before = np.linspace(0, 100, curve.size)
        after = 100 * curve[round(noise * (curve.size - 1))]
        mark = {"markerfacecolor": face, "markersize": size, "clip_on": False}
        label = f"{name}: {after:.1f}%"
        plot_axes.plot(before, 100 * curve, style[1:], color=colour, linewidth=1.8)
        plot_axes.plot(100 * noise, after, style, color=colour, label=label, **mark)
    plot_axes.set(xlabel="brightness before [%]", ylabel="brightness after [%]")
    plot_axes.set(xlim=(0, 100), ylim=(0, 103), title="tone curves")
    legend = plot_axes.get_legend_handles_labels()
    place = {"loc": "outside lower center", "ncols": 3, "frameon": False, "fontsize": 11}
    fig.legend(*legend, title="99% of the air lies below the mark", title_fontsize=11, **place)
    return picture(fig, alt)


@in_look
def contrast_picture(
    before: np.ndarray,
    after: np.ndarray,
    mask: np.ndarray,
    truth: np.ndarray,
    *,
    titles: tuple[str, str],
    thresholds: tuple[int, int],
    alt: str,
) -> Picture:
    """Draw a slice before and after a change of contrast, both histograms, and a mask's errors.

    Parameters
    ----------
    before, after : ndarray of shape (H, W), uint8
    mask, truth : ndarray of shape (H, W), {0, 1}
        The mask was made from the slice after the change.
    titles : pair of str
        Of the slice after the change, and of the mask.
    thresholds : pair of int
        Otsu's threshold before and after [grey levels].
    alt : str
        See `picture`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> slices = np.eye(8, dtype=np.uint8), np.eye(8, dtype=np.uint8)
    >>> masks = np.eye(8), np.eye(8)
    >>> names = {"titles": ("the same", "its mask"), "thresholds": (0, 0)}
    >>> contrast_picture(*slices, *masks, **names, alt="no change").alt
    'no change'
    """
    fig, frames = panels(1, 1, 1.6, 1, height=4)
    window = head_window(before, margin=0.25)
    slice_panel(fig, frames[0], before, "before", window=window)
    slice_panel(fig, frames[1], after, f"after: {titles[0]}", window=window)
    histograms = plot(frames[2], lambda axes: _histograms(axes[0], before, after, thresholds))
    plot_panel(fig, frames[2], histograms, "histograms")
    kinds = errors(mask, truth)
    outlined = {"truth": truth}
    slice_panel(fig, frames[3], after, titles[1], window=window, kinds=kinds, outlined=outlined)
    key(fig)
    return picture(fig, alt, mask=np.uint8(mask > 0))


def _histograms(
    axes: Axes,
    before: np.ndarray,
    after: np.ndarray,
    thresholds: tuple[int, int],
) -> None:
    """Draw two histograms of grey levels over each other, each with its threshold."""
    colours = "0.6", COLOURS["measured"]
    names = "before", "after"
    bins = np.arange(0, 257, 8)
    for gray, name, colour in zip((before, after), names, colours, strict=True):
        pixels, _ = np.histogram(gray, bins)
        filled = name == "before"
        percent = 100 * pixels / gray.size
        axes.stairs(percent, bins, fill=filled, color=colour, linewidth=1.4, label=name)
    for threshold, name, colour in zip(thresholds, names, colours, strict=True):
        label = f"Otsu, {name}: {threshold}"
        axes.axvline(threshold, color=colour, linestyle="--", linewidth=2, label=label)
    axes.set(yscale="log", ylim=(0.01, 400), xlim=(0, 256), xlabel="grey level, 0 … 255")
    axes.set_ylabel("pixels [%]")
    axes.set_yticks((0.01, 0.1, 1, 10, 100), ("0.01", "0.1", "1", "10", "100"))
    axes.minorticks_off()
    axes.legend(loc="upper right", fontsize=10)


@in_look
def change_picture(
    changes: Mapping[str, Mapping[str, Sequence[float]]],
    sets: Sequence[str],
    alt: str,
    *,
    unsure: float = 0.01,
) -> Picture:
    """Draw by how much each treatment changes each method's score, set by set.

    Parameters
    ----------
    changes : mapping of str to mapping of str to sequence of float
        By method, and by treatment (at most three): the change on every set.
    sets : sequence of str
        Names of the sets.
    alt : str
        See `picture`.
    unsure : float
        Changes up to this size are shaded: a traced truth cannot tell them from none.

    Returns
    -------
    Picture

    Examples
    --------
    >>> change_picture({"v8": {"CLAHE": [0.01, -0.02]}}, ["chris", "oms01"], "two changes").alt
    'two changes'
    """
    fig, axes = figure(len(changes), height=1.6 + 0.27 * len(sets))
    places = np.arange(len(sets))
    for one, (method, treatments) in zip(axes, changes.items(), strict=True):
        one.axvspan(-unsure, unsure, color="0.88", zorder=0, label=f"within {unsure:g}")
        one.axvline(0, color="0.5", linewidth=1.2, zorder=0)
        looks = (("o", "none"), ("D", None), ("s", "none"))[: len(treatments)]
        for (treatment, values), (marker, face) in zip(treatments.items(), looks, strict=True):
            colour = COLOURS["measured"]
            look = {"color": colour, "markerfacecolor": face or colour, "markersize": 7}
            one.plot(values, places, marker, label=treatment, **look)
        one.set_yticks(places, sets if one is axes[0] else [""] * len(sets))
        one.set(xlabel="change of the mean IoU", title=method)
        one.invert_yaxis()
    legend = axes[0].get_legend_handles_labels()
    fig.legend(*legend, loc="outside lower center", ncols=4, frameon=False, fontsize=11)
    return picture(fig, alt)


def veiled(
    image: np.ndarray,
    box: tuple[slice, slice],
) -> np.ndarray:
    """Lay a grey veil over everything outside of a box, so that dark air shows what is cut off.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    box : pair of slice
        Rows and columns.

    Returns
    -------
    ndarray of shape (H, W), float32
        Brightness to draw, 0 … 1.

    Examples
    --------
    >>> veiled(np.array([[0.0, 0, 1, 1]]), (slice(0, 1), slice(1, 3))).tolist()
    [[0.4000000059604645, 0.0, 1.0, 0.800000011920929]]
    """
    gray = grey_of(image.astype(float))
    shown = 0.4 + 0.4 * gray
    shown[box] = gray[box]
    return shown.astype(np.float32)


@in_look
def crop_picture(
    image: np.ndarray,
    box: tuple[slice, slice],
    masks: tuple[np.ndarray, np.ndarray],
    truth: np.ndarray,
    *,
    titles: tuple[str, str, str],
    alt: str,
) -> Picture:
    """Draw a slice with the box of a crop, the mask of the whole slice, and that of the crop.

    Parameters
    ----------
    image, truth : ndarray of shape (H, W)
    box : pair of slice
        Rows and columns.
    masks : pair of ndarray of shape (H, W), {0, 1}
        Of the whole slice, and of the crop, the latter in its place in the whole slice.
    titles : three str
        Of the box and of the two masks.
    alt : str
        See `picture`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> image = np.pad(np.ones((4, 4)), 2)
    >>> box = slice(1, 7), slice(1, 7)
    >>> titles = "a box", "whole", "cropped"
    >>> crop_picture(image, box, (image, image), image, titles=titles, alt="a crop").alt
    'a crop'
    """
    whole_mask, cropped_mask = masks
    fig, frames = panels(1, 1, 1, height=4.8)
    outlined = {"truth": truth}
    slice_panel(fig, frames[0], veiled(image, box), titles[0], white_percentile=100)
    kinds = errors(whole_mask, truth)
    slice_panel(fig, frames[1], image, titles[1], kinds=kinds, outlined=outlined)
    kinds = {kind: error[box] for kind, error in errors(cropped_mask, truth).items()}
    slice_panel(fig, frames[2], image[box], titles[2], kinds=kinds, outlined={"truth": truth[box]})
    key(fig)
    return picture(fig, alt, mask=np.uint8(cropped_mask > 0))
