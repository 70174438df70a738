"""Every format is read into the same `Data`: slices, their truth, their spacing and their names."""

import itertools
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import pytest
from complaints import refused
from formats import (
    HEADS,
    SPACING_MM,
    TRUTH,
    affine_of,
    axial_slices,
    save_numbered,
    save_volume,
    volume,
)
from inputs import head
from numpy.testing import assert_array_equal as same
from PIL import Image

import skullmask_lib as sm
from skullmask_lib import errors
from skullmask_lib.errors import InputError, InputWarning
from skullmask_lib.io import arrays, datasets, dicom


def check_kinds(data):
    """See that images, truth and spacing are of the types that `Data` promises."""
    assert data.images.dtype == np.float32
    assert data.truth.dtype == np.uint8
    assert data.spacing_mm.dtype == np.float64


# --- the phantoms --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["phantom", "phantom-cropped"])
def test_phantoms_load(name):
    data = sm.load(name)
    check_kinds(data)
    for array in (data.images, data.truth, data.brain):
        assert array.shape == (5, 768, 624)
        assert not array.flags.writeable
    assert data.names == tuple(f"{name}[{k}]" for k in range(5))
    same(data.spacing_mm, np.full((5, 2), 0.42))
    some = sm.load(name, slices=slice(1, 4, 2))
    same(some.images, data.images[1:4:2])
    same(some.truth, data.truth[1:4:2])
    assert some.names == (f"{name}[1]", f"{name}[3]")
    with refused(name, naming=[" 5 ", " 9:"]):
        sm.load(name, slices=slice(9, None))


# --- arrays --------------------------------------------------------------------------------------


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
    shape = (40_000, 768, 624)  # 71 GiB of nothing
    sparse = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.float32, shape)
    del sparse
    data = sm.load(tmp_path / "a.npy", slices=slice(30_000, 30_002))
    assert isinstance(data.images, np.memmap)
    assert data.images.shape == (2, 768, 624)
    assert data.names == ("a.npy[30000]", "a.npy[30001]")


def test_npz_brings_all_it_knows(tmp_path):
    images = np.stack([head(), head(at=(1, 1))])
    spacing_mm = np.array([[0.5, 1], [0.5, 2]], np.float32)
    np.savez_compressed(
        tmp_path / "a.npz",
        images=images,
        truth=(images > 0) * np.uint8(255),
        brain=images > 100,
        spacing_mm=spacing_mm,
        names=np.array(["one", "two"]),
        other=np.arange(3),
    )
    data = sm.load(tmp_path / "a.npz")
    check_kinds(data)
    same(data.images, images.astype(np.float32))
    same(data.truth, images > 0)
    same(data.brain, images > 100)
    same(data.spacing_mm, spacing_mm)
    assert data.names == ("one", "two")
    np.savez(tmp_path / "b.npz", images=images)
    data = sm.load(tmp_path / "b.npz")
    assert data.truth is data.spacing_mm is data.brain is None
    assert data.names == ("b.npz[0]", "b.npz[1]")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (np.array([b"a", "\u00e4 1".encode()]), ("a", "\u00e4 1")),
        (np.array([b"a", b"\xff"]), ("a", "\ufffd")),
        (np.array([[7], [8]]), ("7", "8")),
    ],
)
def test_names_of_an_npz_are_texts(tmp_path, names, expected):
    np.savez(tmp_path / "a.npz", images=np.stack([head()] * 2), names=names)
    assert sm.load(tmp_path / "a.npz").names == expected


def test_real_slices_load(real):
    for file in sorted((real / "slices").glob("*.npz")):
        data = sm.load(file)
        assert data.images.shape == data.truth.shape == (5, 768, 624)
        assert data.spacing_mm.shape == (5, 2)


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


# --- pictures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff", "PNG"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_of_8_and_16_bit(tmp_path, suffix, dtype):
    levels = np.arange(12 * 20, dtype=dtype).reshape(12, 20)
    if dtype == np.uint16:
        levels *= 257  # uses both bytes
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


# --- NIfTI ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "PIR", "ASL", "SRA", "IPL"])
@pytest.mark.parametrize("degrees", [0, 12])
@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_nifti_of_any_orientation_is_the_same_volume(tmp_path, codes, degrees, suffix):
    canonical = volume()
    save_volume(tmp_path / f"a.{suffix}", canonical, codes, degrees)
    data = sm.load(tmp_path / f"a.{suffix}")
    assert data.images.dtype == np.float32
    same(data.images, axial_slices(canonical))
    np.testing.assert_allclose(data.spacing_mm, [(SPACING_MM[1], SPACING_MM[0])] * 5, rtol=1e-6)
    assert data.names[4] == f"a.{suffix}[4]"


def test_nifti_along_the_other_axes_has_superior_up(tmp_path):
    canonical = volume()
    save_volume(tmp_path / "a.nii", canonical, "PIR")
    sagittal = sm.load(tmp_path / "a.nii", axis=0)
    coronal = sm.load(tmp_path / "a.nii", axis=1)
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


def test_anterior_is_up_and_left_is_left(tmp_path):
    canonical = np.zeros((9, 11, 3), np.uint8)
    canonical[1, 9, 1] = 1  # left, anterior
    save_volume(tmp_path / "a.nii", canonical, "LPI")
    same(np.argwhere(sm.load(tmp_path / "a.nii").images), [[1, 1, 1]])


def test_nifti_slope_and_axes_of_length_one(tmp_path):
    canonical = volume()
    image = nib.Nifti1Image(canonical[..., None, None], affine_of("RAS", canonical.shape))
    image.header.set_slope_inter(0.5, -20.0)
    nib.save(image, tmp_path / "a.nii.gz")
    same(sm.load(tmp_path / "a.nii.gz").images, axial_slices(canonical * 0.5 - 20.0))


def test_values_beyond_float32_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.array([[[0, 1e300]]]))
    with refused(None, naming=["finite", " 1 "]):
        sm.v1(sm.load(tmp_path / "a.npz").images[0])
    np.save(tmp_path / "a.npy", np.array([[[0, 1e300]]]))
    same(sm.v1(sm.load(tmp_path / "a.npy").images[0]), [[0, 1]])  # float64 stays what it is


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


@pytest.mark.parametrize("spacing", [0.0, -1.0, np.nan, np.inf])
def test_npz_spacing_must_be_a_length(tmp_path, spacing):
    np.savez(tmp_path / "a.npz", images=np.zeros((1, 5, 5)), spacing_mm=[[1.0, spacing]])
    with refused("a.npz", naming=["spacing_mm"]):
        sm.load(tmp_path / "a.npz")


def test_an_empty_name_is_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with refused(None, naming=["empty"]):
        sm.load("")


def test_a_path_is_no_name(tmp_path, monkeypatch):
    (tmp_path / "chris").mkdir()
    monkeypatch.chdir(tmp_path)
    with refused("chris"):
        sm.load(Path("./chris"))


@pytest.mark.parametrize("name", ["phantom", "chris"])
def test_a_name_has_no_channels(name):
    with refused(name, naming=["channel"]):
        sm.load(name, channel=0)


def test_slices_of_a_folder_are_in_natural_order(tmp_path):
    save_numbered(tmp_path / "a", HEADS, "slice_{}.png")
    data = sm.load(tmp_path / "a")
    assert data.names == tuple(f"slice_{number}.png" for number in range(1, 13))
    same(data.images, HEADS)
    masks = [sm.v1(image) for image in HEADS]
    datasets.write_masks(masks, tmp_path / "m", data)
    for number, mask in enumerate(masks, 1):
        same(np.array(Image.open(tmp_path / "m" / f"slice_{number}.png")), 255 * mask)


# --- folders -------------------------------------------------------------------------------------


def test_what_is_left_out_of_a_folder_is_said_once(tmp_path):
    save_numbered(tmp_path / "in", HEADS[:3])
    for name in ("a.gif", "b.webp", "b.nii", ".hidden.gif", "Thumbs.db", "notes.txt"):
        (tmp_path / "in" / name).touch()
    (tmp_path / "in" / ".ipynb_checkpoints").mkdir()
    shutil.copy(tmp_path / "in" / "1.png", tmp_path / "in" / ".ipynb_checkpoints")
    (tmp_path / "in" / "._1.png").write_bytes(b"resource fork")
    (tmp_path / "in" / "sub").mkdir()
    shutil.copy(tmp_path / "in" / "1.png", tmp_path / "in" / "sub")
    with pytest.warns(InputWarning, match="in: ") as caught:
        data = sm.load(tmp_path / "in")
    assert data.names == ("1.png", "2.png", "3.png")
    [line] = [str(warning.message) for warning in caught]
    for name in ("a.gif", "b.webp", "b.nii", "sub"):
        assert name in line
    for name in ("hidden", "Thumbs", "notes", "checkpoints", "._1"):
        assert name not in line
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
    assert [file.name for file in files] == [name.format(1), name.format(2), name.format(3)]
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
        datasets.write_masks(data.truth, tmp_path / "t.npy", data, keep=[f"{address}/t.npy"])
    with refused("a b.npy", naming=["input"]):
        datasets.write_masks(data.truth, tmp_path / "a b.npy", data)


# --- NaN -----------------------------------------------------------------------------------------


def without_background(images, dtype=np.float32):
    """Leave NaN around the heads, and give the same with zeros there."""
    rows, columns = np.indices(images.shape[1:])
    is_near = np.hypot(rows - 23.5, columns - 19.5) < 22
    with_nan = np.where(is_near, images, np.nan)
    with_zeros = np.where(is_near, images, 0)
    return with_nan.astype(dtype), with_zeros.astype(dtype)


@pytest.mark.filterwarnings("ignore:the mask is empty")
@pytest.mark.parametrize("dtype", ["<f4", ">f8", "f2"])
def test_nan_around_the_heads_is_zero_and_said_once(tmp_path, dtype):
    images, expected = without_background(HEADS, dtype)
    images[3] = np.nan  # no head in it
    expected[3] = 0
    np.save(tmp_path / "a.npy", images)
    np.save(tmp_path / "f.npy", np.asfortranarray(images))
    np.savez(tmp_path / "a.npz", images=images)
    for name in ("a.npy", "f.npy", "a.npz"):
        with pytest.warns(InputWarning, match=f"{name}: NaN") as caught:
            data = sm.load(tmp_path / name)
        assert len(caught) == 1
        same(data.images, expected)
        assert data.images.dtype.kind == "f"
    masks = [sm.v1(image) for image in data.images]
    datasets.write_masks(masks, tmp_path / "m.npy", data)
    same(np.load(tmp_path / "m.npy"), [sm.v1(image) for image in expected])


def test_a_stack_without_nan_stays_mapped_and_nan_elsewhere_does_not_matter(tmp_path):
    images, expected = without_background(HEADS)
    images[:9] = expected[:9]
    np.save(tmp_path / "a.npy", images)
    data = sm.load(tmp_path / "a.npy", slices=slice(2, 7))
    assert isinstance(data.images, np.memmap)
    with pytest.warns(InputWarning, match="NaN"):
        same(sm.load(tmp_path / "a.npy", slices=slice(8, None)).images, expected[8:])


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
    images, expected = without_background(HEADS)
    np.save(tmp_path / "a.npy", images)
    monkeypatch.setattr(errors, "LARGEST_UNPACKED_BYTES", images.nbytes // 8)
    with pytest.warns(InputWarning, match=r"a\.npy: NaN"):
        same(sm.load(tmp_path / "a.npy").images, expected)

    def fail(_):
        raise MemoryError

    monkeypatch.setattr(arrays, "loaded", fail)
    with refused("a.npy", naming=["--slices", "batch"]) as error:
        sm.load(tmp_path / "a.npy")
    assert "save it" not in str(error.value)


def test_nan_within_a_head_and_nan_alone_stay_refused(tmp_path):
    images = HEADS.astype(np.float32)
    images[5, 20, 20] = np.nan
    np.save(tmp_path / "a.npy", images)
    data = sm.load(tmp_path / "a.npy")
    with refused(None, naming=[" 1 ", "NaN"]):
        sm.v1(data.images[5])
    np.save(tmp_path / "b.npy", np.full((2, 9, 9), np.nan))
    with refused(None, naming=[" 81 ", "NaN"]):
        sm.v1(sm.load(tmp_path / "b.npy").images[0])


# --- Python's doors ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "got"),
    [
        (HEADS, str(HEADS.shape)),
        ([1, 2], "(2,)"),
        (7, "int"),
        (b"a.npy", "bytes"),
        (sm.load("phantom"), "Data"),
    ],
)
def test_what_is_no_path_is_told_where_to_go(source, got):
    for arguments in ({"source": source}, {"source": "phantom", "truth": source}):
        with refused(None, naming=["path", got]) as error:
            sm.load(**arguments)
        assert "\n" not in str(error.value)
    with refused(None, naming=[str(HEADS.shape), "create_skull_mask"]):
        sm.load(HEADS)
    with refused(None, naming=["NoneType"]):
        sm.load(None)


def test_data_is_shown_in_one_short_line(tmp_path):
    np.savez(tmp_path / "a.npz", images=HEADS, spacing_mm=[[0.5, 1.25]] * 12, truth=TRUTH)
    text = repr(sm.load(tmp_path / "a.npz"))
    for part in ("12", "48", "40", "float32", "truth", "0.5", "1.25", "a.npz[0]", "a.npz[11]"):
        assert part in text
    assert len(text) < 200
    assert "array" not in text


def test_numbers_of_numpy_are_shown_as_numbers():
    data = sm.load("phantom", slices=slice(np.uint8(1), np.int64(3)))
    assert len(data.images) == 2
    with refused("phantom", naming=[" 5 ", " 7:"]):
        sm.load("phantom", slices=slice(np.uint8(7), None))
    same(data.spaced(np.array([2.0, 3.0])).spacing_mm, [[2, 3]] * 2)
    assert data.spaced(None) is data.spaced(()) is data
    with refused(None, naming=["(0.0, 1.0)"]):
        data.spaced((np.float32(0), np.float64(1)))


@pytest.mark.parametrize("slices", [2, [0, 2], "1:2", slice(0, 5, 0), slice(0, 2.5), slice("a")])
def test_what_names_no_slices_is_refused(slices):
    with refused(None, naming=["slice(start, stop)", repr(slices)]):
        sm.load("phantom", slices=slices)


def test_a_range_takes_the_slices_that_it_counts(tmp_path):
    """It is refused if it counts some from the start and others, those below 0, from the end."""
    four = HEADS[:4]
    np.save(tmp_path / "a.npy", four)
    ends = range(-6, 7)
    for start, stop, step in itertools.product(ends, ends, (-3, -2, -1, 1, 2, 3)):
        slices = range(start, stop, step)
        places = [place for place in slices if -4 <= place < 4]
        if min(slices, default=-1) < 0 <= max(slices, default=0):
            with refused(None, naming=[repr(slices)]):
                sm.load(tmp_path / "a.npy", slices=slices)
        elif places:
            same(sm.load(tmp_path / "a.npy", slices=slices).images, four[places])


def test_lengths_are_in_pixels_where_no_spacing_is_known():
    plain = sm.Data(np.zeros((2, 3, 3)), None, None, ("a", "b"))
    assert (plain.spacing_of(1), plain.length_unit) == (None, "px")
    spaced = plain.spaced((2.0, 3.0))
    assert (spaced.spacing_of(1), spaced.length_unit) == ((2.0, 3.0), "mm")
