"""Names of images: odd ones in folders, lists and tables, and those that no file can have."""

import os
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from batching import (
    assert_same,
    column,
    errors_of,
    heads,
    one_by_one,
    parquet_rows,
    read_masks,
    save_head,
    serial,
)
from PIL import Image

from skullmask_lib import InputError

pytestmark = pytest.mark.usefixtures("folder")

BAD_NAMES = {
    "long": "x" * 300 + ".png",
    "zero": "a\0b.png",
    "folder": "folder.png",
    "broken link": "broken.png",
    "circle": "circle.png",
    "pipe": "pipe.png",
    "device": "device.npy",
    "missing": "gone.tif",
    "no UTF-8": os.fsdecode(b"\xff.png"),
    "escape": "\x1b[2J.png",
    "under a file": "0.png/x.png",
    "another kind": "0.doc",
    "a kind for others": "0.npz",
    "half a volume": "0.hdr",
    "no suffix": "list",
    "a comment": "# the last ones",
    "quoted": '"0.png"',
    "of another computer": "file://elsewhere.example/0.png",
}


def with_bad_names(folder):
    """Write three good pictures among what has a bad name, or is no file; give all of the names."""
    Path(folder).mkdir()
    good = [f"{index}.png" for index in range(3)]
    for name, image in zip(good, heads(3, np.uint8), strict=True):
        Image.fromarray(image).save(f"{folder}/{name}")
    Path(folder, "folder.png").mkdir()
    save_head(f"{folder}/folder.png/inside.png")
    Path(folder, "broken.png").symlink_to("nowhere")
    Path(folder, "circle.png").symlink_to("circle.png")
    os.mkfifo(f"{folder}/pipe.png")
    Path(folder, "0.doc").write_text("notes")
    np.savez(f"{folder}/0.npz", images=heads(1))
    nib.save(nib.Nifti1Pair(heads(1).T, np.eye(4)), f"{folder}/0.hdr")
    Path(folder, "device.npy").symlink_to("/dev/zero")
    return [good[0], *BAD_NAMES.values(), *good[1:]]


@pytest.mark.parametrize("output", ["m.npy", "m.zarr", "m"])
def test_a_bad_name_in_a_list_fails_alone(output):
    names = with_bad_names("a")
    lines = "".join(f"a/{name}\n" for name in names)
    Path("list.txt").write_bytes(lines.encode("utf-8", "surrogateescape"))

    run = serial("list.txt", output)

    assert (run.images, run.failed) == (len(names), len(BAD_NAMES))
    errors = errors_of(output)
    assert len(errors) == len(BAD_NAMES)
    assert all(name.isprintable() and error.isprintable() for name, error in errors.items())
    assert "\\x1b[2J.png" in errors
    assert "folder" in errors["folder.png"]
    if output == "m":
        assert sorted(os.listdir("m")) == ["0.png", "1.png", "2.png"]
        masks = np.stack([np.array(Image.open(f"m/{index}.png")) // 255 for index in range(3)])
    else:
        masks = read_masks(output)[[0, -2, -1]]
        assert not read_masks(output)[1:-2].any()
    assert_same(masks, one_by_one(heads(3, np.uint8)))
    assert serial("list.txt", output).failed == len(BAD_NAMES)


def test_what_is_no_image_in_a_list_needs_no_truth_and_takes_no_mask():
    Path("a").mkdir()
    Path("t").mkdir()
    for index, image in enumerate(heads(2, np.uint8)):
        Image.fromarray(image).save(f"a/{index}.png")
        Image.fromarray(255 * one_by_one(image[None])[0]).save(f"t/{index}_mask.png")
    for folder, suffix in (("a", ""), ("t", "_mask")):
        lines = ["# twice", f"0{suffix}.png", "0.doc", "# twice", f"1{suffix}.png", "1.doc"]
        Path(folder, "list.txt").write_text("\n".join(lines))
    for _ in range(2):
        assert serial("a/list.txt", "m", truth="t/list.txt", chunk=1).failed == 4
        assert column("m", "iou") == ["", "1.0", "", "", "1.0", ""]
        assert sorted(os.listdir("m")) == ["0.png", "1.png"]


@pytest.mark.parametrize("line", ["/", "..", ".", "a/", "/dev"])
def test_a_folder_in_a_list_fails_alone(line):
    Path("a").mkdir()
    save_head("a/0.png")
    Path("list.txt").write_text(f"a/0.png\n{line}\n")
    for _ in range(2):
        run = serial("list.txt", "m")
        assert (run.images, run.failed) == (2, 1)
        assert [path.name for path in Path("m").rglob("*") if path.is_file()] == ["0.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_in_a_list_may_have_any_bytes():
    name = os.fsdecode(b"K\xf6pf \xe5\xa4\xb4.png")
    Path("a").mkdir()
    save_head(Path("a", name))
    Path("list.txt").write_bytes(b"a/" + os.fsencode(name) + b"\r\n")
    assert serial("list.txt", "m").failed == 0
    assert os.listdir("m") == [name]


def test_a_line_of_a_list_may_be_an_address():
    for name in ("0.png", "two heads.png"):
        save_head(name)
    address = Path("two heads.png").absolute().as_uri()
    assert "%20" in address
    Path("list.txt").write_text(f"{address}\n0.png\n")
    assert serial("list.txt", "m").failed == 0
    assert sorted(os.listdir("m")) == ["0.png", "two heads.png"]


@pytest.mark.filterwarnings("ignore:.*left out")
def test_a_bad_name_in_a_folder_stops_nothing():
    with_bad_names("a")
    assert serial("a", "m").failed == 0
    assert all(Path("m", name).is_file() for name in ("0.png", "1.png", "2.png"))


def test_a_mask_whose_name_would_be_too_long_fails_alone():
    name = "x" * 250
    np.save(f"{name}.npy", heads(3))
    assert serial(f"{name}.npy", "m").failed == 3  # xxx…_000000.png
    assert all("too long" in error for error in errors_of("m").values())
    assert os.listdir("m") == []
    assert (
        serial(f"{name}.npy", "m.npy").failed == 0
    )  # an array needs no name for a mask  # an array needs no name for a mask


def test_a_picture_named_like_a_folder_of_masks_fails_alone():
    Path("a/x.png").mkdir(parents=True)
    save_head("a/x.tif")
    save_head("a/x.png/y.png")
    Path("list.txt").write_text("a/x.png/y.png\na/x.tif\n")
    assert serial("list.txt", "m").failed == 1
    assert [*errors_of("m")] == ["x.tif"]
    assert os.listdir("m/x.png") == ["y.png"]


@pytest.mark.parametrize(("images", "output"), [
    ("a\0.npy", "m.npy"), ("a.npy", "m\0.npy"), ("a.npy", "y" * 300),
    ("file:///a%00.npy", "m.npy"), ("a.npy", "file:///m%00.npy"),
])  # fmt: skip
def test_a_path_that_cannot_be_is_refused(images, output):
    np.save("a.npy", heads(2))
    with pytest.raises(InputError) as error:
        serial(images, output)
    assert str(error.value).isprintable()
    assert os.listdir() == ["a.npy"]


def test_names_in_tables_are_no_formulas_and_no_escape_codes():
    Path("a").mkdir()
    for name in ("=1+1.png", "@x.png", "-2.png", "\x1b[31mred.png"):
        save_head(Path("a", name))
    Path("a/=SUM(A1).png").write_text("broken")
    assert serial("a", "m").failed == 1
    tables = Path("m.batch/results.csv").read_bytes() + Path("m.batch/errors.csv").read_bytes()
    assert b"\x1b" not in tables
    names = column("m", "name")
    assert sorted(names) == ["'-2.png", "'=1+1.png", "'=SUM(A1).png", "'@x.png", "\\x1b[31mred.png"]
    assert [*errors_of("m")] == ["'=SUM(A1).png"]
    assert Path("m/=1+1.png").exists()


def test_names_in_parquet_are_those_of_the_files():
    Path("a").mkdir()
    names = [
        "=1+1.png",
        "@x.png",
        "-2.png",
        "\x1b[31mred.png",
        'two\nlines, "quoted".png',
        "NA.png",
        "头.png",
    ]
    for name in (*names, os.fsdecode(b"\xff.png")):
        save_head(Path("a", name))
    Path("a/=SUM(A1).png").write_text("broken")
    assert serial("a", "m", table="parquet").failed == 1
    rows = parquet_rows("m")
    assert {row["name"] for row in rows} == {*names, "=SUM(A1).png", "\\udcff.png"}
    assert [row["area_px"] for row in rows if row["flags"] == "failed"] == [None]
    assert [*errors_of("m")] == ["'=SUM(A1).png"]
