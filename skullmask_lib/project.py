"""The files that come with the project: its folders, and the numbers that the articles published.

The user's own files are read in `io`.
"""

import csv
from pathlib import Path

from .errors import InputError


def project_folder(name: str) -> Path:
    """Find ``notebooks``, ``data`` or ``figures``, in a clone or in an installed wheel.

    Parameters
    ----------
    name : {"notebooks", "data", "figures"}

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If the installation lacks the folder.

    Examples
    --------
    >>> (project_folder("data") / "published.csv").is_file()
    True
    """
    package = Path(__file__).parent
    for place in (package / name, package.parent / name):
        if place.is_dir():
            return place
    raise InputError("not found beside the installed package; install skullmask again", where=name)


def published() -> dict[str, float]:
    """Read the figures of the sources from ``data/published.csv``, their only home.

    Returns
    -------
    dict of str to float
        Values by item.

    Examples
    --------
    >>> published()["otsu_threshold"]
    23.0
    """
    file = project_folder("data") / "published.csv"
    figures = {}
    with open(file, newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            figures[row["item"]] = float(row["value"])
    return figures
