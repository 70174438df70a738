"""The tables of a batch, written from its journal: results of all images, and all errors.

What is in a row is decided in `rows`; here it is only laid out as CSV or Parquet.
"""

import csv
import importlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from .. import texts
from ..errors import extra
from ..io import journal, outputs
from . import records
from .history import History

_MEASURES = ("name", "seconds", "area_px", "area_mm2", "quality", "flags", "remarks")
_SCORES = ("iou", "dice", "area_error")
_DISTANCES_MM = ("hausdorff_mm", "hd95_mm", "assd_mm")
_DISTANCES_PX = ("hausdorff_px", "hd95_px", "assd_px")
_COLUMNS = _MEASURES + _SCORES + _DISTANCES_MM + _DISTANCES_PX
_ALWAYS = ("name", "seconds", "area_px", "quality", "flags")
_ROWS_AT_A_TIME = 10_000  # of Parquet


def write(history: History, kind: str) -> tuple[Path, Path]:
    r"""Write the table of all images, and that of those that failed, beside the journal.

    The journal records which tables may lie there before one is written and after another is
    removed.

    Parameters
    ----------
    history : History
    kind : {"csv", "parquet"}
        Of the table of all images.

    Returns
    -------
    results, errors : Path

    Raises
    ------
    InputError
        If a table cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     history = History(Path(folder, "journal.jsonl"), {"tables": ["csv"]})
    ...     results, _ = write(history, "csv")
    ...     results.read_text()
    'name,seconds,area_px,quality,flags\n'
    """
    earlier_kinds = list(history.run["tables"])
    if kind in earlier_kinds:
        earlier_kinds.remove(kind)
    if earlier_kinds:
        _record_kinds(history, [*earlier_kinds, kind])
    results = _write_results(history, kind)
    errors = _write_errors(history)
    for earlier in earlier_kinds:
        history.beside(f"results.{earlier}").unlink(missing_ok=True)
    if earlier_kinds:
        _record_kinds(history, [kind])
    return results, errors


def _write_results(history: History, kind: str) -> Path:
    columns = []
    for column in _COLUMNS:
        if column in history.columns or column in _ALWAYS:
            columns.append(column)
    write_table = _write_parquet if kind == "parquet" else _write_csv
    path = history.beside(f"results.{kind}")
    with outputs.replacing(path) as temporary:
        write_table(temporary, columns, history.rows())
    return path


def _write_errors(history: History) -> Path:
    path = history.beside("errors.csv")
    failures = (row for row in history.rows() if "error" in row)
    with outputs.replacing(path) as temporary:
        _write_csv(temporary, ["name", "error"], failures)
    return path


def _record_kinds(history: History, kinds: list[str]) -> None:
    with outputs.writable(history.run["stack"].path):
        journal.append(history.journal_file, "table", {"kinds": kinds})
    history.run["tables"] = kinds


def _write_csv(path: Path, columns: list[str], rows: Iterable[dict]) -> None:
    """Write a table for spreadsheets, which take some texts for formulas."""
    with open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore")
        table.writeheader()
        for row in rows:
            table.writerow(_csv_cells(row))


def _csv_cells(row: dict) -> dict:
    cells = dict(row)
    for column in records.TEXTS:
        if column in row:
            cells[column] = texts.csv_text(row[column])
    return cells


def _write_parquet(path: Path, columns: list[str], rows: Iterator[dict]) -> None:
    """Write a table for programs, with texts as they are."""
    arrow = extra("pyarrow", "Parquet", "batch")
    parquet = importlib.import_module("pyarrow.parquet")
    types = dict.fromkeys(columns, arrow.float64())
    types["area_px"] = arrow.int64()
    types.update(dict.fromkeys(records.TEXTS, arrow.string()))
    schema = arrow.schema([(column, types[column]) for column in columns])
    cells = (_parquet_cells(row, columns) for row in rows)
    with parquet.ParquetWriter(path, schema) as file:
        while True:
            batch = list(itertools.islice(cells, _ROWS_AT_A_TIME))
            if not batch:
                break
            file.write_batch(arrow.RecordBatch.from_pylist(batch, schema))


def _parquet_cells(row: dict, columns: list[str]) -> dict:
    """Return the values of a row in UTF-8; a missing text is empty, a missing number is null."""
    cells = {}
    for column in columns:
        if column in records.TEXTS:
            text = row.get(column, "")
            cells[column] = text.encode("utf-8", "backslashreplace").decode()
        else:
            cells[column] = row.get(column)
    return cells
