"""The command line: what it writes and prints, and that every mistake ends in one line."""

import importlib
import inspect
import json
import os
import pickle
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
from commands import SKULLMASK
from inputs import doubted, head, ring_head
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
IN_GROUPS = {
    f"{group} {name}": command
    for group, app in GROUPS.items()
    for name, command in typer.main.get_command(app).commands.items()
}
NUMPY = tuple(int(part) for part in np.__version__.split(".")[:2])
READ_ONLY = next((folder for folder in ("/proc/self", "/sys") if os.path.isdir(folder)), None)


def process(*arguments, cwd):
    command = [*SKULLMASK, *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


def everything(folder):
    return {
        path: path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))
    }


def stack():
    return np.stack([head(), head(at=(2, 1)), head(at=(-1, 2))])


def heads():
    return np.stack([ring_head(at_mm=at)[0] for at in ((0, 0), (3, 2), (-2, 4))])


def rows_of(table):
    lines = [line.strip("| ").split("|") for line in table.splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip().replace("–", "nan") for cell in line] for line in lines]
    return {row[0]: dict(zip(header[1:], map(float, row[1:]), strict=True)) for row in rows}


def said(out):
    """Read the line that says what was made: how many masks, by which version, where, and the counts behind it."""
    first = out.splitlines()[0]
    count, version, path, remarks = re.fullmatch(
        r"(\d+) masks? by (\w+) → ([^;]+)(?:; (.+))?", first
    ).groups()
    counts = dict(part.split(" ", 1)[::-1] for part in remarks.split(", ")) if remarks else {}
    return int(count), version, path, {what: int(number) for what, number in counts.items()}


def shown(scores):
    """Round as a table does: lengths to two digits, all else to four."""
    return {
        key: round(value, 2 if key.endswith(("_mm", "_px")) else 4) for key, value in scores.items()
    }


# --- help ------------------------------------------------------------------------------------------------------


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
    assert all(f"\n  {command.split()[-1]} " in out for command in commands)


@pytest.mark.parametrize("command", [*COMMANDS, *IN_GROUPS])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_has_help_with_an_example(skullmask, command, flag):
    code, out, err = skullmask(*command.split(), flag)
    assert (code, err) == (0, [])
    assert "Usage: " in out
    assert re.search(rf"^ +skullmask {command}\b", out.partition("Example")[2], re.MULTILINE)


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


# --- masks -----------------------------------------------------------------------------------------------------


def test_mask_is_v8_of_every_slice(skullmask, folder):
    np.save("a.npy", heads())
    code, out, err = skullmask("mask", "a.npy", "-o", "b.npy")
    assert (code, said(out), err) == (0, (3, "v8", "b.npy", {}), [])
    same(np.load("b.npy"), [sm.v8(image) for image in heads()])
    assert sorted(os.listdir(folder)) == ["a.npy", "b.npy"]


@pytest.mark.parametrize(
    ("options", "version", "wanted"),
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
def test_mask_takes_version_and_width(skullmask, folder, options, version, wanted):
    images = heads() if version == "v8" else stack()
    np.save(folder / "a.npy", images)
    code, out, err = skullmask("mask", "a.npy", "--output", "b.npy", *options)
    warned, counts = doubted("a.npy[0] … a.npy[2]"), {"to look at": 3}
    if version == "v8":  # its masks of these heads are trusted
        warned, counts = [], {}
    assert (code, err) == (0, warned)
    assert said(out) == (3, version, "b.npy", counts)
    same(np.load("b.npy"), [sm.VERSIONS[version](image, **wanted) for image in images])


def test_mask_replaces_what_was_there(skullmask, folder):
    np.save("a.npy", head())
    (folder / "b.npy").write_bytes(b"old")
    assert skullmask("mask", "a.npy", "-o", "b.npy", "--version", "v7")[0] == 0
    same(np.load("b.npy"), sm.v7(head()))


def test_mask_of_a_volume_a_picture_and_a_folder(skullmask, folder):
    nib.save(nib.Nifti1Image(stack().T.astype(np.int16), np.diag([2.0, 1.0, 3.0, 1.0])), "a.nii.gz")
    (folder / "in").mkdir()
    for name in ("x.png", "y.png"):
        Image.fromarray(head().astype(np.uint8)).save(folder / "in" / name)
    runs = {
        ("a.nii.gz", "b.nii.gz"): (3, ["a.nii.gz[0] … a.nii.gz[2]"]),
        ("in/x.png", "b.png"): (1, ["x.png[0]"]),
        ("in", "out"): (2, ["x.png", "y.png"]),
    }
    for (source, output), (count, names) in runs.items():
        code, out, err = skullmask("mask", source, "-o", output, "--version", "v7")
        assert (code, err) == (0, doubted(*names))
        assert said(out) == (count, "v7", output, {"to look at": count})
    assert nib.load("b.nii.gz").shape == (40, 48, 3)
    same(np.array(Image.open("b.png")), 255 * sm.v7(head().astype(np.uint8)))
    assert sorted(os.listdir("out")) == ["x.png", "y.png"]


def test_mask_of_one_channel(skullmask):
    np.save("a.npy", np.stack([stack() * 0, stack(), stack() * 0], axis=-1))
    told = doubted("a.npy[0] … a.npy[2]")
    code, _, err = skullmask("mask", "a.npy", "-o", "b.npy", "--channel", "1", "--version", "v7")
    assert (code, err) == (0, told)
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
    rows = rows_of(out)
    assert list(rows) == ["a.npy[0]", "a.npy[1]", "a.npy[2]", "mean"]
    assert list(rows["mean"]) == ["iou", "dice", "area_error", "hausdorff_px", "hd95_px", "assd_px"]
    known = [rows[name]["iou"] for name in ("a.npy[0]", "a.npy[2]", "mean")]
    assert known == [1, 1, 1]
    assert np.isnan(list(rows["a.npy[1]"].values())).all()
    assert "1 of 3 slices" in out


def test_distances_are_in_millimetres_where_the_spacing_is_known(skullmask, folder):
    data = sm.load("phantom")
    for options, spacing_mm in (
        ([], data.spacing_mm[1]),
        (["--spacing", "0.5", "0.4"], (0.5, 0.4)),
    ):
        made = {"v8": sm.v8(data.images[1], spacing_mm=spacing_mm), "v7": sm.v7(data.images[1])}
        for version, mask in made.items():
            code, out, err = skullmask(
                "mask", "phantom", "-o", folder / "b.npy", "--version", version, *options
            )
            assert code == 0
            assert version == "v7" or err == []
            assert rows_of(out)["phantom[1]"] == shown(sm.score(mask, data.truth[1], spacing_mm))


@pytest.mark.parametrize("version", ["v7", "v8"])
def test_two_heads_are_said_once_for_each_slice(skullmask, version):
    both = np.concatenate([heads(), heads()], axis=2)
    np.save("two.npy", both)
    code, _, err = skullmask("mask", "two.npy", "-o", "b.npy", "--version", version)
    assert code == 0
    [line] = [line for line in err if "more than one head" in line]
    assert line.startswith("skullmask: warning: two.npy[0] … two.npy[2]: ")


def test_a_sweep_says_of_two_heads_what_a_mask_says(skullmask):
    both = np.concatenate([heads(), heads()], axis=2)
    np.save("two.npy", both)
    np.save("t.npy", (both > 0).astype(np.uint8))
    code, _, err = skullmask("sweep", "two.npy", "t.npy", "--sizes", "5:9:2")
    assert code == 0
    [line] = [line for line in err if "more than one head" in line]
    assert line.startswith("skullmask: warning: two.npy[0] … two.npy[2]: ")


@pytest.mark.parametrize("given", ["0,42 0,42", "1,68 1,68", "=0,42 0,42", "0,9375 1"])
def test_a_decimal_comma_is_not_two_numbers(skullmask, given):
    np.save("a.npy", head())
    words = f"--spacing {given}".replace(" =", "=").split()
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
        done = subprocess.run(
            ["sh", "-c", f"{command} {closed}"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        same(np.load("b.npy"), sm.v1(head()))


def test_a_flat_slice_is_a_warning_that_names_it(skullmask):
    for version, images, counts in (("v7", stack(), {"to look at": 2}), ("v8", heads(), {})):
        images[1] = 7
        np.save("a.npy", images)
        code, out, err = skullmask("mask", "a.npy", "-o", "b.npy", "--version", version)
        assert (code, said(out)) == (0, (3, version, "b.npy", counts | {"empty": 1}))
        [other] = set(err) - set(doubted("a.npy[0]", "a.npy[2]"))
        assert other.startswith("skullmask: warning: a.npy[1]: ")
        assert np.load("b.npy").any(axis=(1, 2)).tolist() == [True, False, True]


def test_a_slice_whose_mask_should_be_looked_at_is_named(skullmask):
    images = np.concatenate([heads(), heads()])
    images[[1, 3, 4, 5]] = heads()[[0]] > 0.05  # a disc without a skull
    np.savez("a.npz", images=images, spacing_mm=np.ones((6, 2)))
    for options in ([], ["--spacing", "1", "1"]):
        told = doubted("a.npz[1]", "a.npz[3] … a.npz[5]")
        code, out, err = skullmask("mask", "a.npz", "-o", "b.npy", *options)
        assert (code, said(out)[3], err) == (0, {"to look at": 4}, told)
    _, _, err = skullmask(
        "mask", "a.npz", "-o", "b.npy", "--version", "v2"
    )  # a skull mask up to the skin
    assert err == doubted("a.npz[0] … a.npz[5]")


def test_the_slices_of_a_volume_know_their_neighbours(skullmask):
    images = np.stack([ring_head()[0]] * 3).astype(np.float32)
    images[1] = ndimage.gaussian_filter(images[1], 5)
    nib.save(nib.Nifti1Image(images.T[:, ::-1], np.diag([1.0, 1.0, 3.0, 1.0])), "a.nii.gz")
    _, _, err = skullmask("mask", "a.nii.gz", "-o", "b.nii.gz")
    assert err == doubted("a.nii.gz[1]")
    options = {"names": "abc", "spacing_mm": [(1, 1)] * 3}
    made = nib.load("b.nii.gz").get_fdata()[:, ::-1].T
    same(made, list(sm.mask_slices(images, volume=True, **options)))
    assert (made[1] != list(sm.mask_slices(images, **options))[1]).any()


@pytest.mark.parametrize("options", [["--version", "v8"], []])
def test_some_slices_of_a_volume_are_masked(skullmask, options):
    images = np.stack([ring_head(axes_mm=(90 - 2 * n, 75))[0] for n in range(5)]).astype(np.float32)
    nib.save(nib.Nifti1Image(images.T[:, ::-1], np.diag([1.0, 1.0, 3.0, 1.0])), "a.nii.gz")
    code, out, err = skullmask("mask", "a.nii.gz", "-o", "b.npy", "--slices", "1:3:2", *options)
    assert (code, said(out)[:3], err) == (0, (2, "v8", "b.npy"), [])
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
    for output in ("b.nii.gz", "b.npy"):
        assert (
            skullmask("mask", "a.nii.gz", "-o", output, "--axis", axis, "--version", "v2")[0] == 0
        )
    wanted = [sm.v2(image) for image in sm.load("a.nii.gz", axis=axis).images]
    same(np.load("b.npy"), wanted)
    written = sm.load("b.nii.gz", axis=axis)
    same(written.images, wanted)
    assert nib.load("b.nii.gz").shape == volume.shape
    same(nib.load("b.nii.gz").affine, nib.load("a.nii.gz").affine)


def test_a_volume_is_scored_and_swept_across_any_axis_and_in_part(skullmask):
    rng = np.random.default_rng(0)
    pred, truth = (rng.integers(0, 2, (12, 11, 10), np.uint8) for _ in range(2))
    affine = np.diag([1.0, 2.0, 3.0, 1.0])
    for name, volume in (("p", pred), ("t", truth)):
        nib.save(nib.Nifti1Image(volume, affine), f"{name}.nii.gz")
    for axis, spacing_mm in enumerate([(3, 2), (3, 1), (2, 1)]):
        code, out, _ = skullmask(
            "score", "p.nii.gz", "t.nii.gz", "--axis", axis, "--slices", "2:6:2", "--json"
        )
        assert code == 0
        rows = json.loads(out)["slices"]
        assert [row["name"] for row in rows] == [f"p.nii.gz[{n}]" for n in (2, 4, 6)]
        loaded = sm.load("p.nii.gz", truth="t.nii.gz", axis=axis)
        wanted = sm.score(loaded.images[4], loaded.truth[4], spacing_mm)
        assert {key: rows[1][key] for key in wanted} == wanted
    some_slices = ("--axis", 1, "--slices", "0:3")
    code, _, _ = skullmask(
        "sweep", "p.nii.gz", "t.nii.gz", *some_slices, "--sizes", "1", "-o", "s.csv"
    )
    assert code == 0
    assert len(Path("s.csv").read_text().splitlines()) == 1 + 4
    assert skullmask("score", "p.nii.gz", "t.nii.gz", "--axis", "3")[0] == 2


@pytest.mark.parametrize(
    "given",
    [
        ("--spacing", "4,5"),
        ("--spacing", "4 5"),
        ("--spacing=4,5",),
        ("--spacing", "4", "5"),
        ("--spacing", "4, 5"),
    ],
)
def test_a_spacing_comes_in_one_word_or_two(skullmask, given):
    np.save("a.npy", stack())
    code, _, _ = skullmask("mask", "a.npy", "-o", "b.npy", *given, "--version", "v8")
    assert code == 0
    same(np.load("b.npy"), [sm.v8(image, spacing_mm=(4, 5)) for image in stack()])


@pytest.mark.parametrize("given", ["4", "", "4,5,6", "4,wide", "--version", "wide"])
def test_a_spacing_that_cannot_be_read_is_told_with_an_example(skullmask, given):
    np.save("a.npy", stack())
    code, out, [line] = skullmask("mask", "a.npy", "-o", "b.npy", "--spacing", given)
    assert (code, out) == (2, "")
    assert "'--spacing'" in line
    assert "0.42 0.42" in line


def test_what_follows_two_dashes_is_no_option(skullmask):
    code, _, [line] = skullmask("score", "--", "--spacing", "t.npy")
    assert (code, line.split(": ")[1]) == (2, "--spacing")


# --- remarks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "told"),
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
def test_runs_of_slices_are_named_by_their_ends(names, told):
    remarks = [InputWarning("too dark: by far", where=name) for name in names]
    assert texts.grouped(remarks) == [f"{told}: too dark: by far"]


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


# --- scores ----------------------------------------------------------------------------------------------------


def test_score_says_what_the_library_says(skullmask):
    pred = np.stack([sm.v7(image) for image in stack()])
    truth = np.stack([sm.v5(image) for image in stack()])
    np.save("p.npy", pred * 255)
    np.save("t.npy", truth)
    code, out, err = skullmask("score", "p.npy", "t.npy")
    assert (code, err) == (0, [])
    rows = rows_of(out)
    for index in range(3):
        assert rows[f"p.npy[{index}]"] == shown(sm.score(pred[index], truth[index]))
    code, out, err = skullmask("score", "p.npy", "t.npy", "--json")
    assert (code, err) == (0, [])
    told = json.loads(out)
    assert told["slices"][2] == {"name": "p.npy[2]"} | sm.score(pred[2], truth[2])
    assert told["mean"]["dice"] == pytest.approx(
        np.mean([sm.dice(p, t) for p, t in zip(pred, truth, strict=True)])
    )


def test_json_is_strict_where_distances_are_infinite(skullmask):
    np.save("p.npy", np.zeros((1, 9, 9), np.uint8))
    np.save("t.npy", np.eye(9, dtype=np.uint8)[None])
    for pred, truth in (("p.npy", "t.npy"), ("t.npy", "p.npy"), ("p.npy", "p.npy")):
        code, out, err = skullmask("score", pred, truth, "--json")
        assert (code, err) == (0, [])
        told = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert told["mean"]["hausdorff_px"] == (0 if pred == truth else None)
        assert told["mean"]["iou"] == (pred == truth)


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
    code, out, _ = skullmask("mask", "a.npy", "-o", "m.npy", "--truth", "t.npy", "--version", "v7")
    assert code == 0
    for told in (out, skullmask("score", "m.npy", "t.npy")[1]):
        rows = rows_of(told)
        assert rows["mean"]["iou"] == 1
        assert np.isnan([*rows["a.npy[1]" if "a.npy[1]" in rows else "m.npy[1]"].values()]).all()
        assert "2 of 4 slices" in told
    code, out, _ = skullmask("score", "m.npy", "t.npy", "--json")
    told = json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert told["left_out"] == 2
    assert told["mean"]["iou"] == 1
    assert [row["iou"] for row in told["slices"]] == [1, None, 1, None]
    code, out, _ = skullmask("sweep", "a.npy", "t.npy", "--sizes", "26", "-o", "s.csv")
    assert "best width 26 px: IoU 1.0000" in out
    assert "leave one out: widths 26, 26 px" in out
    assert "2 of 4 slices" in out
    assert [line.split(",")[0] for line in Path("s.csv").read_text().splitlines()] == [
        "slice",
        "a.npy[0]",
        "a.npy[2]",
    ]


def test_a_truth_that_is_empty_everywhere_counts(skullmask):
    _, truth = partly_known()
    np.save("t.npy", 0 * truth)
    np.save("m.npy", truth)
    told = json.loads(skullmask("score", "m.npy", "t.npy", "--json")[1])
    assert [row["iou"] for row in told["slices"]] == [0, 1, 0, 1]
    assert (told["mean"]["iou"], told["left_out"]) == (0.5, 0)


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
    for name, volume in (
        ("ball", ball),
        ("traced", traced),
        ("image", 100 * ball.astype(np.int16)),
    ):
        nib.save(nib.Nifti1Image(volume, np.diag([5, 5, 5, 1])), f"{name}.nii.gz")


@pytest.mark.parametrize("axis", ["0", "1"])
@pytest.mark.parametrize("part", [[], ["--slices", "14:18"]])
def test_a_truth_known_at_some_levels_is_said_to_be_across_another_axis(skullmask, axis, part):
    save_ball()
    look = ["--axis", axis, *part]
    for command in (
        ["score", "ball.nii.gz", "traced.nii.gz"],
        ["mask", "image.nii.gz", "-o", "m.npy", "--truth", "traced.nii.gz", "--version", "v1"],
        ["sweep", "image.nii.gz", "traced.nii.gz", "--sizes", "1"],
    ):
        code, _, err = skullmask(*command, *look)
        said = [line for line in err if "traced.nii.gz" in line]
        assert code == 0
        assert len(said) == 1
        assert "axis 2" in said[0]


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
    told = json.loads(skullmask("score", "p.npz", "t.npy", "--json")[1])
    assert [row["name"] for row in told["slices"]] == ["a", "a", "b"]


def test_infinite_distances_are_left_out_of_the_mean_and_counted(skullmask):
    truth = np.tile(np.eye(9, dtype=np.uint8), (2, 1, 1))
    np.save("t.npy", truth)
    np.save("p.npy", truth * [[[1]], [[0]]])
    _, out, _ = skullmask("score", "p.npy", "t.npy")
    assert rows_of(out)["mean"]["hausdorff_px"] == 0
    assert "1 of 2 slices have one empty mask" in out


def test_an_error_after_a_warning_is_one_line(skullmask, folder):
    images = np.zeros((2, 30, 30), np.float32)
    images[1, 3, 3] = np.nan
    np.save("a.npy", images)
    code, _, err = skullmask("mask", "a.npy", "-o", "m.npy")
    assert (code, len(err)) == (2, 1)
    assert "a.npy[1]" in err[0]
    assert [path.name for path in folder.iterdir()] == ["a.npy"]


def test_a_sweep_warns_of_a_slice_without_a_brain(skullmask):
    np.save("a.npy", np.zeros((1, 9, 9), np.float32))
    np.save("t.npy", np.eye(9, dtype=np.uint8)[None])
    code, out, err = skullmask("sweep", "a.npy", "t.npy", "--sizes", "3")
    assert code == 0
    [line] = err
    assert line.startswith("skullmask: warning: a.npy[0]: ")
    assert "bootstrap" not in out


def test_ctrl_c_says_so_and_leaves_nothing(folder):
    np.save(
        "a.npy", np.zeros((3000, 128, 128), np.float32)
    )  # flat slices: warnings that must not be said
    restore = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code = restore + "from skullmask_lib.cli.main import main; main()"
    command = [sys.executable, "-c", code, "mask", "a.npy", "-o", "m.npy"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as running:
        while not list(folder.glob(".m.npy-*/m.npy")):
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert (running.returncode, err.splitlines()) == (130, ["skullmask: interrupted"])
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
    before = everything(folder)
    for output in ("loop.npy", "input.npy", "lost.npy"):
        code, _, [line] = skullmask("mask", "a.npy", "-o", output, "--version", "v7")
        assert code == 2
        assert line.startswith(f"skullmask: {output}: ")
    assert everything(folder) == before


def test_output_onto_a_full_disk_is_one_line(tmp_path):
    if not Path("/dev/full").exists():
        pytest.fail("no /dev/full on this system")
    with open("/dev/full", "w") as full:
        command = [*SKULLMASK, "data", "list"]
        done = subprocess.run(
            command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    [line] = done.stderr.splitlines()
    assert done.returncode == 2
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
    assert line.startswith(f"skullmask: {values[0]}" if "npy" in values[0] else "skullmask: ")
    assert all(value in line for value in values)


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


# --- completion --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("skullmask sc", {"score"}),
        ("skullmask mask --sp", {"--spacing"}),
        ("skullmask brain-mask --th", {"--threshold"}),
        ("skullmask data v", {"verify"}),
        ("skullmask data fetch --a", {"--all"}),
    ],
)
def test_a_shell_completes(words, wanted):
    asking = {
        "_SKULLMASK_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    command = [Path(sys.executable).with_name("skullmask")]
    done = subprocess.run(
        command, env=os.environ | asking, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == wanted


def test_the_script_for_completion_can_be_shown():
    """Of the shell that calls; others than bash, zsh and fish have none."""
    command = Path(sys.executable).with_name("skullmask")
    script = f"'{command}' --show-completion; exit $?"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "_SKULLMASK_COMPLETE" in done.stdout


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
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    [line] = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert line.startswith("skullmask: m.npy: ")
    assert os.listdir(folder) == ["a.npy"]


def test_score_of_a_volume_is_in_millimetres(skullmask):
    mask = np.zeros((9, 9, 2), np.uint8)
    mask[4, 4], moved = 1, np.roll(mask, 1, axis=0)
    mask[4, 4] = moved[5, 4] = 1
    affine = np.diag([2.0, 1.0, 3.0, 1.0])
    nib.save(nib.Nifti1Image(mask, affine), "a.nii")
    moved = np.zeros_like(mask)
    moved[5, 4] = 1
    nib.save(nib.Nifti1Image(moved, affine), "b.nii")
    rows = rows_of(skullmask("score", "a.nii", "b.nii")[1])
    assert rows["mean"]["hausdorff_mm"] == 2.0


# --- sweeps ----------------------------------------------------------------------------------------------------


def test_sweep_prints_writes_and_draws(skullmask, folder):
    truth = np.stack([sm.v7(image, dilation_size=14) for image in stack()])
    np.save("a.npy", stack())
    np.save("t.npy", truth)
    code, out, err = skullmask(
        "sweep", "a.npy", "t.npy", "--sizes", "10:16:2", "-o", "s.csv", "--plot", "s.png"
    )
    assert (code, err) == (0, [])
    assert list(rows_of(out)) == ["10", "12", "14", "16"]
    assert rows_of(out)["14"] == {"IoU": 1, "Dice": 1}
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
    assert rows_of(out)["26"]["IoU"] == pytest.approx(
        sm.ladder(data.images, data.truth)["v7"].mean(), abs=1e-4
    )


# --- bad files -------------------------------------------------------------------------------------------------


class Trap:
    def __reduce__(self):
        return os.mkdir, ("sprung",)


def save_pickle(path):
    with open(path, "wb") as file:
        pickle.dump(Trap(), file)


def cut(path, write, size):
    write(path)
    Path(path).write_bytes(Path(path).read_bytes()[:size])


def save_nifti(path, array=None):
    nib.save(
        nib.Nifti1Image(stack().T.astype(np.int16) if array is None else array, np.eye(4)), path
    )


def save_picture(path, mode="L"):
    Image.fromarray(head().astype(np.uint8)).convert(mode).save(path)


def save_colour(path, mode="RGB"):
    colours = head()[..., None] * np.array([1, 0.5, 0.2])
    Image.fromarray(colours.astype(np.uint8)).convert(mode).save(path)


def nothing(_path):
    pass


def empty(path):
    Path(path).touch()


BAD_FILES = {
    "missing.npy": (nothing, ()),
    "missing": (nothing, ()),
    "empty.npy": (empty, ("empty",)),
    "empty.npz": (empty, ("empty",)),
    "empty.nii.gz": (empty, ("empty",)),
    "empty.nii": (empty, ("empty",)),
    "empty.png": (empty, ("empty",)),
    "empty.tif": (empty, ("empty",)),
    "cut.npy": (lambda path: cut(path, lambda p: np.save(p, stack()), 5000), ()),
    "cut_header.npy": (
        lambda path: cut(path, lambda p: np.save(p, stack()), 40),
        (),
    ),
    "cut.npz": (
        lambda path: cut(path, lambda p: np.savez(p, images=stack()), 5000),
        (),
    ),
    "cut.nii.gz": (lambda path: cut(path, save_nifti, 600), ()),
    "cut.nii": (lambda path: cut(path, save_nifti, 5000), ()),
    "cut_header.nii": (lambda path: cut(path, save_nifti, 200), ()),
    "cut.png": (lambda path: cut(path, save_picture, 200), ()),
    "cut.tif": (lambda path: cut(path, save_picture, 200), ()),
    "pickle.npy": (save_pickle, ()),
    "pickle.npz": (save_pickle, ()),
    "object.npy": (
        lambda path: np.save(path, np.array([[Trap()]], object)),
        (),
    ),
    "object.npz": (
        lambda path: np.savez(path, images=np.array([[Trap()]], object)),
        (),
    ),
    "complex.npy": (
        lambda path: np.save(path, stack() * 1j),
        ("complex128",),
    ),
    "words.npy": (
        lambda path: np.save(path, np.array([["a", "b"]])),
        ("<U1",),
    ),
    "date.npy": (lambda path: np.save(path, np.zeros((3, 3), "M8[s]")), ()),
    "record.npy": (
        lambda path: np.save(path, np.zeros((3, 3), [("a", int)])),
        (),
    ),
    "no_images.npz": (
        lambda path: np.savez(path, labels=stack()),
        ("images", "labels"),
    ),
    "0d.npy": (lambda path: np.save(path, np.array(3.0)), ("()",)),
    "1d.npy": (lambda path: np.save(path, np.arange(9.0)), ("(9,)",)),
    "4d.npy": (lambda path: np.save(path, np.zeros((2, 3, 8, 9))), ("(2, 3, 8, 9)",)),
    "4d.nii": (
        lambda path: save_nifti(path, np.zeros((5, 6, 7, 2))),
        ("(5, 6, 7, 2)",),
    ),
    "rgb.npy": (
        lambda path: np.save(path, np.zeros((48, 40, 3))),
        ("--channel 0",),
    ),
    "rgba.npy": (
        lambda path: np.save(path, np.zeros((2, 48, 40, 4))),
        ("(2, 48, 40, 4)",),
    ),
    "rgb.png": (save_colour, ("--channel 0",)),
    "palette.png": (
        lambda path: save_colour(path, "P"),
        ("--channel 0",),
    ),
    "cmyk.tif": (
        lambda path: save_colour(path, "CMYK"),
        ("CMYK",),
    ),
    "nan.npy": (
        lambda path: np.save(path, np.where(stack() > 0, stack(), np.nan)),
        ("NaN",),
    ),
    "inf.npy": (
        lambda path: np.save(path, np.where(stack() > 0, stack(), np.inf)),
        ("NaN",),
    ),
    "inf.npz": (
        lambda path: np.savez(path, images=np.full((1, 9, 9), 1e300)),
        ("NaN",),
    ),
    "nan.nii.gz": (
        lambda path: save_nifti(path, np.full((9, 9, 2), np.nan)),
        ("NaN",),
    ),
    "nothing.npy": (lambda path: np.save(path, np.zeros((0, 48, 40))), ()),
    "nothing.npz": (
        lambda path: np.savez(path, images=np.zeros((3, 0, 40))),
        ("(3, 0, 40)",),
    ),
    "text.nii.gz": (lambda path: Path(path).write_text("a text"), ()),
    "text.nii": (lambda path: Path(path).write_text("a text"), ()),
    "text.png": (lambda path: Path(path).write_text("a text"), ()),
    "text.npy": (lambda path: Path(path).write_text("a text"), ()),
    "text.npz": (lambda path: Path(path).write_text("a text"), ()),
    "notes.txt": (
        lambda path: Path(path).write_text("a text"),
        (".npy",),
    ),
    "head.dcm": (lambda path: Path(path).write_text("a text"), (".npy",)),
    "suffixless": (lambda path: Path(path).write_text("a text"), ("suffix",)),
    "no_pictures": (lambda path: Path(path).mkdir(), ("picture",)),
    "x" * 300 + ".npy": (nothing, ()),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_image_is_one_line_and_nothing_is_written(skullmask, folder, name):
    make, words = BAD_FILES[name]
    make(name)
    np.save("truth.npy", stack() > 0)
    before = everything(folder)
    mask, sweep = (
        ("mask", name, "-o", "out.npy"),
        ("sweep", name, "truth.npy", "--sizes", "3", "-o", "out.csv"),
    )
    for arguments in (mask, sweep):
        code, out, err = skullmask(*arguments)
        assert (code, out, len(err)) == (2, "", 1), err
        assert err[0].startswith("skullmask: ")
        assert name in err[0]
        assert arguments is sweep or all(word in err[0] for word in words)
        assert everything(folder) == before


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_truth_is_one_line_and_nothing_is_written(skullmask, folder, name):
    make, _ = BAD_FILES[name]
    make(name)
    np.save("good.npy", stack())
    before = everything(folder)
    for arguments in (
        ("mask", "good.npy", "-o", "out.npy", "--truth", name),
        ("score", "good.npy", name),
    ):
        code, out, err = skullmask(*arguments)
        assert (code, out, len(err)) == (2, "", 1), err
        assert name in err[0]
        assert everything(folder) == before


# --- bad arguments ---------------------------------------------------------------------------------------------

MASK = ("mask", "a.npy", "-o", "out.npy")
REPORT = ("report", "a.npy", "-o", "out")
BAD_ARGUMENTS = {
    "truth of another shape": (
        (*MASK, "--truth", "small.npy"),
        ("small.npy", "(3, 48, 40)", "(3, 47, 40)"),
    ),
    "truth of one slice": (
        (*MASK, "--truth", "one.npy"),
        ("one.npy", "(3, 48, 40)", "(1, 48, 40)"),
    ),
    "truth that is not binary": ((*MASK, "--truth", "a.npy"), ("a.npy",)),
    "unknown version": ((*MASK, "--version", "v77"), ("v77", "v7")),
    "width 0": ((*MASK, "--dilation-size", "0"), ("a.npy[0]", "40 px")),
    "width -1": ((*MASK, "--dilation-size", "-1"), ("a.npy[0]", "40 px", "-1")),
    "width too large": ((*MASK, "--dilation-size", "41"), ("a.npy[0]", "40 px", "41")),
    "width no number": ((*MASK, "--dilation-size", "wide"), ("'--dilation-size'",)),
    "width no whole number": ((*MASK, "--dilation-size", "2.5"), ("'--dilation-size'",)),
    "width for v1": (
        (*MASK, "--version", "v1", "--dilation-size", "3"),
        ("v1", "dilation_size", "v5, v6, v7"),
    ),
    "width for v8": (
        (*MASK, "--version", "v8", "--dilation-size", "3"),
        ("v8", "dilation_size", "v5, v6, v7"),
    ),
    "spacing 0": ((*MASK, "--spacing", "0", "1"), ("mm", "(0.0, 1.0)")),
    "spacing nan": ((*MASK, "--spacing", "nan", "1"), ("mm", "(nan, 1.0)")),
    "spacing of one number": ((*MASK, "--spacing", "1"), ("'--spacing'",)),
    "spacing no number": ((*MASK, "--spacing", "wide", "1"), ("'--spacing'",)),
    "spacing in another unit": ((*MASK, "--spacing", "420", "420"), ("1000 mm", "20160")),
    "spacing in another unit for v7": (
        (*MASK, "--spacing", "420", "420", "--version", "v7"),
        ("1000 mm", "20160"),
    ),
    "channel too large": (("mask", "rgb.npy", "-o", "out.npy", "--channel", "3"), ("rgb.npy", "3")),
    "output is the input": (("mask", "a.npy", "-o", "a.npy"), ("a.npy",)),
    "output is the input by another way": (
        ("mask", "a.npy", "-o", "sub/../a.npy"),
        ("sub/../a.npy",),
    ),
    "output is the truth": ((*MASK[:3], "t.npy", "--truth", "t.npy"), ("t.npy",)),
    "output without parent": (("mask", "a.npy", "-o", "gone/out.npy"), ("gone/out.npy",)),
    "parent is a file": (("mask", "a.npy", "-o", "a.npy/out.npy"), ("a.npy/out.npy",)),
    "output is a folder": (("mask", "a.npy", "-o", "folder.npy"), ("folder.npy",)),
    "output with a long name": (("mask", "a.npy", "-o", "y" * 300 + ".npy"), ("y" * 300,)),
    "output of another format": (("mask", "a.npy", "-o", "out.nii.gz"), ("out.nii.gz", "a.npy")),
    "output of no format": (("mask", "a.npy", "-o", "out"), ("out", ".npy")),
    "many masks in a picture": (("mask", "phantom", "-o", "out.png"), ("out.png", "phantom")),
    "folder that is full": (("mask", "pictures", "-o", "sub"), ("sub",)),
    "folder that is the input": (("mask", "pictures", "-o", "pictures"), ("pictures",)),
    "no output": (("mask", "a.npy"), ("'-o'",)),
    "no input": (("mask",), ("'INPUT'",)),
    "unknown option": ((*MASK, "--dilate", "3"), ("--dilate",)),
    "unknown command": (("mast", "a.npy"), ("mast", "mask")),
    "score of another shape": (
        ("score", "t.npy", "small.npy"),
        ("small.npy", "(3, 48, 40)", "(3, 47, 40)"),
    ),
    "score of what is no mask": (("score", "a.npy", "t.npy"), ("a.npy",)),
    "sweep of bad widths": (
        ("sweep", "a.npy", "t.npy", "--sizes", "9:3"),
        ("start:stop:step", "'9:3'"),
    ),
    "sweep of no widths": (("sweep", "a.npy", "t.npy", "--sizes", ""), ("start:stop:step", "''")),
    "sweep of words": (("sweep", "a.npy", "t.npy", "--sizes", "a:b"), ("start:stop:step", "'a:b'")),
    "sweep of width 0": (
        ("sweep", "a.npy", "t.npy", "--sizes", "0:9:3"),
        ("start:stop:step", "'0:9:3'"),
    ),
    "sweep beyond the image": (
        ("sweep", "a.npy", "t.npy", "--sizes", "39:41"),
        ("a.npy[0]", "40 px"),
    ),
    "sweep without truth": (("sweep", "a.npy"), ("a.npy", "truth")),
    "sweep of another shape": (
        ("sweep", "a.npy", "small.npy"),
        ("small.npy", "(3, 48, 40)", "(3, 47, 40)"),
    ),
    "table over the images": (
        ("sweep", "a.npy", "t.npy", "--sizes", "3", "-o", "a.npy"),
        ("a.npy", ".csv"),
    ),
    "plot over the truth": (
        ("sweep", "sub/x.png", "t.png", "--sizes", "3", "--plot", "t.png"),
        ("t.png",),
    ),
    "plot of no format": (
        ("sweep", "a.npy", "t.npy", "--sizes", "3", "--plot", "p.pdf"),
        ("p.pdf", ".png"),
    ),
    "plot without parent": (
        ("sweep", "a.npy", "t.npy", "--sizes", "3", "--plot", "gone/p.png"),
        ("gone/p.png",),
    ),
    "page without parent": (("demo", "--out", "gone/demo"), ("gone/demo",)),
    "page over a file": (("demo", "--out", "a.npy"), ("a.npy",)),
    "report with a typo": ((*REPORT, "-p", "dilation_sise=3"), ("dilation_sise", "dilation_size")),
    "report with a word for a number": (
        (*REPORT, "-p", "overlay_count=few"),
        ("overlay_count", "int", "'few'"),
    ),
    "report out of range": ((*REPORT, "-p", "overlay_count=25"), ("overlay_count", "24", "25")),
    "report of no parameter": ((*REPORT, "-p", "title"), ("NAME=VALUE", "'title'")),
    "report with the truth as a parameter": ((*REPORT, "-p", "truth=t.npy"), ("truth",)),
    "report of an unknown version": ((*REPORT, "--version", "v8,newest"), ("'newest'",)),
    "report of bad slices": ((*REPORT, "-p", "slices=3:9"), ("a.npy", "3")),
    "report of bad widths": ((*REPORT, "-p", "sizes=9:3"), ("sizes",)),
    "report of a bad spacing": ((*REPORT, "-p", "spacing_mm=0,1"), ("spacing_mm",)),
    "report without images": (("report", "gone.npy", "-o", "out"), ("gone.npy",)),
    "report without its truth": ((*REPORT, "--truth", "gone.npy"), ("gone.npy",)),
    "report with another truth": (
        (*REPORT, "--truth", "small.npy"),
        ("small.npy", "(3, 48, 40)", "(3, 47, 40)"),
    ),
    "report of colour": (("report", "rgb.npy", "-o", "out"), ("rgb.npy", "(3, 48, 40, 3)")),
    "report with a width too large": (
        (*REPORT, "-p", "dilation_size=41"),
        ("a.npy", "dilation_size", "40", "41"),
    ),
    "report of NaN": (("report", "nan.npy", "-o", "out"), ("nan.npy[1]",)),
    "lesson without truth": ((*REPORT, "--notebook", "05"), ("a.npy", "05_v6_dilation_sweep")),
    "lesson on few slices": (
        ("report", "t.png", "-o", "out", "--notebook", "01", "--truth", "t.png"),
        ("t.png", "slice_index", "2"),
    ),
    "report by no notebook": ((*REPORT, "--notebook", "reprot"), ("reprot", "report")),
    "report without parent": (("report", "a.npy", "-o", "gone/out"), ("gone/out",)),
    "report over a file": (("report", "a.npy", "-o", "t.npy"), ("t.npy",)),
    "grid with a typo": ((*REPORT, "--grid", "versoin=v5,v7"), ("versoin", "version")),
    "grid out of range": (
        (*REPORT, "--grid", "overlay_count=22:26:2"),
        ("overlay_count", "24", "26"),
    ),
    "grid of no jobs": ((*REPORT, "--grid", "overlay_count=1", "--jobs", "0"), ("'--jobs'",)),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_a_bad_argument_is_one_line_and_nothing_is_written(skullmask, folder, case):
    np.save("a.npy", stack())
    np.save("t.npy", (stack() > 0).astype(np.uint8))
    np.save("one.npy", head() > 0)
    Image.fromarray(head() > 0).save("t.png")
    np.save("small.npy", stack()[:, 1:] > 0)
    np.save("rgb.npy", stack()[..., None] * [1, 2, 3])
    np.save("nan.npy", np.where(np.arange(3)[:, None, None] == 1, np.inf, stack()))
    for name in ("pictures", "sub"):
        (folder / name).mkdir()
        save_picture(folder / name / "x.png")
    (folder / "folder.npy").mkdir()
    before = everything(folder)
    arguments, words = BAD_ARGUMENTS[case]
    code, out, err = skullmask(*arguments)
    assert (code, out, len(err)) == (2, "", 1), err
    assert err[0].startswith("skullmask: ")
    for word in words:
        assert word in err[0]
    assert everything(folder) == before


@pytest.mark.skipif(READ_ONLY is None, reason="needs a folder that even root cannot write to")
def test_an_output_that_cannot_be_written(skullmask):
    np.save("a.npy", stack())
    np.save("t.npy", stack() > 0)
    for arguments in (("mask", "a.npy", "-o", f"{READ_ONLY}/out.npy"),
                      ("sweep", "a.npy", "t.npy", "--sizes", "3", "-o", f"{READ_ONLY}/out.csv"),
                      ("sweep", "a.npy", "t.npy", "--sizes", "3", "--plot", f"{READ_ONLY}/out.png")):  # fmt: skip
        code, out, err = skullmask(*arguments)
        assert (code, out, len(err)) == (2, "", 1), err
        assert arguments[-1] in err[0]


# --- end to end, in a process of its own -------------------------------------------------------------------------


def test_a_process_makes_masks(tmp_path):
    images = heads()
    images[1] = 0
    np.save(tmp_path / "a.npy", images)
    code, out, err = process("mask", "a.npy", "-o", "b.npy", cwd=tmp_path)
    assert (code, said(out)) == (0, (3, "v8", "b.npy", {"empty": 1}))
    [line] = err
    assert line.startswith("skullmask: warning: a.npy[1]: ")
    same(np.load(tmp_path / "b.npy")[0], sm.v8(images[0]))


def test_a_process_that_fails_says_so_in_one_line(tmp_path):
    np.save(tmp_path / "object.npy", np.array([[Trap()]], object))
    before = everything(tmp_path)
    code, out, err = process("mask", "object.npy", "-o", "b.npy", cwd=tmp_path)
    assert (code, out, len(err)) == (2, "", 1)
    assert err[0].startswith("skullmask: object.npy: ")
    assert everything(tmp_path) == before


def test_the_installed_command_shows_help(tmp_path):
    command = Path(sys.executable).with_name("skullmask")
    assert command.exists(), "install the project: pip install -e ."
    done = subprocess.run(
        [command], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: skullmask" in done.stdout


def test_a_reader_that_went_away_is_no_error_to_talk_about():
    reading, writing = os.pipe()
    os.close(reading)
    command = [*SKULLMASK, "--help"]
    done = subprocess.run(
        command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=300, check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_score_takes_a_spacing(skullmask):
    np.save("t.npy", (stack() > 100).astype(np.uint8))
    np.save("p.npy", np.roll(stack() > 100, 1, axis=1).astype(np.uint8))
    code, out, _ = skullmask("score", "p.npy", "t.npy", "--spacing", "0.5", "2", "--json")
    assert code == 0
    expected = [
        sm.score(p, t, (0.5, 2.0)) for p, t in zip(np.load("p.npy"), np.load("t.npy"), strict=True)
    ]
    assert [{key: row[key] for key in expected[0]} for row in json.loads(out)["slices"]] == expected


def test_the_truth_brings_the_spacing_where_the_masks_have_none(skullmask):
    np.save("masks.npy", sm.load("phantom").truth)
    assert "hausdorff_mm" in skullmask("score", "masks.npy", "phantom")[1]


# --- addresses of files ----------------------------------------------------------------------------------------

NO_PATHS = {  # parameters that name no file
    *("version", "backend", "scheduler", "table", "slices", "sizes"),
    *("parameter", "grid", "names"),
}


def parameters():
    """Give the options of every parameter of every command that takes text or a path."""
    loaded = {name: LIST[name].load() for name in COMMANDS if name not in GROUPS}
    for name, command in (loaded | IN_GROUPS).items():
        for parameter in inspect.signature(command.callback, eval_str=True).parameters.values():
            kind, options = typing.get_args(parameter.annotation)
            if kind in (str, Path) or {str, Path, list[str]} & {*typing.get_args(kind)}:
                yield pytest.param(parameter.name, kind, options, id=f"{name} {parameter.name}")


@pytest.mark.parametrize(("name", "kind", "options"), list(parameters()))
def test_every_path_may_be_an_address(name, kind, options):
    if name in NO_PATHS:
        assert kind not in (Path, Path | None)
        assert options.parser is None
        return
    made = options.parser("file:///two%20heads.npy")
    assert Path(made) == Path("/two heads.npy")
    assert isinstance(made, kind if kind != list[Path] else Path)  # the parser has one at a time
    with pytest.raises(typer.BadParameter, match="server"):
        options.parser("file://server/m.npy")


def test_addresses_go_in_and_out(skullmask, folder):
    image, truth = ring_head((110, 95), (2, 2))
    np.save("a b.npy", image)
    np.save("t.npy", truth)
    here = f"file://{folder.as_posix()}"
    look = ["-o", f"{here}/s.csv", "--plot", f"{here}/p.png", "--sizes", "5"]
    assert skullmask("sweep", f"{here}/a%20b.npy", f"{here}/t.npy", *look)[0] == 0
    assert skullmask("mask", f"{here}/a%20b.npy", "-o", f"{here}/m.npy")[0] == 0
    assert {"s.csv", "p.png", "m.npy"} <= {*os.listdir(folder)}
    code, _, err = skullmask("mask", "a b.npy", "-o", "file://server/n.npy")
    assert (code, len(err)) == (2, 1)
    assert "server" in err[0]
