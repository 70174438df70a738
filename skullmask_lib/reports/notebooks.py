"""The notebooks of the project, and the parameters that a notebook declares.

A notebook is found, read and checked here; nothing is run or written. The cell that is tagged
``parameters`` holds the declarations.
"""

import ast
import importlib.util
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat

from .. import project, versions
from ..errors import InputError, check_spacing, similar
from ..sweeps import parse_range

_LAST_OF_JOURNEY = "08"  # later lessons of the same chapter go on from v8


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
    folder = project.project_folder("notebooks")
    return sorted(folder.glob("[0-9][0-9]_*.ipynb"))


def journey() -> list[Path]:
    """List the lessons of the journey from v1 to v8, 00 to 08.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> journey()[-1].name
    '08_v8_scalp_boundary.ipynb'
    """
    return [path for path in lessons() if path.name[:2] <= _LAST_OF_JOURNEY]


def title(notebook: str | Path) -> str:
    """Read the first heading of a notebook.

    Parameters
    ----------
    notebook : str or path

    Returns
    -------
    str
        The name of the file if there is no heading.

    Examples
    --------
    >>> title(lessons()[1])
    '01 · v1: the largest bright component'
    """
    cell = heading_cell(nbformat.read(notebook, as_version=4).cells)
    if cell is None:
        return Path(notebook).stem
    heading, *_ = cell.source.splitlines()
    return heading.removeprefix("# ").strip()


def heading_cell(cells: Sequence[nbformat.NotebookNode]) -> nbformat.NotebookNode | None:
    """Find the cell that begins with the first heading of a notebook.

    Parameters
    ----------
    cells : sequence of NotebookNode

    Returns
    -------
    NotebookNode or None

    Examples
    --------
    >>> code = nbformat.v4.new_code_cell("# a comment")
    >>> text = nbformat.v4.new_markdown_cell("# A heading")
    >>> heading_cell([code, text]).source
    '# A heading'
    """
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return cell
    return None


_EXTRA = re.compile(r'errors\.extra\("(\w+)", "this lesson", "(\w+)"\)')


def extras(notebook: str | Path) -> dict[str, str]:
    """Read which extras a lesson needs, off the calls that say so when one is missing.

    Parameters
    ----------
    notebook : str or path

    Returns
    -------
    dict of str to str
        The name of each extra, by the module that the lesson asks for.

    Examples
    --------
    >>> extras(find("12"))
    {'SimpleITK': 'volumes'}
    """
    code = []
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "code":
            code.append(cell.source)
    return dict(_EXTRA.findall("\n".join(code)))


def missing_extras(notebook: str | Path) -> list[str]:
    """List the extras that a lesson needs and that are not installed.

    Parameters
    ----------
    notebook : str or path

    Returns
    -------
    list of str

    Examples
    --------
    >>> missing_extras(find("01"))
    []
    """
    missing = []
    for module, extra in extras(notebook).items():
        if importlib.util.find_spec(module) is None:
            missing.append(extra)
    return missing


def split(text: str) -> tuple[str, str]:
    """Split a parameter of a command line into its name and its value.

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
        If the name or the equals sign is missing.

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
    """Find a notebook by its name or its path.

    Parameters
    ----------
    name : str or path
        The name of one of ours, such as ``report`` or ``05_v6_dilation_sweep``; the beginning of
        one, such as ``05``; or a path.

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
    skullmask_lib.errors.InputError: 05_v6_dilation_swep: no such notebook; did you mean ...
    """
    folder = project.project_folder("notebooks")
    ours = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    path = _named(str(name), ours) or Path(name)
    if os.path.isfile(path):  # unlike Path.is_file, false for a name that no file can have
        return path
    hint = similar(path.stem, ours) or f"; there are {', '.join(ours)}"
    raise InputError(f"no such notebook{hint}", where=name)


def _named(name: str, ours: dict[str, Path]) -> Path | None:
    """Look up one of our notebooks by its name, or by a beginning that fits only one."""
    if not name:
        return None
    if name in ours:
        return ours[name]
    candidates = [path for stem, path in ours.items() if stem.startswith(name)]
    if len(candidates) == 1:
        return candidates[0]
    return None


@dataclass(frozen=True)
class _Parameter:
    """A line of the ``parameters`` cell: ``name: kinds = default  # comment, low … high``."""

    default: object
    kinds: tuple[type, ...]
    low: float
    high: float

    def accepts(self, value: object) -> bool:
        """Compare the type of a value with the annotation; a whole number is also a float."""
        if type(value) in self.kinds:
            return True
        return type(value) is int and float in self.kinds

    def wanted(self) -> str:
        """Name the accepted types, as in ``int or None``."""
        names = []
        for name, kind in _KINDS.items():
            if kind in self.kinds:
                names.append(name)
        return " or ".join(names)


_KINDS = {
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "list": list,
    "None": type(None),
}
_NO_LITERAL = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)  # of ast
_LIMITS = re.compile(r"(?<![\w.])(-?[\d.]+) … (-?[\d.]+)")


def _check_versions(names: str) -> None:
    for name in names.split(","):
        versions.options_of(name)


def _check_slices(text: str) -> None:
    if text:
        parse_range(text, low=0)


def _check_spacing(spacing_mm: list) -> None:
    if spacing_mm:
        check_spacing(spacing_mm)


# Parameters that mean the same in all of our notebooks, and what raises if a value is wrong
_CHECKS = {
    "version": _check_versions,
    "sizes": parse_range,
    "slices": _check_slices,
    "spacing_mm": _check_spacing,
}


def _declared(notebook: Path) -> dict[str, _Parameter]:
    """Read the ``parameters`` cells of a notebook."""
    source = _parameters_source(notebook)
    lines = source.splitlines()
    try:
        statements = ast.parse(source).body
    except _NO_LITERAL as error:
        raise InputError(f"parameters that are no Python ({error})", where=notebook) from None
    declared = {}
    for statement in statements:
        if not _is_annotated_name(statement):
            code = ast.unparse(statement)
            raise InputError(f"expected annotated parameters, got {code}", where=notebook)
        low, high = _limits(lines[statement.end_lineno - 1])
        declared[statement.target.id] = _Parameter(
            kinds=_annotated_kinds(notebook, statement),
            default=_default(notebook, statement),
            low=low,
            high=high,
        )
    return declared


def _is_annotated_name(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)


def _parameters_source(notebook: Path) -> str:
    """Join the code of all cells that are tagged ``parameters``."""
    if not os.path.isfile(notebook):
        raise InputError("no such notebook", where=notebook)
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception as error:  # nbformat raises whatever its JSON and schema readers raise
        reason = str(error).splitlines()[0]
        raise InputError(f"not a readable notebook ({reason})", where=notebook) from None
    sources = []
    for cell in cells:
        if "parameters" in cell.metadata.get("tags", []):
            sources.append(cell.source)
    return "\n".join(sources)


def _annotated_kinds(notebook: Path, statement: ast.AnnAssign) -> tuple[type, ...]:
    names = re.split(r"\s*\|\s*", ast.unparse(statement.annotation))
    if not set(names) <= set(_KINDS):
        wanted = ", ".join(_KINDS)
        code = ast.unparse(statement)
        raise InputError(f"expected annotations of {wanted}, got {code}", where=notebook)
    return tuple(_KINDS[name] for name in names)


def _limits(line: str) -> tuple[float, float]:
    """Read the range that the comment of a declaration allows, as in ``# 1 … 9``."""
    _, _, comment = line.partition("  # ")
    match = _LIMITS.search(comment)
    if not match:
        return -math.inf, math.inf
    low, high = match.groups()
    try:
        return float(low), float(high)
    except ValueError:  # as in the comment # of versions 1.2.3 … 1.2.9
        return -math.inf, math.inf


def _default(notebook: Path, statement: ast.AnnAssign) -> object:
    try:
        return ast.literal_eval(statement.value)
    except _NO_LITERAL:
        code = ast.unparse(statement)
        raise InputError(f"expected a literal, got {code}", where=notebook) from None


def parameters(notebook: str | Path) -> dict[str, object]:
    """Read the parameters of a notebook, with their defaults.

    Parameters
    ----------
    notebook : str or path

    Returns
    -------
    dict of str to object
        Empty if no cell is tagged ``parameters``.

    Raises
    ------
    InputError
        If the file is not a notebook, or a parameter is not an annotated literal.

    Examples
    --------
    >>> parameters(project.project_folder("notebooks") / "06_v7_final.ipynb")["dilation_size"]
    26
    """
    declared = _declared(Path(notebook))
    return {name: parameter.default for name, parameter in declared.items()}


def _parameter(notebook: Path, declared: dict[str, _Parameter], name: str) -> _Parameter:
    """Look up a parameter; if it is missing, suggest what was meant."""
    if not declared:
        raise InputError(
            "has no parameters: no cell of it is tagged parameters", where=notebook.name
        )
    if name in declared:
        return declared[name]
    hint = similar(name, declared) or f"; it has {', '.join(declared)}"
    raise InputError(f"no parameter {name}{hint}", where=notebook.name)


def check(notebook: str | Path, given: dict[str, object]) -> None:
    """Check values of parameters against the annotations in a notebook, before anything runs.

    Parameters
    ----------
    notebook : str or path
    given : dict of str to object

    Raises
    ------
    InputError
        If the notebook has no such parameter, or a value has another type or lies outside the
        range in the comment.

    Examples
    --------
    >>> check(find("06_v7_final"), {"dilation_size": 0})
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: 06_v7_final.ipynb: expected dilation_size from 1 to 999, got 0
    """
    notebook = Path(notebook)
    declared = _declared(notebook)
    for name, value in given.items():
        parameter = _parameter(notebook, declared, name)
        try:
            _check_value(name, value, parameter)
        except InputError as error:
            raise error.at(notebook.name) from None


def _check_value(name: str, value: object, parameter: _Parameter) -> None:
    """Check one value: its type, its range, and its meaning if we know that."""
    low = parameter.low
    high = parameter.high
    if not parameter.accepts(value):
        raise InputError(f"expected {name} as {parameter.wanted()}, got {value!r}")
    if isinstance(value, (int, float)) and not low <= value <= high:
        raise InputError(f"expected {name} from {low:g} to {high:g}, got {value}")
    if name in _CHECKS and type(value) is type(parameter.default):
        try:
            _CHECKS[name](value)
        except InputError as error:
            raise error.at(name) from None


def read(notebook: str | Path, name: str, text: str) -> object:
    """Read the value of a parameter from text, as a command line passes it.

    Parameters
    ----------
    notebook : str or path
    name : str
    text : str
        Commas or spaces separate the items of a list.

    Returns
    -------
    bool, int, float, str, list or None
        The text itself if it is no literal; `check` finds out whether that will do.

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
    kinds = _parameter(notebook, _declared(notebook), name).kinds
    if list in kinds:
        items = re.findall(r"[^,\s]+", text.strip("[]() "))
        return list(map(_literal, items))
    if str in kinds:
        return text
    return _literal(text)


def _literal(text: str) -> object:
    """Read a literal in any case, such as ``none`` or ``True``; anything else stays text."""
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        return ast.literal_eval(text)
    except _NO_LITERAL:
        return text


def read_values(notebook: str | Path, name: str, text: str) -> list[object]:
    """Read several values of a parameter.

    Parameters
    ----------
    notebook : str or path
    name : str
    text : str
        Values separated by commas, or whole numbers as ``start:stop:step``.

    Returns
    -------
    list of object
        Without repetitions; each passed `check`.

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
    kinds = _parameter(notebook, _declared(notebook), name).kinds
    if int in kinds and ":" in text:
        values = list(parse_range(text, low=0))
    else:
        values = [read(notebook, name, part) for part in text.split(",")]
    distinct = []
    for value in values:
        check(notebook, {name: value})
        if value not in distinct:
            distinct.append(value)
    return distinct
