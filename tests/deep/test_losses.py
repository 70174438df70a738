"""Compare each loss with values that are worked out by hand."""

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
# Two images of four pixels. In the first, the network finds two of three pixels and one that is not
# there; in the second, nothing is there and it finds nothing.
LOGITS = torch.tensor([[[CERTAIN, CERTAIN, CERTAIN, -CERTAIN]], [[-CERTAIN] * 4]])
TRUTH = torch.tensor([[[1.0, 1.0, 0.0, 1.0]], [[0.0] * 4]])
# The same Dice for the first image and for both together: two pixels agree, three are in either
# mask, and one is added above and below so that nothing is divided by zero
DICE_OF_FIRST = (2 * 2 + 1) / (3 + 3 + 1)
# Of two pixels, whose log-odds are log 3, the network is sure to 3/4; one of them is foreground
UNSURE = torch.full((1, 1, 2), math.log(3))
ONE_OF_TWO = torch.tensor([[[1.0, 0.0]]])


@pytest.mark.parametrize(
    ("per_image", "wanted"),
    [(False, DICE_OF_FIRST), (True, (DICE_OF_FIRST + 1) / 2)],
)
def test_dice_over_the_batch_and_per_image(per_image, wanted):
    soft_dice = losses.soft_dice(LOGITS, TRUTH, per_image=per_image)
    assert soft_dice.item() == pytest.approx(wanted)
    dice = losses.dice(LOGITS, TRUTH, per_image=per_image)
    assert dice.item() == pytest.approx(1 - wanted)
    negative = losses.negative_dice(LOGITS, TRUTH, per_image=per_image)
    assert negative.item() == pytest.approx(-wanted)


def test_of_unsure_pixels():
    dice = (2 * 0.75 + 1) / (1.5 + 1 + 1)
    entropy = -(math.log(0.75) + math.log(0.25)) / 2
    focal_of_foreground = -0.25 * 0.25**2 * math.log(0.75)
    focal_of_background = -0.75 * 0.75**2 * math.log(0.25)
    focal = (focal_of_foreground + focal_of_background) / 2
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
    full = torch.ones_like(empty)
    finds_nothing = torch.full_like(empty, -CERTAIN)
    finds_everything = torch.full_like(empty, CERTAIN)
    pixels = 64 if per_image else 128
    as_wrong_as_can_be = pytest.approx(1 - 1 / (pixels + 1))
    assert losses.dice(finds_nothing, empty, per_image=per_image).item() == pytest.approx(0)
    assert losses.dice(finds_everything, empty, per_image=per_image).item() == as_wrong_as_can_be
    assert losses.dice(finds_nothing, full, per_image=per_image).item() == as_wrong_as_can_be


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("truth", [0.0, 1.0])
def test_every_loss_falls_towards_the_truth_and_stays_finite(loss, truth):
    shape = (1, 1, 4, 4)
    rising = torch.tensor([-1e4, -3.0, 0.0, 3.0, 1e4])
    logits = torch.stack([torch.full(shape, value) for value in rising])
    logits.requires_grad_()
    values = torch.stack([loss(image, torch.full(shape, truth)) for image in logits])
    values.sum().backward()
    assert values.isfinite().all()
    assert logits.grad.isfinite().all()
    differences = values.diff() if truth == 0 else -values.diff()
    assert (differences > 0).all()
