"""The scripts that train for hours refuse first what would stop them at the end."""

import deep_slices
import deep_tumours
import deep_volumes
import pytest
import scripts
import train_network


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
