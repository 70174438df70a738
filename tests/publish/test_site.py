"""The site as a reader has it: opened from disk in Chromium, without a network, at several widths."""

import html
import os
import re
import subprocess
import sys
import urllib.parse
from pathlib import Path

import browser
import nbformat
import pages
import pytest

from publish import sources
from skullmask_lib.reports import notebooks

pytestmark = pytest.mark.full
WIDTHS_PX = (1366, 1280, 1080, 390)  # contents on the right, none, a narrow window, a phone
LESSON = "notebooks/04_v5_edge_components.html"
REPOSITORY = "owner/name"
# What reaches beyond the right edge of the window, and no box of the page's text scrolls it into view
CUT_OFF = """() => [...document.querySelectorAll("article *")].filter(element => {
  if (element.getBoundingClientRect().right <= innerWidth + 1) return false;
  if (!element.checkVisibility()) return false;
  for (let around = element; around.tagName !== "ARTICLE"; around = around.parentElement) {
    if (["auto", "scroll"].includes(getComputedStyle(around).overflowX)) return false;
  }
  return true;
}).map(element => element.outerHTML.slice(0, 80))"""
# Sizes of text in px: the largest of each level of headings, and the smallest of code
SIZES = """() => {
  const sizes = (what) => [...document.querySelectorAll(what)].map(
    element => parseFloat(getComputedStyle(element).fontSize));
  return {headings: ["h1", "h2", "h3", "p"].map(level => Math.max(...sizes(`article ${level}`))),
          code: Math.min(...sizes("article pre"))};
}"""


# Builds the site as ``make site`` does where torch is not installed
BUILD = """
import pathlib, sys
from publish import site

class NoTorch:
    def find_spec(name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoTorch)
site.build(pathlib.Path(sys.argv[1]), sys.argv[2])
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Build the site once."""
    folder = tmp_path_factory.mktemp("site") / "pages"
    command = [sys.executable, "-c", BUILD, folder, REPOSITORY]
    run = subprocess.run(
        command,
        cwd=pages.HOUSE,
        env=os.environ | {"PYTHONPATH": "."},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return folder


@pytest.fixture(scope="session")
def texts(site):
    """Read every page, by its path in the site."""
    texts = {}
    for path in sorted(site.rglob("*.html")):
        texts[path.relative_to(site).as_posix()] = path.read_text(encoding="utf-8")
    return texts


@pytest.fixture(scope="module")
def chromium():
    with browser.chromium() as launched:
        yield launched


def test_every_page_has_its_place(texts):
    wanted = {"index.html", "api/index.html", "tables/index.html", "search.html"}
    for path in [*sources.pages()[1:], *sources.notebooks()]:
        wanted.add(path.with_suffix(".html").as_posix())
    wanted |= {f"tables/{table.stem}.html" for table in sources.tables()}
    wanted |= {f"api/{module}.html" for module in sources.modules()}
    assert wanted <= set(texts)
    assert not [name for name in texts if "solutions" in name]


def test_no_link_or_anchor_is_broken(site, texts):
    anchors = {name: set(re.findall(r'\sid="([^"]+)"', text)) for name, text in texts.items()}
    for name, text in texts.items():
        for quoted in re.findall(r'\s(?:href|src)="([^"]*)"', text):
            target = urllib.parse.urlsplit(html.unescape(quoted))
            if target.scheme in ("http", "https", "mailto", "data"):
                continue
            assert not target.netloc, f"{name}: {quoted}"
            path = site / name
            if target.path:
                path = path.parent / urllib.parse.unquote(target.path)
            page = os.path.relpath(path, site)
            assert path.is_file(), f"{name}: {quoted}"
            if target.fragment and path.suffix == ".html":
                anchor = urllib.parse.unquote(target.fragment)
                assert anchor in anchors[page], f"{name}: {quoted}"


def test_every_page_opens_without_network_or_error_and_fits(site, texts, chromium):
    requested = []
    page, errors = browser.open_page(chromium)
    page.on("request", lambda request: requested.append(request.url))
    for name in texts:
        requested.clear()
        page.set_viewport_size({"width": WIDTHS_PX[0], "height": 900})
        page.goto(f"file://{site / name}")
        for width_px in WIDTHS_PX:
            page.set_viewport_size({"width": width_px, "height": 900})
            assert page.evaluate(CUT_OFF) == [], f"{name} at {width_px} px"
            assert page.evaluate("document.documentElement.scrollWidth") <= width_px, name
        assert errors == [], name
        for address in requested:
            assert address.startswith(("file:", "data:")), name


def test_headings_and_code_keep_their_sizes(site, chromium):
    page, _ = browser.open_page(chromium)
    page.goto(f"file://{site / 'notebooks/09_contrast.html'}")
    page.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    for width_px in WIDTHS_PX:
        page.set_viewport_size({"width": width_px, "height": 900})
        sizes = page.evaluate(SIZES)
        assert sizes["headings"] == sorted(set(sizes["headings"]), reverse=True), width_px
        assert sizes["code"] > 12, width_px


def test_a_phone_shows_figures_large_enough_to_read_and_scrolls_them(site, chromium):
    page, _ = browser.open_page(chromium)
    page.set_viewport_size({"width": WIDTHS_PX[-1], "height": 900})
    for name in (LESSON, "index.html"):
        page.goto(f"file://{site / name}")
        for figure in page.locator("article img").all():
            assert figure.bounding_box()["width"] >= 600, name
            box = figure.locator("xpath=..")
            assert box.evaluate("box => box.scrollWidth > box.clientWidth"), name


def test_a_phone_breaks_no_option_at_its_hyphens(site, chromium):
    page, _ = browser.open_page(chromium)
    page.set_viewport_size({"width": WIDTHS_PX[-1], "height": 900})
    page.goto(f"file://{site / 'docs/many-images.html'}")
    heights_px = page.evaluate(
        """() => [...document.querySelectorAll('code')]
        .filter(code => !code.innerText.includes(' '))
        .map(code => code.getBoundingClientRect().height)"""
    )
    assert 0 < max(heights_px) < 25  # two lines are higher


def test_a_printed_page_shows_no_buttons_and_no_closed_code(site, chromium):
    page, _ = browser.open_page(chromium)
    page.goto(f"file://{site / LESSON}")
    buttons = page.locator(".skip-to-content, .doors, .live, details.hide")
    assert buttons.evaluate_all("all => all.some(one => one.checkVisibility())")
    page.emulate_media(media="print")
    assert not buttons.evaluate_all("all => all.some(one => one.checkVisibility())")


def test_commands_and_options_look_as_they_are_typed(texts):
    command = "skullmask mask slices.npy -o masks.npy\n"  # no part of it has a colour
    assert f"<pre><span></span>{command}" in texts["docs/own-slices.html"]
    assert "(--channel 0)" in texts["notebooks/20_a_hundred_thousand_images.html"]
    assert "{&quot;T1&quot;, &quot;T2&quot;" in texts["api/skullmask_lib.phantom.html"]


def test_the_arguments_of_networks_are_shown_without_torch(texts):
    _, _, after = texts["api/skullmask_lib.deep.networks.html"].partition('networks.UNet">')
    assert "base_filters" in after.partition("</dt>")[0]


def test_the_search_finds_dilation(site, chromium):
    page, errors = browser.open_page(chromium)
    page.goto(f"file://{site / 'index.html'}")
    page.locator(".sidebar-search").fill("dilation")
    page.keyboard.press("Enter")
    page.get_by_text("Search finished").wait_for(timeout=20_000)
    titles = page.locator("#search-results li a").all_text_contents()
    assert {"05 · v6: how wide? A dilation sweep", "Glossary"} <= set(titles)
    assert errors == []


def test_hidden_cells_and_answers_open_on_a_click(site, chromium):
    page, _ = browser.open_page(chromium)
    page.goto(f"file://{site / LESSON}")
    path = pages.HOUSE / Path(LESSON).with_suffix(".ipynb")
    cells = nbformat.read(path, as_version=4).cells
    hidden = [cell for cell in cells if "hide-input" in cell.metadata.get("tags", [])]
    folds = page.locator("details.hide")
    assert folds.count() == len(hidden)
    assert not folds.locator(".highlight").first.is_visible()
    folds.locator("summary").first.click()
    assert folds.locator(".highlight").first.is_visible()
    answer = page.locator("details", has_text="Why not (b)?").first
    assert not answer.locator("p").first.is_visible()
    answer.locator("summary").click()
    assert answer.locator("p").first.is_visible()


def test_every_lesson_has_its_doors_and_its_explorer_a_button(texts):
    for path in notebooks.lessons():
        text = texts[f"notebooks/{path.stem}.html"]
        [doors] = re.findall(r'<div class="doors.*?</div>', text, re.DOTALL)
        for place in ("mybinder.org", "colab.research.google.com", "codespaces.new"):
            assert re.search(rf'href="https://{place}/[^"]*{REPOSITORY}', doors), path.name
        [live] = re.findall(r'<div class="live.*?</div>', text, re.DOTALL)
        assert re.search(rf'href="https://[^"]*{REPOSITORY}[^"]*{path.name}"', live), path.name
    assert "Trace these slices live" in texts["notebooks/capstone.html"]


def test_every_figure_keeps_its_description(texts):
    for path in notebooks.lessons():
        text = texts[f"notebooks/{path.stem}.html"]
        figures = re.findall(r"<img [^>]*_images/[^>]*>", text)
        assert figures
        for figure in figures:
            [description] = re.findall(r'alt="([^"]*)"', figure)
            assert len(description) > 20, f"{path.name}: {figure}"
            assert "_images/" not in description


def test_the_pages_of_the_lessons_show_every_stored_table(texts):
    for path in notebooks.lessons():
        stored = 0
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                markdown = output.get("data", {}).get("text/markdown", "")
                stored += len(re.findall(r"^\|[ :|-]+\|$", markdown, re.MULTILINE))
        shown = texts[f"notebooks/{path.stem}.html"].count("<table")
        assert shown >= stored > 0, path.name


def test_the_tables_show_what_is_committed(texts):
    for table in sources.tables():
        lines = table.read_text(encoding="utf-8").splitlines()
        rows = texts[f"tables/{table.stem}.html"].count('<tr class="row-')
        assert rows == min(len(lines), sources.MOST_ROWS + 1), table.name


def test_the_api_explains_every_public_name(texts):
    contents = texts["api/index.html"]
    modules = sources.modules()
    for name, home in sources.public_names().items():
        if home not in modules and not name.isupper():
            assert f'#{home}"' in contents, name
