"""A grid of twelve reports on the phantom, one after another and two at a time, in one run."""

import argparse
import os
import subprocess
import sys
import tempfile
import time

from skullmask_lib.tables import markdown

WANTED = 0.65  # of the time that one after another takes
GRID = ("--grid", "dilation_size=16:36:4", "--grid", "version=v5,v7")


def seconds(jobs: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "skullmask_lib.cli",
            "report",
            "phantom",
            "-o",
            f"{folder}/out",
            *GRID,
        ]
        started = time.perf_counter()
        subprocess.run([*command, "--jobs", str(jobs)], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    taken = {jobs: seconds(jobs) for jobs in (1, 2)}
    print(f"{os.cpu_count()} cores, 12 reports\n")
    print(
        markdown(
            [(jobs, taken[jobs], taken[jobs] / taken[1]) for jobs in taken],
            ("jobs", "seconds", "ratio"),
        ).data
    )
    print(f"\nwanted: a ratio of at most {WANTED}")
    sys.exit(taken[2] > WANTED * taken[1])


if __name__ == "__main__":
    main()
