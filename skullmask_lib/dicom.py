"""A folder of DICOM files read as one volume in its place. Of their tags geometry and scaling alone are used."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from . import nifti
from .masks import InputError, extra

_GEOMETRY = {"ImagePositionPatient": 3, "ImageOrientationPatient": (2, 3), "PixelSpacing": 2}
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # DICOM's axes run to the left, posterior and superior
_OFF_MM = 0.1  # how far a slice may lie off its place in an even stack
_SHEAR = 0.01  # of the stack's length: how far its slices may drift sideways


def files_in(folder: str | os.PathLike) -> list[Path]:
    """List the DICOM files of a folder by what they hold: their names need no suffix.

    Parameters
    ----------
    folder : str or path

    Returns
    -------
    list of Path
        Sorted by name; without the DICOMDIR, which is an index.

    Examples
    --------
    >>> files_in(Path(__file__).parent)
    []
    """
    return sorted(file for file in Path(folder).iterdir() if is_dicom(file) and file.name.upper() != "DICOMDIR")


def is_dicom(file: Path) -> bool:
    """Tell whether a file has DICM at byte 128.

    Parameters
    ----------
    file : Path

    Returns
    -------
    bool

    Examples
    --------
    >>> is_dicom(Path(__file__)), is_dicom(Path("missing"))
    (False, False)
    """
    if not file.is_file():
        return False
    with open(file, "rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def read_series(folder: str | os.PathLike) -> nib.Nifti1Image:
    """Read the one DICOM series of a folder; the order of its files follows from where their slices lie.

    Parameters
    ----------
    folder : str or path
        Files of one slice each, without subfolders.

    Returns
    -------
    Nifti1Image
        float32 of shape (columns, rows, slices), slope and intercept of every slice applied; the affine leads to
        RAS+ in millimetres. Nothing else of the tags is in it.

    Raises
    ------
    InputError
        If pydicom is missing, a file cannot be used, or the slices are not one even stack.

    References
    ----------
    DICOM PS3.3, C.7.6.2.1.1: the pixel's place in the patient.

    Examples
    --------
    >>> read_series(Path(__file__).parent)
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: ...: no DICOM file in this folder
    """
    files = files_in(folder)
    if not files:
        raise InputError(f"{folder}: no DICOM file in this folder")
    dcmread = extra("pydicom", "DICOM", "volumes").dcmread
    series, frames, places_mm, thick_mm = zip(*(_geometry(file, dcmread) for file in files), strict=True)
    if len(counts := Counter(series)) > 1:
        told = " and ".join(map(str, counts.values()))
        raise InputError(f"{folder}: holds {len(counts)} series, of {told} files; give each a folder of its own")
    for file, frame in zip(files, frames, strict=True):
        if not np.allclose(frame, frames[0], rtol=1e-4, atol=1e-3):
            told = f"the size, pixel spacing and orientation of {files[0].name}"
            raise InputError(f"{file}: expected {told}, got others; is it a localizer?")
    spacing_mm, axes = frames[0][2:4], frames[0][4:].reshape(2, 3)
    normal = np.cross(*axes)
    order = np.argsort(places_mm @ normal)
    files, places_mm = [files[k] for k in order], np.array(places_mm)[order]
    step_mm = _step_mm(files, places_mm, normal) if len(files) > 1 else normal * thick_mm[0]
    steps_mm = np.column_stack([*axes * spacing_mm[::-1, None], step_mm])  # from column to column, row to row, …
    volume = np.stack([_pixels(file, dcmread) for file in files])
    image = nib.Nifti1Image(volume.transpose(2, 1, 0), _TO_RAS @ nib.affines.from_matvec(steps_mm, places_mm[0]))
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    image.header.set_xyzt_units("mm")
    return image


def _geometry(file: Path, dcmread: Callable) -> tuple[str, np.ndarray, np.ndarray, float]:
    """Read a slice's series, frame (size, spacing and axes), place and thickness; or say why it is none."""
    with nifti.reading(file, "DICOM"):
        tags = dcmread(file, stop_before_pixels=True)
        if (frames := int(tags.get("NumberOfFrames") or 1)) > 1:
            raise InputError(f"{file}: expected one slice in a file, got {frames} frames; convert it to NIfTI first")
        grey = str(tags.get("PhotometricInterpretation", "MONOCHROME2")).startswith("MONOCHROME")
        if not grey or tags.get("SamplesPerPixel", 1) != 1:
            raise InputError(f"{file}: expected grey levels, got a colour picture")
        if lacking := ", ".join(name for name in _GEOMETRY if tags.get(name) in (None, "", [])):
            raise InputError(f"{file}: a secondary capture or a report, no slice ({lacking} missing); take it out")
        values = (np.array(tags[name].value, float).reshape(shape) for name, shape in _GEOMETRY.items())
        place_mm, axes, spacing_mm = values
        right = np.allclose(axes @ axes.T, np.eye(2), atol=1e-3) and (spacing_mm > 0).all()
        if not right or not np.isfinite([*place_mm, *spacing_mm]).all():
            raise InputError(f"{file}: expected a position, two perpendicular unit vectors and a spacing above 0 mm")
        thick_mm = abs(float(tags.get("SpacingBetweenSlices") or tags.get("SliceThickness") or 1))
        frame = np.array([tags.Rows, tags.Columns, *spacing_mm, *axes.ravel()], float)
        return str(tags.get("SeriesInstanceUID")), frame, place_mm, thick_mm


def _step_mm(files: list[Path], places_mm: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Give the way from one slice of a stack to the next, if it is the same for all."""
    gaps_mm = np.diff(places_mm @ normal)
    if gaps_mm.min() <= 0.01 * gaps_mm.max():
        one, other = (files[gaps_mm.argmin() + k] for k in (0, 1))
        raise InputError(f"{one}: lies where {other.name} lies; give every echo or time a folder of its own")
    if np.abs(places_mm - np.linspace(places_mm[0], places_mm[-1], len(files))).max() > _OFF_MM:
        told = f"{gaps_mm.min():.4g} to {gaps_mm.max():.4g} mm"
        raise InputError(f"{files[0].parent}: expected slices at even distances, got {told}; is one missing?")
    step_mm = (places_mm[-1] - places_mm[0]) / gaps_mm.size
    if np.linalg.norm(np.cross(step_mm, normal)) > _SHEAR * np.linalg.norm(step_mm):
        raise InputError(f"{files[0].parent}: expected each slice straight above the last, got a tilted gantry")
    return step_mm


def _pixels(file: Path, dcmread: Callable) -> np.ndarray:
    with nifti.reading(file, "DICOM"):
        tags = dcmread(file)
        try:
            pixels = tags.pixel_array
        except (RuntimeError, NotImplementedError):  # no decoder
            how = tags.file_meta.TransferSyntaxUID.name
            raise InputError(f"{file}: compressed as {how}, which nothing here decodes; decompress it first") from None
        slope, intercept = tags.get("RescaleSlope"), tags.get("RescaleIntercept")
        return (pixels * float(1 if slope is None else slope) + float(intercept or 0)).astype(np.float32)
