"""Check the table of `strip` on drawn patients: complete, shown, and a row is computed anew."""

import itertools

import drawn_patients
import numpy as np
import pages
import pytest
from result_tables import numbers, rows_of, select
from scipy import ndimage

from skullmask_lib import phantom
from skullmask_lib.deep import random_brains


@pytest.fixture(scope="module")
def rows():
    return rows_of(drawn_patients.TABLE)


@pytest.fixture
def head():
    """Give a ball of grey matter in fluid, bone and fat, around the level of the tumour."""
    size = 50
    middle = (size - 1) / 2
    offsets = np.indices((size, size, size)).T - middle
    radius_mm = drawn_patients.STEP_MM * np.linalg.norm(offsets, axis=-1).T
    labels = np.full(radius_mm.shape, phantom.LABELS["air"], np.uint8)
    for tissue, outer_mm in (("fat", 48), ("outer_table", 42), ("csf", 36), ("grey_matter", 32)):
        labels[radius_mm < outer_mm] = phantom.LABELS[tissue]
    signals = np.array(list(phantom.SIGNALS["T1"].values()), np.float32)
    affine = np.diag([*[drawn_patients.STEP_MM] * 3, 1.0])
    affine[2, 3] = drawn_patients.TUMOUR_LEVEL_MM - middle * drawn_patients.STEP_MM
    return drawn_patients.Head(signals[labels], labels, affine)


def test_the_table_is_whole(rows):
    measured = [(row["patient"], int(row["seed"])) for row in rows]
    assert measured == list(itertools.product(drawn_patients.PATIENTS, drawn_patients.SEEDS))
    for row in rows:
        assert tuple(row) == drawn_patients.HEADER
    for name in ("missed", "missed_above_orbits", "outside", "quality"):
        assert all(0 <= number <= 1 for number in numbers(rows, name))


def test_the_docs_show_the_table(rows):
    header = drawn_patients.SUMMARY_HEADER
    shown = pages.table_of(pages.text_of(pages.RESULTS), header)
    assert shown == pages.laid_out(drawn_patients.summary(rows), header)


def test_what_is_drawn_over_a_head_stays_within_the_skull(head):
    inside = random_brains.intracranial(head.labels) > 0
    at_inside = ndimage.binary_dilation(inside)  # the soft edge reaches one voxel further
    for change in (
        lambda head: drawn_patients.with_tumour(head, drawn_patients.DARK),
        drawn_patients.with_bright_dura,
    ):
        changed = change(head)
        assert np.array_equal(changed.labels, head.labels)
        is_changed = np.abs(changed.image - head.image) > 0.1
        assert is_changed.any()
        assert not is_changed[~at_inside].any()


def test_a_share_outside_counts_what_the_other_mask_lacks():
    of = np.array([1, 1, 1, 1, 0])
    assert drawn_patients.share_outside(of, np.array([1, 1, 1, 0, 1])) == 0.25


@pytest.mark.full
def test_the_program_computes_the_table(rows):
    patient, seed = "bright tumour", drawn_patients.SEEDS[0]
    measured = drawn_patients.row_of(patient, seed)
    [row] = select(rows, patient=patient, seed=str(seed))
    for name in ("missed", "missed_above_orbits", "outside", "quality"):
        assert float(row[name]) == pytest.approx(measured[name], abs=2e-3)
