"""Check the agreement between raters on discs whose radius is known.

Raters are compared in pairs, each has a bias, and the majority and STAPLE make one mask of all.
"""

import io
import re

import numpy as np
import pytest
from PIL import Image

from skullmask_lib import drawings, metrics, raters
from skullmask_lib.errors import InputError
from skullmask_lib.io.data import Data

# Of every pixel from the middle one
DISTANCE_PX = np.hypot(*np.ogrid[-40:41, -40:41])
# Two slices with pixels of half a millimetre
SPACING_MM = np.full((2, 2), 0.5)


def discs(*radii_px):
    """Trace a disc on as many slices as there are radii; without a radius a slice is not traced."""
    slices = []
    for radius_px in radii_px:
        if radius_px is None:
            slices.append(np.zeros(DISTANCE_PX.shape, np.uint8))
        else:
            slices.append(np.uint8(radius_px >= DISTANCE_PX))
    return np.stack(slices)


@pytest.fixture
def traces():
    return {"anna": discs(20, 30), "ben": discs(22, None), "eve": discs(26, 30)}


def test_pairs_count_only_slices_that_both_have_traced(traces):
    pairs = {(row.first, row.second): row for row in raters.pairs(traces, SPACING_MM)}
    slices = {names: row.slices for names, row in pairs.items()}
    assert slices == {("anna", "ben"): 1, ("anna", "eve"): 2, ("ben", "eve"): 1}

    on_one_slice = pairs["anna", "ben"]
    first = traces["anna"][0]
    second = traces["ben"][0]
    assert on_one_slice.iou == metrics.iou(first, second)
    assert on_one_slice.dice == metrics.dice(first, second)
    assert on_one_slice.assd == pytest.approx(1.0, abs=0.07)  # 2 px of 0.5 mm

    iou_of_first_slice = metrics.iou(discs(20)[0], discs(26)[0])
    iou_of_second_slice = 1
    mean = (iou_of_first_slice + iou_of_second_slice) / 2
    assert pairs["anna", "eve"].iou == pytest.approx(mean)


def test_raters_without_a_common_slice_have_no_scores():
    [row] = raters.pairs({"anna": discs(20, None), "ben": discs(None, 20)})
    assert row.slices == 0
    assert np.isnan([row.iou, row.dice, row.assd]).all()


def test_a_bias_is_signed_and_in_millimetres(traces):
    anna, ben, eve = raters.deviations(traces, SPACING_MM)
    # The difference of the radii [mm], on average over the slices shared with each other rater
    assert anna.outward == pytest.approx((-1 - 3 + 0) / 3, abs=0.07)
    assert ben.outward == pytest.approx((1 - 2) / 2, abs=0.07)
    assert eve.outward == pytest.approx((3 + 2 + 0) / 3, abs=0.07)
    assert (anna.slices, ben.slices, eve.slices) == (2, 1, 2)
    assert anna.area_error < 0 < eve.area_error
    *_, eve_px = raters.deviations(traces)
    assert eve_px.outward == pytest.approx(2 * eve.outward)


def test_errors_in_and_out_cancel_in_the_bias_and_not_in_the_distance():
    [disc] = discs(20)
    moved = np.roll(disc, 3, axis=1)
    assert metrics.outward_mm(moved, disc) == pytest.approx(0, abs=0.15)
    assert metrics.assd_mm(moved, disc) > 1


def test_the_bias_where_a_mask_is_empty():
    full, empty = discs(20, None)
    assert metrics.outward_mm(empty, empty) == 0
    assert np.isnan(metrics.outward_mm(full, empty))
    assert np.isnan(metrics.outward_mm(empty, full))


def test_the_majority_is_that_of_those_who_traced_a_slice(traces):
    majority = raters.majority(traces)
    np.testing.assert_array_equal(majority, discs(22, 30))


def test_a_tie_leaves_a_pixel_out():
    majority = raters.majority({"anna": discs(20), "eve": discs(26)})
    np.testing.assert_array_equal(majority, discs(20))


def test_staple_trusts_the_rater_least_who_differs():
    traces = {"anna": discs(20, 30), "ben": discs(20, 30), "eve": discs(26, None)}
    estimate = raters.staple(traces)
    np.testing.assert_array_equal(estimate.mask, discs(20, None))  # eve traced one slice
    specificity = estimate.specificity
    assert specificity["eve"] < min(specificity["anna"], specificity["ben"])
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


def test_masks_of_0_and_255_count_as_masks_of_0_and_1(traces):
    as_pictures = {name: 255 * masks for name, masks in traces.items()}
    np.testing.assert_array_equal(raters.majority(as_pictures), raters.majority(traces))
    assert raters.pairs(as_pictures) == raters.pairs(traces)
    estimate, estimate_of_pictures = raters.staple(traces), raters.staple(as_pictures)
    np.testing.assert_array_equal(estimate_of_pictures.mask, estimate.mask)
    assert estimate_of_pictures.sensitivity == estimate.sensitivity


def test_staple_needs_a_slice_that_all_have_traced():
    with pytest.raises(InputError):
        raters.staple({"anna": discs(20, None), "ben": discs(None, 20)})


def test_an_outline_has_the_colour_of_its_rater_s_bar():
    traces = {"big": discs(30), "small": discs(20)}
    images = DISTANCE_PX[None].astype(np.float32)
    data = Data(images, None, None, ("one",))
    picture = drawings.agreement_picture(traces, data)
    pixels = np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB"))
    middle = pixels.shape[1] // 2
    outlines = pixels[:, :middle]
    bars = pixels[:, middle:]
    for colour in ((0, 255, 255), (255, 0, 255)):
        assert (outlines == colour).all(axis=2).any()
        assert (bars == colour).all(axis=2).any()


def test_who_shares_no_slice_does_not_break_the_order_of_the_picture():
    traces = {"big": discs(30, None), "lone": discs(None, 20), "small": discs(20, None)}
    images = np.stack([DISTANCE_PX, DISTANCE_PX]).astype(np.float32)
    data = Data(images, None, None, ("one", "two"))
    picture = drawings.agreement_picture(traces, data)
    assert re.search(r"from -\d+\.\d px \(small\) to \d+\.\d px \(big\)", picture.alt)
