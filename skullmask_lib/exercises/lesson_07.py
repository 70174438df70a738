"""Exercises of lesson 07: what carried the score of v7."""

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from .. import masks, metrics, versions
from ..io.datasets import load
from .definitions import Exercise, Mistake

# 07.1: the ablation on another head, at another width

STEPS = (
    "normalising",
    "Otsu (mean level instead)",
    "the frame rule",
    "taking the largest",
    "dilating",
    "taking the scalp out",
    "filling holes",
)


def _component(image: np.ndarray, without: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what counts as brain and as scalp, as the lesson's function does."""
    gray = image.astype(np.uint8) if without == "normalising" else masks.normalize(image)
    level = gray.mean() if without.startswith("Otsu") else masks.otsu_threshold(gray)
    labels, areas_px = masks.label_components((gray > level).astype(np.uint8))
    is_scalp = masks.touches_edge(labels)
    if without == "the frame rule":
        is_scalp[:] = False
    areas_px[0] = 0
    areas_px[is_scalp] = 0
    is_brain = areas_px > 0
    if without != "taking the largest":
        is_brain &= np.arange(len(areas_px)) == areas_px.argmax()
    return is_brain[labels].astype(np.uint8), is_scalp[labels].astype(np.uint8)


def _v7_without(image: np.ndarray, without: str, size: int) -> np.ndarray:
    brain, scalp = _component(image, without)
    mask = brain
    if without != "dilating":
        mask = masks.dilate(mask, size)
    if without != "taking the scalp out":
        mask = mask & ~scalp
    if without != "filling holes":
        mask = masks.fill_holes(mask)
    return mask


@cache
def _means(name: str, size: int, score: Callable[..., float] = metrics.iou) -> dict[str, float]:
    data = load(name)
    means = {}
    for step in ("nothing", *STEPS):
        cut_masks = [_v7_without(image, step, size) for image in data.images]
        means[step] = float(np.mean(list(map(score, cut_masks, data.truth))))
    return means


def _changes(
    name: str = "phantom-cropped", size: int = 40, score: Callable[..., float] = metrics.iou
) -> dict[str, float]:
    means = _means(name, size, score)
    return {step: means[step] - means["nothing"] for step in STEPS}


def _scores_without() -> dict[str, float]:
    means = _means("phantom-cropped", 40)
    return {step: means[step] for step in STEPS}


def _changes_from_26() -> dict[str, float]:
    means = _means("phantom-cropped", 40)
    whole = _means("phantom-cropped", 26)["nothing"]
    return {step: means[step] - whole for step in STEPS}


# 07.2: a baseline from an ellipse


def _shrunk_ellipse(
    image: np.ndarray, width: int, *, per_axis: int = 1, thickness: int = -1
) -> np.ndarray:
    head = versions.v2(image)
    outlines, _ = cv2.findContours(head, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    middle, (first, second), angle = cv2.fitEllipse(max(outlines, key=cv2.contourArea))
    shrunk = middle, (first - per_axis * width, second - per_axis * width), angle
    return cv2.ellipse(np.zeros_like(head), shrunk, 1, thickness)


def _ellipse_of_whole_px(
    image: np.ndarray, width: int, whole: Callable[[np.ndarray], np.ndarray] = np.trunc
) -> np.ndarray:
    """Draw the ellipse with its middle and its half axes in whole pixels."""
    head = versions.v2(image)
    outlines, _ = cv2.findContours(head, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    middle, axes, angle = cv2.fitEllipse(max(outlines, key=cv2.contourArea))
    middle_px = whole(np.array(middle)).astype(int).tolist()
    halves_px = whole((np.array(axes) - width) / 2).astype(int).tolist()
    return cv2.ellipse(np.zeros_like(head), middle_px, halves_px, angle, 0, 360, 1, -1)


def _eroded_head(image: np.ndarray, width: int) -> np.ndarray:
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return cv2.erode(versions.v2(image), element)


def _upright_ellipse(image: np.ndarray, width: int) -> np.ndarray:
    head = versions.v2(image)
    x, y, columns, rows = cv2.boundingRect(head)
    middle = (x + columns / 2, y + rows / 2)
    return cv2.ellipse(np.zeros_like(head), (middle, (columns - width, rows - width), 0), 1, -1)


def _slices_and_widths() -> list[tuple]:
    images = load("phantom").images
    cropped = load("phantom-cropped").images
    return [(images[2], 26), (images[0], 37), (cropped[4], 31)]


EXERCISES = (
    Exercise(
        "07.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="the change of the mean IoU without each step, seven numbers in the order of the "
        "table",
        solution=_changes,
        right="the frame rule and taking the scalp out matter more now, because a wider element "
        "reaches the scalp.",
        hints=(
            "`mean_iou` of the lesson takes a head, and hands `without` and `size` on to "
            "`v7_without`.",
            "a change compares v7 without a step to the whole v7, and both have to run on the "
            "cropped head at the new width.",
            "subtract `mean_iou(cropped, size=…)` from `mean_iou(cropped, without=step, size=…)` "
            "for each of `steps[1:]`.",
        ),
        mistakes=(
            Mistake(
                lambda: _changes(size=26),
                "this is the table of the lesson, at v7's own width.",
            ),
            Mistake(
                lambda: _changes("phantom"),
                "this is the phantom that nothing cuts, but the cropped one is asked for.",
            ),
            Mistake(
                _scores_without,
                "these are the scores without each step, but their changes are asked for.",
            ),
            Mistake(
                _changes_from_26,
                "the whole v7 has the new width as well, so compare like with like.",
            ),
            Mistake(
                lambda: _changes(size=81),
                "the number was taken as a reach, but it is the width of the element.",
            ),
            Mistake(
                lambda: _changes(score=metrics.dice),
                "these are changes of Dice, but those of the IoU are asked for.",
            ),
        ),
    ),
    Exercise(
        "07.2",
        kind="make",
        level=2,
        minutes=20,
        wanted="a function that takes a slice and a width in pixels and returns a mask of 0 and 1",
        solution=_shrunk_ellipse,
        right="now find its best constant with `best_constant`, and you see a method that sees "
        "neither bone nor brain come close to v6.",
        hints=(
            "`cv2.findContours` traces the outlines of the filled head, and `cv2.fitEllipse` fits "
            "an ellipse to one of them.",
            "the fit consists of the middle, both axes from end to end, and an angle, and only the "
            "axes shrink.",
            "`cv2.ellipse(mask, (middle, axes, angle), 1, -1)` draws a filled ellipse of 1 on a "
            "mask of zeros.",
        ),
        mistakes=(
            Mistake(
                _eroded_head,
                "this is the lesson's baseline, the eroded head, but an ellipse is asked for.",
            ),
            Mistake(
                lambda image, width: _shrunk_ellipse(image, width, per_axis=0),
                "the ellipse has not shrunk.",
            ),
            Mistake(
                lambda image, width: _shrunk_ellipse(image, width, per_axis=2),
                "it shrinks too much, because OpenCV's axes run from end to end and not from the "
                "middle.",
            ),
            Mistake(
                lambda image, width: _shrunk_ellipse(image, width, per_axis=-1),
                "it grows, but it should shrink.",
            ),
            Mistake(
                lambda image, width: _shrunk_ellipse(image, width, thickness=1),
                "this is the outline of the ellipse, but the mask is filled.",
            ),
            Mistake(
                _ellipse_of_whole_px,
                "the middle and the axes were cut down to whole pixels, but `cv2.ellipse` also "
                "takes what `cv2.fitEllipse` returns, fractions and all.",
            ),
            Mistake(
                lambda image, width: _ellipse_of_whole_px(image, width, np.rint),
                "the middle and the axes were rounded to whole pixels, but `cv2.ellipse` also "
                "takes what `cv2.fitEllipse` returns, fractions and all.",
            ),
            Mistake(
                lambda image, width: versions.v2(image) | _shrunk_ellipse(image, width),
                "the head is in this mask as well, so draw the ellipse on zeros.",
            ),
            Mistake(
                _upright_ellipse,
                "this ellipse fills a box, but `cv2.fitEllipse` fits one to the outline.",
            ),
        ),
        arguments=_slices_and_widths,
    ),
)
