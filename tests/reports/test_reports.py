"""A report on one's own slices or volume: what it scores, shows and says, on screen and on paper."""

import html
import json
import os
import re
import subprocess
from pathlib import Path

import nbformat
import nibabel as nib
import numpy as np
import pytest
from browser import chromium, open_page
from inputs import doubted, later, ring_head
from numpy.testing import assert_array_equal
from pages import HOUSE, table_of
from PIL import Image
from reporting import (
    REPORT_ON_ARRAY,
    names_in,
    outputs_of,
    page_in,
    save_pictures,
    with_parameters,
)
from result_tables import by_first_cell, numbers, rows_of

import skullmask_lib as sm
from skullmask_lib import plots, polar, versions
from skullmask_lib.errors import EmptyMaskWarning
from skullmask_lib.reports import provenance, report

# --- what it is made of --------------------------------------------------------------------------


@pytest.mark.usefixtures("slices")
def test_a_report_with_truth(skullmask):
    options = ("--truth", "truth.npy", "-o", "out", "-p", "sizes=20:30:5")
    code, out, err = skullmask("report", "slices.npy", *options)
    assert (code, err) == (0, [])
    assert out == "The report: out/report.html\n"
    assert names_in("out") == REPORT_ON_ARRAY

    _, out, _ = skullmask("score", "out/masks.npy", "truth.npy", "--json")
    for row, scores in zip(rows_of("out/scores.csv"), json.loads(out)["slices"], strict=True):
        del scores["name"]
        for name, value in scores.items():
            assert row[name] == repr(value)

    page = page_in("out")
    assert "<script" not in page
    first_characters = page[:500]
    assert "default-src 'none'" in first_characters
    assert 'type="checkbox"' in page

    recorded = json.loads(Path("out/provenance.json").read_text(encoding="utf-8"))
    checksum = provenance.sha256("truth.npy")
    assert recorded["inputs"]["truth"] == {"name": "truth.npy", "sha256": checksum}
    assert recorded["parameters"]["sizes"] == "20:30:5"
    others = [name for name in REPORT_ON_ARRAY if name != "provenance.json"]
    assert recorded["files"] == {name: provenance.contents(Path("out", name)) for name in others}
    command = "skullmask report slices.npy --truth truth.npy -p sizes=20:30:5 -o report"
    assert recorded["command"] == command


def git(*arguments):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *identity, *arguments], check=True)


def test_a_report_names_the_commit_and_whether_files_were_changed_or_added(folder, monkeypatch):
    monkeypatch.setattr(provenance.project, "project_folder", lambda name: folder / name)
    module = Path("skullmask_lib/a.py")
    module.parent.mkdir()
    git("init", "-q")
    versions = [provenance.library()]  # git fails: there is no commit yet
    git("commit", "-q", "--allow-empty", "-m", "a")
    versions.append(provenance.library())
    module.write_text("1")
    versions.append(provenance.library())
    module.write_text("2")
    versions.append(provenance.library())
    git("add", ".")
    versions.append(provenance.library())
    installed, committed, *changed = versions
    assert "(" not in installed
    assert re.fullmatch(rf"{re.escape(installed)} \(commit [0-9a-f]{{40}}\)", committed)
    assert len(set(changed)) == 3
    for version in changed:
        assert version.startswith(f"{committed[:-1]}, changed: ")


@pytest.mark.usefixtures("slices")
def test_parameters_reach_the_report(skullmask):
    parameters = with_parameters(
        "dilation_size=9", "title=Three rings", "slices=1:2", "spacing_mm=2,2", "overlay_count=1"
    )
    options = ("-o", "out", "--version", "v7,v1", *parameters)
    code, _, err = skullmask("report", "slices.npy", *options)
    assert code == 0
    assert err == doubted("slices.npy[1] … slices.npy[2]")
    expected = [sm.v7(image, dilation_size=9) for image in np.load("slices.npy")[1:]]
    assert_array_equal(np.load("out/masks.npy"), expected)
    page = page_in("out")
    assert "<title>Three rings</title>" in page
    assert "2 × 2 mm" in page
    assert page.count("Masks, lowest quality first: slices.npy[") == 1


MASKS_OF = {
    "slices.npy": "masks.npy",
    "slices.npz": "masks.npy",
    "slices.tif": "masks.npy",
    "slice.png": "masks.png",
    "pictures": "masks",
}


@pytest.mark.parametrize(
    "source", ["slices.tif", *later("slices.npy", "slice.png", "pictures", "slices.npz")]
)
@pytest.mark.usefixtures("slices")
def test_masks_come_in_the_format_of_the_images(skullmask, source):
    heads = np.load("slices.npy")
    images = (255 * heads).astype(np.uint8)
    first, *others = [Image.fromarray(image) for image in images]
    np.savez("slices.npz", images=images)
    first.save("slices.tif", save_all=True, append_images=others)
    first.save("slice.png")
    save_pictures("pictures", heads[:1])
    code, _, err = skullmask("report", source, "-o", "out", "-p", "overlay_count=1")
    assert (code, err) == (0, [])
    masks = MASKS_OF[source]
    assert masks in names_in("out")
    assert skullmask("score", f"out/{masks}", f"out/{masks}")[0] == 0


@pytest.mark.full
def test_small_slices_are_reported_on_without_the_versions_that_do_not_fit(skullmask):
    np.save("small.npy", ring_head((20, 18), (10, 10))[0])
    assert skullmask("report", "small.npy", "-o", "out")[0] == 0
    page = page_in("out")
    assert ">v5<" in page
    assert ">v7<" not in page


@pytest.mark.full
def test_a_report_rates_and_scores_masks_as_the_other_commands_do(skullmask):
    """A ghost joins one head, which v9 corrects before it rates the mask; the other is missing."""
    data = sm.load("phantom")
    image = np.maximum(data.images[0], 0.2 * np.roll(data.images[0], 60, axis=0))
    np.save("two.npy", np.stack([image, np.zeros_like(image)]))
    np.save("truth.npy", data.truth[:2])
    with pytest.warns(EmptyMaskWarning):
        rated = list(versions.masks_with_quality(sm.load("two.npy"), version="v9"))
    options = ("--truth", "truth.npy", "--version", "v9", "-o", "out")
    parameters = with_parameters("overlay_count=1", "sizes=26")
    assert skullmask("report", "two.npy", *options, *parameters)[0] == 0
    rows = rows_of("out/scores.csv")
    assert numbers(rows, "quality") == pytest.approx([quality for _, quality in rated])
    assert numbers(rows, "assd_px")[1] == np.inf
    page = page_in("out")
    assert "ASSD inf px" in page
    assert f"over the other 1 slice: Dice {float(rows[0]['dice']):.4f}" in page


# --- volumes -------------------------------------------------------------------------------------


@pytest.mark.full
def test_a_lesson_on_volumes_needs_no_truth(skullmask):
    x, y, z = np.mgrid[-1:1:60j, -1:1:72j, -1:1:60j]
    radius = np.sqrt(x**2 + y**2 + z**2)
    layers = [radius < 0.68, radius < 0.72, radius < 0.8, radius < 0.9]
    head = np.select(layers, [110.0, 25.0, 10.0, 150.0])
    nib.save(nib.Nifti1Image(head.astype(np.float32), np.diag([3, 3, 3, 1])), "head.nii.gz")
    options = ("-o", "out", "--notebook", "11_brain_mask_of_a_volume")
    code, _, err = skullmask("report", "head.nii.gz", *options)
    assert (code, err) == (0, [])
    assert "head.nii.gz" in page_in("out")


@pytest.mark.full
def test_a_report_of_a_volume_shows_its_planes_and_doubts_what_does_not_fit(skullmask):
    """Near its vertex a sphere is cut at a slant: the masks there are named, and drawn apart."""
    upright_radii_mm = [70, 68, 65, 61]
    slanted_radii_mm = [56, 50, 42]
    slices = []
    for radius_mm in upright_radii_mm + slanted_radii_mm:
        image, _ = ring_head(axes_mm=(radius_mm, radius_mm))
        slices.append(image)
    volume = np.stack(slices).T.astype(np.float32)
    nib.save(nib.Nifti1Image(volume, np.diag([1, 1, 9, 1])), "head.nii")

    assert skullmask("report", "head.nii", "-o", "out")[0] == 0

    assert "axial, coronal and sagittal plane" in page_in("out")
    quality = numbers(rows_of("out/scores.csv"), "quality")
    first_slanted = len(upright_radii_mm)
    assert min(quality[:first_slanted]) >= polar.TRUSTED
    assert max(quality[first_slanted:]) < polar.TRUSTED
    assert skullmask("report", "head.nii", "-o", "part", "-p", "slices=1:3")[0] == 0
    assert "axial, coronal and sagittal plane" not in page_in("part")


# --- truth and widths ----------------------------------------------------------------------------

LADDER_HEADER = (
    "version",
    "mean IoU",
    "lowest IoU",
    "mean area_px",
    "empty masks",
    "width [px]",
)


@pytest.mark.full
@pytest.mark.usefixtures("slices")
def test_a_width_that_was_given_is_in_the_sweep_and_of_its_version_alone(skullmask):
    parameters = with_parameters("dilation_size=13", "sizes=20:30:10", "overlay_count=1")
    options = ("--truth", "truth.npy", "-o", "out", "--version", "v7,v8", *parameters)
    assert skullmask("report", "slices.npy", *options)[0] == 0
    text = markdown_shown("out/report.ipynb")
    ladder = by_first_cell(table_of(text, LADDER_HEADER), LADDER_HEADER)
    for version, width_px in {"v5": 16, "v6": 22, "v7": 13}.items():
        assert ladder[version]["mean IoU"] == mean_iou(version, width_px)
        assert ladder[version]["width [px]"] == f"{width_px}"
    assert "Best width" in text
    assert f"13 px: IoU {mean_iou('v7', 13)}" in text


def markdown_shown(path):
    """Join what the cells of a notebook file show as Markdown."""
    texts = []
    for output in outputs_of(path):
        texts.append(output.get("data", {}).get("text/markdown", ""))
    return "\n".join(texts)


def mean_iou(version, width_px):
    """Compute the mean IoU of a version on the slices, as a report writes it."""
    ious = []
    for image, truth in zip(np.load("slices.npy"), np.load("truth.npy"), strict=True):
        mask = sm.VERSIONS[version](image, dilation_size=width_px)
        ious.append(sm.iou(mask, truth))
    return f"{np.mean(ious):.4f}"


@pytest.mark.full
@pytest.mark.usefixtures("slices")
def test_slices_of_unknown_truth_are_shown_and_left_out_of_means(skullmask):
    truth = np.load("truth.npy")
    truth[1] = 0
    np.save("truth.npy", truth)
    options = ("--truth", "truth.npy", "-o", "out", "-p", "sizes=26")
    assert skullmask("report", "slices.npy", *options)[0] == 0
    first, unknown, last = report.scores(Path("out"))
    for score in ("iou", "dice", "assd_px"):
        assert np.isnan(unknown[score])
    assert unknown["quality"] > 0
    page = page_in("out")
    mean = np.mean([first["iou"], last["iou"]])
    assert f"mean IoU <strong>{mean:.4f}</strong>" in page
    assert "The truth of 1 slice is empty" in page
    assert "slices.npy[1] by v8, quality" in page


@pytest.mark.full
@pytest.mark.parametrize(
    ("known", "options", "ious"),
    [([], [], [0, 0, 0]), ([0], ["-p", "slices=1:2"], [None, None])],
)
@pytest.mark.usefixtures("slices")
def test_no_width_is_best_where_no_truth_is_known(skullmask, known, options, ious):
    truth = np.load("truth.npy")
    partly_known = np.zeros_like(truth)
    partly_known[known] = truth[known]
    np.save("some.npy", partly_known)
    truth_options = ("--truth", "some.npy", "-p", "sizes=26", *options)
    code, _, err = skullmask("report", "slices.npy", "-o", "out", *truth_options)
    assert code == 0
    assert any("some.npy" in line for line in err) == bool(known)
    assert "Best width <strong>" not in page_in("out")
    assert [row.get("iou") for row in report.scores(Path("out"))] == ious


# --- remarks -------------------------------------------------------------------------------------

LOUD_LOAD = """
import warnings

import skullmask_lib as sm

load = sm.load

def loud(*args, **options):
    warnings.warn("slices.npy: a ![remark](http://evil.example)", UserWarning)
    return load(*args, **options)

sm.load = loud
"""


def test_every_version_has_a_curve_and_legends_are_in_our_look():
    [source] = [
        cell.source
        for cell in nbformat.read(HOUSE / "notebooks" / "report.ipynb", as_version=4).cells
        if "Slice by slice" in cell.source and cell.cell_type == "code"
    ]
    scores = {name: [0.5, 0.6] for name in sm.VERSIONS}
    data = sm.load("phantom", slices=slice(0, 2))
    made = {"plots": plots, "polar": polar, "np": np, "data": data}
    made |= {"judged": [0, 1], "quality": [0.8, 0.9], "first": "v8", "scores": [{}]}
    made |= {"overlap": scores, "shown_masks": scores}
    exec(source, made)
    axes, _ = made["axes"]
    assert [line.get_label() for line in axes.lines] == list(sm.VERSIONS)
    looks = {(line.get_marker(), line.get_linestyle()) for line in axes.lines}
    assert len(looks) == len(sm.VERSIONS)
    assert not axes.get_legend().get_frame_on()
    made["axes"][0].figure.canvas.draw()
    legend = axes.get_legend().get_window_extent()
    assert legend.y1 < axes.transData.transform((0, 0.5))[1]  # below the curves


@pytest.mark.full
def test_what_was_noticed_on_reading_and_masking_is_in_the_report(slices, skullmask, monkeypatch):
    """A notebook's kernel imports what the environment names: a module that warns as readers do."""
    site = slices / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(LOUD_LOAD)
    house = Path(sm.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{house}")
    assert skullmask("report", "slices.npy", "-o", "out", "-p", "overlay_count=1")[0] == 0
    page = page_in("out")
    assert "slices.npy: a ![remark](http://evil.example)" in html.unescape(page)
    assert "UserWarning" not in page


# --- in a browser --------------------------------------------------------------------------------

LARGEST_PAGE_BYTES = 3_000_000
SMALLEST_PICTURE_PX = 500
SHORTEST_ALT = 20
SMALLEST_PDF_BYTES = 10_000
A4_PX = 703  # the width between the margins, at 96 dots per inch


@pytest.fixture(params=["phantom", "nifti", "pictures", "five"])
def source(request, slices):
    """Give what to report on: images, and options."""
    if request.param == "phantom":
        return "phantom", ()
    if request.param == "five":
        five = request.getfixturevalue("real") / "five"
        return five / "images.npy", ("--truth", five / "masks.npy")
    images = np.load(slices / "slices.npy")
    if request.param == "nifti":
        nib.save(nib.Nifti1Image(np.moveaxis(images, 0, 2), np.eye(4)), "head.nii.gz")
        return "head.nii.gz", ("--version", "v8,v7")
    save_pictures("pictures", images, prefix="a long name of a picture ")
    return "pictures", ()


@pytest.mark.full
def test_a_page_needs_no_network_and_fits_screen_and_paper(source, skullmask):
    images, options = source
    assert skullmask("report", images, "-o", "out", *options)[0] == 0
    path = Path("out/report.html").absolute()
    assert path.stat().st_size < LARGEST_PAGE_BYTES
    with chromium() as browser:
        page, errors = open_page(browser)
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.context.set_offline(True)
        page.goto(path.as_uri())
        for address in requests:
            assert address.startswith(("file:", "data:"))
        assert errors == []
        check_pictures(page)
        check_code_is_folded(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        check_fits_paper(page)


def check_pictures(page):
    """Check that all pictures are large enough to read and told in words."""
    pictures = page.locator("img").all()
    assert len(pictures) >= 3
    for picture in pictures:
        assert picture.evaluate("image => image.naturalWidth") > SMALLEST_PICTURE_PX
        assert len(picture.get_attribute("alt")) > SHORTEST_ALT


def check_code_is_folded(page):
    """Check that code is shown only where the reader asks for it."""
    code = page.locator(".jp-CodeCell .jp-InputArea").first
    assert not code.is_visible()
    page.get_by_label("show the code").check()
    assert code.is_visible()
    page.get_by_label("show the code").uncheck()


def check_fits_paper(page):
    """Check that nothing is cut off in print."""
    page.emulate_media(media="print")
    page.set_viewport_size({"width": A4_PX, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= A4_PX
    right_ends = page.locator("table, img, pre").evaluate_all(
        "all => all.map(element => element.getBoundingClientRect().right)"
    )
    assert max(right_ends) <= A4_PX
    assert len(page.pdf(format="A4")) > SMALLEST_PDF_BYTES
