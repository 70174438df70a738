"""Stacks of images too large to be held in memory: what they are, found from their headers.

Only headers, folders and lists are looked at here. `reading` reads the images themselves, and
`mask_stacks` plans the stacks of their masks.
"""

import codecs
import contextlib
import hashlib
import math
import os
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import errors
from ..errors import InputError, InputWarning
from ..io import arrays, datasets, nifti, pairing, paths, pictures
from . import stores

if TYPE_CHECKING:
    import zarr

IMAGE_SUFFIXES = tuple(suffix for suffix in datasets.SUFFIXES if suffix != ".npz")
_NAMES_NO_IMAGE = f"names no file that ends in {', '.join(IMAGE_SUFFIXES)}"
NAMES_FACT = "sha256 of the names"
_LARGEST_CHUNK_BYTES = 2**28  # of Zarr; a worker holds a chunk twice while it unpacks it
_MOST_IMAGES = 10**8
_STORED_AT_LEAST = 0.01  # of the chunks that the metadata of a Zarr array promises
_ZARR_METADATA = ("zarr.json", ".zarray", ".zgroup")


@dataclass(frozen=True)
class Stack:
    """Where many images, or their masks, are.

    Attributes
    ----------
    path : str
        The absolute path, or the address of a Zarr array; for files, their folder.
    kind : {"npy", "zarr", "files"}
    shape : tuple of int
        (N, H, W); for files (N,), as each file has its own shape and may hold several slices.
    dtype : str
        Of the stored values; empty for files.
    offset : int
        Where the values of a ``.npy`` begin [bytes].
    fortran : bool
        Whether the values of a ``.npy`` are in Fortran order, with those of one image far apart.
    names : tuple of str
        For files: their paths within the folder.
    first : int
        The index of the first name among the names of the whole stack.
    channel : int or None
        Which channel to take of colour pictures.
    recorded_files : tuple of str
        For masks in files: the file written for each image according to the journal, ``""`` for
        none. While it is empty, every file that could hold a mask of these images counts as one.
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
    recorded_files: tuple[str, ...] = ()

    def part(self, start: int, stop: int) -> "Stack":
        """Return the same stack with the names of some images alone, to be sent to a worker."""
        chosen = slice(start - self.first, stop - self.first)
        return replace(
            self,
            names=self.names[chosen],
            recorded_files=self.recorded_files[chosen],
            first=start,
        )

    def facts(self) -> dict[str, object]:
        """Describe the stack for the journal, without its place."""
        names = "\n".join(self.names).encode("utf-8", "surrogateescape")
        return {
            "kind": self.kind,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "channel": self.channel,
            NAMES_FACT: hashlib.sha256(names).hexdigest()[:12],
        }


def opened(source: str | os.PathLike, channel: int | None = None) -> Stack:
    """Find out what a stack of images is; only headers are read.

    Parameters
    ----------
    source : str or path
        One of

        - a ``.npy`` of shape (N, H, W);
        - a Zarr array, also at any address that fsspec opens;
        - a folder of ``.npy``, NIfTI and pictures. Its subfolders are included, and files come in
          natural order, ``slice_2`` before ``slice_10``. Hidden files are skipped; other files that
          look like images are named in a warning;
        - a ``.txt`` with one such file on each line, as a ``file://`` address or as a path relative
          to the text's own folder. A line that names no such file is an image that cannot be read.
    channel : int, optional
        Which channel to take of colour pictures.

    Returns
    -------
    Stack

    Raises
    ------
    InputError
        If the source is none of these.

    Examples
    --------
    >>> opened("heads.mat")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: heads.mat: no such file or folder
    """
    source = paths.local(source)
    if stores.is_address(source):
        return _opened_zarr(str(source), channel)
    path = Path(source)
    kind = paths.kind_of(path)
    if not kind:
        raise InputError("no such file or folder", where=path)
    if kind == "folder":
        if _looks_like_zarr(path):
            return _opened_zarr(str(path.absolute()), channel)
        return _opened_folder(path, channel)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return _opened_npy(path, channel)
    if suffix == ".txt":
        return _opened_list(path, channel)
    wanted = "a .npy, a Zarr array, a folder or a .txt of paths"
    raise InputError(f"expected {wanted}, got {path.suffix or 'no suffix'}", where=path)


def _looks_like_zarr(folder: Path) -> bool:
    if folder.suffix == ".zarr":
        return True
    return any((folder / name).is_file() for name in _ZARR_METADATA)


def _opened_folder(folder: Path, channel: int | None) -> Stack:
    listing = paths.listed(folder, IMAGE_SUFFIXES, below=True)
    remark = listing.remark()
    if not listing.files:
        message = _NAMES_NO_IMAGE
        if remark:
            message += f"; {remark}"
        raise InputError(message, where=folder)
    names = [file.relative_to(folder).as_posix() for file in listing.files]
    if remark:
        warnings.warn(InputWarning(remark, where=folder), stacklevel=2)
    return _stack_of_files(folder, folder.absolute(), names, channel)


def _opened_list(path: Path, channel: int | None) -> Stack:
    listed = []
    for line in re.split(r"[\r\n]", _text_of(path)):
        if line.strip():
            listed.append(_path_in_list(path, line.strip()))
    if not any(map(is_image, listed)):
        message = _NAMES_NO_IMAGE
        if listed:
            message += f", but {paths.some(listed)}"
        raise InputError(message, where=path)
    folder = os.path.commonpath([os.path.dirname(name) for name in listed])
    names = [os.path.relpath(name, folder) for name in listed]
    return _stack_of_files(path, Path(folder), names, channel)


def _text_of(path: Path) -> str:
    """Read a list of paths; on POSIX a file name may hold any bytes."""
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)
    if os.name == "posix":
        return os.fsdecode(content)
    return content.decode("utf-8", "replace")


def _path_in_list(path: Path, line: str) -> str:
    """Return the path that a line of a list names, whether that file exists or not."""
    with contextlib.suppress(InputError):  # an address of another computer fails when it is read
        line = paths.local(line)
    return os.path.normpath(path.absolute().parent / line)


def is_image(name: str) -> bool:
    """Return whether a file may hold images, judged by its name.

    Parameters
    ----------
    name : str

    Returns
    -------
    bool

    Examples
    --------
    >>> is_image("scan.NII.gz"), is_image("notes.txt")
    (True, False)
    """
    return name.lower().endswith(IMAGE_SUFFIXES)


def _stack_of_files(source: Path, folder: Path, names: list[str], channel: int | None) -> Stack:
    lossy = sum(name.lower().endswith(pictures.LOSSY) for name in names)
    if lossy:
        remark = f"{pictures.IS_LOSSY} ({lossy} of {len(names)} files)"
        warnings.warn(InputWarning(remark, where=source), stacklevel=2)
    readable = list(filter(is_image, names))
    paths.check_distinct([mask_stem(name) for name in readable], readable, source)
    return Stack(str(folder), "files", (len(names),), names=tuple(names), channel=channel)


def mask_stem(name: str) -> str:
    """Return what a mask keeps of its image's file name: a NIfTI's whole, others' without suffix.

    Parameters
    ----------
    name : str

    Returns
    -------
    str

    Examples
    --------
    >>> mask_stem("a/scan.nii.gz"), mask_stem("a/slice.tif")
    ('a/scan.nii.gz', 'a/slice')
    """
    if name.lower().endswith(nifti.SUFFIXES):
        return name
    return os.path.splitext(name)[0]


def _opened_npy(path: Path, channel: int | None) -> Stack:
    with nifti.reading(path, ".npy"), open(path, "rb") as file:
        header = arrays.read_header(file, path.stat().st_size, path)
    _check_array(path, header.shape, header.dtype, channel)
    return Stack(
        str(path.absolute()),
        "npy",
        header.shape,
        header.dtype.str,
        header.offset,
        header.fortran,
    )


def _opened_zarr(path: str, channel: int | None) -> Stack:
    array = stores.open_array(path)
    _check_array(path, array.shape, array.dtype, channel)
    if array.shape[0] > _MOST_IMAGES:
        raise InputError(f"expected up to {_MOST_IMAGES} images, got {array.shape[0]}", where=path)
    _check_chunk_size(path, array)
    if not stores.is_address(path):
        _check_stored(path, array)
    return Stack(path, "zarr", array.shape, array.dtype.str)


def _check_chunk_size(path: str, array: "zarr.Array") -> None:
    """Refuse chunks that are too large, alone or together with the others of their images."""
    count = min(array.chunks[0], array.shape[0])
    for chunk in (array.chunks, (count, *array.shape[1:])):
        size_bytes = math.prod(chunk) * array.dtype.itemsize
        if size_bytes > _LARGEST_CHUNK_BYTES:
            size = f"{size_bytes / 2**20:.0f} MiB, over {_LARGEST_CHUNK_BYTES >> 20}"
            hint = "store it anew in chunks of fewer images"
            raise InputError(f"each of its chunks has {size}; {hint}", where=path)


def _check_stored(path: str, array: "zarr.Array") -> None:
    """Compare the chunks that lie in a folder with those that the metadata promises."""
    sizes = getattr(array, "shards", None) or array.chunks
    promised = 1
    for length, size in zip(array.shape, sizes, strict=True):
        promised *= math.ceil(length / size)
    stored = 0
    for _, _, names in os.walk(path):
        stored += sum(map(_may_be_chunk, names))
    if stored < _STORED_AT_LEAST * promised:
        raise InputError(f"its metadata promises {promised} chunks, {stored} are there", where=path)
    if stored < promised:
        missing = f"{promised - stored} of {promised} chunks are missing"
        remark = f"{missing}; there all values are {array.fill_value}"
        warnings.warn(InputWarning(remark, where=path), stacklevel=2)


def _may_be_chunk(name: str) -> bool:
    return not name.startswith(".") and name != "zarr.json"


def _check_array(
    path: str | Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    channel: int | None,
) -> None:
    if channel is not None:
        raise InputError(f"has no channels, shape {shape}; leave the channel out", where=path)
    if dtype.kind not in "buif":
        raise InputError(f"expected real numbers, got dtype {dtype}", where=path)
    if len(shape) != 3 or min(shape) < 1:
        raise InputError(f"expected images of shape (N, H, W), got {shape}", where=path)
    errors.check_slice_px(shape[1:], path)


def name(stack: Stack, index: int) -> str:
    """Return the name of an image of a stack, for tables and messages.

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
    if stack.names:
        return stack.names[index - stack.first]
    return f"{os.path.basename(stack.path)}[{index}]"


def matched(truth: Stack, images: Stack, source: str | os.PathLike) -> Stack:
    """Bring true masks into the order of their images; files are paired by name, others in order.

    Parameters
    ----------
    truth, images : Stack
    source : str or path
        Where the truth came from, for messages.

    Returns
    -------
    Stack
        See `pairing.paired` for how files are paired.

    Raises
    ------
    InputError
        If they do not belong together.

    Warns
    -----
    InputWarning
        If files on one side are paired in order with an array on the other.

    Examples
    --------
    >>> images = Stack("", "files", (2,), names=("a.tif", "b.tif"))
    >>> truth = Stack("", "files", (2,), names=("b.png", "a.png"))
    >>> matched(truth, images, "truth").names
    ('a.png', 'b.png')
    """
    if truth.kind == images.kind == "files":
        return _matched_files(truth, images, source)
    if truth.kind != "files" and images.kind != "files":
        if truth.shape != images.shape:
            message = f"expected a truth of the images' shape {images.shape}, got {truth.shape}"
            raise InputError(message, where=source)
        return truth
    if truth.shape[0] != images.shape[0]:
        message = f"expected a truth of {images.shape[0]} images, got one of {truth.shape[0]}"
        raise InputError(message, where=source)
    pairing.warn_of_order("one side has no names", source, stacklevel=3)
    return truth


def _matched_files(truth: Stack, images: Stack, source: str | os.PathLike) -> Stack:
    readable = list(filter(is_image, images.names))
    candidates = list(filter(is_image, truth.names))
    order = pairing.paired(readable, candidates, source=source, spare=True)
    partners = {}
    for image, place in zip(readable, order, strict=True):
        partners[image] = candidates[place]
    # A name that is no image needs no truth.
    names = tuple(partners.get(image, image) for image in images.names)
    return replace(truth, shape=images.shape, names=names)
