"""A Dask cluster as a pool: a local one, or that of a running scheduler.

No other module knows Dask. Dask is an extra, so it is imported only when it is needed.
"""

import asyncio
import concurrent.futures as cf
import contextlib
import logging
import struct
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .. import texts
from ..errors import InputError, extra
from .pools import DEATHS, LOST, Pool, Stopped, wait
from .workers import cores, ignoring_interrupts

if TYPE_CHECKING:
    import distributed

_LARGEST_GREETING_BYTES = 2**20  # of a scheduler; Dask's has some hundred
_REQUEST = b"GET\r\n\r\n"  # makes a web server answer; too short for Dask to take it for anything
_SOMETHING_ELSE = "something else answers there"
_NO_WORKERS = (
    "the cluster of Dask has no workers left; the same command goes on from what is recorded"
)
_PATIENCE_S = 5.0  # with a scheduler that does not answer, then with one that has no workers
_START_S = 60.0  # how long the first worker of this machine may take to start
_WORKERLESS_S = 30.0  # how long a cluster may be without workers
_MALLOC = "distributed.nanny.pre-spawn-environ.MALLOC"
_LOCAL_SETTINGS = {
    "distributed.scheduler.allowed-failures": DEATHS - 1,
    # A cluster gives up a worker that is being started again this long after it died.
    "distributed.deploy.lost-worker-timeout": "1 day",
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "critical",
    # By default memory is given back after each array, which makes large images half as fast.
    f"{_MALLOC}_TRIM_THRESHOLD_": 2**28,
    f"{_MALLOC}_MMAP_THRESHOLD_": 2**25,
}


@contextlib.contextmanager
def dask(count: int | None = None, scheduler: str | None = None) -> Iterator[Pool]:
    """Work on a cluster of Dask.

    Parameters
    ----------
    count : int, optional
        Processes of a local cluster.
    scheduler : str, optional
        Address of a running scheduler, instead of a local cluster.

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
    Whoever may submit to a cluster runs code as its owner. A local cluster takes nothing from
    others: it talks through TLS, with credentials that are made for this run and held in memory.
    The scheduler of another cluster can run code here, too.
    """
    extra("distributed", "a cluster", "batch")
    _silence_logs()
    opening = _joined_cluster(scheduler) if scheduler else _local_cluster(count or cores())
    with opening as client:
        with_workers_s = time.monotonic()

        def room() -> int:
            nonlocal with_workers_s
            threads = _count_threads(client)
            now_s = time.monotonic()
            if threads:
                with_workers_s = now_s
            elif now_s - with_workers_s > _WORKERLESS_S:
                raise Stopped(_NO_WORKERS)
            return max(1, threads)

        yield Pool(client.get_executor(pure=False).submit, room, wait)


def _silence_logs() -> None:
    """Silence the logs of Dask: what matters in them is said here, in one line."""
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


def _count_threads(client: "distributed.Client") -> int:
    """Count the threads of all workers of a cluster."""
    if client.status != "running":
        raise Stopped(LOST)
    try:
        return sum(client.nthreads().values())
    except (OSError, TimeoutError):  # lost just now
        raise Stopped(LOST) from None


@contextlib.contextmanager
def _local_cluster(count: int) -> Iterator["distributed.Client"]:
    """Start a cluster on this machine, for nobody else, and yield a client of it."""
    import dask
    import distributed

    extra("cryptography", "a local cluster", "batch")
    security = distributed.security.Security.temporary()
    with contextlib.ExitStack() as context:
        context.enter_context(dask.config.set(_LOCAL_SETTINGS))
        try:
            with ignoring_interrupts():
                cluster = distributed.LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    security=security,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
                context.enter_context(cluster)
            client = distributed.Client(cluster, set_as_default=False)
            context.enter_context(client)
            client.wait_for_workers(1, timeout=_START_S)
        except Exception as error:  # whatever comes of a worker that dies at once
            reason = texts.of_error(error)
            message = f"no worker of Dask could be started on this machine ({reason})"
            raise Stopped(message) from None
        yield client


@contextlib.contextmanager
def _joined_cluster(scheduler: str) -> Iterator["distributed.Client"]:
    """Yield a client of a running cluster, or say what is wrong with it."""
    import distributed

    with contextlib.ExitStack() as context:
        try:
            _check_scheduler(scheduler)
            client = distributed.Client(scheduler, timeout=_PATIENCE_S, set_as_default=False)
            context.enter_context(client)
            client.wait_for_workers(1, timeout=_PATIENCE_S)
        except Exception as error:  # whatever comes of what is no scheduler
            wanted = "expected a scheduler of Dask with workers"
            raise InputError(f"{wanted} ({texts.of_error(error)})", where=scheduler) from None
        yield client


def _check_scheduler(scheduler: str) -> None:
    """Check that a scheduler answers, as a client of Dask could wait for it forever."""
    outcome = cf.Future()

    def ask() -> None:
        try:
            asyncio.run(asyncio.wait_for(_ask_identity(scheduler), _PATIENCE_S))
            outcome.set_result(None)
        except TimeoutError:
            outcome.set_exception(TimeoutError(f"no answer within {_PATIENCE_S:g} s"))
        except Exception as error:
            outcome.set_exception(error)

    # In a thread, as a notebook's kernel runs a loop of its own.
    threading.Thread(target=ask, daemon=True).start()
    outcome.result(timeout=1.25 * _PATIENCE_S)


async def _ask_identity(scheduler: str) -> None:
    """Ask a server of Dask whether it is a scheduler."""
    from distributed import comm, security

    await _check_greeting(scheduler)
    arguments = security.Security().get_connection_args("client")
    connection = await comm.connect(
        scheduler,
        timeout=_PATIENCE_S,
        deserialize=False,
        **arguments,
    )
    try:
        await connection.write({"op": "identity", "reply": True})
        answer = await connection.read()
    finally:
        connection.abort()
    if not isinstance(answer, dict) or answer.get("type") != "Scheduler":
        raise InputError(_SOMETHING_ELSE)


async def _check_greeting(scheduler: str) -> None:
    """Check that a port greets as Dask does.

    A client of Dask allocates as much memory as the other side announces.
    """
    from distributed import comm

    scheme, place = comm.parse_address(scheduler)
    if scheme != "tcp":
        return
    try:
        reader, writer = await asyncio.open_connection(*comm.parse_host_port(place))
    except OSError:  # nobody there; a client tries again for a while, and says so
        return
    greeting = b""
    try:
        writer.write(_REQUEST)
        size_bytes = int.from_bytes(await reader.readexactly(8), "little")
        if 8 <= size_bytes <= _LARGEST_GREETING_BYTES:
            greeting = await reader.readexactly(size_bytes)
    except (OSError, EOFError):  # it hangs up
        greeting = b""
    finally:
        writer.transport.abort()
    if not _is_greeting(greeting):
        raise InputError(_SOMETHING_ELSE)


def _is_greeting(frames: bytes) -> bool:
    """Return whether bytes can be frames of Dask: their number, the size of each, the frames."""
    count = int.from_bytes(frames[:8], "little")
    if not 0 < count < len(frames) // 8:
        return False
    sizes_bytes = struct.unpack_from(f"<{count}Q", frames, 8)
    return sum(sizes_bytes) <= _LARGEST_GREETING_BYTES
