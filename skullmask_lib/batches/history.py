"""What an earlier run left: opened by one run alone, then continued, refused or forgotten.

`records` checks what a journal may say; `runs` decides what a run adds to it.
"""

import contextlib
import os
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from .. import texts
from ..errors import InputError
from ..io import journal, outputs, paths
from . import ownership, records, stores
from .stacks import Stack


@dataclass
class History:
    """What the journal of an output records.

    Attributes
    ----------
    journal_file : Path
    run : dict or None
        See `records.opened`; None if no run is recorded.
    chunks : dict of int to dict
        By first image: the record of a chunk without its rows, with the ``place`` of the rows in
        the journal and the number of each of their ``flags``.
    columns : set of str
        The columns of all rows.
    """

    journal_file: Path
    run: dict | None = None
    chunks: dict[int, dict] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)

    def add(self, start: int, record: dict, place: int) -> None:
        """Take in the record of a chunk."""
        flags: Counter[str] = Counter()
        for row in record["rows"]:
            flags.update(row["flags"].split("; "))
            flags["remarked"] += "remarks" in row
            self.columns.update(row)
        chunk = {key: value for key, value in record.items() if key != "rows"}
        chunk["place"] = place
        chunk["flags"] = flags
        self.chunks[start] = chunk

    def beside(self, name: str) -> Path:
        """Return the path of a file beside the journal."""
        return self.journal_file.with_name(name)

    def masks(self) -> Stack:
        """Return the stack of the finished masks, with the files that are recorded."""
        masks = self.run["stack"]
        if masks.kind != "files":
            return masks
        files = [""] * masks.shape[0]
        for start, chunk in self.chunks.items():
            stop = start + len(chunk["files"])
            files[start:stop] = chunk["files"]
        return replace(masks, recorded_files=tuple(files))

    def unfinished_masks(self) -> Stack:
        """Return the stack of the masks until all of them are done: they lie beside the journal."""
        masks = self.run["stack"]
        if stores.is_address(masks.path):
            return masks
        name = f"masks-{self.run['token']}{Path(masks.path).suffix}"
        return replace(masks, path=str(self.beside(name)))

    def rows(self) -> Iterator[dict]:
        """Yield the rows of all recorded images in order; those of one chunk are held at a time."""
        for _, chunk in sorted(self.chunks.items()):
            yield from journal.at(self.journal_file, chunk["place"])["rows"]

    def failed(self) -> int:
        """Count the images without a mask, or without a score."""
        return sum(chunk["failed"] for chunk in self.chunks.values())

    def flagged(self) -> dict[str, int]:
        """Count the masks to look at, and those with remarks."""
        counts: Counter[str] = Counter()
        for chunk in self.chunks.values():
            counts.update(chunk["flags"])
        flags = ("doubtful", "empty", "remarked")
        return {flag: counts[flag] for flag in flags if counts[flag]}

    def seconds(self) -> dict[str, float]:
        """Sum what the workers spent on each part of the work."""
        seconds = dict.fromkeys(records.PARTS, 0.0)
        for chunk in self.chunks.values():
            for part, spent in chunk["seconds"].items():
                seconds[part] += spent
        return seconds


def in_the_way(masks: Stack, unfinished: Stack) -> InputError:
    """Return the error for something that has taken the place of masks under way.

    Parameters
    ----------
    masks, unfinished : Stack

    Returns
    -------
    InputError

    Examples
    --------
    >>> print(in_the_way(Stack("m.npy", "npy", ()), Stack("masks-1.npy", "npy", ())))
    m.npy: is in the way of the masks, which are in masks-1.npy; move it
    """
    message = f"is in the way of the masks, which are in {unfinished.path}; move it"
    return InputError(message, where=masks.path)


@contextlib.contextmanager
def opened(masks: Stack, facts: dict, table: str, restart: bool) -> Iterator[History]:
    """Open the journal of an output for one run alone, and check that it records the same work.

    Parameters
    ----------
    masks : Stack
        The planned masks.
    facts : dict
        All that the masks depend on.
    table : {"csv", "parquet"}
    restart : bool
        Forget an earlier run.

    Yields
    ------
    History
        That of a new run if none is recorded, or if it was forgotten.

    Raises
    ------
    InputError
        If another run is using the journal, it records other work, or something else lies where
        this run is to write.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     masks = Stack(f"{folder}/m.npy", "npy", (2, 8, 8))
    ...     with opened(masks, {"address": None, "masks": masks.facts()}, "csv", False) as history:
    ...         history.journal_file.relative_to(folder).as_posix(), history.chunks
    ('m.npy.batch/journal.jsonl', {})
    """
    journal_file = _folder(masks) / "journal.jsonl"
    with outputs.writable(masks.path):
        _check_places(masks, journal_file.parent)
        records.check_file(journal_file)
        if not journal_file.exists():
            _check_new(masks, History(journal_file))
        journal_file.parent.mkdir(exist_ok=True)
        file = open(journal_file, "ab")  # noqa: SIM115
    with file:
        journal.lock(file, masks.path)
        with outputs.writable(masks.path):
            history = _read(journal_file, masks.path)
            _check_new(masks, history)
            _check_table(history, table)
        begins_anew = _begins_anew(masks, history, facts, restart)
        try:
            if begins_anew:
                _check_way(history)
                with outputs.writable(masks.path):
                    _forget(history)
                    file.truncate(0)
                    history = History(journal_file)
                    history.run = _begin(journal_file, masks, facts, table)
            yield history
        except BaseException:
            # The journal stays if there are masks that cannot be removed.
            with contextlib.suppress(OSError, InputError):
                _forget_if_empty(history)
            raise


def _folder(masks: Stack) -> Path:
    """Return the folder of a journal: beside the masks, or here for those at an address."""
    if stores.is_address(masks.path):
        return Path(f"{Path(masks.path).name}.batch").absolute()
    return Path(f"{masks.path}.batch").absolute()


def _read(journal_file: Path, output: str) -> History:
    """Read and check a whole journal."""
    run, chunks = records.opened(journal_file, output)
    history = History(journal_file, run)
    for start, record, place in chunks:
        history.add(start, record, place)
    return history


def _begin(journal_file: Path, masks: Stack, facts: dict, table: str) -> dict:
    """Record a new run, and return it as `records.opened` does.

    Its token names the masks until they are done, so that a worker left over from an earlier run
    does not write into ours.
    """
    run = dict(facts)
    run["token"] = secrets.token_hex(4)
    run["table"] = table
    if masks.kind == "files":
        run["files"] = list(masks.names)
    journal.append(journal_file, "run", run)
    outputs.sync(journal_file.parent)
    outputs.sync(journal_file.parent.parent)
    run["stack"] = masks
    run["tables"] = [table]
    return run


def _check_places(masks: Stack, folder: Path) -> None:
    """Check that the masks, and the folder beside them, can be put in their places."""
    output = Path(masks.path)
    if not folder.parent.is_dir():
        raise InputError("cannot be written, its folder does not exist", where=masks.path)
    if not stores.is_address(masks.path) and (output.is_symlink() or os.path.ismount(output)):
        message = "is a link or a mount point, and could not be replaced; name a place in it"
        raise InputError(message, where=masks.path)
    if folder.is_symlink():
        raise InputError("is a link; choose another name for the masks", where=folder)


def _check_new(masks: Stack, history: History) -> None:
    """Check that nobody's files lie where a run writes that has nothing there yet."""
    if not _has_masks(masks, history) and ownership.exists(masks):
        raise InputError(ownership.NOT_OURS, where=masks.path)
    folder = history.journal_file.parent
    if history.run is not None or not folder.is_dir():
        return
    for path in folder.iterdir():
        if path != history.journal_file and not paths.is_hidden(path.name):
            message = "holds files that no batch wrote; choose another name for the masks"
            raise InputError(message, where=folder)


def _has_masks(masks: Stack, history: History) -> bool:
    """Return whether an earlier run has put masks where they go."""
    if history.chunks:
        return True
    if history.run is None or not stores.is_address(masks.path):
        return False
    return ownership.is_ours(history.run["stack"])


def _check_table(history: History, table: str) -> None:
    """Check that the results table of this run replaces no file but an earlier one."""
    if history.run is None or table in history.run["tables"]:  # the folder of a new output is empty
        return
    results = history.beside(f"results.{table}")
    if os.path.lexists(results):
        raise InputError(ownership.NOT_OURS, where=results)


def _begins_anew(masks: Stack, history: History, facts: dict, restart: bool) -> bool:
    """Return whether a run begins anew; if it continues, it must be the same work."""
    run = history.run
    if run is None:
        return True
    if run["address"] != facts["address"]:
        folder = history.journal_file.parent
        owner = texts.plain(str(run["address"] or folder.with_suffix("")))
        raise InputError(f"belongs to {owner}; start from another folder", where=folder)
    differences = list(records.differences(run, facts))
    if history.chunks and differences and not restart:
        hint = "run it as it was begun, or begin anew with restart=True (--restart)"
        raise InputError(
            f"was begun otherwise ({'; '.join(differences)}); {hint}", where=masks.path
        )
    return restart or bool(differences)


def _check_way(history: History) -> None:
    """Check that nothing has taken the place of masks under way."""
    if history.run is None:
        return
    masks = history.run["stack"]
    unfinished = history.unfinished_masks()
    if masks == unfinished:  # at an address
        return
    if os.path.lexists(unfinished.path) and ownership.exists(masks):
        raise in_the_way(masks, unfinished)


def _forget(history: History) -> None:
    """Remove what a run has written, by the names that its journal knows; everything else stays."""
    if history.run is None:
        return
    masks = history.masks()
    unfinished = history.unfinished_masks()
    stacks_of_run = [unfinished]
    is_under_way = masks == unfinished or os.path.lexists(unfinished.path)
    if history.chunks and not is_under_way:
        stacks_of_run.append(masks)
    for stack in stacks_of_run:
        ownership.check_alone(stack)
    for stack in stacks_of_run:
        ownership.remove(stack)
    for kind in history.run["tables"]:
        history.beside(f"results.{kind}").unlink(missing_ok=True)
    history.beside("errors.csv").unlink(missing_ok=True)


def _forget_if_empty(history: History) -> None:
    """Leave nothing behind of a run without a single chunk."""
    if history.chunks:
        return
    _forget(history)
    history.journal_file.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # the folder holds something else
        history.journal_file.parent.rmdir()
