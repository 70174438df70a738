"""What is written down twice must say the same: dependencies, the ladder, the published figures."""

import re
import subprocess
import tomllib

import nibabel as nib
import numpy as np
import oldest
import pages
import pytest
import yaml
from pages import HOUSE, text_of
from result_tables import DATA, column, rows_of

import skullmask_lib as sm
from publish import sources
from skullmask_lib import versions
from skullmask_lib.io import registry
from skullmask_lib.sweeps import LADDER_HEADER, phantom_ladder

PROJECT = tomllib.loads(text_of(HOUSE / "pyproject.toml"))["project"]
PYTHON_CLASSIFIER = "Programming Language :: Python :: "
WORKFLOWS = HOUSE / ".github" / "workflows"


@pytest.fixture
def citation():
    return yaml.safe_load(text_of(HOUSE / "CITATION.cff"))


def test_the_conda_door_leads_to_pyproject():
    environment = yaml.safe_load(text_of(HOUSE / "environment.yml"))
    python, pip, from_pip = environment["dependencies"]
    assert pip == "pip"
    assert python.startswith("python=")  # Binder reads no other form
    release = python.removeprefix("python=")
    assert f"{PYTHON_CLASSIFIER}{release}" in PROJECT["classifiers"]
    assert list(from_pip) == ["pip"]
    [entry] = from_pip["pip"]
    [extras] = re.fullmatch(r"-e \.\[([\w,]+)\]", entry).groups()
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_version_has_one_home(citation):
    assert sm.__version__ == PROJECT["version"]
    assert citation["version"] == PROJECT["version"]


def test_the_stub_names_every_version():
    assert set(sm.VERSIONS) <= set(sm.__all__)


def test_the_citation_is_complete_and_of_this_release(citation):
    assert {"cff-version", "message", "title", "authors", "abstract"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["license"] == PROJECT["license"]
    assert column(citation["authors"], "name") == column(PROJECT["authors"], "name")
    version = re.escape(citation["version"])
    changelog = text_of(HOUSE / "CHANGELOG.md")
    [release_date] = re.findall(rf"^## \[{version}\] - (\S+)$", changelog, re.MULTILINE)
    assert str(citation["date-released"]) == release_date


def test_the_headless_wheel_is_held_to_the_same_versions():
    [opencv] = [entry for entry in PROJECT["dependencies"] if entry.startswith("opencv-python")]
    headless = opencv.replace("python", "python-headless")
    assert f'"{headless}"' in text_of(HOUSE / "Makefile")


def test_binder_installs_what_opencv_needs():
    packages = text_of(HOUSE / "apt.txt").split()
    assert packages == ["libgl1", "libglib2.0-0"]


def test_every_supported_python_is_named_and_tested():
    named = []
    for classifier in PROJECT["classifiers"]:
        if classifier.startswith(PYTHON_CLASSIFIER):
            named.append(classifier.removeprefix(PYTHON_CLASSIFIER))
    workflow = yaml.safe_load(text_of(WORKFLOWS / "tests.yml"))
    tested = workflow["jobs"]["linux"]["strategy"]["matrix"]["python"]
    assert named == ["3", *tested]
    assert PROJECT["requires-python"] == f">={tested[0]}"


def test_actions_are_pinned_by_their_major_version():
    text = "\n".join(map(text_of, WORKFLOWS.iterdir()))
    actions = re.findall(r"uses: (\S+)", text)
    assert actions
    for action in actions:
        assert re.fullmatch(r"[\w-]+/[\w-]+@(release/)?v\d+", action), action


def test_git_ignores_what_the_workflow_measures():
    text = text_of(WORKFLOWS / "tests.yml")
    [report] = re.findall(r"path: (coverage\S+)", text)
    for name in (".coverage", ".coverage.a-host.123", report):
        command = ["git", "check-ignore", "--quiet", name]
        assert subprocess.run(command, cwd=HOUSE, check=False).returncode == 0, name


def test_no_package_is_listed_twice():
    entries = list(PROJECT["dependencies"])
    for extra in PROJECT["optional-dependencies"].values():
        entries += extra
    names = [re.match(r"[\w-]+", entry)[0].lower() for entry in entries]
    assert len(names) == len(set(names))


def test_every_dependency_has_a_minimum():
    entries = oldest.requirements()
    assert {"numpy>=2.0,<3", "nbval==0.11.*"} <= set(entries)
    for entry in entries:
        assert re.fullmatch(r"[\w-]+(>=[\d.]+(,<[\d.]+)?|==[\d.]+(\*)?)", entry), entry
    constraints = oldest.constraints()
    assert len(constraints) == len(entries) + 1  # and OpenCV's headless wheel
    for constraint in constraints:
        assert re.fullmatch(r"[\w-]+==[\d.]+\*?", constraint), constraint


def test_the_ladder_is_shown_as_it_is():
    shown = pages.table_of(text_of(pages.RESULTS), LADDER_HEADER)
    assert column(shown, 0) == list(sm.VERSIONS)
    for row, wanted in zip(shown, phantom_ladder(), strict=True):
        for cell, value in zip(row, wanted, strict=True):
            check_cell(cell, value)


def check_cell(cell, value):
    """Check that a cell of a page shows a value, rounded to as many digits as the page has."""
    if isinstance(value, str):
        assert cell == value
    elif np.isnan(value):
        assert cell == "–"
    else:
        [decimals] = re.fullmatch(r"[-+−]?\d\.(\d+)", cell).groups()
        last_digit = 10.0 ** -len(decimals)
        number = float(cell.replace("−", "-"))
        assert number == pytest.approx(value, abs=0.51 * last_digit)


def test_the_rule_that_the_article_credits_never_fired():
    assert sm.published()["edge_components_per_slice"] == 0
    for image in sm.load("phantom").images:
        assert not versions.brain_and_scalp(image)["scalp"].any()
    text = pages.unwrapped(pages.RESULTS)
    assert "never fired on his five slices; nor does it fire on the phantom" in text


def test_published_figures_are_numbers_with_a_source():
    rows = rows_of(DATA / "published.csv")
    items = column(rows, "item")
    assert len(items) == len(set(items))
    for row in rows:
        assert set(row) == {"item", "value", "source"}
        assert re.fullmatch(r"\w+", row["item"])
        assert row["source"].strip()
    assert sm.published() == {row["item"]: float(row["value"]) for row in rows}
    for item, value in sm.published().items():
        if item.startswith(("iou", "dice")):
            assert 0 < value <= 1, item


def test_every_table_has_a_row_in_the_readme_of_data():
    assert {table.name for table in sources.tables()} <= set(sources._descriptions())


def test_a_table_without_a_row_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "tables", lambda: [tmp_path / "new.csv"])
    with pytest.raises(ValueError, match=r"new\.csv in data/README\.md"):
        sources._write_tables(tmp_path)


def test_a_table_ends_its_lines_as_the_scripts_write_them():
    tables = sorted(DATA.glob("*.csv"))
    assert tables
    for table in tables:
        assert b"\r" not in table.read_bytes(), table.name


def test_published_dice_follows_from_iou():
    published = sm.published()
    dice_items = [item for item in published if item.startswith("dice_")]
    assert dice_items
    for item in dice_items:
        iou = published[item.replace("dice", "iou")]
        assert published[item] == pytest.approx(2 * iou / (1 + iou), abs=0.0001)


def test_the_heads_are_told_as_the_registry_has_them():
    header = ("head", "what", "voxel [mm]", "source", "licence", "traced slices")
    rows = pages.table_of(text_of(DATA / "README.md"), header)
    assert column(rows, 0) == list(registry.names())
    for name, what, voxel_mm, source, licence, slices in rows:
        head = registry.originals()[name]
        assert (what, voxel_mm, licence) == (head.what, head.voxel_mm, head.licence)
        assert source == link_to(head.url)
        assert slices == traced_slices(registry.truth(name))


def link_to(url):
    """Write the link to the page of a file on GitHub, from the address that it is fetched from."""
    parts = re.fullmatch(r"https://[^/]+/([^/]+)/([^/]+)/(\w+)/(.+)", url)
    owner, repository, commit, path = parts.groups()
    page = f"https://github.com/{owner}/{repository}/blob/{commit}/{path}"
    return f"[{owner}/{repository}]({page})"


def traced_slices(truth):
    """Say from where to where a file of traced masks is not empty."""
    if truth is None:
        return "none"
    masks = np.asanyarray(nib.load(truth).dataobj)
    traced = np.flatnonzero(masks.any(axis=(0, 1)))
    return f"{traced[0]} … {traced[-1]}"


def test_what_lands_a_change_runs_all_of_test_full():
    makefile = (HOUSE / "Makefile").read_text(encoding="utf-8")
    [parts] = re.findall(r"^test-full: ((?:[\w-]+ )+) ##", makefile, re.MULTILINE)
    script = (HOUSE / ".ci" / "run").read_text(encoding="utf-8")
    targets = re.split(r"[\s\"]+", script)
    for part in ("lint", "demo", *parts.split()):
        assert part in targets


def dry_run(*arguments):
    """Return the commands that make would run."""
    command = ["make", "-n", "--no-print-directory", *arguments]
    run = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=True)
    return run.stdout


def test_make_clean_removes_the_environment_that_was_named():
    assert dry_run("VENV=of-my-own", "clean").startswith("rm -rf of-my-own ")


@pytest.mark.parametrize("targets", ["demo", "torch", "demo lab", "torch lab", "test site"])
def test_an_environment_is_left_with_an_opencv_that_loads(targets, tmp_path):
    commands = dry_run(f"VENV={tmp_path}", *targets.split())
    assert 0 < commands.rfind(" -e ") < commands.rfind("import cv2")
