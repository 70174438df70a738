"""Check the comparison of `strip` with the tools that people use for brain masks.

Its table is complete, the docs show it, and a part of it is computed anew. Masks come from other
processes; an interrupted run takes those that are still valid and makes the others anew.
"""

import dataclasses
import json
import re
import subprocess
import sys

import bench_peers
import brain_tools
import nibabel as nib
import numpy as np
import pages
import pytest
import scripts
from oldest import release
from pages import table_of
from result_tables import select

import skullmask_lib as sm

PAIRS = [(volume, method) for volume in bench_peers.VOLUMES for method in bench_peers.METHODS]
MEASURED = {
    "dice",
    "dice_whole",
    "method_version",
    "seconds",
    "memory_mb",
    "installed_mb",
}


def row_of(volume, method, **cells):
    """Make a row of the table; all other cells are empty."""
    row = dict.fromkeys(bench_peers.HEADER, "")
    return row | {"volume": volume, "method": method} | cells


@pytest.fixture(scope="module")
def rows():
    return bench_peers.read(bench_peers.TABLE)


@pytest.fixture
def heads(tmp_path):
    """Give a folder with one scan, oms01: a bright box off the centre.

    The scan is stored in LAS order and its truth in RAS order.
    """
    folder = tmp_path / "oms01"
    folder.mkdir()
    brain = np.zeros((30, 32, 39), np.uint8)
    brain[4:12, 5:20, 15:30] = 1
    scan = nib.Nifti1Image(brain * 100, np.diag([-0.7, 0.8, 3, 1]))
    ras_affine = nib.as_closest_canonical(scan).affine
    truth = nib.Nifti1Image(brain[::-1], ras_affine)
    nib.save(scan, folder / "image.nii.gz")
    nib.save(truth, folder / "brain.nii.gz")
    return tmp_path


# --- the table -----------------------------------------------------------------------------------


def expected_cells(row, truth):
    """Name the cells that a row of a mask must have."""
    if release(row["version"]) < release("0.2.0"):  # did not look at whole heads and costs yet
        return {"dice", "seconds", "method_version"}
    return MEASURED if truth.whole else MEASURED - {"dice_whole"}


def levels_of(truth):
    """Write the levels of a truth as table and docs do."""
    first, last = truth.levels
    return f"{first}:{last}"


def test_the_table_is_whole(rows):
    assert [(row["volume"], row["method"]) for row in rows] == PAIRS
    for row in rows:
        truth = bench_peers.VOLUMES[row["volume"]]
        assert tuple(row) == bench_peers.HEADER
        assert row["brain_means"] == truth.brain_means
        assert row["levels"] == levels_of(truth)
        assert release(row["version"]) <= release(sm.__version__)
        assert "/" not in row["note"]  # no path of this or that machine
        measured = {name for name in MEASURED if row[name] != ""}
        if row["note"].startswith("failed: "):
            assert not measured
        else:
            assert measured == expected_cells(row, truth)
            check_ranges(row, measured)


def check_ranges(row, measured):
    """Check that the measured cells of a row hold what can be."""
    for name in measured & {"dice", "dice_whole"}:
        assert 0 < float(row[name]) < 1
    for name in measured & {"seconds", "memory_mb"}:
        assert float(row[name]) > 0


def test_ours_made_every_mask(rows):
    for method in ("strip", "strip, v9"):
        ours = select(rows, method=method)
        measured = [row for row in ours if row["dice"]]
        assert len(measured) == len(bench_peers.VOLUMES)
        for row in measured:
            assert row["method_version"] == row["version"]


def test_the_docs_show_the_scores(rows):
    results = pages.text_of(pages.RESULTS)
    header = bench_peers.OVERVIEW_HEADER
    assert table_of(results, header) == table_of(bench_peers.overview(rows), header)
    for score in ("dice", "dice_whole"):
        header = bench_peers.dice_header(score)
        assert table_of(results, header) == table_of(bench_peers.dice_table(rows, score), header)


@pytest.mark.parametrize("key", ["dice", "dice_whole"])
def test_the_docs_say_how_far_strip_is_from_the_learned_tools(rows, key):
    assert bench_peers.comparison(rows, key) in pages.unwrapped(pages.RESULTS)


def test_the_docs_say_how_far_single_scans_differ(rows):
    strip = np.array(bench_peers.values(rows, "strip", "dice", bench_peers.T1))
    deepbet = np.array(bench_peers.values(rows, "deepbet", "dice", bench_peers.T1))
    difference = strip - deepbet
    assert difference.min() < 0 < difference.max()
    largest = np.abs(difference).max()
    sentence = f"differ by up to {largest:.3f} on the trusted levels, in either direction"
    assert sentence in pages.unwrapped(pages.RESULTS)


@pytest.mark.parametrize(
    ("dice", "sentence"),
    [
        (0.95, "0.0500 behind ROBEX"),
        (0.88, "0.0200 ahead of ROBEX"),
        (0.90, "level with ROBEX"),
    ],
)
def test_a_comparison_says_which_side_is_ahead(dice, sentence):
    table = [row_of(*pair, dice="0.9") for pair in PAIRS]
    for row in select(table, method="ROBEX"):
        row["dice"] = dice
    assert bench_peers.comparison(table, "dice").endswith(f" and {sentence}")


def test_a_comparison_is_the_difference_of_the_means_in_the_table():
    table = [row_of(*pair, dice="0.9") for pair in PAIRS]
    first_t1 = bench_peers.T1[0]
    [strip] = select(table, volume=first_t1, method="strip")
    strip["dice"] = "0.90016"  # the mean of four is 0.90004
    [robex] = select(table, volume=first_t1, method="ROBEX")
    robex["dice"] = "0.89944"  # the mean of four is 0.89986
    assert bench_peers.comparison(table, "dice").endswith(" and 0.0001 ahead of ROBEX")


def test_a_comparison_rounds_as_the_table_does():
    dices = ("0.9000", "0.9001", "0.9000", "0.9001")  # their mean is a tie
    table = [row_of(*pair, dice="0.9") for pair in PAIRS]
    for row in table:
        if row["method"] == "deepbet" and row["volume"] in bench_peers.T1:
            row["dice"] = dices[bench_peers.T1.index(row["volume"])]
    dice = cells_by_tool(bench_peers.dice_table(table, "dice"), bench_peers.dice_header("dice"))
    distance = float(dice["deepbet"][-1]) - float(dice["strip"][-1])
    assert f"is {distance:.4f} behind deepbet" in bench_peers.comparison(table, "dice")


def test_without_scores_there_is_no_comparison():
    without_strip = [row_of(*pair, dice="0.9") for pair in PAIRS if pair[1] != "strip"]
    for table in ([], without_strip):
        sentence = bench_peers.comparison(table, "dice")
        assert not re.search(r"\bnan\b|ahead|behind", sentence)
        for method in bench_peers.LEARNED:
            assert method in sentence


def test_the_docs_say_which_volumes_have_which_truth():
    text = pages.unwrapped(pages.RESULTS)
    for name, truth in bench_peers.VOLUMES.items():
        assert f"| {name} | {truth.brain_means} | {levels_of(truth)} |" in text


def test_levels_count_from_first_to_last():
    truth = np.zeros((2, 2, 6), np.uint8)
    truth[:, :, 1:4] = 1
    mask = np.zeros_like(truth)
    mask[:, :, 1:3] = 255
    assert bench_peers.score(mask, truth, (1, 2)) == 1
    assert bench_peers.score(mask, truth, (1, 3)) == pytest.approx(0.8)
    assert bench_peers.score(mask, truth, (3, 3)) == 0


def test_new_rows_take_the_place_of_old_ones_in_order():
    old = [
        row_of("oms01", "strip", dice="0.5"),
        row_of("oms01", "dipy"),
        row_of("brainweb", "nidataset"),
    ]
    new = [row_of("oms01", "strip", dice=0.9), row_of("brainweb", "strip")]
    merged = bench_peers.merged(old, new)
    names = [(row["volume"], row["method"]) for row in merged]
    assert names == [("brainweb", "strip"), ("brainweb", "nidataset"), ("oms01", "strip")]
    assert merged[-1]["dice"] == 0.9


def test_a_failure_is_no_zero_and_leaves_no_mean():
    measured = dict.fromkeys(MEASURED, "0.9") | {"seconds": "2.4", "memory_mb": "800"}
    table = [row_of(*pair, **measured) for pair in PAIRS]
    failed = PAIRS.index(("oms01", "nidataset"))
    table[failed] = row_of("oms01", "nidataset", note="failed: why")
    unmeasured = PAIRS.index(("oms01_FLAIR", "median_otsu"))
    table[unmeasured] = row_of("oms01_FLAIR", "median_otsu")

    dice = cells_by_tool(bench_peers.dice_table(table, "dice"), bench_peers.dice_header("dice"))
    assert dice["strip"] == ["0.9000"] * 6
    assert dice["nidataset"] == ["0.9000", "0.9000", "–", "0.9000", "0.9000", "–"]
    assert dice["median_otsu"] == ["0.9000", "0.9000", "0.9000", "–", "0.9000", "0.9000"]

    overview = cells_by_tool(bench_peers.overview(table), bench_peers.OVERVIEW_HEADER)
    assert overview["strip"] == ["0.9000", "0.9000", "2", "800", "1"]
    assert overview["nidataset"] == ["–"] * 5
    assert bench_peers.notes(table) == ["oms01, nidataset: failed: why"]


def cells_by_tool(text, header):
    """Look up the cells of a printed table by the tool that its row begins with."""
    return {tool: cells for tool, *cells in table_of(text, header)}


def test_rows_come_back_as_they_were_written(tmp_path):
    assert bench_peers.read(tmp_path / "none.csv") == []
    row = row_of("oms01", "strip", note="a, “b”\nc", dice="0.5")
    scripts.write(tmp_path / "a.csv", bench_peers.HEADER, [row])
    assert bench_peers.read(tmp_path / "a.csv") == [row]


def test_an_older_table_has_empty_cells_where_it_lacks_columns(tmp_path):
    (tmp_path / "a.csv").write_text("volume,method,dice\noms01,strip,0.5\n")
    rows = bench_peers.read(tmp_path / "a.csv")
    assert rows == [row_of("oms01", "strip", dice="0.5")]
    assert "0.5000" in bench_peers.dice_table(rows, "dice")


# --- the figure ----------------------------------------------------------------------------------


def test_the_figure_waits_for_its_masks_and_shows_what_they_miss(heads, tmp_path, monkeypatch):
    truth = nib.load(heads / "oms01" / "brain.nii.gz")
    half = truth.get_fdata() > 0
    half[:, :10] = False

    def make_half_a_mask(_method, _python, _scan, mask):
        nib.save(nib.Nifti1Image(half.astype(np.uint8), truth.affine), mask)
        return {"seconds": 1.0, "memory_mb": 2, "note": ""}

    monkeypatch.setattr(brain_tools, "make_mask", make_half_a_mask)
    scan = heads / "oms01" / "image.nii.gz"
    for method in bench_peers.SHOWN_METHODS:
        assert not bench_peers.drawable(heads, tmp_path)
        mask = tmp_path / f"oms01_{method}.nii.gz"
        bench_peers.new_mask(bench_peers.METHODS[method], "1.0", sys.executable, scan, mask)
    assert bench_peers.drawable(heads, tmp_path)

    pixels = bench_peers.draw(heads, tmp_path).pixels.astype(int)
    red = pixels[..., 0]
    green = pixels[..., 1]
    blue = pixels[..., 2]
    is_miss = blue - red > 60
    is_over_reach = red - np.maximum(green, blue) > 60
    assert is_miss.sum() > 3 * is_over_reach.sum()  # of which only the key shows any

    mask.write_bytes(b"of another call")
    assert not bench_peers.drawable(heads, tmp_path)


# --- masks of other processes --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("import os; os.abort()", "failed: ended by signal 6"),
        ("import os; os.write(2, b'odd\\n'); os.abort()", "failed: ended by signal 6, after: odd"),
        ("import os; os._exit(3)", "failed: said nothing"),
    ],
)
def test_a_failure_says_why(code, reason):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert brain_tools.failure(run) == reason


def test_a_package_that_is_missing_ends_in_one_line():
    with pytest.raises(sm.InputError) as refusal:
        brain_tools.package_record(sys.executable, "no-such-package")
    assert "no-such-package" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_mask_of_another_process_is_scored_in_ras_order(heads, tmp_path):
    row = bench_peers.measure(heads, "oms01", "nidataset", sys.executable, tmp_path)
    assert tuple(row) == bench_peers.HEADER
    assert row["method_version"] == "0.9.1"
    assert row["note"] == ""
    assert row["parameters"] == "threshold=None, closing_radius=3"
    assert row["dice"] == row["dice_whole"] == 1
    assert row["seconds"] >= 0
    assert row["memory_mb"] > 10
    assert row["installed_mb"] > 100  # nidataset needs SciPy, scikit-image and OpenCV


@pytest.fixture
def scan(tmp_path):
    """Give the file of a scan whose content no tool reads."""
    file = tmp_path / "image.nii.gz"
    file.write_bytes(b"scan")
    return file


@pytest.fixture
def mask(tmp_path):
    """Name the file of its mask."""
    return tmp_path / "oms01_ROBEX.nii.gz"


@pytest.fixture
def scans_read(monkeypatch):
    """Make masks that hold one byte each, and list the contents of the scans they were made from."""
    contents = []

    def make_mask(_method, _python, scan, mask):
        contents.append(scan.read_bytes())
        mask.write_bytes(b"1")
        return {"seconds": 1.0, "memory_mb": 2, "note": ""}

    monkeypatch.setattr(brain_tools, "make_mask", make_mask)
    return contents


def cached_mask(scan, mask, *, method=bench_peers.METHODS["ROBEX"], version="0.4.3"):
    """Make a mask, or take that of an earlier call."""
    return bench_peers.cached_mask(method, version, sys.executable, scan, mask)


def test_an_interrupted_run_goes_on_where_it_stopped(scan, mask, scans_read):
    first = cached_mask(scan, mask)
    assert cached_mask(scan, mask) == first
    assert scans_read == [b"scan"]


@pytest.mark.parametrize(
    "change", ["scan", "version", "parameters", "call", "no mask", "mask", "record"]
)
def test_what_decides_a_mask_makes_it_anew(scan, mask, scans_read, change):
    method = bench_peers.METHODS["ROBEX"]
    version = "0.4.3"
    cached_mask(scan, mask, method=method, version=version)
    match change:
        case "scan":
            scan.write_bytes(b"another scan")
        case "version":
            version = "0.4.4"
        case "parameters":
            method = dataclasses.replace(method, parameters={"seed": 1})
        case "call":
            method = dataclasses.replace(method, make=brain_tools.deepbet)
        case "no mask":
            mask.unlink()
        case "mask":
            mask.write_bytes(b"of another call")
        case "record":
            bench_peers.record_of(mask).write_text("{}")
    cached_mask(scan, mask, method=method, version=version)
    assert len(scans_read) == 2


def test_a_failure_leaves_nothing_and_is_tried_again(scan, mask, scans_read, tmp_path, monkeypatch):
    cached_mask(scan, mask)
    scan.write_bytes(b"another scan")

    def fail_half_way(_method, _python, _scan, mask):
        mask.write_bytes(b"half")
        return {"note": "failed: why"}

    with monkeypatch.context() as patch:
        patch.setattr(brain_tools, "make_mask", fail_half_way)
        assert "seconds" not in cached_mask(scan, mask)
    assert list(tmp_path.iterdir()) == [scan]
    assert "seconds" in cached_mask(scan, mask)
    assert scans_read == [b"scan", b"another scan"]


@pytest.mark.usefixtures("scans_read")
def test_a_killed_call_leaves_no_record_of_the_one_before(scan, mask, tmp_path, monkeypatch):
    cached_mask(scan, mask)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(brain_tools, "make_mask", killed)
    with pytest.raises(KeyboardInterrupt):
        cached_mask(scan, mask, version="0.4.4")
    assert list(tmp_path.iterdir()) == [scan]


def test_a_row_keeps_the_day_and_the_version_that_made_its_mask(heads, tmp_path, monkeypatch):
    arguments = (heads, "oms01", "nidataset", sys.executable, tmp_path)
    row = bench_peers.measure(*arguments)
    record_file = bench_peers.record_of(tmp_path / "oms01_nidataset.nii.gz")
    record = json.loads(record_file.read_text())
    assert row["date"] == record["date"]
    assert row["version"] == sm.__version__
    earlier = {"date": "2020-02-02", "version": "0.1.9"}
    record_file.write_text(json.dumps(record | earlier))
    monkeypatch.setattr(brain_tools, "make_mask", None)  # not called
    assert bench_peers.measure(*arguments) == row | earlier


def test_a_peer_that_raises_gets_an_empty_cell_and_a_reason(heads, tmp_path):
    (heads / "oms01" / "image.nii.gz").write_text("no scan")
    row = bench_peers.measure(heads, "oms01", "nidataset", sys.executable, tmp_path)
    assert row["dice"] == row["seconds"] == ""
    assert row["note"].startswith("failed: nibabel.filebasedimages.ImageFileError: ")


# --- where the heads are -------------------------------------------------------------------------


def filled_levels(volume):
    """List the axial levels on which a volume in RAS order is not empty."""
    return np.flatnonzero(volume.any(axis=(0, 1)))


def test_the_levels_are_where_the_truth_is_known(real):
    top_of_head = {}
    for name, truth in bench_peers.VOLUMES.items():
        folder = real / "volumes" / name
        first, last = truth.levels
        skull = filled_levels(bench_peers.ras(folder / "outer_skull.nii.gz"))
        if name.startswith("oms"):
            assert [first, last] == [skull[0], skull[-1]]
        else:
            bright = bench_peers.ras(folder / "image.nii.gz") > 50
            top_of_head[name] = filled_levels(bright)[-1]
            assert skull[-1] <= last <= top_of_head[name]
        brain = bench_peers.ras(folder / "brain.nii.gz")
        assert brain[:, :, first : last + 1].any()
    # The upper 70 mm of the head, whose voxels are 1 mm high
    top = top_of_head["sim02_T1"]
    assert bench_peers.VOLUMES["sim02_T1"].levels == (top - 69, top)


@pytest.mark.parametrize(
    ("volume", "method"), [("oms01_FLAIR", "nidataset"), ("oms01_FLAIR", "strip")]
)
def test_the_program_computes_the_table(rows, real, tmp_path, volume, method):
    measured = bench_peers.measure(real / "volumes", volume, method, sys.executable, tmp_path)
    [row] = select(rows, volume=volume, method=method)
    for score in ("dice", "dice_whole"):
        assert float(row[score]) == pytest.approx(measured[score], abs=5e-4)
