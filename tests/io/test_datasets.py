"""Every format in, every format out, and nothing of a file is believed unseen."""

import gzip
import io
import os
import pickle
import shutil
import tracemalloc
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import pytest
from complaints import refused
from inputs import blobs, head
from numpy.testing import assert_array_equal as same
from PIL import Image

import skullmask_lib as sm
from skullmask_lib import errors
from skullmask_lib.errors import InputError, InputWarning
from skullmask_lib.io import arrays, datasets, dicom, outputs

ORIENTATIONS = ("RAS", "LPS", "LAS", "PIR", "ASL", "SRA", "IPL")
RAS_AXIS = {"R": 0, "L": 0, "A": 1, "P": 1, "S": 2, "I": 2}
SPACING_MM = (1.5, 0.75, 2.0)


def stored(canonical, codes):
    """Lay a RAS volume out as a file of this orientation has it."""
    flips = tuple(slice(None, None, -1 if code in "LPI" else 1) for code in codes)
    return canonical.transpose([RAS_AXIS[code] for code in codes])[flips]


def affine_of(codes, shape, degrees=0.0):
    """Affine of the same volume, tilted around the first axis by some degrees."""
    affine = np.eye(4)
    affine[:3, 3] = (-50.0, 20.0, 7.0)
    for axis, code in enumerate(codes):
        world = RAS_AXIS[code]
        affine[:3, axis] = 0
        affine[world, axis] = SPACING_MM[world] * (-1 if code in "LPI" else 1)
        affine[world, 3] += SPACING_MM[world] * (shape[world] - 1) if code in "LPI" else 0
    tilt = np.eye(4)
    turn = np.deg2rad(degrees)
    tilt[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    return tilt @ affine


def volume():
    """Give a RAS volume (X, Y, Z) of int16 whose axial slices, anterior up, are all different."""
    slices = [head((44, 36), at=(k - 2, k)) + 5.0 * k + blobs(k, shape=(44, 36)) for k in range(5)]
    return np.stack([axial[::-1].T for axial in slices], axis=2).round().astype(np.int16)


def axial_slices(canonical):
    return np.stack([canonical[:, ::-1, k].T for k in range(canonical.shape[2])])


def make_masks(source, output):
    data = sm.load(source)
    made = sm.mask_slices(data.images, names=data.names, dilation_size=9)
    datasets.write_masks(made, output, data)
    return data


# --- the phantoms ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["phantom", "phantom-cropped"])
def test_phantoms_load(name):
    data = sm.load(name)
    assert data.images.shape == data.truth.shape == data.brain.shape == (5, 768, 624)
    assert (data.images.dtype, data.truth.dtype, data.spacing_mm.dtype) == (
        np.float32,
        np.uint8,
        np.float64,
    )
    assert data.names == tuple(f"{name}[{k}]" for k in range(5))
    same(data.spacing_mm, np.full((5, 2), 0.42))
    assert not any(array.flags.writeable for array in (data.images, data.truth, data.brain))
    some = sm.load(name, slices=slice(1, 4, 2))
    same(some.images, data.images[1:4:2])
    same(some.truth, data.truth[1:4:2])
    assert some.names == (f"{name}[1]", f"{name}[3]")
    with refused(name, naming=[" 5 ", " 9:"]):
        sm.load(name, slices=slice(9, None))


# --- arrays ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64, ">f4"])
@pytest.mark.parametrize("shape", [(20, 30), (1, 20, 30), (7, 20, 30), (4, 20, 3)])
def test_npy_is_mapped_and_not_read(tmp_path, shape, dtype):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    np.save(tmp_path / "a.npy", array)
    data = sm.load(tmp_path / "a.npy", channel=0 if shape[-1] == 3 else None)
    base = data.images
    while not isinstance(base, np.memmap):
        base = base.base
    assert base.dtype == dtype
    if shape[-1] == 3:
        array = array[..., 0]
    same(data.images, array if array.ndim == 3 else array[None])
    assert data.truth is data.spacing_mm is data.brain is None
    assert data.names == tuple(f"a.npy[{k}]" for k in range(len(data.images)))


def test_a_large_npy_takes_no_memory(tmp_path):
    sparse = np.lib.format.open_memmap(
        tmp_path / "a.npy", "w+", np.float32, (40_000, 768, 624)
    )  # 71 GiB of nothing
    del sparse
    data = sm.load(tmp_path / "a.npy", slices=slice(30_000, 30_002))
    assert isinstance(data.images, np.memmap)
    assert data.images.shape == (2, 768, 624)
    assert data.names == ("a.npy[30000]", "a.npy[30001]")


def test_npz_brings_all_it_knows(tmp_path):
    images = np.stack([head(), head(at=(1, 1))])
    known = {
        "images": images,
        "truth": (images > 0) * np.uint8(255),
        "brain": images > 100,
        "spacing_mm": np.array([[0.5, 1], [0.5, 2]], np.float32),
        "names": np.array(["one", "two"]),
    }
    np.savez_compressed(tmp_path / "a.npz", **known, other=np.arange(3))
    data = sm.load(tmp_path / "a.npz")
    assert (data.images.dtype, data.truth.dtype, data.spacing_mm.dtype) == (
        np.float32,
        np.uint8,
        np.float64,
    )
    same(data.images, images.astype(np.float32))
    same(data.truth, images > 0)
    same(data.brain, images > 100)
    same(data.spacing_mm, known["spacing_mm"])
    assert data.names == ("one", "two")
    np.savez(tmp_path / "b.npz", images=images)
    data = sm.load(tmp_path / "b.npz")
    assert data.truth is data.spacing_mm is data.brain is None
    assert data.names == ("b.npz[0]", "b.npz[1]")


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (np.array([b"a", "\u00e4 1".encode()]), ("a", "\u00e4 1")),
        (np.array([b"a", b"\xff"]), ("a", "\ufffd")),
        (np.array([[7], [8]]), ("7", "8")),
    ],
)
def test_names_of_an_npz_are_texts(tmp_path, names, wanted):
    np.savez(tmp_path / "a.npz", images=np.stack([head()] * 2), names=names)
    assert sm.load(tmp_path / "a.npz").names == wanted


def test_real_slices_load(real):
    for file in sorted((real / "slices").glob("*.npz")):
        data = sm.load(file)
        assert data.images.shape == data.truth.shape == (5, 768, 624)
        assert data.spacing_mm.shape == (5, 2)


def test_truth_comes_from_a_file_of_its_own(tmp_path):
    truth = np.zeros((5, 768, 624), np.uint8)
    truth[:, 300:400, 300:400] = 255
    np.save(tmp_path / "truth.npy", truth)
    data = sm.load("phantom", truth=tmp_path / "truth.npy")
    same(data.truth, truth // 255)
    np.savez(
        tmp_path / "truth.npz", images=sm.load("phantom").images, truth=truth
    )  # its truth, not its images
    same(sm.load("phantom", truth=tmp_path / "truth.npz").truth, truth // 255)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"truth": np.zeros((2, 9, 8))}, r"\(2, 8, 9\).*truth.*\(2, 9, 8\)"),
        ({"brain": np.zeros((1, 8, 9))}, "brain"),
        ({"truth": np.arange(144).reshape(2, 8, 9)}, r"\(truth\): .*binary"),
        ({"spacing_mm": np.ones(2)}, r"spacing_mm.*\(2, 2\).*\(2,\)"),
        ({"spacing_mm": np.array([["a", "b"]] * 2)}, "spacing_mm"),
        ({"names": np.array(["a"])}, "2 names.* 1"),
        ({"images": np.zeros((2, 8, 9), complex)}, "complex128"),
        ({"images": np.array([None])}, "allow_pickle"),
        ({"names": np.array(["a", None])}, "allow_pickle"),
    ],
)
def test_npz_that_does_not_fit_together(tmp_path, change, message):
    np.savez(tmp_path / "a.npz", **({"images": np.zeros((2, 8, 9))} | change))
    with pytest.raises(InputError, match=f"a.npz.*{message}"):
        sm.load(tmp_path / "a.npz")


def test_npz_without_images(tmp_path):
    np.savez(tmp_path / "a.npz", image=np.zeros((2, 8, 9)), labels=np.zeros(3))
    with refused("a.npz", naming=["images", "image, labels"]):
        sm.load(tmp_path / "a.npz")


# --- pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff", "PNG"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_of_8_and_16_bit(tmp_path, suffix, dtype):
    levels = np.arange(12 * 20).reshape(12, 20).astype(dtype) * np.array(
        1 if dtype == np.uint8 else 257, dtype
    )
    Image.fromarray(levels).save(tmp_path / f"a.{suffix}")
    data = sm.load(tmp_path / f"a.{suffix}")
    assert data.images.dtype == np.float32
    same(data.images, levels[None])
    assert data.names == (f"a.{suffix}[0]",)


def test_pictures_of_one_bit_and_of_floats(tmp_path):
    Image.fromarray(head() > 0).save(tmp_path / "a.png")
    same(sm.load(tmp_path / "a.png").images[0], head() > 0)
    Image.fromarray(head().astype(np.float32) / 7).save(tmp_path / "a.tif")
    same(sm.load(tmp_path / "a.tif").images[0], head().astype(np.float32) / 7)


def test_pages_of_a_tiff_are_slices(tmp_path):
    pages = [Image.fromarray((head(at=(k, 0)) * 99).astype(np.uint16)) for k in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    data = sm.load(tmp_path / "a.tif")
    assert data.images.shape == (3, 48, 40)
    same(data.images[2], np.array(pages[2]))
    pages[0].save(tmp_path / "b.tif", save_all=True, append_images=[pages[1].crop((0, 0, 9, 9))])
    with refused("b.tif", naming=["2 sizes"]):
        sm.load(tmp_path / "b.tif")


def test_a_channel_of_a_colour_picture(tmp_path):
    colour = np.stack([head(), head() / 2, head() / 3], axis=-1).astype(np.uint8)
    Image.fromarray(colour).save(tmp_path / "a.png")
    with refused("a.png", naming=["(48, 40, 3)", "channel=0"]):
        sm.load(tmp_path / "a.png")
    for channel in range(3):
        same(sm.load(tmp_path / "a.png", channel=channel).images[0], colour[..., channel])
    for channel in (-1, 3):
        with refused("a.png", naming=["0 to 2", f" {channel}"]):
            sm.load(tmp_path / "a.png", channel=channel)


def test_a_folder_of_pictures(tmp_path):
    for name, at in (("b.png", 1), ("a.tif", 0), ("c.PNG", 2)):
        Image.fromarray(head(at=(at, 0)).astype(np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "sub.png").mkdir()
    with pytest.warns(InputWarning, match=r"sub\.png"):
        data = sm.load(tmp_path)
    assert data.names == ("a.tif", "b.png", "c.PNG")
    same(data.images, np.stack([head(at=(at, 0)) for at in range(3)]).astype(np.uint8))
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "d.png")
    (tmp_path / "sub.png").rmdir()
    with refused("d.png", naming=["(1, 4, 4)"]):
        sm.load(tmp_path)


def test_a_folder_without_pictures(tmp_path):
    with refused(str(tmp_path), naming=["picture", "DICOM"]):
        sm.load(tmp_path)


# --- NIfTI -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codes", ORIENTATIONS)
@pytest.mark.parametrize("degrees", [0, 12])
@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_nifti_of_any_orientation_is_the_same_volume(tmp_path, codes, degrees, suffix):
    canonical = volume()
    nib.save(
        nib.Nifti1Image(stored(canonical, codes), affine_of(codes, canonical.shape, degrees)),
        tmp_path / f"a.{suffix}",
    )
    data = sm.load(tmp_path / f"a.{suffix}")
    assert data.images.dtype == np.float32
    same(data.images, axial_slices(canonical))
    np.testing.assert_allclose(data.spacing_mm, [(SPACING_MM[1], SPACING_MM[0])] * 5, rtol=1e-6)
    assert data.names[4] == f"a.{suffix}[4]"


def test_nifti_along_the_other_axes_has_superior_up(tmp_path):
    canonical = volume()
    nib.save(
        nib.Nifti1Image(stored(canonical, "PIR"), affine_of("PIR", canonical.shape)),
        tmp_path / "a.nii",
    )
    sagittal, coronal = (sm.load(tmp_path / "a.nii", axis=axis) for axis in (0, 1))
    same(sagittal.images, [canonical[i, :, ::-1].T for i in range(36)])
    same(coronal.images, [canonical[:, j, ::-1].T for j in range(44)])
    same(sagittal.spacing_mm[0], (2.0, 0.75))
    same(coronal.spacing_mm[0], (2.0, 1.5))
    with refused("a.nii", naming=["axis", "got 3"]):
        sm.load(tmp_path / "a.nii", axis=3)


@pytest.mark.parametrize("source", ["phantom", "a.npy", "a.npz", "a.png", "in"])
@pytest.mark.parametrize("axis", [0, 1, 3])
def test_slices_have_no_axis(tmp_path, monkeypatch, source, axis):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", HEADS)
    np.savez("a.npz", images=HEADS)
    Image.fromarray(HEADS[0]).save("a.png")
    save_numbered(tmp_path / "in", HEADS)
    for truth in (None, source):
        with refused(source, naming=["axis"]):
            sm.load(source, truth=truth, axis=axis)


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


def test_anterior_is_up_and_left_is_left(tmp_path):
    canonical = np.zeros((9, 11, 3), np.uint8)
    canonical[1, 9, 1] = 1  # left, anterior
    nib.save(
        nib.Nifti1Image(stored(canonical, "LPI"), affine_of("LPI", canonical.shape)),
        tmp_path / "a.nii",
    )
    same(np.argwhere(sm.load(tmp_path / "a.nii").images), [[1, 1, 1]])


def test_nifti_slope_and_axes_of_length_one(tmp_path):
    canonical = volume()
    image = nib.Nifti1Image(canonical[..., None, None], affine_of("RAS", canonical.shape))
    image.header.set_slope_inter(0.5, -20.0)
    nib.save(image, tmp_path / "a.nii.gz")
    same(sm.load(tmp_path / "a.nii.gz").images, axial_slices(canonical * 0.5 - 20.0))


# --- masks out -------------------------------------------------------------------------------------------------


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
    source, output = tmp_path / f"head.{suffix}", tmp_path / "mask.nii.gz"
    image = nib.Nifti1Image(array.reshape(array.shape + trailing), affine)
    if scaled:
        image.header.set_slope_inter(0.5, -20.0)
    image.header["descrip"] = b"whose head it is"
    image.set_qform(affine, code=1)
    image.set_sform(affine, code=2)
    nib.save(image, source)
    make_masks(source, output)

    read = nib.load(output)
    wanted = np.stack(
        [sm.v7(axial, dilation_size=9)[::-1].T for axial in axial_slices(canonical)], axis=2
    )
    same(np.squeeze(read.dataobj), stored(wanted, codes))
    assert wanted.any()
    assert read.shape == nib.load(source).shape
    assert read.get_data_dtype() == np.uint8
    same(np.unique(read.dataobj), [0, 1])
    same(read.affine, nib.load(source).affine)
    for form in ("get_qform", "get_sform"):
        (matrix, code), (wanted_matrix, wanted_code) = (
            getattr(each, form)(coded=True) for each in (read, nib.load(source))
        )
        same(matrix, wanted_matrix)
        assert code == wanted_code
    assert nib.aff2axcodes(read.affine) == tuple(codes)
    assert read.header["descrip"] == b""
    same(
        sm.load(output).images, [sm.v7(axial, dilation_size=9) for axial in axial_slices(canonical)]
    )


def test_a_mask_of_other_nifti_kinds(tmp_path):
    nib.save(nib.Nifti2Image(volume(), affine_of("RAS", (36, 44, 5))), tmp_path / "a.nii")
    make_masks(tmp_path / "a.nii", tmp_path / "b.nii")
    assert isinstance(nib.load(tmp_path / "b.nii"), nib.Nifti2Image)


@pytest.mark.parametrize("shape", [(48, 40), (1, 48, 40), (3, 48, 40)])
def test_npy_masks_have_the_shape_of_the_images(tmp_path, shape):
    np.save(tmp_path / "a.npy", np.broadcast_to(head(), shape))
    make_masks(tmp_path / "a.npy", tmp_path / "b.npy")
    made = np.load(tmp_path / "b.npy", allow_pickle=False)
    assert (made.shape, made.dtype) == (shape, np.uint8)
    same(made, np.broadcast_to(sm.v7(head(), dilation_size=9), shape))


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
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["a.png", "b.png"]
    for name, at in (("b.png", 1), ("a.png", 0)):
        same(
            np.array(Image.open(tmp_path / "out" / name)),
            255 * sm.v7(head(at=(at, 0)).astype(np.uint8), dilation_size=9),
        )


@pytest.mark.parametrize("other", ["a.tif", "A.tif"])
def test_pictures_that_would_get_one_name_are_refused(tmp_path, other):
    (tmp_path / "in").mkdir()
    for name in ("a.png", other):
        Image.fromarray(head().astype(np.uint8)).save(tmp_path / "in" / name)
    with refused("in", naming=["a.png", other]):
        make_masks(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_masks_are_taken_one_at_a_time(tmp_path):
    seen = []

    def made():
        for index in range(3):
            assert list(tmp_path.glob("b.npy")) == []
            seen.append(index)
            yield np.full((4, 5), index % 2, np.uint8)

    np.save(tmp_path / "a.npy", np.zeros((3, 4, 5)))
    datasets.write_masks(made(), tmp_path / "b.npy", sm.load(tmp_path / "a.npy"))
    assert seen == [0, 1, 2]
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


# --- files that lie --------------------------------------------------------------------------------------------


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_is_ever_unpickled(tmp_path):
    sprung = tmp_path / "sprung"
    trap = np.array([Trap(sprung)] * 4, dtype=object)
    with open(tmp_path / "pickle.npy", "wb") as file:
        pickle.dump(Trap(sprung), file)
    shutil.copy(tmp_path / "pickle.npy", tmp_path / "pickle.npz")
    np.save(tmp_path / "object.npy", trap, allow_pickle=True)
    np.savez(tmp_path / "object.npz", images=trap)
    np.savez(tmp_path / "names.npz", images=head()[None], names=trap[:1])
    for name in ("pickle.npy", "pickle.npz", "object.npy", "object.npz", "names.npz"):
        with refused(name):
            sm.load(tmp_path / name)
        with refused(name):
            sm.load("phantom", truth=tmp_path / name)
    assert not sprung.exists()
    np.load(tmp_path / "object.npy", allow_pickle=True)
    assert sprung.exists(), "the trap itself must work"


def samples(folder):
    """Write one good file of every format."""
    np.save(folder / "a.npy", volume())
    np.savez(
        folder / "a.npz", images=volume()[:2], names=np.array(["x", "y"]), truth=volume()[:2] > 50
    )
    np.savez_compressed(folder / "b.npz", images=volume()[:2])
    nib.save(nib.Nifti1Image(volume(), np.eye(4)), folder / "a.nii")
    nib.save(nib.Nifti1Image(volume(), np.eye(4)), folder / "b.nii.gz")
    Image.fromarray(head().astype(np.uint8)).save(folder / "a.png")
    Image.fromarray(head().astype(np.uint16)).save(folder / "a.tif")
    return sorted(folder.iterdir())


def complaint(path):
    """Give the one line in which a file is refused, or nothing if it can be read."""
    try:
        sm.load(path)
    except InputError as error:
        return str(error)
    return ""


def test_a_file_under_another_name_is_refused(tmp_path):
    files = samples(tmp_path)
    (tmp_path / "other").mkdir()
    for file in files:
        for suffix in (".npy", ".npz", ".nii", ".nii.gz", ".png"):
            other = tmp_path / "other" / f"x{suffix}"
            shutil.copy(file, other)
            line = complaint(other)
            kinds = ({".png", ".tif"}, {".nii", ".nii.gz"})
            readable = any(
                {"".join(file.suffixes), suffix} <= kind for kind in kinds
            ) or file.name.endswith(suffix)
            assert readable or (
                line.startswith(f"{other}: ") and f" {suffix} file" in line and "\n" not in line
            )


def damaged(good, rng):
    made = bytearray(good)
    if rng.random() < 0.2:
        made = made[: rng.integers(1, len(made))]
    reach = len(made) if rng.random() < 0.3 else min(len(made), 400)  # headers above all
    for place in rng.integers(reach, size=rng.integers(1, 9)):
        made[place] = rng.integers(256)
    return made


@pytest.mark.filterwarnings("ignore::skullmask_lib.errors.InputWarning")
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path):
    (tmp_path / "good").mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for file in samples(tmp_path / "good"):
        good, bad = file.read_bytes(), tmp_path / file.name
        for _ in range(100):
            bad.write_bytes(damaged(good, rng))
            lines.append(complaint(bad))
            assert "\n" not in lines[-1]
            assert lines[-1] == "" or file.name in lines[-1]
    assert 50 < lines.count("") < len(lines) - 50


@pytest.mark.parametrize("axis", range(3))
def test_a_nifti_whose_axes_point_nowhere(tmp_path, axis):
    affine = np.eye(4)
    affine[:, axis] = 0
    image = nib.Nifti1Image(volume(), None)
    image.header.set_sform(affine, code=1)
    nib.save(image, tmp_path / "a.nii")
    with refused("a.nii", naming=["0.05 to 50 mm"]):
        sm.load(tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("shape", "dtype", "values"),
    [
        ((8,), np.uint8, ["volume", "(8,)"]),
        ((8, 9, 3, 2), np.uint8, ["volume", "(8, 9, 3, 2)"]),
        ((8, 9, 3, 1, 2), np.uint8, ["volume", "(8, 9, 3, 1, 2)"]),
        ((8, 9, 3), np.complex64, ["complex64"]),
        ((8, 9, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")], ["dtype", "'R'", "'G'", "'B'"]),
    ],
)
def test_nifti_that_is_no_volume(tmp_path, shape, dtype, values):
    nib.save(nib.Nifti1Image(np.zeros(shape, dtype), np.eye(4)), tmp_path / "a.nii.gz")
    with refused("a.nii.gz", naming=values):
        sm.load(tmp_path / "a.nii.gz")


def test_values_beyond_float32_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.array([[[0, 1e300]]]))
    with refused(None, naming=["finite", " 1 "]):
        sm.v1(sm.load(tmp_path / "a.npz").images[0])
    np.save(tmp_path / "a.npy", np.array([[[0, 1e300]]]))
    same(sm.v1(sm.load(tmp_path / "a.npy").images[0]), [[0, 1]])  # float64 stays what it is


def test_a_gzip_of_something_else(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"no image" * 100))
    with refused("a.nii.gz"):
        sm.load(tmp_path / "a.nii.gz")


def test_a_channel_of_grey_slices_is_refused(tmp_path):
    np.save(tmp_path / "grey.npy", np.zeros((2, 9, 9), np.float32))
    with refused("grey.npy", naming=["channel", "(2, 9, 9)"]):
        sm.load(tmp_path / "grey.npy", channel=1)


def test_spacing_comes_from_the_affine_and_its_unit(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.float32), None)
    for unit, factor in (("unknown", 1), ("mm", 1), ("meter", 1000), ("micron", 0.001)):
        image.set_sform(np.diag([2.0 / factor, 3.0 / factor, 4.0 / factor, 1.0]), code=1)
        image.header["pixdim"][1:4] = 1
        image.header.set_xyzt_units(unit)
        nib.save(image, tmp_path / "a.nii")
        with pytest.warns(InputWarning, match=r"a\.nii: .*affine"):
            data = sm.load(tmp_path / "a.nii")
        np.testing.assert_allclose(data.spacing_mm, np.tile([3.0, 2.0], (6, 1)), rtol=1e-6)


def test_image_and_truth_must_lie_in_one_place(tmp_path):
    mask = np.zeros((8, 9, 6), np.uint8)
    mask[2:5, 2:6] = 1
    nib.save(
        nib.Nifti1Image(mask.astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0])),
        tmp_path / "image.nii",
    )
    for name, affine in (
        ("same", np.diag([2.0, 2.0, 2.0, 1.0])),
        ("near", np.diag([2.05, 2.0, 2.0, 1.0])),
    ):
        nib.save(nib.Nifti1Image(mask, affine), tmp_path / f"{name}.nii")
        same(
            sm.load(tmp_path / "image.nii", truth=tmp_path / f"{name}.nii").truth.sum(), mask.sum()
        )
    moved = np.diag([2.0, 2.0, 2.0, 1.0])
    moved[0, 3] = 3
    for affine in (np.eye(4), np.diag([-2.0, 2.0, 2.0, 1.0]), moved):
        nib.save(nib.Nifti1Image(mask, affine), tmp_path / "other.nii")
        with refused("other.nii", naming=["image.nii"]):
            sm.load(tmp_path / "image.nii", truth=tmp_path / "other.nii")
    flipped = nib.Nifti1Image(mask, np.diag([2.0, 2.0, 2.0, 1.0])).as_reoriented(
        [[0, -1], [1, 1], [2, 1]]
    )
    nib.save(flipped, tmp_path / "flipped.nii")  # stored the other way round, in the same place
    same(
        sm.load(tmp_path / "image.nii", truth=tmp_path / "flipped.nii").truth,
        sm.load(tmp_path / "same.nii").images,
    )


@pytest.mark.parametrize("spacing", [0.0, -1.0, np.nan, np.inf])
def test_npz_spacing_must_be_a_length(tmp_path, spacing):
    np.savez(tmp_path / "a.npz", images=np.zeros((1, 5, 5)), spacing_mm=[[1.0, spacing]])
    with refused("a.npz", naming=["spacing_mm"]):
        sm.load(tmp_path / "a.npz")


def test_an_empty_name_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with refused(None, naming=["empty"]):
        sm.load("")


def test_a_phantom_may_be_the_truth():
    data = sm.load("phantom-cropped", truth="phantom")
    same(data.truth, sm.load("phantom").truth)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_truth_is_unknown_of_slices_that_are_empty_where_others_are_not(tmp_path, axis):
    truth = np.zeros((9, 10, 11), np.uint8)
    np.moveaxis(truth, axis, 0)[4:6, 3:6, 3:6] = 1
    nib.save(nib.Nifti1Image(truth, np.eye(4)), tmp_path / "t.nii.gz")
    nib.save(nib.Nifti1Image(truth.astype(np.float32), np.eye(4)), tmp_path / "a.nii.gz")
    look = {"truth": tmp_path / "t.nii.gz", "axis": axis}
    assert sm.load(tmp_path / "a.nii.gz", slices=slice(3, 5), **look).truth.any(
        axis=(1, 2)
    ).tolist() == [False, True]
    with pytest.warns(InputWarning, match=r"t\.nii\.gz"):
        assert sm.load(tmp_path / "a.nii.gz", slices=slice(0, 2), **look).truth is None


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
    same(
        sm.load(tmp_path / "metres.nii", truth=tmp_path / "millimetres.nii").truth.sum(), mask.sum()
    )
    with refused("wrong.nii", naming=["0.05 to 50 mm"]):
        sm.load(tmp_path / "millimetres.nii", truth=tmp_path / "wrong.nii")


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
        outputs.replacing("a.npy") as made,
    ):
        fail(made)


def test_a_path_is_no_name(tmp_path, monkeypatch):
    (tmp_path / "chris").mkdir()
    monkeypatch.chdir(tmp_path)
    with refused("chris"):
        sm.load(Path("./chris"))


@pytest.mark.parametrize("name", ["phantom", "chris"])
def test_a_name_has_no_channels(name):
    with refused(name, naming=["channel"]):
        sm.load(name, channel=0)


# --- pairs -----------------------------------------------------------------------------------------------------


def save_numbered(folder, images, name="{}.png"):
    """Write images as pictures named by their numbers from 1, which text would order otherwise."""
    folder.mkdir()
    for number, image in enumerate(images, 1):
        Image.fromarray(image).save(folder / name.format(number))


HEADS = np.stack([head(at=(k - 6, k - 5)) for k in range(12)]).astype(np.uint8)
TRUTH = (HEADS > 0) * np.uint8(255)


def test_slices_of_a_folder_are_in_natural_order(tmp_path):
    save_numbered(tmp_path / "a", HEADS, "slice_{}.png")
    data = sm.load(tmp_path / "a")
    assert data.names == tuple(f"slice_{number}.png" for number in range(1, 13))
    same(data.images, HEADS)
    made = [sm.v1(image) for image in HEADS]
    datasets.write_masks(made, tmp_path / "m", data)
    for number, mask in enumerate(made, 1):
        same(np.array(Image.open(tmp_path / "m" / f"slice_{number}.png")), 255 * mask)


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


@pytest.mark.parametrize("source", ["a.npy", "a.npz", "a"])
@pytest.mark.parametrize("truth", ["t.npy", "t"])
def test_truth_of_a_stack_is_in_natural_order(tmp_path, source, truth):
    np.save(tmp_path / "a.npy", HEADS)
    np.savez(tmp_path / "a.npz", images=HEADS)
    np.save(tmp_path / "t.npy", TRUTH)
    save_numbered(tmp_path / "a", HEADS, "slice_{}.png")
    save_numbered(tmp_path / "t", TRUTH)
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
    with pytest.warns(InputWarning, match="t: .*in order"):
        data = sm.load(tmp_path / "a.npz", truth=tmp_path / "t")
    same(data.truth, HEADS > 0)
    same(
        sm.load(tmp_path / "a.npz", truth=tmp_path / "t.npy").truth, HEADS > 0
    )  # which has no names


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


# --- folders ---------------------------------------------------------------------------------------------------


def test_what_is_left_out_of_a_folder_is_said_once(tmp_path):
    save_numbered(tmp_path / "in", HEADS[:3])
    for name in ("a.gif", "b.webp", "b.nii", ".hidden.gif", "Thumbs.db", "notes.txt"):
        (tmp_path / "in" / name).touch()
    (tmp_path / "in" / ".ipynb_checkpoints").mkdir()
    shutil.copy(tmp_path / "in" / "1.png", tmp_path / "in" / ".ipynb_checkpoints")
    (tmp_path / "in" / "._1.png").write_bytes(b"resource fork")
    (tmp_path / "in" / "sub").mkdir()
    shutil.copy(tmp_path / "in" / "1.png", tmp_path / "in" / "sub")
    with pytest.warns(InputWarning, match="in: ") as told:
        data = sm.load(tmp_path / "in")
    assert data.names == ("1.png", "2.png", "3.png")
    [line] = [str(each.message) for each in told]
    assert all(name in line for name in ("a.gif", "b.webp", "b.nii", "sub"))
    assert not any(name in line for name in ("hidden", "Thumbs", "notes", "checkpoints", "._1"))
    for path in (tmp_path / "in").glob("[123].png"):
        path.unlink()
    with refused("in", naming=["a.gif"]):
        sm.load(tmp_path / "in")


def test_previews_beside_a_series_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom, "read_series", lambda _: nib.Nifti1Image(volume(), np.eye(4)))
    (tmp_path / "IM1").write_bytes(bytes(128) + b"DICM")
    Image.fromarray(HEADS[0]).save(tmp_path / "preview.jpg")
    data = sm.load(tmp_path)
    assert data.images.shape == (5, 44, 36)  # `dicom` would say what it left out
    assert datasets.masks_name(data.origin) == "masks.nii.gz"
    assert datasets.files_in(tmp_path) == [tmp_path / "IM1"]


@pytest.mark.parametrize("name", ["slice_{}.png", "slice_{}.jpg"])
def test_pictures_are_not_opened_to_look_for_dicom(tmp_path, monkeypatch, name):
    save_numbered(tmp_path / "in", HEADS[:3], name)
    opened = []

    def refuse(file, *_, **__):
        opened.append(file)
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refuse)
        files = datasets.files_in(tmp_path / "in")
    assert [file.name for file in files] == [name.format(number) for number in (1, 2, 3)]
    assert opened == []


def test_pictures_beside_what_only_begins_like_dicom_are_read(tmp_path):
    save_numbered(tmp_path / "in", HEADS[:3])
    (tmp_path / "in" / "index.bin").write_bytes(b"\x08\0\x05\0CS\x0a\0ISO_IR 100" + bytes(200))
    (tmp_path / "in" / "Thumbs.db").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "in" / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    same(sm.load(tmp_path / "in").images, HEADS[:3])
    (tmp_path / "in" / "IM1").write_bytes(bytes(128) + b"DICM")
    with refused("in", naming=["DICOM"]):
        sm.load(tmp_path / "in")


@pytest.mark.parametrize("name", ["a.png", "A.NII.GZ", "a.npy"])
def test_a_folder_named_like_a_file_is_refused(tmp_path, name):
    save_numbered(tmp_path / name, HEADS[:1])
    with refused(name, naming=["folder"]):
        sm.load(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes")
@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.npz", "a.nii.gz", "a"])
def test_pipes_and_devices_are_never_opened(tmp_path, name):
    os.mkfifo(tmp_path / name)
    (tmp_path / "null.png").symlink_to("/dev/zero")
    (tmp_path / "gone.png").symlink_to("nowhere.png")
    for path in (tmp_path / name, tmp_path / "null.png", tmp_path / "gone.png"):
        for arguments in ({"source": path}, {"source": "phantom", "truth": path}):
            with refused(path.name):
                sm.load(**arguments)


@pytest.mark.parametrize("name", ["a\0b.png", f"{'x' * 300}.png", f"{'x' * 300}/a.npy"])
def test_a_name_that_no_file_can_have_is_one_line(name):
    assert complaint(name).isprintable()
    assert complaint(name)


@pytest.mark.skipif(os.name != "posix", reason="paths of Windows have drives")
def test_addresses_of_files(tmp_path):
    np.save(tmp_path / "a b.npy", HEADS)
    np.save(tmp_path / "t.npy", TRUTH)
    save_numbered(tmp_path / "in", HEADS)
    address = f"file://{tmp_path}"
    data = sm.load(f"{address}/a%20b.npy", truth=f"{address}/t.npy")
    same(data.truth, HEADS > 0)
    assert data.names[3] == "a b.npy[3]"
    same(sm.load(f"{address}/in").images, HEADS)
    datasets.write_masks(data.truth, f"{address}/m.npy", data)
    same(np.load(tmp_path / "m.npy"), data.truth)
    with refused("t.npy", naming=["input"]):
        datasets.write_masks(
            data.truth,
            tmp_path / "t.npy",
            data,
            keep=[f"{address}/t.npy"],
        )
    with refused("a b.npy", naming=["input"]):
        datasets.write_masks(data.truth, tmp_path / "a b.npy", data)


# --- headers and sizes that lie --------------------------------------------------------------------------------


def npy(header, values=b""):
    """Write a .npy whose header says what it likes."""
    text = f"{header}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + values


@pytest.mark.parametrize(
    "shape", [(10**6, 10**3, 10**3), (10**12,), (2, 3, 10**30), (-1, 4, 4), (2, -3, -4)]
)
@pytest.mark.parametrize("dtype", ["<f4", "|u1", "<U0", "|V0"])
def test_a_header_that_promises_more_than_there_is_is_refused(tmp_path, shape, dtype):
    content = npy({"descr": dtype, "fortran_order": False, "shape": shape}, bytes(1000))
    (tmp_path / "a.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", content)
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((2, 4, 4)))
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("images.npy", buffer.getvalue())
        archive.writestr("names.npy", content)
    for name in ("a.npy", "a.npz", "b.npz"):
        tracemalloc.start()
        with pytest.raises(InputError, match=name):
            sm.load(tmp_path / name)
        assert tracemalloc.get_traced_memory()[1] < 2**22
        tracemalloc.stop()


def packed(path, nbytes, method=zipfile.ZIP_DEFLATED):
    """Write an .npz of zeros without holding them."""
    shape = (nbytes // 2**20, 1024, 1024)
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with (
        zipfile.ZipFile(path, "w", method) as archive,
        archive.open("images.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(shape[0]):
            member.write(bytes(2**20))


def test_an_npz_that_unpacks_to_too_much_is_refused(tmp_path):
    packed(tmp_path / "a.npz", 600 * 2**20)  # of bytes, which become four times as many
    assert (tmp_path / "a.npz").stat().st_size < 2**20
    tracemalloc.start()
    with refused("a.npz", naming=["2.34 GiB"]):
        sm.load(tmp_path / "a.npz")
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_npz_that_numpy_would_not_write_is_refused(tmp_path, method):
    packed(tmp_path / "a.npz", 2**20, method)
    with refused("a.npz"):
        sm.load(tmp_path / "a.npz")


@pytest.mark.parametrize("size", [2**20, 2**24 - 200])
def test_a_size_in_an_npz_that_is_not_true_is_seen(tmp_path, size):
    packed(tmp_path / "a.npz", 2**24)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        true = archive.getinfo("images.npy").file_size
    content = content.replace(true.to_bytes(4, "little"), size.to_bytes(4, "little"))
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npz"):
        sm.load(tmp_path / "a.npz")


@pytest.mark.parametrize("place", [0.3, 0.6, 0.9])
def test_a_byte_that_changed_in_an_npz_is_seen(tmp_path, place):
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", images=np.random.default_rng(0).random((3, 20, 30)))
        content = bytearray((tmp_path / "a.npz").read_bytes())
        content[int(place * len(content))] ^= 1
        (tmp_path / "a.npz").write_bytes(content)
        with refused("a.npz"):
            sm.load(tmp_path / "a.npz")


def test_a_npy_that_is_longer_than_it_says_is_read_with_a_warning(tmp_path):
    np.save(tmp_path / "a.npy", HEADS)
    with open(tmp_path / "a.npy", "ab") as file:
        file.write(bytes(7))
    with pytest.warns(InputWarning, match=r"a\.npy: .*7 bytes"):
        same(sm.load(tmp_path / "a.npy").images, HEADS)


# --- NaN -------------------------------------------------------------------------------------------------------


def without_background(images, dtype=np.float32):
    """Leave NaN around the heads, and give the same with zeros there."""
    rows, columns = np.indices(images.shape[1:])
    inside = np.hypot(rows - 23.5, columns - 19.5) < 22
    return np.where(inside, images, np.nan).astype(dtype), np.where(inside, images, 0).astype(dtype)


@pytest.mark.filterwarnings("ignore:the mask is empty")
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "f2"])
def test_nan_around_the_heads_is_zero_and_said_once(tmp_path, dtype):
    given, wanted = without_background(HEADS, dtype)
    given[3], wanted[3] = np.nan, 0  # no head in it
    np.save(tmp_path / "a.npy", given)
    np.save(tmp_path / "f.npy", np.asfortranarray(given))
    np.savez(tmp_path / "a.npz", images=given)
    for name in ("a.npy", "f.npy", "a.npz"):
        with pytest.warns(InputWarning, match=f"{name}: NaN") as told:
            data = sm.load(tmp_path / name)
        assert len(told) == 1
        same(data.images, wanted)
        assert data.images.dtype.kind == "f"
    made = [sm.v1(image) for image in data.images]
    datasets.write_masks(made, tmp_path / "m.npy", data)
    same(np.load(tmp_path / "m.npy"), [sm.v1(image) for image in wanted])


def test_a_stack_without_nan_stays_mapped_and_nan_elsewhere_does_not_matter(tmp_path):
    given, wanted = without_background(HEADS)
    given[:9] = wanted[:9]
    np.save(tmp_path / "a.npy", given)
    data = sm.load(tmp_path / "a.npy", slices=slice(2, 7))
    assert isinstance(data.images, np.memmap)
    with pytest.warns(InputWarning, match="NaN"):
        same(sm.load(tmp_path / "a.npy", slices=slice(8, None)).images, wanted[8:])


@pytest.mark.parametrize("order", ["C", "F"])
def test_nan_is_looked_for_without_a_map_in_memory(tmp_path, order):
    shape = (64, 1024, 1024)
    sparse = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.float32, shape, order == "F")
    del sparse  # 256 MiB
    usual = psutil.Process().memory_info().rss
    data = sm.load(tmp_path / "a.npy")
    assert psutil.Process().memory_info().rss - usual < 64 * 2**20
    assert isinstance(data.images, np.memmap)


def test_nan_in_a_file_that_is_larger_than_what_may_be_unpacked(tmp_path, monkeypatch):
    given, wanted = without_background(HEADS)
    np.save(tmp_path / "a.npy", given)
    monkeypatch.setattr(errors, "LARGEST_UNPACKED_BYTES", given.nbytes // 8)
    with pytest.warns(InputWarning, match=r"a\.npy: NaN"):
        same(sm.load(tmp_path / "a.npy").images, wanted)

    def fail(_):
        raise MemoryError

    monkeypatch.setattr(arrays, "loaded", fail)
    with refused("a.npy", naming=["--slices", "batch"]) as error:
        sm.load(tmp_path / "a.npy")
    assert "save it" not in str(error.value)


def test_nan_within_a_head_and_nan_alone_stay_refused(tmp_path):
    given = HEADS.astype(np.float32)
    given[5, 20, 20] = np.nan
    np.save(tmp_path / "a.npy", given)
    data = sm.load(tmp_path / "a.npy")
    with refused(None, naming=[" 1 ", "NaN"]):
        sm.v1(data.images[5])
    np.save(tmp_path / "b.npy", np.full((2, 9, 9), np.nan))
    with refused(None, naming=[" 81 ", "NaN"]):
        sm.v1(sm.load(tmp_path / "b.npy").images[0])


# --- Python's doors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "got"),
    [
        (HEADS, str(HEADS.shape)),
        ([1, 2], "(2,)"),
        (7, "int"),
        (b"a.npy", "bytes"),
        (sm.load("phantom"), "Data"),
    ],
)
def test_what_is_no_path_is_told_where_to_go(given, got):
    for arguments in ({"source": given}, {"source": "phantom", "truth": given}):
        with refused(None, naming=["path", got]) as error:
            sm.load(**arguments)
        assert "\n" not in str(error.value)
    with refused(None, naming=[str(HEADS.shape), "create_skull_mask"]):
        sm.load(HEADS)
    with refused(None, naming=["NoneType"]):
        sm.load(None)


def test_data_is_shown_in_one_short_line(tmp_path):
    np.savez(tmp_path / "a.npz", images=HEADS, spacing_mm=[[0.5, 1.25]] * 12, truth=TRUTH)
    shown = repr(sm.load(tmp_path / "a.npz"))
    for part in ("12", "48", "40", "float32", "truth", "0.5", "1.25", "a.npz[0]", "a.npz[11]"):
        assert part in shown
    assert len(shown) < 200
    assert "array" not in shown


def test_numbers_of_numpy_are_shown_as_numbers():
    data = sm.load("phantom", slices=slice(np.uint8(1), np.int64(3)))
    assert len(data.images) == 2
    with refused("phantom", naming=[" 5 ", " 7:"]):
        sm.load("phantom", slices=slice(np.uint8(7), None))
    same(data.spaced(np.array([2.0, 3.0])).spacing_mm, [[2, 3]] * 2)
    assert data.spaced(None) is data.spaced(()) is data
    with refused(None, naming=["(0.0, 1.0)"]):
        data.spaced((np.float32(0), np.float64(1)))


def test_lengths_are_in_pixels_where_no_spacing_is_known():
    plain = sm.Data(np.zeros((2, 3, 3)), None, None, ("a", "b"))
    assert (plain.spacing_of(1), plain.length_unit) == (None, "px")
    spaced = plain.spaced((2.0, 3.0))
    assert (spaced.spacing_of(1), spaced.length_unit) == ((2.0, 3.0), "mm")


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("codes", ["RAS", "PIR", "ASL"])
def test_masks_cut_along_any_axis_lie_where_the_image_lies(tmp_path, axis, codes):
    canonical = volume()
    inside = canonical > 60
    nib.save(
        nib.Nifti1Image(stored(canonical, codes), affine_of(codes, canonical.shape)),
        tmp_path / "a.nii.gz",
    )
    data = sm.load(tmp_path / "a.nii.gz", axis=axis)
    made = (image > 60 for image in data.images)
    made = (mask.astype(np.uint8) for mask in made)
    datasets.write_masks(made, tmp_path / "m.nii.gz", data)
    written = nib.load(tmp_path / "m.nii.gz")
    same(np.asarray(written.dataobj), stored(inside, codes))
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
