"""A lesson that needs an extra says so before it does anything else."""

import os
import subprocess
import sys

import nbformat
import pytest

from skullmask_lib.reports import notebooks

NEEDED = {"12": ("SimpleITK", "volumes"), "20": ("zarr", "batch")}


@pytest.mark.full
@pytest.mark.parametrize("number", NEEDED)
def test_the_first_cells_name_the_extra(number, tmp_path):
    module, extra = NEEDED[number]
    cells = nbformat.read(notebooks.find(number), as_version=4).cells
    parameters, imports = [cell.source for cell in cells if cell.cell_type == "code"][:2]
    hidden = f"import sys\nsys.modules[{module!r}] = None\n"  # as if it were not installed
    (tmp_path / "lesson.py").write_text(f"{hidden}{parameters}\n{imports}\n", encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "lesson.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(notebooks.find(number).parents[1])},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    last = ran.stderr.splitlines()[-1]
    assert f'pip install "skullmask[{extra}]"' in last
    assert "this lesson needs" in last
