"""A DICOM series is one volume in its place, or one line says why it is none; its tags stay at home."""

import os
import re
import shutil
import struct
import sys
import warnings
from pathlib import Path

import hypothesis
import nibabel as nib
import numpy as np
import pydicom.data
import pytest
import SimpleITK as sitk
from complaints import refused
from dicoms import (
    COMMANDS,
    ORIENTATIONS,
    header,
    numbers,
    only,
    phantom,
    save,
    slices_of,
    write_series,
)
from hypothesis import strategies as st
from inputs import doubted
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

import skullmask_lib as sm
from skullmask_lib.errors import InputError, InputWarning
from skullmask_lib.io import datasets, dicom
from skullmask_lib.reports import provenance


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_every_voxel_lies_where_simpleitk_puts_it(tmp_path, name):
    volume = phantom()
    tags = {"RescaleSlope": "0.5", "RescaleIntercept": "-20"}
    write_series(tmp_path, volume, axes=ORIENTATIONS[name], **tags)
    image = dicom.read_series(tmp_path)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path)))
    theirs = reader.Execute()
    assert image.shape == theirs.GetSize()

    their_voxels = np.indices(theirs.GetSize()).reshape(3, -1)
    steps_mm = np.reshape(theirs.GetDirection(), (3, 3)) * theirs.GetSpacing()
    lps_mm = steps_mm @ their_voxels + np.reshape(theirs.GetOrigin(), (3, 1))
    ras_mm = np.diag([-1, -1, 1]) @ lps_mm
    voxels = nib.affines.apply_affine(np.linalg.inv(image.affine), ras_mm.T)
    assert_allclose(voxels, voxels.round(), atol=1e-4)
    values = np.asarray(image.dataobj)[tuple(voxels.round().astype(int).T)]
    assert_array_equal(values, sitk.GetArrayFromImage(theirs).transpose(2, 1, 0).ravel())
    assert_array_equal(np.asarray(image.dataobj).T, volume * 0.5 - 20)


def test_the_image_is_a_float32_volume_in_millimetres(series):
    image = dicom.read_series(series)
    assert image.get_data_dtype() == np.float32
    assert image.header.get_xyzt_units()[0] == "mm"
    assert_allclose(image.header.get_zooms(), (1.5, 2, 4))
    affine = [[-1.5, 0, 0, 80], [0, -2, 0, 100], [0, 0, 4, -20], [0, 0, 0, 1]]
    for matrix, code in (image.get_sform(coded=True), image.get_qform(coded=True)):
        assert_allclose(matrix, affine, atol=1e-5)
        assert code == 1


@hypothesis.settings(max_examples=15)
@hypothesis.given(st.permutations(range(5)), st.booleans())
def test_names_and_numbers_of_files_order_nothing(tmp_path_factory, order, backwards):
    folder = tmp_path_factory.mktemp("series")
    volume = phantom(32)
    if backwards:
        write_series(folder, volume[::-1], order=order, gap_mm=-3)
    else:
        write_series(folder, volume, order=order, gap_mm=3)
    assert_array_equal(slices_of(folder), volume)


def test_every_slice_has_a_slope_of_its_own(tmp_path):
    volume = phantom()
    tags = [
        {},
        {"RescaleSlope": "2"},
        {"RescaleIntercept": "-7"},
        {"RescaleSlope": "0.25", "RescaleIntercept": "3"},
        {"RescaleSlope": "", "RescaleIntercept": ""},
    ]
    write_series(tmp_path, volume, tags_of=tags.__getitem__)
    expected = [volume[0], 2.0 * volume[1], volume[2] - 7.0, 0.25 * volume[3] + 3, volume[4]]
    assert_array_equal(slices_of(tmp_path), expected)


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
    assert_array_equal(slices_of(tmp_path), volume)


def test_positions_that_were_rounded_are_even(tmp_path):
    volume = phantom()

    def rounded(index):
        return {"ImagePositionPatient": numbers(np.round([-80, -100, -20 + 0.625 * index], 1))}

    write_series(tmp_path, volume, tags_of=rounded)
    assert_allclose(dicom.read_series(tmp_path).header.get_zooms()[2], 0.625, atol=0.03)


def test_spacings_and_axes_that_were_rounded_are_alike(tmp_path):
    volume = phantom()
    axes = ORIENTATIONS["doubly oblique"]
    rounded = {
        "PixelSpacing": ["5.4", "1.5"],
        "ImageOrientationPatient": numbers(np.round(axes, 3)),
    }
    write_series(tmp_path, volume, axes=axes, spacing_mm=(5.404, 1.501), tags_of=only(2, **rounded))
    assert_array_equal(slices_of(tmp_path), volume)


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


NO_SERIES = {
    "two series": (
        {"tags_of": lambda index: {"SeriesInstanceUID": "1.2.3" if index < 2 else "1.2.4"}},
        r"^series: .*2 series: \d files \(IM000\d …\) .*\d files \(IM000\d …\)",
    ),
    "an empty position": (
        {"ImagePositionPatient": ""},
        r"IM000\d: .*ImagePositionPatient",
    ),
    "frames": (
        {"tags_of": only(0, NumberOfFrames=2, PixelData=bytes(2 * 48 * 39 * 2))},
        r"IM000\d: .*2 frames",
    ),
    "colour": (
        {
            "tags_of": only(
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
        {"tags_of": only(2, Rows=24, PixelData=bytes(24 * 39 * 2))},
        r"IM000\d: .*size.*IM000\d",
    ),
    "another spacing": (
        {"tags_of": only(2, PixelSpacing=["2", "1.6"])},
        r"IM000\d: .*spacing.*IM000\d",
    ),
    "another spacing of small pixels": (
        {"spacing_mm": (0.06, 0.06), "tags_of": only(2, PixelSpacing=["0.06", "0.0608"])},
        r"IM000\d: .*spacing.*IM000\d",
    ),
    "a localizer": (
        {"tags_of": only(1, ImageOrientationPatient=numbers(ORIENTATIONS["coronal"]))},
        r"IM000\d: .*orientation.*IM000\d.*localizer",
    ),
    "a gap": (
        {"tags_of": only(4, ImagePositionPatient=["-80", "-100", "0"])},
        "^series: .*4 to 8 mm",
    ),
    "one position twice": (
        {"tags_of": only(4, ImagePositionPatient=["-80", "-100", "-8"])},
        r"IM000\d: lies where IM000\d",
    ),
    "one position for all": ({"gap_mm": 0}, r"IM000\d: lies where IM000\d"),
    "a tilted gantry": (
        {
            "tags_of": lambda index: {
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
        {"tags_of": only(1, PixelData=None)},
        r"IM000\d: .*[Pp]ixel [Dd]ata",
    ),
    "few pixels": (
        {"tags_of": only(1, PixelData=bytes(100))},
        r"IM000\d: .*3744 bytes.* 100",
    ),
    "no size": ({"tags_of": only(1, Rows=None)}, r"IM000\d: .*Rows"),
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
    def tags_of(index):
        return {"SeriesInstanceUID": f"1.2.{3 + index // 2}"}

    write_series("series", phantom(), tags_of=tags_of)
    code, out, [line] = skullmask("mask", "series", "-o", "masks.nii.gz")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"skullmask: series: .*3 series: \d files? .* and \d files? .*", line)
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
    shape = dicom.read_series(series).shape
    file = sorted(series.iterdir())[2]
    intact = file.read_bytes()
    rng = np.random.default_rng(0)

    for length in [*rng.integers(132, len(intact) - 1, 20), len(intact) - 1]:
        file.write_bytes(intact[:length])
        with pytest.raises(InputError, match=f"^{re.escape(str(series))}"):
            dicom.read_series(series)

    lines = []
    for _ in range(60):
        damaged = bytearray(intact)
        for place in rng.integers(132, 1000, rng.integers(1, 9)):
            damaged[place] = rng.integers(256)
        file.write_bytes(damaged)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                image = dicom.read_series(series)
            except InputError as error:
                lines.append(str(error))
            else:
                assert image.shape == shape or file.name in str(caught[0].message)
    assert len(lines) > 10
    for line in lines:
        assert "\n" not in line
        assert line.startswith(str(series))
    assert capfd.readouterr() == ("", "")


def test_without_pydicom_a_line_says_what_to_install(series, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(InputError, match=r"DICOM.*pydicom.*skullmask\[volumes\]"):
        sm.load(series)


# --- a source like others ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ORIENTATIONS)
@pytest.mark.parametrize("axis", [0, 2])
def test_a_series_loads_as_the_same_volume_in_nifti_does(tmp_path, name, axis):
    write_series(tmp_path / "series", phantom(), axes=ORIENTATIONS[name])
    nib.save(dicom.read_series(tmp_path / "series"), tmp_path / "same.nii.gz")
    data = sm.load(tmp_path / "series", axis=axis)
    nifti = sm.load(tmp_path / "same.nii.gz", axis=axis)
    assert_array_equal(data.images, nifti.images)
    assert_allclose(data.spacing_mm, nifti.spacing_mm, rtol=1e-6)
    assert data.images.dtype == np.float32
    assert data.volume
    assert data.names == tuple(f"series[{k}]" for k in range(len(data.images)))


def test_anterior_is_up_and_left_is_left(tmp_path):
    volume = np.zeros((3, 9, 11), np.int16)
    volume[1, 1, 9] = 1  # anterior, and in a head that lies face up on the patient's left
    write_series(tmp_path, volume)
    assert_array_equal(np.argwhere(sm.load(tmp_path).images), [[1, 1, 1]])


def test_some_slices_and_a_truth(series, folder):
    data = sm.load(series)
    image = dicom.read_series(series)
    mask = (np.asarray(image.dataobj) > 100).astype(np.uint8)
    nib.save(nib.Nifti1Image(mask, image.affine), "truth.nii.gz")
    nib.save(nib.Nifti1Image(mask, np.eye(4)), "elsewhere.nii.gz")
    nib.save(nib.Nifti1Image(mask, None), "bare.nii.gz")

    some = sm.load(series, truth="truth.nii.gz", slices=slice(1, 3))
    assert_array_equal(some.images, data.images[1:3])
    assert_array_equal(some.truth, data.images[1:3] > 100)
    assert some.names == ("series[1]", "series[2]")

    with refused("elsewhere.nii.gz", naming=["elsewhere than"]):
        sm.load(series, truth="elsewhere.nii.gz")
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
    tags = {"PatientName": "DOE^JOHN", "PatientID": "19700101"}
    write_series("series", volume, axes=ORIENTATIONS[name], suffix=".dcm", **tags)
    data = sm.load("series")
    masks = [(image > 100).astype(np.uint8) for image in data.images]
    assert datasets.masks_name(data.origin) == "masks.nii.gz"
    for output in ("a.nii.gz", "a.nii"):
        datasets.write_masks(masks, output, data)
        mask = nib.load(output)
        assert_array_equal(np.asarray(mask.dataobj).T, volume > 100)
        assert mask.get_data_dtype() == np.uint8
        assert_allclose(mask.affine, dicom.read_series("series").affine, atol=1e-5)
        assert_array_equal(sm.load(output).images, masks)
    assert not re.search(b"DOE|JOHN|1970", Path("a.nii").read_bytes())
    datasets.write_masks(masks, "a.npy", data)
    assert_array_equal(np.load("a.npy"), masks)
    for output in ("b.png", "b"):
        with pytest.raises(InputError, match=f"^{output}: "):
            datasets.write_masks(masks, output, data)
    code, _, err = skullmask("mask", "series", "-o", "b.nii.gz", "--version", "v1")
    assert (code, err) == (0, doubted(f"series[0] … series[{len(masks) - 1}]"))
    assert nib.load("b.nii.gz").shape == (39, 48, 5)


def test_pictures_and_dicom_in_one_folder_are_refused(series):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(series / "a.png")
    with refused("series", naming=["1 picture", "5 DICOM"]):
        sm.load(series)


def test_a_preview_beside_a_series_is_named_and_left_out(series):
    images = sm.load(series).images
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(series / "preview.jpg")
    with pytest.warns(InputWarning, match=r"preview\.jpg") as caught:
        data = sm.load(series)
    assert_array_equal(data.images, images)
    assert len(caught) == 1
    assert datasets.masks_name(data.origin) == "masks.nii.gz"


def test_what_else_lies_in_the_folder_is_named_once(series, skullmask):
    images = sm.load(series).images
    checksum = provenance.sha256(series)
    first_file = min(series.glob("IM*"))
    (series / "sub").mkdir()
    shutil.copy(first_file, series / "sub" / "IM0009")
    (series / "notes").mkdir()
    (series / "notes" / "a.txt").touch()
    shutil.copy(first_file, series / "DICOMDIR")
    for hidden in (".DS_Store", "._IM0001", ".hidden", "Thumbs.db", "desktop.ini"):
        (series / hidden).write_bytes(bytes(200))
    (series / "notes.txt").write_text("DICM " * 99)
    (series / "VERSION").write_text("1.0")
    (series / "lost.txt").symlink_to(series / "missing")
    (series / "loop").symlink_to(series)
    left_out = "VERSION, lost.txt, notes.txt"
    if hasattr(os, "mkfifo"):
        os.mkfifo(series / "pipe.dcm")
        os.mkfifo(series / "IM9999")
        left_out = "IM9999, VERSION, lost.txt, notes.txt, pipe.dcm"

    with pytest.warns(InputWarning) as caught:
        assert_array_equal(sm.load(series).images, images)
    [line] = [str(warning.message) for warning in caught]
    assert line == f"series: left out: {left_out} (no DICOM file); loop, sub (a subfolder)"
    assert provenance.sha256(series) == checksum

    code, _, [first_line, *lines] = skullmask(
        "mask", series, "-o", "masks.nii.gz", "--version", "v1"
    )
    assert (code, first_line) == (0, f"skullmask: warning: {line}")
    assert not any("left out" in other_line for other_line in lines)
    first_file.write_bytes(b"changed")
    assert provenance.sha256(series) != checksum


@pytest.mark.parametrize("name", ["a.dcm", "IM0001"])
def test_one_file_of_a_series_leads_to_its_folder(tmp_path, name):
    save(tmp_path / name, header(phantom()[0]))
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
    for command in COMMANDS:
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
    with pytest.warns(InputWarning, match=r"IM000\d: 624 bytes") as caught:
        assert dicom.read_series(tmp_path).shape == (39, 40, 5)
    assert len(caught) == 5


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
    assert_array_equal(slices_of(tmp_path), volume)


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
