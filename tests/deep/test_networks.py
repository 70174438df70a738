"""The networks: what they return, what they learn, and MONAI's U-Net beside ours."""

import itertools

import numpy as np
import pytest
import torch
from monai.networks.nets import basic_unet
from numpy.testing import assert_array_equal as same

import skullmask_lib as sm
from skullmask_lib.deep import losses, networks, prediction, training
from skullmask_lib.errors import InputError

SETTINGS = {
    "plain": ("unet", {}),
    "residual": ("unet", {"is_residual": True}),
    "volumes": (
        "unet",
        {"dimensions": 3, "base_filters": 8, "levels": 3, "is_residual": True, "dropout": 0.1},
    ),
    "fcn32": ("fcn32", {"base_filters": 8}),
}


def discs(shape, count=4):
    """Give noisy images of bright balls, of one radius each, and their masks."""
    rng = np.random.default_rng(5)
    places = np.indices(shape, np.float32)
    images, masks = [], []
    for _ in range(count):
        middle = rng.uniform(0.4, 0.6, len(shape)) * shape
        distance = np.linalg.norm(places - middle.reshape(-1, *[1] * len(shape)), axis=0)
        mask = (distance < rng.uniform(0.2, 0.3) * shape[0]).astype(np.float32)
        images.append(mask + 0.3 * rng.standard_normal(shape))
        masks.append(mask)
    return np.float32(images)[:, None], np.float32(masks)[:, None]


def sample_of(network):
    if network.settings.get("dimensions") == 3:
        return discs((16, 16, 16))
    return discs((48, 48) if network.multiple < 32 else (96, 96))


@pytest.fixture(params=SETTINGS)
def network(request):
    name, settings = SETTINGS[request.param]
    return networks.build(name, seed=1, **settings)


def test_each_learns_four_samples_by_heart(network, tmp_path):
    images, masks = sample_of(network)
    training.train(network, lambda _: (images, masks), tmp_path, steps=100, rate=0.01)
    with torch.no_grad():
        found = network(torch.from_numpy(images)).numpy() > 0
    assert sm.dice(found, masks) >= 0.98


def test_gradients_reach_every_layer(network):
    images, masks = map(torch.from_numpy, sample_of(network))
    losses.dice_and_cross_entropy(network(images), masks).backward()
    for name, weights in network.named_parameters():
        assert weights.grad.abs().max() > 0, name


def test_a_size_that_cannot_be_halved_is_refused_and_prediction_pads_it(network):
    images, _ = sample_of(network)
    sides = images.shape[2:]
    odd = images[..., : sides[-1] - 3]
    with pytest.raises(InputError, match=rf"multiples of {network.multiple}, got "):
        network(torch.from_numpy(odd))
    if len(sides) == 3:
        found = prediction.volume_probabilities(network, odd[0, 0])
    else:
        found = prediction.probabilities(network, odd[:, 0])[0]
    assert found.shape == odd.shape[2:]
    padded = images[:1].copy()
    padded[..., -3:] = 0
    with torch.no_grad():
        wanted = torch.sigmoid(network.eval()(torch.from_numpy(padded)))[0, 0].numpy()
    np.testing.assert_allclose(found, wanted[..., :-3], atol=1e-6)


def test_a_seed_gives_the_same_weights_and_leaves_the_random_state_alone():
    before = torch.random.get_rng_state()
    first, again, other = (networks.build("unet", seed=seed) for seed in (3, 3, 4))
    same(torch.random.get_rng_state(), before)
    for name, weights in first.state_dict().items():
        same(weights, again.state_dict()[name])
    assert not torch.equal(first.first.body[0].weight, other.first.body[0].weight)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("vgg", {}),
        ("unet", {"dimensions": 4}),
        ("unet", {"base_filters": 10**9}),
        ("unet", {"levels": 0}),
        ("unet", {"levels": 2.5}),
        ("unet", {"dropout": 1.5}),
        ("unet", {"dropout": "half"}),
        ("fcn32", {"base_filters": 0}),
    ],
)
def test_settings_that_make_no_network_are_refused(name, settings):
    with pytest.raises(InputError):
        networks.build(name, **settings)


def test_weights_are_as_many_as_its_layers_say():
    """Count a U-Net's weights by hand: convolutions, batch norms, steps up and the head."""

    def block(inputs, outputs):
        return 9 * outputs * (inputs + outputs) + 4 * outputs

    widths = [8, 16, 32, 64]
    wanted = block(1, 8) + 8 + 1
    for upper, lower in itertools.pairwise(widths):
        wanted += block(upper, lower) + 4 * lower * upper + upper + block(2 * upper, upper)
    assert networks.count_weights(networks.build("unet")) == wanted


def test_monai_has_the_same_output_for_the_same_weights():
    """MONAI's last step up does not halve its channels; one that does takes its place."""
    like_ours = {"act": ("relu", {"inplace": True}), "norm": "batch", "bias": False}
    theirs = basic_unet.BasicUNet(2, 1, 1, (4, 8, 16, 32, 64, 4), **like_ours)
    theirs.upcat_1 = basic_unet.UpCat(2, 8, 4, 4, dropout=0.0, **like_ours)
    ours = networks.build("unet", base_filters=4, levels=5)
    blocks = [ours.first, *ours.down]
    for (_, weights), (_, others) in zip(matched(ours, blocks), their_weights(theirs), strict=True):
        others.data.copy_(weights)
    images = torch.from_numpy(discs((48, 64))[0])
    with torch.no_grad():
        torch.testing.assert_close(theirs.train()(images), ours.train()(images))
        torch.testing.assert_close(theirs.eval()(images), ours.eval()(images))


def matched(ours, blocks):
    """Give our weights from the input to the output."""
    for block in blocks:
        yield from block.named_parameters()
    for up, merge in zip(reversed(ours.up), reversed(ours.merge), strict=True):
        yield from up.named_parameters()
        yield from merge.named_parameters()
    yield from ours.head.named_parameters()


def their_weights(theirs):
    """Give MONAI's weights from the input to the output."""
    for part in ("conv_0", *(f"down_{level}" for level in (1, 2, 3, 4))):
        yield from getattr(theirs, part).named_parameters()
    for level in (4, 3, 2, 1):
        yield from getattr(theirs, f"upcat_{level}").named_parameters()
    yield from theirs.final_conv.named_parameters()
