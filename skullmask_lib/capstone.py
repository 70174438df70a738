"""The capstone of a course: a head that the class has not seen, and what comes back from the class.

Files of a class are written and read here: a drawn head whose truth stays with the teacher, folders
of submitted masks, and folders of traces. Scores come from `metrics`, agreement from `raters`.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import errors, metrics, phantom
from .deep import randomise
from .errors import InputError, InputWarning
from .io import datasets, outputs
from .io.paths import AnyPath

# Heights of the slices, as shares of the head's half height
LEVELS = (0.0, 0.15, 0.3, 0.45, 0.6)
FOR_STUDENTS = Path("students", "slices.npz")
FOR_THE_TEACHER = Path("teacher", "head.npz")


class Submission(NamedTuple):
    """The scores of one student's masks, on average over slices.

    Attributes
    ----------
    name : str
        Of the file or folder.
    iou, worst_iou, area_error, assd, hd95 : float
        ``worst_iou`` is that of the worst slice. The distances are in millimetres, or in pixels
        where the truth has no spacing; infinite if a mask is empty.
    """

    name: str
    iou: float
    worst_iou: float
    area_error: float
    assd: float
    hd95: float


def draw(seed: int, *, contrast: str = "T1") -> datasets.Data:
    """Draw five slices of a head whose measures are random, too.

    Parameters
    ----------
    seed : int
        Chooses the head; not negative. A large one cannot be found by trying.
    contrast : {"T1", "T2", "FLAIR"}

    Returns
    -------
    Data
        With its truth.

    Raises
    ------
    InputError
        If the seed or the contrast cannot be used.

    Examples
    --------
    >>> draw(4711)
    Data(5 slices of 256 x 208 float32, truth, brain, spacing 1 x 1 mm, slice_0 … slice_4)
    """
    errors.check_whole(seed, "seed", 0, 2**64 - 1)
    measures = randomise.random_measures(np.random.default_rng(seed))
    images = []
    labels = []
    for level in LEVELS:
        image, tissues = phantom.render_slice(
            level * measures["half_height_mm"],
            seed=seed,
            contrast=contrast,
            shape=randomise.SHAPE,
            spacing_mm=(randomise.STEP_MM, randomise.STEP_MM),
            measures=measures,
        )
        images.append(image.astype(np.float32))
        labels.append(tissues)
    return datasets.Data(
        images=np.stack(images),
        truth=phantom.skull_mask(np.stack(labels)),
        spacing_mm=np.full((len(LEVELS), 2), randomise.STEP_MM),
        names=tuple(f"slice_{index}" for index in range(len(LEVELS))),
        brain=phantom.brain_mask(np.stack(labels)),
    )


def write(data: datasets.Data, folder: AnyPath) -> None:
    """Write a head twice: without its truth for the students, and with it for the teacher.

    Parameters
    ----------
    data : Data
        With its truth and its spacing.
    folder : str or path
        A new or empty one. It gets `FOR_STUDENTS` and `FOR_THE_TEACHER`.

    Raises
    ------
    InputError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(draw(4711), folder)
    ...     datasets.load(Path(folder, FOR_STUDENTS)).truth is None
    True
    """
    with outputs.replacing(folder) as incomplete:
        for_students = incomplete / FOR_STUDENTS
        for_students.parent.mkdir(parents=True)
        _save(for_students, data)
        for_the_teacher = incomplete / FOR_THE_TEACHER
        for_the_teacher.parent.mkdir(parents=True)
        _save(for_the_teacher, data, truth=np.asarray(data.truth))


def write_consensus(
    masks: np.ndarray,
    output: AnyPath,
    data: datasets.Data,
    *,
    keep: Iterable[AnyPath] = (),
) -> None:
    """Write the masks that raters agree on.

    Parameters
    ----------
    masks : ndarray of shape (N, H, W), uint8 of {0, 1}
        For example from `raters.majority`.
    output : str or path
        ``.npz`` for the slices with these masks as their truth, and with their spacing; otherwise
        a format of the masks alone, see `io.datasets.write_masks`.
    data : Data
        The slices, as `io.datasets.load` returns them.
    keep : iterable of str or path
        Further files that must not be overwritten.

    Raises
    ------
    InputError
        If the masks cannot be written there.

    Examples
    --------
    >>> import tempfile
    >>> data = draw(4711)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_consensus(data.truth, f"{folder}/consensus.npz", data)
    ...     datasets.load(f"{folder}/consensus.npz")
    Data(5 slices of 256 x 208 float32, truth, spacing 1 x 1 mm, slice_0 … slice_4)
    """
    if Path(output).suffix.lower() != ".npz":
        datasets.write_masks(masks, output, data, keep=keep)
        return
    source = [data.origin.source] if data.origin else []
    with outputs.replacing(output, *source, *keep) as incomplete:
        _save(incomplete, data, truth=masks)


def _save(file: Path, data: datasets.Data, **masks: np.ndarray) -> None:
    """Save slices and what is known of them, with these masks alone."""
    arrays: dict[str, Any] = {"images": data.images, "names": np.array(data.names), **masks}
    if data.spacing_mm is not None:
        arrays["spacing_mm"] = data.spacing_mm
    np.savez_compressed(file, **arrays)


def submissions(
    folder: AnyPath, data: datasets.Data, report_problem: Callable[[InputError], None]
) -> dict[str, np.ndarray]:
    """Read the masks of a class: a file or a folder of pictures for each student.

    Parameters
    ----------
    folder : str or path
        Hidden files in it are passed over.
    data : Data
        The slices that the masks belong to, in this order.
    report_problem : callable
        Takes the `InputError` of each submission that cannot be used.

    Returns
    -------
    dict of str to ndarray of shape (N, H, W), uint8 of {0, 1}
        By the name of the file or folder, in their order.

    Raises
    ------
    InputError
        If there is no such folder, or nothing in it.

    Warns
    -----
    InputWarning
        Of a volume that lies elsewhere than the slices.

    Examples
    --------
    >>> import tempfile
    >>> problems = []
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "anna.npy"), np.ones((2, 3, 3)))
    ...     np.save(Path(folder, "ben.npy"), np.ones((1, 3, 3)))
    ...     data = datasets.load(Path(folder, "anna.npy"))
    ...     masks = submissions(folder, data, problems.append)
    >>> list(masks), problems[0].message
    (['anna.npy'], 'expected masks of shape (2, 3, 3), got (1, 3, 3)')
    """
    shape = data.images.shape
    masks = {}
    for entry in _entries(Path(folder)):
        try:
            submitted = datasets.load(entry)
            if submitted.images.shape != shape:
                got = submitted.images.shape
                raise InputError(f"expected masks of shape {shape}, got {got}", where=entry)
            masks[entry.name] = np.array(datasets.binary(submitted.images, entry))
            _warn_of_place(data, submitted)
        except InputError as error:
            report_problem(error)
    return masks


def _warn_of_place(data: datasets.Data, masks: datasets.Data) -> None:
    """Warn of a volume of masks that lies elsewhere than the slices."""
    if data.origin is None or masks.origin is None:
        return
    try:
        datasets.check_headers(data.origin, masks.origin)
    except InputError as error:
        warnings.warn(InputWarning(error.message, where=error.where), stacklevel=3)


def _entries(folder: Path) -> Iterator[Path]:
    """List the submissions in a folder."""
    if not folder.is_dir():
        raise InputError("expected a folder of masks", where=folder)
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    if not entries:
        raise InputError("expected masks in the folder, got none", where=folder)
    yield from entries


def rank(masks: dict[str, np.ndarray], data: datasets.Data) -> list[Submission]:
    """Score submitted masks against the truth, the best first.

    Parameters
    ----------
    masks : dict of str to ndarray of shape (N, H, W), uint8 of {0, 1}
        From `submissions`.
    data : Data
        With the truth of the same slices.

    Returns
    -------
    list of Submission
        By mean IoU; equal ones by HD95, then by name. Slices of unknown truth are left out, see
        `metrics.known_slices`.

    Raises
    ------
    InputError
        If there is no truth.

    Examples
    --------
    >>> data = draw(4711)
    >>> nothing = np.zeros_like(data.truth)
    >>> [best, worst] = rank({"ben": nothing, "anna": data.truth}, data)
    >>> best.name, best.iou, worst.hd95
    ('anna', 1.0, inf)
    """
    if data.truth is None:
        raise InputError("expected slices with their truth, got none")
    unit = data.length_unit
    ranked = []
    for name, submitted in masks.items():
        scores = metrics.score_slices(submitted, data.truth, data.spacing_mm)
        means = metrics.mean_scores(scores)
        row = Submission(
            name,
            iou=means["iou"],
            worst_iou=min(score["iou"] for score in scores if not math.isnan(score["iou"])),
            area_error=means["area_error"],
            assd=means[f"assd_{unit}"],
            hd95=means[f"hd95_{unit}"],
        )
        ranked.append(row)
    return sorted(ranked, key=lambda row: (-row.iou, row.hd95, row.name))
