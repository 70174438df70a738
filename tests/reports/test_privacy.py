"""What a report keeps to itself, patients and folders; names in its inputs never become code."""

import gzip
import re
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from dicoms import write_series
from inputs import ring_heads, ring_truths
from reporting import page_in, save_pictures, with_parameters, write_notebook
from result_tables import column, rows_of

import skullmask_lib as sm
from skullmask_lib.reports import privacy, report

# --- folders -------------------------------------------------------------------------------------


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


def test_no_folder_of_windows_leaves_the_house_in_an_output(notebook, skullmask):
    path = notebook(
        "import warnings\n"
        "path = chr(92).join(['C:', 'Users', 'D' + 'OE', 'x.nii'])\n"
        "warnings.warn(path)\n"
        "print(path, repr(path), path.replace(chr(92), '/'), chr(27) + '[2Jx')\n"
        "{'a path': [path]}"
    )
    times_shown = 5
    assert skullmask("report", "phantom", "-o", "out", "--notebook", path)[0] == 0
    for name in ("report.ipynb", "report.html"):
        text = Path("out", name).read_text(encoding="utf-8")
        assert "DOE" not in text
        assert text.count("…/x.nii") >= times_shown
        assert "\x1b" not in text
        assert "\\u001b" not in text


@pytest.mark.full
def test_the_slices_of_a_series_go_by_its_folder_on_the_terminal_alone(folder, skullmask):
    noise = np.random.default_rng(1).integers(0, 1000, (3, 64, 64)).astype(np.int16)
    write_series(folder / "JOHN DOE", noise, spacing_mm=(3, 3))
    options = ("--version", "v2", "-p", "overlay_count=1")
    code, _, err = skullmask("report", "JOHN DOE", "-o", "out", *options)
    assert code == 0
    [line] = [line for line in err if "look at the mask" in line]
    assert "JOHN DOE[0] … JOHN DOE[2]" in line
    assert column(report.scores(Path("out")), "name") == ["series[0]", "series[1]", "series[2]"]
    assert "JOHN" not in page_in("out")


# --- patients ------------------------------------------------------------------------------------


@pytest.mark.full
def test_no_name_of_a_patient_or_a_folder_leaves_the_house(tmp_path, monkeypatch, skullmask):
    home = tmp_path / "DOE_JOHN_19700101"
    home.mkdir()
    monkeypatch.chdir(home)
    save_with_a_name("scan.nii", ring_heads())
    save_with_a_name("truth.nii", ring_truths())
    save_pictures("DOE JOHN", ring_heads())
    save_dicom_with_a_name(home / "DOE DICOM", (1000 * ring_heads()).astype(np.int16))
    save_notebook_that_tells_paths("broken.ipynb")
    runs = (
        (home / "scan.nii", "--truth", home / "truth.nii", "-o", "../nifti"),
        (home / "DOE JOHN", "-o", "../pictures"),
        (home / "DOE DICOM", "-o", "../dicom"),
        ("DOE JOHN", "-o", "../one", "--notebook", "broken.ipynb"),
        ("DOE JOHN", "-o", "../grid", "--notebook", "broken.ipynb", "--grid", "width=1"),
    )

    assert [skullmask("report", *run)[0] for run in runs] == [0, 0, 0, 1, 1]

    written = [path for path in tmp_path.rglob("*") if path.is_file() and home not in path.parents]
    counts = Counter(path.relative_to(tmp_path).parts[0] for path in written)
    assert counts == {"nifti": 5, "pictures": 7, "dicom": 5, "one_failed": 3, "grid": 5}
    assert tmp_path / "dicom" / "masks.nii.gz" in written
    package = Path(sm.__file__).parent
    secrets = ("DOE", "JOHN", "19700101", f"{tmp_path}", f"{package.parent}/", f"{Path.home()}/")
    for path in written:
        text = text_of(path)
        for secret in secrets:
            assert secret.encode() not in text, f"{secret} in {path}"
    assert "missing.npy" in page_in(tmp_path / "one_failed")


def save_with_a_name(path, slices):
    """Write NIfTI with the name of a patient in every text of its header."""
    image = nib.Nifti1Image(np.moveaxis(slices, 0, 2).astype(np.float32), np.eye(4))
    image.header["descrip"] = b"DOE^JOHN"
    image.header["aux_file"] = b"19700101"
    image.header["db_name"] = b"DOE"
    image.header["intent_name"] = b"DOE"
    image.header["data_type"] = b"DOE^JOHN"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"DOE^JOHN"))
    nib.save(image, path)


def save_dicom_with_a_name(folder, slices):
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
    for file in write_series(folder, slices, spacing_mm=(1, 1), **tags):
        assert file.read_bytes().count(b"DOE^JOHN") == len(texts)


def save_notebook_that_tells_paths(path):
    """Write a notebook that warns of a folder, and fails with a path in its error."""
    warning = "import os, warnings\nwarnings.warn('see ' + os.path.abspath(images))"
    error = "import skullmask_lib as sm\nsm.load(os.path.realpath(images) + '/missing.npy')"
    write_notebook(path, warning, error)


def text_of(path):
    """Read a file, unzipped and without pictures: in base64 any letters may meet by chance."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    return re.sub(rb"[A-Za-z0-9+/]{400,}", b"", content)


# --- names that would be code --------------------------------------------------------------------

EVIL = {
    "a redirection": '<meta http-equiv="refresh" content="0;url=https://evil.example/">',
    "a form": "a`<form action=https://evil.example/>",
    "a heading": "n\n\n# Approved for clinical use\n\n|x",
    "a link": "[click](https://evil.example/)",
    "a picture": "![x](https://evil.example/x.png)",
    "addresses": "https://evil.example/ www.evil.example",
    "a formula": '=HYPERLINK("https://evil.example")',
    "an escape": "a\x1b[2Jb",
}


@pytest.mark.full
@pytest.mark.usefixtures("slices")
def test_names_in_a_file_are_only_names_in_the_page(skullmask):
    heads = np.load("slices.npy")
    # Masks of noise are to be looked at, and so named in lists
    noise = np.random.default_rng(0).random((4, *heads[0].shape))
    images = np.concatenate([heads, heads[:1], noise])
    np.savez("slices.npz", images=images, names=list(EVIL.values()))
    title = f"{EVIL['a redirection']} {EVIL['a link']} {EVIL['a picture']}"
    options = with_parameters(f"title={title}", f"overlay_count={len(EVIL)}")
    code, _, err = skullmask("report", "slices.npz", "-o", "out", *options)
    assert code == 0
    assert "\x1b" not in "".join(err)
    page = page_in("out")
    own = page.count('http-equiv="Content')
    escaped = page.count("&lt;meta http-equiv")
    assert page.count("http-equiv") == own + escaped
    assert not re.search(r"<form|<script|<h\d>Approved", page)
    assert page.count("evil.example") > 3
    assert not re.search(r"""<a [^>]*evil|(?:src|href)=["']?http|\x1b""", page)
    *_, formula, escape = column(rows_of("out/scores.csv"), "name")
    assert formula == f"'{EVIL['a formula']}"
    assert escape == r"a\x1b[2Jb"
