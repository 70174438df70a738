"""Which software makes the masks of a batch: our code and the packages that compute.

A batch resumes only with the software that it began with, and all of its workers must have it.
This module only says what the software is; `records.differences` compares two of its answers. A
module that may change a mask, a score or a file of masks belongs in the list below.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import scipy

_LIBRARY = Path(__file__).parents[1]
_COMPUTING = (  # all code that the masks, their scores and their files depend on
    "borders.py",
    "boundary.py",
    "errors.py",
    "learned.py",
    "masks.py",
    "metrics.py",
    "versions.py",
    "io/*.py",
    "polar/*.py",
    "batches/chunks.py",
    "batches/mask_stacks.py",
    "batches/reading.py",
    "batches/rows.py",
    "batches/stacks.py",
    "batches/stores.py",
    "batches/writing.py",
)


@cache
def in_use() -> dict[str, str]:
    """Return what a mask depends on beside its image: our code, and the packages it uses.

    Comments, docstrings and the layout of the code do not count, nor does the version of Python.

    Returns
    -------
    dict of str to str

    Raises
    ------
    RuntimeError
        If a module that computes masks is missing.

    Examples
    --------
    >>> list(in_use())
    ['skullmask', 'numpy', 'opencv', 'scipy']
    """
    code = hashlib.sha256()
    for file in _computing_files():
        statements = _statements(file.read_text(encoding="utf-8"))
        code.update(statements.encode())
    return {
        "skullmask": f"code {code.hexdigest()[:12]}",
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "scipy": scipy.__version__,
    }


def _computing_files() -> Iterator[Path]:
    """Yield the files of the code that masks depend on."""
    for pattern in _COMPUTING:
        files = sorted(_LIBRARY.glob(pattern))
        if not files:
            raise RuntimeError(f"{_LIBRARY / pattern}: no such module; correct the list of them")
        yield from files


def _statements(source: str) -> str:
    """Return the statements of a module without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            continue
        if ast.get_docstring(node, clean=False):
            del node.body[0]
    return repr(_nested(tree))


def _nested(node: object) -> object:
    """Turn a syntax tree into nested lists, the same on every version of Python.

    Empty fields are left out, because newer versions have more of them.
    """
    if isinstance(node, list):
        return [_nested(item) for item in node]
    if not isinstance(node, ast.AST):
        return repr(node)
    parts: list[object] = [type(node).__name__]
    for field, value in ast.iter_fields(node):
        if value is not None and value != []:
            parts.append([field, _nested(value)])
    return parts
