"""A grid of twelve reports on the phantom, one after another and two at a time, in one run.

A single report comes first, so that neither way pays for what is read from disk but once.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from skullmask_lib.tables import markdown

WANTED = 0.65  # of the time that one after another takes
ONE_REPORT = ("--grid", "version=v5")
GRID = ("--grid", "dilation_size=16:36:4", "--grid", "version=v5,v7")


def seconds(grid: Sequence[str], jobs: int) -> float:
    """Time a grid of reports."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "skullmask_lib.cli",
            "report",
            "phantom",
            "-o",
            f"{folder}/out",
            *grid,
        ]
        started = time.perf_counter()
        subprocess.run([*command, "--jobs", str(jobs)], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    seconds(ONE_REPORT, 1)
    one_by_one_s = seconds(GRID, 1)
    by_two_s = seconds(GRID, 2)
    ratio = by_two_s / one_by_one_s
    print(f"{os.cpu_count()} cores, 12 reports\n")
    rows = [(1, one_by_one_s, 1.0), (2, by_two_s, ratio)]
    print(markdown(rows, ("jobs", "seconds", "ratio")).data)
    print(f"\nwanted: a ratio of at most {WANTED}")
    sys.exit(ratio > WANTED)


if __name__ == "__main__":
    main()
