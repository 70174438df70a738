"""Arrays in NumPy's files: headers are checked before memory is taken, and nothing is ever unpickled."""

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

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that NumPy writes, and unpacks piece by piece


class Header(NamedTuple):
    """What a ``.npy`` says of its array.

    Attributes
    ----------
    shape : tuple of int
    fortran : bool
        The values are in Fortran's order.
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


def read_header(file: BinaryIO, size: int, name: str | os.PathLike) -> Header:
    """Read the header of a ``.npy`` and check that the file holds what it promises.

    Parameters
    ----------
    file : file opened for reading bytes
    size : int
        Of the whole file [bytes].
    name : str or path
        Of the file, for messages.

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
        raise InputError(f"{name}: expected a .npy of version 1.0 or 2.0, got {version[0]}.{version[1]}")
    header = Header(*_HEADERS[version](file), file.tell())
    if header.dtype.hasobject:
        raise ValueError("it holds Python objects, which are not loaded: allow_pickle=False")
    if min(header.shape, default=0) < 0:
        raise InputError(f"{name}: expected images of shape (N, H, W), got {header.shape}")
    if header.dtype.itemsize == 0:
        raise ValueError(f"its header says dtype {header.dtype}")
    stored = size - header.offset
    if stored < header.nbytes:
        whole = _whole_images(header, stored)
        raise InputError(
            f"{name}: is cut off: its header promises {header.nbytes} bytes of values, got {stored}{whole}"
        )
    if stored > header.nbytes:
        warnings.warn(
            f"{name}: is longer than its header says; {stored - header.nbytes} bytes at its end are left out",
            InputWarning,
            stacklevel=2,
        )
    return header


def is_colour(shape: tuple[int, ...]) -> bool:
    """Tell an array whose last axis is one of channels.

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


def check_slices_px(shape: tuple[int, ...], name: str | os.PathLike) -> None:
    """Refuse slices that are too large, see `errors.check_slice_px`, by the shape of their array.

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


def _whole_images(header: Header, stored: int) -> str:
    if header.fortran or len(header.shape) < 3:
        return ""
    return f", {stored * header.shape[0] // header.nbytes} of {header.shape[0]} images"


def mapped(path: Path) -> np.ndarray:
    """Map the array of a ``.npy`` into memory, to be read where it is needed.

    Parameters
    ----------
    path : Path

    Returns
    -------
    memmap
        Of an array without values an ndarray.

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
        header = read_header(file, os.fstat(file.fileno()).st_size, path)
    order = "F" if header.fortran else "C"
    if not header.nbytes:
        return np.empty(header.shape, header.dtype, order)
    return np.memmap(path, header.dtype, "r", header.offset, header.shape, order)


def parts(array: np.ndarray) -> Iterator[np.ndarray]:
    """Go through an array part by part, of a memory map without keeping its pages in memory.

    Parameters
    ----------
    array : ndarray or memmap

    Yields
    ------
    ndarray
        Along the axis whose parts lie furthest apart in memory, so that every byte is read once.
        Those of a memory map are read from its file.

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
    whole = array
    while isinstance(whole.base, np.memmap):
        whole = whole.base
    start, _ = np.lib.array_utils.byte_bounds(whole)
    with open(whole.filename, "rb") as file:
        for part in along:
            low, high = np.lib.array_utils.byte_bounds(part)
            file.seek(whole.offset + low - start)
            content = file.read(high - low)
            if len(content) < high - low:
                raise InputError(f"{whole.filename}: is cut off: it was longer when it was opened")
            first = part.ctypes.data - low
            yield np.ndarray(part.shape, part.dtype, content, first, part.strides)


def loaded(array: np.ndarray) -> np.ndarray:
    """Copy a memory map into memory; any other array comes back as it is.

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


def npz_shape(path: Path, key: str) -> tuple[int, ...]:
    """Read the shape of one array of a ``.npz``, and nothing else.

    Parameters
    ----------
    path : Path
    key : str

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/a.npz", images=np.zeros((2, 3)))
    ...     npz_shape(Path(folder, "a.npz"), "images")
    (2, 3)
    """
    with zipfile.ZipFile(path) as archive:
        return _member_header(archive, archive.getinfo(f"{key}.npy"), path).shape


def read_npz(path: Path, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """Read some arrays of a ``.npz``; their sizes are checked before memory is taken, and their checksums after.

    Parameters
    ----------
    path : Path
    keys : sequence of str
        Those that are missing are left out, except the first.

    Returns
    -------
    dict of str to ndarray

    Raises
    ------
    InputError
        If the first is missing, a slice of it is too large, or they would take too much memory together,
        see `errors.check_slice_px` and `errors.check_unpacked`.
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
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if keys[0] not in members:
            raise InputError(f"{path}: expected the key {keys[0]}, got {', '.join(members) or 'no keys'}")
        wanted = {key: members[key] for key in keys if key in members}
        size = 0
        for info in wanted.values():
            header = _member_header(archive, info, path)
            check_slices_px(header.shape, path)
            size += math.prod(header.shape) * max(header.dtype.itemsize, 4)  # pixels become float32
        errors.check_unpacked(size, path.stat().st_size, path)
        return {key: _read_member(archive, info) for key, info in wanted.items()}


def _member_header(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Header:
    if info.compress_type not in _PACKINGS:
        raise InputError(f"{path}: {info.filename} is packed in a way that NumPy does not use; save it anew")
    with archive.open(info) as member:
        return read_header(member, info.file_size, f"{path} ({info.filename.removesuffix('.npy')})")


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as member:
        array = np.lib.format.read_array(member, allow_pickle=False)
        while member.read(2**20):  # to the end, where the checksum is looked at
            pass
    return array
