"""Files that are damaged, that lie about themselves or would run code are refused in one line."""

import gzip
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from complaints import refused
from formats import HEADS, complaint, volume
from inputs import head
from memory import takes_less_than
from numpy.testing import assert_array_equal as same
from PIL import Image

import skullmask_lib as sm
from skullmask_lib.errors import InputError, InputWarning


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
    images = volume()[:2]
    names = np.array(["x", "y"])
    np.savez(folder / "a.npz", images=images, names=names, truth=images > 50)
    np.savez_compressed(folder / "b.npz", images=images)
    nib.save(nib.Nifti1Image(volume(), np.eye(4)), folder / "a.nii")
    nib.save(nib.Nifti1Image(volume(), np.eye(4)), folder / "b.nii.gz")
    Image.fromarray(head().astype(np.uint8)).save(folder / "a.png")
    Image.fromarray(head().astype(np.uint16)).save(folder / "a.tif")
    return sorted(folder.iterdir())


def test_a_file_under_another_name_is_refused(tmp_path):
    files = samples(tmp_path)
    (tmp_path / "other").mkdir()
    for file in files:
        for suffix in (".npy", ".npz", ".nii", ".nii.gz", ".png"):
            other = tmp_path / "other" / f"x{suffix}"
            shutil.copy(file, other)
            if not is_read_as(file, suffix):
                line = complaint(other)
                assert line.startswith(f"{other}: ")
                assert f" {suffix} file" in line
                assert "\n" not in line


def is_read_as(file, suffix):
    """Tell whether a file may be read under another suffix: as a picture, or packed or plain."""
    own_suffix = "".join(file.suffixes)
    suffixes = {own_suffix, suffix}
    return own_suffix == suffix or suffixes in ({".png", ".tif"}, {".nii", ".nii.gz"})


def damaged(content, rng):
    """Cut a file off, sometimes, and change some bytes, mostly among its first: its headers."""
    data = bytearray(content)
    if rng.random() < 0.2:
        data = data[: rng.integers(1, len(data))]
    reach = len(data) if rng.random() < 0.3 else min(len(data), 400)
    for place in rng.integers(reach, size=rng.integers(1, 9)):
        data[place] = rng.integers(256)
    return data


@pytest.mark.filterwarnings("ignore::skullmask_lib.errors.InputWarning")
def test_damaged_files_are_read_or_refused_in_one_line(tmp_path):
    (tmp_path / "good").mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for file in samples(tmp_path / "good"):
        bad = tmp_path / file.name
        for _ in range(100):
            bad.write_bytes(damaged(file.read_bytes(), rng))
            line = complaint(bad)
            assert "\n" not in line
            assert line == "" or file.name in line
            lines.append(line)
    assert 50 < lines.count("") < len(lines) - 50  # of both kinds there are some


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


def test_a_gzip_of_something_else(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"no image" * 100))
    with refused("a.nii.gz"):
        sm.load(tmp_path / "a.nii.gz")


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


LITTLE = 2**22  # bytes


def npy(header, values=b""):
    """Give the bytes of a .npy whose header says what it likes."""
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
    np.savez(tmp_path / "b.npz", images=np.zeros((2, 4, 4)))
    with zipfile.ZipFile(tmp_path / "b.npz", "a") as archive:
        archive.writestr("names.npy", content)
    for name in ("a.npy", "a.npz", "b.npz"):
        with takes_less_than(LITTLE), pytest.raises(InputError, match=name):
            sm.load(tmp_path / name)


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
    with takes_less_than(LITTLE), refused("a.npz", naming=["2.34 GiB"]):
        sm.load(tmp_path / "a.npz")


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
