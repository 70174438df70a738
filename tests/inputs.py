"""Images for the tests, blobs in noise of any shape and dtype and heads; parameters that can wait."""

import numpy as np
import pytest
from scipy import ndimage

from skullmask_lib import polar

SHAPES = ((1, 1), (1, 9), (7, 1), (2, 2), (3, 5), (8, 8), (17, 31), (64, 64), (97, 51), (120, 160))
SIZES_MM = (4.0, 5.0, 8.0)  # of a volume's voxels; few slices: v8 takes its time for each
PLACES_MM = ((0, 0), (3, 2), (-2, 4))  # of the middles of three heads
NUMBERS = (
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "uint64",
    "int64",
    "float16",
    "float32",
    "float64",
    ">f4",
    ">i2",
)


def later(*values):
    """Give parameters that only ``make test-full`` takes."""
    return [pytest.param(value, marks=pytest.mark.full) for value in values]


def blobs(seed, *, shape=None, dtype=np.float32):
    """Give smooth blobs with noise, some over the frame; in small shapes areas are often equal."""
    rng = np.random.default_rng(seed)
    if shape is None:
        shape = SHAPES[rng.integers(len(SHAPES))]
    smooth = ndimage.gaussian_filter(
        rng.standard_normal(shape), rng.uniform(0.5, 6), mode="constant"
    )
    smooth = np.clip(smooth / (np.abs(smooth).max() or 1) - rng.uniform(-0.2, 0.3), 0, None)
    image = smooth + rng.choice([0, 0.02, 0.3]) * rng.random(shape)
    if np.dtype(dtype).kind == "f":
        return (image * 10.0 ** rng.integers(-7, 4)).astype(dtype)
    limits = np.iinfo(dtype)
    levels = float(limits.max) - limits.min
    return (limits.min + image / (image.max() or 1) * levels).astype(dtype)


def head(shape=(48, 40), *, at=(0, 0)):
    """Give a brain in a dark skull in a bright scalp, on a dark frame."""
    rows, columns = np.indices(shape)
    y = (rows - shape[0] / 2 + 0.5 - at[0]) / shape[0]
    x = (columns - shape[1] / 2 + 0.5 - at[1]) / shape[1]
    radius = np.hypot(y, x)
    brain = radius < 0.25
    scalp = (radius > 0.36) & (radius < 0.43)
    return np.select([brain, scalp], [200 - 100 * radius, 90], 0)


def ring_head(
    shape=(220, 190),
    spacing_mm=(1.0, 1.0),
    *,
    at_mm=(0.0, 0.0),
    axes_mm=(90.0, 75.0),
    turn=0.0,
    levels=(0.02, 0.8, 0.1, 1.0),
    depths_mm=(0.0, 6.0, 12.0),
):
    """Give a head of the usual size, an ellipse in air with edges 1 mm wide, and its true mask.

    ``levels`` are those of air, scalp, bone and brain; ``depths_mm`` are those below the skin at
    which skin, bone and brain begin, exact on a circle.
    """
    height, width = shape
    y = (np.arange(height)[:, None] - (height - 1) / 2) * spacing_mm[0] - at_mm[0]
    x = (np.arange(width) - (width - 1) / 2) * spacing_mm[1] - at_mm[1]
    angle = np.deg2rad(turn)
    rows = np.cos(angle) * y + np.sin(angle) * x
    columns = np.cos(angle) * x - np.sin(angle) * y
    size_mm = np.sqrt(np.prod(axes_mm))
    depth_mm = (1 - np.hypot(rows / axes_mm[0], columns / axes_mm[1])) * size_mm
    edges = np.add.outer(depths_mm, (-0.5, 0.5)).ravel()
    image = np.interp(depth_mm, edges, np.repeat(levels, 2)[1:-1])
    truth = depth_mm >= depths_mm[-2]
    return image, truth.astype(np.uint8)


def stack():
    """Give three heads that are drawn crudely."""
    return np.stack([head(), head(at=(2, 1)), head(at=(-1, 2))])


def ring_heads():
    """Give three heads of the usual size."""
    return np.stack([ring_head(at_mm=at_mm)[0] for at_mm in PLACES_MM])


def ring_truths():
    """Give the true masks of `ring_heads`."""
    return np.stack([ring_head(at_mm=at_mm)[1] for at_mm in PLACES_MM])


def within_skin(image):
    """Give everything within the skin of a head without noise."""
    return ndimage.binary_fill_holes(image > 0.12)


def doubted(*names):
    """Give what the command line says of slices that are drawn too crudely for most versions."""
    remark = f"look at the mask, its quality is below {polar.TRUSTED}"
    return [f"skullmask: warning: {', '.join(names)}: {remark}"]


def distances_mm(shape, sizes_mm):
    """Give the distances of all voxels from the middle of a volume, along each axis."""
    middle = np.reshape(shape, (3, 1, 1, 1)) / 2 - 0.5
    return (np.indices(shape) - middle) * np.reshape(sizes_mm, (3, 1, 1, 1))


def volume_of_head(sizes_mm=SIZES_MM, scale=1.0, noise=0.01):
    """Give a volume of a lopsided head, of scalp, bone and brain with a ventricle, and its brain."""
    shape = [int(200 / mm) for mm in sizes_mm]
    x, y, z = distances_mm(shape, sizes_mm)
    radius = np.sqrt((x / 0.9) ** 2 + (y + 0.05 * x) ** 2 + (z + 6) ** 2)
    values = np.select([radius < 70, radius < 77, radius < 86], [0.8, 0.1, 1.0], 0.0)
    ventricle = np.hypot(np.hypot(x - 20, y + 30), z) < 12
    values[ventricle] = 0.2
    noisy = np.abs(values + noise * np.random.default_rng(0).standard_normal(shape))
    brain = radius < 70
    return (scale * noisy).astype(np.float32), brain.astype(np.uint8)


def ct_of_head(window):
    """Give a volume of brain, bone, fat and skin as on CT [HU], shown between two limits."""
    shape = [int(200 / mm) for mm in SIZES_MM]
    radius = np.linalg.norm(distances_mm(shape, SIZES_MM), axis=0)
    layers = [radius < 68, radius < 76, radius < 82, radius < 86]
    values = np.select(layers, [32, 900, -90, 40], -1000)
    noise = 6 * np.random.default_rng(0).standard_normal(values.shape)
    return (values + noise).clip(*window)
