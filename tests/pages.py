"""The pages that people read, README and docs, and what tests look up in them: tables, code, links."""

import re
from pathlib import Path

import nbformat
from markdown_it import MarkdownIt

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
    found = [re.match(r"skullmask (.*?)(?:\s+#.*)?$", line) for line in lines]
    return [match[1] for match in found if match]


def prose(page):
    """Read a page without its fenced code blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def targets(text):
    """List the targets of the links and pictures of a Markdown text, as a parser of Markdown finds them."""
    waiting = MarkdownIt("commonmark").enable("table").parse(text)
    listed = []
    while waiting:
        token = waiting.pop(0)
        listed += [token.attrs[name] for name in ("href", "src") if name in token.attrs]
        waiting = [*(token.children or []), *waiting]
    return listed


def links(page):
    """List the targets of all links and pictures of a page."""
    return targets(text_of(page))


def anchors(page):
    """List the anchors of a page's headings as GitHub makes them, or of a notebook's as JupyterLab does."""
    if page.suffix == ".ipynb":
        cells = nbformat.read(page, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        return {
            heading.replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def cells_of(line):
    """Split a line of a table into its cells."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def table_of(text, header):
    """List the rows of the table with this header, as lists of text."""
    lines = [cells_of(line) for line in text.splitlines()]
    assert lines.count(list(header)) == 1, (
        f"expected one table with the header {' | '.join(header)}"
    )
    rows = []
    for row in lines[lines.index(list(header)) + 2 :]:
        if len(row) != len(header):
            break
        rows.append(row)
    return rows
