"""The brain of a volume: in any orientation, written in its place, or refused in one line."""

import errno
import functools
import gzip
import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from complaints import refused
from inputs import SIZES_MM, ct_of_head, later
from inputs import volume_of_head as head
from scipy import ndimage

from skullmask_lib import metrics, phantom, plots
from skullmask_lib.errors import EmptyMaskWarning, InputError, InputWarning
from skullmask_lib.volumes import strip_files, stripping, verdicts
from skullmask_lib.volumes.strip_files import strip_scan
from skullmask_lib.volumes.stripping import strip

pytestmark = pytest.mark.filterwarnings("ignore:.*look at the orbits")  # slices are thick here
AFFINE = np.diag([*SIZES_MM, 1])
AFFINE.flags.writeable = False  # all tests share it
# Axial levels on which the true brain is known; what "brain" means differs, see the heads' MANIFEST
TRUSTED = {
    "brainweb": slice(75, 163),
    "brainweb_noisy": slice(75, 163),
    "oms01": slice(18, 36),
    "sim02_T1": slice(147, 217),
}


@pytest.fixture(scope="module")
def known():
    """Give a head, its true brain and the mask that strip makes of it."""
    volume, brain = head()
    return volume, brain, strip(volume, AFFINE)


def test_the_brain_is_found_and_its_ventricles_filled(known):
    volume, brain, mask = known
    assert mask.dtype == np.uint8
    assert mask.shape == volume.shape
    assert mask.flags.c_contiguous
    assert set(np.unique(mask)) == {0, 1}
    assert metrics.dice(mask, brain) > 0.93
    ventricle = (brain > 0) & (volume < 0.3)
    volume_mm3 = ventricle.sum() * np.prod(SIZES_MM)
    diameter_mm = 2 * np.cbrt(0.75 / np.pi * volume_mm3)
    assert diameter_mm > 20  # wider than what is bridged
    assert mask[ventricle].all()


def test_the_input_stays_as_it_is(known):
    volume, _, mask = known
    volume.flags.writeable = False
    assert np.array_equal(strip(volume, AFFINE), mask)
    assert np.array_equal(volume, head()[0])


@pytest.mark.parametrize("dtype", ["float64", ">f4", ">i2", "uint8"])
def test_values_of_any_type_and_scale(known, dtype):
    kind = np.dtype(dtype).kind
    volume = head(scale=1e-7 if kind == "f" else 100)[0].astype(dtype)
    assert metrics.dice(strip(volume, AFFINE), known[2]) > 0.99


PERMUTATIONS = itertools.permutations(range(3))
ORDERS = [*itertools.product(PERMUTATIONS, itertools.product((1, -1), repeat=3))]


@pytest.mark.parametrize("order", [ORDERS[3], ORDERS[21], ORDERS[46], *later(*ORDERS)])
def test_in_every_order_of_axes_the_mask_is_the_same(tmp_path, known, order):
    volume, _, mask = known
    upright = nib.Nifti1Image(volume.astype(np.float32), AFFINE)
    turned = upright.as_reoriented(np.stack(order, axis=1))
    nib.save(turned, tmp_path / "scan.nii")
    files = strip_scan(tmp_path / "scan.nii", tmp_path / "out")
    mask_image = nib.load(files.mask)
    assert np.array_equal(mask_image.affine, turned.affine)
    assert np.array_equal(nib.as_closest_canonical(mask_image).get_fdata(), mask)


@pytest.mark.full
@pytest.mark.parametrize("sizes_mm", [(2.0, 2.0, 5.0), (0.7, 2.1, 4.0)])
def test_how_an_affine_rounds_the_voxel_size_does_not_matter(sizes_mm):
    volume, _ = head(sizes_mm)
    exact = strip(volume, np.diag([*sizes_mm, 1]))
    for factor in (1 - 1e-7, 1 + 1e-7):
        rounded = strip(volume, np.diag([*np.multiply(sizes_mm, factor), 1]))
        assert np.array_equal(rounded, exact), factor


@pytest.mark.full
def test_an_extent_says_how_much_fluid_counts():
    sizes_mm = (2.0, 2.0, 8.0)
    volume, brain = head(sizes_mm)
    depth_mm = ndimage.distance_transform_edt(brain, sampling=sizes_mm)
    fluid = (depth_mm > 0) & (depth_mm < 6)
    volume[fluid] = volume[fluid] * 0.4

    def mask(extent):
        return strip(volume, np.diag([*sizes_mm, 1]), extent=extent)

    share = {extent: mask(extent)[fluid].mean() for extent in stripping.EXTENTS}
    assert share["tight"] < share["usual"] - 0.1
    assert share["usual"] < share["with-csf"] - 0.1
    volume[(brain > 0) & (volume < 0.5)] *= 0.2  # fluid is as dark as bone
    assert np.array_equal(mask("usual"), mask("with-csf"))


@pytest.mark.full
def test_v9_finds_the_brain_beside_a_ghost(known):
    volume, brain, _ = known
    ghost = np.roll(volume, volume.shape[1] // 2, axis=1)
    ghosted = np.maximum(volume, 0.3 * ghost)
    with pytest.warns(InputWarning):
        assert not strip(ghosted, AFFINE).any()
    by_v9 = strip(ghosted, AFFINE, version="v9")
    assert metrics.dice(by_v9, brain) > 0.95


def test_below_the_orbits_v8_looks_alone(monkeypatch):
    versions = []
    head = verdicts.NOTHING._replace(head_mm2=9000.0)
    nothing = np.zeros((4, 4), bool)

    def look(image, _spacing_mm, version):
        versions.append(version)
        finding = head if image.any() else verdicts.NOTHING
        return stripping._SampledSlice(finding, nothing, nothing, image[nothing])

    monkeypatch.setattr(stripping, "_examine", look)
    slices = np.ones((9, 4, 4))
    slices[:2] = 0  # air above the crown
    spacing_mm = np.array([30.0, 1.0, 1.0])
    stripping._sample_downwards(slices, spacing_mm, 1, "v9")
    assert versions == ["v9"] * 5 + ["v8"] * 4


def test_a_wrong_choice_is_refused_before_a_scan_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(strip_files.scans, "read", None)
    files = strip_files.outputs_of(tmp_path / "head.nii", tmp_path)
    wrong = ({"version": "v7"}, {"version": ["v8"]}, {"extent": "wide"}, {"extent": ["usual"]})
    for choice in wrong:
        with pytest.raises(InputError) as caught:
            strip_files.strip_to(tmp_path / "head.nii", files, n4=True, **choice)
        assert caught.value.where is None


def test_a_version_that_finds_no_skull_is_refused(folder, skullmask):
    with pytest.raises(InputError) as caught:
        strip(np.zeros((9, 9, 9)), np.eye(4), version="v7")
    assert "'v7'" in str(caught.value)
    scan(folder / "head.nii.gz")
    code, _, [line] = skullmask("strip", "head.nii.gz", "out", "--version", "v7")
    assert code == 2
    assert "v8, v9" in line
    assert not Path("out").exists()


def test_an_extent_that_is_unknown_is_refused(folder, skullmask):
    with pytest.raises(InputError) as error:
        strip(np.zeros((9, 9, 9)), np.eye(4), extent="wide")
    assert "'wide'" in str(error.value)
    scan(folder / "head.nii.gz")
    code, _, [line] = skullmask("strip", "head.nii.gz", "out", "--tight", "--with-csf")
    assert code == 2
    assert line.startswith("skullmask: ")
    assert not (folder / "out").exists()


def test_an_oblique_affine_changes_nothing(known):
    volume, _, mask = known
    angle = np.deg2rad(20)
    turn = np.array(
        [
            [1, 0, 0, 9],
            [0, np.cos(angle), -np.sin(angle), -7],
            [0, np.sin(angle), np.cos(angle), 3],
            [0, 0, 0, 1],
        ]
    )
    assert np.array_equal(strip(volume, turn @ AFFINE), mask)


def test_fine_voxels_are_joined_and_parted_again():
    sizes_mm = (0.397, 5.0, 8.0)  # joined by threes, the last one alone
    volume, brain = head(sizes_mm)
    mask = strip(volume, np.diag([*sizes_mm, 1]))
    assert mask.shape == volume.shape
    assert mask.shape[0] % 3
    assert metrics.dice(mask, brain) > 0.93


def test_a_head_cut_by_the_volume(known):
    volume, brain, _ = known
    part = slice(6, 17)
    mask = strip(volume[:, :, part], AFFINE)
    assert metrics.dice(mask, brain[:, :, part]) > 0.93
    assert mask[:, :, 0].any()
    assert mask[:, :, -1].any()


def test_the_phantom():
    volume, labels, affine = phantom.render_volume()
    with_fluid = labels >= phantom.LABELS["csf"]
    assert metrics.dice(strip(volume, affine), with_fluid) > 0.9


def test_nothing_that_is_a_brain():
    volume = np.random.default_rng(0).random((20, 20, 6))
    with pytest.warns(InputWarning, match="no brain|few slices"):
        mask = strip(volume, np.diag([8, 8, 8, 1]))
    assert mask.shape == volume.shape
    one = np.random.default_rng(0).random((50, 1, 25))
    with pytest.warns(InputWarning, match="no brain|few slices"):
        assert not strip(one, np.diag([4, 5, 8, 1])).any()


def test_a_brain_that_is_stripped_already_is_recognised(known):
    volume, brain, _ = known
    values = volume[brain > 0]
    # air is brighter than some of the brain
    z_scored = np.where(brain, (volume - values.mean()) / values.std(), 0)
    for bare in (volume * brain, 1000 * volume * brain - 500, z_scored):
        with (
            pytest.warns(InputWarning, match="stripped"),
            pytest.warns(EmptyMaskWarning, match="no brain"),
        ):
            assert not strip(bare, AFFINE).any()


@pytest.mark.filterwarnings("ignore::skullmask_lib.errors.EmptyMaskWarning")
@pytest.mark.parametrize("window", [(-160, 240), (-100, 200)])
def test_a_ct_is_doubted(window):
    with pytest.warns(InputWarning, match="few slices"):
        strip(ct_of_head(window), AFFINE)


def with_nan():
    volume = head()[0]
    volume[3, 3, 3] = np.nan
    return volume


@pytest.mark.parametrize(
    ("volume", "affine", "naming"),
    [
        (np.zeros((4, 4)), np.eye(4), ["(X, Y, Z)", "got shape (4, 4)"]),
        (np.zeros((4, 4, 4, 2)), np.eye(4), ["(X, Y, Z)", "got shape (4, 4, 4, 2)"]),
        (np.zeros((4, 4, 4)), np.eye(4), ["differ", " 0"]),
        (with_nan(), np.eye(4), ["finite", "got 1 "]),
        (np.ones((4, 4, 4), complex), np.eye(4), ["real", "dtype complex128"]),
        (head()[0], np.eye(3), ["affine (4, 4)", "got [[1.0, 0.0, 0.0], "]),
        (head()[0], np.zeros((4, 4)), ["affine (4, 4)", "got [[0.0, 0.0, 0.0, 0.0], "]),
        (head()[0], np.diag([1, 1e-9, 1, 1]), ["affine (4, 4)", "[0.0, 1e-09, 0.0, 0.0]"]),
        (
            head()[0],
            np.diag([0.001, 0.001, 0.001, 1]),
            ["field of view", "from 50 mm", "got 0.05 mm"],
        ),
        (
            head()[0],
            np.diag([100, 100, 100, 1]),
            ["field of view", "up to 1000 mm", "got 5000 mm"],
        ),
    ],
)
def test_bad_input_is_one_line(volume, affine, naming):
    with refused(None, naming=naming) as error:
        strip(volume, affine)
    assert "\n" not in str(error.value)


# --- files ---------------------------------------------------------------------------------------


def scan(
    path,
    dtype=np.int16,
    slope=None,
    endianness="<",
    trailing=0,
    kind=nib.Nifti1Image,
    shift=0,
):
    """Write the head as a file of this dtype, with a text in its header."""
    header = kind.header_class(endianness=endianness)
    header.set_data_dtype(dtype)
    header["descrip"] = b"T1 of a head"
    affine = AFFINE.copy()
    affine[:3, 3] = -90, -100, 17
    values = np.roll((1000 * head()[0]).astype(dtype), shift, axis=0)
    image = kind(values.reshape(values.shape + (1,) * trailing), affine, header)
    if slope:
        image.header.set_slope_inter(*slope)
    nib.save(image, path)
    return path


KINDS = {
    "int16": {},
    "slope": {"slope": (0.5, -3.0)},
    "float32": {"dtype": np.float32},
    "float64": {"dtype": np.float64},
    "big-endian": {"endianness": ">"},
    "trailing": {"trailing": 1},
    "nifti2": {"kind": nib.Nifti2Image},
}


PLACE = ("dim", "pixdim", "xyzt_units", "qform_code", "sform_code", "srow_x", "srow_y", "srow_z")


@pytest.mark.parametrize(
    ("kind", "suffix"), [*((kind, ".nii.gz") for kind in KINDS), ("int16", ".nii")]
)
def test_outputs_lie_where_their_scan_lies(tmp_path, kind, suffix):
    path = scan(tmp_path / f"head{suffix}", **KINDS[kind])
    files = strip_scan(path, tmp_path / "new" / "out")
    assert [file.name for file in files] == [
        f"head_brain{suffix}",
        f"head_brainmask{suffix}",
        "head_qc.png",
        "head_brainmask.json",
    ]
    before = nib.load(path)
    brain = nib.load(files.brain)
    mask = nib.load(files.mask)
    for image in (brain, mask):
        assert type(image) is type(before)
        assert image.shape == before.shape
        assert image.header.endianness == before.header.endianness
        assert np.array_equal(image.affine, before.affine)
        for field in PLACE:
            assert np.array_equal(image.header[field], before.header[field]), field
        assert not image.header["descrip"].item()
    assert mask.get_data_dtype() == np.uint8
    assert (mask.header["cal_min"], mask.header["cal_max"]) == (0, 1)
    assert brain.get_data_dtype() == before.get_data_dtype()
    inside = mask.get_fdata() > 0
    assert inside.any()
    assert np.array_equal(brain.get_fdata()[inside], before.get_fdata()[inside])
    assert np.ptp(brain.get_fdata()[~inside]) == 0
    assert abs(brain.get_fdata()[~inside]).max() <= 0.25  # the stored number nearest to 0
    assert files.picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("dtype", "slope"), [(np.uint8, (5, 30)), (np.int16, (1, -100000)), (np.float32, (1, 0.3))]
)
def test_a_zero_that_cannot_be_stored(tmp_path, dtype, slope):
    values = (100 * head()[0]).astype(dtype)
    image = nib.Nifti1Image(values, AFFINE)
    image.header.set_slope_inter(*slope)
    nib.save(image, tmp_path / "head.nii")
    files = strip_scan(tmp_path / "head.nii", tmp_path)
    volume = nib.load(tmp_path / "head.nii").get_fdata()
    brain = nib.load(files.brain).get_fdata()
    mask = nib.load(files.mask).get_fdata()
    assert mask.any()
    assert np.allclose(brain[mask > 0], volume[mask > 0])
    assert abs(brain[mask == 0]).max() < 1e-6


def test_the_picture_is_the_same_in_any_order(tmp_path):
    volume = head()[0]
    volume[4:9, 30:34, 20] = 3  # left, in front, on top
    upright = nib.Nifti1Image(volume, AFFINE)
    turned = upright.as_reoriented(np.array([[1, -1], [2, 1], [0, -1]]))
    pictures = []
    for name, image in (("a", upright), ("b", turned)):
        (tmp_path / name).mkdir()
        nib.save(image, tmp_path / name / "head.nii")
        pictures.append(strip_scan(tmp_path / name / "head.nii", tmp_path).picture.read_bytes())
    assert pictures[0] == pictures[1]


@pytest.mark.parametrize(("place", "panel"), [((2, 25, 5), 0), ((2, 10, 9), 1), ((10, 25, 9), 2)])
def test_planes_show_left_at_the_left_and_front_and_top_above(place, panel):
    """A bright voxel left of, in front of and above the middle is in that half of its panel."""
    volume = np.zeros((20, 30, 12))
    volume[place] = 1
    pixels = plots.three_planes(volume, np.diag([4, 4, 10, 1]), at=place).pixels.astype(int)
    brightness = pixels.max(axis=2)
    columns_of_panels = np.flatnonzero((brightness < 8).sum(axis=0) > 60)
    gaps = np.flatnonzero(np.diff(columns_of_panels) > 4)
    columns = np.split(columns_of_panels, gaps + 1)[panel]
    below_the_title = brightness[30:, columns[0] : columns[-1] + 1]
    rows = np.flatnonzero((below_the_title < 8).any(axis=1))
    image = below_the_title[: rows[-1] + 1]
    row, column = np.unravel_index(image[:, 2:-2].argmax(), image[:, 2:-2].shape)
    assert row < image.shape[0] / 2
    is_left = column < image.shape[1] / 2
    assert is_left == (panel != 2)  # in front is at the right of the sagittal plane


@pytest.mark.parametrize(
    ("qualities", "expected"),
    [
        ([0.1, 0.6, 0.3, 0.6, 0.1], [1, 2, 3]),  # between two trusted ones, and nearly as good
        ([0.1, 0.6, 0.2, 0.6, 0.1], [1, 3]),
        ([0.3, 0.6, 0.6, 0.3], [1, 2]),  # at an end
        ([0.6, 0.3, 0.3, 0.6], [0, 3]),
        ([0.1, 0.2, 0.1], [1]),  # the best one where none is trusted
        ([0.6], [0]),
    ],
)
def test_which_slices_count(qualities, expected):
    assert stripping._trusted(np.array(qualities)).tolist() == expected


def two_halves(slices):
    """Give slices of two halves of a brain, 20 pixels apart."""
    brain = np.zeros((slices, 40, 60), bool)
    brain[:, 8:32, 5:20] = True
    brain[:, 8:32, 40:55] = True
    return brain


@pytest.mark.parametrize(
    ("vault", "expected"),
    [
        ([False, True, False, True, False, False], [4, 5]),
        ([False, True], []),
        ([False, False], []),
    ],
)
def test_cisterns_are_bridged_below_the_vault_alone(vault, expected):
    bridged = stripping._bridged_below(two_halves(len(vault)), np.array(vault), np.ones(2))
    assert np.flatnonzero(bridged[:, 20, 30]).tolist() == expected
    assert np.flatnonzero(bridged.any(axis=(1, 2))).tolist() == expected
    assert not bridged[:, 3].any()


def test_how_wide_a_bridged_cistern_is_counts_in_millimetres():
    vault = np.array([True, False])
    _, wide = stripping._bridged_below(two_halves(2), vault, np.array([1, 2.5]))
    assert not wide[20, 30]
    _, narrow = stripping._bridged_below(two_halves(2), vault, np.array([2.5, 1]))
    assert narrow[20, 30]


@pytest.mark.parametrize(
    ("extent", "width_mm", "fluid", "is_brain"),
    [
        ("usual", 32, 0.35, True),
        ("usual", 48, 0.35, False),  # wider than CISTERN_MM, though not by far
        ("usual", 32, 0.1, False),  # as dark as bone
        ("tight", 32, 0.35, False),
    ],
)
def test_a_pool_at_the_base_of_the_brain(extent, width_mm, fluid, is_brain):
    size_mm = 4.0
    z, y, x = size_mm * np.mgrid[0:30, -22:23, -22:23]
    radius = np.hypot(x, y)
    pool = (radius < 60) & (z > 60) & (y < 20) & (abs(x) < width_mm / 2)
    ventricle = (radius < 14) & (z > 12) & (z < 40)
    values = np.where(radius < 60, 1, 0.1)
    values[pool | ventricle] = fluid
    vault = z[:, 0, 0] < 52
    skull = stripping._Skull(radius < 72, vault, 1.0, [], 1, np.zeros(30, int))
    spacing_mm = np.full(3, size_mm)
    mask = stripping._brain_within(skull, values, spacing_mm, stripping.EXTENTS[extent])
    middle = pool & (z > 80) & (y < -4) & (y > -32) & (abs(x) < 6)
    assert mask[middle].mean() == is_brain


GYRUS = np.s_[20:28, 28:34, 14:44]
TIP = np.s_[22:26, 30:32, 14:16]


@pytest.mark.parametrize(
    ("at_core", "depth_mm", "is_vault", "is_brain"),
    [
        (True, 12, True, True),
        (True, 8, True, False),  # it may be dura
        (False, 12, True, False),
        (True, 12, False, False),
    ],
)
def test_a_thin_gyrus_in_wide_fluid_is_brain(at_core, depth_mm, is_vault, is_brain):
    """Slices, rows and columns are of a millimetre; the core begins in column 40."""
    core = np.zeros((48, 60, 60), bool)
    core[10:38, 20:40, 40:48] = True
    tissue = core.copy()
    tissue[GYRUS] = True
    if not at_core:
        tissue[:, :, 36:39] = False
    inside = np.zeros_like(core)
    inside[:, 2:-2, 14 - depth_mm : -2] = True
    vault = np.full(len(core), is_vault)
    vault[[0, -1]] = True
    gyri = stripping._gyri(core, tissue, inside, vault, np.ones(3))
    assert np.unique(gyri[TIP]).tolist() == [is_brain]


def test_nothing_above_the_crown_is_deep():
    tissue = np.ones((40, 40, 40), bool)
    core = np.zeros_like(tissue)
    core[30:34, 15:25, 15:25] = True
    vault = np.arange(40) >= 8
    gyri = stripping._gyri(core, tissue, tissue, vault, np.ones(3))
    followed = np.flatnonzero(gyri.any(axis=(1, 2)))
    assert followed[0] == 8 + stripping.DURA_MM


def test_a_doubtful_part_of_a_mask_has_an_outline_of_its_own():
    volume = np.zeros((20, 30, 12))
    mask = np.zeros_like(volume)
    mask[5:15, 5:25, 2:10] = 1
    doubtful = mask.copy()
    doubtful[:, :, 5:] = 0

    def has(role, **options):
        picture = plots.three_planes(volume, np.diag([4, 4, 10, 1]), mask=mask, **options)
        above_key = picture.pixels[: -2 * plots.pictures.KEY_DOTS, :, :3].astype(int)
        colour = np.array([*bytes.fromhex(plots.COLOURS[role].removeprefix("#"))])
        return (np.abs(above_key - colour).max(axis=2) < 8).any()

    assert has("mask")
    assert not has("doubtful")
    assert has("mask", doubtful=doubtful)
    assert has("doubtful", doubtful=doubtful)
    assert not has("doubtful", doubtful=0 * mask)
    with pytest.raises(InputError):
        plots.three_planes(volume, np.eye(4), doubtful=doubtful)


def test_thin_voxels_make_no_huge_picture():
    picture = plots.three_planes(np.ones((4, 4, 400)), np.diag([5, 8, 0.001, 1]))
    assert picture.pixels.size < 5e6


def shifted(volume):
    """Give the same head in other numbers, bright tissue being at 1000."""
    yield 1e-30 * volume
    yield (1e30 * volume).astype(np.float32)
    yield volume + 1000
    yield volume - 500
    yield np.rint(4 * volume).clip(0, 4095).astype(np.uint16)
    yield np.rint(volume / 4 - 128).clip(-128, 127).astype(np.int8)
    yield volume.astype(np.float16)
    yield (volume + 1000).astype(np.float16)


def test_neither_offset_nor_scale_nor_type_matters(known):
    volume, _, mask = known
    for other in shifted(1000 * volume.astype(np.float64)):
        assert metrics.dice(strip(other, AFFINE), mask) > 0.995, other.dtype


def test_metres_are_understood(tmp_path, known):
    volume, _, mask = known
    image = nib.Nifti1Image(volume, np.diag([*np.divide(SIZES_MM, 1000), 1]))
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "head.nii")
    files = strip_scan(tmp_path / "head.nii", tmp_path)
    assert np.array_equal(nib.load(files.mask).get_fdata(), mask)


def test_an_unusual_size_is_said(tmp_path):
    image = nib.Nifti1Image(head()[0], np.diag([*np.multiply(SIZES_MM, 0.7), 1]))
    nib.save(image, tmp_path / "child.nii")
    with pytest.warns(InputWarning, match=r"^child\.nii: .* \d+ mL") as caught:
        files = strip_scan(tmp_path / "child.nii", tmp_path)
    voxels = np.count_nonzero(nib.load(files.mask).get_fdata())
    brain_ml = voxels * 0.7**3 * np.prod(SIZES_MM) / 1000
    assert any(f" {brain_ml:.0f} mL" in str(warning.message) for warning in caught)


def test_n4_gives_the_corrected_values(tmp_path, known):
    path = scan(tmp_path / "head.nii.gz")
    files = strip_scan(path, tmp_path, n4=True)
    mask = nib.load(files.mask).get_fdata()
    assert nib.load(files.brain).get_data_dtype() == np.float32
    assert metrics.dice(mask, known[2]) > 0.97
    uncorrected = nib.load(path).get_fdata()[mask > 0]
    corrected = nib.load(files.brain).get_fdata()[mask > 0]
    assert not np.array_equal(corrected, uncorrected)
    assert corrected.mean() == pytest.approx(uncorrected.mean(), rel=0.3)


def truncated(path):
    path.write_bytes(scan(path).read_bytes()[:-200])


def text(path):
    path.write_text("no scan")


def zipped_text(path):
    path.write_bytes(gzip.compress(b"no scan"))


def save(values):
    return lambda path: nib.save(nib.Nifti1Image(values, np.eye(4)), path)


BAD = {
    "missing": (lambda _: None, ["no such file"]),
    "truncated": (truncated, ["readable .nii.gz"]),
    "text": (text, ["readable .nii.gz"]),
    "zipped text": (zipped_text, ["readable .nii.gz"]),
    "folder": (Path.mkdir, ["DICOM"]),
    "1-D": (save(np.ones(4, np.uint8)), ["(X, Y, Z)", "got shape (4,"]),
    "4-D": (save(np.ones((4, 4, 4, 2), np.uint8)), ["(X, Y, Z)", "got shape (4, 4, 4, 2)"]),
    "zeros": (save(np.zeros((4, 4, 4), np.uint8)), ["differ", " 0"]),
    "constant": (save(np.full((4, 4, 4), -7.5)), ["differ", " -7.5"]),
    "NaN": (save(with_nan()), ["finite", "got 1 "]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_scan_is_one_line_with_exit_code_2(folder, skullmask, name):
    make, naming = BAD[name]
    make(folder / "scan.nii.gz")
    code, out, [line] = skullmask("strip", "scan.nii.gz", "out")
    assert (code, out) == (2, "")
    assert line.startswith("skullmask: scan.nii.gz: ")
    for value in naming:
        assert value in line
    assert not list(folder.glob("out/*"))


def test_the_command_line_names_what_it_wrote(folder, skullmask):
    scan(folder / "head.nii.gz")
    code, out, [thick] = skullmask("strip", "head.nii.gz", "out")
    assert code == 0
    for part in ("head.nii.gz", "orbits", "8 mm"):
        assert part in thick
    *files, quality, levels = out.splitlines()
    assert files == [
        "The brain: out/head_brain.nii.gz",
        "The mask: out/head_brainmask.nii.gz",
        "The picture: out/head_qc.png",
        "The sidecar: out/head_brainmask.json",
    ]
    sidecar = json.loads((folder / "out" / "head_brainmask.json").read_text(encoding="utf-8"))
    assert quality == f"The quality: {sidecar['Quality']:.2f}"
    assert levels == f"Levels not to trust: {sidecar['DoubtfulLevels']}"
    before = (folder / "out" / "head_brainmask.nii.gz").read_bytes()
    scan(folder / "head.nii.gz", shift=1)
    assert skullmask("strip", "head.nii.gz", "out")[0] == 0  # an earlier result is replaced
    assert (folder / "out" / "head_brainmask.nii.gz").read_bytes()[10:] != before[10:]


def test_a_folder_that_cannot_be_written(folder, skullmask):
    scan(folder / "head.nii.gz")
    (folder / "file").write_text("mine")
    for out, cause in (
        ("file", errno.EEXIST),
        ("file/in/it", errno.ENOTDIR),
        ("/proc/nowhere", errno.ENOENT),
    ):
        code, _, [line] = skullmask("strip", "head.nii.gz", out)
        assert code == 2
        assert line.startswith(f"skullmask: {out}: ")
        assert os.strerror(cause) in line
    assert (folder / "file").read_text() == "mine"
    shutil.copy(folder / "head.nii.gz", folder / "a.nii.gz")
    (folder / "out" / "a_qc.png").mkdir(parents=True)
    code, _, [line] = skullmask("strip", "a.nii.gz", "out")
    assert code == 2
    assert line.startswith("skullmask: out/a_qc.png: ")
    assert "folder" in line
    assert os.listdir("out") == ["a_qc.png"]


@pytest.mark.full
def test_a_read_only_mount(folder):
    """Root writes through permission bits, not through a mount."""
    scan(folder / "head.nii.gz")
    (folder / "out").mkdir()
    mount = ["unshare", "--mount", "bash", "-c"]
    command = "mount -t tmpfs -o ro none out && exec skullmask strip head.nii.gz out"
    path = f"{Path(os.sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        [*mount, command],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2, run.stderr
    [line] = run.stderr.splitlines()
    assert line.startswith("skullmask: out/head_brain.nii.gz: ")
    assert os.strerror(errno.EROFS) in line


# --- real heads ----------------------------------------------------------------------------------


def real_head(real, name):
    """Give a real head, its affine and its true brain."""
    image = nib.load(real / "volumes" / name / "image.nii.gz")
    brain = nib.load(real / "volumes" / name / "brain.nii.gz").get_fdata() > 0
    return image.get_fdata(dtype=np.float32), image.affine, brain


@functools.cache
def stripped(real, name):
    """Give the mask of a real head, made with all numbers as they are."""
    volume, affine, _ = real_head(real, name)
    return strip(volume, affine)


@pytest.mark.full
def test_real_brains(real):
    trusted = {}
    whole = {}
    for name, levels in TRUSTED.items():
        _, _, brain = real_head(real, name)
        mask = stripped(real, name)
        trusted[name] = metrics.dice(mask[:, :, levels], brain[:, :, levels])
        if name != "sim02_T1":  # the truth of sim02_T1 follows the spinal cord down the neck
            whole[name] = metrics.dice(mask, brain)
    assert np.mean(list(trusted.values())) >= 0.976, trusted
    assert np.mean(list(whole.values())) >= 0.9705, whole
    assert min(trusted.values()) >= 0.955, trusted
    assert min(whole.values()) >= 0.955, whole


@pytest.mark.full
def test_an_extent_fits_what_a_truth_means_by_brain(real):
    """The truth of brainweb holds all fluid; that of oms01 is tighter."""
    scores = {}
    for name, levels in (("brainweb", TRUSTED["brainweb"]), ("oms01_FLAIR", slice(17, 30))):
        volume, affine, brain = real_head(real, name)
        for extent in ("tight", "with-csf"):
            mask = strip(volume, affine, extent=extent)
            scores[name, extent] = metrics.dice(mask[:, :, levels], brain[:, :, levels])
    assert scores["brainweb", "with-csf"] > scores["brainweb", "tight"] + 0.01
    assert scores["oms01_FLAIR", "tight"] > scores["oms01_FLAIR", "with-csf"]


@pytest.mark.parametrize(
    ("dtype", "scaling", "zero"),
    [
        ("f4", (1.0, 0.0), 0.0),
        ("f4", (2.0, -10.0), 5.0),
        ("i2", (2.0, -10.0), 5),
        ("u1", (1.0, 10.0), None),
    ],
)
def test_outside_of_the_brain_is_a_plain_zero(dtype, scaling, zero):
    stored = strip_files._stored_zero(np.dtype(dtype), scaling)
    assert stored == zero
    assert zero is None or not np.signbit(stored)


@pytest.mark.full
def test_neither_offset_nor_scale_nor_type_matters_on_a_real_head(real):
    image = nib.load(real / "volumes" / "oms01" / "image.nii.gz")
    volume = image.get_fdata()
    mask = strip(volume, image.affine)
    for other in shifted(1000 / np.percentile(volume, 99.9) * volume):
        assert metrics.dice(strip(other, image.affine), mask) > 0.999, other.dtype


NUMBERS = [
    "_LENIENT_SHARE",
    "_FAT",
    "MIN_BRAIN_DEPTH_MM",
    "CORE_MM",
    "GYRUS_MM",
    "DURA_MM",
    "SULCUS_MM",
    "CISTERN_MM",
    "NECK_MM",
    "EVERY_MM",
]


@pytest.mark.full
@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_decides(real, monkeypatch, name):
    """A fifth less or more of any number moves the Dice of a real brain by less than 0.02."""
    volume, affine, brain = real_head(real, "oms01")
    levels = TRUSTED["oms01"]

    def dice(mask):
        return metrics.dice(mask[:, :, levels], brain[:, :, levels])

    as_it_is = dice(stripped(real, "oms01"))
    for factor in (0.8, 1.2):
        monkeypatch.setattr(stripping, name, factor * getattr(stripping, name))
        assert dice(strip(volume, affine)) == pytest.approx(as_it_is, abs=0.02), factor
        monkeypatch.undo()
