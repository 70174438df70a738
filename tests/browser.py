"""Real servers and a real browser, for the tests of explorers and for their benchmark."""

import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def chromium():
    """Launch Debian's Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


@contextlib.contextmanager
def started(command, **options):
    """Run a command that serves the explorer; give its process and address, and press Ctrl-C."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as server:
        try:
            first_line = server.stdout.readline()
            assert "http://" in first_line, "the server ended; its reason is on stderr"
            yield server, first_line.split()[-1]
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)


def explorer(*arguments, **options):
    """Run ``skullmask explore`` on a free port."""
    script = Path(sys.executable).with_name("skullmask")
    return started([script, "explore", "--port", "0", *arguments], **options)


def lab(folder, log):
    """Serve a folder with JupyterLab; give its address and token."""
    return served_by_lab([f"--ServerApp.root_dir={folder}"], cwd=folder.parent, log=log)


@contextlib.contextmanager
def served_by_lab(arguments, *, cwd, log):
    """Start JupyterLab with some arguments and without a browser; give its address and token."""
    token = secrets.token_hex(16)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    options = (
        "--no-browser",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={token}",
        "--allow-root",
        "--LabApp.news_url=",
        f"--LabApp.workspaces_dir={Path(log).with_name('workspaces')}",  # not that of another Lab
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    )
    command = [sys.executable, "-m", "jupyterlab", *options, *arguments]
    with (
        open(log, "w") as out,
        subprocess.Popen(command, stdout=out, stderr=out, cwd=cwd) as server,
    ):
        try:
            wait_for(lambda: answers(f"{address}/api/status?token={token}"), seconds=60)
            yield address, token
        finally:
            server.terminate()
            server.wait(timeout=30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address):
    """Tell whether a server answers."""
    try:
        return urllib.request.urlopen(address, timeout=5).status == 200
    except OSError:
        return False


def wait_for(condition, *, seconds):
    """Wait until a condition holds; fail if it does not within some seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"still not so after {seconds} s: {condition}"
        time.sleep(0.05)


def open_page(browser):
    """Open an empty page; give it and the list that its errors go to."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("requestfailed", lambda request: errors.append(f"{request.url}: {request.failure}"))
    return page, errors


def run_in_lab(page, address, token, path):
    """Open a notebook in Lab, run all of it, and wait until it is saved with its outputs."""
    page.goto(f"{address}/lab/tree/{path.name}?token={token}&reset")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    wait_for(lambda: save(page) or all_ran(path), seconds=120)


def save(page):
    page.keyboard.press("Control+s")
    page.wait_for_timeout(500)


def all_ran(path):
    """Tell whether all cells of a notebook file ran in their order."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except nbformat.reader.NotJSONError:  # the server is writing it
        return False
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    return counts == list(range(1, len(counts) + 1))


def blank(path):
    """Take the outputs out of a notebook file."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None
    nbformat.write(notebook, path)


# All that can be seen of an explorer: its text, pictures and the text that can be copied
CONTENT = """box => box.textContent +
  [...box.querySelectorAll('img, textarea')].map(element => element.src || element.value)"""


class Shown:
    """An explorer on a page: what a reader sees and moves."""

    def __init__(self, page):
        self.page = page
        self.box = page.locator(".skullmask-explorer").first
        self.picture = self.box.locator("img")
        self.picture.wait_for(timeout=60_000)
        self.box.scroll_into_view_if_needed(timeout=30_000)
        wait_for(lambda: self.text, seconds=20)

    @property
    def text(self):
        return self.box.locator(".skullmask-stage .widget-html-content").first.text_content()

    @property
    def call(self):
        return self.box.locator("textarea").input_value()

    def sliders(self):
        """Give name and handle of every slider that can be seen."""
        handles = {}
        for slider in self.box.locator(".widget-slider").all():
            if slider.is_visible():
                name = slider.locator(".widget-label").first.text_content()
                handles[name] = slider.locator(".noUi-handle")
        return handles

    @contextlib.contextmanager
    def new_picture(self):
        """Wait at the end until another picture is shown."""
        before = self.picture.get_attribute("src")
        yield
        wait_for(lambda: self.picture.get_attribute("src") != before, seconds=20)
        self.settle()

    def settle(self, quiet=0.6):
        """Wait until nothing changes for some seconds; text and call come after the picture."""
        content = None
        since = time.monotonic()
        while time.monotonic() - since < quiet:
            new_content = self.box.evaluate(CONTENT)
            if new_content != content:
                content = new_content
                since = time.monotonic()
            time.sleep(0.05)


def next_key(handle):
    """Give the arrow that moves a slider: right, but left at its end."""
    value = float(handle.get_attribute("aria-valuenow"))
    largest = float(handle.get_attribute("aria-valuemax"))
    return "ArrowLeft" if value >= largest else "ArrowRight"
