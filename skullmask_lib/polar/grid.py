"""The grid and the rays of a head: the size of a step, and how an image is sampled.

Distances are in steps of `STEP_MM`, on which heads of any resolution look alike; angles run
clockwise from the right. Nothing here knows what an image shows. It imports nothing of ours.
"""

import cv2
import numpy as np

# Rows and columns, as fractions of pixels or of grid steps
Places = tuple[np.ndarray, np.ndarray]

STEP_MM = 0.5
ANGLES = 360


def steps(mm: float) -> int:
    """Convert a length to whole steps.

    Parameters
    ----------
    mm : float

    Returns
    -------
    int

    Examples
    --------
    >>> steps(2.0)
    4
    """
    return round(mm / STEP_MM)


def angles() -> np.ndarray:
    """Return every angle, clockwise from the right.

    Returns
    -------
    ndarray of shape (ANGLES,), float64
        [radians]

    Examples
    --------
    >>> float(angles()[90] / np.pi)
    0.5
    """
    return np.arange(ANGLES) * 2 * np.pi / ANGLES


def places_at(centre: tuple[float, float], radii: np.ndarray, *, every: int = 1) -> Places:
    """Locate some radii on the grid, at every angle or at some of them.

    Parameters
    ----------
    centre : pair of float
        Row and column.
    radii : ndarray of shape (ANGLES / every, K) or (1, K)
        Distances from the centre [steps].
    every : int
        Take only every n-th angle.

    Returns
    -------
    rows, columns : ndarray of shape (ANGLES / every, K), float64

    Examples
    --------
    >>> rows, columns = places_at((20.0, 30.0), np.array([[5.0]]))
    >>> float(rows[90, 0]), float(columns[0, 0])
    (25.0, 35.0)
    """
    row, column = centre
    angle = angles()[::every, None]
    rows = row + np.sin(angle) * radii
    columns = column + np.cos(angle) * radii
    return rows, columns


def sampled(image: np.ndarray, places: Places) -> np.ndarray:
    """Interpolate an image linearly at some places; what lies beyond its frame is as the frame.

    OpenCV rounds places to 1/32 of a pixel before its version 5, and SciPy takes twice as long.

    Parameters
    ----------
    image : ndarray of shape (H, W), float32
    places : pair of ndarray
        Rows and columns, of the same shape.

    Returns
    -------
    ndarray of the shape of the rows, float32

    Examples
    --------
    >>> image = np.float32([[0, 1], [2, 3]])
    >>> sampled(image, (np.array([0.5, 9.0]), np.array([0.0, 0.5])))
    array([1. , 2.5], dtype=float32)
    """
    rows, columns = places
    height, width = image.shape
    top, down = _whole_and_fraction(rows, height)
    left, right = _whole_and_fraction(columns, width)
    pixels = image.ravel()
    corner = (top * width + left).astype(np.intp)

    def pixels_at(offset: int) -> np.ndarray:
        return pixels.take(corner + offset, mode="clip")

    upper = _between(pixels_at(0), pixels_at(1), right)
    lower = _between(pixels_at(width), pixels_at(width + 1), right)
    return _between(upper, lower, down)


def _whole_and_fraction(places: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Split places among ``count`` pixels into a pixel that has a next one, and the rest."""
    inside = np.clip(places.astype(np.float32), 0, count - 1)
    whole = np.minimum(inside.astype(np.int32), max(count - 2, 0))
    return whole, inside - whole.astype(np.float32)


def _between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Interpolate between two values, at a share of the way from the first to the second."""
    return first + share * (second - first)


def resized(
    image: np.ndarray,
    rows: int,
    columns: int,
    method: int,
) -> np.ndarray:
    """Resample an image by one of OpenCV's methods.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    rows, columns : int
        The new shape.
    method : int
        Such as ``cv2.INTER_LINEAR``.

    Returns
    -------
    ndarray of shape (rows, columns)

    Examples
    --------
    >>> resized(np.float32([[1, 3], [5, 7]]), 1, 1, cv2.INTER_AREA)
    array([[4.]], dtype=float32)
    """
    size = (columns, rows)  # OpenCV's (x, y)
    return cv2.resize(image, size, interpolation=method)
