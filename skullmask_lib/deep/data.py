"""Batches of random images, and the bank of label maps that they are made of.

Rendering a head takes far longer than turning its labels into another random image. So label maps
are rendered once, in parallel, and kept in a file. Images are drawn anew for every batch, and
prepared by the function that prepares a slice in use.
"""

import multiprocessing
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from .. import errors, learned, polar
from ..io import outputs
from ..project import project_folder
from . import randomise

# Slices of each head
SLICES = 4


def bank(
    count: int,
    folder: str | Path,
    *,
    seed: int = 0,
    anatomy: bool = True,
    processes: int = 1,
    progress: bool = False,
) -> np.ndarray:
    """Give label maps of random heads, from the folder if they are there already.

    Parameters
    ----------
    count : int
        Label maps; every `SLICES` of them are of the same head.
    folder : str or path
        Keeps the bank; is made if it does not exist.
    seed : int
        The first head's; heads are numbered from there. The processes change nothing.
    anatomy : bool
        See `randomise.random_labels`.
    processes : int
    progress : bool
        Show a progress bar.

    Returns
    -------
    ndarray of shape (count,) + randomise.SHAPE, uint8

    Raises
    ------
    InputError
        If the file in the folder is no such bank, or the folder or file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     maps = bank(2, folder)
    ...     again = bank(2, folder)
    >>> maps.shape, np.array_equal(maps, again)
    ((2, 256, 208), True)
    """
    errors.check_whole(count, "number of label maps", 1, 1_000_000, "label maps")
    folder = outputs.make_folder(folder)
    anatomies = "random" if anatomy else "usual"
    name = recipe(
        randomise.MEASURES,
        randomise.TEMPLE_OF_SLICES_MM,
        randomise.CSF_MM,
        randomise.LEVELS,
        randomise.STEP_MM,
        SLICES,
    )
    file = folder / f"labels-{anatomies}-{count}-{seed}-{name}.npz"
    return kept_bank(
        file,
        (count, *randomise.SHAPE),
        lambda: _rendered(count, seed, anatomy, processes, progress),
    )


def recipe(*ranges: object) -> str:
    """Return a short name of the numbers that decide what heads look like, but for their seeds.

    A change of the code that draws heads does not change it.

    Parameters
    ----------
    *ranges : object
        What heads are drawn from, beside the phantom's own model.

    Returns
    -------
    str
        Eight hexadecimal digits.

    Examples
    --------
    >>> recipe((0, 1)) == recipe((0, 1)), recipe((0, 1)) == recipe((0, 2))
    (True, False)
    """
    phantom = (project_folder("data") / "phantom.toml").read_bytes()
    return f"{zlib.crc32(phantom + repr(ranges).encode()):08x}"


def _rendered(
    count: int,
    seed: int,
    anatomy: bool,
    processes: int,
    progress: bool,
) -> np.ndarray:
    """Render the label maps of as many heads as are needed."""
    heads = range(seed, seed - (-count // SLICES))
    render = partial(randomise.random_labels, slices=SLICES, anatomy=anatomy)
    if processes == 1:
        return _collected(map(render, heads), count, len(heads), progress)
    context = multiprocessing.get_context("spawn")  # torch may have started threads
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        maps = pool.map(render, heads, chunksize=4)
        return _collected(maps, count, len(heads), progress)


def _collected(
    maps: Iterable[np.ndarray],
    count: int,
    heads: int,
    progress: bool,
) -> np.ndarray:
    """Put the label maps of all heads together."""
    disable = None if progress else True
    shown = tqdm(maps, total=heads, unit="head", leave=False, disable=disable)
    return np.concatenate(list(shown))[:count]


def kept_bank(
    file: Path,
    shape: tuple[int, ...],
    render: Callable[[], np.ndarray],
) -> np.ndarray:
    """Read a bank and check that it is one; render and write it first, unless it is there.

    Parameters
    ----------
    file : Path
    shape : tuple of int
        Of all its label maps.
    render : callable
        Gives them; uint8.

    Returns
    -------
    ndarray of that shape, uint8

    Raises
    ------
    InputError
        If the file holds anything else, or cannot be written.

    Examples
    --------
    >>> kept_bank(Path(__file__), (1, *randomise.SHAPE), lambda: None)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: ...data.py: is no bank of label maps; remove it
    """
    if not file.exists():
        labels = render()
        with outputs.replacing(file) as temporary:
            np.savez_compressed(temporary, labels=labels)
    try:
        # NumPy leaves a damaged file open that it has opened
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            maps = stored["labels"]
    except MemoryError:
        raise
    except Exception as error:  # NumPy names no errors; a damaged file raises any
        raise errors.InputError("is no bank of label maps; remove it", where=file) from error
    if maps.shape != shape or maps.dtype != np.uint8:
        raise errors.InputError(
            f"expected {shape} label maps of uint8, got {maps.shape} of {maps.dtype}; remove it",
            where=file,
        )
    return maps


# --- Batches -------------------------------------------------------------------------------------

# Sides of what a network is trained on, in its pixels: a head and some air
BATCH_SHAPE = (112, 96)
# The window's middle is so far off the head's, for nobody finds a head exactly
_JITTER_MM = 4.0


def random_batch(
    maps: np.ndarray,
    size: int,
    seed: int,
    *,
    without: Collection[str] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Make a batch of random images from label maps, prepared as the network takes them.

    Parameters
    ----------
    maps : ndarray of shape (N, H, W), uint8
        See `bank`.
    size : int
        Examples in the batch.
    seed : int
        The same seed gives the same batch.
    without : collection of str
        See `randomise.random_example`.

    Returns
    -------
    images, masks : ndarray of shape (size, 1) + BATCH_SHAPE, float32
        A mask holds the share of each pixel that lies inside of the skull's outer surface.

    Notes
    -----
    Maps are drawn with replacement. A batch as large as the bank, as for validation, therefore
    leaves out more than a third of the maps and holds others several times, each time in another
    image. Its mean score is not biased by that, only less certain than one image of every map
    would make it. Published scores were measured this way, so it stays.

    Examples
    --------
    >>> maps = randomise.random_labels(0)
    >>> images, masks = random_batch(maps, 2, seed=0)
    >>> images.shape, float(masks.max())
    ((2, 1, 112, 96), 1.0)
    """
    generator = np.random.default_rng(seed)
    images = np.empty((size, 1, *BATCH_SHAPE), np.float32)
    shares = np.empty_like(images)
    for index in range(size):
        labels = maps[generator.integers(len(maps))]
        example = randomise.random_example(
            int(generator.integers(2**63)), labels=labels, without=without
        )
        shift_mm = generator.uniform(-_JITTER_MM, _JITTER_MM, 2).tolist()
        images[index, 0], shares[index, 0] = prepared(example, shift_mm)
    return images, shares


def prepared(
    example: randomise.Example,
    shift_mm: Sequence[float] = (0, 0),
) -> tuple[np.ndarray, np.ndarray]:
    """Prepare an example as `learned` prepares a slice, in a window of `BATCH_SHAPE`.

    Parameters
    ----------
    example : randomise.Example
    shift_mm : pair of float
        How far the window is moved down and to the right.

    Returns
    -------
    image, share : ndarray of shape BATCH_SHAPE, float32
        As of `random_batch`.

    Examples
    --------
    >>> image, share = prepared(randomise.random_example(0))
    >>> bool(image[share == 1].mean() > image[share == 0].mean())
    True
    """
    window = _window(example.head, shift_mm)
    brightness = polar.brightness_on_grid(example.image, (1, 1))
    image = learned.prepare(brightness, randomise.STEP_MM, window)
    mask = learned.cut_out(example.mask.astype(np.float32), window)
    size = BATCH_SHAPE[::-1]  # OpenCV's (x, y)
    return image, cv2.resize(mask, size, interpolation=cv2.INTER_AREA)


def _window(head: np.ndarray, shift_mm: Sequence[float]) -> learned.Window:
    """Choose a window of `BATCH_SHAPE` around a head."""
    around = learned.window_around(head, randomise.STEP_MM)
    factor = round(learned.STEP_MM / randomise.STEP_MM)
    rows = factor * BATCH_SHAPE[0]
    columns = factor * BATCH_SHAPE[1]
    down, right = np.rint(np.divide(shift_mm, randomise.STEP_MM)).astype(int).tolist()
    row = around.row + (around.rows - rows) // 2 + down
    column = around.column + (around.columns - columns) // 2 + right
    return learned.Window(row, column, rows, columns)
