"""README and docs are promises: commands run, links lead somewhere, and limits are those of the library."""

import inspect
import re
import shlex
import subprocess
import sys

import browser
import nibabel as nib
import numpy as np
import pacing
import pages
import pytest
from PIL import Image

import skullmask_lib as sm
from publish import handout
from skullmask_lib import errors, polar
from skullmask_lib.batches import stacks
from skullmask_lib.cli import main
from skullmask_lib.explore import app
from skullmask_lib.io import nifti
from skullmask_lib.reports import notebooks
from skullmask_lib.sweeps import OTHER_SEEDS
from skullmask_lib.volumes import preprocess, strip_files, stripping

# Commands that download, serve a page until they are stopped, need a scheduler, or change the shell
NOT_RUN = re.compile(r"data |explore|mask chris|batch .*--scheduler|--install-completion|--help")
OUTPUTS = {
    "docs/own-slices.md": (
        "masks.npy",
        "skull.nii.gz",
        "mask.png",
        "v7.npy",
        "some.npy",
        "sweep.csv",
        "sweep.png",
    ),
    "docs/volumes.md": (
        *("stripped/head_brain.nii.gz", "stripped/head_brainmask.nii.gz", "stripped/head_qc.png"),
        *("corrected/head_brain.nii.gz", "masks/scan_brain_mask.nii.gz"),
        *("tight/head_brainmask.nii.gz", "wide/head_brainmask.nii.gz"),
        *("stripped_scans/masks.tsv", "two/b_brain.nii.gz"),
        *("stripped/head_brainmask.json", "my_dataset/derivatives/skullmask/masks.tsv"),
    ),
    "docs/reports.md": (
        *(
            "five/report.html",
            "five/report.ipynb",
            "five/scores.csv",
            "five/masks.npy",
            "five/provenance.json",
        ),
        *("head/report.html", "grid/index.html", "sweep/report.html"),
    ),
    "docs/teaching.md": (
        *("secret/students/slices.npz", "secret/teacher/head.npz", "scores.csv"),
        *("consensus.npz", "agreement.png"),
    ),
    "docs/many-images.md": (
        *("many.npy", "many.npy.batch/results.csv", "many.npy.batch/errors.csv"),
        *("v7.zarr/zarr.json", "dask.npy"),
    ),
}
WITH_PYTHON = ["README.md", "docs/own-slices.md", "docs/volumes.md", "docs/many-images.md"]
MIB, GIB = 2**20, 2**30


def test_the_lists_name_the_pages_with_code():
    runnable = [
        page
        for page in pages.PAGES
        if any(not NOT_RUN.match(command) for command in pages.commands(page))
    ]
    assert {pages.name_of(page) for page in runnable} == set(OUTPUTS)
    with_python = {pages.name_of(page) for page in pages.PAGES if pages.blocks(page, "python")}
    assert with_python == {*WITH_PYTHON, "docs/reports.md"}  # the last shows a cell, tested below


def test_every_command_is_on_a_page():
    shown = {command.split()[0] for page in pages.DOCS for command in pages.commands(page)}
    assert {
        "mask",
        "score",
        "sweep",
        "report",
        "strip",
        "brain-mask",
        "batch",
        "explore",
        "data",
        "capstone",
    } <= shown


def run(command, monkeypatch):
    """Run a command line in this process; return its exit code."""
    monkeypatch.setattr("sys.argv", ["skullmask", *shlex.split(command)])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return ended.value.code


@pytest.fixture
def folder(tmp_path):
    """Make the files that the pages name."""
    data = sm.load("phantom")
    np.save(tmp_path / "slices.npy", data.images)
    np.save(tmp_path / "truth.npy", data.truth)
    volume = np.ascontiguousarray(data.images[:, ::-1].transpose(2, 1, 0)) * 1e7
    nib.save(nib.Nifti1Image(volume, np.diag([0.42, 0.42, 10.0, 1.0])), tmp_path / "head.nii.gz")
    dataset = tmp_path / "my_dataset"
    for copy in ("scans/a.nii.gz", "scans/b.nii.gz", "my_dataset/sub-01/anat/sub-01_T1w.nii.gz"):
        (tmp_path / copy).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / copy).write_bytes((tmp_path / "head.nii.gz").read_bytes())
    (dataset / "dataset_description.json").write_text('{"Name": "Heads", "BIDSVersion": "1.8.0"}')
    angiography = np.pad(np.full((6, 6, 6), 100, np.int16), 2)
    nib.save(nib.Nifti1Image(angiography, np.diag([10, 10, 10, 1])), tmp_path / "scan.nii.gz")
    few = np.ascontiguousarray(data.images[:, ::3, ::3][:, ::-1].transpose(2, 1, 0))
    nib.save(nib.Nifti1Image(few, np.diag([1.26, 1.26, 10.0, 1.0])), tmp_path / "slices.nii.gz")
    for folder in ("submissions", "traces"):  # of slices as large as those of the capstone
        (tmp_path / folder).mkdir()
        for student in ("anna", "ben"):
            np.save(tmp_path / folder / f"{student}.npy", data.truth[:, ::3, ::3])
    picture = (data.images[2] / data.images[2].max() * 255).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "slice.png")
    return tmp_path


@pytest.mark.full
@pytest.mark.parametrize("name", OUTPUTS)
def test_the_commands_run_one_after_another(name, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    for command in pages.commands(pages.HOUSE / name):
        if not NOT_RUN.match(command):
            code = run(command, monkeypatch)
            assert not code, (command, capsys.readouterr().err)
    assert [output for output in OUTPUTS[name] if not (folder / output).is_file()] == []


def verb_of(command):
    """Read the name of a command, of two words in a group; empty where there are options alone."""
    words = shlex.split(command)
    if words[0].startswith("-"):
        return ""
    return " ".join(words[:2]) if words[0] in ("capstone", "data") else words[0]


def test_the_options_exist(monkeypatch, capsys):
    shown = {}
    for page in pages.ALL_PAGES:
        for command in pages.commands(page):
            options = {word for word in shlex.split(command) if word.startswith("-")}
            shown.setdefault(verb_of(command), set()).update(options)
    for verb, options in shown.items():
        assert not run(f"{verb} --help", monkeypatch), verb
        known = set(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", capsys.readouterr().out))
        assert options <= known | {"--help", "--install-completion"}, verb


@pytest.mark.parametrize("name", WITH_PYTHON)
def test_the_python_runs(name, folder):
    code = "\n".join(pages.blocks(pages.HOUSE / name, "python"))
    (folder / "page.py").write_text(code, encoding="utf-8")
    ran = subprocess.run([sys.executable, "page.py"], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_the_cell_of_parameters_declares_them(tmp_path):
    [cell] = pages.blocks(pages.HOUSE / "docs" / "reports.md", "python")
    notebook = tmp_path / "own.ipynb"
    nbformat = pytest.importorskip("nbformat")
    declared = nbformat.v4.new_code_cell(cell, metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[declared]), notebook)
    assert set(notebooks.parameters(notebook)) == {"images", "truth", "width"}
    notebooks.check(notebook, {"width": 61})
    with pytest.raises(sm.InputError, match="62"):
        notebooks.check(notebook, {"width": 62})


def test_the_parameters_of_the_report_are_listed():
    listed = pages.table_of(
        pages.text_of(pages.HOUSE / "docs" / "reports.md"), ("parameter", "meaning")
    )
    declared = set(notebooks.parameters(notebooks.find("report"))) - {
        "images",
        "truth",
        "version",
        "save",
    }
    assert {row[0].strip("`") for row in listed} == declared


@pytest.mark.parametrize("page", pages.ALL_PAGES, ids=pages.name_of)
def test_the_make_targets_exist(page):
    makefile = (pages.HOUSE / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):.*##", makefile, re.MULTILINE))
    named = re.findall(r"`make ([a-z0-9-]+)", pages.text_of(page))
    named += re.findall(r"^make ([a-z0-9-]+)", pages.text_of(page), re.MULTILINE)
    assert set(named) <= targets


def test_the_lessons_and_their_minutes():
    listed = re.findall(
        r"^\| \[(.+?)\]\(notebooks/(\S+?)\)\s*\|\s*(\d+)", pages.text_of(pages.README), re.MULTILINE
    )
    lessons = notebooks.lessons()
    assert [name for _, name, _ in listed] == [path.name for path in lessons]
    for (title, _, minutes), path in zip(listed, lessons, strict=True):
        assert title == notebooks.title(path)
        assert int(minutes) == pacing.total(path)


def test_the_explorer_shows_its_questions():
    text = pages.text_of(pages.HOUSE / "docs" / "explorer.md")
    rows = pages.table_of(text, ("question", "lesson", "what you move"))
    assert [row[0] for row in rows] == list(app.QUESTIONS)


@pytest.mark.parametrize("page", pages.ALL_PAGES, ids=pages.name_of)
def test_links_lead_somewhere(page):
    for target in pages.links(page):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert file.is_relative_to(pages.HOUSE), target
        if anchor:
            assert anchor in pages.anchors(file), target


def test_every_page_can_be_reached_from_the_readme():
    linked = {(pages.HOUSE / target).resolve() for target in pages.links(pages.README)}
    assert set(pages.DOCS) <= linked


_NUMBERS = {3: "three", 4: "four", 5: "five"}
_GRID = inspect.signature(preprocess.resample_crop).parameters["shape"].default
_VOXEL_MM = inspect.signature(preprocess.resample_crop).parameters["voxel_mm"].default
_PHANTOM = sm.load("phantom")
_PHANTOM_PX = _PHANTOM.images.shape[1:]
_PHANTOM_MM = _PHANTOM.spacing_mm[0]
FACTS = [
    ("docs/own-slices.md", f"if its *quality* is below {polar.TRUSTED:g}"),
    ("docs/many-images.md", f"the quality is below {polar.TRUSTED:g}"),
    ("README.md", f"# below {polar.TRUSTED:g}: look at the mask"),
    ("docs/own-slices.md", f"unpack to more than {errors.LARGEST_UNPACKED_BYTES / GIB:g} GiB"),
    (
        "docs/security.md",
        f"| {errors.LARGEST_UNPACKED_BYTES / GIB:g} GiB, or four times the size of the file",
    ),
    (
        "docs/own-slices.md",
        "more than {0} × {0} pixels".format(round(errors.LARGEST_SLICE_PX**0.5)),
    ),
    ("docs/security.md", "| {0} × {0} pixels".format(round(errors.LARGEST_SLICE_PX**0.5))),
    (
        "docs/own-slices.md",
        "voxels smaller than {:g} mm or larger than {:g} mm".format(*nifti.VOXEL_MM),
    ),
    ("docs/explorer.md", f"a file of up to {app.UPLOAD_LIMIT_MB:g} MB"),
    ("docs/results.md", f"mean on {_NUMBERS[len(OTHER_SEEDS)]} phantom heads"),
    ("docs/volumes.md", "{} × {} × {} voxels of {:g} mm".format(*_GRID, _VOXEL_MM)),
    ("data/README.md", "slices of {} × {} px at {} × {} mm".format(*_PHANTOM_PX, *_PHANTOM_MM)),
    ("docs/volumes.md", f"on slices {stripping.EVERY_MM:g} mm apart"),
    ("docs/volumes.md", f"warns you if it is below {polar.TRUSTED:g}"),
    ("docs/volumes.md", f"slices thicker than {strip_files.THICK_MM:g} mm"),
]


@pytest.mark.parametrize(("name", "fact"), FACTS)
def test_the_pages_name_the_limits_of_the_library(name, fact):
    assert fact in pages.unwrapped(pages.HOUSE / name)


def test_four_times_its_own_size_may_be_unpacked():
    file_bytes = errors.LARGEST_UNPACKED_BYTES
    errors.check_unpacked(4 * file_bytes, file_bytes, "a.npz")
    with pytest.raises(sm.InputError):
        errors.check_unpacked(4 * file_bytes + 1, file_bytes, "a.npz")


@pytest.mark.parametrize("name", ["docs/many-images.md", "docs/security.md"])
def test_the_largest_chunk_of_zarr(name, tmp_path):
    zarr = pytest.importorskip("zarr")
    [largest_mib] = re.findall(r"(\d+) MiB", pages.text_of(pages.HOUSE / name))
    side_px = 4096
    too_many = int(largest_mib) * MIB // side_px**2 + 1
    shape = (too_many, side_px, side_px)
    zarr.create_array(tmp_path / "a.zarr", shape=shape, chunks=shape, dtype="uint8")
    with pytest.raises(sm.InputError, match=rf"\b{largest_mib}; "):
        stacks.opened(tmp_path / "a.zarr")


def test_the_width_of_v7_in_millimetres():
    text = pages.unwrapped(pages.HOUSE / "docs" / "own-slices.md")
    width_px = sm.published()["kernel_width_px"]
    spacing_mm = sm.load("phantom").spacing_mm[0, 0]
    width_mm = round(width_px * spacing_mm)
    assert (
        f"Its {width_px:g} px are {width_mm} mm on the phantom, whose pixels measure {spacing_mm:g} mm"
        in text
    )
    other_px = int(width_mm / 0.88 + 0.5)
    assert f"On pixels of 0.88 mm, {width_mm} mm are {other_px} px" in text
    assert f"--dilation-size {other_px}" in text


def test_no_page_names_a_folder_of_one_machine():
    for page in pages.ALL_PAGES:
        assert not re.search(r"(?<![\w.])/(work|tmp|home|root|Users)/", pages.text_of(page)), page


def test_the_files_that_contributing_names_exist():
    text = pages.text_of(pages.HOUSE / "CONTRIBUTING.md")
    named = re.findall(r"`([\w/]+\.py)`", text)
    assert named
    folders = (pages.HOUSE, pages.HOUSE / "skullmask_lib")
    missing = [name for name in named if not any((folder / name).is_file() for folder in folders)]
    assert missing == []


def test_the_map_of_contributing_names_every_module_and_room():
    text = pages.text_of(pages.HOUSE / "CONTRIBUTING.md")
    library = pages.HOUSE / "skullmask_lib"
    modules = [file.name for file in library.glob("[!_]*.py")]
    shown = [row[0].strip("`") for row in pages.table_of(text, ("module", "what it holds"))]
    assert sorted(shown) == sorted(modules)
    rooms = [f"{file.parent.name}/" for file in library.glob("*/__init__.py")]
    shown = [row[0].strip("`") for row in pages.table_of(text, ("folder", "what it is for"))]
    others = [name for name in shown if name not in rooms]
    assert sorted(set(shown) - set(others)) == sorted(rooms)
    tracked = {path.parts[0] for path in handout.tracked() if path.suffix == ".py"}
    with_code = {f"{name}/" for name in tracked} - {"skullmask_lib/", "docs/"}
    assert sorted(others) == sorted(with_code)


def test_make_lab_lets_pass_what_the_explorer_takes():
    [upload] = re.findall(r"^UPLOAD = (\d+)", pages.text_of(pages.HOUSE / "Makefile"), re.MULTILINE)
    assert int(upload) > app.UPLOAD_LIMIT_MB * 2**20


@pytest.mark.full
@pytest.mark.parametrize("page", ["Makefile", "publish/student.md"])
def test_docs_open_where_the_lessons_are_served(page, tmp_path):
    text = pages.text_of(pages.HOUSE / page)
    [options] = re.findall(r"jupyter lab (.+)$", text, re.MULTILINE)
    arguments = shlex.split(options.replace("$(LAB)", "").replace("$(UPLOAD)", "1"))
    served = browser.served_by_lab(arguments, cwd=pages.HOUSE, log=tmp_path / "lab.log")
    with served as (address, token):
        assert browser.answers(f"{address}/api/contents/docs/glossary.md?token={token}")
