"""Chunks of Zarr that lie about their size, or would run code."""

import gzip
import json
import zlib
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr
from batching import assert_same, errors_of, heads, one_by_one, serial
from memory import takes_less_than
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from skullmask_lib import InputError
from skullmask_lib.batches import stacks
from skullmask_lib.io import unpacking

pytestmark = pytest.mark.usefixtures("folder")
BOMB_BYTES = 2**27
PACKINGS_3 = {"blosc": BloscCodec(), "gzip": GzipCodec(), "zstd": ZstdCodec()}
PACKINGS_2 = {
    "blosc": numcodecs.Blosc(),
    "gzip": numcodecs.GZip(),
    "lz4": numcodecs.LZ4(),
    "zlib": numcodecs.Zlib(),
    "zstd": numcodecs.Zstd(),
}
PACKERS = {
    "blosc": lambda values: numcodecs.Blosc().encode(values),
    "gzip": gzip.compress,
    "lz4": lambda values: numcodecs.LZ4().encode(values),
    "zlib": zlib.compress,
    "zstd": lambda values: numcodecs.Zstd().encode(values),
}


def save(path, array, *, packing, form=3, shards=None, chunks=2):
    size = {"shape": array.shape, "chunks": (chunks, *array.shape[1:]), "dtype": array.dtype}
    compressors = (PACKINGS_3 if form == 3 else PACKINGS_2)[packing]
    made = zarr.create_array(path, **size, zarr_format=form, compressors=compressors, shards=shards)
    made[:] = array


def chunk_files(path):
    return sorted(
        file
        for file in Path(path).rglob("*")
        if file.is_file() and file.name[:2] not in ("za", ".z")
    )


@pytest.mark.parametrize("packing", PACKINGS_3)
@pytest.mark.parametrize("shards", [None, (4, 48, 40)])
@pytest.mark.parametrize("address", [False, True])
def test_what_says_the_truth_is_read(tmp_path, packing, shards, address):
    where = f"memory://{tmp_path.name}-{packing}.zarr" if address else "a.zarr"
    save(where, heads(6), packing=packing, shards=shards)
    serial(where, "m.npy")
    assert_same(np.load("m.npy"), one_by_one(heads(6)))


@pytest.mark.parametrize("packing", PACKINGS_2)
def test_what_says_the_truth_in_format_2_is_read(packing):
    save("a.zarr", heads(6), packing=packing, form=2)
    serial("a.zarr", "m.npy")
    assert_same(np.load("m.npy"), one_by_one(heads(6)))


@pytest.mark.parametrize(
    ("form", "packing"), [(3, name) for name in PACKINGS_3] + [(2, name) for name in PACKINGS_2]
)
def test_a_chunk_that_unpacks_to_more_than_it_holds_fails_alone(form, packing):
    save("a.zarr", heads(6), packing=packing, form=form)
    bomb = PACKERS[packing](bytes(BOMB_BYTES))
    chunk_files("a.zarr")[1].write_bytes(bomb)
    with takes_less_than(BOMB_BYTES / 4):
        assert serial("a.zarr", "m.npy").failed == 2
    wanted = one_by_one(heads(6))
    wanted[2:4] = 0
    assert_same(np.load("m.npy"), wanted)
    assert [*errors_of("m.npy")] == ["a.zarr[2]", "a.zarr[3]"]


@pytest.mark.parametrize("excess", [1, 100])
def test_a_chunk_that_is_a_little_too_long_is_refused(excess):
    size = 20 * 20  # up to 255, and from 256 on, Zstandard writes a size in different ways
    array = zarr.create_array(
        "a.zarr",
        shape=(2, 20, 20),
        chunks=(1, 20, 20),
        dtype="u1",
        zarr_format=2,
        compressors=numcodecs.Zstd(),
    )
    array[:] = 7
    unpacking.check(array, "a.zarr", 0, 2)
    chunk_files("a.zarr")[1].write_bytes(numcodecs.Zstd().encode(bytes(size + excess)))
    unpacking.check(array, "a.zarr", 0, 1)
    with pytest.raises(InputError, match="a chunk unpacks to more"):
        unpacking.check(array, "a.zarr", 1, 2)


def streamed(content):
    """Pack bytes with Zstandard as a stream does, which does not say at the start how long they are."""
    header = 0xFD2FB528.to_bytes(4, "little") + b"\0\x58"  # without a size, in a window of 2 MiB
    return header + (len(content) << 3 | 1).to_bytes(3, "little") + content


@pytest.mark.parametrize("form", [2, 3])
def test_a_chunk_that_does_not_say_how_long_it_is_fails_with_a_way_out(form):
    save("a.zarr", heads(6), packing="zstd", form=form)
    content = np.ascontiguousarray(heads(6)[2:4]).tobytes()
    chunk_files("a.zarr")[1].write_bytes(streamed(content))
    assert serial("a.zarr", "m.npy").failed == 2
    errors = errors_of("m.npy")
    assert [*errors] == ["a.zarr[2]", "a.zarr[3]"]
    assert all("blosc" in error for error in errors.values())


def test_a_chunk_in_a_shard_that_unpacks_to_more_than_it_holds_fails():
    save("a.zarr", heads(4), packing="gzip", shards=(4, 48, 40))
    [shard] = chunk_files("a.zarr")
    whole, bomb = shard.read_bytes(), gzip.compress(bytes(BOMB_BYTES))
    index = np.frombuffer(
        whole[-36:-4], "<u8"
    ).copy()  # where the two chunks lie and how long they are, before a CRC
    index[2:] = len(whole) - 36, len(bomb)
    checked = numcodecs.CRC32C(location="end").encode(index.view(np.uint8))
    shard.write_bytes(whole[:-36] + bomb + bytes(checked))
    assert serial("a.zarr", "m.npy").failed == 2
    assert [*errors_of("m.npy")] == ["a.zarr[2]", "a.zarr[3]"]


@pytest.mark.parametrize("place", ["compressor", "filters"])
@pytest.mark.parametrize("name", ["pickle", "lzma", "json2"])
def test_codecs_that_are_not_known_are_refused(place, name):
    save("a.zarr", heads(4), packing="zlib", form=2)
    about = json.loads(Path("a.zarr/.zarray").read_text())
    codec = {"id": name}
    about[place] = codec if place == "compressor" else [codec]
    Path("a.zarr/.zarray").write_text(json.dumps(about))
    with pytest.raises(InputError, match=r"^.*a\.zarr: "):
        stacks.opened("a.zarr")


@pytest.mark.filterwarnings("ignore:Numcodecs codecs")
def test_codecs_of_format_3_that_are_not_known_are_refused():
    save("a.zarr", heads(4), packing="zstd")
    about = json.loads(Path("a.zarr/zarr.json").read_text())
    about["codecs"][-1] = {"name": "numcodecs.lzma", "configuration": {}}
    Path("a.zarr/zarr.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match=r"^.*a\.zarr: .*numcodecs\.lzma"):
        stacks.opened("a.zarr")


@pytest.mark.parametrize(
    "shape", [(10**12, 48, 40), (10**7, 48, 40), (4, 10**6, 10**6), (4, 10**12, 40)]
)
def test_metadata_that_promises_too_much_is_refused(shape):
    save("a.zarr", heads(4), packing="zstd")
    about = json.loads(Path("a.zarr/zarr.json").read_text())
    about["shape"] = shape
    Path("a.zarr/zarr.json").write_text(json.dumps(about))
    with takes_less_than(2**25), pytest.raises(InputError, match=r"^.*a\.zarr: "):
        stacks.opened("a.zarr")


@pytest.mark.parametrize("form", [2, 3])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_chunks_that_hold_nothing_are_refused(form, axis):
    zarr.create_array("a.zarr", shape=(2, 3, 4), chunks=(1, 3, 4), dtype="u1", zarr_format=form)
    file = Path("a.zarr", "zarr.json" if form == 3 else ".zarray")
    metadata = json.loads(file.read_text())
    chunks = (
        metadata["chunk_grid"]["configuration"]["chunk_shape"] if form == 3 else metadata["chunks"]
    )
    chunks[axis] = 0
    file.write_text(json.dumps(metadata))
    with pytest.raises(InputError, match=r"^.*a\.zarr: "):
        stacks.opened("a.zarr")


def test_chunks_that_are_missing_are_named():
    save("a.zarr", heads(6), packing="zstd")
    chunk_files("a.zarr")[1].unlink()
    with pytest.warns(stacks.InputWarning, match=r"a\.zarr: 1 of 3 chunks are missing"):
        assert stacks.opened("a.zarr").shape == (6, 48, 40)
