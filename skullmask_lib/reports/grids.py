"""Many reports: one for each combination of parameters, several at a time.

Which runs are needed is decided here, and remembered in ``runs.jsonl``. `report` makes each one,
and `comparison` the page that compares them.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, check_whole
from ..io import journal, outputs, paths
from . import comparison, inputs, notebooks, privacy, report, running
from .provenance import provenance, sha256_once

_ORIGIN = ("skullmask", "notebook", "inputs", "parameters")  # what decides whether to run again


@dataclass(frozen=True)
class _Run:
    """One combination of parameters."""

    choice: dict[str, object]  # the parameters that differ between runs
    parameters: dict[str, object]  # all that the notebook receives
    origin: dict[str, object]  # part of its provenance

    def is_done(self, record: dict | None, folder: Path) -> bool:
        """Compare with the last record of this run, and look for its page."""
        if record != {"state": "done", **self.origin}:
            return False
        return (folder / "report.html").is_file()


def grid(
    images: str | Path,
    folder: str | Path,
    values: dict[str, Sequence[object]],
    *,
    truth: str | Path | None = None,
    notebook: str | Path = "report",
    parameters: dict[str, object] | None = None,
    jobs: int = 1,
    progress: Callable[[], object] | None = None,
) -> list[str]:
    """Make a report for each combination of parameters, and a page that compares them.

    A run that is recorded as done, with the same inputs, parameters and version of the library,
    is not repeated.

    Parameters
    ----------
    images, truth, notebook, parameters
        See `report.report`.
    folder : str or path
        Created if missing. Receives ``index.html``, ``runs.jsonl`` and a folder for each run.
    values : dict of str to sequence
        Parameter to its values, at least one of each; see `notebooks.read_values`.
    jobs : int
        How many run at a time.
    progress : callable, optional
        Called when a run has ended, or need not start.

    Returns
    -------
    list of str
        The runs that failed; their pages show the error.

    Raises
    ------
    InputError
        If something cannot be used; nothing has run then.

    Examples
    --------
    >>> grid("phantom", "out", {"dilation_sise": [16]})
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: report.ipynb: no parameter dilation_sise; did you ...
    """
    check_whole(jobs, "number of jobs", 1, 1_000_000)
    _check_varied(values)
    notebook = notebooks.find(notebook)
    folder = Path(folder)
    sources = inputs.sources(images, truth)
    parameters = parameters or {}
    progress = progress or _ignore
    hash_once = sha256_once()
    runs = _plan(notebook, sources, values, parameters, hash_once)

    record = folder / "runs.jsonl"
    _check_ours(folder, record)
    recorded = journal.read(record)
    outputs.make_single_folder(folder)
    pending = []
    for name, run in runs.items():
        if run.is_done(recorded.get(name), folder / name):
            progress()
        else:
            pending.append(name)
            journal.append(record, name, {"state": "started"})

    def make(name: str) -> dict[str, object]:
        """Make one report; whatever goes wrong is recorded, and does not stop the others."""
        try:
            report.make(
                notebook,
                sources,
                folder / name,
                runs[name].parameters,
                hash_source=hash_once,
                says_what_is_kept=False,
            )
        except Exception as error:
            private = inputs.private_folders(folder, notebook, sources, {})
            return {"state": "failed", "error": _reason(error, private)}
        return {"state": "done"}

    with running.several(make, pending, jobs) as ended:
        for name, outcome in ended:
            journal.append(record, name, outcome | runs[name].origin)
            progress()

    recorded = journal.read(record)
    title = str(parameters.get("title") or "")
    choices = {name: run.choice for name, run in runs.items()}
    comparison.write(folder, choices, recorded, title)
    return [name for name in runs if recorded[name]["state"] == "failed"]


def _ignore() -> None:
    """Stand in for a callback that nobody passed."""


def _check_varied(values: Mapping[str, Sequence[object]]) -> None:
    """Refuse values that make no run, or one without a name."""
    if not values:
        raise InputError("expected at least one parameter with values, got none")
    for name, choices in values.items():
        if len(choices) == 0:  # an array has no truth value
            raise InputError(f"expected at least one value of {name}, got none")


def _plan(
    notebook: Path,
    sources: dict[str, str],
    values: Mapping[str, Sequence[object]],
    parameters: dict[str, object],
    hash_source: Callable[[str], str | None],
) -> dict[str, _Run]:
    """Check every combination of values, and name it."""
    runs = {}
    load = functools.lru_cache(maxsize=1)(inputs.load)
    for combination in itertools.product(*values.values()):
        choice = dict(zip(values, combination, strict=True))
        complete = inputs.prepare(notebook, sources, parameters | choice, load=load)
        made_from = provenance(notebook, sources, complete, hash_source=hash_source)
        origin = {key: made_from[key] for key in _ORIGIN}
        runs[comparison.run_name(choice)] = _Run(choice, complete, origin)
    return runs


def _check_ours(folder: Path, record: Path) -> None:
    """Refuse a file, and a folder that holds files but no journal of a grid."""
    if paths.kind_of(folder) == "file":
        raise InputError("is a file, and a grid is a folder; choose another name", where=folder)
    if not folder.is_dir() or record.is_file():
        return
    if all(paths.is_left_by_system(path.name) for path in folder.iterdir()):
        return
    raise InputError(
        "holds files that no grid of reports wrote; choose another folder", where=folder
    )


def _reason(error: Exception, private: Sequence[Path]) -> str:
    """Say why a report failed, without folders."""
    return privacy.pathless(str(error) or repr(error), *private)
