"""v8, v9 and v9's network alone on degraded slices: a part of ``make real-heads``.

Every slice of the real heads is masked as it is and after each of the degradations that the quality
is measured on. The folder that SKULLMASK_REAL names holds the heads, as ``slices/*.npz``; they are
not part of the project. The table goes to data/real_degraded.csv, a row for each method and
treatment.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from degradations import DEGRADATIONS, Slice, Treatment, unchanged
from real_heads import command_line, files_of, write
from real_quality import CLEARLY_OFF_IOU, NONE, real_slices
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import learned, tables

TABLE = Path(__file__).parents[1] / "data" / "real_degraded.csv"
HEADER = ("treatment", "method", "slices", "iou", "iou_min", "off", "date", "version")
NETWORK = "network alone"
SUMMARY_HEADER = ("method", "as they are", "degraded", "IoU < 0.93", "of degraded slices")
Row = dict[str, object]

TREATMENTS: dict[str, Treatment] = {NONE: unchanged} | DEGRADATIONS


def by_version(version: str) -> Callable[[Slice], np.ndarray]:
    """Return a function that masks a slice with a version."""
    return lambda one: sm.VERSIONS[version](one.image, spacing_mm=one.spacing_mm)


def by_network(one: Slice) -> np.ndarray:
    """Mask a slice with the network alone: the largest piece that is probably inside, filled."""
    return learned.most_probable_mask(learned.inside_probability(one.image, one.spacing_mm))


METHODS = {"v8": by_version("v8"), NETWORK: by_network, "v9": by_version("v9")}


def row_of(treatment: str, method: str, slices: Iterable[Slice]) -> Row:
    """Score a method on degraded slices."""
    treat = TREATMENTS[treatment]
    make = METHODS[method]
    ious = []
    for one in slices:
        treated = treat(one)
        ious.append(sm.iou(make(treated), treated.truth))
    return {
        "treatment": treatment,
        "method": method,
        "slices": len(ious),
        "iou": round(float(np.mean(ious)), 4),
        "iou_min": round(min(ious), 4),
        "off": sum(iou < CLEARLY_OFF_IOU for iou in ious),
    }


def measure(folder: Path, *, progress: bool = False) -> list[Row]:
    """Score all methods with every treatment on the heads of a folder of ``.npz`` files."""
    slices = []
    for file in files_of(folder):
        slices.extend(one for _, one in real_slices(file))
    rows = []
    for treatment in tqdm(TREATMENTS, leave=False, disable=None if progress else True):
        rows.extend(row_of(treatment, method, slices) for method in METHODS)
    return rows


def summary(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """Sum up every method: a row for each, as `SUMMARY_HEADER`."""
    table = []
    for method in METHODS:
        own = [row for row in rows if row["method"] == method]
        [as_they_are] = [float(row["iou"]) for row in own if row["treatment"] == NONE]
        degraded = [row for row in own if row["treatment"] != NONE]
        mean = float(np.mean([float(row["iou"]) for row in degraded]))
        off = sum(int(row["off"]) for row in degraded)
        count = sum(int(row["slices"]) for row in degraded)
        table.append((method, as_they_are, mean, off, count))
    return table


def main() -> None:
    options = command_line(__doc__, TABLE)
    with warnings.catch_warnings():
        # Warnings are for users; here the scores speak
        warnings.simplefilter("ignore", sm.InputWarning)
        rows = measure(options.heads, progress=True)
    write(rows, HEADER, options.output)
    print(tables.markdown(summary(rows), SUMMARY_HEADER).data)


if __name__ == "__main__":
    main()
