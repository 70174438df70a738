"""What v8 is worth on real heads, with one setting, and whether it knows where it failed."""

import itertools
import re

import cv2
import nibabel as nib
import numpy as np
import pytest
from degradations import Slice, ghosted, noisy
from inputs import doubted
from numpy.testing import assert_array_equal as same
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import polar, versions

NAMES = (
    "brainweb", "brainweb_noisy", "chris", "oms01", "oms01_FLAIR", "oms01_T2W",
    "oms19", "oms19_FLAIR", "sim02_T1", "sim03_T1", "sim09_FLAIR", "sim10_FLAIR",
)  # fmt: skip
TRACED = {
    "chris": (86, 156),
    "brainweb_noisy": (75, 162),
    "oms01": (18, 35),
}  # axial slices whose truth is known
BELOW_THE_ORBITS = {  # 20 mm below the lowest slice whose truth can be trusted
    "chris": 63, "brainweb": 55, "brainweb_noisy": 55, "oms01": 11,
    "oms01_FLAIR": 12, "oms01_T2W": 12, "oms19": 19, "sim02_T1": 120,
}  # fmt: skip


@pytest.fixture(scope="module")
def heads(real):
    assert sorted(file.stem for file in (real / "slices").glob("*.npz")) == sorted(NAMES)
    return {name: sm.load(real / "slices" / f"{name}.npz") for name in NAMES}


@pytest.fixture(scope="module")
def scores(heads):
    """Score v8 on every set, with the spacing (True) and without (False)."""
    return {
        (name, known): sm.score_slices(masks_of(data, known), data.truth, data.spacing_mm)
        for (name, data), known in itertools.product(heads.items(), (True, False))
    }


def masks_of(data, known):
    return list(
        sm.mask_slices(data.images, names=data.names, spacing_mm=data.spacing_mm if known else None)
    )


@pytest.fixture(scope="module")
def volume(real):
    """Give a function that loads a volume, whose truth is all zero where it is not known."""
    folder = real / "volumes"
    return lambda name: sm.load(
        folder / name / "image.nii.gz", truth=folder / name / "outer_skull.nii.gz"
    )


# --- how good the masks are --------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
def test_one_setting_works_on_all_sets(scores, known):
    by_set = {
        key: np.array([[row[key] for row in scores[name, known]] for name in NAMES])
        for key in ("iou", "assd_mm", "hd95_mm")
    }
    assert by_set["iou"].shape == (12, 5)
    assert by_set["iou"].mean() >= 0.975
    assert by_set["iou"].mean(axis=1).min() >= 0.93
    assert by_set["iou"].min() >= 0.90
    assert by_set["assd_mm"].mean() <= 0.8
    assert by_set["hd95_mm"].mean() <= 2.3


@pytest.mark.full
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_resolution_does_not_matter(heads, scores, known, factor):
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    for name, data in heads.items():
        for index, (image, truth, mm) in enumerate(
            zip(data.images, data.truth, data.spacing_mm, strict=True)
        ):
            resampled = cv2.resize(image, None, fx=factor, fy=factor, interpolation=method)
            true = cv2.resize(truth, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
            mask = sm.v8(resampled, spacing_mm=mm / factor if known else None)
            wanted = scores[name, known][index]["iou"]
            assert sm.iou(mask, true) == pytest.approx(wanted, abs=0.01), f"{name}[{index}]"


@pytest.mark.full
@pytest.mark.parametrize("known", [True, False])
def test_neither_offset_nor_scale_nor_type_matters(heads, known):
    for name, data in heads.items():
        image, mm = data.images[2].astype(np.float64), data.spacing_mm[2] if known else None
        image *= 1000 / np.percentile(image, 99.9)
        mask = sm.v8(image, spacing_mm=mm)
        others = (
            1e-30 * image,
            (1e30 * image).astype(np.float32),
            image + 1000,
            image - 500,
            image.astype(np.float16),
        )
        for other in (*others, np.rint(4 * image).clip(0, 4095).astype(np.uint16)):
            assert sm.iou(sm.v8(other, spacing_mm=mm), mask) > 0.995, f"{name}, {other.dtype}"
            trust = sm.quality(image, mask, spacing_mm=mm)
            assert sm.quality(other, mask, spacing_mm=mm) == pytest.approx(trust, abs=0.01), (
                f"{name}, {other.dtype}"
            )


@pytest.mark.parametrize("name", ["phantom", "phantom-cropped"])
@pytest.mark.parametrize("known", [True, False])
def test_the_phantom_is_a_head_too(name, known):
    data = sm.load(name)
    masks = masks_of(data, known)
    assert min(row["iou"] for row in sm.score_slices(masks, data.truth, data.spacing_mm)) >= 0.985
    for image, mask, mm in zip(data.images, masks, data.spacing_mm, strict=True):
        assert sm.quality(image, mask, spacing_mm=mm if known else None) > polar.TRUSTED


# --- knowing when it failed --------------------------------------------------------------------------------------


@pytest.mark.full
def test_the_quality_is_low_below_the_orbits(volume):
    """The skull is open there, so there is no outline to find."""
    qualities = []
    for name, highest in BELOW_THE_ORBITS.items():
        data = volume(name)
        for index in np.linspace(0, highest, 6).astype(int):
            spacing_mm = data.spacing_mm[index]
            _, quality = versions.mask_and_quality(data.images[index], spacing_mm=spacing_mm)
            qualities.append(quality)
    assert np.median(qualities) < polar.TRUSTED / 2
    assert np.mean(np.array(qualities) < polar.TRUSTED) > 0.85


@pytest.mark.parametrize("spacing", [[], ["--spacing", "0.8", "0.8"]])
def test_what_holds_no_head_is_flagged(skullmask, spacing):
    rng = np.random.default_rng(1)
    shape = 300, 256
    y, x = np.indices(shape)
    disc = 1.0 * (np.hypot(y - 150, x - 128) < 100)
    images = np.stack([
        rng.random(shape),
        np.hypot(*rng.standard_normal((2, *shape))),  # air
        np.ones(shape),
        np.zeros(shape),
        disc,
        ndimage.gaussian_filter(disc, 3) + 0.05 * rng.standard_normal(shape),
    ])  # fmt: skip
    np.save("a.npy", images)
    code, _, err = skullmask("mask", "a.npy", "-o", "b.npy", *spacing)
    empty = "skullmask: warning: a.npy[0] … a.npy[3]: the mask is empty: no head in it"
    assert (code, sorted(err)) == (0, sorted([empty, *doubted("a.npy[4] … a.npy[5]")]))


def test_a_volume_as_it_was_published(real, skullmask):
    source = real / "originals" / "oms01.nii.gz"
    code, out, err = skullmask("mask", source, "-o", "skull.nii.gz")
    assert (code, len(err)) == (0, 1)
    assert out.startswith("39 masks by v8")
    image, mask = nib.load(source), nib.load("skull.nii.gz")
    same(mask.affine, image.affine)
    for field in ("qform_code", "sform_code", "xyzt_units", "pixdim", "dim"):
        same(mask.header[field], image.header[field])
    assert mask.get_data_dtype() == np.uint8
    same(np.unique(mask.dataobj), [0, 1])
    first, last = TRACED["oms01"]
    doubted_below = re.search(r"oms01\.nii\.gz\[0\] … oms01\.nii\.gz\[(\d+)\]", err[0])
    assert first - 8 <= int(doubted_below[1]) < first
    assert not any(f"oms01.nii.gz[{k}]" in err[0] for k in range(first, last + 1))
    made, truth = (
        sm.load(file).images
        for file in ("skull.nii.gz", real / "volumes" / "oms01" / "outer_skull.nii.gz")
    )
    assert min(map(sm.iou, made[first : last + 1], truth[first : last + 1])) > 0.95


# --- volumes -----------------------------------------------------------------------------------------------------


def one_by_one_and_together(images, data, some):
    """Give the IoU of these slices of a volume, made slice by slice, and with their neighbours."""
    return (
        np.array([
            sm.iou(mask, truth)
            for mask, truth in zip(
                sm.mask_slices(images, names=data.names[some], spacing_mm=data.spacing_mm[some], volume=together),
                data.truth[some],
                strict=True,
            )
        ])
        for together in (False, True)
    )  # fmt: skip


@pytest.mark.full
@pytest.mark.parametrize("name", TRACED)
def test_neighbours_do_no_harm(volume, name):
    data, (first, last) = volume(name), TRACED[name]
    some = slice(first, last + 1)
    alone, together = one_by_one_and_together(data.images[some], data, some)
    assert together.mean() >= alone.mean() - 1e-4
    assert (together - alone).min() >= -0.01


@pytest.mark.full
@pytest.mark.filterwarnings(
    "ignore:.*the mask is empty"
)  # where no head is left to be seen in the noise
@pytest.mark.parametrize("name", TRACED)
def test_neighbours_help_a_spoilt_slice(volume, name):
    data, (first, last) = volume(name), TRACED[name]
    gains = []
    for middle in ((first + last) // 2, (3 * first + last) // 4):
        some = slice(middle - 1, middle + 2)
        before, image, after = data.images[some]
        one = Slice(image, data.truth[middle], tuple(data.spacing_mm[middle]))
        for spoil, share in ((noisy, 0.3), (noisy, 0.8), (ghosted, 0.3), (ghosted, 1.0)):
            spoilt = spoil(one, share).image
            alone, together = one_by_one_and_together([before, spoilt, after], data, some)
            same(alone[[0, 2]], together[[0, 2]])
            gains.append(together[1] - alone[1])
    assert min(gains) >= -0.005
    assert np.mean(gains) > 0.02
