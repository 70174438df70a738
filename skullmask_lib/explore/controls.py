"""Sliders, menus and checkboxes for the arguments of a view, made from its signature.

To add a slider, add an annotated argument to a function in `views`; it needs no change here. Single
widgets are made here; `explorers` puts them together.
"""

import inspect
import numbers
import typing
from collections.abc import Callable, Mapping

import ipywidgets as widgets

from ..errors import InputError, Range
from ..plots import Picture

_UNITS = {"px": "px", "mm": "mm", "percent": "%"}  # endings of names to what a label shows


def from_signature(
    view: Callable[..., Picture],
    ranges: Mapping[str, tuple | list],
) -> dict[str, widgets.Widget]:
    """Make a control for each argument of a view that has a range.

    Parameters
    ----------
    view : callable
    ranges : mapping of str to tuple or list
        See `explorers.sliders`.

    Returns
    -------
    dict of str to ipywidgets.Widget
        In the order of the signature.

    Raises
    ------
    InputError
        If there is no such argument, or it has no default.

    Examples
    --------
    >>> def view(*, width_px=3, title=""):
    ...     raise NotImplementedError
    >>> controls = from_signature(view, {"width_px": (1, 9, 2)})
    >>> {name: control.description for name, control in controls.items()}
    {'width_px': 'width [px]'}
    """
    parameters = inspect.signature(view, eval_str=True).parameters
    for name in ranges:
        if name not in parameters or parameters[name].default is inspect.Parameter.empty:
            raise InputError(f"expected an argument of the view that has a default, got {name}")
    controls = {}
    for name, parameter in parameters.items():
        offer = ranges.get(name) or _annotated_offer(parameter.annotation)
        if offer:
            controls[name] = control(name, parameter.default, offer)
    return controls


def _annotated_offer(annotation: object) -> Range | list | None:
    """Read from a type what a control can offer."""
    if annotation is bool:
        return [False, True]
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Literal:
        return list(arguments)
    for metadata in arguments[1:]:
        if isinstance(metadata, Range):
            return metadata
    return None


def control(name: str, value: object, offer: tuple | list) -> widgets.Widget:
    """Make one control.

    Parameters
    ----------
    name : str
        Becomes the label.
    value : object
        Where the control starts.
    offer : (start, stop, step), Range or list
        Numbers make a slider, a list a menu, and a list of False and True a checkbox.

    Returns
    -------
    ipywidgets.Widget

    Raises
    ------
    InputError
        If ``value`` is not between start and stop, or not in the list.

    Examples
    --------
    >>> control("blur_mm", 1.5, (0, 6, 0.5))
    FloatSlider(value=1.5, description='blur [mm]', ...
    """
    words, unit = _words_and_unit(name)
    if isinstance(offer, Range):
        unit = offer.unit
    label = f"{words} [{unit}]" if unit else words
    look = {
        "description": label,
        "style": {"description_width": "initial"},
        "layout": layout("420px"),
    }
    if isinstance(value, bool) and set(offer) == {False, True}:
        return widgets.Checkbox(value=value, indent=False, **look)
    if isinstance(offer, list):
        if value not in offer:
            raise InputError(f"expected a {words} of {offer}, got {value!r}")
        return widgets.Dropdown(options=offer, value=value, **look)
    start, stop, step = offer[:3]
    if not isinstance(value, numbers.Real) or not start <= value <= stop:
        raise InputError(f"expected a {words} from {start} to {stop}, got {value!r}")
    slider = widgets.FloatSlider
    if {type(value), type(start), type(stop), type(step)} == {int}:
        slider = widgets.IntSlider
    return slider(value=value, min=start, max=stop, step=step, **look)


def _words_and_unit(name: str) -> tuple[str, str]:
    """Split the name of an argument into words for its label, and its unit or nothing."""
    stem, _, ending = name.rpartition("_")
    if ending in _UNITS:
        return stem.replace("_", " "), _UNITS[ending]
    return name.replace("_", " "), ""


def layout(max_width: str = "100%") -> widgets.Layout:
    """Lay out a widget as wide as the page, up to a limit.

    Parameters
    ----------
    max_width : str
        In the units of CSS.

    Returns
    -------
    ipywidgets.Layout

    Examples
    --------
    >>> layout("420px").max_width
    '420px'
    """
    return widgets.Layout(width="100%", max_width=max_width)
