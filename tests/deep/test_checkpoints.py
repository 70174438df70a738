"""Checkpoints: what comes back, and what is refused in one line."""

import os
import pickle
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from skullmask_lib.deep import checkpoints, networks, training
from skullmask_lib.errors import InputError

pytestmark = pytest.mark.usefixtures("folder")


class Code:
    """Makes a file when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.fixture
def network():
    return networks.build("unet", base_filters=2, levels=2)


@pytest.fixture
def content(network):
    """Give what a checkpoint holds."""
    checkpoints.save("good.pt", network)
    return torch.load("good.pt", weights_only=True)


def refused(file):
    with pytest.raises(InputError) as caught:
        checkpoints.load(file)
    assert caught.value.where == str(file)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250
    assert not os.path.exists("executed")
    return caught.value.message


def test_a_network_stored_channels_last_comes_back(network):
    network.to(memory_format=torch.channels_last)
    checkpoints.save("last.pt", network)
    loaded = checkpoints.load("last.pt").network
    for name, weights in network.state_dict().items():
        assert torch.equal(weights, loaded.state_dict()[name])


def test_a_network_comes_back_with_what_was_saved_beside_it(network):
    network.train()
    checkpoints.save("a.pt", network, {"step": 7, "log": [(1, 0.5)]})
    loaded = checkpoints.load("a.pt")
    assert loaded.extra == {"step": 7, "log": [(1, 0.5)]}
    assert loaded.network.settings == network.settings
    assert not loaded.network.training
    for name, weights in network.state_dict().items():
        assert torch.equal(weights, loaded.network.state_dict()[name])


def test_saving_leaves_what_was_there_if_it_fails(folder, network):
    checkpoints.save("a.pt", network)
    before = (folder / "a.pt").read_bytes()
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        checkpoints.save("a.pt", network, {"function": lambda: None})
    assert (folder / "a.pt").read_bytes() == before
    assert [file.name for file in folder.iterdir()] == ["a.pt"]


@pytest.mark.parametrize(
    "write",
    [
        lambda: torch.save(Code(), "bad.pt"),
        lambda: torch.save({"format": checkpoints.FORMAT, "extra": Code()}, "bad.pt"),
        lambda: Path("bad.pt").write_bytes(pickle.dumps(Code())),
        lambda: torch.save(Code(), "bad.pt", _use_new_zipfile_serialization=False),
        lambda: torch.save(networks.build("fcn32", base_filters=1), "bad.pt"),
        lambda: torch.save({"weight": torch.ones(3)}, "bad.pt"),
        lambda: torch.save([1, 2], "bad.pt"),
        lambda: Path("bad.pt").touch(),
        lambda: Path("bad.pt").write_text("a text\n" * 99),
        lambda: np.savez("bad.npz", a=1) or os.rename("bad.npz", "bad.pt"),
        lambda: zipfile.ZipFile("bad.pt", "w").close(),
    ],
)
def test_foreign_content_is_refused_and_never_executed(write):
    write()
    assert refused("bad.pt").startswith("expected a checkpoint of skullmask")


def test_a_truncated_or_damaged_file_is_refused(content):
    assert content["format"] == checkpoints.FORMAT
    whole = Path("good.pt").read_bytes()
    for length in range(0, len(whole), len(whole) // 40):
        Path("short.pt").write_bytes(whole[:length])
        refused("short.pt")


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"network": "vgg"},
        {"network": "fcn32", "settings": {"base_filters": 2}},
        {"network": ["unet"]},
        {"settings": {"base_filters": 4, "levels": 2}},
        {"settings": {"base_filters": 10**12}},
        {"settings": {"depth": 3}},
        {"settings": {"base_filters": 2, "levels": 2, "seed": "x"}},
        {"settings": {"base_filters": 2, "levels": 2, "seed": 2**80}},
        {"settings": {"base_filters": 2, "levels": 2, "name": "unet"}},
        {"settings": [2, 2]},
        {"settings": {1: 2}},
        {"weights": {}},
        {"weights": [1]},
        {"weights": {"head.bias": "text"}},
        {"extra": 3},
    ],
)
def test_another_architecture_or_version_is_refused(content, changes):
    torch.save(content | changes, "bad.pt")
    refused("bad.pt")


def test_no_memory_is_taken_before_the_weights_are_compared(content):
    settings = {"dimensions": 3, "base_filters": 128, "levels": 8}
    torch.save(content | {"settings": settings}, "large.pt")
    empty = networks.build_on_meta("unet", settings)
    spread = {
        name: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape)
        for name, tensor in empty.state_dict().items()
    }
    torch.save(content | {"settings": settings, "weights": spread}, "spread.pt")
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (64 * 2**30, hard))  # of the 94 GB that they would take
    try:
        refused("large.pt")
        refused("spread.pt")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_weights_that_are_no_numbers_are_refused(content):
    content["weights"]["head.bias"][0] = torch.nan
    torch.save(content, "bad.pt")
    assert "NaN" in refused("bad.pt")


def test_a_part_that_is_missing_is_refused(content):
    for key in content:
        torch.save({name: value for name, value in content.items() if name != key}, "bad.pt")
        refused("bad.pt")


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"options": 3},
        {"options": {}, "log": [], "optimizer": {}},
        {"options": {}, "log": [(1, 2)], "optimizer": {}},
    ],
)
def test_a_checkpoint_that_holds_no_training_cannot_go_on(folder, network, extra):
    wanted = {"steps": 9, "rate": 0.01, "seed": 0, "every": 9}
    wanted |= {"loss": "dice_and_cross_entropy", "precision": "None"}
    if "options" in extra and extra["options"] == {}:
        extra = extra | {"options": wanted}
    checkpoints.save(training.LAST, network, extra)
    with pytest.raises(InputError) as caught:
        training.train(network, None, folder, steps=9, rate=0.01, every=9)
    assert "holds no training" in str(caught.value)
    assert caught.value.where == str(folder / training.LAST)


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError) as caught:
        checkpoints.load("none.pt")
    assert caught.value.filename == "none.pt"
