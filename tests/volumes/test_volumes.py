"""Brain masks of volumes: equal to nidataset's, lying where their scan lies; what is made of them."""

import errno
import itertools
import json
import os
import stat
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from complaints import refused
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nidataset.volume import generate_brain_mask as by_nidataset
from numpy.testing import assert_array_equal as same
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import ball, binary_closing

from skullmask_lib import metrics
from skullmask_lib.volumes import brain_masks, morphology, scans
from skullmask_lib.volumes.brain_masks import brain_mask, generate_brain_mask, quality_control

SHAPES = (
    (1, 1, 2),
    (1, 9, 1),
    (7, 1, 4),
    (2, 2, 2),
    (3, 5, 4),
    (11, 12, 13),
    (9, 24, 17),
    (31, 20, 26),
)
OBLIQUE = np.array(
    [[1.1, 0.2, -0.1, 5], [-0.25, 0.9, 0.3, -7], [0.15, -0.2, 2.0, 11], [0, 0, 0, 1]]
)


def blobs(seed, shape=None):
    """Give noise, single voxels, blocks or blobs in air, in numbers like those of CT [HU].

    Some reach over the frame; the blocks are often of one size.
    """
    rng = np.random.default_rng(seed)
    if shape is None:
        shape = SHAPES[rng.integers(len(SHAPES))]
    kind = rng.integers(4)
    if kind == 0:
        volume = rng.choice([-1000, 0, 0, 40, 90, 400], shape)
    elif kind == 1:
        is_voxel = rng.random(shape) < 0.05
        volume = np.where(is_voxel, rng.integers(1, 300, shape), rng.integers(-1000, 1, shape))
    elif kind == 2:
        coarse = rng.choice([0, 0, 0, 60, 200], np.ceil(np.divide(shape, 3)).astype(int))
        blocks = np.kron(coarse, np.ones((3, 3, 3)))
        volume = blocks[: shape[0], : shape[1], : shape[2]]
    else:
        smooth = ndimage.gaussian_filter(rng.standard_normal(shape), rng.uniform(0.5, 3))
        largest = np.abs(smooth).max() or 1
        volume = 300 * smooth / largest - rng.integers(-80, 80)
    return volume.astype(np.int16)


def head(shape=(22, 26, 20)):
    """Give a bright ball, dark in its middle, in half a dim shell, in air of zeros."""
    x, y, z = np.indices(shape)
    distance = np.sqrt((x - 9) ** 2 + (y - 13) ** 2 + (z - 10) ** 2)
    ball = (distance > 2) & (distance < 6)
    shell = (distance > 7.5) & (distance < 9) & (x < 9)
    return np.select([ball, shell], [100 - 3 * distance, 30], 0).astype(np.int16)


def save(path, array, affine=None, **header):
    if affine is None:
        affine = np.diag([1.0, 1.5, 2.0, 1.0])
    image = nib.Nifti1Image(array, affine)
    for field, value in header.items():
        image.header[field] = value
    nib.save(image, path)
    return path


def raw(path):
    return np.asanyarray(nib.load(path).dataobj)


def mask_by_nidataset(path, threshold, closing_radius):
    """Give nidataset's mask, or None where it has none."""
    with warnings.catch_warnings(action="ignore"), tempfile.TemporaryDirectory() as folder:
        try:
            return np.array(raw(by_nidataset(str(path), folder, threshold, closing_radius)))
        except (ValueError, IndexError):  # argmax of nothing, first voxel of nothing
            return None


def mask_by_us(path, threshold=None, closing_radius=3):
    with tempfile.TemporaryDirectory() as folder:
        assert generate_brain_mask(path, folder, threshold, closing_radius) is None
        [file] = Path(folder).iterdir()
        assert file.name == f"{path.name.removesuffix('.nii.gz')}_brain_mask.nii.gz"
        mask = np.array(raw(file))
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 1}
        return mask


# --- equal to nidataset --------------------------------------------------------------------------


@settings(max_examples=100)
@given(
    st.integers(0, 10**6),
    st.sampled_from([None, None, (50, 300), (-20, 90.5), (40, 40), (0.25, 1e9)]),
    st.integers(0, 6),
    st.sampled_from(["int16", ">i2", "uint8", "float32", ">f8", "int32", "slope"]),
)
def test_any_volume_equals_nidataset(seed, threshold, closing_radius, kind):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "scan.nii.gz")
        save_as(kind, path, blobs(seed))
        values = nib.load(path).get_fdata()
        expected = mask_by_nidataset(path, threshold, closing_radius)
        if values.min() == values.max():
            with refused("scan.nii.gz", naming=["differ", f" {values.min():g}"]):
                mask_by_us(path, threshold, closing_radius)
        elif expected is None:
            naming = ["no voxel"]
            if threshold:
                low, high = threshold
                naming.append(f"{low:g} to {high:g}")
            with refused("scan.nii.gz", naming=naming):
                mask_by_us(path, threshold, closing_radius)
        else:
            same(mask_by_us(path, threshold, closing_radius), expected)


def save_as(kind, path, volume):
    """Write a volume of int16 in another dtype or with a slope."""
    if kind == "slope":
        image = nib.Nifti1Image(volume, np.eye(4))
        image.header.set_slope_inter(0.37, -3.1)
        nib.save(image, path)
    elif kind == "uint8":
        save(path, np.clip(volume, 0, 255).astype(kind))
    elif np.dtype(kind).kind == "f":
        save(path, (volume * 0.7).astype(kind))
    else:
        save(path, volume.astype(kind))


@pytest.mark.parametrize("turn", list(itertools.permutations(range(3))))
def test_of_equal_components_nidataset_and_this_keep_the_same(tmp_path, turn):
    volume = np.zeros((12, 12, 12), np.int16)
    for x, y, z in ((1, 8, 4), (4, 1, 8), (8, 4, 1)):
        volume[x : x + 2, y : y + 2, z : z + 2] = 100
    path = save(tmp_path / "scan.nii.gz", volume.transpose(turn))
    mask = mask_by_us(path, None, 1)
    same(mask, mask_by_nidataset(path, None, 1))
    assert mask.sum() == 8


@pytest.mark.parametrize("name", ["oms19", "oms01_FLAIR"])
def test_real_heads_equal_nidataset(real, name):
    path = real / "volumes" / name / "image.nii.gz"
    same(mask_by_us(path), mask_by_nidataset(path, None, 3))


@pytest.mark.full
@pytest.mark.parametrize(
    ("threshold", "closing_radius"), [(None, 3), ((50, 300), 4), ((20, 100), 0)]
)
def test_every_real_volume_equals_nidataset(real, threshold, closing_radius):
    paths = sorted((real / "volumes").glob("*/image.nii.gz"))
    assert len(paths) >= 8
    for path in paths:
        expected = mask_by_nidataset(path, threshold, closing_radius)
        same(mask_by_us(path, threshold, closing_radius), expected)


@given(
    st.integers(0, 10**6),
    st.sampled_from(["uint8", "int16", "int32", "float32", "float64", "bool"]),
)
def test_otsu_equals_that_of_scikit_image(seed, dtype):
    volume = np.maximum(blobs(seed), 0).astype(dtype)
    if volume.any():
        threshold = threshold_otsu(volume[volume > 0].astype(float))
        assert brain_masks.otsu_range(volume) == (threshold / 2, threshold * 2)


# In these two, counts in another precision than float32 decide otherwise.
@example([1, 82, 139, 197, 255], [1, 4218, 1, 5049, 1])
@example([1, 81, 158, 236, 255], [1, 5278, 1, 5421, 1])
@given(
    st.lists(st.integers(1, 255), min_size=5, max_size=5),
    st.lists(st.integers(1, 6000), min_size=5, max_size=5),
)
def test_otsu_equals_that_of_scikit_image_where_thresholds_tie(levels, counts):
    volume = np.repeat(np.uint8(levels), counts).reshape(1, 1, -1)
    threshold = threshold_otsu(volume[0].astype(float))
    for dtype in (np.uint8, np.float32):
        assert brain_masks.otsu_range(volume.astype(dtype)) == (threshold / 2, threshold * 2)
    far = volume.astype(np.int32) * 10_000
    threshold = threshold_otsu(far[0].astype(float))
    assert brain_masks.otsu_range(far) == (threshold / 2, threshold * 2)


@given(st.integers(0, 10**6), st.integers(0, 6))
def test_the_primitives_equal_those_of_scipy_and_scikit_image(seed, radius):
    mask = blobs(seed) > 50
    same(morphology.fill_holes(mask), ndimage.binary_fill_holes(mask))
    with warnings.catch_warnings(action="ignore"):
        same(morphology.close(mask, radius), binary_closing(mask, ball(radius)))
    largest = morphology.largest_component(mask)
    if mask.any():
        labels, _ = ndimage.label(mask)
        sizes = np.bincount(labels.ravel())
        same(largest, labels == 1 + sizes[1:].argmax())
    else:
        same(largest, mask)
    fortran_order = np.asfortranarray(mask)
    another_order = mask.copy().transpose(2, 0, 1).copy().transpose(1, 2, 0)
    for layout in (fortran_order, another_order):
        same(morphology.largest_component(layout), largest)
        same(morphology.close(layout, radius), morphology.close(mask, radius))


@given(st.integers(0, 10**6), st.integers(0, 6), st.sampled_from([(1, 1), (1, 0.5), (0.7, 1.9)]))
def test_a_slice_is_closed_as_by_scipy(seed, radius, pixel_mm):
    mask = blobs(seed).max(axis=0) > 50
    height_mm, width_mm = pixel_mm
    rows = int(radius / height_mm)
    columns = int(radius / width_mm)
    y_mm = np.arange(-rows, rows + 1)[:, None] * height_mm
    x_mm = np.arange(-columns, columns + 1) * width_mm
    disc = np.hypot(y_mm, x_mm) <= radius
    margin = max(rows, columns) + 1
    closed = ndimage.binary_closing(np.pad(mask, margin), disc)
    expected = closed[margin:-margin, margin:-margin]
    same(morphology.close_slice(mask, radius, pixel_mm), expected)


def test_the_steps_in_the_open_are_the_mask():
    volume = head()
    low, high = brain_masks.otsu_range(volume)
    inside = (volume >= low) & (volume <= high)
    closed = morphology.close(morphology.fill_holes(inside), 3)
    same(morphology.largest_component(closed), brain_mask(volume))


def test_limits_are_compared_in_float64():
    # In float32, 0.3 lies above 0.3 and 0.7 below 0.7.
    volume = np.float32([[[0, 0.3, 0.5, 0.7, 9]]])
    same(brain_mask(volume, threshold=(0.3, 0.7), closing_radius=0), [[[0, 1, 1, 1, 0]]])
    same(brain_mask(volume, threshold=(0.7, 10), closing_radius=0), [[[0, 0, 0, 0, 1]]])
    same(brain_mask(volume, threshold=(-1, 0.3), closing_radius=0), [[[1, 0, 0, 0, 0]]])


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_input_stays_as_it_is(order):
    volume = np.array(head(), order=order)
    volume.flags.writeable = False
    mask = brain_mask(volume)
    mask.flags.writeable = False
    brain_masks.search_threshold(volume, [None, (20, 90)])
    brain_masks.compare_radii(volume, [0, 2])
    brain_masks.apply_mask(volume, mask)
    brain_masks.overlay_edges(volume, mask)
    quality_control(mask, volume)
    same(volume, head())


# --- files: the same place, the same header ------------------------------------------------------


GEOMETRY = ("dim", "pixdim", "xyzt_units", "qform_code", "sform_code", "srow_x", "srow_y", "srow_z")


def check_geometry(source, output, dtype):
    """Check that an output lies where its source lies, and tells nothing of it; give the output."""
    before = nib.load(source)
    after = nib.load(output)
    assert after.shape == before.shape
    assert after.header.endianness == before.header.endianness
    assert after.get_data_dtype() == np.dtype(dtype).newbyteorder(before.header.endianness)
    assert after.header.get_slope_inter() in ((None, None), (1, 0))
    same(after.affine, before.affine)
    for field in GEOMETRY:
        same(after.header[field], before.header[field], field)
    for field in ("descrip", "aux_file", "intent_name", "db_name"):
        assert field not in after.header or not after.header[field].item()
    return after


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_all_48_orders_of_axes_give_the_mask_in_its_place(tmp_path, axes, signs):
    affine = np.diag([2.0, 1.5, 1.25, 1.0])
    affine[:3, 3] = 5, -7, 11
    upright = nib.Nifti1Image(head(), affine)
    order = np.stack([axes, signs], axis=1)
    turned = upright.as_reoriented(order)
    turn = nib.orientations.inv_ornt_aff(order, upright.shape)
    assert nib.aff2axcodes(turned.affine) == nib.aff2axcodes(affine @ turn)
    path = tmp_path / "scan.nii.gz"
    nib.save(turned, path)
    generate_brain_mask(path, tmp_path)
    output = check_geometry(path, tmp_path / "scan_brain_mask.nii.gz", np.uint8)
    upright_mask = nib.as_closest_canonical(output)
    same(upright_mask.get_fdata(), brain_mask(head()))
    same(upright_mask.affine, upright.affine)


def oblique(path):
    save(path, head(), OBLIQUE, descrip=b"T1, oblique", intent_name=b"scan")


def slope(path):
    image = nib.Nifti1Image(head(), OBLIQUE)
    image.header.set_slope_inter(0.5, 10)
    nib.save(image, path)


def big_endian(path):
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    nib.save(nib.Nifti1Image(head(), OBLIQUE, header), path)


def own_codes(path):
    image = nib.Nifti1Image(head(), None)
    image.set_qform(OBLIQUE, code=1, strip_shears=True)
    image.set_sform(np.diag([2, 3, 4, 1]), code=4)
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)


def nifti2(path):
    nib.save(nib.Nifti2Image(head(), OBLIQUE), path)


KINDS = {
    "oblique": oblique,
    "slope": slope,
    "big-endian": big_endian,
    "own-codes": own_codes,
    "nifti2": nifti2,
    "float32": lambda path: save(path, head().astype(np.float32)),
    "float64": lambda path: save(path, head().astype(np.float64)),
    "uint8": lambda path: save(path, head().astype(np.uint8)),
    "trailing": lambda path: save(path, head()[..., None]),
    "two-trailing": lambda path: save(path, head()[..., None, None]),
}


@pytest.mark.filterwarnings("ignore:.*its affine tells voxels")  # of own-codes
@pytest.mark.parametrize("kind", KINDS)
def test_outputs_lie_where_their_scan_lies(tmp_path, kind):
    path = tmp_path / "scan.nii.gz"
    KINDS[kind](path)
    scan = nib.load(path)
    masks = tmp_path / "deep" / "er"
    generate_brain_mask(path, masks)
    mask = check_geometry(path, masks / "scan_brain_mask.nii.gz", np.uint8)
    expected = brain_mask(np.squeeze(scan.get_fdata()))
    same(np.squeeze(mask.dataobj), expected)
    assert type(mask) is type(scan)
    assert (mask.header["cal_min"], mask.header["cal_max"]) == (0, 1)
    for output in (tmp_path / "ready.nii.gz", tmp_path / "new" / "ready.nii"):
        brain_masks.preprocess_scan(path, output, threshold=None)
        check_geometry(path, output, np.float32)


def test_debug_tells_five_things(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save("scan.nii.gz", head())
    generate_brain_mask("scan.nii.gz", "masks/", debug=True)
    low, high = brain_masks.otsu_range(head())
    assert capsys.readouterr().out.splitlines() == [
        f"Using Otsu's threshold: {2 * low:.2f}",
        f"Adjusted range: ({low:.2f}, {high:.2f})",
        "Input file: 'scan.nii.gz'",
        "Output path: 'masks/'",
        "Brain mask saved at: masks/scan_brain_mask.nii.gz",
    ]
    generate_brain_mask("scan.nii.gz", "masks/", threshold=(20, 90), debug=True)
    assert capsys.readouterr().out.splitlines()[0] == "Using range: (20.00, 90.00)"
    generate_brain_mask("scan.nii.gz", "masks/")
    assert capsys.readouterr() == ("", "")


def test_a_missing_scan_is_said_with_its_name(tmp_path):
    for call in (
        lambda: generate_brain_mask(tmp_path / "no.nii.gz", tmp_path / "masks"),
        lambda: brain_masks.preprocess_scan(tmp_path / "no.nii.gz", tmp_path / "masks" / "a.nii"),
        lambda: brain_masks.batch(tmp_path / "no.nii.gz", tmp_path, tmp_path / "masks"),
    ):
        with pytest.raises(FileNotFoundError, match=r"no\.nii\.gz: "):
            call()
    assert not any(tmp_path.iterdir())


def test_a_link_that_leads_nowhere_is_called_so(tmp_path):
    (tmp_path / "a.nii.gz").symlink_to(tmp_path / "missing.nii.gz")
    for read in (scans.read, scans.existing):
        with refused("a.nii.gz", naming=["link", str(tmp_path / "missing.nii.gz")]):
            read(tmp_path / "a.nii.gz")


BAD_FILES = {
    "scan.nii": (lambda path: save(path, head()), ["expected", ".nii.gz"]),
    "scan.mgz": (lambda path: path.write_text("a"), ["expected", ".nii.gz"]),
    "text.nii.gz": (lambda path: path.write_text("a text"), ["readable .nii.gz"]),
    "cut.nii.gz": (
        lambda path: path.write_bytes(save(path, head()).read_bytes()[:700]),
        ["readable .nii.gz"],
    ),
    "folder.nii.gz": (lambda path: path.mkdir(), ["got a folder"]),
    "4d.nii.gz": (
        lambda path: save(path, np.stack([head()] * 2, -1)),
        ["(X, Y, Z)", "got shape (22, 26, 20, 2)"],
    ),
    "zeros.nii.gz": (lambda path: save(path, head() * 0), ["differ", " 0"]),
    "constant.nii.gz": (lambda path: save(path, head() * 0 + 7), ["differ", " 7"]),
    "negative.nii.gz": (lambda path: save(path, -head()), ["above zero", "threshold (low, high)"]),
    "nan.nii.gz": (lambda path: save(path, with_value(np.nan)), ["finite", "got 1 "]),
    "inf.nii.gz": (lambda path: save(path, with_value(-np.inf)), ["finite", "got 1 "]),
}
BAD_OPTIONS = [
    ({"threshold": (50, 300, 400)}, ["threshold (low, high)", "got (50, 300, 400)"]),
    ({"threshold": (50,)}, ["threshold (low, high)", "got (50,)"]),
    ({"threshold": 50}, ["threshold (low, high)", "got 50"]),
    ({"threshold": (90, 20)}, ["threshold (low, high)", "got (90, 20)"]),
    ({"threshold": (np.nan, 20)}, ["threshold (low, high)", "got (nan, 20)"]),
    ({"threshold": ("20", "90")}, ["threshold (low, high)", "got ('20', '90')"]),
    ({"threshold": "ab"}, ["threshold (low, high)", "got ab"]),
    ({"threshold": (None, 90)}, ["threshold (low, high)", "got (None, 90)"]),
    ({"threshold": np.eye(3)}, ["threshold (low, high)", "got [[1"]),
    ({"threshold": ((1, 2), (3,))}, ["threshold (low, high)", "got ((1, 2), (3,))"]),
    ({"threshold": (200, 300)}, ["no voxel", "200 to 300", "0 to 93"]),
    ({"closing_radius": -1}, ["closing radius", "0 to 50 voxels", "got -1"]),
    ({"closing_radius": 51}, ["closing radius", "0 to 50 voxels", "got 51"]),
    ({"closing_radius": 1.5}, ["whole", "closing radius", "got 1.5"]),
    ({"closing_radius": "3"}, ["whole", "closing radius", "got '3'"]),
]


def with_value(value):
    volume = head().astype(np.float32)
    volume[3, 4, 5] = value
    return volume


def refuse(path, folder, naming, **options):
    """See that both writers refuse a file in one line, write nothing and leave earlier outputs."""
    before = times_of_files(folder.parent)
    for call in (
        lambda: generate_brain_mask(path, folder / "new", **options),
        lambda: generate_brain_mask(path, folder, **options),
        lambda: brain_masks.preprocess_scan(
            path, folder / "ready.nii.gz", **{"threshold": None} | options
        ),
    ):
        with refused(path.name, naming=naming) as error:
            call()
        assert len(str(error.value).splitlines()) == 1
    assert times_of_files(folder.parent) == before


def times_of_files(folder):
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*")}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_line(tmp_path, name):
    make, naming = BAD_FILES[name]
    make(tmp_path / name)
    stem = name.removesuffix(".nii.gz")
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / f"{stem}_brain_mask.nii.gz").write_text("good")
    (tmp_path / "masks" / "ready.nii.gz").write_text("good")
    refuse(tmp_path / name, tmp_path / "masks", naming)


@pytest.mark.parametrize(("options", "naming"), BAD_OPTIONS)
def test_a_bad_option_is_refused_in_one_line(tmp_path, options, naming):
    save(tmp_path / "scan.nii.gz", head())
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "scan_brain_mask.nii.gz").write_text("good")
    refuse(tmp_path / "scan.nii.gz", tmp_path / "masks", naming, **options)
    with refused(None, naming=naming):
        brain_mask(head(), **options)


@pytest.mark.parametrize(
    ("volume", "naming"),
    [
        (np.ones((3, 3)), ["(X, Y, Z)", "got shape (3, 3)"]),
        (np.ones((3, 3, 3, 1)), ["(X, Y, Z)", "got shape (3, 3, 3, 1)"]),
        (np.ones((3, 0, 3)), ["(X, Y, Z)", "got shape (3, 0, 3)"]),
        (np.ones((3, 3, 3), complex), ["real", "dtype complex128"]),
        (np.full((3, 3, 3), "a"), ["real", "dtype <U1"]),
    ],
)
def test_an_array_that_is_no_volume(volume, naming):
    for call in (
        brain_mask,
        lambda v: brain_masks.search_threshold(v, [None]),
        brain_masks.compare_radii,
    ):
        with refused(None, naming=naming):
            call(volume)


def read_only():
    """Give a folder that even root cannot write to."""
    if os.geteuid() == 0:
        return Path("/proc")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    return folder


def test_a_folder_that_cannot_be_written(tmp_path):
    path = save(tmp_path / "scan.nii.gz", head())
    (tmp_path / "file").write_text("good")
    closed = errno.EACCES if os.geteuid() else errno.ENOENT  # root meets /proc
    for folder, where, cause in (
        (tmp_path / "file", "file", errno.EEXIST),
        (tmp_path / "file" / "in" / "it", "it", errno.ENOTDIR),
        (read_only(), "scan_brain_mask.nii.gz", closed),
        (read_only() / "new", "new", closed),
    ):
        with refused(where, naming=[os.strerror(cause)]):
            generate_brain_mask(path, folder)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "scan.nii.gz"]
    assert (tmp_path / "file").read_text() == "good"
    (tmp_path / "a_brain_mask.nii.gz").mkdir()
    with refused("a_brain_mask.nii.gz", naming=["folder"]):
        generate_brain_mask(save(tmp_path / "a.nii.gz", head()), tmp_path)


def test_an_earlier_mask_is_replaced(tmp_path):
    path = save(tmp_path / "SCAN.NII.GZ", head())
    generate_brain_mask(path, tmp_path, threshold=(50, 300))
    output = tmp_path / "SCAN_brain_mask.nii.gz"
    first_size = raw(output).sum()
    generate_brain_mask(path, tmp_path)
    size = brain_mask(head()).sum()
    assert size != first_size
    assert raw(output).sum() == size
    assert set(tmp_path.iterdir()) == {path, output}


# --- what is made of masks -----------------------------------------------------------------------


def test_quality_counts_what_it_says():
    mask = np.zeros((10, 10, 10), np.uint8)
    mask[1:8, 1:8, 1:8] = 1
    quality = quality_control(mask)
    assert quality.coverage_percent == pytest.approx(34.3)
    assert quality.head_percent is None
    assert (quality.components, quality.holes, quality.touches_frame) == (1, 0, False)
    assert quality.warnings == ()
    mask[3, 3, 3] = 0
    mask[5, 5, 5:7] = 0
    mask[8, 8, 8] = 1  # touches the block by a corner alone
    mask[9, 9, 9] = 1
    quality = quality_control(mask * np.uint8(255))
    assert (quality.components, quality.holes, quality.touches_frame) == (3, 2, True)
    components, holes, frame = quality.warnings
    assert "3 components" in components
    assert "2 holes" in holes
    assert "frame" in frame


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("end", [0, -1])
def test_quality_sees_every_side(axis, end):
    mask = np.zeros((5, 6, 7), bool)
    voxel = [2, 3, 3]
    mask[tuple(voxel)] = 1
    assert not quality_control(mask).touches_frame
    voxel[axis] = end
    mask[tuple(voxel)] = 1
    assert quality_control(mask).touches_frame


def test_quality_of_coverage():
    for percent, warns in ((0, True), (19, True), (20, False), (60, False), (61, True)):
        mask = (np.arange(100) < percent).reshape(1, 10, 10)
        remarks = " ".join(quality_control(mask).warnings)
        assert (f" {percent}.0 %" in remarks) == warns
    image = np.arange(100).reshape(1, 10, 10) - 49  # fifty above zero
    quality = quality_control(image > 25, image)
    assert (quality.coverage_percent, quality.head_percent) == (25, 50)
    assert quality_control(image > 25, -np.abs(image)).head_percent is None


def test_masks_that_are_none_are_refused():
    volume = head()
    for mask, naming in (
        (volume, ["binary mask", "0 and one other"]),
        (volume[1:] > 20, ["(22, 26, 20)", "got (21, 26, 20)"]),
    ):
        for call in (
            quality_control,
            lambda m, v: brain_masks.apply_mask(v, m),
            lambda m, v: brain_masks.overlay_edges(v, m),
        ):
            with refused(None, naming=naming):
                call(mask, volume)
    for mask in (np.eye(3), np.ones((2, 0, 2))):
        with refused(None, naming=["mask", "(X, Y, Z)", f"got {mask.shape}"]):
            quality_control(mask)


def test_search_threshold_is_brain_mask_at_each():
    volume = head()
    thresholds = [(20, 200), (70, 90), None, (1000, 2000)]
    rows = brain_masks.search_threshold(volume, iter(thresholds), closing_radius=1)
    assert [row["threshold"] for row in rows] == thresholds
    *with_mask, empty = rows
    by_otsu = with_mask[-1]
    assert (by_otsu["low"], by_otsu["high"]) == brain_masks.otsu_range(volume)
    for row in with_mask:
        mask = brain_mask(volume, threshold=row["threshold"], closing_radius=1)
        expected = asdict(quality_control(mask, volume))
        assert row.items() >= expected.items()
    assert (empty["coverage_percent"], empty["components"]) == (0, 0)
    assert len({row["coverage_percent"] for row in rows}) == 4
    with refused(None, naming=["threshold (low, high)", "got (90, 20)"]):
        brain_masks.search_threshold(volume, [(90, 20)])


def test_apply_mask_and_overlay_keep_the_dtype():
    volume = head()
    mask = brain_mask(volume)
    applied = brain_masks.apply_mask(volume, mask)
    overlay = brain_masks.overlay_edges(volume, mask * 255)
    assert applied.dtype == overlay.dtype == np.int16
    same(applied, volume * mask)
    edge = metrics.surface_of(mask) == 1
    same(overlay[edge], volume.max())
    same(overlay[~edge], volume[~edge])
    assert 0 < edge.sum() < mask.sum()
    nowhere = np.float32([[[1, np.inf]]])
    same(brain_masks.apply_mask(nowhere, np.array([[[1, 0]]])), [[[1, 0]]])


def test_the_surface_is_seen_from_all_sides():
    mask = np.zeros((9, 9, 9), np.uint8)
    mask[2:7, 2:7, 2:7] = 1
    assert metrics.surface_of(mask).sum() == 5**3 - 3**3
    seen_by_sobel = ndimage.sobel(mask.astype(float)) > 0
    assert not seen_by_sobel[..., 4:].any()  # nidataset's page counts one side alone
    mask[:] = 1
    assert metrics.surface_of(mask).sum() == 9**3 - 7**3


def test_compare_radii_is_brain_mask_at_each():
    volume = blobs(5, (31, 20, 26))
    rows = brain_masks.compare_radii(volume, threshold=(40, 300))
    assert [row["closing_radius"] for row in rows] == [2, 3, 4, 5, 6]
    for row in rows:
        mask = brain_mask(volume, threshold=(40, 300), closing_radius=row["closing_radius"])
        assert row["mask_voxels"] == mask.sum()
        assert row["surface_voxels"] == metrics.surface_of(mask).sum()
        assert row["coverage_percent"] == pytest.approx(100 * mask.mean())
    assert len({row["mask_voxels"] for row in rows}) > 1


def test_preprocess_scan_standardizes_inside_of_the_mask(tmp_path):
    path = save(tmp_path / "scan.nii.gz", head())
    brain_masks.preprocess_scan(
        path, tmp_path / "ready.nii.gz", threshold=(40, 95), closing_radius=2
    )
    ready = raw(tmp_path / "ready.nii.gz")
    is_brain = brain_mask(head(), threshold=(40, 95), closing_radius=2) == 1
    values = head()[is_brain].astype(float)
    expected = (values - values.mean()) / values.std()
    np.testing.assert_allclose(ready[is_brain], expected, atol=1e-5)
    assert not ready[~is_brain].any()
    with refused("ready.png", naming=[" .nii ", " .nii.gz"]):
        brain_masks.preprocess_scan(path, tmp_path / "ready.png")
    with refused("scan.nii.gz", naming=["two different", "got [30"]):
        brain_masks.preprocess_scan(
            path, tmp_path / "ready.nii.gz", threshold=(30, 30), closing_radius=0
        )
    with refused("scan.nii.gz", naming=["input"]):
        brain_masks.preprocess_scan(path, path, threshold=None)


# --- a batch -------------------------------------------------------------------------------------


def test_the_parameters_of_the_modalities_are_the_documented_ones():
    assert brain_masks.MODALITIES == {
        "CT_contrast": {"threshold": (50, 300), "closing_radius": 3},
        "CT_plain": {"threshold": (20, 100), "closing_radius": 4},
        "MRI_T1": {"threshold": None, "closing_radius": 3},
        "MRI_T2": {"threshold": (100, 500), "closing_radius": 3},
    }


def write_table(path, scans):
    """Write the table of a batch, as JSON or CSV by the name of the file; give its path."""
    if path.suffix == ".json":
        entries = {scan: {"modality": modality, "age": 3} for scan, modality in scans}
        path.write_text(json.dumps(entries))
    else:
        lines = ["scan_id,modality,age"]
        lines += [f'"{scan}",{modality},3' for scan, modality in scans]
        path.write_text("\n".join(lines), encoding="utf-8-sig")  # as spreadsheets write it
    return path


SCANS = {  # and what becomes of them
    ("ct", "CT_contrast"): "done",
    ("plain", "CT_plain"): "done",
    ("t1", "MRI_T1"): "done",
    ("pet", "PET"): "skipped",
    ("cut", "MRI_T1"): "failed",
    ("../secret", "MRI_T1"): "failed",
    ("missing", "MRI_T1"): "failed",
    ("..", "MRI_T1"): "failed",
    ("", "MRI_T1"): "failed",
    ("t2", "MRI_T2"): "done",
}


@pytest.mark.parametrize("suffix", [".json", ".csv"])
def test_batch_masks_each_scan_by_its_modality(tmp_path, suffix, capsys):
    scans = tmp_path / "scans"
    scans.mkdir()
    for scan in ("ct", "plain", "t1", "pet", "../secret"):
        save(scans / f"{scan}.nii.gz", head())
    save(scans / "t2.nii.gz", 2 * head())
    (scans / "cut.nii.gz").write_bytes(b"cut")
    table = write_table(tmp_path / f"table{suffix}", SCANS)

    rows = brain_masks.batch(table, scans, tmp_path / "masks")

    states = {(row["scan"], row["modality"]): row["state"] for row in rows}
    assert list(states.items()) == list(SCANS.items())
    for row in rows:
        if row["state"] == "done":
            assert row["reason"] == ""
            name = f"{row['scan']}_brain_mask.nii.gz"
            assert row["output"] == tmp_path / "masks" / row["modality"] / name
            options = brain_masks.MODALITIES[row["modality"]]
            volume = raw(scans / f"{row['scan']}.nii.gz")
            same(raw(row["output"]), brain_mask(volume, **options))
        else:
            assert row["output"] is None
    reasons = {row["scan"]: row["reason"] for row in rows}
    for value in ("'PET'", "CT_contrast, CT_plain, MRI_T1, MRI_T2"):
        assert value in reasons["pet"]
    assert reasons["cut"].startswith(f"{scans / 'cut.nii.gz'}: ")
    assert "readable .nii.gz" in reasons["cut"]
    assert "got '../secret'" in reasons["../secret"]
    assert reasons["missing"].startswith(f"{scans / 'missing.nii.gz'}: ")
    assert "no such file" in reasons["missing"]
    assert "got '..'" in reasons[".."]
    assert "got ''" in reasons[""]
    assert not list(tmp_path.rglob("*secret_brain_mask*"))
    assert len(list((tmp_path / "masks").rglob("*.nii.gz"))) == 4
    assert capsys.readouterr() == ("", "")


def test_batch_shows_its_progress_when_asked(tmp_path, capsys):
    table = write_table(tmp_path / "table.json", [("a", "MRI_T1")])
    save(tmp_path / "a.nii.gz", head())
    [row] = brain_masks.batch(table, tmp_path, tmp_path, progress=True)
    assert row["state"] == "done"
    assert "scan" in capsys.readouterr().err


@pytest.mark.parametrize("scan", ["/etc/x", "a/b", "..\\x", "C:x", "a\0b", ".", "..."])
def test_a_scan_is_named_and_not_placed(tmp_path, scan):
    table = write_table(tmp_path / "table.json", [(scan, "MRI_T1")])
    [row] = brain_masks.batch(table, tmp_path, tmp_path / "masks")
    assert row["state"] == "failed"
    assert f"got {scan!r}" in row["reason"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("table.json", "{"),
        ("table.json", "[1, 2]"),
        ("table.json", '{"a": "MRI_T1"}'),
        ("table.json", "[" * 100_000),
        ("table.csv", "scan,modality\na,MRI_T1\n"),
        ("table.csv", "scan_id\na\n"),
        ("table.csv", "scan_id,modality\n\udcff"),
    ],
)
def test_a_table_that_is_none(tmp_path, name, text):
    (tmp_path / name).write_text(text, errors="surrogateescape")
    with refused(name, naming=["JSON", "CSV scan_id,modality"]):
        brain_masks.batch(tmp_path / name, tmp_path, tmp_path / "masks")
    assert not (tmp_path / "masks").exists()


def test_a_table_with_gaps(tmp_path):
    (tmp_path / "table.csv").write_text("modality,scan_id\nMRI_T1\n\nPET,b\n")
    (tmp_path / "table.json").write_text('{"a": {}, "b": {"modality": ["MRI_T1"]}}')
    for name, states in (
        ("table.csv", ["failed", "skipped"]),
        ("table.json", ["skipped", "skipped"]),
    ):
        rows = brain_masks.batch(tmp_path / name, tmp_path, tmp_path)
        assert [row["state"] for row in rows] == states


def test_the_command_line_makes_the_mask_and_refuses_in_one_line(folder, skullmask):
    save(folder / "scan.nii.gz", head())
    options = ("--threshold", "20", "90", "--closing-radius", "1")
    code, out, err = skullmask("brain-mask", "scan.nii.gz", "masks", *options)
    assert (code, out) == (0, "The brain mask: masks/scan_brain_mask.nii.gz\n")
    expected = brain_mask(head(), threshold=(20, 90), closing_radius=1)
    same(nib.load("masks/scan_brain_mask.nii.gz").get_fdata(), expected)
    remarks = quality_control(expected).warnings
    assert err == [f"skullmask: warning: scan.nii.gz: {remark}" for remark in remarks]
    for wrong, naming in (
        (("--threshold", "90", "20"), ("threshold", "got (90.0, 20.0)")),
        (("--closing-radius", "-1"), ("closing radius", "0 to 50 voxels", "got -1")),
    ):
        code, out, [line] = skullmask("brain-mask", "scan.nii.gz", "wrong", *wrong)
        assert (code, out) == (2, "")
        assert line.startswith("skullmask: scan.nii.gz: ")
        for value in naming:
            assert value in line
    assert not Path("wrong").exists()


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.float64])
def test_values_that_are_large_against_their_range_need_a_threshold(kind):
    ramp = np.pad(np.indices((8, 8, 8)).sum(axis=0) + 90, 4).astype(kind)
    volume = ramp * kind(200) + kind(2**60)
    with refused(None, naming=["got 1.15292e+18", "threshold (low, high)"]):
        brain_mask(volume)
    low = float(volume.min()) + 9000
    assert brain_mask(volume, threshold=(low, 2 * low)).any()
    assert brain_mask((volume - volume.min()).astype(kind)).any()
