"""A journal that ends abruptly, or that somebody has changed, leads a run to no other files."""

import copy
import json
import os
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest
from batching import assert_same, heads, one_by_one, read_masks, serial
from folders import contents_of
from hypothesis import given, settings
from hypothesis import strategies as st

from skullmask_lib import InputError
from skullmask_lib.batches import mask_stacks
from skullmask_lib.batches import records as records_module
from skullmask_lib.io import journal

pytestmark = pytest.mark.usefixtures("folder")


@pytest.mark.parametrize("zeros", [1, 5, 4096, 4097])
def test_a_journal_may_end_in_zeros(zeros):
    journal.append("a.jsonl", "a", {"state": "done"})
    with open("a.jsonl", "ab") as file:
        file.write(bytes(zeros))
    journal.append("a.jsonl", "b", {"state": "done"})
    assert set(journal.read("a.jsonl")) == {"a", "b"}


def is_refused_in_one_line(output="m.npy", **options):
    """See that a run is refused in one line and that nothing was changed."""
    before = contents_of(".")
    with pytest.raises(InputError) as error:
        serial("a.npy", output, **options)
    assert "\n" not in str(error.value)
    assert f"{output}.batch/journal.jsonl" in str(error.value)
    assert contents_of(".") == before


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
    journal_file = Path("m.npy.batch/journal.jsonl")
    if kind == "link":
        journal_file.symlink_to("../precious")
    elif kind == "folder":
        journal_file.mkdir()
    else:
        os.mkfifo(journal_file)
    is_refused_in_one_line()


# Values that a journal may not have, by the keys of its first line; None stands for no value
RUN = {
    "table": [None, 7, "xlsx", ["csv"]],
    "token": [None, 7, "", "../../x", "0123456", "0123456g", "/01234567", "01234567\n"],
    "chunk": [None, True, 0, -3, 3.0, "3", 10**18],
    "masks": [None, [], {}, {"kind": "npy"}, {"kind": "exe", "shape": [4, 48, 40]}],
    "address": [None, 7, ["memory://x"]],
    "files": [
        None,
        "a.png",
        ["a.png"],
        ["../../x.png"] * 4,
        ["/etc/x.png"] * 4,
        [7] * 4,
        ["a\0b.png"] * 4,
        ["C:\\x.png"] * 4,
        ["..\\x.png"] * 4,
        [""] * 4,
    ],
}

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

# and by the keys of a line about a chunk
CHUNK = {
    "state": [None, "", "gone", 7],
    "from": [None, -1, 1.5, "7", True, 10**30],
    "made": [None, -1, 1.5, "7", True],
    "failed": [None, -1, 4, 0.5, "0"],
    "bytes": [None, -1, 1.5, 2**63, 10**30],
    "seconds": [
        None,
        [],
        {"read": 1},
        {"read": 1, "compute": 1, "write": "1"},
        {"read": -1, "compute": 1, "write": 1},
        {"read": float("nan"), "compute": 1, "write": 1},
    ],
    "rows": [
        None,
        {},
        [],
        [{}] * 3,
        [7] * 3,
        [{"name": "a", "flags": 7}] * 3,
        [{"name": "a", "flags": ""}],
        [{"name": "a", "flags": "", "iou": "1"}] * 3,
        [{"name": "a", "flags": "", "area_px": 0.5}] * 3,
        [{"name": "a", "flags": "", "area_px": 10**400}] * 3,
    ],
}

# What is no name of a chunk
ITEMS = ["", "x", "-3", "1", "4", "03", "3.0", "²", "9" * 5000, "run"]


def changed(records, line, key, value):
    """Give records of which one says something else, or says something no longer."""
    records = copy.deepcopy(records)
    if value is None:
        records[line][1].pop(key, None)
    else:
        records[line][1][key] = value
    return records


def write_records(output, records):
    lines = [json.dumps(record) + "\n" for record in records]
    Path(f"{output}.batch/journal.jsonl").write_text("".join(lines))


def records_of(output):
    lines = Path(f"{output}.batch/journal.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines if line]


def changed_journals(records):
    """Go through all journals in which one thing is wrong."""
    run, chunk = records[0], records[1]
    for key, values in RUN.items():
        for value in values:
            yield changed(records, 0, key, value)
    for shape in SHAPES:
        yield changed(records, 0, "masks", run[1]["masks"] | {"shape": shape})
    for key, values in CHUNK.items():
        for value in values:
            yield changed(records, 1, key, value)
    for item in ITEMS:
        yield [run, [item, chunk[1]]]
    for kinds in (None, "csv", [], ["xlsx"], [["csv"]]):
        yield [*records, ["table", {"kinds": kinds}]]


def changed_names(records):
    """Go through all journals in which the names of the first chunk's files are wrong."""
    first, second, third = records[1][1]["files"]
    for names in (
        None,
        {},
        [],
        [first, second],
        [first, second, 7],
        [first, second, "../x.png"],
        [second, first, third],
    ):
        yield changed(records, 1, "files", names)


@pytest.mark.parametrize("restart", [False, True])
def test_a_journal_that_somebody_has_changed_is_refused(restart):
    np.save("a.npy", heads(4))
    for output in ("m.npy", "m"):
        serial("a.npy", output)
        records = records_of(output)
        journals = [*changed_journals(records)]
        if output == "m":
            journals += changed_names(records)
        for journal_records in journals:
            if journal_records != records:
                write_records(output, journal_records)
                is_refused_in_one_line(output, restart=restart)
        write_records(output, records)
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
    write_records("m", changed(records, 0, "masks", facts))
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
        assert_same(np.load("m.npy"), one_by_one(heads(10), version))


@pytest.mark.parametrize("restart", [False, True])
def test_a_journal_is_checked_to_its_end(restart):
    np.save("a.npy", heads(10))
    serial("a.npy", "m.npy")
    write_records("m.npy", changed(records_of("m.npy"), -1, "rows", []))
    is_refused_in_one_line(restart=restart)


def refusal(images, output, **options):
    """Run, and give the line in which that was refused, or an empty one."""
    try:
        serial(images, output, **options)
    except InputError as error:
        return str(error)
    return ""


def places(value, path=()):
    """Go through all places in JSON: the keys and indices that lead to each."""
    yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from places(part, (*path, key))
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from places(part, (*path, index))


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
    folder = outside / "x" / "here"
    folder.mkdir(parents=True)
    np.save(folder / "a.npy", heads(4))
    serial(folder / "a.npy", folder / output)
    precious = [
        outside / "x.png",
        outside / "x" / "x",
        folder / "x",
        folder / f"{output}.batch.txt",
        folder / f"{output}.batch" / "notes.txt",
    ]
    for file in precious:
        file.write_text("precious")
    records = records_of(folder / output)
    change_somewhere(data.draw(st.sampled_from(records)), data)
    write_records(folder / output, records)

    complaint = refusal(folder / "a.npy", folder / output, restart=restart)

    assert complaint.isprintable()
    if not complaint:
        assert_same(read_masks(str(folder / output), 4), one_by_one(heads(4)))
    for file in precious:
        assert file.read_text() == "precious"
    assert sorted(os.listdir(outside)) == ["x", "x.png"]
    assert sorted(os.listdir(outside / "x")) == ["here", "x"]


def change_somewhere(record, data):
    """Take something out of a record, or put something weird there, as Hypothesis draws it."""
    *path, last = data.draw(st.sampled_from([path for path in places(record) if path]))
    part = record
    for key in path:
        part = part[key]
    if isinstance(part, dict) and data.draw(st.booleans()):
        del part[last]
    else:
        part[last] = data.draw(WEIRD)


@settings(max_examples=80)
@given(
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4
    )
)
def test_bytes_of_a_journal_may_change(tmp_path_factory, changes):
    folder = tmp_path_factory.mktemp("bytes")
    np.save(folder / "a.npy", heads(4))
    serial(folder / "a.npy", folder / "m.npy")
    journal_file = folder / "m.npy.batch" / "journal.jsonl"
    content = bytearray(journal_file.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    journal_file.write_bytes(content)
    complaint = refusal(folder / "a.npy", folder / "m.npy")
    assert complaint.isprintable()
    if not complaint:
        assert_same(np.load(folder / "m.npy"), one_by_one(heads(4)))
