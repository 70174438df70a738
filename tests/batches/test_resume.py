"""What lies where a run is to write, of others or of an earlier run, is neither lost nor mixed in."""

import concurrent.futures as cf
import contextlib
import errno
import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import zarr
from batching import (
    assert_same,
    heads,
    killed_and_leaving_a_copy,
    one_by_one,
    results_of,
    save_head,
    serial,
    tables_of,
)
from complaints import refused
from folders import contents_of
from PIL import Image

from skullmask_lib import InputError, batch
from skullmask_lib.batches import backends, chunks, mask_stacks, pools, software, stacks, writing
from skullmask_lib.io import journal

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def stopped(folder):  # noqa: ARG001
    """Stop a run of ten heads once some are recorded."""

    def progress(report):
        if report.images >= 6:
            raise KeyboardInterrupt

    np.save("a.npy", heads(10))
    with pytest.raises(KeyboardInterrupt):
        serial("a.npy", "m.npy", progress=progress)


@pytest.mark.usefixtures("stopped")
def test_a_file_that_has_come_in_the_way_stays():
    Path("m.npy").write_text("precious")
    kept = Path("a.npy").read_bytes()
    with pytest.raises(InputError, match=r"/m\.npy: .*m\.npy\.batch/masks-"):
        serial("a.npy", "m.npy")
    assert Path("m.npy").read_text() == "precious"
    assert Path("a.npy").read_bytes() == kept
    Path("m.npy").unlink()
    serial("a.npy", "m.npy")
    assert_same(np.load("m.npy"), one_by_one(heads(10)))


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


def save_with_voxels_of(mm):
    image = nib.Nifti1Image(heads(1)[0][..., None], np.diag([mm, mm, mm, 1]))
    nib.save(image, "a/x.nii")


def save_in_the_shape(shape):
    np.save("a/x.npy", heads(1)[0].reshape(shape))


@pytest.mark.parametrize(
    ("save", "before", "after"),
    [(save_with_voxels_of, 4, 1), (save_in_the_shape, (48, 40), (40, 48))],
)
def test_the_same_bytes_of_another_size_are_other_images(save, before, after):
    Path("a").mkdir()
    save(before)
    serial("a", "m", "v8")
    masks = contents_of("m")
    save(after)
    with pytest.raises(InputError, match=r"/a: .*images 0 to 0 "):
        serial("a", "m", "v8")
    save(before)
    assert serial("a", "m", "v8").failed == 0
    assert contents_of("m") == masks


@pytest.fixture
def failing(folder):  # noqa: ARG001
    """Three files, of which the second is broken."""
    Path("a").mkdir()
    for name, image in zip("xyz", heads(3), strict=True):
        np.save(f"a/{name}.npy", image)
    Path("a/y.npy").write_bytes(b"no array")


@pytest.mark.usefixtures("failing")
def test_workers_end_before_what_they_wrote_is_removed(monkeypatch):
    written = []

    @contextlib.contextmanager
    def slow(*_):
        with pools.serial() as pool:
            try:
                yield pool
            finally:
                written.extend(Path("m.batch").glob("masks-*"))

    monkeypatch.setattr(backends, "pool", slow)
    with pytest.raises(pools.Stopped, match=r"^y\.npy: "):
        serial("a", "m", fail_fast=True)
    assert len(written) == 1
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
    append = journal.append

    def killed_after_the_first_line(path, key, record):
        if key != "run":
            killed_and_leaving_a_copy()
        return append(path, key, record)

    with monkeypatch.context() as patch:
        patch.setattr(journal, "append", killed_after_the_first_line)
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
            if start == 3:
                future.set_exception(pools.WorkerDied())
            else:
                future.set_result(function(job, start, stop))
            return future

        yield pools.Pool(submit, lambda: 1, pools.wait)

    monkeypatch.setattr(backends, "pool", deadly)
    np.save("a.npy", heads(10))
    with pytest.raises(pools.Stopped, match=r"^a\.npy\[3\]: .* 3 workers$"):
        serial("a.npy", "m.npy", fail_fast=True)
    assert serial("a.npy", "m.npy").set_aside == ("a.npy[3] … a.npy[5]",)


def test_a_file_that_comes_in_the_way_while_it_runs_stays_too():
    def progress(report):
        if report.images == 10:
            Path("m.npy").write_text("precious")

    np.save("a.npy", heads(10))
    with pytest.raises(InputError, match=r"/m\.npy: .*m\.npy\.batch/masks-"):
        serial("a.npy", "m.npy", progress=progress)
    assert Path("m.npy").read_text() == "precious"
    Path("m.npy").unlink()
    serial("a.npy", "m.npy")
    assert_same(np.load("m.npy"), one_by_one(heads(10)))


def test_what_cannot_begin_anew_keeps_what_there_is(monkeypatch):
    np.save("a.npy", heads(4))
    serial("a.npy", "m.npy")
    before = contents_of(".")
    monkeypatch.setattr("skullmask_lib.batches.clusters._PATIENCE_S", 0.2)
    with refused("tcp://127.0.0.1:9"):
        batch("a.npy", "m.npy", version="v7", chunk=3, scheduler="tcp://127.0.0.1:9", restart=True)
    assert contents_of(".") == before


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
    here = re.escape(str(Path("m.zarr").absolute()))
    with pytest.raises(InputError, match=rf"m\.zarr\.batch: .*{here};"):
        serial("a.npy", "memory://x/m.zarr")


@pytest.mark.usefixtures("stopped")
def test_a_worker_left_over_from_another_run_meets_none_of_the_new():
    [masks_before] = Path("m.npy.batch").glob("masks-*")

    def progress(_):
        masks_before.write_bytes(b"late")

    serial("a.npy", "m.npy", version="v1", restart=True, progress=progress)
    assert_same(np.load("m.npy"), one_by_one(heads(10), "v1"))


def test_a_worker_left_over_makes_no_folder_anew():
    images = stacks.Stack("", "npy", (2, 48, 40))
    masks = mask_stacks.planned("m.batch/masks-1", images)
    with pytest.raises(InputError, match=r"/masks-1: "), writing.writing(masks, 0, 2) as write:
        write(0, one_by_one(heads(1)), None)
    assert os.listdir() == []


def test_a_folder_may_be_called_as_what_is_half_written():
    Path("a/scan.partial").mkdir(parents=True)
    save_head("a/scan.partial/x.png")
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
    assert_same(np.load("m.npy"), one_by_one(heads(4), dilation_size=5))


def test_names_beyond_ascii_and_beyond_unicode():
    Path("a").mkdir()
    for name in ("头.png", os.fsdecode(b"\xff.png")):
        save_head(Path("a", name))
    code = (
        "import skullmask_lib as sm;"
        "print(sm.batch('a', 'm', version='v7', backend='serial').failed)"
    )
    run = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        env=os.environ | {"LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, b"0\n"), run.stderr
    assert len(results_of("m")) == 2
    assert len(list(Path("m").iterdir())) == 2


def test_a_header_of_less_than_nothing_is_refused():
    header = {"descr": "<f4", "fortran_order": False, "shape": (-3, 8, 8)}
    with open("a.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with refused("a.npy", naming=["(-3, 8, 8)"]):
        serial("a.npy", "m.npy")


def test_chunks_of_zarr_that_no_worker_can_hold_are_refused(monkeypatch):
    images = heads(9)
    array = zarr.create_array("a.zarr", shape=images.shape, chunks=images.shape, dtype="f4")
    array[:] = images
    monkeypatch.setattr(stacks, "_LARGEST_CHUNK_BYTES", images.nbytes - 1)
    with pytest.raises(InputError, match=r"/a\.zarr: .* MiB"):
        serial("a.zarr", "m.npy")


def test_a_table_of_another_kind_is_not_left_beside():
    np.save("a.npy", heads(4))
    serial("a.npy", "m.npy")
    serial("a.npy", "m.npy", table="parquet")
    assert tables_of("m.npy") == ["results.parquet"]


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
    both = ["results.csv", "results.parquet"]
    assert sorted(tables_of("m.npy")) == (both if replaced else ["results.csv"])
    run = serial("a.npy", "m.npy", table=then, restart=restart)
    assert run.results == Path(f"m.npy.batch/results.{then}").absolute()
    assert tables_of("m.npy") == [run.results.name]
    assert (run.images, run.failed) == (4, 0)


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
    table = Path("m.npy.batch", name).absolute()
    table.unlink()
    table.mkdir()
    Path(table, "precious").write_text("")
    with pytest.raises(InputError, match=re.escape(str(table))):
        serial("a.npy", "m.npy")


def test_masks_of_files_of_an_earlier_attempt_give_way():
    """What was a picture may be of several pages when it is mended."""
    images = stacks.Stack(os.getcwd(), "files", (1,), names=("a.tif",))
    masks = mask_stacks.planned("m", images)
    job = chunks.Job(
        images=images,
        truth=None,
        masks=masks,
        version="v7",
        options={"dilation_size": 5},
        spacing_mm=None,
        quality=False,
        fail_fast=False,
        software=software.in_use(),
    )
    Path("m").mkdir()
    save_head("a.tif")
    chunks.work(job, 0, 1)
    assert os.listdir("m") == ["a.png"]
    pages = [Image.fromarray(image) for image in heads(2, np.uint8)]
    pages[0].save("a.tif", save_all=True, append_images=pages[1:])
    chunks.work(job, 0, 1)
    assert os.listdir("m") == ["a.npy"]


@pytest.mark.usefixtures("stopped")
def test_a_restart_refuses_at_once_what_has_come_in_the_way():
    Path("m.npy").write_text("precious")
    before = contents_of(".")
    with pytest.raises(InputError, match=r"/m\.npy: .*m\.npy\.batch/masks-"):
        serial("a.npy", "m.npy", "v1", restart=True)
    assert contents_of(".") == before
