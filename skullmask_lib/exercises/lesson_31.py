"""Exercises of lesson 31: skull stripping in three dimensions."""

from collections.abc import Callable
from functools import cache

import numpy as np
from nibabel.affines import voxel_sizes

from .. import metrics
from ..deep import brains, random_brains
from .definitions import Exercise, Mistake

# 31.1: a network that makes no mistake

# Of the lesson's participants, and the size of all their voxels
_HELD_OUT = 3
_VOXEL_MM = 3.0


@cache
def _participant() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return random_brains.t1_volume(_HELD_OUT, _VOXEL_MM)


def _share() -> np.ndarray:
    volume, truth, affine = _participant()
    return brains.share_of(truth, brains.grid_around(volume, voxel_sizes(affine)))


_Score = Callable[[np.ndarray, np.ndarray], float]


def _score_of(probabilities: np.ndarray, score: _Score = metrics.dice) -> float:
    volume, truth, affine = _participant()
    return score(brains.brain_of(lambda _: probabilities, volume, affine), truth)


def _as_image() -> float:
    """Score what comes out if the network answers with the prepared image."""
    volume, _, affine = _participant()
    return _score_of(brains.prepare(volume, brains.grid_around(volume, voxel_sizes(affine))))


# 31.2: batches that lose nobody


def _batch(number: int, count: int, size: int) -> list[int]:
    return [turn % count for turn in range(number * size, (number + 1) * size)]


def _whole_batches_alone(number: int, count: int, size: int) -> list[int]:
    first = number % max(count // size, 1) * size
    return list(range(first, first + size))


def _as_in_the_listing(number: int, count: int, size: int) -> list[int]:
    """Begin anew as soon as the next batch would reach the end."""
    first = number % max((count - 1) // size, 1) * size
    return list(range(first, first + size))


def _short_last_batch(number: int, count: int, size: int) -> list[int]:
    first = number % -(-count // size) * size
    return list(range(first, min(first + size, count)))


def _two_rounds(number: int, count: int, size: int) -> list[int]:
    """Begin anew once."""
    turns = range(number * size, (number + 1) * size)
    return [turn if turn < count else turn - count for turn in turns]


def _without_end(number: int, count: int, size: int) -> list[int]:  # noqa: ARG001
    return list(range(number * size, (number + 1) * size))


def _from_one(number: int, count: int, size: int) -> list[int]:
    return [volume + 1 for volume in _batch(number, count, size)]


def _batches() -> list[tuple[int, int, int]]:
    """List batches within a round, across its end, and after many rounds, with and without rest."""
    first_round = [(0, 10, 4), (1, 10, 4), (2, 10, 4), (3, 10, 4), (2, 12, 4), (3, 12, 4)]
    return [*first_round, (61, 125, 4), (14, 10, 4)]


EXERCISES = (
    Exercise(
        "31.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="the Dice of the mask that a perfect network gets, a number",
        solution=lambda: _score_of(_share()),
        right="voxels of 4 mm cost next to nothing, as long as the network answers with shares and "
        "not with yes or no.",
        hints=(
            "`brain_of` takes the network as a function, and any function will do that returns "
            "probabilities on the grid.",
            "a perfect network answers with `brains.share_of(truth, grid)`, whatever it is shown.",
            "hand `lambda _: share` to `brains.brain_of`, with volume and affine, and score the "
            "mask by `sm.dice`.",
        ),
        mistakes=(
            Mistake(
                lambda: _score_of((_share() > 0.5).astype(np.float32)),
                "this network says yes or no, but a perfect one knows the share of each voxel.",
            ),
            Mistake(
                lambda: _score_of(_share(), metrics.iou),
                "this is the IoU, but the Dice is asked for.",
            ),
            Mistake(
                lambda: metrics.dice(_share() > 0.5, _share() > 0.5),
                "this is rounded, or it was scored on the grid, but the mask has to go back to the "
                "scan.",
            ),
            Mistake(
                _as_image,
                "this network answers with the image, but it should answer with the shares.",
            ),
        ),
        tolerance=0.0001,
    ),
    Exercise(
        "31.2",
        kind="make",
        level=2,
        minutes=15,
        wanted="a function that takes the number of a batch, how many volumes there are and the "
        "size of a batch, and returns a list of whole numbers",
        solution=_batch,
        right="each volume has its turn before any comes again, and every batch is full.",
        hints=(
            "imagine all turns in one long row: 0, 1, 2, … and again from 0; a batch is a piece of "
            "it.",
            "batch `number` begins at turn `number * size`.",
            "turn t belongs to volume `t % count`.",
        ),
        mistakes=(
            Mistake(
                _whole_batches_alone,
                "the volumes that fill no whole batch never have a turn.",
            ),
            Mistake(
                _as_in_the_listing,
                "this starts again too early, as the listing does: the last batch is never shown.",
            ),
            Mistake(
                _short_last_batch,
                "nobody is left out, but the last batch of a round is not full.",
            ),
            Mistake(_without_end, "after the last volume the first one has its turn again."),
            Mistake(_two_rounds, "this begins anew once, but there are more than two rounds."),
            Mistake(_from_one, "volumes are counted from 0."),
        ),
        arguments=_batches,
    ),
)
