"""Slices in, masks out: the only place where image files are opened or written.

Nothing from a file is ever executed: arrays are read with ``allow_pickle=False``. What cannot be used raises
`InputError` with one line that names the file.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
from PIL import Image

from .. import errors, phantom
from ..errors import InputError, InputWarning
from . import arrays, cohorts, dicom, missing, nifti, outputs, pairing, paths, pictures, registry

PHANTOMS = ("phantom", "phantom-cropped")
SUFFIXES = (".npy", ".npz", *nifti.SUFFIXES, *pictures.SUFFIXES)
NONE_KNOWN = "no slice of the selection has a known truth"
_PREVIEWS = (*pictures.LOSSY, ".bmp")  # what may lie beside a DICOM series


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """Slices and what is known of them; equal to itself alone, so that it can be a key.

    Attributes
    ----------
    images : ndarray of shape (N, H, W)
        float32; a memory-mapped ``.npy`` keeps the dtype of its file.
    truth : ndarray of shape (N, H, W), uint8 of {0, 1}, or None
        The true skull masks.
    spacing_mm : ndarray of shape (N, 2), float64, or None
        Row and column spacing of every slice [mm].
    names : tuple of str
        N labels.
    brain : ndarray of shape (N, H, W), uint8 of {0, 1}, or None
        The true brain masks.
    volume : bool
        The slices follow one another in one volume.
    tumour : ndarray of shape (N, H, W), uint8 of {0, 1}, or None
        The tumour masks of LGG.
    """

    images: np.ndarray
    truth: np.ndarray | None
    spacing_mm: np.ndarray | None
    names: tuple[str, ...]
    brain: np.ndarray | None = None
    volume: bool = False
    tumour: np.ndarray | None = None

    def __repr__(self) -> str:
        count, rows, columns = self.images.shape
        parts = [f"{count} slices of {rows} x {columns} {self.images.dtype}"]
        parts += [kind for kind in ("truth", "brain", "tumour") if getattr(self, kind) is not None]
        if self.spacing_mm is not None:
            parts.append(f"spacing {self.spacing_mm[0, 0]:g} x {self.spacing_mm[0, 1]:g} mm")
        parts.append(" … ".join(dict.fromkeys((self.names[0], self.names[-1]))))
        return f"Data({', '.join(parts)})"

    def spaced(self, spacing_mm: Sequence[float] | None) -> "Data":
        """Give the same slices with another row and column spacing [mm], if there is one."""
        if spacing_mm is None or np.size(spacing_mm) == 0:
            return self
        return replace(self, spacing_mm=np.tile(errors.check_spacing(spacing_mm), (len(self.images), 1)))


class _Opened(NamedTuple):
    """What a source holds.

    ``affine`` is that of a volume in RAS order. ``named`` are slices that bear names of their own, not numbers
    alone; ``files`` are those of a folder. ``taken`` means that only the slices wanted were read.
    """

    data: Data
    affine: np.ndarray | None = None
    named: bool = False
    files: bool = False
    taken: bool = False


def load(
    source: str | os.PathLike,
    *,
    truth: str | os.PathLike | None = None,
    axis: int = 2,
    slices: slice | range | None = None,
    channel: int | None = None,
) -> Data:
    """Load slices from a phantom, a registered head, a file, a folder or a data set of the sources.

    Parameters
    ----------
    source : str or path
        ``"phantom"``, ``"phantom-cropped"``; a head of the registry such as ``"chris"``, which is downloaded once
        and gives the axial slices whose truth was traced, or all where none was; or a path, also as
        ``file:///…``: ``.npy`` (memory-mapped), ``.npz`` (keys ``images`` and where known ``truth``, ``brain``,
        ``spacing_mm``, ``names``), NIfTI, PNG, TIFF, JPEG or BMP (see `pictures.read`: as viewers show it, an
        orientation tag applied), a folder of such pictures of one size in natural order (``slice_2`` before
        ``slice_10``), or a folder of one DICOM series; or ``"nfbs:FOLDER"``, the participants of NFBS one after
        another with their brain masks, or ``"lgg:FOLDER"``, the slices of LGG with their tumour masks, see
        `cohorts`. A name comes before a path: write ``"./chris"`` for a folder of that name.
    truth : str or path, optional
        Where the true masks are: 0 and one other value, the same shape as the images. Those of a folder belong to
        the images of a folder by their names, see `pairing.paired`, and so do they to a stack that
        has names of its own, unless these have nothing in common with theirs. To any other stack
        they belong in natural order. Their spacing is taken where the images bring none.
    axis : {0, 1, 2}
        Axis of a NIfTI or DICOM volume, in RAS order, across which it is cut: 2 gives axial slices with anterior up,
        0 sagittal and 1 coronal ones with superior up; the patient's left is on the left. It may stand for the
        images or the truth alone, if the other holds the slices of that axis.
    slices : slice or range, optional
        Which of these slices to take; all by default. Of a data set only the files of these are read.
    channel : int, optional
        Which channel to take of a colour image; without it colour is refused, but of LGG the FLAIR (1) is taken,
        between the images before (0) and after contrast (2).

    Returns
    -------
    Data
        NaN around the head, as other programs leave it in the background, is 0. There is no truth
        where it is empty on all slices taken and not on others: it is unknown, see
        `metrics.known_slices`.

    Raises
    ------
    InputError
        If the source or the truth cannot be used, in one line that names the file.

    Warns
    -----
    InputWarning
        What was left out of a folder, what a file does not keep of its image, a truth that was
        paired in order although both sides have names, and one that is unknown of all slices taken.

    Examples
    --------
    >>> data = load("phantom")
    >>> data
    Data(5 slices of 768 x 624 float32, truth, brain, spacing 0.42 x 0.42 mm, phantom[0] … phantom[4])
    >>> data.truth.dtype.name
    'uint8'
    """
    if isinstance(slices, range):
        slices = slice(slices.start, slices.stop, slices.step)
    opened = _open(source, axis, channel, slices)
    if truth is None:
        _check_axis(axis, source, opened)
        return _without_unknown(_taken(opened, source, slices), opened.data.truth, source)
    true = _open(truth, axis, None, slices)
    _check_axis(axis, source, opened, true)
    true = _in_order_of(opened, true, truth)
    data = _taken(opened, source, slices)
    true_data = _taken(true, truth, slices)
    data = _with_truth(data, true_data, (source, truth), (opened.affine, true.affine))
    return _without_unknown(data, _masks_of(true.data), truth)


def _check_axis(axis: int, source: str | os.PathLike, *sources: _Opened) -> None:
    """Refuse an axis where neither the images nor their truth are a volume."""
    is_cut = any(opened.affine is not None or opened.taken for opened in sources)
    if axis != 2 and not is_cut:
        raise InputError(f"{source}: has no axes to choose from; leave the axis out")


def _check_path(source: object) -> None:
    """Say what to do with what is loaded already."""
    if isinstance(source, Data):
        raise InputError("expected a path or a name, got a Data, which is loaded already; take its images")
    if isinstance(source, (np.ndarray, list, tuple)):
        raise InputError(
            f"expected a path or a name, got an array of shape {np.shape(source)}; "
            "pass the array itself to create_skull_mask(image) or mask_slices(images, names=…)"
        )
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(f"expected a path or a name, got {type(source).__name__}")
    if not str(source):
        raise InputError("expected a phantom, a file or a folder, got an empty name")


def _open(source: str | os.PathLike, axis: int, channel: int | None, slices: slice | None) -> _Opened:
    """Read a phantom, a head, a file or a folder."""
    _check_path(source)
    prefix, path = cohorts.prefixed(source)
    if (is_name(source) or prefix == "nfbs:") and channel is not None:
        raise InputError(f"{source}: has no channels; leave the channel out")
    if prefix:
        return _Opened(_read_cohort(prefix, path, axis, channel, slices or slice(None)), taken=True)
    if source in PHANTOMS:
        return _Opened(_phantom(source))
    if is_name(source):
        return _Opened(*_head(source, axis))
    return _read(path, axis, channel)


def _taken(opened: _Opened, source: str | os.PathLike, slices: slice | None) -> Data:
    """Keep the slices that are wanted."""
    data = opened.data
    if opened.taken:
        return data
    if slices is not None:
        if not data.names[slices]:
            raise InputError(f"{source}: no slice left of {len(data.names)} with {_shown(slices)}")
        data = _chosen(data, slices)
        data = replace(data, volume=data.volume and slices.step in (None, 1))
    if is_name(source) or opened.affine is not None:  # volumes were looked through as a whole
        return data
    return replace(data, images=_without_nan(data.images, source))


def _shown(slices: slice) -> str:
    """Show slices as they are typed, such as ``7:12``."""
    ends = (slices.start, slices.stop) if slices.step is None else (slices.start, slices.stop, slices.step)
    return ":".join("" if end is None else str(end) for end in ends)


def _chosen(data: Data, places: slice | list[int]) -> Data:
    names = data.names[places] if isinstance(places, slice) else tuple(data.names[place] for place in places)
    known = {kind: getattr(data, kind) for kind in ("truth", "spacing_mm", "brain")}
    kept = {kind: array[places] for kind, array in known.items() if array is not None}
    return replace(data, images=data.images[places], names=names, **kept)


def _without_nan(images: np.ndarray, source: str | os.PathLike) -> np.ndarray:
    """Set NaN around the heads to 0; images without NaN stay where they are, in a file or in memory."""
    if images.dtype.kind != "f" or not any(np.isnan(part).any() for part in arrays.parts(images)):
        return images
    try:
        filled = arrays.loaded(images)
    except MemoryError:
        size = f"{images.nbytes / 2**30:.3g} GiB"
        raise InputError(
            f"{source}: NaN around its heads would be set to 0, but its {size} do not fit in memory; "
            "take some of its slices (--slices), or use batch, which reads one after another"
        ) from None
    if all(np.isnan(image).all() for image in filled):
        return images  # this is no background
    remarks = set()
    for image in filled:
        zeroed, remark = missing.without_nan(image)
        if remark:
            image[...] = zeroed
            remarks.add(remark)
    if not remarks:
        return images
    remark = missing.NAN_IS_ZERO if remarks == {missing.NAN_IS_ZERO} else missing.SPECKS_ARE_ZERO
    warnings.warn(f"{source}: {remark}", InputWarning, stacklevel=2)
    return filled


def _in_order_of(opened: _Opened, true: _Opened, truth: str | os.PathLike) -> _Opened:
    """Bring true masks in the order of their images, where both have names."""
    if not (opened.named and true.named):
        return true  # a stack has an order of its own
    images, truths = opened.data.names, true.data.names
    try:
        order = pairing.paired(images, truths, source=truth)
    except InputError:
        are_folders = opened.files and true.files
        if are_folders or len(images) != len(truths) or not pairing.are_unrelated(images, truths):
            raise
        text = "paired with the images in order, for their names have nothing in common"
        warnings.warn(f"{truth}: {text}", InputWarning, stacklevel=2)
        return true
    return true._replace(data=_chosen(true.data, order))


def _with_truth(data: Data, true: Data, sources: tuple, affines: tuple) -> Data:
    """Add the truth to the images, if both belong together."""
    source, truth = sources
    masks_of = _masks_of(true)
    if masks_of.shape != data.images.shape:
        raise InputError(
            f"{truth}: expected a truth of the images' shape {data.images.shape}, got {masks_of.shape} ({source})"
        )
    affine, true_affine = affines
    if affine is not None and true_affine is not None:
        _check_orientation(source, truth)
        _check_place(sources, affines, masks_of.shape)
    lossy = [name for name in true.names if _is_lossy(name)]
    spacing_mm = true.spacing_mm if data.spacing_mm is None else data.spacing_mm
    return replace(data, truth=binary(masks_of, lossy[0] if lossy else truth), spacing_mm=spacing_mm)


def _masks_of(true: Data) -> np.ndarray:
    """Give the true masks of what was named as the truth."""
    return true.images if true.truth is None else true.truth


def _without_unknown(data: Data, whole: np.ndarray | None, truth: str | os.PathLike) -> Data:
    """Take away a truth that is empty on every slice taken, where that of others is not."""
    is_part = whole is not None and len(whole) > len(data.images)
    if data.truth is None or not is_part or data.truth.any():
        return data
    if not any(np.nan_to_num(plane).any() for plane in whole):
        return data
    warnings.warn(f"{truth}: {NONE_KNOWN}", InputWarning, stacklevel=2)
    return replace(data, truth=None)


def _is_lossy(name: str | os.PathLike) -> bool:
    return str(name).lower().endswith(pictures.LOSSY)


def _check_orientation(source: str | os.PathLike, truth: str | os.PathLike) -> None:
    """Refuse two volumes of which one alone says where its axes point: the other may be its mirror image."""
    bare = [path for path in (source, truth) if not _is_oriented(path)]
    if len(bare) == 1:
        other = truth if bare == [source] else source
        raise InputError(
            f"{bare[0]}: its header says nothing of orientation (the codes of sform and qform are 0), that of {other} "
            "does: left and right may be swapped; give both the same header, or both as .npy"
        )


def _is_oriented(source: str | os.PathLike) -> bool:
    if _kind(source) not in nifti.READABLE:
        return True  # a head of the registry, or a DICOM series
    return nifti.has_orientation(nifti.read_header(cohorts.prefixed(source)[1]))


def _check_place(sources: tuple, affines: tuple, shape: tuple[int, ...]) -> None:
    """Refuse a truth that lies elsewhere than its images."""
    source, truth = sources
    if not _same_place(*affines, shape):
        raise InputError(f"{truth}: lies elsewhere than {source}: the affines of the two headers differ")


def check_headers(source: str | os.PathLike, truth: str | os.PathLike) -> None:
    """See by their headers that a volume and its truth lie in one place, as `load` does; no voxel is read.

    Parameters
    ----------
    source, truth : str or path
        Files. Only NIfTI says where it lies: if either is of another kind, there is nothing to compare.

    Raises
    ------
    InputError
        If one alone says where its axes point, or both lie in different places.

    Examples
    --------
    >>> check_headers("heads.npy", "masks.nii.gz")
    """
    if not {_suffix(Path(source)), _suffix(Path(truth))} <= set(nifti.READABLE):
        return
    _check_orientation(source, truth)
    shape, affine = _placed(Path(source))
    true_shape, true_affine = _placed(Path(truth))
    _check_place((source, truth), (affine, true_affine), max(shape, true_shape))


def _same_place(affine: np.ndarray, other: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Tell whether two affines send a box of at most this many voxels to one place, within half a voxel."""
    corners = np.vstack([np.hstack([np.zeros((3, 1)), max(shape) * np.eye(3)]), np.ones((1, 4))])
    return bool(np.abs((affine - other) @ corners).max() < nib.affines.voxel_sizes(affine).min() / 2)


@cache
def _phantom(name: str) -> Data:
    images, labels, spacing_mm, _ = phantom.five_slices(cropped=name == "phantom-cropped")
    names = tuple(f"{name}[{index}]" for index in range(len(images)))
    truth, brain = phantom.skull_mask(labels), phantom.brain_mask(labels)
    truth.setflags(write=False)
    brain.setflags(write=False)
    return Data(images, truth, spacing_mm, names, brain)


def _head(name: str, axis: int) -> tuple[Data, np.ndarray]:
    """Fetch a head of the registry and keep the slices whose truth is known, under their place in the volume."""
    if axis != 2:
        raise InputError(f"{name}: expected axis 2, got {axis}: the traced truth is known for whole axial slices alone")
    data, affine = _read_nifti(registry.fetch(name, progress=True), axis)
    data = replace(data, names=tuple(f"{name}[{index}]" for index in range(len(data.images))))
    traced = registry.truth(name)
    if traced is None:
        return data, affine
    true, true_affine = _read_nifti(traced, axis)
    if true.images.shape != data.images.shape or not _same_place(affine, true_affine, data.images.shape):
        raise InputError(f"{traced}: lies elsewhere than {name}; install skullmask again")
    known = np.flatnonzero(true.images.any(axis=(1, 2)))
    some = slice(known[0], known[-1] + 1)
    affine[:3, 3] += affine[:3, 2] * some.start
    truth = binary(true.images[some], traced)
    return Data(data.images[some].copy(), truth, data.spacing_mm[some], data.names[some], volume=True), affine


def _read(path: Path, axis: int, channel: int | None) -> _Opened:
    kind = paths.kind_of(path)
    if not kind:
        names = ", ".join((*PHANTOMS, *registry.names(), "nfbs:FOLDER", "lgg:FOLDER"))
        raise InputError(f"{path}: no such file or folder, nor the name of a phantom or head ({names})")
    if kind == "folder":
        return _read_folder(path, axis, channel)
    suffix = _suffix(path)
    if suffix in pictures.SUFFIXES:
        data, remarks = _read_picture(path, channel)
        for remark in remarks:
            warnings.warn(f"{path}: {remark}", InputWarning, stacklevel=2)
        return _Opened(data)
    _check_not_empty(path)
    with nifti.reading(path, suffix):
        if suffix == ".npy":
            return _Opened(_from_array(arrays.mapped(path), path, channel))
        if suffix == ".npz":
            return _read_npz(path, channel)
        return _Opened(*_read_nifti(path, axis))


def _check_not_empty(path: Path) -> None:
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")


def _suffix(path: Path) -> str:
    """Give the suffix of a file that can be read, in small letters."""
    suffix = nifti.split_name(path)[1] or path.suffix.lower()
    if suffix not in (*SUFFIXES, *nifti.PAIRS):
        got = path.suffix or "no suffix"
        if dicom.is_dicom(path):
            got = "one file of DICOM: name the folder of its series"
        raise InputError(f"{path}: expected a file that ends in {', '.join(SUFFIXES)}, got {got}")
    return suffix


def _read_picture(path: Path, channel: int | None) -> tuple[Data, tuple[str, ...]]:
    """Read one picture, and what is to be said of it."""
    _check_not_empty(path)
    with nifti.reading(path, _suffix(path)):
        picture = pictures.read(path, keep_colour=channel is not None)
        return _from_array(picture.values, path, channel, np.float32), picture.remarks


def _from_array(array: np.ndarray, path: Path, channel: int | None, dtype: type | None = None) -> Data:
    images = _slices(array, path, channel)
    names = tuple(f"{path.name}[{index}]" for index in range(len(images)))
    return Data(images if dtype is None else images.astype(dtype, copy=False), None, None, names)


def _slices(array: np.ndarray, path: Path, channel: int | None) -> np.ndarray:
    """Give an array as (N, H, W), or say why it cannot be."""
    if array.dtype.kind not in "buif":
        raise InputError(f"{path}: expected real numbers, got dtype {array.dtype}")
    arrays.check_slices_px(array.shape, path)
    colour = arrays.is_colour(array.shape)
    if colour and channel is None:
        raise InputError(
            f"{path}: looks like colour, shape {array.shape}; choose a channel with channel=0 (--channel 0)"
        )
    if channel is not None and not colour:
        raise InputError(f"{path}: has no channels, shape {array.shape}; leave the channel out")
    if colour and not 0 <= channel < array.shape[-1]:
        raise InputError(f"{path}: expected a channel from 0 to {array.shape[-1] - 1}, got {channel}")
    if colour:
        array = array[..., channel]
    if array.ndim not in (2, 3) or array.size == 0:
        raise InputError(f"{path}: expected slices (N, H, W) or one slice (H, W), got shape {array.shape}")
    return array[None] if array.ndim == 2 else array


def _read_npz(path: Path, channel: int | None) -> _Opened:
    known = arrays.read_npz(path, ("images", "truth", "brain", "spacing_mm", "names"))
    data = _from_array(known["images"], path, channel, np.float32)
    for key in ("truth", "brain"):
        if key not in known:
            continue
        known[key] = binary(_slices(known[key], path, None), f"{path} ({key})")
        if known[key].shape != data.images.shape:
            raise InputError(f"{path}: images {data.images.shape} and {key} {known[key].shape} differ in shape")
    count = len(data.images)
    spacing_mm = known.get("spacing_mm")
    if spacing_mm is not None:
        if spacing_mm.shape != (count, 2) or spacing_mm.dtype.kind not in "iuf":
            raise InputError(f"{path}: expected spacing_mm of shape {(count, 2)}, got {spacing_mm.shape}")
        spacing_mm = spacing_mm.astype(np.float64)
        if not (np.isfinite(spacing_mm) & (spacing_mm > 0)).all():
            raise InputError(f"{path}: expected spacing_mm above 0 mm, got {spacing_mm.min():g}")
    names = data.names
    if "names" in known:
        labels = known["names"].ravel()
        if labels.dtype.kind == "S":
            labels = np.char.decode(labels, "utf-8", "replace")
        names = tuple(map(str, labels))
    if len(names) != count:
        raise InputError(f"{path}: expected {count} names, got {len(names)}")
    data = Data(data.images, known.get("truth"), spacing_mm, names, known.get("brain"))
    return _Opened(data, named="names" in known)


def _read_folder(folder: Path, axis: int, channel: int | None) -> _Opened:
    if folder.name.lower().endswith(SUFFIXES):
        raise InputError(f"{folder}: is a folder, and named like a file; rename it, or name a file in it")
    listing, series = _contents(folder)
    if listing.files and series:
        content = f"{_counted(listing.files, 'picture')} and {_counted(series, 'DICOM file')}"
        hint = "put the pictures and the DICOM files into separate folders"
        raise InputError(f"{folder}: holds {content}; {hint}")
    remark = listing.remark()
    if not listing.files and not series:
        told = f"; {remark}" if remark else ""
        raise InputError(f"{folder}: no picture in this folder, nor a DICOM series{told}")
    if remark:
        warnings.warn(f"{folder}: {remark}", InputWarning, stacklevel=2)
    if series:
        image = dicom.read_series(folder)
        return _Opened(*_from_volume(np.asarray(image.dataobj), image.affine, axis, folder))
    names = tuple(file.name for file in listing.files)
    return _Opened(Data(_read_pictures(folder, listing.files, channel), None, None, names), named=True, files=True)


def _counted(files: Sequence[Path], kind: str) -> str:
    """Count files in words, such as ``1 picture``."""
    return f"{len(files)} {kind}" if len(files) == 1 else f"{len(files)} {kind}s"


def _read_pictures(folder: Path, files: Sequence[Path], channel: int | None) -> np.ndarray:
    """Read pictures of one slice and one shape each; what is to be said of several is said once."""
    images: list[np.ndarray] = []
    remarks: dict[str, int] = {}
    for file in files:
        data, some = _read_picture(file, channel)
        images.append(data.images)
        if data.images.shape != (1, *images[0].shape[1:]):
            raise InputError(f"{file}: expected one slice of the first file's shape, got {data.images.shape}")
        for remark in some:
            remarks[remark] = remarks.get(remark, 0) + 1
    for remark, count in remarks.items():
        share = f"{count} of {_counted(files, 'picture')}"
        warnings.warn(f"{folder}: {remark} ({share})", InputWarning, stacklevel=2)
    return np.concatenate(images)


def _contents(folder: Path) -> tuple[paths.Listing, list[Path]]:
    """Give the pictures of a folder and the files of its DICOM series, without its previews.

    Pictures are not opened, and where there are some, only what surely is DICOM counts.
    """
    listing = paths.listed(folder, pictures.SUFFIXES)
    if not listing.files:
        series = dicom.files_in(folder)
        return (paths.Listing((), {}) if series else listing), series
    others = _beside_pictures(folder)
    are_previews = all(file.name.lower().endswith(_PREVIEWS) for file in listing.files)
    if are_previews and any(map(dicom.is_dicom, others)):
        return paths.Listing((), {}), dicom.files_in(folder)  # previews are named where it is read
    return listing, [file for file in others if _has_preamble(file)]


def _beside_pictures(folder: Path) -> list[Path]:
    """List what may be DICOM: its files need no suffix."""
    others = []
    for entry in sorted(folder.iterdir()):
        name = entry.name.lower()
        if name.endswith(pictures.SUFFIXES) or name == "dicomdir" or paths.is_hidden(name):
            continue
        others.append(entry)
    return others


def _has_preamble(file: Path) -> bool:
    """Tell whether a file begins as every DICOM file should."""
    try:
        if not file.is_file():
            return False
        with open(file, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def pictures_in(folder: Path) -> list[Path]:
    """List the pictures of a folder, in the order of their slices: numbers in their names are ordered as numbers.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Path

    Examples
    --------
    >>> pictures_in(project.project_folder("notebooks"))
    []
    """
    return list(_contents(folder)[0].files)


def files_in(source: str | os.PathLike) -> list[Path]:
    """List the files that a folder or a data set of the sources is read from.

    Parameters
    ----------
    source : str or path
        See `load`.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> files_in(project.project_folder("notebooks"))
    []
    """
    prefix, folder = cohorts.prefixed(source)
    if not prefix:
        listing, series = _contents(folder)
        return list(listing.files) or series
    return [path for row in cohorts.files(prefix, folder) for path in row[1:] if path]


def _read_cohort(prefix: str, folder: Path, axis: int, channel: int | None, slices: slice) -> Data:
    """Read those files of a data set of which a slice is wanted, one after another."""
    volumes, rows = prefix == "nfbs:", cohorts.files(prefix, folder)
    if axis not in ((0, 1, 2) if volumes else (2,)):
        raise InputError(f"{folder}: expected axis {'0, 1 or 2' if volumes else 2}, got {axis}")
    _warn(f"{folder}: left out, for they lack their images", [who for who, image, _ in rows if not image])
    rows = [row for row in rows if row[1]]
    counts = [_count(image, axis) if volumes else 1 for _, image, _ in rows]
    starts = np.cumsum([0, *counts])
    wanted = np.arange(starts[-1])[slices]
    if not wanted.size:
        raise InputError(f"{folder}: no slice left of {starts[-1]} with {_shown(slices)}")
    owners = np.searchsorted(starts, wanted, side="right") - 1
    used = dict.fromkeys(owners.tolist())
    bare = [rows[k][0] for k in used if not rows[k][2]]
    _warn(f"{folder}: comes without masks, for some have none", bare)
    made: dict[str, np.ndarray] = {}
    names: list[str] = []
    for k in used:
        who, image, mask = rows[k]
        flair = None if volumes else cohorts.FLAIR if channel is None else channel
        part = load(image, truth=None if bare else mask, axis=axis, channel=flair)
        here = wanted[owners == k] - starts[k]
        names += [f"{who}[{index}]" if volumes else image.name for index in here]
        arrays = {"images": part.images, "spacing_mm": part.spacing_mm, "brain" if volumes else "tumour": part.truth}
        for kind, array in arrays.items():
            if array is None:
                continue
            if kind not in made:  # filled in place: a whole data set is too large to be held twice
                made[kind] = np.empty((len(wanted), *array.shape[1:]), array.dtype)
            if array.shape != (counts[k], *made[kind].shape[1:]):
                raise InputError(f"{image}: expected slices of the first file's shape, got {array.shape}")
            made[kind][owners == k] = array[here]
    one = len({rows[k][0] for k in used}) == 1 and slices.step in (None, 1)
    return Data(truth=None, names=tuple(names), volume=one, **({"spacing_mm": None} | made))


def _warn(what: str, names: list[str]) -> None:
    """Warn of what holds for some participants, each named once."""
    if names:
        shown = paths.some(list(dict.fromkeys(names)))
        warnings.warn(f"{what}: {shown}", InputWarning, stacklevel=2)


def _count(path: Path, axis: int) -> int:
    """Count the slices of a volume by its header alone."""
    return _placed(path)[0][axis]


def _placed(path: Path) -> tuple[tuple[int, ...], np.ndarray]:
    """Give the shape of a volume and its affine [mm], both in RAS order, by its header alone."""
    image = nifti.read_header(path)
    volume, affine_mm = nifti.to_ras(np.broadcast_to(0, image.shape[:3]), nifti.affine_mm(image, path))
    return volume.shape, affine_mm


def _read_nifti(path: Path, axis: int) -> tuple[Data, np.ndarray]:
    volume, image = nifti.read(path, axis=axis)
    return _from_volume(volume, nifti.affine_mm(image, path), axis, path)


def _from_volume(volume: np.ndarray, affine_mm: np.ndarray, axis: int, path: Path) -> tuple[Data, np.ndarray]:
    if axis not in (0, 1, 2):
        raise InputError(f"{path}: expected an axis of 0, 1 or 2, got {axis}")
    volume, affine_mm = nifti.to_ras(volume, affine_mm)
    array = _to_slices(volume, axis)
    errors.check_slice_px(array.shape[1:], path)
    across, down = (a for a in (0, 1, 2) if a != axis)
    sizes_mm = nib.affines.voxel_sizes(affine_mm)[[down, across]]
    names = tuple(f"{path.absolute().name}[{index}]" for index in range(len(array)))
    return Data(array, None, np.tile(sizes_mm, (len(array), 1)), names, volume=True), affine_mm


def _to_slices(volume: np.ndarray, axis: int) -> np.ndarray:
    """RAS volume → (N, H, W): slices along ``axis``, rows running downwards from anterior or superior."""
    return np.moveaxis(volume, axis, 0).swapaxes(1, 2)[:, ::-1]


def _to_volume(slices: np.ndarray, axis: int) -> np.ndarray:
    return np.moveaxis(slices[:, ::-1].swapaxes(1, 2), 0, axis)


def binary(array: np.ndarray, name: str | os.PathLike) -> np.ndarray:
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
    skullmask_lib.errors.InputError: t.npy: expected a binary mask (0 and one other value), got values beside 0: 1, 2
    """
    try:
        return errors.check_binary(array)
    except InputError as error:
        hint = "; JPEG changes the values of masks: save them as PNG" if _is_lossy(name) else ""
        raise InputError(f"{name}: {error}{hint}") from None


def write_masks(
    made: Iterable[np.ndarray],
    output: str | os.PathLike,
    *,
    like: str | os.PathLike,
    shape: tuple[int, int, int],
    keep: Iterable[str | os.PathLike] = (),
    axis: int = 2,
) -> None:
    """Write masks in the format of the images that they belong to; appear whole or not at all.

    Parameters
    ----------
    made : iterable of ndarray of shape (H, W), uint8 of {0, 1}
        Consumed one at a time.
    output : str or path
        ``.npy`` for any source (the source's shape), the only choice for a phantom, a head or a data set; ``.nii`` or
        ``.nii.gz`` for a NIfTI or DICOM source (its geometry, and no text of its header), ``.png`` for one picture (0
        and 255), a folder of such PNG files for a folder of pictures. Like the images they are turned as an
        orientation tag of a picture says, and bear no tag themselves.
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
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/image.npy", np.eye(3))
    ...     write_masks([np.eye(3, dtype=np.uint8)], f"{folder}/mask.npy", like=f"{folder}/image.npy", shape=(1, 3, 3))
    ...     np.load(f"{folder}/mask.npy").shape
    (3, 3)
    """
    output, like = Path(paths.local(output)), paths.local(like)
    writer = masks_writer(output, like)
    if writer is _write_png and shape[0] > 1:
        raise InputError(f"{output}: the {shape[0]} masks of {like} do not fit in one PNG; use .npy")
    if writer is _write_nifti:
        writer = partial(writer, axis=axis)
    with outputs.replacing(output, like, *map(paths.local, keep)) as temporary:
        writer(made, temporary, like, shape)


def masks_name(like: str | os.PathLike) -> str:
    """Name the file that holds masks in the format of the images that they belong to.

    Parameters
    ----------
    like : str or path
        The source of the images.

    Returns
    -------
    str
        ``masks.nii.gz``, ``masks.png``, ``masks`` for a folder of pictures, and ``masks.npy`` for all else.

    Examples
    --------
    >>> masks_name("phantom")
    'masks.npy'
    """
    kind = _kind(like)
    if kind == "series" or kind in nifti.PAIRS:
        kind = ".nii.gz"
    if kind in pictures.SUFFIXES and _ndim(like) == 2:
        kind = ".png"
    return "masks" if kind == "folder" else f"masks{kind if kind in ('.nii', '.nii.gz', '.png') else '.npy'}"


def is_name(source: str | os.PathLike) -> bool:
    """Tell the name of a phantom or of a head from a path.

    Parameters
    ----------
    source : str or path

    Returns
    -------
    bool

    Examples
    --------
    >>> is_name("phantom"), is_name("./phantom")
    (True, False)
    """
    return isinstance(source, str) and source in (*PHANTOMS, *registry.names())


def _kind(source: str | os.PathLike) -> str:
    """Tell a name from a data set, a folder and a DICOM series, and from a file, which gives its suffix."""
    prefix, path = cohorts.prefixed(source)
    if is_name(source) or prefix:
        return prefix or "name"
    if path.is_dir():
        listing, series = _contents(path)
        return "series" if series and not listing.files else "folder"
    return _suffix(path)


def masks_writer(output: Path, like: str | os.PathLike) -> Callable[[Iterable[np.ndarray], Path, object, tuple], None]:
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
    skullmask_lib.errors.InputError: masks.png: the masks of phantom cannot be written as .png; use .npy
    """
    source = _kind(like)
    if source == "folder" and output.suffix.lower() not in SUFFIXES:
        return _write_folder
    suffix = _suffix(output)
    if suffix == ".npy":
        return _write_npy
    if suffix == ".png" and source in pictures.SUFFIXES:
        return _write_png
    if suffix in nifti.SUFFIXES and source in ("series", *nifti.READABLE):
        return _write_nifti
    hint = ".npy"
    if suffix in pictures.SUFFIXES and source in pictures.SUFFIXES:
        hint = "PNG, which keeps them as they are: " + output.with_suffix(".png").name
    elif suffix.startswith(".nii") and str(like) in registry.names():
        hint = f".npy, or mask the whole volume, {registry.path(str(like))}"
    raise InputError(f"{output}: the masks of {like} cannot be written as {suffix}; use {hint}")


def _write_npy(made: Iterable[np.ndarray], output: Path, like: str | os.PathLike, shape: tuple[int, int, int]) -> None:
    header = {"descr": "|u1", "fortran_order": False, "shape": shape[1:] if _ndim(like) == 2 else shape}
    with open(output, "wb") as file:  # slice by slice; a full disk is an error here, and a crash with a memory map
        np.lib.format.write_array_header_1_0(file, header)
        for mask in made:
            file.write(np.ascontiguousarray(mask))


def _ndim(source: str | os.PathLike) -> int:
    """Axes of the slices in a file, without a channel axis."""
    suffix, path = _kind(source), cohorts.prefixed(source)[1]
    if suffix in pictures.SUFFIXES:
        return 2 if pictures.count_pages(path) == 1 else 3
    if suffix == ".npz":
        shape = arrays.npz_shape(path, "images")
    elif suffix == ".npy":
        with warnings.catch_warnings(action="ignore"):  # they were given when it was loaded
            shape = arrays.mapped(path).shape
    else:
        return 3
    return len(shape) - arrays.is_colour(shape)


def _write_png(
    made: Iterable[np.ndarray], output: Path, _like: str | os.PathLike, _shape: tuple[int, int, int]
) -> None:
    for mask in made:
        Image.fromarray(mask * np.uint8(255)).save(output, format="PNG")


def _write_folder(
    made: Iterable[np.ndarray], output: Path, like: str | os.PathLike, _shape: tuple[int, int, int]
) -> None:
    files = pictures_in(Path(like))
    paths.check_distinct([file.stem for file in files], [file.name for file in files], like)
    output.mkdir()
    for file, mask in zip(files, made, strict=True):
        Image.fromarray(mask * np.uint8(255)).save(output / f"{file.stem}.png")


def _write_nifti(
    made: Iterable[np.ndarray], output: Path, like: str | os.PathLike, _shape: tuple, axis: int = 2
) -> None:
    source = _header_of_series(like) if _kind(like) == "series" else nifti.read_header(like)
    volume = nifti.from_ras(_to_volume(np.stack(list(made)), axis), source.affine)
    nifti.write(volume, output, source, shown=(0, 1))


def _header_of_series(folder: str | os.PathLike) -> nib.Nifti1Image:
    with warnings.catch_warnings(action="ignore"):  # what is to be said was said when it was read
        return dicom.read_series(folder)
