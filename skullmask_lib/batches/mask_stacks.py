"""Planned stacks of masks: which kind, shape and file names the masks at an output will have.

Nothing is written here: `writing` writes the masks, and `ownership` tells them from other files.
"""

import io
import os
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import InputError, extra
from ..io import datasets, nifti, paths
from . import reading, stacks, stores
from .stacks import Stack

_OTHER_FILES = {".txt", ".gz", ".h5", ".hdf5", ".mat", ".dcm"}
_REFUSED_SUFFIXES = (_OTHER_FILES | set(datasets.SUFFIXES)) - {".npy"}


def planned(output: str | os.PathLike, images: Stack) -> Stack:
    """Plan the masks of a stack of images; nothing is written yet.

    Parameters
    ----------
    output : str or path
        ``.npy``, ``.zarr`` or an address for an array of shape (N, H, W); images in files fit into
        one if each holds one slice and all have the same shape. Any other name is a folder: a mask
        gets the name of its image's file, or the number of its image in an array.
    images : Stack

    Returns
    -------
    Stack

    Raises
    ------
    InputError
        If the masks of these images do not fit into the output.

    Examples
    --------
    >>> planned("masks.zarr", Stack("heads.npy", "npy", (5, 768, 624))).shape
    (5, 768, 624)
    """
    output = paths.local(output)
    kind = _kind_of_masks(output)
    path = str(output)
    if not stores.is_address(output):
        path = str(Path(output).absolute())
    if kind == "files":
        names = images.names or _numbered_names(images)
        return masks_at(path, kind, images.shape[:1], names)
    if kind == "zarr":
        extra("zarr", "Zarr", "batch")
    shape = images.shape
    if images.kind == "files":
        shape = (*shape, *_slice_shape(images, output))
    return masks_at(path, kind, shape)


def _kind_of_masks(output: str | os.PathLike) -> str:
    """Return the kind of stack that the name of an output stands for."""
    path = Path(output)
    suffix = path.suffix.lower()
    if suffix in _REFUSED_SUFFIXES:
        wanted = "a .npy, a .zarr, an address or a folder"
        raise InputError(f"expected {wanted}, got {path.suffix}", where=output)
    if stores.is_address(output) or suffix == ".zarr":
        return "zarr"
    return "npy" if suffix == ".npy" else "files"


def _numbered_names(images: Stack) -> tuple[str, ...]:
    """Name a file for the mask of each image of an array."""
    stem = PurePosixPath(Path(images.path).as_posix()).stem
    return tuple(f"{stem}_{index:06}.png" for index in range(images.shape[0]))


def _slice_shape(images: Stack, output: str | os.PathLike) -> tuple[int, ...]:
    """Return the shape (H, W) of the first file that can be read, which must hold one slice."""
    problem = "none of the files can be read"
    for _, image in reading.read(images, 0, images.shape[0]):
        if isinstance(image, Exception):
            continue
        count, *shape = image.images.shape
        if count == 1:
            return tuple(shape)
        problem = "got a file of several"
        break
    hint = "name a folder for the masks"
    raise InputError(f"wants files of one slice each, {problem}; {hint}", where=output)


def masks_at(path: str, kind: str, shape: tuple[int, ...], names: tuple[str, ...] = ()) -> Stack:
    """Return the stack of masks at a place, whether they are there already or not.

    Parameters
    ----------
    path : str
        An absolute path, or an address.
    kind : {"npy", "zarr", "files"}
    shape : tuple of int
        (N, H, W); for files (N,).
    names : tuple of str
        For files: the names of their images.

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
    offset = len(npy_header(shape)) if kind == "npy" else 0
    return Stack(path, kind, shape, "|u1", offset)


def npy_header(shape: tuple[int, ...]) -> bytes:
    """Return the header of a ``.npy`` of masks.

    Parameters
    ----------
    shape : (N, H, W)

    Returns
    -------
    bytes

    Examples
    --------
    >>> len(npy_header((5, 768, 624)))
    128
    """
    file = io.BytesIO()
    facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, facts)
    return file.getvalue()


def mask_names(masks: Stack, index: int) -> list[str]:
    """Return the names that the file with the masks of an image may have.

    Parameters
    ----------
    masks : Stack
        Masks in files.
    index : int

    Returns
    -------
    list of str
        Paths within the folder of the masks: for NIfTI its own name; for a picture that of a
        picture, then that of the array for pictures of several pages. None for a name that is no
        image.

    Examples
    --------
    >>> mask_names(masks_at("masks", "files", (1,), ("a.tif",)), 0)
    ['a.png', 'a.npy']
    """
    name = masks.names[index - masks.first]
    image = name.lower()
    if image.endswith(nifti.SUFFIXES):
        suffixes = ("",)
    elif image.endswith(".npy"):
        suffixes = (".npy",)
    elif stacks.is_image(image):
        suffixes = (".png", ".npy")
    else:
        suffixes = ()
    stem = stacks.mask_stem(name)
    return [stem + suffix for suffix in suffixes]


def mask_files(masks: Stack, index: int) -> list[Path]:
    """Return the files that hold the masks of an image or, without a journal, that may hold them.

    Parameters
    ----------
    masks : Stack
        Masks in files.
    index : int

    Returns
    -------
    list of Path

    Examples
    --------
    >>> masks = Stack("m", "files", (1,), names=("a.tif",), recorded_files=("a.png",))
    >>> [file.name for file in mask_files(masks, 0)]
    ['a.png']
    """
    if masks.recorded_files:
        name = masks.recorded_files[index - masks.first]
        names = [name] if name else []
    else:
        names = mask_names(masks, index)
    return [Path(masks.path, name) for name in names]
