"""One picture for each question of the lessons: pure functions of the data and of what a slider can change.

Every view takes `Data` and keyword arguments that say what to show. The types in its signature tell a slider what to
offer. The picture carries the skull mask that it shows and the call that makes this mask from ``image``.
"""

import inspect
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Annotated, Literal, get_args

import cv2
import numpy as np
from matplotlib.figure import Figure

from . import errors, masks, metrics, plots, polar, versions
from .io.datasets import Data
from .plots import Frame, Picture, Plot
from .sweeps import masks_at_widths

Opacity = Annotated[float, errors.Range(0.0, 1.0, 0.05, "")]
Offset = Annotated[int, errors.Range(-20, 60, 1, "grey levels")]
Stage = Annotated[int, errors.Range(1, 7, 1, "")]
Version = Literal[tuple(versions.VERSIONS)]
WIDTHS_PX = range(1, 62, 2)  # of the curves
SEEDS = {
    "the whole frame": None,
    "four corners": [(0, 0), (0, -1), (-1, 0), (-1, -1)],
    "top left corner": [(0, 0)],
}


def largest_component(data: Data, *, slice_index: int = 0, offset: Offset = 0, opacity: Opacity = 0.65) -> Picture:
    """Show v1 with its threshold moved away from Otsu's: what is above it, the histogram, the mask.

    Parameters
    ----------
    data : Data
    slice_index : int
    offset : int
        From Otsu's threshold [grey levels].
    opacity : float
        Of what is painted over the slice, 0 … 1; halved where a mask is shown alone.

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
    otsu = masks.otsu_threshold(gray)
    level = otsu + offset
    bright = (gray > level).astype(np.uint8)
    mask = masks.largest_component(bright)
    above = f"(sm.masks.normalize(image) > {level}).astype('uint8')"
    call = f"sm.masks.largest_component({above})" if offset else "sm.v1(image)"
    fig, frames = plots.panels(1, 1.2, 1)
    window = plots.head_window(image)
    plots.slice_panel(fig, frames[0], bright, f"brighter than {level}", window=window)
    title = f"Otsu's threshold {offset:+d}" if offset else "Otsu's threshold"
    plots.plot_panel(fig, frames[1], _histogram(frames[1], data, slice_index), title, marks=[(level, None)])
    told = _judge(fig, frames[2], data, slice_index, mask, opacity)
    return _picture(fig, data, slice_index, f"v1, threshold {level}: {told}", mask, call)


def flood(
    data: Data,
    *,
    slice_index: int = 0,
    tolerance: Annotated[int, errors.Range(-20, 40, 1, "grey levels")] = 0,
    seeds: Literal[tuple(SEEDS)] = "the whole frame",
    opacity: Opacity = 0.65,
) -> Picture:
    """Show v2 with another tolerance or other seeds: what the flood may pass, where it arrives, the mask.

    Parameters
    ----------
    data : Data
    slice_index : int
    tolerance : int
        How much brighter than Otsu's threshold the flood may pass [grey levels].
    seeds : str
        Where it starts, a key of `SEEDS`.
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
    passable, places = gray <= level, SEEDS[seeds]
    wet = masks.flood_from_edges(passable) if places is None else masks.flood(passable, places)
    mask = 1 - wet
    start = f"flood_from_edges(sm.masks.normalize(image) <= {level})"
    if places is not None:
        start = f"flood(sm.masks.normalize(image) <= {level}, {places})"
    call = "sm.v2(image)" if not tolerance and places is None else f"1 - sm.masks.{start}"
    fig, frames = plots.panels(1, 1, 1)
    window = plots.head_window(image)
    plots.slice_panel(fig, frames[0], image, "the slice", window=window)
    shades = (1 - passable + 0.6 * wet).astype(np.float32)
    plots.slice_panel(fig, frames[1], shades, f"grey: reached through ≤ {level}", window=window, white_percentile=100)
    told = _judge(fig, frames[2], data, slice_index, mask, opacity)
    alt = f"v2, flooded from {seeds} up to {level}: {wet.mean():.3f} of the slice is wet, {told}"
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
    """Show v3 or v4: what is above the threshold, the histogram, the mask.

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
    options = {"threshold": threshold} if version == "v3" else {"block_size": block_size}
    stages = versions.trace(version, image, **options)
    used = (threshold,)
    if version == "v4":
        used = int(stages["local mean"].min()), int(stages["local mean"].max())
    fig, frames = plots.panels(1, 1.2, 1)
    window = plots.head_window(image)
    largest, title = {"mask": stages["largest"]}, "largest piece: orange"
    plots.slice_panel(fig, frames[0], stages["above"], title, window=window, kinds=largest)
    title = f"{version}'s threshold: {' … '.join(map(str, used))}"
    marks = [(level, None) for level in used]
    plots.plot_panel(fig, frames[1], _histogram(frames[1], data, slice_index), title, marks=marks)
    told = _judge(fig, frames[2], data, slice_index, stages["filled"], opacity)
    [(name, value)] = options.items()
    alt = f"{version}, {name.replace('_', ' ')} {value}: {told}"
    return _picture(fig, data, slice_index, alt, stages["filled"], _call(version, options))


def edge_rule(
    data: Data,
    *,
    slice_index: int = 0,
    rule: bool = True,
    dilation_size: versions.DilationSize = versions.options_of("v5")["dilation_size"],
    opacity: Opacity = 0.65,
) -> Picture:
    """Show v5 with or without its rule *scalp touches the frame, brain does not*.

    Without the rule the brain is the largest bright component, and nothing is taken out after the dilation.

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
    >>> edge_rule(load("phantom-cropped")).alt.split(", IoU")[0]
    'phantom-cropped[0]: v5, width 16 px, rule on, 1 component at the frame'
    """
    image = data.images[slice_index]
    stages = versions.trace("v5", image, dilation_size=dilation_size)
    call = _call("v5", {"dilation_size": dilation_size})
    count = int(masks.touches_edge(masks.label_components(stages["scalp"])[0]).sum())
    if not rule:
        brain = masks.largest_component(stages["bright"])
        dilated = masks.dilate(brain, dilation_size)
        stages |= {"brain": brain, "scalp": 0 * brain, "dilated": dilated, "filled": masks.fill_holes(dilated)}
        call = f"sm.masks.fill_holes(sm.masks.dilate(sm.v1(image), {dilation_size}))"
    fig, frames = plots.panels(1, 1, 1)
    window, kinds = plots.head_window(image), {"brain": stages["brain"], "scalp": stages["scalp"]}
    title = f"{count} touching the frame"
    plots.slice_panel(fig, frames[0], stages["bright"], title, window=window, kinds=kinds, opacity=opacity)
    plots.slice_panel(fig, frames[1], stages["dilated"], f"dilated, width {dilation_size} px", window=window)
    told = _judge(fig, frames[2], data, slice_index, stages["filled"], opacity)
    alt = f"v5, width {dilation_size} px, rule {'on' if rule else 'off'}, {count} component{'s' * (count != 1)}"
    alt = f"{alt} at the frame, {told}"
    return _picture(fig, data, slice_index, alt, stages["filled"], call, also=("brain", "scalp"))


def width(
    data: Data,
    *,
    slice_index: int = 0,
    version: str = "v7",
    dilation_size: versions.DilationSize = versions.options_of("v7")["dilation_size"],
    opacity: Opacity = 0.65,
) -> Picture:
    """Show v7 at one width, and IoU, misses and over-reach at the odd widths, with marks at this one and at the best.

    Parameters
    ----------
    data : Data
    slice_index : int
    version : {"v5", "v6", "v7"}
        By which of its names to call it; they differ in the default of the width alone.
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
    """
    mask = versions.v7(data.images[slice_index], dilation_size=dilation_size)
    truth = _truth(data, slice_index)
    fig, frames = plots.panels(1, 1.4)
    told = _judge(fig, frames[0], data, slice_index, mask, opacity)
    curves, best = _curves(frames[1], data, slice_index)
    score = None if truth is None else metrics.iou(mask, truth)
    title = f"width {dilation_size} px"
    if best:
        title += f"; best: {best[0]} px, IoU {best[1]:.4f}"
        told += f"; best: {best[0]} px, IoU {best[1]:.4f}"
    plots.plot_panel(fig, frames[1], curves, title, marks=[(dilation_size, score)])
    call = _call(version, {"dilation_size": dilation_size})
    alt = f"{version}, width {dilation_size} px: {told}"
    return _picture(fig, data, slice_index, alt, mask, call)


@lru_cache(maxsize=16)
def _histogram(frame: Frame, data: Data, slice_index: int) -> Plot:
    gray = masks.normalize(data.images[slice_index])
    otsu = {"Otsu": masks.otsu_threshold(gray)}
    return plots.plot(frame, lambda axes: plots.histogram(axes[0], gray, otsu))


@lru_cache(maxsize=16)
def _curves(frame: Frame, data: Data, slice_index: int) -> tuple[Plot, tuple[int, float] | None]:
    """Draw IoU, misses and over-reach of v7 against the width, and give the best width and its IoU.

    Where the truth is unknown it is the mask's area alone.
    """
    widths = [width for width in WIDTHS_PX if width <= min(data.images.shape[1:])]
    stages = versions.brain_and_scalp(data.images[slice_index])
    made = list(masks_at_widths(stages, widths))
    truth = _truth(data, slice_index)
    scores = [] if truth is None else [metrics.iou(mask, truth) for mask in made]
    best = _best_width(stages, truth, dict(zip(widths, scores, strict=True))) if scores else None

    def draw(axes):
        axes[0].set(xlabel="width of the structuring element [px]", ylim=(0, 1.02))
        if truth is None:
            axes[0].plot(widths, [mask.mean() for mask in made], color="0.2")
            axes[0].set_ylabel("part of the slice inside of the mask")
            return
        axes[0].plot(widths, scores, color="0.2", label="IoU")
        wrong = [plots.errors(mask, truth) for mask in made]
        for kind in ("miss", "over-reach"):
            true_area_px = max(cv2.countNonZero(truth), 1)
            parts = [cv2.countNonZero(where[kind]) / true_area_px for where in wrong]
            axes[0].plot(widths, parts, color=plots.COLOURS[kind], label=kind)
        look = {"color": plots.COLOURS["anchor"], "linestyle": "none", "zorder": 5}
        axes[0].plot(*best, marker="D", markersize=9, label=f"best: {best[0]} px", **look)
        axes[0].set_ylabel("IoU; errors as parts of the true area")
        axes[0].legend(loc="best")

    return plots.plot(frame, draw), best


def _best_width(stages: versions.Stages, truth: np.ndarray, scores: dict[int, float]) -> tuple[int, float]:
    """Give the width with the highest IoU, and that; of even widths those beside the best odd one are tried."""
    odd = max(scores, key=scores.get)
    beside = [width for width in (odd - 1, odd + 1) if 1 <= width <= min(truth.shape)]
    for width, mask in zip(beside, masks_at_widths(stages, beside), strict=True):
        scores = scores | {width: metrics.iou(mask, truth)}
    best = max(sorted(scores), key=scores.get)
    return best, scores[best]


def with_options(view: Callable[..., Picture]) -> Callable[..., Picture]:
    """Put the options of all versions into the signature of a view, before its last argument.

    Parameters
    ----------
    view : callable
        Takes them as keyword arguments.

    Returns
    -------
    callable
        The same view. Each option has the type of the last version that has it, whose `errors.Range` says what a
        slider offers, and its default; those without a range are left out.

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
    """Find the options of all versions that a slider can offer."""
    found = {}
    for version in versions.VERSIONS.values():
        for name, parameter in inspect.signature(version, eval_str=True).parameters.items():
            if any(isinstance(extra, errors.Range) for extra in get_args(parameter.annotation)):
                found[name] = parameter
    return found


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
    """Step through `versions.trace`: one stage of a version, beside the mask it ends in.

    Parameters
    ----------
    data : Data
    slice_index : int
    version : str
    stage : int
        Counted from 1; beyond the last one it is the last one.
    opacity : float
        See `largest_component`.
    **options : int
        Those of all versions, such as ``dilation_size``; a version takes its own.

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
    name, mask = names[stage - 1], traced[names[-1]]
    fig, frames = plots.panels(1, 1)
    title = f"{version}, stage {stage} of {len(names)}: {name}"
    if name in _POLAR:
        plots.plot_panel(fig, frames[0], _polar(frames[0], data, slice_index, (name,)), title)
    else:
        window = plots.head_window(data.images[slice_index] if name != "head" else traced[name])
        plots.slice_panel(fig, frames[0], traced[name], title, window=window, white_percentile=100)
    told = _judge(fig, frames[1], data, slice_index, mask, opacity)
    alt = f"{version}, stage {stage} of {len(names)}, {name}; {told}"
    return _picture(fig, data, slice_index, alt, mask, _call(version, options))


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
    (3, 6)
    """
    disc = np.hypot(*np.ogrid[-40:40, -40:40]) < 36
    return len(versions.trace(version, disc))


def versus(
    data: Data, *, slice_index: int = 0, left: Version = "v7", right: Version = "v8", opacity: Opacity = 0.65
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
    made, told = {}, []
    for frame, version in zip(frames, (left, right), strict=False):
        options = _options(data, slice_index, version, {})
        *_, made[version] = _trace(data, slice_index, version, options).values()
        judged = _judge(fig, frame, data, slice_index, made[version], opacity, what=version)
        told.append(f"{version}: {judged}")
    one, other = (made[version] for version in (left, right))
    differing = int(np.count_nonzero(one != other))
    where = {"scalp": one & ~other, "path": other & ~one}
    title, window = f"{left} alone pink, {right} alone light blue", plots.head_window(image)
    plots.slice_panel(fig, frames[2], image, title, window=window, kinds=where, opacity=1.0)
    alt = f"{'; '.join(told)}; they differ on {differing} px"
    return _picture(fig, data, slice_index, alt, other, _call(right, options))


def boundary(data: Data, *, slice_index: int = 0, opacity: Opacity = 0.65) -> Picture:
    """Show v8: its mask, the head unwrapped and the price of every place, both with the path.

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
    unwrapped, steps = _unwrapped(data, slice_index), _scalp_boundary(data, slice_index)
    fig, frames = plots.panels(1, 1.9)
    told = _judge(fig, frames[0], data, slice_index, steps["filled"], opacity, what="v8")
    if unwrapped is not None:
        plots.plot_panel(fig, frames[1], _polar(frames[1], data, slice_index, ("unwrapped", "cost")))
    if _truth(data, slice_index) is not None:
        told += f", quality {polar.trust_in(unwrapped, steps['filled']):.2f}"
    call = _call("v8", _options(data, slice_index, "v8", {}))
    return _picture(fig, data, slice_index, f"v8: {told}", steps["filled"], call, also=("path",))


_POLAR = {
    "unwrapped": ("unwrapped", "the head unwrapped"),
    "cost": ("cost", "the price of every place: dark is cheap"),
    "path": ("unwrapped", "the path"),
    "outline": ("unwrapped", "the outline, halfway from scalp to bone"),
}


def _polar(frame: Frame, data: Data, slice_index: int, stages: tuple[str, ...]) -> Plot:
    """Draw polar pictures of v8, with its path once there is one."""
    steps = _scalp_boundary(data, slice_index)

    shown = []
    for stage in stages:
        values, title = _POLAR[stage]
        prices = steps[values][:, round(polar.MIN_SCALP_MM / polar.STEP_MM) :]
        limits = (0, 1.2) if values == "unwrapped" else tuple(np.percentile(prices, (1, 99)))
        early = len(stages) == 1 and stage in ("unwrapped", "cost")
        path = None if early else steps["path" if stage == "path" else "outline"]
        shown.append((steps[values], limits, path, title))
    return plots.polar_plot(frame, shown)


@lru_cache(maxsize=16)
def _unwrapped(data: Data, slice_index: int) -> polar.Unwrapped | None:
    return polar.unwrap(data.images[slice_index], **_options(data, slice_index, "v8", {}))


@lru_cache(maxsize=16)
def _scalp_boundary(data: Data, slice_index: int) -> versions.Stages:
    """Do what v8 does, once for each slice: it takes longer than to draw it."""
    unwrapped, empty = _unwrapped(data, slice_index), np.zeros(data.images.shape[1:], np.uint8)
    stages = versions.scalp_boundary(unwrapped) if unwrapped else dict.fromkeys(("head", "filled"), empty)
    for stage in stages.values():
        stage.setflags(write=False)  # they are handed out again
    return stages


def _trace(data: Data, slice_index: int, version: str, options: dict[str, object]) -> versions.Stages:
    if version == "v8":
        return _scalp_boundary(data, slice_index)
    return versions.trace(version, data.images[slice_index], **options)


@lru_cache(maxsize=16)
def _known(data: Data) -> np.ndarray:
    return metrics.known_slices(data.truth)


def _truth(data: Data, slice_index: int) -> np.ndarray | None:
    """Give the truth of a slice where it is known, see `metrics.known_slices`."""
    if data.truth is None or not _known(data)[slice_index]:
        return None
    return data.truth[slice_index]


def _judge(
    fig: Figure, frame: Frame, data: Data, slice_index: int, mask: np.ndarray, opacity: float, *, what: str = "mask"
) -> str:
    """Show a mask against the truth, or alone where there is none, and say what it is worth."""
    image = data.images[slice_index]
    truth = _truth(data, slice_index)
    if truth is None:
        score = told = f"quality {polar.trust_in(_unwrapped(data, slice_index), mask):.2f}"
        if data.truth is not None:
            told += ", the truth of this slice is unknown"
        kinds = outlined = {"mask": mask}
        opacity /= 2
    else:
        kinds = plots.errors(mask, truth)
        outlined = {"truth": truth}
        score = f"IoU {metrics.iou(mask, truth):.4f}"
        told = f"{score}, area error {metrics.area_error(mask, truth):+.3f}"
    window = plots.head_window(image)
    title = f"{what}: {score}"
    if not mask.any():
        told += ", the mask is empty"
    plots.slice_panel(fig, frame, image, title, window=window, kinds=kinds, outlined=outlined, opacity=opacity)
    return told


def _picture(
    fig: Figure, data: Data, slice_index: int, alt: str, mask: np.ndarray, call: str, *, also: tuple[str, ...] = ()
) -> Picture:
    known = _truth(data, slice_index) is not None
    shown = ("over-reach", "miss", "truth") if known else ("mask",)
    plots.key(fig, (*also, *shown))
    return plots.picture(fig, f"{data.names[slice_index]}: {alt}.", mask=mask, call=call)


def _options(data: Data, slice_index: int, version: str, given: dict[str, object]) -> dict[str, object]:
    """Give what a version takes: of what was chosen, and the spacing where it is known."""
    if data.spacing_mm is not None:
        given = given | {"spacing_mm": tuple(map(float, data.spacing_mm[slice_index]))}
    return {name: given[name] for name in versions.options_of(version) if name in given}


def _call(version: str, options: dict[str, object]) -> str:
    return f"sm.{version}({', '.join(['image', *(f'{name}={value!r}' for name, value in options.items())])})"
