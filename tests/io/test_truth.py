"""The truth of images: in files of its own, found by name or order, and in the same place."""

import contextlib

import nibabel as nib
import numpy as np
import pytest
from complaints import refused
from formats import HEADS, TRUTH, save_numbered, volume
from numpy.testing import assert_array_equal as same

import skullmask_lib as sm
from skullmask_lib.errors import InputWarning
from skullmask_lib.io import datasets

IN_ORDER = pytest.warns(InputWarning, match=r"t(\.npy)?: .*in order")


def test_truth_comes_from_a_file_of_its_own(tmp_path):
    truth = np.zeros((5, 768, 624), np.uint8)
    truth[:, 300:400, 300:400] = 255
    np.save(tmp_path / "truth.npy", truth)
    data = sm.load("phantom", truth=tmp_path / "truth.npy")
    same(data.truth, truth // 255)
    # Of an .npz its truth is taken, not its images.
    np.savez(tmp_path / "truth.npz", images=sm.load("phantom").images, truth=truth)
    same(sm.load("phantom", truth=tmp_path / "truth.npz").truth, truth // 255)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_of_a_volume_may_be_in_a_file_of_their_own(tmp_path, axis):
    canonical = volume()
    nib.save(nib.Nifti1Image(canonical, np.eye(4)), tmp_path / "a.nii")
    nib.save(nib.Nifti1Image((canonical > 60).astype(np.uint8), np.eye(4)), tmp_path / "t.nii")
    images = sm.load(tmp_path / "a.nii", axis=axis).images
    np.save(tmp_path / "a.npy", images)
    np.save(tmp_path / "t.npy", images > 60)
    for source, truth in (("a.nii", "t.npy"), ("a.npy", "t.nii")):
        data = sm.load(tmp_path / source, truth=tmp_path / truth, axis=axis)
        same(data.images, images)
        same(data.truth, images > 60)


def test_image_and_truth_must_lie_in_one_place(tmp_path):
    mask = np.zeros((8, 9, 6), np.uint8)
    mask[2:5, 2:6] = 1
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    image = tmp_path / "image.nii"
    nib.save(nib.Nifti1Image(mask.astype(np.float32), affine), image)

    nearly = np.diag([2.05, 2.0, 2.0, 1.0])
    for name, other_affine in (("same", affine), ("near", nearly)):
        truth = tmp_path / f"{name}.nii"
        nib.save(nib.Nifti1Image(mask, other_affine), truth)
        assert sm.load(image, truth=truth).truth.sum() == mask.sum()

    smaller = np.eye(4)
    mirrored = np.diag([-2.0, 2.0, 2.0, 1.0])
    moved = affine.copy()
    moved[0, 3] = 3
    for other_affine in (smaller, mirrored, moved):
        truth = tmp_path / "other.nii"
        nib.save(nib.Nifti1Image(mask, other_affine), truth)
        with refused("other.nii", naming=["image.nii"]):
            sm.load(image, truth=truth)

    # stored the other way round, in the same place
    flipped = nib.Nifti1Image(mask, affine).as_reoriented([[0, -1], [1, 1], [2, 1]])
    nib.save(flipped, tmp_path / "flipped.nii")
    data = sm.load(image, truth=tmp_path / "flipped.nii")
    same(data.truth, sm.load(tmp_path / "same.nii").images)


def test_headers_are_compared_along_the_longest_side_of_both(tmp_path):
    origins = []
    for shape, thickness_mm in (((4, 4, 60), 1.0), ((5, 4, 4), 1.01)):
        image = nib.Nifti1Image(np.ones(shape, np.uint8), np.diag([1, 1, thickness_mm, 1]))
        nib.save(image, tmp_path / "a.nii")
        origins.append(sm.load(tmp_path / "a.nii").origin)
    for images, truth in (origins, origins[::-1]):
        with refused("a.nii"):
            datasets.check_headers(images, truth)


def test_a_phantom_may_be_the_truth():
    data = sm.load("phantom-cropped", truth="phantom")
    same(data.truth, sm.load("phantom").truth)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_truth_is_unknown_of_slices_that_are_empty_where_others_are_not(tmp_path, axis):
    truth = np.zeros((9, 10, 11), np.uint8)
    np.moveaxis(truth, axis, 0)[4:6, 3:6, 3:6] = 1
    nib.save(nib.Nifti1Image(truth, np.eye(4)), tmp_path / "t.nii.gz")
    nib.save(nib.Nifti1Image(truth.astype(np.float32), np.eye(4)), tmp_path / "a.nii.gz")
    options = {"truth": tmp_path / "t.nii.gz", "axis": axis}
    data = sm.load(tmp_path / "a.nii.gz", slices=slice(3, 5), **options)
    assert data.truth.any(axis=(1, 2)).tolist() == [False, True]
    with pytest.warns(InputWarning, match=r"t\.nii\.gz"):
        data = sm.load(tmp_path / "a.nii.gz", slices=slice(0, 2), **options)
    assert data.truth is None


def test_a_truth_that_is_empty_everywhere_counts_in_part(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 5, 5)))
    np.save(tmp_path / "t.npy", np.zeros((3, 5, 5), np.uint8))
    data = sm.load(tmp_path / "a.npy", truth=tmp_path / "t.npy", slices=slice(0, 1))
    assert data.truth.tolist() == np.zeros((1, 5, 5)).tolist()


def test_a_mapped_truth_stays_mapped(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 5, 5), np.float32))
    np.save(tmp_path / "t.npy", np.tile(np.eye(5, dtype=np.uint8), (3, 1, 1)))
    data = sm.load(tmp_path / "a.npy", truth=tmp_path / "t.npy", slices=slice(1, None))
    assert isinstance(data.truth, np.memmap)
    assert data.truth.shape == data.images.shape == (2, 5, 5)


def test_places_are_compared_in_millimetres(tmp_path):
    mask = np.zeros((8, 9, 6), np.uint8)
    mask[2:5, 2:6] = 1
    for name, scale, unit in (
        ("metres", 0.002, "meter"),
        ("millimetres", 2.0, "mm"),
        ("wrong", 2.0, "meter"),
    ):
        image = nib.Nifti1Image(mask, np.diag([scale, scale, scale, 1.0]))
        image.header.set_xyzt_units(unit)
        nib.save(image, tmp_path / f"{name}.nii")
    data = sm.load(tmp_path / "metres.nii", truth=tmp_path / "millimetres.nii")
    assert data.truth.sum() == mask.sum()
    with refused("wrong.nii", naming=["0.05 to 50 mm"]):
        sm.load(tmp_path / "millimetres.nii", truth=tmp_path / "wrong.nii")


@pytest.mark.parametrize(
    "way", ["slice_{}_mask.png", "mask_slice_{}.tif", "slice-{:03}_seg.png", "{}.png"]
)
@pytest.mark.parametrize("slices", [None, slice(8, 11), slice(None, None, 3)])
def test_truth_of_a_folder_is_found_by_its_name(tmp_path, way, slices):
    save_numbered(tmp_path / "a", HEADS, "slice_{}.png")
    save_numbered(tmp_path / "t", TRUTH, way)
    data = sm.load(tmp_path / "a", truth=tmp_path / "t", slices=slices)
    same(data.images, HEADS[slices or slice(None)])
    same(data.truth, data.images > 0)


@pytest.mark.parametrize(
    ("source", "truth", "is_sure"),
    [
        ("a.npy", "t.npy", True),
        ("a.npz", "t.npy", True),
        ("a", "t", True),
        ("a.npy", "t", False),
        ("a.npz", "t", False),
        ("a", "t.npy", False),
    ],
)
def test_truth_of_a_stack_is_in_natural_order(tmp_path, source, truth, is_sure):
    np.save(tmp_path / "a.npy", HEADS)
    np.savez(tmp_path / "a.npz", images=HEADS)
    np.save(tmp_path / "t.npy", TRUTH)
    save_numbered(tmp_path / "a", HEADS, "slice_{}.png")
    save_numbered(tmp_path / "t", TRUTH)
    with contextlib.nullcontext() if is_sure else IN_ORDER:
        data = sm.load(tmp_path / source, truth=tmp_path / truth)
    same(data.truth, data.images > 0)


def test_names_of_an_npz_find_their_truth(tmp_path):
    order = [3, 0, 11, 1, 2, 10, 4, 5, 6, 7, 8, 9]
    np.savez(tmp_path / "a.npz", images=HEADS[order], names=[f"slice {k + 1}" for k in order])
    save_numbered(tmp_path / "t", TRUTH, "{}_mask.png")
    data = sm.load(tmp_path / "a.npz", truth=tmp_path / "t")
    same(data.truth, data.images > 0)


def test_names_that_have_nothing_in_common_are_paired_in_order_with_a_warning(tmp_path):
    np.savez(tmp_path / "a.npz", images=HEADS, names=[f"head[{k}]" for k in range(50, 62)])
    np.save(tmp_path / "t.npy", TRUTH)
    save_numbered(tmp_path / "t", TRUTH)
    with IN_ORDER:
        data = sm.load(tmp_path / "a.npz", truth=tmp_path / "t")
    same(data.truth, HEADS > 0)
    data = sm.load(tmp_path / "a.npz", truth=tmp_path / "t.npy")  # which has no names
    same(data.truth, HEADS > 0)


@pytest.mark.parametrize("first", [0, 5])
def test_names_of_an_npz_that_do_not_pair_are_refused(tmp_path, first):
    names = [f"slice_{number}" for number in range(first, first + 12)]
    np.savez(tmp_path / "a.npz", images=HEADS, names=names)
    np.savez(tmp_path / "t.npz", images=TRUTH, names=names)
    save_numbered(tmp_path / "a", HEADS, "slice_{}.png")
    save_numbered(tmp_path / "t", TRUTH, "slice_{}_mask.png")
    for source, truth in (("a.npz", "t"), ("a", "t.npz")):
        with refused(truth, naming=["slice_"]):
            sm.load(tmp_path / source, truth=tmp_path / truth)


def test_folders_that_do_not_pair_are_refused_with_both_names(tmp_path):
    save_numbered(tmp_path / "a", HEADS, "slice_{}.png")
    save_numbered(tmp_path / "t", TRUTH, "slice_{}_mask.png")
    (tmp_path / "t" / "slice_7_mask.png").rename(tmp_path / "t" / "slice_13_mask.png")
    with refused("t", naming=["slice_7.png", "slice_13_mask.png"]):
        sm.load(tmp_path / "a", truth=tmp_path / "t")
    (tmp_path / "t" / "slice_13_mask.png").unlink()
    with refused("t", naming=["slice_7.png"]):
        sm.load(tmp_path / "a", truth=tmp_path / "t")
    save_numbered(tmp_path / "few", HEADS[:3], "slice_{}.png")
    with refused("t", naming=["slice_4_mask.png"]):
        sm.load(tmp_path / "few", truth=tmp_path / "t")
    np.save(tmp_path / "few.npy", HEADS[:3])
    with refused("t", naming=["(3, 48, 40)"]):
        sm.load(tmp_path / "few.npy", truth=tmp_path / "t")
