"""v8's primitives: the head unwrapped around its centre, and two nested closed paths in it.

Rays are sampled on a grid of `STEP_MM`, on which heads of any resolution look alike; air and tissue
are told apart on a coarser one. Depth is counted inwards from the skin. Without a spacing the head
is its own ruler: its mean radius is taken to be `RADIUS_MM`. `versions` puts the stages of v8
together; nothing here reads files or draws. It may import `borders`, `masks` and `errors`.
Primitives of a later version get a module like this one, and a place among the layers in
pyproject.toml.

The weights are rounded to one or two digits; ``data/real_weights.csv`` says what happens when one
of them is halved, raised by half or removed.
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from . import errors, masks
from .borders import without_border

# Rows and columns, as fractions of pixels or of grid steps
Places = tuple[np.ndarray, np.ndarray]
# Pieces of tissue: the label of every pixel and the area of every label, as `masks` counts them
Pieces = tuple[np.ndarray, np.ndarray]

# --- The grid ---
STEP_MM = 0.5
ANGLES = 360
# Mean radius of an adult head above the orbits
RADIUS_MM = 78.0
# A larger field of view means that the spacing is in another unit
MAX_FIELD_MM = 1000.0

# --- The head ---
# How far below the skin the skull may begin
DEPTH_MM = 36.0
MIN_SCALP_MM = 2.0
# Least, usual and greatest thickness of the dark layer below the skull's surface
SKULL_MM = (2.5, 5.0, 12.0)
# A piece of tissue may be a second head, and a doubtful slice show one, from this area on
HEAD_MM2 = 2800.0

# --- Quality ---
# A mask of lower quality should be looked at
TRUSTED = 0.35
# Neighbours whose quality is this many times higher pull a slice's outline
CLEARLY = 1.2
# A mask fits badly whose area changes by more than this share from slice to slice, as it does
# where thick slices cut the skull at a slant
_SLANTED = 0.2
# A quality that does not fit into its volume is multiplied by this, so that it is not trusted
_LOWERING = 0.9 * TRUSTED
# So many doubtful slices in a row part two stretches of trusted ones …
_GAP_SLICES = 3
# … of which one may be trusted if it is as long as this share of the longest
_VAULT_SHARE = 0.5

# --- The range of an image, and whether it shows anything ---
_RANGE_PERCENTILES = (0.5, 99.5)
# The range is taken from every eighth row and column, unless fewer than 64 would remain
_SAMPLE_EVERY = 8
_SAMPLE_PX = 64
# Smaller numbers are less exact in float32
_MIN_FLOAT32 = float(np.finfo(np.float32).tiny)
# An image that varies by fewer rounding errors than this is flat
_MIN_RANGE_ROUNDINGS = 16
# Values are kept within this many times the range
_FAR = 1000.0
# Noise is recognised by the means of blocks, at best so many along the longer side …
_BLOCKS = 12
# … and at least so many along the shorter side
_MIN_BLOCKS = 3
_MIN_BLOCK_PX = 4
# In noise their variance is below this share of the pixels' variance …
_NOISE_SHARE = 0.1
# … and below this share of the variance of blocks half as wide
_NOISE_FALL = 0.35
# Every fourth row shows how much the pixels vary
_NOISE_ROWS = 4

# --- Air and tissue ---
# Air and tissue are told apart on a coarser grid
_TISSUE_STEP_MM = 1.0
_BLUR_MM = 1.0
# Air is darker than this share of the tissue's median brightness
_AIR_SHARE = 0.35
# Narrower gaps in the skin are closed
_CLOSING_MM = 5.0
# Brightness that spreads further along the frame, as a share of its median, comes from tissue
_MAX_FRAME_SPREAD = 0.6
# Blurred noise in the air rarely exceeds this many standard deviations
_NOISE_DEVIATIONS = 2.0
# The skin is smoothed by a median filter of this width, then by a Gaussian filter: an outline is
# measured from the skin, and would repeat each of its steps
_SKIN_MEDIAN_ANGLES = 9
_SKIN_SIGMA_ANGLES = 4.0
# The brain is looked for within this share of the way from the centre to the skin
_BRAIN_SHARE = 0.6
# Every fourth ray shows how bright the brain is, and how even
_BRAIN_RAYS = 4

# --- More than one head ---
_RIVALS = (
    "shows more than one head, only the largest is looked at; "
    "save each head as a picture of its own"
)
# A second piece may be a head if it has this share of the largest one's area
_RIVAL_SHARE = 0.2
# Longer side of the small copy in which several heads are looked for
_GLANCE_PX = 128

# --- The cost of the skull's surface and of the inner edge ---
# Differences beyond these shares of the brain's brightness do not count
_DARKEST = 0.1
_BRIGHTEST = 1.2
# How far below the skin the dark layer may end
_INNER_EDGE_MM = 40.0
# Scalp and bone are averaged this far on either side of the surface
_SURFACE_WINDOW_MM = 1.0
# A higher step from scalp to bone counts no more than this one
_HIGHEST_STEP = 0.15
# Bone, and what is bright, are averaged this far on either side of the inner edge
_BONE_WINDOW_MM = 1.0
_BRIGHT_WINDOW_MM = 3.0
# Weights of the bone's darkness and of the step at the inner edge
_DARKNESS_WEIGHT = 0.5
_INNER_EDGE_WEIGHT = 0.4
# Costs per mm below the skin, and per mm off the usual thickness of the dark layer
_DEPTH_COST_PER_MM = 0.006
_THICKNESS_COST_PER_MM = 0.012
# Cost of taking the frame for the surface where it cuts the head
_FRAME_COST = 0.18
_THIN_SCALP_COST = 5.0
# So many neighbouring rays are averaged
_RAYS_MERGED = 2
# From one merged ray to the next: cost of one step of both edges, and of one step in thickness
_BEND_COST = 0.1
_THICKENING_COST = 0.03
# The paths go on for so many merged rays before and after a turn
_OVERLAP_RAYS = 20
# Cost per mm beyond the neighbouring slices' outlines, up to this distance
_NEIGHBOUR_COST_PER_MM = 0.3
_MAX_NEIGHBOUR_MM = 4.0
# Outlines that differ by less on average have the same shape
_SAME_SHAPE_MM = 0.1

# --- The outline ---
# An outline lies this close to the path
_OUTLINE_REACH_MM = 2.0
_OUTLINE_MEDIAN_ANGLES = 5
_OUTLINE_SIGMA_ANGLES = 2.0
# It is filled as a polygon with this many corners for every angle of the grid …
_FINE_ANGLES = 4
# … at fractions of pixels
_FRACTION_BITS = 8
# An outline leaps where it moves in or out by more than it moves on
_STEEP = 1.0
# Pixels that the polygon touches lie this close to pixels outside of it
_TOUCHING = np.ones((5, 5), np.uint8)

# --- Trust ---
# Brightness is compared this far on either side of an outline
_CONTRAST_WINDOW_MM = 1.5
# An outline of this contrast is sharp beyond doubt; no place makes up for another one's lack of it
_SHARP_CONTRAST = 0.12
# So many neighbouring rays are averaged: noise cancels out, and an edge across them stays
_ARC_ANGLES = 4
# Scalp of this thickness is usual; towards `MIN_SCALP_MM` it becomes less and less plausible
_USUAL_SCALP_MM = 4.0
# A skull's outline rarely needs more harmonics, the constant included …
_HARMONICS = 10
# … and an outline this far off them is trusted e times less
_ROUGH_MM = 0.75
# Whole pixels draw a staircase around a smooth outline, off it by this share of their width
_STAIRCASE = 1 / 8
# The surface's price is looked up this far on either side of an outline
_ALONG_MM = 0.75
# A rival is an edge so far outside of an outline that is cheaper as a surface by so much
_RIVAL_DISTANCE_MM = 2.5
_RIVAL_ADVANTAGE = 0.04
# Bone lies this far below the skull's surface …
_BONE_REACH_MM = 2.5
# … and at these depths below it something is dark: bone still, the inner table, or fluid
_DARK_REACH_MM = (3.0, 10.0)
# The scalp's thickness differs by less than this between left and right
_LOPSIDED_MM = 2.0
# A doubt that holds all around takes this share of the quality
_DOUBT_SHARE = 0.5
# This far below the skin there is brain
_BRAIN_DEPTH_MM = 30.0
# On CT the brain is more even than this, and bone this many times as bright as the brain
_CT_BRAIN_SPREAD = 0.08
_CT_BONE = 1.2
# The shell is averaged along the rays over this length
_CT_WINDOW_MM = 1.5


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
    head: np.ndarray
    cut: np.ndarray
    alone: bool = True


# --- Find the head -------------------------------------------------------------------------------


def find_head(brightness: np.ndarray) -> np.ndarray:
    """Find the head: everything but air. Holes are filled *before* the largest piece is taken.

    Parameters
    ----------
    brightness : ndarray of shape (H, W), float32, 0 … 1
        On the grid of `STEP_MM`.

    Returns
    -------
    ndarray of shape (H, W), uint8
        Empty if there is no contrast.

    Examples
    --------
    >>> ring = np.zeros((60, 60), np.float32)
    >>> ring[10:50, 10:50] = 0.8  # scalp
    >>> ring[20:40, 20:40] = 0.0  # bone
    >>> ring[25:35, 25:35] = 1.0  # brain
    >>> bool(find_head(ring)[30, 22])
    True
    """
    pieces = masks.label_components(_find_tissue(brightness))
    return _head_of(pieces, brightness.shape)


def _head_of(pieces: Pieces, shape: tuple[int, int]) -> np.ndarray:
    """Take the largest piece of tissue, fill its holes and bring it to the grid of `STEP_MM`."""
    head = masks.fill_holes(masks.largest_of(*pieces))
    on_grid = _resized(255 * head, *shape, cv2.INTER_LINEAR)
    return (on_grid > 127).astype(np.uint8)


def _find_tissue(brightness: np.ndarray) -> np.ndarray:
    """Mark everything but air, with holes filled and thin structures removed.

    The grid of the result is that of `_TISSUE_STEP_MM`.
    """
    rows, columns = brightness.shape
    coarseness = _TISSUE_STEP_MM / STEP_MM
    coarse_rows = max(1, round(rows / coarseness))
    coarse_columns = max(1, round(columns / coarseness))
    coarse = _resized(brightness, coarse_rows, coarse_columns, cv2.INTER_LINEAR)
    blurred = cv2.GaussianBlur(coarse, (0, 0), _BLUR_MM / _TISSUE_STEP_MM)
    gray = (blurred * 255).astype(np.uint8)
    above = _above_air(gray)
    if not above.any():
        return above
    width = round(_CLOSING_MM / _TISSUE_STEP_MM)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    padded = np.pad(above, width)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, element)
    filled = masks.fill_holes(closed)
    opened = cv2.morphologyEx(filled, cv2.MORPH_OPEN, element)
    return opened[width:-width, width:-width]


def _above_air(gray: np.ndarray) -> np.ndarray:
    """Mark what is brighter than air; nothing where there is no contrast."""
    threshold = masks.otsu_threshold(gray)
    tissue = gray[gray > threshold]
    if tissue.size in (0, gray.size):
        return np.zeros_like(gray)
    dark = gray[gray <= threshold]
    # A second threshold separates air from dim tissue
    air = masks.otsu_threshold(dark[None])
    dim = _AIR_SHARE * np.median(tissue)
    noise = _noise_level(gray, threshold)
    level = max(air, dim, noise)
    return (gray > level).astype(np.uint8)


def _noise_level(gray: np.ndarray, tissue: float) -> float:
    """Estimate what noise in the air rarely exceeds; 0 where the frame runs through tissue."""
    sides = [gray[0], gray[-1], gray[:, 0], gray[:, -1]]
    along_frame = np.concatenate(sides)
    middle, upper = np.percentile(along_frame, (50, 75))
    distances = np.abs(along_frame - middle)
    deviation = 1.4826 * np.median(distances)  # robust against outliers
    if upper > tissue or deviation > _MAX_FRAME_SPREAD * middle:
        return 0.0
    return float(min(middle + _NOISE_DEVIATIONS * deviation, tissue))


# --- More than one head --------------------------------------------------------------------------


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


def may_have_rivals(image: np.ndarray) -> bool:
    """Check at a glance whether an image may show more than one head.

    `unwrap` is sure, but takes many times as long.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    bool
        Rarely True for an image of a single head. Heads that touch count as one.

    Raises
    ------
    InputError
        If the image is no slice.

    Examples
    --------
    >>> head = np.pad(np.full((60, 50), 100.0), 10)
    >>> may_have_rivals(head), may_have_rivals(np.hstack([head, head]))
    (False, True)
    """
    small = _shrunken(errors.check_slice(image))
    gray = (np.clip(_stretched(small), 0, 1) * 255).astype(np.uint8)
    tissue = masks.fill_holes(_above_air(gray))
    head_px, rival_px = _two_largest_px(masks.label_components(tissue))
    return 0 < rival_px >= _RIVAL_SHARE / 2 * head_px


def _shrunken(image: np.ndarray) -> np.ndarray:
    """Shrink an image to `_GLANCE_PX` along its longer side, if it is larger."""
    height, width = image.shape
    factor = _GLANCE_PX / max(height, width)
    if factor >= 1:
        return image
    rows = max(1, round(height * factor))
    columns = max(1, round(width * factor))
    precision = np.float64 if image.itemsize > 4 else np.float32
    values = np.ascontiguousarray(image, precision)
    return _resized(values, rows, columns, cv2.INTER_AREA)


def _is_alone(pieces: Pieces) -> bool:
    """Check that no second piece of tissue is as large as a head."""
    head_px, rival_px = _two_largest_px(pieces)
    return rival_px < max(_RIVAL_SHARE * head_px, HEAD_MM2 / _TISSUE_STEP_MM**2)


def _two_largest_px(pieces: Pieces) -> tuple[int, int]:
    """Return the areas of the two largest pieces; 0 for a piece that does not exist."""
    _, areas_px = pieces
    of_pieces = np.sort(areas_px[1:])
    second, first = np.concatenate([[0, 0], of_pieces])[-2:].tolist()
    return first, second


# --- Unwrap it -----------------------------------------------------------------------------------


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
    image = without_border(_stretched(errors.check_slice(image)))
    scale = _grid_scale(image, spacing_mm)  # checks the spacing, even where there is only noise
    if _is_noise(image):
        return None
    brightness = _on_grid(image, scale)
    pieces = masks.label_components(_find_tissue(brightness))
    head = _head_of(pieces, brightness.shape)
    if not head.any():
        return None
    centre = _centre_of(head)
    skin = _find_skin(head, centre)
    return Unwrapped(
        brightness=_unwrap_brightness(brightness, centre, skin),
        skin=skin,
        centre=centre,
        scale=_rounded_scale(head, image),
        shape=image.shape,
        head=head,
        cut=_is_at_frame(_places(centre, skin[:, None]), head.shape),
        alone=_is_alone(pieces),
    )


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
    inside = cv2.warpPolar(head, (count, ANGLES), (column, row), count, method)
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
    inner_radii = skin[:, None] * np.linspace(0, _BRAIN_SHARE, 40)
    rows, columns = _places(centre, inner_radii)
    inner = _sampled(brightness, (rows[::_BRAIN_RAYS], columns[::_BRAIN_RAYS]))
    brain = max(float(np.median(inner)), 1 / 255)
    depths = np.arange(_steps(DEPTH_MM + SKULL_MM[-1]))
    radii = skin[:, None] - depths
    places = _places(centre, radii)
    rays = _sampled(brightness, places)
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


def _stretched(image: np.ndarray) -> np.ndarray:
    """Scale the range of an image to 0 … 1, extremes beyond it; a flat image becomes zeros.

    The result is float32.
    """
    low, high = _limits(image)
    largest = max(abs(low), abs(high))
    rounding = 0.0
    if image.dtype.kind == "f":
        rounding = np.finfo(image.dtype).eps * largest
    if high - low <= _MIN_RANGE_ROUNDINGS * rounding:
        return np.zeros(image.shape, np.float32)
    precision = np.result_type(image, np.float32)
    if largest < _MIN_FLOAT32:
        precision = np.dtype(np.float64)
    with np.errstate(over="ignore"):  # single pixels far beyond the range are clipped below
        # Divide first, for the range itself may be too large for a float
        stretched = np.divide(image, largest, dtype=precision)
        stretched -= low / largest
        stretched /= high / largest - low / largest
    np.clip(stretched, -_FAR, _FAR, out=stretched)
    return stretched.astype(np.float32, copy=False)


def contrast(image: np.ndarray) -> float:
    """Measure how far the values of an image lie apart, without its extremes.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    float
        In the unit of the image.

    Examples
    --------
    >>> contrast(np.pad(np.full((30, 30), 7), 10))
    7.0
    """
    low, high = _limits(image)
    return float(high) - float(low)


def _limits(image: np.ndarray) -> np.ndarray:
    """Find the range of an image without its extremes, from a sample of its pixels."""
    every = int(np.clip(min(image.shape) // _SAMPLE_PX, 1, _SAMPLE_EVERY))
    sample = image[::every, ::every].astype(np.float64)
    return np.percentile(sample, _RANGE_PERCENTILES)


def _is_noise(image: np.ndarray) -> bool:
    """Tell noise from an image that shows something.

    The means of blocks hardly differ where there is only noise, and the larger the blocks, the
    less: their variance falls to a quarter as their width doubles. Where an image shows something,
    it falls far less.
    """
    width_px = _block_width_px(image.shape)
    rows = image.shape[0] // width_px
    columns = image.shape[1] // width_px
    if min(rows, columns) < _MIN_BLOCKS:
        return False
    whole_blocks = image[: rows * width_px, : columns * width_px]
    clipped = np.clip(whole_blocks, 0, 1)
    halves = _means_of_blocks(clipped, width_px // 2)
    blocks = _means_of_blocks(halves, 2)
    is_small = blocks.var() < _NOISE_SHARE * clipped[::_NOISE_ROWS].var()
    is_falling = blocks.var() < _NOISE_FALL * halves.var()
    return bool(is_small and is_falling)


def _block_width_px(shape: tuple[int, int]) -> int:
    """Choose an even width, for about `_BLOCKS` blocks along the longer side."""
    wanted = -(-max(shape) // _BLOCKS)
    width = min(wanted, min(shape) // _MIN_BLOCKS)
    return max(_MIN_BLOCK_PX, width - width % 2)


def _means_of_blocks(image: np.ndarray, width_px: int) -> np.ndarray:
    """Average square blocks of an image whose sides are multiples of their width."""
    rows = image.shape[0] // width_px
    columns = image.shape[1] // width_px
    in_rows = image.reshape(rows, width_px, -1).mean(axis=1)
    return in_rows.reshape(rows, columns, width_px).mean(axis=2)


# --- Price, path and outline ---------------------------------------------------------------------


def merge_rays(values: np.ndarray) -> np.ndarray:
    """Average every two neighbouring rays: less noise, and half the work for the paths.

    Parameters
    ----------
    values : ndarray of shape (A, …)
        A is even.

    Returns
    -------
    ndarray of shape (A / 2, …)

    Examples
    --------
    >>> merge_rays(np.array([[1.0, 2.0], [3.0, 6.0]]))
    array([[2., 4.]])
    """
    pairs = values.reshape(-1, _RAYS_MERGED, *values.shape[1:])
    return pairs.mean(axis=1)


def spread_path(path: np.ndarray) -> np.ndarray:
    """Bring a path along merged rays back to all rays.

    Parameters
    ----------
    path : ndarray of shape (A / 2,)

    Returns
    -------
    ndarray of shape (A,), int

    Examples
    --------
    >>> spread_path(np.array([4, 8, 8, 4]))
    array([4, 5, 7, 8, 8, 7, 5, 4])
    """
    count = _RAYS_MERGED * len(path)
    middles = _RAYS_MERGED * np.arange(len(path)) + (_RAYS_MERGED - 1) / 2
    return np.rint(np.interp(np.arange(count), middles, path, period=count)).astype(int)


def surface_cost(
    brightness: np.ndarray,
    cut: np.ndarray | bool = False,
) -> np.ndarray:
    """Price every place as the skull's outer surface: scalp outside, dark bone inside.

    The step from scalp to bone counts up to a limit, so that the step from bright fat to dark
    muscle outweighs no other. Of equally good places the one nearer to the skin is cheaper.

    Parameters
    ----------
    brightness : ndarray of shape (A, D), float32
        See `Unwrapped`.
    cut : ndarray of shape (A,), bool
        Where the frame cuts the head. There the surface may be the frame, if no edge is inside.

    Returns
    -------
    ndarray of shape (A, D), float32
        Lower is better.

    Examples
    --------
    >>> ray = np.ones((1, 96), np.float32)
    >>> ray[0, 12:20] = 0.2  # scalp down to 6 mm, then 4 mm of bone
    >>> int(surface_cost(ray).argmin())
    12
    """
    sums = _running_sums(brightness)
    place = np.arange(brightness.shape[1])
    window = _steps(_SURFACE_WINDOW_MM)
    outside = _mean_between(sums, place - window, place)
    bone = _mean_between(sums, place, place + window)
    step = np.minimum(outside - bone, _HIGHEST_STEP)
    depth = np.float32(_DEPTH_COST_PER_MM * STEP_MM) * place
    cost = _DARKNESS_WEIGHT * bone - step + depth
    near_skin = np.where(cut, _FRAME_COST, _THIN_SCALP_COST)
    cost[:, : _steps(MIN_SCALP_MM)] = near_skin[..., None]
    return cost.astype(np.float32, copy=False)


def inner_edge_cost(brightness: np.ndarray) -> np.ndarray:
    """Price every place as the inner edge of the dark layer: bone outside, something bright inside.

    What is bright is the brain, or the marrow where it is thick. What is brighter than the brain
    counts as bright as the brain.

    Parameters
    ----------
    brightness : ndarray of shape (A, D), float32
        See `Unwrapped`.

    Returns
    -------
    ndarray of shape (A, D), float32
        Lower is better.

    Examples
    --------
    >>> ray = np.ones((1, 96), np.float32)
    >>> ray[0, 12:20] = 0.2  # scalp down to 6 mm, then 4 mm of bone
    >>> int(inner_edge_cost(ray)[0, 13:].argmin()) + 13
    20
    """
    sums = _running_sums(brightness)
    place = np.arange(brightness.shape[1])
    bone = _mean_between(sums, place - _steps(_BONE_WINDOW_MM), place)
    bright = _mean_between(sums, place, place + _steps(_BRIGHT_WINDOW_MM))
    return _INNER_EDGE_WEIGHT * (bone - np.minimum(bright, 1))


def _running_sums(brightness: np.ndarray) -> np.ndarray:
    """Sum up the logarithm of brightness along every ray, from 0."""
    level = _log_brightness(brightness)
    padded = np.pad(level, ((0, 0), (1, 0)))
    return np.cumsum(padded, axis=1)


def _log_brightness(brightness: np.ndarray) -> np.ndarray:
    """Scale brightness so that ratios count: 0 is black, 1 the brain."""
    visible = np.minimum(brightness, _BRIGHTEST) + _DARKEST
    return 1 + np.log(visible) / np.log(1 + 1 / _DARKEST)


def _mean_between(
    sums: np.ndarray,
    start: np.ndarray,
    stop: np.ndarray,
) -> np.ndarray:
    """Average along every ray from ``start`` to before ``stop``, by running sums from 0."""
    last = sums.shape[1] - 1
    start = np.clip(start, 0, last)
    stop = np.clip(stop, 0, last)
    count = np.maximum(stop - start, 1).astype(np.float32)
    return (sums[:, stop] - sums[:, start]) / count


def nested_paths(
    surface: np.ndarray,
    inner_edge: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Find two closed paths, one inside the other, that are cheapest together.

    They are the two edges of a dark layer whose thickness lies within `SKULL_MM`; the usual
    thickness is cheapest. From ray to ray the inner edge moves by at most one step, and the
    thickness changes by at most one, so the surface moves by at most two. Both moves have a price.

    Parameters
    ----------
    surface, inner_edge : ndarray of shape (A, D), float32
        Prices, as from `surface_cost` and `inner_edge_cost`; D exceeds the least thickness of
        `SKULL_MM` [steps].

    Returns
    -------
    surface, inner_edge : ndarray of shape (A,), int
        The two columns of every row. Both paths are closed.

    References
    ----------
    K. Li, X. Wu, D. Z. Chen, M. Sonka, "Optimal surface segmentation in volumetric images: a
    graph-theoretic approach", IEEE Transactions on Pattern Analysis and Machine Intelligence
    28(1):119–134, 2006, for coupled surfaces. C. Sun, S. Pallottino, "Circular shortest path in
    images", Pattern Recognition 36(3):709–719, 2003, for closed paths: the paths are followed a
    little further than once around. If they do not meet themselves, a second turn finds the
    cheapest ones that begin and end where the first ones cross the opposite ray.

    Examples
    --------
    >>> surface = np.zeros((6, 40), np.float32)
    >>> inner_edge = np.zeros((6, 40), np.float32)
    >>> surface[:, 9] = -1
    >>> inner_edge[:, 17] = -1
    >>> nested_paths(surface, inner_edge)
    (array([9, 9, 9, 9, 9, 9]), array([17, 17, 17, 17, 17, 17]))
    """
    thicknesses = np.arange(_steps(SKULL_MM[0]), _steps(SKULL_MM[-1]) + 1)
    cost = _cost_of_pairs(surface, inner_edge, thicknesses)
    rays, _, width = cost.shape
    cost = cost.reshape(rays, -1)
    more_than_a_turn = np.arange(-_OVERLAP_RAYS, rays + _OVERLAP_RAYS + 1) % rays
    pairs = _cheapest_path(cost, more_than_a_turn, width)[_OVERLAP_RAYS:-_OVERLAP_RAYS]
    if pairs[0] != pairs[-1]:
        half = rays // 2
        turn = np.arange(half, half + rays + 1) % rays
        pairs = np.roll(_cheapest_path(cost, turn, width, pairs[half])[:-1], half)
    index, depth = np.divmod(pairs[:rays], width)
    return depth - thicknesses[index], depth


def _cost_of_pairs(
    surface: np.ndarray,
    inner_edge: np.ndarray,
    thicknesses: np.ndarray,
) -> np.ndarray:
    """Price every thickness with every depth of the inner edge: (rays, thicknesses, depths + 1).

    After the depths of each thickness follows a wall, of infinite price.
    """
    rays, count = surface.shape
    count = min(count, _steps(_INNER_EDGE_MM) + 1)
    shallow = surface[:, : min(count, _steps(DEPTH_MM) + 1)]
    room = ((0, 0), (thicknesses[-1], count - shallow.shape[1]))
    padded = np.pad(shallow, room, constant_values=np.inf)
    # Of the windows into a ray, that of a thickness begins so much nearer to the skin
    windows = np.lib.stride_tricks.sliding_window_view(padded, count, axis=1)
    off_mm = STEP_MM * thicknesses - SKULL_MM[1]
    unusual = (_THICKNESS_COST_PER_MM * np.abs(off_mm)).astype(np.float32)
    cost = np.full((rays, len(thicknesses), count + 1), np.inf, np.float32)
    pairs = cost[..., :-1]
    np.add(windows[:, thicknesses[-1] - thicknesses], inner_edge[:, None, :count], out=pairs)
    pairs += unusual[:, None]
    return cost


def _cheapest_path(
    cost: np.ndarray,
    turn: np.ndarray,
    width: int,
    end: int | None = None,
) -> np.ndarray:
    """Find the cheapest pairs along the rays of a turn, from ``end`` to ``end`` if it is given.

    A pair is the number ``thickness * width + depth`` of a thickness and a depth.
    """
    first = cost[turn[0]]
    if end is not None:
        first = np.full_like(first, np.inf)
        first[end] = 0
    totals = _cheapest_totals(first, cost, turn[1:], width)
    last = totals[-1].argmin() if end is None else end + width
    return _trace_back(totals, last, width) - width


def _cheapest_totals(
    first: np.ndarray,
    cost: np.ndarray,
    turn: np.ndarray,
    width: int,
) -> np.ndarray:
    """Add up, for every pair of edges, the cheapest way there from the first ray.

    A row has a wall of ``width`` on either side, so that all neighbours of a pair lie in it.
    """
    count = len(first)
    totals = np.full((len(turn) + 1, count + 2 * width), np.inf, np.float32)
    middle = slice(width, width + count)
    totals[0, middle] = first
    shifted = np.full(count + 2, np.inf, np.float32)
    moved = np.empty(count, np.float32)
    for before, after, ray in zip(totals[:-1], totals[1:], turn, strict=True):
        np.minimum(before[:count], before[2 * width :], out=moved)
        np.add(moved, _THICKENING_COST, out=moved)
        np.minimum(moved, before[middle], out=shifted[1:-1])
        np.minimum(shifted[:-2], shifted[2:], out=moved)
        np.add(moved, _BEND_COST, out=moved)
        np.minimum(moved, shifted[1:-1], out=moved)
        np.add(moved, cost[ray], out=after[middle])
    return totals


def _trace_back(totals: np.ndarray, last: int, width: int) -> np.ndarray:
    """Walk back from a pair on the last ray to the first ray, the cheapest way."""
    thickenings, bends = np.mgrid[-1:2, -1:2].reshape(2, -1)
    moves = width * thickenings + bends
    prices = _BEND_COST * np.abs(bends) + _THICKENING_COST * np.abs(thickenings)
    prices = prices.astype(np.float32)
    pairs = np.empty(len(totals), int)
    pairs[-1] = last
    for ray in range(len(totals) - 1, 0, -1):
        near = totals[ray - 1, pairs[ray] + moves]
        pairs[ray - 1] = pairs[ray] + moves[(near + prices).argmin()]
    return pairs


def half_maximum(
    brightness: np.ndarray,
    path: np.ndarray,
    cut: np.ndarray | bool = False,
) -> np.ndarray:
    """Move a path to where the brightness is halfway from scalp to bone, and smooth it.

    Parameters
    ----------
    brightness : ndarray of shape (A, D)
        See `Unwrapped`; what is brighter than the brain counts as bright as the brain.
    path : ndarray of shape (A,), int
    cut : ndarray of shape (A,), bool
        Where the frame cuts the head.

    Returns
    -------
    ndarray of shape (A,), float64
        Depths in fractions of steps, at most about 2 mm off ``path``. They are −1, beyond the
        frame, where the path follows the frame.

    Examples
    --------
    >>> rays = np.tile(np.float32([1, 1, 1, 1, 0.8, 0.4, 0.2, 0.2, 0.2, 0.2]), (8, 1))
    >>> half_maximum(rays, np.full(8, 5))[0].round(2)
    np.float64(4.5)
    """
    reach = _steps(_OUTLINE_REACH_MM)
    columns = path[:, None] + np.arange(-reach, reach + 1)
    columns = np.clip(columns, 0, brightness.shape[1] - 1)
    near = np.take_along_axis(brightness, columns, axis=1)
    near = np.minimum(near, 1)
    scalp = near[:, : reach + 1].max(axis=1, keepdims=True)
    bone = near[:, reach:].min(axis=1, keepdims=True)
    shift = _nearest_fall(near, (scalp + bone) / 2)
    shift = ndimage.median_filter(shift, _OUTLINE_MEDIAN_ANGLES, mode="wrap")
    depth = ndimage.gaussian_filter1d(path + shift, _OUTLINE_SIGMA_ANGLES, mode="wrap")
    is_frame = cut & (path < _steps(MIN_SCALP_MM))
    return np.where(is_frame, -1.0, depth)


def _nearest_fall(near: np.ndarray, half: np.ndarray) -> np.ndarray:
    """Find where each ray falls below ``half`` nearest to its middle, from there [steps]."""
    reach = near.shape[1] // 2
    offsets = np.arange(-reach, reach)
    falls = (near[:, :-1] >= half) & (near[:, 1:] < half)
    distance = np.where(falls, np.abs(offsets + 0.5), np.inf)
    nearest = distance.argmin(axis=1)[:, None]
    before = np.take_along_axis(near, nearest, axis=1)
    after = np.take_along_axis(near, nearest + 1, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = offsets[nearest] + (before - half) / (before - after)
    return np.where(falls.any(axis=1, keepdims=True), shift, 0)[:, 0]


def fill_outline(unwrapped: Unwrapped, depth: np.ndarray) -> np.ndarray:
    """Mark the pixels of the image whose centre lies inside an outline.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin [steps].

    Returns
    -------
    ndarray of shape (H, W), uint8
        Of the image's shape.

    Examples
    --------
    >>> square = np.pad(np.ones((24, 24)), 8)
    >>> unwrapped = unwrap(square, (1.0, 1.0))
    >>> disc = fill_outline(unwrapped, unwrapped.skin - 10.0)  # with a radius of 5 mm
    >>> int(disc.sum())
    80
    """
    fine_angles = np.arange(_FINE_ANGLES * ANGLES) / _FINE_ANGLES
    radius = np.maximum(unwrapped.skin - depth, 0)
    radius = np.interp(fine_angles, np.arange(ANGLES), radius, period=ANGLES)
    angle = fine_angles * (2 * np.pi / ANGLES)  # [radians]
    row, column = unwrapped.centre
    places = row + np.sin(angle) * radius, column + np.cos(angle) * radius
    corner_rows, corner_columns = _in_image(unwrapped, places)
    corners = np.stack([corner_columns, corner_rows], axis=1)  # OpenCV's (x, y)
    corners = np.rint(corners * 2**_FRACTION_BITS).astype(np.int32)
    filled = np.zeros(unwrapped.shape, np.uint8)
    cv2.fillPoly(filled, [corners], 1, shift=_FRACTION_BITS)
    # OpenCV also fills pixels that the outline merely touches
    box_rows, box_columns = masks.bounding_box(filled)
    box = filled[box_rows, box_columns]
    touched = box > cv2.erode(box, _TOUCHING, borderValue=0)
    rows, columns = np.nonzero(touched)
    rows += box_rows.start
    columns += box_columns.start
    y, x = _from_centre(unwrapped, (rows, columns))
    pixel_angle = np.arctan2(y, x) * (ANGLES / 2 / np.pi)
    radius_there = np.interp(pixel_angle, fine_angles, radius, period=ANGLES)
    filled[rows, columns] = np.hypot(y, x) <= radius_there
    return filled


def leaps(unwrapped: Unwrapped, depth: np.ndarray) -> bool:
    """Check whether an outline leaps from ray to ray, so that it may not fill in one piece.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin [steps].

    Returns
    -------
    bool

    Examples
    --------
    >>> unwrapped = unwrap(np.pad(np.ones((24, 24)), 8), (1.0, 1.0))
    >>> leaps(unwrapped, unwrapped.skin - 10.0), leaps(unwrapped, np.arange(ANGLES) % 9)
    (False, True)
    """
    radius = unwrapped.skin - depth
    along = np.maximum(radius, 1) * 2 * np.pi / ANGLES  # from ray to ray [steps]
    slope = np.abs(np.diff(radius, append=radius[0])) / along
    return bool(slope.max() > _STEEP)


def outline(unwrapped: Unwrapped, depth: np.ndarray) -> Places:
    """Locate an outline in the image.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin [steps].

    Returns
    -------
    rows, columns : ndarray of shape (ANGLES,), float64
        Fractions of pixels; whole numbers are the centres of pixels.

    Examples
    --------
    >>> square = np.pad(np.ones((24, 24)), 8)
    >>> unwrapped = unwrap(square, (1.0, 1.0))
    >>> rows, columns = outline(unwrapped, unwrapped.skin - 10.0)  # a circle 10 mm wide
    >>> float(rows[90] - rows[270]), float(columns[0] - columns[180])
    (10.0, 10.0)
    """
    radii = (unwrapped.skin - depth)[:, None]
    places = _places(unwrapped.centre, radii)
    rows, columns = _in_image(unwrapped, places)
    return rows[:, 0], columns[:, 0]


def neighbour_cost(
    unwrapped: Unwrapped,
    outlines: Iterable[Places],
    count: int,
) -> np.ndarray:
    """Price the distance from the outlines of neighbouring slices: a soft prior.

    Parameters
    ----------
    unwrapped : Unwrapped
    outlines : iterable of pairs of ndarray
        Rows and columns, as from `outline`, of the slices on either side.
    count : int
        Number of depths to price.

    Returns
    -------
    ndarray of shape (ANGLES, count), float64
        0 on the outlines and between them; from 4 mm off it grows no further.

    Examples
    --------
    >>> square = np.pad(np.ones((24, 24)), 8)
    >>> unwrapped = unwrap(square, (1.0, 1.0))
    >>> near = outline(unwrapped, np.full(ANGLES, 7.0))
    >>> int(neighbour_cost(unwrapped, [near, near], 20)[0].argmin())
    7
    """
    radii = _radii_of(outlines, unwrapped)
    depths = np.arange(count)
    above = (unwrapped.skin - radii.max(axis=0))[:, None] - depths
    below = depths - (unwrapped.skin - radii.min(axis=0))[:, None]
    off_mm = STEP_MM * np.maximum(np.maximum(above, below), 0)
    return _NEIGHBOUR_COST_PER_MM * np.minimum(off_mm, _MAX_NEIGHBOUR_MM)


def is_odd(
    unwrapped: Unwrapped,
    depth: np.ndarray,
    outlines: Iterable[Places],
) -> bool:
    """Check whether an outline is the odd one out beside those of its two neighbours.

    It is odd if it differs from their mean by more than they differ from each other, and by more
    than 0.1 mm. Only shape matters, not size: the same change on all rays does not count.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin [steps].
    outlines : iterable of two pairs of ndarray
        Rows and columns, as from `outline`, of the slices on either side.

    Returns
    -------
    bool

    Examples
    --------
    >>> square = np.pad(np.ones((24, 24)), 8)
    >>> unwrapped = unwrap(square, (1.0, 1.0))
    >>> even = np.full(ANGLES, 7.0)
    >>> dented = np.where(np.arange(ANGLES) < 90, 9.0, 7.0)
    >>> is_odd(unwrapped, dented, [outline(unwrapped, even)] * 2)
    True
    >>> is_odd(unwrapped, even, [outline(unwrapped, even), outline(unwrapped, dented)])
    False
    """
    before, after = _radii_of(outlines, unwrapped)
    radius = unwrapped.skin - depth
    apart_mm = _unlikeness_mm(before, after)
    off_mm = _unlikeness_mm(radius, (before + after) / 2)
    return off_mm > max(apart_mm, _SAME_SHAPE_MM)


def _radii_of(outlines: Iterable[Places], unwrapped: Unwrapped) -> np.ndarray:
    """Measure how far outlines lie from the centre of a head, at every angle [steps]."""
    turn = 2 * np.pi
    radii = []
    for places in outlines:
        y, x = _from_centre(unwrapped, places)
        angle = np.arctan2(y, x) % turn
        radius = np.hypot(y, x)
        radii.append(np.interp(_angles(), angle, radius, period=turn))
    return np.array(radii)


def _unlikeness_mm(radius: np.ndarray, other: np.ndarray) -> float:
    """Measure how much two outlines differ in shape, whatever their size."""
    difference = radius - other
    return STEP_MM * float(np.abs(difference - np.median(difference)).mean())


def without_air(unwrapped: Unwrapped, mask: np.ndarray) -> np.ndarray:
    """Remove from a mask the air that its rays cross, beside a nose or an ear, and keep one piece.

    On each side of the frame all pixels from the head's first to its last count as head, because
    the bone may be open where the frame cuts it.

    Parameters
    ----------
    unwrapped : Unwrapped
    mask : ndarray of the image's shape, uint8 of {0, 1}

    Returns
    -------
    ndarray of the image's shape, uint8 of {0, 1}

    Examples
    --------
    >>> head = np.ones((40, 40))
    >>> head[16:24, 26:] = 0  # a notch
    >>> unwrapped = unwrap(np.pad(head, 8), (1.0, 1.0))
    >>> tissue = without_air(unwrapped, np.ones(unwrapped.shape, np.uint8))
    >>> tissue[28, 28:40].tolist()
    [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    """
    closed = masks.fill_holes(_closed_along_frame(unwrapped.head))
    head = _resized(255 * closed, *unwrapped.shape, cv2.INTER_LINEAR)
    return masks.largest_component(mask & (head > 127))


def _closed_along_frame(head: np.ndarray) -> np.ndarray:
    """Fill each side of the frame from the head's first pixel there to its last."""
    closed = head.copy()
    for side in (closed[0], closed[-1], closed[:, 0], closed[:, -1]):
        places = np.flatnonzero(side)
        if places.size:
            side[places[0] : places[-1]] = 1
    return closed


# --- Trust ---------------------------------------------------------------------------------------


def quality(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    spacing_mm: tuple[float, float] | None = None,
) -> float:
    """Estimate how far a skull mask can be trusted, without any truth.

    Three things speak for a mask: its outline is a step from bright to dark everywhere, it is
    smooth, and it leaves a plausible thickness of scalp outside. The quality is their product,
    times the share of the outline that the frame does not cut off. Where pixels are wide, steps are
    measured over a wider window, and the staircase of the pixels is not taken for roughness. Where
    bone is brighter than an even brain, as on CT, the quality is 0.

    Each of three doubts can halve what is left, by the share of the outline for which it holds: an
    edge farther out is a clearly cheaper surface, the brain begins right below the outline, or the
    scalp is thicker on one side of the head than on the other.

    It separates failures from masks that hold. It is no probability, and hardly ranks good masks. A
    clear edge in the wrong place can still escape it, where both sides of the head show the same.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    mask : ndarray of shape (H, W)
        Holds 0 and at most one other value.
    spacing_mm : pair of float, optional
        Row and column spacing [mm]; see `unwrap`.

    Returns
    -------
    float
        0 … 1; 0 for an empty mask and where there is no head. Look at the slice if it is below
        `TRUSTED`.

    Raises
    ------
    InputError
        See `unwrap`; or if the mask is not binary, or its shape is not that of the image.

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> data = load("phantom")
    >>> quality(data.images[0], data.truth[0]) > TRUSTED
    True
    >>> quality(data.images[0], 1 - data.truth[0])
    0.0
    """
    mask = errors.check_binary(mask)
    if np.shape(image) != mask.shape:
        shapes = f"{np.shape(image)} and {mask.shape}"
        raise errors.InputError(f"expected an image and a mask of one shape, got {shapes}")
    unwrapped = unwrap(image, spacing_mm)
    warn_of_rivals(unwrapped)
    return trust_in(unwrapped, mask)


def trust_in(unwrapped: Unwrapped | None, mask: np.ndarray) -> float:
    """Estimate how far to trust a mask of a head that is already unwrapped.

    The result is that of `quality`, without finding the head once more.

    Parameters
    ----------
    unwrapped : Unwrapped or None
    mask : ndarray of shape (H, W), uint8 of {0, 1}

    Returns
    -------
    float
        0 … 1; 0 for an empty mask and where there is no head.

    Examples
    --------
    >>> trust_in(None, np.ones((3, 3), np.uint8))
    0.0
    """
    if unwrapped is None or not mask.any():
        return 0.0
    return trust(unwrapped, _depth_of(masks.fill_holes(mask), unwrapped))


def trust_in_volume(areas_px: Sequence[int], qualities: Sequence[float]) -> np.ndarray:
    """Lower to below `TRUSTED` the quality of masks that do not fit into their volume.

    They are of two kinds. Near the vertex the skull is cut at a slant, so that the area changes
    fast from slice to slice. And where several slices in a row are doubtful, the ring of bone is
    open, as below the orbits. A stretch of trusted slices that they cut off is doubtful, too,
    unless it is at least half as long as the longest one.

    Parameters
    ----------
    areas_px : sequence of int
        The masks' areas, in the order of the slices.
    qualities : sequence of float
        0 … 1, as from `quality`.

    Returns
    -------
    ndarray of shape (N,), float64
        A quality that is lowered stays below `TRUSTED`, and the order of those lowered remains.

    Examples
    --------
    >>> areas_px = [900, 900, 900, 900, 900, 900, 900, 850, 600, 300]
    >>> qualities = [0.4, 0.1, 0.2, 0.1, 0.5, 0.5, 0.6, 0.6, 0.6, 0.6]
    >>> trust_in_volume(areas_px, qualities).round(2).tolist()
    [0.13, 0.1, 0.2, 0.1, 0.5, 0.5, 0.6, 0.6, 0.19, 0.19]
    """
    given = np.array(qualities, float)
    is_slanted = _is_slanted(np.asarray(areas_px))
    is_trusted = (given >= TRUSTED) & ~is_slanted
    is_beyond = is_trusted & ~_is_in_vault(is_trusted)
    return np.where(is_slanted | is_beyond, _LOWERING * given, given)


def _is_slanted(areas_px: np.ndarray) -> np.ndarray:
    """Mark the slices at which the area of the masks grows fast, or shrinks fast, on both sides.

    Slices without a mask are passed over. A single slice that is larger or smaller than both its
    neighbours is none of these, and neither are they.
    """
    is_slanted = np.zeros(len(areas_px), bool)
    places = np.flatnonzero(areas_px)
    if len(places) > 1:
        areas = areas_px[places].astype(float)
        changes = np.diff(areas) / np.diff(places)
        before = np.concatenate([changes[:1], changes])
        after = np.concatenate([changes, changes[-1:]])
        is_one_way = np.sign(before) == np.sign(after)
        change = np.minimum(np.abs(before), np.abs(after))
        is_slanted[places] = is_one_way & (change > _SLANTED * areas)
    return is_slanted


def _is_in_vault(is_trusted: np.ndarray) -> np.ndarray:
    """Mark the longest stretch of slices to be trusted, and those that are nearly as long."""
    in_vault = np.zeros(len(is_trusted), bool)
    places = np.flatnonzero(is_trusted)
    is_gap = np.diff(places) > _GAP_SLICES
    stretches = np.split(places, np.flatnonzero(is_gap) + 1)
    longest = max(map(len, stretches))
    for stretch in stretches:
        if 0 < len(stretch) >= _VAULT_SHARE * longest:
            in_vault[stretch] = True
    return in_vault


def trust(unwrapped: Unwrapped, depth: np.ndarray) -> float:
    """Estimate how far to trust an outline that is not filled yet, as `quality` does for a mask.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin [steps].

    Returns
    -------
    float
        0 … 1

    Examples
    --------
    >>> disc = np.hypot(*np.mgrid[-60:60, -60:60]) < 50  # has no skull
    >>> unwrapped = unwrap(disc, (1.0, 1.0))
    >>> trust(unwrapped, np.full(ANGLES, 20.0))
    0.0
    """
    plausibility = _plausibility(depth)
    seen = ~unwrapped.cut | (plausibility > 0)  # elsewhere the outline is the frame
    if not seen.any() or _bone_is_bright(unwrapped, depth):
        return 0.0
    pixel = _pixel_along_rays(unwrapped)
    sharpness = _sharpness(unwrapped, depth, pixel)
    rough_mm = STEP_MM * _roughness(unwrapped.skin - depth, pixel)
    smoothness = np.exp(-rough_mm[seen].mean() / _ROUGH_MM)
    rating = sharpness[seen].mean() * smoothness * plausibility[seen].mean() * seen.mean()
    arcs = _in_arcs(np.minimum(unwrapped.brightness, 1))
    depth_of_arcs = _in_arcs(depth)
    doubts = (
        _at_all_angles(_has_rival(arcs, depth_of_arcs)),
        _at_all_angles(_is_above_brain(arcs, depth_of_arcs)),
        _is_lopsided(unwrapped, depth, seen, pixel),
    )
    for doubtful in doubts:
        rating *= 1 - _DOUBT_SHARE * doubtful[seen].mean()
    return float(rating)


def _plausibility(depth: np.ndarray) -> np.ndarray:
    """Rate the thickness of the scalp outside of an outline, at every angle: 0 … 1."""
    beyond_least = STEP_MM * depth - MIN_SCALP_MM
    rating = np.clip(beyond_least / (_USUAL_SCALP_MM - MIN_SCALP_MM), 0, 1)
    return np.where(depth <= _steps(DEPTH_MM), rating, 0)


def _sharpness(
    unwrapped: Unwrapped,
    depth: np.ndarray,
    pixel: np.ndarray,
) -> np.ndarray:
    """Rate how clear a step from bright to dark an outline is, at every angle: 0 … 1."""
    coarseness = np.maximum(pixel / _steps(_CONTRAST_WINDOW_MM), 1)
    step = _contrast_across(unwrapped, depth, coarseness)
    calm = ndimage.uniform_filter1d(step, _ARC_ANGLES + 1, mode="wrap")
    return np.clip(calm / _SHARP_CONTRAST, 0, 1)


def _contrast_across(
    unwrapped: Unwrapped,
    depth: np.ndarray,
    coarseness: np.ndarray,
) -> np.ndarray:
    """Measure how much darker it is inside of an outline than outside, at every angle.

    Wide pixels blur a step, so the window widens by ``coarseness``, 1 or more.
    """
    reach = _steps(_CONTRAST_WINDOW_MM)
    offsets = np.arange(-reach, reach) + 0.5
    beside = depth[:, None] + coarseness[:, None] * offsets
    level = _along_rays(np.minimum(unwrapped.brightness, 1), beside)
    outside = level[:, :reach].mean(axis=1)
    inside = level[:, reach:].mean(axis=1)
    return outside - inside


def _roughness(radius: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """Measure how far an outline lies off its own smooth version, at every angle [steps].

    The staircase that wide pixels draw does not count.
    """
    waves = np.fft.rfft(radius)[:_HARMONICS]
    off = np.abs(radius - np.fft.irfft(waves, ANGLES))
    is_wide = pixel > _steps(_CONTRAST_WINDOW_MM)
    staircase = np.where(is_wide, _STAIRCASE * pixel, 0)
    return np.maximum(off - staircase, 0)


def _in_arcs(values: np.ndarray) -> np.ndarray:
    """Average over arcs of `_ARC_ANGLES`; values have the shape (ANGLES, …)."""
    arcs = values.reshape(-1, _ARC_ANGLES, *values.shape[1:])
    return arcs.mean(axis=1)


def _at_all_angles(arcs: np.ndarray) -> np.ndarray:
    """Bring what holds for arcs back to every angle."""
    return np.repeat(arcs, _ARC_ANGLES)


def _has_rival(brightness: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Mark the arcs in which an edge outside of an outline is clearly cheaper as a surface.

    It is the skull's surface where the outline runs along the inner table instead.
    """
    cost = surface_cost(brightness)
    inwards_mm = STEP_MM * (np.arange(cost.shape[1]) - depth[:, None])
    along = np.where(np.abs(inwards_mm) < _ALONG_MM, cost, np.inf).min(axis=1)
    outside = np.where(inwards_mm <= -_RIVAL_DISTANCE_MM, cost, np.inf).min(axis=1)
    return outside < along - _RIVAL_ADVANTAGE


def _is_above_brain(brightness: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Mark the arcs in which all is bright soon below an outline.

    Below the skull's surface lie two tables and fluid: something dark, even if marrow is bright.
    Below the inner table lies the brain.
    """
    inwards_mm = STEP_MM * (np.arange(brightness.shape[1]) - depth[:, None])
    nearest, farthest = _DARK_REACH_MM
    is_bone = (inwards_mm > 0) & (inwards_mm < _BONE_REACH_MM)
    is_below = (inwards_mm > nearest) & (inwards_mm < farthest)
    bone = np.where(is_bone, brightness, np.inf).min(axis=1)
    darkest = np.where(is_below, brightness, np.inf).min(axis=1)
    return darkest > (bone + 1) / 2  # nearer to the brain, 1, than to bone


def _is_lopsided(
    unwrapped: Unwrapped,
    depth: np.ndarray,
    seen: np.ndarray,
    pixel: np.ndarray,
) -> np.ndarray:
    """Mark the angles at which the scalp is thicker or thinner than at their mirror image.

    The axis is the one about which the outline is most like its mirror image.
    """
    radius = unwrapped.skin - depth
    waves = np.fft.fft(radius - radius.mean())
    likeness = np.fft.ifft(waves**2).real  # for every axis
    mirrored = (likeness.argmax() - np.arange(ANGLES)) % ANGLES
    calm = ndimage.uniform_filter1d(depth, _ARC_ANGLES + 1, mode="wrap")
    difference = np.abs(calm - calm[mirrored])
    limit = np.maximum(_steps(_LOPSIDED_MM), pixel)
    return (difference > limit) & seen[mirrored]


def _bone_is_bright(unwrapped: Unwrapped, depth: np.ndarray) -> bool:
    """Recognise CT: a bright shell surrounds a brain more even than it ever is on MR."""
    deep = _steps(_BRAIN_DEPTH_MM)
    rays = unwrapped.brightness[::_BRAIN_RAYS]
    brain = rays[:, deep:]
    brain_depths = np.arange(deep, rays.shape[1])
    values = brain[unwrapped.skin[::_BRAIN_RAYS, None] > brain_depths]  # not beyond the centre
    if not values.size:
        return False
    below = depth[::_BRAIN_RAYS, None] + np.arange(_steps(SKULL_MM[-1]))
    shell = _along_rays(rays, below)
    smooth = ndimage.uniform_filter1d(shell, _steps(_CT_WINDOW_MM), axis=1)
    low, high = np.percentile(values, (10, 90))
    shell_is_bright = np.median(smooth.max(axis=1)) > _CT_BONE
    return bool(shell_is_bright and high - low < _CT_BRAIN_SPREAD)


def _along_rays(
    brightness: np.ndarray,
    depths: np.ndarray,
) -> np.ndarray:
    """Sample the brightness of A rays at some depths, (A, K) in fractions of steps."""
    rays = np.broadcast_to(np.arange(len(depths))[:, None], depths.shape)
    return _sampled(brightness, (rays, depths))


def _pixel_along_rays(unwrapped: Unwrapped) -> np.ndarray:
    """Measure the width of a pixel in the direction of every angle [steps]."""
    row_steps, column_steps = unwrapped.scale
    y = np.sin(_angles()) * row_steps
    x = np.cos(_angles()) * column_steps
    return np.hypot(y, x)


def _depth_of(mask: np.ndarray, unwrapped: Unwrapped) -> np.ndarray:
    """Measure how far below the skin a mask begins, at every angle [fractions of steps]."""
    depths = np.arange(unwrapped.brightness.shape[1])
    radii = unwrapped.skin[:, None] - depths
    places = _in_image(unwrapped, _places(unwrapped.centre, radii))
    inside = _sampled(mask.astype(np.float32), places)
    return (1 - inside).sum(axis=1) - 0.5  # samples lie in the middle of their step


# --- Between the image, the grid and the rays ----------------------------------------------------


def _steps(mm: float) -> int:
    return round(mm / STEP_MM)


def _angles() -> np.ndarray:
    """Return every angle [radians], clockwise from the right."""
    return np.arange(ANGLES) * 2 * np.pi / ANGLES


def _places(centre: tuple[float, float], radii: np.ndarray) -> Places:
    """Locate some radii on the grid, for every angle; radii have the shape (ANGLES or 1, K)."""
    row, column = centre
    angle = _angles()[:, None]
    rows = row + np.sin(angle) * radii
    columns = column + np.cos(angle) * radii
    return rows, columns


def _in_image(unwrapped: Unwrapped, places: Places) -> Places:
    """Convert places on the grid to places in the image."""
    rows, columns = places
    row_steps, column_steps = unwrapped.scale
    image_rows = (rows + 0.5) / row_steps - 0.5
    image_columns = (columns + 0.5) / column_steps - 0.5
    return image_rows, image_columns


def _from_centre(unwrapped: Unwrapped, places: Places) -> Places:
    """Convert places in the image to distances from the head's centre on the grid, as (y, x)."""
    rows, columns = places
    row_steps, column_steps = unwrapped.scale
    centre_row, centre_column = unwrapped.centre
    y = (rows + 0.5) * row_steps - 0.5 - centre_row
    x = (columns + 0.5) * column_steps - 0.5 - centre_column
    return y, x


def _sampled(image: np.ndarray, places: Places) -> np.ndarray:
    """Interpolate an image linearly at some places; what lies beyond its frame is as the frame.

    OpenCV rounds places to 1/32 of a pixel before its version 5, and SciPy takes twice as long.
    """
    rows, columns = places
    height, width = image.shape
    top, down = _whole_and_fraction(rows, height)
    left, right = _whole_and_fraction(columns, width)
    pixels = image.ravel()
    corner = (top * width + left).astype(np.intp)

    def pixels_at(offset: int) -> np.ndarray:
        return pixels.take(corner + offset, mode="clip")

    upper = _between(pixels_at(0), pixels_at(1), right)
    lower = _between(pixels_at(width), pixels_at(width + 1), right)
    return _between(upper, lower, down)


def _whole_and_fraction(places: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Split places among ``count`` pixels into a pixel that has a next one, and the rest."""
    inside = np.clip(places.astype(np.float32), 0, count - 1)
    whole = np.minimum(inside.astype(np.int32), max(count - 2, 0))
    return whole, inside - whole.astype(np.float32)


def _between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Interpolate between two values, at a share of the way from the first to the second."""
    return first + share * (second - first)


def _resized(
    image: np.ndarray,
    rows: int,
    columns: int,
    method: int,
) -> np.ndarray:
    """Resample an image by one of OpenCV's methods."""
    size = (columns, rows)  # OpenCV's (x, y)
    return cv2.resize(image, size, interpolation=method)


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
    return tuple(spacing / STEP_MM)


def _scale_of_head(image: np.ndarray) -> tuple[float, float]:
    """Find the scale at which the head has the usual size."""
    usual = _steps(RADIUS_MM)
    coarse = 2 * usual / max(image.shape)  # as if the head filled the frame
    head = find_head(_on_grid(image, (coarse, coarse)))
    radius = np.sqrt(head.sum() / np.pi)
    fine = coarse * usual / max(radius, usual / 4)
    return fine, fine


def _rounded_scale(
    grid: np.ndarray,
    image: np.ndarray,
) -> tuple[float, float]:
    """Return the scale that resampling to whole steps has left."""
    return grid.shape[0] / image.shape[0], grid.shape[1] / image.shape[1]


def _on_grid(
    image: np.ndarray,
    scale: tuple[float, float],
) -> np.ndarray:
    """Resample to the grid, as brightness: the square root of the intensity, scaled to 0 … 1."""
    rows = max(1, round(image.shape[0] * scale[0]))
    columns = max(1, round(image.shape[1] * scale[1]))
    method = cv2.INTER_LINEAR
    if min(scale) < 0.5:  # else no pixel is passed over
        method = cv2.INTER_AREA
    grid = _resized(image, rows, columns, method)
    low, high = _limits(grid)
    if low == high:
        return np.zeros_like(grid)
    grid -= low
    grid /= high - low
    np.clip(grid, 0, 1, out=grid)
    return np.sqrt(grid, out=grid)
