"""The head unwrapped: values along rays, with a line over them."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.axes import Axes

from .. import polar
from .frames import Frame, Plot, plot
from .pixels import draw_lines
from .style import in_look

# Values, the limits that are drawn black and white, the depths of a line, and a title
PolarPicture = tuple[np.ndarray, tuple[float, float], np.ndarray | None, str]


class _Box(NamedTuple):
    """The inside of axes [dots]."""

    left: int
    top: int
    width: int
    height: int


def polar_plot(frame: Frame, shown: Sequence[PolarPicture]) -> Plot:
    """Draw polar pictures of a head one above the other.

    Angles run to the right, depth below the skin downwards.

    Parameters
    ----------
    frame : Frame
    shown : sequence of (values, limits, path, title)
        Values (angles, depths), one every `polar.STEP_MM`; the values that are drawn black and
        white; the depths (angles,) of a line [steps], or None; a title.

    Returns
    -------
    Plot

    Examples
    --------
    >>> from skullmask_lib.plots import panels
    >>> diagonal = np.eye(360, 96), (0, 1), None, "a diagonal"
    >>> polar_plot(panels(1, 1)[1][0], [diagonal]).pixels.shape
    (330, 440, 3)
    """
    titles = tuple((title, values.shape[1]) for values, _, _, title in shown)
    labelled, boxes = _polar_axes(frame, titles)
    pixels = labelled.pixels.copy()
    for (values, limits, path, _), box in zip(shown, boxes, strict=True):
        rows = slice(box.top, box.top + box.height)
        columns = slice(box.left, box.left + box.width)
        pixels[rows, columns] = polar_pixels((box.width, box.height), values, limits, path)
    return Plot(pixels, labelled.to_dots)


def polar_pixels(
    size: tuple[int, int],
    values: np.ndarray,
    limits: tuple[float, float],
    path: np.ndarray | None = None,
    *,
    kind: str = "path",
) -> np.ndarray:
    """Draw a polar picture without axes, and a line over it.

    Parameters
    ----------
    size : tuple of int
        Width and height [dots].
    values, limits, path
        See `polar_plot`.
    kind : str
        Of the line, a key of `COLOURS`.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8

    Examples
    --------
    >>> polar_pixels((2, 3), np.eye(360, 96), (0, 1)).shape
    (3, 2, 3)
    """
    width, height = size
    low, high = limits
    gray = np.clip((values.T - low) / (high - low), 0, 1).astype(np.float32)
    fitted = 255 * cv2.resize(gray, size)
    pixels = cv2.cvtColor(fitted.astype(np.uint8), cv2.COLOR_GRAY2RGB)
    if path is not None:
        x = (np.arange(path.size) + 0.5) * width / path.size
        y = path * height / values.shape[1]
        draw_lines(pixels, [np.stack([x, y], axis=1)], kind, closed=False)
    return pixels


@lru_cache
@in_look
def _polar_axes(
    frame: Frame,
    titles: tuple[tuple[str, int], ...],
) -> tuple[Plot, list[_Box]]:
    """Draw the axes of `polar_plot` once, since that takes longer than what goes into them.

    Titles come with the number of depths. Returns the boxes inside of the axes, too.
    """
    drawn: list[Axes] = []

    def draw(axes: np.ndarray) -> None:
        for one, (title, depths) in zip(axes, titles, strict=True):
            one.set(
                title=title,
                xlim=(0, polar.ANGLES),
                ylim=(polar.STEP_MM * depths, 0),
                ylabel="below the skin [mm]",
            )
            one.set_xticks(range(0, polar.ANGLES + 1, 90))
        axes[-1].set_xlabel("angle [degrees], clockwise from the right")
        drawn.extend(axes)

    labelled = plot(frame, draw, rows=len(titles))
    height = len(labelled.pixels)
    boxes = []
    for one in drawn:
        inside = one.get_window_extent()
        sides = (inside.x0, height - inside.y1, inside.width, inside.height)
        boxes.append(_Box(*map(round, sides)))
    return labelled, boxes
