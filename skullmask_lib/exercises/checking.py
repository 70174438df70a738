"""Checks of answers to the exercises: what is right, or what to look at next.

Nothing here knows a particular exercise; `definitions` says where they are.
"""

import copy
import re
import traceback
import warnings
from collections.abc import Callable, KeysView, ValuesView
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from .. import errors, texts
from ..io.datasets import load
from . import comparisons, definitions
from .definitions import Exercise

NO_ANSWER = "No answer yet: put yours in place of the three dots."
ASK = "hint"  # in place of an answer
_LONGEST_QUOTE = 80  # characters of a line of code


@dataclass(frozen=True)
class Reply:
    """What `check` returns: true or false, shown as one sentence.

    Parameters
    ----------
    is_right : bool
    sentence : str

    Examples
    --------
    >>> reply = Reply(False, "Not yet: look at the sign.")
    >>> reply
    Not yet: look at the sign.
    >>> bool(reply)
    False
    """

    is_right: bool
    sentence: str

    def __bool__(self) -> bool:
        return self.is_right

    def __repr__(self) -> str:
        return self.sentence

    def _repr_markdown_(self) -> str:
        start, _, rest = self.sentence.partition(":")
        return f"**{start}:**{_MARKUP.sub(_as_text, rest)}"


# Code and *emphasis* stay. All else is text: an error's message may hold tags and `__names__`.
_CODE = r"(?<!`)(?P<ticks>`+)(?!`).+?(?<!`)(?P=ticks)(?!`)"
_EMPHASIS = r"(?<![\w*(])\*\w(?:[\w ]*\w)?\*(?![\w*])"
_MARKUP = re.compile(rf"(?P<kept>{_CODE}|{_EMPHASIS})|[&<*_$\\\[\]|~]")


def _as_text(markup: re.Match[str]) -> str:
    return markup["kept"] or f"&#{ord(markup[0])};"


@dataclass
class _Progress:
    """How far a student came in an exercise: the tries without a reply, and the last hint."""

    tries: list = field(default_factory=list)
    hint: int = 0


_progress: dict[str, _Progress] = {}  # by exercise; a right answer starts anew


class _Stopped(Exception):
    """A function cannot be judged by what it returns; the message says why."""


def check(name: str, answer: object = ...) -> Reply:
    """Check an answer to an exercise of a lesson.

    Parameters
    ----------
    name : str
        The exercise, such as ``"04.1"``.
    answer : object
        A value or a function, as the exercise asks. Three dots are no answer yet, and ``"hint"``
        asks for the next hint.

    Returns
    -------
    Reply
        True if the answer is right. It shows as one sentence: what is right, or what to look at
        next. It never gives the answer away. Wrong answers that have no reply of their own get
        three hints, one after another; the same answer again gets the same hint again.

    Notes
    -----
    The right answer is computed when it is needed, by the library, on the phantom. Nothing is
    raised, whatever the answer is or does.

    Examples
    --------
    >>> check("01.1", ...)
    No answer yet: put yours in place of the three dots.
    >>> check("01.1", "hint")  # doctest: +ELLIPSIS
    Hint 1 of 3: ...
    >>> check("1.1")
    Not checked: there is no exercise 1.1; did you mean 01.1?
    >>> bool(check("01.1", []))
    False
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _check(str(name).strip(), answer)
    except (Exception, SystemExit) as error:
        return Reply(False, f"Not checked: the check failed with {_in_words(error)}.")


def _check(name: str, answer: Any) -> Reply:
    exercise = definitions.find(name)
    if exercise is None:
        return _no_exercise(name)
    if answer is ... or _is_incomplete(answer):
        return Reply(False, NO_ANSWER)
    if isinstance(answer, str) and answer.strip().casefold() == ASK:
        return Reply(False, f"Hint {_hint(exercise, is_next=True)}")
    try:
        outcome = _outcome_of_answer(exercise, answer)
    except _Stopped as stop:
        return Reply(False, str(stop))
    if _is_alike(exercise, outcome, _outcome(exercise, exercise.solution)):
        _progress.pop(name, None)
        return Reply(True, f"Right: {exercise.right}")
    reply = _reply_to_mistake(exercise, outcome)
    if reply is None:
        reply = _remark(exercise, outcome)
    if reply is not None:
        return Reply(False, f"Not yet: {reply}")
    hint = _hint(exercise, is_next=_is_new(exercise, outcome))
    return Reply(False, f"Not yet, hint {hint}")


def _is_incomplete(answer: Any) -> bool:
    """Tell whether three dots are left among the values of an answer."""
    if isinstance(answer, dict):
        answer = list(answer.values())
    return isinstance(answer, (tuple, list)) and any(value is ... for value in answer)


def _no_exercise(name: str) -> Reply:
    names = definitions.names()
    suggestion = errors.similar(name.zfill(len(names[0])), names)
    start = f"Not checked: there is no exercise {texts.plain(name)}"
    return Reply(False, start + (suggestion or f"; names are like {names[0]}."))


def _is_new(exercise: Exercise, outcome: Any) -> bool:
    """Tell whether a wrong answer differs from those before it, and remember it."""
    tries = _progress_in(exercise).tries
    if any(_is_alike(exercise, outcome, earlier) for earlier in tries):
        return False
    tries.append(copy.deepcopy(outcome))  # the student may go on to change it in place
    return True


def _hint(exercise: Exercise, *, is_next: bool) -> str:
    """Write the next hint, or the last one again, with its number."""
    progress = _progress_in(exercise)
    last = len(exercise.hints)
    if is_next:
        progress.hint = min(progress.hint + 1, last)
    return f"{progress.hint} of {last}: {exercise.hints[progress.hint - 1]}"


def _progress_in(exercise: Exercise) -> _Progress:
    return _progress.setdefault(exercise.name, _Progress())


def _outcome_of_answer(exercise: Exercise, answer: Any) -> Any:
    """Return what an answer comes to; stop if it is not of the kind that is asked for."""
    if exercise.arguments is None:
        if callable(answer):
            raise _Stopped("Not yet: call your function, because the answer is what it returns.")
        return _listed(answer)
    if not callable(answer):
        raise _Stopped(f"Not yet: {_other_kind(exercise, 'this is', answer)}")
    outcomes = []
    for arguments in _made(exercise.arguments):
        outcomes.append(_call(answer, arguments))
    return outcomes


def _call(function: Callable[..., object], arguments: tuple) -> Any:
    """Call a student's function on copies of the arguments."""
    copies = copy.deepcopy(arguments)
    try:
        outcome = function(*copies)
    except (Exception, SystemExit) as error:
        stop = _in_words(error)
        line = _line_of(function, error)
        # A backtick would end the quote early
        if 0 < len(line) <= _LONGEST_QUOTE and "`" not in stop + line:
            stop += f" at `{line}`"
        raise _Stopped(f"Not yet: your function stopped with {stop}.") from None
    if outcome is ... or _is_incomplete(outcome):
        raise _Stopped(NO_ANSWER)
    for used, original in zip(copies, arguments, strict=True):
        if isinstance(original, np.ndarray) and not np.array_equal(used, original):
            raise _Stopped("Not yet: your function changes its input, so work on a copy of it.")
    return _listed(outcome)


def _listed(value: Any) -> Any:
    """List what is as good as a list: a range, or the keys or values of a dict.

    An array or a list is copied, because the next call of a function may change it in place.
    """
    if isinstance(value, (range, KeysView, ValuesView)):
        return list(value)
    if isinstance(value, (np.ndarray, list)):
        return copy.copy(value)
    return value


def _in_words(error: BaseException) -> str:
    kind = type(error).__name__
    message = texts.plain(texts.of_error(error)).rstrip(".")
    return kind if message == kind else f"{kind} ({message})"


def _line_of(function: Callable[..., object], error: BaseException) -> str:
    """Return the line of the student's code at which a function stopped; empty if it is unknown."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename == code.co_filename:
            return texts.plain(frame.line or "")
    return ""


@cache
def _outcome(exercise: Exercise, answer: Callable[..., object]) -> Any:
    """Return what the solution, or a mistake, comes to."""
    if exercise.arguments is None:
        return answer()
    return [answer(*copy.deepcopy(arguments)) for arguments in _made(exercise.arguments)]


@cache
def _made(arguments: Callable[[], list[tuple]]) -> list[tuple]:
    return arguments()


def _is_alike(exercise: Exercise, outcome: Any, expected: Any) -> bool:
    return comparisons.is_alike(outcome, expected, exercise.tolerance)


def _reply_to_mistake(exercise: Exercise, outcome: Any) -> str | None:
    """Name the mistake that explains an answer, or every wrong result of a function."""
    for mistake in exercise.mistakes:
        if _is_alike(exercise, outcome, _outcome(exercise, mistake.answer)):
            return mistake.reply
    if exercise.arguments is None:
        return None
    wrong = _wrong_inputs(exercise, outcome)
    for mistake in exercise.mistakes:
        mistaken = _outcome(exercise, mistake.answer)
        if all(_is_alike(exercise, outcome[index], mistaken[index]) for index in wrong):
            return mistake.reply
    return None


def _wrong_inputs(exercise: Exercise, outcome: list) -> list[int]:
    """Return the places of the inputs for which a function is wrong."""
    pairs = zip(outcome, _outcome(exercise, exercise.solution), strict=True)
    alike = [_is_alike(exercise, one, wanted) for one, wanted in pairs]
    return [index for index, is_right in enumerate(alike) if not is_right]


def _remark(exercise: Exercise, outcome: Any) -> str | None:
    """Say what is wrong in a way that fits any exercise."""
    expected = _outcome(exercise, exercise.solution)
    if exercise.arguments is None:
        if not comparisons.is_of_kind(outcome, expected):
            return _other_kind(exercise, "this is", outcome)
        if comparisons.is_rounded_too_far(outcome, expected, exercise.tolerance):
            return _ROUNDED
        return comparisons.remark(outcome, expected, exercise.tolerance)
    wrong = _wrong_inputs(exercise, outcome)
    first = wrong[0]
    remark = _remark_on_result(exercise, outcome[first], expected[first])
    if remark is not None:
        return remark
    if _are_rounded(exercise, [(outcome[index], expected[index]) for index in wrong]):
        return _ROUNDED
    if first > 0:
        return _ONLY_HERE
    if all(_is_alike(exercise, other, outcome[first]) for other in outcome):
        return _ALWAYS_THE_SAME
    return None


def _remark_on_result(exercise: Exercise, result: Any, expected: Any) -> str | None:
    """Say what is wrong with a wrong result of a function."""
    if result is None:
        return "your function returns nothing; does it end with a `return` statement?"
    if not comparisons.is_of_kind(result, expected):
        return _other_kind(exercise, "your function returns", result)
    if _is_truth(result):
        return "this is the truth itself, and a method has to do without it."
    return comparisons.remark(result, expected, exercise.tolerance)


def _are_rounded(exercise: Exercise, pairs: list[tuple[Any, Any]]) -> bool:
    """Tell whether the results of a function would be right, had they not been rounded."""
    numbers: list = []
    wanted: list = []
    for result, expected in pairs:
        if isinstance(expected, np.ndarray) or not comparisons.is_of_kind(result, expected):
            return False
        if isinstance(result, dict):
            result = list(result.values())
        numbers += np.ravel(result).tolist()
        wanted += np.ravel(expected).tolist()
    return comparisons.is_rounded_too_far(numbers, wanted, exercise.tolerance)


def _other_kind(exercise: Exercise, start: str, value: Any) -> str:
    return f"{start} {comparisons.describe(value)}, but the exercise asks for {exercise.wanted}."


_ROUNDED = "this looks rounded; give more decimals."
_ONLY_HERE = (
    "your function is right for the first input but wrong for another; does it use a variable of "
    "the lesson, such as `image`, instead of its arguments, or miss a case that the first input "
    "does not have?"
)
_ALWAYS_THE_SAME = "your function returns the same for every input; does it use its arguments?"


def _is_truth(outcome: Any) -> bool:
    """Tell whether an outcome is the true mask of one of the phantom's slices."""
    truth = np.asarray(load("phantom").truth)
    return any(np.array_equal(outcome, mask) for mask in truth)
