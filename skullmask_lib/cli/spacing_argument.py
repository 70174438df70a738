"""``--spacing`` in one word or two: rewrite the arguments before typer reads them.

Typer cannot read two numbers from one word; other options of two numbers take two words.
"""

import re
from collections import deque
from collections.abc import Iterable

from ..errors import InputError

OPTION = "--spacing"


def split_spacing(arguments: Iterable[str]) -> list[str]:
    """Write the value of ``--spacing`` as two words, as typer expects it.

    Parameters
    ----------
    arguments : iterable of str
        As typed: the spacing may be ``0.42 0.42``, ``0.42,0.42`` or ``"0.42 0.42"``.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        If the value is not two numbers, or has a comma as its decimal sign.

    Examples
    --------
    >>> split_spacing(["mask", "--spacing=0.42,0.42"])
    ['mask', '--spacing', '0.42', '0.42']
    """
    remaining = deque(arguments)
    result = []
    while remaining:
        word = remaining.popleft()
        option, equals, value = word.partition("=")
        if word == "--":  # what follows is no option
            return [*result, word, *remaining]
        if option != OPTION:
            result.append(word)
            continue
        first = value if equals else _next(remaining)
        result += [OPTION, *_two_numbers(first, remaining)]
    return result


def _two_numbers(word: str, remaining: deque[str]) -> list[str]:
    """Read two numbers from one word, or from it and the next."""
    _check_decimal_sign(word, remaining)
    numbers = word.replace(",", " ").split()
    if len(numbers) == 1:
        numbers.append(_next(remaining))
    if len(numbers) == 2 and all(map(_is_number, numbers)):
        return numbers
    value = " ".join(numbers).strip()
    raise InputError(
        f"expected '{OPTION}' as a row and a column spacing in mm, "
        f"for example 0.42 0.42 or 0.42,0.42, got {value!r}"
    )


def _check_decimal_sign(word: str, remaining: deque[str]) -> None:
    """Refuse two numbers with decimal commas: the first one alone looks like two numbers."""
    if not remaining or not re.fullmatch("[0-9]+,[0-9]+", word):
        return
    following = remaining[0]
    if _is_number(following.replace(",", ".")):
        raise InputError(
            f"expected a point as the decimal sign of '{OPTION}', as in 0.42 0.42, "
            f"got {word} {following}"
        )


def _next(words: deque[str]) -> str:
    """Take the next word, or an empty one if none is left."""
    return words.popleft() if words else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
