"""Heads are fetched whole, verified on every read, and what goes wrong ends in one line with nothing left behind."""

import gzip
import hashlib
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pooch
import pytest
from complaints import refused
from inputs import doubted, head
from numpy.testing import assert_array_equal as same
from PIL import Image

import skullmask_lib as sm
from skullmask_lib import project
from skullmask_lib.io import datasets, registry

TRACED = {
    "chris": (86, 156),
    "oms01": (18, 35),
    "oms01_FLAIR": (17, 29),
    "oms01_T2W": (17, 29),
    "oms19": (26, 43),
}
TRUTH = project.project_folder("data") / "truth"
READ_ONLY = next((folder for folder in ("/proc/self", "/sys") if os.path.isdir(folder)), None)
VOXEL_MM = (0.5, 0.75, 3.0)


def volume():
    """Give a RAS volume of six axial slices."""
    return np.stack(
        [head((44, 36), at=(k - 2, 0))[::-1].T + 3 * k for k in range(6)], axis=2
    ).astype(np.int16)


def traced():
    """Give its truth: slices 2 to 4 are known."""
    mask = np.zeros(volume().shape, np.uint8)
    x, y = np.ogrid[: mask.shape[0], : mask.shape[1]]
    for k in (2, 3, 4):
        mask[..., k] = np.hypot((x - 15 - k / 2) / (5.5 + k / 2), (y - 20.5) / 9.5) < 1
    return mask


def nifti(array, *, codes="LPS"):
    """Give a volume as the bytes of a .nii.gz file."""
    image = nib.Nifti1Image(array, np.diag([*VOXEL_MM, 1.0]))
    turn = nib.orientations.ornt_transform(
        nib.io_orientation(image.affine), nib.orientations.axcodes2ornt(codes)
    )
    return gzip.compress(image.as_reoriented(turn).to_bytes(), mtime=0)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path)
        if self.path in self.server.barriers:
            self.server.barriers[self.path].wait(60)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + self.server.promised))
        self.end_headers()
        self.wfile.write(body)
        if self.server.hold:
            self.wfile.flush()
            self.server.hold.wait(60)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """Serve files from memory on a port of this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.files, made.barriers, made.asked, made.promised, made.hold = {}, {}, [], 0, None
        made.url = f"http://127.0.0.1:{made.server_port}"
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield made
        if made.hold:
            made.hold.set()
        made.shutdown()
        thread.join()


@pytest.fixture
def place(tmp_path, server, monkeypatch):
    """Make a registry with one head, tiny, which the server has; heads are kept in an empty folder."""
    data, heads = tmp_path / "data", tmp_path / "heads"
    (data / "truth").mkdir(parents=True)
    heads.mkdir()
    server.files["/tiny.nii.gz"] = nifti(volume())
    enter(data, server.files["/tiny.nii.gz"], f"{server.url}/tiny.nii.gz")
    (data / "truth" / "tiny.nii.gz").write_bytes(nifti(traced(), codes="RAS"))
    monkeypatch.setattr(registry, "project_folder", lambda name: tmp_path / name)
    monkeypatch.setenv("SKULLMASK_DATA", str(heads))
    return heads


def enter(data, content, url):
    """Write the registry anew, with one head."""
    sha256 = hashlib.sha256(content).hexdigest()
    (data / "registry.txt").write_text(
        f"# a head | 0.5 × 0.75 × 3 | none\ntiny.nii.gz {sha256} {url}\n"
    )


# --- what the project holds -------------------------------------------------------------------------------------


def test_project_folders_are_found():
    assert (project.project_folder("data") / "published.csv").is_file()
    with refused("attic", naming=["package"]):
        project.project_folder("attic")


def test_pooch_reads_the_registry_as_we_do(tmp_path):
    theirs = pooch.create(tmp_path, base_url="")
    theirs.load_registry(project.project_folder("data") / "registry.txt")
    ours = registry.originals()
    assert theirs.registry == {f"{name}.nii.gz": original.sha256 for name, original in ours.items()}
    assert theirs.urls == {f"{name}.nii.gz": original.url for name, original in ours.items()}


def test_entries_are_complete():
    assert set(TRACED) < set(registry.names())
    assert not {*datasets.PHANTOMS} & {*registry.names()}
    for original in registry.originals().values():
        assert all(vars(original).values())
        assert len(bytes.fromhex(original.sha256)) == 32
        assert original.url.startswith("https://raw.githubusercontent.com/")
        assert len(bytes.fromhex(original.url.split("/")[5])) == 20, (
            "an address names a commit, not a branch"
        )


def test_truth_is_binary_small_and_known_on_one_range():
    files = sorted(TRUTH.iterdir())
    assert [file.name for file in files] == [f"{name}.nii.gz" for name in sorted(TRACED)]
    assert sum(file.stat().st_size for file in files) < 100_000
    for name, (first, last) in TRACED.items():
        assert registry.truth(name).read_bytes()[4:8] == bytes(4), "gzip holds the time"
        image = nib.load(registry.truth(name))
        assert image.get_data_dtype() == np.uint8
        assert nib.aff2axcodes(image.affine) == tuple("RAS")
        mask = np.asanyarray(image.dataobj)
        same(np.unique(mask), [0, 1])
        same(np.flatnonzero(mask.any(axis=(0, 1))), range(first, last + 1))


# --- where heads are kept ----------------------------------------------------------------------------------------


def test_the_folder_of_a_clone_of_a_wheel_and_of_the_user(monkeypatch):
    monkeypatch.setenv("SKULLMASK_DATA", "~/heads")
    assert registry.folder() == Path.home() / "heads"
    monkeypatch.setenv("SKULLMASK_DATA", "")
    package = Path(sm.__file__).parent
    monkeypatch.setattr(registry, "project_folder", lambda name: package.parent / name)
    assert registry.folder() == package.parent / "data" / "downloads"
    monkeypatch.setattr(registry, "project_folder", lambda name: package / name)
    assert registry.folder() == Path(pooch.os_cache("skullmask"))


# --- fetching ----------------------------------------------------------------------------------------------------


def test_a_head_is_fetched_once(place, server, capfd):
    file = registry.fetch("tiny", progress=True)
    assert file == place / "tiny.nii.gz"
    assert file.read_bytes() == server.files["/tiny.nii.gz"]
    assert registry.fetch("tiny") == file
    assert server.asked == ["/tiny.nii.gz"]
    assert os.listdir(place) == ["tiny.nii.gz"]
    assert capfd.readouterr() == ("", "")


def test_the_folder_is_made(place, monkeypatch):
    monkeypatch.setenv("SKULLMASK_DATA", str(place / "a" / "b"))
    assert registry.fetch("tiny").parent == place / "a" / "b"


def test_a_progress_bar_is_for_terminals(place, monkeypatch, capfd):  # noqa: ARG001
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    registry.fetch("tiny", progress=True)
    assert "tiny: " in capfd.readouterr().err


@pytest.mark.parametrize(
    "change", [lambda b: b[:-20], lambda b: b[:99] + b"x" + b[100:], lambda _: b""]
)
def test_a_damaged_file_is_deleted(place, server, skullmask, change):
    good = server.files["/tiny.nii.gz"]
    wanted, found = (hashlib.sha256(content).hexdigest()[:12] for content in (good, change(good)))
    for arguments in (
        ("data", "fetch", "tiny"),
        ("data", "fetch", "--all"),
        ("data", "verify"),
        ("mask", "tiny", "-o", "masks.npy"),
        ("score", "tiny", "tiny"),
        ("sweep", "tiny"),
    ):
        (place / "tiny.nii.gz").write_bytes(change(good))
        code, out, [line] = skullmask(*arguments)
        assert (code, out) == (2, "")
        assert line.startswith(f"skullmask: {place}/tiny.nii.gz: ")
        assert all(value in line for value in (wanted, found, "deleted", "data fetch tiny"))
        assert os.listdir(place) == []
    assert server.asked == []
    assert skullmask("data", "fetch", "tiny") == (0, f"{place}/tiny.nii.gz\n", [])
    assert not Path("masks.npy").exists()


def test_a_damaged_file_that_cannot_be_deleted(place, skullmask, monkeypatch):
    (place / "tiny.nii.gz").write_bytes(b"bad")

    def refuse(self, **_):
        raise OSError(30, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    code, out, err = skullmask("data", "verify")
    assert (code, out, len(err)) == (2, "", 1)
    assert f"{place}/tiny.nii.gz: " in err[0]
    assert "deleted (Read-only file system)" in err[0]
    assert "SKULLMASK_DATA" in err[0]


def test_all_damaged_files_are_named(tmp_path, monkeypatch, skullmask):
    monkeypatch.setenv("SKULLMASK_DATA", str(tmp_path))
    for name in ("chris", "oms19"):
        (tmp_path / f"{name}.nii.gz").write_bytes(b"bad")
    code, _, err = skullmask("data", "verify")
    assert (code, len(err)) == (2, 1)
    assert all(f"{tmp_path}/{name}.nii.gz: " in err[0] for name in ("chris", "oms19"))
    assert err[0].count(f" {hashlib.sha256(b'bad').hexdigest()[:12]}") == 2
    assert os.listdir(tmp_path) == []


def fetch_fails(arguments, skullmask, place, *words):
    """See a command stop with one line that names the file and these words, and leave nothing."""
    code, out, err = skullmask(*arguments)
    assert (code, out, len(err)) == (2, "", 1), err
    assert err[0].startswith(f"skullmask: {place}/tiny.nii.gz: ")
    assert all(word in err[0] for word in words), err[0]
    assert os.listdir(place) == []
    assert not Path("masks.npy").exists()


ASKING = [("data", "fetch", "tiny"), ("mask", "tiny", "-o", "masks.npy"), ("sweep", "tiny")]
HELP = "SKULLMASK_DATA"


@pytest.mark.parametrize("arguments", ASKING)
def test_a_download_that_is_another_file(place, server, skullmask, arguments):
    server.files["/tiny.nii.gz"] = b"<html>"
    found = hashlib.sha256(b"<html>").hexdigest()[:12]
    fetch_fails(
        arguments,
        skullmask,
        place,
        f"got {found}…",
        server.url,
        "skullmask data fetch tiny",
    )


@pytest.mark.parametrize("arguments", ASKING)
def test_a_file_that_the_server_does_not_have(place, server, skullmask, arguments):
    del server.files["/tiny.nii.gz"]
    fetch_fails(arguments, skullmask, place, f"{server.url}/tiny.nii.gz", "404", HELP)


@pytest.mark.parametrize("arguments", ASKING)
def test_no_server(place, server, skullmask, arguments):
    enter(place.parent / "data", b"", "http://127.0.0.1:1/tiny.nii.gz")
    fetch_fails(
        arguments, skullmask, place, "http://127.0.0.1:1/tiny.nii.gz", "Connection refused", HELP
    )
    assert server.asked == []


def test_no_network(place, skullmask, monkeypatch):
    def unknown(*_args, **_kwargs):
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    enter(place.parent / "data", b"", "https://heads.invalid/tiny.nii.gz")
    fetch_fails(
        ASKING[0],
        skullmask,
        place,
        "https://heads.invalid/tiny.nii.gz",
        "Temporary failure in name resolution",
        HELP,
    )


def test_a_download_that_breaks_off(place, server, skullmask):
    server.promised = 10
    fetch_fails(ASKING[0], skullmask, place, "IncompleteRead", HELP)


def test_a_server_that_falls_silent(place, server):
    server.promised, server.hold = 10, threading.Event()
    begun = time.monotonic()
    with refused("tiny.nii.gz", naming=[f"{server.url}/tiny.nii.gz", "timed out"]):
        registry.fetch("tiny", timeout_s=0.3)
    assert time.monotonic() - begun < 5
    assert os.listdir(place) == []


def test_the_reason_is_that_of_this_error(place):
    enter(place.parent / "data", b"", "http://127.0.0.1:1/tiny.nii.gz")
    try:
        raise FileNotFoundError(2, "an older trouble")
    except FileNotFoundError:
        with refused("tiny.nii.gz", naming=["Connection refused"]):
            registry.fetch("tiny")


@pytest.mark.skipif(READ_ONLY is None, reason="needs a folder that even root cannot write to")
def test_a_folder_that_cannot_be_written(place, server, skullmask, monkeypatch):  # noqa: ARG001
    monkeypatch.setenv("SKULLMASK_DATA", READ_ONLY)
    code, out, err = skullmask("data", "fetch", "tiny")
    assert (code, out, len(err)) == (2, "", 1)
    assert err[0].startswith(f"skullmask: {READ_ONLY}/tiny.nii.gz: ")
    assert "SKULLMASK_DATA" in err[0]
    assert server.asked == []
    monkeypatch.setenv("SKULLMASK_DATA", __file__)
    code, _, err = skullmask("data", "fetch", "tiny")
    assert (code, len(err)) == (2, 1)


def process(place, code="registry.fetch('tiny')"):
    patch = "from skullmask_lib.cli import main as cli; from skullmask_lib.io import registry; "
    patch += "from pathlib import Path; import signal; "
    patch += f"registry.project_folder = lambda name: Path({str(place.parent)!r}) / name; "
    patch += "signal.signal(signal.SIGINT, signal.default_int_handler); "
    return subprocess.Popen([sys.executable, "-c", patch + code], stderr=subprocess.PIPE, text=True)


def test_two_processes_fetch_at_a_time(place, server):
    server.barriers["/tiny.nii.gz"] = threading.Barrier(
        2
    )  # the first is answered when the second has asked
    running = [process(place) for _ in range(2)]
    assert [one.communicate(timeout=120)[1] for one in running] == ["", ""]
    assert [one.returncode for one in running] == [0, 0]
    assert server.asked == ["/tiny.nii.gz"] * 2
    assert os.listdir(place) == ["tiny.nii.gz"]
    assert registry.verify() == {"tiny": True}


def test_ctrl_c_leaves_nothing(place, server):
    server.promised, server.hold = 10, threading.Event()
    running = process(place, "import sys; sys.argv[1:] = ['data', 'fetch', 'tiny']; cli.main()")
    while not list(place.glob(".tiny*/*")):
        assert running.poll() is None
    assert not (place / "tiny.nii.gz").exists()
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=60)[1].splitlines() == ["skullmask: interrupted"]
    assert running.returncode == 130
    assert os.listdir(place) == []


# --- heads as data -----------------------------------------------------------------------------------------------


def test_a_head_gives_the_slices_that_were_traced(place):  # noqa: ARG001
    data = sm.load("tiny")
    assert data.names == ("tiny[2]", "tiny[3]", "tiny[4]")
    assert (data.images.dtype, data.truth.dtype, data.brain) == (np.float32, np.uint8, None)
    same(data.images, [volume()[:, ::-1, k].T for k in (2, 3, 4)])
    same(data.truth, [traced()[:, ::-1, k].T for k in (2, 3, 4)])
    same(data.spacing_mm, [VOXEL_MM[1::-1]] * 3)
    some = sm.load("tiny", slices=slice(1, None))
    assert some.names == data.names[1:]
    same(some.truth, data.truth[1:])
    with refused("tiny", naming=[" 3 "]):
        sm.load("tiny", slices=slice(3, None))


def test_a_head_is_cut_along_its_truth_alone(place):
    for axis in (0, 1, 3):
        with refused("tiny", naming=["axis 2", f" {axis}"]):
            sm.load("tiny", axis=axis)
    assert os.listdir(place) == []


def test_a_head_without_truth_gives_all_slices(place):
    (place.parent / "data" / "truth" / "tiny.nii.gz").unlink()
    data = sm.load("tiny")
    assert data.truth is None
    assert data.names == tuple(f"tiny[{k}]" for k in range(6))
    same(data.images, [volume()[:, ::-1, k].T for k in range(6)])


def test_truth_must_lie_where_the_head_lies(place):
    file = place.parent / "data" / "truth" / "tiny.nii.gz"
    file.write_bytes(nifti(traced()[:, :, :5], codes="RAS"))
    with refused("tiny.nii.gz", naming=["tiny"]):
        sm.load("tiny")
    shifted = np.diag([*VOXEL_MM, 1.0])
    shifted[2, 3] = 3
    nib.save(nib.Nifti1Image(traced(), shifted), file)
    with refused("tiny.nii.gz", naming=["tiny"]):
        sm.load("tiny")


def test_another_truth_lies_where_the_slices_lie(place):
    affine = np.diag([*VOXEL_MM, 1.0])
    nib.save(nib.Nifti1Image(traced()[:, :, 2:5], affine), place / "low.nii.gz")
    with refused("low.nii.gz", naming=["tiny"]):
        sm.load("tiny", truth=place / "low.nii.gz")
    affine[2, 3] = 2 * VOXEL_MM[2]
    nib.save(nib.Nifti1Image(traced()[:, :, 2:5], affine), place / "right.nii.gz")
    same(sm.load("tiny", truth=place / "right.nii.gz").truth, sm.load("tiny").truth)


def test_the_commands_take_a_head(place, skullmask):
    code, out, err = skullmask("mask", "tiny", "-o", "masks.npy", "--version", "v2")
    assert (code, err) == (0, doubted("tiny[2] … tiny[4]"))
    assert "tiny[4]" in out
    data = sm.load("tiny")
    same(np.load("masks.npy"), [sm.v2(image) for image in data.images])
    code, out, err = skullmask("score", "masks.npy", "tiny")
    assert (code, err) == (0, [])
    assert "masks.npy[2]" in out
    code, out, err = skullmask("sweep", "tiny", "--sizes", "3:5:2")
    assert (code, err) == (0, [])
    assert "leave one out" in out
    for output, hint in (
        ("x.nii.gz", f".npy, or mask the whole volume, {place}/tiny.nii.gz"),
        ("x.png", ".npy"),
    ):
        code, out, err = skullmask("mask", "tiny", "-o", output)
        assert (code, out, len(err)) == (2, "", 1)
        assert err[0].endswith(f"; use {hint}")


@pytest.mark.parametrize("name", ["phantom", "tiny"])
def test_a_name_comes_before_a_folder(place, skullmask, name):  # noqa: ARG001
    folder = Path(name)
    folder.mkdir()
    Image.fromarray(head().astype(np.uint8)).save(folder / "a.png")
    code, _, err = skullmask("mask", name, "-o", "out")
    assert (code, len(err)) == (2, 1)
    assert not Path("out").exists()
    assert skullmask("mask", name, "-o", "named.npy", "--version", "v2")[0] == 0
    assert len(np.load("named.npy")) == len(sm.load(name).images)
    for output in ("out", "one.npy"):
        code, _, err = skullmask("mask", f"./{name}", "-o", output, "--version", "v2")
        assert (code, err) == (0, doubted("a.png"))
    assert os.listdir("out") == ["a.png"]
    assert np.load("one.npy").shape == (1, 48, 40)


def test_what_is_neither_a_file_nor_a_name():
    with refused("oms1", naming=["phantom", "oms01"]):
        sm.load("oms1")


# --- the command line --------------------------------------------------------------------------------------------


def test_list_says_what_is_here(place, skullmask):
    for state in ("missing", "here"):
        code, out, err = skullmask("data", "list")
        assert (code, err) == (0, [])
        [row] = [line for line in out.splitlines() if "tiny" in line]
        assert [cell.strip() for cell in row.strip("|").split("|")] == [
            "tiny",
            "a head",
            "0.5 × 0.75 × 3",
            "none",
            state,
        ]
        assert out.endswith(f"The folder: {place}\n")
        registry.fetch("tiny")


def test_verify_says_what_is_missing(place, skullmask):  # noqa: ARG001
    assert skullmask("data", "verify") == (0, "tiny: missing\n", [])
    assert skullmask("data", "fetch", "--all")[0] == 0
    assert skullmask("data", "verify") == (0, "tiny: good\n", [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fetch"], ["skullmask data list", "--all"]),
        (["fetch", "tiny", "--all"], ["skullmask data list", "--all"]),
        (["fetch", "huge"], ["huge: ", "data set", " tiny"]),
        (["fetch", "../tiny"], ["../tiny: ", "data set", " tiny"]),
        (["dance"], ["command 'dance'", "--help"]),
    ],
)
def test_bad_arguments(place, server, skullmask, arguments, words):
    code, out, [line] = skullmask("data", *arguments)
    assert (code, out) == (2, "")
    assert line.startswith("skullmask: ")
    assert all(word in line for word in words)
    assert (os.listdir(place), server.asked) == ([], [])


# --- the real ones -----------------------------------------------------------------------------------------------


@pytest.fixture
def originals(real, tmp_path, monkeypatch):
    """Lay out the files as published; through links, so that nothing here can delete them."""
    for file in (real / "originals").iterdir():
        (tmp_path / file.name).symlink_to(file)
    monkeypatch.setenv("SKULLMASK_DATA", str(tmp_path))
    return tmp_path


def test_real_heads_are_what_the_registry_says(originals):
    assert registry.verify() == dict.fromkeys(registry.names(), True)
    assert {file.name for file in originals.iterdir()} == {
        f"{name}.nii.gz" for name in registry.names()
    }


@pytest.mark.parametrize("name", TRACED)
def test_real_heads_load_with_their_truth(originals, real, name):  # noqa: ARG001
    first, last = TRACED[name]
    data = sm.load(name)
    assert data.names == tuple(f"{name}[{k}]" for k in range(first, last + 1))
    for array, file in ((data.images, "image"), (data.truth, "outer_skull")):
        image = nib.load(real / "volumes" / name / f"{file}.nii.gz")
        same(array, np.asanyarray(image.dataobj)[:, ::-1, first : last + 1].transpose(2, 1, 0))
    told = [float(size) for size in registry.originals()[name].voxel_mm.split(" × ")]
    np.testing.assert_allclose(data.spacing_mm, [told[1::-1]] * len(data.names), atol=0.005)
    np.testing.assert_allclose(nib.affines.voxel_sizes(image.affine), told, atol=0.005)


def test_a_real_head_without_truth(originals):  # noqa: ARG001
    data = sm.load("oms19_FLAIR")
    assert (data.images.shape, data.truth) == ((48, 320, 320), None)


def test_a_folder_that_is_none_is_not_the_networks_fault(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SKULLMASK_DATA", str(tmp_path / "file"))
    with refused("chris.nii.gz", naming=["File exists", "SKULLMASK_DATA"]):
        registry.fetch("chris")
    (tmp_path / "chris.nii.gz").mkdir()
    monkeypatch.setenv("SKULLMASK_DATA", str(tmp_path))
    with refused("chris.nii.gz", naming=["expected a file"]):
        registry.fetch("chris")


def test_truth_is_of_a_registered_head():
    with refused("../truth/chris", naming=["data set"]):
        registry.truth("../truth/chris")
