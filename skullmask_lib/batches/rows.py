"""Rows of the results table: what it says of one mask, or of an image without one.

Masks are measured and scored here; they are made and written in `chunks`.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import metrics, polar
from ..errors import InputError, InputWarning, Spacing
from ..io import datasets
from . import stacks
from .stacks import Stack

Truth = datasets.Data | Exception | None


def of_failure(images: Stack, index: int, error: Exception) -> dict:
    """Return the row of an image without masks.

    Parameters
    ----------
    images : Stack
    index : int
    error : Exception

    Returns
    -------
    dict

    Examples
    --------
    >>> stack = Stack("a", "files", (1,), names=("x.png",))
    >>> of_failure(stack, 0, InputError("is broken", where="a/x.png"))
    {'name': 'x.png', 'flags': 'failed', 'error': 'is broken'}
    """
    return {
        "name": stacks.name(images, index),
        "flags": "failed",
        "error": reason(error, images, index),
    }


def slice_names(name: str, count: int) -> list[str]:
    """Name the slices of an image; a single one has the image's name.

    Parameters
    ----------
    name : str
    count : int

    Returns
    -------
    list of str

    Examples
    --------
    >>> slice_names("a.png", 1), slice_names("a.nii", 2)
    (['a.png'], ['a.nii[0]', 'a.nii[1]'])
    """
    if count == 1:
        return [name]
    return [f"{name}[{number}]" for number in range(count)]


def of_mask(
    name: str,
    mask: np.ndarray,
    spacing_mm: Spacing | None,
    quality: float | None,
) -> dict:
    """Return what can be said of a mask without its truth.

    Parameters
    ----------
    name : str
    mask : ndarray of shape (H, W), uint8 of {0, 1}
    spacing_mm : pair of float or None
    quality : float or None

    Returns
    -------
    dict
        Its ``flags`` are a list, to which more may be added.

    Examples
    --------
    >>> of_mask("a.png", np.eye(2, dtype=np.uint8), (0.5, 2.0), None)
    {'name': 'a.png', 'area_px': 2, 'flags': [], 'area_mm2': 2.0}
    """
    area_px = int(mask.sum())
    row = {"name": name, "area_px": area_px, "flags": []}
    if spacing_mm:
        area_mm2 = area_px * math.prod(spacing_mm)
        row["area_mm2"] = float(f"{area_mm2:.9g}")
    if quality is not None:
        row["quality"] = round(quality, 6)
    if not area_px:
        row["flags"].append("empty")
    elif quality is not None and quality < polar.TRUSTED:
        row["flags"].append("doubtful")
    return row


def scores(
    mask: np.ndarray,
    image: datasets.Data,
    truth: datasets.Data | Exception,
    is_known: np.ndarray,
    number: int,
) -> dict:
    """Score the mask of one slice of an image.

    Parameters
    ----------
    mask : ndarray of shape (H, W), uint8 of {0, 1}
    image : Data
    truth : Data or Exception
        The true masks of the whole image.
    is_known : ndarray of shape (N,), bool
        See `known_slices`.
    number : int
        Of the slice.

    Returns
    -------
    dict
        See `metrics.score`; empty if the truth of this slice is unknown.

    Raises
    ------
    Exception
        If the truth cannot be used.

    Examples
    --------
    >>> data = datasets.Data(np.eye(4)[None], None, None, ("a",))
    >>> scores(np.eye(4, dtype=np.uint8), data, data, known_slices(data), 0)["iou"]
    1.0
    """
    if isinstance(truth, Exception):
        raise truth
    if truth.images.shape != image.images.shape:
        got = truth.images.shape
        raise InputError(f"expected its shape {image.images.shape}, got {got}")
    true_mask = datasets.binary(truth.images[number], "the truth")
    if not is_known[number]:
        return {}
    return metrics.score(mask, true_mask, image.spacing_of(number))


def known_slices(truth: Truth) -> np.ndarray:
    """Return for each slice whether its truth is known; that of a single slice is not if empty.

    Parameters
    ----------
    truth : Data, Exception or None

    Returns
    -------
    ndarray of shape (N,), bool
        Of no slices if there is no truth.

    Examples
    --------
    >>> known_slices(datasets.Data(np.zeros((1, 2, 2)), None, None, ("a",)))
    array([False])
    """
    if not isinstance(truth, datasets.Data):
        return np.zeros(0, bool)
    if len(truth.images) == 1:
        return truth.images.any(axis=(1, 2))
    return metrics.known_slices(truth.images)


def truth_in_place(image: datasets.Data, truth: Truth) -> Truth:
    """Return the truth of an image, or the error if its header places it elsewhere than the image.

    Parameters
    ----------
    image : Data
    truth : Data, Exception or None

    Returns
    -------
    Data, Exception or None

    Examples
    --------
    >>> image = datasets.Data(np.eye(4)[None], None, None, ("a",))
    >>> truth_in_place(image, None) is None, truth_in_place(image, image) is image
    (True, True)
    """
    if not isinstance(truth, datasets.Data):
        return truth
    if image.origin is None or truth.origin is None:  # slices of an array
        return truth
    try:
        datasets.check_headers(image.origin, truth.origin)
    except Exception as error:  # a bad header must not stop the other images
        return error
    return truth


def remarks_on(
    names: Sequence[str],
    number: int,
    remarks: list[InputWarning],
) -> list[InputWarning]:
    """Choose the remarks on one slice, and those on its file as a whole.

    Parameters
    ----------
    names : sequence of str
        Of all slices of the file.
    number : int
        Of this slice.
    remarks : list of InputWarning

    Returns
    -------
    list of InputWarning
        Those on the slice have no place.

    Examples
    --------
    >>> remarks = [InputWarning("is dark", "a[0]"), InputWarning("is bright", "a[1]")]
    >>> remarks_on(("a[0]", "a[1]"), 1, [InputWarning("is lossy"), *remarks])
    [InputWarning('is lossy', None), InputWarning('is bright', None)]
    """
    chosen = []
    for remark in remarks:
        if remark.where == names[number]:
            chosen.append(InputWarning(remark.message))
        elif remark.where not in names:
            chosen.append(remark)
    return chosen


def reason(error: Exception, stack: Stack, index: int) -> str:
    r"""Return an error or a remark in one line, without the image's name in front.

    Parameters
    ----------
    error : Exception
        An error, or a warning.
    stack : Stack
    index : int

    Returns
    -------
    str

    Examples
    --------
    >>> stack = Stack("a", "files", (1,), names=("x.png",))
    >>> reason(InputWarning("is\nlossy", "a/x.png"), stack, 0)
    'is lossy'
    """
    text = str(error)
    name = stacks.name(stack, index)
    path = str(Path(stack.path, name))
    file = Path(name).name
    places = (path, stack.path, name, f"{file}[0]", file)
    if isinstance(error, (InputError, InputWarning)) and error.where in places:
        text = error.message
    return " ".join(text.split()) or type(error).__name__
