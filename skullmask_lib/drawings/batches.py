"""Figures of lesson 20: memory, rates and sizes of a batch, and its broken files.

They are drawn from arrays and tables; nothing here loads data or makes masks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from ..plots import (
    COLOURS,
    Frame,
    Picture,
    Plot,
    figure,
    in_look,
    key,
    outline,
    picture,
    plot,
    rim,
    show,
    zoom,
)


@in_look
def memory_picture(peaks: Mapping[int, Sequence[float]]) -> Picture:
    """Draw the peak memory of two ways to mask a stack against the number of its slices.

    Parameters
    ----------
    peaks : mapping of int to pair of float
        Number of slices to the peaks of loading all at once and of a batch [images].

    Returns
    -------
    Picture

    Examples
    --------
    >>> memory_picture({10: (16, 5), 20: (30, 5)}).alt
    'Peak memory from 10 to 20 slices: all at once it goes from 16 to 30 images, in chunks ...'
    """
    fig, (axes,) = figure(width=9, height=3.8)
    counts = list(peaks)
    at_once, in_chunks = zip(*peaks.values(), strict=True)
    axes.plot(counts, at_once, "s--", color=COLOURS["baseline"], label="all at once")
    axes.plot(counts, in_chunks, "o-", color=COLOURS["measured"], label="in chunks: sm.batch")
    axes.set(xlabel="slices in the stack", ylabel="peak memory [images]", ylim=(0, None))
    axes.legend(loc="upper left")
    alt = (
        f"Peak memory from {counts[0]} to {counts[-1]} slices: all at once it goes from "
        f"{at_once[0]:.0f} to {at_once[-1]:.0f} images, in chunks from {in_chunks[0]:.0f} to "
        f"{in_chunks[-1]:.0f}."
    )
    return picture(fig, alt)


_PARTS = {"compute": "", "write": "////", "read": "...."}


@in_look
def throughput_picture(
    by_chunk: Mapping[int, Mapping[str, float]],
    by_workers: Mapping[int, Mapping[str, float]],
    published: float,
) -> Picture:
    """Draw how fast a batch is with some sizes of chunks and some numbers of workers.

    Parameters
    ----------
    by_chunk, by_workers : mapping of int to mapping of str to float
        Images in a chunk, or worker processes, to the time for an image [ms]: ``read``,
        ``compute``, ``write``, and ``wall`` for the whole run.
    published : float
        Rate of one process [images/s].

    Returns
    -------
    Picture

    Examples
    --------
    >>> run = {"read": 0.5, "compute": 6, "write": 1, "wall": 10}
    >>> throughput_picture({4: run}, {1: run, 2: run}, 60.2).alt
    'Images per second with 1, 2 worker processes and with chunks of 4 images, beside the ...'
    """
    fig, (left, middle, right) = figure(3, height=4.4)
    places = np.arange(len(by_workers))
    whole = [1000 / run["wall"] for run in by_workers.values()]
    busy = [1000 / _busy_ms(run) for run in by_workers.values()]
    _rate_bars(left, places - 0.2, whole, 0.38, label="whole run")
    _rate_bars(left, places + 0.2, busy, 0.38, face="white", label="without the start")
    left.set_xticks(places, list(map(str, by_workers)))
    left.set(xlabel="worker processes", ylabel="images/s")
    places = np.arange(len(by_chunk))
    _rate_bars(middle, places, [1000 / run["wall"] for run in by_chunk.values()], 0.5)
    middle.set_xticks(places, list(map(str, by_chunk)))
    middle.set(xlabel="images in a chunk (no workers)", ylabel="images/s")
    for axes in (left, middle):
        look = {"color": COLOURS["published"], "linestyle": "--"}
        axes.axhline(published, label="published, one process", **look)
        axes.set_ymargin(0.12)
    _part_bars(right, by_chunk, by_workers)
    for axes, side in ((left, "left"), (right, "right")):
        handles, labels = axes.get_legend_handles_labels()
        fig.legend(handles, labels, loc=f"outside lower {side}", ncols=3)
    numbers = ", ".join(map(str, by_workers))
    sizes = ", ".join(map(str, by_chunk))
    alt = (
        f"Images per second with {numbers} worker processes and with chunks of {sizes} images, "
        f"beside the published {published:.1f}; then the time for an image, split into reading, "
        "computing and writing."
    )
    return picture(fig, alt)


def _busy_ms(run: Mapping[str, float]) -> float:
    return sum(run[part] for part in _PARTS)


def _rate_bars(
    axes: Axes,
    places: np.ndarray,
    rates: Sequence[float],
    width: float,
    *,
    face: str = COLOURS["measured"],
    label: str = "",
) -> None:
    """Draw bars of measured rates, each with its number at its foot."""
    look = {"facecolor": face, "edgecolor": COLOURS["measured"], "label": label}
    axes.bar(places, rates, width, linewidth=1.5, **look)
    ink = COLOURS["measured"] if face == "white" else "white"
    look = {"color": ink, "fontsize": 11, "ha": "center", "path_effects": rim(3, face)}
    for place, rate in zip(places, rates, strict=True):
        above = {"xytext": (0, 4), "textcoords": "offset points"}
        axes.annotate(f"{rate:.0f}", (place, 0), **above, **look)


def _part_bars(
    axes: Axes,
    by_chunk: Mapping[int, Mapping[str, float]],
    by_workers: Mapping[int, Mapping[str, float]],
) -> None:
    """Stack the parts of the time for an image, chunks on the left, workers on the right."""
    runs = [*by_chunk.values(), *by_workers.values()]
    gap = 0.6
    places = np.arange(len(runs)) + gap * (np.arange(len(runs)) >= len(by_chunk))
    base = np.zeros(len(runs))
    for part, hatch in _PARTS.items():
        times_ms = np.array([run[part] for run in runs])
        face = "white" if hatch else COLOURS["measured"]
        look = {"color": face, "edgecolor": COLOURS["measured"], "hatch": hatch, "label": part}
        axes.bar(places, times_ms, 0.7, base, **look)
        base += times_ms
    axes.set_xticks(places, list(map(str, [*by_chunk, *by_workers])))
    middles = places[: len(by_chunk)].mean(), places[len(by_chunk) :].mean()
    for place, name in zip(middles, ("in a chunk", "workers"), strict=True):
        look = {"ha": "center", "va": "top", "transform": axes.get_xaxis_transform()}
        axes.text(place, -0.11, name, **look)
    axes.set(ylabel="time for an image [ms]")


@in_look
def rate_plot(
    frame: Frame,
    published: float,
    measured: Sequence[int],
    projected: np.ndarray,
) -> Plot:
    """Draw rates against the number of processes: published, measured, and both carried on.

    Both axes are logarithmic (rates above 10), so that the first few numbers of processes show.

    Parameters
    ----------
    frame : Frame
    published : float
        Rate of one process [images/s].
    measured : sequence of int
        Numbers of processes that were measured.
    projected : ndarray of shape (P,)
        The measured rates of 1 … P processes, carried on [images/s].

    Returns
    -------
    Plot

    Examples
    --------
    >>> from skullmask_lib.plots import panels
    >>> frame = panels(1, 1, lines=2)[1][0]
    >>> rate_plot(frame, 60.2, [1, 2], 90.0 * np.arange(1, 9)).pixels.shape
    (312, 440, 3)
    """
    processes = np.arange(1, projected.size + 1)

    def draw(axes: np.ndarray) -> None:
        one = axes[0]
        look = {"color": COLOURS["published"], "linestyle": "--"}
        one.plot(processes, published * processes, label="published × processes", **look)
        look = {"color": COLOURS["measured"]}
        one.plot(processes, projected, linestyle=":", label="measured, carried on", **look)
        rates = [projected[count - 1] for count in measured]
        one.plot(measured, rates, "o", label="measured", **look)
        one.set(xlabel="processes", ylabel="images/s, without the start")
        one.set_xscale("log", base=2)
        one.set_yscale("symlog", linthresh=10)
        one.set_ylim(0, None)
        one.xaxis.set_major_formatter("{x:.0f}")
        one.yaxis.set_major_formatter("{x:,.0f}")
        one.legend(loc="lower right")

    return plot(frame, draw)


@in_look
def size_plot(
    frame: Frame,
    counts: Sequence[float],
    bytes_for_image: Mapping[str, float],
) -> Plot:
    """Draw how three sizes grow with the number of images: two published ones, and what is held.

    Parameters
    ----------
    frame : Frame
    counts : sequence of float
        Numbers of images, the first 0.
    bytes_for_image : mapping of str to float
        Name to bytes.

    Returns
    -------
    Plot

    Examples
    --------
    >>> from skullmask_lib.plots import panels
    >>> frame = panels(1, 1, lines=2)[1][0]
    >>> size_plot(frame, (0, 10), {"images": 4, "masks": 1, "held": 6}).pixels.shape
    (312, 440, 3)
    """
    looks = (("published", "-"), ("published", "--"), ("baseline", "-."))

    def draw(axes: np.ndarray) -> None:
        for (kind, style), (name, size) in zip(looks, bytes_for_image.items(), strict=True):
            sizes_gb = np.array(counts) * size / 1e9
            look = {"color": COLOURS[kind], "linestyle": style}
            axes[0].plot(counts, sizes_gb, label=name, **look)
        axes[0].set(xlabel="images", ylabel="size [GB]", ylim=(0, None))
        axes[0].set_xticks(counts, [f"{count:,.0f}" for count in counts])
        axes[0].legend(loc="upper left")

    return plot(frame, draw)


@in_look
def files_picture(
    images: Mapping[str, np.ndarray],
    masks: Mapping[str, np.ndarray | None],
) -> Picture:
    """Show files with the outlines of their masks, and ring the first pixel that is not a number.

    Parameters
    ----------
    images : mapping of str to ndarray of shape (H, W)
        By the name of the file. All files of the shape of the first show the same window.
    masks : mapping of str to ndarray of shape (H, W), {0, 1}, or None
        None where a file has no mask.

    Returns
    -------
    Picture

    Examples
    --------
    >>> images = {"a.npy": np.eye(4), "flat.npy": np.ones((4, 4))}
    >>> files_picture(images, {"a.npy": None, "flat.npy": np.zeros((4, 4))}).alt
    'Files and their masks: a.npy: no mask; flat.npy: empty mask.'
    """
    fig, axes = figure(len(images), height=3.4)
    captions = []
    for one, (name, image) in zip(axes, images.items(), strict=True):
        mask = masks[name]
        verdict = "no mask"
        if mask is not None:
            area_px = np.count_nonzero(mask)
            verdict = f"{area_px} px" if area_px else "empty mask"
            outline(one, mask, "mask")
        shown = np.nan_to_num(image)
        show(one, shown, f"{name}: {verdict}")
        if not np.ptp(shown):
            level = float(shown.max())
            one.images[0].set_clim(level - 1, level + 2)  # grey, not white
        for row, column in np.argwhere(np.isnan(image))[:1]:
            place = (column, row)
            look = {"color": "white", "path_effects": rim(4)}
            one.plot(*place, "o", markersize=12, fillstyle="none", **look)
            where = {"xytext": (0, -14), "textcoords": "offset points"}
            one.annotate("not a number", place, ha="center", va="top", **where, **look)
        captions.append(f"{name}: {verdict}")
    first = next(iter(images.values()))
    for one, image in zip(axes, images.values(), strict=True):
        zoom([one], np.nan_to_num(first if image.shape == first.shape else image))
    key(fig, ("mask",))
    return picture(fig, f"Files and their masks: {'; '.join(captions)}.")
