"""What the table of a run says of an image: remarks, scores where the truth is known, flags."""

import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from batching import (
    column,
    errors_of,
    heads,
    one_by_one,
    parquet_rows,
    results_of,
    save_arrays,
    serial,
)
from inputs import later, ring_head
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib.errors import InputWarning
from skullmask_lib.io import datasets

pytestmark = pytest.mark.usefixtures("folder")


# --- what is remarked ----------------------------------------------------------------------------


def small_head():
    return ring_head(axes_mm=(60.0, 50.0), shape=(150, 130))[0]


def two_heads():
    """Give an image that shows two heads of one size."""
    return np.hstack([small_head(), small_head()]).astype(np.float32)


@pytest.mark.parametrize(
    "backend", [{"backend": "serial"}, *later({"backend": "processes", "workers": 2})]
)
def test_what_is_remarked_of_an_image_is_in_its_row(skullmask, backend):
    Path("a").mkdir()
    np.save("a/one.npy", ring_head()[0].astype(np.float32))
    np.save("a/two.npy", two_heads())
    np.save("a/stack.npy", np.stack([two_heads(), np.zeros((150, 260), np.float32)]))
    run = sm.batch("a", "m", version="v8", **backend)
    assert run.flagged["remarked"] == 2
    rows = {row["name"]: row for row in results_of("m")}
    assert [*rows["one.npy"]][-3:] == ["quality", "flags", "remarks"]
    assert rows["one.npy"]["remarks"] == ""
    assert rows["two.npy"]["remarks"] == rows["stack.npy[0]"]["remarks"] != ""
    assert "two.npy" not in rows["two.npy"]["remarks"]
    assert rows["stack.npy[1]"]["remarks"] == ""
    again = sm.batch("a", "m", version="v8", **backend)
    assert again.flagged == run.flagged
    assert "2 remarked" in skullmask("batch", "a", "m")[1]


@pytest.mark.parametrize("version", ["v1", "v5", "v7", "v8"])
@pytest.mark.parametrize("quality", [None, True, False])
def test_of_more_than_one_head_every_version_tells(version, quality):
    head = small_head()
    noise = np.random.default_rng(1).normal(0, 0.02, (150, 260))
    dim_second = np.hstack([head, 0.5 * head]) + noise
    alone = np.pad(head, ((0, 0), (0, 130))) + noise
    images = {
        "two.npy": two_heads(),
        "dim.npy": dim_second,
        "large.npy": np.kron(two_heads(), np.ones((3, 3))),
        "alone.npy": alone,
        "volume.npy": np.stack([alone, dim_second]),
    }
    Path("a").mkdir()
    for name, image in images.items():
        np.save(f"a/{name}", image.astype(np.float32))

    assert serial("a", "m", version, quality=quality).failed == 0

    of_more_heads = {row["name"] for row in results_of("m") if "head" in row["remarks"]}
    assert of_more_heads == {"two.npy", "dim.npy", "large.npy", "volume.npy[1]"}


def test_what_is_remarked_while_reading_is_in_each_row_of_the_file_and_readers_are_silent(
    monkeypatch,
):
    load = datasets.load

    def remarking(path, **options):
        if path.name == "b.npy":
            warnings.warn(InputWarning("is\nlossy", where=path), stacklevel=2)
            warnings.warn("a library has something to say", DeprecationWarning, stacklevel=2)
        return load(path, **options)

    monkeypatch.setattr(datasets, "load", remarking)
    Path("a").mkdir()
    Path("t").mkdir()
    for name in ("a.npy", "b.npy"):
        np.save(f"a/{name}", heads(2))
        np.save(f"t/{name}", one_by_one(heads(2)))
    run = serial("a", "m", truth="t")
    assert run.flagged["remarked"] == 2
    assert column("m", "remarks") == ["", "", *["is lossy; the truth: is lossy"] * 2]
    single = serial("a/../a", "n", "v7")
    assert single.flagged["remarked"] == 2


def test_an_array_of_masks_is_planned_without_a_word(monkeypatch):
    load = datasets.load

    def remarking(path, **options):
        warnings.warn(f"{path}: is lossy", InputWarning, stacklevel=2)
        return load(path, **options)

    monkeypatch.setattr(datasets, "load", remarking)
    Path("a").mkdir()
    np.save("a/a.npy", heads(1)[0])
    assert serial("a", "m.npy").flagged["remarked"] == 1


# --- a truth that is not known everywhere --------------------------------------------------------


PLACE = np.diag([2.0, 2.0, 4.0, 1.0])

ELSEWHERE = np.array([[2.0, 0, 0, 30], [0, 2, 0, 0], [0, 0, 4, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(("of_image", "of_truth", "is_scored"), [
    (PLACE, PLACE, True),
    (None, None, True),
    (None, PLACE, False),
    (PLACE, None, False),
    (PLACE, ELSEWHERE, False),
])  # fmt: skip
def test_a_volume_is_scored_only_where_its_truth_lies(of_image, of_truth, is_scored):
    slices = heads(3, np.uint8)
    truth = one_by_one(slices)
    Path("a").mkdir()
    np.save("a/other.npy", slices)
    nib.save(nib.Nifti1Image(slices.T[:, ::-1], of_image), "a/volume.nii.gz")
    Path("t").mkdir()
    np.save("t/other.npy", truth)
    nib.save(nib.Nifti1Image(truth.T[:, ::-1], of_truth), "t/volume.nii")

    assert serial("a", "m", truth="t", chunk=1).failed == (0 if is_scored else 1)

    assert Path("m/volume.nii.gz").exists()
    rows = results_of("m")
    assert [bool(row["iou"]) for row in rows] == [True] * 3 + [is_scored] * 3
    assert {row["flags"] for row in rows[3:]} == {"" if is_scored else "unscored"}
    unscored = ["volume.nii.gz[0]", "volume.nii.gz[1]", "volume.nii.gz[2]"]
    assert [*errors_of("m")] == ([] if is_scored else unscored)


@pytest.mark.parametrize("table", ["csv", "parquet"])
def test_where_the_truth_is_empty_it_is_unknown(table):
    images = heads(4)
    images[3] = 0
    truth = one_by_one(heads(4))
    truth[[1, 3]] = 0
    np.save("a.npy", images)
    np.save("t.npy", truth)
    options = {"truth": "t.npy", "table": table, "quality": True}

    assert serial("a.npy", "m.npy", **options).failed == 0

    read_rows = results_of if table == "csv" else parquet_rows
    rows = read_rows("m.npy")
    is_unknown = [False, True, False, True]
    flags = [row["flags"].split("; ") for row in rows]
    assert ["unknown truth" in flag for flag in flags] == is_unknown
    assert flags[3] == ["empty", "unknown truth"]
    for score in ("iou", "dice", "area_error", "hausdorff_px", "hd95_px", "assd_px"):
        assert [row[score] in ("", None) for row in rows] == is_unknown
    assert [float(row["iou"]) for row in rows[::2]] == [1.0, 1.0]
    assert serial("a.npy", "m.npy", **options).flagged["empty"] == 1


def test_of_a_file_of_several_slices_the_truth_is_known_as_for_a_score():
    masks = one_by_one(heads(4))
    every_other = masks.copy()
    every_other[[1, 3]] = 0
    truths = {"none": masks, "some": every_other, "all": np.zeros_like(masks)}
    unknown = {"none": (), "some": (1, 3), "all": ()}
    Path("a").mkdir()
    Path("t").mkdir()
    for name, truth in truths.items():
        np.save(f"a/{name}.npy", heads(4))
        np.save(f"t/{name}.npy", truth)

    assert serial("a", "m", truth="t").failed == 0

    rows = {row["name"]: row for row in results_of("m")}
    for name, truth in truths.items():
        scores = sm.metrics.score_slices(masks, truth)
        for index in range(4):
            row = rows[f"{name}.npy[{index}]"]
            is_unknown = index in unknown[name]
            assert (row["flags"] == "unknown truth") == is_unknown
            assert row["iou"] == ("" if is_unknown else str(scores[index]["iou"]))
    assert rows["all.npy[0]"]["iou"] == "0.0"


def test_of_a_slice_that_is_alone_an_empty_truth_is_unknown():
    save_arrays("a", heads(2))
    save_arrays("t", np.zeros((2, 48, 40), np.uint8))
    serial("a", "m", truth="t")
    assert column("m", "flags") == ["unknown truth"] * 2


def test_masks_to_look_at_are_counted(skullmask):
    images = heads(9)
    images[[1, 4]] = 7
    disc = ndimage.binary_fill_holes(images[6] > 0)
    images[6] = disc  # without a skull
    np.save("a.npy", images)
    for _ in range(2):
        code, out, err = skullmask("batch", "a.npy", "m.npy", "--backend", "serial", "--chunk", "3")
        assert (code, err) == (0, [])
        flags = column("m.npy", "flags")
        assert flags.count("empty") >= 2
        assert flags.count("doubtful") >= 1
        counted = f"{flags.count('doubtful')} doubtful, {flags.count('empty')} empty"
        assert f"\nTo be looked at first: {counted}\n" in out


@pytest.mark.parametrize("alike", [True, False])
def test_slices_as_nifti_of_two_axes_are_scored_or_left_unscored(alike):
    image, truth = ring_head()
    affine = np.diag([2.0, 2, 1, 1])
    Path("a").mkdir()
    nib.save(nib.Nifti1Image(image.astype(np.float32), affine), "a/x.nii")
    np.save("a/y.npy", image)
    Path("t").mkdir()
    nib.save(nib.Nifti1Image(truth, affine if alike else None), "t/x.nii")
    np.save("t/y.npy", truth)

    serial("a", "m", truth="t")

    x, y = results_of("m")
    assert x["flags"] == ("" if alike else "unscored")
    assert y["flags"] == ""
    assert bool(x["iou"]) == alike
