"""Every notebook holds to the template; what each prints is compared by nbval, cell by cell."""

import ast
import itertools
import re

import nbformat
import pacing
import pytest

from skullmask_lib.exercises import definitions
from skullmask_lib.exercises.checking import NO_ANSWER
from skullmask_lib.project import project_folder
from skullmask_lib.reports import notebooks

FOLDER = project_folder("notebooks")
NOTEBOOKS = sorted(
    path for path in FOLDER.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts
)
LESSONS = notebooks.lessons()
SOLUTIONS = [path for path in NOTEBOOKS if path.parent.name == "solutions"]
FORBIDDEN = {
    r"^\s*[!%]": "a magic or a shell command",
    r"sys\.path": "a change of sys.path",
    r"[\"'](/|[A-Z]:\\)\w": "an absolute path",
    r"\btime\.\w|datetime": "a clock",
    r"np\.random\.(?!default_rng\(\w)": "an unseeded random number",
    r"pyplot|plt\.": "pyplot",
    r"[\"']C\d[\"']": "a colour that is not of the palette",
    r";\s*$": "a trailing semicolon",
    r"imshow\(\"|waitKey": "an OpenCV window",
    r"warnings\.(filter|simplefilter)": "a silenced warning",
}


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.relative_to(FOLDER).as_posix())
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def lesson(request):
    return request.param


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs_of(notebook):
    outputs = []
    for cell in code_cells(notebook):
        outputs += cell.outputs
    return outputs


def tags_of(cell):
    return cell.metadata.get("tags", [])


def markdown(path):
    """Give all text of a notebook."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def code_cells_of(path):
    return code_cells(nbformat.read(path, as_version=4))


def test_executed_from_top_to_bottom_without_errors(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    for output in outputs_of(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr"


def test_what_a_cell_prints_is_stored_in_one_piece(notebook):
    for cell in code_cells(notebook):
        for output, following in itertools.pairwise(cell.outputs):
            if output.output_type == "stream":
                assert following.get("name") != output.name, cell.source


def test_size(notebook):
    assert len(notebook.cells) <= 30
    assert len(nbformat.writes(notebook)) < 500_000
    for cell in code_cells(notebook):
        lines = cell.source.splitlines()
        assert len(lines) <= 25, cell.source
        assert max(map(len, lines)) <= 120, cell.source


def test_nothing_that_differs_between_runs_or_machines(notebook):
    for cell in code_cells(notebook):
        for pattern, what in FORBIDDEN.items():
            assert not re.search(pattern, cell.source, re.MULTILINE), f"{what} in:\n{cell.source}"
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_every_figure_has_an_alternative_text(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert len(output.metadata["image/png"]["alt"]) > 20, cell.source


@pytest.mark.parametrize(
    "path",
    [*LESSONS, FOLDER / "explorer.ipynb", FOLDER / "capstone.ipynb"],
    ids=lambda path: path.stem,
)
def test_an_explorer_is_a_picture_where_no_kernel_runs(path):
    notebook = nbformat.read(path, as_version=4)
    explorer = re.compile(r"^explore\.(sliders|App|Tracer)\(", re.MULTILINE)
    [cell] = [cell for cell in code_cells(notebook) if explorer.search(cell.source)]
    [output] = cell.outputs
    assert set(output.data) == {"image/png", "text/plain"}
    assert output.data["text/plain"].startswith(("Explorer(", "Tracer("))


def test_no_formula_that_needs_a_script(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not re.search(r"\$[^$]+\$|\\\(", cell.source), cell.source


def test_parameters_are_annotated_literals_with_a_comment(lesson):
    assert notebooks.parameters(lesson)
    [cell] = [cell for cell in code_cells_of(lesson) if "parameters" in tags_of(cell)]
    for line in cell.source.splitlines():
        assert "  # " in line


PARTS = ("Question", "Predict", "Exercises", "Modify", "Make", "Summary", "Explore")


def test_template(lesson):
    text = markdown(lesson)
    for part in PARTS:
        assert part in text, f"{lesson.name} lacks {part}"
    code = "\n".join(cell.source for cell in code_cells_of(lesson))
    assert re.search(r"^(def view\(|view = partial\(views\.)", code, re.MULTILINE)
    assert re.search(r"^view\(\)$", code, re.MULTILINE), "view is called once in the open"
    assert re.search(r"explore\.sliders\(\s*view", code)
    ast.parse(code)
    for version in re.findall(r"v\d", lesson.stem):
        comparison = rf"^\s*assert np\.array_equal\(.*sm\.{version}\("
        assert re.search(comparison, code, re.MULTILINE), version


def test_numbering_and_navigation():
    numbers = [int(path.stem[:2]) for path in LESSONS]
    assert numbers == sorted(set(numbers))
    for index, path in enumerate(LESSONS):
        links = re.findall(r"\]\((\S+?\.ipynb)", markdown(path))
        if index:
            assert LESSONS[index - 1].name in links
        if index + 1 < len(LESSONS):
            assert LESSONS[index + 1].name in links


def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", markdown(path)):
        assert target.startswith("https://") or (path.parent / target).exists(), target


def test_contents_list_every_lesson_with_its_minutes():
    contents = markdown(LESSONS[0])
    for path in LESSONS:
        name = re.escape(path.name)
        minutes = pacing.total(path)
        row = rf"\|[^\n]*{name}[^\n]*\|\s*{minutes}\s*\|"
        assert re.search(row, contents), path.name


def test_contents_tell_teachers_how_long_the_short_course_takes():
    names = ", ".join(pacing.SHORT_COURSE[:-1])
    course = f"lessons {names} and {pacing.SHORT_COURSE[-1]} {pacing.short_course()}"
    assert course in markdown(LESSONS[0]), "run python tests/pacing.py"


def test_a_lesson_states_the_minutes_of_its_sections(lesson):
    assert pacing.stated(lesson) == pacing.line(lesson), "run python tests/pacing.py"


def test_a_cell_is_hidden_if_and_only_if_it_is_tagged(notebook):
    for cell in notebook.cells:
        is_hidden = cell.metadata.get("jupyter", {}).get("source_hidden", False)
        assert is_hidden == ("hide-input" in tags_of(cell)), cell.source


def test_cells_that_only_write_a_sentence_or_an_answer_are_hidden(lesson):
    for cell in code_cells_of(lesson):
        if re.search(r"^(Markdown|display\(exercises\.|exercises\.)", cell.source, re.MULTILINE):
            assert "hide-input" in tags_of(cell), cell.source


def test_each_wrong_prediction_has_a_fold_of_its_own(lesson):
    texts = [markdown(lesson)]
    for output in outputs_of(nbformat.read(lesson, as_version=4)):
        texts.append(output.get("data", {}).get("text/markdown", ""))
    summaries = re.findall(r"<summary>(.*?)</summary>", "\n".join(texts))
    assert any("Explore" in summary for summary in summaries), summaries
    wrong = [summary for summary in summaries if re.search(r"\([abc]\)", summary)]
    assert len(wrong) >= 2, summaries


def test_a_lesson_states_its_exercises_as_they_are_defined(lesson):
    defined = [
        (exercise.name, exercise.kind, exercise.stars, exercise.minutes)
        for exercise in definitions.of_lesson(lesson.name[:2])
    ]
    assert pacing.exercises(markdown(lesson)) == defined


def test_each_exercise_has_a_cell_that_waits_for_an_answer(lesson):
    cells = code_cells_of(lesson)
    for exercise in definitions.of_lesson(lesson.name[:2]):
        [cell] = [cell for cell in cells if f'sm.check("{exercise.name}"' in cell.source]
        variable = f"answer_{exercise.name.replace('.', '_')}"
        assert cell.source.endswith(f'sm.check("{exercise.name}", {variable})')
        assert re.search(r"= \.\.\.|return \.\.\.", cell.source)
        assert "hide-input" not in tags_of(cell)
        [output] = cell.outputs
        assert output.data["text/plain"] == NO_ANSWER


def test_no_lesson_links_to_the_answers():
    for path in NOTEBOOKS:
        if path not in SOLUTIONS:
            assert "solutions/" not in markdown(path), path.name


def test_every_lesson_links_to_the_glossary(lesson):
    assert "(../docs/glossary.md)" in markdown(lesson)
