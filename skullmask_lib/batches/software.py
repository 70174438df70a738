"""Which software makes the masks: the same when a batch resumes, and on all of its workers."""

import ast
import hashlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import scipy

_LIBRARY = Path(__file__).parents[1]
_COMPUTING = (  # all code that the masks, their scores and their files depend on
    "borders.py",
    "errors.py",
    "masks.py",
    "metrics.py",
    "polar.py",
    "versions.py",
    "io/*.py",
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

    Comments, docstrings and the layout of the code do not count.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> list(in_use())
    ['skullmask', 'numpy', 'opencv', 'scipy']
    """
    code = hashlib.sha256()
    for pattern in _COMPUTING:
        for file in sorted(_LIBRARY.glob(pattern)):
            statements = _statements(file.read_text(encoding="utf-8"))
            code.update(statements.encode())
    return {
        "skullmask": f"code {code.hexdigest()[:12]}",
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "scipy": scipy.__version__,
    }


def _statements(source: str) -> str:
    """Return the statements of a module without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        may_have_docstring = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if may_have_docstring and ast.get_docstring(node, clean=False):
            del node.body[0]
    return ast.dump(tree)
