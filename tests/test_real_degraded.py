"""Check the table of v8, v9 and the network alone on degraded slices.

It is complete, the docs show it, and a part of it is computed anew.
"""

import pages
import pytest
import real_degraded
from degradations import DEGRADATIONS
from real_quality import NONE, real_slices
from result_tables import column, numbers, rows_of, select

COMPUTED_ANEW = ("ghost 0.3", "pixels 4 mm")


@pytest.fixture(scope="module")
def rows():
    return rows_of(real_degraded.TABLE)


def test_the_table_has_every_treatment_and_method(rows):
    for row in rows:
        assert tuple(row) == real_degraded.HEADER
    measured = [(row["treatment"], row["method"]) for row in rows]
    wanted = []
    for treatment in (NONE, *DEGRADATIONS):
        wanted += [(treatment, method) for method in real_degraded.METHODS]
    assert measured == wanted
    assert set(column(rows, "slices")) == {"60"}  # twelve sets of five


def test_the_docs_show_the_summary(rows):
    header = real_degraded.SUMMARY_HEADER
    shown = pages.table_of(pages.text_of(pages.RESULTS), header)
    assert shown == pages.laid_out(real_degraded.summary(rows), header)


def test_the_docs_count_the_bad_masks_above_the_limit(rows):
    bad = {}
    trusted = {}
    for version in ("v8", "v9"):
        of_version = [row for row in select(rows, method=version) if row["treatment"] != NONE]
        bad[version] = int(sum(numbers(of_version, "off")))
        trusted[version] = int(sum(numbers(of_version, "off_trusted")))
    inverted = select(rows, treatment="inverted")
    results = pages.unwrapped(pages.RESULTS)
    assert (
        f"Of v9's {bad['v9']} bad masks, {trusted['v9']} are above the limit; "
        f"of v8's {bad['v8']}, {trusted['v8']} are."
    ) in results
    assert set(column(inverted, "off_trusted")) == {"0"}
    assert "None of those above the limit is of a slice with bright and dark swapped" in results


def test_v9_is_as_good_on_good_slices_and_better_on_bad_ones(rows):
    summary = {method: figures for method, *figures in real_degraded.summary(rows)}
    v8_as_they_are, v8_degraded, _, v8_off, *_ = summary["v8"]
    v9_as_they_are, v9_degraded, _, v9_off, *_ = summary["v9"]
    assert v9_as_they_are > v8_as_they_are - 0.001
    assert v9_degraded > v8_degraded + 0.03
    assert v9_off < v8_off / 2


def test_the_network_alone_beats_v8_under_most_degradations(rows):
    """What the README says of it."""
    is_better = []
    for treatment in DEGRADATIONS:
        [v8] = select(rows, treatment=treatment, method="v8")
        [network] = select(rows, treatment=treatment, method=real_degraded.NETWORK)
        is_better.append(float(network["iou"]) > float(v8["iou"]))
    assert sum(is_better) > len(is_better) / 2
    readme = pages.unwrapped(pages.README)
    assert "scores higher than v8 under most kinds of degradation" in readme


@pytest.mark.full
@pytest.mark.filterwarnings("ignore::skullmask_lib.InputWarning")
@pytest.mark.parametrize("treatment", COMPUTED_ANEW)
def test_the_program_computes_the_table(real, rows, treatment):
    slices = []
    for file in sorted((real / "slices").glob("*.npz")):
        slices.extend(one for _, one in real_slices(file))
    for method in real_degraded.METHODS:
        [row] = select(rows, treatment=treatment, method=method)
        measured = real_degraded.row_of(treatment, method, slices)
        assert float(row["iou"]) == pytest.approx(measured["iou"], abs=1e-3)
        for count in ("off", "off_trusted", "good", "good_trusted"):
            assert abs(int(row[count]) - measured[count]) <= 1
