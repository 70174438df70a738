"""How far an outline or a mask of a single slice can be trusted, without any truth.

What the other slices of its volume say about it belongs in `neighbours`.
"""

import numpy as np
from scipy import ndimage

from .. import errors, masks
from . import anatomy, costs, grid, unwrapping
from .unwrapping import Unwrapped, in_image

# A mask of lower quality should be looked at
TRUSTED = 0.35

# --- A clear, smooth outline under a plausible scalp ---
# Brightness is compared this far on either side of an outline
_CONTRAST_WINDOW_MM = 1.5
# An outline of this contrast is sharp beyond doubt; no place makes up for another one's lack of it
_SHARP_CONTRAST = 0.12
# So many neighbouring rays are averaged: noise cancels out, and an edge across them stays
_ARC_ANGLES = 4
# Scalp of this thickness is usual; towards `anatomy.MIN_SCALP_MM` it is less and less plausible
_USUAL_SCALP_MM = 4.0
# A skull's outline rarely needs more harmonics, the constant included …
_HARMONICS = 10
# … and an outline this far off them is trusted e times less
_ROUGH_MM = 0.75
# Whole pixels draw a staircase around a smooth outline, off it by this share of their width
_STAIRCASE = 1 / 8

# --- Doubts ---
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

# --- An inverted image ---
# Air and head are compared on every so many rows and columns of the grid
_SAMPLE_EVERY = 4

# --- CT ---
# This far below the skin there is brain
_BRAIN_DEPTH_MM = 30.0
# On CT the brain is more even than this, and bone this many times as bright as the brain
_CT_BRAIN_SPREAD = 0.08
_CT_BONE = 1.2
# The shell is averaged along the rays over this length
_CT_WINDOW_MM = 1.5


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
    bone is brighter than an even brain, as on CT, or the air is brighter than the head, as on an
    inverted image, the quality is 0.

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
        Row and column spacing [mm]; see `unwrapping.unwrap`.

    Returns
    -------
    float
        0 … 1; 0 for an empty mask and where there is no head. Look at the slice if it is below
        `TRUSTED`.

    Raises
    ------
    InputError
        See `unwrapping.unwrap`; or if the mask is not binary, or its shape is not that of the
        image.

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
    unwrapped = unwrapping.unwrap(image, spacing_mm)
    unwrapping.warn_of_rivals(unwrapped)
    return mask_quality(unwrapped, mask)


def mask_quality(unwrapped: Unwrapped | None, mask: np.ndarray) -> float:
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
    >>> mask_quality(None, np.ones((3, 3), np.uint8))
    0.0
    """
    if unwrapped is None or not mask.any():
        return 0.0
    return outline_quality(unwrapped, _depth_of(masks.fill_holes(mask), unwrapped))


def outline_quality(unwrapped: Unwrapped, depth: np.ndarray) -> float:
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
    >>> from skullmask_lib import polar
    >>> disc = np.hypot(*np.mgrid[-60:60, -60:60]) < 50  # has no skull
    >>> unwrapped = polar.unwrap(disc, (1.0, 1.0))
    >>> outline_quality(unwrapped, np.full(polar.ANGLES, 20.0))
    0.0
    """
    plausibility = _plausibility(depth)
    seen = ~unwrapped.cut | (plausibility > 0)  # elsewhere the outline is the frame
    if not seen.any() or _air_is_bright(unwrapped) or _bone_is_bright(unwrapped, depth):
        return 0.0
    pixel = _pixel_along_rays(unwrapped)
    sharpness = _sharpness(unwrapped, depth, pixel)
    rough_mm = grid.STEP_MM * _roughness(unwrapped.skin - depth, pixel)
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
    beyond_least = grid.STEP_MM * depth - anatomy.MIN_SCALP_MM
    rating = np.clip(beyond_least / (_USUAL_SCALP_MM - anatomy.MIN_SCALP_MM), 0, 1)
    return np.where(depth <= grid.steps(anatomy.MAX_SKULL_DEPTH_MM), rating, 0)


def _sharpness(
    unwrapped: Unwrapped,
    depth: np.ndarray,
    pixel: np.ndarray,
) -> np.ndarray:
    """Rate how clear a step from bright to dark an outline is, at every angle: 0 … 1."""
    coarseness = np.maximum(pixel / grid.steps(_CONTRAST_WINDOW_MM), 1)
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
    reach = grid.steps(_CONTRAST_WINDOW_MM)
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
    off = np.abs(radius - np.fft.irfft(waves, grid.ANGLES))
    is_wide = pixel > grid.steps(_CONTRAST_WINDOW_MM)
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
    cost = costs.surface_cost(brightness)
    inwards_mm = grid.STEP_MM * (np.arange(cost.shape[1]) - depth[:, None])
    along = np.where(np.abs(inwards_mm) < _ALONG_MM, cost, np.inf).min(axis=1)
    outside = np.where(inwards_mm <= -_RIVAL_DISTANCE_MM, cost, np.inf).min(axis=1)
    return outside < along - _RIVAL_ADVANTAGE


def _is_above_brain(brightness: np.ndarray, depth: np.ndarray) -> np.ndarray:
    """Mark the arcs in which all is bright soon below an outline.

    Below the skull's surface lie two tables and fluid: something dark, even if marrow is bright.
    Below the inner table lies the brain.
    """
    inwards_mm = grid.STEP_MM * (np.arange(brightness.shape[1]) - depth[:, None])
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
    mirrored = (likeness.argmax() - np.arange(grid.ANGLES)) % grid.ANGLES
    calm = ndimage.uniform_filter1d(depth, _ARC_ANGLES + 1, mode="wrap")
    difference = np.abs(calm - calm[mirrored])
    limit = np.maximum(grid.steps(_LOPSIDED_MM), pixel)
    return (difference > limit) & seen[mirrored]


def _air_is_bright(unwrapped: Unwrapped) -> bool:
    """Recognise an inverted image: what surrounds the head is brighter than the head."""
    sampled = unwrapped.on_grid[::_SAMPLE_EVERY, ::_SAMPLE_EVERY]
    is_head = unwrapped.head[::_SAMPLE_EVERY, ::_SAMPLE_EVERY] > 0
    if is_head.all() or not is_head.any():
        return False
    return bool(np.median(sampled[~is_head]) > np.median(sampled[is_head]))


def _bone_is_bright(unwrapped: Unwrapped, depth: np.ndarray) -> bool:
    """Recognise CT: a bright shell surrounds a brain more even than it ever is on MR."""
    rays = unwrapped.brightness[:: unwrapping.BRAIN_RAYS]
    skin = unwrapped.skin[:: unwrapping.BRAIN_RAYS, None]
    depth = depth[:: unwrapping.BRAIN_RAYS, None]
    deep = np.arange(grid.steps(_BRAIN_DEPTH_MM), rays.shape[1])
    is_before_centre = deep < skin
    brain = rays[:, deep][is_before_centre]
    if not brain.size:
        return False
    below = depth + np.arange(grid.steps(anatomy.SKULL_THICKNESS_MM[-1]))
    shell = _along_rays(rays, below)
    smooth = ndimage.uniform_filter1d(shell, grid.steps(_CT_WINDOW_MM), axis=1)
    if np.median(smooth.max(axis=1)) <= _CT_BONE:
        return False
    low, high = np.percentile(brain, (10, 90))
    return bool(high - low < _CT_BRAIN_SPREAD)


def _along_rays(
    brightness: np.ndarray,
    depths: np.ndarray,
) -> np.ndarray:
    """Sample the brightness of A rays at some depths, (A, K) in fractions of steps."""
    rays = np.broadcast_to(np.arange(len(depths))[:, None], depths.shape)
    return grid.sampled(brightness, (rays, depths))


def _pixel_along_rays(unwrapped: Unwrapped) -> np.ndarray:
    """Measure the width of a pixel in the direction of every angle [steps]."""
    row_steps, column_steps = unwrapped.scale
    y = np.sin(grid.angles()) * row_steps
    x = np.cos(grid.angles()) * column_steps
    return np.hypot(y, x)


def _depth_of(mask: np.ndarray, unwrapped: Unwrapped) -> np.ndarray:
    """Measure how far below the skin a mask begins, at every angle [fractions of steps]."""
    depths = np.arange(unwrapped.brightness.shape[1])
    radii = unwrapped.skin[:, None] - depths
    places = in_image(unwrapped, grid.places_at(unwrapped.centre, radii))
    inside = grid.sampled(mask.astype(np.float32), places)
    return (1 - inside).sum(axis=1) - 0.5  # samples lie in the middle of their step
