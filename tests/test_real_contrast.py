"""The table of contrast on real heads: whole, and what the program computes where the heads are."""

import csv
import sys
from pathlib import Path

import pytest
import real_contrast
from oldest import release

import skullmask_lib as sm

HOUSE = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def rows():
    with open(real_contrast.TABLE, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def test_the_table_is_whole(rows):
    assert all(tuple(row) == real_contrast.HEADER for row in rows)
    with open(HOUSE / "data" / "real_heads.csv", newline="", encoding="utf-8") as table:
        heads = list(dict.fromkeys(row["head"] for row in csv.DictReader(table)))
    wanted = []
    for head in heads:
        for method in real_contrast.METHODS:
            wanted += [(head, method, treatment) for treatment in real_contrast.TREATMENTS]
    assert [(row["head"], row["method"], row["treatment"]) for row in rows] == wanted
    for row in rows:
        assert release(row["version"]) <= release(sm.__version__)
        assert 0 <= float(row["iou_min"]) <= float(row["iou"]) <= 1


def test_untreated_heads_score_as_in_the_table_of_real_heads(rows):
    with open(HOUSE / "data" / "real_heads.csv", newline="", encoding="utf-8") as table:
        known = {(row["head"], row["method"]): row for row in csv.DictReader(table)}
    for row in rows:
        if row["treatment"] == "none":
            for key in ("iou", "iou_min"):
                wanted = float(known[row["head"], row["method"]][key])
                assert float(row[key]) == pytest.approx(wanted, rel=2e-3, abs=5e-4), row["head"]


def test_the_means_are_over_the_sets(rows):
    table = real_contrast.means(rows)
    assert len(table) == len(real_contrast.METHODS) * len(real_contrast.TREATMENTS)
    for method, treatment, count, mean, worst_set, worst_slice in table:
        scores = [
            float(row["iou"])
            for row in rows
            if row["method"] == method and row["treatment"] == treatment
        ]
        assert count == len(scores)
        assert mean == pytest.approx(sum(scores) / count)
        assert worst_slice <= worst_set == min(scores)


def test_a_folder_without_heads_is_refused(tmp_path):
    with pytest.raises(sm.InputError, match="found none"):
        real_contrast.measure(tmp_path)


def test_it_asks_for_the_heads(monkeypatch):
    monkeypatch.delenv("SKULLMASK_REAL", raising=False)
    monkeypatch.setattr(sys, "argv", ["real_contrast"])
    with pytest.raises(SystemExit, match="SKULLMASK_REAL is not set"):
        real_contrast.main()


@pytest.mark.filterwarnings("ignore:.*the mask is empty")
@pytest.mark.parametrize("head", ["oms01", "sim02_T1"])
def test_the_program_computes_the_table(rows, real, head):
    data = sm.load(real / "slices" / f"{head}.npz")
    for row in rows:
        if row["head"] == head:
            scores = real_contrast.scores(data, row["method"], row["treatment"])
            for key, value in scores.items():
                assert float(row[key]) == pytest.approx(value, rel=2e-3, abs=5e-4), row
