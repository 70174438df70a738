"""Figures of lessons 11 and 12: masks, errors and bias fields in the planes of a volume.

They are drawn from arrays and tables; nothing here loads data or makes masks.
"""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from nibabel.affines import voxel_sizes

from ..plots import (
    COLOURS,
    PAINT_OPACITY,
    PANELS_WIDTH_IN,
    PLANES,
    Picture,
    Plane,
    bare_axes,
    cut_plane,
    errors,
    figure,
    grey_limits,
    grey_of,
    in_look,
    key,
    paint,
    picture,
)

_MASK_OPACITY = 0.55


# One scale for all fields; its colours are no role's, and grow brighter from end to end
_FIELD_COLOURS = "cividis"


# Fields are faint where there is no brain
_BEYOND_OPACITY = 0.25


# Which side is which, where a reader cannot see it
_ROW_NAMES = {"sagittal": "sagittal\n(back on the left)"}


@in_look
def masks_in_planes(
    volume: np.ndarray,
    affine: np.ndarray,
    masks: Mapping[str, np.ndarray],
    *,
    at: Sequence[int],
    alt: str = "masks in three planes",
) -> Picture:
    """Paint several masks of one volume side by side, each in three planes.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
        In RAS order.
    affine : ndarray of shape (4, 4)
        Voxels to world [mm].
    masks : mapping of str to ndarray of shape (X, Y, Z), {0, 1}
        One column for each, below its title.
    at : sequence of int
        Where the planes cross.
    alt : str

    Returns
    -------
    Picture

    Examples
    --------
    >>> cube = np.ones((4, 4, 4))
    >>> masks_in_planes(cube, np.eye(4), {"all": cube}, at=(2, 2, 2), alt="a cube").alt
    'a cube'
    """
    fig, axes = figure(len(masks), len(PLANES), width=PANELS_WIDTH_IN, height=9.2)
    for row, plane in zip(axes.reshape(len(PLANES), -1), PLANES, strict=True):
        image = grey_of(cut_plane(volume, plane, at))
        for one, (title, mask) in zip(row, masks.items(), strict=True):
            cover = {"mask": cut_plane(mask, plane, at)}
            bare_axes(one, title if plane is PLANES[0] else "")
            one.imshow(paint(image, cover, _MASK_OPACITY), interpolation="antialiased")
            one.set_aspect(_aspect(plane, affine))
        _name_row(row[0], plane)
    key(fig, ("mask",))
    return picture(fig, alt)


@in_look
def errors_in_planes(
    volume: np.ndarray,
    affine: np.ndarray,
    masks: Mapping[str, np.ndarray],
    truth: np.ndarray,
    *,
    at: Sequence[int],
    alt: str = "masks and their errors in three planes",
) -> Picture:
    """Compare several masks of one volume with the truth, one row of three planes for each.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
        In RAS order.
    affine : ndarray of shape (4, 4)
        Voxels to world [mm].
    masks : mapping of str to ndarray of shape (X, Y, Z), {0, 1}
        One row for each, below its title.
    truth : ndarray of shape (X, Y, Z), {0, 1}
    at : sequence of int
        Where the planes cross.
    alt : str

    Returns
    -------
    Picture

    Examples
    --------
    >>> cube = np.ones((4, 4, 4))
    >>> errors_in_planes(cube, np.eye(4), {"all": cube}, cube, at=(2, 2, 2), alt="no errors").alt
    'no errors'
    """
    rows = len(masks)
    fig, axes = figure(len(PLANES), rows, width=PANELS_WIDTH_IN, height=0.4 + 3.5 * rows)
    for row, (title, mask) in zip(axes.reshape(rows, -1), masks.items(), strict=True):
        for one, plane in zip(row, PLANES, strict=True):
            image = grey_of(cut_plane(volume, plane, at))
            kinds = errors(cut_plane(mask, plane, at), cut_plane(truth, plane, at))
            headline = title if plane is PLANES[1] else ""
            bare_axes(one, f"{headline}\n{plane.name}")
            # Not the outline of the truth: around each sulcus it would hide the errors
            one.imshow(paint(image, kinds, PAINT_OPACITY), interpolation="antialiased")
            one.set_aspect(_aspect(plane, affine))
    key(fig, ("over-reach", "miss"))
    return picture(fig, alt)


@in_look
def fields_in_planes(
    volumes: Mapping[str, np.ndarray],
    fields: Mapping[str, np.ndarray],
    affine: np.ndarray,
    brain: np.ndarray,
    *,
    at: Sequence[int],
    alt: str = "volumes and fields in two planes",
) -> Picture:
    """Show volumes and bias fields in a coronal and a sagittal plane, with their colour bars.

    All volumes share one grey scale, and all fields one scale of colours.

    Parameters
    ----------
    volumes, fields : mapping of str to ndarray of shape (X, Y, Z)
        One column for each, below its title. Fields are above 0.
    affine : ndarray of shape (4, 4)
        Voxels to world [mm].
    brain : ndarray of shape (X, Y, Z), {0, 1}
        Fields are faint outside it, and their scale reaches as far as they do inside.
    at : sequence of int
        Where the planes cross.
    alt : str

    Returns
    -------
    Picture

    Examples
    --------
    >>> cube = np.ones((4, 4, 4))
    >>> fields_in_planes({"a": cube}, {"b": cube}, np.eye(4), cube, at=(2, 2, 2), alt="flat").alt
    'flat'
    """
    columns = len(volumes) + len(fields)
    planes = PLANES[1:]
    fig, axes = figure(columns, len(planes), width=PANELS_WIDTH_IN, height=5.4)
    grid = axes.reshape(len(planes), columns)
    white = max(grey_limits(volume)[1] for volume in volumes.values())
    inside = np.asarray(brain, bool)
    steepest = 0.01
    for field in fields.values():
        steepest = np.abs(np.log(field[inside])).max(initial=steepest)
    factor = float(np.exp(steepest))
    looks = (
        (volumes, {"cmap": "gray", "vmin": 0, "vmax": white}),
        (fields, {"cmap": _FIELD_COLOURS, "norm": LogNorm(1 / factor, factor)}),
    )
    bars = []
    for row, plane in zip(grid, planes, strict=True):
        _name_row(row[0], plane)
        left = 0
        bars = []
        for shown, options in looks:
            frames = row[left : left + len(shown)]
            for one, (title, values) in zip(frames, shown.items(), strict=True):
                bare_axes(one, title if plane is planes[0] else "")
                cut = cut_plane(values, plane, at)
                if shown is fields:
                    one.imshow(cut, alpha=_BEYOND_OPACITY, **options)
                    cut = np.where(cut_plane(brain, plane, at) > 0, cut, np.nan)
                drawn = one.imshow(cut, **options)
                one.set_aspect(_aspect(plane, affine))
            bars.append((drawn, grid[:, left : left + len(shown)].ravel().tolist()))
            left += len(shown)
    (image_drawn, image_axes), (field_drawn, field_axes) = bars
    look = {"location": "bottom", "aspect": 40, "shrink": 0.9, "pad": 0.02}
    fig.colorbar(image_drawn, ax=image_axes, label="brightness", **look)
    ticks = [1 / factor, 1.0, factor]
    bar = fig.colorbar(
        field_drawn, ax=field_axes, label="factor of the field (faint: outside the brain)", **look
    )
    bar.set_ticks(ticks, labels=[f"{tick:.2f}" for tick in ticks])
    bar.minorticks_off()
    fig.get_layout_engine().set(rect=(0, 0, 1, 0.99))
    return picture(fig, alt)


@in_look
def missed_picture(
    missed: Mapping[str, Sequence[float]],
    taken: tuple[np.ndarray, np.ndarray],
    ranges: Mapping[str, tuple[float, float]],
    window: tuple[float, float],
    *,
    alt: str = "where brain is lost",
) -> Picture:
    """Draw how much brain a mask loses in each fifth of a field, and at which brightness.

    Parameters
    ----------
    missed : mapping of str to sequence of float
        For each scan the share of the brain that is missed, from the darkest to the brightest
        fifth [%].
    taken : (brightness, share)
        Share of the brain that the mask takes at each brightness [%].
    ranges : mapping of str to (low, high)
        Where the brightness of a part of the brain lies; drawn as bars below the curve's axis.
    window : (low, high)
        Range of brightness in which most brain is taken; shaded.
    alt : str

    Returns
    -------
    Picture

    Examples
    --------
    >>> curve = (np.array([0.5, 1.0]), np.array([40.0, 95.0]))
    >>> parts = {"all": (0.6, 0.9)}
    >>> missed_picture({"a scan": [1, 2, 3, 4, 5]}, curve, parts, (0.6, 1.1), alt="a loss").alt
    'a loss'
    """
    fig, (left, right) = figure(2, width=PANELS_WIDTH_IN, height=4.6)
    dark = COLOURS["measured"]
    styles = itertools.cycle(
        [
            {"linestyle": "-", "marker": "o", "markerfacecolor": "white"},
            {"linestyle": "--", "marker": "s"},
            {"linestyle": ":", "marker": "^"},
            {"linestyle": "-", "marker": "D", "linewidth": 2.5},
            {"linestyle": "-.", "marker": "D", "markerfacecolor": "white"},
        ]
    )
    for label, shares in missed.items():
        look = {"color": dark, "linewidth": 1.5, "markersize": 7} | next(styles)
        left.plot(range(1, len(shares) + 1), shares, label=label, **look)
    fifths = len(next(iter(missed.values())))
    names = ["darkest", *[""] * (fifths - 2), "brightest"]
    left.set_xticks(range(1, fifths + 1), [f"{i}\n{n}" for i, n in enumerate(names, 1)])
    left.set(xlabel="fifth of the brain, by the field", ylabel="brain missed [%]", ylim=(0, None))
    left.legend(fontsize=10, loc="upper center")

    brightness, share = taken
    right.axvspan(*window, color="0.92")
    right.text(np.mean(window), 3, "window", ha="center", fontsize=10)
    right.plot(brightness, share, color=dark, marker="o", markersize=4)
    for row, (label, (low, high)) in enumerate(ranges.items(), 1):
        right.plot((low, high), (-14 * row, -14 * row), color=COLOURS["brain"], linewidth=6)
        right.text(low, -14 * row, f"{label}  ", va="center", ha="right", fontsize=10)
    right.axhline(0, color="0.8", linewidth=1.2)
    right.set_yticks(range(0, 101, 25))
    right.set(xlim=(min(-0.4, brightness.min()), None), ylim=(-14 * (len(ranges) + 0.8), 104))
    right.set_xlabel("brightness / median of the brain")
    # The bars have no percentage: the axis ends above them
    right.spines["left"].set_bounds(0, 100)
    bottom, top = right.get_ylim()
    right.set_ylabel("brain taken [%]", y=(50 - bottom) / (top - bottom))
    return picture(fig, alt)


def _name_row(first: Axes, plane: Plane) -> None:
    """Write the name of a plane at the left of its row."""
    name = _ROW_NAMES.get(plane.name, plane.name)
    first.annotate(
        name,
        (0, 0.5),
        xytext=(-4, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        rotation=90,
        ha="right",
        va="center",
        fontsize=10,
    )


def _aspect(plane: Plane, affine: np.ndarray) -> float:
    """Return how much taller than wide a pixel of a plane is."""
    spacing_mm = voxel_sizes(affine)
    return float(spacing_mm[plane.down] / spacing_mm[plane.across])
