"""The command line: what it prints and writes, what it remarks, and what systems do to it."""

import importlib
import inspect
import os
import re
import signal
import subprocess
import sys
import typing
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import typer
from commands import SKULLMASK, process, rounded, scores_in, summary_of
from folders import contents_of
from inputs import doubted, head, ring_head, ring_heads, stack
from numpy.testing import assert_array_equal as same
from PIL import Image
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import texts
from skullmask_lib.cli import capstone_commands, commands, data_commands
from skullmask_lib.errors import InputWarning
from skullmask_lib.io import datasets

LIST = typer.main.get_command(commands.app).commands
COMMANDS = sorted(LIST)
GROUPS = {"capstone": capstone_commands.group, "data": data_commands.group}
IN_GROUPS = {}
for group_name, app in GROUPS.items():
    for command_name, command in typer.main.get_command(app).commands.items():
        IN_GROUPS[f"{group_name} {command_name}"] = command
NUMPY = tuple(int(part) for part in np.__version__.split(".")[:2])


# --- help ----------------------------------------------------------------------------------------


def test_there_are_the_commands_of_the_contract():
    assert {"demo", "mask", "score", "sweep", "report", "explore", "data"} <= set(COMMANDS)
    assert set(IN_GROUPS) == {
        *("data list", "data fetch", "data verify"),
        *("capstone draw", "capstone score", "capstone agree"),
    }


@pytest.mark.parametrize("group", ["", *GROUPS])
def test_alone_it_shows_help(skullmask, group):
    commands = [name for name in IN_GROUPS if name.split()[0] == group] or COMMANDS
    code, out, err = skullmask(*group.split())
    assert (code, err) == (0, [])
    assert "Usage: " in out
    for command in commands:
        assert f"\n  {command.split()[-1]} " in out


@pytest.mark.parametrize("command", [*COMMANDS, *IN_GROUPS])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help_with_an_example(skullmask, command, flag):
    code, out, err = skullmask(*command.split(), flag)
    assert (code, err) == (0, [])
    assert "Usage: " in out
    _, _, examples = out.partition("Example")
    assert re.search(rf"^ +skullmask {command}\b", examples, re.MULTILINE)


def test_every_command_of_every_module_is_in_the_list():
    modules = {entry.module for entry in commands.COMMANDS.values()}
    assert modules == {file.stem for file in Path(commands.__file__).parent.glob("*_commands.py")}
    in_modules = {}
    for module in modules:
        app = importlib.import_module(f"skullmask_lib.cli.{module}").app
        in_modules |= dict.fromkeys(typer.main.get_group(app).commands, module)
    assert in_modules == {name: entry.module for name, entry in commands.COMMANDS.items()}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_about_a_command_stands_in_the_list_alone(name):
    assert LIST[name].short_help == commands.COMMANDS[name].short_help
    assert LIST[name].load().short_help is None
    assert LIST[name].load().help


def test_it_knows_its_version(skullmask):
    assert skullmask("--version") == (0, f"skullmask {sm.__version__}\n", [])


# --- masks ---------------------------------------------------------------------------------------


def test_mask_is_v8_of_every_slice(skullmask, folder):
    np.save("a.npy", ring_heads())
    code, out, err = skullmask("mask", "a.npy", "-o", "b.npy")
    assert (code, summary_of(out), err) == (0, (3, "v8", "b.npy", {}), [])
    same(np.load("b.npy"), [sm.v8(image) for image in ring_heads()])
    assert sorted(os.listdir(folder)) == ["a.npy", "b.npy"]


@pytest.mark.parametrize(
    ("options", "version", "keywords"),
    [
        ([], "v8", {}),
        (["--version", "v8"], "v8", {}),
        (["--spacing", "4", "5"], "v8", {"spacing_mm": (4, 5)}),
        (["--version", "v7"], "v7", {}),
        (["--version", "v7", "--spacing", "4", "5"], "v7", {}),
        (["--version", "v1"], "v1", {}),
        (["--version", "v4"], "v4", {}),
        (["--dilation-size", "5"], "v7", {"dilation_size": 5}),
        (["--version", "v5", "--dilation-size", "40"], "v5", {"dilation_size": 40}),
    ],
)
def test_mask_takes_version_and_width(skullmask, folder, options, version, keywords):
    if version == "v8":  # its masks of these heads are trusted
        images = ring_heads()
        remarks = []
        counts = {}
    else:
        images = stack()
        remarks = doubted("a.npy[0] … a.npy[2]")
        counts = {"to look at": 3}
    np.save(folder / "a.npy", images)
    code, out, err = skullmask("mask", "a.npy", "--output", "b.npy", *options)
    assert (code, err) == (0, remarks)
    assert summary_of(out) == (3, version, "b.npy", counts)
    same(np.load("b.npy"), [sm.VERSIONS[version](image, **keywords) for image in images])


def test_mask_replaces_what_was_there(skullmask, folder):
    np.save("a.npy", head())
    (folder / "b.npy").write_bytes(b"old")
    assert skullmask("mask", "a.npy", "-o", "b.npy", "--version", "v7")[0] == 0
    same(np.load("b.npy"), sm.v7(head()))


def test_mask_of_a_volume_a_picture_and_a_folder(skullmask, folder):
    affine = np.diag([2.0, 1.0, 3.0, 1.0])
    nib.save(nib.Nifti1Image(stack().T.astype(np.int16), affine), "a.nii.gz")
    (folder / "in").mkdir()
    for name in ("x.png", "y.png"):
        Image.fromarray(head().astype(np.uint8)).save(folder / "in" / name)
    for source, output, count, names in (
        ("a.nii.gz", "b.nii.gz", 3, ["a.nii.gz[0] … a.nii.gz[2]"]),
        ("in/x.png", "b.png", 1, ["x.png[0]"]),
        ("in", "out", 2, ["x.png", "y.png"]),
    ):
        code, out, err = skullmask("mask", source, "-o", output, "--version", "v7")
        assert (code, err) == (0, doubted(*names))
        assert summary_of(out) == (count, "v7", output, {"to look at": count})
    assert nib.load("b.nii.gz").shape == (40, 48, 3)
    same(np.array(Image.open("b.png")), 255 * sm.v7(head().astype(np.uint8)))
    assert sorted(os.listdir("out")) == ["x.png", "y.png"]


def test_mask_of_one_channel(skullmask):
    np.save("a.npy", np.stack([stack() * 0, stack(), stack() * 0], axis=-1))
    remarks = doubted("a.npy[0] … a.npy[2]")
    code, _, err = skullmask("mask", "a.npy", "-o", "b.npy", "--channel", "1", "--version", "v7")
    assert (code, err) == (0, remarks)
    same(np.load("b.npy"), [sm.v7(image) for image in stack()])


def test_mask_with_truth_prints_scores(skullmask):
    truth = np.stack([sm.v7(image) for image in stack()])
    truth[1] = 0
    np.save("a.npy", stack())
    np.save("t.npy", truth * 255)
    code, out, err = skullmask(
        "mask", "a.npy", "-o", "b.npy", "--truth", "t.npy", "--version", "v7"
    )
    assert (code, err) == (0, doubted("a.npy[0] … a.npy[2]"))
    rows = scores_in(out)
    assert list(rows) == ["a.npy[0]", "a.npy[1]", "a.npy[2]", "mean"]
    assert list(rows["mean"]) == ["iou", "dice", "area_error", "hausdorff_px", "hd95_px", "assd_px"]
    for name in ("a.npy[0]", "a.npy[2]", "mean"):
        assert rows[name]["iou"] == 1
    assert np.isnan([*rows["a.npy[1]"].values()]).all()
    assert "1 of 3 slices" in out


def test_distances_are_in_millimetres_where_the_spacing_is_known(skullmask, folder):
    data = sm.load("phantom")
    for options, spacing_mm in (
        ([], data.spacing_mm[1]),
        (["--spacing", "0.5", "0.4"], (0.5, 0.4)),
    ):
        masks = {"v8": sm.v8(data.images[1], spacing_mm=spacing_mm), "v7": sm.v7(data.images[1])}
        for version, mask in masks.items():
            code, out, err = skullmask(
                "mask", "phantom", "-o", folder / "b.npy", "--version", version, *options
            )
            assert code == 0
            if version == "v8":
                assert err == []
            scores = sm.score(mask, data.truth[1], spacing_mm)
            assert scores_in(out)["phantom[1]"] == rounded(scores)


@pytest.mark.parametrize("version", ["v7", "v8"])
def test_two_heads_are_said_once_for_each_slice(skullmask, version):
    both = np.concatenate([ring_heads(), ring_heads()], axis=2)
    np.save("two.npy", both)
    code, _, err = skullmask("mask", "two.npy", "-o", "b.npy", "--version", version)
    assert code == 0
    [line] = [line for line in err if "more than one head" in line]
    assert line.startswith("skullmask: warning: two.npy[0] … two.npy[2]: ")


@pytest.mark.parametrize("spacing", ["0,42 0,42", "1,68 1,68", "=0,42 0,42", "0,9375 1"])
def test_a_decimal_comma_is_not_two_numbers(skullmask, spacing):
    np.save("a.npy", head())
    words = f"--spacing {spacing}".replace(" =", "=").split()
    code, out, err = skullmask("mask", "a.npy", "-o", "m.npy", *words)
    assert (code, out, len(err)) == (2, "", 1)
    assert "--spacing" in err[0]
    assert "point" in err[0]
    assert not Path("m.npy").exists()


@pytest.mark.full
@pytest.mark.skipif(os.name != "posix", reason="needs a shell that can close an output")
@pytest.mark.usefixtures("folder")
def test_an_output_that_is_closed_stops_nothing():
    np.save("a.npy", head())
    command = f"'{sys.executable}' -m skullmask_lib.cli mask a.npy -o b.npy --version v1"
    outputs = [">&-"]
    if NUMPY >= (2, 4):  # before, numpy itself may fail as it is imported without stderr
        outputs += ["2>&-", ">&- 2>&-"]
    for closed in outputs:
        run = subprocess.run(
            ["sh", "-c", f"{command} {closed}"], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        assert "Traceback" not in run.stderr
        same(np.load("b.npy"), sm.v1(head()))


def test_a_flat_slice_is_a_warning_that_names_it(skullmask):
    for version, images, counts in (("v7", stack(), {"to look at": 2}), ("v8", ring_heads(), {})):
        images[1] = 7
        np.save("a.npy", images)
        code, out, err = skullmask("mask", "a.npy", "-o", "b.npy", "--version", version)
        assert (code, summary_of(out)) == (0, (3, version, "b.npy", counts | {"empty": 1}))
        [other] = set(err) - set(doubted("a.npy[0]", "a.npy[2]"))
        assert other.startswith("skullmask: warning: a.npy[1]: ")
        assert np.load("b.npy").any(axis=(1, 2)).tolist() == [True, False, True]


def test_a_slice_whose_mask_should_be_looked_at_is_named(skullmask):
    images = np.concatenate([ring_heads(), ring_heads()])
    images[[1, 3, 4, 5]] = ring_heads()[[0]] > 0.05  # a disc without a skull
    np.savez("a.npz", images=images, spacing_mm=np.ones((6, 2)))
    for options in ([], ["--spacing", "1", "1"]):
        remarks = doubted("a.npz[1]", "a.npz[3] … a.npz[5]")
        code, out, err = skullmask("mask", "a.npz", "-o", "b.npy", *options)
        assert (code, summary_of(out)[3], err) == (0, {"to look at": 4}, remarks)
    _, _, err = skullmask("mask", "a.npz", "-o", "b.npy", "--version", "v2")
    assert err == doubted("a.npz[0] … a.npz[5]")  # its skull masks reach up to the skin


def test_the_slices_of_a_volume_know_their_neighbours(skullmask):
    images = np.stack([ring_head()[0]] * 3).astype(np.float32)
    images[1] = ndimage.gaussian_filter(images[1], 5)
    nib.save(nib.Nifti1Image(images.T[:, ::-1], np.diag([1.0, 1.0, 3.0, 1.0])), "a.nii.gz")
    _, _, err = skullmask("mask", "a.nii.gz", "-o", "b.nii.gz")
    assert err == doubted("a.nii.gz[1]")
    options = {"names": "abc", "spacing_mm": [(1, 1)] * 3}
    masks = nib.load("b.nii.gz").get_fdata()[:, ::-1].T
    same(masks, list(sm.mask_slices(images, volume=True, **options)))
    assert (masks[1] != list(sm.mask_slices(images, **options))[1]).any()


@pytest.mark.parametrize("options", [["--version", "v8"], []])
def test_some_slices_of_a_volume_are_masked(skullmask, options):
    images = np.stack([ring_head(axes_mm=(90 - 2 * n, 75))[0] for n in range(5)]).astype(np.float32)
    nib.save(nib.Nifti1Image(images.T[:, ::-1], np.diag([1.0, 1.0, 3.0, 1.0])), "a.nii.gz")
    code, out, err = skullmask("mask", "a.nii.gz", "-o", "b.npy", "--slices", "1:3:2", *options)
    assert (code, summary_of(out)[:3], err) == (0, (2, "v8", "b.npy"), [])
    same(np.load("b.npy"), [sm.v8(images[n], spacing_mm=(1, 1)) for n in (1, 3)])
    for output in ("b.nii.gz", "b.png", "b"):
        code, _, [line] = skullmask("mask", "a.nii.gz", "-o", output, "--slices", "1")
        assert code == 2
        assert line.startswith(f"skullmask: {output}: ")
        assert ".npy" in line
    for wrong in ("x", "3:1", "9"):
        code, _, [line] = skullmask("mask", "a.nii.gz", "-o", "c.npy", "--slices", wrong)
        assert code == 2
    assert sorted(os.listdir()) == ["a.nii.gz", "b.npy"]


@pytest.mark.parametrize("axis", [0, 1])
def test_a_volume_is_masked_across_any_axis(skullmask, axis):
    volume = np.random.default_rng(0).random((30, 32, 34)).astype(np.float32)
    nib.save(nib.Nifti1Image(volume, np.diag([1.0, 2.0, 3.0, 1.0])), "a.nii.gz")
    options = ("--axis", axis, "--version", "v2")
    for output in ("b.nii.gz", "b.npy"):
        assert skullmask("mask", "a.nii.gz", "-o", output, *options)[0] == 0
    expected = [sm.v2(image) for image in sm.load("a.nii.gz", axis=axis).images]
    same(np.load("b.npy"), expected)
    written = sm.load("b.nii.gz", axis=axis)
    same(written.images, expected)
    assert nib.load("b.nii.gz").shape == volume.shape
    same(nib.load("b.nii.gz").affine, nib.load("a.nii.gz").affine)


@pytest.mark.parametrize(
    "option",
    [
        ("--spacing", "4,5"),
        ("--spacing", "4 5"),
        ("--spacing=4,5",),
        ("--spacing", "4", "5"),
        ("--spacing", "4, 5"),
    ],
)
def test_a_spacing_comes_in_one_word_or_two(skullmask, option):
    np.save("a.npy", stack())
    code, _, _ = skullmask("mask", "a.npy", "-o", "b.npy", *option, "--version", "v8")
    assert code == 0
    same(np.load("b.npy"), [sm.v8(image, spacing_mm=(4, 5)) for image in stack()])


@pytest.mark.parametrize("spacing", ["4", "", "4,5,6", "4,wide", "--version", "wide"])
def test_a_spacing_that_cannot_be_read_is_told_with_an_example(skullmask, spacing):
    np.save("a.npy", stack())
    code, out, [line] = skullmask("mask", "a.npy", "-o", "b.npy", "--spacing", spacing)
    assert (code, out) == (2, "")
    assert "'--spacing'" in line
    assert "0.42 0.42" in line


def test_what_follows_two_dashes_is_no_option(skullmask):
    code, _, [line] = skullmask("score", "--", "--spacing", "t.npy")
    assert code == 2
    assert line.startswith("skullmask: --spacing: ")


# --- remarks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["a[3]"], "a[3]"),
        (["a[0]", "a[1]"], "a[0] … a[1]"),
        ([f"a[{k}]" for k in range(8, 12)], "a[8] … a[11]"),
        (["a[0]", "a[1]", "a[2]", "a[5]", "a[7]", "a[8]"], "a[0] … a[2], a[5], a[7] … a[8]"),
        (["a[2]", "a[1]", "a[0]"], "a[2], a[1], a[0]"),
        (["a[1]", "b[2]", "b[3]"], "a[1], b[2] … b[3]"),
        (["a[1]", "a[1]"], "a[1]"),
        (["x.png", "y.png", "2", "3"], "x.png, y.png, 2, 3"),
        (["a[x]", "a[]", "a[²]"], "a[x], a[], a[²]"),
        (["a[0][1]", "a[0][2]"], "a[0][1] … a[0][2]"),
        ([f"slice_{k}.png" for k in range(1, 13)], "slice_1.png … slice_12.png"),
        (["s_008.tif", "s_009.tif", "s_010.tif", "s_12.tif"], "s_008.tif … s_010.tif, s_12.tif"),
        (["p1_s3.png", "p1_s4.png", "p2_s4.png"], "p1_s3.png … p1_s4.png, p2_s4.png"),
    ],
)
def test_runs_of_slices_are_named_by_their_ends(names, shown):
    remarks = [InputWarning("too dark: by far", where=name) for name in names]
    assert texts.grouped(remarks) == [f"{shown}: too dark: by far"]


def test_every_text_is_said_once_and_in_order():
    remarks = [
        InputWarning("dark", where="a[0]"),
        InputWarning("empty", where="a[0]"),
        InputWarning("dark", where="a[1]"),
        UserWarning("all went wrong"),
        InputWarning("empty", where="a[2]"),
    ]
    assert texts.grouped(remarks) == ["a[0] … a[1]: dark", "a[0], a[2]: empty", "all went wrong"]
    assert texts.grouped([]) == []


def test_a_text_with_and_without_a_place_is_said_with_its_places():
    for remarks in (
        [UserWarning("dark"), InputWarning("dark", where="a")],
        [InputWarning("dark", where="a"), InputWarning("dark")],
    ):
        assert texts.grouped(remarks) == ["a: dark"]


def test_an_error_after_a_warning_is_one_line(skullmask, folder):
    images = np.zeros((2, 30, 30), np.float32)
    images[1, 3, 3] = np.nan
    np.save("a.npy", images)
    code, _, err = skullmask("mask", "a.npy", "-o", "m.npy")
    assert (code, len(err)) == (2, 1)
    assert "a.npy[1]" in err[0]
    assert [path.name for path in folder.iterdir()] == ["a.npy"]


def test_ctrl_c_says_so_and_leaves_nothing(folder):
    flat = np.zeros((3000, 128, 128), np.float32)  # its warnings must not be said
    np.save("a.npy", flat)
    restore = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code = restore + "from skullmask_lib.cli.main import main; main()"
    command = [sys.executable, "-c", code, "mask", "a.npy", "-o", "m.npy"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as run:
        while not list(folder.glob(".m.npy-*/m.npy")):
            assert run.poll() is None
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
    assert (run.returncode, err.splitlines()) == (130, ["skullmask: interrupted"])
    assert [path.name for path in folder.iterdir()] == ["a.npy"]


def test_what_is_no_file_is_not_replaced(skullmask):
    np.save("a.npy", np.eye(9))
    os.mkfifo("pipe.npy")
    code, _, [line] = skullmask("mask", "a.npy", "-o", "pipe.npy", "--dilation-size", "1")
    assert code == 2
    assert line.startswith("skullmask: pipe.npy: ")
    assert Path("pipe.npy").is_fifo()


def test_a_link_is_written_through_and_stays(skullmask, folder):
    np.save("a.npy", head())
    (folder / "data").mkdir()
    (folder / "data" / "old.npy").write_bytes(b"old")
    for link, target in (("m.npy", "data/old.npy"), ("n.npy", "data/new.npy")):
        (folder / link).symlink_to(target)
        assert skullmask("mask", "a.npy", "-o", link, "--version", "v7")[0] == 0
        assert (folder / link).readlink() == Path(target)
        same(np.load(target), sm.v7(head()))
    assert sorted(os.listdir("data")) == ["new.npy", "old.npy"]
    (folder / "loop.npy").symlink_to("loop.npy")
    (folder / "input.npy").symlink_to("a.npy")
    (folder / "lost.npy").symlink_to("gone/x.npy")
    before = contents_of(folder)
    for output in ("loop.npy", "input.npy", "lost.npy"):
        code, _, [line] = skullmask("mask", "a.npy", "-o", output, "--version", "v7")
        assert code == 2
        assert line.startswith(f"skullmask: {output}: ")
    assert contents_of(folder) == before


def test_output_onto_a_full_disk_is_one_line(tmp_path):
    if not Path("/dev/full").exists():
        pytest.fail("no /dev/full on this system")
    with open("/dev/full", "w") as full:
        command = [*SKULLMASK, "data", "list"]
        run = subprocess.run(
            command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    [line] = run.stderr.splitlines()
    assert run.returncode == 2
    assert line.startswith("skullmask: ")
    assert "output" in line
    assert "No space left on device" in line


@pytest.mark.parametrize(
    ("error", "values"),
    [
        (OSError(5, "Input/output error", "a.npy"), ["a.npy: ", "Input/output error"]),
        (
            OSError(18, "Invalid cross-device link", "a.npy", None, "b.npy"),
            ["a.npy: ", "b.npy: ", "Invalid cross-device link"],
        ),
        (PermissionError(13, "Permission denied", b"a\xff.npy"), ["a\\xff.npy: ", "Permission"]),
        (OSError("broken data stream"), ["broken data stream"]),
        (OSError(5, "Input/output error"), ["Input/output error"]),
        (MemoryError("Unable to allocate 8 TiB"), ["memory", "Unable to allocate 8 TiB"]),
        (MemoryError(), ["memory", "slices"]),
    ],
)
def test_an_error_of_the_system_is_one_line_that_names_the_file(
    skullmask, monkeypatch, error, values
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(datasets, "load", fail)
    code, out, [line] = skullmask("mask", "a.npy", "-o", "m.npy")
    assert (code, out) == (2, "")
    assert line.startswith("skullmask: ")
    if ".npy" in values[0]:
        assert line.startswith(f"skullmask: {values[0]}")
    for value in values:
        assert value in line


def test_no_name_can_give_orders_to_the_terminal(skullmask):
    evil = "a\x1b]0;owned\x07\x1b[2J.npz"
    np.savez(
        evil,
        images=stack(),
        truth=np.stack([sm.v7(image) for image in stack()]),
        names=["\x1b[31m", "b\nc", "=1"],
    )
    for arguments in (
        ("mask", evil, "-o", "m.npy", "--version", "v7"),
        ("score", "m.npy", evil),
        ("sweep", evil, "--sizes", "26"),
        ("mask", f"gone{evil}", "-o", "m.npy"),
        ("mask", evil, "-o", "\x1b[2Jm.npy"),
    ):
        code, out, err = skullmask(*arguments)
        assert code in (0, 2)
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out + "\n".join(err))


# --- completion ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("skullmask sc", {"score"}),
        ("skullmask mask --sp", {"--spacing"}),
        ("skullmask brain-mask --th", {"--threshold"}),
        ("skullmask data v", {"verify"}),
        ("skullmask data fetch --a", {"--all"}),
    ],
)
def test_a_shell_completes(words, completions):
    environment = {
        "_SKULLMASK_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    command = [Path(sys.executable).with_name("skullmask")]
    run = subprocess.run(
        command,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert set(run.stdout.split()) == completions


def test_the_script_for_completion_can_be_shown():
    """Of the shell that calls; others than bash, zsh and fish have none."""
    command = Path(sys.executable).with_name("skullmask")
    script = f"'{command}' --show-completion; exit $?"
    run = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "_SKULLMASK_COMPLETE" in run.stdout


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_a_file_that_cannot_grow_is_one_line(folder):
    """As on a full disk; the system then ends no write with a signal, because Python ignores it."""
    np.save("a.npy", np.eye(9))
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
        "from skullmask_lib.cli.main import main; main()"
    )
    words = ["mask", "a.npy", "-o", "m.npy", "--dilation-size", "1"]
    command = [sys.executable, "-B", "-c", code, *words]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    [line] = run.stderr.splitlines()
    assert (run.returncode, run.stdout) == (2, "")
    assert line.startswith("skullmask: m.npy: ")
    assert os.listdir(folder) == ["a.npy"]


# --- end to end, in a process of its own ---------------------------------------------------------


def test_a_process_makes_masks(tmp_path):
    images = ring_heads()
    images[1] = 0
    np.save(tmp_path / "a.npy", images)
    code, out, err = process("mask", "a.npy", "-o", "b.npy", cwd=tmp_path)
    assert (code, summary_of(out)) == (0, (3, "v8", "b.npy", {"empty": 1}))
    [line] = err
    assert line.startswith("skullmask: warning: a.npy[1]: ")
    same(np.load(tmp_path / "b.npy")[0], sm.v8(images[0]))


def test_the_installed_command_shows_help(tmp_path):
    command = Path(sys.executable).with_name("skullmask")
    assert command.exists(), "install the project: pip install -e ."
    run = subprocess.run(
        [command], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert "Usage: skullmask" in run.stdout


def test_a_reader_that_went_away_is_no_error_to_talk_about():
    reading, writing = os.pipe()
    os.close(reading)
    command = [*SKULLMASK, "--help"]
    run = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=300, check=False
    )
    os.close(writing)
    assert (run.returncode, run.stderr) == (1, "")


# --- addresses of files --------------------------------------------------------------------------

NO_PATHS = {  # parameters that name no file
    *("version", "backend", "scheduler", "table", "slices", "sizes"),
    *("parameter", "grid", "names"),
}


def parameters():
    """Give the options of every parameter of every command that takes text or a path."""
    loaded = {name: LIST[name].load() for name in COMMANDS if name not in GROUPS}
    for name, command in (loaded | IN_GROUPS).items():
        signature = inspect.signature(command.callback, eval_str=True)
        for parameter in signature.parameters.values():
            kind, options = typing.get_args(parameter.annotation)
            kinds = {kind, *typing.get_args(kind)}  # of an optional one or a list, those within
            if not kinds.isdisjoint({str, Path, list[str]}):
                yield pytest.param(parameter.name, kind, options, id=f"{name} {parameter.name}")


@pytest.mark.parametrize(("name", "kind", "options"), list(parameters()))
def test_every_path_may_be_an_address(name, kind, options):
    if name in NO_PATHS:
        assert kind not in (Path, Path | None)
        assert options.parser is None
        return
    path = options.parser("file:///two%20heads.npy")
    assert Path(path) == Path("/two heads.npy")
    assert isinstance(path, kind if kind != list[Path] else Path)  # the parser has one at a time
    with pytest.raises(typer.BadParameter, match="server"):
        options.parser("file://server/m.npy")


def test_addresses_go_in_and_out(skullmask, folder):
    image, truth = ring_head((110, 95), (2, 2))
    np.save("a b.npy", image)
    np.save("t.npy", truth)
    address = f"file://{folder.as_posix()}"
    outputs = ("-o", f"{address}/s.csv", "--plot", f"{address}/p.png")
    sweep = ("sweep", f"{address}/a%20b.npy", f"{address}/t.npy", "--sizes", "5", *outputs)
    assert skullmask(*sweep)[0] == 0
    assert skullmask("mask", f"{address}/a%20b.npy", "-o", f"{address}/m.npy")[0] == 0
    assert {"s.csv", "p.png", "m.npy"} <= {*os.listdir(folder)}
    code, _, err = skullmask("mask", "a b.npy", "-o", "file://server/n.npy")
    assert (code, len(err)) == (2, 1)
    assert "server" in err[0]
