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
    bends, changes = (np.abs(np.diff(p, append=p[0])).sum() for p in (inner_edge, thickness))
    unusual_mm = np.abs(polar.STEP_MM * thickness - polar.SKULL_MM[1]).sum()
    places = costs[0][rays, surface].sum() + costs[1][rays, inner_edge].sum()
    moves = polar.paths._BEND_COST * bends + polar.paths._THICKENING_COST * changes
    return places + moves + polar.paths._THICKNESS_COST_PER_MM * unusual_mm


def is_allowed(surface, inner_edge):
    thickness = inner_edge - surface
    steps = [np.abs(np.diff(path, append=path[0])).max() for path in (inner_edge, thickness)]
    thinnest, _, thickest = (mm / polar.STEP_MM for mm in polar.SKULL_MM)
    is_nested = thickness.min() >= thinnest and thickness.max() <= thickest
    return max(steps) <= 1 and surface.min() >= 0 and is_nested


def pairs_of_paths(rays, depths):
    """List all nested closed paths on a few rays."""
    thinnest = round(polar.SKULL_MM[0] / polar.STEP_MM)
    pairs = [(s, b) for b in range(depths) for s in range(b - thinnest + 1)]
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
    half = rays // 2
    through = [
        price(costs, *pair)
        for pair in pairs_of_paths(rays, depths)
        if pair[0][half] == surface[half] and pair[1][half] == inner_edge[half]
    ]
    assert price(costs, surface, inner_edge) == pytest.approx(min(through), abs=1e-5)


@given(st.data())
def test_the_cheapest_nested_paths_are_found_where_they_stand_out(data):
    count = data.draw(st.integers(2, 40))
    turn = data.draw(st.integers(0, 2 * count))
    moves = st.lists(st.integers(-1, 1), min_size=count, max_size=count)
    paths = []
    for middle in (40, 10):  # the inner edge, and the thickness
        half = np.clip(middle + np.cumsum(data.draw(moves)), middle - 4, middle + 4)
        paths.append(np.roll(np.concatenate([half, half[::-1]]), turn))
    inner_edge, thickness = paths
    surface = inner_edge - thickness
    costs = np.ones((2, 2 * count, 60), np.float32)
    costs[0, np.arange(2 * count), surface] = 0
    costs[1, np.arange(2 * count), inner_edge] = 0
    same(polar.nested_paths(*costs), (surface, inner_edge))


def test_nested_paths_turn_with_the_rows():
    costs = ndimage.gaussian_filter(
        np.random.default_rng(1).random((2, 90, 60)), (0, 2, 2), mode=("wrap", "wrap", "nearest")
    ).astype(np.float32)
    wanted = price(costs, *polar.nested_paths(*costs))
    for turn in (1, 17, 45):
        turned = np.roll(costs, turn, axis=1)
        assert price(turned, *polar.nested_paths(*turned)) == pytest.approx(wanted, rel=1e-2)
    for depth in range(8, 60):
        same_depth = np.full(90, depth)
        assert wanted <= price(costs, same_depth - 8, same_depth)
