"""What the journal of a batch may say: its run and its chunks, checked before anything is read, written or removed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from . import journal, stacks
from .masks import InputError

STATES = ("done", "set aside")
KINDS = ("npy", "zarr", "files")  # of masks
TABLES = ("csv", "parquet")
PARTS = ("read", "compute", "write")  # of the work, in seconds
TEXTS = ("name", "flags", "error", "remarks")  # of a row; its other values are numbers
_MOST = 2**63 - 1
_NAMES = "sha256 of the names"


def opened(book: Path, output: str) -> tuple[dict | None, Iterator[tuple[int, dict, int]]]:
    """Read the run that a journal speaks of, and go through its chunks.

    Parameters
    ----------
    book : Path
        The journal; may be missing.
    output : str
        Where the masks of the run are, or are to be.

    Returns
    -------
    run : dict or None
        What was recorded, and under ``made`` the `Stack` of its masks; None where nothing is recorded.
        ``tables`` lists the formats of the table that may lie there, once the iterator is exhausted. There are two
        if a run was stopped while it replaced a table by one of the other format.
    chunks : iterator of (start, record, place)
        In the order they were written.

    Raises
    ------
    InputError
        If the journal says what no batch has written; the iterator raises it, too.

    Examples
    --------
    >>> opened(Path("missing.jsonl"), "masks.npy")[0] is None
    True
    """
    check_file(book)
    records = journal.scan(book)
    item, run, _ = next(records, ("run", None, 0))
    if run is None:
        return None, iter(())
    if item != "run":
        raise _damaged(book, "it does not begin with a run")
    run = run | {"made": _masks(book, run, output), "tables": [run["table"]]}
    return run, _chunks(book, run, records)


def check_file(book: Path) -> None:
    """See that a journal is a file, or missing.

    Parameters
    ----------
    book : Path

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_file(Path("missing.jsonl"))
    """
    if book.is_symlink() or (book.exists() and not book.is_file()):
        raise InputError(f"{book}: expected a file, got a link or something else; choose another folder")


def _damaged(book: Path, why: str) -> InputError:
    return InputError(f"{book}: is no journal that a batch could go on with, {why}; move {book.parent} away")


def _is_count(value: object, low: int = 0, high: int = _MOST) -> bool:
    return type(value) is int and low <= value <= high


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < _MOST


def _masks(book: Path, run: dict, output: str) -> stacks.Stack:
    """Give the stack of the masks that a run wrote; only their names are taken from the journal, never a folder."""
    masks = run.get("masks")
    if not isinstance(masks, dict) or masks.get("kind") not in KINDS:
        raise _damaged(book, "it does not say what the masks are")
    shape = masks.get("shape")
    names = run.get("files")
    are_files = masks["kind"] == "files"
    checks = [
        (_is_shape(shape, 1 if are_files else 3), "it does not say how many masks there are"),
        (_is_count(run.get("chunk"), 1, 1_000_000), "it does not say how large a chunk is"),
        (_is_token(run.get("token")), "it does not say what its masks are called"),
        (run.get("table") in TABLES, "it does not say what its table is"),
        (isinstance(run.get("address", 0), str | None), "it does not say where its masks are"),
        (not are_files or _are_names(names, shape), "it does not name the files of its masks"),
        (are_files or names is None, "it names files"),
    ]
    for is_right, complaint in checks:
        if not is_right:
            raise _damaged(book, complaint)
    made = stacks.masks_at(output, masks["kind"], tuple(shape), tuple(names or ()))
    if made.facts()[_NAMES] != masks.get(_NAMES):
        raise _damaged(book, "it names other files than those of its masks")
    return made


def _is_shape(shape: object, axes: int) -> bool:
    return isinstance(shape, list) and len(shape) == axes and all(_is_count(size, 1) for size in shape)


def _is_token(token: object) -> bool:
    return isinstance(token, str) and re.fullmatch("[0-9a-f]{8}", token) is not None


def _are_names(names: object, shape: object) -> bool:
    return isinstance(names, list) and [len(names)] == shape and all(map(_is_name, names))


def _is_name(name: object) -> bool:
    """Tell a name below the folder of all images, or that folder itself, from one that leads out of it.

    A list that has the line ``/`` names the folder itself, ``.``; it is no image, and has no file of masks.
    """
    if not isinstance(name, str):
        return False
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    path = PurePath(name)
    return name != "" and not path.drive and not path.root and ".." not in path.parts


def _chunks(book: Path, run: dict, records: Iterator[tuple[str, dict, int]]) -> Iterator[tuple[int, dict, int]]:
    images = run["masks"]["shape"][0]
    chunk = run["chunk"]
    for item, record, place in records:
        if item == "table":
            run["tables"] = _tables(book, record)
            continue
        if not re.fullmatch(r"0|[1-9]\d{0,17}", item, re.ASCII):
            raise _damaged(book, f"it speaks of {item[:40]!r}")
        start = int(item)
        if start % chunk or start >= images:
            raise _damaged(book, f"no chunk begins with image {start}")
        stop = min(start + chunk, images)
        check(book, start, stop - start, record)
        if run["made"].kind == "files" and not _are_files(record.get("files"), run["made"], start, stop):
            raise _damaged(book, f"of the images from {start} on it does not say in which files their masks are")
        yield start, record, place


def _tables(book: Path, record: dict) -> list[str]:
    kinds = record.get("kinds")
    if not isinstance(kinds, list) or not kinds or any(kind not in TABLES for kind in kinds):
        raise _damaged(book, "it does not say what its table is")
    return kinds


def _are_files(files: object, made: stacks.Stack, start: int, stop: int) -> bool:
    """Tell whether each of these may hold the masks of its image, or is empty."""
    if not isinstance(files, list) or len(files) != stop - start:
        return False
    return all(file in ("", *stacks.mask_names(made, index)) for index, file in enumerate(files, start))


def check(book: Path, start: int, count: int, record: dict) -> None:
    """See that the record of a chunk is one that `chunks.work` gives.

    Parameters
    ----------
    book : Path
        The journal, for the message.
    start, count : int
        The chunk's first image, and how many there are.
    record : dict

    Raises
    ------
    InputError

    Examples
    --------
    >>> check(Path("journal.jsonl"), 0, 3, {"state": "done"})
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: journal.jsonl: is no journal that a batch could go on with, ...
    """
    checks = {
        "state": record.get("state") in STATES,
        "failed": _is_count(record.get("failed"), 0, count),
        "bytes": _is_count(record.get("bytes")),
        "seconds": _are_seconds(record.get("seconds")),
        "rows": _are_rows(record.get("rows"), count),
    }
    if record.get("state") == "done":
        checks["from"] = _is_count(record.get("from"))
        checks["made"] = _is_count(record.get("made"))
    wrong = [name for name, good in checks.items() if not good]
    if wrong:
        raise _damaged(book, f"of the images from {start} on it does not say {', '.join(wrong)}")


def _are_seconds(seconds: object) -> bool:
    if not isinstance(seconds, dict):
        return False
    return not seconds or (set(seconds) == set(PARTS) and all(map(_is_time, seconds.values())))


def _are_rows(rows: object, count: int) -> bool:
    return isinstance(rows, list) and len(rows) >= count and all(map(_is_row, rows))


def _is_row(row: object) -> bool:
    if not isinstance(row, dict) or not {"name", "flags"} <= set(row):
        return False
    for key, value in row.items():
        if key in TEXTS:
            if not isinstance(value, str):
                return False
        elif key == "area_px":
            if not _is_count(value):
                return False
        elif type(value) is not float and not _is_count(value, -_MOST):
            return False
    return True
