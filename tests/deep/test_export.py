"""ONNX files of networks: OpenCV computes from them what torch computes, and the library's is one of them."""

import argparse
import hashlib

import numpy as np
import onnx
import pytest
import scripts
import torch
import train_network

import skullmask_lib as sm
from skullmask_lib import learned
from skullmask_lib.deep import data, export, networks, randomise
from skullmask_lib.project import project_folder


@pytest.fixture(scope="module")
def network():
    """The shape of the library's network, after a batch has moved its norms."""
    network = networks.build("unet", seed=3).train()
    images = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    for _ in range(20):
        network(images)
    return network.eval()


@pytest.fixture(scope="module")
def file(network, tmp_path_factory):
    file = tmp_path_factory.mktemp("onnx") / "network.onnx"
    export.save_onnx(network, file)
    return file


def loaded(file):
    return learned.load_network(file, sha256=hashlib.sha256(file.read_bytes()).hexdigest())


@pytest.mark.parametrize("shape", [(1, 1, 112, 96), (1, 1, 64, 64), (3, 1, 40, 72)])
def test_opencv_computes_what_torch_computes(network, file, shape):
    images = np.random.default_rng(0).random(shape, np.float32)
    with torch.no_grad():
        wanted = network(torch.from_numpy(images)).numpy()
    opencv = loaded(file)
    opencv.setInput(images)
    assert np.allclose(opencv.forward(), wanted, atol=1e-4)
    assert wanted.std() > 0.01


def test_one_loaded_network_takes_sizes_in_any_order(network, file):
    opencv = loaded(file)
    for shape in [(1, 1, 64, 64), (1, 1, 112, 96), (1, 1, 64, 64)]:
        images = np.random.default_rng(1).random(shape, np.float32)
        opencv.setInput(images)
        with torch.no_grad():
            wanted = network(torch.from_numpy(images)).numpy()
        assert np.allclose(opencv.forward(), wanted, atol=1e-4)


def test_a_network_of_many_levels_is_exported_too(tmp_path):
    deep = networks.build("unet", base_filters=2, levels=8)
    export.save_onnx(deep, tmp_path / "deep.onnx")
    images = torch.rand(1, 1, deep.multiple, deep.multiple)
    opencv = loaded(tmp_path / "deep.onnx")
    opencv.setInput(images.numpy())
    with torch.no_grad():
        np.testing.assert_allclose(opencv.forward(), deep.eval()(images).numpy(), atol=1e-4)


def test_a_network_for_volumes_is_refused(tmp_path):
    volumes = networks.build("unet", dimensions=3, base_filters=2, levels=2)
    with pytest.raises(sm.InputError):
        export.save_onnx(volumes, tmp_path / "volumes.onnx")
    assert not list(tmp_path.iterdir())


def test_an_export_leaves_the_network_as_it_was(network, tmp_path):
    images = torch.rand(1, 1, 32, 32)
    before = network(images)
    export.save_onnx(network, tmp_path / "again.onnx")
    assert torch.equal(network(images), before)


def test_the_library_has_a_network_of_this_shape(file):
    shapes = []
    for path in (file, project_folder("data") / learned.NETWORK):
        model = onnx.load(path)
        shapes.append([tuple(weights.dims) for weights in model.graph.initializer])
    assert shapes[0] == shapes[1]


def test_its_window_fits_the_network(network):
    assert learned.MULTIPLE % network.multiple == 0


def test_in_use_a_network_sees_what_it_saw_in_training():
    """Both ways to prepare an image of the same head give the same mask, but for its edge."""
    example = randomise.random_example(
        3, labels=randomise.random_labels(3)[0], without=[*randomise.FRAME_PARTS]
    )
    prepared, share = data.prepared(example)
    network = learned.load_network(project_folder("data") / learned.NETWORK)
    network.setInput(prepared[None, None])
    in_training = sm.iou((network.forward()[0, 0] > 0).astype(np.uint8), np.uint8(share > 0.5))
    probability = learned.inside_probability(example.image, (randomise.STEP_MM,) * 2)
    in_use = sm.iou((probability > 0.5).astype(np.uint8), example.mask)
    assert in_training > 0.95
    assert in_use == pytest.approx(in_training, abs=0.015)


# --- The table -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows():
    return scripts.read(project_folder("data") / train_network.TABLE)


def test_the_network_is_that_of_the_best_seed(rows):
    best = train_network.best_seed(rows)
    assert {row["sha256"] for row in rows if row["seed"] == best} == {learned.SHA256}


def test_the_card_says_what_the_table_says(rows):
    card = (project_folder("data") / train_network.CARD).read_text(encoding="utf-8")
    assert learned.SHA256 in card
    assert train_network.filled_card(card, rows) == card


def test_a_card_is_filled_from_its_table(rows):
    others = [{**row, "steps": "77", "iou": "0.1234"} for row in rows]
    card = (project_folder("data") / train_network.CARD).read_text(encoding="utf-8")
    filled = train_network.filled_card(card, others)
    assert "77 steps" in filled
    assert filled.count("0.1234") > card.count("0.1234")


def test_phantoms_are_scored_by_the_iou_of_the_library():
    images = torch.zeros(3, 1, 2, 2)
    images[1:, :, 0] = 1
    truth = np.zeros((3, 1, 2, 2), bool)
    truth[1] = True
    # Both are empty; half of the truth is found; the truth is empty and the mask is not
    assert train_network.ious(lambda part: part - 0.5, images, truth) == [1, 0.5, 0]


# --- Go on ---------------------------------------------------------------------------------------


def test_a_run_does_not_go_on_with_images_of_another_recipe(tmp_path, monkeypatch):
    for count in ("MAPS", "HELD_OUT_MAPS", "BATCH"):
        monkeypatch.setattr(train_network, count, 2)
    options = argparse.Namespace(folder=tmp_path, steps=1, processes=1, bfloat16=False)
    train_network.train(0, options)
    train_network.train(0, options)  # done already
    monkeypatch.setattr(learned, "_RANGE_PERCENTILES", (5, 95))
    with pytest.raises(sm.InputError, match="first batch"):
        train_network.train(0, options)
