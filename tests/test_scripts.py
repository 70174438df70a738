"""What the scripts in benchmarks share, and what each of them does with a command line."""

import sys

import bench_batch
import bench_class
import pytest
import scripts


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
