"""v8 on heads whose marrow is thick and bright, and whose muscle is dark: ``make marrow``.

Marrow lies between the two tables of the skull. Where it is bright, the edge between scalp and bone
has a rival inside the bone; where muscle is nearly as dark as bone, the edge itself is faint. The
phantom draws both, so the truth is exact and no data are needed. The table goes to data/marrow.csv,
a row for each contrast, thickness and brightness.
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import scripts
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import phantom, tables, versions

TABLE = Path(__file__).parents[1] / "data" / "marrow.csv"
HEADER = ("contrast", "marrow_mm", "brightness", "slices", "iou_min", "quality", "date", "version")
WORST_HEADER = ("contrast", "worst slice", "marrow_mm", "brightness")
THICKNESSES_MM = (0.0, 2.0, 4.0, 6.0, 8.0)
# From that of bone, 0, to that of grey matter, 1
BRIGHTNESSES = (0.0, 0.33, 0.67, 1.0)
# How far muscle stands out from bone, as a share of how far it usually does
MUSCLE_CONTRAST = 0.3
# How much the thickness of bone with marrow varies from place to place
VARIATION_MM = 0.3
SEEDS = (26, 27, 28)
LEVELS_MM = (8.0, 38.0)
SHAPE = (384, 312)
SPACING_MM = (0.84, 0.84)


def settings() -> list[tuple[str, float, float]]:
    """List every contrast with every thickness [mm] and brightness of the marrow."""
    return list(itertools.product(phantom.SIGNALS, THICKNESSES_MM, BRIGHTNESSES))


def measures_of(marrow_mm: float) -> dict[str, float]:
    """Return the measures of a head whose bone is two tables and as much marrow everywhere."""
    tables_mm = phantom.MODEL.outer_table_mm + phantom.MODEL.inner_table_mm
    return {
        "skull_mm": tables_mm + marrow_mm,
        "skull_temple_mm": 0.0,
        "skull_variation_mm": VARIATION_MM if marrow_mm > 0 else 0.0,
    }


def signals_of(contrast: str, brightness: float) -> dict[str, float]:
    """Return the signals of marrow of some brightness, and of dark muscle."""
    usual = phantom.SIGNALS[contrast]
    bone = usual["outer_table"]
    return {
        "diploe": bone + brightness * (usual["grey_matter"] - bone),
        "muscle": bone + MUSCLE_CONTRAST * (usual["muscle"] - bone),
    }


def render(
    contrast: str,
    marrow_mm: float,
    brightness: float,
    *,
    level_mm: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Render the image and the labels of one slice."""
    return phantom.render_slice(
        level_mm,
        seed=seed,
        contrast=contrast,
        shape=SHAPE,
        spacing_mm=SPACING_MM,
        measures=measures_of(marrow_mm),
        signals=signals_of(contrast, brightness),
    )


def score(contrast: str, marrow_mm: float, brightness: float) -> dict[str, float]:
    """Score v8 on every seed and level: the worst slice and the mean quality."""
    ious = []
    qualities = []
    for seed, level_mm in itertools.product(SEEDS, LEVELS_MM):
        image, labels = render(contrast, marrow_mm, brightness, level_mm=level_mm, seed=seed)
        mask, quality = versions.mask_and_quality(image, spacing_mm=SPACING_MM)
        ious.append(sm.iou(mask, phantom.skull_mask(labels)))
        qualities.append(quality)
    return {
        "slices": len(ious),
        "iou_min": round(min(ious), 4),
        "quality": round(float(np.mean(qualities)), 4),
    }


def measure() -> list[dict[str, object]]:
    """Score v8 with every setting."""
    rows = []
    for setting in tqdm(settings(), unit="row", leave=False, disable=None):
        contrast, marrow_mm, brightness = setting
        row = {"contrast": contrast, "marrow_mm": marrow_mm, "brightness": brightness}
        rows.append(row | score(*setting))
    return rows


def worst(rows: Sequence[dict[str, object]]) -> list[tuple[object, ...]]:
    """Find the worst slice of each contrast, and the marrow of its head."""
    table = []
    for contrast in phantom.SIGNALS:
        of_contrast = scripts.select(rows, contrast=contrast)
        row = min(of_contrast, key=lambda row: float(row["iou_min"]))
        marrow = float(row["marrow_mm"]), float(row["brightness"])
        table.append((contrast, float(row["iou_min"]), *marrow))
    return table


def sentence(rows: Sequence[dict[str, object]]) -> str:
    """Say the worst slice of each contrast as the page of results does."""
    scores = [f"{iou:.3f} on {contrast}" for contrast, iou, *_ in worst(rows)]
    return f"v8's worst slice scores {', '.join(scores[:-1])} and {scores[-1]}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=TABLE, help="the CSV")
    options = parser.parse_args()
    scripts.check_output(options.output)
    cv2.setNumThreads(1)
    rows = measure()
    scripts.write_stamped(options.output, HEADER, rows)
    print(tables.markdown(worst(rows), WORST_HEADER).data)
    print(f"\nFor docs/results.md: {sentence(rows)}.")


if __name__ == "__main__":
    scripts.run(main)
