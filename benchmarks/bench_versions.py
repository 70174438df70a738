"""Speed of v7, v8, v9 and the sweep, as ratios: beside the loop of the source or each other.

Runs of both are interleaved on one thread, and the median of the ratios counts, so that a busy
machine slows both.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cv2
import numpy as np
import scripts
from scipy import ndimage
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import boundary, masks, polar, versions
from skullmask_lib.tables import markdown

WIDTHS = range(1, 62, 2)
FEW = 10
MANY = 1000
PHANTOM = "phantom"
HEADER = ("what", "ratio of", "first [ms]", "second [ms]", "ratio", "target", "met")


class Head(NamedTuple):
    """A slice of a set of heads, and its truth."""

    name: str
    image: np.ndarray
    truth: np.ndarray
    spacing_mm: np.ndarray


def plain_v7(image: np.ndarray, dilation_size: int = 26) -> np.ndarray:
    """Go through the components one by one, as the source does."""
    low, high = image.min(), image.max()
    gray = ((image - low) / (high - low) * 255).astype(np.uint8)
    threshold, _ = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    count, labels = cv2.connectedComponents((gray > threshold).astype(np.uint8), connectivity=8)
    scalp = np.zeros(image.shape, bool)
    brain = np.zeros(image.shape, bool)
    largest = 0
    for label in range(1, count):
        component = labels == label
        frame = (component[0], component[-1], component[:, 0], component[:, -1])
        if any(map(np.any, frame)):
            scalp |= component
            continue
        area = np.sum(component)
        if area > largest:
            brain = component
            largest = area
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


def heads(real: Path | None) -> Iterator[Head]:
    """List the slices of the phantom, then those of a folder of real heads."""
    sources: list[str | Path] = [PHANTOM]
    if real:
        sources += scripts.files_of(real)
    for source in sources:
        name = PHANTOM if source == PHANTOM else "real heads"
        data = sm.load(source)
        for image, truth, spacing_mm in zip(data.images, data.truth, data.spacing_mm, strict=True):
            yield Head(name, image, truth, spacing_mm)


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
    _, stages = boundary.follow_boundary(unwrapped, image.shape, "v8")
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


# --- The races -----------------------------------------------------------------------------------

Runs = dict[str, list[tuple[float, float]]]  # by set of slices: the times of both [s]


class Race(NamedTuple):
    """What is raced, the names of both, and the ratio of their times that is wanted."""

    what: str
    slow: Callable[[Head], object]
    fast: Callable[[Head], object]
    names: tuple[str, str]
    wanted: float


RACES = (
    Race(
        "v7",
        lambda head: plain_v7(head.image),
        lambda head: sm.v7(head.image),
        ("loop", "v7"),
        2.0,
    ),
    Race(
        "v8 with quality",
        lambda head: plain_v7(head.image),
        lambda head: versions.mask_and_quality(head.image, spacing_mm=head.spacing_mm),
        ("loop of v7", "v8"),
        1.25,
    ),
    Race(
        "v8, its quality",
        lambda head: sm.v8(head.image, spacing_mm=head.spacing_mm),
        lambda head: versions.mask_and_quality(head.image, spacing_mm=head.spacing_mm),
        ("v8 alone", "both"),
        0.7,
    ),
    Race(
        "v7 with quality",
        lambda head: sm.v7(head.image),
        lambda head: judged_v7(head.image, head.spacing_mm),
        ("v7 alone", "both"),
        0.4,
    ),
    Race(
        "v9",
        lambda head: sm.v8(head.image, spacing_mm=head.spacing_mm),
        lambda head: sm.v9(head.image, spacing_mm=head.spacing_mm),
        ("v8", "v9"),
        1 / 1.2,
    ),
)
SWEEP = Race(
    f"{len(WIDTHS)} widths",
    lambda head: plain_sweep(head.image, head.truth),
    lambda head: sm.sweep([head.image], [head.truth], sizes=WIDTHS),
    ("loops", "sweep"),
    2.5,
)


def run(one: Race, head: Head, rounds: int) -> list[tuple[float, float]]:
    """Race on one slice."""
    return list(race(partial(one.slow, head), partial(one.fast, head), rounds))


def is_swept(index: int, head: Head) -> bool:
    """Choose the slices to sweep: all of the phantom, the middle one of every real head."""
    return head.name == PHANTOM or index % 5 == 2


def run_all(slices: Sequence[Head], rounds: int) -> dict[Race, Runs]:
    """Race on every slice; a sweep takes long, so it runs once and on some."""
    runs: dict[Race, Runs] = {one: {} for one in (*RACES, SWEEP)}
    for index, head in enumerate(tqdm(slices, unit="slice", leave=False, disable=None)):
        assert np.array_equal(plain_v7(head.image), sm.v7(head.image))
        for one in RACES:
            runs[one].setdefault(head.name, []).extend(run(one, head, rounds))
        if is_swept(index, head):
            runs[SWEEP].setdefault(head.name, []).extend(run(SWEEP, head, 1))
    return runs


def row(one: Race, name: str, times_s: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    """Sum up a race on one set of slices."""
    ratio = median(slow_s / fast_s for slow_s, fast_s in times_s)
    slow, fast = medians_ms(times_s)
    return (
        f"{one.what}, {name}",
        " ÷ ".join(one.names),
        slow,
        fast,
        f"{ratio:.2f}",
        f"≥ {one.wanted:.2g}",
        "yes" if ratio >= one.wanted else "NO",
    )


def row_of_components(rounds: int) -> tuple[str, ...]:
    """Race v7 on many components against v7 on few: how much longer it takes."""
    few = spots(FEW)
    many = spots(MANY)
    times_s = list(race(lambda: sm.v7(many), lambda: sm.v7(few), 10 * rounds))
    growth = median(slow_s / fast_s for slow_s, fast_s in times_s) - 1
    return (
        f"v7, {MANY} components",
        f"{MANY} ÷ {FEW}",
        *medians_ms(times_s),
        f"{growth:+.0%}",
        "< +30%",
        "yes" if growth < 0.3 else "NO",
    )


def medians_ms(times_s: Sequence[tuple[float, float]]) -> tuple[str, str]:
    """Return the median time of the slower and of the faster one [ms]."""
    slow_s, fast_s = zip(*times_s, strict=True)
    return f"{1000 * median(slow_s):.1f}", f"{1000 * median(fast_s):.1f}"


# --- Where the time goes -------------------------------------------------------------------------

PARTS = {"v7": parts_of_v7, "v8": parts_of_v8}


def profile(steps: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Time a version and every primitive of it on its own, in turn."""
    times_s: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(9):
        for name, step in steps.items():
            times_s[name].append(seconds(step))
    return {name: median(of_step) for name, of_step in times_s.items()}


def shares(version: str, slices: Iterable[Head]) -> list[tuple[str, str, str]]:
    """List what every primitive of a version takes, and its share of the whole."""
    profiles = [profile(PARTS[version](head.image, head.spacing_mm)) for head in slices]
    steps_s = {step: median(one[step] for one in profiles) for step in profiles[0]}
    whole_s = steps_s.pop(version)
    steps_s["the rest"] = max(whole_s - sum(steps_s.values()), 0.0)
    steps_s[version] = whole_s
    rows = []
    for step, time_s in steps_s.items():
        rows.append((step, f"{1000 * time_s:.2f}", f"{time_s / whole_s:.0%}"))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--real", type=Path, default=scripts.real_folder("slices"), help="folder of .npz slices"
    )
    parser.add_argument(
        "--rounds", type=scripts.count, default=5, help="runs of each for every slice (default: 5)"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)
    slices = list(heads(options.real))
    rows = []
    for one, runs in run_all(slices, options.rounds).items():
        rows += [row(one, name, times_s) for name, times_s in runs.items()]
    rows.append(row_of_components(options.rounds))
    software = f"OpenCV {cv2.__version__}, numpy {np.__version__}, one thread"
    print(f"{software}, {options.rounds} rounds per slice, medians\n")
    print(markdown(rows, HEADER).data)
    phantom = [head for head in slices if head.name == PHANTOM]
    for version in PARTS:
        print(f"\nWhere the time of {version} goes, on the phantom:\n")
        print(markdown(shares(version, phantom), ("step", "time [ms]", "share")).data)


if __name__ == "__main__":
    scripts.run(main)
