"""Which software makes the masks: a batch goes on only with the same."""

import ast
import hashlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import scipy

_LIBRARY = Path(__file__).parents[1]
_COMPUTES = (
    "borders.py",
    "errors.py",
    "masks.py",
    "metrics.py",
    "polar.py",
    "versions.py",
    "io/*.py",
    "batches/chunks.py",
    "batches/stacks.py",
)  # what the masks, their scores and their files depend on


@cache
def in_use() -> dict[str, str]:
    """Name what a mask depends on beside its image: the code that computes it, and the versions of its parts.

    Comments, docstrings and the layout of the code do not count.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> list(in_use())
    ['skullmask', 'numpy', 'opencv', 'scipy']
    """
    files = [file for pattern in _COMPUTES for file in sorted(_LIBRARY.glob(pattern))]
    code = hashlib.sha256()
    for file in files:
        code.update(_statements(file.read_text(encoding="utf-8")).encode())
    return {
        "skullmask": f"code {code.hexdigest()[:12]}",
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "scipy": scipy.__version__,
    }


def _statements(source: str) -> str:
    """Write the statements of a module without comments and docstrings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            del node.body[0]
    return ast.dump(tree)
