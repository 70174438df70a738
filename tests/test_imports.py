"""What importing the library loads, in an interpreter of its own: names come when they are used."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import skullmask_lib as sm

LIBRARY = Path(sm.__file__).parent
DRAWING = {"matplotlib"}
NOTEBOOKS = {"IPython", "ipywidgets", "jupyterlab", "nbconvert", "papermill"}
COMPUTING = {"cv2", "scipy"}
LIST_MODULES = """
import json, sys
{code}
print(json.dumps(sorted(name.partition(".")[0] for name in sys.modules)))
"""
SHOW = """
from skullmask_lib.cli.main import main
sys.argv = ["skullmask", {argument!r}]
try:
    main()
except SystemExit as ended:
    assert not ended.code
"""
WITHOUT_TORCH = """
import skullmask_lib as sm
from skullmask_lib import deep, errors
data = sm.load("phantom")
assert sm.v8(data.images[0], spacing_mm=data.spacing_mm[0]).any()
try:
    from skullmask_lib.deep import networks
except errors.InputError as error:
    print(error)
import sys
from skullmask_lib.cli import main, networks
sys.argv = ["deep", "train", "phantom", "-o", "run"]
try:
    main.main(networks.app)
except SystemExit as ended:
    assert ended.code == 2
"""


def in_fresh_interpreter(code, folder):
    environment = os.environ | {"PYTHONPATH": str(LIBRARY.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def packages_loaded_by(code, folder):
    """Return the top-level packages in ``sys.modules`` after the code ran."""
    printed = in_fresh_interpreter(LIST_MODULES.format(code=code), folder)
    return set(json.loads(printed.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        "import skullmask_lib",
        "import skullmask_lib.errors",
        SHOW.format(argument="--help"),
        SHOW.format(argument="--version"),
    ],
    ids=["the library", "errors", "--help", "--version"],
)
def test_what_computes_nothing_loads_nothing_heavy(tmp_path, code):
    loaded = packages_loaded_by(code, tmp_path)
    assert "skullmask_lib" in loaded
    assert loaded & (COMPUTING | DRAWING | NOTEBOOKS) == set()


def test_without_torch_all_works_but_networks_which_name_the_extra(tmp_path):
    hides = "raise ModuleNotFoundError('hides a torch that is installed')"
    (tmp_path / "torch.py").write_text(hides)
    printed = in_fresh_interpreter(WITHOUT_TORCH, tmp_path)
    [line] = printed.splitlines()
    assert line.endswith('needs torch: pip install "skullmask[deep]"')


def test_a_worker_of_a_batch_loads_neither_notebooks_nor_drawing(tmp_path):
    loaded = packages_loaded_by("import skullmask_lib.batches.chunks", tmp_path)
    assert "cv2" in loaded
    assert loaded & (DRAWING | NOTEBOOKS) == set()


def test_completion_of_names_loads_nothing_heavy(tmp_path):
    command = [sys.executable, "-X", "importtime", "-m", "skullmask_lib.cli"]
    asking = {
        "_SKULLMASK_COMPLETE": "complete_bash",
        "COMP_WORDS": "skullmask s",
        "COMP_CWORD": "1",
    }
    environment = os.environ | asking | {"PYTHONPATH": str(LIBRARY.parent)}
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert set(done.stdout.split()) == {"score", "sweep", "strip"}
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert imported & (COMPUTING | DRAWING | NOTEBOOKS) == set()


def test_every_public_name_can_be_imported(tmp_path):
    lines = [f"from skullmask_lib import {name}; {name}" for name in sm.__all__]
    in_fresh_interpreter("\n".join(lines), tmp_path)
    assert {*sm.__all__, "__version__", "masks"} <= {*dir(sm)}


def test_a_star_import_binds_no_module():
    modules = [name for name in sm.__all__ if isinstance(getattr(sm, name), types.ModuleType)]
    assert modules == []


def test_no_public_name_hides_a_module():
    modules = {file.stem for file in LIBRARY.rglob("*.py")}
    rooms = {folder.name for folder in LIBRARY.iterdir() if folder.is_dir()}
    hidden = [
        name
        for name in sm.__all__
        if name in modules | rooms and getattr(sm, name).__name__ != f"skullmask_lib.{name}"
    ]
    assert hidden == []
