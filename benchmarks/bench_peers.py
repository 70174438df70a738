"""Brain masks of whole volumes: `strip` beside the programs that people use: ``make bench-peers``.

The folder that SKULLMASK_REAL names holds the scans, as ``volumes/NAME/image.nii.gz`` with
``brain.nii.gz`` beside it; they are not part of the project. The peers live in an environment of
their own; their networks and atlases are part of their packages, and nothing is downloaded while
they run. Every mask is made in a process of its own, from a file to a file. Its Dice counts once on
the axial levels on which the truth can be trusted, and once on the whole head, where the truth goes
that far. "Brain" is not the same thing in every truth. Seconds are those of one processor core from
the file to the mask on disk, without imports and without what numba compiles; memory is the peak of
the largest process; the installed size counts a package and all that it requires.

The peers' masks stay in build/peers, so an interrupted run goes on where it stopped; a mask is made
anew when its scan, its file, the peer's version or its call changes. A row has the day and the
version of its mask. The table goes to data/brain_masks.csv; rows that are not measured anew stay as
they are there. Once all masks of one volume are at hand, figures/brain_masks.png shows where the
tools go wrong.
"""

import argparse
import contextlib
import datetime
import hashlib
import inspect
import itertools
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import brain_tools
import cv2
import nibabel as nib
import numpy as np
import scripts
from brain_tools import METHODS, OURS, Method
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import plots, tables
from skullmask_lib.io import outputs

PROJECT = Path(__file__).parents[1]
TABLE = PROJECT / "data" / "brain_masks.csv"
FIGURE = PROJECT / "figures" / "brain_masks.png"
CACHE = PROJECT / "build" / "peers"
PEERS = Path(sys.prefix, "peers", "bin", "python")
HEADER = (
    "volume",
    "brain_means",
    "levels",
    "method",
    "parameters",
    "method_version",
    "dice",
    "dice_whole",
    "seconds",
    "memory_mb",
    "installed_mb",
    "note",
    "date",
    "version",
)
EXAMPLES = """examples:
  make bench-peers
      everything: builds the peers' environment first
  python benchmarks/bench_peers.py --methods strip
      ours alone; the peers' rows stay as they are
  python benchmarks/bench_peers.py --volumes oms01 --cache masks
      one volume; its masks stay in the folder masks
"""

Row = dict[str, object]


@dataclass(frozen=True)
class Volume:
    """What counts as brain in a truth, the levels (RAS) to trust, and if it reaches all others."""

    brain_means: str
    levels: tuple[int, int]  # the first and the last one
    whole: bool = True
    sequence: str = "T1"


VOLUMES = {
    "brainweb": Volume("CSF, grey and white matter, filled", (75, 162)),
    "brainweb_noisy": Volume("CSF, grey and white matter, filled", (75, 162)),
    "oms01": Volume("the published brain mask, tighter", (18, 35)),
    "oms01_FLAIR": Volume("the published brain mask, tighter", (17, 29), sequence="FLAIR"),
    # its truth follows the cord down the neck to the edge of the frame
    "sim02_T1": Volume("everything intracranial", (147, 216), whole=False),
}
LEARNED = ("deepbet", "HD-BET", "ROBEX")  # from many heads with a known brain
SHOWN = "oms01"  # its licence, CC-BY, lets us show it
SHOWN_METHODS = ("strip", *LEARNED, "nidataset")
T1 = [name for name, volume in VOLUMES.items() if volume.sequence == "T1"]
COSTS = ("seconds", "memory [MB]", "installed [MB]")
OVERVIEW_HEADER = ("tool", "trusted levels", "whole head", *COSTS)


class MaskFailed(Exception):
    """A tool made no mask; its record says why."""


def check_volumes(folder: Path, names: Iterable[str] = tuple(VOLUMES)) -> None:
    """Refuse a folder that lacks a scan or its true brain."""
    for name in names:
        for file in (folder / name / "image.nii.gz", folder / name / "brain.nii.gz"):
            if not file.is_file():
                raise sm.InputError("is missing", file)


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fingerprint(method: Method, method_version: object, scan: Path) -> str:
    """Sum up all that decides a peer's mask."""
    parts = [
        method_version,
        method.parameters,
        inspect.getsource(method.make),
        sha256_of(scan),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def record_of(mask: Path) -> Path:
    """Name the file that says how a mask was made."""
    return mask.with_name(mask.name.removesuffix(".nii.gz") + ".json")


def recorded(method: Method, scan: Path, mask: Path) -> Row | None:
    """Read how a mask was made, if it still is that mask, of this scan and by this call."""
    record_file = record_of(mask)
    if not (mask.exists() and record_file.exists()):
        return None
    record = json.loads(record_file.read_text(encoding="utf-8"))
    key = fingerprint(method, record.get("method_version"), scan)
    is_current = record.get("fingerprint") == key and record.get("sha256") == sha256_of(mask)
    return record if is_current else None


def new_mask(method: Method, method_version: object, python: Path, scan: Path, mask: Path) -> Row:
    """Make a mask and record how; after a failure there is neither."""
    record_file = record_of(mask)
    record_file.unlink(missing_ok=True)
    mask.unlink(missing_ok=True)
    row: Row = {
        "date": datetime.date.today().isoformat(),
        "version": sm.__version__,
    }
    with contextlib.suppress(MaskFailed), outputs.replacing(mask) as temporary:
        row |= brain_tools.make_mask(method, python, scan, temporary)
        if "seconds" not in row:
            raise MaskFailed
    if "seconds" in row:
        row["method_version"] = method_version
        key = fingerprint(method, method_version, scan)
        provenance = {"fingerprint": key, "sha256": sha256_of(mask)}
        with outputs.replacing(record_file) as temporary:
            temporary.write_text(json.dumps(row | provenance), encoding="utf-8")
    return row


def cached_mask(
    method: Method, method_version: object, python: Path, scan: Path, mask: Path
) -> Row:
    """Make a mask, or take the one of an earlier run; failures are tried again."""
    record = recorded(method, scan, mask)
    if record is None or record["method_version"] != method_version:
        return new_mask(method, method_version, python, scan, mask)
    return {key: value for key, value in record.items() if key in HEADER}


def ras(path: Path) -> np.ndarray:
    """Read a volume's voxels in RAS order."""
    return np.asanyarray(nib.as_closest_canonical(nib.load(path)).dataobj)


def score(mask: np.ndarray, truth: np.ndarray, levels: tuple[int, int]) -> float:
    """Give the Dice coefficient on axial levels, first and last included."""
    first, last = levels
    return sm.dice(mask[:, :, first : last + 1] > 0, truth[:, :, first : last + 1] > 0)


def measure(heads: Path, volume: str, method: str, python: Path, folder: Path) -> Row:
    """Make one mask and score it: a row of the table."""
    truth_facts = VOLUMES[volume]
    tool = METHODS[method]
    scan = heads / volume / "image.nii.gz"
    mask_file = folder / f"{volume}_{method}.nii.gz"
    row: Row = dict.fromkeys(HEADER, "")
    row["volume"] = volume
    row["brain_means"] = truth_facts.brain_means
    row["levels"] = "{}:{}".format(*truth_facts.levels)
    row["method"] = method
    row["parameters"] = ", ".join(f"{name}={value}" for name, value in tool.parameters.items())
    package = brain_tools.package_record(python, tool.package)
    # Our code may change without its version
    make = new_mask if tool.package == OURS else cached_mask
    record = make(tool, package["method_version"], python, scan, mask_file)
    row |= record
    if "seconds" in record:
        row |= package
        mask = ras(mask_file)
        truth = ras(heads / volume / "brain.nii.gz")
        row["dice"] = round(score(mask, truth, truth_facts.levels), 4)
        if truth_facts.whole:
            row["dice_whole"] = round(sm.dice(mask > 0, truth > 0), 4)
    return row


def merged(old: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """Replace old rows by new ones, in the order of volumes and methods; drop all others."""
    by_pair = {(row["volume"], row["method"]): row for row in [*old, *new]}
    pairs = itertools.product(VOLUMES, METHODS)
    return [by_pair[pair] for pair in pairs if pair in by_pair]


def read(path: Path) -> list[Row]:
    """Read an earlier table, if there is one, with the columns of today."""
    return scripts.read_earlier(path, HEADER)


def values(rows: list[Row], method: str, key: str, volumes: Iterable[str]) -> list[float]:
    """List one column of a method, volume by volume; what is missing is NaN."""
    by_volume = {row["volume"]: row[key] for row in scripts.select(rows, method=method)}
    return [float(by_volume.get(volume) or "nan") for volume in volumes]


def overview(rows: list[Row]) -> str:
    """Print what each tool reaches on the T1 scans, and what it costs."""
    whole = scored_t1("dice_whole")
    lines = []
    for method in METHODS:
        dice = np.mean(values(rows, method, "dice", T1))
        dice_whole = np.mean(values(rows, method, "dice_whole", whole))
        seconds = np.mean(values(rows, method, "seconds", T1))
        memory_mb = np.max(values(rows, method, "memory_mb", T1))
        installed_mb = np.max(values(rows, method, "installed_mb", T1))
        costs = map(whole_number, (seconds, memory_mb, installed_mb))
        lines.append((method, float(dice), float(dice_whole), *costs))
    return tables.markdown(lines, OVERVIEW_HEADER).data


def whole_number(value: float) -> float:
    """Round to a whole number; NaN stays."""
    return value if np.isnan(value) else round(value)


def scored(key: str) -> list[str]:
    """List the volumes that have a score: a whole head needs a whole truth."""
    return [name for name in VOLUMES if key == "dice" or VOLUMES[name].whole]


def scored_t1(key: str) -> list[str]:
    """List the T1 scans that have a score, over which means are taken."""
    return [name for name in scored(key) if name in T1]


def dice_header(key: str) -> tuple[str, ...]:
    return ("tool", *scored(key), "mean of T1")


def dice_table(rows: list[Row], key: str) -> str:
    """Print a score of every tool on every volume, and its mean over the T1 scans."""
    volumes = scored(key)
    t1 = scored_t1(key)
    lines = []
    for method in METHODS:
        mean = np.mean(values(rows, method, key, t1))
        lines.append((method, *values(rows, method, key, volumes), float(mean)))
    return tables.markdown(lines, dice_header(key)).data


def comparison(rows: list[Row], key: str) -> str:
    """Say how far the mean of `strip` is from that of each learned tool, over the T1 scans.

    The means are those of the table, as they are rounded there.
    """
    volumes = scored_t1(key)
    ours = shown_mean(rows, "strip", key, volumes)
    distances = []
    for method in LEARNED:
        distance = ours - shown_mean(rows, method, key, volumes)
        if np.isnan(distance):
            return f"`strip` and {', '.join(LEARNED)} are not all measured on every T1 scan"
        if abs(distance) < 5e-5:  # less than the last digit of the table
            distances.append(f"level with {method}")
            continue
        side = "ahead of" if distance > 0 else "behind"
        distances.append(f"{abs(distance):.4f} {side} {method}")
    return f"`strip` is {', '.join(distances[:-1])} and {distances[-1]}"


def shown_mean(rows: list[Row], method: str, key: str, volumes: Iterable[str]) -> float:
    """Give the mean of a column of a method as a table shows it, rounded by the same rule."""
    mean = np.mean(values(rows, method, key, volumes))
    return float(format(mean, ".4f"))


def drawable(heads: Path, folder: Path) -> bool:
    """Say if all masks to show are at hand, each as its record says."""
    scan = heads / SHOWN / "image.nii.gz"
    for method in SHOWN_METHODS:
        if recorded(METHODS[method], scan, folder / f"{SHOWN}_{method}.nii.gz") is None:
            return False
    return True


def draw(heads: Path, folder: Path) -> plots.Picture:
    """Show a sagittal plane of one volume, and what the tools miss or wrongly include there."""
    scan = nib.as_closest_canonical(nib.load(heads / SHOWN / "image.nii.gz"))
    volume = np.asanyarray(scan.dataobj)
    truth = ras(heads / SHOWN / "brain.nii.gz") > 0
    masks = {method: ras(folder / f"{SHOWN}_{method}.nii.gz") > 0 for method in SHOWN_METHODS}
    middle = np.mean(np.nonzero(truth), axis=1).astype(int)
    sagittal = plots.PLANES[2]
    spacing_mm = scan.header.get_zooms()
    finest_mm = min(spacing_mm)
    size = [round(volume.shape[axis] * spacing_mm[axis] / finest_mm) for axis in (1, 2)]

    def plane(values: np.ndarray) -> np.ndarray:
        cut = plots.cut_plane(values, sagittal, middle)
        smooth = cv2.INTER_NEAREST if values.dtype == bool else cv2.INTER_LINEAR
        return cv2.resize(cut, size, interpolation=smooth)

    image, true_plane = plane(volume), plane(truth)
    fig, axes = plots.figure(3, 2, width=11.5, height=5)
    plots.outline(plots.show(axes[0], image, "the scan and its true brain"), true_plane)
    for axis, (method, mask) in zip(axes[1:], masks.items(), strict=True):
        title = f"{method}: Dice {sm.dice(mask, truth):.3f}"
        plots.compare(axis, image, plane(mask), true_plane, title)
    plots.zoom(axes, image)
    plots.key(fig)
    return plots.picture(
        fig, "A sagittal plane, and the masks of five tools compared with its truth"
    )


def notes(rows: list[Row]) -> list[str]:
    """Tell what failed and what was warned of."""
    return [f"{row['volume']}, {row['method']}: {row['note']}" for row in rows if row["note"]]


def read_options() -> argparse.Namespace:
    """Read the command line, with the Python that runs each method; stop if one is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--heads", type=Path, default=scripts.real_folder("volumes"), help="folder of the volumes"
    )
    for what, names in {"volumes": VOLUMES, "methods": METHODS}.items():
        parser.add_argument(
            f"--{what}",
            nargs="+",
            choices=names,
            default=list(names),
            metavar="NAME",
            help=f"only these of {', '.join(names)}",
        )
    parser.add_argument(
        "--peers", type=Path, default=PEERS, help="the Python of the peers (default: %(default)s)"
    )
    parser.add_argument(
        "--cache", type=Path, default=CACHE, metavar="FOLDER", help="where the masks stay"
    )
    parser.add_argument("-o", "--output", type=Path, default=TABLE, help="the CSV")
    options = parser.parse_args()
    scripts.require_heads(options.heads)
    check_volumes(options.heads, options.volumes)
    scripts.check_output(options.output)
    options.pythons = pythons_of(options.methods, options.peers)
    return options


def pythons_of(methods: Iterable[str], peers: Path) -> dict[str, Path]:
    """Name the Python that runs each method: ours for `strip`, that of the peers for the others."""
    pythons = {}
    for method in methods:
        is_ours = METHODS[method].package == OURS
        pythons[method] = Path(sys.executable) if is_ours else peers
    for python in pythons.values():
        if not python.exists():
            sys.exit(f"bench_peers: {python} does not exist; make bench-peers builds it")
    return pythons


def measure_all(heads: Path, folder: Path, options: argparse.Namespace) -> list[Row]:
    """Measure every method on every volume; the table is written after each of them."""
    rows = read(options.output)
    pairs = list(itertools.product(options.volumes, options.methods))
    with tqdm(pairs, unit="mask", leave=False, disable=None) as bar:
        for volume, method in bar:
            bar.set_postfix_str(f"{volume}, {method}")
            row = measure(heads, volume, method, options.pythons[method], folder)
            rows = merged(rows, [row])
            scripts.write(options.output, HEADER, rows)
    return rows


def main() -> None:
    options = read_options()
    folder = options.cache.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    heads = options.heads.absolute()
    rows = measure_all(heads, folder, options)
    report = [overview(rows)]
    for key in ("dice", "dice_whole"):
        report += [dice_table(rows, key), comparison(rows, key)]
    print(*report, *notes(rows), sep="\n\n")
    if options.output == TABLE and drawable(heads, folder):
        with outputs.replacing(FIGURE) as temporary:
            temporary.write_bytes(draw(heads, folder).png)


if __name__ == "__main__":
    scripts.run(main)
