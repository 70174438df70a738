"""Figures of lesson 07: what each step is worth, and what v7 loses on real heads.

They are drawn from arrays and tables; nothing here loads data or makes masks.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

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
    shown_px = 8  # to either side of the best width, or as far as a width was chosen
    best_px = result.best_size
    narrowest_px = min([best_px - shown_px, *chosen_px])
    widest_px = max([best_px + shown_px, *chosen_px])
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
    near = (result.sizes >= narrowest_px) & (result.sizes <= widest_px)
    bottom = min(result.iou[:, near].min(), low) - 0.01
    limits = {"xlim": (narrowest_px, widest_px), "ylim": (bottom, 1.0)}
    axes.set(title="How sure is the best width?", **limits)
    fig.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=11)
    return picture(
        fig,
        f"IoU against width: best {best_px} px, mean {best:.3f}, bootstrap {low:.3f} to "
        f"{high:.3f}; left out {np.mean(held_out):.3f}",
    )


# The parts of a bar in order: what is mended next, and the score that is reached then
_MENDED = {
    "all bright brain parts kept": "iou_unsplit",
    "scalp blackened first": "iou_no_scalp",
    "true brain": "iou_true_brain",
    "best width per slice": "iou_slice",
}


# How the parts are drawn, in the same order; last, what is still lost
_LOSS_LOOKS = {
    "all bright brain parts kept": {"facecolor": COLOURS["brain"]},
    "scalp blackened first": {"facecolor": COLOURS["scalp"]},
    "true brain": {"facecolor": COLOURS["brain"], "hatch": "////", "edgecolor": "white"},
    "best width per slice": {"facecolor": "white", "edgecolor": COLOURS["measured"]},
    "still lost": {"facecolor": COLOURS["measured"]},
}


_LOSS_LIMIT = 0.34  # where the axis ends


_LONGEST = 0.29  # a bar beyond it is shortened


@in_look
def losses_picture(rows: Iterable[Mapping[str, object]]) -> Picture:
    """Draw what v7 loses on each set of slices, split by what wins it back.

    One thing after another is mended, with the help of the truth. Where mending lowers the score,
    the part stands to the left of zero. Scans and simulated scans stand apart. A set whose brain is
    not known is marked with a star; there only the width can be mended. If a bar is too long, its
    longest part is broken and labelled with its length.

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
    losses_of = _losses(rows)
    most_sets = max(map(len, losses_of.values()))
    fig, axes = figure(len(losses_of), height=2.0 + 0.5 * most_sets)
    described = []
    for one, (kind, losses) in zip(axes, losses_of.items(), strict=True):
        _stack(one, np.array(list(losses.values())))
        one.set_yticks(range(len(losses)), list(losses), fontsize=11)
        starred = any(name.endswith(_STAR) for name in losses)
        one.set_title(_KINDS[kind] + (" (* brain unknown)" if starred else ""))
        one.set(ylim=(most_sets - 0.5, -0.5), xlabel="IoU lost by v7")
        gains = dict(zip(_MENDED, np.max(list(losses.values()), axis=0), strict=False))
        part = max(gains, key=gains.get)
        finding = f'largest part of a set "{part}", {gains[part]:.2f}'
        described.append(f"{_KINDS[kind].capitalize()}: {finding}.")
    handles, labels = axes[0].get_legend_handles_labels()
    look = {"handlelength": 2.5, "handleheight": 1.2, "fontsize": 11, "frameon": False}
    fig.legend(handles, labels, loc="outside lower center", ncols=3, **look)
    return picture(fig, f"IoU lost by v7, by set. {' '.join(described)}")


_KINDS = {"scan": "scans", "simulated": "simulated scans"}


_STAR = " *"


def _losses(rows: Iterable[Mapping[str, object]]) -> dict[str, dict[str, np.ndarray]]:
    """Return the parts of each bar, by kind and name of the set; they add up to 1 - IoU of v7."""
    columns = ("iou_v7", *_MENDED.values(), "iou_own_slice")
    scores = {kind: {} for kind in _KINDS}
    for row in rows:
        scores[row["kind"]].setdefault(row["head"], []).append([row[key] for key in columns])
    losses = {}
    for kind, sets in scores.items():
        for head, of_slices in sets.items():
            *chain, own_width = np.mean(of_slices, axis=0)
            star = ""
            if np.isnan(chain).any():
                chain = [chain[0]] * len(_MENDED) + [own_width]
                star = _STAR
            losses.setdefault(kind, {})[head + star] = np.diff([*chain, 1.0])
    return losses


def _stack(axes: Axes, losses: np.ndarray) -> None:
    """Draw bars (sets, parts), gains to the right of zero, and write what is lost beside each."""
    right_of_zero = np.clip(losses, 0, None)
    too_long = np.clip(right_of_zero.sum(axis=1) - _LONGEST, 0, None)
    bars = np.arange(len(losses))
    longest = losses.argmax(axis=1)
    lengths = losses.copy()
    lengths[bars, longest] -= too_long
    gains = np.clip(lengths, 0, None).cumsum(axis=1)
    ends = np.where(lengths > 0, gains, np.clip(lengths, None, 0).cumsum(axis=1))
    starts = ends - lengths
    for part, (name, look) in enumerate(_LOSS_LOOKS.items()):
        axes.barh(bars, lengths[:, part], left=starts[:, part], height=0.62, label=name, **look)
    for bar in bars:
        total = f"{losses[bar].sum():.2f}"
        axes.text(gains[bar, -1] + 0.006, bar, total, va="center", fontsize=11)
        if too_long[bar]:
            part = longest[bar]
            middle = (starts[bar, part] + ends[bar, part]) / 2
            ink = "white" if part == losses.shape[1] - 1 else "black"  # what is still lost is dark
            _break(axes, middle, bar, f"{losses[bar, part]:.2f}", ink)
    axes.set_xlim(-0.04, _LOSS_LIMIT)
    axes.axvline(0, color=COLOURS["measured"], linewidth=1.2)


def _break(
    axes: Axes,
    x: float,
    place: int,
    text: str,
    ink: str,
) -> None:
    """Break a part of a bar at x by two slanted lines, and write its true length there."""
    for shift in (-0.026, 0.026):
        ends = [x + shift - 0.004, x + shift + 0.004]
        axes.plot(ends, [place + 0.42, place - 0.42], color="white", linewidth=5)
        for side in (-0.0035, 0.0035):
            line = [end + side for end in ends]
            axes.plot(line, [place + 0.42, place - 0.42], color=COLOURS["measured"], linewidth=1.2)
    axes.text(x, place, text, va="center", ha="center", fontsize=11, color=ink)
