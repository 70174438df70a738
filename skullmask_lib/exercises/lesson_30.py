"""Exercises of lesson 30: labelled slices for a network."""

import csv
from collections.abc import Callable

import numpy as np

from ..project import project_folder
from .definitions import Exercise, Mistake

# 30.1: a finer crossing

_LEVEL = 0.95


def _means(seeds: tuple[str, ...] = ("0", "1", "2")) -> dict[int, float]:
    """Average the IoU over seeds for each number of labelled slices, on varied phantoms."""
    file = project_folder("data") / "learning_curve.csv"
    scores: dict[int, list[float]] = {}
    with open(file, newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            if _is_on_curve(row) and row["seed"] in seeds:
                scores.setdefault(int(row["labelled"]), []).append(float(row["iou"]))
    return {number: float(np.mean(of_seeds)) for number, of_seeds in sorted(scores.items())}


def _is_on_curve(row: dict[str, str]) -> bool:
    return row["augmented"] == "yes" and row["test"] == "varied phantoms"


def _measured_crossing(means: dict[int, float]) -> int:
    """Find the lowest number whose mean lies above the level."""
    return min(number for number, mean in means.items() if mean > _LEVEL)


def _interpolated(means: dict[int, float], logarithmic: bool = True) -> float:
    above = _measured_crossing(means)
    below = max(number for number in means if number < above)
    share = (_LEVEL - means[below]) / (means[above] - means[below])
    if logarithmic:
        return float(below * (above / below) ** share)
    return float(below + share * (above - below))


def _crossing() -> float:
    return _interpolated(_means())


# 30.2: a network asked twice

_Ask = Callable[[np.ndarray], np.ndarray]


def _both(ask: _Ask, image: np.ndarray) -> np.ndarray:
    return (ask(image) + ask(image[:, ::-1])[:, ::-1]) / 2


def _not_mirrored_back(ask: _Ask, image: np.ndarray) -> np.ndarray:
    return (ask(image) + ask(image[:, ::-1])) / 2


def _upside_down(ask: _Ask, image: np.ndarray) -> np.ndarray:
    return (ask(image) + ask(image[::-1])[::-1]) / 2


def _turned(ask: _Ask, image: np.ndarray) -> np.ndarray:
    return (ask(image) + ask(image[::-1, ::-1])[::-1, ::-1]) / 2


def _mirrored_alone(ask: _Ask, image: np.ndarray) -> np.ndarray:
    return ask(image[:, ::-1])[:, ::-1]


def _of_mean_image(ask: _Ask, image: np.ndarray) -> np.ndarray:
    return ask((image + image[:, ::-1]) / 2)


def _sum(ask: _Ask, image: np.ndarray) -> np.ndarray:
    return 2 * _both(ask, image)


def _rising(image: np.ndarray) -> np.ndarray:
    """Stand in for a network that sees more on the right, and more at the bottom."""
    rows = np.linspace(0, 1, image.shape[0])[:, None]
    columns = np.linspace(0, 1, image.shape[1])
    return 1 / (1 + np.exp(-image * (rows + columns)))


def _from_the_left(image: np.ndarray) -> np.ndarray:
    """Stand in for a network that remembers what lies on the left."""
    return 1 - np.exp(-np.cumsum(np.square(image), axis=1))


def _asked() -> list[tuple]:
    generator = np.random.default_rng(30)
    images = [generator.random(shape) for shape in ((6, 8), (7, 7), (5, 9))]
    return [(_rising, images[0]), (_from_the_left, images[1]), (_rising, images[2])]


EXERCISES = (
    Exercise(
        "30.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="the number of labelled slices, one number that need not be whole",
        solution=_crossing,
        right="a handful of slices is enough to pass this level.",
        hints=(
            "look for the two neighbouring numbers with a mean below and a mean above 0.95.",
            "find which share of the way from the lower to the higher mean 0.95 is, and go the "
            "same share of the way between the logarithms.",
            "`np.exp(np.interp(0.95, means, np.log(numbers)))` does both steps, if the means rise.",
        ),
        mistakes=(
            Mistake(
                lambda: _interpolated(_means(), logarithmic=False),
                "this is interpolated in the number itself, but its logarithm is asked for.",
            ),
            Mistake(
                lambda: _measured_crossing(_means()),
                "this is the measured number, but the place between two of them is asked for.",
            ),
            Mistake(
                lambda: _interpolated(_means(seeds=("0",))),
                "this is one seed, but the mean over seeds is asked for.",
            ),
            Mistake(
                lambda: float(np.log(_crossing())),
                "this is the logarithm of the number, but the number is asked for.",
            ),
        ),
        tolerance=0.02,
    ),
    Exercise(
        "30.2",
        kind="make",
        level=2,
        minutes=20,
        wanted="a function that takes `ask` and an image, and returns probabilities (H, W)",
        solution=_both,
        right="asking twice costs twice the time, and no training.",
        hints=(
            "`image[:, ::-1]` swaps left and right.",
            "what `ask` says about the mirror image lies on the mirror image.",
            "mirror the second answer back before you take the mean.",
        ),
        mistakes=(
            Mistake(
                _not_mirrored_back,
                "the answer for the mirror image still lies on the mirror image.",
            ),
            Mistake(
                _upside_down, "this swaps top and bottom, but left and right are to be swapped."
            ),
            Mistake(
                _turned,
                "this swaps top and bottom as well, but only left and right are to be swapped.",
            ),
            Mistake(lambda ask, image: ask(image), "this asks about the image alone."),
            Mistake(_mirrored_alone, "this is what `ask` says about the mirror image alone."),
            Mistake(
                _of_mean_image,
                "this asks once about a mean image, but the mean of two answers is asked for.",
            ),
            Mistake(_sum, "this is the sum of both answers, but their mean is asked for."),
        ),
        arguments=_asked,
    ),
)
