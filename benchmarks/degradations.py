"""What can spoil a slice: noise, blur, wide pixels, dark scalp, a cut by the frame and more.

Every degradation takes a slice with its truth and returns a copy that has both. Where something is
drawn at random, the slice's seed decides. `real_quality` measures how far the quality of v8's masks
can be trusted on such copies.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy import ndimage

from skullmask_lib import masks, polar

# What is bright, in percent of the pixels
_BRIGHT_PERCENTILE = 99
# Left of the signal where there is none
_DARK_SHARE = 0.03
_SCALP_EDGE_MM = 0.7
_NEAR_GHOST_MM = 6.0
_MARKER_MM = 6.0
_MARKER_BRIGHTNESS = 1.3
# A wedge begins, and a hole lies, this far from the middle of the skull
_WEDGE_FROM_MM = 35.0
_HOLE_AT_MM = 75.0


@dataclass(frozen=True)
class Slice:
    """An image with its truth; the seed decides what a degradation draws at random."""

    image: np.ndarray
    truth: np.ndarray
    spacing_mm: tuple[float, float]
    seed: int = 1


Treatment = Callable[[Slice], Slice]


def unchanged(one: Slice) -> Slice:
    """Leave a slice as it is."""
    return one


# --- Of the image alone --------------------------------------------------------------------------


def with_image(one: Slice, image: np.ndarray) -> Slice:
    """Give a slice another image of the same shape."""
    return replace(one, image=image.astype(np.float32))


def bright(one: Slice) -> float:
    """Say how bright the brightest tissue of a slice is."""
    return float(np.percentile(one.image, _BRIGHT_PERCENTILE))


def noisy(one: Slice, share: float) -> Slice:
    """Add Rician noise, of a share of what is bright."""
    normal = np.random.default_rng(one.seed).standard_normal((2, *one.image.shape))
    real, imaginary = share * bright(one) * normal
    return with_image(one, np.hypot(one.image + real, imaginary))


def blurred(one: Slice, sigma_mm: float) -> Slice:
    """Blur by a Gaussian filter."""
    sigma_px = sigma_mm / np.array(one.spacing_mm)
    return with_image(one, ndimage.gaussian_filter(one.image, sigma_px))


def biased(one: Slice, share: float) -> Slice:
    """Multiply by a ramp in some direction, from 1 − share to 1 + share across the frame."""
    angle = random_angle(one)
    height, width = one.image.shape
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)
    ramp = 1 + share * (y * np.sin(angle) + x * np.cos(angle))
    return with_image(one, one.image * np.maximum(ramp, _DARK_SHARE))


def with_gamma(one: Slice, gamma: float) -> Slice:
    """Raise the intensities, as shares of what is bright, to a power."""
    shares = np.maximum(one.image, 0) / bright(one)
    return with_image(one, bright(one) * shares**gamma)


def inverted(one: Slice) -> Slice:
    """Swap bright and dark."""
    return with_image(one, one.image.max() - one.image)


def ghosted(one: Slice, share: float) -> Slice:
    """Add a copy that is shifted by a quarter of the rows, as motion does."""
    return _with_copy(one, share, len(one.image) // 4)


def ghosted_nearby(one: Slice, share: float) -> Slice:
    """Add a copy that is shifted by a few millimetres."""
    return _with_copy(one, share, round(_NEAR_GHOST_MM / one.spacing_mm[0]))


def _with_copy(one: Slice, share: float, rows: int) -> Slice:
    return with_image(one, one.image + share * np.roll(one.image, rows, axis=0))


def fat_suppressed(one: Slice, share: float) -> Slice:
    """Leave a share of the scalp's signal; the change is soft."""
    scalp = (head_of(one) > 0) & (one.truth == 0)
    sigma_px = _SCALP_EDGE_MM / np.array(one.spacing_mm)
    cover = ndimage.gaussian_filter(scalp.astype(np.float32), sigma_px)
    return with_image(one, one.image * (1 - (1 - share) * cover))


def with_markers(one: Slice, count: int) -> Slice:
    """Stick bright discs to the skin."""
    head = head_of(one)
    rows, columns = np.nonzero(head - cv2.erode(head, np.ones((3, 3), np.uint8)))
    image = one.image.copy()
    for place in np.random.default_rng(one.seed).integers(len(rows), size=count):
        y_mm, x_mm = offsets_mm(one, (rows[place], columns[place]))
        image[np.hypot(y_mm, x_mm) < _MARKER_MM] = _MARKER_BRIGHTNESS * bright(one)
    return with_image(one, image)


def with_wedge(one: Slice, width_degrees: float) -> Slice:
    """Take the signal away in a wedge that opens to the skin."""
    y_mm, x_mm = offsets_mm(one, ndimage.center_of_mass(one.truth))
    turned = np.arctan2(y_mm, x_mm) - random_angle(one)
    aside = np.abs((turned + np.pi) % (2 * np.pi) - np.pi)
    is_dark = (aside < np.deg2rad(width_degrees) / 2) & (np.hypot(y_mm, x_mm) > _WEDGE_FROM_MM)
    return with_image(one, np.where(is_dark, _DARK_SHARE * one.image, one.image))


def with_hole(one: Slice, radius_mm: float) -> Slice:
    """Take the signal away in a disc near the skull, as metal does."""
    angle = random_angle(one)
    y_mm, x_mm = offsets_mm(one, ndimage.center_of_mass(one.truth))
    y_mm = y_mm - _HOLE_AT_MM * np.sin(angle)
    x_mm = x_mm - _HOLE_AT_MM * np.cos(angle)
    is_dark = np.hypot(y_mm, x_mm) < radius_mm
    return with_image(one, np.where(is_dark, _DARK_SHARE * one.image, one.image))


def clipped_above(one: Slice, percent: float) -> Slice:
    """Clip the intensities at a percentile of those inside the skull."""
    return with_image(one, np.minimum(one.image, _level_inside(one, percent)))


def clipped_below(one: Slice, percent: float) -> Slice:
    """Make all that is darker than a percentile of what is inside the skull black."""
    level = _level_inside(one, percent)
    return with_image(one, np.maximum(one.image, level) - level)


def _level_inside(one: Slice, percent: float) -> float:
    return float(np.percentile(one.image[one.truth > 0], percent))


# --- Of the grid ---------------------------------------------------------------------------------


def coarse(one: Slice, pixel_mm: float) -> Slice:
    """Resample to wide square pixels."""
    fields_mm = np.array(one.image.shape) * one.spacing_mm
    rows, columns = (int(count) for count in np.rint(fields_mm / pixel_mm))

    def resampled(values: np.ndarray) -> np.ndarray:
        floats = values.astype(np.float32)
        return cv2.resize(floats, (columns, rows), interpolation=cv2.INTER_AREA)

    return replace(
        one,
        image=resampled(one.image),
        truth=(resampled(one.truth) > 0.5).astype(np.uint8),
        spacing_mm=(fields_mm[0] / rows, fields_mm[1] / columns),
    )


def misread(one: Slice, factor: float) -> Slice:
    """Multiply the spacing, as a wrong header does; the image stays."""
    row_mm, column_mm = one.spacing_mm
    return replace(one, spacing_mm=(factor * row_mm, factor * column_mm))


def lower_half(one: Slice) -> Slice:
    """Cut the upper half away."""
    return cropped(one, np.s_[len(one.image) // 2 :, :])


def right_half(one: Slice) -> Slice:
    """Cut the left half away."""
    return cropped(one, np.s_[:, one.image.shape[1] // 2 :])


def without_ends(one: Slice, depth_mm: float) -> Slice:
    """Cut the top and the bottom of the frame away, so deep into the skull."""
    depth_px = round(depth_mm / one.spacing_mm[0])
    rows, _ = masks.bounding_box(one.truth)
    return cropped(one, np.s_[rows.start + depth_px : rows.stop - depth_px, :])


def without_side(one: Slice, depth_mm: float) -> Slice:
    """Cut the left side of the frame away, so deep into the skull."""
    depth_px = round(depth_mm / one.spacing_mm[1])
    _, columns = masks.bounding_box(one.truth)
    return cropped(one, np.s_[:, columns.start + depth_px :])


def cropped(one: Slice, window: tuple[slice, slice]) -> Slice:
    """Keep a window of a slice."""
    return replace(one, image=one.image[window].copy(), truth=one.truth[window].copy())


# --- Where things are ----------------------------------------------------------------------------


def random_angle(one: Slice) -> float:
    """Draw a direction [radians]."""
    return float(np.random.default_rng(one.seed).uniform(-np.pi, np.pi))


def offsets_mm(one: Slice, place: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Measure how far below and to the right of a place [px] every pixel lies."""
    y, x = np.ogrid[: one.image.shape[0], : one.image.shape[1]]
    return (y - place[0]) * one.spacing_mm[0], (x - place[1]) * one.spacing_mm[1]


def head_of(one: Slice) -> np.ndarray:
    """Find the head as v8 does, on the pixels of the image."""
    head = polar.unwrap(one.image, one.spacing_mm).head
    return cv2.resize(head, one.image.shape[::-1], interpolation=cv2.INTER_NEAREST)


# --- All of them, by name ------------------------------------------------------------------------


def _at(degrade: Callable[[Slice, float], Slice], amount: float) -> Treatment:
    """Fix the amount of a degradation."""
    return lambda one: degrade(one, amount)


_OF_THE_SCAN = (
    ("noise {:g}", noisy, (0.1, 0.2, 0.4, 0.8)),
    ("blur {:g} mm", blurred, (1, 2, 3, 4)),
    ("bias {:g}", biased, (0.4, 0.7)),
    ("pixels {:g} mm", coarse, (2, 3, 4, 5)),
    ("gamma {:g}", with_gamma, (0.5, 2)),
    ("ghost {:g}", ghosted, (0.3, 0.6)),
    ("near ghost {:g}", ghosted_nearby, (0.5,)),
    ("scalp {:g}", fat_suppressed, (0.4, 0.15)),
    ("{:g} markers", with_markers, (3,)),
    ("wedge {:g}°", with_wedge, (35, 70)),
    ("hole {:g} mm", with_hole, (28,)),
    ("clipped above {:g} %", clipped_above, (40,)),
    ("clipped below {:g} %", clipped_below, (40,)),
    ("spacing × {:g}", misread, (0.6, 1.6)),
)
_OF_THE_FRAME = (
    ("ends {:g} mm", without_ends, (8,)),
    ("side {:g} mm", without_side, (15,)),
)


def _by_name(kinds: tuple) -> dict[str, Treatment]:
    treatments = {}
    for name, degrade, amounts in kinds:
        for amount in amounts:
            treatments[name.format(amount)] = _at(degrade, amount)
    return treatments


DEGRADATIONS = _by_name(_OF_THE_SCAN) | {"inverted": inverted}
CROPS = _by_name(_OF_THE_FRAME) | {"lower half": lower_half, "right half": right_half}
