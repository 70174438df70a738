"""One source read as slices: a phantom, a head of the registry, a file or a folder.

Here each format becomes a `Data`. A new file format is first added to `sources.SUFFIXES`, then read
here. Truth and images are brought together in `loading`.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import errors, phantom
from ..errors import InputError, InputWarning
from ..texts import counted
from . import arrays, dicom, nifti, paths, pictures, planes, registry, sources
from .data import Data, Origin, numbered
from .paths import AnyPath

_NPZ_KEYS = ("images", "truth", "brain", "spacing_mm", "names")


class Opened(NamedTuple):
    """The slices of a source, and what matters for pairing them with a truth.

    Attributes
    ----------
    data : Data
    affine : ndarray of shape (4, 4), or None
        Of a volume, in RAS order [mm].
    has_names : bool
        The slices bear names of their own, not numbers alone.
    is_selection : bool
        Only the slices that were asked for were read.
    """

    data: Data
    affine: np.ndarray | None = None
    has_names: bool = False
    is_selection: bool = False

    @property
    def source(self) -> AnyPath:
        """The source, as the user named it."""
        return self.data.origin.source

    @property
    def is_folder(self) -> bool:
        """Whether the names are those of pictures in a folder."""
        return self.data.origin.format == "folder"

    def named(self, source: AnyPath) -> "Opened":
        """Return the same slices with their source as the user named it."""
        origin = replace(self.data.origin, source=source)
        return self._replace(data=replace(self.data, origin=origin))


@cache
def read_phantom(name: str) -> Data:
    """Build the slices of a phantom.

    Parameters
    ----------
    name : {"phantom", "phantom-cropped"}

    Returns
    -------
    Data
        Its arrays are shared by all callers, and read-only.

    Examples
    --------
    >>> read_phantom("phantom").images.shape
    (5, 768, 624)
    """
    is_cropped = name == "phantom-cropped"
    images, labels, spacing_mm, _ = phantom.five_slices(cropped=is_cropped)
    truth = phantom.skull_mask(labels)
    brain = phantom.brain_mask(labels)
    truth.setflags(write=False)
    brain.setflags(write=False)
    return Data(
        images=images,
        truth=truth,
        spacing_mm=spacing_mm,
        names=numbered(name, len(images)),
        brain=brain,
        origin=Origin(name, "name"),
    )


def read_head(name: str, axis: int) -> Opened:
    """Fetch a head of the registry, and keep the slices whose truth is known.

    Parameters
    ----------
    name : str
    axis : {2}

    Returns
    -------
    Opened
        The slices bear the numbers of their place in the whole volume.

    Raises
    ------
    InputError
        If the axis is another, or the head cannot be fetched.

    Examples
    --------
    >>> read_head("chris", 0)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: chris: expected axis 2, got 0: the traced truth is ...
    """
    if axis != 2:
        hint = "the traced truth is known for whole axial slices alone"
        raise InputError(f"expected axis 2, got {axis}: {hint}", where=name)
    data, affine = planes.read(registry.fetch(name, progress=True), axis)
    data = replace(
        data,
        names=numbered(name, len(data.images)),
        origin=Origin(name, "name"),
    )
    traced = registry.truth(name)
    if traced is None:
        return Opened(data, affine)
    true, true_affine = planes.read(traced, axis)
    shape = data.images.shape
    has_shape = true.images.shape == shape
    has_place = planes.same_place(affine, true_affine, shape)
    if not (has_shape and has_place):
        hint = "install skullmask again"
        raise InputError(f"lies elsewhere than {name}; {hint}", where=traced)
    known = np.flatnonzero(true.images.any(axis=(1, 2)))
    part = slice(known[0], known[-1] + 1)
    affine[:3, 3] += affine[:3, 2] * part.start
    data = Data(
        images=data.images[part].copy(),
        truth=binary(true.images[part], traced),
        spacing_mm=data.spacing_mm[part],
        names=data.names[part],
        volume=True,
        origin=data.origin,
    )
    return Opened(data, affine)


def read_path(path: Path, axis: int, channel: int | None) -> Opened:
    """Read a file or a folder.

    Parameters
    ----------
    path : Path
    axis : {0, 1, 2}
        Of a volume; other sources pass over it.
    channel : int, optional
        Of colour.

    Returns
    -------
    Opened

    Raises
    ------
    InputError
        If it cannot be used.

    Examples
    --------
    >>> read_path(Path("missing.npy"), 2, None)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: missing.npy: no such file or folder, nor the name of ...
    """
    kind = paths.kind_of(path)
    if kind == "folder":
        return _read_folder(path, axis, channel)
    if kind == "file":
        return _read_file(path, axis, channel)
    names = [*sources.PHANTOMS, *registry.names(), "nfbs:FOLDER", "lgg:FOLDER"]
    hint = f"nor the name of a phantom or head ({', '.join(names)})"
    raise InputError(f"no such file or folder, {hint}", where=path)


def _read_file(path: Path, axis: int, channel: int | None) -> Opened:
    suffix = sources.suffix_of(path)
    if suffix in pictures.SUFFIXES:
        data, remarks = _read_picture(path, channel)
        for remark in remarks:
            warnings.warn(InputWarning(remark, where=path), stacklevel=2)
        return Opened(data)
    _check_not_empty(path)
    with nifti.reading(path, suffix):
        if suffix == ".npy":
            return Opened(_from_array(arrays.mapped(path), path, channel))
        if suffix == ".npz":
            return _read_npz(path, channel)
        return Opened(*planes.read(path, axis))


def _check_not_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise InputError("the file is empty", where=path)


# --- arrays --------------------------------------------------------------------------------------


def _from_array(array: np.ndarray, path: Path, channel: int | None) -> Data:
    images = _as_slices(array, path, channel)
    axes = array.ndim - arrays.is_colour(array.shape)
    origin = Origin(path, sources.suffix_of(path), is_single=axes == 2)
    names = numbered(path.name, len(images))
    return Data(images, None, None, names, origin=origin)


def _as_slices(array: np.ndarray, path: Path, channel: int | None) -> np.ndarray:
    """Return an array as (N, H, W), or say why it cannot be."""
    if array.dtype.kind not in "buif":
        raise InputError(f"expected real numbers, got dtype {array.dtype}", where=path)
    arrays.check_slices_px(array.shape, path)
    _check_channel(array.shape, path, channel)
    if channel is not None:
        array = array[..., channel]
    if array.ndim not in (2, 3) or array.size == 0:
        wanted = "slices (N, H, W) or one slice (H, W)"
        raise InputError(f"expected {wanted}, got shape {array.shape}", where=path)
    return array[None] if array.ndim == 2 else array


def _check_channel(
    shape: tuple[int, ...],
    path: Path,
    channel: int | None,
) -> None:
    """Refuse colour without a channel, and a channel without colour."""
    is_colour = arrays.is_colour(shape)
    if is_colour and channel is None:
        hint = "choose a channel with channel=0 (--channel 0)"
        raise InputError(f"looks like colour, shape {shape}; {hint}", where=path)
    if channel is None:
        return
    if not is_colour:
        hint = "leave the channel out"
        raise InputError(f"has no channels, shape {shape}; {hint}", where=path)
    last = shape[-1] - 1
    if not 0 <= channel <= last:
        wanted = f"a channel from 0 to {last}"
        raise InputError(f"expected {wanted}, got {channel}", where=path)


def _read_npz(path: Path, channel: int | None) -> Opened:
    content = arrays.read_npz(path, _NPZ_KEYS)
    data = _as_float32(_from_array(content["images"], path, channel))
    shape = data.images.shape
    count = len(data.images)
    fields = {}
    for key in ("truth", "brain"):
        if key in content:
            fields[key] = _masks_of_npz(content[key], key, path, shape)
    if "spacing_mm" in content:
        fields["spacing_mm"] = _spacing_of_npz(content["spacing_mm"], path, count)
    if "names" in content:
        fields["names"] = _names_of_npz(content["names"], path, count)
    return Opened(replace(data, **fields), has_names="names" in content)


def _as_float32(data: Data) -> Data:
    return replace(data, images=data.images.astype(np.float32, copy=False))


def _masks_of_npz(
    array: np.ndarray,
    key: str,
    path: Path,
    shape: tuple[int, int, int],
) -> np.ndarray:
    masks = binary(_as_slices(array, path, None), f"{path} ({key})")
    if masks.shape != shape:
        raise InputError(f"images {shape} and {key} {masks.shape} differ in shape", where=path)
    return masks


def _spacing_of_npz(array: np.ndarray, path: Path, count: int) -> np.ndarray:
    if array.shape != (count, 2) or array.dtype.kind not in "iuf":
        wanted = f"spacing_mm of shape {(count, 2)}"
        raise InputError(f"expected {wanted}, got {array.shape}", where=path)
    spacing_mm = array.astype(np.float64)
    is_positive = np.isfinite(spacing_mm) & (spacing_mm > 0)
    if not is_positive.all():
        got = f"{spacing_mm.min():g}"
        raise InputError(f"expected spacing_mm above 0 mm, got {got}", where=path)
    return spacing_mm


def _names_of_npz(array: np.ndarray, path: Path, count: int) -> tuple[str, ...]:
    labels = array.ravel()
    if len(labels) != count:
        raise InputError(f"expected {count} names, got {len(labels)}", where=path)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    return tuple(map(str, labels))


def binary(array: np.ndarray, name: AnyPath) -> np.ndarray:
    """Check a mask as `errors.check_binary` does; the message names where it came from.

    Parameters
    ----------
    array : ndarray
    name : str or path

    Returns
    -------
    ndarray of uint8, {0, 1}

    Raises
    ------
    InputError
        If there are values beside 0 and one other.

    Examples
    --------
    >>> binary(np.array([0, 1, 2]), "t.npy")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: t.npy: expected a binary mask (0 and one other value), got ...
    """
    try:
        return errors.check_binary(array)
    except InputError as error:
        hint = ""
        if is_lossy(name):
            hint = "; JPEG changes the values of masks: save them as PNG"
        raise InputError(f"{error.message}{hint}", where=name) from None


def is_lossy(name: AnyPath) -> bool:
    """Return whether a file with this name does not keep the values of a mask.

    Parameters
    ----------
    name : str or path

    Returns
    -------
    bool

    Examples
    --------
    >>> is_lossy("mask.JPG"), is_lossy("mask.png")
    (True, False)
    """
    return str(name).lower().endswith(pictures.LOSSY)


# --- pictures and folders ------------------------------------------------------------------------


def _read_picture(
    path: Path,
    channel: int | None,
) -> tuple[Data, tuple[str, ...]]:
    """Read one picture, and what the user should know of it."""
    _check_not_empty(path)
    with nifti.reading(path, sources.suffix_of(path)):
        picture = pictures.read(path, keep_colour=channel is not None)
        data = _from_array(picture.values, path, channel)
        return _as_float32(data), picture.remarks


def _read_folder(folder: Path, axis: int, channel: int | None) -> Opened:
    if folder.name.lower().endswith(sources.SUFFIXES):
        hint = "rename it, or name a file in it"
        raise InputError(f"is a folder, and named like a file; {hint}", where=folder)
    contents = sources.contents_of(folder)
    _check_contents(folder, contents)
    remark = contents.pictures.remark()
    if remark:
        warnings.warn(InputWarning(remark, where=folder), stacklevel=2)
    if contents.series:
        image = dicom.read_series(folder)
        volume = np.asarray(image.dataobj)
        data, affine = planes.cut(volume, image.affine, axis, folder)
        origin = Origin(folder, "series", geometry=nifti.geometry(image), axis=axis)
        return Opened(replace(data, origin=origin), affine)
    files = contents.pictures.files
    names = tuple(file.name for file in files)
    images = _read_pictures(folder, files, channel)
    origin = Origin(folder, "folder", files=names)
    data = Data(images, None, None, names, origin=origin)
    return Opened(data, has_names=True)


def _check_contents(folder: Path, contents: sources.Contents) -> None:
    """Refuse a folder that holds both pictures and a series, or neither."""
    files = contents.pictures.files
    series = contents.series
    if files and series:
        count = counted(len(files), "picture")
        series_count = counted(len(series), "DICOM file")
        hint = "put the pictures and the DICOM files into separate folders"
        raise InputError(f"holds {count} and {series_count}; {hint}", where=folder)
    if files or series:
        return
    remark = contents.pictures.remark()
    hint = f"; {remark}" if remark else ""
    raise InputError(f"no picture in this folder, nor a DICOM series{hint}", where=folder)


def _read_pictures(
    folder: Path,
    files: Sequence[Path],
    channel: int | None,
) -> np.ndarray:
    """Read pictures of one slice and one shape each; a remark on several is made once."""
    images: list[np.ndarray] = []
    tally: Counter[str] = Counter()
    for file in files:
        data, remarks = _read_picture(file, channel)
        images.append(data.images)
        if data.images.shape != (1, *images[0].shape[1:]):
            wanted = "one slice of the first file's shape"
            raise InputError(f"expected {wanted}, got {data.images.shape}", where=file)
        tally.update(remarks)
    for remark, count in tally.items():
        share = f"{count} of {counted(len(files), 'picture')}"
        warnings.warn(InputWarning(f"{remark} ({share})", where=folder), stacklevel=2)
    return np.concatenate(images)
