"""The head of a slice: what belongs to it, what is drawn around it, and what is no head."""

import io

import numpy as np
import pytest
from inputs import ring_head, within_skin
from PIL import Image, ImageDraw
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import polar
from skullmask_lib.borders import paint_over_border
from skullmask_lib.errors import EmptyMaskWarning, InputWarning
from skullmask_lib.polar import heads

MM = (1.0, 1.0)


# --- the head -------------------------------------------------------------------------------------


def head_of(image):
    """Find the head of an image whose pixels are those of the grid."""
    return polar.find_head(np.sqrt(image).astype(np.float32))


def fine_head(**options):
    return ring_head((440, 380), (polar.STEP_MM,) * 2, **options)[0]


def test_holes_are_filled_before_the_largest_piece_is_taken():
    # The brain lies free in black bone, and is larger than the scalp.
    image = fine_head(levels=(0, 0.7, 0, 1))
    assert sm.iou(head_of(image), within_skin(image)) > 0.99


@pytest.mark.parametrize("scalp", [0.25, 0.8, 2.5])
def test_the_head_is_found_whatever_the_scalp(scalp):
    image = np.minimum(fine_head(levels=(0, scalp, 0.05, 1)), 1)
    assert sm.iou(head_of(image), within_skin(image)) > 0.985


def test_what_lies_beside_the_head_is_left_out():
    image = fine_head()
    wanted = within_skin(image)
    image[5:9, 100:300] = image[200:230, 5:15] = 1
    assert sm.iou(head_of(image), wanted) > 0.99


def test_noise_in_the_air_is_air():
    image = fine_head()
    real, imaginary = 0.1 * np.random.default_rng(1).standard_normal((2, *image.shape))
    magnitude = np.hypot(image + real, imaginary)
    assert sm.iou(head_of(np.clip(magnitude, 0, 1)), within_skin(image)) > 0.98


def test_a_head_may_touch_the_frame():
    image = fine_head()
    cut = np.s_[45:, 60:-20]
    assert sm.iou(head_of(image[cut]), within_skin(image)[cut]) > 0.99


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_no_contrast_no_head(level):
    assert not polar.find_head(np.full((50, 40), level, np.float32)).any()
    tiny = np.float32([[level, level + 0.001], [level, level]])  # of one level when it is blurred
    assert not polar.find_head(tiny).any()


# --- what is no head, what is drawn around one, and more than one ---------------------------------


def rayleigh(shape, seed=1, smooth_px=0.0):
    """Give what a scanner shows of air, interpolated or not."""
    parts = np.random.default_rng(seed).standard_normal((2, *shape))
    return np.hypot(*(ndimage.gaussian_filter(part, smooth_px) for part in parts))


@pytest.mark.parametrize("spacing_mm", [None, MM])
@pytest.mark.parametrize(
    ("shape", "smooth_px"),
    [
        ((41, 37), 0),
        ((64, 64), 0),
        ((48, 256), 0),
        ((316, 48), 0),
        ((128, 96), 0.7),
        ((256, 256), 1),
        ((768, 624), 2),
    ],
)
def test_noise_is_no_head(shape, smooth_px, spacing_mm):
    interpolated = rayleigh(shape, smooth_px=smooth_px)
    whole_numbers = np.rint(10 * rayleigh(shape)).astype(np.int16) - 500
    for image in (interpolated, whole_numbers):
        with pytest.warns(EmptyMaskWarning, match="no head"):
            mask = sm.v8(image, spacing_mm=spacing_mm)
        assert not mask.any()
        assert sm.quality(image, np.ones_like(mask), spacing_mm=spacing_mm) == 0


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_a_noisy_head_is_a_head(drawn, share):
    image, truth = drawn
    assert sm.iou(sm.v8(image + share * rayleigh(image.shape), spacing_mm=MM), truth) > 0.85


def framed(image, value, *, width=2, margin=0):
    image = np.pad(image, width, constant_values=value)
    return np.pad(image, margin)


def picture(image):
    """Give an image from 0 to 1 as a picture of 8 bits."""
    return Image.fromarray((255 * np.clip(image, 0, 1)).astype(np.uint8))


def jpeg(image, quality):
    """Give what is left of an image in a JPEG."""
    file = io.BytesIO()
    picture(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def framed_with_round_corners(image):
    drawn = picture(image)
    corners = (0, 0, drawn.width - 1, drawn.height - 1)
    ImageDraw.Draw(drawn).rounded_rectangle(corners, radius=8, outline=255, width=2)
    return np.asarray(drawn)


BORDERS = {
    "bright lines": lambda image: framed(image, 2.0),
    "lines as bright as fat": lambda image: framed(image, 0.8, width=1),
    "lines within the picture": lambda image: framed(image, 2.0, width=3, margin=5),
    "lines around noise": lambda image: framed(image + 0.1 * rayleigh(image.shape), 2.0),
    "one line": lambda image: np.vstack([np.full(image.shape[1], 2.0), image]),
    "a box of zeros around an even grey": lambda image: framed(0.3 + 0.7 * image, 0.0, width=12),
    "a box of zeros around noise": lambda image: framed(
        image + 0.02 * rayleigh(image.shape), 0.0, width=12
    ),
    "grey lines in a JPEG": lambda image: jpeg(framed(np.pad(image, 9), 0.5), 85),
    "bright lines in a JPEG": lambda image: jpeg(framed(np.pad(image, 9), 1.0), 60),
    "lines with round corners": lambda image: framed_with_round_corners(np.pad(image, 9)),
}


@pytest.mark.parametrize("spacing_mm", [None, MM])
@pytest.mark.parametrize("border", BORDERS)
def test_what_is_drawn_around_a_head_is_not_the_head(drawn, border, spacing_mm):
    image, truth = drawn
    bordered = BORDERS[border](image)
    top, left = np.subtract(bordered.shape, image.shape)
    if border != "one line":  # which is above the head; the others are around it
        top //= 2
        left //= 2
    mask = sm.v8(bordered, spacing_mm=spacing_mm)
    inside = np.s_[top : top + image.shape[0], left : left + image.shape[1]]
    assert sm.iou(mask[inside], truth) > 0.97
    assert mask.sum() == mask[inside].sum()
    assert sm.quality(bordered, mask, spacing_mm=spacing_mm) > polar.TRUSTED


@pytest.mark.parametrize("quarters", range(4))
def test_a_box_of_zeros_on_one_side_alone_is_painted_over(quarters):
    background = 0.1 + 0.15 * np.random.default_rng(1).random((40, 40))
    boxed = np.vstack([np.zeros((5, 40)), background])
    paint_over_border(np.rot90(boxed, quarters))
    assert np.array_equal(boxed[5:], background)
    assert np.ptp(boxed[:5]) == 0
    assert 0.1 < boxed[0, 0] < 0.25


@pytest.mark.parametrize("with_spacing", [False, True])
@pytest.mark.parametrize("margin", [20, 100])
@pytest.mark.parametrize("noise", [0.06, 0.1])
def test_noise_around_a_head_is_air_however_wide_the_frame(noise, margin, with_spacing):
    data = sm.load("phantom")
    image, truth = (np.pad(array[0, ::3, ::3], margin) for array in (data.images, data.truth))
    spacing_mm = 3 * data.spacing_mm[0] if with_spacing else None
    image = image / np.percentile(image, 99.8)
    mask = sm.v8(np.hypot(image, noise * rayleigh(image.shape)), spacing_mm=spacing_mm)
    assert sm.iou(mask, truth) > 0.97


@pytest.mark.parametrize("levels", [(0.01, 0.25, 0.06, 1), (0.05, 0.4, 0.2, 1)])
@pytest.mark.parametrize("cut_px", [4, 8])
def test_a_frame_that_runs_through_dark_tissue_is_no_noise(levels, cut_px):
    image, truth = ring_head((176, 146), axes_mm=(88, 73), levels=levels)
    inside = np.s_[cut_px:-cut_px, cut_px:-cut_px]
    assert sm.iou(sm.v8(image[inside], spacing_mm=MM), truth[inside]) > 0.9


def noisy(image):
    return np.hypot(image, 0.03 * rayleigh(image.shape))


FAINT = {
    "bright lines": lambda image: framed(image, 1.0, width=2),
    "a box of zeros around noise": lambda image: framed(noisy(image), 0.0, width=3),
    "a wide box of zeros around noise": lambda image: framed(noisy(image), 0.0, width=50),
    "a box of zeros around a faint grey": lambda image: framed(
        np.maximum(image, 0.06), 0.0, width=8
    ),
}


@pytest.mark.parametrize("with_spacing", [False, True])
@pytest.mark.parametrize("border", FAINT)
def test_what_is_drawn_far_away_or_hardly_seen_is_no_head(border, with_spacing):
    data = sm.load("phantom")
    image, truth = (np.pad(array[2, ::3, ::3], 70) for array in (data.images, data.truth))
    spacing_mm = 3 * data.spacing_mm[2] if with_spacing else None
    image = np.clip(image / np.percentile(image, 99.8), 0, 1)
    bordered = FAINT[border](image)
    width = (len(bordered) - len(image)) // 2
    mask = sm.v8(bordered, spacing_mm=spacing_mm)
    assert sm.iou(mask, np.pad(truth, width)) > 0.97
    assert sm.quality(bordered, mask, spacing_mm=spacing_mm) > polar.TRUSTED


def test_a_head_cut_off_by_a_box_of_zeros_keeps_its_tissue(drawn):
    image, truth = drawn
    half = np.pad(image[:, 60:], 30)
    mask = sm.v8(half, spacing_mm=MM)
    assert mask[30:-30, 30:60].mean() > 0.5  # along the cut
    assert sm.iou(mask, np.pad(truth[:, 60:], 30)) > 0.9


@pytest.mark.parametrize("spacing_mm", [None, MM])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("size", [1, 2])
def test_more_than_one_head_is_said(drawn, axis, size, spacing_mm):
    image, truth = drawn
    other = np.zeros_like(image)
    smaller = image[::size, ::size]
    other[: smaller.shape[0], : smaller.shape[1]] = smaller
    both = np.concatenate([image, 0.9 * other], axis=axis)
    with pytest.warns(InputWarning, match="largest"):
        mask = sm.v8(both, spacing_mm=spacing_mm)
    with pytest.warns(InputWarning, match="largest"):
        sm.quality(both, mask, spacing_mm=spacing_mm)
    if size == 2:
        assert sm.iou(mask, np.concatenate([truth, 0 * truth], axis=axis)) > 0.97


def test_a_speck_inside_corrects_nothing():
    head = np.ones((60, 60), np.uint8)
    speck = np.zeros_like(head)
    speck[30, 30] = 1
    assert heads.around(head, speck) is head
