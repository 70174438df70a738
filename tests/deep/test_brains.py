"""Check how brains are found in volumes.

A volume goes to the network's grid and its mask comes back in any orientation. Scans are found with
their masks, and nobody is among those to learn from and those to validate by.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from complaints import refused

import skullmask_lib as sm
from skullmask_lib import phantom
from skullmask_lib.cli import network_prediction
from skullmask_lib.deep import brains, heads, random_brains
from skullmask_lib.io import nifti

ORIENTATIONS = ["RAS", "LPS", "SAL"]


@pytest.fixture(scope="module")
def head():
    """Render a head with voxels that are no cubes, its brain and its affine."""
    volume, labels, affine = phantom.render_volume(shape=(58, 45, 44), spacing_mm=(3.2, 5, 4.4))
    return volume, random_brains.intracranial(labels), affine


@pytest.fixture(scope="module")
def share(head):
    """Give the share of brain in each voxel of the network's grid, as a perfect network would."""
    volume, brain, _ = head
    return brains.share_of(brain, grid_of(volume, head))


def grid_of(volume, head):
    """Lay the network's grid around a volume whose voxels are those of the head."""
    _, _, affine = head
    return brains.grid_around(volume, nib.affines.voxel_sizes(affine))


def turned(array, affine, orientation):
    """Bring a volume in RAS order to another one."""
    ras = nib.orientations.axcodes2ornt("RAS")
    wanted = nib.orientations.axcodes2ornt(orientation)
    turn = nib.orientations.ornt_transform(ras, wanted)
    back = nib.orientations.inv_ornt_aff(turn, array.shape)
    return nib.orientations.apply_orientation(array, turn), affine @ back


def write(folder, name, array, affine):
    """Write a volume under a name without ending."""
    nib.save(nib.Nifti1Image(array, affine), folder / f"{name}.nii.gz")


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_perfect_network_gives_the_brain_in_the_order_of_its_scan(head, share, orientation):
    volume, brain, affine = head
    scan, scan_affine = turned(volume, affine, orientation)
    truth, _ = turned(brain, affine, orientation)
    mask = brains.brain_of(lambda _: share, scan, scan_affine)
    assert mask.shape == scan.shape
    assert mask.dtype == np.uint8
    assert sm.dice(mask, truth) > 0.98


def test_a_mask_is_one_piece_without_holes(head):
    volume, _, affine = head
    one_piece = np.zeros(brains.SHAPE, np.float32)
    one_piece[10:30, 20:40, 20:40] = 1
    wanted = brains.brain_of(lambda _: one_piece, volume, affine)
    probabilities = one_piece.copy()
    probabilities[19:21, 29:31, 29:31] = 0  # a hole
    probabilities[36:40, 20:24, 20:24] = 1  # a smaller piece
    mask = brains.brain_of(lambda _: probabilities, volume, affine)
    assert np.array_equal(mask, wanted)


def test_the_grid_follows_the_head(head):
    volume, _, _ = head
    grid = grid_of(volume, head)
    # 25 voxels of 3.2 mm are 20 of the grid's 4 mm
    wider = np.pad(volume, ((25, 0), (0, 8), (0, 10)))
    grid_of_wider = grid_of(wider, head)
    assert (grid_of_wider.start - grid.start).tolist() == [20, 0, 0]
    difference = brains.prepare(wider, grid_of_wider) - brains.prepare(volume, grid)
    assert np.abs(difference).mean() < 0.02


def test_brightness_and_its_unit_change_nothing(head):
    volume, _, _ = head
    grid = grid_of(volume, head)
    prepared = brains.prepare(volume, grid)
    in_other_units = volume * 1e3 - 40
    assert np.allclose(brains.prepare(in_other_units, grid), prepared, atol=1e-3)


@pytest.mark.parametrize("volume", [np.ones((9, 9, 9)), np.eye(9)[:, :, None] * np.eye(9)[0]])
def test_a_volume_without_a_head_is_refused(volume):
    with refused(None):
        brains.brain_of(lambda image: image, volume, np.diag([4, 4, 4, 1]))


def test_an_affine_whose_axes_lie_in_one_plane_is_refused(head):
    volume, _, _ = head
    with refused(None, ["affine (4, 4)"]):
        brains.brain_of(lambda image: image, volume, np.diag([4, 4, 0, 1]))


def test_scans_are_found_with_the_masks_beside_them(tmp_path):
    for name in ("sub-01_ses-1_T1w", "sub-01_ses-2_T1w", "head", "alone"):
        Path(tmp_path, f"{name}.nii.gz").touch()
    for name in ("sub-01_ses-1_T1w", "sub-01_ses-2_T1w", "head", "lost"):
        Path(tmp_path, f"{name}_brainmask.nii.gz").touch()
    scans = brains.scans_in(tmp_path)
    assert [(scan.person, scan.image.name) for scan in scans] == [
        ("head", "head.nii.gz"),
        ("sub-01", "sub-01_ses-1_T1w.nii.gz"),
        ("sub-01", "sub-01_ses-2_T1w.nii.gz"),
    ]
    training, validation = brains.split(scans)
    assert not people_in(training) & people_in(validation)
    with refused("head"):
        brains.check_apart(scans, scans[:1])
    with refused("head", naming=["other people"]):
        brains.split(scans[:1])


def people_in(scans):
    return {scan.person for scan in scans}


def test_participants_of_nfbs_without_a_mask_are_left_out(tmp_path):
    random_brains.write_nfbs(tmp_path, 3, seed=5, step_mm=16)
    [mask] = (tmp_path / "A00000006").glob("*_brainmask.nii.gz")
    mask.unlink()
    scans = brains.scans_in(f"nfbs:{tmp_path}")
    assert [scan.person for scan in scans] == ["sub-A00000005", "sub-A00000007"]
    same_person = brains.scans_in(tmp_path / "A00000007")  # from a folder of scans
    with refused("sub-A00000007"):
        brains.check_apart(scans, same_person)
    prepared = brains.prepare_scans(scans)
    assert prepared.images.shape == prepared.masks.shape == (2, 1, *brains.SHAPE)


@pytest.mark.parametrize("name", ["nothing", "file.nii.gz"])
def test_a_source_without_scans_is_named(tmp_path, name):
    Path(tmp_path, "file.nii.gz").touch()
    with refused(name):
        brains.scans_in(tmp_path / name)
    with refused(tmp_path.name):
        brains.scans_in(tmp_path)


def test_a_mask_that_lies_elsewhere_is_refused(tmp_path, head):
    volume, brain, affine = head
    scan = brains.Scan("a", tmp_path / "a.nii.gz", tmp_path / "a_brainmask.nii.gz")
    write(tmp_path, "a", volume, affine)
    moved_affine = affine.copy()
    moved_affine[0, 3] += 30
    no_mask = brain * 2 + volume
    for mask, mask_affine in ((brain, moved_affine), (brain[:-1], affine), (no_mask, affine)):
        write(tmp_path, "a_brainmask", np.float32(mask), mask_affine)
        with refused("a_brainmask.nii.gz"):
            brains.read_scan(scan)


def test_a_scan_and_its_mask_may_be_stored_in_other_orders(tmp_path, head):
    volume, brain, affine = head
    write(tmp_path, "a", *turned(volume, affine, "LPS"))
    write(tmp_path, "a_brainmask", *turned(brain, affine, "SAL"))
    [scan] = brains.scans_in(tmp_path)
    _, _, truth = brains.read_scan(scan)
    assert np.array_equal(truth, brain)


def test_augmentation_moves_image_and_mask_alike(head):
    _, brain, _ = head
    share = brains.share_of(brain, grid_of(brain, head))
    example = heads.Prepared(share[None, None], share[None, None])
    batch_of = heads.batches(example, 4, change=brains.augmented)
    images, shares = batch_of(0)
    assert np.array_equal(images, shares)
    assert len({image.tobytes() for image in images}) == 4
    for moved in shares[:, 0]:
        assert 0.5 < sm.dice(moved > 0.5, share > 0.5) < 0.99
    assert np.array_equal(batch_of(0).images, images)


def test_half_of_the_volumes_are_mirrored_along_x():
    mirrored = 0
    for seed in range(40):
        matrix, _ = brains.random_move((9, 9, 9), np.random.default_rng(seed))
        mirrored += np.linalg.det(matrix) < 0
        assert matrix[1, 1] > 0.8
        assert matrix[2, 2] > 0.8
    assert 10 < mirrored < 30


def test_turning_is_what_nifti_does(head):
    volume, _, affine = head
    there, there_affine = turned(volume, affine, "SAL")
    back, back_affine = nifti.to_ras(there, there_affine)
    assert np.array_equal(back, volume)
    assert np.allclose(back_affine, affine)


def test_an_empty_brain_mask_is_said(tmp_path, head):
    volume, _, affine = head
    write(tmp_path, "head", volume, affine)
    scan = tmp_path / "head.nii.gz"
    mask = tmp_path / "mask.nii.gz"
    with pytest.warns(sm.errors.InputWarning, match="empty") as caught:
        network_prediction._predict_volume(np.zeros_like, str(scan), mask, tmp_path / "best.pt")
    assert "head.nii.gz" in str(caught[0].message)
    assert not nib.load(mask).get_fdata().any()
