"""Processes and clusters: the masks of one process, whoever is killed, and nobody left behind."""

import asyncio
import concurrent.futures
import contextlib
import functools
import http.server
import importlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import distributed
import numpy as np
import psutil
import pytest
import zarr
from batching import assert_same, column, errors_of, heads, one_by_one, read_masks, recorded, serial
from browser import wait_for
from commands import SKULLMASK
from inputs import later

import skullmask_lib
from skullmask_lib import InputError
from skullmask_lib.batches import backends, chunks, clusters, pools, workers

pytestmark = pytest.mark.usefixtures("folder")
OUTPUTS = ["m.npy", "m.zarr", "m"]
V7 = ("--version", "v7")
V8 = ("--version", "v8")
BACKENDS = pytest.mark.parametrize("backend", ["processes", "dask"])


def ended(run, *, seconds=120):
    """Wait for a run; give its exit code and error lines."""
    _, err = run.communicate(timeout=seconds)
    return run.returncode, err.splitlines()


def wait_until_recorded(output, more_than):
    """Wait until a run has recorded more than so many chunks."""
    wait_for(lambda: len(recorded(output)) > more_than, seconds=60)


def wait_until_nobody_is_left(runs):
    wait_for(lambda: not runs.alive(), seconds=20)


@functools.cache
def expected_masks(count, version):
    return one_by_one(heads(count), version)


def check_masks_and_tables(output, count, version):
    """See that masks and tables are those of an uninterrupted run in one process."""
    masks = expected_masks(count, version)
    assert_same(read_masks(output, count), masks)
    assert column(output, "name") == [f"a.npy[{index}]" for index in range(count)]
    areas_px = [int(area) for area in column(output, "area_px")]
    assert areas_px == masks.sum(axis=(1, 2)).tolist()
    assert errors_of(output) == {}


@pytest.mark.parametrize("output", ["m.npy", *later(*OUTPUTS[1:])])
def test_processes_make_the_same_masks(output):
    np.save("a.npy", heads(20))
    run = skullmask_lib.batch("a.npy", output, version="v7", workers=2, chunk=3)
    assert (run.images, run.failed, run.set_aside) == (20, 0, ())
    check_masks_and_tables(output, 20, "v7")


def test_threads_of_one_worker_do_one_task_at_a_time(monkeypatch):
    busy = threading.Lock()
    tasks = []

    def take_a_moment(job):
        assert busy.acquire(blocking=False)
        time.sleep(0.01)
        tasks.append(job)
        busy.release()

    np.save("a.npy", heads(4))
    with concurrent.futures.ThreadPoolExecutor(4) as executor:
        pool = pools.Pool(executor.submit, lambda: 4, pools.wait)
        monkeypatch.setattr(backends, "pool", lambda *_: contextlib.nullcontext(pool))
        monkeypatch.setattr(chunks, "_check_software", take_a_moment)
        for done in (4, 8):  # the second run verifies what the first has made
            skullmask_lib.batch("a.npy", "m.npy", version="v1", chunk=1)
            assert len(tasks) == done
    assert_same(np.load("m.npy"), one_by_one(heads(4), "v1"))


class Stubborn(Exception):
    def __init__(self, what, why):
        super().__init__(f"{what}: {why}")


def fail(how):
    error = Stubborn("a store", "is gone")
    if how == "cannot be sent":
        error.lock = threading.Lock()
    raise error


@pytest.mark.full
@pytest.mark.parametrize("how", ["cannot be sent", "cannot be received"])
def test_what_a_worker_raises_comes_over_in_words(monkeypatch, how):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with (
        workers.processes(1) as pool,
        pytest.raises(RuntimeError, match=r"^Stubborn: a store: is gone$"),
    ):
        list(pools.finished(pool, importlib.import_module("test_pools").fail, [(how,)]))


@pytest.mark.full
def test_a_script_that_its_workers_would_run_again_is_told_so(runs):
    np.save("a.npy", heads(4))
    Path("mine.py").write_text(
        'import skullmask_lib as sm\n\nsm.batch("a.npy", "m.npy", version="v7", workers=1)\n'
    )
    code, lines = ended(runs.start(sys.executable, "mine.py"))
    assert code == 1
    assert lines[-1].startswith("skullmask_lib.batches.pools.Stopped: ")
    assert 'under if __name__ == "__main__"' in lines[-1]
    assert sorted(os.listdir()) == ["a.npy", "mine.py"]


# --- killed --------------------------------------------------------------------------------------


@pytest.mark.full
@pytest.mark.parametrize("output", OUTPUTS)
def test_killed_at_random_moments_it_ends_with_the_same_masks(runs, output):
    count = 300
    rng = np.random.default_rng(len(output))
    np.save("a.npy", heads(count))
    command = (*SKULLMASK, "batch", "a.npy", output, *V8, "--workers", "2", "--chunk", "5")

    for attempt in range(3):
        # Every other run must get further than the one before.
        before = len(recorded(output)) if attempt % 2 else -1
        with runs.start(*command) as run:
            for kills, whom in enumerate(("worker", "parent"), 2 * attempt):
                wait_for(lambda run=run: len(runs.workers(run)) == 2, seconds=60)
                wait_until_recorded(output, before)
                moment = time.monotonic() + rng.uniform(0, 3)
                most = 6 * (kills + 1)  # chunks, so that some are left for the last run
                while time.monotonic() < moment and len(recorded(output)) < most:
                    time.sleep(0.01)
                everybody = {*runs.alive()}
                victim = rng.choice(runs.workers(run)) if whom == "worker" else run
                victim.kill()
        assert run.returncode == -signal.SIGKILL
        if rng.random() < 0.5:  # or the next run meets what is left of this one
            wait_for(lambda them=everybody: not them & {*runs.alive()}, seconds=20)

    assert not Path(output).exists()
    assert 0 < len(recorded(output)) < count // 5
    assert ended(runs.start(*command)) == (0, [])
    assert sorted(recorded(output)) == [*range(0, count, 5)]
    check_masks_and_tables(output, count, "v8")
    wait_until_nobody_is_left(runs)
    assert sorted(os.listdir()) == sorted(["a.npy", output, f"{output}.batch"])
    assert sorted(os.listdir(f"{output}.batch")) == ["errors.csv", "journal.jsonl", "results.csv"]
    if output == "m.npy":
        serial("a.npy", "whole.npy", "v8", chunk=count)
        assert Path("m.npy").read_bytes() == Path("whole.npy").read_bytes()


KILLER = """
import functools, os, pathlib
from skullmask_lib import versions
from skullmask_lib.cli.main import main

v7 = versions.VERSIONS["v7"]

@functools.wraps(v7)
def deadly(image, *args, **options):
    if image[0, 0] == 13 and not (pathlib.Path("once").exists() and pathlib.Path("died").exists()):
        with open("died", "a") as file:
            file.write("x")
        os._exit(1)
    return v7(image, *args, **options)

versions.VERSIONS["v7"] = deadly
if __name__ == "__main__":
    main()
"""


@pytest.fixture
def killer():
    """Give a command line on which the image a.npy[7] kills the process that takes it."""
    Path("killer.py").write_text(KILLER)
    images = heads(20)
    images[7, 0, 0] = 13
    np.save("a.npy", images)
    options = (*V7, "--chunk", "3", "--workers", "2")
    return (sys.executable, "killer.py", "batch", "a.npy", "m.npy", *options)


@pytest.mark.full
@BACKENDS
def test_a_worker_that_dies_is_replaced(runs, killer, backend):
    Path("once").touch()
    code, lines = ended(runs.start(*killer, "--backend", backend))
    assert code == 0
    assert backend == "dask" or not lines  # Dask may have a word of its own
    assert Path("died").read_text() == "x"
    assert_same(np.load("m.npy"), one_by_one(np.load("a.npy")))
    wait_until_nobody_is_left(runs)


@pytest.mark.full
@BACKENDS
def test_a_chunk_that_kills_three_workers_is_set_aside_and_named(runs, killer, backend):
    code, lines = ended(runs.start(*killer, "--backend", backend))
    assert code == 1
    if backend == "processes":
        assert len(lines) == 1  # Dask may have words of its own
    [line] = [line for line in lines if line.startswith("skullmask:")]
    assert line.startswith("skullmask: 3 of 20 ")
    assert f" {Path('m.npy.batch/errors.csv').absolute()};" in line
    assert "killed" in line
    assert line.endswith(": a.npy[6] … a.npy[8]")
    deaths = 3 if backend == "processes" else 6  # Dask's accused is tried alone
    assert Path("died").read_text() == "x" * deaths
    set_aside = ["a.npy[6]", "a.npy[7]", "a.npy[8]"]
    assert errors_of("m.npy") == dict.fromkeys(set_aside, "its chunk killed 3 workers")
    whole = one_by_one(np.load("a.npy"))
    expected = whole.copy()
    expected[6:9] = 0
    assert_same(np.load("m.npy"), expected)
    assert column("m.npy", "flags") == [""] * 6 + ["failed"] * 3 + [""] * 11
    wait_until_nobody_is_left(runs)
    assert ended(runs.start(*SKULLMASK, *killer[2:])) == (0, [])
    assert_same(np.load("m.npy"), whole)
    assert sorted(recorded("m.npy")) == [0, 3, 6, 6, 9, 12, 15, 18]


@pytest.mark.full
@pytest.mark.parametrize("after", ["start", "chunks"])
@BACKENDS
def test_ctrl_c_ends_a_run_soon_and_nobody_is_left(runs, backend, after):
    np.save("a.npy", heads(100))
    options = (*V8, "--workers", "2", "--chunk", "5", "--backend", backend)
    command = (*SKULLMASK, "batch", "a.npy", "m.npy", *options)
    run = runs.start(*command)
    if after == "start":
        wait_for(lambda: runs.workers(run), seconds=60)
    else:
        wait_until_recorded("m.npy", 2)
    os.killpg(run.pid, signal.SIGINT)
    code, lines = ended(run, seconds=30)
    assert (code, lines[-1]) == (130, "skullmask: interrupted")
    assert backend == "dask" or len(lines) == 1  # Dask may have a word of its own
    wait_until_nobody_is_left(runs)
    done = recorded("m.npy")
    assert (len(done) > 2) == (after == "chunks")
    assert Path("m.npy.batch").exists() == (after == "chunks")
    assert ended(runs.start(*command))[0] == 0
    assert sorted(recorded("m.npy")) == [*range(0, 100, 5)]
    check_masks_and_tables("m.npy", 100, "v8")


def test_ctrl_c_waits_until_a_process_is_started_whichever_thread_hears_it():
    over = threading.Event()
    started = []
    thread = threading.Thread(target=over.wait)
    thread.start()

    def start():
        with workers.ignoring_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
            started.append(True)

    with pytest.raises(KeyboardInterrupt):
        start()
    over.set()
    thread.join()
    assert started
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# --- Dask ----------------------------------------------------------------------------------------


class Cluster:
    """A scheduler and workers, each a process of its own, as on many machines."""

    def __init__(self, runs):
        self.runs = runs
        self.workers = []
        settings = Path("scheduler.json")
        options = ("--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        self.scheduler = self._start(
            "distributed.cli.dask_scheduler", *options, "--scheduler-file", settings
        )
        wait_for(lambda: settings.exists() and settings.read_text(), seconds=60)
        self.address = json.loads(settings.read_text())["address"]

    def _start(self, module, *options, **environment):
        """Run a module in a process that says what it has to say in a log."""
        command = (sys.executable, "-m", module, *options)
        settings = os.environ | self.runs.mark | environment
        with open("cluster.log", "a") as log:
            return subprocess.Popen(
                command, env=settings, stdout=log, stderr=log, start_new_session=True
            )

    def add_worker(self, **environment):
        options = ("--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard", "--no-nanny")
        worker = self._start("distributed.cli.dask_worker", self.address, *options, **environment)
        self.workers.append(worker)
        wait_for(lambda: self._registered() == len(self.workers), seconds=60)

    def _registered(self):
        return Path("cluster.log").read_text().count("Register worker")

    def end(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture
def cluster(runs):
    cluster = Cluster(runs)
    yield cluster
    cluster.end()


@pytest.mark.full
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_local_cluster_makes_the_same_masks(runs, output):
    np.save("a.npy", heads(20))
    options = (*V7, "--chunk", "3", "--backend", "dask", "--workers", "2")
    assert ended(runs.start(*SKULLMASK, "batch", "a.npy", output, *options)) == (0, [])
    check_masks_and_tables(output, 20, "v7")
    wait_until_nobody_is_left(runs)


@pytest.mark.full
def test_a_cluster_that_loses_a_worker_and_wins_one(runs, cluster):
    """Whatever masks are written into: that is tested above, on a local cluster and with dead workers."""
    for _ in range(3):
        cluster.add_worker()
    np.save("a.npy", heads(100))
    run = runs.start(
        *SKULLMASK, "batch", "a.npy", "m.zarr", *V8, "--chunk", "5", "--scheduler", cluster.address
    )
    wait_until_recorded("m.zarr", 4)
    cluster.workers[0].kill()
    wait_until_recorded("m.zarr", 10)
    cluster.add_worker()
    assert ended(run) == (0, [])
    check_masks_and_tables("m.zarr", 100, "v8")
    assert sorted(recorded("m.zarr")) == [*range(0, 100, 5)]


@pytest.mark.full
def test_a_scheduler_that_is_lost(runs, cluster):
    for _ in range(2):
        cluster.add_worker()
    np.save("a.npy", heads(100))
    run = runs.start(
        *SKULLMASK, "batch", "a.npy", "m.npy", *V8, "--chunk", "5", "--scheduler", cluster.address
    )
    wait_until_recorded("m.npy", 4)
    cluster.scheduler.kill()
    code, [*_, line] = ended(run)
    assert code == 1
    assert "the scheduler" in line
    assert "was lost" in line
    done = recorded("m.npy")
    assert len(done) > 4
    serial("a.npy", "m.npy", "v8", chunk=5)
    check_masks_and_tables("m.npy", 100, "v8")
    assert recorded("m.npy")[: len(done)] == done
    assert sorted(recorded("m.npy")) == [*range(0, 100, 5)]


@pytest.mark.full
def test_a_cluster_that_loses_its_last_worker(runs, cluster):
    cluster.add_worker()
    np.save("a.npy", heads(100))
    command = ("batch", "a.npy", "m.npy", *V8, "--chunk", "5", "--scheduler", cluster.address)
    hasty = (
        "from skullmask_lib.batches import clusters; clusters._WORKERLESS_S /= 4;"
        "from skullmask_lib.cli.main import main; main()"
    )
    run = runs.start(sys.executable, "-c", hasty, *command)
    wait_until_recorded("m.npy", 4)
    cluster.workers[0].kill()
    code, [*_, line] = ended(run)
    assert code == 1
    assert "no workers left" in line
    assert 4 < len(recorded("m.npy")) < 20
    cluster.add_worker()
    assert ended(runs.start(*SKULLMASK, *command)) == (0, [])
    check_masks_and_tables("m.npy", 100, "v8")
    assert sorted(recorded("m.npy")) == [*range(0, 100, 5)]


ANSWERS = {
    "silent": None,
    "garbage": np.random.default_rng(1).bytes(4096),
    "a web server": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(4096),
    "ones": b"\xff" * 4096,
    "hangs up": b"",
    "promises terabytes": (1).to_bytes(8, "little") + (2**42).to_bytes(8, "little"),
}


@contextlib.contextmanager
def answering(answer):
    """Listen on a port of this computer, and say always the same; give the port."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection = stack.enter_context(listener.accept()[0])
                    if answer is not None:
                        connection.sendall(answer)
                        connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)


@pytest.mark.parametrize("case", ANSWERS)
def test_what_is_no_scheduler_is_told_in_one_line(skullmask, monkeypatch, case):
    monkeypatch.setattr(clusters, "_PATIENCE_S", 1.0)
    np.save("a.npy", heads(4))
    with answering(ANSWERS[case]) as port:
        address = f"tcp://127.0.0.1:{port}"
        began = time.monotonic()
        code, out, [line] = skullmask("batch", "a.npy", "m.npy", "--scheduler", address)
        assert time.monotonic() - began < 5
    assert (code, out) == (2, "")
    assert line.startswith(f"skullmask: {address}: ")
    reason = "1 s" if case == "silent" else "something else"
    assert reason in line
    assert os.listdir() == ["a.npy"]


def test_a_web_server_is_no_scheduler(monkeypatch):
    monkeypatch.setattr(clusters, "_PATIENCE_S", 5.0)
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        monkeypatch.setattr(server.RequestHandlerClass, "log_message", lambda *_: None)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"tcp://127.0.0.1:{server.server_port}"
        with pytest.raises(InputError, match=rf"^{address}: "), clusters.dask(scheduler=address):
            pass
        server.shutdown()
        thread.join(timeout=10)


@pytest.mark.parametrize("promise", [
    struct.pack("<Q", 2**34),
    struct.pack("<QQQ", 16, 1, 2**34),
    struct.pack("<QQQQ", 24, 2, 2**20, 2**34),
], ids=["at once", "in a frame", "in a later frame"])  # fmt: skip
def test_of_what_a_port_promises_little_is_taken(monkeypatch, promise):
    monkeypatch.setattr(clusters, "_PATIENCE_S", 2.0)
    sent = []

    def flood(listener):
        with contextlib.suppress(OSError):
            while True:
                connection = listener.accept()[0]
                with contextlib.suppress(OSError), connection:
                    connection.sendall(promise)
                    while True:
                        sent.append(connection.send(bytes(2**20)))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=flood, args=(listener,), daemon=True)
        thread.start()
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(InputError, match=rf"^{address}: "), clusters.dask(scheduler=address):
            pass
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=10)
    assert sum(sent) < 2**25


@pytest.mark.full
def test_a_silent_port_is_given_up_soon(runs):
    np.save("a.npy", heads(4))
    with answering(None) as port:
        address = f"tcp://127.0.0.1:{port}"
        began = time.monotonic()
        run = runs.start(*SKULLMASK, "batch", "a.npy", "m.npy", "--scheduler", address)
        code, lines = ended(run, seconds=60)
        assert time.monotonic() - began < 15
    assert (code, len(lines)) == (2, 1)


def test_a_local_cluster_takes_nothing_from_strangers(monkeypatch):
    local_clusters = []
    client_of = distributed.Client

    def remembered(cluster, **options):
        local_clusters.append(cluster)
        return client_of(cluster, **options)

    monkeypatch.setattr(distributed, "Client", remembered)
    with clusters.dask(1) as pool:
        assert pool.submit(max, 3, 4).result(timeout=60) == 4
        [cluster] = local_clusters
        [(worker, facts)] = cluster.scheduler_info["workers"].items()
        addresses = [cluster.scheduler_address, worker, facts["nanny"]]
        assert all(address.startswith("tls://127.0.0.1:") for address in addresses)
        other = distributed.security.Security.temporary()
        for address in addresses:
            for scheme, security in (("tcp", None), ("tls", other)):
                with pytest.raises(Exception, match=r".") as refused:
                    asyncio.run(hello(address.replace("tls", scheme), security))
                assert not isinstance(refused.value, AssertionError)
        own = asyncio.run(hello(cluster.scheduler_address, cluster.security))
        assert own["type"] == "Scheduler"


async def hello(address, security):
    """Ask a server of Dask who it is."""
    security = security or distributed.security.Security()
    arguments = security.get_connection_args("client")
    connection = await asyncio.wait_for(
        distributed.comm.connect(address, timeout=2, **arguments), 3
    )
    try:
        await connection.write({"op": "identity", "reply": True})
        return await asyncio.wait_for(connection.read(), 3)
    finally:
        connection.abort()


def test_a_local_cluster_whose_workers_die_at_once_is_given_up(skullmask, monkeypatch):
    Path("die.py").write_text("import os; os._exit(3)")
    monkeypatch.setitem(
        clusters._LOCAL_SETTINGS, "distributed.worker.preload", [str(Path("die.py").absolute())]
    )
    np.save("a.npy", heads(4))
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", "--backend", "dask", "--workers", "1")
    assert (code, out) == (1, "")
    assert "no worker of Dask" in line
    assert sorted(os.listdir()) == ["a.npy", "die.py"]


def test_a_local_cluster_without_workers_is_not_waited_for_without_an_end(monkeypatch):
    def wait(_client, _count, timeout=None):
        assert timeout <= 60
        raise TimeoutError("none came")

    monkeypatch.setattr(distributed.Client, "wait_for_workers", wait)
    with pytest.raises(pools.Stopped, match=r"none came"), clusters.dask(1):
        pass


def test_a_local_cluster_without_credentials_is_refused(skullmask, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    np.save("a.npy", heads(4))
    code, out, [line] = skullmask("batch", "a.npy", "m.npy", "--backend", "dask")
    assert (code, out) == (2, "")
    assert 'pip install "skullmask[batch]"' in line
    assert os.listdir() == ["a.npy"]


@pytest.mark.full
def test_a_worker_of_another_version_is_refused(runs, cluster):
    library = Path(skullmask_lib.__file__).parent
    shutil.copytree(library, "other/skullmask_lib")
    Path("other/data").symlink_to(library.parent / "data")
    with open("other/skullmask_lib/masks.py", "a") as file:
        file.write("CHANGED = True\n")
    np.save("a.npy", heads(20))
    options = (*V7, "--chunk", "3", "--scheduler", cluster.address)
    command = (*SKULLMASK, "batch", "a.npy", "m.npy", *options)
    cluster.add_worker(PYTHONPATH=str(Path("other").absolute()))
    code, [line] = ended(runs.start(*command))
    assert code == 2
    assert line.startswith("skullmask: a worker on ")
    assert "skullmask was code " in line
    assert not list(Path().glob("m.npy*"))
    cluster.workers[0].kill()
    cluster.workers[0].wait()
    cluster.add_worker()
    assert ended(runs.start(*command)) == (0, [])
    check_masks_and_tables("m.npy", 20, "v7")


# --- no room -------------------------------------------------------------------------------------


def on_a_mount(script):
    """Run a shell script that may mount at out/; give the words it printed and its error lines."""
    Path("out").mkdir()
    settings = os.environ | {"PYTHON": sys.executable}
    command = ["unshare", "-rm", "bash", "-c", script]
    run = subprocess.run(
        command, env=settings, capture_output=True, text=True, timeout=120, check=False
    )
    return run.stdout.split(), run.stderr.splitlines()


BATCH = "$PYTHON -m skullmask_lib.cli batch a.npy out/{} --version v7 --chunk 3 {} > printed"
BACKEND = pytest.mark.parametrize("backend", ["--backend serial", "--workers 1"])


@pytest.mark.full
@BACKEND
def test_masks_for_which_there_is_no_room_are_refused_at_once(backend):
    np.save("a.npy", heads(60))
    batch = BATCH.format("m.npy", backend)
    printed, [line] = on_a_mount(
        f"mount -t tmpfs -o size=64k none out; {batch}; echo $?; ls -A out; touch out/small"
    )
    assert printed == ["2"]
    assert line.startswith(f"skullmask: {Path('out/m.npy').absolute()}")
    assert "No space left on device" in line


@pytest.mark.full
@BACKEND
@pytest.mark.parametrize("output", ["m.zarr", "m"])
def test_a_disk_that_fills_up_and_gets_room(output, backend):
    np.save("a.npy", heads(60))
    batch = BATCH.format(output, backend)
    printed, [line] = on_a_mount(
        f"mount -t tmpfs -o size=64k none out; {batch}; echo $?;"
        f"cp out/{output}.batch/journal.jsonl before.jsonl;"
        f"mount -o remount,size=4m none out; {batch}; echo $?;"
        f"cp -r out/{output} out/{output}.batch ."
    )
    assert printed == ["2", "0"]
    assert line.startswith(f"skullmask: {Path('out', output).absolute()}")
    assert "No space left on device" in line
    assert_same(read_masks(output, 60), expected_masks(60, "v7"))
    assert errors_of(output) == {}
    chunks = recorded(output)
    assert sorted(chunks) == [*range(0, 60, 3)]
    before = Path("before.jsonl").read_bytes().count(b'"state": "done"')
    assert 0 < before < 20


@pytest.mark.full
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_read_only_mount(output):
    np.save("a.npy", heads(10))
    batch = BATCH.format(output, "--backend serial")
    printed, [line] = on_a_mount(f"mount -t tmpfs -o ro none out; {batch}; echo $?; ls -A out")
    assert printed == ["2"]
    assert line.startswith(f"skullmask: {Path('out', output).absolute()}: ")
    assert "Read-only file system" in line


# --- memory --------------------------------------------------------------------------------------


def most_memory(runs, *command):
    """Give the most memory [kB] that all processes of a run had to themselves."""
    run = runs.start(*command)
    most = 0
    while run.poll() is None:
        memory = 0
        for process in [psutil.Process(run.pid), *runs.workers(run)]:
            with contextlib.suppress(OSError, psutil.Error):
                memory += memory_of(process)
        most = max(most, memory)
        time.sleep(0.02)
    assert ended(run) == (0, [])
    return most


def memory_of(process):
    """Give the memory [kB] that a process does not share with files."""
    memory = 0
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(("RssAnon", "RssShmem")):
            memory += int(line.split()[1])
    return memory


@pytest.mark.full
@pytest.mark.parametrize("kinds", ["a.npy m.npy", "a.zarr m.zarr"])
def test_memory_does_not_grow_with_the_number_of_images(runs, kinds):
    images, output = kinds.split()
    fifty = np.repeat(np.repeat(heads(50), 6, axis=1), 6, axis=2)
    options = (*V7, "--workers", "2", "--chunk", "20", "--restart")
    memory = {}
    for times in (4, 12):
        if images == "a.npy":
            np.save(images, np.concatenate([fifty] * times))
        else:
            shape = (times * 50, *fifty.shape[1:])
            array = zarr.create_array(
                images, shape=shape, chunks=(5, *shape[1:]), dtype="f4", overwrite=True
            )
            for start in range(0, shape[0], 50):
                array[start : start + 50] = fifty
        memory[times] = most_memory(runs, *SKULLMASK, "batch", images, output, *options)
    assert memory[12] == pytest.approx(memory[4], rel=0.1)
