"""Many scans at once: BIDS in and out, failures beside successes, and after a death only what is missing."""

import json
import os
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from browser import wait_for
from commands import SKULLMASK
from complaints import refused
from inputs import SIZES_MM, volume_of_head

from skullmask_lib import polar
from skullmask_lib.errors import InputError
from skullmask_lib.io import journal
from skullmask_lib.volumes import bids, folders, strip_files, verdicts

pytestmark = pytest.mark.filterwarnings("ignore:.*look at the orbits")
DERIVATIVES = Path("heads", "derivatives", "skullmask")
BROKEN = "sub-02/ses-2/anat/sub-02_ses-2_FLAIR.nii.gz"
# The entities of derivatives of anatomical scans, in the order that BIDS wants them
ENTITIES = (
    *("sub", "ses", "task", "acq", "ce", "rec", "run", "echo", "part"),
    *("space", "chunk", "res", "label", "desc"),
)


def save(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = 1000 * volume_of_head()[0]
    volume[0, 0, 0] = seed
    image = nib.Nifti1Image(volume.astype(np.int16), np.diag([*SIZES_MM, 1]))
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)


@pytest.fixture
def dataset(folder):
    """Make a data set of two subjects with two sessions of T1w and FLAIR; one file is cut short."""
    top = folder / "heads"
    first = top / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz"
    save(first)
    for subject in ("01", "02"):
        for session in ("1", "2"):
            for suffix in ("T1w", "FLAIR"):
                start = f"sub-{subject}_ses-{session}"
                file = top / f"sub-{subject}/ses-{session}/anat/{start}_{suffix}.nii.gz"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(first.read_bytes())
                file.with_name(f"{start}_{suffix}.json").write_text("{}")
    (top / BROKEN).write_bytes(first.read_bytes()[:-200])
    (top / "sub-01/ses-1/anat/sub-01_ses-1_part-phase_T1w.nii.gz").write_text("no magnitude")
    (top / "sub-01/ses-1/anat/sub-01_ses-1_T1map.nii.gz").write_text("a map")
    described = {"Name": "Heads", "BIDSVersion": "1.8.0", "License": "CC0"}
    (top / "dataset_description.json").write_text(json.dumps(described))
    return top


@pytest.fixture
def made(monkeypatch, tmp_path_factory):
    """Let `strip_to` write its files at once, and keep the scans that it was called with."""
    calls = []
    folder = tmp_path_factory.mktemp("temporary")

    def strip_to(scan, files, *, n4, extent, version, fields, before_replacing):
        calls.append(scan.name)
        if not scan.is_file() or scan.stat().st_size < 10:
            raise InputError("is too small", where=scan)
        temporary = strip_files.Stripped(*(folder / file.name for file in files))
        for file in temporary:
            file.write_text(f"{scan.read_bytes()}{n4}{extent}{version}")
        temporary.sidecar.write_text(json.dumps(fields))
        before_replacing(temporary)
        for file, new in zip(files, temporary, strict=True):
            file.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(new, file)
            if "killed" in calls:
                raise KeyboardInterrupt
        quality = 0.1 if "bad" in scan.name else 0.8
        return verdicts.Verdict(quality, np.array([quality]), np.array([True]), 1400.0, ())

    monkeypatch.setattr(strip_files, "strip_to", strip_to)
    return calls


def scans_of(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(f"the scan {name}"))


def table(file):
    header, *rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


# --- BIDS ----------------------------------------------------------------------------------------


def check_name(file):
    """Check a path of derivatives by the rules of BIDS: folders, order of entities, and suffix."""
    *pairs, last = file.name.split("_")
    entities = dict(pair.split("-") for pair in pairs)
    assert list(entities) == [entity for entity in ENTITIES if entity in entities]
    assert all(re.fullmatch("[a-zA-Z0-9]+", value) for value in entities.values())
    suffix, _, extension = last.partition(".")
    assert extension in ("nii.gz", "nii", "json")
    levels = [f"{key}-{entities[key]}" for key in ("sub", "ses") if key in entities]
    assert file.parent.parts[-len(levels) - 1 :] == (*levels, "anat")
    return entities, suffix


def check_derivatives(folder, raw):
    """Check derivatives by the rules of BIDS: description, names, sidecars and URIs."""
    described = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))
    assert {"Name", "BIDSVersion", "GeneratedBy"} <= set(described)
    assert described["DatasetType"] == "derivative"
    assert [pipeline["Name"] for pipeline in described["GeneratedBy"]] == ["skullmask"]
    assert (folder / described["DatasetLinks"]["raw"]).resolve() == raw.resolve()
    ignored = (folder / ".bidsignore").read_text().split()
    named = {path for path in folder.rglob("*") if path.is_file()}
    named -= {folder / name for name in ("dataset_description.json", "README.md", ".bidsignore")}
    named = {path for path in named if not set(path.relative_to(folder).parts) & set(ignored)}
    volumes = {path for path in named if path.suffix != ".json"}
    assert {Path(str(path).replace(".nii.gz", ".json")) for path in volumes} == named - volumes
    for path in volumes:
        entities, suffix = check_name(path.relative_to(folder))
        assert entities["desc"] == "brain"
        sidecar = json.loads(Path(str(path).replace(".nii.gz", ".json")).read_text())
        for uri in [*sidecar["Sources"], sidecar["SpatialReference"]]:
            scheme, place, inner = uri.split(":")
            assert scheme == "bids"
            base = {"raw": raw, "": folder}[place]
            assert (base / inner).is_file(), uri
        if suffix == "mask":
            assert sidecar["Type"] == "Brain"
            assert sidecar["SpatialReference"].endswith(f"_{entities['space']}.nii.gz")
        else:
            assert sidecar["SkullStripped"] is True
            assert "space" not in entities
    return volumes


@pytest.mark.full
def test_a_bids_dataset_gives_bids_derivatives(dataset, skullmask):
    code, out, [line] = skullmask("strip", "heads")
    assert code == 1
    assert BROKEN in line
    assert "1 of 8" in line
    assert f"The table: {DERIVATIVES / 'masks.tsv'}" in out.splitlines()
    volumes = check_derivatives(DERIVATIVES, dataset)
    assert len(volumes) == 2 * 7
    for path in volumes:
        source = nib.load(dataset / "sub-01/ses-1/anat/sub-01_ses-1_T1w.nii.gz")
        image = nib.load(path)
        assert np.array_equal(image.affine, source.affine)
        assert image.get_fdata().any()
    rows = table(DERIVATIVES / "masks.tsv")
    assert len(rows) == 8
    assert rows.pop(BROKEN)["state"] == "failed"
    for row in rows.values():
        assert row["state"] == "done"
        assert float(row["quality"]) > polar.TRUSTED
        assert (DERIVATIVES / row["mask"]) in volumes
    pictures = list(DERIVATIVES.glob("sub-*/figures/*.png"))
    assert len(pictures) == 7


@pytest.mark.full
def test_killed_half_way_only_what_was_missing_is_made(dataset, skullmask, runs):
    record = DERIVATIVES / "strip.jsonl"

    def done():
        return {
            name for name, known in journal.read(record).items() if known["state"] == "done"
        } - {""}

    with runs.start(*SKULLMASK, "strip", "heads") as run:
        wait_for(lambda: len(done()) >= 3, seconds=120)
        run.kill()
    finished = done()
    assert 3 <= len(finished) < 7
    assert not (DERIVATIVES / "masks.tsv").exists()
    written = {
        path: path.stat().st_mtime_ns
        for name in finished
        for path in map(DERIVATIVES.joinpath, journal.read(record)[name]["files"])
    }
    begun = len(started(record))
    assert skullmask("strip", "heads")[0] == 1
    again = started(record)[begun:]
    assert set(again) - {""} == {scan.path for scan in bids.scans(dataset)} - finished
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert len(check_derivatives(DERIVATIVES, dataset)) == 2 * 7
    assert not [path for path in DERIVATIVES.rglob(".*") if path.name != ".bidsignore"]


def started(record):
    lines = filter(None, record.read_text().splitlines())
    return [item for item, known in map(json.loads, lines) if known["state"] == "started"]


@pytest.mark.parametrize(
    ("source", "brain", "mask"),
    [
        (
            "sub-1/anat/sub-1_FLAIR.nii",
            "sub-1/anat/sub-1_desc-brain_FLAIR.nii",
            "sub-1/anat/sub-1_space-FLAIR_desc-brain_mask.nii",
        ),
        (
            "sub-1/ses-a/anat/sub-1_ses-a_acq-hi_run-2_part-mag_chunk-1_T2w.nii.gz",
            "sub-1/ses-a/anat/sub-1_ses-a_acq-hi_run-2_part-mag_chunk-1_desc-brain_T2w.nii.gz",
            "sub-1/ses-a/anat/"
            "sub-1_ses-a_acq-hi_run-2_part-mag_space-T2w_chunk-1_desc-brain_mask.nii.gz",
        ),
    ],
)
def test_names_keep_the_entities_of_their_source(folder, source, brain, mask):
    scans_of(folder, source)
    [scan] = bids.scans(folder)
    assert scan[:3] == (source, brain, mask)
    check_name(Path(brain))
    check_name(Path(mask))


@pytest.mark.parametrize(
    "name",
    [
        "sub-1/anat/sub-1_T1w.json",
        "sub-1/anat/sub-1_part-phase_T1w.nii.gz",
        "sub-1/anat/sub-1_desc-preproc_T1w.nii.gz",
        "sub-1/anat/sub-1_T1map.nii.gz",
        "sub-1/anat/T1w.nii.gz",
        "sub-1/func/sub-1_task-rest_bold.nii.gz",
        "derivatives/other/sub-1/anat/sub-1_T1w.nii.gz",
    ],
)
def test_what_is_no_scan_for_strip_is_left_out(folder, name):
    scans_of(folder, name)
    with refused(str(folder)):
        bids.scans(folder)


def test_a_dataset_elsewhere_is_linked(folder, made):
    scans_of(folder, "heads/sub-1/anat/sub-1_T1w.nii.gz")
    described = {"Name": "Heads", "BIDSVersion": "1.8.0", "DatasetDOI": "doi:10.1/2"}
    (folder / "heads/dataset_description.json").write_text(json.dumps(described))
    folders.strip_scans(["heads"], "else/where")
    assert made == ["sub-1_T1w.nii.gz"]
    check_derivatives(Path("else/where"), folder / "heads")
    told = json.loads(Path("else/where/dataset_description.json").read_text())
    assert told["SourceDatasets"] == [{"DOI": "doi:10.1/2"}]


@pytest.mark.parametrize(
    ("top", "subject", "name"),
    [
        (b"h\xe9ads", b"sub-1", "Heads"),
        (b"heads", b"sub-\xe9", "Heads"),
        (b"h", b"sub-1", "\ud83d"),
    ],
)
def test_names_in_a_data_set_may_be_any_bytes(folder, made, top, subject, name):
    dataset = Path(os.fsdecode(top))
    scan = dataset / os.fsdecode(subject) / "anat/sub-1_T1w.nii.gz"
    scans_of(folder, scan)
    described = {"Name": name, "BIDSVersion": "1.8.0"}
    (dataset / "dataset_description.json").write_text(json.dumps(described))
    assert folders.strip_scans([dataset], "out").failed == []
    assert made == [scan.name]
    written = json.loads(Path("out/dataset_description.json").read_text())
    assert written["Name"].startswith(name)
    assert Path("out", written["DatasetLinks"]["raw"]).resolve() == folder / dataset
    [sidecar] = Path("out").rglob("*_T1w.json")
    source, _ = json.loads(sidecar.read_text())["Sources"]
    assert (dataset / source.removeprefix("bids:raw:")).is_file()


@pytest.mark.parametrize(
    ("text", "naming"),
    [("{", ["JSON"]), ("[]", ["JSON"]), ('{"DatasetType": "derivative"}', ["derivative"])],
)
def test_what_is_no_raw_dataset_is_refused(folder, text, naming):
    scans_of(folder, "heads/sub-1/anat/sub-1_T1w.nii.gz")
    (folder / "heads/dataset_description.json").write_text(text)
    with refused("dataset_description.json", naming):
        folders.strip_scans(["heads"])
    assert not (folder / "heads/derivatives").exists()


# --- Folders -------------------------------------------------------------------------------------


def test_a_rerun_makes_what_is_missing_or_has_changed(folder, made):
    scans_of(folder, "in/a.nii", "in/b.nii", "in/below/a.nii.gz", "in/.hidden.nii", "in/notes.txt")
    counts = []
    folders.strip_scans(["in"], "out", begin=counts.append, progress=lambda: counts.append("done"))
    assert counts == [3, "done", "done", "done"]
    assert sorted(made) == ["a.nii", "a.nii.gz", "b.nii"]
    assert Path("out/below/a_brainmask.nii.gz").is_file()

    def again(**options):
        made.clear()
        folders.strip_scans(["in"], "out", **options)
        return made

    assert again() == []
    assert again(version="V8") == []
    Path("out/b_brain.nii").unlink()
    assert again() == ["b.nii"]
    Path("in/a.nii").write_text("another scan")
    assert again() == ["a.nii"]
    assert sorted(again(n4=True)) == ["a.nii", "a.nii.gz", "b.nii"]
    scans_of(folder, "in/c.nii")
    assert again(n4=True) == ["c.nii"]
    assert len(again(n4=True, extent="tight")) == 4
    assert len(again(n4=True, extent="tight", version="v9")) == 4
    with pytest.raises(InputError):
        again(extent="wide")
    with pytest.raises(InputError):
        again(version="v7")


def test_what_was_made_before_there_were_versions_was_made_by_v8(folder, made):
    scans_of(folder, "in/a.nii")
    folders.strip_scans(["in"], "out")
    journal_file = Path("out", folders.JOURNAL)
    earlier = journal_file.read_text().replace(', "version": "v8"', "")
    assert "version" not in earlier
    journal_file.write_text(earlier)
    made.clear()
    folders.strip_scans(["in"], "out")
    assert made == []
    folders.strip_scans(["in"], "out", version="v9")
    assert made == ["a.nii"]
    assert table(Path("out/masks.tsv"))["a.nii"]["skull_by"] == "v9"


def test_a_failed_scan_does_not_stop_the_others_and_is_tried_again(folder, made, skullmask):
    scans_of(folder, "in/a.nii", "in/bad.nii", "in/z.nii")
    Path("in/b.nii").write_text("short")
    Path("in/gone.nii").symlink_to("nowhere")
    for _ in range(2):
        made.clear()
        code, out, [line] = skullmask("strip", "in", "out")
        assert (code, out.splitlines()) == (
            1,
            ["The table: out/masks.tsv", "5 scans", "To be looked at first: bad.nii"],
        )
        assert "2 of 5" in line
        assert "b.nii, gone.nii" in line
    assert made == ["b.nii", "gone.nii"]
    rows = table(Path("out/masks.tsv"))
    assert [rows[name]["state"] for name in ("a.nii", "b.nii", "gone.nii")] == [
        "done",
        "failed",
        "failed",
    ]
    assert rows["b.nii"]["remarks"] == "is too small"
    assert rows["b.nii"]["quality"] == "n/a"


def test_a_scan_that_broke_meanwhile_is_mended(folder, made, skullmask):
    whole = "the whole scan"
    for text, code in ((whole, 0), ("short", 1), (whole, 0)):
        scans_of(folder, "in/a.nii", "in/b.nii")
        Path("in/b.nii").write_text(text)
        assert skullmask("strip", "in", "out")[0] == code
        row = table(Path("out/masks.tsv"))["b.nii"]
        assert row["mask"] == ("n/a" if code else "b_brainmask.nii")
    assert made == ["a.nii", "b.nii", "b.nii", "b.nii"]


def test_several_scans_come_with_their_folder(folder, made, skullmask):
    scans_of(folder, "x/a.nii", "y/a.nii", "x/b.nii")
    assert skullmask("strip", "x/a.nii", "y/a.nii", "-o", "out")[:1] == (0,)
    assert Path("out/x/a_brain.nii").is_file()
    assert Path("out/y/a_brain.nii").is_file()
    assert skullmask("strip", "x/a.nii", "x/b.nii", "flat")[:1] == (0,)
    assert Path("flat/b_brain.nii").is_file()
    assert len(made) == 4


@pytest.mark.parametrize("name", ["masks.tsv", "a_qc.png"])
def test_what_is_not_ours_is_not_replaced(folder, made, name):
    scans_of(folder, "in/a.nii")
    scans_of(folder, f"out/{name}")
    with refused(name):
        folders.strip_scans(["in"], "out")
    assert [path.name for path in Path("out").iterdir()] == [name]
    assert made == []


def test_a_mask_that_was_corrected_by_hand_stays(folder, made):
    scans_of(folder, "in/a.nii")
    folders.strip_scans(["in"], "out")
    Path("out/a_brainmask.nii").write_text("corrected")
    folders.strip_scans(["in"], "out")
    with refused("a_brainmask.nii"):
        folders.strip_scans(["in"], "out", n4=True)
    assert Path("out/a_brainmask.nii").read_text() == "corrected"
    assert len(made) == 1


def files_in(folder):
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


RESULTS = {"a_brain.nii", "a_brainmask.nii", "a_brainmask.json", "a_qc.png"}


@pytest.mark.parametrize(
    ("sources", "places"),
    [
        (["in"], ["s1/"]),
        (["in/s1"], [""]),
        (["in/s1/a.nii"], [""]),
        (["in/../in/s1/a.nii", "in/s1"], [""]),
        (["in", "other"], ["in/s1/", "other/"]),
        (["../study/in", "other/a.nii"], ["in/s1/", "other/"]),
        (["../elsewhere/a.nii", "other"], ["elsewhere/", "study/other/"]),
    ],
)
def test_results_lie_in_their_folder_as_the_scans_do_in_theirs(
    folder, made, monkeypatch, sources, places
):
    scans_of(folder, "study/in/s1/a.nii", "study/other/a.nii", "elsewhere/a.nii")
    before = files_in(folder)
    monkeypatch.chdir("study")
    folders.strip_scans(sources, "out")
    expected = {f"study/out/{place}{name}" for place in places for name in RESULTS}
    expected |= {"study/out/masks.tsv", "study/out/strip.jsonl"}
    assert files_in(folder) - before == expected
    assert len(made) == len(places)


def test_another_subject_moves_no_results(folder, made):
    scans_of(folder, "in/s1/a.nii")
    folders.strip_scans(["in"], "out")
    before = files_in(folder / "out")
    scans_of(folder, "in/s2/b.nii")
    folders.strip_scans(["in"], "out")
    assert made == ["a.nii", "b.nii"]
    assert {name for name in files_in(folder / "out") - before if "s2/" not in name} == set()


@pytest.mark.parametrize("kind", ["x", "x/a.nii"])
def test_results_of_a_scan_from_elsewhere_are_not_replaced(folder, made, kind):
    scans_of(folder, "x/a.nii", "y/a.nii")
    folders.strip_scans([kind], "out")
    before = Path("out/a_brain.nii").read_text()
    with refused("y/a.nii", ["x/a.nii"]):
        folders.strip_scans([kind.replace("x", "y")], "out")
    assert Path("out/a_brain.nii").read_text() == before
    assert len(made) == 1


def test_results_of_a_scan_from_elsewhere_stay_where_two_runs_start_together(folder, made):
    scans_of(folder, "x/a.nii", "y/a.nii")

    def overtake(_):
        folders.strip_scans(["x"], "out")

    with refused("y/a.nii", ["x/a.nii"]):
        folders.strip_scans(["y"], "out", begin=overtake)
    with refused("y/a.nii", ["x/a.nii"]):
        folders.strip_scans(["y"], "out")
    outcome = folders.strip_scans(["x"], "out")
    assert table(outcome.table)["a.nii"]["mask"] == "a_brainmask.nii"
    assert made == ["a.nii"]
    assert b"y/a.nii" not in Path("out/a_brain.nii").read_bytes()


def test_scans_may_move_with_or_without_their_results(folder, made):
    scans_of(folder, "top/x/a.nii")
    folders.strip_scans(["top/x"], "top/out")
    Path("top").rename("moved")
    Path("moved/x/a.nii").write_text("another scan")
    folders.strip_scans(["moved/x"], "moved/out")
    Path("moved/x").rename("y")
    folders.strip_scans(["y"], "moved/out")
    assert len(made) == 2
    folders.strip_scans(["y"], "moved/out", n4=True)
    assert len(made) == 3


def test_two_spellings_of_one_name_are_no_two_scans(folder, made):
    scans_of(folder, "a.nii", "far/a.nii", "far/x/b.nii")
    Path("x").symlink_to("far/x")
    with refused("a.nii", ["x/../a.nii"]):
        folders.strip_scans(["a.nii", "x/../a.nii"], "out")
    assert made == []


@pytest.mark.parametrize(
    ("source", "output"), [(".", "../d"), ("../d", "."), ("../link", "."), (".", "../link")]
)
def test_results_beside_the_scans_are_no_scans_however_spelled(
    folder, made, monkeypatch, source, output
):
    scans_of(folder, "d/a.nii")
    Path("link").symlink_to("d")
    monkeypatch.chdir("d")
    for _ in range(2):
        folders.strip_scans([source], output)
    assert made == ["a.nii"]


def killed(made, *arguments, **options):
    made.append("killed")
    with pytest.raises(KeyboardInterrupt):
        folders.strip_scans(*arguments, **options)
    made.clear()


@pytest.mark.parametrize("earlier", [True, False])
def test_a_killed_run_remembers_its_files(folder, made, earlier):
    scans_of(folder, "a.nii")
    if earlier:
        folders.strip_scans(["."], ".")
    killed(made, ["."], ".", n4=True)
    killed(made, ["."], ".", n4=True)
    folders.strip_scans(["."], ".", n4=True)
    assert made == ["a.nii"]
    assert files_in(folder) > RESULTS


@pytest.mark.parametrize("earlier", [True, False])
def test_a_mask_that_was_corrected_after_a_kill_stays(folder, made, earlier):
    scans_of(folder, "in/a.nii")
    if earlier:
        folders.strip_scans(["in"], "out")
    killed(made, ["in"], "out", n4=True)
    Path("out/a_brainmask.nii").write_text("corrected")
    with refused("a_brainmask.nii"):
        folders.strip_scans(["in"], "out", n4=True)
    assert Path("out/a_brainmask.nii").read_text() == "corrected"
    assert made == []


@pytest.fixture
def derivatives(folder, made):
    """Give the folder of a run on a data set with one scan, which another run can repeat."""
    scans_of(folder, "heads/sub-1/anat/sub-1_T1w.nii.gz")
    described = {"Name": "Heads", "BIDSVersion": "1.8.0"}
    (folder / "heads/dataset_description.json").write_text(json.dumps(described))
    folders.strip_scans(["heads"], "out")
    assert len(made) == 1
    return Path("out")


def test_a_table_is_not_replaced_once_changed(derivatives):
    (derivatives / "masks.tsv").write_text("a note")
    with refused("masks.tsv"):
        folders.strip_scans(["heads"], "out")
    assert (derivatives / "masks.tsv").read_text() == "a note"


@pytest.mark.parametrize("name", ["README.md", "dataset_description.json", ".bidsignore"])
def test_what_users_edit_in_a_data_set_stays_theirs(derivatives, made, name):
    (derivatives / name).write_text("{}")
    for n4 in (False, True, True):
        folders.strip_scans(["heads"], "out", n4=n4)
    assert (derivatives / name).read_text() == "{}"
    assert len(made) == 2
    (derivatives / name).unlink()
    folders.strip_scans(["heads"], "out", n4=True)
    assert (derivatives / name).stat().st_size > 2


def test_a_mask_that_is_corrected_during_a_run_stays(folder, made):
    scans_of(folder, "in/a.nii", "in/b.nii")
    folders.strip_scans(["in"], "out")

    def correct():
        Path("out/b_brainmask.nii").write_text("corrected")

    with pytest.warns(match="b_brainmask.nii was"):
        outcome = folders.strip_scans(["in"], "out", n4=True, progress=correct)
    assert outcome.failed == ["b.nii"]
    assert Path("out/b_brainmask.nii").read_text() == "corrected"
    with refused("b_brainmask.nii"):
        folders.strip_scans(["in"], "out", n4=True)
    assert made == ["a.nii", "b.nii", "a.nii"]


def test_a_mask_that_is_corrected_while_it_is_made_stays(folder, made, monkeypatch):
    scans_of(folder, "in/a.nii")
    folders.strip_scans(["in"], "out")
    strip_to = strip_files.strip_to

    def slowly(*arguments, **options):
        Path("out/a_brainmask.nii").write_text("corrected")
        return strip_to(*arguments, **options)

    monkeypatch.setattr(strip_files, "strip_to", slowly)
    with pytest.warns(match="a_brainmask.nii was"):
        folders.strip_scans(["in"], "out", n4=True)
    assert Path("out/a_brainmask.nii").read_text() == "corrected"
    assert made == ["a.nii", "a.nii"]


def test_two_runs_at_once_are_refused(folder, made):
    scans_of(folder, "in/a.nii", "in/b.nii")

    def second():
        with refused("out"):
            folders.strip_scans(["in"], "out", n4=True)

    folders.strip_scans(["in"], "out", progress=second)
    assert made == ["a.nii", "b.nii"]


def test_pipes_are_no_scans_and_names_may_be_any_bytes(folder, made):
    scans_of(folder, "in/a.nii", os.fsdecode(b"in/\xff.nii"))
    os.mkfifo("in/pipe.nii")
    os.mkfifo("pipe")
    Path("in/link.nii").symlink_to("../pipe")
    with pytest.warns(match="link.nii"):
        outcome = folders.strip_scans(["in"], "out")
    assert outcome.failed == ["link.nii"]
    assert set(made) >= {"a.nii", os.fsdecode(b"\xff.nii")}


def test_a_single_scan_does_not_replace_a_corrected_mask_of_a_run(folder, made, skullmask):
    scans_of(folder, "in/a.nii", "in/b.nii")
    assert skullmask("strip", "in", "out")[0] == 0
    assert skullmask("strip", "in/a.nii", "out", "--n4")[0] == 0
    Path("out/a_brainmask.nii").write_text("corrected")
    code, _, [line] = skullmask("strip", "in/a.nii", "out")
    assert code == 2
    assert "a_brainmask.nii" in line
    assert Path("out/a_brainmask.nii").read_text() == "corrected"
    assert made == ["a.nii", "b.nii", "a.nii"]
    assert set(table(Path("out/masks.tsv"))) == {"a.nii", "b.nii"}


def test_results_beside_the_scans_are_no_scans(folder, made):
    scans_of(folder, "a.nii", "b.nii")
    for _ in range(2):
        folders.strip_scans(["."], ".")
    assert sorted(made) == ["a.nii", "b.nii"]


def test_what_is_hidden_is_no_scan(folder, made):
    scans_of(folder, "in/a.nii", "in/.b.nii", "in/.trash/c.nii", "in/__MACOSX/d.nii")
    folders.strip_scans(["in"], "out")
    assert made == ["a.nii"]


def test_two_scans_of_one_name_are_refused(folder, made):
    scans_of(folder, "in/a.nii", "in/b.nii.gz", "in/b.hdr")
    with refused("b_brain.nii.gz", ["b.hdr", "b.nii.gz"]):
        folders.strip_scans(["in"], "out")
    assert made == []
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "arguments", [["a.nii"], ["missing", "out"], ["a.nii", "missing.nii", "o"]]
)
def test_wrong_arguments_are_one_line(folder, skullmask, arguments):
    scans_of(folder, "a.nii")
    code, out, [_] = skullmask("strip", *arguments)
    assert (code, out) == (2, "")
    assert [path.name for path in folder.iterdir()] == ["a.nii"]


def test_names_in_the_table_are_no_formulas(folder, made):
    scans_of(folder, "in/=a.nii", "in/b.nii")
    folders.strip_scans(["in"], "out")
    assert len(made) == 2
    assert "'=a.nii" in table(Path("out/masks.tsv"))
