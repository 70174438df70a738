"""Figures in one look. `figure` gives Axes to draw on; `panels` only places images, and is faster.

What a lesson asks, and so which picture it needs, is in `views`; figures of single lessons are in
`drawings`. Nothing here loads data or makes masks. Code outside this folder uses the names below.
They live in:

- `style`: matplotlib's settings and the colours of all figures.
- `pixels`: slices and masks as pixels: grey, painted over, and outlined.
- `pictures`: a figure from its start to its pixels, and the key of its colours.
- `frames`: figures of panels, for sliders and rows of slices.
- `slices`: slices on Axes, for figures that are drawn once.
- `charts`: curves, bars and histograms.
- `rays`: the head unwrapped.
- `planes`: volumes in three planes.
"""

from .charts import class_picture, histogram, ladder_picture, sweep_curve, sweep_picture
from .frames import (
    PANELS_WIDTH_IN,
    Frame,
    Plot,
    fitted_text,
    large_title,
    panels,
    plot,
    plot_panel,
    row_of_slices,
    slice_panel,
    stacked,
)
from .pictures import Picture, figure, key, picture
from .pixels import PAINT_OPACITY, errors, grey_limits, grey_of, paint
from .planes import PLANES, Plane, cut_plane, three_planes
from .rays import polar_pixels, polar_plot
from .slices import bare_axes, compare, head_window, outline, show, zoom
from .style import COLOURS, SCORE_NAMES, STYLE, WIDTH_LABEL, in_look, look, rim

__all__ = [
    "COLOURS",
    "PAINT_OPACITY",
    "PANELS_WIDTH_IN",
    "PLANES",
    "SCORE_NAMES",
    "STYLE",
    "WIDTH_LABEL",
    "Frame",
    "Picture",
    "Plane",
    "Plot",
    "bare_axes",
    "class_picture",
    "compare",
    "cut_plane",
    "errors",
    "figure",
    "fitted_text",
    "grey_limits",
    "grey_of",
    "head_window",
    "histogram",
    "in_look",
    "key",
    "ladder_picture",
    "large_title",
    "look",
    "outline",
    "paint",
    "panels",
    "picture",
    "plot",
    "plot_panel",
    "polar_pixels",
    "polar_plot",
    "rim",
    "row_of_slices",
    "show",
    "slice_panel",
    "stacked",
    "sweep_curve",
    "sweep_picture",
    "three_planes",
    "zoom",
]
