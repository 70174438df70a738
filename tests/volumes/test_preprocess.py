"""Contrast, crop, bias field, resampling: against OpenCV, SimpleITK and nilearn, by hand, and on heads with truth."""

import contextlib
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import cv2
import nibabel as nib
import nilearn.image
import numpy as np
import pytest
import SimpleITK as sitk
from complaints import refused
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from inputs import blobs, head
from numpy.testing import assert_allclose as close
from numpy.testing import assert_array_equal as same
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import masks, phantom
from skullmask_lib.io import nifti, planes
from skullmask_lib.volumes import preprocess

NUMBERS = (
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "uint64",
    "int64",
    "float16",
    "float32",
    "float64",
)
SWAPPED = (">u2", ">i2", ">f4", ">f8")
SIDES = st.tuples(st.integers(1, 24), st.integers(1, 24))
ANGLES = st.tuples(*[st.floats(-3, 3)] * 3)
AXES_IN_ONE_PLANE = nib.affines.from_matvec([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]])


def turned(angles, voxel_mm=(1.0, 1.0, 3.0), origin_mm=(5.0, -7.0, 11.0)):
    """Give an oblique affine."""
    rotation = nib.eulerangles.euler2mat(*angles)
    return nib.affines.from_matvec(rotation @ np.diag(voxel_mm), origin_mm)


def biased(shape=(60, 50), strength=0.4):
    """Give tissue of two grey levels in air, and the same under a smooth field."""
    grid = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in grid))
    tissue = np.where(radius < 0.8, np.where(radius < 0.5, 150.0, 90.0), 2.0)
    return tissue, tissue * np.exp(strength * (grid[0] - 0.5 * grid[1] ** 2))


def image_of(dtype, shape=(64, 80)):
    """Blobs over the whole range of a type, of 32 bits where it has 64."""
    if dtype == "bool":
        return blobs(3, shape=shape, dtype="uint8") > 60
    return blobs(3, shape=shape, dtype=np.int32 if dtype in ("int64", "uint64") else dtype).astype(
        dtype
    )


def variation(image, inside):
    return image[inside].std() / image[inside].mean()


# --- contrast --------------------------------------------------------------------------------------------------


@given(hnp.arrays(np.uint8, SIDES))
def test_equalize_is_that_of_opencv_on_8_bit(image):
    made = preprocess.equalize(image)
    assert made.dtype == np.uint8
    same(made, cv2.equalizeHist(image))


@pytest.mark.parametrize("seed", range(10))
def test_equalize_is_that_of_opencv_on_slices_of_8_bit(seed):
    image = blobs(seed, shape=(97, 151), dtype=np.uint8)
    same(preprocess.equalize(image), cv2.equalizeHist(image))


@given(hnp.arrays(np.uint16, SIDES, elements=st.integers(0, 65535)))
def test_equalize_of_16_bit_by_hand(image):
    ranks = np.array([[np.count_nonzero(image <= value) for value in row] for row in image])
    if ranks.min() == image.size:
        return same(preprocess.equalize(image), image)
    made = preprocess.equalize(image)
    assert made.dtype == np.uint16
    return close(made, (ranks - ranks.min()) / (image.size - ranks.min()) * 65535, atol=0.51)


def test_equalize_spreads_the_grey_levels_evenly():
    image = np.random.default_rng(0).gamma(1, 1e-6, (200, 200)).astype(np.float32)
    made = np.sort(preprocess.equalize(image), axis=None)
    close(made, np.linspace(image.min(), image.max(), image.size), atol=0.01 * np.ptp(image))


@given(hnp.arrays(np.uint8, SIDES), st.floats(0.1, 100), st.integers(1, 10), st.integers(1, 10))
def test_clahe_is_that_of_opencv_on_8_and_16_bit(image, clip_limit, rows, columns):
    for levels in (image, image * np.uint16(251)):
        if np.ptp(levels):
            made = preprocess.clahe(levels, clip_limit=clip_limit, grid=(rows, columns))
            assert made.dtype == levels.dtype
            same(made, cv2.createCLAHE(clip_limit, (columns, rows)).apply(levels))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_clahe_of_all_else_is_that_of_8_bit_in_its_own_range(seed, dtype):
    image = blobs(seed, shape=(97, 151), dtype=dtype)
    low, high = float(image.min()), float(image.max())
    levels = cv2.createCLAHE(2.0, (8, 8)).apply(masks.normalize(image))
    close(
        preprocess.clahe(image),
        low + (high - low) * (levels / 255),
        rtol=1e-6,
        atol=1e-6 * (high - low),
    )


def test_a_limit_above_every_histogram_is_none():
    image = blobs(1, shape=(64, 64), dtype=np.uint8)
    same(preprocess.clahe(image, clip_limit=1e12), preprocess.clahe(image, clip_limit=256))
    assert (preprocess.clahe(image, clip_limit=256) != preprocess.clahe(image, clip_limit=2)).any()


@pytest.mark.parametrize("change", [preprocess.equalize, preprocess.clahe])
@pytest.mark.parametrize("dtype", [*NUMBERS, *SWAPPED])
def test_contrast_keeps_range_and_type(change, dtype):
    image = image_of(dtype)
    made = change(image)
    kept = image.dtype.kind == "f" or image.dtype.name in ("uint8", "uint16")
    assert made.dtype == (image.dtype.newbyteorder("=") if kept else np.float64)
    assert made.shape == image.shape
    low, high = (
        (0, np.iinfo(dtype).max)
        if made.dtype.kind == "u"
        else (float(image.min()), float(image.max()))
    )
    if change is preprocess.equalize:
        assert (made.min(), made.max()) == (low, high)
    assert low <= made.min() < made.max() <= high
    flat = np.full((5, 7), image.flat[0])
    same(change(flat), flat)


@given(hnp.arrays(np.float32, SIDES, elements=st.floats(-100, 100, width=32)))
def test_equalize_keeps_the_order_of_the_grey_levels(image):
    made = preprocess.equalize(image)
    assert (np.diff(made.ravel()[image.ravel().argsort(kind="stable")]) >= 0).all()
    assert (made.min(), made.max()) == (image.min(), image.max())


@pytest.mark.parametrize("change", [preprocess.equalize, preprocess.clahe])
def test_contrast_of_extreme_ranges(change):
    image = blobs(4, shape=(64, 64), dtype=np.float64)
    image /= image.max()
    wanted = change(image)
    for scale in (1e-300, 3.5e-5, np.finfo(float).max):
        close(change(image * scale) / scale, wanted, atol=1e-6)
    top = np.finfo(float).max
    assert np.isfinite(change(np.where(image > 0.3, top, -top))).all()
    whole = np.iinfo(np.int64)
    made = change(np.where(image > 0.3, whole.max, whole.min))
    assert whole.min <= made.min() < made.max() <= whole.max


@pytest.mark.parametrize("change", [preprocess.equalize, preprocess.clahe, preprocess.crop_to_head])
@pytest.mark.parametrize(
    ("image", "naming"),
    [
        (np.array([[1, np.nan]]), ["finite", "got 1 "]),
        (np.array([[1, np.inf]]), ["finite", "got 1 "]),
        (
            np.zeros((2, 3, 4)),
            ["(H, W)", "(2, 3, 4)"],
        ),
        (np.zeros((0, 4)), ["one pixel", "(0, 4)"]),
        (np.array([["a"]]), ["<U1"]),
    ],
)
def test_what_is_not_a_slice_is_refused(change, image, naming):
    with refused(None, naming=naming):
        change(image)


@pytest.mark.parametrize(
    ("options", "naming"),
    [
        ({"clip_limit": 0}, ["clip limit above 0", "got 0 and"]),
        ({"clip_limit": -2.5}, ["clip limit", "got -2.5"]),
        ({"clip_limit": np.nan}, ["clip limit", "got nan"]),
        ({"clip_limit": np.inf}, ["clip limit", "got inf"]),
        ({"grid": 8}, ["grid", "got 2.0 and 8"]),
        ({"grid": (8, 8, 8)}, ["grid", "(8, 8, 8)"]),
        ({"grid": (0, 8)}, ["tiles", "1 to 32", "got 0"]),
        ({"grid": (8, 33)}, ["tiles", "got 33"]),
        ({"grid": (8, 2.5)}, ["tiles", "got 2.5"]),
    ],
)
def test_options_of_clahe_that_cannot_be(options, naming):
    with refused(None, naming=naming):
        preprocess.clahe(np.eye(5), **options)


# --- crop ------------------------------------------------------------------------------------------------------


def framed(size=100, *, rows=(30, 60), columns=(20, 70)):
    image = np.zeros((size, size))
    image[slice(*rows), slice(*columns)] = 1
    return image


def holds(box, mask):
    """Tell whether everything of the mask lies inside the box."""
    return mask[box].sum() == mask.sum() > 0


def test_crop_of_a_rectangle():
    crop = preprocess.crop_to_head(framed())
    for found, edges in zip(crop.box, ((30, 60), (20, 70)), strict=True):
        assert 0 <= edges[0] - found.start <= 4  # two for the edge, two for its dilation
        assert 0 <= found.stop - edges[1] <= 4
    same(crop.image, framed()[crop.box])
    assert crop.affine is None
    assert crop.others == ()


def test_crop_leaves_specks_of_noise_out():
    image = framed()
    image[3, 4] = image[95, 90] = image[96, 2] = 1
    assert preprocess.crop_to_head(image).box == preprocess.crop_to_head(framed()).box


def test_crop_takes_an_outline_that_is_broken_into_pieces():
    rows, columns = np.indices((200, 200)) - 99.5
    radius, angle = np.hypot(rows, columns), np.arctan2(rows, columns)
    brain = radius < 50
    scalp = (
        (radius > 70) & (radius < 76) & (np.abs(angle % (np.pi / 4) - np.pi / 8) < 0.2)
    )  # eight arcs
    crop = preprocess.crop_to_head(brain + 0.6 * scalp)
    assert holds(crop.box, scalp)
    assert max(crop.image.shape) < 165


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (40, 30)])
def test_crop_without_a_contour_is_the_whole_frame(shape):
    crop = preprocess.crop_to_head(np.full(shape, 7), affine=np.diag([2, 3, 1]))
    assert crop.box == (slice(0, shape[0]), slice(0, shape[1]))
    same(crop.affine, np.diag([2, 3, 1]))


@given(st.integers(0, 99), st.integers(0, 24))
def test_crop_cuts_all_arrays_alike(seed, margin_px):
    image = blobs(seed, shape=(50, 25))
    others = [
        np.arange(image.size).reshape(image.shape),
        (image > 0.1).astype(np.uint8),
        image.astype(">f8"),
    ]
    crop = preprocess.crop_to_head(image, *others, margin_px=margin_px)
    for made, whole in zip((crop.image, *crop.others), (image, *others), strict=True):
        assert made.dtype == whole.dtype
        same(made, whole[crop.box])
        assert not np.shares_memory(made, whole)


def test_the_margin_ends_at_the_frame():
    narrow, wide = (preprocess.crop_to_head(framed(), margin_px=n).box for n in (0, 25))
    assert [(a.start - 25, a.stop + 25) for a in narrow[:1]] == [
        (a.start, a.stop) for a in wide[:1]
    ]
    assert (wide[1].start, wide[1].stop) == (0, min(narrow[1].stop + 25, 100))
    assert preprocess.crop_to_head(framed(), margin_px=100).image.shape == (100, 100)


@given(ANGLES, st.integers(0, 9), st.sampled_from([3, 4]))
def test_a_crop_keeps_its_place_in_the_world(angles, margin_px, size):
    affine = turned(angles)[[0, 1, 3]][:, [0, 1, 3]] if size == 3 else turned(angles)
    before = affine.copy()
    crop = preprocess.crop_to_head(framed(), margin_px=margin_px, affine=affine)
    same(affine, before)
    start = [part.start for part in crop.box]
    assert min(start) > 0
    for offset in ([0, 0], [crop.image.shape[0] - 1, crop.image.shape[1] - 1]):
        rest = [0] * (size - 3) + [1]
        close(crop.affine @ [*offset, *rest], affine @ [*np.add(offset, start), *rest], atol=1e-9)


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.2, -0.1, 0.3), (1.5, 0.2, -3)])
def test_a_cropped_slice_of_a_volume_keeps_its_place_in_the_world(angles):
    volume, affine = nifti.to_ras(np.random.default_rng(0).random((60, 70, 5)), turned(angles))
    volume = volume * 0.01
    volume[20:40, 25:50] += 1
    k, height = 2, volume.shape[1]
    image = planes.to_slices(volume, axis=2)[k]
    to_voxels = np.array(
        [[0, 1, 0, 0], [-1, 0, 0, height - 1], [0, 0, 1, k], [0, 0, 0, 1]]
    )  # as the docstring has it
    crop = preprocess.crop_to_head(image, affine=affine @ to_voxels)
    assert crop.image.shape < image.shape
    for row, column in ((0, 0), (3, 7)):
        voxel = np.linalg.inv(affine) @ crop.affine @ [row, column, 0, 1]
        close(voxel, np.rint(voxel), atol=1e-9)
        assert volume[tuple(np.rint(voxel[:3]).astype(int))] == crop.image[row, column]


def test_a_cropped_phantom_holds_its_skull():
    data = sm.load("phantom")
    for image, truth in zip(data.images, data.truth, strict=True):
        crop = preprocess.crop_to_head(image, truth)
        assert holds(crop.box, truth)
        assert crop.image.size < 1.5 * truth.any(axis=0).sum() * truth.any(axis=1).sum()


def test_cropped_real_slices_hold_their_skull(real):
    for path in sorted((real / "slices").glob("*.npz")):
        data = sm.load(path)
        for image, truth in zip(data.images, data.truth, strict=True):
            assert holds(preprocess.crop_to_head(image).box, truth), path.name


def test_a_cropped_volume_keeps_its_place_in_the_world():
    volume = np.zeros((50, 60, 30), np.int16)
    volume[10:35, 20:45, 5:25] = np.arange(1, 12501).reshape(25, 25, 20)
    affine = turned((0.3, -0.2, 0.5))
    crop = preprocess.crop_volume(volume, affine, volume > 0, margin_px=1)
    [mask] = crop.others
    assert crop.image.shape == mask.shape < volume.shape
    assert holds(crop.box, volume > 0)
    voxels = np.argwhere(mask)
    world = nib.affines.apply_affine(crop.affine, voxels)
    back = nib.affines.apply_affine(np.linalg.inv(affine), world).round().astype(int)
    same(volume[tuple(back.T)], crop.image[mask])
    same(crop.image[mask], np.arange(1, 12501))


def test_a_volume_is_cropped_to_its_widest_everywhere():
    distance = np.sqrt(
        sum((axis - c) ** 2 for axis, c in zip(np.indices((60, 70, 50)), (18, 22, 17), strict=True))
    )
    inside = distance < 16  # the planes in the middle of the volume do not cut it at its widest
    crop = preprocess.crop_volume(inside * (100 - distance), np.eye(4))
    assert holds(crop.box, inside)
    assert all(31 <= n <= 39 for n in crop.image.shape)


def test_a_volume_without_a_contour_stays_whole():
    crop = preprocess.crop_volume(np.zeros((4, 5, 6)), np.eye(4))
    assert crop.image.shape == (4, 5, 6)
    same(crop.affine, np.eye(4))


def test_cropped_real_volumes_hold_their_skull(real):
    for name in ("oms01", "oms19", "brainweb_noisy"):
        volume, image = nifti.read(real / "volumes" / name / "image.nii.gz")
        truth, _ = nifti.read(real / "volumes" / name / "outer_skull.nii.gz")
        crop = preprocess.crop_volume(volume, image.affine)
        assert holds(crop.box, truth), name
        assert crop.image.size < volume.size


@pytest.mark.parametrize(
    ("others", "options", "naming"),
    [
        ([np.zeros((3, 4))], {}, ["(100, 100)", "got (3, 4)"]),
        ([], {"margin_px": -1}, ["margin", "0 to 100 px", "got -1"]),
        ([], {"margin_px": 2.5}, ["margin", "got 2.5"]),
        ([], {"affine": np.eye(2)}, ["affine", "(3, 3) or (4, 4)", "got [[1"]),
        ([], {"affine": np.zeros((4, 4))}, ["affine", "[[0"]),
        ([], {"affine": np.diag([1, 1, np.nan])}, ["affine", "nan"]),
        ([], {"affine": AXES_IN_ONE_PLANE}, ["affine", "[[0.1"]),
        ([], {"affine": np.eye(3)[::-1]}, ["affine", "last row", "[[0"]),
        ([], {"affine": "eye"}, ["affine", "eye"]),
    ],
)
def test_crops_that_cannot_be(others, options, naming):
    with refused(None, naming=naming):
        preprocess.crop_to_head(framed(), *others, **options)


def test_a_volume_needs_an_affine_of_its_own_size():
    with refused(None, naming=["affine (4, 4)", "[[1"]):
        preprocess.crop_volume(np.zeros((5, 5, 5)), np.eye(3))
    with refused(None, naming=["3 axes", "(5, 5)"]):
        preprocess.crop_volume(np.zeros((5, 5)), np.eye(4))


# --- bias field ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(60, 50), (36, 40, 44)])
def test_n4_finds_a_smooth_field(shape):
    tissue, image = biased(shape)
    made, field = preprocess.n4(image, shrink_factor=2)
    assert made.dtype == field.dtype == np.float32
    close(made * field, image, rtol=1e-5)
    for level in (90, 150):
        assert variation(made, tissue == level) < 0.25 * variation(image, tissue == level)


def by_simpleitk(path, mask_path, shrink):
    """Correct a NIfTI file as SimpleITK's own example does."""
    full, mask = sitk.ReadImage(path, sitk.sitkFloat32), sitk.ReadImage(mask_path, sitk.sitkUInt8)
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations([20, 10, 10, 5])
    corrector.SetConvergenceThreshold(0)
    corrector.Execute(sitk.Shrink(full, shrink), sitk.Shrink(mask, shrink))
    made = full / sitk.Exp(corrector.GetLogBiasFieldAsImage(full))
    return sitk.GetArrayFromImage(made).transpose(2, 1, 0)


@pytest.mark.parametrize(
    (
        "shape",
        "voxel_mm",
        "shrink",
    ),  # shapes of which SimpleITK's first shrunken voxel lies halfway between none
    [
        ((42, 48, 45), (1, 1, 1), [3, 3, 3]),
        ((42, 48, 45), (0.9, 1, 1), [3, 3, 3]),
        ((42, 48, 45), (1, 1, 3), [3, 3, 1]),
        ((43, 48, 45), (1.5, 1, 1), [2, 3, 3]),
    ],
)
@pytest.mark.usefixtures("folder")
def test_n4_is_that_of_simpleitk_on_a_file(shape, voxel_mm, shrink):
    tissue, image = biased(shape)
    affine = turned((0.1, -0.2, 0.1), voxel_mm)
    nib.save(nib.Nifti1Image(image.astype(np.float32), affine), "image.nii")
    nib.save(nib.Nifti1Image((tissue > 50).astype(np.uint8), affine), "mask.nii")
    made, _ = preprocess.n4(image, affine, mask=tissue > 50)
    close(made, by_simpleitk("image.nii", "mask.nii", shrink), rtol=1e-3)
    assert variation(made, tissue == 150) < 0.5 * variation(image, tissue == 150)


@pytest.mark.usefixtures("folder")
def test_n4_shrinks_no_axis_to_nothing():
    tissue, image = biased((42, 48, 14))
    nib.save(nib.Nifti1Image(image.astype(np.float32), np.eye(4)), "image.nii")
    nib.save(nib.Nifti1Image((tissue > 50).astype(np.uint8), np.eye(4)), "mask.nii")
    made, _ = preprocess.n4(image, mask=tissue > 50)
    close(made, by_simpleitk("image.nii", "mask.nii", [3, 3, 1]), rtol=1e-3)


def test_n4_does_not_care_for_the_order_of_the_axes():
    _, image = biased((30, 36, 42))
    affine = np.diag([1.0, 2.0, 1.0, 1.0])
    made, _ = preprocess.n4(image, affine)
    swapped, _ = preprocess.n4(image.transpose(2, 0, 1), affine[[2, 0, 1, 3]][:, [2, 0, 1, 3]])
    close(swapped.transpose(1, 2, 0), made, rtol=1e-3)


@pytest.mark.parametrize("dtype", [*NUMBERS, *SWAPPED])
def test_n4_takes_every_real_type(dtype):
    _, image = biased((40, 36), strength=0.2)
    image = (image > 50 if dtype == "bool" else image / 2).astype(dtype)
    made, field = preprocess.n4(image, iterations=(5, 5))
    wanted, wanted_field = preprocess.n4(image.astype(np.float64), iterations=(5, 5))
    assert made.dtype == field.dtype == np.float32
    close(field, wanted_field, rtol=1e-6)
    close(made, wanted, rtol=1e-6)


def test_n4_of_values_as_small_as_those_of_the_source():
    _, image = biased()
    wanted, field = preprocess.n4(image, shrink_factor=2)
    made, small_field = preprocess.n4(image * 1e-7, shrink_factor=2)
    close(small_field, field, rtol=1e-3)
    close(made, wanted * 1e-7, rtol=1e-3)


def test_n4_is_the_same_on_any_number_of_processors():
    _, image = biased((60, 50))
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    made = []
    try:
        for threads in (1, 1, 3, 8):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            made.append(preprocess.n4(image, shrink_factor=1)[1])
            assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    for field in made[1:]:
        same(field, made[0])


def test_n4_lowers_the_variation_of_the_phantom():
    images, labels, *_ = phantom.five_slices()
    white = ndimage.binary_erosion(labels[2] == phantom.LABELS["white_matter"])
    made, _ = preprocess.n4(images[2], mask=phantom.skull_mask(labels)[2])
    assert variation(made, white) < variation(images[2], white)


@pytest.mark.full
def test_n4_shows_a_bar_on_a_terminal_after_two_seconds():
    code = (
        "from skullmask_lib.volumes import preprocess; import numpy as np; "
        "x = np.random.default_rng(0).random((24,) * 3) + 1; "
        "preprocess.n4(x, mask=x > 0, shrink_factor=1, iterations=(80,), progress=True); "
        "preprocess.n4(x, mask=x > 0, shrink_factor=1, iterations=(79,)); "
        "preprocess.n4(x[:12, :12, :12], progress=True)"
    )
    outer, inner = pty.openpty()
    termios.tcsetwinsize(inner, (24, 80))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=inner
    ) as process:
        os.close(inner)
        shown = b""
        with contextlib.suppress(OSError):  # that is how a terminal ends
            while read := os.read(outer, 4096):
                shown += read
        assert process.stdout.read() == b""
    os.close(outer)
    assert process.returncode == 0
    assert b"N4:" in shown
    assert b"/80" in shown
    assert b"/79" not in shown  # nobody asked
    assert b"/45" not in shown  # that one took no two seconds
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert piped.stdout == piped.stderr == b""


@pytest.mark.full
def test_n4_lowers_the_variation_of_white_matter(real, capsys):
    """White matter is the upper peak of the noise-free image in the brain, less what borders on anything else."""
    clean, noisy = (
        nifti.read(real / "volumes" / n / "image.nii.gz")[0] for n in ("brainweb", "brainweb_noisy")
    )
    brain = nifti.read(real / "volumes" / "brainweb" / "brain.nii.gz")[0] > 0
    levels = np.bincount(np.rint(clean[brain]).astype(int))
    peak = 130 + levels[130:].argmax()
    white = ndimage.binary_erosion(brain & (np.abs(clean - peak) <= 5))
    assert variation(clean, white) < 0.005
    before, after = variation(noisy, white), variation(preprocess.n4(noisy)[0], white)
    with capsys.disabled():
        print(
            f" variation in {white.sum()} voxels of white matter: {before:.4f} before N4, {after:.4f} after ",
            end="",
        )
    assert before > 0.065
    assert after < 0.5 * before  # 3 % of noise is left


@pytest.mark.parametrize(
    ("volume", "options", "naming"),
    [
        (np.zeros(9), {}, ["2 or 3 axes", "(9,)"]),
        (np.zeros((4, 4, 4, 4)), {}, ["2 or 3 axes", "(4, 4, 4, 4)"]),
        (np.zeros((4, 0)), {}, ["one pixel", "(4, 0)"]),
        (np.full((20, 20), np.nan), {}, ["finite", "got 400 "]),
        (np.full((20, 20), 5), {}, ["foreground above 0"]),
        (np.zeros((20, 20)), {}, ["foreground above 0"]),
        (-np.eye(20) - 1, {}, ["foreground above 0"]),
        (np.eye(20), {"mask": np.zeros((20, 20))}, ["foreground above 0"]),
        (np.eye(20), {"mask": np.ones((20, 21))}, ["(20, 20)", "got (20, 21)"]),
        (np.eye(20), {"mask": np.arange(400).reshape(20, 20)}, ["binary", "1, 2, 3, 4, …"]),
        (np.eye(20)[..., None], {}, ["2 voxels", "got (20, 20, 1)"]),
        (np.eye(20), {"affine": np.zeros((3, 3))}, ["affine", "[[0"]),
        (np.ones((20, 20, 20)), {"affine": np.eye(3)}, ["affine (4, 4)", "[[1"]),
        (np.ones((20, 20, 20)), {"affine": AXES_IN_ONE_PLANE}, ["affine", "[[0.1"]),
        (np.eye(20), {"shrink_factor": 0}, ["shrink factor", "1 to 100", "got 0"]),
        (np.eye(20), {"shrink_factor": 1.5}, ["shrink factor", "got 1.5"]),
        (np.eye(20), {"iterations": (20, 0)}, ["iterations", "1 to 1000", "got 0"]),
        (np.eye(20), {"iterations": 2.5}, ["iterations", "got 2.5"]),
    ],
)
def test_n4_that_cannot_be(volume, options, naming):
    with refused(None, naming=naming) as error:
        preprocess.n4(volume, **options)
    assert "\n" not in str(error.value)


# --- resampling ------------------------------------------------------------------------------------------------


def ball(dtype=np.float32, shape=(60, 70, 40), at=(25, 30, 22)):
    """Give a bright ball and where it is."""
    distance = np.sqrt(sum((axis - c) ** 2 for axis, c in zip(np.indices(shape), at, strict=True)))
    return np.clip(100 - 8 * distance, 0, None).astype(dtype), np.array(at)


def about_origin(angles=(0, 0, 0), voxel_mm=(1.0, 1.2, 2.0), shape=(60, 70, 40)):
    affine = turned(angles, voxel_mm)
    affine[:3, 3] = -affine[:3, :3] @ (np.array(shape) / 2)
    return affine


def test_resampling_gives_the_box_of_the_source():
    made, affine = preprocess.resample_crop(ball()[0], about_origin())
    assert made.shape == (96, 128, 160)
    same(affine, [[2, 0, 0, -96], [0, 2, 0, -128], [0, 0, 2, -160], [0, 0, 0, 1]])


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.2, -0.1, 0.3), (3.1, 0, 1.5)])
def test_resampling_is_that_of_nilearn(angles):
    image, _ = ball()
    affine = about_origin(angles)
    for volume, how in ((image, "linear"), (np.uint8(image > 20), "nearest")):
        made, target = preprocess.resample_crop(volume, affine, shape=(30, 32, 34), voxel_mm=1.5)
        wanted = nilearn.image.resample_img(
            nib.Nifti1Image(volume, affine),
            target,
            (30, 32, 34),
            how,
            force_resample=True,
            copy_header=True,
        )
        same(made, wanted.get_fdata())
        assert made.dtype == volume.dtype
        assert made.any()


@settings(max_examples=20)
@given(ANGLES, st.sampled_from(NUMBERS[1:] + SWAPPED))
def test_resampling_keeps_the_place_in_the_world(angles, dtype):
    image, centre = ball(dtype)
    affine = about_origin(angles)
    made, target = preprocess.resample_crop(image, affine, shape=(64, 64, 64), voxel_mm=2.0)
    assert made.dtype == np.float32
    found = nib.affines.apply_affine(target, ndimage.center_of_mass(made))
    close(found, nib.affines.apply_affine(affine, centre), atol=0.2)


@settings(max_examples=20)
@given(ANGLES, st.sampled_from(NUMBERS + SWAPPED), st.sampled_from([1, 100]))
def test_resampled_masks_stay_masks(angles, dtype, value):
    mask = np.uint8(ball()[0] > 20)
    affine = about_origin(angles)
    made, _ = preprocess.resample_crop((mask * value).astype(dtype), affine, shape=(48, 48, 48))
    assert made.dtype == np.uint8
    same(np.unique(made), [0, 1])
    volume_mm3 = mask.sum() * np.abs(np.linalg.det(affine[:3, :3]))
    assert made.sum() * 8 == pytest.approx(volume_mm3, rel=0.05)


@pytest.mark.parametrize("low", [-5, -1])
def test_what_lies_below_0_is_an_image(low):
    for values in (np.full((9, 9, 9), low), np.pad(np.full((5, 5, 5), low), 2)):
        affine = about_origin(shape=values.shape)
        made, _ = preprocess.resample_crop(values, affine, shape=(3, 3, 3), voxel_mm=1.0)
        assert made.dtype == np.float32
        assert made.min() == low


def test_empty_masks_stay_empty():
    made, _ = preprocess.resample_crop(np.zeros((9, 9, 9), bool), np.eye(4), shape=(5, 5, 5))
    assert made.dtype == np.uint8
    assert not made.any()


@pytest.mark.parametrize(
    ("volume", "affine", "options", "naming"),
    [
        (np.zeros((5, 5)), np.eye(4), {}, ["3 axes", "(5, 5)"]),
        (np.full((5, 5, 5), np.inf), np.eye(4), {}, ["finite", "got 125 "]),
        (np.ones((5, 5, 5)), np.eye(3), {}, ["affine (4, 4)", "[[1"]),
        (np.ones((5, 5, 5)), np.zeros((4, 4)), {}, ["affine", "[[0"]),
        (np.ones((5, 5, 5)), AXES_IN_ONE_PLANE, {}, ["affine", "[[0.1"]),
        (
            np.ones((5, 5, 5)),
            np.eye(4),
            {"shape": (5, 5)},
            ["three", "got (5, 5)"],
        ),
        (np.ones((5, 5, 5)), np.eye(4), {"shape": (5, 5, 0)}, ["voxels", "1 to 1024", "got 0"]),
        (np.ones((5, 5, 5)), np.eye(4), {"shape": (5, 5, 2.5)}, ["voxels", "got 2.5"]),
        (np.ones((5, 5, 5)), np.eye(4), {"voxel_mm": 0}, ["above 0 mm", "and 0"]),
        (np.ones((5, 5, 5)), np.eye(4), {"voxel_mm": np.nan}, ["above 0 mm", "nan"]),
    ],
)
def test_resampling_that_cannot_be(volume, affine, options, naming):
    with refused(None, naming=naming) as error:
        preprocess.resample_crop(volume, affine, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("shift_mm", [500, -500])
@pytest.mark.parametrize("axis", range(3))
def test_an_image_beside_the_box_is_refused_and_a_mask_empty(axis, shift_mm):
    image = ball()[0]
    affine = about_origin()
    affine[axis, 3] += shift_mm
    with refused(None, naming=["head", "origin"]):
        preprocess.resample_crop(image, affine)
    made, _ = preprocess.resample_crop(image > 20, affine)
    assert made.dtype == np.uint8
    assert made.shape == (96, 128, 160)
    assert not made.any()


# --- intensities -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*NUMBERS, *SWAPPED])
@pytest.mark.parametrize("shape", [(30, 40), (10, 12, 14)])
def test_rescale_is_that_of_simpleitk(dtype, shape):
    image = image_of(dtype, shape)
    made = preprocess.rescale(image)
    assert made.dtype == np.float32
    assert (made.min(), made.max()) == (0, 255)
    wanted = sitk.RescaleIntensity(sitk.GetImageFromArray(image.astype(np.float64)), 0, 255)
    close(made, sitk.GetArrayFromImage(wanted), atol=1e-4)


@given(hnp.arrays(np.float64, SIDES, elements=st.floats(-1e6, 1e6)), st.integers(0, 99))
def test_zscore_has_mean_0_and_deviation_1_inside_the_mask(image, seed):
    mask = np.random.default_rng(seed).integers(0, 2, image.shape)
    values = image[mask > 0]
    if values.size == 0 or np.ptp(values) < 1e-6:
        return
    made = preprocess.zscore(image, mask * 255)
    assert made.dtype == np.float32
    assert not made[mask == 0].any()
    close(made[mask > 0], (values - values.mean()) / values.std(), atol=1e-3)
    close((made[mask > 0].mean(dtype=float), made[mask > 0].std(dtype=float)), (0, 1), atol=1e-3)


def test_zscore_of_the_whole():
    image = blobs(1, shape=(20, 30, 10))
    close(preprocess.zscore(image), (image - image.mean()) / image.std(), atol=1e-4)
    same(preprocess.zscore(image), preprocess.zscore(image, np.ones(image.shape)))


def test_intensities_of_extreme_ranges():
    top = np.finfo(float).max
    same(preprocess.rescale(np.array([[-top, 0, top]])), [[0, 127.5, 255]])
    close(preprocess.zscore(np.array([[-top, top]])), [[-1, 1]])
    same(preprocess.rescale(np.array([[0, 5e-324]])), [[0, 255]])


@pytest.mark.parametrize("change", [preprocess.rescale, preprocess.zscore])
@pytest.mark.parametrize(
    ("image", "naming"),
    [
        (np.full((3, 3), 7), ["two different", "got [7.0]"]),
        (np.zeros((3, 3, 3)), ["two different", "got [0.0]"]),
        (np.array([[1, np.nan]]), ["finite", "got 1 "]),
        (np.arange(3), ["2 or 3 axes", "(3,)"]),
    ],
)
def test_intensities_that_cannot_be(change, image, naming):
    with refused(None, naming=naming):
        change(image)


def test_masks_of_zscore_that_cannot_be():
    image = np.arange(9).reshape(3, 3)
    with refused(None, naming=["two different", "got []"]):
        preprocess.zscore(image, np.zeros((3, 3)))
    with refused(None, naming=["two different", "got [4.0]"]):
        preprocess.zscore(image, image == 4)
    with refused(None, naming=["(3, 3)", "got (3, 4)"]):
        preprocess.zscore(image, np.zeros((3, 4)))


# --- all of it -------------------------------------------------------------------------------------------------


def test_inputs_are_never_changed():
    image, volume, mask = head(), biased((20, 22, 24))[1], np.uint8(biased((20, 22, 24))[0] > 50)
    affine = about_origin()
    arrays = (image, volume, mask, affine)
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    preprocess.equalize(image), preprocess.clahe(image)
    (
        preprocess.crop_to_head(image, image, affine=affine),
        preprocess.crop_volume(volume, affine, mask),
    )
    preprocess.n4(volume, affine, mask=mask, iterations=(3,))
    preprocess.resample_crop(volume, affine), preprocess.resample_crop(mask, affine)
    preprocess.rescale(volume), preprocess.zscore(volume, mask)
    for array, copy in zip(arrays, copies, strict=True):
        same(array, copy)


def test_layout_does_not_matter():
    image = blobs(5, shape=(60, 64))
    for other in (
        np.asfortranarray(image),
        np.repeat(image, 2, axis=1)[:, ::2],
        image[::-1, ::-1].copy()[::-1, ::-1],
    ):
        for change in (
            preprocess.equalize,
            preprocess.clahe,
            preprocess.rescale,
            preprocess.zscore,
        ):
            same(change(other), change(image))
        same(preprocess.equalize(np.uint8(other * 99)), preprocess.equalize(np.uint8(image * 99)))
        same(preprocess.n4(other, iterations=(3,))[0], preprocess.n4(image, iterations=(3,))[0])
        assert preprocess.crop_to_head(other).box == preprocess.crop_to_head(image).box


def test_missing_extras_say_how_to_install_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    monkeypatch.setitem(sys.modules, "nilearn.image", None)
    with refused(None, naming=["N4", "SimpleITK", "skullmask[volumes]"]):
        preprocess.n4(np.eye(20))
    with refused(None, naming=["resampling", "nilearn", "skullmask[volumes]"]):
        preprocess.resample_crop(np.ones((5, 5, 5)), np.eye(4))


def test_the_import_stays_light():
    code = "import sys, skullmask_lib.volumes.preprocess; print({'SimpleITK', 'nilearn', 'pandas'} & set(sys.modules))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == "set()\n"
