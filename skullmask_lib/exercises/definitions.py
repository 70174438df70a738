"""What an exercise is: its solution, hints and typical mistakes. No answer is judged here.

The exercises of a lesson are listed in its own module, such as `lesson_04`. To add one, append an
`Exercise` to the ``EXERCISES`` of that module.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer, and the reply to it.

    Parameters
    ----------
    answer : callable
        Computes the wrong answer as the solution computes the right one. If the exercise asks for
        a function, this is the wrong function.
    reply : str
        What to look at next, without the right answer: the end of a sentence that begins with
        "Not yet:".
    """

    answer: Callable[..., object]
    reply: str


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lesson.

    Parameters
    ----------
    name : str
        The lesson's number and the exercise's, such as ``"04.1"``.
    kind : str
        ``"modify"`` changes a step of the lesson, ``"make"`` builds something new.
    level : int
        Number of stars: 1 is for everybody, 2 asks for more.
    minutes : int
        How long a student needs.
    wanted : str
        What an answer looks like, such as "the IoU, a number".
    solution : callable
        Computes the right answer, from the library, when an answer is checked. If the exercise asks
        for a function, this is such a function. Several values are a tuple, or a list if the
        student has to find out how many there are.
    right : str
        What a right answer shows: the end of a sentence that begins with "Right:".
    hints : tuple of str
        Three, from a nudge to the last step but one: ends of a sentence, too.
    mistakes : tuple of Mistake
        Typical wrong answers. The first that fits is named.
    arguments : callable, optional
        Lists the arguments, as tuples, with which a function is called to check it. The first ones
        are the lesson's own data, later ones are new to the student. None if the answer is a value.
    tolerance : float
        How far a number may be off, and a value of an image, as a share of its range. Masks have
        to be equal.
    """

    name: str
    kind: str
    level: int
    minutes: int
    wanted: str
    solution: Callable[..., object]
    right: str
    hints: tuple[str, str, str]
    mistakes: tuple[Mistake, ...] = ()
    arguments: Callable[[], list[tuple]] | None = None
    tolerance: float = 0.0005

    @property
    def stars(self) -> str:
        """Show the level as stars."""
        return "★" * self.level


def of_lesson(number: str) -> tuple[Exercise, ...]:
    """List the exercises of a lesson.

    Parameters
    ----------
    number : str
        The first two digits of the lesson's name.

    Returns
    -------
    tuple of Exercise
        Empty for a lesson without exercises.

    Examples
    --------
    >>> [exercise.name for exercise in of_lesson("01")]
    ['01.1', '01.2']
    >>> of_lesson("99")
    ()
    """
    if number not in lessons():
        return ()
    module = importlib.import_module(f"{__package__}.lesson_{number}")
    return tuple(module.EXERCISES)


def lessons() -> list[str]:
    """List the numbers of the lessons that have exercises.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "01" in lessons()
    True
    """
    package = importlib.import_module(__package__)
    modules = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return sorted(name.removeprefix("lesson_") for name in modules if name.startswith("lesson_"))


def find(name: str) -> Exercise | None:
    """Find an exercise by its name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Exercise or None

    Examples
    --------
    >>> find("01.1").kind
    'modify'
    >>> find("1.1") is None
    True
    """
    for exercise in of_lesson(name[:2]):
        if exercise.name == name:
            return exercise
    return None


def names() -> list[str]:
    """List the names of all exercises.

    Returns
    -------
    list of str

    Examples
    --------
    >>> "01.1" in names()
    True
    """
    return [exercise.name for lesson in lessons() for exercise in of_lesson(lesson)]
