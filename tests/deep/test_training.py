"""Training: what it writes, and that a run which was killed ends as if it had not been."""

import csv
import math
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal as same

from skullmask_lib.deep import checkpoints, losses, networks, training
from skullmask_lib.errors import InputError

STEPS, EVERY, STOP = 20, 4, 14
REACHED = "reached"


def batch_of(step):
    images = np.random.default_rng(step).standard_normal((4, 1, 16, 16), np.float32)
    return images, (images > 0.5).astype(np.float32)


def validate(network):
    images, masks = map(torch.as_tensor, batch_of(1000))
    return losses.soft_dice(network(images), masks)


def run(folder, batch_of=batch_of, **changes):
    """Train a network with dropout, which has a random state of its own."""
    network = networks.build("unet", base_filters=2, levels=2, dropout=0.2)
    settings = {"steps": STEPS, "every": EVERY, "rate": 0.01, "validate": validate} | changes
    log = training.train(network, batch_of, folder, **settings)
    return network, log


def run_until_killed(folder):
    """Train up to a step between two checkpoints, say so, and wait for the end."""

    def stopping(step):
        if step == STOP:
            Path(folder, REACHED).touch()
            time.sleep(600)
        return batch_of(step)

    run(folder, stopping)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def same_weights(network, other):
    assert network.state_dict().keys() == other.state_dict().keys()
    for name, weights in network.state_dict().items():
        same(weights, other.state_dict()[name], err_msg=name)


def test_a_killed_run_ends_bit_by_bit_as_one_that_was_not(tmp_path, runs):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = runs.start(sys.executable, __file__, killed)
    while not (killed / REACHED).exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.kill()
    process.communicate()
    steps = [row.step for row in training.read_log(killed / training.LOG)]
    assert steps == [4, 8, 12]
    taken = []

    def counting(step):
        taken.append(step)
        return batch_of(step)

    resumed, log = run(killed, counting)
    assert taken == list(range(12, STEPS))
    undisturbed, wanted = run(whole)
    assert log == wanted
    same_weights(resumed, undisturbed)
    for name in (training.BEST, training.LAST):
        of_both = [checkpoints.load(folder / name) for folder in (killed, whole)]
        same_weights(*(checkpoint.network for checkpoint in of_both))
    assert (killed / training.LOG).read_bytes() == (whole / training.LOG).read_bytes()
    again, log = run(killed, None)  # it is done, and asks for no batch
    assert log == wanted
    same_weights(again, undisturbed)


def test_the_log_and_the_best_network(tmp_path):
    shown = []
    _, log = run(tmp_path, progress=lambda step, loss: shown.append((step, loss)))
    assert [step for step, _ in shown] == list(range(1, STEPS + 1))
    recorded = [loss for _, loss in shown]
    for row in log:
        part = recorded[row.step - EVERY : row.step]
        assert row.loss == pytest.approx(sum(part) / EVERY)
    with (tmp_path / training.LOG).open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [int(row["step"]) for row in rows] == [4, 8, 12, 16, 20]
    best = checkpoints.load(tmp_path / training.BEST)
    row = max(log, key=lambda row: row.validation)
    assert best.extra == {"step": row.step, "validation": row.validation}
    with torch.no_grad():
        assert validate(best.network).item() == pytest.approx(row.validation)


def test_the_best_network_is_not_the_last_where_validation_falls(tmp_path):
    scores = iter([0.1, 0.5, 0.5, math.nan, 0.3])
    run(tmp_path, validate=lambda _: next(scores))
    best = checkpoints.load(tmp_path / training.BEST)
    assert best.extra == {"step": 8, "validation": 0.5}


def test_what_changes_a_run_is_not_mixed_into_it(tmp_path):
    run(tmp_path, options={"data": "a"})
    for changes in ({"steps": 30}, {"rate": 0.1}, {"seed": 1}, {"options": {"data": "b"}}):
        with pytest.raises(InputError, match="another folder"):
            run(tmp_path, **{"options": {"data": "a"}} | changes)
    with pytest.raises(InputError, match="seed 0, now 1"):  # the cause, and not what it entails
        run(tmp_path, seed=1, options={"data": "b"})
    with pytest.raises(InputError, match="without batch, perhaps by an earlier version"):
        run(tmp_path, options={"data": "a", "batch": 3})
    for changes in ({"loss": losses.focal}, {"precision": torch.bfloat16}):
        with pytest.raises(InputError, match="another folder"):
            run(tmp_path, **changes)
    weighted = [torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(value)) for value in (1.0, 50.0)]
    per_image = [partial(losses.dice, per_image=value) for value in (False, True)]
    for kind, (first, second) in {"module": weighted, "partial": per_image}.items():
        run(tmp_path / kind, loss=first)
        with pytest.raises(InputError, match="another folder"):
            run(tmp_path / kind, loss=second)
    for kind, named in (("unet", "base_filters 2, now 4"), ("fcn32", "network unet, now fcn32")):
        other = networks.build(kind, base_filters=4)
        with pytest.raises(InputError, match=named):
            training.train(other, batch_of, tmp_path, steps=STEPS, every=EVERY, rate=0.01)


@pytest.mark.parametrize("device", ["abacus", "meta", "mps", "xpu", "cuda:1"])
def test_a_device_of_another_kind_or_that_is_not_here_is_refused(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=device):
        training.check_plan(steps=1, every=1, rate=0.1, device=device)
    for here in ("cpu", "cuda", "cuda:0"):
        training.check_plan(steps=1, every=1, rate=0.1, device=here)


def test_no_random_state_of_a_graphics_card_is_changed_by_what_runs_on_the_cpu(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", None)
    run(tmp_path)


def test_a_seed_changes_dropout_and_nothing_else_is_random(tmp_path):
    first, _ = run(tmp_path / "1", seed=1)
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    again, _ = run(tmp_path / "2", seed=1)
    same(torch.random.get_rng_state(), before)
    other, _ = run(tmp_path / "3", seed=2)
    same_weights(first, again)
    with pytest.raises(AssertionError):
        same_weights(first, other)


def test_bfloat16_trains_and_leaves_weights_in_full_precision(tmp_path):
    network, log = run(tmp_path, precision=torch.bfloat16)
    assert log[-1].loss < log[0].loss
    assert {weights.dtype for weights in network.parameters()} == {torch.float32}


def test_a_loss_that_is_no_number_ends_the_run(tmp_path):
    def broken(step):
        images, masks = batch_of(step)
        return images * (np.nan if step == 5 else 1), masks

    with pytest.raises(InputError, match="step 5"):
        run(tmp_path, broken)
    assert checkpoints.load(tmp_path / training.LAST).extra["log"][-1][0] == 4


def test_a_gradient_that_is_no_number_ends_the_run_before_it_is_kept(tmp_path):
    def loss(logits, masks):
        if np.array_equal(masks, batch_of(7)[1]):
            logits.register_hook(lambda gradient: gradient * torch.nan)
        return losses.dice_and_cross_entropy(logits, masks)

    with pytest.raises(InputError) as caught:
        run(tmp_path, loss=loss)
    assert caught.value.where == "step 7"
    assert checkpoints.load(tmp_path / training.LAST).extra["log"][-1][0] == 4


def test_weights_that_are_no_numbers_are_not_kept(tmp_path):
    def broken(step):
        if step == 7:
            network.first.body[1].running_var.fill_(torch.inf)  # the loss uses none
        return batch_of(step)

    network = networks.build("unet", base_filters=2, levels=2)
    with pytest.raises(InputError):
        training.train(network, broken, tmp_path, steps=8, every=4, validate=validate)
    assert checkpoints.load(tmp_path / training.LAST).extra["log"][-1][0] == 4
    assert len(training.read_log(tmp_path / training.LOG)) == 1


@pytest.mark.parametrize("first", [1, 3])
def test_a_validation_that_is_no_number_first_hides_no_later_one(tmp_path, first):
    scores = iter([*[math.nan] * first, *[0.2] * (5 - first)])
    run(tmp_path, validate=lambda _: next(scores))
    best = checkpoints.load(tmp_path / training.BEST)
    assert best.extra == {"step": EVERY * (first + 1), "validation": 0.2}


@pytest.mark.parametrize("sides", [(16, 16), (40, 33)])
def test_batches_of_any_size_are_padded_to_what_the_network_takes(tmp_path, sides):
    network = networks.build("fcn32", base_filters=1)
    images = np.random.default_rng(0).random((2, 1, *sides), np.float32)
    training.train(network, lambda _: (images, images), tmp_path, steps=1)


@pytest.mark.parametrize(("count", "side"), [(1, 8), (2, 4), (1, 16)])
def test_batch_norm_learns_from_two_pixels_or_more(tmp_path, count, side):
    network = networks.build("unet", base_filters=1, levels=4)
    images = np.random.default_rng(0).random((count, 1, side, 8), np.float32)
    if (count, side) == (1, 8):
        with pytest.raises(InputError, match="step 0"):
            training.train(network, lambda _: (images, images), tmp_path, steps=1)
        assert not list(tmp_path.iterdir())
    else:
        training.train(network, lambda _: (images, images), tmp_path, steps=1)


@pytest.mark.parametrize("changes", [{"steps": 0}, {"every": 0}, {"rate": 0}, {"rate": math.nan}])
def test_a_budget_or_rate_of_nothing_is_refused(tmp_path, changes):
    with pytest.raises(InputError):
        run(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "text", ["", "x,y,z\n", "step,loss,validation\n1,2\n", "\xff", "a" * 200_000]
)
def test_what_is_no_log_is_refused(tmp_path, text):
    (tmp_path / "log.csv").write_text(text, encoding="latin-1")
    with pytest.raises(InputError, match=r"log\.csv"):
        training.read_log(tmp_path / "log.csv")


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_until_killed(sys.argv[1])
