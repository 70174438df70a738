"""Sliders over a pure ``view``: live in Jupyter, a picture where no kernel runs.

One explorer redraws one view. It knows nothing of data sets or files; see `app`.
"""

import base64
import contextlib
import html
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator

import cv2
import ipywidgets as widgets
import numpy as np

from .. import texts
from ..errors import InputError
from ..plots import Picture
from ..versions import VERSIONS, options_of
from . import controls as making

_LINK_STYLE = "color:#0072b2;text-decoration:underline"


def _options_of_all_versions() -> set[str]:
    options = set()
    for version in VERSIONS:
        options.update(options_of(version))
    return options


_VERSION_OPTIONS = _options_of_all_versions()


class Explorer:
    """Redraws a `Picture` whenever a slider moves.

    Parameters
    ----------
    view : callable
        Pure: takes one keyword argument for every control, and returns a `Picture`.
    controls : dict of str to ipywidgets.Widget
        Parameter name to its slider, menu or checkbox.
    last : dict of str to callable, optional
        Name of a slider to a function that computes its end from all values.
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
        Returns the controls to where they began.
    panel, stage : ipywidgets.Box
        The controls, and what they change.
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
        self.controls = controls
        self.live = live
        self._view = view
        self._last = last or {}
        self._offers = offers
        self._picture: Picture | None = None
        self._began = {}
        for name, control in controls.items():
            if name not in kept:
                self._began[name] = control.value
        self._build()
        for control in controls.values():
            control.observe(self.redraw, names="value")
        self.redraw()

    def _build(self) -> None:
        """Make the widgets around the controls."""
        self._image = widgets.Image(format="jpeg")
        self._text = widgets.HTML()
        self._link = widgets.HTML()
        self._call = widgets.Textarea(
            rows=3,
            description="Python",
            style={"description_width": "initial"},
            layout=making.layout("880px"),
        )
        self.reset = widgets.Button(
            description="reset",
            tooltip="put every control back to where it began",
        )
        self.reset.on_click(self._reset)
        rows = [*self.controls.values(), self.reset]
        self.panel = widgets.VBox(rows, layout=making.layout())
        self.stage = widgets.VBox([self._text], layout=making.layout())
        self.stage.add_class("skullmask-stage")
        self._box = widgets.VBox([self.panel, self.stage])
        self._box.add_class("skullmask-explorer")

    def _reset(self, _button=None) -> None:
        with self.still():
            for name, value in self._began.items():
                self.controls[name].value = value
        self.redraw()  # once for all of them

    @contextlib.contextmanager
    def still(self) -> Iterator[None]:
        """Change several controls without a redraw for each."""
        before = self.live
        self.live = False
        try:
            yield
        finally:
            self.live = before

    def _values(self) -> dict[str, object]:
        return {name: control.value for name, control in self.controls.items()}

    def _settle(self) -> None:
        """Bring sliders into range; hide those with one value only or for other versions."""
        with self.still():
            for name, find_last in self._last.items():
                slider = self.controls[name]
                last = find_last(self._values())
                slider.value = min(slider.value, last)
                slider.max = max(last, slider.min + slider.step)
                _show(slider, last > slider.min)
        versions = []
        for value in self._values().values():
            if isinstance(value, str) and value in VERSIONS:
                versions.append(value)
        if not versions:
            return
        taken = set()
        for version in versions:
            taken.update(options_of(version))
        for name in _VERSION_OPTIONS & set(self.controls):
            _show(self.controls[name], name in taken)

    def redraw(self, _change=None) -> None:
        """Draw the view anew. An error is shown in red, and raised."""
        if not self.live:
            return
        try:
            self._settle()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("ignore")
                warnings.simplefilter("always", UserWarning)
                picture = self._view(**self._values())
        except Exception as error:
            self._show_error(error)
            raise
        self._show_picture(picture, caught)

    def _show_error(self, error: Exception) -> None:
        message = str(error)
        if not isinstance(error, InputError):
            message = f"{type(error).__name__}: {error}"
        self._picture = None
        self._text.value = red(message)
        self.stage.children = (self._text,)  # no picture, call or mask of other values

    def _show_picture(self, picture: Picture, caught: list[warnings.WarningMessage]) -> None:
        self._picture = picture
        self._image.value = picture.jpeg
        lines = [picture.alt]
        lines += [str(warning.message) for warning in caught]
        self._text.value = as_lines(map(texts.plain, lines))
        children = [self._image, self._text]
        if self._offers and picture.mask is not None:
            self._call.value = picture.call
            self._link.value = mask_link(picture)
            children += [self._call, self._link]
        self.stage.children = tuple(children)

    def __repr__(self) -> str:
        shown = []
        for name, control in self.controls.items():
            if control.layout.display != "none":
                shown.append(f"{name}={control.value!r}")
        alt = "no picture"
        if self._picture:
            alt = self._picture.alt
        return f"Explorer({', '.join(shown)}): {alt}"

    def _repr_mimebundle_(self, **_):
        data = {}
        metadata = {}
        if self._picture:
            data, metadata = self._picture._repr_mimebundle_()
        bundle = self._box._repr_mimebundle_() | data
        return bundle | {"text/plain": repr(self)}, metadata


def sliders(view: Callable[..., Picture], **ranges: tuple | list) -> Explorer:
    """Put sliders, menus and checkboxes on a view.

    Parameters
    ----------
    view : callable
        Pure: takes keyword arguments and returns a `Picture`. Its defaults are where the controls
        start. An argument whose type is ``bool`` or a ``Literal``, or carries a `errors.Range`,
        gets its control from the signature.
    **ranges : (start, stop, step) or list
        For each other argument to control, or to replace what the signature says: a tuple of
        numbers makes a slider (stop included), a list a menu. A name that ends in ``_px``,
        ``_mm`` or ``_percent`` shows its unit in its label.

    Returns
    -------
    Explorer

    Raises
    ------
    InputError
        If ``view`` has no such argument, or one without a default, or a default that its control
        cannot show.

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
    return Explorer(view, making.from_signature(view, ranges))


def _show(widget: widgets.Widget, visible: bool) -> None:
    """Show or hide a widget."""
    widget.layout.display = None if visible else "none"


def as_lines(lines: Iterable[str]) -> str:
    """Write lines of text as HTML.

    Parameters
    ----------
    lines : iterable of str

    Returns
    -------
    str

    Examples
    --------
    >>> as_lines(["a < b", "c"])
    'a &lt; b<br>c'
    """
    return "<br>".join(map(html.escape, lines))


def red(text: str) -> str:
    """Write an error as HTML.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> red("a < b")
    '<b style="color:#b00020">a &lt; b</b>'
    """
    return f'<b style="color:#b00020">{html.escape(texts.plain(text))}</b>'


def mask_link(picture: Picture) -> str:
    """Offer the mask of a picture, as a PNG of 0 and 255 that is part of the page.

    Parameters
    ----------
    picture : Picture
        With its mask.

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> picture = Picture(np.zeros((1, 1, 3)), "head[3]: a mask", mask=np.eye(2, dtype=np.uint8))
    >>> mask_link(picture)[:38]
    '<a download="head_3_mask.png" href="da'
    """
    _, encoded = cv2.imencode(".png", picture.mask * np.uint8(255))
    png = base64.b64encode(encoded.tobytes()).decode()
    title, _, _ = picture.alt.partition(": ")
    name = re.sub(r"\W+", "_", title).strip("_")
    return (
        f'<a download="{name}_mask.png" href="data:image/png;base64,{png}" '
        f'style="{_LINK_STYLE}">Download this mask</a> (PNG, 0 and 255)'
    )
