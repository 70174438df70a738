"""Scores by hand on small grids, by brute force, and by SimpleITK."""

import math

import numpy as np
import pytest
import SimpleITK as sitk
from complaints import refused
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from inputs import blobs
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import metrics

SPACINGS = ((1.0, 1.0), (0.42, 0.42), (3.0, 0.5), (0.7, 1.9))
DISTANCES = (sm.hausdorff_mm, sm.hd95_mm, sm.assd_mm)
SCORES = (sm.iou, sm.dice, *DISTANCES)


@st.composite
def pairs(draw):
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    return tuple(draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 1))) for _ in range(2))


def two_masks(seed):
    """Give two masks that overlap, of some pieces and with holes."""
    shape = (31 + seed, 47)
    first, second = (blobs(seed + offset, shape=shape, dtype=np.float64) for offset in (0, 300))
    mask = first > np.quantile(first, 0.6)
    return mask.astype(np.uint8), (mask ^ (second > np.quantile(second, 0.9))).astype(np.uint8)


# --- overlap ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "truth", "iou", "dice", "area_error"),
    [
        ([[1, 1, 0], [0, 0, 0]], [[0, 1, 1], [0, 0, 1]], 1 / 4, 2 / 5, -1 / 3),
        ([[1, 1, 1], [1, 1, 1]], [[0, 1, 1], [0, 0, 1]], 3 / 6, 6 / 9, 1.0),
        ([[1, 0, 1], [0, 1, 0]], [[1, 0, 1], [0, 1, 0]], 1.0, 1.0, 0.0),
        ([[1, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]], 0.0, 0.0, 0.0),
        ([[0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]], 1.0, 1.0, 0.0),
        ([[0, 0, 0], [0, 0, 0]], [[0, 0, 1], [0, 0, 0]], 0.0, 0.0, -1.0),
        ([[0, 0, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]], 0.0, 0.0, math.inf),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, bool, np.float32])
def test_overlap_by_hand(mask, truth, iou, dice, area_error, dtype):
    mask, truth = np.array(mask, dtype), np.array(truth, dtype)
    assert sm.iou(mask, truth) == pytest.approx(iou, abs=1e-15)
    assert sm.dice(mask, truth) == pytest.approx(dice, abs=1e-15)
    assert sm.area_error(mask, truth) == pytest.approx(area_error, abs=1e-15)


def test_overlap_takes_volumes_and_255():
    mask, truth = np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 4), np.uint8)
    mask[0], truth[0, 0] = 255, 1
    assert sm.iou(mask, truth) == pytest.approx(4 / 12)
    assert sm.dice(mask, truth) == pytest.approx(8 / 16)


@given(pairs())
def test_dice_follows_from_iou(pair):
    iou, dice = sm.iou(*pair), sm.dice(*pair)
    assert dice == pytest.approx(2 * iou / (1 + iou))
    assert 0 <= iou <= dice <= 1
    assert (iou == 1) == np.array_equal(*pair)


# --- distances -------------------------------------------------------------------------------------------------


def test_distances_by_hand():
    mask, truth = np.zeros((5, 9), np.uint8), np.zeros((5, 9), np.uint8)
    mask[1:4, 1:4] = 1  # surface: the 8 pixels around (2, 2)
    truth[2, 7] = 1
    there = [
        math.hypot(2 * (row - 2), 0.5 * (column - 7))
        for row in (1, 2, 3)
        for column in (1, 2, 3)
        if (row, column) != (2, 2)
    ]
    back = [0.5 * 4]
    assert sm.hausdorff_mm(mask, truth, (2.0, 0.5)) == pytest.approx(math.hypot(2, 3))
    assert sm.hd95_mm(mask, truth, (2.0, 0.5)) == pytest.approx(np.percentile(there + back, 95))
    assert sm.assd_mm(mask, truth, (2.0, 0.5)) == pytest.approx((np.mean(there) + 2.0) / 2)


def test_the_frame_is_a_surface():
    full, hollow = np.ones((5, 5), np.uint8), np.ones((5, 5), np.uint8)
    hollow[2, 2] = 0
    assert sm.hausdorff_mm(full, full) == sm.assd_mm(full, full) == 0.0
    assert sm.hausdorff_mm(full, hollow) == 1.0  # from beside the hole to the frame


@pytest.mark.parametrize("measure", DISTANCES)
def test_distances_to_an_empty_mask(measure):
    empty, some = np.zeros((4, 4)), np.eye(4)
    assert measure(empty, empty) == 0.0
    assert measure(empty, some) == measure(some, empty) == math.inf


def surface_points(mask, spacing_mm):
    """Pixels with a 4-neighbour that is out; beyond the frame all is out."""
    inside = (
        ndimage.correlate(mask.astype(int), [[0, 1, 0], [1, 1, 1], [0, 1, 0]], mode="constant") == 5
    )
    return np.argwhere((mask > 0) & ~inside) * spacing_mm


def directed(mask, truth, spacing_mm):
    ours, theirs = (surface_points(m, spacing_mm) for m in (mask, truth))
    apart = np.linalg.norm(ours[:, None] - theirs[None], axis=2)
    return apart.min(axis=1), apart.min(axis=0)


@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("seed", range(6))
def test_distances_by_brute_force(seed, spacing_mm):
    mask, truth = two_masks(seed)
    there, back = directed(mask, truth, spacing_mm)
    assert there.max() > 0
    assert sm.hausdorff_mm(mask, truth, spacing_mm) == pytest.approx(max(there.max(), back.max()))
    assert sm.hd95_mm(mask, truth, spacing_mm) == pytest.approx(np.percentile([*there, *back], 95))
    assert sm.assd_mm(mask, truth, spacing_mm) == pytest.approx((there.mean() + back.mean()) / 2)


def itk(mask, spacing_mm):
    image = sitk.GetImageFromArray(np.asarray(mask, np.uint8))
    image.SetSpacing(spacing_mm[::-1])
    return image


def itk_surface(mask):
    return sitk.GetArrayFromImage(
        sitk.BinaryContour(sitk.ConstantPad(sitk.GetImageFromArray(mask), (1, 1), (1, 1)))
    )[1:-1, 1:-1]


def itk_distances(mask, truth, spacing_mm):
    """Distances between the surfaces, read from SimpleITK's exact distance map."""
    for ours, theirs in ((mask, truth), (truth, mask)):
        apart = sitk.SignedMaurerDistanceMap(
            itk(itk_surface(theirs), spacing_mm), squaredDistance=False, useImageSpacing=True
        )
        yield np.abs(sitk.GetArrayFromImage(apart))[itk_surface(ours) > 0]


@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("seed", range(6))
def test_distances_of_simpleitk(seed, spacing_mm):
    mask, truth = two_masks(seed)
    measured = sitk.HausdorffDistanceImageFilter()
    measured.Execute(itk(itk_surface(mask), spacing_mm), itk(itk_surface(truth), spacing_mm))
    assert sm.hausdorff_mm(mask, truth, spacing_mm) == pytest.approx(
        measured.GetHausdorffDistance(), rel=1e-5
    )
    assert sm.assd_mm(mask, truth, spacing_mm) == pytest.approx(
        measured.GetAverageHausdorffDistance(), rel=1e-5
    )
    there, back = itk_distances(mask, truth, spacing_mm)
    assert sm.hd95_mm(mask, truth, spacing_mm) == pytest.approx(
        np.percentile([*there, *back], 95), rel=1e-5
    )


def test_distances_of_simpleitk_on_the_phantom():
    data = sm.load("phantom")
    spacing_mm = tuple(data.spacing_mm[0].tolist())
    mask, truth = sm.v2(data.images[0]), data.truth[0]
    measured = sitk.HausdorffDistanceImageFilter()
    measured.Execute(
        itk(mask, spacing_mm), itk(truth, spacing_mm)
    )  # filled masks: the same largest distance here
    assert sm.hausdorff_mm(mask, truth, spacing_mm) == pytest.approx(
        measured.GetHausdorffDistance(), rel=1e-5
    )


@given(pairs())
def test_scores_are_symmetric(pair):
    for measure in SCORES:
        assert measure(*pair) == pytest.approx(measure(*pair[::-1]))
    if not any(mask.any() for mask in pair) or all(mask.any() for mask in pair):
        assert sm.hausdorff_mm(*pair) >= sm.hd95_mm(*pair) >= 0


@given(pairs())
def test_twice_the_spacing_is_twice_the_distance(pair):
    for measure in DISTANCES:
        assert measure(*pair, (2.0, 6.0)) == pytest.approx(2 * measure(*pair, (1.0, 3.0)))
        assert measure(*pair) == measure(*pair, (1.0, 1.0))
        assert measure(pair[0].T, pair[1].T, (3.0, 1.0)) == pytest.approx(
            measure(*pair, (1.0, 3.0))
        )


# --- score -----------------------------------------------------------------------------------------------------


def test_score_holds_every_measure():
    mask, truth = two_masks(0)
    spacing_mm = (0.5, 2.0)
    assert sm.score(mask, truth, spacing_mm) == {
        "iou": sm.iou(mask, truth),
        "dice": sm.dice(mask, truth),
        "area_error": sm.area_error(mask, truth),
        "hausdorff_mm": sm.hausdorff_mm(mask, truth, spacing_mm),
        "hd95_mm": sm.hd95_mm(mask, truth, spacing_mm),
        "assd_mm": sm.assd_mm(mask, truth, spacing_mm),
    }
    without = sm.score(mask, truth)
    assert list(without) == ["iou", "dice", "area_error", "hausdorff_px", "hd95_px", "assd_px"]
    assert list(without.values()) == list(sm.score(mask, truth, (1.0, 1.0)).values())
    assert all(type(value) is float for value in without.values())


def test_score_of_many_slices():
    made, truth = (np.stack(masks) for masks in zip(two_masks(0), two_masks(0)[::-1], strict=True))
    spacing_mm = np.array([[1.0, 2.0], [0.5, 3.0]])
    assert sm.score_slices(made, truth) == [
        sm.score(made[0], truth[0]),
        sm.score(made[1], truth[1]),
    ]
    assert sm.score_slices(iter(made), list(truth), spacing_mm) == [
        sm.score(mask, true, spacing)
        for mask, true, spacing in zip(made, truth, spacing_mm, strict=True)
    ]
    for wrong in (1, 3):
        with refused(None, naming=["true mask", f"got {min(wrong, 2)}"]):
            sm.score_slices(made, [truth[0]] * wrong)
        with refused(None, naming=["spacings", "(2, 2)", f"({wrong}, 2)"]):
            sm.score_slices(made, truth, [(1, 1)] * wrong)


def test_an_empty_truth_is_unknown_where_others_are_not_empty():
    some, none = np.eye(5, dtype=np.uint8), np.zeros((5, 5), np.uint8)
    assert metrics.known_slices(np.stack([none, some, none])).tolist() == [False, True, False]
    assert metrics.known_slices(iter([none, none])).tolist() == [True, True]
    assert metrics.known_slices([some]).tolist() == [True]
    assert metrics.known_slices([]).tolist() == []


@pytest.mark.parametrize(
    ("truth_px", "skipped"),
    [
        ([0, 0, 2, 5, 9, 0, 0], [5, 6]),  # it grows small towards the crown, and breaks off below
        ([9, 0, 0, 8, 0, 9], [1, 2, 4]),
        ([0, 1, 9, 2, 0], []),
        ([1, 2, 3], []),
        ([0, 0], []),
        ([7], []),
    ],
)
def test_a_truth_breaks_off_where_it_is_large(truth_px, skipped):
    assert np.flatnonzero(metrics.skipped_planes(np.array(truth_px))).tolist() == skipped


def test_slices_of_unknown_truth_have_no_scores_and_no_part_in_the_mean():
    some, none = np.eye(5, dtype=np.uint8), np.zeros((5, 5), np.uint8)
    for spacing_mm in (None, np.ones((3, 2))):
        scores = sm.score_slices([some, none, some], [none, none, some], spacing_mm)
        assert [list(row) for row in scores] == [list(scores[2])] * 3
        assert all(np.isnan(value) for row in scores[:2] for value in row.values())
        mean = metrics.mean_scores(scores)
        assert mean == scores[2]
        assert mean["iou"] == 1
    scores = sm.score_slices([some, none], [none, none])  # empty everywhere: they count as they are
    assert [row["iou"] for row in scores] == [0, 1]
    assert metrics.mean_scores(scores)["iou"] == 0.5


@pytest.mark.parametrize("empty", ["mask", "truth", "both"])
def test_score_of_empty_masks_is_float_throughout(empty):
    mask, truth = np.eye(5) * (empty == "truth"), np.eye(5) * (empty == "mask")
    scores = sm.score(mask, truth, (1, 1))
    assert all(type(value) is float for value in scores.values())
    assert not any(math.isnan(value) for value in scores.values())


@pytest.mark.parametrize("measure", [*SCORES, sm.area_error, sm.score])
def test_masks_of_different_shape_are_refused(measure):
    with refused(None, naming=["(3, 3)", "(3, 4)"]):
        measure(np.zeros((3, 3)), np.zeros((3, 4)))


@pytest.mark.parametrize("measure", [*SCORES, sm.area_error, metrics.outward_mm, sm.score])
@pytest.mark.parametrize("values", [[0, 0.4, 0.9], [0, 1, 2], [0, 1, np.nan]])
def test_probabilities_labels_and_nan_are_no_masks(measure, values):
    mask = np.eye(3)
    for pair in ((mask * values, mask), (mask, mask * values)):
        with refused(None, naming=["binary mask"]):
            measure(*pair)


@pytest.mark.parametrize("measure", [*DISTANCES, sm.score])
@pytest.mark.parametrize("spacing_mm", [(0, 1), (1, -1), (1,), (1, 1, 1), (np.nan, 1), (np.inf, 1)])
def test_spacings_that_cannot_be(measure, spacing_mm):
    with refused(None, naming=["spacing", "above 0 mm"]):
        measure(np.eye(3), np.eye(3), spacing_mm)


@pytest.mark.parametrize("measure", [*DISTANCES, sm.score])
def test_distances_are_those_of_slices(measure):
    with refused(None, naming=["(H, W)", "(2, 3, 3)"]):
        measure(np.zeros((2, 3, 3)), np.zeros((2, 3, 3)))
