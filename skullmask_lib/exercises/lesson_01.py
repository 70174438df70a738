"""Exercises of lesson 01: the largest bright component."""

import cv2
import numpy as np

from .. import masks, metrics, versions
from ..io.datasets import load
from .definitions import Exercise, Mistake


def _bright(image: np.ndarray) -> np.ndarray:
    gray = masks.normalize(image)
    return (gray > masks.otsu_threshold(gray)).astype(np.uint8)


# 01.1: 4-connectivity


def _largest(image: np.ndarray, connectivity: int) -> np.ndarray:
    _, labels = cv2.connectedComponents(_bright(image), connectivity=connectivity)
    areas_px = np.bincount(labels.ravel())
    areas_px[0] = 0
    return labels == areas_px.argmax()


def _changed_px(connectivity: int = 4) -> tuple[int, ...]:
    changed = []
    for image in load("phantom").images:
        changed.append(np.count_nonzero(_largest(image, connectivity) != versions.v1(image)))
    return tuple(changed)


def _changed_with_background() -> list[int]:
    changed = []
    for image in load("phantom").images:
        _, labels = cv2.connectedComponents(_bright(image), connectivity=4)
        largest = labels == np.bincount(labels.ravel()).argmax()
        changed.append(np.count_nonzero(largest != versions.v1(image)))
    return changed


def _areas_px() -> list[int]:
    return [np.count_nonzero(_largest(image, 4)) for image in load("phantom").images]


def _ious() -> list[float]:
    data = load("phantom")
    pairs = zip(data.images, data.truth, strict=True)
    return [metrics.iou(_largest(image, 4), true) for image, true in pairs]


def _fewer_components() -> list[int]:
    differences = []
    for image in load("phantom").images:
        bright = _bright(image)
        counts = [cv2.connectedComponents(bright, connectivity=n)[0] for n in (4, 8)]
        differences.append(counts[0] - counts[1])
    return differences


# 01.2: the two largest components


def _ranked(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels, and the numbers of the components from the smallest to the largest."""
    labels, areas_px = masks.label_components(_bright(image))
    areas_px[0] = 0
    return labels, areas_px.argsort()


def _two_largest(image: np.ndarray) -> np.ndarray:
    labels, ranked = _ranked(image)
    return np.isin(labels, ranked[-2:]).astype(np.uint8)


def _second_largest(image: np.ndarray) -> np.ndarray:
    labels, ranked = _ranked(image)
    return (labels == ranked[-2]).astype(np.uint8)


def _background_and_largest(image: np.ndarray) -> np.ndarray:
    labels, areas_px = masks.label_components(_bright(image))
    return np.isin(labels, areas_px.argsort()[-2:]).astype(np.uint8)


def _two_largest_of_four(image: np.ndarray) -> np.ndarray:
    _, labels = cv2.connectedComponents(_bright(image), connectivity=4)
    areas_px = np.bincount(labels.ravel())
    areas_px[0] = 0
    return np.isin(labels, areas_px.argsort()[-2:]).astype(np.uint8)


def _first_two(image: np.ndarray) -> np.ndarray:
    labels, _ = masks.label_components(_bright(image))
    return np.isin(labels, (1, 2)).astype(np.uint8)


def _two_smallest(image: np.ndarray) -> np.ndarray:
    labels, areas_px = masks.label_components(_bright(image))
    return np.isin(labels, 1 + areas_px[1:].argsort()[:2]).astype(np.uint8)


def _slices() -> list[tuple]:
    images = load("phantom").images
    return [(images[index],) for index in (2, 0, 4)]


EXERCISES = (
    Exercise(
        "01.1",
        kind="modify",
        level=1,
        minutes=15,
        wanted="the changed pixels of each slice, five integers",
        solution=_changed_px,
        right="parts joined only at corners are lost, and on the last slice that is part of a "
        "gyrus.",
        hints=(
            "find the largest component twice, once with each connectivity, and count where the "
            "two masks differ.",
            "`cv2.connectedComponents` returns a count and the labels, and "
            "`np.bincount(labels.ravel())` gives the areas, where entry 0 is the background.",
            "for each slice, compare `labels == areas_px.argmax()` with `sm.v1(image_n)` and count "
            "the pixels that differ.",
        ),
        mistakes=(
            Mistake(
                lambda: _changed_px(connectivity=8),
                "nothing changes because both masks use 8-connectivity, which is what v1 has.",
            ),
            Mistake(
                _changed_with_background,
                "the largest label is the background here, so set its area to 0 first.",
            ),
            Mistake(_areas_px, "these are the areas of the new masks, not the pixels that change."),
            Mistake(_ious, "these are scores; give the number of changed pixels."),
            Mistake(
                _fewer_components,
                "this counts components; count the pixels of the mask that change.",
            ),
        ),
    ),
    Exercise(
        "01.2",
        kind="make",
        level=2,
        minutes=10,
        wanted="a function that takes a slice and returns a mask of 0 and 1",
        solution=_two_largest,
        right="the second largest component is the scalp, so the mask gets worse, because the "
        "scalp lies outside the skull.",
        hints=(
            "the lesson's own step finds labels and areas, and only its last line has to change.",
            "`np.argsort` puts the areas in order, and the two largest ones come last.",
            "`np.isin(labels, numbers)` is true wherever a label is among the numbers.",
        ),
        mistakes=(
            Mistake(versions.v1, "this is v1 as it was, with one component."),
            Mistake(_second_largest, "this is the second largest component without the largest."),
            Mistake(
                _background_and_largest,
                "one of the two is the background, so set the area of label 0 to 0 first.",
            ),
            Mistake(
                _first_two,
                "labels 1 and 2 are the first components from the top, not the largest ones.",
            ),
            Mistake(_two_largest_of_four, "these are 4-connected components."),
            Mistake(_two_smallest, "these are the two smallest components."),
        ),
        arguments=_slices,
    ),
)
