"""Check the table of grey bands that lesson 03 shows.

It is complete, and the script computes it where the heads are at hand.
"""

import pages
import pytest
import real_bands
import real_heads
from oldest import release
from real_heads import sequence_of
from result_tables import column, names_of_real_heads, rows_of, select

import skullmask_lib as sm

IOUS = ("phantom_iou", "left_out_iou", "placed_iou", "best_iou")


@pytest.fixture(scope="module")
def rows():
    return rows_of(real_bands.TABLE)


def test_the_table_is_whole(rows):
    assert column(rows, "head") == names_of_real_heads()
    for row in rows:
        assert tuple(row) == real_bands.HEADER
        assert row["sequence"] == sequence_of(row["head"])
        assert release(row["version"]) <= release(sm.__version__)
        for name in IOUS:
            assert 0 <= float(row[name]) <= 1
        assert float(row["left_out_iou"]) <= float(row["best_iou"])


@pytest.mark.full
def test_the_phantom_chooses_its_band(rows):
    scores = real_bands.scores(sm.load("phantom")).mean(axis=0)
    low_index, high_index = real_bands.best_of(scores)
    low = str(real_bands.LOWS[low_index])
    high = str(real_bands.HIGHS[high_index])
    assert set(column(rows, "phantom_low")) == {low}
    assert set(column(rows, "phantom_high")) == {high}


@pytest.mark.full
def test_the_script_computes_the_table(rows, real):
    [row] = select(rows, head="chris")
    band = int(row["phantom_low"]), int(row["phantom_high"])
    measured = real_bands.measure(sm.load(real / "slices" / "chris.npz"), band)
    for name in IOUS:
        assert float(row[name]) == pytest.approx(measured[name], abs=5e-4), name


def test_lesson_08_names_the_sets_on_which_the_band_beats_v8(rows):
    """It is not among the rivals of that lesson, so its reading says so."""
    v8 = {row["head"]: float(row["iou"]) for row in select(rows_of(real_heads.TABLE), method="v8")}
    ahead = [row["head"] for row in rows if float(row["placed_iou"]) > v8[row["head"]]]
    assert ahead == ["sim03_T1"]
    lesson = pages.text_of(pages.HOUSE / "notebooks" / "08_v8_scalp_boundary.ipynb")
    assert "on sim03_T1 it is ahead of v8" in lesson
