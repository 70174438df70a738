"""The README is a promise: every command in it runs, every link leads somewhere, every minute agrees."""

import re
import shlex
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

import skullmask_lib as sm
from skullmask_lib.cli import main
from skullmask_lib.reports import notebooks

HOUSE = Path(__file__).resolve().parents[1]
README = (HOUSE / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\.venv/bin/skullmask (.*?)(?:\s+#.*)?$", README, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make the files that the README's commands name."""
    made, data = tmp_path_factory.mktemp("readme"), sm.load("phantom")
    np.save(made / "slices.npy", data.images)
    np.save(made / "truth.npy", data.truth)
    volume = np.ascontiguousarray(data.images[:, ::-1].transpose(2, 1, 0)) * 1e7
    nib.save(nib.Nifti1Image(volume, np.diag([0.42, 0.42, 10.0, 1.0])), made / "head.nii.gz")
    angiography = np.pad(np.full((6, 6, 6), 100, np.int16), 2)
    nib.save(nib.Nifti1Image(angiography, np.diag([10, 10, 10, 1])), made / "scan.nii.gz")
    Image.fromarray((data.images[2] / data.images[2].max() * 255).astype(np.uint8)).save(made / "slice.png")
    return made


def test_there_are_commands():
    assert {command.split()[0] for command in COMMANDS} == {
        *("mask", "score", "sweep", "report", "strip", "brain-mask", "batch")
    }


@pytest.mark.full
def test_the_commands_run_one_after_another(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    for command in COMMANDS:
        monkeypatch.setattr("sys.argv", ["skullmask", *shlex.split(command)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert not ended.value.code, (command, capsys.readouterr().err)
    assert all(
        (folder / name).is_file()
        for name in (
            "masks.npy",
            "skull.nii.gz",
            "mask.png",
            "sweep.csv",
            "sweep.png",
            "five/report.html",
            "grid/index.html",
            "stripped/head_brain.nii.gz",
            "masks/scan_brain_mask.nii.gz",
            "many.npy",
            "many.npy.batch/results.csv",
            "v7.zarr/zarr.json",
        )
    )


def test_the_python_runs():
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})


def test_the_make_targets_exist():
    targets = re.findall(r"^([a-z0-9-]+):.*##", (HOUSE / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z0-9-]+)", README)) <= set(targets)


def test_the_lessons_and_their_minutes():
    listed = re.findall(r"^\| \[(.+?)\]\(notebooks/(\S+?)\)\s*\|\s*(\d+)", README, re.MULTILINE)
    lessons = notebooks.lessons()
    assert [name for _, name, _ in listed] == [path.name for path in lessons]
    for (title, _, minutes), path in zip(listed, lessons, strict=True):
        assert title == notebooks.title(path)
        assert f"{minutes} minutes" in path.read_text(encoding="utf-8")


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (HOUSE / target).exists(), target
