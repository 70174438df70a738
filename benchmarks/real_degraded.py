"""v8, v9 and v9's network alone on degraded slices: a part of ``make real-heads``.

Every slice of the real heads is masked as it is and after each of the degradations that the quality
is measured on. Their quality says which masks to distrust. The folder that SKULLMASK_REAL names
holds the heads, as ``slices/*.npz``; they are not part of the project. The table goes to
data/real_degraded.csv, a row for each method and treatment.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import scripts
from degradations import DEGRADATIONS, Slice, Treatment, unchanged
from real_heads import command_line, make_table, network_mask
from real_quality import CLEARLY_OFF_IOU, GOOD_IOU, NONE, real_slices
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import polar, tables, versions

TABLE = Path(__file__).parents[1] / "data" / "real_degraded.csv"
HEADER = (
    "treatment",
    "method",
    "slices",
    "iou",
    "iou_min",
    "off",
    "off_trusted",
    "good",
    "good_trusted",
    "date",
    "version",
)
NETWORK = "network alone"
SUMMARY_HEADER = (
    "method",
    "as they are",
    "degraded",
    "degraded slices",
    "IoU < 0.93",
    "of these above the limit",
    "IoU ≥ 0.95",
    "of these above the limit",
)
Row = dict[str, object]
Judged = tuple[np.ndarray, float]  # a mask and its quality

TREATMENTS: dict[str, Treatment] = {NONE: unchanged} | DEGRADATIONS


def by_version(version: str) -> Callable[[Slice], Judged]:
    """Return a function that masks a slice with a version and judges the mask."""
    return lambda one: versions.mask_and_quality(one.image, version, spacing_mm=one.spacing_mm)


def by_network(one: Slice) -> Judged:
    """Mask a slice with the network alone and judge the mask."""
    mask = network_mask(one.image, one.spacing_mm)
    return mask, sm.quality(one.image, mask, spacing_mm=one.spacing_mm)


METHODS = {"v8": by_version("v8"), NETWORK: by_network, "v9": by_version("v9")}


def row_of(treatment: str, method: str, slices: Iterable[Slice]) -> Row:
    """Score a method on degraded slices."""
    treat = TREATMENTS[treatment]
    make = METHODS[method]
    scores = []
    qualities = []
    for one in slices:
        treated = treat(one)
        mask, quality = make(treated)
        scores.append(sm.iou(mask, treated.truth))
        qualities.append(quality)
    iou = np.array(scores)
    is_trusted = np.array(qualities) >= polar.TRUSTED
    is_off = iou < CLEARLY_OFF_IOU
    is_good = iou >= GOOD_IOU
    return {
        "treatment": treatment,
        "method": method,
        "slices": len(iou),
        **scripts.iou_cells(scores),
        "off": int(is_off.sum()),
        "off_trusted": int((is_off & is_trusted).sum()),
        "good": int(is_good.sum()),
        "good_trusted": int((is_good & is_trusted).sum()),
    }


def measure(folder: Path) -> list[Row]:
    """Score all methods with every treatment on the heads of a folder of ``.npz`` files."""
    slices = []
    for file in scripts.files_of(folder):
        slices.extend(one for _, one in real_slices(file))
    rows = []
    for treatment in tqdm(TREATMENTS, leave=False, disable=None):
        rows.extend(row_of(treatment, method, slices) for method in METHODS)
    return rows


def summary(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """Sum up every method: a row for each, as `SUMMARY_HEADER`."""
    table = []
    for method in METHODS:
        own = scripts.select(rows, method=method)
        [as_they_are] = scripts.numbers(scripts.select(own, treatment=NONE), "iou")
        degraded = [row for row in own if row["treatment"] != NONE]
        mean = float(np.mean(scripts.numbers(degraded, "iou")))
        counts = []
        for count in ("slices", "off", "off_trusted", "good", "good_trusted"):
            counts.append(round(sum(scripts.numbers(degraded, count))))
        table.append((method, as_they_are, mean, *counts))
    return table


def main() -> None:
    options = command_line(__doc__, TABLE)
    rows = make_table(options, HEADER, measure)
    print(tables.markdown(summary(rows), SUMMARY_HEADER).data)


if __name__ == "__main__":
    scripts.run(main)
