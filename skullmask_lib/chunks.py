"""One chunk of a batch: what a worker is told, and what it does."""

import math
import platform
import time
import warnings
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from . import datasets, journal, metrics, outputs, polar, pools, stacks, texts, versions
from .masks import InputError


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
    writers: dict

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
    for _, *both in _read(job, start, stop):
        if any(isinstance(each, Exception) for each in both):
            return None, None
        crc = _checksum(both, crc)
    try:
        return crc, stacks.checksum(job.made, start, stop)
    except InputError:  # they are gone as a whole
        return crc, None


def work(job: Job, start: int, stop: int) -> dict:
    """Make and write the masks of some images, and tell what the journal shall record."""
    _check_version(job)
    spent, rows, failed, size, crc, made_crc = dict.fromkeys(("read", "compute", "write"), 0.0), [], 0, 0, 0, 0
    clock = time.perf_counter()

    def lap(part: str) -> float:
        nonlocal clock
        since, clock = clock, time.perf_counter()
        spent[part] += clock - since
        return clock - since

    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with outputs.writable(job.made.path), stacks.writing(job.made, start, stop) as put:
            for index, found, true in _read(job, start, stop):
                lap("read")
                made, some = _masks(job, index, found, true)
                size += found.images.nbytes if isinstance(found, datasets.Data) else 0
                crc = _checksum((found, true), crc)
                each = lap("compute") / len(some)
                rows += [row | {"seconds": round(each, 6)} for row in some]
                errors = [row["error"] for row in some if "error" in row]
                if errors and job.fail_fast:
                    raise pools.Stopped(f"{some[0]['name']}: {errors[0]}")
                failed += bool(errors)
                source = str(Path(job.images.path, stacks.name(job.images, index))) if job.images.names else ""
                made_crc = put(index, made, source)
                lap("write")
        lap("write")
    finally:
        cv2.setNumThreads(threads)
    record = {"state": "done", "from": crc, "made": made_crc, "failed": failed, "bytes": size}
    return record | {"seconds": {part: round(spent[part], 6) for part in spent}, "rows": rows}


def _check_version(job: Job) -> None:
    if journal.writers() != job.writers:
        differ = "; ".join(differences(job.writers, journal.writers()))
        raise InputError(f"a worker on {platform.node()} differs: {differ}; install the same versions there")


def _read(job: Job, start: int, stop: int) -> Iterator[tuple[int, object, object]]:
    """Give the index, the image and its truth, which is None where none is known."""
    truths = stacks.read(job.truth, start, stop) if job.truth else ((index, None) for index in range(start, stop))
    for (index, found), (_, true) in zip(stacks.read(job.images, start, stop), truths, strict=True):
        yield index, found, true


def _checksum(both: Iterable[object], crc: int) -> int:
    for each in both:
        if isinstance(each, datasets.Data):
            spacing = None if each.spacing_mm is None else each.spacing_mm.tolist()
            crc = zlib.crc32(repr((each.images.shape, each.images.dtype.str, spacing)).encode(), crc)
            crc = zlib.crc32(np.ascontiguousarray(each.images), crc)
    return crc


def _masks(
    job: Job, index: int, found: datasets.Data | Exception, true: datasets.Data | Exception | None
) -> tuple[np.ndarray | None, list[dict]]:
    """Make the masks of an image, and a row for each of its slices; what fails is told in its row."""
    name = stacks.name(job.images, index)
    try:
        if isinstance(found, Exception):
            raise found
        if job.made.kind != "files" and found.images.shape != (1, *job.made.shape[1:]):
            raise InputError(f"expected one slice of shape {job.made.shape[1:]}, got {found.images.shape}")
        found = found.spaced(job.spacing_mm)
        with warnings.catch_warnings(action="ignore"):  # what they say is in the flags
            made, trust = _made(job, found)
    except Exception as error:  # whatever it is, it does not stop the others
        return None, [{"name": name, "flags": "failed", "error": _reason(error, job, name)}]
    names = [name] if len(made) == 1 else [f"{name}[{each}]" for each in range(len(made))]
    rows = []
    for each, mask in enumerate(made):
        spacing = None if found.spacing_mm is None else tuple(found.spacing_mm[each])
        row = {"name": names[each], "area_px": int(mask.sum())}
        if spacing:
            row["area_mm2"] = round(row["area_px"] * math.prod(spacing), 3)
        if job.quality:
            row["quality"] = round(trust[each], 6)
        doubted = job.quality and trust[each] < polar.TRUSTED
        row["flags"] = "empty" if not row["area_px"] else "doubtful" if doubted else ""
        if true is not None:
            try:
                if isinstance(true, Exception):
                    raise true
                if true.images.shape != found.images.shape:
                    raise InputError(f"expected its shape {found.images.shape}, got {true.images.shape}")
                row |= metrics.score(mask, datasets.binary(true.images[each], "the truth"), spacing)
            except Exception as error:
                row |= {"flags": "unscored", "error": f"the truth: {_reason(error, job, name)}"}
        rows.append(row)
    return made, rows


def _made(job: Job, data: datasets.Data) -> tuple[np.ndarray, list[float]]:
    """Make the masks of an image, and tell how far to trust them if that is asked for."""
    spacings = [None] * len(data.images) if data.spacing_mm is None else [tuple(pair) for pair in data.spacing_mm]
    if job.version == "v8" and len(data.images) == 1:  # unwraps the head once for both
        unwrapped = polar.unwrap(data.images[0], spacings[0])
        empty = np.zeros(data.images[0].shape, np.uint8)
        mask = empty if unwrapped is None else versions.scalp_boundary(unwrapped)["filled"]
        return mask[None], [polar.trust_in(unwrapped, mask)] if job.quality else []
    made = versions.mask_slices(
        data.images,
        names=data.names,
        version=job.version,
        spacing_mm=data.spacing_mm,
        volume=data.volume,
        **{name: value for name, value in job.options.items() if name != "spacing_mm"},
    )
    made = np.stack(list(made))
    if not job.quality:
        return made, []
    looked_at = zip(data.images, made, spacings, strict=True)
    return made, [polar.quality(image, mask, spacing_mm=spacing) for image, mask, spacing in looked_at]


def _reason(error: Exception, job: Job, name: str) -> str:
    told = " ".join(str(error).split()) or type(error).__name__
    for place in (str(Path(job.images.path, name)), job.images.path, name, f"{Path(name).name}[0]"):
        told = told.removeprefix(f"{place}: ")
    return told
