"""What a source is: the name of a phantom or head, a data set, a folder, a DICOM series or a file.

Sources are told apart here by their names and by the first bytes of files. A new file format gets a
module like `pictures` and its suffix in `SUFFIXES`. `reading` turns its slices into a `Data`, and
`writing` writes its masks.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError
from . import cohorts, dicom, nifti, paths, pictures, registry
from .paths import AnyPath

PHANTOMS = ("phantom", "phantom-cropped")
SUFFIXES = (".npy", ".npz", *nifti.SUFFIXES, *pictures.SUFFIXES)
_PREVIEWS = (*pictures.LOSSY, ".bmp")  # may lie beside a DICOM series


class Contents(NamedTuple):
    """The images in a folder.

    Attributes
    ----------
    pictures : Listing
        The pictures, and what looks like an image and is not read.
    series : list of Path
        The files of a DICOM series.
    """

    pictures: paths.Listing
    series: list[Path]

    @property
    def is_series(self) -> bool:
        """Whether the folder holds a DICOM series and no pictures."""
        return bool(self.series) and not self.pictures.files


def is_name(source: AnyPath) -> bool:
    """Return whether a source is the name of a phantom or of a head, and not a path.

    Parameters
    ----------
    source : str or path

    Returns
    -------
    bool

    Examples
    --------
    >>> is_name("phantom"), is_name("./phantom")
    (True, False)
    """
    return isinstance(source, str) and source in (*PHANTOMS, *registry.names())


def format_of(source: AnyPath) -> str:
    """Return what a source is made of.

    Parameters
    ----------
    source : str or path

    Returns
    -------
    str
        ``"name"`` of a phantom or head, the prefix of a data set, ``"folder"`` of pictures,
        ``"series"`` of DICOM, or the suffix of a file.

    Raises
    ------
    InputError
        If it is a file of a kind that cannot be read.

    Examples
    --------
    >>> format_of("phantom"), format_of("nfbs:heads"), format_of("Head.NII.GZ")
    ('name', 'nfbs:', '.nii.gz')
    """
    prefix, path = cohorts.prefixed(source)
    if prefix:
        return prefix
    if is_name(source):
        return "name"
    if not path.is_dir():
        return suffix_of(path)
    return "series" if contents_of(path).is_series else "folder"


def suffix_of(path: Path) -> str:
    """Return the suffix of a file that can be read.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str
        In small letters.

    Raises
    ------
    InputError
        If no file with this suffix can be read.

    Examples
    --------
    >>> suffix_of(Path("Head.NII.GZ"))
    '.nii.gz'
    """
    suffix = nifti.split_name(path)[1] or path.suffix.lower()
    if suffix in (*SUFFIXES, *nifti.PAIRS):
        return suffix
    got = path.suffix or "no suffix"
    if dicom.is_dicom(path):
        got = "one file of DICOM: name the folder of its series"
    raise InputError(f"expected a file that ends in {', '.join(SUFFIXES)}, got {got}", where=path)


def contents_of(folder: Path) -> Contents:
    """Find the pictures of a folder and the files of its DICOM series, without its previews.

    Pictures are not opened. Beside pictures, only files with the mark of DICOM count as a series.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Contents

    Raises
    ------
    InputError
        If the folder cannot be read.

    Examples
    --------
    >>> contents_of(Path(__file__).parent).is_series
    False
    """
    nothing = paths.Listing((), {})
    listing = paths.listed(folder, pictures.SUFFIXES)
    if not listing.files:
        series = dicom.files_in(folder)
        return Contents(nothing if series else listing, series)
    others = _beside_pictures(folder)
    if _are_previews(listing.files) and any(map(dicom.is_dicom, others)):
        return Contents(nothing, dicom.files_in(folder))  # `dicom` names the previews
    marked = [file for file in others if dicom.has_mark(file)]
    return Contents(listing, marked)


def _are_previews(files: Sequence[Path]) -> bool:
    return all(file.name.lower().endswith(_PREVIEWS) for file in files)


def _beside_pictures(folder: Path) -> list[Path]:
    """List what may be DICOM: its files need no suffix."""
    others = []
    for entry in sorted(folder.iterdir()):
        name = entry.name.lower()
        is_picture = name.endswith(pictures.SUFFIXES)
        if not is_picture and name != "dicomdir" and not paths.is_hidden(name):
            others.append(entry)
    return others


def files_in(source: AnyPath) -> list[Path]:
    """List the files that a folder or a data set of the sources is read from.

    Parameters
    ----------
    source : str or path
        See `load`.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> files_in(Path(__file__).parent)
    []
    """
    prefix, folder = cohorts.prefixed(source)
    if not prefix:
        contents = contents_of(folder)
        return list(contents.pictures.files) or contents.series
    files = []
    for _, image, mask in cohorts.files(prefix, folder):
        files += [path for path in (image, mask) if path]
    return files
