"""Scans on disk: find one, read it as a volume, check it, and write a result beside it.

The masks of volumes are written here, but none is computed.
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np

from .. import phantom
from ..errors import InputError, check_unmasked, check_values
from ..io import dicom, nifti, outputs, paths

ScanPath = str | os.PathLike[str]


class Volume(NamedTuple):
    """A volume in RAS order.

    Attributes
    ----------
    array : ndarray of shape (X, Y, Z), float32
    affine : ndarray of shape (4, 4), float64
        Voxel indices to world coordinates [mm].
    brain : ndarray of shape (X, Y, Z), uint8 of {0, 1}, or None
        The true brain, where it is known.
    name : str
        Name of the file or folder.
    """

    array: np.ndarray
    affine: np.ndarray
    brain: np.ndarray | None
    name: str


def load(source: ScanPath) -> Volume:
    """Load a volume and turn it to RAS order.

    Parameters
    ----------
    source : str or path
        ``"phantom"``, or any scan that `read` accepts.

    Returns
    -------
    Volume

    Raises
    ------
    FileNotFoundError
        If the file or folder does not exist.
    InputError
        If it cannot be read as one volume.

    Examples
    --------
    >>> load("phantom").array.shape
    (92, 112, 92)
    """
    if source == "phantom":
        array, labels, affine = phantom.render_volume()
        return Volume(array, affine, phantom.brain_mask(labels), "phantom")
    array, image = read(source)
    array, affine = nifti.to_ras(array, nifti.affine_mm(image, source))
    return Volume(array, affine, None, Path(source).name)


def read(source: ScanPath, dtype: type | None = np.float32) -> tuple[np.ndarray, nib.Nifti1Image]:
    """Read a NIfTI file or the folder of a DICOM series.

    See `nifti.read` and `dicom.read_series` for what they accept.

    Parameters
    ----------
    source : str or path
        The file or folder.
    dtype : type or None
        Float type of the values; None keeps the file's own type. DICOM values are always float32.

    Returns
    -------
    array : ndarray of shape (X, Y, Z)
        The values, in the order of the file.
    image : Nifti1Image or Nifti2Image
        The image with its header and affine.

    Raises
    ------
    FileNotFoundError
        If the file or folder does not exist.
    InputError
        If it cannot be read as one volume.

    Examples
    --------
    >>> read("missing.nii.gz")
    Traceback (most recent call last):
    ...
    FileNotFoundError: missing.nii.gz: no such file
    """
    if existing(source).is_dir():
        image = dicom.read_series(source)
        return image.get_fdata(dtype=np.float32), image
    _, suffix = nifti.split_name(source)
    if not suffix:
        endings = ", ".join(nifti.READABLE[:4])
        wanted = f"a file that ends in {endings}, or the folder of a DICOM series"
        raise InputError(f"expected {wanted}", where=source)
    return nifti.read(source, dtype)


def existing(path: ScanPath) -> Path:
    """Return a path if a file or folder exists there.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If nothing exists there.
    InputError
        If it is a pipe, a socket, a device or a broken link.

    Examples
    --------
    >>> existing("missing.nii.gz")
    Traceback (most recent call last):
    ...
    FileNotFoundError: missing.nii.gz: no such file
    """
    path = Path(path)
    if not paths.kind_of(path):
        raise FileNotFoundError(f"{path}: no such file")
    return path


def output_suffix(scan: ScanPath) -> str:
    """Return the suffix of files written for a scan: its own, or ``.nii.gz`` for pairs and DICOM.

    Parameters
    ----------
    scan : str or path

    Returns
    -------
    str

    Examples
    --------
    >>> output_suffix("head.nii"), output_suffix("head.hdr")
    ('.nii', '.nii.gz')
    """
    _, suffix = nifti.split_name(scan)
    if suffix in nifti.SUFFIXES:
        return suffix
    return ".nii.gz"


def write(
    array: np.ndarray,
    output: Path,
    like: nib.Nifti1Image,
    source: ScanPath,
    **options: Any,
) -> None:
    """Write a volume with the geometry of its scan, and make the folder for it.

    Parameters
    ----------
    array : ndarray of shape (X, Y, Z)
    output : Path
        The file to write; an earlier one is replaced.
    like : Nifti1Image
        The scan's image, which lends its shape, affine and header.
    source : str or path
        The scan's file, which is never overwritten.
    **options
        Passed on to `nifti.write`.

    Raises
    ------
    InputError
        If the file cannot be written, or is the scan itself.

    Examples
    --------
    >>> image = nib.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    >>> mask_file = Path(__file__, "mask.nii")
    >>> write(np.zeros((2, 2, 2)), mask_file, image, "scan.nii")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: ...: cannot be made a folder (...)
    """
    outputs.make_folder(output.parent)
    with outputs.replacing(output, source) as temporary:
        nifti.write(array, temporary, like, **options)


def check_volume(volume: np.ndarray) -> np.ndarray:
    """Return ``volume`` if it is three-dimensional and its values are real, finite and differ.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), bool, integer or float

    Returns
    -------
    ndarray of shape (X, Y, Z)
        The same array.

    Raises
    ------
    InputError
        If it is anything else.

    Examples
    --------
    >>> check_volume(np.ones((4, 4)))
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected a volume (X, Y, Z), got shape (4, 4)
    """
    volume = np.asarray(check_unmasked(volume))
    if volume.ndim != 3 or not volume.size:
        raise InputError(f"expected a volume (X, Y, Z), got shape {volume.shape}")
    check_values(volume)
    low = float(volume.min())
    high = float(volume.max())
    if low == high:
        raise InputError(f"expected values that differ, every voxel is {low:g}")
    return volume
