"""What lies where a run is to write, or what a run that went before left there, is never lost and never mixed in."""

import concurrent.futures as cf
import contextlib
import errno
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import zarr
from batches import everything, heads, one_by_one, rows_of, same, serial
from PIL import Image

from skullmask_lib import InputError, batch, chunks, journal, pools, stacks

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
    with pytest.raises(InputError, match=r"m\.npy: is in the way of the masks, which are in .*; move it$"):
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
    with pytest.raises(InputError, match="is in the way of the masks"):
        serial("a.npy", "m.npy")
    assert Path("m.npy").read_text() == "precious"


def test_masks_without_their_header_are_no_masks():
    np.save("a.npy", heads(4))
    serial("a.npy", "m.npy")
    with open("m.npy", "r+b") as file:
        file.write(bytes(64))
    with pytest.raises(InputError, match="is in the way of the masks"):
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
    with pytest.raises(InputError, match="images 0 to 0 are no longer those that this run began with"):
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

    monkeypatch.setitem(pools.BACKENDS, "slow", slow)
    with pytest.raises(pools.Stopped, match=r"^y\.npy: "):
        serial("a", "m", backend="slow", fail_fast=True)
    assert len(seen) == 1
    assert os.listdir() == ["a"]


@pytest.mark.usefixtures("failing")
def test_what_cannot_be_removed_does_not_stand_in_the_way(monkeypatch):
    def rmtree(*_, **__):
        raise OSError(errno.ENOTEMPTY, "a worker is still writing")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", rmtree)
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
        patch.setattr(journal, "append", lambda *given: append(*given) if given[1] == "run" else killed())
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
            future.set_exception(pools.Died()) if start == 3 else future.set_result(function(job, start, stop))
            return future

        yield pools.Pool(submit, lambda: 1, pools._wait)

    monkeypatch.setitem(pools.BACKENDS, "deadly", deadly)
    np.save("a.npy", heads(10))
    with pytest.raises(pools.Stopped, match=r"^a\.npy\[3\]: its chunk killed 3 workers$"):
        serial("a.npy", "m.npy", backend="deadly", fail_fast=True)
    assert serial("a.npy", "m.npy", backend="deadly").set_aside == ("a.npy[3] … a.npy[5]",)


def test_a_file_that_comes_in_the_way_while_it_runs_stays_too():
    np.save("a.npy", heads(10))
    with pytest.raises(InputError, match="is in the way of the masks"):
        serial("a.npy", "m.npy", progress=lambda told: told.images == 10 and Path("m.npy").write_text("precious"))
    assert Path("m.npy").read_text() == "precious"
    Path("m.npy").unlink()
    serial("a.npy", "m.npy")
    same(np.load("m.npy"), one_by_one(heads(10)))


def test_what_cannot_begin_anew_keeps_what_there_is(monkeypatch):
    np.save("a.npy", heads(4))
    serial("a.npy", "m.npy")
    before = everything(".")
    monkeypatch.setattr("skullmask_lib.pools._PATIENCE_S", 0.2)
    with pytest.raises(InputError, match="expected a scheduler of Dask with workers"):
        batch("a.npy", "m.npy", version="v7", chunk=3, scheduler="tcp://127.0.0.1:9", restart=True)
    assert everything(".") == before


def test_two_addresses_of_one_name_are_two():
    np.save("a.npy", heads(4))
    serial("a.npy", "memory://x/m.zarr")
    precious = zarr.create_array("memory://y/m.zarr", shape=(5, 4), dtype="f8")
    precious[:] = 7
    for restart in (False, True):
        with pytest.raises(
            InputError, match=r"m\.zarr\.batch: belongs to memory://x/m\.zarr; start from another folder"
        ):
            serial("a.npy", "memory://y/m.zarr", restart=restart)
    assert (zarr.open_array("memory://y/m.zarr", mode="r")[:] == 7).all()


@pytest.mark.usefixtures("stopped")
def test_a_worker_left_over_from_another_run_meets_none_of_the_new():
    [before] = Path("m.npy.batch").glob("masks-*")
    serial("a.npy", "m.npy", version="v1", restart=True, progress=lambda _: before.write_bytes(b"late"))
    same(np.load("m.npy"), one_by_one(heads(10), "v1"))


def test_a_worker_left_over_makes_no_folder_anew():
    found = stacks.Stack("", "npy", (2, 48, 40))
    made = stacks.for_masks("m.batch/masks-1", found)
    with pytest.raises(InputError, match="masks-1: is gone"), stacks.writing(made, 0, 2) as put:
        put(0, one_by_one(heads(1)), "")
    assert os.listdir() == []


def test_a_folder_may_be_called_as_what_is_half_written():
    Path("a/scan.partial").mkdir(parents=True)
    Image.fromarray(heads(1, np.uint8)[0]).save("a/scan.partial/x.png")
    assert serial("a", "m").failed == 0
    assert [str(path) for path in Path("m").rglob("*.png")] == ["m/scan.partial/x.png"]


@pytest.mark.parametrize(("kind", "left"), [("m", ".partial-7-a_000001.png"), ("m.zarr", "c/0.7.partial")])
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
    with pytest.raises(InputError, match="m: is a link or a mount point, and could not be replaced"):
        serial("a.npy", "m")
    assert sorted(os.listdir()) == ["a.npy", "elsewhere", "m"]


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
        [sys.executable, "-X", "utf8=0", "-c", code], env=os.environ | {"LC_ALL": "C"}, capture_output=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, b"0\n"), ran.stderr
    assert len(rows_of("m.batch/results.csv")) == 2
    assert len(list(Path("m").iterdir())) == 2


def test_a_header_of_less_than_nothing_is_refused():
    with open("a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (-3, 8, 8)})
    with pytest.raises(InputError, match=r"a\.npy: expected images of shape \(N, H, W\), got \(-3, 8, 8\)"):
        serial("a.npy", "m.npy")


def test_chunks_of_zarr_that_no_worker_can_hold_are_refused(monkeypatch):
    zarr.create_array("a.zarr", shape=(9, 48, 40), chunks=(9, 48, 40), dtype="f4")[:] = heads(9)
    monkeypatch.setattr(stacks, "_LARGEST", 9 * 48 * 40 * 4 - 1)
    with pytest.raises(InputError, match=r"a\.zarr: each of its chunks has .* GB; store it anew"):
        serial("a.zarr", "m.npy")


def test_a_table_of_another_kind_is_not_left_beside():
    np.save("a.npy", heads(4))
    serial("a.npy", "m.npy")
    serial("a.npy", "m.npy", table="parquet")
    assert sorted(path.name for path in Path("m.npy.batch").glob("results.*")) == ["results.parquet"]


def test_masks_of_files_of_an_earlier_attempt_give_way():
    """What was a picture may be of several pages when it is mended."""
    made = stacks.for_masks("m", stacks.Stack(os.getcwd(), "files", (1,), names=("a.tif",)))
    Path("m").mkdir()
    Image.fromarray(heads(1, np.uint8)[0]).save("a.tif")
    job = chunks.Job(
        stacks.Stack(os.getcwd(), "files", (1,), names=("a.tif",)), None, made, "v7", {"dilation_size": 5}, None,
        False, False, journal.writers(),
    )  # fmt: skip
    chunks.work(job, 0, 1)
    assert os.listdir("m") == ["a.png"]
    pages = [Image.fromarray(image) for image in heads(2, np.uint8)]
    pages[0].save("a.tif", save_all=True, append_images=pages[1:])
    chunks.work(job, 0, 1)
    assert os.listdir("m") == ["a.npy"]
