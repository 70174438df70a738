"""The doors lead where they say: addresses, and what Binder, Colab and codespaces read."""

import ast
import copy
import importlib.metadata
import json
import re
import sys
import urllib.parse
from pathlib import PurePosixPath

import nbformat
import pages
import pytest
import yaml

from publish import doors, links
from skullmask_lib.reports import notebooks

LESSONS = [PurePosixPath("notebooks", path.name) for path in notebooks.lessons()]
REPOSITORY = "owner/some.name"


@pytest.fixture(autouse=True)
def nowhere(monkeypatch):
    """Take away the name of the repository that a workflow of GitHub sets."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)


def test_a_workflow_leads_to_its_own_repository(monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", REPOSITORY)
    assert doors.repository() == REPOSITORY


@pytest.mark.parametrize("name", ["owner", "https://example.org/owner/name", "a/b c", 'a/b"'])
def test_other_forms_of_the_name_are_refused(name, monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", name)
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        doors.repository()


@pytest.mark.parametrize("lesson", LESSONS, ids=str)
def test_every_door_names_the_lesson(lesson):
    addresses = doors.addresses(lesson, REPOSITORY)
    binder = urllib.parse.urlsplit(addresses["Binder"])
    assert binder.path == f"/v2/gh/{REPOSITORY}/main"
    assert urllib.parse.parse_qs(binder.query) == {"urlpath": [f"lab/tree/{lesson}"]}
    assert addresses["Colab"].endswith(f"/github/{REPOSITORY}/blob/colab/{lesson}")
    assert urllib.parse.urlsplit(addresses["Codespace"]).path == f"/{REPOSITORY}"


@pytest.mark.parametrize("repository", ["", REPOSITORY])
def test_doors_without_an_address_lead_to_their_explanation(repository):
    anchors = pages.anchors(pages.HOUSE / doors.LIVE)
    addresses = doors.addresses(LESSONS[0], repository)
    internal = [address for address in addresses.values() if not links.is_external(address)]
    assert len(internal) == (1 if repository else len(addresses))
    for address in internal:
        path, anchor = links.resolve(address, LESSONS[0])
        assert path == doors.LIVE
        assert anchor in anchors


def test_the_page_shows_the_setting_as_it_is_read(monkeypatch):
    text = pages.text_of(pages.HOUSE / doors.LIVE)
    [setting] = re.findall(r'^repository = "(.+)"$', text, re.MULTILINE)
    changed = {"tool": {"skullmask": {"repository": setting}}}
    monkeypatch.setattr(doors, "_settings", lambda: changed)
    assert doors.repository() == setting


@pytest.fixture(scope="module", params=LESSONS, ids=str)
def lesson_and_copy(request):
    lesson = nbformat.read(pages.HOUSE / request.param, as_version=4)
    return lesson, doors.colab_copy(request.param, REPOSITORY)


def test_the_copy_for_colab_differs_by_its_first_cell_and_its_links(lesson_and_copy):
    lesson, for_colab = lesson_and_copy
    first, *others = for_colab.cells
    assert first.source.count("%pip install") == 2
    assert f"git+https://github.com/{REPOSITORY}" in first.source
    assert len(others) == len(lesson.cells)
    for cell, original in zip(others, lesson.cells, strict=True):
        for text, original_text in zip(texts_of(cell), texts_of(original), strict=True):
            targets = pages.targets(text)
            for target in targets:
                assert links.is_external(target) or target.startswith("#"), target
            assert len(targets) == len(pages.targets(original_text))
        assert without_texts(cell) == without_texts(original)
    nbformat.validate(for_colab)


def texts_of(cell):
    """List the Markdown of a cell: its source, or that of its outputs."""
    if cell.cell_type == "markdown":
        return [cell.source]
    outputs = [output.get("data", {}) for output in cell.outputs]
    return [data["text/markdown"] for data in outputs if "text/markdown" in data]


def without_texts(cell):
    """Copy a cell without its Markdown."""
    bare = copy.deepcopy(cell)
    if bare.cell_type == "markdown":
        bare.source = ""
        return bare
    for output in bare.outputs:
        output.get("data", {}).pop("text/markdown", None)
    return bare


def imported_modules(notebook):
    """Name the packages that a notebook imports, without Python's own and ours."""
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    modules = set()
    for statement in ast.walk(ast.parse(code)):
        if isinstance(statement, ast.Import):
            modules |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            modules.add(statement.module)
    packages = {module.partition(".")[0] for module in modules}
    return packages - set(sys.stdlib_module_names) - {"skullmask_lib"}


@pytest.fixture(scope="module")
def distributions():
    """List the installed distributions by the modules that they hold."""
    return importlib.metadata.packages_distributions()


def test_colab_installs_all_that_the_lessons_import(lesson_and_copy, distributions):
    lesson, _ = lesson_and_copy
    at_hand = {*doors.colab_packages(), *doors._COLAB_BRINGS, "skullmask"}
    for module in imported_modules(lesson):
        names = distributions.get(module, [module])  # torch need not be installed here
        assert {name.lower().removesuffix("-headless") for name in names} & at_hand, module


def test_what_colab_brings_is_named_in_pyproject():
    project = doors._settings()["project"]
    dependencies = {re.match(r"[\w-]+", entry)[0] for entry in project["dependencies"]}
    assert dependencies >= doors._COLAB_BRINGS


def text_of(*path):
    return pages.HOUSE.joinpath(*path).read_text(encoding="utf-8")


def test_the_dev_container_installs_from_pyproject():
    text = text_of(".devcontainer", "devcontainer.json")
    without_comments = re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE)
    container = json.loads(without_comments)
    image, _, version = container["image"].partition(":")
    assert image == "python"
    project = doors._settings()["project"]
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]
    assert "$(cat apt.txt)" in container["onCreateCommand"]
    [extras] = re.findall(r"-e '\.\[([\w,]+)\]'", container["onCreateCommand"])
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    for file in container["customizations"]["codespaces"]["openFiles"]:
        assert (pages.HOUSE / file).is_file()


def test_every_door_installs_what_the_lessons_need():
    container = text_of(".devcontainer", "devcontainer.json")
    conda = text_of("environment.yml")
    handout = text_of("publish", "student.md")
    for text in (container, conda, handout):
        assert ".[app,batch,volumes]" in text


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load(text_of(".github", "workflows", "site.yml"))


def commands_of(job):
    return "\n".join(step.get("run", "") for step in job["steps"])


def actions_of(job):
    """List the inputs of the actions of a job, by the names of the actions without versions."""
    actions = {}
    for step in job["steps"]:
        if "uses" in step:
            name, _, _ = step["uses"].partition("@")
            actions[name] = step.get("with", {})
    return actions


def test_the_workflow_publishes_what_make_writes(workflow):
    build = workflow["jobs"]["build"]
    colab = workflow["jobs"]["colab"]
    makefile = text_of("Makefile")
    targets = re.findall(r"make PYTHON=python (\w+)$", commands_of(build), re.MULTILINE)
    assert targets == ["site", "colab"]
    for target in targets:
        assert re.search(rf"^{target}:.*build/{target}", makefile, re.MULTILINE)
    actions = actions_of(build)
    assert actions["actions/upload-pages-artifact"]["path"] == "build/site"
    assert actions["actions/upload-artifact"]["path"] == "build/colab"
    artifact = actions_of(colab)["actions/download-artifact"]["name"]
    assert artifact == actions["actions/upload-artifact"]["name"]
    assert f"git push --force origin {doors.COLAB_BRANCH}" in commands_of(colab)


def test_what_runs_packages_cannot_write_and_what_writes_runs_none(workflow):
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        if "permissions" in job:
            assert not re.search(r"\b(make|pip|python)\b", commands_of(job)), name
            assert job["if"] == f"github.ref == 'refs/heads/{doors.BRANCH}'"
            assert job["needs"] == "build"
        else:
            assert actions_of(job)["actions/checkout"]["persist-credentials"] is False, name


def test_a_later_push_waits_for_the_deployment(workflow):
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert "github.ref" in workflow["concurrency"]["group"]  # other branches do not take its turn
