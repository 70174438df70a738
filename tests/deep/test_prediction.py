"""Check prediction: in batches, by windows of volumes, and on sizes that a network does not take."""

import numpy as np
import pytest
import torch

from skullmask_lib.deep import networks, prediction
from skullmask_lib.errors import InputError


@pytest.fixture(scope="module")
def flat():
    """Build a network for slices."""
    return networks.build("unet", base_filters=2, levels=3, seed=4)


@pytest.fixture(scope="module")
def deep():
    """Build a network for volumes."""
    return networks.build("unet", dimensions=3, base_filters=2, levels=2, seed=4)


def noise(*shape):
    return np.random.default_rng(1).standard_normal(shape)


def test_slices_in_batches_equal_slices_one_by_one(flat):
    images = noise(5, 16, 12)
    together = prediction.probabilities(flat, images, batch_size=2)
    assert together.dtype == np.float32
    assert 0 < together.min() < together.max() < 1
    for image, wanted in zip(images, together, strict=True):
        [alone] = prediction.probabilities(flat, image[None])
        np.testing.assert_allclose(alone, wanted, atol=1e-6)


def test_it_predicts_as_in_use_even_in_the_midst_of_training(flat):
    images = noise(2, 16, 12)
    flat.train()
    first = prediction.probabilities(flat, images)
    flat.train()
    np.testing.assert_array_equal(prediction.probabilities(flat, images), first)


def test_no_slices_give_no_probabilities(flat):
    assert prediction.probabilities(flat, np.zeros((0, 9, 9))).shape == (0, 9, 9)


@pytest.mark.parametrize("window", [None, (8, 12, 10), (99, 99, 99)])
def test_a_window_that_covers_the_volume_equals_the_whole(deep, window):
    volume = noise(8, 12, 10)
    probabilities = prediction.volume_probabilities(deep, volume, window=window)
    batch = torch.as_tensor(volume[None, None], dtype=torch.float32)
    with torch.no_grad():
        [[whole]] = deep(batch).sigmoid()
    np.testing.assert_allclose(probabilities, whole, atol=1e-6)


def test_where_windows_overlap_they_are_averaged(deep):
    volume = noise(8, 8, 12)
    probabilities = prediction.volume_probabilities(deep, volume, window=(8, 8, 8))
    first = prediction.volume_probabilities(deep, volume[..., :8])
    second = prediction.volume_probabilities(deep, volume[..., 4:])
    mean = (first[..., 4:] + second[..., :4]) / 2
    wanted = np.concatenate([first[..., :4], mean, second[..., 4:]], axis=-1)
    np.testing.assert_allclose(probabilities, wanted, atol=1e-6)


@pytest.mark.parametrize("overlap", [0, 0.3, 0.9])
@pytest.mark.parametrize("shape", [(9, 7, 11), (1, 1, 1), (8, 30, 5)])
def test_windows_cover_every_voxel_of_any_size(deep, shape, overlap):
    options = {"window": (8, 8, 8), "overlap": overlap}
    probabilities = prediction.volume_probabilities(deep, noise(*shape), **options)
    assert probabilities.shape == shape
    assert np.isfinite(probabilities).all()


def test_what_is_no_stack_no_volume_and_no_window_is_refused(flat, deep):
    with pytest.raises(InputError):
        prediction.probabilities(flat, noise(8, 8))
    with pytest.raises(InputError):
        prediction.volume_probabilities(deep, noise(8, 8))
    volume = noise(8, 8, 8)
    for window in ((8, 8), (8, 0, 8)):
        with pytest.raises(InputError):
            prediction.volume_probabilities(deep, volume, window=window)
    for overlap in (-0.1, 1, np.nan):
        with pytest.raises(InputError):
            prediction.volume_probabilities(deep, volume, overlap=overlap)
