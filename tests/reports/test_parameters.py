"""Parameters of notebooks: what a cell may declare, what text may say, and what is refused unrun."""

from pathlib import Path

import papermill
import pytest
from complaints import refused

import skullmask_lib as sm
from skullmask_lib.errors import InputError
from skullmask_lib.reports import inputs, notebooks, running

DECLARED = """
count: int = 3  # how many, 1 … 9
share: float = 0.5  # of the whole, 0 … 1
width: int | None = None  # [px], 1 … 999
name: str = "a"  # a name
flag: bool = False  # yes or no
version: str = "v8"  # of v1 to v8
spacing_mm: list = []  # row and column
sizes: str = "1:61:2"  # widths
slices: str = ""  # which
""".strip()


# --- what a notebook declares --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "values"),
    [
        ("width = 3", ["annotated", "width = 3"]),
        ("width: int = int('3')", ["literal", "width: int = int('3')"]),
        ("a: set = 3", ["bool, int, float, str, list, None", "a: set = 3"]),
        ("a: int = (", ["Python"]),
        ("a: int = 1\0", ["Python"]),
        ("a.b: int = 1", ["annotated", "a.b: int = 1"]),
        ("a: list = {[]: 1}", ["literal", "a: list = {[]: 1}"]),
    ],
)
def test_parameters_must_be_annotated_literals(notebook, cell, values):
    with refused("own.ipynb", naming=values):
        notebooks.parameters(notebook(parameters=cell))


def test_numbers_of_versions_in_a_comment_are_no_range(notebook):
    notebooks.check(notebook(parameters="a: int = 3  # of 1.2.3 … 1.2.9"), {"a": 99})


def test_text_longer_than_the_name_of_a_file_is_no_file():
    text = f"./{300 * 'x'}"
    assert inputs.files_among({"title": text}) == {}
    with refused(text):
        notebooks.find(text)


def test_a_notebook_without_parameters(notebook):
    with refused("own.ipynb", naming=["tagged parameters"]):
        notebooks.check(notebook(parameters=""), {"width": 3})


def test_papermill_knows_every_parameter_too():
    """Papermill reads fewer annotations than Python does; what it cannot read it warns of."""
    path = notebooks.find("report")
    assert set(papermill.inspect_notebook(str(path))) == set(notebooks.parameters(path))


# --- values and texts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ({"widht": 3}, ["widht", " width"]),
        ({"zzz": 3}, ["zzz", "width, name"]),
        ({"width": "3"}, ["width", "int", "'3'"]),
        ({"width": True}, ["width", "int", "True"]),
        ({"name": 3}, ["name", "str", " 3"]),
    ],
)
def test_parameters_are_checked_before_anything_runs(notebook, parameters, values):
    with refused("own.ipynb", naming=values):
        running.execute(notebook(), "out.ipynb", parameters=parameters)
    assert not Path("out.ipynb").exists()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "7", 7),
        ("share", "1", 1),
        ("share", "0.25", 0.25),
        ("width", "none", None),
        ("width", "12", 12),
        ("name", "3", "3"),
        ("name", "None", "None"),
        ("flag", "true", True),
        ("flag", "False", False),
        ("version", "v5,v7", "v5,v7"),
        ("spacing_mm", "0.5,2", [0.5, 2]),
        ("spacing_mm", "[0.5, 2]", [0.5, 2]),
        ("spacing_mm", "0.5 2", [0.5, 2]),
        ("slices", "0:4", "0:4"),
    ],
)
def test_text_becomes_what_the_annotation_asks_for(notebook, name, text, value):
    path = notebook(parameters=DECLARED)
    assert notebooks.read(path, name, text) == value
    notebooks.check(path, {name: value})


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("cuont", "7", [" count"]),
        ("count", "many", ["int", "'many'"]),
        ("count", "1.5", ["int", " 1.5"]),
        ("count", "0", ["1 to 9", " 0"]),
        ("count", "true", ["int", "True"]),
        ("share", "nan", ["float", "'nan'"]),
        ("share", "1.01", ["0 to 1", "1.01"]),
        ("width", "1000", ["1 to 999", "1000"]),
        ("width", "wide", ["int or None", "'wide'"]),
        ("flag", "1", ["bool", " 1"]),
        ("spacing_mm", "a,b", ["0 mm", "'a'"]),
        ("spacing_mm", "0.4", ["0 mm", "0.4"]),
        ("count", "{[]:1}", ["int", "'{[]:1}'"]),
        ("version", "v8,newest", [", ".join(sm.VERSIONS), "'newest'"]),
        ("sizes", "5:1", ["from 1", "start:stop:step", "5:1"]),
        ("slices", "x", ["from 0", "start:stop:step", "x"]),
    ],
)
def test_text_that_will_not_do(notebook, name, text, values):
    path = notebook(parameters=DECLARED)
    with pytest.raises(InputError, match=rf"^own\.ipynb: .*\b{name}\b") as error:
        notebooks.check(path, {name: notebooks.read(path, name, text)})
    for value in values:
        assert value in error.value.message


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("count", "1:9:4", [1, 5, 9]),
        ("count", "2,2,3", [2, 3]),
        ("version", "v5,v7", ["v5", "v7"]),
        ("sizes", "1:9,1:5", ["1:9", "1:5"]),
        ("share", "0,0.5", [0, 0.5]),
    ],
)
def test_values_of_a_grid(notebook, name, text, values):
    assert notebooks.read_values(notebook(parameters=DECLARED), name, text) == values


@pytest.mark.parametrize("text", ["1:13:4", "4,many", "0:3"])
def test_values_of_a_grid_are_checked_each(notebook, text):
    with refused("own.ipynb", naming=["count"]):
        notebooks.read_values(notebook(parameters=DECLARED), "count", text)


# --- versions ------------------------------------------------------------------------------------


def test_versions_may_come_as_a_list():
    path = notebooks.find("report")
    parameters = inputs.prepare(path, {"images": "phantom"}, {"version": ["v7", "v8"]})
    assert parameters["version"] == "v7,v8"


@pytest.mark.parametrize("version", ["v7,v5,v6", "v8,v6,V5", ["v6", "v7"]])
def test_versions_that_a_width_makes_the_same_are_refused(version):
    path = notebooks.find("report")
    images = {"images": "phantom-cropped"}
    with refused("report.ipynb", naming=["dilation_size=5"]):
        inputs.prepare(path, images, {"version": version, "dilation_size": 5})
    inputs.prepare(path, images, {"version": version, "dilation_size": 0})
    inputs.prepare(path, images, {"version": "v8,v7", "dilation_size": 5})
