"""What a folder holds, in which order, and what is left out of it."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skullmask_lib.errors import InputError
from skullmask_lib.io import paths

PICTURES = (".png", ".jpg")
LINKS = pytest.mark.skipif(os.name != "posix", reason="makes links, pipes and sockets")
NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


def touch(folder, *names):
    for name in names:
        file = Path(folder, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def names_of(listing, folder):
    return [file.relative_to(folder).as_posix() for file in listing.files]


def left_out(listing):
    return {name for names in listing.left_out.values() for name in names}


# --- order -----------------------------------------------------------------------------------------------------


def test_numbers_are_ordered_as_numbers():
    names = [
        "slice_10",
        "slice_9",
        "Slice_11",
        "slice_010b",
        "slice_1",
        "b/2",
        "b/10",
        "a/3",
        f"x{'9' * 5000}",
        "x8",
    ]
    assert sorted(names, key=paths.natural) == [
        *(
            "a/3",
            "b/2",
            "b/10",
            "slice_1",
            "slice_9",
            "slice_10",
            "slice_010b",
            "Slice_11",
            "x8",
            f"x{'9' * 5000}",
        ),
    ]


@given(st.lists(NAMES, unique=True))
def test_any_names_have_one_order(names):
    ordered = sorted(names, key=paths.natural)
    names.reverse()
    assert sorted(names, key=paths.natural) == ordered
    assert len({paths.natural(name) for name in names}) == len(names)


# --- folders ---------------------------------------------------------------------------------------------------


def test_what_is_hidden_is_left_out_without_a_word(tmp_path):
    touch(
        tmp_path,
        "a.png",
        "._a.png",
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        ".git/b.png",
        "notes.txt",
    )
    touch(tmp_path, ".ipynb_checkpoints/a-checkpoint.png", "__MACOSX/._a.png")
    for below in (False, True):
        listing = paths.listed(tmp_path, PICTURES, below=below)
        assert names_of(listing, tmp_path) == ["a.png"]
        assert listing.left_out == {}
        assert listing.remark() == ""


def test_what_looks_like_an_image_is_named_with_the_reason(tmp_path):
    touch(
        tmp_path,
        "10.PNG",
        "9.jpg",
        "b.gif",
        "b.webp",
        "c.npz",
        "d.nii.gz",
        "sub/x/1.png",
        "empty/notes.txt",
    )
    (tmp_path / "like.png").mkdir()
    (tmp_path / "array.zarr").mkdir()
    listing = paths.listed(tmp_path, PICTURES)
    assert names_of(listing, tmp_path) == ["9.jpg", "10.PNG"]
    assert left_out(listing) == {
        "b.gif",
        "b.webp",
        "c.npz",
        "d.nii.gz",
        "sub",
        "like.png",
        "array.zarr",
    }
    assert [names for names in listing.left_out.values() if "sub" in names] == [["sub"]]
    listing = paths.listed(tmp_path, PICTURES, below=True)
    assert names_of(listing, tmp_path) == ["9.jpg", "10.PNG", "sub/x/1.png"]
    assert left_out(listing) == {"b.gif", "b.webp", "c.npz", "d.nii.gz", "like.png", "array.zarr"}


@LINKS
@pytest.mark.parametrize("below", [False, True])
def test_links_pipes_and_sockets(tmp_path, below):
    touch(tmp_path, "in/1.png", "elsewhere/2.png", "elsewhere/3.png")
    (tmp_path / "in" / "2.png").symlink_to("../elsewhere/2.png")
    (tmp_path / "in" / "gone.png").symlink_to("nowhere.png")
    (tmp_path / "in" / "loop.png").symlink_to("loop.png")
    (tmp_path / "in" / "linked").symlink_to("../elsewhere", target_is_directory=True)
    (tmp_path / "in" / "round").symlink_to(".", target_is_directory=True)
    os.mkfifo(tmp_path / "in" / "pipe.png")
    with socket.socket(socket.AF_UNIX) as server:
        home = Path.cwd()
        os.chdir(tmp_path / "in")  # the name of a socket must be short
        server.bind("socket.png")
        os.chdir(home)
        listing = paths.listed(tmp_path / "in", PICTURES, below=below)
    assert names_of(listing, tmp_path / "in") == ["1.png", "2.png"]
    assert left_out(listing) == {
        "gone.png",
        "loop.png",
        "linked",
        "round",
        "pipe.png",
        "socket.png",
    }
    for name in ("pipe.png", "socket.png", "gone.png", "loop.png"):
        with pytest.raises(InputError, match=name):
            paths.kind_of(tmp_path / "in" / name)
    assert paths.kind_of(tmp_path / "in" / "2.png") == "file"
    assert paths.kind_of(tmp_path / "in" / "linked") == "folder"


def test_a_remark_names_the_first_and_counts_the_rest(tmp_path):
    touch(tmp_path, *(f"{number}.gif" for number in range(12)))
    remark = paths.listed(tmp_path, PICTURES).remark()
    assert "0.gif, 1.gif, 2.gif and 9 more" in remark
    assert "\n" not in remark


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("head", "head"),
        ("Head", "head"),
        ("sub/HEAD", "SUB/head"),
        ("sch\u00e4del", "Scha\u0308del"),
        ("straße", "STRASSE"),
    ],
)
def test_what_some_system_takes_for_one_file_is_refused(first, second):
    names = [f"{first}.png", "other.png", f"{second}.jpg"]
    with pytest.raises(InputError) as error:
        paths.check_distinct([first, "other", second], names, "in")
    assert str(error.value).startswith("in: ")
    assert names[0] in str(error.value)
    assert names[2] in str(error.value)
    paths.check_distinct(["head", "head_2", "sub/head"], names, "in")


@pytest.mark.parametrize("name", ["a\0b.png", f"{'x' * 300}.png"])
def test_names_that_no_file_can_have(name):
    with pytest.raises(InputError) as error:
        paths.kind_of(Path(name))
    assert str(error.value).isprintable()


# --- addresses -------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="paths of Windows have drives")
def test_an_address_of_a_file_is_its_path():
    for start in ("file://", "file://localhost", "file:", "FILE://", "File://LOCALHOST"):
        assert paths.local(f"{start}/data/a%20b.npy") == "/data/a b.npy"
    assert paths.local(Path("file:///data/a%20b.npy")) == Path("/data/a b.npy")
    for other in (
        "a%20b.npy",
        "memory://a.zarr",
        "C:/a.npy",
        Path("a.npy"),
        "phantom",
        "file:a.npy",
        "profile:/a.npy",
    ):
        assert paths.local(other) is other


@pytest.mark.skipif(
    os.name != "posix" or os.fsencode("\udcff") != b"\xff", reason="names are text there"
)
def test_an_address_keeps_every_byte():
    assert os.fsencode(paths.local("file:///data/%ff%C3%A4.npy")) == b"/data/" + b"\xff\xc3\xa4.npy"
    assert os.fsencode(paths.local("file:///data/\udcffä.npy")) == b"/data/" + b"\xff\xc3\xa4.npy"


@pytest.mark.parametrize(
    "address", ["file://server/share/x.npy", "file://x.npy", r"file:\\server\share\x.npy"]
)
def test_an_address_of_another_computer_is_refused(address):
    with pytest.raises(InputError) as error:
        paths.local(address)
    assert address in str(error.value)


@pytest.mark.parametrize(
    "address",
    [
        "file:///C:/data/a%20b.npy",
        r"file:\C:\data\a%20b.npy",
        "file:/C:/data/a b.npy",
        "file://localhost/C:/data/a b.npy",
    ],
)
def test_an_address_of_windows_is_its_path(monkeypatch, address):
    monkeypatch.setattr(paths, "_HAS_DRIVES", True)
    assert paths.local(address) == "C:/data/a b.npy"
