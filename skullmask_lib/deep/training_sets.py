"""What a network learns from and is validated by, from the names of sources.

Slices or volumes, labelled or drawn at random. No slice or volume is prepared or drawn here: that
is done by `heads` and `brains`, and by `data` and `random_brains`. Nothing here needs torch.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError, check_whole
from ..io import datasets
from ..io.paths import AnyPath
from . import brains, data, heads, random_brains
from .heads import Predictor, Prepared

RANDOM = "random-phantoms"
# By dimensions: volumes are larger than slices, and one is worth many of them
BATCH_SIZES = {2: 8, 3: 2}
RANDOM_HEADS = {2: 200, 3: 40}
MOST_RANDOM_HEADS = {2: 250_000, 3: 10_000}
LARGEST_SEED = 2**32 - 1

# Random phantoms to validate by
_VALIDATION_HEADS = 50
_VALIDATION_VOLUMES = 8
_FIRST_VALIDATION_HEAD = 900_000  # seeds of heads to learn from are lower

_LARGEST_BATCH = 10_000


class Sets(NamedTuple):
    """A training set, and how to score a network on the validation set that belongs to it.

    Attributes
    ----------
    batch_of : callable
        From the number of a step to images and masks, as `training.train` takes it.
    score : callable
        From a `Predictor` to its Dice on the validation set.
    options : dict
        What tells these sets from others: a training that was stopped goes on only if they are the
        same.
    """

    batch_of: Callable[[int], tuple[np.ndarray, np.ndarray]]
    score: Callable[[Predictor], float]
    options: dict[str, Any]


class _Request(NamedTuple):
    """The parameters of `gather`, with their defaults filled in."""

    sources: Sequence[str]
    validation: Sequence[str] | None
    folder: Path
    batch_size: int
    random_heads: int
    seed: int
    one_slice_per_head: bool


class _Parts(NamedTuple):
    """A training set with its name, and a validation set."""

    batch_of: Callable[[int], tuple[np.ndarray, np.ndarray]]
    name: str
    validation: Prepared


def gather(
    sources: Sequence[str],
    folder: AnyPath,
    *,
    validation: Sequence[str] | None = None,
    dimensions: int = 2,
    batch_size: int | None = None,
    random_heads: int | None = None,
    seed: int = 0,
    one_slice_per_head: bool = False,
) -> Sets:
    """Gather what a network learns from, and what it is validated by.

    Parameters
    ----------
    sources : sequence of str
        `RANDOM` alone; for slices what `io.datasets.load` takes; for volumes what
        `brains.scans_in` takes.
    folder : str or path
        Keeps the label maps of random phantoms; made if missing.
    validation : sequence of str, optional
        Slices or volumes of other heads. By default a fifth of the labelled heads is held out, or
        other random phantoms are drawn.
    dimensions : {2, 3}
        Slices or volumes.
    batch_size : int, optional
        By default that of `BATCH_SIZES`.
    random_heads : int, optional
        Heads to draw if the source is `RANDOM`, at most as many as in `MOST_RANDOM_HEADS`; by
        default the number in `RANDOM_HEADS`.
    seed : int
        Of the heads held out, the order and the changes.
    one_slice_per_head : bool
        See `heads.split`; for labelled slices of which heads are to be held out.

    Returns
    -------
    Sets

    Raises
    ------
    InputError
        If a source cannot be used or brings no truth, if a head is on both sides, if a number is
        out of range, or if an argument has no meaning beside the others.

    Notes
    -----
    A progress bar shows on stderr while phantoms are rendered, if that is a terminal.

    Random phantoms to validate by are drawn with replacement, see `data.random_batch`: some heads
    of the bank are not among them.

    Examples
    --------
    >>> gather([RANDOM, "heads.npz"], "run")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: random-phantoms: stands alone, got other sources beside it
    """
    if isinstance(sources, str) or not sources:
        raise InputError(f"expected a list of sources, got {sources!r}")
    is_random = RANDOM in sources
    if is_random and len(sources) > 1:
        raise InputError("stands alone, got other sources beside it", where=RANDOM)
    dimensions = check_whole(dimensions, "number of dimensions", 2, 3)
    if one_slice_per_head and (dimensions == 3 or is_random or validation):
        raise InputError("is for slices to hold out; leave it out", where="one_slice_per_head")
    if random_heads is not None and not is_random:
        raise InputError(f"is for {RANDOM}; leave it out", where="random_heads")
    if batch_size is None:
        batch_size = BATCH_SIZES[dimensions]
    if random_heads is None:
        random_heads = RANDOM_HEADS[dimensions]
    request = _Request(
        sources=sources,
        validation=validation,
        folder=Path(folder),
        batch_size=check_whole(batch_size, "batch size", 1, _LARGEST_BATCH),
        random_heads=check_whole(random_heads, "random heads", 1, MOST_RANDOM_HEADS[dimensions]),
        seed=check_whole(seed, "seed", 0, LARGEST_SEED),
        one_slice_per_head=one_slice_per_head,
    )
    parts = _GATHER[dimensions, is_random](request)
    name, score = _SCORES[dimensions]
    options = {
        "batch_size": request.batch_size,
        "data": parts.name,
        "first batch": _fingerprint(parts.batch_of(0)),
        "validation": _fingerprint(parts.validation),
        "score": name,
    }
    return Sets(parts.batch_of, partial(score, prepared=parts.validation), options)


# --- Labelled slices and volumes -----------------------------------------------------------------


def _labelled_slices(request: _Request) -> _Parts:
    """Prepare slices to learn from and slices of other heads to validate by."""
    to_learn_from = list(map(datasets.load, request.sources))
    if request.validation:
        to_validate_by = list(map(datasets.load, request.validation))
        heads.check_apart(to_learn_from, to_validate_by)
    else:
        to_learn_from, to_validate_by = heads.split(
            to_learn_from,
            seed=request.seed,
            one_slice_per_head=request.one_slice_per_head,
        )
    prepared = heads.prepare(to_learn_from)
    validation = heads.prepare(to_validate_by)
    batch_of = heads.batches(prepared, request.batch_size, seed=request.seed)
    return _Parts(batch_of, _fingerprint(prepared), validation)


def _labelled_volumes(request: _Request) -> _Parts:
    """Prepare volumes to learn from and volumes of other people to validate by."""
    to_learn_from = _scans_in(request.sources)
    if request.validation:
        to_validate_by = _scans_in(request.validation)
        brains.check_apart(to_learn_from, to_validate_by)
    else:
        to_learn_from, to_validate_by = brains.split(to_learn_from, seed=request.seed)
    prepared = brains.prepare_scans(to_learn_from)
    validation = brains.prepare_scans(to_validate_by)
    batch_of = heads.batches(
        prepared, request.batch_size, seed=request.seed, change=brains.augmented
    )
    return _Parts(batch_of, _fingerprint(prepared), validation)


def _scans_in(sources: Sequence[str]) -> list[brains.Scan]:
    scans: list[brains.Scan] = []
    for source in sources:
        scans += brains.scans_in(source)
    return scans


def _fingerprint(examples: Iterable[np.ndarray]) -> str:
    """Tell these images and masks from others, so that a training does not go on with others."""
    checksum = hashlib.sha256()
    for part in examples:
        checksum.update(part.tobytes())
    return checksum.hexdigest()[:16]


# --- Random phantoms -----------------------------------------------------------------------------


def _random_slices(request: _Request) -> _Parts:
    """Draw slices of random heads to learn from, and of others to validate by."""
    maps = data.bank(data.SLICES * request.random_heads, request.folder, progress=True)
    if request.validation:
        validation = heads.prepare(list(map(datasets.load, request.validation)))
    else:
        count = data.SLICES * _VALIDATION_HEADS
        others = data.bank(count, request.folder, seed=_FIRST_VALIDATION_HEAD, progress=True)
        validation = Prepared(*data.random_batch(others, count, _FIRST_VALIDATION_HEAD))

    def batch_of(step: int) -> tuple[np.ndarray, np.ndarray]:
        return data.random_batch(maps, request.batch_size, _seed_of(step, request))

    return _Parts(batch_of, _name_of(request), validation)


def _random_volumes(request: _Request) -> _Parts:
    """Draw volumes of random heads to learn from, and of others to validate by."""
    labels = random_brains.bank(request.random_heads, request.folder, progress=True)
    if request.validation:
        validation = brains.prepare_scans(_scans_in(request.validation))
    else:
        count = _VALIDATION_VOLUMES
        first = _FIRST_VALIDATION_HEAD
        others = random_brains.bank(count, request.folder, seed=first, progress=True)
        validation = random_brains.random_batch(others, count, first)

    def batch_of(step: int) -> tuple[np.ndarray, np.ndarray]:
        return random_brains.random_batch(labels, request.batch_size, _seed_of(step, request))

    return _Parts(batch_of, _name_of(request), validation)


def _name_of(request: _Request) -> str:
    return f"{request.random_heads} {RANDOM}"


def _seed_of(step: int, request: _Request) -> int:
    """Give every step of every seed random numbers of its own."""
    return request.seed * 10**9 + step


# By dimensions, and whether phantoms are drawn
_GATHER: dict[tuple[int, bool], Callable[[_Request], _Parts]] = {
    (2, False): _labelled_slices,
    (2, True): _random_slices,
    (3, False): _labelled_volumes,
    (3, True): _random_volumes,
}
# By dimensions: the name of the score that chooses the best network, and the score
_SCORES: dict[int, tuple[str, Callable[..., float]]] = {
    2: ("pooled Dice", heads.pooled_dice),
    3: ("mean Dice", brains.mean_dice),
}
