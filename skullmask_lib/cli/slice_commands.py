"""The commands for slices: ``mask``, ``score`` and ``sweep``."""

import contextlib
import itertools
from pathlib import Path
from typing import Annotated

import typer

from .. import metrics, sweeps, texts, versions
from ..errors import InputError
from ..io import datasets, outputs
from . import commands, judging, options, score_tables, terminal

app = commands.new_app()


def _list_of_versions() -> str:
    """Say of each version what it does: the first line of its docstring."""
    lines = []
    for name, function in versions.VERSIONS.items():
        docstring = function.__doc__ or ""  # none with python -OO
        summary = docstring.partition("\n")[0]
        lines.append(f"{name}: {summary}\n")
    return "\n".join(lines)


_MASKS_HELP = (
    "Where the masks go: .npy, .nii.gz for NIfTI or DICOM, .png for a picture, "
    "a folder for a folder."
)


@app.command(
    epilog=f"Versions:\n\n{_list_of_versions()}\n"
    "Examples:\n\n"
    "  skullmask mask slices.npy -o masks.npy\n\n"
    "  skullmask mask head.nii.gz -o skull.nii.gz --version v7 --dilation-size 13\n\n"
    "  skullmask mask slice.png -o mask.png --truth truth.png\n\n"
    "  skullmask mask slice.png -o mask.png --spacing 0.42 0.42\n\n"
    "  skullmask mask head.nii.gz -o masks.npy --slices 60:120:10\n\n"
    "  skullmask mask chris -o masks.npy",
)
def mask(
    input: Annotated[str, options.source_argument("INPUT")],
    output: Annotated[Path, options.path_option("-o", "--output", help=_MASKS_HELP)],
    version: options.Version = None,
    dilation_size: options.DilationSize = None,
    spacing: options.Spacing = None,
    truth: options.Truth = None,
    channel: options.Channel = None,
    slices: options.Slices = None,
    axis: options.Axis = options.AXIAL,
) -> None:
    """Make the skull mask of every slice, and name the slices whose mask should be looked at.

    If the truth is empty on some slices but not on others, it counts as unknown there, and these
    slices get no scores.
    """
    settings = options.version_options(dilation_size)
    version, _ = versions.choose(version, settings)
    if slices is not None and output.suffix.lower() != ".npy":
        raise InputError("the masks of some slices alone go into a .npy", where=output)
    data = datasets.load(
        input,
        truth=truth,
        channel=channel,
        slices=options.slice_range(slices),
        axis=axis,
    )
    data = data.spaced(spacing)
    masks = versions.masks_with_quality(data, version=version, **settings)
    masks = terminal.progress_bar(len(data.images), "slice", masks)
    judgements: list[judging.Judgement] = []
    datasets.write_masks(
        judging.judge_masks(masks, data, judgements),
        output,
        data,
        keep=[truth] if truth else [],
    )
    _say_outcome(judgements, version, output)
    if data.truth is not None:
        score_tables.say_scores([judgement.scores for judgement in judgements], data.names)
        profiles = [judgement.profile for judgement in judgements]
        judging.warn_of_skipped_planes(data, truth or input, profiles, axis)


def _say_outcome(judgements: list[judging.Judgement], version: str, output: Path) -> None:
    """Say how many masks were written, and how many of them are doubtful or empty."""
    count = len(judgements)
    counts = {
        "to look at": sum(judgement.is_doubtful for judgement in judgements),
        "empty": sum(judgement.is_empty for judgement in judgements),
    }
    remarks = ", ".join(f"{number} {what}" for what, number in counts.items() if number)
    written = f"{texts.counted(count, 'mask')} by {version} → {output}"
    terminal.say(f"{written}; {remarks}" if remarks else written)


@app.command(
    epilog="Examples:\n\n"
    "  skullmask score masks.npy truth.npy\n\n"
    "  skullmask score a.nii.gz b.nii.gz --json\n\n"
    "  skullmask score masks.npy truth.npy --spacing 0.42 0.42",
)
def score(
    pred: Annotated[str, options.source_argument("PRED", help="Masks to score.")],
    truth: Annotated[
        str,
        options.source_argument("TRUTH", help="True masks, of the same shape."),
    ],
    spacing: options.Spacing = None,
    slices: options.Slices = None,
    axis: options.Axis = options.AXIAL,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print JSON; what is infinite or unknown becomes null."),
    ] = False,
) -> None:
    """Score masks against the truth, slice by slice and on average.

    If the truth is empty on some slices but not on others, it counts as unknown there, and these
    slices are left out of the means.
    """
    part = options.slice_range(slices)
    data = datasets.load(pred, truth=truth, slices=part, axis=axis)
    data = data.spaced(spacing)
    if data.truth is None:
        raise InputError(datasets.NONE_KNOWN, where=truth)
    masks = datasets.binary(data.images, pred)
    masks = terminal.progress_bar(len(masks), "slice", masks)
    profiles: list[judging.Profile] = []
    masks = judging.keep_profiles(masks, profiles)
    scores = metrics.score_slices(masks, data.truth, data.spacing_mm)
    judging.warn_of_skipped_planes(data, truth, profiles, axis)
    if as_json:
        score_tables.print_json(scores, data.names)
    else:
        score_tables.say_scores(scores, data.names)


_SweepTruth = Annotated[
    str | None,
    options.source_argument(
        "[TRUTH]",
        help="True masks; a phantom or a head brings its own.",
    ),
]
_Sizes = Annotated[
    str,
    typer.Option(help="Dilation widths in pixels, start:stop:step, stop included."),
]
_Table = Annotated[
    Path | None,
    options.path_option("-o", "--output", help="CSV for the scores of every slice."),
]
_Plot = Annotated[
    Path | None,
    options.path_option(help="PNG for the curve."),
]


@app.command(
    epilog="Examples:\n\n"
    "  skullmask sweep slices.npy truth.npy\n\n"
    "  skullmask sweep slices.npy truth.npy --sizes 10:40:2 -o sweep.csv --plot sweep.png\n\n"
    "  skullmask sweep chris --sizes 9:21:2",
)
def sweep(
    images: options.Images,
    truth: _SweepTruth = None,
    sizes: _Sizes = "1:61:2",
    output: _Table = None,
    plot: _Plot = None,
    slices: options.Slices = None,
    axis: options.Axis = options.AXIAL,
) -> None:
    """Score v7 at many dilation widths; the choice of the best one is also scored leave-one-out.

    If the truth is empty on some slices but not on others, it counts as unknown there, and these
    slices are left out.
    """
    widths = sweeps.parse_range(sizes)
    part = options.slice_range(slices)
    data = datasets.load(images, truth=truth, slices=part, axis=axis)
    _check_truth(data, images, truth, slices)
    _check_suffix(output, ".csv")
    _check_suffix(plot, ".png")
    inputs = [images, truth] if truth else [images]
    with contextlib.ExitStack() as stack:
        table = stack.enter_context(_replacing(output, inputs))
        curve = stack.enter_context(_replacing(plot, inputs))
        result = _sweep_widths(data, widths)
        if table:
            _write_table(result, data, table)
        if curve:
            _draw(result, curve)
    score_tables.say_sweep(result)
    if judging.come_from_volume(data, axis):
        masks = versions.mask_slices(
            data.images,
            names=data.names,
            version="v7",
            dilation_size=result.best_size,
        )
        profiles = [judging.profile(mask) for mask in masks]
        judging.warn_of_skipped_planes(data, truth or images, profiles, axis)
    score_tables.say_unknown_slices(metrics.known_slices(data.truth))


def _check_truth(
    data: datasets.Data,
    images: str,
    truth: str | None,
    slices: str | None,
) -> None:
    """Refuse to choose a width where there is no truth to choose it by."""
    if data.truth is None:
        if truth is not None:
            raise InputError(datasets.NONE_KNOWN, where=truth)
        which = "" if slices is None else " of these slices"
        raise InputError(f"brings no truth{which}; name the true masks as well", where=images)
    if not data.truth.any():
        raise InputError("the truth is empty, so no width is the best", where=truth or images)


def _check_suffix(file: Path | None, suffix: str) -> None:
    if file and file.suffix.lower() != suffix:
        raise InputError(f"expected a name that ends in {suffix}", where=file)


def _replacing(
    output: Path | None,
    inputs: list[str],
) -> contextlib.AbstractContextManager[Path | None]:
    """Open an output that appears whole or not at all, if one is wanted."""
    if output is None:
        return contextlib.nullcontext()
    return outputs.replacing(output, *inputs)


def _sweep_widths(data: datasets.Data, widths: range) -> sweeps.Sweep:
    """Sweep with a progress bar, and warn of slices that show more than one head."""
    images = terminal.progress_bar(len(data.images), "slice", data.images)
    images = judging.warn_of_rivals(images, data)
    return sweeps.sweep(images, data.truth, sizes=widths, names=data.names)


def _write_table(result: sweeps.Sweep, data: datasets.Data, table: Path) -> None:
    """Write the scores of every slice whose truth is known."""
    known = metrics.known_slices(data.truth)
    names = list(itertools.compress(data.names, known))
    sweeps.write_csv(result, table, names=names)


def _draw(result: sweeps.Sweep, curve: Path) -> None:
    """Draw the curve of a sweep as a PNG."""
    from .. import plots  # imports matplotlib, which no other command of this module needs

    picture = plots.sweep_picture(result)
    curve.write_bytes(picture.png)
