"""The command line ``skullmask``: thin, every command calls the library."""

import contextlib
import itertools
import json
import logging
import math
import os
import re
import sys
import warnings
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from .. import __version__, errors, metrics, polar, surroundings, tables, texts, versions
from ..io import datasets, outputs
from ..sweeps import Sweep, parse_range
from .commands import (
    VERSIONS,
    Axis,
    Channel,
    DilationSize,
    Slices,
    Spacing,
    Version,
    data_app,
    many,
    naming_output,
    path,
    progress_bar,
    say,
    source,
)

app = typer.Typer(
    name="skullmask",
    help="Skull masks for MRI slices without deep learning. Not for clinical use.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.add_typer(data_app, name="data")
app.add_typer(many)
Profile = tuple[np.ndarray, np.ndarray]  # pixels of a mask in each row and in each column
_SKIPPED = 0.02  # of the masks; more of them lies where the truth breaks off than an edge explains
_INTERRUPTED = 130  # also what typer returns after Ctrl-C
_UsageError = typer.BadParameter.__base__  # typer brings its own click and exports this class by no other name

_INPUT = (
    "phantom, phantom-cropped, a head that skullmask data list names, a .npy, .npz, .nii, .nii.gz, .png or .tif file, "
    "a folder of pictures or of one DICOM series, nfbs:FOLDER or lgg:FOLDER."
)
_PARAMETERS = (
    "Parameter of the notebook; may come again. Of report: title, slices=0:9 (stop included), overlay_count (of slices "
    "to draw), dilation_size, sizes=1:61:2 (to sweep), spacing_mm=0.42,0.42, channel. Lessons have others."
)


def _ladder() -> str:
    """Say of each version what it does: the first line of its docstring."""
    lines = []
    for name, function in versions.VERSIONS.items():
        summary = (function.__doc__ or "").partition("\n")[0]  # none with python -OO
        lines.append(f"{name}: {summary}\n")
    return "\n".join(lines)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"skullmask {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(
    short_help="Run the journey on the phantom, as one page.",
    epilog="Example:\n\n  skullmask demo --out my_demo",
)
def demo(
    out: Annotated[
        Path,
        typer.Option(parser=path, metavar="PATH", help="Folder for the page."),
    ] = Path("skullmask_demo"),
) -> None:
    """Run the journey on the phantom and write it, with the ladder, as one page that opens offline."""
    from ..reports.report import notebooks, report
    from ..sweeps import LADDER_HEADER, phantom_ladder

    count = len(notebooks.journey())
    started = itertools.count(1)

    def progress(lesson: str) -> None:
        print(f"lesson {next(started)} of {count}: {lesson}", file=sys.stderr, flush=True)

    page = report.demo(out, progress=progress)
    say(*tables.text(phantom_ladder(), LADDER_HEADER).splitlines())
    say("", f"The page: {page}")


@app.command(
    short_help="Make the skull mask of every slice.",
    epilog="Versions:\n\n"
    + _ladder()
    + "\nExamples:\n\n  skullmask mask slices.npy -o masks.npy\n\n"
    + "  skullmask mask head.nii.gz -o skull.nii.gz --version v7 --dilation-size 13\n\n"
    + "  skullmask mask slice.png -o mask.png --truth truth.png\n\n"
    + "  skullmask mask slice.png -o mask.png --spacing 0.42 0.42\n\n"
    + "  skullmask mask head.nii.gz -o masks.npy --slices 60:120:10\n\n"
    + "  skullmask mask chris -o masks.npy",
)
def mask(
    input: Annotated[str, typer.Argument(metavar="INPUT", parser=source, help=_INPUT)],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            parser=path,
            metavar="PATH",
            help="Where the masks go: .npy, .nii.gz for NIfTI or DICOM, .png for a picture, a folder for a folder.",
        ),
    ],
    version: Version = None,
    dilation_size: DilationSize = None,
    spacing: Spacing = None,
    truth: Annotated[
        str | None,
        typer.Option(parser=source, metavar="PATH", help="True masks: prints the scores."),
    ] = None,
    channel: Channel = None,
    slices: Slices = None,
    axis: Axis = 2,
) -> None:
    """Make the skull mask of every slice, and name the slices whose mask should be looked at.

    Slices whose truth is empty, where that of others is not, are of unknown truth: they get no scores.
    """
    options = {} if dilation_size is None else {"dilation_size": dilation_size}
    chosen, _ = versions.choose(version, options)
    if slices is not None and output.suffix.lower() != ".npy":
        raise errors.InputError(f"{output}: the masks of some slices alone go into a .npy")
    part = _part(slices)
    data = datasets.load(input, truth=truth, channel=channel, slices=part, axis=axis)
    data = data.spaced(spacing)
    making = versions.masks_with_quality(data, version=version, **options)
    tally: Counter[str] = Counter()
    scores: list[dict[str, float]] = []
    profiles: list[Profile] = []
    across = {} if axis == 2 else {"axis": axis}
    datasets.write_masks(
        _judged(data, progress_bar(len(data.images), "slice", making), tally, scores, profiles),
        output,
        like=input,
        shape=data.images.shape,
        keep=filter(None, [truth]),
        **across,
    )
    remarks = [f"{tally[what]} {what}" for what in ("to look at", "empty") if tally[what]]
    plural = "s" if tally["made"] != 1 else ""
    made = f"{tally['made']} mask{plural} by {chosen} → {output}"
    say("; ".join(filter(None, [made, ", ".join(remarks)])))
    if scores:
        _print_scores(scores, data.names)
        _warn_of_skipped_planes(data, truth or input, profiles, axis)


def _part(slices: str | None) -> range | None:
    return None if slices is None else parse_range(slices, low=0)


def _judged(
    data: datasets.Data,
    made: Iterable[tuple[np.ndarray, float]],
    tally: Counter[str],
    scores: list[dict[str, float]],
    profiles: list[Profile],
) -> Iterator[np.ndarray]:
    """Pass masks on one by one; count them, score them, and warn of those to look at."""
    known = None if data.truth is None else metrics.known_slices(data.truth)
    for index, (mask, quality) in enumerate(made):
        spacing = None if data.spacing_mm is None else data.spacing_mm[index]
        tally["made"] += 1
        if not mask.any():
            tally["empty"] += 1
        else:
            tally["to look at"] += _doubt(data.names[index], quality)
        if known is not None and known[index]:
            scores.append(metrics.score(mask, data.truth[index], spacing))
        elif known is not None:
            scores.append(metrics.no_score(spacing))
        profiles.append(_profile(mask))
        yield mask


def _profile(mask: np.ndarray) -> Profile:
    """Count the pixels of a mask in each row and in each column."""
    return np.count_nonzero(mask, axis=1), np.count_nonzero(mask, axis=0)


def _profiled(made: Iterable[np.ndarray], profiles: list[Profile]) -> Iterator[np.ndarray]:
    """Pass masks on one by one, and keep their profiles."""
    for mask in made:
        profiles.append(_profile(mask))
        yield mask


def _are_of_a_volume(data: datasets.Data, axis: int) -> bool:
    """Tell whether it is known how slices lie in space: they may be every other one."""
    return data.volume or axis != 2


def _warn_of_skipped_planes(data: datasets.Data, truth: str, profiles: list[Profile], axis: int) -> None:
    """Warn of masks that go on where the truth of a volume breaks off, along another axis."""
    if not _are_of_a_volume(data, axis):
        return
    known = np.flatnonzero(metrics.known_slices(data.truth))
    true = [_profile(data.truth[index]) for index in known]
    columns_along, rows_along = (other for other in (0, 1, 2) if other != axis)
    for along, side in ((rows_along, 0), (columns_along, 1)):
        mask_px = sum(profiles[index][side] for index in known)
        skipped = metrics.skipped_planes(sum(profile[side] for profile in true))
        share = mask_px[skipped].sum() / max(mask_px.sum(), 1)
        if share > _SKIPPED:
            planes = f"{np.count_nonzero(skipped)} of {len(skipped)} planes along axis {along}"
            text = f"may be unknown in {planes}: it is empty there, and the masks are not"
            said = f"{truth}: {text} ({share:.0%} of their pixels)"
            warnings.warn(said, errors.InputWarning, stacklevel=2)


@app.command(
    short_help="Score masks against the truth.",
    epilog="Examples:\n\n  skullmask score masks.npy truth.npy\n\n  skullmask score a.nii.gz b.nii.gz --json\n\n"
    "  skullmask score masks.npy truth.npy --spacing 0.42 0.42",
)
def score(
    pred: Annotated[str, typer.Argument(metavar="PRED", parser=source, help="Masks to score.")],
    truth: Annotated[
        str,
        typer.Argument(metavar="TRUTH", parser=source, help="True masks, of the same shape."),
    ],
    spacing: Spacing = None,
    slices: Slices = None,
    axis: Axis = 2,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON; what is infinite or unknown becomes null.")
    ] = False,
) -> None:
    """Score masks against the truth, slice by slice and on average.

    A truth that is empty on some slices and not on others is unknown there: they are left out of the means.
    """
    data = datasets.load(pred, truth=truth, slices=_part(slices), axis=axis).spaced(spacing)
    if data.truth is None:
        raise errors.InputError(f"{truth}: {datasets.NONE_KNOWN}")
    made = progress_bar(len(data.images), "slice", datasets.binary(data.images, pred))
    profiles: list[Profile] = []
    scores = metrics.score_slices(_profiled(made, profiles), data.truth, data.spacing_mm)
    _warn_of_skipped_planes(data, truth, profiles, axis)
    if as_json:
        _print_json(scores, data.names)
    else:
        _print_scores(scores, data.names)


@app.command(
    short_help="Score v7 at many dilation widths.",
    epilog="Examples:\n\n  skullmask sweep slices.npy truth.npy\n\n"
    "  skullmask sweep slices.npy truth.npy --sizes 10:40:2 -o sweep.csv --plot sweep.png\n\n"
    "  skullmask sweep chris --sizes 9:21:2",
)
def sweep(
    images: Annotated[str, typer.Argument(metavar="IMAGES", parser=source, help=_INPUT)],
    truth: Annotated[
        str | None,
        typer.Argument(
            metavar="[TRUTH]",
            parser=source,
            help="True masks; a phantom or a head brings its own.",
        ),
    ] = None,
    sizes: Annotated[str, typer.Option(help="Dilation widths in pixels, start:stop:step, stop included.")] = "1:61:2",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            parser=path,
            metavar="PATH",
            help="CSV for the scores of every slice.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(parser=path, metavar="PATH", help="PNG for the curve."),
    ] = None,
    slices: Slices = None,
    axis: Axis = 2,
) -> None:
    """Score v7 at many dilation widths, with the choice made without the scored slice.

    A truth that is empty on some slices and not on others is unknown there: they are left out.
    """
    from .. import plots
    from ..sweeps import sweep as sweep_widths
    from ..sweeps import write_csv

    widths = parse_range(sizes)
    data = datasets.load(images, truth=truth, slices=_part(slices), axis=axis)
    _check_truth(data, images, truth, slices)
    for file, suffix in ((output, ".csv"), (plot, ".png")):
        if file and file.suffix.lower() != suffix:
            raise errors.InputError(f"{file}: expected a name that ends in {suffix}")
    known = metrics.known_slices(data.truth)
    inputs = [images, *filter(None, [truth])]
    with contextlib.ExitStack() as stack:
        table = stack.enter_context(outputs.replacing(output, *inputs)) if output else None
        curve = stack.enter_context(outputs.replacing(plot, *inputs)) if plot else None
        swept = progress_bar(len(data.images), "slice", data.images)
        looked_at = _warning_of_rivals(data, swept)
        result = sweep_widths(looked_at, data.truth, sizes=widths, names=data.names)
        if table:
            write_csv(result, table, names=list(itertools.compress(data.names, known)))
        if curve:
            curve.write_bytes(plots.sweep_picture(result).png)
    _print_sweep(result)
    if _are_of_a_volume(data, axis):
        look = {"names": data.names, "version": "v7", "dilation_size": result.best_size}
        made = versions.mask_slices(data.images, **look)
        _warn_of_skipped_planes(data, truth or images, list(map(_profile, made)), axis)
    if not known.all():
        say("", _left_out(known))


def _warning_of_rivals(data: datasets.Data, images: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Pass images on one by one, and warn of those that show more than one head."""
    for index, image in enumerate(images):
        spacing = None if data.spacing_mm is None else data.spacing_mm[index]
        with versions.naming(data.names[index]):
            polar.warn_of_rivals(polar.unwrap(image, spacing))
        yield image


def _check_truth(data: datasets.Data, images: str, truth: str | None, slices: str | None) -> None:
    """Refuse to choose a width where there is no truth to choose it by."""
    if data.truth is None and truth is not None:
        raise errors.InputError(f"{truth}: {datasets.NONE_KNOWN}")
    if data.truth is None:
        these = "" if slices is None else " of these slices"
        raise errors.InputError(f"{images}: brings no truth{these}; name the true masks as well")
    if not data.truth.any():
        raise errors.InputError(f"{truth or images}: the truth is empty, so no width is the best")


def _print_sweep(result: Sweep) -> None:
    from .. import tables
    from ..sweeps import bootstrap, leave_one_out

    means = result.iou.mean(axis=0).tolist(), result.dice.mean(axis=0).tolist()
    rows = list(zip(result.sizes.tolist(), *means, strict=True))
    say(*tables.text(rows, ("width [px]", "IoU", "Dice")).splitlines())
    at_best = result.iou[:, result.sizes == result.best_size][:, 0]
    say("", f"best width {result.best_size} px: IoU {at_best.mean():.4f}")
    if len(at_best) > 1:
        low, high = bootstrap(at_best)
        chosen, held_out = leave_one_out(result)
        say(f"95 % bootstrap over the slices: {low:.4f} … {high:.4f}")
        widths = ", ".join(map(str, chosen))
        say(f"leave one out: widths {widths} px, IoU {held_out.mean():.4f}")


@app.command(
    short_help="Write a report on your slices, as one page.",
    epilog="Examples:\n\n  skullmask report head.nii.gz -o head_report\n\n"
    "  skullmask report slices.npy --truth masks.npy -o five --version v8,v7 -p title='Five slices'\n\n"
    "  skullmask report slices.npy --truth masks.npy -o sweep --notebook 05 -p sizes=10:40:2\n\n"
    "  skullmask report slices.npy --truth masks.npy -o grid --version v7 --grid dilation_size=16:36:4 --jobs 2",
)
def report(
    images: Annotated[str, typer.Argument(metavar="IMAGES", parser=source, help=_INPUT)],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            parser=path,
            metavar="PATH",
            help="Folder for the report, made if missing.",
        ),
    ],
    truth: Annotated[
        str | None,
        typer.Option(parser=source, metavar="PATH", help="True masks: file or folder."),
    ] = None,
    version: Annotated[
        str | None, typer.Option(help=f"{VERSIONS}; of several, as v8,v7, the first makes the masks.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME=VALUE", help=_PARAMETERS),
    ] = None,
    notebook: Annotated[
        str,
        typer.Option(
            parser=source,
            metavar="NOTEBOOK",
            help="report, a lesson such as 05_v6_dilation_sweep, or a file.",
        ),
    ] = "report",
    grid: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUES", help="One report for each value, as 16:36:4 or v5,v7; may come again."),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many reports of a grid run at a time.")] = 1,
) -> None:
    """Run a notebook on your slices and write a report that can be sent: one page that opens offline.

    With --grid there is one report for each combination of values and a page that compares them. Run again, it
    makes only what is missing.
    """
    from ..reports.report import grids, notebooks, report  # they take two seconds to import

    lesson = notebooks.find(notebook)
    pairs = [*map(notebooks.split, parameter or ()), *([("version", version)] if version else [])]
    several = list(map(notebooks.split, grid or ()))
    names = [name for name, _ in pairs + several]
    if twice := [name for name in names if names.count(name) > 1]:
        raise errors.InputError(f"expected {twice[0]} once, got it {names.count(twice[0])} times")
    given = {name: notebooks.read(lesson, name, text) for name, text in pairs}
    values = {name: notebooks.read_values(lesson, name, text) for name, text in several}
    look = {"truth": truth, "notebook": lesson, "parameters": given}
    if not values:
        bar = {"file": sys.stderr, "disable": None, "leave": False, "desc": lesson.stem}
        say(f"The report: {report.report(images, output, progress_bar=bar, **look)}")
        for row in report.scores(output):
            _doubt(_name_of(row.get("name", ""), images), row.get("quality", 1))
        return
    count = math.prod(map(len, values.values()))
    with progress_bar(count, "report") as bar:
        failed = grids.grid(images, output, values, jobs=jobs, progress=bar.update, **look)
    say(f"The reports: {output / 'index.html'}")
    if failed:
        raise RuntimeError(f"{len(failed)} of {count} failed: {', '.join(failed)}; their pages show the error")


def _name_of(name: str, images: str) -> str:
    """Name a slice as `mask` does; a report keeps the name of a folder to itself."""
    from ..reports.report import report

    folder = Path(images)
    if name.startswith(f"{report.SERIES}[") and folder.is_dir():
        return f"{folder.absolute().name}{name.removeprefix(report.SERIES)}"
    return name


def _doubt(name: str, quality: float) -> bool:
    """Tell whether a mask should be looked at, and warn of it."""
    doubtful = quality < polar.TRUSTED
    if doubtful:
        text = f"look at the mask, its quality is below {polar.TRUSTED}"
        warnings.warn(f"{name}: {text}", errors.InputWarning, stacklevel=1)
    return doubtful


@app.command(
    short_help="Open the explorer: sliders over every version.",
    epilog="Examples:\n\n  skullmask explore\n\n  skullmask explore head.nii.gz\n\n"
    "  skullmask explore slices.npy --truth masks.npy --port 9000",
)
def explore(
    file: Annotated[str, typer.Argument(metavar="[FILE]", parser=source, help=_INPUT)] = "phantom",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes any free one.")] = 8866,
    truth: Annotated[
        str | None,
        typer.Option(parser=source, metavar="PATH", help="True masks, for the scores."),
    ] = None,
    channel: Channel = None,
) -> None:
    """Open the explorer: sliders over every version, served to this computer alone until Ctrl-C."""
    from ..explore.server import serve

    serve(
        file,
        truth=truth,
        channel=channel,
        port=port,
        ready=lambda address: print(f"The explorer: {address}\nCtrl-C ends it.", flush=True),
    )


def _finite(row: dict[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in row.items()}


def _print_json(scores: list[dict[str, float]], names: tuple[str, ...]) -> None:
    rows = []
    for name, row in zip(names, scores, strict=True):
        rows.append({"name": name} | _finite(row))
    left_out = sum(math.isnan(row["iou"]) for row in scores)
    mean = _finite(metrics.mean_scores(scores))
    print(json.dumps({"slices": rows, "mean": mean, "left_out": left_out}, indent=2))


def _print_scores(scores: list[dict[str, float]], names: tuple[str, ...]) -> None:
    from .. import tables

    rows = [(name, *map(float, row.values())) for name, row in zip(names, scores, strict=True)]
    rows.append(("mean", *metrics.mean_scores(scores).values()))
    say(*tables.text(rows, ("slice", *scores[0])).splitlines())
    known = np.array([not math.isnan(row["iou"]) for row in scores])
    if not known.all():
        say("", _left_out(known))
    if infinite := sum(math.inf in row.values() for row in scores):
        say(
            "",
            f"{infinite} of {len(scores)} slices have one empty mask: "
            "their IoU of 0 counts in the means, their infinite distances do not",
        )


def _left_out(known: np.ndarray) -> str:
    missing = int(np.count_nonzero(~known))
    return (
        f"{missing} of {len(known)} slices have an empty truth, which counts as unknown: "
        f"the means are over the other {len(known) - missing}"
    )


def _complain(text: object) -> None:
    line = texts.plain(" ".join(str(text).split()))
    print(f"skullmask: {line}", file=sys.stderr)


def _reason(error: OSError) -> str:
    """Say what went wrong with which file."""
    if not error.strerror:
        return str(error)
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None]
    return ": ".join([*(names or ["reading or writing"]), error.strerror])


def _spaced(arguments: list[str]) -> list[str]:
    """Let ``--spacing`` take its two numbers in one word, as 0.42,0.42."""
    words = deque(arguments)
    taken = []
    while words:
        word = words.popleft()
        option, equals, value = word.partition("=")
        if word == "--":
            return [*taken, word, *words]
        if option != "--spacing":
            taken.append(word)
        else:
            taken += ["--spacing", *_pair(value if equals else _next(words), words)]
    return taken


def _next(words: deque[str]) -> str:
    return words.popleft() if words else ""


def _pair(word: str, more: deque[str]) -> list[str]:
    if re.fullmatch("[0-9]+,[0-9]+", word) and more and _is_number(more[0].replace(",", ".")):
        raise errors.InputError(
            f"expected a point as the decimal sign of '--spacing', as in 0.42 0.42, got {word} {more[0]}"
        )
    numbers = word.replace(",", " ").split()
    if len(numbers) == 1:
        numbers.append(_next(more))
    if len(numbers) != 2 or not all(map(_is_number, numbers)):
        given = " ".join(numbers).strip()
        raise errors.InputError(
            f"expected '--spacing' as a row and a column spacing in mm, "
            f"for example 0.42 0.42 or 0.42,0.42, got {given!r}"
        )
    return numbers


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _drop_output() -> None:
    """Let nothing more be written to an output that takes no more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Run the command line; what the user can mend ends in one line on stderr and exit code 2."""
    surroundings.settle()
    remarks: list[str] = []  # said at the end, so that an error stays one line
    warnings.showwarning = lambda message, *_args, **_kwargs: remarks.append(str(message))
    warnings.simplefilter("always", UserWarning)
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # its remarks on odd headers
    try:
        arguments = _spaced(sys.argv[1:])
        code = app(arguments, prog_name="skullmask", standalone_mode=False)
        with naming_output():
            sys.stdout.flush()  # a full disk is an error here, and not after the end
        if code == _INTERRUPTED:
            _complain("interrupted")
        else:
            for remark in texts.grouped(remarks):
                _complain(f"warning: {remark}")
    except _UsageError as error:
        _complain(f"{error.format_message()} (see skullmask --help)")
        code = 2
    except BrokenPipeError:  # the reader of our output went away, as head does
        code = 1
    except OSError as error:
        _complain(_reason(error))
        code = 2
    except errors.InputError as error:
        _complain(error)
        code = 2
    except MemoryError as error:
        _complain(f"not enough memory: {str(error) or 'take fewer slices'}")
        code = 2
    except RuntimeError as error:
        _complain(error)
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        _complain("interrupted")
        code = _INTERRUPTED
    _drop_output()
    sys.exit(code)
