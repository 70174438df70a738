"""Masks of slices, written as .npy, NIfTI, PNG or a folder of PNG, whichever suits their images.

For each file of a batch `batches.writing` calls this module; it writes the arrays of a batch
itself. Masks of volumes are written in `volumes.scans`. The `Origin` of the images says all about
their source, which is not opened again. To add a format for masks, extend `_writer`.
"""

import math
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import InputError
from . import nifti, outputs, paths, pictures, planes, registry, sources
from .data import Data, Origin
from .paths import AnyPath

_Writer = Callable[[Iterable[np.ndarray], Path, Origin, tuple[int, ...]], None]
_WHITE = np.uint8(255)


def write_masks(
    masks: Iterable[np.ndarray],
    output: AnyPath,
    data: Data,
    *,
    keep: Iterable[AnyPath] = (),
) -> None:
    """Write masks in the format of their images; the output appears whole or not at all.

    Masks of pictures are turned as the orientation tag of the picture says, as `load` turns the
    images, and bear no tag themselves.

    Parameters
    ----------
    masks : iterable of ndarray of shape (H, W), uint8 of {0, 1}
        Consumed one at a time.
    output : str or path
        For any source ``.npy``, with the shape of the images; a phantom, a head, a data set or a
        selection of slices has no other choice. For NIfTI and DICOM ``.nii`` or ``.nii.gz``, with
        the geometry of the source and no text of its header. For one picture ``.png`` with 0 and
        255, and for a folder of pictures a folder of such files.
    data : Data
        The images, as `load` returns them. Their source is not opened again.
    keep : iterable of str or path
        Further files that must not be overwritten, such as the truth.

    Raises
    ------
    InputError
        If the images were not loaded, or the output cannot be written there; nothing is left
        behind.

    Examples
    --------
    >>> import tempfile
    >>> from skullmask_lib.io import datasets
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image, output = f"{folder}/image.npy", f"{folder}/mask.npy"
    ...     np.save(image, np.eye(3))
    ...     data = datasets.load(image)
    ...     write_masks(np.uint8(data.images > 0), output, data)
    ...     np.load(output).shape
    (3, 3)
    """
    output = Path(paths.local(output))
    origin = data.origin
    if origin is None:
        hint = "save them with np.save"
        raise InputError(f"expected the masks of loaded images, got others; {hint}", where=output)
    write = _writer(output, origin)
    _check_fits(write, output, origin, data.images.shape)
    inputs = map(paths.local, [origin.source, *keep])
    with outputs.replacing(output, *inputs) as temporary:
        write(masks, temporary, origin, data.images.shape)


def write_straight(
    masks: np.ndarray,
    output: Path,
    origin: Origin,
) -> None:
    """Write all masks of a source as `write_masks` does, but straight to their file.

    Parameters
    ----------
    masks : ndarray of shape (N, H, W), uint8 of {0, 1}
    output : Path
        May be left half-written: for callers that replace files themselves.
    origin : Origin
        Of the images.

    Raises
    ------
    InputError
        If masks cannot be written in this format.

    Examples
    --------
    >>> write_straight(np.ones((5, 9, 9), np.uint8), Path("m.png"), Origin("phantom", "name"))
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: m.png: the masks of phantom cannot be written as .png; use .npy
    """
    write = _writer(output, origin)
    write(masks, output, origin, masks.shape)


def masks_name(origin: Origin) -> str:
    """Name the file that holds masks in the format of their images.

    Parameters
    ----------
    origin : Origin
        Of the images.

    Returns
    -------
    str
        ``masks.nii.gz``, ``masks.png``, ``masks`` for a folder of pictures, and ``masks.npy`` for
        all else.

    Examples
    --------
    >>> masks_name(Origin("phantom", "name")), masks_name(Origin("head.nii", ".nii"))
    ('masks.npy', 'masks.nii')
    """
    source_format = origin.format
    if source_format == "folder":
        return "masks"
    if source_format == "series" or source_format in nifti.PAIRS:
        return "masks.nii.gz"
    if source_format in nifti.SUFFIXES or source_format == ".png":
        return f"masks{source_format}"
    if source_format in pictures.SUFFIXES and origin.is_single:
        return "masks.png"
    return "masks.npy"


def _writer(output: Path, origin: Origin) -> _Writer:
    """Choose what writes masks in the format that the name of the output asks for."""
    if origin.format == "folder" and output.suffix.lower() not in sources.SUFFIXES:
        return _write_folder
    suffix = sources.suffix_of(output)
    if suffix == ".npy":
        return _write_npy
    if suffix == ".png" and origin.format in pictures.SUFFIXES:
        return _write_png
    if suffix in nifti.SUFFIXES and origin.geometry is not None:
        return _write_nifti
    problem = f"the masks of {origin.source} cannot be written as {suffix}"
    hint = f"use {_other_format(output, suffix, origin)}"
    raise InputError(f"{problem}; {hint}", where=output)


def _other_format(output: Path, suffix: str, origin: Origin) -> str:
    """Name the format to write masks in where one was asked for that will not do."""
    if suffix in pictures.SUFFIXES and origin.format in pictures.SUFFIXES:
        return f"PNG, which keeps them as they are: {output.with_suffix('.png').name}"
    if suffix.startswith(".nii") and origin.source in registry.names():
        return f".npy, or mask the whole volume, {registry.path(str(origin.source))}"
    return ".npy"


def _check_fits(
    writer: _Writer,
    output: Path,
    origin: Origin,
    shape: tuple[int, int, int],
) -> None:
    """Refuse several masks in one PNG, and a volume or folder of which slices are missing."""
    count = shape[0]
    if writer is _write_png and count > 1:
        hint = "do not fit in one PNG; use .npy"
        raise InputError(f"the {count} masks of {origin.source} {hint}", where=output)
    is_whole = True
    if writer is _write_folder:
        is_whole = count == len(origin.files)
    if writer is _write_nifti:
        is_whole = math.prod(shape) == math.prod(origin.geometry.get_data_shape())
    if not is_whole:
        raise InputError("the masks of some slices alone go into a .npy", where=output)


def _write_npy(
    masks: Iterable[np.ndarray],
    output: Path,
    origin: Origin,
    shape: tuple[int, ...],
) -> None:
    """Write slice by slice: a full disk is an error here, and a crash with a memory map."""
    header = {
        "descr": "|u1",
        "fortran_order": False,
        "shape": shape[1:] if origin.is_single else shape,
    }
    with open(output, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for mask in masks:
            file.write(np.ascontiguousarray(mask))


def _write_png(
    masks: Iterable[np.ndarray],
    output: Path,
    _origin: Origin,
    _shape: tuple[int, ...],
) -> None:
    for mask in masks:
        Image.fromarray(mask * _WHITE).save(output, format="PNG")


def _write_folder(
    masks: Iterable[np.ndarray],
    output: Path,
    origin: Origin,
    _shape: tuple[int, ...],
) -> None:
    stems = [Path(name).stem for name in origin.files]
    paths.check_distinct(stems, origin.files, origin.source)
    output.mkdir()
    for stem, mask in zip(stems, masks, strict=True):
        Image.fromarray(mask * _WHITE).save(output / f"{stem}.png")


def _write_nifti(
    masks: Iterable[np.ndarray],
    output: Path,
    origin: Origin,
    _shape: tuple[int, ...],
) -> None:
    like = nifti.empty(origin.geometry)
    volume = planes.to_volume(np.stack(list(masks)), origin.axis)
    volume = nifti.from_ras(volume, like.affine)
    nifti.write(volume, output, like, shown=(0, 1))
