"""Bad files and bad arguments end in one line, and nothing is written."""

import os
import pickle
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from commands import process
from folders import contents_of
from inputs import head, stack
from PIL import Image

READ_ONLY = next((folder for folder in ("/proc/self", "/sys") if os.path.isdir(folder)), None)


# --- bad files -----------------------------------------------------------------------------------


class Trap:
    """Makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)


def save_pickle(path):
    with open(path, "wb") as file:
        pickle.dump(Trap(), file)


def cut(path, write, size):
    """Write a file and leave its first bytes."""
    write(path)
    Path(path).write_bytes(Path(path).read_bytes()[:size])


def save_text(path):
    Path(path).write_text("a text")


def save_stack(path):
    np.save(path, stack())


def save_nifti(path, array=None):
    if array is None:
        array = stack().T.astype(np.int16)
    nib.save(nib.Nifti1Image(array, np.eye(4)), path)


def save_picture(path, mode="L"):
    Image.fromarray(head().astype(np.uint8)).convert(mode).save(path)


def save_colour(path, mode="RGB"):
    colours = head()[..., None] * np.array([1, 0.5, 0.2])
    Image.fromarray(colours.astype(np.uint8)).convert(mode).save(path)


def nothing(_path):
    pass


def empty(path):
    Path(path).touch()


BAD_FILES = {
    "missing.npy": (nothing, ()),
    "missing": (nothing, ()),
    "empty.npy": (empty, ("empty",)),
    "empty.npz": (empty, ("empty",)),
    "empty.nii.gz": (empty, ("empty",)),
    "empty.nii": (empty, ("empty",)),
    "empty.png": (empty, ("empty",)),
    "empty.tif": (empty, ("empty",)),
    "cut.npy": (lambda path: cut(path, save_stack, 5000), ()),
    "cut_header.npy": (lambda path: cut(path, save_stack, 40), ()),
    "cut.npz": (lambda path: cut(path, lambda p: np.savez(p, images=stack()), 5000), ()),
    "cut.nii.gz": (lambda path: cut(path, save_nifti, 600), ()),
    "cut.nii": (lambda path: cut(path, save_nifti, 5000), ()),
    "cut_header.nii": (lambda path: cut(path, save_nifti, 200), ()),
    "cut.png": (lambda path: cut(path, save_picture, 200), ()),
    "cut.tif": (lambda path: cut(path, save_picture, 200), ()),
    "pickle.npy": (save_pickle, ()),
    "pickle.npz": (save_pickle, ()),
    "object.npy": (lambda path: np.save(path, np.array([[Trap()]], object)), ()),
    "object.npz": (lambda path: np.savez(path, images=np.array([[Trap()]], object)), ()),
    "complex.npy": (lambda path: np.save(path, stack() * 1j), ("complex128",)),
    "words.npy": (lambda path: np.save(path, np.array([["a", "b"]])), ("<U1",)),
    "date.npy": (lambda path: np.save(path, np.zeros((3, 3), "M8[s]")), ()),
    "record.npy": (lambda path: np.save(path, np.zeros((3, 3), [("a", int)])), ()),
    "no_images.npz": (lambda path: np.savez(path, labels=stack()), ("images", "labels")),
    "0d.npy": (lambda path: np.save(path, np.array(3.0)), ("()",)),
    "1d.npy": (lambda path: np.save(path, np.arange(9.0)), ("(9,)",)),
    "4d.npy": (lambda path: np.save(path, np.zeros((2, 3, 8, 9))), ("(2, 3, 8, 9)",)),
    "4d.nii": (lambda path: save_nifti(path, np.zeros((5, 6, 7, 2))), ("(5, 6, 7, 2)",)),
    "rgb.npy": (lambda path: np.save(path, np.zeros((48, 40, 3))), ("--channel 0",)),
    "rgba.npy": (lambda path: np.save(path, np.zeros((2, 48, 40, 4))), ("(2, 48, 40, 4)",)),
    "rgb.png": (save_colour, ("--channel 0",)),
    "palette.png": (lambda path: save_colour(path, "P"), ("--channel 0",)),
    "cmyk.tif": (lambda path: save_colour(path, "CMYK"), ("CMYK",)),
    "nan.npy": (lambda path: np.save(path, np.where(stack() > 0, stack(), np.nan)), ("NaN",)),
    "inf.npy": (lambda path: np.save(path, np.where(stack() > 0, stack(), np.inf)), ("NaN",)),
    "inf.npz": (lambda path: np.savez(path, images=np.full((1, 9, 9), 1e300)), ("NaN",)),
    "nan.nii.gz": (lambda path: save_nifti(path, np.full((9, 9, 2), np.nan)), ("NaN",)),
    "nothing.npy": (lambda path: np.save(path, np.zeros((0, 48, 40))), ()),
    "nothing.npz": (lambda path: np.savez(path, images=np.zeros((3, 0, 40))), ("(3, 0, 40)",)),
    "text.nii.gz": (save_text, ()),
    "text.nii": (save_text, ()),
    "text.png": (save_text, ()),
    "text.npy": (save_text, ()),
    "text.npz": (save_text, ()),
    "notes.txt": (save_text, (".npy",)),
    "head.dcm": (save_text, (".npy",)),
    "suffixless": (save_text, ("suffix",)),
    "no_pictures": (lambda path: Path(path).mkdir(), ("picture",)),
    "x" * 300 + ".npy": (nothing, ()),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_image_is_one_line_and_nothing_is_written(skullmask, folder, name):
    make, words = BAD_FILES[name]
    make(name)
    np.save("truth.npy", stack() > 0)
    before = contents_of(folder)
    mask = ("mask", name, "-o", "out.npy")
    sweep = ("sweep", name, "truth.npy", "--sizes", "3", "-o", "out.csv")
    for arguments, values in ((mask, words), (sweep, ())):
        code, out, err = skullmask(*arguments)
        assert (code, out, len(err)) == (2, "", 1), err
        assert err[0].startswith("skullmask: ")
        for value in (name, *values):
            assert value in err[0]
        assert contents_of(folder) == before


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_truth_is_one_line_and_nothing_is_written(skullmask, folder, name):
    make, _ = BAD_FILES[name]
    make(name)
    np.save("good.npy", stack())
    before = contents_of(folder)
    for arguments in (
        ("mask", "good.npy", "-o", "out.npy", "--truth", name),
        ("score", "good.npy", name),
    ):
        code, out, err = skullmask(*arguments)
        assert (code, out, len(err)) == (2, "", 1), err
        assert name in err[0]
        assert contents_of(folder) == before


# --- bad arguments -------------------------------------------------------------------------------

MASK = ("mask", "a.npy", "-o", "out.npy")


REPORT = ("report", "a.npy", "-o", "out")


BAD_ARGUMENTS = {
    "truth of another shape": (
        (*MASK, "--truth", "small.npy"),
        ("small.npy", "(3, 48, 40)", "(3, 47, 40)"),
    ),
    "truth of one slice": (
        (*MASK, "--truth", "one.npy"),
        ("one.npy", "(3, 48, 40)", "(1, 48, 40)"),
    ),
    "truth that is not binary": ((*MASK, "--truth", "a.npy"), ("a.npy",)),
    "unknown version": ((*MASK, "--version", "v77"), ("v77", "v7")),
    "width 0": ((*MASK, "--dilation-size", "0"), ("a.npy[0]", "40 px")),
    "width -1": ((*MASK, "--dilation-size", "-1"), ("a.npy[0]", "40 px", "-1")),
    "width too large": ((*MASK, "--dilation-size", "41"), ("a.npy[0]", "40 px", "41")),
    "width no number": ((*MASK, "--dilation-size", "wide"), ("'--dilation-size'",)),
    "width no whole number": ((*MASK, "--dilation-size", "2.5"), ("'--dilation-size'",)),
    "width for v1": (
        (*MASK, "--version", "v1", "--dilation-size", "3"),
        ("v1", "dilation_size", "v5, v6, v7"),
    ),
    "width for v8": (
        (*MASK, "--version", "v8", "--dilation-size", "3"),
        ("v8", "dilation_size", "v5, v6, v7"),
    ),
    "spacing 0": ((*MASK, "--spacing", "0", "1"), ("mm", "(0.0, 1.0)")),
    "spacing nan": ((*MASK, "--spacing", "nan", "1"), ("mm", "(nan, 1.0)")),
    "spacing of one number": ((*MASK, "--spacing", "1"), ("'--spacing'",)),
    "spacing no number": ((*MASK, "--spacing", "wide", "1"), ("'--spacing'",)),
    "spacing in another unit": ((*MASK, "--spacing", "420", "420"), ("1000 mm", "20160")),
    "spacing in another unit for v7": (
        (*MASK, "--spacing", "420", "420", "--version", "v7"),
        ("1000 mm", "20160"),
    ),
    "channel too large": (("mask", "rgb.npy", "-o", "out.npy", "--channel", "3"), ("rgb.npy", "3")),
    "output is the input": (("mask", "a.npy", "-o", "a.npy"), ("a.npy",)),
    "output is the input by another way": (
        ("mask", "a.npy", "-o", "sub/../a.npy"),
        ("sub/../a.npy",),
    ),
    "output is the truth": ((*MASK[:3], "t.npy", "--truth", "t.npy"), ("t.npy",)),
    "output without parent": (("mask", "a.npy", "-o", "gone/out.npy"), ("gone/out.npy",)),
    "parent is a file": (("mask", "a.npy", "-o", "a.npy/out.npy"), ("a.npy/out.npy",)),
    "output is a folder": (("mask", "a.npy", "-o", "folder.npy"), ("folder.npy",)),
    "output with a long name": (("mask", "a.npy", "-o", "y" * 300 + ".npy"), ("y" * 300,)),
    "output of another format": (("mask", "a.npy", "-o", "out.nii.gz"), ("out.nii.gz", "a.npy")),
    "output of no format": (("mask", "a.npy", "-o", "out"), ("out", ".npy")),
    "many masks in a picture": (("mask", "phantom", "-o", "out.png"), ("out.png", "phantom")),
    "folder that is full": (("mask", "pictures", "-o", "sub"), ("sub",)),
    "folder that is the input": (("mask", "pictures", "-o", "pictures"), ("pictures",)),
    "no output": (("mask", "a.npy"), ("'-o'",)),
    "no input": (("mask",), ("'INPUT'",)),
    "unknown option": ((*MASK, "--dilate", "3"), ("--dilate",)),
    "unknown command": (("mast", "a.npy"), ("mast", "mask")),
    "score of another shape": (
        ("score", "t.npy", "small.npy"),
        ("small.npy", "(3, 48, 40)", "(3, 47, 40)"),
    ),
    "score of what is no mask": (("score", "a.npy", "t.npy"), ("a.npy",)),
    "sweep of bad widths": (
        ("sweep", "a.npy", "t.npy", "--sizes", "9:3"),
        ("start:stop:step", "'9:3'"),
    ),
    "sweep of no widths": (("sweep", "a.npy", "t.npy", "--sizes", ""), ("start:stop:step", "''")),
    "sweep of words": (("sweep", "a.npy", "t.npy", "--sizes", "a:b"), ("start:stop:step", "'a:b'")),
    "sweep of width 0": (
        ("sweep", "a.npy", "t.npy", "--sizes", "0:9:3"),
        ("start:stop:step", "'0:9:3'"),
    ),
    "sweep beyond the image": (
        ("sweep", "a.npy", "t.npy", "--sizes", "39:41"),
        ("a.npy[0]", "40 px"),
    ),
    "sweep without truth": (("sweep", "a.npy"), ("a.npy", "truth")),
    "sweep of another shape": (
        ("sweep", "a.npy", "small.npy"),
        ("small.npy", "(3, 48, 40)", "(3, 47, 40)"),
    ),
    "table over the images": (
        ("sweep", "a.npy", "t.npy", "--sizes", "3", "-o", "a.npy"),
        ("a.npy", ".csv"),
    ),
    "plot over the truth": (
        ("sweep", "sub/x.png", "t.png", "--sizes", "3", "--plot", "t.png"),
        ("t.png",),
    ),
    "plot of no format": (
        ("sweep", "a.npy", "t.npy", "--sizes", "3", "--plot", "p.pdf"),
        ("p.pdf", ".png"),
    ),
    "plot without parent": (
        ("sweep", "a.npy", "t.npy", "--sizes", "3", "--plot", "gone/p.png"),
        ("gone/p.png",),
    ),
    "page without parent": (("demo", "--out", "gone/demo"), ("gone/demo",)),
    "page over a file": (("demo", "--out", "a.npy"), ("a.npy",)),
    "report with a typo": ((*REPORT, "-p", "dilation_sise=3"), ("dilation_sise", "dilation_size")),
    "report with a word for a number": (
        (*REPORT, "-p", "overlay_count=few"),
        ("overlay_count", "int", "'few'"),
    ),
    "report out of range": ((*REPORT, "-p", "overlay_count=25"), ("overlay_count", "24", "25")),
    "report of no parameter": ((*REPORT, "-p", "title"), ("NAME=VALUE", "'title'")),
    "report with the truth as a parameter": ((*REPORT, "-p", "truth=t.npy"), ("truth",)),
    "report of an unknown version": ((*REPORT, "--version", "v8,newest"), ("'newest'",)),
    "report of bad slices": ((*REPORT, "-p", "slices=3:9"), ("a.npy", "3")),
    "report of bad widths": ((*REPORT, "-p", "sizes=9:3"), ("sizes",)),
    "report of a bad spacing": ((*REPORT, "-p", "spacing_mm=0,1"), ("spacing_mm",)),
    "report without images": (("report", "gone.npy", "-o", "out"), ("gone.npy",)),
    "report without its truth": ((*REPORT, "--truth", "gone.npy"), ("gone.npy",)),
    "report with another truth": (
        (*REPORT, "--truth", "small.npy"),
        ("small.npy", "(3, 48, 40)", "(3, 47, 40)"),
    ),
    "report of colour": (("report", "rgb.npy", "-o", "out"), ("rgb.npy", "(3, 48, 40, 3)")),
    "report with a width too large": (
        (*REPORT, "-p", "dilation_size=41"),
        ("a.npy", "dilation_size", "40", "41"),
    ),
    "report of NaN": (("report", "nan.npy", "-o", "out"), ("nan.npy[1]",)),
    "lesson without truth": ((*REPORT, "--notebook", "05"), ("a.npy", "05_v6_dilation_sweep")),
    "lesson on few slices": (
        ("report", "t.png", "-o", "out", "--notebook", "01", "--truth", "t.png"),
        ("t.png", "slice_index", "2"),
    ),
    "report by no notebook": ((*REPORT, "--notebook", "reprot"), ("reprot", "report")),
    "report without parent": (("report", "a.npy", "-o", "gone/out"), ("gone/out",)),
    "report over a file": (("report", "a.npy", "-o", "t.npy"), ("t.npy",)),
    "grid with a typo": ((*REPORT, "--grid", "versoin=v5,v7"), ("versoin", "version")),
    "grid out of range": (
        (*REPORT, "--grid", "overlay_count=22:26:2"),
        ("overlay_count", "24", "26"),
    ),
    "grid of no jobs": ((*REPORT, "--grid", "overlay_count=1", "--jobs", "0"), ("'--jobs'",)),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_a_bad_argument_is_one_line_and_nothing_is_written(skullmask, folder, case):
    np.save("a.npy", stack())
    np.save("t.npy", (stack() > 0).astype(np.uint8))
    np.save("one.npy", head() > 0)
    Image.fromarray(head() > 0).save("t.png")
    np.save("small.npy", stack()[:, 1:] > 0)
    np.save("rgb.npy", stack()[..., None] * [1, 2, 3])
    np.save("nan.npy", np.where(np.arange(3)[:, None, None] == 1, np.inf, stack()))
    for name in ("pictures", "sub"):
        (folder / name).mkdir()
        save_picture(folder / name / "x.png")
    (folder / "folder.npy").mkdir()
    before = contents_of(folder)
    arguments, words = BAD_ARGUMENTS[case]
    code, out, err = skullmask(*arguments)
    assert (code, out, len(err)) == (2, "", 1), err
    assert err[0].startswith("skullmask: ")
    for word in words:
        assert word in err[0]
    assert contents_of(folder) == before


@pytest.mark.skipif(READ_ONLY is None, reason="needs a folder that even root cannot write to")
def test_an_output_that_cannot_be_written(skullmask):
    np.save("a.npy", stack())
    np.save("t.npy", stack() > 0)
    sweep = ("sweep", "a.npy", "t.npy", "--sizes", "3")
    for arguments, output in (
        (("mask", "a.npy", "-o"), f"{READ_ONLY}/out.npy"),
        ((*sweep, "-o"), f"{READ_ONLY}/out.csv"),
        ((*sweep, "--plot"), f"{READ_ONLY}/out.png"),
    ):
        code, out, err = skullmask(*arguments, output)
        assert (code, out, len(err)) == (2, "", 1), err
        assert output in err[0]


def test_a_process_that_fails_says_so_in_one_line(tmp_path):
    np.save(tmp_path / "object.npy", np.array([[Trap()]], object))
    before = contents_of(tmp_path)
    code, out, err = process("mask", "object.npy", "-o", "b.npy", cwd=tmp_path)
    assert (code, out, len(err)) == (2, "", 1)
    assert err[0].startswith("skullmask: object.npy: ")
    assert contents_of(tmp_path) == before
