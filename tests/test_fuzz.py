"""The fuzz: it names faults for what they are, and finds none in a short run."""

from pathlib import Path

import fuzz
import numpy as np
import pytest

WHOLE = np.eye(4, dtype=np.uint8)
LINE = "skullmask: a.png: not a readable .png file"
WARNING = "skullmask: warning: a.png: is lossy"
ROOT = Path(__file__).parents[1]


def result(code=0, said=(), masks=WHOLE, left=()):
    return fuzz.Result(code, list(said), masks, list(left))


OUTCOMES = {
    "the same masks": (result(), "equal"),
    "a warning": (result(said=[WARNING], masks=1 - WHOLE), "warned"),
    "one line": (result(2, [LINE], None), "refused"),
    "other masks": (result(masks=1 - WHOLE), "differs"),
    "other masks of another shape": (result(masks=WHOLE[1:]), "differs"),
    "a traceback": (result(None, ["KeyError: 3"], None), "FAULT"),
    "two lines": (result(2, [LINE, "TIFFReadDirectory: bad"], None), "FAULT"),
    "no line": (result(2, [], None), "FAULT"),
    "a line of a library": (result(said=["libpng warning: bad"]), "FAULT"),
    "half written": (result(2, [LINE], WHOLE), "FAULT"),
    "left behind": (result(2, [LINE], None, [".masks.png-1"]), "FAULT"),
    "no masks": (result(masks=None), "FAULT"),
    "memory": (
        result(2, ["skullmask: a: not readable (Unable to allocate 3.64 TiB for an array)"], None),
        "FAULT",
    ),
    "exit code 1": (result(1, [LINE], None), "FAULT"),
}


@pytest.mark.parametrize("case", OUTCOMES)
def test_outcomes_have_their_names(case):
    found, outcome = OUTCOMES[case]
    assert fuzz.judge(fuzz.FORMATS["png"], found, WHOLE, False)[0] == outcome


def test_other_masks_are_a_fault_where_a_checksum_tells():
    assert fuzz.judge(fuzz.FORMATS["png"], result(masks=1 - WHOLE), WHOLE, True)[0] == "FAULT"


def test_an_image_that_fails_in_a_batch_is_refused():
    assert fuzz.judge(fuzz.FORMATS["zarr"], result(1, [LINE], WHOLE), WHOLE, False)[0] == "refused"


@pytest.mark.parametrize("name", fuzz.FORMATS)
def test_damage_is_the_same_each_time_and_another_for_each_number(tmp_path, name):
    images = fuzz.slices()
    found = []
    for number in (0, 1, 0):
        folder = tmp_path / str(len(found))
        folder.mkdir()
        fuzz.prepare(name, number, 1, images, folder)
        found.append({path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()})
    _, target = fuzz.FORMATS[name].write(images, tmp_path)
    found = [files[Path(target).name] for files in found]
    assert found[0] == found[2] != found[1]
    assert found[0] != (tmp_path / target).read_bytes()


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="this system does not tell what memory is filled"
)
def test_the_memory_of_each_run_is_measured_by_itself():
    peaks = []
    for megabytes in (0, 200, 0):
        fuzz.forget_peak()
        np.ones(megabytes * 2**17)
        peaks.append(fuzz.peak_bytes() / 2**20)
    assert peaks[1] - peaks[0] > 150 > abs(peaks[2] - peaks[0])


@pytest.mark.full
def test_a_run_that_takes_too_long_is_a_fault_and_the_next_one_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "TIME_S", 0.001)
    [(_, number, reason)] = fuzz.fuzz(["png"], 1, jobs=1, out=tmp_path)[1]
    assert (number, reason) == (0, "no end after 0.001 s")
    assert (
        "python tests/fuzz.py png --first 0 --count 1 --seed 1"
        in (tmp_path / "png-0" / "why.txt").read_text()
    )
    assert (tmp_path / "png-0" / "a.png").is_file()
    monkeypatch.setattr(fuzz, "TIME_S", 60)
    assert fuzz.fuzz(["png"], 1, jobs=1)[1] == []


@pytest.mark.full
def test_a_short_run_finds_no_fault():
    counts, faults = fuzz.fuzz(list(fuzz.FORMATS), 60, jobs=1)
    assert faults == []
    assert all(found.total() == 60 and found["refused"] > 5 for found in counts.values())


def test_make_knows_it():
    assert "tests/fuzz.py" in (ROOT / "Makefile").read_text(encoding="utf-8")
