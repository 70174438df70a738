"""The table of grey bands that lesson 03 shows: whole, and what the script computes where the heads are."""

import csv
from pathlib import Path

import pytest
import real_bands
from oldest import release
from real_heads import sequence_of

import skullmask_lib as sm

HOUSE = Path(__file__).resolve().parents[1]
IOUS = ("phantom_iou", "left_out_iou", "placed_iou", "best_iou")


@pytest.fixture(scope="module")
def rows():
    with open(real_bands.TABLE, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def test_the_table_is_whole(rows):
    with open(HOUSE / "data" / "real_heads.csv", newline="", encoding="utf-8") as table:
        heads = dict.fromkeys(row["head"] for row in csv.DictReader(table))
    assert [row["head"] for row in rows] == list(heads)
    for row in rows:
        assert tuple(row) == real_bands.HEADER
        assert row["sequence"] == sequence_of(row["head"])
        assert release(row["version"]) <= release(sm.__version__)
        ious = {name: float(row[name]) for name in IOUS}
        assert all(0 <= iou <= 1 for iou in ious.values())
        assert ious["left_out_iou"] <= ious["best_iou"]


@pytest.mark.full
def test_the_phantom_chooses_its_band(rows):
    row, column = real_bands.best_of(real_bands.scores(sm.load("phantom")).mean(axis=0))
    band = str(real_bands.LOWS[row]), str(real_bands.HIGHS[column])
    assert {(row["phantom_low"], row["phantom_high"]) for row in rows} == {band}


@pytest.mark.full
def test_the_script_computes_the_table(rows, real):
    [row] = [row for row in rows if row["head"] == "chris"]
    band = int(row["phantom_low"]), int(row["phantom_high"])
    measured = real_bands.measure(sm.load(real / "slices" / "chris.npz"), band)
    for name in IOUS:
        assert float(row[name]) == pytest.approx(measured[name], abs=5e-4), name
