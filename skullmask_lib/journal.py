"""What long work has done so far: one JSON line an item, safe on disk before the next one counts."""

import json
import os
from pathlib import Path


def read(path: str | Path) -> dict[str, dict]:
    """Read the last record of every item.

    Parameters
    ----------
    path : str or path
        May be missing. A last line that was cut off counts as not written.

    Returns
    -------
    dict of str to dict
        Item to record.

    Examples
    --------
    >>> read("missing.jsonl")
    {}
    """
    try:
        lines = Path(path).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return {}
    return dict(json.loads(line) for line in lines)


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
    with open(path, "ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)  # what was cut off when the power went
        file.write(json.dumps([item, record]).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
