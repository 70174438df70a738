"""v8's primitives on heads that are drawn by hand, and v8 itself on whatever an image may be."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inputs import ring_head
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import polar

MM = (1.0, 1.0)


def disc(radius_mm, shape=(160, 160), spacing_mm=MM, at_mm=(0.0, 0.0)):
    return ring_head(shape, spacing_mm, at_mm=at_mm, axes_mm=(radius_mm,) * 2, levels=(0, 1, 1, 1))[0]


def whole(image):
    """Give everything within the skin, for a head without noise."""
    return ndimage.binary_fill_holes(image > 0.12)


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_no_contrast_no_head(level):
    assert not polar.find_head(np.full((50, 40), level, np.float32)).any()
    tiny = np.float32([[level, level + 0.001], [level, level]])  # of one level when it is blurred
    assert not polar.find_head(tiny).any()


@given(
    shape=st.tuples(*2 * [st.integers(1, 400)]),
    value=st.floats(-1e30, 1e30),
    spacing_mm=st.none() | st.tuples(*2 * [st.floats(0.1, 2.4)]),
)
def test_a_flat_image_has_no_head_at_any_size(shape, value, spacing_mm):
    assert polar.unwrap(np.full(shape, value), spacing_mm) is None


@pytest.fixture(scope="module")
def drawn():
    image, truth = ring_head()
    return image, truth


def test_the_truth_is_trusted_and_what_is_off_it_is_not(drawn):
    image, truth = drawn
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    shifted = np.roll(truth, 6, axis=1)
    assert sm.quality(image, truth, spacing_mm=MM) > 2 * polar.TRUSTED
    scalp = whole(image) & (truth == 0)
    without_bone = whole(image) & (image > 0.3)
    dilated, eroded = cv2.dilate(truth, element), cv2.erode(truth, element)
    for wrong in (dilated, eroded, shifted, whole(image), scalp, without_bone, 1 - truth, 0 * truth):
        assert sm.quality(image, wrong, spacing_mm=MM) < polar.TRUSTED


@pytest.mark.parametrize("spacing_mm", [None, (0.42, 0.42)])
@pytest.mark.parametrize("level", [0, 1, -3, 1e-30])
def test_a_flat_image_gives_an_empty_mask_and_a_warning(level, spacing_mm):
    image = np.full((300, 256), float(level))
    image[7, 9] = level * 1e6  # one hot pixel makes no head
    for flat in (np.full((300, 256), float(level)), image):
        with pytest.warns(UserWarning, match="the mask is empty: no head in it"):
            mask = sm.v8(flat, spacing_mm=spacing_mm)
        assert not mask.any()
        assert sm.quality(flat, mask, spacing_mm=spacing_mm) == 0
