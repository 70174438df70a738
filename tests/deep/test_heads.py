"""Heads kept apart, batches that lose no slice, and masks that come back to the pixels of a slice."""

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


def named(*names, truth=True):
    shape = (len(names), 9, 9)
    return Data(np.zeros(shape), np.ones(shape, np.uint8) if truth else None, None, names)


def heads_in(parts):
    return {heads.head_of(name) for data in parts for name in data.names}


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
    names = sorted(name for data in [*training, *validation] for name in data.names)
    assert names == ["a[0]", "a[1]", "b[0]", "b[1]", "c[0]", "d[0]", "e[0]"]
    heads.check_apart(training, validation)


def test_the_seed_chooses_who_is_held_out():
    data = named(*(f"h{number}[{place}]" for number in range(20) for place in range(2)))
    chosen = {frozenset(heads_in(heads.split([data], seed=seed)[1])) for seed in range(6)}
    assert len(chosen) > 3
    assert heads.split([data], seed=1)[1][0].names == heads.split([data], seed=1)[1][0].names


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
    rows, columns = (
        slice((size - part) // 2, (size + part) // 2)
        for size, part in zip(prepared.images.shape[2:], wanted.shape, strict=True)
    )
    np.testing.assert_allclose(prepared.images[0, 0, rows, columns], wanted, atol=0.02)


def test_the_truth_comes_back_through_the_pixels_of_the_network(phantom):
    """Ask a network that knows the truth: what is lost is lost by the grid alone."""
    places = iter(range(len(phantom.images)))

    def ask(_):
        return heads.prepare([one(phantom, next(places))]).masks[:, 0]

    for mask, truth in zip(heads.masks_of(ask, phantom), phantom.truth, strict=True):
        assert mask.dtype == np.uint8
        assert sm.iou(mask, truth) > 0.985


def one(data, place):
    part = slice(place, place + 1)
    return Data(data.images[part], data.truth[part], data.spacing_mm[part], data.names[part])


def test_slices_without_head_or_truth_are_left_out(phantom):
    images = np.concatenate([phantom.images[:2], np.zeros_like(phantom.images[:1])])
    truth = np.concatenate([phantom.truth[:1], 0 * phantom.truth[:2]])
    spacing_mm = phantom.spacing_mm[:3]
    data = Data(images, truth, spacing_mm, ("a[0]", "a[1]", "a[2]"))
    assert len(heads.prepare([data]).images) == 1
    brains = Data(images, None, spacing_mm, data.names, brain=truth)
    assert len(heads.prepare([brains]).images) == 2
    assert not list(heads.masks_of(lambda images: images, data))[2].any()
    with pytest.raises(InputError):
        heads.prepare([Data(images[2:], truth[:1], spacing_mm[2:], ("a[2]",))])
    with pytest.raises(InputError) as caught:
        heads.prepare([Data(images, None, spacing_mm, data.names)])
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
    rounds = np.reshape(taken[: len(taken) // 5 * 5], (-1, 5))
    assert (np.sort(rounds) == np.arange(5)).all()
    assert len(np.unique(rounds, axis=0)) > 1


def test_a_batch_depends_on_its_number_and_the_seed_alone(phantom):
    prepared = heads.prepare([phantom])
    first, again = (heads.batches(prepared, 4, seed=1) for _ in range(2))
    first(0)
    np.testing.assert_array_equal(first(3).images, again(3).images)
    assert not np.array_equal(first(3).images, first(4).images)
    assert not np.array_equal(first(3).images, heads.batches(prepared, 4, seed=2)(3).images)


def test_a_changed_slice_and_its_mask_stay_together():
    rng = np.random.default_rng(3)
    square = np.zeros((64, 48), np.float32)
    square[20:40, 8:30] = 1
    shown = [heads.augmented(square, square, rng) for _ in range(20)]
    for image, mask in shown:
        assert image.dtype == mask.dtype == np.float32
        assert sm.dice(image > 0.5, mask > 0.5) > 0.97
        assert 0 <= image.min() <= image.max() <= 1
    middles = [np.argwhere(mask > 0.5).mean(axis=0) for _, mask in shown]
    assert np.ptp(middles, axis=0).min() > 4


def test_scores_of_a_skull_mask_leave_out_what_is_unknown_and_of_a_brain_nothing(phantom):
    truth = phantom.truth.copy()
    truth[0] = 0
    found = np.ones_like(truth)
    data = Data(phantom.images, truth, phantom.spacing_mm, phantom.names)
    assert np.isnan(heads.score(found, data)[0]["iou"])
    brains = Data(phantom.images, None, phantom.spacing_mm, phantom.names, brain=truth)
    assert heads.score(found, brains)[0]["iou"] == 0
    assert heads.score(found, brains)[1] == sm.score(found[1], truth[1], phantom.spacing_mm[1])
