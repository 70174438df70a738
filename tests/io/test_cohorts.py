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
from reporting import page_in

import skullmask_lib as sm
from skullmask_lib.errors import InputError, InputWarning
from skullmask_lib.io import cohorts, datasets, nifti
from skullmask_lib.reports import provenance

PARTICIPANTS = ("A00028185", "A00028352", "A00037112")
PATIENTS = {"TCGA_CS_4941_19960909": 12, "TCGA_DU_7008_19830723": 3, "TCGA_HT_A616_19991226": 2}
SLICES_OF_NFBS = 36  # of three participants with 12 axial slices each
SLICES_OF_LGG = sum(PATIENTS.values())
# Sagittal slices
NFBS_AFFINE = np.array([[0, 0, 1, -90], [-1, 0, 0, 120], [0, -1, 0, 130], [0, 0, 0, 1.0]])
LGG_TABLE = """Patient,RNASeqCluster,MethylationCluster,gender,age_at_initial_pathologic,race,ethnicity,death01
TCGA_CS_4941,2,4,2,67,3,2,1
TCGA_DU_7008,2,5,1,,3,2,0
TCGA_HT_A999,1,1,1,40,3,2,0
"""


def nfbs_file(home, end):
    return home / f"sub-{home.name}_ses-NFB3_{end}.nii.gz"


def head_of(seed, shape=(10, 12, 8)):
    """Give a volume of blobs and the mask of its brighter half."""
    slices = [blobs(seed + k, shape=shape[1:]) for k in range(shape[0])]
    volume = (100 * np.stack(slices)).astype(np.float32)
    mask = volume > np.median(volume)
    return volume, mask.astype(np.uint8)


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
    """Give a slice in three channels, the second of which is the FLAIR."""
    before = np.full(shape, 10)
    flair = 255 * blobs(seed, shape=shape) / 9
    after = np.full(shape, seed)
    return np.stack([before, flair, after], axis=2).astype(np.uint8)


def lgg_numbers():
    """List the numbers of all slices, patient after patient."""
    numbers = []
    for count in PATIENTS.values():
        numbers += range(1, count + 1)
    return numbers


def shows_tumour(numbers):
    """Tell for each number whether its slice shows tumour."""
    return [k % 3 == 0 for k in numbers]


@pytest.fixture
def lgg(tmp_path):
    """Give kaggle_3m with three patients; every third slice shows tumour."""
    inner = tmp_path / "lgg-mri-segmentation" / "kaggle_3m"
    for patient, count in PATIENTS.items():
        (inner / patient).mkdir(parents=True)
        for k in range(1, count + 1):
            Image.fromarray(lgg_slice(k)).save(inner / patient / f"{patient}_{k}.tif")
            mask = np.zeros((20, 16), np.uint8)
            if k % 3 == 0:
                mask[4:7, 5:9] = 255
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
    homes = [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    for home in homes:
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
        expected = [nfbs_file(nfbs / participant, end) for participant in PARTICIPANTS]
        assert list(index[kind]) == expected
    assert list(index.missing) == [()] * 3
    assert index.sex.isna().all()
    assert index.age.isna().all()


def test_lgg_index_has_a_row_for_every_slice_in_the_order_of_numbers(lgg):
    index = cohorts.lgg_index(lgg)
    assert list(index) == ["patient", "slice", "image", "mask", "missing", "tumour", "sex", "age"]
    patients = []
    for folder_name, count in PATIENTS.items():
        patient, _, _ = folder_name.rpartition("_")
        patients += [patient] * count
    assert list(index.patient) == patients
    assert list(index.slice) == lgg_numbers()
    last_of_the_first = index[9:12]
    names = [path.name for path in last_of_the_first.image]
    assert names == [f"TCGA_CS_4941_19960909_{k}.tif" for k in (10, 11, 12)]
    names = [path.name for path in last_of_the_first["mask"]]
    assert names == [f"TCGA_CS_4941_19960909_{k}_mask.tif" for k in (10, 11, 12)]
    assert list(index.tumour) == shows_tumour(index.slice)
    assert list(index.missing) == [()] * SLICES_OF_LGG
    by_patient = index.groupby("patient").agg({"sex": "first", "age": "first"})
    assert by_patient.sex.tolist()[:2] == ["2", "1"]
    assert by_patient.age.tolist()[0] == 67
    assert by_patient.isna().to_numpy().tolist() == [[False, False], [False, True], [True, True]]


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
    assert len(index) == SLICES_OF_LGG
    assert folders_of(index) == {tmp_path / "kaggle_3m"}
    shutil.copytree(lgg, lgg.parent / "copy")
    assert folders_of(cohorts.lgg_index(lgg.parent)) == {lgg.parent / "copy"}


def folders_of(index):
    """Collect the folders that hold the patients of an index."""
    return {path.parents[1] for path in index.image}


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
        (
            "sub-A00037112_ses-NFB3_T1w.nii.gz",
            "sub-A00037112_ses-NFB3_T1w_brain.nii.gz",
            "sub-A00037112_ses-NFB3_T1w_brainmask.nii.gz",
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
    index = cohorts.lgg_index(lgg)
    index = index[index.patient != "TCGA_CS_4941"]
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
    folder = nfbs if beside else nfbs.parent
    (folder / name).write_text(table, encoding="utf-8")
    index = cohorts.nfbs_index(folder)
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
        with refused("empty", naming=[layout]):
            index(tmp_path / "empty")
        with refused("empty", naming=[layout]):
            sm.load(f"{prefix}{tmp_path}/empty")
        for name in ("missing", "file"):
            with refused(name):
                index(tmp_path / name)
            with refused(name):
                sm.load(f"{prefix}{tmp_path}/{name}")


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
    assert len(sm.load(f"lgg:{lgg}").images) == SLICES_OF_LGG


def test_class_counts(nfbs, lgg):
    counts = cohorts.class_counts(cohorts.lgg_index(lgg))
    assert (counts.to_dict(), counts.name) == ({"no tumour": 12, "tumour": 5}, "slices")
    (lgg / "TCGA_CS_4941_19960909" / "TCGA_CS_4941_19960909_3_mask.tif").unlink()
    counts = cohorts.class_counts(cohorts.lgg_index(lgg))
    assert counts.to_dict() == {"no tumour": 12, "tumour": 4, "unknown": 1}
    counts = cohorts.class_counts(cohorts.nfbs_index(nfbs))
    assert counts.to_dict() == {"unknown": 3}
    (nfbs / "people.csv").write_text("id,sex\nA00028185,F\nA00028352,F\n")
    counts = cohorts.class_counts(cohorts.nfbs_index(nfbs))
    assert (counts.to_dict(), counts.name) == ({"F": 2, "unknown": 1}, "participants")


# --- loading ---------------------------------------------------------------------------------------------------


def test_nfbs_loads_all_participants_with_their_brains(nfbs):
    data = sm.load(f"nfbs:{nfbs.parent}")
    images = []
    brains = []
    names = []
    for participant in PARTICIPANTS:
        home = nfbs / participant
        images.append(sm.load(nfbs_file(home, "T1w")).images)
        brains.append(sm.load(nfbs_file(home, "T1w_brainmask")).images)
        names += [f"{participant}[{k}]" for k in range(12)]
    assert_array_equal(data.images, np.concatenate(images))
    assert_array_equal(data.brain, np.concatenate(brains))
    assert_allclose(data.spacing_mm, np.ones((SLICES_OF_NFBS, 2)))
    assert data.images.dtype == np.float32
    assert data.brain.dtype == np.uint8
    assert data.spacing_mm.dtype == np.float64
    assert data.names == tuple(names)
    assert data.truth is None
    assert data.tumour is None
    assert not data.volume


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(
    "part", [slice(5, 9), slice(3, None, 5), slice(None, None, -7), slice(-3, None), slice(11, 13)]
)
def test_some_slices_are_the_same_of_all(nfbs, lgg, axis, part):
    sources = [f"nfbs:{nfbs}"]
    if axis == 2:  # the one that pictures have
        sources.append(f"lgg:{lgg}")
    for source in sources:
        whole = sm.load(source, axis=axis)
        some = sm.load(source, axis=axis, slices=part)
        assert_array_equal(some.images, whole.images[part])
        assert some.names == whole.names[part]
        for kind in ("brain", "tumour", "spacing_mm"):
            values = getattr(whole, kind)
            if values is not None:
                assert_array_equal(getattr(some, kind), values[part])


def test_only_the_files_that_are_needed_are_read(nfbs, lgg, monkeypatch):
    read = nifti.read
    opened = []

    def recording_read(path, **options):
        opened.append(path)
        return read(path, **options)

    monkeypatch.setattr(nifti, "read", recording_read)
    data = sm.load(f"nfbs:{nfbs}", slices=range(14, 17))
    second = nfbs / PARTICIPANTS[1]
    assert opened == [nfbs_file(second, "T1w"), nfbs_file(second, "T1w_brainmask")]
    assert data.volume
    for image in lgg.glob("*/*_[23].tif"):
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
    numbers = lgg_numbers()
    assert_array_equal(data.images, [lgg_slice(k)[..., 1] for k in numbers])
    assert_array_equal(data.tumour.any(axis=(1, 2)), shows_tumour(numbers))
    assert_array_equal(np.unique(data.tumour), [0, 1])
    assert data.images.dtype == np.float32
    assert data.tumour.dtype == np.uint8
    names = []
    for patient, count in PATIENTS.items():
        names += [f"{patient}_{k}.tif" for k in range(1, count + 1)]
    assert data.names == tuple(names)
    assert data.truth is None
    assert data.brain is None
    assert data.spacing_mm is None
    assert not data.volume
    for channel in (0, 1, 2):
        same = sm.load(f"lgg:{lgg}", channel=channel)
        assert_array_equal(same.images, [lgg_slice(k)[..., channel] for k in numbers])
        assert_array_equal(same.tumour, data.tumour)
    with pytest.raises(InputError, match=r"_1\.tif: .*0 to 2.* 3$"):
        sm.load(f"lgg:{lgg}", channel=3)
    picture = lgg / "TCGA_CS_4941_19960909" / "TCGA_CS_4941_19960909_1.tif"
    assert sm.load(picture, channel=1).tumour is None


def test_a_truth_may_come_from_elsewhere(lgg, tmp_path):
    truth = np.tile(np.eye(20, 16, dtype=np.uint8), (SLICES_OF_LGG, 1, 1))
    np.save(tmp_path / "truth.npy", truth)
    data = sm.load(f"lgg:{lgg}", truth=tmp_path / "truth.npy", slices=slice(2, 5))
    assert data.truth.shape == data.tumour.shape == (3, 20, 16)
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
    assert len(data.images) == SLICES_OF_NFBS
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
    mask = nfbs_file(nfbs / PARTICIPANTS[1], "T1w_brainmask")
    volume, brain = head_of(1)
    wide_volume, wide_brain = head_of(1, (10, 12, 9))

    nib.save(nib.Nifti1Image(wide_volume, NFBS_AFFINE), image)
    with refused(mask.name, naming=["shape"]):
        sm.load(f"nfbs:{nfbs}")
    nib.save(nib.Nifti1Image(wide_brain, NFBS_AFFINE), mask)
    with refused(image.name, naming=["(12, 10, 9)"]):
        sm.load(f"nfbs:{nfbs}")
    nib.save(nib.Nifti1Image(volume, NFBS_AFFINE), image)
    nib.save(nib.Nifti1Image(brain, np.eye(4)), mask)
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
    first_page, second_page = (Image.fromarray(lgg_slice(k)) for k in (1, 2))
    first_page.save(image, save_all=True, append_images=[second_page])
    with pytest.raises(InputError, match=image.stem):
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
    folder = lgg if str(source).startswith("lgg") else nfbs
    folder.rename(nfbs.parent / "data")
    monkeypatch.chdir(nfbs.parent)
    with refused(where, naming=values):
        sm.load(source, **options)


def test_masks_of_a_data_set_are_arrays(nfbs, monkeypatch):
    monkeypatch.chdir(nfbs.parent)
    data = sm.load("nfbs:NFBS_Dataset")
    assert datasets.masks_name(data.origin) == "masks.npy"
    masks = np.zeros((SLICES_OF_NFBS, 10, 8), np.uint8)
    datasets.write_masks(masks, "a.npy", data)
    assert np.load("a.npy").shape == masks.shape
    with refused("a.nii.gz", naming=["nfbs:NFBS_Dataset", ".npy"]):
        datasets.write_masks(masks, "a.nii.gz", data)


def test_a_data_set_is_told_by_the_hash_of_its_files(nfbs, lgg):
    image = nfbs_file(nfbs / PARTICIPANTS[2], "T1w")
    mask = next(lgg.rglob("*_2_mask.tif"))
    for prefix, folder, file in (("nfbs:", nfbs, image), ("lgg:", lgg, mask)):
        source = f"{prefix}{folder}"
        checksum = provenance.sha256(source)
        clutter(folder)
        assert provenance.sha256(source) == checksum
        assert provenance.sha256(f"{source}/../{folder.name}") == checksum
        if folder == lgg:  # its table changes no image
            (lgg / "data.csv").write_bytes(b"changed")
            assert provenance.sha256(source) == checksum
        file.write_bytes(b"changed")
        assert provenance.sha256(source) != checksum


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
    page = page_in("out")
    prefix, _, path = which.partition(":")
    assert re.search(rf"{prefix}:FOLDER_OF_IMAGES, sha256 \w{{64}}", page)
    assert Path(path).parts[0] not in page
