"""Losses: how far the logits of a network are from the true masks.

Each takes logits and truth of one shape, (B, 1, H, W) or (B, 1, D, H, W), and returns a tensor of
one number. The number falls as the network learns, but for that of `soft_dice`, which rises. The
truth is float, 0 … 1: the share of a pixel that is foreground.

Dice is taken of probabilities. One pixel is added above and below the fraction, so that Dice is 1
where the truth is empty and the network says so, and close to 0 where it does not.
"""

import torch
from torch.nn import functional

_ONE_PIXEL = 1.0


def soft_dice(
    logits: torch.Tensor,
    truth: torch.Tensor,
    *,
    per_image: bool = False,
) -> torch.Tensor:
    """Dice coefficient of probabilities.

    Parameters
    ----------
    logits, truth : tensor of shape (B, 1, …)
    per_image : bool
        Whether to average the Dice of every image. By default the batch counts as one image: where
        most masks are empty, the mean over images rewards a network that finds nothing.

    Returns
    -------
    tensor of shape ()
        0 … 1

    Examples
    --------
    >>> certain = torch.tensor([[[100.0, 100.0, -100.0]]])
    >>> soft_dice(certain, torch.tensor([[[0.0, 1.0, 1.0]]]))  # (2 · 1 + 1) / (2 + 2 + 1)
    tensor(0.6000)
    """
    probabilities = torch.sigmoid(logits)
    axes = tuple(range(1 if per_image else 0, logits.ndim))
    both = (probabilities * truth).sum(axes)
    total = probabilities.sum(axes) + truth.sum(axes)
    return ((2 * both + _ONE_PIXEL) / (total + _ONE_PIXEL)).mean()


def dice(
    logits: torch.Tensor,
    truth: torch.Tensor,
    *,
    per_image: bool = False,
) -> torch.Tensor:
    """1 − Dice, from 1 down to 0, see `soft_dice`.

    Parameters
    ----------
    logits, truth : tensor of shape (B, 1, …)
    per_image : bool

    Returns
    -------
    tensor of shape ()

    Examples
    --------
    >>> certain = torch.tensor([[[100.0, 100.0, -100.0]]])
    >>> dice(certain, torch.tensor([[[0.0, 1.0, 1.0]]]))
    tensor(0.4000)
    """
    return 1 - soft_dice(logits, truth, per_image=per_image)


def negative_dice(
    logits: torch.Tensor,
    truth: torch.Tensor,
    *,
    per_image: bool = False,
) -> torch.Tensor:
    """−Dice, from 0 down to −1: the same slope as `dice`, so the same training.

    Parameters
    ----------
    logits, truth : tensor of shape (B, 1, …)
    per_image : bool

    Returns
    -------
    tensor of shape ()

    Examples
    --------
    >>> certain = torch.tensor([[[100.0, 100.0, -100.0]]])
    >>> negative_dice(certain, torch.tensor([[[0.0, 1.0, 1.0]]]))
    tensor(-0.6000)
    """
    return -soft_dice(logits, truth, per_image=per_image)


def cross_entropy(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy, averaged over all pixels.

    Parameters
    ----------
    logits, truth : tensor of shape (B, 1, …)

    Returns
    -------
    tensor of shape ()
        [nat]

    Examples
    --------
    >>> cross_entropy(torch.zeros(1, 1, 2), torch.tensor([[[0.0, 1.0]]]))  # log 2
    tensor(0.6931)
    """
    return functional.binary_cross_entropy_with_logits(logits, truth)


def focal(
    logits: torch.Tensor,
    truth: torch.Tensor,
    *,
    focus: float = 2.0,
    foreground_weight: float = 0.25,
) -> torch.Tensor:
    """Focal loss: cross-entropy in which pixels that are right already count for little.

    Parameters
    ----------
    logits, truth : tensor of shape (B, 1, …)
    focus : float
        γ: a pixel whose true class has probability p counts (1 − p)^γ.
    foreground_weight : float
        α: foreground counts α, background 1 − α.

    Returns
    -------
    tensor of shape ()

    References
    ----------
    Lin et al., Focal loss for dense object detection, ICCV 2017.

    Examples
    --------
    >>> focal(torch.zeros(1, 1, 1), torch.ones(1, 1, 1))  # 0.25 · (1 − 0.5)² · log 2
    tensor(0.0433)
    """
    surprise = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    error = 1 - torch.exp(-surprise)
    weights = foreground_weight * truth + (1 - foreground_weight) * (1 - truth)
    return (weights * error**focus * surprise).mean()


def dice_and_cross_entropy(
    logits: torch.Tensor,
    truth: torch.Tensor,
    *,
    per_image: bool = False,
) -> torch.Tensor:
    """Sum of `dice` and `cross_entropy`.

    Parameters
    ----------
    logits, truth : tensor of shape (B, 1, …)
    per_image : bool
        As of `soft_dice`.

    Returns
    -------
    tensor of shape ()

    Examples
    --------
    >>> dice_and_cross_entropy(torch.full((1, 1, 2), -100.0), torch.zeros(1, 1, 2))
    tensor(0.)
    """
    return dice(logits, truth, per_image=per_image) + cross_entropy(logits, truth)
