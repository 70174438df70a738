"""One report on a user's slices: run a notebook on them, and make a folder that can be shared.

Only the steps and their order live here. `inputs` checks, `running` runs, `privacy` cleans,
`provenance` records, and `folders` writes. The figures and columns of the report are made in the
notebook, ``notebooks/report.ipynb``.
"""

import csv
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path

import nbformat

from ..errors import InputError
from ..io import outputs
from . import folders, inputs, notebooks, privacy, running
from .provenance import as_markdown, provenance, sha256

SERIES = inputs.SERIES  # what the slices of a folder are called in ``scores.csv``
_CELL_TIMEOUT_S = 3600


def report(
    images: str | Path,
    folder: str | Path,
    *,
    truth: str | Path | None = None,
    notebook: str | Path = "report",
    parameters: dict[str, object] | None = None,
    progress_bar: dict[str, object] | bool = False,
) -> Path:
    """Run a notebook on a user's slices and make a report that can be sent.

    The report names files but not folders, and takes nothing from a file's header except its
    geometry. The slices of a DICOM series are therefore called ``series[0]`` and so on.

    Parameters
    ----------
    images : str or path
        See `datasets.load`.
    folder : str or path
        Missing, empty or an earlier report, which is replaced as a whole. Receives
        ``report.html``, one file that opens without a network, ``report.ipynb``,
        ``provenance.json``, and what the notebook writes: ``report`` writes ``scores.csv`` and
        the masks.
    truth : str or path, optional
    notebook : str or path
        See `notebooks.find`.
    parameters : dict of str to object, optional
        Further parameters; see `notebooks.check`.
    progress_bar : dict or bool
        See `running.execute`.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If the images, a parameter or the folder cannot be used.
    RuntimeError
        If a cell fails. What ran is kept in the folder ``…_failed`` beside ``folder``, which the
        message names.

    Examples
    --------
    >>> report("phantom", "out", parameters={"overlay_count": 50})
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: report.ipynb: expected overlay_count from 1 to 24, got 50
    """
    notebook = notebooks.find(notebook)
    sources = inputs.sources(images, truth)
    parameters = inputs.prepare(notebook, sources, parameters or {})
    return make(
        notebook,
        sources,
        Path(folder),
        parameters,
        progress_bar=progress_bar,
    )


def make(
    notebook: Path,
    sources: dict[str, str],
    folder: Path,
    parameters: dict[str, object],
    *,
    progress_bar: dict[str, object] | bool = False,
    hash_source: Callable[[str], str | None] = sha256,
    says_what_is_kept: bool = True,
) -> Path:
    """Make a report from inputs and parameters that were checked already.

    Parameters
    ----------
    notebook : Path
    sources : dict of str to str
        See `inputs.sources`.
    folder : Path
        See `report`.
    parameters : dict of str to object
        As `inputs.prepare` returns them.
    progress_bar
        See `report`.
    hash_source : callable
        Hashes an input: `provenance.sha256`, or one that remembers what it hashed.
    says_what_is_kept : bool
        Whether an error also says where it left what ran.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If the folder cannot be used, or if somebody puts a file into it meanwhile.
    RuntimeError
        See `report`.

    Examples
    --------
    >>> make(Path("own.ipynb"), {}, Path(__file__), {})
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: ...report.py: is a file, and a report is a folder; ...
    """
    failed_folder = folder.with_name(f"{folder.name}_failed")
    folders.check_replaceable(folder)
    folders.check_remains(failed_folder)

    files = inputs.files_among(parameters)
    private = inputs.private_folders(folder, notebook, sources, files)
    record = provenance(
        notebook,
        sources | files,
        parameters,
        hash_source=hash_source,
    )
    started_s = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="skullmask-") as elsewhere,
        outputs.replacing(folder, over=True) as temporary,
    ):
        ran = Path(elsewhere, "report.ipynb")
        work = temporary.with_name("work")
        temporary.mkdir()
        work.mkdir()
        links = {}
        for name, source in (sources | files).items():
            links[name] = inputs.link(work, name, source)
        try:
            running.execute(
                notebook,
                ran,
                parameters=parameters | links,
                timeout_s=_CELL_TIMEOUT_S,
                folder=work,
                progress_bar=progress_bar,
            )
            _move_outputs(work, temporary, links)
            executed = privacy.clean(nbformat.read(ran, as_version=4), *private)
            record["seconds"] = round(time.monotonic() - started_s, 1)
            executed.cells.append(nbformat.v4.new_markdown_cell(as_markdown(record)))
            title = str(parameters.get("title") or "")
            folders.write(executed, temporary, record, title=title)
            folders.check_replaceable(folder)  # again: the notebook may have run for an hour
        except (RuntimeError, OSError, InputError) as error:
            shutil.rmtree(work)  # makes room where the disk is full
            shutil.rmtree(temporary)
            kept = folders.keep_failed(ran, failed_folder, record, private)
            if not says_what_is_kept:
                kept = ""
            raise _ending(error, folder, kept) from None
    folders.remove_remains(failed_folder)
    return folder / "report.html"


def _ending(error: Exception, folder: Path, kept: str) -> Exception:
    """Return the error to end with, which also says where what ran is kept."""
    if isinstance(error, OSError):
        error = InputError(f"cannot be written ({error.strerror})", where=folder)
    if isinstance(error, InputError):
        return InputError(f"{error.message}{kept}", where=error.where)
    return RuntimeError(f"{error}{kept}")


def _move_outputs(work: Path, folder: Path, links: Collection[str]) -> None:
    """Move what the notebook wrote into the report, but not the links to its inputs."""
    for path in list(work.iterdir()):
        if path.name not in links:
            os.replace(path, folder / path.name)


def scores(folder: Path) -> list[dict]:
    """Read the scores of every slice from a report.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of dict
        Column to number, and ``name`` to the slice's name. Empty if there is no ``scores.csv`` of
        that kind.

    Examples
    --------
    >>> scores(Path("missing"))
    []
    """
    try:
        with open(folder / "scores.csv", newline="", encoding="utf-8") as file:
            return [_numbers(row) for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError):
        return []


def _numbers(row: dict[str, str]) -> dict[str, object]:
    """Turn the texts of a row into numbers, except for the slice's name."""
    numbers = {}
    for column, text in row.items():
        numbers[column] = text if column == "name" else float(text)
    return numbers
