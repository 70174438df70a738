"""What came and what was wanted: the errors, the warnings, and the checks of arguments.

Everything may import this module; it imports nothing of ours, and no OpenCV.
"""

import contextlib
import importlib
import math
import operator
import os
from collections.abc import Iterable
from types import ModuleType
from typing import NamedTuple

import numpy as np

LARGEST_UNPACKED_BYTES = 2 * 2**30  # of memory that a packed file may ask for
LARGEST_SLICE_PX = 2**24  # 4096 x 4096, eight times the largest of MR; v8 takes some 40 bytes a pixel


class InputError(ValueError):
    """What the user gave cannot be used; the message is one line that says what came and what was wanted."""


class InputWarning(UserWarning):
    """What the user should know about an input or a result; the message is one line that names the file or slice."""


class EmptyMaskWarning(InputWarning):
    """The mask of a slice or of a volume is empty."""


def extra(module: str, what: str, name: str) -> ModuleType:
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
    skullmask_lib.errors.InputError: this needs no_such: pip install "skullmask[batch]"
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
    skullmask_lib.errors.InputError: expected plain values, got 1 masked; say what they are, as in array.filled(0)
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
    skullmask_lib.errors.InputError: bomb.png: would take 3 GiB of memory, at most 2 GiB are allowed; ...
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
    skullmask_lib.errors.InputError: bomb.npz: expected slices of at most 16777216 px (4096 x 4096), got 23000 x ...
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
    skullmask_lib.errors.InputError: expected one (H, W) slice, got shape (5, 4, 4); pass the slices one by one
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
    skullmask_lib.errors.InputError: expected finite values, got 1 that are NaN or infinite
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
    skullmask_lib.errors.InputError: expected slices, as an array (N, H, W) or a list, got NoneType
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
    skullmask_lib.errors.InputError: expected a dilation size from 1 to 624 px, got 0
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
    skullmask_lib.errors.InputError: expected a row and a column spacing above 0 mm, got (0.42, 0)
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
