"""Closed paths around the head: two nested ones at the lowest price."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal as same
from scipy import ndimage

from skullmask_lib import polar


def price(costs, surface, inner_edge):
    """Price two nested closed paths, as `polar.nested_paths` does."""
    rays = np.arange(len(surface))
    thickness = inner_edge - surface
    unusual_mm = np.abs(polar.STEP_MM * thickness - polar.SKULL_THICKNESS_MM[1])
    places = costs[0][rays, surface].sum() + costs[1][rays, inner_edge].sum()
    bends = polar.paths._BEND_COST * moves(inner_edge).sum()
    changes = polar.paths._THICKENING_COST * moves(thickness).sum()
    return places + bends + changes + polar.paths._THICKNESS_COST_PER_MM * unusual_mm.sum()


def moves(path):
    """Tell by how many steps a closed path moves from every ray to the next."""
    return np.abs(np.diff(path, append=path[0]))


def is_allowed(surface, inner_edge):
    thickness = inner_edge - surface
    is_smooth = moves(inner_edge).max() <= 1 and moves(thickness).max() <= 1
    thinnest, _, thickest = np.divide(polar.SKULL_THICKNESS_MM, polar.STEP_MM)
    is_nested = thickness.min() >= thinnest and thickness.max() <= thickest
    return is_smooth and is_nested and surface.min() >= 0


def pairs_of_paths(rays, depths):
    """List all nested closed paths on a few rays."""
    thinnest = round(polar.SKULL_THICKNESS_MM[0] / polar.STEP_MM)
    pairs = []
    for inner_edge in range(depths):
        for surface in range(inner_edge - thinnest + 1):
            pairs.append((surface, inner_edge))
    for path in itertools.product(pairs, repeat=rays):
        surface, inner_edge = np.array(path).T
        if is_allowed(surface, inner_edge):
            yield surface, inner_edge


@st.composite
def two_costs(draw, depths=8):
    shape = 2, draw(st.integers(1, 3)), depths
    values = st.lists(st.integers(0, 20), min_size=math.prod(shape), max_size=math.prod(shape))
    return np.float32(np.reshape(draw(values), shape) / 10)


@given(two_costs())
def test_no_nested_paths_through_the_same_opposite_ray_are_cheaper(costs):
    surface, inner_edge = polar.nested_paths(*costs)
    assert is_allowed(surface, inner_edge)
    rays, depths = costs[0].shape
    opposite = rays // 2
    prices = []
    for other_surface, other_edge in pairs_of_paths(rays, depths):
        meets_surface = other_surface[opposite] == surface[opposite]
        meets_inner_edge = other_edge[opposite] == inner_edge[opposite]
        if meets_surface and meets_inner_edge:
            prices.append(price(costs, other_surface, other_edge))
    assert price(costs, surface, inner_edge) == pytest.approx(min(prices), abs=1e-5)


@given(st.data())
def test_the_cheapest_nested_paths_are_found_where_they_stand_out(data):
    count = data.draw(st.integers(2, 40))
    turn = data.draw(st.integers(0, 2 * count))
    steps = st.lists(st.integers(-1, 1), min_size=count, max_size=count)

    def closed_path(middle):
        half = np.clip(middle + np.cumsum(data.draw(steps)), middle - 4, middle + 4)
        return np.roll(np.concatenate([half, half[::-1]]), turn)

    inner_edge = closed_path(40)
    thickness = closed_path(10)
    surface = inner_edge - thickness
    costs = np.ones((2, 2 * count, 60), np.float32)
    costs[0, np.arange(2 * count), surface] = 0
    costs[1, np.arange(2 * count), inner_edge] = 0
    same(polar.nested_paths(*costs), (surface, inner_edge))


def test_nested_paths_turn_with_the_rows():
    noise = np.random.default_rng(1).random((2, 90, 60))
    modes = ("wrap", "wrap", "nearest")
    costs = ndimage.gaussian_filter(noise, (0, 2, 2), mode=modes).astype(np.float32)
    lowest = price(costs, *polar.nested_paths(*costs))
    for turn in (1, 17, 45):
        turned = np.roll(costs, turn, axis=1)
        assert price(turned, *polar.nested_paths(*turned)) == pytest.approx(lowest, rel=1e-2)
    for depth in range(8, 60):
        same_depth = np.full(90, depth)
        assert lowest <= price(costs, same_depth - 8, same_depth)
