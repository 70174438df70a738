"""Unwrap the head: its brightness along rays around its centre, and the ways back to the image.

Every later stage works on what `unwrap` returns. Depth is counted inwards from the skin. Without a
spacing the head is its own ruler: its mean radius is taken to be `RADIUS_MM`.
"""

import warnings
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from .. import errors, masks
from ..borders import paint_over_border
from . import anatomy, grid, heads, intensity
from .grid import Places

# Mean radius of an adult head above the orbits
RADIUS_MM = 78.0
# A larger field of view means that the spacing is in another unit
MAX_FIELD_MM = 1000.0
# The skin is smoothed by a median filter of this width, then by a Gaussian filter: an outline is
# measured from the skin, and would repeat each of its steps
_SKIN_MEDIAN_ANGLES = 9
_SKIN_SIGMA_ANGLES = 4.0
# The brain is looked for within this share of the way from the centre to the skin
_BRAIN_SHARE = 0.6
# Every fourth ray shows how bright the brain is, and how even
BRAIN_RAYS = 4

_RIVALS = (
    "shows more than one head, only the largest is looked at; "
    "save each head as a picture of its own"
)


@dataclass(frozen=True)
class Unwrapped:
    """A head in polar coordinates.

    Attributes
    ----------
    brightness : ndarray of shape (ANGLES, D), float32
        Square root of the intensity, 1 in the brain. Row 0 points to the right and angles run
        clockwise; column d lies d steps below the skin.
    skin : ndarray of shape (ANGLES,), float64
        Distance of the skin from the centre [steps].
    centre : tuple of float
        Row and column of the head's centre on the grid.
    scale : tuple of float
        Grid steps per row and per column of the image.
    shape : tuple of int
        Rows and columns of the image.
    on_grid : ndarray of shape (H, W), float32
        Brightness of the slice on the grid, 0 … 1.
    head : ndarray of shape (H, W), uint8
        The head on the grid.
    cut : ndarray of shape (ANGLES,), bool
        Where the frame of the image cuts the head, so that its skin is the frame.
    alone : bool
        No other piece of the image is as large as a head.
    """

    brightness: np.ndarray
    skin: np.ndarray
    centre: tuple[float, float]
    scale: tuple[float, float]
    shape: tuple[int, int]
    on_grid: np.ndarray
    head: np.ndarray
    cut: np.ndarray
    alone: bool = True


def unwrap(
    image: np.ndarray,
    spacing_mm: tuple[float, float] | None = None,
) -> Unwrapped | None:
    """Find the head of a slice and unwrap it around its centre.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    spacing_mm : pair of float, optional
        Row and column spacing [mm]. Without it the head's size is the ruler, and pixels are taken
        to be square.

    Returns
    -------
    Unwrapped or None
        None if there is no head.

    Raises
    ------
    InputError
        If the image is no slice, if the spacing is not two positive numbers, or if the field of
        view exceeds `MAX_FIELD_MM`.

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> data = load("phantom")
    >>> unwrap(data.images[0], data.spacing_mm[0]).brightness.shape
    (360, 96)
    """
    image = intensity.stretched(errors.check_slice(image))  # a copy
    paint_over_border(image)
    scale = _grid_scale(image, spacing_mm)  # checks the spacing, even where there is only noise
    if intensity.is_noise(image):
        return None
    brightness = brightness_on_grid(image, scale)
    pieces = masks.label_components(heads.find_tissue(brightness))
    head = heads.head_of(pieces, brightness.shape)
    if not head.any():
        return None
    return _unwrapped(
        brightness,
        head,
        scale=_rounded_scale(head, image),
        shape=image.shape,
        alone=heads.is_alone(pieces),
    )


def _unwrapped(
    brightness: np.ndarray,
    head: np.ndarray,
    *,
    scale: tuple[float, float],
    shape: tuple[int, int],
    alone: bool,
) -> Unwrapped:
    """Unwrap a slice on the grid around the centre of its head."""
    centre = _centre_of(head)
    skin = _find_skin(head, centre)
    return Unwrapped(
        brightness=_unwrap_brightness(brightness, centre, skin),
        skin=skin,
        centre=centre,
        scale=scale,
        shape=shape,
        on_grid=brightness,
        head=head,
        cut=_is_at_frame(grid.places_at(centre, skin[:, None]), head.shape),
        alone=alone,
    )


def with_inside(unwrapped: Unwrapped, inside: np.ndarray) -> Unwrapped:
    """Correct the head by what lies inside of its skull, see `heads.around`, and unwrap it anew.

    Parameters
    ----------
    unwrapped : Unwrapped
    inside : ndarray of shape (H, W), uint8
        Of the shape of ``unwrapped.head``.

    Returns
    -------
    Unwrapped

    Examples
    --------
    >>> rows, columns = np.ogrid[-40:40, -40:40]
    >>> disc = np.hypot(rows, columns) < 30
    >>> dented = unwrap(disc & (abs(rows) + 18 > columns), (2, 2))  # the signal of a wedge is lost
    >>> inside = cv2.resize(np.uint8(disc), dented.head.shape[::-1])
    >>> mended = with_inside(dented, inside)
    >>> int(mended.head.sum()) > int(dented.head.sum())
    True
    """
    head = heads.around(unwrapped.head, inside)
    if np.array_equal(head, unwrapped.head):
        return unwrapped
    return _unwrapped(
        unwrapped.on_grid,
        head,
        scale=unwrapped.scale,
        shape=unwrapped.shape,
        alone=unwrapped.alone,
    )


def along_rays(unwrapped: Unwrapped, picture: np.ndarray) -> np.ndarray:
    """Sample a picture on the grid along the rays; beyond the centre it counts as 1.

    Parameters
    ----------
    unwrapped : Unwrapped
    picture : ndarray of shape (H, W), float32
        Of the shape of ``unwrapped.head``.

    Returns
    -------
    ndarray of shape (ANGLES, D), float32
        Of the shape of ``unwrapped.brightness``.

    Examples
    --------
    >>> disc = unwrap(np.hypot(*np.ogrid[-40:40, -40:40]) < 36, (2, 2))
    >>> along_rays(disc, np.float32(disc.head))[0, 4:].min()
    np.float32(1.0)
    """
    radii = unwrapped.skin[:, None] - np.arange(unwrapped.brightness.shape[1])
    rays = grid.sampled(picture, grid.places_at(unwrapped.centre, radii))
    rays[radii < 0] = 1
    return rays


def brightness_on_grid(
    image: np.ndarray,
    scale: tuple[float, float],
) -> np.ndarray:
    """Resample to the grid, as brightness: the square root of the intensity, scaled to 0 … 1.

    Parameters
    ----------
    image : ndarray of shape (H, W), float32
    scale : tuple of float
        Grid steps per row and per column of the image.

    Returns
    -------
    ndarray of float32
        Zeros if the image is flat.

    Examples
    --------
    >>> brightness_on_grid(np.float32([[0, 1], [4, 4]]), (1, 1)).round(1)
    array([[0. , 0.5],
           [1. , 1. ]], dtype=float32)
    """
    rows = max(1, round(image.shape[0] * scale[0]))
    columns = max(1, round(image.shape[1] * scale[1]))
    method = cv2.INTER_LINEAR
    if min(scale) < 0.5:  # else no pixel is passed over
        method = cv2.INTER_AREA
    values = grid.resized(image, rows, columns, method)
    low, high = intensity.limits(values).tolist()
    if low == high:
        return np.zeros_like(values)
    values -= low
    values /= high - low
    np.clip(values, 0, 1, out=values)
    return np.sqrt(values, out=values)


def warn_of_rivals(unwrapped: Unwrapped | None) -> None:
    """Warn if an image shows more than one head; v8 looks at the largest alone.

    Parameters
    ----------
    unwrapped : Unwrapped or None

    Warns
    -----
    InputWarning

    Examples
    --------
    >>> warn_of_rivals(None)
    """
    if unwrapped is not None and not unwrapped.alone:
        warnings.warn(_RIVALS, errors.InputWarning, stacklevel=3)


def _centre_of(head: np.ndarray) -> tuple[float, float]:
    """Find the row and the column of a head's centre of mass."""
    rows, columns = masks.bounding_box(head)
    moments = cv2.moments(head[rows, columns])
    row = rows.start + moments["m01"] / moments["m00"]
    column = columns.start + moments["m10"] / moments["m00"]
    return row, column


def _find_skin(
    head: np.ndarray,
    centre: tuple[float, float],
) -> np.ndarray:
    """Measure how far the head reaches from its centre at every angle [steps]."""
    row, column = centre
    rows, columns = masks.bounding_box(head)
    farthest_row = max(row - rows.start, rows.stop - 1 - row)
    farthest_column = max(column - columns.start, columns.stop - 1 - column)
    count = int(np.hypot(farthest_row, farthest_column)) + 2  # one place beyond all corners
    method = cv2.WARP_POLAR_LINEAR | cv2.INTER_NEAREST | cv2.WARP_FILL_OUTLIERS
    inside = cv2.warpPolar(head, (count, grid.ANGLES), (column, row), count, method)
    last_inside = count - 1.0 - inside[:, ::-1].argmax(axis=1)
    skin = np.where(inside.any(axis=1), last_inside, 0.0)
    skin = ndimage.median_filter(skin, _SKIN_MEDIAN_ANGLES, mode="wrap")
    return ndimage.gaussian_filter1d(skin, _SKIN_SIGMA_ANGLES, mode="wrap")


def _unwrap_brightness(
    brightness: np.ndarray,
    centre: tuple[float, float],
    skin: np.ndarray,
) -> np.ndarray:
    """Sample the brightness along rays from the skin inwards; 1 is the brain's brightness."""
    inner_radii = skin[::BRAIN_RAYS, None] * np.linspace(0, _BRAIN_SHARE, 40)
    inner_places = grid.places_at(centre, inner_radii, every=BRAIN_RAYS)
    inner = grid.sampled(brightness, inner_places)
    brain = max(float(np.median(inner)), 1 / 255)
    depths = np.arange(grid.steps(anatomy.MAX_SKULL_DEPTH_MM + anatomy.SKULL_THICKNESS_MM[-1]))
    radii = skin[:, None] - depths
    places = grid.places_at(centre, radii)
    rays = grid.sampled(brightness, places)
    rays /= np.float32(brain)
    rays[radii < 0] = 1
    return rays


def _is_at_frame(places: Places, shape: tuple[int, int]) -> np.ndarray:
    """Mark the angles whose place on the skin lies at the frame of the grid."""
    rows, columns = places
    height, width = shape
    beyond_rows = (rows < 1) | (rows > height - 2)
    beyond_columns = (columns < 1) | (columns > width - 2)
    return (beyond_rows | beyond_columns)[:, 0]


def _grid_scale(
    image: np.ndarray,
    spacing_mm: tuple[float, float] | None,
) -> tuple[float, float]:
    """Find the grid steps per row and column, from the spacing or else from the head's size."""
    if spacing_mm is None:
        return _scale_of_head(image)
    spacing = errors.check_spacing(spacing_mm)
    field_mm = max(image.shape * spacing)
    if field_mm > MAX_FIELD_MM:
        most = f"a field of view up to {MAX_FIELD_MM:g} mm"
        raise errors.InputError(f"expected {most}, got {field_mm:g} mm; is the spacing in mm?")
    return tuple(spacing / grid.STEP_MM)


def _scale_of_head(image: np.ndarray) -> tuple[float, float]:
    """Find the scale at which the head has the usual size."""
    usual = grid.steps(RADIUS_MM)
    coarse = 2 * usual / max(image.shape)  # as if the head filled the frame
    head = heads.find_head(brightness_on_grid(image, (coarse, coarse)))
    radius = np.sqrt(head.sum() / np.pi)
    fine = coarse * usual / max(radius, usual / 4)
    return fine, fine


def _rounded_scale(
    head: np.ndarray,
    image: np.ndarray,
) -> tuple[float, float]:
    """Return the scale that resampling to whole steps has left."""
    return head.shape[0] / image.shape[0], head.shape[1] / image.shape[1]


def in_image(unwrapped: Unwrapped, places: Places) -> Places:
    """Convert places on the grid to places in the image.

    Parameters
    ----------
    unwrapped : Unwrapped
    places : pair of ndarray
        Rows and columns [steps].

    Returns
    -------
    rows, columns : ndarray, float64
        Fractions of pixels; whole numbers are the centres of pixels.

    Examples
    --------
    >>> unwrapped = unwrap(np.pad(np.ones((24, 24)), 8), (1.0, 1.0))  # two steps a pixel
    >>> in_image(unwrapped, (np.array([0.5]), np.array([2.5])))
    (array([0.]), array([1.]))
    """
    rows, columns = places
    row_steps, column_steps = unwrapped.scale
    image_rows = (rows + 0.5) / row_steps - 0.5
    image_columns = (columns + 0.5) / column_steps - 0.5
    return image_rows, image_columns


def from_centre(unwrapped: Unwrapped, places: Places) -> Places:
    """Convert places in the image to distances from the head's centre on the grid.

    Parameters
    ----------
    unwrapped : Unwrapped
    places : pair of ndarray
        Rows and columns [pixels].

    Returns
    -------
    y, x : ndarray, float64
        Downwards and to the right [steps].

    Examples
    --------
    >>> unwrapped = unwrap(np.pad(np.ones((24, 24)), 8), (1.0, 1.0))  # two steps a pixel
    >>> from_centre(unwrapped, (np.array([19.5]), np.array([24.5])))
    (array([0.]), array([10.]))
    """
    rows, columns = places
    row_steps, column_steps = unwrapped.scale
    centre_row, centre_column = unwrapped.centre
    y = (rows + 0.5) * row_steps - 0.5 - centre_row
    x = (columns + 0.5) * column_steps - 0.5 - centre_column
    return y, x
