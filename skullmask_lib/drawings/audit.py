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


# What each cause costs: the step of the IoU from one column of the table to another
_LOSSES = {
    "scalp in place of brain": ("iou_unsplit", "iou_no_scalp"),
    "brain split": ("iou_v7", "iou_unsplit"),
    "dark fluid around the brain": ("iou_no_scalp", "iou_true_brain"),
    "one width for all slices": ("iou_true_brain", "iou_slice"),
    "same width all around the head": ("iou_slice", "iou_v8"),
}


# The same where the brain is not known
_LOSSES_OF_WIDTH = {
    "one width for all slices": ("iou_v7", "iou_own_slice"),
    "same width all around the head": ("iou_own_slice", "iou_v8"),
}


_LEFT = "left by v8"


_STRIPES = {"hatch": "////", "edgecolor": "white"}


_GRID = {"facecolor": "white", "edgecolor": COLOURS["baseline"]}


_LOSS_LOOKS = {
    "scalp in place of brain": {"facecolor": COLOURS["scalp"]},
    "brain split": {"facecolor": COLOURS["brain"]},
    "dark fluid around the brain": {"facecolor": COLOURS["brain"], **_STRIPES},
    "one width for all slices": {"hatch": "xxxx", **_GRID},
    "same width all around the head": {"hatch": "....", **_GRID},
    _LEFT: {"facecolor": COLOURS["measured"]},
}


_LOSS_LIMIT = 0.34  # a bar beyond it is cut


@in_look
def losses_picture(rows: Iterable[Mapping[str, object]]) -> Picture:
    """Draw what each cause costs v7 on each set of slices, as parts of one bar.

    Scans and simulated images stand apart. A part below zero, where the score falls as its cause is
    mended, stands to the left of zero. A bar that is too long is cut, and says how long it is.

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
    >>> row = {"head": "a", "kind": "scan", "iou_v7": 0.5, "iou_unsplit": 0.9, "iou_v8": 1.0}
    >>> columns = ("iou_no_scalp", "iou_true_brain", "iou_slice", "iou_own_slice")
    >>> losses_picture([row | dict.fromkeys(columns, 0.9)]).alt
    'IoU that v7 loses, by set and cause. Scans: most by brain split, 0.40 on average.'
    """
    means_of_sets = _means_of_sets(rows)
    panels_of_sets = {}
    for kind, title in (("scan", "scans"), ("simulated", "simulated images")):
        sets = {
            head: _losses_of_set(iou) for (of, head), iou in means_of_sets.items() if of == kind
        }
        if sets:
            panels_of_sets[title] = sets
    most_sets = max(map(len, panels_of_sets.values()))
    fig, axes = figure(len(panels_of_sets), height=2.0 + 0.5 * most_sets)
    described = []
    for one, (title, sets) in zip(axes, panels_of_sets.items(), strict=True):
        for place, losses in enumerate(sets.values()):
            _stack(one, place, losses)
        one.set_yticks(range(len(sets)), list(sets), fontsize=11)
        one.set(xlim=(-0.04, _LOSS_LIMIT), ylim=(most_sets - 0.5, -0.5), title=title)
        one.set_xlabel("IoU that v7 loses (1 is everything)")
        one.axvline(0, color=COLOURS["measured"], linewidth=1.2)
        means = {cause: np.mean([of[cause] for of in sets.values()]) for cause in _LOSS_LOOKS}
        worst = max(means, key=means.get)
        described.append(f"{title.capitalize()}: most by {worst}, {means[worst]:.2f} on average.")
    handles = [Patch(label=cause, **look_of) for cause, look_of in _LOSS_LOOKS.items()]
    fig.legend(
        handles=handles,
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=11,
        handlelength=2.5,
        handleheight=1.2,
    )
    return picture(fig, f"IoU that v7 loses, by set and cause. {' '.join(described)}")


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
    """Return what each cause costs; the steps add up to what v7 lacks of 1."""
    steps = _LOSSES_OF_WIDTH if np.isnan(iou["iou_true_brain"]) else _LOSSES
    losses = dict.fromkeys(_LOSS_LOOKS, 0.0)
    for cause, (before, after) in steps.items():
        losses[cause] = iou[after] - iou[before]
    losses[_LEFT] = 1 - iou["iou_v8"]
    return losses


def _stack(
    axes: Axes,
    place: int,
    losses: Mapping[str, float],
) -> None:
    """Draw one bar of `losses_picture`, and write its length beside it."""
    ends = {True: 0.0, False: 0.0}  # of the parts above and below zero
    for cause, loss in losses.items():
        axes.barh(place, loss, left=ends[loss > 0], height=0.62, **_LOSS_LOOKS[cause])
        ends[loss > 0] += loss
    text = f"{sum(losses.values()):.2f}"
    if ends[True] < 0.9 * _LOSS_LIMIT:
        axes.text(ends[True] + 0.006, place, text, va="center", fontsize=11)
        return
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    x = 0.98 * _LOSS_LIMIT
    axes.text(x, place, f"{text} ▸", va="center", ha="right", fontsize=11, bbox=box)
