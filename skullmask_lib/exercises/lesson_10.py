"""Exercises of lesson 10: the crop to the head."""

from collections.abc import Callable

import cv2
import numpy as np

from .. import masks, versions
from ..io.datasets import load
from ..volumes import preprocess
from .definitions import Exercise, Mistake

_Contrast = Callable[[np.ndarray], np.ndarray]


def _box(image: np.ndarray, contrast: _Contrast = preprocess.clahe) -> tuple[int, ...]:
    """Return first row, row behind the last, and the columns alike, as the lesson finds them."""
    blurred = cv2.GaussianBlur(contrast(masks.normalize(image)), (5, 5), 0)
    threshold = masks.otsu_threshold(blurred)
    edges = cv2.Canny(blurred, threshold / 2, threshold)
    thick = cv2.dilate(edges, np.ones((5, 5), np.uint8))
    contours, _ = cv2.findContours(thick, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = np.array([cv2.boundingRect(contour) for contour in contours])
    areas_px = boxes[:, 2] * boxes[:, 3]
    x, y, width, height = boxes[areas_px >= areas_px.max() / 20].T
    ends = (y.min(), (y + height).max(), x.min(), (x + width).max())
    return tuple(map(int, ends))


# 10.1: without CLAHE


def _noisy(image: np.ndarray, share: float) -> np.ndarray:
    bright = versions.brain_and_scalp(image)["bright"] > 0
    level = np.float32(share * np.median(image[bright]))
    noise = np.random.default_rng(10).standard_normal((2, *image.shape), dtype=np.float32)
    return np.hypot(image + level * noise[0], level * noise[1])


def _kept(image: np.ndarray, contrast: _Contrast) -> float:
    top, bottom, left, right = _box(image, contrast)
    return (bottom - top) * (right - left) / image.size


def _shares(contrast: _Contrast = np.copy, *, noise: float = 0.25) -> tuple[float, float]:
    image = load("phantom").images[2]
    return _kept(image, contrast), _kept(_noisy(image, noise), contrast)


def _cut_off() -> tuple[float, ...]:
    return tuple(1 - share for share in _shares())


# 10.2: a hot pixel


def _repaired_box(image: np.ndarray) -> tuple[int, ...]:
    return _box(np.minimum(image, np.percentile(image, 99.9)))


def _box_without_brightest(image: np.ndarray) -> tuple[int, ...]:
    """Repair the brightest pixel alone."""
    return _box(np.where(image == image.max(), image.min(), image))


def _rows_apart(image: np.ndarray) -> tuple[int, ...]:
    top, bottom, left, right = _repaired_box(image)
    return top, left, bottom, right


def _x_before_y(image: np.ndarray) -> tuple[int, ...]:
    top, bottom, left, right = _repaired_box(image)
    return left, top, right, bottom


def _as_width_and_height(image: np.ndarray) -> tuple[int, ...]:
    top, bottom, left, right = _repaired_box(image)
    return left, top, right - left, bottom - top


def _columns_first(image: np.ndarray) -> tuple[int, ...]:
    top, bottom, left, right = _repaired_box(image)
    return left, right, top, bottom


def _hot(image: np.ndarray, row: int, column: int, times: float) -> np.ndarray:
    spoilt = image.copy()
    spoilt[row, column] = times * image.max()
    return spoilt


def _good_and_spoilt() -> list[tuple]:
    images = load("phantom").images
    return [
        (_hot(images[2], 20, 20, 100),),
        (images[2],),
        (_hot(images[0], 700, 600, 1000),),
        (_hot(_hot(images[4], 30, 500, 50), 740, 40, 300),),
    ]


EXERCISES = (
    Exercise(
        "10.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="the share of the slice in the box, as (as it is, with noise)",
        solution=_shares,
        right="on the clean slice the box hardly moves, and in noise it is smaller without CLAHE, "
        "which raises the noise.",
        hints=(
            "`head_box` takes another `contrast`, and `np.copy` changes nothing.",
            "the first thing that `head_box` returns is the box, and a slice can be indexed with "
            "it.",
            "divide the `size` of the cut by the `size` of the whole slice, once for `image` and "
            "once for the noisy one.",
        ),
        mistakes=(
            Mistake(
                lambda: _shares(preprocess.clahe),
                "these are the boxes with CLAHE, as in the lesson.",
            ),
            Mistake(
                lambda: _shares(preprocess.equalize),
                "these slices were equalised, but their contrast is to stay as it is.",
            ),
            Mistake(
                _cut_off,
                "this is the share that is cut off, but the share in the box is asked for.",
            ),
            Mistake(
                lambda: _shares(noise=0.1),
                "this is the weaker noise of the table in *Where it fails*.",
            ),
            Mistake(
                lambda: _shares(noise=25),
                "the second box is the whole slice, so check that CLAHE is left out there as well, "
                "and that `faulty` gets a share.",
            ),
        ),
    ),
    Exercise(
        "10.2",
        kind="make",
        level=2,
        minutes=20,
        wanted="a function that takes a slice and returns four whole numbers, (top, bottom, left, "
        "right)",
        solution=_repaired_box,
        right="the box is found on a repaired copy, so a good slice keeps its box, and the crop "
        "itself can come from the original.",
        hints=(
            "the box goes wrong because one pixel takes the whole range of grey levels, so look "
            "for a value that only such a pixel exceeds.",
            "`np.percentile` finds the level below which nearly all pixels lie, and `np.minimum` "
            "cuts down what is above it.",
            "hand the repaired copy to `head_box`, and take `start` and `stop` of both parts of "
            "the box.",
        ),
        mistakes=(
            Mistake(_box, "this is the box without a repair, and it loses most of the head."),
            Mistake(
                lambda image: (0, image.shape[0], 0, image.shape[1]),
                "this is the whole slice, so check whether the repair leaves any edge of the head.",
            ),
            Mistake(
                _as_width_and_height,
                "this is OpenCV's (x, y, width, height), but the rows come first here.",
            ),
            Mistake(_columns_first, "the columns come first here; the rows should."),
            Mistake(_rows_apart, "both rows come first, and then both columns."),
            Mistake(_x_before_y, "this is (left, top, right, bottom), but both rows come first."),
            Mistake(
                _box_without_brightest,
                "this repairs a single pixel, but a slice may have several hot ones.",
            ),
        ),
        arguments=_good_and_spoilt,
        tolerance=2,
    ),
)
