"""Check what networks for slices learn from.

No head is among those to learn from and those to validate by, batches lose no slice, and masks come
back to the pixels of a slice.
"""

from dataclasses import replace

import numpy as np
import pytest

import skullmask_lib as sm
from skullmask_lib import learned, polar
from skullmask_lib.deep import heads
from skullmask_lib.errors import InputError
from skullmask_lib.io.data import Data


@pytest.fixture(scope="module")
def phantom():
    return sm.load("phantom")


def named(*names):
    """Give slices of which only the names matter."""
    shape = (len(names), 9, 9)
    return Data(np.zeros(shape), np.ones(shape, np.uint8), None, names)


def names_in(parts):
    """List the names of the slices of several sets."""
    names = []
    for data in parts:
        names.extend(data.names)
    return names


def heads_in(parts):
    """Name the heads of the slices of several sets."""
    return set(map(heads.head_of, names_in(parts)))


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("phantom[0]", "phantom"),
        ("sub-A01_ses-1_T1w[120]", "sub-A01_ses-1_T1w"),
        ("heads.npz[3]", "heads.npz"),
        ("TCGA_CS_4941_19960909_1.tif", "TCGA_CS_4941_19960909"),
        ("scan004.png", "scan004.png"),
        ("patient1_slice10.png", "patient1_slice10.png"),
        ("sub-01", "sub-01"),
        ("chris", "chris"),
        ("oms01", "oms01"),
    ],
)
def test_the_name_of_a_slice_tells_its_head(name, head):
    assert heads.head_of(name) == head


@pytest.mark.parametrize("seed", range(5))
def test_no_head_is_on_both_sides_and_no_slice_is_lost(seed):
    parts = [named("a[0]", "b[0]", "a[1]", "c[0]"), named("d[0]", "b[1]", "e[0]")]
    training, validation = heads.split(parts, share=0.4, seed=seed)
    assert not heads_in(training) & heads_in(validation)
    assert len(heads_in(validation)) == 2
    names = names_in([*training, *validation])
    assert sorted(names) == ["a[0]", "a[1]", "b[0]", "b[1]", "c[0]", "d[0]", "e[0]"]
    heads.check_apart(training, validation)


@pytest.mark.parametrize("seed", range(5))
def test_a_head_that_nobody_has_traced_is_on_neither_side(seed):
    """Alone on its side, its empty truth would count as known."""
    data = named("a[0]", "a[1]", "b[0]", "b[1]", "c[0]", "c[1]", "c[2]")
    data.truth[2:4] = 0
    data.truth[6] = 0
    training, validation = heads.split([data], seed=seed)
    assert sorted(names_in(training) + names_in(validation)) == ["a[0]", "a[1]", "c[0]", "c[1]"]
    assert len(heads_in(validation)) == 1


def test_two_heads_are_needed_of_which_the_truth_is_known():
    data = named("a[0]", "a[1]", "b[0]")
    data.truth[2] = 0
    with pytest.raises(InputError, match="two heads or more with a known truth"):
        heads.split([data])


def test_a_file_that_nobody_has_traced_counts_with_the_others():
    """By itself, it would show heads without a skull."""
    traced, untraced = named("a[0]", "b[0]"), named("c[0]", "d[0]")
    untraced.truth[:] = 0
    training, validation = heads.split([traced, untraced], one_slice_per_head=True)
    assert sorted(names_in(training) + names_in(validation)) == ["a[0]", "b[0]"]


def test_only_slices_of_known_truth_are_prepared(phantom):
    untraced = replace(phantom, truth=np.zeros_like(phantom.truth))
    assert len(heads.prepare([phantom, untraced]).images) == len(phantom.images)
    assert len(heads.prepare([untraced]).images) == len(phantom.images)  # no skull anywhere


def test_the_seed_chooses_who_is_held_out():
    names = []
    for number in range(20):
        names += [f"h{number}[0]", f"h{number}[1]"]
    data = named(*names)

    def held_out(seed):
        _, validation = heads.split([data], seed=seed)
        return tuple(names_in(validation))

    assert len({held_out(seed) for seed in range(6)}) > 3
    assert held_out(1) == held_out(1)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_both_sides_have_a_head_whatever_the_share(share):
    training, validation = heads.split([named("a[0]", "b[0]")], share=share)
    assert len(heads_in(training)) == len(heads_in(validation)) == 1


def test_one_head_alone_cannot_be_parted():
    with pytest.raises(InputError) as caught:
        heads.split([named("a[0]", "a[1]")])
    assert caught.value.where == "a"


@pytest.mark.parametrize(
    "pattern", ["scan00{}", "patient{0}_slice1{0}.png", "IM000{}.dcm", "sub-0{}", "scan{}.npz[0]"]
)
def test_names_that_may_be_of_slices_are_heads_only_if_that_is_said(pattern):
    data = named(*map(pattern.format, range(10)))
    with pytest.raises(InputError) as caught:
        heads.split([data])
    assert caught.value.where == heads.head_of(pattern.format(0))
    training, validation = heads.split([data], one_slice_per_head=True)
    assert len(heads_in(training)) == 8
    assert len(heads_in(validation)) == 2


def test_a_head_on_both_sides_is_refused():
    with pytest.raises(InputError) as caught:
        heads.check_apart([named("a[0]", "b[0]")], [named("c[0]", "b[1]")])
    assert caught.value.where == "b"


def test_what_is_prepared_is_what_the_library_prepares(phantom):
    prepared = heads.prepare([phantom])
    assert prepared.images.dtype == prepared.masks.dtype == np.float32
    assert prepared.images.shape == prepared.masks.shape
    assert len(prepared.images) == len(phantom.images)
    assert not np.mod(prepared.images.shape[2:], learned.MULTIPLE).any()
    unwrapped = polar.unwrap(phantom.images[0], phantom.spacing_mm[0])
    window = learned.window_around(unwrapped.head, polar.STEP_MM)
    wanted = learned.prepare(unwrapped.on_grid, polar.STEP_MM, window)
    np.testing.assert_allclose(middle_of(prepared.images[0, 0], wanted.shape), wanted, atol=0.02)


def middle_of(image, shape):
    """Cut the middle out of an image."""
    row, column = (np.array(image.shape) - shape) // 2
    height, width = shape
    return image[row : row + height, column : column + width]


def test_the_truth_comes_back_through_the_pixels_of_the_network(phantom):
    """Ask a network that knows the truth: what is lost is lost by the grid alone."""
    slices = (one_slice(phantom, index) for index in range(len(phantom.images)))

    def ask(_):
        return heads.prepare([next(slices)]).masks[:, 0]

    for mask, truth in zip(heads.masks_of(ask, phantom), phantom.truth, strict=True):
        assert mask.dtype == np.uint8
        assert sm.iou(mask, truth) > 0.985


def one_slice(data, index):
    """Take one slice out of a set, as a set of one."""
    part = slice(index, index + 1)
    return Data(data.images[part], data.truth[part], data.spacing_mm[part], data.names[part])


def test_slices_without_head_or_truth_are_left_out(phantom):
    # A slice with head and truth, one without truth, and one without a head
    images = phantom.images[:3].copy()
    images[2] = 0
    truth = phantom.truth[:3].copy()
    truth[1:] = 0
    spacing_mm = phantom.spacing_mm[:3]
    names = ("a[0]", "a[1]", "a[2]")
    skulls = Data(images, truth, spacing_mm, names)
    assert len(heads.prepare([skulls]).images) == 1
    brains = Data(images, None, spacing_mm, names, brain=truth)
    assert len(heads.prepare([brains]).images) == 2
    *_, mask_without_head = heads.masks_of(lambda images: images, skulls)
    assert not mask_without_head.any()

    no_head = Data(images[2:], truth[:1], spacing_mm[2:], names[2:])
    with pytest.raises(InputError):
        heads.prepare([no_head])
    no_truth = Data(images, None, spacing_mm, names)
    with pytest.raises(InputError) as caught:
        heads.prepare([no_truth])
    assert caught.value.where == "a"


@pytest.mark.parametrize("size", [1, 3, 8])
def test_every_slice_has_its_turn_and_no_last_batch_is_lost(size):
    values = np.arange(5, dtype=np.float32).reshape(5, 1, 1, 1)
    batch_of = heads.batches(heads.Prepared(values, -values), size, augment=False)
    taken = []
    for number in range(20):
        images, masks = batch_of(number)
        np.testing.assert_array_equal(images, -masks)
        taken += images.ravel().tolist()
    whole_rounds = len(taken) // 5
    rounds = np.reshape(taken[: 5 * whole_rounds], (-1, 5))
    assert (np.sort(rounds) == np.arange(5)).all()
    assert len(np.unique(rounds, axis=0)) > 1


def test_a_batch_depends_on_its_number_and_the_seed_alone(phantom):
    prepared = heads.prepare([phantom])
    batch_of = heads.batches(prepared, 4, seed=1)
    batch_of(0)
    images = batch_of(3).images
    again = heads.batches(prepared, 4, seed=1)(3).images
    with_another_seed = heads.batches(prepared, 4, seed=2)(3).images
    np.testing.assert_array_equal(images, again)
    assert not np.array_equal(images, batch_of(4).images)
    assert not np.array_equal(images, with_another_seed)


def test_a_changed_slice_and_its_mask_stay_together():
    rng = np.random.default_rng(3)
    square = np.zeros((64, 48), np.float32)
    square[20:40, 8:30] = 1
    middles = []
    for _ in range(20):
        image, mask = heads.augmented(square, square, rng)
        assert image.dtype == mask.dtype == np.float32
        assert sm.dice(image > 0.5, mask > 0.5) > 0.97
        assert 0 <= image.min() <= image.max() <= 1
        middles.append(np.argwhere(mask > 0.5).mean(axis=0))
    assert np.ptp(middles, axis=0).min() > 4


def test_scores_of_a_skull_mask_leave_out_what_is_unknown_and_of_a_brain_nothing(phantom):
    truth = phantom.truth.copy()
    truth[0] = 0
    masks = np.ones_like(truth)
    skulls = Data(phantom.images, truth, phantom.spacing_mm, phantom.names)
    first, *_ = heads.score(masks, skulls)
    assert np.isnan(first["iou"])
    brains = Data(phantom.images, None, phantom.spacing_mm, phantom.names, brain=truth)
    first, second, *_ = heads.score(masks, brains)
    assert first["iou"] == 0
    assert second == sm.score(masks[1], truth[1], phantom.spacing_mm[1])
