"""Processes of this machine as a pool; they end with this process, however it ends.

`concurrent.futures` cannot say which task a dead worker was running, and its workers wait for one
another when they are stopped; so here each worker has a pipe of its own.
"""

import concurrent.futures as cf
import contextlib
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from .pools import DEATHS, Pool, Stopped, WorkerDied


@contextlib.contextmanager
def processes(count: int | None = None) -> Iterator[Pool]:
    """Work in processes of this machine.

    Parameters
    ----------
    count : int, optional
        By default one for each core that this process may use.

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
    ...     future = pool.submit(max, 3, 4)
    ...     [done] = pool.wait([future], 60.0)
    ...     done.result()
    4
    """
    workers = [_Worker() for _ in range(count or cores())]

    def submit(function: Callable, *arguments) -> cf.Future:
        idle = next(worker for worker in workers if not worker.future)
        return idle.submit(function, *arguments)

    def wait(_futures: Iterable[cf.Future], seconds: float) -> Iterable[cf.Future]:
        return _wait(workers, seconds)

    try:
        yield Pool(submit, lambda: len(workers), wait)
    finally:
        for worker in workers:
            worker.end()


def cores() -> int:
    """Count the cores that this process may use.

    Returns
    -------
    int

    Examples
    --------
    >>> cores() > 0
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def ignoring_interrupts() -> Iterator[None]:
    """Start processes that ignore Ctrl-C: this process hears it instead, once they are started.

    Examples
    --------
    >>> with ignoring_interrupts():
    ...     pass
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # If the tracker started below, it would unblock the signal again.
    multiprocessing.resource_tracker.ensure_running()
    presses: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()
    if is_main:  # the mask holds for this thread alone, and another one may hear Ctrl-C
        handler = signal.signal(signal.SIGINT, lambda number, _frame: presses.append(number))
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if is_main:
            signal.signal(signal.SIGINT, handler)
        if presses:
            signal.raise_signal(signal.SIGINT)


class _Worker:
    """A process that does one task at a time; it starts with the first."""

    def __init__(self):
        self.process = None
        self.pipe = None
        self.task: tuple | None = None
        self.future: cf.Future | None = None
        self.is_ready = False
        self.failed_starts = 0

    def submit(self, function: Callable, *arguments) -> cf.Future:
        self.task = (function, arguments)
        self.future = cf.Future()
        self._send()
        return self.future

    def _send(self) -> None:
        """Send the task to the process, which is started if it is not there."""
        while self.failed_starts < DEATHS:
            with contextlib.suppress(OSError, EOFError):
                if not self.process or self.pipe.closed:
                    self._start()
                self.pipe.send(self.task)
                return
            self._fail()
        raise Stopped(
            "the processes of this machine do not start; see what they say, have a script call "
            'batch under if __name__ == "__main__", or use the backend serial'
        )

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, pipe_of_worker = context.Pipe()
        self.process = context.Process(target=_serve, args=(pipe_of_worker,), daemon=True)
        self.is_ready = False
        with pipe_of_worker, ignoring_interrupts():
            self.process.start()

    def _fail(self) -> None:
        self.end()
        self.failed_starts += 1

    def collect(self) -> cf.Future | None:
        """Read a message of the process; return the future if it is done."""
        try:
            message = self.pipe.recv()
        except (OSError, EOFError):
            if not self.is_ready:
                self._fail()
                self._send()
                return None
            self.end()
            message = (False, WorkerDied())
        if message is None:  # the process has started
            self.is_ready = True
            self.failed_starts = 0
            return None
        future = self.future
        self.future = None
        succeeded, result = message
        if succeeded:
            future.set_result(result)
        else:
            future.set_exception(result)
        return future

    def end(self) -> None:
        if self.process and self.process.pid:
            self.process.terminate()
            self.process.join()
        if self.pipe:
            self.pipe.close()


def _wait(workers: list[_Worker], seconds: float) -> list[cf.Future]:
    """Return the futures that are done, as soon as there is one or the time is up."""
    end_s = time.monotonic() + seconds
    while True:
        left_s = end_s - time.monotonic()
        if left_s <= 0:
            return []
        busy = {worker.pipe: worker for worker in workers if worker.future}
        done = []
        for pipe in multiprocessing.connection.wait(busy, left_s):
            future = busy[pipe].collect()
            if future:
                done.append(future)
        if done:
            return done


def _serve(pipe: multiprocessing.connection.Connection) -> None:
    """Do the tasks that come through a pipe until it is closed; end at once with the parent."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            function, arguments = pipe.recv()
            try:
                message = (True, function(*arguments))
            except Exception as error:
                message = (False, _portable(error))
            pipe.send(message)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _portable(error: Exception) -> Exception:
    """Return an error as it is, or its words if it cannot go through a pipe."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
