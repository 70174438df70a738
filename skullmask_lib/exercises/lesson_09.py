"""Exercises of lesson 09: contrast."""

from collections.abc import Callable

import numpy as np

from .. import masks, metrics, phantom, versions
from ..io.datasets import load
from ..volumes import preprocess
from .definitions import Exercise, Mistake

# 09.1: equalised with 256 levels


def _gray() -> np.ndarray:
    return masks.normalize(load("phantom").images[2])


def _air() -> np.ndarray:
    return versions.v2(load("phantom").images[2]) == 0


def _threshold_and_share(gray: np.ndarray, part: np.ndarray) -> tuple[int, float]:
    threshold = masks.otsu_threshold(gray)
    return threshold, float((gray[part] > threshold).mean())


def _snow_in_8_bits() -> tuple[int, float]:
    return _threshold_and_share(preprocess.equalize(_gray()), _air())


def _snow_in_floats() -> tuple[int, float]:
    equalised = preprocess.equalize(load("phantom").images[2])
    return _threshold_and_share(masks.normalize(equalised), _air())


def _snow_at_old_threshold() -> tuple[int, float]:
    threshold = masks.otsu_threshold(_gray())
    equalised = preprocess.equalize(_gray())
    return threshold, float((equalised[_air()] > threshold).mean())


def _dark_air() -> tuple[int, float]:
    threshold, share = _snow_in_8_bits()
    return threshold, 1 - share


# 09.2: a gamma curve


def _curved(image: np.ndarray, power: float) -> np.ndarray:
    return ((image - image.min()) / np.ptp(image)) ** power


def _curved_gray(image: np.ndarray, power: float) -> np.ndarray:
    return (masks.normalize(image) / 255) ** power


def _gray_of_curved(image: np.ndarray, power: float) -> np.ndarray:
    return np.rint(255 * _curved(image, power)).astype(np.uint8)


def _iou(
    image: np.ndarray,
    true: np.ndarray,
    power: float,
    curve: Callable[[np.ndarray, float], np.ndarray] = _curved,
    version: Callable[[np.ndarray], np.ndarray] = versions.v7,
) -> float:
    return metrics.iou(version(curve(image, power)), true)


def _slices_and_powers() -> list[tuple]:
    data = load("phantom")
    cropped = load("phantom-cropped")
    fat = phantom.five_slices()[1] == phantom.LABELS["fat"]
    bright = np.where(fat, 2 * data.images, data.images)
    return [
        (bright[2], data.truth[2], 0.7),
        (data.images[2], data.truth[2], 0.5),
        (bright[4], data.truth[4], 0.9),
        (cropped.images[0], cropped.truth[0], 0.6),
    ]


EXERCISES = (
    Exercise(
        "09.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="Otsu's threshold and the share of the air above it, as (threshold, share)",
        solution=_snow_in_8_bits,
        right="nearly half of the pixels share the darkest level, the next level lies far above "
        "it, and the threshold falls into this gap, so that all other noise counts as bright.",
        hints=(
            "equalise the normalised slice, and look for the threshold of the result.",
            "the array `air` of the lesson picks the pixels outside v2's mask.",
            "the share is the mean of `equalised[air] > threshold`.",
        ),
        mistakes=(
            Mistake(
                _snow_in_floats,
                "this slice was equalised before it was cut down to 8 bits, as in the lesson.",
            ),
            Mistake(
                _snow_at_old_threshold,
                "this is the threshold of the slice before it was equalised.",
            ),
            Mistake(
                lambda: _threshold_and_share(_gray(), _air()),
                "this is the normalised slice, and it has not been equalised.",
            ),
            Mistake(
                lambda: _threshold_and_share(
                    preprocess.equalize(_gray()), np.ones(_air().shape, bool)
                ),
                "this is the share of all pixels, but that of the air is asked for.",
            ),
            Mistake(
                lambda: _threshold_and_share(preprocess.equalize(_gray()), ~_air()),
                "this share is 1, as it is for the head, so check that you took the air, and what "
                "lies above the threshold, not at it.",
            ),
            Mistake(
                _dark_air,
                "this is the share at or below the threshold, but the bright share is asked for.",
            ),
        ),
    ),
    Exercise(
        "09.2",
        kind="make",
        level=2,
        minutes=20,
        wanted="a function that takes a slice, its truth and a power and returns an IoU",
        solution=_iou,
        right="now average it over the slices for each power, and you see that one of them mends "
        "the bright fat and costs the phantom nothing, but it was picked with the truth at hand.",
        hints=(
            "scale the slice first, so that its darkest pixel is 0 and its brightest is 1.",
            "`np.ptp(image)` is the difference between the brightest and the darkest pixel.",
            "hand `scaled ** power` to `sm.v7`, which takes floats, and score its mask.",
        ),
        mistakes=(
            Mistake(
                lambda image, true, _: _iou(image, true, 1),
                "this is v7 on the slice as it was, without a curve.",
            ),
            Mistake(
                lambda image, true, power: _iou(image, true, 1 / power),
                "the power is the wrong way round, since a power below 1 brightens dark tissue.",
            ),
            Mistake(
                lambda image, true, power: _iou(image, true, 1, lambda one, _: one**power),
                "the slice is not scaled to 0 … 1 before the power is taken.",
            ),
            Mistake(
                lambda image, true, power: _iou(image, true, power, _curved_gray),
                "the slice was cut down to 256 grey levels before the power is taken, but scaled "
                "floats keep all of them apart.",
            ),
            Mistake(
                lambda image, true, power: _iou(image, true, power, _gray_of_curved),
                "the result of the curve was rounded to 256 grey levels, but `sm.v7` takes floats.",
            ),
            Mistake(
                lambda image, true, power: _iou(image, true, power, version=versions.v8),
                "this is v8, but v7 is asked for.",
            ),
            Mistake(
                lambda image, true, power: _iou(image, true, power, version=versions.v5),
                "this is v5, but v7 is asked for.",
            ),
            Mistake(
                lambda image, true, power: metrics.dice(versions.v7(_curved(image, power)), true),
                "this is Dice, but the IoU is asked for.",
            ),
        ),
        arguments=_slices_and_powers,
    ),
)
