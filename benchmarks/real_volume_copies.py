"""`strip` on degraded copies of real volumes: a part of ``make real-heads``.

Each volume with a true brain is stripped as it is and as copies with large voxels, thick slices, a
tilted head, a bias field, noise or a ghost; once with the skull that v8 finds, and once with v9's.
The folder that SKULLMASK_REAL names holds the volumes, as ``volumes/NAME/image.nii.gz`` with
``brain.nii.gz`` beside it; they are not part of the project. Dice counts once on the trusted
levels, which a copy carries along, and once on the whole head, where the truth goes that far. The
table goes to data/volume_copies.csv, a row for each volume, copy and version.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import scripts
from bench_peers import VOLUMES, check_volumes
from real_heads import command_line, make_table
from scipy import ndimage
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import tables
from skullmask_lib.boundary import BOUNDARY_VERSIONS
from skullmask_lib.volumes import stripping

TABLE = Path(__file__).parents[1] / "data" / "volume_copies.csv"
HEADER = (
    "volume",
    "copy",
    "skull_by",
    "dice",
    "dice_whole",
    "quality",
    "seconds",
    "date",
    "version",
)
SUMMARY_HEADER = ("copy", *VOLUMES, "worst", "lowest quality")
VERSIONS_HEADER = ("copy", "mean, v8", "mean, v9", "worst, v8", "worst, v9")
NONE = "as it is"
GHOST = "ghost 15 %"
WANTED_DICE = 0.95  # of v8, of all copies but the ghost
# What is bright, in percent of the voxels
_BRIGHT_PERCENTILE = 99
# What is air
_AIR_PERCENTILE = 1
_SEED = 1

Row = dict[str, object]


@dataclass(frozen=True)
class Head:
    """A volume in RAS order, its true brain, and where the truth can be trusted."""

    volume: np.ndarray
    truth: np.ndarray
    trusted: np.ndarray
    affine: np.ndarray

    @property
    def sizes_mm(self) -> np.ndarray:
        return nib.affines.voxel_sizes(self.affine)


Copy = Callable[[Head], Head]


def read(folder: Path, name: str) -> Head:
    """Read a volume and its truth."""
    image = nib.as_closest_canonical(nib.load(folder / name / "image.nii.gz"))
    brain = nib.as_closest_canonical(nib.load(folder / name / "brain.nii.gz"))
    truth = np.asanyarray(brain.dataobj) > 0
    first, last = VOLUMES[name].levels
    trusted = np.zeros_like(truth)
    trusted[:, :, first : last + 1] = True
    return Head(np.asarray(image.dataobj, np.float32), truth, trusted, image.affine)


# --- Copies --------------------------------------------------------------------------------------


def unchanged(head: Head) -> Head:
    """Leave a volume as it is."""
    return head


def coarse(head: Head, sizes_mm: Sequence[float]) -> Head:
    """Average over larger voxels; an axis whose voxels are larger already stays."""
    parts = [head.volume, head.truth, head.trusted]
    affine = head.affine.copy()
    for axis, wanted_mm in enumerate(sizes_mm):
        count = head.volume.shape[axis]
        size_mm = head.sizes_mm[axis]
        new_count = round(count * size_mm / max(size_mm, wanted_mm))
        parts = [averaged(part, axis, new_count) for part in parts]
        factor = count / new_count
        affine[:3, 3] += affine[:3, axis] * (factor - 1) / 2
        affine[:3, axis] *= factor
    volume, truth, trusted = parts
    return Head(volume, truth > 0.5, trusted > 0.5, affine)


def averaged(values: np.ndarray, axis: int, new_count: int) -> np.ndarray:
    """Average along an axis over equal spans, which need not end between two voxels."""
    values = np.moveaxis(values, axis, 0).astype(np.float64)
    sums = np.concatenate([np.zeros_like(values[:1]), values.cumsum(axis=0)])
    ends = np.linspace(0, len(values), new_count + 1)
    below = np.minimum(ends.astype(int), len(values) - 1)
    share = (ends - below)[:, None, None]
    spans = np.diff(sums[below] * (1 - share) + sums[below + 1] * share, axis=0)
    means = spans * new_count / len(values)
    return np.moveaxis(means, 0, axis).astype(np.float32)


def pitched(head: Head, degrees: float) -> Head:
    """Turn the head about the axis from ear to ear; a positive angle lowers the chin."""
    angle = np.deg2rad(degrees)
    cosine = np.cos(angle)
    sine = np.sin(angle)
    turn_mm = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    turn = turn_mm * head.sizes_mm / head.sizes_mm[:, None]
    middle = (np.array(head.volume.shape) - 1) / 2
    offset = middle - turn @ middle

    def turned(values: np.ndarray, beyond: float) -> np.ndarray:
        floats = values.astype(np.float32)
        return ndimage.affine_transform(floats, turn, offset, order=1, cval=beyond)

    air = float(np.percentile(head.volume, _AIR_PERCENTILE))
    truth = turned(head.truth, 0) > 0.5
    trusted = turned(head.trusted, 0) > 0.5
    return replace(head, volume=turned(head.volume, air), truth=truth, trusted=trusted)


def biased(head: Head, share: float) -> Head:
    """Multiply by a ramp from one corner of the volume to the opposite one, of 1 ± share."""
    axes = np.ogrid[tuple(slice(-1, 1, count * 1j) for count in head.volume.shape)]
    ramp = 1 + share * sum(axes) / len(axes)
    return replace(head, volume=(head.volume * ramp).astype(np.float32))


def noisy(head: Head, share: float) -> Head:
    """Add Rician noise, of a share of what is bright."""
    bright = np.percentile(head.volume, _BRIGHT_PERCENTILE)
    normal = np.random.default_rng(_SEED).standard_normal((2, *head.volume.shape))
    real, imaginary = share * bright * normal
    return replace(head, volume=np.hypot(head.volume + real, imaginary).astype(np.float32))


def ghosted(head: Head, share: float) -> Head:
    """Add a faint copy, shifted by half the field and wrapped round, as motion does."""
    shift = head.volume.shape[1] // 2
    ghost = np.roll(head.volume, shift, axis=1)
    return replace(head, volume=(head.volume + share * ghost).astype(np.float32))


COPIES: dict[str, Copy] = {
    NONE: unchanged,
    "voxels of 2 mm": lambda head: coarse(head, (2, 2, 2)),
    "voxels of 3 mm": lambda head: coarse(head, (3, 3, 3)),
    "voxels of 4 mm": lambda head: coarse(head, (4, 4, 4)),
    "slices of 6 mm": lambda head: coarse(head, (0, 0, 6)),
    "pitch +15°": lambda head: pitched(head, 15),
    "pitch −15°": lambda head: pitched(head, -15),
    "field +40 %": lambda head: biased(head, 0.4),
    "field −40 %": lambda head: biased(head, -0.4),
    "noise 9 %": lambda head: noisy(head, 0.09),
    GHOST: lambda head: ghosted(head, 0.15),
}


# --- Measure -------------------------------------------------------------------------------------


def row_of(name: str, treated: Head, copy: str, version: str) -> Row:
    """Strip a copy of a volume, and score its mask."""
    start = time.process_time()
    mask, verdict = stripping.strip_with_verdict(treated.volume, treated.affine, version=version)
    seconds = time.process_time() - start
    trusted = treated.trusted
    row: Row = {
        "volume": name,
        "copy": copy,
        "skull_by": version,
        "dice": round(sm.dice(mask * trusted, treated.truth & trusted), 4),
        "dice_whole": "",
        "quality": round(verdict.quality, 4),
        "seconds": round(seconds, 1),
    }
    if VOLUMES[name].whole:
        row["dice_whole"] = round(sm.dice(mask, treated.truth), 4)
    return row


def measure(folder: Path) -> list[Row]:
    """Score all copies of the volumes of a folder."""
    rows = []
    for name in tqdm(VOLUMES, leave=False, disable=None):
        head = read(folder, name)
        for copy, change in COPIES.items():
            treated = change(head)
            for version in BOUNDARY_VERSIONS:
                rows.append(row_of(name, treated, copy, version))
    return rows


def summary(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """Lay out v8's Dice on trusted levels: a row for each copy, as `SUMMARY_HEADER`."""
    table = []
    for copy in COPIES:
        dices = column(rows, copy, "v8", "dice")
        qualities = column(rows, copy, "v8", "quality")
        table.append((copy, *dices, min(dices), min(qualities)))
    return table


def versions_compared(rows: Sequence[Row]) -> list[tuple[object, ...]]:
    """Lay out the Dice by what finds the skull: a row for each copy, as `VERSIONS_HEADER`."""
    table = []
    for copy in COPIES:
        by_v8 = column(rows, copy, "v8", "dice")
        by_v9 = column(rows, copy, "v9", "dice")
        means = [float(np.mean(dices)) for dices in (by_v8, by_v9)]
        table.append((copy, *means, min(by_v8), min(by_v9)))
    return table


def column(rows: Sequence[Row], copy: str, version: str, key: str) -> list[float]:
    """List a number of a copy, volume by volume."""
    by_volume = {}
    for row in scripts.select(rows, copy=copy, skull_by=version):
        by_volume[row["volume"]] = float(row[key])
    return [by_volume[name] for name in VOLUMES]


def main() -> None:
    options = command_line(__doc__, TABLE, folder="volumes", check=check_volumes)
    rows = make_table(options, HEADER, measure)
    print(tables.markdown(summary(rows), SUMMARY_HEADER).data)
    print(tables.markdown(versions_compared(rows), VERSIONS_HEADER).data)


if __name__ == "__main__":
    scripts.run(main)
