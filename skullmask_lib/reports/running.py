"""Running notebooks in a kernel of this interpreter, and the only importer of papermill.

Kernels are started and stopped here, and parameters filled in. Executed notebooks are handled
elsewhere: `privacy` cleans them, `pages` shows them, and `report` files them.
"""

import contextlib
import logging
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import papermill_io

from .. import surroundings
from ..io import outputs
from . import notebooks, privacy

_SCHEME = "skullmask:"  # begins the names of files that `_Files` handles for papermill
_PAPERMILLS_LOGS = (logging.getLogger("papermill"), logging.getLogger("papermill.translators"))
_kernels: weakref.WeakSet = weakref.WeakSet()
_STOP_AGAIN_AFTER_S = 0.2
_LOOK_UP_AFTER_S = 0.5

Task = TypeVar("Task")
Outcome = TypeVar("Outcome")


class _Files:
    """Reads and writes notebooks for papermill, and leaves the working folder alone.

    papermill's own handler changes the folder for each file, of all threads of the process.
    """

    def read(self, name: str) -> str:
        return _path(name).read_text(encoding="utf-8")

    def write(self, text: str, name: str) -> None:
        _path(name).write_text(text, encoding="utf-8")

    def pretty_path(self, name: str) -> str:
        return name


def _handled(path: Path) -> str:
    """Name a file so that papermill leaves it to `_Files`."""
    return f"{_SCHEME}{path}"


def _path(name: str) -> Path:
    return Path(name.removeprefix(_SCHEME))


papermill_io.register(_SCHEME, _Files())


class _ThisInterpreter(AsyncKernelManager):
    """Starts kernels with the running interpreter, whatever kernels the machine has installed."""

    def __init__(self, **options):
        super().__init__(**options)
        _kernels.add(self)

    async def start_kernel(self, **options):
        options["env"] = surroundings.for_kernels(options.get("env"))
        options["stdout"] = subprocess.DEVNULL  # cells do not print through these
        options["stderr"] = subprocess.DEVNULL
        return await super().start_kernel(**options)

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [
            sys.executable,
            *("-m", "ipykernel_launcher"),
            *("-f", "{connection_file}"),
            "--IPKernelApp.log_level=50",
        ]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def execute(
    notebook: str | Path,
    output: str | Path,
    *,
    parameters: dict[str, object] | None = None,
    timeout_s: int = 600,
    folder: str | Path | None = None,
    progress_bar: dict[str, object] | bool = False,
) -> Path:
    """Run a notebook from top to bottom in a kernel of this interpreter.

    The kernel sees matplotlib's default settings instead of the user's, and every docstring; see
    `surroundings.for_kernels`. Only a ``matplotlibrc`` in the folder where it runs is still read.

    Parameters
    ----------
    notebook : str or path
    output : str or path
        Where the executed notebook goes. After a failure it holds what ran so far.
    parameters : dict of str to object, optional
        Checked by `notebooks.check` before anything runs.
    timeout_s : int
        Longest time for one cell [s].
    folder : str or path, optional
        Working folder of the kernel; that of this process by default.
    progress_bar : dict or bool
        Options of a tqdm bar over the cells; none by default.

    Returns
    -------
    Path
        ``output``.

    Raises
    ------
    InputError
        If the notebook or a parameter cannot be used.
    RuntimeError
        If a cell fails; the message names the cell and the error.

    Examples
    --------
    >>> execute("missing.ipynb", "out.ipynb")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: missing.ipynb: no such notebook
    """
    notebook = Path(notebook)
    output = Path(output)
    notebooks.check(notebook, parameters or {})
    try:
        with _quiet_papermill():
            papermill.execute_notebook(
                _handled(notebook),
                _handled(output),
                parameters=parameters,
                kernel_name="python3",
                language="python",
                kernel_manager_class=_ThisInterpreter,
                execution_timeout=timeout_s,
                progress_bar=progress_bar,
                resources={"metadata": {"path": str(folder or "")}},
            )
    except PapermillExecutionError as error:
        reason = f"cell {error.exec_count} failed with {error.ename}: {error.evalue}"
        raise RuntimeError(f"{notebook.name}: {reason}") from None
    except CellTimeoutError:
        reason = f"a cell took longer than {timeout_s} s"
        raise RuntimeError(f"{notebook.name}: {reason}") from None
    except DeadKernelError:
        raise RuntimeError(f"{notebook.name}: the kernel died") from None
    finally:
        _close_event_loop()
    return output


def _close_event_loop() -> None:
    """Close the event loop that papermill left behind in a thread other than the main one."""
    if threading.current_thread() is not threading.main_thread():
        ensure_event_loop().close()


@contextlib.contextmanager
def _quiet_papermill() -> Iterator[None]:
    """Silence the logs and the warnings of papermill and nbformat; the kernel keeps its own.

    Each call adds a filter of its own, as one that ends must not end the silence of another thread.
    """
    silence = logging.Filter("nothing")  # passes what a logger of this name says
    for logger in _PAPERMILLS_LOGS:
        logger.addFilter(silence)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger in _PAPERMILLS_LOGS:
            logger.removeFilter(silence)


def stop() -> None:
    """Kill the kernel of every notebook that is running, in whatever thread.

    Examples
    --------
    >>> stop()
    """
    for manager in list(_kernels):
        if manager.has_kernel:
            manager.provisioner.process.kill()


@contextlib.contextmanager
def several(
    make: Callable[[Task], Outcome],
    tasks: Iterable[Task],
    jobs: int,
) -> Iterator[Iterator[tuple[Task, Outcome]]]:
    """Do several tasks at a time that run notebooks.

    Where the body raises, such as on Ctrl-C, kernels are killed until no task is left.

    Parameters
    ----------
    make : callable
        From a task to its outcome. It runs in threads.
    tasks : iterable
    jobs : int
        How many run at a time.

    Yields
    ------
    iterator of pairs
        Each task and its outcome, in the order in which they end.

    Examples
    --------
    >>> with several(str.upper, ["a", "b"], jobs=2) as ended:
    ...     sorted(ended)
    [('a', 'A'), ('b', 'B')]
    """
    with (
        warnings.catch_warnings(action="ignore"),
        ThreadPoolExecutor(jobs) as pool,
    ):
        futures = {pool.submit(make, task): task for task in tasks}
        try:
            yield _as_they_end(futures)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(map(Future.done, futures)):
                stop()
                time.sleep(_STOP_AGAIN_AFTER_S)
            raise


def _as_they_end(
    futures: Mapping[Future[Outcome], Task],
) -> Iterator[tuple[Task, Outcome]]:
    """Yield tasks and their outcomes in the order in which they end.

    No wait is longer than ``_LOOK_UP_AFTER_S``. While a thread starts a kernel, the system may
    hand it the signal of Ctrl-C. Only the main thread acts on signals, and it looks for one that
    another thread received only between two waits.
    """
    pending = set(futures)
    while pending:
        ended, pending = wait(pending, _LOOK_UP_AFTER_S, FIRST_COMPLETED)
        for future in ended:
            yield futures[future], future.result()


def fill(notebook: str | Path, output: str | Path, parameters: dict[str, object]) -> None:
    """Write a notebook with other parameters, without running it.

    Parameters
    ----------
    notebook : str or path
    output : str or path
    parameters : dict of str to object
        Checked by `notebooks.check`.

    Raises
    ------
    InputError
        If the notebook or a parameter cannot be used.

    Examples
    --------
    >>> fill(notebooks.lessons()[0], "out.ipynb", {"imges": "phantom"})
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: 00_start_here.ipynb: no parameter imges; did you mean images?
    """
    notebook = Path(notebook)
    notebooks.check(notebook, parameters)
    with _quiet_papermill():
        papermill.execute_notebook(
            _handled(notebook),
            _handled(Path(output)),
            parameters=parameters,
            prepare_only=True,
        )


def store(notebook: str | Path) -> None:
    """Run a notebook and write its outputs into it, without what differs from run to run.

    Parameters
    ----------
    notebook : str or path

    Raises
    ------
    InputError
        If the notebook cannot be used.
    RuntimeError
        If a cell fails; the notebook stays as it was.

    Examples
    --------
    >>> store("missing.ipynb")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: missing.ipynb: no such notebook
    """
    with outputs.replacing(notebook) as temporary:
        execute(notebook, temporary)
        executed = nbformat.read(temporary, as_version=4)
        nbformat.write(privacy.clean(executed), temporary)


def store_all(paths: Iterable[str | Path]) -> list[str]:
    """Run notebooks and store their outputs, but for those that need what is not installed.

    Parameters
    ----------
    paths : iterable of str or path

    Returns
    -------
    list of str
        A line for each notebook that was left as it is.

    Raises
    ------
    InputError
        If a notebook cannot be used.
    RuntimeError
        If a cell fails; its notebook and those after it stay as they were.

    Examples
    --------
    >>> store_all([])
    []
    """
    skipped = []
    for path in map(Path, paths):
        missing = notebooks.missing_extras(path)
        if missing:
            hint = f'pip install "skullmask[{",".join(missing)}]"'
            skipped.append(f"{path.name}: left as it is; it needs {hint}")
        else:
            store(path)
    return skipped
