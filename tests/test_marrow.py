"""The table of v8 on heads with marrow: whole, and what the program computes."""

import csv

import marrow
import numpy as np
import pages
import pytest
from oldest import release

import skullmask_lib as sm
from skullmask_lib import phantom
from skullmask_lib.phantom import LABELS

AGAIN = [
    ("T1", 8.0, 1.0),
    ("T2", 0.0, 0.0),
    ("T2", 4.0, 1.0),
    ("FLAIR", 8.0, 0.67),
    ("FLAIR", 6.0, 1.0),
]


@pytest.fixture(scope="module")
def rows():
    with open(marrow.TABLE, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def setting_of(row):
    return row["contrast"], float(row["marrow_mm"]), float(row["brightness"])


def test_the_table_is_whole(rows):
    assert all(tuple(row) == marrow.HEADER for row in rows)
    assert [setting_of(row) for row in rows] == marrow.settings()
    for row in rows:
        assert release(row["version"]) <= release(sm.__version__)
        assert int(row["slices"]) == len(marrow.SEEDS) * len(marrow.LEVELS_MM)
        assert 0 <= float(row["iou_min"]) <= 1
        assert 0 <= float(row["quality"]) <= 1


def test_without_marrow_its_brightness_is_nothing(rows):
    for contrast in phantom.SIGNALS:
        scores = {
            (row["iou_min"], row["quality"])
            for row in rows
            if setting_of(row)[:2] == (contrast, 0.0)
        }
        assert len(scores) == 1


def test_marrow_is_as_thick_as_the_setting_says():
    """Marrow lies within the bone, so only the brain makes room for it."""
    empty = marrow.render("T1", 0.0, 1.0, level_mm=38.0, seed=26)[1]
    assert not (empty == LABELS["diploe"]).any()
    for thickness_mm in marrow.THICKNESSES_MM[1:]:
        labels = marrow.render("T1", thickness_mm, 1.0, level_mm=38.0, seed=26)[1]
        assert np.array_equal(phantom.skull_mask(labels), phantom.skull_mask(empty))
        across = labels[:, labels.shape[1] // 2] == LABELS["diploe"]
        both_mm = np.count_nonzero(across) * marrow.SPACING_MM[0]
        assert both_mm == pytest.approx(2 * thickness_mm, rel=0.3)


@pytest.mark.parametrize("contrast", phantom.SIGNALS)
def test_signals_run_from_bone_to_grey_matter(contrast):
    usual = phantom.SIGNALS[contrast]
    assert marrow.signals_of(contrast, 0.0)["diploe"] == usual["outer_table"]
    assert marrow.signals_of(contrast, 1.0)["diploe"] == pytest.approx(usual["grey_matter"])
    muscle = marrow.signals_of(contrast, 0.0)["muscle"]
    assert usual["outer_table"] < muscle < usual["muscle"] / 2


@pytest.mark.parametrize("setting", AGAIN)
def test_the_program_computes_the_table(rows, setting):
    """A few rows are enough here; `make marrow` computes all of them."""
    [row] = [row for row in rows if setting_of(row) == setting]
    for key, value in marrow.score(*setting).items():
        assert float(row[key]) == pytest.approx(value, abs=5e-4), key


def test_the_worst_slice_is_that_of_a_row(rows):
    worst = marrow.worst(rows)
    assert [contrast for contrast, *_ in worst] == list(phantom.SIGNALS)
    for contrast, iou, *setting in worst:
        scores = {setting_of(row): float(row["iou_min"]) for row in rows}
        assert iou == scores[contrast, *setting]
        assert iou == min(score for key, score in scores.items() if key[0] == contrast)


def test_the_docs_say_the_worst_slices(rows):
    assert marrow.sentence(rows) in pages.unwrapped(pages.RESULTS)
