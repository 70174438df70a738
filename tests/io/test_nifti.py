"""Files of volumes: read by what they hold, refused in one line where they are damaged or lie."""

import gzip
import math
import os
import shutil
import socket
import struct
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from complaints import refused
from memory import takes_less_than
from numpy.testing import assert_array_equal as same
from scipy import ndimage

import skullmask_lib as sm
from skullmask_lib import errors
from skullmask_lib.errors import InputError, InputWarning
from skullmask_lib.io import nifti
from skullmask_lib.reports import provenance
from skullmask_lib.volumes import brain_masks, scans

AFFINE = np.diag([3.0, 3.0, 4.0, 1.0])


def volume(shape=(20, 24, 9)):
    """Give a ball in air that is brighter on one side, so that its mirror image is another."""
    places = np.indices(shape)
    middle = np.reshape(shape, (3, 1, 1, 1)) / 2 - 0.5
    radius = np.linalg.norm((places - middle) / middle, axis=0)
    noise = np.random.default_rng(0).integers(0, 40, shape)
    ball = 100 + 5 * places[0] + places[2] + noise
    return np.where(radius < 0.8, ball, 0).astype(np.int16)


def image(array=None, affine=AFFINE, kind=nib.Nifti1Image):
    if array is None:
        array = volume()
    return kind(array, affine)


def save(path, *arguments, **options):
    nib.save(image(*arguments, **options), path)
    return path


def unpacked(path):
    """Read the bytes of a file, without the packing of .nii.gz."""
    content = Path(path).read_bytes()
    return gzip.decompress(content) if Path(path).suffix == ".gz" else content


def write_packed(path, content):
    """Write bytes, packed where the name says so."""
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


@pytest.fixture
def scan(folder):
    return save(folder / "scan.nii.gz")


COMMANDS = {
    "mask": ("mask", "SCAN", "-o", "out.nii.gz"),
    "mask with a truth": ("mask", "good.nii.gz", "--truth", "SCAN", "-o", "out.nii.gz"),
    "strip": ("strip", "SCAN", "out"),
    "brain-mask": ("brain-mask", "SCAN", "out"),
    "score": ("score", "good.nii.gz", "SCAN"),
    "sweep": ("sweep", "SCAN", "good.nii.gz", "-o", "out.csv"),
    "report": ("report", "SCAN", "-o", "out"),
    "explore": ("explore", "SCAN", "--port", "0"),
}


def arguments(command, name):
    """Give the arguments of a command for a scan of this name."""
    return [name if part == "SCAN" else part for part in COMMANDS[command]]


def refuses_all(skullmask, name, reason):
    """See that every command refuses the file in one line that names it, and leaves nothing."""
    save("good.nii.gz", (volume() > 0).astype(np.uint8))
    for command in COMMANDS:
        before = sorted(Path().rglob("*"))
        code, out, err = skullmask(*arguments(command, name))
        assert (code, out, len(err)) == (2, "", 1), (command, err)
        assert name in err[0]
        assert reason in err[0]
        assert sorted(Path().rglob("*")) == before
    Path("pictures").mkdir()
    shutil.copy(name, "pictures")
    assert skullmask("batch", "pictures", "masks", "--workers", "1")[0] != 0
    [error] = Path("masks.batch", "errors.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert reason in error


# --- damage --------------------------------------------------------------------------------------


def test_every_command_refuses_a_changed_byte(skullmask, scan):
    data = bytearray(scan.read_bytes())
    data[-7] ^= 1  # of the checksum: all else unpacks as before
    scan.write_bytes(data)
    refuses_all(skullmask, "scan.nii.gz", "CRC")


@pytest.mark.parametrize("dtype", [np.float32, None])
def test_no_changed_byte_is_read_as_something_else(scan, dtype):
    intact = scan.read_bytes()
    expected, _ = nifti.read(scan, dtype)
    rng = np.random.default_rng(0)
    somewhere = rng.integers(10, len(intact), 100)
    checksum_and_size = range(len(intact) - 8, len(intact))
    lines = []
    for place in (*somewhere, *checksum_and_size):
        data = bytearray(intact)
        data[place] ^= 1 << rng.integers(8)
        scan.write_bytes(data)
        try:
            same(nifti.read(scan, dtype)[0], expected)
        except InputError as error:
            lines.append(str(error))
    assert len(lines) > 90
    for line in lines:
        assert line.startswith(f"{scan}: ")
        assert "\n" not in line


@pytest.mark.parametrize("cut", [1, 4, 8, 100, 3000])
def test_a_stream_that_is_cut_is_refused(scan, cut):
    scan.write_bytes(scan.read_bytes()[:-cut])
    with refused("scan.nii.gz"):
        nifti.read(scan)


def test_streams_that_other_packers_write_are_read(scan):
    expected, _ = nifti.read(scan)
    data = unpacked(scan)
    in_parts = gzip.compress(data[:500]) + gzip.compress(data[500:], 1) + gzip.compress(b"")
    zeros_at_the_end = gzip.compress(data, 0) + bytes(512)
    for stream in (in_parts, zeros_at_the_end):
        scan.write_bytes(stream)
        same(nifti.read(scan)[0], expected)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".hdr"])
def test_a_header_that_promises_other_than_what_is_there(folder, suffix):
    path = folder / f"a{suffix}"
    save(path, kind=nib.Nifti1Pair if suffix == ".hdr" else nib.Nifti1Image)
    data = bytearray(unpacked(path))

    def write(shape):
        data[40:48] = struct.pack("<4h", 3, *shape)  # the field dim
        write_packed(path, data)

    write((20, 24, 10))  # a slice more
    with refused(f"a{suffix}", naming=["cut off"]):
        nifti.read(path)
    write((20, 12, 9))  # half of it
    with refused(f"a{suffix}", naming=["4320 bytes" if suffix == ".hdr" else "4672 bytes"]):
        nifti.read(path)
    write((20, 24, 8))  # a slice less, no more than what some writers put behind the voxels
    with pytest.warns(InputWarning, match=rf"a\{suffix}: 960 bytes"):
        same(nifti.read(path)[0], volume()[:, :, :8])


# --- memory --------------------------------------------------------------------------------------


def promising(shape, packed):
    """Give a file of zeros whose header promises this shape, and little more than the header."""
    header = nib.Nifti2Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(shape)
    data = header.binaryblock + bytes(2000)
    return gzip.compress(data) if packed else data


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(10_000,) * 3, (1000, 1000, 300), (2**62, 2**62, 2**62)])
@pytest.mark.parametrize("command", ["mask", "strip", "brain-mask", "score"])
def test_what_no_file_can_hold_is_refused_before_memory_is_taken(skullmask, shape, packed, command):
    Path("scan.nii").write_bytes(promising(shape, packed))
    save("good.nii.gz")
    with takes_less_than(50e6):
        code, out, err = skullmask(*arguments(command, "scan.nii"))
    assert (code, out, len(err)) == (2, "", 1), err
    assert "scan.nii: " in err[0]
    assert f" {math.prod(shape)} voxels" in err[0]


def test_a_stream_is_not_unpacked_beyond_its_promise(folder):
    path = save(folder / "a.nii")
    packer = zlib.compressobj(9, wbits=31)
    stream = packer.compress(path.read_bytes())
    for _ in range(100):
        stream += packer.compress(bytes(10**6))
    path.write_bytes(stream + packer.flush())
    with takes_less_than(10e6), refused("a.nii", naming=["8992 bytes"]):
        nifti.read(path)


def test_a_packed_volume_has_a_largest_size(scan, monkeypatch):
    flat = np.zeros((64, 64, 64), np.uint8)
    save(scan, flat)
    monkeypatch.setattr(errors, "LARGEST_UNPACKED_BYTES", 4 * flat.size)  # of float32
    assert nifti.read(scan)[0].shape == flat.shape
    monkeypatch.setattr(errors, "LARGEST_UNPACKED_BYTES", 4 * flat.size - 1)
    with refused("scan.nii.gz", naming=["GiB"]):
        nifti.read(scan)
    assert nifti.read(save(scan.with_name("a.nii"), flat))[0].shape == flat.shape
    noise = np.random.default_rng(0).integers(0, 2**15, flat.shape, np.int16)
    save(scan, noise)  # packed it is half as large as its values: what it promises, it holds
    assert nifti.read(scan)[0].shape == flat.shape


def test_a_header_is_read_without_its_voxels(scan):
    data = scan.read_bytes()
    scan.write_bytes(data[:700])
    assert len(data) > 1500
    header = nifti.read_header(scan)
    assert header.shape == (20, 24, 9)
    same(header.affine, AFFINE)


@pytest.mark.parametrize(
    ("path", "reason", "shown"),
    [
        ("1", "expected 11 bytes at 1, got 1", "expected 11 bytes at 1, got 1"),
        ("1", "no such file: '1' of 11", "no such file: 'it' of 11"),
        ("a", "a file is a map", "a file is a map"),
        ("a.nii", "no more data in a.nii", "no more data in it"),
        ("a.nii", "data.nii is no a.nii", "data.nii is no it"),
        ("my a.nii", 'in "my a.nii" (my a.nii)', 'in "it" (it)'),
    ],
)
def test_only_the_name_is_replaced_in_a_reason(path, reason, shown):
    with pytest.raises(InputError) as error, nifti.reading(Path(path), ".nii"):
        raise EOFError(reason)
    assert error.value.where == path
    assert error.value.message.endswith(f" .nii file ({shown})")


# --- pipes ---------------------------------------------------------------------------------------


def pipe(path):
    os.mkfifo(path)


def listening(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


@pytest.mark.skipif(os.name != "posix", reason="SKULLMASK_REAL: pipes have no names on this system")
@pytest.mark.parametrize("make", [pipe, listening])
def test_every_command_refuses_a_pipe_at_once(skullmask, make):
    for name in ("scan.nii.gz", "scan.nii", "scan.img"):
        make(Path(name))
        Path("scan.hdr").touch()
        for command in COMMANDS:
            save("good.nii.gz")
            code, out, err = skullmask(*arguments(command, name))
            assert (code, out, len(err)) == (2, "", 1), (command, err)
            assert name in err[0]
    Path("link.nii").symlink_to("scan.nii")
    for call in (nifti.read, scans.read, sm.load, scans.existing):
        with pytest.raises(InputError, match=r"link\.nii: .*(pipe|socket)"):
            call("link.nii")


@pytest.mark.skipif(
    not Path("/dev/zero").exists(), reason="SKULLMASK_REAL: no devices on this system"
)
@pytest.mark.usefixtures("folder")
def test_a_device_is_refused():
    Path("zero.nii").symlink_to("/dev/zero")
    with refused("zero.nii", naming=["device"]):
        scans.read("zero.nii")


# --- place and unit ------------------------------------------------------------------------------


def scaled(affine, factor):
    return np.diag([factor, factor, factor, 1]) @ affine


@pytest.mark.parametrize(
    ("unit", "scale"), [("micron", 1), ("meter", 1), ("mm", 0.001), ("unknown", 1000)]
)
def test_every_command_refuses_a_unit_that_cannot_be_right(skullmask, unit, scale):
    wrong = image(affine=scaled(AFFINE, scale))
    wrong.header.set_xyzt_units(unit)
    nib.save(wrong, "scan.nii")
    refuses_all(skullmask, "scan.nii", "0.05 to 50 mm")


@pytest.mark.parametrize(
    ("size_mm", "good"), [(0.049, False), (0.05, True), (50, True), (51, False)]
)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_smallest_and_the_largest_voxel(folder, size_mm, good, axis):
    sizes_mm = np.ones(4)
    sizes_mm[axis] = size_mm
    path = save(folder / "a.nii", affine=np.diag(sizes_mm))
    if good:
        assert nifti.read(path)[0].shape == (20, 24, 9)
    else:
        with refused("a.nii", naming=["voxels"]):
            nifti.read(path)


@pytest.mark.usefixtures("folder")
def test_units_that_are_right_are_millimetres():
    for unit, scale in (("micron", 1000), ("meter", 0.001), ("mm", 1), ("unknown", 1)):
        scan = image(affine=scaled(AFFINE, scale))
        scan.header.set_xyzt_units(unit)
        nib.save(scan, "a.nii")
        np.testing.assert_allclose(scans.load("a.nii").affine, AFFINE, rtol=1e-6)


def test_two_sizes_of_a_voxel_are_said(folder):
    scan = image()
    scan.header["pixdim"][1:4] = 3.05, 3, 4.5
    nib.save(scan, folder / "a.nii")
    with pytest.warns(InputWarning, match=r"a\.nii: .*3 × 3 × 4,.*3\.05 × 3 × 4\.5"):
        nifti.read("a.nii")


def test_a_place_that_is_none_is_refused(folder):
    scan = image()
    scan.header["srow_x"][3] = np.inf
    nib.save(nib.Nifti1Image(volume(), None, scan.header), folder / "a.nii")
    with refused("a.nii", naming=["affine"]):
        nifti.read("a.nii")


PARALLEL = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 1]])
IN_ONE_PLANE = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]]) / 4


@pytest.mark.parametrize("read", [nifti.read, nifti.read_header])
@pytest.mark.parametrize("axes", [PARALLEL, IN_ONE_PLANE])
def test_axes_that_span_no_space_are_refused(folder, read, axes):
    scan = nib.Nifti1Image(volume(), None)
    scan.header.set_sform(nib.affines.from_matvec(axes), code=1)
    nib.save(scan, folder / "a.nii")
    with refused("a.nii", naming=["affine (4, 4)", str(axes[0].astype(float).tolist())[:-1]]):
        read("a.nii")


def without_orientation(path, array):
    nib.save(nib.Nifti1Image(array, None), path)
    assert not nifti.has_orientation(nib.load(path))


@pytest.mark.parametrize("bare", ["masks.nii", "truth.nii"])
def test_no_mirror_image_is_scored(skullmask, bare):
    mask = (volume() > 150).astype(np.uint8)
    middle = (np.array(mask.shape) - 1) / 2
    centred = np.eye(4)
    centred[:3, 3] = -middle  # mirrored it lies in the same box
    for path in ("masks.nii", "truth.nii"):
        save(path, mask, centred)
    assert skullmask("score", "masks.nii", "truth.nii")[0] == 0
    without_orientation(bare, mask)
    other = "truth.nii" if bare == "masks.nii" else "masks.nii"
    with pytest.warns(InputWarning, match=f"{bare}: .*orientation"):
        mirrored = sm.load(bare).images
    assert not np.array_equal(mirrored, sm.load(other).images)
    for command in (
        ("score", "masks.nii", "truth.nii"),
        ("mask", "masks.nii", "--truth", "truth.nii", "-o", "a.npy"),
    ):
        code, out, [line] = skullmask(*command)
        assert (code, out) == (2, "")
        assert line.startswith(f"skullmask: {bare}: ")
        assert "orientation" in line
    for path in ("masks.nii", "truth.nii"):
        without_orientation(path, mask)
    code, out, [line] = skullmask("score", "masks.nii", "truth.nii")
    assert code == 0
    assert "1.0000" in out
    assert line.startswith("skullmask: warning: masks.nii, truth.nii: ")
    assert "orientation" in line


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_voxels_begin_behind_the_header_where_it_says_0(folder, kind, suffix):
    path = save(folder / f"a{suffix}", kind=kind)
    data = bytearray(unpacked(path))
    vox_offset = slice(108, 112) if kind is nib.Nifti1Image else slice(168, 176)
    data[vox_offset] = bytes(len(data[vox_offset]))
    write_packed(path, data)
    assert nib.load(path).dataobj.offset == 0
    same(nifti.read(path)[0], volume())
    path.write_bytes(data[:540] + bytes(16) + data[540:])  # an extension, or what else there may be
    with refused(path.name, naming=[f"{len(data)} bytes"]):
        nifti.read(path)


# --- kinds of files ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [nib.Nifti1Pair, nib.Nifti2Pair])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_either_file_of_a_pair_leads_to_its_volume(folder, skullmask, kind, ending):
    for path, of_kind in ((f"head.img{ending}", kind), ("one.nii", nib.Nifti1Image)):
        scan = image(kind=of_kind)
        scan.header.set_slope_inter(0.5, -3)
        nib.save(scan, folder / path)
    expected, one = nifti.read("one.nii")
    for suffix in (".hdr", ".img"):
        name = f"head{suffix}{ending}"
        for dtype in (np.float32, None):
            array, read = nifti.read(name, dtype)
            same(array, expected)
            same(read.affine, one.affine)
            same(nifti.stored(read)[0], volume())
        same(sm.load(name).images, sm.load("one.nii").images)
        for output in ("masks.nii.gz", "masks.npy"):
            assert skullmask("mask", name, "-o", output, "--version", "v1")[0] == 0
        same(nib.load("masks.nii.gz").affine, AFFINE)
        assert skullmask("brain-mask", name, "out")[0] == 0
        brain_mask = nib.load("out/head_brain_mask.nii.gz")
        same(brain_mask.get_fdata(), brain_masks.brain_mask(expected))
        code, _, [line] = skullmask("mask", name, "-o", f"out{suffix}")
        assert code == 2
        assert f"out{suffix}: the masks of" in line
    assert len(list(folder.glob("head*"))) == 2
    checksum = provenance.sha256(f"head.hdr{ending}")
    assert checksum == provenance.sha256(f"head.img{ending}")
    Path(f"head.img{ending}").write_bytes(b"changed")
    assert checksum != provenance.sha256(f"head.hdr{ending}")


def test_names_in_capitals_and_links_lead_to_the_pair(folder):
    save(folder / "head.hdr", kind=nib.Nifti1Pair)
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "images.img").symlink_to(folder / "head.img")
    same(nifti.read("elsewhere/images.img")[0], volume())
    for name in ("head.hdr", "head.img"):
        Path(name).rename(name.upper())
    same(nifti.read("HEAD.HDR")[0], volume())
    assert [file.name for file in nifti.files("HEAD.IMG")] == ["HEAD.HDR", "HEAD.IMG"]


@pytest.mark.parametrize("kind", [nib.AnalyzeImage, nib.Spm99AnalyzeImage, nib.Spm2AnalyzeImage])
@pytest.mark.parametrize("suffix", [".hdr", ".img"])
def test_analyze_is_read_with_a_warning(folder, kind, suffix):
    image(kind=kind).to_filename(folder / "head.img")
    with pytest.warns(InputWarning, match=rf"head\{suffix}: .*orientation"):
        array, read = nifti.read(f"head{suffix}")
    same(array, volume())
    same(nib.affines.voxel_sizes(read.affine), (3, 3, 4))
    nifti.write(volume(), folder / "a.nii", read)
    assert not nifti.has_orientation(nib.load("a.nii"))


@pytest.mark.parametrize("lost", [".hdr", ".img"])
def test_half_a_pair_is_refused(folder, skullmask, lost):
    save(folder / "head.hdr", kind=nib.Nifti1Pair)
    Path(f"head{lost}").unlink()
    left = {".hdr": "head.img", ".img": "head.hdr"}[lost]
    for command in ("strip", "brain-mask"):
        code, _, [line] = skullmask(command, left, "out")
        assert code == 2
        assert line.startswith(f"skullmask: {left}: ")
        assert f"a {lost}" in line
    Path("head.nii").write_bytes(2 * Path(left).read_bytes())
    with refused("head.nii"):
        nifti.read("head.nii")


def test_packed_and_plain_are_told_by_what_they_hold(folder):
    save(folder / "plain.nii")
    save(folder / "packed.nii.gz")
    shutil.move("plain.nii", "a.nii.gz")
    shutil.move("packed.nii.gz", "b.nii")
    axial = [volume()[:, ::-1, k].T for k in range(9)]
    for name in ("a.nii.gz", "b.nii"):
        for dtype in (np.float32, None):
            same(nifti.read(name, dtype)[0], volume())
        same(sm.load(name).images, axial)


@pytest.mark.parametrize("held", ["plain.nii", "packed.nii.gz"])
@pytest.mark.parametrize("name", ["a", "a.bz2", "a.mgz", "a.MGZ", "a.zst"])
def test_names_of_other_packers_say_nothing(folder, held, name):
    save(folder / held).rename(name)
    same(nifti.read(name)[0], volume())


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((20, 24), (20, 24, 1)),
        ((20, 24, 1), (20, 24, 1)),
        ((20, 24, 1, 9), (20, 24, 9)),
        ((20, 24, 9, 1), (20, 24, 9)),
        ((20, 24, 1, 1, 9), (20, 24, 9)),
        ((1, 24, 9), (1, 24, 9)),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is read as")
def test_shapes_that_are_one_volume(skullmask, shape, wanted):
    array = np.resize(volume(), shape)
    nib.save(nib.Nifti1Image(array, AFFINE), "a.nii.gz")
    read, _ = nifti.read("a.nii.gz")
    same(read, array.reshape(wanted))
    assert skullmask("mask", "a.nii.gz", "-o", "m.nii.gz", "--version", "v1")[0] == 0
    assert nib.load("m.nii.gz").shape == shape
    same(np.squeeze(nib.load("m.nii.gz").dataobj).shape, np.squeeze(array).shape)


def test_a_volume_whose_slices_are_in_the_fourth_axis_is_said(folder):
    save(folder / "a.nii", volume()[:, :, None])
    with pytest.warns(InputWarning, match=r"a\.nii: .*\(20, 24, 1, 9\).*\(20, 24, 9\)"):
        nifti.read("a.nii")


@pytest.mark.usefixtures("folder")
def test_a_two_dimensional_file_of_another_program():
    sitk = pytest.importorskip("SimpleITK")
    slice_ = sitk.GetImageFromArray(volume()[:, :, 4].T.copy())
    slice_.SetSpacing((0.5, 0.7))
    sitk.WriteImage(slice_, "a.nii.gz")
    data = sm.load("a.nii.gz")
    assert data.images.shape == (1, 24, 20)
    np.testing.assert_allclose(data.spacing_mm, [[0.7, 0.5]], rtol=1e-6)


# --- values --------------------------------------------------------------------------------------


def with_nan(inside=False):
    """Give the ball with NaN around it, and on request within it."""
    array = np.where(volume() > 0, volume(), np.nan)
    if inside:
        array[6:14, 7:17, 3:6] = np.nan
    return array.astype(np.float32)


def test_nan_around_the_head_is_zero_and_said_once(skullmask):
    save("scan.nii.gz", with_nan())
    save("zeros.nii.gz", np.nan_to_num(with_nan()))
    for dtype in (np.float32, None):
        with pytest.warns(InputWarning, match=r"scan\.nii\.gz: NaN"):
            same(nifti.read("scan.nii.gz", dtype)[0], nifti.read("zeros.nii.gz", dtype)[0])
    for name, remarks in (("scan", 1), ("zeros", 0)):
        scan = f"{name}.nii.gz"
        for command in (
            ("mask", scan, "-o", f"{name}.npy", "--version", "v1"),
            ("brain-mask", scan, "out"),
            ("strip", scan, "out"),
        ):
            code, _, err = skullmask(*command)
            assert code == 0
            warnings = [
                line for line in err if line.startswith(f"skullmask: warning: {scan}: NaN ")
            ]
            assert len(warnings) == remarks, err
    same(np.load("scan.npy"), np.load("zeros.npy"))
    for kind in ("brain_mask", "brainmask", "brain"):
        scan = nib.load(f"out/scan_{kind}.nii.gz")
        zeros = nib.load(f"out/zeros_{kind}.nii.gz")
        same(scan.get_fdata(), zeros.get_fdata())


@pytest.mark.usefixtures("folder")
def test_specks_of_nan_near_the_background_are_counted():
    array = with_nan()
    background = np.isnan(array)
    one_off = ndimage.binary_dilation(background, np.ones((3, 3, 3)))
    two_off = ndimage.binary_dilation(one_off, np.ones((3, 3, 3)))
    places = np.argwhere(two_off & ~one_off)
    far_apart = places[:: max(1, len(places) // 6)][:5]
    array[tuple(far_apart.T)] = np.nan
    save("scan.nii.gz", array)
    with pytest.warns(InputWarning, match=r"^scan\.nii\.gz: NaN .* 5 specks") as said:
        same(nifti.read("scan.nii.gz")[0], np.nan_to_num(array))
    assert len(said) == 1


@pytest.mark.parametrize("what", ["inside", "inf", "all"])
def test_other_values_that_are_not_finite_are_refused(skullmask, what):
    array = with_nan(inside=True)
    if what != "inside":
        array[:] = np.inf if what == "inf" else np.nan
    save("scan.nii.gz", array)
    for command in ("mask", "strip", "brain-mask"):
        code, _, [line] = skullmask(*arguments(command, "scan.nii.gz"))
        assert code == 2
        assert line.startswith("skullmask: scan.nii.gz: ")
        assert "NaN" in line
    assert sorted(path.name for path in Path().iterdir()) == ["scan.nii.gz"]


# --- what is written -----------------------------------------------------------------------------

TEXTS = {"descrip": b"DOE^JOHN", "aux_file": b"DOE.txt", "intent_name": b"DOE", "db_name": b"DOE"}


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_no_text_of_a_header_is_written(skullmask, suffix):
    named = image()
    for field, text in TEXTS.items():
        named.header[field] = text
    named.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"DOE, born 1970"))
    named.header["cal_max"] = 4711
    named.set_qform(AFFINE, 1)
    Path("heads").mkdir()
    name = f"heads/scan{suffix}"
    nib.save(named, name)
    assert b"DOE" in unpacked(name)

    Path("out").mkdir()
    assert skullmask("mask", name, "-o", f"out/mask{suffix}", "--version", "v1")[0] == 0
    for command in ("strip", "brain-mask"):
        assert skullmask(command, name, "out")[0] == 0
    assert skullmask("batch", "heads", "batched", "--version", "v1", "--workers", "1")[0] == 0

    written_files = [*Path("out").glob("*.nii*"), *Path("batched").glob("*.nii*")]
    assert len(written_files) == 5
    for path in written_files:
        data = unpacked(path)
        assert b"DOE" not in data
        assert struct.pack("<f", 4711) not in data[:348]
        written = nib.load(path)
        same(written.affine, AFFINE)
        for field in ("pixdim", "qform_code", "sform_code", "xyzt_units"):
            same(written.header[field], nib.load(name).header[field])


def test_the_brain_mask_of_any_file(skullmask):
    save("scan.nii")
    Path("scan.NII.GZ").write_bytes(gzip.compress(Path("scan.nii").read_bytes()))
    for name, suffix in (("scan.nii", ".nii"), ("scan.NII.GZ", ".nii.gz")):
        output = f"out/scan_brain_mask{suffix}"
        code, out, _ = skullmask("brain-mask", name, "out")
        assert (code, out) == (0, f"The brain mask: {output}\n")
        same(nib.load(output).get_fdata(), brain_masks.brain_mask(volume()))
    with refused("scan.nii", naming=[".nii.gz"]):
        sm.generate_brain_mask("scan.nii", "out")
    code, _, [line] = skullmask("brain-mask", "scan.mgz", "out")
    assert code == 2
    assert line.startswith("skullmask: scan.mgz: ")
    assert "no such file" in line
    Path("scan.mgz").touch()
    code, _, [line] = skullmask("brain-mask", "scan.mgz", "out")
    assert code == 2
    assert line.startswith("skullmask: scan.mgz: ")
    assert ".nii" in line


def test_messages_show_plain_numbers():
    with refused(None, naming=["threshold", "(7, 3)"]):
        brain_masks.brain_mask(volume(), threshold=(np.uint8(7), np.int64(3)))
