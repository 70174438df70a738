"""Who does the work of a batch: this process, processes of this machine, or a cluster of Dask."""

import concurrent.futures as cf
import contextlib
import importlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

from .masks import InputError, extra

DEATHS = 3  # of workers, after which a task is given up
_PATIENCE_S = 10.0  # with a scheduler that does not answer
_LOCAL = {
    "distributed.scheduler.allowed-failures": DEATHS - 1,
    # Dask has memory given back after each array, which makes images of megabytes half as fast
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**28,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 2**25,
}


class Stopped(RuntimeError):
    """The work cannot go on now."""


class Pool(NamedTuple):
    """Where tasks go.

    Attributes
    ----------
    submit : callable
        Takes a function of a module and its arguments, and gives a future.
    room : callable
        Tells how many tasks run at a time, now.
    """

    submit: Callable[..., cf.Future]
    room: Callable[[], int]


def finished(pool: Pool, function: Callable, tasks: Iterable[tuple]) -> Iterator[tuple[tuple, object]]:
    """Keep a pool busy, with no more tasks than it has room for; a task whose worker dies is tried again.

    Parameters
    ----------
    pool : Pool
    function : callable
        Of a module, so that workers find it.
    tasks : iterable of tuple
        The arguments of each; taken when there is room.

    Yields
    ------
    task : tuple
    result : object
        As they come; None where the task killed `DEATHS` workers.

    Raises
    ------
    Stopped
        If the scheduler was lost.

    Examples
    --------
    >>> with serial() as pool:
    ...     list(finished(pool, divmod, [(7, 2), (9, 4)]))
    [((7, 2), (3, 1)), ((9, 4), (2, 1))]
    """
    new, again, waiting = ((task, 0) for task in tasks), [], {}
    while True:
        while len(waiting) < pool.room() and (chosen := again.pop() if again else next(new, None)):
            waiting[pool.submit(function, *chosen[0])] = chosen
        if not waiting:
            return
        for future in cf.wait(waiting, 1, cf.FIRST_COMPLETED).done:
            task, deaths = waiting.pop(future)
            try:
                result = future.result()
            except BrokenProcessPool:
                if deaths + 1 < DEATHS:
                    again.append((task, deaths + 1))
                    continue
                result = None
            except cf.CancelledError:
                raise Stopped(
                    "the scheduler of Dask was lost; the same command goes on from what is recorded"
                ) from None
            except Exception as error:
                if type(error).__name__ != "KilledWorker":  # of Dask, which counts deaths itself
                    raise
                result = None
            yield task, result


@contextlib.contextmanager
def serial(_count: int | None = None, _scheduler: str | None = None) -> Iterator[Pool]:
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

    yield Pool(submit, lambda: 1)


@contextlib.contextmanager
def processes(count: int | None = None, _scheduler: str | None = None) -> Iterator[Pool]:
    """Work in processes of this machine; they end with this one, however it ends.

    Parameters
    ----------
    count : int, optional
        By default as many as this process may use cores.

    Yields
    ------
    Pool

    Raises
    ------
    Stopped
        If they do not start.

    Examples
    --------
    >>> with processes(1) as pool:
    ...     pool.submit(max, 3, 4).result()
    4
    """
    workers = [_Worker() for _ in range(count or _cores())]

    def submit(function: Callable, *arguments) -> cf.Future:
        return next(worker for worker in workers if worker.is_idle()).submit(function, *arguments)

    try:
        yield Pool(submit, lambda: len(workers))
    except BaseException:
        for worker in workers:
            worker.kill()
        raise
    finally:
        for worker in workers:
            worker.pool.shutdown(cancel_futures=True)


class _Worker:
    """One process, in a pool of its own: when it dies, it is known which task it had."""

    def __init__(self):
        self._start()

    def _start(self) -> None:
        self.pool = cf.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _outlive_nobody)
        self.pid, self.future = self.pool.submit(os.getpid), None

    def is_idle(self) -> bool:
        return self.future is None or self.future.done()

    def submit(self, function: Callable, *arguments) -> cf.Future:
        for _ in range(DEATHS):
            with contextlib.suppress(BrokenProcessPool):
                self.pid.result()
                self.future = self.pool.submit(function, *arguments)
                return self.future
            self._start()
        raise Stopped("the processes of this machine do not start; see what they say, or use the backend serial")

    def kill(self) -> None:
        with contextlib.suppress(Exception):
            os.kill(self.pid.result(), signal.SIGTERM)


def _outlive_nobody() -> None:
    """Make this process end with its parent, even if that is killed; Ctrl-C is the parent's to hear."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def dask(count: int | None = None, scheduler: str | None = None) -> Iterator[Pool]:
    """Work on a cluster of Dask.

    Parameters
    ----------
    count : int, optional
        Processes of a local cluster.
    scheduler : str, optional
        Address of a running scheduler, in the place of a local cluster.

    Yields
    ------
    Pool
        With room for as many tasks as the workers have threads, now.

    Raises
    ------
    InputError
        If Dask is missing, or the scheduler does not answer or has no workers.
    Stopped
        If the scheduler is lost.
    """
    distributed = extra("distributed", "a cluster", "batch")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters of it is said here, in one line
    with contextlib.ExitStack() as stack:
        if not scheduler:
            stack.enter_context(importlib.import_module("dask").config.set(_LOCAL))
            local = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.CRITICAL}
            scheduler = stack.enter_context(distributed.LocalCluster(n_workers=count or _cores(), **local))
        try:
            client = stack.enter_context(distributed.Client(scheduler, timeout=_PATIENCE_S, set_as_default=False))
            client.wait_for_workers(1, timeout=_PATIENCE_S)
        except (OSError, ValueError, TimeoutError) as error:
            told = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{scheduler}: expected a scheduler of Dask with workers ({told})") from None

        def room() -> int:
            if client.status != "running":
                raise Stopped(f"{scheduler}: the scheduler was lost; the same command goes on from what is recorded")
            return max(1, sum(client.nthreads().values()))

        yield Pool(client.get_executor(pure=False).submit, room)


BACKENDS = {"processes": processes, "serial": serial, "dask": dask}
