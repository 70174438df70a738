"""Training and validation sets: what tells them from others, and that no head is in both."""

import numpy as np
import pytest
from complaints import refused

from skullmask_lib import phantom
from skullmask_lib.deep import training_sets
from skullmask_lib.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write one slice of each of four heads into two files."""
    folder = tmp_path_factory.mktemp("heads")
    image, labels = phantom.render_slice(18.0, shape=(96, 80), spacing_mm=(2.4, 2.4))
    truth = phantom.skull_mask(labels)
    for name, heads in (("some", "ab"), ("others", "cd")):
        np.savez(
            folder / f"{name}.npz",
            images=[image + place for place in range(len(heads))],
            truth=[truth] * len(heads),
            names=[f"{head}[0]" for head in heads],
            spacing_mm=np.full((len(heads), 2), 2.4),
        )
    return folder


def gather(folder, **settings):
    return training_sets.gather([str(folder / "some.npz")], folder, **settings)


def test_sets_are_told_apart_by_what_they_hold(folder):
    sets = gather(folder)
    assert gather(folder).options == sets.options
    other = gather(folder, validation=[str(folder / "others.npz")])
    assert other.options["data"] != sets.options["data"]  # no head of the file is held out
    in_threes = gather(folder, batch_size=3).options
    changed = {name for name, value in in_threes.items() if value != sets.options[name]}
    assert changed == {"batch_size", "first batch"}


def test_sets_are_told_apart_by_how_images_are_changed(folder, monkeypatch):
    """A training does not go on with another recipe after an upgrade, see `training.train`."""
    before = gather(folder).options
    monkeypatch.setattr(training_sets.heads, "_GAMMA", 0.5)
    after = gather(folder).options
    assert after["first batch"] != before["first batch"]
    assert after == before | {"first batch": after["first batch"]}


def test_batches_are_the_same_by_number_and_the_score_is_that_of_the_validation_set(folder):
    sets = gather(folder, batch_size=3)
    images, masks = sets.batch_of(5)
    assert images.shape == masks.shape
    assert len(images) == 3
    assert np.array_equal(sets.batch_of(5)[0], images)
    assert sets.score(np.zeros_like) == 0
    assert 0.5 < sets.score(np.ones_like) < 1  # all of the window, of which the skull is a part


def test_what_cannot_be_gathered_is_refused(folder):
    with refused("a"):
        gather(folder, validation=[str(folder / "some.npz")])
    with refused(None, ["4"]):
        gather(folder, dimensions=4)
    random = training_sets.RANDOM
    with refused("one_slice_per_head"):
        gather(folder, dimensions=3, one_slice_per_head=True)
    with refused("one_slice_per_head"):
        gather(folder, validation=[str(folder / "others.npz")], one_slice_per_head=True)
    with refused("one_slice_per_head"):
        training_sets.gather([random], folder, one_slice_per_head=True)
    with refused("random_heads"):
        gather(folder, random_heads=5)
    for dimensions, most in training_sets.MOST_RANDOM_HEADS.items():
        with refused(None, naming=["random heads", f"{most}"]):
            training_sets.gather([random], folder, dimensions=dimensions, random_heads=most + 1)
    with refused(training_sets.RANDOM):
        training_sets.gather([training_sets.RANDOM, str(folder / "some.npz")], folder)
    for nothing in ("some.npz", []):
        with pytest.raises(InputError):
            training_sets.gather(nothing, folder)


@pytest.mark.parametrize(
    "numbers",
    [
        {"batch_size": 0},
        {"batch_size": 2.5},
        {"random_heads": 0},
        {"seed": -1},
        {"dimensions": [2]},
    ],
)
def test_numbers_out_of_range_are_refused(folder, numbers):
    with pytest.raises(InputError):
        gather(folder, **numbers)
