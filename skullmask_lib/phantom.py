"""Seeded analytic heads with exact labels, so that every lesson and test runs without a download.

Everything that draws a head lives here; most of its measures are in ``data/phantom.toml``, and
loading it as data is the task of `io`. A head is a set of smooth fields over millimetres. It gives
slices at any level and resolution, and whole volumes, all of the same head. Coordinates: ``x``
grows to the patient's right, ``y`` to the back (rows of an image run from front to back), ``z``
upwards. The origin lies in the middle of the brain.

Each tissue is a signed distance in millimetres, negative inside, so a minimum joins shapes and a
maximum intersects them. Tissues are painted one over the other, from the skin to the ventricles. A
label is set where the distance is negative, and the signal follows the same distance with a soft
edge (partial volume), so image and labels cannot disagree. The sensitivity of two rings of coils
multiplies the image, and Rician noise (the magnitude of a complex signal) is added last.

Why the numbers of the source come out
--------------------------------------
The five slices of the source were never published; this head stands in for them. What
``data/phantom.toml`` marks as *calibrated* was tuned once, on seed 26, to published statistics of
the data: value range 1.83e-07 … 3.49e-05, Otsu threshold 23 of 255, mean IoU 0.73 for v1 and 0.82
for v2, v7's level of 0.98, and 26 as the best width. The random search also kept v7 even over the
slices (none far under 0.97) and asked for a peak at 26 that stands clear of 24 and 28. These
figures therefore agree **by construction**. Everything else is prediction: the shape of the curve
further out, v3 to v6, leave-one-out, the cropped variant, and every other seed.

Otsu's 23 is set by a few very bright scalp vessels (inflow of fresh blood): a few dozen pixels in
each slice stretch the range upwards. With their signal set to that of skin, the threshold is 39 to
43, and the IoU of v1, v2 and v7 stays the same to three decimals.
"""

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from numbers import Real
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from .errors import InputError, similar
from .project import project_folder
from .texts import plain

SLICE_SHAPE = (768, 624)
SLICE_SPACING_MM = (0.42, 0.42)
LEVELS_MM = (-2.0, 8.0, 18.0, 28.0, 38.0)
VALUE_RANGE = (1.83e-07, 3.49e-05)
VALUE_STEPS = 4095  # between the two ends of the range
SIGNAL_STEPS = 4095  # per unit of relative signal

_TABLES = tomllib.loads((project_folder("data") / "phantom.toml").read_text(encoding="utf-8"))
MODEL = SimpleNamespace(**_TABLES["model"])
TEXTURES = _TABLES["textures"]
VENTRICLE_MM = _TABLES["ventricle_mm"]
LABELS = {name: label for label, name in enumerate(_TABLES["tissues"])}  # from the outside in


def _signals_of(column: int) -> dict[str, float]:
    """Return the relative signal of every tissue for one contrast."""
    return {name: signals[column] for name, signals in _TABLES["tissues"].items()}


SIGNALS = {"T1": _signals_of(0), "T2": _signals_of(1), "FLAIR": _signals_of(2)}

# Where the scalp vessels run [radians]: 0 is right, pi / 2 is back
VESSEL_ANGLES = (0.25, -0.3, np.pi - 0.25, np.pi + 0.28, 1.2, 1.95, -1.2, -1.9)
# No measure and no signal is larger
_FARTHEST = 1000.0
_BRIGHTEST = 1000.0
# The least and the greatest value of a measure; beyond them the anatomy would turn inside out
_LIMITS = {
    "half_width_mm": (1.0, _FARTHEST),
    "half_length_mm": (1.0, _FARTHEST),
    "half_height_mm": (1.0, _FARTHEST),
    "half_height_below_mm": (1.0, _FARTHEST),
    "egg": (-0.9, 0.9),
    "boxiness": (1.0, 20.0),
    "skin_mm": (0.0, _FARTHEST),
    "outer_table_mm": (0.0, _FARTHEST),
    "inner_table_mm": (0.0, _FARTHEST),
    "sulcus_radiality": (0.0, 1.0),
    "coil_reach_mm": (1.0, _FARTHEST),
}
# Nothing of the usual head lies further out than this multiple of the skull's semi-axes
_REACH = 1.3
# The soft edge between tissues is at least this many pixels wide
_EDGE_PX = 0.8
_COILS_PER_RING = 12
_COIL_RINGS_MM = (0.0, 45.0)  # heights
# A cropped frame cuts this share of the scalp, within these limits
_CUT_SHARE = 0.6
_CUT_MM = (2.3, 4.7)


class _Waves(NamedTuple):
    """A texture: plane waves, to be summed."""

    vectors: np.ndarray  # (count, 3) [radians per mm]
    phases: np.ndarray  # (count,) [radians]


class _Draws(NamedTuple):
    """Everything that is random in a head."""

    waves: dict[str, _Waves]  # by the name of the texture
    coil_gain: np.ndarray
    vessel_angle: np.ndarray
    vessel_radius_mm: np.ndarray


class _Head(NamedTuple):
    """A head in one contrast: its measures, its signals, and what is random in it."""

    seed: int
    contrast: str
    measures: SimpleNamespace  # as `MODEL`
    signals: dict[str, float]  # by tissue
    draws: _Draws


class _Surface(NamedTuple):
    """The skull's outer surface as seen from some points; all fields but ``place`` are (N,)."""

    distance: np.ndarray  # signed [mm], negative inside
    radius: np.ndarray  # 1 on the surface
    place: np.ndarray  # (3, N), the place on the surface outside of each point [mm]
    angle: np.ndarray  # of that place around the head [radians]
    muscle_share: np.ndarray  # of the scalp's thickness
    scalp_mm: np.ndarray
    skull_mm: np.ndarray

    def at(self, where: np.ndarray) -> "_Surface":
        """Select some of the points."""
        return _Surface(*(field[..., where] for field in self))


class _Layer(NamedTuple):
    """A tissue to paint."""

    tissue: str
    distance: np.ndarray  # signed [mm], negative inside
    brightness: np.ndarray | float = 1.0  # relative to the tissue's signal


class _Sulci(NamedTuple):
    """The sulci near some points."""

    middle: np.ndarray  # distance to the middle of the nearest one [mm]
    half_width: np.ndarray  # of the fluid in it [mm]


# --- Masks of the labels -------------------------------------------------------------------------


def skull_mask(labels: np.ndarray) -> np.ndarray:
    """Mark everything inside the outer surface of the skull: bone, fluid and brain.

    Parameters
    ----------
    labels : ndarray of any shape, uint8
        Labels as `render_slice`, `render_volume` and `five_slices` return them.

    Returns
    -------
    ndarray of the same shape, uint8 of {0, 1}

    Examples
    --------
    >>> skull_mask(np.array([LABELS["fat"], LABELS["diploe"], LABELS["white_matter"]]))
    array([0, 1, 1], dtype=uint8)
    """
    return (np.asarray(labels) >= LABELS["outer_table"]).astype(np.uint8)


def brain_mask(labels: np.ndarray) -> np.ndarray:
    """Mark brain tissue and what it encloses: grey and white matter, deep nuclei, ventricles.

    Fluid around the brain and in its sulci is left out, and so is the venous sinus.

    Parameters
    ----------
    labels : ndarray of any shape, uint8
        Labels as `render_slice`, `render_volume` and `five_slices` return them.

    Returns
    -------
    ndarray of the same shape, uint8 of {0, 1}

    Examples
    --------
    >>> brain_mask(np.array([LABELS["diploe"], LABELS["csf"], LABELS["ventricle"]]))
    array([0, 0, 1], dtype=uint8)
    """
    return (np.asarray(labels) >= LABELS["grey_matter"]).astype(np.uint8)


# --- Slices and volumes --------------------------------------------------------------------------


def render_slice(
    level_mm: float,
    *,
    seed: int = 26,
    contrast: str = "T1",
    shape: tuple[int, int] = SLICE_SHAPE,
    spacing_mm: tuple[float, float] = SLICE_SPACING_MM,
    center_mm: tuple[float, float] = (0, 0),
    noise: bool = True,
    measures: Mapping[str, float] | None = None,
    signals: Mapping[str, float] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Render one axial slice, anterior up, with the patient's right on the right.

    Parameters
    ----------
    level_mm : float
        Height of the slice above the middle of the brain; −40 … 60 shows brain.
    seed : int
        Chooses the head; not negative.
    contrast : {"T1", "T2", "FLAIR"}
    shape : tuple of int
        Rows and columns.
    spacing_mm : tuple of float
        Size of a pixel, row then column.
    center_mm : tuple of float
        Where the middle of the frame lies in the head: millimetres to the back, then to the right.
    noise : bool
        Without noise, air is exactly zero.
    measures : mapping of str to float, optional
        Values that replace those of `MODEL`, as in ``{"skull_mm": 8.5}``. The marrow is as thick
        as ``skull_mm`` less ``outer_table_mm`` and ``inner_table_mm``, with ``skull_temple_mm`` and
        ``skull_variation_mm`` added. Bone is nowhere thinner than its two tables; where they are
        all of it, there is no marrow.
    signals : mapping of str to float, optional
        Relative signals that replace those of the contrast in `SIGNALS`, as in
        ``{"diploe": 0.3}``. They change the image, and not the labels.

    Returns
    -------
    image : ndarray of shape (H, W), float64
        Relative signal; white matter on T1 is about 1.
    labels : ndarray of shape (H, W), uint8
        See `LABELS`.

    Raises
    ------
    InputError
        If an argument is not what is described above.

    Examples
    --------
    >>> image, labels = render_slice(18.0, shape=(96, 80), spacing_mm=(2.4, 2.4))
    >>> image.shape, labels.dtype
    ((96, 80), dtype('uint8'))
    >>> white = image[labels == LABELS["white_matter"]]
    >>> grey = image[labels == LABELS["grey_matter"]]
    >>> bool(white.mean() > grey.mean())
    True

    Thicker bone grows inwards, so the skull's outer surface stays:

    >>> thick = {"skull_mm": 8.5}
    >>> _, thicker = render_slice(18.0, shape=(96, 80), spacing_mm=(2.4, 2.4), measures=thick)
    >>> np.array_equal(skull_mask(thicker), skull_mask(labels))
    True
    >>> bool(brain_mask(thicker).sum() < brain_mask(labels).sum())
    True
    """
    head = _head(seed, contrast, measures, signals)
    level_mm = _number("level_mm", level_mm)
    rows, columns = _counts("shape", shape, 2)
    row_mm, column_mm = _lengths("spacing_mm", spacing_mm, 2)
    back_mm, right_mm = _offsets("center_mm", center_mm, 2)
    y = _axis_mm(rows, row_mm) + back_mm
    x = _axis_mm(columns, column_mm) + right_mm
    pixel_mm = max(row_mm, column_mm)
    image, labels = _render_plane(x, y, level_mm, head, pixel_mm)
    return _as_acquired(image, level_mm, head, noise), labels


def render_volume(
    *,
    seed: int = 26,
    contrast: str = "T1",
    shape: tuple[int, int, int] = (92, 112, 92),
    spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0),
    noise: bool = True,
    measures: Mapping[str, float] | None = None,
    signals: Mapping[str, float] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Render a whole head as a volume in RAS+ order.

    Parameters
    ----------
    seed : int
        Chooses the head; not negative.
    contrast : {"T1", "T2", "FLAIR"}
    shape : tuple of int
        Voxels along x, y and z.
    spacing_mm : tuple of float
        Size of a voxel along x, y and z.
    noise : bool
        Without noise, air is exactly zero.
    measures, signals : mapping of str to float, optional
        As for `render_slice`.

    Returns
    -------
    image : ndarray of shape (X, Y, Z), float32
        Relative signal. The first axis grows to the right, the second to the front, the third
        upwards.
    labels : ndarray of shape (X, Y, Z), uint8
        See `LABELS`.
    affine : ndarray of shape (4, 4), float64
        From voxel indices to millimetres, RAS+. Its z is the ``level_mm`` of `render_slice`.

    Raises
    ------
    InputError
        If an argument is not what is described above.

    Examples
    --------
    >>> image, labels, affine = render_volume(shape=(23, 28, 21), spacing_mm=(8.0, 8.0, 8.0))
    >>> image.shape, labels.shape
    ((23, 28, 21), (23, 28, 21))
    >>> affine.diagonal().tolist()
    [8.0, 8.0, 8.0, 1.0]
    """
    head = _head(seed, contrast, measures, signals)
    shape = _counts("shape", shape, 3)
    spacing_mm = _lengths("spacing_mm", spacing_mm, 3)
    x = _axis_mm(shape[0], spacing_mm[0])
    y = _axis_mm(shape[1], spacing_mm[1])
    z = _axis_mm(shape[2], spacing_mm[2])
    pixel_mm = max(spacing_mm[:2])
    image = np.empty(shape, np.float32)
    labels = np.empty(shape, np.uint8)
    for k, level_mm in enumerate(z):
        plane, plane_labels = _render_plane(x, y, level_mm, head, pixel_mm)
        acquired = _as_acquired(plane, level_mm, head, noise)
        image[:, :, k] = acquired[::-1].T
        labels[:, :, k] = plane_labels[::-1].T
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = x[0], -y[-1], z[0]
    return image, labels, affine


def five_slices(
    *,
    seed: int = 26,
    contrast: str = "T1",
    cropped: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, ...]]:
    """Return five axial slices in the shape and value range of the source.

    Parameters
    ----------
    seed : int
        Chooses the head; not negative.
    contrast : {"T1", "T2", "FLAIR"}
    cropped : bool
        Move each head in its frame so that one side of the frame cuts 2 to 5 mm into the scalp, and
        never into the skull. Then bright scalp touches the frame.

    Returns
    -------
    images : ndarray of shape (5, 768, 624), float32, read-only
        From 1.83e-07 to 3.49e-05 over the stack, in 4096 steps. Unless cropped, each head is
        surrounded by air.
    labels : ndarray of shape (5, 768, 624), uint8, read-only
        See `LABELS`; the truth is ``skull_mask(labels)``.
    spacing_mm : ndarray of shape (5, 2), float64, read-only
        Row and column spacing of each slice.
    levels_mm : tuple of float
        Height of each slice.

    Raises
    ------
    InputError
        If an argument is not what is described above.

    Examples
    --------
    >>> images, labels, spacing_mm, levels_mm = five_slices()
    >>> images.shape, images.dtype
    ((5, 768, 624), dtype('float32'))
    >>> levels_mm
    (-2.0, 8.0, 18.0, 28.0, 38.0)
    """
    _check_head(seed, contrast)
    return _five_slices(int(seed), contrast, bool(cropped))


@lru_cache(maxsize=8)
def _five_slices(
    seed: int,
    contrast: str,
    cropped: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[float, ...]]:
    """Build the stack of `five_slices`, once for each set of arguments."""
    acquired = []
    labels = []
    head = _head(seed, contrast)
    planes = _five_planes(seed, contrast)
    for index, (plane, plane_labels) in enumerate(planes):
        if cropped:
            plane, plane_labels = _cut_into_scalp(plane, plane_labels, index % 4)
        acquired.append(_as_acquired(plane, LEVELS_MM[index], head, noise=True))
        labels.append(plane_labels)
    images = _to_value_range(np.stack(acquired))
    labels = np.stack(labels)
    spacing_mm = np.tile(SLICE_SPACING_MM, (len(LEVELS_MM), 1))
    for array in (images, labels, spacing_mm):
        array.setflags(write=False)
    return images, labels, spacing_mm, LEVELS_MM


@lru_cache(maxsize=2)
def _five_planes(
    seed: int,
    contrast: str,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Render the slices of `five_slices` in parallel, free of noise and not yet cropped."""
    row_mm, column_mm = SLICE_SPACING_MM
    y = _axis_mm(SLICE_SHAPE[0], row_mm)
    x = _axis_mm(SLICE_SHAPE[1], column_mm)
    head = _head(seed, contrast)

    def render(level_mm: float) -> tuple[np.ndarray, np.ndarray]:
        return _render_plane(x, y, level_mm, head, max(row_mm, column_mm))

    with ThreadPoolExecutor() as pool:
        return list(pool.map(render, LEVELS_MM))


def _to_value_range(images: np.ndarray) -> np.ndarray:
    """Scale a stack to the published range, in 4096 levels so that all machines agree."""
    low, high = VALUE_RANGE
    shares = (images - images.min()) / np.ptp(images)
    steps = np.rint(shares * VALUE_STEPS)
    return (low + (high - low) * (steps / VALUE_STEPS)).astype(np.float32)


def _cut_into_scalp(
    image: np.ndarray,
    labels: np.ndarray,
    side: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Move a noise-free slice so that one side of the frame cuts the scalp.

    Sides are 0 left, 1 front, 2 right and 3 back.
    """
    turned = np.rot90(labels, side)  # that side is now on the left
    step_mm = SLICE_SPACING_MM[1 - side % 2]
    head_px = _first_column(turned > 0)
    scalp_px = _first_column(skull_mask(turned)) - head_px
    cut_mm = np.clip(_CUT_SHARE * scalp_px * step_mm, *_CUT_MM)
    shift_px = head_px + round(cut_mm / step_mm)
    return _shifted(image, side, shift_px), _shifted(labels, side, shift_px)


def _first_column(mask: np.ndarray) -> int:
    return np.flatnonzero(mask.any(axis=0))[0]


def _shifted(array: np.ndarray, side: int, shift_px: int) -> np.ndarray:
    """Move an array towards one of its sides; zeros follow."""
    turned = np.rot90(array, side)
    moved = np.pad(turned[:, shift_px:], ((0, 0), (0, shift_px)))
    return np.rot90(moved, -side)


def _axis_mm(count: int, step_mm: float) -> np.ndarray:
    """Place the centres of ``count`` pixels around zero."""
    return (np.arange(count) - (count - 1) / 2) * step_mm


def _as_acquired(
    image: np.ndarray,
    level_mm: float,
    head: _Head,
    noise: bool,
) -> np.ndarray:
    """Add Rician noise, and round the signal so that all machines agree."""
    if noise:
        contrast_number = list(SIGNALS).index(head.contrast)
        level_um = round(abs(level_mm) * 1000.0)
        key = [int(head.seed), contrast_number, level_um, int(level_mm < 0)]
        generator = np.random.Generator(np.random.PCG64(key))
        real, imaginary = generator.standard_normal((2, *image.shape))
        sigma = head.measures.noise_sigma
        image = np.hypot(image + sigma * real, sigma * imaginary)
    return np.rint(image * SIGNAL_STEPS) / SIGNAL_STEPS


# --- Painting ------------------------------------------------------------------------------------


def _render_plane(
    x: np.ndarray,
    y: np.ndarray,
    level_mm: float,
    head: _Head,
    pixel_mm: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Render image and labels without noise, on the grid of ``y`` (rows) and ``x`` (columns)."""
    measures = head.measures
    across = (x / measures.half_width_mm) ** 2
    along = (y[:, None] / measures.half_length_mm) ** 2
    up = (level_mm / max(measures.half_height_mm, measures.half_height_below_mm)) ** 2
    radius_squared = across + along + up
    rows, columns = np.nonzero(radius_squared < _reach(measures) ** 2)
    points = np.stack([x[columns], y[rows], np.full(rows.shape, level_mm)])
    edge_mm = max(measures.edge_mm, _EDGE_PX * pixel_mm)
    signal, label = _render_points(points, head, edge_mm)
    image = np.zeros(radius_squared.shape)
    image[rows, columns] = signal * _coil_gain(points, head)
    labels = np.zeros(radius_squared.shape, np.uint8)
    labels[rows, columns] = label
    return image, labels


def _render_points(
    points: np.ndarray,
    head: _Head,
    edge_mm: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Find signal and label of every point; each tissue is evaluated only where it can reach."""
    surface = _skull_surface(points, head)
    depth = -surface.distance
    regions = (
        (depth < edge_mm, _scalp_layers),
        (depth > -edge_mm, _skull_layers),
        (depth > surface.skull_mm - edge_mm, _brain_layers),
    )
    signal = np.zeros(depth.shape)
    label = np.zeros(depth.shape, np.uint8)
    for where, make_layers in regions:
        for layer in make_layers(points[:, where], surface.at(where), head):
            tissue_signal = head.signals[layer.tissue] * layer.brightness
            signal[where] += (tissue_signal - signal[where]) * _cover(layer.distance, edge_mm)
            tissue_label = np.uint8(LABELS[layer.tissue])
            label[where] = np.where(layer.distance < 0, tissue_label, label[where])
    return signal, label


def _reach(measures: SimpleNamespace) -> float:
    """Find how far out the head may reach, as a multiple of the skull's semi-axes."""
    larger = _extent(measures) - _extent(MODEL)
    return _REACH + max(larger, 0.0)


def _extent(measures: SimpleNamespace) -> float:
    """Bound from above how far out a head reaches: a boxy skull under the thickest scalp.

    The result is a multiple of the skull's semi-axes, as of `_reach`.
    """
    corner = 3 ** max(0.0, 1 / 2 - 1 / measures.boxiness)
    widest = corner * (1 + abs(measures.egg))
    scalp_mm = measures.scalp_mm + measures.scalp_temple_mm
    scalp_mm = scalp_mm + measures.scalp_back_mm + measures.scalp_below_mm
    uneven_mm = 4 * (abs(measures.bump_mm) + abs(measures.scalp_variation_mm))
    height_mm = min(measures.half_height_mm, measures.half_height_below_mm)
    shortest_mm = min(measures.half_width_mm, measures.half_length_mm, height_mm)
    return widest + (scalp_mm + uneven_mm + measures.edge_mm) / shortest_mm


def _cover(distance: np.ndarray, edge_mm: float) -> np.ndarray:
    """Find the share of a tissue in each point: a smooth step across its edge."""
    ramp = np.clip(0.5 - distance / edge_mm, 0.0, 1.0)
    return ramp * ramp * (3.0 - 2.0 * ramp)


def _head(
    seed: int,
    contrast: str,
    measures: Mapping[str, float] | None = None,
    signals: Mapping[str, float] | None = None,
) -> _Head:
    """Describe a head: the usual one of a seed and a contrast, with some values replaced."""
    _check_head(seed, contrast)
    changed_measures = _measures(measures)
    changed_signals = _tissue_signals(signals)
    return _Head(
        seed,
        contrast,
        SimpleNamespace(**vars(MODEL) | changed_measures),
        SIGNALS[contrast] | changed_signals,
        _draws(seed),
    )


@lru_cache(maxsize=8)
def _draws(seed: int) -> _Draws:
    """Draw all that is random in a head. The order of the draws is part of every figure."""
    generator = np.random.Generator(np.random.PCG64(seed))
    waves = {}
    for name, (count, wavelength_mm) in TEXTURES.items():
        direction = generator.standard_normal((count, 3))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        length_mm = wavelength_mm * (1 + 0.12 * generator.uniform(-1, 1, (count, 1)))
        phases = generator.uniform(0, 2 * np.pi, count)
        waves[name] = _Waves(2 * np.pi * direction / length_mm, phases)
    vessels = len(VESSEL_ANGLES)
    coils = len(_COIL_RINGS_MM) * _COILS_PER_RING
    coil_gain = 1 + 0.15 * generator.uniform(-1, 1, coils)
    vessel_angle = np.array(VESSEL_ANGLES) + 0.06 * generator.uniform(-1, 1, vessels)
    vessel_radius_mm = generator.uniform(0.8, 1.3, vessels)
    return _Draws(waves, coil_gain, vessel_angle, vessel_radius_mm)


def _coil_gain(points: np.ndarray, head: _Head) -> np.ndarray:
    """Find the smooth sensitivity of two rings of coils; it is 1 in the middle of the head."""
    middle = [[0.0], [0.0], [10.0]]
    x, y, z = np.concatenate([points, middle], axis=1)
    power = 0.0
    for index, gain in enumerate(head.draws.coil_gain):
        turn = 2 * np.pi * index / _COILS_PER_RING
        coil_x = 97.5 * np.cos(turn)
        coil_y = 123.5 * np.sin(turn) + 6.0
        coil_z = _COIL_RINGS_MM[index // _COILS_PER_RING]
        back_share = np.clip(coil_y / 95.0, -1, 1)
        gain = gain * (1 + head.measures.coil_posterior_gain * back_share)
        distance_2 = (x - coil_x) ** 2 + (y - coil_y) ** 2 + (z - coil_z) ** 2
        power = power + gain**2 / (1 + distance_2 / head.measures.coil_reach_mm**2) ** 3
    return np.sqrt(power[:-1] / power[-1])


# --- Fields --------------------------------------------------------------------------------------


def _turns(
    waves: _Waves,
    points: Iterable[np.ndarray],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the vector of each wave, and its phase at every point [radians]."""
    x, y, z = points
    for vector, phase in zip(*waves, strict=True):
        yield vector, vector[0] * x + vector[1] * y + vector[2] * z + phase


def _texture(
    name: str,
    points: Iterable[np.ndarray],
    head: _Head,
) -> np.ndarray:
    """Evaluate a random field of zero mean and unit variance: a sum of plane waves."""
    waves = head.draws.waves[name]
    total = 0.0
    for _, turn in _turns(waves, points):
        total = total + np.cos(turn)
    return total * np.sqrt(2 / len(waves.phases))


def _sheet(name: str, points: np.ndarray, head: _Head) -> np.ndarray:
    """Measure the signed distance to the sheets where a texture is zero, to second order."""
    waves = head.draws.waves[name]
    value = np.zeros(points.shape[1])
    slopes = np.zeros(points.shape)
    for vector, turn in _turns(waves, points):
        value += np.cos(turn)
        slopes += vector[:, None] * np.sin(turn)
    slopes[2] *= 0.25  # keeps oblique sheets from spreading in axial slices
    scale = np.sqrt(2 / len(waves.phases))
    bend = (waves.vectors**2).sum(axis=1).mean()
    value = value * scale
    slope = np.sqrt((slopes**2).sum(axis=0)) * scale
    return 2 * value / (slope + np.sqrt(slope**2 + 2 * bend * np.abs(value)) + 1e-9)


def _ellipsoid(
    points: Iterable[np.ndarray],
    semi_axes_mm: Iterable[float],
    power: float = 2.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Measure the signed distance to an ellipsoid, and the radius, which is 1 on its surface.

    A higher power makes it boxier. The distance is exact at the surface and smooth elsewhere.
    """
    powers = 0.0
    squares = 0.0
    for coordinate, axis_mm in zip(points, semi_axes_mm, strict=True):
        scaled = np.abs(coordinate / axis_mm)
        powers = powers + scaled**power
        squares = squares + (scaled ** (power - 1) / axis_mm) ** 2
    radius = powers ** (1 / power) + 1e-9
    slope = np.sqrt(squares) + 1e-9
    return (radius - 1) * radius ** (power - 1) / slope, radius


# --- Anatomy -------------------------------------------------------------------------------------


def _skull_surface(points: np.ndarray, head: _Head) -> _Surface:
    """Shape the outer skull, and the thickness of the scalp and of the bone on it."""
    measures = head.measures
    _, y, z = points
    egg = measures.egg * np.tanh(1.2 * y / measures.half_length_mm)
    width_mm = measures.half_width_mm * (1 + egg)
    height_mm = np.where(z > 0, measures.half_height_mm, measures.half_height_below_mm)
    semi_axes_mm = (width_mm, measures.half_length_mm, height_mm)
    distance, radius = _ellipsoid(points, semi_axes_mm, measures.boxiness)
    place = points / radius
    side = place[0] / measures.half_width_mm
    back = place[1] / measures.half_length_mm
    temple = np.exp(-(((back + 0.28) / 0.30) ** 2) - (place[2] / 26.0) ** 2)
    below = np.clip(-place[2] / measures.half_height_below_mm - 0.3, 0, 1)
    bump_mm = measures.bump_mm * _texture("bump", place, head)
    return _Surface(
        distance=distance + bump_mm,
        radius=radius,
        place=place,
        angle=np.arctan2(back, side),
        muscle_share=np.clip(1.25 * temple + 2 * below, 0, 0.85),
        scalp_mm=_scalp_thickness_mm(place, temple, back, below, head),
        skull_mm=_skull_thickness_mm(place, temple, head),
    )


def _scalp_thickness_mm(
    place: np.ndarray,
    temple: np.ndarray,
    back: np.ndarray,
    below: np.ndarray,
    head: _Head,
) -> np.ndarray:
    measures = head.measures
    temple_mm = measures.scalp_temple_mm * temple
    back_mm = measures.scalp_back_mm * np.clip(back, 0, 1) ** 2
    below_mm = measures.scalp_below_mm * below
    variation_mm = measures.scalp_variation_mm * _texture("scalp", place, head)
    return measures.scalp_mm + temple_mm + back_mm + below_mm + variation_mm


def _skull_thickness_mm(
    place: np.ndarray,
    temple: np.ndarray,
    head: _Head,
) -> np.ndarray:
    measures = head.measures
    temple_mm = measures.skull_temple_mm * temple
    variation_mm = measures.skull_variation_mm * _texture("skull", place, head)
    skull_mm = measures.skull_mm + temple_mm + variation_mm
    return np.maximum(skull_mm, _tables_mm(head))


def _tables_mm(head: _Head) -> float:
    """Add the outer table and the inner one, which are all of the bone where it is thinnest."""
    return head.measures.outer_table_mm + head.measures.inner_table_mm


def _scalp_layers(
    points: np.ndarray,
    surface: _Surface,
    head: _Head,
) -> tuple[_Layer, ...]:
    """Build skin, fat, muscle and vessels."""
    distance = surface.distance
    fine = _texture("fine", points, head)
    lobule = _texture("lobule", points, head)
    fat_mm = surface.scalp_mm - head.measures.skin_mm
    muscle_mm = 0.9 + (fat_mm - 2.1) * surface.muscle_share
    return (
        _Layer("skin", distance - surface.scalp_mm),
        _Layer("fat", distance - fat_mm, 1 + 0.12 * fine + 0.10 * lobule),
        _Layer("muscle", distance - muscle_mm, 1 + 0.15 * fine),
        _Layer("vessel", _vessels(points, surface, head)),
    )


def _vessels(
    points: np.ndarray,
    surface: _Surface,
    head: _Head,
) -> np.ndarray:
    """Wind vessels up the scalp, about halfway between skull and skin."""
    height = points[2]
    vessels = np.full(surface.distance.shape, np.inf)
    middle = surface.distance - 0.55 * surface.scalp_mm
    for angle, radius_mm in zip(head.draws.vessel_angle, head.draws.vessel_radius_mm, strict=True):
        winding = angle + 0.12 * np.sin(height / 14.0 + 3 * angle)
        turn = (surface.angle - winding + np.pi) % (2 * np.pi) - np.pi
        vessels = np.minimum(vessels, np.hypot(turn * 78.0, middle) - radius_mm)
    return vessels


def _skull_layers(
    points: np.ndarray,
    surface: _Surface,
    head: _Head,
) -> tuple[_Layer, ...]:
    """Build the outer table, the marrow and the inner table.

    The marrow varies, fades where it is thinner than 1 mm, and ends where the two tables meet.
    """
    distance = surface.distance
    skull_mm = surface.skull_mm
    patch = 0.75 + 0.35 * _texture("marrow", surface.place, head)
    marrow_mm = skull_mm - _tables_mm(head)
    marrow = np.clip(patch, 0.1, 1) * np.clip(marrow_mm, 0, 1)
    grain = 1 + 0.2 * _texture("fine", points, head)
    has_marrow = marrow_mm > 0
    marrow_distance = np.where(has_marrow, distance + head.measures.outer_table_mm, np.inf)
    return (
        _Layer("outer_table", distance),
        _Layer("diploe", marrow_distance, marrow * grain),
        _Layer("inner_table", distance + skull_mm - head.measures.inner_table_mm),
    )


def _brain_layers(
    points: np.ndarray,
    surface: _Surface,
    head: _Head,
) -> tuple[_Layer, ...]:
    """Build fluid, cortex, white matter, deep nuclei, ventricles and the sagittal sinus."""
    x, _, _ = points
    inner = surface.distance + surface.skull_mm
    csf_texture = _texture("csf", surface.place, head)
    csf_mm = head.measures.csf_mm + head.measures.csf_variation_mm * csf_texture
    depth = -inner - np.maximum(csf_mm, 0.35)  # below the brain's surface
    lobule = _texture("lobule", points, head)
    callosum = _callosum(points)
    tentorium = _tentorium(points)
    sylvian = _sylvian_fissure(points, head)
    clefts = _clefts(points, depth, callosum, tentorium, sylvian, head)
    sulci = _sulci(points, surface, depth, tentorium, head)
    middle = np.maximum(sulci.middle, 4.0 - sylvian)  # no other sulcus runs into this fissure
    # Positive inside, so what is inside all of them has the least of them
    cortex = np.minimum.reduce([depth, clefts, middle - sulci.half_width])
    core = np.minimum.reduce([depth, clefts, middle - 0.6 * np.maximum(sulci.half_width, 0)])
    core = core - head.measures.grey_mm - 0.3 * lobule
    # Between the hemispheres
    bridge = np.minimum.reduce([callosum - 0.8, 6.5 - callosum, 12.0 - np.abs(x)])
    core = np.maximum(core, bridge)
    caudate, nuclei = _deep_nuclei(points)
    soft = 1 + 0.02 * lobule
    return (
        _Layer("csf", inner),
        _Layer("grey_matter", -cortex, soft),
        _Layer("white_matter", -np.minimum(core, cortex), soft),
        _Layer("deep_nuclei", np.maximum(nuclei, -cortex), soft),
        _Layer("ventricle", np.maximum(_ventricles(points), 0.5 - caudate)),
        _Layer("venous_sinus", _venous_sinus(points, inner, depth)),
    )


def _callosum(points: np.ndarray) -> np.ndarray:
    """Measure how far inside the outline of the corpus callosum a point lies."""
    _, y, z = points
    return 16.0 * (1 - np.hypot(y / 31.0, (z - 12.0) / 17.0))


def _tentorium(points: np.ndarray) -> np.ndarray:
    """Measure the height above the roof of the cerebellum."""
    x, y, z = points
    return z + 18.0 + 0.3 * (y - 25.0) + 0.2 * np.abs(x)


def _clefts(
    points: np.ndarray,
    depth: np.ndarray,
    callosum: np.ndarray,
    tentorium: np.ndarray,
    sylvian: np.ndarray,
    head: _Head,
) -> np.ndarray:
    """Cut the brain between its hemispheres, at the lateral fissures and above the cerebellum."""
    x, y, z = points
    mouth = 0.6 * np.clip(1 - depth / 6, 0, 1)
    width_texture = _texture("fissure_width", (y, z, 0.0), head)
    widening = mouth + head.measures.fissure_variation_mm * width_texture
    path = x + 1.2 * _texture("fissure_path", (0.0, y, z), head)
    midline = np.abs(path) - head.measures.fissure_half_width_mm - widening
    stem = 16.0 * (1 - np.hypot((y - 8.0) / 22.0, np.maximum(z - 5.0, 0) / 12.0))
    between_hemispheres = np.maximum.reduce([midline, callosum, stem])
    above_cerebellum = np.maximum(np.abs(tentorium) - 0.6, 12.0 - y)
    return np.minimum.reduce([between_hemispheres, sylvian, above_cerebellum])


def _venous_sinus(
    points: np.ndarray,
    inner: np.ndarray,
    depth: np.ndarray,
) -> np.ndarray:
    """Run the sagittal sinus along the midline, under the skull."""
    x, y, z = points
    half_width = np.maximum(3.4 + 0.55 * inner, 0.4)
    wedge = np.abs(x) - half_width
    around_brain = 30.0 - np.hypot(y, np.maximum(z, 0))
    return np.maximum.reduce([wedge, inner + 0.5, depth - 5.0, around_brain])


def _sulci(
    points: np.ndarray,
    surface: _Surface,
    depth: np.ndarray,
    tentorium: np.ndarray,
    head: _Head,
) -> _Sulci:
    """Fold the cortex along sheets, and the cerebellum into leaves."""
    measures = head.measures
    y, z = points[1:]
    stretch = 1 + (1 / np.maximum(surface.radius, 0.5) - 1) * measures.sulcus_radiality
    folded = points * stretch + measures.sulcus_bend_mm * _bends(points, head)
    shrink = stretch**0.7
    main = _sheet("sulcus", folded, head) / shrink
    side = _sheet("side_sulcus", folded, head) / shrink
    deeper = measures.sulcus_depth_variation_mm * _texture("sulcus_depth", surface.place, head)
    bottom = np.maximum(measures.sulcus_depth_mm + deeper, 2.0)
    side_bottom = np.maximum(depth - measures.side_sulcus_depth_mm - 0.5 * deeper, 0)
    side = np.hypot(side, side_bottom)
    main_distance = np.hypot(main, np.maximum(depth - bottom, 0))
    middle = np.minimum(main_distance, np.maximum(side, -main))
    leaf = np.abs(np.sin(np.pi * (z - 0.2 * y) / 5.0)) * 5.0 / np.pi
    leaves = np.hypot(leaf, np.maximum(depth - 13.0, 0))
    is_cerebellum = (tentorium < 0) & (y > 12.0)
    middle = np.where(is_cerebellum, leaves, middle)
    opening = 1.2 + measures.sulcus_closing * _texture("sulcus_width", points, head)
    half_width = measures.sulcus_half_width_mm * np.clip(opening, -0.5, 1)
    mouth = measures.sulcus_mouth_mm * np.clip(1 - depth / 3, 0, 1)
    return _Sulci(middle, half_width + mouth)


def _bends(points: np.ndarray, head: _Head) -> np.ndarray:
    """Draw a random displacement of every point, (3, N)."""
    bends = []
    for axis in range(3):
        bends.append(_texture("sulcus_bend", np.roll(points, axis, axis=0), head))
    return np.stack(bends)


def _sylvian_fissure(points: np.ndarray, head: _Head) -> np.ndarray:
    """Measure the distance to the lateral fissure: a cleft inwards, and the insula at its end."""
    side = np.abs(points[0])
    y = points[1] + 3.0
    z = points[2] - 4.0
    wander = _texture("fissure_path", points, head)
    ripple = np.sin(y / 2.6 + z / 6.0 + 2 * wander)
    rim = np.hypot(y / 19.0, z / 15.0)
    insula = np.abs(side - 37.0 - 0.10 * y + 0.014 * y * y - 0.45 * ripple - 1.3 * wander)
    insula = insula - 0.75 + 1.2 * np.maximum(rim - 0.6, 0) ** 2
    insula = np.maximum(insula, 20.0 * (rim - 1))
    wave = 3.0 * np.sin((side - 37.0) / 7.0)
    cleft = np.abs(y - 6.0 - 0.5 * z - wave - 1.5 * wander) - 0.6
    cleft = np.maximum.reduce([cleft, 37.0 - side, np.abs(z) - 14.0])
    return np.minimum(insula, cleft)


def _deep_nuclei(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Measure the signed distances of the caudate alone, and of all deep nuclei together."""
    x, y, z = points
    side = np.abs(x)
    putamen_side = side - 25.5 - 0.28 * (y + 3.0)
    thalamus_side = side - 10.5 - 0.25 * (y - 9.0)
    caudate, _ = _ellipsoid((side - 14.0, y + 19.0, z - 10.0), (4.6, 9.0, 10.0))
    putamen, _ = _ellipsoid((putamen_side, y + 3.0, z - 3.0), (5.2, 16.0, 11.0))
    thalamus, _ = _ellipsoid((thalamus_side, y - 9.0, z - 5.0), (7.0, 13.0, 9.0))
    return caudate, np.minimum.reduce([caudate, putamen, thalamus])


def _ventricles(points: np.ndarray) -> np.ndarray:
    """Measure the signed distance of the lateral and third ventricles."""
    x, y, z = points
    off_centre = np.abs(x) - _rounded_ventricle_mm("x", y), z - _rounded_ventricle_mm("z", y)
    half_widths = _rounded_ventricle_mm("half_x", y), _rounded_ventricle_mm("half_z", y)
    lateral, _ = _ellipsoid(off_centre, half_widths)
    front = VENTRICLE_MM["y"][0]
    back = VENTRICLE_MM["y"][-1]
    lateral = np.maximum(lateral, np.maximum(front - y, y - back))
    beyond_y = np.maximum(np.abs(y - 3.0) - 10.0, 0)
    beyond_z = np.maximum(np.abs(z) - 8.0, 0)
    third = np.hypot(x, np.hypot(beyond_y, beyond_z)) - 1.5
    return np.minimum(lateral, third)


def _rounded_ventricle_mm(name: str, y: np.ndarray) -> np.ndarray:
    """Interpolate a measure of `VENTRICLE_MM` along the head, with its corners rounded."""
    table_y = np.arange(-60.0, 80.0, 0.5)
    window = np.hanning(15) / np.hanning(15).sum()
    table = np.interp(table_y, VENTRICLE_MM["y"], VENTRICLE_MM[name])
    rounded = np.convolve(table, window, "same")
    return np.interp(y, table_y, rounded)


# --- Checks --------------------------------------------------------------------------------------


def _check_head(seed: int, contrast: str) -> None:
    """Refuse a seed or a contrast that cannot be used."""
    is_whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not is_whole or seed < 0:
        raise InputError(f"expected an integer of 0 or more as seed, got {seed!r}")
    if not isinstance(contrast, str) or contrast not in SIGNALS:
        raise InputError(f"expected a contrast of {', '.join(SIGNALS)}, got {contrast!r}")


def _measures(values: Mapping[str, float] | None) -> dict[str, float]:
    """Check what replaces the measures of a head."""
    wanted = "a measure of [model] in data/phantom.toml"
    measures = _replacements("measures", values, vars(MODEL), wanted)
    for name, number in measures.items():
        low, high = _LIMITS.get(name, (-_FARTHEST, _FARTHEST))
        if not low <= number <= high:
            raise InputError(f"expected {low:g} to {high:g} as measures[{name!r}], got {number}")
    return measures


def _tissue_signals(values: Mapping[str, float] | None) -> dict[str, float]:
    """Check what replaces the signals of tissues; air has none."""
    tissues = [name for name in LABELS if name != "air"]
    wanted = f"a tissue of {', '.join(tissues)}"
    signals = _replacements("signals", values, tissues, wanted)
    for name, number in signals.items():
        if not 0 <= number <= _BRIGHTEST:
            raise InputError(f"expected 0 to {_BRIGHTEST:g} as signals[{name!r}], got {number}")
    return signals


def _replacements(
    argument: str,
    values: Mapping[str, float] | None,
    names: Collection[str],
    wanted: str,
) -> dict[str, float]:
    """Convert the values of a mapping to floats; refuse other names, and what is no number."""
    if values is None:
        return {}
    if not isinstance(values, Mapping):
        got = plain(repr(values))
        raise InputError(f"expected a mapping from names to numbers as {argument}, got {got}")
    replacements = {}
    for name, value in values.items():
        if name not in names:
            hint = similar(str(name), names)
            raise InputError(f"expected {wanted} in {argument}, got {plain(repr(name))}{hint}")
        replacements[name] = _number(f"{argument}[{name!r}]", value)
    return replacements


def _number(name: str, value: float) -> float:
    """Convert a number to float; refuse text, truth values, and what is not finite."""
    numbers = _finite((value,))
    if not numbers:
        raise InputError(f"expected 1 finite number as {name}, got {plain(repr(value))}")
    return numbers[0]


def _offsets(
    name: str,
    values: Iterable[float],
    count: int,
) -> tuple[float, ...]:
    numbers = _finite(values)
    if len(numbers) != count:
        raise InputError(f"expected {count} finite numbers as {name}, got {values!r}")
    return numbers


def _lengths(
    name: str,
    values: Iterable[float],
    count: int,
) -> tuple[float, ...]:
    numbers = _finite(values)
    if len(numbers) != count or min(numbers) <= 0:
        raise InputError(f"expected {count} finite numbers above zero as {name}, got {values!r}")
    return numbers


def _counts(
    name: str,
    values: Iterable[int],
    count: int,
) -> tuple[int, ...]:
    numbers = _finite(values)
    whole = tuple(int(number) for number in numbers)
    if len(numbers) != count or min(numbers) <= 0 or whole != numbers:
        raise InputError(f"expected {count} integers above zero as {name}, got {values!r}")
    return whole


def _finite(values: Iterable[float]) -> tuple[float, ...]:
    """Convert numbers to floats; an empty tuple if one is text, a truth value or not finite."""
    try:
        numbers = tuple(values)
        floats = tuple(map(float, numbers))
    except (TypeError, ValueError, OverflowError):
        return ()
    are_numbers = all(map(_is_number, numbers))
    return floats if are_numbers and np.isfinite(floats).all() else ()


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)
