"""The head unwrapped around its centre, and the skull's outer surface as a closed path over angle and depth.

All of it happens on a grid of `STEP_MM`, on which a head of any resolution looks alike. Depth counts inwards from the
skin. Without a spacing the head is its own ruler: its mean radius is taken for `RADIUS_MM`. The weights are rounded to
one digit or two; each can be halved, or raised by half, and the mean IoU on real heads moves by less than 0.01
(that of single slices by more).
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from . import errors, masks

STEP_MM = 0.5
ANGLES = 360
RADIUS_MM = 78.0  # of a grown head above the orbits
MAX_FIELD_MM = 1000.0  # of view: beyond it the spacing is in another unit
DEPTH_MM = 36.0  # how far below the skin the skull may begin
MIN_SCALP_MM = 2.0
SKULL_MM = (2.0, 5.0, 12.0)  # least, usual and greatest distance from the skull's surface to the brain

_AIR = 0.35  # of the tissue's median brightness
_CLOSING_MM = 4.5
_MOST_SPREAD = 0.6  # of the middle: where brightness along the frame spreads further, tissue lies there, too
_SPREADS = 2.0  # standard deviations that noise in the air hardly exceeds once it is blurred
_FLOOR, _CEILING = 0.1, 1.2  # of the brain's brightness: what is darker or brighter than that says no more
_WINDOW_MM = 1.0  # over which brightness is averaged on either side of the skull's surface
_INNER_MM, _BRAIN_MM = 1.5, 3.0  # and on either side of its inner edge
_DARK, _BRAIN = 0.4, 0.6  # weights of the bone's darkness and of the step from bone to brain
_DEEP, _ODD = 0.004, 0.04  # costs per mm below the skin, and per mm off the usual thickness
_FRAME, _NEVER = 0.25, 5.0  # costs of the frame where it cuts the head, and of a scalp that is too thin
_BEND = 0.15  # cost of one step in depth from one angle to the next
_NEIGHBOUR, _NEIGHBOUR_MM = 0.3, 4.0  # cost per mm off the neighbouring slices' outline, up to so many
_DEEP_MM, _EVEN_BRAIN, _BRIGHT = 30.0, 0.08, 1.2  # from where there is brain, its spread on CT, and bone on CT
_CLEAR_MM = 1.5  # on either side of an outline that is looked at
_SHARP = 0.2  # contrast of an outline beyond doubt
_ROUNDINGS = 16  # of the largest intensity: what varies by less is flat, and what is left of it is rounding
_SAMPLE_EVERY, _SAMPLE_PX = 3, 64  # of so many rows and columns one is looked at, and at least so many of them
_FAR = 1000.0  # times the range of brightness: a pixel beyond it counts as there
_EXTREMES = (0.5, 99.5)  # percentiles that bound the brightness
_BLOCKS, _LEAST_BLOCKS, _LEAST_BLOCK_PX = 12, 3, 4  # along the longer side, along the shorter one, and their width
_NOISE, _FALLS = 0.1, 0.35  # shares of the variance of pixels, and of blocks half as wide: noise has less in blocks
_EVEN = 0.1  # of the range of brightness: what varies by less along a line is an even line
_FAINT = 0.02  # of the range of brightness: what a box of zeros differs by from noise that it lies around
_FEW = 0.05  # share of a rim that may have the value of the box around it
_FRAMES, _LEAST_FRAME_PX = 20, 3  # a frame is no wider than a twentieth of the side, or than so many pixels
_MOST_OF_LINE = (10, 90)  # percentiles along a line between which a frame is even; tissue hardly runs as far
_BLUR_PX = 8  # how far a frame reaches where JPEG has blurred it: the width of its blocks
_RIVALS = "shows more than one head, only the largest is looked at; save each head as a picture of its own"
_GLANCE_PX = 128  # longer side of the small copy in which more heads are looked for
_RIVAL = 0.2  # share of the head's area from which another piece is a head as well, if it has the area of one
_HARMONICS = 6  # constant included; a skull's outline hardly needs more
HEAD_MM2 = 2800.0  # least area of what can be taken for a head where something else speaks against it
TRUSTED = 0.35  # quality below which a mask should be looked at
CLEARLY = 1.1  # so many times a slice's quality must its neighbours have before they pull its outline


@dataclass(frozen=True)
class Unwrapped:
    """A head in polar coordinates.

    Attributes
    ----------
    brightness : ndarray of shape (ANGLES, D), float32
        Square root of the intensity, 1 in the brain. Row 0 looks to the right, the angle runs clockwise; column d
        lies d steps below the skin.
    skin : ndarray of shape (ANGLES,), float64
        Distance of the skin from the centre, in steps.
    centre : tuple of float
        Row and column of the head's centre on the grid.
    scale : tuple of float
        Grid steps for every row and column of the image.
    shape : tuple of int
        Rows and columns of the image.
    head : ndarray of shape (H, W), uint8
        The head on the grid.
    cut : ndarray of shape (ANGLES,), bool
        Where the frame of the image cuts the head: its skin is the frame.
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


def find_head(brightness: np.ndarray) -> np.ndarray:
    """Find the head: what is not air, its holes filled *before* the largest piece is taken.

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
    >>> ring[10:50, 10:50], ring[20:40, 20:40], ring[25:35, 25:35] = 0.8, 0, 1  # scalp, bone, brain
    >>> bool(find_head(ring)[30, 22])
    True
    """
    return masks.fill_holes(masks.largest_component(_find_tissue(brightness)))


def _find_tissue(brightness: np.ndarray) -> np.ndarray:
    """Mark what is not air, with its holes filled and without what is thin."""
    gray = (cv2.GaussianBlur(brightness, (0, 0), _steps(1.0)) * 255).astype(np.uint8)
    above = _above_air(gray)
    if not above.any():
        return above
    width = _steps(_CLOSING_MM)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    above = np.pad(above, width)
    filled = masks.fill_holes(cv2.morphologyEx(above, cv2.MORPH_CLOSE, element))
    return cv2.morphologyEx(filled, cv2.MORPH_OPEN, element)[width:-width, width:-width]


def _above_air(gray: np.ndarray) -> np.ndarray:
    """Mark what is brighter than air; nothing where there is no contrast."""
    threshold = masks.otsu_threshold(gray)
    tissue = gray[gray > threshold]
    if tissue.size in (0, gray.size):
        return np.zeros_like(gray)
    air = masks.otsu_threshold(gray[gray <= threshold][None])  # the second threshold parts air from what is dim
    return (gray > max(air, _AIR * np.median(tissue), _noise_level(gray, threshold))).astype(np.uint8)


def _noise_level(gray: np.ndarray, tissue: float) -> float:
    """Give what noise in the air hardly exceeds, or 0 where the frame runs through tissue."""
    along_frame = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    middle, upper = np.percentile(along_frame, (50, 75))
    spread = 1.4826 * np.median(np.abs(along_frame - middle))  # the standard deviation, but for outliers
    if upper > tissue or spread > _MOST_SPREAD * middle:
        return 0.0
    return float(min(middle + _SPREADS * spread, tissue))


def _is_alone(tissue: np.ndarray) -> bool:
    """Tell whether no other piece of tissue is as large as a head."""
    areas_px = np.sort(masks.label_components(tissue)[1][1:])
    if areas_px.size < 2:
        return True
    head_px, rival_px = areas_px[-1], areas_px[-2]
    return rival_px < max(_RIVAL * head_px, HEAD_MM2 / STEP_MM**2)


def unwrap(image: np.ndarray, spacing_mm: tuple[float, float] | None = None) -> Unwrapped | None:
    """Find the head of a slice and unwrap it around its centre.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    spacing_mm : pair of float, optional
        Row and column spacing [mm]; without it the head's size is the ruler, and pixels are taken for square.

    Returns
    -------
    Unwrapped or None
        None if there is no head.

    Raises
    ------
    InputError
        If the image is no slice, the spacing not two positive numbers, or the field of view beyond `MAX_FIELD_MM`.

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> data = load("phantom")
    >>> unwrap(data.images[0], data.spacing_mm[0]).brightness.shape
    (360, 96)
    """
    image = _without_border(_stretched(errors.check_slice(image)))
    scale = _scale(image, spacing_mm)  # checks the spacing as well
    if _is_noise(image):
        return None
    brightness = _on_grid(image, scale)
    tissue = _find_tissue(brightness)
    head = masks.fill_holes(masks.largest_component(tissue))
    if not head.any():
        return None
    rows, columns = np.nonzero(head)
    centre = float(rows.mean()), float(columns.mean())
    radii = np.arange(np.hypot(*head.shape) + 1)
    inside = ndimage.map_coordinates(head, _places(centre, radii), order=0)
    skin = np.where(inside.any(axis=1), radii[-1] - inside[:, ::-1].argmax(axis=1), 0.0)
    skin = ndimage.median_filter(skin, 9, mode="wrap")
    inner = ndimage.map_coordinates(brightness, _places(centre, skin[:, None] * np.linspace(0, 0.6, 40)), order=1)
    brain = max(float(np.median(inner)), 1 / 255)
    radii = skin[:, None] - np.arange(_steps(DEPTH_MM + SKULL_MM[-1]))
    polar = ndimage.map_coordinates(brightness, _places(centre, radii), order=1, mode="nearest") / np.float32(brain)
    polar[radii < 0] = 1
    scale = tuple(n / m for n, m in zip(head.shape, image.shape, strict=True))  # as rounded to whole steps
    at_skin = (place[:, 0] for place in _places(centre, skin[:, None]))
    cut = np.any([(at < 1) | (at > n - 2) for at, n in zip(at_skin, head.shape, strict=True)], axis=0)
    return Unwrapped(polar, skin, centre, scale, image.shape, head, cut, _is_alone(tissue))


def _stretched(image: np.ndarray) -> np.ndarray:
    """Bring the brightness of an image to 0 … 1, but for its extremes; what is flat becomes zero."""
    low, high = _limits(image)
    largest = max(abs(low), abs(high))
    rounding = np.finfo(image.dtype).eps * largest if image.dtype.kind == "f" else 0.0
    if high - low <= _ROUNDINGS * rounding:
        return np.zeros(image.shape)
    scaled = image / np.float64(largest)  # first, for the range may be too large for a float
    stretched = (scaled - low / largest) / (high / largest - low / largest)
    return np.clip(stretched, -_FAR, _FAR)


def _is_noise(image: np.ndarray) -> bool:
    """Tell noise from an image that shows something.

    Means of blocks hardly differ where there is noise alone, and still less where the blocks are larger: their variance
    falls to a quarter as the width doubles. That of what shows something falls by far less.
    """
    width = min(-(-max(image.shape) // _BLOCKS), min(image.shape) // _LEAST_BLOCKS)
    width = max(_LEAST_BLOCK_PX, width - width % 2)
    rows, columns = image.shape[0] // width, image.shape[1] // width
    if min(rows, columns) < _LEAST_BLOCKS:
        return False
    clipped = np.clip(image[: rows * width, : columns * width], 0, 1).astype(np.float32)
    blocks = cv2.resize(clipped, (columns, rows), interpolation=cv2.INTER_AREA)
    halves = cv2.resize(clipped, (2 * columns, 2 * rows), interpolation=cv2.INTER_AREA)
    pixels, halves, blocks = (float(array.var(dtype=np.float64)) for array in (clipped, halves, blocks))
    return blocks < _NOISE * pixels and blocks < _FALLS * halves


def _without_border(image: np.ndarray) -> np.ndarray:
    """Paint over what is drawn around an image: bright lines, and a box of zeros around a plain background."""
    image = _without_frame(image)
    rows, columns = _inside_even_lines(image)
    inside = image[rows, columns]
    if inside.size in (0, image.size):
        return image
    outermost, innermost = [], []
    if rows.start > 0:
        outermost.append(image[0])
        innermost.append(image[rows.start - 1, columns])
    if rows.stop < image.shape[0]:
        outermost.append(image[-1])
        innermost.append(image[rows.stop, columns])
    if columns.start > 0:
        outermost.append(image[:, 0])
        innermost.append(image[rows, columns.start - 1])
    if columns.stop < image.shape[1]:
        outermost.append(image[:, -1])
        innermost.append(image[rows, columns.stop])
    box = np.median([np.median(line) for line in outermost])
    background = np.median([np.median(line) for line in innermost])
    rim = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
    frame_around_it_all = background > np.median(rim) + _EVEN
    if frame_around_it_all or _is_plain(rim, background):
        background = np.median(rim)
    painted = np.abs(image - background) > _EVEN
    if abs(box - background) > _FAINT:
        painted |= image == box
    painted[rows, columns] = False
    return np.where(painted, background, image)


def _without_frame(image: np.ndarray) -> np.ndarray:
    """Paint over bright lines along the sides that a lossy format has blurred, so that they are no longer even."""
    painted = image.copy()
    for quarter in range(4):
        side = np.rot90(painted, quarter)  # a view: its first rows lie along one of the sides
        depth = max(_LEAST_FRAME_PX, len(side) // _FRAMES)
        background = np.median(side[depth : 2 * depth]) if len(side) > depth else np.inf
        low, high = np.percentile(side[:depth], _MOST_OF_LINE, axis=1)
        lines = np.flatnonzero((low > background + _EVEN) & (high - low < 2 * _EVEN))
        if lines.size:
            end = lines[-1] + 1
            side[:end] = background
            blurred = side[end : end + _BLUR_PX]
            blurred[np.abs(blurred - background) < 2 * _EVEN] = background
    return painted


def _is_plain(rim: np.ndarray, box: float) -> bool:
    """Tell whether a box lies around an even, faint background: around noise, say, but not around tissue."""
    lower, middle, upper = np.percentile(rim, (25, 50, 75)) - box
    return middle <= 2 * _EVEN and upper - lower <= _EVEN and np.mean(rim == box) <= _FEW


def _inside_even_lines(image: np.ndarray) -> tuple[slice, slice]:
    """Find the rows and columns that are left when even lines are peeled off all sides."""
    rows, columns = slice(0, image.shape[0]), slice(0, image.shape[1])
    while True:
        uneven_rows = np.flatnonzero(np.ptp(image[rows, columns], axis=1) > _EVEN)
        if not uneven_rows.size:
            return slice(0, 0), slice(0, 0)
        peeled_rows = slice(rows.start + int(uneven_rows[0]), rows.start + int(uneven_rows[-1]) + 1)
        uneven_columns = np.flatnonzero(np.ptp(image[peeled_rows, columns], axis=0) > _EVEN)
        if not uneven_columns.size:
            return slice(0, 0), slice(0, 0)
        first, last = uneven_columns[[0, -1]].tolist()
        peeled_columns = slice(columns.start + first, columns.start + last + 1)
        if (peeled_rows, peeled_columns) == (rows, columns):
            return rows, columns
        rows, columns = peeled_rows, peeled_columns


def contrast(image: np.ndarray) -> float:
    """Tell how far the values of an image lie apart, without its extremes.

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
    """Give the range of an image without its extremes, from a sample of its pixels."""
    every = int(np.clip(min(image.shape) // _SAMPLE_PX, 1, _SAMPLE_EVERY))
    return np.percentile(image[::every, ::every].astype(np.float64), _EXTREMES)


def warn_of_rivals(unwrapped: Unwrapped | None) -> None:
    """Warn where an image shows more than one head, of which the largest is taken.

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
    """Tell at a glance whether an image may show more than one head; `unwrap` takes many times as long to be sure.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    bool
        True for hardly any image of a single head. Heads that touch count as one.

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
    image = errors.check_slice(image)
    shrink = _GLANCE_PX / max(image.shape)
    if shrink < 1:
        size = [max(1, round(length * shrink)) for length in reversed(image.shape)]
        image = cv2.resize(np.ascontiguousarray(image, np.float32), size, interpolation=cv2.INTER_AREA)
    gray = (np.clip(_stretched(image), 0, 1) * 255).astype(np.uint8)
    areas_px = np.sort(masks.label_components(masks.fill_holes(_above_air(gray)))[1][1:])
    return areas_px.size > 1 and bool(areas_px[-2] >= _RIVAL / 2 * areas_px[-1])


def boundary_cost(brightness: np.ndarray, cut: np.ndarray | bool = False) -> np.ndarray:
    """Price every place as the skull's outer surface: scalp outside, dark bone inside, and brain where bone ends.

    Both edges of the skull are looked for at once: the step from scalp to bone at this place, and the best step from
    bone to brain at a plausible distance further in. So neither muscle, bright diploe nor suppressed fat decides alone.

    Parameters
    ----------
    brightness : ndarray of shape (ANGLES, D), float32
        See `Unwrapped`; D is more than the greatest thickness of `SKULL_MM`, in steps.
    cut : ndarray of shape (ANGLES,), bool
        Where the frame cuts the head; there the surface may be the frame, if no edge is seen inside.

    Returns
    -------
    ndarray of shape (ANGLES, D − SKULL_MM[-1] / STEP_MM), float64
        Lower is better.

    Examples
    --------
    >>> ray = np.ones((1, 96), np.float32)
    >>> ray[0, 12:20] = 0.2  # scalp down to 6 mm, then 4 mm of bone
    >>> int(boundary_cost(ray).argmin())
    12
    """
    least, usual, greatest = map(_steps, SKULL_MM)
    level = 1 + np.log(np.minimum(brightness, _CEILING) + _FLOOR) / np.log(1 + 1 / _FLOOR)
    sums = np.cumsum(np.pad(level, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    place = np.arange(level.shape[1])

    def mean(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        start, stop = np.clip((start, stop), 0, place.size)
        return (sums[:, stop] - sums[:, start]) / np.maximum(stop - start, 1)

    window, before, after = map(_steps, (_WINDOW_MM, _INNER_MM, _BRAIN_MM))
    outside, bone = mean(place - window, place), mean(place, place + window)
    surface = bone - outside + _DARK * bone + _DEEP * STEP_MM * place
    surface[:, : _steps(MIN_SCALP_MM)] = _NEVER
    brain = _BRAIN * (mean(place - before, place) - np.minimum(mean(place, place + after), 1))
    count = place.size - greatest
    thick = [brain[:, t : t + count] + _ODD * STEP_MM * abs(t - usual) for t in range(least, greatest + 1)]
    cost = surface[:, :count] + np.minimum.reduce(thick)
    cost[cut, : _steps(MIN_SCALP_MM)] = _FRAME
    return cost


def closed_path(cost: np.ndarray) -> np.ndarray:
    """Find a cheap path once around, which moves by at most one step from one angle to the next.

    Parameters
    ----------
    cost : ndarray of shape (A, D)

    Returns
    -------
    ndarray of shape (A,), int
        A column for every row; the first and the last differ by at most one.

    References
    ----------
    C. Sun, S. Pallottino, "Circular shortest path in images", Pattern Recognition 36(3):709–719, 2003. Two turns find
    where the path crosses the first angle; a third finds the cheapest path that begins and ends there.

    Examples
    --------
    >>> cost = np.ones((6, 4))
    >>> cost[range(6), [1, 2, 3, 3, 2, 1]] = 0
    >>> closed_path(cost)
    array([1, 2, 3, 3, 2, 1])
    """
    start = _path(np.concatenate([cost, cost]))[len(cost)]
    ends = np.full(cost.shape[1], np.inf)
    ends[start] = 0
    return _path(np.concatenate([ends[None], cost[1:], ends[None]]))[:-1]


def _path(cost: np.ndarray) -> np.ndarray:
    moves = np.zeros(cost.shape, np.int8)
    padded = np.full(cost.shape[1] + 2, np.inf)
    padded[1:-1] = cost[0]
    choices, steps = np.empty((3, cost.shape[1])), np.array([0, -1, 1], np.int8)
    for price, move in zip(cost[1:], moves[1:], strict=True):
        choices[0] = padded[1:-1]
        np.add(padded[:-2], _BEND, out=choices[1])
        np.add(padded[2:], _BEND, out=choices[2])
        steps.take(choices.argmin(axis=0), out=move)
        np.add(choices.min(axis=0), price, out=padded[1:-1])
    path = np.empty(len(cost), int)
    path[-1] = padded[1:-1].argmin()
    for row in range(len(cost) - 1, 0, -1):
        path[row - 1] = path[row] + moves[row, path[row]]
    return path


def half_maximum(brightness: np.ndarray, path: np.ndarray, cut: np.ndarray | bool = False) -> np.ndarray:
    """Move a path to where the brightness is halfway from scalp to bone, between the steps, and smooth it.

    Parameters
    ----------
    brightness : ndarray of shape (A, D)
        See `Unwrapped`; brighter than the brain counts as bright as the brain.
    path : ndarray of shape (A,), int
    cut : ndarray of shape (A,), bool
        Where the frame cuts the head.

    Returns
    -------
    ndarray of shape (A,), float64
        Depths, in steps, off ``path`` by about 2 mm at most; −1, beyond the frame, where the path follows it.

    Examples
    --------
    >>> rays = np.tile(np.float32([1, 1, 1, 1, 0.8, 0.4, 0.2, 0.2, 0.2, 0.2]), (8, 1))
    >>> half_maximum(rays, np.full(8, 5))[0].round(2)
    np.float64(4.5)
    """
    reach = _steps(2.0)
    columns = np.clip(path[:, None] + np.arange(-reach, reach + 1), 0, brightness.shape[1] - 1)
    near = np.minimum(np.take_along_axis(brightness, columns, axis=1), 1)
    half = (near[:, : reach + 1].max(axis=1, keepdims=True) + near[:, reach:].min(axis=1, keepdims=True)) / 2
    falls = (near[:, :-1] >= half) & (near[:, 1:] < half)
    offsets = np.arange(-reach, reach)
    first = np.where(falls, np.abs(offsets + 0.5), np.inf).argmin(axis=1)[:, None]
    before, after = np.take_along_axis(near, first, axis=1), np.take_along_axis(near, first + 1, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        moved = np.where(falls.any(axis=1, keepdims=True), offsets[first] + (before - half) / (before - after), 0)
    depth = ndimage.gaussian_filter1d(path + ndimage.median_filter(moved[:, 0], 5, mode="wrap"), 2.0, mode="wrap")
    return np.where(cut & (path < _steps(MIN_SCALP_MM)), -1.0, depth)


def fill_outline(unwrapped: Unwrapped, depth: np.ndarray) -> np.ndarray:
    """Mark the pixels of the image whose centre lies within an outline.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin, in steps.

    Returns
    -------
    ndarray of shape (H, W), uint8
        Of the image's shape.

    Examples
    --------
    >>> square = np.zeros((40, 40))
    >>> square[8:32, 8:32] = 1
    >>> unwrapped = unwrap(square, (1.0, 1.0))
    >>> int(fill_outline(unwrapped, unwrapped.skin - 10.0).sum())  # a disc with a radius of 5 mm
    80
    """
    fine = 10  # angles between two angles
    angles = np.arange(fine * ANGLES) / fine
    radius = np.interp(angles, np.arange(ANGLES), unwrapped.skin - depth, period=ANGLES).astype(np.float32)
    y, x = (at.astype(np.float32) for at in _from_centre(unwrapped, map(np.arange, unwrapped.shape)))
    angle = np.arctan2(y[:, None], x) * np.float32(angles.size / 2 / np.pi)
    inside = np.hypot(y[:, None], x) <= radius[angle.astype(np.int32) % angles.size]
    return inside.astype(np.uint8)


def outline(unwrapped: Unwrapped, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the places of an outline in the image.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin, in steps.

    Returns
    -------
    rows, columns : ndarray of shape (ANGLES,), float64
        Fractions of pixels; whole numbers are the middles of pixels.

    Examples
    --------
    >>> square = np.zeros((40, 40))
    >>> square[8:32, 8:32] = 1
    >>> unwrapped = unwrap(square, (1.0, 1.0))
    >>> rows, columns = outline(unwrapped, unwrapped.skin - 10.0)
    >>> float(rows[90] - rows[270]), float(columns[0] - columns[180])  # the diameter is 10 mm
    (10.0, 10.0)
    """
    places = _places(unwrapped.centre, (unwrapped.skin - depth)[:, None])
    return tuple(place[:, 0] for place in _in_image(unwrapped, places))


def neighbour_cost(unwrapped: Unwrapped, outlines: Iterable[tuple[np.ndarray, np.ndarray]], count: int) -> np.ndarray:
    """Price the distance from where neighbouring slices have their outline: a soft prior.

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
        0 on the mean of the outlines; more than 4 mm off it grows no further.

    Examples
    --------
    >>> square = np.zeros((40, 40))
    >>> square[8:32, 8:32] = 1
    >>> unwrapped = unwrap(square, (1.0, 1.0))
    >>> near = outline(unwrapped, np.full(ANGLES, 7.0))
    >>> int(neighbour_cost(unwrapped, [near, near], 20)[0].argmin())
    7
    """
    radii = []
    angles = np.arange(ANGLES) * 2 * np.pi / ANGLES
    for places in outlines:
        y, x = _from_centre(unwrapped, places)
        radii.append(np.interp(angles, np.arctan2(y, x) % (2 * np.pi), np.hypot(y, x), period=2 * np.pi))
    expected = unwrapped.skin - np.mean(radii, axis=0)
    off_mm = STEP_MM * np.abs(np.arange(count) - expected[:, None])
    return _NEIGHBOUR * np.minimum(off_mm, _NEIGHBOUR_MM)


def trust(unwrapped: Unwrapped, depth: np.ndarray) -> float:
    """Say how far an outline can be trusted: `quality` for one that is not filled yet.

    Parameters
    ----------
    unwrapped : Unwrapped
    depth : ndarray of shape (ANGLES,)
        Below the skin, in steps.

    Returns
    -------
    float
        0 … 1

    Examples
    --------
    >>> disc = np.hypot(*np.mgrid[-60:60, -60:60]) < 50  # without a skull
    >>> unwrapped = unwrap(disc, (1.0, 1.0))
    >>> trust(unwrapped, np.full(ANGLES, 20.0))
    0.0
    """
    pixel = _pixel_along_rays(unwrapped)
    coarse = np.maximum(pixel / _steps(_CLEAR_MM), 1)  # wide pixels blur a step, and draw it as a staircase
    reach = _steps(_CLEAR_MM)
    beside = depth[:, None] + coarse[:, None] * (np.arange(-reach, reach) + 0.5)
    rays = np.broadcast_to(np.arange(ANGLES)[:, None], beside.shape)
    level = ndimage.map_coordinates(np.minimum(unwrapped.brightness, 1), (rays, beside), order=1, mode="nearest")
    contrast = level[:, :reach].mean(axis=1) - level[:, reach:].mean(axis=1)
    radius = unwrapped.skin - depth
    rough = np.abs(radius - np.fft.irfft(np.fft.rfft(radius)[:_HARMONICS], ANGLES))
    staircase = np.where(coarse > 1, pixel / 8, 0)  # half of what whole pixels make on average: outlines are smoothed
    rough_mm = STEP_MM * np.maximum(rough - staircase, 0)
    scalp = (depth >= _steps(MIN_SCALP_MM)) & (depth <= _steps(DEPTH_MM))
    seen = ~unwrapped.cut | scalp  # elsewhere the outline is the frame
    if not seen.any() or _bone_is_bright(unwrapped, depth):
        return 0.0
    sharp = np.clip(contrast[seen].mean() / _SHARP, 0, 1)
    return float(sharp * np.exp(-rough_mm[seen].mean()) * scalp[seen].mean() * seen.mean())


def _bone_is_bright(unwrapped: Unwrapped, depth: np.ndarray) -> bool:
    """Recognise CT: around an even brain lies a shell that is brighter. On MR the brain is never that even."""
    below = depth[:, None] + np.arange(_steps(SKULL_MM[-1]))
    rays = np.broadcast_to(np.arange(ANGLES)[:, None], below.shape)
    shell = ndimage.map_coordinates(unwrapped.brightness, (rays, below), order=1, mode="nearest")
    brightest = ndimage.uniform_filter1d(shell, _steps(_INNER_MM), axis=1).max(axis=1)
    columns = np.arange(_steps(_DEEP_MM), unwrapped.brightness.shape[1])
    rays, columns = np.nonzero(unwrapped.skin[:, None] > columns)  # not beyond the centre
    if not rays.size:
        return False
    low, high = np.percentile(unwrapped.brightness[rays, columns + _steps(_DEEP_MM)], (10, 90))
    return bool(np.median(brightest) > _BRIGHT and high - low < _EVEN_BRAIN)


def _pixel_along_rays(unwrapped: Unwrapped) -> np.ndarray:
    """Width of a pixel in the direction of every angle, in steps."""
    angles = np.arange(ANGLES) * 2 * np.pi / ANGLES
    row, column = unwrapped.scale
    return np.hypot(np.sin(angles) * row, np.cos(angles) * column)


def quality(image: np.ndarray, mask: np.ndarray, *, spacing_mm: tuple[float, float] | None = None) -> float:
    """Say how far a skull mask can be trusted, without any truth.

    Three things speak for a mask: its outline is a step from bright to dark, it is smooth, and it leaves a plausible
    thickness of scalp outside. The figure is their product, times the share of the outline that the frame does not
    cut off. Steps and smoothness are measured on the scale of the pixels. Bone that is brighter than an even brain, as
    on CT, makes it 0. It parts failures from masks that hold, but it is no
    probability, and does not rank good masks: a clear edge in the wrong place escapes it.

    Parameters
    ----------
    image, mask : ndarray of shape (H, W)
        The mask holds 0 and at most one other value.
    spacing_mm : pair of float, optional
        Row and column spacing [mm]; see `unwrap`.

    Returns
    -------
    float
        0 … 1; 0 for an empty mask and where there is no head. Below `TRUSTED` look at the slice.

    Raises
    ------
    InputError
        See `unwrap`; or if the mask is not binary, or of another shape.

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> data = load("phantom")
    >>> quality(data.images[0], data.truth[0]) > TRUSTED, quality(data.images[0], 1 - data.truth[0])
    (True, 0.0)
    """
    mask = errors.check_binary(mask)
    if np.shape(image) != mask.shape:
        raise errors.InputError(f"expected an image and a mask of one shape, got {np.shape(image)} and {mask.shape}")
    unwrapped = unwrap(image, spacing_mm)
    warn_of_rivals(unwrapped)
    return trust_in(unwrapped, mask)


def trust_in(unwrapped: Unwrapped | None, mask: np.ndarray) -> float:
    """Tell how far to trust a mask of a head that is unwrapped already: `quality` at a tenth of the time.

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


def _depth_of(mask: np.ndarray, unwrapped: Unwrapped) -> np.ndarray:
    """How far below the skin a mask begins, in fractions of steps, for every angle."""
    radii = unwrapped.skin[:, None] - np.arange(unwrapped.brightness.shape[1])
    places = _in_image(unwrapped, _places(unwrapped.centre, radii))
    return (1 - ndimage.map_coordinates(mask.astype(np.float32), places, order=1, mode="nearest")).sum(axis=1)


def _steps(mm: float) -> int:
    return round(mm / STEP_MM)


def _places(centre: tuple[float, float], radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns on the grid of every angle (rows) at these radii."""
    angle = np.arange(ANGLES)[:, None] * 2 * np.pi / ANGLES
    return centre[0] + np.sin(angle) * radii, centre[1] + np.cos(angle) * radii


def _in_image(unwrapped: Unwrapped, places: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """From rows and columns of the grid to those of the image."""
    return tuple((place + 0.5) / scale - 0.5 for place, scale in zip(places, unwrapped.scale, strict=True))


def _from_centre(unwrapped: Unwrapped, places: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """From rows and columns of the image to those of the grid, counted from the head's centre."""
    middles = zip(places, unwrapped.scale, unwrapped.centre, strict=True)
    return tuple((place + 0.5) * scale - 0.5 - middle for place, scale, middle in middles)


def _scale(image: np.ndarray, spacing_mm: tuple[float, float] | None) -> tuple[float, float]:
    """Grid steps per row and column."""
    if spacing_mm is not None:
        spacing = errors.check_spacing(spacing_mm)
        field_mm = max(image.shape * spacing)
        if field_mm > MAX_FIELD_MM:
            raise errors.InputError(
                f"expected a field of view up to {MAX_FIELD_MM:g} mm, got {field_mm:g} mm; is the spacing in mm?"
            )
        return tuple(spacing / STEP_MM)
    coarse = 2 * _steps(RADIUS_MM) / max(image.shape)  # as if the head filled the frame
    radius = np.sqrt(find_head(_on_grid(image, (coarse, coarse))).sum() / np.pi)
    fine = coarse * _steps(RADIUS_MM) / max(radius, _steps(RADIUS_MM) / 4)
    return fine, fine


def _on_grid(image: np.ndarray, scale: tuple[float, float]) -> np.ndarray:
    """Resample to the grid; brightness is the square root of the intensity, from 0 to 1 without its extremes."""
    rows, columns = (max(1, round(n * f)) for n, f in zip(image.shape, scale, strict=True))
    method = cv2.INTER_AREA if max(scale) < 1 else cv2.INTER_LINEAR
    grid = cv2.resize(image.astype(np.float32), (columns, rows), interpolation=method)
    low, high = np.percentile(grid, _EXTREMES)
    if low == high:
        return np.zeros_like(grid)
    return np.sqrt(np.clip((grid - low) / (high - low), 0, 1))
