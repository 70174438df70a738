"""Notebooks are run one way; parameters are checked before; pages open offline."""

import re

import nbformat
import pytest

from skullmask_lib import notebooks, reports
from skullmask_lib.masks import InputError


@pytest.fixture
def notebook(tmp_path):
    """A tiny notebook: one parameters cell, one cell that uses them."""

    def make(body="print(width * 2)", parameters="width: int = 3  # width [px]\nname: str = 'a'  # a name"):
        cells = [
            nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}, id="one"),
            nbformat.v4.new_code_cell(body, id="two"),
        ]
        made = nbformat.v4.new_notebook(cells=cells)
        made.metadata["kernelspec"] = {"name": "a-kernel-nobody-has", "display_name": "x", "language": "python"}
        nbformat.write(made, tmp_path / "tiny.ipynb")
        return tmp_path / "tiny.ipynb"

    return make


def printed(path):
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells if cell.cell_type == "code" for output in cell.outputs)


def test_execute_runs_with_parameters_whatever_kernel_the_notebook_names(notebook, tmp_path, capfd):
    made = reports.execute(notebook(), tmp_path / "out.ipynb", parameters={"width": 21})
    assert printed(made) == "42\n"
    assert capfd.readouterr().err == ""


def test_execute_runs_in_this_interpreter(notebook, tmp_path):
    import sys

    made = reports.execute(notebook("import sys; print(sys.executable)"), tmp_path / "out.ipynb")
    assert printed(made).strip() == sys.executable


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"widht": 3}, r"tiny.ipynb: no parameter widht; did you mean width\?"),
        ({"zzz": 3}, "tiny.ipynb: no parameter zzz; it has width, name"),
        ({"width": "3"}, "tiny.ipynb: expected width as int, got '3'"),
        ({"width": True}, "tiny.ipynb: expected width as int, got True"),
        ({"name": 3}, "tiny.ipynb: expected name as str, got 3"),
    ],
)
def test_parameters_are_checked_before_anything_runs(notebook, tmp_path, parameters, message):
    with pytest.raises(InputError, match=message):
        reports.execute(notebook(), tmp_path / "out.ipynb", parameters=parameters)
    assert not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [("width = 3", "expected annotated parameters"), ("width: int = int('3')", "expected a literal")],
)
def test_parameters_must_be_annotated_literals(notebook, parameters, message):
    with pytest.raises(InputError, match=message):
        notebooks.parameters(notebook(parameters=parameters))


def test_a_failing_cell_is_named_and_what_ran_is_kept(notebook, tmp_path):
    with pytest.raises(RuntimeError, match=r"tiny\.ipynb: cell 2 failed with ZeroDivisionError: division by zero"):
        reports.execute(notebook("print('so far')\n1 / 0"), tmp_path / "out.ipynb")
    assert "so far" in printed(tmp_path / "out.ipynb")


def test_a_cell_that_hangs_is_stopped(notebook, tmp_path):
    with pytest.raises(RuntimeError, match="longer than 2 s"):
        reports.execute(notebook("import time; time.sleep(60)"), tmp_path / "out.ipynb", timeout_s=2)


def test_not_a_notebook(tmp_path):
    (tmp_path / "text.ipynb").write_text("no JSON")
    with pytest.raises(InputError, match=r"text\.ipynb: not a readable notebook"):
        reports.execute(tmp_path / "text.ipynb", tmp_path / "out.ipynb")


def test_store_keeps_outputs_and_drops_what_differs_from_run_to_run(notebook):
    path = notebook("import ipywidgets; ipywidgets.IntSlider(5)")
    reports.store(path)
    first = path.read_bytes()
    reports.store(path)
    assert path.read_bytes() == first
    stored = nbformat.read(path, as_version=4)
    assert stored.metadata.kernelspec.name == "python3"
    assert "IntSlider" in str(stored.cells[1].outputs)


def test_store_leaves_a_failing_notebook_as_it_was(notebook):
    path = notebook("1 / 0")
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        reports.store(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_page_asks_the_web_for_nothing(tmp_path):
    reports.page([notebooks.lessons()[1]], tmp_path / "page.html", name="A page")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.findall(r"""(?:src=|url\()\s*["']?(?!data:)[^"'\s)]+""", page)
    assert not re.findall(r"<link|@import", page)
    assert page.count("data:image/png;base64,") >= 2
    assert "IoU" in re.search(r'<img alt="([^"]+)"', page.partition("Look at it")[2])[1]


def test_links_between_lessons_stay_on_the_page(tmp_path):
    first, second = notebooks.lessons()[:2]
    reports.page([first, second], tmp_path / "page.html", name="Two lessons")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('href="#chapter-1"') >= 2  # in the contents and in lesson 00
    assert 'id="chapter-1"' in page
    assert not re.findall(r'href="(?!#|https://)[^"]*"', page)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))
    assert len(re.findall(r'id="([^"]+)"', page)) == len(set(re.findall(r'id="([^"]+)"', page)))


def test_a_failing_lesson_stops_the_demo_and_is_kept(notebook, tmp_path, monkeypatch):
    monkeypatch.setattr(reports.notebooks, "lessons", lambda: [notebook("1 / 0")])
    with pytest.raises(RuntimeError, match=r"ZeroDivisionError: division by zero; what ran is in .*failed_tiny\.ipynb"):
        reports.demo(tmp_path / "page")
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == ["failed_tiny.html", "failed_tiny.ipynb"]
