"""`strip` on drawn patients: a part of ``make marrow``.

Wide fluid around a shrunken brain, an infant's small head and thin bone, a tumour at the surface of
the brain, and dura that a contrast agent makes bright: the phantom can draw them, so the truth is
exact and no data are needed. The table goes to data/drawn_patients.csv, a row for each patient and
head.
"""

import argparse
import itertools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import scripts
from scipy import ndimage
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import phantom, tables
from skullmask_lib.deep import random_brains, randomise
from skullmask_lib.volumes import stripping

TABLE = Path(__file__).parents[1] / "data" / "drawn_patients.csv"
HEADER = (
    "patient",
    "seed",
    "missed",
    "missed_above_orbits",
    "outside",
    "quality",
    "date",
    "version",
)
SUMMARY_HEADER = ("patient", "missed", "above the orbits", "outside", "lowest quality")
SEEDS = (26, 27)
STEP_MM = 2.0
SHAPE = (100, 124, 108)

WIDE_FLUID = {"csf_mm": 3.0, "sulcus_half_width_mm": 1.5, "fissure_half_width_mm": 1.0}
ATROPHY = {"csf_mm": 4.0, "sulcus_half_width_mm": 2.2, "fissure_half_width_mm": 1.5}
INFANT = {
    "half_width_mm": 52.0,
    "half_length_mm": 64.0,
    "half_height_mm": 60.0,
    "half_height_below_mm": 46.0,
    "scalp_mm": 4.0,
    "skull_mm": 2.0,
    "outer_table_mm": 0.8,
    "inner_table_mm": 0.8,
    "csf_mm": 2.5,
}
# Of a tumour at the surface of the brain, on the left
TUMOUR_RADIUS_MM = 18.0
TUMOUR_LEVEL_MM = 35.0
# Signals; that of white matter is 1
DARK = 0.35
BRIGHT = 1.5
DURA_MM = 2.0
# Standard deviation of the soft edge of what is drawn over a head [voxels]
EDGE_VOXELS = 0.5

Row = dict[str, object]


class Head(NamedTuple):
    """A drawn head: its image, its labels (see `phantom.LABELS`) and its affine."""

    image: np.ndarray
    labels: np.ndarray
    affine: np.ndarray


def as_it_is(head: Head) -> Head:
    """Leave a head as it is."""
    return head


def with_tumour(head: Head, signal: float) -> Head:
    """Give a tumour to the surface of the brain; it counts as brain where there was brain."""
    level = round((TUMOUR_LEVEL_MM - head.affine[2, 3]) / STEP_MM)
    middle = head.labels.shape[1] // 2
    brain = phantom.brain_mask(head.labels[:, middle, level])
    centre = [int(brain.argmax()), middle, level]
    offsets = np.indices(head.labels.shape).T - centre
    distance_mm = STEP_MM * np.linalg.norm(offsets, axis=-1).T
    inside = random_brains.intracranial(head.labels) > 0
    return painted(head, inside & (distance_mm < TUMOUR_RADIUS_MM), signal)


def with_bright_dura(head: Head) -> Head:
    """Brighten a layer on the inner surface of the skull."""
    inside = random_brains.intracranial(head.labels)
    depth_mm = STEP_MM * ndimage.distance_transform_edt(inside)
    return painted(head, (depth_mm > 0) & (depth_mm <= DURA_MM), BRIGHT)


def painted(head: Head, place: np.ndarray, signal: float) -> Head:
    """Give a place another signal, with a soft edge."""
    share = ndimage.gaussian_filter(place.astype(np.float32), EDGE_VOXELS)
    image = head.image + share * (np.float32(signal) - head.image)
    return head._replace(image=image)


# The measures of a head, and what is drawn over it
PATIENTS: dict[str, tuple[dict[str, float], Callable[[Head], Head]]] = {
    "usual head": ({}, as_it_is),
    "wide fluid": (WIDE_FLUID, as_it_is),
    "advanced atrophy": (ATROPHY, as_it_is),
    "infant": (INFANT, as_it_is),
    "dark tumour": ({}, lambda head: with_tumour(head, DARK)),
    "bright tumour": ({}, lambda head: with_tumour(head, BRIGHT)),
    "bright dura": ({}, with_bright_dura),
}


def drawn(patient: str, seed: int) -> Head:
    """Draw a patient on T1."""
    measures, change = PATIENTS[patient]
    rendered = phantom.render_volume(
        seed=seed,
        shape=SHAPE,
        spacing_mm=(STEP_MM,) * 3,
        measures=measures,
    )
    return change(Head(*rendered))


def row_of(patient: str, seed: int) -> Row:
    """Strip a patient, and compare with the brain and with the inner surface of the skull."""
    head = drawn(patient, seed)
    with warnings.catch_warnings():
        # The scores say what is wrong
        warnings.simplefilter("ignore", sm.InputWarning)
        mask, verdict = stripping.strip_with_verdict(head.image, head.affine)
    brain = phantom.brain_mask(head.labels)
    half_height_mm = PATIENTS[patient][0].get("half_height_mm", phantom.MODEL.half_height_mm)
    orbits_mm = randomise.LEVELS[0] * half_height_mm
    levels_mm = head.affine[2, 3] + STEP_MM * np.arange(mask.shape[2])
    above = levels_mm >= orbits_mm
    return {
        "patient": patient,
        "seed": seed,
        "missed": share_outside(brain, mask),
        "missed_above_orbits": share_outside(brain[:, :, above], mask[:, :, above]),
        "outside": share_outside(mask, random_brains.intracranial(head.labels)),
        "quality": round(verdict.quality, 4),
    }


def share_outside(of: np.ndarray, mask: np.ndarray) -> float:
    """Measure which share of one mask lies outside of another."""
    return round(float(1 - (of & mask).sum() / of.sum()), 4)


def measure() -> list[Row]:
    """Strip every patient, drawn on every head."""
    pairs = list(itertools.product(PATIENTS, SEEDS))
    rows = []
    for patient, seed in tqdm(pairs, unit="head", leave=False, disable=None):
        rows.append(row_of(patient, seed))
    return rows


def summary(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """Average the shares over the heads: a row for each patient, as `SUMMARY_HEADER`."""
    table = []
    for patient in PATIENTS:
        own = scripts.select(rows, patient=patient)
        means = []
        for name in ("missed", "missed_above_orbits", "outside"):
            means.append(float(np.mean(scripts.numbers(own, name))))
        table.append((patient, *means, min(scripts.numbers(own, "quality"))))
    return table


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
    print(tables.markdown(summary(rows), SUMMARY_HEADER).data)


if __name__ == "__main__":
    scripts.run(main)
