"""Zarr arrays, and the stores that addresses lead to.

All of this folder that knows Zarr or fsspec lives here; `io.unpacking` opens an array safely.
Whether an array holds images or masks does not matter here.
"""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .. import texts
from ..errors import InputError, extra

if TYPE_CHECKING:
    import zarr


def is_address(path: str | os.PathLike) -> bool:
    """Return whether a path is the address of a store.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    bool

    Examples
    --------
    >>> is_address("memory://heads.zarr"), is_address("heads.zarr")
    (True, False)
    """
    return "://" in str(path)


def open_array(path: str, mode: str = "r") -> "zarr.Array":
    """Open a Zarr array.

    Parameters
    ----------
    path : str
        A path or an address.
    mode : {"r", "r+"}

    Returns
    -------
    zarr.Array

    Raises
    ------
    InputError
        If Zarr is missing, or there is no array that can be opened.

    Examples
    --------
    >>> open_array("gone.zarr")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: gone.zarr: no Zarr array can be opened there (...)
    """
    extra("zarr", "Zarr", "batch")
    from ..io import unpacking  # it imports Zarr

    with reaching(path, "no Zarr array can be opened there"):
        return unpacking.open_array(path, mode)


def check_chunks(array: "zarr.Array", path: str, start: int, stop: int) -> None:
    """Check that the chunks of some images unpack to what the metadata says, see `unpacking.check`.

    Parameters
    ----------
    array : zarr.Array
    path : str
        The path of the array, for the message.
    start, stop : int

    Raises
    ------
    InputError

    Examples
    --------
    >>> import zarr
    >>> array = zarr.create_array("memory://checked.zarr", shape=(2, 3), dtype="u1", overwrite=True)
    >>> check_chunks(array, "memory://checked.zarr", 0, 2)
    """
    from ..io import unpacking

    unpacking.check(array, path, start, stop)


@contextlib.contextmanager
def reaching(
    path: str,
    complaint: str,
    passed: type | tuple[type, ...] = InputError,
) -> Iterator[None]:
    """Turn whatever the libraries behind an address raise into an `InputError` of one line.

    Parameters
    ----------
    path : str
    complaint : str
        What went wrong, for the message.
    passed : type or tuple of types
        Exceptions that are raised unchanged.

    Raises
    ------
    InputError

    Examples
    --------
    >>> with reaching("memory://a", "cannot be reached"):
    ...     raise KeyError("a")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: memory://a: cannot be reached ('a')
    """
    try:
        yield
    except passed:
        raise
    except Exception as error:
        raise InputError(f"{complaint} ({texts.of_error(error)})", where=path) from None


def file_system(path: str) -> tuple:
    """Return the file system of a path or an address, and the place in it.

    Parameters
    ----------
    path : str

    Returns
    -------
    file_system : fsspec.AbstractFileSystem
    place : str

    Examples
    --------
    >>> file_system("memory://heads.zarr")[1]
    '/heads.zarr'
    """
    return extra("fsspec.core", "an address", "batch").url_to_fs(path)
