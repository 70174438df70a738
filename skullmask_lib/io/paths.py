"""Paths that users give: addresses of files, and what a folder holds, in natural order.

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

AnyPath = str | os.PathLike  # as users give paths
_ADDRESS = re.compile(r"file:[\\/]", re.IGNORECASE)
_HAS_DRIVES = os.name == "nt"
_SYSTEM_FILES = (".ds_store", "thumbs.db", "desktop.ini", "__macosx")
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
_SPECIAL_FILES = {stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
_MOST_NAMES = 3  # of a kind in a message


@dataclass(frozen=True)
class Listing:
    """The files of a folder to read, and what else looks like an image; hidden files in neither.

    Attributes
    ----------
    files : tuple of Path
        The files to read, in natural order.
    left_out : dict of str to list of str
        Reason to names: what looks like an image and is not read.
    """

    files: tuple[Path, ...]
    left_out: dict[str, list[str]]

    def remark(self) -> str:
        """Say in one line what was left out and why; empty if nothing was."""
        if not self.left_out:
            return ""
        kinds = [f"{some(names)} ({reason})" for reason, names in self.left_out.items()]
        return f"left out {', '.join(kinds)}"


def some(names: Sequence[str]) -> str:
    """Write the first few names, and the number of the rest.

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
    shown = ", ".join(names[:_MOST_NAMES])
    more = len(names) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def local(path: AnyPath) -> AnyPath:
    """Return the path of a ``file://`` address; any other path is returned as it is.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    str or path

    Raises
    ------
    InputError
        If it is an address on another computer, or of a name that no file can have.

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
    place = _without_host(place, path)
    place = _unquoted(place, path)
    if _HAS_DRIVES and re.match(r"/[A-Za-z]:", place):
        place = place[1:]  # /C:/heads.npy
    return place if isinstance(path, str) else Path(place)


def _without_host(place: str, path: AnyPath) -> str:
    """Drop the name of this computer from an address, and refuse that of another."""
    if not place.startswith("//"):
        return place
    host, slash, rest = place[2:].partition("/")
    if host.casefold() in ("", "localhost"):
        return slash + rest
    wanted = f"a file of this computer, as in file:///{rest or host}"
    raise InputError(f"expected {wanted}, got one of {host}", where=path)


def _unquoted(place: str, path: AnyPath) -> str:
    """Replace the escapes of an address, such as ``%20``."""
    try:
        unquoted = urllib.parse.unquote_to_bytes(os.fsencode(place))
        place = os.fsdecode(unquoted)
    except UnicodeError:
        place = "\0"
    if "\0" in place:
        raise InputError("is the address of a name that no file can have here", where=path)
    return place


def kind_of(path: Path) -> str:
    """Return whether a path leads to a file, to a folder or nowhere, without opening it.

    Parameters
    ----------
    path : Path

    Returns
    -------
    {"file", "folder", ""}

    Raises
    ------
    InputError
        If it is a pipe, a device, a socket or a link that leads nowhere, or if there can be no
        such name.

    Examples
    --------
    >>> kind_of(Path(__file__)), kind_of(Path(__file__).parent), kind_of(Path("missing.npy"))
    ('file', 'folder', '')
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            target = os.readlink(path)
            raise InputError(f"is a link that leads nowhere, to {target}", where=path) from None
        return ""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be opened ({reason})", where=texts.plain(path)) from None
    if stat.S_ISDIR(mode):
        return "folder"
    if stat.S_ISREG(mode):
        return "file"
    kind = _SPECIAL_FILES.get(stat.S_IFMT(mode), "device")
    raise InputError(f"expected a file, got a {kind}", where=path)


def is_hidden(name: str) -> bool:
    """Return whether a name is one that systems and tools leave in a folder.

    Parameters
    ----------
    name : str
        Without folders.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_hidden("._head.png"), is_hidden("Thumbs.db"), is_hidden("head.png")
    (True, True, False)
    """
    return name.startswith(".") or is_left_by_system(name)


def is_left_by_system(name: str) -> bool:
    """Return whether a name is one that a system writes by itself, and nobody misses.

    Parameters
    ----------
    name : str
        Without folders.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_left_by_system(".DS_Store"), is_left_by_system("._head.png"), is_left_by_system(".git")
    (True, True, False)
    """
    return name.startswith("._") or name.lower() in _SYSTEM_FILES


def check_distinct(outputs: Sequence[str], names: Sequence[str], source: AnyPath) -> None:
    """Refuse images of which two would write the same file.

    On some systems capitals do not count, so they do not count here.

    Parameters
    ----------
    outputs : sequence of str
        The file that is written for every image.
    names : sequence of str
        The images, for messages.
    source : str or path
        Where the images come from, for messages.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_distinct(["Head", "head"], ["Head.png", "head.jpg"], "scans")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: scans: Head.png and head.jpg would give one mask; ...
    """
    owners: dict[str, str] = {}
    for output, name in zip(outputs, names, strict=True):
        key = unicodedata.normalize("NFC", output).casefold()
        if key not in owners:
            owners[key] = name
        elif owners[key] == name:
            raise InputError(f"names {name} twice", where=source)
        else:
            both = f"{owners[key]} and {name}"
            hint = "rename one of them"
            raise InputError(f"{both} would give one mask; {hint}", where=source)


def natural(name: str) -> tuple:
    """Return a key to sort by: numbers as numbers, and capitals with small letters.

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
    parts = PurePosixPath(name).parts
    return tuple(map(_natural_part, parts)), name


def _natural_part(part: str) -> tuple:
    plain = unicodedata.normalize("NFC", part).casefold()
    pieces = re.split("([0-9]+)", plain)
    for place in range(1, len(pieces), 2):
        digits = pieces[place].lstrip("0")
        pieces[place] = (len(digits), digits)  # sorts as a number, however long
    return tuple(pieces)


def listed(folder: Path, suffixes: Sequence[str], *, below: bool = False) -> Listing:
    """Find the files of a folder with some suffixes, and what else looks like an image.

    Parameters
    ----------
    folder : Path
    suffixes : sequence of str
        In small letters.
    below : bool
        Look into subfolders, too, but not into links to folders: they may lead anywhere.

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
            name = _below(folder, file)
            left_out.setdefault(reason, []).append(name)
        else:
            files.append(file)
    files.sort(key=lambda file: natural(_below(folder, file)))
    ordered = {}
    for reason in sorted(left_out):
        ordered[reason] = sorted(left_out[reason], key=natural)
    return Listing(tuple(files), ordered)


def _below(folder: Path, file: Path) -> str:
    """Name a file by its path below a folder."""
    return file.relative_to(folder).as_posix()


def _entries(folder: Path, suffixes: tuple[str, ...], below: bool) -> Iterator[tuple[Path, str]]:
    """Yield each file to read with an empty reason, and what is left out with its reason."""
    waiting = [folder]
    while waiting:
        parent = waiting.pop()
        try:
            entries = list(os.scandir(parent))
        except OSError as error:
            if parent == folder:
                raise InputError(f"cannot be read ({error.strerror})", where=folder) from None
            yield parent, _CLOSED
            continue
        for entry in entries:
            if is_hidden(entry.name):
                continue
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
    """Return whether a folder is not entered: it is a link, or named like a file."""
    is_link = entry.is_symlink()
    if hasattr(entry, "is_junction"):  # of Windows, since Python 3.12
        is_link = is_link or entry.is_junction()
    return is_link or _ends(entry, (*suffixes, ".zarr"))


def _why_left_out(
    entry: os.DirEntry,
    kind: str,
    suffixes: tuple[str, ...],
    below: bool,
) -> str | None:
    """Return the reason; an empty one for a file that is read, and None for what is no image."""
    if kind == "nothing":
        return _LEADS_NOWHERE
    if kind == "other":
        return _NO_FILE
    if kind == "file":
        if _ends(entry, suffixes):
            return ""
        return _NOT_READ if _ends(entry, _OTHER_IMAGES) else None
    if _ends(entry, suffixes):
        return _NAMED_LIKE_A_FILE
    if _ends(entry, (".zarr",)):
        return _NOT_READ
    if below:
        return _LINKED
    return _SUBFOLDER if _holds_images(entry.path) else None


def _holds_images(folder: str) -> bool:
    """Return whether a folder holds anything like an image, at any depth, but for links."""
    for _, subfolders, names in os.walk(folder):
        subfolders[:] = [name for name in subfolders if not is_hidden(name)]
        for name in names:
            if name.lower().endswith(_OTHER_IMAGES) and not is_hidden(name):
                return True
    return False
