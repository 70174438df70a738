"""What the scripts here share: tables of results that are whole, and the machine that made them."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from skullmask_lib.io import outputs


def read(file: Path) -> list[dict[str, str]]:
    """Read a table of results."""
    with open(file, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def write(file: Path, header: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table of results, whole or not at all."""
    with (
        outputs.replacing(file) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(stream, header, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
