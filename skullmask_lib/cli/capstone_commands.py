"""The group of commands ``capstone``: a secret head for a class, and what comes back from it."""

import csv
import secrets
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer

from .. import capstone, raters, texts
from ..errors import InputError
from ..io import datasets, outputs
from . import commands, options, terminal

app = commands.new_app()
group = typer.Typer(rich_markup_mode=None)
app.add_typer(group, name="capstone")

_SEEDS = 2**48  # too many to try: a head takes a second


@group.callback(
    invoke_without_command=True,
    epilog="Examples:\n\n"
    "  skullmask capstone draw -o secret\n\n"
    "  skullmask capstone score submissions secret/teacher/head.npz\n\n"
    "  skullmask capstone agree traces secret/students/slices.npz",
)
def _capstone(context: typer.Context) -> None:
    """For teachers: a head that the class has not seen, scores and agreement."""
    commands.show_help_without_command(context)


@group.command(
    short_help="Draw a secret head, with its truth apart.",
    epilog="Example:\n\n  skullmask capstone draw -o secret --contrast T2",
)
def draw(
    output: Annotated[
        Path,
        options.path_option("-o", "--output", help="Folder for both parts, made if missing."),
    ],
    contrast: Annotated[
        Literal["T1", "T2", "FLAIR"], typer.Option(help="Contrast of the images.")
    ] = "T1",
    seed: Annotated[
        int | None, typer.Option(help="Draws the same head again; a secret one by default.")
    ] = None,
) -> None:
    """Draw five slices of a head, without its truth for students and with it for the teacher."""
    if seed is None:
        seed = secrets.randbelow(_SEEDS)
    capstone.write(capstone.draw(seed, contrast=contrast), output)
    terminal.say(f"for the students: {output / capstone.FOR_STUDENTS}")
    terminal.say(f"for you alone: {output / capstone.FOR_THE_TEACHER}")
    terminal.say(f"for you alone: --seed {seed} draws this head again")


_Folder = Annotated[
    str,
    options.source_argument(
        "FOLDER",
        help="A file of masks or a folder of pictures for each student; its name is the student's.",
    ),
]


@group.command(
    short_help="Score the masks of a class.",
    epilog="Examples:\n\n"
    "  skullmask capstone score submissions secret/teacher/head.npz\n\n"
    "  skullmask capstone score submissions truth.nii.gz -o scores.csv",
)
def score(
    folder: _Folder,
    truth: Annotated[
        str,
        options.source_argument("TRUTH", help="A head with its truth, or true masks."),
    ],
    output: Annotated[
        Path | None, options.path_option("-o", "--output", help="CSV for the table.")
    ] = None,
) -> None:
    """Score the masks of a class, the best first.

    Equal scores get equal ranks. A submission that cannot be used gets one line that says why.
    """
    _check_elsewhere(output, folder)
    data = _with_truth(truth)
    rows = capstone.rank(_read(folder, data), data)
    unit = data.length_unit
    header = ("rank", "submission", "IoU", "worst IoU", "area error")
    header += (f"mean surface distance [{unit}]", f"HD95 [{unit}]")
    order = [(row.iou, row.hd95) for row in rows]
    ranked = [(1 + order.index((row.iou, row.hd95)), *row) for row in rows]
    if output:
        written = [(place, texts.csv_text(name), *scores) for place, name, *scores in ranked]
        with (
            outputs.replacing(output, folder, truth) as incomplete,
            open(incomplete, "w", newline="", encoding="utf-8") as file,
        ):
            csv.writer(file).writerows([header, *written])
    terminal.say_table(ranked, header)


@group.command(
    short_help="Compare traces of the same slices.",
    epilog="Examples:\n\n"
    "  skullmask capstone agree traces secret/students/slices.npz\n\n"
    "  skullmask capstone agree traces head.nii.gz -o consensus.npz --plot agreement.png",
)
def agree(
    folder: _Folder,
    images: Annotated[str, options.source_argument("IMAGES", help="The slices that were traced.")],
    output: Annotated[
        Path | None,
        options.path_option(
            "-o",
            "--output",
            help="File for the masks of the majority: a .npz holds the slices, too, with these "
            "masks as their truth; a .npy, or .nii.gz for NIfTI or DICOM, holds the masks alone.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, options.path_option(help="PNG that shows where the traces differ.")
    ] = None,
) -> None:
    """Compare traces of the same slices with each other; nobody needs to know the truth.

    A slice that a student has not traced is empty, and does not count.
    """
    if plot and plot.suffix.lower() != ".png":
        raise InputError("expected a name that ends in .png", where=plot)
    for file in (output, plot):
        _check_elsewhere(file, folder)
    data = datasets.load(images)
    traces = _without_suffixes(_read(folder, data))
    if len(traces) < 2:
        raise InputError(f"expected traces of two or more, got {len(traces)}", where=folder)
    if output:
        capstone.write_consensus(raters.majority(traces), output, data, keep=[folder])
    _say_agreement(traces, data)
    if output:
        terminal.say(f"The masks of the majority: {output}")
    if plot:
        from .. import drawings  # imports matplotlib, which no other command of this module needs

        with outputs.replacing(plot, folder, images) as incomplete:
            incomplete.write_bytes(drawings.agreement_picture(traces, data).png)
        terminal.say(f"The picture: {plot}")


def _without_suffixes(traces: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Name traces as their files without suffixes, unless they differ in nothing else."""
    names = [_without_suffix(name) for name in traces]
    if len(set(names)) < len(names):
        return traces
    return dict(zip(names, traces.values(), strict=True))


def _without_suffix(name: str) -> str:
    """Cut off what says how a file is read: ``v1.anna.nii.gz`` is ``v1.anna``."""
    for suffix in sorted(datasets.SUFFIXES, key=len, reverse=True):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _say_agreement(traces: dict[str, np.ndarray], data: datasets.Data) -> None:
    """Print how well every two raters agree, and how each differs from the others."""
    unit = data.length_unit
    pairs = raters.pairs(traces, data.spacing_mm)
    header = ("first", "second", "slices", "IoU", "Dice", f"mean surface distance [{unit}]")
    terminal.say_table(pairs, header)
    terminal.say("")
    deviations = raters.deviations(traces, data.spacing_mm)
    header = ("beside the others", "slices", "IoU", "area error", f"outwards [{unit}]")
    terminal.say_table(deviations, header)


def _check_elsewhere(output: Path | None, folder: str) -> None:
    """Refuse an output that would replace a submission, or be taken for one the next time."""
    if output and Path(folder).resolve() in output.resolve().parents:
        raise InputError(f"lies in {folder}, among the submissions; choose another", where=output)


def _with_truth(source: str) -> datasets.Data:
    """Load a head with its truth, or masks that are the truth themselves."""
    data = datasets.load(source)
    if data.truth is not None:
        return data
    try:
        return datasets.load(source, truth=source)
    except InputError as error:
        hint = "name the teacher's head.npz or a file of masks"
        reason = f"holds images but no truth ({error.message})"
        if data.origin and data.origin.format == ".npz":
            reason = "holds images but no truth"
        raise InputError(f"{reason}; {hint}", where=source) from None


def _read(folder: str, data: datasets.Data) -> dict[str, np.ndarray]:
    """Read what the class handed in, and warn of what cannot be used."""
    problems: list[InputError] = []

    def warn(problem: InputError) -> None:
        problems.append(problem)
        terminal.warn(str(problem.where), f"left out: {problem.message}")

    masks = capstone.submissions(folder, data, warn)
    if not masks:
        first = problems[0]
        reason = f"the first problem is {first.where}: {first.message}"
        raise InputError(f"holds no masks that can be used; {reason}", where=folder)
    return masks
