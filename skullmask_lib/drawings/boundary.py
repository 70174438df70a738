"""Figures of lesson 08: a ray, the sets of real heads, and the quality of spoiled slices.

They are drawn from arrays and tables, or read as they were stored; nothing here makes masks.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from .. import polar
from ..plots import (
    COLOURS,
    Picture,
    figure,
    in_look,
    picture,
)


@in_look
def ray_picture(
    layers: Sequence[tuple[str, float, float]],
    price: np.ndarray,
    stops: Mapping[str, float],
    alt: str,
) -> Picture:
    """Draw the brightness and the price along one ray, with the depths where rules stop.

    Parameters
    ----------
    layers : sequence of (name, thickness, brightness)
        From the skin inwards; thickness [mm], brightness as a part of the brain's.
    price : ndarray of shape (D,)
        One every `polar.STEP_MM` below the skin.
    stops : mapping of str to float
        At most four names and depths [mm], each drawn as a line. The first one is drawn in the
        colour of a path.
    alt : str
        See `picture`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> layers = ("scalp", 4, 1.4), ("bone", 5, 0.1), ("brain", 20, 1.0)
    >>> ray_picture(layers, np.arange(20), {"lowest price": 0.0}, "a ray").pixels.shape
    (336, 880, 3)
    """
    fig, axes = figure(2)
    names, thicknesses_mm, levels = zip(*layers, strict=True)
    ends_mm = np.cumsum(thicknesses_mm)
    starts_mm = ends_mm - thicknesses_mm
    deepest_mm = starts_mm[-1] + 6
    highest = max(levels)
    axes[0].stairs(levels, [0, *ends_mm], color=COLOURS["measured"], linewidth=2)
    for name, start_mm, end_mm in zip(names, starts_mm, ends_mm, strict=True):
        middle_mm = (start_mm + min(end_mm, deepest_mm)) / 2
        axes[0].text(middle_mm, 1.05 * highest, name, rotation=90, ha="center", fontsize=11)
    depths_mm = polar.STEP_MM * np.arange(price.size)
    axes[1].step(depths_mm, price, where="post", color=COLOURS["measured"], linewidth=2)
    styles = zip(stops.items(), ("-", "--", ":", "-.")[: len(stops)], strict=True)
    for one in axes:
        one.set(xlim=(0, deepest_mm), xlabel="depth below the skin [mm]")
        one.vlines(ends_mm, *one.get_ylim(), color="0.88", linewidth=1.2, zorder=0)
    for (name, depth_mm), style in styles:
        colour = COLOURS["path" if style == "-" else "measured"]
        for one in axes:
            label = f"{name}: {depth_mm:g} mm"
            one.axvline(depth_mm, color=colour, linestyle=style, linewidth=2.5, label=label)
        price_at_depth = price[round(depth_mm / polar.STEP_MM)]
        text = f"{price_at_depth:.2f}".replace("-", "−")
        axes[1].annotate(text, (depth_mm + 0.8, price_at_depth), va="center", fontsize=11)
    axes[0].set(ylim=(0, 1.45 * highest), ylabel="brightness, 1 is the brain's")
    axes[0].set_yticks(np.arange(0, highest + 0.1, 0.2))
    axes[1].set(ylabel="price, low is good")
    fig.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=len(stops))
    return picture(fig, alt)


_LEAST_LACKING = 0.004  # of a perfect IoU; a logarithmic axis has no zero


@in_look
def sets_picture(
    scores: Mapping[str, Mapping[str, float]],
    sets: Mapping[str, bool],
    alt: str,
    *,
    baselines: Sequence[str] = (),
    tolerance: float = 0.01,
) -> Picture:
    """Draw how much each method lacks of a perfect IoU on each set of slices.

    Parameters
    ----------
    scores : mapping of str to mapping of str to float
        Method to set to IoU. Around the last method a band shows the tolerance. Above 0.996 an IoU
        is drawn at the left end.
    sets : mapping of str to bool
        The sets from top to bottom, and whether the truth of each is exact. The band is drawn
        where it is not.
    alt : str
        See `picture`.
    baselines : sequence of str
        The methods that are drawn as baselines.
    tolerance : float
        How far an IoU against traced truth can be trusted.

    Returns
    -------
    Picture

    Examples
    --------
    >>> scores = {"v7": {"a": 0.9, "b": 0.8}, "v8": {"a": 0.98, "b": 0.99}}
    >>> sets_picture(scores, {"a": True, "b": False}, "two sets").alt
    'two sets'
    """
    fig, (axes,) = figure(height=1.8 + 0.32 * len(sets))
    rows = {name: row for row, name in enumerate(sets)}
    looks = {
        "measured": itertools.cycle(itertools.product("o^v", ("none", "full"))),
        "baseline": itertools.cycle(itertools.product("sPX", ("full", "none"))),
    }
    for method, ious in scores.items():
        role = "baseline" if method in baselines else "measured"
        marker, face = next(looks[role])
        is_last = method == list(scores)[-1]
        axes.plot(
            [max(1 - iou, _LEAST_LACKING) for iou in ious.values()],
            [rows[name] for name in ious],
            linestyle="none",
            marker="D" if is_last else marker,
            fillstyle="full" if is_last else face,
            color=COLOURS[role],
            markersize=13 if is_last else 9,
            markeredgewidth=2,
            label=method,
            clip_on=False,  # at the left end, too, a marker is whole
            zorder=3,
        )
    label = f"{list(scores)[-1]} ± {tolerance:g}, where the truth was traced"
    for name, iou in list(scores.values())[-1].items():
        if not sets[name]:
            lacking = 1 - iou
            left = max(lacking - tolerance, 1e-3)
            bottom = rows[name] - 0.4
            axes.broken_barh(
                [(left, lacking + tolerance - left)], (bottom, 0.8), color="0.87", label=label
            )
            label = None
    xlabel = "1 − mean IoU (logarithmic): left is better"
    axes.set(xscale="log", xlim=(_LEAST_LACKING, 1.1), xlabel=xlabel)
    ticks = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(sets)), list(sets))
    axes.invert_yaxis()
    fig.legend(loc="outside upper center", ncols=3, frameon=False)
    return picture(fig, alt)


@in_look
def trust_picture(
    curves: Sequence[tuple[str, Sequence[float], Sequence[float], Sequence[float]]],
    xlabels: Sequence[str],
    alt: str,
) -> Picture:
    """Draw IoU and quality of a slice that is spoiled more and more, in one way or another.

    Parameters
    ----------
    curves : sequence of (title, amounts, IoUs, qualities)
        One panel each. Amounts run from left to right in the order they come in.
    xlabels : sequence of str
        What was done, with its unit.
    alt : str
        See `picture`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> noise = "noise", [0, 1], [1.0, 0.5], [0.7, 0.1]
    >>> trust_picture([noise], ["noise [%]"], "worse").alt
    'worse'
    """
    fig, axes = figure(len(curves), height=3.8)
    for one, xlabel, (title, amounts, ious, qualities) in zip(axes, xlabels, curves, strict=True):
        look = {"color": COLOURS["measured"], "markersize": 7}
        one.plot(amounts, ious, "o-", label="IoU: needs the truth", **look)
        one.plot(
            amounts, qualities, "s--", fillstyle="none", label="quality: needs no truth", **look
        )
        trusted = f"below {polar.TRUSTED:g}: look at the mask"
        one.axhline(polar.TRUSTED, color=COLOURS["baseline"], linestyle=":", label=trusted)
        one.set(title=title, xlabel=xlabel, ylim=(-0.03, 1.05))
        if amounts[0] > amounts[-1]:
            one.invert_xaxis()
    axes[0].set_ylabel("IoU, quality")
    handles = axes[0].get_legend_handles_labels()
    fig.legend(*handles, loc="outside upper center", ncols=3, frameon=False)
    return picture(fig, alt)


def stored_picture(path: Path, alt: str) -> Picture:
    """Read a figure that is kept as a file, in 64 colours to keep stored notebooks small.

    Parameters
    ----------
    path : Path
        Of a picture, such as ``figures/real_heads.png``.
    alt : str
        What it shows, see `Picture`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> from skullmask_lib.project import project_folder
    >>> stored_picture(project_folder("figures") / "real_heads.png", "four scans").pixels.shape[2]
    3
    """
    figure_of_file = Image.open(path).convert("RGB")
    few = figure_of_file.quantize(
        64,
        method=Image.Quantize.MAXCOVERAGE,
        kmeans=1,
        dither=Image.Dither.NONE,
    )
    return Picture(np.asarray(few.convert("RGB")), alt)
