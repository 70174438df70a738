"""`strip` on degraded copies of volumes: what a copy is, and a table that is whole and shown."""

import csv

import nibabel as nib
import numpy as np
import pages
import pytest
import real_volume_copies as copies
from pages import table_of

from skullmask_lib import tables


@pytest.fixture(scope="module")
def rows():
    with open(copies.TABLE, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


@pytest.fixture
def head():
    """Give a small volume with a brain in it, trusted in its upper half; voxels of 1, 2 and 3 mm."""
    truth = np.zeros((12, 10, 8), bool)
    truth[3:9, 4:8, 1:7] = True
    trusted = np.zeros_like(truth)
    trusted[:, :, 4:] = True
    volume = np.where(truth, 100, 10).astype(np.float32)
    return copies.Head(volume, truth, trusted, np.diag([1.0, 2.0, 3.0, 1.0]))


def test_every_volume_has_every_copy_and_reaches_what_is_wanted(rows):
    assert all(tuple(row) == copies.HEADER for row in rows)
    made = [(row["volume"], row["copy"]) for row in rows]
    assert made == [(volume, copy) for volume in copies.VOLUMES for copy in copies.COPIES]
    assert min(float(row["dice"]) for row in rows) >= copies.WANTED_DICE


def test_the_docs_show_the_table(rows):
    shown = table_of(pages.text_of(pages.RESULTS), copies.SUMMARY_HEADER)
    wanted = tables.markdown(copies.summary(rows), copies.SUMMARY_HEADER).data
    assert shown == table_of(wanted, copies.SUMMARY_HEADER)


def test_large_voxels_are_averages_and_stay_in_place(head):
    coarse = copies.coarse(head, (3, 3, 3))
    assert coarse.volume.shape == (4, 7, 8)
    assert coarse.volume.mean() == pytest.approx(head.volume.mean())
    assert coarse.volume[1, 3, 3] == pytest.approx(100)
    for corner in (-0.5, 0.5):
        ends = [
            np.array(one.shape) - 1 if corner > 0 else np.zeros(3)
            for one in (head.volume, coarse.volume)
        ]
        places = [
            nib.affines.apply_affine(affine, end + corner)
            for affine, end in zip((head.affine, coarse.affine), ends, strict=True)
        ]
        assert places[0] == pytest.approx(places[1])


def test_a_positive_pitch_lowers_the_chin(head):
    head.volume[5:7, 9, 5] = 500  # at the front, in the upper half
    pitched = copies.pitched(head, 15)
    assert pitched.volume.shape == head.volume.shape
    height = np.argwhere(pitched.volume[:, 9] == pitched.volume[:, 9].max())[0, 1]
    assert height < 5
    assert pitched.truth.sum() == pytest.approx(head.truth.sum(), rel=0.1)
    assert pitched.trusted[6, 8, 3]  # what is trusted turns, too
    assert not pitched.trusted[6, 1, 4]


def test_a_field_and_noise_leave_the_truth(head):
    biased = copies.biased(head, 0.4)
    assert biased.volume[0, 0, 0] == pytest.approx(6)
    assert biased.volume[-1, -1, -1] == pytest.approx(14)
    noisy = copies.noisy(head, 0.09)
    assert 3 < (noisy.volume - head.volume).std() < 12
    for copy in (biased, noisy):
        assert copy.truth is head.truth


@pytest.mark.full
@pytest.mark.parametrize(
    ("volume", "copy"), [("oms01", "voxels of 4 mm"), ("oms01_FLAIR", "pitch −15°")]
)
@pytest.mark.filterwarnings("ignore::skullmask_lib.InputWarning")
def test_the_program_computes_the_table(rows, real, volume, copy):
    made = copies.row_of(volume, copies.read(real / "volumes", volume), copy)
    [row] = [row for row in rows if (row["volume"], row["copy"]) == (volume, copy)]
    for key in ("dice", "dice_whole", "quality"):
        assert float(row[key]) == pytest.approx(made[key], abs=2e-3)
