"""NIfTI volumes in and out: read once and checked, and written with the geometry of their scan.

A file is read by what it holds, not by its name: gzip or plain, NIfTI-1 or -2, one file or a pair,
Analyze 7.5. The header is checked against the size of the file before memory is allocated. Volumes
are cut into slices in `planes`, not here.
"""

import contextlib
import gzip
import io
import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np

from ..errors import (
    InputError,
    InputWarning,
    check_affine,
    check_slice_px,
    check_unpacked,
    placed,
)
from . import paths
from .missing import without_nan
from .paths import AnyPath

SUFFIXES = (".nii", ".nii.gz")
PAIRS = (".hdr", ".img", ".hdr.gz", ".img.gz")  # read, never written
READABLE = SUFFIXES + PAIRS
PACKING = 1032  # deflate packs at most this many bytes into one
VOXEL_MM = (0.05, 50.0)  # smallest and largest; beyond these the unit is wrong

_SPARE_BYTES = 4096  # may follow the voxels
_SIZE_TOLERANCE = 0.02  # relative, between the affine and the spacing
_MILLIMETRES = {  # in NIfTI's units
    "unknown": 1.0,
    "mm": 1.0,
    "meter": 1000.0,
    "micron": 0.001,
}
_CODES = ("qform_code", "sform_code")
_GEOMETRY = (  # fields of a header that say where the voxels lie
    "pixdim",
    "xyzt_units",
    *_CODES,
    "quatern_b",
    "quatern_c",
    "quatern_d",
    "qoffset_x",
    "qoffset_y",
    "qoffset_z",
    "srow_x",
    "srow_y",
    "srow_z",
)
_ANALYZE = re.compile(rb"\x5c\x01\0\0|\0\0\x01\x5c")  # the size of its header, in either order


class _Header(NamedTuple):
    """The header of a file, and where its voxels are."""

    fields: nib.Nifti1Header
    scaling: tuple[float, float]
    voxels: Path
    offset: int  # of the first voxel [bytes]
    spare: int  # bytes that may follow the voxels

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(int, self.fields.get_data_shape()))

    @property
    def dtype(self) -> np.dtype:
        return self.fields.get_data_dtype()

    @property
    def count(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def end(self) -> int:
        """Where the voxels end [bytes]."""
        return self.offset + self.count * self.dtype.itemsize


def read(
    path: AnyPath,
    dtype: type | None = np.float32,
    *,
    axis: int | None = None,
) -> tuple[np.ndarray, nib.Nifti1Image]:
    """Read one volume, in the file's own order of axes.

    NaN around the head becomes 0, see `missing.without_nan`. A warning says so, and another says
    what had to be guessed from the header.

    Parameters
    ----------
    path : str or path
        NIfTI-1 or -2, packed by gzip or not, whatever its name says; or either file of a pair
        ``.hdr`` and ``.img``, NIfTI or Analyze 7.5.
    dtype : type or None
        Float type of the values; None is the file's own type, float64 where it has a slope.
    axis : {0, 1, 2}, optional
        Axis in RAS order across which the volume will be cut, if that is known.

    Returns
    -------
    array : ndarray of shape (X, Y, Z)
        Slope and intercept applied. Axes of length 1 behind the second are dropped where there are
        more than three; one slice (X, Y) is a volume (X, Y, 1).
    image : Nifti1Image or Nifti2Image
        The file as it is, for `write`.

    Raises
    ------
    InputError
        If the file is damaged, holds more or less than its header promises, or is not one volume
        of finite values; if its affine cannot be right, see `affine_mm`; or if its slices are too
        large, see `errors.check_slice_px`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     image = nib.Nifti1Image(np.ones((2, 3, 4, 1), np.int16), np.eye(4))
    ...     nib.save(image, f"{folder}/a.nii.gz")
    ...     read(f"{folder}/a.nii.gz")[0].shape
    (2, 3, 4)
    """
    path = Path(path)
    with reading(path, split_name(path)[1] or ".nii"):
        header = _read_header(path)
        _check_slices(path, header, axis)
        image = _bundled(_voxels(path, header), header.fields)
        values = _values(image, dtype)
        _warn_of_guesses(path, header, image)
        volume = values.reshape(_volume_shape(header.shape))
        return _finite(volume, path), image


def affine_mm(image: nib.Nifti1Image, path: AnyPath) -> np.ndarray:
    """Return the affine of an image in millimetres, whatever its header's unit.

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
        If the unit is not one of length, or cannot be right: see `check_voxels`; or if the affine
        cannot be used, see `errors.check_affine`.

    Examples
    --------
    >>> image = nib.Nifti1Image(np.zeros((2, 2, 2)), np.diag([0.001, 0.001, 0.002, 1]))
    >>> image.header.set_xyzt_units("meter")
    >>> affine_mm(image, "a.nii").diagonal()
    array([1., 1., 2., 1.])
    """
    unit = image.header.get_xyzt_units()[0]
    if unit not in _MILLIMETRES:
        wanted = "a header in metres, millimetres or micrometres"
        raise InputError(f"expected {wanted}, got {unit}", where=path)
    scale = _MILLIMETRES[unit]
    affine = np.diag([scale, scale, scale, 1.0]) @ image.affine
    check_voxels(nib.affines.voxel_sizes(affine), path, unit)
    with placed(path):
        return check_affine(affine, 4)


def check_voxels(sizes_mm: np.ndarray, path: AnyPath, unit: str = "mm") -> None:
    """Refuse voxels of a size that no scan of a head has: their unit or their spacing is wrong.

    Parameters
    ----------
    sizes_mm : ndarray of shape (3,)
    path : str or path
        The file, for the message.
    unit : str
        Unit of the header, for the message.

    Raises
    ------
    InputError
        If a size lies outside of `VOXEL_MM`.

    Examples
    --------
    >>> check_voxels(np.array([0.001, 0.001, 0.003]), "a.nii", "micron")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: a.nii: expected voxels of 0.05 to 50 mm, got 0.001 × ...
    """
    low, high = VOXEL_MM
    is_large_enough = sizes_mm >= low * (1 - 1e-6)
    is_small_enough = sizes_mm <= high * (1 + 1e-6)
    if (is_large_enough & is_small_enough).all():
        return
    wanted = f"voxels of {low:g} to {high:g} mm"
    got = f"{_times(sizes_mm)} mm"
    hint = f"is the unit of its header right ({unit})?"
    raise InputError(f"expected {wanted}, got {got}; {hint}", where=path)


def _times(sizes: np.ndarray) -> str:
    """Write sizes as a product, such as ``1 × 1 × 3``."""
    return " × ".join(f"{size:.4g}" for size in sizes)


@contextlib.contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a reader raises on a damaged file into one line that names the file.

    Parameters
    ----------
    path : Path
    kind : str
        What the file should be, for the message.

    Raises
    ------
    InputError

    Examples
    --------
    >>> with reading(Path("a.png"), ".png"):
    ...     raise EOFError("no more data in a.png")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: a.png: not a readable .png file (no more data in it)
    """
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    except InputError:
        raise
    except MemoryError:
        raise InputError("does not fit in memory", where=path) from None
    except Exception as error:  # readers raise whatever they like where a file is damaged
        reason = re.sub(r"\s+", " ", str(error)) or type(error).__name__
        reason = _without_path(reason, path)
        raise InputError(f"not a readable {kind} file ({reason})", where=path) from None
    for warning in caught:
        if issubclass(warning.category, InputWarning):  # what readers remark themselves is checked
            warnings.warn(warning.message, stacklevel=3)


def _without_path(reason: str, path: Path) -> str:
    """Replace the path in a reason; of a path that is a mere word only where it is quoted."""
    name = re.escape(str(path))
    pattern = rf"(?<!\w){name}(?!\w)"
    if str(path).isalnum():
        pattern = rf"(?<=['\"]){name}(?=['\"])"
    return re.sub(pattern, "it", reason)


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
        Of the turned volume.

    Examples
    --------
    >>> array, affine = to_ras(np.arange(3).reshape(3, 1, 1), np.diag([-1, 1, 1, 1]))
    >>> array.ravel(), affine[0]
    (array([2, 1, 0]), array([ 1.,  0.,  0., -2.]))
    """
    axes = nib.io_orientation(affine)
    turned = nib.orientations.apply_orientation(array, axes)
    back = nib.orientations.inv_ornt_aff(axes, array.shape)
    return turned, affine @ back


def from_ras(array: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Turn a volume back into the order of axes of an affine: undo `to_ras`.

    Parameters
    ----------
    array : ndarray of shape (R, A, S)
    affine : ndarray of shape (4, 4)
        Of the volume before `to_ras`.

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
    ras = [[0, 1], [1, 1], [2, 1]]
    axes = nib.io_orientation(affine)
    back = nib.orientations.ornt_transform(ras, axes)
    return nib.orientations.apply_orientation(array, back)


def _values(image: nib.Nifti1Image, dtype: type | None) -> np.ndarray:
    if dtype is None:
        return np.asanyarray(image.dataobj)
    return image.get_fdata(dtype=dtype, caching="unchanged")


def has_orientation(image: nib.Nifti1Image) -> bool:
    """Return whether a header says where its axes point.

    Parameters
    ----------
    image : Nifti1Image

    Returns
    -------
    bool
        False where the codes of sform and qform are both 0: then which side is left is a guess.

    Examples
    --------
    >>> volume = np.zeros((2, 2, 2))
    >>> has_orientation(nib.Nifti1Image(volume, np.eye(4)))
    True
    >>> has_orientation(nib.Nifti1Image(volume, None))
    False
    """
    return any(int(image.header[code]) > 0 for code in _CODES)


def split_name(path: AnyPath) -> tuple[str, str]:
    """Split the name of a file or a folder from the suffix of a volume.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    name : str
        As it is written.
    suffix : str
        In small letters; empty if it is not that of a volume.

    Examples
    --------
    >>> split_name("scans/Head.NII.GZ"), split_name("head.png")
    (('Head', '.nii.gz'), ('head.png', ''))
    """
    name = Path(path).name or Path(path).resolve().name  # that of "." is empty
    for suffix in READABLE:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)], suffix
    return name, ""


def files(path: AnyPath) -> list[Path]:
    """List the files that a volume is read from.

    Parameters
    ----------
    path : str or path
        A file, or either file of a pair.

    Returns
    -------
    list of Path
        The file itself; of a pair the header, then the voxels.

    Raises
    ------
    InputError
        If the other file of a pair is missing.

    Examples
    --------
    >>> files("head.nii.gz")[0].name
    'head.nii.gz'
    """
    path = Path(path)
    suffix = split_name(path)[1]
    if suffix not in PAIRS:
        return [path]
    if suffix.startswith(".hdr"):
        return [path, _partner(path, "img", "voxels")]
    return [_partner(path, "hdr", "header"), path]


def _partner(path: Path, ending: str, content: str) -> Path:
    """Find the other file of a pair, beside a link or beside the file that it leads to."""
    capitals = ending.upper()
    endings = (ending, capitals, f"{ending}.gz", f"{capitals}.GZ")
    for file in (path, path.resolve()):
        stem, _ = split_name(file)
        for suffix in endings:
            partner = file.with_name(f"{stem}.{suffix}")
            if partner.is_file():
                return partner
    lacking = f"the file with its {content} is missing beside it"
    raise InputError(f"{lacking}, a .{ending}", where=path)


def check_file(path: AnyPath) -> Path:
    """Return a path if it leads to a file; opening a pipe would hang.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is no file, or it is a folder, a pipe, a socket or a device.

    Examples
    --------
    >>> check_file("missing.nii")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: missing.nii: no such file
    """
    path = Path(path)
    kind = paths.kind_of(path)
    if not kind:
        raise InputError("no such file", where=path)
    if kind == "folder":
        raise InputError("expected a file, got a folder", where=path)
    return path


def read_header(path: AnyPath) -> nib.Nifti1Image:
    """Read the header of a volume; no voxel is read.

    Parameters
    ----------
    path : str or path
        See `read`.

    Returns
    -------
    Nifti1Image or Nifti2Image
        Its voxels are zeros that take no memory.

    Raises
    ------
    InputError
        See `read`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nib.save(nib.Nifti1Image(np.ones((2, 3, 4), np.int16), np.eye(4)), f"{folder}/a.nii.gz")
    ...     read_header(f"{folder}/a.nii.gz").shape
    (2, 3, 4)
    """
    path = Path(path)
    with reading(path, split_name(path)[1] or ".nii"):
        return empty(_read_header(path).fields)


def _read_header(path: Path) -> _Header:
    """Read a header from the first bytes of its file, and check what it says."""
    first, *others = [check_file(file) for file in files(path)]
    with _opened(first) as stream:
        block = stream.read(nib.Nifti2Header.sizeof_hdr)
    fields, is_single = _parse(block)
    if fields is None:
        raise ValueError("it does not begin with a header of NIfTI")
    if is_single:
        voxels = first
    elif others:
        voxels = others[0]
    else:
        hint = "name it .hdr, beside the .img"
        raise InputError(f"its voxels are in another file; {hint}", where=path)
    offset = int(fields["vox_offset"])
    spare = _SPARE_BYTES
    if is_single and offset == 0:  # the standard demands at least the size of the header
        offset = fields.single_vox_offset
        spare = 0
    scaling = _scaling(fields)
    if isinstance(fields, nib.Spm2AnalyzeHeader):
        fields = nib.Nifti1Header.from_header(fields)
    header = _Header(fields, scaling, voxels, offset, spare)
    _check_header(path, header)
    return header


def _scaling(fields: nib.analyze.AnalyzeHeader) -> tuple[float, float]:
    slope, intercept = fields.get_slope_inter()
    if slope is None:
        slope = 1.0
    if intercept is None:
        intercept = 0.0
    return slope, intercept


def _parse(block: bytes) -> tuple[nib.analyze.AnalyzeHeader | None, bool]:
    """Recognize a header, and whether the voxels follow it in the same file."""
    nifti1 = block[344:348]
    nifti2 = block[4:8]
    size = nib.Nifti1Header.sizeof_hdr
    if nifti1 in (b"n+1\0", b"ni1\0"):
        return nib.Nifti1Header(block[:size]), nifti1 == b"n+1\0"
    if nifti2 in (b"n+2\0", b"ni2\0"):
        return nib.Nifti2Header(block), nifti2 == b"n+2\0"
    if _ANALYZE.match(block):
        return nib.Spm2AnalyzeHeader(block[:size]), False
    return None, False


def _check_header(path: Path, header: _Header) -> None:
    """Refuse what is not one volume, and what no file of this size can hold."""
    if header.dtype.kind not in "buif":
        got = f"dtype {header.dtype}"
        raise InputError(f"expected real numbers, got {got}", where=path)
    if len(_volume_shape(header.shape)) != 3 or min(header.shape) < 1:
        got = f"shape {header.shape}"
        raise InputError(f"expected one volume (X, Y, Z), got {got}", where=path)
    size = header.voxels.stat().st_size
    is_packed = _is_packed(header.voxels)
    can_hold = size * PACKING if is_packed else size
    if not 0 <= header.offset <= header.end <= can_hold:
        raise ValueError(
            f"cut off or damaged: the header promises {header.count} voxels "
            f"from byte {header.offset} on, more than {size} bytes can hold"
        )
    if is_packed:
        as_float32 = header.count * np.dtype(np.float32).itemsize
        unpacked = max(header.end, as_float32)
        hint = "resample it, or store it without gzip"
        check_unpacked(unpacked, size, path, hint=hint)
    affine_mm(empty(header.fields), path)


def _check_slices(path: Path, header: _Header, axis: int | None) -> None:
    """Refuse slices that are too large across the axis that is cut, in RAS order, or any."""
    axes = nib.io_orientation(header.fields.get_best_affine())
    shape = np.empty(3, int)
    shape[axes[:, 0].astype(int)] = _volume_shape(header.shape)
    for cut in range(3):
        if axis in (None, cut):
            columns, rows = np.delete(shape, cut).tolist()
            check_slice_px((rows, columns), path)


def _volume_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of one volume (X, Y, Z), if it is one."""
    if len(shape) < 2:
        return shape
    rest = [length for length in shape[2:] if length != 1]
    return (*shape[:2], *(rest or [1]))


def geometry(image: nib.Nifti1Image) -> nib.Nifti1Header:
    """Return a header with the shape, the spacing, the unit and the orientation of an image.

    Any text, and many of the numbers in a header, may say whose head it is: they are left out.

    Parameters
    ----------
    image : Nifti1Image or Nifti2Image

    Returns
    -------
    Nifti1Header or Nifti2Header
        In the byte order of the image.

    Examples
    --------
    >>> image = nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.diag([1, 2, 3, 1]))
    >>> image.header["descrip"] = "someone's head"
    >>> header = geometry(image)
    >>> header.get_data_shape(), header.get_best_affine().diagonal(), header["descrip"].item()
    ((2, 3, 4), array([1., 2., 3., 1.]), b'')
    """
    header = type(image.header)(endianness=image.header.endianness)
    header.set_data_shape(image.shape)  # first, for it resets spacings
    for field in _GEOMETRY:
        header[field] = image.header[field]
    return header


def empty(header: nib.Nifti1Header) -> nib.Nifti1Image:
    """Make a volume of zeros, which take no memory, with the geometry of a header.

    Parameters
    ----------
    header : Nifti1Header or Nifti2Header
        For example as `geometry` returns it.

    Returns
    -------
    Nifti1Image or Nifti2Image

    Examples
    --------
    >>> image = nib.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.diag([1, 2, 3, 1]))
    >>> empty(geometry(image)).shape
    (2, 3, 4)
    """
    voxels = np.broadcast_to(np.uint8(0), header.get_data_shape())
    return _bundled(voxels, header)


def _bundled(voxels: object, fields: nib.Nifti1Header) -> nib.Nifti1Image:
    """Bundle voxels with a header, as nibabel does."""
    image_type = nib.Nifti1Image
    if isinstance(fields, nib.Nifti2Header):
        image_type = nib.Nifti2Image
    return image_type(voxels, fields.get_best_affine(), fields)


def _is_packed(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _opened(path: Path) -> io.BufferedIOBase:
    return gzip.open(path) if _is_packed(path) else open(path, "rb")


def _voxels(path: Path, header: _Header) -> nib.arrayproxy.ArrayProxy:
    """Lead to the voxels of a file; a packed one is unpacked to its end, where its checksum is."""
    source: str | io.BytesIO = str(header.voxels)
    excess = header.voxels.stat().st_size - header.end
    is_packed = _is_packed(header.voxels)
    is_named_packed = header.voxels.suffix.lower() in nib.openers.ImageOpener.compress_ext_map
    if is_packed or is_named_packed:  # nibabel goes by the name
        with _opened(header.voxels) as stream:
            content = stream.read(header.end)
            rest = stream.read(_SPARE_BYTES + 1)
        excess = len(content) + len(rest) - header.end
        source = io.BytesIO(content)
    if excess < 0:
        promised = f"the header promises {header.end} bytes"
        raise EOFError(f"cut off: {promised}, got {header.end + excess}")
    if excess > header.spare:
        promised = f"the {header.end} bytes that its header promises"
        raise InputError(f"holds more than {promised}", where=path)
    if excess:
        hint = f"is its shape {header.shape} right?"
        _warn(path, f"{excess} bytes behind its voxels are left out; {hint}")
    layout = (header.shape, header.dtype, header.offset, *header.scaling)
    return nib.arrayproxy.ArrayProxy(source, layout)


def _warn(path: Path, remark: str) -> None:
    warnings.warn(InputWarning(remark, where=path.name), stacklevel=3)


def _warn_of_guesses(
    path: Path,
    header: _Header,
    image: nib.Nifti1Image,
) -> None:
    """Warn of what had to be guessed from a header."""
    if not has_orientation(image):
        hint = "left and right, and what is up, are a guess"
        _warn(path, f"its header says nothing of orientation; {hint}")
    sizes = nib.affines.voxel_sizes(image.affine)[: len(header.shape)]
    spacing = header.fields["pixdim"][1 : 1 + len(sizes)]
    if not np.allclose(sizes, np.abs(spacing), rtol=_SIZE_TOLERANCE):
        affine_says = f"its affine tells voxels of {_times(sizes)}"
        spacing_says = f"its spacing {_times(spacing)}"
        _warn(path, f"{affine_says}, {spacing_says}; the affine is used")
    shape = _volume_shape(header.shape)
    if header.shape[:3] != shape[: len(header.shape)]:
        _warn(path, f"shape {header.shape} is read as {shape}")


def _finite(values: np.ndarray, path: Path) -> np.ndarray:
    """Set NaN around the head to 0; refuse any other value that is not finite."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return values
    filled, remark = without_nan(values)
    bad = values.size - int(np.count_nonzero(np.isfinite(filled)))
    if bad:
        got = f"{bad} that are NaN or infinite"
        raise InputError(f"expected finite values, got {got}", where=path)
    _warn(path, remark)
    return filled


def stored(image: nib.Nifti1Image) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the numbers that a file holds, and how they are scaled to values.

    Parameters
    ----------
    image : Nifti1Image
        As `read` returns it.

    Returns
    -------
    array : ndarray of shape (X, Y, Z)
        In the dtype of the file.
    scaling : pair of float
        Slope and intercept.

    Examples
    --------
    >>> stored(nib.Nifti1Image(np.ones((2, 3, 4, 1), np.int16), np.eye(4)))[1]
    (1.0, 0.0)
    """
    data = image.dataobj
    shape = _volume_shape(image.shape)
    if not nib.is_proxy(data):
        return np.reshape(data, shape), (1.0, 0.0)
    scaling = (float(data.slope), float(data.inter))
    return data.get_unscaled().reshape(shape), scaling


def write(
    array: np.ndarray,
    output: Path,
    like: nib.Nifti1Image,
    *,
    scaling: tuple[float, float] = (1.0, 0.0),
    shown: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Write a volume with the geometry and the shape of another.

    Of its header only what `geometry` returns is kept.

    Parameters
    ----------
    array : ndarray of shape (X, Y, Z)
        Stored as it is, in its own dtype and the byte order of ``like``.
    output : Path
        ``.nii`` or ``.nii.gz``.
    like : Nifti1Image
    scaling : pair of float
        Slope and intercept that a reader should apply.
    shown : pair of float
        Values that a viewer should draw black and white; (0, 0) leaves them to the viewer.

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
    header = geometry(like)
    header.set_data_dtype(array.dtype)
    header["cal_min"], header["cal_max"] = shown
    image = type(like)(array.reshape(like.shape), like.affine, header)
    image.header.set_slope_inter(*scaling)  # a new image forgets that of its header
    nib.save(image, output)
