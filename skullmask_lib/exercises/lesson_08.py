"""Exercises of lesson 08: the scalp's inner boundary."""

from collections.abc import Callable

import numpy as np

from .. import metrics, polar, versions
from ..io.datasets import load
from .definitions import Exercise, Mistake

_FIRST = round(polar.MIN_SCALP_MM / polar.STEP_MM)  # samples of skin
_CAP = 0.15  # of the step, as in the lesson


def _mean_between(rays: np.ndarray, first: int, stop: int) -> np.ndarray:
    """Average the logarithm of brightness around every place, as the lesson does."""
    level = 1 + np.log(np.minimum(rays, 1.2) + 0.1) / np.log(1 + 1 / 0.1)
    sums = np.cumsum(np.pad(level, ((0, 0), (1, 0))), axis=1)
    end = level.shape[1]
    place = np.arange(end)
    start_at = np.clip(place + first, 0, end)
    stop_at = np.clip(place + stop, 0, end)
    count = np.maximum(stop_at - start_at, 1).astype(np.float32)
    return (sums[:, stop_at] - sums[:, start_at]) / count


def _price(rays: np.ndarray, cap: float = _CAP, *, has_inner_edge: bool = True) -> np.ndarray:
    """Price every place on every ray as the skull's surface, as the lesson does."""
    outside = _mean_between(rays, -2, 0)
    bone = _mean_between(rays, 0, 2)
    depth = np.float32(0.006 * polar.STEP_MM) * np.arange(rays.shape[1])
    surface = -np.minimum(outside - bone, cap) + 0.5 * bone + depth
    if not has_inner_edge:
        return surface
    edge = 0.4 * (outside - np.minimum(_mean_between(rays, 0, 6), 1))
    thicknesses = np.arange(5, 25)
    count = rays.shape[1] - thicknesses[-1]
    edges = []
    for thickness in thicknesses:
        off_mm = abs(polar.STEP_MM * thickness - 5)
        edges.append(edge[:, thickness : thickness + count] + 0.012 * off_mm)
    return surface[:, :count] + np.min(edges, axis=0)


# 08.1: the toy ray with other layers

_CASES = (("diploe", 1.0), ("muscle", 0.5), ("muscle", 0.2))


def _toy_ray(**changed: float) -> np.ndarray:
    layers = [("fat", 4, 1.4), ("muscle", 6, 0.7), ("bone", 2.5, 0.12), ("diploe", 3, 0.7)]
    layers += [("bone", 2.5, 0.12), ("fluid", 2, 0.4), ("brain", 28, 1.0)]
    parts = []
    for name, mm, level in layers:
        parts.append(np.full(round(mm / polar.STEP_MM), changed.get(name, level)))
    return np.concatenate(parts)[None]


def _lowest_mm(ray: np.ndarray, cap: float, first: int = _FIRST) -> float:
    return polar.STEP_MM * (first + int(_price(ray, cap)[0, first:].argmin()))


def _lowest_of_cases() -> tuple[float, ...]:
    places_mm = []
    for cap in (_CAP, np.inf):
        places_mm += [_lowest_mm(_toy_ray(**dict([case])), cap) for case in _CASES]
    return tuple(places_mm)


def _lowest_case_by_case() -> list[float]:
    capped, uncapped = np.reshape(_lowest_of_cases(), (2, 3))
    return np.transpose([capped, uncapped]).ravel().tolist()


def _steepest_of_cases() -> list[float]:
    places_mm = []
    for case in _CASES:
        fall = -np.diff(_toy_ray(**dict([case]))[0])
        places_mm.append(polar.STEP_MM * (1 + int(fall.argmax())))
    return places_mm * 2


# 08.2: every ray for itself


def _cheapest(head: polar.Unwrapped) -> np.ndarray:
    return _FIRST + _price(head.brightness)[:, _FIRST:].argmin(axis=1)


def _cheapest_with_skin(head: polar.Unwrapped) -> np.ndarray:
    return _price(head.brightness).argmin(axis=1)


def _cheapest_past_samples(head: polar.Unwrapped) -> np.ndarray:
    """Leave out as many samples as there are millimetres of skin."""
    first = round(polar.MIN_SCALP_MM)
    return first + _price(head.brightness)[:, first:].argmin(axis=1)


def _cheapest_past_skin(head: polar.Unwrapped) -> np.ndarray:
    return _price(head.brightness)[:, _FIRST:].argmin(axis=1)


def _cheapest_surface(head: polar.Unwrapped) -> np.ndarray:
    price = _price(head.brightness, has_inner_edge=False)
    return _FIRST + price[:, _FIRST:].argmin(axis=1)


def _cheapest_of_merged(head: polar.Unwrapped) -> np.ndarray:
    price = _price(polar.merge_rays(head.brightness))
    return polar.spread_path(_FIRST + price[:, _FIRST:].argmin(axis=1))


def _cheapest_of_repeated(head: polar.Unwrapped) -> np.ndarray:
    price = _price(polar.merge_rays(head.brightness))
    return np.repeat(_FIRST + price[:, _FIRST:].argmin(axis=1), 2)


def _steepest(head: polar.Unwrapped) -> np.ndarray:
    return 1 + np.diff(head.brightness).argmin(axis=1)


def _iou_of(
    image: np.ndarray,
    true: np.ndarray,
    spacing_mm: np.ndarray | None,
    path_of: Callable[[polar.Unwrapped], np.ndarray] = _cheapest,
    *,
    moves: bool = True,
    score: Callable[..., float] = metrics.iou,
) -> float:
    head = polar.unwrap(image, spacing_mm)
    if head is None:
        return 0.0
    path = path_of(head)
    if moves:
        path = polar.half_maximum(head.brightness, path, head.cut)
    return score(polar.fill_outline(head, path), true)


def _iou_of_paths(image: np.ndarray, true: np.ndarray, spacing_mm: np.ndarray) -> float:
    return metrics.iou(versions.v8(image, spacing_mm=spacing_mm), true)


def _noisy(image: np.ndarray, true: np.ndarray, percent: float) -> np.ndarray:
    level = percent / 100 * np.median(image[true > 0])
    noise = np.random.default_rng(8).standard_normal((2, *image.shape), dtype=np.float32)
    return np.hypot(image + level * noise[0], level * noise[1])


def _slices() -> list[tuple]:
    data = load("phantom")
    arguments = []
    for index, noise_percent in ((2, 0), (2, 60), (0, 40)):
        true = data.truth[index]
        noisy = _noisy(data.images[index], true, noise_percent)
        arguments.append((noisy, true, data.spacing_mm[index]))
    image, true, spacing_mm = arguments[0]
    arguments.append((_half_as_large(image), _half_as_large(true), 2 * spacing_mm))
    return arguments


def _half_as_large(image: np.ndarray) -> np.ndarray:
    """Keep every second row and column, in the middle of a frame of the old shape."""
    halved = image[::2, ::2]
    frame = np.zeros_like(image)
    top, left = np.subtract(frame.shape, halved.shape) // 2
    frame[top : top + halved.shape[0], left : left + halved.shape[1]] = halved
    return frame


EXERCISES = (
    Exercise(
        "08.1",
        kind="modify",
        level=2,
        minutes=10,
        wanted="the depth of the lowest price in mm, six numbers",
        solution=_lowest_of_cases,
        right="with its limit the step cannot outweigh the other terms, and without it a "
        "single high step can.",
        hints=(
            "make a new list of layers with one brightness changed, and hand it to `ray_through`.",
            "the price is the sum of the terms, and the first 2 mm of the ray are skin, where no "
            "path may run.",
            "`argmin` counts samples from where you began to look, and a sample is `STEP_MM` deep.",
        ),
        mistakes=(
            Mistake(
                lambda: [_lowest_mm(_toy_ray(), cap) for cap in (_CAP, np.inf) for _ in _CASES],
                "this is where the price of the toy ray was lowest before, so check that the layer "
                "changes in each case, and the limit in the last three.",
            ),
            Mistake(
                lambda: [mm / polar.STEP_MM for mm in _lowest_of_cases()],
                "these are samples; give the depths in mm.",
            ),
            Mistake(
                lambda: [mm - polar.MIN_SCALP_MM for mm in _lowest_of_cases()],
                "the depth counts from the skin, but these begin where the skin ends.",
            ),
            Mistake(
                _steepest_of_cases,
                "these are the steepest falls, but the lowest price is asked for.",
            ),
            Mistake(
                lambda: _lowest_of_cases()[3:] + _lowest_of_cases()[:3],
                "the three depths with the limit come first, then those without it.",
            ),
            Mistake(
                _lowest_case_by_case,
                "the order is all three cases with the limit, then all three without it.",
            ),
        ),
    ),
    Exercise(
        "08.2",
        kind="make",
        level=3,
        minutes=20,
        wanted="a function that takes a slice, its truth and its spacing in mm and returns an IoU",
        solution=_iou_of,
        right="on the clean slice single rays do nearly as well as the paths, and in noise they go "
        "astray.",
        hints=(
            "the lesson's own step unwraps the slice, finds a path, moves it to halfway and fills "
            "the outline, and only the path changes.",
            "`price_terms` takes `unwrapped.brightness` as it is, with all of its rays, and its "
            "terms add up.",
            "look for the minimum along each ray, beyond the first 2 mm, and count its place from "
            "the skin.",
        ),
        mistakes=(
            Mistake(
                _iou_of_paths,
                "this is v8 with its paths, but every ray is to choose for itself.",
            ),
            Mistake(
                lambda image, true, mm: _iou_of(image, true, mm, _cheapest_with_skin),
                "some rays choose a place in the skin, so leave out the first 2 mm.",
            ),
            Mistake(
                lambda image, true, mm: _iou_of(image, true, mm, _cheapest_past_samples),
                "this leaves out 2 samples of each ray, but 2 mm of skin are more of them.",
            ),
            Mistake(
                lambda image, true, mm: _iou_of(image, true, mm, score=metrics.dice),
                "this is Dice, but the IoU is asked for.",
            ),
            Mistake(
                lambda image, true, mm: _iou_of(image, true, mm, _cheapest_past_skin),
                "the places count from where the skin ends, so add what was left out.",
            ),
            Mistake(
                lambda image, true, mm: _iou_of(image, true, mm, _cheapest_of_merged),
                "these are merged rays; let each of the 360 rays choose for itself.",
            ),
            Mistake(
                lambda image, true, mm: _iou_of(image, true, mm, _cheapest_of_repeated),
                "these are merged rays, each of them twice; let each of the 360 rays choose for "
                "itself.",
            ),
            Mistake(
                lambda image, true, _: _iou_of(image, true, None),
                "this guesses the spacing; hand `spacing_mm` to `polar.unwrap`.",
            ),
            Mistake(
                lambda image, true, _: _iou_of(image, true, load("phantom").spacing_mm[2]),
                "this is the spacing of the lesson's slice; each slice comes with its own.",
            ),
            Mistake(
                lambda image, true, mm: _iou_of(image, true, mm, moves=False),
                "the places lie on the grid of samples; `polar.half_maximum` moves them.",
            ),
            Mistake(
                lambda image, true, mm: _iou_of(image, true, mm, _cheapest_surface),
                "the inner edge is missing from the price.",
            ),
            Mistake(
                lambda image, true, mm: _iou_of(image, true, mm, _steepest),
                "this is the steepest fall of every ray, but the cheapest place is asked for.",
            ),
        ),
        arguments=_slices,
        tolerance=0.0003,
    ),
)
