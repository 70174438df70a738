"""FLAIR slices of random heads with a tumour, named and stored like LGG, and their scores.

No scan is needed: heads are phantoms of random anatomy, and a tumour is a soft, lobed and bright
ball in the brain. A slice is prepared as in the article on tumours: contrast, crop, one size.
Nothing here needs torch.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from .. import errors, metrics, phantom
from ..io import outputs
from ..io.data import Data
from ..io.paths import AnyPath
from . import randomise
from .heads import Predictor, Prepared, head_of

# Slices: half as many rows and columns as in LGG, of twice the size
SHAPE = (128, 128)
STEP_MM = 2.0
SLICES = 6
# Levels of the first and the last slice, as shares of the head's half height
LEVELS = (-0.2, 0.8)
# What a network looks at, in its pixels
PREPARED_SHAPE = (64, 64)

# Where the middle of a tumour lies, as shares of the head's half width, length and height
_SIDES = (0.2, 0.55)
_BACK = (-0.5, 0.5)
_UP = (0.05, 0.55)
_RADII_MM = (12.0, 24.0)
_LOBES = 6
# The brightness of a tumour, relative to the brain around it
_BRIGHTNESSES = (1.6, 2.2)
# How much of the tissue's own signal a tumour hides
_COVER = 0.75
# The width over which the brain around a tumour is averaged
_AROUND_PX = 8.0
# The soft edge of a tumour, as a share of its radius
_EDGE = 0.16
# How much the signal of a tissue varies from head to head: the spread of its logarithm
_SIGNAL_SPREAD = 0.08
# A tumour that covers fewer pixels of a slice is left out of it
_LEAST_PX = 40
# Brighter pixels are shown as white
_WHITE_PERCENTILE = 99.8

Enhance = Callable[[np.ndarray], np.ndarray]
Box = tuple[slice, slice]


class _Tumour(NamedTuple):
    """A ball whose surface is bent by waves."""

    middle_mm: np.ndarray  # (3,): to the right, to the back, upwards
    radius_mm: float
    waves: np.ndarray  # (_LOBES, 3) [radians per mm]
    phases: np.ndarray  # (_LOBES,) [radians]
    brightness: float


# --- Patients ------------------------------------------------------------------------------------


def patient_name(seed: int) -> str:
    """Name a patient as LGG does.

    Parameters
    ----------
    seed : int
        0 … 9999

    Returns
    -------
    str

    Examples
    --------
    >>> patient_name(7)
    'TCGA_PH_0007_20000101'
    """
    return f"TCGA_PH_{seed:04d}_20000101"


def random_patients(seeds: Iterable[int], *, slices: int = SLICES) -> Data:
    """Render axial FLAIR slices of random heads, each with one tumour.

    Parameters
    ----------
    seeds : iterable of int
        One for each patient, 0 … 9999. It chooses the head and the tumour.
    slices : int
        Of each patient, from the level of the orbits to below the vertex. The tumour is on some.

    Returns
    -------
    Data
        Images of whole numbers, 0 … 255; the tumour masks; names as of `io.cohorts`.

    Raises
    ------
    InputError
        If a seed or the number of slices cannot be used.

    Examples
    --------
    >>> data = random_patients([7], slices=3)
    >>> data.images.shape, data.names[0]
    ((3, 128, 128), 'TCGA_PH_0007_20000101_1.tif')
    >>> data.tumour.any(axis=(1, 2))
    array([ True,  True, False])
    """
    errors.check_whole(slices, "number of slices", 1, 1000, "slices")
    images = []
    tumours = []
    names = []
    for seed in seeds:
        errors.check_whole(seed, "seed", 0, 9999, "a patient")
        for number, (image, tumour) in enumerate(_slices_of(seed, slices), start=1):
            images.append(image)
            tumours.append(tumour)
            names.append(f"{patient_name(seed)}_{number}.tif")
    if not names:
        raise errors.InputError("expected a patient or more, got none")
    spacing_mm = np.full((len(names), 2), STEP_MM)
    return Data(np.stack(images), None, spacing_mm, tuple(names), tumour=np.stack(tumours))


def _slices_of(seed: int, slices: int) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Render the slices of one patient with their tumour masks."""
    generator = np.random.default_rng(seed)
    measures = randomise.random_measures(generator)
    signals = _random_signals(generator)
    tumour = _random_tumour(generator, measures)
    for level in np.linspace(*LEVELS, slices):
        level_mm = level * measures["half_height_mm"]
        image, labels = phantom.render_slice(
            level_mm,
            seed=seed,
            contrast="FLAIR",
            shape=SHAPE,
            spacing_mm=(STEP_MM, STEP_MM),
            measures=measures,
            signals=signals,
        )
        yield _with_tumour(image, labels, tumour, level_mm)


def _random_signals(generator: np.random.Generator) -> dict[str, float]:
    """Scatter the signal of every tissue around its usual value."""
    signals = {}
    for tissue, usual in phantom.SIGNALS["FLAIR"].items():
        if tissue != "air":
            signals[tissue] = usual * float(np.exp(generator.normal(0, _SIGNAL_SPREAD)))
    return signals


def _random_tumour(generator: np.random.Generator, measures: dict[str, float]) -> _Tumour:
    """Draw a tumour that lies in the brain of a head."""
    right = generator.choice([-1, 1]) * generator.uniform(*_SIDES) * measures["half_width_mm"]
    back = generator.uniform(*_BACK) * measures["half_length_mm"]
    up = generator.uniform(*_UP) * measures["half_height_mm"]
    return _Tumour(
        middle_mm=np.array([right, back, up]),
        radius_mm=generator.uniform(*_RADII_MM),
        waves=generator.normal(0, 0.16, (_LOBES, 3)),
        phases=generator.uniform(0, 2 * np.pi, _LOBES),
        brightness=generator.uniform(*_BRIGHTNESSES),
    )


def _with_tumour(
    image: np.ndarray,
    labels: np.ndarray,
    tumour: _Tumour,
    level_mm: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Brighten the brain where the tumour is; return the slice as it is stored, and the mask."""
    depth = _depth(tumour, level_mm)
    tissue = _filled_brain(labels)
    mask = tissue * (depth < 1).astype(np.uint8)
    if mask.sum() < _LEAST_PX:
        return _stored(image), np.zeros_like(mask)
    edge = np.clip(0.5 + (1 - depth) / _EDGE, 0, 1)
    share = _COVER * edge * cv2.GaussianBlur(tissue.astype(np.float64), (0, 0), 0.6)
    changed = image + share * (tumour.brightness * _brain_signal(image, labels) - image)
    return _stored(changed), mask


def _stored(image: np.ndarray) -> np.ndarray:
    """Round a slice to the 256 levels in which it is stored."""
    white = np.percentile(image, _WHITE_PERCENTILE)
    levels = np.rint(255 * np.clip(image / white, 0, 1))
    return levels.astype(np.float32)


def _filled_brain(labels: np.ndarray) -> np.ndarray:
    """Mark brain without ventricles, and its sulci, which a tumour closes."""
    brain = phantom.brain_mask(labels)
    closed = cv2.morphologyEx(brain, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return closed * (labels != phantom.LABELS["ventricle"]).astype(np.uint8)


def _brain_signal(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average the signal of the brain around every pixel; it follows the coils' sensitivity."""
    brain = phantom.brain_mask(labels).astype(np.float64)
    weight = cv2.GaussianBlur(brain, (0, 0), _AROUND_PX)
    return cv2.GaussianBlur(brain * image, (0, 0), _AROUND_PX) / np.maximum(weight, 1e-6)


def _depth(tumour: _Tumour, level_mm: float) -> np.ndarray:
    """Measure how far out every pixel lies: 0 in the middle of the tumour, 1 on its surface."""
    y = (np.arange(SHAPE[0]) - (SHAPE[0] - 1) / 2) * STEP_MM
    x = (np.arange(SHAPE[1]) - (SHAPE[1] - 1) / 2) * STEP_MM
    points = np.stack(np.broadcast_arrays(x, y[:, None], level_mm), axis=-1)
    distance_mm = np.linalg.norm(points - tumour.middle_mm, axis=-1)
    bend = np.sin(points @ tumour.waves.T + tumour.phases).mean(axis=-1)
    return distance_mm / (tumour.radius_mm * (1 + 0.5 * bend))


def write(data: Data, folder: AnyPath) -> None:
    """Write slices and tumour masks in the layout of LGG, for ``load("lgg:FOLDER")``.

    Parameters
    ----------
    data : Data
        As of `random_patients`.
    folder : str or path
        Made if missing.

    Raises
    ------
    InputError
        If the data bring no tumour masks, or the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from ..io.datasets import load
    >>> data = random_patients([7], slices=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(data, folder)
    ...     loaded = load(f"lgg:{folder}")
    >>> loaded.names == data.names, np.array_equal(loaded.images, data.images)
    (True, True)
    """
    tumours = _tumours_of(data)
    folder = outputs.make_folder(folder)
    for name, image, tumour in zip(data.names, data.images, tumours, strict=True):
        home = outputs.make_folder(folder / head_of(name))
        channels = np.dstack([image.astype(np.uint8)] * 3)  # as LGG does without contrast agent
        _save(channels, home / name)
        _save(255 * tumour, home / name.replace(".tif", "_mask.tif"))


def _tumours_of(data: Data) -> np.ndarray:
    if data.tumour is None:
        raise errors.InputError("brings no tumour masks", where=data.names[0])
    return data.tumour


def _save(array: np.ndarray, file: Path) -> None:
    with outputs.replacing(file) as temporary:
        Image.fromarray(array).save(temporary, format="TIFF")


# --- Slices to learn from ------------------------------------------------------------------------


def whole(image: np.ndarray) -> Box:
    """Return the box of a slice that is not cropped.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    pair of slice

    Examples
    --------
    >>> whole(np.zeros((4, 5)))
    (slice(0, 4, None), slice(0, 5, None))
    """
    rows, columns = image.shape
    return slice(0, rows), slice(0, columns)


def prepare(
    data: Data,
    *,
    enhance: Enhance = np.copy,
    box_of: Callable[[np.ndarray], Box] = whole,
) -> tuple[Prepared, list[Box]]:
    """Prepare slices with tumour masks: enhance the contrast, crop, and resize to one shape.

    Parameters
    ----------
    data : Data
        With tumour masks.
    enhance : callable
        From a slice to one of the same shape, such as `volumes.preprocess.clahe`.
    box_of : callable
        From a slice as it came to the box to cut out, such as that of
        `volumes.preprocess.crop_to_head`.

    Returns
    -------
    prepared : Prepared
        Of `PREPARED_SHAPE`. The brightness of every slice is stretched to 0 … 1.
    boxes : list of pairs of slice
        What was cut out, for `masks_of`.

    Raises
    ------
    InputError
        If the data bring no tumour masks.

    Examples
    --------
    >>> prepared, boxes = prepare(random_patients([7], slices=2))
    >>> prepared.images.shape, boxes[0]
    ((2, 1, 64, 64), (slice(0, 128, None), slice(0, 128, None)))
    """
    images = []
    shares = []
    boxes = []
    for image, tumour in zip(data.images, _tumours_of(data), strict=True):
        box = box_of(image)
        images.append(_resized(_stretched(enhance(image))[box]))
        shares.append(_resized(tumour.astype(np.float32)[box]))
        boxes.append(box)
    return Prepared(np.stack(images)[:, None], np.stack(shares)[:, None]), boxes


def _stretched(image: np.ndarray) -> np.ndarray:
    """Stretch the brightness of a slice to 0 … 1."""
    image = image.astype(np.float32)
    low = float(image.min())
    high = float(image.max())
    return (image - low) / max(high - low, 1e-6)


def _resized(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, PREPARED_SHAPE[::-1], interpolation=cv2.INTER_AREA)


def masks_of(
    ask: Predictor,
    prepared: Prepared,
    boxes: Sequence[Box],
    shape: tuple[int, int],
) -> np.ndarray:
    """Make the tumour masks of slices by what a network says of them.

    Parameters
    ----------
    ask : callable
        From images (N, H, W) to probabilities, as `prediction.probabilities`.
    prepared, boxes
        As `prepare` returns them.
    shape : pair of int
        Of the slices as they came.

    Returns
    -------
    ndarray of shape (N,) + shape, uint8 of {0, 1}

    Examples
    --------
    >>> data = random_patients([7], slices=3)
    >>> masks = masks_of(lambda images: images > 2, *prepare(data), SHAPE)
    >>> masks.shape, bool(masks.any())
    ((3, 128, 128), False)
    """
    probabilities = np.asarray(ask(prepared.images[:, 0]), np.float32)
    masks = np.zeros((len(boxes), *shape), np.uint8)
    for mask, probability, (rows, columns) in zip(masks, probabilities, boxes, strict=True):
        size = (columns.stop - columns.start, rows.stop - rows.start)  # OpenCV's (x, y)
        mask[rows, columns] = cv2.resize(probability, size) > 0.5
    return masks


# --- Scores --------------------------------------------------------------------------------------


def score(masks: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Average IoU and Dice over all slices, and over those with and without tumour apart.

    Parameters
    ----------
    masks, truth : ndarray of shape (N, H, W), of {0, 1}

    Returns
    -------
    dict of str to float
        ``iou_all``, ``dice_all``, ``iou_tumour``, ``dice_tumour``, ``iou_empty`` and
        ``dice_empty``. NaN where there is no such slice. On an empty slice both scores are 1 if the
        mask is empty, and 0 otherwise.

    Examples
    --------
    A mask that marks nothing, where two slices of three show no tumour:

    >>> truth = np.zeros((3, 2, 2))
    >>> truth[0, 0, 0] = 1
    >>> scores = score(np.zeros_like(truth), truth)
    >>> round(scores["dice_all"], 2), scores["dice_tumour"], scores["dice_empty"]
    (0.67, 0.0, 1.0)
    """
    has_tumour = truth.any(axis=(1, 2))
    kinds = {"all": np.ones(len(truth), bool), "tumour": has_tumour, "empty": ~has_tumour}
    ious = np.array(list(map(metrics.iou, masks, truth)))
    dices = np.array(list(map(metrics.dice, masks, truth)))
    scores = {}
    for kind, is_of_kind in kinds.items():
        scores[f"iou_{kind}"] = _mean(ious[is_of_kind])
        scores[f"dice_{kind}"] = _mean(dices[is_of_kind])
    return scores


def _mean(values: np.ndarray) -> float:
    """Average values; NaN where there is none."""
    if not len(values):
        return np.nan
    return float(values.mean())
