"""A journal of long work: one line of JSON for each item, on disk before the next item counts.

What a record means does not matter here.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError
from .paths import AnyPath

try:
    import fcntl
except ImportError:  # on Windows nothing keeps two runs apart
    fcntl = None


def scan(path: AnyPath) -> Iterator[tuple[str, dict, int]]:
    """Yield the records one by one, in the order in which they were written.

    Parameters
    ----------
    path : str or path
        May be missing. A line that was cut off is skipped.

    Yields
    ------
    item : str
    record : dict
    place : int
        Where its line begins [bytes], for `at`.

    Raises
    ------
    InputError
        If the file is not a journal.

    Examples
    --------
    >>> list(scan("missing.jsonl"))
    []
    """
    if not Path(path).exists():
        return
    place = 0
    with open(path, "rb") as file:
        for line in file:
            entry = _parsed(line, path) if line.strip() else None
            if entry:
                item, record = entry
                yield item, record, place
            place += len(line)


def read(path: AnyPath) -> dict[str, dict]:
    """Read the last record of every item.

    Parameters
    ----------
    path : str or path
        See `scan`.

    Returns
    -------
    dict of str to dict
        Item to record.

    Raises
    ------
    InputError
        If the file is not a journal.

    Examples
    --------
    >>> read("missing.jsonl")
    {}
    """
    records = {}
    for item, record, _ in scan(path):
        records[item] = record
    return records


def at(path: AnyPath, place: int) -> dict:
    """Read one record.

    Parameters
    ----------
    path : str or path
    place : int
        As `scan` or `append` returns it.

    Returns
    -------
    dict

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = append(f"{folder}/runs.jsonl", "a", {"state": "done"})
    ...     at(f"{folder}/runs.jsonl", place)
    {'state': 'done'}
    """
    with open(path, "rb") as file:
        file.seek(place)
        line = file.readline()
    _, record = _parsed(line, path)
    return record


def append(path: AnyPath, item: str, record: dict) -> int:
    """Add the record of an item; it is safe on disk when this returns.

    Parameters
    ----------
    path : str or path
        Created if missing.
    item : str
    record : dict
        Holds only what JSON can hold.

    Returns
    -------
    int
        Where its line begins [bytes], for `at`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for state in ("started", "done"):
    ...         _ = append(f"{folder}/runs.jsonl", "a", {"state": state})
    ...     read(f"{folder}/runs.jsonl")
    {'a': {'state': 'done'}}
    """
    with open(path, "ab") as file:
        place = file.tell() + 1
        line = json.dumps([item, record]).encode()
        file.write(b"\n" + line + b"\n")  # the line before may have been cut off
        file.flush()
        os.fsync(file.fileno())
    return place


def lock(file: BinaryIO, output: AnyPath) -> None:
    """Keep other runs from a journal for as long as its file is open.

    Parameters
    ----------
    file : binary file
        The journal, open for writing.
    output : str or path
        What the run writes, for the message.

    Raises
    ------
    InputError
        If another run has locked it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryFile() as file:
    ...     lock(file, "masks")
    """
    if not fcntl:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError("another run is at work on it", where=output) from None
    except OSError:
        pass  # this file system has no locks


def _parsed(line: bytes, path: AnyPath) -> tuple[str, dict] | None:
    """Read one record; None if its line was cut off."""
    item: object = None
    record: object = None
    try:
        item, record = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        if _is_cut_off(line):
            return None
    except (TypeError, ValueError, RecursionError):
        pass  # JSON, but no record
    if not isinstance(item, str) or not isinstance(record, dict):
        raise InputError("is no journal of ours; choose another folder", where=path)
    return item, record


def _is_cut_off(line: bytes) -> bool:
    """Return whether a line is the rest of a record, or zeros, from when the power went."""
    rest = line.strip(b"\0 \t\r\n")
    return rest.startswith(b'["') or rest in (b"", b"[")
