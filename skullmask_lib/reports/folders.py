"""The folder of a report: what it may replace, and what is written into it.

Nothing here runs a notebook.
"""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat

from .. import texts
from ..errors import InputError
from ..io import outputs, paths
from . import notebooks, pages, privacy
from .provenance import contents

_FAILED = "failed"  # the state that the provenance of a failed report has


def check_replaceable(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier report as it was made.

    Parameters
    ----------
    folder : Path
        May be missing or empty.

    Raises
    ------
    InputError
        If it is a file, or holds anything that no report wrote or that was changed. Files that
        systems leave, such as ``.DS_Store``, do not count.

    Examples
    --------
    >>> check_replaceable(Path("missing"))
    """
    kind = paths.kind_of(folder)
    if kind == "file":
        raise InputError("is a file, and a report is a folder; choose another name", where=folder)
    if not kind:
        return
    recorded = _recorded_files(folder)
    for path in folder.iterdir():
        if paths.is_left_by_system(path.name):
            continue
        if path.name == "provenance.json" and recorded:
            continue
        if not _is_unchanged(path, recorded):
            raise InputError(
                f"holds {path.name}, which no report wrote or which was changed; "
                "choose another folder",
                where=folder,
            )


def _is_unchanged(path: Path, recorded: Mapping[str, object]) -> bool:
    """Compare a file or folder with its recorded hash; only what has one is opened."""
    if path.name not in recorded:
        return False
    if not (path.is_file() or path.is_dir()):
        return False
    return contents(path) == recorded[path.name]


def check_remains(folder: Path) -> None:
    """Refuse a folder that holds anything but what an earlier failure left, as it was left.

    Parameters
    ----------
    folder : Path
        May be missing or empty.

    Raises
    ------
    InputError
        See `check_replaceable`; also if it holds a report that did not fail.

    Examples
    --------
    >>> check_remains(Path("missing"))
    """
    check_replaceable(folder)
    record = _record(folder)
    if record and record.get("state") != _FAILED:
        raise InputError("holds a report that did not fail; choose another folder", where=folder)


def remove_remains(folder: Path) -> None:
    """Remove what an earlier failure left, unless something else is there by now.

    Parameters
    ----------
    folder : Path
        May be missing.

    Examples
    --------
    >>> remove_remains(Path("missing"))
    """
    with contextlib.suppress(InputError):
        check_remains(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _record(folder: Path) -> dict[str, object]:
    """Read the provenance of a report; empty if there is none."""
    path = folder / "provenance.json"
    if not path.is_file():
        return {}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _recorded_files(folder: Path) -> dict[str, object]:
    """Read which files a report wrote, with their hashes; none if there is no record."""
    recorded = _record(folder).get("files")
    return recorded if isinstance(recorded, dict) else {}


def write(
    executed: nbformat.NotebookNode,
    folder: Path,
    provenance: dict[str, object],
    *,
    title: str = "",
    page: bool = True,
) -> None:
    """Write an executed notebook, its page, and its provenance with the hashes of all files.

    Parameters
    ----------
    executed : NotebookNode
        Its first heading is replaced by ``title``, in place.
    folder : Path
        Exists; may already hold files that the notebook wrote.
    provenance : dict of str to object
        See `provenance.provenance`.
    title : str
        Instead of the notebook's own.
    page : bool
        Whether to write ``report.html``.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as name:
    ...     write(nbformat.v4.new_notebook(), Path(name), {}, page=False)
    ...     sorted(path.name for path in Path(name).iterdir())
    ['provenance.json', 'report.ipynb']
    """
    if title:
        _set_title(executed, title)
    notebook = folder / "report.ipynb"
    nbformat.write(executed, notebook)
    if page:
        name = texts.plain(title) or notebooks.title(notebook)
        pages.single_page(notebook, folder / "report.html", name=name)
    files = {path.name: contents(path) for path in sorted(folder.iterdir())}
    text = json.dumps(provenance | {"files": files}, indent=2, ensure_ascii=False)
    (folder / "provenance.json").write_text(f"{text}\n", encoding="utf-8")


def _set_title(executed: nbformat.NotebookNode, title: str) -> None:
    """Replace the first heading of a notebook, in place."""
    cell = notebooks.heading_cell(executed.cells)
    if cell is not None:
        _, _, rest = cell.source.partition("\n")
        cell.source = f"# {texts.inert(title)}\n{rest}"


def keep_failed(
    ran: Path,
    folder: Path,
    provenance: dict[str, object],
    private: Sequence[str | Path] = (),
) -> str:
    """Keep a notebook that failed as a report of its own, up to the last cell that ran.

    Parameters
    ----------
    ran : Path
        The executed notebook.
    folder : Path
        Where to keep it, unless there is anything but what an earlier failure left.
    provenance : dict of str to object
    private : sequence of str or path
        See `privacy.pathless`.

    Returns
    -------
    str
        Where it is, to add to a message; empty if nothing was left to keep.

    Examples
    --------
    >>> keep_failed(Path("missing.ipynb"), Path("out_failed"), {})
    ''
    """
    try:
        executed = privacy.clean(nbformat.read(ran, as_version=4), *private)
    except (OSError, ValueError, AttributeError):  # not even the notebook could be written
        return ""
    _cut_after_last_run(executed)
    for page in (True, False):  # the notebook alone where the disk is full
        with (
            contextlib.suppress(InputError),
            outputs.replacing(folder, over=True) as temporary,
        ):
            temporary.mkdir()
            write(executed, temporary, provenance | {"state": _FAILED}, page=page)
            check_remains(folder)
            return f"; what ran is in {folder / 'report.ipynb'}"
    copy = shutil.copy(ran, tempfile.mkdtemp(prefix="skullmask-"))
    return f"; what ran is in {copy}"


def _cut_after_last_run(executed: nbformat.NotebookNode) -> None:
    """Drop the cells below the last one that ran, in place."""
    last = 0
    for place, cell in enumerate(executed.cells):
        if cell.get("execution_count"):
            last = place
    executed.cells = executed.cells[: last + 1]
