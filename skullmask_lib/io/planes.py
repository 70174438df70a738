"""Volumes cut into slices and put together again, and where a volume lies in the world.

Slices are cut here, and the affines of two volumes are compared. Whole sources are read in
`reading`.
"""

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np

from .. import errors
from ..errors import InputError
from . import nifti
from .data import Data, Origin, numbered
from .paths import AnyPath


def to_slices(volume: np.ndarray, axis: int) -> np.ndarray:
    """Cut a volume into slices whose rows run downwards from anterior or superior.

    Parameters
    ----------
    volume : ndarray of shape (R, A, S)
        In RAS order.
    axis : {0, 1, 2}
        Axis along which the slices follow one another.

    Returns
    -------
    ndarray of shape (N, H, W)
        A view.

    Examples
    --------
    >>> to_slices(np.arange(4).reshape(2, 2, 1), 2)[0]
    array([[1, 3],
           [0, 2]])
    """
    slices = np.moveaxis(volume, axis, 0)
    return slices.swapaxes(1, 2)[:, ::-1]


def to_volume(slices: np.ndarray, axis: int) -> np.ndarray:
    """Put slices together to the volume that `to_slices` cut.

    Parameters
    ----------
    slices : ndarray of shape (N, H, W)
    axis : {0, 1, 2}

    Returns
    -------
    ndarray of shape (R, A, S)
        A view.

    Examples
    --------
    >>> volume = np.arange(24).reshape(2, 3, 4)
    >>> np.array_equal(to_volume(to_slices(volume, 0), 0), volume)
    True
    """
    upright = slices[:, ::-1].swapaxes(1, 2)
    return np.moveaxis(upright, 0, axis)


def ras_affine_mm(geometry: nib.Nifti1Header, source: AnyPath) -> np.ndarray:
    """Find the affine of a volume that was turned to RAS order.

    Parameters
    ----------
    geometry : Nifti1Header or Nifti2Header
        As `Origin` keeps it.
    source : str or path
        For the message, if the unit of the header is none of length.

    Returns
    -------
    ndarray of shape (4, 4), float64
        Voxels of what `to_volume` puts together to world [mm].

    Examples
    --------
    >>> image = nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.diag([-1, 2, 3, 1]))
    >>> ras_affine_mm(nifti.geometry(image), "a.nii").diagonal()
    array([1., 2., 3., 1.])
    """
    like = nifti.empty(geometry)
    voxels = np.broadcast_to(np.uint8(0), like.shape)
    _, affine = nifti.to_ras(voxels, nifti.affine_mm(like, source))
    return affine


def read(path: Path, axis: int) -> tuple[Data, np.ndarray]:
    """Read the slices of a NIfTI file.

    Parameters
    ----------
    path : Path
    axis : {0, 1, 2}

    Returns
    -------
    data : Data
        With its origin.
    affine_mm : ndarray of shape (4, 4)
        Of the volume in RAS order.

    Raises
    ------
    InputError
        See `nifti.read` and `cut`.

    Examples
    --------
    >>> read(Path("missing.nii"), 2)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: missing.nii: no such file
    """
    volume, image = nifti.read(path, axis=axis)
    data, affine_mm = cut(volume, nifti.affine_mm(image, path), axis, path)
    _, suffix = nifti.split_name(path)
    origin = Origin(path, suffix, geometry=nifti.geometry(image), axis=axis)
    return replace(data, origin=origin), affine_mm


def cut(
    volume: np.ndarray,
    affine_mm: np.ndarray,
    axis: int,
    path: Path,
) -> tuple[Data, np.ndarray]:
    """Cut a volume as it was stored into slices.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
    affine_mm : ndarray of shape (4, 4)
        Voxel to world.
    axis : {0, 1, 2}
        In RAS order.
    path : Path
        Where the volume comes from, for names and messages.

    Returns
    -------
    data : Data
    affine_mm : ndarray of shape (4, 4)
        Of the volume in RAS order.

    Raises
    ------
    InputError
        If there is no such axis, or the slices are too large.

    Examples
    --------
    >>> data, _ = cut(np.zeros((2, 3, 4)), np.diag([1, 2, 3, 1]), 2, Path("a.nii"))
    >>> data.images.shape, data.spacing_mm[0]
    ((4, 3, 2), array([2., 1.]))
    """
    if axis not in (0, 1, 2):
        raise InputError(f"expected an axis of 0, 1 or 2, got {axis}", where=path)
    volume, affine_mm = nifti.to_ras(volume, affine_mm)
    slices = to_slices(volume, axis)
    errors.check_slice_px(slices.shape[1:], path)
    across, down = (other for other in (0, 1, 2) if other != axis)
    pixel_mm = nib.affines.voxel_sizes(affine_mm)[[down, across]]
    data = Data(
        images=slices,
        truth=None,
        spacing_mm=np.tile(pixel_mm, (len(slices), 1)),
        names=numbered(path.absolute().name, len(slices)),
        volume=True,
    )
    return data, affine_mm


def read_place(path: Path) -> tuple[tuple[int, ...], np.ndarray]:
    """Read the shape and the place of a volume from its header.

    Parameters
    ----------
    path : Path

    Returns
    -------
    shape : tuple of int
        In RAS order.
    affine_mm : ndarray of shape (4, 4)
        In RAS order.

    Raises
    ------
    InputError
        See `nifti.read_header`.

    Examples
    --------
    >>> read_place(Path("missing.nii"))
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: missing.nii: no such file
    """
    return _shape_and_place(nifti.read_header(path), path)


def _shape_and_place(image: nib.Nifti1Image, path: AnyPath) -> tuple[tuple[int, ...], np.ndarray]:
    sides = (*image.shape, 1, 1)[:3]  # a file of one slice may have two axes
    empty = np.broadcast_to(0, sides)
    volume, affine_mm = nifti.to_ras(empty, nifti.affine_mm(image, path))
    return volume.shape, affine_mm


def same_place(affine: np.ndarray, other: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Compare where two affines send the corners of a box, within half a voxel.

    Parameters
    ----------
    affine, other : ndarray of shape (4, 4)
    shape : tuple of int
        The sides of the box are as long as the longest of these.

    Returns
    -------
    bool

    Examples
    --------
    >>> shifted = np.array([[1, 0, 0, 0.4], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    >>> same_place(np.eye(4), shifted, (5, 5, 5)), same_place(np.eye(4), -shifted, (5, 5, 5))
    (True, False)
    """
    origin = np.zeros((3, 1))
    ends = max(shape) * np.eye(3)
    corners = np.vstack([np.hstack([origin, ends]), np.ones((1, 4))])
    distances = np.abs((affine - other) @ corners)
    smallest = nib.affines.voxel_sizes(affine).min()
    return bool(distances.max() < smallest / 2)


def check_place(
    images: Origin,
    affine: np.ndarray,
    truth: Origin,
    true_affine: np.ndarray,
    shape: tuple[int, ...],
) -> None:
    """Refuse a truth that lies elsewhere than its images.

    Parameters
    ----------
    images, truth : Origin
        Of volumes.
    affine, true_affine : ndarray of shape (4, 4)
        Where they lie, in RAS order [mm].
    shape : tuple of int
        See `same_place`.

    Raises
    ------
    InputError
        If one of two volumes alone says where its axes point, for the other may be its mirror
        image, or if they lie in different places.

    Examples
    --------
    >>> head = Origin("chris", "name")
    >>> check_place(head, np.eye(4), head, np.eye(4), (2, 3, 4))
    """
    _check_orientation(images, truth)
    if not same_place(affine, true_affine, shape):
        raise InputError(
            f"lies elsewhere than {images.source}: the affines of the two headers differ",
            where=truth.source,
        )


def check_headers(images: Origin, truth: Origin) -> None:
    """Check by their headers that a volume and its truth lie in one place, as `load` does.

    No file is opened.

    Parameters
    ----------
    images, truth : Origin
        Only a volume says where it lies, so slices of other kinds pass.

    Raises
    ------
    InputError
        If one alone says where its axes point, or both lie in different places.

    Examples
    --------
    >>> check_headers(Origin("heads.npy", ".npy"), Origin("masks.npy", ".npy"))
    """
    if images.geometry is None or truth.geometry is None:
        return
    shape, affine = _shape_and_place(nifti.empty(images.geometry), images.source)
    true_shape, true_affine = _shape_and_place(nifti.empty(truth.geometry), truth.source)
    check_place(images, affine, truth, true_affine, (*shape, *true_shape))


def _check_orientation(images: Origin, truth: Origin) -> None:
    """Refuse two volumes of which only one says where its axes point."""
    is_oriented = _is_oriented(images)
    if is_oriented == _is_oriented(truth):
        return
    bare = truth.source if is_oriented else images.source
    other = images.source if is_oriented else truth.source
    raise InputError(
        "its header says nothing of orientation (the codes of sform and qform are 0), "
        f"that of {other} does: left and right may be swapped; "
        "give both the same header, or both as .npy",
        where=bare,
    )


def _is_oriented(origin: Origin) -> bool:
    if origin.geometry is None:
        return True  # a head of the registry
    return nifti.has_orientation(nifti.empty(origin.geometry))
