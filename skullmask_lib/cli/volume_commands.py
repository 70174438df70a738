"""The commands for whole volumes: ``brain-mask`` and ``strip``."""

from pathlib import Path
from typing import Annotated

import typer

from ..volumes import brain_masks, stripping
from . import commands, options, terminal

app = commands.new_app()

_SCAN_HELP = "A volume: .nii, .nii.gz, .hdr with .img, or a folder of DICOM."
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
        typer.Option(help="Of the ball that closes gaps [voxels]."),
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
    "  skullmask strip head.nii.gz stripped --n4",
)
def strip(
    scan: _Scan,
    out_dir: _OutDir,
    n4: Annotated[
        bool,
        typer.Option("--n4", help="Correct the bias field first; needs the extra volumes."),
    ] = False,
) -> None:
    """Find the brain in a volume of MR: writes the brain, its mask, and a picture to look at."""
    stripped = stripping.strip_scan(scan, out_dir, n4=n4)
    for result, file in stripped._asdict().items():
        terminal.say(f"The {result}: {file}")
