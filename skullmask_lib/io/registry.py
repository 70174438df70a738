"""Real heads: those that ``data/registry.txt`` names, where they are kept, and how they get there.

The heads are other people's work and stay where they are published; our traced truth comes with
the project. The sha256 of a file is compared with the registry's on every read, and a file that
differs is deleted. Files are fetched and verified here; `reading` reads them.
"""

import contextlib
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
    """Read the registry; the comment above a file describes it.

    Returns
    -------
    dict of str to Original
        Name to entry.

    Examples
    --------
    >>> originals()["oms01_T2W"].voxel_mm
    '0.51 × 0.51 × 4'
    """
    registry = project_folder("data") / "registry.txt"
    entries = {}
    comment = ""
    for line in registry.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            comment = line.removeprefix("#").strip()
        elif line:
            file, sha256, url = line.split()
            name = file.removesuffix(_SUFFIX)
            entries[name] = Original(*comment.split(" | "), sha256, url)
    return entries


def names() -> tuple[str, ...]:
    """List the names of the heads that can be fetched.

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
    """Return the folder in which fetched files are kept.

    Returns
    -------
    Path
        The one that the environment variable ``SKULLMASK_DATA`` names; otherwise ``data/downloads``
        in a clone, or the user's cache where skullmask is installed.

    Examples
    --------
    >>> from unittest import mock
    >>> with mock.patch.dict(os.environ, SKULLMASK_DATA="heads"):
    ...     str(folder())
    'heads'
    """
    chosen = os.environ.get("SKULLMASK_DATA")
    if chosen:
        return Path(chosen).expanduser()
    data = project_folder("data")
    is_installed = data.parent == Path(project.__file__).parent
    if is_installed:
        return Path(pooch.os_cache("skullmask"))
    return data / "downloads"


def path(name: str) -> Path:
    """Return where the file of a head is kept, whether it is there or not.

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
        expected = ", ".join(names())
        raise InputError(f"no such data set; expected one of {expected}", where=name)
    return folder() / f"{name}{_SUFFIX}"


def truth(name: str) -> Path | None:
    """Find the traced skull mask of a head, a volume in RAS order.

    The truth of slices without a voxel in it is unknown.

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
    """Return the file of a head: download it where it is missing, and verify it in any case.

    Parameters
    ----------
    name : str
    progress : bool
        Show a bar on stderr while downloading, if that is a terminal.
    timeout_s : float
        How long the server may stay silent [s].

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If there is no such name, the download fails, or the sha256 is not the registry's; such a
        file is deleted.

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
    """Check the sha256 of every head that was fetched.

    Returns
    -------
    dict of str to bool
        Name to whether the file is there.

    Raises
    ------
    InputError
        If a file is not what the registry says; it is deleted. All files are checked first, and
        the message names all that are wrong.

    Examples
    --------
    >>> from unittest import mock
    >>> with tempfile.TemporaryDirectory() as empty:
    ...     with mock.patch.dict(os.environ, SKULLMASK_DATA=empty):
    ...         verify()["chris"]
    False
    """
    is_there = {}
    errors = []
    for name in names():
        file = path(name)
        is_there[name] = file.exists()
        if not is_there[name]:
            continue
        try:
            _verify(file, name)
        except InputError as error:
            errors.append(str(error))
    if errors:
        raise InputError("; ".join(errors))
    return is_there


def _difference(file: Path, name: str) -> str:
    """Say how the sha256 of a file differs from the registry's; empty if it does not."""
    wanted = originals()[name].sha256
    sha256 = pooch.file_hash(str(file))
    if sha256 == wanted:
        return ""
    return f"expected sha256 {wanted[:12]}…, got {sha256[:12]}…"


def _verify(file: Path, name: str) -> None:
    """Refuse a file of another sha256, and delete it."""
    if not file.is_file():
        raise InputError("expected a file; name another folder in SKULLMASK_DATA", where=file)
    difference = _difference(file, name)
    if not difference:
        return
    outcome = "deleted"
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        hint = "delete it, or name another folder in SKULLMASK_DATA"
        outcome = f"cannot be deleted ({error.strerror}): {hint}"
    again = f"fetch it again: skullmask data fetch {name}"
    raise InputError(f"{difference}; {outcome}; {again}", where=file)


def _download(file: Path, name: str, progress: bool, timeout_s: float) -> None:
    """Download a head, and take it only when it is verified."""
    url = originals()[name].url
    outside = sys.exception()
    _make_folder(file)
    try:
        _download_beside(file, name, url, progress, timeout_s)
    except OSError as error:  # of the network or of the disk
        reason = _reason(error, outside)
        raise InputError(
            f"not here, and not to be had from {url} ({reason}); "
            "try again, put the file there, or name the folder that has it in SKULLMASK_DATA",
            where=file,
        ) from None


def _make_folder(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        hint = "name a folder in SKULLMASK_DATA"
        raise InputError(f"cannot be written ({error.strerror}); {hint}", where=file) from None


def _download_beside(file: Path, name: str, url: str, progress: bool, timeout_s: float) -> None:
    """Download under a temporary name, so that two downloads do not disturb each other."""
    with contextlib.ExitStack() as stack:
        prefix = f".{file.name}-"
        temporary_folder = tempfile.TemporaryDirectory(prefix=prefix, dir=file.parent)
        temporary = Path(stack.enter_context(temporary_folder), file.name)
        bar = stack.enter_context(_progress_bar(name, progress))
        fetch_url = pooch.HTTPDownloader(progressbar=bar, timeout=timeout_s)
        fetch_url(url, str(temporary), None)
        difference = _difference(temporary, name)
        if difference:
            again = f"not kept, try again: skullmask data fetch {name}"
            raise InputError(f"{difference} from {url}; {again}", where=file)
        os.replace(temporary, file)


def _progress_bar(name: str, progress: bool) -> tqdm:
    """Make a bar that is shown on a terminal; its total is a start, which pooch corrects.

    Without a total the bar would be false, and pooch would take it for none.
    """
    disable = None if progress else True
    return tqdm(
        total=1,
        desc=name,
        unit="B",
        unit_scale=True,
        leave=False,
        disable=disable,
    )


def _reason(error: BaseException, outside: BaseException | None) -> str:
    """Return the few words of the innermost error of a download."""
    while error.__context__ not in (None, outside):
        error = error.__context__
    strerror = getattr(error, "strerror", None)
    if strerror:
        return strerror
    return str(error).partition(" for url")[0] or type(error).__name__
