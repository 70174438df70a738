"""The two nested closed paths that are cheapest together, along merged rays.

What a place costs is none of their business: prices come as arrays, as from `costs`.
"""

import numpy as np

from . import anatomy, grid

# So many neighbouring rays are averaged
_RAYS_MERGED = 2
# How far below the skin the dark layer may end
_INNER_EDGE_MM = 40.0
# Cost per mm off the usual thickness of the dark layer
_THICKNESS_COST_PER_MM = 0.012
# From one merged ray to the next: cost of one step of both edges, and of one step in thickness
_BEND_COST = 0.1
_THICKENING_COST = 0.03
# The paths go on for so many merged rays before and after a turn
_OVERLAP_RAYS = 20


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


def nested_paths(
    surface: np.ndarray,
    inner_edge: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Find two closed paths, one inside the other, that are cheapest together.

    They are the two edges of a dark layer as thick as `anatomy.SKULL_THICKNESS_MM` says; the usual
    thickness is cheapest. From ray to ray the inner edge moves by at most one step, and the
    thickness changes by at most one, so the surface moves by at most two. Both moves have a price.

    Parameters
    ----------
    surface, inner_edge : ndarray of shape (A, D), float32
        Prices, as from `costs.surface_cost` and `costs.inner_edge_cost`; D exceeds the least
        thickness of `anatomy.SKULL_THICKNESS_MM` [steps].

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
    thinnest_mm, _, thickest_mm = anatomy.SKULL_THICKNESS_MM
    thicknesses = np.arange(grid.steps(thinnest_mm), grid.steps(thickest_mm) + 1)
    cost = _cost_of_pairs(surface, inner_edge, thicknesses)
    rays, _, stride = cost.shape
    cost = cost.reshape(rays, -1)
    more_than_a_turn = np.arange(-_OVERLAP_RAYS, rays + _OVERLAP_RAYS + 1) % rays
    pairs = _cheapest_path(cost, more_than_a_turn, stride)[_OVERLAP_RAYS:-_OVERLAP_RAYS]
    if pairs[0] != pairs[-1]:
        half = rays // 2
        turn = np.arange(half, half + rays + 1) % rays
        pairs = np.roll(_cheapest_path(cost, turn, stride, pairs[half])[:-1], half)
    index, depth = np.divmod(pairs[:rays], stride)
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
    count = min(count, grid.steps(_INNER_EDGE_MM) + 1)
    shallow = surface[:, : min(count, grid.steps(anatomy.MAX_SKULL_DEPTH_MM) + 1)]
    room = ((0, 0), (thicknesses[-1], count - shallow.shape[1]))
    padded = np.pad(shallow, room, constant_values=np.inf)
    _, usual_mm, _ = anatomy.SKULL_THICKNESS_MM
    off_mm = grid.STEP_MM * thicknesses - usual_mm
    unusual = (_THICKNESS_COST_PER_MM * np.abs(off_mm)).astype(np.float32)
    cost = np.full((rays, len(thicknesses), count + 1), np.inf, np.float32)
    for index, thickness in enumerate(thicknesses):
        first = thicknesses[-1] - thickness  # where the surface lies if the inner edge is the skin
        pairs = cost[:, index, :count]
        np.add(padded[:, first : first + count], inner_edge[:, :count], out=pairs)
        pairs += unusual[index]
    return cost


def _cheapest_path(
    cost: np.ndarray,
    turn: np.ndarray,
    stride: int,
    end: int | None = None,
) -> np.ndarray:
    """Find the cheapest pairs along the rays of a turn, from ``end`` to ``end`` if it is given.

    A pair is the number ``thickness * stride + depth`` of a thickness and a depth: from one
    thickness to the next it grows by the stride.
    """
    first = cost[turn[0]]
    if end is not None:
        first = np.full_like(first, np.inf)
        first[end] = 0
    totals = _cheapest_totals(first, cost, turn[1:], stride)
    last = totals[-1].argmin() if end is None else end + stride
    return _trace_back(totals, last, stride) - stride


def _cheapest_totals(
    first: np.ndarray,
    cost: np.ndarray,
    turn: np.ndarray,
    stride: int,
) -> np.ndarray:
    """Add up, for every pair of edges, the cheapest way there from the first ray.

    A row has a wall of ``stride`` pairs on either side, so that all neighbours of a pair lie in it.
    """
    count = len(first)
    totals = np.full((len(turn) + 1, count + 2 * stride), np.inf, np.float32)
    thinner = totals[:, :count]
    same = totals[:, stride : stride + count]
    thicker = totals[:, 2 * stride :]
    same[0] = first
    shifted = np.full(count + 2, np.inf, np.float32)
    shallower = shifted[:-2]
    level = shifted[1:-1]
    deeper = shifted[2:]
    moved = np.empty(count, np.float32)
    for index, ray in enumerate(turn):
        np.minimum(thinner[index], thicker[index], out=moved)
        np.add(moved, _THICKENING_COST, out=moved)
        np.minimum(moved, same[index], out=level)
        np.minimum(shallower, deeper, out=moved)
        np.add(moved, _BEND_COST, out=moved)
        np.minimum(moved, level, out=moved)
        np.add(moved, cost[ray], out=same[index + 1])
    return totals


def _trace_back(totals: np.ndarray, last: int, stride: int) -> np.ndarray:
    """Walk back from a pair on the last ray to the first ray, the cheapest way."""
    thickenings, bends = np.mgrid[-1:2, -1:2].reshape(2, -1)
    moves = stride * thickenings + bends
    prices = _BEND_COST * np.abs(bends) + _THICKENING_COST * np.abs(thickenings)
    prices = prices.astype(np.float32)
    pairs = np.empty(len(totals), int)
    pairs[-1] = last
    for ray in range(len(totals) - 1, 0, -1):
        candidates = pairs[ray] + moves
        totals_here = totals[ray - 1].take(candidates) + prices
        pairs[ray - 1] = candidates[totals_here.argmin()]
    return pairs
