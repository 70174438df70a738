"""Find the head: air and tissue, told apart on a coarse grid, and more heads than one.

What lies inside of the head belongs in the modules that work on its rays.
"""

import cv2
import numpy as np

from .. import errors, masks
from . import anatomy, grid, intensity

# Pieces of tissue: the label of every pixel and the area of every label, as `masks` counts them
Pieces = tuple[np.ndarray, np.ndarray]

# Tissue is found, and the distance from the inside is measured, on a coarser grid
_COARSE_STEP_MM = 1.0

# --- Air and tissue ---
_BLUR_MM = 1.0
# Air is darker than this share of the tissue's median brightness
_AIR_SHARE = 0.35
# Narrower gaps in the skin are closed
_CLOSING_MM = 5.0
# Brightness that spreads further along the frame, as a share of its median, comes from tissue
_MAX_FRAME_SPREAD = 0.6
# Blurred noise in the air rarely exceeds this many standard deviations
_NOISE_DEVIATIONS = 2.0

# --- A head and what lies inside of its skull ---
# Scalp thicker than this is beyond what a path needs; thinner than the rim is none
_THICKEST_SCALP_MM = 15.0
_RIM_MM = 3.0

# --- More than one head ---
# A second piece may be a head if it has this share of the largest one's area
_RIVAL_SHARE = 0.2
# Longer side of the small copy in which several heads are looked for
_GLANCE_PX = 128


def find_head(brightness: np.ndarray) -> np.ndarray:
    """Find the head: everything but air. Holes are filled *before* the largest piece is taken.

    Parameters
    ----------
    brightness : ndarray of shape (H, W), float32, 0 … 1
        On the grid of `grid.STEP_MM`.

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
    pieces = masks.label_components(find_tissue(brightness))
    return head_of(pieces, brightness.shape)


def head_of(pieces: Pieces, shape: tuple[int, int]) -> np.ndarray:
    """Take the largest piece of tissue, fill its holes and bring it to the grid of `grid.STEP_MM`.

    Parameters
    ----------
    pieces : Pieces
        Of what `find_tissue` returns.
    shape : tuple of int
        Rows and columns of the grid.

    Returns
    -------
    ndarray of shape ``shape``, uint8

    Examples
    --------
    >>> tissue = np.uint8([[1, 0, 1], [0, 0, 1]])
    >>> head_of(masks.label_components(tissue), tissue.shape)
    array([[0, 0, 1],
           [0, 0, 1]], dtype=uint8)
    """
    head = masks.fill_holes(masks.largest_of(*pieces))
    on_grid = grid.resized(255 * head, *shape, cv2.INTER_LINEAR)
    return (on_grid > 127).astype(np.uint8)


def around(head: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Correct a head by what lies inside of its skull.

    Parts farther from the inside than the thickest scalp are removed, such as a ghost of the head.
    A rim around the inside is added where it is missing because signal is lost. Distances from the
    inside are measured on a grid of about 1 mm.

    Parameters
    ----------
    head, inside : ndarray of shape (H, W), uint8
        On the grid of `grid.STEP_MM`.

    Returns
    -------
    ndarray of shape (H, W), uint8
        The largest piece, without holes; ``head`` itself if there is nothing to correct, or if
        ``inside`` is empty or too small to show on the coarser grid.

    Examples
    --------
    >>> row = np.repeat([0, 1, 0], (4, 92, 4))
    >>> inside = np.repeat([0, 1, 0], (55, 43, 2))
    >>> corrected = around(np.uint8([row]), np.uint8([inside]))
    >>> int(corrected[0].argmax()), int(corrected.sum())  # about 15 mm before the inside, and a rim
    (24, 76)
    >>> around(corrected, np.uint8([inside])) is corrected
    True
    """
    if not inside.any():
        return head
    nearby = masks.bounding_box(inside, grid.steps(_THICKEST_SCALP_MM) + 1)
    coarse = (_coarser(255 * inside[nearby]) > 127).astype(np.uint8)
    filled = masks.fill_holes(masks.largest_component(coarse))
    if not filled.any():
        return head
    distance_mm = _COARSE_STEP_MM * cv2.distanceTransform(1 - filled, cv2.DIST_L2, cv2.DIST_MASK_5)
    rows, columns = head[nearby].shape
    distance_mm = grid.resized(distance_mm, rows, columns, cv2.INTER_LINEAR)
    within_reach = (head[nearby] > 0) & (distance_mm <= _THICKEST_SCALP_MM)
    corrected = np.zeros_like(head)
    corrected[nearby] = within_reach | (distance_mm <= _RIM_MM)
    if np.array_equal(corrected, head):  # as in most slices
        return head
    corrected[nearby] = masks.fill_holes(masks.largest_component(corrected[nearby]))
    return corrected


def find_tissue(brightness: np.ndarray) -> np.ndarray:
    """Mark everything but air, with holes filled and thin structures removed.

    Parameters
    ----------
    brightness : ndarray of shape (H, W), float32, 0 … 1
        On the grid of `grid.STEP_MM`.

    Returns
    -------
    ndarray of shape about (H / 2, W / 2), uint8
        On a coarser grid, in steps of a millimetre.

    Examples
    --------
    >>> disc = np.hypot(*np.ogrid[-40:40, -40:40]) < 30
    >>> find_tissue(disc.astype(np.float32)).shape
    (40, 40)
    """
    coarse = _coarser(brightness)
    blurred = cv2.GaussianBlur(coarse, (0, 0), _BLUR_MM / _COARSE_STEP_MM)
    gray = (blurred * 255).astype(np.uint8)
    above = _above_air(gray)
    if not above.any():
        return above
    width = round(_CLOSING_MM / _COARSE_STEP_MM)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    padded = np.pad(above, width)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, element)
    filled = masks.fill_holes(closed)
    opened = cv2.morphologyEx(filled, cv2.MORPH_OPEN, element)
    return opened[width:-width, width:-width]


def _coarser(picture: np.ndarray) -> np.ndarray:
    """Resample a picture on the grid to steps of about `_COARSE_STEP_MM`."""
    rows, columns = picture.shape
    coarseness = _COARSE_STEP_MM / grid.STEP_MM
    coarse_rows = max(1, round(rows / coarseness))
    coarse_columns = max(1, round(columns / coarseness))
    return grid.resized(picture, coarse_rows, coarse_columns, cv2.INTER_LINEAR)


def _above_air(gray: np.ndarray) -> np.ndarray:
    """Mark what is brighter than air; nothing where there is no contrast."""
    threshold = masks.otsu_threshold(gray)
    tissue = gray[gray > threshold]
    if tissue.size in (0, gray.size):
        return np.zeros_like(gray)
    dark = gray[gray <= threshold]
    # A second threshold separates air from dim tissue
    air = masks.otsu_of_values(dark)
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


def may_have_rivals(image: np.ndarray) -> bool:
    """Check at a glance whether an image may show more than one head.

    `unwrapping.unwrap` is sure, but takes many times as long.

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
    gray = (np.clip(intensity.stretched(small), 0, 1) * 255).astype(np.uint8)
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
    return grid.resized(values, rows, columns, cv2.INTER_AREA)


def is_alone(pieces: Pieces) -> bool:
    """Check that no second piece of tissue is as large as a head.

    Parameters
    ----------
    pieces : Pieces
        Of what `find_tissue` returns.

    Returns
    -------
    bool

    Examples
    --------
    >>> two = np.pad(np.ones((60, 60), np.uint8), ((0, 0), (2, 0)))
    >>> is_alone(masks.label_components(np.hstack([two, two])))
    False
    """
    head_px, rival_px = _two_largest_px(pieces)
    return rival_px < max(_RIVAL_SHARE * head_px, anatomy.MIN_HEAD_MM2 / _COARSE_STEP_MM**2)


def _two_largest_px(pieces: Pieces) -> tuple[int, int]:
    """Return the areas of the two largest pieces; 0 for a piece that does not exist."""
    _, areas_px = pieces
    of_pieces = np.sort(areas_px[1:])
    second, first = np.concatenate([[0, 0], of_pieces])[-2:].tolist()
    return first, second
