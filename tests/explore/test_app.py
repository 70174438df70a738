"""The app and the lessons' explorers in a real browser: every slider by key and by mouse, files in, masks out."""

import re
import shutil
import symtable
import time

import browser
import nbformat
import numpy as np
import psutil
import pytest
from inputs import ring_head
from PIL import Image

import skullmask_lib as sm
from skullmask_lib.explore.app import QUESTIONS
from skullmask_lib.project import project_folder
from skullmask_lib.reports import notebooks

pytestmark = pytest.mark.full
LESSONS = notebooks.lessons()
LEFT_ALONE_S = 75  # jupyter_server pings, and may close, every 30 s


@pytest.fixture(scope="module")
def chromium():
    with browser.chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def served():
    with browser.explorer() as started:
        yield started


@pytest.fixture(scope="module")
def opened(served, chromium):
    page, errors = browser.open_page(chromium)
    page.goto(served[1])
    return browser.Shown(page), errors


@pytest.fixture(scope="module")
def left_alone(opened, served, chromium):  # noqa: ARG001
    """Open one more page before the other tests move their sliders; the last test comes back to it."""
    page, errors = browser.open_page(chromium)
    closed = []
    page.on("websocket", lambda socket: socket.on("close", lambda _: closed.append(socket.url)))
    page.goto(served[1])
    yield browser.Shown(page), closed, errors, time.monotonic()
    page.close()


@pytest.fixture
def app(opened, left_alone):  # noqa: ARG001
    """Give the app as it was opened, but for the phantom's slice and the question."""
    shown, errors = opened
    shown.box.get_by_label("data").select_option("phantom")
    browser.wait_for(lambda: shown.text.startswith("phantom["), seconds=20)
    yield shown
    assert errors == []


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Serve a copy of the notebooks with JupyterLab; give its folder and its address."""
    root = tmp_path_factory.mktemp("lab")
    folder = shutil.copytree(project_folder("notebooks"), root / "notebooks")
    with browser.lab(folder, root / "lab.log") as (address, token):
        yield folder, address, token


def ask(app, question):
    """Choose a question by the arrow keys."""
    chosen = app.box.locator("input[type=radio]")
    chosen.first.focus()
    chosen.first.check()
    for _ in range(list(QUESTIONS).index(question)):
        app.page.keyboard.press("ArrowDown")
    app.settle(1)  # every press asks the kernel for a question
    assert app.box.locator("label:has(input[type=radio]:checked)").inner_text() == question


def move_every_slider(shown, *, in_both_ways, check=lambda: None):
    """Move every slider by an arrow key and by a click far away, or take turns between the two."""
    names = list(shown.sliders())
    assert names
    for place, name in enumerate(names):
        for move in MOVES if in_both_ways else [MOVES[place % len(MOVES)]]:
            handle = shown.sliders()[name]
            before = handle.get_attribute("aria-valuetext")
            with shown.new_picture():
                move(handle)
            after = shown.sliders()[name].get_attribute("aria-valuetext")
            assert after != before, (name, move.__name__)
            check()


def press(handle):
    handle.focus()
    handle.press(browser.next_key(handle))


def click_far_away(handle):
    value = float(handle.get_attribute("aria-valuetext"))
    far = 0.9 if value < float(handle.get_attribute("aria-valuemax")) / 2 else 0.1
    track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]")
    size = track.bounding_box()
    track.click(position={"x": far * size["width"], "y": size["height"] / 2})


MOVES = (press, click_far_away)


def give(app, path):
    with app.page.expect_file_chooser() as chooser:
        app.box.get_by_role("button", name="own file").click()
    chooser.value.set_files(path)


def computed(call):
    made = {}
    exec(call, made)
    return made["image"], made["mask"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_slider_of_the_app_and_the_score_beside_it(app, question):
    def check():
        _, mask = computed(app.call)
        index = int(re.search(r"images\[(\d+)\]", app.call)[1])
        assert app.text.startswith(f"phantom[{index}]: ")
        assert f"IoU {sm.iou(mask, sm.load('phantom').truth[index]):.4f}" in app.text

    ask(app, question)
    move_every_slider(app, in_both_ways=True, check=check)
    with app.new_picture():
        app.box.get_by_role("button", name="reset").click()
    check()


def test_the_page_fits_and_names_what_it_holds(app):
    assert "The skull mask explorer" in app.page.content()
    for question in QUESTIONS:
        ask(app, question)
        assert app.page.evaluate("document.documentElement.scrollWidth") <= 1280
        bottom = app.box.locator(".skullmask-stage a").bounding_box()
        assert bottom["y"] + bottom["height"] <= 800
        names = app.box.locator("[role=slider]").evaluate_all(
            "all => all.map(handle => handle.ariaLabel)"
        )
        assert {"slice", "opacity"} <= set(names)
        assert None not in names


def test_an_own_file_comes_in_and_its_mask_goes_out(app, tmp_path):
    images = np.stack([ring_head(axes_mm=(85, 70 + n))[0] for n in range(3)]).astype(np.float32)
    np.save(tmp_path / "mine.npy", images)
    with app.new_picture():
        give(app, tmp_path / "mine.npy")
    ask(app, "v8 · Where does the path run?")
    assert "mine.npy[1]: v8: quality" in app.text
    with app.page.expect_download() as download:
        app.box.locator(".skullmask-stage a").click()
    assert download.value.suggested_filename == "mine_npy_1_mask.png"
    np.testing.assert_array_equal(
        np.asarray(Image.open(download.value.path())), 255 * sm.v8(images[1])
    )


def test_bad_files_are_told_as_the_command_line_tells_them(app, skullmask, folder):
    (folder / "text.npy").write_bytes(b"no array")
    np.save(folder / "many.npy", np.zeros((2, 2, 2, 2)))
    Image.fromarray(np.arange(9 * 9 * 3, dtype=np.uint8).reshape(9, 9, 3)).save(
        folder / "colour.png"
    )
    before = app.text, app.picture.get_attribute("src")
    for name in ("text.npy", "many.npy", "colour.png"):
        give(app, folder / name)
        told = app.box.locator("b", has_text=name)
        told.wait_for(timeout=20_000)
        code, _, [line] = skullmask("mask", name, "-o", "m.npy")
        assert (code, line) == (2, f"skullmask: {told.inner_text()}")
    assert (app.text, app.picture.get_attribute("src")) == before


def test_fifty_quick_moves_end_where_the_last_one_did(served, app):
    ask(app, "v6, v7 · How wide?")
    kernel = min(psutil.Process(served[0].pid).children(), key=lambda child: child.create_time())
    count = "document.querySelectorAll('.jupyter-widgets').length"

    def fifty(*keys):
        handle = app.sliders()["dilation size [px]"]
        handle.focus()
        for key in keys * (50 // len(keys)):
            app.page.keyboard.press(key)
        app.settle(1)
        now = handle.get_attribute("aria-valuenow").split(".")[0]
        assert f"v7, width {now} px" in app.text
        return app.page.evaluate(count), kernel.memory_info().rss

    fifty("ArrowRight", "ArrowLeft")
    widgets, memory = fifty("ArrowRight", "ArrowLeft")
    widgets_after, memory_after = fifty("ArrowRight", "ArrowLeft")
    assert widgets_after == widgets
    assert memory_after - memory < 50e6
    fifty("ArrowRight")
    assert "v7, width 61 px" in app.text


def test_a_page_that_is_left_ends_its_kernel(served, chromium):
    page, _ = browser.open_page(chromium)
    page.goto(served[1])
    browser.Shown(page)
    mine = max(psutil.Process(served[0].pid).children(), key=lambda kernel: kernel.create_time())
    page.goto("about:blank")
    browser.wait_for(lambda: not mine.is_running(), seconds=20)
    page.close()


@pytest.mark.parametrize(
    "path", [*LESSONS, project_folder("notebooks") / "explorer.ipynb"], ids=lambda path: path.stem
)
def test_run_all_and_move_every_slider_in_lab(lab, chromium, path):
    folder, address, token = lab
    stored = what_the_explorer_needs(nbformat.read(path, as_version=4))
    nbformat.write(stored, folder / path.name)
    browser.blank(folder / path.name)
    trains = train_for_a_few_steps(folder / path.name)
    page, errors = browser.open_page(chromium)
    browser.run_in_lab(page, address, token, folder / path.name)
    if not trains:
        assert printed(nbformat.read(folder / path.name, as_version=4)) == printed(stored)
    shown = browser.Shown(page)
    before = shown.text
    move_every_slider(shown, in_both_ways=False)
    with shown.new_picture():
        shown.box.get_by_role("button", name="reset").click()
    if path in LESSONS:
        assert shown.text == before
    page.close()
    assert errors == []


def test_a_page_that_was_left_alone_is_still_connected(left_alone):
    shown, closed, errors, opened_s = left_alone
    rest_s = opened_s + LEFT_ALONE_S - time.monotonic()
    shown.page.wait_for_timeout(1000 * max(rest_s, 0))
    handle = shown.sliders()["slice"]
    handle.focus()
    with shown.new_picture():
        handle.press("ArrowRight")
    assert closed == errors == []


def what_the_explorer_needs(notebook):
    """Leave out the cells that a lesson's explorer does without; nbval runs all of them."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    explorers = [cell for cell in cells if re.search(r"explore\.(sliders|App)\(", cell.source)]
    kept = []
    needed = set()
    for cell in reversed(cells[: cells.index(explorers[-1]) + 1]):
        bound, used = names_in(symtable.symtable(cell.source, "cell", "exec"))
        if cell in explorers or bound & needed:
            kept.insert(0, cell)
            needed = (needed - bound) | used
    notebook.cells = kept
    return notebook


def names_in(scope):
    """Give the names that a cell binds, and those that it, or a function in it, takes from others."""
    bound = set()
    used = set()
    for symbol in scope.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            bound.add(symbol.get_name())
        if symbol.is_referenced() and (symbol.is_global() or scope.get_type() == "module"):
            used.add(symbol.get_name())
    for inner in scope.get_children():
        used |= names_in(inner)[1]
    return bound, used


def train_for_a_few_steps(path):
    """Shorten the training of a lesson, which nbval runs whole; return whether it trains at all."""
    notebook = nbformat.read(path, as_version=4)
    trains = False
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.source, count = re.subn("(?m)^steps: int = .*", "steps: int = 20", cell.source)
            trains = count > 0
    nbformat.write(notebook, path)
    return trains


def printed(notebook):
    """What the code cells print, without pictures and widgets."""
    outputs = [
        output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    ]
    shown = [output.get("data", {}) for output in outputs]
    return [
        o.get("text") or d.get("text/markdown") or d.get("text/plain")
        for o, d in zip(outputs, shown, strict=True)
    ]
