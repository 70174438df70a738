"""Parameters that several commands share, and how typer reads them.

A parameter that only one command takes is declared in the signature of that command.
"""

from pathlib import Path
from typing import Annotated

import typer

from .. import sweeps, versions
from ..errors import InputError
from ..io import paths

_NAMES = list(versions.VERSIONS)
VERSIONS = f"{_NAMES[0]} to {_NAMES[-1]}"  # as help texts name them
IMAGES_HELP = (
    "phantom, phantom-cropped, a head that skullmask data list names, a .npy, .npz, .nii, "
    ".nii.gz, .hdr, .png, .tif, .jpg or .bmp file, a folder of pictures or of one DICOM series, "
    "nfbs:FOLDER or lgg:FOLDER."
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
        If the text is the address of a file on another computer.

    Examples
    --------
    >>> source("file:///data/two%20heads.npy"), source("phantom")
    ('/data/two heads.npy', 'phantom')
    """
    try:
        return str(paths.local(text))
    except InputError as error:
        raise typer.BadParameter(str(error)) from None


def path(text: str) -> Path:
    """Read a path, also as ``file:///…``; typer's own ``Path`` would drop the computer's name.

    Parameters
    ----------
    text : str

    Returns
    -------
    Path

    Raises
    ------
    typer.BadParameter
        If the text is the address of a file on another computer.

    Examples
    --------
    >>> path("file:///data/two%20heads.npy").name
    'two heads.npy'
    """
    return Path(source(text))


def source_argument(metavar: str, *, help: str = IMAGES_HELP):
    """Declare an argument that `source` reads.

    Parameters
    ----------
    metavar : str
        Its name in help texts.
    help : str

    Returns
    -------
    typer.Argument
        For ``Annotated``.

    Examples
    --------
    >>> source_argument("IMAGES").metavar
    'IMAGES'
    """
    return typer.Argument(metavar=metavar, parser=source, help=help)


def source_option(*, help: str):
    """Declare an option that `source` reads.

    Parameters
    ----------
    help : str

    Returns
    -------
    typer.Option
        For ``Annotated``.

    Examples
    --------
    >>> source_option(help="True masks.").metavar
    'PATH'
    """
    return typer.Option(parser=source, metavar="PATH", help=help)


def path_argument(metavar: str, *, help: str):
    """Declare an argument that `path` reads.

    Parameters
    ----------
    metavar : str
        Its name in help texts.
    help : str

    Returns
    -------
    typer.Argument
        For ``Annotated``.

    Examples
    --------
    >>> path_argument("OUT_DIR", help="Folder.").metavar
    'OUT_DIR'
    """
    return typer.Argument(metavar=metavar, parser=path, help=help)


def path_option(*names: str, help: str):
    """Declare an option that `path` reads.

    Parameters
    ----------
    *names : str
        Such as ``-o`` and ``--output``; by default the parameter's own name.
    help : str

    Returns
    -------
    typer.Option
        For ``Annotated``.

    Examples
    --------
    >>> path_option("-o", "--output", help="A folder.").metavar
    'PATH'
    """
    return typer.Option(*names, parser=path, metavar="PATH", help=help)


Images = Annotated[str, source_argument("IMAGES")]
Truth = Annotated[str | None, source_option(help="True masks, a file or a folder: adds scores.")]
Spacing = Annotated[
    tuple[float, float] | None,
    typer.Option(
        help="Row and column spacing [mm], as 0.42 0.42 or 0.42,0.42; overrides the file's.",
    ),
]
Version = Annotated[
    str | None,
    typer.Option(help=f"{VERSIONS}; by default v8, or v7 where a dilation size is given."),
]
DilationSize = Annotated[
    int | None,
    typer.Option(
        help="Width of the element in pixels; v5, v6, v7. "
        "About 11 mm suits: 26 at 0.42 mm, 13 at 0.88 mm.",
    ),
]
Channel = Annotated[
    int | None,
    typer.Option(help="Channel of a colour image."),
]
Slices = Annotated[
    str | None,
    typer.Option(help="Slices to take, counted from 0: start:stop:step, stop included."),
]
Axis = Annotated[
    int,
    typer.Option(
        min=0,
        max=2,
        help="How to cut a volume: 2 into axial, 1 into coronal, 0 into sagittal slices.",
    ),
]
AXIAL = 2  # the default of ``Axis``


def version_options(dilation_size: int | None) -> dict[str, int]:
    """Collect the options of a version that were given.

    Parameters
    ----------
    dilation_size : int or None
        Dilation width [px].

    Returns
    -------
    dict of str to int

    Examples
    --------
    >>> version_options(26), version_options(None)
    ({'dilation_size': 26}, {})
    """
    if dilation_size is None:
        return {}
    return {"dilation_size": dilation_size}


def slice_range(slices: str | None) -> range | None:
    """Read which slices to take.

    Parameters
    ----------
    slices : str or None
        ``start:stop:step``, stop included.

    Returns
    -------
    range or None
        None takes all of them.

    Raises
    ------
    InputError
        If the text is anything else.

    Examples
    --------
    >>> slice_range("0:4:2")
    range(0, 5, 2)
    """
    if slices is None:
        return None
    return sweeps.parse_range(slices, low=0)
