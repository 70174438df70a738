"""v8's primitives on heads that are drawn by hand, and v8 itself on whatever an image may be."""

import io
import itertools
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from complaints import refused
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import blobs, ring_head
from numpy.testing import assert_allclose as close
from numpy.testing import assert_array_equal as same
from PIL import Image, ImageDraw
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import polar
from skullmask_lib.errors import EmptyMaskWarning, InputWarning

MM = (1.0, 1.0)


def disc(radius_mm, shape=(160, 160), spacing_mm=MM, at_mm=(0.0, 0.0)):
    return ring_head(shape, spacing_mm, at_mm=at_mm, axes_mm=(radius_mm,) * 2, levels=(0, 1, 1, 1))[
        0
    ]


# --- the head ----------------------------------------------------------------------------------------------------


def head_of(image):
    """Find the head of an image whose pixels are those of the grid."""
    return polar.find_head(np.sqrt(image).astype(np.float32))


def fine_head(**options):
    return ring_head((440, 380), (polar.STEP_MM,) * 2, **options)[0]


def whole(image):
    """Give everything within the skin, for a head without noise."""
    return ndimage.binary_fill_holes(image > 0.12)


def test_holes_are_filled_before_the_largest_piece_is_taken():
    image = fine_head(
        levels=(0, 0.7, 0, 1)
    )  # the brain lies free in black bone, and is larger than the scalp
    assert sm.iou(head_of(image), whole(image)) > 0.99


@pytest.mark.parametrize("scalp", [0.25, 0.8, 2.5])
def test_the_head_is_found_whatever_the_scalp(scalp):
    image = np.minimum(fine_head(levels=(0, scalp, 0.05, 1)), 1)
    assert sm.iou(head_of(image), whole(image)) > 0.985


def test_what_lies_beside_the_head_is_left_out():
    image = fine_head()
    wanted = whole(image)
    image[5:9, 100:300] = image[200:230, 5:15] = 1
    assert sm.iou(head_of(image), wanted) > 0.99


def test_noise_in_the_air_is_air():
    rng = np.random.default_rng(1)
    image = fine_head()
    noisy = np.hypot(
        image + 0.1 * rng.standard_normal(image.shape), 0.1 * rng.standard_normal(image.shape)
    )
    assert sm.iou(head_of(np.clip(noisy, 0, 1)), whole(image)) > 0.98


def test_a_head_may_touch_the_frame():
    image = fine_head()
    cut = np.s_[45:, 60:-20]
    assert sm.iou(head_of(image[cut]), whole(image)[cut]) > 0.99


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_no_contrast_no_head(level):
    assert not polar.find_head(np.full((50, 40), level, np.float32)).any()
    tiny = np.float32([[level, level + 0.001], [level, level]])  # of one level when it is blurred
    assert not polar.find_head(tiny).any()


# --- unwrapped ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0), (0.4, 1.2), (0.25, 0.25), (1.5, 1.5)])
@pytest.mark.parametrize("at_mm", [(0.0, 0.0), (-11.0, 7.0)])
def test_centre_and_skin_are_in_millimetres(spacing_mm, at_mm):
    shape = tuple(round(170 / mm) for mm in spacing_mm)
    unwrapped = polar.unwrap(disc(60, shape, spacing_mm, at_mm), spacing_mm)
    middle = [
        (n * mm - polar.STEP_MM) / 2 + at
        for n, mm, at in zip(shape, spacing_mm, at_mm, strict=True)
    ]
    close(np.multiply(unwrapped.centre, polar.STEP_MM), middle, atol=0.5)
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
    depth = {
        angle: np.median(np.flatnonzero(brightness[angle] < 0.5)) * polar.STEP_MM
        for angle in (0, 90)
    }
    assert depth == {0: pytest.approx(60 - 43, abs=1.5), 90: pytest.approx(60 - 33, abs=1.5)}
    assert (brightness[[45, 135, 180, 225, 270, 315], 8:] > 0.9).all()


def test_the_brain_has_brightness_1():
    for factor in (1, 7e-9, 2.0**40):
        brightness = polar.unwrap(factor * ring_head(levels=(0, 1, 0.05, 0.25))[0], MM).brightness
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


# --- the price of a place ----------------------------------------------------------------------------------------

RAYS = {  # brightness down to a depth [mm]; where the skull begins
    "plain": ([(0.9, 6), (0.3, 12), (1, 48)], 6),
    "thin scalp": ([(0.9, 3), (0.3, 9), (1, 48)], 3),
    "thick scalp": ([(0.9, 15), (0.3, 20), (1, 48)], 15),
    "muscle below fat": ([(1.2, 4), (0.6, 14), (0.2, 18), (1, 48)], 14),
    "dark muscle below fat": (
        [(1.2, 4), (0.4, 14), (0.2, 19), (1, 48)],
        14,
    ),  # the brain is too far from the fat
    "thin muscle below fat": (
        [(1.2, 8), (0.48, 11), (0.2, 15), (1, 48)],
        11,
    ),  # the lower step, and the darker bone
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
    layers, wanted_mm = RAYS[case]
    surface_mm, inner_edge_mm = edges_mm(ray(layers))
    assert surface_mm == pytest.approx(wanted_mm, abs=polar.STEP_MM)
    at = round(inner_edge_mm / polar.STEP_MM)
    assert ray(layers)[at] > ray(layers)[at - 1]
    soft = ndimage.gaussian_filter1d(ray(layers), 1, mode="nearest")
    assert edges_mm(soft)[0] == pytest.approx(wanted_mm, abs=1)


@pytest.mark.parametrize(
    ("marrow", "marrow_mm"),
    # Where marrow is dark, the whole skull is the dark layer, and that is 12 mm thick at most
    [(dark, mm) for dark in (0.2, 0.4) for mm in (2, 4)]
    + [(bright, mm) for bright in (0.7, 1.0) for mm in (2, 4, 6, 8)],
)
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
    monkeypatch.setattr(
        polar.paths, "_cheapest_path", lambda *given: turns.append(len(given)) or follow(*given)
    )
    for seed in range(12):
        noise = np.random.default_rng(seed).standard_normal((2, 180, 60)).astype(np.float32)
        surface, inner_edge = polar.nested_paths(*noise)
        for path, most in ((inner_edge, 1), (inner_edge - surface, 1), (surface, 2)):
            assert np.abs(np.diff(path, append=path[0])).max() <= most
    assert 12 < len(turns) < 24  # some of them needed a second turn


def test_what_is_brighter_than_fat_says_no_more():
    fat, bright, liquor = (
        ray([(level, 6), (0.2, 11), (deep, 48)])[None]
        for level, deep in ((1.2, 1.2), (9, 1.2), (1.2, 9))
    )
    for price_of in (polar.surface_cost, polar.inner_edge_cost):
        for other in (bright, liquor):
            same(price_of(other), price_of(fat))


def test_a_higher_step_says_no_more():
    low, high = (ray([(level, 6), (0.2, 11), (1, 48)])[None] for level in (0.6, 1.0))
    at = round(6 / polar.STEP_MM)
    assert polar.surface_cost(low)[0, at] == polar.surface_cost(high)[0, at]


def test_rays_are_priced_one_by_one():
    rays = np.stack([ray(layers) for layers, _ in RAYS.values()])
    for price_of in (polar.surface_cost, polar.inner_edge_cost):
        same(price_of(rays), np.concatenate([price_of(one[None]) for one in rays]))


def test_the_surface_lies_no_deeper_than_it_may():
    deepest = round(polar.DEPTH_MM / polar.STEP_MM)
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


# --- nested paths ------------------------------------------------------------------------------------------------


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


# --- between the steps -------------------------------------------------------------------------------------------


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


# --- outlines ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unwrapped():
    return polar.unwrap(ring_head((150, 250), (1.5, 0.8), at_mm=(4, -3))[0], (1.5, 0.8))


@given(waves=st.lists(st.floats(-6, 6), min_size=6, max_size=6), least=st.floats(0, 100))
def test_pixels_are_in_whose_centre_is_in(unwrapped, waves, least):
    angles = np.arange(polar.ANGLES) * 2 * np.pi / polar.ANGLES
    parts = [np.sin((k // 2 + 1) * angles + k % 2 * np.pi / 2) for k in range(6)]
    radius = np.maximum(least + waves @ np.array(parts), 0)
    made = polar.fill_outline(unwrapped, unwrapped.skin - radius)
    assert (made.dtype, made.shape) == (np.uint8, unwrapped.shape)
    rows, columns = np.indices(made.shape)
    y = (rows + 0.5) * unwrapped.scale[0] - 0.5 - unwrapped.centre[0]
    x = (columns + 0.5) * unwrapped.scale[1] - 0.5 - unwrapped.centre[1]
    beyond = np.hypot(y, x) - np.interp(
        np.arctan2(y, x) % (2 * np.pi), angles, radius, period=2 * np.pi
    )
    clear = np.abs(beyond) > 0.15
    same(made[clear], beyond[clear] <= 0)


def test_a_circle_is_exact(unwrapped):
    radius = 70.3
    made = polar.fill_outline(unwrapped, unwrapped.skin - radius)
    area = made.sum() * np.prod(unwrapped.scale)
    assert area == pytest.approx(np.pi * radius**2, rel=2e-3)
    assert not polar.fill_outline(unwrapped, unwrapped.skin + 1.0).any()


def test_an_outline_lies_where_it_is_filled(unwrapped):
    for depth in (12.0, 30.0):
        mask = polar.fill_outline(unwrapped, np.full(polar.ANGLES, depth))
        inside, outside = (
            polar.outline(unwrapped, np.full(polar.ANGLES, depth + off)) for off in (5, -5)
        )
        assert all(mask[tuple(np.rint(place).astype(int))] for place in zip(*inside, strict=True))
        assert not any(
            mask[tuple(np.rint(place).astype(int))] for place in zip(*outside, strict=True)
        )


# --- neighbours --------------------------------------------------------------------------------------------------


def test_beyond_the_outlines_of_neighbours_depth_has_a_price(unwrapped):
    depths = np.full(polar.ANGLES, 10.0), np.full(polar.ANGLES, 16.0)
    near = [polar.outline(unwrapped, depth) for depth in depths]
    cost = polar.neighbour_cost(unwrapped, near, 60)
    assert cost.shape == (polar.ANGLES, 60)
    close(cost[:, 10:17], 0, atol=0.02)
    per_mm = polar.neighbours._NEIGHBOUR_COST_PER_MM
    assert cost.max() == per_mm * polar.neighbours._MAX_NEIGHBOUR_MM
    step = per_mm * polar.STEP_MM
    close(cost[:, 18] - cost[:, 17], step, atol=0.02)
    close(cost[:, 8] - cost[:, 9], step, atol=0.02)
    close(cost[:, 40], cost.max())
    same(polar.neighbour_cost(unwrapped, near[::-1], 60), cost)


def test_neighbours_may_lie_on_another_grid(unwrapped):
    image, _ = ring_head((150, 250), (1.5, 0.8), at_mm=(4, -3))
    other = polar.unwrap(image)
    assert other.scale != unwrapped.scale
    mask = polar.fill_outline(unwrapped, np.full(polar.ANGLES, 14.0))
    near = polar.outline(other, polar.rating._depth_of(mask, other))
    cost = polar.neighbour_cost(unwrapped, [near], 60)
    close(cost.argmin(axis=1), 14, atol=2)


def test_an_outline_is_odd_if_its_shape_is_that_of_neither_neighbour(unwrapped):
    angle = np.arange(polar.ANGLES) * 2 * np.pi / polar.ANGLES
    even = np.full(polar.ANGLES, 14.0)
    oval = even + 4 * np.cos(2 * angle)

    def is_odd(depth, *neighbours):
        near = [polar.outline(unwrapped, neighbour) for neighbour in neighbours]
        return polar.is_odd(unwrapped, depth, near)

    assert is_odd(oval, even, even)
    assert is_odd(oval, even, even + 6)
    assert not is_odd(even, even, oval)
    assert not is_odd((even + oval) / 2, even, oval)
    assert not is_odd(even + 6, oval, even)
    assert is_odd(even + 0.1 * (oval - even), even, even)  # off by 0.13 mm on average
    assert not is_odd(even + 0.05 * (oval - even), even, even)


@pytest.mark.parametrize(
    ("shape", "spacing_mm"), [((220, 190), MM), ((150, 250), (1.5, 0.8)), ((500, 400), (0.4, 0.4))]
)
def test_air_is_removed_whatever_the_pixels_and_tissue_is_not(shape, spacing_mm):
    image, truth = ring_head(shape, spacing_mm)
    unwrapped = polar.unwrap(image, spacing_mm)
    same(polar.without_air(unwrapped, truth), truth)
    everything = np.ones_like(truth)
    assert sm.iou(polar.without_air(unwrapped, everything), whole(image)) > 0.97
    same(everything, 1)
    assert not polar.without_air(unwrapped, 0 * truth).any()


def test_bone_that_is_open_to_the_frame_is_no_air():
    image, truth = ring_head()
    rows, columns = np.indices(image.shape)
    image[(columns > 100) & (np.abs(rows - 110) < 12)] = 0
    for last, is_removed in ((190, True), (150, False)):  # the frame cuts the head at 150
        cropped = image[:, :last], truth[:, :last]
        tissue = polar.without_air(polar.unwrap(cropped[0], MM), cropped[1])
        assert (tissue[110, 140] == 0) == is_removed


# --- trust in a volume -------------------------------------------------------------------------------------------


def doubted(areas_px, qualities):
    return np.flatnonzero(polar.trust_in_volume(areas_px, qualities) < polar.TRUSTED).tolist()


def test_masks_that_shrink_fast_are_doubted():
    areas_px = [8000, 7500, 6800, 6000, 5000, 4000, 3000, 2000, 1000, 0]
    qualities = 0.7 * np.sign(areas_px)
    assert doubted(areas_px, qualities) == [5, 6, 7, 8, 9]
    assert doubted(areas_px[::-1], qualities[::-1]) == [0, 1, 2, 3, 4]
    areas_px = np.array([500] * 4 + [0, 0] + [500] * 4)
    assert doubted(areas_px, 0.7 * np.sign(areas_px)) == [4, 5]  # what is next to them is not


def test_one_mask_of_another_size_does_not_cast_doubt_on_its_neighbours():
    for odd in (500, 1400):
        assert doubted([900] * 4 + [odd] + [900] * 4, [0.6] * 9) == []


@pytest.mark.parametrize("doubtful", range(6))
def test_beyond_several_doubtful_slices_all_are_doubted(doubtful):
    qualities = np.array([0.6, 0.4, *[0.2] * doubtful, *[0.5] * 9])
    expected = list(range(2, 2 + doubtful))
    if doubtful >= 3:
        expected = [0, 1, *expected]
    areas_px = np.full(len(qualities), 900)
    assert doubted(areas_px, qualities) == expected
    last = len(qualities) - 1
    assert doubted(areas_px, qualities[::-1]) == [last - place for place in expected[::-1]]


def test_what_a_gap_cuts_in_halves_is_not_doubted():
    qualities = np.array([*[0.6] * 8, *[0.1] * 5, *[0.5] * 6])
    assert doubted(np.full(19, 900), qualities) == [8, 9, 10, 11, 12]
    qualities = np.array([*[0.6] * 10, *[0.1] * 3, *[0.5] * 5])  # half as long
    assert doubted(np.full(18, 900), qualities) == [10, 11, 12]
    assert doubted(np.full(17, 900), qualities[:-1]) == list(range(10, 17))


def test_trust_in_a_volume_keeps_the_order_and_the_arguments():
    areas_px = np.array([900, 600, 300, 100])
    qualities = np.array([0.9, 0.8, 1.0, 0.0])
    lowered = polar.trust_in_volume(areas_px, qualities)
    same(qualities, [0.9, 0.8, 1.0, 0.0])
    close(lowered, qualities * polar.neighbours._LOWERING)
    assert polar.trust_in_volume([900, 100], [1.0, 1.0]).max() < polar.TRUSTED
    same(polar.trust_in_volume([], []), [])
    same(polar.trust_in_volume([0, 0], [0, 0]), [0, 0])
    same(polar.trust_in_volume([7], [0.5]), [0.5])


# --- trust -------------------------------------------------------------------------------------------------------


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
    for wrong in (
        dilated,
        eroded,
        shifted,
        whole(image),
        scalp,
        without_bone,
        1 - truth,
        0 * truth,
    ):
        assert sm.quality(image, wrong, spacing_mm=MM) < polar.TRUSTED


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
    surface, a_third, most, all_around = [
        polar.trust(marrow, ndimage.gaussian_filter1d(np.where(angle < inner, 25.5, 11.5), 4))
        for inner in (0, 120, 240, 360)
    ]
    assert surface > 2 * polar.TRUSTED
    assert a_third < 0.5 * surface
    assert most < a_third
    assert most < polar.TRUSTED
    assert all_around < polar.TRUSTED


def test_scalp_brighter_than_the_brain_is_no_sharper():
    """Where bone is faint, the step to it does not become clear by brighter fat."""
    usual, bright = (
        ring_head(levels=(0.02, fat, 0.97, 1.0), depths_mm=(0, 6, 12)) for fat in (1.0, 1.6)
    )
    for image, truth in (usual, bright):
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
    trust = polar.trust(head, depth + on_right)
    monkeypatch.setattr(polar.rating, "_LOPSIDED_MM", 99)
    assert polar.trust(head, depth + on_right) > 1.03 * trust


def test_a_rough_outline_is_trusted_less(drawn):
    image, truth = drawn
    rough = polar.unwrap(image, MM)
    depth = polar.rating._depth_of(truth, rough)
    figures = [
        polar.trust(rough, depth + amount * np.random.default_rng(1).standard_normal(polar.ANGLES))
        for amount in (0, 1, 2, 4)
    ]
    assert figures == sorted(figures, reverse=True)
    assert figures[0] > polar.TRUSTED > figures[-1]


def test_quality_follows_the_mask_and_the_spacing_no_further_than_it_must(drawn):
    image, truth = drawn
    wanted = sm.quality(image, truth, spacing_mm=MM)
    assert 0 < wanted <= 1
    for mask in (truth * 255, truth > 0, truth * 1.0):
        assert sm.quality(image, mask, spacing_mm=MM) == wanted
    assert sm.quality(image, truth) == pytest.approx(wanted, abs=0.15)
    assert sm.quality(image * 1e-20, truth, spacing_mm=MM) == pytest.approx(wanted, abs=0.01)


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
    for image, truth, mm in zip(data.images, data.truth, data.spacing_mm, strict=True):
        parts = [
            np.add.reduceat(array, range(0, array.shape[axis], wide), axis=axis)
            for array in (image, truth)
        ]
        wider_mm = mm * np.where(np.arange(2) == axis, wide, 1)
        mask = sm.v8(parts[0], spacing_mm=wider_mm)
        assert sm.iou(mask, parts[1] > wide / 2) > 0.95
        assert sm.quality(parts[0], mask, spacing_mm=wider_mm) > polar.TRUSTED
        astray = np.roll(mask, round(15 / mm[1 - axis]), axis=1 - axis)
        assert sm.quality(parts[0], astray, spacing_mm=wider_mm) < polar.TRUSTED


@given(seed=st.integers(0, 10**6))
@pytest.mark.filterwarnings("ignore:shows more than one head")
def test_quality_is_a_share(seed):
    image = blobs(seed)
    for spacing_mm in (None, MM):
        assert 0 <= sm.quality(image, image > np.median(image), spacing_mm=spacing_mm) <= 1


# --- what is no head, what is drawn around one, and more than one ----------------------------------------------------


def rayleigh(shape, seed=1, smooth_px=0.0):
    """Give what a scanner shows of air, interpolated or not."""
    parts = np.random.default_rng(seed).standard_normal((2, *shape))
    return np.hypot(*(ndimage.gaussian_filter(part, smooth_px) for part in parts))


@pytest.mark.parametrize("spacing_mm", [None, MM])
@pytest.mark.parametrize(
    ("shape", "smooth_px"),
    [
        ((41, 37), 0),
        ((64, 64), 0),
        ((48, 256), 0),
        ((316, 48), 0),
        ((128, 96), 0.7),
        ((256, 256), 1),
        ((768, 624), 2),
    ],
)
def test_noise_is_no_head(shape, smooth_px, spacing_mm):
    for image in (
        rayleigh(shape, smooth_px=smooth_px),
        np.rint(10 * rayleigh(shape)).astype(np.int16) - 500,
    ):
        with pytest.warns(EmptyMaskWarning, match="no head"):
            mask = sm.v8(image, spacing_mm=spacing_mm)
        assert not mask.any()
        assert sm.quality(image, np.ones_like(mask), spacing_mm=spacing_mm) == 0


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_noisy_head_is_a_head(drawn, share):
    image, truth = drawn
    assert sm.iou(sm.v8(image + share * rayleigh(image.shape), spacing_mm=MM), truth) > 0.85


def framed(image, value, *, width=2, margin=0):
    image = np.pad(image, width, constant_values=value)
    return np.pad(image, margin)


def picture(image):
    """Give an image from 0 to 1 as a picture of 8 bits."""
    return Image.fromarray((255 * np.clip(image, 0, 1)).astype(np.uint8))


def jpeg(image, quality):
    """Give what is left of an image in a JPEG."""
    file = io.BytesIO()
    picture(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def framed_with_round_corners(image):
    drawn = picture(image)
    corners = (0, 0, drawn.width - 1, drawn.height - 1)
    ImageDraw.Draw(drawn).rounded_rectangle(corners, radius=8, outline=255, width=2)
    return np.asarray(drawn)


BORDERS = {
    "bright lines": lambda image: framed(image, 2.0),
    "lines as bright as fat": lambda image: framed(image, 0.8, width=1),
    "lines within the picture": lambda image: framed(image, 2.0, width=3, margin=5),
    "lines around noise": lambda image: framed(image + 0.1 * rayleigh(image.shape), 2.0),
    "one line": lambda image: np.vstack([np.full(image.shape[1], 2.0), image]),
    "a box of zeros around an even grey": lambda image: framed(0.3 + 0.7 * image, 0.0, width=12),
    "a box of zeros around noise": lambda image: framed(
        image + 0.02 * rayleigh(image.shape), 0.0, width=12
    ),
    "grey lines in a JPEG": lambda image: jpeg(framed(np.pad(image, 9), 0.5), 85),
    "bright lines in a JPEG": lambda image: jpeg(framed(np.pad(image, 9), 1.0), 60),
    "lines with round corners": lambda image: framed_with_round_corners(np.pad(image, 9)),
}


@pytest.mark.parametrize("spacing_mm", [None, MM])
@pytest.mark.parametrize("border", BORDERS)
def test_what_is_drawn_around_a_head_is_not_the_head(drawn, border, spacing_mm):
    image, truth = drawn
    bordered = BORDERS[border](image)
    top, left = (n - m for n, m in zip(bordered.shape, image.shape, strict=True))
    if border != "one line":
        top, left = top // 2, left // 2
    mask = sm.v8(bordered, spacing_mm=spacing_mm)
    inside = np.s_[top : top + image.shape[0], left : left + image.shape[1]]
    assert sm.iou(mask[inside], truth) > 0.97
    assert mask.sum() == mask[inside].sum()
    assert sm.quality(bordered, mask, spacing_mm=spacing_mm) > polar.TRUSTED


@pytest.mark.parametrize("with_spacing", [False, True])
@pytest.mark.parametrize("margin", [20, 100])
@pytest.mark.parametrize("noise", [0.06, 0.1])
def test_noise_around_a_head_is_air_however_wide_the_frame(noise, margin, with_spacing):
    data = sm.load("phantom")
    image, truth = (np.pad(array[0, ::3, ::3], margin) for array in (data.images, data.truth))
    spacing_mm = 3 * data.spacing_mm[0] if with_spacing else None
    image = image / np.percentile(image, 99.8)
    mask = sm.v8(np.hypot(image, noise * rayleigh(image.shape)), spacing_mm=spacing_mm)
    assert sm.iou(mask, truth) > 0.97


@pytest.mark.parametrize("levels", [(0.01, 0.25, 0.06, 1), (0.05, 0.4, 0.2, 1)])
@pytest.mark.parametrize("cut_px", [4, 8])
def test_a_frame_that_runs_through_dark_tissue_is_no_noise(levels, cut_px):
    image, truth = ring_head((176, 146), axes_mm=(88, 73), levels=levels)
    inside = np.s_[cut_px:-cut_px, cut_px:-cut_px]
    assert sm.iou(sm.v8(image[inside], spacing_mm=MM), truth[inside]) > 0.9


def noisy(image):
    return np.hypot(image, 0.03 * rayleigh(image.shape))


FAINT = {
    "bright lines": lambda image: framed(image, 1.0, width=2),
    "a box of zeros around noise": lambda image: framed(noisy(image), 0.0, width=3),
    "a wide box of zeros around noise": lambda image: framed(noisy(image), 0.0, width=50),
    "a box of zeros around a faint grey": lambda image: framed(
        np.maximum(image, 0.06), 0.0, width=8
    ),
}


@pytest.mark.parametrize("with_spacing", [False, True])
@pytest.mark.parametrize("border", FAINT)
def test_what_is_drawn_far_away_or_hardly_seen_is_no_head(border, with_spacing):
    data = sm.load("phantom")
    image, truth = (np.pad(array[2, ::3, ::3], 70) for array in (data.images, data.truth))
    spacing_mm = 3 * data.spacing_mm[2] if with_spacing else None
    image = np.clip(image / np.percentile(image, 99.8), 0, 1)
    bordered = FAINT[border](image)
    width = (len(bordered) - len(image)) // 2
    mask = sm.v8(bordered, spacing_mm=spacing_mm)
    assert sm.iou(mask, np.pad(truth, width)) > 0.97
    assert sm.quality(bordered, mask, spacing_mm=spacing_mm) > polar.TRUSTED


def test_a_head_cut_off_by_a_box_of_zeros_keeps_its_tissue(drawn):
    image, truth = drawn
    half = np.pad(image[:, 60:], 30)
    mask = sm.v8(half, spacing_mm=MM)
    assert mask[30:-30, 30:60].mean() > 0.5  # along the cut
    assert sm.iou(mask, np.pad(truth[:, 60:], 30)) > 0.9


@pytest.mark.parametrize("spacing_mm", [None, MM])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("size", [1, 2])
def test_more_than_one_head_is_said(drawn, axis, size, spacing_mm):
    image, truth = drawn
    other = np.zeros_like(image)
    smaller = image[::size, ::size]
    other[: smaller.shape[0], : smaller.shape[1]] = smaller
    both = np.concatenate([image, 0.9 * other], axis=axis)
    with pytest.warns(InputWarning, match="largest"):
        mask = sm.v8(both, spacing_mm=spacing_mm)
    with pytest.warns(InputWarning, match="largest"):
        sm.quality(both, mask, spacing_mm=spacing_mm)
    if size == 2:
        assert sm.iou(mask, np.concatenate([truth, 0 * truth], axis=axis)) > 0.97


# --- v8: heads ---------------------------------------------------------------------------------------------------

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
    shape = tuple(
        np.rint(data.images[0].shape * data.spacing_mm[0] / spacing_mm).astype(int)[::-1].tolist()
    )
    for image, mm in zip(data.images, data.spacing_mm, strict=True):
        wanted = cv2.resize(sm.v8(image, spacing_mm=mm), shape, interpolation=cv2.INTER_NEAREST)
        made = sm.v8(
            cv2.resize(image, shape, interpolation=cv2.INTER_LINEAR), spacing_mm=spacing_mm
        )
        assert sm.iou(made, wanted) >= 0.98


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
            made = sm.v8(turn(image), spacing_mm=spacing_mm)
            assert sm.iou(made, turn(sm.v8(image, spacing_mm=spacing_mm))) >= 0.99


# --- v8: whatever an image may be ----------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing_mm", [None, MM])
def test_unit_offset_and_dtype_do_not_matter(drawn, spacing_mm):
    image, _ = drawn
    wanted = sm.v8(image, spacing_mm=spacing_mm)
    for other in (
        image * 1e-30,
        image * 1e30,
        image * 1e-300,
        image * 1e300,
        image + 1000,
        image * 5 - 3,
    ):
        assert sm.iou(sm.v8(other, spacing_mm=spacing_mm), wanted) > 0.999
    for other in (1e-37 * (1 + 0.01 * image), 1e-36 * (1 + 0.001 * image)):
        assert sm.iou(sm.v8(np.float32(other), spacing_mm=spacing_mm), wanted) > 0.99
    assert sm.iou(sm.v8(image * 1e-309, spacing_mm=spacing_mm), wanted) > 0.99
    for factor in (2.0**-60, 2.0**60):
        same(sm.v8(image * factor, spacing_mm=spacing_mm), wanted)
    for dtype in (np.uint8, np.int16, np.uint16, np.int64):
        assert (
            sm.iou(sm.v8(np.rint(image * 200).astype(dtype), spacing_mm=spacing_mm), wanted) > 0.995
        )
    assert sm.iou(sm.v8((image * 200 - 100).astype(np.int8), spacing_mm=spacing_mm), wanted) > 0.99
    for dtype in (np.float16, np.float32):
        assert sm.iou(sm.v8(image.astype(dtype), spacing_mm=spacing_mm), wanted) > 0.995


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
    for image in (
        np.random.default_rng(1).random(shape),
        np.eye(*shape),
        np.indices(shape).sum(axis=0),
    ):
        mask = sm.v8(image, spacing_mm=spacing_mm)
        assert (mask.dtype, mask.shape) == (np.uint8, shape)
        assert sm.quality(image, mask, spacing_mm=spacing_mm) < polar.TRUSTED


@pytest.mark.parametrize("spacing_mm", [None, (0.42, 0.42)])
@pytest.mark.parametrize("level", [0, 1, -3, 1e-30])
def test_a_flat_image_gives_an_empty_mask_and_a_warning(level, spacing_mm):
    image = np.full((300, 256), float(level))
    image[7, 9] = level * 1e6  # one hot pixel makes no head
    for flat in (np.full((300, 256), float(level)), image):
        with pytest.warns(EmptyMaskWarning, match="no head"):
            mask = sm.v8(flat, spacing_mm=spacing_mm)
        assert not mask.any()
        assert sm.quality(flat, mask, spacing_mm=spacing_mm) == 0


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
        with refused(None, naming=["spacing", *naming]) as told:
            door()
        assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "part", [np.s_[:, 312:], np.s_[:, :312], np.s_[300:], np.s_[:480], np.s_[250:, 200:]]
)
def test_the_frame_may_cut_through_the_head(part):
    data = sm.load("phantom")
    for image, truth, mm in list(zip(data.images, data.truth, data.spacing_mm, strict=True))[::2]:
        for spacing_mm in (mm, None):
            assert sm.iou(sm.v8(image[part], spacing_mm=spacing_mm), truth[part]) >= 0.94


def test_quality_checks_what_it_is_given_before_it_looks_for_a_mask():
    empty = np.zeros((30, 30), np.uint8)
    with refused(None, naming=["finite", "got 900 "]):
        sm.quality(np.full((30, 30), np.nan), empty)
    with refused(None, naming=["above 0 mm", "got (-1, 3)"]):
        sm.quality(np.eye(30), empty, spacing_mm=(-1, 3))
