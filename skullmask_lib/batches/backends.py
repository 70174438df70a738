"""The backends of a batch by name, and the choice between them; each has a module of its own."""

import contextlib
from collections.abc import Iterable

from ..errors import InputError, check_whole
from . import clusters, pools, workers

BACKENDS = ("processes", "serial", "dask")


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
    if scheduler is not None:
        _check_address(scheduler)
        if count is not None:
            raise InputError(f"{scheduler} has its own workers; leave their number out")
    if backend == "serial":
        if count is not None or scheduler is not None:
            hint = "leave workers and scheduler out"
            raise InputError(f"the backend serial works in this process alone; {hint}")
        return pools.serial()
    if backend == "dask" or scheduler is not None:
        return clusters.dask(count, scheduler)
    return workers.processes(count)


def _check_address(scheduler: object) -> None:
    wanted = "the address of a scheduler, as in tcp://10.0.0.1:8786"
    if not isinstance(scheduler, str):
        raise InputError(f"expected {wanted}, got {scheduler!r}")
    if not scheduler.strip():
        raise InputError(f"expected {wanted}, got an empty text")


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
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"expected a {what} of {', '.join(choices)}, got {value!r}")
