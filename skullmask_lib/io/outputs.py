"""Outputs that appear whole or not at all, whatever is in them.

Every file or folder that a command writes passes through here, whatever its format. `writing` knows
the formats of masks.
"""

import contextlib
import glob
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import InputError
from .paths import AnyPath


@contextlib.contextmanager
def replacing(
    output: AnyPath,
    *inputs: AnyPath,
    over: bool = False,
) -> Iterator[Path]:
    """Give a temporary path that takes the place of ``output`` if all goes well.

    Otherwise the temporary path is removed, and what was there before stays.

    Parameters
    ----------
    output : str or path
        The final file or folder. A file is replaced; a folder must not exist or be empty. Of a
        symbolic link the target is written, as a shell's ``>`` does, and the link stays.
    *inputs : str or path
        Files that must not be overwritten.
    over : bool
        Replace a folder too, as a whole.

    Yields
    ------
    Path
        Has the same suffix, and is on the same disk.

    Raises
    ------
    InputError
        If the parent folder is missing, a file or read-only, or if the output is one of the inputs
        or a link to itself.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    output = Path(output)
    place = _behind_links(output)
    _check_place(output, place, inputs, over)
    folder = ""
    try:
        _sweep_up(place)
        prefix = f"{_prefix(place)}{os.getpid()}-"
        with tempfile.TemporaryDirectory(prefix=prefix, dir=place.parent) as folder:
            folder = str(Path(folder))  # as the names below begin
            temporary = Path(folder, output.name)
            yield temporary
            if over and place.is_dir():
                _exchange(temporary, place, earlier=Path(folder, "earlier"))
            else:
                os.replace(temporary, place)
    except OSError as error:
        if error.filename and folder and not str(error.filename).startswith(folder):
            raise  # it is about another file
        reason = error.strerror or error
        raise InputError(f"cannot be written ({reason})", where=output) from None


def _behind_links(output: Path) -> Path:
    """Follow symbolic links to their target, whether it exists or not."""
    if not output.is_symlink():
        return output
    try:
        target = output.resolve()
    except (OSError, RuntimeError):  # a link to itself; which one depends on the version of Python
        target = output
    if target.is_symlink():
        raise InputError("is a link that leads nowhere; choose another name", where=output)
    return target


def _check_place(
    output: Path,
    place: Path,
    inputs: Iterable[AnyPath],
    over: bool,
) -> None:
    """Refuse an output that cannot be written, or would replace what it must not.

    Messages name the output as the user did.
    """
    parent = place.parent
    if not parent.is_dir():
        reason = "is not a folder" if parent.exists() else "does not exist"
        raise InputError(f"cannot be written, {parent} {reason}", where=output)
    if any(_is_same_file(place, Path(file)) for file in inputs):
        raise InputError("the output is the input; choose another name", where=output)
    if place.is_dir():
        if not over:
            _check_folder(output, place)
    elif place.exists() and not place.is_file():
        raise InputError("is neither a file nor a folder; choose another name", where=output)


def _is_same_file(place: Path, other: Path) -> bool:
    return place.exists() and other.exists() and place.samefile(other)


def _check_folder(output: Path, place: Path) -> None:
    """Refuse a folder in the place of a file, and a folder that is not empty."""
    if output.suffix:
        raise InputError("is a folder; choose another name", where=output)
    if any(place.iterdir()):
        raise InputError("is a folder that is not empty; choose another name", where=output)


def _exchange(temporary: Path, place: Path, *, earlier: Path) -> None:
    """Replace a folder by another; if that fails, the earlier one comes back."""
    os.replace(place, earlier)
    try:
        os.replace(temporary, place)
    except BaseException:
        os.replace(earlier, place)
        raise


def _prefix(output: Path) -> str:
    """Return how the temporary folders of this machine begin; a process number follows."""
    return f".{output.name}-{platform.node()}-"


def _sweep_up(output: Path) -> None:
    """Remove the temporary folders of processes on this machine that were killed."""
    if os.name != "posix":
        return
    prefix = _prefix(output)
    for leftover in output.parent.glob(f"{glob.escape(prefix)}*-*"):
        process, _, _ = leftover.name.removeprefix(prefix).partition("-")
        with contextlib.suppress(PermissionError, ValueError):  # somebody else's, or another name
            if not _is_running(int(process)):
                shutil.rmtree(leftover, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def make_folder(folder: AnyPath) -> Path:
    """Make a folder, and those above it, unless it is there already.

    Parameters
    ----------
    folder : str or path

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If it cannot be made, such as where a file has its name.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_folder(f"{folder}/a/b").is_dir()
    True
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot be made a folder ({reason})", where=folder) from None
    return path


def make_single_folder(folder: AnyPath) -> Path:
    """Make a folder, but none above it, unless it is there already.

    Parameters
    ----------
    folder : str or path

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If the folder above it is missing, or a file has its name.

    Examples
    --------
    >>> make_single_folder("missing/folder")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: missing/folder: cannot be written, missing does not exist
    """
    path = Path(folder)
    if not path.is_dir():
        with replacing(path) as temporary:
            temporary.mkdir()
    return path


@contextlib.contextmanager
def writable(path: AnyPath) -> Iterator[None]:
    """Turn an error of the disk into one line, for work that is kept as far as it got.

    Parameters
    ----------
    path : str or path
        The output, for the message.

    Raises
    ------
    InputError

    Examples
    --------
    >>> with writable("masks.npy"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: masks.npy: cannot be written (No space left on device); ...
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"cannot be written ({reason}); what is done is kept", where=path
        ) from None


def sync(path: AnyPath) -> None:
    """Wait until a file, or the names in a folder, are on disk.

    Parameters
    ----------
    path : str or path

    Examples
    --------
    >>> sync(tempfile.gettempdir())
    """
    if os.name != "posix" and Path(path).is_dir():
        return  # elsewhere a folder cannot be opened
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
