"""The commands that run notebooks: ``demo`` and ``report``."""

import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from ..reports import grids, notebooks
from ..reports import report as reports
from ..reports.demo import LEGEND
from ..reports.demo import demo as make_demo
from ..sweeps import LADDER_HEADER, phantom_ladder
from . import commands, options, terminal
from .judging import warn_if_doubtful

app = commands.new_app()

_PARAMETERS_HELP = (
    "Parameter of the notebook; may be repeated. Of report: title, slices=0:9 (stop included), "
    "overlay_count (of slices to draw), dilation_size, sizes=1:61:2 (to sweep), "
    "spacing_mm=0.42,0.42, channel. Lessons have others."
)
_Version = Annotated[
    str | None,
    typer.Option(help=f"{options.VERSIONS}; of several, as v8,v7, the first makes the masks."),
]
_Parameters = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", metavar="NAME=VALUE", help=_PARAMETERS_HELP),
]
_Notebook = Annotated[
    str,
    typer.Option(
        parser=options.source,
        metavar="NOTEBOOK",
        help="report, a lesson such as 05_v6_dilation_sweep, or a file.",
    ),
]
_Grid = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUES",
        help="One report for each value, as 16:36:4 or v5,v7; may be repeated.",
    ),
]
_Jobs = Annotated[
    int,
    typer.Option(min=1, help="How many reports of a grid run at a time."),
]


@app.command(epilog="Example:\n\n  skullmask demo --out my_demo")
def demo(
    out: Annotated[Path, options.path_option(help="Folder for the page.")] = Path("skullmask_demo"),
) -> None:
    """Run the journey on the phantom and write it as one page that opens offline.

    The page begins with the ladder: the score of every version.
    """
    with terminal.progress_bar(len(notebooks.journey()), "lesson") as bar:
        page = make_demo(out, progress=bar.update)
    terminal.say_table(phantom_ladder(), LADDER_HEADER)
    terminal.say("", *LEGEND, f"The page: {page}")


@app.command(
    epilog="Examples:\n\n"
    "  skullmask report head.nii.gz -o head_report\n\n"
    "  skullmask report slices.npy --truth masks.npy -o five --version v8,v7 "
    "-p title='Five slices'\n\n"
    "  skullmask report slices.npy --truth masks.npy -o sweep --notebook 05 -p sizes=10:40:2\n\n"
    "  skullmask report slices.npy --truth masks.npy -o grid --version v7 "
    "--grid dilation_size=16:36:4 --jobs 2",
)
def report(
    images: options.Images,
    output: Annotated[
        Path,
        options.path_option("-o", "--output", help="Folder for the report, made if missing."),
    ],
    truth: options.Truth = None,
    version: _Version = None,
    parameter: _Parameters = None,
    notebook: _Notebook = "report",
    grid: _Grid = None,
    jobs: _Jobs = 1,
) -> None:
    """Run a notebook on your slices and write its report: one page that opens offline.

    With --grid there is one report for each combination of values and a page that compares them.
    A second run makes only what is missing.
    """
    path = notebooks.find(notebook)
    single = [notebooks.split(text) for text in parameter or ()]
    if version:
        single.append(("version", version))
    several = [notebooks.split(text) for text in grid or ()]
    _check_named_once([name for name, _ in single + several])
    settings = {
        "truth": truth,
        "notebook": path,
        "parameters": {name: notebooks.read(path, name, text) for name, text in single},
    }
    values = {name: notebooks.read_values(path, name, text) for name, text in several}
    if values:
        _make_grid(images, output, values, jobs, settings)
    else:
        _make_report(images, output, settings)


def _check_named_once(names: list[str]) -> None:
    """Refuse a parameter that was given twice."""
    for name in names:
        count = names.count(name)
        if count > 1:
            raise InputError(f"expected {name} once, got it {count} times")


def _make_report(images: str, output: Path, settings: dict[str, object]) -> None:
    """Make one report, and warn of the masks in it that should be looked at."""
    bar = {
        "file": sys.stderr,
        "disable": None,
        "leave": False,
        "desc": settings["notebook"].stem,
    }
    page = reports.report(images, output, progress_bar=bar, **settings)
    terminal.say(f"The report: {page}")
    for row in reports.scores(output):
        name = _name_in_folder(row.get("name", ""), images)
        warn_if_doubtful(name, row.get("quality", 1))


def _name_in_folder(name: str, images: str) -> str:
    """Name a slice as ``skullmask mask`` does: a report hides the name of a folder."""
    folder = Path(images)
    if folder.is_dir() and name.startswith(f"{reports.SERIES}["):
        number = name.removeprefix(reports.SERIES)
        return f"{folder.absolute().name}{number}"
    return name


def _make_grid(
    images: str,
    output: Path,
    values: dict[str, Iterable[object]],
    jobs: int,
    settings: dict[str, object],
) -> None:
    """Make a report for each combination of values; those that fail are an error at the end."""
    count = math.prod(map(len, values.values()))
    with terminal.progress_bar(count, "report") as bar:
        failed = grids.grid(images, output, values, jobs=jobs, progress=bar.update, **settings)
    index = output / "index.html"
    terminal.say(f"The reports: {index}")
    if failed:
        names = ", ".join(failed)
        raise RuntimeError(f"{len(failed)} of {count} failed: {names}; their pages show the error")
