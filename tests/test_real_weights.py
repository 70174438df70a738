"""Check the table of v8's weights: it is complete, and the program computes it where the heads are."""

import inspect
import re

import numpy as np
import pages
import pytest
import real_heads
import real_weights
from oldest import release
from result_tables import distinct, names_of_real_heads, numbers, rows_of, select

import skullmask_lib as sm
from skullmask_lib import polar

# Only neighbouring slices of a volume bring this one into play
IN_VOLUMES_ALONE = (polar.neighbours, "_NEIGHBOUR_COST_PER_MM")
# What v8 does not use on a single slice
IN_V9_ALONE = (polar.costs, "_UNLIKELY_COST")


@pytest.fixture(scope="module")
def rows():
    return rows_of(real_weights.TABLE)


def test_the_table_is_whole(rows):
    for row in rows:
        assert tuple(row) == real_weights.HEADER
        assert release(row["version"]) <= release(sm.__version__)
        assert 0 <= float(row["iou_min"]) <= float(row["iou"]) <= 1
    assert distinct(rows, "head") == names_of_real_heads()
    for head in distinct(rows, "head"):
        settings = [setting_of(row) for row in select(rows, head=head)]
        assert settings == real_weights.settings()


def setting_of(row):
    return row["term"], float(row["factor"])


def test_v8_as_it_is_scores_as_in_the_table_of_heads(rows):
    of_v8 = select(rows_of(real_heads.TABLE), method="v8")
    for row in select(rows, term=real_weights.NOTHING):
        [wanted] = select(of_v8, head=row["head"])
        for name in ("iou", "iou_min"):
            assert float(row[name]) == pytest.approx(float(wanted[name]), abs=5e-4)


def test_every_weight_of_the_price_is_a_term():
    weights = set()
    for _, module in inspect.getmembers(polar, inspect.ismodule):
        for name in vars(module):
            if re.search(r"_(WEIGHT|COST|COST_PER_MM)$", name):
                weights.add((module, name))
    assert set(real_weights.WEIGHTS.values()) == weights - {IN_VOLUMES_ALONE, IN_V9_ALONE}


def test_no_weight_decides(rows):
    *terms, inner_path, all_but_step = real_weights.means(rows)
    names = [name for name, *_ in terms]
    assert names == [real_weights.STEP, *real_weights.WEIGHTS, real_weights.LIMIT]
    for name, halved, raised, _ in terms:
        assert max(abs(halved), abs(raised)) < 0.01, name
    assert inner_path[0] == real_weights.INNER_PATH
    assert all_but_step[0] == real_weights.ALL_BUT_STEP
    # These two are only removed, neither halved nor raised
    assert np.isnan([inner_path[1:3], all_but_step[1:3]]).all()


def test_the_second_path_helps(rows):
    """Without the inner path the mean and the worst slice fall."""
    *_, inner_path, _ = real_weights.means(rows)
    change_of_mean = inner_path[-1]
    assert change_of_mean < -0.003
    worst_usual = min(numbers(select(rows, term=real_weights.NOTHING), "iou_min"))
    worst_without = min(numbers(select(rows, term=real_weights.INNER_PATH), "iou_min"))
    assert worst_without < worst_usual - 0.03


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
    # Brightness from the skin inwards, each value over as many samples
    ray = np.repeat(np.float32([[1.0, 0.6, 0.2, 0.7, 0.1, 1.0]]), 16, axis=1)
    usual = polar.surface_cost(ray)
    step = cost_of_the_step(ray)
    with real_weights.weighted(real_weights.STEP, 0.5):
        halved = polar.surface_cost(ray)
    # The step counts half because the other weights are doubled, so the price is twice as high
    below_scalp = slice(round(polar.MIN_SCALP_MM / polar.STEP_MM), None)
    wanted = (usual - step / 2)[:, below_scalp]
    np.testing.assert_allclose(halved[:, below_scalp] / 2, wanted, atol=1e-6)


def cost_of_the_step(ray):
    """Compute what the step from scalp to bone costs at every place of a ray."""
    sums = polar.costs._running_sums(ray)
    place = np.arange(ray.shape[1])
    window = round(polar.costs._SURFACE_WINDOW_MM / polar.STEP_MM)
    outside = polar.costs._mean_between(sums, place - window, place)
    bone = polar.costs._mean_between(sums, place, place + window)
    return -np.minimum(outside - bone, polar.costs._HIGHEST_STEP)


@pytest.mark.full
def test_the_program_computes_the_table(rows, real):
    """One head is enough here; `make real-heads` computes all of them."""
    head = "oms01_T2W"
    data = sm.load(real / "slices" / f"{head}.npz")
    unwrapped = real_weights.unwrapped_slices(data)
    for row in select(rows, head=head):
        scores = real_weights.score(*setting_of(row), unwrapped, data)
        for name, value in scores.items():
            assert float(row[name]) == pytest.approx(value, abs=5e-4), (row["term"], name)


def test_the_docs_say_what_the_weights_are_worth(rows):
    """The sentences of the results: the largest change, and the price without several terms."""
    text = pages.unwrapped(pages.RESULTS)
    mean_of_setting = {}
    for setting in real_weights.settings():
        ious = [float(row["iou"]) for row in rows if setting_of(row) == setting]
        mean_of_setting[setting] = np.mean(ious)

    usual = mean_of_setting[real_weights.NOTHING, 1.0]
    changes = []
    for (_, factor), mean in mean_of_setting.items():
        if factor in (0.5, 1.5):
            changes.append(abs(mean - usual))
    assert f"changes the mean IoU by about {max(changes):.3f} at most" in text
    assert f"and the worst slice of a set by {largest_change_of_worst(rows):.3f} at most" in text

    mean = mean_of_setting[real_weights.INNER_PATH, 0.0]
    worst = min(numbers(select(rows, term=real_weights.INNER_PATH), "iou_min"))
    assert f"Without the inner path v8 scores {mean:.3f}, and its worst slice {worst:.3f}" in text

    mean = mean_of_setting[real_weights.ALL_BUT_STEP, 0.0]
    worst = min(numbers(select(rows, term=real_weights.ALL_BUT_STEP), "iou_min"))
    assert f"the step from scalp to bone still scores {mean:.3f}" in text
    assert f"the worst slice then falls to {worst:.3f}" in text

    worst = min(numbers(select(rows, term=real_weights.STEP, factor="0.0"), "iou_min"))
    assert f"without the step itself the worst slice falls to {worst:.3f}" in text
    mean = mean_of_setting["thin scalp", 0.0]
    assert f"the scalp is at least 2 mm thick the mean falls to {mean:.3f}" in text


def largest_change_of_worst(rows):
    """Give the largest change of the worst slice of a set when a weight is halved or raised."""
    changes = []
    for head in distinct(rows, "head"):
        [usual] = select(rows, head=head, term=real_weights.NOTHING)
        for row in select(rows, head=head):
            if float(row["factor"]) in (0.5, 1.5):
                changes.append(abs(float(row["iou_min"]) - float(usual["iou_min"])))
    return max(changes)
