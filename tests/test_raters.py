"""Agreement between raters: pairs, bias, the majority and STAPLE, on discs whose radius is known."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from skullmask_lib import drawings, metrics, raters
from skullmask_lib.errors import InputError
from skullmask_lib.io.data import Data

DISTANCE = np.hypot(*np.ogrid[-40:41, -40:41])
SPACING_MM = np.full((2, 2), 0.5)


def discs(*radii_px):
    """Give a trace of as many slices as radii; no radius means that a slice is not traced."""
    return np.stack([np.uint8((radius or -1) >= DISTANCE) for radius in radii_px])


@pytest.fixture
def traces():
    return {"anna": discs(20, 30), "ben": discs(22, None), "eve": discs(26, 30)}


def test_pairs_count_only_slices_that_both_have_traced(traces):
    rows = {(row.first, row.second): row for row in raters.pairs(traces, SPACING_MM)}
    assert {pair: row.slices for pair, row in rows.items()} == {
        ("anna", "ben"): 1,
        ("anna", "eve"): 2,
        ("ben", "eve"): 1,
    }
    one = rows["anna", "ben"]
    first, second = traces["anna"][0], traces["ben"][0]
    assert one.iou == metrics.iou(first, second)
    assert one.dice == metrics.dice(first, second)
    assert one.assd == pytest.approx(1.0, abs=0.07)  # 2 px of 0.5 mm
    assert rows["anna", "eve"].iou == pytest.approx(
        (metrics.iou(discs(20)[0], discs(26)[0]) + 1) / 2
    )


def test_raters_without_a_common_slice_have_no_scores():
    [row] = raters.pairs({"anna": discs(20, None), "ben": discs(None, 20)})
    assert row.slices == 0
    assert np.isnan([row.iou, row.dice, row.assd]).all()


def test_a_bias_is_signed_and_in_millimetres(traces):
    anna, ben, eve = raters.deviations(traces, SPACING_MM)
    assert anna.outward == pytest.approx((-1 - 3 + 0) / 3, abs=0.07)
    assert ben.outward == pytest.approx((1 - 2) / 2, abs=0.07)
    assert eve.outward == pytest.approx((3 + 2 + 0) / 3, abs=0.07)
    assert (anna.slices, ben.slices, eve.slices) == (2, 1, 2)
    assert anna.area_error < 0 < eve.area_error
    *_, eve_px = raters.deviations(traces)
    assert eve_px.outward == pytest.approx(2 * eve.outward)


def test_errors_in_and_out_cancel_in_the_bias_and_not_in_the_distance():
    moved = np.roll(discs(20)[0], 3, axis=1)
    assert metrics.outward_mm(moved, discs(20)[0]) == pytest.approx(0, abs=0.15)
    assert metrics.assd_mm(moved, discs(20)[0]) > 1


def test_the_bias_where_a_mask_is_empty():
    full, empty = discs(20, None)
    assert metrics.outward_mm(empty, empty) == 0
    assert np.isnan(metrics.outward_mm(full, empty))
    assert np.isnan(metrics.outward_mm(empty, full))


def test_the_majority_is_that_of_those_who_traced_a_slice(traces):
    made = raters.majority(traces)
    np.testing.assert_array_equal(made, discs(22, 30))


def test_a_tie_leaves_a_pixel_out():
    made = raters.majority({"anna": discs(20), "eve": discs(26)})
    np.testing.assert_array_equal(made, discs(20))


def test_staple_trusts_the_rater_least_who_differs():
    traces = {"anna": discs(20, 30), "ben": discs(20, 30), "eve": discs(26, None)}
    estimate = raters.staple(traces)
    np.testing.assert_array_equal(estimate.mask, discs(20, None))  # eve traced one slice
    assert estimate.specificity["eve"] < min(estimate.specificity[name] for name in ("anna", "ben"))
    assert estimate.sensitivity["eve"] == pytest.approx(1)


@pytest.mark.parametrize(
    "traces",
    [
        {},
        {"anna": discs(20), "ben": discs(20, 30)},
        {"anna": discs(20)[0], "ben": discs(20)[0]},  # slices without an axis of slices
    ],
)
def test_traces_that_cannot_be_compared_are_refused(traces):
    for compare in (raters.pairs, raters.deviations, raters.majority, raters.staple):
        with pytest.raises(InputError):
            compare(traces)


def test_staple_needs_a_slice_that_all_have_traced():
    with pytest.raises(InputError):
        raters.staple({"anna": discs(20, None), "ben": discs(None, 20)})


def test_an_outline_has_the_colour_of_its_rater_s_bar():
    traces = {"big": discs(30), "small": discs(20)}
    images = DISTANCE[None].astype(np.float32)
    picture = drawings.agreement_picture(traces, Data(images, None, None, ("one",)))
    pixels = np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB"))
    middle = pixels.shape[1] // 2
    for colour in ((0, 255, 255), (255, 0, 255)):
        has_colour = (pixels == colour).all(axis=2)
        assert has_colour[:, :middle].any()
        assert has_colour[:, middle:].any()


def test_who_shares_no_slice_does_not_break_the_order_of_the_picture():
    traces = {"big": discs(30, None), "lone": discs(None, 20), "small": discs(20, None)}
    images = np.stack([DISTANCE, DISTANCE]).astype(np.float32)
    alt = drawings.agreement_picture(traces, Data(images, None, None, ("one", "two"))).alt
    assert re.search(r"from -\d+\.\d px \(small\) to \d+\.\d px \(big\)", alt)
