"""Zarr arrays opened so that no chunk unpacks to more than the metadata says.

A chunk of a few megabytes may unpack to many gigabytes, and some codecs, such as ``pickle``, run
code from the chunk. Only known codecs are allowed. Import this module only where Zarr is needed,
because Zarr is an extra.
"""

import asyncio
import gzip
import io
import itertools
import math
import struct
import zlib
from collections.abc import Iterator

import fsspec
import fsspec.core
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec
from zarr.registry import register_codec

from ..errors import InputError

_CODECS = (  # of format 3
    "bytes",
    "endian",
    "transpose",
    "crc32c",
    "sharding_indexed",
    "blosc",
    "gzip",
    "zstd",
)
_COMPRESSORS = ("blosc", "gzip", "lz4", "zlib", "zstd")  # of format 2
_FILTERS = ("shuffle", "delta")  # of format 2
_HEAD_BYTES = 32  # of a chunk, where its unpacked size is
_ZSTD_MARK = 0xFD2FB528
_ZSTD_SIZES = {0: "", 1: "<H", 2: "<I", 3: "<Q"}  # of a field in the header of a frame
_ROOM_BYTES = 4096  # beside an eighth of a chunk, for what another codec adds


def open_array(path: str, mode: str = "r") -> zarr.Array:
    """Open a Zarr array; chunks of format 3 are checked as they are read.

    For format 2 see `check`.

    Parameters
    ----------
    path : str
        A path, or any address that fsspec opens.
    mode : {"r", "r+"}

    Returns
    -------
    Array

    Raises
    ------
    InputError
        If its chunks are empty, or packed by an unknown codec.
    Exception
        Whatever Zarr raises if there is no array.

    Examples
    --------
    >>> _ = zarr.create_array("memory://a.zarr", shape=(2, 3), dtype="u1", overwrite=True)
    >>> open_array("memory://a.zarr").shape
    (2, 3)
    """
    checked = {}
    for name, codec in _CHECKED.items():
        checked[f"codecs.{name}"] = f"{__name__}.{codec.__name__}"
    with zarr.config.set(checked):
        array = zarr.open_array(path, mode=mode)
    shards = getattr(array, "shards", None) or ()
    if min((*array.chunks, *shards), default=1) < 1:
        wanted = "chunks of at least one value"
        raise InputError(f"expected {wanted}, got {array.chunks}", where=path)
    for name, allowed in _codecs(array.metadata):
        if name not in allowed:
            hint = "store it anew with blosc, gzip or zstd"
            raise InputError(f"its chunks are packed by {name}; {hint}", where=path)
    return array


def _codecs(metadata) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of every codec, with the names that are allowed in its place."""
    if metadata.zarr_format == 2:
        if metadata.compressor is not None:
            yield metadata.compressor.codec_id, _COMPRESSORS
        for codec in metadata.filters or ():
            yield codec.codec_id, _FILTERS
        return
    waiting = list(metadata.codecs)
    while waiting:
        codec = waiting.pop()
        yield codec.to_dict()["name"], _CODECS
        waiting += getattr(codec, "codecs", ())  # of a shard


def check(array: zarr.Array, path: str, start: int, stop: int) -> None:
    """Check the chunks of some images before they are read, if the array is of format 2.

    Parameters
    ----------
    array : Array
        As `open_array` returns it.
    path : str
        Where the array is.
    start, stop : int
        The images, along the first axis.

    Raises
    ------
    InputError
        If a chunk would unpack to more than the metadata says.

    Examples
    --------
    >>> path = "memory://b.zarr"
    >>> options = {"dtype": "u1", "zarr_format": 2, "overwrite": True}
    >>> array = zarr.create_array(path, shape=(2, 3), **options)
    >>> check(array, path, 0, 2)
    """
    metadata = array.metadata
    if metadata.zarr_format != 2 or metadata.compressor is None:
        return
    store, root = fsspec.core.url_to_fs(path)
    codec = metadata.compressor.codec_id
    limit = math.prod(array.chunks) * array.dtype.itemsize
    for place in _chunks(array, start, stop):
        file = f"{root}/{metadata.encode_chunk_key(place)}"
        if store.exists(file):
            packed = _read_chunk(store, file, codec)
            _check_size(codec, packed, limit)


def _read_chunk(store: fsspec.AbstractFileSystem, file: str, codec: str) -> bytes:
    """Read as much of a chunk as tells its unpacked size."""
    if codec in ("gzip", "zlib"):
        return store.cat_file(file)  # they have to be unpacked
    return store.cat_file(file, start=0, end=_HEAD_BYTES)


def _chunks(array: zarr.Array, start: int, stop: int) -> Iterator[tuple[int, ...]]:
    """Yield the place of every chunk that holds some of the images."""
    depth, *sides = array.chunks
    ranges = [range(start // depth, (stop - 1) // depth + 1)]
    for length, side in zip(array.shape[1:], sides, strict=True):
        ranges.append(range(math.ceil(length / side)))
    return itertools.product(*ranges)


def _check_size(codec: str, packed: bytes, limit: int) -> None:
    """Refuse what would unpack to more than a limit [bytes]; damage shows when it is read."""
    try:
        size = _SIZES[codec](packed, limit)
    except (struct.error, zlib.error, EOFError, OSError):
        return
    if size is None:
        hint = "store it anew with blosc or gzip"
        raise InputError(f"a chunk does not say how large it is when unpacked; {hint}")
    if size > limit:
        raise InputError(f"a chunk unpacks to more than its {limit} bytes")


def _size_of_blosc(packed: bytes, _limit: int) -> int:
    [size] = struct.unpack_from("<I", packed, 4)
    return size


def _size_of_lz4(packed: bytes, _limit: int) -> int:
    [size] = struct.unpack_from("<I", packed)
    return size


def _size_of_zstd(packed: bytes, _limit: int) -> int | None:
    """Read the unpacked size from the header of a frame; None if it is not there.

    The layout of the header is in RFC 8878, 3.1.1.1.
    """
    mark, descriptor = struct.unpack_from("<IB", packed)
    if mark != _ZSTD_MARK:
        raise EOFError("no frame of Zstandard")
    is_one_segment = descriptor >> 5 & 1
    window_bytes = 1 - is_one_segment
    dictionary_bytes = (0, 1, 2, 4)[descriptor & 3]
    place = 5 + window_bytes + dictionary_bytes
    flag = descriptor >> 6
    if flag == 0:
        return packed[place] if is_one_segment else None
    [size] = struct.unpack_from(_ZSTD_SIZES[flag], packed, place)
    return size + 256 if flag == 1 else size


def _size_of_gzip(packed: bytes, limit: int) -> int:
    return len(_gunzipped(packed, limit))


def _size_of_zlib(packed: bytes, limit: int) -> int:
    unpacked = zlib.decompressobj().decompress(packed, limit + 1)
    return len(unpacked)


def _gunzipped(packed: bytes, limit: int) -> bytes:
    """Unpack a gzip stream up to one byte beyond a limit."""
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
        return stream.read(limit + 1)


_SIZES = {
    "blosc": _size_of_blosc,
    "gzip": _size_of_gzip,
    "lz4": _size_of_lz4,
    "zlib": _size_of_zlib,
    "zstd": _size_of_zstd,
}


def _limit(chunk_spec) -> int:
    """Return the size of a chunk [bytes], with some room for what a codec before this one adds."""
    dtype = chunk_spec.dtype
    if hasattr(dtype, "to_native_dtype"):  # since Zarr 3.1
        dtype = dtype.to_native_dtype()
    size = math.prod(chunk_spec.shape) * dtype.itemsize
    return size + size // 8 + _ROOM_BYTES


class CheckedBlosc(BloscCodec):
    """Blosc that unpacks no more than a chunk holds."""

    async def _decode_single(self, chunk_bytes, chunk_spec):
        _check_size("blosc", chunk_bytes.to_bytes(), _limit(chunk_spec))
        return await super()._decode_single(chunk_bytes, chunk_spec)


class CheckedZstd(ZstdCodec):
    """Zstandard that unpacks no more than a chunk holds."""

    async def _decode_single(self, chunk_bytes, chunk_spec):
        _check_size("zstd", chunk_bytes.to_bytes(), _limit(chunk_spec))
        return await super()._decode_single(chunk_bytes, chunk_spec)


class CheckedGzip(GzipCodec):
    """Gzip that unpacks no more than a chunk holds."""

    async def _decode_single(self, chunk_bytes, chunk_spec):
        limit = _limit(chunk_spec)
        unpacked = await asyncio.to_thread(_gunzipped, chunk_bytes.to_bytes(), limit)
        if len(unpacked) > limit:
            raise InputError(f"a chunk unpacks to more than its {limit} bytes")
        return chunk_spec.prototype.buffer.from_bytes(unpacked)


_CHECKED = {"blosc": CheckedBlosc, "gzip": CheckedGzip, "zstd": CheckedZstd}
for _name, _codec in _CHECKED.items():
    register_codec(_name, _codec)
