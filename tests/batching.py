"""Batches for the tests: many small heads, their masks one by one, and what a run leaves behind."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet
import zarr
from inputs import head
from PIL import Image

import skullmask_lib as sm

# --- images and their masks ----------------------------------------------------------------------


def heads(count, dtype=np.float32, *, first=0):
    """Give heads in different places; no two of the first 99 are the same."""
    numbers = range(first, first + count)
    images = np.stack([head(at=(k % 9 - 4, k // 9 % 11 - 5)) for k in numbers])
    if dtype == np.bool_:
        return images > 80
    return (images / 2).astype(dtype)


def one_by_one(images, version="v7", **options):
    """Mask each image by the one-call door."""
    return np.stack([sm.create_skull_mask(image, version=version, **options) for image in images])


def save_arrays(folder, images):
    """Write every image as an array of its own: 0.npy, 1.npy and so on in a folder."""
    Path(folder).mkdir()
    for index, image in enumerate(images):
        np.save(f"{folder}/{index}.npy", image)


def save_head(path):
    """Write the first head as a picture."""
    Image.fromarray(heads(1, np.uint8)[0]).save(path)


# --- a run and what it leaves --------------------------------------------------------------------


def serial(images, output, version="v7", **options):
    """Run in this process, in chunks of 3; the last chunk is often a shorter one."""
    return sm.batch(
        images, output, **{"version": version, "backend": "serial", "chunk": 3} | options
    )


def killed_and_leaving_a_copy(*_):
    """End a run as a kill does, after which nobody tidies up: its records are then in ``left``."""
    shutil.copytree("m.batch", "left")
    raise KeyboardInterrupt


def read_masks(output, count=None):
    """Read the masks of an array ``a`` as zeros and ones, from wherever they are."""
    if output.endswith(".npy"):
        return np.load(output)
    if output.endswith(".zarr"):
        return zarr.open_array(output, mode="r")[:]
    pictures = [Image.open(f"{output}/a_{index:06}.png") for index in range(count)]
    return np.stack([np.array(picture) // 255 for picture in pictures])


def recorded(output="m.npy"):
    """Name the first images of the chunks, in the order in which they were recorded."""
    journal = Path(f"{output}.batch/journal.jsonl")
    if not journal.exists():
        return []
    chunks = []
    for line in journal.read_bytes().splitlines():
        try:
            key = json.loads(line)[0]
        except ValueError:  # the line is cut off
            continue
        if key not in ("run", "table"):
            chunks.append(int(key))
    return chunks


def rows_of(path):
    """Read a table of comma-separated values, each row as a dict."""
    with open(path, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def results_of(output):
    """Read the table of a run: a row for every image."""
    return rows_of(f"{output}.batch/results.csv")


def parquet_rows(output):
    """Read the table of a run that was written as Parquet."""
    return pyarrow.parquet.read_table(f"{output}.batch/results.parquet").to_pylist()


def tables_of(output):
    """Name the tables of results that lie beside the masks."""
    return [path.name for path in Path(f"{output}.batch").glob("results.*")]


def column(output, name):
    """Read one column of the table of a run, as text."""
    return [row[name] for row in results_of(output)]


def errors_of(output):
    """Give the reason for every image that failed, by its name."""
    return {row["name"]: row["error"] for row in rows_of(f"{output}.batch/errors.csv")}


def assert_same(masks, expected):
    assert masks.dtype == expected.dtype
    assert np.array_equal(masks, expected)
