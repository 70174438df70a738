"""How much each term of v8's price matters on real heads: a part of ``make real-heads``.

Every term is halved, raised by half and removed, one at a time, and v8 masks all slices anew. The
last rows remove several terms at once: those of the inner path, and all but the step from scalp to
bone. The folder that SKULLMASK_REAL names holds the heads, as ``slices/*.npz``; they are not part
of the project. The table goes to data/real_weights.csv.
"""

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import scripts
from real_heads import command_line, make_table
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import boundary, polar, tables

# The module that reads a constant, and its name there
Constant = tuple[ModuleType, str]

TABLE = Path(__file__).parents[1] / "data" / "real_weights.csv"
HEADER = ("head", "term", "factor", "iou", "iou_min", "date", "version")
# A term of the price, and the constant that is its weight
WEIGHTS = {
    "dark bone": (polar.costs, "_DARKNESS_WEIGHT"),
    "step at the inner edge": (polar.costs, "_INNER_EDGE_WEIGHT"),
    "depth below the skin": (polar.costs, "_DEPTH_COST_PER_MM"),
    "unusual thickness": (polar.paths, "_THICKNESS_COST_PER_MM"),
    "thin scalp": (polar.costs, "_THIN_SCALP_COST"),
    "frame": (polar.costs, "_FRAME_COST"),
    "bends of both paths": (polar.paths, "_BEND_COST"),
    "changes of thickness": (polar.paths, "_THICKENING_COST"),
}
# The one term whose weight is always 1
STEP = "step from scalp to bone"
# The terms beside it; the others say where the path may run
BESIDE_STEP = (
    "dark bone",
    "step at the inner edge",
    "depth below the skin",
    "unusual thickness",
)
ALL_BUT_STEP = "all price terms but the step"
# Without these terms the inner path says nothing, and the outer one is left to itself
INNER_PATH = "the inner path"
INNER_TERMS = ("step at the inner edge", "unusual thickness")
# The limit above which a higher step counts no more; it is no weight, but has a row of its own
LIMIT = "limit of the step"
NOTHING = "nothing"
FACTORS = {0.5: "halved", 1.5: "raised by half", 0.0: "removed"}
MEANS_HEADER = ("term", *FACTORS.values())
# A limit this many times as high limits nothing
NO_LIMIT = 1e6
# Stands for 0 where a factor divides
ALMOST_ZERO = 1e-6


def settings() -> list[tuple[str, float]]:
    """List every term with every factor; first v8 as it is, last with the step alone."""
    changed = itertools.product((STEP, *WEIGHTS, LIMIT), FACTORS)
    return [(NOTHING, 1.0), *changed, (INNER_PATH, 0.0), (ALL_BUT_STEP, 0.0)]


def factors_of(term: str, factor: float) -> dict[Constant, float]:
    """Return the factor of every constant that has to change.

    A path depends on the ratios of the weights alone. So the step from scalp to bone counts half
    if all other weights are doubled.
    """
    if term == NOTHING:
        return {}
    if term == STEP:
        return dict.fromkeys(WEIGHTS.values(), 1 / max(factor, ALMOST_ZERO))
    if term == LIMIT:
        return {(polar.costs, "_HIGHEST_STEP"): NO_LIMIT if factor == 0 else factor}
    if term == INNER_PATH:
        # A move of the surface alone then costs what a move of both edges does
        as_a_bend = polar.paths._BEND_COST / polar.paths._THICKENING_COST
        changed = {WEIGHTS[name]: factor for name in INNER_TERMS}
        return changed | {WEIGHTS["changes of thickness"]: as_a_bend}
    if term == ALL_BUT_STEP:
        return {WEIGHTS[name]: factor for name in BESIDE_STEP}
    return {WEIGHTS[term]: factor}


@contextlib.contextmanager
def weighted(term: str, factor: float) -> Iterator[None]:
    """Multiply a term of the price within a ``with`` block."""
    factors = factors_of(term, factor)
    usual = {constant: getattr(*constant) for constant in factors}
    for constant, times in factors.items():
        setattr(*constant, times * usual[constant])
    try:
        yield
    finally:
        for constant, value in usual.items():
            setattr(*constant, value)


def unwrapped_slices(data: sm.Data) -> list[polar.Unwrapped | None]:
    """Unwrap the head of every slice; the weights have no part in that."""
    pairs = zip(data.images, data.spacing_mm, strict=True)
    return [polar.unwrap(image, spacing_mm) for image, spacing_mm in pairs]


def masks_of(unwrapped: Sequence[polar.Unwrapped | None], data: sm.Data) -> list[np.ndarray]:
    """Make v8's masks; a slice without a head gets an empty one."""
    masks = []
    for head in unwrapped:
        _, stages = boundary.follow_boundary(head, data.images.shape[1:], "v8")
        masks.append(stages["filled"])
    return masks


def score(
    term: str,
    factor: float,
    unwrapped: Sequence[polar.Unwrapped | None],
    data: sm.Data,
) -> dict[str, float]:
    """Score v8 on the slices of a head with one term multiplied."""
    with weighted(term, factor):
        masks = masks_of(unwrapped, data)
    ious = [sm.iou(mask, truth) for mask, truth in zip(masks, data.truth, strict=True)]
    return scripts.iou_cells(ious)


def measure(folder: Path) -> list[dict[str, object]]:
    """Score v8 with every setting on every head of a folder of ``.npz`` files."""
    files = scripts.files_of(folder)
    rows = []
    with tqdm(
        total=len(files) * len(settings()),
        unit="score",
        leave=False,
        disable=None,
    ) as bar:
        for file in files:
            data = sm.load(file)
            unwrapped = unwrapped_slices(data)
            for term, factor in settings():
                row = {"head": file.stem, "term": term, "factor": factor}
                rows.append(row | score(term, factor, unwrapped, data))
                bar.update()
    return rows


def means(rows: Sequence[dict[str, object]]) -> list[tuple[object, ...]]:
    """Average over the sets: a row for each term, with the change that each factor makes."""
    ious: dict[tuple[object, float], list[float]] = {}
    for row in rows:
        ious.setdefault((row["term"], float(row["factor"])), []).append(float(row["iou"]))
    usual = np.mean(ious[NOTHING, 1.0])
    table = []
    for term in (STEP, *WEIGHTS, LIMIT, INNER_PATH, ALL_BUT_STEP):
        changes = []
        for factor in FACTORS:
            of_setting = ious.get((term, factor), [np.nan])
            changes.append(float(np.mean(of_setting) - usual))
        table.append((term, *changes))
    return table


def main() -> None:
    options = command_line(__doc__, TABLE)
    rows = make_table(options, HEADER, measure)
    print(tables.markdown(means(rows), MEANS_HEADER).data)


if __name__ == "__main__":
    scripts.run(main)
