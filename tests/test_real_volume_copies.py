"""Check `strip` on degraded copies of volumes.

A copy is what its name says; the table of their scores is complete, and the docs show it.
"""

import itertools

import nibabel as nib
import numpy as np
import pages
import pytest
import real_volume_copies as copies
from result_tables import numbers, rows_of, select

BRIGHT = 100
DARK = 10


@pytest.fixture(scope="module")
def rows():
    return rows_of(copies.TABLE)


@pytest.fixture
def head():
    """Give a small volume with a brain, trusted in its upper half; voxels of 1, 2 and 3 mm."""
    truth = np.zeros((12, 10, 8), bool)
    truth[3:9, 4:8, 1:7] = True
    trusted = np.zeros_like(truth)
    trusted[:, :, 4:] = True
    volume = np.where(truth, BRIGHT, DARK).astype(np.float32)
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    return copies.Head(volume, truth, trusted, affine)


def test_every_volume_has_every_copy_and_reaches_what_is_wanted(rows):
    for row in rows:
        assert tuple(row) == copies.HEADER
    measured = [(row["volume"], row["copy"]) for row in rows]
    assert measured == list(itertools.product(copies.VOLUMES, copies.COPIES))
    assert min(numbers(rows, "dice")) >= copies.WANTED_DICE


def test_the_docs_show_the_table(rows):
    header = copies.SUMMARY_HEADER
    shown = pages.table_of(pages.text_of(pages.RESULTS), header)
    assert shown == pages.laid_out(copies.summary(rows), header)


def test_large_voxels_are_averages_and_stay_in_place(head):
    coarse = copies.coarse(head, (3, 3, 3))
    assert coarse.volume.shape == (4, 7, 8)
    assert coarse.volume.mean() == pytest.approx(head.volume.mean())
    assert coarse.volume[1, 3, 3] == pytest.approx(BRIGHT)
    first_corner_mm, last_corner_mm = corners_mm(head)
    coarse_first_mm, coarse_last_mm = corners_mm(coarse)
    assert first_corner_mm == pytest.approx(coarse_first_mm)
    assert last_corner_mm == pytest.approx(coarse_last_mm)


def corners_mm(head):
    """Say where the outer corners of the first and of the last voxel of a volume lie."""
    first = np.full(3, -0.5)
    last = np.array(head.volume.shape) - 0.5
    return nib.affines.apply_affine(head.affine, [first, last])


def test_a_positive_pitch_lowers_the_chin(head):
    head.volume[5:7, 9, 5] = 500  # a bright spot at the front, in the upper half
    pitched = copies.pitched(head, 15)
    assert pitched.volume.shape == head.volume.shape
    front = pitched.volume[:, 9]
    _, height = np.argwhere(front == front.max())[0]
    assert height < 5
    assert pitched.truth.sum() == pytest.approx(head.truth.sum(), rel=0.1)
    # What is trusted turns, too: its lower edge falls at the front and rises at the back
    assert pitched.trusted[6, 8, 3]
    assert not pitched.trusted[6, 1, 4]


def test_a_field_and_noise_leave_the_truth(head):
    biased = copies.biased(head, 0.4)
    assert biased.volume[0, 0, 0] == pytest.approx(6)  # DARK, less 40 %
    assert biased.volume[-1, -1, -1] == pytest.approx(14)  # DARK, plus 40 %
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
    head = copies.read(real / "volumes", volume)
    measured = copies.row_of(volume, head, copy)
    [row] = select(rows, volume=volume, copy=copy)
    for name in ("dice", "dice_whole", "quality"):
        assert float(row[name]) == pytest.approx(measured[name], abs=2e-3)
