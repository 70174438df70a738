"""Grids of reports: every combination, failures beside successes, and after a death only what is missing."""

import json
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from browser import chromium, open_page, wait_for
from commands import SKULLMASK
from complaints import refused
from inputs import later, ring_head

from skullmask_lib.io import datasets, journal
from skullmask_lib.reports import comparison, grids, provenance

TWELVE_BY_TWO = ("--grid", "width=1:12", "--jobs", "2")


def started(folder):
    """Name the runs in the order in which they were started."""
    lines = filter(None, (folder / "out" / "runs.jsonl").read_text().splitlines())
    return [item for item, record in map(json.loads, lines) if record["state"] == "started"]


def test_every_combination_is_run_and_a_rerun_does_what_is_missing_or_changed(
    notebook, folder, skullmask
):
    arguments = ("report", "phantom", "-o", "out", "--notebook", notebook("width"), "--jobs", "2")
    grid = ("--grid", "width=3:9:3", "--grid", "name=a,b")
    code, out, err = skullmask(*arguments, *grid)
    assert (code, out, err) == (0, "The reports: out/index.html\n", [])
    names = {f"width={width},name={name}" for width in (3, 6, 9) for name in ("a", "b")}
    assert set(started(folder)) == names
    assert {path.name for path in Path("out").iterdir()} == names | {"index.html", "runs.jsonl"}
    Path("out/width=6,name=a/report.html").unlink()
    assert skullmask(*arguments, *grid)[0] == 0
    assert started(folder)[6:] == ["width=6,name=a"]
    assert skullmask(*arguments, "--grid", "width=3,4", "--grid", "name=a")[0] == 0
    assert started(folder)[7:] == ["width=4,name=a"]
    notebook("width + 1")
    assert skullmask(*arguments, "--grid", "width=3,4", "--grid", "name=a")[0] == 0
    assert started(folder)[8:] == ["width=3,name=a", "width=4,name=a"]


@pytest.mark.full
def test_a_failed_run_does_not_stop_the_others_and_is_tried_again(notebook, folder, skullmask):
    arguments = (
        "report",
        "phantom",
        "-o",
        "out",
        "--notebook",
        notebook("1 / (width % 2)"),
        "--grid",
        "width=1:4",
    )
    for _ in range(2):
        code, out, err = skullmask(*arguments)
        assert (code, out) == (1, "The reports: out/index.html\n")
        [line] = err
        assert line.startswith("skullmask: 2 of 4 ")
        assert "width=2, width=4" in line
    assert started(folder)[4:] == ["width=2", "width=4"]
    index = Path("out/index.html").read_text(encoding="utf-8")
    assert index.count("own.ipynb: cell 3 failed with ZeroDivisionError") == 2
    assert "ZeroDivisionError" in Path("out/width=2_failed/report.html").read_text(encoding="utf-8")
    assert 'href="width%3D2_failed/report.html"' in index
    assert 'href="width%3D1/report.html"' in index


def test_nothing_runs_where_one_value_is_wrong(notebook, folder, skullmask):
    arguments = ("report", "phantom", "-o", "out", "--notebook", notebook("width"))
    for wrong, values in (
        ("width=1:100:33", ["width", "0 to 99", " 100"]),
        ("wdith=1", ["wdith", " width"]),
        ("width", ["NAME=VALUE", "'width'"]),
        ("images=phantom,phantom-cropped", ["images ", "parameter"]),
    ):
        code, _, [line] = skullmask(*arguments, "--grid", "name=a", "--grid", wrong)
        assert code == 2
        assert all(value in line for value in values)
    assert not (folder / "out").exists()


@pytest.mark.full
def test_inputs_are_loaded_and_hashed_once(notebook, skullmask, monkeypatch):
    np.save("head.npy", ring_head()[0])
    calls = []

    def counted(name, function):
        def call(*arguments, **options):
            calls.append((name, *arguments))
            return function(*arguments, **options)

        return call

    monkeypatch.setattr(datasets, "load", counted("load", datasets.load))
    monkeypatch.setattr(provenance, "contents", counted("hash", provenance.contents))
    arguments = (
        "report",
        "head.npy",
        "-o",
        "out",
        "--notebook",
        notebook("width"),
        "--grid",
        "width=1:3",
    )
    assert skullmask(*arguments)[0] == 0
    assert calls.count(("load", "head.npy")) == 1
    assert calls.count(("hash", Path("head.npy").absolute())) == 1


def test_an_input_that_changes_while_a_grid_runs_is_hashed_again(folder):  # noqa: ARG001
    hash_source = provenance.sha256_once()
    for value in (1, 1, 2):
        np.save("head.npy", np.full((4, 4), value))
        assert hash_source("head.npy") == provenance.sha256("head.npy")


@pytest.mark.full
def test_another_input_is_another_grid(notebook, folder, skullmask):
    for images in ("phantom", "phantom-cropped"):
        assert (
            skullmask(
                "report",
                images,
                "-o",
                "out",
                "--notebook",
                notebook("width"),
                "--grid",
                "width=1,2",
            )[0]
            == 0
        )
    assert len(started(folder)) == 4
    assert "phantom-cropped: 2 reports" in Path("out/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["index.html", "runs.jsonl", "notes.txt"])
def test_a_folder_with_other_files_is_left_alone(notebook, skullmask, name):
    Path("out").mkdir()
    Path("out", name).write_text('{"my": "log"}\n')
    code, _, [line] = skullmask(
        "report", "phantom", "-o", "out", "--notebook", notebook(), "--grid", "width=1"
    )
    assert code == 2
    assert line.endswith("choose another folder")
    assert Path("out", name).read_text() == '{"my": "log"}\n'
    assert len(list(Path("out").iterdir())) == 1


@pytest.mark.parametrize(
    ("values", "jobs", "naming"),
    [({}, 1, []), ({"width": []}, 1, ["width"]), ({"width": [1]}, 0, [" 0"])],
)
def test_a_grid_without_runs_or_jobs_is_refused(notebook, values, jobs, naming):
    with refused(None, naming=naming):
        grids.grid("phantom", "out", values, notebook=notebook(), jobs=jobs)
    assert not Path("out").exists()


@pytest.mark.parametrize("make", [Path.touch, lambda path: os.symlink("nowhere", path)])
def test_a_grid_is_not_written_over_a_file(notebook, make):
    path = notebook()
    make(Path("out"))
    with refused("out"):
        grids.grid("phantom", "out", {"width": [1]}, notebook=path)


@pytest.mark.usefixtures("folder")
def test_a_folder_with_what_systems_leave_is_taken():
    Path("out").mkdir()
    Path("out/.DS_Store").touch()
    grids._check_ours(Path("out"), Path("out/runs.jsonl"))


def test_the_index_speaks_of_its_own_runs_not_of_one_that_was_killed(notebook, skullmask):
    Path("out").mkdir()
    journal.append("out/runs.jsonl", "width=7", {"state": "started"})
    code, _, err = skullmask(
        "report", "phantom", "-o", "out", "--notebook", notebook("width"), "--grid", "width=1"
    )
    assert (code, err) == (0, [])
    assert "phantom: 1 reports" in Path("out/index.html").read_text(encoding="utf-8")


@pytest.mark.full
def test_values_that_make_one_name_are_two_runs(notebook, skullmask):
    long = "x" * 300
    code, _, err = skullmask(
        *("report", "phantom", "-o", "out", "--notebook", notebook()),
        "--grid",
        f"name=a b,a_b,$x^$,{long}",
    )
    assert (code, err) == (0, [])
    assert len([path for path in Path("out").iterdir() if path.is_dir()]) == 4


@pytest.mark.parametrize(
    "table", ["name,iou\na,n/a\n", *later("name,iou\n", "", "name,iou\na,0.5\n")]
)
def test_a_table_of_ones_own_does_not_stop_the_index(notebook, skullmask, table):
    path = notebook(
        f"open('scores.csv', 'w').write({table!r} if width == 1 else 'name,iou\\na,0.9\\n')"
    )
    code, _, err = skullmask(
        "report", "phantom", "-o", "out", "--notebook", path, "--grid", "width=1,2"
    )
    assert (code, err) == (0, [])
    assert "0.9000" in Path("out/index.html").read_text(encoding="utf-8")


def test_the_title_names_the_inputs_unless_one_is_given(notebook, skullmask):
    arguments = (
        "report",
        "phantom-cropped",
        "-o",
        "out",
        "--notebook",
        notebook("width"),
        "--grid",
        "width=1",
    )
    assert skullmask(*arguments)[0] == 0
    assert re.search("<title>(.*)</title>", Path("out/index.html").read_text(encoding="utf-8"))[
        1
    ].startswith("phantom-cropped")
    comparison.write(
        Path("out"),
        {"a": {"width": 1}},
        {"a": {"state": "failed", "error": "\x1b[2J", "inputs": {}}},
        "\x1b",
    )
    assert "\x1b" not in Path("out/index.html").read_text(encoding="utf-8")


def test_means_are_over_known_truth_and_no_distance_is_better_for_an_empty_mask(tmp_path):
    scores = {
        "empty": "name,iou,hd95_mm\na,0.9,3\nb,0,inf\nunknown,nan,nan\n",
        "full": "name,hd95_mm\na,3\nb,9\n",
    }
    runs = {}
    for name, text in scores.items():
        Path(tmp_path, name).mkdir()
        Path(tmp_path, name, "scores.csv").write_text(text)
        runs[name] = {"name": name}
    recorded = {name: {"state": "done", "inputs": {}} for name in runs}
    comparison.write(tmp_path, runs, recorded, "")
    page = Path(tmp_path, "index.html").read_text(encoding="utf-8")
    cells = re.findall(r'data-value="([^"]*)"', page)
    assert cells == ["0.45", "inf", "nan", "6.0"]
    assert "infinite" in page


def test_a_parameter_comes_once(notebook, folder, skullmask):
    arguments = ("report", "phantom", "-o", "out", "--notebook", notebook())
    for twice in (
        ("-p", "width=1", "--grid", "width=1,2"),
        ("--grid", "width=1", "--grid", "width=2"),
    ):
        code, _, [line] = skullmask(*arguments, *twice)
        assert code == 2
        assert "width once" in line
        assert " 2 " in line
    assert not (folder / "out").exists()


def test_a_file_whose_name_needs_escaping_cannot_write_into_the_index(notebook, skullmask):
    code, _, _ = skullmask(
        "report", "phantom", "-o", "out", "--notebook", notebook(), "--grid", "name=<b>,a&b"
    )
    assert code == 0
    index = Path("out/index.html").read_text(encoding="utf-8")
    assert "<b>" not in index
    assert "&lt;b&gt;" in index


@pytest.mark.parametrize("cut", [0, 1, 10])
def test_a_journal_counts_whole_lines(tmp_path, cut):
    path = tmp_path / "runs.jsonl"
    journal.append(path, "a", {"state": "done"})
    journal.append(path, "b", {"state": "done"})
    path.write_bytes(path.read_bytes()[: -cut or None])
    assert set(journal.read(path)) == {"a"} | ({"b"} if cut < 2 else set())
    journal.append(path, "c", {"state": "started"})
    assert journal.read(path)["c"] == {"state": "started"}
    assert journal.read(path)["a"] == {"state": "done"}


def test_nobody_leaves_the_working_folder(notebook, monkeypatch, skullmask):
    went, chdir = [], os.chdir
    monkeypatch.setattr(os, "chdir", lambda path: (went.append(path), chdir(path)))
    arguments = ("report", "phantom", "-o", "out", "--notebook", notebook("width"), "--jobs", "2")
    assert skullmask(*arguments, "--grid", "width=1,2")[0] == 0
    assert went == []


@pytest.mark.full
def test_killed_half_way_only_what_was_missing_is_run(notebook, folder, skullmask, runs):
    path = notebook("import time\ntime.sleep(1)")
    arguments = ("report", "phantom", "-o", "out", "--notebook", path, *TWELVE_BY_TWO)
    record = folder / "out" / "runs.jsonl"

    def done():
        return {name for name, known in journal.read(record).items() if known["state"] == "done"}

    with runs.start(*SKULLMASK, *arguments) as run:
        wait_for(lambda: len(done()) >= 5, seconds=120)
        run.kill()
    finished = done()
    assert 5 <= len(finished) < 12
    assert not (folder / "out" / "index.html").exists()
    pages = {name: (folder / "out" / name / "report.html").stat().st_mtime_ns for name in finished}
    wait_for(lambda: not runs.alive(), seconds=20)
    assert skullmask(*arguments)[0] == 0
    assert set(started(folder)[12:]) == {f"width={width}" for width in range(1, 13)} - finished
    assert {
        name: (folder / "out" / name / "report.html").stat().st_mtime_ns for name in finished
    } == pages
    index = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert index.count('<tr class="done">') == 12
    assert not list((folder / "out").rglob(".width*"))


@pytest.mark.full
def test_ctrl_c_ends_a_grid_soon_and_without_a_stray_kernel(notebook, runs):
    path = notebook("import time\ntime.sleep(600)")
    arguments = ("report", "phantom", "-o", "out", "--notebook", path, *TWELVE_BY_TWO)
    with runs.start(*SKULLMASK, *arguments) as run:
        wait_for(lambda: len(runs.alive("ipykernel_launcher")) == 2, seconds=60)
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=120) == 130  # long before a cell is done
        assert run.stderr.read() == "skullmask: interrupted\n"
    wait_for(lambda: not runs.alive(), seconds=20)


@pytest.mark.full
def test_the_index_sorts_and_compares_in_a_browser(folder, skullmask):
    pairs = [ring_head(at_mm=at) for at in ((0, 0), (3, 2))]
    np.savez(
        "slices.npz", images=np.stack([p[0] for p in pairs]), truth=np.stack([p[1] for p in pairs])
    )
    code, _, err = skullmask(
        *("report", "slices.npz", "-o", "out", "-p", "sizes=9:9", "--jobs", "2"),
        *("--grid", "dilation_size=9,13", "--grid", "version=v7,v8"),
    )
    assert (code, err) == (0, [])
    with chromium() as browser:
        page, errors = open_page(browser)
        requests = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto((folder / "out" / "index.html").as_uri())
        assert page.locator("img").evaluate("image => image.naturalWidth") > 500
        rows = page.locator("tbody tr")
        assert rows.count() == 4
        column = page.locator("th").all_inner_texts().index("mean iou")
        for pressed in ("ascending", "descending"):
            page.locator("th button").nth(column).click()
            assert page.locator("th").nth(column).get_attribute("aria-sort") == pressed
            values = [float(row.locator("td").nth(column).inner_text()) for row in rows.all()]
            assert values == sorted(values, reverse=pressed == "descending")
            assert len(set(values)) > 1
        rows.first.locator("a").click()
        assert "Skull masks" in page.title()
        assert [address for address in requests if not address.startswith(("file:", "data:"))] == []
        assert errors == []


@pytest.fixture
def drawn(monkeypatch):
    """Collect the charts that are drawn, with their texts, instead of their pictures."""
    charts = []
    monkeypatch.setattr(comparison.plots, "picture", lambda fig, alt: charts.append((fig, alt)))
    return charts


def test_a_chart_has_a_line_for_each_choice_of_the_other_parameters(drawn):
    runs = {
        f"{w}{v}": {"dilation_size": w, "version": v} for w in (16, 20, 24) for v in ("v5", "v7")
    }
    means = {name: {"iou": 0.9} for name in runs} | {"16v5": {"iou": 0.5}}
    comparison.chart(runs, means, "iou")
    [(fig, alt)] = drawn
    assert alt.startswith("Mean iou of every run: 16v5 0.5000, ")
    lines = fig.axes[0].get_lines()
    assert [list(line.get_xdata()) for line in lines] == [[16, 20, 24], [16, 20, 24]]
    assert [text.get_text() for text in fig.axes[0].get_legend().get_texts()] == [
        "version=v5",
        "version=v7",
    ]


@pytest.mark.parametrize(
    ("values", "places", "style"),
    [((30, 22, 26.5), [22, 26.5, 30], "-"), (("v8", "v5", "v7"), ["v8", "v5", "v7"], "None")],
)
def test_a_chart_goes_from_left_to_right(drawn, values, places, style):
    runs = {str(value): {"value": value} for value in values}
    scores = dict(zip(runs, (1.0, np.inf, 3.0), strict=True))
    comparison.chart(runs, {name: {"hd95_mm": score} for name, score in scores.items()}, "hd95_mm")
    [(fig, _)] = drawn
    fig.canvas.draw()  # an infinite distance is a gap
    [line] = fig.axes[0].get_lines()
    assert list(line.get_xdata()) == places
    assert list(line.get_ydata()) == [scores[str(place)] for place in places]
    assert line.get_linestyle() == style
