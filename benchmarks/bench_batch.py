"""Thousands of slices from disk to disk: ours, the source's script, and the machine's limits.

The source loads all slices at once and maps a pool over them; with its component loop that is the
baseline. Each round runs both, input and output out of the page cache before. The ceiling is the
slowest of three things done alone by as many processes: reading, computing in memory, and writing
until it is on disk. Writes data/batch.csv.
"""

import argparse
import datetime
import itertools
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np
import psutil
import scripts
from bench_versions import plain_v7
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib.batches import reading, stacks
from skullmask_lib.tables import markdown

SHAPE = (768, 624)
HEADER = ("what", "value", "unit", "note")
OUTPUT = Path(__file__).resolve().parents[1] / "data" / "batch.csv"
ALL = 100_000
INCLUDED = "start of the processes included"

Row = tuple[object, ...]  # with the columns of the header


def write_slices(path: Path, count: int) -> None:
    """Write slices of the phantom, each of another brightness, turned over and shifted."""
    rng = np.random.default_rng(0)
    phantom = sm.load("phantom").images
    slices = np.lib.format.open_memmap(path, "w+", np.float32, (count, *SHAPE))
    for index in tqdm(range(count), "making slices", leave=False, disable=None):
        image = phantom[index % len(phantom)][:, :: rng.choice((-1, 1))] * rng.uniform(0.5, 2)
        slices[index] = np.roll(image, rng.integers(-9, 10), axis=0) + rng.normal(
            0, 0.002 * image.max(), (SHAPE[0], 1)
        )
    slices.flush()


def forget(*paths: Path) -> None:
    """Put files out of the page cache."""
    os.sync()
    for path in paths:
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def source_script(slices: Path, output: Path, processes: int) -> None:
    """Do what the source's batch script does."""
    images = np.load(slices)
    with multiprocessing.Pool(processes) as pool:
        made = pool.map(plain_v7, images)
    np.save(output, np.array(made))


def watched(command: list[object]) -> tuple[float, float]:
    """Run a command; return its seconds, and the peak memory of all its processes together [MB]."""
    peak_mb = 0.0
    is_over = threading.Event()

    def watch(process: psutil.Process) -> None:
        nonlocal peak_mb
        while not is_over.wait(0.05):
            peak_mb = max(peak_mb, memory_mb([process, *children(process)]))

    started = time.perf_counter()
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL) as run:
        watcher = threading.Thread(target=watch, args=(psutil.Process(run.pid),))
        watcher.start()
        try:
            code = run.wait()
        finally:  # after Ctrl-C, too: Python waits for its threads
            taken_s = time.perf_counter() - started
            is_over.set()
            watcher.join()
    if code:
        raise SystemExit(f"{command}: exit code {code}")
    return taken_s, peak_mb


def memory_mb(processes: Iterable[psutil.Process]) -> float:
    """Sum up the memory of processes, without the files that they have mapped [MB]."""
    return sum(memory_kib(process.pid) for process in processes) * 1024 / 1e6


def memory_kib(pid: int) -> int:
    """Read the memory of a process, see `memory_mb`; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    kib = 0
    for line in status.splitlines():
        if line.startswith(("RssAnon", "RssShmem")):
            kib += int(line.split()[1])  # Linux writes kB and means KiB
    return kib


def children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def ours(slices: Path, output: Path, *options: object) -> tuple[float, float]:
    command = [
        sys.executable,
        "-m",
        "skullmask_lib.cli",
        "batch",
        slices,
        output,
        "--restart",
        *options,
    ]
    return watched(command)


def ready() -> None:
    cv2.setNumThreads(1)


def compute(images: np.ndarray, times: int) -> int:
    for _ in range(times):
        for image in images:
            sm.v7(image)
    return times * len(images)


def read(stack: stacks.Stack, start: int, stop: int) -> int:
    return sum(1 for _ in reading.read(stack, start, stop))


def write(path: Path, masks: np.ndarray, times: int) -> int:
    with open(path, "wb", buffering=0) as file:
        for _ in range(times):
            for mask in masks:
                file.write(mask)
            os.fsync(file.fileno())
    return times * len(masks)


def alone(pool: ProcessPoolExecutor, function, tasks: list[tuple]) -> float:
    """Give images per second of a task for each process."""
    started = time.perf_counter()
    futures = [pool.submit(function, *task) for task in tasks]
    images = sum(future.result() for future in futures)
    return images / (time.perf_counter() - started)


def ceiling(folder: Path, slices: Path, processes: int) -> dict[str, float]:
    stack = stacks.opened(slices)
    images = np.load(slices, mmap_mode="r")[:50].copy()
    masks = np.stack([sm.v7(image) for image in images])
    forget(slices)
    count = len(np.load(slices, mmap_mode="r"))
    edges = np.linspace(0, count, processes + 1).astype(int).tolist()
    to_read = [(stack, start, stop) for start, stop in itertools.pairwise(edges)]
    to_write = [(folder / f"written{number}", masks, 20) for number in range(processes)]
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), ready) as pool:
        alone(pool, compute, [(images[:1], 1)] * processes)  # they have started
        alone(pool, compute, [(images[:1], 1)] * processes)
        return {
            "read": alone(pool, read, to_read),
            "compute": alone(pool, compute, [(images, 10)] * processes),
            "write": alone(pool, write, to_write),
        }


def size_mb(path: Path) -> float:
    if path.is_file():
        return path.stat().st_size / 1e6
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6


class Inputs(NamedTuple):
    """Stacks of slices, and by how many processes they are masked."""

    folder: Path
    many: Path
    some: Path
    count: int
    few: int
    workers: int


class Round(NamedTuple):
    """Speeds [images/s] and peaks of memory [MB], measured one after another."""

    ceiling: dict[str, float]
    source: float
    v7: float
    memory_mb: float
    memory_of_few_mb: float


def write_inputs(folder: Path, count: int, few: int, workers: int) -> Inputs:
    """Write many slices, and the first few of them again."""
    inputs = Inputs(folder, folder / "many.npy", folder / "some.npy", count, few, workers)
    write_slices(inputs.many, count)
    np.save(inputs.some, np.load(inputs.many, mmap_mode="r")[:few])
    return inputs


def run_round(inputs: Inputs) -> Round:
    """Measure the machine's limits, the source's script on few slices, and ours on many and few."""
    limits = ceiling(inputs.folder, inputs.many, inputs.workers)
    plain = inputs.folder / "plain.npy"
    masks = inputs.folder / "masks.npy"
    options = ("--version", "v7", "--workers", inputs.workers)

    forget(inputs.some, inputs.many)
    script = [sys.executable, __file__, "--source-script", inputs.some, plain, inputs.workers]
    source_s, _ = watched(script)
    forget(inputs.many)
    many_s, many_mb = ours(inputs.many, masks, *options)
    assert np.array_equal(np.load(plain), np.load(masks, mmap_mode="r")[: inputs.few])
    forget(inputs.some)
    _, few_mb = ours(inputs.some, inputs.folder / "few.npy", *options)
    return Round(
        ceiling=limits,
        source=inputs.few / source_s,
        v7=inputs.count / many_s,
        memory_mb=many_mb,
        memory_of_few_mb=few_mb,
    )


def speed(inputs: Inputs, slices: Path, output: str, *options: object) -> float:
    """Measure another way to make masks [images/s]."""
    forget(slices)
    count = len(np.load(slices, mmap_mode="r"))
    taken_s, _ = ours(slices, inputs.folder / output, "--workers", inputs.workers, *options)
    return count / taken_s


def rows_of_machine(inputs: Inputs) -> list[Row]:
    memory_gb = psutil.virtual_memory().total / 2**30
    cores = f"{inputs.workers} processes, {os.cpu_count()} cores, {memory_gb:.0f} GB"
    software = (
        f"{scripts.processor()}, Python {platform.python_version()}, OpenCV {cv2.__version__}"
    )
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    slices = f"float32, {SHAPE[0]} x {SHAPE[1]}, {size_mb(inputs.many) / 1e3:.1f} GB"
    return [
        ("machine", cores, "", software),
        ("date", today, "", ""),
        ("slices", inputs.count, "", slices),
    ]


def rows_of_rounds(inputs: Inputs, rounds: list[Round]) -> list[Row]:
    source = median(round_.source for round_ in rounds)
    v7 = median(round_.v7 for round_ in rounds)
    ratio = median(round_.v7 / round_.source for round_ in rounds)
    share = median(round_.v7 / min(round_.ceiling.values()) for round_ in rounds)
    read_alone = median(round_.ceiling["read"] for round_ in rounds)
    compute_alone = median(round_.ceiling["compute"] for round_ in rounds)
    write_alone = median(round_.ceiling["write"] for round_ in rounds)
    memory_mb = max(round_.memory_mb for round_ in rounds)
    memory_of_few_mb = max(round_.memory_of_few_mb for round_ in rounds)
    of_few = f"{inputs.few} slices"
    of_many = f"{inputs.count} slices"
    of_ratio = f"median of the ratios of {len(rounds)} rounds; wanted: 2"
    return [
        ("the source's script", f"{source:.1f}", "images/s", f"{of_few}: it holds all of them"),
        ("v7", f"{v7:.1f}", "images/s", f"{of_many}, {INCLUDED}"),
        ("v7 ÷ the source's script", f"{ratio:.2f}", "", of_ratio),
        ("reading alone", f"{read_alone:.1f}", "images/s", ""),
        ("computing v7 alone", f"{compute_alone:.1f}", "images/s", "in memory"),
        ("writing alone", f"{write_alone:.1f}", "images/s", "until it is on disk"),
        ("v7 ÷ the slowest of these", f"{share:.2f}", "", "wanted: 0.60"),
        ("memory at most", f"{memory_mb:.0f}", "MB", f"{of_many}; wanted: 1500"),
        (
            "memory at most, fewer",
            f"{memory_of_few_mb:.0f}",
            "MB",
            f"{of_few}; wanted: equal within 10 %",
        ),
    ]


def rows_of_other_ways(inputs: Inputs) -> list[Row]:
    """Measure v7 in other ways on few slices."""
    some = inputs.some
    zarr = speed(inputs, some, "masks.zarr", "--version", "v7")
    dask = speed(inputs, some, "dask.npy", "--version", "v7", "--backend", "dask")
    quality = speed(inputs, some, "quality.npy", "--version", "v7", "--quality")
    smaller = size_mb(inputs.folder / "few.npy") / size_mb(inputs.folder / "masks.zarr")
    of_few = f"{inputs.few} slices"
    of_zarr = f"{of_few}; {smaller:.0f} times smaller than .npy"
    of_dask = f"{of_few}, start of the cluster included"
    return [
        ("v7 to Zarr", f"{zarr:.1f}", "images/s", of_zarr),
        ("v7 on a local cluster of Dask", f"{dask:.1f}", "images/s", of_dask),
        ("v7 with its quality", f"{quality:.1f}", "images/s", of_few),
    ]


def projected(version: str, images_per_s: float) -> Row:
    """Say how long all images would take at this speed."""
    minutes = ALL / images_per_s / 60
    return f"{ALL} images, {version}", f"{minutes:.0f}", "min", "extrapolated"


def measure(folder: Path, count: int, few: int, rounds: int, workers: int) -> list[Row]:
    """Measure everything; return the rows of the table."""
    inputs = write_inputs(folder, count, few, workers)
    measured = []
    for _ in tqdm(range(rounds), "rounds", leave=False, disable=None):
        measured.append(run_round(inputs))
    of_other_ways = rows_of_other_ways(inputs)
    v7 = median(round_.v7 for round_ in measured)
    v8 = speed(inputs, inputs.many, "v8.npy", "--version", "v8")
    return [
        *rows_of_machine(inputs),
        *rows_of_rounds(inputs, measured),
        *of_other_ways,
        ("v8 with its quality", f"{v8:.1f}", "images/s", f"{count} slices, {INCLUDED}"),
        projected("v7", v7),
        projected("v8", v8),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--slices",
        type=scripts.count,
        default=5000,
        help="slices for v7 and v8 (default: %(default)s)",
    )
    parser.add_argument(
        "--few",
        type=scripts.count,
        default=1000,
        help="so many of them for the source's script, which holds them all, and for other ways "
        "to run v7 (default: %(default)s)",
    )
    parser.add_argument(
        "--rounds", type=scripts.count, default=3, help="of v7 and the script (default: 3)"
    )
    parser.add_argument("--workers", type=scripts.count, default=2, help="processes (default: 2)")
    parser.add_argument(
        "--folder",
        type=Path,
        help="for slices and masks while it runs, 20 GB with the defaults "
        "(default: the system's folder for temporary files)",
    )
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT, help="the CSV")
    parser.add_argument("--source-script", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.source_script:
        slices, output, workers = options.source_script
        source_script(Path(slices), Path(output), int(workers))
        return
    if options.few > options.slices:
        parser.error(f"--few {options.few} of {options.slices} slices: there are not as many")
    if options.folder and not options.folder.is_dir():
        parser.error(f"--folder {options.folder}: is no folder")
    scripts.check_output(options.output)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = measure(Path(folder), options.slices, options.few, options.rounds, options.workers)
    print(markdown(rows, HEADER).data)
    named_rows = [dict(zip(HEADER, row, strict=True)) for row in rows]
    scripts.write(options.output, HEADER, named_rows)


if __name__ == "__main__":
    scripts.run(main)
