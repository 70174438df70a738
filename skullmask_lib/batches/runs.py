"""`batch`: the skull masks of many images, made in chunks on this machine or on a Dask cluster.

A chunk is done once its masks are safely on disk and its record is in the journal. A worker holds
one image at a time, or one chunk of a Zarr array or of a ``.npy`` in Fortran order, so memory does
not grow with the number of images. Only the order of the steps is decided here; each step has a
module of its own.
"""

import contextlib
import json
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from .. import texts, versions
from ..errors import InputError, Spacing, check_spacing, check_whole, extra
from ..io import journal, outputs, paths
from . import (
    backends,
    chunks,
    history,
    mask_stacks,
    ownership,
    pools,
    records,
    software,
    stacks,
    stores,
    tables,
    writing,
)
from .stacks import Stack


class Batch(NamedTuple):
    """The results of a run.

    Attributes
    ----------
    masks : str
        The output, as it was passed; a ``file://`` address as its path.
    results, errors : Path
        The tables of all images, and of those that failed.
    images : int
    failed : int
        Images without a mask, or without a score where one was wanted.
    flagged : dict of str to int
        How many masks are ``doubtful`` or ``empty``, and how many have remarks (``remarked``).
    set_aside : tuple of str
        Chunks that killed every worker that took them, named by their first and last image.
    seconds : dict of str to float
        ``read``, ``compute`` and ``write``, summed over all chunks and workers; ``wall``, of this
        run alone.
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
    """The total of images, the images done, bytes read and images failed; earlier runs count."""

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
    **options: Any,
) -> Batch:
    """Make the skull masks of many images; the same call resumes a run that was stopped.

    The folder ``OUTPUT.batch`` beside the output holds the journal, the table of all images,
    ``errors.csv`` and, until they are done, the masks. The table has a column for remarks, such as
    that a JPEG is lossy; texts in a ``.csv`` are made harmless for spreadsheets.

    Before a run resumes, everything that is recorded is checked. Images that have changed are
    refused. Masks that have changed are made again, and so are chunks with images that failed.

    Parameters
    ----------
    images : str or path
        See `stacks.opened`.
    output : str or path
        See `mask_stacks.planned`; its folder must exist.
    version, **options
        See `create_skull_mask`.
    backend : {"processes", "serial", "dask"}
        Processes of this machine, this process alone, or a cluster of Dask (extra ``batch``). The
        cluster is a local one, or that of ``scheduler``, whose workers must see the files under the
        same paths. Each process does one task at a time, so further threads of a worker gain
        nothing. Unless the backend is ``"serial"``, a script must call this under ``if __name__
        == "__main__":``.
    workers : int, optional
        Number of processes; by default one for each core that this process may use.
    scheduler : str, optional
        Address of a running scheduler, such as ``"tcp://10.0.0.1:8786"``; implies Dask.
    chunk : int
        Images that are recorded together; 100 images of 768 x 624 are 48 MB of masks.
    truth : str or path, optional
        True masks, for the scores: an array of the same shape, or files that are paired with the
        images by name, see `pairing.paired`; files that belong to no image are ignored. Files and
        an array are paired in order, with a warning. A slice whose truth is unknown gets no scores,
        and the flag ``unknown truth``. In a file of several slices, `metrics.known_slices` decides,
        and a truth that is empty on all of them counts as it is. A slice that is alone in its file,
        or one of an array, is judged alone, and an empty truth is unknown; the command ``score``,
        which sees all slices at once, counts a truth that is empty on all of them.
    spacing_mm : pair of float, optional
        Row and column spacing of all images [mm]; it overrides that of the files.
    channel : int, optional
        Which channel to take of colour pictures.
    quality : bool, optional
        Whether to compute how far each mask can be trusted, see `quality`. By default for v8 and
        v9 alone, which have unwrapped the head already; with other versions it takes about twice as
        long.
    table : {"csv", "parquet"}
        Format of the table of all images; Parquet needs the extra ``batch``.
    restart : bool
        Forget an earlier run with this output. What that run wrote is removed, and nothing else: if
        anything else lies among its masks, the restart is refused.
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
        If something cannot be used, or an earlier run with this output did other work.
    pools.Stopped
        If an image failed and ``fail_fast`` is set, no process could be started, or the scheduler
        was lost.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.eye(8)[None].repeat(3, axis=0))
    ...     options = {"version": "v1", "backend": "serial", "chunk": 2}
    ...     run = batch(f"{folder}/a.npy", f"{folder}/m.npy", **options)
    ...     np.load(run.masks).sum(), run.failed
    (np.uint64(24), 0)
    """
    started = time.perf_counter()
    images = _path(images)
    output = _path(output)
    if truth is not None:
        truth = _path(truth)
    version, options = versions.choose(version, options)
    if "dilation_size" in options:
        check_whole(options["dilation_size"], "dilation size", 1, 1_000_000, "pixels")
    chunk = check_whole(chunk, "chunk", 1, 1_000_000, "images")
    backends.check_choice("table", table, records.TABLES)
    if table == "parquet":
        extra("pyarrow", "Parquet", "batch")
    spacing_mm = _spacing(spacing_mm)
    opening_pool = backends.pool(backend, workers, scheduler)
    image_stack, truth_stack, mask_stack = _stacks(images, output, truth, channel)
    job = chunks.Job(
        images=image_stack,
        truth=truth_stack,
        masks=mask_stack,
        version=version,
        options=options,
        spacing_mm=spacing_mm,
        quality=version in versions.BOUNDARY_VERSIONS if quality is None else quality,
        fail_fast=fail_fast,
        software=software.in_use(),
    )
    with contextlib.ExitStack() as early:
        pool = early.enter_context(opening_pool)
        opening_journal = history.opened(mask_stack, _facts(job, chunk), table, restart)
        # The workers end before the journal is closed.
        with opening_journal as recorded, early.pop_all():
            run = _Run(job, recorded, chunk, progress)
            try:
                run.go(pool)
                run.finish()
            except BaseException:
                # What went wrong first says more than a table that cannot be written either.
                with contextlib.suppress(OSError, InputError):
                    tables.write(recorded, table)
                raise
            results, errors = tables.write(recorded, table)
    seconds = recorded.seconds()
    seconds["wall"] = time.perf_counter() - started
    return Batch(
        masks=output,
        results=results,
        errors=errors,
        images=image_stack.shape[0],
        failed=recorded.failed(),
        flagged=recorded.flagged(),
        set_aside=run.set_aside(),
        seconds=seconds,
    )


def _path(path: str | os.PathLike) -> str:
    """Return a path or an address as text."""
    if not isinstance(path, (str, os.PathLike)):
        hint = "for slices in memory call mask_slices(images)"
        raise InputError(f"expected a path or an address, got {type(path).__name__}; {hint}")
    text = str(paths.local(path))
    if not text:
        raise InputError("expected a path, got an empty text")
    if "\0" in text:
        message = "expected a path, got one that holds a NUL character"
        raise InputError(message, where=texts.plain(text))
    return text


def _spacing(spacing_mm: Sequence[float] | None) -> Spacing | None:
    if spacing_mm is None:
        return None
    row_mm, column_mm = check_spacing(spacing_mm)
    return float(row_mm), float(column_mm)


def _stacks(
    images: str,
    output: str,
    truth: str | None,
    channel: int | None,
) -> tuple[Stack, Stack | None, Stack]:
    """Open the images and their truth, and plan the masks, which must not replace either."""
    image_stack = stacks.opened(images, channel)
    truth_stack = None
    if truth:
        truth_stack = stacks.matched(stacks.opened(truth), image_stack, truth)
    with warnings.catch_warnings(record=True):  # of the images it looks at; the table has them
        mask_stack = mask_stacks.planned(output, image_stack)
    _check_apart(images, image_stack, mask_stack, output)
    if truth and truth_stack:
        _check_apart(truth, truth_stack, mask_stack, output)
    return image_stack, truth_stack, mask_stack


def _facts(job: chunks.Job, chunk: int) -> dict:
    """Return all that the masks depend on, as it comes back from the journal."""
    is_away = stores.is_address(job.masks.path)
    facts = {
        "images": job.images.facts(),
        "truth": job.truth.facts() if job.truth else None,
        "masks": job.masks.facts(),
        "version": job.version,
        "options": job.options,
        "spacing_mm": job.spacing_mm,
        "quality": job.quality,
        "chunk": chunk,
        "made by": job.software,
        "address": job.masks.path if is_away else None,
    }
    return json.loads(json.dumps(facts, default=lambda number: number.item()))


def _check_apart(source: str, inputs: Stack, masks: Stack, output: str) -> None:
    """Refuse to write masks over an input, images or truth, or into its folder."""
    if stores.is_address(inputs.path) or stores.is_address(masks.path):
        replaces_input = inputs.path == masks.path
    else:
        target = Path(masks.path).resolve()
        folder = Path(inputs.path).resolve()
        is_inside = target != folder and target.is_relative_to(folder)
        if Path(source).is_dir() and is_inside:
            message = f"lies in the folder of its input, {source}; choose a place beside it"
            raise InputError(message, where=output)
        files = {Path(folder, name) for name in inputs.names} or {folder}
        replaces_input = _holds_any(target, files)
    if replaces_input:
        message = "the output is the input, or holds it; choose another name"
        raise InputError(message, where=output)


def _holds_any(target: Path, files: set[Path]) -> bool:
    """Return whether an output, or its journal's folder, is one of these files or holds one."""
    journal_folder = target.with_name(f"{target.name}.batch")
    if target in files or journal_folder in files:
        return True
    for folder in {file.parent for file in files}:
        if folder.is_relative_to(target) or folder.is_relative_to(journal_folder):
            return True
    return False


class _Run:
    """A run under way: its job, the history that it continues, and its progress."""

    def __init__(
        self,
        job: chunks.Job,
        recorded: history.History,
        chunk: int,
        report: Callable[[Progress], object] | None,
    ):
        self.history = recorded
        self.chunk = chunk
        self.report = report
        self.images = job.images.shape[0]
        self.masks = job.masks  # under their final name
        self.job = replace(job, masks=recorded.unfinished_masks())
        self.progress = Progress(self.images)

    def go(self, pool: pools.Pool) -> None:
        """Verify what is recorded, then do the rest."""
        present = self._present_masks()
        verified = self._verify(pool, present)
        if not self._unverified(verified):
            return
        with outputs.writable(self.masks.path):
            is_new = self._prepare(present)
            outputs.sync(self.history.journal_file.parent)
        if is_new:
            verified = set()
        todo = self._unverified(verified)
        for task, record in pools.finished(pool, chunks.work, self._tasks(self.job, todo)):
            _, start, stop = task
            if record is None:
                record = self._set_aside(start, stop)
            self._record(start, record)

    def _present_masks(self) -> Stack:
        """Return the stack of masks that are there: under their final name, or by the journal."""
        unfinished = self.job.masks
        present = self.masks if ownership.exists(self.masks) else unfinished
        if present != unfinished:
            is_mixed = ownership.exists(unfinished)
            if is_mixed or not ownership.is_ours(present):
                raise history.in_the_way(present, unfinished)
        if stores.is_address(present.path):
            ownership.check_alone(present)
        return replace(present, recorded_files=self.history.masks().recorded_files)

    def _verify(self, pool: pools.Pool, present: Stack) -> set[int]:
        """Return the chunks whose masks are as they were recorded; refuse images that are not."""
        job = replace(self.job, masks=present)
        are_ours = ownership.is_ours(present)
        complete = []
        for start, record in self.history.chunks.items():
            if record["state"] == "done" and not record["failed"]:
                complete.append(start)
        verified = set()
        for task, checksums in pools.finished(pool, chunks.verify, self._tasks(job, complete)):
            if checksums is None:  # the task killed its workers
                continue
            _, start, stop = task
            image_crc, mask_crc = checksums
            record = self.history.chunks[start]
            if image_crc != record["from"]:
                raise self._changed_images(start, stop)
            if are_ours and mask_crc == record["made"]:
                verified.add(start)
                self._count(start)
        return verified

    def _changed_images(self, start: int, stop: int) -> InputError:
        changed = (
            f"some of images {start} to {stop - 1} are no longer those that this run began with"
        )
        hint = "bring them back, or begin anew with restart=True (--restart)"
        return InputError(f"{changed}; {hint}", where=self.job.images.path)

    def _prepare(self, present: Stack) -> bool:
        """Put the masks beside the journal, to be worked on; return whether there were none yet."""
        if present.path != self.job.masks.path:
            ownership.check_unmixed(present)
            os.replace(present.path, self.job.masks.path)
        return writing.prepare(self.job.masks, self.chunk)

    def _unverified(self, verified: set[int]) -> list[int]:
        """Return the first image of every chunk that is not verified."""
        starts = range(0, self.images, self.chunk)
        return [start for start in starts if start not in verified]

    def _stop(self, start: int) -> int:
        return min(start + self.chunk, self.images)

    def _tasks(
        self,
        job: chunks.Job,
        starts: Iterable[int],
    ) -> Iterator[tuple[chunks.Job, int, int]]:
        for start in starts:
            stop = self._stop(start)
            yield job.part(start, stop), start, stop

    def _set_aside(self, start: int, stop: int) -> dict:
        """Leave the masks of a chunk that kills its workers empty, and return its record."""
        error = f"its chunk killed {pools.DEATHS} workers"
        if self.job.fail_fast:
            raise pools.Stopped(f"{stacks.name(self.job.images, start)}: {error}")
        rows = []
        with (
            outputs.writable(self.masks.path),
            writing.writing(self.job.masks, start, stop) as write,
        ):
            for index in range(start, stop):
                write(index, None, None)
                name = stacks.name(self.job.images, index)
                rows.append({"name": name, "flags": "failed", "error": error})
        count = stop - start
        record = {"state": "set aside", "failed": count, "bytes": 0, "seconds": {}, "rows": rows}
        if self.job.masks.kind == "files":
            record["files"] = [""] * count
        return record

    def _record(self, start: int, record: dict) -> None:
        with outputs.writable(self.masks.path):
            place = journal.append(self.history.journal_file, str(start), record)
        self.history.add(start, record, place)
        self._count(start)

    def _count(self, start: int) -> None:
        """Report the progress after a chunk."""
        record = self.history.chunks[start]
        self.progress = Progress(
            self.images,
            self.progress.images + self._stop(start) - start,
            self.progress.bytes + record["bytes"],
            self.progress.failed + record["failed"],
        )
        if self.report:
            self.report(self.progress)

    def finish(self) -> None:
        """Give the masks their final name."""
        unfinished = Path(self.job.masks.path)
        final = Path(self.masks.path)
        if unfinished == final or not unfinished.exists():
            return
        if ownership.exists(self.masks):
            raise history.in_the_way(self.masks, self.job.masks)
        with outputs.writable(final):
            ownership.remove_half_written(self.job.masks)
            if final.is_dir():
                ownership.keep_hidden(self.masks, self.job.masks)
            os.replace(unfinished, final)
            outputs.sync(final.parent)

    def set_aside(self) -> tuple[str, ...]:
        """Name the chunks that killed their workers."""
        names = []
        for start, record in sorted(self.history.chunks.items()):
            if record["state"] == "set aside":
                first = stacks.name(self.job.images, start)
                last = stacks.name(self.job.images, self._stop(start) - 1)
                names.append(first if first == last else f"{first} … {last}")
        return tuple(names)
