"""Masks stay as they are, pixel for pixel: what computes them may be rewritten, not what they are.

A change that is meant to move masks runs ``python tests/test_golden.py`` and says in the CHANGELOG,
under "Results changed", which ones moved and why.
"""

import hashlib
import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

import skullmask_lib as sm
from skullmask_lib.io import nifti
from skullmask_lib.volumes import brain_masks, scans

GOLDEN = Path(__file__).with_name("golden.json")
PHANTOMS = ("phantom", "phantom-cropped")


def hash_of(masks):
    """Give the sha256 of a stack of masks, whose shape counts."""
    masks = np.asarray(masks, np.uint8)
    assert masks.max(initial=0) <= 1
    content = f"{masks.shape}".encode() + np.packbits(masks).tobytes()
    return hashlib.sha256(content).hexdigest()


def hashes_of_slices(source):
    """Hash the masks of every version, with its defaults, but for v9.

    Its network rounds otherwise on another processor; `test_versions` has its scores.
    """
    data = sm.load(source)
    hashes = {}
    for version in sm.VERSIONS:
        if version == "v9":
            continue
        hashes[version] = hash_of(list(sm.mask_slices(data, version=version)))
    without_spacing = sm.mask_slices(data.images, names=data.names, version="v8")
    hashes["v8 without spacing"] = hash_of(list(without_spacing))
    return hashes


def hashes_of_volume(folder):
    """Hash the masks of a whole volume: v8 on its axial slices, `strip`, and the recipe of nidataset."""
    scan = folder / "image.nii.gz"
    volume, image = scans.read(scan)
    stripped = sm.strip(volume, nifti.affine_mm(image, scan))
    recipe = brain_masks.brain_mask(nifti.read(scan, None)[0])
    return {
        "v8": hash_of(list(sm.mask_slices(sm.load(scan)))),
        "strip": hash_of(stripped),
        "brain-mask": hash_of(recipe),
    }


def golden():
    return json.loads(GOLDEN.read_text(encoding="utf-8"))


def entries(prefix):
    return [entry for entry in golden() if entry.startswith(prefix)]


@pytest.mark.parametrize("name", PHANTOMS)
def test_masks_of_the_phantoms_stay(name):
    assert hashes_of_slices(name) == golden()[name]


@pytest.mark.full
@pytest.mark.filterwarnings("ignore::skullmask_lib.InputWarning")
@pytest.mark.parametrize("entry", entries("slices/"))
def test_masks_of_real_slices_stay(real, entry):
    assert hashes_of_slices(real / f"{entry}.npz") == golden()[entry]


@pytest.mark.full
@pytest.mark.filterwarnings("ignore::skullmask_lib.InputWarning")
@pytest.mark.parametrize("entry", entries("volumes/"))
def test_masks_of_real_volumes_stay(real, entry):
    assert hashes_of_volume(real / entry) == golden()[entry]


@pytest.mark.full
def test_every_real_head_has_its_golden_masks(real):
    slices = [f"slices/{path.stem}" for path in (real / "slices").glob("*.npz")]
    whole = [f"volumes/{path.name}" for path in (real / "volumes").iterdir()]
    assert set(golden()) == {*PHANTOMS, *slices, *whole}


def write():
    """Hash all masks anew."""
    real = Path(os.environ["SKULLMASK_REAL"])
    hashes = {name: hashes_of_slices(name) for name in PHANTOMS}
    for path in sorted((real / "slices").glob("*.npz")):
        hashes[f"slices/{path.stem}"] = hashes_of_slices(path)
    for folder in sorted((real / "volumes").iterdir()):
        hashes[f"volumes/{folder.name}"] = hashes_of_volume(folder)
    GOLDEN.write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write()
