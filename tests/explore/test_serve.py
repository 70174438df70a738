"""The server of the app: whom it lets in, what it says, and what it leaves behind."""

import os
import re
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

import browser
import numpy as np
import psutil
import pytest
from voila import paths

from skullmask_lib.errors import InputError
from skullmask_lib.explore import server


def test_a_port_in_use_is_said(skullmask):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, lines = skullmask("explore", "--port", port)
    assert (code, out) == (2, "")
    assert lines == [
        f"skullmask: port {port} is taken (Address already in use); choose another one with --port"
    ]


def test_a_file_is_checked_before_anything_is_served(skullmask, folder):
    (folder / "bad.npy").write_bytes(b"no array")
    code, out, [line] = skullmask("explore", "bad.npy")
    assert (code, out) == (2, "")
    assert line.startswith("skullmask: bad.npy: not a readable .npy file")


def test_a_port_out_of_range_is_said(skullmask):
    code, _, [line] = skullmask("explore", "--port", "70000")
    assert code == 2
    assert "--port" in line
    assert "65535" in line


def test_without_voila_the_line_to_install_the_extra_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "voila.app", None)
    line = 'the explorer needs Voila: pip install "skullmask[app]"'
    with pytest.raises(InputError, match=re.escape(line)):
        server.serve()


def test_the_template_asks_nothing_of_the_network():
    """Voila's own asks for style sheets of icons; ours takes out exactly these."""
    ours = (
        Path(server.__file__).with_name("jupyter") / "voila/templates/skullmask/index.html.j2"
    ).read_text()
    [theirs, *_] = [
        path
        for path in paths.collect_template_paths(["voila"], "lab")
        if path.endswith("voila/templates/lab")
    ]
    asked = re.findall(r"href=\"(https://[^\"]+)", Path(theirs, "index.html.j2").read_text())
    assert asked
    assert [
        address for address in asked if f"replace('{address}', 'data:text/css,')" not in ours
    ] == []


@pytest.mark.full
def test_it_serves_this_computer_alone_and_leaves_nothing_behind(tmp_path):
    np.save(tmp_path / "mine.npy", np.zeros((2, 9, 9), np.float32))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "voila.py").write_text("open('executed', 'w')", encoding="utf-8")
    (tmp_path / "voila.json").write_text('{"Voila": {"base_url": "/elsewhere/"}}', encoding="utf-8")
    with browser.explorer("mine.npy", cwd=tmp_path, env=os.environ | {"TMPDIR": "tmp"}) as (
        server,
        address,
    ):
        port = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=\S{20,}", address)[1]
        [listening] = [
            c
            for c in psutil.Process(server.pid).net_connections()
            if c.status == psutil.CONN_LISTEN and c.laddr.port == int(port)
        ]
        assert listening.laddr.ip == "127.0.0.1"
        for path in ("", "api/kernels", "voila/render/explorer.ipynb", "?token=wrong"):
            assert "/login?next" in urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}").url
        with urllib.request.urlopen(address) as page:
            assert page.status == 200
            assert b"mine.npy" in page.read()
        family = psutil.Process(server.pid).children(recursive=True)
        assert family
        assert list((tmp_path / "tmp").iterdir())
    assert server.returncode == 0
    assert not psutil.wait_procs(family, timeout=10)[1]
    assert not list((tmp_path / "tmp").iterdir())
    assert {file.name for file in tmp_path.iterdir()} == {
        "mine.npy",
        "tmp",
        "voila.py",
        "voila.json",
    }
    with browser.explorer("--port", port) as (_, again):  # a port that was just closed
        assert f":{port}/" in again


@pytest.mark.full
def test_a_kernel_whose_page_was_lost_is_ended():
    command = (
        "from skullmask_lib.explore.server import serve; "
        "serve(port=0, cull_after_s=3, ready=lambda address: print(address, flush=True))"
    )
    with browser.started([sys.executable, "-c", command]) as (server, address):
        urllib.request.urlopen(address).read()  # starts a kernel, and never connects to it
        [kernel] = psutil.Process(server.pid).children()
        browser.wait_for(lambda: not kernel.is_running(), seconds=30)
