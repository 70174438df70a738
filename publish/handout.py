"""Zips to hand out: ``make student`` and ``make instructor``.

Only files that git tracks go in. The same files give the same bytes, whenever and wherever the zip
is written.
"""

import re
import subprocess
import sys
import tomllib
import zipfile
from itertools import filterfalse
from pathlib import Path, PurePosixPath

import nbformat

from publish import links
from skullmask_lib.errors import InputError
from skullmask_lib.io import outputs

HOUSE = Path(__file__).resolve().parents[1]
README = PurePosixPath("README.md")

# What the students' zip holds of the project, beside a README of its own
FOR_STUDENTS = (
    "CITATION.cff",
    "LICENSE",
    "apt.txt",
    "data",
    "docs/*.md",
    "environment.yml",
    "figures/*.png",
    "notebooks/*.ipynb",
    "pyproject.toml",
    "skullmask_lib",
)
NOT_FOR_STUDENTS = ("docs/course.md", "docs/teaching.md", "notebooks/solutions")

_CHECK = re.compile(r"\bsm\.check\(")
_ANSWER = "<details><summary>Answer"  # folded; other folds say why a guess is wrong
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can hold


def tracked() -> list[PurePosixPath]:
    """List the files that git tracks, in order.

    Raises
    ------
    InputError
        If the project is no clone, or git is missing.
    """
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=HOUSE, check=True, capture_output=True, text=True
        )
    except FileNotFoundError:
        raise InputError("git is missing, and it says which files go into a zip") from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines()[-1:]
        raise InputError(": ".join(["git lists no files", *reason]), where=HOUSE) from None
    if not listed.stdout:
        raise InputError("git tracks no file; zips are made in a clone", where=HOUSE)
    paths = [PurePosixPath(name) for name in listed.stdout.split("\0") if name]
    return sorted(path for path in paths if (HOUSE / path).is_file())


def is_for_students(path: PurePosixPath) -> bool:
    """Return whether a file of the project belongs into the students' zip.

    Examples
    --------
    >>> is_for_students(PurePosixPath("notebooks/04_v5_edge_components.ipynb"))
    True
    >>> is_for_students(PurePosixPath("notebooks/solutions/04_v5_edge_components.ipynb"))
    False
    """
    return _is_one_of(path, FOR_STUDENTS) and not _is_one_of(path, NOT_FOR_STUDENTS)


def _is_one_of(path: PurePosixPath, patterns: tuple[str, ...]) -> bool:
    """Match a path or a folder above it, from the top of the project."""
    for candidate in (path, *path.parents):
        for pattern in patterns:
            same_depth = len(candidate.parts) == len(PurePosixPath(pattern).parts)
            if same_depth and candidate.match(pattern):
                return True
    return False


def student_files() -> dict[PurePosixPath, bytes]:
    """Make the content of every file of the students' zip.

    Checks and folded answers have no outputs. Links to files that are not in the zip become plain
    text.
    """
    paths = [path for path in tracked() if is_for_students(path)]
    known = {README, *paths}
    files = {README: (HOUSE / "publish" / "student.md").read_bytes()}
    for path in paths:
        if path.suffix == ".ipynb":
            files[path] = _notebook_for_students(path, known)
        elif path.suffix == ".md":
            text = (HOUSE / path).read_text(encoding="utf-8")
            files[path] = _without_dead_links(text, path, known).encode()
        else:
            files[path] = (HOUSE / path).read_bytes()
    return files


def instructor_files() -> dict[PurePosixPath, bytes]:
    """Read every file that git tracks."""
    return {path: (HOUSE / path).read_bytes() for path in tracked()}


def _notebook_for_students(path: PurePosixPath, known: set[PurePosixPath]) -> bytes:
    notebook = nbformat.read(HOUSE / path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = _without_dead_links(cell.source, path, known)
            continue
        kept = [] if _CHECK.search(cell.source) else list(filterfalse(_is_answer, cell.outputs))
        for output in kept:
            data = output.get("data", {})
            if "text/markdown" in data:
                data["text/markdown"] = _without_dead_links(data["text/markdown"], path, known)
        if cell.outputs and not kept:
            cell.execution_count = None
        cell.outputs = kept
    return (nbformat.writes(notebook) + "\n").encode()


def _is_answer(output: nbformat.NotebookNode) -> bool:
    return output.get("data", {}).get("text/markdown", "").startswith(_ANSWER)


def _without_dead_links(text: str, page: PurePosixPath, known: set[PurePosixPath]) -> str:
    """Turn links to what the zip lacks into plain text."""

    def kept(target: str) -> str | None:
        if links.is_external(target):
            return target
        path, _ = links.resolve(target, page)
        return target if path in known else None

    return links.retarget(text, kept)


def write(path: Path, files: dict[PurePosixPath, bytes]) -> None:
    """Write a zip that depends on the files alone; scripts can be run from it.

    Parameters
    ----------
    path : Path
        Appears when it is complete.
    files : dict of PurePosixPath to bytes
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with outputs.replacing(path) as incomplete, zipfile.ZipFile(incomplete, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(f"skullmask/{name}", _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on every system
            mode = 0o755 if content.startswith(b"#!") else 0o644
            entry.external_attr = mode << 16
            archive.writestr(entry, content)


def main(reader: str) -> None:
    """Write the zip for a reader, and say where it is.

    Parameters
    ----------
    reader : {"student", "instructor"}

    Raises
    ------
    SystemExit
        If the reader is another one, or the project is no clone. The message is one line.
    """
    makers = {"student": student_files, "instructor": instructor_files}
    if reader not in makers:
        sys.exit(f"handout: expected {' or '.join(makers)}, got {reader!r}")
    settings = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))
    version = settings["project"]["version"]
    try:
        files = makers[reader]()
    except InputError as error:
        sys.exit(f"handout: {error}")
    path = HOUSE / "build" / f"skullmask-{version}-{reader}.zip"
    write(path, files)
    print(f"{path.relative_to(HOUSE)}: {len(files)} files, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
