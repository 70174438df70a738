"""Masks written beside their images, in the same format; every mask file is made here.

To add a format for masks, extend `masks_writer`.
"""

import warnings
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

from ..errors import InputError
from . import arrays, cohorts, dicom, nifti, outputs, paths, pictures, planes, registry, sources
from .paths import AnyPath

Writer = Callable[[Iterable[np.ndarray], Path, AnyPath, tuple[int, ...]], None]
_WHITE = np.uint8(255)


def write_masks(
    masks: Iterable[np.ndarray],
    output: AnyPath,
    *,
    like: AnyPath,
    shape: tuple[int, int, int],
    keep: Iterable[AnyPath] = (),
    axis: int = 2,
) -> None:
    """Write masks in the format of their images; the output appears whole or not at all.

    Masks of pictures are turned as the orientation tag of the picture says, as `load` turns the
    images, and bear no tag themselves.

    Parameters
    ----------
    masks : iterable of ndarray of shape (H, W), uint8 of {0, 1}
        Consumed one at a time.
    output : str or path
        For any source ``.npy``, with the shape of the source; a phantom, a head or a data set has
        no other choice. For NIfTI and DICOM ``.nii`` or ``.nii.gz``, with the geometry of the
        source and no text of its header. For one picture ``.png`` with 0 and 255, and for a folder
        of pictures a folder of such files.
    like : str or path
        The source of the images.
    shape : (N, H, W)
        Shape of the images.
    keep : iterable of str or path
        Further files that must not be overwritten, such as the truth.
    axis : {0, 1, 2}
        Axis across which `load` cut the volume.

    Raises
    ------
    InputError
        If the output cannot be written there; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> mask = np.eye(3, dtype=np.uint8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image, output = f"{folder}/image.npy", f"{folder}/mask.npy"
    ...     np.save(image, np.eye(3))
    ...     write_masks([mask], output, like=image, shape=(1, 3, 3))
    ...     np.load(output).shape
    (3, 3)
    """
    output = Path(paths.local(output))
    like = paths.local(like)
    writer = masks_writer(output, like)
    if writer is _write_png and shape[0] > 1:
        hint = "do not fit in one PNG; use .npy"
        raise InputError(f"the {shape[0]} masks of {like} {hint}", where=output)
    if writer is _write_nifti:
        writer = partial(writer, axis=axis)
    inputs = [like, *map(paths.local, keep)]
    with outputs.replacing(output, *inputs) as temporary:
        writer(masks, temporary, like, shape)


def masks_name(like: AnyPath) -> str:
    """Name the file that holds masks in the format of their images.

    Parameters
    ----------
    like : str or path
        The source of the images.

    Returns
    -------
    str
        ``masks.nii.gz``, ``masks.png``, ``masks`` for a folder of pictures, and ``masks.npy`` for
        all else.

    Examples
    --------
    >>> masks_name("phantom")
    'masks.npy'
    """
    source = sources.format_of(like)
    if source == "folder":
        return "masks"
    if source == "series" or source in nifti.PAIRS:
        return "masks.nii.gz"
    if source in nifti.SUFFIXES or source == ".png":
        return f"masks{source}"
    if source in pictures.SUFFIXES and _ndim(like) == 2:
        return "masks.png"
    return "masks.npy"


def masks_writer(output: Path, like: AnyPath) -> Writer:
    """Choose what `write_masks` writes with; by itself it writes straight to the file.

    Parameters
    ----------
    output : Path
    like : str or path
        See `write_masks`.

    Returns
    -------
    callable
        Takes the masks, the output, ``like`` and the shape of the images.

    Raises
    ------
    InputError
        If the masks cannot be written in this format.

    Examples
    --------
    >>> masks_writer(Path("masks.png"), "phantom")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: masks.png: the masks of phantom cannot be written as .png; ...
    """
    source = sources.format_of(like)
    if source == "folder" and output.suffix.lower() not in sources.SUFFIXES:
        return _write_folder
    suffix = sources.suffix_of(output)
    if suffix == ".npy":
        return _write_npy
    if suffix == ".png" and source in pictures.SUFFIXES:
        return _write_png
    if suffix in nifti.SUFFIXES and source in ("series", *nifti.READABLE):
        return _write_nifti
    hint = _other_format(output, suffix, like, source)
    raise InputError(f"the masks of {like} cannot be written as {suffix}; use {hint}", where=output)


def _other_format(output: Path, suffix: str, like: AnyPath, source: str) -> str:
    """Name the format to write masks in where one was asked for that will not do."""
    if suffix in pictures.SUFFIXES and source in pictures.SUFFIXES:
        return f"PNG, which keeps them as they are: {output.with_suffix('.png').name}"
    if suffix.startswith(".nii") and str(like) in registry.names():
        return f".npy, or mask the whole volume, {registry.path(str(like))}"
    return ".npy"


def _write_npy(
    masks: Iterable[np.ndarray],
    output: Path,
    like: AnyPath,
    shape: tuple[int, int, int],
) -> None:
    """Write slice by slice: a full disk is an error here, and a crash with a memory map."""
    header = {
        "descr": "|u1",
        "fortran_order": False,
        "shape": shape[1:] if _ndim(like) == 2 else shape,
    }
    with open(output, "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for mask in masks:
            file.write(np.ascontiguousarray(mask))


def _ndim(source: AnyPath) -> int:
    """Count the axes of the slices in a source, without a channel axis."""
    source_format = sources.format_of(source)
    _, path = cohorts.prefixed(source)
    if source_format in pictures.SUFFIXES:
        return 2 if pictures.count_pages(path) == 1 else 3
    if source_format == ".npz":
        shape = arrays.npz_shape(path, "images")
    elif source_format == ".npy":
        with warnings.catch_warnings(action="ignore"):  # `load` gave them
            shape = arrays.mapped(path).shape
    else:
        return 3
    return len(shape) - arrays.is_colour(shape)


def _write_png(
    masks: Iterable[np.ndarray],
    output: Path,
    _like: AnyPath,
    _shape: tuple[int, int, int],
) -> None:
    for mask in masks:
        Image.fromarray(mask * _WHITE).save(output, format="PNG")


def _write_folder(
    masks: Iterable[np.ndarray],
    output: Path,
    like: AnyPath,
    _shape: tuple[int, int, int],
) -> None:
    files = sources.pictures_in(Path(like))
    stems = [file.stem for file in files]
    names = [file.name for file in files]
    paths.check_distinct(stems, names, like)
    output.mkdir()
    for stem, mask in zip(stems, masks, strict=True):
        Image.fromarray(mask * _WHITE).save(output / f"{stem}.png")


def _write_nifti(
    masks: Iterable[np.ndarray],
    output: Path,
    like: AnyPath,
    _shape: tuple[int, int, int],
    axis: int = 2,
) -> None:
    source = _header_of(like)
    volume = planes.to_volume(np.stack(list(masks)), axis)
    volume = nifti.from_ras(volume, source.affine)
    nifti.write(volume, output, source, shown=(0, 1))


def _header_of(like: AnyPath) -> nib.Nifti1Image:
    """Read the geometry that masks are written with."""
    if sources.format_of(like) != "series":
        return nifti.read_header(like)
    with warnings.catch_warnings(action="ignore"):  # `load` gave them
        return dicom.read_series(like)
