"""Images for the tests: blobs in noise, of any shape and dtype, and heads; and parameters that can wait."""

import numpy as np
import pytest
from scipy import ndimage

from skullmask_lib import polar

SHAPES = ((1, 1), (1, 9), (7, 1), (2, 2), (3, 5), (8, 8), (17, 31), (64, 64), (97, 51), (120, 160))
SIZES_MM = (4.0, 5.0, 8.0)  # of a volume's voxels; few slices: v8 takes its time for each
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
    """Smooth blobs, some of them over the frame, with noise; small shapes give equal areas often."""
    rng = np.random.default_rng(seed)
    shape = SHAPES[rng.integers(len(SHAPES))] if shape is None else shape
    smooth = ndimage.gaussian_filter(
        rng.standard_normal(shape), rng.uniform(0.5, 6), mode="constant"
    )
    smooth = np.clip(smooth / (np.abs(smooth).max() or 1) - rng.uniform(-0.2, 0.3), 0, None)
    image = smooth + rng.choice([0, 0.02, 0.3]) * rng.random(shape)
    if np.dtype(dtype).kind == "f":
        return (image * 10.0 ** rng.integers(-7, 4)).astype(dtype)
    limits = np.iinfo(dtype)
    return (limits.min + image / (image.max() or 1) * (float(limits.max) - limits.min)).astype(
        dtype
    )


def head(shape=(48, 40), *, at=(0, 0)):
    """Give a brain in a dark skull in a bright scalp, on a dark frame."""
    rows, columns = np.indices(shape)
    radius = np.hypot(
        (rows - shape[0] / 2 + 0.5 - at[0]) / shape[0],
        (columns - shape[1] / 2 + 0.5 - at[1]) / shape[1],
    )
    return np.where(
        radius < 0.25, 200 - 100 * radius, np.where((radius > 0.36) & (radius < 0.43), 90, 0)
    )


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

    ``levels`` are air, scalp, bone and brain; ``depths_mm`` where skin, bone and brain begin below the skin, exact on
    a circle.
    """
    y, x = (
        (np.arange(n) - (n - 1) / 2) * step - at
        for n, step, at in zip(shape, spacing_mm, at_mm, strict=True)
    )
    angle = np.deg2rad(turn)
    rows, columns = (
        np.cos(angle) * y[:, None] + np.sin(angle) * x,
        np.cos(angle) * x - np.sin(angle) * y[:, None],
    )
    size_mm = np.sqrt(np.prod(axes_mm))
    depth_mm = (1 - np.hypot(rows / axes_mm[0], columns / axes_mm[1])) * size_mm
    edges = np.add.outer(depths_mm, (-0.5, 0.5)).ravel()
    return np.interp(depth_mm, edges, np.repeat(levels, 2)[1:-1]), (
        depth_mm >= depths_mm[-2]
    ).astype(np.uint8)


def within_skin(image):
    """Give everything within the skin of a head without noise."""
    return ndimage.binary_fill_holes(image > 0.12)


def doubted(*names):
    """Give what the command line says of slices where nothing else is to be said; they are drawn too crudely for most versions."""
    return [
        f"skullmask: warning: {', '.join(names)}: look at the mask, its quality is below {polar.TRUSTED}"
    ]


def volume_of_head(sizes_mm=SIZES_MM, scale=1.0, noise=0.01):
    """Give a volume of a lopsided head and its brain: scalp, bone and brain, an ear of bone, ventricles."""
    shape = [int(200 / mm) for mm in sizes_mm]
    places = np.meshgrid(
        *((np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(shape, sizes_mm, strict=True)),
        indexing="ij",
    )
    x, y, z = places
    radius = np.sqrt((x / 0.9) ** 2 + (y + 0.05 * x) ** 2 + (z + 6) ** 2)
    values = np.select([radius < 70, radius < 77, radius < 86], [0.8, 0.1, 1.0], 0.0)
    values[np.hypot(np.hypot(x - 20, y + 30), z) < 12] = 0.2
    rng = np.random.default_rng(0)
    return (scale * np.abs(values + noise * rng.standard_normal(shape))).astype(np.float32), (
        radius < 70
    ).astype(np.uint8)
