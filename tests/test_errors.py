"""Errors and warnings carry the place that they speak of; what is no affine is refused."""

import copy
import pickle
import warnings
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import complaints
import numpy as np
import pytest

from skullmask_lib import errors
from skullmask_lib.batches.writing import Unwritable
from skullmask_lib.errors import EmptyMaskWarning, InputError, InputWarning

KINDS = [InputError, Unwritable, InputWarning, EmptyMaskWarning]


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_is_the_place_and_the_message(kind):
    problem = kind("too dark", where=Path("heads", "a.npy"))
    assert (problem.message, problem.where) == ("too dark", str(Path("heads", "a.npy")))
    assert str(problem) == f"{problem.where}: too dark"


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_place_the_text_is_the_message(kind):
    problem = kind("too dark")
    assert (problem.where, str(problem)) == (None, "too dark")


@pytest.mark.parametrize("where", [None, "a.npy[3]"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "passed_on",
    [copy.copy, copy.deepcopy, lambda problem: pickle.loads(pickle.dumps(problem))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_keeps_class_message_and_place(passed_on, kind, where):
    problem = passed_on(kind("too dark", where))
    assert type(problem) is kind
    assert (problem.message, problem.where) == ("too dark", where)


def _refuse(where):
    raise InputError("too dark", where=where)


def test_an_error_of_another_process_has_its_place():
    with ProcessPoolExecutor(1) as pool, pytest.raises(InputError) as error:
        pool.submit(_refuse, "a.npy[3]").result()
    assert (error.value.message, error.value.where) == ("too dark", "a.npy[3]")


def test_a_place_is_put_in_front_of_another():
    error = InputError("expected 1 to 9, got 0")
    placed = error.at("sizes").at(Path("report.ipynb"))
    assert (placed.message, placed.where) == (error.message, "report.ipynb: sizes")
    assert error.where is None


def test_an_error_from_a_block_has_its_place():
    with pytest.raises(InputError) as error, errors.placed("a.npy[4]"):
        _refuse(None)
    assert error.value.where == "a.npy[4]"


def test_a_warning_from_a_block_has_its_place():
    with pytest.warns(EmptyMaskWarning) as caught, errors.placed("a.npy[3]"):
        warnings.warn("no head", EmptyMaskWarning, stacklevel=1)
    assert [warning.message.where for warning in caught] == ["a.npy[3]"]


def test_warnings_of_others_are_named_in_their_text():
    with pytest.warns(RuntimeWarning) as caught, errors.placed("a.npy[3]"):
        warnings.warn("divided by zero", RuntimeWarning, stacklevel=1)
    assert str(caught[0].message) == "a.npy[3]: divided by zero"


@pytest.mark.parametrize(
    "affine",
    [
        [[1, 2], [3]],
        [["1", "0", "0"], ["0", "1", "0"], ["0", "0", "1"]],
        [[10**400, 0, 0], [0, 1, 0], [0, 0, 1]],
        1j * np.eye(3),
        np.ma.masked_equal(np.eye(3), 0),
        np.diag([1, np.nan, 1]),
        np.eye(4),
        "1",
        None,
    ],
    ids=["ragged", "text", "huge", "complex", "masked", "NaN", "four rows", "a text", "None"],
)
def test_what_is_no_affine_is_refused(affine):
    with pytest.raises(InputError):
        errors.check_affine(affine, 3)


@pytest.mark.parametrize("check", [errors.check_slice, errors.check_binary])
def test_rows_of_several_lengths_are_refused(check):
    with pytest.raises(InputError):
        check([[0, 1], [1]])


NO_SPACINGS = [
    (10**400, 1),
    ("0.4", "0.5"),
    (True, True),
    np.array([1 + 1j, 1]),
    np.ma.masked_equal([0.4, 0.5], 0.5),
]


@pytest.mark.parametrize(
    "spacing_mm", NO_SPACINGS, ids=["huge", "texts", "bool", "complex", "masked"]
)
def test_what_is_no_pair_of_numbers_is_no_spacing(spacing_mm):
    with pytest.raises(InputError):
        errors.check_spacing(spacing_mm)
    spacings_mm = np.ma.array([spacing_mm]) if np.ma.isMA(spacing_mm) else [spacing_mm]
    with pytest.raises(InputError):
        errors.check_spacings(spacings_mm, count=1)


@pytest.mark.parametrize("number", [Decimal, Fraction, np.float32])
def test_every_kind_of_real_number_is_a_spacing(number):
    pair_mm = (number("0.5"), number("0.25"))
    assert errors.check_spacing(pair_mm).tolist() == [0.5, 0.25]
    assert errors.check_spacings([pair_mm], count=1) == [(0.5, 0.25)]


@pytest.mark.parametrize("large", [np.zeros((60, 50)), np.zeros((60, 50)).tolist(), (10**400, 1)])
def test_a_message_shows_a_large_value_in_short(large):
    with pytest.raises(InputError) as spacing_error:
        errors.check_spacing(large)
    with pytest.raises(InputError) as affine_error:
        errors.check_affine(large, 3)
    for error in (spacing_error, affine_error):
        assert len(str(error.value)) < 400


def test_a_masked_affine_is_refused_for_its_masked_values():
    with complaints.refused(None, naming=["6 masked"]):
        errors.check_affine(np.ma.masked_equal(np.eye(3), 0), 3)


def test_an_extra_that_does_not_load_says_why(folder, monkeypatch):
    reason = "libcudart.so.12: cannot open shared object file"
    (folder / "broken_extra.py").write_text(f"raise ImportError({reason!r})", encoding="utf-8")
    monkeypatch.syspath_prepend(folder)
    with complaints.refused(None, naming=["broken_extra", reason]) as error:
        errors.extra("broken_extra", "this", "batch")
    assert "pip install" not in error.value.message  # it is installed
