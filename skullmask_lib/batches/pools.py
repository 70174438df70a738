"""Who does the work of a batch: this process, processes of this machine, or a cluster of Dask."""

import asyncio
import concurrent.futures as cf
import contextlib
import logging
import multiprocessing
import multiprocessing.connection
import multiprocessing.resource_tracker
import os
import pickle
import signal
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InputError, extra

if TYPE_CHECKING:
    import distributed

DEATHS = 3  # of workers, after which a task is given up
_GREETING = 2**20  # bytes that a scheduler may say before it is asked; they are some hundred
_REQUEST = b"GET\r\n\r\n"  # makes a web server answer; too short for Dask to take it for anything
_SOMETHING_ELSE = "something else answers there"
_LOST = "the scheduler of Dask was lost; the same command goes on from what is recorded"
_PATIENCE_S = 5.0  # with a scheduler that does not answer, then with one that has no workers
_START_S = 60.0  # how long the first worker of this machine may take to start
_WORKERLESS_S = 30.0  # how long a cluster may be without workers
_LOCAL = {
    "distributed.scheduler.allowed-failures": DEATHS - 1,
    # A cluster gives up a worker that is just being started again so long after it died
    "distributed.deploy.lost-worker-timeout": "1 day",
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
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
    wait : callable
        Takes futures and seconds; gives those that are done as soon as there is one, or none when the time is up.
    """

    submit: Callable[..., cf.Future]
    room: Callable[[], int]
    wait: Callable[[Iterable[cf.Future], float], Iterable[cf.Future]]


class Died(Exception):
    """A worker ended before its task did."""


def finished(pool: Pool, function: Callable, tasks: Iterable[tuple]) -> Iterator[tuple[tuple, object]]:
    """Keep a pool busy, with no more tasks than it has room for; a task whose worker dies is tried again.

    Dask does not tell which of several tasks killed their worker: one that it accuses is done once more, alone.

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
    new, again, suspects, waiting = ((task, 0) for task in tasks), [], [], {}
    while True:
        alone = any(deaths >= DEATHS for _, deaths in waiting.values())
        while not alone and len(waiting) < pool.room() and (chosen := again.pop() if again else next(new, None)):
            waiting[pool.submit(function, *chosen[0])] = chosen
        if not waiting and suspects:  # one by one: who is killed alone killed its worker
            chosen = suspects.pop(), DEATHS
            waiting[pool.submit(function, *chosen[0])] = chosen
        if not waiting:
            return
        for future in pool.wait(waiting, 1.0):
            task, deaths = waiting.pop(future)
            try:
                result = future.result()
            except Died:
                if deaths + 1 < DEATHS:
                    again.append((task, deaths + 1))
                    continue
                result = None
            except cf.CancelledError:
                raise Stopped(_LOST) from None
            except ImportError as error:
                raise Stopped(f"a worker lacks what it needs ({error}); install the same versions there") from None
            except Exception as error:
                if type(error).__name__ != "KilledWorker":  # of Dask, which accuses all that a worker had
                    raise
                if deaths < DEATHS:
                    suspects.append(task)
                    continue
                result = None
            yield task, result


def _wait(futures: Iterable[cf.Future], seconds: float) -> Iterable[cf.Future]:
    return cf.wait(futures, seconds, cf.FIRST_COMPLETED).done


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

    yield Pool(submit, lambda: 1, _wait)


@contextlib.contextmanager
def processes(count: int | None = None, _scheduler: str | None = None) -> Iterator[Pool]:
    """Work in processes of this machine; they end with this one, however it ends.

    Those of `concurrent.futures` know no way to tell whose task it was when one dies, and wait for one another as they
    are stopped.

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
    ...     future = pool.submit(max, 3, 4)
    ...     [done.result() for done in pool.wait([future], 60.0)]
    [4]
    """
    workers = [_Worker() for _ in range(count or _cores())]

    def submit(function: Callable, *arguments) -> cf.Future:
        return next(worker for worker in workers if not worker.future).submit(function, *arguments)

    def wait(_futures: Iterable[cf.Future], seconds: float) -> Iterable[cf.Future]:
        end, done = time.monotonic() + seconds, []
        while not done and (left := end - time.monotonic()) > 0:
            busy = {worker.pipe: worker for worker in workers if worker.future}
            told = [busy[pipe].collect() for pipe in multiprocessing.connection.wait(busy, left)]
            done = [future for future in told if future]
        return done

    try:
        yield Pool(submit, lambda: len(workers), wait)
    finally:
        for worker in workers:
            worker.end()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Let processes that are started here not hear Ctrl-C: it is this one's to hear, once they are started."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    multiprocessing.resource_tracker.ensure_running()  # its start would open our ears
    here, pressed = threading.current_thread() is threading.main_thread(), []
    handler = here and signal.signal(signal.SIGINT, lambda *_: pressed.append(True))  # other threads are not deaf
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if here:
            signal.signal(signal.SIGINT, handler)
        if pressed:
            signal.raise_signal(signal.SIGINT)


class _Worker:
    """A process that does one task at a time; it starts with the first."""

    def __init__(self):
        self.process = self.pipe = self.task = self.future = None
        self.ready, self.failures = False, 0

    def start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process, self.ready = context.Process(target=_serve, args=(there,), daemon=True), False
        with there, _deaf():
            self.process.start()

    def submit(self, function: Callable, *arguments) -> cf.Future:
        self.task, self.future = (function, arguments), cf.Future()
        self._send()
        return self.future

    def _send(self) -> None:
        while self.failures < DEATHS:
            with contextlib.suppress(OSError, EOFError):
                if not self.process or self.pipe.closed:
                    self.start()
                self.pipe.send(self.task)
                return
            self._fail()
        raise Stopped(
            "the processes of this machine do not start; see what they say, have a script call batch "
            'under if __name__ == "__main__", or use the backend serial'
        )

    def _fail(self) -> None:
        self.end()
        self.failures += 1

    def collect(self) -> cf.Future | None:
        """Give the future if it is done; the first that a process says is that it has started."""
        try:
            told = self.pipe.recv()
        except (OSError, EOFError):
            if not self.ready:
                self._fail()
                self._send()
                return None
            self.end()
            told = False, Died()
        if told is None:
            self.ready, self.failures = True, 0
            return None
        future, self.future = self.future, None
        good, result = told
        future.set_result(result) if good else future.set_exception(result)
        return future

    def end(self) -> None:
        if self.process and self.process.pid:
            self.process.terminate()
            self.process.join()
        if self.pipe:
            self.pipe.close()


def _serve(pipe: multiprocessing.connection.Connection) -> None:
    """Do what comes through a pipe until it is closed; end at once when the parent does."""

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            function, arguments = pipe.recv()
            try:
                told = True, function(*arguments)
            except Exception as error:
                told = False, _portable(error)
            pipe.send(told)


def _portable(error: Exception) -> Exception:
    """Give an error as it is, or its words where it does not go through a pipe."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


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
        If no worker of this machine could be started, or the scheduler is lost.

    Notes
    -----
    Whoever may submit to a cluster runs code as its owner. A local one takes nothing from others: it talks through TLS,
    with credentials that are made for this run and held in memory. Another scheduler can run code here, too.
    """
    extra("distributed", "a cluster", "batch")
    for name in [name for name in logging.root.manager.loggerDict if name.split(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of it is said here, in one line
    with contextlib.ExitStack() as stack:
        if scheduler:
            client = stack.enter_context(_joined(scheduler))
        else:
            client = stack.enter_context(_local(count or _cores()))

        seen = time.monotonic()

        def room() -> int:
            nonlocal seen
            if client.status != "running":
                raise Stopped(_LOST)
            try:
                threads = sum(client.nthreads().values())
            except (OSError, TimeoutError):  # lost just now
                raise Stopped(_LOST) from None
            if threads:
                seen = time.monotonic()
            elif time.monotonic() - seen > _WORKERLESS_S:
                raise Stopped("the cluster of Dask has no workers left; the same command goes on from what is recorded")
            return max(1, threads)

        yield Pool(client.get_executor(pure=False).submit, room, _wait)


@contextlib.contextmanager
def _local(count: int) -> Iterator["distributed.Client"]:
    """Start a cluster on this machine, for nobody else, and give a client of it."""
    import dask
    import distributed

    extra("cryptography", "a local cluster", "batch")
    security = distributed.security.Security.temporary()
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(_LOCAL))
        try:
            with _deaf():
                cluster = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=count,
                        threads_per_worker=1,
                        security=security,
                        dashboard_address="127.0.0.1:0",
                        silence_logs=logging.CRITICAL,
                    )
                )
            client = stack.enter_context(distributed.Client(cluster, set_as_default=False))
            client.wait_for_workers(1, timeout=_START_S)
        except Exception as error:  # whatever comes of a worker that dies at once
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Stopped(f"no worker of Dask could be started on this machine ({reason})") from None
        yield client


@contextlib.contextmanager
def _joined(scheduler: str) -> Iterator["distributed.Client"]:
    """Give a client of a running cluster, or say what is wrong with it."""
    import distributed

    with contextlib.ExitStack() as stack:
        try:
            _see_scheduler(scheduler)
            client = stack.enter_context(distributed.Client(scheduler, timeout=_PATIENCE_S, set_as_default=False))
            client.wait_for_workers(1, timeout=_PATIENCE_S)
        except Exception as error:  # whatever comes of what is no scheduler
            told = " ".join(str(error).split()) or type(error).__name__
            raise InputError(f"{scheduler}: expected a scheduler of Dask with workers ({told})") from None
        yield client


async def _see_greeting(scheduler: str) -> None:
    """See that a port speaks as Dask does: a client of Dask takes memory for all that it is promised."""
    from distributed import comm

    scheme, place = comm.parse_address(scheduler)
    if scheme != "tcp":
        return
    try:
        reader, writer = await asyncio.open_connection(*comm.parse_host_port(place))
    except OSError:  # nobody there: a client tries again for a while, and tells
        return
    try:
        writer.write(_REQUEST)
        size = int.from_bytes(await reader.readexactly(8), "little")
        greeting = await reader.readexactly(size) if 8 <= size <= _GREETING else b""
    except (OSError, EOFError):  # it hangs up
        greeting = b""
    finally:
        writer.transport.abort()
    if not _is_greeting(greeting):
        raise InputError(_SOMETHING_ELSE)


def _is_greeting(frames: bytes) -> bool:
    """Tell whether these may be the first frames of Dask: their number, the size of each, then the frames."""
    count = int.from_bytes(frames[:8], "little")
    if not 0 < count < len(frames) // 8:
        return False
    return sum(struct.unpack_from(f"<{count}Q", frames, 8)) <= _GREETING


def _see_scheduler(scheduler: str) -> None:
    """See that a scheduler answers, before a client of Dask waits for it without an end."""
    from distributed import comm, security

    async def ask() -> None:
        await _see_greeting(scheduler)
        arguments = security.Security().get_connection_args("client")
        connection = await comm.connect(scheduler, timeout=_PATIENCE_S, deserialize=False, **arguments)
        try:
            await connection.write({"op": "identity", "reply": True})
            answer = await connection.read()
        finally:
            connection.abort()
        if not isinstance(answer, dict) or answer.get("type") != "Scheduler":
            raise InputError(_SOMETHING_ELSE)

    def ask_in_time() -> None:
        try:
            asyncio.run(asyncio.wait_for(ask(), _PATIENCE_S))
            outcome.set_result(None)
        except TimeoutError:
            outcome.set_exception(TimeoutError(f"no answer within {_PATIENCE_S:g} s"))
        except Exception as error:
            outcome.set_exception(error)

    outcome = cf.Future()
    threading.Thread(target=ask_in_time, daemon=True).start()  # a notebook's kernel has a loop already
    outcome.result(timeout=1.25 * _PATIENCE_S)


BACKENDS = {"processes": processes, "serial": serial, "dask": dask}
