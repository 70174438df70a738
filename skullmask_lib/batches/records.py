"""What the journal of a batch may say of its run and its chunks, checked before it is used.

Anybody can have changed a journal, so nothing is read, written or removed because of it before it
has passed these checks. What is done with it afterwards belongs in `history`.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath

from .. import texts
from ..errors import InputError
from ..io import journal
from . import mask_stacks
from .stacks import NAMES_FACT, Stack

STATES = ("done", "set aside")
KINDS = ("npy", "zarr", "files")  # of masks
TABLES = ("csv", "parquet")
PARTS = ("read", "compute", "write")  # of the work
TEXTS = ("name", "flags", "error", "remarks")  # columns of a row; all others hold numbers
_LARGEST_COUNT = 2**63 - 1
_LARGEST_CHUNK = 1_000_000  # images
_LONGEST_VALUE = 200  # characters of a value in a message


def opened(
    journal_file: Path,
    output: str,
) -> tuple[dict | None, Iterator[tuple[int, dict, int]]]:
    """Read the run that a journal records, and go through its chunks.

    Parameters
    ----------
    journal_file : Path
        May be missing.
    output : str
        Where the masks of the run are or will be.

    Returns
    -------
    run : dict or None
        What was recorded, with two more entries; None if no run is recorded. ``stack`` is the
        `Stack` of its masks. ``tables`` lists the formats of the results table that may lie beside
        the journal, once the iterator is exhausted: one, unless a run was stopped while it replaced
        one table by another.
    chunks : iterator of (start, record, place)
        In the order in which they were written.

    Raises
    ------
    InputError
        If the journal says what no batch has written; the iterator raises it, too.

    Examples
    --------
    >>> opened(Path("missing.jsonl"), "masks.npy")[0] is None
    True
    """
    check_file(journal_file)
    entries = journal.scan(journal_file)
    item, run, _ = next(entries, ("run", None, 0))
    if run is None:
        return None, iter(())
    if item != "run":
        raise _damaged(journal_file, "it does not begin with a run")
    run = dict(run)
    run["stack"] = _recorded_masks(journal_file, run, output)
    run["tables"] = [run["table"]]
    return run, _recorded_chunks(journal_file, run, entries)


def check_file(journal_file: Path) -> None:
    """Check that a journal is a file, or missing.

    Parameters
    ----------
    journal_file : Path

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_file(Path("missing.jsonl"))
    """
    is_other = journal_file.exists() and not journal_file.is_file()
    if journal_file.is_symlink() or is_other:
        message = "expected a file, got a link or something else; choose another folder"
        raise InputError(message, where=journal_file)


def differences(recorded: dict, present: dict, subject: str = "") -> Iterator[str]:
    """Say how two records differ.

    Parameters
    ----------
    recorded, present : dict
    subject : str
        What they are records of, in front of each difference.

    Yields
    ------
    str

    Examples
    --------
    >>> before = {"chunk": 100, "images": {"kind": "npy"}}
    >>> list(differences(before, {"chunk": 50, "images": {"kind": "npy"}}))
    ['chunk was 100, is 50']
    """
    for key, value in present.items():
        before = recorded.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            yield from differences(before, value, f"{key}: ")
        elif before != value:
            yield f"{subject}{key} was {_shortened(before)}, is {_shortened(value)}"


def _shortened(value: object) -> str:
    text = texts.plain(value)
    if len(text) > _LONGEST_VALUE:
        return f"{text[:_LONGEST_VALUE]}…"
    return text


def _damaged(journal_file: Path, problem: str) -> InputError:
    message = f"not a journal that a batch can resume ({problem})"
    return InputError(f"{message}; move {journal_file.parent} away", where=journal_file)


def _is_count(value: object, low: int = 0, high: int = _LARGEST_COUNT) -> bool:
    return type(value) is int and low <= value <= high


def _is_time(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < _LARGEST_COUNT


def _recorded_masks(journal_file: Path, run: dict, output: str) -> Stack:
    """Return the stack of a run's masks; the journal gives their names, but never their folder."""
    masks = run.get("masks")
    if not isinstance(masks, dict) or masks.get("kind") not in KINDS:
        raise _damaged(journal_file, "the kind of its masks is missing or wrong")
    problem = _problem_with_run(run, masks)
    if problem:
        raise _damaged(journal_file, problem)
    names = tuple(run.get("files") or ())
    stack = mask_stacks.masks_at(output, masks["kind"], tuple(masks["shape"]), names)
    if stack.facts()[NAMES_FACT] != masks.get(NAMES_FACT):
        raise _damaged(journal_file, "its file names do not match their checksum")
    return stack


def _problem_with_run(run: dict, masks: dict) -> str:
    """Return what is wrong with what a journal says of a run, or ``""``."""
    shape = masks.get("shape")
    names = run.get("files")
    are_files = masks["kind"] == "files"
    axes = 1 if are_files else 3
    checks = {
        "shape": _is_shape(shape, axes),
        "chunk": _is_count(run.get("chunk"), 1, _LARGEST_CHUNK),
        "token": _is_token(run.get("token")),
        "table": run.get("table") in TABLES,
        "address": isinstance(run.get("address", 0), str | None),
        "files": _are_names(names, shape) if are_files else names is None,
    }
    return _wrong(checks)


def _wrong(checks: dict[str, bool]) -> str:
    """Name the entries of a record that did not pass their checks, or return ``""``."""
    wrong = [entry for entry, is_right in checks.items() if not is_right]
    return f"missing or wrong: {', '.join(wrong)}" if wrong else ""


def _is_shape(shape: object, axes: int) -> bool:
    if not isinstance(shape, list) or len(shape) != axes:
        return False
    return all(_is_count(size, 1) for size in shape)


def _is_token(token: object) -> bool:
    return isinstance(token, str) and re.fullmatch("[0-9a-f]{8}", token) is not None


def _are_names(names: object, shape: object) -> bool:
    if not isinstance(names, list) or [len(names)] != shape:
        return False
    return all(map(_is_name, names))


def _is_name(name: object) -> bool:
    """Return whether a name is below the folder of all images, or that folder itself.

    A list that has the line ``/`` names the folder itself, ``.``; it has no file of masks.
    """
    if not isinstance(name, str):
        return False
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    path = PurePath(name)
    is_absolute = bool(path.drive or path.root)
    return name != "" and not is_absolute and ".." not in path.parts


def _recorded_chunks(
    journal_file: Path,
    run: dict,
    entries: Iterator[tuple[str, dict, int]],
) -> Iterator[tuple[int, dict, int]]:
    """Yield the chunks of a journal; keep the formats of its tables in the run."""
    images = run["masks"]["shape"][0]
    for item, record, place in entries:
        if item == "table":
            run["tables"] = _tables(journal_file, record)
            continue
        start = _chunk_start(journal_file, item, run["chunk"], images)
        stop = min(start + run["chunk"], images)
        check(journal_file, start, stop - start, record)
        if run["stack"].kind == "files":
            _check_files(journal_file, record.get("files"), run["stack"], start, stop)
        yield start, record, place


def _chunk_start(journal_file: Path, item: str, chunk: int, images: int) -> int:
    """Return the first image of the chunk that an entry of a journal is about."""
    if not re.fullmatch(r"0|[1-9]\d{0,17}", item, re.ASCII):
        raise _damaged(journal_file, f"unknown entry {item[:40]!r}")
    start = int(item)
    if start % chunk or start >= images:
        raise _damaged(journal_file, f"no chunk begins with image {start}")
    return start


def _tables(journal_file: Path, record: dict) -> list[str]:
    kinds = record.get("kinds")
    is_right = isinstance(kinds, list) and bool(kinds)
    if not is_right or any(kind not in TABLES for kind in kinds):
        raise _damaged(journal_file, "missing or wrong: kinds of tables")
    return kinds


def _check_files(journal_file: Path, files: object, masks: Stack, start: int, stop: int) -> None:
    """Check that each file may hold the masks of its image, or is empty."""
    is_right = isinstance(files, list) and len(files) == stop - start
    if is_right:
        for index, file in enumerate(files, start):
            if file not in ("", *mask_stacks.mask_names(masks, index)):
                is_right = False
    if not is_right:
        problem = "missing or wrong: files"
        raise _damaged(journal_file, f"images from {start} on, {problem}")


def check(journal_file: Path, start: int, count: int, record: dict) -> None:
    """Check that the record of a chunk is one that `chunks.work` returns.

    Parameters
    ----------
    journal_file : Path
        For the message.
    start, count : int
        The chunk's first image, and its number of images.
    record : dict

    Raises
    ------
    InputError

    Examples
    --------
    >>> check(Path("journal.jsonl"), 0, 3, {"state": "done"})
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: journal.jsonl: not a journal that a batch can resume (...
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
    problem = _wrong(checks)
    if problem:
        raise _damaged(journal_file, f"images from {start} on, {problem}")


def _are_seconds(seconds: object) -> bool:
    if not isinstance(seconds, dict):
        return False
    if not seconds:
        return True
    return set(seconds) == set(PARTS) and all(map(_is_time, seconds.values()))


def _are_rows(rows: object, count: int) -> bool:
    return isinstance(rows, list) and len(rows) >= count and all(map(_is_row, rows))


def _is_row(row: object) -> bool:
    if not isinstance(row, dict) or not {"name", "flags"} <= set(row):
        return False
    return all(_is_cell(column, value) for column, value in row.items())


def _is_cell(column: str, value: object) -> bool:
    if column in TEXTS:
        return isinstance(value, str)
    if column == "area_px":
        return _is_count(value)
    return type(value) is float or _is_count(value, -_LARGEST_COUNT)
