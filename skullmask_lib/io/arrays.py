"""Arrays in NumPy's files, ``.npy`` and ``.npz``.

Headers are checked before memory is allocated, and nothing is ever unpickled. `reading` turns an
array into slices.
"""

import math
import os
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from .. import errors
from ..errors import InputError, InputWarning
from .paths import AnyPath

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_PIXEL_BYTES = 4  # at least: pixels become float32
_READ_BYTES = 2**20  # at a time
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # NumPy writes these


class Header(NamedTuple):
    """The header of a ``.npy``.

    Attributes
    ----------
    shape : tuple of int
    fortran : bool
        Whether the values are in Fortran's order.
    dtype : dtype
    offset : int
        Where the values begin [bytes].
    """

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype
    offset: int

    @property
    def nbytes(self) -> int:
        """Size of the values [bytes]."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(file: BinaryIO, size: int, name: AnyPath) -> Header:
    """Read the header of a ``.npy`` and check that the file holds what it promises.

    Parameters
    ----------
    file : file opened for reading bytes
    size : int
        Size of the whole file [bytes].
    name : str or path
        Name of the file, for messages.

    Returns
    -------
    Header

    Raises
    ------
    InputError
        If the file is cut off, or of another version than 1.0 or 2.0.
    ValueError
        If it is no ``.npy``, or one that would have to be unpickled.

    Examples
    --------
    >>> import io
    >>> file = io.BytesIO()
    >>> np.save(file, np.zeros((2, 3), np.uint8))
    >>> _ = file.seek(0)
    >>> read_header(file, 134, "a.npy")[:3]
    ((2, 3), False, dtype('uint8'))
    """
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        got = f"{version[0]}.{version[1]}"
        raise InputError(f"expected a .npy of version 1.0 or 2.0, got {got}", where=name)
    header = Header(*_HEADERS[version](file), file.tell())
    if header.dtype.hasobject:
        raise ValueError("it holds Python objects, which are not loaded: allow_pickle=False")
    if min(header.shape, default=0) < 0:
        raise InputError(f"expected images of shape (N, H, W), got {header.shape}", where=name)
    if header.dtype.itemsize == 0:
        raise ValueError(f"its header says dtype {header.dtype}")
    _check_stored(header, size - header.offset, name)
    return header


def _check_stored(header: Header, stored: int, name: AnyPath) -> None:
    """Refuse a file that is cut off, and warn of one that is too long."""
    if stored < header.nbytes:
        promised = f"its header promises {header.nbytes} bytes of values"
        got = f"{stored}{_whole_images(header, stored)}"
        raise InputError(f"is cut off: {promised}, got {got}", where=name)
    if stored > header.nbytes:
        rest = f"{stored - header.nbytes} bytes at its end are left out"
        remark = f"is longer than its header says; {rest}"
        warnings.warn(InputWarning(remark, where=name), stacklevel=3)


def _whole_images(header: Header, stored: int) -> str:
    """Count the images that a file holds whole."""
    if header.fortran or len(header.shape) < 3:
        return ""
    count = header.shape[0]
    whole = stored * count // header.nbytes
    return f", {whole} of {count} images"


def is_colour(shape: tuple[int, ...]) -> bool:
    """Return whether the last axis of an array is one of colour channels.

    Parameters
    ----------
    shape : tuple of int

    Returns
    -------
    bool

    Examples
    --------
    >>> is_colour((768, 624, 3)), is_colour((5, 768, 624))
    (True, False)
    """
    return len(shape) >= 3 and shape[-1] in (3, 4) and shape[-2] > 4


def check_slices_px(shape: tuple[int, ...], name: AnyPath) -> None:
    """Refuse an array of slices that are too large, see `errors.check_slice_px`.

    Parameters
    ----------
    shape : tuple of int
        (..., H, W), or (..., H, W, C) of colour.
    name : str or path
        Of the file, for the message.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_slices_px((5, 768, 624), "a.npy")
    """
    sides = shape[:-1] if is_colour(shape) else shape
    if len(sides) >= 2:
        errors.check_slice_px(sides[-2:], name)


def mapped(path: Path) -> np.ndarray:
    """Map the array of a ``.npy`` into memory: values are read when they are needed.

    Parameters
    ----------
    path : Path

    Returns
    -------
    memmap
        An ndarray where the array has no values.

    Raises
    ------
    InputError, ValueError
        See `read_header`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.arange(6).reshape(2, 3))
    ...     mapped(Path(folder, "a.npy")).max()
    np.int64(5)
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        header = read_header(file, size, path)
    order = "F" if header.fortran else "C"
    if not header.nbytes:
        return np.empty(header.shape, header.dtype, order)
    return np.memmap(
        path,
        dtype=header.dtype,
        mode="r",
        offset=header.offset,
        shape=header.shape,
        order=order,
    )


def parts(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield an array part by part; the pages of a memory map do not stay in memory.

    Parameters
    ----------
    array : ndarray or memmap

    Yields
    ------
    ndarray
        Parts along the axis on which they lie furthest apart in memory, so that every byte is read
        once. Parts of a memory map are read from its file.

    Raises
    ------
    InputError
        If the file of a memory map has become shorter.

    Examples
    --------
    >>> [part.tolist() for part in parts(np.asfortranarray([[1, 2], [3, 4]]))]
    [[1, 3], [2, 4]]
    """
    along = np.moveaxis(array, _slowest_axis(array), 0)
    if not isinstance(array, np.memmap):
        yield from along
        return
    whole = _whole_map(array)
    start, _ = np.lib.array_utils.byte_bounds(whole)
    with open(whole.filename, "rb") as file:
        for part in along:
            low, high = np.lib.array_utils.byte_bounds(part)
            file.seek(whole.offset + low - start)
            content = file.read(high - low)
            if len(content) < high - low:
                hint = "is cut off: it was longer when it was opened"
                raise InputError(hint, where=whole.filename)
            first = part.ctypes.data - low
            yield np.ndarray(part.shape, part.dtype, content, first, part.strides)


def _whole_map(array: np.memmap) -> np.memmap:
    """Return the memory map that a part of it is a view of."""
    while isinstance(array.base, np.memmap):
        array = array.base
    return array


def loaded(array: np.ndarray) -> np.ndarray:
    """Copy a memory map into memory; return any other array as it is.

    Parameters
    ----------
    array : ndarray or memmap

    Returns
    -------
    ndarray
        Of the same shape, dtype and order.

    Examples
    --------
    >>> array = np.eye(2)
    >>> loaded(array) is array
    True
    """
    if not isinstance(array, np.memmap):
        return array
    copy = np.empty_like(array, subok=False)
    along = np.moveaxis(copy, _slowest_axis(array), 0)
    for target, part in zip(along, parts(array), strict=True):
        target[...] = part
    return copy


def _slowest_axis(array: np.ndarray) -> int:
    return int(np.argmax(np.abs(array.strides)))


def read_npz(path: Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Read some arrays of a ``.npz``.

    Their sizes are checked before memory is taken, and their checksums after.

    Parameters
    ----------
    path : Path
    keys : sequence of str
        All but the first may be missing.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    InputError
        If the first key is missing, a slice is too large, or the arrays would take too much memory
        together, see `errors.check_slice_px` and `errors.check_unpacked`.
    ValueError, zipfile.BadZipFile
        If the file is damaged, or an array would have to be unpickled.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez_compressed(f"{folder}/a.npz", images=np.eye(3), other=1)
    ...     list(read_npz(Path(folder, "a.npz"), ("images", "truth")))
    ['images']
    """
    with zipfile.ZipFile(path) as archive:
        members = {}
        for info in archive.infolist():
            members[info.filename.removesuffix(".npy")] = info
        if keys[0] not in members:
            got = ", ".join(members) or "no keys"
            raise InputError(f"expected the key {keys[0]}, got {got}", where=path)
        present = [key for key in keys if key in members]
        _check_members(archive, [members[key] for key in present], path)
        return {key: _read_member(archive, members[key]) for key in present}


def _check_members(
    archive: zipfile.ZipFile,
    members: Sequence[zipfile.ZipInfo],
    path: Path,
) -> None:
    """Refuse arrays that would take too much memory, each or together."""
    size = 0
    for info in members:
        header = _member_header(archive, info, path)
        check_slices_px(header.shape, path)
        value_bytes = max(header.dtype.itemsize, _PIXEL_BYTES)
        size += math.prod(header.shape) * value_bytes
    errors.check_unpacked(size, path.stat().st_size, path)


def _member_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Header:
    if info.compress_type not in _PACKINGS:
        hint = "is packed in a way that NumPy does not use; save it anew"
        raise InputError(f"{info.filename} {hint}", where=path)
    key = info.filename.removesuffix(".npy")
    with archive.open(info) as member:
        return read_header(member, info.file_size, f"{path} ({key})")


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        _read_to_end(member)
    return array


def _read_to_end(member: BinaryIO) -> None:
    """Let the archive compare the checksum, which it does at the end."""
    while member.read(_READ_BYTES):
        pass
