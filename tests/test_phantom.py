"""Check the phantom.

It keeps its contract, its truth is exact, and it shows the published figures that it was calibrated
to.
"""

from functools import partial

import cv2
import numpy as np
import pytest
from complaints import refused

from skullmask_lib import phantom
from skullmask_lib.phantom import (
    LABELS,
    brain_mask,
    five_slices,
    render_slice,
    render_volume,
    skull_mask,
)

SHAPE = (5, 768, 624)
PIXEL_MM = 0.42
# Slices that are quickly rendered: a quarter of the resolution
SMALL = {"shape": (192, 156), "spacing_mm": (1.68, 1.68)}
# Volumes whose planes are (50, 40)
SMALL_VOLUME = {"shape": (40, 50, 2), "spacing_mm": (4.0, 4.0, 12.0)}
PLANE_OF_SMALL_VOLUME = {"shape": (50, 40), "spacing_mm": (4.0, 4.0)}


@pytest.fixture(scope="module")
def stack():
    return five_slices()


@pytest.fixture(scope="module")
def cropped():
    return five_slices(cropped=True)


@pytest.fixture(scope="module")
def heads():
    """Render one small slice without noise for each contrast."""
    slices = {}
    for contrast in ("T1", "T2", "FLAIR"):
        slices[contrast] = render_slice(14.0, contrast=contrast, noise=False, **SMALL)
    return slices


# --- the five published steps, written out with OpenCV alone


def bright_components(image):
    """Give Otsu's threshold, the components above it and their areas."""
    low = image.min()
    high = image.max()
    gray = ((image - low) / (high - low) * np.float32(255)).astype(np.uint8)
    threshold, bright = cv2.threshold(gray, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    _, components, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    return threshold, components, stats[:, cv2.CC_STAT_AREA]


def on_frame(array):
    """List the pixels of the frame."""
    return np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])


def touching_frame(components):
    """List the components that touch the frame."""
    return np.setdiff1d(on_frame(components), [0])


def fill_holes(mask):
    padded = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(padded, None, (0, 0), 2, flags=4)
    return padded[1:-1, 1:-1] != 2


def iou(mask, truth):
    return np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth)


def largest_component(image):
    """Mask as v1 does."""
    _, components, areas = bright_components(image)
    return components == 1 + np.argmax(areas[1:])


def flood_from_frame(image):
    """Mask as v2 does."""
    _, components, _ = bright_components(image)
    return fill_holes(components > 0)


def dilated_brain(image, width_px=26):
    """Mask as v5 to v7 do."""
    _, components, areas = bright_components(image)
    scalp = touching_frame(components)
    areas[0] = 0
    areas[scalp] = 0
    brain = (components == np.argmax(areas)).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width_px, width_px))
    grown = cv2.dilate(brain, kernel).astype(bool)
    return fill_holes(grown & ~np.isin(components, scalp))


def mean_iou(method, images, labels):
    """Score a method on the slices of a head."""
    ious = []
    for image, plane in zip(images, labels, strict=True):
        ious.append(iou(method(image), skull_mask(plane) > 0))
    return np.mean(ious)


# --- the stack


@pytest.mark.parametrize("cut", [False, True])
def test_stack_has_the_shape_type_and_range_of_the_source(cut):
    images, labels, spacing_mm, levels_mm = five_slices(cropped=cut)
    assert images.shape == labels.shape == SHAPE
    assert (images.dtype, labels.dtype, spacing_mm.dtype) == (np.float32, np.uint8, np.float64)
    assert (images.min(), images.max()) == (np.float32(1.83e-07), np.float32(3.49e-05))
    assert spacing_mm.tolist() == [[0.42, 0.42]] * 5
    assert levels_mm == (-2.0, 8.0, 18.0, 28.0, 38.0)
    assert set(np.unique(labels)) <= set(LABELS.values())


def test_stack_is_cached_and_read_only(stack):
    again = five_slices(seed=26, contrast="T1", cropped=False)
    for array, same in zip(stack[:3], again[:3], strict=True):
        assert array is same
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 0


def test_same_arguments_give_the_same_arrays_in_a_fresh_cache(stack):
    phantom._five_slices.cache_clear()
    phantom._five_planes.cache_clear()
    phantom._draws.cache_clear()
    again = five_slices()
    assert again[0] is not stack[0]
    for array, same in zip(again[:3], stack[:3], strict=True):
        assert np.array_equal(array, same)


def test_stack_has_at_most_4096_values(stack):
    assert np.unique(stack[0]).size <= 4096


def test_heads_of_other_seeds_differ():
    _, first = render_slice(18.0, seed=1, **SMALL)
    _, second = render_slice(18.0, seed=2, **SMALL)
    is_head = first > 0
    assert 0.5 < np.mean(first[is_head] == second[is_head]) < 0.99


# --- labels and masks


@pytest.mark.parametrize("cut", [False, True])
def test_skull_mask_is_one_piece_without_holes_off_the_frame(cut):
    _, labels, *_ = five_slices(cropped=cut)
    for truth in skull_mask(labels):
        # OpenCV counts the background as a component, too
        assert cv2.connectedComponents(truth, connectivity=4)[0] == 2
        assert cv2.connectedComponents(1 - truth, connectivity=8)[0] == 2
        assert not on_frame(truth).any()


def test_air_surrounds_the_uncropped_heads(stack):
    for plane in stack[1]:
        rows, columns = np.nonzero(plane)
        last_row = SHAPE[1] - 1
        last_column = SHAPE[2] - 1
        air_px = (rows.min(), columns.min(), last_row - rows.max(), last_column - columns.max())
        assert min(air_px) * PIXEL_MM > 5.0


def test_masks_hold_what_they_promise(stack):
    labels = stack[1]
    skull = skull_mask(labels)
    brain = brain_mask(labels)
    assert skull.dtype == brain.dtype == np.uint8
    outside_skull = {"air", "skin", "fat", "muscle", "vessel"}
    assert tissues_in(skull, labels) == set(LABELS) - outside_skull
    assert tissues_in(brain, labels) == {"grey_matter", "white_matter", "deep_nuclei", "ventricle"}


def tissues_in(mask, labels):
    """Name the tissues of which a mask holds a part."""
    return {name for name, value in LABELS.items() if mask[labels == value].any()}


def test_inner_table_keeps_the_brain_from_marrow_and_scalp(stack):
    beyond = [LABELS["diploe"], LABELS["outer_table"], LABELS["fat"]]
    for plane in stack[1]:
        is_near_brain = cv2.dilate(brain_mask(plane), np.ones((3, 3), np.uint8)) > 0
        assert not np.isin(plane[is_near_brain], beyond).any()


def test_half_the_resolution_shows_the_same_head():
    coarse_mm = 2 * PIXEL_MM
    _, fine = render_slice(8.0)
    _, coarse = render_slice(8.0, shape=(384, 312), spacing_mm=(coarse_mm, coarse_mm))
    fine_area_mm2 = skull_mask(fine).sum() * PIXEL_MM**2
    coarse_area_mm2 = skull_mask(coarse).sum() * coarse_mm**2
    assert coarse_area_mm2 == pytest.approx(fine_area_mm2, rel=0.01)


def test_center_moves_the_frame_over_the_head():
    row_mm, column_mm = SMALL["spacing_mm"]
    _, labels = render_slice(8.0, **SMALL)
    _, moved = render_slice(8.0, center_mm=(5 * row_mm, -3 * column_mm), **SMALL)
    assert np.array_equal(moved[:-5, 3:], labels[5:, :-3])


def test_anterior_is_up():
    """The lateral ventricles of both sides drift apart from front to back."""
    _, labels = render_slice(18.0, **SMALL)
    rows, columns = np.nonzero(labels == LABELS["ventricle"])
    is_front = rows < np.median(rows)
    assert np.ptp(columns[is_front]) < np.ptp(columns[~is_front])


# --- volumes


def plane_of(volume, index):
    """Turn an axial plane of a volume in RAS order as a slice shows it: front up."""
    return volume[:, ::-1, index].T


def test_a_plane_of_the_volume_is_the_slice():
    image, labels, affine = render_volume(
        shape=(100, 120, 3), spacing_mm=(2.0, 1.8, 10.0), noise=False
    )
    assert (image.dtype, labels.dtype, affine.dtype) == (np.float32, np.uint8, np.float64)
    plane = {"shape": (120, 100), "spacing_mm": (1.8, 2.0)}
    for index in range(3):
        _, _, level_mm, _ = affine @ [0, 0, index, 1]
        slice_image, slice_labels = render_slice(level_mm, noise=False, **plane)
        assert np.array_equal(plane_of(labels, index), slice_labels)
        assert np.array_equal(plane_of(image, index), slice_image.astype(np.float32))


def test_the_noise_of_a_volume_is_that_of_its_slices():
    image, _, affine = render_volume(**SMALL_VOLUME)
    slice_image, _ = render_slice(affine[2, 3], **PLANE_OF_SMALL_VOLUME)
    assert np.array_equal(plane_of(image, 0), slice_image.astype(np.float32))


def test_the_default_volume_holds_the_whole_head():
    image, labels, _ = render_volume()
    assert image.shape == labels.shape == (92, 112, 92)
    off_the_frame = labels[1:-1, 1:-1, 1:-1]
    assert np.count_nonzero(off_the_frame) == np.count_nonzero(labels)
    assert set(LABELS.values()) == set(np.unique(labels))
    litres_of_a_voxel = 8e-6  # 2 mm on each side
    assert 1.4 < skull_mask(labels).sum() * litres_of_a_voxel < 2.2
    assert 1.0 < brain_mask(labels).sum() * litres_of_a_voxel < 1.7


def test_affine_points_right_front_and_up():
    _, labels, affine = render_volume(shape=(52, 62, 50), spacing_mm=(4.0, 4.0, 4.0), noise=False)
    assert np.array_equal(np.diag(affine), [4.0, 4.0, 4.0, 1.0])
    np.testing.assert_allclose(affine @ [25.5, 30.5, 24.5, 1], [0, 0, 0, 1])
    nuclei = np.argwhere(labels == LABELS["deep_nuclei"]).mean(axis=0)
    x_mm, y_mm, _ = affine[:3] @ np.append(nuclei, 1)
    assert abs(x_mm) < 2
    assert y_mm > 0


# --- contrast


def median(head, tissue):
    """Give the median brightness of a tissue, away from its border."""
    image, labels = head
    is_tissue = (labels == LABELS[tissue]).astype(np.uint8)
    is_within = cv2.erode(is_tissue, np.ones((2, 2), np.uint8)) > 0
    return np.median(image[is_within])


# Tissues from dark to bright
ORDER = {
    "T1": ("ventricle", "muscle", "grey_matter", "white_matter", "fat"),
    "T2": ("muscle", "white_matter", "grey_matter", "fat", "ventricle"),
    "FLAIR": ("ventricle", "fat", "white_matter", "grey_matter"),
}


@pytest.mark.parametrize("contrast", ORDER)
def test_contrast_orders_the_tissues(heads, contrast):
    values = [median(heads[contrast], tissue) for tissue in ORDER[contrast]]
    assert np.all(np.diff(values) > 0.02), dict(zip(ORDER[contrast], values, strict=True))


def test_contrasts_share_one_head_and_air_is_silent(heads):
    for image, labels in heads.values():
        assert np.array_equal(labels, heads["T1"][1])
        assert np.median(image[labels == 0]) == 0


def test_noise_is_rician_and_different_for_each_contrast():
    air = {}
    for contrast in ("T1", "T2"):
        image, _ = render_slice(8.0, contrast=contrast)
        air[contrast] = image[:60, :60]
    assert not np.array_equal(air["T1"], air["T2"])
    mean_without_signal = phantom.MODEL.noise_sigma * np.sqrt(np.pi / 2)  # Rayleigh's
    for noise in air.values():
        assert noise.min() > 0
        assert noise.mean() == pytest.approx(mean_without_signal, rel=0.03)


# --- other measures and signals


def test_no_change_is_no_change():
    image, labels = render_slice(8.0, **SMALL)
    usual = {"measures": vars(phantom.MODEL), "signals": {}}
    same_image, same_labels = render_slice(8.0, **usual, **SMALL)
    assert np.array_equal(image, same_image)
    assert np.array_equal(labels, same_labels)


def test_a_thicker_skull_grows_inwards():
    thicker = {"skull_mm": phantom.MODEL.skull_mm + 4}
    _, usual = render_slice(18.0, **SMALL)
    _, thick = render_slice(18.0, measures=thicker, **SMALL)
    assert np.array_equal(skull_mask(usual), skull_mask(thick))
    assert np.array_equal(usual == LABELS["outer_table"], thick == LABELS["outer_table"])
    outside = skull_mask(usual) == 0
    assert np.array_equal(usual[outside], thick[outside])
    assert bone_mm(thick) - bone_mm(usual) == pytest.approx(4, abs=0.4)


def bone_mm(labels):
    """Measure how thick bone is on average: its area, divided by the length of its middle line."""
    layers = (LABELS["outer_table"], LABELS["diploe"], LABELS["inner_table"])
    bone = np.isin(labels, layers).astype(np.uint8)
    outside = skull_mask(labels)
    inside = outside - bone
    middle_px = (length_px(outside) + length_px(inside)) / 2
    pixel_mm, _ = SMALL["spacing_mm"]
    return pixel_mm * bone.sum() / middle_px


def length_px(mask):
    """Measure how long the convex outline of a mask's largest piece is."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    longest = max(contours, key=len)
    return cv2.arcLength(cv2.convexHull(longest), True)


@pytest.mark.parametrize("level_mm", [-20.0, 8.0, 38.0, 60.0])
def test_bone_of_two_tables_has_no_marrow(level_mm):
    options = {"measures": {"skull_mm": 0.0, "skull_variation_mm": 1.0}, "noise": False}
    bright = {"diploe": 50.0}
    image, labels = render_slice(level_mm, signals=bright, **options, **SMALL)
    assert not (labels == LABELS["diploe"]).any()
    image_of_dark_marrow, _ = render_slice(level_mm, **options, **SMALL)
    assert np.array_equal(image, image_of_dark_marrow)
    _, usual = render_slice(level_mm, **SMALL)
    assert np.array_equal(skull_mask(labels), skull_mask(usual))


def test_bone_without_marrow_is_even():
    """It does not matter where one table ends and the other begins."""
    bone = {"skull_mm": 2.5, "skull_temple_mm": 0.0, "skull_variation_mm": 0.0}
    images = []
    for outer_mm in (1.4, 2.0):
        split = {"outer_table_mm": outer_mm, "inner_table_mm": 2.5 - outer_mm}
        image, _ = render_slice(8.0, measures=bone | split, noise=False, **SMALL)
        images.append(image)
    np.testing.assert_allclose(images[0], images[1], atol=1 / phantom.SIGNAL_STEPS)


def test_bone_is_as_thick_as_its_two_tables_at_least():
    tables = {"outer_table_mm": 3.0, "inner_table_mm": 2.0}
    even = {"skull_temple_mm": 0.0, "skull_variation_mm": 0.0}
    _, thin = render_slice(8.0, measures=tables | even | {"skull_mm": 1.0}, **SMALL)
    _, least = render_slice(8.0, measures=tables | even | {"skull_mm": 5.0}, **SMALL)
    assert np.array_equal(thin, least)
    assert bone_mm(least) == pytest.approx(5.0, abs=0.5)


def test_marrow_fades_where_it_is_thin():
    """A hair of it is as dark as bone, however bright it is elsewhere."""
    hair = {"skull_mm": 2.501, "skull_temple_mm": 0.0, "skull_variation_mm": 0.0}
    with_marrow, _ = render_slice(8.0, measures=hair, noise=False, **SMALL)
    without, _ = render_slice(8.0, measures=hair | {"skull_mm": 2.5}, noise=False, **SMALL)
    assert np.abs(with_marrow - without).max() < phantom.SIGNALS["T1"]["outer_table"]


def test_signals_change_the_image_and_not_the_labels(heads):
    signals = {"diploe": 0.3, "muscle": 0.1}
    for contrast, (image, labels) in heads.items():
        options = {"contrast": contrast, "noise": False, **SMALL}
        changed_image, changed_labels = render_slice(14.0, signals=signals, **options)
        assert np.array_equal(changed_labels, labels)
        differing = set(np.unique(labels[changed_image != image]))
        assert {LABELS["diploe"], LABELS["muscle"]} <= differing
        assert not differing & {LABELS["air"], LABELS["white_matter"], LABELS["ventricle"]}
        assert median((changed_image, labels), "muscle") < median((image, labels), "muscle")


def test_a_volume_takes_the_same_measures_and_signals():
    head = {"measures": {"skull_mm": 9.0, "half_width_mm": 60.0}, "signals": {"fat": 0.2}}
    image, labels, affine = render_volume(**SMALL_VOLUME, **head)
    slice_image, slice_labels = render_slice(affine[2, 3], **PLANE_OF_SMALL_VOLUME, **head)
    assert np.array_equal(plane_of(image, 0), slice_image.astype(np.float32))
    assert np.array_equal(plane_of(labels, 0), slice_labels)


def test_arguments_leave_the_usual_head_alone():
    before, _ = render_slice(8.0, **SMALL)
    measures = {"skull_mm": 12.0, "noise_sigma": 0.3}
    signals = {"diploe": 0.0}
    render_slice(8.0, measures=measures, signals=signals, **SMALL)
    assert measures == {"skull_mm": 12.0, "noise_sigma": 0.3}
    assert signals == {"diploe": 0.0}
    after, _ = render_slice(8.0, **SMALL)
    assert np.array_equal(before, after)
    assert phantom.MODEL.skull_mm == 4.57


@pytest.mark.parametrize(
    "measures",
    [
        {"scalp_mm": 30.0},
        {"half_width_mm": 40.0, "half_length_mm": 50.0},
        {"half_height_mm": 20.0},
        {"half_height_below_mm": 15.0},
        {"boxiness": 20.0},
        {"egg": 0.9},
        {"bump_mm": 8.0},
        {"edge_mm": 20.0},
    ],
)
@pytest.mark.parametrize("level_mm", [-30.0, 14.0])
def test_the_whole_head_is_drawn_whatever_its_measures(measures, level_mm, monkeypatch):
    options = {"shape": (120, 110), "spacing_mm": (3.2, 3.2), "noise": False}
    image, labels = render_slice(level_mm, measures=measures, **options)
    monkeypatch.setattr(phantom, "_REACH", 1000.0)
    image_everywhere, labels_everywhere = render_slice(level_mm, measures=measures, **options)
    assert np.array_equal(image, image_everywhere)
    assert np.array_equal(labels, labels_everywhere)


@pytest.mark.parametrize("name", sorted(vars(phantom.MODEL)))
def test_extreme_measures_can_be_drawn(name):
    """Warnings are errors here, so a division by zero would fail."""
    tiny = {"shape": (48, 40), "spacing_mm": (5.0, 5.0)}
    low, high = phantom._LIMITS.get(name, (-1000.0, 1000.0))
    for value in (low, 0.0, min(high, 1000.0)):
        if value >= low:
            image, _ = render_slice(8.0, measures={name: value}, **tiny)
            assert np.isfinite(image).all()
            assert image.min() >= 0


# --- figures calibrated to the source (seed 26), and the same on heads that were not used


def test_otsu_and_frame_of_the_calibrated_head(stack):
    for image in stack[0]:
        threshold, components, _ = bright_components(image)
        assert abs(threshold - 23) <= 2
        assert touching_frame(components).size == 0


def test_published_ladder_of_the_calibrated_head(stack):
    assert mean_iou(largest_component, *stack[:2]) == pytest.approx(0.73, abs=0.02)
    assert mean_iou(flood_from_frame, *stack[:2]) == pytest.approx(0.82, abs=0.02)


def test_bright_vessels_set_the_threshold_and_no_score(stack, monkeypatch):
    """What the docstring of the module says of Otsu's 23."""
    monkeypatch.setitem(phantom.SIGNALS["T1"], "vessel", phantom.SIGNALS["T1"]["skin"])
    monkeypatch.setattr(phantom, "_five_planes", phantom._five_planes.__wrapped__)
    images, labels = phantom._five_slices.__wrapped__(26, "T1", False)[:2]
    for image in images:
        threshold, *_ = bright_components(image)
        assert 39 <= threshold <= 43
    for method in (largest_component, flood_from_frame, dilated_brain):
        usual = mean_iou(method, *stack[:2])
        assert round(mean_iou(method, images, labels), 3) == round(usual, 3)


def test_published_width_of_the_calibrated_head(stack):
    iou_of_width = {}
    for width_px in range(22, 31, 2):
        method = partial(dilated_brain, width_px=width_px)
        iou_of_width[width_px] = mean_iou(method, *stack[:2])
    assert max(iou_of_width, key=iou_of_width.get) == 26
    assert iou_of_width[26] == pytest.approx(0.98, abs=0.01)


def test_the_ladder_on_a_head_that_was_not_calibrated():
    images, labels, *_ = five_slices(seed=2)
    assert mean_iou(largest_component, images, labels) == pytest.approx(0.73, abs=0.03)
    assert mean_iou(flood_from_frame, images, labels) == pytest.approx(0.82, abs=0.03)
    assert mean_iou(dilated_brain, images, labels) > 0.95


# --- the cropped variant


def test_scalp_touches_the_frame_of_every_cropped_slice(cropped):
    for image in cropped[0]:
        _, components, _ = bright_components(image)
        assert touching_frame(components).size >= 1


def test_crop_cuts_scalp_alone_by_two_to_five_millimetres(stack, cropped):
    for plane, cut in zip(stack[1], cropped[1], strict=True):
        cut_sides = [side.any() for side in (cut[0], cut[-1], cut[:, 0], cut[:, -1])]
        assert sum(cut_sides) == 1
        assert skull_mask(cut).sum() == skull_mask(plane).sum()
        is_top_or_bottom = cut_sides[0] or cut_sides[1]
        axis = 0 if is_top_or_bottom else 1
        lost_px = np.ptp(np.nonzero(plane)[axis]) - np.ptp(np.nonzero(cut)[axis])
        assert 2.0 <= lost_px * PIXEL_MM <= 5.0


# --- bad arguments


@pytest.mark.parametrize(
    ("call", "naming"),
    [
        (lambda: five_slices(seed=-1), ["seed", "-1", "0 or more"]),
        (lambda: five_slices(seed=2.5), ["seed", "2.5", "0 or more"]),
        (lambda: five_slices(seed=True), ["seed", "True", "0 or more"]),
        (lambda: five_slices(contrast="t1"), ["contrast", "'t1'", "T1, T2, FLAIR"]),
        (lambda: five_slices(contrast=["T1"]), ["contrast", "['T1']", "T1, T2, FLAIR"]),
        (lambda: render_slice("top"), ["level_mm", "'top'", "1 finite"]),
        (lambda: render_slice(float("nan")), ["level_mm", "nan", "1 finite"]),
        (lambda: render_slice("18"), ["level_mm", "'18'", "1 finite"]),
        (lambda: render_slice(np.True_), ["level_mm", "True", "1 finite"]),
        (lambda: render_slice(0, shape="96"), ["shape", "'96'", "2 integers"]),
        (lambda: render_slice(0, shape=(10, True)), ["shape", "(10, True)", "2 integers"]),
        (lambda: render_slice(0, spacing_mm="88"), ["spacing_mm", "'88'", "2 finite"]),
        (lambda: render_slice(0, center_mm=("1", 2)), ["center_mm", "('1', 2)", "2 finite"]),
        (lambda: render_slice(0, shape=(10,)), ["shape", "(10,)", "2 integers", "above zero"]),
        (lambda: render_slice(0, shape=(10, 0)), ["shape", "(10, 0)", "2 integers", "above zero"]),
        (lambda: render_slice(0, shape=(10, 2.5)), ["shape", "(10, 2.5)", "2 integers"]),
        (lambda: render_slice(0, shape=10), ["shape", "10", "2 integers"]),
        (
            lambda: render_slice(0, spacing_mm=(1, -1)),
            ["spacing_mm", "(1, -1)", "2 finite", "above zero"],
        ),
        (
            lambda: render_slice(0, center_mm=(1, float("inf"))),
            ["center_mm", "(1, inf)", "2 finite"],
        ),
        (lambda: render_volume(shape=(10, 10)), ["shape", "(10, 10)", "3 integers"]),
        (
            lambda: render_volume(spacing_mm=2.0),
            ["spacing_mm", "2.0", "3 finite", "above zero"],
        ),
        (
            lambda: render_slice(0, measures={"skul_mm": 8.5}),
            ["measures", "'skul_mm'", "[model]", "did you mean skull_mm?"],
        ),
        (lambda: render_slice(0, measures={3: 8.5}), ["measures", "3", "[model]"]),
        (lambda: render_slice(0, measures=[("egg", 0.1)]), ["measures", "'egg'", "a mapping"]),
        (
            lambda: render_slice(0, measures={"skull_mm": "8.5"}),
            ["measures['skull_mm']", "'8.5'", "1 finite number"],
        ),
        (lambda: render_slice(0, measures={"skull_mm": True}), ["measures['skull_mm']", "True"]),
        (lambda: render_slice(0, measures={"skull_mm": None}), ["measures['skull_mm']", "None"]),
        (
            lambda: render_slice(0, measures={"skull_mm": np.zeros((2, 2))}),
            ["measures['skull_mm']", "[0., 0.]", "1 finite number"],
        ),
        (
            lambda: render_slice(0, measures={"skull_mm": float("inf")}),
            ["measures['skull_mm']", "inf", "1 finite number"],
        ),
        (lambda: render_slice(0, measures={"skull_mm": 10**400}), ["measures['skull_mm']"]),
        (
            lambda: render_slice(0, measures={"half_width_mm": 0}),
            ["measures['half_width_mm']", "0", "1 to 1000"],
        ),
        (lambda: render_slice(0, measures={"egg": 2}), ["measures['egg']", "2", "-0.9 to 0.9"]),
        (
            lambda: render_slice(0, measures={"outer_table_mm": -0.1}),
            ["measures['outer_table_mm']", "-0.1", "0 to 1000"],
        ),
        (
            lambda: render_slice(0, signals={"diplo": 0.3}),
            ["signals", "'diplo'", "skin, fat, muscle", "did you mean diploe?"],
        ),
        (lambda: render_slice(0, signals={"air": 0.3}), ["signals", "'air'", "skin, fat"]),
        (
            lambda: render_slice(0, signals={"fat": float("nan")}),
            ["signals['fat']", "nan", "1 finite number"],
        ),
        (lambda: render_slice(0, signals={"fat": -0.1}), ["signals['fat']", "-0.1", "0 to 1000"]),
        (lambda: render_slice(0, signals={"fat": 1e308}), ["signals['fat']", "1e+308", "1000"]),
        (
            lambda: render_slice(0, measures={"scalp_mm": 1e200}),
            ["measures['scalp_mm']", "1e+200", "1000"],
        ),
        (lambda: render_volume(signals="fat"), ["signals", "'fat'", "a mapping"]),
        (lambda: render_volume(measures={"skin": 1}), ["measures", "'skin'", "skin_mm?"]),
        (lambda: render_volume(contrast=None), ["contrast", "None", "T1, T2, FLAIR"]),
    ],
)
def test_bad_arguments_give_one_clear_error(call, naming):
    with refused(None, naming=naming) as error:
        call()
    assert str(error.value).isprintable()
