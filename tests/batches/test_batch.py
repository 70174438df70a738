"""A long run: what fails does not stop it, what was stopped goes on, and what is not the same work is refused."""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pyarrow.parquet
import pytest
import zarr
from batching import errors_of, everything, heads, one_by_one, read, recorded, rows_of, same, serial
from commands import SKULLMASK
from complaints import refused
from inputs import later, ring_head
from PIL import Image
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import InputError
from skullmask_lib.batches import clusters, software, tables
from skullmask_lib.errors import InputWarning
from skullmask_lib.io import datasets

pytestmark = pytest.mark.usefixtures("folder")
OUTPUTS = ["m.npy", "m.zarr", "m"]
SERIAL = ("--version", "v7", "--backend", "serial", "--chunk", "3")


class Stop(Exception):
    pass


def stopping(after):
    """Give a progress that stops the run once so many images are recorded."""

    def progress(told):
        if told.images >= after:
            raise Stop

    return progress


def stopped(output, after=6, images="a.npy", **options):
    with pytest.raises(Stop):
        serial(images, output, progress=stopping(after), **options)


# --- what fails ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["m.npy", "m.zarr"])
def test_one_of_a_hundred_is_named_stays_empty_and_is_made_once_it_is_mended(skullmask, output):
    given, wanted = heads(99), one_by_one(heads(99))
    given[41, 7, 7] = np.nan
    np.save("a.npy", given)
    for _ in range(2):
        code, out, err = skullmask("batch", "a.npy", output, *SERIAL)
        errors = Path(f"{output}.batch/errors.csv").absolute()
        [line] = err
        assert code == 1
        assert line.startswith("skullmask: 1 of 99 ")
        assert line.endswith(f" {errors}")
        assert re.search(r"^99 images, [\d.]+ s$", out, re.MULTILINE)
        found = read(output)
        assert not found[41].any()
        same(np.delete(found, 41, 0), np.delete(wanted, 41, 0))
        [(name, error)] = errors_of(output).items()
        assert name == "a.npy[41]"
        assert "NaN" in error
        rows = rows_of(f"{output}.batch/results.csv")
        assert [(row["flags"], row["area_px"]) for row in rows] == [
            ("failed", "") if k == 41 else ("", str(wanted[k].sum())) for k in range(99)
        ]
    np.save("a.npy", heads(99))
    code, out, err = skullmask("batch", "a.npy", output, *SERIAL)
    assert (code, err, errors_of(output)) == (0, [], {})
    same(read(output), wanted)
    assert recorded(output) == [*range(0, 99, 3), 39, 39]


def broken(folder):
    """Write eight images of which six cannot be used; tell why of each."""
    given = heads(8, np.uint8)
    Path(folder).mkdir()
    nib.save(nib.Nifti1Image(given[0].T[:, ::-1, None], np.eye(4)), f"{folder}/0.nii.gz")
    Path(f"{folder}/1.nii.gz").write_bytes(Path(f"{folder}/0.nii.gz").read_bytes()[:-60])
    np.save(f"{folder}/2.npy", np.where(np.eye(48, 40), np.nan, given[2]))
    Image.fromarray(given[3]).save(f"{folder}/3.png")
    os.truncate(f"{folder}/3.png", 200)
    np.save(f"{folder}/4.npy", given[4])
    os.truncate(f"{folder}/4.npy", 500)
    Path(f"{folder}/5.tif").touch()
    np.save(f"{folder}/6.npy", np.zeros((2, 2, 2, 2)))
    Image.fromarray(given[7]).save(f"{folder}/7.png")
    return {
        "1.nii.gz": "not a readable .nii.gz file",
        "2.npy": "NaN",
        "3.png": "not a readable .png file",
        "4.npy": "is cut off",
        "5.tif": "the file is empty",
        "6.npy": "expected slices (N, H, W) or one slice (H, W)",
    }


@pytest.mark.parametrize("output", OUTPUTS)
def test_files_of_which_most_are_broken(skullmask, output):
    reasons, wanted = broken("a"), one_by_one(heads(8, np.uint8))
    code, _, [line] = skullmask("batch", "a", output, *SERIAL)
    assert code == 1
    assert line.startswith("skullmask: 6 of 8 ")
    assert line.endswith(f" {Path(output).absolute()}.batch/errors.csv")
    errors = errors_of(output)
    assert [*errors] == [*reasons]
    for name, reason in reasons.items():
        assert reason in errors[name]
        assert "\n" not in errors[name]
    if output == "m":
        assert sorted(os.listdir("m")) == ["0.nii.gz", "7.png"]
        same(np.array(Image.open("m/7.png")), 255 * wanted[7])
    else:
        same(read(output), wanted * np.isin(range(8), (0, 7)).astype(np.uint8)[:, None, None])
    for index, name in enumerate(reasons, 1):
        if name.endswith(".npy"):
            np.save(f"a/{name}", heads(8, np.uint8)[index])
    assert skullmask("batch", "a", output, *SERIAL)[0] == 1
    assert [*errors_of(output)] == [name for name in reasons if not name.endswith(".npy")]


@pytest.mark.parametrize("output", ["m.npy", "m.zarr"])
@pytest.mark.parametrize("place", [2, 6])
@pytest.mark.parametrize("shape", [(50, 44), (30, 30), (2, 48, 40)])
def test_a_file_of_another_shape_fails_alone(output, place, shape):
    given = heads(7)
    Path("a").mkdir()
    for index, image in enumerate(given):
        np.save(f"a/{index}.npy", np.resize(image, shape) if index == place else image)
    assert serial("a", output).failed == 1
    wanted = one_by_one(given)
    wanted[place] = 0
    same(read(output), wanted)
    assert [*errors_of(output)] == [f"{place}.npy"]
    if output == "m.npy":
        np.save("wanted.npy", wanted)
        assert Path("m.npy").read_bytes() == Path("wanted.npy").read_bytes()


@pytest.mark.parametrize("output", ["m.npy", "m"])
def test_a_mask_does_not_outlive_its_image(output):
    given = heads(3)
    Path("a").mkdir()
    for index, image in enumerate(given):
        np.save(f"a/{index}.npy", image)
    Path("a/1.npy").write_bytes(b"broken")
    assert serial("a", output).failed == 1
    np.save("a/1.npy", given[1])
    Path("a/2.npy").write_bytes(b"broken")
    assert serial("a", output).failed == 1
    assert [*errors_of(output)] == ["2.npy"]
    wanted = one_by_one(given)
    found = np.load("m.npy") if output == "m.npy" else [np.load(f"m/{k}.npy") for k in (0, 1)]
    assert np.array_equal(found[:2], wanted[:2])
    assert not found[2].any() if output == "m.npy" else not Path("m/2.npy").exists()


def test_fail_fast_stops_at_once_and_the_run_afterwards_goes_on(skullmask):
    given = heads(10)
    given[7] = np.inf
    np.save("a.npy", given)
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", *SERIAL, "--fail-fast")
    assert (code, out) == (1, "")
    assert line.startswith("skullmask: a.npy[7]: ")
    assert not Path("m.npy").exists()
    assert recorded() == [0, 3]
    assert skullmask("batch", "a.npy", "m.npy", *SERIAL)[0] == 1
    assert recorded() == [0, 3, 6, 9]
    assert [*errors_of("m.npy")] == ["a.npy[7]"]


def test_a_truncated_input_is_one_line(skullmask):
    np.save("a.npy", heads(10))
    os.truncate("a.npy", 128 + 4 * 5 * 48 * 40 + 1000)
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", *SERIAL)
    assert (code, out) == (2, "")
    assert line.startswith("skullmask: a.npy: ")
    assert "cut off" in line
    assert "5 of 10 images" in line
    assert os.listdir() == ["a.npy"]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_an_input_that_is_truncated_under_way(skullmask, output, order):
    given = np.asarray(heads(10), order=order)
    np.save("a.npy", given)

    def progress(told):
        if told.images == 3:
            os.truncate("a.npy", 128 + 4 * 5 * 48 * 40 + 1000)

    lost = range(5 if order == "C" else 3, 10)
    assert serial("a.npy", output, progress=progress).failed == len(lost)
    assert errors_of(output) == {
        f"a.npy[{index}]": "the file ends before it does" for index in lost
    }
    assert skullmask("batch", "a.npy", output, *SERIAL)[0] == 2
    np.save("a.npy", given)
    assert skullmask("batch", "a.npy", output, *SERIAL)[::2] == (0, [])
    same(read(output, 10), one_by_one(given))
    assert recorded(output) == [0, 3, 6, 9, 3, 6, 9]


# --- what goes on --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("after", [1, 6, 10])
def test_a_stopped_run_goes_on_where_it_was(output, after):
    np.save("a.npy", heads(10))
    stopped(output, after)
    assert not Path(output).exists()
    serial("a.npy", output)
    assert recorded(output) == [0, 3, 6, 9]
    assert sorted(os.listdir(f"{output}.batch")) == ["errors.csv", "journal.jsonl", "results.csv"]
    serial("a.npy", f"whole_{output}")
    made, whole = (
        {path.relative_to(name): content for path, content in everything(name).items()}
        for name in (output, f"whole_{output}")
    )
    assert made == whole
    if output == "m.npy":
        assert Path("m.npy").read_bytes() == Path("whole_m.npy").read_bytes()
    same(read(output, 10), one_by_one(heads(10)))
    areas = [row["area_px"] for row in rows_of(f"{output}.batch/results.csv")]
    assert areas == [row["area_px"] for row in rows_of(f"whole_{output}.batch/results.csv")]


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_run_that_is_done_does_nothing_again(output):
    np.save("a.npy", heads(10))
    serial("a.npy", output)
    paths = [path for path in Path().rglob("*") if path.is_file() and path.suffix != ".csv"]
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in paths}
    seen = []
    assert serial("a.npy", output, progress=seen.append).images == 10
    assert seen[-1] == (10, 10, heads(10).nbytes, 0)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in paths} == before


@pytest.mark.parametrize("output", ["m.zarr", "m"])
def test_an_empty_folder_may_be_there(output):
    np.save("a.npy", heads(10))
    Path(output).mkdir()
    stopped(output)
    serial("a.npy", output)
    assert recorded(output) == [0, 3, 6, 9]
    same(read(output, 10), one_by_one(heads(10)))


def flipped(output):
    if output == "m.npy":
        masks = np.load("m.npy", mmap_mode="r+")
        masks[4, 20, 20] ^= 1
        masks.flush()
    elif output == "m.zarr":
        masks = zarr.open_array("m.zarr", mode="r+")
        masks[4] = 1 - masks[4]
    else:
        Image.fromarray(255 - np.array(Image.open("m/a_000004.png"))).save("m/a_000004.png")


def tripled(output):
    if output == "m":
        Image.fromarray(np.array(Image.open("m/a_000004.png")) // 3).save("m/a_000004.png")
    else:
        masks = (
            np.load("m.npy", mmap_mode="r+")
            if output == "m.npy"
            else zarr.open_array(output, mode="r+")
        )
        masks[4] = 3 * masks[4]


def cut(output):
    if output == "m.npy":
        os.truncate("m.npy", 128 + 5 * 48 * 40 - 7)
    else:
        file = Path("m.zarr/c/1/0/0" if output == "m.zarr" else "m/a_000004.png")
        os.truncate(file, file.stat().st_size // 2)


def lost(output):
    if output == "m.npy":
        Path("m.npy").unlink()
    elif output == "m.zarr":
        Path("m.zarr/zarr.json").unlink()
    else:
        Path("m/a_000004.png").unlink()


def all_lost(output):
    Path(output).unlink() if output == "m.npy" else shutil.rmtree(output)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("spoil", [flipped, tripled, cut, lost, all_lost])
def test_masks_that_are_not_the_same_are_made_again(output, spoil):
    np.save("a.npy", heads(10))
    serial("a.npy", output)
    before = everything(output)
    spoil(output)
    assert serial("a.npy", output).failed == 0
    assert everything(output) == before
    same(read(output, 10), one_by_one(heads(10)))
    if spoil in (flipped, tripled):
        assert recorded(output) == [0, 3, 6, 9, 3]


def other_version(monkeypatch):
    others = software.in_use() | {"skullmask": "0.0.9"}
    monkeypatch.setattr(software, "in_use", lambda: others)


OTHERWISE = {
    "version": (("--version", "v1"), None, r"\(version .*\bv7\b.*\bv1\b"),
    "width": (("--dilation-size", "9"), None, r"\bdilation_size .*\b26\b.*\b9\b"),
    "chunk": (("--chunk", "4"), None, r"\(chunk .*\b3\b.*\b4\b"),
    "spacing": (("--spacing", "1", "2"), None, r"\(spacing_mm .*None.*\[1\.0, 2\.0\]"),
    "quality": (("--quality",), None, r"\(quality .*False.*True"),
    "truth": (("--truth", "t.npy"), None, r"\btruth .*None.*\{"),
    "count": (
        (),
        lambda _: np.save("a.npy", heads(11)),
        r"images: shape .*\[10, 48, 40\].*\[11, 48, 40\]",
    ),
    "dtype": ((), lambda _: np.save("a.npy", heads(10, np.float64)), "images: dtype .*<f4.*<f8"),
    "library": ((), other_version, r": skullmask .*\bcode "),
}


@pytest.mark.parametrize("case", OTHERWISE)
@pytest.mark.parametrize("done", [False, True])
def test_other_work_is_refused_and_says_what_differs(skullmask, monkeypatch, case, done):
    options, change, difference = OTHERWISE[case]
    np.save("a.npy", heads(10))
    np.save("t.npy", one_by_one(heads(10)))
    serial("a.npy", "m.npy") if done else stopped("m.npy")
    if change:
        change(monkeypatch)
    before = everything(".")
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", *SERIAL, *options)
    assert (code, out) == (2, "")
    assert re.search(difference, line)
    assert "--restart" in line
    assert everything(".") == before


@pytest.mark.parametrize("order", ["done", "stopped"])
def test_images_that_are_no_longer_the_same_are_refused_and_named(skullmask, order):
    given = heads(10)
    np.save("a.npy", given)
    serial("a.npy", "m.npy") if order == "done" else stopped("m.npy")
    np.save("a.npy", np.where(np.arange(10)[:, None, None] == 4, 2 * given, given))
    before = everything(".")
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", *SERIAL)
    assert (code, out) == (2, "")
    assert re.search(r"/a\.npy: .*images 3 to 5 ", line)
    assert everything(".") == before
    np.save("a.npy", given)
    assert skullmask("batch", "a.npy", "m.npy", *SERIAL)[0] == 0
    assert recorded() == [0, 3, 6, 9]


def test_another_file_of_the_same_name_is_refused():
    Path("a").mkdir()
    for index, image in enumerate(heads(4)):
        np.save(f"a/{index}.npy", image)
    serial("a", "m")
    np.save("a/3.npy", heads(5)[4])
    with pytest.raises(InputError, match=r"/a: .*images 3 to 3 "):
        serial("a", "m")
    Path("a/3.npy").rename("a/4.npy")
    with refused("m", naming=["sha256 of the names"]):
        serial("a", "m")


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_restart_forgets_the_earlier_run(output):
    np.save("a.npy", heads(10))
    serial("a.npy", output)
    np.save("a.npy", heads(5, first=10))
    serial("a.npy", output, "v1", chunk=2, restart=True)
    same(read(output, 5), one_by_one(heads(5, first=10), "v1"))
    assert len(rows_of(f"{output}.batch/results.csv")) == 5
    assert recorded(output) == [0, 2, 4]
    if output == "m":
        assert len(os.listdir(output)) == 5


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("restart", [False, True])
def test_what_no_batch_made_is_left_alone(output, restart):
    np.save("a.npy", heads(4))
    if output == "m.npy":
        np.save("m.npy", heads(4))
    else:
        Path(output).mkdir()
        Path(output, "mine.txt").write_text("mine")
    before = everything(".")
    with refused(output):
        serial("a.npy", output, restart=restart)
    assert everything(".") == before


@pytest.mark.parametrize("restart", [False, True])
def test_a_folder_of_the_name_of_the_journal_s_is_left_alone(restart):
    np.save("a.npy", heads(4))
    Path("m.npy.batch").mkdir()
    Path("m.npy.batch/mine.txt").write_text("mine")
    before = everything(".")
    with refused("m.npy.batch"):
        serial("a.npy", "m.npy", restart=restart)
    assert everything(".") == before


@pytest.mark.parametrize("restart", [False, True])
def test_an_input_is_never_the_output(restart):
    np.save("a.npy", heads(1))
    serial("a.npy", "m.npy")
    Path("list.txt").write_text("m.npy\n")
    before = everything(".")
    for images, truth in (
        ("m.npy", None),
        ("a.npy", "m.npy"),
        ("a.npy", Path("m.npy").absolute().as_uri()),
        ("list.txt", None),
    ):
        with pytest.raises(InputError):
            serial(images, "m.npy", truth=truth, restart=restart)
    assert everything(".") == before


def test_two_runs_at_once():
    np.save("a.npy", heads(10))
    told = []

    def progress(_):
        for restart in (False, True):
            with refused("m.npy", naming=["another run"]) as error:
                serial("a.npy", "m.npy", restart=restart)
            told.append(error)

    serial("a.npy", "m.npy", progress=progress)
    assert len(told) == 8
    same(np.load("m.npy"), one_by_one(heads(10)))
    assert recorded() == [0, 3, 6, 9]


# --- what cannot begin ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ["tcp://127.0.0.1:1", "nonsense://1", "tcp://"])
def test_without_a_scheduler_nothing_is_left(skullmask, monkeypatch, scheduler):
    monkeypatch.setattr(clusters, "_PATIENCE_S", 0.3)
    np.save("a.npy", heads(4))
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", "--scheduler", scheduler)
    assert (code, out) == (2, "")
    assert line.startswith(f"skullmask: {scheduler}: ")
    assert os.listdir() == ["a.npy"]


@pytest.mark.parametrize(("module", "arguments"), [
    ("zarr", ("a.npy", "m.zarr")),
    ("pyarrow", ("a.npy", "m.npy", "--table", "parquet")),
    ("distributed", ("a.npy", "m.npy", "--backend", "dask")),
])  # fmt: skip
def test_what_the_extra_brings_is_asked_for(skullmask, monkeypatch, module, arguments):
    np.save("a.npy", heads(4))
    monkeypatch.setitem(sys.modules, module, None)
    code, out, [line] = skullmask("batch", *arguments)
    assert (code, out) == (2, "")
    assert 'pip install "skullmask[batch]"' in line
    assert os.listdir() == ["a.npy"]


@pytest.mark.parametrize(
    "options", [{"workers": -1}, {"chunk": 2.5}, {"chunk": 0}, {"backend": "threads"}]
)
def test_what_the_command_line_does_not_let_through(options):
    np.save("a.npy", heads(4))
    with pytest.raises(InputError):
        sm.batch("a.npy", "m.npy", version="v7", **options)
    assert os.listdir() == ["a.npy"]


BAD_ARGUMENTS = {
    "no input": (("gone.npy", "m.npy"), ["gone.npy: ", "no such file"]),
    "input of another kind": (("a.mat", "m.npy"), ["a.mat: ", " .mat"]),
    "one slice": (("one.npy", "m.npy"), ["one.npy: ", " (48, 40)"]),
    "none": (("none.npy", "m.npy"), ["none.npy: ", " (0, 48, 40)"]),
    "colour": (("colour.npy", "m.npy"), ["colour.npy: ", " (4, 48, 40, 3)"]),
    "complex": (("complex.npy", "m.npy"), ["complex.npy: ", "complex64"]),
    "objects": (("objects.npy", "m.npy"), ["objects.npy: ", ".npy file"]),
    "no .npy": (("text.npy", "m.npy"), ["text.npy: ", ".npy file"]),
    "no Zarr": (("empty.zarr", "m.npy"), ["empty.zarr: "]),
    "no such store": (("a.npy", "noway://m.zarr"), ["noway://m.zarr: "]),
    "no Zarr there": (("memory://gone", "m.npy"), ["memory://gone: "]),
    "no such protocol": (("noway://a.zarr", "m.npy"), ["noway://a.zarr: "]),
    "empty folder": (("empty", "m.npy"), ["empty: ", "no file"]),
    "empty list": (("empty.txt", "m.npy"), ["empty.txt: ", "no file"]),
    "list of others": (("list.txt", "m.npy"), ["list.txt: ", "no file"]),
    "two of one name": (("twins", "m"), ["twins: ", "a.png", "a.tif"]),
    "twice the same": (("twice.txt", "m"), ["twice.txt: ", "a.npy", "twice"]),
    "volumes from an array": (("a.npy", "m.nii.gz"), ["m.nii.gz: ", " .gz"]),
    "no width": (("a.npy", "m.npy", "--dilation-size", 0), ["dilation size", "1 to 1000000", " 0"]),
    "output of another kind": (("a.npy", "m.png"), ["m.png: ", " .png"]),
    "output nowhere": (("a.npy", "gone/m.npy"), ["gone/m.npy: ", "written"]),
    "output over a file": (("a.npy", "text.npy"), ["text.npy: "]),
    "output over the input": (("a.npy", "a.npy"), ["a.npy: "]),
    "array of volumes": (("volumes", "m.npy"), ["m.npy: ", "one slice", "several"]),
    "array of nothing": (("broken", "m.npy"), ["m.npy: ", "one slice", "none"]),
    "no such version": (("a.npy", "m.npy", "--version", "newest"), ["'newest'"]),
    "no such option": (("a.npy", "m.npy", "--version", "v1", "--dilation-size", "3"), ["v1 ", "dilation_size"]),
    "no such backend": (("a.npy", "m.npy", "--backend", "threads"), ["processes, serial, dask", "'threads'"]),
    "no such table": (("a.npy", "m.npy", "--table", "xlsx"), ["csv, parquet", "'xlsx'"]),
    "no chunk": (("a.npy", "m.npy", "--chunk", "0"), ["chunk"]),
    "no workers": (("a.npy", "m.npy", "--workers", "0"), ["'--workers'"]),
    "workers of a cluster": (("a.npy", "m.npy", "--scheduler", "tcp://a:1", "--workers", "2"), ["tcp://a:1 ", "workers"]),
    "no scheduler": (("a.npy", "m.npy", "--scheduler", ""), ["address", "scheduler"]),
    "a blank scheduler": (("a.npy", "m.npy", "--scheduler", " "), ["address", "scheduler"]),
    "no spacing": (("a.npy", "m.npy", "--spacing", "0", "1"), ["spacing", " 0 mm"]),
    "no truth": (("a.npy", "m.npy", "--truth", "gone.npy"), ["gone.npy: ", "no such file"]),
    "channel of an array": (("a.npy", "m.npy", "--channel", "0"), ["channel"]),
    "read-only": (("a.npy", "/proc/self/m.npy"), ["/proc/self/m.npy: ", "written"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_a_bad_argument_is_one_line_and_nothing_is_written(skullmask, case):
    np.save("a.npy", heads(4))
    np.save("one.npy", heads(1)[0])
    np.save("none.npy", heads(1)[:0])
    np.save("colour.npy", np.zeros((4, 48, 40, 3), np.uint8))
    np.save("complex.npy", heads(1, np.complex64))
    np.save("objects.npy", heads(1).astype(object))
    for name in ("text.npy", "a.mat", "empty.txt"):
        Path(name).write_text("\n")
    Path("list.txt").write_text("notes.doc\n# a.npy, b.npy and more\n'a.npy'\n")
    Path("twice.txt").write_text("a.npy\n./a.npy\n")
    for name in ("empty", "empty.zarr", "twins", "volumes", "broken"):
        Path(name).mkdir()
    for name in ("a.png", "a.tif"):
        Image.fromarray(heads(1, np.uint8)[0]).save(f"twins/{name}")
    np.save("volumes/a.npy", heads(2))
    Path("broken/a.png").write_text("broken")
    before = everything(".")
    arguments, words = BAD_ARGUMENTS[case]
    code, out, err = skullmask("batch", *arguments)
    assert (code, out, len(err)) == (2, "", 1), err
    assert err[0].startswith("skullmask: ")
    assert all(word in err[0] for word in words)
    assert everything(".") == before


# --- names ---------------------------------------------------------------------------------------------------------

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
    """Write three good pictures among what has a bad name, or is no file; give a list of all of them."""
    Path(folder).mkdir()
    good = [f"{index}.png" for index in range(3)]
    for name, image in zip(good, heads(3, np.uint8), strict=True):
        Image.fromarray(image).save(f"{folder}/{name}")
    Path(folder, "folder.png").mkdir()
    Image.fromarray(heads(1, np.uint8)[0]).save(f"{folder}/folder.png/inside.png")
    Path(folder, "broken.png").symlink_to("nowhere")
    Path(folder, "circle.png").symlink_to("circle.png")
    os.mkfifo(f"{folder}/pipe.png")
    Path(folder, "0.doc").write_text("notes")
    np.savez(f"{folder}/0.npz", images=heads(1))
    nib.save(nib.Nifti1Pair(heads(1).T, np.eye(4)), f"{folder}/0.hdr")
    Path(folder, "device.npy").symlink_to("/dev/zero")
    return [good[0], *BAD_NAMES.values(), *good[1:]]


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_bad_name_in_a_list_fails_alone(output):
    names = with_bad_names("a")
    Path("list.txt").write_bytes(
        "".join(f"a/{name}\n" for name in names).encode("utf-8", "surrogateescape")
    )
    made = serial("list.txt", output)
    assert (made.images, made.failed) == (len(names), len(BAD_NAMES))
    errors = errors_of(output)
    assert len(errors) == len(BAD_NAMES)
    assert all(name.isprintable() and error.isprintable() for name, error in errors.items())
    assert "\\x1b[2J.png" in errors
    assert "folder" in errors["folder.png"]
    wanted = one_by_one(heads(3, np.uint8))
    if output == "m":
        found = [np.array(Image.open(f"m/{index}.png")) // 255 for index in range(3)]
        assert sorted(os.listdir("m")) == ["0.png", "1.png", "2.png"]
    else:
        found = read(output)[[0, -2, -1]]
        assert not read(output)[1:-2].any()
    same(np.stack(found), wanted)
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
        assert [row["iou"] for row in rows_of("m.batch/results.csv")] == [
            "",
            "1.0",
            "",
            "",
            "1.0",
            "",
        ]
        assert sorted(os.listdir("m")) == ["0.png", "1.png"]


@pytest.mark.parametrize("line", ["/", "..", ".", "a/", "/dev"])
def test_a_folder_in_a_list_fails_alone(line):
    Path("a").mkdir()
    Image.fromarray(heads(1, np.uint8)[0]).save("a/0.png")
    Path("list.txt").write_text(f"a/0.png\n{line}\n")
    for _ in range(2):
        made = serial("list.txt", "m")
        assert (made.images, made.failed) == (2, 1)
        assert [path.name for path in Path("m").rglob("*") if path.is_file()] == ["0.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_in_a_list_may_have_any_bytes():
    name = os.fsdecode(b"K\xf6pf \xe5\xa4\xb4.png")
    Path("a").mkdir()
    Image.fromarray(heads(1, np.uint8)[0]).save(Path("a", name))
    Path("list.txt").write_bytes(b"a/" + os.fsencode(name) + b"\r\n")
    assert serial("list.txt", "m").failed == 0
    assert os.listdir("m") == [name]


def test_a_line_of_a_list_may_be_an_address():
    for name in ("0.png", "two heads.png"):
        Image.fromarray(heads(1, np.uint8)[0]).save(name)
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
    assert serial(f"{name}.npy", "m.npy").failed == 0


def test_a_picture_named_like_a_folder_of_masks_fails_alone():
    Path("a/x.png").mkdir(parents=True)
    Image.fromarray(heads(1, np.uint8)[0]).save("a/x.tif")
    Image.fromarray(heads(1, np.uint8)[0]).save("a/x.png/y.png")
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
        Image.fromarray(heads(1, np.uint8)[0]).save(Path("a", name))
    Path("a/=SUM(A1).png").write_text("broken")
    assert serial("a", "m").failed == 1
    tables = Path("m.batch/results.csv").read_bytes() + Path("m.batch/errors.csv").read_bytes()
    assert b"\x1b" not in tables
    names = [row["name"] for row in rows_of("m.batch/results.csv")]
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
        Image.fromarray(heads(1, np.uint8)[0]).save(Path("a", name))
    Path("a/=SUM(A1).png").write_text("broken")
    assert serial("a", "m", table="parquet").failed == 1
    rows = parquet_rows("m.batch/results.parquet")
    assert {row["name"] for row in rows} == {*names, "=SUM(A1).png", "\\udcff.png"}
    assert [row["area_px"] for row in rows if row["flags"] == "failed"] == [None]
    assert [*errors_of("m")] == ["'=SUM(A1).png"]


def test_parquet_is_written_some_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(tables, "_ROWS_AT_A_TIME", 4)
    np.save("a.npy", heads(10))
    serial("a.npy", "m.npy", table="parquet")
    table = pyarrow.parquet.ParquetFile("m.npy.batch/results.parquet")
    assert [table.metadata.row_group(group).num_rows for group in range(table.num_row_groups)] == [
        4,
        4,
        2,
    ]
    assert [row["name"] for row in table.read().to_pylist()] == [
        f"a.npy[{index}]" for index in range(10)
    ]


# --- what is remarked ----------------------------------------------------------------------------------------------


def two_heads():
    """Give a picture that shows two heads of one size."""
    one = ring_head(axes_mm=(60.0, 50.0), shape=(150, 130))[0]
    return np.hstack([one, one]).astype(np.float32)


@pytest.mark.parametrize(
    "backend", [{"backend": "serial"}, *later({"backend": "processes", "workers": 2})]
)
def test_what_is_remarked_of_an_image_is_in_its_row(skullmask, backend):
    Path("a").mkdir()
    np.save("a/one.npy", ring_head()[0].astype(np.float32))
    np.save("a/two.npy", two_heads())
    np.save("a/stack.npy", np.stack([two_heads(), np.zeros((150, 260), np.float32)]))
    made = sm.batch("a", "m", version="v8", **backend)
    assert made.flagged["remarked"] == 2
    rows = {row["name"]: row for row in rows_of("m.batch/results.csv")}
    assert [*rows["one.npy"]][-3:] == ["quality", "flags", "remarks"]
    assert rows["one.npy"]["remarks"] == ""
    assert rows["two.npy"]["remarks"] == rows["stack.npy[0]"]["remarks"] != ""
    assert "two.npy" not in rows["two.npy"]["remarks"]
    assert rows["stack.npy[1]"]["remarks"] == ""
    again = sm.batch("a", "m", version="v8", **backend)
    assert again.flagged == made.flagged
    assert "2 remarked" in skullmask("batch", "a", "m")[1]


@pytest.mark.parametrize("version", ["v1", "v5", "v7", "v8"])
@pytest.mark.parametrize("quality", [None, True, False])
def test_of_more_than_one_head_every_version_tells(version, quality):
    one = ring_head(axes_mm=(60.0, 50.0), shape=(150, 130))[0]
    noise = np.random.default_rng(1).normal(0, 0.02, (150, 260))
    pairs = {
        "two": two_heads(),
        "dim": np.hstack([one, 0.5 * one]) + noise,
        "large": np.kron(two_heads(), np.ones((3, 3))),
        "alone": np.pad(one, ((0, 0), (0, 130))) + noise,
    }
    Path("a").mkdir()
    for name, image in pairs.items():
        np.save(f"a/{name}.npy", image.astype(np.float32))
    np.save("a/volume.npy", np.stack([pairs["alone"], pairs["dim"]]).astype(np.float32))
    assert serial("a", "m", version, quality=quality).failed == 0
    rows = {
        row["name"].removesuffix(".npy"): row["remarks"] for row in rows_of("m.batch/results.csv")
    }
    assert {name for name, remarks in rows.items() if "head" in remarks} == {
        "two",
        "dim",
        "large",
        "volume.npy[1]",
    }


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
    for folder in ("a", "t"):
        Path(folder).mkdir()
        for name in ("a.npy", "b.npy"):
            np.save(f"{folder}/{name}", heads(2) if folder == "a" else one_by_one(heads(2)))
    made = serial("a", "m", truth="t")
    assert made.flagged["remarked"] == 2
    rows = rows_of("m.batch/results.csv")
    assert [row["remarks"] for row in rows] == ["", "", *["is lossy; the truth: is lossy"] * 2]
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


# --- a truth that is not known everywhere --------------------------------------------------------------------------


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
    for folder in "at":
        Path(folder).mkdir()
        np.save(f"{folder}/other.npy", slices if folder == "a" else one_by_one(slices))
    nib.save(nib.Nifti1Image(slices.T[:, ::-1], of_image), "a/volume.nii.gz")
    nib.save(nib.Nifti1Image(one_by_one(slices).T[:, ::-1], of_truth), "t/volume.nii")
    assert serial("a", "m", truth="t", chunk=1).failed == (not is_scored)
    assert Path("m/volume.nii.gz").exists()
    rows = rows_of("m.batch/results.csv")
    assert [bool(row["iou"]) for row in rows] == [True] * 3 + [is_scored] * 3
    assert {row["flags"] for row in rows[3:]} == {"" if is_scored else "unscored"}
    errors = errors_of("m")
    assert (
        [*errors] == []
        if is_scored
        else ["volume.nii.gz[0]", "volume.nii.gz[1]", "volume.nii.gz[2]"]
    )


@pytest.mark.parametrize("table", ["csv", "parquet"])
def test_where_the_truth_is_empty_it_is_unknown(table):
    images = heads(4)
    images[3] = 0
    truth = one_by_one(heads(4))
    truth[[1, 3]] = 0
    np.save("a.npy", images)
    np.save("t.npy", truth)
    assert serial("a.npy", "m.npy", truth="t.npy", table=table, quality=True).failed == 0
    rows = (
        rows_of("m.npy.batch/results.csv")
        if table == "csv"
        else parquet_rows("m.npy.batch/results.parquet")
    )
    flags = [row["flags"].split("; ") for row in rows]
    assert ["unknown truth" in flag for flag in flags] == [False, True, False, True]
    assert flags[3] == ["empty", "unknown truth"]
    for column in ("iou", "dice", "area_error", "hausdorff_px", "hd95_px", "assd_px"):
        assert [row[column] in ("", None) for row in rows] == [False, True, False, True]
    assert [float(row["iou"]) for row in rows[::2]] == [1.0, 1.0]
    assert serial("a.npy", "m.npy", truth="t.npy", table=table, quality=True).flagged["empty"] == 1


def test_of_a_file_of_several_slices_the_truth_is_known_as_for_a_score():
    truth = one_by_one(heads(4))
    unknown = {
        "none": (truth, []),
        "some": (truth * np.array([1, 0, 1, 0], np.uint8)[:, None, None], [1, 3]),
        "all": (0 * truth, []),
    }
    for folder in ("a", "t"):
        Path(folder).mkdir()
    for name, (true, _) in unknown.items():
        np.save(f"a/{name}.npy", heads(4))
        np.save(f"t/{name}.npy", true)
    assert serial("a", "m", truth="t").failed == 0
    rows = {row["name"]: row for row in rows_of("m.batch/results.csv")}
    for name, (true, places) in unknown.items():
        wanted = sm.metrics.score_slices(one_by_one(heads(4)), true)
        for place in range(4):
            row = rows[f"{name}.npy[{place}]"]
            assert (row["flags"] == "unknown truth") == (place in places)
            assert row["iou"] == ("" if place in places else str(wanted[place]["iou"]))
    assert rows["all.npy[0]"]["iou"] == "0.0"


def test_of_a_slice_that_is_alone_an_empty_truth_is_unknown():
    for folder in ("a", "t"):
        Path(folder).mkdir()
    for name in ("0.npy", "1.npy"):
        np.save(f"a/{name}", heads(1)[0])
        np.save(f"t/{name}", 0 * one_by_one(heads(1))[0])
    serial("a", "m", truth="t")
    assert [row["flags"] for row in rows_of("m.batch/results.csv")] == ["unknown truth"] * 2


def parquet_rows(path):
    return pyarrow.parquet.read_table(path).to_pylist()


def test_masks_to_look_at_are_counted(skullmask):
    images = heads(9)
    images[[1, 4]] = 7
    images[6] = images[6] > 0  # a disc without a skull
    images[6] = ndimage.binary_fill_holes(images[6])
    np.save("a.npy", images)
    for _ in range(2):
        code, out, err = skullmask("batch", "a.npy", "m.npy", "--backend", "serial", "--chunk", "3")
        assert (code, err) == (0, [])
        flags = [row["flags"] for row in rows_of("m.npy.batch/results.csv")]
        assert flags.count("empty") >= 2
        assert flags.count("doubtful") >= 1
        counted = f"{flags.count('doubtful')} doubtful, {flags.count('empty')} empty"
        assert f"\nTo be looked at first: {counted}\n" in out


# --- on a terminal -------------------------------------------------------------------------------------------------


def test_a_terminal_shows_how_fast_it_goes_and_how_much_failed():
    given = heads(30)
    given[2] = np.nan
    np.save("a.npy", given)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
    command = [*SKULLMASK, "batch", "a.npy", "m.npy", *SERIAL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as run:
        os.close(theirs)
        shown = b""
        while True:
            try:
                shown += os.read(ours, 10_000)
            except OSError:  # closed at the other end
                break
        out = run.stdout.read()
    os.close(ours)
    shown = shown.decode()
    assert run.returncode == 1
    assert "The masks: m.npy" in out
    assert re.search(r"\d+/30 .*image/s, \d+ MB/s, 1 failed\]", shown), shown
    assert shown.splitlines()[-1].endswith(
        f"1 of 30 images failed, see {Path('m.npy.batch/errors.csv').absolute()}"
    )


@pytest.mark.parametrize("alike", [True, False])
def test_slices_as_nifti_of_two_axes_are_scored_or_left_unscored(alike):
    Path("a").mkdir()
    Path("truth").mkdir()
    affine = np.diag([2.0, 2, 1, 1])
    image = nib.Nifti1Image(ring_head()[0].astype(np.float32), affine)
    truth = nib.Nifti1Image(ring_head()[1].astype(np.uint8), affine if alike else None)
    nib.save(image, "a/x.nii")
    nib.save(truth, "truth/x.nii")
    np.save("a/y.npy", ring_head()[0])
    np.save("truth/y.npy", ring_head()[1])
    serial("a", "m", truth="truth")
    x, y = rows_of("m.batch/results.csv")
    assert (x["flags"], y["flags"]) == ("" if alike else "unscored", "")
    assert bool(x["iou"]) == alike
