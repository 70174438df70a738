"""Scores as a terminal shows them: tables, JSON, and what the means leave out.

Nothing is measured here; `metrics` and `sweeps` do that.
"""

import json
import math
from collections.abc import Sequence

import numpy as np

from .. import metrics, sweeps, texts
from . import terminal

Scores = dict[str, float]


def say_scores(
    scores: Sequence[Scores],
    names: Sequence[str],
    *,
    unit: str = "slice",
) -> None:
    """Print the scores of every slice and their means, and what these leave out.

    Parameters
    ----------
    scores : sequence of N dicts of str to float
        See `metrics.score_slices`.
    names : sequence of N str
    unit : str
        What is scored, if not slices.

    Examples
    --------
    >>> say_scores([{"iou": 0.5}, {"iou": 1.0}], ["a", "b"])
    | slice | iou    |
    | :---- | -----: |
    | a     | 0.5000 |
    | b     | 1.0000 |
    | mean  | 0.7500 |
    """
    rows = []
    for name, row in zip(names, scores, strict=True):
        rows.append((name, *map(float, row.values())))
    rows.append(("mean", *metrics.mean_scores(scores).values()))
    known = [row for row in scores if not _is_unknown(row)]
    bounded = metrics.bounded_scores(known)
    infinite = len(known) - len(bounded)
    if bounded and infinite:
        rows.append(("mean of the others", *metrics.mean_scores(bounded).values()))
    terminal.say_table(rows, (unit, *scores[0]))
    is_known = np.array([not _is_unknown(row) for row in scores])
    say_unknown_slices(is_known)
    if infinite:
        terminal.say(
            "",
            f"{infinite} of {len(scores)} slices have one empty mask: "
            "their IoU is 0 and their distances are infinite, and so is the mean distance",
        )


def print_json(scores: Sequence[Scores], names: Sequence[str]) -> None:
    """Print the scores of every slice and their means as JSON; null for what is not finite.

    ``left_out`` counts the slices of unknown truth, which have no part in the means. ``infinite``
    counts those with infinite distances, and ``mean_of_others`` is the mean without them.

    Parameters
    ----------
    scores : sequence of N dicts of str to float
        See `metrics.score_slices`.
    names : sequence of N str

    Examples
    --------
    >>> print_json([{"iou": float("nan")}], ["a"])
    {
      "slices": [
        {
          "name": "a",
          "iou": null
        }
      ],
      "mean": {
        "iou": null
      },
      "left_out": 1,
      "infinite": 0,
      "mean_of_others": {
        "iou": null
      }
    }
    """
    slices = []
    for name, row in zip(names, scores, strict=True):
        slices.append({"name": name} | _finite(row))
    known = [row for row in scores if not _is_unknown(row)]
    bounded = metrics.bounded_scores(known)
    others = metrics.mean_scores(bounded) or dict.fromkeys(scores[0], math.nan)
    report = {
        "slices": slices,
        "mean": _finite(metrics.mean_scores(scores)),
        "left_out": sum(map(_is_unknown, scores)),
        "infinite": len(known) - len(bounded),
        "mean_of_others": _finite(others),
    }
    print(json.dumps(report, indent=2))


def _is_unknown(row: Scores) -> bool:
    return math.isnan(row["iou"])


def _finite(row: Scores) -> dict[str, float | None]:
    """Replace by None what strict JSON has no number for."""
    finite: dict[str, float | None] = dict(row)
    for key, value in row.items():
        if not math.isfinite(value):
            finite[key] = None
    return finite


def say_unknown_slices(is_known: np.ndarray) -> None:
    """Say how many slices the means leave out because their truth is unknown, if any.

    Parameters
    ----------
    is_known : ndarray of shape (N,), bool
        See `metrics.known_slices`.

    Examples
    --------
    >>> say_unknown_slices(np.array([True, True]))
    """
    known = int(np.count_nonzero(is_known))
    total = len(is_known)
    if known == total:
        return
    terminal.say(
        "",
        f"{total - known} of {total} slices have an empty truth, which counts as unknown: "
        f"the means are over the other {known}",
    )


def say_empty_slices(scores: Sequence[Scores], is_shown: np.ndarray) -> None:
    """Say the means over slices with an empty truth and over the others, if both were scored.

    Where most slices are empty, a mask that marks nothing has a good mean over all of them.

    Parameters
    ----------
    scores : sequence of N dicts of str to float
        See `metrics.score_slices`.
    is_shown : ndarray of shape (N,), bool
        Whether the truth marks any pixel.

    Examples
    --------
    >>> scores = [{"iou": 0.5, "dice": 0.6}, {"iou": 1.0, "dice": 1.0}]
    >>> say_empty_slices(scores, np.array([True, False]))
    <BLANKLINE>
    1 slice where the truth marks pixels: IoU 0.5000, Dice 0.6000
    1 slice where it is empty: IoU 1.0000, Dice 1.0000
    """
    lines = []
    for chosen, where in (
        (is_shown, "where the truth marks pixels"),
        (~is_shown, "where it is empty"),
    ):
        rows = [row for row, wanted in zip(scores, chosen, strict=True) if wanted]
        rows = [row for row in rows if not _is_unknown(row)]
        if rows:
            iou = np.mean([row["iou"] for row in rows])
            dice = np.mean([row["dice"] for row in rows])
            slices = texts.counted(len(rows), "slice")
            lines.append(f"{slices} {where}: IoU {iou:.4f}, Dice {dice:.4f}")
    if len(lines) == 2:
        terminal.say("", *lines)


def say_sweep(result: sweeps.Sweep) -> None:
    """Print the mean scores at every width, the best one, and how far that choice holds.

    Parameters
    ----------
    result : Sweep

    Examples
    --------
    >>> scores = np.array([[0.5, 0.75]])
    >>> say_sweep(sweeps.Sweep(np.array([9, 11]), scores, scores))
    | width [px] | IoU    | Dice   |
    | ---------: | -----: | -----: |
    | 9          | 0.5000 | 0.5000 |
    | 11         | 0.7500 | 0.7500 |
    <BLANKLINE>
    best width 11 px: IoU 0.7500
    """
    columns = (
        result.sizes.tolist(),
        result.iou.mean(axis=0).tolist(),
        result.dice.mean(axis=0).tolist(),
    )
    rows = list(zip(*columns, strict=True))
    terminal.say_table(rows, ("width [px]", "IoU", "Dice"))
    is_best = result.sizes == result.best_size
    at_best = result.iou[:, is_best][:, 0]
    terminal.say("", f"best width {result.best_size} px: IoU {at_best.mean():.4f}")
    if len(at_best) > 1:
        low, high = sweeps.bootstrap(at_best)
        sizes, held_out = sweeps.leave_one_out(result)
        widths = ", ".join(map(str, sizes))
        terminal.say(
            f"95 % bootstrap over the slices: {low:.4f} … {high:.4f}",
            f"leave one out: widths {widths} px, IoU {held_out.mean():.4f}",
        )
