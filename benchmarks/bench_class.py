"""A class on one machine: every student runs lesson 04 in a kernel and then moves its slider.

One kernel starts alone; then all others start together, as at the beginning of a class. Each runs
the lesson's cells up to the explorer. Then one after another moves the slider of the width.
Browsers and the network are left out: a move ends when its new picture has left the kernel. Memory
is measured after the moves. The table goes to data/class.csv.
"""

import argparse
import datetime
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cv2
import jupyter_client
import nbformat
import numpy as np
import psutil
import scripts

from skullmask_lib import surroundings
from skullmask_lib.project import project_folder
from skullmask_lib.reports import notebooks
from skullmask_lib.tables import markdown

OUTPUT = Path(__file__).resolve().parents[1] / "data" / "class.csv"
HEADER = ("what", "value", "unit", "note")
LESSON = "04_v5_edge_components"
SLIDER = "dilation_size"
PATIENCE_S = 900
# Names the explorer that the last cell has shown
NAME_IT = "explorer = Out[max(Out)]"
MEGABYTE = 2**20
GIGABYTE = 2**30


class Memory(NamedTuple):
    """What is a kernel's own, and that with its share of what kernels have in common [bytes]."""

    own: int
    share: int


class Student:
    """A kernel, and what it is asked to do."""

    def __init__(self, stack: ExitStack):
        self.manager = jupyter_client.KernelManager(kernel_name="python3")
        self.manager.start_kernel(
            env=surroundings.for_kernels(),
            cwd=project_folder("notebooks"),
            stderr=subprocess.DEVNULL,
        )
        stack.callback(self.manager.shutdown_kernel, now=True)
        self.client = self.manager.client()
        self.client.start_channels()
        stack.callback(self.client.stop_channels)

    def ask(self, codes: Iterable[str]) -> None:
        """Let the kernel run cells, without waiting for them."""
        self.waiting = [self.client.execute(code) for code in codes]

    def wait(self) -> None:
        """Wait until the kernel has run all cells that it was asked to."""
        waiting = set(self.waiting)
        while waiting:
            reply = self.client.get_shell_msg(timeout=PATIENCE_S)
            request = reply["parent_header"]["msg_id"]
            if request not in waiting:  # a kernel that was slow to start was asked who it is often
                continue
            waiting.remove(request)
            if reply["content"]["status"] != "ok":
                sys.exit(f"{LESSON}: a cell failed with {reply['content']['evalue']}")

    def move(self, width_px: int) -> float:
        """Move the slider; return how long the kernel took [ms]."""
        start = time.perf_counter()
        self.ask([f"explorer.controls[{SLIDER!r}].value = {width_px}"])
        self.wait()
        return 1000 * (time.perf_counter() - start)

    def memory(self) -> Memory:
        """Measure the memory of the kernel."""
        used = psutil.Process(self.manager.provisioner.pid).memory_full_info()
        return Memory(used.uss, used.pss)


def lesson_up_to_the_explorer() -> list[str]:
    """List the code of a lesson's cells, the one that shows the explorer last."""
    codes = []
    for cell in nbformat.read(notebooks.find(LESSON), as_version=4).cells:
        if cell.cell_type == "code":
            codes.append(cell.source)
            if "explore.sliders(" in cell.source:
                break
    return codes


def measure(count: int, moves: int) -> list[tuple]:
    codes = [*lesson_up_to_the_explorer(), NAME_IT]
    load, _, _ = os.getloadavg()
    with ExitStack() as stack:
        start = time.perf_counter()
        alone = Student(stack)
        alone.client.wait_for_ready(timeout=PATIENCE_S)
        alone.ask(codes)
        alone.wait()
        alone_s = time.perf_counter() - start

        start = time.perf_counter()
        students = [Student(stack) for _ in range(count - 1)]
        for student in students:
            student.client.wait_for_ready(timeout=PATIENCE_S)
            student.ask(codes)
        for student in students:
            student.wait()
        together_s = time.perf_counter() - start

        students.append(alone)
        moves_ms = []
        for move in range(moves):
            for student in students:
                moves_ms.append(student.move(20 + move))
        memories = [student.memory() for student in students]
        own = np.array([memory.own for memory in memories])
        shares = np.array([memory.share for memory in memories])
    memory_gb = psutil.virtual_memory().total / GIGABYTE
    machine = f"{os.cpu_count()} cores, {memory_gb:.0f} GB"
    software = f"Python {platform.python_version()}, OpenCV {cv2.__version__}"
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    late_ms = np.percentile(moves_ms, 95)
    note = f"{len(moves_ms)} moves, one student after another"
    lesson = f"lesson {LESSON[:2]} up to its explorer"
    return [
        ("machine", machine, "", software),
        ("date", today, "", ""),
        ("busy before", f"{load:.1f}", "processes", "other work on the machine; 0 is idle"),
        ("kernels", count, "", lesson),
        ("first picture, one student", f"{alone_s:.0f}", "s", "start of the kernel included"),
        ("first picture, all together", f"{together_s:.0f}", "s", "the last of the others"),
        ("a move", f"{median(moves_ms):.0f}", "ms", note),
        ("a move, 95 % within", f"{late_ms:.0f}", "ms", ""),
        ("memory of one kernel", f"{own.mean() / MEGABYTE:.0f}", "MB", "its own, on average"),
        ("memory of all kernels", f"{shares.sum() / GIGABYTE:.1f}", "GB", "shared pages once"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernels", type=scripts.count, default=30, help="students (default: 30)")
    parser.add_argument(
        "--moves", type=scripts.count, default=3, help="of every student (default: 3)"
    )
    parser.add_argument("-o", "--output", type=Path, default=OUTPUT, help="the CSV")
    options = parser.parse_args()
    scripts.check_output(options.output)
    rows = measure(options.kernels, options.moves)
    print(markdown(rows, HEADER).data)
    named_rows = [dict(zip(HEADER, row, strict=True)) for row in rows]
    scripts.write(options.output, HEADER, named_rows)


if __name__ == "__main__":
    scripts.run(main)
