"""Exercises of lesson 20: a hundred thousand images."""

import tempfile
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from .. import versions
from ..batches.runs import batch
from ..io import journal
from ..io.datasets import load
from .definitions import Exercise, Mistake

# 20.1: masks that have changed

_COUNT = 20
_CHUNK = 3
_FLIPPED = (4, 11, 19)


def _small() -> np.ndarray:
    return np.asarray(load("phantom").images)[:, ::2, ::2]


@cache
def _made_again() -> list[int]:
    """Mask a stack, flip pixels of three masks, and mask it again; list what was made twice."""
    images = _small()
    with tempfile.TemporaryDirectory() as folder:
        stack = Path(folder, "slices.npy")
        output = Path(folder, "masks.npy")
        np.save(stack, images[np.arange(_COUNT) % len(images)])
        batch(stack, output, version="v7", backend="serial", chunk=_CHUNK)
        masks = np.load(output)
        masks[list(_FLIPPED), 50, 50] ^= 1
        np.save(output, masks)
        batch(stack, output, version="v7", backend="serial", chunk=_CHUNK)
        records = journal.scan(Path(f"{output}.batch", "journal.jsonl"))
        starts = [int(item) for item, *_ in records if item != "run"]
    return sorted(start for start in set(starts) if starts.count(start) > 1)


def _images_made_again() -> list[int]:
    images = []
    for start in _made_again():
        images += range(start, min(start + _CHUNK, _COUNT))
    return images


# 20.2: which chunks to mask

_Records = Mapping[int, int]


def _starts(masks: np.ndarray, chunk: int) -> range:
    return range(0, len(masks), chunk)


def _fits(masks: np.ndarray, records: _Records, start: int, stop: int) -> bool:
    return records.get(start) == zlib.crc32(np.ascontiguousarray(masks[start:stop]))


def _to_mask(masks: np.ndarray, records: _Records, chunk: int) -> list[int]:
    starts = _starts(masks, chunk)
    return [start for start in starts if not _fits(masks, records, start, start + chunk)]


def _without_record(masks: np.ndarray, records: _Records, chunk: int) -> list[int]:
    return [start for start in _starts(masks, chunk) if start not in records]


def _changed(masks: np.ndarray, records: _Records, chunk: int) -> list[int]:
    return [start for start in _to_mask(masks, records, chunk) if start in records]


def _to_keep(masks: np.ndarray, records: _Records, chunk: int) -> list[int]:
    again = _to_mask(masks, records, chunk)
    return [start for start in _starts(masks, chunk) if start not in again]


def _by_first_mask(masks: np.ndarray, records: _Records, chunk: int) -> list[int]:
    starts = _starts(masks, chunk)
    return [start for start in starts if not _fits(masks, records, start, start + 1)]


def _numbers(masks: np.ndarray, records: _Records, chunk: int) -> list[int]:
    return [start // chunk for start in _to_mask(masks, records, chunk)]


def _images(masks: np.ndarray, records: _Records, chunk: int) -> list[int]:
    images: list[int] = []
    for start in _to_mask(masks, records, chunk):
        images += range(start, min(start + chunk, len(masks)))
    return images


def _interrupted() -> list[tuple]:
    """List masks with records that lack a chunk, and with a pixel that was flipped since."""
    masks = np.array([versions.v7(image) for image in _small()])
    masks = masks[np.arange(11) % len(masks)]
    arguments = []
    for chunk, lost, flipped in ((2, 6, 3), (3, 0, 5), (4, 8, 1)):
        records = {}
        for start in _starts(masks, chunk):
            if start != lost:
                records[start] = zlib.crc32(np.ascontiguousarray(masks[start : start + chunk]))
        changed = masks.copy()
        changed[flipped, 60, 70] ^= 1
        arguments.append((changed, records, chunk))
    return arguments


EXERCISES = (
    Exercise(
        "20.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="the first slice of each chunk that is made again, a list of whole numbers",
        solution=_made_again,
        right="each changed mask costs the whole of its chunk, and no other chunk is touched.",
        hints=(
            "the journal lies in a folder beside the masks, and a chunk that is made again is "
            "recorded again.",
            "`journal.scan(path)` yields the records, and the first part of each says which chunk "
            "it is, as text.",
            "count how often each chunk occurs, keep those that occur twice, and turn them into "
            "whole numbers.",
        ),
        mistakes=(
            Mistake(
                lambda: list(range(0, _COUNT, _CHUNK)),
                "these are all chunks, as the first call makes them.",
            ),
            Mistake(
                lambda: list(_FLIPPED),
                "these are the slices whose masks have changed, but their chunks are asked for.",
            ),
            Mistake(
                lambda: [start // _CHUNK for start in _made_again()],
                "these chunks are counted from 0, but the first slice of each is asked for.",
            ),
            Mistake(
                _images_made_again,
                "these are all the slices of those chunks, but the first of each is enough.",
            ),
        ),
    ),
    Exercise(
        "20.2",
        kind="make",
        level=2,
        minutes=20,
        wanted="a function that takes masks, records and the size of a chunk, and returns a list "
        "of whole numbers",
        solution=_to_mask,
        right="put it into `by_chunks`, and a journal with checksums no longer has to be believed.",
        hints=(
            "go through the chunks as `by_chunks` does, and ask of each whether it may be kept.",
            "`zlib.crc32(masks[start : start + chunk])` is the checksum of the masks as they are "
            "now.",
            "`records.get(start)` is None where there is no record, and None equals no checksum.",
        ),
        mistakes=(
            Mistake(
                _without_record,
                "this believes the journal, but a chunk whose masks have changed is kept.",
            ),
            Mistake(_changed, "a chunk without a record is left out, but it has to be masked."),
            Mistake(_to_keep, "these are the chunks that may be kept."),
            Mistake(
                _by_first_mask,
                "this takes the checksum of one mask, but the record is about the whole chunk.",
            ),
            Mistake(
                _numbers,
                "these chunks are counted from 0, but the first slice of each is asked for.",
            ),
            Mistake(
                _images,
                "these are all the slices of those chunks, but the first of each is enough.",
            ),
        ),
        arguments=_interrupted,
    ),
)
