"""The lessons of the journey on one page: complete, offline, and what is kept where one fails."""

import re
import time
from pathlib import Path

import nbformat
import pytest
from browser import chromium, open_page
from reporting import names_in

from skullmask_lib import sweeps
from skullmask_lib.reports import demo, notebooks, pages


@pytest.fixture
def lesson_page(tmp_path):
    """Write the page of lesson 01; give its path."""
    path = tmp_path / "page.html"
    pages.page([notebooks.find("01")], path, name="A page")
    return path


def test_page_asks_the_web_for_nothing(lesson_page):
    page = lesson_page.read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.findall(r"""(?:src=|url\()\s*["']?(?!data:)[^"'\s)]+""", page)
    assert not re.findall(r"<link|@import", page)
    assert page.count("data:image/png;base64,") >= 2
    _, _, figure = page.partition("Look at it")
    assert "IoU" in re.search(r'<img alt="([^"]+)"', figure)[1]


def test_html_in_a_text_stays_around_what_it_holds(notebook, tmp_path):
    text = "<details><summary>Why?</summary>\n\n*Because.*\n\n</details>\n\nIn <code>a[1]</code>: 3"
    path = notebook(f"from IPython.display import Markdown\nMarkdown({text!r})")
    cells = nbformat.read(path, as_version=4)
    cells.cells.append(nbformat.v4.new_markdown_cell(text))
    output = nbformat.v4.new_output("display_data", {"text/markdown": text})
    cells.cells[-2].outputs.append(output)
    nbformat.write(cells, path)
    pages.single_page(path, tmp_path / "page.html", name="Texts")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    folds = re.findall("<details>(.*?)</details>", page, re.DOTALL)
    assert len(folds) == 2
    for fold in folds:
        assert "<em>Because.</em>" in fold
    assert page.count("<code>a[1]</code>") == 2


@pytest.mark.full
def test_a_page_of_lessons_hides_answers_and_the_code_that_jupyterlab_folds(lesson_page):
    with chromium() as browser:
        page, _ = open_page(browser)
        page.goto(lesson_page.as_uri())
        answer = page.locator("details", has_text="Answer: Explore").first
        assert not answer.locator("p").first.is_visible()
        answer.locator("summary").click()
        assert answer.locator("p").first.is_visible()
        folded = page.locator(".celltag_hide-input .jp-InputArea").first
        assert page.get_by_text("between_class_variance(gray)").first.is_visible()
        assert not folded.is_visible()
        page.get_by_label("show the hidden code").check()
        assert folded.is_visible()


@pytest.mark.full
def test_links_of_the_lessons_stay_on_the_page(tmp_path):
    lessons = notebooks.lessons()  # with their outputs, some of which hold links too
    pages.page(lessons, tmp_path / "page.html", name="All lessons")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('href="#chapter-1"') >= 2  # in the contents and in lesson 00
    assert 'id="chapter-1"' in page
    assert not re.findall(r'href="(?!#|https://)[^"]*"', page)
    anchors = re.findall(r'id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(anchors)


def two_lessons(notebook, sources):
    """Give notebooks of one cell each, for a demo to run."""
    first = notebook(sources[0])
    second = first.with_name("other.ipynb")
    second.write_text(first.read_text().replace(sources[0], sources[1]))
    return [first, second]


@pytest.mark.full
def test_a_demo_counts_its_lessons_and_shows_the_ladder(notebook, skullmask, monkeypatch):
    slow = "import time; time.sleep(2); print('walrus')"
    lessons = two_lessons(notebook, [slow, "print('zebra')"])
    monkeypatch.setattr(notebooks, "journey", lambda: lessons)
    ladder = [sweeps.Rung("v1", 0.7, 0.7, 0.0, 0.7, "by construction")]
    for module in (sweeps, demo):
        monkeypatch.setattr(module, "phantom_ladder", lambda: ladder)
    ended = []
    demo.demo("page", progress=lambda: ended.append(1))
    assert len(ended) == 2
    code, out, _ = skullmask("demo", "--out", "page")
    assert code == 0
    *_, legend = out.rpartition("|")
    for column in ("published", "phantom", "other seeds", "agreement"):
        assert column in legend
    assert out.endswith("The page: page/index.html\n")
    page = (Path("page") / "index.html").read_text()
    assert page.index("walrus") < page.index("zebra")  # whichever ended first


def test_a_lesson_that_fails_ends_the_others(notebook, monkeypatch):
    lessons = two_lessons(notebook, ["import time; time.sleep(300)", "1 / 0"])
    monkeypatch.setattr(notebooks, "journey", lambda: lessons)
    monkeypatch.setattr(demo, "cores", lambda: 2)
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=r"other\.ipynb: cell 2 failed with ZeroDivisionError"):
        demo.demo("page")
    assert time.monotonic() - began < 100
    assert names_in("page") == ["failed"]


def test_a_failing_lesson_stops_the_demo_and_is_kept(notebook, monkeypatch):
    lesson = notebook("1 / 0")
    monkeypatch.setattr(notebooks, "journey", lambda: [lesson])
    reason = r"ZeroDivisionError: division by zero; .*page/failed/report\.ipynb"
    with pytest.raises(RuntimeError, match=reason):
        demo.demo("page")
    assert names_in("page") == ["failed"]


def test_a_demo_replaces_no_folder_of_others(folder, skullmask):
    notes = folder / "page" / "failed" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("mine")
    code, _, [line] = skullmask("demo", "--out", "page")
    assert code == 2
    assert line.startswith("skullmask: page/failed: ")
    assert "notes.txt" in line
    assert notes.read_text() == "mine"
