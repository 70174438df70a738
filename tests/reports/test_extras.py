"""A lesson that needs an extra says so before it does anything else."""

import os
import subprocess
import sys

import nbformat
import pytest

from skullmask_lib.reports import notebooks, running

# The modules that a lesson imports, and the extras that bring them
NEEDED = {
    "12": {"SimpleITK": "volumes"},
    "20": {"zarr": "batch"},
    "30": {"torch": "deep"},
    "31": {"torch": "deep"},
    "32": {"torch": "deep"},
}


def test_lessons_say_which_extras_they_need():
    declared = {}
    for path in notebooks.lessons():
        extras = notebooks.extras(path)
        if extras:
            declared[path.name[:2]] = extras
    assert declared == NEEDED


def test_a_notebook_is_stored_only_where_its_extras_are_installed(tmp_path):
    path = tmp_path / "lesson.ipynb"
    cell = nbformat.v4.new_code_cell('errors.extra("no_such_module", "this lesson", "deep")')
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    before = path.read_bytes()
    [line] = running.store_all([path])
    assert line.startswith("lesson.ipynb: ")
    assert 'pip install "skullmask[deep]"' in line
    assert path.read_bytes() == before


@pytest.mark.full
@pytest.mark.parametrize("number", NEEDED)
def test_the_first_cells_name_the_extra(number, tmp_path):
    [(module, extra)] = NEEDED[number].items()
    cells = nbformat.read(notebooks.find(number), as_version=4).cells
    parameters, imports = [cell.source for cell in cells if cell.cell_type == "code"][:2]
    hidden = f"import sys\nsys.modules[{module!r}] = None\n"  # as if it were not installed
    (tmp_path / "lesson.py").write_text(f"{hidden}{parameters}\n{imports}\n", encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "lesson.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(notebooks.find(number).parents[1])},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    last_line = run.stderr.splitlines()[-1]
    assert f'pip install "skullmask[{extra}]"' in last_line
    assert "this lesson needs" in last_line
