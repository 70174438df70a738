"""How far the quality can be trusted: its table is whole, and its figures keep their limits."""

import csv
import re

import marrow
import numpy as np
import pages
import pytest
import real_quality
from degradations import CROPS, DEGRADATIONS, coarse, misread, without_ends
from numpy.testing import assert_array_equal as same
from oldest import release
from pages import table_of

import skullmask_lib as sm
from skullmask_lib import polar, tables

SLICES = 5
OFF = "IoU < 0.93 above the limit"
AGAIN = [("oms01_FLAIR", 4), ("sim02_T1", 3)]
DRAWN_AGAIN = [("T1", 6.0, 0.33, 26), ("T2", 0.0, 0.0, 27), ("FLAIR", 8.0, 0.67, 28)]
IGNORED = pytest.mark.filterwarnings("ignore::skullmask_lib.InputWarning")


@pytest.fixture(scope="module")
def rows():
    with open(real_quality.TABLE, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


@pytest.fixture(scope="module")
def summary(rows):
    """Give the figures of every group by their names."""
    header = real_quality.SUMMARY_HEADER
    return {row[0]: dict(zip(header, row, strict=True)) for row in real_quality.summary(rows)}


@pytest.fixture(scope="module")
def one():
    return real_quality.drawn_slice(DRAWN_AGAIN[0], marrow.LEVELS_MM[0])


def key_of(row):
    return row["group"], row["head"], row["slice"], row["treatment"]


def keys_of_real(head, index):
    for group, treatments in real_quality.TREATMENTS.items():
        for name in treatments:
            yield group, head, str(index), name
    for name in real_quality.WRONG_MASKS:
        yield real_quality.WRONG, head, str(index), name


def keys_of_drawn(head, level_mm):
    seed = real_quality.seed_of_drawn(head, level_mm)
    for name in real_quality.treatments_of_drawn(seed):
        yield real_quality.MARROW, real_quality.name_of(*head), f"{level_mm:g}", name


def test_the_table_is_whole(rows):
    assert all(tuple(row) == real_quality.HEADER for row in rows)
    with open(pages.HOUSE / "data" / "real_heads.csv", newline="", encoding="utf-8") as table:
        heads = dict.fromkeys(row["head"] for row in csv.DictReader(table))
    wanted = []
    for head in heads:
        for index in range(SLICES):
            wanted.extend(keys_of_real(head, index))
    for head in real_quality.drawn_heads():
        for level_mm in marrow.LEVELS_MM:
            wanted.extend(keys_of_drawn(head, level_mm))
    assert list(map(key_of, rows)) == wanted
    for row in rows:
        assert release(row["version"]) <= release(sm.__version__)
        assert 0 <= float(row["iou"]) <= 1
        assert 0 <= float(row["quality"] or 0) <= 1


def test_the_table_is_small():
    assert real_quality.TABLE.stat().st_size < 300_000


# --- what it says --------------------------------------------------------------------------------


def test_the_quality_tells_bad_masks_from_the_others(summary):
    v8 = summary[real_quality.TOGETHER]
    assert v8["masks"] == sum(summary[group]["masks"] for group in real_quality.OF_V8)
    assert v8["IoU < 0.9"] > 500
    assert v8["AUC for IoU < 0.9"] >= 0.95
    assert v8["AUC for IoU < 0.95"] >= 0.85


def test_few_bad_masks_are_trusted_and_few_good_ones_are_not(summary):
    trusted, bad = map(int, summary[real_quality.TOGETHER][OFF].split(" of "))
    assert trusted / bad < 0.1
    assert summary[real_quality.WRONG][OFF].startswith("0 of ")
    for group in (*real_quality.OF_V8, real_quality.TOGETHER):
        assert summary[group]["IoU ≥ 0.95 above the limit"] > 0.95


def test_the_docs_show_the_summary(rows):
    header = real_quality.SUMMARY_HEADER
    wanted = tables.markdown(real_quality.summary(rows), header).data
    assert table_of(pages.text_of(pages.RESULTS), header) == table_of(wanted, header)


def is_trusted_but_off(row):
    is_of_v8 = row["group"] in real_quality.OF_V8
    is_trusted = float(row["quality"] or 0) >= polar.TRUSTED
    return is_of_v8 and is_trusted and float(row["iou"]) < real_quality.CLEARLY_OFF_IOU


def test_the_docs_say_which_bad_masks_are_trusted(rows, summary):
    text = pages.unwrapped(pages.RESULTS)
    missed = [row for row in rows if is_trusted_but_off(row)]
    of_all = int(summary[real_quality.TOGETHER][OFF].split(" of ")[1])
    assert f"{len(missed) / of_all:.1%}".replace("%", " %") + " are above the limit" in text
    ghosts = [row for row in missed if re.match(r"ghost", row["treatment"])]
    assert f"{len(ghosts)} of these {len(missed)} are drawn heads with a ghost" in text
    assert {row["group"] for row in ghosts} == {real_quality.MARROW}
    worst = min(float(row["iou"]) for row in missed if row not in ghosts)
    assert f"the worst has an IoU of {worst:.2f}" in text


def test_the_docs_say_how_much_was_judged(rows):
    text = pages.unwrapped(pages.RESULTS)
    as_it_is = [row for row in rows if row["group"] == real_quality.AS_IT_IS]
    drawn = {(row["head"], row["slice"]) for row in rows if row["group"] == real_quality.MARROW}
    assert f"the {len(as_it_is)} slices of the table of real heads" in text
    assert f"{len(DEGRADATIONS)} copies of each" in text
    assert f"{len(drawn)} drawn slices" in text
    assert f"the limit is {polar.TRUSTED:g}" in text


# --- how it is computed --------------------------------------------------------------------------


def test_ties_count_half():
    bad = np.repeat([0.1, 0.5], 5)
    others = np.repeat([0.5, 0.9], 10)
    quality = np.concatenate([bad, others])
    is_bad = np.arange(quality.size) < bad.size
    assert real_quality.area_under_curve(quality, is_bad) == (1 + 1 + 0.5 + 1) / 4
    assert np.isnan(real_quality.area_under_curve(quality, np.arange(quality.size) < 9))


def test_the_truth_moves_by_millimetres(one):
    same(real_quality.shrunken(one, 0), one.truth)
    width_mm = one.spacing_mm[1] * one.truth.any(axis=0).sum()
    for by_mm in (-4, 4):
        moved = real_quality.shrunken(one, by_mm)
        moved_mm = one.spacing_mm[1] * moved.any(axis=0).sum()
        assert width_mm - moved_mm == pytest.approx(2 * by_mm, abs=2 * one.spacing_mm[1])


def test_the_outline_jumps_over_a_third_of_the_angles(one):
    jumping = real_quality.jumping(one)
    deeper = real_quality.shrunken(one, real_quality.INNER_TABLE_MM)
    lost = one.truth.sum() - jumping.sum()
    assert lost == pytest.approx((one.truth.sum() - deeper.sum()) / 3, rel=0.15)
    assert (jumping[deeper > 0] == 1).all()


@pytest.mark.parametrize("name", [*DEGRADATIONS, *CROPS])
def test_a_copy_is_a_slice_of_its_own(one, name):
    image, truth = one.image.copy(), one.truth.copy()
    copy = (DEGRADATIONS | CROPS)[name](one)
    again = (DEGRADATIONS | CROPS)[name](one)
    same(one.image, image)
    same(one.truth, truth)
    same(copy.image, again.image)
    assert copy.image.shape == copy.truth.shape
    assert copy.image.dtype == np.float32
    assert np.isfinite(copy.image).all()
    assert set(np.unique(copy.truth)) == {0, 1}
    is_other_image = copy.image.shape != image.shape or (copy.image != image).any()
    assert is_other_image or copy.spacing_mm != one.spacing_mm


def test_grids_change_as_they_say(one):
    wide = coarse(one, 4)
    assert wide.spacing_mm == pytest.approx((4, 4), rel=0.02)
    area_mm2 = one.truth.sum() * np.prod(one.spacing_mm)
    assert wide.truth.sum() * np.prod(wide.spacing_mm) == pytest.approx(area_mm2, rel=0.02)
    assert misread(one, 0.5).spacing_mm == pytest.approx(np.array(one.spacing_mm) / 2)
    cut = without_ends(one, 8)
    rows_mm = one.spacing_mm[0] * (one.truth.any(axis=1).sum() - len(cut.truth))
    assert rows_mm == pytest.approx(16, abs=2 * one.spacing_mm[0])


def agree(rows, judged):
    """Check that rows of the table say what was measured now."""
    known = {key_of(row): row for row in rows}
    for row in judged:
        row["slice"] = str(row["slice"])
        wanted = known[key_of(row)]
        assert float(row["iou"]) == pytest.approx(float(wanted["iou"]), abs=2e-3), row
        assert bool(row["quality"]) == bool(wanted["quality"])
        quality = float(wanted["quality"] or 0)
        assert float(row["quality"] or 0) == pytest.approx(quality, abs=0.01), row


@IGNORED
@pytest.mark.parametrize(("head", "index"), AGAIN)
def test_the_program_computes_the_rows_of_real_slices(rows, real, head, index):
    slices = dict(real_quality.real_slices(real / "slices" / f"{head}.npz"))
    judged = list(real_quality.rows_of_real(head, index, slices[index]))
    assert [key_of(row)[3] for row in judged] == [key[3] for key in keys_of_real(head, index)]
    agree(rows, judged)


@IGNORED
@pytest.mark.parametrize("head", DRAWN_AGAIN)
def test_the_program_computes_the_rows_of_drawn_slices(rows, head):
    for level_mm in marrow.LEVELS_MM:
        agree(rows, real_quality.rows_of_drawn(head, level_mm))
