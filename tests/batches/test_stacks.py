"""Many images from and to any store: the masks of the one-call door, whatever the format, the order and the chunks."""

import os
from pathlib import Path

import fsspec
import nibabel as nib
import numpy as np
import pyarrow.parquet
import pytest
import zarr
from batching import errors_of, everything, heads, one_by_one, rows_of, same, serial
from complaints import refused
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
REMARKS = pytest.mark.filterwarnings("ignore:the mask is empty")


def save_zarr(path, array, chunks=4):
    zarr.create_array(
        str(path), shape=array.shape, chunks=(chunks, *array.shape[1:]), dtype=array.dtype
    )[:] = array
    return str(path)


def save_files(folder, images):
    """Write images as files of all kinds, in folders."""
    for path, image in zip(
        ("a.npy", "sub/b.tif", "sub/c.png", "sub/sub/d.nii.gz", "z/a.npy"), images, strict=True
    ):
        file = Path(folder, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".npy":
            np.save(file, image)
        elif file.suffix == ".gz":
            nib.save(nib.Nifti1Image(image.T[:, ::-1, None], np.diag([2.0, 1.5, 4.0, 1.0])), file)
        else:
            Image.fromarray(image).save(file)


def read_files(folder):
    """Read what `save_files` wrote, or its masks."""
    arrays = [np.load(f"{folder}/{name}.npy") for name in ("a", "z/a")]
    pictures = [np.array(Image.open(next(Path(folder, "sub").glob(f"{name}.*")))) for name in "bc"]
    volume = nib.load(f"{folder}/sub/sub/d.nii.gz")
    assert np.array_equal(volume.affine, np.diag([2.0, 1.5, 4.0, 1.0]))
    return [arrays[0], *pictures, np.asarray(volume.dataobj)[:, ::-1, 0].T, arrays[1]]


# --- the masks of the one-call door ------------------------------------------------------------------------------


@REMARKS
def test_v8_and_its_quality_are_those_of_the_doors_though_the_head_is_unwrapped_once():
    images = np.stack([ring_head(at_mm=(2.0, 1.0))[0], np.zeros((220, 190))]).astype(np.float32)
    np.save("a.npy", images)
    serial("a.npy", "m.npy", None, spacing_mm=(1.0, 1.0))
    wanted = one_by_one(images, "v8", spacing_mm=(1.0, 1.0))
    same(np.load("m.npy"), wanted)
    rows = rows_of("m.npy.batch/results.csv")
    trusted = [
        sm.quality(*pair, spacing_mm=(1.0, 1.0)) for pair in zip(images, wanted, strict=True)
    ]
    assert [float(row["quality"]) for row in rows] == [round(trust, 6) for trust in trusted]
    assert [row["flags"] for row in rows] == ["", "empty"]


@pytest.mark.parametrize("version", ["v1", "v5", "v7"])
def test_a_version_and_its_options(version):
    np.save("a.npy", heads(4))
    options = {} if version == "v1" else {"dilation_size": 9}
    serial("a.npy", "m.npy", version, quality=True, **options)
    wanted = one_by_one(heads(4), version, **options)
    same(np.load("m.npy"), wanted)
    trusted = [round(sm.quality(*pair), 6) for pair in zip(heads(4), wanted, strict=True)]
    assert [float(row["quality"]) for row in rows_of("m.npy.batch/results.csv")] == trusted


@pytest.mark.parametrize("output", ["m.npy", "m.zarr", "m"])
@pytest.mark.parametrize("images", ["a.npy", "a.zarr", "a", "a.txt"])
def test_every_kind_of_input_and_output(images, output):
    given = heads(5, np.uint8)
    np.save("a.npy", given)
    save_zarr("a.zarr", given)
    save_files("a", given)
    names = ("a.npy", "sub/b.tif", "sub/c.png", "sub/sub/d.nii.gz", "z/a.npy")
    Path("a.txt").write_text("".join(f"a/{name}\n\n" for name in names))
    assert serial(images, output).failed == 0
    wanted = one_by_one(given)
    if output == "m.npy":
        same(np.load(output), wanted)
    elif output == "m.zarr":
        same(zarr.open_array(output, mode="r")[:], wanted)
    elif images in ("a", "a.txt"):
        found = read_files(output)
        assert [int(mask.max()) for mask in found] == [1, 255, 255, 1, 1]
        same(np.stack(found) > 0, wanted > 0)
    else:
        assert sorted(os.listdir(output)) == [f"a_{index:06}.png" for index in range(5)]
        same(
            np.stack([np.array(Image.open(f"m/a_{index:06}.png")) for index in range(5)]),
            255 * wanted,
        )


def test_a_file_gives_the_mask_that_the_command_mask_makes_of_it(skullmask):
    """The middle slice of the volume is blurred: its neighbours pull its outline."""
    slices = np.stack([ring_head()[0]] * 3).astype(np.float32)
    slices[1] = ndimage.gaussian_filter(slices[1], 5)
    Path("a", "sub").mkdir(parents=True)
    affine = np.array([[0, 1, 0, -9], [-1, 0, 0, 7], [0, 0, 3, 0.5], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(slices.T[:, ::-1], affine), "a/sub/volume.nii.gz")
    nib.save(nib.Nifti1Image(slices.T[:, ::-1, :1], np.diag([1.0, 1.0, 3.0, 1.0])), "a/one.nii")
    np.save("a/stack.npy", slices[:2, 20:200])
    pages = [Image.fromarray((60 * page).astype(np.uint16)) for page in slices[:2]]
    pages[0].save("a/pages.tiff", save_all=True, append_images=pages[1:])
    colour = np.zeros((*slices.shape[1:], 3), np.uint8)
    colour[..., 1] = 99 * slices[0]
    Path("colour").mkdir()
    Image.fromarray(colour).save("colour/c.png")
    assert skullmask("batch", "a", "m", "--backend", "serial")[0] == 0, errors_of("m")
    assert skullmask("batch", "colour", "n", "--backend", "serial", "--channel", "1")[0] == 0
    for source, made, *options in (
        ("a/sub/volume.nii.gz", "m/sub/volume.nii.gz"),
        ("a/one.nii", "m/one.nii"),
        ("a/stack.npy", "m/stack.npy"),
        ("a/pages.tiff", "m/pages.npy"),
        ("colour/c.png", "n/c.png", "--channel", "1"),
    ):
        wanted = Path(f"wanted{''.join(Path(made).suffixes)}")
        assert skullmask("mask", source, "-o", wanted, *options)[0] == 0
        if wanted.name == "wanted.nii.gz":
            found, mask = nib.load(made), nib.load(wanted)
            assert np.array_equal(found.affine, affine)
            assert found.header == mask.header
            same(np.asarray(found.dataobj), np.asarray(mask.dataobj))
        else:
            assert Path(made).read_bytes() == wanted.read_bytes(), made
    data = sm.load("a/sub/volume.nii.gz")
    alone = sm.v8(data.images[1], spacing_mm=tuple(data.spacing_mm[1]))
    assert not np.array_equal(sm.load("m/sub/volume.nii.gz").images[1], alone)
    rows = rows_of("m.batch/results.csv")
    assert [row["name"] for row in rows] == [
        *("one.nii", "pages.tiff[0]", "pages.tiff[1]", "stack.npy[0]", "stack.npy[1]"),
        *(f"sub/volume.nii.gz[{index}]" for index in range(3)),
    ]
    assert [row["area_mm2"] for row in rows[1:5]] == [""] * 4
    assert float(rows[-1]["area_mm2"]) == int(rows[-1]["area_px"])


def test_addresses_in_and_out():
    given = heads(7)
    save_zarr("memory://in.zarr", given)
    assert serial("memory://in.zarr", "memory://out.zarr").masks == "memory://out.zarr"
    same(zarr.open_array("memory://out.zarr", mode="r")[:], one_by_one(given))
    assert os.listdir() == ["out.zarr.batch"]
    records = Path("out.zarr.batch/journal.jsonl").read_bytes()
    serial("memory://in.zarr", "memory://out.zarr")
    assert Path("out.zarr.batch/journal.jsonl").read_bytes() == records


def test_an_array_at_an_address_is_not_written_over():
    given = heads(4)
    save_zarr("memory://precious.zarr", given)
    for images in ("memory://precious.zarr", "a.npy"):
        np.save("a.npy", given)
        with pytest.raises(InputError, match=r"memory://precious.zarr: "):
            serial(images, "memory://precious.zarr")
        same(zarr.open_array("memory://precious.zarr", mode="r")[:], given)


def test_a_group_at_an_address_is_not_written_over():
    np.save("a.npy", heads(4))
    zarr.create_group("memory://precious").create_array("x", shape=(2,), dtype="u1")[:] = 7
    with refused("memory://precious"):
        serial("a.npy", "memory://precious")
    assert (zarr.open_group("memory://precious", mode="r")["x"][:] == 7).all()


def test_masks_that_are_damaged_at_an_address_are_made_again():
    np.save("a.npy", heads(7))
    serial("a.npy", "memory://damaged.zarr")
    store, place = fsspec.core.url_to_fs("memory://damaged.zarr/c/1/0/0")
    whole = store.cat_file(place)
    store.pipe_file(place, whole[:-9] + bytes(9))
    serial("a.npy", "memory://damaged.zarr")
    same(zarr.open_array("memory://damaged.zarr", mode="r")[:], one_by_one(heads(7)))
    assert store.cat_file(place) == whole


def test_a_list_may_begin_with_a_mark_of_its_encoding():
    save_files("a", heads(5, np.uint8))
    Path("some.txt").write_text("a/z/a.npy\n", encoding="utf-8-sig")
    assert serial("some.txt", "m").failed == 0


def test_a_picture_may_be_named_after_its_volume_or_as_long_as_can_be():
    Path("a").mkdir()
    names = ("scan.nii.png", "scan.nii.gz.tif", f"{'x' * 247}.png")
    for name in names:
        Image.fromarray(heads(1, np.uint8)[0]).save(f"a/{name}")
    assert serial("a", "m").failed == 0
    assert {path.name for path in Path("m").iterdir()} == {
        "scan.nii.png",
        "scan.nii.gz.png",
        names[2],
    }


def test_paths_of_a_list_are_relative_to_it_and_one_that_is_missing_is_one_failure():
    Path("lists").mkdir()
    save_files("a", heads(5, np.uint8))
    absolute = Path("a/sub/b.tif").absolute()
    Path("lists/some.txt").write_text(f"../a/z/a.npy\n../a/gone.npy\n{absolute}\n")
    assert serial("lists/some.txt", "m").failed == 1
    assert {str(path) for path in Path("m").rglob("*.*")} == {"m/z/a.npy", "m/sub/b.png"}
    same(np.load("m/z/a.npy"), one_by_one(heads(5, np.uint8))[4])
    assert [row["name"] for row in rows_of("m.batch/results.csv")] == [
        "z/a.npy",
        "gone.npy",
        "sub/b.tif",
    ]
    [(name, error)] = errors_of("m").items()
    assert name == "gone.npy"
    assert error.startswith("no such file")


def test_masks_do_not_go_among_the_images():
    save_files("a", heads(5, np.uint8))
    save_zarr("a.zarr", heads(5))
    before = everything(".")
    for images, output in (
        ("a", "a/masks"),
        ("a", "a/sub/m.npy"),
        ("a", "a/m.zarr"),
        ("a.zarr", "a.zarr/m.npy"),
    ):
        with pytest.raises(InputError, match=f"^{output}: .*, {images};"):
            serial(images, output)
    assert everything(".") == before


# --- order, dtype, chunks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["<f4", ">f4", "<f8", ">f8", "<f2", "<u2", ">u2", "<i4", "u1", "i1", "?"]
)
@pytest.mark.parametrize("kind", ["C.npy", "F.npy", "zarr"])
def test_values_of_any_dtype_and_order(kind, dtype):
    given = np.asarray(heads(5, np.dtype(dtype).type), dtype, order="F" if kind == "F.npy" else "C")
    if kind == "zarr":
        save_zarr("a.zarr", given)
    else:
        np.save(f"a.{kind}", given)
    serial(f"a.{kind}", "m.npy")
    same(np.load("m.npy"), one_by_one(given))


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
    here = tmp_path_factory.mktemp("chunks")
    if stored:
        save_zarr(here / "a", HEADS[:count], stored)
    else:
        np.save(here / "a.npy", HEADS[:count])
    seen = []
    serial(here / ("a" if stored else "a.npy"), here / output, chunk=chunk, progress=seen.append)
    wanted = MASKS[:count]
    if output == "m.npy":
        np.save(here / "wanted.npy", wanted)
        assert (here / "m.npy").read_bytes() == (here / "wanted.npy").read_bytes()
    else:
        same(zarr.open_array(here / output, mode="r")[:], wanted)
    assert [told.images for told in seen] == [min(k + chunk, count) for k in range(0, count, chunk)]
    assert seen[-1] == (count, count, HEADS[:count].nbytes, 0)
    assert [int(row["area_px"]) for row in rows_of(here / f"{output}.batch/results.csv")] == [
        *wanted.sum(axis=(1, 2))
    ]


# --- tables --------------------------------------------------------------------------------------------------------

COLUMNS = ["name", "seconds", "area_px", "quality", "flags"]
SCORES = ["iou", "dice", "area_error"]
DISTANCES = ["hausdorff", "hd95", "assd"]


@pytest.mark.parametrize("spacing_mm", [None, (0.5, 1.5)])
@REMARKS
def test_a_table_has_the_scores_of_the_doors_and_parquet_has_the_same(spacing_mm):
    given = heads(5)
    given[3] = 0
    truth = np.roll(one_by_one(given), 1, axis=1)
    truth[3] = truth[1]
    np.save("a.npy", given)
    np.save("t.npy", 255 * truth)
    for kind in ("csv", "parquet"):
        options = {"truth": "t.npy", "table": kind, "spacing_mm": spacing_mm, "quality": True}
        made = serial("a.npy", f"{kind}.npy", **options)
        assert made.results == Path(f"{kind}.npy.batch/results.{kind}").absolute()
        assert errors_of(f"{kind}.npy") == {}
    rows = rows_of("csv.npy.batch/results.csv")
    unit = "px" if spacing_mm is None else "mm"
    area = [] if spacing_mm is None else ["area_mm2"]
    assert [*rows[0]] == [
        *COLUMNS[:3],
        *area,
        *COLUMNS[3:],
        *SCORES,
        *(f"{name}_{unit}" for name in DISTANCES),
    ]
    for index, row in enumerate(rows):
        mask = np.load("csv.npy")[index]
        assert row["name"] == f"a.npy[{index}]"
        doubtful = float(row["quality"]) < polar.TRUSTED
        assert row["flags"] == ("empty" if index == 3 else "doubtful" if doubtful else "")
        assert int(row["area_px"]) == mask.sum()
        assert float(row["seconds"]) > 0
        for name, value in sm.score(mask, truth[index], spacing_mm).items():
            assert float(row[name]) == value
        assert spacing_mm is None or float(row["area_mm2"]) == 0.75 * mask.sum()
    table = pyarrow.parquet.read_table("parquet.npy.batch/results.parquet").to_pylist()
    for row, other in zip(rows, table, strict=True):
        assert [*row] == [*other]
        for name in set(row) - {"seconds"}:
            assert (
                row[name] == other[name]
                if name in ("name", "flags")
                else float(row[name]) == other[name]
            )
    assert {type(row["area_px"]) for row in table} == {int}


def test_without_more_to_tell_a_table_is_narrow():
    np.save("a.npy", heads(2))
    for kind in ("csv", "parquet"):
        serial("a.npy", f"{kind}.npy", table=kind)
    [row, _] = rows_of("csv.npy.batch/results.csv")
    assert [*row] == COLUMNS
    assert row["quality"] == ""
    [row, _] = pyarrow.parquet.read_table("parquet.npy.batch/results.parquet").to_pylist()
    assert row["quality"] is None


def test_true_masks_in_files_are_found_by_their_names_without_suffixes():
    given = heads(5, np.uint8)
    save_files("a", given)
    for name, truth in zip(
        ("a", "sub/b", "sub/c", "sub/sub/d", "z/a"), one_by_one(given), strict=True
    ):
        Path("t", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 * truth).save(f"t/{name}.png")
    Path("t/one_more.png").write_text("of no image")
    assert serial("a", "m", truth="t").failed == 0
    assert [row["iou"] for row in rows_of("m.batch/results.csv")] == ["1.0"] * 5
    rows = rows_of("m.batch/results.csv")
    assert [name for name in rows[0] if "hausdorff" in name] == ["hausdorff_mm", "hausdorff_px"]
    assert [row["hausdorff_mm"] for row in rows] == ["", "", "", "0.0", ""]
    assert [row["area_mm2"] for row in rows] == ["", "", "", f"{3 * float(rows[3]['area_px'])}", ""]
    np.save("t.npy", one_by_one(given))
    assert serial("a", "n", truth="t.npy").failed == 0
    assert [row["iou"] for row in rows_of("n.batch/results.csv")] == ["1.0"] * 5
    Path("t/sub/c.png").unlink()
    before = everything(".")
    with refused("t", naming=["sub/c.png (1 of 5", "one_more.png"]):
        serial("a", "o", truth="t")
    np.save("t.npy", one_by_one(given)[:, 1:])
    np.save("a.npy", given)
    with refused("t.npy", naming=["(5, 48, 40)"]):
        serial("a.npy", "o", truth="t.npy")
    assert set(everything(".")) == {*before, Path("a.npy")}


def test_a_truth_that_cannot_be_used_leaves_the_mask():
    given = heads(6)
    truth = one_by_one(given)
    Path("a").mkdir()
    Path("t").mkdir()
    for index in range(6):
        np.save(f"a/{index}.npy", given[index])
        np.save(f"t/{index}.npy", truth[index])
    Path("t/1.npy").write_bytes(b"broken")
    np.save("t/2.npy", truth[2, 1:])
    np.save("t/3.npy", np.arange(48 * 40).reshape(48, 40))
    np.save("t/4.npy", truth[3:5])
    assert serial("a", "m", truth="t").failed == 4
    same(np.stack([np.load(f"m/{index}.npy") for index in range(6)]), truth)
    rows = rows_of("m.batch/results.csv")
    assert [row["flags"] for row in rows] == ["", *["unscored"] * 4, ""]
    assert [row["iou"] for row in rows] == ["1.0", "", "", "", "", "1.0"]
    assert [int(row["area_px"]) for row in rows] == [*truth.sum(axis=(1, 2))]
    errors = errors_of("m")
    assert [*errors] == [f"{index}.npy" for index in range(1, 5)]
    assert all(error.startswith("the truth: ") for error in errors.values())
    assert "not a readable .npy file" in errors["1.npy"]
    assert "47, 40)" in errors["2.npy"]
    assert "expected a binary mask" in errors["3.npy"]
    np.save("t/1.npy", truth[1])
    assert serial("a", "m", truth="t").failed == 3


# --- which files ---------------------------------------------------------------------------------------------------


def save_pictures(folder, images, name="{}.png"):
    for number, image in enumerate(images, 1):
        file = Path(folder, name.format(number))
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)


def test_files_are_in_natural_order_and_find_their_truth():
    given = heads(12, np.uint8)
    save_pictures("a", given, "p{}/slice.png")
    save_pictures("t", 255 * one_by_one(given), "p{}/slice_mask.png")
    assert stacks.opened("a").names == tuple(f"p{number}/slice.png" for number in range(1, 13))
    assert serial("a", "m.npy", truth="t").failed == 0
    same(np.load("m.npy"), one_by_one(given))
    assert [row["iou"] for row in rows_of("m.npy.batch/results.csv")] == ["1.0"] * 12


@pytest.mark.parametrize("way", ["slice_{}_mask.png", "mask_slice_{}.png", "{:03}.png"])
@pytest.mark.parametrize("source", ["a", "a.npy", "a.txt"])
def test_one_rule_finds_the_truth_of_folders_and_stacks(source, way):
    given = heads(12, np.uint8)
    np.save("a.npy", given)
    save_pictures("a", given, "slice_{}.png")
    save_pictures("t", 255 * one_by_one(given), way)
    Path("a.txt").write_text("".join(f"a/slice_{number}.png\n" for number in (3, 12, 1, 7)))
    assert serial(source, "m", truth="t").failed == 0
    assert {row["iou"] for row in rows_of("m.batch/results.csv")} == {"1.0"}


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
    with pytest.warns(InputWarning, match="^a: left out ") as told:
        assert serial("a", "m").failed == 0
    [line] = [str(each.message) for each in told]
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
    with pytest.warns(InputWarning) as told:
        assert stacks.opened("a").names == ("1.png", "2.png", "3.png")
    [line] = [str(each.message) for each in told]
    assert all(name in line for name in ("4.png", "linked", "round", "pipe.png"))
    os.mkfifo("pipe.npy")
    os.mkfifo("pipe.txt")
    for name in ("pipe.npy", "pipe.txt", "a/4.png"):
        with pytest.raises(InputError, match=name):
            stacks.opened(name)


def test_jpegs_and_bitmaps_are_masked_and_jpeg_is_said_to_be_lossy():
    given = np.stack([ring_head()[0]] * 3)
    given = (200 * given).astype(np.uint8)
    for name, image in zip(("1.jpg", "2.jpeg", "3.bmp"), given, strict=True):
        Path("a").mkdir(exist_ok=True)
        Image.fromarray(image).save(Path("a", name))
    with pytest.warns(InputWarning, match=r"^a: JPEG .*\(2 of 3 files\)") as told:
        assert serial("a", "m", "v8").failed == 0
    assert len(told) == 1
    assert sorted(os.listdir("m")) == ["1.png", "2.png", "3.png"]
    for name in ("1", "2", "3"):
        mask = np.array(Image.open(f"m/{name}.png")) > 0
        assert sm.iou(mask, sm.v8(given[0])) > 0.98


@pytest.mark.parametrize("kind", ["npy", "zarr", "files"])
def test_nan_around_a_head_is_zero_and_nan_alone_fails(kind):
    given = np.stack([ring_head()[0]] * 3).astype(np.float32)
    wanted = one_by_one(given, "v8")
    given[1][np.hypot(*np.mgrid[-110:110, -95:95]) > 105] = np.nan
    given[2] = np.nan
    Path("a").mkdir()
    if kind == "npy":
        np.save("a/a.npy", given)
    elif kind == "zarr":
        save_zarr("a/a.zarr", given)
    for index, image in enumerate(given if kind == "files" else ()):
        np.save(f"a/{index}.npy", image)
    assert serial("a" if kind == "files" else f"a/a.{kind}", "m.npy", "v8").failed == 1
    made = np.load("m.npy")
    same(made[0], wanted[0])
    assert sm.iou(made[1], wanted[1]) > 0.99
    assert not made[2].any()


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_a_name_that_no_file_can_have_is_one_line(name):
    for suffix in ("", ".npy", ".png", ".txt", ".zarr"):
        with pytest.raises(InputError) as error:
            stacks.opened(name + suffix)
        assert str(error.value).isprintable()


@pytest.mark.skipif(os.name != "posix", reason="paths of Windows have drives")
def test_addresses_of_files_are_paths(tmp_path):
    given = heads(3)
    np.save("a b.npy", given)
    np.save("t.npy", one_by_one(given))
    address = f"file://{tmp_path}"
    made = serial(f"{address}/a%20b.npy", f"{address}/m.npy", truth=f"{address}/t.npy")
    same(np.load("m.npy"), one_by_one(given))
    assert made.failed == 0
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
    whole = np.stack([image, speck])
    np.save("a.npy", whole)
    with pytest.warns(InputWarning) as told:
        same(sm.load("a.npy").images, np.nan_to_num(whole))
    with pytest.warns(InputWarning) as of_slices:
        found = [data.images for _, data in reading.read(stacks.opened("a.npy"), 0, 2)]
    same(np.concatenate(found), np.nan_to_num(whole))
    assert ["specks" in str(warning.message) for warning in (*told, *of_slices)] == [
        True,
        False,
        True,
    ]


def test_nan_within_a_head_is_not_said_to_be_set_to_zero(recwarn):
    image = ring_head()[0].astype(np.float32)
    image[110, 95] = np.nan
    np.save("a.npy", image[None])
    [(_, data)] = reading.read(stacks.opened("a.npy"), 0, 1)
    assert np.isnan(data.images[0, 110, 95])
    assert not recwarn.list
