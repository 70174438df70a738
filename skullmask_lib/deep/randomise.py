"""Random images of random heads, each with its exact mask; no scan is needed.

A network that has only seen such images works on scans because it was never shown anything that
stays the same but the anatomy (Billot et al. 2023, *SynthSeg*; Hoopes et al. 2022, *SynthStrip*).
What is random is listed in `PARTS`, each of which can be switched off.

Everything here is NumPy and OpenCV; nothing needs torch. A bank of label maps is kept by `data`.
"""

from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

import cv2
import numpy as np

from .. import errors, masks, phantom

Generator = np.random.Generator

# Label maps: rows and columns, and the size of a pixel
SHAPE = (256, 208)
STEP_MM = 1.0
# Levels of a slice, as shares of the head's half height: from the orbits to near the vertex
LEVELS = (-0.22, 0.80)

# The measures of a head and the range from which each is drawn, from textbooks of anatomy
MEASURES = {
    "half_width_mm": (58.0, 76.0),
    "half_length_mm": (76.0, 98.0),
    "half_height_mm": (70.0, 90.0),
    "egg": (-0.02, 0.16),
    "boxiness": (1.95, 2.7),
    "bump_mm": (0.4, 2.0),
    "scalp_mm": (3.0, 9.0),
    "scalp_temple_mm": (0.0, 12.0),
    "scalp_back_mm": (0.0, 5.0),
    "scalp_variation_mm": (0.3, 1.4),
    "skin_mm": (0.8, 2.4),
    "skull_mm": (2.8, 9.5),
    "skull_temple_mm": (-2.0, 0.5),
    "skull_variation_mm": (0.3, 1.6),
    "outer_table_mm": (0.8, 2.2),
    "inner_table_mm": (0.8, 2.0),
    "csf_variation_mm": (0.1, 1.0),
    "sulcus_half_width_mm": (0.4, 1.5),
    "grey_mm": (1.8, 3.2),
}
# Slices are drawn with thinner temples than `MEASURES` has: the bone under the temporal muscle is
# thin, with little room for marrow. Otherwise a network learns that a grey layer there may well be
# marrow, and takes the muscle for it. `MEASURES` keeps its own range: brains, tumours, the capstone
# and the learning curve draw from it, and their results are published.
TEMPLE_OF_SLICES_MM = (-6.0, -1.0)
# Fluid around the brain is thin in most heads and wide in some: its logarithm is drawn
CSF_MM = (0.3, 5.0)


def random_measures(
    generator: Generator,
    *,
    skull_temple_mm: tuple[float, float] = MEASURES["skull_temple_mm"],
) -> dict[str, float]:
    """Draw the measures of a head.

    Parameters
    ----------
    generator : numpy.random.Generator
    skull_temple_mm : (float, float)
        The range of what the temples add to the skull's thickness; negative where it is thinner.

    Returns
    -------
    dict of str to float
        As `phantom.render_slice` takes them.

    Examples
    --------
    >>> measures = random_measures(np.random.default_rng(0))
    >>> 2.8 <= measures["skull_mm"] <= 9.5
    True
    """
    measures = {}
    ranges = MEASURES | {"skull_temple_mm": skull_temple_mm}
    for name, (low, high) in ranges.items():
        measures[name] = float(generator.uniform(low, high))
    low, high = np.log(CSF_MM)
    measures["csf_mm"] = float(np.exp(generator.uniform(low, high)))
    return measures


def random_labels(seed: int, *, slices: int = 1, anatomy: bool = True) -> np.ndarray:
    """Draw a head and render labels of it at random levels.

    Parameters
    ----------
    seed : int
        Chooses the head and the levels.
    slices : int
    anatomy : bool
        Draw the measures of the head too, and not only its seed.

    Returns
    -------
    ndarray of shape (slices,) + SHAPE, uint8
        See `phantom.LABELS`; pixels are `STEP_MM` wide.

    Examples
    --------
    >>> labels = random_labels(3)
    >>> labels.shape, bool(phantom.skull_mask(labels).any())
    ((1, 256, 208), True)
    """
    generator = np.random.default_rng(seed)
    measures = random_measures(generator, skull_temple_mm=TEMPLE_OF_SLICES_MM)
    if not anatomy:
        measures = {"half_height_mm": phantom.MODEL.half_height_mm}
    maps = []
    for level in generator.uniform(*LEVELS, slices):
        _, labels = phantom.render_slice(
            level * measures["half_height_mm"],
            seed=seed,
            shape=SHAPE,
            spacing_mm=(STEP_MM, STEP_MM),
            measures=measures,
            noise=False,
        )
        maps.append(labels)
    return np.stack(maps)


# --- An example ----------------------------------------------------------------------------------


class Example(NamedTuple):
    """A random image of a head, and what is true of it.

    Attributes
    ----------
    image : ndarray of shape (H, W), float32
        Air is about 0; what was cut off inside of the frame is exactly 0.
    mask : ndarray of shape (H, W), uint8 of {0, 1}
        Everything inside of the skull's outer surface that the image shows.
    head : ndarray of shape (H, W), uint8 of {0, 1}
        The same of the skin.
    """

    image: np.ndarray
    mask: np.ndarray
    head: np.ndarray


def random_example(
    seed: int,
    *,
    labels: np.ndarray | None = None,
    without: Collection[str] = (),
) -> Example:
    """Make a random image of a random head.

    Parameters
    ----------
    seed : int
        The same seed gives the same example. Every part draws from a stream of its own, so that
        leaving one out changes nothing else.
    labels : ndarray of shape (H, W), uint8, optional
        A label map as of `random_labels`. Without it one is rendered, which takes longer than all
        else.
    without : collection of str
        What to leave out of `PARTS`.

    Returns
    -------
    Example

    Raises
    ------
    InputError
        If a part has another name.

    Examples
    --------
    >>> labels = random_labels(3)[0]
    >>> example = random_example(5, labels=labels)
    >>> example.image.shape == example.mask.shape, example.image.dtype
    (True, dtype('float32'))

    Without any part it is the usual head, drawn in T1 and without noise:

    >>> plain = random_example(5, labels=labels, without=PARTS)
    >>> np.array_equal(plain.mask, phantom.skull_mask(labels))
    True
    """
    generators = _streams(seed, without)
    if labels is None:
        labels = random_labels(seed, anatomy="anatomy" in generators)[0]
    for change, generator in _chosen(LABEL_PARTS, generators):
        labels = change(labels, generator)
    signals = np.array(list(phantom.SIGNALS["T1"].values()))
    for change, generator in _chosen(SIGNAL_PARTS, generators):
        signals = change(signals, generator)
    image = signals.astype(np.float32)[labels]
    for change, generator in _chosen(IMAGE_PARTS, generators):
        image = change(image, labels, generator)
    shown = np.ones(labels.shape, bool)
    for change, generator in _chosen(FRAME_PARTS, generators):
        shown &= change(labels, generator)
    return _framed(image, labels, shown)


def _streams(seed: int, without: Collection[str]) -> dict[str, Generator]:
    """Give every part that takes part a generator of its own."""
    for name in without:
        if name not in PARTS:
            hint = errors.similar(name, PARTS)
            raise errors.InputError(f"expected names of PARTS in without, got {name!r}{hint}")
    streams = np.random.default_rng(seed).spawn(len(PARTS))
    generators = {}
    for name, generator in zip(PARTS, streams, strict=True):
        if name not in without:
            generators[name] = generator
    return generators


def _chosen(
    parts: dict[str, Callable[..., np.ndarray]],
    generators: dict[str, Generator],
) -> Iterator[tuple[Callable[..., np.ndarray], Generator]]:
    """Yield the parts that take part, each with its generator."""
    for name, change in parts.items():
        if name in generators:
            yield change, generators[name]


def _framed(image: np.ndarray, labels: np.ndarray, shown: np.ndarray) -> Example:
    """Blacken what is not shown, and cut off the rows and columns of which nothing is."""
    frame = masks.bounding_box(shown.astype(np.uint8))
    cut = np.where(shown, labels, phantom.LABELS["air"])[frame]
    return Example(
        image=np.where(shown, image, 0)[frame].astype(np.float32),
        mask=phantom.skull_mask(cut),
        head=(cut != phantom.LABELS["air"]).astype(np.uint8),
    )


# --- Labels --------------------------------------------------------------------------------------


def _warp(labels: np.ndarray, generator: Generator) -> np.ndarray:
    """Turn, stretch, shear, shift and mirror the head, and bend it smoothly."""
    rows, columns = labels.shape
    y = np.arange(rows, dtype=np.float32)[:, None] - rows / 2
    x = np.arange(columns, dtype=np.float32) - columns / 2
    angle = np.deg2rad(generator.normal(0, 7))
    stretch_y, stretch_x = np.exp(generator.normal(0, 0.07, 2)).tolist()
    shear = generator.normal(0, 0.04)
    shift_y, shift_x = generator.normal(0, 5 / STEP_MM, 2).tolist()
    mirror = int(generator.choice([-1, 1]))
    cosine = float(np.cos(angle))
    sine = float(np.sin(angle))
    map_y = (cosine * y - sine * x) * stretch_y + shear * x + (shift_y + rows / 2)
    map_x = (sine * y + cosine * x) * (stretch_x * mirror) + (shift_x + columns / 2)
    for wavelength_mm, most_mm in ((60, 3.5), (22, 1.3)):
        bend = generator.uniform(0, most_mm) / STEP_MM
        map_y += bend * _smooth_noise(labels.shape, wavelength_mm, generator)
        map_x += bend * _smooth_noise(labels.shape, wavelength_mm, generator)
    return cv2.remap(labels, map_x, map_y, cv2.INTER_NEAREST)


def _thicken_scalp(labels: np.ndarray, generator: Generator) -> np.ndarray:
    """Grow the temporal muscles, now and then the scalp all around, and often bare the temples.

    Bare means that compact bone takes the place of the marrow.
    """
    skull = phantom.skull_mask(labels)
    if generator.random() < 0.4 or not skull.any():
        return labels
    temple = _temples(skull, generator)
    muscle_mm = generator.uniform(2, 15)
    around_mm = 0.0
    if generator.random() < 0.3:
        around_mm = generator.uniform(0, 5)
    film_mm = 0.0  # of fat on the bone
    if generator.random() < 0.5:
        film_mm = generator.uniform(0.5, 1.5)
    is_head = (labels != phantom.LABELS["air"]).astype(np.uint8)
    growth_mm = muscle_mm * generator.uniform(0.5, 0.9) * temple + around_mm
    grown_head = _distance_mm(is_head) <= growth_mm
    depth_mm = _distance_mm((~grown_head).astype(np.uint8))
    height_mm = _distance_mm(skull)
    scalp = grown_head & (skull == 0)
    grown = np.where(scalp, phantom.LABELS["fat"], phantom.LABELS["air"])
    grown[scalp & (height_mm < muscle_mm * temple)] = phantom.LABELS["muscle"]
    grown[scalp & (height_mm < film_mm)] = phantom.LABELS["fat"]
    grown[scalp & (depth_mm < generator.uniform(0.8, 2.4))] = phantom.LABELS["skin"]
    is_bare = temple > generator.uniform(0.2, 0.8)
    bone = np.where(is_bare & (labels == phantom.LABELS["diploe"]), _BONE[0], labels)
    return np.where(skull > 0, bone, grown).astype(np.uint8)


def _temples(skull: np.ndarray, generator: Generator) -> np.ndarray:
    """Weigh every pixel by how far it lies towards one of the temples, 0 … 1."""
    rows, columns = masks.bounding_box(skull)
    row = np.arange(skull.shape[0], dtype=np.float32)[:, None]
    column = np.arange(skull.shape[1], dtype=np.float32)
    y = (rows.start + rows.stop) / 2 - row  # to the front
    x = np.abs(column - (columns.start + columns.stop) / 2)
    forward = np.arctan2(y, x)
    middle, half_width = np.deg2rad(generator.uniform((0, 35), (35, 75))).tolist()
    share = np.clip(np.abs(forward - middle) / half_width, 0, 1)
    return (generator.uniform(0.6, 1) / 2) * (1 + np.cos(np.float32(np.pi) * share))


# --- Signals -------------------------------------------------------------------------------------

_BONE = [phantom.LABELS["outer_table"], phantom.LABELS["inner_table"]]


def _scatter_contrast(signals: np.ndarray, generator: Generator) -> np.ndarray:
    """Choose a sequence, and scatter the signal of every tissue around its usual value."""
    contrast = generator.choice(list(phantom.SIGNALS))
    usual = np.array(list(phantom.SIGNALS[contrast].values()))
    return usual * np.exp(generator.normal(0, 0.35, len(signals)))


def _free_contrast(signals: np.ndarray, generator: Generator) -> np.ndarray:
    """In a third of the images, draw every tissue's signal freely."""
    if generator.random() > 0.35:
        return signals
    return generator.uniform(0.05, 1.2, len(signals))


def _vary_bone(signals: np.ndarray, generator: Generator) -> np.ndarray:
    """Draw how dark air and bone are."""
    signals = signals.copy()
    brightest_air = 0.06 if generator.random() < 0.7 else 0.15
    signals[phantom.LABELS["air"]] = generator.uniform(0, brightest_air)
    if generator.random() < 0.85:
        signals[_BONE] = generator.uniform(0, 0.15)
    else:
        signals[_BONE] = generator.uniform(0.1, 0.25)
    return signals


def _darken_marrow(signals: np.ndarray, generator: Generator) -> np.ndarray:
    """In a third of the images, make marrow about as dark as bone."""
    signals = signals.copy()
    if generator.random() < 0.35:
        signals[phantom.LABELS["diploe"]] = signals[_BONE[0]] * generator.uniform(0.8, 1.5)
    return signals


def _suppress_fat(signals: np.ndarray, generator: Generator) -> np.ndarray:
    """In half of the images, darken fat; in some of them only the skin stays bright."""
    signals = signals.copy()
    kind = generator.random()
    if kind < 0.25:
        signals[phantom.LABELS["fat"]] *= generator.uniform(0.1, 0.5)
    elif kind < 0.45:
        signals[phantom.LABELS["skin"]] = generator.uniform(0.2, 0.8)
        signals[phantom.LABELS["fat"]] = generator.uniform(0.05, 0.35)
        signals[phantom.LABELS["muscle"]] = generator.uniform(0.1, 0.5)
    return signals


def _darken_muscle(signals: np.ndarray, generator: Generator) -> np.ndarray:
    """In a third of the images, make muscle nearly as dark as bone."""
    signals = signals.copy()
    if generator.random() < 0.3:
        signals[phantom.LABELS["muscle"]] = generator.uniform(0.08, 0.35)
    return signals


def _even_scalp(signals: np.ndarray, generator: Generator) -> np.ndarray:
    """Give skin about the signal of fat in half of the images, and vessels that of fat in most."""
    signals = signals.copy()
    if generator.random() < 0.5:
        share = generator.uniform(0.6, 1.1)
        signals[phantom.LABELS["skin"]] = share * signals[phantom.LABELS["fat"]]
    if generator.random() < 0.6:
        signals[phantom.LABELS["vessel"]] = signals[phantom.LABELS["fat"]]
    return signals


def _darken_fluid(signals: np.ndarray, generator: Generator) -> np.ndarray:
    """In every seventh image, make the fluid around the brain as dark as bone."""
    signals = signals.copy()
    if generator.random() < 0.15:
        signals[phantom.LABELS["csf"]] = signals[_BONE[0]] * generator.uniform(0.8, 1.5)
    return signals


def _keep_scalp_brighter(signals: np.ndarray, generator: Generator) -> np.ndarray:
    """Keep the scalp brighter than compact bone, as it is at ordinary echo times."""
    signals = signals.copy()
    for tissue in ("skin", "fat", "muscle"):
        least = signals[_BONE[0]] + generator.uniform(0.04, 0.3)
        signals[phantom.LABELS[tissue]] = max(signals[phantom.LABELS[tissue]], least)
    return signals


# --- Images --------------------------------------------------------------------------------------


def _add_texture(image: np.ndarray, labels: np.ndarray, generator: Generator) -> np.ndarray:
    """Let the signal vary inside every tissue."""
    grain = generator.standard_normal(image.shape, np.float32)
    if generator.random() < 0.8:
        sigma = generator.uniform(0.5, 2.0)
        grain = cv2.GaussianBlur(grain, (0, 0), sigma) * np.float32(3.54 * sigma)
    spread = generator.uniform(0.02, 0.18, len(phantom.LABELS)).astype(np.float32)
    spread[[*_BONE, phantom.LABELS["air"]]] *= np.float32(0.4)
    return image * (1 + spread[labels] * grain)


def _layer_scalp(image: np.ndarray, labels: np.ndarray, generator: Generator) -> np.ndarray:
    """Divide the scalp into layers of random brightness: skin, fat, galea, muscle."""
    skull = phantom.skull_mask(labels)
    if generator.random() < 0.35 or not skull.any():
        return image
    height_mm = _distance_mm(skull)
    height_mm += generator.uniform(0, 1.5) * _smooth_noise(image.shape, 35, generator)
    places_mm = np.arange(0, 30, 0.75)
    steps = generator.normal(0, generator.uniform(0.3, 0.9), (1, len(places_mm)))
    profile = np.exp(1.7 * cv2.GaussianBlur(steps, (0, 0), 0.8)[0])
    layered = image * np.interp(height_mm, places_mm, profile).astype(np.float32)
    darkest = image[labels == _BONE[0]].mean() + generator.uniform(0.02, 0.15)
    is_scalp = (labels != phantom.LABELS["air"]) & (skull == 0)
    return np.where(is_scalp, np.maximum(layered, np.float32(darkest)), image)


def _add_tumour(image: np.ndarray, labels: np.ndarray, generator: Generator) -> np.ndarray:
    """In every seventh image, brighten or darken a blob in the brain."""
    brain = np.argwhere(phantom.brain_mask(labels))
    if generator.random() > 0.15 or not len(brain):
        return image
    row, column = brain[generator.integers(len(brain))]
    radii = generator.uniform(5, 22, 2) / STEP_MM
    rows, columns = np.ogrid[: image.shape[0], : image.shape[1]]
    distance = np.hypot((rows - row) / radii[0], (columns - column) / radii[1])
    distance = distance + 0.25 * _smooth_noise(image.shape, 15, generator)
    share = np.clip(3 * (1 - distance), 0, 1) * phantom.brain_mask(labels)
    factor = np.exp(generator.uniform(-1.2, 0.8))
    return (image * (1 + (factor - 1) * share)).astype(np.float32)


def _blur_through_plane(image: np.ndarray, labels: np.ndarray, generator: Generator) -> np.ndarray:
    """In half of the images, mix in one slice with a smaller head and one with a larger head."""
    if generator.random() < 0.5 or not labels.any():
        return image
    rows, columns = masks.bounding_box(labels)
    middle = ((columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2)
    growth = generator.uniform(0, 0.035)
    mixed = 0.5 * image
    for scale in (1 - growth, 1 + growth):
        matrix = cv2.getRotationMatrix2D(middle, 0, scale)
        scaled = cv2.warpAffine(image, matrix, image.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        mixed += 0.25 * scaled
    return mixed


def _blur(image: np.ndarray, labels: np.ndarray, generator: Generator) -> np.ndarray:  # noqa: ARG001
    """Blur all edges, as the size of a voxel does."""
    sigma = generator.uniform(0.35, 1.1) / STEP_MM
    return cv2.GaussianBlur(np.maximum(image, 0), (0, 0), sigma)


def _add_bias(image: np.ndarray, labels: np.ndarray, generator: Generator) -> np.ndarray:  # noqa: ARG001
    """Multiply by a smooth field, as the coils do."""
    wavelength_mm = generator.uniform(60, 160)
    field = generator.uniform(0, 0.35) * _smooth_noise(image.shape, wavelength_mm, generator)
    return image * np.exp(np.clip(field, -1, 1))


def _coarsen(image: np.ndarray, labels: np.ndarray, generator: Generator) -> np.ndarray:  # noqa: ARG001
    """In most images, use larger pixels, which need not be square."""
    if generator.random() < 0.4:
        return image
    rows, columns = image.shape
    factor_y, factor_x = np.maximum(generator.uniform(0.6, 2.2, 2) / STEP_MM, 1)
    size = (round(columns / factor_x), round(rows / factor_y))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    method = cv2.INTER_LINEAR if generator.random() < 0.7 else cv2.INTER_NEAREST
    return cv2.resize(small, (columns, rows), interpolation=method)


def _add_noise(image: np.ndarray, labels: np.ndarray, generator: Generator) -> np.ndarray:  # noqa: ARG001
    """Add Rician noise: the magnitude of a complex signal."""
    largest_sigma = 0.07 if generator.random() < 0.8 else 0.15
    sigma = np.float32(generator.uniform(0, largest_sigma))
    real, imaginary = sigma * generator.standard_normal((2, *image.shape), np.float32)
    return np.hypot(image + real, imaginary)


def _change_gamma(image: np.ndarray, labels: np.ndarray, generator: Generator) -> np.ndarray:  # noqa: ARG001
    """Raise the brightness to a power."""
    power = np.float32(np.exp(generator.normal(0, 0.25)))
    return np.maximum(image, np.float32(1e-6)) ** power


# --- The frame -----------------------------------------------------------------------------------


def _deface(labels: np.ndarray, generator: Generator) -> np.ndarray:
    """In every fifth image, cut off the front along a line, as defacing does."""
    shown = np.ones(labels.shape, bool)
    if generator.random() > 0.2 or not labels.any():
        return shown
    rows, columns = masks.bounding_box(labels)
    depth = generator.uniform(0, 10) / STEP_MM
    slope = np.tan(np.deg2rad(generator.normal(0, 12)))
    row, column = np.ogrid[: labels.shape[0], : labels.shape[1]]
    middle = (columns.start + columns.stop) / 2
    return row >= rows.start + depth + slope * (column - middle)


def _frame(labels: np.ndarray, generator: Generator) -> np.ndarray:
    """In most images, let the frame end near the skin, or in the scalp."""
    shown = np.ones(labels.shape, bool)
    if generator.random() > 0.7 or not labels.any():
        return shown
    is_cut = generator.random(4) < 0.15
    margins_mm = np.where(is_cut, generator.uniform(-6, 0, 4), generator.uniform(-1, 10, 4))
    before_row, after_row, before_column, after_column = np.rint(margins_mm / STEP_MM).astype(int)
    rows, columns = masks.bounding_box(labels)
    shown[:] = False
    first_row = max(rows.start - before_row, 0)
    first_column = max(columns.start - before_column, 0)
    shown[first_row : rows.stop + after_row, first_column : columns.stop + after_column] = True
    return shown


# --- The parts -----------------------------------------------------------------------------------

LABEL_PARTS: dict[str, Callable[..., np.ndarray]] = {
    "warp": _warp,
    "scalp": _thicken_scalp,
}
SIGNAL_PARTS: dict[str, Callable[..., np.ndarray]] = {
    "contrast": _scatter_contrast,
    "free contrast": _free_contrast,
    "bone": _vary_bone,
    "marrow": _darken_marrow,
    "fat": _suppress_fat,
    "muscle": _darken_muscle,
    "even scalp": _even_scalp,
    "fluid": _darken_fluid,
    "dark bone": _keep_scalp_brighter,
}
IMAGE_PARTS: dict[str, Callable[..., np.ndarray]] = {
    "texture": _add_texture,
    "layers": _layer_scalp,
    "tumour": _add_tumour,
    "through-plane": _blur_through_plane,
    "blur": _blur,
    "bias": _add_bias,
    "pixels": _coarsen,
    "noise": _add_noise,
    "gamma": _change_gamma,
}
FRAME_PARTS: dict[str, Callable[..., np.ndarray]] = {
    "defacing": _deface,
    "frame": _frame,
}
# All that is random, in the order in which it is applied
PARTS = ("anatomy", *LABEL_PARTS, *SIGNAL_PARTS, *IMAGE_PARTS, *FRAME_PARTS)


# --- Helpers -------------------------------------------------------------------------------------


def _smooth_noise(
    shape: tuple[int, int],
    wavelength_mm: float,
    generator: Generator,
) -> np.ndarray:
    """Draw noise that varies over a wavelength: coarse white noise, enlarged; float32."""
    rows, columns = shape
    coarse_rows = max(2, int(np.ceil(rows * STEP_MM / wavelength_mm)) + 1)
    coarse_columns = max(2, int(np.ceil(columns * STEP_MM / wavelength_mm)) + 1)
    coarse = generator.standard_normal((coarse_rows, coarse_columns), np.float32)
    return cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)


def _distance_mm(mask: np.ndarray) -> np.ndarray:
    """Measure how far every pixel is from the foreground; 0 in it. Float32."""
    return cv2.distanceTransform(1 - mask, cv2.DIST_L2, cv2.DIST_MASK_3) * np.float32(STEP_MM)
