"""The wheel carries the notebooks and the small data: installed elsewhere, the demo runs from an empty folder."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import strangers

import skullmask_lib as sm
from skullmask_lib import project
from skullmask_lib.io import registry
from skullmask_lib.reports import notebooks

pytestmark = pytest.mark.full
ROOT = Path(sm.__file__).parents[1]
# `make demo` runs all lessons of the journey; here the first will do, and two that read tables
LESSONS_OF_DEMO = ("00", "03", "08")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_wheel_holds_what_it_needs_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for lesson in notebooks.lessons():
        assert f"skullmask_lib/notebooks/{lesson.name}" in names
    data = project.project_folder("data")
    of_data = [path.relative_to(data) for path in [*data.glob("*.*"), *data.glob("truth/*")]]
    assert {"published.csv", "registry.txt"} < {path.name for path in of_data}
    assert {f"skullmask_lib/data/{path.as_posix()}" for path in of_data} <= names
    beside = (
        "py.typed",
        "__init__.pyi",
        "plots/skullmask.mplstyle",
        "reports/page.css",
        "reports/grid.html",
    )
    beside += ("data/network.onnx", "data/phantom.toml", "notebooks/report.ipynb")
    assert {f"skullmask_lib/{name}" for name in beside} <= names
    jupyter = {
        "voila/templates/skullmask/index.html.j2",
        "voila/templates/skullmask/conf.json",
        "kernels/python3/kernel.json",
    }
    assert {f"skullmask_lib/explore/jupyter/{name}" for name in jupyter} <= names
    assert "skullmask_lib/notebooks/explorer.ipynb" in names
    assert not [
        name
        for name in names
        if "downloads" in name
        or ".ipynb_checkpoints" in name
        or "__pycache__" in name
        or name.startswith("tests")
        or name.endswith("ruff.toml")
        or "solutions" in name
    ]


def test_a_stranger_runs_the_demo_in_an_empty_folder(wheel, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        site,
        wheel,
    ]
    subprocess.run(install, check=True, capture_output=True)
    environment = os.environ | {
        "PYTHONPATH": str(site),
        "SKULLMASK_DATA": "",
        "XDG_CACHE_HOME": str(tmp_path),
    }

    def run(*arguments):
        options = {
            "cwd": empty,
            "env": environment,
            "capture_output": True,
            "text": True,
            "timeout": 280,
        }
        return subprocess.run([sys.executable, *arguments], check=False, **options)

    assert Path(
        run("-c", "import skullmask_lib; print(skullmask_lib.__file__)").stdout
    ).is_relative_to(site)
    done = run("-m", "skullmask_lib.cli", "data", "list")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^\| (\w+) .*missing", done.stdout, re.MULTILINE) == list(registry.names())
    assert f"The folder: {tmp_path / 'skullmask'}\n" in done.stdout
    truth = run(
        "-c", "from skullmask_lib.io import registry; print(registry.truth('chris'))"
    ).stdout
    assert Path(truth.strip()).is_relative_to(site)
    lessons = [path for path in notebooks.journey() if path.name[:2] in LESSONS_OF_DEMO]
    for path in notebooks.journey():
        if path not in lessons:
            (site / "skullmask_lib" / "notebooks" / path.name).unlink()
    with strangers.stranger(tmp_path, site) as (folder, start):
        with start("demo", "--out", "page") as demo:
            out, err = strangers.ended(demo)
        assert demo.returncode == 0, err
        assert "Traceback" not in out + err
        assert re.search(r"\| v7 +\| 0\.98 +\| 0\.9[78]\d\d", out)
        page = (folder / "page" / "index.html").read_text(encoding="utf-8")
        assert [path.name for path in (folder / "page").iterdir()] == ["index.html"]
        assert not list(folder.glob("skullmask-home-*"))
    for number, lesson in enumerate(lessons):
        assert f'id="chapter-{number}"' in page
        assert notebooks.title(lesson) in page
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))
    assert not re.findall(r'href="(?!#|https://)[^"]*"', page)
