"""What neighbouring slices say: of an outline, and of how far to trust a mask."""

import numpy as np
import pytest
from inputs import ring_head, within_skin
from numpy.testing import assert_allclose as close
from numpy.testing import assert_array_equal as same

import skullmask_lib as sm
from skullmask_lib import polar

MM = (1.0, 1.0)


# --- neighbours -----------------------------------------------------------------------------------


def test_beyond_the_outlines_of_neighbours_depth_has_a_price(unwrapped):
    shallow = polar.outline(unwrapped, np.full(polar.ANGLES, 10.0))
    deep = polar.outline(unwrapped, np.full(polar.ANGLES, 16.0))
    near = [shallow, deep]
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
    assert sm.iou(polar.without_air(unwrapped, everything), within_skin(image)) > 0.97
    same(everything, 1)
    assert not polar.without_air(unwrapped, 0 * truth).any()


def test_bone_that_is_open_to_the_frame_is_no_air():
    image, truth = ring_head()
    rows, columns = np.indices(image.shape)
    image[(columns > 100) & (np.abs(rows - 110) < 12)] = 0
    for last, is_removed in ((190, True), (150, False)):  # the frame cuts the head at 150
        unwrapped = polar.unwrap(image[:, :last], MM)
        tissue = polar.without_air(unwrapped, truth[:, :last])
        assert (tissue[110, 140] == 0) == is_removed


# --- trust in a volume ----------------------------------------------------------------------------


def doubted(areas_px, qualities):
    return np.flatnonzero(polar.volume_qualities(areas_px, qualities) < polar.TRUSTED).tolist()


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
    lowered = polar.volume_qualities(areas_px, qualities)
    same(qualities, [0.9, 0.8, 1.0, 0.0])
    close(lowered, qualities * polar.neighbours._LOWERING)
    assert polar.volume_qualities([900, 100], [1.0, 1.0]).max() < polar.TRUSTED
    same(polar.volume_qualities([], []), [])
    same(polar.volume_qualities([0, 0], [0, 0]), [0, 0])
    same(polar.volume_qualities([7], [0.5]), [0.5])
