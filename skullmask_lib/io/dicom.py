"""A folder of DICOM files read as one volume, placed where the scanner saw it.

Only the tags for geometry and scaling are used, none that says whose head it is. Every file is
surveyed before any pixel is read. Damaged files are refused, and files that are not slices of the
one series are skipped; in both cases the message names each file.
"""

import io
import itertools
import math
import os
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np

from .. import texts
from ..errors import InputError, InputWarning, check_slice_px, check_unpacked, extra
from . import nifti, paths, pictures
from .paths import AnyPath

_GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
_GROUPS = {  # of an enhanced file: what holds a tag of one frame, or of all
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "SpacingBetweenSlices": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
}
_PICTURE_TAGS = ("Rows", "Columns", "BitsAllocated")
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # from left, posterior, superior

# How far a slice may lie off its place in an even stack
_OFF_MM = 0.1  # by rounded numbers
_OFF = 0.15  # of the distance of two slices: a jitter of a tenth moves the fitted line, too
_SHEAR = 0.01  # of the stack's length, sideways
_SAME = 0.01  # of the distance of two slices: closer ones lie in one place

# How far pixel spacings, relative, and direction cosines may be rounded in one series
_ROUNDED = 1e-3

_DEFERRED_BYTES = 4096  # of a tag that is read only when it is asked for
_START_BYTES = 512  # of a file, enough to recognize it
_DEPTH = 5  # folders below the one that was named
_MOST_FILES = 50_000
_MOST_NAMES = 10  # in one message
_SLICE_BYTES = 2**26  # that any slice may take when it is unpacked
_DEFLATED = "1.2.840.10008.1.2.1.99"
_IMAGES = (*pictures.SUFFIXES, ".npy", ".npz", *nifti.READABLE)
_DECODERS = {  # packages that decode a transfer syntax, by how its number begins
    "1.2.840.10008.1.2.4.9": "pylibjpeg pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.20": "pylibjpeg pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.5": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.7": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.8": "pylibjpeg pylibjpeg-libjpeg",
}
# How a file without a preamble begins: with a tag of group 2 or 8, and its type
_WITH_TYPE = re.compile(
    rb"(?:[\x02\x08]\0.\0|\0\x08\0.)"
    rb"(?:AE|AS|CS|DA|DS|DT|IS|LO|LT|OB|OW|PN|SH|SQ|ST|TM|UI|UL|UN|US|UT)",
    re.DOTALL,
)

# Or with a tag of group 8 that may be the first, and its length
_EVEN = bytes(range(2, 256, 2))
_WITHOUT_TYPE = re.compile(
    rb"\x08\0(?:"
    rb"[\0\x01]\0\x04\0\0\0....\x08\0"  # a number, and the next tag
    rb"|[\x05\x08\x10\x12-\x16\x18]\0(?:\0\0\0\0\x08\0|["
    + re.escape(_EVEN)
    + rb"]\0\0\0[ -~]{2})"  # a text
    rb")",
    re.DOTALL,
)


class _Slice(NamedTuple):
    """One slice: where its pixels are, and where it lies."""

    file: Path
    index: int  # of the frame in its file
    shape: tuple[int, int]
    spacing_mm: np.ndarray  # of rows, and of columns
    axes: np.ndarray  # unit vectors from one column, and from one row, to the next
    place_mm: np.ndarray
    thick_mm: float
    slope: float
    intercept: float

    @property
    def normal(self) -> np.ndarray:
        """Unit vector across the slice."""
        return np.cross(*self.axes)


@dataclass(frozen=True, eq=False)
class _Survey:
    """What a file holds, by its tags."""

    file: Path
    series: str = ""
    title: str = ""
    slices: tuple[_Slice, ...] = ()
    left_out: str = ""  # why it is no slice of a volume
    fault: str = ""  # why its series cannot be read
    is_localizer: bool = False
    is_inverted: bool = False
    is_compressed: bool = False

    @property
    def reason(self) -> str:
        """Why the file is left out beside the series that was chosen."""
        if self.left_out:
            return self.left_out
        return self.fault.partition(";")[0] or "a localizer"


def files_in(folder: AnyPath) -> list[Path]:
    """List the DICOM files of a folder; their names need no suffix.

    Parameters
    ----------
    folder : str or path

    Returns
    -------
    list of Path
        Sorted by name, without hidden files and without the DICOMDIR, which is an index. Where the
        folder itself holds neither DICOM files nor images of another format, the DICOM files of
        its subfolders; links to folders are not followed.

    Raises
    ------
    InputError
        If there are too many files in the subfolders to look at.

    Examples
    --------
    >>> files_in(Path(__file__).parent)
    []
    """
    folder = Path(folder)
    entries = _entries(folder)
    files = [file for file in entries if _is_slice(file)]
    if files or any(map(_is_other_image, entries)):
        return files
    return [file for file in _below(folder) if _is_slice(file)]


def _is_other_image(file: Path) -> bool:
    return file.name.lower().endswith(_IMAGES)


def is_dicom(file: Path) -> bool:
    """Return whether a file has DICM at byte 128, or begins with a first tag of DICOM.

    Parameters
    ----------
    file : Path

    Returns
    -------
    bool
        False for a pipe or a device, which is not opened.

    Examples
    --------
    >>> is_dicom(Path(__file__)), is_dicom(Path("missing"))
    (False, False)
    """
    start = _start(file)
    if _is_marked(start):
        return True
    return bool(_WITH_TYPE.match(start) or _WITHOUT_TYPE.match(start))


def has_mark(file: Path) -> bool:
    """Return whether a file has DICM at byte 128, as every DICOM file should.

    Parameters
    ----------
    file : Path

    Returns
    -------
    bool

    Examples
    --------
    >>> has_mark(Path(__file__))
    False
    """
    return _is_marked(_start(file))


def _is_marked(start: bytes) -> bool:
    return start[128:132] == b"DICM"


def _start(file: Path) -> bytes:
    """Return the first bytes of a file; none where it cannot be read."""
    try:
        if not file.is_file():
            return b""
        with open(file, "rb") as stream:
            return stream.read(_START_BYTES)
    except OSError:
        return b""


def _is_slice(file: Path) -> bool:
    return file.name.upper() != "DICOMDIR" and is_dicom(file)


def _entries(folder: Path) -> list[Path]:
    """List a folder without what is hidden."""
    entries = sorted(folder.iterdir())
    return [entry for entry in entries if not paths.is_hidden(entry.name)]


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files in the subfolders of a folder."""
    count = 0
    for parent, subfolders, names in os.walk(folder):
        depth = len(Path(parent).relative_to(folder).parts)
        visible = [name for name in subfolders if not paths.is_hidden(name)]
        subfolders[:] = sorted(visible) if depth < _DEPTH else []
        for name in sorted(names):
            count += 1
            if count > _MOST_FILES:
                hint = "name that of one series"
                raise InputError(f"holds over {_MOST_FILES} files; {hint}", where=folder)
            if depth and not paths.is_hidden(name):
                yield Path(parent, name)


def read_series(folder: AnyPath) -> nib.Nifti1Image:
    """Read the one DICOM series of a folder; its slices are ordered by where they lie.

    Reports, secondary captures, localizers beside another series, copies and files of other kinds
    are left out, and one warning names them.

    Parameters
    ----------
    folder : str or path
        Holds files of one slice each, or enhanced files of several; see `files_in` for subfolders.

    Returns
    -------
    Nifti1Image
        float32 of shape (columns, rows, slices). Slope and intercept of every slice are applied,
        MONOCHROME1 is inverted, and padding is set to the lowest value of the rest. The affine
        leads to RAS+ in millimetres. Nothing else of the tags is kept.

    Raises
    ------
    InputError
        If pydicom is missing, a file is damaged, or the slices are not an even stack of one
        series.

    References
    ----------
    DICOM PS3.3, C.7.6.2.1.1: the pixel's place in the patient; C.7.5.1.1.2: padding.

    Examples
    --------
    >>> read_series(Path(__file__).parent)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: ...: no DICOM file in this folder
    """
    folder = Path(folder)
    files = files_in(folder)
    if not files:
        raise InputError("no DICOM file in this folder", where=folder)
    dcmread = extra("pydicom", "DICOM", "volumes").dcmread
    surveys = _survey_all(folder, files, dcmread)
    series = _one_series(folder, surveys)
    slices: list[_Slice] = []
    for survey in series:
        slices += survey.slices
    slices = _ordered(slices)
    if any(survey.is_compressed for survey in series):
        _check_size(folder, slices)
    volume = _read_pixels(slices, dcmread)
    volume = _without_padding(volume, folder, series[0].is_inverted)
    slices, volume, copies = _without_copies(slices, volume)
    chosen = set(series)
    left_out = []
    for survey in surveys:
        if survey not in chosen:
            left_out.append((survey.file, survey.reason))
    left_out += _others(folder, files)
    left_out += [(copy, "a copy of another") for copy in copies]
    if left_out:
        remark = f"left out: {_shown(left_out, folder)}"
        warnings.warn(InputWarning(remark, where=folder.absolute().name), stacklevel=2)
    return _image(folder, slices, volume)


def _image(folder: Path, slices: list[_Slice], volume: np.ndarray) -> nib.Nifti1Image:
    """Put a volume (slices, rows, columns) in its place."""
    affine = _TO_RAS @ _affine(folder, slices)
    nifti.check_voxels(nib.affines.voxel_sizes(affine), folder)
    image = nib.Nifti1Image(volume.transpose(2, 1, 0), affine)
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    image.header.set_xyzt_units("mm")
    return image


# --- which files ---------------------------------------------------------------------------------


def _survey_all(folder: Path, files: list[Path], dcmread: Callable) -> list[_Survey]:
    """Survey every file; damaged ones are refused together."""
    surveys = []
    damaged = _damaged(files)
    for file in files:
        try:
            with nifti.reading(file, "DICOM"):
                surveys.append(_survey(file, _tags(file, dcmread)))
        except InputError as error:
            damaged.append((file, error.message))
    if len(damaged) == 1:
        [(file, reason)] = damaged
        raise InputError(reason, where=file)
    if damaged:
        total = len({*files, *dict(damaged)})
        count = f"{len(damaged)} of {total} files are damaged"
        raise InputError(f"{count}: {_shown(damaged, folder)}", where=folder)
    return surveys


def _damaged(files: list[Path]) -> list[tuple[Path, str]]:
    """Find what is left of a slice: files named like the DICOM files beside them."""
    suffixes = {_suffix(file) for file in files}
    damaged = []
    for entry in _beside(files):
        if _suffix(entry) in suffixes:
            reason = _damage(entry)
            if reason:
                damaged.append((entry, reason))
    return damaged


def _damage(entry: Path) -> str:
    """Say why an entry is no DICOM file; empty for a folder, or for a text such as VERSION."""
    if not entry.exists():
        return "a link to nothing"
    if not entry.is_file():
        return ""
    if not entry.stat().st_size:
        return "empty"
    if _suffix(entry) or b"\0" in _start(entry):
        return "cut off, or not a DICOM file"
    return ""


def _others(folder: Path, files: list[Path]) -> list[tuple[Path, str]]:
    """List what else lies beside DICOM files."""
    left_out = []
    for entry in _beside(files):
        if not entry.is_dir():
            left_out.append((entry, "no DICOM file"))
        elif entry.parent == folder:
            kind = _kind_of_subfolder(entry)
            if kind:
                left_out.append((entry, kind))
    return left_out


def _beside(files: list[Path]) -> list[Path]:
    """List what lies in the folders of some files, without them and without their index."""
    known = set(files)
    beside = []
    for parent in sorted({file.parent for file in files}):
        for entry in _entries(parent):
            if entry not in known and entry.name.upper() != "DICOMDIR":
                beside.append(entry)
    return beside


def _kind_of_subfolder(folder: Path) -> str:
    """Say what a subfolder is; empty if there is no DICOM file in it or below."""
    try:
        files = itertools.chain(_entries(folder), _below(folder))
        return "a subfolder" if any(map(_is_slice, files)) else ""
    except (InputError, OSError):  # too many files, or no permission
        return "a subfolder that cannot be looked through"


def _suffix(file: Path) -> str:
    """Return the suffix of a name; the last number of a UID is not one."""
    suffix = file.suffix.lower()
    return "" if suffix[1:].isdecimal() else suffix


class _Bounded(io.BufferedReader):
    """A file that is not inflated beyond what a slice takes.

    pydicom reads the rest of a file at once only to inflate it.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        """Read some bytes, or the rest if that unpacks to what a slice takes."""
        data = super().read(size)
        if size is None or size < 0:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            unpacked = inflater.decompress(data, _SLICE_BYTES + 1)
            if len(unpacked) > _SLICE_BYTES:
                most = f"{_SLICE_BYTES >> 20} MiB, more than a slice takes"
                raise InputError(f"unpacks to over {most}", where=self.name)
        return data


def _tags(file: Path, dcmread: Callable):
    """Read the tags of a file, its pixels only when they are asked for."""
    with _Bounded(io.FileIO(str(file))) as stream:
        tags = dcmread(stream, force=True, defer_size=_DEFERRED_BYTES)
        is_deflated = tags.file_meta.get("TransferSyntaxUID") == _DEFLATED
        if is_deflated:  # then pixels cannot be read from the file later
            stream.seek(0)
            tags = dcmread(stream, force=True)
    return tags


def _survey(file: Path, tags) -> _Survey:
    """Find out what a file holds, or say what is damaged."""
    series = str(tags.get("SeriesInstanceUID") or "")
    kind = _kind(tags)
    has_pixels = any(tag in tags for tag in _PIXELS)
    if kind.is_other:
        return _Survey(file, series, left_out=kind.name.removesuffix(" Storage"))
    if kind.is_unknown and not has_pixels:
        return _Survey(file, series, fault="of an unknown kind, and without pixels")
    if not has_pixels:
        raise ValueError("cut off: it has no pixel data")
    fault = _fault(tags)
    if fault and "Secondary Capture" in kind.name:
        return _Survey(file, series, left_out="a secondary capture")
    if not fault:
        _check_pixels(file, tags)
    image_type = _listed(tags.get("ImageType"))
    if "MOSAIC" in image_type:
        hint = "convert it to NIfTI first"
        fault = f"a mosaic, many small slices in one picture; {hint}"
    return _Survey(
        file,
        series,
        title=_title(tags),
        slices=() if fault else tuple(_slices(file, tags)),
        fault=fault,
        is_localizer="LOCALIZER" in image_type,
        is_inverted=str(tags.get("PhotometricInterpretation")) == "MONOCHROME1",
        is_compressed=_is_compressed(tags),
    )


class _Kind(NamedTuple):
    """What a file says that it is."""

    name: str
    is_other: bool  # of a known kind that is not an image
    is_unknown: bool


def _kind(tags) -> _Kind:
    uid = tags.get("SOPClassUID") or tags.file_meta.get("MediaStorageSOPClassUID")
    name = getattr(uid, "name", "")
    if not name or "Image" in name:
        return _Kind(name, is_other=False, is_unknown=False)
    is_unknown = name == uid  # pydicom names what it does not know by its number
    return _Kind(name, not is_unknown, is_unknown)


def _title(tags) -> str:
    """Return number and description of a series."""
    words = [str(tags.get(tag, "")) for tag in ("SeriesNumber", "SeriesDescription")]
    return "".join(filter(str.isprintable, " ".join(words))).strip()


def _listed(value: object) -> list[str]:
    """Return the values of a tag that may have one or several, in capitals."""
    if value is None or isinstance(value, str):
        value = [value or ""]
    return [str(item).upper() for item in value]


def _check_pixels(file: Path, tags) -> None:
    """Compare what a picture promises with what its file holds, before anything is decoded."""
    lacking = [tag for tag in _PICTURE_TAGS if tags.get(tag) is None]
    if lacking:
        raise ValueError(f"{', '.join(lacking)} missing")
    shape = (int(tags.Rows), int(tags.Columns), _count_frames(tags))
    if min(shape) < 1:
        rows, columns, _ = shape
        raise ValueError(f"a picture of {rows} rows and {columns} columns")
    check_slice_px(shape[:2], file)
    promised = math.prod(shape) * int(tags.BitsAllocated) // 8
    size = file.stat().st_size
    if not _is_compressed(tags):
        _check_stored(file, tags, promised)
    elif promised > max(nifti.PACKING * size, _SLICE_BYTES):
        hint = f"more than {size} bytes can hold"
        raise ValueError(f"{promised} bytes of pixels promised, {hint}")


def _check_stored(file: Path, tags, promised: int) -> None:
    """Refuse a file that is cut off, and warn of one that holds more than was promised."""
    name = next(tag for tag in _PIXELS if tag in tags)
    element = tags.get_item(name, keep_deferred=True)
    length = getattr(element, "length", None)
    if length is None:  # it was read already
        length = len(element.value)
    stored = length
    if element.value is not None:
        stored = len(element.value)
    elif element.value_tell + length > file.stat().st_size:
        stored = file.stat().st_size - element.value_tell
    if stored < min(length, promised) or length < promised:
        expected = f"{promised} bytes of pixels expected"
        raise ValueError(f"cut off: {expected}, got {stored}")
    if stored > promised + 1:  # an even number is right
        excess = f"{stored - promised} bytes behind its pixels are left out"
        remark = f"{excess}; is its size right?"
        warnings.warn(InputWarning(remark, where=file.name), stacklevel=2)


def _count_frames(tags) -> int:
    return int(tags.get("NumberOfFrames") or 1)


def _is_compressed(tags) -> bool:
    syntax = tags.file_meta.get("TransferSyntaxUID")
    return bool(syntax and not syntax.is_private and syntax.is_encapsulated)


def _fault(tags) -> str:
    """Say why a picture is no slice of a volume; empty if it is one."""
    photometric = str(tags.get("PhotometricInterpretation", "MONOCHROME2"))
    is_grey = photometric.startswith("MONOCHROME")
    if not is_grey or tags.get("SamplesPerPixel", 1) != 1:
        return "expected grey levels, got a colour picture"
    frames = _count_frames(tags)
    groups = _frame_groups(tags)
    if frames > 1 and not groups[0]:
        hint = "convert it to NIfTI first"
        return f"expected one slice in a file, got {frames} frames; {hint}"
    if len(groups) != frames:
        count = len(groups)
        raise ValueError(f"{frames} frames promised, the places of {count} given")
    for group in groups:
        lacking = [tag for tag in _GEOMETRY if _look_up(tags, group, tag) is None]
        if lacking:
            return f"no slice ({', '.join(lacking)} missing); take it out"
    return ""


def _frame_groups(tags) -> list[tuple]:
    """Return the functional groups of every frame, its own first; none where a file has none."""
    shared = tuple(tags.get("SharedFunctionalGroupsSequence") or ())
    own = tags.get("PerFrameFunctionalGroupsSequence")
    if not own:
        return [shared]
    return [(group, *shared) for group in own]


def _look_up(tags, groups: tuple, tag: str) -> object:
    """Return the value of a tag in the groups of a frame or beside them, or None."""
    empty = (None, "", [])
    for group in groups:
        for item in group.get(_GROUPS[tag]) or ():
            if item.get(tag) not in empty:
                return item.get(tag)
    value = tags.get(tag)
    return None if value in empty else value


def _slices(file: Path, tags) -> Iterator[_Slice]:
    """Read where the slices of a file lie."""
    for index, groups in enumerate(_frame_groups(tags)):
        look_up = partial(_look_up, tags, groups)
        place_mm = np.array(look_up("ImagePositionPatient"), float).reshape(3)
        axes = np.array(look_up("ImageOrientationPatient"), float).reshape(2, 3)
        spacing_mm = np.array(look_up("PixelSpacing"), float).reshape(2)
        _check_geometry(file, place_mm, axes, spacing_mm)
        thick_mm = look_up("SpacingBetweenSlices")
        thick_mm = thick_mm or look_up("SliceThickness") or 1
        slope = look_up("RescaleSlope")
        slope = 1.0 if slope is None else float(slope)
        intercept = float(look_up("RescaleIntercept") or 0)
        if not np.isfinite([slope, intercept]).all():
            wanted = "a finite slope and intercept"
            raise InputError(f"expected {wanted}, got {(slope, intercept)}", where=file)
        yield _Slice(
            file=file,
            index=index,
            shape=(int(tags.Rows), int(tags.Columns)),
            spacing_mm=spacing_mm,
            axes=axes,
            place_mm=place_mm,
            thick_mm=abs(float(thick_mm)),
            slope=slope,
            intercept=intercept,
        )


def _check_geometry(
    file: Path,
    place_mm: np.ndarray,
    axes: np.ndarray,
    spacing_mm: np.ndarray,
) -> None:
    """Refuse a slice that lies nowhere, or askew."""
    is_square = np.allclose(axes @ axes.T, np.eye(2), atol=1e-3)
    is_finite = np.isfinite([*place_mm, *spacing_mm]).all()
    if not is_square or not is_finite or not (spacing_mm > 0).all():
        wanted = "a position, two perpendicular unit vectors and a spacing above 0 mm"
        raise InputError(f"expected {wanted}", where=file)


def _one_series(folder: Path, surveys: list[_Survey]) -> list[_Survey]:
    """Choose the files of the one series, or refuse."""
    series = _by_series(surveys)
    if len(series) > 1:
        described = [_described(files, folder) for files in series.values()]
        count = f"holds {len(series)} series"
        hint = "give each a folder of its own"
        raise InputError(f"{count}: {' and '.join(described)}; {hint}", where=folder)
    for survey in surveys:
        is_of_it = survey.series in ("", *series)
        if survey.fault and (is_of_it or not series):
            raise InputError(survey.fault, where=survey.file)
    if not series:
        others = [(survey.file, survey.left_out) for survey in surveys]
        raise InputError(f"holds no slice, but {_shown(others, folder)}", where=folder)
    [chosen] = series.values()
    if len({survey.is_inverted for survey in chosen}) > 1:
        wanted = "MONOCHROME1 or MONOCHROME2 in all files of a series"
        raise InputError(f"expected {wanted}, got both", where=folder)
    return chosen


def _by_series(surveys: list[_Survey]) -> dict[str, list[_Survey]]:
    """Sort files with slices into series; localizers count only where there is nothing else."""
    with_slices = [survey for survey in surveys if survey.slices]
    scans = [survey for survey in with_slices if not survey.is_localizer]
    series: dict[str, list[_Survey]] = {}
    for survey in scans or with_slices:
        series.setdefault(survey.series, []).append(survey)
    return series


def _described(series: list[_Survey], folder: Path) -> str:
    """Describe a series by its files, its number and its description."""
    first = series[0].file.relative_to(folder).as_posix()
    title = series[0].title
    if title:
        title = f", {title}"
    if len(series) == 1:
        return f"1 file ({first}{title})"
    return f"{len(series)} files ({first} …{title})"


def _shown(files: list[tuple[Path, str]], folder: Path) -> str:
    """Name files by what is said of them."""
    by_reason: dict[str, list[str]] = {}
    for file, reason in files:
        name = file.relative_to(folder).as_posix()
        by_reason.setdefault(reason, []).append(name)
    shown = []
    for reason, names in by_reason.items():
        shown.append(f"{', '.join(_runs(names))} ({reason})")
    return "; ".join(shown)


def _runs(names: list[str]) -> list[str]:
    """Name all files where they are few, and else the ends of runs of numbers."""
    if len(names) <= _MOST_NAMES:
        return names
    runs = texts.spans(sorted(names, key=paths.natural))
    more = len(runs) - _MOST_NAMES
    if more > 0:
        return [*runs[:_MOST_NAMES], f"and {more} more"]
    return runs


# --- where they lie ------------------------------------------------------------------------------


def _ordered(slices: list[_Slice]) -> list[_Slice]:
    """Sort slices of one size, spacing and orientation by where they lie."""
    first = slices[0]
    for one in slices:
        if not _is_alike(one, first):
            wanted = f"the size, pixel spacing and orientation of {first.file.name}"
            hint = "is it a localizer?"
            raise InputError(f"expected {wanted}, got others; {hint}", where=one.file)
    normal = first.normal
    return sorted(slices, key=lambda one: one.place_mm @ normal)


def _is_alike(one: _Slice, other: _Slice) -> bool:
    """Return whether two slices have one size, spacing and orientation, but for rounding."""
    has_spacing = np.allclose(one.spacing_mm, other.spacing_mm, rtol=_ROUNDED, atol=0)
    has_axes = np.allclose(one.axes, other.axes, rtol=0, atol=_ROUNDED)
    return one.shape == other.shape and has_spacing and has_axes


def _without_copies(
    slices: list[_Slice],
    volume: np.ndarray,
) -> tuple[list[_Slice], np.ndarray, list[Path]]:
    """Drop slices that lie where another lies and show the same; refuse those that show others."""
    normal = slices[0].normal
    gaps_mm = np.diff([one.place_mm @ normal for one in slices])
    kept = [0]
    copies = []
    for number, gap_mm in enumerate(gaps_mm, 1):
        if gap_mm > _SAME * gaps_mm.max():
            kept.append(number)
            continue
        one = slices[kept[-1]]
        other = slices[number]
        is_same = np.array_equal(volume[kept[-1]], volume[number])
        is_close = np.allclose(one.place_mm, other.place_mm, atol=1e-3)
        if not (is_same and is_close):
            raise InputError(_overlap(one, other), where=one.file)
        copies.append(other.file)
    if copies:
        volume = volume[kept]
    return [slices[number] for number in kept], volume, copies


def _overlap(one: _Slice, other: _Slice) -> str:
    if one.file == other.file:
        hint = "convert each echo or time to NIfTI"
        return f"holds two slices in one place; {hint}"
    hint = "give every echo or time a folder of its own"
    return f"lies where {other.file.name} lies; {hint}"


def _affine(folder: Path, slices: list[_Slice]) -> np.ndarray:
    """Lead from column, row and slice to DICOM's world, if the slices are an even stack."""
    first = slices[0]
    origin_mm = first.place_mm
    step_mm = first.normal * first.thick_mm
    if len(slices) > 1:
        places_mm = np.array([one.place_mm for one in slices])
        origin_mm, step_mm = _line(folder, places_mm)
        drift_mm = np.linalg.norm(np.cross(step_mm, first.normal))
        if drift_mm > _SHEAR * np.linalg.norm(step_mm):
            wanted = "each slice straight above the last"
            raise InputError(f"expected {wanted}, got a tilted gantry", where=folder)
    row_spacing_mm, column_spacing_mm = first.spacing_mm
    along_row, along_column = first.axes
    column_mm = along_row * column_spacing_mm  # from one column to the next
    row_mm = along_column * row_spacing_mm
    steps_mm = np.column_stack([column_mm, row_mm, step_mm])
    return nib.affines.from_matvec(steps_mm, origin_mm)


def _line(folder: Path, places_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit origin and step of an even stack; refuse one whose slices lie off their places."""
    numbers = np.arange(len(places_mm))
    line_mm = np.polynomial.polynomial.polyfit(numbers, places_mm, 1)
    origin_mm, step_mm = np.round(line_mm, 9)
    off_mm = places_mm - origin_mm - numbers[:, None] * step_mm
    length_mm = np.linalg.norm(step_mm)
    if np.abs(off_mm).max() > max(_OFF_MM, _OFF * length_mm):
        gaps_mm = np.diff(places_mm @ (step_mm / length_mm))
        got = f"{gaps_mm.min():.4g} to {gaps_mm.max():.4g} mm; is one missing?"
        wanted = "slices at even distances"
        raise InputError(f"expected {wanted}, got {got}", where=folder)
    return origin_mm, step_mm


# --- what they show ------------------------------------------------------------------------------


def _check_size(folder: Path, slices: list[_Slice]) -> None:
    """Refuse a compressed series that would take far more memory than its files let expect."""
    count = len(slices) * math.prod(slices[0].shape)
    size = count * np.dtype(np.float32).itemsize
    files = {one.file for one in slices}
    packed = sum(file.stat().st_size for file in files)
    check_unpacked(size, packed, folder, hint="resample it, or decompress it")


def _read_pixels(slices: list[_Slice], dcmread: Callable) -> np.ndarray:
    """Read slices as (N, rows, columns) of float32, with NaN where there is padding."""
    shape = slices[0].shape
    volume = np.empty((len(slices), *shape), np.float32)
    numbers_of: dict[Path, list[int]] = {}
    for number, one in enumerate(slices):
        numbers_of.setdefault(one.file, []).append(number)
    for file, numbers in numbers_of.items():
        with nifti.reading(file, "DICOM"):
            tags = _tags(file, dcmread)
            frames = _decoded(file, tags).reshape(-1, *shape)
            padding = _padding(tags, frames)
        for number in numbers:
            one = slices[number]
            volume[number] = frames[one.index] * one.slope + one.intercept
            if padding is not None:
                volume[number][padding[one.index]] = np.nan
    return volume


def _decoded(file: Path, tags) -> np.ndarray:
    """Return the numbers of a file as they are stored, or say what decodes them."""
    uid = extra("pydicom.uid", "DICOM", "volumes")
    if "TransferSyntaxUID" not in tags.file_meta:
        syntaxes = {
            (True, True): uid.ImplicitVRLittleEndian,
            (False, True): uid.ExplicitVRLittleEndian,
            (False, False): uid.ExplicitVRBigEndian,
        }
        tags.file_meta.TransferSyntaxUID = syntaxes[tags.original_encoding]
    try:
        return tags.pixel_array
    except (RuntimeError, NotImplementedError) as error:
        reason = _undecoded(tags.file_meta.TransferSyntaxUID, error)
        raise InputError(reason, where=file) from None


def _undecoded(syntax, error: Exception) -> str:
    """Say what is missing where a file cannot be decoded."""
    pixels = extra("pydicom.pixels", "DICOM", "volumes")
    compression = f"compressed as {syntax.name}"
    package = _decoder_of(syntax)
    if package and not pixels.get_decoder(syntax).is_available:
        hint = f"to decode it, pip install {package} (or python-gdcm)"
        return f"{compression}; {hint}"
    if isinstance(error, NotImplementedError):
        return f"{compression}, which nothing here decodes; decompress it first"
    reason = " ".join(str(error).split())
    reason = re.sub(r"\s*<[^>]*>", "", reason)
    _, _, reason = reason.rpartition("plugins: ")
    hint = ""
    if package:
        hint = f", or for another decoder: pip install {package} (or python-gdcm)"
    return f"{compression} and not decoded ({reason}); damaged{hint}"


def _decoder_of(syntax) -> str:
    """Name the packages that decode a transfer syntax; empty if none does."""
    for start, package in _DECODERS.items():
        if syntax.startswith(start):
            return package
    return ""


def _padding(tags, frames: np.ndarray) -> np.ndarray | None:
    """Find the pixels that are outside of the picture."""
    value = tags.get("PixelPaddingValue")
    if value is None or frames.dtype.kind not in "iu":
        return None
    limit = tags.get("PixelPaddingRangeLimit")
    if limit is None:
        limit = value
    ends = np.array([value, limit], np.int64).astype(frames.dtype)
    low, high = sorted(ends.tolist())  # some are written with the other sign
    return (frames >= low) & (frames <= high)


def _without_padding(volume: np.ndarray, folder: Path, is_inverted: bool) -> np.ndarray:
    """Invert a volume whose high values are dark, and fill its padding with its lowest value."""
    padding = np.isnan(volume)
    if padding.all():
        raise InputError("expected pixels, every one is padding", where=folder)
    if is_inverted:
        volume = np.nanmax(volume) - volume
    if padding.any():
        volume[padding] = np.nanmin(volume)
    return volume
