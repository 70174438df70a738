"""Every view is pure, says what the library computes, and offers the call that makes the mask it shows."""

import inspect
import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import SHAPES, blobs, ring_head
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import masks, plots, versions, views
from skullmask_lib.explore import controls as making
from skullmask_lib.explore.app import QUESTIONS

VIEWS = list(QUESTIONS.values())
RING = ring_head()


def data_of(image, truth=None, spacing_mm=None):
    each = None if spacing_mm is None else np.array([spacing_mm], float)
    return sm.Data(
        np.asarray(image)[None], None if truth is None else truth[None], each, ("a slice",)
    )


def choices(view):
    """Give a strategy for what the controls of a view offer."""
    controls = making.from_signature(view, {})
    offered = {}
    for name, control in controls.items():
        if hasattr(control, "options"):
            offered[name] = st.sampled_from(control.options)
        elif hasattr(control, "step"):
            steps = st.integers(0, round((control.max - control.min) / control.step))
            offered[name] = steps.map(lambda n, c=control: type(c.value)(c.min + n * c.step))
        else:
            offered[name] = st.booleans()
    return st.fixed_dictionaries(offered)


def made_by(picture, image):
    return eval(picture.call, {"sm": sm, "image": image})


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_the_call_makes_the_mask_and_the_text_tells_its_score(view, data):
    options = data.draw(choices(view))
    known = data.draw(st.booleans())
    image, truth = RING
    shown = data_of(image, truth if known else None, (1.0, 1.0))
    picture = view(shown, **options)
    mask = made_by(picture, image)
    np.testing.assert_array_equal(picture.mask, mask)
    assert picture.mask.dtype == np.uint8
    told = (
        f"IoU {sm.iou(mask, truth):.4f}"
        if known
        else f"quality {sm.quality(image, mask, spacing_mm=(1, 1)):.2f}"
    )
    assert told in picture.alt
    assert picture.pixels.shape == (384, 880, 3)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.sampled_from(SHAPES),
    dtype=st.sampled_from(["f4", "f8", "u1", "i2"]),
)
def test_any_slice_is_drawn_or_refused_in_one_line(view, seed, shape, dtype):
    image = blobs(seed, shape=shape, dtype=np.dtype(dtype))
    before = image.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # empty masks
        parameters = inspect.signature(view).parameters
        width = parameters["dilation_size"].default if "dilation_size" in parameters else 1
        if min(shape) < (26 if view is views.versus else width):
            with pytest.raises(
                sm.InputError,
                match=r"expected a dilation size from 1 to \d+ px \(the shorter side\)",
            ):
                view(data_of(image))
        else:
            picture = view(data_of(image))
            np.testing.assert_array_equal(picture.mask, made_by(picture, image))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
@pytest.mark.parametrize(
    "truth", [None, np.zeros((64, 48), np.uint8)], ids=["no truth", "an empty truth"]
)
def test_a_flat_slice_is_drawn(view, truth):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        picture = view(data_of(np.zeros((64, 48)), truth), opacity=1.0)
    assert not picture.mask.any()


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_what_is_no_slice_is_refused(view):
    with pytest.raises(sm.InputError, match="expected finite values"):
        view(data_of(np.full((64, 48), np.nan)))


def test_what_touches_the_frame_is_counted_with_and_without_the_rule():
    for rule in (True, False):
        assert (
            "1 component at the frame"
            in views.frame_rule(sm.load("phantom-cropped"), rule=rule).alt
        )


def test_the_pipeline_shows_the_mask_of_the_version_with_and_without_a_truth():
    data = sm.load("phantom")
    expected = sm.v5(data.images[0], dilation_size=16)
    for truth in (data.truth[0], None):
        alone = data_of(data.images[0], truth)
        picture = views.pipeline(alone, version="v5", dilation_size=16)
        assert np.array_equal(picture.mask, expected)
        assert ("IoU" in picture.alt) == (truth is not None)
        assert picture.call == "sm.v5(image, dilation_size=16)"


def test_a_picture_follows_its_controls():
    data = sm.load("phantom")
    base = views.largest_component(data)
    for other in (
        views.largest_component(data, opacity=0.1),
        views.largest_component(data, offset=9),
    ):
        assert (other.pixels != base.pixels).any()
    lines = [views.width(data, dilation_size=size).pixels for size in (20, 40)]
    dark = [np.flatnonzero((pixels[60:300, 450:870] < 40).all(axis=(0, 2))) for pixels in lines]
    at = [
        450 + columns.mean() for columns in dark
    ]  # the marker is a black line from the axis to the top
    one_px = (at[1] - at[0]) / 20
    assert 5 < one_px < 9


def test_the_marks_lie_at_their_data():
    def draw(axes):
        axes[0].set(xlim=(0, 10), ylim=(0, 1))
        axes[0].axvline(4, color="red", linewidth=1)

    fig, (frame,) = plots.panels(1)
    shown = plots.plot(frame, draw)
    plots.plot_panel(fig, frame, shown, marks=[(4, 0.5)])
    pixels = plots.picture(fig, "").pixels.astype(int)
    red = (shown.pixels[..., 0] > 200) & (shown.pixels[..., 1:].max(axis=2) < 80)
    black = (pixels[100:250, 60:].max(axis=2) < 30).mean(axis=0) > 0.9  # right of the axis
    assert (
        abs(60 + np.flatnonzero(black).mean() - frame.left - np.flatnonzero(red.any(axis=0)).mean())
        <= 1
    )


@pytest.mark.parametrize(
    "image", [RING[0], np.kron(np.eye(3), np.ones((3, 5)))], ids=["shrunk", "enlarged"]
)
def test_an_outline_runs_around_what_is_painted(image):
    fig, (frame,) = plots.panels(1)
    mask = (image > 0.5 * image.max()).astype(np.uint8)
    plots.slice_panel(
        fig, frame, 0 * image, kinds={"brain": mask}, outlined={"truth": mask}, opacity=1.0
    )
    pixels = plots.picture(fig, "").pixels.astype(int)
    green = np.abs(pixels - (0, 158, 115)).max(axis=2) < 12
    yellowish = (pixels[..., 0] > 120) & (pixels[..., 2] < 120)
    beside = ndimage.binary_dilation(green, np.ones((3, 3)), iterations=5)  # a line and its rim
    assert green.any()
    assert yellowish.any()
    assert beside[yellowish].mean() > 0.99


def test_a_border_shows_where_a_white_slice_ends():
    image = np.array([[0, 1], [1, 1]])
    shown = [{"image": image}, {"image": image, "bordered": True}]
    pixels = plots.row_of_slices(shown, "", height=1.7).pixels
    ink = np.split(pixels.min(axis=2) < 255, 2, axis=1)
    quarter, whole = (np.ptp(np.argwhere(half), axis=0) + 1 for half in ink)
    assert np.array_equal(whole, 2 * quarter)


def near(pixels, kind, where):
    """Tell how much of a region of the right panel has a colour of the palette."""
    return (np.abs(pixels[where].astype(int) - plots.style.rgb(kind)).max(axis=1) < 60).mean()


def red_height(curves, width):
    """Measure how far above the foot the curve of the over-reach lies at a width [dots]."""
    x, _ = curves.to_dots.transform((width, 0)).round().astype(int)
    column = curves.pixels[:, x].astype(int)
    red = np.flatnonzero(np.abs(column - plots.style.rgb("over-reach")).max(axis=1) < 60)
    return len(column) - curves.foot - red.mean()


def over_reach(data, width):
    mask, truth = sm.v7(data.images[1], dilation_size=width), data.truth[1]
    return plots.errors(mask, truth)["over-reach"].sum() / truth.sum()


def test_curves_and_their_dot_lie_at_the_scores():
    data, size = sm.load("phantom"), 45
    _, frames = plots.panels(1, 1.4)
    curves, best = views._curves(frames[1], data, 1)
    pixels = views.width(data, slice_index=1, dilation_size=size).pixels
    mask = sm.v7(data.images[1], dilation_size=size)
    wrong = plots.errors(mask, data.truth[1])
    heights = {kind: where.sum() / data.truth[1].sum() for kind, where in wrong.items()}
    assert heights["over-reach"] > 0.05
    x, y = curves.to_dots.transform((size, sm.iou(mask, data.truth[1]))).round().astype(int)
    row = pixels.shape[0] - frames[1].bottom - y
    assert (pixels[row - 2 : row + 3, frames[1].left + x - 3 : frames[1].left + x + 4] < 60).all()
    assert red_height(curves, size) / red_height(curves, 59) == pytest.approx(
        heights["over-reach"] / over_reach(data, 59), rel=0.03
    )
    ious = {
        width: sm.iou(sm.v7(data.images[1], dilation_size=width), data.truth[1])
        for width in range(1, 62)
    }
    assert best == (max(ious, key=ious.get), max(ious.values()))
    assert (
        f"{best[0]} px, IoU {best[1]:.4f}"
        in views.width(data, slice_index=1, dilation_size=size).alt
    )
    x, y = curves.to_dots.transform(best).round().astype(int)
    diamond = curves.pixels[
        len(curves.pixels) - y - 1 : len(curves.pixels) - y + 2, x - 1 : x + 2
    ].reshape(-1, 3)
    assert near(diamond, "measured", slice(None)) == 1


def test_the_best_width_is_one_that_the_slider_offers():
    image = sm.load("phantom").images[2]
    still_rising = data_of(image, np.ones(image.shape, np.uint8))
    assert "best: 61 px" in views.width(still_rising).alt


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_a_slice_of_unknown_truth_is_judged_as_one_without_truth(view):
    image, truth = RING
    images, known = np.stack([image, image]), np.stack([0 * truth, truth])
    partly = sm.Data(images, known, np.ones((2, 2)), ("one", "two"))
    nothing = sm.Data(images, None, np.ones((2, 2)), ("one", "two"))
    told = view(partly, slice_index=0).alt
    assert "IoU" not in told
    assert "unknown" in told
    assert (
        f"quality {sm.quality(image, view(partly, slice_index=0).mask, spacing_mm=(1, 1)):.2f}"
        in told
    )
    np.testing.assert_array_equal(
        view(partly, slice_index=0).pixels, view(nothing, slice_index=0).pixels
    )
    assert "IoU" in view(partly, slice_index=1).alt


def test_errors_have_their_colours_and_the_window_its_place():
    image, truth = np.full((60, 80), 0.5), np.zeros((60, 80), np.uint8)
    image[0, 0], truth[20:40, 30:50] = 1, 1
    mask = np.roll(truth, 10, axis=1)
    fig, (frame,) = plots.panels(1)
    window = slice(10, 50), slice(20, 70)
    kinds, outlined = plots.errors(mask, truth), {"truth": truth}
    plots.slice_panel(fig, frame, image, window=window, kinds=kinds, outlined=outlined, opacity=1.0)
    pixels = plots.picture(fig, "").pixels
    factor = frame.height / 40
    left, top = (
        frame.left + (frame.width - round(50 * factor)) // 2,
        len(pixels) - frame.bottom - frame.height,
    )

    def at(row, column):
        return pixels[
            round(top + (row - 10 + 0.5) * factor), round(left + (column - 20 + 0.5) * factor)
        ][None]

    assert near(at(30, 34), "miss", slice(None)) == 1
    assert near(at(30, 56), "over-reach", slice(None)) == 1
    assert (np.ptp(at(30, 44).astype(int), axis=1) < 5).all()  # grey, where both are
    edge = pixels[
        round(top + 20 * factor),
        round(left + (30 - 20) * factor) - 2 : round(left + (30 - 20) * factor) + 3,
    ]
    assert near(edge, "truth", slice(None)) > 0.1


def test_the_path_of_a_polar_plot_lies_at_its_depth():
    _, (frame,) = plots.panels(1)
    values, depth = np.zeros((360, 96)), np.full(360, 40.0)
    values[:, 60:] = 1
    drawn = plots.polar_plot(frame, [(values, (0, 1), depth, "a path")])
    x, y = drawn.to_dots.transform((180, 40 * views.polar.STEP_MM))
    column = drawn.pixels[:, round(x)]
    blue = np.flatnonzero(np.abs(column.astype(int) - plots.style.rgb("path")).max(axis=1) < 60)
    assert abs(blue.mean() - (len(column) - y)) <= 1.5
    _, y = drawn.to_dots.transform((180, 60 * views.polar.STEP_MM))
    assert (
        column[round(len(column) - y) + 4].min()
        > 240
        > 20
        > column[round(len(column) - y) - 4].max()
    )


@pytest.mark.parametrize("version", versions.BOUNDARY_VERSIONS)
def test_polar_stages_are_those_of_their_version(monkeypatch, version):
    drawn = []
    draw = plots.polar_plot

    def recorded(frame, shown):
        drawn.extend(shown)
        return draw(frame, shown)

    monkeypatch.setattr(plots, "polar_plot", recorded)
    data = sm.load("phantom")
    traced = sm.trace(version, data.images[0], spacing_mm=data.spacing_mm[0])
    for name in views._POLAR.keys() & traced.keys():
        views.stages(data, version=version, stage=list(traced).index(name) + 1)
        values, _, path, _ = drawn.pop()
        np.testing.assert_array_equal(values, traced.get(views._POLAR[name][0]))
        if name in views._LINES:
            np.testing.assert_array_equal(path, traced[name])


def test_what_is_handed_out_again_cannot_be_written_to():
    data = sm.load("phantom")
    with pytest.raises(ValueError, match="read-only"):
        views.boundary(data).mask[:] = 0


def test_what_is_kept_of_a_slice_belongs_to_its_data():
    data = sm.load("phantom")
    other = replace(data, images=data.images[:, ::-1].copy(), truth=data.truth[:, ::-1].copy())
    first, second = views.boundary(data), views.boundary(other)
    np.testing.assert_array_equal(first.mask, sm.v8(data.images[0], spacing_mm=(0.42, 0.42)))
    np.testing.assert_array_equal(second.mask, sm.v8(other.images[0], spacing_mm=(0.42, 0.42)))


def test_flood_from_seeds():
    passable = np.ones((5, 7), bool)
    passable[:, 3] = False
    left = np.zeros((5, 7), np.uint8)
    left[:, :3] = 1
    np.testing.assert_array_equal(masks.flood(passable, [(0, 0)]), left)
    np.testing.assert_array_equal(masks.flood(passable, [(2, 3)]), 0 * left)
    np.testing.assert_array_equal(masks.flood(passable, [(-1, 1), (0, -1)]), passable)
    np.testing.assert_array_equal(masks.flood(passable, []), 0 * left)
    frame = [(r, c) for r in range(5) for c in range(7) if r in (0, 4) or c in (0, 6)]
    holed = passable.copy()
    holed[1:4, 1:3] = [[0, 0], [0, 1], [0, 0]]
    np.testing.assert_array_equal(masks.flood(holed, frame), masks.flood_from_edges(holed))
