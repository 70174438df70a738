"""Exercises of lesson 00: the score by hand."""

import numpy as np

from .. import metrics
from .definitions import Exercise, Mistake

# 00.1: the mask b on the grid of 6 × 6 pixels, one row further down

_MOVED = (slice(3, 6), slice(1, 6))


def _square() -> np.ndarray:
    square = np.zeros((6, 6), np.uint8)
    square[1:5, 1:5] = 1
    return square


def _mask(*places: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros((6, 6), np.uint8)
    for place in places:
        mask[place] = 1
    return mask


def _scores(*places: tuple[slice, slice]) -> tuple[float, float]:
    mask = _mask(*places)
    return metrics.iou(_square(), mask), metrics.dice(_square(), mask)


def _scores_of_background() -> tuple[float, float]:
    square = 1 - _square()
    mask = 1 - _mask(_MOVED)
    return metrics.iou(square, mask), metrics.dice(square, mask)


def _half_of_dice() -> tuple[float, float]:
    iou, dice = _scores(_MOVED)
    return iou, dice / 2


# 00.2: discs that are one pixel too small


def _iou_of_discs(radius_px: float, *, error_px: float = 1) -> float:
    half = int(radius_px) + 2
    rows, columns = np.indices((2 * half + 1, 2 * half + 1)) - half
    distance_px = np.hypot(rows, columns)
    return metrics.iou(distance_px <= radius_px - error_px, distance_px <= radius_px)


def _dice_of_discs(radius_px: int) -> float:
    iou = _iou_of_discs(radius_px)
    return 2 * iou / (1 + iou)


def _iou_of_open_discs(radius_px: int) -> float:
    return _iou_of_discs(radius_px - 1e-6)


def _radii_px() -> list[tuple]:
    return [(radius_px,) for radius_px in (20, 40, 80, 160, 33)]


EXERCISES = (
    Exercise(
        "00.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="the two scores, as (IoU, Dice)",
        solution=lambda: _scores(_MOVED),
        right="fewer pixels are in both masks and more are in one alone, so both scores fall, the "
        "IoU further.",
        hints=(
            "draw both masks on paper and count the pixels that lie in both.",
            "the two areas stay as they were, so only the pixels in both and those in at least one "
            "have to be counted anew.",
            "IoU is both / either and Dice is 2 · both / (area of A + area of B), with the numbers "
            "that you counted.",
        ),
        mistakes=(
            Mistake(
                lambda: _scores((slice(2, 5), slice(1, 6))),
                "these are the scores before the move, and a move up or to the left has the same "
                "ones, so which index is the row, and which way does it grow?",
            ),
            Mistake(
                lambda: _scores((slice(2, 5), slice(2, 6))),
                "this moves the columns, but the rows are the first index.",
            ),
            Mistake(
                lambda: _scores((slice(2, 5), slice(2, 6)), (slice(2, 5), slice(0, 1))),
                "this moves the columns, and the last one comes in again on the left; `np.roll` "
                "moves the rows with `axis=0`.",
            ),
            Mistake(
                lambda: _scores((slice(2, 5), slice(1, 6)), _MOVED),
                "the old pixels are still set, so start from zeros.",
            ),
            Mistake(
                _scores_of_background,
                "these are the scores of the background, so compare the pixels that are 1.",
            ),
            Mistake(_half_of_dice, "Dice counts the pixels in both masks twice."),
        ),
    ),
    Exercise(
        "00.2",
        kind="make",
        level=2,
        minutes=20,
        wanted="a function that takes a radius in pixels and returns the IoU, a number",
        solution=_iou_of_discs,
        right="the outline is off by one pixel each time, but the IoU rises with the size of the "
        "disc.",
        hints=(
            "build both discs as arrays that are true inside, on a grid that is large enough for "
            "the radius.",
            "`np.indices(shape)` gives the row and the column of each pixel, and `np.hypot` the "
            "distance from the middle.",
            "the truth is `distance <= radius_px`, and only the radius differs in the mask.",
        ),
        mistakes=(
            Mistake(_dice_of_discs, "this is Dice, but the IoU is asked for."),
            Mistake(
                lambda radius_px: _iou_of_discs(radius_px, error_px=-1),
                "this mask is one pixel larger than the truth, but a smaller one is asked for.",
            ),
            Mistake(
                lambda radius_px: _iou_of_discs(radius_px / 2),
                "this takes the number for a diameter, but it is a radius.",
            ),
            Mistake(
                lambda radius_px: _iou_of_discs(radius_px, error_px=0),
                "both discs come out the same, so either the mask is as large as the truth, or the "
                "grid is too small for the outline.",
            ),
            Mistake(
                lambda radius_px: ((radius_px - 1) / radius_px) ** 2,
                "this is the formula for smooth circles; count pixels.",
            ),
            Mistake(
                _iou_of_open_discs,
                "pixels whose distance equals the radius belong to the disc, too.",
            ),
        ),
        arguments=_radii_px,
    ),
)
