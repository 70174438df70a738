"""Picture files: as viewers show them, and no more than they say."""

import contextlib
import io
import os
import struct
import tracemalloc
import zlib
from functools import partial

import numpy as np
import pytest
import tifffile
from complaints import refused
from inputs import head
from numpy.testing import assert_array_equal as same
from PIL import EpsImagePlugin, Image

import skullmask_lib as sm
from skullmask_lib import errors
from skullmask_lib.errors import InputError, InputWarning
from skullmask_lib.io import datasets, pictures

ORIENTATION = 274
LEVELS = np.arange(7 * 5).reshape(7, 5) * 7  # no two pixels are the same
NUMBERS = ("u1", "u2", ">u2", "i1", "i2", ">i2", "i4", ">i4", "u4", "f4", ">f4", "f8", ">f8")
SHOWN = {  # by the tag: rows and columns as they are shown, from the specification of TIFF
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored.swapaxes(0, 1)[:, ::-1],
    7: lambda stored: stored.swapaxes(0, 1)[::-1, ::-1],
    8: lambda stored: stored.swapaxes(0, 1)[::-1],
}


def save_tiff(path, values, *, orientation=1, **options):
    tag = (ORIENTATION, 3, 1, orientation, False)
    tifffile.imwrite(path, values, **{"photometric": "minisblack", "extratags": [tag]} | options)


def png(shape, *, depth=8, kind=0, rows=None, size=None):
    """Write a PNG by hand: of any depth and kind of colour, and with any size in its header."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    height, width = size or shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    lines = b"".join(b"\0" + row for row in rows)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines, 9)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def memory_of(function):
    """Run a function and give what it took at most [bytes]; Pillow's pixels are not counted."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# --- orientation -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", [*NUMBERS, "?", "colour", "colour16"])
def test_a_tiff_is_turned_as_its_tag_says(tmp_path, dtype, compression, orientation):
    options = {"compression": compression, "orientation": orientation}
    if dtype.startswith("colour"):
        stored = np.stack([LEVELS, LEVELS + 1, LEVELS + 2], axis=-1).astype(
            "u2" if dtype == "colour16" else "u1"
        )
        options["photometric"] = "rgb"
    else:
        stored = LEVELS % 3 == 0 if dtype == "?" else LEVELS.astype(dtype)
        options["byteorder"] = ">" if dtype[0] == ">" else "<"
    for pages in (1, 3):
        save_tiff(tmp_path / "a.tif", np.stack([stored] * pages), **options)
        values = pictures.read(tmp_path / "a.tif", keep_colour=True).values
        same(
            values,
            SHOWN[orientation](stored)
            if pages == 1
            else np.stack([SHOWN[orientation](stored)] * pages),
        )


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_png_and_a_jpeg_are_turned_as_their_tag_says(tmp_path, suffix, orientation):
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    stored = np.kron(LEVELS, np.ones((8, 8))).astype(np.uint8)
    Image.fromarray(stored).save(
        tmp_path / f"a.{suffix}", exif=tags, **({"quality": 95} if suffix == "jpg" else {})
    )
    values = pictures.read(tmp_path / f"a.{suffix}").values
    assert values.shape == SHOWN[orientation](stored).shape
    assert np.abs(values.astype(int) - SHOWN[orientation](stored)).max() <= (
        0 if suffix == "png" else 6
    )


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_a_tag_that_says_nothing_turns_nothing(tmp_path, orientation):
    save_tiff(tmp_path / "a.tif", LEVELS.astype(np.uint8), orientation=orientation)
    same(pictures.read(tmp_path / "a.tif").values, LEVELS)


def test_a_mask_is_turned_like_its_picture(tmp_path):
    stored = head((60, 44), at=(4, 2)).astype(np.uint16)
    save_tiff(tmp_path / "a.tif", stored, orientation=6)
    data = sm.load(tmp_path / "a.tif")
    same(data.images[0], SHOWN[6](stored))
    made = [sm.v7(data.images[0], dilation_size=9)]
    for output in ("m.png", "m.npy"):
        datasets.write_masks(made, tmp_path / output, data)
    with Image.open(tmp_path / "m.png") as picture:
        assert picture.size == (60, 44)
        assert ORIENTATION not in picture.getexif()
    same(sm.load(tmp_path / "m.png").images[0] > 0, made[0])
    same(np.load(tmp_path / "m.npy"), made[0])


# --- levels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["?", "u1", "u2", ">u2", "i2", "i4", "f4", "f8"])
def test_where_white_is_zero_levels_are_inverted(tmp_path, dtype, compression):
    shown = LEVELS % 3 == 0 if dtype == "?" else LEVELS.astype(dtype)
    stored = LEVELS.max() - shown if np.dtype(dtype).kind == "f" else ~shown
    options = {
        "photometric": "miniswhite",
        "compression": compression,
        "byteorder": ">" if dtype[0] == ">" else "<",
    }
    save_tiff(tmp_path / "a.tif", stored, **options)
    same(pictures.read(tmp_path / "a.tif").values, shown)
    save_tiff(tmp_path / "b.tif", np.stack([stored, stored]), orientation=6, **options)
    same(pictures.read(tmp_path / "b.tif").values, [SHOWN[6](shown)] * 2)


def test_numbers_of_a_tiff_keep_their_sign_and_size(tmp_path):
    for dtype, low, high in (
        ("i1", -128, 127),
        ("i2", -32768, 32767),
        ("u4", 0, 2**32 - 1),
        ("f8", -1e300, 1e300),
    ):
        values = np.array([[low, 0, high], [1, 2, 3]], dtype)
        save_tiff(tmp_path / "a.tif", values)
        read = pictures.read(tmp_path / "a.tif").values
        same(read, values)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_floats_of_64_bits_are_read(tmp_path, compression):
    images = np.stack([head(at=(k, 0)) / 7 for k in range(3)])
    save_tiff(tmp_path / "a.tif", images, compression=compression)
    data = sm.load(tmp_path / "a.tif")
    same(data.images, images.astype(np.float32))
    datasets.write_masks(data.images > 9, tmp_path / "m.npy", data)
    assert np.load(tmp_path / "m.npy").shape == images.shape


def test_colours_of_16_bits_keep_all_of_them(tmp_path):
    grey = (LEVELS * 11).astype(
        np.uint16
    )  # below 4096, as scanners have it: Pillow would leave 0 to 10
    rows = [np.repeat(row, 3).astype(">u2").tobytes() for row in grey]
    (tmp_path / "a.png").write_bytes(png(grey.shape, depth=16, kind=2, rows=rows))
    save_tiff(tmp_path / "a.tif", np.stack([grey] * 3, axis=-1), photometric="rgb")
    opaque = [np.stack([row, row * 0 + 65535], axis=-1).astype(">u2").tobytes() for row in grey]
    (tmp_path / "b.png").write_bytes(png(grey.shape, depth=16, kind=4, rows=opaque))
    for name in ("a.png", "a.tif", "b.png"):
        same(sm.load(tmp_path / name).images[0], grey)


def planes(channels, dtype):
    """Give channels (H, W, C) of which no two are the same; the last of 2 or 4 is opaque."""
    values = np.stack([(LEVELS + 3 * number) for number in range(channels)], axis=-1).astype(dtype)
    if channels != 3:
        values[..., -1] = np.iinfo(dtype).max if values.dtype.kind in "iu" else 1
    return values


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i2", "u4", "f4", "f8"])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_channels_one_after_another_are_read_right_or_refused(
    tmp_path, channels, dtype, compression
):
    stored = planes(channels, dtype)
    save_tiff(
        tmp_path / "a.tif",
        np.stack([np.moveaxis(stored, -1, 0)] * 2),
        photometric="minisblack" if channels == 2 else "rgb",
        extrasamples=None if channels == 3 else ["unassalpha"],
        planarconfig="separate",
        compression=compression,
        byteorder=">" if dtype[0] == ">" else "<",
    )
    if dtype == "u1" and channels > 2:
        same(pictures.read(tmp_path / "a.tif", keep_colour=True).values, [stored] * 2)
        return
    for keep_colour in (False, True):
        with refused("a.tif", naming=["greyscale"]):
            pictures.read(tmp_path / "a.tif", keep_colour=keep_colour)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["u1", "u2", ">u2", "i2", "u4", "f4", "f8"])
def test_grey_with_alpha_keeps_all_bits_or_is_refused(tmp_path, dtype, compression):
    stored = planes(2, dtype)
    save_tiff(
        tmp_path / "a.tif",
        stored,
        extrasamples=["unassalpha"],
        planarconfig="contig",
        compression=compression,
        byteorder=">" if dtype[0] == ">" else "<",
    )
    if dtype == "u1":
        same(pictures.read(tmp_path / "a.tif").values, stored[..., 0])
        return
    with refused("a.tif"):
        sm.load(tmp_path / "a.tif")


# --- kinds of pictures -----------------------------------------------------------------------------------------

GREY = head().astype(np.uint8)


def test_a_bmp(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.bmp")
    data = sm.load(tmp_path / "a.bmp")
    same(data.images[0], GREY)
    datasets.write_masks([GREY > 9], tmp_path / "m.png", data)
    assert datasets.masks_name(data.origin) == "masks.png"


@pytest.mark.parametrize("suffix", ["jpg", "jpeg", "JPG"])
def test_a_jpeg_is_read_with_a_warning(tmp_path, suffix):
    Image.fromarray(GREY).save(tmp_path / f"a.{suffix}", format="JPEG", quality=95)
    with pytest.warns(InputWarning, match=f"a.{suffix}: JPEG") as told:
        data = sm.load(tmp_path / f"a.{suffix}")
    assert len(told) == 1
    assert np.abs(data.images[0] - GREY).mean() < 5
    assert datasets.masks_name(data.origin) == "masks.png"
    with refused("m.jpg", naming=["m.png"]):
        datasets.write_masks([GREY], tmp_path / "m.jpg", data)


def test_jpegs_of_a_folder_are_told_of_once(tmp_path):
    for k in range(4):
        Image.fromarray(GREY).save(tmp_path / f"{k}.{'jpg' if k else 'png'}")
    with pytest.warns(InputWarning, match=r"JPEG .*\(3 of 4 pictures\)") as told:
        assert sm.load(tmp_path).names == ("0.png", "1.jpg", "2.jpg", "3.jpg")
    assert len(told) == 1


@pytest.mark.filterwarnings("ignore::skullmask_lib.errors.InputWarning")
def test_a_true_mask_does_not_survive_as_jpeg(tmp_path):
    truth = Image.fromarray((GREY > 0) * np.uint8(255))
    Image.fromarray(GREY).save(tmp_path / "a.png")
    truth.save(tmp_path / "t.jpg")
    (tmp_path / "in").mkdir()
    truth.save(tmp_path / "in" / "a.jpg")
    for path in (tmp_path / "t.jpg", tmp_path / "in"):
        with pytest.raises(InputError, match=r"\.jpg.*: .*JPEG.*PNG"):
            sm.load(tmp_path / "a.png", truth=path)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif"])
def test_palettes_are_resolved(tmp_path, suffix):
    indexed = Image.fromarray((GREY % 200).astype(np.uint8)).convert("P")
    inverse = np.repeat(np.arange(255, -1, -1, dtype=np.uint8), 3)
    indexed = Image.fromarray(GREY)
    indexed.putpalette(inverse.tobytes())
    indexed.save(tmp_path / f"a.{suffix}")
    same(sm.load(tmp_path / f"a.{suffix}").images[0], 255 - GREY)
    colours = inverse.reshape(256, 3).copy()
    colours[:, 2] //= 2
    indexed.putpalette(colours.tobytes())
    indexed.save(tmp_path / f"b.{suffix}")
    with refused(f"b.{suffix}", naming=["colour"]):
        sm.load(tmp_path / f"b.{suffix}")
    same(sm.load(tmp_path / f"b.{suffix}", channel=2).images[0], (255 - GREY) // 2)


def test_three_equal_channels_are_grey_unless_one_is_chosen(tmp_path):
    Image.fromarray(np.stack([GREY] * 3, axis=-1)).save(tmp_path / "a.png")
    data = sm.load(tmp_path / "a.png")
    same(data.images[0], GREY)
    same(sm.load(tmp_path / "a.png", channel=1).images[0], GREY)
    datasets.write_masks([GREY > 0], tmp_path / "m.npy", data)
    assert np.load(tmp_path / "m.npy").shape == (48, 40)
    Image.fromarray(np.stack([GREY, GREY, GREY // 2], axis=-1)).save(tmp_path / "b.png")
    with refused("b.png", naming=["colour"]):
        sm.load(tmp_path / "b.png")


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_alpha_is_dropped_where_opaque_and_else_stands_on_black(tmp_path, suffix, mode):
    alpha = np.full(GREY.shape, 255, np.uint8)
    channels = [GREY] * (3 if mode == "RGBA" else 1)
    Image.fromarray(np.stack([*channels, alpha], axis=-1)).save(tmp_path / f"a.{suffix}")
    same(sm.load(tmp_path / f"a.{suffix}").images[0], GREY)
    alpha[:9], alpha[9:12] = 0, 51
    white = [np.full_like(GREY, 200)] * len(channels)
    Image.fromarray(np.stack([*white, alpha], axis=-1)).save(tmp_path / f"b.{suffix}")
    with pytest.warns(InputWarning, match=f"b.{suffix}: .*black"):
        data = sm.load(tmp_path / f"b.{suffix}")
    same(data.images[0, :, 0], [*[0] * 9, *[40] * 3, *[200] * 36])


def test_a_transparent_level_stands_on_black(tmp_path):
    Image.fromarray(np.where(GREY == 0, 255, GREY)).save(tmp_path / "a.png", transparency=255)
    with pytest.warns(InputWarning, match="black"):
        same(sm.load(tmp_path / "a.png").images[0], GREY)


def test_kinds_of_colour_that_are_not_read_are_named(tmp_path):
    Image.new("CMYK", (9, 9)).save(tmp_path / "a.tif")
    Image.new("CMYK", (9, 9)).save(tmp_path / "a.jpg")
    for name in ("a.tif", "a.jpg"):
        with refused(name, naming=["CMYK"]):
            sm.load(tmp_path / name)
    save_tiff(tmp_path / "b.tif", GREY.astype(np.float16))
    with refused("b.tif", naming=["16 bits"]):
        sm.load(tmp_path / "b.tif")


def test_nan_around_the_head_is_zero(tmp_path):
    outside = np.ones(GREY.shape, bool)
    outside[4:44, 4:36] = False
    values = np.where(outside, np.nan, GREY).astype(np.float32)
    values[12:24, 18:22] = np.nan  # within, and more than specks
    save_tiff(tmp_path / "a.tif", values)
    with pytest.warns(InputWarning, match=r"a.tif: NaN") as told:
        data = sm.load(tmp_path / "a.tif")
    assert len(told) == 1
    within = np.zeros(GREY.shape, bool)
    within[12:24, 18:22] = True
    same(np.isnan(data.images[0]), within)
    same(data.images[0][outside], 0)
    with refused(None, naming=[" 48 ", "NaN"]):
        sm.v1(data.images[0])


# --- pictures that lie -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "bmp"])
def test_no_program_is_run_whatever_a_file_is_called(tmp_path, suffix, monkeypatch):
    def spring(*_args, **_kwargs):
        raise AssertionError("Ghostscript was run")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", spring)
    Image.new("L", (9, 9)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / f"a.{suffix}")
    Image.new("L", (9, 9)).save(tmp_path / "b.gif")
    (tmp_path / "b.gif").rename(tmp_path / f"b.{suffix}")
    for name in (f"a.{suffix}", f"b.{suffix}"):
        with refused(name, naming=["PNG, TIFF, JPEG, BMP"]):
            sm.load(tmp_path / name)
    with (
        pytest.raises(AssertionError, match="Ghostscript was run"),
        Image.open(tmp_path / f"a.{suffix}") as picture,
    ):
        picture.load()  # the trap itself works


@pytest.mark.parametrize("keep_colour", [False, True])
def test_a_picture_is_read_by_what_it_holds(tmp_path, keep_colour):
    Image.fromarray(GREY).save(tmp_path / "a.bmp")
    (tmp_path / "a.bmp").rename(tmp_path / "a.tif")
    same(pictures.read(tmp_path / "a.tif", keep_colour=keep_colour).values, GREY)


def test_what_unpacks_to_too_much_is_refused_before_memory_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(errors, "LARGEST_SLICE_PX", 2**20)
    monkeypatch.setattr(errors, "LARGEST_UNPACKED_BYTES", 2**25)
    side = 2**12
    rows = [bytes(side // 8)] * side
    (tmp_path / "a.png").write_bytes(png((side, side), depth=1, rows=rows))
    assert (tmp_path / "a.png").stat().st_size < 200_000
    (tmp_path / "b.png").write_bytes(png((9, 9), rows=[bytes(9)] * 9, size=(2**31 - 1, 2**31 - 1)))
    Image.new("1", (side, side)).save(tmp_path / "c.tif", compression="group4")
    Image.new("L", (side, side)).save(tmp_path / "d.jpg")
    save_tiff(tmp_path / "e.tif", np.zeros((16, 16), np.float64))
    with tifffile.TiffFile(tmp_path / "e.tif", mode="r+") as file:
        file.pages[0].tags["ImageWidth"].overwrite(10**6, dtype="I")
    page = Image.new("1", (2**10, 2**10))
    page.save(tmp_path / "f.tif", compression="group4", save_all=True, append_images=[page] * 12)
    sizes = {
        "a.png": "4096 x 4096",
        "b.png": str((2**31 - 1) ** 2),
        "c.tif": "4096 x 4096",
        "d.jpg": "4096 x 4096",
        "e.tif": "16 x 1000000",
        "f.tif": "0.0508 GiB",
    }
    for name, size in sizes.items():

        def refuse(name=name, size=size):
            with refused(name, naming=[size]):
                sm.load(tmp_path / name)

        assert memory_of(refuse) < 2**20


def test_a_page_may_be_large_and_pages_may_be_many(tmp_path):
    side = 2**12
    Image.new("1", (side, side)).save(tmp_path / "a.tif", compression="group4")
    assert pictures.read(tmp_path / "a.tif").values.shape == (side, side)
    assert side**2 == errors.LARGEST_SLICE_PX
    page = Image.new("L", (8, 8))
    page.save(tmp_path / "b.tif", save_all=True, append_images=[page] * 300)
    assert pictures.read(tmp_path / "b.tif").values.shape == (301, 8, 8)


def test_a_byte_that_changed_in_a_png_is_seen(tmp_path):
    Image.fromarray(
        (GREY + np.random.default_rng(0).integers(9, size=GREY.shape)).astype(np.uint8)
    ).save(tmp_path / "a.png")
    good = (tmp_path / "a.png").read_bytes()
    sm.load(tmp_path / "a.png")
    for place in range(41, len(good) - 20, 97):
        bad = bytearray(good)
        bad[place] ^= 4
        (tmp_path / "a.png").write_bytes(bad)
        with refused("a.png"):
            sm.load(tmp_path / "a.png")


def test_a_checksum_of_a_png_is_looked_at_even_where_the_pixels_are_whole(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    written = bytearray((tmp_path / "a.png").read_bytes())
    end = written.rindex(b"IEND")
    written[end - 5] ^= 1  # the last byte of the checksum of the pixels
    (tmp_path / "a.png").write_bytes(written)
    with refused("a.png"):
        sm.load(tmp_path / "a.png")


@pytest.mark.parametrize("dtype", ["u2", "u4", "f4", "f8"])
def test_numbers_of_a_palette_are_not_taken_for_grey_levels(tmp_path, dtype):
    save_tiff(tmp_path / "a.tif", LEVELS.astype(dtype))
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+") as file:
        file.pages[0].tags["PhotometricInterpretation"].overwrite(3)
    with refused("a.tif"):
        sm.load(tmp_path / "a.tif")


def test_a_damaged_tiff_is_one_line_and_libtiff_is_silent(tmp_path, capfd):
    save = partial(Image.fromarray(GREY).save, tmp_path / "a.tif", compression="tiff_lzw")
    save()
    good = (tmp_path / "a.tif").read_bytes()
    for place in range(8, 300, 7):
        bad = bytearray(good)
        bad[place] ^= 255
        (tmp_path / "a.tif").write_bytes(bad)
        with contextlib.suppress(InputError):
            sm.load(tmp_path / "a.tif")
    assert capfd.readouterr() == ("", "")
    os.write(2, b"still there")
    assert capfd.readouterr().err == "still there"


def test_stderr_is_closed_only_for_readers_that_write_to_it(tmp_path, monkeypatch):
    grey = Image.fromarray(GREY)
    for name in ("a.png", "a.jpg", "a.bmp", "a.tif"):
        grey.save(tmp_path / name)
    rows = [np.repeat(row, 3).astype(">u2").tobytes() for row in GREY]
    (tmp_path / "b.png").write_bytes(png(GREY.shape, depth=16, kind=2, rows=rows))
    closed = []
    dup2 = os.dup2

    def record(*arguments):
        closed.append(name)
        return dup2(*arguments)

    monkeypatch.setattr(os, "dup2", record)
    for name in ("a.png", "a.jpg", "a.bmp", "a.tif", "b.png"):
        assert pictures.read(tmp_path / name).values.shape == GREY.shape
    assert set(closed) == {"a.tif", "b.png"}  # OpenCV reads the second


@pytest.mark.parametrize("name", ["A.PNG", "A.TIF", "A.JPG", "A.BMP", "A.NPY", "A.NPZ"])
def test_messages_name_files_as_they_are_called(tmp_path, name):
    (tmp_path / name).write_bytes(b"no picture")
    with pytest.raises(InputError) as error:
        sm.load(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: ")
    assert "a." not in str(error.value).removeprefix(str(tmp_path))


def test_a_preview_behind_a_jpeg_is_no_slice(tmp_path):
    buffer = io.BytesIO()
    page = Image.fromarray(GREY)
    page.save(buffer, format="MPO", save_all=True, append_images=[page])
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    assert pictures.read(tmp_path / "a.jpg").values.shape == GREY.shape


def test_bounds_are_named_once():
    assert errors.LARGEST_UNPACKED_BYTES == 2**31
