"""NIfTI volumes in and out: read once and checked, written with the header of the file that they belong to."""

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from .masks import InputError, InputWarning

SUFFIXES = (".nii", ".nii.gz")
_MILLIMETRES = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}  # NIfTI's units of length
_QUATERNION = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
_GEOMETRY = ("pixdim", "xyzt_units", "qform_code", "sform_code", *_QUATERNION, "srow_x", "srow_y", "srow_z")


def read(path: str | os.PathLike, dtype: type | None = np.float32) -> tuple[np.ndarray, nib.Nifti1Image]:
    """Read one volume, in the file's own order of axes.

    Parameters
    ----------
    path : str or path
    dtype : type or None
        Float type of the values; None is the file's own type, float64 where it has a slope.

    Returns
    -------
    array : ndarray of shape (X, Y, Z)
        Slope and intercept applied; axes of length 1 behind the third are dropped.
    image : Nifti1Image
        The file as it is, for `write`.

    Raises
    ------
    InputError
        If the file is damaged, or not one volume of finite voxel size.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nib.save(nib.Nifti1Image(np.ones((2, 3, 4, 1), np.int16), np.eye(4)), f"{folder}/a.nii.gz")
    ...     read(f"{folder}/a.nii.gz")[0].shape
    (2, 3, 4)
    """
    path = Path(path)
    with reading(path, ".nii.gz" if path.suffix.lower() == ".gz" else ".nii"):
        image = nib.load(path)
        if image.get_data_dtype().kind not in "buif":
            raise InputError(f"{path}: expected real numbers, got dtype {image.get_data_dtype()}")
        shape = image.shape
        if len(shape) < 3 or 0 in shape or any(n > 1 for n in shape[3:]):
            raise InputError(f"{path}: expected one volume (X, Y, Z), got shape {shape}")
        sizes_mm = nib.affines.voxel_sizes(affine_mm(image, path))
        if not (np.isfinite(sizes_mm) & (sizes_mm > 0)).all():
            raise InputError(f"{path}: expected a voxel size above 0 mm, got {sizes_mm}")
        values = image.get_fdata(dtype=dtype, caching="unchanged") if dtype else np.asanyarray(image.dataobj)
        return values.reshape(shape[:3]), image


def affine_mm(image: nib.Nifti1Image, path: str | os.PathLike) -> np.ndarray:
    """Give the affine of an image in millimetres, whatever its header's unit.

    Parameters
    ----------
    image : Nifti1Image
    path : str or path
        Its file, for the message.

    Returns
    -------
    ndarray of shape (4, 4), float64

    Raises
    ------
    InputError
        If the unit is none of length.

    Examples
    --------
    >>> image = nib.Nifti1Image(np.zeros((2, 2, 2)), np.diag([0.001, 0.001, 0.002, 1]))
    >>> image.header.set_xyzt_units("meter")
    >>> affine_mm(image, "a.nii").diagonal()
    array([1., 1., 2., 1.])
    """
    unit = image.header.get_xyzt_units()[0]
    if unit not in _MILLIMETRES:
        raise InputError(f"{path}: expected a header in metres, millimetres or micrometres, got {unit}")
    return np.diag([*[_MILLIMETRES[unit]] * 3, 1.0]) @ image.affine


@contextlib.contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a reader raises of a damaged file into one line that names it.

    Parameters
    ----------
    path : Path
    kind : str
        What the file should be.

    Raises
    ------
    InputError

    Examples
    --------
    >>> with reading(Path("a.png"), ".png"):
    ...     raise EOFError("no more data in a.png")
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: a.png: not a readable .png file (no more data in it)
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # the readers' remarks: what matters is checked here
            warnings.simplefilter("always", InputWarning)
            yield
    except InputError:
        raise
    except Exception as error:  # the readers raise whatever they like where a file is damaged
        reason = re.sub(r"\s+", " ", str(error)) or type(error).__name__
        raise InputError(f"{path}: not a readable {kind} file ({reason.replace(str(path), 'it')})") from None


def to_ras(array: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Turn a volume so that its axes run closest to right, anterior and superior.

    Parameters
    ----------
    array : ndarray of shape (X, Y, Z)
    affine : ndarray of shape (4, 4)
        Voxel to world.

    Returns
    -------
    array : ndarray
        A view.
    affine : ndarray of shape (4, 4)
        Moved along.

    Examples
    --------
    >>> array, affine = to_ras(np.arange(3).reshape(3, 1, 1), np.diag([-1, 1, 1, 1]))
    >>> array.ravel(), affine[0]
    (array([2, 1, 0]), array([ 1.,  0.,  0., -2.]))
    """
    axes = nib.io_orientation(affine)
    turned = nib.orientations.apply_orientation(array, axes)
    return turned, affine @ nib.orientations.inv_ornt_aff(axes, array.shape)


def from_ras(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Turn a volume back into the order of axes that an affine tells: undoes `to_ras`.

    Parameters
    ----------
    array : ndarray of shape (R, A, S)
    affine : ndarray of shape (4, 4)
        Of the volume as it was.

    Returns
    -------
    ndarray
        A view.

    Examples
    --------
    >>> affine = np.array([[0, 0, -2, 0], [1, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 1]])
    >>> volume = np.arange(24).reshape(2, 3, 4)
    >>> np.array_equal(from_ras(to_ras(volume, affine)[0], affine), volume)
    True
    """
    back = nib.orientations.ornt_transform([[0, 1], [1, 1], [2, 1]], nib.io_orientation(affine))
    return nib.orientations.apply_orientation(array, back)


def stored(image: nib.Nifti1Image) -> tuple[np.ndarray, tuple[float, float]]:
    """Give the numbers as a file holds them, and the slope and intercept that turn them into values.

    Parameters
    ----------
    image : Nifti1Image
        As `read` gives it.

    Returns
    -------
    array : ndarray of shape (X, Y, Z)
        In the dtype of the file.
    scaling : pair of float

    Examples
    --------
    >>> stored(nib.Nifti1Image(np.ones((2, 3, 4, 1), np.int16), np.eye(4)))[1]
    (1.0, 0.0)
    """
    data = image.dataobj
    if not nib.is_proxy(data):
        return np.reshape(data, image.shape[:3]), (1.0, 0.0)
    return data.get_unscaled().reshape(image.shape[:3]), (float(data.slope), float(data.inter))


def write(
    array: np.ndarray,
    output: Path,
    like: nib.Nifti1Image,
    *,
    scaling: tuple[float, float] = (1.0, 0.0),
    shown: tuple[float, float] = (0.0, 0.0),
    nameless: bool = False,
) -> None:
    """Write a volume with the affine, the header and the shape of another.

    Parameters
    ----------
    array : ndarray of shape (X, Y, Z)
        Stored as it is, in its own dtype and the byte order of ``like``.
    output : Path
        ``.nii`` or ``.nii.gz``.
    like : Nifti1Image
    scaling : pair of float
        Slope and intercept that a reader shall apply.
    shown : pair of float
        What a viewer shall draw black and white; (0, 0) leaves that to the viewer.
    nameless : bool
        Leave out what the header says beside the geometry: it may tell whose head it is.

    Examples
    --------
    >>> import tempfile
    >>> like = nib.Nifti1Image(np.zeros((2, 2, 2, 1), np.int16), np.diag([1, 2, 3, 1]))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(np.ones((2, 2, 2), np.uint8), Path(folder, "mask.nii"), like)
    ...     written = nib.load(f"{folder}/mask.nii")
    >>> written.shape, written.get_data_dtype().name, written.header.get_zooms()[:3] == (1, 2, 3)
    ((2, 2, 2, 1), 'uint8', True)
    """
    header = like.header.copy()
    if nameless:  # a new one: any text, and many a number, may say whose head it is
        header = type(header)(endianness=header.endianness)
        for field in _GEOMETRY:
            header[field] = like.header[field]
    header.set_data_dtype(array.dtype)
    header["cal_min"], header["cal_max"] = shown
    image = type(like)(array.reshape(like.shape), like.affine, header)
    image.header.set_slope_inter(*scaling)  # a new image forgets that of its header
    nib.save(image, output)
