"""Outputs appear whole or not at all."""

import contextlib
import glob
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .masks import InputError


@contextlib.contextmanager
def replacing(output: str | os.PathLike, *inputs: str | os.PathLike, over: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``output`` that takes its place when all went well, and else is removed.

    Parameters
    ----------
    output : str or path
        The final file or folder; a file is replaced, a folder must not exist or be empty.
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
        If the parent folder is missing, a file or read-only, or if the output is one of the inputs.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(f"{folder}/a.txt") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    output = Path(output)
    if not output.parent.is_dir():
        kind = "is not a folder" if output.parent.exists() else "does not exist"
        raise InputError(f"{output}: cannot be written, {output.parent} {kind}")
    for given in map(Path, inputs):
        if output.exists() and given.exists() and output.samefile(given):
            raise InputError(f"{output}: the output is the input; choose another name")
    if output.is_dir() and not over and (output.suffix or any(output.iterdir())):
        raise InputError(f"{output}: is a folder{'' if output.suffix else ' that is not empty'}; choose another name")
    if output.exists() and not (output.is_file() or output.is_dir()):
        raise InputError(f"{output}: is neither a file nor a folder; choose another name")
    folder = ""
    try:
        _sweep_up(output)
        with tempfile.TemporaryDirectory(prefix=f"{_prefix(output)}{os.getpid()}-", dir=output.parent) as folder:
            folder = str(Path(folder))  # as the names below begin
            temporary = Path(folder, output.name)
            yield temporary
            earlier = Path(folder, "earlier")
            if over and output.is_dir():
                os.replace(output, earlier)
            try:
                os.replace(temporary, output)
            except BaseException:
                if earlier.exists():
                    os.replace(earlier, output)
                raise
    except OSError as error:
        if error.filename and folder and not str(error.filename).startswith(folder):
            raise  # it speaks of another file
        raise InputError(f"{output}: cannot be written ({error.strerror or error})") from None


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
    skullmask_lib.masks.InputError: masks.npy: cannot be written (No space left on device); what is done is kept
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
