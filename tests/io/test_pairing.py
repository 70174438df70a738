"""Which truth belongs to which image."""

import random
from pathlib import PurePosixPath

import pytest
from complaints import refused
from hypothesis import given
from hypothesis import strategies as st

from skullmask_lib.errors import InputError
from skullmask_lib.io import pairing
from skullmask_lib.io.pairing import paired

WAYS = ("{}_mask", "mask_{}", "{}-seg", "{}.true", "gt {}", "{}", "T1_{}_label_2")


def truths_in_order(images, truths, **options):
    """Give the truths in the order of their images."""
    return [truths[index] for index in paired(images, truths, source="truth", **options)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name", ["slice_{}.png", "{}.png", "head-{}.tif", "p1/{}_T1.png", "IM{:04}.jpg"]
)
def test_truths_find_their_images_whatever_is_written_around(way, name):
    images = [PurePosixPath(name.format(number)) for number in (1, 10, 11, 12, 2, 3)]
    truths = [str(image.with_name(f"{way.format(image.stem)}.png")) for image in images]
    assert truths_in_order([*map(str, images)], sorted(truths)) == truths


def test_numbers_are_enough():
    images = [f"slice_{number}.png" for number in range(12)]
    truths = [f"truth{number:03}.png" for number in range(12)]
    assert truths_in_order(images, sorted(truths, reverse=True)) == truths


@given(st.randoms(), st.sampled_from(WAYS), st.booleans())
def test_pairs_do_not_depend_on_the_order(shuffle: random.Random, way, spare):
    stems = ["anna_0", "anna_1", "anna_2", "bert_0", "bert_1", "bert_2"]
    images = [f"{stem}.png" for stem in stems]
    truths = [f"{way.format(stem)}.tif" for stem in stems]
    shuffled = truths.copy()
    shuffle.shuffle(shuffled)
    if spare:
        images = images[1:5]
        truths = truths[1:5]
    assert truths_in_order(images, shuffled, spare=spare) == truths


def test_the_longest_name_chooses_first():
    images = ["a.png", "a_1.png"]
    truths = ["a_1_mask.png", "a_mask.png", "b.png"]
    assert truths_in_order(images, truths, spare=True) == ["a_mask.png", "a_1_mask.png"]


def test_volumes_and_folders():
    images = ["s1/t1.nii.gz", "s2/t1.nii.gz", "s10/t1.nii.gz"]
    truths = ["s10/brain.nii", "s1/brain.nii", "s2/brain.nii"]
    in_order = ["s1/brain.nii", "s2/brain.nii", "s10/brain.nii"]
    assert truths_in_order(images, truths) == in_order


def test_one_image_and_one_truth_belong_together_unless_numbers_differ():
    assert truths_in_order(["head.png"], ["truth.png"]) == ["truth.png"]
    assert truths_in_order(["slice_7.png"], ["mask-07.png"]) == ["mask-07.png"]
    with pytest.raises(InputError, match=r"slice_7\.png .*slice_8_mask\.png"):
        paired(["slice_7.png"], ["slice_8_mask.png"], source="truth")


@pytest.mark.parametrize(
    ("images", "truths", "named"),
    [
        ("0 1 2", "1 2 3", ("0.png", "3.png")),
        ("s_1 s_2", "s_1_mask s_3_mask", ("s_2.png", "s_3_mask.png")),
        ("a b c", "x y z", ("a.png", "x.png")),
        ("s_1 s_2", "s_1_mask s_2_mask s_3_mask", ("s_3_mask.png",)),
        ("s_1 s_2 s_3", "s_1_mask s_2_mask", ("s_3.png",)),
        ("s_1 s_2", "s_1_a s_1_b", ("s_1.png", "s_1_a.png")),
        ("p1_s_1 p1_s_2", "p2_s_1 p2_s_2", ("p1_s_1.png", "p2_s_1.png")),
        ("s_1 s_01", "t_1 t_2", ("s_1.png", "t_1.png")),
    ],
)
def test_what_cannot_be_paired_is_refused_with_both_names(images, truths, named):
    image_names = [f"{name}.png" for name in images.split()]
    truth_names = [f"{name}.png" for name in truths.split()]
    with refused("truth", naming=named):
        paired(image_names, truth_names, source="truth")


def test_a_volume_s_suffix_is_no_part_of_the_hint():
    with refused("truth", naming=["no truth for b.nii.gz", "such as b_mask"]):
        paired(["a.nii.gz", "b.nii.gz"], ["a.nii.gz", "c.nii.gz"], source="truth")


def test_names_compare_as_they_read():
    images = ["Schädel 1.png", "SCHÄDEL 2.png"]
    truths = ["scha\u0308del_2.png", "schädel_1.png"]
    assert truths_in_order(images, truths) == ["schädel_1.png", "scha\u0308del_2.png"]


# --- many names ----------------------------------------------------------------------------------


class Counted(str):
    """A token that counts how often it is compared, and stops what compares it far too often."""

    __slots__ = ()
    comparisons = 0
    most = 0

    def __eq__(self, other):
        Counted.comparisons += 1
        assert Counted.comparisons <= Counted.most
        return str.__eq__(self, other)

    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("way", "lacks_one"),
    [("{}-and-more.png", False), ("mask of slice {} by hand.png", True)],
)
def test_the_work_grows_as_the_names_do(monkeypatch, way, lacks_one):
    count = 20_000
    tokens = pairing._tokens
    monkeypatch.setattr(pairing, "_tokens", lambda stem: tuple(map(Counted, tokens(stem))))
    monkeypatch.setattr(Counted, "comparisons", 0)
    monkeypatch.setattr(Counted, "most", 100 * count)
    images = [f"slice_{number}.png" for number in range(count)]
    truths = [way.format(number) for number in reversed(range(count))]
    if lacks_one:
        with pytest.raises(InputError, match=r"slice_0\.png \(1 of 20000"):
            paired(images, truths[:-1], source="truth")
    else:
        assert paired(images, truths, source="truth") == list(reversed(range(count)))


def test_a_rule_that_pairs_all_is_the_last_one_tried(monkeypatch):
    names = ["a_1.png", "a_2.png"]
    monkeypatch.setattr(pairing, "_by_difference", None)
    monkeypatch.setattr(pairing, "_by_part", None)
    assert truths_in_order(names, names[::-1]) == names
