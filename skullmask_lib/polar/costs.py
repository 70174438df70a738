"""What every place on a ray costs as the skull's surface, and as the inner edge of the dark layer.

The weights are rounded to one or two digits; ``data/real_weights.csv`` says what happens when one
of them is halved, raised by half or removed. `paths` has the prices of the way from ray to ray, and
`neighbours` that of the distance to other slices.
"""

import numpy as np

from . import anatomy, grid

# Differences beyond these shares of the brain's brightness do not count
_DARKEST = 0.1
_BRIGHTEST = 1.2
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
# Cost per mm below the skin
_DEPTH_COST_PER_MM = 0.006
# Probabilities nearer to 0 or 1 than this count as no nearer
_LEAST_DOUBT = 0.1
# Places that are less likely [nats] than this count as no less likely
_UNLIKELIEST = 20.0
_UNLIKELY_COST = 0.02
# Cost of taking the frame for the surface where it cuts the head
_FRAME_COST = 0.18
_THIN_SCALP_COST = 5.0


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
        See `unwrapping.Unwrapped`.
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
    window = grid.steps(_SURFACE_WINDOW_MM)
    outside = _mean_between(sums, place - window, place)
    bone = _mean_between(sums, place, place + window)
    step = np.minimum(outside - bone, _HIGHEST_STEP)
    depth = np.float32(_DEPTH_COST_PER_MM * grid.STEP_MM) * place
    cost = _DARKNESS_WEIGHT * bone - step + depth
    near_skin = np.where(cut, _FRAME_COST, _THIN_SCALP_COST)
    cost[:, : grid.steps(anatomy.MIN_SCALP_MM)] = near_skin[..., None]
    return cost.astype(np.float32, copy=False)


def unlikely_cost(inside: np.ndarray) -> np.ndarray:
    """Price every place as the skull's outer surface by a probability to be inside of it.

    The price grows with the negative logarithm of the likelihood that all places before the
    surface lie outside and all others inside, beyond that of the ray's likeliest place. The price
    is capped, and no probability counts as certain.

    Parameters
    ----------
    inside : ndarray of shape (A, D), float32, 0 … 1

    Returns
    -------
    ndarray of shape (A, D), float32
        Lower is better; 0 for the likeliest place of every ray.

    Examples
    --------
    >>> unlikely_cost(np.float32([[0.1, 0.2, 0.5, 0.9]])).round(3)
    array([[0.072, 0.028, 0.   , 0.   ]], dtype=float32)
    """
    probability = np.clip(inside, _LEAST_DOUBT, 1 - _LEAST_DOUBT)
    # To leave a place outside, and not inside, costs its log-odds of being inside
    log_odds = np.log(probability / (1 - probability))
    unlikely = np.cumsum(log_odds, axis=1) - log_odds
    unlikely -= unlikely.min(axis=1, keepdims=True)
    cost = _UNLIKELY_COST * np.minimum(unlikely, _UNLIKELIEST)
    return cost.astype(np.float32, copy=False)


def inner_edge_cost(brightness: np.ndarray) -> np.ndarray:
    """Price every place as the inner edge of the dark layer: bone outside, something bright inside.

    What is bright is the brain, or the marrow where it is thick. What is brighter than the brain
    counts as bright as the brain.

    Parameters
    ----------
    brightness : ndarray of shape (A, D), float32
        See `unwrapping.Unwrapped`.

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
    bone = _mean_between(sums, place - grid.steps(_BONE_WINDOW_MM), place)
    bright = _mean_between(sums, place, place + grid.steps(_BRIGHT_WINDOW_MM))
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
