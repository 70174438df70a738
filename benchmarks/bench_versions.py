"""Speed of v7, v8 and the sweep beside the loop that the source describes, as ratios.

Runs of both are interleaved on one thread, and the median of the ratios counts, so that a busy
machine slows both.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from scipy import ndimage
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import masks, polar, versions
from skullmask_lib.tables import markdown

WIDTHS = range(1, 62, 2)
FEW, MANY = 10, 1000


def plain_v7(image: np.ndarray, dilation_size: int = 26) -> np.ndarray:
    """Go through the components one by one, as the source does."""
    low, high = image.min(), image.max()
    gray = ((image - low) / (high - low) * 255).astype(np.uint8)
    threshold, _ = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    count, labels = cv2.connectedComponents((gray > threshold).astype(np.uint8), connectivity=8)
    scalp, brain, largest = np.zeros(image.shape, bool), np.zeros(image.shape, bool), 0
    for label in range(1, count):
        component = labels == label
        if (
            np.any(component[0])
            or np.any(component[-1])
            or np.any(component[:, 0])
            or np.any(component[:, -1])
        ):
            scalp |= component
        elif (area := np.sum(component)) > largest:
            brain, largest = component, area
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (dilation_size, dilation_size))
    dilated = cv2.dilate(brain.astype(np.uint8), kernel) > 0
    return ndimage.binary_fill_holes(dilated & ~scalp).astype(np.uint8)


def plain_sweep(image: np.ndarray, truth: np.ndarray) -> list[tuple[float, float]]:
    made = [plain_v7(image, width) for width in WIDTHS]
    return [(sm.iou(mask, truth), sm.dice(mask, truth)) for mask in made]


def judged_v7(image: np.ndarray, spacing_mm: np.ndarray) -> float:
    return polar.quality(image, sm.v7(image), spacing_mm=spacing_mm)


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def race(
    slow: Callable[[], object], fast: Callable[[], object], rounds: int
) -> Iterator[tuple[float, float]]:
    """Run both in turn and give their times."""
    fast()
    for _ in range(rounds):
        yield seconds(slow), seconds(fast)


def heads(real: Path | None) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    for source in ["phantom", *(sorted(real.glob("*.npz")) if real else [])]:
        data = sm.load(source)
        for image, truth, mm in zip(data.images, data.truth, data.spacing_mm, strict=True):
            yield "phantom" if source == "phantom" else "real heads", image, truth, mm


def spots(count: int) -> np.ndarray:
    """Give a head-sized image with one brain and so many bright components in all."""
    image = np.zeros((768, 624), np.float32)
    cv2.ellipse(image, (312, 384), (160, 200), 0, 0, 360, 1.0, -1)
    rows, columns = np.mgrid[6:760:9, 6:616:9].reshape(2, -1)
    outside = np.hypot((rows - 384) / 230, (columns - 312) / 190) > 1
    picked = np.random.default_rng(0).permutation(np.flatnonzero(outside))[: count - 1]
    for row, column in zip(rows[picked], columns[picked], strict=True):
        image[row : row + 4, column : column + 4] = 0.8
    assert cv2.connectedComponents((image > 0.5).astype(np.uint8))[0] - 1 == count
    return image


def parts_of_v7(image: np.ndarray, _spacing_mm: np.ndarray) -> dict[str, Callable[[], object]]:
    gray = masks.normalize(image)
    bright = (gray > masks.otsu_threshold(gray)).astype(np.uint8)
    labels, _ = masks.label_components(bright)
    brain = masks.largest_component(bright)
    dilated = masks.dilate(brain, 26)
    return {
        "normalize": lambda: masks.normalize(image),
        "otsu_threshold": lambda: masks.otsu_threshold(gray),
        "label_components": lambda: masks.label_components(bright),
        "touches_edge": lambda: masks.touches_edge(labels),
        "dilate": lambda: masks.dilate(brain, 26),
        "fill_holes": lambda: masks.fill_holes(dilated),
        "v7": lambda: sm.v7(image),
    }


def parts_of_v8(image: np.ndarray, spacing_mm: np.ndarray) -> dict[str, Callable[[], object]]:
    unwrapped = polar.unwrap(image, spacing_mm)
    stages = versions.scalp_boundary(unwrapped)
    rays = polar.merge_rays(unwrapped.brightness)
    inner_edge_cost = polar.inner_edge_cost(rays)
    path = stages["path"]
    outline = stages["outline"]
    return {
        "unwrap": lambda: polar.unwrap(image, spacing_mm),
        "surface_cost": lambda: polar.surface_cost(rays),
        "inner_edge_cost": lambda: polar.inner_edge_cost(rays),
        "nested_paths": lambda: polar.nested_paths(stages["cost"], inner_edge_cost),
        "half_maximum": lambda: polar.half_maximum(unwrapped.brightness, path, unwrapped.cut),
        "fill_outline": lambda: polar.fill_outline(unwrapped, outline),
        "v8": lambda: sm.v8(image, spacing_mm=spacing_mm),
    }


def profile(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Time a version and every primitive of it on its own, in turn."""
    rounds = [{name: seconds(step) for name, step in steps.items()} for _ in range(9)]
    return {name: median(times[name] for times in rounds) for name in steps}


def row(
    name: str, runs: list[tuple[float, float]], target: float, names: tuple[str, str]
) -> tuple[object, ...]:
    ratio = median(slow / fast for slow, fast in runs)
    (slow, fast), told = (
        (1000 * median(times) for times in zip(*runs, strict=True)),
        " ÷ ".join(names),
    )
    return (
        name,
        told,
        f"{slow:.1f}",
        f"{fast:.1f}",
        f"{ratio:.2f}",
        f"≥ {target:.2g}",
        "yes" if ratio >= target else "NO",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    here = os.environ.get("SKULLMASK_REAL")
    parser.add_argument(
        "--real", type=Path, default=here and Path(here, "slices"), help="folder of .npz slices"
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each for every slice")
    options = parser.parse_args()
    cv2.setNumThreads(1)

    sets = list(heads(options.real))
    single: dict[str, list] = {name: [] for name, *_ in sets}
    eighth: dict[str, list] = {name: [] for name, *_ in sets}
    judged: dict[str, list] = {name: [] for name, *_ in sets}
    swept: dict[str, list] = {name: [] for name, *_ in sets}
    for index, (name, image, truth, mm) in enumerate(tqdm(sets, unit="slice", leave=False)):
        assert np.array_equal(plain_v7(image), sm.v7(image))
        single[name] += race(lambda: plain_v7(image), lambda: sm.v7(image), options.rounds)  # noqa: B023
        eighth[name] += race(
            lambda: plain_v7(image),  # noqa: B023
            lambda: versions.mask_and_quality(image, spacing_mm=mm),  # noqa: B023
            options.rounds,
        )
        judged[name] += race(
            lambda: sm.v7(image),  # noqa: B023
            lambda: judged_v7(image, mm),  # noqa: B023
            options.rounds,
        )
        if name == "phantom" or index % 5 == 2:  # the middle one of every real head
            swept[name] += race(
                lambda: plain_sweep(image, truth),  # noqa: B023
                lambda: sm.sweep([image], [truth], sizes=WIDTHS),  # noqa: B023
                1,
            )
    few, many = spots(FEW), spots(MANY)
    growth = list(race(lambda: sm.v7(many), lambda: sm.v7(few), 10 * options.rounds))
    grown = median(slow / fast for slow, fast in growth) - 1

    rows = [row(f"v7, {name}", runs, 2.0, ("loop", "v7")) for name, runs in single.items()]
    rows += [
        row(f"v8 with quality, {name}", runs, 1.25, ("loop of v7", "v8"))
        for name, runs in eighth.items()
    ]
    rows += [
        row(f"v7 with quality, {name}", runs, 0.4, ("v7 alone", "both"))
        for name, runs in judged.items()
    ]
    rows += [
        row(f"{len(WIDTHS)} widths, {name}", runs, 2.5, ("loops", "sweep"))
        for name, runs in swept.items()
    ]
    times = (f"{1000 * median(times):.1f}" for times in zip(*growth, strict=True))
    met = "yes" if grown < 0.3 else "NO"
    rows.append(
        (f"v7, {MANY} components", f"{MANY} ÷ {FEW}", *times, f"{grown:+.0%}", "< +30%", met)
    )
    software = f"OpenCV {cv2.__version__}, numpy {np.__version__}, one thread"
    print(f"{software}, {options.rounds} rounds per slice, medians\n")
    print(
        markdown(
            rows, ("what", "ratio of", "first [ms]", "second [ms]", "ratio", "target", "met")
        ).data
    )

    for version, parts_of in (("v7", parts_of_v7), ("v8", parts_of_v8)):
        measured = [
            profile(parts_of(image, mm)) for name, image, _, mm in sets if name == "phantom"
        ]
        steps = {step: median(part[step] for part in measured) for step in measured[0]}
        whole = steps.pop(version)
        steps |= {"the rest": max(whole - sum(steps.values()), 0.0), version: whole}
        print(f"\nWhere the time of {version} goes, on the phantom:\n")
        shown = [
            (step, f"{1000 * time_s:.2f}", f"{time_s / whole:.0%}")
            for step, time_s in steps.items()
        ]
        print(markdown(shown, ("step", "time [ms]", "share")).data)


if __name__ == "__main__":
    main()
