"""Sliders over a pure ``view``: live in Jupyter, a picture where no kernel runs.

The `App` puts all of `views` on one page, for the data at hand or an own file.
"""

import base64
import contextlib
import html
import inspect
import os
import re
import tempfile
import typing
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import ipywidgets as widgets
import numpy as np

from .. import texts, views
from ..errors import InputError, Range
from ..io import datasets
from ..plots import Picture
from ..versions import VERSIONS, options_of

UPLOAD_LIMIT_MB = 64
_IMPORT = "import skullmask_lib as sm"
_VIEW = "application/vnd.jupyter.widget-view+json"
_VERSION_OPTIONS = {name for version in VERSIONS for name in options_of(version)}


class Explorer:
    """Redraws a `Picture` whenever a slider moves.

    Parameters
    ----------
    view : callable
        Pure: one keyword argument for every control, to `Picture`.
    controls : dict of str to ipywidgets.Widget
        Parameter name to its slider, menu or checkbox.
    last : dict of str to callable, optional
        Name of a slider to a function that tells from all values where it ends.
    kept : collection of str
        Controls that a reset leaves alone.
    offers : bool
        Whether to show the call that makes the mask of a picture, and a link to the mask.
    live : bool
        Whether it redraws.

    Attributes
    ----------
    controls : dict of str to ipywidgets.Widget
    reset : ipywidgets.Button
        Puts the controls back to where they began.
    panel, stage : ipywidgets.Box
        The controls; and what they change.
    live : bool
    """

    def __init__(
        self,
        view: Callable[..., Picture],
        controls: dict[str, widgets.Widget],
        *,
        last: dict[str, Callable[[dict], int]] | None = None,
        kept: Collection[str] = (),
        offers: bool = False,
        live: bool = True,
    ):
        self._view, self.controls, self._last, self._offers, self.live = view, controls, last or {}, offers, live
        self._picture = None
        self._image, self._text, self._link = widgets.Image(format="jpeg"), widgets.HTML(), widgets.HTML()
        look = {"style": {"description_width": "initial"}, "layout": _layout("880px")}
        self._call = widgets.Textarea(rows=3, description="Python", **look)
        self._began = {name: control.value for name, control in controls.items() if name not in kept}
        self.reset = widgets.Button(description="reset", tooltip="put every control back to where it began")
        self.reset.on_click(self._reset)
        self.panel = widgets.VBox([*controls.values(), self.reset], layout=_layout())
        self.stage = widgets.VBox([self._text], layout=_layout())
        self.stage.add_class("skullmask-stage")
        self._box = widgets.VBox([self.panel, self.stage])
        self._box.add_class("skullmask-explorer")
        for control in controls.values():
            control.observe(self.redraw, names="value")
        self.redraw()

    def _reset(self, _button=None) -> None:
        with self._still():
            for name, value in self._began.items():
                self.controls[name].value = value
        self.redraw()  # once for all of them

    @contextlib.contextmanager
    def _still(self) -> Iterator[None]:
        was, self.live = self.live, False
        try:
            yield
        finally:
            self.live = was

    def _values(self) -> dict[str, object]:
        return {name: control.value for name, control in self.controls.items()}

    def _settle(self) -> None:
        """Bring the sliders into range, and hide what has one value only or no version that takes it."""
        with self._still():
            for name, find in self._last.items():
                slider, last = self.controls[name], find(self._values())
                slider.value, slider.max = min(slider.value, last), max(last, slider.min + slider.step)
                slider.layout.display = None if last > slider.min else "none"
        versions = [value for value in self._values().values() if isinstance(value, str) and value in VERSIONS]
        for name in _VERSION_OPTIONS & set(self.controls) if versions else ():
            taken = any(name in options_of(version) for version in versions)
            self.controls[name].layout.display = None if taken else "none"

    def redraw(self, _change=None) -> None:
        """Draw the view anew; what goes wrong is shown in red, and raised."""
        if not self.live:
            return
        try:
            self._settle()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", UserWarning)
                self._picture = picture = self._view(**self._values())
        except Exception as error:
            kind = "" if isinstance(error, InputError) else f"{type(error).__name__}: "
            self._picture, self._text.value = None, _red(f"{kind}{error}")
            self.stage.children = (self._text,)  # no picture, call or mask of other values
            raise
        self._image.value = picture.jpeg
        lines = [picture.alt, *(warning.message for warning in caught)]
        self._text.value = "<br>".join(html.escape(texts.plain(line)) for line in lines)
        offered = ()
        if self._offers and picture.mask is not None:
            self._call.value, self._link.value = picture.call, _link(picture)
            offered = self._call, self._link
        self.stage.children = (self._image, self._text, *offered)

    def __repr__(self) -> str:
        shown = {name: control.value for name, control in self.controls.items() if control.layout.display != "none"}
        told = self._picture.alt if self._picture else "no picture"
        return f"Explorer({', '.join(f'{name}={value!r}' for name, value in shown.items())}): {told}"

    def _repr_mimebundle_(self, **_):
        data, metadata = self._picture._repr_mimebundle_() if self._picture else ({}, {})
        return self._box._repr_mimebundle_() | data | {"text/plain": repr(self)}, metadata


def sliders(view: Callable[..., Picture], **ranges: tuple | list) -> Explorer:
    """Put sliders, menus and checkboxes on a view.

    Parameters
    ----------
    view : callable
        Pure: keyword arguments to `Picture`. Its defaults are where the controls start. An argument whose type is
        ``bool``, a ``Literal`` or carries a `errors.Range` gets its control from its signature.
    **ranges : (start, stop, step) or list
        For each other argument to control, or instead of the signature's: a tuple of numbers makes a slider (stop
        included), a list a menu. A name that ends in ``_px``, ``_mm`` or ``_percent`` gets its unit in its label.

    Returns
    -------
    Explorer

    Raises
    ------
    InputError
        If ``view`` has no such argument, no default for it, or one that its control cannot show.

    Examples
    --------
    >>> from skullmask_lib.plots import figure, picture
    >>> def view(*, width_px=3):
    ...     return picture(figure()[0], f"{width_px} pixels wide")
    >>> explorer = sliders(view, width_px=(1, 9, 2))
    >>> explorer.controls["width_px"].value = 5
    >>> explorer
    Explorer(width_px=5): 5 pixels wide
    """
    return Explorer(view, _controls(view, ranges))


def _controls(view: Callable[..., Picture], ranges: dict[str, tuple | list]) -> dict[str, widgets.Widget]:
    parameters = inspect.signature(view, eval_str=True).parameters
    for name in ranges:
        if name not in parameters or parameters[name].default is inspect.Parameter.empty:
            raise InputError(f"expected an argument of the view that has a default, got {name}")
    offered = {name: ranges.get(name) or _offer(parameter.annotation) for name, parameter in parameters.items()}
    return {name: _control(name, parameters[name].default, offer) for name, offer in offered.items() if offer}


def _offer(annotation: object) -> Range | list | None:
    """Read from a type what a control can offer."""
    if annotation is bool:
        return [False, True]
    if typing.get_origin(annotation) is typing.Literal:
        return list(typing.get_args(annotation))
    return next((meta for meta in typing.get_args(annotation)[1:] if isinstance(meta, Range)), None)


def _control(name: str, value: object, offer: tuple | list) -> widgets.Widget:
    words, _, unit = name.replace("_", " ").rpartition(" ")
    if unit not in ("px", "mm", "percent"):
        words, unit = name.replace("_", " "), ""
    unit = offer.unit if isinstance(offer, Range) else unit.replace("percent", "%")
    look = {"description": words + (f" [{unit}]" if unit else ""), "style": {"description_width": "initial"}}
    look["layout"] = _layout("420px")
    if isinstance(value, bool) and set(offer) == {False, True}:
        return widgets.Checkbox(value=value, indent=False, **look)
    if isinstance(offer, list):
        return widgets.Dropdown(options=offer, value=value, **look)
    start, stop, step = offer[:3]
    if not start <= value <= stop:
        raise InputError(f"expected a {words} from {start} to {stop}, got {value}")
    kind = widgets.IntSlider if all(isinstance(v, int) for v in (value, start, stop, step)) else widgets.FloatSlider
    return kind(value=value, min=start, max=stop, step=step, **look)


def _layout(widest: str = "100%") -> widgets.Layout:
    return widgets.Layout(width="100%", max_width=widest)


def _without(folder: str, text: object) -> str:
    """Leave out the name of the temporary folder that an upload was opened in."""
    return texts.plain(str(text).replace(f"{Path(folder)}{os.sep}", "") if folder else text)


def _remarks(caught: list[warnings.WarningMessage], folder: str = "") -> str:
    """Show what was said while a file was read."""
    lines = texts.grouped(_without(folder, warning.message) for warning in caught)
    return "<br>".join(html.escape(line) for line in lines)


def _red(text: str) -> str:
    return f'<b style="color:#b00020">{html.escape(texts.plain(text))}</b>'


def _no_room(name: str) -> str:
    return _red(f"{name}: does not fit in memory")


def _load_call(source: str, channel: int | None) -> str:
    return f"sm.load({source!r}{'' if channel is None else f', channel={channel}'})"


def _link(picture: Picture) -> str:
    """Offer the mask of a picture as a PNG of 0 and 255 inside of the page."""
    png = cv2.imencode(".png", picture.mask * np.uint8(255))[1].tobytes()
    name = re.sub(r"\W+", "_", picture.alt.partition(": ")[0]).strip("_")
    address = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    look = "color:#0072b2;text-decoration:underline"
    return f'<a download="{name}_mask.png" href="{address}" style="{look}">Download this mask</a> (PNG, 0 and 255)'


QUESTIONS = {
    "v1 · Which threshold?": views.largest_component,
    "v2 · Where does the flood arrive?": views.flood,
    "v3, v4 · Another threshold?": views.thresholds,
    "v5 · What is the edge rule worth?": views.edge_rule,
    "v6, v7 · How wide?": views.width,
    "v8 · Where does the path run?": views.boundary,
    "Any version, stage by stage": views.stages,
    "Two versions side by side": views.versus,
}


class App:
    """All views on one page: a question, a data set or an own file, a slice, and what the view can change.

    Parameters
    ----------
    source, truth, channel
        See `datasets.load`.

    Attributes
    ----------
    question, source, slice_index, opacity : ipywidgets.Widget
        Shared by all explorers.
    upload, channel : ipywidgets.Widget
        An own file, and which channel of it to take where it is colour.
    explorers : dict of str to Explorer
        One for every key of `QUESTIONS`; that of the chosen question is shown.

    Raises
    ------
    InputError
        If ``source`` cannot be loaded.

    Examples
    --------
    >>> app = App("phantom-cropped")
    >>> app.question.value = "v6, v7 · How wide?"
    >>> app.explorers[app.question.value].controls["dilation_size"].value = 24
    >>> print(repr(app).split(", opacity")[0])
    Explorer(source='phantom-cropped', slice_index=2, dilation_size=24
    """

    def __init__(self, source: str = "phantom", *, truth: str | None = None, channel: int | None = None):
        self._heads = {name: (datasets.load(name), _load_call(name, None)) for name in datasets.PHANTOMS}
        named = Path(source).name
        with warnings.catch_warnings(record=True, action="always") as caught:
            data = datasets.load(source, truth=truth, channel=channel)
        self._heads[named] = data, _load_call(str(source), channel)
        middle = len(self._heads[named][0].images) // 2
        self.question = widgets.RadioButtons(options=list(QUESTIONS), layout=_layout())
        self.source = _control("data", named, list(self._heads))
        self.slice_index = _control("slice", middle, (0, middle + 1, 1))
        self.opacity = _controls(views.width, {})["opacity"]
        shared = {"source": self.source, "slice_index": self.slice_index}
        last = {
            "slice_index": lambda values: len(self._heads[values["source"]][0].images) - 1,
            "stage": lambda values: views.count_stages(values["version"]),
        }
        self.explorers = {}
        for question, view in QUESTIONS.items():
            controls = shared | _controls(view, {}) | {"opacity": self.opacity}
            found = {name: find for name, find in last.items() if name in controls}
            self.explorers[question] = Explorer(
                self._drawing(view), controls, last=found, kept=shared, offers=True, live=False
            )
        accepted = ",".join(suffix.removeprefix(".nii") or suffix for suffix in datasets.SUFFIXES)
        self.upload = widgets.FileUpload(description="own file", accept=accepted)
        self.channel = _control("channel", "none", ["none", *range(4)])
        self._file: dict = {}
        self._said = widgets.HTML(f"{', '.join(datasets.SUFFIXES)}, up to {UPLOAD_LIMIT_MB} MB")
        if caught:
            self._said.value = _remarks(caught)
        self._own = widgets.HBox([self.upload, self.channel])
        self._side = widgets.VBox(layout=widgets.Layout(width="340px", flex="0 0 auto", margin="0 24px 0 0"))
        self._box = widgets.HBox([self._side])
        self._box.add_class("skullmask-explorer")
        self.question.observe(self._ask, names="value")
        self.upload.observe(self._open, names="value")
        self.channel.observe(self._open, names="value")
        with contextlib.suppress(InputError):  # the page says it
            self._ask()

    def _drawing(self, view: Callable[..., Picture]) -> Callable[..., Picture]:
        """Let a view draw a slice of a data set by name, and complete its call."""

        def draw(*, source: str, slice_index: int, **options) -> Picture:
            data, load = self._heads[source]
            try:
                picture = view(data, slice_index=slice_index, **options)
            except InputError as error:
                raise InputError(f"{data.names[slice_index]}: {error}") from None
            return replace(picture, call=f"{_IMPORT}\nimage = {load}.images[{slice_index}]\nmask = {picture.call}")

        return draw

    def _ask(self, _change=None) -> None:
        for question, explorer in self.explorers.items():
            explorer.live = question == self.question.value
        chosen = self.explorers[self.question.value]
        self._side.children = (self.question, chosen.panel, self._own, self._said)
        self._box.children = (self._side, chosen.stage)
        chosen.redraw()

    def _open(self, _change=None) -> None:
        """Load the own file with the command line's checks; what cannot be used is said in red."""
        if self.upload.value:
            [self._file], self.upload.value = self.upload.value, ()  # the next may have the same name
            return  # for emptying it has called us
        if not self._file:
            return
        name, folder = Path(self._file["name"]).name, ""
        channel = None if self.channel.value == "none" else self.channel.value
        try:
            if self._file["size"] > UPLOAD_LIMIT_MB * 1e6:
                raise InputError(
                    f"{name}: expected up to {UPLOAD_LIMIT_MB} MB, got {self._file['size'] / 1e6:.0f} MB; "
                    f"open it with: skullmask explore {name}"
                )
            recording = warnings.catch_warnings(record=True, action="always")
            with tempfile.TemporaryDirectory() as folder, recording as caught:
                Path(folder, name).write_bytes(self._file["content"])
                data = datasets.load(Path(folder, name), channel=channel)
                data = replace(data, images=np.array(data.images))  # not memory-mapped: the file goes
        except MemoryError:
            self._said.value = _no_room(name)
            return
        except (OSError, ValueError) as error:  # InputError is a ValueError; a name may be none
            self._said.value = _red(_without(folder, error))
            return
        self._heads[name] = data, _load_call(name, channel)
        rows, columns = data.images.shape[1:]
        size = html.escape(f"{texts.plain(name)}: slices: {len(data.images)}, each {rows} × {columns} px")
        self._said.value = "<br>".join([size, *filter(None, [_remarks(caught, folder)])])
        explorer = self.explorers[self.question.value]
        with explorer._still():
            self.source.options, self.source.value = list(self._heads), name
            self.slice_index.max = max(len(data.images) - 1, 1)
            self.slice_index.value = len(data.images) // 2
        try:
            explorer.redraw()
        except MemoryError:
            self._said.value = _no_room(name)

    def __repr__(self) -> str:
        return repr(self.explorers[self.question.value])

    def _repr_mimebundle_(self, **_):
        data, metadata = self.explorers[self.question.value]._repr_mimebundle_()
        return data | {_VIEW: self._box._repr_mimebundle_()[_VIEW]}, metadata
