"""The table of networks for volumes that lesson 31 shows, and the script that makes it."""

import csv

import deep_volumes
import numpy as np
import pytest

from skullmask_lib.deep import brains, random_brains, training
from skullmask_lib.errors import InputError
from skullmask_lib.project import project_folder

METHODS = [deep_volumes.STRIP, *deep_volumes.KINDS]
DATA = [deep_volumes.HELD_OUT, *deep_volumes.VOLUMES]
T1 = [name for name, facts in deep_volumes.VOLUMES.items() if facts.sequence == "T1"]


def read(file):
    with open(file, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


@pytest.fixture(scope="module")
def rows():
    return read(project_folder("data") / "deep_volumes.csv")


def scores(rows, method, column, *data):
    return [float(row[column]) for row in rows if row["method"] == method and row["data"] in data]


def test_the_table_holds_every_method_on_everything(rows):
    assert tuple(rows[0]) == deep_volumes.HEADER
    assert list(dict.fromkeys(row["method"] for row in rows)) == METHODS
    for method in METHODS:
        data = [row["data"] for row in rows if row["method"] == method]
        seeds = len({row["seed"] for row in rows if row["method"] == method})
        assert sorted(data) == sorted(DATA * seeds)
    for row in rows:
        assert 0 < float(row["dice"]) <= 1
        assert row["date"]
        assert row["version"]
        assert row["machine"]
        trained = (row["steps"], row["seed"], row["cpu_s"], row["weights"])
        assert all(trained) is (row["method"] != deep_volumes.STRIP)


def test_what_the_lesson_says_of_it_holds(rows):
    plain, free = METHODS[1:]
    assert np.mean(scores(rows, plain, "iou", deep_volumes.HELD_OUT)) > 0.9
    assert np.mean(scores(rows, free, "dice", *T1)) >= 0.955
    for data in (T1, ["oms01_FLAIR"]):
        assert np.mean(scores(rows, free, "dice", *data)) > np.mean(
            scores(rows, plain, "dice", *data)
        )


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Make everything small, and give the arguments of a run."""
    places = np.indices(random_brains.SHAPE)
    middle = np.array(random_brains.SHAPE) / 2
    labels = (np.linalg.norm(places.T - middle, axis=-1).T < 40) * np.uint8(12)
    monkeypatch.setattr(random_brains, "random_labels", lambda _: labels)
    monkeypatch.setattr(deep_volumes, "SETTINGS", {"dimensions": 3, "base_filters": 1, "levels": 2})
    monkeypatch.setattr(deep_volumes, "PARTICIPANTS", 2)
    monkeypatch.setattr(deep_volumes, "HELD_OUT_PARTICIPANTS", 1)
    monkeypatch.setattr(deep_volumes, "BANK", 1)
    monkeypatch.delenv("SKULLMASK_REAL", raising=False)
    return [
        "--folder",
        str(tmp_path / "run"),
        "--output",
        str(tmp_path / "table.csv"),
        "--steps",
        "2",
    ]


def test_a_run_writes_the_table_and_a_second_one_trains_no_more(small, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["deep_volumes.py", *small])
    deep_volumes.main()
    first = read(tmp_path / "table.csv")
    assert [row["method"] for row in first] == METHODS
    assert {row["data"] for row in first} == {deep_volumes.HELD_OUT}
    monkeypatch.delattr(training, "_take_step")
    deep_volumes.main()
    again = read(tmp_path / "table.csv")
    assert [row["iou"] for row in again] == [row["iou"] for row in first]
    assert [row["cpu_s"] for row in again] == [row["cpu_s"] for row in first]
    monkeypatch.setattr(brains, "augmented", lambda image, mask, _: (image, mask))
    with pytest.raises(InputError, match="first batch"):
        deep_volumes.main()
