"""Check the table of the batch's speed.

The docs show it and say which target it misses, and the program writes such a table.
"""

import os
import subprocess
import sys
import threading

import bench_batch
import numpy as np
import pages
import psutil
import pytest
from result_tables import (
    DATA,
    MEASUREMENT_HEADER,
    cells_of,
    column,
    measured_values,
    measurements_of,
)

import skullmask_lib as sm


@pytest.fixture
def rows():
    return measurements_of(DATA / "batch.csv")


def test_the_docs_show_the_table(rows):
    shown = pages.table_of(pages.text_of(pages.RESULTS), MEASUREMENT_HEADER)
    assert shown == cells_of(rows)


def test_the_docs_say_what_was_projected():
    minutes = sm.published()["minutes_for_100000_one_process"]
    assert f"projects {minutes:g} minutes for 100,000 images" in pages.unwrapped(pages.RESULTS)


def test_the_targets_were_met(rows):
    values = measured_values(rows)
    assert int(values["slices"]) >= 5000
    assert float(values["v7 ÷ the source's script"]) >= 2
    memory_mb = float(values["memory at most"])
    memory_of_fewer_mb = float(values["memory at most, fewer"])
    assert memory_mb < 1500
    # More images need no more memory
    assert abs(memory_mb / memory_of_fewer_mb - 1) < 0.1


def test_the_docs_say_if_v7_misses_its_share_of_the_slowest_part(rows):
    share = float(measured_values(rows)["v7 ÷ the slowest of these"])
    sentence = f"v7 reached {share:.2f} of the rate of the slowest part, less than the 0.60 wanted"
    is_told = sentence in pages.unwrapped(pages.RESULTS)
    assert is_told == (share < 0.6)


@pytest.mark.full
def test_the_program_writes_such_a_table(rows, tmp_path):
    program = pages.HOUSE / "benchmarks" / "bench_batch.py"
    small = ["--slices", "24", "--few", "8", "--rounds", "1"]
    output = tmp_path / "batch.csv"
    command = [sys.executable, program, *small, "--folder", tmp_path, "-o", output]
    subprocess.run(command, check=True, capture_output=True)
    written = measurements_of(output)
    assert column(written, "what") == column(rows, "what")
    assert column(written, "unit") == column(rows, "unit")
    assert [path.name for path in tmp_path.iterdir()] == ["batch.csv"]


# --- how it measures -----------------------------------------------------------------------------


class InterruptedRun:
    """A run of this process's number, during which the user presses Ctrl-C."""

    pid = os.getpid()

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def wait(self):
        raise KeyboardInterrupt


def test_a_watched_run_that_is_interrupted_leaves_no_thread(monkeypatch):
    """Python waits for its threads, so one that is left keeps it from ending."""
    before = threading.active_count()
    monkeypatch.setattr(subprocess, "Popen", InterruptedRun)
    with pytest.raises(KeyboardInterrupt):
        bench_batch.watched(["batch"])
    assert threading.active_count() == before


def test_memory_is_in_megabytes():
    this_process = [psutil.Process(os.getpid())]
    before_mb = bench_batch.memory_mb(this_process)
    block = np.ones(300_000_000, np.uint8)
    grown_mb = bench_batch.memory_mb(this_process) - before_mb
    assert grown_mb == pytest.approx(block.nbytes / 1e6, rel=0.01)
