"""NaN around a head is background; NaN within it is not."""

import numpy as np
import pytest
from inputs import NUMBERS
from numpy.testing import assert_array_equal as same

from skullmask_lib.io import missing


def zeroed(image):
    return missing.without_nan(image)[0]


@pytest.mark.parametrize("specks", [0, 2, 3])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, ">f8"])
@pytest.mark.parametrize("shape", [(24, 20), (24, 20, 1), (1, 24, 20)])
def test_nan_around_is_zero_and_nan_within_only_where_it_is_little(dtype, shape, specks):
    image = np.ones((24, 20), dtype)
    image[:5] = np.nan
    background = np.isnan(image)
    image[7, 2 : 2 + 3 * specks : 3] = np.nan
    wanted = image.copy()
    wanted[background if specks == 3 else np.isnan(image)] = 0
    image.setflags(write=False)
    made, remark = missing.without_nan(image.reshape(shape))
    assert made.dtype == image.dtype
    same(made, wanted.reshape(shape))
    assert remark.startswith(missing.NAN_IS_ZERO)
    assert ("2" in remark.removeprefix(missing.NAN_IS_ZERO)) == (specks == 2)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("distance_px", [5, 6])
def test_nan_within_is_no_background_where_it_is_far_from_it(distance_px, deep):
    image = np.full((40, 40), np.nan, np.float32)
    image[10:30, 10:30] = 1
    given = np.stack([image] * 3) if deep else image
    given[(1,) * deep + (9 + distance_px, 20)] = np.nan
    filled = zeroed(given)
    assert np.isnan(filled).any() == (distance_px == 6)


@pytest.mark.parametrize("side_px", [3, 8, 15])
@pytest.mark.parametrize("thick", [0, 1, 15])
def test_a_block_of_nan_in_the_middle_of_a_brain_stays(side_px, thick):
    image = np.full((200, 180), np.nan, np.float32)
    image[40:160, 40:140] = 1
    block = np.s_[100 : 100 + side_px, 90 : 90 + side_px]
    assert side_px**2 < 0.02 * np.isnan(image).sum()
    if thick:
        image = np.stack([image] * 21)
        block = (slice(3, 3 + thick), *block)
    image[block] = np.nan
    within = np.zeros(image.shape, bool)
    within[block] = True
    same(np.isnan(zeroed(image)), within)


def test_nan_that_each_slice_encloses_is_background_of_a_volume():
    volume = np.ones((5, 6, 7), np.float32)
    volume[:, 2:4, 3] = np.nan  # a hole through all of it
    same(zeroed(volume), np.where(np.isnan(volume), 0, 1))
    assert np.isnan(zeroed(volume[2])).sum() == 2


def test_what_is_infinite_or_connected_by_a_corner_alone_is_no_background():
    image = np.array([[np.nan, 1, 1, 1], [1, np.nan, 1, np.inf], [1, 1, 1, 1]])
    same(zeroed(image), [[0, 1, 1, 1], [1, np.nan, 1, np.inf], [1, 1, 1, 1]])


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 1), (4, 3, 2)])
def test_nan_alone_is_no_background(shape):
    array = np.full(shape, np.nan)
    filled, remark = missing.without_nan(array)
    assert filled is array
    assert remark == ""


@pytest.mark.parametrize("dtype", NUMBERS)
def test_without_nan_the_array_is_the_very_same(dtype):
    image = np.array([[0, 1], [1, 0]]).astype(dtype)
    assert zeroed(image) is image
