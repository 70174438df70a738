"""Exercises of lesson 32: tumours."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from .. import masks, metrics
from ..deep import tumours
from ..io.data import Data
from .definitions import Exercise, Mistake

# 32.1: one wrong pixel

_SEEDS = range(300, 304)


@cache
def _patients() -> Data:
    return tumours.random_patients(_SEEDS)


def _with_a_wrong_pixel(truth: np.ndarray, *, only_empty: bool = True) -> np.ndarray:
    """Set the first pixel of every slice without tumour, or of every slice."""
    spoilt = truth.copy()
    wrong = ~truth.any(axis=(1, 2)) if only_empty else np.ones(len(truth), bool)
    spoilt[wrong, 0, 0] = 1
    return spoilt


def _three_dices(
    made: np.ndarray | None = None,
    *,
    score: Callable[..., float] = metrics.dice,
) -> tuple[float, ...]:
    """Average a score over all slices, over those with tumour, and take it of all pixels."""
    truth = _patients().tumour
    if made is None:
        made = _with_a_wrong_pixel(truth)
    values = np.array(list(map(score, made, truth)))
    pooled = score(made.reshape(1, -1), truth.reshape(1, -1))
    return float(values.mean()), float(values[truth.any(axis=(1, 2))].mean()), float(pooled)


def _in_all_slices() -> tuple[float, ...]:
    return _three_dices(_with_a_wrong_pixel(_patients().tumour, only_empty=False))


# 32.2: no small pieces


def _without_small_pieces(
    mask: np.ndarray,
    least_px: int,
    *,
    connectivity: int = 8,
) -> np.ndarray:
    labels, areas_px = _pieces(mask, connectivity)
    kept = np.flatnonzero(areas_px >= least_px)
    return np.isin(labels, kept[kept > 0]).astype(np.uint8)


def _pieces(mask: np.ndarray, connectivity: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return the label of every pixel, and the area of every label."""
    count, labels = cv2.connectedComponents(mask, connectivity=connectivity)
    return labels, np.bincount(labels.ravel(), minlength=count)


def _with_background(mask: np.ndarray, least_px: int) -> np.ndarray:
    labels, areas_px = _pieces(mask)
    return np.isin(labels, np.flatnonzero(areas_px >= least_px)).astype(np.uint8)


def _nothing_if_small(mask: np.ndarray, least_px: int) -> np.ndarray:
    """Look at the area of the whole mask."""
    return mask * np.uint8(mask.sum() >= least_px)


def _largest_alone(mask: np.ndarray, least_px: int) -> np.ndarray:  # noqa: ARG001
    return masks.largest_component(mask)


def _opened(mask: np.ndarray, least_px: int) -> np.ndarray:  # noqa: ARG001
    return cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))


def _by_outlines(mask: np.ndarray, least_px: int) -> np.ndarray:
    """Measure the polygon around each piece, not its pixels."""
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    kept = [outline for outline in outlines if cv2.contourArea(outline) >= least_px]
    return cv2.drawContours(np.zeros_like(mask), kept, -1, 1, -1)


def _spoilt_masks() -> list[tuple]:
    """List tumours with specks beside them, and specks alone."""
    truth = _patients().tumour
    order = np.argsort(truth.sum(axis=(1, 2)))
    large = truth[order[-2]]
    largest = truth[order[-1]]
    none = np.zeros_like(large)
    generator = np.random.default_rng(32)
    arguments = []
    for least_px, tumour in ((10, large), (4, largest), (10, none), (5, large)):
        specks = (generator.random(tumour.shape) > 0.985).astype(np.uint8)
        specks = cv2.dilate(specks, np.ones((2, 2), np.uint8))
        arguments.append((np.maximum(tumour, specks), least_px))
    diagonal = np.eye(12, dtype=np.uint8)
    arguments.append((diagonal, 12))
    arguments.append((diagonal, 13))
    ring = np.ones((3, 3), np.uint8)
    ring[1, 1] = 0
    arguments.append((np.pad(ring, 2), 8))
    return arguments


EXERCISES = (
    Exercise(
        "32.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="three numbers, the mean Dice over all slices, the mean over slices with tumour, "
        "and the Dice over all pixels at once",
        solution=_three_dices,
        right="one pixel takes a slice without tumour from 1 to 0, so the mean over all slices "
        "falls to the share of slices with tumour, and the Dice over all pixels hardly notices.",
        hints=(
            "`truth.any(axis=(1, 2))` tells which slices show a tumour, and `~` turns it round.",
            "an array of three axes is indexed as `made[is_empty, 0, 0]`, and `sm.dice` scores one "
            "slice.",
            "for all pixels at once, `reshape(1, -1)` makes one long slice of the stack.",
        ),
        mistakes=(
            Mistake(
                lambda: _three_dices(_patients().tumour),
                "these are the scores of the true masks, so did the wrong pixels go into a copy "
                "that you did not score?",
            ),
            Mistake(
                _in_all_slices,
                "a pixel was added to every slice, but only those without tumour were to get one.",
            ),
            Mistake(
                lambda: _three_dices(score=metrics.iou),
                "this is the IoU, but the Dice is asked for.",
            ),
            Mistake(
                lambda: _three_dices(np.zeros_like(_patients().tumour)),
                "these are the scores of masks that mark nothing.",
            ),
        ),
    ),
    Exercise(
        "32.2",
        kind="make",
        level=2,
        minutes=20,
        wanted="a function that takes a mask and an area in pixels, and returns a mask",
        solution=_without_small_pieces,
        right="specks on slices without tumour go, and so does a small tumour, so the area has to "
        "be chosen on patients that are not scored.",
        hints=(
            "lesson 01 finds connected components, and what belongs together here touches at a "
            "side or a corner.",
            "`cv2.connectedComponents(mask)` labels the pieces, and "
            "`np.bincount(labels.ravel())` counts the pixels of each label.",
            "label 0 is the background, which is never kept, and `np.isin` marks the pixels of the "
            "labels that are.",
        ),
        mistakes=(
            Mistake(lambda mask, least_px: mask, "the mask is as it was."),  # noqa: ARG005
            Mistake(
                lambda mask, least_px: mask - _without_small_pieces(mask, least_px),
                "these are the pieces that are too small, but the others are asked for.",
            ),
            Mistake(
                _largest_alone,
                "this keeps the largest piece alone, however small, but every large piece counts.",
            ),
            Mistake(
                lambda mask, least_px: _without_small_pieces(mask, least_px + 1),
                "a piece of exactly that area is to stay.",
            ),
            Mistake(
                lambda mask, least_px: _without_small_pieces(mask, least_px, connectivity=4),
                "pieces that touch at a corner belong together here.",
            ),
            Mistake(_with_background, "the background is a label, too, and it was kept."),
            Mistake(
                _nothing_if_small,
                "this looks at the area of the whole mask, but each piece has one.",
            ),
            Mistake(
                _by_outlines,
                "`cv2.contourArea` measures a polygon through the middles of pixels, but the "
                "pixels of a piece are to be counted.",
            ),
            Mistake(
                lambda mask, least_px: masks.fill_holes(_without_small_pieces(mask, least_px)),
                "the holes of the pieces are filled, but only small pieces were to change.",
            ),
            Mistake(
                _opened,
                "opening also removes the thin parts of a large piece.",
            ),
        ),
        arguments=_spoilt_masks,
    ),
)
