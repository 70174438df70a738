"""Errors, warnings, and the checks of arguments that raise them.

A message names what was found and what was expected. Every module may import this one, so it
imports no other module of ours, and nothing heavy such as OpenCV.
"""

import contextlib
import difflib
import importlib
import itertools
import math
import operator
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np

_GIB = 2**30
# What a message shows of a value: values of an array, and characters
_MOST_VALUES = 16
_MOST_CHARACTERS = 200
# How much memory a packed file may ask for
LARGEST_UNPACKED_BYTES = 2 * _GIB
# 4096 x 4096, eight times the largest MR slice; v8 takes some 40 bytes per pixel
LARGEST_SLICE_PX = 2**24
# Condition of an affine from which it can hardly be inverted
LARGEST_CONDITION = 1e7

# What a message speaks of: a file, a folder, an option or the name of a slice
Place: TypeAlias = str | os.PathLike
# The spacing of rows and of columns [mm]
Spacing: TypeAlias = tuple[float, float]

_S = TypeVar("_S")
_P = TypeVar("_P")


# --- Errors, warnings, and the place they speak of -----------------------------------------------


class _Placed(Exception):
    """A message of one line, and the file or slice that it speaks of."""

    message: str
    where: str | None

    def __init__(self, message: str, where: Place | None = None) -> None:
        self.message = message
        self.where = None
        if where is not None:
            self.where = str(where)
        super().__init__(message, self.where)  # pickle and copy call the class with these

    def __str__(self) -> str:
        if self.where is None:
            return self.message
        return f"{self.where}: {self.message}"

    def at(self, place: Place) -> Self:
        """Return a copy with a place in front of the one that it already has, if any.

        Parameters
        ----------
        place : str or path

        Returns
        -------
        InputError or InputWarning
            Of the same class.

        Examples
        --------
        >>> error = InputError("expected 1 to 9, got 0")
        >>> print(error.at("sizes"))
        sizes: expected 1 to 9, got 0
        >>> print(error.at("sizes").at("report.ipynb"))
        report.ipynb: sizes: expected 1 to 9, got 0
        """
        where = str(place)
        if self.where is not None:
            where = f"{place}: {self.where}"
        return type(self)(self.message, where)


class InputError(_Placed, ValueError):
    """An input cannot be used.

    Parameters
    ----------
    message : str
        One line that says what came and what was wanted, without the place.
    where : str or path, optional
        The file, folder, option or slice that the message speaks of.

    Attributes
    ----------
    message, where : str
        ``where`` is None where no place is known.

    Examples
    --------
    >>> error = InputError("expected a file, got a folder", where="heads")
    >>> print(error)
    heads: expected a file, got a folder
    >>> error.where
    'heads'
    """


class InputWarning(_Placed, UserWarning):
    """An input or a result needs attention; has the same fields as `InputError`.

    Examples
    --------
    >>> print(InputWarning("the mask is empty", where="a.npy[3]"))
    a.npy[3]: the mask is empty
    """


class EmptyMaskWarning(InputWarning):
    """The mask of a slice or of a volume is empty."""


@contextlib.contextmanager
def placed(place: Place) -> Iterator[None]:
    """Put a place in front of the errors and warnings that come from the ``with`` block.

    Parameters
    ----------
    place : str or path
        The file or slice that the block works on.

    Raises
    ------
    InputError

    Examples
    --------
    >>> with placed("a.npy[3]"):
    ...     check_slice(np.zeros((0, 3)))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: a.npy[3]: expected a slice with at least one pixel, ...
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except InputError as error:
            raise error.at(place) from None
    for warning in caught:
        warn_at(place, warning, stacklevel=4)


def warn_at(place: Place, warning: warnings.WarningMessage, *, stacklevel: int = 2) -> None:
    """Warn again of what was caught, with a place in front.

    Parameters
    ----------
    place : str or path
    warning : WarningMessage
        Caught by ``warnings.catch_warnings``.
    stacklevel : int
        As in ``warnings.warn``.

    Examples
    --------
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     warnings.warn("too dark", InputWarning)
    ...     warn_at("a.npy[3]", caught[0])
    >>> print(caught[1].message)
    a.npy[3]: too dark
    """
    remark = warning.message
    if isinstance(remark, InputWarning):
        warnings.warn(remark.at(place), stacklevel=stacklevel)
    else:
        warnings.warn(f"{place}: {remark}", warning.category, stacklevel=stacklevel)


# --- Hints in messages ---------------------------------------------------------------------------


def extra(module: str, what: str, name: str) -> ModuleType:
    """Import a module that comes with an extra.

    Parameters
    ----------
    module : str
    what : str
        What needs the module, for the message.
    name : str
        Name of the extra.

    Returns
    -------
    module

    Raises
    ------
    InputError
        If the module is not installed, or is installed and does not load.

    Examples
    --------
    >>> extra("no_such.module", "this", "batch")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: this needs no_such: pip install "skullmask[batch]"
    """
    package, *_ = module.split(".")
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        hint = f'pip install "skullmask[{name}]"'
        raise InputError(f"{what} needs {package}: {hint}") from None
    except ImportError as error:  # such as a system library that is missing
        reason, *_ = str(error).splitlines() or ["no reason is known"]
        raise InputError(f"{what} needs {package}, which does not load: {reason}") from None


def similar(name: str, names: Iterable[str]) -> str:
    """Suggest the name that may be meant, for the end of a message.

    Parameters
    ----------
    name : str
        What came, and is none of the names.
    names : iterable of str

    Returns
    -------
    str
        Empty if no name is close.

    Examples
    --------
    >>> similar("skul_mm", ["scalp_mm", "skull_mm"])
    '; did you mean skull_mm?'
    >>> similar("hair", ["scalp_mm", "skull_mm"])
    ''
    """
    for close in difflib.get_close_matches(name, names, n=1):
        return f"; did you mean {close}?"
    return ""


# --- Arrays and files ----------------------------------------------------------------------------


def check_unmasked(array: Any) -> Any:
    """Refuse an array with masked values, as a ``numpy.ma.MaskedArray`` may have.

    Parameters
    ----------
    array : array_like

    Returns
    -------
    array_like
        The same array, or the plain values of a masked array that masks none.

    Raises
    ------
    InputError
        If values are masked. The library would otherwise use the values below the mask.

    Examples
    --------
    >>> check_unmasked(np.ma.masked_equal([[0, 7], [7, 7]], 0))
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected plain values, got 1 masked; say ...
    """
    if not isinstance(array, np.ma.MaskedArray):
        return array
    masked = int(np.count_nonzero(np.ma.getmaskarray(array)))
    if masked:
        hint = "say what they are, as in array.filled(0)"
        raise InputError(f"expected plain values, got {masked} masked; {hint}")
    return array.data


def _as_array(values: np.ndarray) -> np.ndarray:
    """Convert to an array without masked values; a memory map stays one."""
    plain = check_unmasked(values)
    try:
        return np.asanyarray(plain)
    except ValueError:
        raise InputError("expected rows of equal length, got rows of several lengths") from None


def check_unpacked(
    size: int,
    packed: int,
    name: Place,
    *,
    hint: str = "save it in smaller parts, or as .npy, which is read slice by slice",
) -> None:
    """Refuse a file that would take far more memory than its size suggests.

    Parameters
    ----------
    size : int
        Memory that its values take [bytes].
    packed : int
        Size of the file [bytes].
    name : str or path
        The file, for the message.
    hint : str
        What to do instead, for the message.

    Raises
    ------
    InputError
        If the values take more than `LARGEST_UNPACKED_BYTES` and more than four times the file.

    Examples
    --------
    >>> check_unpacked(3 * 2**30, 164_000, "bomb.png")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: bomb.png: would take 3 GiB of memory, at most 2 GiB are ...
    """
    if size > max(LARGEST_UNPACKED_BYTES, 4 * packed):
        wanted = f"{size / _GIB:.3g} GiB of memory"
        most = f"at most {LARGEST_UNPACKED_BYTES / _GIB:.3g} GiB are allowed"
        raise InputError(f"would take {wanted}, {most}; {hint}", where=name)


def check_slice_px(shape: tuple[int, int], name: Place | None = None) -> None:
    """Refuse a slice that is far larger than any of a head; a small packed file may hold one.

    Parameters
    ----------
    shape : (H, W)
    name : str or path, optional
        The file, for the message.

    Raises
    ------
    InputError
        If it has more than `LARGEST_SLICE_PX` pixels.

    Examples
    --------
    >>> check_slice_px((23_000, 23_000), "bomb.npz")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: bomb.npz: expected slices of at most 16777216 px ...
    """
    rows, columns = shape
    if rows * columns <= LARGEST_SLICE_PX:
        return
    side = math.isqrt(LARGEST_SLICE_PX)
    most = f"slices of at most {LARGEST_SLICE_PX} px ({side} x {side})"
    raise InputError(f"expected {most}, got {rows} x {columns}; resample it", where=name)


def check_slice(image: np.ndarray) -> np.ndarray:
    """Refuse what is not one slice: two axes, at least one pixel, real and finite values.

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
        If the shape, the size, the dtype or a value cannot be that of a slice.

    Examples
    --------
    >>> check_slice(np.zeros((5, 4, 4)))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected one (H, W) slice, got shape (5, 4, 4); pass ...
    """
    _check_array(image)
    image = np.asarray(_as_array(image))
    got = f"got shape {image.shape}"
    if image.ndim == 3:
        raise InputError(f"expected one (H, W) slice, {got}; pass the slices one by one")
    if image.ndim != 2:
        raise InputError(f"expected one (H, W) slice, {got}")
    if image.size == 0:
        raise InputError(f"expected a slice with at least one pixel, {got}")
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
    finite = int(np.count_nonzero(np.isfinite(array)))
    others = array.size - finite
    if others:
        raise InputError(f"expected finite values, got {others} that are NaN or infinite")


def _check_array(
    image: object,
    *,
    wanted: str = "slice",
    hint: str = "pass data.images[0], or mask_slices(data) for all slices",
) -> None:
    """Refuse a path or `Data` where an array is wanted, and say what to pass."""
    if isinstance(image, (str, os.PathLike)):
        load_it = f"load it first: load({str(image)!r}).images[0]"
        raise InputError(f"expected an array, got the path {image}; {load_it}")
    if hasattr(image, "images"):
        raise InputError(f"expected one (H, W) {wanted}, got Data; {hint}")


# --- Stacks of slices ----------------------------------------------------------------------------


def check_stack(images: object) -> None:
    """Refuse what does not give slices one after another, and say what to pass.

    Parameters
    ----------
    images : object

    Raises
    ------
    InputError
        If it is no array, list or other iterable.

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


def pair_up(slices: Iterable[_S], partners: Iterable[_P], what: str) -> Iterator[tuple[_S, _P]]:
    """Yield each slice with what belongs to it; refuse too few of either.

    Parameters
    ----------
    slices, partners : iterable
        Are read one by one.
    what : str
        Name of a partner, for the message.

    Yields
    ------
    tuple of a slice and its partner

    Raises
    ------
    InputError
        Where the shorter one ends, if they are not equally long.

    Examples
    --------
    >>> pairs = pair_up(["first", "second"], ["a"], "name")
    >>> next(pairs)
    ('first', 'a')
    >>> next(pairs)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected as many names as slices, got 1
    """
    missing: Any = object()
    pairs = itertools.zip_longest(slices, partners, fillvalue=missing)
    for count, (item, partner) in enumerate(pairs):
        if partner is missing:
            raise InputError(f"expected as many {what}s as slices, got {count}")
        if item is missing:
            raise InputError(f"expected as many slices as {what}s, got {count}")
        yield item, partner


# --- Masks ---------------------------------------------------------------------------------------


def check_binary(mask: np.ndarray) -> np.ndarray:
    """Convert a mask to ``uint8`` of {0, 1}; refuse one with several values beside 0.

    Parameters
    ----------
    mask : ndarray of shape (H, W) or (N, H, W)
        For example {0, 1}, {0, 255} or bool. A stack is read slice by slice.

    Returns
    -------
    ndarray of uint8
        Of the same shape; the same array if nothing needs to change.

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
    _check_array(mask, wanted="mask", hint="pass one such as data.truth[0]")
    mask = _as_array(mask)
    if mask.dtype.kind not in "buif":
        raise InputError(f"expected a binary mask, got dtype {mask.dtype}")
    if mask.dtype == bool:
        return mask.view(np.uint8)
    if mask.dtype == np.uint8 and mask.max(initial=0) <= 1:
        return mask
    foreground: set[float] = set()
    for plane in mask if mask.ndim == 3 else [mask]:
        values = np.asarray(plane)
        foreground.update(np.unique(values[values != 0]).tolist())
        _check_foreground(foreground)
    return (mask != 0).astype(np.uint8)


def _check_foreground(values: set[float]) -> None:
    """Refuse two or more values beside 0."""
    if not np.isfinite(list(values)).all():
        raise InputError("expected a binary mask, got values that are NaN or infinite")
    if len(values) <= 1:
        return
    shown = [f"{value:g}" for value in sorted(values)[:4]]
    if len(values) > 4:
        shown.append("…")
    wanted = "a binary mask (0 and one other value)"
    raise InputError(f"expected {wanted}, got values beside 0: {', '.join(shown)}")


# --- Numbers and options -------------------------------------------------------------------------


class Range(NamedTuple):
    """The values that a slider offers for an option, including ``stop``.

    It stands beside the option's type in an ``Annotated`` signature.
    """

    start: float
    stop: float
    step: float
    unit: str


def check_whole(
    value: int,
    what: str,
    low: int,
    high: int,
    unit: str = "",
) -> int:
    """Convert a whole number to int; refuse anything else, and numbers out of range.

    Parameters
    ----------
    value : int
    what : str
        Name of the value, for the message.
    low, high : int
        The range, with both ends.
    unit : str
        Unit of the value, for the message; none by default.

    Returns
    -------
    int

    Raises
    ------
    InputError
        If the value is not a whole number from ``low`` to ``high``.

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
        raise InputError(f"expected a whole number as {what}, got {as_typed(value)!r}")
    if not low <= number <= high:
        limits = f"from {low} to {high} {unit}".rstrip()
        raise InputError(f"expected a {what} {limits}, got {value}")
    return number


def check_spacing(spacing_mm: Sequence[float] | np.ndarray) -> np.ndarray:
    """Convert a row and a column spacing to an array; both must be finite and positive.

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
        If the spacing is anything else.

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
    spacing = _as_floats(spacing_mm)
    usable = np.isfinite(spacing) & (spacing > 0)
    if spacing.shape != (2,) or not usable.all():
        wanted = "a row and a column spacing above 0 mm"
        raise InputError(f"expected {wanted}, got {_in_short(spacing_mm)}")
    return spacing


def check_spacings(
    spacing_mm: Sequence[Sequence[float]] | np.ndarray | None,
    count: int,
) -> list[Spacing | None]:
    """Refuse spacings that are not one row and one column spacing for each slice.

    Parameters
    ----------
    spacing_mm : ndarray of shape (N, 2), or None
        Row and column spacing of every slice [mm].
    count : int
        Number of slices.

    Returns
    -------
    list of N pairs of float, or of N times None
        Their values are not checked yet, see `check_spacing`.

    Raises
    ------
    InputError
        If their shape is another one, or they are no numbers.

    Examples
    --------
    >>> check_spacings([(0.4, 0.4)], count=2)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected the spacings of 2 slices, shape (2, 2), got ...
    """
    if spacing_mm is None:
        return [None] * count
    wanted = f"the spacings of {count} slices, shape {(count, 2)}"
    spacings = _as_floats(spacing_mm)
    if spacings.shape == (0,) and count:
        raise InputError(f"expected {wanted}, got {_in_short(spacing_mm)}")
    if spacings.shape != (count, 2):
        raise InputError(f"expected {wanted}, got shape {spacings.shape}")
    return [(row_mm, column_mm) for row_mm, column_mm in spacings.tolist()]


def _as_floats(values: object) -> np.ndarray:
    """Copy numbers to float64; what holds anything but real numbers becomes empty."""
    plain = check_unmasked(values)
    try:
        numbers = np.array(plain)
        if numbers.dtype.kind in "iufO":
            return numbers.astype(float)
    except (OverflowError, TypeError, ValueError):  # None, a huge number, rows of several lengths
        pass
    return np.empty(0)


def check_affine(affine: np.ndarray, *sizes: int) -> np.ndarray:
    """Convert an affine to floats; its axes must span a plane or a space.

    Parameters
    ----------
    affine : array_like of shape (3, 3) or (4, 4)
        From voxels to the world.
    *sizes : int
        How many rows it may have.

    Returns
    -------
    ndarray of the same shape, float64
        A copy.

    Raises
    ------
    InputError
        If the shape is another one, if a value is not finite, if two axes are nearly parallel (the
        condition is above `LARGEST_CONDITION`), or if the last row is not 0, …, 0, 1.

    Examples
    --------
    >>> check_affine([[2, 0, -9], [0, 3, 5], [0, 0, 1]], 3)[0]
    array([ 2.,  0., -9.])
    >>> check_affine([[1, 1, 0], [1, 1, 0], [0, 0, 1]], 3)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected an invertible affine (3, 3) with the last row ...
    """
    checked = _as_floats(affine)
    shapes = [(size, size) for size in sorted(set(sizes))]
    if checked.shape not in shapes or not _is_affine(checked):
        wanted = f"an invertible affine {' or '.join(map(str, shapes))} with the last row 0 … 0 1"
        raise InputError(f"expected {wanted}, got {_in_short(affine)}")
    return checked


def _is_affine(matrix: np.ndarray) -> bool:
    """Return whether a matrix leads from voxels to the world, and back."""
    if not np.isfinite(matrix).all():
        return False
    last_row = np.eye(len(matrix))[-1]
    condition = np.linalg.cond(matrix[:-1, :-1])
    return bool(condition <= LARGEST_CONDITION and np.allclose(matrix[-1], last_row))


def as_typed(value: object) -> object:
    """Convert NumPy's numbers to Python's, which a message shows as they were typed.

    Parameters
    ----------
    value : object
        A number, an array, or a tuple or list of them.

    Returns
    -------
    object
        Anything else comes back unchanged.

    Examples
    --------
    >>> as_typed((np.float64(0.5), 3))
    (0.5, 3)
    """
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return tuple(map(as_typed, value))
    return value


def _in_short(value: object) -> str:
    """Write a value for a message: a large array by its shape, a long text by its beginning."""
    if isinstance(value, np.ndarray) and value.size > _MOST_VALUES:
        return f"an array of shape {value.shape}"
    text = str(as_typed(value))
    if len(text) > _MOST_CHARACTERS:
        return f"{text[:_MOST_CHARACTERS]} …"
    return text
