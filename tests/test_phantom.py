"""The phantom: its contract, its truth, and the published figures that it was calibrated to."""

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
SMALL = {"shape": (192, 156), "spacing_mm": (1.68, 1.68)}


@pytest.fixture(scope="module")
def stack():
    return five_slices()


@pytest.fixture(scope="module")
def cropped():
    return five_slices(cropped=True)


@pytest.fixture(scope="module")
def heads():
    """One small noise-free slice for each contrast."""
    return {c: render_slice(14.0, contrast=c, noise=False, **SMALL) for c in ("T1", "T2", "FLAIR")}


# --- the five published steps, written out with OpenCV alone


def bright_components(image):
    low, high = image.min(), image.max()
    grey = ((image - low) / (high - low) * np.float32(255)).astype(np.uint8)
    threshold, bright = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    _, components, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=8)
    return threshold, components, stats[:, cv2.CC_STAT_AREA]


def on_frame(array):
    return np.concatenate([array[0], array[-1], array[:, 0], array[:, -1]])


def touching_frame(components):
    return np.setdiff1d(on_frame(components), [0])


def fill_holes(mask):
    padded = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(padded, None, (0, 0), 2, flags=4)
    return padded[1:-1, 1:-1] != 2


def iou(mask, truth):
    return np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth)


def largest_component(image):
    _, components, areas = bright_components(image)
    return components == 1 + np.argmax(areas[1:])


def flood_from_frame(image):
    _, components, _ = bright_components(image)
    return fill_holes(components > 0)


def dilated_brain(image, width_px):
    _, components, areas = bright_components(image)
    scalp = touching_frame(components)
    areas[0], areas[scalp] = 0, 0
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width_px, width_px))
    grown = cv2.dilate((components == np.argmax(areas)).astype(np.uint8), kernel).astype(bool)
    return fill_holes(grown & ~np.isin(components, scalp))


def mean_iou(method, images, labels):
    return np.mean(
        [
            iou(method(image), skull_mask(plane) > 0)
            for image, plane in zip(images, labels, strict=True)
        ]
    )


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
    assert all(
        np.array_equal(array, same) for array, same in zip(again[:3], stack[:3], strict=True)
    )


def test_stack_has_at_most_4096_values(stack):
    assert np.unique(stack[0]).size <= 4096


def test_heads_of_other_seeds_differ():
    first, second = (render_slice(18.0, seed=seed, **SMALL)[1] for seed in (1, 2))
    assert 0.5 < np.mean(first[first > 0] == second[first > 0]) < 0.99


# --- labels and masks


@pytest.mark.parametrize("cut", [False, True])
def test_skull_mask_is_one_piece_without_holes_off_the_frame(cut):
    for truth in skull_mask(five_slices(cropped=cut)[1]):
        assert cv2.connectedComponents(truth, connectivity=4)[0] == 2
        assert cv2.connectedComponents(1 - truth, connectivity=8)[0] == 2
        assert not on_frame(truth).any()


def test_air_surrounds_the_uncropped_heads(stack):
    for plane in stack[1]:
        rows, columns = np.nonzero(plane)
        assert min(rows.min(), columns.min(), 767 - rows.max(), 623 - columns.max()) * 0.42 > 5.0


def test_masks_hold_what_they_promise(stack):
    labels = stack[1]
    skull, brain = skull_mask(labels), brain_mask(labels)
    assert skull.dtype == brain.dtype == np.uint8
    inside = {name for name, value in LABELS.items() if skull[labels == value].any()}
    assert inside == set(LABELS) - {"air", "skin", "fat", "muscle", "vessel"}
    inside = {name for name, value in LABELS.items() if brain[labels == value].any()}
    assert inside == {"grey_matter", "white_matter", "deep_nuclei", "ventricle"}


def test_inner_table_keeps_the_brain_from_marrow_and_scalp(stack):
    for plane in stack[1]:
        near = cv2.dilate(brain_mask(plane), np.ones((3, 3), np.uint8)) > 0
        assert not np.isin(
            plane[near], [LABELS["diploe"], LABELS["outer_table"], LABELS["fat"]]
        ).any()


def test_half_the_resolution_shows_the_same_head():
    fine = render_slice(8.0)[1]
    coarse = render_slice(8.0, shape=(384, 312), spacing_mm=(0.84, 0.84))[1]
    area_mm2 = [
        skull_mask(labels).sum() * step**2 for labels, step in ((fine, 0.42), (coarse, 0.84))
    ]
    assert area_mm2[1] == pytest.approx(area_mm2[0], rel=0.01)


def test_center_moves_the_frame_over_the_head():
    labels = render_slice(8.0, **SMALL)[1]
    moved = render_slice(8.0, center_mm=(5 * 1.68, -3 * 1.68), **SMALL)[1]
    assert np.array_equal(moved[:-5, 3:], labels[5:, :-3])


def test_anterior_is_up():
    """The lateral ventricles of both sides drift apart from front to back."""
    labels = render_slice(18.0, **SMALL)[1]
    rows, columns = np.nonzero(labels == LABELS["ventricle"])
    front = rows < np.median(rows)
    assert np.ptp(columns[front]) < np.ptp(columns[~front])


# --- volumes


def test_a_plane_of_the_volume_is_the_slice():
    image, labels, affine = render_volume(
        shape=(100, 120, 3), spacing_mm=(2.0, 1.8, 10.0), noise=False
    )
    assert (image.dtype, labels.dtype, affine.dtype) == (np.float32, np.uint8, np.float64)
    for k in range(3):
        level_mm = (affine @ [0, 0, k, 1])[2]
        plane, plane_labels = render_slice(
            level_mm, shape=(120, 100), spacing_mm=(1.8, 2.0), noise=False
        )
        assert np.array_equal(labels[:, ::-1, k].T, plane_labels)
        assert np.array_equal(image[:, ::-1, k].T, plane.astype(np.float32))


def test_the_noise_of_a_volume_is_that_of_its_slices():
    image, _, affine = render_volume(shape=(40, 50, 2), spacing_mm=(4.0, 4.0, 12.0))
    plane, _ = render_slice(affine[2, 3], shape=(50, 40), spacing_mm=(4.0, 4.0))
    assert np.array_equal(image[:, ::-1, 0].T, plane.astype(np.float32))


def test_the_default_volume_holds_the_whole_head():
    image, labels, _ = render_volume()
    assert image.shape == labels.shape == (92, 112, 92)
    inside = labels[1:-1, 1:-1, 1:-1]
    assert np.count_nonzero(inside) == np.count_nonzero(labels)
    assert set(LABELS.values()) == set(np.unique(labels))
    skull, brain = skull_mask(labels), brain_mask(labels)
    litres = np.array([skull.sum(), brain.sum()]) * 8e-6
    assert 1.4 < litres[0] < 2.2
    assert 1.0 < litres[1] < 1.7


def test_affine_points_right_front_and_up():
    _, labels, affine = render_volume(shape=(52, 62, 50), spacing_mm=(4.0, 4.0, 4.0), noise=False)
    assert np.array_equal(np.diag(affine), [4.0, 4.0, 4.0, 1.0])
    np.testing.assert_allclose(affine @ [25.5, 30.5, 24.5, 1], [0, 0, 0, 1])
    nuclei_mm = affine[:3] @ np.append(np.argwhere(labels == LABELS["deep_nuclei"]).mean(axis=0), 1)
    assert abs(nuclei_mm[0]) < 2
    assert nuclei_mm[1] > 0


# --- contrast


def median(head, tissue):
    image, labels = head
    eroded = cv2.erode((labels == LABELS[tissue]).astype(np.uint8), np.ones((2, 2), np.uint8)) > 0
    return np.median(image[eroded])


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
    corner = {c: render_slice(8.0, contrast=c)[0][:60, :60] for c in ("T1", "T2")}
    assert not np.array_equal(corner["T1"], corner["T2"])
    for noise in corner.values():
        assert noise.min() > 0
        assert noise.mean() == pytest.approx(
            phantom.MODEL.noise_sigma * np.sqrt(np.pi / 2), rel=0.03
        )


# --- other measures and signals


def test_no_change_is_no_change():
    image, labels = render_slice(8.0, **SMALL)
    usual = {"measures": vars(phantom.MODEL), "signals": {}}
    same = render_slice(8.0, **usual, **SMALL)
    assert np.array_equal(image, same[0])
    assert np.array_equal(labels, same[1])


def test_a_thicker_skull_grows_inwards():
    usual = render_slice(18.0, **SMALL)[1]
    thick = render_slice(18.0, measures={"skull_mm": phantom.MODEL.skull_mm + 4}, **SMALL)[1]
    assert np.array_equal(skull_mask(usual), skull_mask(thick))
    assert np.array_equal(usual == LABELS["outer_table"], thick == LABELS["outer_table"])
    outside = skull_mask(usual) == 0
    assert np.array_equal(usual[outside], thick[outside])
    assert bone_mm(thick) - bone_mm(usual) == pytest.approx(4, abs=0.4)


def bone_mm(labels):
    """Measure how thick bone is on average: its area, divided by the length of its middle line."""
    tables = LABELS["outer_table"], LABELS["diploe"], LABELS["inner_table"]
    bone = np.isin(labels, tables).astype(np.uint8)
    outer, inner = skull_mask(labels), skull_mask(labels) - bone
    lengths_px = []
    for mask in (outer, inner):
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        longest = max(contours, key=len)
        lengths_px.append(cv2.arcLength(cv2.convexHull(longest), True))
    return SMALL["spacing_mm"][0] * bone.sum() / np.mean(lengths_px)


@pytest.mark.parametrize("level_mm", [-20.0, 8.0, 38.0, 60.0])
def test_bone_of_two_tables_has_no_marrow(level_mm):
    measures = {"skull_mm": 0.0, "skull_variation_mm": 1.0}
    bright = {"diploe": 50.0}
    image, labels = render_slice(level_mm, measures=measures, signals=bright, noise=False, **SMALL)
    assert not (labels == LABELS["diploe"]).any()
    assert np.array_equal(image, render_slice(level_mm, measures=measures, noise=False, **SMALL)[0])
    assert np.array_equal(skull_mask(labels), skull_mask(render_slice(level_mm, **SMALL)[1]))


def test_bone_without_marrow_is_even():
    """It does not matter where one table ends and the other begins."""
    bone = {"skull_mm": 2.5, "skull_temple_mm": 0.0, "skull_variation_mm": 0.0}
    images = []
    for outer_mm in (1.4, 2.0):
        split = {"outer_table_mm": outer_mm, "inner_table_mm": 2.5 - outer_mm}
        images.append(render_slice(8.0, measures=bone | split, noise=False, **SMALL)[0])
    np.testing.assert_allclose(images[0], images[1], atol=1 / phantom.VALUE_STEPS)


def test_bone_is_as_thick_as_its_two_tables_at_least():
    tables = {"outer_table_mm": 3.0, "inner_table_mm": 2.0}
    tables |= {"skull_temple_mm": 0.0, "skull_variation_mm": 0.0}
    thin, least = (
        render_slice(8.0, measures=tables | {"skull_mm": skull_mm}, **SMALL)[1]
        for skull_mm in (1.0, 5.0)
    )
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
        changed = render_slice(14.0, contrast=contrast, noise=False, signals=signals, **SMALL)
        assert np.array_equal(changed[1], labels)
        differing = set(np.unique(labels[changed[0] != image]))
        assert {LABELS["diploe"], LABELS["muscle"]} <= differing
        assert not differing & {LABELS["air"], LABELS["white_matter"], LABELS["ventricle"]}
        assert median(changed, "muscle") < median((image, labels), "muscle")


def test_a_volume_takes_the_same_measures_and_signals():
    head = {"measures": {"skull_mm": 9.0, "half_width_mm": 60.0}, "signals": {"fat": 0.2}}
    image, labels, affine = render_volume(shape=(40, 50, 2), spacing_mm=(4.0, 4.0, 12.0), **head)
    plane = render_slice(affine[2, 3], shape=(50, 40), spacing_mm=(4.0, 4.0), **head)
    assert np.array_equal(image[:, ::-1, 0].T, plane[0].astype(np.float32))
    assert np.array_equal(labels[:, ::-1, 0].T, plane[1])


def test_arguments_leave_the_usual_head_alone():
    before = render_slice(8.0, **SMALL)
    changes = {"skull_mm": 12.0, "noise_sigma": 0.3}, {"diploe": 0.0}
    render_slice(8.0, measures=changes[0], signals=changes[1], **SMALL)
    assert changes == ({"skull_mm": 12.0, "noise_sigma": 0.3}, {"diploe": 0.0})
    after = render_slice(8.0, **SMALL)
    assert np.array_equal(before[0], after[0])
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
    everywhere = render_slice(level_mm, measures=measures, **options)
    assert np.array_equal(image, everywhere[0])
    assert np.array_equal(labels, everywhere[1])


@pytest.mark.parametrize("name", sorted(vars(phantom.MODEL)))
def test_extreme_measures_can_be_drawn(name):
    """Warnings are errors here, so a division by zero would fail."""
    low, high = phantom._LIMITS.get(name, (-1000.0, 1000.0))
    for value in (low, 0.0, min(high, 1000.0)):
        if value >= low:
            image, _ = render_slice(
                8.0, measures={name: value}, shape=(48, 40), spacing_mm=(5.0, 5.0)
            )
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
    assert all(39 <= bright_components(image)[0] <= 43 for image in images)
    for method in (largest_component, flood_from_frame, lambda image: dilated_brain(image, 26)):
        assert round(mean_iou(method, images, labels), 3) == round(mean_iou(method, *stack[:2]), 3)


def test_published_width_of_the_calibrated_head(stack):
    curve = {
        width: mean_iou(lambda image, w=width: dilated_brain(image, w), *stack[:2])
        for width in range(22, 31, 2)
    }
    assert max(curve, key=curve.get) == 26
    assert curve[26] == pytest.approx(0.98, abs=0.01)


def test_the_ladder_on_a_head_that_was_not_calibrated():
    images, labels, *_ = five_slices(seed=2)
    assert mean_iou(largest_component, images, labels) == pytest.approx(0.73, abs=0.03)
    assert mean_iou(flood_from_frame, images, labels) == pytest.approx(0.82, abs=0.03)
    assert mean_iou(lambda image: dilated_brain(image, 26), images, labels) > 0.95


# --- the cropped variant


def test_scalp_touches_the_frame_of_every_cropped_slice(cropped):
    for image in cropped[0]:
        assert touching_frame(bright_components(image)[1]).size >= 1


def test_crop_cuts_scalp_alone_by_two_to_five_millimetres(stack, cropped):
    for plane, cut in zip(stack[1], cropped[1], strict=True):
        sides = [side.any() for side in (cut[0], cut[-1], cut[:, 0], cut[:, -1])]
        assert sum(sides) == 1
        assert skull_mask(cut).sum() == skull_mask(plane).sum()
        axis = 0 if sides[0] or sides[1] else 1
        lost_px = np.ptp(np.nonzero(plane)[axis]) - np.ptp(np.nonzero(cut)[axis])
        assert 2.0 <= lost_px * 0.42 <= 5.0


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
