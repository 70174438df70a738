"""The figure of the capstone: where people who traced the same slice differ.

Drawn from traces in memory; nothing here reads them.
"""

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex

from .. import plots, raters
from ..io.data import Data
from ..plots import COLOURS, Picture, figure, in_look, picture
from ..texts import counted, plain

# The place of a name
_NAME_DOTS = 220


@in_look
def agreement_picture(
    traces: raters.Traces,
    data: Data,
    *,
    slice_index: int | None = None,
) -> Picture:
    """Draw all outlines of a slice, and how far each rater's lie outside of those of the others.

    The bar and the outline of a rater have the same colour.

    Parameters
    ----------
    traces : mapping of str to ndarray of shape (N, H, W), {0, 1}
    data : Data
        The slices. If the truth is known, it is drawn, too.
    slice_index : int, optional
        By default the slice that most raters have traced.

    Returns
    -------
    Picture

    Examples
    --------
    >>> image = np.hypot(*np.ogrid[-9:10, -9:10])[None].astype(np.float32)
    >>> traces = {name: np.uint8(image < radius) for name, radius in zip("abc", (4, 5, 6))}
    >>> agreement_picture(traces, Data(image, None, None, ("disc",))).alt
    'disc: traces by 3 raters; from -1.5 px (a) to 1.6 px (c) outside of the others.'
    """
    counts = raters.traced(traces).sum(axis=0)
    if slice_index is None:
        slice_index = int(counts.argmax())
    unit = data.length_unit
    fig, axes = figure(2, width=11, height=max(5, 1.2 + 0.24 * len(traces)))
    image = data.images[slice_index]
    name = plain(data.names[slice_index])
    plots.show(axes[0], image, _fitted(name))
    plots.zoom(axes[:1], image)
    rows = raters.deviations(traces, data.spacing_mm)
    # Who shares no slice with others has NaN, which would break the order
    rows.sort(key=lambda row: (np.isnan(row.outward), row.outward))
    outward = np.array([row.outward for row in rows])
    shades = mpl.colormaps["cool"](np.linspace(0, 1, len(rows)))
    colours = [to_hex(shade) for shade in shades]
    for row, colour in zip(rows, colours, strict=True):
        plots.outline(axes[0], traces[row.rater][slice_index], colour=colour)
    if data.truth is not None and data.truth[slice_index].any():
        plots.outline(axes[0], data.truth[slice_index], "truth")
        plots.key(fig, ["truth"])
    places = range(len(rows))
    axes[1].barh(places, outward, color=colours, edgecolor=COLOURS["measured"], height=0.6)
    axes[1].set_yticks(places, [_fitted(plain(row.rater)) for row in rows])
    axes[1].axvline(0, color=COLOURS["baseline"], linewidth=1.2)
    axes[1].set(xlabel=f"outside of the others, mean [{unit}]\n(below 0: inside)")
    alt = f"{name}: traces by {counted(counts[slice_index], 'rater')}"
    known = [row for row in rows if np.isfinite(row.outward)]
    if known:
        low, high = known[0], known[-1]
        alt += f"; from {low.outward:.1f} {unit} ({low.rater}) to {high.outward:.1f} {unit}"
        alt += f" ({high.rater}) outside of the others"
    return picture(fig, f"{alt}.")


def _fitted(name: str) -> str:
    """Shorten a name to half of the width of its axes."""
    return plots.fitted_text(name, _NAME_DOTS, plots.STYLE["font.size"])
