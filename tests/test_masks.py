"""The primitives: by hand on small grids, and against OpenCV and scipy where those say the same thing."""

import cv2
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from complaints import refused
from dicoms import write_series
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from inputs import NUMBERS, blobs, ring_head
from memory import takes_less_than
from numpy.testing import assert_array_equal as same
from PIL import Image
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import errors, masks, metrics
from skullmask_lib.batches import stacks
from skullmask_lib.errors import InputError
from skullmask_lib.volumes import brain_masks, morphology, preprocess, scans

SIDES = st.tuples(st.integers(1, 24), st.integers(1, 24))
GRIDS = hnp.arrays(np.uint8, SIDES, elements=st.integers(0, 1))


def grid(text):
    return np.array([[int(c) for c in row] for row in text.split()], np.uint8)


def is_mask(made, like):
    return (
        made.dtype == np.uint8 and made.shape == like.shape and not np.setdiff1d(made, [0, 1]).size
    )


# --- normalize -------------------------------------------------------------------------------------------------


def test_normalize_by_hand():
    made = masks.normalize(np.array([[-1.0, 0.0], [1.0, 3.0]]))
    assert made.dtype == np.uint8
    same(made, [[0, 63], [127, 255]])  # 63.75 and 127.5 are cut, not rounded


@pytest.mark.parametrize("dtype", NUMBERS)
def test_normalize_takes_every_real_type(dtype):
    same(masks.normalize(np.array([[0, 1], [1, 0]]).astype(dtype)), [[0, 255], [255, 0]])
    same(masks.normalize(np.array([[7, 7], [7, 7]]).astype(dtype)), np.zeros((2, 2)))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4", ">f8"])
def test_normalize_computes_in_the_precision_of_the_input(dtype):
    image = (1 + np.arange(256).reshape(16, 16) / 1000).astype(
        dtype
    )  # grey levels on the very edge of truncation
    low, high = image.min(), image.max()
    same(
        masks.normalize(image),
        ((image - low) / (high - low) * np.array(255, dtype)).astype(np.uint8),
    )
    if np.dtype(dtype).itemsize < 8:
        wide = image.astype(np.float64)
        in_float64 = ((wide - wide.min()) / (wide.max() - wide.min()) * 255).astype(np.uint8)
        assert (masks.normalize(image) != in_float64).any(), (
            "the two precisions were meant to differ here"
        )


def test_normalize_computes_integers_in_float64():
    image = np.array([[0, 2**53 - 1], [2**52, 1]], np.int64)
    same(masks.normalize(image), [[0, 255], [127, 0]])
    extremes = np.array([[-128, 127], [0, -1]], np.int8)  # the range of 255 does not fit in int8
    same(masks.normalize(extremes), [[0, 255], [128, 127]])
    image = np.arange(65536).reshape(256, 256).astype(np.uint16)
    same(masks.normalize(image), (image / 65535 * 255).astype(np.uint8))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_normalize_of_a_range_that_overflows_its_type(dtype):
    top = np.finfo(dtype).max
    same(masks.normalize(np.array([[-top, 0, top / 2, top]], dtype)), [[0, 127, 191, 255]])
    tiny = np.finfo(dtype).smallest_subnormal
    same(masks.normalize(np.array([[0, tiny]], dtype)), [[0, 255]])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4"])
def test_normalize_refuses_what_is_not_finite(bad, dtype):
    with refused(None, naming=["finite", "got 1 "]):
        masks.normalize(np.array([[0, bad], [1, 2]], dtype))


@pytest.mark.parametrize(
    ("image", "naming"),
    [
        (np.zeros(3), ["(H, W)", "got shape (3,)"]),
        (np.zeros((2, 3, 4)), ["(H, W)", "got shape (2, 3, 4)", "slices"]),
        (np.zeros((0, 3)), ["one pixel", "got shape (0, 3)"]),
        (np.zeros((2, 2), complex), ["real", "dtype complex128"]),
        (np.array([["a"]]), ["real", "dtype <U1"]),
        (np.array([[None]]), ["real", "dtype object"]),
        (np.zeros((2, 2), "M8[s]"), ["real", "dtype datetime64[s]"]),
    ],
)
def test_what_is_not_a_slice_is_refused(image, naming):
    assert issubclass(InputError, ValueError)
    with refused(None, naming=naming):
        masks.normalize(image)


# --- Otsu ------------------------------------------------------------------------------------------------------


def otsu_by_hand(gray):
    """Try every threshold; of equally good ones the lowest."""
    best, found = -1, 0
    for threshold in range(256):
        below, above = gray[gray <= threshold].astype(float), gray[gray > threshold].astype(float)
        if below.size and above.size:
            between = below.size * above.size * (below.mean() - above.mean()) ** 2
            if between > best * (1 + 1e-9):
                best, found = between, threshold
    return found


@pytest.mark.parametrize("seed", range(5))
def test_otsu_is_the_best_of_all_thresholds(seed):
    gray = blobs(seed, shape=(40, 50), dtype=np.uint8)
    assert masks.otsu_threshold(gray) == otsu_by_hand(gray)


def test_otsu_wants_grey_levels_of_one_byte():
    assert masks.otsu_threshold(np.full((3, 3), 9, np.uint8)) == 0  # flat
    assert masks.otsu_threshold(np.zeros((3, 3), np.uint8)) == 0
    with refused(None, naming=["uint8", "normalize", "dtype float64"]):
        masks.otsu_threshold(np.zeros((3, 3)))


# --- components ------------------------------------------------------------------------------------------------


def test_components_are_8_connected():
    labels, areas_px = masks.label_components(grid("1000 0100 0011 1000"))
    same(areas_px, [11, 4, 1])
    assert labels[0, 0] == labels[2, 3] != labels[3, 0]


def test_largest_component_by_hand():
    same(masks.largest_component(grid("1001 1001 0001")), grid("0001 0001 0001"))
    same(masks.largest_component(grid("000 000")), grid("000 000"))
    same(masks.largest_component(grid("111 111")), grid("111 111"))


@given(GRIDS)
def test_of_equally_large_components_the_lowest_opencv_label_stays(mask):
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA].tolist()
    wanted = labels == 1 + areas.index(max(areas)) if areas else np.zeros(mask.shape)
    same(masks.largest_component(mask), wanted)


def test_touches_edge_by_hand():
    labels = np.array(
        [[0, 0, 0, 0, 3], [0, 1, 1, 0, 0], [2, 0, 0, 0, 0], [0, 0, 4, 0, 5], [0, 0, 4, 0, 0]]
    )
    same(masks.touches_edge(labels), [False, False, True, True, True, True])
    same(masks.touches_edge(np.zeros((2, 2), np.int32)), [False])


# --- flood and holes -------------------------------------------------------------------------------------------


def test_flood_enters_at_every_side_and_not_over_a_corner():
    walls = grid("0100 1010 0101 0010")
    same(masks.flood_from_edges(walls == 0), grid("1011 0001 1000 1101"))
    same(masks.flood_from_edges(np.zeros((2, 3), bool)), grid("000 000"))
    same(masks.flood_from_edges(np.ones((2, 3), bool)), grid("111 111"))


def test_holes_are_4_connected_background():
    diamond = grid("00100 01010 10001 01010 00100")
    same(masks.fill_holes(diamond), grid("00100 01110 11111 01110 00100"))
    same(
        masks.fill_holes(grid("0110 1011 1111")), grid("0110 1111 1111")
    )  # the frame itself is no wall
    same(masks.fill_holes(grid("101 111")), grid("101 111"))


@given(GRIDS)
def test_fill_holes_is_that_of_scipy(mask):
    made = masks.fill_holes(mask)
    assert is_mask(made, mask)
    same(made, ndimage.binary_fill_holes(mask))


# --- dilation --------------------------------------------------------------------------------------------------


def test_dilate_by_hand():
    point = np.pad(grid("1"), 3)
    same(masks.dilate(point, 1), point)
    same(masks.dilate(point, 3), np.pad(grid("010 111 010"), 2))
    even = masks.dilate(point, 4)  # an even element reaches one pixel further down and right
    same(np.flatnonzero(even.any(axis=1)), [2, 3, 4, 5])
    same(np.flatnonzero(even.any(axis=0)), [2, 3, 4, 5])


@given(GRIDS, st.data())
def test_dilate_is_that_of_opencv_on_the_whole_frame(mask, data):
    size = data.draw(st.integers(1, min(mask.shape)))
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    made = masks.dilate(mask, size)
    assert is_mask(made, mask)
    same(made, cv2.dilate(mask, element))


@pytest.mark.parametrize("size", [1, 2, 25, 26, 40, 61])
@pytest.mark.parametrize("where", [(0, 0), (79, 60), (40, 0), (0, 30), (40, 30)])
def test_dilate_of_a_point_at_the_frame(size, where):
    mask = np.zeros((80, 61), np.uint8)
    mask[where] = 1
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    same(masks.dilate(mask, size), cv2.dilate(mask, element))


@pytest.mark.parametrize(
    ("size", "naming"),
    [
        (0, ["1 to 5 px", "got 0"]),
        (-1, ["1 to 5 px", "got -1"]),
        (6, ["1 to 5 px", "shorter side", "got 6"]),
        (2.0, ["whole", "got 2.0"]),
        (2.5, ["whole", "got 2.5"]),
        ("3", ["whole", "got '3'"]),
        (None, ["whole", "got None"]),
        (True, ["whole", "got True"]),
        (np.bool_(True), ["whole", "got True"]),
        (np.float32(7.5), ["whole", "got 7.5"]),
        (np.nan, ["whole", "got nan"]),
        (10**30, ["1 to 5 px", f"got {10**30}"]),
    ],
)
def test_dilation_sizes_that_cannot_be(size, naming):
    with refused(None, naming=["dilation size", *naming]):
        masks.dilate(np.ones((5, 9), np.uint8), size)


def test_dilation_sizes_at_the_limit():
    for size in (1, 5, np.int64(5), np.uint8(2)):
        assert is_mask(masks.dilate(np.zeros((5, 9), np.uint8), size), np.zeros((5, 9)))


# --- masks as input --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mask", [[[0, 1]], [[0, 255]], [[False, True]], [[0.0, -3.5]], [[0.0, 1e-9]]]
)
def test_binary_masks_of_any_kind(mask):
    made = errors.check_binary(np.array(mask))
    assert made.dtype == np.uint8
    same(made, [[0, 1]])


@pytest.mark.parametrize("value", [0, 1])
def test_binary_masks_of_one_value(value):
    same(errors.check_binary(np.full((2, 2), value)), np.full((2, 2), value))


@pytest.mark.parametrize(
    ("mask", "naming"),
    [
        ([[0, 1, 2]], ["0 and one other", ": 1, 2"]),
        ([[0, 1, 2, 3, 4, 5]], ["0 and one other", ": 1, 2, 3, 4, …"]),
        ([[0.5, 1.0]], ["0 and one other", ": 0.5, 1"]),
        ([[0.0, 1.0, np.nan]], ["NaN"]),
        ([[0.0, np.nan]], ["NaN"]),
        ([[[0.0, np.nan]], [[np.nan, 0.0]]], ["NaN"]),
        ([[0j, 1j]], ["dtype complex128"]),
        ([["0", "1"]], ["dtype <U1"]),
    ],
)
def test_masks_that_are_not_binary(mask, naming):
    with refused(None, naming=["binary mask", *naming]):
        errors.check_binary(np.array(mask))


PRIMITIVES = {
    "label_components": lambda mask: masks.label_components(mask)[0],
    "largest_component": masks.largest_component,
    "flood": lambda mask: masks.flood(mask, [(0, 0), (1, 1)]),
    "flood_from_edges": masks.flood_from_edges,
    "fill_holes": masks.fill_holes,
    "dilate": lambda mask: masks.dilate(mask, 4),
}


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_primitives_take_masks_of_any_kind_and_refuse_what_is_none(primitive):
    make = PRIMITIVES[primitive]
    mask = grid("0000000 0111000 0101010 0111000 0000000")
    for kind in (255 * mask, mask > 0, mask.astype(int), mask.astype(float), mask.tolist()):
        same(make(kind), make(mask))
    labels = mask * np.arange(7, dtype=np.uint8)
    with refused(None, naming=["binary mask"]):
        make(labels)
    with refused(None, naming=["(H, W)", "(2, 5, 7)"]):
        make(np.stack([mask, mask]))
    for shape in ((0, 0), (0, 5), (5, 0)):
        with refused(None, naming=["(H, W)", str(shape)]):
            make(np.zeros(shape, np.uint8))


def test_boxes_are_of_one_slice():
    with refused(None, naming=["(2, 3, 4)"]):
        masks.bounding_box(np.ones((2, 3, 4), np.uint8))


@pytest.mark.parametrize(
    ("seed", "naming"),
    [
        ((3, 0), ["row", "-3 to 2", "got 3"]),
        ((0, -5), ["column", "-4 to 3", "got -5"]),
        ((0.5, 0), ["row", "got 0.5"]),
    ],
)
def test_a_flood_starts_inside_of_the_slice(seed, naming):
    with refused(None, naming=naming):
        masks.flood(np.ones((3, 4), np.uint8), [seed])


def test_bounding_box_by_hand():
    labels = grid("00000 00230 00000 00000")
    for kind in (labels, labels > 0, labels.astype(float)):
        assert masks.bounding_box(kind) == (slice(1, 2), slice(2, 4))
    assert masks.bounding_box(labels, 1) == (slice(0, 3), slice(1, 5))
    assert masks.bounding_box(labels, 9) == (slice(0, 4), slice(0, 5))
    assert masks.bounding_box(0 * labels, 9) == (slice(0, 0), slice(0, 0))


@given(GRIDS)
def test_inputs_are_never_changed(mask):
    mask.setflags(write=False)
    labels, _ = masks.label_components(mask)
    labels.setflags(write=False)
    makers = (masks.normalize, masks.largest_component, masks.flood_from_edges, masks.fill_holes)
    dilated = (masks.dilate(mask, 1), masks.dilate(mask, min(mask.shape)))
    for made in (*(make(mask) for make in makers), *dilated, masks.touches_edge(labels)):
        assert not np.shares_memory(made, mask)
        assert made.flags.writeable


@given(GRIDS)
def test_layout_does_not_matter(mask):
    for other in (
        np.asfortranarray(mask),
        np.repeat(mask, 2, axis=1)[:, ::2],
        mask[::-1, ::-1].copy()[::-1, ::-1],
    ):
        for make in (
            masks.normalize,
            masks.largest_component,
            masks.flood_from_edges,
            masks.fill_holes,
        ):
            same(make(other), make(mask))
        same(masks.dilate(other, min(mask.shape)), masks.dilate(mask, min(mask.shape)))
        assert masks.otsu_threshold(other) == masks.otsu_threshold(mask)


@pytest.mark.parametrize("size", [*range(1, 64), 100, 101, 255, 256])
def test_the_rectangles_of_dilate_make_up_the_ellipse(size):
    united = np.zeros((size, size), np.uint8)
    for rectangle, (x, y) in masks._rectangles(size):
        rows, columns = rectangle.shape
        top, left = size // 2 - y, size // 2 - x
        united[top : top + rows, left : left + columns] = 1
    assert np.array_equal(united, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))


# --- arrays of other kinds -------------------------------------------------------------------------------------


def doors():
    """Every public function of one array, or of a mask and its truth, by name."""
    image, mask = blobs(1, shape=(40, 36)), np.pad(np.ones((9, 9), np.uint8), 12)
    volume, inside = np.stack([image] * 3), np.pad(np.ones((4, 5, 5), np.uint8), 3)
    return {
        "check_slice": (errors.check_slice, image),
        "check_binary": (errors.check_binary, mask),
        "normalize": (masks.normalize, image),
        "v1": (sm.v1, image),
        "v7": (lambda array: sm.v7(array, dilation_size=3), image),
        "v8": (sm.v8, image),
        "create_skull_mask": (sm.create_skull_mask, image),
        "quality": (lambda array: sm.quality(array, np.ones(array.shape)), image),
        "quality of a mask": (lambda array: sm.quality(np.ones(array.shape), array), mask),
        "iou": (lambda array: sm.iou(array, mask), mask),
        "dice of a truth": (lambda array: sm.dice(mask, array), mask),
        "score": (lambda array: sm.score(array, mask), mask),
        "area_error": (lambda array: metrics.area_error(mask, array), mask),
        "check_volume": (scans.check_volume, volume),
        "apply_mask": (lambda array: brain_masks.apply_mask(array, np.ones(array.shape)), volume),
        "overlay_edges": (
            lambda array: brain_masks.overlay_edges(array, np.ones(array.shape)),
            volume,
        ),
        "close": (lambda array: morphology.close(array, 1), inside),
        "zscore": (preprocess.zscore, image),
    }


@pytest.mark.filterwarnings("ignore:.*empty", "ignore:.*more than one head")
@pytest.mark.parametrize("name", doors())
def test_masked_arrays_are_refused_where_a_value_is_masked(name):
    function, array = doors()[name]
    hidden = np.ma.masked_array(array, np.zeros(array.shape, bool))
    plain, clean = function(array), function(hidden)
    if isinstance(plain, np.ndarray):
        assert not isinstance(clean, np.ma.MaskedArray)
        same(clean, plain)
    else:
        assert clean == plain
    hidden[(0,) * array.ndim] = np.ma.masked
    with refused(None, naming=["got 1 masked", "filled(0)"]):
        function(hidden)


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
def test_lists_matrices_and_tables_are_arrays():
    rows = [[0, 1, 5], [2, 3, 4]]
    wanted = masks.normalize(np.array(rows))
    for kind in (list, np.matrix, pd.DataFrame):
        same(masks.normalize(kind(rows)), wanted)
        same(np.asarray(errors.check_binary(kind([[0, 7], [7, 0]]))), [[0, 1], [1, 0]])


def test_what_takes_too_much_memory_is_refused_before_it_is_taken():
    most = errors.LARGEST_UNPACKED_BYTES
    errors.check_unpacked(most, 100, "a.npz")
    errors.check_unpacked(4 * most, most, "a.npz")  # the file is as large itself
    for size, packed in ((most + 1, 100), (10**30, 10**9)):
        with refused("a.npz"):
            errors.check_unpacked(size, packed, "a.npz")


# --- the largest slice ---------------------------------------------------------------------------

WIDE = (2, 1024, 2048)  # over the bound of these tests
PACKED = (
    "a.npy",
    "a.npz",
    "colour.npz",
    "truth.npz",
    "a.nii",
    "a.nii.gz",
    "a.png",
    "a.tif",
    "f8.tif",
    "series",
)


def save(path, shape=WIDE):
    """Write slices of zeros in the format of a name."""
    zeros = np.zeros(shape, np.uint8)
    if path.suffix == ".npy":
        np.save(path, zeros)
    elif path.name == "colour.npz":
        np.savez_compressed(path, images=np.zeros((*shape, 3), np.uint8))
    elif path.name == "truth.npz":
        np.savez_compressed(path, images=np.zeros((2, 9, 9)), truth=zeros)
    elif path.suffix == ".npz":
        np.savez_compressed(path, images=zeros)
    elif path.suffix in (".nii", ".gz"):
        nib.save(nib.Nifti1Image(zeros.T, np.diag([0.5, 0.5, 1, 1])), path)
    elif path.suffix == ".png":
        Image.fromarray(zeros[0]).save(path)
    elif path.suffix == ".tif":
        dtype = np.float64 if path.stem == "f8" else np.uint8
        tifffile.imwrite(path, zeros.astype(dtype), compression="zlib")
    else:
        write_series(path, zeros.astype(np.int16))


@pytest.mark.parametrize("name", PACKED)
def test_a_slice_that_is_too_large_is_refused_before_it_is_unpacked(tmp_path, monkeypatch, name):
    save(tmp_path / name)
    monkeypatch.setattr(errors, "LARGEST_SLICE_PX", 2**20)
    with pytest.raises(InputError):
        sm.load(tmp_path / name)  # imports what it needs
    with takes_less_than(2**20), pytest.raises(InputError) as error:
        sm.load(tmp_path / name)
    assert "\n" not in str(error.value)
    for told in (name, "1048576", "1024 x 2048"):
        assert told in str(error.value)


@pytest.mark.parametrize("name", ["a.npy", "a.zarr"])
def test_a_batch_refuses_a_slice_that_is_too_large(tmp_path, monkeypatch, name):
    if name == "a.npy":
        save(tmp_path / name)
    else:
        zarr.create_array(str(tmp_path / name), shape=WIDE, chunks=(1, *WIDE[1:]), dtype="u1")[
            :
        ] = 1
    monkeypatch.setattr(errors, "LARGEST_SLICE_PX", 2**20)
    with refused(name, naming=["1048576 px", "got 1024 x 2048"]):
        stacks.opened(tmp_path / name)


def test_an_array_has_a_largest_slice(monkeypatch):
    monkeypatch.setattr(errors, "LARGEST_SLICE_PX", 1300**2)
    for function, where in (
        (sm.v1, None),
        (sm.v8, None),
        (masks.normalize, None),
        (lambda image: list(sm.mask_slices(image[None])), "slice 0"),
    ):
        function(ring_head((1300, 1300))[0])
        with refused(where, naming=["1690000 px", "1300 x 1300", "got 1301 x 1300"]):
            function(ring_head((1301, 1300))[0])


@pytest.mark.filterwarnings("ignore::skullmask_lib.errors.InputWarning")
def test_of_a_volume_the_slices_count_that_are_cut(tmp_path, monkeypatch):
    affine = np.array(
        [[0, 0, 1.0, 0], [1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]
    )  # x is anterior, y inferior
    volume = np.indices((4, 6, 50)).sum(axis=0).astype(np.float32)
    nib.save(nib.Nifti1Image(volume, affine), tmp_path / "a.nii.gz")
    monkeypatch.setattr(errors, "LARGEST_SLICE_PX", 30)
    assert sm.load(tmp_path / "a.nii.gz", axis=0).images.shape == (50, 6, 4)
    for axis in (1, 2):
        with refused("a.nii.gz", naming=["30 px"]):
            sm.load(tmp_path / "a.nii.gz", axis=axis)
    with refused("a.nii.gz", naming=["30 px"]):
        scans.read(tmp_path / "a.nii.gz")


def test_a_volume_may_have_more_voxels_than_a_slice_pixels(monkeypatch):
    monkeypatch.setattr(errors, "LARGEST_SLICE_PX", 30)
    volume = np.indices((5, 5, 5)).sum(axis=0)
    assert brain_masks.brain_mask(volume, threshold=(4, 8)).any()
    assert preprocess.zscore(volume).shape == volume.shape
    same(preprocess._foreground(volume), volume > 6)


@pytest.mark.parametrize("shape", [(1, 200), (200, 1), (2, 100)])
def test_a_slice_is_too_large_in_any_shape(monkeypatch, shape):
    monkeypatch.setattr(errors, "LARGEST_SLICE_PX", 199)
    image = np.arange(200, dtype=np.uint8).reshape(shape)
    for function in (masks.normalize, masks.otsu_threshold, errors.check_slice):
        with refused(None, naming=["199 px", f"got {shape[0]} x {shape[1]}"]):
            function(image)


@pytest.mark.parametrize("shape", [(200,), (5, 40), (4, 5, 10)])
def test_values_of_any_number_of_axes_are_those_of_a_slice(monkeypatch, shape):
    image = blobs(1, shape=(1, 200), dtype=np.float32)
    gray = masks.normalize(image)
    threshold = masks.otsu_threshold(gray)
    monkeypatch.setattr(errors, "LARGEST_SLICE_PX", 1)  # holds for slices alone
    for order in "CF":
        levels = masks.normalize_values(np.asarray(image.reshape(shape), order=order))
        same(levels, gray.reshape(shape))
        assert masks.otsu_of_values(levels) == threshold


@pytest.mark.parametrize("function", [masks.normalize_values, masks.otsu_of_values])
def test_values_are_at_least_one_and_none_masked(function):
    with refused(None, naming=["(0, 3)"]):
        function(np.zeros((0, 3), np.uint8))
    with refused(None, naming=["got 1 masked"]):
        function(np.ma.masked_equal(np.arange(3, dtype=np.uint8), 0))


def test_values_are_finite_and_their_levels_are_bytes():
    with refused(None, naming=["got 1 that are NaN"]):
        masks.normalize_values(np.array([1, np.nan]))
    with refused(None, naming=["uint8", "dtype float64"]):
        masks.otsu_of_values(np.zeros(3))
