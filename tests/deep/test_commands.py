"""Check ``python -m skullmask_lib.deep``.

It trains, predicts and evaluates, and says in one line why something cannot be done.
"""

import inspect
import os
import subprocess
import sys
from functools import partial

import nibabel as nib
import numpy as np
import pytest
import torch
from result_tables import column, numbers, rows_of

import skullmask_lib as sm
from skullmask_lib import phantom
from skullmask_lib.cli import main, network_training, networks
from skullmask_lib.deep import PROGRAM, brains, checkpoints, random_brains, training
from skullmask_lib.deep import networks as networks_of

SMALL = ("--base-filters", 4, "--levels", 3, "--steps", 60, "--every", 30, "--rate", 0.01)
DONE = (0, [])  # exit code and error lines
LEVELS_MM = (0, 20)
PIXEL_MM = 2.5


def write_heads(file, seeds):
    """Write two slices of each of several phantoms."""
    images = []
    truth = []
    names = []
    for seed in seeds:
        for index, level_mm in enumerate(LEVELS_MM):
            image, labels = phantom.render_slice(
                level_mm, seed=seed, shape=(96, 80), spacing_mm=(PIXEL_MM, PIXEL_MM)
            )
            images.append(image.astype(np.float32))
            truth.append(phantom.skull_mask(labels))
            names.append(f"head-{seed}[{index}]")
    spacing_mm = np.full((len(names), 2), PIXEL_MM)
    np.savez(file, images=images, truth=truth, names=names, spacing_mm=spacing_mm)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Train a small network on three heads, once for all tests."""
    folder = tmp_path_factory.mktemp("trained")
    write_heads(folder / "heads.npz", range(3))
    write_heads(folder / "others.npz", range(10, 12))
    run_in(folder, "train", "heads.npz", "-o", "run", *SMALL)
    return folder


def run_in(folder, *arguments):
    """Train in a process of its own; the last line must name the folder of the run."""
    command = [sys.executable, "-m", "skullmask_lib.deep", *map(str, arguments)]
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    output = arguments[arguments.index("-o") + 1]
    assert run.returncode == 0, run.stderr
    assert f"→ {output}" in run.stdout


@pytest.fixture
def deep(trained, monkeypatch, command_line):
    """Give a function that runs a command in the folder, see `command_line`."""
    monkeypatch.chdir(trained)
    return partial(command_line, partial(main.main, networks.app, PROGRAM))


@pytest.mark.parametrize("command", ["train", "predict", "evaluate"])
def test_every_command_has_help_with_examples(deep, command):
    code, out, err = deep(command, "--help")
    assert (code, err) == DONE
    _, _, examples = out.partition("Examples:")
    assert f"{PROGRAM} {command} " in examples


def test_the_command_trains_by_the_defaults_of_the_library():
    of_library = inspect.signature(training.train).parameters
    of_command = inspect.signature(network_training.train).parameters
    for name in ("rate", "every", "seed", "device"):
        assert of_command[name].default == of_library[name].default


def test_empty_masks_are_counted_and_the_first_is_named(deep):
    images = np.load("others.npz")["images"][:2].copy()
    images[1] = 0
    np.savez("half.npz", images=images, names=["full", "flat"])
    code, out, err = deep("predict", "run", "half.npz", "-o", "half.npy")
    assert (code, err) == DONE
    assert "empty: 1, first flat" in out
    assert np.load("half.npy").any(axis=(1, 2)).tolist() == [True, False]


def test_what_was_trained_predicts_other_heads(trained, deep):
    code, _, err = deep("predict", "run", "others.npz", "-o", "masks.npy")
    assert (code, err) == DONE
    masks = np.load("masks.npy")
    assert masks.dtype == np.uint8
    others = sm.load("others.npz")
    ious = list(map(sm.iou, masks, others.truth))
    assert min(ious) > 0.9
    code, out, err = deep("evaluate", "run", "others.npz", "-o", "scores.csv")
    assert (code, err) == DONE
    assert f"{np.mean(ious):.4f}" in out
    rows = rows_of(trained / "scores.csv")
    assert column(rows, "slice") == list(others.names)
    assert numbers(rows, "iou") == pytest.approx(ious, abs=1e-5)


def test_heads_held_out_by_default_are_whole(trained):
    log = training.read_log(trained / "run" / training.LOG)
    assert [row.step for row in log] == [30, 60]
    assert max(row.validation for row in log) > 0.9


def test_a_training_that_is_done_is_not_done_again(trained, deep):
    checkpoint = trained / "run" / training.LAST
    before = checkpoint.read_bytes()
    code, _, err = deep("train", "heads.npz", "-o", "run", *SMALL)
    assert (code, err) == DONE
    assert checkpoint.read_bytes() == before


@pytest.fixture(scope="module")
def trained_on_volumes(trained):
    """Train a small network on four participants, once for all tests."""
    random_brains.write_nfbs(trained / "people", 4, step_mm=8)
    random_brains.write_nfbs(trained / "other people", 1, seed=50, step_mm=6)
    settings = ("--base-filters", 3, "--levels", 3, "--steps", 40, "--every", 20, "--rate", 0.02)
    run_in(trained, "train", "nfbs:people", "-o", "volumes", "--dimensions", 3, *settings)
    return trained


def test_volumes_train_predict_and_are_scored(trained_on_volumes, deep):
    [scan] = brains.scans_in("nfbs:other people")
    code, _, err = deep("predict", "volumes/last.pt", scan.image, "-o", "brain.nii.gz")
    assert (code, err) == DONE
    mask = nib.load("brain.nii.gz")
    assert mask.get_data_dtype() == np.uint8
    assert np.array_equal(mask.affine, nib.load(scan.image).affine)
    truth = nib.load(scan.brain)
    dice = sm.dice(np.asarray(mask.dataobj), np.asarray(truth.dataobj))
    assert dice > 0.8
    for source in (("nfbs:other people",), (scan.image, "--truth", scan.brain)):
        code, out, err = deep("evaluate", "volumes/last.pt", *source, "-o", "brains.csv")
        assert (code, err) == DONE
        assert f"{dice:.4f}" in out
        [row] = rows_of(trained_on_volumes / "brains.csv")
        assert row["scan"] == "sub-A00000050_ses-NFB3_T1w"
        assert float(row["dice"]) == pytest.approx(dice, abs=1e-5)


@pytest.mark.parametrize("output", ["volumes/last.pt", "SCAN", "MASK"])
def test_no_output_replaces_a_volume_or_its_network(trained_on_volumes, deep, output):
    [scan] = brains.scans_in("nfbs:other people")
    file = {"SCAN": scan.image, "MASK": scan.brain}.get(output, trained_on_volumes / output)
    before = file.read_bytes()
    commands = [("evaluate", "volumes/last.pt", "nfbs:other people", "-o", file)]
    if file != scan.brain:
        commands.append(("predict", "volumes/last.pt", scan.image, "-o", file))
    for command in commands:
        code, _, err = deep(*command)
        assert (code, len(err)) == (2, 1)
        assert file.read_bytes() == before


@pytest.mark.usefixtures("quick_heads")
def test_random_volumes_need_no_label(deep, trained):
    command = ("train", "random-phantoms", "-o", "random volumes", "--dimensions", 3)
    small = ("--base-filters", 1, "--levels", 2, "--steps", 1, "--heads", 2)
    code, out, err = deep(*command, *small)
    assert (code, err) == DONE
    assert "1 steps" in out
    assert (trained / "random volumes" / training.BEST).exists()


def test_random_phantoms_need_no_label(deep, trained):
    command = ("train", "random-phantoms", "--validation", "others.npz", "-o", "random")
    small = ("--heads", 2, "--base-filters", 2, "--levels", 2, "--steps", 2)
    code, out, err = deep(*command, *small)
    assert (code, err) == DONE
    assert "2 steps" in out
    assert (trained / "random" / training.BEST).exists()


@pytest.mark.parametrize(
    "network", [("--network", "fcn32", "--base-filters", 1), ("--levels", 5, "--base-filters", 1)]
)
def test_networks_that_halve_more_often_train_too(deep, trained, network):
    folder = "-".join(map(str, network))
    code, _, err = deep("train", "heads.npz", "-o", folder, "--steps", 1, *network)
    assert (code, err) == DONE
    assert (trained / folder / training.BEST).exists()


@pytest.mark.parametrize(
    "command",
    [
        "predict run others.npz -o link.npy",
        "evaluate run others.npz -o run/best.pt",
        "evaluate run/last.pt others.npz -o run/last.pt",
        "evaluate run others.npz -o others.npz",
        "evaluate run others.npz --truth truth.npy -o truth.npy",
    ],
)
def test_no_output_replaces_what_it_is_made_from(deep, trained, command):
    np.save("truth.npy", sm.load("others.npz").truth)
    if not os.path.islink("link.npy"):
        os.symlink("run/best.pt", "link.npy")
    arguments = command.split()
    output = arguments[-1]
    before = (trained / output).read_bytes()
    code, out, err = deep(*arguments)
    assert (code, out) == (2, "")
    assert output in err[-1]
    assert (trained / output).read_bytes() == before


def test_a_run_does_not_go_on_with_other_slices_to_validate_by(deep):
    write_heads("third.npz", range(20, 22))
    command = ("train", "heads.npz", "-o", "validated", "--steps", 1, "--validation")
    for _ in range(2):
        code, _, err = deep(*command, "others.npz")
        assert (code, err) == DONE
    code, _, err = deep(*command, "third.npz")
    assert (code, len(err)) == (2, 1)
    assert "validation" in err[0]


def test_heads_of_one_slice_each_train_when_they_are_said_to_be(deep):
    write_named("numbered.npz", "scan{}")
    command = ("train", "numbered.npz", "-o", "numbered", "--one-slice-per-head")
    code, _, err = deep(*command, "--steps", 1)
    assert (code, err) == DONE


def write_named(file, pattern):
    """Name the six slices of heads.npz by their number."""
    with np.load("heads.npz") as heads:
        names = [pattern.format(number) for number in range(len(heads["names"]))]
        np.savez(file, **dict(heads) | {"names": names})


# What cannot be done: a command, and what the error names
REFUSED = {
    "a head on both sides": ("train heads.npz --validation heads.npz -o new", "head-0"),
    "other data in a run": (
        f"train others.npz -o run {' '.join(map(str, SMALL))}",
        "begun with data",
    ),
    "slices or heads": ("train numbered.npz -o new", "--one-slice-per-head"),
    "levels of an FCN": ("train heads.npz -o new --network fcn32 --levels 4", "--levels"),
    "residual FCN": ("train heads.npz -o new --network fcn32 --residual", "--residual"),
    "dropout of an FCN": ("train heads.npz -o new --network fcn32 --dropout 0", "--dropout"),
    "a file for a folder": ("train heads.npz -o heads.npz --steps 1", "heads.npz"),
    "a file for a bank": ("train random-phantoms -o heads.npz --heads 1", "heads.npz"),
    "one head": ("train phantom -o new", "phantom"),
    "no truth": ("train images.npy -o new", "images.npy"),
    "no file": ("train none.npz -o new", "none.npz"),
    "another network": ("train heads.npz -o new --network vgg", "vgg"),
    "no such device": ("train heads.npz -o new --device abacus --steps 1", "abacus"),
    "heads that are not drawn": ("train heads.npz -o new --heads 9", "--heads"),
    "nothing to hold out": (
        "train random-phantoms -o new --one-slice-per-head",
        "--one-slice-per-head",
    ),
    "random and others": ("train random-phantoms heads.npz -o new", "random-phantoms"),
    "an empty folder": ("predict empty heads.npz -o new.npy", "empty"),
    "a network of nothing": ("predict none.pt heads.npz -o new.npy", "none.pt"),
    "foreign content": ("predict heads.npz heads.npz -o new.npy", "heads.npz"),
    "slices for a network of volumes": ("predict volumes.pt heads.npz -o new.nii", "heads.npz"),
    "an array of a volume": ("predict volumes.pt nfbs -o new.npy", "new.npy"),
    "an axis of a volume": ("predict volumes.pt nfbs -o new.nii --axis 1", "--axis"),
    "a spacing of a volume": ("evaluate volumes.pt nfbs --spacing 1 1", "--spacing"),
    "volumes by FCN": ("train nfbs:nfbs -o new --dimensions 3 --network fcn32", "--dimensions"),
    "slices of volumes": (
        "train nfbs:nfbs -o new --dimensions 3 --one-slice-per-head",
        "--one-slice-per-head",
    ),
    "volumes without masks": ("train empty -o new --dimensions 3", "empty"),
    "a person on both sides": (
        "train nfbs:nfbs --validation nfbs:nfbs -o new --dimensions 3",
        "A00000000",
    ),
    "no volumes": ("train heads.npz -o new --dimensions 3", "heads.npz"),
    "no truth to score by": ("evaluate run images.npy -o new.csv", "images.npy"),
    "a rate of nothing": ("train random-phantoms -o new --rate 0", "rate"),
    "a seed too large": ("train random-phantoms -o new --seed 99999999999", "seed"),
    "an option that is none": ("train heads.npz -o new --colour red", "--colour"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_one_line_and_leaves_nothing(deep, trained, case):
    (trained / "empty").mkdir(exist_ok=True)
    random_brains.write_nfbs("nfbs", 1, step_mm=16)
    np.save("images.npy", sm.load("heads.npz").images)
    write_named("numbered.npz", "scan{}")
    network = networks_of.build("unet", dimensions=3, base_filters=1, levels=1)
    checkpoints.save("volumes.pt", network)
    command, named = REFUSED[case]
    before = sorted(trained.rglob("*"))
    code, out, err = deep(*command.split())
    assert (code, out, len(err)) == (2, "", 1)
    assert named in err[0]
    assert sorted(trained.rglob("*")) == before


def test_levels_down_to_one_pixel_are_one_line(deep):
    command = ("train", "heads.npz", "-o", "deepest", "--levels", 8, "--base-filters", 1)
    code, _, err = deep(*command, "--batch-size", 1, "--steps", 1)
    assert (code, len(err)) == (2, 1)
    assert "fewer levels" in err[0]


def test_a_graphics_card_that_is_missing_is_one_line(deep, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    code, _, err = deep("train", "heads.npz", "-o", "new", "--device", "cuda")
    assert (code, len(err)) == (2, 1)
