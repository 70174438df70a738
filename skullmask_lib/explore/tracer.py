"""The tracer: trace the outer surface of the skull by hand, on the unwrapped head.

Each angle has a slider that stands on the picture of the unwrapped head, so a click sets a point
where the skull begins. The points become a mask in `drawings.tracing`.
"""

import html
import re
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from .. import polar, texts
from ..drawings import tracing
from ..errors import InputError
from ..io import datasets, outputs
from ..io.data import Data
from ..io.paths import AnyPath
from ..plots import Picture
from . import controls as making
from .explorers import as_lines, mask_link, red

_STEP_MM = 0.25
_WIDTH_DOTS = tracing.POINTS * tracing.COLUMN_DOTS
_QUARTERS = ("right", "back", "left", "front")
_NAME = re.compile(r"\w[\w-]*")
# The track of a slider is a column of the picture; only its handle shows
_CSS = f"""<style>
.skullmask-strip .widget-image, .skullmask-strip .widget-hbox {{ margin: 0; padding: 0; }}
.skullmask-strip .widget-vslider {{
  width: {tracing.COLUMN_DOTS}px; height: {tracing.HEIGHT_DOTS}px; min-width: 0; margin: 0;
  padding: 0; flex: 0 0 auto; }}
.skullmask-strip .widget-vslider .slider-container {{
  width: {tracing.COLUMN_DOTS}px; height: {tracing.HEIGHT_DOTS}px; margin: 0; padding: 0; }}
.skullmask-strip .noUi-target.noUi-vertical {{
  width: {tracing.COLUMN_DOTS}px; height: {tracing.HEIGHT_DOTS}px; margin: 0; border: 0;
  background: transparent; box-shadow: none; cursor: crosshair; }}
.skullmask-strip .noUi-connects, .skullmask-strip .noUi-connect {{ background: transparent; }}
.skullmask-strip .noUi-vertical .noUi-handle {{
  width: 14px; height: 14px; right: {tracing.COLUMN_DOTS // 2 - 7}px; top: -7px; bottom: auto;
  left: auto; border: 2px solid #000; border-radius: 50%; background: #fff; box-shadow: none; }}
</style>"""


class Tracer:
    """Trace slices by hand, save the masks, and compare them with those of others.

    Parameters
    ----------
    data : Data
        The slices; their truth is not shown.
    folder : str or path
        Where `save` writes; made when it is needed.

    Attributes
    ----------
    slice_index : ipywidgets.IntSlider
    points : list of ipywidgets.FloatSlider
        One for each angle, clockwise from the right. Its value is minus the depth below the skin
        [mm], so that the skin is at the top; 0 is not set.
    rater : ipywidgets.Text
        Your name: that of the file.
    save_button, clear_button : ipywidgets.Button

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> tracer = Tracer(load("phantom"))
    >>> for point in tracer.points:
    ...     point.value = -8
    >>> tracer
    Tracer(slice=phantom[0]): 24 of 24 points, 8.0 mm below the skin on average; slices traced: ...
    >>> tracer.masks().any(axis=(1, 2)).astype(int)
    array([1, 0, 0, 0, 0])
    """

    def __init__(self, data: Data, *, folder: AnyPath = "traces"):
        self._data = data
        self._folder = Path(folder)
        self._points_mm = np.zeros((len(data.images), tracing.POINTS))
        self._heads: dict[int, polar.Unwrapped] = {}
        self._is_live = True
        self._kept: list[str] = []  # slices that the last save left as they were
        self._picture: Picture | None = None
        self._build()
        self._draw()

    def _build(self) -> None:
        last = len(self._data.images) - 1
        self.slice_index = making.control("slice", 0, (0, max(last, 1), 1))
        self.slice_index.layout.display = None if last else "none"
        self.points = []
        for place in range(tracing.POINTS):
            self.points.append(_point(place))
        self.rater = widgets.Text(description="your name", placeholder="anna")
        self.save_button = widgets.Button(description="save", tooltip="save all slices")
        self.clear_button = widgets.Button(description="clear", tooltip="clear this slice")
        self._strip = widgets.Image(format="jpeg", layout=_fixed(tracing.HEIGHT_DOTS))
        self._image = widgets.Image(format="jpeg")
        self._text = widgets.HTML()
        self._message = widgets.HTML()
        self._link = widgets.HTML()
        over = _fixed(tracing.HEIGHT_DOTS)
        over.margin = f"-{tracing.HEIGHT_DOTS}px 0 0 0"
        sliders = widgets.HBox(self.points, layout=over)
        strip = widgets.VBox([widgets.HTML(_CSS + _angles()), self._strip, sliders])
        strip.add_class("skullmask-strip")
        strip.layout.overflow = "auto hidden"
        buttons = widgets.HBox([self.rater, self.save_button, self.clear_button])
        stage = widgets.VBox([self._text, self._image, self._link])
        stage.add_class("skullmask-stage")
        self._box = widgets.VBox([self.slice_index, strip, buttons, self._message, stage])
        self._box.add_class("skullmask-explorer")
        self.slice_index.observe(self._turn, names="value")
        for point in self.points:
            point.observe(self._move, names="value")
        self.save_button.on_click(self._save)
        self.clear_button.on_click(self._clear)

    def _head(self, index: int) -> polar.Unwrapped:
        """Unwrap a slice, once."""
        if index not in self._heads:
            head = polar.unwrap(self._data.images[index], self._data.spacing_of(index))
            if head is None:
                raise InputError("shows no head to trace", where=self._data.names[index])
            self._heads[index] = head
        return self._heads[index]

    def _turn(self, _change=None) -> None:
        """Show another slice, with the points that it has."""
        self._is_live = False
        depths_mm = self._points_mm[self.slice_index.value]
        for point, depth_mm in zip(self.points, depths_mm, strict=True):
            point.value = -depth_mm
        self._is_live = True
        self._draw()

    def _move(self, _change=None) -> None:
        if not self._is_live or self._picture is None:  # there is no head to set points on
            return
        self._points_mm[self.slice_index.value] = [-point.value for point in self.points]
        self._draw()

    def _clear(self, _button=None) -> None:
        self._points_mm[self.slice_index.value] = 0
        self._turn()

    def _save(self, _button=None) -> None:
        try:
            path = self.save(self.rater.value)
        except InputError as error:
            self._message.value = red(str(error))
        else:
            lines = [f"saved {path}"]
            if self._kept:
                lines.append(f"kept from the earlier file: {', '.join(self._kept)}")
            self._message.value = as_lines([texts.plain(line) for line in lines])

    def _draw(self) -> None:
        index = self.slice_index.value
        self._message.value = ""
        try:
            head = self._head(index)
        except InputError as error:
            self._show_no_head(str(error))
            return
        self._show_points(is_head=True)
        points_mm = self._points_mm[index]
        strip = tracing.strip_pixels(head, points_mm)
        self._strip.value = Picture(strip, "").jpeg
        mask = tracing.mask_of(head, points_mm)
        self._picture = tracing.slice_picture(
            self._data.images[index],
            mask,
            self._alt(),
            spacing_mm=self._data.spacing_of(index),
        )
        self._image.value = self._picture.jpeg
        self._text.value = as_lines([texts.plain(self._picture.alt)])
        self._link.value = mask_link(self._picture) if mask.any() else ""

    def _show_no_head(self, reason: str) -> None:
        self._show_points(is_head=False)
        self._picture = None
        self._link.value = ""
        self._text.value = red(reason)

    def _show_points(self, *, is_head: bool) -> None:
        """Show the pictures and let points be set, or neither where there is no head."""
        for shown in (self._strip, self._image):
            shown.layout.visibility = "visible" if is_head else "hidden"
        for point in self.points:
            point.disabled = not is_head

    def _alt(self) -> str:
        index = self.slice_index.value
        points_mm = self._points_mm[index]
        depths_mm = points_mm[points_mm > 0]
        alt = f"{self._data.names[index]}: {depths_mm.size} of {tracing.POINTS} points"
        if depths_mm.size:
            alt += f", {depths_mm.mean():.1f} mm below the skin on average"
        return f"{alt}; slices traced: {self._count()} of {len(self._points_mm)}"

    def _count(self) -> int:
        """Count the slices that have an outline."""
        points = np.count_nonzero(self._points_mm, axis=1)
        return int(np.count_nonzero(points >= tracing.FEWEST_POINTS))

    def masks(self) -> np.ndarray:
        """Return the masks of all slices; those that are not traced are empty.

        Returns
        -------
        ndarray of shape (N, H, W), uint8 of {0, 1}
        """
        masks = np.zeros(self._data.images.shape, np.uint8)
        for index, points_mm in enumerate(self._points_mm):
            if np.count_nonzero(points_mm) >= tracing.FEWEST_POINTS:
                masks[index] = tracing.mask_of(self._head(index), points_mm)
        return masks

    def save(self, rater: str) -> Path:
        """Save the masks of all slices as ``NAME.npy``.

        Slices that are not traced now keep their masks in an earlier file of that name.

        Parameters
        ----------
        rater : str
            Letters, digits, ``_`` and ``-``.

        Returns
        -------
        Path

        Raises
        ------
        InputError
            If the name is another, no slice is traced, an earlier file does not hold masks of these
            slices, or the file cannot be written.
        """
        if not _NAME.fullmatch(rater.strip()):
            wanted = "a name of letters, digits, _ and -"
            raise InputError(f"expected {wanted}, got {texts.plain(rater.strip()) or 'none'}")
        masks = self.masks()
        if not masks.any():
            fewest = tracing.FEWEST_POINTS
            raise InputError(f"expected a slice with at least {fewest} points, got none")
        path = outputs.make_folder(self._folder) / f"{rater.strip()}.npy"
        kept = self._keep_earlier(masks, path)
        with outputs.replacing(path) as incomplete:
            np.save(incomplete, masks)
        self._kept = kept
        return path

    def _keep_earlier(self, masks: np.ndarray, path: Path) -> list[str]:
        """Fill empty masks with those of an earlier file, and name their slices."""
        if not path.exists():
            return []
        earlier = datasets.load(path).images
        if earlier.shape != masks.shape:
            wanted = f"masks of shape {masks.shape} in the earlier file"
            hint = "choose another name"
            raise InputError(f"expected {wanted}, got {earlier.shape}; {hint}", where=path)
        earlier = datasets.binary(earlier, path)
        kept = []
        for index, name in enumerate(self._data.names):
            if earlier[index].any() and not masks[index].any():
                masks[index] = earlier[index]
                kept.append(name)
        return kept

    def __repr__(self) -> str:
        name, _, said = self._alt().partition(": ")
        return f"Tracer(slice={name}): {said}"

    def _repr_mimebundle_(self, **_):
        data = {}
        metadata = {}
        if self._picture:
            index = self.slice_index.value
            points_mm = self._points_mm[index]
            strip = tracing.strip_pixels(self._head(index), points_mm, with_points=True)
            picture = tracing.below_each_other(strip, self._picture)
            data, metadata = picture._repr_mimebundle_()
        bundle = self._box._repr_mimebundle_() | data
        return bundle | {"text/plain": repr(self)}, metadata


def _point(place: int) -> widgets.FloatSlider:
    """Make the slider of one angle, as high as the picture that it stands on."""
    angle = place * 360 // tracing.POINTS
    point = widgets.FloatSlider(
        value=0,
        min=-tracing.DEEPEST_MM,
        max=0,
        step=_STEP_MM,
        orientation="vertical",
        readout=False,
        tooltip=f"{angle}°",
    )
    point.add_class("skullmask-point")
    return point


def _fixed(height_dots: int) -> widgets.Layout:
    """Lay out what must be as large as its dots."""
    width = f"{_WIDTH_DOTS}px"
    height = f"{height_dots}px"
    return widgets.Layout(
        width=width, min_width=width, max_width=width, height=height, min_height=height
    )


def _angles() -> str:
    """Write above the strip where the angles lie."""
    spans = []
    for quarter, name in enumerate(_QUARTERS):
        left = (quarter * tracing.POINTS / len(_QUARTERS) + 0.5) * tracing.COLUMN_DOTS
        style = f"position:absolute;left:{left:.0f}px"
        spans.append(f'<span style="{style}">{html.escape(name)}</span>')
    box = f"position:relative;height:1.5em;width:{_WIDTH_DOTS}px"
    return f'<div style="{box}">{"".join(spans)}</div>'
