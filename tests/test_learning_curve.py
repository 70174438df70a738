"""The tables of lesson 30: they are whole, and they say what the lesson and the docs say."""

import csv

import learning_curve
import numpy as np
import pages
import pytest
import real_heads
from learning_curve import REAL, VARIED

from skullmask_lib import tables
from skullmask_lib.project import project_folder

LABELLED = [1, 2, 5, 10, 20, 50, 100, 200]
WITHOUT_AUGMENTATION = [1, 5, 20, 200]
SEEDS = 3


def read(name):
    with open(project_folder("data") / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def curve():
    return read("learning_curve.csv")


def means(curve, test, augmented="yes"):
    """Give the mean IoU over seeds for each number of labelled slices."""
    scores = learning_curve.points(curve, test, augmented)
    assert all(len(of_seeds) == SEEDS for of_seeds in scores.values())
    return {number: np.mean(of_seeds) for number, of_seeds in sorted(scores.items())}


def level(curve, test, method):
    return learning_curve.level(curve, test, real_heads.WIDE if method == "v7" else method)


def test_a_curve_crosses_a_level_where_its_mean_is_first_above_it():
    scores = {10: [0.95], 1: [0.7], 2: [0.7, 0.9], 5: [0.8, 0.9]}
    assert learning_curve.crossing(scores, 0.79) == 2
    assert learning_curve.crossing(scores, 0.8) == 5
    assert learning_curve.crossing(scores, 0.95) is None


def test_the_docs_show_the_summary(curve):
    header = learning_curve.SUMMARY_HEADER
    shown = pages.table_of(pages.text_of(pages.RESULTS), header)
    wanted = tables.markdown(learning_curve.summary(curve), header).data
    assert shown == pages.table_of(wanted, header)


def test_every_training_takes_the_same_steps_and_says_where_it_ran(curve):
    trained = [row for row in curve if row["method"] == "network"]
    assert len({(row["steps"], row["batch"]) for row in trained}) == 1
    for row in [*trained, *read("network_parts.csv"), *read("network_progress.csv")]:
        assert float(row["cpu_s"]) > 0
        assert row["machine"]
        assert row["date"]
        assert 0 <= float(row["iou_min"]) <= float(row["iou"]) <= 1


def test_the_table_has_every_training(curve):
    for test in (VARIED, REAL):
        assert list(means(curve, test)) == LABELLED
        assert list(means(curve, test, "no")) == WITHOUT_AUGMENTATION


@pytest.mark.parametrize("test", [VARIED, REAL])
def test_one_slice_beats_v7_on_average(curve, test):
    assert min(means(curve, test).values()) > level(curve, test, "v7")


def test_twenty_slices_pass_v8_on_phantoms_and_no_number_on_real_heads(curve):
    on_phantoms = means(curve, VARIED)
    assert on_phantoms[10] < level(curve, VARIED, "v8") < on_phantoms[20]
    assert max(means(curve, REAL).values()) < level(curve, REAL, "v8")


@pytest.mark.parametrize("test", [VARIED, REAL])
def test_the_first_slices_gain_most_and_augmentation_helps(curve, test):
    augmented = means(curve, test)
    assert augmented[20] - augmented[1] > abs(augmented[200] - augmented[20])
    for number, mean in means(curve, test, "no").items():
        assert augmented[number] > mean


def test_random_images_without_a_label_get_further_on_real_heads(curve):
    progress = [row for row in read("network_progress.csv") if row["test"] == "real heads"]
    ious = [float(row["iou"]) for row in progress]
    assert [int(row["step"]) for row in progress] == sorted(int(row["step"]) for row in progress)
    assert ious == sorted(ious)
    assert ious[-1] > max(means(curve, REAL).values())
    assert ious[-1] < level(curve, REAL, "v8")


def test_without_any_randomness_the_network_is_worst():
    by_part = {}
    for row in read("network_parts.csv"):
        by_part.setdefault((row["without"], row["test"]), []).append(float(row["iou"]))
    for test in ("random images", REAL):
        whole = by_part.pop(("nothing", test))
        assert len(whole) == SEEDS
        of_test = {part: scores for (part, tested), scores in by_part.items() if tested == test}
        assert all(len(scores) == 1 for scores in of_test.values())
        assert min(of_test, key=of_test.get) == "everything"
