"""Labelled volumes of heads for a network: which scans, preparation, and masks of the brain back.

`heads` does the same for slices. A network sees every head on one grid, whatever the size of the
voxels of its scan.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from .. import errors, metrics
from ..errors import InputError
from ..io import cohorts, datasets, nifti, planes
from ..io.paths import AnyPath
from ..volumes import morphology, preprocess, scans
from . import heads
from .heads import Predictor, Prepared

# The grid: voxels to the right, to the front and upwards, and their size
SHAPE = (48, 64, 48)
STEP_MM = 4.0
# From the top of the grid down to the skin
MARGIN_MM = 8.0

# The head is brighter than this share of what is bright
_HEAD_SHARE = 0.15
_BRIGHT_PERCENTILE = 98
# Extremes are cut off above
_LARGEST_PERCENTILE = 99.8
# Standard deviation of the Gaussian before voxels become larger, in voxels of the grid
_SMOOTHING = 0.4
# What `augmented` draws from
_TURN_DEGREES = 6.0
_ZOOM = 0.08
_SHIFT_VOXELS = 2.0

_MASK_ENDING = "_brainmask"
_PERSON = re.compile(r"sub-[A-Za-z0-9]+")


class Scan(NamedTuple):
    """A volume, its true brain mask, and the person it is of."""

    person: str
    image: Path
    brain: Path


class Grid(NamedTuple):
    """Where the grid of the network lies in a volume in RAS order.

    Attributes
    ----------
    start : ndarray of shape (3,), int
        The first voxel of the grid, counted in voxels of its size from the volume's first.
    zoom : ndarray of shape (3,), float64
        Voxels of the volume to one of the grid.
    """

    start: np.ndarray
    zoom: np.ndarray


# --- Labelled scans ------------------------------------------------------------------------------


def scans_in(source: AnyPath) -> list[Scan]:
    """List the scans of a source that have a true brain mask.

    Parameters
    ----------
    source : str or path
        ``nfbs:FOLDER``, or a folder in which masks lie beside their scans: ``head.nii.gz`` and
        ``head_brainmask.nii.gz``, as `strip` and NFBS name them.

    Returns
    -------
    list of Scan

    Raises
    ------
    InputError
        If there is none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for ending in ("T1w", "T1w_brainmask"):
    ...         Path(folder, f"sub-01_ses-2_{ending}.nii.gz").touch()
    ...     [scan] = scans_in(folder)
    >>> scan.person, scan.image.name
    ('sub-01', 'sub-01_ses-2_T1w.nii.gz')
    """
    prefix, path = cohorts.prefixed(source)
    labelled = _of_nfbs(path) if prefix == "nfbs:" else _beside_masks(path)
    if not labelled:
        wanted = "scans with masks beside them, such as head.nii.gz and head_brainmask.nii.gz"
        raise InputError(f"expected {wanted}, got none", where=source)
    return labelled


def _of_nfbs(folder: Path) -> list[Scan]:
    """Find the participants of NFBS who have a scan and a mask."""
    labelled = []
    for _, image, mask in cohorts.files("nfbs:", folder):
        if image and mask:
            name, _ = nifti.split_name(image)
            labelled.append(Scan(_person(name), image, mask))
    return labelled


def _beside_masks(folder: Path) -> list[Scan]:
    """Find the scans of a folder beside which a mask lies."""
    if not folder.is_dir():
        raise InputError("no such folder", where=folder)
    labelled = []
    for mask in sorted(folder.iterdir()):
        mask_name, suffix = nifti.split_name(mask)
        if not suffix or not mask_name.endswith(_MASK_ENDING):
            continue
        name = mask_name.removesuffix(_MASK_ENDING)
        image = mask.with_name(name + suffix)
        if image.is_file():
            labelled.append(Scan(_person(name), image, mask))
    return labelled


def _person(name: str) -> str:
    """Tell whom a scan is of: a name by BIDS begins with the subject; another stands for itself."""
    person = _PERSON.match(name)
    return person[0] if person else name


def split(
    labelled: Sequence[Scan],
    *,
    share: float = 0.2,
    seed: int = 0,
) -> tuple[list[Scan], list[Scan]]:
    """Part scans by person, into some to learn from and some to validate by.

    Parameters
    ----------
    labelled : sequence of Scan
    share : float
        Of the people, to validate by; at least one.
    seed : int

    Returns
    -------
    training, validation : list of Scan

    Raises
    ------
    InputError
        If all scans are of one person.

    Examples
    --------
    >>> both = [Scan(person, Path(person), Path(person)) for person in ("a", "a", "b")]
    >>> training, validation = split(both)
    >>> [scan.person for scan in training], [scan.person for scan in validation]
    (['b'], ['a', 'a'])
    """
    people = {scan.person for scan in labelled}
    hint = "add scans of other people, or bring others to validate by"
    held_out = heads.held_out(people, share=share, seed=seed, hint=hint)
    training = [scan for scan in labelled if scan.person not in held_out]
    validation = [scan for scan in labelled if scan.person in held_out]
    return training, validation


def check_apart(training: Sequence[Scan], validation: Sequence[Scan]) -> None:
    """Refuse scans of one person both to learn from and to validate by.

    Parameters
    ----------
    training, validation : sequence of Scan

    Raises
    ------
    InputError

    Examples
    --------
    >>> scan = Scan("sub-01", Path("a.nii"), Path("b.nii"))
    >>> check_apart([scan], [scan])
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: sub-01: expected other people to validate by than to ...
    """
    people = {scan.person for scan in training}
    for scan in validation:
        if scan.person in people:
            wanted = "other people to validate by than to learn from"
            raise InputError(f"expected {wanted}, got one in both", where=scan.person)


# --- The grid ------------------------------------------------------------------------------------


def grid_around(volume: np.ndarray, sizes_mm: np.ndarray) -> Grid:
    """Find the head, and lay the grid around it: its top near the grid's, and else in the middle.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
        In RAS order.
    sizes_mm : ndarray of shape (3,)
        Of its voxels.

    Returns
    -------
    Grid

    Raises
    ------
    InputError
        If there is no head.

    Examples
    --------
    >>> from .. import phantom
    >>> volume, _, _ = phantom.render_volume(shape=(46, 56, 48), spacing_mm=(4, 4, 4))
    >>> grid_around(volume, np.array([4.0, 4.0, 4.0])).start
    array([-1, -4,  0])
    """
    zoom = STEP_MM / np.asarray(sizes_mm, float)
    coarse = _above_air(_resampled(volume, zoom))
    bright = np.percentile(coarse, _BRIGHT_PERCENTILE)
    head = morphology.largest_component(coarse > _HEAD_SHARE * bright)
    if not bright > 0 or not head.any():
        raise InputError("expected a head, got a volume that is almost everywhere the same")
    return Grid(start_around(head), zoom)


def start_around(head: np.ndarray) -> np.ndarray:
    """Choose the first voxel of the grid for a head.

    Parameters
    ----------
    head : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}
        In voxels of the grid's size; not empty.

    Returns
    -------
    ndarray of shape (3,), int

    Examples
    --------
    >>> start_around(np.ones((40, 60, 50)))
    array([-4, -2,  4])
    """
    spans = np.array([span(head, axis) for axis in range(3)])
    start = (spans.sum(axis=1) - SHAPE) // 2
    start[2] = spans[2, 1] + round(MARGIN_MM / STEP_MM) - SHAPE[2]
    return start


def span(head: np.ndarray, axis: int) -> tuple[int, int]:
    """Find from where to where a head reaches along an axis.

    Parameters
    ----------
    head : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}
        Not empty.
    axis : {0, 1, 2}

    Returns
    -------
    first, last : int
        Its first voxel, and the first behind it.

    Examples
    --------
    >>> span(np.array([[[0, 1, 1, 0]]]), 2)
    (1, 3)
    """
    others = tuple(other for other in range(3) if other != axis)
    places = np.flatnonzero(head.any(axis=others))
    return int(places[0]), int(places[-1]) + 1


def cut_out(
    volume: np.ndarray,
    start: np.ndarray | Sequence[int],
    shape: np.ndarray | Sequence[int],
) -> np.ndarray:
    """Cut a box out of a volume; beyond the volume it is 0.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
    start : sequence of 3 int
        Its first voxel, which may be negative.
    shape : sequence of 3 int

    Returns
    -------
    ndarray of that shape
        A new array of the same dtype.

    Examples
    --------
    >>> cut_out(np.ones((1, 1, 2)), (0, 0, -1), (1, 1, 4))
    array([[[0., 1., 1., 0.]]])
    """
    first = np.asarray(start)
    last = first + shape
    begin = np.clip(first, 0, volume.shape)
    end = np.clip(last, begin, volume.shape)
    before = np.minimum(begin - first, shape)
    cut = volume[tuple(map(slice, begin, end))]
    box = np.zeros(shape, volume.dtype)
    box[tuple(map(slice, before, before + cut.shape))] = cut
    return box


def _resampled(volume: np.ndarray, zoom: np.ndarray) -> np.ndarray:
    """Resample a volume to voxels that are ``zoom`` of its own long; float32."""
    smoothing = np.where(zoom > 1, _SMOOTHING * zoom, 0)
    smooth = ndimage.gaussian_filter(volume.astype(np.float32), smoothing)
    shape = np.maximum(np.rint(volume.shape / zoom), 1).astype(int).tolist()
    offset = _offset(zoom)
    return ndimage.affine_transform(
        smooth, zoom, offset, output_shape=tuple(shape), order=1, mode="nearest"
    )


def _offset(zoom: np.ndarray) -> np.ndarray:
    """Return the place of a large voxel's middle: the corners of both volumes are in one place."""
    return (zoom - 1) / 2


def _above_air(volume: np.ndarray) -> np.ndarray:
    return volume - volume.min()


def prepare(volume: np.ndarray, grid: Grid) -> np.ndarray:
    """Resample a volume to the grid, and scale it, see `standardized`.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
        In RAS order.
    grid : Grid

    Returns
    -------
    ndarray of `SHAPE`, float32

    Examples
    --------
    >>> from .. import phantom
    >>> volume, _, _ = phantom.render_volume(shape=(46, 56, 48), spacing_mm=(4, 4, 4))
    >>> image = prepare(volume, grid_around(volume, np.array([4.0, 4.0, 4.0])))
    >>> image.shape, bool(abs(image.mean()) < 1e-4), round(float(image.std()), 3)
    ((48, 64, 48), True, 1.0)
    """
    brightness = _above_air(_resampled(volume, grid.zoom))
    return standardized(cut_out(brightness, grid.start, SHAPE))


def standardized(brightness: np.ndarray) -> np.ndarray:
    """Scale a volume as the network takes it.

    Parameters
    ----------
    brightness : ndarray of shape (X, Y, Z)
        Not below 0, which is air.

    Returns
    -------
    ndarray of shape (X, Y, Z), float32
        The square root of the brightness without extremes, with a mean of 0 and a standard
        deviation of 1.

    Examples
    --------
    >>> standardized(np.array([[[0, 0, 4, 4]]]))
    array([[[-1., -1.,  1.,  1.]]], dtype=float32)
    """
    bright = np.percentile(brightness, _LARGEST_PERCENTILE)
    return preprocess.zscore(np.sqrt(np.minimum(brightness, bright)))


def share_of(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """Measure which share of every voxel of the grid lies in a mask.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}
        In RAS order.
    grid : Grid

    Returns
    -------
    ndarray of `SHAPE`, float32, 0 … 1

    Examples
    --------
    >>> half = np.zeros((192, 256, 192), np.uint8)
    >>> half[:, :, :96] = 1
    >>> share = share_of(half, Grid(np.zeros(3, int), np.full(3, 4.0)))
    >>> share.shape, round(float(share.mean()), 2)
    ((48, 64, 48), 0.5)
    """
    return cut_out(_resampled(mask, grid.zoom), grid.start, SHAPE)


# --- Volumes to learn from -----------------------------------------------------------------------


def prepare_scans(labelled: Iterable[Scan]) -> Prepared:
    """Read labelled scans, and prepare each as for prediction.

    Parameters
    ----------
    labelled : iterable of Scan
        At least one.

    Returns
    -------
    Prepared
        Of shape (N, 1) + SHAPE.

    Raises
    ------
    FileNotFoundError, InputError
        If a scan or a mask cannot be used, or both do not lie in one place.

    Examples
    --------
    >>> prepare_scans([Scan("a", Path("a.nii"), Path("a_brainmask.nii"))])
    Traceback (most recent call last):
    ...
    FileNotFoundError: a.nii: no such file
    """
    images = []
    shares = []
    for scan in labelled:
        volume, affine, truth = read_scan(scan)
        with errors.placed(scan.image):
            grid = grid_around(volume, nib.affines.voxel_sizes(affine))
        images.append(prepare(volume, grid))
        shares.append(share_of(truth, grid))
    return Prepared(np.stack(images)[:, None], np.stack(shares)[:, None])


def read_scan(scan: Scan) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read a labelled scan, and turn it to RAS order.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    volume : ndarray of shape (X, Y, Z), float32
    affine : ndarray of shape (4, 4), float64
    truth : ndarray of shape (X, Y, Z), uint8 of {0, 1}

    Raises
    ------
    FileNotFoundError, InputError
        See `prepare_scans`.

    Examples
    --------
    >>> read_scan(Scan("a", Path("a.nii"), Path("a_brainmask.nii")))
    Traceback (most recent call last):
    ...
    FileNotFoundError: a.nii: no such file
    """
    image = scans.load(scan.image)
    mask = scans.load(scan.brain)
    volume = image.array
    if not planes.same_place(image.affine, mask.affine, volume.shape):
        raise InputError(f"lies elsewhere than {scan.image}", where=scan.brain)
    if mask.array.shape != volume.shape:
        wanted = f"a mask of the scan's shape {volume.shape}"
        raise InputError(f"expected {wanted}, got {mask.array.shape}", where=scan.brain)
    return volume, image.affine, datasets.binary(mask.array, scan.brain)


def augmented(
    image: np.ndarray,
    share: np.ndarray,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Mirror, turn, zoom and shift a volume with its mask at random.

    Parameters
    ----------
    image, share : ndarray of shape (X, Y, Z), float32
        In RAS order, so that the first axis is mirrored.
    generator : numpy.random.Generator

    Returns
    -------
    image, share : ndarray of shape (X, Y, Z), float32

    Examples
    --------
    >>> cube = np.pad(np.ones((8, 8, 8), np.float32), 6)
    >>> image, share = augmented(cube, cube, np.random.default_rng(0))
    >>> np.array_equal(image, share), bool(0.7 < image.sum() / cube.sum() < 1.4)
    (True, True)
    """
    matrix, offset = random_move(image.shape, generator)
    moved = []
    for volume in (image, share):
        air = float(volume.min())
        moved.append(ndimage.affine_transform(volume, matrix, offset, order=1, cval=air))
    return moved[0], moved[1]


def random_move(
    shape: Sequence[int],
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw an affine map of a volume: a turn, zooms, a shift, and a mirror in half of the draws.

    Parameters
    ----------
    shape : sequence of 3 int
    generator : numpy.random.Generator

    Returns
    -------
    matrix : ndarray of shape (3, 3)
    offset : ndarray of shape (3,)
        As `scipy.ndimage.affine_transform` takes them.

    Examples
    --------
    >>> matrix, _ = random_move((9, 9, 9), np.random.default_rng(0))
    >>> bool(0.7 < abs(np.linalg.det(matrix)) < 1.4)
    True
    """
    angles = generator.uniform(-_TURN_DEGREES, _TURN_DEGREES, 3)
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    zoom = 1 + generator.uniform(-_ZOOM, _ZOOM, 3)
    if generator.random() < 0.5:
        zoom[0] = -zoom[0]
    matrix = turn * zoom
    middle = (np.array(shape) - 1) / 2
    shift = generator.uniform(-_SHIFT_VOXELS, _SHIFT_VOXELS, 3)
    return matrix, middle + shift - matrix @ middle


# --- Masks ---------------------------------------------------------------------------------------


def brain_of(ask: Predictor, volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Make the brain mask of a volume by a network: the largest piece that is probable, filled.

    Parameters
    ----------
    ask : callable
        From a prepared volume to probabilities, as `prediction.volume_probabilities`.
    volume : ndarray of shape (X, Y, Z)
    affine : ndarray of shape (4, 4)
        Voxel indices to world coordinates [mm].

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8 of {0, 1}
        In the order of the volume.

    Raises
    ------
    InputError
        If the volume or the affine cannot be used.

    Examples
    --------
    >>> from .. import phantom
    >>> volume, _, affine = phantom.render_volume(shape=(46, 56, 48), spacing_mm=(4, 4, 4))
    >>> mask = brain_of(lambda image: image > 0.5, volume, affine)
    >>> mask.shape, mask.dtype.name, bool(mask.any())
    ((46, 56, 48), 'uint8', True)
    """
    volume = scans.check_volume(volume)
    affine = errors.check_affine(affine, 4)
    ras, ras_affine = nifti.to_ras(volume, affine)
    grid = grid_around(ras, nib.affines.voxel_sizes(ras_affine))
    probabilities = np.asarray(ask(prepare(ras, grid)), np.float32)
    inside = _on_volume(probabilities, grid, ras.shape) > 0.5
    mask = morphology.fill_holes(morphology.largest_component(inside))
    return np.ascontiguousarray(nifti.from_ras(mask, affine)).astype(np.uint8)


def _on_volume(
    probabilities: np.ndarray,
    grid: Grid,
    shape: tuple[int, ...],
) -> np.ndarray:
    """Bring probabilities from the grid to the voxels of a volume; 0 beyond the grid."""
    offset = -_offset(grid.zoom) / grid.zoom - grid.start
    return ndimage.affine_transform(
        probabilities, 1 / grid.zoom, offset, output_shape=shape, order=1
    )


def score(ask: Predictor, labelled: Iterable[Scan]) -> list[dict[str, float]]:
    """Score the brain mask of every scan.

    Parameters
    ----------
    ask : callable
        As of `brain_of`.
    labelled : iterable of Scan

    Returns
    -------
    list of dict of str to float
        ``iou`` and ``dice``, on the voxels of the scan.

    Raises
    ------
    FileNotFoundError, InputError
        If a scan or its mask cannot be used.

    Examples
    --------
    >>> score(np.zeros_like, [Scan("a", Path("a.nii"), Path("a_brainmask.nii"))])
    Traceback (most recent call last):
    ...
    FileNotFoundError: a.nii: no such file
    """
    scores = []
    for scan in labelled:
        volume, affine, truth = read_scan(scan)
        with errors.placed(scan.image):
            mask = brain_of(ask, volume, affine)
        scores.append({"iou": metrics.iou(mask, truth), "dice": metrics.dice(mask, truth)})
    return scores


def mean_dice(ask: Predictor, prepared: Prepared) -> float:
    """Score a network on prepared volumes.

    Parameters
    ----------
    ask : callable
        As of `brain_of`.
    prepared : Prepared

    Returns
    -------
    float
        The mean Dice over volumes, on the voxels of the grid.

    Examples
    --------
    >>> values = np.ones((2, 1, 4, 4, 4), np.float32)
    >>> mean_dice(lambda image: image, Prepared(values, values))
    1.0
    """
    scores = []
    for image, share in zip(prepared.images[:, 0], prepared.masks[:, 0], strict=True):
        scores.append(metrics.dice(ask(image) > 0.5, share > 0.5))
    return float(np.mean(scores))
