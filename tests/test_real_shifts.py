"""Check the table of moved outlines: it is complete, and the program computes it where the heads are."""

import numpy as np
import pages
import pytest
import real_heads
import real_shifts
from oldest import release
from real_degraded import NETWORK
from result_tables import distinct, names_of_real_heads, numbers, rows_of, select

import skullmask_lib as sm


@pytest.fixture(scope="module")
def rows():
    return rows_of(real_shifts.TABLE)


@pytest.fixture
def disc():
    return (np.hypot(*np.ogrid[-40:41, -40:41]) <= 30).astype(np.uint8)


def test_the_table_is_whole(rows):
    assert distinct(rows, "head") == names_of_real_heads()
    for head in distinct(rows, "head"):
        for method in real_shifts.METHODS:
            of_method = select(rows, head=head, method=method)
            assert numbers(of_method, "shift_mm") == list(real_shifts.SHIFTS_MM)
    for row in rows:
        assert tuple(row) == real_shifts.HEADER
        assert row["sequence"] == real_heads.sequence_of(row["head"])
        assert row["truth"] == real_shifts.truth_of(row["head"])
        assert release(row["version"]) <= release(sm.__version__)
        assert 0 <= float(row["iou"]) <= 1


@pytest.mark.parametrize("method", ["v8", "v9"])
def test_where_nothing_is_moved_it_scores_as_in_the_table_of_heads(rows, method):
    as_it_is = select(rows, method=method, shift_mm="0.0")
    wanted = select(rows_of(real_heads.TABLE), method=method)
    assert numbers(as_it_is, "iou") == pytest.approx(numbers(wanted, "iou"), abs=5e-4)


def test_the_truths_disagree_and_no_shift_helps_all_heads(rows):
    """What the page says of v8 and v9: which side they err on, and what a constant is worth."""
    outward_mm = {(truth, method): mm for truth, method, _, mm, *_ in real_shifts.means(rows)}
    for version in ("v8", "v9"):
        assert abs(outward_mm["exact, BrainWeb", version]) < 0.1
        assert outward_mm["exact, from label maps", version] == pytest.approx(-0.4, abs=0.05)
        assert outward_mm["traced", version] == pytest.approx(0.5, abs=0.05)
        by_shift = real_shifts.by_shift(rows, version)
        assert max(by_shift, key=by_shift.get) == 0
        *_, iou, best = real_shifts.means(rows)[-3:][real_shifts.METHODS.index(version)]
        assert (best - iou) / (1 - iou) == pytest.approx(1 / 3, abs=0.05)


def test_half_a_millimetre_costs_as_much_as_the_page_says(rows):
    on_noisy = select(rows, head="brainweb_noisy", method="v8")
    [as_it_is] = numbers(select(on_noisy, shift_mm="0.0"), "iou")
    [moved_out] = numbers(select(on_noisy, shift_mm="0.5"), "iou")
    assert f"costs {as_it_is - moved_out:.3f} of IoU" in pages.unwrapped(pages.RESULTS)


def test_the_page_says_what_one_shift_for_all_is_worth(rows):
    by_shift = real_shifts.by_shift(rows, "v8")
    text = pages.unwrapped(pages.RESULTS)
    assert f"shrunk by 0.25 mm, the mean IoU is {by_shift[-0.25]:.4f}" in text
    assert f"grown by as much it is {by_shift[0.25]:.4f}" in text


def test_the_page_says_how_far_out_dark_scalp_draws_an_outline(rows):
    [v8, v9] = [
        select(rows, head="oms19_FLAIR", method=version, shift_mm="0.0")[0]["outward_mm"]
        for version in ("v8", "v9")
    ]
    assert f"by {v8} and {v9} mm" in pages.unwrapped(pages.RESULTS)


def test_the_card_says_where_the_outline_of_the_network_lies(rows):
    card = pages.unwrapped(pages.HOUSE / "data" / "network.md")
    outward_mm = {
        truth: mm for truth, method, _, mm, *_ in real_shifts.means(rows) if method == NETWORK
    }
    assert f"{outward_mm['traced']:.2f} mm outside the traced truth" in card
    assert f"{outward_mm['exact, BrainWeb']:.2f} mm outside the truth of BrainWeb" in card
    assert f"{-outward_mm['exact, from label maps']:.2f} mm inside that of the four" in card


def test_the_page_shows_the_table(rows):
    header = real_shifts.MEANS_HEADER
    shown = pages.table_of(pages.text_of(pages.RESULTS), header)
    assert shown == pages.laid_out(real_shifts.means(rows), header)


def test_an_outline_moves_by_as_much_as_it_is_told(disc):
    pixel_mm = 0.25  # about that of the twelve sets
    radius_mm = pixel_mm * np.sqrt(disc.sum() / np.pi)
    for shift_mm in real_shifts.SHIFTS_MM:
        moved = real_shifts.moved(disc, shift_mm, (pixel_mm, pixel_mm))
        moved_mm = pixel_mm * np.sqrt(moved.sum() / np.pi) - radius_mm
        assert moved_mm == pytest.approx(shift_mm, abs=pixel_mm / 2)
    np.testing.assert_array_equal(real_shifts.moved(disc, 0.0, (1.0, 1.0)), disc)


def test_a_shift_is_in_millimetres(disc):
    rows_mm, columns_mm = 0.5, 2.0
    moved = real_shifts.moved(disc, 2.0, (rows_mm, columns_mm))
    middle = disc.shape[0] // 2
    grown_px = moved.any(axis=1).sum() - disc.any(axis=1).sum()
    assert grown_px == pytest.approx(2 * 2.0 / rows_mm, abs=2)
    grown_px = moved[middle].sum() - disc[middle].sum()
    assert grown_px == pytest.approx(2 * 2.0 / columns_mm, abs=2)


def test_a_head_of_unknown_truth_is_refused():
    with pytest.raises(sm.InputError, match="mystery"):
        real_shifts.truth_of("mystery_T1")


@pytest.mark.full
def test_the_program_computes_the_table(rows, real):
    data = sm.load(real / "slices" / "brainweb.npz")
    for method in real_shifts.METHODS:
        wanted = select(rows, head="brainweb", method=method)
        outward_mm, ious = real_shifts.measure_head(method, data)
        assert outward_mm == pytest.approx(float(wanted[0]["outward_mm"]), abs=0.011)
        assert ious == pytest.approx(numbers(wanted, "iou"), abs=5e-4)
