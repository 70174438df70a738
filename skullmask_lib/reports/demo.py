"""The demo: the lessons of the journey, run on the phantom and bound into one page."""

import base64
from collections.abc import Callable
from pathlib import Path

from .. import plots, tables
from ..batches.workers import cores
from ..io import outputs
from ..sweeps import LADDER_HEADER, phantom_ladder
from . import folders, notebooks, pages, running

# Each kernel takes a quarter of a gigabyte
_MOST_AT_ONCE = 8

_CAPTION = (
    "Mean IoU over five slices. The five slices behind the published figures are not public; "
    "the phantom stands in for them. *By construction* marks what the phantom was calibrated to, "
    "*prediction* what it was not, *reconstruction* what we chose because the source names "
    "nothing; *other seeds* are four heads that nothing was calibrated on. v8 is ours, and v9 is "
    "v8 with the opinion of a network, which lesson 30 explains. Not for clinical use."
)

# The same in a terminal, in short
LEGEND = (
    "Mean IoU over five slices: the published ones, and those of a phantom that stands in for",
    "them; other seeds: heads that nothing was calibrated on. The page explains the agreement.",
)


def demo(folder: str | Path, *, progress: Callable[[], object] | None = None) -> Path:
    """Run the lessons of the journey on the phantom and bind them into ``index.html``.

    As many lessons run at a time as there are cores, but no more than 8. The page begins with the
    ladder: what each version scores, published and measured.

    Parameters
    ----------
    folder : str or path
        Created if missing; a page that is already there is replaced.
    progress : callable, optional
        Called after each lesson.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If the folder cannot be written, or its folder ``failed`` holds anything but what ran of
        an earlier demo.
    RuntimeError
        If a lesson fails. What ran of it is kept in the folder, and named in the message.

    Examples
    --------
    >>> demo("missing/folder")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: missing/folder: cannot be written, missing does not exist
    """
    folder = Path(folder)
    failed_folder = folder / "failed"
    folders.check_remains(failed_folder)
    outputs.make_single_folder(folder)
    with outputs.replacing(folder / "index.html") as temporary:
        chapters = _run_lessons(temporary.parent, failed_folder, progress)
        pages.page(chapters, temporary, name="The skull mask, v1 to v8", top=_ladder())
    return folder / "index.html"


def _run_lessons(
    folder: Path,
    failed_folder: Path,
    progress: Callable[[], object] | None,
) -> list[Path]:
    """Run the lessons into a folder, several at a time; the first that fails ends the others."""
    executed = {lesson: folder / lesson.name for lesson in notebooks.journey()}

    def run(lesson: Path) -> RuntimeError | None:
        try:
            running.execute(lesson, executed[lesson], folder=folder)
        except RuntimeError as error:
            return error
        return None

    with running.several(run, executed, min(cores(), _MOST_AT_ONCE)) as ended:
        for lesson, error in ended:
            if error:
                kept = folders.keep_failed(executed[lesson], failed_folder, {})
                raise RuntimeError(f"{error}{kept}")
            if progress:
                progress()
    return list(executed.values())


def _ladder() -> str:
    """Compare the ladder of the phantom with the published one: a chart and a table in Markdown."""
    rungs = phantom_ladder()
    chart = plots.ladder_picture(rungs)
    png = base64.b64encode(chart.png).decode()
    picture = f"![{chart.alt}](data:image/png;base64,{png})"
    table = tables.markdown(rungs, LADDER_HEADER).data
    return f"{picture}\n\n{table}\n\n{_CAPTION}"
