"""Outlines between the steps of the grid, and their filled masks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose as close
from numpy.testing import assert_array_equal as same

from skullmask_lib import polar

# --- between the steps ----------------------------------------------------------------------------


def ramps(edges, *, width=3.0, levels=(0.9, 0.2), count=60):
    """Give rays whose brightness falls in a straight line, halfway at these depths [steps]."""
    share = np.clip((np.arange(count) - np.reshape(edges, (-1, 1))) / width + 0.5, 0, 1)
    return (levels[0] + (levels[1] - levels[0]) * share).astype(np.float32)


@given(edge=st.floats(8, 40), off=st.integers(-2, 2), width=st.floats(2, 3))
def test_the_edge_is_found_between_the_steps(edge, off, width):
    rays = ramps(np.full(20, edge), width=width)
    close(polar.half_maximum(rays, np.full(20, round(edge) + off)), edge, atol=0.01)


def test_the_edge_is_followed_around():
    edges = 20 + 4 * np.sin(np.arange(polar.ANGLES) * 2 * np.pi / polar.ANGLES)
    close(polar.half_maximum(ramps(edges), np.rint(edges).astype(int)), edges, atol=0.05)


def test_one_bad_ray_moves_nothing():
    rays = ramps(np.full(40, 20.25))
    rays[7] = ramps([17.0])
    rays[20:22] = 1
    close(polar.half_maximum(rays, np.full(40, 20)), 20.25, atol=0.01)


def test_without_an_edge_the_path_stays():
    close(polar.half_maximum(np.ones((12, 30), np.float32), np.full(12, 9)), 9)
    close(polar.half_maximum(np.zeros((12, 30), np.float32), np.zeros(12, int)), 0)


def test_fat_is_as_bright_as_the_brain_and_no_brighter():
    rays = ramps(np.full(20, 15.4), levels=(3.0, 0.2))
    path = np.full(20, 15)
    same(polar.half_maximum(rays, path), polar.half_maximum(np.minimum(rays, 1), path))


# --- outlines -------------------------------------------------------------------------------------


@given(waves=st.lists(st.floats(-6, 6), min_size=6, max_size=6), least=st.floats(0, 100))
def test_pixels_are_in_whose_centre_is_in(unwrapped, waves, least):
    angles = np.arange(polar.ANGLES) * 2 * np.pi / polar.ANGLES
    turns = np.outer([1, 2, 3], angles)  # once, twice and three times around
    radius = np.maximum(least + waves @ np.concatenate([np.sin(turns), np.cos(turns)]), 0)

    mask = polar.fill_outline(unwrapped, unwrapped.skin - radius)

    assert (mask.dtype, mask.shape) == (np.uint8, unwrapped.shape)
    rows, columns = np.indices(mask.shape)
    y = (rows + 0.5) * unwrapped.scale[0] - 0.5 - unwrapped.centre[0]
    x = (columns + 0.5) * unwrapped.scale[1] - 0.5 - unwrapped.centre[1]
    angle = np.arctan2(y, x) % (2 * np.pi)
    beyond = np.hypot(y, x) - np.interp(angle, angles, radius, period=2 * np.pi)
    is_clear = np.abs(beyond) > 0.15
    same(mask[is_clear], beyond[is_clear] <= 0)


def test_a_circle_is_exact(unwrapped):
    radius = 70.3
    mask = polar.fill_outline(unwrapped, unwrapped.skin - radius)
    area = mask.sum() * np.prod(unwrapped.scale)
    assert area == pytest.approx(np.pi * radius**2, rel=2e-3)
    assert not polar.fill_outline(unwrapped, unwrapped.skin + 1.0).any()


def test_an_outline_lies_where_it_is_filled(unwrapped):
    for depth in (12.0, 30.0):
        mask = polar.fill_outline(unwrapped, np.full(polar.ANGLES, depth))
        deeper = polar.outline(unwrapped, np.full(polar.ANGLES, depth + 5))
        nearer_the_skin = polar.outline(unwrapped, np.full(polar.ANGLES, depth - 5))
        assert pixels_along(mask, deeper).all()
        assert not pixels_along(mask, nearer_the_skin).any()


def pixels_along(mask, outline):
    rows, columns = np.rint(outline).astype(int)
    return mask[rows, columns]
