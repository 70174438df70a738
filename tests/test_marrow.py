"""Check the table of v8 on drawn heads with marrow: it is complete, and a part is computed anew."""

import marrow
import numpy as np
import pages
import pytest
from oldest import release
from result_tables import numbers, rows_of, select

import skullmask_lib as sm
from skullmask_lib import phantom
from skullmask_lib.phantom import LABELS

# Contrast, marrow [mm] and its brightness
COMPUTED_ANEW = [
    ("T1", 8.0, 1.0),
    ("T2", 0.0, 0.0),
    ("T2", 4.0, 1.0),
    ("FLAIR", 8.0, 0.67),
    ("FLAIR", 6.0, 1.0),
]


@pytest.fixture(scope="module")
def rows():
    return rows_of(marrow.TABLE)


def setting_of(row):
    return row["contrast"], float(row["marrow_mm"]), float(row["brightness"])


def test_the_table_is_whole(rows):
    assert [setting_of(row) for row in rows] == marrow.settings()
    for row in rows:
        assert tuple(row) == marrow.HEADER
        assert release(row["version"]) <= release(sm.__version__)
        assert int(row["slices"]) == len(marrow.SEEDS) * len(marrow.LEVELS_MM)
        assert 0 <= float(row["iou_min"]) <= 1
        assert 0 <= float(row["quality"]) <= 1


def test_without_marrow_its_brightness_is_nothing(rows):
    for contrast in phantom.SIGNALS:
        without_marrow = [row for row in rows if setting_of(row)[:2] == (contrast, 0.0)]
        scores = {(row["iou_min"], row["quality"]) for row in without_marrow}
        assert len(scores) == 1


def test_marrow_is_as_thick_as_the_setting_says():
    """Marrow lies within the bone, so only the brain makes room for it."""
    without_marrow = labels_with(marrow_mm=0.0)
    assert not (without_marrow == LABELS["diploe"]).any()
    for marrow_mm in marrow.THICKNESSES_MM[1:]:
        labels = labels_with(marrow_mm=marrow_mm)
        skull = phantom.skull_mask(labels)
        assert np.array_equal(skull, phantom.skull_mask(without_marrow))
        # The middle column crosses the marrow of the forehead and of the back of the head
        middle = labels[:, labels.shape[1] // 2]
        both_mm = np.count_nonzero(middle == LABELS["diploe"]) * marrow.SPACING_MM[0]
        assert both_mm == pytest.approx(2 * marrow_mm, rel=0.3)


def labels_with(marrow_mm):
    """Draw the labels of a head with marrow as bright as grey matter."""
    _, labels = marrow.render("T1", marrow_mm, 1.0, level_mm=38.0, seed=26)
    return labels


@pytest.mark.parametrize("contrast", phantom.SIGNALS)
def test_signals_run_from_bone_to_grey_matter(contrast):
    usual = phantom.SIGNALS[contrast]
    dark = marrow.signals_of(contrast, 0.0)
    bright = marrow.signals_of(contrast, 1.0)
    assert dark["diploe"] == usual["outer_table"]
    assert bright["diploe"] == pytest.approx(usual["grey_matter"])
    assert usual["outer_table"] < dark["muscle"] < usual["muscle"] / 2


@pytest.mark.parametrize("setting", COMPUTED_ANEW)
def test_the_program_computes_the_table(rows, setting):
    """A few rows are enough here; `make marrow` computes all of them."""
    [row] = [row for row in rows if setting_of(row) == setting]
    for name, value in marrow.score(*setting).items():
        assert float(row[name]) == pytest.approx(value, abs=5e-4), name


def test_the_worst_slice_is_that_of_a_row(rows):
    worst = marrow.worst(rows)
    assert [contrast for contrast, *_ in worst] == list(phantom.SIGNALS)
    iou_of_setting = {setting_of(row): float(row["iou_min"]) for row in rows}
    for contrast, iou, marrow_mm, brightness in worst:
        assert iou == iou_of_setting[contrast, marrow_mm, brightness]
        assert iou == min(numbers(select(rows, contrast=contrast), "iou_min"))


def test_the_docs_say_the_worst_slices(rows):
    assert marrow.sentence(rows) in pages.unwrapped(pages.RESULTS)
