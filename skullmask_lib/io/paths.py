"""Paths that users give: addresses of files, what a folder holds and in which order, and what is left out of it.

No file is opened here.
"""

import os
import re
import stat
import unicodedata
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .. import texts
from ..errors import InputError

_ADDRESS = re.compile(r"file:[\\/]", re.IGNORECASE)
_HAS_DRIVES = os.name == "nt"
_SYSTEM_FILES = ("thumbs.db", "desktop.ini", "__macosx")  # hidden without a dot
_OTHER_IMAGES = (
    *(".gif", ".webp", ".jp2", ".heic", ".heif", ".avif", ".svg", ".psd"),
    *(".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".npy", ".npz", ".zarr"),
    *(".nii", ".nii.gz", ".hdr", ".img", ".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd"),
    *(".dcm", ".ima", ".mat", ".h5", ".hdf5"),
)
_LEADS_NOWHERE = "links that lead nowhere"
_NOT_READ = "not read from a folder"
_NAMED_LIKE_A_FILE = "folders named like a file"
_NO_FILE = "neither files nor folders"
_CLOSED = "folders that cannot be read"
_SUBFOLDER = "folders with images; name one of them"
_LINKED = "linked folders; name one of them"
_SPECIAL = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
_SHOWN = 3  # names of a kind in a message


@dataclass(frozen=True)
class Listing:
    """What a folder holds.

    Attributes
    ----------
    files : tuple of Path
        Those to read, in natural order.
    left_out : dict of str to list of str
        By the reason, the names of what looks like an image and is not read. What is hidden is in neither.
    """

    files: tuple[Path, ...]
    left_out: dict[str, list[str]]

    def remark(self) -> str:
        """Say in one line what was left out and why; empty if nothing was."""
        kinds = [f"{some(names)} ({reason})" for reason, names in self.left_out.items()]
        return f"left out {', '.join(kinds)}" if kinds else ""


def some(names: Sequence[str]) -> str:
    """Name the first few, and count the rest.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    str

    Examples
    --------
    >>> some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def local(path: str | os.PathLike) -> str | os.PathLike:
    """Give the path of a ``file://`` address; all else comes back as it is.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    str or path

    Raises
    ------
    InputError
        If it is an address of another computer.

    Examples
    --------
    >>> local("file:///data/two%20heads.npy"), local("heads.npy")
    ('/data/two heads.npy', 'heads.npy')
    """
    text = os.fspath(path)
    if not isinstance(text, str) or not _ADDRESS.match(text):
        return path
    place = text[len("file:") :]
    if place.startswith("\\") or _HAS_DRIVES:  # a Path of Windows writes its slashes so
        place = place.replace("\\", "/")
    if place.startswith("//"):
        host, slash, rest = place[2:].partition("/")
        if host.casefold() not in ("", "localhost"):
            wanted = f"a file of this computer, as in file:///{rest or host}"
            raise InputError(f"{path}: expected {wanted}, got one of {host}")
        place = slash + rest
    try:
        place = os.fsdecode(urllib.parse.unquote_to_bytes(os.fsencode(place)))
    except UnicodeError:
        place = "\0"
    if "\0" in place:
        raise InputError(f"{path}: is the address of a name that no file can have here") from None
    if _HAS_DRIVES and re.match(r"/[A-Za-z]:", place):
        place = place[1:]  # /C:/heads.npy
    return place if isinstance(path, str) else Path(place)


def kind_of(path: Path) -> str:
    """Tell a file from a folder and from nothing, without opening it.

    Parameters
    ----------
    path : Path

    Returns
    -------
    {"file", "folder", ""}

    Raises
    ------
    InputError
        If it is a pipe, a device, a socket or a link that leads nowhere, or if there can be no such name.

    Examples
    --------
    >>> kind_of(Path(__file__)), kind_of(Path(__file__).parent), kind_of(Path("missing.npy"))
    ('file', 'folder', '')
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise InputError(f"{path}: is a link that leads nowhere, to {os.readlink(path)}") from None
        return ""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{texts.plain(path)}: cannot be opened ({reason})") from None
    if stat.S_ISDIR(mode):
        return "folder"
    if not stat.S_ISREG(mode):
        raise InputError(f"{path}: expected a file, got a {_SPECIAL.get(stat.S_IFMT(mode), 'device')}")
    return "file"


def is_hidden(name: str) -> bool:
    """Tell what systems and tools leave in a folder from what people put there.

    Parameters
    ----------
    name : str
        Without folders.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_hidden("._head.png"), is_hidden(".git"), is_hidden("Thumbs.db"), is_hidden("head.png")
    (True, True, True, False)
    """
    return name.startswith(".") or name.lower() in _SYSTEM_FILES


def check_distinct(outputs: Sequence[str], names: Sequence[str], source: str | os.PathLike) -> None:
    """Refuse images of which two would write one file, if only where capitals do not count.

    Parameters
    ----------
    outputs : sequence of str
        What is written for every image.
    names : sequence of str
        The images, for messages.
    source : str or path
        What names them, for messages.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_distinct(["Head", "head"], ["Head.png", "head.jpg"], "scans")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: scans: Head.png and head.jpg would give one mask; rename one of them
    """
    owners: dict[str, str] = {}
    for output, name in zip(outputs, names, strict=True):
        key = unicodedata.normalize("NFC", output).casefold()
        if key not in owners:
            owners[key] = name
        elif owners[key] == name:
            raise InputError(f"{source}: names {name} twice")
        else:
            both = f"{owners[key]} and {name}"
            raise InputError(f"{source}: {both} would give one mask; rename one of them")


def natural(name: str) -> tuple:
    """Give a key to sort by that orders numbers as numbers, and capitals with small letters.

    Parameters
    ----------
    name : str
        With or without folders, separated by slashes.

    Returns
    -------
    tuple

    Examples
    --------
    >>> sorted(["slice_10.png", "Slice_3.png", "slice_1.png"], key=natural)
    ['slice_1.png', 'Slice_3.png', 'slice_10.png']
    """
    return tuple(map(_natural_part, PurePosixPath(name).parts)), name


def _natural_part(part: str) -> tuple:
    texts = re.split("([0-9]+)", unicodedata.normalize("NFC", part).casefold())
    for place in range(1, len(texts), 2):
        digits = texts[place].lstrip("0")
        texts[place] = (len(digits), digits)  # as numbers, however long
    return tuple(texts)


def listed(folder: Path, suffixes: Sequence[str], *, below: bool = False) -> Listing:
    """Find the files of a folder that end in one of these, and what else looks like an image.

    Parameters
    ----------
    folder : Path
    suffixes : sequence of str
        In small letters.
    below : bool
        Look in its folders, too. Folders that are links are not entered: they may lead anywhere.

    Returns
    -------
    Listing

    Raises
    ------
    InputError
        If the folder cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("10.png", "9.png", "notes.txt", "b.gif", "._9.png"):
    ...         Path(folder, name).touch()
    ...     listing = listed(Path(folder), (".png",))
    >>> [file.name for file in listing.files], listing.remark()
    (['9.png', '10.png'], 'left out b.gif (not read from a folder)')
    """
    files: list[Path] = []
    left_out: dict[str, list[str]] = {}
    for file, reason in _entries(folder, tuple(suffixes), below):
        if reason:
            left_out.setdefault(reason, []).append(file.relative_to(folder).as_posix())
        else:
            files.append(file)
    files.sort(key=lambda file: natural(file.relative_to(folder).as_posix()))
    ordered = {reason: sorted(left_out[reason], key=natural) for reason in sorted(left_out)}
    return Listing(tuple(files), ordered)


def _entries(folder: Path, suffixes: tuple[str, ...], below: bool) -> Iterator[tuple[Path, str]]:
    """Give each file to read with no reason, and what is left out with its reason."""
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = [entry for entry in os.scandir(here) if not is_hidden(entry.name)]
        except OSError as error:
            if here == folder:
                raise InputError(f"{folder}: cannot be read ({error.strerror})") from None
            yield here, _CLOSED
            continue
        for entry in entries:
            file = Path(entry.path)
            kind = _kind(entry)
            if kind == "folder" and below and not _stays_closed(entry, suffixes):
                waiting.append(file)
                continue
            reason = _why_left_out(entry, kind, suffixes, below)
            if reason is not None:
                yield file, reason


def _kind(entry: os.DirEntry) -> str:
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
        os.stat(entry.path)
    except OSError:
        return "nothing"
    return "other"


def _ends(entry: os.DirEntry, suffixes: tuple[str, ...]) -> bool:
    return entry.name.lower().endswith(suffixes)


def _stays_closed(entry: os.DirEntry, suffixes: tuple[str, ...]) -> bool:
    is_junction = getattr(entry, "is_junction", None)  # of Windows, and of Python 3.12
    linked = entry.is_symlink() or (is_junction is not None and is_junction())
    return linked or _ends(entry, (*suffixes, ".zarr"))


def _why_left_out(entry: os.DirEntry, kind: str, suffixes: tuple[str, ...], below: bool) -> str | None:
    """Give the reason, an empty one for a file that is read, and None for what is no image."""
    if kind == "nothing":
        return _LEADS_NOWHERE
    if kind == "other":
        return _NO_FILE
    if kind == "file" and _ends(entry, suffixes):
        return ""
    if kind == "file":
        return _NOT_READ if _ends(entry, _OTHER_IMAGES) else None
    if _ends(entry, suffixes):
        return _NAMED_LIKE_A_FILE
    if _ends(entry, (".zarr",)):
        return _NOT_READ
    if below:
        return _LINKED
    return _SUBFOLDER if _holds_images(entry.path) else None


def _holds_images(folder: str) -> bool:
    """Tell whether there is anything like an image in a folder or below it; links are not followed."""
    for _, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_hidden(name)]
        if any(name.lower().endswith(_OTHER_IMAGES) and not is_hidden(name) for name in names):
            return True
    return False
