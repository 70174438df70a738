"""`load`: the one way from a source, with or without its truth, to a `Data`.

Images and truth are brought together here, and so are the files of a data set. `reading` reads one
file or folder.
"""

import math
import os
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import InputError, InputWarning
from . import arrays, cohorts, missing, pairing, paths, planes, reading, sources
from .data import Data, Origin, select
from .paths import AnyPath
from .reading import Opened

NONE_KNOWN = "no slice of the selection has a known truth"


def load(
    source: AnyPath,
    *,
    truth: AnyPath | None = None,
    axis: int = 2,
    slices: slice | range | None = None,
    channel: int | None = None,
) -> Data:
    """Load slices from a phantom, a registered head, a file, a folder or a data set of the sources.

    Parameters
    ----------
    source : str or path
        One of the following. A name comes before a path: write ``"./chris"`` for a folder of that
        name.

        - ``"phantom"`` or ``"phantom-cropped"``.
        - A head of the registry such as ``"chris"``. It is downloaded once, and gives the axial
          slices whose truth was traced, or all where none was.
        - A file, also as ``file:///…``: ``.npy`` (memory-mapped), ``.npz`` (keys ``images`` and
          where known ``truth``, ``brain``, ``spacing_mm``, ``names``), NIfTI, PNG, TIFF, JPEG or
          BMP. Pictures are read as viewers show them, see `pictures.read`.
        - A folder of pictures of one size, in natural order (``slice_2`` before ``slice_10``), or
          a folder of one DICOM series.
        - ``"nfbs:FOLDER"``, the participants of NFBS one after another with their brain masks, or
          ``"lgg:FOLDER"``, the slices of LGG with their tumour masks, see `cohorts`.
    truth : str or path, optional
        Where the true masks are: 0 and one other value, the same shape as the images. Masks in a
        folder belong to the images of a folder by their names, see `pairing.paired`. So they do to
        a stack with names of its own, unless the names on both sides have nothing in common. To
        any other stack they belong in natural order. Their spacing is taken where the images bring
        none.
    axis : {0, 1, 2}
        Axis of a NIfTI or DICOM volume, in RAS order, across which it is cut: 2 gives axial slices
        with anterior up, 0 sagittal and 1 coronal ones with superior up; the patient's left is on
        the left. If only the images or only the truth are a volume, the other side must hold the
        slices of that axis.
    slices : slice or range, optional
        Which of these slices to take; all by default. Numbers below 0 count from the end. Of a data
        set only the files of these are read.
    channel : int, optional
        Which channel of a colour image to take. Without it colour is refused; of LGG the FLAIR (1)
        is taken, between the images before (0) and after contrast (2).

    Returns
    -------
    Data
        NaN around the head, as other programs leave it in the background, is 0; so is a slice of
        NaN alone, if others show something. The truth is None where it is empty on all slices taken
        and not on others: then it is unknown, see `metrics.known_slices`. The origin lets
        `write_masks` write beside the source without opening it again.

    Raises
    ------
    InputError
        If the source or the truth cannot be used. The message is one line that names the file.

    Warns
    -----
    InputWarning
        About what was left out of a folder, what a file does not keep of its image, a truth that
        was paired in order although one side is a folder of named files, and a truth that is
        unknown on all slices taken.

    Examples
    --------
    >>> data = load("phantom")
    >>> data
    Data(5 slices of 768 x 624 float32, truth, brain, spacing 0.42 x 0.42 mm, phantom[0] … ...)
    >>> data.truth.dtype.name
    'uint8'
    """
    _check_slices(slices)
    images = _open(source, axis, channel, slices)
    if truth is None:
        _check_axis(axis, images)
        data = _take(images, slices)
        return _without_unknown(data, images.data.truth, source)
    masks = _open(truth, axis, None, slices)
    _check_axis(axis, images, masks)
    masks = _in_order_of(images, masks)
    data = _with_truth(images, masks, slices)
    return _without_unknown(data, _masks_of(masks.data), truth)


def _open(
    source: AnyPath,
    axis: int,
    channel: int | None,
    slices: slice | range | None,
) -> Opened:
    """Read a source of any kind; of a data set, only the slices that are wanted."""
    _check_source(source)
    prefix, path = cohorts.prefixed(source)
    is_name = sources.is_name(source)
    if channel is not None and (is_name or prefix == "nfbs:"):
        raise InputError("has no channels; leave the channel out", where=source)
    if prefix:
        data = _read_cohort(prefix, path, axis, channel, slices or slice(None))
        return Opened(data, is_selection=True).named(source)
    if source in sources.PHANTOMS:
        return Opened(reading.read_phantom(source))
    if is_name:
        return reading.read_head(source, axis)
    return reading.read_path(path, axis, channel).named(source)


def _check_source(source: object) -> None:
    """Say what to do with what is no path, or is loaded already."""
    if isinstance(source, Data):
        hint = "got a Data, which is loaded already; take its images"
        raise InputError(f"expected a path or a name, {hint}")
    if isinstance(source, (np.ndarray, list, tuple)):
        raise InputError(
            f"expected a path or a name, got an array of shape {np.shape(source)}; "
            "pass the array itself to create_skull_mask(image) or mask_slices(images, names=…)"
        )
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(f"expected a path or a name, got {type(source).__name__}")
    if not str(source):
        raise InputError("expected a phantom, a file or a folder, got an empty name")


def _check_axis(axis: int, images: Opened, masks: Opened | None = None) -> None:
    """Refuse an axis where neither the images nor their truth are a volume."""
    if axis == 2 or _is_cut(images):
        return
    if masks is not None and _is_cut(masks):
        return
    raise InputError("has no axes to choose from; leave the axis out", where=images.source)


def _is_cut(opened: Opened) -> bool:
    return opened.affine is not None or opened.is_selection


# --- which slices --------------------------------------------------------------------------------


def _check_slices(slices: slice | range | None) -> None:
    """Refuse what names no slices, and ranges that count from both ends."""
    if slices is None:
        return
    if isinstance(slices, range):
        if not slices:
            raise InputError(f"expected slices to take, got {slices!r}, which is empty")
        if (slices[0] < 0) != (slices[-1] < 0):
            raise InputError(f"expected slices that count from one end, got {slices!r}")
        return
    expected = f"expected slices as slice(start, stop), got {slices!r}"
    if not isinstance(slices, slice):
        raise InputError(expected)
    try:
        slices.indices(1)
    except (TypeError, ValueError):  # no whole numbers, or a step of 0
        raise InputError(expected) from None


def _within(slices: slice | range, count: int) -> slice:
    """Return where the wanted slices are among so many; a range may begin before or behind them."""
    if isinstance(slices, slice):
        return slices
    beyond = -count - slices[0] if slices.step > 0 else slices[0] - (count - 1)
    skipped = max(0, math.ceil(beyond / abs(slices.step)))
    inside = slices[skipped:]
    if not inside:
        return slice(0)
    stop: int | None = inside.stop
    if (inside.stop < 0) != (inside[0] < 0):
        stop = None  # up to the last or down to the first; a slice would count from the other end
    return slice(inside.start, stop, inside.step)


def _take(opened: Opened, slices: slice | range | None) -> Data:
    """Keep the slices that are wanted."""
    data = opened.data
    source = opened.source
    if opened.is_selection:
        return data
    if slices is not None:
        places = _within(slices, len(data.names))
        if not data.names[places]:
            raise _no_slice_left(source, len(data.names), slices)
        is_volume = data.volume and _are_neighbours(slices)
        data = replace(select(data, places), volume=is_volume)
    if sources.is_name(source) or opened.affine is not None:
        return data  # volumes were searched for NaN as a whole
    return replace(data, images=_without_nan(data.images, source))


def _are_neighbours(slices: slice | range) -> bool:
    return slices.step in (None, 1)


def _no_slice_left(source: AnyPath, count: int, slices: slice | range) -> InputError:
    """Name the slices as they are typed, such as ``7:12``."""
    ends: list[int | None] = [slices.start, slices.stop]
    if slices.step is not None:
        ends.append(slices.step)
    typed = ":".join("" if end is None else str(end) for end in ends)
    return InputError(f"no slice left of {count} with {typed}", where=source)


def _without_nan(images: np.ndarray, source: AnyPath) -> np.ndarray:
    """Set NaN around the heads to 0, and slices of NaN alone if others show something.

    Images without NaN stay where they are, in a file or in memory.
    """
    if not _has_nan(images):
        return images
    filled = _in_memory(images, source)
    is_blank = np.array([np.isnan(image).all() for image in filled])
    if is_blank.all():
        return images
    remarks = {missing.NAN_IS_ZERO} if is_blank.any() else set()
    filled[is_blank] = 0
    for image in filled:
        zeroed, remark = missing.without_nan(image)
        image[...] = zeroed
        remarks.add(remark)
    remark = missing.joint_remark(remarks)
    if not remark:
        return images
    warnings.warn(InputWarning(remark, where=source), stacklevel=2)
    return filled


def _has_nan(images: np.ndarray) -> bool:
    if images.dtype.kind != "f":
        return False
    return any(np.isnan(part).any() for part in arrays.parts(images))


def _in_memory(images: np.ndarray, source: AnyPath) -> np.ndarray:
    try:
        return arrays.loaded(images)
    except MemoryError:
        size = f"{images.nbytes / 2**30:.3g} GiB"
        raise InputError(
            f"NaN around its heads would be set to 0, but its {size} do not fit in "
            "memory; take some of its slices (--slices), or use batch, which reads one after "
            "another",
            where=source,
        ) from None


# --- the truth -----------------------------------------------------------------------------------


def _in_order_of(images: Opened, masks: Opened) -> Opened:
    """Bring true masks into the order of their images, where both have names."""
    image_names = images.data.names
    mask_names = masks.data.names
    if not (images.has_names and masks.has_names):
        is_mixed = images.is_folder != masks.is_folder
        if is_mixed and len(image_names) == len(mask_names) > 1:
            pairing.warn_of_order("one side has no names", masks.source, stacklevel=3)
        return masks
    try:
        order = pairing.paired(image_names, mask_names, source=masks.source)
    except InputError:
        if images.is_folder and masks.is_folder:
            raise
        if len(image_names) != len(mask_names):
            raise
        if not pairing.are_unrelated(image_names, mask_names):
            raise
        pairing.warn_of_order("their names have nothing in common", masks.source, stacklevel=3)
        return masks
    return masks._replace(data=select(masks.data, order))


def _with_truth(images: Opened, masks: Opened, slices: slice | range | None) -> Data:
    """Take the wanted slices of images and truth, if both belong together."""
    data = _take(images, slices)
    true = _take(masks, slices)
    truth = _masks_of(true)
    shape = data.images.shape
    if truth.shape != shape:
        wanted = f"a truth of the images' shape {shape}"
        got = f"{truth.shape} ({images.source})"
        raise InputError(f"expected {wanted}, got {got}", where=masks.source)
    if images.affine is not None and masks.affine is not None:
        origin = data.origin
        planes.check_place(origin, images.affine, masks.data.origin, masks.affine, shape)
    truth = reading.binary(truth, _lossy_name(true.names) or masks.source)
    spacing_mm = data.spacing_mm
    if spacing_mm is None:
        spacing_mm = true.spacing_mm
    return replace(data, truth=truth, spacing_mm=spacing_mm)


def _masks_of(true: Data) -> np.ndarray:
    """Return the true masks of a source that was named as the truth."""
    return true.images if true.truth is None else true.truth


def _lossy_name(names: tuple[str, ...]) -> str:
    """Return the first name of a file that does not keep its masks; empty if there is none."""
    for name in names:
        if reading.is_lossy(name):
            return name
    return ""


def _without_unknown(
    data: Data,
    masks: np.ndarray | None,
    truth: AnyPath,
) -> Data:
    """Drop a truth that is empty on all slices taken, where that of others is not."""
    if data.truth is None or data.truth.any():
        return data
    if masks is None or len(masks) <= len(data.images):
        return data
    if not any(np.nan_to_num(mask).any() for mask in masks):
        return data
    warnings.warn(InputWarning(NONE_KNOWN, where=truth), stacklevel=2)
    return replace(data, truth=None)


# --- data sets -----------------------------------------------------------------------------------


class _Part(NamedTuple):
    """One file of a data set, and the slices wanted of it."""

    owner: str
    image: Path
    mask: Path | None
    count: int  # slices in the file
    places: np.ndarray  # of the wanted slices in the file
    rows: np.ndarray  # of these slices in the result


@dataclass
class _Filling:
    """Arrays filled file by file: a whole data set is too large to be held twice."""

    count: int
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, kind: str, array: np.ndarray | None, part: _Part) -> None:
        if array is None:
            return
        if kind not in self.arrays:
            shape = (self.count, *array.shape[1:])
            self.arrays[kind] = np.empty(shape, array.dtype)
        target = self.arrays[kind]
        if array.shape != (part.count, *target.shape[1:]):
            wanted = "slices of the first file's shape"
            raise InputError(f"expected {wanted}, got {array.shape}", where=part.image)
        target[part.rows] = array[part.places]


def _read_cohort(
    prefix: str,
    folder: Path,
    axis: int,
    channel: int | None,
    slices: slice | range,
) -> Data:
    """Read those files of a data set of which a slice is wanted, one after another."""
    are_volumes = prefix == "nfbs:"
    parts = _parts_of_cohort(prefix, folder, axis, slices)
    without_mask = [part.owner for part in parts if not part.mask]
    _warn_of(f"{folder}: comes without masks, for some have none", without_mask)
    if not are_volumes and channel is None:
        channel = cohorts.FLAIR
    filling = _Filling(sum(len(part.places) for part in parts))
    names: list[str] = []
    for part in parts:
        truth = None if without_mask else part.mask
        data = load(part.image, truth=truth, axis=axis, channel=channel)
        filling.add("images", data.images, part)
        filling.add("spacing_mm", data.spacing_mm, part)
        filling.add("brain" if are_volumes else "tumour", data.truth, part)
        names += _names_of_part(part, are_volumes)
    has_one_owner = len({part.owner for part in parts}) == 1
    return Data(
        images=filling.arrays["images"],
        truth=None,
        spacing_mm=filling.arrays.get("spacing_mm"),
        names=tuple(names),
        brain=filling.arrays.get("brain"),
        volume=has_one_owner and _are_neighbours(slices),
        tumour=filling.arrays.get("tumour"),
        origin=Origin(folder, prefix),
    )


def _parts_of_cohort(
    prefix: str,
    folder: Path,
    axis: int,
    slices: slice | range,
) -> list[_Part]:
    """Find the files that hold the wanted slices of a data set."""
    files = cohorts.files(prefix, folder)
    _check_cohort_axis(prefix, folder, axis)
    without_image = [owner for owner, image, _ in files if not image]
    _warn_of(f"{folder}: left out, for they lack their images", without_image)
    files = [row for row in files if row[1]]
    counts = [_count_slices(prefix, image, axis) for _, image, _ in files]
    starts = np.cumsum([0, *counts])
    total = starts[-1]
    wanted = np.arange(total)[_within(slices, total)]
    if not wanted.size:
        raise _no_slice_left(folder, total, slices)
    file_of_slice = np.searchsorted(starts, wanted, side="right") - 1
    parts = []
    for number in dict.fromkeys(file_of_slice.tolist()):
        rows = np.flatnonzero(file_of_slice == number)
        places = wanted[rows] - starts[number]
        parts.append(_Part(*files[number], counts[number], places, rows))
    return parts


def _check_cohort_axis(prefix: str, folder: Path, axis: int) -> None:
    if prefix == "nfbs:" and axis not in (0, 1, 2):
        raise InputError(f"expected axis 0, 1 or 2, got {axis}", where=folder)
    if prefix == "lgg:" and axis != 2:
        raise InputError(f"expected axis 2, got {axis}", where=folder)


def _count_slices(prefix: str, image: Path, axis: int) -> int:
    """Count the slices of a volume by its header alone; a picture of LGG is one slice."""
    if prefix == "lgg:":
        return 1
    shape, _ = planes.read_place(image)
    return shape[axis]


def _names_of_part(part: _Part, are_volumes: bool) -> list[str]:
    if not are_volumes:
        return [part.image.name] * len(part.places)
    return [f"{part.owner}[{place}]" for place in part.places]


def _warn_of(remark: str, owners: list[str]) -> None:
    """Warn of what holds for some participants, each named once."""
    if owners:
        shown = paths.some(list(dict.fromkeys(owners)))
        warnings.warn(InputWarning(shown, where=remark), stacklevel=2)
