"""Many images from and to any store get the masks that the one-call door makes of each."""

import contextlib
import os
from pathlib import Path

import fsspec
import nibabel as nib
import numpy as np
import pytest
import zarr
from batching import (
    assert_same,
    column,
    errors_of,
    heads,
    one_by_one,
    parquet_rows,
    results_of,
    save_arrays,
    save_head,
    serial,
)
from complaints import refused
from folders import contents_of
from hypothesis import given, settings
from hypothesis import strategies as st
from inputs import ring_head
from PIL import Image
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import InputError, polar
from skullmask_lib.batches import reading, stacks
from skullmask_lib.errors import InputWarning

pytestmark = pytest.mark.usefixtures("folder")
IN_ORDER = pytest.warns(InputWarning, match="in order")
REMARKS = pytest.mark.filterwarnings("ignore:the mask is empty")


FILES = ("a.npy", "sub/b.tif", "sub/c.png", "sub/sub/d.nii.gz", "z/a.npy")
AFFINE = np.diag([2.0, 1.5, 4.0, 1.0])  # of the volume among these files


def save_zarr(path, array, chunks=4):
    shape = array.shape
    stored = zarr.create_array(
        str(path), shape=shape, chunks=(chunks, *shape[1:]), dtype=array.dtype
    )
    stored[:] = array


def save_files(folder, images):
    """Write images as files of all kinds, in folders."""
    for name, image in zip(FILES, images, strict=True):
        file = Path(folder, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".npy":
            np.save(file, image)
        elif file.suffix == ".gz":
            nib.save(nib.Nifti1Image(as_voxels(image[None]), AFFINE), file)
        else:
            Image.fromarray(image).save(file)


def as_voxels(slices):
    """Lay slices (N, H, W) out as a volume of NIfTI holds them: (W, H, N), upside down."""
    return slices.T[:, ::-1]


def read_files(folder):
    """Read what `save_files` wrote, or the masks of it."""
    volume = nib.load(f"{folder}/sub/sub/d.nii.gz")
    assert np.array_equal(volume.affine, AFFINE)
    return [
        np.load(f"{folder}/a.npy"),
        read_picture(folder, "b.*"),
        read_picture(folder, "c.*"),
        np.asarray(volume.dataobj)[:, ::-1, 0].T,
        np.load(f"{folder}/z/a.npy"),
    ]


def read_picture(folder, pattern):
    [file] = Path(folder, "sub").glob(pattern)
    return np.array(Image.open(file))


def assert_qualities(output, images, masks, **options):
    """See that a table has the quality of every mask, to the six digits that are written."""
    pairs = zip(images, masks, strict=True)
    expected = [round(sm.quality(image, mask, **options), 6) for image, mask in pairs]
    assert [float(quality) for quality in column(output, "quality")] == expected


# --- the masks of the one-call door --------------------------------------------------------------


@REMARKS
def test_v8_and_its_quality_are_those_of_the_doors_though_the_head_is_unwrapped_once():
    head = ring_head(at_mm=(2.0, 1.0))[0]
    images = np.stack([head, np.zeros(head.shape)]).astype(np.float32)
    np.save("a.npy", images)
    serial("a.npy", "m.npy", None, spacing_mm=(1.0, 1.0))
    expected = one_by_one(images, "v8", spacing_mm=(1.0, 1.0))
    assert_same(np.load("m.npy"), expected)
    assert_qualities("m.npy", images, expected, spacing_mm=(1.0, 1.0))
    assert column("m.npy", "flags") == ["", "empty"]


@pytest.mark.parametrize("version", ["v1", "v5", "v7"])
def test_a_version_and_its_options(version):
    np.save("a.npy", heads(4))
    options = {} if version == "v1" else {"dilation_size": 9}
    serial("a.npy", "m.npy", version, quality=True, **options)
    expected = one_by_one(heads(4), version, **options)
    assert_same(np.load("m.npy"), expected)
    assert_qualities("m.npy", heads(4), expected)


@pytest.mark.parametrize("output", ["m.npy", "m.zarr", "m"])
@pytest.mark.parametrize("source", ["a.npy", "a.zarr", "a", "a.txt"])
def test_every_kind_of_input_and_output(source, output):
    images = heads(5, np.uint8)
    np.save("a.npy", images)
    save_zarr("a.zarr", images)
    save_files("a", images)
    Path("a.txt").write_text("".join(f"a/{name}\n\n" for name in FILES))

    assert serial(source, output).failed == 0

    expected = one_by_one(images)
    if output == "m.npy":
        assert_same(np.load(output), expected)
    elif output == "m.zarr":
        assert_same(zarr.open_array(output, mode="r")[:], expected)
    elif source in ("a", "a.txt"):
        masks = read_files(output)
        assert [int(mask.max()) for mask in masks] == [1, 255, 255, 1, 1]
        assert_same(np.stack(masks) > 0, expected > 0)
    else:
        names = [f"a_{index:06}.png" for index in range(5)]
        assert sorted(os.listdir(output)) == names
        pictures = [np.array(Image.open(f"{output}/{name}")) for name in names]
        assert_same(np.stack(pictures), 255 * expected)


def test_a_file_gives_the_mask_that_the_command_mask_makes_of_it(skullmask):
    """The middle slice of the volume is blurred: its neighbours pull its outline."""
    slices = np.stack([ring_head()[0]] * 3).astype(np.float32)
    slices[1] = ndimage.gaussian_filter(slices[1], 5)
    affine = np.array([[0, 1, 0, -9], [-1, 0, 0, 7], [0, 0, 3, 0.5], [0, 0, 0, 1]])
    save_kinds_of_files(slices, affine)

    assert skullmask("batch", "a", "m", "--backend", "serial")[0] == 0, errors_of("m")
    assert skullmask("batch", "colour", "n", "--backend", "serial", "--channel", "1")[0] == 0

    for source, output, *options in (
        ("a/one.nii", "m/one.nii"),
        ("a/stack.npy", "m/stack.npy"),
        ("a/pages.tiff", "m/pages.npy"),
        ("colour/c.png", "n/c.png", "--channel", "1"),
    ):
        expected = Path("expected").with_suffix(Path(output).suffix)
        assert skullmask("mask", source, "-o", expected, *options)[0] == 0
        assert Path(output).read_bytes() == expected.read_bytes(), output

    assert skullmask("mask", "a/sub/volume.nii.gz", "-o", "expected.nii.gz")[0] == 0
    mask = nib.load("m/sub/volume.nii.gz")
    expected = nib.load("expected.nii.gz")
    assert np.array_equal(mask.affine, affine)
    assert mask.header == expected.header
    assert_same(np.asarray(mask.dataobj), np.asarray(expected.dataobj))
    data = sm.load("a/sub/volume.nii.gz")
    alone = sm.v8(data.images[1], spacing_mm=tuple(data.spacing_mm[1]))
    assert not np.array_equal(sm.load("m/sub/volume.nii.gz").images[1], alone)

    assert column("m", "name") == [
        "one.nii",
        "pages.tiff[0]",
        "pages.tiff[1]",
        "stack.npy[0]",
        "stack.npy[1]",
        "sub/volume.nii.gz[0]",
        "sub/volume.nii.gz[1]",
        "sub/volume.nii.gz[2]",
    ]
    rows = results_of("m")
    assert [row["area_mm2"] for row in rows[1:5]] == [""] * 4
    assert float(rows[-1]["area_mm2"]) == int(rows[-1]["area_px"])


def save_kinds_of_files(slices, affine):
    """Write slices as volume, single slice, stack, pages and, in a folder of its own, in colour."""
    Path("a/sub").mkdir(parents=True)
    nib.save(nib.Nifti1Image(as_voxels(slices), affine), "a/sub/volume.nii.gz")
    one_slice = nib.Nifti1Image(as_voxels(slices[:1]), np.diag([1.0, 1.0, 3.0, 1.0]))
    nib.save(one_slice, "a/one.nii")
    np.save("a/stack.npy", slices[:2, 20:200])
    pages = [Image.fromarray((60 * page).astype(np.uint16)) for page in slices[:2]]
    pages[0].save("a/pages.tiff", save_all=True, append_images=pages[1:])
    colour = np.zeros((*slices.shape[1:], 3), np.uint8)
    colour[..., 1] = 99 * slices[0]
    Path("colour").mkdir()
    Image.fromarray(colour).save("colour/c.png")


def test_addresses_in_and_out():
    images = heads(7)
    save_zarr("memory://in.zarr", images)
    assert serial("memory://in.zarr", "memory://out.zarr").masks == "memory://out.zarr"
    assert_same(zarr.open_array("memory://out.zarr", mode="r")[:], one_by_one(images))
    assert os.listdir() == ["out.zarr.batch"]
    records = Path("out.zarr.batch/journal.jsonl").read_bytes()
    serial("memory://in.zarr", "memory://out.zarr")
    assert Path("out.zarr.batch/journal.jsonl").read_bytes() == records


def test_an_array_at_an_address_is_not_written_over():
    images = heads(4)
    save_zarr("memory://precious.zarr", images)
    for source in ("memory://precious.zarr", "a.npy"):
        np.save("a.npy", images)
        with pytest.raises(InputError, match=r"memory://precious.zarr: "):
            serial(source, "memory://precious.zarr")
        assert_same(zarr.open_array("memory://precious.zarr", mode="r")[:], images)


def test_a_group_at_an_address_is_not_written_over():
    np.save("a.npy", heads(4))
    zarr.create_group("memory://precious").create_array("x", shape=(2,), dtype="u1")[:] = 7
    with refused("memory://precious"):
        serial("a.npy", "memory://precious")
    assert (zarr.open_group("memory://precious", mode="r")["x"][:] == 7).all()


def test_masks_that_are_damaged_at_an_address_are_made_again():
    np.save("a.npy", heads(7))
    serial("a.npy", "memory://damaged.zarr")
    store, chunk = fsspec.core.url_to_fs("memory://damaged.zarr/c/1/0/0")
    intact = store.cat_file(chunk)
    store.pipe_file(chunk, intact[:-9] + bytes(9))
    serial("a.npy", "memory://damaged.zarr")
    assert_same(zarr.open_array("memory://damaged.zarr", mode="r")[:], one_by_one(heads(7)))
    assert store.cat_file(chunk) == intact


def test_a_list_may_begin_with_a_mark_of_its_encoding():
    save_files("a", heads(5, np.uint8))
    Path("some.txt").write_text("a/z/a.npy\n", encoding="utf-8-sig")
    assert serial("some.txt", "m").failed == 0


def test_a_picture_may_be_named_after_its_volume_or_as_long_as_can_be():
    Path("a").mkdir()
    longest = f"{'x' * 247}.png"
    for name in ("scan.nii.png", "scan.nii.gz.tif", longest):
        save_head(f"a/{name}")
    assert serial("a", "m").failed == 0
    assert set(os.listdir("m")) == {"scan.nii.png", "scan.nii.gz.png", longest}


def test_paths_of_a_list_are_relative_to_it_and_one_that_is_missing_is_one_failure():
    Path("lists").mkdir()
    save_files("a", heads(5, np.uint8))
    absolute = Path("a/sub/b.tif").absolute()
    Path("lists/some.txt").write_text(f"../a/z/a.npy\n../a/gone.npy\n{absolute}\n")
    assert serial("lists/some.txt", "m").failed == 1
    assert {str(path) for path in Path("m").rglob("*.*")} == {"m/z/a.npy", "m/sub/b.png"}
    assert_same(np.load("m/z/a.npy"), one_by_one(heads(5, np.uint8))[4])
    assert column("m", "name") == ["z/a.npy", "gone.npy", "sub/b.tif"]
    [(name, error)] = errors_of("m").items()
    assert name == "gone.npy"
    assert error.startswith("no such file")


def test_masks_do_not_go_among_the_images():
    save_files("a", heads(5, np.uint8))
    save_zarr("a.zarr", heads(5))
    before = contents_of(".")
    for images, output in (
        ("a", "a/masks"),
        ("a", "a/sub/m.npy"),
        ("a", "a/m.zarr"),
        ("a.zarr", "a.zarr/m.npy"),
    ):
        with pytest.raises(InputError, match=f"^{output}: .*, {images};"):
            serial(images, output)
    with IN_ORDER, refused("a/m", naming=[", a;"]) as error:
        serial("a.zarr", "a/m", truth="a")
    assert "images" not in error.value.message
    assert contents_of(".") == before


# --- order, dtype, chunks ------------------------------------------------------------------------


DTYPES = ["<f4", ">f4", "<f8", ">f8", "<f2", "<u2", ">u2", "<i4", "u1", "i1", "?"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["C.npy", "F.npy", "zarr"])
def test_values_of_any_dtype_and_order(kind, dtype):
    order = "F" if kind == "F.npy" else "C"
    images = np.asarray(heads(5, np.dtype(dtype).type), dtype, order=order)
    if kind == "zarr":
        save_zarr("a.zarr", images)
    else:
        np.save(f"a.{kind}", images)
    serial(f"a.{kind}", "m.npy")
    assert_same(np.load("m.npy"), one_by_one(images))


HEADS = heads(13, np.uint16)
MASKS = one_by_one(HEADS)


@settings(max_examples=60)
@given(
    count=st.integers(1, 13),
    chunk=st.integers(1, 14),
    stored=st.one_of(st.none(), st.integers(1, 14)),
    output=st.sampled_from(["m.npy", "m.zarr"]),
)
def test_chunks_need_not_divide_anything(tmp_path_factory, count, chunk, stored, output):
    folder = tmp_path_factory.mktemp("chunks")
    images = HEADS[:count]
    expected = MASKS[:count]
    source = folder / ("a" if stored else "a.npy")
    if stored:
        save_zarr(source, images, stored)
    else:
        np.save(source, images)

    progress = []
    serial(source, folder / output, chunk=chunk, progress=progress.append)

    if output == "m.npy":
        np.save(folder / "expected.npy", expected)
        assert (folder / "m.npy").read_bytes() == (folder / "expected.npy").read_bytes()
    else:
        assert_same(zarr.open_array(folder / output, mode="r")[:], expected)
    ends_of_chunks = [min(start + chunk, count) for start in range(0, count, chunk)]
    assert [report.images for report in progress] == ends_of_chunks
    assert progress[-1] == (count, count, images.nbytes, 0)
    areas_px = [int(area) for area in column(folder / output, "area_px")]
    assert areas_px == expected.sum(axis=(1, 2)).tolist()


# --- tables --------------------------------------------------------------------------------------

COLUMNS = ["name", "seconds", "area_px", "quality", "flags"]
SCORES = ["iou", "dice", "area_error"]
DISTANCES = ["hausdorff", "hd95", "assd"]
EMPTY = 3  # the index of the image without a head


@pytest.mark.parametrize("spacing_mm", [None, (0.5, 1.5)])
@REMARKS
def test_a_table_has_the_scores_of_the_doors_and_parquet_has_the_same(spacing_mm):
    images = heads(5)
    images[EMPTY] = 0
    truth = np.roll(one_by_one(images), 1, axis=1)
    truth[EMPTY] = truth[1]
    np.save("a.npy", images)
    np.save("t.npy", 255 * truth)

    for kind in ("csv", "parquet"):
        options = {"truth": "t.npy", "table": kind, "spacing_mm": spacing_mm, "quality": True}
        run = serial("a.npy", f"{kind}.npy", **options)
        assert run.results == Path(f"{kind}.npy.batch/results.{kind}").absolute()
        assert errors_of(f"{kind}.npy") == {}

    rows = results_of("csv.npy")
    assert [*rows[0]] == columns_of_scores(spacing_mm)
    for index, mask in enumerate(np.load("csv.npy")):
        check_row(rows[index], index, mask, truth[index], spacing_mm)
    rows_of_parquet = parquet_rows("parquet.npy")
    for row, parquet_row in zip(rows, rows_of_parquet, strict=True):
        assert [*row] == [*parquet_row]
        for name in set(row) - {"seconds"}:
            value = row[name] if name in ("name", "flags") else float(row[name])
            assert value == parquet_row[name]
    assert {type(row["area_px"]) for row in rows_of_parquet} == {int}


def test_a_small_area_is_not_rounded_to_nothing():
    np.save("a.npy", np.eye(8)[None])
    serial("a.npy", "m.npy", "v1", spacing_mm=(0.01, 0.01))
    assert column("m.npy", "area_mm2") == ["0.0008"]


def columns_of_scores(spacing_mm):
    """Name the columns of a table with scores."""
    unit = "px" if spacing_mm is None else "mm"
    area = [] if spacing_mm is None else ["area_mm2"]
    distances = [f"{name}_{unit}" for name in DISTANCES]
    return [*COLUMNS[:3], *area, *COLUMNS[3:], *SCORES, *distances]


def check_row(row, index, mask, truth, spacing_mm):
    """See that a row has the figures of its mask, and the scores of `skullmask_lib.score`."""
    assert row["name"] == f"a.npy[{index}]"
    if index == EMPTY:
        assert row["flags"] == "empty"
    else:
        is_doubtful = float(row["quality"]) < polar.TRUSTED
        assert row["flags"] == ("doubtful" if is_doubtful else "")
    assert float(row["seconds"]) > 0
    assert int(row["area_px"]) == mask.sum()
    if spacing_mm is not None:
        assert float(row["area_mm2"]) == np.prod(spacing_mm) * mask.sum()
    for name, value in sm.score(mask, truth, spacing_mm).items():
        assert float(row[name]) == value


def test_without_more_to_tell_a_table_is_narrow():
    np.save("a.npy", heads(2))
    for kind in ("csv", "parquet"):
        serial("a.npy", f"{kind}.npy", table=kind)
    [row, _] = results_of("csv.npy")
    assert [*row] == COLUMNS
    assert row["quality"] == ""
    [row, _] = parquet_rows("parquet.npy")
    assert row["quality"] is None


def test_true_masks_in_files_are_found_by_their_names_without_suffixes():
    images = heads(5, np.uint8)
    save_files("a", images)
    for name, truth in zip(FILES, one_by_one(images), strict=True):
        without_suffixes = name.partition(".")[0]
        file = Path("t", f"{without_suffixes}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 * truth).save(file)
    Path("t/one_more.png").write_text("of no image")

    assert serial("a", "m", truth="t").failed == 0
    rows = results_of("m")
    assert [row["iou"] for row in rows] == ["1.0"] * 5
    assert [name for name in rows[0] if "hausdorff" in name] == ["hausdorff_mm", "hausdorff_px"]
    # The volume alone knows the size of its pixels: 3 mm² each.
    assert [row["hausdorff_mm"] for row in rows] == ["", "", "", "0.0", ""]
    area_mm2 = 3 * float(rows[3]["area_px"])
    assert [row["area_mm2"] for row in rows] == ["", "", "", f"{area_mm2}", ""]

    np.save("t.npy", one_by_one(images))
    with IN_ORDER:
        assert serial("a", "n", truth="t.npy").failed == 0
    assert column("n", "iou") == ["1.0"] * 5

    Path("t/sub/c.png").unlink()
    before = contents_of(".")
    with refused("t", naming=["sub/c.png (1 of 5", "one_more.png"]):
        serial("a", "o", truth="t")
    np.save("t.npy", one_by_one(images)[:, 1:])
    np.save("a.npy", images)
    with refused("t.npy", naming=["(5, 48, 40)"]):
        serial("a.npy", "o", truth="t.npy")
    np.save("t.npy", one_by_one(images)[1:])
    with refused("t.npy", naming=[" 5 images", " 4"]):
        serial("a", "o", truth="t.npy")
    assert set(contents_of(".")) == {*before, Path("a.npy")}


def test_a_truth_that_cannot_be_used_leaves_the_mask():
    images = heads(6)
    truth = one_by_one(images)
    save_arrays("a", images)
    save_arrays("t", truth)
    Path("t/1.npy").write_bytes(b"broken")
    np.save("t/2.npy", truth[2, 1:])
    np.save("t/3.npy", np.arange(48 * 40).reshape(48, 40))
    np.save("t/4.npy", truth[3:5])
    assert serial("a", "m", truth="t").failed == 4
    masks = [np.load(f"m/{index}.npy") for index in range(6)]
    assert_same(np.stack(masks), truth)
    assert column("m", "flags") == ["", *["unscored"] * 4, ""]
    assert column("m", "iou") == ["1.0", "", "", "", "", "1.0"]
    assert [int(area) for area in column("m", "area_px")] == truth.sum(axis=(1, 2)).tolist()
    errors = errors_of("m")
    assert [*errors] == ["1.npy", "2.npy", "3.npy", "4.npy"]
    assert all(error.startswith("the truth: ") for error in errors.values())
    assert "not a readable .npy file" in errors["1.npy"]
    assert "47, 40)" in errors["2.npy"]
    assert "expected a binary mask" in errors["3.npy"]
    np.save("t/1.npy", truth[1])
    assert serial("a", "m", truth="t").failed == 3


# --- which files ---------------------------------------------------------------------------------


def save_pictures(folder, images, name="{}.png"):
    for number, image in enumerate(images, 1):
        file = Path(folder, name.format(number))
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)


def test_files_are_in_natural_order_and_find_their_truth():
    images = heads(12, np.uint8)
    save_pictures("a", images, "p{}/slice.png")
    save_pictures("t", 255 * one_by_one(images), "p{}/slice_mask.png")
    assert stacks.opened("a").names == tuple(f"p{number}/slice.png" for number in range(1, 13))
    assert serial("a", "m.npy", truth="t").failed == 0
    assert_same(np.load("m.npy"), one_by_one(images))
    assert column("m.npy", "iou") == ["1.0"] * 12


@pytest.mark.parametrize("way", ["slice_{}_mask.png", "mask_slice_{}.png", "{:03}.png"])
@pytest.mark.parametrize("source", ["a", "a.npy", "a.txt"])
def test_one_rule_finds_the_truth_of_folders_and_stacks(source, way):
    images = heads(12, np.uint8)
    np.save("a.npy", images)
    save_pictures("a", images, "slice_{}.png")
    save_pictures("t", 255 * one_by_one(images), way)
    Path("a.txt").write_text("".join(f"a/slice_{number}.png\n" for number in (3, 12, 1, 7)))
    with IN_ORDER if source == "a.npy" else contextlib.nullcontext():
        assert serial(source, "m", truth="t").failed == 0
    assert set(column("m", "iou")) == {"1.0"}


def test_files_that_do_not_pair_are_refused_with_both_names():
    save_pictures("a", heads(3, np.uint8), "slice_{}.png")
    save_pictures("t", one_by_one(heads(2, np.uint8)), "slice_{}_mask.png")
    save_pictures("t", one_by_one(heads(1, np.uint8)), "slice_1{}_mask.png")
    with refused("t", naming=["slice_3.png", "slice_11_mask.png"]):
        serial("a", "m", truth="t")


def test_images_whose_masks_would_be_one_file_on_other_systems_are_refused():
    for name in ("in/Head.png", "in/sub/b.png", "in/head.jpg"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((9, 9), np.uint8)).save(name)
    Path("list.txt").write_text("in/Head.png\nin/sub/b.png\nin/head.jpg")
    for source in ("in", "list.txt"):
        with (
            pytest.warns(InputWarning, match="JPEG"),
            pytest.raises(InputError, match=f"^{source}: .*head\\.jpg"),
        ):
            stacks.opened(source)
    Path("in/head.jpg").rename("in/sub/head.png")
    assert len(stacks.opened("in").names) == 3


def test_what_is_hidden_is_passed_over_and_what_is_left_out_is_said():
    save_pictures("a", heads(2, np.uint8))
    for folder in (".ipynb_checkpoints", ".git", "__MACOSX", "sub/.cache"):
        save_pictures(f"a/{folder}", heads(1, np.uint8))
    Path("a/._1.png").write_bytes(b"resource fork")
    Path("a/.DS_Store").touch()
    assert stacks.opened("a").names == ("1.png", "2.png")
    Path("a/3.gif").touch()
    np.savez("a/4.npz", images=heads(1))
    Path("a/like.png").mkdir()
    with pytest.warns(InputWarning, match="^a: left out ") as caught:
        assert serial("a", "m").failed == 0
    [line] = [str(warning.message) for warning in caught]
    assert all(name in line for name in ("3.gif", "4.npz", "like.png"))
    assert sorted(os.listdir("m")) == ["1.png", "2.png"]


@pytest.mark.skipif(os.name != "posix", reason="makes links and pipes")
def test_links_and_pipes_are_said_and_never_followed_in_circles():
    save_pictures("elsewhere", heads(1, np.uint8))
    save_pictures("a", heads(2, np.uint8))
    Path("a/3.png").symlink_to("../elsewhere/1.png")
    Path("a/4.png").symlink_to("nowhere.png")
    Path("a/linked").symlink_to("../elsewhere", target_is_directory=True)
    Path("a/round").symlink_to("..", target_is_directory=True)
    os.mkfifo("a/pipe.png")
    with pytest.warns(InputWarning) as caught:
        assert stacks.opened("a").names == ("1.png", "2.png", "3.png")
    [line] = [str(warning.message) for warning in caught]
    assert all(name in line for name in ("4.png", "linked", "round", "pipe.png"))
    os.mkfifo("pipe.npy")
    os.mkfifo("pipe.txt")
    for name in ("pipe.npy", "pipe.txt", "a/4.png"):
        with pytest.raises(InputError, match=name):
            stacks.opened(name)


def test_jpegs_and_bitmaps_are_masked_and_jpeg_is_said_to_be_lossy():
    image = (200 * ring_head()[0]).astype(np.uint8)
    Path("a").mkdir()
    for name in ("1.jpg", "2.jpeg", "3.bmp"):
        Image.fromarray(image).save(Path("a", name))
    with pytest.warns(InputWarning, match=r"^a: JPEG .*\(2 of 3 files\)") as caught:
        assert serial("a", "m", "v8").failed == 0
    assert len(caught) == 1
    assert sorted(os.listdir("m")) == ["1.png", "2.png", "3.png"]
    for name in ("1", "2", "3"):
        mask = np.array(Image.open(f"m/{name}.png")) > 0
        assert sm.iou(mask, sm.v8(image)) > 0.98


@pytest.mark.parametrize("kind", ["npy", "zarr", "files"])
def test_nan_around_a_head_is_zero_and_nan_alone_fails(kind):
    images = np.stack([ring_head()[0]] * 3).astype(np.float32)
    expected = one_by_one(images, "v8")
    from_centre_px = np.hypot(*np.mgrid[-110:110, -95:95])
    images[1][from_centre_px > 105] = np.nan
    images[2] = np.nan
    source = {"npy": "a.npy", "zarr": "a.zarr", "files": "a"}[kind]
    save = {"npy": np.save, "zarr": save_zarr, "files": save_arrays}[kind]
    save(source, images)

    assert serial(source, "m.npy", "v8").failed == 1

    masks = np.load("m.npy")
    assert_same(masks[0], expected[0])
    assert sm.iou(masks[1], expected[1]) > 0.99
    assert not masks[2].any()


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_a_name_that_no_file_can_have_is_one_line(name):
    for suffix in ("", ".npy", ".png", ".txt", ".zarr"):
        with pytest.raises(InputError) as error:
            stacks.opened(name + suffix)
        assert str(error.value).isprintable()


@pytest.mark.skipif(os.name != "posix", reason="paths of Windows have drives")
def test_addresses_of_files_are_paths(tmp_path):
    images = heads(3)
    np.save("a b.npy", images)
    np.save("t.npy", one_by_one(images))
    address = f"file://{tmp_path}"
    run = serial(f"{address}/a%20b.npy", f"{address}/m.npy", truth=f"{address}/t.npy")
    assert_same(np.load("m.npy"), one_by_one(images))
    assert run.failed == 0
    assert stacks.opened(f"{address}/a%20b.npy") == stacks.opened("a b.npy")


@pytest.mark.parametrize("output", ["m.jpg", "m.JPG", "m.bmp", "m.png"])
def test_masks_do_not_go_into_one_picture(output):
    np.save("a.npy", heads(2))
    with pytest.raises(InputError, match=rf"^{output}: .* got \{output[1:]}$"):
        serial("a.npy", output)


def test_specks_of_nan_are_told_where_they_are_set_to_zero():
    image = ring_head()[0].astype(np.float32)
    image[:8] = np.nan
    speck = image.copy()
    speck[10, 90:93] = np.nan
    images = np.stack([image, speck])
    np.save("a.npy", images)
    with pytest.warns(InputWarning) as of_the_stack:
        assert_same(sm.load("a.npy").images, np.nan_to_num(images))
    with pytest.warns(InputWarning) as of_slices:
        slices = [data.images for _, data in reading.read(stacks.opened("a.npy"), 0, 2)]
    assert_same(np.concatenate(slices), np.nan_to_num(images))
    assert [names_specks(warning) for warning in of_the_stack] == [True]
    assert [names_specks(warning) for warning in of_slices] == [False, True]


def names_specks(warning):
    return "specks" in str(warning.message)


def test_nan_within_a_head_is_not_said_to_be_set_to_zero(recwarn):
    image = ring_head()[0].astype(np.float32)
    image[110, 95] = np.nan
    np.save("a.npy", image[None])
    [(_, data)] = reading.read(stacks.opened("a.npy"), 0, 1)
    assert np.isnan(data.images[0, 110, 95])
    assert not recwarn.list
