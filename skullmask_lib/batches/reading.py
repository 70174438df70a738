"""Read images of a stack, one after another; one that cannot be read gives its error instead.

Files of any format are read by `io.datasets`; only arrays are read here.
"""

import itertools
import math
import os
import platform
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError, InputWarning
from ..io import datasets, missing, paths
from . import stacks, stores
from .stacks import Stack


def read(
    stack: Stack,
    start: int,
    stop: int,
) -> Iterator[tuple[int, datasets.Data | Exception]]:
    """Read some images one after another.

    Parameters
    ----------
    stack : Stack
    start, stop : int

    Yields
    ------
    index : int
    image : Data or Exception
        One slice; for a file, all of its slices; for what cannot be read, the error. The array may
        be overwritten when the next image is read.

    Warns
    -----
    InputWarning
        If there is something the user should know about an image.

    Raises
    ------
    InputError
        If the whole stack is out of reach.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.arange(12).reshape(3, 2, 2))
    ...     stack = stacks.opened(f"{folder}/a.npy")
    ...     [(index, data.names, data.images.max()) for index, data in read(stack, 1, 3)]
    [(1, ('a.npy[1]',), np.int64(7)), (2, ('a.npy[2]',), np.int64(11))]
    """
    if stack.kind == "files":
        yield from _read_files(stack, start, stop)
        return
    slices = _read_npy if stack.kind == "npy" else _read_zarr
    for index, image in slices(stack, start, stop):
        if isinstance(image, Exception):
            yield index, image
            continue
        label = stacks.name(stack, index)
        images = _without_nan(image, label)[None]
        yield index, datasets.Data(images, None, None, (label,))


def _without_nan(image: np.ndarray, name: str) -> np.ndarray:
    """Set NaN around the head to 0 and warn of it."""
    filled, remark = missing.without_nan(image)
    if remark:
        warnings.warn(InputWarning(missing.joint_remark([remark]), where=name), stacklevel=3)
    return filled


def _read_files(
    stack: Stack,
    start: int,
    stop: int,
) -> Iterator[tuple[int, datasets.Data | Exception]]:
    for index in range(start, stop):
        path = Path(stack.path, stacks.name(stack, index))
        try:
            image = _read_file(path, stack.channel)
        except Exception as error:  # whatever is wrong with one file must not stop the others
            image = error
        yield index, image


def _read_file(path: Path, channel: int | None) -> datasets.Data:
    """Read a file; one that is no image by its name, or no file, is not opened."""
    if not stacks.is_image(path.name):
        wanted = f"a file that ends in {', '.join(stacks.IMAGE_SUFFIXES)}"
        raise InputError(f"expected {wanted}, got {path.suffix or 'no suffix'}", where=path)
    if paths.kind_of(path) == "folder":
        raise InputError("expected a file, got a folder", where=path)
    with warnings.catch_warnings(action="ignore"):  # the readers' own
        warnings.simplefilter("always", InputWarning)
        data = datasets.load(path, channel=channel)
    # A process is killed if it looks at a memory map whose file has been cut off.
    return replace(data, images=np.array(data.images))


def _read_npy(
    stack: Stack,
    start: int,
    stop: int,
) -> Iterator[tuple[int, np.ndarray | Exception]]:
    if not os.access(stack.path, os.R_OK):
        raise InputError(f"cannot be read by {platform.node()}", where=stack.path)
    if stack.fortran:
        yield from _read_fortran(stack, start, stop)
        return
    dtype = np.dtype(stack.dtype)
    image = np.empty(stack.shape[1:], dtype)
    image_bytes = image.reshape(-1).view(np.uint8)
    with open(stack.path, "rb") as file:
        for index in range(start, stop):
            try:
                file.seek(stack.offset + index * image.nbytes)
                count = file.readinto(image_bytes)
            except OSError as error:
                yield index, error
                continue
            if count == image.nbytes:
                yield index, image.astype(dtype.newbyteorder("="), copy=False)
            else:
                yield index, _cut_off()


def _cut_off() -> InputError:
    return InputError("the file ends before it does")


def _read_fortran(
    stack: Stack,
    start: int,
    stop: int,
) -> Iterator[tuple[int, np.ndarray | Exception]]:
    """Read all images at once: their values are interleaved in the file."""
    dtype = np.dtype(stack.dtype)
    whole_bytes = stack.offset + math.prod(stack.shape) * dtype.itemsize
    with open(stack.path, "rb") as file:
        if os.fstat(file.fileno()).st_size < whole_bytes:
            for index in range(start, stop):
                yield index, _cut_off()
            return
        mapped = np.memmap(file, dtype, "r", stack.offset, stack.shape, order="F")
        images = np.ascontiguousarray(mapped[start:stop], dtype.newbyteorder("="))
        yield from enumerate(images, start)


def _read_zarr(
    stack: Stack,
    start: int,
    stop: int,
) -> Iterator[tuple[int, np.ndarray | Exception]]:
    """Read the images chunk by chunk; of a chunk that fails, image by image."""
    array = stores.open_array(stack.path)
    step = array.chunks[0]
    next_chunk = (start // step + 1) * step
    edges = [start, *range(next_chunk, stop, step), stop]
    for low, high in itertools.pairwise(edges):
        try:
            stores.check_chunks(array, stack.path, low, high)
            block = array[low:high]
        except Exception:  # one of the images; find out which
            yield from _read_one_by_one(array, stack.path, low, high)
            continue
        for index, image in enumerate(block, low):
            yield index, _in_native_order(image)


def _read_one_by_one(
    array,
    path: str,
    start: int,
    stop: int,
) -> Iterator[tuple[int, np.ndarray | Exception]]:
    for index in range(start, stop):
        try:
            stores.check_chunks(array, path, index, index + 1)
            image = _in_native_order(array[index])
        except Exception as error:
            image = error
        yield index, image


def _in_native_order(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(image, image.dtype.newbyteorder("="))
