"""How far a mask can be trusted, without any truth."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from complaints import refused
from hypothesis import given
from hypothesis import strategies as st
from inputs import blobs, ring_head, within_skin
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import polar

MM = (1.0, 1.0)


def test_the_truth_is_trusted_and_what_is_off_it_is_not(drawn):
    image, truth = drawn
    assert sm.quality(image, truth, spacing_mm=MM) > 2 * polar.TRUSTED
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    head = within_skin(image)
    wrong_masks = {
        "dilated": cv2.dilate(truth, element),
        "eroded": cv2.erode(truth, element),
        "shifted": np.roll(truth, 6, axis=1),
        "head": head,
        "scalp": head & (truth == 0),
        "without bone": head & (image > 0.3),
        "inverted": 1 - truth,
        "empty": 0 * truth,
    }
    for name, mask in wrong_masks.items():
        assert sm.quality(image, mask, spacing_mm=MM) < polar.TRUSTED, name


def test_no_mask_of_an_inverted_image_is_trusted():
    """v9 finds heads there; their rays may look as those of any head do, but the air is bright."""
    data = sm.load("phantom")
    mask = sm.v8(data.images[0], spacing_mm=data.spacing_of(0))
    head = polar.unwrap(data.images[0], data.spacing_of(0))
    assert polar.mask_quality(head, mask) > polar.TRUSTED
    inverted = replace(head, on_grid=head.on_grid.max() - head.on_grid)
    assert polar.mask_quality(inverted, mask) == 0


@pytest.mark.parametrize(("depth_mm", "plausible"), [(30, True), (40, False)])
def test_no_scalp_is_that_thick(depth_mm, plausible):
    image, truth = ring_head(depths_mm=(0, depth_mm, depth_mm + 6))
    assert (sm.quality(image, truth, spacing_mm=MM) > polar.TRUSTED) == plausible


@pytest.mark.parametrize(("scalp_mm", "plausible"), [(2, False), (3, True), (6, True)])
def test_hardly_a_scalp_is_that_thin(scalp_mm, plausible):
    image, truth = ring_head(depths_mm=(0, scalp_mm, scalp_mm + 6))
    assert (sm.quality(image, truth, spacing_mm=MM) > polar.TRUSTED) == plausible


def test_an_outline_that_leaves_the_surface_for_the_inner_table_is_trusted_less():
    image, _ = ring_head(levels=(0.02, 0.8, 0.1, 0.7, 0.1, 1), depths_mm=(0, 6, 8.5, 13, 15.5))
    marrow = polar.unwrap(image, MM)
    angle = np.arange(polar.ANGLES)

    def trust(inner_to):
        depth = np.where(angle < inner_to, 25.5, 11.5)
        return polar.outline_quality(marrow, ndimage.gaussian_filter1d(depth, 4))

    surface = trust(0)
    a_third = trust(120)
    most = trust(240)
    all_around = trust(360)
    assert surface > 2 * polar.TRUSTED
    assert a_third < 0.5 * surface
    assert most < a_third
    assert most < polar.TRUSTED
    assert all_around < polar.TRUSTED


def test_scalp_brighter_than_the_brain_is_no_sharper():
    """Where bone is faint, the step to it does not become clear by brighter fat."""
    for fat in (1.0, 1.6):
        image, truth = ring_head(levels=(0.02, fat, 0.97, 1.0), depths_mm=(0, 6, 12))
        assert sm.quality(image, truth, spacing_mm=MM) < polar.TRUSTED


def test_noise_along_an_outline_does_not_hide_its_edge(drawn):
    """The contrast is averaged over neighbouring rays before it is limited."""
    image, truth = drawn
    head = polar.unwrap(image, MM)
    depth = polar.rating._depth_of(truth, head)
    noise = 0.4 * np.random.default_rng(3).standard_normal(head.brightness.shape)
    noisy = replace(head, brightness=np.float32(head.brightness + noise))
    pixel = polar.rating._pixel_along_rays(head)
    assert polar.rating._sharpness(noisy, depth, pixel).mean() > 0.97


def test_no_sharp_edge_makes_up_for_one_that_is_missing(drawn):
    image, truth = drawn
    is_right = np.arange(image.shape[1]) > image.shape[1] / 2
    without_bone = np.where(is_right & (truth == 1) & (image < 0.75), 0.75, image)
    trust = sm.quality(image, truth, spacing_mm=MM)
    assert sm.quality(without_bone, truth, spacing_mm=MM) < 0.7 * trust


def test_what_differs_between_left_and_right_is_trusted_less(drawn, monkeypatch):
    image, truth = drawn
    head = polar.unwrap(image, MM)
    depth = polar.rating._depth_of(truth, head)
    pixel = polar.rating._pixel_along_rays(head)
    seen = np.full(polar.ANGLES, True)
    angle = np.arange(polar.ANGLES)
    on_right = 8 * np.exp(-(((angle - 45) / 10) ** 2))  # 4 mm deeper there
    on_both = on_right + on_right[(180 - angle) % polar.ANGLES]
    assert not polar.rating._is_lopsided(head, depth, seen, pixel).any()
    assert not polar.rating._is_lopsided(head, depth + on_both, seen, pixel).any()
    lopsided = polar.rating._is_lopsided(head, depth + on_right, seen, pixel)
    assert lopsided[45]
    assert lopsided[angle < 90].sum() == pytest.approx(lopsided[angle >= 90].sum(), abs=2)
    assert not polar.rating._is_lopsided(head, depth + on_right, seen, pixel + 10).any()
    one_side = angle < 90
    assert not polar.rating._is_lopsided(head, depth + on_right, one_side, pixel)[one_side].any()
    trust = polar.outline_quality(head, depth + on_right)
    monkeypatch.setattr(polar.rating, "_LOPSIDED_MM", 99)
    assert polar.outline_quality(head, depth + on_right) > 1.03 * trust


def test_a_rough_outline_is_trusted_less(drawn):
    image, truth = drawn
    rough = polar.unwrap(image, MM)
    depth = polar.rating._depth_of(truth, rough)
    noise = np.random.default_rng(1).standard_normal(polar.ANGLES)
    trust = [polar.outline_quality(rough, depth + amount * noise) for amount in (0, 1, 2, 4)]
    assert trust == sorted(trust, reverse=True)
    assert trust[0] > polar.TRUSTED > trust[-1]


def test_quality_follows_the_mask_and_the_spacing_no_further_than_it_must(drawn):
    image, truth = drawn
    quality = sm.quality(image, truth, spacing_mm=MM)
    assert 0 < quality <= 1
    for mask in (truth * 255, truth > 0, truth * 1.0):
        assert sm.quality(image, mask, spacing_mm=MM) == quality
    assert sm.quality(image, truth) == pytest.approx(quality, abs=0.15)
    assert sm.quality(image * 1e-20, truth, spacing_mm=MM) == pytest.approx(quality, abs=0.01)


def test_quality_says_what_it_cannot_take(drawn):
    image, truth = drawn
    with refused(None, naming=["(220, 190)", "(9, 9)"]):
        sm.quality(image, np.ones((9, 9)))
    with refused(None, naming=["binary mask", ": 1, 2"]):
        sm.quality(image, np.resize([0, 1, 2], truth.shape))
    with refused(None, naming=["field of view", "1000 mm", "got 1980 mm"]):
        sm.quality(image, truth, spacing_mm=(9, 9))
    with refused(None, naming=["finite", f"got {image.size} "]):
        sm.quality(image * np.nan, truth)


WINDOWS = {  # what air, skin, fat, bone and brain are on a CT, shown from … to … HU
    "-160 to 240": (0.0, 0.5, 0.15, 1.0, 0.48),
    "-100 to 200": (0.0, 0.46, 0.0, 1.0, 0.44),
    "0 to 80": (0.0, 0.5, 0.0, 1.0, 0.4),
    "-1000 to 1000": (0.0, 0.52, 0.45, 1.0, 0.516),
}


@pytest.mark.parametrize("spacing_mm", [None, MM])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_ct_is_not_trusted(window, spacing_mm):
    image, _ = ring_head(levels=WINDOWS[window], depths_mm=(0.0, 2.0, 7.0, 14.0))
    image = image + 0.015 * np.random.default_rng(0).standard_normal(image.shape)
    mask = sm.v8(image, spacing_mm=spacing_mm)
    assert sm.quality(image, mask, spacing_mm=spacing_mm) < polar.TRUSTED


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("wide", [7, 12])
def test_a_right_mask_is_trusted_on_wide_pixels(axis, wide):
    data = sm.load("phantom")
    for image, truth, spacing_mm in zip(data.images, data.truth, data.spacing_mm, strict=True):
        starts = range(0, image.shape[axis], wide)
        wide_image = np.add.reduceat(image, starts, axis=axis)
        wide_truth = np.add.reduceat(truth, starts, axis=axis) > wide / 2
        wide_mm = spacing_mm.copy()
        wide_mm[axis] *= wide
        mask = sm.v8(wide_image, spacing_mm=wide_mm)
        assert sm.iou(mask, wide_truth) > 0.95
        assert sm.quality(wide_image, mask, spacing_mm=wide_mm) > polar.TRUSTED
        astray = np.roll(mask, round(15 / spacing_mm[1 - axis]), axis=1 - axis)  # by 15 mm
        assert sm.quality(wide_image, astray, spacing_mm=wide_mm) < polar.TRUSTED


@given(seed=st.integers(0, 10**6))
@pytest.mark.filterwarnings("ignore:shows more than one head")
def test_quality_is_a_share(seed):
    image = blobs(seed)
    for spacing_mm in (None, MM):
        assert 0 <= sm.quality(image, image > np.median(image), spacing_mm=spacing_mm) <= 1
