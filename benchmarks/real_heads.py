"""Every version on real heads, beside two anchors that look for no skull: ``make real-heads``.

The folder that SKULLMASK_REAL names holds the heads, as ``slices/*.npz``; they are not part of the project. The
constants of the anchors are the best there are, chosen with the truth: the erosion once for all heads, the dilation for
each. The table goes to data/real_heads.csv, the figure to figures/real_heads.png.
"""

import argparse
import csv
import datetime
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import datasets, masks, plots, polar, versions

TABLE = Path(__file__).parents[1] / "data" / "real_heads.csv"
FIGURE = Path(__file__).parents[1] / "figures" / "real_heads.png"
ERODED, DILATED = "filled head, eroded", "true brain, dilated"
WIDE = "v7, width in mm"  # the published width on the phantom's pixels, carried over to the pixels of each head
MEASURES = ("iou", "iou_min", "assd_mm", "hd95_mm")
HEADER = ("head", "sequence", "method", "constant_mm", "slices", *MEASURES, "at_edge", "date", "version")
SHOWN = {"chris": 2, "oms01": 2, "oms01_FLAIR": 2, "oms01_T2W": 0}  # head and slice of the figure
ALT = (
    "A slice of four real heads with the masks of v7, its width in mm, and of v8 compared with the true ones. On the "
    "T1 of oms01 v7 finds next to nothing, on the other three it misses bone or reaches into the scalp; v8 is right "
    "but for slivers."
)
CONSTANTS_MM = np.arange(0.5, 16.1, 0.5)


def sequence_of(head: str) -> str:
    """Read the sequence off a head's name; those without one are T1."""
    return {"FLAIR": "FLAIR", "T2W": "T2"}.get(head.rpartition("_")[2], "T1")


def summary(made: np.ndarray, data: sm.Data) -> dict[str, float]:
    """Average the scores over the slices; the worst slice stands beside the mean."""
    scores = sm.score_slices(made, data.truth, data.spacing_mm)
    ious = [score["iou"] for score in scores]
    means = {key: float(np.mean([score[key] for score in scores])) for key in ("assd_mm", "hd95_mm")}
    return {"iou": float(np.mean(ious)), "iou_min": min(ious)} | means


def eroded(data: sm.Data, constant_mm: float) -> list[np.ndarray]:
    """Peel a constant layer off the head that v8 finds."""
    heads = (polar.unwrap(image, mm) for image, mm in zip(data.images, data.spacing_mm, strict=True))
    return [polar.fill_outline(head, np.full(polar.ANGLES, constant_mm / polar.STEP_MM)) for head in heads]


def dilated(data: sm.Data, constant_mm: float) -> list[np.ndarray]:
    """Grow the true brain by a constant and fill it."""
    return [
        masks.fill_holes((ndimage.distance_transform_edt(brain == 0, sampling=mm) <= constant_mm).astype(np.uint8))
        for brain, mm in zip(data.brain, data.spacing_mm, strict=True)
    ]


def best_constant(make: Callable[[sm.Data, float], list[np.ndarray]], heads: list[sm.Data]) -> float:
    """Find the constant [mm] with the best mean IoU over the heads."""

    def mean_iou(constant_mm: float) -> float:
        return np.mean([[sm.iou(*pair) for pair in zip(make(d, constant_mm), d.truth, strict=True)] for d in heads])

    return float(max(CONSTANTS_MM, key=mean_iou))


def width_mm() -> float:
    """Give the published width in millimetres: what it is on the phantom."""
    return versions.options_of("v7")["dilation_size"] * float(sm.load("phantom").spacing_mm[0, 0])


def width_px(spacing_mm: np.ndarray) -> int:
    return round(width_mm() / float(spacing_mm.mean()))


def rows_of(head: str, data: sm.Data, erosion_mm: float) -> Iterator[dict[str, object]]:
    """Score every version and both anchors on one head."""

    def row(method: str, made: Iterable[np.ndarray], constant_mm: float | str = "") -> dict[str, object]:
        scores = {key: round(value, 4) for key, value in summary(made, data).items()}
        return {"head": head, "sequence": sequence_of(head), "method": method, "constant_mm": constant_mm} | scores

    for version in sm.VERSIONS:
        yield row(version, sm.mask_slices(data.images, names=data.names, version=version, spacing_mm=data.spacing_mm))
    wide = (sm.v7(image, dilation_size=width_px(mm)) for image, mm in zip(data.images, data.spacing_mm, strict=True))
    yield row(WIDE, wide, round(width_mm(), 2))
    yield row(ERODED, eroded(data, erosion_mm), erosion_mm)
    if data.brain is not None:
        dilation_mm = best_constant(dilated, [data])
        yield row(DILATED, dilated(data, dilation_mm), dilation_mm)


def at_edge(data: sm.Data) -> int:
    """Count the slices on which a bright component touches the frame."""
    return sum(bool(versions.brain_and_scalp(image)["scalp"].any()) for image in data.images)


def measure(folder: Path, *, progress: bool = False) -> list[dict[str, object]]:
    """Score every version on every head of a folder of ``.npz`` files."""
    heads = {file.stem: sm.load(file) for file in sorted(folder.glob("*.npz"))}
    if not heads:
        raise sm.InputError(f"{folder}: expected .npz files of heads, found none")
    erosion_mm = best_constant(eroded, list(heads.values()))
    rows = []
    for head, data in tqdm(heads.items(), unit="head", leave=False, disable=None if progress else True):
        touched = at_edge(data)
        rows += [found | {"slices": len(data.images), "at_edge": touched} for found in rows_of(head, data, erosion_mm)]
    return rows


def means(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """Average over the heads, a row for each method."""
    table = []
    for method in dict.fromkeys(row["method"] for row in rows):
        of = [row for row in rows if row["method"] == method]
        values = {key: [float(row[key]) for row in of] for key in MEASURES}
        worst = min(values["iou"]), min(values["iou_min"])
        assd_mm, hd95_mm = (float(np.mean(values[key])) for key in MEASURES[2:])
        table.append((method, len(of), float(np.mean(values["iou"])), *worst, assd_mm, hd95_mm))
    return table


def pictures(folder: Path) -> plots.Picture:
    """Show one slice of each of four heads with the masks of v7 and of v8."""
    fig, axes = plots.figure(len(SHOWN), 2, width=10.5, height=7)
    for column, (head, index) in enumerate(SHOWN.items()):
        data = sm.load(folder / f"{head}.npz")
        image, truth, mm = data.images[index], data.truth[index], data.spacing_mm[index]
        made = {"v7": sm.v7(image, dilation_size=width_px(mm)), "v8": sm.v8(image, spacing_mm=mm)}
        for row, (version, mask) in enumerate(made.items()):
            name = f"{head.partition('_')[0]}, {sequence_of(head)}\n" if row == 0 else ""
            shown = axes[row * len(SHOWN) + column]
            plots.compare(shown, image, mask, truth, f"{name}{version}: IoU {sm.iou(mask, truth):.2f}")
    plots.key(fig)
    return plots.picture(fig, ALT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given = os.environ.get("SKULLMASK_REAL")
    parser.add_argument("--heads", type=Path, default=given and Path(given, "slices"), help="folder of .npz heads")
    parser.add_argument("-o", "--output", type=Path, default=TABLE, help="the CSV")
    options = parser.parse_args()
    if options.heads is None:
        sys.exit("real_heads: SKULLMASK_REAL is not set, and no folder given with --heads")
    cv2.setNumThreads(1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*the mask is empty")  # an empty mask scores 0, which is what counts here
        rows = measure(options.heads, progress=True)
    stamp = {"date": datetime.date.today().isoformat(), "version": sm.__version__}
    with datasets.replacing(options.output) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | stamp for row in rows)
    if options.output == TABLE:
        FIGURE.write_bytes(pictures(options.heads).png)
    print(plots.table(means(rows), ("method", "heads", "IoU", "worst head", "worst slice", "ASSD_mm", "HD95_mm")).data)


if __name__ == "__main__":
    main()
