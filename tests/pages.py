"""The pages that people read, README and docs, and what tests look up in them: tables, code, links."""

import re
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt

from skullmask_lib import tables

HOUSE = Path(__file__).resolve().parents[1]
README = HOUSE / "README.md"
DOCS = sorted((HOUSE / "docs").glob("*.md"))
PAGES = [README, *DOCS]
ALL_PAGES = [
    *PAGES,
    HOUSE / "CONTRIBUTING.md",
    HOUSE / "CHANGELOG.md",
    HOUSE / "data" / "README.md",
]
RESULTS = HOUSE / "docs" / "results.md"


def text_of(page):
    """Read a page."""
    return page.read_text(encoding="utf-8")


def name_of(page):
    """Name a page by its path in the project."""
    return page.relative_to(HOUSE).as_posix()


def unwrapped(page):
    """Read a page with every run of blanks and line ends as one blank, to look for a sentence."""
    return " ".join(text_of(page).split())


def blocks(page, language):
    """List the fenced code blocks in a language; plain blocks have the language ``""``."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    return [code for written_in, code in fenced if written_in == language]


def commands(page):
    """List the commands ``skullmask …`` of a page, without the first word and without comments."""
    lines = "\n".join(blocks(page, "")).splitlines()
    listed = []
    for line in lines:
        command = re.match(r"skullmask (.*?)(?:\s+#.*)?$", line)
        if command:
            listed.append(command[1])
    return listed


def prose(page):
    """Read a page without its fenced code blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def targets(text):
    """List the targets of the links and pictures of a Markdown text."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    listed = []
    while tokens:
        token = tokens.pop(0)
        for attribute in ("href", "src"):
            if attribute in token.attrs:
                listed.append(token.attrs[attribute])
        tokens = [*(token.children or []), *tokens]
    return listed


def links(page):
    """List the targets of all links and pictures of a page."""
    return targets(text_of(page))


def headings(text):
    """List the headings of a Markdown text."""
    return re.findall(r"^#+ (.+)$", text, re.MULTILINE)


def anchors(page):
    """List the anchors of a page's headings as GitHub makes them, or of a notebook's as JupyterLab."""
    if page.suffix == ".ipynb":
        return {heading.replace(" ", "-") for heading in headings(markdown_of(page))}
    return {github_anchor(heading) for heading in headings(prose(page))}


def markdown_of(notebook):
    """Read the Markdown cells of a notebook as one text."""
    cells = nbformat.read(notebook, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def github_anchor(heading):
    """Make the anchor of a heading as GitHub does."""
    without_punctuation = re.sub(r"[^\w\- ]", "", heading.lower())
    return without_punctuation.replace(" ", "-")


def cells_of(line):
    """Split a line of a table into its cells."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table_of(text, header):
    """List the rows of the table with this header, as lists of text."""
    names = list(header)
    lines = [cells_of(line) for line in text.splitlines()]
    assert lines.count(names) == 1, f"expected one table with the header {' | '.join(names)}"
    first = lines.index(names) + 2  # below the header and the rule
    rows = []
    for row in lines[first:]:
        if len(row) != len(names):
            break
        rows.append(row)
    return rows


def laid_out(rows, header):
    """List the rows that a page should show, as lists of text, once they are laid out for it."""
    return table_of(tables.markdown(rows, header).data, header)
