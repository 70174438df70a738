"""A `Data` remembers where it comes from: masks are written without opening the source again."""

import os
import pickle
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import write_series
from inputs import head
from numpy.testing import assert_array_equal as same
from PIL import Image

import skullmask_lib as sm
from skullmask_lib.errors import InputError, InputWarning
from skullmask_lib.io import data as io_data
from skullmask_lib.io import datasets, reading

HEADS = np.stack([head(at=(k, -k)) for k in range(5)]).astype(np.uint8)
LPS_MM = np.diag([-1.5, -0.75, 2.0, 1.0])
SMALL_BYTES = 8192


def save_volume(path):
    image = nib.Nifti1Image(HEADS.astype(np.int16), LPS_MM)
    image.header["descrip"] = "DOE^JOHN"
    nib.save(image, path)


def save_tiff(path):
    pages = [Image.fromarray(slice_) for slice_ in HEADS]
    pages[0].save(path, save_all=True, append_images=pages[1:])


def save_pictures(folder):
    Path(folder).mkdir()
    names = ("1.png", "2.tif", "3.tiff", "9.png", "10.bmp")
    for name, slice_ in zip(names, HEADS, strict=True):
        Image.fromarray(slice_).save(Path(folder, name))


def save_cohort(folder):
    home = Path(folder, "A00028185")
    home.mkdir(parents=True)
    for kind in ("T1w", "T1w_brainmask"):
        volume = HEADS if kind == "T1w" else HEADS > 0
        image = nib.Nifti1Image(volume.astype(np.int16), LPS_MM)
        nib.save(image, home / f"sub-{home.name}_ses-NFB3_{kind}.nii.gz")


MAKE = {
    "one.npy": lambda path: np.save(path, HEADS[0]),
    "some.npy": lambda path: np.save(path, HEADS),
    "colour.npy": lambda path: np.save(path, np.stack([HEADS[0]] * 3, axis=-1)),
    "one.npz": lambda path: np.savez(path, images=HEADS[0]),
    "some.npz": lambda path: np.savez(path, images=HEADS),
    "a.nii": save_volume,
    "a.nii.gz": save_volume,
    "a.img": save_volume,
    "one.png": lambda path: Image.fromarray(HEADS[0]).save(path),
    "one.tif": lambda path: Image.fromarray(HEADS[0]).save(path),
    "some.tif": save_tiff,
    "pictures": save_pictures,
    "series": lambda path: write_series(path, HEADS.astype(np.int16)),
    "nfbs:cohort": lambda path: save_cohort(str(path).removeprefix("nfbs:")),
}
FORMATS = {  # source: its format, whether it is one slice, and the name of its masks
    "one.npy": (".npy", True, "masks.npy"),
    "some.npy": (".npy", False, "masks.npy"),
    "colour.npy": (".npy", True, "masks.npy"),
    "one.npz": (".npz", True, "masks.npy"),
    "some.npz": (".npz", False, "masks.npy"),
    "a.nii": (".nii", False, "masks.nii"),
    "a.nii.gz": (".nii.gz", False, "masks.nii.gz"),
    "a.img": (".img", False, "masks.nii.gz"),
    "one.png": (".png", True, "masks.png"),
    "one.tif": (".tif", True, "masks.png"),
    "some.tif": (".tif", False, "masks.npy"),
    "pictures": ("folder", False, "masks"),
    "series": ("series", False, "masks.nii.gz"),
    "nfbs:cohort": ("nfbs:", False, "masks.npy"),
    "phantom": ("name", False, "masks.npy"),
}


@pytest.fixture(params=FORMATS)
def source(request, tmp_path, monkeypatch):
    """Make a source of each format in the current folder, and name it."""
    monkeypatch.chdir(tmp_path)
    if request.param in MAKE:
        MAKE[request.param](request.param)
    return request.param


def loaded(source, **options):
    return sm.load(source, channel=0 if source.startswith("colour") else None, **options)


def masks_in(path):
    """Read masks as (N, H, W), whatever they were written as."""
    return sm.load(path).images > 0


def test_every_format_has_its_origin(source):
    data = loaded(source)
    source_format, is_single, name = FORMATS[source]
    origin = data.origin
    assert origin.source == source
    assert (origin.format, origin.is_single) == (source_format, is_single)
    assert datasets.masks_name(origin) == name
    assert (origin.geometry is not None) == ("nii" in name)
    assert origin.files == (data.names if source == "pictures" else ())


def test_selections_and_spacings_keep_the_origin(source):
    whole = loaded(source)
    assert io_data.select(whole, [0]).origin is whole.origin
    assert whole.spaced((1.0, 2.0)).origin is whole.origin
    assert loaded(source, slices=slice(0, 1)).origin == whole.origin


def test_an_origin_is_small_wherever_it_is_sent(source):
    origin = loaded(source).origin
    content = pickle.dumps(origin)
    assert len(content) < SMALL_BYTES
    assert b"DOE" not in content
    assert pickle.loads(content) == origin


@pytest.mark.skipif(os.name != "posix", reason="Windows moves no file that is mapped into memory")
def test_writing_masks_reopens_nothing(source):
    data = loaded(source)
    masks = (data.images > data.images.mean()).astype(np.uint8)
    name = datasets.masks_name(data.origin)
    datasets.write_masks(masks, name, data)
    wanted = masks_in(name)
    _, _, path = source.rpartition(":")
    if Path(path).exists():
        shutil.move(path, "gone")
    Path("a.hdr").unlink(missing_ok=True)
    datasets.write_masks(masks, f"again_{name}", data)
    same(masks_in(f"again_{name}"), wanted)
    assert np.count_nonzero(wanted) == np.count_nonzero(masks) > 0


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", ["a.nii.gz", "series"])
def test_the_axis_of_the_cut_is_remembered(tmp_path, monkeypatch, name, axis):
    monkeypatch.chdir(tmp_path)
    MAKE[name](name)
    data = sm.load(name, axis=axis)
    assert data.origin.axis == axis
    Path(name).rename("gone")
    datasets.write_masks((data.images > 60).astype(np.uint8), "masks.nii", data)
    same(sm.load("masks.nii", axis=axis).images, data.images > 60)
    affine = data.origin.geometry.get_best_affine()
    same(nib.load("masks.nii").affine, affine)


def test_the_origin_is_that_of_the_images_and_not_of_their_truth(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_pictures("pictures")
    np.save("truth.npy", HEADS > 60)
    with pytest.warns(InputWarning, match="in order"):
        data = sm.load("pictures", truth="truth.npy")
    assert data.origin.source == "pictures"


def test_a_head_of_the_registry_goes_by_its_name(tmp_path, monkeypatch):
    save_volume(tmp_path / "downloaded.nii.gz")
    downloaded = tmp_path / "downloaded.nii.gz"
    monkeypatch.setattr(reading.registry, "fetch", lambda *_, **__: downloaded)
    monkeypatch.setattr(reading.registry, "truth", lambda _name: None)
    data = sm.load("chris")
    assert data.origin == datasets.Origin("chris", "name")
    assert datasets.masks_name(data.origin) == "masks.npy"
    with pytest.raises(InputError, match=r"m\.nii: .*chris.*\.npy"):
        datasets.write_masks(data.images > 60, tmp_path / "m.nii", data)


@pytest.mark.parametrize(("name", "output"), [("a.nii", "m.nii.gz"), ("pictures", "m")])
def test_some_slices_of_a_volume_or_a_folder_go_into_an_array(tmp_path, monkeypatch, name, output):
    monkeypatch.chdir(tmp_path)
    MAKE[name](name)
    data = sm.load(name, slices=slice(1, 3))
    masks = (data.images > 60).astype(np.uint8)
    with pytest.raises(InputError, match=f"^{output}: .*some slices.*npy"):
        datasets.write_masks(masks, output, data)
    assert not Path(output).exists()
    datasets.write_masks(masks, "m.npy", data)
    same(np.load("m.npy"), masks)


def test_images_that_were_never_loaded_have_no_origin(tmp_path):
    data = sm.Data(HEADS, None, None, tuple("abcde"))
    assert data.origin is None
    with pytest.raises(InputError, match=r"m\.npy: .*loaded"):
        datasets.write_masks(HEADS > 60, tmp_path / "m.npy", data)
    assert not list(tmp_path.iterdir())
