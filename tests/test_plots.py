"""Figures of odd data: masks of 255 or bool, slices almost without bright pixels, long names."""

import re

import numpy as np
import pytest

from skullmask_lib import plots

SQUARE = np.zeros((24, 24), np.uint8)
SQUARE[8:16, 8:16] = 1


@pytest.mark.parametrize("full", [255, 256, True, 1.0, np.uint16(65535)])
def test_a_mask_is_drawn_alike_whatever_its_ones_are(full):
    other = np.where(SQUARE, full, type(full)(0))
    for draw in (painted, outlined, in_a_panel, in_planes):
        np.testing.assert_array_equal(draw(other), draw(SQUARE), err_msg=draw.__name__)


def painted(mask):
    return plots.paint(np.zeros(mask.shape), {"mask": mask}, 0.5)


def outlined(mask):
    fig, axes = plots.figure()
    plots.outline(plots.show(axes[0], SQUARE), mask)
    return plots.picture(fig, "").pixels


def in_a_panel(mask):
    """Draw a mask shrunk, so that dots at its edge are covered in part."""
    mask = np.pad(mask.repeat(41, axis=0).repeat(41, axis=1), 100)
    black = np.zeros(mask.shape)
    fig, frames = plots.panels(1, 1)
    plots.slice_panel(fig, frames[0], black, kinds={"mask": mask})
    plots.slice_panel(fig, frames[1], black, outlined={"truth": mask})
    return plots.picture(fig, "").pixels


def in_planes(mask):
    volume = np.zeros((24, 24, 24))
    part = np.zeros(volume.shape, np.uint8)
    part[..., :12] = SQUARE[..., None]
    whole = np.repeat(mask[..., None], 24, axis=2)
    return plots.three_planes(volume, np.eye(4), mask=whole, doubtful=part).pixels


@pytest.mark.parametrize(("dark", "bright"), [(0, 0.001), (10, 1000), (-1000, -999.5)])
def test_a_few_bright_pixels_are_seen_on_a_flat_slice(dark, bright):
    image = np.full((64, 64), float(dark))
    image[30:33, 40:43] = bright
    assert plots.grey_limits(image) == (dark, bright)
    assert plots.head_window(image, margin=0) == (slice(30, 33), slice(40, 43))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_not_finite_darkens_no_other(bad):
    image = 100.0 * SQUARE
    image[0, 0] = bad
    assert plots.grey_limits(image) == (0, 100)
    gray = plots.grey_of(image)
    np.testing.assert_array_equal(gray[1:], SQUARE[1:])
    assert gray[0, 0] == (bad == np.inf)
    compared = plots.compare(plots.figure()[1][0], image, SQUARE, SQUARE)
    assert compared.images[0].get_array()[12, 12].tolist() == [255, 255, 255]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_few_bright_pixels_are_seen_beside_one_that_is_not_finite(bad):
    image = np.zeros((64, 64))
    image[30:33, 40:43] = 5
    image[0, 0] = bad
    assert plots.grey_limits(image) == (0, 5)
    assert plots.grey_of(image)[31, 41] == 1


def test_a_slice_without_a_finite_pixel_is_black():
    assert plots.grey_of(np.full((3, 3), np.nan)).max() == 0


def groups_of(strip):
    """Count the groups of ink in a strip of pixels, from left to right, with 12 white dots between."""
    ink = np.flatnonzero((strip < 128).any(axis=(0, 2)))
    return 1 + np.count_nonzero(np.diff(ink) > 12)


@pytest.mark.parametrize("shape", [(1, 200, 200), (200, 1, 100), (100, 200, 1), (3, 3, 200)])
def test_the_titles_of_a_thin_volume_stand_apart(shape):
    picture = plots.three_planes(np.zeros(shape), np.eye(4))
    assert groups_of(picture.pixels[:23]) >= 3


def test_a_long_name_stays_above_its_slice_and_keeps_its_number():
    names = [f"sub-01_ses-01_acq-MPRAGE_run-01_desc-preproc_T1w.nii.gz[{i}]" for i in range(3)]
    shown = [{"image": SQUARE, "title": name} for name in names]
    picture = plots.row_of_slices(shown, "", height=2)
    assert groups_of(picture.pixels[:23]) == 3
    text = plots.frames.fitted_text(names[2], 250, 12)
    assert re.fullmatch(r"sub-01\S+…\S+gz\[2\]", text)


@pytest.mark.parametrize("width_dots", [9, 30, 100, 250])
def test_as_much_of_a_long_name_is_kept_as_fits(width_dots, monkeypatch):
    frames = plots.frames
    widths = []

    def measured(text, size, weight):
        widths.append(width_of(text, size, weight))
        return widths[-1]

    width_of = frames._width_dots
    monkeypatch.setattr(frames, "_width_dots", measured)
    name = 40 * "a_long_name" + "[2]"
    text = frames.fitted_text(name, width_dots, 12)
    assert len(widths) < 12  # each takes a millisecond or more
    room_dots = width_dots - frames._GAP_DOTS
    kept = len(text) - 1
    assert kept == 0 or width_of(text, 12, "normal") <= room_dots
    longer = frames._without_middle(name, max(kept, 1) + 1)
    assert width_of(longer, 12, "normal") > room_dots


def test_a_long_name_of_a_volume_ends_within_the_picture():
    picture = plots.three_planes(np.zeros((9, 9, 9)), np.eye(4), name=200 * "x")
    assert picture.pixels[:20, :3].min() > 250
    assert picture.pixels[:20, -3:].min() > 250


@pytest.mark.parametrize("spacing_mm", [(3.0, 1.0), (0.5, 2.0)])
def test_a_slice_is_drawn_to_scale_with_its_outline_around_its_paint(spacing_mm):
    fig, (frame,) = plots.panels(1)
    shown = {"kinds": {"brain": SQUARE}, "outlined": {"truth": SQUARE}, "opacity": 1.0}
    plots.slice_panel(fig, frame, 0 * SQUARE, spacing_mm=spacing_mm, **shown)
    pixels = plots.picture(fig, "").pixels.astype(int)
    row_mm, column_mm = spacing_mm
    sides = {}
    for role in ("brain", "truth"):
        is_role = np.abs(pixels - plots.style.rgb(role)).max(axis=2) < 60
        rows, columns = np.nonzero(is_role)
        sides[role] = np.array((np.ptp(rows), np.ptp(columns)))
        height, width = sides[role]
        assert height / width == pytest.approx(row_mm / column_mm, rel=0.1)
    assert np.abs(sides["brain"] - sides["truth"]).max() < 8


def test_pictures_can_be_compared_and_collected():
    first, second = (plots.picture(plots.figure()[0], "empty") for _ in range(2))
    assert first == first
    assert first != second
    assert len({first, second}) == 2
