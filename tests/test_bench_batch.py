"""The speed of the batch: its table is that of the docs, meets what was wanted, and is what the program writes."""

import csv
import subprocess
import sys
from pathlib import Path

import pages
import pytest
from pages import table_of

import skullmask_lib as sm

HOUSE = Path(__file__).resolve().parents[1]
HEADER = ("what", "value", "unit", "note")


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == HEADER
    return rows


def test_the_docs_show_the_table():
    shown = table_of(pages.text_of(pages.RESULTS), HEADER)
    assert shown == table(HOUSE / "data" / "batch.csv")


def test_the_docs_say_what_was_projected():
    minutes = sm.published()["minutes_for_100000_one_process"]
    assert f"projects {minutes:g} minutes for 100,000 images" in pages.unwrapped(pages.RESULTS)


def test_the_targets_were_met():
    values = {what: value for what, value, *_ in table(HOUSE / "data" / "batch.csv")}
    assert int(values["slices"]) >= 5000
    assert float(values["v7 ÷ the source's script"]) >= 2
    assert float(values["v7 ÷ the slowest of these"]) >= 0.6
    many, few = float(values["memory at most"]), float(values["memory at most, fewer"])
    assert many < 1500
    assert abs(many / few - 1) < 0.1


@pytest.mark.full
def test_the_program_writes_such_a_table(tmp_path):
    command = [
        sys.executable,
        HOUSE / "benchmarks" / "bench_batch.py",
        "--slices",
        "24",
        "--few",
        "8",
        "--rounds",
        "1",
    ]
    subprocess.run(
        [*command, "--folder", tmp_path, "-o", tmp_path / "batch.csv"],
        check=True,
        capture_output=True,
    )
    made, kept = table(tmp_path / "batch.csv"), table(HOUSE / "data" / "batch.csv")
    assert [(what, unit) for what, _, unit, _ in made] == [
        (what, unit) for what, _, unit, _ in kept
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["batch.csv"]
