"""Options, the real heads, and a header that says what the tests ran on."""

import contextlib
import importlib.util
import os
import re
import signal
import subprocess
import sys
import uuid
from functools import partial
from pathlib import Path

import cv2
import hypothesis
import numpy as np
import psutil
import pytest

from skullmask_lib.cli import main

REAL = "SKULLMASK_REAL"
LATER = "needs make test-full"
HOUSE = Path(__file__).parents[1]
NEED_TORCH = (HOUSE / "skullmask_lib" / "deep", HOUSE / "tests" / "deep")
# Volumes and many images take minutes, and networks need torch
LONG_LESSONS = ("11_", "12_", "20_", "3")
LONG_EXERCISES = re.compile(r"\[(11|12|3\d)(\.\d)?[] ]")  # in the name of a test

sys.path.insert(0, str(Path(__file__).parent))  # the tests share plain.py and inputs.py
sys.path.insert(1, str(Path(__file__).parents[1] / "benchmarks"))
hypothesis.settings.register_profile("skullmask", deadline=None, derandomize=True)
hypothesis.settings.load_profile("skullmask")


def pytest_addoption(parser):
    parser.addoption(
        "--full", action="store_true", help="also run what needs a browser, a build or minutes"
    )
    parser.addoption("--rest", action="store_true", help="run only what --full adds")
    parser.addoption(
        "--no-excuse",
        action="store_true",
        help="a test that skips has failed, but for missing data",
    )
    parser.addoption(
        "--opencv", type=int, metavar="MAJOR", help="refuse to run on another OpenCV than this"
    )


def pytest_configure(config):
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell has its background ignore Ctrl-C
    wanted, found = config.getoption("--opencv"), int(cv2.__version__.split(".")[0])
    if wanted not in (None, found):
        raise pytest.UsageError(
            f"--opencv {wanted}: cv2 is {cv2.__version__} here, of {cv2.__file__}"
        )
    is_full = config.getoption("--full") or config.getoption("--rest")
    if not is_full and importlib.util.find_spec("torch") is None:
        config.option.ignore = [*(config.option.ignore or []), *map(str, NEED_TORCH)]


def pytest_report_header():
    real = os.environ.get(REAL, "not set")
    return f"skullmask: OpenCV {cv2.__version__}, numpy {np.__version__}, {REAL} {real}"


def _is_long(notebook):
    """Tell whether a notebook takes minutes, or holds answers, which quick tests run without a kernel."""
    return notebook.name.startswith(LONG_LESSONS) or notebook.parent.name == "solutions"


def pytest_collection_modifyitems(config, items):
    for item in items:
        is_long = item.path.suffix == ".ipynb" and _is_long(item.path)
        if item.path.parent.name == "exercises":
            is_long = LONG_EXERCISES.search(item.name) is not None
        if is_long or any(map(item.path.is_relative_to, NEED_TORCH)):
            item.add_marker(pytest.mark.full)
    rest = [item for item in items if item.get_closest_marker("full")]
    if config.getoption("--rest"):
        config.hook.pytest_deselected(items=[item for item in items if item not in rest])
        items[:] = rest
    elif not config.getoption("--full"):
        for item in rest:
            item.add_marker(pytest.mark.skip(reason=LATER))


def no_excuse(report):
    """A test that skips has failed, unless data is missing or it runs with make test-full."""
    reason = report.longrepr[2] if report.skipped and isinstance(report.longrepr, tuple) else REAL
    if REAL not in reason and LATER not in reason and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} may not skip: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):  # noqa: ARG001
    report = yield
    return no_excuse(report) if item.config.getoption("--no-excuse") else report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    return no_excuse(report) if collector.config.getoption("--no-excuse") else report


@pytest.fixture(scope="session")
def real():
    """Give the folder of real heads, which is never part of the repository."""
    if REAL not in os.environ:
        pytest.skip(f"{REAL} is not set: it names the folder of real heads")
    folder = Path(os.environ[REAL])
    assert folder.is_dir(), f"{REAL} names {folder}, which is no folder"
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Work in an empty folder, so that files go by short names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command_line(capfd, monkeypatch):
    """Give a function that runs a program in this process; it returns exit code, output and error lines."""

    def run(program, *arguments):
        monkeypatch.setattr(sys, "argv", ["skullmask", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            program()
        printed = capfd.readouterr()
        return stop.value.code or 0, printed.out, printed.err.splitlines()

    return run


@pytest.fixture
def skullmask(folder, command_line):  # noqa: ARG001
    """Give a function that runs skullmask in the folder, see `command_line`."""
    return partial(command_line, main.main)


class Runs:
    """Starts processes that are known by a mark in their environment, and so are those that they start."""

    def __init__(self):
        self.mark = {"SKULLMASK_TEST": uuid.uuid4().hex}

    def start(self, *command, **environment):
        command = [str(part) for part in command]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(
            command, env=os.environ | self.mark | environment, start_new_session=True, **pipes
        )

    def alive(self, part="", parent=None):
        """Give the processes that are left, or those whose command has a part and who have a parent."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                mine = (
                    process.environ().items() >= self.mark.items()
                    and process.status() != psutil.STATUS_ZOMBIE
                )
                if (
                    mine
                    and part in " ".join(process.cmdline())
                    and parent in (None, process.ppid())
                ):
                    found.append(process)
        return found

    def workers(self, run):
        """Give the processes that make masks."""
        return self.alive("spawn_main", run.pid)


@pytest.fixture
def runs():
    """Start processes, and see to it that none of them is left."""
    made = Runs()
    yield made
    for process in made.alive():
        with contextlib.suppress(psutil.Error):
            process.kill()
