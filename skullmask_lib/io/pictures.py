"""One picture file in: PNG, TIFF, JPEG or BMP, as viewers show it.

Only these formats are ever tried, whatever a file is called: others run programs (EPS runs Ghostscript).
"""

import contextlib
import logging
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

FORMATS = ("PNG", "TIFF", "JPEG", "BMP")
SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
LOSSY = (".jpg", ".jpeg")
IS_LOSSY = "JPEG loses detail and blurs edges; take the original where you have it"
_IS_TRANSPARENT = "what is transparent is taken as black"

_GREY_MODES = ("1", "L", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")  # Pillow's
_MODES = (*_GREY_MODES, "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX")
_LOSSY_TIFF = ("jpeg", "tiff_jpeg", "webp", "jpeg2000")
_TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TURNS = {  # from how a picture is stored to how it is shown, by the orientation tag of EXIF and TIFF
    2: np.fliplr,
    3: lambda values: np.rot90(values, 2),
    4: np.flipud,
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: np.rot90(values, -1),
    7: lambda values: np.rot90(values, 2).swapaxes(0, 1),
    8: np.rot90,
}
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 256, 257, 258, 262, 274, 277  # tags of TIFF
_TILE_WIDTH, _TILE_HEIGHT, _SAMPLE_FORMAT = 322, 323, 339
_PLANAR = 284
_WHITE_IS_ZERO = 0
_PLANE_BY_PLANE = 2
_PILLOWS_LOG = logging.getLogger("PIL")
_SILENCED = threading.RLock()  # stderr is that of the whole process
_SIGNED, _FLOAT = 2, 3  # formats of samples


class Picture(NamedTuple):
    """What a picture file holds.

    Attributes
    ----------
    values : ndarray of shape (H, W), (N, H, W), (H, W, C) or (N, H, W, C)
        N pages of grey levels, or of C = 3 or 4 channels: red, green, blue and alpha.
    remarks : tuple of str
        What the user should know of them.
    """

    values: np.ndarray
    remarks: tuple[str, ...]


def read(path: str | os.PathLike, *, keep_colour: bool = False) -> Picture:
    """Read a picture as viewers show it; the pages of a TIFF are its slices.

    An orientation tag is applied, so that a picture that lies on its side in the file stands up, and so does its
    mask. Where a TIFF says that white is zero, its levels are inverted: bright is high. Palettes are resolved. A
    picture whose three channels are equal is grey. Grey levels with alpha stand on black.

    Parameters
    ----------
    path : str or path
    keep_colour : bool
        Give three channels even if they are equal, to choose one of them.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        If it is no picture of grey levels or red, green and blue, if its pages differ in size, or if they are
        larger than `errors.LARGEST_SLICE_PX`, or would take too much memory together.
    Exception
        Whatever Pillow raises if the file is damaged, see `nifti.reading`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     on_its_side = Image.Exif()
    ...     on_its_side[274] = 6
    ...     Image.fromarray(np.array([[1, 2, 3], [4, 5, 6]], np.uint8)).save(f"{folder}/a.png", exif=on_its_side)
    ...     read(f"{folder}/a.png").values
    array([[4, 1],
           [5, 2],
           [6, 3]], dtype=uint8)
    """
    path = Path(path)
    with open(path, "rb") as file, _silence_for(file):
        picture = _opened(file)
        if picture is None:
            pages, remarks = _read_with_opencv(path), []
        else:
            with picture:
                pages, remarks = _read_with_pillow(picture, path)
    if not keep_colour:
        pages = _grey(pages, remarks)
    sizes = {page.shape for page in pages}
    if len(sizes) > 1:
        raise InputError(f"{path}: expected pages of one size, got {len(sizes)} sizes")
    values = pages[0] if len(pages) == 1 else np.stack(pages)
    return Picture(values, tuple(dict.fromkeys(remarks)))


def count_pages(path: str | os.PathLike) -> int:
    """Count the pages of a picture without reading them.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    int

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page = Image.new("L", (4, 3))
    ...     page.save(f"{folder}/a.tif", save_all=True, append_images=[page])
    ...     count_pages(f"{folder}/a.tif")
    2
    """
    with open(path, "rb") as file, _silence_for(file):
        picture = _opened(file)
        if picture is None:
            return len(list(_directories(path)))
        with picture:
            return _count_frames(picture)


def _silence_for(file: BinaryIO) -> contextlib.AbstractContextManager:
    """Silence the reader of a TIFF; the others write nothing, and stderr is left alone."""
    mark = file.read(2)
    file.seek(0)
    return _silence() if mark in (b"II", b"MM") else contextlib.nullcontext()


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep libtiff and OpenCV from writing to stderr, past Python: exceptions say what matters."""
    with _SILENCED, contextlib.ExitStack() as stack:
        stack.callback(_PILLOWS_LOG.setLevel, _PILLOWS_LOG.level)
        _PILLOWS_LOG.setLevel(logging.CRITICAL)
        with contextlib.suppress(OSError, ValueError, AttributeError):  # there may be no stderr
            sys.stderr.flush()
            kept = os.dup(2)
            stack.callback(os.close, kept)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, nowhere)
            os.dup2(nowhere, 2)
            stack.callback(os.dup2, kept, 2)
        yield


def _opened(file: BinaryIO) -> Image.Image | None:
    """Open a picture by what it holds; None is a TIFF of a kind that Pillow does not know."""
    try:
        # From a path Pillow maps some TIFFs into memory, and scrambles those that lie on their side.
        picture = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        file.seek(0)
        if file.read(4) in _TIFF_MARKS:
            return None
        raise ValueError(f"it holds none of {', '.join(FORMATS)}") from None
    if picture.format == "PNG":
        picture.verify()  # the checksums, which Pillow passes over when it reads pixels
        file.seek(0)
        picture = Image.open(file, formats=FORMATS)
    return picture


def _count_frames(picture: Image.Image) -> int:
    if picture.format in ("PNG", "TIFF"):
        return getattr(picture, "n_frames", 1)
    return 1  # of a JPEG only the first: cameras put previews behind it


def _read_with_pillow(picture: Image.Image, path: Path) -> tuple[list[np.ndarray], list[str]]:
    _check_size(picture, path)
    remarks, pages = [], []
    for frame in _frames(picture):
        if frame.mode not in _MODES:
            raise InputError(f"{path}: expected grey levels, got a picture of mode {frame.mode}; save it as greyscale")
        if _is_misread(frame):
            return _all_bits(picture, path), remarks
        pages.append(_page(frame, remarks))
    return pages, remarks


def _frames(picture: Image.Image) -> Iterable[Image.Image]:
    return ImageSequence.Iterator(picture) if _count_frames(picture) > 1 else [picture]


def _check_size(picture: Image.Image, path: Path) -> None:
    """Look at the headers of all pages before a pixel is read; other formats than TIFF have one size."""
    taken = 0
    for frame in _frames(picture) if picture.format == "TIFF" else [picture]:
        tags = getattr(frame, "tag_v2", {})
        _check_page(path, frame.size, (tags.get(_TILE_WIDTH, 0), tags.get(_TILE_HEIGHT, 0)))
        _check_planes(path, tags)
        taken += frame.width * frame.height * max(4, len(frame.getbands()))  # grey becomes float32
    if picture.format != "TIFF":
        taken *= _count_frames(picture)
    errors.check_unpacked(taken, path.stat().st_size, path)


def _is_misread(frame: Image.Image) -> bool:
    """Tell colours of 16 bits, of which Pillow keeps 8, and packed floats whose bytes it swaps."""
    if ";16" in str(frame.tile) and frame.mode in ("RGB", "RGBA"):
        return True
    packed = frame.format == "TIFF" and frame.info.get("compression") != "raw"
    return packed and frame.mode in ("I", "F") and frame.tag_v2.prefix == b"MM"


def _check_page(path: Path, *sizes: tuple[int, int]) -> None:
    for width, height in sizes:
        errors.check_slice_px((height, width), path)


def _check_planes(path: Path, tags: dict) -> None:
    """Refuse channels that lie one after another: only those of 8-bit colours are read as they are."""
    samples = tags.get(_SAMPLES, 1)
    bits = max(tags.get(_BITS, (1,)))
    if tags.get(_PLANAR) == _PLANE_BY_PLANE and samples > 1 and (bits > 8 or samples < 3):
        layout = f"{samples} channels of {bits} bits stored one after another"
        raise InputError(f"{path}: expected grey levels, got {layout}; save it as greyscale")


def _page(frame: Image.Image, remarks: list[str]) -> np.ndarray:
    """Give the values of a page, with a last axis of channels where it has some."""
    tags = getattr(frame, "tag_v2", {})
    if frame.format in ("JPEG", "MPO") or frame.info.get("compression") in _LOSSY_TIFF:
        remarks.append(IS_LOSSY)
    frame.load()
    resolved = _resolved(frame)
    values = _turned(np.array(resolved), frame)
    if resolved.mode == "LA":
        return _on_black(values[..., 0], values[..., 1], remarks)
    return _as_tagged(values, frame.mode, tags)


def _resolved(frame: Image.Image) -> Image.Image:
    """Look palettes up, and make what is transparent a channel."""
    if frame.mode == "La" or (frame.has_transparency_data and frame.mode in ("1", "L")):
        return frame.convert("LA")
    if frame.mode in ("P", "PA", "RGB", "RGBX"):
        return frame.convert("RGBA" if frame.has_transparency_data else "RGB")
    return frame


def _turned(values: np.ndarray, frame: Image.Image) -> np.ndarray:
    """Turn a page as its tag says; where Pillow did so when it read the page, the tag is gone."""
    try:
        orientation = frame.getexif().get(_ORIENTATION)
    except Exception:  # viewers pass over tags that are damaged, too
        return values
    turn = _TURNS.get(orientation)
    return values if turn is None else np.ascontiguousarray(turn(values))


def _as_tagged(values: np.ndarray, mode: str, tags: dict) -> np.ndarray:
    """Undo what Pillow passes over in the grey levels of a TIFF: signs, and that white is zero."""
    formats, bits = tags.get(_SAMPLE_FORMAT, (1,)), tags.get(_BITS, (1,))
    if mode == "L" and formats == (_SIGNED,) and bits == (8,):
        values = values.view(np.int8)
    elif mode == "I" and formats == (1,) and bits == (32,):
        values = values.view(np.uint32)
    elif mode not in ("1", "L", "RGB") and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:  # those are inverted
        values = _inverted(values)
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
    return (grey.astype(np.float64) * alpha / opaque).round().astype(grey.dtype)


def _grey(pages: list[np.ndarray], remarks: list[str]) -> list[np.ndarray]:
    """Give grey levels where all channels of all pages are equal, and else the pages as they are."""
    for page in pages:
        if page.ndim == 3 and not (page[..., :1] == page[..., 1:3]).all():
            return pages
    made = []
    for page in pages:
        if page.ndim == 3 and page.shape[-1] == 4:
            page = _on_black(page[..., 0], page[..., 3], remarks)
        elif page.ndim == 3:
            page = page[..., 0]
        made.append(page)
    return made


def _all_bits(picture: Image.Image, path: Path) -> list[np.ndarray]:
    """Read what Pillow reads wrong."""
    if picture.format == "TIFF":
        return _read_with_opencv(path)
    return [_turned(page, picture) for page in _decoded(path)]


def _read_with_opencv(path: Path) -> list[np.ndarray]:
    """Read a TIFF of a kind that Pillow does not know, such as floats of 64 bits; OpenCV applies the orientation."""
    directories = list(_directories(path))
    taken = 0
    for tags in directories:
        width, height, bits = _size(tags)
        _check_page(path, (width, height), (tags.get(_TILE_WIDTH, 0), tags.get(_TILE_HEIGHT, 0)))
        _check_planes(path, tags)
        taken += width * height * bits // 8
        errors.check_unpacked(taken, path.stat().st_size, path)
    pages = _decoded(path)
    if len(pages) != len(directories):
        raise ValueError(f"{len(pages)} of its {len(directories)} pages can be read")
    for number, tags in enumerate(directories):
        _check_decoded(path, pages[number], tags)
        if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
            pages[number] = _inverted(pages[number])
    return pages


def _check_decoded(path: Path, page: np.ndarray, tags: dict) -> None:
    """Refuse a page of which OpenCV dropped bits or channels."""
    channels = 1 if page.ndim == 2 else page.shape[-1]
    samples = tags.get(_SAMPLES, 1)
    bits = tags[_BITS][0]
    if (channels, 8 * page.dtype.itemsize) != (samples, bits):
        layout = f"{samples} channels of {bits} bits, which are not read whole"
        raise InputError(f"{path}: expected grey levels, got {layout}; save it as greyscale")


def _directories(path: str | os.PathLike) -> Iterator[dict]:
    """Give the tags of every page of a TIFF."""
    with open(path, "rb") as file:
        head = file.read(8)
        if 43 in head[2:4]:  # of more than 4 GB
            head += file.read(8)
        tags = TiffImagePlugin.ImageFileDirectory_v2(head)
        places = set()
        while tags.next and tags.next not in places:
            places.add(tags.next)
            file.seek(tags.next)
            tags.load(file)
            yield {tag: tags[tag] for tag in _NEEDED if tag in tags}


def _size(tags: dict) -> tuple[int, int, int]:
    """Give width, height and bits of a pixel, if they are of a kind that OpenCV reads whole."""
    bits, formats = tags.get(_BITS, (1,)), tags.get(_SAMPLE_FORMAT, (1,))
    known = {16: (1, _SIGNED), 32: (1, _SIGNED, _FLOAT), 64: (1, _SIGNED, _FLOAT)}
    if len(set(bits)) != 1 or len(set(formats)) != 1 or formats[0] not in known.get(bits[0], ()):
        told = f"{bits[0]} bits and sample format {formats[0]}"
        raise ValueError(f"a TIFF of {told}; save it with 16 bits, or as 32-bit floats")
    if tags.get(_PHOTOMETRIC, 1) not in (_WHITE_IS_ZERO, 1, 2):
        raise ValueError(f"a TIFF of photometric interpretation {tags[_PHOTOMETRIC]}; save it as greyscale")
    return tags[_WIDTH], tags[_HEIGHT], bits[0] * tags.get(_SAMPLES, 1)


_NEEDED = (
    *(_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES),
    *(_TILE_WIDTH, _TILE_HEIGHT, _SAMPLE_FORMAT, _PLANAR),
)


def _decoded(path: Path) -> list[np.ndarray]:
    """Decode a picture with OpenCV, with all its bits; channels in the order red, green, blue, alpha."""
    log = cv2.utils.logging if hasattr(cv2.utils, "logging") else cv2  # OpenCV 5, and 4
    level = log.setLogLevel(0)  # what it writes to stderr is said by the exception
    try:
        with _silence():
            good, pages = cv2.imdecodemulti(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        log.setLogLevel(level)
    if not good or not pages:
        raise ValueError("neither Pillow nor OpenCV can read this kind of picture")
    return [_in_order(page) for page in pages]


def _in_order(page: np.ndarray) -> np.ndarray:
    if page.ndim == 2:
        return page
    return page[..., [2, 1, 0, 3][: page.shape[-1]]]
