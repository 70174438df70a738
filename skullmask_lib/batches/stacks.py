"""Many images, some at a time: stacks that are too large to be held, and the masks that belong to them."""

import codecs
import contextlib
import errno
import hashlib
import io
import itertools
import math
import os
import platform
import re
import secrets
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from .. import errors
from ..errors import InputError, InputWarning, extra
from ..io import arrays, datasets, missing, nifti, outputs, pairing, paths, pictures

if TYPE_CHECKING:
    import zarr

NOT_OURS = "no batch made this file; move it, or choose another name"
_PARTIAL = ".partial-"
_HALF_WRITTEN = re.compile(r"(.*/)?\.partial-[0-9a-f]{8}[^/]{0,7}", re.DOTALL)  # as `_write_file` names them
_HALF_WRITTEN_ZARR = re.compile(r"(zarr|c(/\d+)+)(\.\w+)*\.partial")  # as Zarr does
_OF_ZARR = re.compile(r"zarr\.json|c(/\d+){0,3}")
_LARGEST = 2**28  # bytes of a chunk of Zarr that a worker is to hold: it takes them twice, unpacked
_MOST_IMAGES = 10**8
_STORED_AT_LEAST = 0.01  # of the chunks that the metadata of a Zarr array promises
_ZARR_2 = (".zarray", ".zattrs", ".zgroup", ".zmetadata")  # hidden, but by no system
_FILES = tuple(suffix for suffix in datasets.SUFFIXES if suffix != ".npz")
_NO_MASKS = {".txt", ".gz", ".h5", ".hdf5", ".mat", ".dcm", *datasets.SUFFIXES} - {".npy"}  # that a batch writes


_OF_A_NAME = (
    *(errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ELOOP),
    *(errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY),
)


class Unwritable(InputError):
    """A mask cannot be written where others can; the message says why."""


@dataclass(frozen=True)
class Stack:
    """Where many images, or their masks, are.

    Attributes
    ----------
    path : str
        Absolute, or the address of a Zarr array; of files their folder.
    kind : {"npy", "zarr", "files"}
    shape : tuple of int
        (N, H, W); of files (N,), for each has its own and may hold several slices.
    dtype : str
        Of the stored values; empty for files.
    offset : int
        Where the values of a ``.npy`` begin [bytes].
    fortran : bool
        The values of a ``.npy`` are in Fortran's order: those of one image lie far apart.
    names : tuple of str
        Of files: their places in the folder.
    first : int
        Place of the first name among all names.
    channel : int or None
        Which channel to take of colour pictures.
    written : tuple of str
        Of masks in files: the file that was written for each image, as the journal tells, ``""`` where there is none.
        Empty while that is not known; then any file that may hold a mask of these images counts as theirs.
    """

    path: str
    kind: str
    shape: tuple[int, ...]
    dtype: str = ""
    offset: int = 0
    fortran: bool = False
    names: tuple[str, ...] = ()
    first: int = 0
    channel: int | None = None
    written: tuple[str, ...] = ()

    def part(self, start: int, stop: int) -> "Stack":
        """Leave out the names of all images but these."""
        some = slice(start - self.first, stop - self.first)
        return replace(self, names=self.names[some], written=self.written[some], first=start)

    def facts(self) -> dict[str, object]:
        """Tell what it is, wherever it is; ready for JSON."""
        named = hashlib.sha256("\n".join(self.names).encode("utf-8", "surrogateescape")).hexdigest()[:12]
        told = {"kind": self.kind, "shape": list(self.shape), "dtype": self.dtype, "channel": self.channel}
        return told | {"sha256 of the names": named}


def is_address(path: str | os.PathLike) -> bool:
    """Tell the address of a store from a path.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    bool

    Examples
    --------
    >>> is_address("memory://heads.zarr"), is_address("heads.zarr")
    (True, False)
    """
    return "://" in str(path)


def opened(source: str | os.PathLike, channel: int | None = None) -> Stack:
    """Find out what a stack of images is; only headers are read.

    Parameters
    ----------
    source : str or path
        A ``.npy`` of (N, H, W); a Zarr array, also by any address that fsspec opens; a folder of ``.npy``, NIfTI and
        pictures, its folders included, in natural order (``slice_2`` before ``slice_10``); or a ``.txt`` with the
        path or the ``file://`` address of such a file on each line, relative to the text's own folder. What is hidden
        in a folder is passed over, and what else looks like an image is named in a warning. A line of a list that
        names no such file is an image that cannot be read.
    channel : int, optional
        Which channel to take of colour pictures.

    Returns
    -------
    Stack

    Raises
    ------
    InputError
        If it is none of these.

    Examples
    --------
    >>> opened("heads.mat")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: heads.mat: no such file or folder
    """
    source = paths.local(source)
    if is_address(source):
        return _opened_zarr(str(source), channel)
    path = Path(source)
    kind = paths.kind_of(path)
    if not kind:
        raise InputError(f"{path}: no such file or folder")
    if kind == "folder":
        if path.suffix == ".zarr" or any((path / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup")):
            return _opened_zarr(str(path.absolute()), channel)
        return _opened_folder(path, channel)
    if path.suffix.lower() == ".npy":
        return _opened_npy(path, channel)
    if path.suffix.lower() == ".txt":
        return _opened_list(path, channel)
    raise InputError(
        f"{path}: expected a .npy, a Zarr array, a folder or a .txt of paths, got {path.suffix or 'no suffix'}"
    )


def _opened_folder(folder: Path, channel: int | None) -> Stack:
    listing = paths.listed(folder, _FILES, below=True)
    names = [file.relative_to(folder).as_posix() for file in listing.files]
    remark = listing.remark()
    if not names:
        told = f"; {remark}" if remark else ""
        raise InputError(f"{folder}: names no file that ends in {', '.join(_FILES)}{told}")
    if remark:
        warnings.warn(f"{folder}: {remark}", InputWarning, stacklevel=2)
    return _files(folder, folder.absolute(), names, channel)


def _opened_list(path: Path, channel: int | None) -> Stack:
    lines = [line.strip() for line in re.split(r"[\r\n]", _text_of(path))]
    listed = [_path_in_list(path, line) for line in lines if line]
    if not any(map(_is_readable, listed)):
        got = f", but {paths.some(listed)}" if listed else ""
        raise InputError(f"{path}: names no file that ends in {', '.join(_FILES)}{got}")
    folder = os.path.commonpath([os.path.dirname(name) for name in listed])
    return _files(path, Path(folder), [os.path.relpath(name, folder) for name in listed], channel)


def _text_of(path: Path) -> str:
    """Read a list of paths, in which a name may have any bytes where systems allow that."""
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    return os.fsdecode(content) if os.name == "posix" else content.decode("utf-8", "replace")


def _path_in_list(path: Path, line: str) -> str:
    """Give the path that a line of a list names, whether there is such a file or not."""
    with contextlib.suppress(InputError):  # the address of another computer: no file, as reading it will tell
        line = paths.local(line)
    return os.path.normpath(path.absolute().parent / line)


def _is_readable(name: str) -> bool:
    """Tell by its name whether a file may be one of images."""
    return name.lower().endswith(_FILES)


def _files(source: Path, folder: Path, names: list[str], channel: int | None) -> Stack:
    lossy = sum(name.lower().endswith(pictures.LOSSY) for name in names)
    if lossy:
        told = f"{pictures.IS_LOSSY} ({lossy} of {len(names)} files)"
        warnings.warn(f"{source}: {told}", InputWarning, stacklevel=2)
    readable = [name for name in names if _is_readable(name)]
    paths.check_distinct([_mask_key(name) for name in readable], readable, source)
    return Stack(str(folder), "files", (len(names),), names=tuple(names), channel=channel)


def _mask_key(name: str) -> str:
    """Name a file without what its mask does not keep."""
    return name if name.lower().endswith(nifti.SUFFIXES) else os.path.splitext(name)[0]


def _opened_npy(path: Path, channel: int | None) -> Stack:
    with nifti.reading(path, ".npy"), open(path, "rb") as file:
        header = arrays.read_header(file, path.stat().st_size, path)
    _check(path, header.shape, header.dtype, channel)
    return Stack(str(path.absolute()), "npy", header.shape, header.dtype.str, header.offset, header.fortran)


def _opened_zarr(path: str, channel: int | None) -> Stack:
    array = _zarr(path)
    _check(path, array.shape, array.dtype, channel)
    if array.shape[0] > _MOST_IMAGES:
        raise InputError(f"{path}: expected up to {_MOST_IMAGES} images, got {array.shape[0]}")
    count = min(array.chunks[0], array.shape[0])
    for chunk in (array.chunks, (count, *array.shape[1:])):
        size = math.prod(chunk) * array.dtype.itemsize
        if size > _LARGEST:
            told = f"{size / 2**20:.0f} MiB, over {_LARGEST >> 20}; store it anew in chunks of fewer images"
            raise InputError(f"{path}: each of its chunks has {told}")
    if not is_address(path):
        _check_stored(path, array)
    return Stack(path, "zarr", array.shape, array.dtype.str)


def _check_stored(path: str, array: "zarr.Array") -> None:
    """Compare the chunks that lie in a folder with those that the metadata promises."""
    sizes = getattr(array, "shards", None) or array.chunks
    promised = math.prod(-(-length // size) for length, size in zip(array.shape, sizes, strict=True))
    stored = 0
    for _, _, names in os.walk(path):
        stored += sum(not name.startswith(".") and name != "zarr.json" for name in names)
    if stored < _STORED_AT_LEAST * promised:
        raise InputError(f"{path}: its metadata promises {promised} chunks, {stored} are there")
    if stored < promised:
        told = f"{promised - stored} of {promised} chunks are missing; there all values are {array.fill_value}"
        warnings.warn(f"{path}: {told}", InputWarning, stacklevel=2)


def _check(path: str | Path, shape: tuple[int, ...], dtype: np.dtype, channel: int | None) -> None:
    if channel is not None:
        raise InputError(f"{path}: has no channels, shape {shape}; leave the channel out")
    if dtype.kind not in "buif":
        raise InputError(f"{path}: expected real numbers, got dtype {dtype}")
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(f"{path}: expected images of shape (N, H, W), got {shape}")
    errors.check_slice_px(shape[1:], path)


def _zarr(path: str, mode: str = "r"):
    extra("zarr", "Zarr", "batch")
    from ..io import unpacking  # it imports Zarr

    with _reaching(path, "no Zarr array can be opened there"):
        return unpacking.open_array(path, mode)


@contextlib.contextmanager
def _reaching(path: str, told: str, passed: type | tuple[type, ...] = InputError) -> Iterator[None]:
    """Turn what the libraries behind an address raise into one line; what is passed comes as it is."""
    try:
        yield
    except passed:
        raise
    except Exception as error:
        raise InputError(f"{path}: {told} ({' '.join(str(error).split()) or type(error).__name__})") from None


def _in_store(path: str) -> tuple:
    """Give the file system of an address or a path, and the place in it."""
    return extra("fsspec.core", "an address", "batch").url_to_fs(path)


def name(stack: Stack, index: int) -> str:
    """Name an image of a stack.

    Parameters
    ----------
    stack : Stack
    index : int

    Returns
    -------
    str

    Examples
    --------
    >>> name(Stack("heads.npy", "npy", (5, 768, 624)), 3)
    'heads.npy[3]'
    """
    return stack.names[index - stack.first] if stack.names else f"{os.path.basename(stack.path)}[{index}]"


def matched(truth: Stack, images: Stack, source: str | os.PathLike) -> Stack:
    """Bring true masks in the order of their images: files by their names, see `pairing.paired`.

    Parameters
    ----------
    truth, images : Stack
    source : str or path
        Where the truth came from, for messages.

    Returns
    -------
    Stack

    Raises
    ------
    InputError
        If they do not belong together.

    Examples
    --------
    >>> images, truth = (Stack("", "files", (2,), names=names) for names in (("a.tif", "b.tif"), ("b.png", "a.png")))
    >>> matched(truth, images, "truth").names
    ('a.png', 'b.png')
    """
    if truth.kind == images.kind == "files":
        readable = [name for name in images.names if _is_readable(name)]
        candidates = [name for name in truth.names if _is_readable(name)]
        order = pairing.paired(readable, candidates, source=source, spare=True)
        partners = {name: candidates[place] for name, place in zip(readable, order, strict=True)}
        names = tuple(partners.get(name, name) for name in images.names)  # what is no image needs no truth
        return replace(truth, shape=images.shape, names=names)
    wanted = images.shape if len(truth.shape) == 3 else images.shape[:1]
    if truth.shape[: len(wanted)] != wanted:
        raise InputError(f"{source}: expected a truth of the images' shape {wanted}, got {truth.shape}")
    return truth


def read(stack: Stack, start: int, stop: int) -> Iterator[tuple[int, datasets.Data | Exception]]:
    """Read some images one after another; what cannot be read comes as its error.

    Parameters
    ----------
    stack : Stack
    start, stop : int

    Yields
    ------
    index : int
    found : Data or Exception
        One slice, but of a file all of its slices. It may be written over when the next one is read.

    Warns
    -----
    InputWarning
        Of an image that the user should know more of.

    Raises
    ------
    InputError
        If the whole stack is out of reach.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.arange(12).reshape(3, 2, 2))
    ...     [(k, data.names, data.images.max()) for k, data in read(opened(f"{folder}/a.npy"), 1, 3)]
    [(1, ('a.npy[1]',), np.int64(7)), (2, ('a.npy[2]',), np.int64(11))]
    """
    if stack.kind == "files":
        for index, file in enumerate(stack.names[start - stack.first : stop - stack.first], start):
            try:
                data = _read_file(Path(stack.path, file), stack.channel)
            except Exception as error:  # whatever it is, it does not stop the others
                data = error
            yield index, data
        return
    pieces = _read_npy if stack.kind == "npy" else _read_zarr
    for index, image in pieces(stack, start, stop):
        if isinstance(image, Exception):
            yield index, image
            continue
        label = name(stack, index)
        yield index, datasets.Data(_without_nan(image, label)[None], None, None, (label,))


def _without_nan(image: np.ndarray, name: str) -> np.ndarray:
    """Set NaN around the head to 0, and say so; NaN alone is no background."""
    filled, remark = missing.without_nan(image)
    if not remark or np.isnan(image).all():
        return image
    remark = missing.NAN_IS_ZERO if remark == missing.NAN_IS_ZERO else missing.SPECKS_ARE_ZERO
    warnings.warn(f"{name}: {remark}", InputWarning, stacklevel=3)
    return filled


def _read_file(path: Path, channel: int | None) -> datasets.Data:
    """Read a file; what is no file, or none of images, is not opened."""
    if not _is_readable(path.name):
        raise InputError(f"{path}: expected a file that ends in {', '.join(_FILES)}, got {path.suffix or 'no suffix'}")
    if paths.kind_of(path) == "folder":
        raise InputError(f"{path}: expected a file, got a folder")
    with warnings.catch_warnings(action="ignore"):  # those of the readers
        warnings.simplefilter("always", InputWarning)
        data = datasets.load(path, channel=channel)
    return replace(data, images=np.array(data.images))  # a map of a file that is cut off kills


def _read_npy(stack: Stack, start: int, stop: int) -> Iterator[tuple[int, np.ndarray | Exception]]:
    dtype, short = np.dtype(stack.dtype), InputError("the file ends before it does")
    if not os.access(stack.path, os.R_OK):
        raise InputError(f"{stack.path}: cannot be read by {platform.node()}")
    with open(stack.path, "rb") as file:
        if stack.fortran:
            whole = stack.offset + math.prod(stack.shape) * dtype.itemsize
            if os.fstat(file.fileno()).st_size < whole:
                yield from ((index, short) for index in range(start, stop))
                return
            near = np.memmap(file, dtype, "r", stack.offset, stack.shape, order="F")[start:stop]
            yield from enumerate(np.ascontiguousarray(near, dtype.newbyteorder("=")), start)
            return
        image = np.empty(stack.shape[1:], dtype)
        for index in range(start, stop):
            try:
                file.seek(stack.offset + index * image.nbytes)
                whole = file.readinto(image.reshape(-1).view(np.uint8)) == image.nbytes
            except OSError as error:
                yield index, error
                continue
            yield index, image.astype(dtype.newbyteorder("="), copy=False) if whole else short


def _read_zarr(stack: Stack, start: int, stop: int) -> Iterator[tuple[int, np.ndarray | Exception]]:
    array = _zarr(stack.path)
    step = array.chunks[0]
    edges = [start, *range((start // step + 1) * step, stop, step), stop]
    for low, high in itertools.pairwise(edges):
        try:
            _check_chunks(array, stack.path, low, high)
            block = array[low:high]
        except Exception:  # one of them; find out which
            block = None
        for index in range(low, high):
            try:
                if block is None:
                    _check_chunks(array, stack.path, index, index + 1)
                image = array[index] if block is None else block[index - low]
                yield index, np.ascontiguousarray(image, image.dtype.newbyteorder("="))
            except Exception as error:
                yield index, error


def _check_chunks(array: "zarr.Array", path: str, start: int, stop: int) -> None:
    from ..io import unpacking

    unpacking.check(array, path, start, stop)


def exists(stack: Stack) -> bool:
    """Tell whether there is anything where masks are to be.

    An empty folder is nothing, and so is what systems leave in a folder, such as ``.DS_Store``.

    Parameters
    ----------
    stack : Stack
        As `for_masks` gives it.

    Returns
    -------
    bool

    Raises
    ------
    InputError
        If an address cannot be reached.

    Examples
    --------
    >>> exists(Stack("gone.npy", "npy", (5, 768, 624)))
    False
    """
    if is_address(stack.path):
        with _reaching(stack.path, "cannot be reached"):
            store, place = _in_store(stack.path)
            return store.exists(place)
    path = Path(stack.path)
    if stack.kind == "npy" or not path.is_dir():
        return path.exists()
    return any(kind in ("mask", "stranger") for _, kind in _told_apart(stack))


def is_ours(made: Stack) -> bool:
    """Tell masks from what else might lie where they are to be.

    Parameters
    ----------
    made : Stack
        As `for_masks` gives it.

    Returns
    -------
    bool
        By the header of a ``.npy``, the shape and the dtype of a Zarr array; any folder may hold files of masks.

    Raises
    ------
    InputError
        If an address cannot be reached.

    Examples
    --------
    >>> is_ours(Stack("gone.npy", "npy", (5, 768, 624)))
    False
    """
    path = Path(made.path)
    if made.kind == "npy":
        if not path.is_file():
            return False
        with contextlib.suppress(OSError), open(path, "rb") as file:
            return file.read(made.offset) == _header(made.shape)
        return False
    if made.kind == "files":
        return path.is_dir()
    return _is_array_of_masks(made)


def _is_array_of_masks(made: Stack) -> bool:
    """Tell a Zarr array of masks, whole or damaged, from one of something else, and from no array."""
    with _reaching(made.path, "cannot be reached"):
        if is_address(made.path):
            store, place = _in_store(made.path)
            entries = store.ls(place, detail=False) if store.isdir(place) else None
        else:
            entries = os.listdir(made.path) if os.path.isdir(made.path) else None
    if entries is None:
        return False
    names = {PurePosixPath(entry).name for entry in entries}
    others = [name for name in names if name not in ("zarr.json", "c")]
    others = [name for name in others if not _HALF_WRITTEN_ZARR.fullmatch(name)]
    if not all(map(_is_of_a_system, others)):
        return False
    try:
        array = _zarr(made.path)
    except InputError:  # its zarr.json is lost or damaged
        return not others
    return (array.shape, array.dtype) == (made.shape, np.uint8)


def masks_at(path: str, kind: str, shape: tuple[int, ...], names: tuple[str, ...] = ()) -> Stack:
    """Give the stack of masks that are, or are to be, in a place.

    Parameters
    ----------
    path : str
        Absolute, or an address.
    kind : {"npy", "zarr", "files"}
    shape : tuple of int
        (N, H, W); of files (N,).
    names : tuple of str
        Of files: those of their images.

    Returns
    -------
    Stack

    Examples
    --------
    >>> masks_at("/masks.npy", "npy", (5, 768, 624)).dtype
    '|u1'
    """
    if kind == "files":
        return Stack(path, kind, shape, names=names)
    return Stack(path, kind, shape, "|u1", len(_header(shape)) if kind == "npy" else 0)


def stranger_in(made: Stack) -> str | None:
    """Find something where masks are that is none of them, nor hidden.

    Parameters
    ----------
    made : Stack

    Returns
    -------
    str or None
        The first that was found; None if all that is there are masks, or nothing is there.

    Raises
    ------
    InputError
        If an address cannot be reached.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("a.png", "notes.txt"):
    ...         Path(folder, name).touch()
    ...     os.path.basename(stranger_in(masks_at(folder, "files", (1,), ("a.tif",))))
    'notes.txt'
    """
    path = Path(made.path)
    if is_address(made.path):
        return made.path if exists(made) and not is_ours(made) else None
    if not os.path.lexists(path):
        return None
    if path.is_symlink():
        return made.path
    if made.kind != "npy":
        for below, kind in _told_apart(made):
            if kind == "stranger":
                return str(below)
    return made.path if exists(made) and not is_ours(made) else None


def check_alone(made: Stack) -> None:
    """See that nothing lies where masks are that is none of them.

    Parameters
    ----------
    made : Stack

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_alone(masks_at("gone.npy", "npy", (5, 768, 624)))
    """
    stranger = stranger_in(made)
    if stranger:
        raise InputError(f"{stranger}: {NOT_OURS}")


def remove(made: Stack) -> None:
    """Remove masks, and nothing else; a folder that then holds something hidden stays.

    Parameters
    ----------
    made : Stack

    Raises
    ------
    InputError
        If something else lies among them; then nothing is removed.
    OSError
        If something cannot be removed.

    Examples
    --------
    >>> remove(masks_at("gone.npy", "npy", (5, 768, 624)))
    """
    check_alone(made)
    if is_address(made.path):
        with _reaching(made.path, "cannot be removed", (InputError, OSError)):
            store, place = _in_store(made.path)
            if store.exists(place):
                store.rm(place, recursive=True)
        return
    path = Path(made.path)
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for below, kind in reversed([*_told_apart(made)]):
        if kind == "mask":
            below.unlink(missing_ok=True)
        elif kind == "folder":
            _remove_if_empty(below)
    _remove_if_empty(path)


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def keep_hidden(earlier: Stack, later: Stack) -> None:
    """Move what systems left in a folder without masks to the one that replaces it; remove it.

    Parameters
    ----------
    earlier, later : Stack
        As `for_masks` gives them, for the same masks.

    Raises
    ------
    InputError
        If something of the same name is there already.
    OSError
        If something else is in the folder, or something cannot be moved.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("m", "new"):
    ...         Path(folder, name).mkdir()
    ...     Path(folder, "m", ".DS_Store").touch()
    ...     keep_hidden(*(masks_at(f"{folder}/{name}", "files", (1,), ("a.png",)) for name in ("m", "new")))
    ...     [path.relative_to(folder).as_posix() for path in Path(folder).rglob("*")]
    ['new', 'new/.DS_Store']
    """
    for below, kind in reversed([*_told_apart(earlier)]):
        if kind == "folder":
            below.rmdir()
        elif kind == "hidden":
            place = Path(later.path, below.relative_to(earlier.path))
            if os.path.lexists(place):
                raise InputError(f"{below}: is in the way of the masks; move it")
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(below, place)
    Path(earlier.path).rmdir()


def _told_apart(made: Stack) -> Iterator[tuple[Path, str]]:
    """Tell what lies in a folder of masks, from above: mask, folder, hidden or stranger."""
    belongs = _belonging(made)
    for here, folders, names in os.walk(made.path):
        for name in sorted(folders + names):
            below = Path(here, name)
            if belongs(below.relative_to(made.path).as_posix()) and not below.is_symlink():
                yield below, "folder" if name in folders else "mask"
            elif _is_of_a_system(name):
                if name in folders:
                    folders.remove(name)
                yield below, "hidden"
            else:
                yield below, "stranger"


def _is_of_a_system(name: str) -> bool:
    """Tell what systems leave in a folder from masks half written, and from arrays of Zarr."""
    return paths.is_hidden(name) and name not in _ZARR_2 and not name.startswith(_PARTIAL)


def _belonging(made: Stack) -> Callable[[str], object]:
    """Give what tells the path of a mask, or of a folder on the way to one, from all else below the masks' folder."""
    if made.kind == "zarr":
        return lambda path: _OF_ZARR.fullmatch(path) or _HALF_WRITTEN_ZARR.fullmatch(path)
    places = _places(made.names, made.written)
    if made.written:
        return places.__contains__
    return lambda path: path in places or _HALF_WRITTEN.fullmatch(path)


@lru_cache(maxsize=2)  # masks that are whole, and those that are not
def _places(names: tuple[str, ...], written: tuple[str, ...]) -> frozenset[str]:
    """List the files of masks, and the folders on the way to them, below the folder of all."""
    places: set[str] = set()
    stack = Stack("", "files", (len(names),), names=names, written=written)
    for index in range(len(names)):
        for file in _mask_files(stack, index):
            place = file.as_posix()
            while place and place not in places:
                places.add(place)
                place = place.rpartition("/")[0]
    return frozenset(places)


def for_masks(output: str | os.PathLike, images: Stack) -> Stack:
    """Plan the masks of a stack; nothing is written yet.

    Parameters
    ----------
    output : str or path
        ``.npy``, ``.zarr`` or an address for an array of (N, H, W), which files fit that hold one slice of one shape
        each; anything else is a folder, in which files have their own names, and images of an array their numbers.
    images : Stack

    Returns
    -------
    Stack

    Raises
    ------
    InputError
        If the images do not fit in there.

    Examples
    --------
    >>> for_masks("masks.zarr", Stack("heads.npy", "npy", (5, 768, 624))).shape
    (5, 768, 624)
    """
    output = paths.local(output)
    kind = _kind_of_masks(output)
    path = str(output) if is_address(output) else str(Path(output).absolute())
    if kind == "files":
        return masks_at(path, kind, images.shape[:1], images.names or _numbered(images))
    if kind == "zarr":
        extra("zarr", "Zarr", "batch")
    shape = images.shape
    if images.kind == "files":
        shape = (*shape, *_shape_of_slices(images, output))
    return masks_at(path, kind, shape)


def _kind_of_masks(output: str | os.PathLike) -> str:
    """Tell by its name what an output is to be."""
    path = Path(output)
    suffix = path.suffix.lower()
    if suffix in _NO_MASKS:
        raise InputError(f"{output}: expected a .npy, a .zarr, an address or a folder, got {path.suffix}")
    if is_address(output) or suffix == ".zarr":
        return "zarr"
    return "npy" if suffix == ".npy" else "files"


def _numbered(images: Stack) -> tuple[str, ...]:
    """Name the masks of an array, each in a file of its own."""
    stem = PurePosixPath(Path(images.path).as_posix()).stem
    return tuple(f"{stem}_{index:06}.png" for index in range(images.shape[0]))


def _shape_of_slices(images: Stack, output: str | os.PathLike) -> tuple[int, ...]:
    """Give the shape (H, W) of the first file that can be read, which must hold one slice."""
    for _, data in read(images, 0, images.shape[0]):
        if isinstance(data, datasets.Data):
            count, *shape = data.images.shape
            if count == 1:
                return tuple(shape)
            reason = "got a file of several; name a folder for the masks"
            raise InputError(f"{output}: wants files of one slice each, {reason}")
    reason = "none of the files can be read; name a folder for the masks"
    raise InputError(f"{output}: wants files of one slice each, {reason}")


def _header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue()


def prepare(made: Stack, chunk: int) -> bool:
    """Make the array or folder for masks where it is not there yet, or is another; a ``.npy`` takes its whole room.

    Parameters
    ----------
    made : Stack
        As `for_masks` gives it.
    chunk : int
        How many masks are written at a time: one file of a Zarr array.

    Returns
    -------
    bool
        Whether it was made anew: then it holds no mask.

    Raises
    ------
    OSError
        If there is no room.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = for_masks(f"{folder}/masks.npy", Stack("", "npy", (2, 3, 4)))
    ...     prepare(made, 1), prepare(made, 1), np.load(made.path).shape
    (True, False, (2, 3, 4))
    """
    if made.kind == "files":
        there = Path(made.path).is_dir()
        Path(made.path).mkdir(exist_ok=True)
        return not there
    if made.kind == "npy":
        header, there = _header(made.shape), is_ours(made)
        size = len(header) + math.prod(made.shape)
        if there:
            with open(made.path, "r+b") as file:
                _take_room(file, size)
            return False
        with outputs.replacing(made.path) as temporary, open(temporary, "wb") as file:
            file.write(header)
            _take_room(file, size)
        return True
    shards = (min(chunk, made.shape[0]), *made.shape[1:])
    with contextlib.suppress(InputError):
        array = _zarr(made.path)
        if (array.shape, array.shards, array.dtype) == (made.shape, shards, np.uint8):
            return False
    if not is_address(made.path):
        remove(made)
    size = {"shape": made.shape, "chunks": (1, *made.shape[1:]), "shards": shards}  # so that one mask is read fast
    options = {"dtype": "uint8", "fill_value": 0, "overwrite": is_address(made.path)}
    with _reaching(made.path, "cannot be written", (InputError, OSError)):
        extra("zarr", "Zarr", "batch").create_array(made.path, **size, **options)
    if not is_address(made.path):
        outputs.sync(Path(made.path, "zarr.json"))
    return True


def tidy(made: Stack) -> None:
    """Remove what workers that were killed have begun to write.

    Parameters
    ----------
    made : Stack

    Examples
    --------
    >>> tidy(Stack("gone", "files", (1,), names=("a.png",)))
    """
    patterns = {"zarr": _HALF_WRITTEN_ZARR, "files": _HALF_WRITTEN}
    if made.kind not in patterns:
        return
    folder = Path(made.path)
    for path in folder.rglob("*.partial" if made.kind == "zarr" else f"{_PARTIAL}*"):
        if path.is_file() and patterns[made.kind].fullmatch(path.relative_to(folder).as_posix()):
            path.unlink(missing_ok=True)


def _take_room(file: BinaryIO, size: int) -> None:
    file.flush()
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    file.truncate(size)
    os.fsync(file.fileno())


@contextlib.contextmanager
def writing(made: Stack, start: int, stop: int) -> Iterator[Callable[[int, np.ndarray | None, str], int]]:
    """Write some masks; they are safe on disk at the end.

    Parameters
    ----------
    made : Stack
    start, stop : int
        Of a Zarr array: one of its files.

    Yields
    ------
    callable
        Takes the index, the masks of (n, H, W), or None where there is none, and the image's file if it has one. It
        gives the checksum of all that it wrote, see `checksum`. To be called for every index in turn; it raises
        `Unwritable` where a mask cannot be written and others can.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = for_masks(f"{folder}/masks.npy", Stack("", "npy", (2, 1, 3)))
    ...     _ = prepare(made, 2)
    ...     with writing(made, 0, 2) as put:
    ...         _ = put(0, np.ones((1, 1, 3), np.uint8), ""), put(1, None, "")
    ...     np.load(made.path)[:, 0].tolist()
    [[1, 1, 1], [0, 0, 0]]
    """
    crc, empty = 0, None if made.kind == "files" else np.zeros((1, *made.shape[1:]), np.uint8)
    ways = {"npy": _writing_npy, "zarr": _writing_zarr, "files": _writing_files}
    with ways[made.kind](made, start, stop) as keep:

        def put(index: int, mask: np.ndarray | None, source: str) -> int:
            nonlocal crc
            mask = empty if mask is None else np.ascontiguousarray(mask)
            keep(index, mask, source)
            crc = crc if mask is None else zlib.crc32(mask, crc)
            return crc

        yield put


@contextlib.contextmanager
def _writing_npy(made: Stack, _start: int, _stop: int) -> Iterator[Callable[[int, np.ndarray, str], None]]:
    with open(made.path, "r+b", buffering=0) as file:

        def keep(index: int, mask: np.ndarray, _source: str) -> None:
            file.seek(made.offset + index * mask.nbytes)
            left = memoryview(mask).cast("B")
            while left:
                left = left[file.write(left) :]

        yield keep
        os.fsync(file.fileno())


@contextlib.contextmanager
def _writing_zarr(made: Stack, start: int, stop: int) -> Iterator[Callable[[int, np.ndarray, str], None]]:
    block = np.zeros((stop - start, *made.shape[1:]), np.uint8)

    def keep(index: int, mask: np.ndarray, _source: str) -> None:
        block[index - start] = mask

    yield keep
    array = _zarr(made.path, "r+")
    key = array.metadata.encode_chunk_key((start // array.shards[0], 0, 0))
    with _reaching(made.path, "cannot be written", (InputError, OSError)):
        store, place = _in_store(made.path)
        if store.exists(f"{place}/{key}"):
            store.rm(f"{place}/{key}")  # Zarr reads what it is about to write over, were it damaged or not
        array[start:stop] = block
    if not is_address(made.path):
        _sync(made, [Path(made.path, key)])


@contextlib.contextmanager
def _writing_files(made: Stack, start: int, stop: int) -> Iterator[Callable[[int, np.ndarray | None, str], None]]:
    yield partial(_write_file, made)
    _sync(made, _kept(made, start, stop))


def _kept(made: Stack, start: int, stop: int) -> list[Path]:
    """List the files of masks that there are."""
    files = (file for index in range(start, stop) for file in _mask_files(made, index))
    return [file for file in files if os.path.isfile(file)]  # also where there can be no such name


def _sync(made: Stack, files: list[Path]) -> None:
    """Wait until files, and their names up to the folder of the masks, are on disk."""
    folders = {parent for file in files for parent in file.parents if parent.is_relative_to(made.path)}
    for path in (*files, *folders):
        if path.exists():  # of empty masks a Zarr array has no file
            outputs.sync(path)


def checksum(made: Stack, start: int, stop: int) -> int | None:
    """Read some masks back.

    Parameters
    ----------
    made : Stack
    start, stop : int

    Returns
    -------
    int or None
        CRC-32 of their bytes; None if one of them cannot be read, or is no mask as `writing` leaves it.

    Examples
    --------
    >>> checksum(Stack("", "files", (1,), names=("a.png",)), 0, 1)
    0
    """
    crc = 0
    if made.kind == "files":
        kept = _kept(made, start, stop)
        made, start, stop = Stack("", "files", (len(kept),), names=tuple(map(str, kept))), 0, len(kept)
    for index, data in read(made, start, stop):
        if isinstance(data, Exception):
            return None
        inside = data.images == (255 if name(made, index).endswith(".png") else 1)
        if (inside != (data.images != 0)).any():
            return None
        crc = zlib.crc32(np.ascontiguousarray(inside, np.uint8), crc)
    return crc


def _write_file(made: Stack, index: int, mask: np.ndarray | None, source: str) -> None:
    """Write the masks of an image to a file of their own, or remove what an earlier attempt has written."""
    if not Path(made.path).is_dir():
        raise InputError(f"{made.path}: is gone, another run has taken its place")
    files = _mask_files(made, index)
    output = None
    if mask is not None:
        with _naming_the_mask():
            picture = not source or datasets.masks_name(source).endswith(".png")
            output = files[0] if picture else files[-1]
            like = source or output
            temporary = output.with_name(f"{_PARTIAL}{secrets.token_hex(4)}{output.name[-7:]}")
            writer = datasets.masks_writer(temporary, like)
            output.parent.mkdir(parents=True, exist_ok=True)
            writer(mask, temporary, like, mask.shape)
            os.replace(temporary, output)
    for file in files:
        if file != output:
            with contextlib.suppress(Unwritable), _naming_the_mask():
                file.unlink(missing_ok=True)


@contextlib.contextmanager
def _naming_the_mask() -> Iterator[None]:
    """Tell what concerns one mask, its name or its format, from what stops them all, as a full disk does."""
    try:
        yield
    except OSError as error:
        if error.errno not in _OF_A_NAME:
            raise
        raise Unwritable(f"its mask cannot be written ({error.strerror})") from None
    except ValueError as error:  # a NUL character in the name, or an image in whose format there are no masks
        raise Unwritable(f"its mask cannot be written ({error})") from None


def _mask_files(made: Stack, index: int) -> list[Path]:
    """Name the files that hold the masks of an image or, while that is not known, those that may."""
    if made.written:
        file = made.written[index - made.first]
        return [Path(made.path, file)] if file else []
    return [Path(made.path, name) for name in mask_names(made, index)]


def mask_names(made: Stack, index: int) -> list[str]:
    """Name what may hold the masks of an image: NIfTI, or a picture and, of several pages, an array.

    Parameters
    ----------
    made : Stack
        Masks in files.
    index : int

    Returns
    -------
    list of str
        Below the folder of all masks; none of what a list names that is no image.

    Examples
    --------
    >>> mask_names(masks_at("masks", "files", (1,), ("a.tif",)), 0)
    ['a.png', 'a.npy']
    """
    name = made.names[index - made.first]
    image = name.lower()
    if image.endswith(nifti.SUFFIXES):
        suffixes = ("",)
    elif image.endswith(".npy"):
        suffixes = (".npy",)
    elif image.endswith(_FILES):
        suffixes = (".png", ".npy")
    else:
        suffixes = ()
    return [_mask_key(name) + suffix for suffix in suffixes]


def written(made: Stack, start: int, stop: int) -> list[str]:
    """Tell in which file the masks of each image are.

    Parameters
    ----------
    made : Stack
        Masks in files, where nobody else has put any.
    start, stop : int

    Returns
    -------
    list of str
        See `mask_names`; ``""`` where there is none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "a.png").touch()
    ...     written(masks_at(folder, "files", (2,), ("a.tif", "b.tif")), 0, 2)
    ['a.png', '']
    """
    files = []
    for index in range(start, stop):
        names = [name for name in mask_names(made, index) if os.path.isfile(Path(made.path, name))]
        files.append(names[0] if names else "")
    return files


def check_unmixed(made: Stack) -> None:
    """See that no file that may hold a mask of these images is another than the one that was written.

    Parameters
    ----------
    made : Stack

    Raises
    ------
    InputError

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "a.npy").touch()
    ...     check_unmixed(Stack(folder, "files", (1,), names=("a.tif",), written=("a.png",)))
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: ...a.npy: no batch made this file; move it, or choose another name
    """
    if not made.written:
        return
    belongs = _belonging(made)
    for index in range(made.first, made.first + len(made.names)):
        for name in mask_names(made, index):
            file = Path(made.path, name)
            if not belongs(Path(name).as_posix()) and os.path.lexists(file):
                raise InputError(f"{file}: {NOT_OURS}")
