"""Masks are written whole or not at all, in the format of their images and where these lie."""

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from complaints import refused
from formats import (
    HEADS,
    affine_of,
    axial_slices,
    from_axial_slices,
    save_numbered,
    save_volume,
    stored,
    volume,
)
from inputs import head
from numpy.testing import assert_array_equal as same
from PIL import Image

import skullmask_lib as sm
from skullmask_lib.errors import InputError
from skullmask_lib.io import datasets, outputs


def make_masks(source, output):
    """Load a file and write the masks of v7."""
    data = sm.load(source)
    masks = sm.mask_slices(data.images, names=data.names, dilation_size=9)
    datasets.write_masks(masks, output, data)
    return data


@pytest.mark.parametrize(
    ("codes", "degrees", "trailing", "scaled", "suffix"),
    [
        ("RAS", 0, (), False, "nii.gz"),
        ("LPS", 0, (), True, "nii.gz"),
        ("PIR", 0, (1,), False, "nii"),
        ("ASL", 12, (), True, "nii.gz"),
        ("SRA", 25, (1, 1), True, "nii.gz"),
        ("IPL", -17, (1,), False, "nii"),
    ],
)
def test_nifti_masks_lie_where_the_image_lies(tmp_path, codes, degrees, trailing, scaled, suffix):
    canonical = volume()
    affine = affine_of(codes, canonical.shape, degrees)
    array = stored(canonical, codes)
    source = tmp_path / f"head.{suffix}"
    output = tmp_path / "mask.nii.gz"
    image = nib.Nifti1Image(array.reshape(array.shape + trailing), affine)
    if scaled:
        image.header.set_slope_inter(0.5, -20.0)
    image.header["descrip"] = b"whose head it is"
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=2)
    nib.save(image, source)

    make_masks(source, output)

    saved = nib.load(source)
    written = nib.load(output)
    masks = [sm.v7(axial, dilation_size=9) for axial in axial_slices(canonical)]
    assert np.any(masks)
    same(np.squeeze(written.dataobj), stored(from_axial_slices(masks), codes))
    same(np.unique(written.dataobj), [0, 1])
    assert written.shape == saved.shape
    assert written.get_data_dtype() == np.uint8
    same(written.affine, saved.affine)
    same(written.get_qform(), saved.get_qform())
    same(written.get_sform(), saved.get_sform())
    for code in ("qform_code", "sform_code"):
        same(written.header[code], saved.header[code])
    assert nib.aff2axcodes(written.affine) == tuple(codes)
    assert written.header["descrip"] == b""
    same(sm.load(output).images, masks)


def test_a_mask_of_other_nifti_kinds(tmp_path):
    nib.save(nib.Nifti2Image(volume(), affine_of("RAS", (36, 44, 5))), tmp_path / "a.nii")
    make_masks(tmp_path / "a.nii", tmp_path / "b.nii")
    assert isinstance(nib.load(tmp_path / "b.nii"), nib.Nifti2Image)


@pytest.mark.parametrize("shape", [(48, 40), (1, 48, 40), (3, 48, 40)])
def test_npy_masks_have_the_shape_of_the_images(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.broadcast_to(head(), shape))
    make_masks(tmp_path / "a.npy", tmp_path / "b.npy")
    masks = np.load(tmp_path / "b.npy", allow_pickle=False)
    assert (masks.shape, masks.dtype) == (shape, np.uint8)
    same(masks, np.broadcast_to(sm.v7(head(), dilation_size=9), shape))


def test_npy_masks_of_every_source(tmp_path):
    Image.fromarray(head().astype(np.uint8)).save(tmp_path / "a.png")
    np.savez(tmp_path / "a.npz", images=head()[None])
    nib.save(nib.Nifti1Image(volume(), np.eye(4)), tmp_path / "a.nii")
    np.save(tmp_path / "colour.npy", np.zeros((48, 40, 3)) + head()[..., None])
    for source, shape in (("a.png", (48, 40)), ("a.npz", (1, 48, 40)), ("a.nii", (5, 44, 36))):
        make_masks(tmp_path / source, tmp_path / f"{source}.npy")
        assert np.load(tmp_path / f"{source}.npy").shape == shape
    colour = sm.load(tmp_path / "colour.npy", channel=0)
    datasets.write_masks([sm.v1(head())], tmp_path / "c.npy", colour)
    assert np.load(tmp_path / "c.npy").shape == (48, 40)
    phantom = sm.load("phantom")
    datasets.write_masks(phantom.truth, tmp_path / "p.npy", phantom)
    same(np.load(tmp_path / "p.npy"), phantom.truth)


@pytest.mark.parametrize("source", ["a.png", "a.tif"])
def test_png_masks_hold_0_and_255(tmp_path, source):
    Image.fromarray((head() * 200).astype(np.uint16)).save(tmp_path / source)
    make_masks(tmp_path / source, tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as picture:
        assert picture.mode == "L"
        same(np.array(picture), 255 * sm.v7(head(), dilation_size=9))


def test_masks_of_a_folder_bear_the_names_of_its_pictures(tmp_path):
    (tmp_path / "in").mkdir()
    for name, at in (("b.png", 1), ("a.tif", 0)):
        Image.fromarray(head(at=(at, 0)).astype(np.uint8)).save(tmp_path / "in" / name)
    make_masks(tmp_path / "in", tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["a.png", "b.png"]
    for name, at in (("b.png", 1), ("a.png", 0)):
        mask = sm.v7(head(at=(at, 0)).astype(np.uint8), dilation_size=9)
        same(np.array(Image.open(tmp_path / "out" / name)), 255 * mask)


@pytest.mark.parametrize("other", ["a.tif", "A.tif"])
def test_pictures_that_would_get_one_name_are_refused(tmp_path, other):
    (tmp_path / "in").mkdir()
    for name in ("a.png", other):
        Image.fromarray(head().astype(np.uint8)).save(tmp_path / "in" / name)
    with refused("in", naming=["a.png", other]):
        make_masks(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_masks_are_taken_one_at_a_time(tmp_path):
    taken = []

    def masks():
        for index in range(3):
            assert list(tmp_path.glob("b.npy")) == []
            taken.append(index)
            yield np.full((4, 5), index % 2, np.uint8)

    np.save(tmp_path / "a.npy", np.zeros((3, 4, 5)))
    datasets.write_masks(masks(), tmp_path / "b.npy", sm.load(tmp_path / "a.npy"))
    assert taken == [0, 1, 2]
    assert [int(mask[0, 0]) for mask in np.load(tmp_path / "b.npy")] == [0, 1, 0]


def test_masks_appear_whole_or_not_at_all(tmp_path):
    np.save(tmp_path / "a.npy", np.stack([head(), np.full((48, 40), np.inf)]))
    (tmp_path / "b.npy").write_bytes(b"precious")
    with refused("a.npy[1]", naming=["finite"]):
        make_masks(tmp_path / "a.npy", tmp_path / "b.npy")
    assert (tmp_path / "b.npy").read_bytes() == b"precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npy", "b.npy"]


@pytest.mark.parametrize(
    ("source", "output", "values"),
    [
        ("a.npy", "b.png", ["a.npy", ".png", "use .npy"]),
        ("a.npy", "b.nii.gz", ["a.npy", ".nii.gz", "use .npy"]),
        ("a.nii", "b.png", ["a.nii", ".png", "use .npy"]),
        ("a.npy", "b.npz", ["a.npy", ".npz", "use .npy"]),
        ("a.npy", "b.txt", [".npy", "got .txt"]),
        ("a.npy", "b", [".npy", "no suffix"]),
        ("a.tif", "b.png", [" 2 ", "a.tif", "PNG", ".npy"]),
        ("phantom", "b.png", ["phantom", ".png", "use .npy"]),
    ],
)
def test_formats_that_do_not_fit(tmp_path, source, output, values):
    pages = [Image.fromarray(head().astype(np.uint8))] * 2
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    np.save(tmp_path / "a.npy", np.stack([head()] * 2))
    nib.save(nib.Nifti1Image(volume(), np.eye(4)), tmp_path / "a.nii")
    before = sorted(tmp_path.iterdir())
    data = sm.load(source if source == "phantom" else tmp_path / source)
    with refused(output, naming=values):
        datasets.write_masks([sm.v1(head())] * 2, tmp_path / output, data)
    assert sorted(tmp_path.iterdir()) == before


def test_replacing_cleans_up_whatever_happens(tmp_path):
    with pytest.raises(ZeroDivisionError), outputs.replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text(f"half, then {1 / 0}")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "folder").mkdir()
    with outputs.replacing(tmp_path / "folder") as temporary:
        temporary.mkdir()
        (temporary / "a.txt").write_text("whole")
    assert (tmp_path / "folder" / "a.txt").read_text() == "whole"
    with (
        refused("folder", naming=["not empty"]),
        outputs.replacing(tmp_path / "folder"),
    ):
        pass


def test_an_npz_of_one_slice_gives_one_mask(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.eye(9))
    data = sm.load(tmp_path / "a.npz")
    datasets.write_masks([np.eye(9, dtype=np.uint8)], tmp_path / "m.npy", data)
    same(np.load(tmp_path / "m.npy"), np.eye(9))


def test_errors_of_a_relative_output_name_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def fail(temporary):
        raise OSError(28, "No space left on device", str(temporary))

    with (
        refused("a.npy", naming=["No space left"]),
        outputs.replacing("a.npy") as temporary_file,
    ):
        fail(temporary_file)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("codes", ["RAS", "PIR", "ASL"])
def test_masks_cut_along_any_axis_lie_where_the_image_lies(tmp_path, axis, codes):
    canonical = volume()
    save_volume(tmp_path / "a.nii.gz", canonical, codes)
    data = sm.load(tmp_path / "a.nii.gz", axis=axis)
    masks = ((image > 60).astype(np.uint8) for image in data.images)
    datasets.write_masks(masks, tmp_path / "m.nii.gz", data)
    written = nib.load(tmp_path / "m.nii.gz")
    same(np.asarray(written.dataobj), stored(canonical > 60, codes))
    same(written.affine, nib.load(tmp_path / "a.nii.gz").affine)
    same(sm.load(tmp_path / "m.nii.gz", axis=axis).images, data.images > 60)


def test_messages_show_no_temporary_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pages = [Image.fromarray(HEADS[0])] * 2
    pages[0].save("a.tif", save_all=True, append_images=pages[1:])
    save_numbered(tmp_path / "in", HEADS[:2])
    Image.fromarray(HEADS[0]).save("in/1.tif")
    for source, output in (("a.tif", "mp.png"), ("in", "m")):
        data = sm.load(source)
        with pytest.raises(InputError) as error:
            datasets.write_masks(data.images > 0, output, data)
        assert f".{output}" not in str(error.value)
        assert not Path(output).exists()
