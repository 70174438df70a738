"""What is written down twice must say the same: dependencies, the ladder, the published figures."""

import csv
import re
import tomllib
from pathlib import Path

import nibabel as nib
import numpy as np
import oldest
import pages
import pytest
import yaml
from pages import table_of

import skullmask_lib as sm
from skullmask_lib.io import registry
from skullmask_lib.sweeps import LADDER_HEADER, phantom_ladder

HOUSE = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_conda_door_leads_to_pyproject():
    environment = yaml.safe_load((HOUSE / "environment.yml").read_text(encoding="utf-8"))
    *packages, pip = environment["dependencies"]
    python, pip_itself = packages
    assert pip_itself == "pip"
    assert python.startswith("python=")  # Binder reads no other form
    assert (
        f"Programming Language :: Python :: {python.removeprefix('python=')}"
        in PROJECT["classifiers"]
    )
    assert list(pip) == ["pip"]
    [entry] = pip["pip"]
    extras = re.fullmatch(r"-e \.\[([\w,]+)\]", entry)[1].split(",")
    assert set(extras) <= set(PROJECT["optional-dependencies"])


def test_the_version_has_one_home():
    assert sm.__version__ == PROJECT["version"]
    citation = yaml.safe_load((HOUSE / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]


def test_the_citation_is_complete_and_of_this_release():
    citation = yaml.safe_load((HOUSE / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "abstract"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["license"] == PROJECT["license"]
    assert [author["name"] for author in citation["authors"]] == [
        author["name"] for author in PROJECT["authors"]
    ]
    changes = pages.text_of(HOUSE / "CHANGELOG.md")
    [released] = re.findall(
        rf"^## \[{re.escape(citation['version'])}\] - (\S+)$", changes, re.MULTILINE
    )
    assert str(citation["date-released"]) == released


def test_the_headless_wheel_is_held_to_the_same_versions():
    [opencv] = [entry for entry in PROJECT["dependencies"] if entry.startswith("opencv-python")]
    assert f'"{opencv.replace("python", "python-headless")}"' in (HOUSE / "Makefile").read_text(
        encoding="utf-8"
    )


def test_binder_installs_what_opencv_needs():
    packages = (HOUSE / "apt.txt").read_text(encoding="utf-8").split()
    assert packages == ["libgl1", "libglib2.0-0"]


def test_every_supported_python_is_named_and_tested():
    prefix = "Programming Language :: Python :: "
    named = [
        entry.removeprefix(prefix) for entry in PROJECT["classifiers"] if entry.startswith(prefix)
    ]
    workflow = yaml.safe_load(
        (HOUSE / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    )
    tested = workflow["jobs"]["linux"]["strategy"]["matrix"]["python"]
    assert named == ["3", *tested]
    assert PROJECT["requires-python"] == f">={tested[0]}"


def test_actions_are_pinned_by_their_major_version():
    text = "\n".join(
        path.read_text(encoding="utf-8") for path in (HOUSE / ".github" / "workflows").iterdir()
    )
    actions = re.findall(r"uses: (\S+)", text)
    assert actions
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@(release/)?v\d+", action) for action in actions), (
        actions
    )


def test_no_package_is_listed_twice():
    extras = PROJECT["optional-dependencies"].values()
    names = [
        re.match(r"[\w-]+", entry)[0].lower() for entry in sum(extras, PROJECT["dependencies"])
    ]
    assert len(names) == len(set(names))


def test_every_dependency_has_a_minimum():
    entries = oldest.requirements()
    assert {"numpy>=2.0,<3", "nbval==0.11.*"} <= set(entries)
    for entry in entries:
        assert re.fullmatch(r"[\w-]+(>=[\d.]+(,<[\d.]+)?|==[\d.]+(\*)?)", entry), entry
    pinned = [re.fullmatch(r"[\w-]+==[\d.]+\*?", line) for line in oldest.constraints()]
    assert len(pinned) == len(entries) + 1
    assert all(pinned)


def test_the_ladder_is_shown_as_it_is():
    shown = table_of(pages.text_of(pages.RESULTS), LADDER_HEADER)
    assert [row[0] for row in shown] == list(sm.VERSIONS)
    for row, wanted in zip(shown, phantom_ladder(), strict=True):
        for cell, value in zip(row, wanted, strict=True):
            if isinstance(value, str) or np.isnan(value):
                assert cell == (value if isinstance(value, str) else "–")
            else:
                last_digit = 10.0 ** -len(re.fullmatch(r"[-+−]?\d\.(\d+)", cell)[1])
                shown_value = float(cell.replace("−", "-"))
                assert shown_value == pytest.approx(value, abs=0.51 * last_digit), (
                    f"{row[0]}: the page has {cell}"
                )


def test_the_rule_that_the_article_credits_never_fired():
    assert sm.published()["edge_components_per_slice"] == 0
    assert "On the five slices this rule never fired." in pages.unwrapped(pages.RESULTS)


def test_published_figures_are_numbers_with_a_source():
    with open(HOUSE / "data" / "published.csv", newline="", encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    items = [row["item"] for row in rows]
    assert len(items) == len(set(items))
    assert all(re.fullmatch(r"\w+", item) for item in items)
    assert all(set(row) == {"item", "value", "source"} and row["source"].strip() for row in rows)
    assert sm.published() == {row["item"]: float(row["value"]) for row in rows}
    assert all(
        0 < value <= 1 for item, value in sm.published().items() if item.startswith(("iou", "dice"))
    )


def test_published_dice_follows_from_iou():
    published = sm.published()
    for item in [item for item in published if item.startswith("dice_")]:
        iou = published[item.replace("dice", "iou")]
        assert published[item] == pytest.approx(2 * iou / (1 + iou), abs=0.0001)


def test_the_heads_are_told_as_the_registry_has_them():
    text = pages.text_of(HOUSE / "data" / "README.md")
    rows = table_of(text, ("head", "what", "voxel [mm]", "source", "licence", "traced slices"))
    assert [row[0] for row in rows] == list(registry.names())
    for name, what, voxel_mm, source, licence, slices in rows:
        head = registry.originals()[name]
        assert (what, voxel_mm, licence) == (head.what, head.voxel_mm, head.licence)
        owner, repository, commit, path = re.fullmatch(
            r"https://[^/]+/([^/]+)/([^/]+)/(\w+)/(.+)", head.url
        ).groups()
        assert (
            source
            == f"[{owner}/{repository}](https://github.com/{owner}/{repository}/blob/{commit}/{path})"
        )
        truth = registry.truth(name)
        known = (
            np.flatnonzero(np.asanyarray(nib.load(truth).dataobj).any(axis=(0, 1))) if truth else []
        )
        assert slices == (f"{known[0]} … {known[-1]}" if truth else "none")
