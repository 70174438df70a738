"""One command each for NFBS and LGG: from a folder in the published layout to masks and scores."""

import re
from functools import partial

import numpy as np
import pytest

import skullmask_lib as sm
from skullmask_lib.cli import main, networks
from skullmask_lib.deep import PROGRAM, heads, random_brains, training, tumours

SMALL = ("--base-filters", 4, "--levels", 3, "--steps", 40, "--every", 20, "--rate", 0.01)


@pytest.fixture
def deep(tmp_path, monkeypatch, command_line):
    """Give a function that runs a command in an empty folder, and returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        program = partial(main.main, networks.app, PROGRAM)
        code, output, errors = command_line(program, *arguments)
        assert (code, errors) == (0, [])
        return output

    return run


def means_of(output, where):
    line = next(line for line in output.splitlines() if where in line)
    return [float(number) for number in re.findall(r"\d\.\d{4}", line)]


def test_lgg_from_folder_to_scores_of_slices_with_and_without_tumour(deep, tmp_path):
    patients = tumours.random_patients(range(4), slices=4)
    tumours.write(patients, tmp_path / "kaggle_3m")
    deep("train", "lgg:kaggle_3m", "-o", "run", *SMALL)
    assert (tmp_path / "run" / training.LAST).exists()
    deep("predict", "run", "lgg:kaggle_3m", "-o", "masks.npy")
    masks = np.load("masks.npy")
    assert masks.shape == patients.tumour.shape
    output = deep("evaluate", "run", "lgg:kaggle_3m", "-o", "scores.csv")
    expected = tumours.score(masks, patients.tumour)
    shown = means_of(output, "marks pixels")
    assert shown == pytest.approx([expected["iou_tumour"], expected["dice_tumour"]], abs=1e-4)
    empty = means_of(output, "is empty")
    assert empty == pytest.approx([expected["iou_empty"], expected["dice_empty"]], abs=1e-4)


def test_nfbs_from_folder_to_scores(deep, tmp_path):
    random_brains.write_nfbs(tmp_path / "NFBS_Dataset", 3, step_mm=6)
    deep("train", "nfbs:NFBS_Dataset", "-o", "run", "--residual", *SMALL)
    deep("predict", "run", "nfbs:NFBS_Dataset", "-o", "masks.npy")
    data = sm.load("nfbs:NFBS_Dataset")
    masks = np.load("masks.npy")
    assert len({heads.head_of(name) for name in data.names}) == 3
    assert sm.dice(masks.reshape(1, -1), data.brain.reshape(1, -1)) > 0.8
    output = deep("evaluate", "run", "nfbs:NFBS_Dataset")
    assert f"{np.mean(list(map(sm.iou, masks, data.brain))):.4f}" in output


@pytest.mark.parametrize("cohort", ["nfbs", "lgg"])
def test_the_help_of_train_names_the_cohorts(deep, cohort):
    output = deep("train", "--help")
    assert f"train {cohort}:" in output.partition("Examples:")[2]
