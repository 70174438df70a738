"""Brain masks of whole volumes: `strip` beside three other programs: ``make bench-peers``.

The folder that SKULLMASK_REAL names holds the scans, as ``volumes/NAME/image.nii.gz`` with
``brain.nii.gz`` beside it; they are not part of the project. Each program runs with its defaults.
The peers live in an environment of their own. Every mask is made in a process of its own, from a
file to a file, and scored on the axial levels on which the truth can be trusted. "Brain" is not the
same thing in every row. Seconds run from the file to the mask on disk, without imports and without
what numba compiles. brainextractor warns of voxels that are not equally wide, and crashes on them
more often than not; it gets these volumes resampled. The table goes to data/brain_masks.csv; rows
that are not measured anew stay as they are there.
"""

import argparse
import csv
import datetime
import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import tables
from skullmask_lib.io import outputs

TABLE = Path(__file__).parents[1] / "data" / "brain_masks.csv"
PEERS = Path(sys.prefix, "peers", "bin", "python")
HEADER = (
    "volume",
    "brain_means",
    "levels",
    "method",
    "parameters",
    "method_version",
    "dice",
    "seconds",
    "note",
)
HEADER += ("date", "version")
EXAMPLES = """examples:
  make bench-peers
      everything: builds the peers' environment first
  python benchmarks/bench_peers.py --methods strip
      ours alone; the peers' rows stay as they are
  python benchmarks/bench_peers.py --volumes oms01 --keep masks
      one volume; its masks stay in the folder masks
"""


@dataclass(frozen=True)
class Volume:
    """What counts as brain in a truth, and the first and last axial level (RAS) to score."""

    brain_means: str
    levels: tuple[int, int]
    sequence: str = "T1"


@dataclass(frozen=True)
class Method:
    """A function that makes a mask, from a file to a file, with what it needs."""

    make: Callable[..., None]
    package: str
    module: str
    parameters: dict[str, object]


# The functions up to `work` run in another Python: their source is sent there, and they import
# what they need.


def strip(scan: str, mask: str) -> None:
    import nibabel as nib
    import numpy as np

    from skullmask_lib.volumes import stripping

    image = nib.load(scan)
    nib.save(
        nib.Nifti1Image(stripping.strip(np.asanyarray(image.dataobj), image.affine), image.affine),
        mask,
    )


def nidataset(scan: str, mask: str, **parameters: object) -> None:
    import os

    from nidataset.volume import generate_brain_mask

    os.replace(generate_brain_mask(scan, os.path.dirname(mask), **parameters), mask)


def median_otsu(scan: str, mask: str, **parameters: object) -> None:
    import nibabel as nib
    from dipy.segment.mask import median_otsu

    image = nib.load(scan)
    nib.save(
        nib.Nifti1Image(
            median_otsu(image.get_fdata(), **parameters)[1].astype("uint8"), image.affine
        ),
        mask,
    )


def brainextractor(scan: str, mask: str, *, voxel_mm: float, **parameters: object) -> None:
    import warnings

    import nibabel as nib
    import numpy as np
    from brainextractor import BrainExtractor
    from nibabel.processing import resample_from_to, resample_to_output

    image = given = nib.load(scan)
    if not np.allclose(image.header.get_zooms(), image.header.get_zooms()[0], rtol=1e-3):
        told = (
            f"resampled to {voxel_mm} mm and back: "
            "on unequal voxels it reads outside of the volume and crashes"
        )
        warnings.warn(told, stacklevel=1)
        given = resample_to_output(image, voxel_mm, order=1)
    extractor = BrainExtractor(given)
    extractor.run(**parameters)
    made = nib.Nifti1Image(extractor.compute_mask().astype("float32"), given.affine)
    made = made if given is image else resample_from_to(made, image, order=1)
    nib.save(nib.Nifti1Image((made.get_fdata() > 0.5).astype("uint8"), image.affine), mask)


def work(make: object, package: str, module: str, scan: str, mask: str, parameters: dict) -> None:
    """Make a mask, time it, and say how it went in a last line of JSON."""
    import importlib
    import importlib.metadata
    import json
    import sys
    import time
    import warnings

    told = []

    def tell(message: Warning, category: type[Warning], *_: object) -> None:
        if category is UserWarning:
            told.append(" ".join(str(message).split()))
            print(told[-1], file=sys.stderr, flush=True)

    warnings.simplefilter("always")
    warnings.showwarning = tell
    importlib.import_module(module)
    if package == "brainextractor":
        make(scan, mask, **parameters | {"iterations": 1})  # numba compiles
    start = time.perf_counter()
    make(scan, mask, **parameters)
    seconds = time.perf_counter() - start
    version = importlib.metadata.version(package)
    known = {
        "method_version": version,
        "seconds": round(seconds, 2),
        "note": " ".join(dict.fromkeys(told)),
    }
    print("\n" + json.dumps(known))


VOLUMES = {
    "brainweb": Volume("CSF, grey and white matter, filled", (75, 162)),
    "brainweb_noisy": Volume("CSF, grey and white matter, filled", (75, 162)),
    "oms01": Volume("the published brain mask, tighter", (18, 35)),
    "oms01_FLAIR": Volume("the published brain mask, tighter", (17, 29), "FLAIR"),
    "sim02_T1": Volume("everything intracranial", (147, 216)),
}
METHODS = {
    "strip": Method(strip, "skullmask", "skullmask_lib.volumes.stripping", {}),
    "nidataset": Method(
        nidataset, "nidataset", "nidataset.volume", {"threshold": None, "closing_radius": 3}
    ),
    "median_otsu": Method(
        median_otsu, "dipy", "dipy.segment.mask", {"median_radius": 4, "numpass": 4}
    ),
    "brainextractor": Method(
        brainextractor, "brainextractor", "brainextractor", {"voxel_mm": 1, "iterations": 1000}
    ),
}
TABLE_HEADER = ("volume", "brain means", "levels", *METHODS)


def make_mask(method: Method, python: Path, scan: Path, mask: Path) -> dict[str, object]:
    """Make a mask with another Python; return version, seconds and a note, or what went wrong."""
    given = (method.package, method.module, str(scan), str(mask), method.parameters)
    call = f"work({method.make.__name__}, *{given!r})"
    source = "\n".join([inspect.getsource(method.make), inspect.getsource(work), call])
    run = subprocess.run(
        [python, "-I", "-c", source], capture_output=True, text=True, errors="replace"
    )
    return (
        json.loads(run.stdout.splitlines()[-1]) if run.returncode == 0 else {"note": failure(run)}
    )


def failure(run: subprocess.CompletedProcess[str]) -> str:
    """Say why a process failed: the signal that ended it, and the last line of its errors."""
    ended = [f"ended by signal {-run.returncode}"] if run.returncode < 0 else []
    reasons = ended + run.stderr.strip().splitlines()[-1:]
    return f"failed: {', after: '.join(reasons) or 'said nothing'}"


def ras(path: Path) -> np.ndarray:
    """Read a volume's voxels in RAS order."""
    return np.asanyarray(nib.as_closest_canonical(nib.load(path)).dataobj)


def score(mask: np.ndarray, truth: np.ndarray, levels: tuple[int, int]) -> float:
    """Give the Dice coefficient on axial levels, first and last included."""
    first, last = levels
    return sm.dice(mask[:, :, first : last + 1] > 0, truth[:, :, first : last + 1] > 0)


def measure(heads: Path, volume: str, method: str, python: Path, folder: Path) -> dict[str, object]:
    """Make one mask and score it: a row of the table."""
    known, used, mask = VOLUMES[volume], METHODS[method], folder / f"{volume}_{method}.nii.gz"
    row = dict.fromkeys(HEADER, "") | {
        "volume": volume,
        "brain_means": known.brain_means,
        "method": method,
    }
    row["levels"] = "{}:{}".format(*known.levels)
    row["parameters"] = ", ".join(f"{name}={value}" for name, value in used.parameters.items())
    row |= make_mask(used, python, heads / volume / "image.nii.gz", mask)
    if row["seconds"] != "":
        row["dice"] = round(score(ras(mask), ras(heads / volume / "brain.nii.gz"), known.levels), 4)
    return row | {"date": datetime.date.today().isoformat(), "version": sm.__version__}


def merged(
    old: Iterable[dict[str, object]], new: Iterable[dict[str, object]]
) -> list[dict[str, object]]:
    """Replace old rows by new ones, in the order of volumes and methods; drop all others."""
    by_pair = {(row["volume"], row["method"]): row for row in [*old, *new]}
    pairs = ((volume, method) for volume in VOLUMES for method in METHODS)
    return [by_pair[pair] for pair in pairs if pair in by_pair]


def read(path: Path) -> list[dict[str, object]]:
    """Read an earlier table, if there is one."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict[str, object]]) -> None:
    """Write a table, whole or not at all."""
    with (
        outputs.replacing(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, HEADER, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def side_by_side(rows: list[dict[str, object]], key: str) -> list[tuple[object, ...]]:
    """Set the methods side by side, a row for each volume, and the means over the T1 scans below.

    A mean with a value missing is missing too.
    """
    known = {(row["volume"], row["method"]): float(row[key]) for row in rows if row[key] != ""}
    table = [
        (volume, *(known.get((volume, method), np.nan) for method in METHODS)) for volume in VOLUMES
    ]
    means = np.mean(
        [values for volume, *values in table if VOLUMES[volume].sequence == "T1"], axis=0
    )
    return [*table, ("mean of the T1 scans", *means.tolist())]


def dice_table(rows: list[dict[str, object]]) -> str:
    """Print the scores, with what brain means and the levels in the rows."""
    told = [(known.brain_means, "{}:{}".format(*known.levels)) for known in VOLUMES.values()] + [
        ("", "")
    ]
    scores = [
        (name, *words, *values)
        for (name, *values), words in zip(side_by_side(rows, "dice"), told, strict=True)
    ]
    return tables.markdown(scores, TABLE_HEADER).data


def seconds_table(rows: list[dict[str, object]]) -> str:
    """Print the seconds."""
    seconds = side_by_side(rows, "seconds")
    digits = [
        (name, *("–" if np.isnan(value) else f"{value:.1f}" for value in values))
        for name, *values in seconds
    ]
    return tables.markdown(digits, ("seconds", *METHODS)).data


def notes(rows: list[dict[str, object]]) -> list[str]:
    """Tell what failed and what was warned of."""
    return [f"{row['volume']}, {row['method']}: {row['note']}" for row in rows if row["note"]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    given = os.environ.get("SKULLMASK_REAL")
    parser.add_argument(
        "--heads", type=Path, default=given and Path(given, "volumes"), help="folder of the volumes"
    )
    for what, names in {"volumes": VOLUMES, "methods": METHODS}.items():
        told = f"only these of {', '.join(names)}"
        parser.add_argument(
            f"--{what}", nargs="+", choices=names, default=list(names), metavar="NAME", help=told
        )
    parser.add_argument(
        "--peers", type=Path, default=PEERS, help="the Python of the peers (default: %(default)s)"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the masks here")
    parser.add_argument("-o", "--output", type=Path, default=TABLE, help="the CSV")
    options = parser.parse_args()
    if options.heads is None:
        sys.exit("bench_peers: SKULLMASK_REAL is not set, and no folder given with --heads")
    pythons = {
        name: Path(sys.executable) if name == "strip" else options.peers for name in options.methods
    }
    for python in pythons.values():
        if not python.exists():
            sys.exit(f"bench_peers: {python} does not exist; make bench-peers builds it")
    rows = read(options.output)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (options.keep or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        pairs = [(volume, method) for volume in options.volumes for method in options.methods]
        for volume, method in (bar := tqdm(pairs, unit="mask", leave=False, disable=None)):
            bar.set_postfix_str(f"{volume}, {method}")
            rows = merged(
                rows, [measure(options.heads.absolute(), volume, method, pythons[method], folder)]
            )
            write(options.output, rows)
    print(dice_table(rows), seconds_table(rows), *notes(rows), sep="\n\n")


if __name__ == "__main__":
    main()
