"""Exercises of lesson 06: the final version of the classical mask."""

from collections.abc import Callable

import numpy as np

from .. import masks, sweeps, versions
from ..io.datasets import load
from .definitions import Exercise, Mistake

# 06.1: one pixel of width


def _changes(sizes: tuple[int, ...] = (25, 26, 27), score: str = "iou") -> np.ndarray:
    """Return what each step of the width changes, for each slice and each step."""
    data = load("phantom")
    result = sweeps.sweep(data.images, data.truth, sizes=sizes)
    return np.diff(getattr(result, score), axis=1)


def _largest_changes(score: str = "iou") -> tuple[float, ...]:
    return tuple(np.abs(_changes(score=score)).max(axis=0).tolist())


def _changes_from_26() -> list[float]:
    before, after = _changes().T
    return [float(np.abs(before).max()), float(np.abs(before + after).max())]


# 06.2: mend the bites without the truth


def _mended(
    image: np.ndarray,
    *,
    width: int = 43,
    least_px: int = 100,
    is_near: Callable[[np.ndarray], np.bool_] = np.all,
) -> np.ndarray:
    return masks.fill_holes(masks.dilate(_chosen(image, width, least_px, is_near), 26))


def _chosen(
    image: np.ndarray,
    width: int = 43,
    least_px: int = 100,
    is_near: Callable[[np.ndarray], np.bool_] = np.all,
) -> np.ndarray:
    stages = versions.trace("v7", image)
    near = masks.dilate(stages["filled"], width) > 0
    labels, areas_px = masks.label_components(stages["bright"])
    chosen = stages["brain"].copy()
    for label in range(1, len(areas_px)):
        component = labels == label
        if areas_px[label] > least_px and is_near(near[component]):
            chosen[component] = 1
    return chosen


def _mended_late(image: np.ndarray) -> np.ndarray:
    return masks.fill_holes(versions.v7(image) | _chosen(image))


def _mended_twice(image: np.ndarray) -> np.ndarray:
    return masks.fill_holes(masks.dilate(_mended_late(image), 26))


def _slices() -> list[tuple]:
    images = load("phantom").images
    return [(images[index],) for index in (2, 1, 4)]


EXERCISES = (
    Exercise(
        "06.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="the largest change of each of the two steps, two numbers",
        solution=_largest_changes,
        right="the step from an odd to an even width moves the mask by half a pixel as well, and "
        "its sign differs from slice to slice.",
        hints=(
            "`sm.sweep` takes any list of widths as `sizes`, and its `iou` has one row for each "
            "slice.",
            "`np.diff` along the widths gives the change of every slice, and a fall counts as "
            "much as a rise.",
            "take the absolute value of every change first, then the maximum over the slices.",
        ),
        mistakes=(
            Mistake(
                lambda: [0, 0],
                "nothing changes because the width is still the same at each step.",
            ),
            Mistake(
                lambda: _changes().max(axis=0).tolist(),
                "this is the largest rise, but a fall counts as well.",
            ),
            Mistake(
                lambda: np.abs(_changes().mean(axis=0)).tolist(),
                "this is the change of the mean, in which rises and falls cancel out.",
            ),
            Mistake(
                lambda: np.abs(_changes()).mean(axis=0).tolist(),
                "this is the mean change of a slice, but the largest one is asked for.",
            ),
            Mistake(
                lambda: np.abs(_changes()[2]).tolist(),
                "these are the changes of one slice, but the largest of all slices are asked for.",
            ),
            Mistake(
                lambda: _largest_changes("dice"),
                "these are changes of Dice, but those of the IoU are asked for.",
            ),
            Mistake(
                _changes_from_26,
                "the second number compares the first width with the last one.",
            ),
        ),
        tolerance=0.0001,
    ),
    Exercise(
        "06.2",
        kind="make",
        level=3,
        minutes=20,
        wanted="a function that takes a slice and returns a mask of 0 and 1",
        solution=_mended,
        right="now score it, and you see that the mask gets worse, because bright marrow of the "
        "bone comes in with the lost gyri.",
        hints=(
            "`sm.trace` gives the bright pixels, the brain and the mask of v7, and "
            "`masks.label_components` the components and their areas.",
            "a component lies near if the dilated v7 mask is 1 at *all* of its pixels.",
            "start from a copy of the brain, set the pixels of each component that passes both "
            "tests, and dilate and fill once at the end.",
        ),
        mistakes=(
            Mistake(versions.v7, "this is v7 as it was, and nothing has been added."),
            Mistake(
                lambda image: _mended(image, width=21),
                "the near zone is too narrow; it lies around the v7 mask, and an element reaches "
                "half of its width.",
            ),
            Mistake(
                lambda image: _mended(image, is_near=np.any),
                "components come in that only touch the near zone, but all of their pixels must "
                "lie in it.",
            ),
            Mistake(
                lambda image: _mended(image, least_px=0),
                "small specks come in, too, so compare each area with the limit.",
            ),
            Mistake(
                _mended_late,
                "the components were added after the dilation, but they should grow with the "
                "brain.",
            ),
            Mistake(
                _mended_twice,
                "the components were added to v7's mask, which is dilated already; add them to its "
                "brain.",
            ),
            Mistake(
                lambda image: masks.dilate(_chosen(image), 26),
                "the holes are still open, so fill them at the end.",
            ),
            Mistake(
                _chosen,
                "these are the chosen components, but they still have to be dilated and filled.",
            ),
        ),
        arguments=_slices,
    ),
)
