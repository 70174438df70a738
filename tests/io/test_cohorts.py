"""The data sets of the sources, in small and in exactly the published layout."""

import re
import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from complaints import refused
from inputs import blobs
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import skullmask_lib as sm
from skullmask_lib.errors import InputError, InputWarning
from skullmask_lib.io import cohorts, datasets, nifti
from skullmask_lib.reports import provenance

PARTICIPANTS = ("A00028185", "A00028352", "A00037112")
PATIENTS = {"TCGA_CS_4941_19960909": 12, "TCGA_DU_7008_19830723": 3, "TCGA_HT_A616_19991226": 2}
NFBS_AFFINE = np.array(
    [[0, 0, 1, -90], [-1, 0, 0, 120], [0, -1, 0, 130], [0, 0, 0, 1.0]]
)  # sagittal slices
LGG_TABLE = """Patient,RNASeqCluster,MethylationCluster,gender,age_at_initial_pathologic,race,ethnicity,death01
TCGA_CS_4941,2,4,2,67,3,2,1
TCGA_DU_7008,2,5,1,,3,2,0
TCGA_HT_A999,1,1,1,40,3,2,0
"""


def nfbs_file(home, end):
    return home / f"sub-{home.name}_ses-NFB3_{end}.nii.gz"


def head_of(seed, shape=(10, 12, 8)):
    volume = (100 * np.stack([blobs(seed + k, shape=shape[1:]) for k in range(shape[0])])).astype(
        np.float32
    )
    return volume, (volume > np.median(volume)).astype(np.uint8)


@pytest.fixture
def nfbs(tmp_path):
    """Give NFBS_Dataset with three participants of 12 axial slices."""
    for seed, participant in enumerate(PARTICIPANTS):
        home = tmp_path / "NFBS_Dataset" / participant
        home.mkdir(parents=True)
        volume, mask = head_of(9 * seed)
        for end, array in (("T1w", volume), ("T1w_brain", volume * mask), ("T1w_brainmask", mask)):
            nib.save(nib.Nifti1Image(array, NFBS_AFFINE), nfbs_file(home, end))
    return tmp_path / "NFBS_Dataset"


def lgg_slice(seed, shape=(20, 16)):
    return np.stack(
        [np.full(shape, 10), 255 * blobs(seed, shape=shape) / 9, np.full(shape, seed)], 2
    ).astype(np.uint8)


@pytest.fixture
def lgg(tmp_path):
    """Give kaggle_3m with three patients; every third slice shows tumour."""
    inner = tmp_path / "lgg-mri-segmentation" / "kaggle_3m"
    for patient, count in PATIENTS.items():
        (inner / patient).mkdir(parents=True)
        for k in range(1, count + 1):
            Image.fromarray(lgg_slice(k)).save(inner / patient / f"{patient}_{k}.tif")
            mask = np.zeros((20, 16), np.uint8)
            mask[4:7, 5:9] = 255 * (k % 3 == 0)
            Image.fromarray(mask).save(inner / patient / f"{patient}_{k}_mask.tif")
    (inner / "data.csv").write_text(LGG_TABLE)
    (inner / "README.md").write_text("# LGG Segmentation Dataset")
    return inner


def clutter(folder):
    """Leave behind what file managers, archives and people do."""
    (folder / ".DS_Store").write_bytes(bytes(7))
    (folder / "notes.csv").write_bytes(b"\xff\xfe,\x00\n" + bytes(200_000))
    (folder / "empty.tsv").touch()
    (folder / "sizes.csv").write_text("file,bytes\na,1\n")
    (folder / "loop").symlink_to(folder)
    (folder / "itself").symlink_to(folder / "itself")
    (folder / "nowhere").symlink_to(folder / "missing")
    for home in [home for home in folder.iterdir() if home.is_dir() and not home.is_symlink()]:
        (home / ".DS_Store").write_bytes(bytes(7))
        (home / "loop").symlink_to(folder)
        for parent in (folder.parent / "__MACOSX" / folder.name, folder.parent / ".Trash"):
            (parent / home.name).mkdir(parents=True)
            (parent / home.name / f"._{home.name}_1.tif").write_bytes(b"\x00\x05\x16\x07")
        for suffix in ("bak", "txt", "nii.gz.part"):
            (home / f"{home.name}_1.{suffix}").touch()


# --- the indexes -----------------------------------------------------------------------------------------------


def test_nfbs_index_has_a_row_for_every_participant(nfbs):
    index = cohorts.nfbs_index(nfbs)
    assert list(index) == ["participant", "t1w", "brain", "brainmask", "missing", "sex", "age"]
    assert tuple(index.participant) == PARTICIPANTS
    for kind, end in (("t1w", "T1w"), ("brain", "T1w_brain"), ("brainmask", "T1w_brainmask")):
        assert list(index[kind]) == [
            nfbs_file(nfbs / participant, end) for participant in PARTICIPANTS
        ]
    assert list(index.missing) == [()] * 3
    assert index.sex.isna().all()
    assert index.age.isna().all()


def test_lgg_index_has_a_row_for_every_slice_in_the_order_of_numbers(lgg):
    index = cohorts.lgg_index(lgg)
    assert list(index) == ["patient", "slice", "image", "mask", "missing", "tumour", "sex", "age"]
    assert index.groupby("patient", sort=False).slice.apply(list).to_dict() == {
        patient[:12]: list(range(1, count + 1)) for patient, count in PATIENTS.items()
    }
    assert [path.name for path in index.image[9:12]] == [
        f"TCGA_CS_4941_19960909_{k}.tif" for k in (10, 11, 12)
    ]
    assert [path.name for path in index["mask"][9:12]] == [
        f"TCGA_CS_4941_19960909_{k}_mask.tif" for k in (10, 11, 12)
    ]
    assert list(index.tumour) == [k % 3 == 0 for k in index.slice]
    assert list(index.missing) == [()] * 17
    told = index.groupby("patient").agg({"sex": "first", "age": "first"})
    assert told.sex.tolist()[:2] == ["2", "1"]
    assert told.age.tolist()[0] == 67
    assert told.isna().to_numpy().tolist() == [[False, False], [False, True], [True, True]]


@pytest.mark.parametrize("which", ["nfbs", "lgg"])
def test_a_folder_above_and_clutter_give_the_same_index(request, tmp_path, which):
    folder = request.getfixturevalue(which)
    index = getattr(cohorts, f"{which}_index")
    wanted = index(folder)
    clutter(folder)
    for place in (folder, folder.parent, tmp_path, str(tmp_path)):
        pd.testing.assert_frame_equal(index(place), wanted)


def test_an_archive_that_holds_the_data_twice_is_read_once(lgg, tmp_path):
    shutil.copytree(lgg, tmp_path / "kaggle_3m")  # as the published one does
    index = cohorts.lgg_index(tmp_path)
    assert len(index) == 17
    assert {path.parents[1] for path in index.image} == {tmp_path / "kaggle_3m"}
    shutil.copytree(lgg, lgg.parent / "copy")
    assert {path.parents[1] for path in cohorts.lgg_index(lgg.parent).image} == {
        lgg.parent / "copy"
    }


def test_one_persons_folder_is_a_data_set(nfbs, lgg, monkeypatch):
    assert list(cohorts.nfbs_index(nfbs / PARTICIPANTS[1]).participant) == [PARTICIPANTS[1]]
    index = cohorts.lgg_index(lgg / "TCGA_CS_4941_19960909")
    assert (len(index), set(index.age)) == (12, {67})
    monkeypatch.chdir(nfbs / PARTICIPANTS[2])
    assert list(cohorts.nfbs_index(".").participant) == [PARTICIPANTS[2]]


def test_missing_files_are_named(nfbs, lgg):
    first, second, third = (nfbs / participant for participant in PARTICIPANTS)
    nfbs_file(first, "T1w_brainmask").unlink()
    nfbs_file(second, "T1w").rename(second / "T1w.nii.gz")
    shutil.rmtree(third)
    third.mkdir()
    index = cohorts.nfbs_index(nfbs)
    assert list(index.missing) == [
        ("sub-A00028185_ses-NFB3_T1w_brainmask.nii.gz",),
        ("sub-A00028352_ses-NFB3_T1w.nii.gz",),
        tuple(
            f"sub-A00037112_ses-NFB3_{end}.nii.gz" for end in ("T1w", "T1w_brain", "T1w_brainmask")
        ),
    ]
    assert index[["t1w", "brain", "brainmask"]].isna().to_numpy().tolist() == [
        [False, False, True],
        [True, False, False],
        [True, True, True],
    ]
    home = lgg / "TCGA_DU_7008_19830723"
    (home / f"{home.name}_1.tif").unlink()
    (home / f"{home.name}_3_mask.tif").unlink()
    shutil.rmtree(lgg / "TCGA_HT_A616_19991226")
    (lgg / "TCGA_HT_A616_19991226").mkdir()
    index = cohorts.lgg_index(lgg)[12:]
    assert list(index.missing) == [
        ("TCGA_DU_7008_19830723_1.tif",),
        (),
        ("TCGA_DU_7008_19830723_3_mask.tif",),
        ("TCGA_HT_A616_19991226_1.tif", "TCGA_HT_A616_19991226_1_mask.tif"),
    ]
    assert index.tumour.isna().tolist() == [False, False, True, True]
    assert index.image.isna().tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("name", "table"),
    [
        (
            "participants.tsv",
            "participant_id\tage\tsex\nsub-A00028185\t24\tF\nsub-A00028352\tn/a\tM\n",
        ),
        ("people.csv", "Age,Gender,Subject ID\n24,F,A00028185\n,M,A00028352\n30,M,A00099999\n"),
        (
            "people.csv",
            "\ufeffAnonymized ID;Visit;AGE_04;Sex\nA00028185;V1;;\nA00028185;V2;24;F\nA00028185;V3;26;M\nA00028352;;;M",
        ),
        (
            "people.csv",
            "id,age_group,age,sex\nA00028185,20-29,24,F\nA00028352,20-29,unknown,M\nshort\n",
        ),
    ],
)
@pytest.mark.parametrize("beside", [True, False])
def test_tables_tell_sex_and_age(nfbs, name, table, beside):
    (nfbs if beside else nfbs.parent).joinpath(name).write_text(table, encoding="utf-8")
    index = cohorts.nfbs_index(nfbs if beside else nfbs.parent)
    assert index.sex.tolist()[:2] == ["F", "M"]
    assert index.age.tolist()[0] == 24
    assert index.sex.isna().tolist() == [False, False, True]
    assert index.age.isna().tolist() == [False, True, True]


def test_a_folder_with_nothing_in_it_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for index, prefix, layout in (
        (cohorts.nfbs_index, "nfbs:", "A00028185/sub-A00028185_ses-NFB3_T1w.nii.gz"),
        (cohorts.lgg_index, "lgg:", "TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1.tif"),
    ):
        for read in (index, lambda folder, prefix=prefix: sm.load(f"{prefix}{folder}")):
            with refused("empty", naming=[layout]):
                read(tmp_path / "empty")
            for name in ("missing", "file"):
                with refused(name):
                    read(tmp_path / name)


def test_a_damaged_mask_is_named(lgg):
    mask = lgg / "TCGA_DU_7008_19830723" / "TCGA_DU_7008_19830723_2_mask.tif"
    mask.write_bytes(mask.read_bytes()[:60])
    with refused("TCGA_DU_7008_19830723_2_mask.tif"):
        cohorts.lgg_index(lgg)


def test_without_pandas_a_line_says_what_to_install(nfbs, lgg, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    for index, folder in ((cohorts.nfbs_index, nfbs), (cohorts.lgg_index, lgg)):
        with refused(None, naming=["pandas", "skullmask[volumes]"]):
            index(folder)
    assert len(sm.load(f"lgg:{lgg}").images) == 17


def test_class_counts(nfbs, lgg):
    counts = cohorts.class_counts(cohorts.lgg_index(lgg))
    assert (counts.to_dict(), counts.name) == ({"no tumour": 12, "tumour": 5}, "slices")
    (lgg / "TCGA_CS_4941_19960909" / "TCGA_CS_4941_19960909_3_mask.tif").unlink()
    assert cohorts.class_counts(cohorts.lgg_index(lgg)).to_dict() == {
        "no tumour": 12,
        "tumour": 4,
        "unknown": 1,
    }
    assert cohorts.class_counts(cohorts.nfbs_index(nfbs)).to_dict() == {"unknown": 3}
    (nfbs / "people.csv").write_text("id,sex\nA00028185,F\nA00028352,F\n")
    counts = cohorts.class_counts(cohorts.nfbs_index(nfbs))
    assert (counts.to_dict(), counts.name) == ({"F": 2, "unknown": 1}, "participants")


# --- loading ---------------------------------------------------------------------------------------------------


def test_nfbs_loads_all_participants_with_their_brains(nfbs):
    data = sm.load(f"nfbs:{nfbs.parent}")
    apart = [sm.load(nfbs_file(nfbs / participant, "T1w")) for participant in PARTICIPANTS]
    brains = [
        sm.load(nfbs_file(nfbs / participant, "T1w_brainmask")) for participant in PARTICIPANTS
    ]
    assert_array_equal(data.images, np.concatenate([each.images for each in apart]))
    assert_array_equal(data.brain, np.concatenate([each.images for each in brains]))
    assert_allclose(data.spacing_mm, np.ones((36, 2)))
    assert (data.images.dtype, data.brain.dtype, data.spacing_mm.dtype) == (
        np.float32,
        np.uint8,
        np.float64,
    )
    assert data.names == tuple(
        f"{participant}[{k}]" for participant in PARTICIPANTS for k in range(12)
    )
    assert data.truth is data.tumour is None
    assert not data.volume


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    "part", [slice(5, 9), slice(3, None, 5), slice(None, None, -7), slice(-3, None), slice(11, 13)]
)
def test_some_slices_are_the_same_of_all(nfbs, lgg, axis, part):
    for source in (f"nfbs:{nfbs}", f"lgg:{lgg}")[: 2 if axis == 2 else 1]:
        whole, some = sm.load(source, axis=axis), sm.load(source, axis=axis, slices=part)
        assert_array_equal(some.images, whole.images[part])
        assert some.names == whole.names[part]
        for kind in ("brain", "tumour", "spacing_mm"):
            if getattr(whole, kind) is not None:
                assert_array_equal(getattr(some, kind), getattr(whole, kind)[part])


def test_only_the_files_that_are_needed_are_read(nfbs, lgg, monkeypatch):
    read, opened = nifti.read, []
    monkeypatch.setattr(
        nifti, "read", lambda path, **how: opened.append(path.name) or read(path, **how)
    )
    data = sm.load(f"nfbs:{nfbs}", slices=range(14, 17))
    assert opened == [
        nfbs_file(nfbs / PARTICIPANTS[1], end).name for end in ("T1w", "T1w_brainmask")
    ]
    assert data.volume
    for home in list(lgg.iterdir())[:-1]:
        for image in home.glob("*_[23].tif") if home.is_dir() else ():
            image.write_bytes(b"damaged")
    assert sm.load(f"lgg:{lgg}", slices=slice(0, 1)).names == ("TCGA_CS_4941_19960909_1.tif",)


def test_slices_of_one_participant_are_a_volume(nfbs, lgg):
    for source, count in (
        (f"nfbs:{nfbs / PARTICIPANTS[0]}", 12),
        (f"lgg:{lgg / 'TCGA_CS_4941_19960909'}", 12),
    ):
        assert sm.load(source).volume
        assert len(sm.load(source).images) == count
        assert not sm.load(source, slices=slice(0, 8, 2)).volume
    assert sm.load(f"nfbs:{nfbs}", slices=slice(0, 12)).volume
    assert not sm.load(f"nfbs:{nfbs}", slices=slice(0, 13)).volume


def test_lgg_loads_the_flair_with_tumours(lgg):
    data = sm.load(f"lgg:{lgg.parent}")
    numbers = [k for count in PATIENTS.values() for k in range(1, count + 1)]
    assert_array_equal(data.images, [lgg_slice(k)[..., 1] for k in numbers])
    assert_array_equal(data.tumour.any(axis=(1, 2)), [k % 3 == 0 for k in numbers])
    assert_array_equal(np.unique(data.tumour), [0, 1])
    assert (data.images.dtype, data.tumour.dtype) == (np.float32, np.uint8)
    assert data.names == tuple(
        f"{patient}_{k}.tif" for patient, n in PATIENTS.items() for k in range(1, n + 1)
    )
    assert data.truth is data.brain is data.spacing_mm is None
    assert not data.volume
    for channel in (0, 1, 2):
        same = sm.load(f"lgg:{lgg}", channel=channel)
        assert_array_equal(same.images, [lgg_slice(k)[..., channel] for k in numbers])
        assert_array_equal(same.tumour, data.tumour)
    with pytest.raises(InputError, match=r"_1\.tif: .*0 to 2.* 3$"):
        sm.load(f"lgg:{lgg}", channel=3)
    assert (
        sm.load(lgg / "TCGA_CS_4941_19960909" / "TCGA_CS_4941_19960909_1.tif", channel=1).tumour
        is None
    )


def test_a_truth_may_come_from_elsewhere(lgg, tmp_path):
    np.save(tmp_path / "truth.npy", np.tile(np.eye(20, 16, dtype=np.uint8), (17, 1, 1)))
    data = sm.load(f"lgg:{lgg}", truth=tmp_path / "truth.npy", slices=slice(2, 5))
    assert (data.truth.shape, data.tumour.shape) == ((3, 20, 16), (3, 20, 16))
    assert_array_equal(data.spaced((2, 2)).tumour, data.tumour)


def test_who_lacks_an_image_is_left_out_and_named(nfbs, lgg):
    nfbs_file(nfbs / PARTICIPANTS[0], "T1w").unlink()
    with pytest.warns(InputWarning, match=r"NFBS_Dataset: .*images: A00028185$"):
        data = sm.load(f"nfbs:{nfbs}")
    assert data.names[0] == "A00028352[0]"
    assert len(data.images) == len(data.brain) == 24
    for image in (lgg / "TCGA_CS_4941_19960909").glob("*_[12].tif"):
        image.unlink()
    with pytest.warns(InputWarning, match=r"kaggle_3m: .*images: TCGA_CS_4941$"):
        assert sm.load(f"lgg:{lgg}").names[0] == "TCGA_CS_4941_19960909_3.tif"
    for file in nfbs.rglob("*T1w.nii.gz"):
        file.unlink()
    with pytest.warns(InputWarning, match="A00037112"), refused(nfbs.name, naming=[" 0 "]):
        sm.load(f"nfbs:{nfbs}")


def test_masks_come_for_all_slices_or_for_none(nfbs, lgg):
    nfbs_file(nfbs / PARTICIPANTS[1], "T1w_brainmask").unlink()
    with pytest.warns(InputWarning, match=r"NFBS_Dataset: .*masks.*: A00028352$"):
        data = sm.load(f"nfbs:{nfbs}")
    assert data.brain is None
    assert len(data.images) == 36
    assert sm.load(f"nfbs:{nfbs}", slices=slice(0, 12)).brain.shape == (12, 10, 8)
    (lgg / "TCGA_CS_4941_19960909" / "TCGA_CS_4941_19960909_2_mask.tif").unlink()
    with pytest.warns(InputWarning, match=r"kaggle_3m: .*masks.*: TCGA_CS_4941$"):
        assert sm.load(f"lgg:{lgg}").tumour is None


def test_many_names_are_cut_short(nfbs):
    for k in range(7):
        (nfbs / f"A0009000{k}").mkdir()
    with pytest.warns(InputWarning, match=r"images: A00090000, A00090001, A00090002 and 4 more$"):
        sm.load(f"nfbs:{nfbs}")


def test_files_that_do_not_fit_together_are_named(nfbs, lgg):
    image = nfbs_file(nfbs / PARTICIPANTS[1], "T1w")
    nib.save(nib.Nifti1Image(head_of(1, (10, 12, 9))[0], NFBS_AFFINE), image)
    with refused(nfbs_file(nfbs / PARTICIPANTS[1], "T1w_brainmask").name, naming=["shape"]):
        sm.load(f"nfbs:{nfbs}")
    mask = nfbs_file(nfbs / PARTICIPANTS[1], "T1w_brainmask")
    nib.save(nib.Nifti1Image(head_of(1, (10, 12, 9))[1], NFBS_AFFINE), mask)
    with refused(image.name, naming=["(12, 10, 9)"]):
        sm.load(f"nfbs:{nfbs}")
    nib.save(nib.Nifti1Image(head_of(1)[0], NFBS_AFFINE), image)
    nib.save(nib.Nifti1Image(head_of(1)[1], np.eye(4)), mask)
    with refused(mask.name, naming=["(8, 12, 10)"]):
        sm.load(f"nfbs:{nfbs}")
    image.write_bytes(image.read_bytes()[:200])
    with refused(image.name):
        sm.load(f"nfbs:{nfbs}")
    image = lgg / "TCGA_CS_4941_19960909" / "TCGA_CS_4941_19960909_2.tif"
    Image.fromarray(lgg_slice(1)[:10]).save(image)
    Image.fromarray(np.zeros((10, 16), np.uint8)).save(image.with_name(f"{image.stem}_mask.tif"))
    with refused(image.name, naming=["(1, 10, 16)"]):
        sm.load(f"lgg:{lgg}")
    pages = [Image.fromarray(lgg_slice(k)) for k in (1, 2)]
    pages[0].save(image, save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match=rf"{image.stem}"):
        sm.load(f"lgg:{lgg}")


@pytest.mark.parametrize(
    ("source", "options", "where", "values"),
    [
        ("nfbs:", {}, "nfbs", ["folder", "colon"]),
        ("lgg:", {}, "lgg", ["folder", "colon"]),
        ("nfbs:data", {"channel": 1}, "nfbs:data", ["channel"]),
        ("nfbs:data", {"axis": 3}, "data", ["axis 0, 1 or 2", " 3"]),
        ("lgg:data", {"axis": 1}, "data", ["axis 2", " 1"]),
        ("nfbs:data", {"slices": slice(99, None)}, "data", [" 36 ", " 99:"]),
        (r"C:\data\x.npy", {}, r"C:\data\x.npy", ["no such file", "nfbs:FOLDER, lgg:FOLDER"]),
        ("NFBS:data", {}, "NFBS:data", ["no such file"]),
        ("./nfbs:data", {}, "nfbs:data", ["no such file"]),
        (Path("nfbs:data"), {}, "nfbs:data", ["no such file"]),
    ],
)
def test_sources_that_will_not_do(nfbs, lgg, monkeypatch, source, options, where, values):
    (lgg if str(source).startswith("lgg") else nfbs).rename(nfbs.parent / "data")
    monkeypatch.chdir(nfbs.parent)
    with refused(where, naming=values):
        sm.load(source, **options)


def test_masks_of_a_data_set_are_arrays(nfbs, monkeypatch):
    monkeypatch.chdir(nfbs.parent)
    data = sm.load("nfbs:NFBS_Dataset")
    assert datasets.masks_name(data.origin) == "masks.npy"
    made = np.zeros((36, 10, 8), np.uint8)
    datasets.write_masks(made, "a.npy", data)
    assert np.load("a.npy").shape == made.shape
    with refused("a.nii.gz", naming=["nfbs:NFBS_Dataset", ".npy"]):
        datasets.write_masks(made, "a.nii.gz", data)


def test_a_data_set_is_told_by_the_hash_of_its_files(nfbs, lgg):
    for source, some in (
        (f"nfbs:{nfbs}", nfbs_file(nfbs / PARTICIPANTS[2], "T1w")),
        (f"lgg:{lgg}", lgg / "data.csv"),
    ):
        made = provenance.sha256(source)
        clutter(nfbs if some.suffix == ".gz" else lgg)
        assert (
            provenance.sha256(source)
            == provenance.sha256(f"{source}/../{Path(source).name}")
            == made
        )
        some.write_bytes(b"changed")
        assert (provenance.sha256(source) == made) == (some.name == "data.csv")
    next(lgg.rglob("*_2_mask.tif")).write_bytes(b"changed")
    assert provenance.sha256(f"lgg:{lgg}") != made


@pytest.mark.parametrize(
    "which",
    [
        "nfbs:NFBS_Dataset",
        pytest.param("lgg:lgg-mri-segmentation", marks=pytest.mark.full),
        pytest.param("nfbs:NFBS_Dataset/A00028185", marks=pytest.mark.full),
    ],
)
def test_the_command_line_masks_and_reports_on_data_sets(nfbs, lgg, skullmask, which):  # noqa: ARG001
    code, _, err = skullmask("mask", which, "-o", "masks.npy", "--version", "v1")
    assert code == 0
    assert all("warning" in line for line in err)
    assert len(np.load("masks.npy")) == len(sm.load(which).images)
    code, _, [line] = skullmask("mask", "nfbs:", "-o", "masks.npy")
    assert code == 2
    assert line.startswith("skullmask: nfbs: ")
    assert "folder" in line
    assert skullmask("report", which, "-o", "out", "--version", "v1", "-p", "slices=0:2")[0] == 0
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert re.search(rf"{which.partition(':')[0]}:FOLDER_OF_IMAGES, sha256 \w{{64}}", page)
    assert which.partition(":")[2].partition("/")[0] not in page
