"""Commands for many images, for whole volumes and for data; `cli` has the others, and runs them all."""

import contextlib
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from .. import errors, texts, versions
from ..io import paths, registry

many = typer.Typer(rich_markup_mode=None)
data_app = typer.Typer(
    help="Real heads, fetched from where they are published.",
    short_help="Real heads: list, fetch, verify.",
    epilog="Examples:\n\n  skullmask data list\n\n  skullmask data fetch chris\n\n  skullmask data verify",
    rich_markup_mode=None,
)


def source(text: str) -> str:
    """Read the name of a phantom or a head, or a path, also as ``file:///…``; for typer.

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Raises
    ------
    typer.BadParameter
        If it is an address of another computer.

    Examples
    --------
    >>> source("file:///data/two%20heads.npy"), source("phantom")
    ('/data/two heads.npy', 'phantom')
    """
    try:
        return str(paths.local(text))
    except errors.InputError as error:
        raise typer.BadParameter(str(error)) from None


def path(text: str) -> Path:
    """Read a path, also as ``file:///…``; for typer, whose own Path would lose the computer.

    Parameters
    ----------
    text : str

    Returns
    -------
    Path

    Raises
    ------
    typer.BadParameter
        If it is an address of another computer.

    Examples
    --------
    >>> path("file:///data/two%20heads.npy").name
    'two heads.npy'
    """
    return Path(source(text))


Spacing = Annotated[
    tuple[float, float] | None,
    typer.Option(help="Row and column spacing [mm], as 0.42 0.42 or 0.42,0.42; overrides the file's."),
]
VERSIONS = f"{next(iter(versions.VERSIONS))} to {next(reversed(versions.VERSIONS))}"  # as help texts say it
Version = Annotated[
    str | None, typer.Option(help=f"{VERSIONS}; the default is v8, or v7 where a dilation size is given.")
]
DilationSize = Annotated[
    int | None,
    typer.Option(help="Width of the element in pixels; v5, v6, v7. About 11 mm suits: 26 at 0.42 mm, 13 at 0.88 mm."),
]
Channel = Annotated[int | None, typer.Option(help="Channel of a colour image.")]
Axis = Annotated[
    int,
    typer.Option(min=0, max=2, help="Of a volume: 2 gives axial slices, 1 coronal, 0 sagittal ones."),
]
Slices = Annotated[
    str | None,
    typer.Option(help="Which slices, counted from 0: start:stop:step, stop included."),
]


def say(*lines: object) -> None:
    r"""Print lines on a terminal; a name in them cannot hold an escape code.

    Parameters
    ----------
    *lines : object

    Examples
    --------
    >>> say("made", "a\x1b[2J.npy")
    made
    a\x1b[2J.npy
    """
    with naming_output():
        for line in lines:
            print(texts.plain(line))


@contextlib.contextmanager
def naming_output() -> Iterator[None]:
    """Say of an error in writing to the terminal, or where its output goes, that it is there.

    Raises
    ------
    OSError

    Examples
    --------
    >>> with naming_output():
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    ...
    OSError: [Errno 28] No space left on device: 'the output'
    """
    try:
        yield
    except BrokenPipeError:  # the reader went away, as head does
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "the output") from None


def progress_bar(total: int, unit: str, items: Iterable | None = None) -> tqdm:
    """Show on stderr how far something is, where that is a terminal.

    Parameters
    ----------
    total : int
    unit : str
        What is counted.
    items : iterable, optional
        To go through; otherwise the bar is moved by its ``update``.

    Returns
    -------
    tqdm

    Examples
    --------
    >>> list(progress_bar(2, "slice", "ab"))
    ['a', 'b']
    """
    return tqdm(items, total=total, unit=unit, delay=2 * (unit == "slice"), file=sys.stderr, disable=None, leave=False)


@many.command(
    short_help="Make the masks of many images, resumable.",
    epilog="Examples:\n\n  skullmask batch slices.npy masks.npy\n\n"
    "  skullmask batch pictures masks --version v7 --workers 4\n\n"
    "  skullmask batch heads.zarr masks.zarr --truth truth.zarr --table parquet\n\n"
    "  skullmask batch paths.txt masks --spacing 0.42 0.42 --scheduler tcp://10.0.0.1:8786",
)
def batch(
    images: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            parser=source,
            help="A .npy of (N, H, W), a Zarr array (also by address), a folder of .npy, NIfTI, PNG and TIFF files, or "
            "a .txt with a path on each line; masks of files are named after them, below the folder that holds all.",
        ),
    ],
    output: Annotated[
        str,
        typer.Argument(
            metavar="OUTPUT",
            parser=source,
            help="A .npy, a .zarr (also by address), or a folder for a file each.",
        ),
    ],
    version: Version = None,
    backend: Annotated[
        str, typer.Option(help="processes of this machine, serial, or dask: a cluster of processes, extra batch.")
    ] = "processes",
    workers: Annotated[
        int | None, typer.Option(min=1, help="How many processes; by default one for each core.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Join the cluster of this scheduler of Dask: tcp://HOST:PORT.")
    ] = None,
    chunk: Annotated[int, typer.Option(help="Images that are recorded together.")] = 100,
    truth: Annotated[
        str | None,
        typer.Option(parser=source, metavar="PATH", help="True masks, for the scores: as INPUT."),
    ] = None,
    spacing: Spacing = None,
    dilation_size: DilationSize = None,
    channel: Channel = None,
    quality: Annotated[
        bool | None,
        typer.Option(
            "--quality/--no-quality",
            help="Tell how far each mask can be trusted; by default for v8 alone, others take several times as long.",
        ),
    ] = None,
    table: Annotated[str, typer.Option(help="Format of the table of all images: csv or parquet.")] = "csv",
    restart: Annotated[bool, typer.Option("--restart", help="Forget an earlier run with this OUTPUT.")] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop at the first image that fails.")] = False,
) -> None:
    """Make the skull masks of many images; stopped in any way, the same command goes on where it was.

    Beside OUTPUT the folder OUTPUT.batch takes the journal, the table of all images and errors.csv. An image that fails
    is named there, its mask stays empty, and the exit code is 1.
    """
    from ..batches.runs import batch as run

    options = {} if dilation_size is None else {"dilation_size": dilation_size}
    with progress_bar(0, "image") as shown:

        def progress(told) -> None:
            shown.total = told.total
            rate = told.bytes / 1e6 / max(shown.format_dict["elapsed"], 1e-9)
            shown.set_postfix_str(f"{rate:.0f} MB/s, {told.failed} failed")
            shown.update(told.images - shown.n)

        made = run(
            images, output, version=version, backend=backend, workers=workers, scheduler=scheduler, chunk=chunk,
            truth=truth, spacing_mm=spacing, channel=channel, quality=quality, table=table, restart=restart,
            fail_fast=fail_fast, progress=progress, **options,
        )  # fmt: skip
    say(f"The masks: {made.masks}", f"The table: {made.results}")
    say(f"{made.images} images, {made.seconds['wall']:.1f} s")
    if made.flagged:
        flagged = ", ".join(f"{count} {flag}" for flag, count in made.flagged.items())
        say(f"To be looked at first: {flagged}")
    if made.failed:
        aside = f"; set aside, for they killed their workers: {', '.join(made.set_aside)}" if made.set_aside else ""
        raise RuntimeError(f"{made.failed} of {made.images} images failed, see {made.errors}{aside}")


@many.command(
    "brain-mask",
    short_help="Make the brain mask of a CT by nidataset's recipe.",
    epilog="Examples:\n\n  skullmask brain-mask scan.nii.gz masks\n\n"
    "  skullmask brain-mask scan.nii.gz masks --threshold 50 300 --closing-radius 4 --debug",
)
def brain_mask(
    scan: Annotated[
        Path,
        typer.Argument(
            metavar="SCAN",
            parser=path,
            help="A volume: .nii, .nii.gz, .hdr with .img, or a folder of DICOM.",
        ),
    ],
    out_dir: Annotated[
        Path,
        typer.Argument(metavar="OUT_DIR", parser=path, help="Folder for the mask, made if missing."),
    ],
    threshold: Annotated[
        tuple[float, float] | None,
        typer.Option(help="Lowest and highest value of the brain; by default half and twice Otsu's threshold."),
    ] = None,
    closing_radius: Annotated[int | None, typer.Option(help="Of the ball that closes gaps [voxels].")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Say what was found and where it went.")] = False,
) -> None:
    """Make the brain mask of a volume by nidataset's recipe; it is made for CT with contrast, for MR take strip."""
    from ..volumes import brain_masks

    options = {} if closing_radius is None else {"closing_radius": closing_radius}
    file, mask = brain_masks.mask_scan(scan, out_dir, threshold=threshold, debug=debug, **options)
    print(f"The brain mask: {file}")
    for remark in brain_masks.quality_control(mask).warnings:
        warnings.warn(f"{scan.absolute().name}: {remark}", errors.InputWarning, stacklevel=1)


@many.command(
    short_help="Find the brain in a volume of MR.",
    epilog="Examples:\n\n  skullmask strip head.nii.gz stripped\n\n  skullmask strip head.nii.gz stripped --n4",
)
def strip(
    scan: Annotated[
        Path,
        typer.Argument(
            metavar="SCAN",
            parser=path,
            help="The head: .nii, .nii.gz, .hdr with .img, or a folder of DICOM.",
        ),
    ],
    out_dir: Annotated[
        Path,
        typer.Argument(metavar="OUT_DIR", parser=path, help="Folder for the results, made if missing."),
    ],
    n4: Annotated[bool, typer.Option("--n4", help="Correct the bias field first; needs the extra volumes.")] = False,
) -> None:
    """Find the brain in a volume of MR: writes the brain, its mask, and a picture to look at."""
    from ..volumes import stripping

    for what, file in stripping.strip_scan(scan, out_dir, n4=n4)._asdict().items():
        say(f"The {what}: {file}")


@data_app.callback(invoke_without_command=True)
def _data(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


@data_app.command("list", short_help="List the heads, and which are here.", epilog="Example:\n\n  skullmask data list")
def data_list() -> None:
    """List the heads, and which are here."""
    from .. import tables

    rows = [
        (name, head.what, head.voxel_mm, head.licence, "here" if registry.path(name).exists() else "missing")
        for name, head in registry.originals().items()
    ]
    say(*tables.text(rows, ("name", "what", "voxel [mm]", "licence", "state")).splitlines())
    say("", f"The folder: {registry.folder()}")


@data_app.command(
    "fetch",
    short_help="Download what is missing, and verify it.",
    epilog="Examples:\n\n  skullmask data fetch chris oms01\n\n  skullmask data fetch --all",
)
def data_fetch(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Heads that the list names.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Fetch all of them.")] = False,
) -> None:
    """Download what is missing, and verify it."""
    if every == bool(names):
        raise errors.InputError("expected names of heads (see skullmask data list), or --all")
    for name in names or registry.names():
        say(registry.fetch(name, progress=True))


@data_app.command(
    "verify",
    short_help="Check the sha256 of what is here.",
    epilog="Example:\n\n  skullmask data verify",
)
def data_verify() -> None:
    """Check the sha256 of what is here.

    A damaged file is deleted.
    """
    for name, here in registry.verify().items():
        say(f"{name}: {'good' if here else 'missing'}")
