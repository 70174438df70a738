"""Exercises of lesson 11: the brain mask of a volume."""

import itertools
from collections.abc import Callable
from functools import cache

import numpy as np

from .. import metrics, phantom
from ..volumes import brain_masks
from .definitions import Exercise, Mistake

_Score = Callable[[np.ndarray, np.ndarray], float]


@cache
def _head() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the volume and the true brain of the lesson, and the brain with its fluid."""
    volume, labels, _ = phantom.render_volume()
    with_fluid = (labels >= phantom.LABELS["csf"]).astype(np.uint8)
    return volume, phantom.brain_mask(labels), with_fluid


# 11.1: the recipe in noise

_LEVELS = (0.05, 0.10, 0.15)


def _noise() -> np.ndarray:
    return np.random.default_rng(11).standard_normal((2, *_head()[0].shape))


def _score_of(volume: np.ndarray, score: _Score = metrics.dice) -> float:
    return score(brain_masks.brain_mask(volume), _head()[1])


def _in_noise(score: _Score = metrics.dice) -> tuple[float, ...]:
    real, imaginary = _noise()
    volume = _head()[0]
    scores = []
    for level in _LEVELS:
        noisy = np.hypot(volume + level * real, level * imaginary)
        scores.append(_score_of(noisy, score))
    return tuple(scores)


def _in_added_noise() -> list[float]:
    real, _ = _noise()
    return [_score_of(np.maximum(_head()[0] + s * real, 0)) for s in _LEVELS]


def _in_new_noise() -> list[float]:
    generator = np.random.default_rng(11)
    volume = _head()[0]
    scores = []
    for s in _LEVELS:
        real, imaginary = generator.standard_normal((2, *volume.shape))
        scores.append(_score_of(np.hypot(volume + s * real, s * imaginary)))
    return scores


# 11.2: range and radius together

_LOWS = (0.5, 1.0, 1.5)
_HIGHS = (2.0, 2.5, 3.0)
_RADII = (0, 1, 2)
_Best = tuple[float, float, float, int]


def _best(
    volume: np.ndarray,
    true: np.ndarray,
    *,
    lows: tuple[float, ...] = _LOWS,
    highs: tuple[float, ...] = _HIGHS,
    radii: tuple[int, ...] = _RADII,
    score: _Score = metrics.dice,
) -> _Best:
    t = 2 * brain_masks.otsu_range(volume)[0]
    results = []
    for low, high, radius in itertools.product(lows, highs, radii):
        limits = (low * t, high * t)
        mask = brain_masks.brain_mask(volume, threshold=limits, closing_radius=radius)
        results.append((score(mask, true), low, high, radius))
    return max(results)


def _worst(volume: np.ndarray, true: np.ndarray) -> _Best:
    worst = _best(volume, true, score=lambda mask, true: -metrics.dice(mask, true))
    return -worst[0], *worst[1:]


def _smoothest(volume: np.ndarray, true: np.ndarray) -> _Best:
    best = _best(volume, true, score=lambda mask, _: -float(metrics.surface_of(mask).sum()))
    t = 2 * brain_masks.otsu_range(volume)[0]
    limits = (best[1] * t, best[2] * t)
    mask = brain_masks.brain_mask(volume, threshold=limits, closing_radius=best[3])
    return metrics.dice(mask, true), *best[1:]


def _in_values(volume: np.ndarray, true: np.ndarray) -> _Best:
    dice, low, high, radius = _best(volume, true)
    t = 2 * brain_masks.otsu_range(volume)[0]
    return dice, low * t, high * t, radius


@cache
def _volumes() -> list[tuple]:
    """List volumes with larger voxels, so that a check is quick; the last one has another truth."""
    volume, true, with_fluid = _head()
    arguments = []
    for steps in ((3, 3, 3), (2, 3, 4)):
        every = tuple(slice(None, None, step) for step in steps)
        arguments.append((volume[every], true[every]))
    noisy = np.hypot(volume + 0.1 * _noise()[0], 0.1 * _noise()[1])
    arguments.append((noisy[::3, ::3, ::3], true[::3, ::3, ::3]))
    arguments.append((volume[::3, ::3, ::3], with_fluid[::3, ::3, ::3]))
    return arguments


EXERCISES = (
    Exercise(
        "11.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="the Dice of the recipe's mask at three levels of noise, three numbers",
        solution=_in_noise,
        right="the recipe hardly changes until the noise of the air reaches its range, and then it "
        "takes the whole volume for brain.",
        hints=(
            "draw the noise once, before the loop, and multiply it by each level.",
            "`np.hypot` of the real and the imaginary part is the noisy volume, and the volume "
            "itself belongs to the real part.",
            "hand each noisy volume to `brain_masks.brain_mask`, and each mask to `dice`.",
        ),
        mistakes=(
            Mistake(
                lambda: [_score_of(_head()[0])] * 3,
                "this is the Dice without noise, so check which volume the recipe gets.",
            ),
            Mistake(
                _in_added_noise,
                "the noise has a real part only, but an MR image is the magnitude of two.",
            ),
            Mistake(
                _in_new_noise,
                "each level has noise of its own here, so draw it once and only scale it.",
            ),
            Mistake(
                lambda: _in_noise(metrics.iou),
                "these are IoUs, but the Dice is asked for.",
            ),
        ),
    ),
    Exercise(
        "11.2",
        kind="make",
        level=2,
        minutes=20,
        wanted="a function that takes a volume and its true brain, and returns (Dice, low, high, "
        "radius)",
        solution=_best,
        right="the best mask needs no closing at all, and it stays far behind `strip`, although it "
        "was chosen with the truth.",
        hints=(
            "three loops try all of the masks, and `itertools.product` makes one loop of them.",
            "*t* belongs to the volume that comes in, and it is twice the lower end of "
            "`brain_masks.otsu_range`.",
            "collect (Dice, low, high, radius) for each mask, and let `max` find the best of them.",
        ),
        mistakes=(
            Mistake(
                lambda volume, true: _best(volume, true, lows=(0.5,), highs=(2.0,), radii=(3,)),
                "this is the recipe with its own settings, and nothing has been searched.",
            ),
            Mistake(
                lambda volume, true: _best(volume, true, lows=(0.5,), highs=(2.0,)),
                "only the radius varies here, but the range should as well.",
            ),
            Mistake(
                lambda volume, true: _best(volume, true, radii=(3,)),
                "only the range varies here, but the radius should as well.",
            ),
            Mistake(
                _in_values,
                "both ends of the range are values here, but multiples of *t* are asked for.",
            ),
            Mistake(_worst, "this is the worst of the masks."),
            Mistake(
                _smoothest,
                "this is the smoothest of the masks, and the lesson has shown what that is worth.",
            ),
        ),
        arguments=_volumes,
    ),
)
