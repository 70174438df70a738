"""Why v7 fails on real heads, slice by slice: a part of ``make real-heads``.

The heads are those of real_heads.py. v7 runs with its width in millimetres. Then one thing after
another is mended with the help of the truth, and each time the IoU is measured again. What a step
gains is what its cause had cost. A row of data/real_causes.csv is a slice.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scripts
from real_heads import command_line, make_table, published_width_mm, sequence_of, width_px
from scipy import ndimage
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import masks, metrics, tables, versions

TABLE = Path(__file__).parents[1] / "data" / "real_causes.csv"
JOINED = "brain joined to scalp"
SCALP = "scalp in place of brain"
SPLIT = "brain split"
DARK = "dark fluid"
BRIGHT = "bright fluid"
WIDTH = "width alone"
CAUSES = (JOINED, SCALP, SPLIT, DARK, BRIGHT, WIDTH)
# What v7 did on a slice:
# outside        share of its component outside of the true skull mask
# held           share of what is bright and deep in the skull that its component holds
# gap_mm         median distance from the skull's true surface to its component
# brain_gap_mm   the same to the true brain; blank where that is not known, as the next
# rim_brightness of the dark part of the brain that the component lacks; 1: the brain's bright half
# over_reach, miss   of the mask, as parts of the true area
QUANTITIES = ("outside", "held", "gap_mm", "brain_gap_mm", "rim_brightness", "over_reach", "miss")
# The IoU of v7 with its width in mm, then with one thing after another mended: every bright part
# of the brain beside the component; the scalp black before the threshold; the true brain in place
# of the component; the constant that suits the set best, then the slice; last, the IoU of v8
CHAIN = (
    "iou_v7",
    "iou_unsplit",
    "iou_no_scalp",
    "iou_true_brain",
    "iou_set",
    "iou_slice",
    "iou_v8",
)
# The last two constants once more, but with v7's own component
OWN_COMPONENT = ("iou_own_set", "iou_own_slice")
HEADER = (
    "head",
    "sequence",
    "kind",
    "slice",
    "cause",
    *QUANTITIES,
    *CHAIN,
    *OWN_COMPONENT,
    "date",
    "version",
)
SIMULATED = ("brainweb", "sim")
# Bone is thinner than this, so that what is bright below it is brain
DEEP_MM = 12.0
CONSTANTS_MM = np.arange(0.5, 24.1, 0.5)

Row = dict[str, object]


def kind_of(head: str) -> str:
    """Say whether a head was scanned or simulated."""
    return "simulated" if head.startswith(SIMULATED) else "scan"


def cause_of(
    row: Row,
    *,
    most_outside: float = 0.05,
    least_held: float = 0.95,
    most_gap_mm: float = 1.0,
) -> str:
    """Name what v7 did on a slice by its measured quantities; the first cause that fits counts."""
    if row["outside"] > most_outside:
        return JOINED if row["held"] > 0.5 else SCALP
    if row["held"] < least_held:
        return SPLIT
    if row["brain_gap_mm"] == "":
        return WIDTH
    wider_mm = row["gap_mm"] - row["brain_gap_mm"]
    if wider_mm > most_gap_mm:
        return DARK
    return BRIGHT if wider_mm < -most_gap_mm else WIDTH


def share(part: np.ndarray, whole: np.ndarray) -> float:
    """Return which share of a region belongs to a part, 0 if there is no region."""
    return float((part & whole).sum() / max(whole.sum(), 1))


def gap_mm(region: np.ndarray, truth: np.ndarray, spacing_mm: np.ndarray) -> float:
    """Return the median distance from the skull's true surface to a region [mm]."""
    is_surface = metrics.surface_of(truth) > 0
    distance_mm = ndimage.distance_transform_edt(~region, sampling=spacing_mm)
    return float(np.median(distance_mm[is_surface]))


@dataclass(frozen=True)
class Slice:
    """One slice, its truth, and what v7 makes of it before it dilates."""

    image: np.ndarray
    truth: np.ndarray
    brain: np.ndarray | None
    spacing_mm: np.ndarray
    size_px: int
    gray: np.ndarray
    bright: np.ndarray
    at_frame: np.ndarray
    component: np.ndarray


def slice_of(data: sm.Data, index: int, width_mm: float) -> Slice:
    """Take one slice out of a set, and run v7 on it up to where it dilates."""
    spacing_mm = data.spacing_mm[index]
    stages = versions.brain_and_scalp(data.images[index])
    return Slice(
        image=data.images[index],
        truth=data.truth[index].astype(bool),
        brain=None if data.brain is None else data.brain[index].astype(bool),
        spacing_mm=spacing_mm,
        size_px=width_px(width_mm, spacing_mm),
        gray=stages["gray"],
        bright=stages["bright"].astype(bool),
        at_frame=stages["scalp"].astype(bool),
        component=stages["brain"].astype(bool),
    )


def finished_iou(one: Slice, grown: np.ndarray) -> float:
    """Finish v7 from where it has dilated, and score the mask."""
    mask = masks.fill_holes((grown & ~one.at_frame).astype(np.uint8))
    return sm.iou(mask, one.truth)


def iou_of(one: Slice, region: np.ndarray) -> float:
    """Score v7 with a region in place of its component."""
    grown = masks.dilate(region.astype(np.uint8), one.size_px)
    return finished_iou(one, grown.astype(bool))


def ious_at_constants(one: Slice, region: np.ndarray) -> list[float]:
    """Score a region that is dilated by each of the constants."""
    distance_mm = ndimage.distance_transform_edt(~region, sampling=one.spacing_mm)
    return [finished_iou(one, distance_mm <= constant_mm) for constant_mm in CONSTANTS_MM]


def bright_without_scalp(one: Slice) -> np.ndarray:
    """Return what is above Otsu's threshold once everything outside of the skull is black."""
    gray = one.gray * one.truth
    return gray > masks.otsu_threshold(gray)


def rim_brightness(one: Slice) -> float | str:
    """Compare the dark part of the brain that the component lacks with the brain's bright half."""
    filled = masks.fill_holes(one.component.astype(np.uint8)).astype(bool)
    rim = one.brain & ~filled & ~one.bright
    if not rim.any():
        return ""
    levels = one.gray[one.brain]
    return float(np.median(one.gray[rim]) / np.median(levels[levels > np.median(levels)]))


def quantities(one: Slice) -> Row:
    """Measure what v7 took for the brain, and where its mask is wrong."""
    depth_mm = ndimage.distance_transform_edt(one.truth, sampling=one.spacing_mm)
    deep = one.bright & (depth_mm > DEEP_MM)
    mask = sm.v7(one.image, dilation_size=one.size_px).astype(bool)
    area_px = one.truth.sum()
    row = {
        "outside": share(~one.truth, one.component),
        "held": share(one.component, deep),
        "gap_mm": gap_mm(one.component, one.truth, one.spacing_mm),
        "brain_gap_mm": "",
        "rim_brightness": "",
        "over_reach": float((mask & ~one.truth).sum() / area_px),
        "miss": float((one.truth & ~mask).sum() / area_px),
    }
    if one.brain is not None:
        row["brain_gap_mm"] = gap_mm(one.brain, one.truth, one.spacing_mm)
        row["rim_brightness"] = rim_brightness(one)
    return row


def chain(one: Slice) -> Row:
    """Score v7, then mend one thing after another; the steps between need the true brain."""
    row = dict.fromkeys(CHAIN, "")
    row["iou_v7"] = iou_of(one, one.component)
    row["iou_v8"] = sm.iou(sm.v8(one.image, spacing_mm=one.spacing_mm), one.truth)
    if one.brain is None:
        return row
    bright = bright_without_scalp(one)
    largest = masks.largest_component(bright.astype(np.uint8)).astype(bool)
    row["iou_unsplit"] = iou_of(one, one.component | (one.bright & one.brain))
    row["iou_no_scalp"] = iou_of(one, largest | (bright & one.brain))
    row["iou_true_brain"] = iou_of(one, one.brain)
    return row


def best_constants(slices: list[Slice], regions: list[np.ndarray]) -> list[tuple[float, float]]:
    """Score each slice with the constant that suits its set best, and with the one of its own."""
    pairs = zip(slices, regions, strict=True)
    ious = np.array([ious_at_constants(one, region) for one, region in pairs])
    of_set = ious[:, ious.mean(axis=0).argmax()]
    return list(zip(of_set.tolist(), ious.max(axis=1).tolist(), strict=True))


def measure_head(head: str, data: sm.Data) -> list[Row]:
    """Make the rows of one set of slices."""
    width_mm = published_width_mm()
    slices = [slice_of(data, index, width_mm) for index in range(len(data.images))]
    own = best_constants(slices, [one.component for one in slices])
    of_brain = [("", "")] * len(slices)
    if data.brain is not None:
        of_brain = best_constants(slices, [one.brain for one in slices])
    rows = []
    for index, one in enumerate(slices):
        row = {"head": head, "sequence": sequence_of(head), "kind": kind_of(head), "slice": index}
        row |= quantities(one) | chain(one)
        row["iou_set"], row["iou_slice"] = of_brain[index]
        row["iou_own_set"], row["iou_own_slice"] = own[index]
        row["cause"] = cause_of(row)
        rows.append(row)
    return rows


def measure(folder: Path) -> list[Row]:
    """Make the rows of all heads of a folder of ``.npz`` files."""
    files = scripts.files_of(folder)
    rows = []
    for file in tqdm(files, unit="head", leave=False, disable=None):
        rows.extend(map(rounded, measure_head(file.stem, sm.load(file))))
    return rows


def rounded(row: Row) -> Row:
    """Round the floats of a row as the table holds them."""
    cells = {}
    for key, value in row.items():
        cells[key] = round(value, 4) if isinstance(value, float) else value
    return cells


def summary(rows: list[Row]) -> list[tuple[object, ...]]:
    """Count the slices of each cause, scans and simulated images apart."""
    table = []
    for kind in ("scan", "simulated"):
        for cause in CAUSES:
            ious = scripts.numbers(scripts.select(rows, kind=kind, cause=cause), "iou_v7")
            table.append((kind, cause, len(ious), float(np.mean(ious)) if ious else np.nan))
    return table


def main() -> None:
    options = command_line(__doc__, TABLE)
    rows = make_table(options, HEADER, measure)
    print(tables.markdown(summary(rows), ("kind", "cause", "slices", "IoU of v7")).data)


if __name__ == "__main__":
    scripts.run(main)
