"""Random volumes of random heads with their exact brains, and the bank of labels behind them.

This is `randomise` and `data` for volumes: the measures of heads and the signals of tissues are
drawn by `randomise`. What is random in space is less than there: a bend, larger voxels, a bias
field, noise, and where the scan ends.
"""

import numbers
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage
from tqdm import tqdm

from .. import errors, phantom
from ..errors import InputError
from ..io import cohorts, nifti, outputs
from ..io.paths import AnyPath
from . import brains, data, randomise
from .heads import Prepared
from .randomise import Generator

# Labels are finer than the grid, so that thin bone has its share of a voxel
FINER = 2
STEP_MM = brains.STEP_MM / FINER
# High enough for the tallest head
SHAPE = (96, 128, 112)

# The smooth bend of a head and the bias field
_BEND_WAVELENGTH_MM = 50.0
_BEND_MM = 3.0
_BIAS_WAVELENGTH_MM = 90.0
_BIAS = 0.3
# The grid is so far off the head, for nobody finds a head exactly [voxels of the grid]
_JITTER_VOXELS = 2
# Where a scan ends near the skin, so much of air is left [voxels of the grid]
_LARGEST_MARGIN_VOXELS = 5
# The least of the head that a scan shows, from the top down
_LEAST_HEIGHT_MM = 110.0
# The name of a participant has eight digits
_LARGEST_NUMBER = 99_999_999


def random_labels(seed: int) -> np.ndarray:
    """Draw a head and render its labels.

    Parameters
    ----------
    seed : int

    Returns
    -------
    ndarray of `SHAPE`, uint8
        See `phantom.LABELS`; in RAS order, with voxels `STEP_MM` wide.

    Examples
    --------
    >>> random_labels(-1)
    Traceback (most recent call last):
    ...
    ValueError: expected non-negative integer
    """
    measures = randomise.random_measures(np.random.default_rng(seed))
    _, labels, _ = phantom.render_volume(
        seed=seed, shape=SHAPE, spacing_mm=(STEP_MM,) * 3, noise=False, measures=measures
    )
    return labels


def bank(
    count: int,
    folder: str | Path,
    *,
    seed: int = 0,
    progress: bool = False,
) -> np.ndarray:
    """Give labels of random heads, from the folder if they are there already.

    Parameters
    ----------
    count : int
        Heads.
    folder : str or path
        Keeps the bank; is made if it does not exist.
    seed : int
        The first head's; heads are numbered from there.
    progress : bool
        Show a progress bar.

    Returns
    -------
    ndarray of shape (count,) + SHAPE, uint8

    Raises
    ------
    InputError
        If the file in the folder is no such bank, or the folder or file cannot be written.

    Examples
    --------
    >>> bank(0, "build")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected a number of heads from 1 to 10000 heads, ...
    """
    errors.check_whole(count, "number of heads", 1, 10_000, "heads")
    folder = outputs.make_folder(folder)
    recipe = data.recipe(randomise.MEASURES, randomise.CSF_MM, STEP_MM, SHAPE)
    file = folder / f"volumes-{count}-{seed}-{recipe}.npz"
    return data.kept_bank(file, (count, *SHAPE), lambda: _rendered(count, seed, progress))


def _rendered(count: int, seed: int, progress: bool) -> np.ndarray:
    """Render the labels of heads, numbered from a seed on."""
    seeds = range(seed, seed + count)
    shown = tqdm(seeds, unit="head", leave=False, disable=None if progress else True)
    return np.stack(list(map(random_labels, shown)))


def intracranial(labels: np.ndarray) -> np.ndarray:
    """Mark all that lies inside the inner surface of the skull: brain, fluid and sinus.

    Parameters
    ----------
    labels : ndarray of any shape, uint8
        See `phantom.LABELS`.

    Returns
    -------
    ndarray of the same shape, uint8 of {0, 1}

    Examples
    --------
    >>> intracranial(np.array([phantom.LABELS["inner_table"], phantom.LABELS["csf"]]))
    array([0, 1], dtype=uint8)
    """
    return (labels >= phantom.LABELS["csf"]).astype(np.uint8)


def t1_volume(seed: int, step_mm: float = STEP_MM) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a head and render it in T1, with noise.

    Parameters
    ----------
    seed : int
    step_mm : float
        Size of the voxels.

    Returns
    -------
    volume : ndarray of shape (X, Y, Z), float32
    brain : ndarray of shape (X, Y, Z), uint8 of {0, 1}
        See `intracranial`.
    affine : ndarray of shape (4, 4), float64
        Voxel indices to world coordinates [mm]; RAS order.

    Examples
    --------
    >>> volume, brain, affine = t1_volume(3, step_mm=16)
    >>> volume.shape, bool(volume[brain > 0].mean() > volume[brain == 0].mean())
    ((12, 16, 14), True)
    """
    width, length, height = (round(side * STEP_MM / step_mm) for side in SHAPE)
    volume, labels, affine = phantom.render_volume(
        seed=seed,
        shape=(width, length, height),
        spacing_mm=(step_mm,) * 3,
        measures=randomise.random_measures(np.random.default_rng(seed)),
    )
    return volume, intracranial(labels), affine


def write_nfbs(
    folder: AnyPath,
    count: int,
    *,
    seed: int = 0,
    step_mm: float = STEP_MM,
) -> None:
    """Write T1 volumes of random heads in the layout of NFBS, with brain and brain mask.

    Parameters
    ----------
    folder : str or path
        Made if missing. Participants that are there already are left alone.
    count : int
        Participants, 1 or more.
    seed : int
        The first head's; it is the number of the participant too.
    step_mm : float
        Size of the voxels.

    Raises
    ------
    InputError
        If a number cannot be used. If any scan in the folder was not drawn here, or was drawn with
        other settings, such as another size of voxels; nothing is written then. Or if a file cannot
        be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_nfbs(folder, 1, step_mm=16)
    ...     [row] = cohorts.nfbs_files(folder)
    >>> row["participant"], row["missing"], row["brain"].name
    ('A00000000', (), 'sub-A00000000_ses-NFB3_T1w_brain.nii.gz')
    """
    count = errors.check_whole(count, "number of participants", 1, _LARGEST_NUMBER)
    seed = errors.check_whole(seed, "seed", 0, _LARGEST_NUMBER)
    step_mm = _checked_step(step_mm)
    settings = data.recipe(randomise.MEASURES, randomise.CSF_MM, step_mm, SHAPE)
    description = f"skullmask phantom {settings}"
    for file in sorted(Path(folder).glob("A*/sub-*.nii.gz")):
        _check_description(file, description)
    for head in range(seed, seed + count):
        files = _nfbs_files(Path(folder), f"A{head:08d}")
        if all(file.exists() for file in files):
            continue
        outputs.make_folder(files[0].parent)
        volume, mask, affine = t1_volume(head, step_mm)
        for file, array in zip(files, (volume, volume * mask, mask), strict=True):
            _write(array, affine, description, file)


def _nfbs_files(folder: Path, participant: str) -> list[Path]:
    """Name the files of a participant of NFBS: the scan, its brain and the brain mask."""
    files = []
    for kind in cohorts.NFBS_FILES.values():
        files.append(folder / participant / f"sub-{participant}_ses-NFB3_{kind}.nii.gz")
    return files


def _checked_step(step_mm: float) -> float:
    """Refuse what is no size of a voxel."""
    is_size = isinstance(step_mm, numbers.Real) and np.isfinite(step_mm) and step_mm > 0
    if not is_size:
        raise InputError(f"expected a size of voxels in mm, got {step_mm!r}")
    return float(step_mm)


def _check_description(file: Path, description: str) -> None:
    """Refuse a scan that does not say that it was drawn here, with these settings."""
    stored = nifti.read_header(file).header["descrip"].item()
    if stored != description.encode():
        reason = "was not drawn here, or with other settings, or by an older version"
        raise InputError(f"{reason}; take another folder, or remove it", where=file.parent)


def _write(array: np.ndarray, affine: np.ndarray, description: str, file: Path) -> None:
    """Write a volume as NIfTI, with a description in its header."""
    image = nib.Nifti1Image(array, affine)
    image.header["descrip"] = description
    with outputs.replacing(file) as temporary:
        nib.save(image, temporary)


def random_volume(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a random image of a head, prepared as the network takes it.

    Parameters
    ----------
    labels : ndarray of `SHAPE`, uint8
        See `random_labels`.
    seed : int
        The same seed gives the same image.

    Returns
    -------
    image, share : ndarray of `brains.SHAPE`, float32
        The share of every voxel that lies inside the skull, see `intracranial`.

    Examples
    --------
    >>> ball = np.linalg.norm(np.indices(SHAPE).T - np.array(SHAPE) / 2, axis=-1).T < 40
    >>> image, share = random_volume(ball * np.uint8(phantom.LABELS["grey_matter"]), seed=0)
    >>> image.shape, float(share.max())
    ((48, 64, 48), 1.0)
    """
    generator = np.random.default_rng(seed)
    labels = _bent(labels, generator)
    signals = np.array(list(phantom.SIGNALS["T1"].values()))
    for change in randomise.SIGNAL_PARTS.values():
        signals = change(signals, generator)
    spread = generator.uniform(0.02, 0.15, len(signals))
    # Signal, its spread inside the tissue, and the brain, as a network's voxel sees them
    image = _joined(signals.astype(np.float32)[labels])
    grain = _joined((signals * spread).astype(np.float32)[labels])
    share = _joined(intracranial(labels).astype(np.float32))
    image = image + grain * generator.standard_normal(image.shape, np.float32)
    image = ndimage.gaussian_filter(image, generator.uniform(0, 0.5))
    wavelength = _BIAS_WAVELENGTH_MM / brains.STEP_MM
    image = image * np.exp(_BIAS * _smooth_noise(image.shape, wavelength, generator))
    for name in ("noise", "gamma"):
        image = randomise.IMAGE_PARTS[name](image, labels, generator)
    shown = _shown(labels, generator)
    return brains.standardized(np.where(shown, image, 0)), np.where(shown, share, 0)


def _bent(labels: np.ndarray, generator: Generator) -> np.ndarray:
    """Turn, zoom and bend a head, and cut out what the grid shows of it, in finer voxels."""
    matrix, offset = brains.random_move(labels.shape, generator)
    places = np.ogrid[tuple(map(slice, labels.shape))]
    bend = generator.uniform(0, _BEND_MM) / STEP_MM
    coordinates = np.empty((3, *labels.shape), np.float32)
    for axis, row in enumerate(matrix.astype(np.float32)):
        wave = _smooth_noise(labels.shape, _BEND_WAVELENGTH_MM / STEP_MM, generator)
        x, y, z = map(np.multiply, row, places)
        coordinates[axis] = x + y + z + np.float32(offset[axis]) + np.float32(bend) * wave
    labels = ndimage.map_coordinates(labels, coordinates, order=0)
    head = labels[::FINER, ::FINER, ::FINER] != phantom.LABELS["air"]
    jitter = generator.integers(-_JITTER_VOXELS, _JITTER_VOXELS + 1, 3)
    start = FINER * (brains.start_around(head) + jitter)
    return brains.cut_out(labels, start, FINER * np.array(brains.SHAPE))


def _joined(volume: np.ndarray) -> np.ndarray:
    """Average the finer voxels of every voxel of the grid."""
    x, y, z = brains.SHAPE
    return volume.reshape(x, FINER, y, FINER, z, FINER).mean(axis=(1, 3, 5))


def _smooth_noise(
    shape: tuple[int, ...],
    wavelength: float,
    generator: Generator,
) -> np.ndarray:
    """Draw noise that varies over a wavelength [voxels], linearly interpolated; float32."""
    coarse_shape = [2 + int(side / wavelength) for side in shape]
    noise = generator.standard_normal(coarse_shape, np.float32)
    for side, knots in zip(shape, coarse_shape, strict=True):
        places = np.linspace(0, knots - 1, side)
        weights = np.maximum(1 - np.abs(places - np.arange(knots)[:, None]), 0)
        noise = np.tensordot(noise, weights.astype(np.float32), axes=(0, 0))
    return noise


def _shown(labels: np.ndarray, generator: Generator) -> np.ndarray:
    """In half of the volumes each, let the scan end above the neck, and near the skin."""
    shown = np.ones(brains.SHAPE, bool)
    if generator.random() < 0.5:
        height_mm = brains.MARGIN_MM + generator.uniform(_LEAST_HEIGHT_MM, 180.0)
        shown[:, :, : max(brains.SHAPE[2] - round(height_mm / brains.STEP_MM), 0)] = False
    head = labels[::FINER, ::FINER, ::FINER] != phantom.LABELS["air"]
    if generator.random() < 0.5:
        margins = generator.integers(0, _LARGEST_MARGIN_VOXELS + 1, (3, 2))
        for axis, (before, after) in enumerate(margins.tolist()):
            first, last = brains.span(head, axis)
            beyond = np.arange(head.shape[axis])
            is_shown = (beyond >= first - before) & (beyond < last + after)
            others = [other for other in range(3) if other != axis]
            shown &= np.expand_dims(is_shown, others)
    return shown


# --- Batches -------------------------------------------------------------------------------------


def random_batch(bank_of_labels: np.ndarray, size: int, seed: int) -> Prepared:
    """Make a batch of random volumes.

    Parameters
    ----------
    bank_of_labels : ndarray of shape (N,) + SHAPE, uint8
        See `bank`.
    size : int
        Volumes in the batch.
    seed : int
        The same seed gives the same batch.

    Returns
    -------
    Prepared
        Of shape (size, 1) + brains.SHAPE.

    Notes
    -----
    Heads are drawn with replacement, see `data.random_batch`.

    Examples
    --------
    >>> air = np.zeros((1, *SHAPE), np.uint8)
    >>> air[:, 40:50, 40:50, 40:50] = phantom.LABELS["grey_matter"]
    >>> random_batch(air, 1, seed=0).images.shape
    (1, 1, 48, 64, 48)
    """
    generator = np.random.default_rng(seed)
    images = np.empty((size, 1, *brains.SHAPE), np.float32)
    shares = np.empty_like(images)
    for index in range(size):
        labels = bank_of_labels[generator.integers(len(bank_of_labels))]
        images[index, 0], shares[index, 0] = random_volume(labels, int(generator.integers(2**63)))
    return Prepared(images, shares)
