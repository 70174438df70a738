"""What the scripts here share: command lines that refuse what cannot work, and tables of results.

A script may take hours, so it checks its folders and its output before it begins.
"""

import argparse
import csv
import datetime
import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import skullmask_lib as sm
from skullmask_lib.errors import InputError
from skullmask_lib.io import outputs

Row = TypeVar("Row", bound=Mapping[str, Any])

# --- Command lines -------------------------------------------------------------------------------


def run(main: Callable[[], None]) -> None:
    """Run a script; what its user can mend ends it in one line."""
    try:
        main()
    except InputError as error:
        sys.exit(f"{Path(sys.argv[0]).stem}: {error}")


def real_folder(name: str) -> Path | None:
    """Name a folder of what is never part of the project; None if SKULLMASK_REAL is not set."""
    real = os.environ.get("SKULLMASK_REAL")
    return Path(real, name) if real else None


def require_heads(folder: Path | None) -> None:
    """Refuse to run without real heads: neither named on the command line nor by the variable."""
    if folder is None:
        raise InputError("SKULLMASK_REAL is not set, and no folder given with --heads")


def files_of(folder: Path) -> list[Path]:
    """List the heads of a folder, and refuse a folder that has none."""
    files = sorted(folder.glob("*.npz"))
    if not files:
        raise InputError("expected .npz files of heads, found none", str(folder))
    return files


def count(text: str) -> int:
    """Read a whole number above 0, as a type of argparse."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text}")
    return number


def check_output(file: Path) -> None:
    """Refuse a folder, and a file in a folder that does not exist."""
    if file.is_dir():
        raise InputError("cannot be written, it is a folder", where=file)
    if not file.parent.is_dir():
        raise InputError(f"cannot be written, {file.parent} is no folder", where=file)


# --- Machines ------------------------------------------------------------------------------------

CPU_INFO = Path("/proc/cpuinfo")


def processor() -> str:
    """Name the model of the processor; where Linux does not tell, its kind."""
    if CPU_INFO.exists():
        for line in CPU_INFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(": ")[2].strip()
    return platform.machine()


# --- Tables of results ---------------------------------------------------------------------------


def read(file: Path) -> list[dict[str, str]]:
    """Read a table of results."""
    with open(file, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def read_earlier(file: Path, header: Sequence[str]) -> list[dict[str, str]]:
    """Read the table of an earlier run, if there is one, with the columns of today.

    Columns that it lacks are empty; others are dropped.
    """
    if not file.exists():
        return []
    rows = []
    for row in read(file):
        rows.append({name: row.get(name, "") for name in header})
    return rows


def select(rows: Iterable[Row], **cells: object) -> list[Row]:
    """Choose the rows with these cells, for instance all with ``method="v8"``."""
    return [row for row in rows if row.items() >= cells.items()]


def numbers(rows: Iterable[Row], name: str) -> list[float]:
    """List the numbers of a column; those of a file are texts."""
    return [float(row[name]) for row in rows]


def iou_cells(ious: Sequence[float]) -> dict[str, float]:
    """Sum up the IoU of slices, as tables show it: the mean and the worst slice."""
    return {"iou": round(float(np.mean(ious)), 4), "iou_min": round(min(ious), 4)}


def write(file: Path, header: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table of results, whole or not at all."""
    with (
        outputs.replacing(file) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(stream, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_stamped(file: Path, header: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table of results, each row with today's date and the version."""
    stamp = {"date": datetime.date.today().isoformat(), "version": sm.__version__}
    write(file, header, [{**row, **stamp} for row in rows])
