"""The look that all figures share: matplotlib's settings, and one colour for each role.

Nothing here makes a figure.
"""

import contextlib
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.colors import to_rgb
from matplotlib.patheffects import AbstractPathEffect, Normal, Stroke

STYLE = mpl.rc_params_from_file(
    Path(__file__).with_name("skullmask.mplstyle"), use_default_template=False
)
# One colour for one role, in every figure; they stay apart for colour-blind readers.
COLOURS = {
    # on slices
    "truth": "#F0E442",
    "mask": "#E69F00",
    "over-reach": "#C8102E",
    "miss": "#0072B2",
    "scalp": "#CC79A7",
    "path": "#56B4E9",
    "brain": "#009E73",
    "doubtful": "#00E5FF",
    # where two masks are compared with each other
    "first alone": "#99FF99",
    "second alone": "#7733FF",
    # in plots
    "measured": "#222222",
    "published": "#8A63D2",
    "baseline": "#8C8C8C",
}
WIDTH_LABEL = "width of the structuring element [px]"
SCORE_NAMES = {"iou": "IoU", "dice": "Dice"}


def _look() -> dict[Any, Any]:  # keys of matplotlib's own type
    """Join matplotlib's defaults and the project's style, without what changes no picture."""
    settings: dict[Any, Any] = dict(mpl.rcParamsDefault)
    for name in ("backend", "backend_fallback", "interactive"):
        settings.pop(name, None)
    return settings | dict(STYLE)


_LOOK = _look()


@contextlib.contextmanager
def look() -> Iterator[None]:
    """Draw with matplotlib's defaults and the project's style, whatever the user's settings.

    Examples
    --------
    >>> with mpl.rc_context({"text.usetex": True}), look():
    ...     mpl.rcParams["text.usetex"]
    False
    """
    different: dict[Any, Any] = {}
    for name, value in _LOOK.items():
        if mpl.rcParams[name] != value:
            different[name] = value
    if not different:  # rc_context is slow
        yield
        return
    with mpl.rc_context(different):
        yield


def in_look(draw: Callable) -> Callable:
    """Make a function draw within `look`."""

    @wraps(draw)
    def drawn(*args: Any, **options: Any) -> Any:
        with look():
            return draw(*args, **options)

    return drawn


def rgb(kind: str) -> tuple[int, ...]:
    """Return the red, green and blue of a role, 0 … 255."""
    return tuple(round(255 * part) for part in to_rgb(COLOURS[kind]))


def rim(points: float, colour: str = "black") -> list[AbstractPathEffect]:
    """Give the path effects that put a rim around lines or text, to keep them visible.

    Parameters
    ----------
    points : float
        Width of a line with its rim on both sides.
    colour : str
        Of the rim.

    Returns
    -------
    list of AbstractPathEffect

    Examples
    --------
    >>> from skullmask_lib import plots
    >>> line = plots.figure()[1][0].axhline(0, path_effects=rim(4))
    """
    return [Stroke(linewidth=points, foreground=colour), Normal()]
