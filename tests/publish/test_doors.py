"""The doors lead where they say: addresses, and the files that Binder, Colab and codespaces read."""

import ast
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
    explained = pages.anchors(pages.HOUSE / doors.LIVE)
    addresses = doors.addresses(LESSONS[0], repository)
    near = [address for address in addresses.values() if not links.is_external(address)]
    assert len(near) == (1 if repository else len(addresses))
    for address in near:
        path, anchor = links.resolve(address, LESSONS[0])
        assert path == doors.LIVE
        assert anchor in explained


def test_the_page_shows_the_setting_as_it_is_read(monkeypatch):
    [setting] = re.findall(r'^repository = "(.+)"$', pages.text_of(pages.HOUSE / doors.LIVE), re.M)
    changed = {"tool": {"skullmask": {"repository": setting}}}
    monkeypatch.setattr(doors, "_settings", lambda: changed)
    assert doors.repository() == setting


@pytest.fixture(scope="module", params=LESSONS, ids=str)
def lesson_and_copy(request):
    lesson = nbformat.read(pages.HOUSE / request.param, as_version=4)
    return lesson, doors.colab_copy(request.param, REPOSITORY)


def test_the_copy_for_colab_differs_by_its_first_cell_and_its_links(lesson_and_copy):
    lesson, copy = lesson_and_copy
    first, *others = copy.cells
    assert first.source.count("%pip install") == 2
    assert f"git+https://github.com/{REPOSITORY}" in first.source
    assert len(others) == len(lesson.cells)
    for cell, original in zip(others, lesson.cells, strict=True):
        if cell.cell_type == "code":
            assert cell == original
        else:
            targets = pages.targets(cell.source)
            assert all(links.is_external(target) or target[0] == "#" for target in targets)
            assert len(targets) == len(pages.targets(original.source))
    nbformat.validate(copy)


@pytest.fixture(scope="module")
def homes():
    """List the installed packages by the modules that they hold."""
    return importlib.metadata.packages_distributions()


def test_colab_installs_all_that_the_lessons_import(lesson_and_copy, homes):
    lesson, _ = lesson_and_copy
    code = "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "code")
    imported = set()
    for statement in ast.walk(ast.parse(code)):
        if isinstance(statement, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            imported.add(statement.module.split(".")[0])
    at_hand = {*doors.colab_packages(), *doors._COLAB_BRINGS, "skullmask"}
    for module in imported - set(sys.stdlib_module_names) - {"skullmask_lib"}:
        packages = homes.get(module, [module])  # torch need not be installed here
        assert {name.lower().removesuffix("-headless") for name in packages} & at_hand, module


def test_what_colab_brings_is_named_in_pyproject():
    project = doors._settings()["project"]
    named = {re.match(r"[\w-]+", entry)[0] for entry in project["dependencies"]}
    assert named >= doors._COLAB_BRINGS


def test_the_dev_container_installs_from_pyproject():
    text = (pages.HOUSE / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    container = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
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
    container = (pages.HOUSE / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")
    conda = (pages.HOUSE / "environment.yml").read_text(encoding="utf-8")
    zipped = (pages.HOUSE / "publish" / "student.md").read_text(encoding="utf-8")
    for text in (container, conda, zipped):
        assert ".[app,batch,volumes]" in text


@pytest.fixture(scope="module")
def workflow():
    path = pages.HOUSE / ".github" / "workflows" / "site.yml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def commands_of(job):
    return "\n".join(step.get("run", "") for step in job["steps"])


def actions_of(job):
    """List what the actions of a job are given, by their names without versions."""
    steps = [step for step in job["steps"] if "uses" in step]
    return {step["uses"].partition("@")[0]: step.get("with", {}) for step in steps}


def test_the_workflow_publishes_what_make_writes(workflow):
    build, colab = workflow["jobs"]["build"], workflow["jobs"]["colab"]
    makefile = (pages.HOUSE / "Makefile").read_text(encoding="utf-8")
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
