"""The verdict of strip: high on heads, low on what is none, by level where the skull is lost."""

import functools
import json

import nibabel as nib
import numpy as np
import pytest
from inputs import SIZES_MM, ct_of_head, distances_mm, later
from inputs import volume_of_head as head

from skullmask_lib import phantom, polar
from skullmask_lib.errors import InputWarning
from skullmask_lib.volumes import strip_files, verdicts
from skullmask_lib.volumes.stripping import strip_with_verdict

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*look at the", "ignore:.*few slices", "ignore:.*no skull", "ignore:.*no brain"
)
AFFINE = np.diag([*SIZES_MM, 1])


def verdict_on(volume, affine=AFFINE):
    return strip_with_verdict(volume, affine)[1]


def noisy(values):
    noise = np.random.default_rng(0).standard_normal(values.shape)
    return np.abs(values + 0.01 * noise)


def torso(rounded):
    """Give organs with two lungs, in dark muscle, in fat."""
    x, y, z = distances_mm((84, 60, 30), (5, 5, 8))
    if not rounded:
        z = np.zeros_like(z)

    def is_in_ellipsoid(a_mm, b_mm, c_mm):
        return (x / a_mm) ** 2 + (y / b_mm) ** 2 + (z / c_mm) ** 2 < 1

    organs = is_in_ellipsoid(138, 78, 100)
    muscle = is_in_ellipsoid(152, 92, 108)
    fat = is_in_ellipsoid(170, 110, 118)
    lungs = organs & (np.hypot((np.abs(x) - 65) / 40, y / 45) < 1)
    values = np.select([lungs, organs, muscle, fat], [0.05, 0.7, 0.2, 1.0])
    return noisy(values), np.diag([5, 5, 8, 1])


def ct(*window):
    return ct_of_head(window), AFFINE


def part(*box):
    return head()[0][box], AFFINE


def emptied(*box):
    volume = head()[0]
    volume[box] = 0
    return noisy(volume), AFFINE


def bottle():
    radius_mm = np.linalg.norm(distances_mm((50, 40, 25), SIZES_MM), axis=0)
    return noisy(1.0 * (radius_mm < 80)), AFFINE


ALL = slice(None)
LOW = slice(None, 20)
HIGH = slice(20, None)
NO_HEADS = {
    "noise": lambda: (noisy(np.zeros((50, 40, 25))), AFFINE),
    "left half": lambda: part(slice(None, 25)),
    "torso": lambda: torso(rounded=False),
    "CT, brain window": lambda: ct(0, 80),
}
MORE_NO_HEADS = {
    "inverted": lambda: (head()[0].max() - head()[0], AFFINE),
    "brain alone": lambda: (np.multiply(*head()), AFFINE),
    "upper half": lambda: part(ALL, ALL, slice(11, None)),
    "bottle": bottle,
    "right half": lambda: part(slice(25, None)),
    "back half": lambda: part(ALL, LOW),
    "front half": lambda: part(ALL, HIGH),
    "lower half": lambda: part(ALL, ALL, slice(None, 11)),
    "back half, front empty": lambda: emptied(ALL, HIGH),
    "left half, right empty": lambda: emptied(slice(25, None)),
    "lower half, top empty": lambda: emptied(ALL, ALL, slice(11, None)),
    "rounded torso": lambda: torso(rounded=True),
    "inverted head in air": lambda: (np.where(head()[0] > 0.05, 1.1 - head()[0], 0), AFFINE),
    "CT": lambda: ct(-1000, 3000),
    "CT, soft tissue": lambda: ct(-160, 240),
}


@pytest.mark.parametrize("name", [*NO_HEADS, *later(*MORE_NO_HEADS)])
def test_what_is_no_whole_head_on_mr_is_doubted(name):
    verdict = verdict_on(*(NO_HEADS | MORE_NO_HEADS)[name]())
    assert verdict.quality < polar.TRUSTED
    assert verdict.doubts


def test_a_head_is_trusted_and_so_are_its_levels():
    verdict = verdict_on(head()[0])
    assert verdict.quality > 2 * polar.TRUSTED
    assert verdict.doubts == ()
    assert np.median(verdict.level_quality[verdict.is_brain]) > 2 * polar.TRUSTED
    assert not verdict.level_quality[~verdict.is_brain].any()


@pytest.mark.full
@pytest.mark.parametrize("spacing_mm", [(2, 2, 2), (3, 3, 3), (4, 4, 7)])
@pytest.mark.parametrize("contrast", ["T1", "T2", "FLAIR"])
def test_heads_of_every_contrast_are_trusted(contrast, spacing_mm):
    shape = tuple(int(size) for size in np.floor_divide((184, 224, 184), spacing_mm))
    volume, _, affine = phantom.render_volume(contrast=contrast, shape=shape, spacing_mm=spacing_mm)
    assert verdict_on(volume, affine).quality > 1.2 * polar.TRUSTED


@pytest.mark.parametrize("thickness_mm", [8.0, *later(0.8)])
def test_a_level_without_bone_is_doubted_in_any_order_of_axes(thickness_mm):
    sizes_mm = (4.0, 5.0, thickness_mm)
    volume, brain = head(sizes_mm)
    is_brain = brain.any(axis=(0, 1))
    levels = np.arange(len(is_brain))
    middle = np.flatnonzero(is_brain).mean()
    is_without_bone = is_brain & (levels < middle - 16 / thickness_mm)
    noiseless, _ = head(sizes_mm, noise=0)
    is_bone = (volume < 0.3) & (noiseless > 0.05)
    volume[is_bone & is_without_bone] = 0.8

    upright = verdict_on(volume, np.diag([*sizes_mm, 1]))

    assert len(upright.level_quality) == len(levels)
    assert np.median(upright.level_quality[is_without_bone]) < polar.TRUSTED
    is_upper_half = is_brain & (levels > middle)
    assert np.median(upright.level_quality[is_upper_half]) > polar.TRUSTED
    flipped = verdict_on(volume[:, :, ::-1], np.diag([*sizes_mm[:2], -thickness_mm, 1]))
    assert np.array_equal(flipped.level_quality, upright.level_quality)


@pytest.mark.parametrize("step_mm", [0.9, 90 / 23, np.float32(4.2), 7.0, 120.0])
def test_the_orbits_end_where_the_slices_above_them_do(step_mm):
    head = verdicts.NOTHING._replace(head_mm2=9000.0)
    findings = [verdicts.NOTHING] * 2 + [head] * 110
    above = len(verdicts.above_orbits(findings, step_mm))
    below = [verdicts.is_below_orbits(findings[:k], step_mm) for k in range(len(findings))]
    assert below.index(True) == 2 + above
    assert all(below[2 + above :])


def test_the_lowest_level_is_judged_by_the_nearest_look():
    sizes_mm = (4.0, 5.0, 2.0)
    volume = head(sizes_mm)[0][:, :, 40:]
    assert volume.shape[2] % 4 == 0  # the looks are at every second slice; the last is rounded up
    verdict = verdict_on(volume, np.diag([*sizes_mm, 1]))
    assert verdict.is_brain[:2].all()
    assert verdict.level_quality[0] == verdict.level_quality[1] > 0


def test_levels_are_named_by_their_spans():
    quality = np.array([0.1, 0.1, 0.9, 0.1, 0.1, 0.1])
    is_brain = np.array([False, True, True, True, False, True])
    verdict = verdicts.Verdict(0.5, quality, is_brain, 1400.0, ())
    assert verdict.doubtful_levels() == "1, 3, 5"
    everywhere = verdict._replace(is_brain=np.ones(6, bool))
    assert everywhere.doubtful_levels() == "0:1, 3:5"
    assert verdict._replace(level_quality=np.ones(6)).doubtful_levels() == ""


def test_the_sidecar_tells_the_verdict_and_a_warning_the_doubts(tmp_path):
    volume, affine = part(slice(None, 25))
    nib.save(nib.Nifti1Image(volume, affine), tmp_path / "half.nii.gz")
    with pytest.warns(InputWarning, match=rf"half.*below {polar.TRUSTED}: .*cut off"):
        files = strip_files.strip_scan(tmp_path / "half.nii.gz", tmp_path, version="V8")
    verdict = verdict_on(volume)
    sidecar = json.loads(files.sidecar.read_text(encoding="utf-8"))
    assert sidecar["Quality"] == pytest.approx(verdict.quality, abs=1e-4)
    assert sidecar["QualityThreshold"] == polar.TRUSTED
    assert sidecar["Doubts"] == list(verdict.doubts)
    assert sidecar["DoubtfulLevels"] == verdict.doubtful_levels()
    assert sidecar["LevelQuality"] == pytest.approx(verdict.level_quality.tolist(), abs=1e-4)
    assert sidecar["Sources"] == ["half.nii.gz"]
    assert sidecar["SkullFoundBy"] == "v8"
    voxels = np.count_nonzero(nib.load(files.mask).get_fdata())
    voxel_ml = np.prod(SIZES_MM) / 1000
    assert sidecar["BrainVolumeInMillilitres"] == pytest.approx(voxels * voxel_ml, abs=0.1)


def real_volume(real, name):
    image = nib.load(real / "volumes" / name / "image.nii.gz")
    upright = nib.as_closest_canonical(image)
    return upright.get_fdata(dtype=np.float32), upright.affine


@functools.cache
def stripped(real, name):
    """Give the mask of a real head and its verdict."""
    return strip_with_verdict(*real_volume(real, name))


@pytest.mark.full
def test_all_real_heads_are_trusted(real):
    qualities = {}
    for folder in sorted((real / "volumes").iterdir()):
        qualities[folder.name] = stripped(real, folder.name)[1].quality
    assert min(qualities.values()) > 1.2 * polar.TRUSTED, qualities


@pytest.mark.full
@pytest.mark.parametrize("name", ["chris", "oms01", "brainweb_noisy"])
def test_spoilt_real_heads_are_doubted(real, name):
    volume, affine = real_volume(real, name)
    x, y, z = (size // 2 for size in volume.shape)
    mask, _ = stripped(real, name)
    spoilt = {
        "left": volume[:x],
        "right": volume[x:],
        "back": volume[:, :y],
        "front": volume[:, y:],
        "lower": volume[:, :, :z],
        "stripped": volume * mask,
        "inverted": volume.max() - volume,
    }
    qualities = {kind: verdict_on(values, affine).quality for kind, values in spoilt.items()}
    assert max(qualities.values()) < polar.TRUSTED, qualities
