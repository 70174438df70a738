"""Check the table of networks for volumes that lesson 31 shows, and the script that makes it."""

import deep_volumes
import numpy as np
import pytest
from result_tables import DATA, column, distinct, numbers, rows_of, select

from skullmask_lib.deep import brains, training
from skullmask_lib.errors import InputError

METHODS = [deep_volumes.STRIP, *deep_volumes.KINDS]
ALL_DATA = [deep_volumes.HELD_OUT, *deep_volumes.VOLUMES]
T1_SCANS = [name for name, facts in deep_volumes.VOLUMES.items() if facts.sequence == "T1"]


@pytest.fixture(scope="module")
def rows():
    return rows_of(DATA / "deep_volumes.csv")


def mean_dice(rows, method, scans):
    """Average the Dice of a method over some scans."""
    of_method = select(rows, method=method)
    return np.mean([float(row["dice"]) for row in of_method if row["data"] in scans])


def test_the_table_holds_every_method_on_everything(rows):
    assert distinct(rows, "method") == METHODS
    for method in METHODS:
        of_method = select(rows, method=method)
        seeds = len(distinct(of_method, "seed"))
        assert sorted(column(of_method, "data")) == sorted(ALL_DATA * seeds)
    for row in rows:
        assert tuple(row) == deep_volumes.HEADER
        assert 0 < float(row["dice"]) <= 1
        assert row["date"]
        assert row["version"]
        assert row["machine"]
        of_training = (row["steps"], row["seed"], row["cpu_s"], row["weights"])
        is_trained = row["method"] != deep_volumes.STRIP
        assert all(of_training) is is_trained
        assert is_trained or "bfloat16" not in row["machine"]


def test_what_the_lesson_says_of_it_holds(rows):
    by_t1, by_random_contrasts = deep_volumes.KINDS
    held_out = select(rows, method=by_t1, data=deep_volumes.HELD_OUT)
    assert np.mean(numbers(held_out, "iou")) >= 0.95
    assert mean_dice(rows, by_random_contrasts, T1_SCANS) >= 0.955
    for scan in deep_volumes.VOLUMES:
        worst = mean_dice(rows, by_t1, [scan])
        better = mean_dice(rows, by_random_contrasts, [scan])
        best = mean_dice(rows, deep_volumes.STRIP, [scan])
        assert worst < better < best


@pytest.fixture
def small(tmp_path, monkeypatch, quick_heads):  # noqa: ARG001
    """Make everything small, and give the arguments of a run."""
    monkeypatch.setattr(deep_volumes, "SETTINGS", {"dimensions": 3, "base_filters": 1, "levels": 2})
    monkeypatch.setattr(deep_volumes, "PARTICIPANTS", 2)
    monkeypatch.setattr(deep_volumes, "HELD_OUT_PARTICIPANTS", 1)
    monkeypatch.setattr(deep_volumes, "BANK", 1)
    monkeypatch.delenv("SKULLMASK_REAL", raising=False)
    folder = str(tmp_path / "run")
    output = str(tmp_path / "table.csv")
    return ["--folder", folder, "--output", output, "--steps", "2"]


def test_a_run_writes_the_table_and_a_second_one_trains_no_more(small, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["deep_volumes.py", *small])
    deep_volumes.main()
    first = rows_of(tmp_path / "table.csv")
    assert column(first, "method") == METHODS
    assert set(column(first, "data")) == {deep_volumes.HELD_OUT}
    monkeypatch.delattr(training, "_take_step")
    deep_volumes.main()
    again = rows_of(tmp_path / "table.csv")
    assert column(again, "iou") == column(first, "iou")
    assert column(again, "cpu_s") == column(first, "cpu_s")
    monkeypatch.setattr(brains, "augmented", lambda image, mask, _: (image, mask))
    with pytest.raises(InputError, match="first batch"):
        deep_volumes.main()
