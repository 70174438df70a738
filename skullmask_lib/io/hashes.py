"""The sha256 of files and folders, by which a later run recognises them.

What a hash is recorded for does not matter here.
"""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from .paths import is_left_by_system


def contents(path: Path) -> str:
    """Hash a file, or all files of a folder with their names.

    Files that systems leave in a folder, such as ``.DS_Store``, do not count.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str

    Examples
    --------
    >>> len(contents(Path(__file__)))
    64
    """
    if path.is_dir():
        files = []
        for file in sorted(path.rglob("*")):
            if file.is_file() and not is_left_by_system(file.name):
                files.append(file)
        return together(path, files)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def together(folder: Path, files: Iterable[Path]) -> str:
    """Hash a list of files: their hashes and their names within a folder.

    Parameters
    ----------
    folder : Path
    files : iterable of Path
        All lie in the folder, or further below.

    Returns
    -------
    str

    Examples
    --------
    >>> here = Path(__file__)
    >>> together(here.parent, [here]) == contents(here)
    False
    """
    listing = hashlib.sha256()
    for file in files:
        name = file.relative_to(folder)
        listing.update(contents(file).encode() + b" " + os.fsencode(name.as_posix()) + b"\n")
    return listing.hexdigest()
