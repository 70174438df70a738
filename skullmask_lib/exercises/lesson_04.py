"""Exercises of lesson 04: scalp and brain as components."""

from collections.abc import Callable

import numpy as np

from .. import masks, metrics, versions
from ..io.datasets import load
from .definitions import Exercise, Mistake

# 04.1: v5 without its last step


def _cost_of_holes(score: Callable[..., float] = metrics.iou, index: int = 2) -> float:
    data = load("phantom")
    stages = versions.trace("v5", data.images[index])
    filled = score(stages["filled"], data.truth[index])
    unfilled = score(stages["without scalp"], data.truth[index])
    return filled - unfilled


def _iou_of(stage: str) -> float:
    data = load("phantom")
    stages = versions.trace("v5", data.images[2])
    return metrics.iou(stages[stage], data.truth[2])


def _filled_px() -> int:
    stages = versions.trace("v5", load("phantom").images[2])
    return int(stages["filled"].sum()) - int(stages["without scalp"].sum())


# 04.2: a bright bridge from the brain to the scalp


def _middle(image: np.ndarray) -> tuple[int, int]:
    rows, columns = image.shape
    return rows // 2, columns // 2


def _last_bright(line: np.ndarray, threshold: int) -> int:
    return int(np.flatnonzero(line > threshold)[-1])


def _bridge(image: np.ndarray, *, rows: int = 2, more: int = 1) -> np.ndarray:
    gray = masks.normalize(image)
    row, middle = _middle(image)
    last = _last_bright(gray[row], masks.otsu_threshold(gray))
    bridged = image.copy()
    bridged[row : row + rows, middle : last + more] = image.max()
    return bridged


def _bridge_to_frame(image: np.ndarray) -> np.ndarray:
    row, middle = _middle(image)
    bridged = image.copy()
    bridged[row : row + 2, middle:] = image.max()
    return bridged


def _bridge_of_255(image: np.ndarray) -> np.ndarray:
    bridged = image.copy()
    bridged[_bridge(image) != image] = 255
    return bridged


EXERCISES = (
    Exercise(
        "04.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="the IoU that is lost, a number",
        solution=_cost_of_holes,
        right="filling adds little, because the dilation has closed most furrows, and then nothing "
        "is left to fill.",
        hints=(
            "score the mask with its holes and the mask without them, and compare.",
            "the mask before step 6 has a name in the cell of *The step in the open*.",
            "the answer is `sm.iou(mask, true)` less the same score of the mask before step 6.",
        ),
        mistakes=(
            Mistake(
                lambda: _iou_of("filled"),
                "this is the IoU of v5 as it was, with its holes filled.",
            ),
            Mistake(
                lambda: _iou_of("without scalp"),
                "this is the IoU without filling, but what that costs is asked for.",
            ),
            Mistake(
                lambda: _cost_of_holes(metrics.dice),
                "this is a difference of Dice, but one of IoU is asked for.",
            ),
            Mistake(_filled_px, "this counts pixels, but the IoU that they add is asked for."),
            Mistake(
                lambda: _iou_of("filled") - _iou_of("brain"),
                "this leaves out the dilation as well, but step 6 alone is to go.",
            ),
            Mistake(lambda: 0, "the two masks are the same, so step 6 is still in one of them."),
        ),
        tolerance=0.0001,
    ),
    Exercise(
        "04.2",
        kind="make",
        level=2,
        minutes=20,
        wanted="a function that takes a slice and returns a changed copy of it",
        solution=_bridge,
        right="now run v5 on it, and you see that it takes brain and scalp for one component, the "
        "brain, and grows the whole head into the air.",
        hints=(
            "three numbers say where the bridge lies: the first row, the middle column and the "
            "last bright pixel of that row.",
            "`np.flatnonzero` of a row of truth values lists the columns that are true.",
            "a slice such as `middle:last` leaves out its end, and the last bright pixel belongs "
            "to the bridge.",
        ),
        mistakes=(
            Mistake(lambda image: image, "the slice is as it was, without a bridge."),
            Mistake(
                lambda image: _bridge(np.ascontiguousarray(image.T)).T,
                "this bridge runs along a column, but rows are the first index.",
            ),
            Mistake(
                lambda image: _bridge(image, rows=1),
                "this bridge is one pixel high, but two are asked for.",
            ),
            Mistake(
                lambda image: _bridge(image, more=0),
                "the bridge ends one pixel early, because the end of a slice is left out.",
            ),
            Mistake(
                _bridge_to_frame,
                "this bridge goes on to the frame, where v5 would take it for scalp.",
            ),
            Mistake(
                _bridge_of_255,
                "the slice does not hold grey levels up to 255 yet, so how bright is its brightest "
                "pixel?",
            ),
            Mistake(
                lambda image: _bridge(masks.normalize(image)),
                "the bridge lies in the grey levels, but a copy of the slice itself is asked for.",
            ),
            Mistake(
                lambda image: versions.v5(_bridge(image)),
                "this is the mask of v5, but the changed slice is asked for.",
            ),
        ),
        arguments=lambda: [(load("phantom").images[index],) for index in (2, 0, 4)],
    ),
)
