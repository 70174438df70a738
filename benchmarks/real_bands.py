"""A band of grey levels on real heads: a part of ``make real-heads``.

Lesson 03 keeps the grey levels between two ends, then the largest component, filled. On the phantom
that scores above every version. This script asks four things of each head in the folder that
SKULLMASK_REAL names: how the phantom's band scores there, a band chosen on the head's other slices,
a band placed without any truth, and the best band of each slice. The table goes to
data/real_bands.csv.
"""

import itertools
from pathlib import Path

import numpy as np
import scripts
from real_heads import command_line, make_table, sequence_of
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import masks

TABLE = Path(__file__).parents[1] / "data" / "real_bands.csv"
LOWS = (*range(9), *range(9, 31, 3))
HIGHS = range(6, 91, 4)
HEADER = (
    "head",
    "sequence",
    "slices",
    "phantom_low",
    "phantom_high",
    "phantom_iou",
    "left_out_iou",
    "placed_iou",
    "best_iou",
    "date",
    "version",
)
CORNER_PX = 30


def band_mask(gray: np.ndarray, low: float, high: float) -> np.ndarray:
    """Keep the largest component of a band of grey levels, filled."""
    band = ((gray > low) & (gray < high)).astype(np.uint8)
    return masks.fill_holes(masks.largest_component(band))


def placed_band(gray: np.ndarray) -> tuple[float, float]:
    """Place a band without truth: from the 99th percentile of the corners to Otsu's threshold."""
    ends = slice(None, CORNER_PX), slice(-CORNER_PX, None)
    corners = [gray[rows, columns] for rows, columns in itertools.product(ends, ends)]
    return float(np.percentile(corners, 99)), masks.otsu_threshold(gray)


def scores(data: sm.Data) -> np.ndarray:
    """Score every band on every slice: (slices, lows, highs)."""
    ious = np.zeros((len(data.images), len(LOWS), len(HIGHS)))
    for index, (image, truth) in enumerate(zip(data.images, data.truth, strict=True)):
        gray = masks.normalize(image)
        for row, low in enumerate(LOWS):
            for column, high in enumerate(HIGHS):
                ious[index, row, column] = sm.iou(band_mask(gray, low, high), truth)
    return ious


def best_of(ious: np.ndarray) -> tuple[int, int]:
    """Find the row and the column of the highest score."""
    row, column = np.unravel_index(ious.argmax(), ious.shape)
    return int(row), int(column)


def measure(data: sm.Data, phantom_band: tuple[int, int]) -> dict[str, float]:
    """Score one head in the four ways."""
    ious = scores(data)
    of_phantom = []
    left_out = []
    placed = []
    for index, (image, truth) in enumerate(zip(data.images, data.truth, strict=True)):
        gray = masks.normalize(image)
        others = np.delete(ious, index, axis=0).mean(axis=0)
        left_out.append(ious[index][best_of(others)])
        of_phantom.append(sm.iou(band_mask(gray, *phantom_band), truth))
        placed.append(sm.iou(band_mask(gray, *placed_band(gray)), truth))
    return {
        "phantom_iou": np.mean(of_phantom),
        "left_out_iou": np.mean(left_out),
        "placed_iou": np.mean(placed),
        "best_iou": ious.max(axis=(1, 2)).mean(),
    }


def measure_all(folder: Path) -> list[dict[str, object]]:
    """Score every head of a folder of ``.npz`` files."""
    index_low, index_high = best_of(scores(sm.load("phantom")).mean(axis=0))
    low = LOWS[index_low]
    high = HIGHS[index_high]
    files = scripts.files_of(folder)
    rows = []
    for file in tqdm(files, unit="head", leave=False, disable=None):
        data = sm.load(file)
        row = {
            "head": file.stem,
            "sequence": sequence_of(file.stem),
            "slices": len(data.images),
            "phantom_low": low,
            "phantom_high": high,
        }
        for name, iou in measure(data, (low, high)).items():
            row[name] = f"{iou:.4f}"
        rows.append(row)
    return rows


def main() -> None:
    options = command_line(__doc__, TABLE)
    make_table(options, HEADER, measure_all)


if __name__ == "__main__":
    scripts.run(main)
