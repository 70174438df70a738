"""One chunk of a batch: what a worker receives, and what it does with it.

What the results say of a mask belongs in `rows`. Images are read in `reading`, and masks are
written in `writing`.
"""

import contextlib
import platform
import threading
import time
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from .. import errors, polar, versions
from ..errors import EmptyMaskWarning, InputError, InputWarning, Spacing
from ..io import datasets, outputs
from . import pools, reading, records, rows, software, stacks, writing

_TURN = threading.Lock()


@dataclass(frozen=True)
class Job:
    """What a worker needs to know to make masks; see `runs.batch`."""

    images: stacks.Stack
    truth: stacks.Stack | None
    masks: stacks.Stack
    version: str
    options: dict
    spacing_mm: Spacing | None
    quality: bool
    fail_fast: bool
    software: dict

    def part(self, start: int, stop: int) -> "Job":
        """Return the same job with the names of some images alone."""
        return replace(
            self,
            images=self.images.part(start, stop),
            truth=self.truth and self.truth.part(start, stop),
            masks=self.masks.part(start, stop),
        )


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Do one task at a time, with one thread of OpenCV.

    Warnings are caught for the whole process, and its number of threads holds for all of it.
    Processes work side by side instead.
    """
    with _TURN:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            yield
        finally:
            cv2.setNumThreads(threads)


@_alone()
def verify(job: Job, start: int, stop: int) -> tuple[int | None, int | None]:
    """Compute the checksums that `work` would record, from the images and masks that are there.

    Parameters
    ----------
    job : Job
    start, stop : int

    Returns
    -------
    image_crc, mask_crc : int or None
        None where something cannot be read.

    Raises
    ------
    InputError
        If this worker has other software than the one that sent the job.

    Examples
    --------
    >>> nothing = stacks.Stack("", "files", (0,))
    >>> job = Job(nothing, None, nothing, "v1", {}, None, False, False, software.in_use())
    >>> verify(job, 0, 0)
    (0, 0)
    """
    _check_software(job)
    image_crc = 0
    for _, image, truth, _ in _read(job, start, stop):
        if isinstance(image, Exception) or isinstance(truth, Exception):
            return None, None
        image_crc = _checksum((image, truth), image_crc)
    try:
        with _collecting_remarks([]):
            return image_crc, writing.checksum(job.masks, start, stop)
    except InputError:  # the masks are gone as a whole
        return image_crc, None


@_alone()
def work(job: Job, start: int, stop: int) -> dict:
    """Make and write the masks of some images.

    Parameters
    ----------
    job : Job
    start, stop : int

    Returns
    -------
    dict
        What the journal records of the chunk, see `records.check`.

    Raises
    ------
    InputError
        If this worker has other software than the one that sent the job, or no mask can be written.
    pools.Stopped
        If an image failed and the job is to fail fast.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.eye(8))
    ...     images = stacks.Stack(folder, "files", (1,), names=("a.npy",))
    ...     masks = replace(images, path=f"{folder}/m")
    ...     _ = writing.prepare(masks, 1)
    ...     job = Job(images, None, masks, "v1", {}, None, False, False, software.in_use())
    ...     work(job, 0, 1)["files"]
    ['a.npy']
    """
    _check_software(job)
    stopwatch = _Stopwatch()
    rows_of_chunk: list[dict] = []
    failed = 0
    size_bytes = 0
    image_crc = 0
    mask_crc = 0
    with contextlib.ExitStack() as context:
        context.enter_context(outputs.writable(job.masks.path))
        write = context.enter_context(writing.writing(job.masks, start, stop))
        for index, image, truth, remarks in _read(job, start, stop):
            stopwatch.lap("read")
            masks, rows_of_image = _masks_and_rows(job, index, image, truth, remarks)
            image_crc = _checksum((image, truth), image_crc)
            origin = None
            if isinstance(image, datasets.Data):
                origin = image.origin
                size_bytes += image.images.nbytes
            seconds = stopwatch.lap("compute") / len(rows_of_image)
            try:
                with _collecting_remarks([]):  # they were collected when the image was read
                    mask_crc = write(index, masks, origin)
            except writing.Unwritable as error:
                rows_of_image = [rows.of_failure(job.images, index, error)]
            stopwatch.lap("write")
            for row in rows_of_image:
                row["seconds"] = round(seconds, 6)
            rows_of_chunk += rows_of_image
            failed += _has_failed(rows_of_image, job.fail_fast)
    stopwatch.lap("write")
    record = {
        "state": "done",
        "from": image_crc,
        "made": mask_crc,
        "failed": failed,
        "bytes": size_bytes,
    }
    if job.masks.kind == "files":
        record["files"] = writing.written_files(job.masks, start, stop)
    record["seconds"] = stopwatch.rounded()
    record["rows"] = rows_of_chunk
    return record


class _Stopwatch:
    """The seconds spent on each part of the work."""

    def __init__(self):
        self.seconds = dict.fromkeys(records.PARTS, 0.0)
        self.since = time.perf_counter()

    def lap(self, part: str) -> float:
        """Count the time since the last lap for a part, and return it [s]."""
        now = time.perf_counter()
        spent = now - self.since
        self.since = now
        self.seconds[part] += spent
        return spent

    def rounded(self) -> dict[str, float]:
        return {part: round(seconds, 6) for part, seconds in self.seconds.items()}


def _check_software(job: Job) -> None:
    installed = software.in_use()
    if installed != job.software:
        differences = "; ".join(records.differences(job.software, installed))
        hint = "install the same versions there"
        raise InputError(f"a worker on {platform.node()} differs: {differences}; {hint}")


def _has_failed(rows_of_image: list[dict], fail_fast: bool) -> bool:
    """Return whether a mask or a score is missing; stop there if the job is to fail fast."""
    for row in rows_of_image:
        if "error" not in row:
            continue
        if fail_fast:
            raise pools.Stopped(f"{rows_of_image[0]['name']}: {row['error']}")
        return True
    return False


def _read(
    job: Job,
    start: int,
    stop: int,
) -> Iterator[tuple[int, datasets.Data | Exception, rows.Truth, list[InputWarning]]]:
    """Yield the index, the image, its truth, or None without one, and the remarks on both."""
    images = reading.read(job.images, start, stop)
    truths = None
    if job.truth:
        truths = reading.read(job.truth, start, stop)
    for index in range(start, stop):
        remarks: list[InputWarning] = []
        truth = None
        with _collecting_remarks(remarks):
            _, image = next(images)
        if truths:
            remarks_on_truth: list[InputWarning] = []
            with _collecting_remarks(remarks_on_truth):
                _, truth = next(truths)
            for remark in remarks_on_truth:
                remarks.append(InputWarning(_about_truth(job, index, remark)))
        yield index, image, truth, remarks


def _about_truth(job: Job, index: int, error: Exception) -> str:
    return f"the truth: {rows.reason(error, job.truth, index)}"


@contextlib.contextmanager
def _collecting_remarks(remarks: list[InputWarning]) -> Iterator[None]:
    """Collect this library's warnings, but not of empty masks, which are flagged."""
    with warnings.catch_warnings(record=True, action="ignore") as caught:
        warnings.simplefilter("always", InputWarning)
        yield
    for warning in caught:
        is_ours = issubclass(warning.category, InputWarning)
        if is_ours and not issubclass(warning.category, EmptyMaskWarning):
            remarks.append(warning.message)


def _checksum(parts: Iterable[object], crc: int) -> int:
    """Add the images, the shapes and the spacing of data to a checksum."""
    for data in parts:
        if isinstance(data, datasets.Data):
            spacing = None if data.spacing_mm is None else data.spacing_mm.tolist()
            facts = (data.images.shape, data.images.dtype.str, spacing)
            crc = zlib.crc32(repr(facts).encode(), crc)
            crc = zlib.crc32(np.ascontiguousarray(data.images), crc)
    return crc


def _masks_and_rows(
    job: Job,
    index: int,
    image: datasets.Data | Exception,
    truth: rows.Truth,
    remarks: list[InputWarning],
) -> tuple[np.ndarray | None, list[dict]]:
    """Make the masks of an image and a row for each of its slices, or for its failure."""
    try:
        image = _usable(job, image)
        with _collecting_remarks(remarks):
            masks, qualities = _masks_and_qualities(job, image)
    except Exception as error:  # whatever is wrong with one image must not stop the others
        return None, [rows.of_failure(job.images, index, error)]
    truth = rows.truth_in_place(image, truth)
    is_known = rows.known_slices(truth)
    names = rows.slice_names(stacks.name(job.images, index), len(masks))
    rows_of_image = []
    for number, mask in enumerate(masks):
        spacing_mm = image.spacing_of(number)
        row = rows.of_mask(names[number], mask, spacing_mm, qualities[number])
        if truth is not None:
            try:
                _add_scores(row, rows.scores(mask, image, truth, is_known, number))
            except Exception as error:
                row["flags"].append("unscored")
                row["error"] = _about_truth(job, index, error)
        _add_remarks(row, job, index, rows.remarks_on(image.names, number, remarks))
        row["flags"] = "; ".join(row["flags"])
        rows_of_image.append(row)
    return masks, rows_of_image


def _usable(job: Job, image: datasets.Data | Exception) -> datasets.Data:
    """Return an image with its spacing; raise what is wrong with it."""
    if isinstance(image, Exception):
        raise image
    if job.masks.kind != "files":
        wanted = job.masks.shape[1:]
        if image.images.shape != (1, *wanted):
            raise InputError(f"expected one slice of shape {wanted}, got {image.images.shape}")
    return image.spaced(job.spacing_mm)


def _add_scores(row: dict, scores: dict) -> None:
    if scores:
        row.update(scores)
    else:
        row["flags"].append("unknown truth")


def _add_remarks(row: dict, job: Job, index: int, remarks: list[InputWarning]) -> None:
    reasons = [rows.reason(remark, job.images, index) for remark in remarks]
    if reasons:
        row["remarks"] = "; ".join(dict.fromkeys(reasons))


def _masks_and_qualities(
    job: Job,
    data: datasets.Data,
) -> tuple[np.ndarray, list[float | None]]:
    """Make the masks of an image, and compute their quality if the job asks for it."""
    options = dict(job.options)
    options.pop("spacing_mm", None)  # `data` has that of every slice
    masks = []
    qualities: list[float | None] = []
    if job.quality:
        for mask, quality in versions.masks_with_quality(data, version=job.version, **options):
            masks.append(mask)
            qualities.append(quality)
        return np.stack(masks), qualities
    masks.extend(versions.mask_slices(data, version=job.version, **options))
    if job.version not in versions.BOUNDARY_VERSIONS:  # these warn of rivals themselves
        _warn_of_rivals(data)
    return np.stack(masks), [None] * len(masks)


def _warn_of_rivals(data: datasets.Data) -> None:
    """Warn of slices that show more than one head; those that cannot be unwrapped are skipped."""
    for number, image in enumerate(data.images):
        if not polar.may_have_rivals(image):
            continue
        spacing_mm = data.spacing_of(number)
        with errors.placed(data.names[number]), contextlib.suppress(InputError):
            polar.warn_of_rivals(polar.unwrap(image, spacing_mm))
