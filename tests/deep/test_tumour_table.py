"""Check the table of networks that find tumours.

It is complete, bears out what lesson 32 claims, and one of its trainings is measured again.
"""

import itertools
from types import SimpleNamespace

import deep_tumours
import numpy as np
import pytest
import torch
import trainings
from oldest import release
from result_tables import column, numbers, rows_of, select

import skullmask_lib as sm
from skullmask_lib.deep import tumours


@pytest.fixture(scope="module")
def rows():
    return rows_of(deep_tumours.TABLE)


def scores_of(rows, variant, score="iou_tumour"):
    """List the scores of a variant, one for each seed."""
    return numbers(select(rows, variant=variant), score)


def test_the_table_is_whole(rows):
    measured = [(row["variant"], int(row["seed"])) for row in rows]
    assert measured == list(itertools.product(deep_tumours.VARIANTS, deep_tumours.SEEDS))
    for row in rows:
        assert tuple(row) == deep_tumours.HEADER
        assert release(row["version"]) <= release(sm.__version__)
        assert int(row["steps"]) == deep_tumours.STEPS
        assert 0 < int(row["best_step"]) <= deep_tumours.STEPS
        for score in deep_tumours.SCORES:
            assert 0 <= float(row[score]) <= 1
        assert int(row["images"]) == len(deep_tumours.TEST) * tumours.SLICES
        assert row["machine"]


def test_the_rows_are_of_the_phantoms_of_today(rows):
    assert set(column(rows, "slices_crc32")) == {deep_tumours.slices_crc32()}


def test_the_best_network_finds_most_of_a_tumour_and_fcn32_is_last(rows):
    assert min(scores_of(rows, "U-Net, no CLAHE")) >= 0.7
    for name in ("U-Net", "ResUNet"):
        assert min(scores_of(rows, name)) > 0.6
        assert min(scores_of(rows, name)) > max(scores_of(rows, "FCN-32")) + 0.2


def test_dice_per_image_and_clahe_find_less_with_every_seed(rows):
    usual = scores_of(rows, "U-Net")
    assert max(scores_of(rows, "U-Net, Dice per image")) < min(usual)
    assert min(scores_of(rows, "U-Net, no CLAHE")) > max(usual)


def test_a_mean_over_all_slices_hides_how_few_tumours_are_found(rows):
    """FCN-32 has less than half of the tumours' pixels right, and a mean that looks well."""
    assert np.mean(scores_of(rows, "FCN-32")) < 0.5
    assert np.mean(scores_of(rows, "FCN-32", "iou_all")) > 0.7
    has_tumour = deep_tumours.patients(deep_tumours.TEST).tumour.any(axis=(1, 2))
    counts = [has_tumour.sum(), (~has_tumour).sum()]
    for row in rows:
        ious = [float(row["iou_tumour"]), float(row["iou_empty"])]
        mean = np.average(ious, weights=counts)
        assert float(row["iou_all"]) == pytest.approx(mean, abs=2e-4)


def test_a_short_run_measures_a_point_again(rows, tmp_path):
    """Half of the steps on a fifth of the patients gets most of the way, and past FCN-32."""
    torch.set_num_threads(1)
    network, _ = deep_tumours.train(
        deep_tumours.UNET,
        0,
        tmp_path,
        patients_to_learn_from=range(30),
        patients_to_validate_by=range(200, 206),
        steps=deep_tumours.STEPS // 2,
    )
    patients = range(300, 310)
    iou = deep_tumours.score(network, deep_tumours.UNET, patients)["iou_tumour"]
    assert iou > max(scores_of(rows, "FCN-32"))
    assert iou == pytest.approx(np.mean(scores_of(rows, "U-Net")), abs=0.2)
    # Who finds nothing scores nothing, so a score says that something was found
    tumour = deep_tumours.patients(patients).tumour
    of_nothing = tumours.score(np.zeros_like(tumour), tumour)
    assert of_nothing["iou_tumour"] == 0


def test_a_run_does_not_go_on_with_other_patients(tmp_path):
    def train_on(patients):
        deep_tumours.train(
            deep_tumours.UNET,
            0,
            tmp_path,
            patients_to_learn_from=patients,
            patients_to_validate_by=range(1),
            steps=1,
        )

    train_on(range(2))
    with pytest.raises(sm.InputError, match="first batch"):
        train_on(range(3))


def test_a_training_that_was_stopped_takes_the_time_of_both_runs_but_not_of_scores(
    tmp_path, monkeypatch
):
    clock = SimpleNamespace(now_s=0.0)
    steps = iter(range(1, 46))

    def train(_variant, _seed, folder, *, progress, **_):
        folder.mkdir(parents=True, exist_ok=True)
        for step in steps:
            clock.now_s += 1
            progress(step, 0.5)
            if step == 20:
                raise KeyboardInterrupt
        return None, 45

    def score(*_):
        clock.now_s += 100
        return {}

    monkeypatch.setattr(trainings.time, "process_time", lambda: clock.now_s)
    monkeypatch.setattr(deep_tumours, "train", train)
    monkeypatch.setattr(deep_tumours, "score", score)
    monkeypatch.setattr(deep_tumours, "patients", lambda _: SimpleNamespace(images=[]))
    monkeypatch.setattr(deep_tumours.networks, "count_weights", lambda _: 1)
    recipe = {"variant": "U-Net", "seed": 0, "steps": 45}
    with pytest.raises(KeyboardInterrupt):
        deep_tumours.measure(recipe, tmp_path, bfloat16=False)
    [row] = deep_tumours.measure(recipe, tmp_path, bfloat16=False)
    assert row["cpu_s"] == 45
