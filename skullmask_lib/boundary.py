"""v8 and v9 from where the head is unwrapped, in a single slice and in the slices of a volume.

The primitives are in `polar`, and the network that v9 asks is in `learned`. Here they become the
stages of a version, and slices of a volume look at their neighbours. The versions themselves are in
`versions`.
"""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from . import errors, learned, masks, polar
from .errors import Spacing

Stages = dict[str, np.ndarray]

NO_HEAD = "the mask is empty: no head in it"
# A slice of a volume that has less than this share of the others' contrast shows air
_DIM_SHARE = 0.2
_USUAL_CONTRAST_PERCENTILE = 90
# Neighbours whose quality is this many times higher pull a slice's outline
_QUALITY_RATIO = 1.2


class Slice(NamedTuple):
    """A slice to mask.

    Attributes
    ----------
    image : ndarray of shape (H, W)
    name : str
        For errors and warnings.
    spacing_mm : pair of float, or None
        Row and column spacing [mm].
    """

    image: np.ndarray
    name: str
    spacing_mm: Spacing | None = None


class _Method(NamedTuple):
    """What a version does from where the head is unwrapped: in a single slice, and in a volume.

    ``correct`` gives the head that is followed in a volume, and an opinion along its rays, if any.
    """

    stages_of: Callable[[polar.Unwrapped], tuple[polar.Unwrapped, Stages]]
    correct: Callable[[polar.Unwrapped], tuple[polar.Unwrapped, np.ndarray | None]]


class _Head(NamedTuple):
    """What v8 or v9 finds in a slice of a volume before it compares the neighbours."""

    slice: Slice
    unwrapped: polar.Unwrapped | None = None
    opinion: np.ndarray | None = None  # of v9's network, along the rays
    outline: np.ndarray | None = None  # [steps below the skin]
    quality: float = 0.0


class _Boundary(NamedTuple):
    """The boundary between scalp and bone, at all angles; only the cost is one of merged rays."""

    cost: np.ndarray
    inner_edge: np.ndarray
    path: np.ndarray
    outline: np.ndarray


# --- A single slice ------------------------------------------------------------------------------


def follow_boundary(
    unwrapped: polar.Unwrapped | None,
    shape: tuple[int, int],
    version: str,
) -> tuple[polar.Unwrapped | None, Stages]:
    """Run one of `BOUNDARY_VERSIONS` from where the head is unwrapped.

    Parameters
    ----------
    unwrapped : polar.Unwrapped or None
        As `polar.unwrap` returns it.
    shape : tuple of int
        Rows and columns of the image.
    version : str
        One of `BOUNDARY_VERSIONS`.

    Returns
    -------
    unwrapped : polar.Unwrapped or None
        The head, which v9 may have corrected.
    stages : dict of str to ndarray
        As `versions.trace` returns them; without a head ``head`` and ``filled``, both empty.

    Raises
    ------
    InputError
        If the version is another one.

    Examples
    --------
    >>> head, stages = follow_boundary(None, (4, 4), "v8")
    >>> head is None, list(stages)
    (True, ['head', 'filled'])
    """
    method = _method(version)
    if unwrapped is None:
        return None, _no_head(shape)
    return method.stages_of(unwrapped)


def _no_head(shape: tuple[int, int]) -> Stages:
    """Return the stages of a slice without a head, all of them empty."""
    empty = np.zeros(shape, np.uint8)
    return {"head": empty, "filled": empty}


def _scalp_boundary(unwrapped: polar.Unwrapped) -> tuple[polar.Unwrapped, Stages]:
    """Run v8 on an unwrapped head, and return the head as it is."""
    return unwrapped, {"head": unwrapped.head, **_boundary_stages(unwrapped)}


def _second_opinion(unwrapped: polar.Unwrapped) -> tuple[polar.Unwrapped, Stages]:
    """Run v9 on an unwrapped head, and return the head as the network corrects it."""
    probability = learned.probability_on_grid(unwrapped)
    corrected, opinion = _correct_head(unwrapped, probability)
    boundary = _boundary_stages(corrected, opinion)
    if opinion is None:
        opinion = polar.along_rays(corrected, probability)
    stages = {
        "probability": probability,
        "head": corrected.head,
        "opinion": opinion,
        **boundary,
    }
    return corrected, stages


def _correct_head(
    unwrapped: polar.Unwrapped,
    probability: np.ndarray,
) -> tuple[polar.Unwrapped, np.ndarray | None]:
    """Correct the head by the network's probability, and sample this along the corrected rays.

    Where the network sees no inside at all, the head stays as it is, and the second value is None.
    """
    inside = (probability > 0.5).astype(np.uint8)
    if not inside.any():
        return unwrapped, None
    corrected = polar.with_inside(unwrapped, inside)
    return corrected, polar.along_rays(corrected, probability)


def _boundary_stages(
    unwrapped: polar.Unwrapped,
    opinion: np.ndarray | None = None,
) -> Stages:
    """Follow the scalp's boundary from where the head is unwrapped."""
    boundary = _find_boundary(unwrapped, opinion)
    return {
        "unwrapped": unwrapped.brightness,
        "cost": boundary.cost,
        "inner edge": boundary.inner_edge,
        "path": boundary.path,
        "outline": boundary.outline,
        "filled": _filled(unwrapped, boundary.outline),
    }


def _find_boundary(
    unwrapped: polar.Unwrapped,
    opinion: np.ndarray | None = None,
    neighbours: Sequence[polar.Places] = (),
) -> _Boundary:
    """Find the boundary between scalp and bone, pulled towards the outlines of neighbours.

    Every place is priced as the skull's surface: by its brightness, by v9's ``opinion``, and by its
    distance from the neighbours. The surface and the inner edge of the dark layer below it are two
    nested paths, cheapest together; the outline lies halfway from scalp to bone.
    """
    rays = polar.merge_rays(unwrapped.brightness)
    cost = polar.surface_cost(rays, polar.merge_rays(unwrapped.cut) > 0)
    if opinion is not None:
        cost += polar.merge_rays(polar.unlikely_cost(opinion))
    if neighbours:
        cost += polar.merge_rays(polar.neighbour_cost(unwrapped, neighbours, cost.shape[1]))
    merged_path, merged_inner_edge = polar.nested_paths(cost, polar.inner_edge_cost(rays))
    path = polar.spread_path(merged_path)
    return _Boundary(
        cost=cost,
        inner_edge=polar.spread_path(merged_inner_edge),
        path=path,
        outline=polar.half_maximum(unwrapped.brightness, path, unwrapped.cut),
    )


def _filled(
    unwrapped: polar.Unwrapped,
    outline: np.ndarray,
) -> np.ndarray:
    """Fill an outline.

    Where the outline leaps from ray to ray there may be several pieces; only the largest stays.
    """
    inside = polar.fill_outline(unwrapped, outline)
    if not polar.leaps(unwrapped, outline):
        return inside
    return masks.fill_holes(masks.largest_component(inside))


# --- The slices of a volume ----------------------------------------------------------------------


def follow_in_volume(
    slices: Iterable[Slice],
    version: str,
) -> Iterator[tuple[polar.Unwrapped | None, np.ndarray]]:
    """Make the masks of a volume by v8 or v9, where slices look at their neighbours.

    Where the slices on both sides of one can be trusted, and are trusted more or are more like each
    other than like it, its outline is pulled towards theirs. Air beside the head is removed. A
    slice of far less contrast than the others shows air and has an empty mask.

    Parameters
    ----------
    slices : iterable of Slice
        In the order of the volume. All are read before the first mask is made.
    version : str
        One of `BOUNDARY_VERSIONS`.

    Yields
    ------
    unwrapped : polar.Unwrapped or None
        The head, which v9 may have corrected.
    mask : ndarray of shape (H, W), uint8

    Raises
    ------
    InputError
        If the version is another one; also as `polar.unwrap`, and the slice's name comes first.

    Warns
    -----
    EmptyMaskWarning
        Of each slice without a head.

    Examples
    --------
    >>> disc = 1.0 * (np.hypot(*np.ogrid[-40:40, -40:40]) < 36)
    >>> slices = [Slice(disc, name, (2.0, 2.0)) for name in "abc"]
    >>> [bool(mask.any()) for _, mask in follow_in_volume(slices, "v8")]
    [True, True, True]
    """
    heads = _heads(list(slices), _method(version))
    for before, head, after in _with_neighbours(heads):
        unwrapped = head.unwrapped
        mask = np.zeros(np.shape(head.slice.image), np.uint8)
        outline = head.outline
        if unwrapped is not None and outline is not None:
            if _should_follow(head, before, after):
                neighbours = _places(before, after)
                outline = _find_boundary(unwrapped, head.opinion, neighbours).outline
            mask = polar.without_air(unwrapped, _filled(unwrapped, outline))
        if not mask.any():
            warning = errors.EmptyMaskWarning(NO_HEAD, where=head.slice.name)
            warnings.warn(warning, stacklevel=2)
        yield unwrapped, mask


def _with_neighbours(heads: Iterable[_Head]) -> Iterator[tuple[_Head, _Head, _Head]]:
    """Yield every head between the one before and the one after it."""
    beyond = _Head(Slice(np.empty((0, 0)), ""))  # above the first slice, and below the last
    padded = itertools.chain([beyond], heads, [beyond])
    pairs = itertools.pairwise(padded)
    for (before, head), (_, after) in itertools.pairwise(pairs):
        yield before, head, after


def _places(*heads: _Head) -> list[polar.Places]:
    """Return where the outlines of heads run."""
    places = []
    for head in heads:
        if head.unwrapped is not None and head.outline is not None:
            places.append(polar.outline(head.unwrapped, head.outline))
    return places


def _should_follow(head: _Head, before: _Head, after: _Head) -> bool:
    """Check whether a head's outline should be pulled towards those of its neighbours.

    Both must be trusted. They must also be trusted clearly more than the head, or its outline must
    be the odd one out.
    """
    least = min(before.quality, after.quality)
    if head.unwrapped is None or head.outline is None or least < polar.TRUSTED:
        return False
    if least > _QUALITY_RATIO * head.quality:
        return True
    return polar.is_odd(head.unwrapped, head.outline, _places(before, after))


def _heads(slices: Sequence[Slice], method: _Method) -> Iterator[_Head]:
    """Find the heads of a volume; a slice of far less contrast than the others shows air."""
    contrasts = []
    for slice_ in slices:
        with errors.placed(slice_.name):
            contrasts.append(polar.contrast(errors.check_slice(slice_.image)))
    least = 0.0
    if contrasts:
        least = _DIM_SHARE * np.percentile(contrasts, _USUAL_CONTRAST_PERCENTILE)
    for slice_, contrast in zip(slices, contrasts, strict=True):
        with errors.placed(slice_.name):
            head = _find_head(slice_, method, is_dim=contrast < least)
        yield head


def _find_head(slice_: Slice, method: _Method, *, is_dim: bool) -> _Head:
    """Find the head of a slice; in a dim one it must be clear."""
    unwrapped = polar.unwrap(slice_.image, slice_.spacing_mm)
    if unwrapped is None:
        return _Head(slice_)
    unwrapped, opinion = method.correct(unwrapped)
    outline = _find_boundary(unwrapped, opinion).outline
    quality = polar.outline_quality(unwrapped, outline)
    if is_dim and not _is_clear(unwrapped, outline, quality):
        return _Head(slice_)
    polar.warn_of_rivals(unwrapped)
    return _Head(slice_, unwrapped, opinion, outline, quality)


def _is_clear(
    unwrapped: polar.Unwrapped,
    outline: np.ndarray,
    quality: float,
) -> bool:
    """Check whether a slice shows a skull as large as a head, with an outline to be trusted.

    Without a spacing the head's size is assumed, so only the quality decides.
    """
    if quality < polar.TRUSTED:
        return False
    radius_mm = polar.STEP_MM * np.maximum(unwrapped.skin - outline, 0)
    return np.pi * np.mean(radius_mm**2) >= polar.MIN_HEAD_MM2


# --- The versions --------------------------------------------------------------------------------


def _uncorrected(unwrapped: polar.Unwrapped) -> tuple[polar.Unwrapped, None]:
    return unwrapped, None


def _corrected_by_network(unwrapped: polar.Unwrapped) -> tuple[polar.Unwrapped, np.ndarray | None]:
    return _correct_head(unwrapped, learned.probability_on_grid(unwrapped))


_METHODS = {
    "v8": _Method(_scalp_boundary, _uncorrected),
    "v9": _Method(_second_opinion, _corrected_by_network),
}
# The versions that unwrap the head, which also tells how far to trust a mask
BOUNDARY_VERSIONS = tuple(_METHODS)


def check_version(name: str) -> str:
    """Return the name of a version as `BOUNDARY_VERSIONS` has it, in small letters.

    Parameters
    ----------
    name : str
        In small or large letters.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If it is another one.

    Examples
    --------
    >>> check_version("V9")
    'v9'
    """
    wanted = f"a version of {', '.join(_METHODS)}"
    if not isinstance(name, str):
        raise errors.InputError(f"expected {wanted}, got {type(name).__name__}")
    if name.lower() not in _METHODS:
        raise errors.InputError(f"expected {wanted}, got {name!r}")
    return name.lower()


def _method(name: str) -> _Method:
    return _METHODS[check_version(name)]
