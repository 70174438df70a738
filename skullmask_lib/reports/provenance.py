"""What a report is made of: inputs, parameters, versions; and how to make it again."""

import datetime
import hashlib
import html
import platform
import re
import shlex
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import cv2

from .. import project, tables
from ..io import cohorts, datasets, nifti, registry
from . import notebooks


def provenance(notebook: Path, inputs: dict[str, str], parameters: dict[str, object]) -> dict[str, object]:
    """Tell what a report is made of, and how to make it again.

    Parameters
    ----------
    notebook : Path
    inputs : dict of str to str
        The images and, where there is one, the truth.
    parameters : dict of str to object

    Returns
    -------
    dict of str to object
        Ready for JSON. Names of folders are left out.

    Examples
    --------
    >>> told = provenance(notebooks.find("report"), {"images": "phantom"}, {"images": "phantom", "title": "A head"})
    >>> told["command"]
    "skullmask report phantom -p 'title=A head' -o report"
    """
    shown = {name: _shown(name, source) for name, source in inputs.items()}
    command = ["skullmask", "report", shown["images"], *(("--truth", shown["truth"]) if "truth" in shown else ())]
    if notebook.stem != "report" or notebook != notebooks.find("report"):
        ours = notebook.parent == project.project_folder("notebooks")
        command += ["--notebook", notebook.stem if ours else f"./{notebook.name}"]
    for name, value in (parameters | shown).items():
        if name not in ("images", "truth", "save"):
            command += ["-p", f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"]
    required = [each for each in metadata.requires("skullmask") or () if "extra ==" not in each]
    packages = {name: _installed(name) for name in sorted(re.match(r"[\w-]+", each)[0] for each in required)}
    return {
        "command": shlex.join([*command, "-o", "report"]),
        "inputs": {name: {"name": shown[name], "sha256": sha256(source)} for name, source in inputs.items()},
        "parameters": notebooks.parameters(notebook) | parameters | shown,
        "notebook": {"name": notebook.name, "sha256": sha256(notebook)},
        "skullmask": library(),
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": packages | {"opencv-python": cv2.__version__},
    }


def _shown(name: str, source: str) -> str:
    """Name an input as a reader can find it again, without its folders."""
    if datasets.is_name(source):
        return source
    prefix, path = cohorts.prefixed(source)
    last = path.name
    return f"{prefix}FOLDER_OF_{name.upper()}" if path.is_dir() else f"./{last}" if last.startswith("-") else last


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def library() -> str:
    """Name the version of this library, and the commit where it runs from a clone.

    Returns
    -------
    str

    Examples
    --------
    >>> library().split()[0] == _installed("skullmask")
    True
    """
    clone = project.project_folder("notebooks").parent
    told = f"{_installed('skullmask')}"
    if (clone / ".git").exists() and shutil.which("git"):
        asked = (("rev-parse", "HEAD"), ("diff", "HEAD"))
        runs = [subprocess.run(["git", "-C", clone, *each], capture_output=True, check=False).stdout for each in asked]
        changed = runs[1] and f", changed: {hashlib.sha256(runs[1]).hexdigest()[:12]}"
        told += f" (commit {runs[0].decode().strip()}{changed or ''})"
    return told


def sha256(source: str | Path) -> str | None:
    """Hash an input: a file, or the files that a folder is read from with their names.

    Parameters
    ----------
    source : str or path

    Returns
    -------
    str or None
        None for a phantom, which is made anew.

    Examples
    --------
    >>> sha256("phantom") is None, len(sha256(notebooks.find("report")))
    (True, 64)
    """
    if datasets.is_name(source):
        return None if source in datasets.PHANTOMS else registry.originals()[source].sha256
    prefix, path = cohorts.prefixed(source)
    path = path.resolve()
    if path.is_dir():
        return _together(path, datasets.files_in(f"{prefix}{path}"))
    files = nifti.files(path)
    return contents(path) if len(files) == 1 else _together(path.parent, files)


def contents(path: Path) -> str:
    """Hash a file, or all the files of a folder with their names.

    Parameters
    ----------
    path : Path

    Returns
    -------
    str

    Examples
    --------
    >>> len(contents(notebooks.find("report")))
    64
    """
    if path.is_dir():
        return _together(path, sorted(each for each in path.rglob("*") if each.is_file()))
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _together(folder: Path, files: list[Path]) -> str:
    lines = "".join(f"{contents(file)} {file.relative_to(folder)}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def as_markdown(told: dict[str, object]) -> str:
    """Set a provenance as Markdown.

    Parameters
    ----------
    told : dict of str to object
        As `provenance` gives it.

    Returns
    -------
    str

    Examples
    --------
    >>> as_markdown(provenance(notebooks.find("report"), {"images": "phantom"}, {})).splitlines()[0]
    '## Provenance'
    """
    rows = [
        (name, f"{given['name']}, sha256 {given['sha256'] or '– (made anew)'}")
        for name, given in told["inputs"].items()
    ]
    rows += [(name, told[name]) for name in ("skullmask", "made", "seconds", "python", "system") if told.get(name)]
    rows += [("packages", ", ".join(f"{name} {version}" for name, version in told["packages"].items() if version))]
    rows += [("parameters", ", ".join(f"{name} = {value!r}" for name, value in told["parameters"].items()))]
    table = tables.markdown([(name, str(value)) for name, value in rows], ("what", "value")).data
    return f"## Provenance\n\n{table}\n\nTo make it again:\n\n<pre>{html.escape(told['command'])}</pre>"
