"""What data/learning_curve.csv says, in a few lines; nothing here needs torch."""

from collections.abc import Mapping, Sequence

import numpy as np
import real_heads
import scripts

NETWORK = "network"
VARIED = "varied phantoms"
REAL = "real heads"
SHOWN = (1, 5, 20, 200)
SUMMARY_HEADER = (
    "tested on",
    "augmented",
    *("1 slice", "5", "20", "200"),
    "spread of seeds",
    "above v7 with",
    "above v8 with",
)


def points(rows: Sequence[Mapping], test: str, augmented: str) -> dict[int, list[float]]:
    """Give the IoU of all seeds for each number of labelled slices."""
    scores: dict[int, list[float]] = {}
    for row in scripts.select(rows, method=NETWORK, test=test, augmented=augmented):
        scores.setdefault(int(row["labelled"]), []).append(float(row["iou"]))
    return scores


def level(rows: Sequence[Mapping], test: str, method: str) -> float:
    """Give the IoU of one of our versions."""
    [row] = scripts.select(rows, method=method, test=test)
    return float(row["iou"])


def crossing(scores: Mapping[int, Sequence[float]], iou: float) -> int | None:
    """Find the lowest number of slices whose mean over seeds is above an IoU."""
    for number in sorted(scores):
        if np.mean(scores[number]) > iou:
            return number
    return None


def summary(rows: Sequence[Mapping]) -> list[tuple[object, ...]]:
    """Sum up the table: means over seeds, the largest spread between them, and crossings."""
    table = []
    for test in (VARIED, REAL):
        for augmented in ("yes", "no"):
            scores = points(rows, test, augmented)
            means = [float(np.mean(scores[number])) for number in SHOWN]
            spread = max(max(of_seeds) - min(of_seeds) for of_seeds in scores.values())
            crossings = []
            for method in (real_heads.WIDE, "v8"):
                number = crossing(scores, level(rows, test, method))
                crossings.append("never" if number is None else number)
            table.append((test, augmented, *means, spread, *crossings))
    return table
