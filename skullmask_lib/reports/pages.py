"""Executed notebooks as one HTML file that opens offline, and the only importer of nbconvert.

Notebooks are read and pages written here; nothing is run. The look of a page is in ``page.css``.
"""

import html
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter

from . import notebooks

# No script runs and no request leaves the page, whatever the names in a user's file hold.
_CONTENT_POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="'
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'\">"
)
# page.css hides what a box is for until it is ticked: all code, or that of cells tagged hide-input
_SWITCH = '<label class="toggle"><input type="checkbox" id="{}"> {}</label>'
_CODE_SWITCH = _SWITCH.format("code", "show the code")
_HIDDEN_CODE_SWITCH = _SWITCH.format("hidden-code", "show the hidden code")
_NOTEBOOK_LINK = re.compile(r"\[([^\]]*)\]\((\w+\.ipynb)?(?:#[^)]*)?\)")
_FILE_LINK = re.compile(r"\[([^\]]*)\]\(\.\./[^)]*\)")  # to another folder of this project
_SCRIPT = re.compile(r"<script.*?</script>", re.DOTALL)
_HEADING_ID = re.compile(r"<(h[1-6]) id=\"[^\"]*\"")
_BODY = re.compile(r"<body[^>]*>")


def page(executed: Sequence[Path], output: Path, *, name: str, top: str = "") -> None:
    """Bind executed notebooks into one HTML file that opens without a network.

    The code of cells tagged ``hide-input``, which JupyterLab folds, can be shown and hidden.

    Parameters
    ----------
    executed : sequence of Path
    output : Path
    name : str
        Title of the page.
    top : str
        Markdown to put above the contents.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page([], Path(folder, "index.html"), name="Nothing yet")
    ...     "Nothing yet" in Path(folder, "index.html").read_text(encoding="utf-8")
    True
    """
    chapters = {path.name: number for number, path in enumerate(executed)}
    contents = []
    cells = []
    for path in executed:
        number = chapters[path.name]
        contents.append(f"* [{notebooks.title(path)}](#chapter-{number})")
        cells.append(nbformat.v4.new_markdown_cell(f'<hr id="chapter-{number}">'))
        cells.extend(_chapter(path, number, chapters))
    cover = "\n\n".join([f"# {name}", top, "## Contents", "\n".join(contents)])
    cells.insert(0, nbformat.v4.new_markdown_cell(cover))
    _write(cells, output, name, above=_HIDDEN_CODE_SWITCH)


def single_page(executed: Path, output: Path, *, name: str) -> None:
    """Turn one executed notebook into an HTML file whose code can be shown and hidden.

    Parameters
    ----------
    executed : Path
    output : Path
    name : str
        Title of the page.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     single_page(notebooks.lessons()[0], Path(folder, "page.html"), name="Start")
    ...     "show the code" in Path(folder, "page.html").read_text(encoding="utf-8")
    True
    """
    cells = _chapter(executed, 0, {})
    _write(cells, output, name, above=_CODE_SWITCH)


def _chapter(
    path: Path,
    number: int,
    chapters: Mapping[str, int],
) -> list[nbformat.NotebookNode]:
    """Read the cells of one notebook; links to other notebooks lead to their chapters.

    A page stands alone, so a link to any other file of this project becomes plain text.
    """

    def link(match: re.Match) -> str:
        text, name = match.groups()
        target = number if name is None else chapters.get(name)
        return text if target is None else f"[{text}](#chapter-{target})"

    def relinked(markdown: str) -> str:
        return _FILE_LINK.sub(r"\1", _NOTEBOOK_LINK.sub(link, markdown))

    cells = nbformat.read(path, as_version=4).cells
    for cell in cells:
        cell.id = f"chapter-{number}-{cell.id}"
        if cell.cell_type == "markdown":
            cell.source = relinked(cell.source)
        for output in cell.get("outputs", []):
            _keep_alternative_text(output)
            markdown = output.get("data", {}).get("text/markdown")
            if markdown is not None:
                output.data["text/markdown"] = relinked(markdown)
    return cells


def _keep_alternative_text(output: nbformat.NotebookNode) -> None:
    """Turn a picture into HTML, in place; nbconvert would drop its alternative text."""
    png = output.get("data", {}).get("image/png")
    if png is not None:
        alt = html.escape(output.metadata.get("image/png", {}).get("alt", ""))
        picture = f'<img alt="{alt}" src="data:image/png;base64,{png}">'
        output.data = {"text/html": picture}


def _write(
    cells: list[nbformat.NotebookNode],
    output: Path,
    name: str,
    *,
    above: str,
) -> None:
    """Write cells as a page; ``above`` is HTML for the top of its body."""
    whole = nbformat.v4.new_notebook(cells=cells)
    whole.metadata["title"] = name
    # With embed_images, nbconvert would end a tag such as <details> right where it begins
    exporter = HTMLExporter(
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert's own
        document, _ = exporter.from_notebook_node(whole)
    document = _SCRIPT.sub("", document)  # they come from the web, and nothing here needs them
    document = _HEADING_ID.sub(r"<\1", document)  # every lesson has the same headings
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    document = document.replace("<head>", f"<head>{_CONTENT_POLICY}", 1)
    document = document.replace("</head>", f"<style>{style}</style></head>", 1)
    document = _BODY.sub(rf"\g<0>{above}", document, count=1)
    output.write_text(document, encoding="utf-8")
