"""The brains of many scans: which of them are needed, what has failed, and the table of all.

`strip_files` finds each brain, `bids` knows the names in a data set of BIDS. What was done is
remembered in ``strip.jsonl``.
"""

import csv
import hashlib
import io
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from .. import boundary, polar, texts
from ..errors import InputError, InputWarning
from ..io import hashes, journal, nifti, outputs
from ..io.paths import is_hidden, natural
from . import bids, scans, strip_files, stripping
from .scans import ScanPath
from .strip_files import Stripped

JOURNAL = "strip.jsonl"
TABLE = "masks.tsv"

# No scan has this name; its record says that the folder is ours
_RUN = ""
# Of a pair, the header stands for both files
_LISTED = (*nifti.SUFFIXES, ".hdr", ".hdr.gz")
_COLUMNS = (
    "scan",
    "state",
    "mask",
    "skull_by",
    "quality",
    "brain_ml",
    "doubtful_levels",
    "remarks",
)
_NOTHING = "n/a"
_FOREIGN = "was not written by strip, or has changed since; move it away, or choose another folder"
_README = "README.md"
_README_TEXT = """\
# Brains

Masks of the brain, and the scans inside them, found by `skullmask strip`. `masks.tsv` says how far
each can be trusted, and the folders `figures` show their outlines.
"""


class Outcome(NamedTuple):
    """What became of many scans.

    Attributes
    ----------
    table : Path
        ``masks.tsv``, with a row for each scan.
    total : int
        Scans in all, those made earlier included.
    doubtful, failed : list of str
        Names of scans whose mask should be looked at, and of those without a mask.
    """

    table: Path
    total: int
    doubtful: list[str]
    failed: list[str]


class _Task(NamedTuple):
    """One scan, the files made from it, and what is written into the two sidecars."""

    scan: Path
    files: Stripped
    mask_fields: dict[str, object]
    brain_sidecar: Path | None = None
    brain_fields: Mapping[str, object] = {}

    def outputs(self) -> list[Path]:
        """List all files that are made."""
        if self.brain_sidecar is None:
            return list(self.files)
        return [*self.files, self.brain_sidecar]


class _Plan(NamedTuple):
    """The folder of the results, the scans by name, and the files that scans share by name."""

    folder: Path
    tasks: dict[str, _Task]
    shared: Mapping[str, bytes] = {}


def holds_scans(path: Path) -> bool:
    """Return whether a path is a folder of several scans, and not one of DICOM.

    Parameters
    ----------
    path : Path

    Returns
    -------
    bool
        True for a data set of BIDS, and for a folder with volumes in it or further below.

    Examples
    --------
    >>> holds_scans(Path(__file__))
    False
    """
    if not path.is_dir():
        return False
    return bids.is_dataset(path) or any(_volumes(path))


def holds_run(folder: Path) -> bool:
    """Return whether a folder has the results of `strip_scans`, which its journal protects.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool

    Examples
    --------
    >>> holds_run(Path("missing"))
    False
    """
    return (folder / JOURNAL).is_file()


def strip_scans(
    sources: Sequence[ScanPath],
    output_path: ScanPath | None = None,
    *,
    n4: bool = False,
    extent: str = "usual",
    version: str = "v8",
    progress: Callable[[], object] | None = None,
    begin: Callable[[int], object] | None = None,
) -> Outcome:
    """Find the brains of many scans; a scan that fails does not stop the others.

    What is recorded as done, with the same scan, options and version of the library, is not made
    again. The results of a data set of BIDS follow its rules for derivatives. Other results are
    named as by `strip_files.strip_scan`, and lie in folders like those of their scans.

    Parameters
    ----------
    sources : sequence of str or path
        Scans, and folders of scans; or one data set of BIDS.
    output_path : str or path, optional
        Folder for the results; it is made if missing. By default ``derivatives/skullmask`` in a
        data set of BIDS.
    n4 : bool
        Correct the bias field first, see `preprocess.n4`.
    extent : str
        How much of the fluid around the brain counts, see `stripping.strip`.
    version : str
        Which version finds the skull, see `stripping.strip`.
    progress : callable, optional
        Called when a scan is done, has failed, or was done earlier.
    begin : callable, optional
        Called once with the number of scans.

    Returns
    -------
    Outcome

    Raises
    ------
    FileNotFoundError
        If a source does not exist.
    InputError
        If the extent or the version is unknown; if there is no scan; if two scans have the same
        results; if a result would replace that of another scan, or a file that is not ours; or if
        another run is at work in the folder. Nothing has been written then.

    Warns
    -----
    InputWarning
        Of masks to be looked at; also of those made earlier.

    Examples
    --------
    >>> import tempfile
    >>> import nibabel as nib
    >>> from skullmask_lib import phantom
    >>> volume, _, affine = phantom.render_volume(shape=(31, 37, 20), spacing_mm=(6, 6, 9))
    >>> with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
    ...     for name in ("a.nii", "b.nii"):
    ...         nib.save(nib.Nifti1Image(volume, affine), Path(folder, name))
    ...     outcome = strip_scans([folder], f"{folder}/out")
    ...     sorted(path.name for path in Path(folder, "out").glob("a*"))
    ['a_brain.nii', 'a_brainmask.json', 'a_brainmask.nii', 'a_qc.png']
    """
    choices: dict[str, Any] = {
        "n4": n4,
        "extent": stripping.check_extent(extent),
        "version": boundary.check_version(version),
    }
    plan = _plan([scans.existing(source) for source in sources], output_path)
    folder, tasks = plan.folder, plan.tasks
    journal_file = folder / JOURNAL
    recorded = journal.read(journal_file)
    origins = {name: _origin(task.scan, choices) for name, task in tasks.items()}
    shared = _unedited(plan.shared, folder, recorded.get(_RUN, {}))
    common = [folder / name for name in (TABLE, *shared)]
    _check_results(plan, common, recorded, origins)

    if begin is not None:
        begin(len(tasks))
    outputs.make_folder(folder)
    with open(journal_file, "ab") as file:
        journal.lock(file, folder)
        recorded = journal.read(journal_file)  # another run may have ended meanwhile
        _check_results(plan, common, recorded, origins)
        _write_common(folder, recorded.get(_RUN, {}), common, shared)
        for name, task in tasks.items():
            record = recorded.get(name, {})
            if not _is_done(record, origins[name], task):
                outcome = _make(name, task, folder, record, origins[name], choices)
                journal.append(journal_file, name, outcome)
            if progress is not None:
                progress()

        recorded = journal.read(journal_file)
        rows = {TABLE: _table(folder, recorded, tasks)}
        _write_common(folder, recorded[_RUN], [folder / TABLE], rows)
    return _outcome(folder, recorded, tasks)


# --- Plan ----------------------------------------------------------------------------------------


def _plan(paths: Sequence[Path], output_path: ScanPath | None) -> _Plan:
    """Plan what is made from scans, and refuse two with the same results."""
    if any(bids.is_dataset(path) for path in paths):
        plan = _plan_dataset(paths, output_path)
    else:
        plan = _plan_scans(paths, output_path)
    _check_apart(plan.tasks)
    return plan


def _plan_dataset(paths: Sequence[Path], output_path: ScanPath | None) -> _Plan:
    """Plan the derivatives of a data set of BIDS."""
    if len(paths) > 1:
        raise InputError("a data set of BIDS comes alone", where=paths[0])
    [dataset] = paths
    described = bids.description(dataset)
    folder = dataset / bids.DERIVATIVES
    if output_path is not None:
        folder = Path(output_path)
    tasks = {}
    for scan in bids.scans(dataset):
        brain, mask = folder / scan.brain, folder / scan.mask
        tasks[scan.path] = _Task(
            scan=dataset / scan.path,
            files=Stripped(brain, mask, folder / scan.picture, _sidecar(mask)),
            mask_fields=bids.mask_sidecar(scan),
            brain_sidecar=_sidecar(brain),
            brain_fields=bids.brain_sidecar(scan),
        )
    version = metadata.version("skullmask")
    fields = bids.derivative_description(described, dataset, folder, version)
    shared = {
        bids.DESCRIPTION: strip_files.json_bytes(fields),
        ".bidsignore": "".join(f"{name}\n" for name in bids.IGNORED).encode(),
        _README: _README_TEXT.encode(),
    }
    return _Plan(folder, tasks, shared)


def _plan_scans(paths: Sequence[Path], output_path: ScanPath | None) -> _Plan:
    """Plan the results of scans and folders."""
    if output_path is None:
        raise InputError("expected a folder for the results")
    folder = Path(output_path)
    recorded = journal.read(folder / JOURNAL)
    written: set[Path] = set()
    for record in recorded.values():
        written.update(_location(folder / file) for file in _recorded_digests(record))
    listed = []
    tops = []
    for path in paths:
        if not holds_scans(path):
            listed.append(path)
            tops.append(_normal(path).parent)
            continue
        volumes = [file for file in _volumes(path) if _location(file) not in written]
        listed += sorted(volumes, key=lambda file: natural(str(file)))
        tops.append(_normal(path))
    top = os.path.commonpath(tops)
    tasks: dict[str, _Task] = {}
    for scan in listed:
        inner = _normal(scan).relative_to(top)
        name = inner.as_posix()
        files = strip_files.outputs_of(inner, folder / inner.parent)
        if name in tasks and _location(tasks[name].scan) != _location(scan):
            both = f"{tasks[name].scan} and {scan}"
            raise InputError(f"would be the name of both {both}; rename one", where=name)
        tasks[name] = _Task(scan, files, {"Sources": [name]})
    return _Plan(folder, tasks)


def _normal(path: Path) -> Path:
    """Return an absolute path without ``..``, for names; links in it stay."""
    return Path(os.path.normpath(path.absolute()))


def _location(path: Path) -> Path:
    """Return where a file lies, as an absolute path; a link is not what it leads to."""
    if path.name in ("", ".."):
        return path.resolve()
    return path.parent.resolve() / path.name


def _volumes(folder: Path) -> Iterable[Path]:
    """Find the volumes in a folder and below; hidden files and folders do not count."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        for name in names:
            file = Path(parent, name)
            _, suffix = nifti.split_name(name)
            is_listed = suffix in _LISTED and not is_hidden(name)
            if is_listed and (file.is_file() or file.is_symlink()):  # a pipe would block
                yield file


def _check_apart(tasks: Mapping[str, _Task]) -> None:
    """Refuse two scans whose results have the same name."""
    owners: dict[Path, str] = {}
    for name, task in tasks.items():
        for file in task.outputs():
            owner = owners.setdefault(file, name)
            if owner != name:
                both = f"{owner} and {name}"
                raise InputError(f"would be the result of both {both}; rename one", where=file)


def _check_results(
    plan: _Plan,
    common: Iterable[Path],
    recorded: Mapping[str, dict],
    origins: Mapping[str, Mapping],
) -> None:
    """Refuse to replace what is not ours, or was made from another scan."""
    for name, task in plan.tasks.items():
        record = recorded.get(name, {})
        if not _is_done(record, origins[name], task):
            _check_place(task, plan.folder, record, origins[name])
            _ours(task.outputs(), plan.folder, record)
    _ours(common, plan.folder, recorded.get(_RUN, {}))


def _unedited(shared: Mapping[str, bytes], folder: Path, record: Mapping) -> dict[str, bytes]:
    """Leave out the shared files that a user has edited since an earlier run wrote them."""
    recorded = _recorded_digests(record)
    digests = _hashes([folder / name for name in shared], folder)
    edited = set()
    for name, digest in digests.items():
        if digest not in recorded.get(name, {digest}):
            edited.add(name)
    return {name: text for name, text in shared.items() if name not in edited}


def _check_place(
    task: _Task,
    folder: Path,
    record: Mapping,
    origin: Mapping,
) -> None:
    """Refuse to replace the results of another scan: one from elsewhere, with other contents."""
    place = _relative_place(task.scan, folder)
    recorded_place = record.get("place", place)
    is_moved = origin["source"] is not None and record.get("source") == origin["source"]
    if _recorded_digests(record) and recorded_place != place and not is_moved:
        earlier = texts.plain(os.path.normpath(folder.resolve() / recorded_place))
        message = f"its results would replace those of {earlier}; choose another folder"
        raise InputError(message, where=task.scan)


def _relative_place(scan: Path, folder: Path) -> str:
    """Return a scan's place as seen from the results, which stays when both move."""
    location = _location(scan)
    try:
        return Path(os.path.relpath(location, folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return location.as_posix()


def _ours(files: Iterable[Path], folder: Path, record: Mapping) -> dict[str, str]:
    """Hash the files that exist; refuse those that no run recorded, or that changed since."""
    recorded = _recorded_digests(record)
    digests = _hashes(files, folder)
    for file, digest in digests.items():
        if digest not in recorded.get(file, ()):
            raise InputError(_FOREIGN, where=folder / file)
    return digests


def _recorded_digests(record: Mapping) -> dict[str, set[str]]:
    """Read the files of a record with their hashes; one that was being replaced has two."""
    recorded: dict[str, set[str]] = {}
    for key in ("files", "replacing"):
        for file, digest in record.get(key, {}).items():
            recorded.setdefault(file, set()).add(digest)
    return recorded


def _within(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _sidecar(volume: Path) -> Path:
    name, _ = nifti.split_name(volume)
    return volume.with_name(f"{name}.json")


# --- Make ----------------------------------------------------------------------------------------


def _origin(scan: Path, choices: Mapping[str, object]) -> dict[str, object]:
    """Record what a mask is made from, and how; no hash for a scan that cannot be read."""
    digest = None
    try:
        scans.existing(scan)  # to open a pipe would block
        if scan.is_dir():
            digest = hashes.contents(scan)
        else:
            digest = hashes.together(scan.parent, nifti.files(scan))
    except (OSError, InputError):
        pass
    version = metadata.version("skullmask")
    return {"skullmask": version, "source": digest, **choices}


def _is_done(record: Mapping, origin: Mapping, task: _Task) -> bool:
    """Compare with the last record of a scan, and look for its files."""
    if record.get("state") != "done":
        return False
    recorded = {"version": "v8"} | dict(record)  # early journals know no other version
    is_same = all(recorded.get(key) == value for key, value in origin.items())
    return is_same and all(file.is_file() for file in task.outputs())


def _make(
    name: str,
    task: _Task,
    folder: Path,
    record: Mapping,
    origin: Mapping,
    choices: Mapping[str, Any],
) -> dict[str, object]:
    """Find one brain; whatever goes wrong is recorded, and does not stop the others.

    The journal knows the earlier files and the new ones before these take their places.
    """
    facts = {**origin, "place": _relative_place(task.scan, folder)}
    started = {key: record[key] for key in ("files", "replacing") if key in record}
    sidecar = strip_files.json_bytes(task.brain_fields)

    def record_new(temporary: Stripped) -> None:
        # The work took minutes
        files = _ours(task.outputs(), folder, started)
        new = {}
        for file, finished in zip(task.files, temporary, strict=True):
            new[_within(file, folder)] = hashes.contents(finished)
        if task.brain_sidecar is not None:
            new[_within(task.brain_sidecar, folder)] = hashlib.sha256(sidecar).hexdigest()
        started.update(files=files, replacing=new)
        journal.append(folder / JOURNAL, name, started)

    try:
        files = _ours(task.outputs(), folder, record)
        started = {"state": "started", "files": files, **facts}
        journal.append(folder / JOURNAL, name, started)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            verdict = strip_files.strip_to(
                task.scan,
                task.files,
                fields=task.mask_fields,
                before_replacing=record_new,
                **choices,
            )
        if task.brain_sidecar is not None:
            _write_bytes(task.brain_sidecar, sidecar)
    except Exception as error:
        kept = _still_ours(task, folder, started)
        return {"state": "failed", "remarks": [_reason(error)], "files": kept, **facts}
    return {
        "state": "done",
        "quality": round(verdict.quality, 4),
        "brain_ml": round(verdict.brain_ml, 1),
        "doubtful_levels": verdict.doubtful_levels(),
        "remarks": [_remark(warning.message) for warning in caught],
        "mask": _within(task.files.mask, folder),
        "files": started["replacing"],
        **facts,
    }


def _still_ours(task: _Task, folder: Path, record: Mapping) -> dict[str, str]:
    """Hash the results of an earlier run that are still there as it left them."""
    recorded = _recorded_digests(record)
    kept = {}
    for file, digest in _hashes(task.outputs(), folder).items():
        if digest in recorded.get(file, ()):
            kept[file] = digest
    return kept


def _hashes(files: Iterable[Path], folder: Path) -> dict[str, str]:
    """Hash the files that exist."""
    return {_within(file, folder): hashes.contents(file) for file in files if file.is_file()}


def _write_common(
    folder: Path,
    record: Mapping,
    common: Iterable[Path],
    written: Mapping[str, bytes],
) -> None:
    """Write files that scans share; the journal knows them before they are there."""
    files = record.get("files", {}) | record.get("replacing", {}) | _ours(common, folder, record)
    new = {name: hashlib.sha256(content).hexdigest() for name, content in written.items()}
    started = {"state": "started", "files": files, "replacing": new}
    journal.append(folder / JOURNAL, _RUN, started)
    for name, content in written.items():
        _write_bytes(folder / name, content)


def _reason(error: Exception) -> str:
    """Say why a scan failed, without its path."""
    if isinstance(error, InputError) and error.message == _FOREIGN:
        return f"{Path(error.where or '').name} {_FOREIGN}"  # of a result, not of the scan
    if isinstance(error, InputError):
        return error.message
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return texts.of_error(error)


def _remark(message: Warning | str) -> str:
    """Read a warning, without the name of its scan."""
    if isinstance(message, InputWarning):
        return message.message
    return str(message)


def _write_bytes(file: Path, content: bytes) -> None:
    with outputs.replacing(file) as temporary:
        temporary.write_bytes(content)


# --- Table ---------------------------------------------------------------------------------------


def _table(
    folder: Path,
    recorded: Mapping[str, dict],
    tasks: Mapping[str, _Task],
) -> bytes:
    """Lay out a row for each scan of this run, and of earlier runs if its mask is still there."""
    rows = []
    for name in sorted(recorded, key=natural):
        files = _recorded_digests(recorded[name])
        is_kept = files and all((folder / file).is_file() for file in files)
        if name in tasks or (is_kept and name != _RUN):
            rows.append(_row(name, recorded[name]))
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, _COLUMNS, delimiter="\t", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue().encode(errors="backslashreplace")


def _row(name: str, record: Mapping) -> dict[str, object]:
    """Lay out one scan; what is not known is n/a, as BIDS wants it."""
    row = {
        "scan": texts.csv_text(name),
        "state": record["state"],
        "mask": texts.csv_text(record.get("mask", "")),
        "skull_by": record.get("version"),
        "quality": record.get("quality"),
        "brain_ml": record.get("brain_ml"),
        "doubtful_levels": record.get("doubtful_levels"),
        "remarks": texts.csv_text("; ".join(record.get("remarks", []))),
    }
    return {column: _NOTHING if value in (None, "") else value for column, value in row.items()}


def _outcome(
    folder: Path,
    recorded: Mapping[str, dict],
    tasks: Mapping[str, _Task],
) -> Outcome:
    """Sum up, and warn of what should be looked at."""
    doubtful = []
    failed = []
    for name in tasks:
        record = recorded[name]
        if record["state"] != "done":
            failed.append(name)
        elif record["quality"] < polar.TRUSTED:
            doubtful.append(name)
        for remark in record.get("remarks", []):
            warnings.warn(InputWarning(remark, where=name), stacklevel=3)
    return Outcome(folder / TABLE, len(tasks), doubtful, failed)
