"""Which module may import which: the contract in pyproject.toml, kept and not empty."""

import shutil
import subprocess
import sys
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
    broken = [
        line.removesuffix(" BROKEN") for line in run.stdout.splitlines() if line.endswith(" BROKEN")
    ]
    assert (run.returncode == 0) == (not broken)
    return broken


def test_the_contract_is_kept(copy):
    assert broken_contracts(copy) == []


@pytest.mark.parametrize(
    ("module", "statement", "contract"),
    [
        ("polar.py", "from . import versions", "Imports go one way"),
        ("io/datasets.py", "from .. import plots", "Imports go one way"),
        ("volumes/stripping.py", "from ..batches import chunks", "Imports go one way"),
        ("errors.py", "import cv2", "Errors are cheap to import"),
        ("views.py", "import ipywidgets", "Sliders and their server"),
        ("explore/server.py", "import papermill", "Notebooks are run"),
        ("batches/chunks.py", "from .. import plots", "A worker that masks slices"),
        ("reports/grids.py", "import typer", "The command line alone"),
    ],
)
def test_a_forbidden_import_breaks_the_contract(copy, module, statement, contract):
    file = copy / module
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{statement}\n", encoding="utf-8")
    assert any(name.startswith(contract) for name in broken_contracts(copy))
