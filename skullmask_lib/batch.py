"""Many images: whole chunks of them, on this machine or on a cluster of Dask, resumed where they were stopped.

A chunk counts as done once its masks are safely on disk and its record is in the journal. A worker holds one image at a
time, and of Zarr, or of a ``.npy`` in Fortran's order, one chunk: memory does not grow with the number of images.
"""

import contextlib
import csv
import importlib
import itertools
import json
import os
import secrets
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from . import chunks, journal, masks, outputs, paths, pools, records, stacks, texts, versions
from .masks import InputError

try:
    import fcntl
except ImportError:  # not on Windows: there nothing keeps two runs apart
    fcntl = None

_COLUMNS = ("name", "seconds", "area_px", "area_mm2", "quality", "flags", "remarks", "iou", "dice", "area_error")
_COLUMNS += tuple(f"{distance}_{unit}" for unit in ("mm", "px") for distance in ("hausdorff", "hd95", "assd"))
_ALWAYS = ("name", "seconds", "area_px", "quality", "flags")
_ROWS = 10_000  # of a table of Parquet that are written at a time


class Batch(NamedTuple):
    """What a run has made.

    Attributes
    ----------
    masks : str
        As the output was given.
    results, errors : Path
        Where the tables are.
    images : int
    failed : int
        How many have no mask, or no score where one was wanted.
    flagged : dict of str to int
        How many masks are ``doubtful`` or ``empty``, and how many have ``remarks``.
    set_aside : tuple of str
        Chunks, named by their first and last image, which killed every worker that took them.
    seconds : dict of str to float
        ``read``, ``compute`` and ``write``, summed over the workers, of all chunks; ``wall`` of this run alone.
    """

    masks: str
    results: Path
    errors: Path
    images: int
    failed: int
    flagged: dict[str, int]
    set_aside: tuple[str, ...]
    seconds: dict[str, float]


class Progress(NamedTuple):
    """How far a run is: of its total images so many are done or were found done, these bytes large, so many failed."""

    total: int
    images: int = 0
    bytes: int = 0
    failed: int = 0


def batch(
    images: str | os.PathLike,
    output: str | os.PathLike,
    *,
    version: str | None = None,
    backend: str = "processes",
    workers: int | None = None,
    scheduler: str | None = None,
    chunk: int = 100,
    truth: str | os.PathLike | None = None,
    spacing_mm: Sequence[float] | None = None,
    channel: int | None = None,
    quality: bool | None = None,
    table: str = "csv",
    restart: bool = False,
    fail_fast: bool = False,
    progress: Callable[[Progress], object] | None = None,
    **options,
) -> Batch:
    """Make the skull masks of many images; a run that was stopped, however, goes on with the same call.

    Beside the output a folder of its name and ``.batch`` holds the journal, the table of all images, ``errors.csv``
    and, until they are whole, the masks. What the library remarks of an image, as that JPEG is lossy, is in a column
    of the table; texts in a ``.csv`` are made harmless for spreadsheets. When a run goes on, all that is recorded is
    checked first: images that are no longer the same are refused, masks that are not are made again, and so are chunks
    with images that failed.

    Parameters
    ----------
    images : str or path
        See `stacks.opened`.
    output : str or path
        See `stacks.for_masks`; its folder must exist.
    version, **options
        See `create_skull_mask`.
    backend : {"processes", "serial", "dask"}
        Processes of this machine, this process alone, or a cluster of Dask (extra ``batch``): a local one, or
        the one of ``scheduler``, whose workers must see the files under the same paths. For all but ``"serial"`` a
        script has the call under ``if __name__ == "__main__":``.
    workers : int, optional
        How many processes; by default as many as there are cores for this process.
    scheduler : str, optional
        Address of a running scheduler, such as ``"tcp://10.0.0.1:8786"``; implies Dask.
    chunk : int
        Images that are recorded together; 100 of 768 x 624 are 48 MB of masks.
    truth : str or path, optional
        True masks, for the scores: an array of the same shape, or files that belong to the images by their names,
        see `pairing.paired`; those of no image are passed over. A slice whose truth is unknown has
        no scores, and the flag ``unknown truth``. In a file of several slices the rule is that of
        `metrics.known_slices`: a truth that is empty on all of them counts as it is. A slice that is
        alone in its file, or one of an array, is judged alone: an empty truth is unknown. There the
        command ``score``, which sees all slices at once, counts a truth that is empty on all.
    spacing_mm : pair of float, optional
        Row and column spacing of all images [mm]; it overrides that of the files.
    channel : int, optional
        Which channel to take of colour pictures.
    quality : bool, optional
        Whether to tell how far each mask can be trusted, see `quality`. By default for v8 alone: it has the head
        unwrapped already; others would take several times as long.
    table : {"csv", "parquet"}
        Format of the table of all images; Parquet needs the extra ``batch``.
    restart : bool
        Forget an earlier run with this output. What it wrote is removed, and nothing else: anything that lies among
        its masks is refused.
    fail_fast : bool
        Stop at the first image that fails; otherwise its mask stays empty and the run goes on.
    progress : callable, optional
        Called with a `Progress` after every chunk.

    Returns
    -------
    Batch

    Raises
    ------
    InputError
        If something cannot be used, or an earlier run with this output was another one.
    pools.Stopped
        If an image failed and ``fail_fast`` is set, no process could be started, or the scheduler was lost.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.eye(8)[None].repeat(3, axis=0))
    ...     made = batch(f"{folder}/a.npy", f"{folder}/m.npy", version="v1", backend="serial", chunk=2)
    ...     np.load(made.masks).sum(), made.failed
    (np.uint64(24), 0)
    """
    began = time.perf_counter()
    images = _path(images)
    output = _path(output)
    if truth is not None:
        truth = _path(truth) or None
    version, options = versions.choose(version, options)
    if "dilation_size" in options:
        masks.check_whole(options["dilation_size"], "dilation size", 1, 1_000_000, "pixels")
    chunk = masks.check_whole(chunk, "chunk", 1, 1_000_000, "images")
    _check_choice("table", table, records.TABLES)
    if table == "parquet":
        masks.extra("pyarrow", "Parquet", "batch")
    opened_pool = _pool(backend, workers, scheduler)
    spacing = None if spacing_mm is None else tuple(map(float, masks.check_spacing(spacing_mm)))
    quality = version == "v8" if quality is None else quality
    stack, true, made = _stacks(images, output, truth, channel)
    job = chunks.Job(stack, true, made, version, options, spacing, quality, fail_fast, journal.writers())
    with contextlib.ExitStack() as early:
        pool = early.enter_context(opened_pool)
        facts = _facts(job, chunk)
        journal_of_run = _journal(made, facts, table, restart)
        with journal_of_run as recorded, early.pop_all():  # workers end before the journal is closed
            run = _Run(job, recorded, chunk, progress)
            try:
                run.go(pool)
                run.finish()
            except BaseException:
                with contextlib.suppress(OSError, InputError):  # they tell no more than what went wrong before
                    run.write_tables(table)
                raise
            tables = run.write_tables(table)
    seconds = run.seconds | {"wall": time.perf_counter() - began}
    return Batch(output, *tables, stack.shape[0], run.failed, run.flagged, tuple(run.set_aside), seconds)


def _path(path: str | os.PathLike) -> str:
    """Give a path or an address as a text."""
    if not isinstance(path, (str, os.PathLike)):
        hint = "for slices in memory call mask_slices(images)"
        raise InputError(f"expected a path or an address, got {type(path).__name__}; {hint}")
    text = str(paths.local(path))
    if "\0" in text:
        raise InputError(f"{texts.plain(text)}: expected a path, got one that holds a NUL character")
    return text


def _check_choice(what: str, value: object, known: Iterable[str]) -> None:
    if value not in known:
        raise InputError(f"expected a {what} of {', '.join(known)}, got {value!r}")


def _pool(backend: str, workers: int | None, scheduler: str | None) -> contextlib.AbstractContextManager[pools.Pool]:
    """Choose who does the work; nobody is asked yet."""
    _check_choice("backend", backend, pools.BACKENDS)
    if workers is not None:
        workers = masks.check_whole(workers, "number of workers", 1, 10_000, "processes")
    if scheduler is not None and not scheduler.strip():
        raise InputError("expected the address of a scheduler, as in tcp://10.0.0.1:8786, got an empty text")
    if scheduler and workers:
        raise InputError(f"{scheduler} has its own workers; leave their number out")
    return pools.BACKENDS["dask" if scheduler else backend](workers, scheduler)


def _stacks(
    images: str, output: str, truth: str | None, channel: int | None
) -> tuple[stacks.Stack, stacks.Stack | None, stacks.Stack]:
    """Find the images and their truth, and plan the masks, which must not replace either."""
    stack = stacks.opened(images, channel)
    true = stacks.matched(stacks.opened(truth), stack, truth) if truth else None
    with warnings.catch_warnings(record=True):  # of the images that it looks at: the table has them
        made = stacks.for_masks(output, stack)
    _check_apart(images, stack, made, output)
    if true:
        _check_apart(truth, true, made, output)
    return stack, true, made


def _facts(job: chunks.Job, chunk: int) -> dict:
    """Tell all that the masks depend on, as the journal gives it back."""
    facts = {
        "images": job.images.facts(),
        "truth": job.truth.facts() if job.truth else None,
        "masks": job.made.facts(),
        "version": job.version,
        "options": job.options,
        "spacing_mm": job.spacing_mm,
        "quality": job.quality,
        "chunk": chunk,
        "made by": job.writers,
        "address": job.made.path if stacks.is_address(job.made.path) else None,
    }
    return json.loads(json.dumps(facts, default=lambda number: number.item()))


def _check_apart(source: str | os.PathLike, given: stacks.Stack, made: stacks.Stack, output: str | os.PathLike) -> None:
    """Refuse to write masks over images, or in their folder."""
    if stacks.is_address(given.path) or stacks.is_address(made.path):
        over = given.path == made.path
    else:
        place, folder = Path(made.path).resolve(), Path(given.path).resolve()
        if Path(source).is_dir() and place != folder and place.is_relative_to(folder):
            raise InputError(f"{output}: lies in the folder of the images, {source}; choose a place beside it")
        taken = (place, place.with_name(f"{place.name}.batch"))
        sources = {Path(folder, name) for name in given.names} or {folder}
        parents = {source.parent for source in sources}
        over = not sources.isdisjoint(taken) or any(each.is_relative_to(other) for each in parents for other in taken)
    if over:
        raise InputError(f"{output}: the output is the input, or holds it; choose another name")


@dataclass
class _Recorded:
    """What the journal of an output holds.

    Attributes
    ----------
    book : Path
        The journal.
    run : dict or None
        See `records.opened`; None where no run is recorded.
    chunks : dict of int to dict
        By their first image: the record without its rows, and where these are and what they flag.
    columns : set of str
        What the rows tell.
    """

    book: Path
    run: dict | None = None
    chunks: dict[int, dict] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)

    def keep(self, start: int, record: dict, place: int) -> None:
        """Take in the record of a chunk."""
        flags = Counter(flag for row in record["rows"] for flag in row["flags"].split("; "))
        flags["remarked"] = sum("remarks" in row for row in record["rows"])
        self.columns.update(*record["rows"])
        self.chunks[start] = {key: value for key, value in record.items() if key != "rows"}
        self.chunks[start] |= {"place": place, "flags": flags}

    def masks(self) -> stacks.Stack:
        """Give the stack of the masks, with the files that are recorded."""
        made = self.run["made"]
        if made.kind != "files":
            return made
        written = [""] * made.shape[0]
        for start, record in self.chunks.items():
            files = record["files"]
            written[start : start + len(files)] = files
        return replace(made, written=tuple(written))


def _recorded(book: Path, output: str) -> _Recorded:
    """Read and check a journal, whole."""
    run, chunks_of_run = records.opened(book, output)
    recorded = _Recorded(book, run)
    for start, record, place in chunks_of_run:
        recorded.keep(start, record, place)
    return recorded


@contextlib.contextmanager
def _journal(made: stacks.Stack, facts: dict, table: str, restart: bool) -> Iterator[_Recorded]:
    """Open the journal of this output for this run alone, and see that the work is the same."""
    is_away = stacks.is_address(made.path)
    folder = Path(f"{Path(made.path).name}.batch" if is_away else f"{made.path}.batch").absolute()
    book = folder / "journal.jsonl"
    with outputs.writable(made.path):
        _check_places(made, folder)
        records.check_file(book)
        if not book.exists():
            _check_new(made, _Recorded(book))
        folder.mkdir(exist_ok=True)
        lock = open(book, "ab")  # noqa: SIM115
    with lock:
        _lock(lock, made)
        with outputs.writable(made.path):
            recorded = _recorded(book, made.path)
            _check_new(made, recorded)
            _check_table(recorded, table)
        anew = _begins_anew(made, recorded, facts, restart)
        try:
            if anew:
                _check_way(recorded)
                with outputs.writable(made.path):
                    _forget(recorded)
                    lock.truncate(0)
                    recorded = _Recorded(book)
                    recorded.run = _begin(book, made, facts, table)
            yield recorded
        except BaseException:
            with contextlib.suppress(OSError, InputError):  # of masks that could not be removed the journal stays
                _forget_if_empty(recorded)
            raise


def _begin(book: Path, made: stacks.Stack, facts: dict, table: str) -> dict:
    """Record a run; give it as `records.opened` does.

    Its token names the masks until they are whole, so that a worker left over from an earlier run
    meets none of ours.
    """
    run = facts | {"token": secrets.token_hex(4), "table": table}
    if made.kind == "files":
        run["files"] = list(made.names)
    journal.append(book, "run", run)
    outputs.sync(book.parent)
    outputs.sync(book.parent.parent)
    return run | {"made": made, "tables": [table]}


def _check_places(made: stacks.Stack, folder: Path) -> None:
    """See that the masks and what lies beside them can be put where they are to be."""
    output = Path(made.path)
    if not folder.parent.is_dir():
        raise InputError(f"{made.path}: cannot be written, its folder does not exist")
    here = not stacks.is_address(made.path)
    if here and (output.is_symlink() or os.path.ismount(output)):
        raise InputError(f"{made.path}: is a link or a mount point, and could not be replaced; name a place in it")
    if folder.is_symlink():
        raise InputError(f"{folder}: is a link; choose another name for the masks")


def _check_new(made: stacks.Stack, recorded: _Recorded) -> None:
    """See that nothing of anybody's lies where a run is to write that was not begun before."""
    run, folder = recorded.run, recorded.book.parent
    is_ours = bool(recorded.chunks)
    if run is not None and stacks.is_address(made.path):
        is_ours = is_ours or stacks.is_ours(run["made"])
    if not is_ours and stacks.exists(made):
        raise InputError(f"{made.path}: {stacks.NOT_OURS}")
    if run is None and folder.is_dir():
        others = [path for path in folder.iterdir() if path != recorded.book]
        if not all(paths.is_hidden(path.name) for path in others):
            message = "holds files that no batch wrote; choose another name for the masks"
            raise InputError(f"{folder}: {message}")


def _check_table(recorded: _Recorded, table: str) -> None:
    """See that the table of a run replaces no file but a table of this output."""
    results = recorded.book.with_name(f"results.{table}")
    is_ours = recorded.run is None or table in recorded.run["tables"]  # of a new output the folder is empty
    if not is_ours and os.path.lexists(results):
        raise InputError(f"{results}: {stacks.NOT_OURS}")


def _lock(file: BinaryIO, made: stacks.Stack) -> None:
    """Keep others from a journal as long as its file is open."""
    if not fcntl:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"{made.path}: another run is at work on it") from None
    except OSError:
        pass  # this file system has no locks


def _begins_anew(made: stacks.Stack, recorded: _Recorded, facts: dict, restart: bool) -> bool:
    """Tell a run that begins from one that goes on, which must be the same work."""
    run = recorded.run
    if run is None:
        return True
    if run["address"] != facts["address"]:
        folder = recorded.book.parent
        owner = run["address"] or folder.with_suffix("")
        raise InputError(f"{folder}: belongs to {texts.plain(str(owner))}; start from another folder")
    differ = list(chunks.differences(run, facts))
    if recorded.chunks and differ and not restart:
        raise InputError(
            f"{made.path}: was begun otherwise ({'; '.join(differ)}); "
            "run it as it was begun, or begin anew with restart=True (--restart)"
        )
    return restart or bool(differ)


def _unfinished(recorded: _Recorded) -> stacks.Stack:
    """Give the stack of a run's masks until they are whole: they lie beside the journal."""
    made = recorded.run["made"]
    if stacks.is_address(made.path):
        return made
    name = f"masks-{recorded.run['token']}{Path(made.path).suffix}"
    return replace(made, path=str(recorded.book.with_name(name)))


def _check_way(recorded: _Recorded) -> None:
    """See that nothing has taken the place of masks that are not whole yet."""
    if recorded.run is None or stacks.is_address(recorded.run["made"].path):
        return
    whole, part = recorded.run["made"], _unfinished(recorded)
    if os.path.lexists(part.path) and stacks.exists(whole):
        raise InputError(f"{whole.path}: is in the way of the masks, which are in {part.path}; move it")


def _forget(recorded: _Recorded) -> None:
    """Remove what a run has written, by the names that its journal knows; all else stays."""
    if recorded.run is None:
        return
    whole = recorded.masks()
    part = _unfinished(recorded)
    are_whole = recorded.chunks and not stacks.is_address(whole.path) and not os.path.lexists(part.path)
    theirs = [whole, part] if are_whole else [part]
    for stack in theirs:
        stacks.check_alone(stack)
    for stack in theirs:
        stacks.remove(stack)
    for name in (*(f"results.{kind}" for kind in recorded.run["tables"]), "errors.csv"):
        recorded.book.with_name(name).unlink(missing_ok=True)


def _forget_if_empty(recorded: _Recorded) -> None:
    """Leave nothing behind of a run that could not go on, for no chunk of it is recorded."""
    if recorded.chunks:
        return
    _forget(recorded)
    recorded.book.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # holds something else
        recorded.book.parent.rmdir()


class _Run:
    """Where a run is: what its journal tells of each chunk, and what it found so far."""

    def __init__(self, job: chunks.Job, recorded: _Recorded, chunk: int, progress: Callable[[Progress], object] | None):
        self.recorded, self.chunk, self.progress = recorded, chunk, progress
        self.book, self.known = recorded.book, recorded.chunks
        self.final = job.made
        self.job = replace(job, made=_unfinished(recorded))  # until all is done
        self.told = Progress(job.images.shape[0])

    def _stop(self, start: int) -> int:
        return min(start + self.chunk, self.job.images.shape[0])

    def go(self, pool: pools.Pool) -> None:
        """Check what is recorded, then do what is not."""
        here = self.final if stacks.exists(self.final) else self.job.made
        if here != self.job.made and (stacks.exists(self.job.made) or not stacks.is_ours(here)):
            raise InputError(f"{here.path}: is in the way of the masks, which are in {self.job.made.path}; move it")
        if stacks.is_address(here.path):
            stacks.check_alone(here)
        recorded = replace(here, written=self.recorded.masks().written)
        checked = replace(self.job, made=recorded)
        ours = stacks.is_ours(here)
        good = set()
        done = [start for start, known in self.known.items() if known["state"] == "done" and not known["failed"]]
        for (_, start, stop), found in pools.finished(pool, chunks.verify, self._tasks(checked, done)):
            if found and found[0] != self.known[start]["from"]:
                raise InputError(
                    f"{self.job.images.path}: some of images {start} to {stop - 1} are no longer those that this run "
                    "began with; bring them back, or begin anew with restart=True (--restart)"
                )
            if ours and found and found[1] == self.known[start]["made"]:
                good.add(start)
                self._tell(start)
        if self.rest(good):
            with outputs.writable(self.final.path):
                if here != self.job.made:
                    stacks.check_unmixed(recorded)
                    os.replace(here.path, self.job.made.path)
                if stacks.prepare(self.job.made, self.chunk):
                    good.clear()
                outputs.sync(self.book.parent)
            todo = self.rest(good)
            for (_, start, _), record in pools.finished(pool, chunks.work, self._tasks(self.job, todo)):
                self._record(start, record)

    def rest(self, good: set[int]) -> list[int]:
        """Give the chunks that are not good."""
        return [start for start in range(0, self.job.images.shape[0], self.chunk) if start not in good]

    def _tasks(self, job: chunks.Job, starts: Sequence[int]) -> Iterator[tuple[chunks.Job, int, int]]:
        return ((job.part(start, self._stop(start)), start, self._stop(start)) for start in starts)

    def _record(self, start: int, record: dict | None) -> None:
        stop = self._stop(start)
        if record is None:
            told = {"flags": "failed", "error": f"its chunk killed {pools.DEATHS} workers"}
            if self.job.fail_fast:
                raise pools.Stopped(f"{stacks.name(self.job.images, start)}: {told['error']}")
            rows = [{"name": stacks.name(self.job.images, index), **told} for index in range(start, stop)]
            record = {"state": "set aside", "failed": stop - start, "bytes": 0, "seconds": {}, "rows": rows}
            if self.job.made.kind == "files":
                record["files"] = [""] * (stop - start)
            with outputs.writable(self.final.path), stacks.writing(self.job.made, start, stop) as put:
                for index in range(start, stop):
                    put(index, None, "")
        with outputs.writable(self.final.path):
            place = journal.append(self.book, str(start), record)
        self.recorded.keep(start, record, place)
        self._tell(start)

    def _tell(self, start: int) -> None:
        known = self.known[start]
        more = self._stop(start) - start, known["bytes"], known["failed"]
        self.told = Progress(self.told.total, *map(sum, zip(self.told[1:], more, strict=True)))
        if self.progress:
            self.progress(self.told)

    def finish(self) -> None:
        """Give the masks their name."""
        part, final = Path(self.job.made.path), Path(self.final.path)
        if part == final or not part.exists():
            return
        if stacks.exists(self.final):
            raise InputError(f"{final}: is in the way of the masks, which are in {part}; move it")
        with outputs.writable(final):
            stacks.tidy(self.job.made)
            if final.is_dir():
                stacks.keep_hidden(self.final, self.job.made)
            os.replace(part, final)
            outputs.sync(final.parent)

    @property
    def failed(self) -> int:
        """Count the images without a mask or without a score."""
        return sum(known["failed"] for known in self.known.values())

    @property
    def flagged(self) -> dict[str, int]:
        """Count the masks to look at, and those of which there is something to say."""
        flags = sum((known["flags"] for known in self.known.values()), Counter())
        return {flag: flags[flag] for flag in ("doubtful", "empty", "remarked") if flags[flag]}

    @property
    def set_aside(self) -> list[str]:
        """Name the chunks that killed their workers."""
        names = (
            (stacks.name(self.job.images, start), stacks.name(self.job.images, self._stop(start) - 1))
            for start, known in sorted(self.known.items())
            if known["state"] == "set aside"
        )
        return [" … ".join(dict.fromkeys(ends)) for ends in names]

    @property
    def seconds(self) -> dict[str, float]:
        """Sum what the workers spent on each part of the work."""
        spent = [known["seconds"] for known in self.known.values() if known["seconds"]]
        return {part: sum(each[part] for each in spent) for part in ("read", "compute", "write")}

    def rows(self) -> Iterator[dict]:
        """Give the rows of all images that are recorded, in order; one chunk of them is held at a time."""
        for _, known in sorted(self.known.items()):
            yield from journal.at(self.book, known["place"])["rows"]

    def write_tables(self, kind: str) -> tuple[Path, Path]:
        """Write the table of all images, and that of those that failed."""
        columns = [column for column in _COLUMNS if column in self.recorded.columns or column in _ALWAYS]
        failed = (row for row in self.rows() if "error" in row)
        results = self.book.with_name(f"results.{kind}")
        errors = self.book.with_name("errors.csv")
        earlier = [other for other in self.recorded.run["tables"] if other != kind]
        if earlier:
            self._record_tables([*earlier, kind])
        with outputs.replacing(results) as table:
            if kind == "parquet":
                _write_parquet(table, columns, self.rows())
            else:
                _write_csv(table, columns, self.rows())
        with outputs.replacing(errors) as failures:
            _write_csv(failures, ["name", "error"], failed)
        for other in earlier:
            self.book.with_name(f"results.{other}").unlink(missing_ok=True)
        if earlier:
            self._record_tables([kind])
        return results, errors

    def _record_tables(self, kinds: list[str]) -> None:
        """Record which tables may lie beside the journal, before one is written and after another is removed."""
        with outputs.writable(self.final.path):
            journal.append(self.book, "table", {"kinds": kinds})
        self.recorded.run["tables"] = kinds


def _write_csv(path: Path, columns: list[str], rows: Iterable[dict]) -> None:
    """Write a table for spreadsheets, which take some texts for formulas."""
    with open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore")
        table.writeheader()
        for row in rows:
            cells = dict(row)
            for name in set(row) & set(records.TEXTS):
                cells[name] = texts.csv_text(row[name])
            table.writerow(cells)


def _write_parquet(path: Path, columns: list[str], rows: Iterator[dict]) -> None:
    """Write a table for programs: texts as they are."""
    arrow = masks.extra("pyarrow", "Parquet", "batch")
    parquet = importlib.import_module("pyarrow.parquet")
    types = dict.fromkeys(columns, arrow.float64()) | {"area_px": arrow.int64()}
    for name in records.TEXTS:
        types[name] = arrow.string()
    schema = arrow.schema([(name, types[name]) for name in columns])
    with parquet.ParquetWriter(path, schema) as file:
        while some := list(itertools.islice(rows, _ROWS)):
            cells = [_parquet_cells(row, columns) for row in some]
            file.write_batch(arrow.RecordBatch.from_pylist(cells, schema))


def _parquet_cells(row: dict, columns: list[str]) -> dict:
    """Give the values of a row in UTF-8; a text that is missing is empty, a number is null."""
    cells = {}
    for column in columns:
        if column in records.TEXTS:
            cells[column] = row.get(column, "").encode("utf-8", "backslashreplace").decode()
        else:
            cells[column] = row.get(column)
    return cells
