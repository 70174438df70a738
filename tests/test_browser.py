"""Every notebook in JupyterLab in a real browser: restart, run all, move a slider."""

import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from skullmask_lib import reports
from skullmask_lib.registry import project_folder

pytestmark = pytest.mark.full
FLAGS = [
    f"--{flag}"
    for flag in (
        "no-sandbox",
        "disable-gpu",
        "disable-quic",
        "no-first-run",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    )
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Serve a copy of the notebooks with JupyterLab; give its folder and its address."""
    root = tmp_path_factory.mktemp("lab")
    folder = shutil.copytree(project_folder("notebooks"), root / "notebooks")
    token = secrets.token_hex(16)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = (f"--port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", "--allow-root")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", *options, f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with open(root / "lab.log", "w") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=root) as server:
        try:
            wait_for(lambda: answers(f"http://127.0.0.1:{port}/api/status?token={token}"), seconds=60)
            yield folder, f"http://127.0.0.1:{port}", token
        finally:
            server.terminate()
            server.wait(timeout=30)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield launched
        launched.close()


def answers(address):
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False


def wait_for(condition, *, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"still not so after {seconds} s: {condition}"
        time.sleep(0.25)


@pytest.mark.parametrize("lesson", reports.lessons(), ids=lambda path: path.stem)
def test_restart_run_all_and_move_a_slider(lab, browser, lesson):
    folder, address, token = lab
    path = folder / lesson.name
    stored = nbformat.read(path, as_version=4)
    blank = nbformat.from_dict(stored)
    for cell in blank.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(blank, path)

    page = browser.new_page(viewport={"width": 1280, "height": 800})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}/lab/tree/{lesson.name}?token={token}&reset")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.locator('.jp-NotebookPanel-toolbar [data-command="notebook:restart-run-all"]').click()
    page.locator(".jp-Dialog .jp-mod-accept").click()
    wait_for(lambda: save(page) or all_ran(path), seconds=120)

    ran = nbformat.read(path, as_version=4)
    assert printed(ran) == printed(stored)

    handle = page.locator(".skullmask-explorer .noUi-handle").first
    handle.scroll_into_view_if_needed(timeout=30_000)
    explorer = page.locator(".skullmask-explorer").first
    picture, text = explorer.locator("img"), explorer.locator(".widget-html-content").first
    wait_for(text.inner_text, seconds=20)
    before = picture.get_attribute("src"), text.inner_text()
    handle.focus()
    handle.press("ArrowLeft")
    wait_for(lambda: picture.get_attribute("src") != before[0] and text.inner_text() != before[1], seconds=20)
    explorer.get_by_role("button", name="reset").click()
    wait_for(lambda: text.inner_text() == before[1] and picture.get_attribute("src") != before[0], seconds=20)
    assert not [error for error in errors if "Canceled future" not in error]  # a restart cancels what Lab still asks
    page.close()


def save(page):
    page.keyboard.press("Control+s")
    page.wait_for_timeout(500)


def all_ran(path):
    try:
        cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    except nbformat.reader.NotJSONError:  # the server is writing it
        return False
    return [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


def printed(notebook):
    """What the code cells print, without pictures and widgets."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = [output.get("data", {}) for output in outputs]
    return [o.get("text") or d.get("text/markdown") or d.get("text/plain") for o, d in zip(outputs, shown, strict=True)]
