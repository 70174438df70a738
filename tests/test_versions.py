"""The journey's versions, each against the same thing said plainly, and the doors that lead to them."""

import inspect
import re
import warnings
from pathlib import Path

import cv2
import numpy as np
import plain
import pytest
from complaints import refused
from degradations import DEGRADATIONS, Slice
from inputs import blobs, head, ring_head
from numpy.testing import assert_array_equal as same
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import boundary, learned, polar, versions
from skullmask_lib.errors import EmptyMaskWarning, InputError

DTYPES = (np.uint8, np.uint16, np.int16, np.float32, np.float64)
SIZES = {"v5": 16, "v6": 22, "v7": 26}


@pytest.fixture(autouse=True)
def _empty_masks_may_warn():  # `pytest.warns` sees them all the same
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EmptyMaskWarning)
        yield


# --- v1 to v4 in one line --------------------------------------------------------------------------------------


def largest(mask):
    _, labels = cv2.connectedComponents(np.ascontiguousarray(mask, np.uint8), connectivity=8)
    areas = np.bincount(labels[mask], minlength=1)
    return mask & (labels == areas.argmax())  # of equal ones the first, in OpenCV's order


def local_mean(gray, width):
    return np.rint(ndimage.uniform_filter(gray.astype(float), width, mode="nearest"))


PLAIN = {
    "v1": lambda image: largest(plain.bright(image)),
    "v2": lambda image: ndimage.binary_fill_holes(plain.bright(image)),
    "v3": lambda image: ndimage.binary_fill_holes(largest(plain.normalize(image) > 50)),
    "v4": lambda image: ndimage.binary_fill_holes(
        largest((gray := plain.normalize(image)) > local_mean(gray, 101))
    ),
}


@pytest.mark.parametrize("version", PLAIN)
def test_v1_to_v4_in_one_line(version):
    for seed in range(60):
        image = blobs(seed, dtype=DTYPES[seed % len(DTYPES)])
        same(sm.VERSIONS[version](image), PLAIN[version](image), err_msg=f"seed {seed}")
    for image in sm.load("phantom").images[::2]:
        same(sm.VERSIONS[version](image), PLAIN[version](image))


def test_options_of_v3_and_v4_count():
    image = blobs(3, shape=(64, 64))
    gray = plain.normalize(image)
    same(sm.v3(image, threshold=120), ndimage.binary_fill_holes(largest(gray > 120)))
    same(sm.v4(image, block_size=9), ndimage.binary_fill_holes(largest(gray > local_mean(gray, 9))))
    for threshold in (-1, 255):
        with refused(None, naming=["threshold", "0 to 254", f"got {threshold}"]):
            sm.v3(image, threshold=threshold)
    for block_size in (0, 1, -3):
        with refused(None, naming=["block size", "3 to 9999 px", f"got {block_size}"]):
            sm.v4(image, block_size=block_size)
    with refused(None, naming=["odd", "4 px"]):
        sm.v4(image, block_size=4)
    for option in ("a", 5.0, True):
        with refused(None, naming=["threshold", f"got {option!r}"]):
            sm.v3(image, threshold=option)
        with refused(None, naming=["block size", f"got {option!r}"]):
            sm.v4(image, block_size=option)


# --- v5 to v7 against the plain form ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["phantom", "phantom-cropped"])
def test_v5_to_v7_equal_the_plain_form_on_the_phantom(name):
    for image in sm.load(name).images:
        brain_and_scalp = plain.brain_and_scalp(image)
        for version, size in SIZES.items():
            same(sm.VERSIONS[version](image), plain.grow(*brain_and_scalp, size))


@pytest.mark.parametrize("dtype", DTYPES)
def test_v5_to_v7_equal_the_plain_form_on_generated_images(dtype):
    rules = {"edge": 0, "tie": 0, "empty": 0}
    for seed in range(60):
        image = blobs(1000 + seed, dtype=dtype)
        size = 1 + seed % min(image.shape)
        wanted = plain.skull_mask(image, size)
        for version in SIZES:
            same(
                sm.VERSIONS[version](image, dilation_size=size),
                wanted,
                err_msg=f"seed {1000 + seed}, {size} px",
            )
        inside = sorted(
            piece.sum() for piece in plain.components(image) if not plain.at_edge(piece)
        )
        rules["edge"] += any(map(plain.at_edge, plain.components(image)))
        rules["tie"] += len(inside) > 1 and inside[-1] == inside[-2]
        rules["empty"] += not wanted.any()
    assert min(rules.values()) > 0, f"no image tried one of the rules: {rules}"


@pytest.mark.full
def test_v5_to_v7_equal_the_plain_form_on_real_heads(real):
    files = sorted((real / "slices").glob("*.npz"))
    assert files
    for file in files:
        for index, image in enumerate(sm.load(file).images):
            brain_and_scalp = plain.brain_and_scalp(image)
            for version, size in SIZES.items():
                wanted = plain.grow(*brain_and_scalp, size)
                same(sm.VERSIONS[version](image), wanted, err_msg=f"{file.name}[{index}] {version}")


def test_v7_by_hand():
    bright = np.array([
        [0, 0, 0, 0, 0, 0, 0, 9],
        [0, 0, 0, 0, 0, 0, 0, 9],
        [0, 9, 9, 9, 0, 0, 0, 9],
        [0, 9, 0, 9, 0, 0, 0, 9],
        [0, 9, 9, 9, 0, 0, 9, 9],
        [0, 0, 0, 0, 0, 0, 0, 9],
        [9, 0, 0, 0, 0, 0, 0, 9],
    ])  # fmt: skip
    ring = np.zeros((7, 8), np.uint8)
    ring[2:5, 1:4] = 1
    same(sm.v7(bright, dilation_size=1), ring)  # the scalp on the right is larger, and out
    grown = sm.v7(bright, dilation_size=5)
    assert grown[:, 5].any()
    assert not grown[bright[:, -1] > 0, -1].any()
    assert not grown[4, 6]
    assert not grown[6, 0]


def test_equal_areas_go_to_the_lowest_label():
    image = np.zeros((9, 9))
    image[2, 5:7] = image[6, 2:4] = 1
    same(np.argwhere(sm.v7(image, dilation_size=1)), [[2, 5], [2, 6]])


def test_the_defaults_are_the_widths_of_the_journey():
    assert {version: versions.options_of(version) for version in SIZES} == {
        version: {"dilation_size": size} for version, size in SIZES.items()
    }
    image = blobs(4, shape=(120, 160))
    for version, size in SIZES.items():
        same(sm.VERSIONS[version](image), sm.v7(image, dilation_size=size))


# --- what goes in and comes out --------------------------------------------------------------------------------


def laid_out(image):
    """Give the same slice in every layout that numpy knows, read-only."""
    yield image.astype(image.dtype.newbyteorder(">"))
    yield np.asfortranarray(image)
    yield np.repeat(np.repeat(image, 2, axis=0), 3, axis=1)[::2, ::3]
    yield image[::-1, ::-1].copy()[::-1, ::-1]
    yield np.stack([image, image], axis=-1)[..., 1]
    yield np.broadcast_to(image, (3, *image.shape))[1]


@pytest.mark.parametrize("version", sm.VERSIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_layout_gives_the_same_mask_and_stays_as_it_was(version, dtype):
    image = blobs(7, shape=(97, 51), dtype=dtype)
    wanted = sm.VERSIONS[version](image)
    assert (wanted.dtype, wanted.shape) == (np.uint8, image.shape)
    assert set(np.unique(wanted)) == {0, 1}
    for other in laid_out(image):
        other.setflags(write=False)
        before = other.tobytes()
        made = sm.VERSIONS[version](other)
        same(made, wanted)
        assert other.tobytes() == before
        assert not np.shares_memory(made, other)


@pytest.mark.parametrize("version", sm.VERSIONS)
@pytest.mark.parametrize("shape", [(5, 64, 64), (64,), (0, 64), (64, 64, 3)])
def test_only_a_slice_will_do(version, shape):
    with refused(None, naming=[f"got shape {shape}"]):
        sm.VERSIONS[version](np.zeros(shape))


@pytest.mark.parametrize("version", sm.VERSIONS)
def test_nan_is_refused(version):
    image = np.ones((30, 30), np.float32)
    image[3, 3] = np.nan
    with refused(None, naming=[" 1 ", "NaN"]):
        sm.VERSIONS[version](image)


# --- trace -----------------------------------------------------------------------------------------------------

STAGES = {
    "v1": ["gray", "bright", "largest component"],
    "v2": ["gray", "bright", "flooded from the frame", "not flooded"],
    "v3": ["gray", "above", "largest", "filled"],
    "v4": ["gray", "local mean", "above", "largest", "filled"],
    **{
        version: ["gray", "bright", "scalp", "brain", "dilated", "without scalp", "filled"]
        for version in SIZES
    },
    "v8": ["head", "unwrapped", "cost", "inner edge", "path", "outline", "filled"],
    "v9": [
        *("probability", "head", "opinion", "unwrapped", "cost"),
        *("inner edge", "path", "outline", "filled"),
    ],
}


@pytest.mark.parametrize("version", sm.VERSIONS)
def test_the_last_stage_is_the_mask(version):
    image = sm.load("phantom-cropped").images[2]
    stages = sm.trace(version, image)
    assert list(stages) == STAGES.get(version, list(stages))  # a version that is new has its own
    same(list(stages.values())[-1], sm.VERSIONS[version](image))
    if version in versions.BOUNDARY_VERSIONS:
        return  # their stages have shapes of their own
    assert all(stage.shape == image.shape and stage.dtype == np.uint8 for stage in stages.values())
    same(stages["gray"], plain.normalize(image))


def test_stages_of_v8_have_the_shapes_of_the_grid_and_of_the_rays():
    data = sm.load("phantom-cropped")
    stages = sm.trace("v8", data.images[2], spacing_mm=data.spacing_mm[2])
    height, width = np.rint(data.images[2].shape * data.spacing_mm[2] / polar.STEP_MM).astype(int)
    depths = round((polar.MAX_SKULL_DEPTH_MM + polar.SKULL_THICKNESS_MM[-1]) / polar.STEP_MM)
    assert stages["head"].shape == (height, width)
    assert stages["unwrapped"].shape == (polar.ANGLES, depths)
    assert stages["cost"].shape == (polar.ANGLES // 2, depths)
    for line in ("inner edge", "path", "outline"):
        assert stages[line].shape == (polar.ANGLES,)
    assert stages["filled"].shape == data.images[2].shape
    kinds = {name: stage.dtype.kind for name, stage in stages.items()}
    assert kinds == {
        "head": "u",
        "unwrapped": "f",
        "cost": "f",
        "inner edge": "i",
        "path": "i",
        "outline": "f",
        "filled": "u",
    }


@pytest.mark.parametrize(
    ("version", "options"),
    [("v3", {"threshold": 90}), ("v4", {"block_size": 31}), ("v5", {"dilation_size": 40})],
)
def test_trace_takes_the_options_of_the_version(version, options):
    image = sm.load("phantom").images[0]
    made = list(sm.trace(version, image, **options).values())[-1]
    same(made, sm.VERSIONS[version](image, **options))
    assert (made != sm.VERSIONS[version](image)).any()


def test_stages_of_v7_mean_what_they_say():
    image = head(at=(0, 5))
    stages = sm.trace("v7", image, dilation_size=15)
    brain, scalp = plain.brain_and_scalp(image)
    assert scalp.any()
    same(stages["brain"], brain)
    same(stages["scalp"], scalp)
    assert (stages["dilated"] & stages["scalp"]).any()
    assert not (stages["without scalp"] & stages["scalp"]).any()


def test_an_empty_mask_tells():
    flat = np.ones((30, 30))
    for version, make in sm.VERSIONS.items():
        with pytest.warns(EmptyMaskWarning) as told:
            mask = make(flat)
        assert mask.dtype == np.uint8
        assert not mask.any()
        assert len(told) == 1, version
    with pytest.warns(EmptyMaskWarning):
        assert not sm.v7(
            np.pad(np.zeros((28, 28)), 1, constant_values=1)
        ).any()  # bright, but at the frame alone


@pytest.mark.parametrize("version", versions.BOUNDARY_VERSIONS)
def test_a_mask_with_its_quality_is_that_of_its_version_on_its_head(version):
    image = sm.load("phantom").images[0]
    spacing_mm = (0.42, 0.42)
    image = np.maximum(image, 0.2 * np.roll(image, 60, axis=0))  # a ghost joins the head
    mask, quality = versions.mask_and_quality(image, version, spacing_mm=spacing_mm)
    same(mask, sm.VERSIONS[version](image, spacing_mm=spacing_mm))
    head, _ = boundary.follow_boundary(polar.unwrap(image, spacing_mm), image.shape, version)
    assert quality == polar.mask_quality(head, mask)
    found = sm.quality(image, mask, spacing_mm=spacing_mm)
    assert (quality == found) == (version == "v8")  # v9 has corrected the head
    same(mask, versions.mask_and_quality(image, version.upper(), spacing_mm=spacing_mm)[0])


@pytest.mark.parametrize("version", ["v7", "v99"])
def test_only_what_unwraps_the_head_makes_a_mask_with_its_quality(version):
    with refused(None, naming=["v8", "v9", f"got {version!r}"]):
        versions.mask_and_quality(head(), version)


@pytest.mark.parametrize("name", ["V9", "v9"])
def test_a_version_goes_by_its_name_in_small_or_large_letters(name):
    assert boundary.check_version(name) == "v9"
    unwrapped = polar.unwrap(head())
    _, stages = boundary.follow_boundary(unwrapped, head().shape, name)
    same(stages["filled"], sm.create_skull_mask(head(), version=name))


@pytest.mark.parametrize("name", [None, 8, ["v8"], np.array(["v8"])])
def test_a_version_goes_by_no_other_name(name):
    with refused(None, naming=["v8, v9", type(name).__name__]):
        boundary.check_version(name)


def test_a_version_runs_as_itself_or_not_at_all(monkeypatch):
    monkeypatch.setattr(boundary, "BOUNDARY_VERSIONS", ("v8", "v9", "v10"))
    unwrapped = polar.unwrap(head())
    with refused(None, naming=["'v10'"]):
        boundary.follow_boundary(unwrapped, head().shape, "v10")
    with refused(None, naming=["'v10'"]):
        list(boundary.follow_in_volume([boundary.Slice(head(), "first")], "v10"))


# --- the doors -------------------------------------------------------------------------------------------------


def test_versions_are_the_functions():
    assert list(sm.VERSIONS) == [f"v{n}" for n in range(1, len(sm.VERSIONS) + 1)]
    assert all(sm.VERSIONS[name] is getattr(sm, name) for name in sm.VERSIONS)
    for make in sm.VERSIONS.values():
        first, *options = inspect.signature(make).parameters.values()
        assert first.name == "image"
        assert all(option.kind is inspect.Parameter.KEYWORD_ONLY for option in options)


def test_options_are_read_from_the_signatures():
    for version, make in sm.VERSIONS.items():
        assert versions.options_of(version) == (make.__kwdefaults__ or {})
    assert versions.choose("v6", {}) == ("v6", {"dilation_size": 22})
    assert versions.choose("v3", {"threshold": 9}) == ("v3", {"threshold": 9})
    assert versions.choose(None, {}) == ("v8", {"spacing_mm": None})
    assert versions.choose(None, {"dilation_size": 30}) == ("v7", {"dilation_size": 30})


def test_one_call_makes_a_mask():
    image = sm.load("phantom").images[0]
    same(sm.create_skull_mask(image), sm.v8(image))
    same(sm.create_skull_mask(image, spacing_mm=(0.8, 0.8)), sm.v8(image, spacing_mm=(0.8, 0.8)))
    same(sm.create_skull_mask(image, dilation_size=30), sm.v7(image, dilation_size=30))
    same(sm.create_skull_mask(image, version="v3", threshold=70), sm.v3(image, threshold=70))
    for version, make in sm.VERSIONS.items():
        same(sm.create_skull_mask(image, version=version), make(image))


@pytest.mark.parametrize(
    ("call", "naming"),
    [
        ({"version": "v77"}, ["version", "v1, ", "got 'v77'", "mean v7"]),
        ({"version": "otsu"}, ["version", "got 'otsu'"]),
        ({"version": 7}, ["version", "got 7"]),
        (
            {"version": "v1", "dilation_size": 3},
            ["v1 ", "dilation_size", "v5, v6, v7"],
        ),
        (
            {"version": "v3", "dilation_size": 3},
            ["v3 ", "dilation_size", "v5, v6, v7"],
        ),
        ({"version": "v7", "threshold": 3}, ["v7 ", "threshold", "v3 "]),
        ({"version": "v7", "spacing_mm": (1, 1)}, ["v7 ", "spacing_mm", "v8, v9 "]),
        ({"dilation_size": 3, "spacing_mm": (1, 1)}, ["v7 ", "spacing_mm", "v8, v9 "]),
        (
            {"version": "v8", "dilation_size": 3},
            ["v8 ", "dilation_size", "v5, v6, v7"],
        ),
        ({"version": "v7", "dilation": 3}, ["v7 ", "dilation", "mean dilation_size"]),
        ({"dilation": 3}, ["v8 ", "dilation"]),
        ({"dilation_size": 0}, ["dilation size", "1 to 40 px", "got 0"]),
        ({"dilation_size": -1}, ["dilation size", "got -1"]),
        ({"dilation_size": 41}, ["1 to 40 px", "got 41"]),
        ({"dilation_size": 26.0}, ["dilation size", "got 26.0"]),
        ({"dilation_size": "26"}, ["dilation size", "got '26'"]),
        ({"dilation_size": True}, ["dilation size", "got True"]),
    ],
)
def test_the_one_call_door_says_what_is_wrong(call, naming):
    for door in (
        sm.create_skull_mask,
        lambda image, version=None, **options: sm.trace(version, image, **options),
    ):
        with refused(None, naming=naming):
            door(head(), **call)


def test_the_sides_of_the_image_limit_the_width():
    for shape in ((30, 50), (50, 30)):
        image = blobs(1, shape=shape)
        assert sm.v7(image, dilation_size=30).shape == shape
        with refused(None, naming=["1 to 30 px", "got 31"]):
            sm.v7(image, dilation_size=31)


def test_many_slices_are_made_one_after_another():
    taken = []

    def images():
        for index in range(3):
            taken.append(index)
            yield head()

    made = sm.mask_slices(images(), names="abc", version="v5", dilation_size=9)
    assert taken == []
    same(next(made), sm.v5(head(), dilation_size=9))
    assert taken == [0]
    assert len(list(made)) == 2


@pytest.mark.parametrize("make", [sm.mask_slices, versions.masks_with_quality])
@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"version": "v99"}, "v99"), ({"version": "v5", "width": 9}, "width")],
)
def test_wrong_arguments_are_refused_before_the_first_mask(make, arguments, named):
    with refused(None, naming=[named]):
        make([head()], **arguments)


def test_errors_and_warnings_of_many_slices_tell_the_name():
    slices = [head(), np.zeros((48, 40)), np.full((48, 40), np.nan)]
    with (
        pytest.warns(EmptyMaskWarning, match="^b: ") as told,
        refused("c", naming=["NaN"]),
    ):
        list(sm.mask_slices(slices, names="abc"))
    assert len(told) == 1
    with refused("a", naming=["dilation size"]):
        list(sm.mask_slices(slices, names="abc", dilation_size=99))


def test_every_slice_has_its_own_spacing():
    image = sm.load("phantom").images[0]
    spacing_mm = [(0.4, 0.4), (0.8, 0.8)]
    made = list(sm.mask_slices([image, image], names="ab", spacing_mm=spacing_mm))
    same(made, [sm.v8(image, spacing_mm=pair) for pair in spacing_mm])
    assert (made[0] != made[1]).any()
    for options in ({"version": "v7"}, {"dilation_size": 30}):
        same(
            *(
                list(sm.mask_slices([image], names="a", spacing_mm=s, **options))
                for s in (None, spacing_mm[:1])
            )
        )
    for volume in (False, True):
        with refused("b", naming=["0 mm"]):
            list(
                sm.mask_slices(
                    [image, image], names="ab", spacing_mm=[(1, 1), (1, 0)], volume=volume
                )
            )


# --- volumes ---------------------------------------------------------------------------------------------------


def spoilt():
    """Give three slices of one head, of which the middle one is blurred until its skull is hardly seen."""
    image, truth = ring_head()
    return [image, ndimage.gaussian_filter(image, 5), image], truth


def test_the_slices_on_both_sides_pull_an_outline_that_cannot_be_trusted():
    slices, truth = spoilt()
    alone, together = (
        list(sm.mask_slices(slices, names="abc", spacing_mm=[(1, 1)] * 3, volume=volume))
        for volume in (False, True)
    )
    same(together[0], alone[0])
    same(together[2], alone[2])
    assert sm.iou(together[1], truth) > sm.iou(alone[1], truth) + 0.05
    for slices_of in (
        lambda: slices[:2],
        lambda: slices[1:],
        lambda: slices[1:2],
    ):  # one neighbour alone says nothing
        names = "ab"[: len(slices_of())]
        alone, together = (
            list(sm.mask_slices(slices_of(), names=names, volume=volume))
            for volume in (False, True)
        )
        same(together, alone)


def dented(image, truth):
    """Give a head whose bone, along one side, follows a clear edge farther inside."""
    _, columns = np.indices(image.shape)
    is_side = columns > 0.6 * image.shape[1]
    deeper = ndimage.binary_erosion(truth, iterations=5)
    return np.where(is_side & (truth > 0) & ~deeper, image.max(), image)


def test_the_odd_one_of_three_slices_is_pulled_however_clear_its_edge():
    image, truth = ring_head()
    slices = [image, dented(image, truth), image]
    alone, together = (
        list(
            versions.masks_with_quality(slices, names="abc", spacing_mm=[(1, 1)] * 3, volume=volume)
        )
        for volume in (False, True)
    )
    assert alone[1][1] > polar.TRUSTED
    assert sm.iou(together[1][0], truth) > sm.iou(alone[1][0], truth) + 0.01
    for place in (0, 2):
        same(together[place][0], alone[place][0])


@pytest.mark.parametrize(
    ("is_oval", "quality", "quality_of_neighbours", "follows"),
    [
        (False, 0.6, (0.6, 0.6), False),
        (False, 0.4, (0.6, 0.6), True),  # they are trusted clearly more
        (False, 0.4, (0.6, 0.45), False),
        (True, 0.6, (0.6, 0.45), True),  # it is the odd one out
        (True, 0.1, (0.6, 0.3), False),  # one of them cannot be trusted
        (True, 0.1, (0.6, polar.TRUSTED), True),  # the limit itself is trusted
    ],
)
def test_an_outline_follows_its_neighbours(is_oval, quality, quality_of_neighbours, follows):
    unwrapped = polar.unwrap(ring_head()[0], (1, 1))
    around = np.linspace(0, 4 * np.pi, polar.ANGLES, endpoint=False)
    even, oval = (12 + width * np.cos(around) for width in (0, 4))

    def head_with(outline, quality):
        return boundary._Head(None, unwrapped, outline=outline, quality=quality)

    before, after = (head_with(even, of_neighbour) for of_neighbour in quality_of_neighbours)
    head = head_with(oval if is_oval else even, quality)
    assert boundary._should_follow(head, before, after) == follows


def test_masks_do_not_reach_into_the_air_in_a_volume():
    image, _ = ring_head()
    rows, columns = np.indices(image.shape)
    image[(columns > 78) & (np.abs(rows - 80) < 12)] = 0  # a cleft that rays cross
    alone, together = (
        list(sm.mask_slices([image] * 3, names="abc", spacing_mm=[(1, 1)] * 3, volume=volume))
        for volume in (False, True)
    )
    for before, after in zip(alone, together, strict=True):
        assert before[image == 0].sum() > 1000 > 5 * after[image == 0].sum()
        assert not (after > before).any()
        assert cv2.connectedComponents(after)[0] == 2  # the background is one of them


def test_only_the_largest_piece_of_a_mask_is_kept():
    image, truth = ring_head()
    rows, _ = np.indices(image.shape)
    parted = np.where(np.abs(rows - 60) < 4, 0, truth).astype(np.uint8)
    kept = polar.without_air(polar.unwrap(image, (1, 1)), parted)
    assert cv2.connectedComponents(parted)[0] == 3  # the background is one of them
    assert cv2.connectedComponents(kept)[0] == 2


def test_a_vertex_cut_at_a_slant_is_named_in_a_volume():
    radii_mm = [70, 68, 65, 61, 56, 50, 42]
    slices = [ring_head(axes_mm=(radius, radius))[0] for radius in radii_mm]
    options = {"names": "abcdefg", "spacing_mm": [(1, 1)] * 7}
    alone, together = (
        [quality for _, quality in versions.masks_with_quality(slices, volume=volume, **options)]
        for volume in (False, True)
    )
    assert min(alone) > polar.TRUSTED
    same(np.array(together) < polar.TRUSTED, [False] * 4 + [True] * 3)
    same(together[:4], alone[:4])


def test_slices_of_air_are_empty_in_a_volume():
    image, truth = ring_head()
    noise = 4 * np.random.default_rng(1).random(image.shape)
    ghost = 0.02 * (
        np.roll(image, 40, axis=0) + noise
    )  # structure, but no clear head, and far dimmer
    slices = np.stack([ghost, image, 0.3 * image, image, image, ghost])
    for scaled in (slices, 1000 * slices - 500):
        with pytest.warns(EmptyMaskWarning, match="no head") as told:
            made = list(
                sm.mask_slices(scaled, names="abcdef", spacing_mm=[(1, 1)] * 6, volume=True)
            )
        assert sorted(str(each.message)[0] for each in told) == ["a", "f"]
        same([mask.any() for mask in made], [False, True, True, True, True, False])
        assert min(sm.iou(mask, truth) for mask in made[1:5]) > 0.97


@pytest.mark.parametrize("dimmest", [0.15, 0.02])
def test_a_clear_head_is_no_air_however_dim(dimmest):
    image, truth = ring_head()
    brightness = np.append(np.geomspace(dimmest, 1, 6), 6.0)
    made = list(
        sm.mask_slices(brightness[:, None, None] * image, spacing_mm=[(1, 1)] * 7, volume=True)
    )
    assert min(sm.iou(mask, truth) for mask in made) > 0.97


def test_only_v8_asks_the_neighbours():
    slices, _ = spoilt()
    for version in ("v1", "v7"):
        alone, together = (
            list(sm.mask_slices(slices, names="abc", version=version, volume=volume))
            for volume in (False, True)
        )
        same(together, alone)


def test_slices_are_read_one_by_one():
    image, _ = ring_head()
    taken = []

    def images():
        for index in range(5):
            taken.append(index)
            yield image

    made = sm.mask_slices(images(), names="abcde")
    assert taken == []
    next(made)
    assert len(taken) == 1
    assert len(list(made)) == 4


def test_what_is_wrong_in_a_volume_is_named():
    image, _ = ring_head()
    with refused("d", naming=["NaN"]):
        list(
            sm.mask_slices(
                [image, image, image, np.full_like(image, np.nan)], names="abcd", volume=True
            )
        )
    slices = [image, np.zeros_like(image), image]
    with pytest.warns(EmptyMaskWarning, match="^b: .*no head") as told:
        masks = list(sm.mask_slices(slices, names="abc", volume=True))
    assert len(told) == 1
    same([mask.any() for mask in masks], [True, False, True])
    assert list(sm.mask_slices([], names="", volume=True)) == []


# --- who imports what -----------------------------------------------------------------------------------------


def test_every_slice_has_its_spacing():
    images, names = np.ones((2, 9, 9)), ["a", "b"]
    for version in ("v7", "v8"):
        for spacing_mm in ((0.5, 0.5), [(0.5, 0.5)], np.ones((2, 3))):
            with refused(None, naming=["spacings", "(2, 2)", str(np.shape(spacing_mm))]):
                list(sm.mask_slices(images, names=names, version=version, spacing_mm=spacing_mm))


@pytest.mark.parametrize("volume", [False, True])
@pytest.mark.parametrize("names", ["a", "abc"])
def test_every_slice_has_its_name(names, volume):
    image, _ = ring_head()
    with refused(None, naming=["name", f"got {min(len(names), 2)}"]):
        list(sm.mask_slices([image, image], names=names, volume=volume))


def test_only_none_leaves_the_choice_of_the_version():
    with refused(None, naming=["version", "v1, ", "got ''"]):
        sm.create_skull_mask(np.eye(3), version="")


# --- doors that are knocked at otherwise -------------------------------------------------------------------------


def test_a_version_may_be_named_in_large_letters():
    image, _ = ring_head()
    same(sm.create_skull_mask(image, version="V7"), sm.v7(image))


def test_an_option_that_is_nearly_one_is_told():
    with refused(None, naming=["spacing", "spacing_mm"]):
        sm.create_skull_mask(np.eye(3), spacing=(1, 1))


@pytest.mark.parametrize(
    "door", [sm.create_skull_mask, sm.v8, sm.v1, lambda image: sm.trace("v7", image)]
)
def test_what_is_no_array_is_told_what_to_pass(door):
    with refused(None, naming=["images[0]", "mask_slices(data)"]):
        door(sm.load("phantom"))
    for path in ("head.png", Path("head.png")):
        with refused(None, naming=["head.png", "load"]):
            door(path)


def test_the_masks_of_data_are_those_of_its_parts():
    data = sm.load("phantom")
    wanted = list(sm.mask_slices(data.images, names=data.names, spacing_mm=data.spacing_mm))
    same(list(sm.mask_slices(data)), wanted)
    same(list(sm.mask_slices(data, version="v7")), [sm.v7(image) for image in data.images])
    with refused(None, naming=["phantom", "load"]):
        next(sm.mask_slices("phantom"))
    with refused("slice 1", naming=["finite"]):
        list(sm.mask_slices([np.eye(9), np.full((9, 9), np.nan)], version="v1"))


DOORS = {
    "mask_slices": lambda wrong: list(sm.mask_slices(wrong)),
    "made": lambda wrong: sm.score_slices(wrong, np.ones((1, 3, 3))),
    "truth": lambda wrong: sm.score_slices(np.ones((1, 3, 3)), wrong),
    "sweep": lambda wrong: sm.sweep(wrong, np.ones((1, 3, 3)), sizes=[1]),
    "truth of a sweep": lambda wrong: sm.sweep(np.ones((1, 3, 3)), wrong, sizes=[1]),
    "ladder": lambda wrong: sm.ladder(wrong, np.ones((1, 3, 3))),
}


@pytest.mark.parametrize("wrong", [None, 3, "head.png", Path("head.png")])
@pytest.mark.parametrize("door", DOORS)
def test_what_is_no_stack_is_refused(door, wrong):
    got = str(wrong) if isinstance(wrong, (str, Path)) else type(wrong).__name__
    with pytest.raises(InputError) as error:
        DOORS[door](wrong)
    assert f"got the path {got};" in str(error.value) or str(error.value).endswith(got)


@pytest.mark.parametrize("door", [door for door in DOORS if door != "mask_slices"])
def test_data_in_place_of_a_stack_is_told_what_to_pass(door):
    with refused(None, naming=["data.images"]):
        DOORS[door](sm.load("phantom-cropped"))


@pytest.mark.parametrize("spacing_mm", ["1.68,1.68", "wide", [("a", "b")]])
def test_a_spacing_that_is_text_is_shown(spacing_mm):
    image, _ = ring_head()
    for door in (
        lambda: sm.create_skull_mask(image, spacing_mm=spacing_mm),
        lambda: list(sm.mask_slices([image], spacing_mm=spacing_mm)),
        lambda: sm.load("phantom-cropped").spaced(spacing_mm),
    ):
        with pytest.raises(InputError, match=re.escape(str(spacing_mm[0][0]))):
            door()


def test_one_number_is_no_spacing():
    with pytest.raises(InputError, match=r"1\.68"):
        sm.load("phantom-cropped").spaced(1.68)


def test_a_version_comes_before_the_image():
    with pytest.raises(InputError, match="ndarray"):
        sm.trace(np.eye(9), "v8")


@pytest.mark.parametrize("place", ["images", "output", "truth"])
def test_batch_takes_no_arrays(tmp_path, place):
    np.save(tmp_path / "a.npy", np.ones((1, 9, 9)))
    given = {"images": tmp_path / "a.npy", "output": tmp_path / "m.npy"}
    with pytest.raises(InputError, match="ndarray"):
        sm.batch(**given | {place: np.ones((2, 9, 9))}, backend="serial")


# --- v9 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("volume", [False, True])
@pytest.mark.parametrize("name", ["wedge 35°", "hole 28 mm", "blur 3 mm", "near ghost 0.5"])
def test_the_network_helps_where_signal_is_lost_or_an_edge_is_hidden(name, volume):
    data = sm.load("phantom")
    row_mm, column_mm = map(float, data.spacing_mm[2])
    one = DEGRADATIONS[name](Slice(data.images[2], data.truth[2], (row_mm, column_mm)))
    errors = {}
    for version in ("v8", "v9"):
        made = sm.mask_slices(
            [one.image] * 3,
            names="abc",
            version=version,
            spacing_mm=[one.spacing_mm] * 3,
            volume=volume,
        )
        errors[version] = max(1 - sm.iou(mask, one.truth) for mask in made)
    assert errors["v9"] < errors["v8"] / 2


def test_v9_is_v8_where_the_network_sees_no_inside(monkeypatch):
    image, spacing_mm = sm.load("phantom").images[2], sm.load("phantom").spacing_mm[2]
    blind = lambda unwrapped: np.zeros(unwrapped.head.shape, np.float32)  # noqa: E731
    monkeypatch.setattr(learned, "probability_on_grid", blind)
    same(sm.v9(image, spacing_mm=spacing_mm), sm.v8(image, spacing_mm=spacing_mm))


def test_the_opinion_of_the_network_has_a_price(monkeypatch):
    """Without it the path of v9 on a blurred slice is that of v8."""
    data = sm.load("phantom")
    image = cv2.GaussianBlur(data.images[2], (0, 0), 8)
    spacing_mm = tuple(data.spacing_mm[2])
    with_it = sm.v9(image, spacing_mm=spacing_mm)
    monkeypatch.setattr(versions.polar, "unlikely_cost", np.zeros_like)
    without_it = sm.v9(image, spacing_mm=spacing_mm)
    assert sm.iou(with_it, data.truth[2]) > sm.iou(without_it, data.truth[2]) + 0.01


@pytest.mark.parametrize(("name", "least"), [("phantom", 0.998), ("phantom-cropped", 0.99)])
def test_v9_finds_the_skull_of_the_phantoms(name, least):
    data = sm.load(name)
    scores = [
        sm.iou(mask, truth)
        for mask, truth in zip(sm.mask_slices(data, version="v9"), data.truth, strict=True)
    ]
    assert min(scores) > least
