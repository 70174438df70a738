"""A long run: failures do not stop it, a stopped one goes on, and other work is refused."""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import nibabel as nib
import numpy as np
import pyarrow.parquet
import pytest
import zarr
from batching import (
    assert_same,
    column,
    errors_of,
    heads,
    one_by_one,
    read_masks,
    recorded,
    results_of,
    save_arrays,
    save_head,
    serial,
)
from commands import SKULLMASK
from complaints import refused
from folders import contents_of
from PIL import Image

import skullmask_lib as sm
from skullmask_lib import InputError
from skullmask_lib.batches import clusters, software, tables

pytestmark = pytest.mark.usefixtures("folder")
OUTPUTS = ["m.npy", "m.zarr", "m"]
SERIAL = ("--version", "v7", "--backend", "serial", "--chunk", "3")


class Stop(Exception):
    """Stops a run from within, as Ctrl-C would."""


def stopping(after):
    """Give a progress callback that stops the run once so many images are recorded."""

    def progress(report):
        if report.images >= after:
            raise Stop

    return progress


def stopped(output, after=6, images="a.npy", **options):
    """Run until so many images are recorded."""
    with pytest.raises(Stop):
        serial(images, output, progress=stopping(after), **options)


# --- what fails ----------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["m.npy", "m.zarr"])
def test_one_of_a_hundred_is_named_stays_empty_and_is_made_once_it_is_mended(skullmask, output):
    images = heads(99)
    images[41, 7, 7] = np.nan
    np.save("a.npy", images)
    whole = one_by_one(heads(99))
    expected = whole.copy()
    expected[41] = 0
    flags = [""] * 99
    flags[41] = "failed"
    areas_px = [str(mask.sum()) for mask in expected]
    areas_px[41] = ""

    for _ in range(2):
        code, out, [line] = skullmask("batch", "a.npy", output, *SERIAL)
        assert code == 1
        assert line.startswith("skullmask: 1 of 99 ")
        assert line.endswith(f" {Path(output).absolute()}.batch/errors.csv")
        assert re.search(r"^99 images, [\d.]+ s$", out, re.MULTILINE)
        assert_same(read_masks(output), expected)
        [(name, error)] = errors_of(output).items()
        assert name == "a.npy[41]"
        assert "NaN" in error
        assert column(output, "flags") == flags
        assert column(output, "area_px") == areas_px

    np.save("a.npy", heads(99))
    code, out, err = skullmask("batch", "a.npy", output, *SERIAL)
    assert (code, err, errors_of(output)) == (0, [], {})
    assert_same(read_masks(output), whole)
    assert recorded(output) == [*range(0, 99, 3), 39, 39]


def broken(folder):
    """Write eight images of which six cannot be used; give the reason for each by its name."""
    images = heads(8, np.uint8)
    Path(folder).mkdir()
    nib.save(nib.Nifti1Image(images[0].T[:, ::-1, None], np.eye(4)), f"{folder}/0.nii.gz")
    Path(f"{folder}/1.nii.gz").write_bytes(Path(f"{folder}/0.nii.gz").read_bytes()[:-60])
    np.save(f"{folder}/2.npy", np.where(np.eye(48, 40), np.nan, images[2]))
    Image.fromarray(images[3]).save(f"{folder}/3.png")
    os.truncate(f"{folder}/3.png", 200)
    np.save(f"{folder}/4.npy", images[4])
    os.truncate(f"{folder}/4.npy", 500)
    Path(f"{folder}/5.tif").touch()
    np.save(f"{folder}/6.npy", np.zeros((2, 2, 2, 2)))
    Image.fromarray(images[7]).save(f"{folder}/7.png")
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
    reasons = broken("a")
    whole = one_by_one(heads(8, np.uint8))

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
        assert_same(np.array(Image.open("m/7.png")), 255 * whole[7])
    else:
        expected = whole.copy()
        expected[1:7] = 0
        assert_same(read_masks(output), expected)

    for index in (2, 4, 6):
        np.save(f"a/{index}.npy", heads(8, np.uint8)[index])
    assert skullmask("batch", "a", output, *SERIAL)[0] == 1
    assert [*errors_of(output)] == ["1.nii.gz", "3.png", "5.tif"]


@pytest.mark.parametrize("output", ["m.npy", "m.zarr"])
@pytest.mark.parametrize("place", [2, 6])
@pytest.mark.parametrize("shape", [(50, 44), (30, 30), (2, 48, 40)])
def test_a_file_of_another_shape_fails_alone(output, place, shape):
    images = heads(7)
    save_arrays("a", images)
    np.save(f"a/{place}.npy", np.resize(images[place], shape))
    assert serial("a", output).failed == 1
    expected = one_by_one(images)
    expected[place] = 0
    assert_same(read_masks(output), expected)
    assert [*errors_of(output)] == [f"{place}.npy"]
    if output == "m.npy":
        np.save("expected.npy", expected)
        assert Path("m.npy").read_bytes() == Path("expected.npy").read_bytes()


@pytest.mark.parametrize("output", ["m.npy", "m"])
def test_a_mask_does_not_outlive_its_image(output):
    images = heads(3)
    save_arrays("a", images)
    Path("a/1.npy").write_bytes(b"broken")
    assert serial("a", output).failed == 1
    np.save("a/1.npy", images[1])
    Path("a/2.npy").write_bytes(b"broken")
    assert serial("a", output).failed == 1
    assert [*errors_of(output)] == ["2.npy"]
    expected = one_by_one(images)
    if output == "m.npy":
        expected[2] = 0
        assert_same(np.load("m.npy"), expected)
    else:
        assert sorted(os.listdir("m")) == ["0.npy", "1.npy"]
        assert_same(np.load("m/0.npy"), expected[0])
        assert_same(np.load("m/1.npy"), expected[1])


def test_fail_fast_stops_at_once_and_the_run_afterwards_goes_on(skullmask):
    images = heads(10)
    images[7] = np.inf
    np.save("a.npy", images)
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", *SERIAL, "--fail-fast")
    assert (code, out) == (1, "")
    assert line.startswith("skullmask: a.npy[7]: ")
    assert not Path("m.npy").exists()
    assert recorded() == [0, 3]
    assert skullmask("batch", "a.npy", "m.npy", *SERIAL)[0] == 1
    assert recorded() == [0, 3, 6, 9]
    assert [*errors_of("m.npy")] == ["a.npy[7]"]


FIVE_IMAGES_AND_A_HALF = 128 + 4 * 5 * 48 * 40 + 1000  # bytes; the header has 128


FIVE_IMAGES_AND_A_HALF = 128 + 4 * 5 * 48 * 40 + 1000  # bytes; the header has 128


def test_a_truncated_input_is_one_line(skullmask):
    np.save("a.npy", heads(10))
    os.truncate("a.npy", FIVE_IMAGES_AND_A_HALF)
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", *SERIAL)
    assert (code, out) == (2, "")
    assert line.startswith("skullmask: a.npy: ")
    assert "cut off" in line
    assert "5 of 10 images" in line
    assert os.listdir() == ["a.npy"]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_an_input_that_is_truncated_under_way(skullmask, output, order):
    images = np.asarray(heads(10), order=order)
    np.save("a.npy", images)

    def progress(report):
        if report.images == 3:
            os.truncate("a.npy", FIVE_IMAGES_AND_A_HALF)

    # In Fortran order every image has bytes at the end of the file.
    lost = range(5 if order == "C" else 3, 10)
    reasons = {f"a.npy[{index}]": "the file ends before it does" for index in lost}
    assert serial("a.npy", output, progress=progress).failed == len(lost)
    assert errors_of(output) == reasons
    assert skullmask("batch", "a.npy", output, *SERIAL)[0] == 2
    np.save("a.npy", images)
    assert skullmask("batch", "a.npy", output, *SERIAL)[::2] == (0, [])
    assert_same(read_masks(output, 10), one_by_one(images))
    assert recorded(output) == [0, 3, 6, 9, 3, 6, 9]


# --- what goes on --------------------------------------------------------------------------------


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("after", [1, 6, 10])
def test_a_stopped_run_goes_on_where_it_was(output, after):
    np.save("a.npy", heads(10))
    stopped(output, after)
    assert not Path(output).exists()
    serial("a.npy", output)
    assert recorded(output) == [0, 3, 6, 9]
    assert sorted(os.listdir(f"{output}.batch")) == ["errors.csv", "journal.jsonl", "results.csv"]
    uninterrupted = f"whole_{output}"
    serial("a.npy", uninterrupted)
    assert relative_contents_of(output) == relative_contents_of(uninterrupted)
    if output == "m.npy":
        assert Path("m.npy").read_bytes() == Path("whole_m.npy").read_bytes()
    assert_same(read_masks(output, 10), one_by_one(heads(10)))
    assert column(output, "area_px") == column(uninterrupted, "area_px")


def relative_contents_of(folder):
    return {path.relative_to(folder): content for path, content in contents_of(folder).items()}


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_run_that_is_done_does_nothing_again(output):
    np.save("a.npy", heads(10))
    serial("a.npy", output)
    before = states_of_files()
    progress = []
    assert serial("a.npy", output, progress=progress.append).images == 10
    assert progress[-1] == (10, 10, heads(10).nbytes, 0)
    assert states_of_files() == before


def states_of_files():
    """Tell which file lies at every path here and when it was written; tables are written anew."""
    states = {}
    for path in Path().rglob("*"):
        if path.is_file() and path.suffix != ".csv":
            state = path.stat()
            states[path] = (state.st_mtime_ns, state.st_ino)
    return states


@pytest.mark.parametrize("output", ["m.zarr", "m"])
def test_an_empty_folder_may_be_there(output):
    np.save("a.npy", heads(10))
    Path(output).mkdir()
    stopped(output)
    serial("a.npy", output)
    assert recorded(output) == [0, 3, 6, 9]
    assert_same(read_masks(output, 10), one_by_one(heads(10)))


def flipped(output):
    if output == "m.npy":
        masks = np.load("m.npy", mmap_mode="r+")
        masks[4, 20, 20] ^= 1
        masks.flush()
    elif output == "m.zarr":
        masks = zarr.open_array("m.zarr", mode="r+")
        masks[4] = 1 - masks[4]
    else:
        picture = np.array(Image.open("m/a_000004.png"))
        Image.fromarray(255 - picture).save("m/a_000004.png")


def tripled(output):
    if output == "m.npy":
        masks = np.load("m.npy", mmap_mode="r+")
        masks[4] = 3 * masks[4]
        masks.flush()
    elif output == "m.zarr":
        masks = zarr.open_array("m.zarr", mode="r+")
        masks[4] = 3 * masks[4]
    else:
        picture = np.array(Image.open("m/a_000004.png"))
        Image.fromarray(picture // 3).save("m/a_000004.png")


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
    if output == "m.npy":
        Path("m.npy").unlink()
    else:
        shutil.rmtree(output)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("spoil", [flipped, tripled, cut, lost, all_lost])
def test_masks_that_are_not_the_same_are_made_again(output, spoil):
    np.save("a.npy", heads(10))
    serial("a.npy", output)
    before = contents_of(output)
    spoil(output)
    assert serial("a.npy", output).failed == 0
    assert contents_of(output) == before
    assert_same(read_masks(output, 10), one_by_one(heads(10)))
    if spoil in (flipped, tripled):
        assert recorded(output) == [0, 3, 6, 9, 3]


def other_version(monkeypatch):
    others = software.in_use() | {"skullmask": "0.0.9"}
    monkeypatch.setattr(software, "in_use", lambda: others)


# Options of the command, or a change made beforehand, and how the line of the refusal names it
OTHER_WORK = {
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


@pytest.mark.parametrize("case", OTHER_WORK)
@pytest.mark.parametrize("done", [False, True])
def test_other_work_is_refused_and_says_what_differs(skullmask, monkeypatch, case, done):
    options, change, difference = OTHER_WORK[case]
    np.save("a.npy", heads(10))
    np.save("t.npy", one_by_one(heads(10)))
    if done:
        serial("a.npy", "m.npy")
    else:
        stopped("m.npy")
    if change:
        change(monkeypatch)
    before = contents_of(".")
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", *SERIAL, *options)
    assert (code, out) == (2, "")
    assert re.search(difference, line)
    assert "--restart" in line
    assert contents_of(".") == before


@pytest.mark.parametrize("order", ["done", "stopped"])
def test_images_that_are_no_longer_the_same_are_refused_and_named(skullmask, order):
    images = heads(10)
    np.save("a.npy", images)
    if order == "done":
        serial("a.npy", "m.npy")
    else:
        stopped("m.npy")
    changed = images.copy()
    changed[4] *= 2
    np.save("a.npy", changed)
    before = contents_of(".")
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", *SERIAL)
    assert (code, out) == (2, "")
    assert re.search(r"/a\.npy: .*images 3 to 5 ", line)
    assert contents_of(".") == before
    np.save("a.npy", images)
    assert skullmask("batch", "a.npy", "m.npy", *SERIAL)[0] == 0
    assert recorded() == [0, 3, 6, 9]


def test_another_file_of_the_same_name_is_refused():
    save_arrays("a", heads(4))
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
    assert_same(read_masks(output, 5), one_by_one(heads(5, first=10), "v1"))
    assert len(results_of(output)) == 5
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
    before = contents_of(".")
    with refused(output):
        serial("a.npy", output, restart=restart)
    assert contents_of(".") == before


@pytest.mark.parametrize("restart", [False, True])
def test_a_folder_of_the_name_of_the_journal_s_is_left_alone(restart):
    np.save("a.npy", heads(4))
    Path("m.npy.batch").mkdir()
    Path("m.npy.batch/mine.txt").write_text("mine")
    before = contents_of(".")
    with refused("m.npy.batch"):
        serial("a.npy", "m.npy", restart=restart)
    assert contents_of(".") == before


@pytest.mark.parametrize("restart", [False, True])
def test_an_input_is_never_the_output(restart):
    np.save("a.npy", heads(1))
    serial("a.npy", "m.npy")
    Path("list.txt").write_text("m.npy\n")
    before = contents_of(".")
    for images, truth in (
        ("m.npy", None),
        ("a.npy", "m.npy"),
        ("a.npy", Path("m.npy").absolute().as_uri()),
        ("list.txt", None),
    ):
        with pytest.raises(InputError):
            serial(images, "m.npy", truth=truth, restart=restart)
    assert contents_of(".") == before


def test_two_runs_at_once():
    np.save("a.npy", heads(10))
    refusals = []

    def progress(_):
        for restart in (False, True):
            with refused("m.npy", naming=["another run"]) as error:
                serial("a.npy", "m.npy", restart=restart)
            refusals.append(error)

    serial("a.npy", "m.npy", progress=progress)
    assert len(refusals) == 8
    assert_same(np.load("m.npy"), one_by_one(heads(10)))
    assert recorded() == [0, 3, 6, 9]


# --- what cannot begin ---------------------------------------------------------------------------


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


@pytest.mark.parametrize("options", [
    {"workers": -1}, {"chunk": 2.5}, {"chunk": 0}, {"backend": "threads"}, {"backend": ["dask"]},
    {"table": ["csv"]}, {"scheduler": 8786}, {"truth": ""},
])  # fmt: skip
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
    "workers of one process": (("a.npy", "m.npy", "--backend", "serial", "--workers", "2"), ["serial", "workers"]),
    "a scheduler of one process": (("a.npy", "m.npy", "--backend", "serial", "--scheduler", "tcp://a:1"), ["serial", "scheduler"]),
    "no scheduler": (("a.npy", "m.npy", "--scheduler", ""), ["address", "scheduler"]),
    "a blank scheduler": (("a.npy", "m.npy", "--scheduler", " "), ["address", "scheduler"]),
    "no spacing": (("a.npy", "m.npy", "--spacing", "0", "1"), ["spacing", " 0 mm"]),
    "no truth": (("a.npy", "m.npy", "--truth", "gone.npy"), ["gone.npy: ", "no such file"]),
    "an empty truth": (("a.npy", "m.npy", "--truth", ""), ["path", "empty"]),
    "an empty input": (("", "m.npy"), ["path", "empty"]),
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
        save_head(f"twins/{name}")
    np.save("volumes/a.npy", heads(2))
    Path("broken/a.png").write_text("broken")
    before = contents_of(".")
    arguments, words = BAD_ARGUMENTS[case]
    code, out, err = skullmask("batch", *arguments)
    assert (code, out, len(err)) == (2, "", 1), err
    assert err[0].startswith("skullmask: ")
    assert all(word in err[0] for word in words)
    assert contents_of(".") == before


def test_parquet_is_written_some_rows_at_a_time(monkeypatch):
    monkeypatch.setattr(tables, "_ROWS_AT_A_TIME", 4)
    np.save("a.npy", heads(10))
    serial("a.npy", "m.npy", table="parquet")
    table = pyarrow.parquet.ParquetFile("m.npy.batch/results.parquet")
    groups = [table.metadata.row_group(number) for number in range(table.num_row_groups)]
    assert [group.num_rows for group in groups] == [4, 4, 2]
    names = [row["name"] for row in table.read().to_pylist()]
    assert names == [f"a.npy[{index}]" for index in range(10)]


# --- on a terminal -------------------------------------------------------------------------------


def test_a_terminal_shows_how_fast_it_goes_and_how_much_failed():
    images = heads(30)
    images[2] = np.nan
    np.save("a.npy", images)
    ours, theirs = pty.openpty()
    lines_and_columns = struct.pack("HHHH", 24, 120, 0, 0)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, lines_and_columns)
    command = [*SKULLMASK, "batch", "a.npy", "m.npy", *SERIAL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as run:
        os.close(theirs)
        shown = read_to_the_end(ours).decode()
        out = run.stdout.read()
    os.close(ours)
    assert run.returncode == 1
    assert "The masks: m.npy" in out
    assert re.search(r"\d+/30 .*image/s, \d+ MB/s, 1 failed\]", shown), shown
    assert shown.splitlines()[-1].endswith(
        f"1 of 30 images failed, see {Path('m.npy.batch/errors.csv').absolute()}"
    )


def read_to_the_end(terminal):
    """Read all that is written to a terminal until it is closed at the other end."""
    content = b""
    while True:
        try:
            content += os.read(terminal, 10_000)
        except OSError:  # closed
            return content
