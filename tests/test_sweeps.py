"""The sweep, the choice without the scored slice, the bootstrap."""

import numpy as np
import pytest
from complaints import refused
from inputs import blobs, head
from numpy.testing import assert_array_equal as same
from result_tables import column, numbers, rows_of

import skullmask_lib as sm
from skullmask_lib import sweeps
from skullmask_lib.sweeps import LADDER_HEADER, Sweep, parse_range, write_csv


def result(iou, sizes=(24, 26, 28)):
    return Sweep(np.array(sizes[: len(iou[0])]), np.array(iou), np.array(iou))


# --- the sweep -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["phantom", "phantom-cropped"])
def test_sweep_is_v7_at_each_width(name):
    data = sm.load(name, slices=slice(0, 2))
    sizes = [1, 2, 25, 26, 60]
    made = sm.sweep(data.images, data.truth, sizes=sizes)
    assert made.iou.shape == made.dice.shape == (2, 5)
    same(made.sizes, sizes)
    for index, image in enumerate(data.images):
        masks = [sm.v7(image, dilation_size=size) for size in sizes]
        same(made.iou[index], [sm.iou(mask, data.truth[index]) for mask in masks])
        same(made.dice[index], [sm.dice(mask, data.truth[index]) for mask in masks])


def test_sweep_is_v7_at_every_width_of_a_small_slice():
    image = blobs(2, shape=(24, 30))
    sizes = range(1, 25)
    made = sm.sweep(iter([image]), [image > 0], sizes=iter(sizes))
    same(made.iou[0], [sm.iou(sm.v7(image, dilation_size=size), image > 0) for size in sizes])


def test_of_equal_widths_the_smallest_is_best():
    assert result([[0.5, 0.9, 0.9]]).best_size == 26
    assert result([[0.9, 0.9, 0.9]]).best_size == 24
    assert result([[0.8, 0.9, 0.7], [0.8, 0.6, 0.9]]).best_size == 24  # the mean decides
    assert isinstance(result([[1.0]]).best_size, int)


@pytest.mark.parametrize(
    ("images", "truth", "sizes", "where", "naming"),
    [
        ([head()], [head() > 0], [], None, ["widths", "got none"]),
        ([], [], [3], None, ["truth", "got none"]),
        ([head()], [head() > 0], [3, 41], "slice 0", ["dilation size", "1 to 40 px", "got 41"]),
        ([head()], [head() > 0], [0], "slice 0", ["dilation size", "1 to 40 px", "got 0"]),
        ([head()], [head() > 0], [2.5], "slice 0", ["whole", "dilation size", "got 2.5"]),
        ([head(), head()], [head() > 0], [3], None, ["true mask", "got 1"]),
        ([head()], [head() > 0, head() > 0], [3], None, ["slice", "true mask", "got 1"]),
        ([head()], [head()[1:] > 0], [3], "slice 0", ["(48, 40)", "(47, 40)"]),
        ([np.full((9, 9), np.nan)], [np.ones((9, 9))], [3], "slice 0", ["finite", "got 81 "]),
        ([head()], [0 * head()], [3], None, ["truth", "empty"]),
    ],
)
def test_sweeps_that_cannot_be(images, truth, sizes, where, naming):
    with refused(where, naming=naming):
        sm.sweep(images, truth, sizes=sizes)


def test_errors_of_a_sweep_tell_the_name():
    with refused("b", naming=["finite", "got 81 "]):
        sm.sweep(
            [head(), np.full((9, 9), np.nan)],
            [head() > 0, np.ones((9, 9))],
            sizes=[3],
            names=["a", "b"],
        )


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"]])
def test_every_slice_of_a_sweep_has_a_name_and_of_a_ladder_a_truth(names):
    images = [head(), head()]
    truth = [head() > 0] * 2
    with refused(None, naming=["2 names", f"got {len(names)}"]):
        sm.sweep(images, truth, sizes=[3], names=names)
    with refused(None, naming=["true mask", f"got {min(len(names), 2)}"]):
        sm.ladder(images, [head() > 0] * len(names))


def test_slices_of_unknown_truth_have_no_part_in_a_sweep_or_a_ladder():
    data = sm.load("phantom", slices=slice(0, 3))
    truth = data.truth.copy()
    truth[1] = 0
    known = [0, 2]
    made = sm.sweep(data.images, truth, sizes=[22, 26], names=data.names)
    wanted = sm.sweep(data.images[known], truth[known], sizes=[22, 26])
    same(made.iou, wanted.iou)
    same(made.dice, wanted.dice)
    assert made.best_size == wanted.best_size
    same(sm.leave_one_out(made), sm.leave_one_out(wanted))
    small = data.images[:, ::4, ::4], truth[:, ::4, ::4]
    assert {name: scores.shape for name, scores in sm.ladder(*small).items()} == dict.fromkeys(
        sm.VERSIONS, (2,)
    )


# --- leave one out ---------------------------------------------------------------------------------------------


def test_leave_one_out_by_hand():
    sizes, iou = sm.leave_one_out(result([[0.9, 0.8, 0.1], [0.9, 0.8, 0.2], [0.0, 0.7, 0.9]]))
    # without 0: means 0.45 0.75 0.55 · without 1: 0.45 0.75 0.5 · without 2: 0.9 0.8 0.15
    same(sizes, [26, 26, 24])
    same(iou, [0.8, 0.8, 0.0])


def test_leave_one_out_never_looks_at_the_slice_left_out():
    scores = np.random.default_rng(0).random((6, 3))
    sizes, _ = sm.leave_one_out(result(scores))
    for left_out in range(6):
        changed = scores.copy()
        changed[left_out] = np.random.default_rng(left_out + 1).random(3)
        assert sm.leave_one_out(result(changed))[0][left_out] == sizes[left_out]


@pytest.mark.parametrize("rows", [1])
def test_leave_one_out_of_one_slice(rows):
    with refused(None, naming=["two slices", f"got {rows}"]):
        sm.leave_one_out(result([[0.8, 0.9, 0.7]] * rows))


# --- bootstrap -------------------------------------------------------------------------------------------------


def test_bootstrap_is_the_same_every_time_and_holds_the_mean():
    scores = np.random.default_rng(1).random(9)
    low, high = sm.bootstrap(scores)
    assert (low, high) == sm.bootstrap(scores) == sm.bootstrap(list(scores), seed=0)
    assert scores.min() < low < scores.mean() < high < scores.max()
    assert sm.bootstrap(scores, seed=1, draws=100) != sm.bootstrap(scores, seed=2, draws=100)


def test_bootstrap_is_the_same_however_many_are_drawn_at_once(monkeypatch):
    scores = np.random.default_rng(2).random(50)
    interval = sm.bootstrap(scores)
    monkeypatch.setattr(sweeps, "_DRAWN_AT_ONCE", 300)
    assert sm.bootstrap(scores) == interval


def test_bootstrap_narrows_with_confidence_and_number():
    scores = np.random.default_rng(3).random(40)
    width = np.ptp(sm.bootstrap(scores))
    assert np.ptp(sm.bootstrap(scores, confidence=0.5)) < width < np.ptp(sm.bootstrap(scores[:5]))
    spread = 1.96 * scores.std() / np.sqrt(40)  # what the normal approximation says
    assert width == pytest.approx(2 * spread, rel=0.05)


def test_bootstrap_of_one_and_of_none():
    assert sm.bootstrap([0.7]) == (0.7, 0.7)
    with refused(None, naming=["scores", "got none"]):
        sm.bootstrap([])


@pytest.mark.parametrize(
    ("scores", "options", "naming"),
    [
        ([0.5, np.nan], {}, ["finite", "got 1"]),
        (["0.5", "high"], {}, ["one score for each slice", "'high'"]),
        ([[0.5, 0.7], [0.6]], {}, ["one score for each slice", "(0.6,)"]),
        ([[0.5, 0.7]], {}, ["one score for each slice", "(1, 2)"]),
        (0.5, {}, ["one score for each slice", "()"]),
        ([[]], {}, ["scores", "got none"]),
        ([0.5, 0.7], {"draws": 0}, ["draws", "got 0"]),
        ([0.5, 0.7], {"confidence": 95}, ["confidence", "got 95"]),
    ],
)
def test_bootstraps_that_cannot_be(scores, options, naming):
    with refused(None, naming=naming):
        sm.bootstrap(scores, **options)


# --- widths as text --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("26", [26]),
        ("22:30:2", [22, 24, 26, 28, 30]),
        ("22:31:2", [22, 24, 26, 28, 30]),
        ("3:5", [3, 4, 5]),
        ("7:7", [7]),
        ("7:7:9", [7]),
        (" 1:61:2 ", list(range(1, 62, 2))),
    ],
)
def test_widths_include_the_stop(text, sizes):
    assert list(parse_range(text)) == sizes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "0",
        "-3",
        "0:5",
        "5:0",
        "5:3",
        "1:5:0",
        "1:5:-1",
        "1:2:3:4",
        "1.5",
        "1,2",
        ":5",
        "5:",
        "1::2",
        "1:5:",
        "2 6",
        "1:99999999999",
    ],
)
def test_widths_that_cannot_be_read(text):
    with refused(None, naming=["from 1 ", "start:stop:step", f"got {text!r}"]):
        parse_range(text)


# --- files and tables ------------------------------------------------------------------------------------------


def test_csv_holds_every_score(tmp_path):
    made = Sweep(
        np.array([3, 5]), np.array([[0.1, 1 / 3], [0.5, 1.0]]), np.array([[0.2, 0.5], [0.6, 1.0]])
    )
    write_csv(made, tmp_path / "sweep.csv", names=["a,b", 'quote "c"'])
    rows = rows_of(tmp_path / "sweep.csv")
    assert list(rows[0]) == ["slice", "dilation_size", "iou", "dice"]
    assert column(rows, "slice") == ["a,b", "a,b", 'quote "c"', 'quote "c"']
    assert column(rows, "dilation_size") == ["3", "5", "3", "5"]
    same(numbers(rows, "iou"), made.iou.ravel())
    same(numbers(rows, "dice"), made.dice.ravel())


def test_a_name_is_no_formula_in_a_table(tmp_path):
    made = Sweep(np.array([3]), np.array([[0.1]] * 4), np.array([[0.2]] * 4))
    names = ["=1+1", "@x", "a\x1b[2J", "\udcff.npy"]
    write_csv(made, tmp_path / "sweep.csv", names=names)
    rows = rows_of(tmp_path / "sweep.csv")
    assert column(rows, "slice") == ["'=1+1", "'@x", "a\\x1b[2J", "\\xff.npy"]


def test_ladder_scores_every_version():
    data = sm.load("phantom", slices=slice(1, 3))
    scores = sm.ladder(data.images, data.truth)
    assert list(scores) == list(sm.VERSIONS)
    for version, make in sm.VERSIONS.items():
        same(
            scores[version],
            [
                sm.iou(make(image), true)
                for image, true in zip(data.images, data.truth, strict=True)
            ],
        )


def test_the_ladder_has_a_column_for_each_of_its_names():
    assert LADDER_HEADER == (
        "version",
        "published IoU",
        "phantom",
        "difference",
        "other seeds",
        "agreement",
    )
