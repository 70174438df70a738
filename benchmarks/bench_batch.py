"""Thousands of slices from disk to disk: ours, the source's script, and the machine's limits.

The source loads all slices at once and maps a pool over them; with its component loop that is the
baseline. Each round runs both, input and output out of the page cache before. The ceiling is the
slowest of three things done alone by as many processes: reading, computing in memory, and writing
until it is on disk. Writes data/batch.csv.
"""

import argparse
import csv
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
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import psutil
from bench_versions import plain_v7
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib.batches import reading, stacks
from skullmask_lib.tables import markdown

SHAPE = (768, 624)
HEADER = ("what", "value", "unit", "note")
OUTPUT = Path(__file__).resolve().parents[1] / "data" / "batch.csv"
ALL = 100_000


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
    most, over = [0.0], threading.Event()

    def watch(process: psutil.Process) -> None:
        while not over.wait(0.05):
            held = 0
            for each in [process, *children(process)]:
                try:
                    lines = (
                        Path(f"/proc/{each.pid}/status")
                        .read_text(encoding="ascii", errors="replace")
                        .splitlines()
                    )
                except OSError:
                    continue
                held += sum(
                    int(line.split()[1])
                    for line in lines
                    if line.startswith(("RssAnon", "RssShmem"))
                )
            most[0] = max(most[0], held / 1e3)

    started = time.perf_counter()
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL) as run:
        watcher = threading.Thread(target=watch, args=(psutil.Process(run.pid),))
        watcher.start()
        code = run.wait()
        taken = time.perf_counter() - started
        over.set()
        watcher.join()
    if code:
        raise SystemExit(f"{command}: exit code {code}")
    return taken, most[0]


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
    done = sum(future.result() for future in [pool.submit(function, *task) for task in tasks])
    return done / (time.perf_counter() - started)


def ceiling(folder: Path, slices: Path, processes: int) -> dict[str, float]:
    stack = stacks.opened(slices)
    images = np.load(slices, mmap_mode="r")[:50].copy()
    masks = np.stack([sm.v7(image) for image in images])
    forget(slices)
    edges = np.linspace(0, len(np.load(slices, mmap_mode="r")), processes + 1).astype(int).tolist()
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), ready) as pool:
        alone(pool, compute, [(images[:1], 1)] * processes)  # they have started
        alone(pool, compute, [(images[:1], 1)] * processes)
        return {
            "read": alone(pool, read, [(stack, *ends) for ends in itertools.pairwise(edges)]),
            "compute": alone(pool, compute, [(images, 10)] * processes),
            "write": alone(
                pool, write, [(folder / f"written{k}", masks, 20) for k in range(processes)]
            ),
        }


def size_mb(path: Path) -> float:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files) / 1e6


def measure(
    folder: Path, count: int, few: int, rounds: int, workers: int
) -> list[tuple[object, ...]]:
    many, some, plain, made = (
        folder / name for name in ("many.npy", "some.npy", "plain.npy", "masks.npy")
    )
    write_slices(many, count)
    np.save(some, np.load(many, mmap_mode="r")[:few])
    base, mine, most, ceilings = [], [], {few: 0.0, count: 0.0}, []
    for _ in tqdm(range(rounds), "rounds", leave=False, disable=None):
        ceilings.append(ceiling(folder, many, workers))
        forget(some, many)
        base.append(
            few / watched([sys.executable, __file__, "--source-script", some, plain, workers])[0]
        )
        forget(many)
        taken, held = ours(many, made, "--version", "v7", "--workers", workers)
        mine.append(count / taken)
        most[count] = max(most[count], held)
        assert np.array_equal(np.load(plain), np.load(made, mmap_mode="r")[:few])
        forget(some)
        most[few] = max(
            most[few], ours(some, folder / "few.npy", "--version", "v7", "--workers", workers)[1]
        )
    alone_ = {part: median(each[part] for each in ceilings) for part in ceilings[0]}
    shares = [rate / min(each.values()) for rate, each in zip(mine, ceilings, strict=True)]
    ratios = [rate / slow for rate, slow in zip(mine, base, strict=True)]

    def other(output: str, *options: object, of: Path = some) -> float:
        forget(of)
        return (
            len(np.load(of, mmap_mode="r"))
            / ours(of, folder / output, "--workers", workers, *options)[0]
        )

    zarr = other("masks.zarr", "--version", "v7")
    dask = other("dask.npy", "--version", "v7", "--backend", "dask")
    quality = other("quality.npy", "--version", "v7", "--quality")
    eighth = other("v8.npy", "--version", "v8", of=many)
    compressed = size_mb(folder / "few.npy") / size_mb(folder / "masks.zarr")
    note, names = f"{few} slices", {"v7": median(mine), "v8": eighth}
    memory_gb = psutil.virtual_memory().total / 2**30
    cores = f"{workers} processes, {os.cpu_count()} cores, {memory_gb:.0f} GB"
    software = f"{processor()}, Python {platform.python_version()}, OpenCV {cv2.__version__}"
    included = f"{count} slices, start of the processes included"
    return [
        ("machine", cores, "", software),
        ("date", datetime.datetime.now(datetime.UTC).date().isoformat(), "", ""),
        ("slices", count, "", f"float32, {SHAPE[0]} x {SHAPE[1]}, {size_mb(many) / 1e3:.1f} GB"),
        ("the source's script", f"{median(base):.1f}", "images/s", f"{note}: it holds all of them"),
        ("v7", f"{median(mine):.1f}", "images/s", included),
        (
            "v7 ÷ the source's script",
            f"{median(ratios):.2f}",
            "",
            f"median of the ratios of {rounds} rounds; wanted: 2",
        ),
        ("reading alone", f"{alone_['read']:.1f}", "images/s", ""),
        ("computing v7 alone", f"{alone_['compute']:.1f}", "images/s", "in memory"),
        ("writing alone", f"{alone_['write']:.1f}", "images/s", "until it is on disk"),
        ("v7 ÷ the slowest of these", f"{median(shares):.2f}", "", "wanted: 0.60"),
        ("memory at most", f"{most[count]:.0f}", "MB", f"{count} slices; wanted: 1500"),
        (
            "memory at most, fewer",
            f"{most[few]:.0f}",
            "MB",
            f"{few} slices; wanted: equal within 10 %",
        ),
        (
            "v7 to Zarr",
            f"{zarr:.1f}",
            "images/s",
            f"{note}; {compressed:.0f} times smaller than .npy",
        ),
        (
            "v7 on a local cluster of Dask",
            f"{dask:.1f}",
            "images/s",
            f"{note}, start of the cluster included",
        ),
        ("v7 with its quality", f"{quality:.1f}", "images/s", note),
        ("v8 with its quality", f"{eighth:.1f}", "images/s", included),
        *(
            (f"{ALL} images, {name}", f"{ALL / rate / 60:.0f}", "min", "extrapolated")
            for name, rate in names.items()
        ),
    ]  # fmt: skip


def processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next(
            (line.partition(": ")[2].strip() for line in lines if line.startswith("model name")), ""
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=5000)
    parser.add_argument(
        "--few",
        type=int,
        default=1000,
        help="slices for the source's script, which holds all of them",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where the slices go: 2.5 MB each")
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT)
    parser.add_argument("--source-script", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.source_script:
        slices, output, workers = options.source_script
        source_script(Path(slices), Path(output), int(workers))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        rows = measure(Path(folder), options.slices, options.few, options.rounds, options.workers)
    print(markdown(rows, HEADER).data)
    with open(options.output, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *rows])


if __name__ == "__main__":
    main()
