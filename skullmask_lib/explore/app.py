"""The app: all views on one page, for a data set or a file of the user's own.

Questions, sources and uploads live here; how a picture is redrawn is in `explorers`.
"""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import ipywidgets as widgets
import numpy as np

from .. import texts, views
from ..errors import InputError, InputWarning
from ..io import datasets
from ..plots import Picture
from . import controls as making
from .explorers import Explorer, as_lines, red

UPLOAD_LIMIT_MB = 64
_BYTES_PER_MB = 1e6
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

QUESTIONS = {
    "v1 · Which threshold?": views.largest_component,
    "v2 · Where does the flood arrive?": views.flood,
    "v3, v4 · Another threshold?": views.thresholds,
    "v5 · What is the frame rule worth?": views.frame_rule,
    "v6, v7 · How wide?": views.width,
    "v8 · Where does the path run?": views.boundary,
    "v9 · What does the network say?": views.second_opinion,
    "Any version, stage by stage": views.stages,
    "Two versions side by side": views.versus,
}


@dataclass(frozen=True)
class _Source:
    """A data set on offer, and the Python that loads it."""

    data: datasets.Data
    call: str


class App:
    """All views on one page: a question, a data set or an own file, a slice, and the controls.

    Parameters
    ----------
    source, truth, channel
        See `datasets.load`.

    Attributes
    ----------
    question, source, slice_index, opacity : ipywidgets.Widget
        Shared by all explorers.
    upload, channel : ipywidgets.Widget
        An own file, and which channel of it to take if it is in colour.
    explorers : dict of str to Explorer
        One for every key of `QUESTIONS`; the one of the chosen question is shown.

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

    def __init__(
        self,
        source: str = "phantom",
        *,
        truth: str | None = None,
        channel: int | None = None,
    ):
        self._sources = {}
        for phantom in datasets.PHANTOMS:
            data = datasets.load(phantom)
            self._sources[phantom] = _Source(data, _load_call(phantom, None))
        name = Path(source).name
        with warnings.catch_warnings(record=True, action="always") as caught:
            data = datasets.load(source, truth=truth, channel=channel)
        self._sources[name] = _Source(data, _load_call(str(source), channel))
        self._file: dict = {}

        middle = len(data.images) // 2
        self.question = widgets.RadioButtons(options=list(QUESTIONS), layout=making.layout())
        self.source = making.control("data", name, list(self._sources))
        self.slice_index = making.control("slice", middle, (0, middle + 1, 1))
        self.opacity = making.from_signature(views.width, {})["opacity"]
        self.explorers = {}
        for question, view in QUESTIONS.items():
            self.explorers[question] = self._explorer(view)
        self._build()
        if caught:
            self._message.value = as_lines(_remarks(caught))
        self.question.observe(self._ask, names="value")
        self.upload.observe(self._open, names="value")
        self.channel.observe(self._open, names="value")
        with contextlib.suppress(InputError):  # the page shows it
            self._ask()

    def _explorer(self, view: Callable[..., Picture]) -> Explorer:
        """Put the controls of a view between those that all views share."""
        shared = {"source": self.source, "slice_index": self.slice_index}
        controls = shared | making.from_signature(view, {})
        controls["opacity"] = self.opacity
        last = {"slice_index": self._last_slice}
        if "stage" in controls:
            last["stage"] = _last_stage
        return Explorer(
            self._drawing(view),
            controls,
            last=last,
            kept=shared,
            offers=True,
            live=False,
        )

    def _build(self) -> None:
        """Make the widgets around the explorers."""
        suffixes = [suffix.removeprefix(".nii") or suffix for suffix in datasets.SUFFIXES]
        self.upload = widgets.FileUpload(description="own file", accept=",".join(suffixes))
        self.channel = making.control("channel", "none", ["none", *range(4)])
        wanted = f"{', '.join(datasets.SUFFIXES)}, up to {UPLOAD_LIMIT_MB} MB"
        self._message = widgets.HTML(wanted)
        self._own = widgets.HBox([self.upload, self.channel])
        column = widgets.Layout(width="340px", flex="0 0 auto", margin="0 24px 0 0")
        self._side = widgets.VBox(layout=column)
        self._box = widgets.HBox([self._side])
        self._box.add_class("skullmask-explorer")

    def _last_slice(self, values: dict[str, object]) -> int:
        return len(self._sources[values["source"]].data.images) - 1

    def _drawing(self, view: Callable[..., Picture]) -> Callable[..., Picture]:
        """Let a view draw a slice of a source by name, and complete its call."""

        def draw(*, source: str, slice_index: int, **options) -> Picture:
            chosen = self._sources[source]
            try:
                picture = view(chosen.data, slice_index=slice_index, **options)
            except InputError as error:
                name = chosen.data.names[slice_index]
                raise error.at(name) from None
            lines = [
                "import skullmask_lib as sm",
                f"image = {chosen.call}.images[{slice_index}]",
                f"mask = {picture.call}",
            ]
            return replace(picture, call="\n".join(lines))

        return draw

    def _ask(self, _change=None) -> None:
        """Show the explorer of the chosen question."""
        for question, explorer in self.explorers.items():
            explorer.live = question == self.question.value
        chosen = self.explorers[self.question.value]
        self._side.children = (self.question, chosen.panel, self._own, self._message)
        self._box.children = (self._side, chosen.stage)
        chosen.redraw()

    def _open(self, _change=None) -> None:
        """Load the own file; if it cannot be used, say so in red and change nothing."""
        if self.upload.value:
            [self._file] = self.upload.value
            self.upload.value = ()  # the next file may have the same name; this calls us again
            return
        if not self._file:
            return
        name = Path(self._file["name"]).name
        channel = self._chosen_channel()
        try:
            data, remarks = _read_upload(self._file, name, channel)
        except MemoryError:
            self._message.value = _no_memory(name)
            return
        except (OSError, InputError) as error:
            self._message.value = red(str(error))
            return
        self._sources[name] = _Source(data, _load_call(name, channel))
        rows, columns = data.images.shape[1:]
        count = len(data.images)
        size = f"{texts.plain(name)}: slices: {count}, each {rows} × {columns} px"
        self._message.value = as_lines([size, *remarks])
        try:
            self._choose(name, count)
        except MemoryError:
            self._message.value = _no_memory(name)

    def _chosen_channel(self) -> int | None:
        if self.channel.value == "none":
            return None
        return self.channel.value

    def _choose(self, name: str, count: int) -> None:
        """Choose a source, and the slice in its middle."""
        explorer = self.explorers[self.question.value]
        with explorer.still():
            self.source.options = list(self._sources)
            self.source.value = name
            self.slice_index.max = max(count - 1, 1)
            self.slice_index.value = count // 2
        explorer.redraw()

    def __repr__(self) -> str:
        return repr(self.explorers[self.question.value])

    def _repr_mimebundle_(self, **_):
        data, metadata = self.explorers[self.question.value]._repr_mimebundle_()
        data[_WIDGET_VIEW] = self._box._repr_mimebundle_()[_WIDGET_VIEW]
        return data, metadata


def _last_stage(values: dict[str, object]) -> int:
    return views.count_stages(values["version"])


def _load_call(source: str, channel: int | None) -> str:
    """Write the Python that loads a source."""
    if channel is None:
        return f"sm.load({source!r})"
    return f"sm.load({source!r}, channel={channel})"


def _read_upload(
    file: dict,
    name: str,
    channel: int | None,
) -> tuple[datasets.Data, list[str]]:
    """Load an uploaded file with the checks of the command line; also return its warnings."""
    size_mb = file["size"] / _BYTES_PER_MB
    if size_mb > UPLOAD_LIMIT_MB:
        raise InputError(
            f"expected up to {UPLOAD_LIMIT_MB} MB, got {size_mb:.0f} MB; "
            f"open it with: skullmask explore {name}",
            where=name,
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        try:
            with warnings.catch_warnings(record=True, action="always") as caught:
                path.write_bytes(file["content"])
                data = datasets.load(path, channel=channel)
                images = np.array(data.images)  # in memory: the file goes
        except (OSError, ValueError) as error:  # ValueError for a name that no file can have
            raise _outside(folder, error, InputError) from None
    return replace(data, images=images), _remarks(caught, folder)


def _outside(folder: str, problem: Exception, kind: type) -> Exception:
    """Leave out the name of the temporary folder that an upload was opened in."""
    if not isinstance(problem, (InputError, InputWarning)):
        return kind(_without(folder, str(problem)))
    message = _without(folder, problem.message)
    if problem.where is None:
        return kind(message)
    return kind(message, _without(folder, problem.where))


def _without(folder: str, text: str) -> str:
    if folder:
        text = text.replace(f"{Path(folder)}{os.sep}", "")
    return texts.plain(text)


def _remarks(caught: list[warnings.WarningMessage], folder: str = "") -> list[str]:
    """Collect what was noticed while a file was read, one line for many slices."""
    remarks = [_outside(folder, warning.message, InputWarning) for warning in caught]
    return texts.grouped(remarks)


def _no_memory(name: str) -> str:
    return red(f"{name}: does not fit in memory")
