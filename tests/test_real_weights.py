"""The table of v8's weights: whole, and what the program computes where the heads are."""

import csv
import inspect
import re
from pathlib import Path

import numpy as np
import pages
import pytest
import real_weights
from oldest import release

import skullmask_lib as sm
from skullmask_lib import polar

HOUSE = Path(__file__).resolve().parents[1]

HEADS = HOUSE / "data" / "real_heads.csv"
# Only neighbouring slices of a volume bring this one into play
# What v8 does not use on a single slice
IN_VOLUMES_ALONE = (polar.neighbours, "_NEIGHBOUR_COST_PER_MM")
IN_V9_ALONE = (polar.costs, "_UNLIKELY_COST")


def read(path):
    with open(path, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


@pytest.fixture(scope="module")
def rows():
    return read(real_weights.TABLE)


def test_the_table_is_whole(rows):
    assert all(tuple(row) == real_weights.HEADER for row in rows)
    settings = {}
    for row in rows:
        settings.setdefault(row["head"], []).append((row["term"], float(row["factor"])))
        assert release(row["version"]) <= release(sm.__version__)
        assert 0 <= float(row["iou_min"]) <= float(row["iou"]) <= 1
    assert list(settings) == list(dict.fromkeys(row["head"] for row in read(HEADS)))
    assert all(tried == real_weights.settings() for tried in settings.values())


def test_v8_as_it_is_scores_as_in_the_table_of_heads(rows):
    known = {row["head"]: row for row in read(HEADS) if row["method"] == "v8"}
    for row in rows:
        if row["term"] == real_weights.NOTHING:
            for key in ("iou", "iou_min"):
                assert float(row[key]) == pytest.approx(float(known[row["head"]][key]), abs=5e-4)


def test_every_weight_of_the_price_is_a_term():
    weights = set()
    for _, module in inspect.getmembers(polar, inspect.ismodule):
        for name in vars(module):
            if re.search(r"_(WEIGHT|COST|COST_PER_MM)$", name):
                weights.add((module, name))
    assert set(real_weights.WEIGHTS.values()) == weights - {IN_VOLUMES_ALONE, IN_V9_ALONE}


def test_no_weight_decides(rows):
    *terms, alone, together = real_weights.means(rows)
    assert [term for term, *_ in terms] == [
        real_weights.STEP,
        *real_weights.WEIGHTS,
        real_weights.LIMIT,
    ]
    for term, halved, raised, _ in terms:
        assert max(abs(halved), abs(raised)) < 0.01, term
    assert alone[0] == real_weights.INNER_PATH
    assert together[0] == real_weights.ALL_BUT_STEP
    assert np.isnan([alone[1:3], together[1:3]]).all()


def test_the_second_path_helps(rows):
    """Without it the mean and the worst slice fall."""
    *_, alone, _ = real_weights.means(rows)
    assert alone[-1] < -0.003
    worst = {}
    for row in rows:
        worst.setdefault(row["term"], []).append(float(row["iou_min"]))
    assert min(worst[real_weights.INNER_PATH]) < min(worst[real_weights.NOTHING]) - 0.03


def weights_now():
    return {constant: getattr(*constant) for constant in real_weights.WEIGHTS.values()}


def test_a_term_is_multiplied_and_set_back():
    usual = weights_now()
    dark_bone = real_weights.WEIGHTS["dark bone"]
    with real_weights.weighted("dark bone", 0.5):
        changed = weights_now()
    assert changed == usual | {dark_bone: usual[dark_bone] / 2}
    with real_weights.weighted(real_weights.STEP, 0.5):
        changed = weights_now()
    assert changed == {constant: 2 * weight for constant, weight in usual.items()}
    assert weights_now() == usual


def test_the_step_alone_has_no_weight_of_its_own():
    """Halving the step changes the price as it would if the step had a weight."""
    ray = np.repeat(np.float32([[1.0, 0.6, 0.2, 0.7, 0.1, 1.0]]), 16, axis=1)
    usual = polar.surface_cost(ray)
    scalp = round(polar.MIN_SCALP_MM / polar.STEP_MM)
    sums = polar.costs._running_sums(ray)
    place = np.arange(ray.shape[1])
    window = round(polar.costs._SURFACE_WINDOW_MM / polar.STEP_MM)
    outside = polar.costs._mean_between(sums, place - window, place)
    bone = polar.costs._mean_between(sums, place, place + window)
    step = -np.minimum(outside - bone, polar.costs._HIGHEST_STEP)
    with real_weights.weighted(real_weights.STEP, 0.5):
        halved = polar.surface_cost(ray)
    wanted = (usual - step / 2)[:, scalp:]
    np.testing.assert_allclose(halved[:, scalp:] / 2, wanted, atol=1e-6)


@pytest.mark.full
def test_the_program_computes_the_table(rows, real):
    """One head is enough here; `make real-heads` computes all of them."""
    head = "oms01_T2W"
    data = sm.load(real / "slices" / f"{head}.npz")
    unwrapped = real_weights.unwrapped_slices(data)
    for row in rows:
        if row["head"] == head:
            scores = real_weights.score(row["term"], float(row["factor"]), unwrapped, data)
            for key, value in scores.items():
                assert float(row[key]) == pytest.approx(value, abs=5e-4), (row["term"], key)


def test_the_docs_say_what_the_weights_are_worth(rows):
    """The sentence of the results: the largest change, and the step without all other terms."""
    ious = {}
    worst = {}
    for row in rows:
        setting = (row["term"], float(row["factor"]))
        ious.setdefault(setting, []).append(float(row["iou"]))
        worst.setdefault(setting, []).append(float(row["iou_min"]))
    usual = np.mean(ious[real_weights.NOTHING, 1.0])
    changes = []
    for (_, factor), scores in ious.items():
        if factor in (0.5, 1.5):
            changes.append(abs(np.mean(scores) - usual))
    alone = (real_weights.ALL_BUT_STEP, 0.0)
    text = pages.unwrapped(HOUSE / "docs" / "results.md")
    assert f"changes the mean IoU by about {max(changes):.3f} at most" in text
    surface_alone = (real_weights.INNER_PATH, 0.0)
    without = (
        f"{np.mean(ious[surface_alone]):.3f}, and its worst slice {min(worst[surface_alone]):.3f}"
    )
    assert f"v8 scores {without}" in text
    assert f"the step from scalp to bone still scores {np.mean(ious[alone]):.3f}" in text
    assert f"the worst slice then falls to {min(worst[alone]):.3f}" in text
