"""One chunk of a batch: what a worker is told, and what it does."""

import contextlib
import math
import platform
import time
import warnings
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from .. import metrics, polar, texts, versions
from ..errors import EmptyMaskWarning, InputError, InputWarning
from ..io import datasets, outputs
from . import pools, records, software, stacks


@dataclass(frozen=True)
class Job:
    """What every worker is told, see `batch`."""

    images: stacks.Stack
    truth: stacks.Stack | None
    made: stacks.Stack
    version: str
    options: dict
    spacing_mm: tuple[float, float] | None
    quality: bool
    fail_fast: bool
    software: dict

    def part(self, start: int, stop: int) -> "Job":
        """Leave out the names of all images but these."""
        cut = {name: (each := getattr(self, name)) and each.part(start, stop) for name in ("images", "truth", "made")}
        return replace(self, **cut)


def differences(known: dict, told: dict, of: str = "") -> Iterator[str]:
    """Say in what two records differ.

    Parameters
    ----------
    known, told : dict
    of : str
        What they are records of, put in front.

    Yields
    ------
    str

    Examples
    --------
    >>> list(differences({"chunk": 100, "images": {"kind": "npy"}}, {"chunk": 50, "images": {"kind": "npy"}}))
    ['chunk was 100, is 50']
    """
    for key in told:
        before, now = known.get(key), told[key]
        if isinstance(before, dict) and isinstance(now, dict):
            yield from differences(before, now, f"{key}: ")
        elif before != now:
            yield f"{of}{key} was {_brief(before)}, is {_brief(now)}"


def _brief(value: object) -> str:
    text = texts.plain(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def verify(job: Job, start: int, stop: int) -> tuple[int | None, int | None]:
    """Give the checksums of some images and of their masks, as `work` would record them; None where unreadable."""
    _check_version(job)
    crc = 0
    for _, *both, _ in _read(job, start, stop):
        if any(isinstance(each, Exception) for each in both):
            return None, None
        crc = _checksum(both, crc)
    try:
        with _listening([]):
            return crc, stacks.checksum(job.made, start, stop)
    except InputError:  # they are gone as a whole
        return crc, None


def work(job: Job, start: int, stop: int) -> dict:
    """Make and write the masks of some images, and tell what the journal shall record."""
    _check_version(job)
    seconds = dict.fromkeys(records.PARTS, 0.0)
    rows: list[dict] = []
    failed = size = image_crc = mask_crc = 0
    clock = time.perf_counter()

    def lap(part: str) -> float:
        nonlocal clock
        since, clock = clock, time.perf_counter()
        seconds[part] += clock - since
        return clock - since

    with _one_thread(), outputs.writable(job.made.path), stacks.writing(job.made, start, stop) as put:
        for index, image, truth, remarks in _read(job, start, stop):
            lap("read")
            masks, some = _masks(job, index, image, truth, remarks)
            size += image.images.nbytes if isinstance(image, datasets.Data) else 0
            image_crc = _checksum((image, truth), image_crc)
            each = lap("compute") / len(some)
            source = str(Path(job.images.path, stacks.name(job.images, index))) if job.images.names else ""
            try:
                with _listening([]):  # said when it was read
                    mask_crc = put(index, masks, source)
            except stacks.Unwritable as error:
                some = [_failure(job, index, error)]
            lap("write")
            rows += [row | {"seconds": round(each, 6)} for row in some]
            errors = [row["error"] for row in some if "error" in row]
            failed += bool(errors)
            if errors and job.fail_fast:
                raise pools.Stopped(f"{some[0]['name']}: {errors[0]}")
    lap("write")
    record = {"state": "done", "from": image_crc, "made": mask_crc, "failed": failed, "bytes": size}
    if job.made.kind == "files":
        record["files"] = stacks.written(job.made, start, stop)
    return record | {"seconds": {part: round(seconds[part], 6) for part in seconds}, "rows": rows}


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Keep OpenCV from using more than this one; processes are what works side by side."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(threads)


def _check_version(job: Job) -> None:
    here = software.in_use()
    if here != job.software:
        differ = "; ".join(differences(job.software, here))
        raise InputError(f"a worker on {platform.node()} differs: {differ}; install the same versions there")


def _read(job: Job, start: int, stop: int) -> Iterator[tuple[int, object, object, list[str]]]:
    """Give the index, the image and its truth, which is None where none is wanted, and what is remarked of them."""
    images = stacks.read(job.images, start, stop)
    truths = stacks.read(job.truth, start, stop) if job.truth else None
    for index in range(start, stop):
        remarks: list[str] = []
        of_truth: list[str] = []
        truth = None
        with _listening(remarks):
            _, image = next(images)
        if truths:
            with _listening(of_truth):
                _, truth = next(truths)
        yield index, image, truth, remarks + [f"the truth: {_reason(told, job.truth, index)}" for told in of_truth]


@contextlib.contextmanager
def _listening(remarks: list[str]) -> Iterator[None]:
    """Collect what the library says of an image; what the readers say themselves is passed over."""
    with warnings.catch_warnings(record=True, action="ignore") as caught:
        warnings.simplefilter("always", InputWarning)
        yield
    for warning in caught:
        wanted = issubclass(warning.category, InputWarning)
        if wanted and not issubclass(warning.category, EmptyMaskWarning):  # that is a flag
            remarks.append(str(warning.message))


def _checksum(both: Iterable[object], crc: int) -> int:
    for each in both:
        if isinstance(each, datasets.Data):
            spacing = None if each.spacing_mm is None else each.spacing_mm.tolist()
            crc = zlib.crc32(repr((each.images.shape, each.images.dtype.str, spacing)).encode(), crc)
            crc = zlib.crc32(np.ascontiguousarray(each.images), crc)
    return crc


def _masks(
    job: Job, index: int, image: datasets.Data | Exception, truth: datasets.Data | Exception | None, remarks: list[str]
) -> tuple[np.ndarray | None, list[dict]]:
    """Make the masks of an image, and a row for each of its slices; what fails is told in its row."""
    try:
        if isinstance(image, Exception):
            raise image
        if job.made.kind != "files" and image.images.shape != (1, *job.made.shape[1:]):
            raise InputError(f"expected one slice of shape {job.made.shape[1:]}, got {image.images.shape}")
        image = image.spaced(job.spacing_mm)
        with _listening(remarks):  # what else is warned of is in the flags
            masks, trust = _made(job, image)
    except Exception as error:  # whatever it is, it does not stop the others
        return None, [_failure(job, index, error)]
    name = stacks.name(job.images, index)
    names = [name] if len(masks) == 1 else [f"{name}[{number}]" for number in range(len(masks))]
    truth = _in_place(job, index, truth)
    known = _known(truth)
    rows = []
    for number, mask in enumerate(masks):
        row = _row(names[number], mask, _spacing(image, number), trust[number] if job.quality else None)
        if truth is not None:
            try:
                _add_scores(row, mask, image, truth, known, number)
            except Exception as error:
                row["flags"].append("unscored")
                row["error"] = f"the truth: {_reason(error, job.truth, index)}"
        told = [_reason(remark, job.images, index) for remark in _remarks_on(image.names, number, remarks)]
        if told:
            row["remarks"] = "; ".join(dict.fromkeys(told))
        rows.append(row | {"flags": "; ".join(row["flags"])})
    return masks, rows


def _failure(job: Job, index: int, error: Exception) -> dict:
    """Give the row of an image without masks."""
    name = stacks.name(job.images, index)
    return {"name": name, "flags": "failed", "error": _reason(error, job.images, index)}


def _row(name: str, mask: np.ndarray, spacing_mm: tuple[float, float] | None, trust: float | None) -> dict:
    """Tell of a mask what can be told without a truth; its flags are a list yet."""
    area_px = int(mask.sum())
    row = {"name": name, "area_px": area_px, "flags": []}
    if spacing_mm:
        row["area_mm2"] = round(area_px * math.prod(spacing_mm), 3)
    if trust is not None:
        row["quality"] = round(trust, 6)
    if not area_px:
        row["flags"].append("empty")
    elif trust is not None and trust < polar.TRUSTED:
        row["flags"].append("doubtful")
    return row


def _add_scores(
    row: dict,
    mask: np.ndarray,
    image: datasets.Data,
    truth: datasets.Data | Exception,
    known: np.ndarray,
    number: int,
) -> None:
    """Score a mask where its truth is known."""
    if isinstance(truth, Exception):
        raise truth
    if truth.images.shape != image.images.shape:
        raise InputError(f"expected its shape {image.images.shape}, got {truth.images.shape}")
    true = datasets.binary(truth.images[number], "the truth")
    if known[number]:
        row |= metrics.score(mask, true, _spacing(image, number))
    else:
        row["flags"].append("unknown truth")


def _in_place(job: Job, index: int, truth: datasets.Data | Exception | None) -> datasets.Data | Exception | None:
    """Give the truth of a file, or what is wrong with where its header says that it lies."""
    if not isinstance(truth, datasets.Data) or not job.images.kind == job.truth.kind == "files":
        return truth
    files = [Path(stack.path, stacks.name(stack, index)) for stack in (job.images, job.truth)]
    try:
        datasets.check_headers(*files)
    except InputError as error:
        return error
    return truth


def _known(truth: datasets.Data | Exception | None) -> np.ndarray:
    """Tell of which slices of a file the truth is known; that of a single slice is not if empty."""
    if not isinstance(truth, datasets.Data):
        return np.zeros(0, bool)
    if len(truth.images) == 1:
        return truth.images.any(axis=(1, 2))
    return metrics.known_slices(truth.images)


def _spacing(image: datasets.Data, number: int) -> tuple[float, float] | None:
    return None if image.spacing_mm is None else tuple(image.spacing_mm[number])


def _remarks_on(names: Sequence[str], number: int, remarks: list[str]) -> list[str]:
    """Choose what is remarked of a slice, or of its file as a whole."""
    if not remarks:
        return []
    others = tuple(f"{name}: " for name in names if name != names[number])
    return [remark.removeprefix(f"{names[number]}: ") for remark in remarks if not remark.startswith(others)]


def _made(job: Job, data: datasets.Data) -> tuple[np.ndarray, list[float]]:
    """Make the masks of an image, and estimate how far to trust them if that is asked for."""
    options = {name: value for name, value in job.options.items() if name != "spacing_mm"}
    if job.quality:
        pairs = list(versions.masks_with_quality(data, version=job.version, **options))
        return np.stack([mask for mask, _ in pairs]), [quality for _, quality in pairs]
    masks = np.stack(list(versions.mask_slices(data, version=job.version, **options)))
    if job.version != "v8":  # v8 has looked itself
        _look_for_rivals(data)
    return masks, []


def _look_for_rivals(data: datasets.Data) -> None:
    """Warn of slices that show more than one head; what cannot be unwrapped is passed over."""
    for number, image in enumerate(data.images):
        if not polar.may_have_rivals(image):
            continue
        with versions.naming(data.names[number]), contextlib.suppress(InputError):
            polar.warn_of_rivals(polar.unwrap(image, _spacing(data, number)))


def _reason(error: Exception | str, stack: stacks.Stack, index: int) -> str:
    """Give what is said of an image in one line, without the image's name."""
    told = " ".join(str(error).split()) or type(error).__name__
    name = stacks.name(stack, index)
    file = Path(name).name
    for place in (str(Path(stack.path, name)), stack.path, name, f"{file}[0]", file):
        told = told.removeprefix(f"{place}: ")
    return told
