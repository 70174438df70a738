"""How far the quality of a mask can be trusted: a part of ``make real-heads``.

v8 masks real slices as they are, degraded, and cut by the frame, and drawn heads with marrow as
they are and degraded; wrong masks of real slices are judged beside them. The area under the ROC
curve says how well the quality tells bad masks from the others. The folder that SKULLMASK_REAL
names holds the heads, as ``slices/*.npz``; they are not part of the project. The table goes to
data/real_quality.csv, a row for each mask.
"""

import itertools
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import marrow
import numpy as np
import scripts
from degradations import CROPS, DEGRADATIONS, Slice, Treatment, offsets_mm, random_angle, unchanged
from real_heads import command_line, make_table
from scipy import ndimage, stats
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import phantom, polar, tables, versions
from skullmask_lib.boundary import BOUNDARY_VERSIONS

TABLE = Path(__file__).parents[1] / "data" / "real_quality.csv"
HEADER = ("group", "head", "slice", "treatment", "iou", "quality", "date", "version")
Row = dict[str, object]
# Contrast, marrow [mm], its brightness and the seed of a drawn head
Drawn = tuple[str, float, float, int]

AS_IT_IS = "as it is"
DEGRADED = "degraded"
MARROW = "marrow"
CUT = "cut by the frame"
WRONG = "wrong on purpose"
# v8 masked these whole heads, so they count together
TOGETHER = "these three together"
OF_V8 = (AS_IT_IS, DEGRADED, MARROW)
GROUPS = (*OF_V8, TOGETHER, CUT, WRONG)

NONE = "none"
TREATMENTS: dict[str, dict[str, Treatment]] = {
    AS_IT_IS: {NONE: unchanged},
    DEGRADED: DEGRADATIONS,
    CUT: CROPS,
}
# So many degradations of each drawn slice
DEGRADATIONS_OF_MARROW = 2

# A mask below the first IoU is bad, one below the second is not good
BAD_IOU = 0.9
GOOD_IOU = 0.95
# A mask below this IoU should not be trusted
CLEARLY_OFF_IOU = 0.93
# An area under the curve needs so many masks on either side
FEWEST = 10
SUMMARY_HEADER = (
    "group",
    "masks",
    "IoU < 0.95",
    "IoU < 0.9",
    "AUC for IoU < 0.9",
    "AUC for IoU < 0.95",
    "IoU < 0.93 above the limit",
    "IoU ≥ 0.95 above the limit",
)

# --- Wrong masks ---------------------------------------------------------------------------------

STEPS_MM = (2.0, 4.0, 6.0)
# From the skull's surface to its inner table
INNER_TABLE_MM = 6.0
# The outline moves from one to the other within this angle
JUMP_DEGREES = 4.0


def shrunken(one: Slice, by_mm: float | np.ndarray) -> np.ndarray:
    """Move the true outline inwards, or outwards where the distance is negative."""
    inside_mm = ndimage.distance_transform_edt(one.truth, sampling=one.spacing_mm)
    outside_mm = ndimage.distance_transform_edt(one.truth == 0, sampling=one.spacing_mm)
    return (inside_mm - outside_mm > by_mm).astype(np.uint8)


def jumping(one: Slice) -> np.ndarray:
    """Let the true outline run along the inner table over a third of the angles."""
    y_mm, x_mm = offsets_mm(one, ndimage.center_of_mass(one.truth))
    turned = np.rad2deg(np.arctan2(y_mm, x_mm) - random_angle(one))
    aside = np.abs((turned + 180) % 360 - 180)
    share = np.clip((60 - aside) / JUMP_DEGREES + 0.5, 0, 1)
    return shrunken(one, INNER_TABLE_MM * share)


def _by_version(version: str) -> Callable[[Slice], np.ndarray]:
    return lambda one: sm.VERSIONS[version](one.image)


def _by_shrinking(by_mm: float) -> Callable[[Slice], np.ndarray]:
    return lambda one: shrunken(one, by_mm)


def _wrong_masks() -> dict[str, Callable[[Slice], np.ndarray]]:
    """List the wrong masks by name: of other versions, and of the truth moved."""
    wrong = {}
    for version in sm.VERSIONS:
        if version not in BOUNDARY_VERSIONS:
            wrong[version] = _by_version(version)
    for mm in STEPS_MM:
        wrong[f"truth eroded by {mm:g} mm"] = _by_shrinking(mm)
    for mm in STEPS_MM:
        wrong[f"truth dilated by {mm:g} mm"] = _by_shrinking(-mm)
    wrong["inner table over a third"] = jumping
    return wrong


WRONG_MASKS = _wrong_masks()

# --- Slices --------------------------------------------------------------------------------------


def seed_of(*names: object) -> int:
    """Make a seed of what names a slice."""
    return zlib.crc32(" ".join(map(str, names)).encode())


def real_slices(file: Path) -> Iterator[tuple[int, Slice]]:
    """List the slices of a head with their indices."""
    data = sm.load(file)
    parts = zip(data.images, data.truth, data.spacing_mm, strict=True)
    for index, (image, truth, spacing_mm) in enumerate(parts):
        row_mm, column_mm = map(float, spacing_mm)
        yield index, Slice(image, truth, (row_mm, column_mm), seed_of(file.stem, index))


def drawn_heads() -> list[Drawn]:
    """List the drawn heads; where there is no marrow, one brightness is enough."""
    heads = []
    for setting, seed in itertools.product(marrow.settings(), marrow.SEEDS):
        _, marrow_mm, brightness = setting
        if marrow_mm > 0 or brightness == 0:
            heads.append((*setting, seed))
    return heads


def name_of(contrast: str, marrow_mm: float, brightness: float, seed: int) -> str:
    """Name a drawn head."""
    return f"{contrast} {marrow_mm:g} mm at {brightness:g} seed {seed}"


def seed_of_drawn(head: Drawn, level_mm: float) -> int:
    """Make the seed of a drawn slice."""
    return seed_of(name_of(*head), level_mm)


def drawn_slice(head: Drawn, level_mm: float) -> Slice:
    """Draw a slice of a head with marrow."""
    *setting, seed = head
    image, labels = marrow.render(*setting, level_mm=level_mm, seed=seed)
    truth = phantom.skull_mask(labels)
    image = image.astype(np.float32)
    return Slice(image, truth, marrow.SPACING_MM, seed_of_drawn(head, level_mm))


def treatments_of_drawn(seed: int) -> dict[str, Treatment]:
    """Choose what to do with a drawn slice: nothing, and some degradations."""
    rng = np.random.default_rng(seed)
    names = rng.choice(list(DEGRADATIONS), DEGRADATIONS_OF_MARROW, replace=False)
    return {NONE: unchanged} | {str(name): DEGRADATIONS[name] for name in names}


# --- Judging -------------------------------------------------------------------------------------


def judgement(mask: np.ndarray, truth: np.ndarray, quality: float) -> Row:
    """Score a mask; an empty one needs no quality to be distrusted, so it has none."""
    shown = f"{quality:.4f}" if mask.any() else ""
    return {"iou": f"{sm.iou(mask, truth):.4f}", "quality": shown}


def by_v8(one: Slice) -> Row:
    """Mask a slice with v8 and judge the mask."""
    mask, quality = versions.mask_and_quality(one.image, spacing_mm=one.spacing_mm)
    return judgement(mask, one.truth, quality)


def on_purpose(one: Slice, name: str) -> Row:
    """Judge a wrong mask of a slice."""
    mask = WRONG_MASKS[name](one)
    return judgement(mask, one.truth, sm.quality(one.image, mask, spacing_mm=one.spacing_mm))


def rows_of_real(head: str, index: int, one: Slice) -> Iterator[Row]:
    """Judge all masks of a real slice."""
    for group, treatments in TREATMENTS.items():
        for name, treat in treatments.items():
            row = {"group": group, "head": head, "slice": index, "treatment": name}
            yield row | by_v8(treat(one))
    for name in WRONG_MASKS:
        row = {"group": WRONG, "head": head, "slice": index, "treatment": name}
        yield row | on_purpose(one, name)


def rows_of_drawn(head: Drawn, level_mm: float) -> Iterator[Row]:
    """Judge all masks of a slice of a drawn head."""
    one = drawn_slice(head, level_mm)
    for name, treat in treatments_of_drawn(one.seed).items():
        place = {"head": name_of(*head), "slice": f"{level_mm:g}"}
        row = {"group": MARROW, **place, "treatment": name}
        yield row | by_v8(treat(one))


def measure(folder: Path) -> list[Row]:
    """Judge the masks of every head of a folder of ``.npz`` files, and of the drawn heads."""
    files = scripts.files_of(folder)
    heads = drawn_heads()
    rows = []
    with tqdm(
        total=len(files) + len(heads),
        unit="head",
        leave=False,
        disable=None,
    ) as bar:
        for file in files:
            for index, one in real_slices(file):
                rows.extend(rows_of_real(file.stem, index, one))
            bar.update()
        for head in heads:
            for level_mm in marrow.LEVELS_MM:
                rows.extend(rows_of_drawn(head, level_mm))
            bar.update()
    return rows


# --- The summary ---------------------------------------------------------------------------------


def area_under_curve(quality: np.ndarray, is_bad: np.ndarray) -> float:
    """Return the share of pairs of a bad mask and another one that the quality ranks rightly.

    Equal qualities count half. NaN if there are too few masks of either kind.
    """
    bad = quality[is_bad]
    others = quality[~is_bad]
    if min(bad.size, others.size) < FEWEST:
        return np.nan
    ranked_rightly = stats.mannwhitneyu(others, bad, method="asymptotic").statistic
    return float(ranked_rightly / (bad.size * others.size))


def figures_of(rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Return IoU and quality of the masks that are not empty."""
    judged = [row for row in rows if row["quality"] != ""]
    iou = np.array(scripts.numbers(judged, "iou"))
    quality = np.array(scripts.numbers(judged, "quality"))
    return iou, quality


def summary(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """Sum up every group, and the three of v8 together: a row for each, as `SUMMARY_HEADER`."""
    table = []
    for group in GROUPS:
        members = OF_V8 if group == TOGETHER else (group,)
        own = [row for row in rows if row["group"] in members]
        iou, quality = figures_of(own)
        is_trusted = quality >= polar.TRUSTED
        is_off = iou < CLEARLY_OFF_IOU
        table.append(
            (
                group,
                len(iou),
                int((iou < GOOD_IOU).sum()),
                int((iou < BAD_IOU).sum()),
                area_under_curve(quality, iou < BAD_IOU),
                area_under_curve(quality, iou < GOOD_IOU),
                f"{(is_trusted & is_off).sum()} of {is_off.sum()}",
                share(is_trusted[iou >= GOOD_IOU]),
            )
        )
    return table


def share(holds: np.ndarray) -> float:
    """Return the share of masks for which something holds; NaN if there are too few."""
    if holds.size < FEWEST:
        return np.nan
    return float(holds.mean())


def main() -> None:
    options = command_line(__doc__, TABLE)
    rows = make_table(options, HEADER, measure)
    print(tables.markdown(summary(rows), SUMMARY_HEADER).data)


if __name__ == "__main__":
    scripts.run(main)
