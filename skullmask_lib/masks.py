"""Primitives that every version is built from: arrays in, a new array out, the input is never changed.

Images are ``(H, W)``, rows before columns. Masks are ``uint8`` arrays of {0, 1}. Components are
8-connected, background is 4-connected, and foreground is strictly above a threshold.
"""

import contextlib
import importlib
import math
import operator
import os
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from scipy import ndimage

NAN_IS_ZERO = "NaN around the head is taken as 0"  # said where `without_nan` changed something
SPECKS_ARE_ZERO = f"{NAN_IS_ZERO}, and so are specks of NaN near its edge"  # of slices, not counted
LARGEST_UNPACKED_BYTES = 2 * 2**30  # of memory that a packed file may ask for
LARGEST_SLICE_PX = 2**24  # 4096 x 4096, eight times the largest of MR; v8 takes some 40 bytes a pixel
FEW_SPECKS = 0.02  # of the background: NaN within the head that a threshold left there
NEAR_PX = 5  # how far those lie from the background at most, diagonals counted as one


class InputError(ValueError):
    """What the user gave cannot be used; the message is one line that says what came and what was wanted."""


class InputWarning(UserWarning):
    """What the user should know about an input or a result; the message is one line that names the file or slice."""


class EmptyMaskWarning(InputWarning):
    """The mask of a slice or of a volume is empty."""


def extra(module: str, what: str, name: str):
    """Import a module that comes with an extra.

    Parameters
    ----------
    module : str
    what : str
        What needs it, for the message.
    name : str
        Of the extra.

    Returns
    -------
    module

    Raises
    ------
    InputError
        If it is not installed.

    Examples
    --------
    >>> extra("no_such.module", "this", "batch")
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: this needs no_such: pip install "skullmask[batch]"
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        raise InputError(f'{what} needs {module.split(".")[0]}: pip install "skullmask[{name}]"') from None


class Range(NamedTuple):
    """What a slider offers for an option, beside its type in an ``Annotated`` signature; stop is included."""

    start: float
    stop: float
    step: float
    unit: str


def check_unmasked(array: np.ndarray) -> np.ndarray:
    """Return ``array`` if no value of it is masked, as those of a ``numpy.ma.MaskedArray`` may be.

    Parameters
    ----------
    array : array_like

    Returns
    -------
    array_like
        The same; of a masked array without masked values its plain values.

    Raises
    ------
    InputError
        If values are masked: the functions here would take what lies below the mask for values.

    Examples
    --------
    >>> check_unmasked(np.ma.masked_equal([[0, 7], [7, 7]], 0))
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: expected plain values, got 1 masked; say what they are, as in array.filled(0)
    """
    if not isinstance(array, np.ma.MaskedArray):
        return array
    masked = int(np.count_nonzero(np.ma.getmaskarray(array)))
    if masked:
        raise InputError(f"expected plain values, got {masked} masked; say what they are, as in array.filled(0)")
    return array.data


def check_unpacked(
    size: int,
    packed: int,
    name: object,
    *,
    hint: str = "save it in smaller parts, or as .npy, which is read slice by slice",
) -> None:
    """Refuse a file that would take far more memory than its size lets expect.

    Parameters
    ----------
    size : int
        What its values take in memory [bytes].
    packed : int
        Size of the file [bytes].
    name : str or path
        Of the file, for the message.
    hint : str
        What to do instead, for the message.

    Raises
    ------
    InputError
        If the values take more than `LARGEST_UNPACKED_BYTES`, and more than four times the file.

    Examples
    --------
    >>> check_unpacked(3 * 2**30, 164_000, "bomb.png")
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: bomb.png: would take 3 GiB of memory, at most 2 GiB are allowed; ...
    """
    if size > max(LARGEST_UNPACKED_BYTES, 4 * packed):
        most = f"at most {LARGEST_UNPACKED_BYTES / 2**30:.3g} GiB are allowed"
        raise InputError(f"{name}: would take {size / 2**30:.3g} GiB of memory, {most}; {hint}")


def check_slice_px(shape: tuple[int, int], name: object = "") -> None:
    """Refuse a slice that is far larger than any of a head: a small packed file may hold one.

    Parameters
    ----------
    shape : (H, W)
    name : str or path
        Of the file, for the message.

    Raises
    ------
    InputError
        If it has more than `LARGEST_SLICE_PX` pixels.

    Examples
    --------
    >>> check_slice_px((23_000, 23_000), "bomb.npz")
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: bomb.npz: expected slices of at most 16777216 px (4096 x 4096), got 23000 x ...
    """
    rows, columns = shape
    if rows * columns > LARGEST_SLICE_PX:
        side = math.isqrt(LARGEST_SLICE_PX)
        where = f"{name}: " if name else ""
        most = f"slices of at most {LARGEST_SLICE_PX} px ({side} x {side})"
        raise InputError(f"{where}expected {most}, got {rows} x {columns}; resample it")


def check_slice(image: np.ndarray) -> np.ndarray:
    """Return ``image`` if it is one real-valued, finite, non-empty slice; say what is wrong otherwise.

    Parameters
    ----------
    image : ndarray of shape (H, W), bool, integer or float

    Returns
    -------
    ndarray of shape (H, W)
        The same array.

    Raises
    ------
    InputError
        If the shape, the size, the dtype or a value is not that of a slice.

    Examples
    --------
    >>> check_slice(np.zeros((5, 4, 4)))
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: expected one (H, W) slice, got shape (5, 4, 4); pass the slices one by one
    """
    _check_array(image)
    image = np.asarray(check_unmasked(image))
    if image.ndim != 2:
        hint = "; pass the slices one by one" if image.ndim == 3 else ""
        raise InputError(f"expected one (H, W) slice, got shape {image.shape}{hint}")
    if image.size == 0:
        raise InputError(f"expected a slice with at least one pixel, got shape {image.shape}")
    if len(image) > 1:  # a single row may hold the values of a whole volume
        check_slice_px(image.shape)
    check_values(image)
    return image


def check_values(array: np.ndarray) -> None:
    """Refuse values that are not real and finite.

    Parameters
    ----------
    array : ndarray

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_values(np.array([1, np.nan]))
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: expected finite values, got 1 that are NaN or infinite
    """
    if array.dtype.kind not in "buif":
        raise InputError(f"expected real numbers, got dtype {array.dtype}")
    if array.dtype.kind != "f":
        return
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise InputError(f"expected finite values, got {bad} that are NaN or infinite")


def _check_array(image: object) -> None:
    """Say what to pass where somebody passes a path or what `load` gives."""
    if isinstance(image, (str, os.PathLike)):
        raise InputError(f"expected an array, got the path {image}; load it first: load({str(image)!r}).images[0]")
    if hasattr(image, "images"):
        raise InputError(
            "expected one (H, W) slice, got Data; pass data.images[0], or mask_slices(data) for all slices"
        )


def check_stack(images: object) -> None:
    """Say what to pass where slices are wanted, one after another, and something else came.

    Parameters
    ----------
    images : object

    Raises
    ------
    InputError
        If no slices can be taken from it.

    Examples
    --------
    >>> check_stack(np.zeros((5, 4, 4)))
    >>> check_stack(None)
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: expected slices, as an array (N, H, W) or a list, got NoneType
    """
    if isinstance(images, (str, os.PathLike)):
        hint = f"load it first: load({str(images)!r})"
        raise InputError(f"expected slices, got the path {images}; {hint}")
    if hasattr(images, "images"):
        raise InputError("expected slices, got Data; pass data.images, and data.truth as the truth")
    is_sequence = hasattr(images, "__getitem__") and hasattr(images, "__len__")
    if not isinstance(images, Iterable) and not is_sequence:
        got = type(images).__name__
        raise InputError(f"expected slices, as an array (N, H, W) or a list, got {got}")


def check_binary(mask: np.ndarray) -> np.ndarray:
    """Return ``mask`` as ``uint8`` of {0, 1} if it holds 0 and at most one other value.

    Parameters
    ----------
    mask : ndarray of shape (H, W) or (N, H, W)
        For example {0, 1}, {0, 255} or bool. A stack is looked at slice by slice.

    Returns
    -------
    ndarray of uint8
        Of the same shape; the very array if it already is what it should be.

    Raises
    ------
    InputError
        If there are two or more values beside 0, or values that are not finite real numbers.

    Examples
    --------
    >>> check_binary([[0, 255], [255, 0]])
    array([[0, 1],
           [1, 0]], dtype=uint8)
    """
    mask = np.asanyarray(check_unmasked(mask))  # a memory map stays one
    if mask.dtype.kind not in "buif":
        raise InputError(f"expected a binary mask, got dtype {mask.dtype}")
    found: set[float] = set()
    for plane in mask if mask.ndim == 3 else [mask]:
        values = np.asarray(plane)
        found.update(np.unique(values[values != 0]).tolist())
        if not np.isfinite(list(found)).all():
            raise InputError("expected a binary mask, got values that are NaN or infinite")
        if len(found) > 1:
            shown = ", ".join(f"{value:g}" for value in sorted(found)[:4]) + (", …" if len(found) > 4 else "")
            raise InputError(f"expected a binary mask (0 and one other value), got values beside 0: {shown}")
    return mask if mask.dtype == np.uint8 and found <= {1} else (mask != 0).astype(np.uint8)


def check_whole(value: int, what: str, low: int, high: int, unit: str) -> int:
    """Return ``value`` as int if it is a whole number from ``low`` to ``high``.

    Parameters
    ----------
    value : int
    what : str
        What it is, for the message.
    low, high : int
        Both included.
    unit : str
        Of the value, for the message.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If it is not.

    Examples
    --------
    >>> check_whole(0, "dilation size", 1, 624, "px")
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: expected a dilation size from 1 to 624 px, got 0
    """
    number = None
    if not isinstance(value, (bool, np.bool_)):
        with contextlib.suppress(TypeError):
            number = operator.index(value)
    if number is None:
        raise InputError(f"expected a whole number as {what}, got {_plain(value)!r}")
    if not low <= number <= high:
        raise InputError(f"expected a {what} from {low} to {high} {unit}, got {value}")
    return number


def check_spacing(spacing_mm: tuple[float, float]) -> np.ndarray:
    """Return a row and a column spacing as an array if both are finite and positive.

    Parameters
    ----------
    spacing_mm : pair of float
        [mm]

    Returns
    -------
    ndarray of shape (2,), float64

    Raises
    ------
    InputError
        If it is anything else.

    Examples
    --------
    >>> check_spacing((0.42, 0))
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: expected a row and a column spacing above 0 mm, got (0.42, 0)
    """
    if isinstance(spacing_mm, str):
        wanted = "two numbers, a row and a column spacing in mm, as in (0.42, 0.42)"
        raise InputError(f"expected {wanted}, got the text {spacing_mm!r}")
    try:
        spacing = np.asarray(spacing_mm, float)
    except (TypeError, ValueError):
        spacing = np.empty(0)
    if spacing.shape != (2,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InputError(f"expected a row and a column spacing above 0 mm, got {_plain(spacing_mm)}")
    return spacing


def _plain(value: object) -> object:
    """Give numbers of NumPy as Python's own, which print as they were typed."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return tuple(map(_plain, value))
    return value


def zero_background(array: np.ndarray) -> np.ndarray:
    """Set NaN to 0 where it is background, see `without_nan`.

    Parameters
    ----------
    array : ndarray of shape (H, W) or (X, Y, Z)

    Returns
    -------
    ndarray of the same shape and dtype
        The very same array if it holds no NaN.

    Examples
    --------
    >>> zero_background(np.array([[np.nan, np.nan, 5], [np.nan, 6, 7]]))
    array([[0., 0., 5.],
           [0., 6., 7.]])
    """
    return without_nan(array)[0]


def without_nan(array: np.ndarray) -> tuple[np.ndarray, str]:
    """Set NaN to 0 where it is background, as SPM and others write it: connected to a side of the array.

    Where a head was cut out by a threshold, specks of its bone are NaN too. They are set to 0 with the
    rest if they are few, at most `FEW_SPECKS` of the background, and within `NEAR_PX` of it.

    Parameters
    ----------
    array : ndarray of shape (H, W) or (X, Y, Z)
        Voxels are neighbours where they share a face. An axis of length 1 has no sides.

    Returns
    -------
    filled : ndarray of the same shape and dtype
        The very same array if it holds no NaN. Other NaN stays, and so does what is infinite:
        `check_slice` refuses both.
    remark : str
        What the user should know; empty where nothing changed.

    Examples
    --------
    >>> nan = np.nan
    >>> without_nan(np.array([[nan, nan, nan, nan], [nan, 5, 6, 7], [nan, 8, nan, 9], [1, 2, 3, 4]]))
    (array([[ 0.,  0.,  0.,  0.],
           [ 0.,  5.,  6.,  7.],
           [ 0.,  8., nan,  9.],
           [ 1.,  2.,  3.,  4.]]), 'NaN around the head is taken as 0')
    """
    if array.dtype.kind != "f":
        return array, ""
    missing = np.isnan(array)
    if not missing.any():
        return array, ""
    background = _at_sides(missing)
    specks = missing & ~background
    count = int(np.count_nonzero(specks))
    filled = array.copy()
    filled[background] = 0
    remark = NAN_IS_ZERO if background.any() else ""
    if count and _are_few_and_near(specks, background):
        filled[specks] = 0
        remark += f", and so are {count} specks of NaN near its edge"
    return filled, remark


def _at_sides(mask: np.ndarray) -> np.ndarray:
    """Keep the components of a mask that touch a side of the array."""
    labels, count = ndimage.label(mask)
    touching = np.zeros(count + 1, bool)
    for axis, length in enumerate(labels.shape):
        if length > 1:
            touching[labels.take((0, -1), axis)] = True
    touching[0] = False
    return touching[labels]


def _are_few_and_near(specks: np.ndarray, background: np.ndarray) -> bool:
    """Tell specks that a threshold left in the rim of a head from values that are missing within it."""
    if np.count_nonzero(specks) > FEW_SPECKS * np.count_nonzero(background):
        return False
    diagonals = np.ones((3,) * specks.ndim, bool)
    near = ndimage.binary_dilation(background, diagonals, iterations=NEAR_PX)
    return bool(near[specks].all())


def normalize(image: np.ndarray) -> np.ndarray:
    """Stretch a slice linearly to 0 … 255 and truncate.

    Parameters
    ----------
    image : ndarray of shape (H, W), bool, integer or float
        Computed in the float precision of the input, integers in float64.

    Returns
    -------
    ndarray of shape (H, W), uint8
        ``(x − min) / (max − min) · 255``, truncated; zeros where the slice is flat.

    Raises
    ------
    InputError
        If the slice holds NaN or infinite values, or is not ``(H, W)``.

    Examples
    --------
    >>> normalize(np.array([[1.0, 2.0], [3.0, 5.0]]))
    array([[  0,  63],
           [127, 255]], dtype=uint8)
    """
    image = check_slice(image)
    if image.dtype.kind != "f":
        image = image.astype(np.float64)
    low, high = image.min(), image.max()
    if low == high:
        return np.zeros(image.shape, np.uint8)
    with np.errstate(over="ignore"):
        overflows = np.isinf(high - low)
    if overflows:  # halving is exact, and the range then fits
        image, low, high = image / 2, low / 2, high / 2
    return ((image - low) / (high - low) * 255).astype(np.uint8)


def otsu_threshold(gray: np.ndarray) -> int:
    """Find the grey level that splits a histogram best in two classes.

    Parameters
    ----------
    gray : ndarray of shape (H, W), uint8

    Returns
    -------
    int
        Foreground is ``gray > threshold``; 0 for a flat slice.

    Raises
    ------
    InputError
        If ``gray`` is not a ``uint8`` slice.

    References
    ----------
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems,
    Man, and Cybernetics 9(1):62–66, 1979, doi:10.1109/TSMC.1979.4310076. OpenCV's implementation.

    Examples
    --------
    >>> otsu_threshold(np.array([[10, 10, 12], [200, 210, 200]], np.uint8))
    12
    """
    gray = check_slice(gray)
    if gray.dtype != np.uint8:
        raise InputError(f"expected a uint8 slice (see normalize), got dtype {gray.dtype}")
    return int(cv2.threshold(gray, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0])


def label_components(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the 8-connected components of a mask.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8 of {0, 1}

    Returns
    -------
    labels : ndarray of shape (H, W), int32
        0 is background, components are 1 … n in OpenCV's order.
    areas_px : ndarray of shape (n + 1,), int64
        Pixels of every label, background first.

    Examples
    --------
    >>> labels, areas_px = label_components(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]], np.uint8))
    >>> areas_px
    array([9, 2, 1])
    """
    count, labels = cv2.connectedComponents(mask, connectivity=8)
    return labels, np.bincount(labels.ravel(), minlength=count)


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Keep the largest 8-connected component; of equally large ones that with the lowest OpenCV label.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8 of {0, 1}

    Returns
    -------
    ndarray of shape (H, W), uint8
        Empty if ``mask`` is.

    Examples
    --------
    >>> largest_component(np.array([[1, 0, 1], [0, 0, 1]], np.uint8))
    array([[0, 0, 1],
           [0, 0, 1]], dtype=uint8)
    """
    labels, areas_px = label_components(mask)
    areas_px[0] = 0
    largest = areas_px.argmax()
    return ((labels == largest) & (largest > 0)).astype(np.uint8)


def touches_edge(labels: np.ndarray) -> np.ndarray:
    """Tell for every label whether it touches the frame of the image.

    Parameters
    ----------
    labels : ndarray of shape (H, W), int
        0 is background.

    Returns
    -------
    ndarray of shape (labels.max() + 1,), bool
        Entry k belongs to label k; the background's entry is False.

    Examples
    --------
    >>> touches_edge(np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]]))
    array([False,  True, False])
    """
    touching = np.zeros(labels.max() + 1, bool)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        touching[side] = True
    touching[0] = False
    return touching


def flood(passable: np.ndarray, seeds: Iterable[tuple[int, int]]) -> np.ndarray:
    """Flood from some pixels through passable ones, 4-connected.

    Parameters
    ----------
    passable : ndarray of shape (H, W), bool or uint8 of {0, 1}
    seeds : iterable of (row, column)
        Where the flood starts, if it can pass there; negative numbers count from the end.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 where the flood arrives.

    Examples
    --------
    >>> flood(np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]], np.uint8) == 0, [(0, -1)])
    array([[0, 0, 1, 1],
           [0, 0, 0, 1],
           [0, 0, 1, 1]], dtype=uint8)
    """
    wet = np.array(passable, np.uint8, order="C")  # floodFill writes into its input: this is our own copy
    height, width = wet.shape
    for row, column in seeds:
        if wet[row, column] == 1:
            cv2.floodFill(wet, None, (column % width, row % height), 2, flags=4)  # OpenCV's (x, y)
    return (wet == 2).astype(np.uint8)


def flood_from_edges(passable: np.ndarray) -> np.ndarray:
    """Flood from the whole frame through passable pixels, 4-connected.

    Parameters
    ----------
    passable : ndarray of shape (H, W), bool or uint8 of {0, 1}

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 where the flood arrives.

    Examples
    --------
    >>> flood_from_edges(np.array([[0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 0]], np.uint8) == 0)
    array([[1, 0, 1, 1],
           [0, 0, 0, 1],
           [1, 0, 1, 1]], dtype=uint8)
    """
    ring = np.pad(np.asarray(passable, np.uint8), 1, constant_values=1)  # to start from
    return np.ascontiguousarray(flood(ring, [(0, 0)])[1:-1, 1:-1])


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Fill the holes: background that is not 4-connected to the frame.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8 of {0, 1}

    Returns
    -------
    ndarray of shape (H, W), uint8

    Examples
    --------
    >>> fill_holes(np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.uint8))
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]], dtype=uint8)
    """
    return 1 - flood_from_edges(np.asarray(mask) == 0)


def dilate(mask: np.ndarray, size: int) -> np.ndarray:
    """Dilate once with an elliptical structuring element.

    The reach is about half of ``size``. An element of even width has no centre pixel: OpenCV anchors it at
    ``size // 2``, so the mask reaches one pixel further down and right than up and left.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8 of {0, 1}
    size : int
        Width and height of the element [px], 1 … shorter side of the mask; 1 changes nothing.

    Returns
    -------
    ndarray of shape (H, W), uint8

    Raises
    ------
    InputError
        If ``size`` is not a whole number in that range.

    Examples
    --------
    >>> dilate(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], np.uint8), 3)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]], dtype=uint8)
    """
    mask = np.asarray(mask)
    size = check_whole(size, "dilation size", 1, min(mask.shape), "px (the shorter side)")
    x, y, width, height = cv2.boundingRect(mask)
    if not width:
        return mask.copy()
    grown = np.zeros_like(mask)
    rows, columns = slice(max(y - size, 0), y + height + size), slice(max(x - size, 0), x + width + size)
    for rectangle, anchor in _rectangles(size):  # outside of this window nothing changes
        grown[rows, columns] |= cv2.dilate(mask[rows, columns], rectangle, anchor=anchor)
    return grown


def _rectangles(size: int) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    """Split an ellipse into the rectangles whose union it is, for OpenCV dilates by those several times faster."""
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    widths = element.sum(axis=1)
    for width in np.unique(widths):
        tall = np.flatnonzero(widths >= width)
        left = element[widths == width][0].argmax()
        anchor = int(size // 2 - left), int(size // 2 - tall[0])  # OpenCV's (x, y)
        yield np.ones((tall.size, width), np.uint8), anchor
