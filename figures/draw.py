"""Draw the figures that the README shows: ``make figures``."""

import csv
from pathlib import Path

import skullmask_lib as sm
from skullmask_lib import drawings, plots
from skullmask_lib.project import project_folder

SLICE = 2
TESTS = {"varied phantoms": "other phantoms, T1", "real heads": "real heads: T1, T2, FLAIR"}


def journey() -> plots.Picture:
    """Show what every version of the journey misses and where it reaches too far."""
    data = sm.load("phantom")
    image, truth = data.images[SLICE], data.truth[SLICE]
    fig, axes = plots.figure(4, 2, width=11.5, height=7.2)
    plots.outline(plots.show(axes[0], image, "the slice and its true skull mask"), truth)
    for axis, (version, make) in zip(axes[1:], list(sm.VERSIONS.items())[:7], strict=True):
        mask = make(image)
        plots.compare(axis, image, mask, truth, f"{version}: IoU {sm.iou(mask, truth):.2f}")
    plots.zoom(axes, image)
    plots.key(fig)
    return plots.picture(
        fig, "One phantom slice, its true skull mask, and the masks of v1 to v7 compared with it."
    )


def read(name: str) -> list[dict[str, str]]:
    """Read a table of the folder data."""
    with open(project_folder("data") / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def network() -> plots.Picture:
    """Show how a network gets better with labelled slices, beside v7, v8 and one without labels."""
    panels = {title: {"augmented": {}, "not augmented": {}} for title in TESTS.values()}
    levels = {title: {} for title in TESTS.values()}
    for row in read("learning_curve.csv"):
        title = TESTS[row["test"]]
        if row["method"] != "network":
            levels[title][row["method"].partition(",")[0]] = float(row["iou"])
            continue
        name = "augmented" if row["augmented"] == "yes" else "not augmented"
        panels[title][name].setdefault(int(row["labelled"]), []).append(float(row["iou"]))
    [alone] = [
        float(row["iou"])
        for row in read("real_degraded.csv")
        if (row["treatment"], row["method"]) == ("none", "network alone")
    ]
    levels[TESTS["real heads"]]["no label"] = alone
    return drawings.curves_picture(
        panels,
        levels,
        "labelled slices of phantoms",
        "Mean IoU of a network against the number of labelled slices, with v7 and v8 as lines.",
        lowest=0.7,
    )


if __name__ == "__main__":
    for draw in (journey, network):
        Path(__file__).with_name(f"{draw.__name__}.png").write_bytes(draw().png)
