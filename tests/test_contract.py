"""Which module may import which: the contract in pyproject.toml, kept and not empty."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import skullmask_lib as sm

LIBRARY = Path(sm.__file__).parent
PYPROJECT = LIBRARY.parent / "pyproject.toml"
COMMAND = "from importlinter.cli import lint_imports_command; lint_imports_command()"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """Give a copy of the library whose imports can be spoilt."""
    shutil.copytree(LIBRARY, tmp_path / LIBRARY.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PYPROJECT, tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / LIBRARY.name


def broken_contracts(copy):
    """Name the contracts that the imports of a copy break."""
    command = [sys.executable, "-c", COMMAND, "--no-cache"]
    run = subprocess.run(command, cwd=copy.parent, capture_output=True, text=True, check=False)
    assert "Contracts: " in run.stdout, run.stdout + run.stderr
    broken = []
    for line in run.stdout.splitlines():
        name, is_broken, _ = line.partition(" BROKEN")  # may be followed by a count of imports
        if is_broken:
            broken.append(name)
    assert (run.returncode == 0) == (not broken)
    return broken


BREACHES = [
    ("polar/paths.py", "from .. import versions", "Imports go one way"),
    ("polar/costs.py", "from . import paths", "The primitives of v8"),
    ("io/datasets.py", "from .. import plots", "Imports go one way"),
    ("volumes/stripping.py", "from ..batches import chunks", "Imports go one way"),
    ("errors.py", "import cv2", "Errors are cheap to import"),
    ("project.py", "import papermill", "Errors are cheap to import"),
    ("texts.py", "import typer", "Errors are cheap to import"),
    ("views.py", "import ipywidgets", "Sliders and their server"),
    ("masks.py", "import voila.app", "Sliders and their server"),
    ("cli/options.py", "import ipywidgets", "Sliders and their server"),
    ("explore/server.py", "import papermill", "Notebooks are run"),
    ("tables.py", "from nbconvert import HTMLExporter", "Notebooks are run"),
    ("batches/chunks.py", "from .. import plots", "A worker that masks slices"),
    ("learned.py", "import torch", "Torch is in deep"),
    ("reports/grids.py", "import typer", "The command line alone"),
    ("sweeps.py", "import typer", "The command line alone"),
]


def test_the_contract_is_kept(copy):
    assert broken_contracts(copy) == []


@pytest.mark.parametrize(("module", "statement", "contract"), BREACHES)
def test_a_forbidden_import_breaks_the_contract(copy, module, statement, contract):
    file = copy / module
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{statement}\n", encoding="utf-8")
    assert any(name.startswith(contract) for name in broken_contracts(copy))


def test_each_contract_is_broken_on_purpose():
    tools = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]
    for contract in tools["importlinter"]["contracts"]:
        breaches = [start for _, _, start in BREACHES if contract["name"].startswith(start)]
        assert breaches, contract["name"]


def test_a_new_module_needs_a_floor(copy):
    (copy / "newcomer.py").write_text("", encoding="utf-8")
    [broken] = broken_contracts(copy)
    assert broken.startswith("Imports go one way")


def test_no_contract_misses_a_new_module(copy):
    (copy / "newcomer.py").write_text(
        "import ipywidgets, papermill, torch, typer\n", encoding="utf-8"
    )
    starts = ("Imports go", "Sliders and", "Notebooks are", "Torch is in", "The command line alone")
    broken = broken_contracts(copy)
    assert len(broken) == len(starts)
    for name, start in zip(broken, starts, strict=True):
        assert name.startswith(start)
