"""Every view is pure, says what the library computes, and offers the call that makes its mask."""

import inspect
import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import SHAPES, blobs, ring_head
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import masks, plots, polar, versions, views
from skullmask_lib.explore import controls as making
from skullmask_lib.explore.app import QUESTIONS

VIEWS = list(QUESTIONS.values())
RING = ring_head()


EVERY_VIEW = pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)


def data_of(image, truth=None, spacing_mm=None):
    """Give a slice as `Data`."""
    return sm.Data(
        images=np.asarray(image)[None],
        truth=None if truth is None else truth[None],
        spacing_mm=None if spacing_mm is None else np.array([spacing_mm], float),
        names=("a slice",),
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


def mask_by_call(picture, image):
    """Run the call that a view offers."""
    return eval(picture.call, {"sm": sm, "image": image})


def quality_of(picture, image):
    """Rate the mask of a picture as its version would, where pixels are 1 mm wide."""
    for version in versions.BOUNDARY_VERSIONS:
        if picture.call.startswith(f"sm.{version}("):
            return versions.mask_and_quality(image, version, spacing_mm=(1, 1))[1]
    return sm.quality(image, picture.mask, spacing_mm=(1, 1))


@EVERY_VIEW
@settings(max_examples=12)
@given(data=st.data())
def test_the_call_makes_the_mask_and_the_text_tells_its_score(view, data):
    options = data.draw(choices(view))
    has_truth = data.draw(st.booleans())
    image, truth = RING
    picture = view(data_of(image, truth if has_truth else None, (1.0, 1.0)), **options)
    mask = mask_by_call(picture, image)
    np.testing.assert_array_equal(picture.mask, mask)
    assert picture.mask.dtype == np.uint8
    if has_truth:
        assert f"IoU {sm.iou(mask, truth):.4f}" in picture.alt
    else:
        assert f"quality {quality_of(picture, image):.2f}" in picture.alt
    assert picture.pixels.shape == (384, 880, 3)


@EVERY_VIEW
@settings(max_examples=12)
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
        if min(shape) < dilation_size_of(view):
            with pytest.raises(sm.InputError, match=r"a dilation size from 1 to \d+ px"):
                view(data_of(image))
        else:
            picture = view(data_of(image))
            np.testing.assert_array_equal(picture.mask, mask_by_call(picture, image))
    np.testing.assert_array_equal(image, before)


def dilation_size_of(view):
    """Give the default dilation size of a view; 1 where it dilates nothing."""
    if view is views.versus:
        return 26  # that of v7
    parameters = inspect.signature(view).parameters
    return parameters["dilation_size"].default if "dilation_size" in parameters else 1


@EVERY_VIEW
@pytest.mark.parametrize(
    "truth", [None, np.zeros((64, 48), np.uint8)], ids=["no truth", "an empty truth"]
)
def test_a_flat_slice_is_drawn(view, truth):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        picture = view(data_of(np.zeros((64, 48)), truth), opacity=1.0)
    assert not picture.mask.any()


@EVERY_VIEW
def test_what_is_no_slice_is_refused(view):
    with pytest.raises(sm.InputError, match="expected finite values"):
        view(data_of(np.full((64, 48), np.nan)))


def test_what_touches_the_frame_is_counted_with_and_without_the_rule():
    data = sm.load("phantom-cropped")
    for rule in (True, False):
        picture = views.frame_rule(data, rule=rule)
        assert "1 component at the frame" in picture.alt


def test_the_pipeline_shows_the_mask_of_the_version_with_and_without_a_truth():
    data = sm.load("phantom")
    expected = sm.v5(data.images[0], dilation_size=16)
    for truth in (data.truth[0], None):
        alone = data_of(data.images[0], truth)
        picture = views.pipeline(alone, version="v5", dilation_size=16)
        assert np.array_equal(picture.mask, expected)
        assert ("IoU" in picture.alt) == (truth is not None)
        assert picture.call == "sm.v5(image, dilation_size=16)"


@pytest.mark.filterwarnings("ignore::skullmask_lib.errors.EmptyMaskWarning")
@pytest.mark.parametrize("has_truth", [True, False])
@pytest.mark.parametrize("is_flat", [True, False])
def test_the_pipeline_says_of_a_mask_what_other_views_say(has_truth, is_flat):
    image, truth = RING
    shown = 0 * image if is_flat else image
    data = data_of(shown, truth if has_truth else None)
    *_, verdict = views.stages(data, version="v7").alt.split("; ")
    assert views.pipeline(data).alt.endswith(f": {verdict}")
    assert ("the mask is empty" in verdict) == is_flat


def test_a_picture_follows_its_controls():
    data = sm.load("phantom")
    base = views.largest_component(data)
    for option in ({"opacity": 0.1}, {"offset": 9}):
        other = views.largest_component(data, **option)
        assert (other.pixels != base.pixels).any()
    dots_per_px = (marker(data, 40) - marker(data, 20)) / 20
    assert 5 < dots_per_px < 9


def marker(data, dilation_size):
    """Find the column of the black line that marks a width, from the axis to the top."""
    pixels = views.width(data, dilation_size=dilation_size).pixels
    is_black = (pixels[60:300, 450:870] < 40).all(axis=(0, 2))
    return np.flatnonzero(is_black).mean()


def test_the_marks_lie_at_their_data():
    def draw(axes):
        axes[0].set(xlim=(0, 10), ylim=(0, 1))
        axes[0].axvline(4, color="red", linewidth=1)

    fig, (frame,) = plots.panels(1)
    plot = plots.plot(frame, draw)
    plots.plot_panel(fig, frame, plot, marks=[(4, 0.5)])
    pixels = plots.picture(fig, "").pixels.astype(int)
    is_red = (plot.pixels[..., 0] > 200) & (plot.pixels[..., 1:].max(axis=2) < 80)
    line = frame.left + np.flatnonzero(is_red.any(axis=0)).mean()
    right_of_the_axis = pixels[100:250, 60:]
    is_black = (right_of_the_axis.max(axis=2) < 30).mean(axis=0) > 0.9
    mark = 60 + np.flatnonzero(is_black).mean()
    assert abs(mark - line) <= 1


def test_a_threshold_off_the_axis_has_no_line_and_a_white_slice_a_border(monkeypatch):
    drawn = []
    draw = plots.plot_panel

    def recorded(fig, frame, shown, title, *, marks):
        drawn.append((title, marks))
        return draw(fig, frame, shown, title, marks=marks)

    monkeypatch.setattr(plots, "plot_panel", recorded)
    flat = data_of(np.zeros((64, 48)))
    picture = views.largest_component(flat, offset=-20)
    assert picture.pixels[30:350, :270].min() < 200
    views.largest_component(flat, offset=20)
    assert drawn == [
        ("threshold -20, Otsu's -20", []),
        ("thick line: threshold 20, Otsu's +20", [(20, None)]),
    ]


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
    bare, bordered = np.split(pixels.min(axis=2) < 255, 2, axis=1)
    assert np.array_equal(extent_px(bordered), 2 * extent_px(bare))


def extent_px(mask):
    """Give the height and the width of what is in a mask."""
    return np.ptp(np.argwhere(mask), axis=0) + 1


def has_colour(pixels, role):
    """Tell of pixels (…, 3) whether they have about the colour of a role."""
    return np.abs(pixels.astype(int) - plots.style.rgb(role)).max(axis=-1) < 60


def curve_height(curves, width):
    """Measure how far above the foot the curve of the over-reach lies at a width [dots]."""
    x, _ = curves.to_dots.transform((width, 0)).round().astype(int)
    column = curves.pixels[:, x]
    rows = np.flatnonzero(has_colour(column, "over-reach"))
    return len(column) - curves.foot - rows.mean()


def over_reach(data, width):
    """Give the over-reach of v7 on the second slice, as a share of the truth."""
    mask = sm.v7(data.images[1], dilation_size=width)
    truth = data.truth[1]
    return plots.errors(mask, truth)["over-reach"].sum() / truth.sum()


def test_curves_and_their_dot_lie_at_the_scores():
    data = sm.load("phantom")
    _, (_, frame) = plots.panels(1, 1.4)
    curves, best = views._curves(frame, data, 1)
    picture = views.width(data, slice_index=1, dilation_size=45)

    iou = {}
    for width in range(1, 62):
        mask = sm.v7(data.images[1], dilation_size=width)
        iou[width] = sm.iou(mask, data.truth[1])
    best_width = max(iou, key=iou.get)
    assert best == (best_width, iou[best_width])
    assert f"{best_width} px, IoU {iou[best_width]:.4f}" in picture.alt

    assert over_reach(data, 45) > 0.05
    ratio = over_reach(data, 45) / over_reach(data, 59)
    assert curve_height(curves, 45) / curve_height(curves, 59) == pytest.approx(ratio, rel=0.03)

    x, y = curves.to_dots.transform((45, iou[45])).round().astype(int)
    row = len(picture.pixels) - frame.bottom - y
    column = frame.left + x
    assert (picture.pixels[row - 2 : row + 3, column - 3 : column + 4] < 60).all()  # a black dot

    x, y = curves.to_dots.transform(best).round().astype(int)
    row = len(curves.pixels) - y
    diamond = curves.pixels[row - 1 : row + 2, x - 1 : x + 2]
    assert has_colour(diamond, "measured").all()


def test_the_best_width_is_one_that_the_slider_offers():
    image = sm.load("phantom").images[2]
    still_rising = data_of(image, np.ones(image.shape, np.uint8))
    assert "best: 61 px" in views.width(still_rising).alt


@pytest.mark.parametrize("version", versions.BOUNDARY_VERSIONS)
def test_a_mask_is_rated_on_the_head_of_its_version(version, monkeypatch):
    """A ghost joins the head; v9 corrects that, which changes the quality of its mask a little."""
    image = sm.load("phantom").images[0]
    image = np.maximum(image, 0.2 * np.roll(image, 60, axis=0))
    data = data_of(image, spacing_mm=(0.42, 0.42))
    _, quality = versions.mask_and_quality(image, version, spacing_mm=(0.42, 0.42))
    rate = polar.mask_quality
    rated = []
    monkeypatch.setattr(polar, "mask_quality", lambda *args: rated.append(rate(*args)) or rated[-1])
    alone = {"v8": views.boundary, "v9": views.second_opinion}[version]
    for view in (alone, partial(views.versus, left="v7", right=version)):
        picture = view(data)
        assert rated[-1] == quality  # unrounded
        assert f"quality {quality:.2f}" in picture.alt
    found = sm.quality(image, picture.mask, spacing_mm=(0.42, 0.42))
    assert (quality == found) == (version == "v8")


@EVERY_VIEW
def test_a_slice_of_unknown_truth_is_judged_as_one_without_truth(view):
    image, truth = RING
    images = np.stack([image, image])
    half_known = np.stack([0 * truth, truth])
    partly = sm.Data(images, half_known, np.ones((2, 2)), ("one", "two"))
    nothing = sm.Data(images, None, np.ones((2, 2)), ("one", "two"))
    picture = view(partly, slice_index=0)
    assert "IoU" not in picture.alt
    assert "unknown" in picture.alt
    assert f"quality {quality_of(picture, image):.2f}" in picture.alt
    np.testing.assert_array_equal(picture.pixels, view(nothing, slice_index=0).pixels)
    assert "IoU" in view(partly, slice_index=1).alt


def test_errors_have_their_colours_and_the_window_its_place():
    image = np.full((60, 80), 0.5)
    image[0, 0] = 1
    truth = np.zeros((60, 80), np.uint8)
    truth[20:40, 30:50] = 1
    mask = np.roll(truth, 10, axis=1)
    fig, (frame,) = plots.panels(1)
    plots.slice_panel(
        fig,
        frame,
        image,
        window=(slice(10, 50), slice(20, 70)),
        kinds=plots.errors(mask, truth),
        outlined={"truth": truth},
        opacity=1.0,
    )
    pixels = plots.picture(fig, "").pixels
    dots_per_px = frame.height / 40
    left = frame.left + (frame.width - round(50 * dots_per_px)) // 2
    top = len(pixels) - frame.bottom - frame.height

    def pixel_at(row, column):
        """Give the pixel that shows the middle of a pixel of the slice."""
        y = top + (row - 10 + 0.5) * dots_per_px
        x = left + (column - 20 + 0.5) * dots_per_px
        return pixels[round(y), round(x)]

    assert has_colour(pixel_at(30, 34), "miss")
    assert has_colour(pixel_at(30, 56), "over-reach")
    assert np.ptp(pixel_at(30, 44).astype(int)) < 5  # grey, where both are
    middle = round(top + (30 - 10) * dots_per_px)
    left_edge = round(left + (30 - 20) * dots_per_px)
    assert has_colour(pixels[middle, left_edge - 2 : left_edge + 3], "truth").mean() > 0.1


def test_the_path_of_a_polar_plot_lies_at_its_depth():
    _, (frame,) = plots.panels(1)
    depth = np.full(360, 40.0)
    values = np.zeros((360, 96))
    values[:, 60:] = 1
    plot = plots.polar_plot(frame, [(values, (0, 1), depth, "a path")])
    x, y = plot.to_dots.transform((180, 40 * views.polar.STEP_MM))
    column = plot.pixels[:, round(x)]
    rows_of_path = np.flatnonzero(has_colour(column, "path"))
    assert abs(rows_of_path.mean() - (len(column) - y)) <= 1.5
    _, y = plot.to_dots.transform((180, 60 * views.polar.STEP_MM))
    edge = round(len(column) - y)
    assert column[edge + 4].min() > 240
    assert column[edge - 4].max() < 20


@pytest.mark.parametrize("version", versions.BOUNDARY_VERSIONS)
def test_polar_stages_are_those_of_their_version(monkeypatch, version):
    drawn = []
    draw = plots.polar_plot

    def recorded(frame, panels):
        drawn.extend(panels)
        return draw(frame, panels)

    monkeypatch.setattr(plots, "polar_plot", recorded)
    data = sm.load("phantom")
    traced = sm.trace(version, data.images[0], spacing_mm=data.spacing_mm[0])
    for name in views._POLAR.keys() & traced.keys():
        views.stages(data, version=version, stage=list(traced).index(name) + 1)
        values, _, path, _ = drawn.pop()
        np.testing.assert_array_equal(values, traced.get(views._POLAR[name][0]))
        if name in views._LINES:
            np.testing.assert_array_equal(path, traced[name])


@EVERY_VIEW
def test_pixels_that_are_not_square_are_drawn_to_scale(view, monkeypatch):
    drawn = []
    draw = plots.slice_panel

    def recorded(*arguments, **options):
        drawn.append(options["spacing_mm"])
        return draw(*arguments, **options)

    monkeypatch.setattr(plots, "slice_panel", recorded)
    image, truth = RING
    flat = data_of(image.repeat(2, axis=0), truth.repeat(2, axis=0), (0.5, 1.0))
    view(flat)
    assert set(drawn) == {(0.5, 1.0)}


def test_the_slider_reaches_the_last_stage_of_every_version():
    stage = making.from_signature(views.stages, {})["stage"]
    assert stage.max == max(map(views.count_stages, versions.VERSIONS))


def test_what_is_handed_out_again_cannot_be_written_to():
    data = sm.load("phantom")
    with pytest.raises(ValueError, match="read-only"):
        views.boundary(data).mask[:] = 0


def test_what_is_kept_of_a_slice_belongs_to_its_data():
    data = sm.load("phantom")
    other = replace(data, images=data.images[:, ::-1].copy(), truth=data.truth[:, ::-1].copy())
    for slices in (data, other):
        mask = sm.v8(slices.images[0], spacing_mm=(0.42, 0.42))
        np.testing.assert_array_equal(views.boundary(slices).mask, mask)


def test_flood_from_seeds():
    passable = np.ones((5, 7), bool)
    passable[:, 3] = False
    left = np.zeros((5, 7), np.uint8)
    left[:, :3] = 1
    np.testing.assert_array_equal(masks.flood(passable, [(0, 0)]), left)
    np.testing.assert_array_equal(masks.flood(passable, [(2, 3)]), 0 * left)
    np.testing.assert_array_equal(masks.flood(passable, [(-1, 1), (0, -1)]), passable)
    np.testing.assert_array_equal(masks.flood(passable, []), 0 * left)
    is_frame = np.ones((5, 7), bool)
    is_frame[1:-1, 1:-1] = False
    frame = [tuple(place) for place in np.argwhere(is_frame).tolist()]
    holed = passable.copy()
    holed[1:4, 1:3] = [[0, 0], [0, 1], [0, 0]]
    np.testing.assert_array_equal(masks.flood(holed, frame), masks.flood_from_edges(holed))
