"""Banks of label maps: the same from any number of processes, whole, and refused where they are not."""

import contextlib

import numpy as np
import pytest
from complaints import refused

from skullmask_lib import phantom
from skullmask_lib.deep import data, randomise
from skullmask_lib.errors import InputError


def test_processes_change_nothing(tmp_path):
    one = data.bank(6, tmp_path / "one", seed=3)
    two = data.bank(6, tmp_path / "two", seed=3, processes=2)
    assert one.shape == (6, *randomise.SHAPE)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, data.bank(6, tmp_path / "one", seed=4))


def test_a_bank_is_rendered_once(tmp_path, monkeypatch):
    first = data.bank(2, tmp_path, anatomy=False)
    monkeypatch.delattr(randomise, "random_labels")
    assert np.array_equal(data.bank(2, tmp_path, anatomy=False), first)


def test_other_ranges_make_another_bank(tmp_path, monkeypatch):
    before = data.bank(1, tmp_path)
    monkeypatch.setitem(randomise.MEASURES, "half_width_mm", (90.0, 91.0))
    wider = data.bank(1, tmp_path)
    assert not np.array_equal(wider, before)
    monkeypatch.setattr(randomise, "TEMPLE_OF_SLICES_MM", (6.0, 7.0))
    assert not np.array_equal(data.bank(1, tmp_path), wider)


@pytest.mark.parametrize("content", [b"", b"no bank", None])
def test_a_file_that_is_no_bank_is_refused(tmp_path, content):
    data.bank(1, tmp_path)
    [file] = tmp_path.iterdir()
    if content is None:
        np.savez(file, labels=np.zeros((1, 5, 5), np.uint8))
    else:
        file.write_bytes(content)
    with refused(file.name):
        data.bank(1, tmp_path)


def test_a_damaged_bank_is_refused_wherever_it_is_damaged(tmp_path):
    whole = data.bank(1, tmp_path)
    [file] = tmp_path.iterdir()
    content = file.read_bytes()
    places = range(0, len(content), max(1, len(content) // 150))
    for place in places:
        file.write_bytes(content[:place])
        with refused(file.name):
            data.bank(1, tmp_path)
    for place in places:
        file.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        with contextlib.suppress(InputError):  # a byte may say nothing of the labels
            assert np.array_equal(data.bank(1, tmp_path), whole)


@pytest.mark.parametrize("below", ["", "/deeper"])
def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, below):
    file = tmp_path / "notes.txt"
    file.touch()
    with pytest.raises(InputError) as caught:
        data.bank(1, f"{file}{below}")
    assert caught.value.where == f"{file}{below}"


def test_a_batch_depends_on_its_seed_alone():
    maps = randomise.random_labels(1, slices=2)
    first = data.random_batch(maps, 3, seed=8)
    np.random.default_rng().random()
    second = data.random_batch(maps, 3, seed=8)
    other = data.random_batch(maps, 3, seed=9)
    assert all(map(np.array_equal, first, second))
    assert not np.array_equal(first[0], other[0])


def test_what_a_batch_holds():
    maps = randomise.random_labels(1, slices=2)
    images, shares = data.random_batch(maps, 4, seed=0)
    assert images.shape == shares.shape == (4, 1, *data.BATCH_SHAPE)
    assert images.dtype == shares.dtype == np.float32
    for values in (images, shares):
        assert values.min() == 0
        assert values.max() == 1


def test_image_and_mask_lie_on_each_other():
    labels = randomise.random_labels(1)[0]
    example = randomise.random_example(0, labels=labels, without=randomise.PARTS)
    image, share = data.prepared(example)
    moved_image, moved_share = data.prepared(example, (6, -4))
    assert np.array_equal(moved_image[:-3, 2:], image[3:, :-2])
    assert np.array_equal(moved_share[:-3, 2:], share[3:, :-2])
    dark = image[share == 1].min()
    bone = phantom.SIGNALS["T1"]["outer_table"]
    assert dark < 2 * np.sqrt(bone)
    assert share.sum() * 4 == pytest.approx(example.mask.sum(), rel=1e-6)
