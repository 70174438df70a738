"""Doors: where a lesson opens live, in Binder, Colab or a codespace.

Addresses and the copies of lessons for Colab are written here; nothing is opened. The doors lead to
the repository that ``tool.skullmask`` in ``pyproject.toml`` names. On GitHub, a workflow names the
repository that it runs in, so the doors of a fork lead to the fork.
"""

import os
import re
import sys
import tomllib
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import nbformat

from publish import links

HOUSE = Path(__file__).resolve().parents[1]
BRANCH = "main"
COLAB_BRANCH = "colab"  # holds the copies of the lessons that install what Colab lacks
LIVE = PurePosixPath("docs/open-live.md")  # explains every door

# Colab's own notebook server; other versions would break its kernel
_COLAB_BRINGS = {
    "ipykernel",
    "ipython",
    "jupyter-client",
    "jupyter-core",
    "jupyter-server",
    "jupyterlab",
    "nbclient",
    "nbconvert",
    "nbformat",
    "opencv-python",
    "tornado",
}


def _settings() -> dict:
    return tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))


def repository() -> str:
    """Name the repository on GitHub that the doors lead to.

    Returns
    -------
    str
        ``owner/name``, or empty if none is set.

    Raises
    ------
    ValueError
        If the name has another form.
    """
    name = os.environ.get("GITHUB_REPOSITORY", "") or _settings()["tool"]["skullmask"]["repository"]
    if name and not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise ValueError(f"expected the repository as owner/name, got {name!r}")
    return name


def addresses(notebook: PurePosixPath, repository: str) -> dict[str, str]:
    """List the doors of a lesson.

    Parameters
    ----------
    notebook : PurePosixPath
        Relative to the project.
    repository : str
        ``owner/name`` on GitHub. Without one, the doors lead to the page that explains them.

    Returns
    -------
    dict of str to str
        The address for each label of a door.

    Examples
    --------
    >>> doors = addresses(PurePosixPath("notebooks/04_v5.ipynb"), "owner/name")
    >>> doors["Binder"]
    'https://mybinder.org/v2/gh/owner/name/main?urlpath=lab%2Ftree%2Fnotebooks%2F04_v5.ipynb'
    >>> doors["Colab"]
    'https://colab.research.google.com/github/owner/name/blob/colab/notebooks/04_v5.ipynb'
    """
    page = links.relative(LIVE, notebook)
    here = {"Your computer": f"{page}#on-your-computer"}
    if not repository:
        return here | {
            "Binder": f"{page}#binder",
            "Colab": f"{page}#colab",
            "Codespace": f"{page}#codespace",
        }
    lab = quote(f"lab/tree/{notebook}", safe="")
    return here | {
        "Binder": f"https://mybinder.org/v2/gh/{repository}/{BRANCH}?urlpath={lab}",
        "Colab": _colab(notebook, repository),
        "Codespace": f"https://codespaces.new/{repository}?quickstart=1",
    }


def _colab(notebook: PurePosixPath, repository: str) -> str:
    site = "https://colab.research.google.com/github"
    return f"{site}/{repository}/blob/{COLAB_BRANCH}/{notebook}"


def colab_packages() -> list[str]:
    """List the packages that the lessons need and Colab may lack, without versions.

    pip then installs what is missing and leaves alone what Colab has already loaded.
    """
    project = _settings()["project"]
    entries = list(project["dependencies"])
    for extra in ("batch", "deep", "volumes"):
        entries += project["optional-dependencies"][extra]
    names = {re.split(r"[^\w-]", entry)[0] for entry in entries}
    return sorted(names - _COLAB_BRINGS)


def colab_copy(notebook: PurePosixPath, repository: str) -> nbformat.NotebookNode:
    """Copy a lesson for Colab: a first cell installs, and links lead to the web.

    Parameters
    ----------
    notebook : PurePosixPath
        Relative to the project.
    repository : str
        ``owner/name`` on GitHub.

    Returns
    -------
    NotebookNode
    """

    def on_the_web(target: str) -> str:
        if links.is_external(target) or target.startswith("#"):
            return target
        path, anchor = links.resolve(target, notebook)
        if path.parent == notebook.parent and path.suffix == ".ipynb":
            return _colab(path, repository)
        address = f"https://github.com/{repository}/blob/{BRANCH}/{path}"
        return f"{address}#{anchor}" if anchor else address

    copy = nbformat.read(HOUSE / notebook, as_version=4)
    for cell in copy.cells:
        if cell.cell_type == "markdown":
            cell.source = links.retarget(cell.source, on_the_web)
            continue
        for output in cell.outputs:
            data = output.get("data", {})
            if "text/markdown" in data:
                data["text/markdown"] = links.retarget(data["text/markdown"], on_the_web)
    install = "\n".join(
        (
            "# Only on Colab: install the project and what Colab lacks. Run this cell first.",
            f"%pip install --quiet --no-deps git+https://github.com/{repository}",
            f"%pip install --quiet {' '.join(colab_packages())}",
        )
    )
    cell = nbformat.v4.new_code_cell(install, id="install-on-colab")
    copy.cells.insert(0, cell)
    return copy


def write_colab(folder: Path, repository: str) -> None:
    """Write the copies of all notebooks for Colab into a folder, as its branch holds them."""
    for path in sorted((HOUSE / "notebooks").glob("*.ipynb")):
        notebook = PurePosixPath(path.relative_to(HOUSE).as_posix())
        copy = folder / notebook
        copy.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(colab_copy(notebook, repository), copy)


if __name__ == "__main__":
    name = repository()
    if not name:
        sys.exit('set repository = "owner/name" in tool.skullmask of pyproject.toml first')
    write_colab(HOUSE / "build" / "colab", name)
