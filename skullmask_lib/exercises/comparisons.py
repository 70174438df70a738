"""Is an answer the right one, and if not, what does it look like? Works on values alone.

Numbers, sequences of numbers, masks and images are compared. What a lesson asks for is not known
here, so the remarks fit any exercise.
"""

import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

# A number with fewer significant digits may be right by chance
_FEWEST_DIGITS = 2


def is_alike(answer: Any, expected: Any, tolerance: float) -> bool:
    """Tell whether an answer has the expected value.

    Parameters
    ----------
    answer : object
        Anything. A dict counts as the sequence of its values, unless one with its keys is expected.
    expected : float, str, array, dict or sequence
        Arrays may be images or masks.
    tolerance : float
        How far a number may be off. Arrays of integers have to be equal; values of an image may
        be off by this share of its range.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_alike(0.9, 0.9004, tolerance=0.0005), is_alike(True, 1, tolerance=0.0005)
    (True, False)
    >>> is_alike({"v1": 3, "v2": 4}, (3, 4), tolerance=0)
    True
    """
    if isinstance(expected, np.ndarray):
        return _is_same_array(answer, expected, tolerance)
    if isinstance(expected, str):
        return isinstance(answer, str) and answer.strip().casefold() == expected.casefold()
    if is_number(expected):
        return is_number(answer) and _is_near(answer, expected, tolerance)
    return _is_same_sequence(_in_order(answer, expected), _listed(expected), tolerance)


def is_number(value: Any) -> bool:
    """Tell whether a value is one real number: no truth value, no text, and no array of several.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool

    Examples
    --------
    >>> is_number(np.float32(0.5)), is_number(True), is_number("0.5")
    (True, False, False)
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if not isinstance(value, numbers.Real) or isinstance(value, (bool, np.bool_)):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def _is_near(answer: float, expected: float, tolerance: float) -> bool:
    """Compare two numbers; one that lies at the tolerance is near, however floats round."""
    distance = abs(float(answer) - float(expected))
    return distance <= tolerance or math.isclose(distance, tolerance, rel_tol=1e-9)


def _is_same_array(answer: Any, expected: np.ndarray, tolerance: float) -> bool:
    if not isinstance(answer, np.ndarray) or answer.shape != expected.shape:
        return False
    if expected.dtype.kind in "bui":
        return bool(np.array_equal(answer, expected))
    return bool(np.allclose(answer, expected, rtol=0, atol=tolerance * np.ptp(expected)))


def _is_same_sequence(answers: list, expected: list, tolerance: float) -> bool:
    if len(answers) != len(expected) or not expected:
        return False
    pairs = zip(answers, expected, strict=True)
    return all(is_alike(one, wanted, tolerance) for one, wanted in pairs)


def _listed(value: Any) -> list:
    """List the elements of a dict, a sequence or an array with one axis; none for anything else."""
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, (tuple, list)):
        return list(value)
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return list(value)
    return []


def _in_order(answer: Any, expected: Any) -> list:
    """List the elements of an answer; a dict with the expected keys may have them in any order."""
    both_have_keys = isinstance(expected, Mapping) and isinstance(answer, Mapping)
    if both_have_keys and answer.keys() == expected.keys():
        return [answer[key] for key in expected]
    return _listed(answer)


def remark(answer: Any, expected: Any, tolerance: float) -> str | None:
    """Say what is wrong with an answer, if it is wrong in a way that fits any exercise.

    Parameters
    ----------
    answer : object
        Of the expected kind, but not alike.
    expected, tolerance
        See `is_alike`.

    Returns
    -------
    str or None
        The end of a sentence. It never tells the expected value.

    Examples
    --------
    >>> square = np.array([[0, 1], [0, 1]], np.uint8)
    >>> remark(255 * square, square, tolerance=0)
    'the shape is right, but a mask holds 1, not 255, where it is set.'
    """
    if isinstance(expected, np.ndarray):
        return _remark_on_array(answer, expected, tolerance)
    if is_number(expected):
        return _remark_on_numbers([answer], [expected], tolerance)
    if isinstance(expected, str):
        return None
    return _remark_on_numbers(_in_order(answer, expected), _listed(expected), tolerance)


def is_of_kind(answer: Any, expected: Any) -> bool:
    """Tell whether an answer is an array, a number, a text or as many values as expected.

    Parameters
    ----------
    answer : object
        Anything.
    expected : float, str, array, dict or sequence
        If it is a list, how many values there are is part of the answer, so any number will do.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_of_kind([1, 2], (3.5, 4)), is_of_kind([1], (3.5, 4)), is_of_kind(True, 1)
    (True, False, False)
    """
    if isinstance(expected, np.ndarray):
        return isinstance(answer, np.ndarray) and answer.dtype.kind in "buif" and answer.ndim > 1
    if is_number(expected):
        return is_number(answer)
    if isinstance(expected, str):
        return isinstance(answer, str) and bool(answer)
    answers = _listed(answer)
    wanted = _listed(expected)
    if isinstance(expected, list) and answers:
        return all(is_of_kind(one, wanted[0]) for one in answers)
    if len(answers) != len(wanted):
        return False
    return all(map(is_of_kind, answers, wanted))


def _remark_on_array(answer: np.ndarray, expected: np.ndarray, tolerance: float) -> str | None:
    if answer.ndim == 2 and is_alike(answer.T, expected, tolerance):
        return "rows and columns are swapped: rows are the first axis."
    if answer.shape != expected.shape:
        return f"the shape is {answer.shape} and should be {expected.shape}."
    if expected.dtype.kind in "bui":
        return _remark_on_mask(answer, expected)
    return None


def _remark_on_mask(answer: np.ndarray, expected: np.ndarray) -> str | None:
    if not answer.any():
        return "the mask is empty."
    if (answer == answer.flat[0]).all():
        return "the mask has the same value everywhere."
    if np.array_equal(answer, 1 - expected):
        return "inside and outside are swapped."
    if np.array_equal(answer, 255 * expected.astype(int)):
        return "the shape is right, but a mask holds 1, not 255, where it is set."
    if not np.isin(answer, (0, 1)).all():
        return "a mask holds only 0 and 1, but this array has other values."
    return None


def _remark_on_numbers(answers: list, expected: list, tolerance: float) -> str | None:
    if is_alike(answers[::-1], expected, tolerance):
        return "the values are right, but their order is reversed."
    if not all(map(is_number, expected)):
        return None
    if not all(math.isfinite(float(number)) for number in answers):
        return "not every number is finite, so was something divided by 0?"
    if len(answers) != len(expected):
        return None
    if is_alike(sorted(answers), sorted(expected), tolerance):
        return "the values are right, but they come in another order."
    pairs = list(zip(answers, expected, strict=True))
    if all(
        is_alike(one, true, tolerance) or _is_percentage(one, true, tolerance)
        for one, true in pairs
    ):
        return "this is a percentage; give a fraction between 0 and 1."
    if all(_is_near(abs(one), abs(true), tolerance) for one, true in pairs):
        return "the size is right, but look at the sign."
    return None


def _is_percentage(answer: float, fraction: float, tolerance: float) -> bool:
    return abs(fraction) <= 1 and _is_near(answer, 100 * fraction, 100 * tolerance)


def is_rounded_too_far(answer: Any, expected: Any, tolerance: float) -> bool:
    """Tell whether numbers would be right, had they not been rounded.

    All are taken to be rounded to as many decimals as the longest shows. A number with fewer than
    two significant digits may be right by chance, so numbers of which none has more do not count.

    Parameters
    ----------
    answer : object
        Of the expected kind, but not alike.
    expected, tolerance
        See `is_alike`.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_rounded_too_far((0.35, 0.52), (0.348, 0.516), tolerance=0.0005)
    True
    >>> is_rounded_too_far(0.3, 0.348, tolerance=0.0005)  # may be a guess
    False
    """
    if is_number(expected):
        answer, expected = [answer], [expected]
    answers, wanted = _in_order(answer, expected), _listed(expected)
    if len(answers) != len(wanted) or not all(map(is_number, answers + wanted)):
        return False
    pairs = []
    for number, true in zip(answers, wanted, strict=True):
        if not is_alike(number, true, tolerance):
            pairs.append((float(number), float(true)))
    decimals = max((_count_decimals(number) for number, _ in pairs), default=0)
    if any(number != round(true, decimals) for number, true in pairs):
        return False
    return any(_count_digits(number) >= _FEWEST_DIGITS for number, _ in pairs)


def _count_decimals(number: float) -> int:
    """Count the decimals that a number shows; a whole number shows none."""
    decimals = str(number).partition(".")[2]
    return len(decimals.rstrip("0"))


def _count_digits(number: float) -> int:
    """Count the significant digits that a number shows."""
    whole, _, decimals = str(number).partition(".")
    digits = whole + decimals.rstrip("0")
    return len(digits.lstrip("-0"))


def describe(value: Any) -> str:
    """Name the kind of a value, with its size.

    Parameters
    ----------
    value : object

    Returns
    -------
    str

    Examples
    --------
    >>> describe([1, 2]), describe(""), describe(np.zeros((2, 3)))
    ('a list with 2 elements', 'an empty string', 'an array of shape (2, 3)')
    """
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, (bool, np.bool_)):
        return f"the truth value {value}"
    if is_number(value):
        return "one number"
    if callable(value):
        return "a function"
    if isinstance(value, str):
        return "a string" if value else "an empty string"
    if isinstance(value, (list, tuple, dict, set)):
        return _describe_collection(value)
    if value is None:
        return "None"
    return f"an object of type {type(value).__name__}"


def _describe_collection(value: list | tuple | dict | set) -> str:
    name = type(value).__name__
    if not value:
        return f"an empty {name}"
    count = "one" if len(value) == 1 else str(len(value))
    plural = "" if len(value) == 1 else "s"
    if isinstance(value, dict):
        return f"a {name} with {count} element{plural}"
    for kind, noun in ((str, "string"), (np.ndarray, "array")):
        if all(isinstance(element, kind) for element in value):
            return f"a {name} of {count} {noun}{plural}"
    others = [element for element in value if not is_number(element)]
    among = f", among them {describe(others[0])}" if 0 < len(others) < len(value) else ""
    return f"a {name} with {count} element{plural}{among}"
