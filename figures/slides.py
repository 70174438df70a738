"""Draw six figures for a projector, 16 : 9 with large type: ``make figures``.

A figure is drawn on a small page with many dots per inch, so that type and lines are large.
"""

import csv
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import skullmask_lib as sm
from skullmask_lib import plots, polar, sweeps

FOLDER = Path(__file__).with_name("slides")
DATA = Path(__file__).resolve().parents[1] / "data"
SLICE = 2
WIDTH_IN, HEIGHT_IN = 8.0, 4.5
DPI = 200
MANY_WIDTHS = range(2, 61, 2)
TOO_NARROW, TOO_WIDE = 10, 46  # [px]
LABELLED = 3  # points of the scatter that have a name


def _page(columns: int = 1, rows: int = 1) -> tuple[Figure, np.ndarray]:
    fig, axes = plots.figure(columns, rows, width=WIDTH_IN, height=HEIGHT_IN)
    fig.set_dpi(DPI)
    return fig, axes


def _slide(fig: Figure, title: str) -> plots.Picture:
    fig.suptitle(title, fontsize=17, weight="bold")
    return plots.picture(fig, title)


def _phantom() -> tuple[np.ndarray, np.ndarray]:
    data = sm.load("phantom")
    return data.images[SLICE], data.truth[SLICE]


def _rows_of(name: str) -> list[dict[str, str]]:
    with open(DATA / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@plots.in_look
def journey() -> plots.Picture:
    """Show what every version of the journey misses and where it reaches too far."""
    image, truth = _phantom()
    fig, axes = _page(4, 2)
    plots.outline(plots.show(axes[0], image, "truth"), truth)
    for axis, (version, make) in zip(axes[1:], list(sm.VERSIONS.items())[:7], strict=True):
        mask = make(image)
        plots.compare(axis, image, mask, truth, f"{version}: {sm.iou(mask, truth):.2f}")
    plots.zoom(axes, image)
    plots.key(fig)
    return _slide(fig, "Seven versions, and the IoU of each")


@plots.in_look
def over_reach() -> plots.Picture:
    """Show a mask that is too small, the best one, and one that is too large."""
    image, truth = _phantom()
    best_px = round(sm.published()["kernel_width_px"])
    fig, axes = _page(3)
    for axis, width_px in zip(axes, (TOO_NARROW, best_px, TOO_WIDE), strict=True):
        mask = sm.v7(image, dilation_size=width_px)
        title = f"{width_px} px: IoU {sm.iou(mask, truth):.2f}"
        plots.compare(axis, image, mask, truth, title)
    plots.zoom(axes, image)
    plots.key(fig)
    return _slide(fig, "Two ways to be wrong: miss and over-reach")


@plots.in_look
def dilation() -> plots.Picture:
    """Show the score against the width of the structuring element."""
    data = sm.load("phantom")
    result = sweeps.sweep(data.images, data.truth, sizes=MANY_WIDTHS)
    fig, (axes,) = _page()
    plots.sweep_curve(axes, result, label="mean (thin: each slice)")
    axes.set_ylim(0.7, 1.0)
    axes.legend(loc="lower right")
    return _slide(fig, "One number was chosen: the width")


@plots.in_look
def boundary() -> plots.Picture:
    """Show the two paths of v8 on the unwrapped head, and the mask."""
    data = sm.load("phantom")
    image = data.images[SLICE]
    spacing_mm = tuple(data.spacing_mm[SLICE])
    head = polar.unwrap(image, spacing_mm)
    stages = sm.trace("v8", image, spacing_mm=spacing_mm)
    fig, axes = _page(2)
    plots.outline(plots.show(axes[0], image, "the slice"), stages["filled"], "path")
    plots.zoom(axes[:1], image)
    depth_mm = polar.STEP_MM * head.brightness.shape[1]
    axes[1].imshow(
        head.brightness.T,
        extent=(0, polar.ANGLES, depth_mm, 0),
        aspect="auto",
        cmap="gray",
        vmin=0,
        vmax=1.5,
        interpolation="antialiased",
    )
    for name, style in (("path", "-"), ("inner edge", ":")):
        depths_mm = polar.STEP_MM * (np.asarray(stages[name]) + 0.5)
        axes[1].plot(depths_mm, style, color=plots.COLOURS["path"], label=name)
    axes[1].set(ylim=(25, 0), xlabel="angle [degrees]", ylabel="below the skin [mm]")
    axes[1].set_xticks(range(0, polar.ANGLES + 1, 90))
    axes[1].set_title("unwrapped")
    axes[1].legend(loc="lower right", frameon=True)
    return _slide(fig, "v8 follows two edges all the way round")


@plots.in_look
def baselines() -> plots.Picture:
    """Show the mean IoU of v7, of a baseline and of v8 on all sets of real heads."""
    shown = {
        "v7, 26 px": "v7",
        "v7, 11 mm": "v7, width in mm",
        "head, eroded": "filled head, eroded",
        "v8": "v8",
    }
    rows = _rows_of("real_heads.csv")
    fig, (axes,) = _page()
    for place, (label, method) in enumerate(shown.items()):
        scores = [float(row["iou"]) for row in rows if row["method"] == method]
        kind = "baseline" if "eroded" in method else "measured"
        axes.barh(label, np.mean(scores), height=0.62, color=plots.COLOURS[kind])
        axes.text(1.03, place, f"{np.mean(scores):.2f}", va="center")
        jitter = np.linspace(-0.2, 0.2, len(scores)) + place
        axes.plot(scores, jitter, "o", color="white", markeredgecolor="black", markersize=5)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.12), xlabel=f"mean IoU; points: each of {len(scores)} sets of slices")
    return _slide(fig, "What carried the score? A baseline beats v7")


@plots.in_look
def network() -> plots.Picture:
    """Show v9, which asks a network, beside v8 on slices that were spoiled in many ways."""
    ious: dict[str, dict[str, float]] = {}
    for row in _rows_of("real_degraded.csv"):
        ious.setdefault(row["treatment"], {})[row["method"]] = float(row["iou"])
    fig, (axes,) = _page()
    v8 = np.array([row["v8"] for row in ious.values()])
    v9 = np.array([row["v9"] for row in ious.values()])
    low = min(v8.min(), v9.min()) - 0.08
    axes.plot([low, 1], [low, 1], ":", color=plots.COLOURS["baseline"], label="as good as v8")
    axes.plot(v8, v9, "o", color=plots.COLOURS["measured"], label="a way to spoil slices")
    unspoilt = ious["none"]
    axes.plot(
        unspoilt["v8"],
        unspoilt["v9"],
        "D",
        color="white",
        markeredgecolor="black",
        markersize=9,
        label="slices as they are",
    )
    names = np.array(list(ious))
    for rank, index in enumerate(np.argsort(v8)[:LABELLED]):
        place = (v8[index], v9[index])
        side, shift = ("left", 7) if rank % 2 else ("right", -7)
        axes.annotate(names[index], place, (shift, -4), textcoords="offset points", ha=side)
    axes.set(xlabel="mean IoU of v8", ylabel="mean IoU of v9")
    axes.legend(loc="lower right")
    return _slide(fig, "A network helps where the edge is lost")


SLIDES = {
    "1_journey": journey,
    "2_over_reach": over_reach,
    "3_dilation": dilation,
    "4_boundary": boundary,
    "5_baselines": baselines,
    "6_network": network,
}


def main() -> None:
    """Write all slides."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in SLIDES.items():
        (FOLDER / f"{name}.png").write_bytes(draw().png)


if __name__ == "__main__":
    main()
