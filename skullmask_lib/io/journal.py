"""What long work has done so far: one JSON line an item, safe on disk before the next one counts."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError


def scan(path: str | Path) -> Iterator[tuple[str, dict, int]]:
    """Go through the records one by one, in the order they were written.

    Parameters
    ----------
    path : str or path
        May be missing. A line that was cut off counts as not written.

    Yields
    ------
    item : str
    record : dict
    place : int
        Where its line begins [bytes], for `at`.

    Raises
    ------
    InputError
        If the file is something else.

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
            if line.strip() and (found := _parsed(line, path)):
                yield *found, place
            place += len(line)


def read(path: str | Path) -> dict[str, dict]:
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
        If the file is something else.

    Examples
    --------
    >>> read("missing.jsonl")
    {}
    """
    return {item: record for item, record, _ in scan(path)}


def at(path: str | Path, place: int) -> dict:
    """Read one record.

    Parameters
    ----------
    path : str or path
    place : int
        As `scan` gives it.

    Returns
    -------
    dict

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = append(f"{folder}/runs.jsonl", "a", {"state": "done"})
    ...     [at(f"{folder}/runs.jsonl", place) for *_, place in scan(f"{folder}/runs.jsonl")]
    [{'state': 'done'}]
    """
    with open(path, "rb") as file:
        file.seek(place)
        return _parsed(file.readline(), path)[1]


def append(path: str | Path, item: str, record: dict) -> int:
    """Add the record of an item; it is safe on disk when this returns.

    Parameters
    ----------
    path : str or path
        Made if missing.
    item : str
    record : dict
        Of what JSON can hold.

    Returns
    -------
    int
        Where its line begins [bytes], for `at`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     places = [append(f"{folder}/runs.jsonl", "a", {"state": state}) for state in ("started", "done")]
    ...     read(f"{folder}/runs.jsonl")
    {'a': {'state': 'done'}}
    """
    with open(path, "ab") as file:
        place = file.tell() + 1
        file.write(b"\n" + json.dumps([item, record]).encode() + b"\n")  # the line before may have been cut off
        file.flush()
        os.fsync(file.fileno())
    return place


def _parsed(line: bytes, path: str | Path) -> tuple[str, dict] | None:
    try:
        item, record = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError):
        if _is_cut_off(line):
            return None
        item, record = None, None
    except (TypeError, ValueError, RecursionError):
        item, record = None, None
    if not isinstance(item, str) or not isinstance(record, dict):
        raise InputError(f"{path}: is no journal of ours; choose another folder")
    return item, record


def _is_cut_off(line: bytes) -> bool:
    """Tell what is left of a record, or zeros, when the power went, from the text of another file."""
    left = line.strip(b"\0 \t\r\n")
    return left.startswith(b'["') or left in (b"", b"[")
