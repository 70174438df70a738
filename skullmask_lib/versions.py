"""The versions v1 … v9. Each takes one slice and returns its mask.

A version is a few lines of primitives, and a new one goes here. The primitives are in `masks` and,
for v8 and v9, in the folder `polar`; v9 asks the network of `learned`, too. Primitives that only a
new version needs get a module of their own, which is also entered in the layers in pyproject.toml
and in the list in `batches.software`. `trace` shows the stages on the way, and `mask_slices` masks
many slices.

The source of v1 … v7 is the article "Building a Skull Mask Generator for MRI Images Without Deep
Learning". What it left open (v3, v4, the widths of v5 and v6) is reconstructed here and labelled
as such. v8 and v9 are this project's own.
"""

import inspect
import itertools
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import cv2
import numpy as np

from . import errors, learned, masks, polar

if TYPE_CHECKING:
    from .io.datasets import Data

Stages = dict[str, np.ndarray]
Spacing = tuple[float, float]  # of rows and of columns [mm]
MAX_BLOCK_SIZE_PX = 9999  # for cv2.blur
# A slice of a volume that has less than this share of the others' contrast shows air
_DIM_SHARE = 0.2
_USUAL_CONTRAST_PERCENTILE = 90
# Neighbours whose quality is this many times higher pull a slice's outline
_CLEARLY = 1.2

# The types of the options say what a slider offers
GreyLevel = Annotated[int, errors.Range(0, 254, 1, "grey level")]
BlockSize = Annotated[int, errors.Range(3, 301, 2, "px")]
DilationSize = Annotated[int, errors.Range(1, 61, 1, "px")]


def v1(image: np.ndarray) -> np.ndarray:
    """Largest bright component: Otsu, then the largest 8-connected piece.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    ndarray of shape (H, W), uint8

    Examples
    --------
    >>> v1(np.array([[9, 9, 0], [0, 0, 0], [9, 9, 9]]))
    array([[0, 0, 0],
           [0, 0, 0],
           [1, 1, 1]], dtype=uint8)
    """
    return _mask(_largest_component_stages(image))


def v2(image: np.ndarray) -> np.ndarray:
    """Flood fill: everything that a flood of the dark background from the frame does not reach.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    ndarray of shape (H, W), uint8

    Examples
    --------
    >>> v2(np.array([[9, 9, 9, 0], [9, 0, 9, 0], [9, 9, 9, 0]]))
    array([[1, 1, 1, 0],
           [1, 1, 1, 0],
           [1, 1, 1, 0]], dtype=uint8)
    """
    return _mask(_flood_fill_stages(image))


def v3(image: np.ndarray, *, threshold: GreyLevel = 50) -> np.ndarray:
    """Fixed threshold: the largest piece above a round grey level, filled. A reconstruction.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    threshold : int
        Grey level, 0 … 254 of the normalised slice; the source names none, 50 is our choice.

    Returns
    -------
    ndarray of shape (H, W), uint8

    Raises
    ------
    InputError
        If ``threshold`` is outside of 0 … 254.

    Examples
    --------
    >>> v3(np.array([[40, 70, 0], [0, 0, 0], [40, 40, 255]]))
    array([[0, 1, 0],
           [0, 0, 0],
           [0, 0, 0]], dtype=uint8)
    """
    return _mask(_fixed_threshold_stages(image, threshold))


def v4(image: np.ndarray, *, block_size: BlockSize = 101) -> np.ndarray:
    """Adaptive threshold: the largest piece above its surroundings' mean, filled. A reconstruction.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    block_size : int
        Odd width of the neighbourhood [px], 3 or more; the source names none, 101 is our choice.

    Returns
    -------
    ndarray of shape (H, W), uint8

    Raises
    ------
    InputError
        If ``block_size`` is even or below 3.

    Examples
    --------
    >>> v4(np.array([[0, 0, 0, 0], [0, 200, 250, 0], [0, 0, 0, 0]]), block_size=3)
    array([[0, 0, 0, 0],
           [0, 1, 1, 0],
           [0, 0, 0, 0]], dtype=uint8)
    """
    return _mask(_adaptive_threshold_stages(image, block_size))


def v5(
    image: np.ndarray,
    *,
    dilation_size: DilationSize = 16,
) -> np.ndarray:
    """Interior brain, dilated: grow the largest bright piece off the frame over the skull.

    Bright components that touch the frame are scalp candidates; they are taken out after the
    dilation, and holes are filled. The width 16 is a reconstruction: the source names none for v5.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    dilation_size : int
        Width of the elliptical structuring element [px], 1 … shorter side; it reaches about half
        as far.

    Returns
    -------
    ndarray of shape (H, W), uint8
        Empty, with a warning, if no bright component lies inside of the frame.

    Raises
    ------
    InputError
        If ``dilation_size`` is not a whole number in that range.

    Examples
    --------
    >>> image = np.array([[0, 0, 0, 0, 9], [0, 0, 0, 0, 9], [0, 9, 0, 0, 9], [0, 0, 0, 0, 9]])
    >>> v5(image, dilation_size=3)
    array([[0, 0, 0, 0, 0],
           [0, 1, 0, 0, 0],
           [1, 1, 1, 0, 0],
           [0, 1, 0, 0, 0]], dtype=uint8)
    """
    return _mask(_interior_brain_stages(image, dilation_size))


def v6(
    image: np.ndarray,
    *,
    dilation_size: DilationSize = 22,
) -> np.ndarray:
    """Tuned dilation: v5 with a wider element. The width 22 is a reconstruction.

    Of the five widths whose scores the source gives, 22 alone rounds to the 0.97 it reports for v6.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    dilation_size : int
        See `v5`.

    Returns
    -------
    ndarray of shape (H, W), uint8

    Raises
    ------
    InputError
        See `v5`.

    Examples
    --------
    >>> image = np.array([[0, 0, 0], [0, 9, 0], [0, 0, 0]])
    >>> np.array_equal(v6(image, dilation_size=3), v5(image, dilation_size=3))
    True
    """
    return _mask(_interior_brain_stages(image, dilation_size))


def v7(
    image: np.ndarray,
    *,
    dilation_size: DilationSize = 26,
) -> np.ndarray:
    """Final dilation: v5 with the published width, 26.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    dilation_size : int
        See `v5`.

    Returns
    -------
    ndarray of shape (H, W), uint8

    Raises
    ------
    InputError
        See `v5`.

    Examples
    --------
    >>> v7(np.array([[0, 0, 0], [0, 9, 0], [0, 0, 0]]), dilation_size=3)
    array([[0, 1, 0],
           [1, 1, 1],
           [0, 1, 0]], dtype=uint8)
    """
    return _mask(_interior_brain_stages(image, dilation_size))


def v8(
    image: np.ndarray,
    *,
    spacing_mm: Spacing | None = None,
) -> np.ndarray:
    """Scalp boundary: unwrap the head and follow the edge between scalp and bone once around.

    The head is everything but air, with its holes filled. In its polar picture every place is
    priced as the skull's outer surface (scalp outside, dark bone inside) and as the inner edge of
    the dark layer below it. Two nested closed paths are cheapest together; the outer one then moves
    to where the brightness is halfway from scalp to bone.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    spacing_mm : pair of float, optional
        Row and column spacing [mm]. Without it the head's size is the ruler, and pixels are taken
        to be square.

    Returns
    -------
    ndarray of shape (H, W), uint8
        Empty, with a warning, if there is no head.

    Raises
    ------
    InputError
        If the spacing is not two positive numbers, or means a field of view beyond a metre.

    See Also
    --------
    mask_and_quality : the mask, and how far to trust it, in little more than the time of the mask.

    Examples
    --------
    >>> radius = np.hypot(*np.ogrid[-40:40, -40:40])
    >>> head = 1.0 * (radius < 36)
    >>> head[(radius > 26) & (radius < 30)] = 0.1  # bone
    >>> mask = v8(head, spacing_mm=(2, 2))
    >>> float(np.sqrt(mask.sum() / np.pi).round())  # its radius
    30.0
    """
    return _mask(_scalp_boundary_stages(image, spacing_mm))


def v9(
    image: np.ndarray,
    *,
    spacing_mm: Spacing | None = None,
) -> np.ndarray:
    """Scalp boundary with a second opinion: v8, and a network that was trained on no scan.

    The network says how probable each pixel is to lie inside of the skull. That corrects the head,
    where a ghost makes it too large or lost signal too small, and joins the price of every place as
    the skull's outer surface. Where the network sees no inside at all, v9 is v8.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    spacing_mm : pair of float, optional
        See `v8`.

    Returns
    -------
    ndarray of shape (H, W), uint8
        Empty, with a warning, if there is no head.

    Raises
    ------
    InputError
        See `v8`; also if the network's file is missing or was changed.

    See Also
    --------
    learned.inside_probability : what the network says.

    Examples
    --------
    >>> from skullmask_lib.io.datasets import load
    >>> from skullmask_lib.metrics import iou
    >>> data = load("phantom")
    >>> iou(v9(data.images[0], spacing_mm=data.spacing_mm[0]), data.truth[0]) > 0.99
    True
    """
    return _mask(_second_opinion_stages(image, spacing_mm))


def _largest_component_stages(image: np.ndarray) -> Stages:
    gray, bright = _bright(image)
    largest = masks.largest_component(bright)
    return {"gray": gray, "bright": bright, "largest component": largest}


def _flood_fill_stages(image: np.ndarray) -> Stages:
    gray, bright = _bright(image)
    flooded = masks.flood_from_edges(bright == 0)
    return {
        "gray": gray,
        "bright": bright,
        "flooded from the frame": flooded,
        "not flooded": 1 - flooded,
    }


def _fixed_threshold_stages(
    image: np.ndarray,
    threshold: int,
) -> Stages:
    threshold = errors.check_whole(threshold, "threshold", 0, 254, "grey levels")
    gray = masks.normalize(image)
    above = (gray > threshold).astype(np.uint8)
    largest = masks.largest_component(above)
    filled = masks.fill_holes(largest)
    return {"gray": gray, "above": above, "largest": largest, "filled": filled}


def _adaptive_threshold_stages(
    image: np.ndarray,
    block_size: int,
) -> Stages:
    block_size = errors.check_whole(block_size, "block size", 3, MAX_BLOCK_SIZE_PX, "px")
    if block_size % 2 == 0:
        raise errors.InputError(f"expected an odd block size, got {block_size} px")
    gray = masks.normalize(image)
    block = (block_size, block_size)
    local_mean = cv2.blur(gray, block, borderType=cv2.BORDER_REPLICATE)
    above = (gray > local_mean).astype(np.uint8)
    largest = masks.largest_component(above)
    return {
        "gray": gray,
        "local mean": local_mean,
        "above": above,
        "largest": largest,
        "filled": masks.fill_holes(largest),
    }


def _interior_brain_stages(
    image: np.ndarray,
    dilation_size: int,
) -> Stages:
    stages = brain_and_scalp(image)
    dilated = masks.dilate(stages["brain"], dilation_size)
    without_scalp = dilated & ~stages["scalp"]
    filled = masks.fill_holes(without_scalp)
    return {
        **stages,
        "dilated": dilated,
        "without scalp": without_scalp,
        "filled": filled,
    }


def _scalp_boundary_stages(
    image: np.ndarray,
    spacing_mm: Spacing | None,
) -> Stages:
    _, stages = follow_boundary(_unwrap(image, spacing_mm), np.shape(image), "v8")
    return stages


def _second_opinion_stages(
    image: np.ndarray,
    spacing_mm: Spacing | None,
) -> Stages:
    _, stages = follow_boundary(_unwrap(image, spacing_mm), np.shape(image), "v9")
    return stages


def _unwrap(
    image: np.ndarray,
    spacing_mm: Spacing | None,
) -> polar.Unwrapped | None:
    unwrapped = polar.unwrap(image, spacing_mm)
    polar.warn_of_rivals(unwrapped)
    return unwrapped


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

    Returns
    -------
    unwrapped : polar.Unwrapped or None
        The head, which v9 may have corrected.
    stages : dict of str to ndarray
        As `trace` returns them; those of `no_head` without a head.

    Examples
    --------
    >>> head, stages = follow_boundary(None, (4, 4), "v8")
    >>> head is None, list(stages)
    (True, ['head', 'filled'])
    """
    if unwrapped is None:
        return None, no_head(shape)
    if version == "v9":
        return second_opinion(unwrapped)
    return unwrapped, scalp_boundary(unwrapped)


def no_head(shape: tuple[int, int]) -> Stages:
    """Return the stages of v8 where it finds no head.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of the image.

    Returns
    -------
    dict of str to ndarray of shape (H, W), uint8
        ``head`` and ``filled``, both empty.

    Examples
    --------
    >>> no_head((1, 2))["filled"]
    array([[0, 0]], dtype=uint8)
    """
    empty = np.zeros(shape, np.uint8)
    return {"head": empty, "filled": empty}


def scalp_boundary(unwrapped: polar.Unwrapped) -> Stages:
    """Run v8 from where the head is unwrapped.

    Parameters
    ----------
    unwrapped : polar.Unwrapped

    Returns
    -------
    dict of str to ndarray
        The stages, as `trace` returns them.

    Examples
    --------
    >>> disc = np.hypot(*np.ogrid[-40:40, -40:40]) < 36
    >>> list(scalp_boundary(polar.unwrap(disc, (2, 2))))
    ['head', 'unwrapped', 'cost', 'inner edge', 'path', 'outline', 'filled']
    """
    return {"head": unwrapped.head, **_boundary_stages(unwrapped)}


def second_opinion(unwrapped: polar.Unwrapped) -> tuple[polar.Unwrapped, Stages]:
    """Run v9 from where the head is unwrapped.

    Parameters
    ----------
    unwrapped : polar.Unwrapped
        As v8 finds it.

    Returns
    -------
    unwrapped : polar.Unwrapped
        The head after the network has corrected it.
    stages : dict of str to ndarray
        As `trace` returns them.

    Examples
    --------
    >>> disc = np.hypot(*np.ogrid[-40:40, -40:40]) < 36
    >>> list(second_opinion(polar.unwrap(disc, (2, 2)))[1])[:4]
    ['probability', 'head', 'opinion', 'unwrapped']
    """
    probability = learned.probability_on_grid(unwrapped)
    corrected, opinion = _heed(unwrapped, probability)
    stages = {
        "probability": probability,
        "head": corrected.head,
        "opinion": polar.along_rays(corrected, probability) if opinion is None else opinion,
        **_boundary_stages(corrected, opinion),
    }
    return corrected, stages


def _heed(
    unwrapped: polar.Unwrapped,
    probability: np.ndarray,
) -> tuple[polar.Unwrapped, np.ndarray | None]:
    """Correct the head by a probability on the grid; return it along the rays, too.

    Where nothing is probably inside, the probability says nothing: the head stays, and None.
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
    rays = polar.merge_rays(unwrapped.brightness)
    cost = _surface_cost(rays, unwrapped.cut, opinion)
    path, inner_edge = _nested_paths(rays, cost)
    outline = polar.half_maximum(unwrapped.brightness, path, unwrapped.cut)
    return {
        "unwrapped": unwrapped.brightness,
        "cost": cost,
        "inner edge": inner_edge,
        "path": path,
        "outline": outline,
        "filled": _filled(unwrapped, outline),
    }


def _surface_cost(
    rays: np.ndarray,
    cut: np.ndarray,
    opinion: np.ndarray | None = None,
) -> np.ndarray:
    """Price every place on merged rays as the skull's surface.

    ``cut``, and the network's ``opinion`` in v9, are those of all rays.
    """
    cost = polar.surface_cost(rays, polar.merge_rays(cut) > 0)
    if opinion is not None:
        cost += polar.merge_rays(polar.unlikely_cost(opinion))
    return cost


def _nested_paths(
    rays: np.ndarray,
    cost: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Find the skull's surface and the inner edge of the dark layer below it, on all rays."""
    path, inner_edge = polar.nested_paths(cost, polar.inner_edge_cost(rays))
    return polar.spread_path(path), polar.spread_path(inner_edge)


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


def brain_and_scalp(image: np.ndarray) -> Stages:
    """Run v5, v6 and v7 up to where they dilate.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    dict of str to ndarray of shape (H, W), uint8
        ``gray``, ``bright`` (above Otsu's threshold), ``scalp`` (bright components that touch the
        frame) and ``brain`` (the largest one that does not; empty if there is none).

    Examples
    --------
    >>> stages = brain_and_scalp(np.array([[9, 0, 0], [0, 0, 0], [0, 0, 9]]))
    >>> int(stages["scalp"].sum()), int(stages["brain"].sum())
    (2, 0)
    """
    gray, bright = _bright(image)
    labels, areas_px = masks.label_components(bright)
    is_scalp = masks.touches_edge(labels)
    scalp = is_scalp[labels]
    interior_px = np.where(is_scalp, 0, areas_px)
    interior_px[0] = 0
    brain = (labels == interior_px.argmax()) & bool(interior_px.any())
    return {
        "gray": gray,
        "bright": bright,
        "scalp": scalp.astype(np.uint8),
        "brain": brain.astype(np.uint8),
    }


def _bright(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normalise a slice, and mark what is above Otsu's threshold."""
    gray = masks.normalize(image)
    bright = gray > masks.otsu_threshold(gray)
    return gray, bright.astype(np.uint8)


def _mask(stages: Stages) -> np.ndarray:
    """Return the last stage; warn if it is empty."""
    mask = list(stages.values())[-1]
    if not mask.any():
        reason = "nothing bright to build it from"
        if "brain" in stages:
            reason = "no bright component inside of the frame"
        elif "head" in stages:
            reason = _NO_HEAD
        _warn_of_empty_mask(reason)
    return mask


_NO_HEAD = "no head in it"


def _warn_of_empty_mask(reason: str) -> None:
    warnings.warn(f"the mask is empty: {reason}", errors.EmptyMaskWarning, stacklevel=4)


# Each version, and the function that returns its stages
_STAGES_OF: dict[Callable[..., np.ndarray], Callable[..., Stages]] = {
    v1: _largest_component_stages,
    v2: _flood_fill_stages,
    v3: _fixed_threshold_stages,
    v4: _adaptive_threshold_stages,
    v5: _interior_brain_stages,
    v6: _interior_brain_stages,
    v7: _interior_brain_stages,
    v8: _scalp_boundary_stages,
    v9: _second_opinion_stages,
}
VERSIONS: dict[str, Callable[..., np.ndarray]] = {
    version.__name__: version for version in _STAGES_OF
}
# The versions that unwrap the head, which also tells how far to trust a mask
BOUNDARY_VERSIONS = ("v8", "v9")


def options_of(version: str) -> dict[str, object]:
    """Look up the options of a version and their defaults in its signature.

    Parameters
    ----------
    version : str
        A key of `VERSIONS`.

    Returns
    -------
    dict of str to int or None

    Raises
    ------
    InputError
        If there is no such version.

    Examples
    --------
    >>> options_of("v7"), options_of("v8")
    ({'dilation_size': 26}, {'spacing_mm': None})
    """
    signature = inspect.signature(VERSIONS[_checked(version)])
    _, *options = signature.parameters.values()
    return {option.name: option.default for option in options}


def _checked(version: str) -> str:
    """Return a version's name as `VERSIONS` has it, in small letters."""
    wanted = f"a version of {', '.join(VERSIONS)}"
    if not isinstance(version, Hashable):
        got = type(version).__name__
        hint = "the version comes before the image, as in trace('v8', image)"
        raise errors.InputError(f"expected {wanted}, got {got}; {hint}")
    name = version.lower() if isinstance(version, str) else version
    if name not in VERSIONS:
        hint = errors.similar(str(name), VERSIONS)
        raise errors.InputError(f"expected {wanted}, got {version!r}{hint}")
    return name


def choose(version: str | None, options: dict) -> tuple[str, dict]:
    """Decide which version runs, and complete its options with its defaults.

    Parameters
    ----------
    version : str or None
        A key of `VERSIONS`, in small or large letters. None is v8, or v7 if a dilation size is
        given, so that the call of the source keeps working.
    options : dict

    Returns
    -------
    version : str
    options : dict

    Raises
    ------
    InputError
        If there is no such version, or if it has no such option.

    Examples
    --------
    >>> choose(None, {"dilation_size": 22})
    ('v7', {'dilation_size': 22})
    >>> choose("v1", {"dilation_size": 3})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: v1 has no option dilation_size; v5, v6, v7... have it
    """
    if version is None:
        version = "v7" if "dilation_size" in options else "v8"
    version = _checked(version)
    defaults = options_of(version)
    for name in options:
        if name not in defaults:
            hint = _hint_for(name, defaults)
            raise errors.InputError(f"{version} has no option {name}{hint}")
    return version, defaults | options


def _hint_for(option: str, options: Iterable[str]) -> str:
    """Say which versions have an option, or suggest the one that may be meant."""
    takers = [version for version in VERSIONS if option in options_of(version)]
    if not takers:
        return errors.similar(option, options)
    verb = "has" if len(takers) == 1 else "have"
    return f"; {', '.join(takers)} {verb} it"


def trace(version: str, image: np.ndarray, **options: Any) -> Stages:
    """Run a version and return all its stages.

    Parameters
    ----------
    version : str
        A key of `VERSIONS`.
    image : ndarray of shape (H, W)
    **options
        The version's own, for example ``dilation_size=26``.

    Returns
    -------
    dict of str to ndarray
        The stages by name, in order; the last one is the mask. They are (H, W) and uint8, except
        that v8 and v9 work on a grid and in polar coordinates of their own (see `polar`). Where
        they find no head, the only stages are ``head`` and ``filled``, both empty.

    Raises
    ------
    InputError
        If the version or an option is unknown, or if the image or an option cannot be used.

    Examples
    --------
    >>> list(trace("v1", np.eye(3)))
    ['gray', 'bright', 'largest component']
    """
    version, options = choose(version, options)
    return _STAGES_OF[VERSIONS[version]](image, **options)


def create_skull_mask(
    image: np.ndarray,
    *,
    version: str | None = None,
    **options: Any,
) -> np.ndarray:
    """Make the skull mask of one slice: the one-call door.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    version : str, optional
        A key of `VERSIONS`; the default is v8, or v7 if ``dilation_size`` is given.
    **options
        The version's own, for example ``spacing_mm=(0.42, 0.42)`` or ``dilation_size=26``.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 inside the outer surface of the skull.

    Raises
    ------
    InputError
        If the version or an option is unknown, or if the image or an option cannot be used.

    Examples
    --------
    >>> create_skull_mask(np.array([[0, 0, 0], [0, 9, 0], [0, 0, 0]]), dilation_size=1)
    array([[0, 0, 0],
           [0, 1, 0],
           [0, 0, 0]], dtype=uint8)
    """
    version, options = choose(version, options)
    return VERSIONS[version](image, **options)


def mask_and_quality(
    image: np.ndarray,
    version: str = "v8",
    *,
    spacing_mm: Spacing | None = None,
) -> tuple[np.ndarray, float]:
    """Mask a slice by v8 or v9 and estimate how far to trust the mask; the head is unwrapped once.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    version : str
        One of `BOUNDARY_VERSIONS`. The head of v9 is the one that the network has corrected.
    spacing_mm : pair of float, optional
        See `v8`.

    Returns
    -------
    mask : ndarray of shape (H, W), uint8
        As from the version itself.
    quality : float
        0 … 1, as from `polar.quality`.

    Raises
    ------
    InputError
        See `v8`.

    Examples
    --------
    >>> radius = np.hypot(*np.ogrid[-40:40, -40:40])
    >>> mask, quality = mask_and_quality(1.0 * (radius < 36))  # has no skull
    >>> quality < polar.TRUSTED
    True
    """
    unwrapped, stages = follow_boundary(_unwrap(image, spacing_mm), np.shape(image), version)
    mask = _mask(stages)
    return mask, polar.trust_in(unwrapped, mask)


def mask_slices(
    images: "Iterable[np.ndarray] | Data",
    *,
    names: Iterable[str] | None = None,
    version: str | None = None,
    spacing_mm: np.ndarray | None = None,
    volume: bool | None = None,
    **options: Any,
) -> Iterator[np.ndarray]:
    """Make the masks of many slices one after another; errors and warnings name the slice.

    Parameters
    ----------
    images : iterable of ndarray of shape (H, W), or Data
        ``Data`` brings names, spacing, and whether it is a volume, where the next arguments do not
        say so.
    names : iterable of str, optional
        One label for each slice; otherwise ``slice 0``, ``slice 1``, …
    version, **options
        See `create_skull_mask`.
    spacing_mm : ndarray of shape (N, 2), optional
        Row and column spacing of every slice [mm], as in `Data`, for versions that use it.
    volume : bool
        The slices follow one another in a volume, which only v8 and v9 make use of. Where the
        slices on both sides of one can be trusted, and are trusted more or are more like each other
        than like it, its outline is pulled towards theirs. Air beside the head is removed. A slice
        of far less contrast than the others shows air and has an empty mask.

    Yields
    ------
    ndarray of shape (H, W), uint8

    Raises
    ------
    InputError
        See `create_skull_mask`; the slice's name comes first. Also if there are not as many
        spacings or images as names.

    Examples
    --------
    >>> [mask] = mask_slices(np.eye(4)[None], names=["a"], version="v1")
    >>> int(mask.sum())
    4
    """
    work = _prepare(images, names, version, spacing_mm, volume, options)
    for made in _make_masks(work):
        yield made.mask


def masks_with_quality(
    images: "Iterable[np.ndarray] | Data",
    *,
    names: Iterable[str] | None = None,
    version: str | None = None,
    spacing_mm: np.ndarray | None = None,
    volume: bool | None = None,
    **options: Any,
) -> Iterator[tuple[np.ndarray, float]]:
    """Make the masks of many slices, and estimate how far to trust each.

    v8 and v9 unwrap every head once for both. Other versions make the mask in half the time that
    its quality takes. In a volume v8 and v9 make all masks before they yield the first, for their
    quality also depends on how they fit together, see `polar.trust_in_volume`.

    Parameters
    ----------
    images, names, version, spacing_mm, volume, **options
        See `mask_slices`.

    Yields
    ------
    mask : ndarray of shape (H, W), uint8
    quality : float
        0 … 1, as from `polar.quality`, or less in a volume; 0 for an empty mask. The mask of v9 is
        rated on the head as its network has corrected it.

    Raises
    ------
    InputError
        See `mask_slices`.

    Examples
    --------
    >>> disc = 1.0 * (np.hypot(*np.ogrid[-40:40, -40:40]) < 36)  # has no skull
    >>> [(mask, quality)] = masks_with_quality([disc])
    >>> quality < polar.TRUSTED
    True
    """
    work = _prepare(images, names, version, spacing_mm, volume, options)
    judged = _judged(work)
    if work.is_volume and work.version in BOUNDARY_VERSIONS:
        judged = _judged_together(judged)
    yield from judged


class _Slice(NamedTuple):
    """A slice to mask."""

    image: np.ndarray
    name: str
    spacing_mm: Spacing | None
    options: dict[str, Any]  # of the version


class _Work(NamedTuple):
    """Slices to mask, and how."""

    version: str
    slices: Iterator[_Slice]
    is_volume: bool


class _Made(NamedTuple):
    """A mask, the slice that it belongs to, and the head if the version has unwrapped it."""

    mask: np.ndarray
    slice: _Slice
    unwrapped: polar.Unwrapped | None = None


class _Head(NamedTuple):
    """What v8 or v9 finds in a slice of a volume before it compares the neighbours."""

    slice: _Slice
    unwrapped: polar.Unwrapped | None = None
    opinion: np.ndarray | None = None  # of v9's network, along the rays
    outline: np.ndarray | None = None  # [steps below the skin]
    trust: float = 0.0


def _prepare(
    images: "Iterable[np.ndarray] | Data",
    names: Iterable[str] | None,
    version: str | None,
    spacing_mm: np.ndarray | None,
    volume: bool | None,
    options: dict,
) -> _Work:
    """Check the arguments of `mask_slices`, and complete them from `Data`."""
    version, options = choose(version, options)
    if hasattr(images, "images"):
        data: Any = images
        images = data.images
        if names is None:
            names = data.names
        if spacing_mm is None:
            spacing_mm = data.spacing_mm
        if volume is None:
            volume = data.volume
    errors.check_stack(images)
    stack: Any = images
    if names is None:
        stack = list(stack)
        names = [f"slice {index}" for index in range(len(stack))]
    names = tuple(names)
    spacings = errors.check_spacings(spacing_mm, len(names))
    slices = _slices(stack, names, spacings, options)
    return _Work(version, slices, bool(volume))


def _slices(
    images: Iterable[np.ndarray],
    names: Iterable[str],
    spacings: Iterable[Spacing | None],
    options: dict,
) -> Iterator[_Slice]:
    """Give each slice its options, with its own spacing if the version takes one."""
    named = zip(names, spacings, strict=True)
    for image, (name, spacing) in errors.pair_up(images, named, "name"):
        own = {}
        if spacing is not None and "spacing_mm" in options:
            own = {"spacing_mm": spacing}
        yield _Slice(image, name, spacing, options | own)


def _make_masks(work: _Work) -> Iterator[_Made]:
    if work.version not in BOUNDARY_VERSIONS:
        version = VERSIONS[work.version]
        for one in work.slices:
            with errors.placed(one.name):
                mask = version(one.image, **one.options)
            yield _Made(mask, one)
    elif work.is_volume:
        yield from _masks_of_volume(work)
    else:
        for one in work.slices:
            with errors.placed(one.name):
                unwrapped = _unwrap(one.image, **one.options)
                stages = no_head(np.shape(one.image))
                if unwrapped is not None:
                    unwrapped, stages = _follow_boundary(work.version, unwrapped)
                mask = _mask(stages)
            yield _Made(mask, one, unwrapped)


def _follow_boundary(
    version: str,
    unwrapped: polar.Unwrapped,
) -> tuple[polar.Unwrapped, Stages]:
    """Run v8 or v9 from where the head is unwrapped; return the head that was used, too."""
    if version == "v9":
        return second_opinion(unwrapped)
    return unwrapped, scalp_boundary(unwrapped)


def _judged(work: _Work) -> Iterator[tuple[np.ndarray, float]]:
    """Make masks, and estimate how far to trust each by itself."""
    for made in _make_masks(work):
        yield made.mask, _quality_of(made, work.version)


def _judged_together(
    judged: Iterable[tuple[np.ndarray, float]],
) -> Iterator[tuple[np.ndarray, float]]:
    """Lower the quality of masks that do not fit into their volume."""
    stack = []
    areas_px = []
    qualities = []
    for mask, quality in judged:
        stack.append(mask)
        areas_px.append(int(np.count_nonzero(mask)))
        qualities.append(quality)
    yield from zip(stack, polar.trust_in_volume(areas_px, qualities).tolist(), strict=True)


def _quality_of(made: _Made, version: str) -> float:
    """Estimate how far to trust a mask, with the head that v8 or v9 has unwrapped already."""
    if version in BOUNDARY_VERSIONS:
        return polar.trust_in(made.unwrapped, made.mask)
    image, name, spacing_mm, _ = made.slice
    with errors.placed(name):
        return polar.quality(image, made.mask, spacing_mm=spacing_mm)


def _masks_of_volume(work: _Work) -> Iterator[_Made]:
    """Make the masks of v8 or v9 in a volume, where the slices know their neighbours."""
    for before, head, after in _with_neighbours(_heads(work)):
        unwrapped = head.unwrapped
        mask = np.zeros(np.shape(head.slice.image), np.uint8)
        outline = head.outline
        if unwrapped is not None and outline is not None:
            if _should_follow(head, before, after):
                outline = _outline(unwrapped, head.opinion, _places(before, after))
            mask = polar.without_air(unwrapped, _filled(unwrapped, outline))
        if not mask.any():
            with errors.placed(head.slice.name):
                _warn_of_empty_mask(_NO_HEAD)
        yield _Made(mask, head.slice, unwrapped)


def _with_neighbours(heads: Iterable[_Head]) -> Iterator[tuple[_Head, _Head, _Head]]:
    """Yield every head between the one before and the one after it."""
    nobody = _Head(_Slice(np.empty((0, 0)), "", None, {}))
    padded = itertools.chain([nobody], heads, [nobody])
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
    """Check whether both neighbours can be trusted, and either more than the head or against it."""
    least = min(before.trust, after.trust)
    if head.unwrapped is None or head.outline is None or least <= polar.TRUSTED:
        return False
    if least > _CLEARLY * head.trust:
        return True
    return polar.is_odd(head.unwrapped, head.outline, _places(before, after))


def _heads(work: _Work) -> Iterator[_Head]:
    """Find the heads of a volume; a slice of far less contrast than the others shows air."""
    slices = list(work.slices)
    contrasts = []
    for one in slices:
        with errors.placed(one.name):
            contrasts.append(polar.contrast(errors.check_slice(one.image)))
    least = 0.0
    if contrasts:
        least = _DIM_SHARE * np.percentile(contrasts, _USUAL_CONTRAST_PERCENTILE)
    for one, contrast in zip(slices, contrasts, strict=True):
        with errors.placed(one.name):
            head = _find_head(one, work.version, is_dim=contrast < least)
        yield head


def _find_head(one: _Slice, version: str, *, is_dim: bool) -> _Head:
    """Find the head of a slice; in a dim one it must be clear."""
    unwrapped = polar.unwrap(one.image, **one.options)
    if unwrapped is None:
        return _Head(one)
    opinion = None
    if version == "v9":
        unwrapped, opinion = _heed(unwrapped, learned.probability_on_grid(unwrapped))
    outline = _outline(unwrapped, opinion)
    trust = polar.trust(unwrapped, outline)
    if is_dim and not _is_clear(unwrapped, outline, trust):
        return _Head(one)
    polar.warn_of_rivals(unwrapped)
    return _Head(one, unwrapped, opinion, outline, trust)


def _outline(
    unwrapped: polar.Unwrapped,
    opinion: np.ndarray | None,
    neighbours: Sequence[polar.Places] = (),
) -> np.ndarray:
    """Find the outline of v8 or v9 [steps below the skin], pulled towards those of neighbours."""
    rays = polar.merge_rays(unwrapped.brightness)
    cost = _surface_cost(rays, unwrapped.cut, opinion)
    if neighbours:
        cost += polar.merge_rays(polar.neighbour_cost(unwrapped, neighbours, cost.shape[1]))
    path, _ = _nested_paths(rays, cost)
    return polar.half_maximum(unwrapped.brightness, path, unwrapped.cut)


def _is_clear(
    unwrapped: polar.Unwrapped,
    outline: np.ndarray,
    trust: float,
) -> bool:
    """Check whether a slice shows a skull as large as a head, with an outline to be trusted.

    Without a spacing the head itself is the ruler, so only the trust decides.
    """
    if trust < polar.TRUSTED:
        return False
    radius_mm = polar.STEP_MM * np.maximum(unwrapped.skin - outline, 0)
    return np.pi * np.mean(radius_mm**2) >= polar.HEAD_MM2
