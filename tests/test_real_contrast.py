"""Check the table of treated contrast on real heads.

It is complete, and the program computes it where the heads are at hand.
"""

import itertools
import sys

import pytest
import real_contrast
import real_heads
from oldest import release
from result_tables import names_of_real_heads, numbers, rows_of, select

import skullmask_lib as sm


@pytest.fixture(scope="module")
def rows():
    return rows_of(real_contrast.TABLE)


def test_the_table_is_whole(rows):
    measured = [(row["head"], row["method"], row["treatment"]) for row in rows]
    wanted = itertools.product(
        names_of_real_heads(), real_contrast.METHODS, real_contrast.TREATMENTS
    )
    assert measured == list(wanted)
    for row in rows:
        assert tuple(row) == real_contrast.HEADER
        assert release(row["version"]) <= release(sm.__version__)
        assert 0 <= float(row["iou_min"]) <= float(row["iou"]) <= 1


def test_untreated_heads_score_as_in_the_table_of_real_heads(rows):
    usual = rows_of(real_heads.TABLE)
    for row in select(rows, treatment="none"):
        [wanted] = select(usual, head=row["head"], method=row["method"])
        for name in ("iou", "iou_min"):
            iou = pytest.approx(float(wanted[name]), rel=2e-3, abs=5e-4)
            assert float(row[name]) == iou, row["head"]


def test_the_means_are_over_the_sets(rows):
    table = real_contrast.means(rows)
    assert len(table) == len(real_contrast.METHODS) * len(real_contrast.TREATMENTS)
    for method, treatment, count, mean, worst_set, worst_slice in table:
        ious = numbers(select(rows, method=method, treatment=treatment), "iou")
        assert count == len(ious)
        assert mean == pytest.approx(sum(ious) / count)
        assert worst_slice <= worst_set == min(ious)


def test_a_folder_without_heads_is_refused(tmp_path):
    with pytest.raises(sm.InputError, match="found none"):
        real_contrast.measure(tmp_path)


def test_it_asks_for_the_heads(monkeypatch):
    monkeypatch.delenv("SKULLMASK_REAL", raising=False)
    monkeypatch.setattr(sys, "argv", ["real_contrast"])
    with pytest.raises(sm.InputError, match="SKULLMASK_REAL is not set"):
        real_contrast.main()


@pytest.mark.filterwarnings("ignore:.*the mask is empty")
@pytest.mark.parametrize("head", ["oms01", "sim02_T1"])
def test_the_program_computes_the_table(rows, real, head):
    data = sm.load(real / "slices" / f"{head}.npz")
    for row in select(rows, head=head):
        scores = real_contrast.scores(data, row["method"], row["treatment"])
        for name, value in scores.items():
            assert float(row[name]) == pytest.approx(value, rel=2e-3, abs=5e-4), row
