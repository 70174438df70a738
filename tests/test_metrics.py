"""Check the scores of masks.

They are worked out by hand on small grids, computed by brute force, and compared with SimpleITK.
"""

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
    """Draw two small masks of one shape."""
    shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    masks = hnp.arrays(np.uint8, shape, elements=st.integers(0, 1))
    return draw(masks), draw(masks)


def two_masks(seed):
    """Give two masks that overlap, of some pieces and with holes."""
    shape = (31 + seed, 47)
    mask = brightest(0.4, blobs(seed, shape=shape, dtype=np.float64))
    changed = brightest(0.1, blobs(seed + 300, shape=shape, dtype=np.float64))
    truth = mask ^ changed
    return mask.astype(np.uint8), truth.astype(np.uint8)


def brightest(share, image):
    """Tell which pixels belong to the brightest share of an image."""
    return image > np.quantile(image, 1 - share)


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
    mask = np.array(mask, dtype)
    truth = np.array(truth, dtype)
    assert sm.iou(mask, truth) == pytest.approx(iou, abs=1e-15)
    assert sm.dice(mask, truth) == pytest.approx(dice, abs=1e-15)
    assert sm.area_error(mask, truth) == pytest.approx(area_error, abs=1e-15)


def test_overlap_takes_volumes_and_255():
    mask = np.zeros((2, 3, 4), np.uint8)
    mask[0] = 255
    truth = np.zeros_like(mask)
    truth[0, 0] = 1
    assert sm.iou(mask, truth) == pytest.approx(4 / 12)
    assert sm.dice(mask, truth) == pytest.approx(8 / 16)


@given(pairs())
def test_dice_follows_from_iou(pair):
    iou = sm.iou(*pair)
    dice = sm.dice(*pair)
    assert dice == pytest.approx(2 * iou / (1 + iou))
    assert 0 <= iou <= dice <= 1
    assert (iou == 1) == np.array_equal(*pair)


# --- distances -------------------------------------------------------------------------------------------------


def test_distances_by_hand():
    spacing_mm = (2.0, 0.5)
    mask = np.zeros((5, 9), np.uint8)
    mask[1:4, 1:4] = 1  # its surface: the 8 pixels around (2, 2)
    truth = np.zeros_like(mask)
    truth[2, 7] = 1
    from_mask_mm = []
    for row in (1, 2, 3):
        for column in (1, 2, 3):
            if (row, column) != (2, 2):
                from_mask_mm.append(math.hypot(2 * (row - 2), 0.5 * (column - 7)))
    from_truth_mm = [0.5 * 4]
    hd95_mm = np.percentile(from_mask_mm + from_truth_mm, 95)
    assd_mm = (np.mean(from_mask_mm) + 2.0) / 2
    assert sm.hausdorff_mm(mask, truth, spacing_mm) == pytest.approx(math.hypot(2, 3))
    assert sm.hd95_mm(mask, truth, spacing_mm) == pytest.approx(hd95_mm)
    assert sm.assd_mm(mask, truth, spacing_mm) == pytest.approx(assd_mm)


def test_the_frame_is_a_surface():
    full = np.ones((5, 5), np.uint8)
    hollow = full.copy()
    hollow[2, 2] = 0
    assert sm.hausdorff_mm(full, full) == sm.assd_mm(full, full) == 0.0
    assert sm.hausdorff_mm(full, hollow) == 1.0  # from beside the hole to the frame


@pytest.mark.parametrize("measure", DISTANCES)
def test_distances_to_an_empty_mask(measure):
    empty = np.zeros((4, 4))
    some = np.eye(4)
    assert measure(empty, empty) == 0.0
    assert measure(empty, some) == measure(some, empty) == math.inf


def surface_points_mm(mask, spacing_mm):
    """List the pixels with a 4-neighbour that is out; beyond the frame all is out."""
    cross = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    is_inside = ndimage.correlate(mask.astype(int), cross, mode="constant") == 5
    return np.argwhere((mask > 0) & ~is_inside) * spacing_mm


def directed_distances_mm(mask, truth, spacing_mm):
    """Give the distances from the mask's surface to that of the truth, and the other way round."""
    ours_mm = surface_points_mm(mask, spacing_mm)
    theirs_mm = surface_points_mm(truth, spacing_mm)
    apart_mm = np.linalg.norm(ours_mm[:, None] - theirs_mm[None], axis=2)
    return apart_mm.min(axis=1), apart_mm.min(axis=0)


@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("seed", range(6))
def test_distances_by_brute_force(seed, spacing_mm):
    mask, truth = two_masks(seed)
    from_mask_mm, from_truth_mm = directed_distances_mm(mask, truth, spacing_mm)
    assert from_mask_mm.max() > 0
    hausdorff_mm = max(from_mask_mm.max(), from_truth_mm.max())
    hd95_mm = np.percentile([*from_mask_mm, *from_truth_mm], 95)
    assd_mm = (from_mask_mm.mean() + from_truth_mm.mean()) / 2
    assert sm.hausdorff_mm(mask, truth, spacing_mm) == pytest.approx(hausdorff_mm)
    assert sm.hd95_mm(mask, truth, spacing_mm) == pytest.approx(hd95_mm)
    assert sm.assd_mm(mask, truth, spacing_mm) == pytest.approx(assd_mm)


def itk_image(mask, spacing_mm):
    """Make SimpleITK's image of a mask; its axes are in the opposite order."""
    image = sitk.GetImageFromArray(np.asarray(mask, np.uint8))
    image.SetSpacing(spacing_mm[::-1])
    return image


def itk_surface(mask):
    """Give the surface of a mask as SimpleITK finds it; the frame counts as outside."""
    padded = sitk.ConstantPad(sitk.GetImageFromArray(mask), (1, 1), (1, 1))
    contour = sitk.GetArrayFromImage(sitk.BinaryContour(padded))
    return contour[1:-1, 1:-1]


def itk_distances_mm(mask, truth, spacing_mm):
    """Give the distances from one surface to the other by SimpleITK's exact distance map."""
    distance_map = sitk.SignedMaurerDistanceMap(
        itk_image(itk_surface(truth), spacing_mm),
        squaredDistance=False,
        useImageSpacing=True,
    )
    apart_mm = np.abs(sitk.GetArrayFromImage(distance_map))
    return apart_mm[itk_surface(mask) > 0]


def itk_hausdorff(mask, truth, spacing_mm):
    """Run SimpleITK's filter for the Hausdorff distance."""
    measured = sitk.HausdorffDistanceImageFilter()
    measured.Execute(itk_image(mask, spacing_mm), itk_image(truth, spacing_mm))
    return measured


@pytest.mark.parametrize("shape", [(30,), (9, 8), (6, 5, 4)])
def test_a_surface_has_a_neighbour_outside(shape):
    mask = np.random.default_rng(1).random(shape) < 0.8
    padded = np.pad(mask, 1)
    is_inner = np.ones(padded.shape, bool)
    for axis in range(mask.ndim):
        is_inner &= np.roll(padded, 1, axis) & np.roll(padded, -1, axis)
    inner = is_inner[(slice(1, -1),) * mask.ndim]
    assert (mask & inner).any()
    for kind in (mask, 255 * mask.astype(np.int16)):
        surface = metrics.surface_of(kind)
        assert surface.dtype == np.uint8
        np.testing.assert_array_equal(surface, mask & ~inner)
    with pytest.raises(sm.InputError):
        metrics.surface_of(mask + 2)


@pytest.mark.parametrize("spacing_mm", SPACINGS)
@pytest.mark.parametrize("seed", range(6))
def test_distances_of_simpleitk(seed, spacing_mm):
    mask, truth = two_masks(seed)
    measured = itk_hausdorff(itk_surface(mask), itk_surface(truth), spacing_mm)
    hausdorff_mm = measured.GetHausdorffDistance()
    assd_mm = measured.GetAverageHausdorffDistance()
    from_mask_mm = itk_distances_mm(mask, truth, spacing_mm)
    from_truth_mm = itk_distances_mm(truth, mask, spacing_mm)
    hd95_mm = np.percentile([*from_mask_mm, *from_truth_mm], 95)
    assert sm.hausdorff_mm(mask, truth, spacing_mm) == pytest.approx(hausdorff_mm, rel=1e-5)
    assert sm.assd_mm(mask, truth, spacing_mm) == pytest.approx(assd_mm, rel=1e-5)
    assert sm.hd95_mm(mask, truth, spacing_mm) == pytest.approx(hd95_mm, rel=1e-5)


def test_distances_of_simpleitk_on_the_phantom():
    data = sm.load("phantom")
    spacing_mm = tuple(data.spacing_mm[0].tolist())
    mask = sm.v2(data.images[0])
    truth = data.truth[0]
    # Of filled masks: here their largest distance is that of the surfaces
    hausdorff_mm = itk_hausdorff(mask, truth, spacing_mm).GetHausdorffDistance()
    assert sm.hausdorff_mm(mask, truth, spacing_mm) == pytest.approx(hausdorff_mm, rel=1e-5)


@given(pairs())
def test_scores_are_symmetric(pair):
    for measure in SCORES:
        assert measure(*pair) == pytest.approx(measure(*pair[::-1]))
    first, second = pair
    if first.any() == second.any():  # otherwise the distances are infinite
        assert sm.hausdorff_mm(*pair) >= sm.hd95_mm(*pair) >= 0


@given(pairs())
def test_twice_the_spacing_is_twice_the_distance(pair):
    transposed = [mask.T for mask in pair]
    for measure in DISTANCES:
        distance_mm = measure(*pair, (1.0, 3.0))
        assert measure(*pair, (2.0, 6.0)) == pytest.approx(2 * distance_mm)
        assert measure(*transposed, (3.0, 1.0)) == pytest.approx(distance_mm)
        assert measure(*pair) == measure(*pair, (1.0, 1.0))


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
    in_pixels = sm.score(mask, truth)
    assert list(in_pixels) == ["iou", "dice", "area_error", "hausdorff_px", "hd95_px", "assd_px"]
    assert list(in_pixels.values()) == list(sm.score(mask, truth, (1.0, 1.0)).values())
    assert set(map(type, in_pixels.values())) == {float}


def test_score_of_many_slices():
    first, second = two_masks(0)
    made = np.stack([first, second])
    truth = np.stack([second, first])
    in_pixels = [sm.score(first, second), sm.score(second, first)]
    assert sm.score_slices(made, truth) == in_pixels

    spacing_mm = np.array([[1.0, 2.0], [0.5, 3.0]])
    in_mm = [sm.score(first, second, spacing_mm[0]), sm.score(second, first, spacing_mm[1])]
    assert sm.score_slices(iter(made), list(truth), spacing_mm) == in_mm

    for wrong in (1, 3):
        with refused(None, naming=["true mask", f"got {min(wrong, 2)}"]):
            sm.score_slices(made, [truth[0]] * wrong)
        with refused(None, naming=["spacings", "(2, 2)", f"({wrong}, 2)"]):
            sm.score_slices(made, truth, [(1, 1)] * wrong)


def test_an_empty_truth_is_unknown_where_others_are_not_empty():
    some = np.eye(5, dtype=np.uint8)
    none = np.zeros_like(some)
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
    some = np.eye(5, dtype=np.uint8)
    none = np.zeros_like(some)
    for spacing_mm in (None, np.ones((3, 2))):
        scores = sm.score_slices([some, none, some], [none, none, some], spacing_mm)
        *unknown, known = scores
        for row in unknown:
            assert list(row) == list(known)
            assert np.isnan(list(row.values())).all()
        assert metrics.mean_scores(scores) == known
        assert known["iou"] == 1
    # Where the truth is empty on every slice, the slices count as they are
    scores = sm.score_slices([some, none], [none, none])
    assert [row["iou"] for row in scores] == [0, 1]
    assert metrics.mean_scores(scores)["iou"] == 0.5


def test_means_are_over_known_truth_and_keep_what_is_infinite():
    unknown = {"iou": np.nan, "assd_px": np.nan, "quality": 0.1}
    rows = [
        {"iou": 0.5, "assd_px": 1.0, "quality": 0.5},
        unknown,
        {"iou": 1.0, "assd_px": np.inf, "quality": 0.75},
    ]
    means = {"iou": 0.75, "assd_px": np.inf, "quality": 0.625}
    assert metrics.mean_scores(rows) == means
    assert metrics.bounded_scores(rows) == rows[:2]
    assert metrics.mean_scores([{"quality": 0.5}, {"quality": 0.25}]) == {"quality": 0.375}
    none_known = metrics.mean_scores([unknown, unknown])
    assert np.isnan([none_known["iou"], none_known["assd_px"]]).all()
    assert none_known["quality"] == 0.1
    assert metrics.mean_scores([]) == {}


@pytest.mark.parametrize("empty", ["mask", "truth", "both"])
def test_score_of_empty_masks_is_float_throughout(empty):
    mask = np.eye(5) * (empty == "truth")
    truth = np.eye(5) * (empty == "mask")
    values = list(sm.score(mask, truth, (1, 1)).values())
    assert set(map(type, values)) == {float}
    assert not np.isnan(values).any()


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
