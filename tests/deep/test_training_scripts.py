"""The scripts that train for hours refuse first what would stop them at the end."""

from types import SimpleNamespace

import deep_slices
import deep_tumours
import deep_volumes
import pytest
import scripts
import train_network
import trainings
from complaints import refused

from skullmask_lib.deep import training


@pytest.fixture
def time(monkeypatch):
    """Stop the processor's clock; what is measured then is what a test adds."""
    time = SimpleNamespace(now_s=0.0)
    monkeypatch.setattr(trainings.time, "process_time", lambda: time.now_s)
    return time


def test_the_clock_of_a_training_goes_on_from_its_last_note(tmp_path, time):
    time.now_s = 1000.0
    clock = trainings.Clock(tmp_path)
    time.now_s += 3
    clock.note()
    time.now_s += 50
    clock.skip()
    time.now_s += 4
    clock.note()
    time.now_s += 20  # lost, as the steps since the last checkpoint
    again = trainings.Clock(tmp_path)
    assert again.noted_s == clock.noted_s == 7
    time.now_s += 2
    again.note()
    assert again.noted_s == trainings.Clock(tmp_path).noted_s == 9


def test_the_time_of_a_training_that_has_no_clock_is_not_made_up(tmp_path):
    (tmp_path / training.LAST).touch()
    with refused(str(tmp_path), [trainings.CLOCK]):
        trainings.Clock(tmp_path)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Give a function that runs a script which must not train, and returns with what it exits."""

    def run(script, *arguments):
        monkeypatch.setattr(script.training, "train", None)
        folder = str(tmp_path / "trainings")
        monkeypatch.setattr("sys.argv", ["script.py", "--folder", folder, *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            scripts.run(script.main)
        return stop.value.code

    return run


@pytest.mark.parametrize(
    ("script", "option"),
    [(train_network, "--heads"), (deep_slices, "--heads"), (deep_volumes, "--scans")],
)
def test_a_folder_without_heads_is_refused(run, tmp_path, script, option):
    assert run(script, option, tmp_path).startswith(f"script: {tmp_path}")


@pytest.mark.parametrize("script", [deep_volumes, deep_tumours])
def test_an_output_that_cannot_be_written_is_refused(run, tmp_path, monkeypatch, script):
    monkeypatch.delenv("SKULLMASK_REAL", raising=False)
    file = tmp_path / "missing" / "table.csv"
    assert run(script, "-o", file).startswith(f"script: {file}: cannot be written")


def test_a_table_that_does_not_exist_is_no_table(run, capsys):
    assert run(deep_slices, "--tables", "curve") == 2
    assert deep_slices.CURVE in capsys.readouterr().err
