"""Figures of lesson 07: what each step is worth, and what v7 loses on real heads.

They are drawn from arrays and tables; nothing here loads data or makes masks.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from ..plots import COLOURS, Picture, figure, in_look, picture, sweep_curve
from ..sweeps import Sweep


@in_look
def score_bars(
    scores: Mapping[str, float],
    kinds: Mapping[str, str],
    *,
    title: str = "",
    xlabel: str = "mean IoU",
) -> Picture:
    """Draw scores as bars, coloured by the kind of method, with a legend of the kinds.

    Parameters
    ----------
    scores : mapping of str to float
        0 … 1, by the name of the method.
    kinds : mapping of str to str
        The kind of each method: "measured", "baseline" or "rival".
    title, xlabel : str

    Returns
    -------
    Picture

    Examples
    --------
    >>> score_bars({"v7": 0.98, "oval": 0.97}, {"v7": "measured", "oval": "baseline"}).alt
    'v7 0.980, oval 0.970'
    """
    looks = {
        "measured": {"facecolor": COLOURS["measured"], "label": "version"},
        "baseline": {"facecolor": COLOURS["baseline"], "label": "baseline"},
        "rival": {"facecolor": "white", "edgecolor": COLOURS["baseline"], "hatch": "///"},
    }
    looks["rival"]["label"] = "rival"
    fig, (axes,) = figure(height=1.4 + 0.32 * len(scores))
    for kind, look_of_kind in looks.items():
        names = [name for name in scores if kinds[name] == kind]
        if names:
            values = [scores[name] for name in names]
            places = [list(scores).index(name) for name in names]
            bars = axes.barh(places, values, height=0.7, **look_of_kind)
            axes.bar_label(bars, fmt="%.3f", padding=4, fontsize=11)
    axes.set_yticks(range(len(scores)), list(scores), fontsize=11)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.1), xlabel=xlabel, title=title)
    fig.legend(loc="outside right upper", frameon=False, fontsize=11)
    return picture(fig, ", ".join(f"{name} {score:.3f}" for name, score in scores.items()))


@in_look
def choice_picture(
    result: Sweep,
    interval: tuple[float, float],
    chosen_px: Sequence[float],
    held_out: Sequence[float],
) -> Picture:
    """Draw the top of a sweep, how far its best mean is sure, and what other slices chose.

    Parameters
    ----------
    result : Sweep
    interval : pair of float
        Of the mean IoU at the best width, from `sweeps.bootstrap`.
    chosen_px, held_out : sequence of float
        From `sweeps.leave_one_out`: for each slice the width that the others chose, and its IoU.

    Returns
    -------
    Picture

    Examples
    --------
    >>> scores = np.array([[0.8, 0.9, 0.8], [0.7, 0.9, 0.8]])
    >>> sweep = Sweep(np.array([24, 26, 28]), scores, scores)
    >>> choice_picture(sweep, (0.9, 0.9), [26, 26], [0.9, 0.9]).alt
    'IoU against width: best 26 px, mean 0.900, bootstrap 0.900 to 0.900; left out 0.900'
    """
    shown_px = 8  # to either side of the best width
    best_px = result.best_size
    best = float(result.iou.mean(axis=0).max())
    low, high = interval
    fig, (axes,) = figure(height=4.4)
    sweep_curve(axes, result, label="mean (thin: each slice)")
    axes.scatter(
        chosen_px,
        held_out,
        s=90,
        facecolor="white",
        edgecolor=COLOURS["baseline"],
        linewidth=2,
        zorder=3,
        label="left out, at the others' width",
    )
    axes.errorbar(
        best_px,
        best,
        [[max(best - low, 0)], [max(high - best, 0)]],
        color=COLOURS["measured"],
        linewidth=2.5,
        capsize=9,
        capthick=2.5,
        marker="D",
        markersize=8,
        zorder=4,
        label="best mean, bootstrap interval (95 %)",
    )
    near = np.abs(result.sizes - best_px) <= shown_px
    bottom = result.iou[:, near].min() - 0.01
    limits = {"xlim": (best_px - shown_px, best_px + shown_px), "ylim": (bottom, 1.0)}
    axes.set(title="How sure is the best width?", **limits)
    fig.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=11)
    return picture(
        fig,
        f"IoU against width: best {best_px} px, mean {best:.3f}, bootstrap {low:.3f} to "
        f"{high:.3f}; left out {np.mean(held_out):.3f}",
    )


# Each part of a bar: what the score gains from one column of the table to another
_GAINS = {
    "all bright brain parts kept": ("iou_v7", "iou_unsplit"),
    "scalp blackened first": ("iou_unsplit", "iou_no_scalp"),
    "true brain": ("iou_no_scalp", "iou_true_brain"),
    "best width per slice": ("iou_true_brain", "iou_slice"),
}


# The same where the brain is not known
_GAINS_OF_WIDTH = {
    "best width per slice": ("iou_v7", "iou_own_slice"),
}


_LEFT = "still lost"


_LOSS_LOOKS = {
    "all bright brain parts kept": {"facecolor": COLOURS["brain"]},
    "scalp blackened first": {"facecolor": COLOURS["scalp"]},
    "true brain": {"facecolor": COLOURS["brain"], "hatch": "////", "edgecolor": "white"},
    "best width per slice": {"facecolor": "white", "edgecolor": COLOURS["measured"]},
    _LEFT: {"facecolor": COLOURS["measured"]},
}


_LOSS_LIMIT = 0.34  # where the axis ends


_LONGEST = 0.29  # a bar beyond it is shortened


@in_look
def losses_picture(rows: Iterable[Mapping[str, object]]) -> Picture:
    """Draw what v7 loses on each set of slices, in parts that one mended thing after another gains.

    Scans and simulated scans stand apart. A set whose brain is not known is marked with a star;
    there only the width can be mended. A part below zero, where the score falls as its thing is
    mended, stands to the left of zero. Of a bar that is too long the longest part is broken, and
    says how long it is.

    Parameters
    ----------
    rows : iterable of mapping
        Of ``data/real_causes.csv``, a row for each slice; its scores as float, NaN where the brain
        is not known.

    Returns
    -------
    Picture

    Examples
    --------
    >>> row = {"head": "a", "kind": "scan", "iou_v7": 0.5, "iou_unsplit": 0.9}
    >>> columns = ("iou_no_scalp", "iou_true_brain", "iou_slice", "iou_own_slice")
    >>> losses_picture([row | dict.fromkeys(columns, 0.9)]).alt
    'IoU lost by v7, by set. Scans: largest part of a set "all bright brain parts kept", 0.40.'
    """
    means_of_sets = _means_of_sets(rows)
    panels_of_sets = {}
    for kind, title in (("scan", "scans"), ("simulated", "simulated scans")):
        sets = {head: iou for (of, head), iou in means_of_sets.items() if of == kind}
        if sets:
            panels_of_sets[title] = sets
    most_sets = max(map(len, panels_of_sets.values()))
    fig, axes = figure(len(panels_of_sets), height=2.0 + 0.5 * most_sets)
    described = []
    for one, (title, sets) in zip(axes, panels_of_sets.items(), strict=True):
        unknown = [np.isnan(iou["iou_true_brain"]) for iou in sets.values()]
        names = [f"{head} *" if star else head for head, star in zip(sets, unknown, strict=True)]
        losses_of_sets = [_losses_of_set(iou) for iou in sets.values()]
        for place, losses in enumerate(losses_of_sets):
            _stack(one, place, losses)
        one.set_yticks(range(len(names)), names, fontsize=11)
        one.set_title(f"{title} (* brain unknown)" if any(unknown) else title)
        one.set(xlim=(-0.04, _LOSS_LIMIT), ylim=(most_sets - 0.5, -0.5), xlabel="IoU lost by v7")
        one.axvline(0, color=COLOURS["measured"], linewidth=1.2)
        described.append(_describe(title, losses_of_sets))
    handles = [Patch(label=part, **look_of) for part, look_of in _LOSS_LOOKS.items()]
    fig.legend(
        handles=[handles[place] for place in (0, 3, 1, 4, 2)],  # in order from left to right
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=11,
        handlelength=2.5,
        handleheight=1.2,
    )
    return picture(fig, f"IoU lost by v7, by set. {' '.join(described)}")


def _describe(title: str, losses_of_sets: Sequence[Mapping[str, float]]) -> str:
    """Name the largest single part, and on how many sets."""
    largest = {}
    for part in _LOSS_LOOKS:
        if part != _LEFT:
            largest[part] = max(losses[part] for losses in losses_of_sets)
    part = max(largest, key=largest.get)
    return f'{title.capitalize()}: largest part of a set "{part}", {largest[part]:.2f}.'


def _means_of_sets(rows: Iterable[Mapping[str, object]]) -> dict[tuple, dict[str, float]]:
    """Average the scores over the slices of each set, by its kind and name."""
    scores = {}
    for row in rows:
        of_set = scores.setdefault((row["kind"], row["head"]), {})
        for column, value in row.items():
            if column.startswith("iou_"):
                of_set.setdefault(column, []).append(value)
    means = {}
    for names, of_set in scores.items():
        means[names] = {column: float(np.mean(values)) for column, values in of_set.items()}
    return means


def _losses_of_set(iou: Mapping[str, float]) -> dict[str, float]:
    """Return the parts of a bar; they add up to what v7 lacks of 1."""
    steps = _GAINS_OF_WIDTH if np.isnan(iou["iou_true_brain"]) else _GAINS
    losses = dict.fromkeys(_LOSS_LOOKS, 0.0)
    for part, (before, after) in steps.items():
        losses[part] = iou[after] - iou[before]
    losses[_LEFT] = 1 - iou["iou_v7"] - sum(losses.values())
    return losses


def _stack(
    axes: Axes,
    place: int,
    losses: Mapping[str, float],
) -> None:
    """Draw one bar of `losses_picture`, and write what v7 loses beside it."""
    too_long = max(sum(max(loss, 0.0) for loss in losses.values()) - _LONGEST, 0.0)
    longest = max(losses, key=losses.get)
    ends = {True: 0.0, False: 0.0}  # of the parts above and below zero
    for part, loss in losses.items():
        broken = bool(too_long) and part == longest
        length = loss - too_long if broken else loss
        axes.barh(place, length, left=ends[loss > 0], height=0.62, **_LOSS_LOOKS[part])
        if broken:
            _break(axes, ends[True] + length / 2, place, f"{loss:.2f}")
        ends[loss > 0] += length
    text = f"{sum(losses.values()):.2f}"
    axes.text(ends[True] + 0.006, place, text, va="center", fontsize=11)


def _break(
    axes: Axes,
    x: float,
    place: int,
    text: str,
) -> None:
    """Break a part of a bar at x by two slanted lines, and write its true length there."""
    for shift in (-0.026, 0.026):
        ends = [x + shift - 0.004, x + shift + 0.004]
        axes.plot(ends, [place + 0.42, place - 0.42], color="white", linewidth=5)
        for side in (-0.0035, 0.0035):
            line = [end + side for end in ends]
            axes.plot(line, [place + 0.42, place - 0.42], color=COLOURS["measured"], linewidth=1.2)
    axes.text(x, place, text, va="center", ha="center", fontsize=11)
