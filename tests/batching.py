"""Batches for the tests: many small heads, their masks one by one, and what a run leaves beside them."""

import contextlib
import csv
import json
from pathlib import Path

import numpy as np
import zarr
from inputs import head
from PIL import Image

import skullmask_lib as sm


def heads(count, dtype=np.float32, *, first=0):
    """Give heads in different places; of the first 99 no two are the same."""
    images = np.stack([head(at=(k % 9 - 4, k // 9 % 11 - 5)) for k in range(first, first + count)])
    return images > 80 if dtype == np.bool_ else (images / 2).astype(dtype)


def one_by_one(images, version="v7", **options):
    return np.stack([sm.create_skull_mask(image, version=version, **options) for image in images])


def serial(images, output, version="v7", **options):
    """Run in this process, in chunks that divide nothing."""
    return sm.batch(
        images, output, **{"version": version, "backend": "serial", "chunk": 3} | options
    )


def read(output, count=None):
    """Read the masks of an array from wherever they are."""
    if output.endswith(".npy"):
        return np.load(output)
    if output.endswith(".zarr"):
        return zarr.open_array(output, mode="r")[:]
    return np.stack(
        [np.array(Image.open(f"{output}/a_{index:06}.png")) // 255 for index in range(count)]
    )


def recorded(output="m.npy"):
    """Name the first images of the chunks, in the order in which they were recorded."""
    book, found = Path(f"{output}.batch/journal.jsonl"), []
    for line in book.read_bytes().splitlines() if book.exists() else ():
        with contextlib.suppress(ValueError):  # cut off
            found.append(json.loads(line)[0])
    return [int(item) for item in found if item not in ("run", "table")]


def rows_of(path):
    with open(path, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def errors_of(output):
    return {row["name"]: row["error"] for row in rows_of(f"{output}.batch/errors.csv")}


def everything(folder):
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in sorted(Path(folder).rglob("*"))
    }


def same(found, wanted):
    assert found.dtype == wanted.dtype
    assert np.array_equal(found, wanted)
