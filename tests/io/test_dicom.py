"""A DICOM series is one volume in its place, or one line says why it is none; its tags stay at home."""

import os
import re
import shutil
import struct
import sys
import tracemalloc
import warnings
import zlib
from functools import partial
from pathlib import Path

import hypothesis
import nibabel as nib
import numpy as np
import pydicom.data
import pytest
import SimpleITK as sitk
from complaints import refused
from dicoms import AXIAL, SERIES, enhanced, header, numbers, phantom, write_series
from hypothesis import strategies as st
from inputs import doubted, later
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from pydicom.dataelem import DataElement
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    SecondaryCaptureImageStorage,
)

import skullmask_lib as sm
from skullmask_lib import errors
from skullmask_lib.errors import InputError, InputWarning
from skullmask_lib.io import datasets, dicom
from skullmask_lib.reports import provenance


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
    write_series(
        tmp_path, volume, axes=ORIENTATIONS[name], RescaleSlope="0.5", RescaleIntercept="-20"
    )
    image = dicom.read_series(tmp_path)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    theirs = reader.Execute()
    places = np.indices(theirs.GetSize()).reshape(3, -1)
    steps = np.reshape(theirs.GetDirection(), (3, 3)) * theirs.GetSpacing()
    world = np.diag([-1, -1, 1]) @ (
        steps @ places + np.array(theirs.GetOrigin())[:, None]
    )  # LPS to RAS
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
        assert_allclose(
            matrix, [[-1.5, 0, 0, 80], [0, -2, 0, 100], [0, 0, 4, -20], [0, 0, 0, 1]], atol=1e-5
        )
        assert code == 1


@hypothesis.settings(max_examples=15)
@hypothesis.given(st.permutations(range(5)), st.booleans())
def test_names_and_numbers_of_files_order_nothing(tmp_path_factory, order, backwards):
    folder = tmp_path_factory.mktemp("series")
    volume = phantom(32)
    write_series(
        folder, volume[:: -1 if backwards else 1], order=order, gap_mm=-3 if backwards else 3
    )
    assert_array_equal(np.asarray(dicom.read_series(folder).dataobj).T, volume)


def test_every_slice_has_a_slope_of_its_own(tmp_path):
    volume = phantom()
    scaled = [
        {},
        {"RescaleSlope": "2"},
        {"RescaleIntercept": "-7"},
        {"RescaleSlope": "0.25", "RescaleIntercept": "3"},
    ]
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
    [
        ({"SpacingBetweenSlices": "3.3"}, 3.3),
        ({"SliceThickness": "5"}, 5),
        ({"SliceThickness": None}, 1),
    ],
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
        r"^series: .*2 series: \d files \(IM000\d …\) .*\d files \(IM000\d …\)",
    ),
    "an empty position": (
        {"ImagePositionPatient": ""},
        r"IM000\d: .*ImagePositionPatient",
    ),
    "frames": (
        {"each": only(0, NumberOfFrames=2, PixelData=bytes(2 * 48 * 39 * 2))},
        r"IM000\d: .*2 frames",
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
        r"IM000\d: .*colour",
    ),
    "three samples": (
        {"SamplesPerPixel": 3, "PixelData": bytes(48 * 39 * 6)},
        r"IM000\d: .*colour",
    ),
    "a palette": (
        {"PhotometricInterpretation": "PALETTE COLOR"},
        r"IM000\d: .*colour",
    ),
    "another size": (
        {"each": only(2, Rows=24, PixelData=bytes(24 * 39 * 2))},
        r"IM000\d: .*size.*IM000\d",
    ),
    "another spacing": (
        {"each": only(2, PixelSpacing=["2", "1.6"])},
        r"IM000\d: .*spacing.*IM000\d",
    ),
    "a localizer": (
        {"each": only(1, ImageOrientationPatient=numbers(ORIENTATIONS["coronal"]))},
        r"IM000\d: .*orientation.*IM000\d.*localizer",
    ),
    "a gap": (
        {"each": only(4, ImagePositionPatient=["-80", "-100", "0"])},
        "^series: .*4 to 8 mm",
    ),
    "one position twice": (
        {"each": only(4, ImagePositionPatient=["-80", "-100", "-8"])},
        r"IM000\d: lies where IM000\d",
    ),
    "one position for all": ({"gap_mm": 0}, r"IM000\d: lies where IM000\d"),
    "a tilted gantry": (
        {
            "each": lambda index: {
                "ImagePositionPatient": numbers((-80, -100 + index, -20 + 4 * index))
            }
        },
        "^series: .*tilted",
    ),
    "axes that are not perpendicular": (
        {"ImageOrientationPatient": numbers(((1, 0, 0), (0.5, 0.8, 0)))},
        "^series: 5 of 5 .*perpendicular",
    ),
    "axes of zeros": (
        {"ImageOrientationPatient": numbers(np.zeros(6))},
        "^series: 5 of 5 .*perpendicular",
    ),
    "too few numbers": (
        {"ImagePositionPatient": ["1", "2"]},
        r"^series: 5 of 5 .*\(3,\)",
    ),
    "no spacing": ({"PixelSpacing": ["0", "1"]}, "^series: 5 of 5 .*0 mm"),
    "no pixels": (
        {"each": only(1, PixelData=None)},
        r"IM000\d: .*[Pp]ixel [Dd]ata",
    ),
    "few pixels": (
        {"each": only(1, PixelData=bytes(100))},
        r"IM000\d: .*3744 bytes.* 100",
    ),
    "no size": ({"each": only(1, Rows=None)}, r"IM000\d: .*Rows"),
}


@pytest.mark.parametrize("what", NO_SERIES)
def test_what_is_no_series_is_refused_in_one_line(folder, capfd, what):
    options, message = NO_SERIES[what]
    write_series("series", phantom(), **options)
    capfd.readouterr()
    for read in (dicom.read_series, sm.load):
        with pytest.raises(InputError, match=message) as error:
            read("series")
        assert "\n" not in str(error.value)
        assert str(error.value).startswith("series")
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in folder.iterdir()] == ["series"]


def test_the_command_line_refuses_two_series_and_leaves_nothing(folder, skullmask):
    write_series(
        "series", phantom(), each=lambda index: {"SeriesInstanceUID": f"1.2.{3 + index // 2}"}
    )
    code, out, [line] = skullmask("mask", "series", "-o", "masks.nii.gz")
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"skullmask: series: .*3 series: \d files? .* and \d files? .*",
        line,
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
    with refused("IM0000", naming=["MPEG2", "decompress"]):
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
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                assert dicom.read_series(series).shape == whole.shape or "IM0002" in str(
                    told[0].message
                )
            except InputError as error:
                lines.append(str(error))
    assert len(lines) > 10
    assert not any("\n" in line for line in lines)
    assert all(line.startswith(str(series)) for line in lines)
    assert capfd.readouterr() == ("", "")


def test_without_pydicom_a_line_says_what_to_install(series, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match=r"DICOM.*pydicom.*skullmask\[volumes\]"):
        sm.load(series)


# --- a source like others --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("axis", [0, 2])
def test_a_series_loads_as_the_same_volume_in_nifti_does(tmp_path, name, axis):
    write_series(tmp_path / "series", phantom(), axes=ORIENTATIONS[name])
    nib.save(dicom.read_series(tmp_path / "series"), tmp_path / "same.nii.gz")
    data, same = (
        sm.load(tmp_path / "series", axis=axis),
        sm.load(tmp_path / "same.nii.gz", axis=axis),
    )
    assert_array_equal(data.images, same.images)
    assert_allclose(data.spacing_mm, same.spacing_mm, rtol=1e-6)
    assert data.images.dtype == np.float32
    assert data.volume
    assert data.names == tuple(f"series[{k}]" for k in range(len(data.images)))


def test_anterior_is_up_and_left_is_left(tmp_path):
    volume = np.zeros((3, 9, 11), np.int16)
    volume[1, 1, 9] = (
        1  # towards anterior and, in a head that lies face up, towards the patient's left
    )
    write_series(tmp_path, volume)
    assert_array_equal(np.argwhere(sm.load(tmp_path).images), [[1, 1, 1]])


def test_some_slices_and_a_truth(series, folder):
    data = sm.load(series)
    like = dicom.read_series(series)
    nib.save(
        nib.Nifti1Image((np.asarray(like.dataobj) > 100).astype(np.uint8), like.affine),
        "truth.nii.gz",
    )
    some = sm.load(series, truth="truth.nii.gz", slices=slice(1, 3))
    assert_array_equal(some.images, data.images[1:3])
    assert_array_equal(some.truth, data.images[1:3] > 100)
    assert some.names == ("series[1]", "series[2]")
    nib.save(
        nib.Nifti1Image((np.asarray(like.dataobj) > 100).astype(np.uint8), np.eye(4)),
        "elsewhere.nii.gz",
    )
    with refused("elsewhere.nii.gz", naming=["elsewhere than"]):
        sm.load(series, truth="elsewhere.nii.gz")
    nib.save(
        nib.Nifti1Image((np.asarray(like.dataobj) > 100).astype(np.uint8), None), "bare.nii.gz"
    )
    with (
        pytest.warns(InputWarning, match=r"bare\.nii\.gz: .*orientation"),
        refused("bare.nii.gz", naming=["orientation"]),
    ):
        sm.load(series, truth="bare.nii.gz")
    assert len(list(folder.iterdir())) == 4


def test_the_folder_one_is_in_has_its_name(series, monkeypatch):
    monkeypatch.chdir(series)
    assert sm.load(".").names[0] == "series[0]"


@pytest.mark.parametrize("name", ["sagittal", "oblique"])
def test_masks_of_a_series_lie_where_it_lies(skullmask, name):
    volume = phantom()
    write_series(
        "series",
        volume,
        axes=ORIENTATIONS[name],
        suffix=".dcm",
        PatientName="DOE^JOHN",
        PatientID="19700101",
    )
    data = sm.load("series")
    made = [(image > 100).astype(np.uint8) for image in data.images]
    assert datasets.masks_name(data.origin) == "masks.nii.gz"
    for output in ("a.nii.gz", "a.nii"):
        datasets.write_masks(made, output, data)
        mask = nib.load(output)
        assert_array_equal(np.asarray(mask.dataobj).T, volume > 100)
        assert mask.get_data_dtype() == np.uint8
        assert_allclose(mask.affine, dicom.read_series("series").affine, atol=1e-5)
        assert_array_equal(sm.load(output).images, made)
    assert not re.search(b"DOE|JOHN|1970", Path("a.nii").read_bytes())
    datasets.write_masks(made, "a.npy", data)
    assert_array_equal(np.load("a.npy"), made)
    for output in ("b.png", "b"):
        with pytest.raises(InputError, match=f"^{output}: "):
            datasets.write_masks(made, output, data)
    code, _, err = skullmask("mask", "series", "-o", "b.nii.gz", "--version", "v1")
    assert (code, err) == (0, doubted(f"series[0] … series[{len(made) - 1}]"))
    assert nib.load("b.nii.gz").shape == (39, 48, 5)


def test_pictures_and_dicom_in_one_folder_are_refused(series):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(series / "a.png")
    with refused("series", naming=["1 picture", "5 DICOM"]):
        sm.load(series)


def test_a_preview_beside_a_series_is_named_and_left_out(series):
    wanted = sm.load(series).images
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(series / "preview.jpg")
    with pytest.warns(InputWarning, match=r"preview\.jpg") as told:
        data = sm.load(series)
    assert_array_equal(data.images, wanted)
    assert len(told) == 1
    assert datasets.masks_name(data.origin) == "masks.nii.gz"


def test_what_else_lies_in_the_folder_is_named_once(series, skullmask):
    wanted, told = sm.load(series).images, provenance.sha256(series)
    (series / "sub").mkdir()
    shutil.copy(sorted(series.glob("IM*"))[0], series / "sub" / "IM0009")
    (series / "notes").mkdir()
    (series / "notes" / "a.txt").touch()
    shutil.copy(sorted(series.glob("IM*"))[0], series / "DICOMDIR")
    for hidden in (".DS_Store", "._IM0001", ".hidden", "Thumbs.db", "desktop.ini"):
        (series / hidden).write_bytes(bytes(200))
    (series / "notes.txt").write_text("DICM " * 99)
    (series / "VERSION").write_text("1.0")
    (series / "lost.txt").symlink_to(series / "missing")
    (series / "loop").symlink_to(series)
    if hasattr(os, "mkfifo"):
        os.mkfifo(series / "pipe.dcm")
        os.mkfifo(series / "IM9999")
    with pytest.warns(InputWarning) as said:
        assert_array_equal(sm.load(series).images, wanted)
    pipes = (
        "IM9999, VERSION, lost.txt, notes.txt, pipe.dcm"
        if hasattr(os, "mkfifo")
        else "VERSION, lost.txt, notes.txt"
    )
    [line] = [str(each.message) for each in said]
    assert line == f"series: left out: {pipes} (no DICOM file); loop, sub (a subfolder)"
    assert provenance.sha256(series) == told
    code, _, err = skullmask("mask", series, "-o", "masks.nii.gz", "--version", "v1")
    assert (code, err[0]) == (0, f"skullmask: warning: {line}")
    assert not any("left out" in each for each in err[1:])
    next(series.glob("IM*")).write_bytes(b"changed")
    assert provenance.sha256(series) != told


@pytest.mark.parametrize("name", ["a.dcm", "IM0001"])
def test_one_file_of_a_series_leads_to_its_folder(tmp_path, name):
    header(phantom()[0]).save_as(tmp_path / name, enforce_file_format=True)
    with pytest.raises(InputError, match=f"{name}: .*DICOM.*folder"):
        sm.load(tmp_path / name)


def test_a_folder_without_dicom(tmp_path):
    with refused(str(tmp_path), naming=["DICOM"]):
        dicom.read_series(tmp_path)


DAMAGE = {
    "empty": lambda data: data[:0],
    "cut in the preamble": lambda data: data[:100],
    "cut in its first tags": lambda data: data[:200],
    "cut in its tags": lambda data: data[:500],
    "cut in its pixels": lambda data: data[: 3 * len(data) // 4],
    "short of one byte": lambda data: data[:-1],
    "of zeros": lambda data: bytes(len(data)),
    "without a beginning": lambda data: bytes(132) + data[132:],
}


@pytest.mark.parametrize("what", DAMAGE)
@pytest.mark.parametrize("suffix", ["", ".dcm"])
def test_a_damaged_file_is_named_however_it_is_damaged(skullmask, what, suffix):
    files = write_series("series", phantom(), order=range(5), suffix=suffix)
    for file in files[3:]:  # at the end, where nobody would miss them
        file.write_bytes(DAMAGE[what](file.read_bytes()))
    for command in (
        ("mask", "series", "-o", "a.nii.gz"),
        ("strip", "series", "out"),
        ("brain-mask", "series", "out"),
    ):
        code, out, [line] = skullmask(*command)
        assert (code, out) == (2, "")
        assert line.startswith("skullmask: series: 2 of 5 files ")
        assert files[3].name in line
        assert files[4].name in line
        assert files[2].name not in line
    assert [path.name for path in Path().iterdir()] == ["series"]
    files[3].unlink()
    code, _, [line] = skullmask("strip", "series", "out")
    assert code == 2
    assert line.startswith(f"skullmask: {files[4]}: ")


def test_damage_of_several_kinds_is_told_in_one_line_and_runs_are_collapsed(tmp_path):
    files = write_series(tmp_path, phantom(32)[np.arange(24) % 5], order=range(24))
    for file in files[2:16]:
        file.write_bytes(b"")
    files[20].write_bytes(files[20].read_bytes()[:-10])
    runs = ["IM0002 … IM0015 (empty)", "IM0020 ("]
    with refused(str(tmp_path), naming=["15 of 24", *runs, "cut off"]):
        dicom.read_series(tmp_path)


def test_pixels_that_are_left_out_are_said(tmp_path):
    write_series(tmp_path, phantom(), Rows=40)
    with pytest.warns(InputWarning, match=r"IM000\d: 624 bytes") as said:
        assert dicom.read_series(tmp_path).shape == (39, 40, 5)
    assert len(said) == 5


def test_a_link_to_nothing_is_a_lost_slice(series):
    (series / "IM0005").symlink_to(series / "missing")
    with refused("IM0005", naming=["link"]):
        dicom.read_series(series)


def test_a_page_that_was_saved_as_a_slice_is_damage(tmp_path):
    write_series(tmp_path, phantom(), suffix=".dcm")
    (tmp_path / "IM0005.dcm").write_text("<html>not found</html>")
    with refused("IM0005.dcm"):
        dicom.read_series(tmp_path)


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian]
)
@pytest.mark.parametrize("with_meta", [False, True])
def test_files_without_a_preamble_are_read(tmp_path, syntax, with_meta):
    volume = phantom()
    for file in write_series(tmp_path, volume):
        data = pydicom.dcmread(file)
        if syntax == ExplicitVRBigEndian:
            data.PixelData = data.pixel_array.astype(">i2").tobytes()
            data["PixelData"].VR = "OW"
        data.file_meta.TransferSyntaxUID = syntax
        file.unlink()
        pydicom.dcmwrite(file, data, enforce_file_format=True)
        written = file.read_bytes()
        start = 132 if with_meta else 144 + int.from_bytes(written[140:144], "little")
        file.write_bytes(written[start:])
        assert dicom.is_dicom(file)
    assert len(dicom.files_in(tmp_path)) == 5
    assert_array_equal(np.asarray(dicom.read_series(tmp_path).dataobj).T, volume)


BINARIES = {
    "numbers of 32 bits": struct.pack("<4i", 2, 1000, 7, 9),
    "a size and a count": struct.pack("<4i", 8, 1000, 7, 9),
    "a size and four": struct.pack("<4i", 8, 4, 7, 9),
    "numbers of 16 bits": struct.pack("<8h", 8, 5, 8, 0, 300, 301, 302, 303),
    "an odd length": struct.pack("<hhi", 8, 5, 9) + b"ISO_IR 100",
    "a tag that is never first": struct.pack("<hhi", 8, 0x60, 2) + b"MR" + b"\x08\0",
    "big numbers": struct.pack(">4i", 8, 1000, 7, 9),
}


@pytest.mark.parametrize("what", BINARIES)
def test_what_begins_nearly_like_dicom_is_none(tmp_path, what):
    (tmp_path / "index.bin").write_bytes(BINARIES[what] + bytes(500))
    assert not dicom.is_dicom(tmp_path / "index.bin")
    assert dicom.files_in(tmp_path) == []
    for number in range(3):
        Image.fromarray(np.eye(9, dtype=np.uint8)).save(tmp_path / f"{number}.png")
    assert sm.load(tmp_path).names == ("0.png", "1.png", "2.png")


FIRST_TAGS = {
    "a group's length": struct.pack("<hhii", 8, 0, 4, 212) + struct.pack("<hhi", 8, 5, 10),
    "no signs": struct.pack("<hhi", 8, 5, 0) + struct.pack("<hhi", 8, 8, 8),
    "signs": struct.pack("<hhi", 8, 5, 10) + b"ISO_IR 100",
    "two sets of signs": struct.pack("<hhi", 8, 5, 20) + b"\\ISO 2022 IR 87 ".ljust(20),
    "a kind": struct.pack("<hhi", 8, 8, 16) + b"ORIGINAL\\PRIMARY",
    "its class": struct.pack("<hhi", 8, 0x16, 26) + b"1.2.840.10008.5.1.4.1.1.4\0",
}


@pytest.mark.parametrize("what", FIRST_TAGS)
def test_a_file_without_preamble_and_types_begins_with_one_of_these(tmp_path, what):
    (tmp_path / "a").write_bytes(FIRST_TAGS[what] + bytes(500))
    assert dicom.is_dicom(tmp_path / "a")


# --- beside the series -----------------------------------------------------------------------------------------


def other(sop_class, **tags):
    """Make a file of another kind, without a place and without pixels unless it is given some."""
    data = header(phantom()[0], **({"SOPClassUID": sop_class, "SeriesInstanceUID": "1.2.9"} | tags))
    for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        if tag not in tags:
            del data[tag]
    return data


def report(sop_class):
    data = other(sop_class, PixelData=None)
    del data.Rows, data.Columns
    return data


BESIDE = {
    "a report": lambda: report(pydicom.uid.BasicTextSRStorage),
    "a presentation state": lambda: report(pydicom.uid.GrayscaleSoftcopyPresentationStateStorage),
    "key objects": lambda: report(pydicom.uid.KeyObjectSelectionDocumentStorage),
    "a document": lambda: report(pydicom.uid.EncapsulatedPDFStorage),
    "a segmentation": lambda: other(pydicom.uid.SegmentationStorage),
    "a secondary capture": lambda: other(SecondaryCaptureImageStorage),
    "a secondary capture of the series": lambda: other(
        SecondaryCaptureImageStorage, SeriesInstanceUID=SERIES
    ),
    "a colour picture": lambda: other(
        SecondaryCaptureImageStorage,
        PhotometricInterpretation="RGB",
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        PixelData=bytes(48 * 39 * 6),
    ),
    "a localizer": lambda: header(
        phantom()[0],
        axes=ORIENTATIONS["coronal"],
        SeriesInstanceUID="1.2.9",
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    ),
    "a localizer of the series": lambda: header(
        phantom()[0], axes=ORIENTATIONS["coronal"], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ),
    "what a vendor writes": lambda: report("1.3.12.2.1107.5.9.1"),
}


@pytest.mark.parametrize("what", BESIDE)
def test_what_is_no_slice_is_left_out_and_named(series, what):
    wanted = dicom.read_series(series)
    for name in ("IM1000", "IM1001"):
        BESIDE[what]().save_as(series / name, enforce_file_format=True)
    with pytest.warns(InputWarning) as said:
        found = dicom.read_series(series)
    assert_array_equal(found.dataobj, wanted.dataobj)
    assert_array_equal(found.affine, wanted.affine)
    [line] = [str(each.message) for each in said]
    assert line.startswith("series: left out: IM1000, IM1001 (")
    assert "\n" not in line
    for file in series.glob("IM000*"):
        file.unlink()
    if "localizer" not in what:
        with pytest.raises(InputError, match=r"series(: |.IM1000: )"):
            dicom.read_series(series)


def test_one_localizer_alone_is_read(tmp_path):
    write_series(tmp_path, phantom(), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    assert dicom.read_series(tmp_path).shape == (39, 48, 5)


def test_two_series_are_both_named(tmp_path):
    def each(index):
        tags = {"SeriesNumber": 3, "SeriesDescription": "t1 mpr", "SeriesInstanceUID": "1.2.3"}
        return (
            tags if index < 3 else {"SeriesInstanceUID": "1.2.4", "SeriesDescription": "t2\x1b[2J"}
        )

    write_series(tmp_path, phantom(), each=each, order=range(5))
    series = ["3 files (IM0000 …, 3 t1 mpr)", "2 files (IM0003 …, t2[2J)"]
    with refused(str(tmp_path), naming=["2 series", *series]):
        dicom.read_series(tmp_path)


def test_a_mosaic_is_refused_with_its_reason(skullmask):
    write_series("series", phantom(), ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"])
    for command in (
        ("mask", "series", "-o", "a.nii.gz"),
        ("strip", "series", "out"),
        ("brain-mask", "series", "out"),
    ):
        code, out, [line] = skullmask(*command)
        assert (code, out) == (2, "")
        assert re.match(r"skullmask: series/IM000\d: .*mosaic", line)


@pytest.mark.parametrize("kind", ["same file", "other number", "other name"])
def test_copies_are_dropped_and_named(series, kind):
    wanted = dicom.read_series(series)
    copied = sorted(series.iterdir())[2]
    data = pydicom.dcmread(copied)
    if kind == "other number":
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    data.save_as(
        series / ("a copy" if kind == "other name" else "IM0009"), enforce_file_format=True
    )
    with pytest.warns(InputWarning, match=r"^series: .*(IM0009|a copy|IM0002) \(.*copy.*\)$"):
        found = dicom.read_series(series)
    assert_array_equal(found.dataobj, wanted.dataobj)
    assert_array_equal(found.affine, wanted.affine)
    data.PixelData = bytes(len(data.PixelData))  # the same number, another picture
    data.save_as(series / "IM0009", enforce_file_format=True)
    with pytest.raises(InputError, match=r"IM000\d: lies where IM000\d"):
        dicom.read_series(series)


def test_one_number_for_all_slices_makes_no_copies(tmp_path):
    volume = phantom()
    write_series(tmp_path, volume, SOPInstanceUID="1.2.3")
    assert_array_equal(np.asarray(dicom.read_series(tmp_path).dataobj).T, volume)


@pytest.mark.parametrize("gap_mm", [0.9, 4.0])
def test_a_jitter_below_a_tenth_of_the_distance_is_even(tmp_path, gap_mm):
    volume = phantom(32)[np.arange(40) % 5]
    rng = np.random.default_rng(0)
    jitter_mm = gap_mm * rng.choice((-0.099, 0.099), (40, 3))

    def each(index):
        return {
            "ImagePositionPatient": numbers(
                np.array([-80, -100, -20 + gap_mm * index]) + jitter_mm[index]
            )
        }

    write_series(tmp_path, volume, each=each)
    image = dicom.read_series(tmp_path)
    assert_array_equal(np.asarray(image.dataobj).T, volume)
    assert_allclose(image.header.get_zooms()[2], gap_mm, rtol=0.01)
    assert_allclose(image.affine[:3, 3], [80, 100, -20], atol=0.1 * gap_mm)
    sorted(tmp_path.iterdir())[7].unlink()
    with refused(str(tmp_path), naming=["distances", " mm"]):
        dicom.read_series(tmp_path)
    jitter_mm *= 3
    write_series(tmp_path, volume, each=each)
    with refused(str(tmp_path), naming=["distances", " mm"]):
        dicom.read_series(tmp_path)


@pytest.mark.parametrize("count", [3, 4, 9, *later(40)])
def test_a_missing_slice_is_never_a_jitter(tmp_path, count):
    volume = phantom(32)[np.arange(count + 1) % 5]
    for lost in range(1, count):
        files = write_series(tmp_path, volume, order=range(count + 1))
        files[lost].unlink()
        with refused(str(tmp_path), naming=["distances", " mm"]):
            dicom.read_series(tmp_path)


@pytest.mark.parametrize("hidden", [".git", "__MACOSX"])
def test_what_is_hidden_below_is_not_looked_at(tmp_path, hidden):
    volume = phantom()
    write_series(tmp_path / "series", volume)
    write_series(tmp_path / hidden, volume[:2])
    (tmp_path / "series" / "Thumbs.db").write_bytes(header(volume[0]).PixelData)
    assert_array_equal(np.asarray(dicom.read_series(tmp_path).dataobj).T, volume)


# --- subfolders ------------------------------------------------------------------------------------------------


def test_one_series_in_subfolders_is_read(folder, skullmask):
    volume = phantom()
    files = write_series("top/patient/study/series", volume)
    wanted = dicom.read_series("top/patient/study/series")
    (folder / "top" / "DICOMDIR").write_bytes(files[0].read_bytes())
    (folder / "top" / "README.txt").touch()
    for hidden in (".trash", "patient/.trash"):
        (folder / "top" / hidden).mkdir()
        shutil.copy(files[0], folder / "top" / hidden)
    found = dicom.read_series("top")
    assert_array_equal(found.dataobj, wanted.dataobj)
    assert_array_equal(found.affine, wanted.affine)
    assert skullmask("brain-mask", "top", "out")[0] == 0
    assert skullmask("mask", "top", "-o", "top.nii.gz", "--version", "v1")[0] == 0
    assert nib.load("top.nii.gz").shape == (39, 48, 5)
    assert len(datasets.files_in("top")) == 5
    assert len(provenance.sha256("top")) == 64
    header(volume[0], SeriesInstanceUID="1.2.9").save_as(
        "top/patient/IM9", enforce_file_format=True
    )
    with refused("top", naming=["2 series", "patient/IM9", "patient/study/series"]):
        dicom.read_series("top")


@pytest.mark.usefixtures("folder")
def test_subfolders_beside_pictures_are_not_read():
    write_series("top/series", phantom())
    Image.fromarray(np.zeros((4, 4), np.uint8)).save("top/a.png")
    assert dicom.files_in("top") == []
    assert sm.load("top").images.shape == (1, 4, 4)


# --- values ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("white", ["the brightest", 4095])
def test_inverted_greys_are_those_of_the_same_head(tmp_path, signed, white):
    volume = phantom() - phantom().min()
    most = volume.max() if white == "the brightest" else white
    tags = {
        "PixelRepresentation": signed,
        "PhotometricInterpretation": "MONOCHROME1",
        "RescaleSlope": "2",
    }
    write_series(tmp_path, most - volume, RescaleIntercept="-20", **tags)
    assert_array_equal(np.asarray(dicom.read_series(tmp_path).dataobj).T, 2.0 * volume)


def test_greys_of_both_kinds_in_one_series_are_refused(tmp_path):
    write_series(tmp_path, phantom(), each=only(2, PhotometricInterpretation="MONOCHROME1"))
    with pytest.raises(InputError, match=r"MONOCHROME1 .*MONOCHROME2"):
        dicom.read_series(tmp_path)


PADDING = {
    "a value": (-2000, {"PixelPaddingValue": -2000}),
    "in the other sign": (
        -2000,
        {"PixelPaddingValue": DataElement(0x00280120, "US", 65536 - 2000)},
    ),
    "a range": (-2000, {"PixelPaddingValue": -2100, "PixelPaddingRangeLimit": -1900}),
    "a range downwards": (-2000, {"PixelPaddingValue": -1900, "PixelPaddingRangeLimit": -2100}),
    "bright": (30000, {"PixelPaddingValue": 30000}),
    "the lowest": (-32768, {"PixelPaddingValue": -32768}),
}


@pytest.mark.parametrize("what", PADDING)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_air(tmp_path, what, photometric):
    value, tags = PADDING[what]
    volume = phantom()
    outside = np.hypot(*np.meshgrid(np.arange(39) - 19, np.arange(48) - 23.5)) > 23
    stored = volume.max() - volume if photometric == "MONOCHROME1" else volume
    padded = np.where(outside, value, stored)
    write_series(
        tmp_path, padded, PhotometricInterpretation=photometric, RescaleIntercept="7", **tags
    )
    found = np.asarray(dicom.read_series(tmp_path).dataobj).T
    wanted = volume.astype(float)
    if photometric == "MONOCHROME1":
        wanted -= volume.max() - stored[:, ~outside].max()
    else:
        wanted += 7
    wanted[:, outside] = wanted[:, ~outside].min()
    assert_array_equal(found, wanted)


def test_nothing_but_padding_is_refused(tmp_path):
    write_series(tmp_path, 0 * phantom() - 5, PixelPaddingValue=-5)
    with refused(str(tmp_path), naming=["padding"]):
        dicom.read_series(tmp_path)


@pytest.mark.parametrize("spacing_mm", [(0.002, 0.0015), (2000, 1500)])
def test_a_spacing_that_cannot_be_right_is_refused(skullmask, spacing_mm):
    write_series("series", phantom(), spacing_mm=spacing_mm)
    for command in (
        ("mask", "series", "-o", "a.nii.gz"),
        ("strip", "series", "out"),
        ("brain-mask", "series", "out"),
    ):
        code, _, [line] = skullmask(*command)
        assert code == 2
        assert line.startswith("skullmask: series: ")
        assert "0.05 to 50 mm" in line


# --- several frames in a file ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_an_enhanced_file_is_the_volume_of_its_frames(tmp_path, name):
    volume = phantom()
    write_series(tmp_path / "one by one", volume, axes=ORIENTATIONS[name])
    (tmp_path / "enhanced").mkdir()
    enhanced(volume, axes=ORIENTATIONS[name]).save_as(
        tmp_path / "enhanced" / "a.dcm", enforce_file_format=True
    )
    found, wanted = (
        dicom.read_series(tmp_path / "enhanced"),
        dicom.read_series(tmp_path / "one by one"),
    )
    assert_array_equal(found.dataobj, wanted.dataobj)
    assert_allclose(found.affine, wanted.affine, atol=1e-6)


def test_every_frame_has_a_slope_of_its_own(tmp_path):
    volume = phantom()
    slopes = [(1 + k, 10 * k) for k in range(5)]
    enhanced(volume, slopes=slopes).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    wanted = np.stack(
        [
            plane * slope + intercept
            for plane, (slope, intercept) in zip(volume, slopes, strict=True)
        ]
    )
    assert_array_equal(np.asarray(dicom.read_series(tmp_path).dataobj).T, wanted)


def test_frames_of_several_files_are_one_volume(tmp_path):
    volume = phantom()
    enhanced(volume[:3]).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    rest = enhanced(volume[3:], order=[0, 1])
    for k, group in enumerate(rest.PerFrameFunctionalGroupsSequence, 3):
        group.PlanePositionSequence[0].ImagePositionPatient = numbers((-80, -100, -20 + 4 * k))
    rest.save_as(tmp_path / "b.dcm", enforce_file_format=True)
    assert_array_equal(np.asarray(dicom.read_series(tmp_path).dataobj).T, volume)


def test_frames_that_are_no_volume(tmp_path):
    volume = phantom()
    data = enhanced(volume, gap_mm=0)
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with refused("a.dcm", naming=["two slices"]):
        dicom.read_series(tmp_path)
    data = enhanced(volume)
    data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:4]
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with refused("a.dcm", naming=["5 frames"]):
        dicom.read_series(tmp_path)


# --- what is compressed ----------------------------------------------------------------------------------------


def compressed(syntax, **tags):
    data = header(phantom()[0], **tags)
    data.file_meta.TransferSyntaxUID = syntax
    data.PixelData = pydicom.encaps.encapsulate([bytes(100)])
    data["PixelData"].VR = "OB"
    data["PixelData"].is_undefined_length = True
    return data


@pytest.mark.parametrize(
    ("syntax", "package"),
    [
        (pydicom.uid.JPEGLossless, "pylibjpeg-libjpeg"),
        (pydicom.uid.JPEGLosslessSV1, "pylibjpeg-libjpeg"),
        (pydicom.uid.JPEGExtended12Bit, "pylibjpeg-libjpeg"),
        (pydicom.uid.JPEGLSLossless, "pylibjpeg-libjpeg"),
        (pydicom.uid.JPEG2000Lossless, "pylibjpeg-openjpeg"),
        (pydicom.uid.HTJ2KLossless, "pylibjpeg-openjpeg"),
    ],
)
def test_the_decoder_to_install_is_named(tmp_path, syntax, package):
    compressed(syntax).save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match=rf"a\.dcm: .*{re.escape(syntax.name)}.*{package}"):
        dicom.read_series(tmp_path)


@pytest.mark.parametrize(
    "tags",
    [
        {"Rows": 65535, "Columns": 65535},
        {"NumberOfFrames": 10**6, "Rows": 1000, "Columns": 1000},
        {"BitsAllocated": 65528, "Rows": 500, "Columns": 500},
    ],
)
@pytest.mark.parametrize(
    "syntax", [pydicom.uid.JPEG2000Lossless, RLELossless, ExplicitVRLittleEndian]
)
def test_what_no_file_can_hold_is_refused_before_it_is_decoded(tmp_path, tags, syntax):
    make = (
        partial(header, phantom()[0])
        if syntax == ExplicitVRLittleEndian
        else partial(compressed, syntax)
    )
    data = make(**tags)
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    tracemalloc.start()
    with refused("a.dcm"):
        dicom.read_series(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_a_deflated_file_is_bounded(tmp_path):
    data = header(phantom()[0])
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert_array_equal(np.asarray(dicom.read_series(tmp_path).dataobj)[..., 0].T, phantom()[0])
    data.add_new(0x00091010, "OB", bytes(200_000_000))
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    del data
    tracemalloc.start()
    with refused("a.dcm", naming=["64 MiB"]):
        dicom.read_series(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


LENGTH_TAG = b"\x02\0\0\0UL\x04\0"  # the tag that tells where the first group ends
MADE_UP = LENGTH_TAG + bytes(4) + b"\x03\0"  # and what inflates to nothing behind it
STORED = b"\0\0\0\xff\xff\0\0\0" + bytes(255)  # a tag of group 0 that could be deflated, too
DISGUISES = {
    "none": {},
    "a preamble like its first tag": {"preamble": MADE_UP.ljust(128, b"\0")},
    "a long first group": {"version": bytes(600)},
    "a first group like itself": {"version": MADE_UP.ljust(600, b"\0")},
    "a group of commands": {"commands": STORED},
    "no preamble": {"preamble": None},
}


def deflated(content, *, preamble=bytes(128), version=b"\0\1", commands=b""):
    """Write a deflated file by hand, with whatever is free to choose before what is deflated."""
    uid = pydicom.uid.DeflatedExplicitVRLittleEndian.encode()
    group = b"\x02\0\1\0OB\0\0" + len(version).to_bytes(4, "little") + version
    group += b"\x02\0\x10\0UI" + len(uid).to_bytes(2, "little") + uid
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    start = b"" if preamble is None else preamble + b"DICM"
    start += LENGTH_TAG + len(group).to_bytes(4, "little") + group + commands
    return start + packer.compress(content) + packer.flush()


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_deflated_file_is_bounded_whatever_it_begins_with(tmp_path, monkeypatch, disguise):
    data = header(phantom()[0])
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    written = (tmp_path / "a.dcm").read_bytes()
    content = written[144 + int.from_bytes(written[140:144], "little") :]
    (tmp_path / "a.dcm").write_bytes(deflated(content, **DISGUISES[disguise]))
    assert_array_equal(np.asarray(dicom.read_series(tmp_path).dataobj)[..., 0].T, phantom()[0])
    monkeypatch.setattr(dicom, "_SLICE_BYTES", 2**20)
    size = 2**25
    bomb = content + b"\xe1\x7f\x10\x10OB\0\0" + size.to_bytes(4, "little") + bytes(size)
    (tmp_path / "a.dcm").write_bytes(deflated(bomb, **DISGUISES[disguise]))
    del bomb
    tracemalloc.start()
    with refused("a.dcm", naming=["unpacks"]):
        dicom.read_series(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < size / 4


def test_a_compressed_series_has_a_largest_size(tmp_path, monkeypatch):
    volume = np.zeros((5, 128, 128), np.int16)
    for file in write_series(tmp_path, volume):
        data = pydicom.dcmread(file)
        data.compress(RLELossless)
        data.save_as(file, enforce_file_format=True)
    monkeypatch.setattr(errors, "LARGEST_UNPACKED_BYTES", 4 * volume.size)
    assert_array_equal(np.asarray(dicom.read_series(tmp_path).dataobj).T, volume)
    monkeypatch.setattr(errors, "LARGEST_UNPACKED_BYTES", 4 * volume.size - 1)
    with pytest.raises(InputError, match=r"GiB.*decompress"):
        dicom.read_series(tmp_path)


@pytest.mark.filterwarnings("ignore::skullmask_lib.errors.InputWarning")
def test_real_files_of_the_field_are_read_or_refused(tmp_path, capfd):
    """What pydicom brings to test itself: scanners' files, odd ones and broken ones."""
    read, lines = 0, []
    for number, file in enumerate(
        sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm"))
    ):
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
