"""The commands for whole volumes: ``brain-mask`` and ``strip``."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import texts
from ..errors import InputError
from ..volumes import brain_masks, folders, scans, strip_files
from . import commands, options, terminal

app = commands.new_app()

_SCAN_HELP = "A volume: .nii, .nii.gz, .hdr with .img, or a folder of DICOM."
_SCANS_HELP = (
    "Volumes as .nii, .nii.gz, .hdr with .img, or folders of DICOM; folders of volumes; or one "
    "BIDS data set. OUT_DIR takes the results, and is made if missing."
)
_Scan = Annotated[Path, options.path_argument("SCAN", help=_SCAN_HELP)]
_OutDir = Annotated[
    Path,
    options.path_argument("OUT_DIR", help="Folder for the results, made if missing."),
]


@app.command(
    "brain-mask",
    epilog="Examples:\n\n"
    "  skullmask brain-mask scan.nii.gz masks\n\n"
    "  skullmask brain-mask scan.nii.gz masks --threshold 50 300 --closing-radius 4 --debug",
)
def brain_mask(
    scan: _Scan,
    out_dir: _OutDir,
    threshold: Annotated[
        tuple[float, float] | None,
        typer.Option(
            help="Lowest and highest value of the brain; "
            "by default half and twice Otsu's threshold.",
        ),
    ] = None,
    closing_radius: Annotated[
        int | None,
        typer.Option(help="Radius of the ball that closes gaps [voxels]."),
    ] = None,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Say what was found and where it went."),
    ] = False,
) -> None:
    """Make the brain mask of a volume by nidataset's recipe.

    The recipe is made for CT with contrast; for MR use strip.
    """
    settings = {"threshold": threshold, "debug": debug}
    if closing_radius is not None:
        settings["closing_radius"] = closing_radius
    file, mask = brain_masks.mask_scan(scan, out_dir, **settings)
    terminal.say(f"The brain mask: {file}")
    for remark in brain_masks.quality_control(mask).warnings:
        terminal.warn(scan.absolute().name, remark)


@app.command(
    epilog="Examples:\n\n"
    "  skullmask strip head.nii.gz stripped\n\n"
    "  skullmask strip head.nii.gz stripped --n4\n\n"
    "  skullmask strip head.nii.gz stripped --tight\n\n"
    "  skullmask strip head.nii.gz stripped --version v9\n\n"
    "  skullmask strip scans stripped\n\n"
    "  skullmask strip first.nii.gz second.nii.gz -o stripped\n\n"
    "  skullmask strip my_bids_dataset",
)
def strip(
    paths: Annotated[
        list[Path],
        options.path_argument("SCAN... [OUT_DIR]", help=_SCANS_HELP),
    ],
    output: Annotated[
        Path | None,
        options.path_option("-o", "--output", help="OUT_DIR; every argument is then a scan."),
    ] = None,
    n4: Annotated[
        bool,
        typer.Option("--n4", help="Correct the bias field first; needs the extra volumes."),
    ] = False,
    tight: Annotated[
        bool,
        typer.Option("--tight", help="Brain alone: leave the fluid around it out."),
    ] = False,
    with_csf: Annotated[
        bool,
        typer.Option("--with-csf", help="Take in more of the fluid around the brain."),
    ] = False,
    version: Annotated[
        str,
        typer.Option(help="What finds the skull: v8, or v9, which uses a network as well."),
    ] = "v8",
) -> None:
    """Find the brain in volumes of MR: writes the brain, its mask, a picture and a verdict.

    The verdict, a quality from 0 to 1 and the levels not to trust, is in a .json file beside the
    mask. The results of a BIDS data set are named by its rules, in derivatives/skullmask unless
    you name another folder. With several scans, the table masks.tsv lists them all; a scan that
    fails is named there, and the exit code is 1. A second run makes only what is missing, or whose
    scan or options changed.
    """
    choices: dict[str, Any] = {
        "n4": n4,
        "extent": _extent(tight, with_csf),
        "version": version,
    }
    sources, folder = _split(paths, output)
    is_single = len(sources) == 1 and not folders.holds_scans(scans.existing(sources[0]))
    if not is_single or (folder is not None and folders.holds_run(folder)):
        _strip_several(sources, folder, choices)
        return
    if folder is None:
        raise InputError("expected OUT_DIR, a folder for the results")
    stripped = strip_files.strip_scan(sources[0], folder, **choices)
    for result, file in stripped._asdict().items():
        terminal.say(f"The {result}: {file}")
    verdict = json.loads(stripped.sidecar.read_text(encoding="utf-8"))
    terminal.say(f"The quality: {verdict['Quality']:.2f}")
    if verdict["DoubtfulLevels"]:
        terminal.say(f"Levels not to trust: {verdict['DoubtfulLevels']}")


def _extent(tight: bool, with_csf: bool) -> str:
    """Name the extent of the brain that two options choose."""
    if tight and with_csf:
        raise InputError("--tight and --with-csf exclude each other")
    if tight:
        return "tight"
    if with_csf:
        return "with-csf"
    return "usual"


def _split(paths: list[Path], output: Path | None) -> tuple[list[Path], Path | None]:
    """Tell scans from the folder for the results, which comes last if no option names it."""
    if output is not None or len(paths) == 1:
        return paths, output
    return paths[:-1], paths[-1]


def _strip_several(sources: list[Path], folder: Path | None, choices: dict[str, Any]) -> None:
    """Find many brains; those that fail are an error at the end."""
    with terminal.progress_bar(0, "scan") as bar:
        outcome = folders.strip_scans(
            sources, folder, begin=bar.reset, progress=bar.update, **choices
        )
    terminal.say(f"The table: {outcome.table}")
    terminal.say(texts.counted(outcome.total, "scan"))
    if outcome.doubtful:
        terminal.say(f"To be looked at first: {', '.join(outcome.doubtful)}")
    if outcome.failed:
        names = ", ".join(outcome.failed)
        raise RuntimeError(
            f"{len(outcome.failed)} of {outcome.total} scans failed: {names}; see {outcome.table}"
        )
