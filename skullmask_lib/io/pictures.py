"""One picture file read as viewers show it: PNG, TIFF, JPEG or BMP.

Only these formats are ever tried, whatever a file is called, because others run programs: EPS runs
Ghostscript. Folders of pictures are read in `reading`, and masks are written in `writing`.
"""

import contextlib
import logging
import math
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageSequence, TiffImagePlugin, UnidentifiedImageError

from .. import errors
from ..errors import InputError
from .paths import AnyPath

FORMATS = ("PNG", "TIFF", "JPEG", "BMP")
SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
LOSSY = (".jpg", ".jpeg")
IS_LOSSY = "JPEG loses detail and blurs edges; take the original where you have it"
_IS_TRANSPARENT = "what is transparent is taken as black"

_GREY_MODES = ("1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's
_MODES = (*_GREY_MODES, "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX")
_LOSSY_TIFF = ("jpeg", "tiff_jpeg", "webp", "jpeg2000")
_TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TURNS = {  # from stored to shown, by the orientation tag of EXIF and TIFF
    2: np.fliplr,
    3: lambda values: np.rot90(values, 2),
    4: np.flipud,
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: np.rot90(values, -1),
    7: lambda values: np.rot90(values, 2).swapaxes(0, 1),
    8: np.rot90,
}
# Tags of TIFF
_WIDTH = 256
_HEIGHT = 257
_BITS = 258
_PHOTOMETRIC = 262
_ORIENTATION = 274
_SAMPLES = 277
_PLANAR = 284
_TILE_WIDTH = 322
_TILE_HEIGHT = 323
_SAMPLE_FORMAT = 339
_TAGS = (
    _WIDTH,
    _HEIGHT,
    _BITS,
    _PHOTOMETRIC,
    _SAMPLES,
    _PLANAR,
    _TILE_WIDTH,
    _TILE_HEIGHT,
    _SAMPLE_FORMAT,
)

# Values of these tags
_WHITE_IS_ZERO = 0
_BLACK_IS_ZERO = 1
_RGB = 2
_PLANE_BY_PLANE = 2
_UNSIGNED = 1
_SIGNED = 2
_FLOAT = 3
_OPENCV_FORMATS = {  # that OpenCV reads whole, by the bits of a sample
    16: (_UNSIGNED, _SIGNED),
    32: (_UNSIGNED, _SIGNED, _FLOAT),
    64: (_UNSIGNED, _SIGNED, _FLOAT),
}
_BIG_TIFF = 43  # a file that may be larger than 4 GB
_FLOAT32_BYTES = 4

_PILLOWS_LOG = logging.getLogger("PIL")
_SILENCED = threading.RLock()  # stderr is that of the whole process


class Picture(NamedTuple):
    """The content of a picture file.

    Attributes
    ----------
    values : ndarray of shape (H, W), (N, H, W), (H, W, C) or (N, H, W, C)
        N pages of grey levels, or of C = 3 or 4 channels: red, green, blue and alpha.
    remarks : tuple of str
        What the user should know of the values.
    """

    values: np.ndarray
    remarks: tuple[str, ...]


def read(path: AnyPath, *, keep_colour: bool = False) -> Picture:
    """Read a picture as viewers show it; the pages of a TIFF are its slices.

    - An orientation tag is applied: a picture that lies on its side in the file stands up, and so
      does its mask.
    - Where a TIFF says that white is zero, its levels are inverted: bright is high.
    - Palettes are resolved.
    - A picture whose three channels are equal is grey.
    - Grey levels with alpha stand on black.

    Parameters
    ----------
    path : str or path
    keep_colour : bool
        Return three channels even if they are equal, to choose one of them.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        If it is not a picture of grey levels or of red, green and blue, if its pages differ in
        size, if one is larger than `errors.LARGEST_SLICE_PX`, or if they would take too much
        memory together.
    Exception
        Whatever Pillow raises if the file is damaged, see `nifti.reading`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     on_its_side = Image.Exif()
    ...     on_its_side[274] = 6
    ...     picture = Image.fromarray(np.array([[1, 2, 3], [4, 5, 6]], np.uint8))
    ...     picture.save(f"{folder}/a.png", exif=on_its_side)
    ...     read(f"{folder}/a.png").values
    array([[4, 1],
           [5, 2],
           [6, 3]], dtype=uint8)
    """
    path = Path(path)
    with open(path, "rb") as file, _silence_for(file):
        picture = _opened(file)
        if picture is None:
            pages = _read_with_opencv(path)
            remarks = []
        else:
            with picture:
                pages, remarks = _read_with_pillow(picture, path)
    if not keep_colour:
        pages = _grey(pages, remarks)
    sizes = {page.shape for page in pages}
    if len(sizes) > 1:
        raise InputError(f"expected pages of one size, got {len(sizes)} sizes", where=path)
    values = pages[0] if len(pages) == 1 else np.stack(pages)
    return Picture(values, tuple(dict.fromkeys(remarks)))


def _silence_for(file: BinaryIO) -> contextlib.AbstractContextManager:
    """Silence the reader of a TIFF; other readers write nothing, and stderr is left alone."""
    mark = file.read(2)
    file.seek(0)
    if mark in (b"II", b"MM"):
        return _silence()
    return contextlib.nullcontext()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep libtiff and OpenCV from writing to stderr; exceptions say what matters."""
    with _SILENCED, contextlib.ExitStack() as stack:
        stack.callback(_PILLOWS_LOG.setLevel, _PILLOWS_LOG.level)
        _PILLOWS_LOG.setLevel(logging.CRITICAL)
        with contextlib.suppress(OSError, ValueError, AttributeError):  # there may be no stderr
            sys.stderr.flush()
            stderr = os.dup(2)
            stack.callback(os.close, stderr)
            null = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, null)
            os.dup2(null, 2)
            stack.callback(os.dup2, stderr, 2)
        yield


def _opened(file: BinaryIO) -> Image.Image | None:
    """Open a picture by what it holds; None is a TIFF of a kind that Pillow does not know.

    From a path, Pillow would map some TIFFs into memory, and scramble those that lie on their side.
    """
    try:
        picture = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        file.seek(0)
        if file.read(4) in _TIFF_MARKS:
            return None
        raise ValueError(f"it holds none of {', '.join(FORMATS)}") from None
    if picture.format == "PNG":
        picture.verify()  # checksums, which Pillow passes over when it reads pixels
        file.seek(0)
        picture = Image.open(file, formats=FORMATS)
    return picture


def _count_frames(picture: Image.Image) -> int:
    if picture.format in ("PNG", "TIFF"):
        return getattr(picture, "n_frames", 1)
    return 1  # of a JPEG only the first: cameras put previews behind it


def _read_with_pillow(
    picture: Image.Image,
    path: Path,
) -> tuple[list[np.ndarray], list[str]]:
    _check_size(picture, path)
    remarks: list[str] = []
    pages = []
    for frame in _frames(picture):
        if frame.mode not in _MODES:
            got = f"a picture of mode {frame.mode}; save it as greyscale"
            raise InputError(f"expected grey levels, got {got}", where=path)
        if _is_misread(frame):
            return _all_bits(picture, path), remarks
        pages.append(_page(frame, remarks))
    return pages, remarks


def _frames(picture: Image.Image) -> Iterable[Image.Image]:
    if _count_frames(picture) > 1:
        return ImageSequence.Iterator(picture)
    return [picture]


def _check_size(picture: Image.Image, path: Path) -> None:
    """Check the size of all pages by their headers; in other formats than TIFF it is the same."""
    is_tiff = picture.format == "TIFF"
    taken = 0
    for frame in _frames(picture) if is_tiff else [picture]:
        tags = _tags_of(frame)
        _check_page(path, frame.size, tags)
        _check_planes(path, tags)
        sample_bytes = max(_FLOAT32_BYTES, len(frame.getbands()))  # grey becomes float32
        taken += frame.width * frame.height * sample_bytes
    if not is_tiff:
        taken *= _count_frames(picture)
    errors.check_unpacked(taken, path.stat().st_size, path)


def _tags_of(frame: Image.Image) -> dict:
    """Return the tags of a page; formats other than TIFF have none."""
    return getattr(frame, "tag_v2", {})


def _is_misread(frame: Image.Image) -> bool:
    """Recognize what Pillow reads wrong.

    Of colours of 16 bits it keeps 8, and it swaps the bytes of packed floats.
    """
    if frame.mode in ("RGB", "RGBA"):
        return ";16" in str(frame.tile)
    if frame.format != "TIFF" or frame.mode not in ("I", "F"):
        return False
    is_packed = frame.info.get("compression") != "raw"
    return is_packed and frame.tag_v2.prefix == b"MM"


def _check_page(path: Path, size: tuple[int, int], tags: dict) -> None:
    """Refuse a page whose width and height, or those of its tiles, are too large."""
    width, height = size
    errors.check_slice_px((height, width), path)
    tile_width = tags.get(_TILE_WIDTH, 0)
    tile_height = tags.get(_TILE_HEIGHT, 0)
    errors.check_slice_px((tile_height, tile_width), path)


def _check_planes(path: Path, tags: dict) -> None:
    """Refuse channels stored one after another, except 8-bit colours: others are misread."""
    if tags.get(_PLANAR) != _PLANE_BY_PLANE:
        return
    samples = tags.get(_SAMPLES, 1)
    bits = max(tags.get(_BITS, (1,)))
    is_8_bit_colour = bits <= 8 and samples >= 3
    if samples > 1 and not is_8_bit_colour:
        layout = f"{samples} channels of {bits} bits stored one after another"
        raise InputError(f"expected grey levels, got {layout}; save it as greyscale", where=path)


def _page(frame: Image.Image, remarks: list[str]) -> np.ndarray:
    """Return the values of a page, with a last axis of channels where it has some."""
    compression = frame.info.get("compression")
    if frame.format in ("JPEG", "MPO") or compression in _LOSSY_TIFF:
        remarks.append(IS_LOSSY)
    tags = _tags_of(frame)
    frame.load()
    resolved = _resolved(frame)
    values = _turned(np.array(resolved), frame)
    if resolved.mode == "LA":
        return _on_black(values[..., 0], values[..., 1], remarks)
    return _as_tagged(values, frame.mode, tags)


def _resolved(frame: Image.Image) -> Image.Image:
    """Resolve palettes, and make transparency a channel."""
    is_transparent = frame.has_transparency_data
    if frame.mode == "La" or (is_transparent and frame.mode in ("1", "L")):
        return frame.convert("LA")
    if frame.mode in ("P", "PA", "RGB", "RGBX"):
        return frame.convert("RGBA" if is_transparent else "RGB")
    return frame


def _turned(values: np.ndarray, frame: Image.Image) -> np.ndarray:
    """Turn a page as its tag says; where Pillow has turned it already, the tag is gone."""
    try:
        orientation = frame.getexif().get(_ORIENTATION)
    except Exception:  # viewers pass over tags that are damaged, too
        return values
    if orientation not in _TURNS:
        return values
    turn = _TURNS[orientation]
    return np.ascontiguousarray(turn(values))


def _as_tagged(values: np.ndarray, mode: str, tags: dict) -> np.ndarray:
    """Correct what Pillow passes over in the grey levels of a TIFF: signs, and white as zero."""
    formats = tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))
    bits = tags.get(_BITS, (1,))
    if mode == "L" and formats == (_SIGNED,) and bits == (8,):
        return values.view(np.int8)
    if mode == "I" and formats == (_UNSIGNED,) and bits == (32,):
        return values.view(np.uint32)
    is_inverted_by_pillow = mode in ("1", "L", "RGB")
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and not is_inverted_by_pillow:
        return _inverted(values)
    return values


def _inverted(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.nanmin(values) + np.nanmax(values) - values
    return ~values


def _on_black(grey: np.ndarray, alpha: np.ndarray, remarks: list[str]) -> np.ndarray:
    opaque = np.iinfo(alpha.dtype).max
    if (alpha == opaque).all():
        return grey
    remarks.append(_IS_TRANSPARENT)
    blended = grey.astype(np.float64) * alpha / opaque
    return blended.round().astype(grey.dtype)


def _grey(pages: list[np.ndarray], remarks: list[str]) -> list[np.ndarray]:
    """Return grey levels if all channels of all pages are equal, and else the pages."""
    if not all(map(_is_grey, pages)):
        return pages
    grey = []
    for page in pages:
        if page.ndim == 3 and page.shape[-1] == 4:
            page = _on_black(page[..., 0], page[..., 3], remarks)
        elif page.ndim == 3:
            page = page[..., 0]
        grey.append(page)
    return grey


def _is_grey(page: np.ndarray) -> bool:
    if page.ndim != 3:
        return True
    return bool((page[..., :1] == page[..., 1:3]).all())


def _all_bits(picture: Image.Image, path: Path) -> list[np.ndarray]:
    """Read what Pillow reads wrong."""
    if picture.format == "TIFF":
        return _read_with_opencv(path)
    return [_turned(page, picture) for page in _decoded(path)]


def _read_with_opencv(path: Path) -> list[np.ndarray]:
    """Read a TIFF of a kind that Pillow does not know, such as floats of 64 bits.

    OpenCV applies the orientation.
    """
    directories = list(_directories(path))
    taken = 0
    for tags in directories:
        _check_kind(tags)
        size = (tags[_WIDTH], tags[_HEIGHT])
        _check_page(path, size, tags)
        _check_planes(path, tags)
        bits = tags[_BITS][0] * tags.get(_SAMPLES, 1)
        taken += math.prod(size) * bits // 8
        errors.check_unpacked(taken, path.stat().st_size, path)
    pages = _decoded(path)
    if len(pages) != len(directories):
        raise ValueError(f"{len(pages)} of its {len(directories)} pages can be read")
    for number, tags in enumerate(directories):
        _check_decoded(path, pages[number], tags)
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            pages[number] = _inverted(pages[number])
    return pages


def _check_kind(tags: dict) -> None:
    """Refuse a page that OpenCV does not read whole."""
    bits = tags.get(_BITS, (1,))
    formats = tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))
    is_uniform = len(set(bits)) == 1 and len(set(formats)) == 1
    if not is_uniform or formats[0] not in _OPENCV_FORMATS.get(bits[0], ()):
        kind = f"{bits[0]} bits and sample format {formats[0]}"
        raise ValueError(f"a TIFF of {kind}; save it with 16 bits, or as 32-bit floats")
    photometric = tags.get(_PHOTOMETRIC, _BLACK_IS_ZERO)
    if photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        kind = f"photometric interpretation {photometric}"
        raise ValueError(f"a TIFF of {kind}; save it as greyscale")


def _check_decoded(path: Path, page: np.ndarray, tags: dict) -> None:
    """Refuse a page of which OpenCV dropped bits or channels."""
    channels = 1 if page.ndim == 2 else page.shape[-1]
    samples = tags.get(_SAMPLES, 1)
    bits = tags[_BITS][0]
    if (channels, 8 * page.dtype.itemsize) != (samples, bits):
        layout = f"{samples} channels of {bits} bits, which are not read whole"
        raise InputError(f"expected grey levels, got {layout}; save it as greyscale", where=path)


def _directories(path: AnyPath) -> Iterator[dict]:
    """Yield the tags of every page of a TIFF."""
    with open(path, "rb") as file:
        head = file.read(8)
        if _BIG_TIFF in head[2:4]:
            head += file.read(8)
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        visited = set()
        while tags.next and tags.next not in visited:
            visited.add(tags.next)
            file.seek(tags.next)
            tags.load(file)
            yield {tag: tags[tag] for tag in _TAGS if tag in tags}


def _decoded(path: Path) -> list[np.ndarray]:
    """Decode a picture with OpenCV, with all its bits; channels are red, green, blue, alpha."""
    log = _opencv_log()
    level = log.setLogLevel(0)  # the exception says what OpenCV would write to stderr
    try:
        with _silence():
            content = np.fromfile(path, np.uint8)
            is_read, pages = cv2.imdecodemulti(content, cv2.IMREAD_UNCHANGED)
    finally:
        log.setLogLevel(level)
    if not is_read or not pages:
        raise ValueError("neither Pillow nor OpenCV can read this kind of picture")
    return list(map(_in_order, pages))


def _opencv_log() -> object:
    """Find what sets the level of OpenCV's log: a module in OpenCV 5, the package in 4."""
    return getattr(cv2.utils, "logging", cv2)


def _in_order(page: np.ndarray) -> np.ndarray:
    """Turn OpenCV's blue, green, red into red, green, blue."""
    if page.ndim == 2:
        return page
    order = [2, 1, 0, 3]
    return page[..., order[: page.shape[-1]]]
