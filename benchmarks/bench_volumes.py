"""Speed of generate_brain_mask beside nidataset, as ratios on this machine.

Whole calls are timed, reading and writing included. Runs of both are interleaved on one thread, and
the median of the ratios counts, so that a busy machine slows both. The volumes are a generated head
and those in SKULLMASK_REAL/volumes whose voxels are at most 1 mm wide; a mask that is not
nidataset's ends the run.
"""

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import cv2
import nibabel as nib
import numpy as np
import scripts
from nidataset.volume import generate_brain_mask as by_nidataset
from scipy import ndimage
from tqdm import tqdm

from skullmask_lib.errors import InputError
from skullmask_lib.io import nifti
from skullmask_lib.tables import markdown
from skullmask_lib.volumes import brain_masks, morphology

TARGET = 2.0
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


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def race(path: Path, folder: Path, rounds: int, closing_radius: int) -> list[tuple[float, float]]:
    """Run both in turn and give their times."""

    def slow() -> None:
        with warnings.catch_warnings(action="ignore"):
            by_nidataset(str(path), str(folder), None, closing_radius)

    def fast() -> None:
        brain_masks.generate_brain_mask(path, folder, None, closing_radius)

    fast()
    times = [(seconds(slow), seconds(fast)) for _ in range(rounds)]
    prefix = path.name.removesuffix(".nii.gz")
    made, wanted = (nib.load(folder / f"{prefix}{end}.nii.gz") for end in ("_brain_mask", "_mask"))
    assert np.array_equal(made.dataobj, wanted.dataobj)
    assert np.array_equal(made.affine, wanted.affine)
    return times


def steps(path: Path, folder: Path) -> dict[str, float]:
    """Time each step of one call alone, on the whole volume; the call itself crops it first."""
    found: dict[str, object] = {}

    def do(name: str, run: Callable[[], object]) -> float:
        return seconds(lambda: found.update({name: run()}))

    times = {"read": do("read", lambda: nifti.read(path, None))}
    volume, image = found["read"]
    times["otsu_range"] = do("range", lambda: brain_masks.otsu_range(volume))
    low, high = found["range"]
    times["range"] = do("inside", lambda: np.ascontiguousarray((volume >= low) & (volume <= high)))
    times["fill_holes"] = do("filled", lambda: morphology.fill_holes(found["inside"]))
    times["close"] = do("closed", lambda: morphology.close(found["filled"], 3))
    times["largest_component"] = do("mask", lambda: morphology.largest_component(found["closed"]))
    times["write"] = do("none", lambda: nifti.write(found["mask"], folder / "mask.nii.gz", image))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    here = os.environ.get("SKULLMASK_REAL")
    parser.add_argument(
        "--real", type=Path, default=here and Path(here, "volumes"), help="folder of volumes"
    )
    parser.add_argument(
        "--rounds", type=scripts.count, default=5, help="runs of each for every volume (default: 5)"
    )
    parser.add_argument(
        "--radius", type=scripts.count, default=3, help="closing radius [voxels] (default: 3)"
    )
    options = parser.parse_args()
    cv2.setNumThreads(1)

    rows, parts = [], []
    with tempfile.TemporaryDirectory() as folder:
        heads = [("generated", generated(Path(folder, "generated.nii.gz")))]
        if options.real:
            heads += of_1_mm(options.real)
        for name, path in tqdm(heads, unit="volume", leave=False):
            times = race(path, Path(folder), options.rounds, options.radius)
            ratio = median(slow / fast for slow, fast in times)
            slow, fast = (f"{median(each):.2f}" for each in zip(*times, strict=True))
            shape = " × ".join(map(str, nib.load(path).shape))
            rows.append(
                (
                    name,
                    shape,
                    slow,
                    fast,
                    f"{ratio:.2f}",
                    f"≥ {TARGET:g}",
                    "yes" if ratio >= TARGET else "NO",
                )
            )
            parts.append(
                (name, *(f"{1000 * time_s:.0f}" for time_s in steps(path, Path(folder)).values()))
            )
        names = list(steps(heads[0][1], Path(folder)))
    print(
        f"OpenCV {cv2.__version__}, numpy {np.__version__}, one thread, radius {options.radius}, ",
        end="",
    )
    print(f"{options.rounds} rounds per volume, medians\n")
    print(
        markdown(
            rows, ("volume", "shape", "nidataset [s]", "skullmask [s]", "ratio", "target", "met")
        ).data
    )
    print("\nWhere the time goes, with radius 3 [ms]:\n")
    print(markdown(parts, ("volume", *names)).data)


if __name__ == "__main__":
    scripts.run(main)
