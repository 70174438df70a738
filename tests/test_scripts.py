"""What the scripts in benchmarks share, and what each of them does with a command line."""

import datetime
import importlib
import platform
import sys

import bench_batch
import bench_class
import bench_peers
import bench_volumes
import pytest
import scripts

import skullmask_lib as sm

ON_HEADS = (
    "bench_peers",
    "real_bands",
    "real_causes",
    "real_contrast",
    "real_degraded",
    "real_heads",
    "real_quality",
    "real_shifts",
    "real_volume_copies",
    "real_weights",
)
OTHERS = (
    "bench_batch",
    "bench_class",
    "bench_reports",
    "bench_versions",
    "bench_volumes",
    "drawn_patients",
    "marrow",
)


@pytest.fixture
def run(monkeypatch):
    """Give a function that runs a script with arguments, and returns with what it exits."""

    def run(name, *arguments):
        script = importlib.import_module(name)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            scripts.run(script.main)
        return stop.value.code

    return run


@pytest.fixture
def empty(tmp_path):
    """Give an empty folder."""
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


# --- Command lines -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ON_HEADS, *OTHERS])
def test_help_runs_nothing(run, capsys, name):
    assert run(name, "--help") == 0
    assert f"usage: {name}.py" in capsys.readouterr().out


@pytest.mark.parametrize("name", ON_HEADS)
def test_a_folder_without_heads_ends_in_one_line_before_anything_is_measured(run, empty, name):
    table = empty.parent / "table.csv"
    table.write_text("an earlier table")
    complaint = run(name, "--heads", empty, "-o", table)
    assert complaint.startswith(f"{name}: {empty}")
    assert "\n" not in complaint
    assert table.read_text() == "an earlier table"


@pytest.mark.parametrize("name", ON_HEADS)
def test_a_variable_that_is_empty_is_not_set(run, monkeypatch, name):
    monkeypatch.setenv("SKULLMASK_REAL", "")
    assert run(name).startswith(f"{name}: SKULLMASK_REAL is not set")


@pytest.mark.parametrize("name", ["bench_versions", "bench_volumes"])
def test_a_folder_without_heads_is_not_taken_for_none(run, empty, monkeypatch, name):
    monkeypatch.setattr(bench_volumes, "generated", None)  # it takes seconds
    assert run(name, "--real", empty, "--rounds", 1).startswith(f"{name}: {empty}")


@pytest.mark.parametrize("name", ["drawn_patients", "marrow", "bench_class", "bench_batch"])
def test_an_output_that_cannot_be_written_is_refused_first(run, tmp_path, monkeypatch, name):
    monkeypatch.setattr(importlib.import_module(name), "measure", None)
    for file in (tmp_path / "missing" / "table.csv", tmp_path):
        assert run(name, "-o", file).startswith(f"{name}: {file}: cannot be written")


def test_volumes_that_are_not_asked_for_may_be_missing(tmp_path):
    (tmp_path / "oms01").mkdir()
    for name in ("image.nii.gz", "brain.nii.gz"):
        (tmp_path / "oms01" / name).touch()
    bench_peers.check_volumes(tmp_path, ["oms01"])
    with pytest.raises(scripts.InputError, match="brainweb"):
        bench_peers.check_volumes(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--slices", 6, "--few", 60),
        ("--rounds", 0),
        ("--workers", "two"),
        ("--folder", "no/such/folder"),
    ],
)
def test_the_batch_is_not_measured_with_numbers_that_cannot_be(run, capsys, monkeypatch, arguments):
    monkeypatch.setattr(bench_batch, "measure", None)
    assert run("bench_batch", *arguments) == 2
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert f"{arguments[-2]}" in complaint
    assert f"{arguments[-1]}" in complaint


# --- Machines ------------------------------------------------------------------------------------


def test_a_processor_has_a_name_on_every_system(tmp_path, monkeypatch):
    assert scripts.processor()
    monkeypatch.setattr(scripts, "CPU_INFO", tmp_path / "missing")
    assert scripts.processor() == platform.machine()
    (tmp_path / "arm").write_text("BogoMIPS : 50.0\n")
    monkeypatch.setattr(scripts, "CPU_INFO", tmp_path / "arm")
    assert scripts.processor() == platform.machine()


# --- Tables --------------------------------------------------------------------------------------


def test_rows_come_back_as_they_were_written(tmp_path):
    row = {"what": "a, “b”\nc", "value": "0.5"}
    scripts.write(tmp_path / "a.csv", list(row), [row])
    assert scripts.read(tmp_path / "a.csv") == [row]


def test_a_table_that_is_not_finished_leaves_the_earlier_one(tmp_path):
    table = tmp_path / "a.csv"
    scripts.write(table, ["what"], [{"what": "speed"}])

    def rows():
        yield {"what": "memory"}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scripts.write(table, ["what"], rows())
    assert scripts.read(table) == [{"what": "speed"}]
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.parametrize("program", [bench_batch, bench_class])
def test_tables_of_speed_have_the_line_ends_of_the_others(program, tmp_path, monkeypatch):
    rows = [("speed", "1.0", "images/s", "")]
    table = tmp_path / "a.csv"
    monkeypatch.setattr(program, "measure", lambda *_: rows)
    monkeypatch.setattr(sys, "argv", ["program", "-o", str(table)])
    program.main()
    assert table.read_bytes() == b"what,value,unit,note\nspeed,1.0,images/s,\n"


def test_rows_say_when_and_with_which_version_they_were_measured(tmp_path):
    header = ["what", "date", "version"]
    scripts.write_stamped(tmp_path / "a.csv", header, [{"what": "speed"}])
    [row] = scripts.read(tmp_path / "a.csv")
    assert row["version"] == sm.__version__
    assert datetime.date.fromisoformat(row["date"])
