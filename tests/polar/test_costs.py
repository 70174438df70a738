"""The price of every place as the skull's outer surface."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose as close
from numpy.testing import assert_array_equal as same
from scipy import ndimage

from skullmask_lib import polar

RAYS = {  # brightness down to a depth [mm]; where the skull begins
    "plain": ([(0.9, 6), (0.3, 12), (1, 48)], 6),
    "thin scalp": ([(0.9, 3), (0.3, 9), (1, 48)], 3),
    "thick scalp": ([(0.9, 15), (0.3, 20), (1, 48)], 15),
    "muscle below fat": ([(1.2, 4), (0.6, 14), (0.2, 18), (1, 48)], 14),
    # the brain is too far from the fat
    "dark muscle below fat": ([(1.2, 4), (0.4, 14), (0.2, 19), (1, 48)], 14),
    # the lower step, and the darker bone
    "thin muscle below fat": ([(1.2, 8), (0.48, 11), (0.2, 15), (1, 48)], 11),
    "muscle in layers": ([(1.2, 3), (0.5, 5), (0.8, 9), (0.6, 13), (0.2, 17), (1, 48)], 13),
    "bright diploe": ([(1, 6), (0.2, 8), (0.9, 12), (0.2, 14), (1, 48)], 6),
    "suppressed fat": ([(0.5, 6), (0.25, 11), (1, 48)], 6),
    "dark liquor": ([(0.9, 6), (0.2, 11), (0.4, 14), (1, 48)], 6),
    "bright liquor": ([(0.8, 6), (0.2, 11), (2.5, 15), (1, 48)], 6),
    "thin bone": ([(0.9, 6), (0.25, 8.5), (1, 48)], 6),
    "dark skin": ([(0.3, 1.5), (0.9, 7), (0.2, 12), (1, 48)], 7),
}


def ray(layers, count=96):
    depth_mm = (np.arange(count) + 0.5) * polar.STEP_MM
    levels, ends = np.transpose(layers)
    return levels[np.searchsorted(ends, depth_mm)].astype(np.float32)


def edges_mm(layers):
    """Find the two edges in a head that is the same along every ray."""
    rays = np.tile(layers, (8, 1))
    paths = polar.nested_paths(polar.surface_cost(rays), polar.inner_edge_cost(rays))
    for path in paths:
        assert np.ptp(path) == 0
    return tuple(path[0] * polar.STEP_MM for path in paths)


@pytest.mark.parametrize("case", RAYS)
def test_the_skull_begins_where_scalp_turns_into_bone(case):
    layers, expected_mm = RAYS[case]
    brightness = ray(layers)
    surface_mm, inner_edge_mm = edges_mm(brightness)
    assert surface_mm == pytest.approx(expected_mm, abs=polar.STEP_MM)
    inner_edge = round(inner_edge_mm / polar.STEP_MM)
    assert brightness[inner_edge] > brightness[inner_edge - 1]
    blurred = ndimage.gaussian_filter1d(brightness, 1, mode="nearest")
    assert edges_mm(blurred)[0] == pytest.approx(expected_mm, abs=1)


# Where marrow is dark, the whole skull is the dark layer, and that is 12 mm thick at most
DARK_MARROW = [*itertools.product((0.2, 0.4), (2, 4))]
BRIGHT_MARROW = [*itertools.product((0.7, 1.0), (2, 4, 6, 8))]


@pytest.mark.parametrize(("marrow", "marrow_mm"), DARK_MARROW + BRIGHT_MARROW)
def test_marrow_of_any_thickness_and_brightness_lies_inside(marrow, marrow_mm):
    outer_table_mm = 9
    inner_table_mm = outer_table_mm + marrow_mm
    layers = [
        (1, 6),
        (0.15, outer_table_mm),
        (marrow, inner_table_mm),
        (0.15, inner_table_mm + 3),
        (1, 48),
    ]
    assert edges_mm(ray(layers))[0] == pytest.approx(6, abs=polar.STEP_MM)


def test_paths_are_closed_whether_or_not_they_meet_after_one_turn(monkeypatch):
    """Prices of noise leave the end of a turn elsewhere than its start in part of the cases."""
    turns = []
    follow = polar.paths._cheapest_path

    def counted(*arguments):
        turns.append(arguments)
        return follow(*arguments)

    monkeypatch.setattr(polar.paths, "_cheapest_path", counted)
    for seed in range(12):
        noise = np.random.default_rng(seed).standard_normal((2, 180, 60)).astype(np.float32)
        surface, inner_edge = polar.nested_paths(*noise)
        for path, most in ((inner_edge, 1), (inner_edge - surface, 1), (surface, 2)):
            assert np.abs(np.diff(path, append=path[0])).max() <= most
    assert 12 < len(turns) < 24  # some of them needed a second turn


def test_what_is_brighter_than_fat_says_no_more():
    fat = ray([(1.2, 6), (0.2, 11), (1.2, 48)])[None]
    brighter = ray([(9, 6), (0.2, 11), (1.2, 48)])[None]
    liquor = ray([(1.2, 6), (0.2, 11), (9, 48)])[None]
    for price_of in (polar.surface_cost, polar.inner_edge_cost):
        same(price_of(brighter), price_of(fat))
        same(price_of(liquor), price_of(fat))


def test_a_higher_step_says_no_more():
    low = ray([(0.6, 6), (0.2, 11), (1, 48)])[None]
    high = ray([(1.0, 6), (0.2, 11), (1, 48)])[None]
    step = round(6 / polar.STEP_MM)
    assert polar.surface_cost(low)[0, step] == polar.surface_cost(high)[0, step]


def test_rays_are_priced_one_by_one():
    rays = np.stack([ray(layers) for layers, _ in RAYS.values()])
    for price_of in (polar.surface_cost, polar.inner_edge_cost):
        same(price_of(rays), np.concatenate([price_of(one[None]) for one in rays]))


def test_the_surface_lies_no_deeper_than_it_may():
    deepest = round(polar.MAX_SKULL_DEPTH_MM / polar.STEP_MM)
    for depth in (deepest, deepest + 1):
        costs = np.zeros((2, 8, 96), np.float32)
        costs[0, :, depth] = -1
        surface, _ = polar.nested_paths(*costs)
        assert (surface[0] == depth) == (depth <= deepest)


def test_all_rays_or_some_may_be_cut():
    rays = np.ones((4, 96), np.float32)
    same(polar.surface_cost(rays, True), polar.surface_cost(rays, np.ones(4, bool)))


def test_no_skull_begins_in_the_skin():
    edge_mm = 1.0
    [cost] = polar.surface_cost(ray([(1, edge_mm), (0.1, 6), (1, 48)])[None])
    assert cost.argmin() * polar.STEP_MM >= polar.MIN_SCALP_MM
    first = round(polar.MIN_SCALP_MM / polar.STEP_MM)
    assert cost[:first].min() > cost[first:].max()


def test_a_ray_without_contrast_likes_no_place_much_better():
    [cost] = polar.surface_cost(np.ones((1, 96), np.float32))
    assert np.ptp(cost[round(polar.MIN_SCALP_MM / polar.STEP_MM) :]) < 0.3


def test_every_two_rays_are_merged():
    rays = np.random.default_rng(1).random((polar.ANGLES, 7))
    close(polar.merge_rays(rays), (rays[::2] + rays[1::2]) / 2)
    same(polar.merge_rays(rays[:, 0]), polar.merge_rays(rays)[:, 0])


@given(height=st.integers(0, 20), turn=st.integers(0, 179))
def test_a_path_along_merged_rays_is_spread_over_all(height, turn):
    wave = height * np.cos(np.arange(180) * np.pi / 90)
    path = np.roll(np.rint(40 + wave).astype(int), turn)
    spread = polar.spread_path(path)
    assert spread.shape == (polar.ANGLES,)
    assert np.abs(polar.merge_rays(spread) - path).max() <= 0.5
