"""Images for the tests: blobs in noise, of any shape and dtype."""

import numpy as np
from scipy import ndimage

SHAPES = ((1, 1), (1, 9), (7, 1), (2, 2), (3, 5), (8, 8), (17, 31), (64, 64), (97, 51), (120, 160))


def blobs(seed, *, shape=None, dtype=np.float32):
    """Smooth blobs, some of them over the frame, with noise; small shapes give equal areas often."""
    rng = np.random.default_rng(seed)
    shape = SHAPES[rng.integers(len(SHAPES))] if shape is None else shape
    smooth = ndimage.gaussian_filter(rng.standard_normal(shape), rng.uniform(0.5, 6), mode="constant")
    smooth = np.clip(smooth / (np.abs(smooth).max() or 1) - rng.uniform(-0.2, 0.3), 0, None)
    image = smooth + rng.choice([0, 0.02, 0.3]) * rng.random(shape)
    if np.dtype(dtype).kind == "f":
        return (image * 10.0 ** rng.integers(-7, 4)).astype(dtype)
    limits = np.iinfo(dtype)
    return (limits.min + image / (image.max() or 1) * (float(limits.max) - limits.min)).astype(dtype)


def head(shape=(48, 40), *, at=(0, 0)):
    """Give a brain in a dark skull in a bright scalp, on a dark frame."""
    rows, columns = np.indices(shape)
    radius = np.hypot((rows - shape[0] / 2 + 0.5 - at[0]) / shape[0], (columns - shape[1] / 2 + 0.5 - at[1]) / shape[1])
    return np.where(radius < 0.25, 200 - 100 * radius, np.where((radius > 0.36) & (radius < 0.43), 90, 0))
