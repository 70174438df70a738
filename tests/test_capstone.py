"""The capstone: a head drawn by a secret seed, whose truth the students do not get, and their scores."""

import csv

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

import skullmask_lib as sm
from skullmask_lib import capstone, raters

WRONG = {
    "few.npy": np.ones((3, 256, 208), np.uint8),
    "grey.npy": np.arange(5 * 256 * 208.0).reshape(5, 256, 208),
    "nan.npy": np.full((5, 256, 208), np.nan),
}


@pytest.fixture(scope="module")
def head():
    return capstone.draw(4711)


def test_a_seed_draws_the_same_head_and_another_seed_another_one(head):
    again, other = capstone.draw(4711), capstone.draw(4712)
    np.testing.assert_array_equal(again.images, head.images)
    np.testing.assert_array_equal(again.truth, head.truth)
    assert not np.array_equal(other.truth, head.truth)
    ious = [sm.iou(one, two) for one, two in zip(other.truth, head.truth, strict=True)]
    assert max(ious) < 0.98  # another skull, and not the same one with other noise


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5])
def test_a_seed_that_cannot_be_used_is_refused(seed):
    with pytest.raises(sm.InputError):
        capstone.draw(seed)


def test_students_get_no_truth(head, folder):
    capstone.write(head, folder / "secret")
    files = {path.relative_to(folder / "secret") for path in folder.rglob("*.npz")}
    assert files == {capstone.FOR_STUDENTS, capstone.FOR_THE_TEACHER}
    with np.load(folder / "secret" / capstone.FOR_STUDENTS) as handed_out:
        assert set(handed_out) == {"images", "spacing_mm", "names"}
    kept = sm.load(folder / "secret" / capstone.FOR_THE_TEACHER)
    np.testing.assert_array_equal(kept.truth, head.truth)
    np.testing.assert_array_equal(kept.images, head.images)
    with pytest.raises(sm.InputError):
        capstone.write(head, folder / "secret")  # a head is not overwritten


@pytest.fixture
def classroom(head, folder):
    """Give a folder of submissions, good and bad ones, beside the teacher's head."""
    capstone.write(head, folder / "secret")
    masks = folder / "masks"
    (masks / "eve").mkdir(parents=True)
    np.save(masks / "anna.npy", head.truth)
    np.save(
        masks / "ben.npy", 255 * np.stack([sm.v7(image, dilation_size=11) for image in head.images])
    )
    np.save(masks / "nobody.npy", np.zeros_like(head.truth))
    for index, image in enumerate(head.images):
        Image.fromarray(255 * sm.v2(image)).save(masks / "eve" / f"slice_{index}.png")
    (masks / ".hidden").write_text("")
    return folder


def test_submissions_are_ranked_and_scored_like_any_mask(classroom, head, skullmask):
    code, out, errors = skullmask(
        "capstone", "score", "masks", "secret/teacher/head.npz", "-o", "s.csv"
    )
    assert (code, errors) == (0, [])
    with open(classroom / "s.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["submission"] for row in rows] == ["anna.npy", "ben.npy", "eve", "nobody.npy"]
    assert [row["rank"] for row in rows] == list("1234")
    ben = [
        sm.score(sm.v7(i, dilation_size=11), t, (1, 1))
        for i, t in zip(head.images, head.truth, strict=True)
    ]
    assert float(rows[1]["IoU"]) == np.mean([score["iou"] for score in ben])
    assert float(rows[1]["worst IoU"]) == min(score["iou"] for score in ben)
    assert float(rows[1]["HD95 [mm]"]) == pytest.approx(
        np.mean([score["hd95_mm"] for score in ben])
    )
    assert (rows[0]["IoU"], rows[3]["IoU"], rows[3]["HD95 [mm]"]) == ("1.0", "0.0", "inf")
    assert "anna.npy" in out


def test_a_bad_submission_gets_a_line_and_the_others_their_scores(classroom, skullmask):
    for name, masks in WRONG.items():
        np.save(classroom / "masks" / name, masks)
    (classroom / "masks" / "notes.txt").write_text("later")
    code, out, lines = skullmask("capstone", "score", "masks", "secret/teacher/head.npz")
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
        ("score", "none", "secret/teacher/head.npz"),
        ("score", "empty", "secret/teacher/head.npz"),
        ("score", "masks/anna.npy", "secret/teacher/head.npz"),
        ("score", "masks", "secret/students/slices.npz"),
        ("score", "masks", "none.npz"),
        ("agree", "masks/eve", "secret/students/slices.npz"),
        ("agree", "masks", "secret/students/slices.npz", "-o", "consensus.png"),
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
        ("agree", "masks", "secret/students/slices.npz", "-o", "masks/anna.npy"),
        ("agree", "masks", "secret/students/slices.npz", "--plot", "masks/eve/slice_0.png"),
        ("agree", "masks", "secret/students/slices.npz", "-o", "masks/consensus.npy"),
        ("score", "masks", "secret/teacher/head.npz", "-o", "masks/anna.npy"),
    ],
)
def test_no_submission_is_replaced_or_joined_by_an_output(classroom, skullmask, arguments):
    before = {path: path.read_bytes() for path in classroom.rglob("*") if path.is_file()}
    code, _, lines = skullmask("capstone", *arguments)
    assert code == 2
    assert arguments[-1] in lines[-1]
    after = {path: path.read_bytes() for path in classroom.rglob("*") if path.is_file()}
    assert after == before


def test_a_volume_of_masks_that_lies_elsewhere_is_warned_of(head, folder, skullmask):
    volume = head.truth.transpose(2, 1, 0)[::-1, ::-1]
    moved = np.eye(4)
    moved[2, 3] = 5
    (folder / "masks").mkdir()
    for path, affine in (
        ("truth.nii", np.eye(4)),
        ("masks/anna.nii", np.eye(4)),
        ("masks/ben.nii", moved),
    ):
        nib.save(nib.Nifti1Image(volume, affine), folder / path)
    code, _, [line] = skullmask("capstone", "score", "masks", "truth.nii")
    assert code == 0
    assert line.startswith("skullmask: warning: masks/ben.nii: ")


def test_equal_scores_get_equal_ranks(classroom, head, skullmask):
    np.save(classroom / "masks" / "zoe.npy", head.truth)
    skullmask("capstone", "score", "masks", "secret/teacher/head.npz", "-o", "s.csv")
    with open(classroom / "s.csv", newline="", encoding="utf-8") as file:
        ranks = {row["submission"]: row["rank"] for row in csv.DictReader(file)}
    assert list(ranks.items())[:3] == [("anna.npy", "1"), ("zoe.npy", "1"), ("ben.npy", "3")]


@pytest.mark.usefixtures("classroom")
def test_images_that_are_named_as_the_truth_are_told_apart_from_masks(skullmask):
    code, _, [line] = skullmask("capstone", "score", "masks", "secret/students/slices.npz")
    assert code == 2
    assert "slices.npz" in line
    assert "no truth" in line


def test_where_no_submission_can_be_used_a_reason_is_said(classroom, skullmask):
    (classroom / "bad").mkdir()
    np.save(classroom / "bad" / "few.npy", WRONG["few.npy"])
    code, _, [line] = skullmask("capstone", "score", "bad", "secret/teacher/head.npz")
    assert code == 2
    assert "bad/few.npy" in line
    assert "(5, 256, 208)" in line


@pytest.mark.full
def test_a_head_without_a_seed_is_another_one_each_time(folder, skullmask):
    for name in ("one", "two"):
        code, out, _ = skullmask("capstone", "draw", "-o", name)
        assert code == 0
    seed = int(out.split("--seed ")[1].split()[0])
    heads = [sm.load(folder / name / capstone.FOR_THE_TEACHER) for name in ("one", "two")]
    assert not np.array_equal(heads[0].truth, heads[1].truth)
    np.testing.assert_array_equal(capstone.draw(seed).truth, heads[1].truth)


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
    consensus = sm.load(output, truth=None if output.endswith(".npz") else output)
    np.testing.assert_array_equal(consensus.truth, scan.images)
    np.testing.assert_array_equal(consensus.spacing_mm, scan.spacing_mm)
    code, out, _ = skullmask("capstone", "score", "masks", output)
    assert code == 0
    assert "HD95 [mm]" in out


@pytest.mark.full
def test_traces_are_compared_and_the_majority_is_written(classroom, head, skullmask):
    arguments = ("masks", "secret/students/slices.npz", "-o", "consensus.npy", "--plot", "a.png")
    code, out, _ = skullmask("capstone", "agree", *arguments)
    assert code == 0
    masks = capstone.submissions(classroom / "masks", head, pytest.fail)
    np.testing.assert_array_equal(np.load(classroom / "consensus.npy"), raters.majority(masks))
    assert Image.open(classroom / "a.png").width == 880
    assert "consensus.npy" in out
    assert "a.png" in out
    pairs = [line for line in out.splitlines() if line.startswith("| anna  | ben")]
    [pair] = raters.pairs({name: masks[name] for name in ("anna.npy", "ben.npy")}, head.spacing_mm)
    assert f"{pair.iou:.4f}" in pairs[0]
