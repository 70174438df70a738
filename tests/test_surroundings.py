"""Terminals of any encoding, containers without a home, any settings of matplotlib: nothing stops, nothing differs."""

import io
import itertools
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import browser
import matplotlib as mpl
import nibabel as nib
import numpy as np
import pytest
import strangers
import typer
from commands import SKULLMASK
from inputs import ring_head
from reporting import outputs_of, write_notebook

import skullmask_lib as sm
from skullmask_lib import plots, surroundings, views
from skullmask_lib.cli import data_commands, main

ENCODINGS = ("ascii", "latin-1", "cp437", "cp1252", "utf-8")
NAMES = ("ü", "中", "a\udcff")
COMMANDS = sorted(typer.main.get_command(main.app).commands)
COMMANDS += [f"data {name}" for name in typer.main.get_command(data_commands.group).commands]
HOUSE = Path(sm.__file__).parents[1]


def save(path, array):
    with open(path, "wb") as file:  # np.save does not take every name
        np.save(file, array)


@pytest.fixture
def inputs(folder):
    image, truth = ring_head((110, 95), (2, 2))
    volume = np.stack([image] * 3, axis=2).astype(np.float32)
    for name in NAMES:
        save(f"{name}.npy", np.stack([image, 0 * image]))
        save(f"{name}_truth.npy", np.stack([truth, truth]))
        nib.save(nib.Nifti1Image(volume, np.diag([2, 2, 3, 1])), "volume.nii.gz")
        os.rename("volume.nii.gz", f"{name}.nii.gz")
    return folder


def runs_with(name):
    """Give one run of each command that takes a file, on files of a name."""
    images, truth = f"{name}.npy", f"{name}_truth.npy"
    return {
        "mask": ("mask", images, "-o", f"{name}_mask.npy", "--truth", truth),
        "score": ("score", truth, truth),
        "score --json": ("score", truth, truth, "--json"),
        "sweep": (
            "sweep",
            images,
            truth,
            "--sizes",
            "5",
            "-o",
            f"{name}.csv",
            "--plot",
            f"{name}.png",
        ),
        "batch": (
            "batch",
            images,
            f"{name}_batch.npy",
            "--backend",
            "serial",
            "--truth",
            truth,
            "--version",
            "v7",
        ),
        "strip": ("strip", f"{name}.nii.gz", f"{name}_stripped"),
        "brain-mask": ("brain-mask", f"{name}.nii.gz", f"{name}_brain", "--threshold", "0.5", "2"),
        "explore": ("explore", f"no_{name}.npy"),
        "report": ("report", f"no_{name}.npy", "-o", "report"),
        "data list": ("data", "list"),
        "data fetch": ("data", "fetch", name),
    }


@pytest.fixture
def printing(monkeypatch):
    """Give a function that runs the command line with output of an encoding, as PYTHONIOENCODING would set it."""

    def run(encoding, *arguments):
        streams = []
        for name in ("stdout", "stderr"):
            streams.append(io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict"))
            monkeypatch.setattr(sys, name, streams[-1])
        monkeypatch.setattr(sys, "argv", ["skullmask", *arguments])
        with pytest.raises(SystemExit) as stop:
            main.main()
        out, err = (
            stream.buffer.getvalue().decode(encoding)
            for stream in streams
            if stream.flush() is None
        )
        return stop.value.code or 0, out, err

    return run


@pytest.mark.parametrize("run", runs_with(""))
@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.usefixtures("inputs")
def test_any_name_can_be_said_in_any_encoding(printing, name, run):
    for encoding in ENCODINGS:
        code, out, err = printing(encoding, *runs_with(name)[run])
        assert code in (0, 2)
        assert out or err
        assert "Traceback" not in err


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_ascii_and_not_cut_short(printing, monkeypatch, command):
    """Click writes to an ASCII terminal as if it were UTF-8."""
    monkeypatch.setenv("COLUMNS", "80")
    code, out, err = printing("ascii", *command.split(), "--help")
    assert (code, err) == (0, "")
    assert "..." not in out.partition("Commands:")[2]


def test_tables_are_utf_8_whatever_the_terminal_is(printing, inputs):
    assert printing("cp437", *runs_with("a\udcff")["sweep"])[0] == 0
    assert "a\\xff.npy[0],5," in (inputs / "a\udcff.csv").read_text(encoding="utf-8")


def process(*arguments, **environment):
    command = [*SKULLMASK, *arguments]
    environment = os.environ | {"PYTHONPATH": str(HOUSE)} | environment
    return subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)


OTHER_RUNS = [run for run in runs_with("") if run not in ("mask", "data list", "data fetch")]


def processes():
    """Combine one command with every encoding and name, and every other command with one of each.

    Above, within one process, every command meets every encoding and name.
    """
    runs = [("mask", encoding, name) for name in NAMES[::-1] for encoding in ENCODINGS]
    runs += zip(OTHER_RUNS, itertools.cycle(ENCODINGS), itertools.cycle(NAMES), strict=False)
    for number, (run, encoding, name) in enumerate(runs):
        marks = pytest.mark.full if number else ()
        yield pytest.param(run, encoding, name, marks=marks, id=f"{run}-{encoding}-{name!a}")


@pytest.mark.parametrize(("run", "encoding", "name"), list(processes()))
@pytest.mark.usefixtures("inputs")
def test_a_process_says_any_name(run, encoding, name):
    done = process(*runs_with(name)[run], PYTHONIOENCODING=encoding)
    assert done.returncode in (0, 2), done.stderr
    assert b"Traceback" not in done.stderr
    done.stdout.decode(encoding)
    done.stderr.decode(encoding)


@pytest.mark.full
@pytest.mark.parametrize(
    ("encoding", "name"),
    list(zip(itertools.cycle(ENCODINGS), NAMES + NAMES, strict=False)),
    ids=ascii,
)
@pytest.mark.usefixtures("inputs")
def test_a_process_reports_on_any_name(encoding, name):
    arguments = ("report", f"{name}.npy", "--truth", f"{name}_truth.npy", "-o", "out")
    done = process(*arguments, "-p", "overlay_count=1", "-p", "sizes=5", PYTHONIOENCODING=encoding)
    assert b"Traceback" not in done.stderr
    assert done.returncode == (2 if "\udcff" in name else 0), done.stderr
    if done.returncode == 0:
        page = Path("out/report.html").read_text(encoding="utf-8")
        assert f"{name}.npy" in page
        assert "Warning" not in page


# --- without a home ------------------------------------------------------------------------------------------------


@pytest.fixture
def homeless(tmp_path):
    """Give the environment of processes that know neither a home nor the user."""
    return strangers.homeless(tmp_path)


@pytest.mark.usefixtures("inputs")
def test_masks_are_made_without_a_home(homeless):
    done = process("mask", "ü.npy", "-o", "m.npy", **homeless)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.full
@pytest.mark.usefixtures("inputs")
def test_reports_are_made_without_a_home(homeless):
    write_notebook("own.ipynb", "import matplotlib.pyplot as plt\nplt.plot([0, 1])")
    done = process("report", "ü.npy", "-o", "out", "--notebook", "own.ipynb", **homeless)
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr
    assert "image/png" in Path("out/report.ipynb").read_text(encoding="utf-8")


def test_caches_go_elsewhere_where_the_home_cannot_be_written(monkeypatch, tmp_path):
    caches = list(surroundings._CACHES)
    removed = []
    monkeypatch.setattr(
        surroundings.atexit, "register", lambda _, folder, **__: removed.append(folder)
    )
    monkeypatch.setattr(surroundings.os, "access", lambda *_: False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in caches:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IPYTHONDIR", "mine")
    surroundings._find_home()
    try:
        [folder] = removed
        assert os.environ["HOME"] == str(tmp_path)
        assert os.environ["IPYTHONDIR"] == "mine"
        assert os.environ["JUPYTER_RUNTIME_DIR"].startswith(folder)
        assert os.environ["MPLCONFIGDIR"].startswith(folder)
    finally:
        for name in caches:
            monkeypatch.delenv(name, raising=False)
        shutil.rmtree(folder)


def test_a_home_that_can_be_written_is_left_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    before = dict(os.environ)
    surroundings._find_home()
    assert dict(os.environ) == before


@pytest.fixture
def stranger(tmp_path):
    """Give a folder, and a function that starts a command there as a user whom nobody knows."""
    with strangers.stranger(tmp_path) as (folder, start):
        yield folder, start


@pytest.mark.full
@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "phantom", "-o", "out", "-p", "sizes=26", "-p", "overlay_count=1"),
        ("batch", "a.npy", "m.npy", "--version", "v7"),
        ("sweep", "phantom", "--sizes", "26", "--plot", "curve.png"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_stranger_in_a_container_can_work(stranger, arguments):
    """A stranger also runs the demo, in test_wheel."""
    folder, start = stranger
    np.save(folder / "a.npy", sm.load("phantom").images[:, ::4, ::4])
    with start(*arguments) as run:
        out, err = strangers.ended(run)
    assert run.returncode == 0, err
    assert "Traceback" not in out + err
    assert not list(folder.glob("skullmask-home-*"))


@pytest.mark.full
def test_a_stranger_in_a_container_can_explore(stranger):
    folder, start = stranger
    with start("explore", "--port", "0") as server:
        try:
            address = server.stdout.readline().split()[-1]
            page = urllib.request.urlopen(address, timeout=60).read()
        finally:
            server.send_signal(browser.signal.SIGINT)
            _, err = server.communicate(timeout=30)
    assert b"jupyter-widgets" in page
    assert "Traceback" not in err
    assert not list(folder.glob("skullmask-home-*"))


# --- settings of the user --------------------------------------------------------------------------------------------

WILD = """
text.usetex: True
font.size: 30
font.family: serif
lines.linewidth: 9
lines.marker: x
axes.facecolor: red
axes.grid: True
axes.titlesize: 40
axes.prop_cycle: cycler('color', ['lime'])
axes.xmargin: 0.4
figure.dpi: 300
figure.facecolor: black
figure.constrained_layout.use: False
image.origin: lower
image.aspect: auto
legend.loc: upper left
legend.fontsize: 40
patch.linewidth: 9
xtick.major.size: 20
xtick.direction: in
"""
PICTURES = """
import hashlib, sys
import numpy as np
import skullmask_lib as sm
from skullmask_lib import plots, views
from skullmask_lib.reports import comparison
from skullmask_lib.sweeps import Rung, Sweep
data = sm.load("phantom", slices=slice(0, 2))
scores = np.array([[0.8, 0.9, 0.8]])
runs = {"a": {"width": 1}, "b": {"width": 2}}
made = {view.__name__: view(data) for view in (views.largest_component, views.frame_rule, views.width, views.boundary)}
made["sweep"] = plots.sweep_picture(Sweep(np.array([24, 26, 28]), scores, scores))
made["ladder"] = plots.ladder_picture([Rung("v1", 0.73, 0.7309, 0.0009, 0.7349, "by construction")])
made["classes"] = plots.class_picture({"no tumour": 2556, "tumour": 1373})
made["planes"] = plots.three_planes(np.ones((4, 5, 6)), np.eye(4), mask=np.ones((4, 5, 6)))
made["grid"] = comparison.chart(runs, {"a": {"iou": 0.5}, "b": {"iou": 0.6}}, "iou")
fig, axes = plots.figure(2)
plots.compare(plots.show(axes[0], data.images[0], "a slice"), data.images[0], data.truth[0], data.truth[1], "_x_^2")
plots.histogram(axes[1], np.arange(256, dtype=np.uint8)[None], {"Otsu": 23})
plots.key(fig)
made["axes"] = plots.picture(fig, "axes")
for name, picture in made.items():
    print(name, hashlib.sha256(picture.pixels.tobytes()).hexdigest())
"""


@pytest.fixture
def wild(tmp_path):
    (tmp_path / "wild").write_text(WILD, encoding="utf-8")
    return {"MATPLOTLIBRC": str(tmp_path / "wild")}


@pytest.mark.full
def test_no_setting_of_matplotlib_changes_a_picture(wild):
    """With usetex and no LaTeX every text would be an error."""
    told = []
    for settings in ({}, wild):
        environment = os.environ | {"PYTHONPATH": str(HOUSE)} | settings
        done = subprocess.run(
            [sys.executable, "-c", PICTURES],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told.append(done.stdout)
    assert told[0].count("\n") == 10
    assert told[0] == told[1]


def test_a_look_ends():
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 33}):
        plots.histogram(plots.figure()[1][0], np.eye(9, dtype=np.uint8))
        assert mpl.rcParams["font.size"] == 33
    assert dict(mpl.rcParams) == before


@pytest.mark.full
def test_odd_settings_stop_nothing(folder):
    np.save("a.npy", ring_head((110, 95), (2, 2))[0])
    np.save("t.npy", ring_head((110, 95), (2, 2))[1])
    for arguments in (
        ("mask", "--help"),
        ("sweep", "a.npy", "t.npy", "--sizes", "5", "--plot", "p.png"),
    ):
        done = process(*arguments, MPLBACKEND="nonsense", PYTHONOPTIMIZE="2")
        assert (done.returncode, done.stderr) == (0, b""), arguments
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("place", [".", "settings"])
def test_settings_of_matplotlib_that_are_no_text_stop_nothing(folder, place):
    Path("settings").mkdir()
    Path(place, "matplotlibrc").write_bytes(b"# Gr\xf6\xdfe\n")
    np.save("t.npy", ring_head((110, 95), (2, 2))[1])
    for arguments in (("score", "t.npy", "t.npy"), ("data", "list")):
        done = process(*arguments, MPLCONFIGDIR=str(folder / "settings"))
        assert (done.returncode, done.stderr) == (0, b""), arguments


def test_the_defaults_of_matplotlib_are_where_it_looks_for_them():
    assert surroundings._matplotlibrc() == Path(mpl.get_data_path(), "matplotlibrc")
    assert surroundings._matplotlibrc().is_file()


@pytest.mark.full
def test_a_report_looks_the_same_whatever_the_settings_are(folder, wild):
    np.save("a.npy", ring_head((110, 95), (2, 2))[0])
    np.save("t.npy", ring_head((110, 95), (2, 2))[1])
    pictures = []
    for settings in ({}, wild | {"MPLBACKEND": "nonsense", "PYTHONOPTIMIZE": "2"}):
        done = process(
            "report", "a.npy", "--truth", "t.npy", "-o", "out", "-p", "sizes=5:9", **settings
        )
        # One in the working folder comes before all
        (folder / "matplotlibrc").write_text(WILD, encoding="utf-8")
        assert (done.returncode, done.stderr) == (0, b"")
        shown = [output.get("data", {}) for output in outputs_of("out/report.ipynb")]
        pictures.append([data["image/png"] for data in shown if "image/png" in data])
    assert len(pictures[0]) == 4
    assert pictures[0] == pictures[1]


def test_views_draw_within_a_wild_context():
    base = views.width(sm.load("phantom"))
    with mpl.rc_context({"font.size": 30, "text.usetex": True}):
        np.testing.assert_array_equal(
            views.width(sm.load("phantom"), opacity=0.65).pixels, base.pixels
        )
