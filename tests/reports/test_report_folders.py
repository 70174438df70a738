"""Where a report is made and what is there afterwards: all of it, or what was there before.

The notebook runs in a folder of its own, which holds links to its inputs and nothing else.
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import nibabel as nib
import numpy as np
import pytest
from browser import wait_for
from commands import SKULLMASK
from complaints import refused
from folders import contents_of
from inputs import later
from PIL import Image
from reporting import REPORT, REPORT_ON_ARRAY, names_in, printed, save_pictures

from skullmask_lib.reports import folders, inputs, notebooks, pages, report, running

ON_PHANTOM = ("report", "phantom", "-o", "out", "--notebook")

# --- where a notebook runs -----------------------------------------------------------------------


def test_a_notebook_of_ones_own_runs_where_nothing_of_the_working_folder_is_imported(
    notebook, skullmask
):
    Path("csv.py").write_text("raise RuntimeError('not this one')")
    path = notebook("import csv, os\nprint(width, sorted(os.listdir()))")
    assert skullmask(*ON_PHANTOM, path, "-p", "width=4")[0] == 0
    assert names_in("out") == REPORT
    assert "4 []" in printed("out/report.ipynb")


def refuse_to_link(*_, **__):
    """Make no link, as Windows does not for everybody."""
    raise OSError("A required privilege is not held by the client")


@pytest.mark.full
def test_no_links_and_no_hard_links_no_matter(slices, skullmask, monkeypatch):
    """Windows lets not everybody make symbolic links, and another disk knows no hard ones."""
    save_pictures("pictures", np.load("slices.npy"))
    Path("pictures/DOE").mkdir()

    monkeypatch.setattr(os, "symlink", refuse_to_link)
    check_copies(slices / "with hard links", are_hard_links=True)
    monkeypatch.setattr(os, "link", refuse_to_link)
    check_copies(slices / "without links", are_hard_links=False)

    options = ("--truth", "truth.npy", "-p", "sizes=26")
    code, _, err = skullmask("report", "slices.npy", "-o", "out", *options)
    assert (code, err) == (0, [])
    assert Path("slices.npy").is_file()
    assert names_in("out") == REPORT_ON_ARRAY


def check_copies(work, *, are_hard_links):
    """Check that an array and a folder of pictures come as copies of the same content."""
    work.mkdir()
    array = work / inputs.link(work, "images", "slices.npy")
    assert not array.is_symlink()
    assert array.read_bytes() == Path("slices.npy").read_bytes()
    assert (array.stat().st_nlink > 1) == are_hard_links
    pictures = work / inputs.link(work, "truth", "pictures")
    assert names_in(pictures) == ["0.png", "1.png", "2.png"]
    assert (pictures / "1.png").read_bytes() == Path("pictures/1.png").read_bytes()


def test_a_report_beside_its_pictures_copies_no_more_than_them(folder, monkeypatch):
    Path("elsewhere").mkdir()
    os.symlink(folder / "elsewhere", "linked")
    os.symlink(folder, "loop")
    Path("secret.txt").write_text("DOE")
    Image.fromarray(np.eye(9, dtype=np.uint8)).save("0.png")
    nib.Nifti1Pair(np.ones((3, 3, 3), np.float32), np.eye(4)).to_filename("head.hdr")
    monkeypatch.setattr(os, "symlink", refuse_to_link)
    work = Path("work")
    work.mkdir()
    pictures = work / inputs.link(work, "images", ".")
    assert names_in(pictures) == ["0.png"]
    header = work / inputs.link(work, "truth", "head.hdr")
    assert names_in(header.parent) == ["head.hdr", "head.img"]


# --- what is replaced ----------------------------------------------------------------------------


@pytest.mark.usefixtures("slices")
def test_a_report_is_replaced_as_a_whole(skullmask):
    assert skullmask("report", "slices.npy", "-o", "out")[0] == 0
    volume = np.moveaxis(np.load("slices.npy"), 0, 2)
    nib.save(nib.Nifti1Image(volume, np.eye(4)), "head.nii.gz")
    assert skullmask("report", "head.nii.gz", "-o", "out")[0] == 0
    assert names_in("out") == ["masks.nii.gz", *REPORT, "scores.csv"]


@pytest.mark.parametrize(
    "change", ["a note", *later("a corrected mask", "a forged list", "a list of another kind")]
)
def test_nothing_but_a_report_as_it_was_made_is_replaced(slices, skullmask, change):
    Path("precious.txt").write_text("mine")
    assert skullmask("report", "slices.npy", "-o", "out")[0] == 0
    if change == "a corrected mask":
        np.save("out/masks.npy", np.ones(3))
    else:
        Path("out/note.txt").write_text("mine")
    if change == "a forged list":
        forged = {"files": {"..": "", "/": "", "note.txt": ""}}
        Path("out/provenance.json").write_text(json.dumps(forged))
    if change == "a list of another kind":
        names = {"files": [*REPORT_ON_ARRAY, "note.txt"]}
        Path("out/provenance.json").write_text(json.dumps(names))
    before = contents_of(slices)
    code, _, [line] = skullmask("report", "slices.npy", "-o", "out")
    assert code == 2
    assert re.fullmatch(r"skullmask: out: holds (masks\.npy|note\.txt|provenance\.json), .*", line)
    assert contents_of(slices) == before


@pytest.fixture
def earlier(folder):
    """Write a report with one more file, out/masks.npy; give its folder."""
    path = folder / "out"
    Path(path, "figures").mkdir(parents=True)
    Path(path, "figures", "1.png").touch()
    np.save(path / "masks.npy", np.ones(3))
    folders.write(nbformat.v4.new_notebook(), path, {}, page=False)
    return path


def test_what_a_system_leaves_in_a_report_is_replaced_with_it(earlier):
    for name in (".DS_Store", "._masks.npy", "Thumbs.db", "desktop.ini"):
        Path(earlier, name).touch()
        Path(earlier, "figures", name).touch()
    folders.check_replaceable(earlier)
    Path(earlier, ".git").mkdir()
    with refused("out", naming=[".git"]):
        folders.check_replaceable(earlier)


@pytest.mark.parametrize("name", ["masks.npy", "mine"])
@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("nowhere", path)])
def test_pipes_and_dangling_links_in_a_report_are_refused(earlier, name, make):
    path = Path(earlier, name)
    path.unlink(missing_ok=True)
    make(path)
    with refused("out", naming=[name]):
        folders.check_replaceable(earlier)


@pytest.mark.usefixtures("folder")
def test_a_provenance_of_ones_own_is_no_report():
    Path("out").mkdir()
    Path("out/provenance.json").write_text('{"mine": 1}')
    with refused("out", naming=["provenance.json"]):
        folders.check_replaceable(Path("out"))


def test_what_no_report_wrote_is_not_even_opened(earlier, monkeypatch):
    """It may be a whole data set, where ``-o`` names the wrong folder."""
    Path(earlier, "data").mkdir()
    opened = []
    monkeypatch.setattr(folders, "contents", lambda path: opened.append(path.name))
    Path(earlier, "provenance.json").unlink()
    with refused("out"):
        folders.check_replaceable(earlier)
    assert opened == []


def test_what_is_put_into_the_folder_while_a_report_is_made_stays(earlier, notebook, monkeypatch):
    def run(path, ran, **_):
        shutil.copy(path, ran)
        Path(earlier, "note.txt").write_text("mine")

    monkeypatch.setattr(running, "execute", run)
    monkeypatch.setattr(pages, "single_page", lambda *_, **__: None)
    with refused("out", naming=["note.txt", "out_failed"]):
        report.make(notebook(), {"images": "phantom"}, earlier, {})
    assert names_in("out") == [
        "figures",
        "masks.npy",
        "note.txt",
        "provenance.json",
        "report.ipynb",
    ]
    assert names_in("out_failed") == ["provenance.json", "report.ipynb"]


@pytest.mark.full
def test_a_death_while_a_report_takes_its_place_loses_neither(notebook, skullmask, monkeypatch):
    arguments = (*ON_PHANTOM, notebook("width"))
    assert skullmask(*arguments)[0] == 0
    for call in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", dying_at(call))
            assert skullmask(*arguments)[0] == 130
        assert names_in("out") == REPORT
        assert skullmask(*arguments)[0] == 0
        assert names_in("out") == REPORT


def dying_at(call):
    """Give an ``os.replace`` that ends the process when it is called for the n-th time."""
    replace = os.replace
    calls = itertools.count(1)

    def replace_or_die(source, target):
        if next(calls) == call:
            raise KeyboardInterrupt
        replace(source, target)

    return replace_or_die


@pytest.mark.full
def test_two_runs_at_once_do_not_harm_each_other(notebook, folder):
    """They end one after another: one that ends while its folder is replaced is refused."""
    command = [*SKULLMASK, *ON_PHANTOM, notebook("import time\ntime.sleep(width)"), "-p"]
    options = {"cwd": folder, "stderr": subprocess.PIPE, "text": True}
    runs = [subprocess.Popen([*command, f"width={seconds}"], **options) for seconds in (1, 3)]
    for run in runs:
        _, err = run.communicate()
        assert (run.returncode, err) == (0, "")
    assert names_in("out") == REPORT
    assert names_in(".") == ["out", "own.ipynb"]


# --- the title -----------------------------------------------------------------------------------


def test_a_title_is_a_heading_and_no_comment_in_code(folder):
    code = nbformat.v4.new_code_cell("# load the slices")
    text = nbformat.v4.new_markdown_cell("# #7: a head\n\nText")
    nbformat.write(nbformat.v4.new_notebook(cells=[code, text]), "own.ipynb")
    assert notebooks.title("own.ipynb") == "#7: a head"
    executed = nbformat.read("own.ipynb", as_version=4)
    folders.write(executed, folder, {}, title="Mine", page=False)
    written = nbformat.read("report.ipynb", as_version=4)
    assert [cell.source for cell in written.cells] == ["# load the slices", "# Mine\n\nText"]


# --- what is left of a failure -------------------------------------------------------------------


def test_a_kernel_that_dies(notebook, skullmask):
    path = notebook("print('so far')", "import os\nos.kill(os.getpid(), 9)")
    code, out, [line] = skullmask(*ON_PHANTOM, path)
    assert (code, out) == (1, "")
    assert line.startswith("skullmask: own.ipynb: ")
    assert "kernel died" in line
    assert "out_failed/report.ipynb" in line
    assert names_in(".") == ["out_failed", "own.ipynb"]
    assert names_in("out_failed") == REPORT
    assert "so far" in printed("out_failed/report.ipynb")


def test_what_failed_is_gone_once_it_went_well(notebook, skullmask):
    arguments = (*ON_PHANTOM, notebook("1 / width"))
    assert skullmask(*arguments, "-p", "width=0")[0] == 1
    assert skullmask(*arguments)[0] == 0
    assert names_in("out") == REPORT
    assert not Path("out_failed").exists()


def test_a_report_that_is_named_like_remains_stays(earlier, folder, monkeypatch):
    """A report that fails would take its place, and one that goes well would remove it."""
    failed = earlier.rename("out_failed").absolute()
    before = contents_of(failed)
    with refused("out_failed"):
        report.make(Path("own.ipynb"), {}, Path("out"), {})
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    nbformat.write(nbformat.v4.new_notebook(), "ran.ipynb")
    kept = folders.keep_failed(Path("ran.ipynb"), failed, {})
    folders.remove_remains(failed)
    assert contents_of(failed) == before
    assert Path(kept.rpartition(" ")[2]).is_file()


@pytest.mark.usefixtures("folder")
def test_what_failed_is_replaced_and_removed():
    nbformat.write(nbformat.v4.new_notebook(), "ran.ipynb")
    for _ in range(2):
        folders.keep_failed(Path("ran.ipynb"), Path("out_failed"), {})
        assert names_in("out_failed") == REPORT
    folders.remove_remains(Path("out_failed"))
    assert names_in(".") == ["ran.ipynb"]


@pytest.mark.full
@pytest.mark.parametrize(("limit_bytes", "code"), [(100_000, 1), (1_000, 2)])
def test_a_disk_that_is_full(notebook, folder, limit_bytes, code):
    """A limit on the size of files stands in for it: once the notebook has run, or at once."""
    path = notebook("print('so far')", "open('large.bin', 'wb').write(bytes(200_000))")
    arguments = ["skullmask", *ON_PHANTOM, str(path)]
    program = (
        "import resource, sys\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_bytes}, {limit_bytes}))\n"
        f"sys.argv = {arguments}\n"
        "from skullmask_lib.cli.main import main\n"
        "main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    [line] = run.stderr.splitlines()
    assert "File too large" in line
    assert run.returncode == code
    assert not Path("out/report.html").exists()
    if code == 1:
        assert line.endswith(" out_failed/report.ipynb")
        assert "so far" in printed("out_failed/report.ipynb")


@pytest.mark.full
def test_a_killed_run_leaves_nothing_behind_for_the_next(notebook, folder, skullmask):
    arguments = (*ON_PHANTOM, notebook("import time\ntime.sleep(60 * width)"))
    with subprocess.Popen([*SKULLMASK, *arguments], cwd=folder) as run:
        wait_for(lambda: list(folder.glob(".out-*")), seconds=60)
        run.kill()
    assert list(folder.glob(".out-*"))
    assert skullmask(*arguments, "-p", "width=0")[0] == 0
    assert names_in("out") == REPORT
    assert names_in(".") == ["out", "own.ipynb"]
