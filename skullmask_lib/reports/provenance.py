"""What a report was made from: inputs, parameters and versions, and the command to make it again.

Files are hashed and package versions looked up here; nothing is run or written.
"""

import datetime
import hashlib
import html
import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import cv2

from .. import project, tables
from ..io import cohorts, datasets, nifti, registry
from ..io.hashes import contents, together
from . import notebooks

_NOT_TYPED = ("images", "truth", "save")  # parameters that no ``-p`` of a command sets


def sha256(source: str | Path) -> str | None:
    """Hash an input: a file, or the files that a folder is read from with their names.

    Parameters
    ----------
    source : str or path

    Returns
    -------
    str or None
        None for a phantom, which is computed anew each time.

    Examples
    --------
    >>> sha256("phantom") is None
    True
    >>> len(sha256(notebooks.find("report")))
    64
    """
    if source in datasets.PHANTOMS:
        return None
    if datasets.is_name(source):
        return registry.originals()[source].sha256
    path, files = _files_of(source)
    if path.is_dir():
        return together(path, files)
    if len(files) == 1:
        return contents(path)
    return together(path.parent, files)


def _files_of(source: str | Path) -> tuple[Path, list[Path]]:
    """Resolve the path of a source, and list the files that it is read from."""
    prefix, path = cohorts.prefixed(source)
    path = path.resolve()
    if path.is_dir():
        return path, datasets.files_in(f"{prefix}{path}")
    return path, nifti.files(path)


def sha256_once() -> Callable[[str], str | None]:
    """Make a `sha256` that remembers, and hashes a source again only if its files changed.

    Returns
    -------
    callable
        Takes a source.

    Examples
    --------
    >>> hash_source = sha256_once()
    >>> hash_source("phantom") is None
    True
    """
    hashes: dict[tuple, str | None] = {}

    def hash_source(source: str) -> str | None:
        if datasets.is_name(source):
            return sha256(source)
        _, files = _files_of(source)
        state = (source, *map(_state, files))
        if state not in hashes:
            hashes[state] = sha256(source)
        return hashes[state]

    return hash_source


def _state(file: Path) -> tuple[str, int, int]:
    """Return what changes when a file is written: its size, and the time of writing."""
    about = file.stat()
    return str(file), about.st_size, about.st_mtime_ns


def provenance(
    notebook: Path,
    inputs: dict[str, str],
    parameters: dict[str, object],
    *,
    hash_source: Callable[[str], str | None] = sha256,
) -> dict[str, object]:
    """Record what a report is made from, and how to make it again.

    Parameters
    ----------
    notebook : Path
    inputs : dict of str to str
        The images and, where there is one, the truth.
    parameters : dict of str to object
    hash_source : callable
        Hashes an input: `sha256`, or `sha256_once` for many reports on the same inputs.

    Returns
    -------
    dict of str to object
        Ready for JSON. Names of folders are left out.

    Examples
    --------
    >>> parameters = {"images": "phantom", "title": "A head"}
    >>> record = provenance(notebooks.find("report"), {"images": "phantom"}, parameters)
    >>> record["command"]
    "skullmask report phantom -p 'title=A head' -o report"
    """
    names = {}
    hashed = {}
    for parameter, source in inputs.items():
        names[parameter] = _public_name(parameter, source)
        hashed[parameter] = {"name": names[parameter], "sha256": hash_source(source)}
    made = datetime.datetime.now(datetime.UTC)
    return {
        "command": _command(notebook, names, parameters),
        "inputs": hashed,
        "parameters": notebooks.parameters(notebook) | parameters | names,
        "notebook": {"name": notebook.name, "sha256": sha256(notebook)},
        "skullmask": library(),
        "made": made.isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": _packages(),
    }


def _public_name(parameter: str, source: str) -> str:
    """Name an input so that a reader finds it again, without its folders."""
    if datasets.is_name(source):
        return source
    prefix, path = cohorts.prefixed(source)
    if path.is_dir():
        return f"{prefix}FOLDER_OF_{parameter.upper()}"
    if path.name.startswith("-"):  # a command would take it for an option
        return f"./{path.name}"
    return path.name


def _command(
    notebook: Path,
    names: Mapping[str, str],
    parameters: dict[str, object],
) -> str:
    """Write the command that makes the report again."""
    command = ["skullmask", "report", names["images"]]
    if "truth" in names:
        command += ["--truth", names["truth"]]
    if notebook.stem != "report" or notebook != notebooks.find("report"):
        command += ["--notebook", _notebook_name(notebook)]
    for name, value in (parameters | names).items():
        if name not in _NOT_TYPED:
            command += ["-p", f"{name}={_typed(value)}"]
    command += ["-o", "report"]
    return shlex.join(command)


def _notebook_name(notebook: Path) -> str:
    """Name a notebook as `notebooks.find` finds it."""
    if notebook.parent == project.project_folder("notebooks"):
        return notebook.stem
    return f"./{notebook.name}"


def _typed(value: object) -> str:
    """Write the value of a parameter as it is typed into a command."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)


def _packages() -> dict[str, str | None]:
    """Look up the versions of the packages that the library requires."""
    names = set()
    for requirement in metadata.requires("skullmask") or ():
        if "extra ==" not in requirement:
            names.add(re.match(r"[\w-]+", requirement)[0])
    versions = {name: _installed(name) for name in sorted(names)}
    versions["opencv-python"] = cv2.__version__  # the headless wheel may stand in for it
    return versions


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def library() -> str:
    """Name the version of this library and, where it runs from a clone, the commit and changes.

    Returns
    -------
    str

    Examples
    --------
    >>> library().split()[0] == _installed("skullmask")
    True
    """
    version = str(_installed("skullmask"))
    clone = project.project_folder("notebooks").parent
    if not (clone / ".git").exists() or not shutil.which("git"):
        return version
    try:
        commit = _git(clone, "rev-parse", "HEAD").decode().strip()
        changes = _git(clone, "diff", "HEAD") + _untracked(clone)
    except subprocess.CalledProcessError:  # somebody else's clone, or one without commits
        return version
    if changes:
        digest = hashlib.sha256(changes).hexdigest()
        commit = f"{commit}, changed: {digest[:12]}"
    return f"{version} (commit {commit})"


def _untracked(clone: Path) -> bytes:
    """Hash the files of the library that git neither tracks nor ignores; empty if none."""
    options = ("--others", "--exclude-standard", "-z")
    names = _git(clone, "ls-files", *options, "--", "skullmask_lib").split(b"\0")
    files = [clone / os.fsdecode(name) for name in names if name]
    if not files:
        return b""
    return together(clone, filter(Path.is_file, files)).encode()


def _git(clone: Path, *arguments: str) -> bytes:
    command = ["git", "-C", clone, *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


def as_markdown(record: dict[str, object]) -> str:
    """Show a provenance in Markdown.

    Parameters
    ----------
    record : dict of str to object
        As `provenance` returns it.

    Returns
    -------
    str

    Examples
    --------
    >>> record = provenance(notebooks.find("report"), {"images": "phantom"}, {})
    >>> as_markdown(record).splitlines()[0]
    '## Provenance'
    """
    rows = []
    for parameter, source in record["inputs"].items():
        digest = source["sha256"] or "– (made anew)"
        rows.append((parameter, f"{source['name']}, sha256 {digest}"))
    for name in ("skullmask", "made", "seconds", "python", "system"):
        if record.get(name):
            rows.append((name, str(record[name])))
    packages = []
    for package, version in record["packages"].items():
        if version:
            packages.append(f"{package} {version}")
    rows.append(("packages", ", ".join(packages)))
    parameters = [f"{name} = {value!r}" for name, value in record["parameters"].items()]
    rows.append(("parameters", ", ".join(parameters)))
    table = tables.markdown(rows, ("what", "value")).data
    command = html.escape(record["command"])
    return f"## Provenance\n\n{table}\n\nTo make it again:\n\n<pre>{command}</pre>"
