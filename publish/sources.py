"""The sources of the site: pages and lessons as Sphinx reads them, written into a build folder.

The folder keeps the paths of the project, so links between pages hold on the site as they do on
GitHub. What must change is changed here: the README becomes the first page, lessons get their
doors, and pages for the API and the committed tables are written. Nothing is executed.
"""

import ast
import csv
import importlib.util
import re
import shutil
from pathlib import Path, PurePosixPath

import nbformat

from publish import doors, links

HOUSE = Path(__file__).resolve().parents[1]
README = PurePosixPath("README.md")
INDEX = PurePosixPath("index.md")
REPORT = PurePosixPath("notebooks/report.ipynb")  # its readers see no code
SOLUTIONS = PurePosixPath("notebooks/solutions")  # not for the site: students read it
PACKAGE = "skullmask_lib"
LIVE = {"Explorer": "Move these sliders live", "Tracer": "Trace these slices live"}
MOST_ROWS = 150  # of a table on the site; longer ones are linked


def write(folder: Path, repository: str) -> None:
    """Write the sources of the site.

    Parameters
    ----------
    folder : Path
        A new one.
    repository : str
        ``owner/name`` on GitHub, or empty.
    """
    for page in pages():
        text = (HOUSE / page).read_text(encoding="utf-8")
        text = _translated(text, page, folder)
        if page == README:
            _write(folder / INDEX, text + contents())
        else:
            _write(folder / page, text)
    for notebook in notebooks():
        copy = nbformat.read(HOUSE / notebook, as_version=4)
        _translate_notebook(copy, notebook, repository, folder)
        if notebook == REPORT:
            _hide_code(copy)
        (folder / notebook).parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(copy, folder / notebook)
    _write_tables(folder)
    _write_api(folder)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def pages() -> list[PurePosixPath]:
    """List the README and the pages that can be reached from it, those that it links first.

    Examples
    --------
    >>> pages()[:2]
    [PurePosixPath('README.md'), PurePosixPath('docs/install.md')]
    """
    listed = [README]
    for page in listed:  # grows while it is read
        for target in links.targets((HOUSE / page).read_text(encoding="utf-8")):
            path, _ = links.resolve(target, page)
            is_page = path.suffix == ".md" and not links.is_external(target)
            if is_page and path not in listed and (HOUSE / path).is_file():
                listed.append(path)
    return listed


def notebooks() -> list[PurePosixPath]:
    """List the notebooks that the site shows, without solutions."""
    found = sorted((HOUSE / "notebooks").glob("*.ipynb"))
    return [PurePosixPath(path.relative_to(HOUSE).as_posix()) for path in found]


def contents() -> str:
    """Write the contents of the site, which the side bar shows."""
    shown = notebooks()
    lessons = [path for path in shown if path.name[0].isdigit()]
    others = [path for path in shown if path not in lessons]
    guides = [path for path in pages()[1:] if path.parent.name == "docs"]
    about = [path for path in pages()[1:] if path not in guides]
    reference = [PurePosixPath("tables/index.md"), PurePosixPath("api/index.rst"), *about]
    return "".join(
        (
            _toctree("Lessons", [*lessons, *others]),
            _toctree("Guides", guides),
            _toctree("Reference", reference),
        )
    )


def _toctree(caption: str, entries: list[PurePosixPath]) -> str:
    names = "\n".join(path.with_suffix("").as_posix() for path in entries)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{names}\n```\n"


def _translated(text: str, page: PurePosixPath, folder: Path) -> str:
    """Change the links of a page for the site; files that it links come along."""
    known = {*pages(), *notebooks()}

    def on_the_site(target: str) -> str | None:
        if links.is_external(target):
            return target
        path, anchor = links.resolve(target, page)
        if path.suffix == ".ipynb":
            anchor = links.slug(anchor)
        if path == README:
            return links.relative(INDEX, page, anchor)
        if path == page and anchor:
            return f"#{anchor}"
        if path in known:
            return links.relative(path, page, anchor)
        if SOLUTIONS in path.parents or not (HOUSE / path).is_file():
            return None
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HOUSE / path, folder / path)
        return target

    return links.retarget(text, on_the_site)


def _translate_notebook(
    notebook: nbformat.NotebookNode, path: PurePosixPath, repository: str, folder: Path
) -> None:
    """Change the links of a lesson, and add its doors and the descriptions of its pictures."""
    addresses = doors.addresses(path, repository)
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = _translated(cell.source, path, folder)
            continue
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "text/markdown" in data:
                data["text/markdown"] = _translated(data["text/markdown"], path, folder)
        _describe_pictures(cell)
        for label in _live_labels(cell):
            cells.append(nbformat.v4.new_markdown_cell(_live(label, addresses, repository)))
    first = cells[0]
    title, _, rest = first.source.partition("\n")
    first.source = f"{title}\n\n{_row_of_doors(addresses)}\n{rest}"
    notebook.cells = cells


def _hide_code(notebook: nbformat.NotebookNode) -> None:
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata["tags"] = ["remove-input"]


def _live_labels(cell: nbformat.NotebookNode) -> list[str]:
    """Say what a reader can do with the widgets of a cell, which are pictures without a kernel."""
    labels = []
    for output in cell.get("outputs", []):
        kind, _, _ = output.get("data", {}).get("text/plain", "").partition("(")
        if kind in LIVE:
            labels.append(LIVE[kind])
    return labels


def _describe_pictures(cell: nbformat.NotebookNode) -> None:
    """Pass on the alternative text of a picture, where the site's builder looks for it."""
    texts = []
    for output in cell.get("outputs", []):
        text = output.get("metadata", {}).get("image/png", {}).get("alt")
        if text:
            texts.append(text)
    if texts:
        cell.metadata["mystnb"] = {"image": {"alt": " ".join(texts)}}


def _row_of_doors(addresses: dict[str, str]) -> str:
    row = "\n".join(f"[{label}]({address})" for label, address in addresses.items())
    return f"```{{container}} doors\nOpen live:\n{row}\n```\n"


def _live(label: str, addresses: dict[str, str], repository: str) -> str:
    door = "Binder" if repository else "Your computer"
    return f"```{{container}} live\n[{label}]({addresses[door]})\n```\n"


# --- Tables -------------------------------------------------------------------------------------


def tables() -> list[Path]:
    """List the committed tables of results."""
    return sorted((HOUSE / "data").glob("*.csv"))


def _descriptions() -> dict[str, str]:
    """Read what each file of ``data`` holds from the table in its README."""
    text = (HOUSE / "data" / "README.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^\| `([\w.]+)` \| (.+?) \|", text, re.MULTILINE))


def _write_tables(folder: Path) -> None:
    descriptions = _descriptions()
    lines = [
        "# Tables",
        "",
        "Every number of [Results](../docs/results.md) comes from one of these files, which a",
        "program measured and wrote.",
        "",
    ]
    for table in tables():
        if table.name not in descriptions:
            raise ValueError(f"expected a row for {table.name} in data/README.md, found none")
        description = descriptions[table.name]
        lines.append(f"* [{table.stem}]({table.stem}.md): {description}")
        _write(folder / "tables" / f"{table.stem}.md", _table_page(table, description))
        (folder / "data").mkdir(exist_ok=True)
        shutil.copyfile(table, folder / "data" / table.name)
    names = [PurePosixPath(table.stem + ".md") for table in tables()]
    hidden = _toctree("Tables", names)
    _write(folder / "tables" / "index.md", "\n".join(lines) + "\n" + hidden)


def _table_page(table: Path, description: str) -> str:
    lines = table.read_text(encoding="utf-8").splitlines()
    count = len(lines) - 1
    shown = "\n".join(lines[: MOST_ROWS + 1])
    which = f"{count} rows"
    if count > MOST_ROWS:
        which = f"the first {MOST_ROWS} of {count} rows"
    columns = len(next(csv.reader(lines)))
    return (
        f"# {table.stem}\n\n"
        f"{description[0].upper()}{description[1:]}.\n\n"
        f"[{table.name}](../data/{table.name}), {which} of {columns} columns. "
        "[Data](../data/README.md) says how they were made and what the columns mean.\n\n"
        f"```{{csv-table}}\n:header-rows: 1\n:class: measured\n\n{shown}\n```\n"
    )


# --- API ----------------------------------------------------------------------------------------


def public_names() -> dict[str, str]:
    """Say where each name of ``import skullmask_lib as sm`` lives.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> public_names()["iou"]
    'skullmask_lib.metrics.iou'
    """
    stub = (HOUSE / PACKAGE / "__init__.pyi").read_text(encoding="utf-8")
    names = {}
    for statement in ast.parse(stub).body:
        if isinstance(statement, ast.ImportFrom):
            home = ".".join(filter(None, (PACKAGE, statement.module)))
            for alias in statement.names:
                names[alias.name] = f"{home}.{alias.name}"
    return names


def modules() -> list[str]:
    """List the modules that the lessons or the public names use, in order."""
    used = set(map(_module_of, public_names().values()))
    for notebook in notebooks():
        for cell in nbformat.read(HOUSE / notebook, as_version=4).cells:
            if cell.cell_type == "code":
                used |= set(map(_module_of, _imports(cell.source)))
    return sorted(used - {PACKAGE})


def _imports(code: str) -> list[str]:
    """List what code imports from the library, as dotted names."""
    names = []
    for statement in ast.walk(ast.parse(code)):
        if not isinstance(statement, ast.ImportFrom):
            continue
        module = statement.module or ""
        if module.partition(".")[0] == PACKAGE:
            names += [f"{module}.{alias.name}" for alias in statement.names]
    return names


def _module_of(name: str) -> str:
    """Return the module that a dotted name is, or lives in."""
    parent, _, _ = name.rpartition(".")
    try:
        is_module = importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # the parent is no package
        is_module = False
    return name if is_module else parent


def _write_api(folder: Path) -> None:
    listed = modules()
    functions = []
    for name, home in sorted(public_names().items()):
        if home not in listed and not name.isupper():
            functions.append(home)
    for module in listed:
        members = f".. automodule:: {module}\n   :members:\n"
        title = _rst_heading(module.removeprefix("skullmask_lib."))
        _write(folder / "api" / f"{module}.rst", f"{title}\n{members}")
    _write(
        folder / "api" / "index.rst",
        f"{_rst_heading('API')}\n"
        "The library behind the lessons. These names are at hand after\n"
        "``import skullmask_lib as sm``:\n\n"
        ".. autosummary::\n   :nosignatures:\n\n"
        + "".join(f"   ~{home}\n" for home in functions)
        + "\nThe lessons also use these modules of ``skullmask_lib``:\n\n"
        + ".. toctree::\n   :maxdepth: 1\n\n"
        + "".join(f"   {module}\n" for module in listed),
    )


def _rst_heading(text: str) -> str:
    return f"{text}\n{'=' * len(text)}\n"
