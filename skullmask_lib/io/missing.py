"""NaN that stands for background, as SPM and other programs write it.

Arrays go in and come out here; files are read elsewhere.
"""

from collections.abc import Iterable

import numpy as np
from scipy import ndimage

# Remarks of `without_nan`, and of `joint_remark` on several slices
NAN_IS_ZERO = "NaN around the head is taken as 0"
SPECKS_ARE_ZERO = f"{NAN_IS_ZERO}, and so are specks of NaN near its edge"

# Specks of NaN within the head that a threshold left there
FEW_SPECKS = 0.02  # of the background
NEAR_PX = 5  # from the background; a diagonal step counts as one


def without_nan(array: np.ndarray) -> tuple[np.ndarray, str]:
    """Set NaN to 0 where it is background, that is, connected to a side of the array.

    Where a head was cut out by a threshold, specks of its bone are NaN too. They are also set to 0
    if they are few, at most `FEW_SPECKS` of the background, and within `NEAR_PX` of it.

    Parameters
    ----------
    array : ndarray of shape (H, W) or (X, Y, Z)
        Voxels are neighbours where they share a face. An axis of length 1 has no sides.

    Returns
    -------
    filled : ndarray of the same shape and dtype
        The very same array if it holds no NaN, or nothing else. Other NaN and infinite values stay;
        `check_slice` refuses both.
    remark : str
        What the user should know; empty where nothing changed.

    Examples
    --------
    >>> nan = np.nan
    >>> rows = [[nan, nan, nan, nan], [nan, 5, 6, 7], [nan, 8, nan, 9], [1, 2, 3, 4]]
    >>> without_nan(np.array(rows))
    (array([[ 0.,  0.,  0.,  0.],
           [ 0.,  5.,  6.,  7.],
           [ 0.,  8., nan,  9.],
           [ 1.,  2.,  3.,  4.]]), 'NaN around the head is taken as 0')
    """
    if array.dtype.kind != "f":
        return array, ""
    missing = np.isnan(array)
    if not missing.any() or missing.all():
        return array, ""
    background = _at_sides(missing)
    specks = missing & ~background
    count = int(np.count_nonzero(specks))
    filled = array.copy()
    filled[background] = 0
    remark = NAN_IS_ZERO if background.any() else ""
    if count and _are_few_and_near(specks, background):
        filled[specks] = 0
        remark += f", and so are {count} specks of NaN near its edge"
    return filled, remark


def joint_remark(remarks: Iterable[str]) -> str:
    """Say of several slices what `without_nan` says of each.

    Parameters
    ----------
    remarks : iterable of str

    Returns
    -------
    str
        Without the number of specks; empty where nothing changed.

    Examples
    --------
    >>> joint_remark(["", NAN_IS_ZERO])
    'NaN around the head is taken as 0'
    """
    distinct = set(remarks) - {""}
    if distinct <= {NAN_IS_ZERO}:
        return "".join(distinct)
    return SPECKS_ARE_ZERO


def _at_sides(mask: np.ndarray) -> np.ndarray:
    """Keep the components of a mask that touch a side of the array."""
    labels, count = ndimage.label(mask)
    touching = np.zeros(count + 1, bool)
    for axis, length in enumerate(labels.shape):
        if length > 1:
            touching[labels.take((0, -1), axis)] = True
    touching[0] = False
    return touching[labels]


def _are_few_and_near(specks: np.ndarray, background: np.ndarray) -> bool:
    """Return whether specks are what a threshold left in the rim of a head, not missing values."""
    most = FEW_SPECKS * np.count_nonzero(background)
    if np.count_nonzero(specks) > most:
        return False
    with_diagonals = np.ones((3,) * specks.ndim, bool)
    near = ndimage.binary_dilation(
        background,
        structure=with_diagonals,
        iterations=NEAR_PX,
    )
    return bool(near[specks].all())
