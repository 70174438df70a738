"""The pixels of a series: inverted, padded, several frames in a file, compressed."""

import re
import shutil
import zlib
from pathlib import Path

import numpy as np
import pydicom.data
import pytest
from complaints import refused
from dicoms import (
    COMMANDS,
    ORIENTATIONS,
    enhanced,
    header,
    numbers,
    only,
    phantom,
    save,
    slices_of,
    write_series,
)
from memory import takes_less_than
from numpy.testing import assert_allclose, assert_array_equal
from pydicom.dataelem import DataElement
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from skullmask_lib import errors
from skullmask_lib.errors import InputError
from skullmask_lib.io import dicom

# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("white", ["the brightest", 4095])
def test_inverted_greys_are_those_of_the_same_head(tmp_path, signed, white):
    volume = phantom() - phantom().min()
    if white == "the brightest":
        white = volume.max()
    write_series(
        tmp_path,
        white - volume,
        PixelRepresentation=signed,
        PhotometricInterpretation="MONOCHROME1",
        RescaleSlope="2",
        RescaleIntercept="-20",
    )
    assert_array_equal(slices_of(tmp_path), 2.0 * volume)


def test_greys_of_both_kinds_in_one_series_are_refused(tmp_path):
    write_series(tmp_path, phantom(), tags_of=only(2, PhotometricInterpretation="MONOCHROME1"))
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
    is_padding = np.hypot(*np.meshgrid(np.arange(39) - 19, np.arange(48) - 23.5)) > 23
    stored = volume.max() - volume if photometric == "MONOCHROME1" else volume
    padded = np.where(is_padding, value, stored)
    write_series(
        tmp_path, padded, PhotometricInterpretation=photometric, RescaleIntercept="7", **tags
    )
    slices = slices_of(tmp_path)
    expected = volume.astype(float)
    if photometric == "MONOCHROME1":
        expected -= volume.max() - stored[:, ~is_padding].max()
    else:
        expected += 7
    expected[:, is_padding] = expected[:, ~is_padding].min()
    assert_array_equal(slices, expected)


def test_nothing_but_padding_is_refused(tmp_path):
    write_series(tmp_path, 0 * phantom() - 5, PixelPaddingValue=-5)
    with refused(str(tmp_path), naming=["padding"]):
        dicom.read_series(tmp_path)


@pytest.mark.parametrize("spacing_mm", [(0.002, 0.0015), (2000, 1500)])
def test_a_spacing_that_cannot_be_right_is_refused(skullmask, spacing_mm):
    write_series("series", phantom(), spacing_mm=spacing_mm)
    for command in COMMANDS:
        code, _, [line] = skullmask(*command)
        assert code == 2
        assert line.startswith("skullmask: series: ")
        assert "0.05 to 50 mm" in line


# --- several frames in a file --------------------------------------------------------------------


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_an_enhanced_file_is_the_volume_of_its_frames(tmp_path, name):
    volume = phantom()
    write_series(tmp_path / "one by one", volume, axes=ORIENTATIONS[name])
    expected = dicom.read_series(tmp_path / "one by one")
    (tmp_path / "enhanced").mkdir()
    save(tmp_path / "enhanced" / "a.dcm", enhanced(volume, axes=ORIENTATIONS[name]))
    image = dicom.read_series(tmp_path / "enhanced")
    assert_array_equal(image.dataobj, expected.dataobj)
    assert_allclose(image.affine, expected.affine, atol=1e-6)


def test_every_frame_has_a_slope_of_its_own(tmp_path):
    volume = phantom()
    slopes = np.arange(1, 6)
    intercepts = 10 * np.arange(5)
    data = enhanced(volume, slopes=np.transpose([slopes, intercepts]))
    save(tmp_path / "a.dcm", data)
    expected = volume * slopes[:, None, None] + intercepts[:, None, None]
    assert_array_equal(slices_of(tmp_path), expected)


def test_frames_of_several_files_are_one_volume(tmp_path):
    volume = phantom()
    save(tmp_path / "a.dcm", enhanced(volume[:3]))
    rest = enhanced(volume[3:], order=[0, 1])
    for k, group in enumerate(rest.PerFrameFunctionalGroupsSequence, 3):
        group.PlanePositionSequence[0].ImagePositionPatient = numbers((-80, -100, -20 + 4 * k))
    save(tmp_path / "b.dcm", rest)
    assert_array_equal(slices_of(tmp_path), volume)


def test_frames_that_are_no_volume(tmp_path):
    volume = phantom()
    data = enhanced(volume, gap_mm=0)
    save(tmp_path / "a.dcm", data)
    with refused("a.dcm", naming=["two slices"]):
        dicom.read_series(tmp_path)
    data = enhanced(volume)
    data.PerFrameFunctionalGroupsSequence = data.PerFrameFunctionalGroupsSequence[:4]
    save(tmp_path / "a.dcm", data)
    with refused("a.dcm", naming=["5 frames"]):
        dicom.read_series(tmp_path)


# --- what is compressed --------------------------------------------------------------------------


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
    save(tmp_path / "a.dcm", compressed(syntax))
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
    if syntax == ExplicitVRLittleEndian:
        data = header(phantom()[0], **tags)
    else:
        data = compressed(syntax, **tags)
    save(tmp_path / "a.dcm", data)
    with takes_less_than(50e6), refused("a.dcm"):
        dicom.read_series(tmp_path)


def test_a_deflated_file_is_bounded(tmp_path):
    data = header(phantom()[0])
    data.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    save(tmp_path / "a.dcm", data)
    assert_array_equal(slices_of(tmp_path), phantom()[:1])
    data.add_new(0x00091010, "OB", bytes(200_000_000))
    save(tmp_path / "a.dcm", data)
    del data
    with takes_less_than(150e6), refused("a.dcm", naming=["64 MiB"]):
        dicom.read_series(tmp_path)


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
    save(tmp_path / "a.dcm", data)
    written = (tmp_path / "a.dcm").read_bytes()
    content = written[144 + int.from_bytes(written[140:144], "little") :]
    (tmp_path / "a.dcm").write_bytes(deflated(content, **DISGUISES[disguise]))
    assert_array_equal(slices_of(tmp_path), phantom()[:1])
    monkeypatch.setattr(dicom, "_SLICE_BYTES", 2**20)
    size = 2**25
    bomb = content + b"\xe1\x7f\x10\x10OB\0\0" + size.to_bytes(4, "little") + bytes(size)
    (tmp_path / "a.dcm").write_bytes(deflated(bomb, **DISGUISES[disguise]))
    del bomb
    with takes_less_than(size / 4), refused("a.dcm", naming=["unpacks"]):
        dicom.read_series(tmp_path)


def test_a_compressed_series_has_a_largest_size(tmp_path, monkeypatch):
    volume = np.zeros((5, 128, 128), np.int16)
    for file in write_series(tmp_path, volume):
        data = pydicom.dcmread(file)
        data.compress(RLELossless)
        save(file, data)
    monkeypatch.setattr(errors, "LARGEST_UNPACKED_BYTES", 4 * volume.size)
    assert_array_equal(slices_of(tmp_path), volume)
    monkeypatch.setattr(errors, "LARGEST_UNPACKED_BYTES", 4 * volume.size - 1)
    with pytest.raises(InputError, match=r"GiB.*decompress"):
        dicom.read_series(tmp_path)


@pytest.mark.filterwarnings("ignore::skullmask_lib.errors.InputWarning")
def test_real_files_of_the_field_are_read_or_refused(tmp_path, capfd):
    """What pydicom brings to test itself: scanners' files, odd ones and broken ones."""
    read = 0
    lines = []
    files = (Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm")
    for file in sorted(files):
        folder = tmp_path / file.stem
        folder.mkdir()
        shutil.copyfile(file, folder / file.name)
        try:
            assert np.isfinite(dicom.read_series(folder).get_fdata()).all()
            read += 1
        except InputError as error:
            lines.append(str(error))
    assert read >= 8
    assert len(lines) >= 20
    for line in lines:
        assert "\n" not in line
        assert line.startswith(str(tmp_path))
    assert capfd.readouterr() == ("", "")
