"""One picture for each question of the lessons, as a pure function of data and sliders.

A new view goes here, and so does a new slider: every view takes `Data` and keyword arguments, and
each annotated argument becomes a slider, a menu or a checkbox; its type gives the values. The
widgets themselves are made in `explore`, and drawing is done in `plots`. The picture carries the
skull mask that it shows, and the call that makes this mask from ``image``.
"""

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Annotated, Any, Literal, NamedTuple, get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from . import errors, masks, metrics, plots, polar, versions
from .io.datasets import Data
from .plots import Frame, Picture, Plot
from .sweeps import masks_at_widths

Opacity = Annotated[float, errors.Range(0.0, 1.0, 0.05, "")]
Offset = Annotated[int, errors.Range(-20, 60, 1, "grey levels")]
Stage = Annotated[int, errors.Range(1, 9, 1, "")]
Version = Literal[tuple(versions.VERSIONS)]
_DARKER = 0.7
_HIGHEST_LEVEL = 255  # where the axis of a histogram ends
# The widths of the structuring element on a curve
WIDTHS_PX = range(1, 62, 2)
SEEDS = {
    "the whole frame": None,
    "four corners": [(0, 0), (0, -1), (-1, 0), (-1, -1)],
    "top left corner": [(0, 0)],
}


class _Step(NamedTuple):
    """A panel of `pipeline`: what is shown, painted over it and outlined."""

    title: str
    background: np.ndarray
    painted: dict[str, np.ndarray] | None = None
    outlined: dict[str, np.ndarray] | None = None


class _Best(NamedTuple):
    """The width with the highest IoU, and this IoU."""

    width_px: int
    iou: float


class _Verdict(NamedTuple):
    """How good a mask is, in words: its score alone, and all that a picture's text says of it."""

    score: str
    text: str


# --- v1 to v7 ------------------------------------------------------------------------------------


def largest_component(
    data: Data,
    *,
    slice_index: int = 0,
    offset: Offset = 0,
    opacity: Opacity = 0.65,
) -> Picture:
    """Show v1 with its threshold moved off Otsu's: the pixels above it, the histogram, the mask.

    Parameters
    ----------
    data : Data
    slice_index : int
    offset : int
        Of the threshold from Otsu's [grey levels].
    opacity : float
        Of the paint over the slice, 0 … 1; halved where a mask is shown alone.

    Returns
    -------
    Picture

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> largest_component(load("phantom"), slice_index=2, offset=8).call
    "sm.masks.largest_component((sm.masks.normalize(image) > 32).astype('uint8'))"
    """
    image = data.images[slice_index]
    gray = masks.normalize(image)
    level = masks.otsu_threshold(gray) + offset
    bright = (gray > level).astype(np.uint8)
    mask = masks.largest_component(bright)
    call = "sm.v1(image)"
    title = f"threshold {level}"
    marks = []
    if 0 <= level <= _HIGHEST_LEVEL:
        title = f"thick line: {title}"
        marks = [(level, None)]
    if offset:
        above = f"(sm.masks.normalize(image) > {level}).astype('uint8')"
        call = f"sm.masks.largest_component({above})"
        title += f", Otsu's {offset:+d}"
    fig, frames = plots.panels(1, 1.2, 1)
    look = _look(data, slice_index)
    plots.slice_panel(
        fig,
        frames[0],
        bright,
        f"brighter than {level}",
        **look,
        bordered=bool(bright.all()),
    )
    histogram = _histogram(frames[1], data, slice_index)
    plots.plot_panel(fig, frames[1], histogram, title, marks=marks)
    verdict = _judge(fig, frames[2], data, slice_index, mask, opacity)
    alt = f"v1, threshold {level}: {verdict}"
    return _picture(fig, data, slice_index, alt, mask, call)


def flood(
    data: Data,
    *,
    slice_index: int = 0,
    tolerance: Annotated[int, errors.Range(-20, 40, 1, "grey levels")] = 0,
    seeds: Literal[tuple(SEEDS)] = "the whole frame",
    opacity: Opacity = 0.65,
) -> Picture:
    """Show v2 with another tolerance or other seeds: the slice, the flood, the mask.

    Parameters
    ----------
    data : Data
    slice_index : int
    tolerance : int
        How far above Otsu's threshold the flood still passes [grey levels].
    seeds : str
        Where the flood starts, a key of `SEEDS`.
    opacity : float
        See `largest_component`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> flood(load("phantom"), seeds="top left corner").call
    '1 - sm.masks.flood(sm.masks.normalize(image) <= 23, [(0, 0)])'
    """
    image = data.images[slice_index]
    gray = masks.normalize(image)
    level = masks.otsu_threshold(gray) + tolerance
    passable = gray <= level
    places = SEEDS[seeds]
    below = f"sm.masks.normalize(image) <= {level}"
    if places is None:
        wet = masks.flood_from_edges(passable)
        call = f"1 - sm.masks.flood_from_edges({below})"
        if not tolerance:
            call = "sm.v2(image)"
    else:
        wet = masks.flood(passable, places)
        call = f"1 - sm.masks.flood({below}, {places})"
    mask = 1 - wet
    fig, frames = plots.panels(1, 1, 1)
    look = _look(data, slice_index)
    plots.slice_panel(fig, frames[0], image, "the slice", **look)
    shades = (1 - passable + 0.6 * wet).astype(np.float32)
    title = f"wet in grey: the flood passes ≤ {level}"
    plots.slice_panel(fig, frames[1], shades, title, **look, white_percentile=100)
    verdict = _judge(fig, frames[2], data, slice_index, mask, opacity)
    wet_share = f"{wet.mean():.3f} of the slice is wet"
    alt = f"v2, flooded from {seeds} up to {level}: {wet_share}, {verdict}"
    return _picture(fig, data, slice_index, alt, mask, call)


def thresholds(
    data: Data,
    *,
    slice_index: int = 0,
    version: Literal["v3", "v4"] = "v3",
    threshold: versions.GreyLevel = versions.options_of("v3")["threshold"],
    block_size: versions.BlockSize = versions.options_of("v4")["block_size"],
    opacity: Opacity = 0.65,
) -> Picture:
    """Show v3 or v4: the pixels above the threshold, the histogram, the mask.

    Parameters
    ----------
    data : Data
    slice_index : int
    version : {"v3", "v4"}
    threshold : int
        Of v3, see `versions.v3`.
    block_size : int
        Of v4, see `versions.v4`.
    opacity : float
        See `largest_component`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> thresholds(load("phantom"), version="v4").call
    'sm.v4(image, block_size=101)'
    """
    image = data.images[slice_index]
    if version == "v3":
        options = {"threshold": threshold}
        stages = versions.trace(version, image, **options)
        levels = [threshold]
        option = f"threshold {threshold}"
    else:
        options = {"block_size": block_size}
        stages = versions.trace(version, image, **options)
        local_mean = stages["local mean"]
        levels = [int(local_mean.min()), int(local_mean.max())]
        option = f"block size {block_size}"
    fig, frames = plots.panels(1, 1.2, 1)
    look = _look(data, slice_index)
    plots.slice_panel(
        fig,
        frames[0],
        stages["above"],
        "largest component: orange",
        **look,
        kinds={"mask": stages["largest"]},
    )
    histogram = _histogram_with_key(frames[1], data, slice_index, version)
    title = f"{version}'s threshold: {' … '.join(map(str, levels))}"
    marks = [(level, None) for level in levels]
    plots.plot_panel(fig, frames[1], histogram, title, marks=marks)
    mask = stages["filled"]
    verdict = _judge(fig, frames[2], data, slice_index, mask, opacity)
    alt = f"{version}, {option}: {verdict}"
    return _picture(fig, data, slice_index, alt, mask, _call(version, options))


def frame_rule(
    data: Data,
    *,
    slice_index: int = 0,
    rule: bool = True,
    dilation_size: versions.DilationSize = versions.options_of("v5")["dilation_size"],
    opacity: Opacity = 0.65,
) -> Picture:
    """Show v5 with or without its rule *scalp touches the frame, brain does not*.

    Without the rule the brain is the largest bright component, and nothing is taken out after the
    dilation.

    Parameters
    ----------
    data : Data
    slice_index : int
    rule : bool
    dilation_size : int
        See `versions.v5` [px].
    opacity : float
        See `largest_component`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> frame_rule(load("phantom-cropped")).alt.split(", IoU")[0]
    'phantom-cropped[0]: v5, width 16 px, rule on, 1 component at the frame'
    """
    image = data.images[slice_index]
    stages = versions.trace("v5", image, dilation_size=dilation_size)
    call = _call("v5", {"dilation_size": dilation_size})
    count = _count_components(stages["scalp"])
    components = "1 component" if count == 1 else f"{count} components"
    if not rule:
        stages = _stages_without_rule(stages, dilation_size)
        call = f"sm.masks.fill_holes(sm.masks.dilate(sm.v1(image), {dilation_size}))"
    fig, frames = plots.panels(1, 1, 1)
    look = _look(data, slice_index)
    darker = stages["bright"] - _DARKER * stages["brain"]  # tells it from scalp without colour
    plots.slice_panel(
        fig,
        frames[0],
        darker,
        f"{components} at the frame",
        **look,
        kinds={"brain": stages["brain"], "scalp": stages["scalp"]},
        opacity=opacity,
    )
    title = f"dilated, width {dilation_size} px"
    plots.slice_panel(fig, frames[1], stages["dilated"], title, **look)
    mask = stages["filled"]
    verdict = _judge(fig, frames[2], data, slice_index, mask, opacity)
    on_off = "on" if rule else "off"
    settings = f"width {dilation_size} px, rule {on_off}"
    alt = f"v5, {settings}, {components} at the frame, {verdict}"
    return _picture(fig, data, slice_index, alt, mask, call, also=("brain", "scalp"))


def _count_components(mask: np.ndarray) -> int:
    labels, _ = masks.label_components(mask)
    return int(labels.max())


def _stages_without_rule(
    stages: versions.Stages,
    dilation_size: int,
) -> versions.Stages:
    """Redo the stages of v5 without its rule about the frame."""
    brain = masks.largest_component(stages["bright"])
    dilated = masks.dilate(brain, dilation_size)
    return {
        **stages,
        "brain": brain,
        "scalp": np.zeros_like(brain),
        "dilated": dilated,
        "filled": masks.fill_holes(dilated),
    }


def width(
    data: Data,
    *,
    slice_index: int = 0,
    version: str = "v7",
    dilation_size: versions.DilationSize = versions.options_of("v7")["dilation_size"],
    opacity: Opacity = 0.65,
) -> Picture:
    """Show v7 at one width, and its scores at all odd widths with this one and the best marked.

    The scores are IoU, misses and over-reach. The title gives the errors at this width.

    Parameters
    ----------
    data : Data
    slice_index : int
    version : {"v5", "v6", "v7"}
        The name to call it by; these versions differ only in the default of the width.
    dilation_size : int
        See `versions.v7` [px].
    opacity : float
        See `largest_component`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> width(load("phantom"), dilation_size=22).call
    'sm.v7(image, dilation_size=22)'
    >>> width(load("phantom"), slice_index=2).alt.split("; ")[0].split(", ", 3)[3]
    'over-reach 0.50 %, miss 2.82 %'
    """
    mask = versions.v7(data.images[slice_index], dilation_size=dilation_size)
    truth = _truth(data, slice_index)
    fig, frames = plots.panels(1, 1.4)
    verdict = _judge(fig, frames[0], data, slice_index, mask, opacity)
    curves, best = _curves(frames[1], data, slice_index)
    title = f"width {dilation_size} px"
    score = None
    if truth is not None:
        score = metrics.iou(mask, truth)
        of_best = f"; best: {best.width_px} px, IoU {best.iou:.4f}"
        shares = _error_percents([mask], truth)
        both = f"over-reach {shares['over-reach'][0]:.2f} %, miss {shares['miss'][0]:.2f} %"
        title += f": {both}{of_best}"
        verdict += f", {both}{of_best}"
    plots.plot_panel(fig, frames[1], curves, title, marks=[(dilation_size, score)])
    call = _call(version, {"dilation_size": dilation_size})
    alt = f"{version}, width {dilation_size} px: {verdict}"
    return _picture(fig, data, slice_index, alt, mask, call)


def pipeline(
    data: Data,
    *,
    slice_index: int = 0,
    version: str = "v7",
    dilation_size: versions.DilationSize = versions.options_of("v7")["dilation_size"],
    opacity: Opacity = 0.65,
) -> Picture:
    """Show v5, v6 or v7 as a pipeline: what each of its six steps makes of a slice.

    Parameters
    ----------
    data : Data
    slice_index : int
    version : {"v5", "v6", "v7"}
        The name to call it by; these versions differ only in the default of the width.
    dilation_size : int
        See `versions.v7` [px].
    opacity : float
        Of the paint over the slice, 0 … 1.

    Returns
    -------
    Picture

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> pipeline(load("phantom"), version="v5", dilation_size=16).alt.split(", area")[0]
    'phantom[0]: v5 in six steps, width 16 px: IoU 0.9505'
    """
    image = data.images[slice_index]
    truth = _truth(data, slice_index)
    stages = versions.trace(version, image, dilation_size=dilation_size)
    mask = stages["filled"]
    steps = [
        _Step("1 normalise", stages["gray"]),
        _Step("2 threshold (Otsu)", stages["bright"]),
        _Step("3 choose the brain", stages["bright"], {"brain": stages["brain"]}),
        _Step(f"4 dilate, {dilation_size} px wide", image, {"mask": stages["dilated"]}),
        _Step("5 scalp out, 6 fill holes", image, {"mask": mask}),
    ]
    colours = ("brain", "mask")
    if truth is not None:
        title = f"beside the truth: IoU {metrics.iou(mask, truth):.3f}"
        wrong = plots.errors(mask, truth)
        steps.append(_Step(title, image, wrong, {"truth": truth}))
        colours = ("brain", "mask", "over-reach", "miss", "truth")
    fig, frames = plots.panels(1, 1, 1, height=8, lines=0)
    look = _look(data, slice_index)
    for frame, step in zip(plots.stacked(frames, 2), steps, strict=False):
        shown = {"kinds": step.painted, "outlined": step.outlined}
        plots.slice_panel(fig, frame, step.background, opacity=opacity, **shown, **look)
        plots.large_title(fig, frame, step.title)
    plots.key(fig, colours)
    width_px = f"width {dilation_size} px"
    verdict = _verdict(data, slice_index, mask).text
    alt = f"{data.names[slice_index]}: {version} in six steps, {width_px}: {verdict}."
    call = _call(version, {"dilation_size": dilation_size})
    return plots.picture(fig, alt, mask=mask, call=call)


@lru_cache(maxsize=16)
def _histogram(frame: Frame, data: Data, slice_index: int) -> Plot:
    gray = masks.normalize(data.images[slice_index])
    otsu = {"Otsu": masks.otsu_threshold(gray)}
    return plots.plot(frame, lambda axes: plots.histogram(axes[0], gray, otsu))


@lru_cache(maxsize=16)
def _histogram_with_key(
    frame: Frame,
    data: Data,
    slice_index: int,
    version: str,
) -> Plot:
    """Draw a histogram with Otsu's threshold, and explain the marks that follow."""
    gray = masks.normalize(data.images[slice_index])
    otsu = masks.otsu_threshold(gray)

    def draw(axes: Sequence[Axes]) -> None:
        plots.histogram(axes[0], gray)
        grey = {"color": plots.COLOURS["baseline"], "linestyle": ":", "linewidth": 3}
        axes[0].axvline(otsu, label=f"Otsu: {otsu}", **grey)
        black = {"color": plots.COLOURS["measured"], "linewidth": 3}
        label = version if version == "v3" else f"lowest and highest\nlevel of {version}"
        axes[0].plot([], [], label=label, **black)
        axes[0].legend(loc="upper right")
        axes[0].set_xlim(left=-8)  # or a mark at 0 would lie on the axis

    return plots.plot(frame, draw)


@lru_cache(maxsize=16)
def _curves(
    frame: Frame,
    data: Data,
    slice_index: int,
) -> tuple[Plot, _Best | None]:
    """Draw the scores of v7 against its width, below them its errors, and find the best width.

    Where the truth is unknown, draw the area of the mask alone.
    """
    shorter_side = min(data.images.shape[1:])
    widths = [width for width in WIDTHS_PX if width <= shorter_side]
    stages = versions.brain_and_scalp(data.images[slice_index])
    candidates = list(masks_at_widths(stages, widths))
    truth = _truth(data, slice_index)
    if truth is None:
        areas = [mask.mean() for mask in candidates]
        return plots.plot(frame, lambda axes: _draw_areas(axes[0], widths, areas)), None
    ious = [metrics.iou(mask, truth) for mask in candidates]
    best = _best_width(stages, truth, dict(zip(widths, ious, strict=True)))

    def draw(axes: Sequence[Axes]) -> None:
        axes[0].plot(widths, ious, color=plots.COLOURS["measured"], label="IoU")
        _mark_best(axes[0], best)
        axes[0].set(ylabel="IoU")
        axes[0].legend(loc="lower right")
        shares = _error_percents(candidates, truth)
        for kind, percents in shares.items():
            axes[1].plot(widths, percents, color=plots.COLOURS[kind], label=kind)
        both = np.sum(list(shares.values()), axis=0)
        black = {"color": plots.COLOURS["measured"], "linestyle": ":"}
        axes[1].plot(widths, both, label="both together", zorder=1.5, **black)
        axes[1].set(ylabel="% of the true area", xlabel=plots.WIDTH_LABEL)
        axes[1].set_ylim(0, 1.2 * max(both.max(), 1))
        axes[1].legend(loc="upper center", bbox_to_anchor=(0.6, 1.1))
        axes[0].sharex(axes[1])
        axes[0].tick_params(labelbottom=False)

    return plots.plot(frame, draw, rows=2), best


def _draw_areas(
    axes: Axes,
    widths: list[int],
    areas: list[float],
) -> None:
    axes.plot(widths, areas, color=plots.COLOURS["measured"])
    axes.set(ylabel="share of the slice inside the mask", xlabel=plots.WIDTH_LABEL, ylim=(0, 1.02))


def _error_percents(
    candidates: list[np.ndarray],
    truth: np.ndarray,
) -> dict[str, list[float]]:
    """Measure misses and over-reach of some masks [% of the true area]."""
    true_area_px = max(np.count_nonzero(truth), 1)
    percents = {"miss": [], "over-reach": []}
    for mask in candidates:
        for kind, region in plots.errors(mask, truth).items():
            percents[kind].append(100 * np.count_nonzero(region) / true_area_px)
    return percents


def _mark_best(axes: Axes, best: _Best) -> None:
    axes.plot(
        *best,
        color=plots.COLOURS["measured"],
        linestyle="none",
        marker="D",
        markersize=9,
        label=f"best: {best.width_px} px",
        zorder=5,
    )


def _best_width(
    stages: versions.Stages,
    truth: np.ndarray,
    scores: dict[int, float],
) -> _Best:
    """Find the width with the highest IoU: the best odd one, or an even one beside it."""
    odd = max(scores, key=scores.get)
    beside = []
    for width_px in (odd - 1, odd + 1):
        if 1 <= width_px <= min(*truth.shape, WIDTHS_PX[-1]):
            beside.append(width_px)
    candidates = masks_at_widths(stages, beside)
    tried = dict(scores)
    for width_px, mask in zip(beside, candidates, strict=True):
        tried[width_px] = metrics.iou(mask, truth)
    best = max(sorted(tried), key=tried.get)
    return _Best(best, tried[best])


# --- Any version ---------------------------------------------------------------------------------


def with_options(view: Callable[..., Picture]) -> Callable[..., Picture]:
    """Add the options of all versions to the signature of a view, before its last argument.

    Parameters
    ----------
    view : callable
        Takes them as keyword arguments.

    Returns
    -------
    callable
        The same view. Each option has the type and the default of the last version that has it;
        the `errors.Range` in its type says what a slider offers. Options without one are left out.

    Examples
    --------
    >>> @with_options
    ... def view(*, version="v7", opacity=0.65, **options):
    ...     return options
    >>> list(inspect.signature(view).parameters)
    ['version', 'threshold', 'block_size', 'dilation_size', 'opacity']
    >>> view(threshold=40)["threshold"]
    40
    """
    shown = inspect.signature(view, eval_str=True)
    *first, last, _ = shown.parameters.values()
    signature = shown.replace(parameters=[*first, *_ranged_options().values(), last])

    @wraps(view)
    def complete(*arguments, **options):
        bound = signature.bind(*arguments, **options)
        bound.apply_defaults()
        return view(*bound.args, **bound.kwargs)

    complete.__signature__ = signature
    return complete


def _ranged_options() -> dict[str, inspect.Parameter]:
    """Collect the options of all versions that a slider can offer."""
    options = {}
    for version in versions.VERSIONS.values():
        signature = inspect.signature(version, eval_str=True)
        for name, parameter in signature.parameters.items():
            if _has_range(parameter):
                options[name] = parameter
    return options


def _has_range(parameter: inspect.Parameter) -> bool:
    return any(isinstance(extra, errors.Range) for extra in get_args(parameter.annotation))


@with_options
def stages(
    data: Data,
    *,
    slice_index: int = 0,
    version: Version = "v7",
    stage: Stage = 1,
    opacity: Opacity = 0.65,
    **options: int,
) -> Picture:
    """Step through a version: one stage of `versions.trace`, beside the mask.

    Parameters
    ----------
    data : Data
    slice_index : int
    version : str
    stage : int
        Counted from 1; a number beyond the last stage shows the last one.
    opacity : float
        See `largest_component`.
    **options : int
        The options of all versions, such as ``dilation_size``; a version takes its own.

    Returns
    -------
    Picture

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> stages(load("phantom"), stage=4).alt.split(";")[0]
    'phantom[0]: v7, stage 4 of 7, brain'
    """
    options = _options(data, slice_index, version, options)
    traced = _trace(data, slice_index, version, options)
    names = list(traced)
    stage = min(stage, len(names))
    name = names[stage - 1]
    shown = traced[name]
    mask = traced[names[-1]]
    fig, frames = plots.panels(1, 1)
    place = f"{version}, stage {stage} of {len(names)}"
    title = f"{place}: {name}"
    line = name if name in _LINES else None  # before these stages there is no line yet
    if name in _POLAR:
        plot = _polar(frames[0], traced, (name,), line)
        plots.plot_panel(fig, frames[0], plot, title)
    else:
        look = _look(data, slice_index)
        if name in ("head", "probability"):  # they have a grid of their own
            look = {"window": plots.head_window(shown)}
        plots.slice_panel(fig, frames[0], shown, title, **look, white_percentile=100)
    verdict = _judge(fig, frames[1], data, slice_index, mask, opacity)
    alt = f"{place}, {name}; {verdict}"
    call = _call(version, options)
    also = () if line is None else ("path",)
    return _picture(fig, data, slice_index, alt, mask, call, also=also)


@lru_cache
def count_stages(version: str) -> int:
    """Count the stages of a version.

    Parameters
    ----------
    version : str

    Returns
    -------
    int

    Examples
    --------
    >>> count_stages("v1"), count_stages("v8")
    (3, 7)
    """
    disc = np.hypot(*np.ogrid[-40:40, -40:40]) < 36
    return len(versions.trace(version, disc))


def versus(
    data: Data,
    *,
    slice_index: int = 0,
    left: Version = "v7",
    right: Version = "v8",
    opacity: Opacity = 0.65,
) -> Picture:
    """Show two versions, each with its defaults, and where they differ.

    Parameters
    ----------
    data : Data
    slice_index : int
    left, right : str
        Versions; the picture's mask is that of ``right``.
    opacity : float
        See `largest_component`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> versus(load("phantom"), left="v1", right="v2").call
    'sm.v2(image)'
    """
    image = data.images[slice_index]
    fig, frames = plots.panels(1, 1, 1)
    version_masks = []
    verdicts = []
    places = {"first": left, "second": right}
    for frame, (place, version) in zip(frames[:2], places.items(), strict=True):
        options = _options(data, slice_index, version, {})
        *_, mask = _trace(data, slice_index, version, options).values()
        titled = {"version": version, "what": f"{place}, {version}"}
        verdict = _judge(fig, frame, data, slice_index, mask, opacity, **titled)
        version_masks.append(mask)
        verdicts.append(f"{version}: {verdict}")
    first, second = version_masks
    plots.slice_panel(
        fig,
        frames[2],
        image,
        "where they differ",
        **_look(data, slice_index),
        kinds={"first alone": first & ~second, "second alone": second & ~first},
        opacity=1.0,
    )
    differing_px = int(np.count_nonzero(first != second))
    alt = f"{'; '.join(verdicts)}; they differ on {differing_px} px"
    also = ("first alone", "second alone")
    return _picture(fig, data, slice_index, alt, second, _call(right, options), also=also)


# --- v8 and v9 -----------------------------------------------------------------------------------


def boundary(
    data: Data,
    *,
    slice_index: int = 0,
    opacity: Opacity = 0.65,
) -> Picture:
    """Show v8: its mask, the unwrapped head, and the price of every place, both with the outline.

    Parameters
    ----------
    data : Data
    slice_index : int
    opacity : float
        See `largest_component`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> boundary(load("phantom")).call
    'sm.v8(image, spacing_mm=(0.42, 0.42))'
    """
    return _beside_polar(data, slice_index, "v8", ("unwrapped", "cost"), opacity)


def second_opinion(
    data: Data,
    *,
    slice_index: int = 0,
    opacity: Opacity = 0.65,
) -> Picture:
    """Show v9: its mask, what the network says along the rays, and the price of every place.

    Parameters
    ----------
    data : Data
    slice_index : int
    opacity : float
        See `largest_component`.

    Returns
    -------
    Picture

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> second_opinion(load("phantom")).call
    'sm.v9(image, spacing_mm=(0.42, 0.42))'
    """
    return _beside_polar(data, slice_index, "v9", ("opinion", "cost"), opacity)


def _beside_polar(
    data: Data,
    slice_index: int,
    version: str,
    names: tuple[str, ...],
    opacity: float,
) -> Picture:
    """Show the mask of a version beside polar stages of it."""
    unwrapped, stages = _boundary(data, slice_index, version)
    mask = stages["filled"]
    fig, frames = plots.panels(1, 1.9)
    verdict = _judge(
        fig,
        frames[0],
        data,
        slice_index,
        mask,
        opacity,
        version=version,
        what=version,
    )
    if unwrapped is not None:
        plot = _polar(frames[1], stages, names, "outline")
        plots.plot_panel(fig, frames[1], plot)
    if _truth(data, slice_index) is not None:
        verdict += f", quality {polar.mask_quality(unwrapped, mask):.2f}"
    call = _call(version, _options(data, slice_index, version, {}))
    alt = f"{version}: {verdict}"
    return _picture(fig, data, slice_index, alt, mask, call, also=("path",))


# The polar stages of v8 and v9: what is drawn of each, and its title
_POLAR = {
    "opinion": ("opinion", "the network: white is probably inside"),
    "unwrapped": ("unwrapped", "the head unwrapped"),
    "cost": ("cost", "the price of every place: dark is cheap"),
    "inner edge": ("unwrapped", "the inner edge of the dark layer"),
    "path": ("unwrapped", "the path along the skull's surface"),
    "outline": ("unwrapped", "the outline, halfway from scalp to bone"),
}
# The stages that are lines
_LINES = ("inner edge", "path", "outline")


def _polar(
    frame: Frame,
    stages: versions.Stages,
    names: tuple[str, ...],
    line: str | None,
) -> Plot:
    """Draw polar stages of v8 or v9, with one of `_LINES` over each, or without a line."""
    path = None if line is None else stages[line]
    shown = []
    for name in names:
        drawn, title = _POLAR[name]
        limits = (0, 1.2)
        if drawn == "opinion":
            limits = (0, 1)
        if drawn == "cost":
            limits = _limits_of_cost(stages["cost"])
        shown.append((stages[drawn], limits, path, title))
    return plots.polar_plot(frame, shown)


def _limits_of_cost(cost: np.ndarray) -> tuple[float, float]:
    """Choose the costs that are drawn black and white, leaving out where the scalp is too thin."""
    first = round(polar.MIN_SCALP_MM / polar.STEP_MM)
    return tuple(np.percentile(cost[:, first:], (1, 99)))


# --- What the views share ------------------------------------------------------------------------


def _look(data: Data, slice_index: int) -> dict[str, Any]:
    """Choose for `plots.slice_panel` what a slice is drawn with: its head alone, and to scale."""
    window = plots.head_window(data.images[slice_index])
    return {"window": window, "spacing_mm": data.spacing_of(slice_index)}


@lru_cache(maxsize=16)
def _unwrapped(data: Data, slice_index: int) -> polar.Unwrapped | None:
    return polar.unwrap(data.images[slice_index], **_options(data, slice_index, "v8", {}))


@lru_cache(maxsize=16)
def _boundary(
    data: Data,
    slice_index: int,
    version: str,
) -> tuple[polar.Unwrapped | None, versions.Stages]:
    """Run v8 or v9 once for each slice; that takes longer than drawing it."""
    head = _unwrapped(data, slice_index)
    unwrapped, stages = versions.follow_boundary(head, data.images.shape[1:], version)
    for array in stages.values():
        array.setflags(write=False)  # they are handed out again
    return unwrapped, stages


def _head(data: Data, slice_index: int, version: str | None) -> polar.Unwrapped | None:
    """Unwrap the head on which the masks of a version are rated; v9 corrects it."""
    if version in versions.BOUNDARY_VERSIONS:
        unwrapped, _ = _boundary(data, slice_index, version)
        return unwrapped
    return _unwrapped(data, slice_index)


def _trace(
    data: Data,
    slice_index: int,
    version: str,
    options: dict[str, object],
) -> versions.Stages:
    if version in versions.BOUNDARY_VERSIONS:
        _, stages = _boundary(data, slice_index, version)
        return stages
    return versions.trace(version, data.images[slice_index], **options)


@lru_cache(maxsize=16)
def _known_slices(data: Data) -> np.ndarray:
    return metrics.known_slices(data.truth)


def _truth(data: Data, slice_index: int) -> np.ndarray | None:
    """Return the truth of a slice; None where it is unknown, see `metrics.known_slices`."""
    if data.truth is None or not _known_slices(data)[slice_index]:
        return None
    return data.truth[slice_index]


def _judge(
    fig: Figure,
    frame: Frame,
    data: Data,
    slice_index: int,
    mask: np.ndarray,
    opacity: float,
    *,
    version: str | None = None,
    what: str = "mask",
) -> str:
    """Show a mask against the truth, or alone if that is unknown; return its scores as text."""
    image = data.images[slice_index]
    truth = _truth(data, slice_index)
    if truth is None:
        kinds = {"mask": mask}
        outlined = {"mask": mask}
        opacity /= 2
    else:
        kinds = plots.errors(mask, truth)
        outlined = {"truth": truth}
    verdict = _verdict(data, slice_index, mask, version)
    plots.slice_panel(
        fig,
        frame,
        image,
        f"{what}: {verdict.score}",
        **_look(data, slice_index),
        kinds=kinds,
        outlined=outlined,
        opacity=opacity,
    )
    return verdict.text


def _verdict(
    data: Data,
    slice_index: int,
    mask: np.ndarray,
    version: str | None = None,
) -> _Verdict:
    """Rate a mask by the truth, or by its quality if that is unknown.

    The quality is measured on the head that `_head` chooses for the version.
    """
    truth = _truth(data, slice_index)
    if truth is None:
        quality = polar.mask_quality(_head(data, slice_index, version), mask)
        score = f"quality {quality:.2f}"
        text = score
        if data.truth is not None:
            text += ", the truth of this slice is unknown"
    else:
        score = f"IoU {metrics.iou(mask, truth):.4f}"
        text = f"{score}, area error {metrics.area_error(mask, truth):+.3f}"
    if not mask.any():
        text += ", the mask is empty"
    return _Verdict(score, text)


def _picture(
    fig: Figure,
    data: Data,
    slice_index: int,
    alt: str,
    mask: np.ndarray,
    call: str,
    *,
    also: tuple[str, ...] = (),
) -> Picture:
    """Finish a figure: explain the colours that `_judge` and the view use, and name the slice."""
    judged = ("mask",)
    if _truth(data, slice_index) is not None:
        judged = ("over-reach", "miss", "truth")
    plots.key(fig, (*also, *judged))
    return plots.picture(fig, f"{data.names[slice_index]}: {alt}.", mask=mask, call=call)


def _options(
    data: Data,
    slice_index: int,
    version: str,
    chosen: dict[str, object],
) -> dict[str, object]:
    """Select the options that a version takes, the spacing included if it is known."""
    spacing_mm = data.spacing_of(slice_index)
    if spacing_mm is not None:
        chosen = chosen | {"spacing_mm": spacing_mm}
    names = versions.options_of(version)
    return {name: chosen[name] for name in names if name in chosen}


def _call(version: str, options: dict[str, object]) -> str:
    """Write the call of a version as Python."""
    arguments = ["image"]
    for name, value in options.items():
        arguments.append(f"{name}={value!r}")
    return f"sm.{version}({', '.join(arguments)})"
