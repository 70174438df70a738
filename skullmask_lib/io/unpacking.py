"""Zarr arrays whose chunks unpack to what their metadata says, and by known codecs alone.

A chunk of a few megabytes may claim, or unpack to, many gigabytes; and some codecs run code of the chunk, such as
``pickle``. Imported where Zarr is needed, for it is an extra.
"""

import asyncio
import gzip
import io
import itertools
import math
import struct
import zlib
from collections.abc import Iterator

import fsspec.core
import zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec
from zarr.registry import register_codec

from ..errors import InputError

_CODECS = ("bytes", "endian", "transpose", "crc32c", "sharding_indexed", "blosc", "gzip", "zstd")  # of format 3
_COMPRESSORS = ("blosc", "gzip", "lz4", "zlib", "zstd")  # of format 2
_FILTERS = ("shuffle", "delta")
_ZSTD = 0xFD2FB528
_ZSTD_SIZES = {0: "", 1: "<H", 2: "<I", 3: "<Q"}  # of a field in the header of a frame


def open_array(path: str, mode: str = "r") -> zarr.Array:
    """Open a Zarr array so that chunks of format 3 are checked as they are read; see `check` for format 2.

    Parameters
    ----------
    path : str
        Also any address that fsspec opens.
    mode : {"r", "r+"}

    Returns
    -------
    Array

    Raises
    ------
    InputError
        If its chunks are empty, or packed by a codec that is not known.
    Exception
        Whatever Zarr raises if there is no array.

    Examples
    --------
    >>> _ = zarr.create_array("memory://a.zarr", shape=(2, 3), dtype="u1", overwrite=True)
    >>> open_array("memory://a.zarr").shape
    (2, 3)
    """
    ours = {f"codecs.{name}": f"{__name__}.{codec.__name__}" for name, codec in _CHECKED.items()}
    with zarr.config.set(ours):
        array = zarr.open_array(path, mode=mode)
    sizes = (*array.chunks, *(getattr(array, "shards", None) or ()))
    if min(sizes, default=1) < 1:
        raise InputError(f"{path}: expected chunks of at least one value, got {array.chunks}")
    for name, known in _names(array.metadata):
        if name not in known:
            raise InputError(f"{path}: its chunks are packed by {name}; store it anew with blosc, gzip or zstd")
    return array


def _names(metadata) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give the name of every codec, with those that are known in its place."""
    if metadata.zarr_format == 2:
        if metadata.compressor is not None:
            yield metadata.compressor.codec_id, _COMPRESSORS
        for each in metadata.filters or ():
            yield each.codec_id, _FILTERS
        return
    waiting = list(metadata.codecs)
    while waiting:
        codec = waiting.pop()
        yield codec.to_dict()["name"], _CODECS
        waiting += getattr(codec, "codecs", ())  # of a shard


def check(array: zarr.Array, path: str, start: int, stop: int) -> None:
    """Look at the chunks of some images, if they are of format 2, before they are read.

    Parameters
    ----------
    array : Array
        As `open_array` gives it.
    path : str
        Where it is.
    start, stop : int

    Raises
    ------
    InputError
        If a chunk would unpack to more than the metadata says.

    Examples
    --------
    >>> array = zarr.create_array("memory://b.zarr", shape=(2, 3), dtype="u1", overwrite=True, zarr_format=2)
    >>> check(array, "memory://b.zarr", 0, 2)
    """
    metadata = array.metadata
    if metadata.zarr_format != 2 or metadata.compressor is None:
        return
    store, place = fsspec.core.url_to_fs(path)
    name = metadata.compressor.codec_id
    limit = math.prod(array.chunks) * array.dtype.itemsize
    first, last = start // array.chunks[0], (stop - 1) // array.chunks[0]
    rest = [range(math.ceil(n / chunk)) for n, chunk in zip(array.shape[1:], array.chunks[1:], strict=True)]
    for places in itertools.product(range(first, last + 1), *rest):
        file = f"{place}/{metadata.encode_chunk_key(places)}"
        if store.exists(file):
            head = store.cat_file(file) if name in ("gzip", "zlib") else store.cat_file(file, start=0, end=32)
            _check_size(name, head, limit)


def _check_size(name: str, packed: bytes, limit: int) -> None:
    """Refuse what would unpack to more than a limit; what is damaged is left to those who read it."""
    try:
        size = _SIZES[name](packed, limit)
    except (struct.error, zlib.error, EOFError, OSError):
        return
    if size is None:
        hint = "store it anew with blosc or gzip"
        raise InputError(f"a chunk does not say how large it is when unpacked; {hint}")
    if size > limit:
        raise InputError(f"a chunk unpacks to more than its {limit} bytes")


def _size_of_blosc(packed: bytes, _limit: int) -> int:
    return struct.unpack_from("<I", packed, 4)[0]


def _size_of_lz4(packed: bytes, _limit: int) -> int:
    return struct.unpack_from("<I", packed)[0]


def _size_of_zstd(packed: bytes, _limit: int) -> int | None:
    """Read the size of the content from the header of a frame (RFC 8878, 3.1.1.1); None if it is not there."""
    mark, descriptor = struct.unpack_from("<IB", packed)
    if mark != _ZSTD:
        raise EOFError("no frame of Zstandard")
    one_segment = descriptor >> 5 & 1
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    place = 5 + (1 - one_segment) + dictionary
    flag = descriptor >> 6
    if flag == 0:
        return packed[place] if one_segment else None
    [size] = struct.unpack_from(_ZSTD_SIZES[flag], packed, place)
    return size + 256 if flag == 1 else size


def _size_of_gzip(packed: bytes, limit: int) -> int:
    return len(_gunzipped(packed, limit))


def _size_of_zlib(packed: bytes, limit: int) -> int:
    return len(zlib.decompressobj().decompress(packed, limit + 1))


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
    """Give the size of a chunk [bytes], and some room for what a codec before this one adds."""
    dtype = chunk_spec.dtype
    if hasattr(dtype, "to_native_dtype"):  # since Zarr 3.1
        dtype = dtype.to_native_dtype()
    size = math.prod(chunk_spec.shape) * dtype.itemsize
    return size + size // 8 + 4096


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
