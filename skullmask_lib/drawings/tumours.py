"""Figures of lesson 32: scores by seed, and a training with some of what it finds.

They are drawn from arrays and tables; nothing here trains.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from ..io.data import Data
from ..plots import COLOURS, Picture, compare, figure, in_look, key, picture, zoom


@in_look
def seeds_picture(
    scores: Mapping[str, Sequence[float]],
    alt: str,
) -> Picture:
    """Draw the IoU of every training on slices with tumour, and the mean of each kind of training.

    Parameters
    ----------
    scores : mapping of str to sequence of float
        One score for each seed, by the name of what was trained.
    alt : str
        See `plots.picture`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> seeds_picture({"U-Net": [0.7, 0.74], "FCN-32": [0.5, 0.52]}, "two networks").alt
    'two networks'
    """
    fig, (axes,) = figure(height=1.6 + 0.45 * len(scores))
    for place, values in enumerate(scores.values()):
        seeds = "a seed" if place == 0 else ""
        mean = "mean" if place == 0 else ""
        look = {"color": COLOURS["measured"], "markersize": 8}
        axes.plot(values, [place] * len(values), "o", markerfacecolor="none", label=seeds, **look)
        axes.plot(np.mean(values), place, "|", markersize=22, color=look["color"], label=mean)
    axes.set_yticks(range(len(scores)), list(scores))
    axes.set(xlim=(0, 1), ylim=(len(scores) - 0.5, -0.5), xlabel="IoU of slices with tumour")
    fig.legend(loc="outside right upper", frameon=False, fontsize=11)
    return picture(fig, alt)


@in_look
def training_picture(
    validation: Mapping[int, float],
    scores: Mapping[str, float],
    masks: np.ndarray,
    data: Data,
    *,
    places: Sequence[int],
) -> Picture:
    """Draw how the score rose during a training, and what the network marks on some slices.

    No number of the training goes into the text of the picture, for it differs between processors.

    Parameters
    ----------
    validation : mapping of int to float
        The Dice of all pixels by the steps done.
    scores : mapping of str to float
        ``iou_tumour``, ``iou_empty`` and ``iou_all``, for the title.
    masks : ndarray of shape (N, H, W), uint8 of {0, 1}
        What the network marks.
    data : Data
        The slices, with their tumours.
    places : sequence of int
        The slices to draw.

    Returns
    -------
    Picture

    Examples
    --------
    >>> images = np.ones((2, 9, 9)) * np.eye(9)
    >>> data = Data(images, None, None, ("a", "b"), tumour=images.astype(np.uint8))
    >>> scores = {"iou_tumour": 1.0, "iou_empty": 1.0, "iou_all": 1.0}
    >>> training_picture({30: 0.5, 60: 0.7}, scores, data.tumour, data, places=[0, 1]).alt
    'The score by the steps of a training, and what the network marks on 2 slices.'
    """
    fig, axes = figure(1 + len(places), height=3.6)
    _draw_validation(axes[0], validation)
    for place, one in zip(places, axes[1:], strict=True):
        truth = data.tumour[place]
        compare(one, data.images[place], masks[place], truth, f"tumour {truth.sum()} px")
        zoom([one], data.images[place])
    parts = (("tumour slices", "iou_tumour"), ("empty", "iou_empty"), ("all", "iou_all"))
    fig.suptitle("IoU: " + ", ".join(f"{name} {scores[kind]:.2f}" for name, kind in parts))
    key(fig, ("over-reach", "miss", "truth"))
    shown = f"what the network marks on {len(places)} slices"
    return picture(fig, f"The score by the steps of a training, and {shown}.")


def _draw_validation(axes: Axes, validation: Mapping[int, float]) -> None:
    steps = list(validation)
    axes.plot(steps, list(validation.values()), "o-", color=COLOURS["measured"])
    axes.set(xlabel="steps", ylabel="Dice of all pixels", ylim=(0, 1), xlim=(0, None))
