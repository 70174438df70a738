"""The notebooks of the project, and the parameters that the ``parameters`` cell of one declares."""

import ast
import difflib
import math
import re
from pathlib import Path
from typing import NamedTuple

import nbformat

from .. import project, versions
from ..errors import InputError, check_spacing
from ..sweeps import parse_range


def lessons() -> list[Path]:
    """List the numbered notebooks, in order.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> [path.name for path in lessons()][:2]
    ['00_start_here.ipynb', '01_v1_largest_component.ipynb']
    """
    return sorted(project.project_folder("notebooks").glob("[0-9][0-9]_*.ipynb"))


def journey() -> list[Path]:
    """List the lessons of the journey from v1 to v8: chapter 0, by the tens of their numbers.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> journey()[-1].name
    '08_v8_scalp_boundary.ipynb'
    """
    return [path for path in lessons() if path.name.startswith("0")]


def title(notebook: str | Path) -> str:
    """Read the first heading of a notebook, or its name where it has none.

    Parameters
    ----------
    notebook : str or path

    Returns
    -------
    str

    Examples
    --------
    >>> title(lessons()[1])
    '01 · v1: the largest bright component'
    """
    cells = nbformat.read(notebook, as_version=4).cells
    headings = (cell.source.splitlines()[0].lstrip("# ") for cell in cells if cell.source.startswith("# "))
    return next(headings, Path(notebook).stem)


def split(text: str) -> tuple[str, str]:
    """Split what was given for a parameter into its name and its value.

    Parameters
    ----------
    text : str
        ``NAME=VALUE``

    Returns
    -------
    name, value : str

    Raises
    ------
    InputError
        If it is something else.

    Examples
    --------
    >>> split("sizes=20:32:2")
    ('sizes', '20:32:2')
    """
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InputError(f"expected a parameter as NAME=VALUE, got {text!r}")
    return name, value


def find(name: str | Path) -> Path:
    """Find a notebook by its name, or its path.

    Parameters
    ----------
    name : str or path
        ``report``, ``05_v6_dilation_sweep`` or another one of ours, or how its name begins, as ``05``; or a path.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is no such notebook.

    Examples
    --------
    >>> find("05_v6_dilation_swep")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: 05_v6_dilation_swep: no such notebook; did you mean 05_v6_dilation_sweep?
    """
    ours = {path.stem: path for path in sorted(project.project_folder("notebooks").glob("*.ipynb"))}
    begun = [path for stem, path in ours.items() if stem.startswith(str(name))]
    path = ours.get(str(name)) or (begun[0] if len(begun) == 1 and str(name) else Path(name))
    if not path.is_file():
        near = difflib.get_close_matches(path.stem, ours, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(ours)}"
        raise InputError(f"{name}: no such notebook; {hint}")
    return path


class _Parameter(NamedTuple):
    """What a notebook says of a parameter: ``name: kinds = default  # comment, low … high``."""

    default: object
    kinds: tuple[type, ...]
    low: float
    high: float


_KINDS = {kind.__name__: kind for kind in (bool, int, float, str, list)} | {"None": type(None)}
_RANGE = re.compile(r"(?<![\w.])(-?[\d.]+) … (-?[\d.]+)")
_MEANINGS = {  # parameters that mean the same in all of our notebooks: what reads them says what is wrong with them
    "version": lambda value: [versions.options_of(name) for name in value.split(",")],
    "sizes": parse_range,
    "slices": lambda value: value and parse_range(value, low=0),
    "spacing_mm": lambda value: value and check_spacing(value),
}


def _declared(notebook: Path) -> dict[str, _Parameter]:
    if not notebook.is_file():
        raise InputError(f"{notebook}: no such notebook")
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception as error:  # nbformat raises whatever its JSON and schema readers raise
        raise InputError(f"{notebook}: not a readable notebook ({str(error).splitlines()[0]})") from None
    source = "\n".join(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    try:
        nodes = ast.parse(source).body
    except SyntaxError as error:
        raise InputError(f"{notebook}: parameters that are no Python ({error})") from None
    found = {}
    for node in nodes:
        if not isinstance(node, ast.AnnAssign):
            raise InputError(f"{notebook}: expected annotated parameters, got {ast.unparse(node)}")
        names = re.split(r"\s*\|\s*", ast.unparse(node.annotation))
        if not set(names) <= set(_KINDS):
            raise InputError(f"{notebook}: expected annotations of {', '.join(_KINDS)}, got {ast.unparse(node)}")
        comment = source.splitlines()[node.end_lineno - 1].partition("  # ")[2]
        low, high = map(float, limits.groups()) if (limits := _RANGE.search(comment)) else (-math.inf, math.inf)
        try:
            default = ast.literal_eval(node.value)
        except ValueError:
            raise InputError(f"{notebook}: expected a literal, got {ast.unparse(node)}") from None
        found[node.target.id] = _Parameter(default, tuple(_KINDS[name] for name in names), low, high)
    return found


def parameters(notebook: str | Path) -> dict[str, object]:
    """Read the parameters of a notebook and their defaults from its ``parameters`` cell.

    Parameters
    ----------
    notebook : str or path

    Returns
    -------
    dict of str to object
        Empty if the notebook has no such cell.

    Raises
    ------
    InputError
        If the file is not a notebook, or a parameter is not an annotated literal.

    Examples
    --------
    >>> parameters(project.project_folder("notebooks") / "06_v7_final.ipynb")["dilation_size"]
    26
    """
    return {name: declared.default for name, declared in _declared(Path(notebook)).items()}


def _known(notebook: Path, known: dict[str, _Parameter], name: str) -> _Parameter:
    if not known:
        raise InputError(f"{notebook.name}: has no parameters: no cell of it is tagged parameters")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known)}"
        raise InputError(f"{notebook.name}: no parameter {name}{hint}")
    return known[name]


def check(notebook: str | Path, given: dict[str, object]) -> None:
    """Check values of parameters against the annotations in a notebook, before anything runs.

    Parameters
    ----------
    notebook : str or path
    given : dict of str to object

    Raises
    ------
    InputError
        If the notebook has no such parameter, or a value is of another type or outside of the range in the comment.

    Examples
    --------
    >>> check(find("06_v7_final"), {"dilation_size": 0})
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: 06_v7_final.ipynb: expected dilation_size from 1 to 999, got 0
    """
    notebook = Path(notebook)
    known = _declared(notebook)
    for name, value in given.items():
        _, kinds, low, high = _known(notebook, known, name)
        number = isinstance(value, (int, float))
        if type(value) not in kinds and not (float in kinds and type(value) is int):
            wanted = " or ".join(name for name, kind in _KINDS.items() if kind in kinds)
            raise InputError(f"{notebook.name}: expected {name} as {wanted}, got {value!r}")
        if number and not low <= value <= high:
            raise InputError(f"{notebook.name}: expected {name} from {low:g} to {high:g}, got {value}")
        if name in _MEANINGS and type(value) is type(known[name].default):
            try:
                _MEANINGS[name](value)
            except InputError as error:
                raise InputError(f"{notebook.name}: {name}: {error}") from None


def read(notebook: str | Path, name: str, text: str) -> object:
    """Read the value of a parameter from text, as a command line gives it.

    Parameters
    ----------
    notebook : str or path
    name : str
    text : str
        Parts of a list are parted by commas or spaces.

    Returns
    -------
    bool, int, float, str, list or None
        The text itself where it is nothing else; `check` tells whether that will do.

    Raises
    ------
    InputError
        If the notebook has no such parameter.

    Examples
    --------
    >>> read(find("06_v7_final"), "dilation_size", "22")
    22
    """
    notebook = Path(notebook)
    kinds = _known(notebook, _declared(notebook), name).kinds
    if list in kinds:
        return [_literal(part) for part in re.split(r"[,\s]+", text.strip("[]() ")) if part]
    return text if str in kinds else _literal(text)


def _literal(text: str) -> object:
    try:
        return ast.literal_eval({"true": "True", "false": "False", "none": "None"}.get(text.lower(), text))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text


def read_values(notebook: str | Path, name: str, text: str) -> list[object]:
    """Read several values of a parameter: parted by commas, or whole numbers as ``start:stop:step``.

    Parameters
    ----------
    notebook : str or path
    name, text : str

    Returns
    -------
    list of object
        Each checked as `check` does.

    Raises
    ------
    InputError
        See `check`.

    Examples
    --------
    >>> read_values(find("06_v7_final"), "dilation_size", "22:30:4")
    [22, 26, 30]
    """
    notebook = Path(notebook)
    whole = int in _known(notebook, _declared(notebook), name).kinds and ":" in text
    values = list(parse_range(text, low=0)) if whole else [read(notebook, name, part) for part in text.split(",")]
    for value in values:
        check(notebook, {name: value})
    return [value for place, value in enumerate(values) if value not in values[:place]]
