"""The table of networks that find tumours: whole, with the claims of lesson 32, and measured again."""

import itertools

import deep_tumours
import numpy as np
import pytest
import torch
from oldest import release
from train_network import read

import skullmask_lib as sm
from skullmask_lib.deep import tumours


@pytest.fixture(scope="module")
def rows():
    return read(deep_tumours.TABLE)


def scores_of(rows, variant, kind="iou_tumour"):
    return [float(row[kind]) for row in rows if row["variant"] == variant]


def test_the_table_is_whole(rows):
    assert all(tuple(row) == deep_tumours.HEADER for row in rows)
    trainings = itertools.product(deep_tumours.VARIANTS, map(str, deep_tumours.SEEDS))
    assert [(row["variant"], row["seed"]) for row in rows] == list(trainings)
    for row in rows:
        assert release(row["version"]) <= release(sm.__version__)
        assert int(row["steps"]) == deep_tumours.STEPS
        assert 0 < int(row["best_step"]) <= deep_tumours.STEPS
        assert all(0 <= float(row[kind]) <= 1 for kind in deep_tumours.SCORES)
        assert int(row["images"]) == len(deep_tumours.TEST) * tumours.SLICES
        assert row["machine"]


def test_the_rows_are_of_the_phantoms_of_today(rows):
    assert {row["slices_crc32"] for row in rows} == {deep_tumours.slices_crc32()}


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
    for row in rows:
        parts = [float(row["iou_tumour"]), float(row["iou_empty"])]
        mean = np.average(parts, weights=[has_tumour.sum(), (~has_tumour).sum()])
        assert float(row["iou_all"]) == pytest.approx(mean, abs=2e-4)


def test_a_short_run_measures_a_point_again(rows, tmp_path):
    """A quarter of the steps on half of the patients gets most of the way, and past FCN-32."""
    torch.set_num_threads(1)
    network, _ = deep_tumours.train(
        deep_tumours.UNET,
        0,
        tmp_path,
        patients_to_learn_from=range(30),
        patients_to_validate_by=range(200, 206),
        steps=deep_tumours.STEPS // 2,
    )
    test = range(300, 310)
    measured = deep_tumours.score(network, deep_tumours.UNET, test)
    nothing = tumours.score(
        np.zeros_like(deep_tumours.patients(test).tumour), deep_tumours.patients(test).tumour
    )
    assert nothing["iou_tumour"] == 0
    assert measured["iou_tumour"] > max(scores_of(rows, "FCN-32"))
    assert measured["iou_tumour"] == pytest.approx(np.mean(scores_of(rows, "U-Net")), abs=0.2)


def test_a_run_does_not_go_on_with_other_patients(tmp_path):
    few = {"patients_to_validate_by": range(1), "steps": 1}
    deep_tumours.train(deep_tumours.UNET, 0, tmp_path, patients_to_learn_from=range(2), **few)
    with pytest.raises(sm.InputError, match="first batch"):
        deep_tumours.train(deep_tumours.UNET, 0, tmp_path, patients_to_learn_from=range(3), **few)
