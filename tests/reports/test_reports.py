"""Notebooks are run one way; parameters are checked before; pages open offline."""

import csv
import gzip
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import nibabel as nib
import numpy as np
import papermill
import pytest
from browser import chromium, open_page, wait_for
from commands import SKULLMASK
from complaints import refused
from dicoms import write_series
from folders import contents_of
from inputs import doubted, later, ring_head
from numpy.testing import assert_array_equal
from PIL import Image

import skullmask_lib as sm
from skullmask_lib import polar, sweeps
from skullmask_lib.errors import InputError
from skullmask_lib.reports import (
    demo,
    inputs,
    notebooks,
    pages,
    privacy,
    provenance,
    report,
    running,
)


@pytest.fixture
def notebook(tmp_path):
    """A tiny notebook: one parameters cell, one cell that uses them."""

    def make(
        body="print(width * 2)",
        parameters="width: int = 3  # width [px]\nname: str = 'a'  # a name",
    ):
        cells = [
            nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}, id="one"),
            nbformat.v4.new_code_cell(body, id="two"),
        ]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata["kernelspec"] = {
            "name": "a-kernel-nobody-has",
            "display_name": "x",
            "language": "python",
        }
        nbformat.write(notebook, tmp_path / "tiny.ipynb")
        return tmp_path / "tiny.ipynb"

    return make


def outputs_of(path):
    """List the outputs of all cells of a notebook file."""
    outputs = []
    for cell in nbformat.read(path, as_version=4).cells:
        outputs += cell.get("outputs", [])
    return outputs


def printed(path):
    """Join what the cells of a notebook file have printed."""
    return "".join(output.get("text", "") for output in outputs_of(path))


def test_execute_runs_with_parameters_whatever_kernel_the_notebook_names(notebook, tmp_path, capfd):
    path = running.execute(notebook(), tmp_path / "out.ipynb", parameters={"width": 21})
    assert printed(path) == "42\n"
    assert capfd.readouterr().err == ""


def test_execute_runs_in_this_interpreter(notebook, tmp_path):
    path = running.execute(notebook("import sys; print(sys.executable)"), tmp_path / "out.ipynb")
    assert printed(path).strip() == sys.executable


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ({"widht": 3}, ["widht", " width"]),
        ({"zzz": 3}, ["zzz", "width, name"]),
        ({"width": "3"}, ["width", "int", "'3'"]),
        ({"width": True}, ["width", "int", "True"]),
        ({"name": 3}, ["name", "str", " 3"]),
    ],
)
def test_parameters_are_checked_before_anything_runs(notebook, tmp_path, parameters, values):
    with refused("tiny.ipynb", naming=values):
        running.execute(notebook(), tmp_path / "out.ipynb", parameters=parameters)
    assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize(
    ("parameters", "word"),
    [("width = 3", "annotated"), ("width: int = int('3')", "literal")],
)
def test_parameters_must_be_annotated_literals(notebook, parameters, word):
    with refused("tiny.ipynb", naming=[word, parameters]):
        notebooks.parameters(notebook(parameters=parameters))


def test_a_failing_cell_is_named_and_what_ran_is_kept(notebook, tmp_path):
    with pytest.raises(
        RuntimeError, match=r"tiny\.ipynb: cell 2 .*ZeroDivisionError: division by zero"
    ):
        running.execute(notebook("print('so far')\n1 / 0"), tmp_path / "out.ipynb")
    assert "so far" in printed(tmp_path / "out.ipynb")


def test_a_cell_that_hangs_is_stopped(notebook, tmp_path):
    path = notebook("import time; time.sleep(60)")
    with pytest.raises(RuntimeError, match=" 2 s"):
        running.execute(path, tmp_path / "out.ipynb", timeout_s=2)


def test_not_a_notebook(tmp_path):
    (tmp_path / "text.ipynb").write_text("no JSON")
    with refused("text.ipynb", naming=["JSON"]):
        running.execute(tmp_path / "text.ipynb", tmp_path / "out.ipynb")


def test_store_keeps_outputs_and_drops_what_differs_from_run_to_run(notebook):
    path = notebook("import ipywidgets; ipywidgets.IntSlider(5)")
    running.store(path)
    first = path.read_bytes()
    running.store(path)
    assert path.read_bytes() == first
    stored = nbformat.read(path, as_version=4)
    assert stored.metadata.kernelspec.name == "python3"
    assert "IntSlider" in str(stored.cells[1].outputs)


def test_store_joins_what_a_cell_prints(notebook):
    path = notebook(
        "import time\n"
        "from IPython.display import display\n"
        "print('first', flush=True)\n"
        "time.sleep(0.5)\n"  # longer than a kernel waits until it sends what a cell has printed
        "print('second')\n"
        "display(1)\n"
        "print('third')"
    )
    running.store(path)
    texts = [output.get("text") for output in outputs_of(path)]
    assert texts == ["first\nsecond\n", None, "third\n"]


def test_store_leaves_a_failing_notebook_as_it_was(notebook):
    path = notebook("1 / 0")
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        running.store(path)
    assert path.read_bytes() == before
    assert files(path.parent) == [path.name]


def test_a_demo_replaces_no_folder_of_others(folder, skullmask):
    (folder / "page" / "failed").mkdir(parents=True)
    (folder / "page" / "failed" / "notes.txt").write_text("mine")
    code, _, [line] = skullmask("demo", "--out", "page")
    assert code == 2
    assert line.startswith("skullmask: page/failed: ")
    assert "notes.txt" in line
    assert (folder / "page" / "failed" / "notes.txt").read_text() == "mine"


def test_page_asks_the_web_for_nothing(tmp_path):
    pages.page([notebooks.lessons()[1]], tmp_path / "page.html", name="A page")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.findall(r"""(?:src=|url\()\s*["']?(?!data:)[^"'\s)]+""", page)
    assert not re.findall(r"<link|@import", page)
    assert page.count("data:image/png;base64,") >= 2
    assert "IoU" in re.search(r'<img alt="([^"]+)"', page.partition("Look at it")[2])[1]


@pytest.mark.full
def test_links_of_the_lessons_stay_on_the_page(tmp_path):
    lessons = notebooks.lessons()  # with their outputs, some of which hold links too
    pages.page(lessons, tmp_path / "page.html", name="All lessons")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('href="#chapter-1"') >= 2  # in the contents and in lesson 00
    assert 'id="chapter-1"' in page
    assert not re.findall(r'href="(?!#|https://)[^"]*"', page)
    anchors = re.findall(r'id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(anchors)


def test_a_failing_lesson_stops_the_demo_and_is_kept(notebook, tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "journey", lambda: [notebook("1 / 0")])
    with pytest.raises(
        RuntimeError,
        match=r"ZeroDivisionError: division by zero; .*page/failed/report\.ipynb",
    ):
        demo.demo(tmp_path / "page")
    assert files(tmp_path / "page") == ["failed"]


# --- parameters ----------------------------------------------------------------------------------

DECLARED = """
count: int = 3  # how many, 1 … 9
share: float = 0.5  # of the whole, 0 … 1
width: int | None = None  # [px], 1 … 999
name: str = "a"  # a name
flag: bool = False  # yes or no
version: str = "v8"  # of v1 to v8
spacing_mm: list = []  # row and column
sizes: str = "1:61:2"  # widths
slices: str = ""  # which
""".strip()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "7", 7),
        ("share", "1", 1),
        ("share", "0.25", 0.25),
        ("width", "none", None),
        ("width", "12", 12),
        ("name", "3", "3"),
        ("name", "None", "None"),
        ("flag", "true", True),
        ("flag", "False", False),
        ("version", "v5,v7", "v5,v7"),
        ("spacing_mm", "0.5,2", [0.5, 2]),
        ("spacing_mm", "[0.5, 2]", [0.5, 2]),
        ("spacing_mm", "0.5 2", [0.5, 2]),
        ("slices", "0:4", "0:4"),
    ],
)
def test_text_becomes_what_the_annotation_asks_for(notebook, name, text, value):
    path = notebook(parameters=DECLARED)
    assert notebooks.read(path, name, text) == value
    notebooks.check(path, {name: value})


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("cuont", "7", [" count"]),
        ("count", "many", ["int", "'many'"]),
        ("count", "1.5", ["int", " 1.5"]),
        ("count", "0", ["1 to 9", " 0"]),
        ("count", "true", ["int", "True"]),
        ("share", "nan", ["float", "'nan'"]),
        ("share", "1.01", ["0 to 1", "1.01"]),
        ("width", "1000", ["1 to 999", "1000"]),
        ("width", "wide", ["int or None", "'wide'"]),
        ("flag", "1", ["bool", " 1"]),
        ("spacing_mm", "a,b", ["0 mm", "'a'"]),
        ("spacing_mm", "0.4", ["0 mm", "0.4"]),
        ("count", "{[]:1}", ["int", "'{[]:1}'"]),
        ("version", "v8,newest", [", ".join(sm.VERSIONS), "'newest'"]),
        ("sizes", "5:1", ["from 1", "start:stop:step", "5:1"]),
        ("slices", "x", ["from 0", "start:stop:step", "x"]),
    ],
)
def test_text_that_will_not_do(notebook, name, text, values):
    path = notebook(parameters=DECLARED)
    with pytest.raises(InputError, match=rf"^tiny\.ipynb: .*\b{name}\b") as error:
        notebooks.check(path, {name: notebooks.read(path, name, text)})
    for value in values:
        assert value in error.value.message


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("count", "1:9:4", [1, 5, 9]),
        ("count", "2,2,3", [2, 3]),
        ("version", "v5,v7", ["v5", "v7"]),
        ("sizes", "1:9,1:5", ["1:9", "1:5"]),
        ("share", "0,0.5", [0, 0.5]),
    ],
)
def test_values_of_a_grid(notebook, name, text, values):
    assert notebooks.read_values(notebook(parameters=DECLARED), name, text) == values


@pytest.mark.parametrize("text", ["1:13:4", "4,many", "0:3"])
def test_values_of_a_grid_are_checked_each(notebook, text):
    with refused("tiny.ipynb", naming=["count"]):
        notebooks.read_values(notebook(parameters=DECLARED), "count", text)


def test_a_notebook_without_parameters(notebook):
    with refused("tiny.ipynb", naming=["tagged parameters"]):
        notebooks.check(notebook(parameters=""), {"width": 3})


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("a: set = 3", ["bool, int, float, str, list, None", "a: set = 3"]),
        ("a: int = (", ["Python"]),
    ],
)
def test_parameters_that_cannot_be_read(notebook, cell, values):
    with refused("tiny.ipynb", naming=values):
        notebooks.parameters(notebook(parameters=cell))


def test_papermill_knows_every_parameter_too():
    """Papermill reads fewer annotations than Python does; what it cannot read it warns of."""
    path = notebooks.find("report")
    assert set(papermill.inspect_notebook(str(path))) == set(notebooks.parameters(path))


def test_versions_may_come_as_a_list():
    path = notebooks.find("report")
    parameters = inputs.prepare(path, {"images": "phantom"}, {"version": ["v7", "v8"]})
    assert parameters["version"] == "v7,v8"


# --- reports on own slices -----------------------------------------------------------------------

MADE = ["masks.npy", "provenance.json", "report.html", "report.ipynb", "scores.csv"]


def heads():
    """Give three heads and their true masks."""
    images = []
    truths = []
    for at_mm in ((0, 0), (3, 2), (-2, 4)):
        image, truth = ring_head(at_mm=at_mm)
        images.append(image)
        truths.append(truth)
    return np.stack(images), np.stack(truths)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def save_picture(path, image):
    """Write an image as a picture whose brightest pixel is white."""
    Image.fromarray((255 * image / image.max()).astype(np.uint8)).save(path)


@pytest.fixture
def slices(folder):
    images, truth = heads()
    np.save(folder / "slices.npy", images)
    np.save(folder / "truth.npy", truth)
    return folder


def test_a_report_with_truth(slices, skullmask):
    code, out, err = skullmask(
        "report", "slices.npy", "--truth", "truth.npy", "-o", "out", "-p", "sizes=20:30:5"
    )
    assert (code, err) == (0, [])
    assert out == "The report: out/report.html\n"
    assert files(slices / "out") == MADE
    _, out, _ = skullmask("score", "out/masks.npy", "truth.npy", "--json")
    for row, scores in zip(read_csv("out/scores.csv"), json.loads(out)["slices"], strict=True):
        del scores["name"]
        for name, value in scores.items():
            assert row[name] == repr(value)
    page = (slices / "out" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert page.index("default-src 'none'") < 500
    assert 'type="checkbox"' in page
    recorded = json.loads((slices / "out" / "provenance.json").read_text(encoding="utf-8"))
    checksum = provenance.sha256("truth.npy")
    assert recorded["inputs"]["truth"] == {"name": "truth.npy", "sha256": checksum}
    assert recorded["parameters"]["sizes"] == "20:30:5"
    others = [name for name in MADE if name != "provenance.json"]
    assert recorded["files"] == {name: provenance.contents(Path("out", name)) for name in others}
    command = "skullmask report slices.npy --truth truth.npy -p sizes=20:30:5 -o report"
    assert recorded["command"] == command


@pytest.mark.full
def test_a_lesson_on_volumes_needs_no_truth(folder, skullmask):
    x, y, z = np.mgrid[-1:1:60j, -1:1:72j, -1:1:60j]
    radius = np.sqrt(x**2 + y**2 + z**2)
    layers = [radius < 0.68, radius < 0.72, radius < 0.8, radius < 0.9]
    head = np.select(layers, [110.0, 25.0, 10.0, 150.0])
    nib.save(nib.Nifti1Image(head.astype(np.float32), np.diag([3, 3, 3, 1])), "head.nii.gz")
    code, _, err = skullmask(
        "report", "head.nii.gz", "-o", "out", "--notebook", "11_brain_mask_of_a_volume"
    )
    assert (code, err) == (0, [])
    assert "head.nii.gz" in (folder / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.full
def test_a_report_of_a_volume_shows_its_planes_and_doubts_what_does_not_fit(folder, skullmask):
    """Near its vertex a sphere is cut at a slant: the masks there are named, and drawn apart."""
    radii_mm = [70, 68, 65, 61, 56, 50, 42]
    images = np.stack([ring_head(axes_mm=(radius, radius))[0] for radius in radii_mm])
    nib.save(nib.Nifti1Image(images.T.astype(np.float32), np.diag([1, 1, 9, 1])), "head.nii")
    assert skullmask("report", "head.nii", "-o", "out")[0] == 0
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "axial, coronal and sagittal plane" in page
    qualities = [float(row["quality"]) for row in read_csv("out/scores.csv")]
    assert min(qualities[:4]) >= polar.TRUSTED > max(qualities[4:])
    assert skullmask("report", "head.nii", "-o", "part", "-p", "slices=1:3")[0] == 0
    page = (folder / "part" / "report.html").read_text(encoding="utf-8")
    assert "axial, coronal and sagittal plane" not in page


def test_a_report_is_replaced_as_a_whole(slices, skullmask):
    assert skullmask("report", "slices.npy", "-o", "out")[0] == 0
    image = nib.Nifti1Image(np.moveaxis(np.load("slices.npy"), 0, 2), np.eye(4))
    nib.save(image, "head.nii.gz")
    assert skullmask("report", "head.nii.gz", "-o", "out")[0] == 0
    assert files(slices / "out") == sorted(["masks.nii.gz", *MADE[1:]])


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
        Path("out/provenance.json").write_text(json.dumps({"files": [*MADE, "note.txt"]}))
    before = contents_of(slices)
    code, _, [line] = skullmask("report", "slices.npy", "-o", "out")
    assert code == 2
    assert re.fullmatch(r"skullmask: out: holds (masks\.npy|note\.txt), .*", line)
    assert contents_of(slices) == before


@pytest.mark.full
def test_a_death_while_a_report_takes_its_place_loses_neither(own, folder, skullmask, monkeypatch):
    arguments = ("report", "phantom", "-o", "out", "--notebook", own("width"))
    assert skullmask(*arguments)[0] == 0
    replace = os.replace
    calls = []
    for deadly in (1, 2):

        def dying(source, target, deadly=deadly):
            calls.append(target)
            if len(calls) == deadly:
                raise KeyboardInterrupt
            replace(source, target)

        calls.clear()
        monkeypatch.setattr(os, "replace", dying)
        assert skullmask(*arguments)[0] == 130
        monkeypatch.setattr(os, "replace", replace)
        assert files(folder / "out") == MADE[1:4]
        assert skullmask(*arguments)[0] == 0
        assert files(folder / "out") == MADE[1:4]


@pytest.mark.full
def test_two_runs_at_once_do_not_harm_each_other(own, folder):
    path = own("import time\ntime.sleep(1)")
    command = [*SKULLMASK, "report", "phantom", "-o", "out", "--notebook", path]
    options = {"cwd": folder, "stderr": subprocess.PIPE, "text": True}
    for run in [subprocess.Popen(command, **options) for _ in range(2)]:
        _, err = run.communicate()
        assert (run.returncode, err) == (0, "")
    assert files(folder / "out") == MADE[1:4]
    assert files(folder) == ["out", "own.ipynb"]


@pytest.mark.parametrize(
    ("text", "pathless"),
    [
        ('File "/home/jo/lib/a.py", line 3', 'File "…/a.py", line 3'),
        ("~/PATIENT/lib/mylib.py:1", "…/mylib.py:1"),
        ("path=/dev/shm/DOE/a.npy; error:/dev/shm/DOE/b.npy", "path=…/a.npy; error:…/b.npy"),
        ("see file:///data/DOE/c.npy", "see …/c.npy"),
        ("/data/JOHN DOE/in/x.npy, /data/JOHN DOE", "…/x.npy, …"),
        (r"C:\Users\jo\x.py", "…/x.py"),
        (r"'C:\\Users\\jo\\x.nii', 'D:\\a\\y'", "'…/x.nii', '…/y'"),
        ("C:/Users/jo/x.nii", "…/x.nii"),
        (r"C:\Users\John Doe\x.nii and E:\c\y", "…/x.nii and …/y"),
        (r"\\server\share\Doe\x.nii", "…/x.nii"),
        ("file:///C:/Users/jo/x.nii", "…/x.nii"),
        ("C:\\a\\b.py\nnext\n/home/jo/c.py", "…/b.py\nnext\n…/c.py"),
        (r"12:30, a:b, \alpha / 2, http://x.y/z", r"12:30, a:b, \alpha / 2, http://x.y/z"),
        ("5 km/h, n/a, 3/4, </b>, https://a.org/b/c", "5 km/h, n/a, 3/4, </b>, https://a.org/b/c"),
        (str(Path.home()), "…"),
    ],
)
def test_folders_are_taken_out_of_a_text(text, pathless):
    assert privacy.pathless(text, "/data/JOHN DOE") == pathless


@pytest.mark.full
def test_no_name_of_a_patient_or_a_folder_leaves_the_house(tmp_path, monkeypatch, skullmask):
    home = tmp_path / "DOE_JOHN_19700101"
    home.mkdir()
    monkeypatch.chdir(home)
    images, truth = heads()
    for name, array in (("scan", images), ("truth", truth)):
        save_with_a_name(home / f"{name}.nii", np.moveaxis(array, 0, 2).astype(np.float32))
    (home / "DOE JOHN").mkdir()
    for index, image in enumerate(images):
        save_picture(home / "DOE JOHN" / f"{index}.png", image)
    save_dicom_with_a_name(home / "DOE DICOM", (1000 * images).astype(np.int16))
    save_notebook_that_tells_paths(home / "broken.ipynb")
    runs = (
        (home / "scan.nii", "--truth", home / "truth.nii", "-o", "../nifti"),
        (home / "DOE JOHN", "-o", "../pictures"),
        (home / "DOE DICOM", "-o", "../dicom"),
        ("DOE JOHN", "-o", "../one", "--notebook", "broken.ipynb"),
        ("DOE JOHN", "-o", "../grid", "--notebook", "broken.ipynb", "--grid", "count=1"),
    )

    assert [skullmask("report", *run)[0] for run in runs] == [0, 0, 0, 1, 1]

    written = [path for path in tmp_path.rglob("*") if path.is_file() and home not in path.parents]
    assert len(written) == 5 + 4 + 3 + 5 + 3 + (2 + 3)
    assert tmp_path / "dicom" / "masks.nii.gz" in written
    package = Path(sm.__file__).parent
    secrets = ("DOE", "JOHN", "19700101", f"{tmp_path}", f"{package.parent}/", f"{Path.home()}/")
    for path in written:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        # In the base64 of a picture three letters may stand side by side by chance
        content = re.sub(rb"[A-Za-z0-9+/]{400,}", b"", content)
        for secret in secrets:
            assert secret.encode() not in content, f"{secret} in {path}"
    assert b"missing.npy" in (tmp_path / "one_failed" / "report.html").read_bytes()


def save_with_a_name(path, volume):
    """Write NIfTI with the name of a patient in every text of its header."""
    image = nib.Nifti1Image(volume, np.eye(4))
    image.header["descrip"] = b"DOE^JOHN"
    image.header["aux_file"] = b"19700101"
    image.header["db_name"] = b"DOE"
    image.header["intent_name"] = b"DOE"
    image.header["data_type"] = b"DOE^JOHN"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"DOE^JOHN"))
    nib.save(image, path)


def save_dicom_with_a_name(folder, volume):
    """Write a DICOM series with the name of a patient in its texts."""
    texts = (
        "PatientName",
        "PatientID",
        "PatientAddress",
        "InstitutionName",
        "StationName",
        "OperatorsName",
        "StudyID",
        "StudyDescription",
        "SeriesDescription",
        "ImageComments",
    )
    dates = {
        "PatientBirthDate": "19700101",
        "StudyDate": "19700101",
        "SeriesInstanceUID": "1.2.19700101",
    }
    tags = dict.fromkeys(texts, "DOE^JOHN") | dates
    for file in write_series(folder, volume, spacing_mm=(1, 1), **tags):
        assert file.read_bytes().count(b"DOE^JOHN") == len(texts)


def save_notebook_that_tells_paths(path):
    """Write a notebook that warns of a folder, and fails with a path in its error."""
    parameters = nbformat.v4.new_code_cell(
        'images: str = "phantom"\ncount: int = 1', metadata={"tags": ["parameters"]}
    )
    warning = nbformat.v4.new_code_cell(
        "import warnings\nwarnings.warn('see ' + __import__('os').path.abspath(images))"
    )
    error = nbformat.v4.new_code_cell(
        "import os, skullmask_lib as sm\nsm.load(os.path.realpath(images) + '/missing.npy')"
    )
    notebook = nbformat.v4.new_notebook(cells=[parameters, warning, error])
    nbformat.write(notebook, path)


def test_no_folder_of_windows_leaves_the_house_in_an_output(own, folder, skullmask):
    lines = (
        "import warnings",
        "path = chr(92).join(['C:', 'Users', 'D' + 'OE', 'x.nii'])",
        "warnings.warn(path)",
        "print(path, repr(path), path.replace(chr(92), '/'), chr(27) + '[2Jx')",
        "{'a path': [path]}",
    )
    assert skullmask("report", "phantom", "-o", "out", "--notebook", own("\n".join(lines)))[0] == 0
    for name in ("report.ipynb", "report.html"):
        text = (folder / "out" / name).read_text(encoding="utf-8")
        assert "DOE" not in text
        assert text.count("…/x.nii") >= 5
        assert "\x1b" not in text
        assert "\\u001b" not in text


@pytest.mark.full
def test_no_links_and_no_hard_links_no_matter(slices, skullmask, monkeypatch):
    """Windows lets not everybody make symbolic links, and another disk knows no hard ones."""
    Path("pictures/DOE").mkdir(parents=True)
    for index, image in enumerate(np.load("slices.npy")):
        save_picture(f"pictures/{index}.png", image)

    monkeypatch.setattr(os, "symlink", refuse_to_link)
    for has_hard_links in (True, False):
        if not has_hard_links:
            monkeypatch.setattr(os, "link", refuse_to_link)
        work = slices / f"work {has_hard_links}"
        work.mkdir()
        array = work / inputs.link(work, "images", "slices.npy")
        assert not array.is_symlink()
        assert array.read_bytes() == Path("slices.npy").read_bytes()
        assert (array.stat().st_nlink > 1) == has_hard_links
        folder = work / inputs.link(work, "truth", "pictures")
        assert files(folder) == ["0.png", "1.png", "2.png"]
        assert (folder / "1.png").read_bytes() == Path("pictures/1.png").read_bytes()

    code, _, err = skullmask(
        "report", "slices.npy", "--truth", "truth.npy", "-o", "out", "-p", "sizes=26"
    )
    assert (code, err) == (0, [])
    assert Path("slices.npy").is_file()
    assert files(slices / "out") == MADE


def refuse_to_link(*_, **__):
    raise OSError(1314, "A required privilege is not held by the client")


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
    copy = work / inputs.link(work, "images", ".")
    assert os.listdir(copy) == ["0.png"]
    header = work / inputs.link(work, "truth", "head.hdr")
    assert sorted(os.listdir(header.parent)) == ["head.hdr", "head.img"]


@pytest.mark.full
def test_the_slices_of_a_series_go_by_its_folder_on_the_terminal_alone(folder, skullmask):
    images = np.random.default_rng(1).integers(0, 1000, (3, 64, 64)).astype(np.int16)
    write_series(folder / "JOHN DOE", images, spacing_mm=(3, 3))
    code, _, err = skullmask(
        "report", "JOHN DOE", "-o", "out", "-p", "overlay_count=1", "--version", "v2"
    )
    assert code == 0
    [line] = [line for line in err if "look at the mask" in line]
    assert "JOHN DOE[0] … JOHN DOE[2]" in line
    names = [row["name"] for row in report.scores(folder / "out")]
    assert names == ["series[0]", "series[1]", "series[2]"]
    assert "JOHN" not in (folder / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("version", ["v7,v5,v6", "v8,v6,V5", ["v6", "v7"]])
def test_versions_that_a_width_makes_the_same_are_refused(version):
    path = notebooks.find("report")
    images = {"images": "phantom-cropped"}
    with refused("report.ipynb", naming=["dilation_size=5"]):
        inputs.prepare(path, images, {"version": version, "dilation_size": 5})
    inputs.prepare(path, images, {"version": version, "dilation_size": 0})
    inputs.prepare(path, images, {"version": "v8,v7", "dilation_size": 5})


@pytest.mark.full
def test_a_width_that_was_given_is_in_the_sweep_and_of_its_version_alone(slices, skullmask):
    parameters = with_parameters("dilation_size=13", "sizes=20:30:10", "overlay_count=1")
    options = ("--truth", "truth.npy", "-o", "out", "--version", "v7,v8", *parameters)
    assert skullmask("report", "slices.npy", *options)[0] == 0
    texts = []
    for output in outputs_of(slices / "out" / "report.ipynb"):
        texts.append(output.get("data", {}).get("text/markdown", ""))
    images = np.load("slices.npy")
    truths = np.load("truth.npy")

    def mean_iou(version, **options):
        masks = [sm.VERSIONS[version](image, **options) for image in images]
        return np.mean([sm.iou(*pair) for pair in zip(masks, truths, strict=True)])

    [ladder] = [text for text in texts if "width [px]" in text]
    rows = {}
    for line in ladder.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        rows[cells[1]] = (cells[2], cells[6])
    assert rows["v5"] == (f"{mean_iou('v5'):.4f}", "16")
    assert rows["v6"] == (f"{mean_iou('v6'):.4f}", "22")
    assert rows["v7"] == (f"{mean_iou('v7', dilation_size=13):.4f}", "13")
    [sweep] = [text for text in texts if "Best width" in text]
    assert f"13 px: IoU {mean_iou('v7', dilation_size=13):.4f}" in sweep


def with_parameters(*assignments):
    """Give the options that pass parameters to a notebook."""
    options = []
    for assignment in assignments:
        options += ["-p", assignment]
    return options


@pytest.mark.full
def test_slices_of_unknown_truth_are_shown_and_left_out_of_means(slices, skullmask):
    truth = np.load("truth.npy")
    truth[1] = 0
    np.save("truth.npy", truth)
    options = ("--truth", "truth.npy", "-o", "out", "-p", "sizes=26")
    assert skullmask("report", "slices.npy", *options)[0] == 0
    first, unknown, last = report.scores(slices / "out")
    for score in ("iou", "dice", "assd_px"):
        assert np.isnan(unknown[score])
    assert unknown["quality"] > 0
    page = (slices / "out" / "report.html").read_text(encoding="utf-8")
    mean_iou = np.mean([first["iou"], last["iou"]])
    assert f"mean IoU <strong>{mean_iou:.4f}</strong>" in page
    assert "The truth of 1 slice is empty" in page
    assert "slices.npy[1] by v8, quality" in page


@pytest.mark.full
@pytest.mark.parametrize(("known", "options"), [([], []), ([0], ["-p", "slices=1:2"])])
def test_no_width_is_best_where_no_truth_is_known(slices, skullmask, known, options):
    truth = np.load("truth.npy")
    partly_known = np.zeros_like(truth)
    partly_known[known] = truth[known]
    np.save("some.npy", partly_known)
    truth_options = ("--truth", "some.npy", "-p", "sizes=26", *options)
    code, _, err = skullmask("report", "slices.npy", "-o", "out", *truth_options)
    assert code == 0
    assert any("some.npy" in line for line in err) == bool(known)
    page = (slices / "out" / "report.html").read_text(encoding="utf-8")
    assert "Best width <strong>" not in page
    scores = [row.get("iou") for row in report.scores(slices / "out")]
    assert scores == ([None, None] if known else [0, 0, 0])


@pytest.mark.full
def test_what_was_noticed_on_reading_and_masking_is_in_the_report(slices, skullmask, monkeypatch):
    """A notebook's kernel imports what the environment names: a module that warns as readers do."""
    (slices / "site").mkdir()
    (slices / "site" / "sitecustomize.py").write_text(
        "import warnings\nimport skullmask_lib as sm\nload = sm.load\n"
        "def loud(*args, **options):\n"
        "    warnings.warn('slices.npy: a ![remark](http://evil.example)', UserWarning)\n"
        "    return load(*args, **options)\n"
        "sm.load = loud\n"
    )
    house = Path(sm.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{slices / 'site'}{os.pathsep}{house}")
    assert skullmask("report", "slices.npy", "-o", "out", "-p", "overlay_count=1")[0] == 0
    page = (slices / "out" / "report.html").read_text(encoding="utf-8")
    assert "slices.npy: a ![remark](http://evil.example)" in html.unescape(page)
    assert "UserWarning" not in page


@pytest.mark.full
def test_a_demo_says_which_lesson_it_is_at(notebook, skullmask, monkeypatch):
    first = notebook("1")
    second = first.with_name("other.ipynb")
    second.write_bytes(first.read_bytes())
    monkeypatch.setattr(notebooks, "journey", lambda: [first, second])
    for module in (sweeps, demo):
        monkeypatch.setattr(
            module, "phantom_ladder", lambda: [("v1", 0.7, 0.7, 0.0, 0.7, "by construction")]
        )
    code, out, err = skullmask("demo", "--out", "page")
    assert code == 0
    assert err == ["lesson 1 of 2: tiny", "lesson 2 of 2: other"]
    *_, legend = out.rpartition("|")
    for column in ("published", "phantom", "other seeds", "agreement"):
        assert column in legend
    assert out.endswith("The page: page/index.html\n")


EVIL = (
    '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "a`<form action=https://evil.example/>",
    "n\n\n# Approved for clinical use\n\n|x",
    "[click](https://evil.example/)",
    "![x](https://evil.example/x.png)",
    "https://evil.example/ www.evil.example",
    '=HYPERLINK("https://evil.example")',
    "a\x1b[2Jb",
)


@pytest.mark.full
def test_names_in_a_file_are_only_names_in_the_page(slices, skullmask):
    images = np.load("slices.npy")[np.arange(len(EVIL)) % 3]
    # masks of noise are to be looked at, and so named in lists
    images[4:] = np.random.default_rng(0).random(images[4:].shape)
    np.savez("slices.npz", images=images, names=np.array(EVIL))
    title = f"{EVIL[0]} {EVIL[3]} {EVIL[4]}"
    options = with_parameters(f"title={title}", "overlay_count=8")
    code, _, err = skullmask("report", "slices.npz", "-o", "out", *options)
    assert code == 0
    assert "\x1b" not in "".join(err)
    page = (slices / "out" / "report.html").read_text(encoding="utf-8")
    own = page.count('http-equiv="Content')
    escaped = page.count("&lt;meta http-equiv")
    assert page.count("http-equiv") == own + escaped
    assert not re.search(r"<form|<script|<h\d>Approved", page)
    assert page.count("evil.example") > 3
    assert not re.search(r"""<a [^>]*evil|(?:src|href)=["']?http|\x1b""", page)
    names = [row["name"] for row in read_csv("out/scores.csv")]
    assert names[6:] == [f"'{EVIL[6]}", "a\\x1b[2Jb"]


def test_parameters_reach_the_report(slices, skullmask):
    parameters = with_parameters(
        "dilation_size=9", "title=Three rings", "slices=1:2", "spacing_mm=2,2", "overlay_count=1"
    )
    options = ("-o", "out", "--version", "v7,v1", *parameters)
    code, _, err = skullmask("report", "slices.npy", *options)
    assert code == 0
    assert err == doubted("slices.npy[1] … slices.npy[2]")
    expected = [sm.v7(image, dilation_size=9) for image in np.load("slices.npy")[1:]]
    assert_array_equal(np.load("out/masks.npy"), expected)
    page = (slices / "out" / "report.html").read_text(encoding="utf-8")
    assert "<title>Three rings</title>" in page
    assert "2 × 2 mm" in page
    assert page.count("Masks, lowest quality first: slices.npy[") == 1


@pytest.mark.parametrize("kind", ["tif", *later("npy", "png", "folder", "npz")])
def test_masks_come_in_the_format_of_the_images(slices, skullmask, kind):
    images = (255 * np.load("slices.npy")).astype(np.uint8)
    source, masks = {
        "npy": ("slices.npy", "masks.npy"),
        "npz": ("slices.npz", "masks.npy"),
        "tif": ("slices.tif", "masks.npy"),
        "png": ("slice.png", "masks.png"),
        "folder": ("pictures", "masks"),
    }[kind]
    np.savez("slices.npz", images=images)
    first, *others = [Image.fromarray(image) for image in images]
    first.save("slices.tif", save_all=True, append_images=others)
    first.save("slice.png")
    Path("pictures").mkdir()
    first.save("pictures/a.png")
    code, _, err = skullmask("report", source, "-o", "out", "-p", "overlay_count=1")
    assert (code, err) == (0, [])
    assert masks in files(slices / "out")
    assert skullmask("score", f"out/{masks}", f"out/{masks}")[0] == 0


@pytest.mark.full
def test_small_slices_are_reported_on_without_the_versions_that_do_not_fit(folder, skullmask):
    np.save("small.npy", ring_head((20, 18), (10, 10))[0])
    assert skullmask("report", "small.npy", "-o", "out")[0] == 0
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "<td>v5</td>" in page or ">v5<" in page
    assert ">v7<" not in page


@pytest.fixture
def own(folder):
    """Write a small notebook of one's own that takes images."""

    def make(*cells, name="own"):
        parameters = nbformat.v4.new_code_cell(
            'images: str = "phantom"  # what\nwidth: int = 1  # [px], 0 … 9'
        )
        parameters.metadata["tags"] = ["parameters"]
        notebook = nbformat.v4.new_notebook()
        notebook.cells = [parameters, *map(nbformat.v4.new_code_cell, cells)]
        nbformat.write(notebook, folder / f"{name}.ipynb")
        return f"{name}.ipynb"

    return make


def test_a_notebook_of_ones_own_runs_where_nothing_of_the_working_folder_is_imported(
    own, folder, skullmask
):
    (folder / "csv.py").write_text("raise RuntimeError('not this one')")
    path = own("import csv, os\nprint(width, sorted(os.listdir()))")
    assert skullmask("report", "phantom", "-o", "out", "--notebook", path, "-p", "width=4")[0] == 0
    assert files(folder / "out") == MADE[1:4]
    assert "4 []" in printed(folder / "out" / "report.ipynb")


def test_a_kernel_that_dies(own, folder, skullmask):
    path = own("print('so far')", "import os\nos.kill(os.getpid(), 9)")
    code, out, err = skullmask("report", "phantom", "-o", "out", "--notebook", path)
    assert (code, out) == (1, "")
    [line] = err
    assert line.startswith("skullmask: own.ipynb: ")
    assert "kernel died" in line
    assert "out_failed/report.ipynb" in line
    assert files(folder) == ["out_failed", "own.ipynb"]
    assert files(folder / "out_failed") == MADE[1:4]
    assert "so far" in printed(folder / "out_failed" / "report.ipynb")


def test_what_failed_is_gone_once_it_went_well(own, folder, skullmask):
    arguments = ("report", "phantom", "-o", "out", "--notebook", own("1 / width"))
    assert skullmask(*arguments, "-p", "width=0")[0] == 1
    assert skullmask(*arguments)[0] == 0
    assert files(folder / "out") == MADE[1:4]
    assert not (folder / "out_failed").exists()


@pytest.mark.full
@pytest.mark.parametrize("limit", [100_000, 1_000])
def test_a_disk_that_is_full(own, folder, limit):
    """A limit on the size of files stands in for it: at once, or once the notebook has run."""
    path = own("print('so far')", "open('large.bin', 'wb').write(bytes(200_000))")
    program = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        f"sys.argv = ['skullmask', 'report', 'phantom', '-o', 'out', '--notebook', {path!r}]\n"
        "from skullmask_lib.cli.main import main; main()"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    [line] = run.stderr.splitlines()
    assert "File too large" in line
    assert run.returncode == (1 if limit > 10_000 else 2)
    assert not (folder / "out" / "report.html").exists()
    if limit > 10_000:
        assert line.endswith(" out_failed/report.ipynb")
        assert "so far" in printed(folder / "out_failed" / "report.ipynb")


@pytest.mark.full
def test_a_killed_run_leaves_nothing_behind_for_the_next(own, folder, skullmask):
    path = own("import time\ntime.sleep(60 * width)")
    command = [*SKULLMASK, "report", "phantom", "-o", "out", "--notebook", path]
    with subprocess.Popen(command, cwd=folder) as run:
        wait_for(lambda: list(folder.glob(".out-*")), seconds=60)
        run.kill()
    assert list(folder.glob(".out-*"))
    assert skullmask("report", "phantom", "-o", "out", "--notebook", path, "-p", "width=0")[0] == 0
    assert files(folder / "out") == MADE[1:4]
    assert files(folder) == ["out", "own.ipynb"]


# --- in a browser --------------------------------------------------------------------------------

A4_PX = 703  # the width between the margins, at 96 dots per inch


@pytest.fixture(params=["phantom", "nifti", "pictures", "five"])
def source(request, slices):  # noqa: ARG001
    """Give what to report on: images, and options."""
    if request.param == "phantom":
        return "phantom", ()
    if request.param == "five":
        five = request.getfixturevalue("real") / "five"
        return five / "images.npy", ("--truth", five / "masks.npy")
    images = np.load("slices.npy")
    if request.param == "nifti":
        nib.save(nib.Nifti1Image(np.moveaxis(images, 0, 2), np.eye(4)), "head.nii.gz")
        return "head.nii.gz", ("--version", "v8,v7")
    Path("pictures").mkdir()
    for index, image in enumerate(images):
        save_picture(f"pictures/a long name of a picture {index}.png", image)
    return "pictures", ()


@pytest.mark.full
def test_a_page_of_lessons_hides_the_code_that_jupyterlab_folds(tmp_path):
    pages.page([notebooks.lessons()[1]], tmp_path / "page.html", name="A page")
    with chromium() as browser:
        page, _ = open_page(browser)
        page.goto((tmp_path / "page.html").as_uri())
        folded = page.locator(".celltag_hide-input .jp-InputArea").first
        assert page.get_by_text("between_class_variance(gray)").first.is_visible()
        assert not folded.is_visible()
        page.get_by_label("show the hidden code").check()
        assert folded.is_visible()


@pytest.mark.full
def test_a_page_needs_no_network_and_fits_screen_and_paper(source, skullmask, slices):
    images, options = source
    assert skullmask("report", images, "-o", "out", *options)[0] == 0
    path = slices / "out" / "report.html"
    assert path.stat().st_size < 3e6
    with chromium() as browser:
        page, errors = open_page(browser)
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.context.set_offline(True)
        page.goto(path.as_uri())
        for address in requests:
            assert address.startswith(("file:", "data:"))
        assert errors == []
        pictures = page.locator("img").all()
        assert len(pictures) >= 3
        for picture in pictures:
            assert picture.evaluate("image => image.naturalWidth") > 500
            assert len(picture.get_attribute("alt")) > 20
        code = page.locator(".jp-CodeCell .jp-InputArea").first
        assert not code.is_visible()
        page.get_by_label("show the code").check()
        assert code.is_visible()
        page.get_by_label("show the code").uncheck()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.emulate_media(media="print")
        page.set_viewport_size({"width": A4_PX, "height": 1000})
        assert page.evaluate("document.documentElement.scrollWidth") <= A4_PX
        ends = page.locator("table, img, pre").evaluate_all(
            "all => all.map(e => e.getBoundingClientRect().right)"
        )
        assert max(ends) <= A4_PX
        assert len(page.pdf(format="A4")) > 10_000
