"""Exercises of lesson 05: how wide the structuring element should be."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from .. import masks, metrics, sweeps, versions
from ..io.datasets import load
from .definitions import Exercise, Mistake

# 05.1: the sweep on the cropped phantom


@cache
def _sweep(name: str = "phantom-cropped") -> sweeps.Sweep:
    data = load(name)
    return sweeps.sweep(data.images, data.truth, sizes=range(2, 62, 4))


def _top(name: str = "phantom-cropped", score: str = "iou") -> tuple[int, float]:
    result = _sweep(name)
    mean = getattr(result, score).mean(axis=0)
    return int(result.sizes[mean.argmax()]), float(mean.max())


def _top_of_one_slice() -> tuple[int, float]:
    result = _sweep()
    best = np.unravel_index(result.iou.argmax(), result.iou.shape)
    return int(result.sizes[best[1]]), float(result.iou[best])


def _place_of_top() -> tuple[int, float]:
    mean = _sweep().iou.mean(axis=0)
    return int(mean.argmax()), float(mean.max())


def _means_of_slices() -> tuple[int, float]:
    result = _sweep()
    mean = result.iou.mean(axis=1)
    return int(result.sizes[mean.argmax()]), float(mean.max())


# 05.2: a square in place of the disc


def _by_square(mask: np.ndarray, width: int) -> np.ndarray:
    return cv2.dilate(mask, np.ones((width, width), np.uint8))


def _by_line(mask: np.ndarray, width: int) -> np.ndarray:
    return cv2.dilate(mask, np.ones(width, np.uint8))


def _best_width(
    image: np.ndarray,
    true: np.ndarray,
    dilate: Callable[[np.ndarray, int], np.ndarray] = _by_square,
    score: Callable[..., float] = metrics.iou,
    *,
    fills: bool = True,
    removes_scalp: bool = True,
) -> tuple[int, float]:
    stages = versions.brain_and_scalp(image)
    scores = {}
    for width in range(1, 62):
        mask = dilate(stages["brain"], width)
        if removes_scalp:
            mask = mask & (1 - stages["scalp"])
        if fills:
            mask = masks.fill_holes(mask)
        scores[width] = score(mask, true)
    best = max(scores, key=scores.__getitem__)
    return best, scores[best]


def _best_reach(image: np.ndarray, true: np.ndarray) -> tuple[int, float]:
    width, iou = _best_width(image, true)
    return width // 2, iou


def _slices() -> list[tuple]:
    """List slices with their truth; the frame cuts the scalp of the last one."""
    slices = []
    for name, index in (("phantom", 2), ("phantom", 0), ("phantom-cropped", 4)):
        data = load(name)
        slices.append((data.images[index], data.truth[index]))
    return slices


EXERCISES = (
    Exercise(
        "05.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="the best width in pixels and its mean IoU, as (width, IoU)",
        solution=_top,
        right="the top is wide, because the frame rule takes the scalp out of the grown mask, so "
        "that a wider element gains hardly any scalp.",
        hints=(
            "`sm.sweep` wants the images and the truth of the cropped phantom, and its `sizes` may "
            "be any range.",
            "the result's `iou` has one row for each slice and one column for each width.",
            "average over the slices, find the column of the largest mean, and look it up in "
            "`sizes`.",
        ),
        mistakes=(
            Mistake(
                lambda: _top("phantom"),
                "this is the phantom that nothing cuts, but the cropped one is asked for.",
            ),
            Mistake(
                _place_of_top,
                "the first number is the place of the best width in the list, not the width.",
            ),
            Mistake(
                _means_of_slices,
                "the mean runs along the wrong axis, over the widths and not over the slices.",
            ),
            Mistake(
                _top_of_one_slice,
                "this is the best slice at its best width, but the mean of all slices is asked "
                "for.",
            ),
            Mistake(
                lambda: _top(score="dice"),
                "the second number is the mean Dice, but the mean IoU is asked for.",
            ),
        ),
    ),
    Exercise(
        "05.2",
        kind="make",
        level=2,
        minutes=20,
        wanted="a function that takes a slice and its truth and returns the best width in pixels "
        "and the IoU there, as (width, IoU)",
        solution=_best_width,
        right="the best square is narrower than the best disc, because a square reaches further at "
        "its corners.",
        hints=(
            "`versions.brain_and_scalp` gives the brain and the scalp of any slice, and neither "
            "depends on the width.",
            "only the dilation changes, so keep what the lesson does after it.",
            "collect the IoU of each width in a dict, and let `max` with a `key` find the best.",
        ),
        mistakes=(
            Mistake(
                lambda image, true: _best_width(image, true, masks.dilate),
                "this is the lesson's disc, but a square is asked for.",
            ),
            Mistake(
                lambda image, true: _best_width(image, true, _by_line),
                "this element is a line, but a square has as many rows as columns.",
            ),
            Mistake(
                lambda image, true: _best_width(image, true, fills=False),
                "the holes are still open, but the lesson fills them after the dilation.",
            ),
            Mistake(
                lambda image, true: _best_width(image, true, removes_scalp=False),
                "the scalp is still in the grown mask where the frame cuts the head, but the "
                "lesson takes it out after the dilation.",
            ),
            Mistake(_best_reach, "the first number is the reach, but the width is asked for."),
            Mistake(
                lambda image, true: _best_width(image, true, score=metrics.dice),
                "the width is right, but the score is Dice; give the IoU.",
            ),
        ),
        arguments=_slices,
        tolerance=0.0001,
    ),
)
