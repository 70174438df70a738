"""The learning curve of lesson 30: its slices, and two of its points measured again."""

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import deep_slices
import numpy as np
import pytest
import scripts
import torch
import trainings

from skullmask_lib import learned
from skullmask_lib.deep import randomise
from skullmask_lib.project import project_folder

# Other processors round differently, and the table was made in bfloat16: so far may IoU be off
TOLERANCE = 0.015


def test_every_part_is_left_out_once_and_once_with_everything():
    parts = Counter(part for group in deep_slices.GROUPS.values() for part in group)
    assert parts == dict.fromkeys(randomise.PARTS, 2)


def test_a_varied_head_has_its_own_measures_and_a_true_mask():
    first, second = deep_slices.varied_head(1), deep_slices.varied_head(2)
    assert first.images.shape == (4, *deep_slices.SHAPE)
    assert set(np.unique(first.truth)) == {0, 1}
    assert first.truth.sum() != second.truth.sum()


def test_slices_are_chosen_head_by_head_and_never_from_a_head_of_the_test(monkeypatch):
    count = max(deep_slices.LABELLED)
    images = np.repeat(np.arange(count // 4), 4)
    pool = deep_slices.heads.Prepared(images, images)
    monkeypatch.setattr(deep_slices, "labelled_slices", lambda folder: pool)  # noqa: ARG005
    five = deep_slices.some_slices(5, 0, None).images
    assert Counter(five.tolist()).most_common(1)[0][1] == 4
    every = deep_slices.some_slices(count, 1, None).images
    assert sorted(every) == images.tolist()
    first_head, first_test = deep_slices.FIRST_LABELLED_HEAD, deep_slices.FIRST_TEST_HEAD
    learned = set(range(first_head, first_head + count // 4))
    assert learned.isdisjoint(range(first_test, first_test + deep_slices.TEST_HEADS))


def test_slices_to_learn_from_are_made_anew_when_they_would_look_different(tmp_path, monkeypatch):
    monkeypatch.setattr(deep_slices, "LABELLED", (4,))
    make = deep_slices.labelled_slices.__wrapped__
    folder = tmp_path / "network"
    first = make(folder).images
    assert np.array_equal(make(folder).images, first)
    assert len(list(folder.iterdir())) == 1
    monkeypatch.setattr(learned, "_RANGE_PERCENTILES", (5, 95))
    assert not np.array_equal(make(folder).images, first)


def test_a_table_is_completed_where_it_was_left(tmp_path):
    file = tmp_path / "table.csv"
    header = ("seed", "steps", *trainings.MEASURED)
    measured = []

    def measure(settings):
        measured.append(settings["seed"])
        if len(measured) == 2:
            raise KeyboardInterrupt
        return [{"test": "phantoms", "iou": 0.5}]

    def complete(steps):
        wanted = [{"seed": seed, "steps": steps} for seed in (0, 1)]
        trainings.complete(file, header, wanted, ["phantoms"], measure)
        return [(row["seed"], row["steps"], row["iou"]) for row in scripts.read(file)]

    with pytest.raises(KeyboardInterrupt):
        complete(5)
    assert complete(5) == [("0", "5", "0.5"), ("1", "5", "0.5")]
    assert measured == [0, 1, 1]
    assert complete(6) == [("0", "6", "0.5"), ("1", "6", "0.5")]
    assert measured == [0, 1, 1, 0, 1]


@pytest.mark.parametrize("columns", [("seed", "test", "gone"), ("test",)])
def test_a_table_with_other_columns_is_completed_too(tmp_path, columns):
    file = tmp_path / "table.csv"
    scripts.write(file, columns, [dict.fromkeys(columns, "0") | {"test": "phantoms"}])
    header = ("seed", *trainings.MEASURED)
    wanted = [{"seed": seed} for seed in (0, 1)]
    trainings.complete(
        file, header, wanted, ["phantoms"], lambda _: [{"test": "phantoms", "iou": 0.5}]
    )
    assert [row["seed"] for row in scripts.read(file)] == ["0", "1"]


def test_a_row_says_where_it_was_measured_and_how_precisely(monkeypatch):
    monkeypatch.setattr("scripts.CPU_INFO", Path("missing"))
    usual = trainings.stamp(bfloat16=False)["machine"]
    assert torch.__version__ in usual
    assert trainings.stamp(bfloat16=True)["machine"] == f"{usual}, bfloat16"


def test_the_time_on_the_way_does_not_count(monkeypatch):
    clock = SimpleNamespace(now_s=0.0)
    monkeypatch.setattr(trainings.time, "process_time", lambda: clock.now_s)
    images = np.zeros((1, 1, 16, 16), np.float32)

    def batch_of(step):  # noqa: ARG001
        clock.now_s += 1
        return images, images

    def score(network, step):  # noqa: ARG001
        clock.now_s += 100

    _, cpu_s = trainings.trained(batch_of, steps=4, seed=0, on_the_way=score)
    assert cpu_s == 4


def test_two_points_of_the_curve_are_found_again(tmp_path):
    tests = deep_slices.varied_tests()
    table = scripts.read(project_folder("data") / deep_slices.CURVE)
    for settings in deep_slices.curve_settings():
        if settings.get("seed") != 0 or settings["augmented"] != "yes":
            continue
        if settings["labelled"] in (1, 50):
            [row] = deep_slices.point_of_curve(settings, tmp_path, tests, None)
            [stored] = [
                old
                for old in trainings.rows_with(table, settings)
                if old["test"] == deep_slices.VARIED
            ]
            assert row["iou"] == pytest.approx(float(stored["iou"]), abs=TOLERANCE)
