"""The command line ``skullmask``: thin, every command calls the library."""

import contextlib
import json
import logging
import math
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from . import __version__, datasets, masks, metrics, outputs, polar, versions
from .commands import Channel, DilationSize, Spacing, Version, data_app, many, progress_bar

app = typer.Typer(
    name="skullmask",
    help="Skull masks for MRI slices without deep learning. Not for clinical use.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.add_typer(data_app, name="data")
app.add_typer(many)
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
_LADDER = "\n".join(f"{name}: {function.__doc__.splitlines()[0]}\n" for name, function in versions.VERSIONS.items())


def _version(wanted: bool) -> None:
    if wanted:
        print(f"skullmask {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(epilog="Example:\n\n  skullmask demo --out my_demo")
def demo(out: Annotated[Path, typer.Option(help="Folder for the page.")] = Path("skullmask_demo")) -> None:
    """Run the journey on the phantom and write it, with the ladder, as one page that opens offline."""
    from . import notebooks, plots, reports  # papermill and nbconvert take a second to import
    from .sweep import LADDER_HEADER, phantom_ladder

    with progress_bar(len(notebooks.journey()), "lesson") as bar:

        def progress(lesson: str) -> None:
            bar.update()
            bar.set_postfix_str(lesson)

        page = reports.demo(out, progress=progress)
    print(plots.table(phantom_ladder(), LADDER_HEADER).data)
    print(f"\nThe page: {page}")


@app.command(
    epilog="Versions:\n\n"
    + _LADDER
    + "\nExamples:\n\n  skullmask mask slices.npy -o masks.npy\n\n"
    + "  skullmask mask head.nii.gz -o skull.nii.gz --version v7 --dilation-size 13\n\n"
    + "  skullmask mask slice.png -o mask.png --truth truth.png\n\n"
    + "  skullmask mask slice.png -o mask.png --spacing 0.42 0.42\n\n"
    + "  skullmask mask chris -o masks.npy",
)
def mask(
    input: Annotated[str, typer.Argument(metavar="INPUT", help=_INPUT)],
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            help="Where the masks go: .npy, .nii.gz for NIfTI or DICOM, .png for a picture, a folder for a folder.",
        ),
    ],
    version: Version = None,
    dilation_size: DilationSize = None,
    spacing: Spacing = None,
    truth: Annotated[str | None, typer.Option(help="True masks: prints the scores.")] = None,
    channel: Channel = None,
) -> None:
    """Make the skull mask of every slice, and name the slices whose mask should be looked at."""
    options = {} if dilation_size is None else {"dilation_size": dilation_size}
    versions.choose(version, options)
    data = datasets.load(input, truth=truth, channel=channel).spaced(spacing)
    slices = versions.mask_slices(
        data.images, names=data.names, version=version, spacing_mm=data.spacing_mm, volume=data.volume, **options
    )
    scores = []

    def made():
        for index, made_mask in enumerate(progress_bar(len(data.images), "slice", slices)):
            spacing_mm = None if data.spacing_mm is None else data.spacing_mm[index]
            if made_mask.any():
                _doubt(data.names[index], polar.quality(data.images[index], made_mask, spacing_mm=spacing_mm))
            if data.truth is not None:
                scores.append(metrics.score(made_mask, data.truth[index], spacing_mm))
            yield made_mask

    datasets.write_masks(made(), output, like=input, shape=data.images.shape, keep=filter(None, [truth]))
    if scores:
        _print_scores(scores, data.names)


@app.command(
    epilog="Examples:\n\n  skullmask score masks.npy truth.npy\n\n  skullmask score a.nii.gz b.nii.gz --json\n\n"
    "  skullmask score masks.npy truth.npy --spacing 0.42 0.42"
)
def score(
    pred: Annotated[str, typer.Argument(metavar="PRED", help="Masks to score.")],
    truth: Annotated[str, typer.Argument(metavar="TRUTH", help="True masks, of the same shape.")],
    spacing: Spacing = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; what is infinite becomes null.")] = False,
) -> None:
    """Score masks against the truth, slice by slice and on average."""
    data = datasets.load(pred, truth=truth).spaced(spacing)
    made = progress_bar(len(data.images), "slice", datasets.binary(data.images, pred))
    scores = metrics.score_slices(made, data.truth, data.spacing_mm)
    if as_json:
        rows = [{"name": name} | _finite(row) for name, row in zip(data.names, scores, strict=True)]
        print(json.dumps({"slices": rows, "mean": _finite(metrics.mean_scores(scores))}, indent=2))
    else:
        _print_scores(scores, data.names)


@app.command(
    epilog="Examples:\n\n  skullmask sweep slices.npy truth.npy\n\n"
    "  skullmask sweep slices.npy truth.npy --sizes 10:40:2 -o sweep.csv --plot sweep.png\n\n"
    "  skullmask sweep chris --sizes 9:21:2"
)
def sweep(
    images: Annotated[str, typer.Argument(metavar="IMAGES", help=_INPUT)],
    truth: Annotated[
        str | None, typer.Argument(metavar="[TRUTH]", help="True masks; a phantom or a head brings its own.")
    ] = None,
    sizes: Annotated[str, typer.Option(help="Dilation widths in pixels, start:stop:step, stop included.")] = "1:61:2",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="CSV for the scores of every slice.")] = None,
    plot: Annotated[Path | None, typer.Option(help="PNG for the curve.")] = None,
) -> None:
    """Score v7 at many dilation widths, with the choice made without the scored slice."""
    from . import plots
    from .sweep import bootstrap, leave_one_out, parse_range, write_csv
    from .sweep import sweep as sweep_widths

    widths = parse_range(sizes)
    data = datasets.load(images, truth=truth)
    if data.truth is None:
        raise masks.InputError(f"{images}: brings no truth; name the true masks as well")
    for path, suffix in ((output, ".csv"), (plot, ".png")):
        if path and path.suffix.lower() != suffix:
            raise masks.InputError(f"{path}: expected a name that ends in {suffix}")
    with contextlib.ExitStack() as stack:
        csv_file, png_file = (
            stack.enter_context(outputs.replacing(path, images, *filter(None, [truth]))) if path else None
            for path in (output, plot)
        )
        slices = progress_bar(len(data.images), "slice", data.images)
        result = sweep_widths(slices, data.truth, sizes=widths, names=data.names)
        if csv_file:
            write_csv(result, csv_file, names=data.names)
        if png_file:
            png_file.write_bytes(plots.sweep_picture(result).png)
    rows = list(zip(widths, result.iou.mean(0).tolist(), result.dice.mean(0).tolist(), strict=True))
    print(plots.table(rows, ("width [px]", "IoU", "Dice")).data)
    at_best = result.iou[:, widths.index(result.best_size)]
    print(f"\nbest width {result.best_size} px: IoU {at_best.mean():.4f}")
    if len(result.iou) > 1:
        low, high = bootstrap(at_best)
        chosen, held_out = leave_one_out(result)
        print(f"95 % bootstrap over the slices: {low:.4f} … {high:.4f}")
        print(f"leave one out: widths {', '.join(map(str, chosen))} px, IoU {held_out.mean():.4f}")


@app.command(
    epilog="Examples:\n\n  skullmask report head.nii.gz -o head_report\n\n"
    "  skullmask report slices.npy --truth masks.npy -o five --version v8,v7 -p title='Five slices'\n\n"
    "  skullmask report slices.npy --truth masks.npy -o sweep --notebook 05 -p sizes=10:40:2\n\n"
    "  skullmask report slices.npy --truth masks.npy -o grid --version v7 --grid dilation_size=16:36:4 --jobs 2"
)
def report(
    images: Annotated[str, typer.Argument(metavar="IMAGES", help=_INPUT)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the report, made if missing.")],
    truth: Annotated[str | None, typer.Option(help="True masks: file or folder.")] = None,
    version: Annotated[
        str | None, typer.Option(help="v1 … v8; of several, as v8,v7, the first makes the masks.")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="NAME=VALUE", help=_PARAMETERS),
    ] = None,
    notebook: Annotated[str, typer.Option(help="report, a lesson such as 05_v6_dilation_sweep, or a file.")] = "report",
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
    from . import grids, notebooks, reports  # they take two seconds to import

    path = notebooks.find(notebook)
    pairs = [*map(notebooks.split, parameter or ()), *([("version", version)] if version else [])]
    several = list(map(notebooks.split, grid or ()))
    names = [name for name, _ in pairs + several]
    if twice := [name for name in names if names.count(name) > 1]:
        raise masks.InputError(f"expected {twice[0]} once, got it {names.count(twice[0])} times")
    given = {name: notebooks.read(path, name, text) for name, text in pairs}
    values = {name: notebooks.read_values(path, name, text) for name, text in several}
    look = {"truth": truth, "notebook": path, "parameters": given}
    if not values:
        bar = {"file": sys.stderr, "disable": None, "leave": False, "desc": path.stem}
        print(f"The report: {reports.report(images, output, progress_bar=bar, **look)}")
        for row in reports.scores(output):
            _doubt(row.get("name", ""), row.get("quality", 1))
        return
    count = math.prod(map(len, values.values()))
    with progress_bar(count, "report") as bar:
        failed = grids.grid(images, output, values, jobs=jobs, progress=bar.update, **look)
    print(f"The reports: {output / 'index.html'}")
    if failed:
        raise RuntimeError(f"{len(failed)} of {count} failed: {', '.join(failed)}; their pages show the error")


def _doubt(name: str, quality: float) -> None:
    if quality < polar.TRUSTED:
        warnings.warn(f"{name}: look at the mask, its quality is below {polar.TRUSTED}", stacklevel=1)


@app.command(
    epilog="Examples:\n\n  skullmask explore\n\n  skullmask explore head.nii.gz\n\n"
    "  skullmask explore slices.npy --truth masks.npy --port 9000"
)
def explore(
    file: Annotated[str, typer.Argument(metavar="[FILE]", help=_INPUT)] = "phantom",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes any free one.")] = 8866,
    truth: Annotated[str | None, typer.Option(help="True masks, for the scores.")] = None,
    channel: Channel = None,
) -> None:
    """Open the explorer: sliders over every version, served to this computer alone until Ctrl-C."""
    from .serve import serve

    serve(
        file,
        truth=truth,
        channel=channel,
        port=port,
        ready=lambda address: print(f"The explorer: {address}\nCtrl-C ends it.", flush=True),
    )


def _finite(row: dict[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in row.items()}


def _print_scores(scores: list[dict[str, float]], names: tuple[str, ...]) -> None:
    from .plots import table

    rows = [(name, *map(float, row.values())) for name, row in zip(names, scores, strict=True)]
    rows.append(("mean", *metrics.mean_scores(scores).values()))
    print(table(rows, ("slice", *scores[0])).data)
    if left_out := sum(not all(map(math.isfinite, row.values())) for row in scores):
        print(
            f"\n{left_out} of {len(scores)} slices have one empty mask: "
            "their IoU of 0 counts in the means, their infinite distances do not"
        )


def _grouped(remarks: list[str]) -> Iterator[str]:
    """Say what holds for many slices once; runs of slices are named by their ends."""
    groups: dict[str, list[str]] = {}
    for remark in remarks:
        name, _, text = remark.partition(": ")
        groups.setdefault(text, []).append(name)
    for text, names in groups.items():
        yield f"warning: {', '.join(versions.spans(names))}: {text}".removesuffix(": ")


def _say(text: object) -> None:
    print(f"skullmask: {' '.join(str(text).split())}", file=sys.stderr)


def main() -> None:
    """Run the command line; what the user can mend ends in one line on stderr and exit code 2."""
    remarks: list[str] = []  # said at the end, so that an error stays one line
    warnings.showwarning = lambda message, *_args, **_kwargs: remarks.append(str(message))
    warnings.simplefilter("always", UserWarning)
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # its remarks on odd headers
    try:
        code = app(standalone_mode=False)
        for remark in _grouped(remarks) if code != _INTERRUPTED else ["interrupted"]:
            _say(remark)
    except _UsageError as error:
        _say(f"{error.format_message()} (see skullmask --help)")
        code = 2
    except BrokenPipeError:  # the reader of our output went away, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except (masks.InputError, OSError) as error:
        _say(error)
        code = 2
    except RuntimeError as error:
        _say(error)
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        _say("interrupted")
        code = _INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
