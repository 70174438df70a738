"""The masks of one chunk of a batch: written safely to disk, and read back for their checksum.

Arrays are written here; a mask file beside its image is made by `io.writing`.
"""

import contextlib
import errno
import math
import os
import secrets
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputError, extra
from ..io import datasets, outputs
from . import mask_stacks, ownership, reading, stacks, stores
from .stacks import Stack

WriteMask = Callable[[int, np.ndarray | None, datasets.Origin | None], int]
_WriteOne = Callable[[int, np.ndarray | None, datasets.Origin | None], None]
_CANNOT_BE_WRITTEN = "cannot be written"
_ERRORS_OF_ONE_NAME = (
    errno.ENAMETOOLONG,
    errno.EILSEQ,
    errno.EINVAL,
    errno.ELOOP,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENOTEMPTY,
)


class Unwritable(InputError):
    """One mask cannot be written, though others can; the message says why."""


def prepare(masks: Stack, chunk: int) -> bool:
    """Create the array or folder for masks, unless it is there already.

    A ``.npy`` takes all of its disk space at once.

    Parameters
    ----------
    masks : Stack
        A stack that `mask_stacks.planned` returned.
    chunk : int
        How many masks are written at a time; a Zarr array has one file for them.

    Returns
    -------
    bool
        Whether it was created, and so holds no mask yet.

    Raises
    ------
    OSError
        If there is no room.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     masks = mask_stacks.planned(f"{folder}/masks.npy", Stack("", "npy", (2, 3, 4)))
    ...     prepare(masks, 1), prepare(masks, 1), np.load(masks.path).shape
    (True, False, (2, 3, 4))
    """
    if masks.kind == "files":
        return _prepare_folder(Path(masks.path))
    if masks.kind == "npy":
        return _prepare_npy(masks)
    return _prepare_zarr(masks, chunk)


def _prepare_folder(folder: Path) -> bool:
    is_new = not folder.is_dir()
    folder.mkdir(exist_ok=True)
    return is_new


def _prepare_npy(masks: Stack) -> bool:
    header = mask_stacks.npy_header(masks.shape)
    size_bytes = len(header) + math.prod(masks.shape)
    if ownership.is_ours(masks):
        with open(masks.path, "r+b") as file:
            _take_room(file, size_bytes)
        return False
    with outputs.replacing(masks.path) as temporary, open(temporary, "wb") as file:
        file.write(header)
        _take_room(file, size_bytes)
    return True


def _take_room(file: BinaryIO, size_bytes: int) -> None:
    file.flush()
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size_bytes)
    file.truncate(size_bytes)
    os.fsync(file.fileno())


def _prepare_zarr(masks: Stack, chunk: int) -> bool:
    shards = (min(chunk, masks.shape[0]), *masks.shape[1:])
    if _is_prepared(masks, shards):
        return False
    is_away = stores.is_address(masks.path)
    if not is_away:
        ownership.remove(masks)
    with stores.reaching(masks.path, _CANNOT_BE_WRITTEN, (InputError, OSError)):
        extra("zarr", "Zarr", "batch").create_array(
            masks.path,
            shape=masks.shape,
            chunks=(1, *masks.shape[1:]),  # so that one mask is read fast
            shards=shards,
            dtype="uint8",
            fill_value=0,
            overwrite=is_away,
        )
    if not is_away:
        outputs.sync(Path(masks.path, "zarr.json"))
    return True


def _is_prepared(masks: Stack, shards: tuple[int, ...]) -> bool:
    try:
        array = stores.open_array(masks.path)
    except InputError:
        return False
    is_alike = array.shape == masks.shape and array.dtype == np.uint8
    return is_alike and array.shards == shards


@contextlib.contextmanager
def writing(masks: Stack, start: int, stop: int) -> Iterator[WriteMask]:
    """Write the masks of some images; they are safe on disk when the block ends.

    Parameters
    ----------
    masks : Stack
    start, stop : int
        For a Zarr array: those of one of its files.

    Yields
    ------
    callable
        To be called with each index in turn, the masks of shape (n, H, W), or None if there are
        none, and the origin of an image in a file, or None. It returns the checksum of all masks
        so far, see `checksum`, and raises `Unwritable` if this mask cannot be written though
        others can.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     masks = mask_stacks.planned(f"{folder}/masks.npy", Stack("", "npy", (2, 1, 3)))
    ...     _ = prepare(masks, 2)
    ...     with writing(masks, 0, 2) as write:
    ...         _ = write(0, np.ones((1, 1, 3), np.uint8), None)
    ...         _ = write(1, None, None)
    ...     np.load(masks.path)[:, 0].tolist()
    [[1, 1, 1], [0, 0, 0]]
    """
    writers = {"npy": _writing_npy, "zarr": _writing_zarr, "files": _writing_files}
    empty = None
    if masks.kind != "files":
        empty = np.zeros((1, *masks.shape[1:]), np.uint8)
    crc = 0
    with writers[masks.kind](masks, start, stop) as write_one:

        def write(
            index: int,
            mask: np.ndarray | None,
            origin: datasets.Origin | None,
        ) -> int:
            nonlocal crc
            mask = empty if mask is None else np.ascontiguousarray(mask)
            write_one(index, mask, origin)
            if mask is not None:
                crc = zlib.crc32(mask, crc)
            return crc

        yield write


@contextlib.contextmanager
def _writing_npy(
    masks: Stack,
    _start: int,
    _stop: int,
) -> Iterator[_WriteOne]:
    with open(masks.path, "r+b", buffering=0) as file:

        def write(index: int, mask: np.ndarray, _origin: datasets.Origin | None) -> None:
            file.seek(masks.offset + index * mask.nbytes)
            left = memoryview(mask).cast("B")
            while left:
                count = file.write(left)
                left = left[count:]

        yield write
        os.fsync(file.fileno())


@contextlib.contextmanager
def _writing_zarr(
    masks: Stack,
    start: int,
    stop: int,
) -> Iterator[_WriteOne]:
    block = np.zeros((stop - start, *masks.shape[1:]), np.uint8)

    def write(index: int, mask: np.ndarray, _origin: datasets.Origin | None) -> None:
        block[index - start] = mask

    yield write
    array = stores.open_array(masks.path, "r+")
    shard = start // array.shards[0]
    key = array.metadata.encode_chunk_key((shard, 0, 0))
    with stores.reaching(masks.path, _CANNOT_BE_WRITTEN, (InputError, OSError)):
        store, place = stores.file_system(masks.path)
        # Zarr reads a file before it overwrites it, and would stumble over one that is damaged.
        if store.exists(f"{place}/{key}"):
            store.rm(f"{place}/{key}")
        array[start:stop] = block
    if not stores.is_address(masks.path):
        _sync(masks, [Path(masks.path, key)])


@contextlib.contextmanager
def _writing_files(
    masks: Stack,
    start: int,
    stop: int,
) -> Iterator[_WriteOne]:
    def write(
        index: int,
        mask: np.ndarray | None,
        origin: datasets.Origin | None,
    ) -> None:
        _replace_file(masks, index, mask, origin)

    yield write
    _sync(masks, _existing_files(masks, start, stop))


def _replace_file(
    masks: Stack,
    index: int,
    mask: np.ndarray | None,
    origin: datasets.Origin | None,
) -> None:
    """Write the masks of an image to their file, and remove the files of an earlier attempt."""
    if not Path(masks.path).is_dir():
        raise InputError("is gone, another run has taken its place", where=masks.path)
    files = mask_stacks.mask_files(masks, index)
    output = None
    if mask is not None:
        with _naming_the_mask():
            output = _write_file(files, mask, origin)
    for file in files:
        if file != output:
            with contextlib.suppress(Unwritable), _naming_the_mask():
                file.unlink(missing_ok=True)


def _write_file(
    files: list[Path],
    mask: np.ndarray,
    origin: datasets.Origin | None,
) -> Path:
    """Write masks in their image's format to one of the files that may hold them; return it.

    The mask of an image of an array, which has no origin, is a PNG.
    """
    if origin is None:
        origin = datasets.Origin(files[0], ".png", is_single=True)
    is_picture = datasets.masks_name(origin).endswith(".png")
    output = files[0] if is_picture else files[-1]
    suffix = output.name[-7:]  # long enough for .nii.gz
    temporary = output.with_name(f"{ownership.PARTIAL}{secrets.token_hex(4)}{suffix}")
    output.parent.mkdir(parents=True, exist_ok=True)
    datasets.write_straight(mask, temporary, origin)
    os.replace(temporary, output)
    return output


@contextlib.contextmanager
def _naming_the_mask() -> Iterator[None]:
    """Raise `Unwritable` for what is wrong with one mask alone, unlike a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in _ERRORS_OF_ONE_NAME:
            raise
        raise Unwritable(f"its mask cannot be written ({error.strerror})") from None
    except ValueError as error:  # a NUL in the name, or a format that masks are not written in
        raise Unwritable(f"its mask cannot be written ({error})") from None


def _existing_files(masks: Stack, start: int, stop: int) -> list[Path]:
    """Return the files that hold masks of some images."""
    existing = []
    for index in range(start, stop):
        files = mask_stacks.mask_files(masks, index)
        # os.path.isfile also takes names that no file can have.
        existing += filter(os.path.isfile, files)
    return existing


def _sync(masks: Stack, files: list[Path]) -> None:
    """Wait until files, and the names of the folders that lead to them, are on disk."""
    folders = set()
    for file in files:
        folders.update(parent for parent in file.parents if parent.is_relative_to(masks.path))
    for path in (*files, *folders):
        if path.exists():  # Zarr writes no file for masks that are all empty
            outputs.sync(path)


def checksum(masks: Stack, start: int, stop: int) -> int | None:
    """Read the masks of some images back and return their checksum.

    Parameters
    ----------
    masks : Stack
    start, stop : int

    Returns
    -------
    int or None
        CRC-32 of their bytes; None if one cannot be read, or is no mask as `writing` leaves it.

    Examples
    --------
    >>> checksum(Stack("", "files", (1,), names=("a.png",)), 0, 1)
    0
    """
    if masks.kind == "files":
        files = _existing_files(masks, start, stop)
        names = tuple(map(str, files))
        masks = Stack("", "files", (len(files),), names=names)
        start = 0
        stop = len(files)
    crc = 0
    for index, data in reading.read(masks, start, stop):
        if isinstance(data, Exception):
            return None
        value = 255 if stacks.name(masks, index).endswith(".png") else 1
        inside = data.images == value
        if (inside != (data.images != 0)).any():
            return None
        crc = zlib.crc32(np.ascontiguousarray(inside, np.uint8), crc)
    return crc


def written_files(masks: Stack, start: int, stop: int) -> list[str]:
    """Return the file that holds the masks of each image, for the journal.

    Parameters
    ----------
    masks : Stack
        Masks in files, in a folder that nobody else writes to.
    start, stop : int

    Returns
    -------
    list of str
        Names of `mask_stacks.mask_names`; ``""`` for an image without a mask.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "a.png").touch()
    ...     masks = mask_stacks.masks_at(folder, "files", (2,), ("a.tif", "b.tif"))
    ...     written_files(masks, 0, 2)
    ['a.png', '']
    """
    files = []
    for index in range(start, stop):
        files.append("")
        for name in mask_stacks.mask_names(masks, index):
            if os.path.isfile(Path(masks.path, name)):
                files[-1] = name
                break
    return files
