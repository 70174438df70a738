"""How many minutes a student needs for each section of a lesson, counted from its cells.

Run it to write the minutes into the lessons, into the contents of lesson 00, into README.md and into
the tables of docs/teaching.md: ``python tests/pacing.py``. Tests compare them.
"""

import re
from pathlib import Path

import nbformat

HOUSE = Path(__file__).parent.parent
TEACHING = HOUSE / "docs" / "teaching.md"
LESSONS = sorted((HOUSE / "notebooks").glob("[0-9]*.ipynb"))

# A student reads a text that teaches, in a language that may not be their own.
WORDS_PER_MINUTE = 130
LINES_OF_CODE_PER_MINUTE = 8
MINUTES_PER_OUTPUT = 0.7  # a figure, a table or what a cell prints
MINUTES_TO_EXPLORE = 4
MINUTES_TO_PREDICT = 1.5

_HIDDEN = "hide-input"
_FOLD = re.compile(r"<details>.*?</details>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
_EXERCISE = re.compile(r"\*\*(Modify|Make) (\d\d\.\d)\*\* \((★+), (\d+) minutes\)")
_LINE = re.compile(r"^\*About \d+ minutes.*\*$", re.MULTILINE)

# For teachers with little time; lesson 00 names these lessons and says how long they take
SHORT_COURSE = ("00", "01", "04", "07")
# Plans for teachers: lesson and sections to do; without sections, all of the lesson
_FIRST_SECTIONS = (
    "What a slice shows",
    "The task",
    "The score by hand",
    "Look at it: three faults",
    "Measure",
)
PLANS = {
    "90 minutes": (
        ("00", *_FIRST_SECTIONS),
        ("01", "start", "The idea", "The step in the open", "Look at it"),
        ("04", "start", "The idea", "Look at it", "Explore"),
        (
            "07",
            "start",
            "The idea",
            "How often does the frame rule fire?",
            "Measure: two baselines and two rivals",
            "Summary",
        ),
    ),
    "half a day": (
        ("00", *_FIRST_SECTIONS, "Explore"),
        ("01",),
        (
            "04",
            "start",
            "The idea",
            "The step in the open",
            "Look at it",
            "Measure",
            "The frame rule by itself",
            "Explore",
            "Where it fails",
        ),
        ("05", "start", "The idea: width and reach", "Measure: the sweep", "Explore"),
        (
            "07",
            "start",
            "The idea",
            "How often does the frame rule fire?",
            'Look at it and explore: what does "26" mean?',
            "Measure: two baselines and two rivals",
            "Choosing on the slices that are scored",
            "Where it fails: real heads",
            "Summary",
        ),
    ),
}
# The lessons of a week; on Friday there is the capstone
WEEK = {
    "Monday": ("00", "01"),
    "Tuesday": ("04", "05"),
    "Wednesday": ("06", "07"),
    "Thursday": ("08",),
}
_SHORT_COURSE = re.compile(r"takes about \d+ minutes without the exercises")


def sections(path):
    """Count the minutes of each section of a lesson, rounded; the first is called *start*."""
    exact = {"start": 0.0}
    name = "start"
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            exact[name] += _studying(cell)
            continue
        before, *parts = re.split(r"^## (.+)$", cell.source, flags=re.MULTILINE)
        exact[name] += _reading(before)
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            exact[name] = _reading(f"## {name}{text}")
    return {name: max(1, round(minutes)) for name, minutes in exact.items()}


def _reading(text):
    """Count the minutes for a text and for what it asks the student to do."""
    text = _TAG.sub(" ", _FOLD.sub(" ", _LINE.sub("", text)))
    minutes = len(text.split()) / WORDS_PER_MINUTE
    minutes += MINUTES_TO_PREDICT * text.count("**Predict")
    minutes += sum(minutes for *_, minutes in exercises(text))
    return minutes


def exercises(text):
    """List name, kind, stars and minutes of each exercise as a lesson states them."""
    return [
        (name, kind.lower(), stars, int(minutes))
        for kind, name, stars, minutes in _EXERCISE.findall(text)
    ]


def _studying(cell):
    """Count the minutes for a code cell and its outputs; answers come with their exercises."""
    is_hidden = _HIDDEN in cell.metadata.get("tags", [])
    is_answer = is_hidden and "exercises.fold" in cell.source
    if is_answer or "sm.check(" in cell.source:
        return 0.0
    minutes = 0.0
    if not is_hidden:
        minutes += len(cell.source.splitlines()) / LINES_OF_CODE_PER_MINUTE
    if "explore.sliders(" in cell.source:
        return minutes + MINUTES_TO_EXPLORE
    return minutes + MINUTES_PER_OUTPUT * len(cell.outputs)


def total(path):
    """Sum the minutes of a lesson."""
    return sum(sections(path).values())


def line(path):
    """Write the line that a lesson states below its title."""
    parts = [f"{name.lower()} {minutes}" for name, minutes in sections(path).items()]
    return f"*About {total(path)} minutes: {', '.join(parts)}.*"


def stated(path):
    """Read the line that a lesson states."""
    first = nbformat.read(path, as_version=4).cells[0].source
    found = _LINE.search(first)
    return found[0] if found else None


def short_course():
    """Write how long the short course takes; lesson 00 says so to teachers."""
    minutes = 0
    for path in LESSONS:
        if path.name.startswith(SHORT_COURSE):
            minutes += total(path) - sections(path).get("Exercises", 0)
    return f"takes about {minutes} minutes without the exercises"


def _row(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def _link(path):
    number, _, what = contents()[path.name][0].partition(" ")
    return f"[{number} · {what}](../notebooks/{path.name})"


def contents():
    """Read from lesson 00 what it calls every lesson, and what it says that the lesson is about."""
    listed = {}
    for cell in nbformat.read(LESSONS[0], as_version=4).cells:
        rows = re.findall(
            r"^\| \[([^\]]+)\]\((\S+\.ipynb)\) \| (.+?) \|", cell.source, re.MULTILINE
        )
        for title, name, what in rows:
            listed[name] = title, what
    return listed


def lessons_table():
    """Write the table of all lessons for teachers."""
    lines = [
        _row("lesson", "what it is about", "minutes", "of these, exercises"),
        _row(":--", ":--", "--:", "--:"),
    ]
    for path in LESSONS:
        _, what = contents()[path.name]
        in_exercises = sections(path).get("Exercises", 0)
        lines.append(_row(_link(path), what, total(path), in_exercises))
    return "\n".join(lines)


def sections_table():
    """Write how long every section of every lesson takes."""
    lines = [_row("lesson", "minutes of its sections"), _row(":--", ":--")]
    for path in LESSONS:
        parts = [f"{name.lower()} {minutes}" for name, minutes in sections(path).items()]
        lines.append(_row(path.name[:2], ", ".join(parts)))
    return "\n".join(lines)


def _lesson(number):
    """Find a lesson by its number."""
    [path] = [path for path in LESSONS if path.name.startswith(number)]
    return path


def minutes_of(number, *chosen):
    """Sum the minutes of sections of a lesson, or of all of them."""
    known = sections(_lesson(number))
    return sum(known[name] for name in chosen or known)


def plan_minutes(plan):
    """Sum the minutes of a plan."""
    return sum(minutes_of(*part) for part in PLANS[plan])


def day_minutes(day):
    """Sum the minutes of a day of the week."""
    return sum(map(minutes_of, WEEK[day]))


def plan_table(plan):
    """Write a plan: the sections to do of each lesson, and their minutes."""
    lines = [_row("lesson", "sections", "minutes"), _row(":--", ":--", "--:")]
    for number, *chosen in PLANS[plan]:
        doing = "; ".join(chosen) or "all"
        lines.append(_row(_link(_lesson(number)), doing, minutes_of(number, *chosen)))
    lines.append(_row("together", "", plan_minutes(plan)))
    return "\n".join(lines)


def week_table():
    """Write the lessons of each day of a week."""
    lines = [_row("day", "lessons, with their exercises", "minutes"), _row(":--", ":--", "--:")]
    for day, numbers in WEEK.items():
        links = ", ".join(_link(_lesson(number)) for number in numbers)
        lines.append(_row(day, links, day_minutes(day)))
    return "\n".join(lines)


def tables():
    """Write all tables of the page for teachers, by the names that mark their places in it."""
    written = {"lessons": lessons_table(), "sections": sections_table()}
    written |= {plan: plan_table(plan) for plan in PLANS}
    return written | {"a week": week_table()}


def place_of(name):
    """Find a table by the comments around it."""
    return re.compile(rf"(<!-- pacing: {name} -->\n)[^<]*(<!-- end -->)")


def main():
    for path in LESSONS:
        notebook = nbformat.read(path, as_version=4)
        first = notebook.cells[0]
        heading, _, rest = first.source.partition("\n")
        rest = _LINE.sub("", rest).strip()
        first.source = f"{heading}\n\n{line(path)}\n\n{rest}"
        nbformat.write(notebook, path)
    for page in (HOUSE / "README.md", LESSONS[0]):
        text = page.read_text(encoding="utf-8")
        for path in LESSONS:
            row = re.compile(rf"({path.name}\)[^\n]*\|\s*)\d+(\s*\|)")
            text = row.sub(rf"\g<1>{total(path)}\g<2>", text)
        text = _SHORT_COURSE.sub(short_course(), text)
        page.write_text(text, encoding="utf-8")
    text = TEACHING.read_text(encoding="utf-8")
    for name, table in tables().items():
        text = place_of(name).sub(
            lambda found, table=table: f"{found[1]}\n{table}\n\n{found[2]}", text
        )
    TEACHING.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
