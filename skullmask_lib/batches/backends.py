"""The backends of a batch by name, and the choice between them; each has a module of its own."""

import contextlib
from collections.abc import Iterable

from ..errors import InputError, check_whole
from . import clusters, pools, workers

BACKENDS = {"processes": workers.processes, "serial": pools.serial, "dask": clusters.dask}


def pool(
    backend: str,
    count: int | None = None,
    scheduler: str | None = None,
) -> contextlib.AbstractContextManager[pools.Pool]:
    """Choose who does the work; nothing is started yet.

    Parameters
    ----------
    backend : {"processes", "serial", "dask"}
    count : int, optional
        Number of processes.
    scheduler : str, optional
        Address of a running scheduler; implies Dask.

    Returns
    -------
    context manager of Pool

    Raises
    ------
    InputError
        If there is no such backend, or the arguments do not fit together.

    Examples
    --------
    >>> with pool("serial") as chosen:
    ...     chosen.room()
    1
    """
    check_choice("backend", backend, BACKENDS)
    if count is not None:
        count = check_whole(count, "number of workers", 1, 10_000, "processes")
    if scheduler is not None and not scheduler.strip():
        wanted = "the address of a scheduler, as in tcp://10.0.0.1:8786"
        raise InputError(f"expected {wanted}, got an empty text")
    if scheduler and count:
        raise InputError(f"{scheduler} has its own workers; leave their number out")
    if scheduler:
        backend = "dask"
    return BACKENDS[backend](count, scheduler)


def check_choice(what: str, value: object, choices: Iterable[str]) -> None:
    """Check that a value is one of a few.

    Parameters
    ----------
    what : str
        What it is, for the message.
    value : object
    choices : iterable of str

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_choice("table", "xlsx", ("csv", "parquet"))
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected a table of csv, parquet, got 'xlsx'
    """
    if value not in choices:
        raise InputError(f"expected a {what} of {', '.join(choices)}, got {value!r}")
