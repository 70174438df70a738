"""What the long trainings share: a clock, and for lessons 30 and 32 scores and a growing table."""

import datetime
import itertools
import platform
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scripts import iou_cells, processor, read_earlier, write
from train_network import RATE

import skullmask_lib as sm
from skullmask_lib.deep import heads, networks, prediction, training
from skullmask_lib.errors import InputError

Settings = Mapping[str, Any]
Row = Mapping[str, Any]
Tests = Mapping[str, Sequence[sm.Data]]
Measure = Callable[[Settings], list[Row]]

STAMP = ("cpu_s", "machine", "date", "version")
MEASURED = ("test", "images", "iou", "iou_min", *STAMP)

# Beside the checkpoints of a training: its time up to the last one
CLOCK = "cpu_s.txt"

# --- The clock -----------------------------------------------------------------------------------


class Clock:
    """The processor's time of a training, from here on.

    Parameters
    ----------
    folder : Path, optional
        Keeps the time, for a training that goes on in this folder.

    Attributes
    ----------
    noted_s : float
        The time up to the last note, with that of earlier runs.

    Raises
    ------
    InputError
        If the folder holds a training whose time is unknown.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.noted_s = 0.0
        self._file = folder / CLOCK if folder else None
        if folder and (folder / CLOCK).exists():
            self.noted_s = float((folder / CLOCK).read_text())
        elif folder and (folder / training.LAST).exists():
            raise InputError(f"holds a training without its time, {CLOCK}; remove it", where=folder)
        self._since_s = time.process_time()

    def note(self) -> None:
        """Add the time since the last note. A training goes on from a checkpoint: note it there."""
        now_s = time.process_time()
        self.noted_s += now_s - self._since_s
        self._since_s = now_s
        if self._file:
            self._file.write_text(str(self.noted_s))

    def skip(self) -> None:
        """Leave out the time since the last note."""
        self._since_s = time.process_time()


def is_checkpoint(step: int, *, every: int, steps: int) -> bool:
    """Tell whether `training.train` has written a checkpoint after this step."""
    return step % every == 0 or step == steps


# --- Train and score -----------------------------------------------------------------------------


def trained(
    batch_of: Callable[[int], training.Batch],
    *,
    steps: int,
    seed: int,
    on_the_way: Callable[[torch.nn.Module, int], None] | None = None,
    precision: torch.dtype | None = None,
) -> tuple[torch.nn.Module, float]:
    """Train a network such as that of `learned`; return it and the processor's time [s].

    The time that ``on_the_way`` takes after a step does not count.
    """
    network = networks.build("unet", seed=seed).to(memory_format=torch.channels_last)
    clock = Clock()

    def after_step(step: int, _: float) -> None:
        clock.note()
        if on_the_way:
            on_the_way(network, step)
            clock.skip()

    with tempfile.TemporaryDirectory() as folder:
        training.train(
            network,
            batch_of,
            folder,
            steps=steps,
            rate=RATE,
            seed=seed,
            every=steps,
            precision=precision,
            progress=after_step,
        )
    return network, round(clock.noted_s, 1)


def scores_of_network(network: torch.nn.Module, tests: Tests) -> list[Row]:
    """Score a network alone on every set of tests."""
    ask = prediction.predictor(network)
    return scores(lambda head: heads.masks_of(ask, head), tests)


def scores(masks_of: Callable[[sm.Data], Iterable[np.ndarray]], tests: Tests) -> list[Row]:
    """Score what makes masks of a head on every set of tests."""
    rows = []
    for test, sets in tests.items():
        ious = []
        for head in sets:
            ious += [sm.iou(*pair) for pair in zip(masks_of(head), head.truth, strict=True)]
        rows.append(score_of(test, ious))
    return rows


def score_of(test: str, ious: Sequence[float]) -> Row:
    """Sum up the IoU of all slices of a test."""
    return {"test": test, "images": len(ious), **iou_cells(ious)}


# --- Tables --------------------------------------------------------------------------------------


def complete(
    file: Path,
    header: Sequence[str],
    wanted: Sequence[Settings],
    tests: Collection[str],
    measure: Measure,
    *,
    bfloat16: bool = False,
) -> None:
    """Measure what a table lacks. It is written after every measurement, so a run can be stopped.

    Rows of other settings are dropped. The machine's name says if convolutions are in bfloat16.
    """
    earlier = read_earlier(file, header)
    rows_of = [rows_with(earlier, settings) for settings in wanted]
    for index, settings in enumerate(wanted):
        scored = {row["test"] for row in rows_of[index]}
        if scored.issuperset(tests):
            continue
        rows_of[index] = [{**settings, **row, **stamp(bfloat16)} for row in measure(settings)]
        write(file, header, itertools.chain.from_iterable(rows_of))
        show(rows_of[index], header)


def show(rows: Iterable[Row], header: Sequence[str]) -> None:
    """Print what was measured, without the stamp at the end of a row."""
    for row in rows:
        print(*(row.get(name, "") for name in header[: -len(STAMP)]), flush=True)


def rows_with(rows: Iterable[Row], settings: Settings) -> list[Row]:
    """Choose the rows of a training; a table from a file holds text alone."""
    chosen = []
    for row in rows:
        if all(row[name] == str(value) for name, value in settings.items()):
            chosen.append(row)
    return chosen


def stamp(bfloat16: bool) -> Row:
    """Say where, when and with which version a row was measured."""
    software = f"Python {platform.python_version()}, torch {torch.__version__}"
    precision = ", bfloat16" if bfloat16 else ""
    return {
        "machine": f"{processor()}, {software}{precision}",
        "date": datetime.date.today().isoformat(),
        "version": sm.__version__,
    }
