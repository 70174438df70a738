"""Speed of generate_brain_mask beside nidataset, as ratios on this machine.

Whole calls are timed, reading and writing included. Runs of both are interleaved on one thread, and
the median of the ratios counts, so that a busy machine slows both. The volumes are a generated head
and those in SKULLMASK_REAL/volumes whose voxels are at most 1 mm wide; a mask that is not
nidataset's ends the run.
"""

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import nibabel as nib
import numpy as np
import scripts
from bench_versions import race
from nidataset.volume import generate_brain_mask as by_nidataset
from scipy import ndimage
from tqdm import tqdm

from skullmask_lib.errors import InputError
from skullmask_lib.io import nifti
from skullmask_lib.tables import markdown
from skullmask_lib.volumes import brain_masks, morphology

TARGET = 2.0
HEADER = ("volume", "shape", "nidataset [s]", "skullmask [s]", "ratio", "target", "met")
# A millimetre, as headers round it
WIDEST_MM = 1.01


def generated(path: Path) -> Path:
    """Write a head of nested ellipsoids in noise, 181 × 217 × 181 voxels of 1 mm."""
    shape = (181, 217, 181)
    axes = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    distance = np.sqrt(sum(axis**2 for axis in axes))
    bright = np.select(
        [distance < 0.68, distance < 0.72, distance < 0.8, distance < 0.9],
        [110.0, 25.0, 10.0, 150.0],
    )
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 60, shape), 1)
    nib.save(nib.Nifti1Image(np.clip(bright + noise, 0, 255).astype(np.uint8), np.eye(4)), path)
    return path


def of_1_mm(folder: Path) -> Iterator[tuple[str, Path]]:
    """List the volumes whose voxels are at most 1 mm wide; refuse a folder without volumes."""
    paths = sorted(folder.glob("*/image.nii.gz"))
    if not paths:
        raise InputError("expected volumes as NAME/image.nii.gz, found none", folder)
    for path in paths:
        if max(nib.load(path).header.get_zooms()) <= WIDEST_MM:
            yield path.parent.name, path


def race_on(
    path: Path, folder: Path, rounds: int, closing_radius: int
) -> list[tuple[float, float]]:
    """Race both on a volume, give their times, and check that their masks are the same."""

    def slow() -> None:
        with warnings.catch_warnings(action="ignore"):
            by_nidataset(str(path), str(folder), None, closing_radius)

    def fast() -> None:
        brain_masks.generate_brain_mask(path, folder, None, closing_radius)

    times_s = list(race(slow, fast, rounds))
    prefix = path.name.removesuffix(".nii.gz")
    ours = nib.load(folder / f"{prefix}_brain_mask.nii.gz")
    theirs = nib.load(folder / f"{prefix}_mask.nii.gz")
    assert np.array_equal(ours.dataobj, theirs.dataobj)
    assert np.array_equal(ours.affine, theirs.affine)
    return times_s


def steps(path: Path, folder: Path, closing_radius: int) -> dict[str, float]:
    """Time each step of one call alone, on the whole volume; the call itself crops it first."""
    times_s: dict[str, float] = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = step()
        times_s[name] = time.perf_counter() - start
        return result

    volume, image = timed("read", lambda: nifti.read(path, None))
    low, high = timed("otsu_range", lambda: brain_masks.otsu_range(volume))
    inside = timed("range", lambda: np.ascontiguousarray((volume >= low) & (volume <= high)))
    filled = timed("fill_holes", lambda: morphology.fill_holes(inside))
    closed = timed("close", lambda: morphology.close(filled, closing_radius))
    mask = timed("largest_component", lambda: morphology.largest_component(closed))
    timed("write", lambda: nifti.write(mask, folder / "mask.nii.gz", image))
    return times_s


def row_of(name: str, path: Path, times_s: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    """Sum up a race, as `HEADER`."""
    ratio = median(slow_s / fast_s for slow_s, fast_s in times_s)
    slow_s, fast_s = zip(*times_s, strict=True)
    return (
        name,
        " × ".join(map(str, nib.load(path).shape)),
        f"{median(slow_s):.2f}",
        f"{median(fast_s):.2f}",
        f"{ratio:.2f}",
        f"≥ {TARGET:g}",
        "yes" if ratio >= TARGET else "NO",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--real", type=Path, default=scripts.real_folder("volumes"), help="folder of volumes"
    )
    parser.add_argument(
        "--rounds", type=scripts.count, default=5, help="runs of each for every volume (default: 5)"
    )
    parser.add_argument(
        "--radius", type=scripts.count, default=3, help="closing radius [voxels] (default: 3)"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)

    real = list(of_1_mm(options.real)) if options.real else []
    rows = []
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        heads = [("generated", generated(Path(folder, "generated.nii.gz"))), *real]
        for name, path in tqdm(heads, unit="volume", leave=False, disable=None):
            times_s = race_on(path, Path(folder), options.rounds, options.radius)
            rows.append(row_of(name, path, times_s))
            steps_s = steps(path, Path(folder), options.radius)
            parts.append((name, *(f"{1000 * step_s:.0f}" for step_s in steps_s.values())))
    software = f"OpenCV {cv2.__version__}, numpy {np.__version__}, one thread"
    print(f"{software}, radius {options.radius}, {options.rounds} rounds per volume, medians\n")
    print(markdown(rows, HEADER).data)
    print(f"\nWhere the time goes, with radius {options.radius} [ms]:\n")
    print(markdown(parts, ("volume", *steps_s)).data)


if __name__ == "__main__":
    scripts.run(main)
