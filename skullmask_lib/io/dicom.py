"""A folder of DICOM files read as one volume in its place; of their tags, geometry and scaling alone.

Every file is looked at before any pixel is read. What is damaged is refused, and what is no slice
of the one series is left out; either way each file is named.
"""

import io
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
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # DICOM's axes run to the left, posterior and superior
_OFF_MM = 0.1  # how far a slice may lie off its place in an even stack: rounded numbers
_OFF = 0.15  # of the distance of two slices: a jitter of a tenth moves the fitted line, too
_SHEAR = 0.01  # of the stack's length: how far its slices may drift sideways
_SAME = 0.01  # of the distance of two slices: closer ones lie in one place
_DEFERRED = 4096  # bytes of a tag that is read only when it is asked for
_DEPTH = 5  # folders below the one that was named
_MOST_FILES = 50_000
_MOST_NAMES = 10  # in one message
_SMALL = 2**26  # bytes that any slice may take when it is unpacked
_DEFLATED = "1.2.840.10008.1.2.1.99"
_PICTURES = (*pictures.SUFFIXES, ".npy", ".npz", *nifti.READABLE)
_DECODERS = {  # of a transfer syntax, by how its number begins
    "1.2.840.10008.1.2.4.9": "pylibjpeg pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.20": "pylibjpeg pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.5": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.7": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.8": "pylibjpeg pylibjpeg-libjpeg",
}
_BARE = re.compile(  # how a file without a preamble begins: a tag of group 2 or 8, and its type
    rb"(?:[\x02\x08]\0.\0|\0\x08\0.)"
    rb"(?:AE|AS|CS|DA|DS|DT|IS|LO|LT|OB|OW|PN|SH|SQ|ST|TM|UI|UL|UN|US|UT)",
    re.DOTALL,
)
_EVEN = bytes(range(2, 256, 2))
_TYPELESS = re.compile(  # or one of group 8 without its type: a tag that may be first, its length
    rb"\x08\0(?:"
    rb"[\0\x01]\0\x04\0\0\0....\x08\0"  # a number, and the next tag
    rb"|[\x05\x08\x10\x12-\x16\x18]\0(?:\0\0\0\0\x08\0|[" + re.escape(_EVEN) + rb"]\0\0\0[ -~]{2})"  # a text
    rb")",
    re.DOTALL,
)


class _Slice(NamedTuple):
    """One slice: where its pixels are, and where it lies."""

    file: Path
    index: int
    frame: np.ndarray  # rows, columns, their spacing [mm] and the two axes
    place_mm: np.ndarray
    thick_mm: float
    slope: float
    intercept: float


@dataclass(frozen=True, eq=False)
class _Survey:
    """What a file is, by its tags."""

    file: Path
    series: str = ""
    title: str = ""
    slices: tuple[_Slice, ...] = ()
    left_out: str = ""  # why it is a slice of no volume
    fault: str = ""  # why its series cannot be read
    is_localizer: bool = False
    is_inverted: bool = False
    is_compressed: bool = False


def files_in(folder: str | os.PathLike) -> list[Path]:
    """List the DICOM files of a folder by what they hold: their names need no suffix.

    Parameters
    ----------
    folder : str or path

    Returns
    -------
    list of Path
        Sorted by name; without what is hidden, and without the DICOMDIR, which is an index. Where
        the folder itself holds neither DICOM files nor pictures, those of its subfolders; links to
        folders are not followed.

    Raises
    ------
    InputError
        If there are too many files in the subfolders to look at.

    Examples
    --------
    >>> files_in(Path(__file__).parent)
    []
    """
    entries = _entries(Path(folder))
    found = [file for file in entries if _is_slice(file)]
    if found or any(entry.name.lower().endswith(_PICTURES) for entry in entries):
        return found
    return [file for file in _below(Path(folder)) if _is_slice(file)]


def is_dicom(file: Path) -> bool:
    """Tell whether a file has DICM at byte 128, or begins with a first tag of DICOM.

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
    return start[128:132] == b"DICM" or bool(_BARE.match(start) or _TYPELESS.match(start))


def _start(file: Path) -> bytes:
    """Give the first bytes of a file; none where it cannot be read."""
    try:
        if not file.is_file():
            return b""
        with open(file, "rb") as stream:
            return stream.read(512)
    except OSError:
        return b""


def _is_slice(file: Path) -> bool:
    return file.name.upper() != "DICOMDIR" and is_dicom(file)


def _entries(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not paths.is_hidden(entry.name))


def _below(folder: Path) -> Iterator[Path]:
    """Go through the files in the folders of a folder."""
    count = 0
    for parent, folders, names in os.walk(folder):
        depth = len(Path(parent).relative_to(folder).parts)
        if depth < _DEPTH:
            folders[:] = sorted(name for name in folders if not paths.is_hidden(name))
        else:
            folders.clear()
        for name in sorted(names):
            count += 1
            if count > _MOST_FILES:
                raise InputError(f"{folder}: holds over {_MOST_FILES} files; name that of one series")
            if depth and not paths.is_hidden(name):
                yield Path(parent, name)


def read_series(folder: str | os.PathLike) -> nib.Nifti1Image:
    """Read the one DICOM series of a folder; the order of its slices follows from where they lie.

    Reports, secondary captures, localizers beside another series, copies and files of other kinds
    are left out, and named in one warning.

    Parameters
    ----------
    folder : str or path
        Of files of one slice each, or of enhanced files of several; see `files_in` for subfolders.

    Returns
    -------
    Nifti1Image
        float32 of shape (columns, rows, slices), slope and intercept of every slice applied,
        MONOCHROME1 inverted, and padding set to the lowest value of the rest; the affine leads to
        RAS+ in millimetres. Nothing else of the tags is in it.

    Raises
    ------
    InputError
        If pydicom is missing, a file is damaged, or the slices are no even stack of one series.

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
        raise InputError(f"{folder}: no DICOM file in this folder")
    dcmread = extra("pydicom", "DICOM", "volumes").dcmread
    surveys = _survey_all(folder, files, dcmread)
    series = _one_series(folder, surveys)
    left_out = [(each.file, _reason(each)) for each in surveys if each not in series]
    left_out += _others(folder, files)
    slices = _ordered([each for survey in series for each in survey.slices])
    if any(survey.is_compressed for survey in series):
        _check_size(folder, slices)
    volume = _air(_read_pixels(slices, dcmread), folder, series[0].is_inverted)
    slices, volume, copies = _without_copies(slices, volume)
    left_out += [(copy, "a copy of another") for copy in copies]
    if left_out:
        shown = _shown(left_out, folder)
        warnings.warn(f"{folder.absolute().name}: left out: {shown}", InputWarning, stacklevel=2)
    affine = _TO_RAS @ _affine(folder, slices)
    nifti.check_voxels(nib.affines.voxel_sizes(affine), folder)
    image = nib.Nifti1Image(volume.transpose(2, 1, 0), affine)
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    image.header.set_xyzt_units("mm")
    return image


# --- which files ---------------------------------------------------------------------------------


def _survey_all(folder: Path, files: list[Path], dcmread: Callable) -> list[_Survey]:
    """Look at every file; the damaged ones are refused together."""
    surveys, damaged = [], _damaged(files)
    for file in files:
        try:
            with nifti.reading(file, "DICOM"):
                surveys.append(_survey(file, _tags(file, dcmread)))
        except InputError as error:
            damaged.append((file, str(error).removeprefix(f"{file}: ")))
    if len(damaged) == 1:
        [(file, reason)] = damaged
        raise InputError(f"{file}: {reason}")
    if damaged:
        count = f"{len(damaged)} of {len(files) + sum(file not in files for file, _ in damaged)}"
        raise InputError(f"{folder}: {count} files are damaged: {_shown(damaged, folder)}")
    return surveys


def _damaged(files: list[Path]) -> list[tuple[Path, str]]:
    """Find what lies beside DICOM files and is named as they are: what is left of a slice."""
    suffixes = {_suffix(file) for file in files}
    found = []
    for entry in _beside(files):
        suffix = _suffix(entry)
        if suffix not in suffixes:
            continue
        if not entry.exists():
            found.append((entry, "a link to nothing"))
        elif entry.is_file() and not entry.stat().st_size:
            found.append((entry, "empty"))
        elif entry.is_file() and (suffix or b"\0" in _start(entry)):  # no text such as VERSION
            found.append((entry, "cut off, or not a DICOM file"))
    return found


def _others(folder: Path, files: list[Path]) -> list[tuple[Path, str]]:
    """Find what else lies beside DICOM files."""
    left_out = []
    for entry in _beside(files):
        if not entry.is_dir():
            left_out.append((entry, "no DICOM file"))
        elif entry.parent == folder and any(map(_is_slice, _below_or_in(entry))):
            left_out.append((entry, "a subfolder"))
    return left_out


def _beside(files: list[Path]) -> list[Path]:
    """List what lies in the folders of some files, without them and without their index."""
    known = set(files)
    found = []
    for parent in sorted({file.parent for file in files}):
        for entry in _entries(parent):
            if entry not in known and entry.name.upper() != "DICOMDIR":
                found.append(entry)
    return found


def _below_or_in(folder: Path) -> Iterator[Path]:
    yield from _entries(folder)
    yield from _below(folder)


def _suffix(file: Path) -> str:
    """Give the suffix of a name; the last number of a UID is none."""
    suffix = file.suffix.lower()
    return "" if suffix[1:].isdecimal() else suffix


class _Bounded(io.BufferedReader):
    """A file of which pydicom reads the rest at once only to inflate it, which is bounded here."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read some bytes, or the rest if that unpacks to what a slice takes."""
        data = super().read(size)
        if size is None or size < 0:
            unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, _SMALL + 1)
            if len(unpacked) > _SMALL:
                most = f"{_SMALL >> 20} MiB, more than a slice takes"
                raise InputError(f"{self.name}: unpacks to over {most}")
        return data


def _tags(file: Path, dcmread: Callable):
    """Read the tags of a file, its pixels only when they are asked for."""
    with _Bounded(io.FileIO(str(file))) as stream:
        tags = dcmread(stream, force=True, defer_size=_DEFERRED)
        if tags.file_meta.get("TransferSyntaxUID") == _DEFLATED:  # its pixels are in no file
            stream.seek(0)
            tags = dcmread(stream, force=True)
    return tags


def _survey(file: Path, tags) -> _Survey:
    """Find out by its tags what a file is, or say what is damaged."""
    kind = tags.get("SOPClassUID") or tags.file_meta.get("MediaStorageSOPClassUID")
    name = getattr(kind, "name", "")
    series = str(tags.get("SeriesInstanceUID") or "")
    has_pixels = any(tag in tags for tag in _PIXELS)
    if "Image" not in name and name != kind and name:
        return _Survey(file, series, left_out=name.removesuffix(" Storage"))
    if "Image" not in name and name and not has_pixels:
        return _Survey(file, series, fault="of an unknown kind, and without pixels")
    if not has_pixels:
        raise ValueError("cut off: it has no pixel data")
    fault = _fault(tags)
    if fault and "Secondary Capture" in name:
        return _Survey(file, series, left_out="a secondary capture")
    if not fault:
        _check_pixels(file, tags)
    kinds = _listed(tags.get("ImageType"))
    if "MOSAIC" in kinds:
        fault = "a mosaic, many small slices in one picture; convert it to NIfTI first"
    title = " ".join(str(tags.get(tag, "")) for tag in ("SeriesNumber", "SeriesDescription"))
    return _Survey(
        file,
        series,
        title="".join(letter for letter in title if letter.isprintable()).strip(),
        slices=() if fault else tuple(_slices(file, tags)),
        fault=fault,
        is_localizer="LOCALIZER" in kinds,
        is_inverted=str(tags.get("PhotometricInterpretation")) == "MONOCHROME1",
        is_compressed=_is_compressed(tags),
    )


def _listed(value: object) -> list[str]:
    """Give the values of a tag that may have one or several, in capitals."""
    if value is None or isinstance(value, str):
        value = [value or ""]
    return [str(each).upper() for each in value]


def _check_pixels(file: Path, tags) -> None:
    """Hold what a picture promises against what its file holds, before anything is decoded."""
    name = next(tag for tag in _PIXELS if tag in tags)
    lacking = [tag for tag in ("Rows", "Columns", "BitsAllocated") if tags.get(tag) is None]
    if lacking:
        raise ValueError(f"{', '.join(lacking)} missing")
    element = tags.get_item(name, keep_deferred=True)
    size = file.stat().st_size
    bits = int(tags.BitsAllocated)
    frames = int(tags.get("NumberOfFrames") or 1)
    sides = (int(tags.Rows), int(tags.Columns), frames)
    if min(sides) < 1:
        raise ValueError(f"a picture of {tags.Rows} rows and {tags.Columns} columns")
    check_slice_px(sides[:2], file)
    promised = math.prod(sides) * bits // 8
    if _is_compressed(tags):
        if promised > max(nifti.PACKING * size, _SMALL):
            raise ValueError(f"{promised} bytes of pixels promised, more than {size} bytes can hold")
        return
    length = element.length if hasattr(element, "length") else len(element.value)
    whole = length if element.value is None else len(element.value)
    if element.value is None and element.value_tell + length > size:
        whole = size - element.value_tell
    if whole < min(length, promised) or length < promised:
        raise ValueError(f"cut off: {promised} bytes of pixels expected, got {whole}")
    if whole > promised + 1:  # an even number is right
        text = f"{whole - promised} bytes behind its pixels are left out; is its size right?"
        warnings.warn(f"{file.name}: {text}", InputWarning, stacklevel=2)


def _is_compressed(tags) -> bool:
    syntax = tags.file_meta.get("TransferSyntaxUID")
    return bool(syntax and not syntax.is_private and syntax.is_encapsulated)


def _fault(tags) -> str:
    """Say why a picture is no slice of a volume."""
    grey = str(tags.get("PhotometricInterpretation", "MONOCHROME2")).startswith("MONOCHROME")
    if not grey or tags.get("SamplesPerPixel", 1) != 1:
        return "expected grey levels, got a colour picture"
    frames = int(tags.get("NumberOfFrames") or 1)
    groups = _frame_groups(tags)
    if frames > 1 and not groups[0]:
        return f"expected one slice in a file, got {frames} frames; convert it to NIfTI first"
    if len(groups) != frames:
        raise ValueError(f"{frames} frames promised, the places of {len(groups)} given")
    for group in groups:
        lacking = [tag for tag in _GEOMETRY if _look_up(tags, group, tag) is None]
        if lacking:
            return f"no slice ({', '.join(lacking)} missing); take it out"
    return ""


def _frame_groups(tags) -> list[tuple]:
    """Give the functional groups of every frame, its own first; none where a file has none."""
    shared = tuple(tags.get("SharedFunctionalGroupsSequence") or ())
    own = tags.get("PerFrameFunctionalGroupsSequence")
    if not own:
        return [shared]
    return [(group, *shared) for group in own]


def _look_up(tags, groups: tuple, tag: str) -> object:
    """Give the value of a tag in the groups of a frame, or beside them; None where it is empty."""
    for group in groups:
        for item in group.get(_GROUPS[tag]) or ():
            if item.get(tag) not in (None, "", []):
                return item.get(tag)
    value = tags.get(tag)
    return None if value in (None, "", []) else value


def _slices(file: Path, tags) -> Iterator[_Slice]:
    """Read where the slices of a file lie."""
    for index, groups in enumerate(_frame_groups(tags)):
        look_up = partial(_look_up, tags, groups)
        place_mm = np.array(look_up("ImagePositionPatient"), float).reshape(3)
        axes = np.array(look_up("ImageOrientationPatient"), float).reshape(2, 3)
        spacing_mm = np.array(look_up("PixelSpacing"), float).reshape(2)
        right = np.allclose(axes @ axes.T, np.eye(2), atol=1e-3) and (spacing_mm > 0).all()
        if not right or not np.isfinite([*place_mm, *spacing_mm]).all():
            wanted = "a position, two perpendicular unit vectors and a spacing above 0 mm"
            raise InputError(f"{file}: expected {wanted}")
        thick_mm = look_up("SpacingBetweenSlices") or look_up("SliceThickness") or 1
        slope = look_up("RescaleSlope")
        scaling = (1.0 if slope is None else float(slope), float(look_up("RescaleIntercept") or 0))
        if not np.isfinite(scaling).all():
            raise InputError(f"{file}: expected a finite slope and intercept, got {scaling}")
        frame = np.array([tags.Rows, tags.Columns, *spacing_mm, *axes.ravel()], float)
        yield _Slice(file, index, frame, place_mm, abs(float(thick_mm)), *scaling)


def _one_series(folder: Path, surveys: list[_Survey]) -> list[_Survey]:
    """Choose the files of the one series, or refuse."""
    with_slices = [survey for survey in surveys if survey.slices]
    series: dict[str, list[_Survey]] = {}
    for survey in [each for each in with_slices if not each.is_localizer] or with_slices:
        series.setdefault(survey.series, []).append(survey)
    if len(series) > 1:
        told = " and ".join(_title(files, folder) for files in series.values())
        count = f"holds {len(series)} series"
        raise InputError(f"{folder}: {count}: {told}; give each a folder of its own")
    for survey in surveys:
        if survey.fault and (not series or survey.series in ("", *series)):
            raise InputError(f"{survey.file}: {survey.fault}")
    if not series:
        told = _shown([(survey.file, survey.left_out) for survey in surveys], folder)
        raise InputError(f"{folder}: holds no slice, but {told}")
    [chosen] = series.values()
    if len({survey.is_inverted for survey in chosen}) > 1:
        wanted = "MONOCHROME1 or MONOCHROME2 in all files of a series"
        raise InputError(f"{folder}: expected {wanted}, got both")
    return chosen


def _reason(survey: _Survey) -> str:
    """Say why a file is left out beside the series that was chosen."""
    return survey.left_out or survey.fault.partition(";")[0] or "a localizer"


def _title(series: list[_Survey], folder: Path) -> str:
    """Name a series by its files, its number and its description."""
    first = series[0].file.relative_to(folder).as_posix()
    title = f", {series[0].title}" if series[0].title else ""
    if len(series) == 1:
        return f"1 file ({first}{title})"
    return f"{len(series)} files ({first} …{title})"


def _shown(files: list[tuple[Path, str]], folder: Path) -> str:
    """Name files with what is said of them."""
    by_reason: dict[str, list[str]] = {}
    for file, reason in files:
        by_reason.setdefault(reason, []).append(file.relative_to(folder).as_posix())
    return "; ".join(f"{', '.join(_runs(names))} ({reason})" for reason, names in by_reason.items())


def _runs(names: list[str]) -> list[str]:
    """Name all files where they are few, and else the ends of runs of numbers."""
    if len(names) <= _MOST_NAMES:
        return names
    runs = texts.spans(sorted(names, key=paths.natural))
    if len(runs) > _MOST_NAMES:
        return [*runs[:_MOST_NAMES], f"and {len(runs) - _MOST_NAMES} more"]
    return runs


# --- where they lie ------------------------------------------------------------------------------


def _ordered(slices: list[_Slice]) -> list[_Slice]:
    """Bring slices of one size, spacing and orientation into the order in which they lie."""
    first = slices[0]
    for each in slices:
        if not np.allclose(each.frame, first.frame, rtol=1e-4, atol=1e-3):
            told = f"the size, pixel spacing and orientation of {first.file.name}"
            raise InputError(f"{each.file}: expected {told}, got others; is it a localizer?")
    normal = np.cross(*first.frame[4:].reshape(2, 3))
    return sorted(slices, key=lambda each: each.place_mm @ normal)


def _without_copies(slices: list[_Slice], volume: np.ndarray) -> tuple[list[_Slice], np.ndarray, list[Path]]:
    """Drop slices that lie where another lies and show the same; others that do are refused."""
    normal = np.cross(*slices[0].frame[4:].reshape(2, 3))
    gaps_mm = np.diff([each.place_mm @ normal for each in slices])
    kept = [0]
    copies = []
    for k, gap_mm in enumerate(gaps_mm, 1):
        one = slices[kept[-1]]
        other = slices[k]
        if gap_mm > _SAME * gaps_mm.max():
            kept.append(k)
            continue
        is_same = np.array_equal(volume[kept[-1]], volume[k])
        if not is_same or not np.allclose(one.place_mm, other.place_mm, atol=1e-3):
            raise InputError(_overlap(one, other))
        copies.append(other.file)
    if copies:
        volume = volume[kept]
    return [slices[k] for k in kept], volume, copies


def _overlap(one: _Slice, other: _Slice) -> str:
    if one.file == other.file:
        return f"{one.file}: holds two slices in one place; convert each echo or time to NIfTI"
    hint = "give every echo or time a folder of its own"
    return f"{one.file}: lies where {other.file.name} lies; {hint}"


def _affine(folder: Path, slices: list[_Slice]) -> np.ndarray:
    """Lead from column, row and slice to DICOM's world, if the slices are an even stack."""
    spacing_mm, axes = slices[0].frame[2:4], slices[0].frame[4:].reshape(2, 3)
    normal = np.cross(*axes)
    origin_mm, step_mm = slices[0].place_mm, normal * slices[0].thick_mm
    if len(slices) > 1:
        origin_mm, step_mm = _line(folder, np.array([each.place_mm for each in slices]))
        if np.linalg.norm(np.cross(step_mm, normal)) > _SHEAR * np.linalg.norm(step_mm):
            wanted = "each slice straight above the last"
            raise InputError(f"{folder}: expected {wanted}, got a tilted gantry")
    column_mm, row_mm = axes * spacing_mm[::-1, None]  # from one column, and row, to the next
    return nib.affines.from_matvec(np.column_stack([column_mm, row_mm, step_mm]), origin_mm)


def _line(folder: Path, places_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit origin and step of an even stack; refuse one whose slices lie off their places."""
    numbers = np.arange(len(places_mm))
    line_mm = np.round(np.polynomial.polynomial.polyfit(numbers, places_mm, 1), 9)
    origin_mm, step_mm = line_mm
    off_mm = places_mm - origin_mm - numbers[:, None] * step_mm
    length_mm = np.linalg.norm(step_mm)
    if np.abs(off_mm).max() > max(_OFF_MM, _OFF * length_mm):
        gaps_mm = np.diff(places_mm @ (step_mm / length_mm))
        told = f"{gaps_mm.min():.4g} to {gaps_mm.max():.4g} mm"
        raise InputError(f"{folder}: expected slices at even distances, got {told}; is one missing?")
    return origin_mm, step_mm


# --- what they show ------------------------------------------------------------------------------


def _check_size(folder: Path, slices: list[_Slice]) -> None:
    """Refuse a compressed series that would take far more memory than its files let expect."""
    rows, columns = slices[0].frame[:2].astype(int).tolist()
    size = len(slices) * rows * columns * np.dtype(np.float32).itemsize
    packed = sum(file.stat().st_size for file in {each.file for each in slices})
    check_unpacked(size, packed, folder, hint="resample it, or decompress it")


def _read_pixels(slices: list[_Slice], dcmread: Callable) -> np.ndarray:
    """Read slices as (N, rows, columns) of float32, with NaN where there is padding."""
    volume = np.empty((len(slices), *slices[0].frame[:2].astype(int)), np.float32)
    numbers: dict[Path, list[int]] = {}
    for number, each in enumerate(slices):
        numbers.setdefault(each.file, []).append(number)
    for file, its_numbers in numbers.items():
        with nifti.reading(file, "DICOM"):
            tags = _tags(file, dcmread)
            planes = _decoded(file, tags).reshape(-1, *volume.shape[1:])
            padding = _padding(tags, planes)
        for number in its_numbers:
            _, index, *_, slope, intercept = slices[number]
            volume[number] = planes[index] * slope + intercept
            if padding is not None:
                volume[number][padding[index]] = np.nan
    return volume


def _decoded(file: Path, tags) -> np.ndarray:
    """Give the numbers of a file as they are stored, or say what decodes them."""
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
        raise InputError(f"{file}: {_undecoded(tags.file_meta.TransferSyntaxUID, error)}") from None


def _undecoded(syntax, error: Exception) -> str:
    """Say what is missing where a file cannot be decoded."""
    pixels = extra("pydicom.pixels", "DICOM", "volumes")
    told = f"compressed as {syntax.name}"
    package = next((name for start, name in _DECODERS.items() if syntax.startswith(start)), None)
    if package and not pixels.get_decoder(syntax).is_available:
        return f"{told}; to decode it, pip install {package} (or python-gdcm)"
    if isinstance(error, NotImplementedError):
        return f"{told}, which nothing here decodes; decompress it first"
    reason = re.sub(r"\s*<[^>]*>", "", " ".join(str(error).split())).rpartition("plugins: ")[2]
    hint = f", or for another decoder: pip install {package} (or python-gdcm)" if package else ""
    return f"{told} and not decoded ({reason}); damaged{hint}"


def _padding(tags, planes: np.ndarray) -> np.ndarray | None:
    """Find the pixels that are outside of the picture."""
    value = tags.get("PixelPaddingValue")
    if value is None or planes.dtype.kind not in "iu":
        return None
    limit = tags.get("PixelPaddingRangeLimit")
    ends = np.array([value, value if limit is None else limit], np.int64)
    low, high = sorted(ends.astype(planes.dtype).tolist())  # some write them in the other sign
    return (planes >= low) & (planes <= high)


def _air(volume: np.ndarray, folder: Path, is_inverted: bool) -> np.ndarray:
    """Invert a volume whose high values are dark, and fill its padding with its lowest value."""
    padding = np.isnan(volume)
    if padding.all():
        raise InputError(f"{folder}: expected pixels, every one is padding")
    if is_inverted:
        volume = np.nanmax(volume) - volume
    if padding.any():
        volume[padding] = np.nanmin(volume)
    return volume
