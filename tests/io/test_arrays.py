"""Arrays in NumPy's files: read where they lie, and held against their checksums."""

import io
import os
import zipfile

import numpy as np
import pytest
from numpy.testing import assert_array_equal as same

from skullmask_lib.errors import InputError
from skullmask_lib.io import arrays

VIEWS = {
    "whole": np.s_[:],
    "some": np.s_[2:5],
    "every other one, backwards": np.s_[5:1:-2],
    "one": np.s_[3:4],
    "a window": np.s_[1:, 3:6, ::-2],
    "one slice": np.s_[4],
}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dtype", ["u1", ">f8"])
def test_parts_of_a_map_are_read_from_its_file(tmp_path, order, view, dtype):
    values = np.arange(7 * 8 * 9).reshape(7, 8, 9) % 251
    np.save(tmp_path / "a.npy", values.astype(dtype, order=order))
    mapped = arrays.mapped(tmp_path / "a.npy")[VIEWS[view]]
    parts = list(arrays.parts(mapped))
    assert not any(isinstance(part, np.memmap) for part in parts)
    found = np.concatenate([part.ravel() for part in parts])
    same(np.sort(found), np.sort(mapped, axis=None))
    loaded = arrays.loaded(mapped)
    same(loaded, values[VIEWS[view]])
    assert loaded.dtype == np.dtype(dtype)
    assert loaded.flags.writeable
    assert not isinstance(loaded, np.memmap)


def test_a_channel_of_a_map_is_read_from_its_file(tmp_path):
    values = np.random.default_rng(0).random((4, 5, 6, 3))
    np.save(tmp_path / "a.npy", values)
    for channel in range(3):
        same(arrays.loaded(arrays.mapped(tmp_path / "a.npy")[..., channel]), values[..., channel])


def test_every_byte_is_read_once(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(np.zeros((7, 8, 9))))
    parts = arrays.parts(arrays.mapped(tmp_path / "a.npy"))
    assert [part.shape for part in parts] == [(7, 8)] * 9


@pytest.mark.skipif(os.name != "posix", reason="a file that is mapped cannot be replaced there")
def test_a_map_whose_file_became_shorter_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((3, 40, 50)))
    mapped = arrays.mapped(tmp_path / "a.npy")
    content = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "b.npy").write_bytes(content[:-20_000])
    (tmp_path / "b.npy").replace(tmp_path / "a.npy")
    with pytest.raises(InputError, match=r"a\.npy"):
        arrays.loaded(mapped)


@pytest.mark.filterwarnings("ignore:.*is longer than its header says")
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_checksum_of_an_array_that_is_longer_than_it_says(tmp_path, method):
    path = tmp_path / "a.npz"
    values = np.random.default_rng(0).random((3, 40, 50))
    content = io.BytesIO()
    np.save(content, values)
    content.write(bytes(100_000))
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("images.npy", content.getvalue())
        checksum = archive.getinfo("images.npy").CRC
    same(arrays.read_npz(path, ("images",))["images"], values)
    wrong = (checksum ^ 1).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(checksum.to_bytes(4, "little"), wrong))
    with pytest.raises(zipfile.BadZipFile):
        arrays.read_npz(path, ("images",))
