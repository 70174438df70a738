"""Outputs appear whole or not at all."""

import contextlib
import glob
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..errors import InputError


@contextlib.contextmanager
def replacing(output: str | os.PathLike, *inputs: str | os.PathLike, over: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``output`` that takes its place when all went well, and else is removed.

    Parameters
    ----------
    output : str or path
        The final file or folder; a file is replaced, a folder must not exist or be empty. Of a symbolic link the
        target is written, as a shell's ``>`` does; the link stays.
    *inputs : str or path
        Files that must not be overwritten.
    over : bool
        Replace a folder too, as a whole.

    Yields
    ------
    Path
        A name with the same suffix in the same folder, which can be written there.

    Raises
    ------
    InputError
        If the parent folder is missing, a file or read-only, if the output is one of the inputs, or a link to itself.

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
            raise  # it speaks of another file
        raise InputError(f"{output}: cannot be written ({error.strerror or error})") from None


def _behind_links(output: Path) -> Path:
    """Follow the symbolic links that an output is, to what they name, whether that exists or not."""
    if not output.is_symlink():
        return output
    try:
        target = output.resolve()
    except (OSError, RuntimeError):  # a link to itself; which of them it is depends on the version of Python
        target = output
    if target.is_symlink():
        raise InputError(f"{output}: is a link that leads nowhere; choose another name")
    return target


def _check_place(output: Path, place: Path, inputs: Iterable[str | os.PathLike], over: bool) -> None:
    """Refuse an output that cannot be written, or would replace what it must not; messages name it as it was given."""
    if not place.parent.is_dir():
        kind = "is not a folder" if place.parent.exists() else "does not exist"
        raise InputError(f"{output}: cannot be written, {place.parent} {kind}")
    if any(_is_same_file(place, Path(given)) for given in inputs):
        raise InputError(f"{output}: the output is the input; choose another name")
    if place.is_dir():
        if not over:
            _check_folder(output, place)
    elif place.exists() and not place.is_file():
        raise InputError(f"{output}: is neither a file nor a folder; choose another name")


def _is_same_file(place: Path, given: Path) -> bool:
    return place.exists() and given.exists() and place.samefile(given)


def _check_folder(output: Path, place: Path) -> None:
    """Refuse a folder in the place of a file, and one that holds something."""
    if output.suffix:
        raise InputError(f"{output}: is a folder; choose another name")
    if any(place.iterdir()):
        raise InputError(f"{output}: is a folder that is not empty; choose another name")


def _exchange(temporary: Path, place: Path, *, earlier: Path) -> None:
    """Put a folder in the place of another, which goes away first and comes back if that fails."""
    os.replace(place, earlier)
    try:
        os.replace(temporary, place)
    except BaseException:
        os.replace(earlier, place)
        raise


def _prefix(output: Path) -> str:
    return f".{output.name}-{platform.node()}-"


def _sweep_up(output: Path) -> None:
    """Remove what runs on this machine left behind when they were killed."""
    for left in output.parent.glob(f"{glob.escape(_prefix(output))}*-*") if os.name == "posix" else ():
        with contextlib.suppress(PermissionError, ValueError):  # somebody else's, or of another name
            try:
                os.kill(int(left.name.removeprefix(_prefix(output)).partition("-")[0]), 0)
            except ProcessLookupError:
                shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def writable(path: str | os.PathLike) -> Iterator[None]:
    """Say in one line what stands in the way of writing long work.

    Parameters
    ----------
    path : str or path
        Of the output, for the message.

    Raises
    ------
    InputError

    Examples
    --------
    >>> with writable("masks.npy"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: masks.npy: cannot be written (No space left on device); what is done is kept
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}); what is done is kept") from None


def sync(path: str | os.PathLike) -> None:
    """Wait until a file, or the names in a folder, are on disk.

    Parameters
    ----------
    path : str or path

    Examples
    --------
    >>> sync(tempfile.gettempdir())
    """
    if os.name != "posix" and Path(path).is_dir():
        return  # there a folder cannot be opened
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
