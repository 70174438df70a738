"""Check the capstone of a course.

A secret seed draws a head. The students get its slices without the truth, and their masks are
scored and compared.
"""

import re

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from result_tables import column, rows_of

import skullmask_lib as sm
from skullmask_lib import capstone, raters

SHAPE = (5, 256, 208)
# Submissions that are no masks of the head
WRONG = {
    "few.npy": np.ones((3, 256, 208), np.uint8),
    "grey.npy": np.arange(float(np.prod(SHAPE))).reshape(SHAPE),
    "nan.npy": np.full(SHAPE, np.nan),
}
TRUTH = "secret/teacher/head.npz"
SLICES = "secret/students/slices.npz"


@pytest.fixture(scope="module")
def head():
    return capstone.draw(4711)


def test_a_seed_draws_the_same_head_and_another_seed_another_one(head):
    again = capstone.draw(4711)
    np.testing.assert_array_equal(again.images, head.images)
    np.testing.assert_array_equal(again.truth, head.truth)
    other = capstone.draw(4712)
    assert not np.array_equal(other.truth, head.truth)
    ious = list(map(sm.iou, other.truth, head.truth))
    assert max(ious) < 0.98  # another skull, and not the same one with other noise


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5])
def test_a_seed_that_cannot_be_used_is_refused(seed):
    with pytest.raises(sm.InputError):
        capstone.draw(seed)


def test_students_get_no_truth(head, folder):
    secret = folder / "secret"
    capstone.write(head, secret)
    files = {path.relative_to(secret) for path in folder.rglob("*.npz")}
    assert files == {capstone.FOR_STUDENTS, capstone.FOR_THE_TEACHER}
    with np.load(secret / capstone.FOR_STUDENTS) as handed_out:
        assert set(handed_out) == {"images", "spacing_mm", "names"}
    kept = sm.load(secret / capstone.FOR_THE_TEACHER)
    np.testing.assert_array_equal(kept.truth, head.truth)
    np.testing.assert_array_equal(kept.images, head.images)
    with pytest.raises(sm.InputError):
        capstone.write(head, secret)  # a head is not overwritten


@pytest.fixture
def classroom(head, folder):
    """Give a folder of submissions, good and bad ones, beside the teacher's head."""
    capstone.write(head, folder / "secret")
    masks = folder / "masks"
    (masks / "eve").mkdir(parents=True)
    np.save(masks / "anna.npy", head.truth)
    np.save(masks / "ben.npy", 255 * masks_of_ben(head))
    np.save(masks / "nobody.npy", np.zeros_like(head.truth))
    for index, image in enumerate(head.images):
        Image.fromarray(255 * sm.v2(image)).save(masks / "eve" / f"slice_{index}.png")
    (masks / ".hidden").write_text("")
    return folder


def masks_of_ben(head):
    """Make masks that are not perfect: by v7 with a narrow element."""
    return np.stack([sm.v7(image, dilation_size=11) for image in head.images])


def test_submissions_are_ranked_and_scored_like_any_mask(classroom, head, skullmask):
    code, out, errors = skullmask("capstone", "score", "masks", TRUTH, "-o", "s.csv")
    assert (code, errors) == (0, [])
    assert "anna.npy" in out
    rows = rows_of(classroom / "s.csv")
    assert column(rows, "submission") == ["anna.npy", "ben.npy", "eve", "nobody.npy"]
    assert column(rows, "rank") == ["1", "2", "3", "4"]

    anna, ben, _, nobody = rows
    spacing_mm = np.ones((len(head.images), 2))
    scores = sm.score_slices(masks_of_ben(head), head.truth, spacing_mm)
    ious = column(scores, "iou")
    assert float(ben["IoU"]) == np.mean(ious)
    assert float(ben["worst IoU"]) == min(ious)
    assert float(ben["HD95 [mm]"]) == pytest.approx(np.mean(column(scores, "hd95_mm")))
    assert anna["IoU"] == "1.0"
    assert nobody["IoU"] == "0.0"
    assert nobody["HD95 [mm]"] == "inf"


def test_a_bad_submission_gets_a_line_and_the_others_their_scores(classroom, skullmask):
    for name, masks in WRONG.items():
        np.save(classroom / "masks" / name, masks)
    (classroom / "masks" / "notes.txt").write_text("later")
    code, out, lines = skullmask("capstone", "score", "masks", TRUTH)
    assert code == 0
    assert "anna.npy" in out
    for name in (*WRONG, "notes.txt"):
        [line] = [line for line in lines if name in line]
        assert line.startswith(f"skullmask: warning: masks/{name}: left out: ")
        assert name not in out


@pytest.mark.parametrize("truth", ["truth.npy", "head.npz"])
def test_the_truth_may_be_masks_alone(classroom, head, skullmask, truth):
    np.save(classroom / "truth.npy", head.truth)
    np.savez(classroom / "head.npz", images=head.images, truth=head.truth)
    code, out, _ = skullmask("capstone", "score", "masks", truth)
    assert code == 0
    assert "HD95 [px]" in out
    assert "| 1    | anna.npy" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "none", TRUTH),
        ("score", "empty", TRUTH),
        ("score", "masks/anna.npy", TRUTH),
        ("score", "masks", SLICES),
        ("score", "masks", "none.npz"),
        ("agree", "masks/eve", SLICES),
        ("agree", "masks", SLICES, "-o", "consensus.png"),
        ("draw", "-o", "masks"),
        ("draw", "-o", "new", "--seed", "-1"),
    ],
)
def test_what_cannot_be_done_is_one_line(classroom, skullmask, arguments):
    (classroom / "empty").mkdir()
    code, _, lines = skullmask("capstone", *arguments)
    assert code == 2
    assert lines[-1].startswith("skullmask: ")
    assert not (classroom / "new").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("agree", "masks", SLICES, "-o", "masks/anna.npy"),
        ("agree", "masks", SLICES, "--plot", "masks/eve/slice_0.png"),
        ("agree", "masks", SLICES, "-o", "masks/consensus.npy"),
        ("score", "masks", TRUTH, "-o", "masks/anna.npy"),
    ],
)
def test_no_submission_is_replaced_or_joined_by_an_output(classroom, skullmask, arguments):
    before = contents_of(classroom)
    code, _, lines = skullmask("capstone", *arguments)
    assert code == 2
    assert arguments[-1] in lines[-1]
    assert contents_of(classroom) == before


def contents_of(folder):
    """Read all files below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_volume_of_masks_that_lies_elsewhere_is_warned_of(head, folder, skullmask):
    volume = head.truth.transpose(2, 1, 0)[::-1, ::-1]
    moved = np.eye(4)
    moved[2, 3] = 5
    (folder / "masks").mkdir()
    nib.save(nib.Nifti1Image(volume, np.eye(4)), folder / "truth.nii")
    nib.save(nib.Nifti1Image(volume, np.eye(4)), folder / "masks" / "anna.nii")
    nib.save(nib.Nifti1Image(volume, moved), folder / "masks" / "ben.nii")
    code, _, [line] = skullmask("capstone", "score", "masks", "truth.nii")
    assert code == 0
    assert line.startswith("skullmask: warning: masks/ben.nii: ")


def test_equal_scores_get_equal_ranks(classroom, head, skullmask):
    np.save(classroom / "masks" / "zoe.npy", head.truth)
    skullmask("capstone", "score", "masks", TRUTH, "-o", "s.csv")
    rows = rows_of(classroom / "s.csv")
    assert column(rows, "submission")[:3] == ["anna.npy", "zoe.npy", "ben.npy"]
    assert column(rows, "rank")[:3] == ["1", "1", "3"]


def test_no_name_in_the_table_is_a_formula(classroom, head, skullmask):
    np.save(classroom / "masks" / "=1+1.npy", head.truth)
    skullmask("capstone", "score", "masks", TRUTH, "-o", "s.csv")
    names = column(rows_of(classroom / "s.csv"), "submission")
    assert "'=1+1.npy" in names


def test_a_name_keeps_its_dots(head, folder, skullmask):
    capstone.write(head, folder / "secret")
    (folder / "masks").mkdir()
    for name in ("v1.anna.npy", "v2.ben.npy"):
        np.save(folder / "masks" / name, head.truth)
    code, out, _ = skullmask("capstone", "agree", "masks", SLICES)
    assert code == 0
    assert "| v1.anna | v2.ben |" in out


@pytest.mark.usefixtures("classroom")
def test_images_that_are_named_as_the_truth_are_told_apart_from_masks(skullmask):
    code, _, [line] = skullmask("capstone", "score", "masks", SLICES)
    assert code == 2
    assert "slices.npz" in line
    assert "no truth" in line


def test_where_no_submission_can_be_used_a_reason_is_said(classroom, skullmask):
    (classroom / "bad").mkdir()
    np.save(classroom / "bad" / "few.npy", WRONG["few.npy"])
    code, _, [line] = skullmask("capstone", "score", "bad", TRUTH)
    assert code == 2
    assert "bad/few.npy" in line
    assert "(5, 256, 208)" in line


@pytest.mark.full
def test_a_head_without_a_seed_is_another_one_each_time(folder, skullmask):
    for name in ("one", "two"):
        code, out, _ = skullmask("capstone", "draw", "-o", name)
        assert code == 0
    [seed_of_second] = re.findall(r"--seed (\d+)", out)
    first = sm.load(folder / "one" / capstone.FOR_THE_TEACHER)
    second = sm.load(folder / "two" / capstone.FOR_THE_TEACHER)
    assert not np.array_equal(first.truth, second.truth)
    np.testing.assert_array_equal(capstone.draw(int(seed_of_second)).truth, second.truth)


@pytest.mark.parametrize("output", ["consensus.npz", "consensus.nii.gz"])
def test_a_consensus_keeps_the_pixel_size_of_its_slices(folder, skullmask, output):
    volume = np.zeros((16, 18, 3), np.float32)
    volume[4:12, 5:13] = 1
    nib.save(nib.Nifti1Image(volume, np.diag([1.5, 0.8, 4, 1])), "scan.nii")
    (folder / "masks").mkdir()
    scan = sm.load("scan.nii")
    for name in ("anna", "ben", "eve"):
        np.save(folder / "masks" / name, scan.images)
    code, _, _ = skullmask("capstone", "agree", "masks", "scan.nii", "-o", output)
    assert code == 0
    holds_images = output.endswith(".npz")
    consensus = sm.load(output, truth=None if holds_images else output)
    np.testing.assert_array_equal(consensus.truth, scan.images)
    np.testing.assert_array_equal(consensus.spacing_mm, scan.spacing_mm)
    code, out, _ = skullmask("capstone", "score", "masks", output)
    assert code == 0
    assert "HD95 [mm]" in out


@pytest.mark.full
def test_traces_are_compared_and_the_majority_is_written(classroom, head, skullmask):
    outputs = ("-o", "consensus.npy", "--plot", "a.png")
    code, out, _ = skullmask("capstone", "agree", "masks", SLICES, *outputs)
    assert code == 0
    assert "consensus.npy" in out
    assert "a.png" in out
    assert Image.open(classroom / "a.png").width == 880

    masks = capstone.submissions(classroom / "masks", head, pytest.fail)
    consensus = np.load(classroom / "consensus.npy")
    np.testing.assert_array_equal(consensus, raters.majority(masks))

    anna_and_ben = {name: masks[name] for name in ("anna.npy", "ben.npy")}
    [pair] = raters.pairs(anna_and_ben, head.spacing_mm)
    lines = [line for line in out.splitlines() if line.startswith("| anna  | ben")]
    assert f"{pair.iou:.4f}" in lines[0]
