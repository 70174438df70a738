"""v7 and v8 on real heads before and after a change of contrast: a part of ``make real-heads``.

The folder that SKULLMASK_REAL names holds the heads, as ``slices/*.npz``; they are not part of the
project. Every slice is masked as it is, equalised, and after CLAHE with its default limit. The
table goes to data/real_contrast.csv.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import scripts
from real_heads import WIDE, command_line, make_table, published_width_mm, width_px
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import tables
from skullmask_lib.volumes import preprocess

TABLE = Path(__file__).parents[1] / "data" / "real_contrast.csv"
HEADER = ("head", "method", "treatment", "iou", "iou_min", "date", "version")
MEANS_HEADER = ("method", "treatment", "sets", "IoU", "worst set", "worst slice")
METHODS = (WIDE, "v8")


def as_it_is(image: np.ndarray) -> np.ndarray:
    """Leave a slice alone."""
    return image


TREATMENTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": as_it_is,
    "equalised": preprocess.equalize,
    "CLAHE": preprocess.clahe,
}


def mask_of(method: str, image: np.ndarray, spacing_mm: np.ndarray) -> np.ndarray:
    """Make the mask of one slice."""
    if method == WIDE:
        return sm.v7(image, dilation_size=width_px(published_width_mm(), spacing_mm))
    return sm.v8(image, spacing_mm=spacing_mm)


def scores(data: sm.Data, method: str, treatment: str) -> dict[str, float]:
    """Average the IoU over the slices; the worst slice stands beside the mean."""
    ious = []
    for image, truth, spacing_mm in zip(data.images, data.truth, data.spacing_mm, strict=True):
        mask = mask_of(method, TREATMENTS[treatment](image), spacing_mm)
        ious.append(sm.iou(mask, truth))
    return scripts.iou_cells(ious)


def measure(folder: Path) -> list[dict[str, object]]:
    """Score both methods after every treatment, on every head of a folder of ``.npz`` files."""
    files = scripts.files_of(folder)
    rows = []
    for file in tqdm(files, unit="head", leave=False, disable=None):
        data = sm.load(file)
        for method in METHODS:
            for treatment in TREATMENTS:
                row = {"head": file.stem, "method": method, "treatment": treatment}
                rows.append(row | scores(data, method, treatment))
    return rows


def means(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """Average over the sets, a row for each method and treatment."""
    table = []
    for method in METHODS:
        for treatment in TREATMENTS:
            sets = scripts.select(rows, method=method, treatment=treatment)
            ious = scripts.numbers(sets, "iou")
            worst_slice = min(scripts.numbers(sets, "iou_min"))
            mean = float(np.mean(ious))
            table.append((method, treatment, len(sets), mean, min(ious), worst_slice))
    return table


def main() -> None:
    options = command_line(__doc__, TABLE)
    rows = make_table(options, HEADER, measure)
    print(tables.markdown(means(rows), MEANS_HEADER).data)


if __name__ == "__main__":
    scripts.run(main)
