"""A head unwrapped: its centre, its skin and the rays from there inwards."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inputs import ring_head
from numpy.testing import assert_allclose as close

from skullmask_lib import polar

MM = (1.0, 1.0)


def disc(radius_mm, shape=(160, 160), spacing_mm=MM, at_mm=(0.0, 0.0)):
    axes_mm = (radius_mm, radius_mm)
    image, _ = ring_head(shape, spacing_mm, at_mm=at_mm, axes_mm=axes_mm, levels=(0, 1, 1, 1))
    return image


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0), (0.4, 1.2), (0.25, 0.25), (1.5, 1.5)])
@pytest.mark.parametrize("at_mm", [(0.0, 0.0), (-11.0, 7.0)])
def test_centre_and_skin_are_in_millimetres(spacing_mm, at_mm):
    shape = tuple(round(170 / mm) for mm in spacing_mm)
    unwrapped = polar.unwrap(disc(60, shape, spacing_mm, at_mm), spacing_mm)
    middle_mm = (np.multiply(shape, spacing_mm) - polar.STEP_MM) / 2 + at_mm
    close(np.multiply(unwrapped.centre, polar.STEP_MM), middle_mm, atol=0.5)
    close(unwrapped.skin * polar.STEP_MM, 60, atol=1.5)
    close(unwrapped.scale, np.divide(spacing_mm, polar.STEP_MM), rtol=0.01)
    assert unwrapped.shape == shape


def test_without_a_spacing_the_head_is_its_own_ruler():
    for radius, shape in ((60, (160, 160)), (60, (300, 200)), (240, (600, 640)), (25, (60, 60))):
        unwrapped = polar.unwrap(disc(radius, shape))
        close(unwrapped.skin * polar.STEP_MM, polar.RADIUS_MM, atol=2)


def test_rays_begin_on_the_right_and_turn_clockwise():
    image = disc(60)
    image[75:85, 120:126] = 0  # on the right, from 40 to 46 mm off the centre
    image[110:116, 75:85] = 0  # below, from 30 to 36 mm
    brightness = polar.unwrap(image, MM).brightness
    assert brightness.shape == (polar.ANGLES, 96)
    depth_on_the_right_mm = np.median(np.flatnonzero(brightness[0] < 0.5)) * polar.STEP_MM
    depth_below_mm = np.median(np.flatnonzero(brightness[90] < 0.5)) * polar.STEP_MM
    assert depth_on_the_right_mm == pytest.approx(60 - 43, abs=1.5)
    assert depth_below_mm == pytest.approx(60 - 33, abs=1.5)
    assert (brightness[[45, 135, 180, 225, 270, 315], 8:] > 0.9).all()


def test_the_brain_has_brightness_1():
    image, _ = ring_head(levels=(0, 1, 0.05, 0.25))
    for factor in (1, 7e-9, 2.0**40):
        brightness = polar.unwrap(factor * image, MM).brightness
        close(np.median(brightness[:, 70:]), 1, atol=0.01)
        close(np.median(brightness[:, 5:10]), 2, atol=0.05)


def test_no_head_nothing_to_unwrap():
    assert polar.unwrap(np.zeros((30, 40))) is None
    assert polar.unwrap(np.zeros((30, 40)), MM) is None


@given(
    shape=st.tuples(*2 * [st.integers(1, 400)]),
    value=st.floats(-1e30, 1e30),
    spacing_mm=st.none() | st.tuples(*2 * [st.floats(0.1, 2.4)]),
)
def test_a_flat_image_has_no_head_at_any_size(shape, value, spacing_mm):
    assert polar.unwrap(np.full(shape, value), spacing_mm) is None
