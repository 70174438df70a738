"""What long work has done so far: one JSON line an item, safe on disk before the next one counts."""

import json
import os
from pathlib import Path

from .masks import InputError


def read(path: str | Path) -> dict[str, dict]:
    """Read the last record of every item.

    Parameters
    ----------
    path : str or path
        May be missing. A line that was cut off counts as not written.

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
    try:
        lines = Path(path).read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    records = {}
    for line in lines:
        try:
            item, record = json.loads(line)
        except json.JSONDecodeError:
            continue  # cut off when the power went
        except (TypeError, ValueError):
            item, record = None, None
        if not isinstance(item, str) or not isinstance(record, dict):
            raise InputError(f"{path}: is no journal of ours; choose another folder")
        records[item] = record
    return records


def append(path: str | Path, item: str, record: dict) -> None:
    """Add the record of an item; it is safe on disk when this returns.

    Parameters
    ----------
    path : str or path
        Made if missing.
    item : str
    record : dict
        Of what JSON can hold.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     append(f"{folder}/runs.jsonl", "a", {"state": "started"})
    ...     append(f"{folder}/runs.jsonl", "a", {"state": "done"})
    ...     read(f"{folder}/runs.jsonl")
    {'a': {'state': 'done'}}
    """
    with open(path, "ab") as file:
        file.write(b"\n" + json.dumps([item, record]).encode() + b"\n")  # the line before may have been cut off
        file.flush()
        os.fsync(file.fileno())
