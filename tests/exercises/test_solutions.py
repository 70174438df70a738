"""Each answer in notebooks/solutions passes its check, and fails it once a key constant changes."""

import ast
from functools import cache

import nbformat
import pytest

from skullmask_lib.exercises import checking, definitions
from skullmask_lib.project import project_folder
from skullmask_lib.reports import notebooks

# Changes of one constant in the answer to an exercise, each of which makes the answer wrong
MUTATIONS = [
    ("00.1", "[3:6, 1:6]", "[3:6, 0:6]"),
    ("00.1", "[3:6, 1:6]", "[2:6, 1:6]"),
    ("00.2", "radius_px - 1,", "radius_px - 2,"),
    ("00.2", "<= radius_px)", "< radius_px)"),
    ("01.1", "connectivity=4", "connectivity=8"),
    ("01.1", "areas_px[0] = 0", "areas_px[1] = 0"),
    ("01.2", "[-2:]", "[-3:]"),
    ("01.2", "areas_px[0] = 0", "areas_px[1] = 0"),
    ("02.1", "closed(2, 15)", "closed(2, 13)"),
    ("02.1", "widest_mended_px(3)", "widest_mended_px(5)"),
    ("02.2", "[1:-1, 1:-1]", "[2:-1, 1:-1]"),
    ("02.2", "[:, 1:] |= wet[:, :-1]", "[:, 2:] |= wet[:, :-2]"),
    ("02.2", "grown[1:] |= wet[:-1]", "grown[2:] |= wet[:-2]"),
    ("03.1", "+ 5", "+ 6"),
    ("03.1", "- 1", "- 0"),
    ("03.2", ":30, -30:", ":20, -20:"),
    ("03.2", "99", "98"),
    ("04.1", "dilation_size=16", "dilation_size=17"),
    ("04.2", "row + 2", "row + 3"),
    ("04.2", "last + 1", "last + 2"),
    ("04.2", "shape[1] // 2", "shape[1] // 3"),
    ("05.1", "range(2, 62, 4)", "range(2, 62, 5)"),
    ("05.1", "axis=0", "axis=1"),
    ("05.2", "range(1, 62)", "range(1, 20)"),
    ("05.2", "(width, width)", "(width, 3)"),
    ("06.1", "[25, 26, 27]", "[25, 26, 28]"),
    ("06.1", "axis=0", "axis=1"),
    ("06.2", "43)", "31)"),
    ("06.2", "> 100", "> 1000"),
    ("06.2", "26)", "25)"),
    ("07.1", "size=40)", "size=41)"),
    ("07.1", "size=40) - mean_iou", "size=38) - mean_iou"),
    ("07.2", "[0] - width", "[0] - 2 * width"),
    ("07.2", "1, -1)", "1, 1)"),
    ("08.1", "int(price[0, first:]", "int(price[0, 0:]"),
    ("08.1", "0.2)", "0.4)"),
    ("08.2", "4 + price", "0 + price"),
    ("08.2", "(image, spacing_mm)\n", "(image, (0.42, 0.42))\n"),
    ("08.2", "polar.unwrap(image, spacing_mm)", "polar.unwrap(image)"),
    ("09.1", "masks.normalize(image)", "masks.normalize(image) // 2"),
    ("09.2", "scaled**power", "scaled**0.5"),
    ("10.1", "noisy(0.25)", "noisy(0.2)"),
    ("10.2", "99.9", "50"),
    ("11.1", "default_rng(11)", "default_rng(12)"),
    ("11.2", "(0, 1, 2)", "(1, 2, 3)"),
    ("11.2", "2 * brain_masks", "1.9 * brain_masks"),
    ("12.1", "> 0.5", "> 0.4"),
    ("12.1", "order=1", "order=0"),
    ("12.2", "30 / sizes_mm", "20 / sizes_mm"),
    ("12.2", "[0]", "[1]"),
    ("20.1", "[4, 11, 19]", "[4, 11, 17]"),
    ("20.1", "chunk=3", "chunk=4"),
    ("20.2", "start + chunk", "start + 1"),
    ("30.1", "np.interp(0.95", "np.interp(0.96"),
    ("30.1", "np.log(numbers[pair])", "np.sqrt(numbers[pair])"),
    ("30.2", "image[:, ::-1])", "image[::-1])"),
    ("30.2", "/ 2", "/ 3"),
    ("31.1", "sm.dice(", "sm.iou("),
    ("31.1", "lambda _: share", "lambda _: 0.9 * share"),
    ("31.2", "number * size", "number"),
    ("31.2", "% count", "% size"),
    ("32.1", "0, 0] = 1", "0, 0] = 0"),
    ("32.1", "axis=(1, 2)), 0, 0]", "axis=(1, 2)), :2, 0]"),
    ("32.2", "connectivity=8", "connectivity=4"),
    ("32.2", ">= least_px", "> least_px"),
    ("32.2", "areas_px[0] = 0", "areas_px[1] = 0"),
]
LESSONS = definitions.lessons()


def solutions(lesson):
    """Find the notebook with the answers to a lesson."""
    [path] = project_folder("notebooks").glob(f"solutions/{lesson}_*.ipynb")
    return path


def run(source, names):
    """Run a cell and return the value of its last line, as Jupyter shows it."""
    tree = ast.parse(source)
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "cell", "exec"), names)
        return None
    del tree.body[-1]
    exec(compile(tree, "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


@cache
def results(lesson):
    """Run the answers to a lesson; return its code cells with their values, and the names."""
    names = {}
    cells = []
    for cell in nbformat.read(solutions(lesson), as_version=4).cells:
        if cell.cell_type == "code":
            cells.append((cell, run(cell.source, names)))
    return cells, names


def tagged(lesson, tag, exercise=""):
    """List the cells with a tag that check an answer, of one exercise or all, and their values."""
    cells, _ = results(lesson)
    tagged_cells = []
    for cell, value in cells:
        is_tagged = tag in cell.metadata.get("tags", ())
        if is_tagged and f'sm.check("{exercise}' in cell.source:
            tagged_cells.append((cell, value))
    return tagged_cells


def test_every_lesson_has_exercises_and_answers():
    lessons = {path.name for path in notebooks.lessons()}
    assert {name[:2] for name in lessons} == set(LESSONS)
    folder = project_folder("notebooks") / "solutions"
    assert {path.name for path in folder.glob("*.ipynb")} == lessons


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_has_one_exercise_of_each_kind(lesson):
    exercises = definitions.of_lesson(lesson)
    assert {exercise.kind for exercise in exercises} == {"modify", "make"}
    names = [exercise.name for exercise in exercises]
    assert names == [f"{lesson}.{number}" for number in range(1, len(exercises) + 1)]
    assert all(exercise.level in (1, 2, 3) for exercise in exercises)


@pytest.mark.parametrize("lesson", LESSONS)
def test_answers_pass_and_wrong_ones_get_replies_of_their_own(lesson):
    for exercise in definitions.of_lesson(lesson):
        [(_, reply)] = tagged(lesson, "answer", exercise.name)
        assert reply, reply
        replies = [reply for _, reply in tagged(lesson, "wrong", exercise.name)]
        assert not any(replies)
        sentences = {reply.sentence for reply in replies}
        assert len(sentences) == len(replies)
        for sentence in sentences:
            assert sentence.startswith("Not yet: ")
    assert len(tagged(lesson, "wrong")) >= 4


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: f"{m[0]} {m[1]} to {m[2]}")
def test_an_answer_with_another_constant_fails(mutation):
    name, constant, other = mutation
    [(cell, _)] = tagged(name[:2], "answer", name)
    assert constant in cell.source
    _, names = results(name[:2])
    reply = run(cell.source.replace(constant, other), dict(names))
    assert isinstance(reply, checking.Reply)
    assert not reply


def test_every_answer_is_mutated():
    exercises = set()
    for lesson in LESSONS:
        exercises |= {exercise.name for exercise in definitions.of_lesson(lesson)}
    assert {exercise for exercise, _, _ in MUTATIONS} == exercises
