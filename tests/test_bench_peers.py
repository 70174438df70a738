"""The comparison with the peers: its helpers, its processes, and its table: whole, and what the program computes."""

import subprocess
import sys

import bench_peers
import nibabel as nib
import numpy as np
import pages
import pytest
from oldest import release
from pages import table_of

import skullmask_lib as sm

PAIRS = [(volume, method) for volume in bench_peers.VOLUMES for method in bench_peers.METHODS]


def row_of(volume, method, **cells):
    return dict.fromkeys(bench_peers.HEADER, "") | {"volume": volume, "method": method} | cells


@pytest.fixture(scope="module")
def rows():
    return bench_peers.read(bench_peers.TABLE)


@pytest.fixture
def heads(tmp_path):
    """Give a folder with one scan, oms01: a bright box off the centre, in LAS order; its truth is in RAS order."""
    (folder := tmp_path / "oms01").mkdir()
    brain = np.zeros((30, 32, 39), np.uint8)
    brain[4:12, 5:20, 15:30] = 1
    image = nib.Nifti1Image(brain * 100, np.diag([-0.7, 0.8, 3, 1]))
    nib.save(image, folder / "image.nii.gz")
    nib.save(
        nib.Nifti1Image(brain[::-1], nib.as_closest_canonical(image).affine),
        folder / "brain.nii.gz",
    )
    return tmp_path


def test_the_table_is_whole(rows):
    assert [(row["volume"], row["method"]) for row in rows] == PAIRS
    assert all(tuple(row) == bench_peers.HEADER for row in rows)
    for row in rows:
        known = bench_peers.VOLUMES[row["volume"]]
        assert row["brain_means"] == known.brain_means
        assert row["levels"] == "{}:{}".format(*known.levels)
        assert release(row["version"]) <= release(sm.__version__)
        made = [row[key] != "" for key in ("dice", "seconds", "method_version")]
        failed = row["note"].startswith("failed: ")
        assert made == [not failed] * 3
        assert failed or (0 < float(row["dice"]) < 1 and float(row["seconds"]) > 0)
        assert "/" not in row["note"]  # no path of this or that machine


def test_ours_made_every_mask(rows):
    ours = [row for row in rows if row["method"] == "strip"]
    measured = [row for row in ours if row["dice"]]
    assert len(measured) == len(bench_peers.VOLUMES)
    assert all(row["method_version"] == row["version"] for row in measured)


def test_the_docs_show_the_scores(rows):
    header = bench_peers.TABLE_HEADER
    assert table_of(pages.text_of(pages.RESULTS), header) == table_of(
        bench_peers.dice_table(rows), header
    )


def test_levels_count_from_first_to_last():
    mask, truth = np.zeros((2, 2, 2, 6), np.uint8)
    truth[:, :, 1:4] = 1
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
    table = [row_of(*pair, dice="0.9", seconds="2") for pair in PAIRS]
    table[PAIRS.index(("oms01", "nidataset"))] = row_of("oms01", "nidataset", note="failed: why")
    table[PAIRS.index(("oms01_FLAIR", "median_otsu"))] = row_of("oms01_FLAIR", "median_otsu")
    *_, (name, strip, nidataset, median_otsu, _) = bench_peers.side_by_side(table, "dice")
    assert name == "mean of the T1 scans"
    assert strip == median_otsu == pytest.approx(0.9)
    assert np.isnan(nidataset)
    assert "0.0000" not in bench_peers.dice_table(table)
    assert bench_peers.seconds_table(table).count("–") == 3
    assert bench_peers.notes(table) == ["oms01, nidataset: failed: why"]


def test_rows_come_back_as_they_were_written(tmp_path):
    assert bench_peers.read(tmp_path / "none.csv") == []
    row = row_of("oms01", "strip", note="a, “b”\nc", dice="0.5")
    bench_peers.write(tmp_path / "a.csv", [row])
    assert bench_peers.read(tmp_path / "a.csv") == [row]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("import os; os.abort()", "failed: ended by signal 6"),
        ("import os; os.write(2, b'odd\\n'); os.abort()", "failed: ended by signal 6, after: odd"),
        ("import os; os._exit(3)", "failed: said nothing"),
    ],
)
def test_a_failure_says_why(code, told):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert bench_peers.failure(run) == told


def test_a_mask_of_another_process_is_scored_in_ras_order(heads, tmp_path):
    row = bench_peers.measure(heads, "oms01", "nidataset", sys.executable, tmp_path)
    assert tuple(row) == bench_peers.HEADER
    assert (row["method_version"], row["note"]) == ("0.9.1", "")
    assert row["parameters"] == "threshold=None, closing_radius=3"
    assert row["dice"] == 1
    assert row["seconds"] > 0


def test_a_peer_that_raises_gets_an_empty_cell_and_a_reason(heads, tmp_path):
    (heads / "oms01" / "image.nii.gz").write_text("no scan")
    row = bench_peers.measure(heads, "oms01", "nidataset", sys.executable, tmp_path)
    assert row["dice"] == row["seconds"] == ""
    assert row["note"].startswith("failed: nibabel.filebasedimages.ImageFileError: ")


def test_the_levels_are_where_the_truth_is_known(real):
    for volume, known in bench_peers.VOLUMES.items():
        folder, (first, last) = real / "volumes" / volume, known.levels
        skull = np.flatnonzero(bench_peers.ras(folder / "outer_skull.nii.gz").any(axis=(0, 1)))
        if volume.startswith("oms"):
            assert [first, last] == [skull[0], skull[-1]]
        else:
            top = np.flatnonzero((bench_peers.ras(folder / "image.nii.gz") > 50).any(axis=(0, 1)))[
                -1
            ]
            assert skull[-1] <= last <= top
        assert bench_peers.ras(folder / "brain.nii.gz")[:, :, first : last + 1].any()
    assert known.levels == (top - 69, top)  # sim02_T1: the upper 70 mm of the head


@pytest.mark.parametrize(
    ("volume", "method"), [("oms01_FLAIR", "nidataset"), ("oms01_FLAIR", "strip")]
)
def test_the_program_computes_the_table(rows, real, tmp_path, volume, method):
    made = bench_peers.measure(real / "volumes", volume, method, sys.executable, tmp_path)
    [row] = [row for row in rows if (row["volume"], row["method"]) == (volume, method)]
    assert float(row["dice"]) == pytest.approx(made["dice"], abs=5e-4)
