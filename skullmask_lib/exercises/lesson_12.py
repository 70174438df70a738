"""Exercises of lesson 12: bias field and resampling."""

from collections.abc import Callable
from functools import cache

import numpy as np
from nibabel.affines import voxel_sizes
from scipy import ndimage

from .. import metrics, phantom
from ..volumes import brain_masks, preprocess
from .definitions import Exercise, Mistake

# 12.1: a mask on its way back

_SLAB_MM = 1.1
_VOXELS_MM = (2.0, 3.0, 4.0)


@cache
def _slab() -> tuple[np.ndarray, np.ndarray]:
    """Return the labels and the affine of the slab, as the lesson renders it."""
    spacing_mm = (_SLAB_MM, _SLAB_MM, _SLAB_MM)
    _, labels, affine = phantom.render_volume(shape=(168, 204, 20), spacing_mm=spacing_mm)
    return labels, affine


@cache
def _coarse(voxel_mm: float, of: Callable[..., np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Resample a mask to large voxels; return it with the way back, from voxel to voxel."""
    labels, affine = _slab()
    shape = [int(np.ceil(_SLAB_MM * n / voxel_mm)) + 2 for n in labels.shape]
    resampled = preprocess.resample_crop(of(labels), affine, shape=shape, voxel_mm=voxel_mm)
    return resampled[0], np.linalg.inv(resampled[1]) @ affine


def _back(
    voxel_mm: float,
    *,
    of: Callable[..., np.ndarray] = phantom.brain_mask,
    order: int = 1,
    level: float = 0.5,
) -> np.ndarray:
    coarse, back = _coarse(voxel_mm, of)
    shape = _slab()[0].shape
    values = coarse.astype(float)
    returned = ndimage.affine_transform(
        values, back[:3, :3], back[:3, 3], output_shape=shape, order=order
    )
    return returned > level


def _dice(
    *,
    of: Callable[..., np.ndarray] = phantom.brain_mask,
    ends_px: int = 6,
    score: Callable[..., float] = metrics.dice,
    order: int = 1,
    level: float = 0.5,
) -> tuple[float, ...]:
    core = np.s_[:, :, ends_px : _slab()[0].shape[2] - ends_px]
    mask = of(_slab()[0])
    scores = []
    for voxel_mm in _VOXELS_MM:
        back = _back(voxel_mm, of=of, order=order, level=level)
        scores.append(score(back[core], mask[core]))
    return tuple(scores)


# 12.2: a simple substitute for N4


def _variation(volume: np.ndarray, tissue: np.ndarray) -> float:
    return float(volume[tissue].std() / volume[tissue].mean())


def _corrected_variation(
    volume: np.ndarray,
    sizes_mm: np.ndarray,
    tissue: np.ndarray,
    *,
    sigma_mm: float = 30,
    is_weighted: bool = True,
    takes_logarithm: bool = True,
    has_foreground: bool = True,
) -> float:
    seen = volume > brain_masks.otsu_range(volume)[0]
    if not has_foreground:
        seen = np.ones_like(seen)
    values = np.log(np.maximum(volume, 1e-9)) if takes_logarithm else volume
    sigma = sigma_mm / np.asarray(sizes_mm)
    smooth = ndimage.gaussian_filter(np.where(seen, values, 0), sigma)
    if is_weighted:
        smooth = smooth / np.maximum(ndimage.gaussian_filter(seen * 1.0, sigma), 1e-3)
    field = np.exp(smooth) if takes_logarithm else np.maximum(smooth, 1e-9)
    return _variation(volume / field, tissue)


def _by_first_size(volume: np.ndarray, sizes_mm: np.ndarray, tissue: np.ndarray) -> float:
    return _corrected_variation(volume, np.full_like(sizes_mm, sizes_mm[0]), tissue)


def _by_mean_size(volume: np.ndarray, sizes_mm: np.ndarray, tissue: np.ndarray) -> float:
    return _corrected_variation(volume, np.full_like(sizes_mm, np.mean(sizes_mm)), tissue)


def _by_voxels(volume: np.ndarray, sizes_mm: np.ndarray, tissue: np.ndarray) -> float:
    return _corrected_variation(volume, np.ones_like(sizes_mm), tissue)


def _subtracted(volume: np.ndarray, sizes_mm: np.ndarray, tissue: np.ndarray) -> float:
    seen = volume > brain_masks.otsu_range(volume)[0]
    sigma = 30 / np.asarray(sizes_mm)
    logs = np.where(seen, np.log(np.maximum(volume, 1e-9)), 0)
    weight = np.maximum(ndimage.gaussian_filter(seen * 1.0, sigma), 1e-3)
    return _variation(volume - ndimage.gaussian_filter(logs, sigma) / weight, tissue)


@cache
def _volumes() -> list[tuple]:
    """List volumes with larger voxels, so that a check is quick."""
    volume, labels, affine = phantom.render_volume()
    x, y, z = (np.linspace(-1, 1, n) for n in volume.shape)
    pattern = 0.6 * z - 0.4 * y[:, None] + 0.3 * (x**2)[:, None, None]
    field = np.exp(0.6 * pattern / np.abs(pattern).max()).astype(np.float32)
    white = labels == phantom.LABELS["white_matter"]
    grey = labels == phantom.LABELS["grey_matter"]
    sizes_mm = voxel_sizes(affine)
    arguments = []
    for values, tissue, steps in (
        (volume * field, white, (2, 2, 2)),
        (volume, white, (2, 2, 3)),
        (volume * field**2, grey, (3, 2, 2)),
    ):
        every = tuple(slice(None, None, step) for step in steps)
        arguments.append((values[every], sizes_mm * steps, tissue[every]))
    return arguments


EXERCISES = (
    Exercise(
        "12.1",
        kind="modify",
        level=2,
        minutes=10,
        wanted="the Dice of the brain for three sizes of voxels, three numbers",
        solution=_dice,
        right="to interpolate and cut at one half smooths the steps of the large voxels, so the "
        "surface comes back better, and what was lost on the way there stays lost.",
        hints=(
            "only the last line of `there_and_back` has to change.",
            "`order=1` interpolates linearly, and the result has the dtype of what comes in, so "
            "hand over floats.",
            "what lies above one half becomes the mask, and the Dice counts the `core` alone.",
        ),
        mistakes=(
            Mistake(
                lambda: _dice(order=0),
                "this is the way back by the nearest voxel, as in the lesson.",
            ),
            Mistake(
                lambda: _dice(level=0),
                "every value above 0 became part of the mask, but the cut is at one half.",
            ),
            Mistake(
                lambda: _dice(of=phantom.skull_mask),
                "this is the skull mask, but the brain is asked for.",
            ),
            Mistake(
                lambda: _dice(ends_px=0),
                "the ends of the slab count as well here, but the lesson leaves them out.",
            ),
            Mistake(lambda: _dice(score=metrics.iou), "this is the IoU, but Dice is asked for."),
        ),
    ),
    Exercise(
        "12.2",
        kind="make",
        level=3,
        minutes=20,
        wanted="a function that takes a volume, the size of its voxels in mm and a tissue, and "
        "returns a variation",
        solution=_corrected_variation,
        right="one blur evens out white matter better than the few iterations of N4, and less well "
        "than many of them.",
        hints=(
            "take the logarithm where the volume is foreground, and 0 elsewhere.",
            "blur this array and the foreground itself, as floats, and divide the first by the "
            "second, so that the background has no say.",
            "the exponential of the result is the field, and `30 / sizes_mm` is the Gaussian's "
            "width in voxels.",
        ),
        mistakes=(
            Mistake(
                lambda volume, _, tissue: _variation(volume, tissue),
                "this is the variation of the volume as it came, so either nothing is corrected, "
                "or the Gaussian is far too wide.",
            ),
            Mistake(
                _by_first_size,
                "voxels can be longer along one axis than along the first, so give a width for "
                "each axis.",
            ),
            Mistake(
                _by_mean_size,
                "voxels can be longer along one axis than on average, so give a width for each "
                "axis.",
            ),
            Mistake(
                _by_voxels,
                "the Gaussian is 30 voxels wide, but 30 mm are asked for.",
            ),
            Mistake(
                lambda *given: _corrected_variation(*given, is_weighted=False),
                "the background has a say, so divide by the blurred foreground.",
            ),
            Mistake(
                lambda *given: _corrected_variation(*given, has_foreground=False),
                "all voxels were blurred, but the air does not belong to the foreground.",
            ),
            Mistake(
                lambda *given: _corrected_variation(*given, takes_logarithm=False),
                "the volume itself was blurred, but its logarithm is asked for.",
            ),
            Mistake(
                _subtracted,
                "the field was subtracted, but a field is a factor.",
            ),
        ),
        arguments=_volumes,
    ),
)
