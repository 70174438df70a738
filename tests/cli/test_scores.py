"""Scores and sweeps on the command line: what they print, and of which slices."""

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from commands import rounded, scores_in
from inputs import head, ring_heads, stack

import skullmask_lib as sm


def test_score_says_what_the_library_says(skullmask):
    pred = np.stack([sm.v7(image) for image in stack()])
    truth = np.stack([sm.v5(image) for image in stack()])
    np.save("p.npy", pred * 255)
    np.save("t.npy", truth)
    code, out, err = skullmask("score", "p.npy", "t.npy")
    assert (code, err) == (0, [])
    rows = scores_in(out)
    for index in range(3):
        assert rows[f"p.npy[{index}]"] == rounded(sm.score(pred[index], truth[index]))
    code, out, err = skullmask("score", "p.npy", "t.npy", "--json")
    assert (code, err) == (0, [])
    scores = json.loads(out)
    assert scores["slices"][2] == {"name": "p.npy[2]"} | sm.score(pred[2], truth[2])
    dice = [sm.dice(*masks) for masks in zip(pred, truth, strict=True)]
    assert scores["mean"]["dice"] == pytest.approx(np.mean(dice))


def test_json_is_strict_where_distances_are_infinite(skullmask):
    np.save("p.npy", np.zeros((1, 9, 9), np.uint8))
    np.save("t.npy", np.eye(9, dtype=np.uint8)[None])
    for pred, truth in (("p.npy", "t.npy"), ("t.npy", "p.npy"), ("p.npy", "p.npy")):
        code, out, err = skullmask("score", pred, truth, "--json")
        assert (code, err) == (0, [])
        mean = strict_json(out)["mean"]
        if pred == truth:
            assert (mean["hausdorff_px"], mean["iou"]) == (0, 1)
        else:
            assert (mean["hausdorff_px"], mean["iou"]) == (None, 0)


def strict_json(text):
    """Read JSON without NaN and infinity, which are none."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def partly_known():
    """Give masks and truth of which two of four slices are known; v7 is right on these."""
    images = np.concatenate([stack(), stack()[:1]])
    truth = np.stack([sm.v7(image) for image in images])
    truth[[1, 3]] = 0
    return images, truth


def test_one_rule_for_slices_of_unknown_truth(skullmask):
    images, truth = partly_known()
    np.save("a.npy", images)
    np.save("t.npy", truth)

    mask = ("mask", "a.npy", "-o", "m.npy", "--truth", "t.npy", "--version", "v7")
    for command, name in ((mask, "a.npy"), (("score", "m.npy", "t.npy"), "m.npy")):
        code, out, _ = skullmask(*command)
        assert code == 0
        rows = scores_in(out)
        assert rows["mean"]["iou"] == 1
        assert np.isnan([*rows[f"{name}[1]"].values()]).all()
        assert "2 of 4 slices" in out

    _, out, _ = skullmask("score", "m.npy", "t.npy", "--json")
    scores = strict_json(out)
    assert scores["left_out"] == 2
    assert scores["mean"]["iou"] == 1
    assert [row["iou"] for row in scores["slices"]] == [1, None, 1, None]

    _, out, _ = skullmask("sweep", "a.npy", "t.npy", "--sizes", "26", "-o", "s.csv")
    assert "best width 26 px: IoU 1.0000" in out
    assert "leave one out: widths 26, 26 px" in out
    assert "2 of 4 slices" in out
    names = [line.partition(",")[0] for line in Path("s.csv").read_text().splitlines()]
    assert names == ["slice", "a.npy[0]", "a.npy[2]"]


def test_a_truth_that_is_empty_everywhere_counts(skullmask):
    _, truth = partly_known()
    np.save("t.npy", 0 * truth)
    np.save("m.npy", truth)
    scores = json.loads(skullmask("score", "m.npy", "t.npy", "--json")[1])
    assert [row["iou"] for row in scores["slices"]] == [0, 1, 0, 1]
    assert (scores["mean"]["iou"], scores["left_out"]) == (0.5, 0)


def test_slices_stay_of_unknown_truth_where_no_other_is_taken(skullmask):
    images, truth = partly_known()
    np.save("a.npy", images)
    np.save("t.npy", truth)
    np.save("m.npy", np.ones_like(truth))
    code, out, err = skullmask("mask", "a.npy", "-o", "o.npy", "--truth", "t.npy", "--slices", "1")
    assert code == 0
    assert len([line for line in err if "t.npy" in line]) == 1
    assert out.splitlines() == [out.strip()]  # no scores
    assert np.load("o.npy").any()
    for command in (["score", "m.npy", "t.npy"], ["sweep", "a.npy", "t.npy", "-o", "s.csv"]):
        code, out, err = skullmask(*command, "--slices", "1:3:2")
        assert (code, out, len(err)) == (2, "", 1)
        assert "t.npy" in err[0]
    assert not Path("s.csv").exists()
    assert skullmask("score", "m.npy", "t.npy", "--slices", "0:1")[0] == 0


def save_ball():
    """Write a ball in air as a mask and as a truth of which some axial levels alone are known."""
    x, y, z = np.indices((32, 34, 36)) - 16
    ball = (x**2 + y**2 + z**2 < 150).astype(np.uint8)
    traced = ball.copy()
    traced[..., :10] = 0
    traced[..., 14:18] = 0
    affine = np.diag([5, 5, 5, 1])
    nib.save(nib.Nifti1Image(ball, affine), "ball.nii.gz")
    nib.save(nib.Nifti1Image(traced, affine), "traced.nii.gz")
    nib.save(nib.Nifti1Image(100 * ball.astype(np.int16), affine), "image.nii.gz")


@pytest.mark.parametrize("axis", ["0", "1"])
@pytest.mark.parametrize("part", [[], ["--slices", "14:18"]])
def test_a_truth_known_at_some_levels_is_said_to_be_across_another_axis(skullmask, axis, part):
    save_ball()
    for command in (
        ["score", "ball.nii.gz", "traced.nii.gz"],
        ["mask", "image.nii.gz", "-o", "m.npy", "--truth", "traced.nii.gz", "--version", "v1"],
        ["sweep", "image.nii.gz", "traced.nii.gz", "--sizes", "1"],
    ):
        code, _, err = skullmask(*command, "--axis", axis, *part)
        assert code == 0
        [line] = [line for line in err if "traced.nii.gz" in line]
        assert "axis 2" in line


def test_a_truth_is_not_unknown_beyond_the_head(skullmask):
    save_ball()
    for axis in "012":
        assert skullmask("score", "ball.nii.gz", "ball.nii.gz", "--axis", axis)[2] == []
    assert skullmask("score", "ball.nii.gz", "traced.nii.gz")[2] == []
    everywhere = np.ones((32, 34, 36), np.uint8)  # too large is not unknown
    nib.save(nib.Nifti1Image(everywhere, np.diag([5, 5, 5, 1])), "all.nii.gz")
    for axis in "012":
        assert skullmask("score", "all.nii.gz", "ball.nii.gz", "--axis", axis)[2] == []


def test_slices_of_an_npz_stay_of_unknown_truth(skullmask):
    images, truth = partly_known()
    np.savez("a.npz", images=images, truth=truth)
    code, out, err = skullmask("sweep", "a.npz", "--slices", "1", "--sizes", "3")
    assert (code, out, len(err)) == (2, "", 1)
    assert "a.npz" in err[0]


def test_no_width_is_best_where_the_truth_is_empty(skullmask):
    np.save("a.npy", stack())
    np.save("t.npy", np.zeros(stack().shape, np.uint8))
    code, out, err = skullmask("sweep", "a.npy", "t.npy", "--sizes", "3:9:2", "--plot", "p.png")
    assert (code, out, len(err)) == (2, "", 1)
    assert "t.npy" in err[0]
    assert not Path("p.png").exists()


def test_slices_of_one_name_are_all_scored(skullmask):
    np.savez("p.npz", images=np.ones((3, 5, 5)), names=["a", "a", "b"])
    np.save("t.npy", np.ones((3, 5, 5), np.uint8))
    scores = json.loads(skullmask("score", "p.npz", "t.npy", "--json")[1])
    assert [row["name"] for row in scores["slices"]] == ["a", "a", "b"]


def test_infinite_distances_count_in_the_mean_and_are_counted(skullmask):
    truth = np.tile(np.eye(9, dtype=np.uint8), (2, 1, 1))
    np.save("t.npy", truth)
    np.save("p.npy", truth * [[[1]], [[0]]])
    _, out, _ = skullmask("score", "p.npy", "t.npy")
    rows = scores_in(out)
    assert (rows["mean"]["hausdorff_px"], rows["mean"]["iou"]) == (np.inf, 0.5)
    assert (rows["mean of the others"]["hausdorff_px"], rows["mean of the others"]["iou"]) == (0, 1)
    assert "1 of 2 slices have one empty mask" in out
    scores = strict_json(skullmask("score", "p.npy", "t.npy", "--json")[1])
    assert (scores["mean"]["hausdorff_px"], scores["infinite"]) == (None, 1)
    assert scores["mean_of_others"] == sm.score(truth[0], truth[0])

    np.save("none.npy", 0 * truth)  # of what is left there is no mean
    _, out, _ = skullmask("score", "none.npy", "t.npy")
    assert "mean of the others" not in scores_in(out)
    scores = strict_json(skullmask("score", "none.npy", "t.npy", "--json")[1])
    assert scores["mean_of_others"] == dict.fromkeys(scores["mean"])


def test_a_volume_is_scored_and_swept_across_any_axis_and_in_part(skullmask):
    rng = np.random.default_rng(0)
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    for name in ("p.nii.gz", "t.nii.gz"):
        volume = rng.integers(0, 2, (12, 11, 10), np.uint8)
        nib.save(nib.Nifti1Image(volume, affine), name)
    for axis, spacing_mm in enumerate([(3, 2), (3, 1), (2, 1)]):
        options = ("--axis", axis, "--slices", "2:6:2")
        code, out, _ = skullmask("score", "p.nii.gz", "t.nii.gz", *options, "--json")
        assert code == 0
        rows = json.loads(out)["slices"]
        assert [row["name"] for row in rows] == ["p.nii.gz[2]", "p.nii.gz[4]", "p.nii.gz[6]"]
        data = sm.load("p.nii.gz", truth="t.nii.gz", axis=axis)
        scores = sm.score(data.images[4], data.truth[4], spacing_mm)
        assert rows[1].items() >= scores.items()
    some_slices = ("--axis", 1, "--slices", "0:3")
    code, _, _ = skullmask(
        "sweep", "p.nii.gz", "t.nii.gz", *some_slices, "--sizes", "1", "-o", "s.csv"
    )
    assert code == 0
    assert len(Path("s.csv").read_text().splitlines()) == 1 + 4
    assert skullmask("score", "p.nii.gz", "t.nii.gz", "--axis", "3")[0] == 2


def test_a_sweep_says_of_two_heads_what_a_mask_says(skullmask):
    both = np.concatenate([ring_heads(), ring_heads()], axis=2)
    np.save("two.npy", both)
    np.save("t.npy", (both > 0).astype(np.uint8))
    code, _, err = skullmask("sweep", "two.npy", "t.npy", "--sizes", "5:9:2")
    assert code == 0
    [line] = [line for line in err if "more than one head" in line]
    assert line.startswith("skullmask: warning: two.npy[0] … two.npy[2]: ")


def test_a_sweep_warns_of_a_slice_without_a_brain(skullmask):
    np.save("a.npy", np.zeros((1, 9, 9), np.float32))
    np.save("t.npy", np.eye(9, dtype=np.uint8)[None])
    code, out, err = skullmask("sweep", "a.npy", "t.npy", "--sizes", "3")
    assert code == 0
    [line] = err
    assert line.startswith("skullmask: warning: a.npy[0]: ")
    assert "bootstrap" not in out


def test_score_of_a_volume_is_in_millimetres(skullmask):
    mask = np.zeros((9, 9, 2), np.uint8)
    mask[4, 4] = 1
    moved = np.roll(mask, 1, axis=0)
    affine = np.diag([2.0, 1.0, 3.0, 1.0])
    nib.save(nib.Nifti1Image(mask, affine), "a.nii")
    nib.save(nib.Nifti1Image(moved, affine), "b.nii")
    rows = scores_in(skullmask("score", "a.nii", "b.nii")[1])
    assert rows["mean"]["hausdorff_mm"] == 2.0


def test_score_takes_a_spacing(skullmask):
    truth = (stack() > 100).astype(np.uint8)
    pred = np.roll(truth, 1, axis=1)
    np.save("t.npy", truth)
    np.save("p.npy", pred)
    code, out, _ = skullmask("score", "p.npy", "t.npy", "--spacing", "0.5", "2", "--json")
    assert code == 0
    rows = json.loads(out)["slices"]
    for row, *masks in zip(rows, pred, truth, strict=True):
        assert row.items() >= sm.score(*masks, (0.5, 2.0)).items()


def test_the_truth_brings_the_spacing_where_the_masks_have_none(skullmask):
    np.save("masks.npy", sm.load("phantom").truth)
    assert "hausdorff_mm" in skullmask("score", "masks.npy", "phantom")[1]


def test_sweep_prints_writes_and_draws(skullmask, folder):
    truth = np.stack([sm.v7(image, dilation_size=14) for image in stack()])
    np.save("a.npy", stack())
    np.save("t.npy", truth)
    code, out, err = skullmask(
        "sweep", "a.npy", "t.npy", "--sizes", "10:16:2", "-o", "s.csv", "--plot", "s.png"
    )
    assert (code, err) == (0, [])
    assert list(scores_in(out)) == ["10", "12", "14", "16"]
    assert scores_in(out)["14"] == {"IoU": 1, "Dice": 1}
    assert "best width 14 px: IoU 1.0000\n95 % bootstrap over the slices: 1.0000 … 1.0000" in out
    assert "leave one out: widths 14, 14, 14 px, IoU 1.0000" in out
    assert len((folder / "s.csv").read_text().splitlines()) == 1 + 3 * 4
    assert (folder / "s.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(os.listdir(folder)) == ["a.npy", "s.csv", "s.png", "t.npy"]


def test_sweep_of_one_slice_leaves_none_out(skullmask):
    np.save("a.npy", head())
    code, out, err = skullmask("sweep", "a.npy", "a_truth.npy", "--sizes", "3")
    assert code == 2
    np.save("a_truth.npy", sm.v5(head()))
    code, out, err = skullmask("sweep", "a.npy", "a_truth.npy", "--sizes", "3")
    assert (code, err) == (0, [])
    assert "leave one out" not in out


def test_sweep_of_a_phantom_needs_no_truth(skullmask):
    code, out, err = skullmask("sweep", "phantom", "--sizes", "26")
    assert (code, err) == (0, [])
    data = sm.load("phantom")
    mean_iou = sm.ladder(data.images, data.truth)["v7"].mean()
    assert scores_in(out)["26"]["IoU"] == pytest.approx(mean_iou, abs=1e-4)
