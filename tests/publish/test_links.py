"""Links hold outside of the clone: on the site, on Colab and in the students' zip."""

from pathlib import PurePosixPath
from urllib.parse import unquote

import nbformat
import pages
import pytest

from publish import handout, links

PAGE = PurePosixPath("docs/results.md")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[a](b.md)", "[a](B.MD)"),
        ("![a figure\nof two lines](b.png)", "![a figure\nof two lines](B.PNG)"),
        ("[`sm.iou`](api.md) and `[a](b.md)`", "[`sm.iou`](API.MD) and `[a](b.md)`"),
        ("```\n[a](b.md)\n```\n[a](b.md)", "```\n[a](b.md)\n```\n[a](B.MD)"),
        ("`phantom[2]` (see [a](b.md))", "`phantom[2]` (see [a](B.MD))"),
        ("mask[0](x) stays code only in code", "mask[0](X) stays code only in code"),
        ("[![a](b.png)](c.md)", "[![a](B.PNG)](C.MD)"),
        ("[two ![a](b.png 'c') words](d.md)", "[two ![a](B.PNG 'c') words](D.MD)"),
        ('[a](b.md "a title")', '[a](B.MD "a title")'),
        ("![a](b.png\n(a title))", "![a](B.PNG\n(a title))"),
        ("[`mask[0]`](b.md)", "[`mask[0]`](B.MD)"),
        ("[a](b_(c).md) (d)", "[a](B_(C).MD) (d)"),
        ("[a](<b c.md>)", "[a](<B C.MD>)"),
        ("[a](\nb.md\n)", "[a](\nB.MD\n)"),
    ],
)
def test_every_target_outside_of_code_is_changed(text, wanted):
    assert links.retarget(text, str.upper) == wanted
    assert sorted(links.targets(text)) == sorted(map(unquote, pages.targets(text)))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("See [the answers](a.ipynb).", "See the answers."),
        ('See [the answers](a.ipynb "All").', "See the answers."),
        ("![A figure](a.png)", "A figure"),
        ("[![A figure](a.png)](a.ipynb)", "A figure"),
        ("[![A figure](a.png)](b.md)", "[A figure](b.md)"),
        ("[![A figure](b.png)](a.ipynb)", "![A figure](b.png)"),
    ],
)
def test_what_is_dropped_leaves_its_words(text, wanted):
    def kept(target):
        return target if target.startswith("b") else None

    assert links.retarget(text, kept) == wanted


def markdown_of(path):
    """List the Markdown texts of a page, or of the cells and outputs of a notebook."""
    if path.suffix == ".md":
        return [pages.text_of(path)]
    texts = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            texts.append(cell.source)
        for output in cell.get("outputs", []):
            texts.append(output.get("data", {}).get("text/markdown", ""))
    return texts


def test_every_link_of_the_project_is_seen():
    seen = 0
    for path in handout.tracked():
        if path.suffix not in {".md", ".ipynb"}:
            continue
        for text in markdown_of(handout.HOUSE / path):
            targets = links.targets(text)
            assert sorted(targets) == sorted(pages.targets(text)), path
            seen += len(targets)
    assert seen > 100


@pytest.mark.parametrize(
    ("target", "path", "anchor"),
    [
        ("glossary.md", "docs/glossary.md", ""),
        ("../README.md#start", "README.md", "start"),
        ("#the-ladder", "docs/results.md", "the-ladder"),
        ("../notebooks/../data/README.md", "data/README.md", ""),
    ],
)
def test_a_link_is_followed_and_written_again(target, path, anchor):
    followed = links.resolve(target, PAGE)
    assert followed == (PurePosixPath(path), anchor)
    assert links.resolve(links.relative(*[followed[0], PAGE, followed[1]]), PAGE) == followed
