"""Each loss beside values worked out by hand."""

import math

import pytest
import torch

from skullmask_lib.deep import losses

CERTAIN = 100.0
LOSSES = (
    losses.dice,
    losses.negative_dice,
    losses.cross_entropy,
    losses.focal,
    losses.dice_and_cross_entropy,
)
# Two images of four pixels: two of three found and one too many; nothing there and nothing found
LOGITS = torch.tensor([[[CERTAIN, CERTAIN, CERTAIN, -CERTAIN]], [[-CERTAIN] * 4]])
TRUTH = torch.tensor([[[1.0, 1.0, 0.0, 1.0]], [[0.0] * 4]])
# Of two pixels with log-odds of log 3 the network is sure to 3/4; one is foreground
UNSURE = torch.full((1, 1, 2), math.log(3))
ONE_OF_TWO = torch.tensor([[[1.0, 0.0]]])


@pytest.mark.parametrize(
    ("per_image", "wanted"),
    [(False, (2 * 2 + 1) / (3 + 3 + 1)), (True, ((2 * 2 + 1) / (3 + 3 + 1) + 1) / 2)],
)
def test_dice_over_the_batch_and_per_image(per_image, wanted):
    assert losses.soft_dice(LOGITS, TRUTH, per_image=per_image).item() == pytest.approx(wanted)
    assert losses.dice(LOGITS, TRUTH, per_image=per_image).item() == pytest.approx(1 - wanted)
    negative = losses.negative_dice(LOGITS, TRUTH, per_image=per_image)
    assert negative.item() == pytest.approx(-wanted)


def test_of_unsure_pixels():
    dice = (2 * 0.75 + 1) / (1.5 + 1 + 1)
    entropy = -(math.log(0.75) + math.log(0.25)) / 2
    focal = -(0.25 * 0.25**2 * math.log(0.75) + 0.75 * 0.75**2 * math.log(0.25)) / 2
    assert losses.dice(UNSURE, ONE_OF_TWO).item() == pytest.approx(1 - dice)
    assert losses.cross_entropy(UNSURE, ONE_OF_TWO).item() == pytest.approx(entropy)
    assert losses.focal(UNSURE, ONE_OF_TWO).item() == pytest.approx(focal)
    both = losses.dice_and_cross_entropy(UNSURE, ONE_OF_TWO).item()
    assert both == pytest.approx(1 - dice + entropy)


def test_without_focus_and_balance_focal_is_half_the_cross_entropy():
    value = losses.focal(UNSURE, ONE_OF_TWO, focus=0, foreground_weight=0.5)
    torch.testing.assert_close(2 * value, losses.cross_entropy(UNSURE, ONE_OF_TWO))


@pytest.mark.parametrize("per_image", [False, True])
def test_an_empty_truth_is_met_by_an_empty_mask_alone(per_image):
    empty = torch.zeros(2, 1, 8, 8)
    nothing, everything = torch.full_like(empty, -CERTAIN), torch.full_like(empty, CERTAIN)
    pixels = 64 if per_image else 128
    assert losses.dice(nothing, empty, per_image=per_image).item() == pytest.approx(0)
    wrong = losses.dice(everything, empty, per_image=per_image).item()
    assert wrong == pytest.approx(1 - 1 / (pixels + 1))
    missed = losses.dice(nothing, 1 + empty, per_image=per_image).item()
    assert missed == pytest.approx(1 - 1 / (pixels + 1))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_every_loss_falls_towards_the_truth_and_stays_finite(loss, truth):
    truth = torch.full((1, 1, 4, 4), truth)
    logits = torch.tensor([-1e4, -3.0, 0.0, 3.0, 1e4]).repeat_interleave(16).reshape(5, 1, 1, 4, 4)
    logits.requires_grad_()
    values = torch.stack([loss(part, truth) for part in logits])
    values.sum().backward()
    assert values.isfinite().all()
    assert logits.grad.isfinite().all()
    assert (values.diff() < 0).all() if truth[0, 0, 0, 0] else (values.diff() > 0).all()
