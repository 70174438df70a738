"""The opinion of a network on where the inside of the skull is; it was trained on no scan.

The network is ``data/network.onnx``, and OpenCV runs it, so nothing else needs to be installed. How
it was trained and measured is in ``data/network.md``. One function, `prepare`, prepares a
slice, in training too. How v9's path makes use of a probability is decided in `boundary`.
"""

import hashlib
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from . import errors, masks, polar
from .project import project_folder

# From prepared slices (N, H, W), or a prepared volume, to probabilities of the same shape
Predictor = Callable[[np.ndarray], np.ndarray]

NETWORK = "network.onnx"
SHA256 = "778577ac832c17384d6ffd155833fcc2e950cae13c8daf18a8a648b4ef485bfc"
# Size of the network's pixels
STEP_MM = 2.0
# Both sides of its window are multiples of this many of its pixels
MULTIPLE = 8
# Least margin between the head and the sides of the window
MARGIN_MM = 8.0
# The range of brightness, without extremes
_RANGE_PERCENTILES = (0.5, 99.5)
# A narrower range is not stretched further
_LEAST_RANGE = 1e-6

_of_thread = threading.local()


class Window(NamedTuple):
    """What the network looks at, in pixels of a slice; it may reach beyond the frame."""

    row: int
    column: int
    rows: int
    columns: int


# --- Ask the network -----------------------------------------------------------------------------


def inside_probability(
    image: np.ndarray,
    spacing_mm: tuple[float, float] | None = None,
    *,
    network: cv2.dnn.Net | None = None,
) -> np.ndarray:
    """Ask the network which pixels lie inside of the skull's outer surface.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    spacing_mm : pair of float, optional
        Row and column spacing [mm]. Without it the head's size is the ruler, and pixels are taken
        to be square, as for `polar.unwrap`.
    network : cv2.dnn.Net, optional
        Another network than the one that comes with the library, as `load_network` returns it.

    Returns
    -------
    ndarray of shape (H, W), float32, 0 … 1
        Zeros if there is no head.

    Raises
    ------
    InputError
        If the image or the spacing is refused by `polar.unwrap`, or if the network's file is
        missing or not the one that came with this version.

    Examples
    --------
    >>> from skullmask_lib import phantom
    >>> image, _ = phantom.render_slice(18.0, shape=(96, 80), spacing_mm=(2.4, 2.4))
    >>> probability = inside_probability(image, (2.4, 2.4))
    >>> bool(probability[48, 40] > 0.99), bool(probability[0, 0] < 0.01)
    (True, True)
    """
    unwrapped = polar.unwrap(image, spacing_mm)
    if unwrapped is None:
        return np.zeros(np.shape(image), np.float32)
    ask = None if network is None else partial(_answer_of, network)
    height, width = unwrapped.shape
    return cv2.resize(probability_on_grid(unwrapped, ask=ask), (width, height))


def probability_on_grid(
    unwrapped: polar.Unwrapped,
    *,
    ask: Predictor | None = None,
) -> np.ndarray:
    """Ask a network which places of a head's grid lie inside of the skull's outer surface.

    `inside_probability` asks it for the pixels of an image; here the head is unwrapped already.

    Parameters
    ----------
    unwrapped : polar.Unwrapped
    ask : callable, optional
        From prepared slices to probabilities, both of shape (N, H, W). By default, the network that
        comes with the library answers.

    Returns
    -------
    ndarray of the shape of ``unwrapped.head``, float32, 0 … 1

    Raises
    ------
    InputError
        If the network's file is missing or not the one that came with this version.

    Examples
    --------
    >>> disc = np.hypot(*np.ogrid[-40:40, -40:40]) < 36
    >>> probability_on_grid(polar.unwrap(disc, (2, 2))).shape
    (320, 320)
    """
    window = window_around(unwrapped.head, polar.STEP_MM)
    prepared = prepare(unwrapped.on_grid, polar.STEP_MM, window)
    ask = ask or partial(_answer_of, _network())
    [probability] = np.asarray(ask(prepared[None]), np.float32)
    return back_on_grid(probability, window, unwrapped.head.shape)


def _answer_of(network: cv2.dnn.Net, slices: np.ndarray) -> np.ndarray:
    """Let OpenCV run a network on prepared slices."""
    network.setInput(slices[:, None])
    logits = network.forward()[:, 0]
    return 1 / (1 + np.exp(-logits))


def most_probable_mask(probability: np.ndarray) -> np.ndarray:
    """Make a mask of a probability alone: the largest piece that is probably inside, filled.

    Parameters
    ----------
    probability : ndarray of shape (H, W), 0 … 1

    Returns
    -------
    ndarray of shape (H, W), uint8

    Examples
    --------
    >>> most_probable_mask(np.array([[0.9, 0.1, 0.6, 0.8]]))
    array([[0, 0, 1, 1]], dtype=uint8)
    """
    inside = (probability > 0.5).astype(np.uint8)
    return masks.fill_holes(masks.largest_component(inside))


# --- Prepare a slice -----------------------------------------------------------------------------


def window_around(head: np.ndarray, step_mm: float) -> Window:
    """Choose the window in which the network looks at a head.

    Parameters
    ----------
    head : ndarray of shape (H, W), uint8 of {0, 1}
        Not empty.
    step_mm : float
        Size of its pixels; `STEP_MM` is a multiple of it.

    Returns
    -------
    Window
        The head lies in its middle. Both sides are multiples of `MULTIPLE` pixels of the network.

    Examples
    --------
    >>> window_around(np.ones((160, 130), np.uint8), step_mm=1.0)
    Window(row=-8, column=-15, rows=176, columns=160)
    """
    rows, columns = masks.bounding_box(head)
    first_row, window_rows = _span(rows, step_mm)
    first_column, window_columns = _span(columns, step_mm)
    return Window(first_row, first_column, window_rows, window_columns)


def _span(box: slice, step_mm: float) -> tuple[int, int]:
    """Return the first pixel and the length of a window along one axis."""
    multiple = MULTIPLE * _factor(step_mm)
    wanted = box.stop - box.start + 2 * MARGIN_MM / step_mm
    length = multiple * int(np.ceil(wanted / multiple))
    middle = (box.start + box.stop) / 2
    return int(np.floor(middle - length / 2)), length


def prepare(brightness: np.ndarray, step_mm: float, window: Window) -> np.ndarray:
    """Resample a window of a slice to the network's pixels, and stretch its range to 0 … 1.

    Parameters
    ----------
    brightness : ndarray of shape (H, W), float32
        As `polar.brightness_on_grid` returns it.
    step_mm : float
        Size of its pixels; `STEP_MM` is a multiple of it.
    window : Window

    Returns
    -------
    ndarray of shape (window.rows, window.columns) · step_mm / STEP_MM, float32
        Exactly 0 beyond the frame, which does not count towards the range.

    Examples
    --------
    >>> brightness = np.float32([[0.2, 0.2, 0.7, 0.7], [0.2, 0.2, 0.7, 0.7]])
    >>> prepare(brightness, 1.0, Window(row=-2, column=0, rows=4, columns=4)).round(2)
    array([[0., 0.],
           [0., 1.]], dtype=float32)
    """
    factor = _factor(step_mm)
    cut = cut_out(brightness, window)
    size = (window.columns // factor, window.rows // factor)
    resampled = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
    height, width = brightness.shape
    rows = _inside_frame(window.row, window.rows, height, factor)
    columns = _inside_frame(window.column, window.columns, width, factor)
    inside = resampled[rows, columns]
    low, high = np.percentile(inside, _RANGE_PERCENTILES)
    stretched = (inside - low) / max(high - low, _LEAST_RANGE)
    prepared = np.zeros_like(resampled)
    prepared[rows, columns] = np.clip(stretched, 0, 1)
    return prepared


def cut_out(image: np.ndarray, window: Window) -> np.ndarray:
    """Cut a window out of a slice; beyond the frame it is 0.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    window : Window

    Returns
    -------
    ndarray of shape (window.rows, window.columns)
        A new array of the same dtype.

    Examples
    --------
    >>> cut_out(np.array([[1, 2], [3, 4]]), Window(row=1, column=-1, rows=2, columns=3))
    array([[0, 3, 4],
           [0, 0, 0]])
    """
    cut = np.zeros((window.rows, window.columns), image.dtype)
    rows, cut_rows = _overlap(window.row, window.rows, image.shape[0])
    columns, cut_columns = _overlap(window.column, window.columns, image.shape[1])
    cut[cut_rows, cut_columns] = image[rows, columns]
    return cut


def _factor(step_mm: float) -> int:
    """Return how many pixels become one of the network's."""
    return round(STEP_MM / step_mm)


def _overlap(start: int, length: int, size: int) -> tuple[slice, slice]:
    """Find where a window and a slice overlap: in the slice, and in the window."""
    first = max(start, 0)
    last = max(min(start + length, size), first)
    return slice(first, last), slice(first - start, last - start)


def _inside_frame(start: int, length: int, size: int, factor: int) -> slice:
    """Find the network's pixels that lie inside of the frame, if only in part."""
    _, of_window = _overlap(start, length, size)
    return slice(of_window.start // factor, -(-of_window.stop // factor))


def back_on_grid(
    probability: np.ndarray,
    window: Window,
    shape: tuple[int, int],
) -> np.ndarray:
    """Bring a probability back from the network's pixels to those of a slice.

    Parameters
    ----------
    probability : ndarray of shape (h, w), float32
        In the window.
    window : Window
    shape : tuple of int
        Rows and columns of the slice.

    Returns
    -------
    ndarray of that shape, float32
        0 outside of the window.

    Examples
    --------
    >>> window = Window(row=-1, column=0, rows=2, columns=2)
    >>> back_on_grid(np.ones((1, 1), np.float32), window, (2, 3))
    array([[1., 1., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    size = (window.columns, window.rows)
    resampled = cv2.resize(probability, size, interpolation=cv2.INTER_LINEAR)
    grid = np.zeros(shape, np.float32)
    rows, window_rows = _overlap(window.row, window.rows, shape[0])
    columns, window_columns = _overlap(window.column, window.columns, shape[1])
    grid[rows, columns] = resampled[window_rows, window_columns]
    return grid


# --- Load the network ----------------------------------------------------------------------------


def _network() -> cv2.dnn.Net:
    """Load the network; every thread has its own, for one cannot serve two at a time."""
    if not hasattr(_of_thread, "network"):
        file = project_folder("data") / NETWORK
        _of_thread.network = load_network(file)
    return _of_thread.network


def load_network(file: str | Path, *, sha256: str = SHA256) -> cv2.dnn.Net:
    """Load a network from an ONNX file that is what it should be, byte for byte.

    Parameters
    ----------
    file : str or path
    sha256 : str
        Its checksum.

    Returns
    -------
    cv2.dnn.Net

    Raises
    ------
    InputError
        If the file cannot be read, or has another checksum.

    Examples
    --------
    >>> load_network(project_folder("data") / "published.csv")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: ...published.csv: is not the network of this version; ...
    """
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise errors.InputError(
            f"cannot be read ({reason}); install skullmask again", where=file
        ) from None
    if hashlib.sha256(content).hexdigest() != sha256:
        hint = "install skullmask again"
        raise errors.InputError(f"is not the network of this version; {hint}", where=file)
    return cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
