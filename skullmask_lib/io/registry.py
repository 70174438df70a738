"""Real heads: what ``data/registry.txt`` names, where it is kept, and how it gets there.

The heads are other people's work and stay where they are published; our traced truth comes with the project. A file is
believed only if its sha256 is the registry's, on every read: what differs is deleted.
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pooch
from tqdm import tqdm

from .. import project
from ..errors import InputError
from ..project import project_folder

_SUFFIX = ".nii.gz"


@dataclass(frozen=True)
class Original:
    """One entry of the registry.

    Attributes
    ----------
    what : str
        Sequence and subject.
    voxel_mm : str
        Size of a voxel [mm].
    licence : str
    sha256 : str
        64 hexadecimal digits.
    url : str
        Where the file is published.
    """

    what: str
    voxel_mm: str
    licence: str
    sha256: str
    url: str


def originals() -> dict[str, Original]:
    """Read the registry; the comment above a file says what the file is.

    Returns
    -------
    dict of str to Original
        Name to entry.

    Examples
    --------
    >>> originals()["oms01_T2W"].voxel_mm
    '0.51 × 0.51 × 4'
    """
    entries, comment = {}, ""
    for line in (project_folder("data") / "registry.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            comment = line.removeprefix("#").strip()
        elif line:
            file, sha256, url = line.split()
            entries[file.removesuffix(_SUFFIX)] = Original(*comment.split(" | "), sha256, url)
    return entries


def names() -> tuple[str, ...]:
    """Name the heads that can be fetched.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> names()[:2]
    ('chris', 'oms01')
    """
    return tuple(originals())


def folder() -> Path:
    """Say where fetched files are kept.

    Returns
    -------
    Path
        What the environment variable ``SKULLMASK_DATA`` names; else ``data/downloads`` in a clone, or the user's
        cache where skullmask is installed.

    Examples
    --------
    >>> from unittest import mock
    >>> with mock.patch.dict(os.environ, SKULLMASK_DATA="heads"):
    ...     str(folder())
    'heads'
    """
    if given := os.environ.get("SKULLMASK_DATA"):
        return Path(given).expanduser()
    data = project_folder("data")
    return Path(pooch.os_cache("skullmask")) if data.parent == Path(project.__file__).parent else data / "downloads"


def path(name: str) -> Path:
    """Say where the file of a head is kept, be it there or not.

    Parameters
    ----------
    name : str

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If the registry has no such name.

    Examples
    --------
    >>> path("chris").name
    'chris.nii.gz'
    """
    if name not in names():
        raise InputError(f"{name}: no such data set; expected one of {', '.join(names())}")
    return folder() / f"{name}{_SUFFIX}"


def truth(name: str) -> Path | None:
    """Find the traced skull mask of a head, a volume in RAS order; slices without a voxel in it are unknown.

    Parameters
    ----------
    name : str

    Returns
    -------
    Path or None
        None where nothing was traced.

    Raises
    ------
    InputError
        If the registry has no such name.

    Examples
    --------
    >>> truth("chris").name, truth("oms19_FLAIR")
    ('chris.nii.gz', None)
    """
    traced = project_folder("data") / "truth" / path(name).name
    return traced if traced.is_file() else None


def fetch(name: str, *, progress: bool = False, timeout_s: float = 30.0) -> Path:
    """Give the file of a head, downloaded where it is missing, verified in any case.

    Parameters
    ----------
    name : str
    progress : bool
        Show a bar on stderr while downloading, if that is a terminal.
    timeout_s : float
        How long the server may say nothing [s].

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is no such name, the download fails, or the sha256 is another than the registry's; a file of
        another sha256 is deleted.

    Examples
    --------
    >>> fetch("nobody")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: nobody: no such data set; expected one of chris, oms01, ...
    """
    file = path(name)
    if file.exists():
        _verify(file, name)
    else:
        _download(file, name, progress, timeout_s)
    return file


def verify() -> dict[str, bool]:
    """Check the sha256 of every head that is here.

    Returns
    -------
    dict of str to bool
        Name to whether the file is here; False is missing.

    Raises
    ------
    InputError
        If a file is not what the registry says; it is deleted. All are checked before, and all such are named.

    Examples
    --------
    >>> from unittest import mock
    >>> with tempfile.TemporaryDirectory() as empty, mock.patch.dict(os.environ, SKULLMASK_DATA=empty):
    ...     verify()["chris"]
    False
    """
    here, wrong = {}, []
    for name in names():
        file = path(name)
        here[name] = file.exists()
        try:
            if here[name]:
                _verify(file, name)
        except InputError as error:
            wrong.append(str(error))
    if wrong:
        raise InputError("; ".join(wrong))
    return here


def _difference(file: Path, name: str) -> str:
    """Say how the sha256 of a file differs from that in the registry; nothing if it does not."""
    wanted, found = originals()[name].sha256, pooch.file_hash(str(file))
    return "" if found == wanted else f"expected sha256 {wanted[:12]}…, got {found[:12]}…"


def _verify(file: Path, name: str) -> None:
    if not file.is_file():
        raise InputError(f"{file}: expected a file; name another folder in SKULLMASK_DATA")
    if difference := _difference(file, name):
        try:
            file.unlink(missing_ok=True)
            done = "deleted"
        except OSError as error:
            done = f"cannot be deleted ({error.strerror}): delete it, or name another folder in SKULLMASK_DATA"
        raise InputError(f"{file}: {difference}; {done}; fetch it again: skullmask data fetch {name}")


def _download(file: Path, name: str, progress: bool, timeout_s: float) -> None:
    """Download beside the final name and take it only when verified: two at a time do not disturb each other."""
    url, outside = originals()[name].url, sys.exception()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{file}: cannot be written ({error.strerror}); name a folder in SKULLMASK_DATA") from None
    try:
        with (
            tempfile.TemporaryDirectory(prefix=f".{file.name}-", dir=file.parent) as made,
            tqdm(total=1, desc=name, unit="B", unit_scale=True, leave=False, disable=None if progress else True) as bar,
        ):  # a total, because pooch asks whether the bar is true; it puts the real one
            temporary = Path(made, file.name)
            pooch.HTTPDownloader(progressbar=bar, timeout=timeout_s)(url, str(temporary), None)
            if difference := _difference(temporary, name):
                raise InputError(f"{file}: {difference} from {url}; not kept, try again: skullmask data fetch {name}")
            os.replace(temporary, file)
    except OSError as error:  # of the network or of the disk; the innermost says it in few words
        while error.__context__ not in (None, outside):
            error = error.__context__
        reason = getattr(error, "strerror", None) or str(error).partition(" for url")[0] or type(error).__name__
        raise InputError(
            f"{file}: not here, and not to be had from {url} ({reason}); try again, put the file there, or name the "
            "folder that has it in SKULLMASK_DATA"
        ) from None
