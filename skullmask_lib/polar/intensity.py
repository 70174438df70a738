"""The range of an image without its extremes, and whether the image shows anything but noise.

Heads and what is in them belong elsewhere.
"""

import numpy as np

# --- The range ---
_RANGE_PERCENTILES = (0.5, 99.5)
# The range is taken from every eighth row and column, unless fewer than 64 would remain
_SAMPLE_EVERY = 8
_SAMPLE_PX = 64
# Smaller numbers are less exact in float32
_MIN_FLOAT32 = float(np.finfo(np.float32).tiny)
# An image that varies by fewer rounding errors than this is flat
_MIN_RANGE_ROUNDINGS = 16
# Values are kept within this many times the range
_FAR = 1000.0

# --- Noise ---
# Noise is recognised by the means of blocks, at best so many along the longer side …
_BLOCKS = 12
# … and at least so many along the shorter side
_MIN_BLOCKS = 3
_MIN_BLOCK_PX = 4
# In noise their variance is below this share of the pixels' variance …
_NOISE_SHARE = 0.1
# … and below this share of the variance of blocks half as wide
_NOISE_FALL = 0.35
# Every fourth row shows how much the pixels vary
_NOISE_ROWS = 4


def stretched(image: np.ndarray) -> np.ndarray:
    """Scale the range of an image to 0 … 1, extremes beyond it; a flat image becomes zeros.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    ndarray of shape (H, W), float32

    Examples
    --------
    >>> stretched(np.pad(np.full((30, 30), 7), 10))[20, 8:12]
    array([0., 0., 1., 1.], dtype=float32)
    """
    low, high = limits(image).tolist()  # NumPy's float64 would turn float32 into float64
    largest = max(abs(low), abs(high))
    rounding = 0.0
    if image.dtype.kind == "f":
        rounding = np.finfo(image.dtype).eps * largest
    if high - low <= _MIN_RANGE_ROUNDINGS * rounding:
        return np.zeros(image.shape, np.float32)
    precision = np.result_type(image, np.float32)
    if largest < _MIN_FLOAT32:
        precision = np.dtype(np.float64)
    with np.errstate(over="ignore"):  # single pixels far beyond the range are clipped below
        # Divide first, for the range itself may be too large for a float
        values = np.divide(image, largest, dtype=precision)
        values -= low / largest
        values /= high / largest - low / largest
    np.clip(values, -_FAR, _FAR, out=values)
    return values.astype(np.float32, copy=False)


def contrast(image: np.ndarray) -> float:
    """Measure how far the values of an image lie apart, without its extremes.

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
    low, high = limits(image)
    return float(high) - float(low)


def limits(image: np.ndarray) -> np.ndarray:
    """Find the range of an image without its extremes, from a sample of its pixels.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    ndarray of shape (2,), float64
        The lower and the upper end.

    Examples
    --------
    >>> limits(np.pad(np.full((30, 30), 7), 10))
    array([0., 7.])
    """
    every = int(np.clip(min(image.shape) // _SAMPLE_PX, 1, _SAMPLE_EVERY))
    sample = image[::every, ::every].astype(np.float64)
    return np.percentile(sample, _RANGE_PERCENTILES)


def is_noise(image: np.ndarray) -> bool:
    """Tell noise from an image that shows something.

    The means of blocks hardly differ where there is only noise, and the larger the blocks, the
    less: their variance falls to a quarter as their width doubles. Where an image shows something,
    it falls far less.

    Parameters
    ----------
    image : ndarray of shape (H, W)
        As from `stretched`.

    Returns
    -------
    bool
        False for an image that is too small to tell.

    Examples
    --------
    >>> noise = np.random.default_rng(1).random((96, 96))
    >>> is_noise(noise), is_noise(noise + np.eye(96).cumsum(axis=1))
    (True, False)
    """
    width_px = _block_width_px(image.shape)
    rows = image.shape[0] // width_px
    columns = image.shape[1] // width_px
    if min(rows, columns) < _MIN_BLOCKS:
        return False
    whole_blocks = image[: rows * width_px, : columns * width_px]
    clipped = np.clip(whole_blocks, 0, 1)
    halves = _means_of_blocks(clipped, width_px // 2)
    blocks = _means_of_blocks(halves, 2)
    variance = blocks.var()
    if variance >= _NOISE_FALL * halves.var():
        return False
    return bool(variance < _NOISE_SHARE * clipped[::_NOISE_ROWS].var())


def _block_width_px(shape: tuple[int, int]) -> int:
    """Choose an even width, for about `_BLOCKS` blocks along the longer side."""
    wanted = -(-max(shape) // _BLOCKS)
    width = min(wanted, min(shape) // _MIN_BLOCKS)
    return max(_MIN_BLOCK_PX, width - width % 2)


def _means_of_blocks(image: np.ndarray, width_px: int) -> np.ndarray:
    """Average square blocks of an image whose sides are multiples of their width."""
    rows = image.shape[0] // width_px
    columns = image.shape[1] // width_px
    in_rows = image.reshape(rows, width_px, -1).mean(axis=1)
    return in_rows.reshape(rows, columns, width_px).mean(axis=2)
