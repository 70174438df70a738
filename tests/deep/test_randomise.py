"""Check random images.

A seed always gives the same one, each part leaves its mark, and the mask is that of the labels.
"""

import numpy as np
import pytest
from complaints import refused

from skullmask_lib import phantom
from skullmask_lib.deep import randomise

SEEDS = range(40)


@pytest.fixture(scope="module")
def labels():
    """Draw the labels of one slice."""
    return labels_of(11)


def labels_of(seed, **options):
    [labels] = randomise.random_labels(seed, **options)
    return labels


def same(first, second):
    """Tell whether two examples have the same image, mask and head."""
    return all(map(np.array_equal, first, second))


def others_than(*parts):
    """List all parts but some."""
    return [name for name in randomise.PARTS if name not in parts]


def test_a_seed_gives_one_example(labels):
    example = randomise.random_example(4, labels=labels)
    assert same(example, randomise.random_example(4, labels=labels))
    assert not same(example, randomise.random_example(5, labels=labels))


def test_without_labels_a_head_is_rendered():
    example = randomise.random_example(2)
    assert example.mask.any()
    assert same(example, randomise.random_example(2, labels=labels_of(2)))


@pytest.mark.parametrize("part", others_than("anatomy"))
def test_each_part_leaves_its_mark(labels, part):
    """Each part draws from a stream of its own, so all else stays as it was."""
    changed = []
    for seed in SEEDS:
        example = randomise.random_example(seed, labels=labels)
        without = randomise.random_example(seed, labels=labels, without=[part])
        if not same(example, without):
            changed.append(seed)
    assert changed


def test_without_its_anatomy_a_head_has_the_usual_measures():
    plain = labels_of(3, anatomy=False)
    assert not np.array_equal(labels_of(3), plain)
    columns = np.flatnonzero(phantom.skull_mask(plain).any(axis=0))
    width_mm = np.ptp(columns) * randomise.STEP_MM
    assert width_mm < 2.2 * phantom.MODEL.half_width_mm


def test_without_all_parts_an_image_is_its_labels(labels):
    example = randomise.random_example(0, labels=labels, without=randomise.PARTS)
    signals = np.array(list(phantom.SIGNALS["T1"].values()), np.float32)
    assert np.array_equal(example.image, signals[labels])
    assert np.array_equal(example.mask, phantom.skull_mask(labels))
    assert np.array_equal(example.head, labels > 0)


def test_parts_of_the_image_leave_the_mask(labels):
    parts = [*randomise.SIGNAL_PARTS, *randomise.IMAGE_PARTS]
    for seed in range(4):
        example = randomise.random_example(seed, labels=labels)
        plain = randomise.random_example(seed, labels=labels, without=parts)
        assert np.array_equal(example.mask, plain.mask)


def test_a_thicker_scalp_leaves_the_skull(labels):
    usual_px = (labels > 0).sum()
    heads_px = []
    for seed in range(8):
        grown = randomise.random_example(seed, labels=labels, without=others_than("scalp"))
        assert np.array_equal(grown.mask, phantom.skull_mask(labels))
        heads_px.append(grown.head.sum())
    assert max(heads_px) > 1.03 * usual_px
    assert min(heads_px) == usual_px


def test_compact_bone_may_take_the_place_of_marrow_at_the_temples(labels):
    """Marrow is told by its signal, which no other part changes here."""
    columns = np.flatnonzero(phantom.skull_mask(labels).any(axis=0))
    midline = slice(*np.quantile(columns, (0.4, 0.6)).astype(int))
    tissues = {name: np.float32(signal) for name, signal in phantom.SIGNALS["T1"].items()}
    is_marrow = labels == phantom.LABELS["diploe"]
    without = others_than("scalp")
    bare_px = []
    for seed in range(8):
        image = randomise.random_example(seed, labels=labels, without=without).image
        assert np.all(is_marrow[image == tissues["diploe"]])
        is_bare = is_marrow & (image != tissues["diploe"])
        assert np.all(image[is_bare] == tissues["outer_table"])
        assert not is_bare[:, midline].any()
        bare_px.append(is_bare.sum())
    assert min(bare_px) == 0
    assert 0 < max(bare_px) < is_marrow.sum()


def test_what_is_not_shown_is_zero_and_not_inside(labels):
    without = others_than(*randomise.FRAME_PARTS)
    for seed in SEEDS:
        example = randomise.random_example(seed, labels=labels, without=without)
        assert not example.mask[example.image == 0].any()
        assert np.all(example.head >= example.mask)


def test_an_image_is_finite_and_not_negative(labels):
    for seed in SEEDS:
        image = randomise.random_example(seed, labels=labels).image
        assert image.dtype == np.float32
        assert np.isfinite(image).all()
        assert image.min() >= 0


def test_air_alone_is_no_reason_to_fail():
    air = np.zeros(randomise.SHAPE, np.uint8)
    for seed in SEEDS:
        assert not randomise.random_example(seed, labels=air).mask.any()


def test_bone_stays_the_darkest_tissue():
    usual = np.array(list(phantom.SIGNALS["T1"].values()))
    for seed in SEEDS:
        signals = usual
        generator = np.random.default_rng(seed)
        for change in randomise.SIGNAL_PARTS.values():
            signals = change(signals, generator)
        bone = signals[phantom.LABELS["outer_table"]]
        for tissue in ("skin", "fat", "muscle"):
            assert signals[phantom.LABELS[tissue]] > bone, tissue


def test_the_measures_of_heads_fill_their_ranges():
    heads = [randomise.random_measures(np.random.default_rng(seed)) for seed in range(200)]
    for name, (low, high) in randomise.MEASURES.items():
        values = [measures[name] for measures in heads]
        margin = 0.1 * (high - low)
        assert low <= min(values) < low + margin
        assert high - margin < max(values) <= high


def test_other_temples_change_no_other_measure():
    usual = randomise.random_measures(np.random.default_rng(0))
    narrow = randomise.random_measures(np.random.default_rng(0), skull_temple_mm=(-3.0, -2.9))
    assert -3.0 <= narrow.pop("skull_temple_mm") < -2.9
    assert usual.pop("skull_temple_mm") > -2.9
    assert narrow == usual


def test_an_unknown_part_is_refused(labels):
    with refused(None, ["nose", "noise"]):
        randomise.random_example(0, labels=labels, without=["nose"])
