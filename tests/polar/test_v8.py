"""v8 on heads drawn by hand, and on whatever an image may be."""

import cv2
import numpy as np
import pytest
from complaints import refused
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import blobs, ring_head
from numpy.testing import assert_array_equal as same
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import polar
from skullmask_lib.errors import EmptyMaskWarning

MM = (1.0, 1.0)


# --- heads ------------------------------------------------------------------------------------


HEADS = {
    "plain": {},
    "turned": {"turn": 25},
    "shifted": {"at_mm": (8, -9)},
    "round": {"axes_mm": (80, 80)},
    "small": {"axes_mm": (72, 60)},
    "thin scalp": {"depths_mm": (0, 3, 8)},
    "thick scalp": {"depths_mm": (0, 14, 20)},
    "fat suppressed": {"levels": (0.01, 0.25, 0.06, 1)},
    "fat brighter than the brain": {"levels": (0.01, 3, 0.1, 1)},
    "no noise, no air, no bone": {"levels": (0, 0.8, 0, 1)},
    "scalp cut by the frame": {"shape": (172, 142), "depths_mm": (0, 12, 18)},
    "dark skin": {"levels": (0, 0.3, 0.9, 0.1, 1), "depths_mm": (0, 1.5, 7, 13)},
}


@pytest.mark.parametrize("case", HEADS)
@pytest.mark.parametrize("spacing_mm", [None, MM])
def test_v8_draws_the_skull_of_a_head(case, spacing_mm):
    image, truth = ring_head(**HEADS[case])
    mask = sm.v8(image, spacing_mm=spacing_mm)
    assert sm.iou(mask, truth) > 0.98
    assert sm.assd_mm(mask, truth) < 0.8
    assert sm.quality(image, mask, spacing_mm=spacing_mm) > polar.TRUSTED


@pytest.mark.parametrize("spacing_mm", [(0.4, 1.2), (1.2, 0.4)])
def test_pixels_need_not_be_square(spacing_mm):
    shape = tuple(round(n / mm) for n, mm in zip((220, 190), spacing_mm, strict=True))
    image, truth = ring_head(shape, spacing_mm)
    assert sm.iou(sm.v8(image, spacing_mm=spacing_mm), truth) > 0.98
    data = sm.load("phantom")
    height, width = np.rint(data.images[0].shape * data.spacing_mm[0] / spacing_mm).astype(int)
    size = (int(width), int(height))
    for image, square_mm in zip(data.images, data.spacing_mm, strict=True):
        resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        mask = sm.v8(resized, spacing_mm=spacing_mm)
        square_mask = sm.v8(image, spacing_mm=square_mm)
        expected = cv2.resize(square_mask, size, interpolation=cv2.INTER_NEAREST)
        assert sm.iou(mask, expected) >= 0.98


@pytest.mark.parametrize("side", [128, 256, 512, 1024])
def test_any_resolution_will_do(side):
    spacing_mm = (200 / side,) * 2
    image, truth = ring_head((side, side), spacing_mm)
    for known in (None, spacing_mm):
        assert sm.iou(sm.v8(image, spacing_mm=known), truth) > 0.985


@pytest.mark.parametrize("name", ["phantom", "phantom-cropped"])
@pytest.mark.parametrize(
    "turn", [np.rot90, lambda a: np.rot90(a, 2), lambda a: np.rot90(a, 3), np.fliplr, np.flipud]
)
def test_the_mask_turns_with_the_head(name, turn):
    data = sm.load(name)
    for image, mm in zip(data.images, data.spacing_mm, strict=True):
        for spacing_mm in (None, mm):
            mask = sm.v8(image, spacing_mm=spacing_mm)
            mask_of_turned = sm.v8(turn(image), spacing_mm=spacing_mm)
            assert sm.iou(mask_of_turned, turn(mask)) >= 0.99


# --- whatever an image may be -----------------------------------------------------------------


@pytest.mark.parametrize("spacing_mm", [None, MM])
def test_unit_offset_and_dtype_do_not_matter(drawn, spacing_mm):
    image, _ = drawn
    mask = sm.v8(image, spacing_mm=spacing_mm)

    def iou_of(other):
        return sm.iou(sm.v8(other, spacing_mm=spacing_mm), mask)

    for factor in (1e-30, 1e30, 1e-300, 1e300):
        assert iou_of(image * factor) > 0.999
    for offset_image in (image + 1000, image * 5 - 3):
        assert iou_of(offset_image) > 0.999
    for faint in (1e-37 * (1 + 0.01 * image), 1e-36 * (1 + 0.001 * image)):
        assert iou_of(np.float32(faint)) > 0.99
    assert iou_of(image * 1e-309) > 0.99  # below the smallest normal number
    for factor in (2.0**-60, 2.0**60):
        same(sm.v8(image * factor, spacing_mm=spacing_mm), mask)
    for dtype in (np.uint8, np.int16, np.uint16, np.int64):
        assert iou_of(np.rint(image * 200).astype(dtype)) > 0.995
    assert iou_of((image * 200 - 100).astype(np.int8)) > 0.99
    for dtype in (np.float16, np.float32):
        assert iou_of(image.astype(dtype)) > 0.995


@pytest.mark.parametrize("scale", [1e-300, 1e-40, 1, 1e40, 1e300])
def test_a_second_head_is_seen_at_any_scale(drawn, scale):
    head = scale * drawn[0]
    assert not polar.may_have_rivals(head)
    assert polar.may_have_rivals(np.hstack([head, head]))


@settings(max_examples=25)
@given(
    exponent=st.integers(-30, 30), offset=st.floats(-1000, 1000), spacing_mm=st.none() | st.just(MM)
)
def test_neither_offset_nor_scale_matters(exponent, offset, spacing_mm):
    image, _ = ring_head()
    mask = sm.v8(image, spacing_mm=spacing_mm)
    other = (image + offset) * 10.0**exponent
    assert sm.iou(sm.v8(other, spacing_mm=spacing_mm), mask) > 0.999
    trust = sm.quality(image, mask, spacing_mm=spacing_mm)
    assert sm.quality(other, mask, spacing_mm=spacing_mm) == pytest.approx(trust, abs=0.001)


@pytest.mark.parametrize("spacing_mm", [None, MM])
@pytest.mark.parametrize("place", [(0, 0), (110, 95), (110, 25), (30, 30)])
@pytest.mark.parametrize("value", [1e6, -1e6, 1e12, -1e12])
def test_one_pixel_does_not_matter(drawn, spacing_mm, place, value):
    image, truth = drawn
    spoilt = image.copy()
    spoilt[place] = value
    assert sm.iou(sm.v8(spoilt, spacing_mm=spacing_mm), sm.v8(image, spacing_mm=spacing_mm)) > 0.99
    assert sm.quality(spoilt, truth, spacing_mm=spacing_mm) > polar.TRUSTED


@pytest.mark.parametrize(("scale", "value"), [(1e-30, 1e20), (1e-3, 3e38)])
def test_a_pixel_at_the_limits_of_float32_does_not_matter(drawn, scale, value):
    image = np.float32(scale * drawn[0])
    spoilt = image.copy()
    spoilt[0, 0] = value
    assert sm.iou(sm.v8(spoilt, spacing_mm=MM), sm.v8(image, spacing_mm=MM)) > 0.99


@pytest.mark.parametrize("axis", [0, 1])
def test_an_image_may_be_wider_than_opencv_takes_places(drawn, axis):
    image = np.repeat(drawn[0][:, :], 200, axis=axis)
    spacing_mm = np.where(np.arange(2) == axis, MM[0] / 200, MM[0])
    mask = sm.v8(image, spacing_mm=spacing_mm)
    assert sm.quality(image, mask, spacing_mm=spacing_mm) > polar.TRUSTED


def test_the_image_stays_and_the_mask_comes_again(drawn):
    image = 3 * drawn[0]
    before = image.copy()
    first, again = sm.v8(image), sm.v8(image)
    same(first, again)
    sm.quality(image, first)
    same(image, before)


@pytest.mark.filterwarnings("ignore::skullmask_lib.errors.EmptyMaskWarning")
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2, 2), (3, 3), (5, 300), (300, 5), (40, 30)])
@pytest.mark.parametrize("spacing_mm", [None, MM, (0.01, 0.01), (3.0, 0.2)])
def test_any_shape_will_do(shape, spacing_mm):
    noise = np.random.default_rng(1).random(shape)
    diagonal = np.eye(*shape)
    ramp = np.indices(shape).sum(axis=0)
    for image in (noise, diagonal, ramp):
        mask = sm.v8(image, spacing_mm=spacing_mm)
        assert (mask.dtype, mask.shape) == (np.uint8, shape)
        assert sm.quality(image, mask, spacing_mm=spacing_mm) < polar.TRUSTED


@pytest.mark.parametrize("spacing_mm", [None, (0.42, 0.42)])
@pytest.mark.parametrize("level", [0, 1, -3, 1e-30])
def test_a_flat_image_gives_an_empty_mask_and_a_warning(level, spacing_mm):
    flat = np.full((300, 256), float(level))
    with_a_hot_pixel = flat.copy()
    with_a_hot_pixel[7, 9] = level * 1e6
    for image in (flat, with_a_hot_pixel):
        with pytest.warns(EmptyMaskWarning, match="no head"):
            mask = sm.v8(image, spacing_mm=spacing_mm)
        assert not mask.any()
        assert sm.quality(image, mask, spacing_mm=spacing_mm) == 0


@given(seed=st.integers(0, 10**6), spacing_mm=st.none() | st.tuples(*2 * [st.floats(0.05, 3)]))
@pytest.mark.filterwarnings(
    "ignore::skullmask_lib.errors.EmptyMaskWarning", "ignore:shows more than one head"
)
def test_whatever_comes_the_mask_is_one_piece_without_holes(seed, spacing_mm):
    image = blobs(seed)
    mask = sm.v8(image, spacing_mm=spacing_mm)
    assert (mask.dtype, mask.shape) == (np.uint8, image.shape)
    assert cv2.connectedComponents(mask, connectivity=8)[0] <= 2
    same(mask, ndimage.binary_fill_holes(mask))
    same(sm.v8(image, spacing_mm=spacing_mm), mask)


@pytest.mark.parametrize(
    ("spacing_mm", "naming"),
    [
        ((0, 1), ["above 0 mm", "got (0, 1)"]),
        ((1, -1), ["above 0 mm", "got (1, -1)"]),
        ((np.nan, 1), ["above 0 mm", "got (nan, 1)"]),
        ((1, np.inf), ["above 0 mm", "got (1, inf)"]),
        (0.42, ["above 0 mm", "got 0.42"]),
        ((0.42,), ["above 0 mm", "got (0.42,)"]),
        ((1, 1, 1), ["above 0 mm", "got (1, 1, 1)"]),
        ((10, 10), ["field of view", "1000 mm", "got 7680 mm"]),
    ],
)
def test_a_spacing_is_two_lengths(spacing_mm, naming):
    image = sm.load("phantom").images[0]
    doors = (
        lambda: sm.v8(image, spacing_mm=spacing_mm),
        lambda: sm.trace("v8", image, spacing_mm=spacing_mm),
        lambda: sm.quality(image, image > 0, spacing_mm=spacing_mm),
        lambda: sm.create_skull_mask(image, spacing_mm=spacing_mm),
    )
    for door in doors:
        with refused(None, naming=["spacing", *naming]) as error:
            door()
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "part", [np.s_[:, 312:], np.s_[:, :312], np.s_[300:], np.s_[:480], np.s_[250:, 200:]]
)
def test_the_frame_may_cut_through_the_head(part):
    data = sm.load("phantom")
    for index in range(0, len(data.images), 2):
        for spacing_mm in (data.spacing_mm[index], None):
            mask = sm.v8(data.images[index][part], spacing_mm=spacing_mm)
            assert sm.iou(mask, data.truth[index][part]) >= 0.94


def test_quality_checks_what_it_is_given_before_it_looks_for_a_mask():
    empty = np.zeros((30, 30), np.uint8)
    with refused(None, naming=["finite", "got 900 "]):
        sm.quality(np.full((30, 30), np.nan), empty)
    with refused(None, naming=["above 0 mm", "got (-1, 3)"]):
        sm.quality(np.eye(30), empty, spacing_mm=(-1, 3))
