"""The command ``batch``: the masks of many images."""

from collections.abc import Callable
from typing import Annotated

import typer
from tqdm import tqdm

from .. import texts
from ..batches import runs
from . import commands, options, terminal

app = commands.new_app()

_INPUT_HELP = (
    "A .npy of (N, H, W), a Zarr array (also by address), a folder of .npy, NIfTI, PNG and TIFF "
    "files, or a .txt with a path on each line; the mask of a file keeps its name, and its place "
    "below the folder that holds all of the files."
)
_OUTPUT_HELP = "A .npy, a .zarr (also by address), or a folder for a file each."
_Workers = Annotated[
    int | None,
    typer.Option(min=1, help="How many processes; by default one for each core."),
]
_Backend = Annotated[
    str,
    typer.Option(
        help="processes (of this machine), serial (one image after another), or dask (a cluster of "
        "processes; needs the extra batch).",
    ),
]
_Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Join the cluster of this scheduler of Dask: tcp://HOST:PORT.",
    ),
]
_Truth = Annotated[
    str | None,
    options.source_option(help="True masks to score against, in any form that INPUT can have."),
]
_Quality = Annotated[
    bool | None,
    typer.Option(
        "--quality/--no-quality",
        help="Say how far each mask can be trusted; by default for v8 and v9 alone, as with other "
        "versions it takes about twice as long.",
    ),
]
_Table = Annotated[
    str,
    typer.Option(help="Format of the table of all images: csv or parquet."),
]
_Restart = Annotated[
    bool,
    typer.Option("--restart", help="Start over: remove what an earlier run wrote to this OUTPUT."),
]
_FailFast = Annotated[
    bool,
    typer.Option("--fail-fast", help="Stop at the first image that fails."),
]


@app.command(
    epilog="Examples:\n\n"
    "  skullmask batch slices.npy masks.npy\n\n"
    "  skullmask batch pictures masks --version v7 --workers 4\n\n"
    "  skullmask batch heads.zarr masks.zarr --truth truth.zarr --table parquet\n\n"
    "  skullmask batch paths.txt masks --spacing 0.42 0.42 --scheduler tcp://10.0.0.1:8786",
)
def batch(
    images: Annotated[str, options.source_argument("INPUT", help=_INPUT_HELP)],
    output: Annotated[str, options.source_argument("OUTPUT", help=_OUTPUT_HELP)],
    version: options.Version = None,
    backend: _Backend = "processes",
    workers: _Workers = None,
    scheduler: _Scheduler = None,
    chunk: Annotated[int, typer.Option(help="Images that are recorded together.")] = 100,
    truth: _Truth = None,
    spacing: options.Spacing = None,
    dilation_size: options.DilationSize = None,
    channel: options.Channel = None,
    quality: _Quality = None,
    table: _Table = "csv",
    restart: _Restart = False,
    fail_fast: _FailFast = False,
) -> None:
    """Make the skull masks of many images; a run that was stopped goes on with the same command.

    Beside OUTPUT the folder OUTPUT.batch takes the journal, the table of all images and errors.csv.
    An image that fails is named in errors.csv, and the exit code is 1. In an array its mask is
    empty; in a folder it has no file.
    """
    with terminal.progress_bar(0, "image") as bar:
        result = runs.batch(
            images,
            output,
            version=version,
            backend=backend,
            workers=workers,
            scheduler=scheduler,
            chunk=chunk,
            truth=truth,
            spacing_mm=spacing,
            channel=channel,
            quality=quality,
            table=table,
            restart=restart,
            fail_fast=fail_fast,
            progress=_mover(bar),
            **options.version_options(dilation_size),
        )
    terminal.say(f"The masks: {result.masks}")
    terminal.say(f"The table: {result.results}")
    _say_outcome(result)


def _mover(bar: tqdm) -> Callable[[runs.Progress], None]:
    """Return a function that moves a bar to where a batch is."""

    def move(progress: runs.Progress) -> None:
        elapsed_s = max(bar.format_dict["elapsed"], 1e-9)
        megabytes_per_s = progress.bytes / 1e6 / elapsed_s
        bar.total = progress.total
        bar.set_postfix_str(f"{megabytes_per_s:.0f} MB/s, {progress.failed} failed")
        bar.update(progress.images - bar.n)

    return move


def _say_outcome(result: runs.Batch) -> None:
    """Say how many masks there are, and which images need a look; failed ones are an error."""
    wall_s = result.seconds["wall"]
    terminal.say(f"{texts.counted(result.images, 'image')}, {wall_s:.1f} s")
    if result.flagged:
        counts = [f"{count} {flag}" for flag, count in result.flagged.items()]
        terminal.say(f"To be looked at first: {', '.join(counts)}")
    if not result.failed:
        return
    failed = f"{result.failed} of {result.images} images failed, see {result.errors}"
    if result.set_aside:
        names = ", ".join(result.set_aside)
        failed = f"{failed}; set aside, for they killed their workers: {names}"
    raise RuntimeError(failed)
