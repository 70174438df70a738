"""What lies where a run is to write, or what a run that went before left there, is never lost and never mixed in."""

import concurrent.futures as cf
import contextlib
import copy
import errno
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import nibabel as nib
import numpy as np
import pytest
import zarr
from batching import everything, heads, one_by_one, read, recorded, rows_of, same, serial
from complaints import refused
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skullmask_lib import InputError, batch
from skullmask_lib.batches import (
    backends,
    chunks,
    mask_stacks,
    ownership,
    pools,
    software,
    stacks,
    writing,
)
from skullmask_lib.batches import records as records_module
from skullmask_lib.io import journal

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def stopped(folder):  # noqa: ARG001
    """Stop a run of ten heads once some are recorded."""

    def progress(told):
        if told.images >= 6:
            raise KeyboardInterrupt

    np.save("a.npy", heads(10))
    with pytest.raises(KeyboardInterrupt):
        serial("a.npy", "m.npy", progress=progress)


@pytest.mark.parametrize("zeros", [1, 5, 4096, 4097])
def test_a_journal_may_end_in_zeros(zeros):
    journal.append("a.jsonl", "a", {"state": "done"})
    with open("a.jsonl", "ab") as file:
        file.write(bytes(zeros))
    journal.append("a.jsonl", "b", {"state": "done"})
    assert set(journal.read("a.jsonl")) == {"a", "b"}


@pytest.mark.usefixtures("stopped")
def test_a_file_that_has_come_in_the_way_stays():
    Path("m.npy").write_text("precious")
    before = everything(".")
    with pytest.raises(InputError, match=r"/m\.npy: .*m\.npy\.batch/masks-"):
        serial("a.npy", "m.npy")
    assert {path: kept for path, kept in everything(".").items() if path.suffix == ".npy"} == {
        path: kept for path, kept in before.items() if path.suffix == ".npy"
    }
    Path("m.npy").unlink()
    serial("a.npy", "m.npy")
    same(np.load("m.npy"), one_by_one(heads(10)))


def test_a_file_in_the_place_of_masks_that_were_done_stays():
    np.save("a.npy", heads(4))
    serial("a.npy", "m.npy")
    Path("m.npy").write_text("precious")
    with pytest.raises(InputError, match=r"/m\.npy: .*m\.npy\.batch/masks-"):
        serial("a.npy", "m.npy")
    assert Path("m.npy").read_text() == "precious"


def test_masks_without_their_header_are_no_masks():
    np.save("a.npy", heads(4))
    serial("a.npy", "m.npy")
    with open("m.npy", "r+b") as file:
        file.write(bytes(64))
    with pytest.raises(InputError, match=r"/m\.npy: .*m\.npy\.batch/masks-"):
        serial("a.npy", "m.npy")


def zooms(mm):
    image = nib.Nifti1Image(heads(1)[0][..., None], np.diag([mm, mm, mm, 1]))
    nib.save(image, "a/x.nii")


def turned(turn):
    np.save("a/x.npy", heads(1)[0].reshape((40, 48) if turn else (48, 40)))


@pytest.mark.parametrize(("make", "before", "after"), [(zooms, 4, 1), (turned, False, True)])
def test_the_same_bytes_of_another_size_are_other_images(make, before, after):
    Path("a").mkdir()
    make(before)
    serial("a", "m", "v8")
    kept = everything(".")
    make(after)
    with pytest.raises(InputError, match=r"/a: .*images 0 to 0 "):
        serial("a", "m", "v8")
    make(before)
    assert serial("a", "m", "v8").failed == 0
    assert {path: data for path, data in everything(".").items() if path.parts[0] == "m"} == {
        path: data for path, data in kept.items() if path.parts[0] == "m"
    }


@pytest.fixture
def failing(folder):  # noqa: ARG001
    """Three files, of which the second is broken."""
    Path("a").mkdir()
    for name, image in zip("xyz", heads(3), strict=True):
        np.save(f"a/{name}.npy", image)
    Path("a/y.npy").write_bytes(b"no array")


@pytest.mark.usefixtures("failing")
def test_workers_end_before_what_they_wrote_is_removed(monkeypatch):
    seen = []

    @contextlib.contextmanager
    def slow(*_):
        with pools.serial() as pool:
            try:
                yield pool
            finally:
                seen.extend(Path("m.batch").glob("masks-*"))

    monkeypatch.setitem(backends.BACKENDS, "slow", slow)
    with pytest.raises(pools.Stopped, match=r"^y\.npy: "):
        serial("a", "m", backend="slow", fail_fast=True)
    assert len(seen) == 1
    assert os.listdir() == ["a"]


@pytest.mark.usefixtures("failing")
def test_what_cannot_be_removed_does_not_stand_in_the_way(monkeypatch):
    def rmdir(*_):
        raise OSError(errno.ENOTEMPTY, "a worker is still writing")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rmdir", rmdir)
        with pytest.raises(pools.Stopped):
            serial("a", "m", fail_fast=True)
    assert Path("m.batch/journal.jsonl").exists()
    np.save("a/y.npy", heads(2)[1])
    assert serial("a", "m").failed == 0
    assert sorted(os.listdir("m")) == ["x.npy", "y.npy", "z.npy"]


@pytest.mark.usefixtures("failing")
def test_masks_of_other_work_that_was_killed_are_not_mixed_in(monkeypatch):
    def killed(*_):
        shutil.copytree("m.batch", "left")
        raise KeyboardInterrupt

    append = journal.append
    with monkeypatch.context() as patch:
        patch.setattr(
            journal, "append", lambda *given: append(*given) if given[1] == "run" else killed()
        )
        with pytest.raises(KeyboardInterrupt):
            serial("a", "m")
    os.rename("left", "m.batch")
    assert list(Path("m.batch").glob("masks-*/x.npy"))
    Path("a/x.npy").unlink()
    serial("a", "m")
    assert os.listdir("m") == ["z.npy"]


def test_a_chunk_that_is_set_aside_is_a_failure_too(monkeypatch):
    @contextlib.contextmanager
    def deadly(*_):
        def submit(function, job, start, stop):
            future = cf.Future()
            future.set_exception(pools.WorkerDied()) if start == 3 else future.set_result(
                function(job, start, stop)
            )
            return future

        yield pools.Pool(submit, lambda: 1, pools.wait)

    monkeypatch.setitem(backends.BACKENDS, "deadly", deadly)
    np.save("a.npy", heads(10))
    with pytest.raises(pools.Stopped, match=r"^a\.npy\[3\]: .* 3 workers$"):
        serial("a.npy", "m.npy", backend="deadly", fail_fast=True)
    assert serial("a.npy", "m.npy", backend="deadly").set_aside == ("a.npy[3] … a.npy[5]",)


def test_a_file_that_comes_in_the_way_while_it_runs_stays_too():
    np.save("a.npy", heads(10))
    with pytest.raises(InputError, match=r"/m\.npy: .*m\.npy\.batch/masks-"):
        serial(
            "a.npy",
            "m.npy",
            progress=lambda told: told.images == 10 and Path("m.npy").write_text("precious"),
        )
    assert Path("m.npy").read_text() == "precious"
    Path("m.npy").unlink()
    serial("a.npy", "m.npy")
    same(np.load("m.npy"), one_by_one(heads(10)))


def test_what_cannot_begin_anew_keeps_what_there_is(monkeypatch):
    np.save("a.npy", heads(4))
    serial("a.npy", "m.npy")
    before = everything(".")
    monkeypatch.setattr("skullmask_lib.batches.clusters._PATIENCE_S", 0.2)
    with refused("tcp://127.0.0.1:9"):
        batch("a.npy", "m.npy", version="v7", chunk=3, scheduler="tcp://127.0.0.1:9", restart=True)
    assert everything(".") == before


def test_two_addresses_of_one_name_are_two():
    np.save("a.npy", heads(4))
    serial("a.npy", "memory://x/m.zarr")
    precious = zarr.create_array("memory://y/m.zarr", shape=(5, 4), dtype="f8")
    precious[:] = 7
    for restart in (False, True):
        with refused("m.zarr.batch", naming=["memory://x/m.zarr"]):
            serial("a.npy", "memory://y/m.zarr", restart=restart)
    assert (zarr.open_array("memory://y/m.zarr", mode="r")[:] == 7).all()


def test_an_address_is_not_masks_of_this_name_here():
    np.save("a.npy", heads(4))
    serial("a.npy", "m.zarr")
    with pytest.raises(
        InputError, match=rf"m\.zarr\.batch: .*{re.escape(str(Path('m.zarr').absolute()))};"
    ):
        serial("a.npy", "memory://x/m.zarr")


@pytest.mark.usefixtures("stopped")
def test_a_worker_left_over_from_another_run_meets_none_of_the_new():
    [before] = Path("m.npy.batch").glob("masks-*")
    serial(
        "a.npy", "m.npy", version="v1", restart=True, progress=lambda _: before.write_bytes(b"late")
    )
    same(np.load("m.npy"), one_by_one(heads(10), "v1"))


def test_a_worker_left_over_makes_no_folder_anew():
    found = stacks.Stack("", "npy", (2, 48, 40))
    made = mask_stacks.planned("m.batch/masks-1", found)
    with pytest.raises(InputError, match=r"/masks-1: "), writing.writing(made, 0, 2) as write:
        write(0, one_by_one(heads(1)), None)
    assert os.listdir() == []


def test_a_folder_may_be_called_as_what_is_half_written():
    Path("a/scan.partial").mkdir(parents=True)
    Image.fromarray(heads(1, np.uint8)[0]).save("a/scan.partial/x.png")
    assert serial("a", "m").failed == 0
    assert [str(path) for path in Path("m").rglob("*.png")] == ["m/scan.partial/x.png"]


@pytest.mark.parametrize(
    ("kind", "left"), [("m", ".partial-0123abcd001.png"), ("m.zarr", "c/0.7.partial")]
)
def test_what_was_half_written_goes(kind, left):
    np.save("a.npy", heads(4))

    def progress(_told):
        [part] = Path(f"{kind}.batch").glob("masks-*")
        (part / left).parent.mkdir(exist_ok=True)
        (part / left).write_bytes(b"half")

    serial("a.npy", kind, progress=progress)
    assert not [path for path in Path(kind).rglob("*") if "partial" in path.name]


def test_a_link_is_not_replaced():
    np.save("a.npy", heads(4))
    Path("elsewhere").mkdir()
    Path("m").symlink_to("elsewhere")
    with pytest.raises(InputError, match=r"/m: .*link"):
        serial("a.npy", "m")
    assert sorted(os.listdir()) == ["a.npy", "elsewhere", "m"]


def test_a_link_in_the_place_of_the_journal_s_folder_is_refused():
    np.save("a.npy", heads(4))
    Path("elsewhere").mkdir()
    Path("m.npy.batch").symlink_to("elsewhere")
    with refused("m.npy.batch", naming=["link"]):
        serial("a.npy", "m.npy")
    assert os.listdir("elsewhere") == []
    assert sorted(os.listdir()) == ["a.npy", "elsewhere", "m.npy.batch"]


def test_a_file_system_may_lack_locks(monkeypatch):
    def flock(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    np.save("a.npy", heads(4))
    assert serial("a.npy", "m.npy").failed == 0


def test_numbers_of_numpy_are_numbers():
    np.save("a.npy", heads(4))
    for _ in range(2):
        serial("a.npy", "m.npy", dilation_size=np.int64(5))
    same(np.load("m.npy"), one_by_one(heads(4), dilation_size=5))


def test_names_beyond_ascii_and_beyond_unicode():
    Path("a").mkdir()
    for name in ("头.png", os.fsdecode(b"\xff.png")):
        Image.fromarray(heads(1, np.uint8)[0]).save(Path("a", name))
    code = "import skullmask_lib as sm; print(sm.batch('a', 'm', version='v7', backend='serial').failed)"
    ran = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (0, b"0\n"), ran.stderr
    assert len(rows_of("m.batch/results.csv")) == 2
    assert len(list(Path("m").iterdir())) == 2


def test_a_header_of_less_than_nothing_is_refused():
    with open("a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (-3, 8, 8)}
        )
    with refused("a.npy", naming=["(-3, 8, 8)"]):
        serial("a.npy", "m.npy")


def test_chunks_of_zarr_that_no_worker_can_hold_are_refused(monkeypatch):
    zarr.create_array("a.zarr", shape=(9, 48, 40), chunks=(9, 48, 40), dtype="f4")[:] = heads(9)
    monkeypatch.setattr(stacks, "_LARGEST_CHUNK_BYTES", 9 * 48 * 40 * 4 - 1)
    with pytest.raises(InputError, match=r"/a\.zarr: .* MiB"):
        serial("a.zarr", "m.npy")


def test_a_table_of_another_kind_is_not_left_beside():
    np.save("a.npy", heads(4))
    serial("a.npy", "m.npy")
    serial("a.npy", "m.npy", table="parquet")
    assert sorted(path.name for path in Path("m.npy.batch").glob("results.*")) == [
        "results.parquet"
    ]


def killed(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize("replaced", [True, False])
@pytest.mark.parametrize("then", ["csv", "parquet"])
@pytest.mark.parametrize("restart", [False, True])
def test_a_run_stopped_between_two_tables_goes_on_with_either(monkeypatch, replaced, then, restart):
    np.save("a.npy", heads(4))
    serial("a.npy", "m.npy", table="csv")
    with monkeypatch.context() as patch:
        if replaced:
            patch.setattr(Path, "unlink", killed)
        else:
            patch.setattr("pyarrow.parquet.ParquetWriter", killed)
        with pytest.raises(KeyboardInterrupt):
            serial("a.npy", "m.npy", table="parquet")
    assert Path("m.npy.batch/results.csv").exists()
    assert Path("m.npy.batch/results.parquet").exists() == replaced
    made = serial("a.npy", "m.npy", table=then, restart=restart)
    assert list(Path("m.npy.batch").glob("results.*")) == [made.results.relative_to(Path.cwd())]
    assert (made.images, made.failed) == (4, 0)


def test_a_table_that_does_not_fit_on_the_disk_is_the_one_that_is_named(monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    np.save("a.npy", heads(4))
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter", full)
    with refused("results.parquet"):
        serial("a.npy", "m.npy", table="parquet")


@pytest.mark.parametrize("name", ["results.csv", "errors.csv"])
def test_a_table_that_cannot_be_written_is_the_one_that_is_named(name):
    np.save("a.npy", heads(4))
    serial("a.npy", "m.npy")
    place = Path("m.npy.batch", name).absolute()
    place.unlink()
    place.mkdir()
    Path(place, "precious").write_text("")
    with pytest.raises(InputError, match=re.escape(str(place))):
        serial("a.npy", "m.npy")


def test_masks_of_files_of_an_earlier_attempt_give_way():
    """What was a picture may be of several pages when it is mended."""
    made = mask_stacks.planned("m", stacks.Stack(os.getcwd(), "files", (1,), names=("a.tif",)))
    Path("m").mkdir()
    Image.fromarray(heads(1, np.uint8)[0]).save("a.tif")
    job = chunks.Job(
        stacks.Stack(os.getcwd(), "files", (1,), names=("a.tif",)), None, made, "v7", {"dilation_size": 5}, None,
        False, False, software.in_use(),
    )  # fmt: skip
    chunks.work(job, 0, 1)
    assert os.listdir("m") == ["a.png"]
    pages = [Image.fromarray(image) for image in heads(2, np.uint8)]
    pages[0].save("a.tif", save_all=True, append_images=pages[1:])
    chunks.work(job, 0, 1)
    assert os.listdir("m") == ["a.npy"]


# --- what is removed -----------------------------------------------------------------------------------------------

OUTPUTS = pytest.mark.parametrize("output", ["m.npy", "m.zarr", "m"])


def begun_only(output):
    """Leave the first line of a journal, as a run that is killed soon does."""
    book = Path(f"{output}.batch/journal.jsonl")
    book.write_bytes(b"\n".join(book.read_bytes().splitlines()[:2]) + b"\n")


@OUTPUTS
def test_a_restart_keeps_what_others_put_beside_the_journal(output):
    np.save("a.npy", heads(4))
    serial("a.npy", output)
    notes = [
        Path(f"{output}.batch", name)
        for name in ("notes.txt", "results.xlsx", "masks-of-mine/x.png")
    ]
    for note in notes:
        note.parent.mkdir(exist_ok=True)
        note.write_text("mine")
    serial("a.npy", output, "v1", restart=True)
    assert [note.read_text() for note in notes] == ["mine"] * 3
    same(read(output, 4), one_by_one(heads(4), "v1"))


FOREIGN = [".partial-mine", "notes.partial", "a_000001.npy", "a_000001.npy/x", "c/notes.partial"]


@pytest.mark.parametrize("where", ["notes.txt", "sub/x.png", "a_000009.png", "empty", *FOREIGN])
@pytest.mark.parametrize("output", ["m.zarr", "m"])
def test_a_restart_keeps_what_others_put_among_the_masks(skullmask, output, where):
    np.save("a.npy", heads(4))
    serial("a.npy", output)
    mine = Path(output, where)
    mine.parent.mkdir(exist_ok=True)
    mine.mkdir() if where == "empty" else mine.write_text("mine")
    before = everything(".")
    for _ in range(2):
        code, out, [line] = skullmask(
            "batch", "a.npy", output, "--version", "v1", "--backend", "serial", "--restart"
        )
        assert (code, out) == (2, "")
        assert str(Path(output, where.split("/")[0]).absolute()) in line
        assert everything(".") == before
    shutil.move(Path(output, where.split("/")[0]), "elsewhere")
    serial("a.npy", output, "v1", restart=True)
    same(read(output, 4), one_by_one(heads(4), "v1"))


def test_a_restart_does_not_go_through_links():
    Path("a/sub").mkdir(parents=True)
    Image.fromarray(heads(1, np.uint8)[0]).save("a/sub/x.png")
    serial("a", "m")
    Path("m/sub").rename("precious")
    Path("m/sub").symlink_to(Path("precious").absolute())
    before = everything(".")
    with pytest.raises(InputError, match=r"/m/sub: "):
        serial("a", "m", "v1", restart=True)
    assert everything(".") == before


HIDDEN = [".DS_Store", "Thumbs.db", ".git/HEAD"]
OF_SYSTEMS = pytest.mark.parametrize("output", ["m.zarr", "m", "sub"])


def with_hidden(output):
    """Make masks, in folders where they have some, among which systems leave files; name these files."""
    images = "a.npy"
    np.save(images, heads(4))
    if output == "sub":
        images = "a"
        Path("a/x").mkdir(parents=True)
        for index, image in enumerate(heads(4)):
            np.save(f"a/x/{index}.npy", image)
    serial(images, output)
    hidden = [Path(output, name) for name in HIDDEN]
    hidden += [Path("sub/x/.DS_Store")] if output == "sub" else []
    for file in hidden:
        file.parent.mkdir(exist_ok=True)
        file.write_text("of a system")
    return images, hidden


@OF_SYSTEMS
def test_what_systems_leave_among_masks_stops_nothing_and_stays(output):
    images, hidden = with_hidden(output)
    before = everything(output)
    serial(images, output)
    assert everything(output) == before
    for version in ("v1", "v8", "v1"):
        serial(images, output, version, restart=True)
        assert [file.read_text() for file in hidden] == ["of a system"] * len(hidden)
        if output != "sub":
            same(read(output, 4), one_by_one(heads(4), version))
        assert sorted(os.listdir(f"{output}.batch")) == [
            "errors.csv",
            "journal.jsonl",
            "results.csv",
        ]


@OF_SYSTEMS
def test_what_systems_leave_stays_though_the_run_is_stopped(output):
    images, hidden = with_hidden(output)

    def progress(told):
        if told.images >= 3:
            raise KeyboardInterrupt

    for restart in (True, True, False):
        with pytest.raises(KeyboardInterrupt):
            serial(images, output, "v1", restart=restart, progress=progress)
        assert [file.read_text() for file in hidden] == ["of a system"] * len(hidden)
    serial(images, output, "v1")
    assert [file.read_text() for file in hidden] == ["of a system"] * len(hidden)
    if output != "sub":
        same(read(output, 4), one_by_one(heads(4), "v1"))


@pytest.mark.parametrize("output", ["m.zarr", "m"])
def test_what_systems_leave_in_an_empty_folder_is_nothing(output):
    np.save("a.npy", heads(4))
    for folder in (output, f"{output}.batch"):
        Path(folder).mkdir()
        Path(folder, ".DS_Store").write_text("of a system")
    serial("a.npy", output)
    same(read(output, 4), one_by_one(heads(4)))
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
    before = everything("m.zarr")
    with pytest.raises(InputError, match=r"m\.zarr"):
        serial("a.npy", "m.zarr", restart=restart)
    assert everything("m.zarr") == before


def test_masks_may_have_hidden_names():
    Path("a").mkdir()
    for index, image in enumerate(heads(4)):
        np.save(f"a/.{index}.npy", image)
    Path("a.txt").write_text("".join(f"a/.{index}.npy\n" for index in range(4)))
    for version in ("v7", "v7", "v1"):
        serial("a.txt", "m", version, restart=version == "v1")
        same(
            np.stack([np.load(f"m/.{index}.npy") for index in range(4)]),
            one_by_one(heads(4), version),
        )
        assert recorded("m") == [0, 3]


@pytest.mark.parametrize("output", ["m.zarr", "m"])
def test_what_comes_among_the_masks_while_they_are_removed_stays(monkeypatch, output):
    np.save("a.npy", heads(4))
    serial("a.npy", output)
    notes = Path(output, "c/notes.txt" if output == "m.zarr" else "notes.txt")
    check = ownership.check_alone
    checks = []

    def checked_a_moment_before(made):
        check(made)
        checks.append(made.path)
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
    before = everything(".")
    with pytest.raises(InputError, match=rf"/{output}: "):
        serial("a.npy", output, "v1", restart=restart)
    assert everything(".") == before
    os.rename(output, "precious")
    kept = everything("precious")
    serial("a.npy", output, "v1", restart=restart)
    same(read(output, 4), one_by_one(heads(4), "v1"))
    assert everything("precious") == kept
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
        Image.fromarray(heads(1, np.uint8)[0]).save("a/2.png")
    before = everything(".")
    options = ["--version", "v7", "--backend", "serial", "--chunk", "1", *(["--restart"] * restart)]
    code, out, [line] = skullmask("batch", "a", "m", *options)
    assert (code, out) == (2, "")
    assert str(Path("m", name.split("/")[0]).absolute()) in line
    assert everything(".") == before
    shutil.move(Path("m", name.split("/")[0]), "elsewhere")
    assert serial("a", "m", chunk=1, restart=restart).failed == (not mended)
    assert sorted(os.listdir("m")) == ["0.png", "1.png", "2.png"][: 2 + mended]


def test_what_is_called_like_a_mask_stops_no_run_that_is_done():
    np.save("a.npy", heads(4))
    serial("a.npy", "m")
    Path("m/a_000001.npy").write_text("mine")
    before = everything(".")
    assert serial("a.npy", "m").failed == 0
    kept = everything(".")
    assert {path: kept[path] for path in kept if path.parts[0] == "m"} == {
        path: before[path] for path in before if path.parts[0] == "m"
    }


@pytest.mark.usefixtures("pictures")
def test_a_run_goes_on_though_it_was_stopped_while_it_mended(monkeypatch):
    Image.fromarray(heads(1, np.uint8)[0]).save("a/2.png")

    def killed(*_):
        shutil.copytree("m.batch", "left")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal, "append", killed)
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
    before = everything(".")
    options = ["--version", "v7", "--backend", "serial", "--chunk", "3", *(["--restart"] * restart)]
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", "--table", other, *options)
    assert (code, out) == (2, "")
    assert str(mine.absolute()) in line
    assert everything(".") == before
    mine.rename("elsewhere")
    for kind in (other, ours):
        serial("a.npy", "m.npy", table=kind, restart=restart)
        assert [path.name for path in Path("m.npy.batch").glob("results.*")] == [f"results.{kind}"]
    mine.write_text("mine")
    serial("a.npy", "m.npy", table=ours)
    assert mine.read_text() == "mine"


@pytest.mark.usefixtures("stopped")
def test_a_restart_refuses_at_once_what_has_come_in_the_way():
    Path("m.npy").write_text("precious")
    before = everything(".")
    with pytest.raises(InputError, match=r"/m\.npy: .*m\.npy\.batch/masks-"):
        serial("a.npy", "m.npy", "v1", restart=True)
    assert everything(".") == before


@pytest.mark.parametrize("restart", [False, True])
def test_another_array_in_the_place_of_the_masks_at_an_address_stays(restart):
    np.save("a.npy", heads(4))
    serial("a.npy", f"memory://taken_{restart}.zarr")
    precious = zarr.create_array(
        f"memory://taken_{restart}.zarr", shape=(5, 4), dtype="f8", overwrite=True
    )
    precious[:] = 7
    with pytest.raises(InputError, match=r"taken_\w+\.zarr: "):
        serial("a.npy", f"memory://taken_{restart}.zarr", restart=restart)
    assert (zarr.open_array(f"memory://taken_{restart}.zarr", mode="r")[:] == 7).all()


def test_masks_at_an_address_that_were_hardly_begun_go_on():
    np.save("a.npy", heads(4))
    serial("a.npy", "memory://hardly.zarr")
    begun_only("hardly.zarr")
    assert serial("a.npy", "memory://hardly.zarr").failed == 0
    assert recorded("hardly.zarr") == [0, 3]


# --- a journal that somebody has changed ---------------------------------------------------------------------------


def is_refused_in_one_line(output="m.npy", **options):
    """See that a run is refused in one line and that nothing was changed."""
    before = everything(".")
    with pytest.raises(InputError) as refused:
        serial("a.npy", output, **options)
    assert "\n" not in str(refused.value)
    assert f"{output}.batch/journal.jsonl" in str(refused.value)
    assert everything(".") == before


NO_JOURNALS = {
    "a text": b"dear diary\n",
    "another format": b'{"run": {"token": "01234567"}}\n',
    "no run first": b'["0", {"state": "done"}]\n',
    "only a name": b'["run"]\n',
    "no record": b'["run", []]\n',
    "nothing in it": b'["run", {}]\n',
    "a deep one": b"[" * 100_000 + b"\n",
    "a long number": b'["run", {"chunk": ' + b"9" * 10_000 + b"}]\n",
    "no UTF-8": b"\xff\xfe\n",
}


@pytest.mark.parametrize("case", NO_JOURNALS)
@pytest.mark.parametrize("restart", [False, True])
def test_what_is_no_journal_is_left_alone(case, restart):
    np.save("a.npy", heads(4))
    Path("m.npy.batch").mkdir()
    Path("m.npy.batch/journal.jsonl").write_bytes(NO_JOURNALS[case])
    is_refused_in_one_line(restart=restart)


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_a_journal_is_a_file(kind):
    np.save("a.npy", heads(4))
    Path("m.npy.batch").mkdir()
    Path("precious").write_text("")
    book = Path("m.npy.batch/journal.jsonl")
    {
        "link": lambda: book.symlink_to("../precious"),
        "folder": book.mkdir,
        "pipe": lambda: os.mkfifo(book),
    }[kind]()
    is_refused_in_one_line()


RUN = {
    "table": [None, 7, "xlsx", ["csv"]],
    "token": [None, 7, "", "../../x", "0123456", "0123456g", "/01234567", "01234567\n"],
    "chunk": [None, True, 0, -3, 3.0, "3", 10**18],
    "masks": [None, [], {}, {"kind": "npy"}, {"kind": "exe", "shape": [4, 48, 40]}],
    "address": [None, 7, ["memory://x"]],
    "files": [None, "a.png", ["a.png"], ["../../x.png"] * 4, ["/etc/x.png"] * 4, [7] * 4, ["a\0b.png"] * 4,
              ["C:\\x.png"] * 4, ["..\\x.png"] * 4, [""] * 4],
}  # fmt: skip
SHAPES = [
    None,
    [],
    [4],
    [0, 48, 40],
    [-1, 48, 40],
    [4.0, 48, 40],
    [True, 48, 40],
    ["4", 48, 40],
    [10**30, 48, 40],
]
CHUNK = {
    "state": [None, "", "gone", 7],
    "from": [None, -1, 1.5, "7", True, 10**30],
    "made": [None, -1, 1.5, "7", True],
    "failed": [None, -1, 4, 0.5, "0"],
    "bytes": [None, -1, 1.5, 2**63, 10**30],
    "seconds": [None, [], {"read": 1}, {"read": 1, "compute": 1, "write": "1"}, {"read": -1, "compute": 1, "write": 1},
                {"read": float("nan"), "compute": 1, "write": 1}],
    "rows": [None, {}, [], [{}] * 3, [7] * 3, [{"name": "a", "flags": 7}] * 3, [{"name": "a", "flags": ""}],
             [{"name": "a", "flags": "", "iou": "1"}] * 3, [{"name": "a", "flags": "", "area_px": 0.5}] * 3,
             [{"name": "a", "flags": "", "area_px": 10**400}] * 3],
}  # fmt: skip
ITEMS = ["", "x", "-3", "1", "4", "03", "3.0", "²", "9" * 5000, "run"]


def changed(records, line, key, value):
    """Give records of which one says something else, or says something no longer."""
    records = copy.deepcopy(records)
    if value is None:
        records[line][1].pop(key, None)
    else:
        records[line][1][key] = value
    return records


def written(output, records):
    Path(f"{output}.batch/journal.jsonl").write_text(
        "".join(json.dumps(record) + "\n" for record in records)
    )


def records_of(output):
    lines = Path(f"{output}.batch/journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if line]


@pytest.mark.parametrize("restart", [False, True])
def test_a_journal_that_somebody_has_changed_is_refused(restart):
    np.save("a.npy", heads(4))
    for output in ("m.npy", "m"):
        serial("a.npy", output)
        records = records_of(output)
        cases = [changed(records, 0, key, value) for key, values in RUN.items() for value in values]
        cases += [
            changed(records, 0, "masks", records[0][1]["masks"] | {"shape": shape})
            for shape in SHAPES
        ]
        cases += [
            changed(records, 1, key, value) for key, values in CHUNK.items() for value in values
        ]
        cases += [[records[0], [item, records[1][1]]] for item in ITEMS]
        if output == "m":
            names = records[1][1]["files"]
            wrong = [
                None,
                {},
                [],
                names[:2],
                [*names[:2], 7],
                [*names[:2], "../x.png"],
                [names[1], names[0], names[2]],
            ]
            cases += [changed(records, 1, "files", value) for value in wrong]
        cases += [
            [*records, ["table", {"kinds": kinds}]]
            for kinds in (None, "csv", [], ["xlsx"], [["csv"]])
        ]
        for case in (case for case in cases if case != records):
            written(output, case)
            is_refused_in_one_line(output, restart=restart)
        written(output, records)
        assert serial("a.npy", output).failed == 0


OUTSIDE = {
    "above": "../x.png",
    "above a folder": "sub/../../x.png",
    "absolute": "/etc/x.png",
    "the folder itself": ".",
    "nothing": "",
}


@pytest.mark.parametrize("case", OUTSIDE)
@pytest.mark.parametrize("restart", [False, True])
def test_a_journal_names_no_files_outside_though_its_checksum_is_right(case, restart):
    np.save("a.npy", heads(4))
    serial("a.npy", "m")
    records = records_of("m")
    names = [OUTSIDE[case], *records[0][1]["files"][1:]]
    facts = mask_stacks.masks_at("m", "files", (4,), tuple(names)).facts()
    records = changed(records, 0, "files", names)
    written("m", changed(records, 0, "masks", facts))
    is_refused_in_one_line("m", restart=restart)


@pytest.mark.parametrize(
    "name", ["C:x.png", "C:\\x.png", "\\Windows\\x.png", "..\\x.png", "\\\\host\\share\\x.png"]
)
def test_a_name_leads_nowhere_on_windows(monkeypatch, name):
    assert records_module._is_name(name)
    monkeypatch.setattr(records_module, "PurePath", PureWindowsPath)
    assert not records_module._is_name(name)
    assert records_module._is_name("sub\\x.png")


def test_a_journal_is_read_once_in_a_run(monkeypatch):
    scans = []
    scan = journal.scan

    def counted(path):
        scans.append(path)
        yield from scan(path)

    monkeypatch.setattr(journal, "scan", counted)
    np.save("a.npy", heads(10))
    for version, restart in (("v7", False), ("v7", False), ("v1", True)):
        scans.clear()
        serial("a.npy", "m.npy", version, restart=restart)
        assert len(scans) == 1
        same(np.load("m.npy"), one_by_one(heads(10), version))


@pytest.mark.parametrize("restart", [False, True])
def test_a_journal_is_checked_to_its_end(restart):
    np.save("a.npy", heads(10))
    serial("a.npy", "m.npy")
    written("m.npy", changed(records_of("m.npy"), -1, "rows", []))
    is_refused_in_one_line(restart=restart)


def refusal(images, output, **options):
    """Run, and give the line in which that is refused, if it is."""
    try:
        serial(images, output, **options)
    except InputError as error:
        return str(error)
    return ""


def leaves(value, path=()):
    """Go through all places in JSON."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from leaves(value[key], (*path, key))


WEIRD = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        -1,
        2**63,
        10**400,
        0.5,
        float("inf"),
        "",
        "\ud800",
        "x",
        "../../x",
        "/etc",
        "a\0b",
        "\x1b[2J",
        [],
        {},
        [0],
        {"a": 1},
    ]
)


@settings(max_examples=60)
@given(data=st.data(), output=st.sampled_from(["m.npy", "m"]), restart=st.booleans())
def test_a_journal_is_never_trusted_beyond_its_own_files(tmp_path_factory, data, output, restart):
    """Whatever it says, a run ends with the right masks or in one line, and others' files stay."""
    outside = tmp_path_factory.mktemp("outside")
    here = outside / "x" / "here"
    here.mkdir(parents=True)
    precious = [outside / "x.png", outside / "x" / "x", here / "x", here / f"{output}.batch.txt"]
    for file in precious:
        file.write_text("precious")
    np.save(here / "a.npy", heads(4))
    serial(here / "a.npy", here / output)
    book = here / f"{output}.batch" / "journal.jsonl"
    (here / f"{output}.batch" / "notes.txt").write_text("precious")
    records = [json.loads(line) for line in book.read_text().splitlines() if line]
    line = data.draw(st.integers(0, len(records) - 1))
    *path, last = data.draw(st.sampled_from([path for path in leaves(records[line]) if path]))
    place = records[line]
    for key in path:
        place = place[key]
    if isinstance(place, dict) and data.draw(st.booleans()):
        del place[last]
    else:
        place[last] = data.draw(WEIRD)
    book.write_text("".join(json.dumps(record) + "\n" for record in records))
    refused = refusal(here / "a.npy", here / output, restart=restart)
    assert refused.isprintable()
    if not refused:
        same(read(str(here / output), 4), one_by_one(heads(4)))
    assert {file.read_text() for file in precious} == {"precious"}
    assert (here / f"{output}.batch" / "notes.txt").read_text() == "precious"
    assert sorted(path.name for path in outside.iterdir()) == ["x", "x.png"]
    assert sorted(path.name for path in (outside / "x").iterdir()) == ["here", "x"]


@settings(max_examples=80)
@given(
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4
    )
)
def test_bytes_of_a_journal_may_change(tmp_path_factory, changes):
    here = tmp_path_factory.mktemp("bytes")
    np.save(here / "a.npy", heads(4))
    serial(here / "a.npy", here / "m.npy")
    book = here / "m.npy.batch" / "journal.jsonl"
    content = bytearray(book.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    book.write_bytes(content)
    refused = refusal(here / "a.npy", here / "m.npy")
    assert refused.isprintable()
    if not refused:
        same(np.load(here / "m.npy"), one_by_one(heads(4)))
