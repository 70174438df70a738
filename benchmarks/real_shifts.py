"""On which side of the truth outlines lie, on real heads: a part of ``make real-heads``.

The masks of v8, of v9 and of the network alone are grown and shrunk by constants, and scored again.
A constant chosen with the truth is no method. It shows which part of an error is the same all the
way round, and whether one constant could help all heads. The folder that SKULLMASK_REAL names holds
the heads, as ``slices/*.npz``; they are not part of the project. The table goes to
data/real_shifts.csv.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import real_heads
import scripts
from real_degraded import NETWORK
from real_heads import Rows, command_line, make_table, network_mask, sequence_of
from scipy import ndimage
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import metrics, tables

TABLE = Path(__file__).parents[1] / "data" / "real_shifts.csv"
HEADER = (
    "head",
    "sequence",
    "truth",
    "method",
    "slices",
    "outward_mm",
    "shift_mm",
    "iou",
    "date",
    "version",
)
METHODS = ("v8", "v9", NETWORK)
# Outwards is positive
SHIFTS_MM = (-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75)
# How the truth of a head was made, by the beginning of its name; see data/README.md
TRUTHS = {
    "brainweb": "exact, BrainWeb",
    "sim": "exact, from label maps",
    "chris": "traced",
    "oms": "traced",
}
ALL = "all"
MEANS_HEADER = ("truth", "method", "sets", "outward_mm", "IoU", "IoU, each set moved")


def truth_of(head: str) -> str:
    """Say how the truth of a head was made, by its name."""
    for beginning, truth in TRUTHS.items():
        if head.startswith(beginning):
            return truth
    raise sm.InputError(f"expected a name that begins with one of {', '.join(TRUTHS)}", head)


def moved(mask: np.ndarray, shift_mm: float, spacing_mm: Sequence[float]) -> np.ndarray:
    """Move the outline of a mask outwards, or inwards by a negative shift."""
    inside = mask > 0
    half_pixel_mm = np.mean(spacing_mm) / 2  # from the centre of a pixel to its side
    outside_mm = ndimage.distance_transform_edt(~inside, spacing_mm) - half_pixel_mm
    inside_mm = ndimage.distance_transform_edt(inside, spacing_mm) - half_pixel_mm
    distance_mm = np.where(inside, -inside_mm, outside_mm)
    return (distance_mm <= shift_mm).astype(np.uint8)


def masks_of(method: str, data: sm.Data) -> Iterable[np.ndarray]:
    """Make the masks of a version, or of the network alone."""
    if method == NETWORK:
        return map(network_mask, data.images, data.spacing_mm)
    return real_heads.masks_of(method, data, 0.0)  # a version has no constant


def measure_head(method: str, data: sm.Data) -> tuple[float, list[float]]:
    """Measure how far out the outlines of a head lie [mm], and the mean IoU after each shift."""
    outward_mm = []
    ious = []
    slices = zip(masks_of(method, data), data.truth, data.spacing_mm, strict=True)
    for mask, truth, spacing_mm in slices:
        outward_mm.append(metrics.outward_mm(mask, truth, spacing_mm))
        ious.append([sm.iou(moved(mask, shift_mm, spacing_mm), truth) for shift_mm in SHIFTS_MM])
    return float(np.mean(outward_mm)), np.mean(ious, axis=0).tolist()


def measure(folder: Path) -> Rows:
    """Measure every method on every head of a folder of ``.npz`` files."""
    rows = []
    for file in tqdm(scripts.files_of(folder), unit="head", leave=False, disable=None):
        data = sm.load(file)
        for method in METHODS:
            outward_mm, ious = measure_head(method, data)
            known = {
                "head": file.stem,
                "sequence": sequence_of(file.stem),
                "truth": truth_of(file.stem),
                "method": method,
                "slices": len(data.images),
                "outward_mm": round(outward_mm, 2),
            }
            for shift_mm, iou in zip(SHIFTS_MM, ious, strict=True):
                rows.append(known | {"shift_mm": shift_mm, "iou": round(iou, 4)})
    return rows


def moved_by(shift_mm: float, rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Choose the rows of one shift; it is a number as measured, and a text in a file."""
    return [row for row in rows if float(row["shift_mm"]) == shift_mm]


def means(rows: Sequence[dict[str, object]]) -> list[tuple[object, ...]]:
    """Average over the sets of each kind of truth, and over all: a row for each and each method.

    The last column moves the outlines of every set by the one shift that suits this set best.
    """
    table = []
    for truth in (*dict.fromkeys(TRUTHS.values()), ALL):
        of_truth = rows if truth == ALL else scripts.select(rows, truth=truth)
        for method in METHODS:
            of_method = scripts.select(of_truth, method=method)
            as_they_are = moved_by(0.0, of_method)
            best = []
            for row in as_they_are:
                of_head = scripts.select(of_method, head=row["head"])
                best.append(max(scripts.numbers(of_head, "iou")))
            outward_mm = float(np.mean(scripts.numbers(as_they_are, "outward_mm")))
            iou = float(np.mean(scripts.numbers(as_they_are, "iou")))
            row = (truth, method, len(as_they_are), outward_mm, iou, float(np.mean(best)))
            table.append(row)
    return table


def by_shift(rows: Sequence[dict[str, object]], method: str) -> dict[float, float]:
    """Average the IoU over all sets after each shift, the same for all."""
    of_method = scripts.select(rows, method=method)
    ious = {}
    for shift_mm in SHIFTS_MM:
        ious[shift_mm] = float(np.mean(scripts.numbers(moved_by(shift_mm, of_method), "iou")))
    return ious


def main() -> None:
    options = command_line(__doc__, TABLE)
    rows = make_table(options, HEADER, measure)
    print(tables.markdown(means(rows), MEANS_HEADER).data)


if __name__ == "__main__":
    scripts.run(main)
