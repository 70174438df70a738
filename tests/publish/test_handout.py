"""The zips: what students may see, the same bytes each time, and lessons that run from them."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import PurePosixPath

import nbformat
import pages
import pytest

from publish import handout, links
from skullmask_lib import exercises
from skullmask_lib.exercises import checking, definitions
from skullmask_lib.reports import notebooks

README = PurePosixPath("README.md")
LINKS = "[answers](solutions/04.ipynb), [next](05.ipynb)"


@pytest.fixture(scope="module")
def student():
    return handout.student_files()


def test_the_instructor_gets_every_file_as_it_is():
    files = handout.instructor_files()
    for name in ("Makefile", "README.md", ".ci/run"):
        assert PurePosixPath(name) in files
    for path, content in files.items():
        assert content == (handout.HOUSE / path).read_bytes(), path


def test_students_get_every_lesson_and_no_solution(student):
    for path in notebooks.lessons():
        assert PurePosixPath("notebooks", path.name) in student
    for path in student:
        assert "solutions" not in path.parts
        assert path.parts[0] not in ("tests", "publish", "benchmarks", ".github")


@pytest.mark.parametrize(
    ("path", "is_handed_out"),
    [
        ("notebooks/01_v1_largest_component.ipynb", True),
        ("notebooks/solutions/01_v1_largest_component.ipynb", False),
        ("notebooks/solutions/more/01.ipynb", False),
        ("docs/glossary.md", True),
        ("docs/teaching.md", False),
        ("docs/conf.py", False),
        ("skullmask_lib/io/data.py", True),
        ("data/truth/chris.nii.gz", True),
        ("tests/data/README.md", False),
        ("figures/draw.py", False),
    ],
)
def test_what_is_for_students(path, is_handed_out):
    assert handout.is_for_students(PurePosixPath(path)) == is_handed_out


def text_of(output):
    return output.get("data", {}).get("text/markdown", "")


def is_reply(output):
    return checking.NO_ANSWER in str(output)


def is_answer(output):
    summary = r"<summary>\W*(answer|solution)"
    return re.search(summary, text_of(output), re.IGNORECASE) is not None


def test_students_see_no_reply_and_no_answer_and_all_else_stays(student):
    replies = 0
    answers = 0
    for path, content in student.items():
        if path.suffix != ".ipynb":
            continue
        copy = nbformat.reads(content.decode(), as_version=4)
        original = nbformat.read(handout.HOUSE / path, as_version=4)
        for cell, stored in zip(copy.cells, original.cells, strict=True):
            if cell.cell_type == "markdown":
                continue
            assert cell.source == stored.source
            kept = []
            for output in stored.outputs:
                if is_reply(output):
                    replies += 1
                elif is_answer(output):
                    answers += 1
                else:
                    kept.append(output)
            assert cell.outputs == kept, path
    assert replies >= len(definitions.names())
    assert answers > 10


def displayed(markdown):
    return nbformat.v4.new_output("display_data", {"text/markdown": markdown})


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ('sm.check("04.1", mask)', nbformat.v4.new_output("stream", text="Right.")),
        ("answer", displayed(exercises.fold("Answer: Explore", "3").data)),
    ],
)
def test_an_exercise_has_no_output_and_no_count(tmp_path, monkeypatch, source, output):
    cell = nbformat.v4.new_code_cell(source, execution_count=3, outputs=[output])
    code, _ = handed_out(cell, tmp_path, monkeypatch)
    assert (code.outputs, code.execution_count) == ([], None)


def handed_out(cell, folder, monkeypatch):
    """Give the cells that students get of a notebook of one cell and of links."""
    text = nbformat.v4.new_markdown_cell(LINKS)
    nbformat.write(nbformat.v4.new_notebook(cells=[cell, text]), folder / "04.ipynb")
    monkeypatch.setattr(handout, "HOUSE", folder)
    content = handout._notebook_for_students(PurePosixPath("04.ipynb"), {PurePosixPath("05.ipynb")})
    return nbformat.reads(content.decode(), as_version=4).cells


def test_dead_links_become_text_in_cells_and_in_outputs(tmp_path, monkeypatch):
    cell = nbformat.v4.new_code_cell(
        "Markdown(text)", execution_count=3, outputs=[displayed(LINKS)]
    )
    code, text = handed_out(cell, tmp_path, monkeypatch)
    assert text.source == text_of(code.outputs[0]) == "answers, [next](05.ipynb)"
    assert code.execution_count == 3


def markdown_of(notebook):
    """Join the Markdown of a notebook, that of its outputs too."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        else:
            parts += map(text_of, cell.outputs)
    return "\n\n".join(parts)


def test_no_link_leads_out_of_the_zip(student):
    texts = {}
    for path, content in student.items():
        if path.suffix == ".md":
            texts[path] = content.decode()
        elif path.suffix == ".ipynb":
            texts[path] = markdown_of(nbformat.reads(content.decode(), as_version=4))
    for path, text in texts.items():
        for target in pages.targets(text):
            if not links.is_external(target):
                linked_file, _ = links.resolve(target, path)
                assert linked_file in student, f"{path}: {target}"


def test_the_readme_installs_in_one_line_and_names_files_of_the_zip(student):
    text = student[README].decode()
    assert len(re.findall(r"pip install", text)) == 1
    [opened] = re.findall(r"^jupyter lab .*?(\S+)$", text, re.MULTILINE)
    assert PurePosixPath(opened) in student


def test_the_same_files_give_the_same_bytes(tmp_path, student):
    first = tmp_path / "first.zip"
    second = tmp_path / "second.zip"
    handout.write(first, student)
    handout.write(second, dict(reversed(student.items())))
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == len(student)
        for entry in archive.infolist():
            assert entry.filename.startswith("skullmask/")
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_what_can_be_run_in_a_clone_can_be_run_from_the_zip(tmp_path):
    files = handout.instructor_files()
    handout.write(tmp_path / "a.zip", files)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    assert modes["skullmask/.ci/run"] == 0o755
    for path in files:
        is_executable = bool((handout.HOUSE / path).stat().st_mode & 0o100)
        assert modes[f"skullmask/{path}"] == (0o755 if is_executable else 0o644), path


def test_files_that_git_does_not_track_stay_out():
    for path in handout.tracked():
        assert {"downloads", ".venv", "build"}.isdisjoint(path.parts), path


@pytest.mark.parametrize("is_clone", [False, True], ids=["no clone", "nothing tracked"])
def test_without_a_clone_there_is_one_clear_line(tmp_path, monkeypatch, is_clone):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    shutil.copy(handout.HOUSE / "pyproject.toml", tmp_path)
    if is_clone:
        subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    monkeypatch.setattr(handout, "HOUSE", tmp_path)
    with pytest.raises(SystemExit) as stop:
        handout.main("student")
    [line] = str(stop.value).splitlines()
    assert str(tmp_path) in line
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize("reader", ["students", "Student", ""])
def test_no_zip_with_solutions_is_written_for_a_reader_misspelt(monkeypatch, reader):
    written = []
    monkeypatch.setattr(handout, "write", lambda path, _files: written.append(path))
    with pytest.raises(
        SystemExit, match=rf"^handout: expected student or instructor, got '{reader}'$"
    ):
        handout.main(reader)
    assert written == []


def test_without_git_there_is_one_clear_line(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match=r"^handout: git .*$"):
        handout.main("student")


@pytest.mark.full
def test_a_lesson_runs_where_the_zip_is_unpacked(tmp_path, student):
    path = tmp_path / "student.zip"
    handout.write(path, student)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / "skullmask"
    code = (
        "import nbclient, nbformat, pathlib, skullmask_lib\n"
        "assert pathlib.Path(skullmask_lib.__file__).parents[1] == pathlib.Path.cwd()\n"
        "path = 'notebooks/01_v1_largest_component.ipynb'\n"
        "notebook = nbformat.read(path, as_version=4)\n"
        "nbclient.execute(notebook, cwd='notebooks', kernel_name='python3')\n"
    )
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_zip_holds_what_its_installation_reads(student):
    settings = tomllib.loads(student[PurePosixPath("pyproject.toml")].decode())
    project = settings["project"]
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    files_and_folders = set(student)
    for path in student:
        files_and_folders.update(path.parents)
    for name in (project["readme"], *project["license-files"], *wheel["only-include"]):
        assert PurePosixPath(name) in files_and_folders, name


def test_the_teachers_page_names_the_targets():
    text = pages.text_of(pages.HOUSE / "docs" / "course.md")
    for target in ("student", "instructor", "site"):
        assert f"`make {target}`" in text


def test_the_teachers_page_says_that_the_zip_holds_the_solutions(student):
    text = pages.text_of(pages.HOUSE / "docs" / "course.md")
    [pattern] = re.findall(r"`(skullmask_lib/exercises/\S+)`", text)
    assert any(path.match(pattern) for path in student)
