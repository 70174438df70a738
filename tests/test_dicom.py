"""A DICOM series is one volume in its place, or one line says why it is none; its tags stay at home."""

import re
import shutil
import sys
from pathlib import Path

import hypothesis
import nibabel as nib
import numpy as np
import pydicom.data
import pytest
import SimpleITK as sitk
from dicoms import AXIAL, header, numbers, phantom, write_series
from hypothesis import strategies as st
from inputs import doubted
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless, SecondaryCaptureImageStorage

import skullmask_lib as sm
from skullmask_lib import datasets, dicom, provenance
from skullmask_lib.masks import InputError


def oblique(*degrees):
    """Give the axes of a slice that was turned around x, y and z."""
    turned = np.eye(3)
    for axis, turn in enumerate(np.deg2rad(degrees)):
        one, other = (a for a in range(3) if a != axis)
        turn_by = np.eye(3)
        turn_by[one, one] = turn_by[other, other] = np.cos(turn)
        turn_by[one, other], turn_by[other, one] = -np.sin(turn), np.sin(turn)
        turned = turn_by @ turned
    return turned[:, :2].T


@pytest.fixture
def series(tmp_path):
    write_series(tmp_path / "series", phantom())
    return tmp_path / "series"


# --- the volume ------------------------------------------------------------------------------------------------

ORIENTATIONS = {
    "axial": AXIAL,
    "head first, face down": ((-1, 0, 0), (0, -1, 0)),
    "from above": ((-1, 0, 0), (0, 1, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
    "oblique": oblique(12, -7, 4),
    "doubly oblique": oblique(40, 35, 80),
}


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_every_voxel_lies_where_simpleitk_puts_it(tmp_path, name):
    volume = phantom()
    write_series(tmp_path, volume, axes=ORIENTATIONS[name], RescaleSlope="0.5", RescaleIntercept="-20")
    image = dicom.read_series(tmp_path)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    theirs = reader.Execute()
    places = np.indices(theirs.GetSize()).reshape(3, -1)
    steps = np.reshape(theirs.GetDirection(), (3, 3)) * theirs.GetSpacing()
    world = np.diag([-1, -1, 1]) @ (steps @ places + np.array(theirs.GetOrigin())[:, None])  # LPS to RAS
    ours = nib.affines.apply_affine(np.linalg.inv(image.affine), world.T)
    assert_allclose(ours, ours.round(), atol=1e-4)
    assert_array_equal(
        np.asarray(image.dataobj)[tuple(ours.round().astype(int).T)],
        sitk.GetArrayFromImage(theirs).transpose(2, 1, 0).ravel(),
    )
    assert image.shape == theirs.GetSize()
    assert_array_equal(np.asarray(image.dataobj).T, volume * 0.5 - 20)


def test_the_image_is_a_float32_volume_in_millimetres(series):
    image = dicom.read_series(series)
    assert image.get_data_dtype() == np.float32
    assert image.header.get_xyzt_units()[0] == "mm"
    assert_allclose(image.header.get_zooms(), (1.5, 2, 4))
    for matrix, code in (image.get_sform(coded=True), image.get_qform(coded=True)):
        assert_allclose(matrix, [[-1.5, 0, 0, 80], [0, -2, 0, 100], [0, 0, 4, -20], [0, 0, 0, 1]], atol=1e-5)
        assert code == 1


@hypothesis.settings(max_examples=15)
@hypothesis.given(st.permutations(range(5)), st.booleans())
def test_names_and_numbers_of_files_order_nothing(tmp_path_factory, order, backwards):
    folder = tmp_path_factory.mktemp("series")
    volume = phantom(32)
    write_series(folder, volume[:: -1 if backwards else 1], order=order, gap_mm=-3 if backwards else 3)
    assert_array_equal(np.asarray(dicom.read_series(folder).dataobj).T, volume)


def test_every_slice_has_a_slope_of_its_own(tmp_path):
    volume = phantom()
    scaled = [{}, {"RescaleSlope": "2"}, {"RescaleIntercept": "-7"}, {"RescaleSlope": "0.25", "RescaleIntercept": "3"}]
    scaled.append({"RescaleSlope": "", "RescaleIntercept": ""})
    write_series(tmp_path, volume, each=scaled.__getitem__)
    wanted = [volume[0], 2.0 * volume[1], volume[2] - 7.0, 0.25 * volume[3] + 3, volume[4]]
    assert_array_equal(np.asarray(dicom.read_series(tmp_path).dataobj).T, wanted)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_transfer_syntaxes(tmp_path, syntax):
    volume = phantom()
    for file in write_series(tmp_path, volume):
        data = pydicom.dcmread(file)
        if syntax == RLELossless:
            data.compress(syntax)
        elif syntax == ExplicitVRBigEndian:
            data.PixelData = data.pixel_array.astype(">i2").tobytes()
            data.file_meta.TransferSyntaxUID = syntax
            data["PixelData"].VR = "OW"
        else:
            data.file_meta.TransferSyntaxUID = syntax
        file.unlink()
        pydicom.dcmwrite(file, data, enforce_file_format=True)
    assert_array_equal(np.asarray(dicom.read_series(tmp_path).dataobj).T, volume)


def test_positions_that_were_rounded_are_even(tmp_path):
    volume = phantom()

    def rounded(index):
        return {"ImagePositionPatient": numbers(np.round([-80, -100, -20 + 0.625 * index], 1))}

    write_series(tmp_path, volume, each=rounded)
    assert_allclose(dicom.read_series(tmp_path).header.get_zooms()[2], 0.625, atol=0.03)


@pytest.mark.parametrize(
    ("tags", "thickness_mm"),
    [({"SpacingBetweenSlices": "3.3"}, 3.3), ({"SliceThickness": "5"}, 5), ({"SliceThickness": None}, 1)],
)
def test_one_slice_is_a_volume_as_thick_as_it_says(tmp_path, tags, thickness_mm):
    write_series(tmp_path, phantom()[:1], **tags)
    image = dicom.read_series(tmp_path)
    assert image.shape == (39, 48, 1)
    assert_allclose(image.header.get_zooms()[2], thickness_mm)


# --- what is no series -----------------------------------------------------------------------------------------


def only(index, **tags):
    return lambda each: tags if each == index else {}


NO_SERIES = {
    "two series": (
        {"each": lambda index: {"SeriesInstanceUID": "1.2.3" if index < 2 else "1.2.4"}},
        "^series: holds 2 series, of (2 and 3|3 and 2) files; give each a folder of its own$",
    ),
    "a secondary capture": (
        {
            "each": only(
                3,
                SOPClassUID=SecondaryCaptureImageStorage,
                ImagePositionPatient=None,
                ImageOrientationPatient=None,
            )
        },
        r"IM000\d: a secondary capture or a report, no slice \(ImagePositionPatient, ImageOrientationPatient missing\)",
    ),
    "an empty position": ({"ImagePositionPatient": ""}, r"no slice \(ImagePositionPatient missing\); take it out$"),
    "frames": (
        {"each": only(0, NumberOfFrames=2, PixelData=bytes(2 * 48 * 39 * 2))},
        "expected one slice in a file, got 2 frames; convert it to NIfTI first",
    ),
    "colour": (
        {
            "each": only(
                0,
                SamplesPerPixel=3,
                PhotometricInterpretation="RGB",
                PlanarConfiguration=0,
                PixelData=bytes(48 * 39 * 6),
            )
        },
        "expected grey levels, got a colour picture",
    ),
    "three samples": ({"SamplesPerPixel": 3, "PixelData": bytes(48 * 39 * 6)}, "expected grey levels, got a colour"),
    "a palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, "expected grey levels, got a colour picture"),
    "another size": (
        {"each": only(2, Rows=24, PixelData=bytes(24 * 39 * 2))},
        r"IM000\d: expected the size, pixel spacing and orientation of IM000\d, got others",
    ),
    "another spacing": ({"each": only(2, PixelSpacing=["2", "1.6"])}, "expected the size, pixel spacing and"),
    "a localizer": (
        {"each": only(1, ImageOrientationPatient=numbers(ORIENTATIONS["coronal"]))},
        "got others; is it a localizer",
    ),
    "a gap": (
        {"each": only(4, ImagePositionPatient=["-80", "-100", "0"])},
        "series: expected slices at even distances, got 4 to 8 mm; is one missing",
    ),
    "one position twice": (
        {"each": only(4, ImagePositionPatient=["-80", "-100", "-8"])},
        r"IM000\d: lies where IM000\d lies; give every echo or time a folder of its own",
    ),
    "one position for all": ({"gap_mm": 0}, r"IM000\d: lies where IM000\d lies"),
    "a tilted gantry": (
        {"each": lambda index: {"ImagePositionPatient": numbers((-80, -100 + index, -20 + 4 * index))}},
        "series: expected each slice straight above the last, got a tilted gantry",
    ),
    "axes that are not perpendicular": (
        {"ImageOrientationPatient": numbers(((1, 0, 0), (0.5, 0.8, 0)))},
        "expected a position, two perpendicular unit vectors",
    ),
    "axes of zeros": ({"ImageOrientationPatient": numbers(np.zeros(6))}, "two perpendicular unit vectors"),
    "too few numbers": ({"ImagePositionPatient": ["1", "2"]}, "not a readable DICOM file"),
    "no spacing": ({"PixelSpacing": ["0", "1"]}, "a spacing above 0 mm"),
    "no pixels": ({"each": only(1, PixelData=None)}, "not a readable DICOM file .*[Pp]ixel [Dd]ata"),
    "few pixels": ({"each": only(1, PixelData=bytes(100))}, "not a readable DICOM file .*less than expected"),
    "no size": ({"each": only(1, Rows=None)}, "not a readable DICOM file .*Rows"),
}


@pytest.mark.parametrize("what", NO_SERIES)
def test_what_is_no_series_is_refused_in_one_line(folder, capfd, what):
    options, message = NO_SERIES[what]
    write_series("series", phantom(), **options)
    capfd.readouterr()
    for read in (dicom.read_series, sm.load):
        with pytest.raises(InputError, match=message) as refused:
            read("series")
        assert "\n" not in str(refused.value)
        assert str(refused.value).startswith("series")
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in folder.iterdir()] == ["series"]


def test_the_command_line_refuses_two_series_and_leaves_nothing(folder, skullmask):
    write_series("series", phantom(), each=lambda index: {"SeriesInstanceUID": f"1.2.{3 + index // 2}"})
    code, out, [line] = skullmask("mask", "series", "-o", "masks.nii.gz")
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"skullmask: series: holds 3 series, of (\d and ){2}\d files; give each a folder of its own", line
    )
    assert [path.name for path in folder.iterdir()] == ["series"]


def test_what_nothing_decodes_is_named(series):
    file = sorted(series.iterdir())[0]
    data = pydicom.dcmread(file)
    data.file_meta.TransferSyntaxUID = pydicom.uid.MPEG2MPML
    data.PixelData = pydicom.encaps.encapsulate([bytes(100)])
    data["PixelData"].is_undefined_length = True
    file.unlink()
    pydicom.dcmwrite(file, data, enforce_file_format=True)
    with pytest.raises(InputError, match=r"IM0000: compressed as MPEG2 .*, which nothing here decodes; decompress it"):
        dicom.read_series(series)


def test_no_cut_or_damage_goes_unseen(series, capfd):
    whole = dicom.read_series(series)
    file = sorted(series.iterdir())[2]
    good, rng, lines = file.read_bytes(), np.random.default_rng(0), []
    for cut in [*rng.integers(132, len(good) - 1, 20), len(good) - 1]:
        file.write_bytes(good[:cut])
        with pytest.raises(InputError, match=f"^{re.escape(str(series))}"):
            dicom.read_series(series)
    for _ in range(60):
        made = bytearray(good)
        for place in rng.integers(132, 1000, rng.integers(1, 9)):
            made[place] = rng.integers(256)
        file.write_bytes(made)
        try:
            assert dicom.read_series(series).shape == whole.shape
        except InputError as error:
            lines.append(str(error))
    assert len(lines) > 10
    assert not any("\n" in line for line in lines)
    assert all(line.startswith(str(series)) for line in lines)
    assert capfd.readouterr() == ("", "")


def test_without_pydicom_a_line_says_what_to_install(series, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match=r'^DICOM needs pydicom: pip install "skullmask\[volumes\]"$'):
        sm.load(series)


# --- a source like others --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("axis", [0, 2])
def test_a_series_loads_as_the_same_volume_in_nifti_does(tmp_path, name, axis):
    write_series(tmp_path / "series", phantom(), axes=ORIENTATIONS[name])
    nib.save(dicom.read_series(tmp_path / "series"), tmp_path / "same.nii.gz")
    data, same = sm.load(tmp_path / "series", axis=axis), sm.load(tmp_path / "same.nii.gz", axis=axis)
    assert_array_equal(data.images, same.images)
    assert_allclose(data.spacing_mm, same.spacing_mm, rtol=1e-6)
    assert data.images.dtype == np.float32
    assert data.volume
    assert data.names == tuple(f"series[{k}]" for k in range(len(data.images)))


def test_anterior_is_up_and_left_is_left(tmp_path):
    volume = np.zeros((3, 9, 11), np.int16)
    volume[1, 1, 9] = 1  # towards anterior and, in a head that lies face up, towards the patient's left
    write_series(tmp_path, volume)
    assert_array_equal(np.argwhere(sm.load(tmp_path).images), [[1, 1, 1]])


def test_some_slices_and_a_truth(series, folder):
    data = sm.load(series)
    like = dicom.read_series(series)
    nib.save(nib.Nifti1Image((np.asarray(like.dataobj) > 100).astype(np.uint8), like.affine), "truth.nii.gz")
    some = sm.load(series, truth="truth.nii.gz", slices=slice(1, 3))
    assert_array_equal(some.images, data.images[1:3])
    assert_array_equal(some.truth, data.images[1:3] > 100)
    assert some.names == ("series[1]", "series[2]")
    nib.save(nib.Nifti1Image((np.asarray(like.dataobj) > 100).astype(np.uint8), np.eye(4)), "elsewhere.nii.gz")
    with pytest.raises(InputError, match=r"elsewhere\.nii\.gz: lies elsewhere than"):
        sm.load(series, truth="elsewhere.nii.gz")
    assert len(list(folder.iterdir())) == 3


def test_the_folder_one_is_in_has_its_name(series, monkeypatch):
    monkeypatch.chdir(series)
    assert sm.load(".").names[0] == "series[0]"


@pytest.mark.parametrize("name", ["sagittal", "oblique"])
def test_masks_of_a_series_lie_where_it_lies(skullmask, name):
    volume = phantom()
    write_series("series", volume, axes=ORIENTATIONS[name], suffix=".dcm", PatientName="DOE^JOHN", PatientID="19700101")
    data = sm.load("series")
    made = [(image > 100).astype(np.uint8) for image in data.images]
    assert datasets.masks_name("series") == "masks.nii.gz"
    for output in ("a.nii.gz", "a.nii"):
        datasets.write_masks(made, output, like="series", shape=data.images.shape)
        mask = nib.load(output)
        assert_array_equal(np.asarray(mask.dataobj).T, volume > 100)
        assert mask.get_data_dtype() == np.uint8
        assert_allclose(mask.affine, dicom.read_series("series").affine, atol=1e-5)
        assert_array_equal(sm.load(output).images, made)
    assert not re.search(b"DOE|JOHN|1970", Path("a.nii").read_bytes())
    datasets.write_masks(made, "a.npy", like="series", shape=data.images.shape)
    assert_array_equal(np.load("a.npy"), made)
    for output in ("b.png", "b"):
        with pytest.raises(InputError, match=f"^{output}: "):
            datasets.write_masks(made, output, like="series", shape=data.images.shape)
    code, _, err = skullmask("mask", "series", "-o", "b.nii.gz", "--version", "v1")
    assert (code, err) == (0, doubted(f"series[0] … series[{len(made) - 1}]"))
    assert nib.load("b.nii.gz").shape == (39, 48, 5)


def test_pictures_and_dicom_in_one_folder_are_refused(series):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(series / "a.png")
    with pytest.raises(InputError, match="series: holds 1 pictures and 5 DICOM files; give each a folder"):
        sm.load(series)


def test_what_else_lies_in_the_folder_does_not_matter(series):
    wanted, told = sm.load(series).images, provenance.sha256(series)
    (series / "sub").mkdir()
    shutil.copy(sorted(series.glob("IM*"))[0], series / "sub" / "IM0009")
    shutil.copy(sorted(series.glob("IM*"))[0], series / "DICOMDIR")
    (series / ".DS_Store").write_bytes(bytes(10))
    (series / "notes.txt").write_text("DICM " * 99)
    (series / "loop").symlink_to(series)
    (series / "nowhere").symlink_to(series / "missing")
    assert_array_equal(sm.load(series).images, wanted)
    assert provenance.sha256(series) == told
    next(series.glob("IM*")).write_bytes(b"changed")
    assert provenance.sha256(series) != told


@pytest.mark.parametrize("name", ["a.dcm", "IM0001"])
def test_one_file_of_a_series_leads_to_its_folder(tmp_path, name):
    header(phantom()[0]).save_as(tmp_path / name, enforce_file_format=True)
    with pytest.raises(InputError, match=f"{name}: expected a file .*got one file of DICOM: name the folder of its"):
        sm.load(tmp_path / name)


def test_a_folder_without_dicom(tmp_path):
    with pytest.raises(InputError, match=r"no DICOM file in this folder$"):
        dicom.read_series(tmp_path)


def test_real_files_of_the_field_are_read_or_refused(tmp_path, capfd):
    """What pydicom brings to test itself: scanners' files, odd ones and broken ones."""
    read, lines = 0, []
    for number, file in enumerate(sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        shutil.copyfile(file, folder / file.name)
        try:
            assert np.isfinite(dicom.read_series(folder).get_fdata()).all()
            read += 1
        except InputError as error:
            lines.append(str(error))
    assert read >= 8
    assert len(lines) >= 20
    assert not any("\n" in line for line in lines)
    assert all(line.startswith(str(tmp_path)) for line in lines)
    assert capfd.readouterr() == ("", "")
