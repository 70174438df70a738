"""What a run removes: masks of an earlier run, and nothing that others have put there."""

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from batching import (
    assert_same,
    heads,
    killed_and_leaving_a_copy,
    one_by_one,
    read_masks,
    recorded,
    save_arrays,
    save_head,
    serial,
    tables_of,
)
from folders import contents_of
from PIL import Image

from skullmask_lib import InputError
from skullmask_lib.batches import ownership
from skullmask_lib.io import journal

pytestmark = pytest.mark.usefixtures("folder")
SERIAL = ("--version", "v7", "--backend", "serial")
RESTART = {False: (), True: ("--restart",)}
OUTPUTS = pytest.mark.parametrize("output", ["m.npy", "m.zarr", "m"])


def begun_only(output):
    """Leave the first two lines of a journal, as a run that is killed soon does."""
    journal_file = Path(f"{output}.batch/journal.jsonl")
    first_lines = journal_file.read_bytes().splitlines()[:2]
    journal_file.write_bytes(b"\n".join(first_lines) + b"\n")


@OUTPUTS
def test_a_restart_keeps_what_others_put_beside_the_journal(output):
    np.save("a.npy", heads(4))
    serial("a.npy", output)
    for name in ("notes.txt", "results.xlsx", "masks-of-mine/x.png"):
        note = Path(f"{output}.batch", name)
        note.parent.mkdir(exist_ok=True)
        note.write_text("mine")
    serial("a.npy", output, "v1", restart=True)
    for name in ("notes.txt", "results.xlsx", "masks-of-mine/x.png"):
        assert Path(f"{output}.batch", name).read_text() == "mine"
    assert_same(read_masks(output, 4), one_by_one(heads(4), "v1"))


FOREIGN = [".partial-mine", "notes.partial", "a_000001.npy", "a_000001.npy/x", "c/notes.partial"]


@pytest.mark.parametrize("where", ["notes.txt", "sub/x.png", "a_000009.png", "empty", *FOREIGN])
@pytest.mark.parametrize("output", ["m.zarr", "m"])
def test_a_restart_keeps_what_others_put_among_the_masks(skullmask, output, where):
    np.save("a.npy", heads(4))
    serial("a.npy", output)
    mine = Path(output, where)
    mine.parent.mkdir(exist_ok=True)
    if where == "empty":
        mine.mkdir()
    else:
        mine.write_text("mine")
    in_the_way = Path(output, Path(where).parts[0])
    before = contents_of(".")
    options = ("--version", "v1", "--backend", "serial", "--restart")
    for _ in range(2):
        code, out, [line] = skullmask("batch", "a.npy", output, *options)
        assert (code, out) == (2, "")
        assert str(in_the_way.absolute()) in line
        assert contents_of(".") == before
    shutil.move(in_the_way, "elsewhere")
    serial("a.npy", output, "v1", restart=True)
    assert_same(read_masks(output, 4), one_by_one(heads(4), "v1"))


def test_a_restart_does_not_go_through_links():
    Path("a/sub").mkdir(parents=True)
    save_head("a/sub/x.png")
    serial("a", "m")
    Path("m/sub").rename("precious")
    Path("m/sub").symlink_to(Path("precious").absolute())
    before = contents_of(".")
    with pytest.raises(InputError, match=r"/m/sub: "):
        serial("a", "m", "v1", restart=True)
    assert contents_of(".") == before


HIDDEN = [".DS_Store", "Thumbs.db", ".git/HEAD"]

OF_SYSTEMS = pytest.mark.parametrize("output", ["m.zarr", "m", "sub"])


def with_hidden(output):
    """Make masks, of a folder where the output is ``sub``, and put files of systems among them.

    Give the images and the paths of these files.
    """
    hidden = [Path(output, name) for name in HIDDEN]
    if output == "sub":
        images = "a"
        Path("a").mkdir()
        save_arrays("a/x", heads(4))
        hidden.append(Path("sub/x/.DS_Store"))
    else:
        images = "a.npy"
        np.save("a.npy", heads(4))
    serial(images, output)
    for file in hidden:
        file.parent.mkdir(exist_ok=True)
        file.write_text("of a system")
    return images, hidden


def check_hidden(hidden):
    for file in hidden:
        assert file.read_text() == "of a system"


@OF_SYSTEMS
def test_what_systems_leave_among_masks_stops_nothing_and_stays(output):
    images, hidden = with_hidden(output)
    before = contents_of(output)
    serial(images, output)
    assert contents_of(output) == before
    for version in ("v1", "v8", "v1"):
        serial(images, output, version, restart=True)
        check_hidden(hidden)
        if output != "sub":
            assert_same(read_masks(output, 4), one_by_one(heads(4), version))
        records = sorted(os.listdir(f"{output}.batch"))
        assert records == ["errors.csv", "journal.jsonl", "results.csv"]


@OF_SYSTEMS
def test_what_systems_leave_stays_though_the_run_is_stopped(output):
    images, hidden = with_hidden(output)

    def progress(report):
        if report.images >= 3:
            raise KeyboardInterrupt

    for restart in (True, True, False):
        with pytest.raises(KeyboardInterrupt):
            serial(images, output, "v1", restart=restart, progress=progress)
        check_hidden(hidden)
    serial(images, output, "v1")
    check_hidden(hidden)
    if output != "sub":
        assert_same(read_masks(output, 4), one_by_one(heads(4), "v1"))


@pytest.mark.parametrize("output", ["m.zarr", "m"])
def test_what_systems_leave_in_an_empty_folder_is_nothing(output):
    np.save("a.npy", heads(4))
    for folder in (output, f"{output}.batch"):
        Path(folder).mkdir()
        Path(folder, ".DS_Store").write_text("of a system")
    serial("a.npy", output)
    assert_same(read_masks(output, 4), one_by_one(heads(4)))
    assert Path(output, ".DS_Store").read_text() == "of a system"


@pytest.mark.parametrize("names", [[".zgroup", "c/.zgroup"], [".zarray"], [".zattrs"]])
@pytest.mark.parametrize("restart", [False, True])
def test_another_format_of_zarr_is_not_of_a_system(names, restart):
    np.save("a.npy", heads(4))
    serial("a.npy", "m.zarr")
    shutil.rmtree("m.zarr")
    for name in names:
        Path("m.zarr", name).parent.mkdir(parents=True, exist_ok=True)
        Path("m.zarr", name).write_text("{}")
    before = contents_of("m.zarr")
    with pytest.raises(InputError, match=r"m\.zarr"):
        serial("a.npy", "m.zarr", restart=restart)
    assert contents_of("m.zarr") == before


def test_masks_may_have_hidden_names():
    Path("a").mkdir()
    for index, image in enumerate(heads(4)):
        np.save(f"a/.{index}.npy", image)
    Path("a.txt").write_text("".join(f"a/.{index}.npy\n" for index in range(4)))
    for version in ("v7", "v7", "v1"):
        serial("a.txt", "m", version, restart=version == "v1")
        masks = [np.load(f"m/.{index}.npy") for index in range(4)]
        assert_same(np.stack(masks), one_by_one(heads(4), version))
        assert recorded("m") == [0, 3]


@pytest.mark.parametrize("output", ["m.zarr", "m"])
def test_what_comes_among_the_masks_while_they_are_removed_stays(monkeypatch, output):
    np.save("a.npy", heads(4))
    serial("a.npy", output)
    notes = Path(output, "c/notes.txt" if output == "m.zarr" else "notes.txt")
    check = ownership.check_alone
    checks = []

    def checked_a_moment_before(masks):
        check(masks)
        checks.append(masks.path)
        if checks.count(str(Path(output).absolute())) == 2:  # once for all of them, once for these
            notes.write_text("mine")

    monkeypatch.setattr(ownership, "check_alone", checked_a_moment_before)
    with contextlib.suppress(InputError):  # it is in the way of an array
        serial("a.npy", output, "v1", restart=True)
    assert len(checks) > 1
    assert [path.read_text() for path in Path().rglob("notes.txt")] == ["mine"]


@pytest.mark.parametrize("name", ["c/notes.txt", ".DS_Store"])
def test_an_array_that_is_made_anew_takes_nothing_along(name):
    np.save("a.npy", heads(4))
    serial("a.npy", "m.zarr")
    Path("m.zarr", name).write_text("mine")
    Path("m.zarr/zarr.json").unlink()
    with pytest.raises(InputError, match=r"m\.zarr"):
        serial("a.npy", "m.zarr")
    [kept] = [path.read_text() for path in Path().rglob(Path(name).name)]
    assert kept == "mine"


@OUTPUTS
@pytest.mark.parametrize("restart", [False, True])
def test_a_journal_of_a_first_line_owns_nothing_else(output, restart):
    np.save("a.npy", heads(4))
    serial("a.npy", output)
    begun_only(output)
    Path(f"{output}.batch/notes.txt").write_text("mine")
    before = contents_of(".")
    with pytest.raises(InputError, match=rf"/{output}: "):
        serial("a.npy", output, "v1", restart=restart)
    assert contents_of(".") == before
    os.rename(output, "precious")
    kept = contents_of("precious")
    serial("a.npy", output, "v1", restart=restart)
    assert_same(read_masks(output, 4), one_by_one(heads(4), "v1"))
    assert contents_of("precious") == kept
    assert Path(f"{output}.batch/notes.txt").read_text() == "mine"


@pytest.fixture
def pictures(folder):  # noqa: ARG001
    """Three pictures, of which the last is broken, and the masks of the others."""
    Path("a").mkdir()
    for index, image in enumerate(heads(2, np.uint8)):
        Image.fromarray(image).save(f"a/{index}.png")
    Path("a/2.png").write_bytes(b"broken")
    assert serial("a", "m", chunk=1).failed == 1
    assert sorted(os.listdir("m")) == ["0.png", "1.png"]


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("name", ["0.npy", "1.npy", "2.png", "2.npy", "1.npy/x"])
@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("mended", [False, True])
def test_what_is_called_like_a_mask_but_was_not_written_stays(skullmask, name, restart, mended):
    Path("m", name).parent.mkdir(exist_ok=True)
    Path("m", name).write_text("mine")
    if mended:
        save_head("a/2.png")
    in_the_way = Path("m", Path(name).parts[0])
    before = contents_of(".")
    code, out, [line] = skullmask("batch", "a", "m", *SERIAL, "--chunk", "1", *RESTART[restart])
    assert (code, out) == (2, "")
    assert str(in_the_way.absolute()) in line
    assert contents_of(".") == before
    shutil.move(in_the_way, "elsewhere")
    assert serial("a", "m", chunk=1, restart=restart).failed == (0 if mended else 1)
    masks = ["0.png", "1.png", "2.png"] if mended else ["0.png", "1.png"]
    assert sorted(os.listdir("m")) == masks


def test_what_is_called_like_a_mask_stops_no_run_that_is_done():
    np.save("a.npy", heads(4))
    serial("a.npy", "m")
    Path("m/a_000001.npy").write_text("mine")
    before = contents_of("m")
    assert serial("a.npy", "m").failed == 0
    assert contents_of("m") == before


@pytest.mark.usefixtures("pictures")
def test_a_run_goes_on_though_it_was_stopped_while_it_mended(monkeypatch):
    save_head("a/2.png")

    with monkeypatch.context() as patch:
        patch.setattr(journal, "append", killed_and_leaving_a_copy)
        with pytest.raises(KeyboardInterrupt):
            serial("a", "m", chunk=1)
    assert list(Path("left").glob("masks-*/2.png"))
    for _ in range(2):
        assert serial("a", "m", chunk=1).failed == 0
        assert sorted(os.listdir("m")) == ["0.png", "1.png", "2.png"]


@pytest.mark.parametrize("other", ["csv", "parquet"])
@pytest.mark.parametrize("restart", [False, True])
def test_a_table_that_no_batch_wrote_stays(skullmask, other, restart):
    """It stays whether it would be removed for the one of the run, or replaced by it."""
    np.save("a.npy", heads(4))
    ours = {"csv": "parquet", "parquet": "csv"}[other]
    serial("a.npy", "m.npy", table=ours)
    mine = Path(f"m.npy.batch/results.{other}")
    mine.write_text("mine")
    serial("a.npy", "m.npy", table=ours, restart=restart)
    assert mine.read_text() == "mine"
    before = contents_of(".")
    options = (*SERIAL, "--chunk", "3", *RESTART[restart])
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", "--table", other, *options)
    assert (code, out) == (2, "")
    assert str(mine.absolute()) in line
    assert contents_of(".") == before
    mine.rename("elsewhere")
    for kind in (other, ours):
        serial("a.npy", "m.npy", table=kind, restart=restart)
        assert tables_of("m.npy") == [f"results.{kind}"]
    mine.write_text("mine")
    serial("a.npy", "m.npy", table=ours)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("restart", [False, True])
def test_another_array_in_the_place_of_the_masks_at_an_address_stays(restart):
    np.save("a.npy", heads(4))
    address = f"memory://taken_{restart}.zarr"
    serial("a.npy", address)
    precious = zarr.create_array(address, shape=(5, 4), dtype="f8", overwrite=True)
    precious[:] = 7
    with pytest.raises(InputError, match=r"taken_\w+\.zarr: "):
        serial("a.npy", address, restart=restart)
    assert (zarr.open_array(address, mode="r")[:] == 7).all()


def test_masks_at_an_address_that_were_hardly_begun_go_on():
    np.save("a.npy", heads(4))
    serial("a.npy", "memory://hardly.zarr")
    begun_only("hardly.zarr")
    assert serial("a.npy", "memory://hardly.zarr").failed == 0
    assert recorded("hardly.zarr") == [0, 3]
