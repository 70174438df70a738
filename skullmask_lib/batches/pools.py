"""Pools: where the tasks of a batch go, and how they are kept busy even if workers die.

The pool of this process is here; processes of this machine are in `workers`, and Dask is in
`clusters`.
"""

import concurrent.futures as cf
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

DEATHS = 3  # of workers, after which a task is given up
LOST = "the scheduler of Dask was lost; the same command goes on from what is recorded"
_WAIT_S = 1.0  # before the room of a pool is looked at again


class Stopped(RuntimeError):
    """The work cannot go on for now."""


class WorkerDied(Exception):
    """A worker ended before its task did."""


class _Accused(Exception):
    """Dask accuses a task of having killed workers, as it does with all tasks that they held."""


class Pool(NamedTuple):
    """Where tasks go.

    Attributes
    ----------
    submit : callable
        Takes a function of a module and its arguments; returns a future.
    room : callable
        Returns how many tasks can run at a time, now.
    wait : callable
        Takes futures and seconds; returns those that are done as soon as there is one, or none when
        the time is up.
    """

    submit: Callable[..., cf.Future]
    room: Callable[[], int]
    wait: Callable[[Iterable[cf.Future], float], Iterable[cf.Future]]


class _Attempt(NamedTuple):
    """A task to submit, the workers that died of it, and whether it is to run alone."""

    task: tuple
    deaths: int = 0
    alone: bool = False


class _Queue:
    """Tasks to submit: those whose worker died, then new ones, then, one by one, those accused."""

    def __init__(self, tasks: Iterable[tuple]):
        self.new = iter(tasks)
        self.again: list[_Attempt] = []
        self.accused: list[_Attempt] = []

    def next(self) -> _Attempt | None:
        """Return the next attempt that may run beside others."""
        if self.again:
            return self.again.pop()
        for task in self.new:
            return _Attempt(task)
        return None

    def next_alone(self) -> _Attempt | None:
        """Return the next attempt of an accused task."""
        return self.accused.pop() if self.accused else None

    def retry(self, attempt: _Attempt, error: WorkerDied | _Accused) -> bool:
        """Queue a task again, unless it killed too many workers, or killed one when alone."""
        if attempt.alone:
            return False
        if isinstance(error, _Accused):
            self.accused.append(attempt._replace(alone=True))
            return True
        if attempt.deaths + 1 == DEATHS:
            return False
        self.again.append(attempt._replace(deaths=attempt.deaths + 1))
        return True


def finished(
    pool: Pool,
    function: Callable,
    tasks: Iterable[tuple],
) -> Iterator[tuple[tuple, Any]]:
    """Keep a pool busy, with no more tasks than it has room for, and yield their results.

    A task whose worker dies is tried again. Dask cannot say which of several tasks killed their
    worker: each task that it accuses is tried once more, alone.

    Parameters
    ----------
    pool : Pool
    function : callable
        Of a module, so that workers find it.
    tasks : iterable of tuple
        The arguments of each task; taken when there is room.

    Yields
    ------
    task : tuple
    result : object
        In the order in which they are done; None for a task that killed `DEATHS` workers.

    Raises
    ------
    Stopped
        If the scheduler was lost, or a worker lacks a module.

    Examples
    --------
    >>> with serial() as pool:
    ...     list(finished(pool, divmod, [(7, 2), (9, 4)]))
    [((7, 2), (3, 1)), ((9, 4), (2, 1))]
    """
    queue = _Queue(tasks)
    running: dict[cf.Future, _Attempt] = {}
    while True:
        _submit_more(pool, function, queue, running)
        if not running:
            return
        for future in pool.wait(running, _WAIT_S):
            attempt = running.pop(future)
            try:
                result = _result_of(future)
            except (WorkerDied, _Accused) as error:
                if queue.retry(attempt, error):
                    continue
                result = None
            yield attempt.task, result


def _submit_more(
    pool: Pool,
    function: Callable,
    queue: _Queue,
    running: dict[cf.Future, _Attempt],
) -> None:
    """Fill a pool with tasks, but leave one that runs alone to itself."""
    if any(attempt.alone for attempt in running.values()):
        return
    while len(running) < pool.room():
        attempt = queue.next()
        if attempt is None:
            break
        running[pool.submit(function, *attempt.task)] = attempt
    if not running:
        attempt = queue.next_alone()
        if attempt is not None:
            running[pool.submit(function, *attempt.task)] = attempt


def _result_of(future: cf.Future) -> object:
    """Return the result of a task, or raise what became of its worker."""
    try:
        return future.result()
    except cf.CancelledError:
        raise Stopped(LOST) from None
    except ImportError as error:
        problem = f"a worker lacks what it needs ({error})"
        raise Stopped(f"{problem}; install the same versions there") from None
    except Exception as error:
        if type(error).__name__ == "KilledWorker":  # Dask's own
            raise _Accused from None
        raise


@contextlib.contextmanager
def serial() -> Iterator[Pool]:
    """Work in this process.

    Yields
    ------
    Pool

    Examples
    --------
    >>> with serial() as pool:
    ...     pool.submit(max, 3, 4).result()
    4
    """

    def submit(function: Callable, *arguments) -> cf.Future:
        future = cf.Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    yield Pool(submit, lambda: 1, wait)


def wait(futures: Iterable[cf.Future], seconds: float) -> Iterable[cf.Future]:
    """Return the futures that are done, as `Pool` wants it.

    Parameters
    ----------
    futures : iterable of Future
    seconds : float

    Returns
    -------
    set of Future

    Examples
    --------
    >>> wait([cf.Future()], 0.0)
    set()
    """
    return cf.wait(futures, seconds, cf.FIRST_COMPLETED).done
