"""Figures of single lessons with odd data: nothing vanishes from them, and their texts are true."""

import re

import numpy as np
import pytest

from skullmask_lib import drawings, plots
from skullmask_lib.io.data import Data
from skullmask_lib.sweeps import Sweep

DISTANCE_PX = np.hypot(*np.ogrid[-19:20, -19:20])
IMAGE = DISTANCE_PX.astype(np.float32)


def disc(radius):
    return np.uint8(radius > DISTANCE_PX)


@pytest.fixture
def drawn(monkeypatch):
    """Keep the figures that are rendered, to look into their axes."""
    figures = []
    render = plots.picture

    def kept(fig, *arguments, **options):
        figures.append(fig)
        return render(fig, *arguments, **options)

    for name in ("audit", "batches", "boundary", "dilation", "raters", "thresholds"):
        monkeypatch.setattr(getattr(drawings, name), "picture", kept)
    return figures


def test_a_mask_has_no_overlap_with_an_empty_truth():
    alt = drawings.threshold_picture(IMAGE, disc(0), [1, 2], [disc(9), disc(3)]).alt
    assert "highest, 0.000" in alt


def test_only_bands_that_were_tried_are_spoken_of():
    shown = (IMAGE, disc(3), disc(3), disc(3))
    alt = drawings.band_picture(*shown, np.array([[0.5, 0.9]]), [1], [6, 18]).alt
    assert alt == "The mean IoU is highest, 0.900, for the band 1 … 18."
    alt = drawings.band_picture(*shown, np.array([[0.5], [0.9]]), [1, 2], [6]).alt
    assert alt.endswith("; another lower end can make it 0.500.")


def test_fields_of_a_volume_without_a_brain_are_drawn():
    cube = np.ones((4, 4, 4))
    shown = {"a": cube}, {"b": 2 * cube}
    picture = drawings.fields_in_planes(*shown, np.eye(4), 0 * cube, at=(2, 2, 2))
    assert picture.pixels.min() < 255


@pytest.mark.parametrize("iou", [1.0, 0.999])
def test_a_perfect_method_is_on_the_picture(drawn, iou):
    scores = {"v7": {"a": iou}, "v8": {"a": iou}}
    drawings.sets_picture(scores, {"a": True}, "")
    [axes] = drawn[0].axes
    left, right = axes.get_xlim()
    for line in axes.lines:
        [x] = line.get_xdata()
        assert left <= x <= right
        assert not line.get_clip_on()


def test_no_two_methods_look_alike(drawn):
    scores = {f"method {place}": {"a": place / 20, "h": 0.9} for place in range(12)}
    baselines = list(scores)[::2]
    drawings.sets_picture(scores, dict.fromkeys("abcdefgh", True), "", baselines=baselines)
    lines = drawn[0].axes[0].lines
    looks = {(line.get_marker(), line.get_fillstyle(), line.get_color()) for line in lines}
    assert len(looks) == len(scores)


def test_the_length_of_a_broken_bar_is_seen_on_black(drawn):
    scores = dict.fromkeys(("iou_unsplit", "iou_no_scalp", "iou_true_brain", "iou_slice"), 0.1)
    row = {"head": "a", "kind": "scan", "iou_v7": 0.1, "iou_own_slice": 0.1}
    drawings.losses_picture([row | scores])
    [axes] = drawn[0].axes
    beside, on_the_bar = axes.texts
    assert beside.get_color() == "black"
    assert on_the_bar.get_color() == "white"


def test_a_width_that_others_chose_far_away_is_on_the_picture(drawn):
    sizes = np.arange(2, 61, 2)
    iou = 0.9 - np.abs(sizes - 40)[None] / 100
    sweep = Sweep(sizes, iou, iou)
    drawings.choice_picture(sweep, (0.4, 0.9), [20, 60], [0.6, 0.9])
    [axes] = drawn[0].axes
    left, right = axes.get_xlim()
    bottom, _ = axes.get_ylim()
    assert left <= 20 < 60 <= right
    assert bottom < 0.4


def test_our_value_is_on_the_picture_where_nothing_scores(drawn):
    values = np.array([10, 20, 100, 200])
    curve = drawings.OptionCurve("v3", "threshold", values, np.array([[0.7, 0.9, 0, 0]]), 100, 0.5)
    drawings.option_picture([curve])
    assert drawn[0].axes[0].get_xlim()[1] >= 100


def test_a_sweep_of_one_width_shows_its_scores():
    scores = np.array([[0.8], [0.9]])
    axes = plots.sweep_curve(plots.figure()[1][0], Sweep(np.array([26]), scores, scores))
    *curves, _ = axes.lines
    assert {line.get_marker() for line in curves} == {"o"}


def test_only_who_traced_a_slice_is_counted_and_only_what_is_drawn_explained(drawn):
    images = np.stack([IMAGE, IMAGE])
    traces = {
        "ann\x1ba": np.stack([disc(9), disc(9)]),
        "ben": np.stack([disc(8), disc(8)]),
        "carla": np.stack([disc(0), disc(7)]),
    }
    data = Data(images, np.stack([disc(0), disc(8)]), None, ("a\nslice", "b"))
    alone = drawings.agreement_picture(traces, data, slice_index=0)
    assert alone.alt.startswith("a slice: traces by 2 raters; ")
    assert alone.alt.isprintable()
    assert drawn[0].legends == []
    assert drawings.agreement_picture(traces, data).alt.startswith("b: traces by 3 raters; ")
    assert len(drawn[1].legends) == 1
    labels = [label.get_text() for label in drawn[1].axes[1].get_yticklabels()]
    assert sorted(labels) == ["ann\\x1ba", "ben", "carla"]


def test_long_names_of_raters_leave_room_for_their_bars(drawn):
    traces = {f"rater_{at}_{60 * 'x'}_{at}": disc(7 + at % 3)[None] for at in range(9)}
    data = Data(IMAGE[None], None, None, (99 * "slice",))
    drawings.agreement_picture(traces, data)
    [fig] = drawn
    bars = fig.axes[1]
    assert bars.get_position().width > 0.3
    for text in (bars.xaxis.label, *bars.get_yticklabels(), fig.axes[0].title):
        extent = text.get_window_extent()
        assert extent.x0 >= 0
        assert extent.x1 <= fig.bbox.width
    assert re.fullmatch(r"rater_\d_x+…x+_\d", bars.get_yticklabels()[0].get_text())


def test_files_of_other_shapes_are_shown_as_a_whole(drawn):
    small = np.zeros((20, 30))
    small[5:15, 10:20] = 1
    large = np.ones((80, 60))
    broken = small.copy()
    broken[0, 0] = np.nan
    images = {"broken": broken, "small": small, "large": large}
    drawings.files_picture(images, dict.fromkeys(images))
    windows = [one.get_xlim() for one in drawn[0].axes]
    assert windows[0] == windows[1] == (8.5, 20.5)
    assert windows[2] == (-0.5, 59.5)


def test_a_picture_carries_its_mask_as_zeros_and_ones():
    gray = np.uint8(IMAGE)
    options = {"titles": ("after", "mask"), "thresholds": (1, 2), "alt": "x"}
    box = slice(0, 9), slice(0, 9)
    for mask in (disc(9) > 0, 255 * disc(9), disc(9).astype(float)):
        changed = drawings.contrast_picture(gray, gray, mask, disc(9), **options)
        titles = {"titles": ("box", "whole", "crop"), "alt": "x"}
        cropped = drawings.crop_picture(IMAGE, box, (mask, mask), disc(9), **titles)
        for picture in (changed, cropped):
            assert picture.mask.dtype == np.uint8
            np.testing.assert_array_equal(picture.mask, disc(9))


@pytest.mark.parametrize(
    ("values", "ends"),
    [([2.0] * 9, "neither"), ([1] + 99 * [2], "min"), (99 * [1] + [2], "max"), (range(99), "both")],
)
def test_a_colour_bar_is_pointed_where_values_lie_beyond_it(values, ends):
    outline = np.zeros((10, 10), bool)
    outline.ravel()[: len(values)] = True
    fig, axes = plots.figure()
    options = {"title": "", "label": ""}
    drawings.coloured_outline(axes[0], np.eye(10), outline, np.array(values, float), **options)
    [bar] = [one._colorbar for one in fig.axes if hasattr(one, "_colorbar")]
    assert bar.extend == ends


def test_no_control_character_of_a_name_is_in_the_text_of_a_picture():
    picture = plots.three_planes(np.zeros((9, 9, 9)), np.eye(4), name="a\x1b[2J\n.nii")
    assert picture.alt.startswith("a\\x1b[2J .nii: ")
