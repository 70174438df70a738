"""Sliders over a pure ``view``: live in Jupyter, a picture where no kernel runs."""

import html
import inspect
from collections.abc import Callable

import ipywidgets as widgets

from .masks import InputError
from .plots import Picture


class Explorer:
    """Redraws a `Picture` whenever a slider moves.

    Attributes
    ----------
    controls : dict of str to ipywidgets.Widget
        Parameter name to its slider or menu.
    reset : ipywidgets.Button
        Puts every control back to where it began.
    """

    def __init__(self, view: Callable[..., Picture], controls: dict[str, widgets.Widget]):
        self._view, self.controls = view, controls
        self._image, self._text = widgets.Image(format="png"), widgets.HTML()
        self._began = {name: control.value for name, control in controls.items()}
        self.reset = widgets.Button(description="reset", tooltip="put every control back to where it began")
        self.reset.on_click(self._reset)
        self._box = widgets.VBox([*controls.values(), self.reset, self._text, self._image])
        self._box.add_class("skullmask-explorer")
        self._watch()
        self._redraw()

    def _watch(self) -> None:
        for control in self.controls.values():
            control.observe(self._redraw, names="value")

    def _reset(self, _button=None) -> None:
        for name, control in self.controls.items():
            control.unobserve(self._redraw, names="value")
            control.value = self._began[name]
        self._watch()
        self._redraw()  # once for all of them

    def _redraw(self, _change=None) -> None:
        try:
            self._picture = self._view(**{name: control.value for name, control in self.controls.items()})
        except Exception as error:
            self._text.value = f'<b style="color:#b00020">{html.escape(f"{type(error).__name__}: {error}")}</b>'
            raise
        self._image.value = self._picture.png
        self._text.value = html.escape(self._picture.alt)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={control.value!r}" for name, control in self.controls.items())
        return f"Explorer({values}): {self._picture.alt}"

    def _repr_mimebundle_(self, **_):
        data, metadata = self._picture._repr_mimebundle_()
        live = self._box._repr_mimebundle_()
        return live | data | {"text/plain": repr(self)}, metadata


def sliders(view: Callable[..., Picture], **ranges: tuple | list) -> Explorer:
    """Put sliders and menus on a view.

    Parameters
    ----------
    view : callable
        Pure: keyword arguments to `Picture`. Its defaults are where the controls start.
    **ranges : (start, stop, step) or list
        For each argument to control: a tuple of numbers makes a slider (stop included), a list a menu. A name that
        ends in ``_px`` or ``_mm``, and ``dilation_size``, gets its unit as part of the label.

    Returns
    -------
    Explorer

    Raises
    ------
    InputError
        If ``view`` has no such argument, or no default for it.

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
    parameters = inspect.signature(view).parameters
    controls = {}
    for name, values in ranges.items():
        if name not in parameters or parameters[name].default is inspect.Parameter.empty:
            raise InputError(f"expected an argument of {view.__name__} that has a default, got {name}")
        controls[name] = _control(name, parameters[name].default, values)
    return Explorer(view, controls)


def _control(name: str, value: object, values: tuple | list) -> widgets.Widget:
    look = {"description": _label(name), "style": {"description_width": "initial"}}
    look["layout"] = widgets.Layout(width="420px")
    if isinstance(values, list):
        return widgets.Dropdown(options=values, value=value, **look)
    start, stop, step = values
    kind = widgets.IntSlider if all(isinstance(v, int) for v in values) else widgets.FloatSlider
    return kind(value=value, min=start, max=stop, step=step, continuous_update=False, **look)


def _label(name: str) -> str:
    unit = "px" if name == "dilation_size" else name.rpartition("_")[2]
    words = name.removesuffix(f"_{unit}") if unit in ("px", "mm") else name
    return words.replace("_", " ") + (f" [{unit}]" if unit in ("px", "mm") else "")
