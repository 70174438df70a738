"""v9 on degraded slices: its table is whole, and a part of it is computed anew."""

import csv

import pages
import pytest
import real_degraded
from degradations import DEGRADATIONS
from pages import table_of
from real_quality import NONE, real_slices

from skullmask_lib import tables

AGAIN = ("ghost 0.3", "pixels 4 mm")
IGNORED = pytest.mark.filterwarnings("ignore::skullmask_lib.InputWarning")


@pytest.fixture(scope="module")
def rows():
    with open(real_degraded.TABLE, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def test_the_table_has_every_treatment_and_method(rows):
    assert all(tuple(row) == real_degraded.HEADER for row in rows)
    made = [(row["treatment"], row["method"]) for row in rows]
    treatments = [NONE, *DEGRADATIONS]
    assert made == [(t, method) for t in treatments for method in real_degraded.METHODS]
    assert {row["slices"] for row in rows} == {"60"}


def test_the_docs_show_the_summary(rows):
    header = real_degraded.SUMMARY_HEADER
    shown = table_of(pages.text_of(pages.RESULTS), header)
    wanted = tables.markdown(real_degraded.summary(rows), header).data
    assert shown == table_of(wanted, header)


def test_v9_is_as_good_on_good_slices_and_better_on_bad_ones(rows):
    scores = {method: scores for method, *scores in real_degraded.summary(rows)}
    as_they_are, degraded, _, off, *_ = scores["v8"]
    assert scores["v9"][0] > as_they_are - 0.001
    assert scores["v9"][1] > degraded + 0.03
    assert scores["v9"][3] < off / 2


@pytest.mark.full
@IGNORED
@pytest.mark.parametrize("treatment", AGAIN)
def test_the_program_computes_the_table(real, rows, treatment):
    slices = []
    for file in sorted((real / "slices").glob("*.npz")):
        slices.extend(one for _, one in real_slices(file))
    for method in real_degraded.METHODS:
        [row] = [r for r in rows if (r["treatment"], r["method"]) == (treatment, method)]
        made = real_degraded.row_of(treatment, method, slices)
        assert float(row["iou"]) == pytest.approx(made["iou"], abs=1e-3)
        for count in ("off", "off_trusted", "good", "good_trusted"):
            assert abs(int(row[count]) - made[count]) <= 1
