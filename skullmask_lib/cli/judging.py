"""What to say of masks while they are made: which of them need a look, and how they score.

Masks and images pass through one at a time, so that none has to stay in memory. `polar` and
`metrics` measure them; here the numbers become warnings and lists.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from .. import errors, metrics, polar
from ..io.datasets import Data
from . import terminal
from .options import AXIAL

_MOST_IN_SKIPPED_PLANES = 0.02  # of the masks' pixels; uncertain edges explain no more

Profile = tuple[np.ndarray, np.ndarray]
"""Pixels of a mask in each row, and in each column."""


class Judgement(NamedTuple):
    """What is known of one mask; ``scores`` is None where no slice has a truth."""

    is_empty: bool
    is_doubtful: bool
    scores: dict[str, float] | None
    profile: Profile


def judge_masks(
    masks: Iterable[tuple[np.ndarray, float]],
    data: Data,
    judgements: list[Judgement],
) -> Iterator[np.ndarray]:
    """Pass masks on one by one, judge each, and warn of those that should be looked at.

    Parameters
    ----------
    masks : iterable of (mask, quality)
        Those of ``data``, in its order, see `versions.masks_with_quality`.
    data : Data
    judgements : list of Judgement
        Takes one for each mask.

    Yields
    ------
    ndarray of shape (H, W), uint8

    Examples
    --------
    >>> from skullmask_lib.io import datasets
    >>> data, judgements = datasets.load("phantom"), []
    >>> masks = list(judge_masks([(mask, 0.9) for mask in data.truth], data, judgements))
    >>> judgements[0].scores["iou"], judgements[0].is_doubtful
    (1.0, False)
    """
    known = None
    if data.truth is not None:
        known = metrics.known_slices(data.truth)
    for index, (mask, quality) in enumerate(masks):
        is_empty = not mask.any()
        is_doubtful = False
        if not is_empty:
            is_doubtful = warn_if_doubtful(data.names[index], quality)
        scores = None
        if known is not None:
            scores = metrics.score_if_known(
                mask, data.truth[index], data.spacing_of(index), is_known=known[index]
            )
        judgements.append(Judgement(is_empty, is_doubtful, scores, profile(mask)))
        yield mask


def warn_if_doubtful(name: str, quality: float) -> bool:
    """Warn of a mask that should be looked at.

    Parameters
    ----------
    name : str
        Of the slice.
    quality : float
        0 … 1, see `polar.quality`.

    Returns
    -------
    bool
        Whether it should be looked at.

    Examples
    --------
    >>> warn_if_doubtful("a.npy[3]", 0.9)
    False
    """
    is_doubtful = bool(quality < polar.TRUSTED)
    if is_doubtful:
        terminal.warn(name, f"look at the mask, its quality is below {polar.TRUSTED}")
    return is_doubtful


def warn_of_rivals(images: Iterable[np.ndarray], data: Data) -> Iterator[np.ndarray]:
    """Pass images on one by one, and warn of those that show more than one head.

    Parameters
    ----------
    images : iterable of ndarray of shape (H, W)
        Those of ``data``, in its order.
    data : Data

    Yields
    ------
    ndarray of shape (H, W)

    Examples
    --------
    >>> from skullmask_lib.io import datasets
    >>> data = datasets.load("phantom")
    >>> len(list(warn_of_rivals(data.images, data)))
    5
    """
    for index, image in enumerate(images):
        with errors.placed(data.names[index]):
            unwrapped = polar.unwrap(image, data.spacing_of(index))
            polar.warn_of_rivals(unwrapped)
        yield image


def profile(mask: np.ndarray) -> Profile:
    """Count the pixels of a mask in each row and in each column.

    Parameters
    ----------
    mask : ndarray of shape (H, W)

    Returns
    -------
    rows_px : ndarray of shape (H,), int
    columns_px : ndarray of shape (W,), int

    Examples
    --------
    >>> profile(np.array([[1, 1, 0], [0, 1, 0]]))
    (array([2, 1]), array([1, 2, 0]))
    """
    return np.count_nonzero(mask, axis=1), np.count_nonzero(mask, axis=0)


def keep_profiles(
    masks: Iterable[np.ndarray],
    profiles: list[Profile],
) -> Iterator[np.ndarray]:
    """Pass masks on one by one, and keep the profile of each.

    Parameters
    ----------
    masks : iterable of ndarray of shape (H, W)
    profiles : list of Profile
        Takes one for each mask.

    Yields
    ------
    ndarray of shape (H, W)

    Examples
    --------
    >>> profiles = []
    >>> masks = list(keep_profiles([np.eye(2)], profiles))
    >>> profiles
    [(array([1, 1]), array([1, 1]))]
    """
    for mask in masks:
        profiles.append(profile(mask))
        yield mask


def come_from_volume(data: Data, axis: int) -> bool:
    """Check whether the slices are known to come from one volume, if with gaps between them.

    Parameters
    ----------
    data : Data
    axis : {0, 1, 2}
        Across which a volume was cut.

    Returns
    -------
    bool

    Examples
    --------
    >>> from skullmask_lib.io import datasets
    >>> come_from_volume(datasets.load("phantom"), AXIAL)
    False
    """
    return data.volume or axis != AXIAL


def warn_of_skipped_planes(
    data: Data,
    truth: str,
    profiles: list[Profile],
    axis: int,
) -> None:
    """Warn of a truth that is empty in planes along another axis where the masks go on.

    Where only some axial slices were traced, coronal ones are known in part, and their scores
    count as wrong what is merely unknown.

    Parameters
    ----------
    data : Data
        With its truth.
    truth : str
        Where the truth came from.
    profiles : list of Profile
        Of the masks.
    axis : {0, 1, 2}
        Across which the volume was cut.

    Examples
    --------
    >>> from skullmask_lib.io import datasets
    >>> data = datasets.load("phantom")
    >>> warn_of_skipped_planes(data, "phantom", [], AXIAL)  # they are no volume
    """
    if not come_from_volume(data, axis):
        return
    known = np.flatnonzero(metrics.known_slices(data.truth))
    mask_rows_px, mask_columns_px = _summed([profiles[index] for index in known])
    true_rows_px, true_columns_px = _summed([profile(data.truth[index]) for index in known])
    columns_axis, rows_axis = (other for other in (0, 1, 2) if other != axis)
    _warn_along(rows_axis, mask_rows_px, true_rows_px, truth)
    _warn_along(columns_axis, mask_columns_px, true_columns_px, truth)


def _summed(profiles: list[Profile]) -> Profile:
    """Sum profiles: pixels in each plane of rows, and in each plane of columns."""
    rows_px, columns_px = zip(*profiles, strict=True)
    return sum(rows_px), sum(columns_px)


def _warn_along(axis: int, mask_px: np.ndarray, true_px: np.ndarray, truth: str) -> None:
    """Warn if the truth breaks off in planes along an axis, and the masks do not."""
    skipped = metrics.skipped_planes(true_px)
    share = mask_px[skipped].sum() / max(mask_px.sum(), 1)
    if share <= _MOST_IN_SKIPPED_PLANES:
        return
    planes = f"{np.count_nonzero(skipped)} of {len(skipped)} planes along axis {axis}"
    terminal.warn(
        truth,
        f"may be unknown in {planes}: it is empty there, and the masks are not "
        f"({share:.0%} of their pixels)",
    )
