"""What lies beside a series, or in folders below it, is left out and named."""

import errno
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom.data
import pytest
from complaints import refused
from dicoms import (
    COMMANDS,
    ORIENTATIONS,
    SERIES,
    header,
    numbers,
    phantom,
    save,
    slices_of,
    write_series,
)
from inputs import later
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from pydicom.uid import SecondaryCaptureImageStorage

import skullmask_lib as sm
from skullmask_lib.errors import InputError, InputWarning
from skullmask_lib.io import datasets, dicom
from skullmask_lib.reports import provenance

# --- beside the series ---------------------------------------------------------------------------


def other(sop_class, **tags):
    """Make a data set of another kind, which lies nowhere unless its tags say so."""
    defaults = {"SOPClassUID": sop_class, "SeriesInstanceUID": "1.2.9"}
    data = header(phantom()[0], **(defaults | tags))
    for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        if tag not in tags:
            del data[tag]
    return data


def report(sop_class):
    """Make a data set without pixels."""
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
    expected = dicom.read_series(series)
    for name in ("IM1000", "IM1001"):
        save(series / name, BESIDE[what]())
    with pytest.warns(InputWarning) as caught:
        image = dicom.read_series(series)
    assert_array_equal(image.dataobj, expected.dataobj)
    assert_array_equal(image.affine, expected.affine)
    [line] = [str(warning.message) for warning in caught]
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
    def tags_of(index):
        if index < 3:
            number = {"SeriesNumber": 3}
            return number | {"SeriesInstanceUID": "1.2.3", "SeriesDescription": "t1 mpr"}
        return {"SeriesInstanceUID": "1.2.4", "SeriesDescription": "t2\x1b[2J"}

    write_series(tmp_path, phantom(), tags_of=tags_of, order=range(5))
    series = ["3 files (IM0000 …, 3 t1 mpr)", "2 files (IM0003 …, t2[2J)"]
    with refused(str(tmp_path), naming=["2 series", *series]):
        dicom.read_series(tmp_path)


def test_a_mosaic_is_refused_with_its_reason(skullmask):
    write_series("series", phantom(), ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"])
    for command in COMMANDS:
        code, out, [line] = skullmask(*command)
        assert (code, out) == (2, "")
        assert re.match(r"skullmask: series/IM000\d: .*mosaic", line)


@pytest.mark.parametrize("kind", ["same file", "other number", "other name"])
def test_copies_are_dropped_and_named(series, kind):
    expected = dicom.read_series(series)
    copied = sorted(series.iterdir())[2]
    data = pydicom.dcmread(copied)
    if kind == "other number":
        data.SOPInstanceUID = pydicom.uid.generate_uid()
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    save(series / ("a copy" if kind == "other name" else "IM0009"), data)
    with pytest.warns(InputWarning, match=r"^series: .*(IM0009|a copy|IM0002) \(.*copy.*\)$"):
        image = dicom.read_series(series)
    assert_array_equal(image.dataobj, expected.dataobj)
    assert_array_equal(image.affine, expected.affine)
    data.PixelData = bytes(len(data.PixelData))  # the same number, another picture
    save(series / "IM0009", data)
    with pytest.raises(InputError, match=r"IM000\d: lies where IM000\d"):
        dicom.read_series(series)


def test_one_number_for_all_slices_makes_no_copies(tmp_path):
    volume = phantom()
    write_series(tmp_path, volume, SOPInstanceUID="1.2.3")
    assert_array_equal(slices_of(tmp_path), volume)


@pytest.mark.parametrize("gap_mm", [0.9, 4.0])
def test_a_jitter_below_a_tenth_of_the_distance_is_even(tmp_path, gap_mm):
    volume = phantom(32)[np.arange(40) % 5]
    rng = np.random.default_rng(0)
    jitter_mm = gap_mm * rng.choice((-0.099, 0.099), (40, 3))

    def tags_of(index):
        position_mm = np.add((-80, -100, -20 + gap_mm * index), jitter_mm[index])
        return {"ImagePositionPatient": numbers(position_mm)}

    write_series(tmp_path, volume, tags_of=tags_of)
    image = dicom.read_series(tmp_path)
    assert_array_equal(np.asarray(image.dataobj).T, volume)
    assert_allclose(image.header.get_zooms()[2], gap_mm, rtol=0.01)
    assert_allclose(image.affine[:3, 3], [80, 100, -20], atol=0.1 * gap_mm)
    sorted(tmp_path.iterdir())[7].unlink()
    with refused(str(tmp_path), naming=["distances", " mm"]):
        dicom.read_series(tmp_path)
    jitter_mm *= 3
    write_series(tmp_path, volume, tags_of=tags_of)
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
    assert_array_equal(slices_of(tmp_path), volume)


@pytest.mark.parametrize("trouble", ["too many files", "no permission"])
def test_a_subfolder_that_cannot_be_looked_through_stops_nothing(series, monkeypatch, trouble):
    volume = slices_of(series)
    (series / "sub").mkdir()
    for name in "ab":
        (series / "sub" / name).touch()
    iterdir = Path.iterdir

    def refuse_sub(path):
        if path.name == "sub":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return iterdir(path)

    if trouble == "too many files":
        monkeypatch.setattr(dicom, "_MOST_FILES", 1)
    else:  # which root always has
        monkeypatch.setattr(Path, "iterdir", refuse_sub)
    with pytest.warns(InputWarning, match="cannot be looked through"):
        assert_array_equal(slices_of(series), volume)


# --- subfolders ----------------------------------------------------------------------------------


def test_one_series_in_subfolders_is_read(folder, skullmask):
    volume = phantom()
    files = write_series("top/patient/study/series", volume)
    expected = dicom.read_series("top/patient/study/series")
    (folder / "top" / "DICOMDIR").write_bytes(files[0].read_bytes())
    (folder / "top" / "README.txt").touch()
    for hidden in (".trash", "patient/.trash"):
        (folder / "top" / hidden).mkdir()
        shutil.copy(files[0], folder / "top" / hidden)
    image = dicom.read_series("top")
    assert_array_equal(image.dataobj, expected.dataobj)
    assert_array_equal(image.affine, expected.affine)
    assert skullmask("brain-mask", "top", "out")[0] == 0
    assert skullmask("mask", "top", "-o", "top.nii.gz", "--version", "v1")[0] == 0
    assert nib.load("top.nii.gz").shape == (39, 48, 5)
    assert len(datasets.files_in("top")) == 5
    assert len(provenance.sha256("top")) == 64
    save("top/patient/IM9", header(volume[0], SeriesInstanceUID="1.2.9"))
    with refused("top", naming=["2 series", "patient/IM9", "patient/study/series"]):
        dicom.read_series("top")


@pytest.mark.usefixtures("folder")
def test_subfolders_beside_pictures_are_not_read():
    write_series("top/series", phantom())
    Image.fromarray(np.zeros((4, 4), np.uint8)).save("top/a.png")
    assert dicom.files_in("top") == []
    assert sm.load("top").images.shape == (1, 4, 4)
