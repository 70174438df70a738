"""The versions v1 … v9. Each takes one slice and returns its mask.

v1 … v7 are a few lines of primitives from `masks`. v8 and v9 unwrap the head by `polar` and leave
the rest to `boundary`. A new version goes here. Primitives that only it needs get a module of their
own, which is also entered in the layers in pyproject.toml and in the list in `batches.software`.
`create_skull_mask` runs any version, `trace` shows its stages, and `mask_slices` masks many slices.

The source of v1 … v7 is the article "Building a Skull Mask Generator for MRI Images Without Deep
Learning". What it left open (v3, v4, the widths of v5 and v6) is reconstructed here and labelled
as such. v8 and v9 are this project's own.
"""

import inspect
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import cv2
import numpy as np

from . import errors, masks, polar
from .boundary import (
    BOUNDARY_VERSIONS,
    NO_HEAD,
    Slice,
    Stages,
    follow_boundary,
    follow_in_volume,
)
from .errors import Spacing

if TYPE_CHECKING:
    from .io.datasets import Data

MAX_BLOCK_SIZE_PX = 9999  # for cv2.blur
NO_BRAIN = "the mask is empty: no bright component inside of the frame"

# The types of the options say what a slider offers
GreyLevel = Annotated[int, errors.Range(0, 254, 1, "grey level")]
BlockSize = Annotated[int, errors.Range(3, 301, 2, "px")]
DilationSize = Annotated[int, errors.Range(1, 61, 1, "px")]


# --- The versions --------------------------------------------------------------------------------


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
        If ``block_size`` is not an odd whole number from 3 to 9999.

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
    """Interior brain, dilated: grow the largest bright piece that does not touch the frame.

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


# --- Their stages --------------------------------------------------------------------------------


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
    return stages | finish_interior_brain(stages, dilation_size)


def finish_interior_brain(stages: Stages, dilation_size: int) -> Stages:
    """Run the last steps of v5, v6 and v7: widen the brain, take the scalp out, and fill holes.

    Parameters
    ----------
    stages : dict of str to ndarray
        As from `brain_and_scalp`.
    dilation_size : int
        Width of the ellipse [px].

    Returns
    -------
    dict of str to ndarray of shape (H, W), uint8
        ``dilated``, ``without scalp``, and the mask as ``filled``.

    Examples
    --------
    >>> stages = brain_and_scalp(np.pad([[9]], 3))
    >>> int(finish_interior_brain(stages, 3)["filled"].sum())
    5
    """
    dilated = masks.dilate(stages["brain"], dilation_size)
    without_scalp = dilated & ~stages["scalp"]
    return {
        "dilated": dilated,
        "without scalp": without_scalp,
        "filled": masks.fill_holes(without_scalp),
    }


def _scalp_boundary_stages(
    image: np.ndarray,
    spacing_mm: Spacing | None,
) -> Stages:
    _, stages = _follow(image, spacing_mm, "v8")
    return stages


def _second_opinion_stages(
    image: np.ndarray,
    spacing_mm: Spacing | None,
) -> Stages:
    _, stages = _follow(image, spacing_mm, "v9")
    return stages


def _follow(
    image: np.ndarray,
    spacing_mm: Spacing | None,
    version: str,
) -> tuple[polar.Unwrapped | None, Stages]:
    """Unwrap the head of a slice, warn if there are several, and run v8 or v9 from there."""
    unwrapped = polar.unwrap(image, spacing_mm)
    polar.warn_of_rivals(unwrapped)
    return follow_boundary(unwrapped, np.shape(image), version)


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
        text = "the mask is empty: nothing bright to build it from"
        if "brain" in stages:
            text = NO_BRAIN
        elif "head" in stages:
            text = NO_HEAD
        warnings.warn(text, errors.EmptyMaskWarning, stacklevel=3)
    return mask


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


# --- Choose and run a version --------------------------------------------------------------------


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
        See `v8`; also if the version does not unwrap the head.

    Examples
    --------
    >>> radius = np.hypot(*np.ogrid[-40:40, -40:40])
    >>> mask, quality = mask_and_quality(1.0 * (radius < 36))  # has no skull
    >>> quality < polar.TRUSTED
    True
    """
    version, _ = choose(version, {})
    unwrapped, stages = _follow(image, spacing_mm, version)
    mask = _mask(stages)
    return mask, polar.mask_quality(unwrapped, mask)


# --- Many slices ---------------------------------------------------------------------------------


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
    volume : bool, optional
        The slices follow one another in a volume, which only v8 and v9 make use of, see
        `boundary.follow_in_volume`.

    Returns
    -------
    iterator of ndarray of shape (H, W), uint8
        Each mask is made when it is asked for.

    Raises
    ------
    InputError
        If an argument cannot be used. While the masks are made, see `create_skull_mask`; the
        slice's name comes first. Also if there are not as many spacings or images as names.

    Examples
    --------
    >>> [mask] = mask_slices(np.eye(4)[None], names=["a"], version="v1")
    >>> int(mask.sum())
    4
    """
    work = _prepare(images, names, version, spacing_mm, volume, options)
    return (masked.mask for masked in _mask_each(work))


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

    v8 and v9 unwrap every head once for both. For the other versions, the quality takes about as
    long again as the mask, or longer. In a volume v8 and v9 make all masks before they yield the
    first, for their quality also depends on how they fit together, see `polar.volume_qualities`.

    Parameters
    ----------
    images, names, version, spacing_mm, volume, **options
        See `mask_slices`.

    Returns
    -------
    iterator of (ndarray of shape (H, W), uint8, float)
        Each mask with its quality: 0 … 1, as from `polar.quality`, or less in a volume; 0 for an
        empty mask. The mask of v9 is rated on the head as its network has corrected it.

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
    rated = _rate_each(work)
    if work.is_volume and work.version in BOUNDARY_VERSIONS:
        return _rate_together(rated)
    return rated


class _Work(NamedTuple):
    """Slices to mask, and how."""

    version: str
    options: dict[str, Any]  # of the version; those of a slice have its spacing
    slices: Iterator[Slice]
    is_volume: bool


class _Masked(NamedTuple):
    """A slice, its mask, and the head if the version has unwrapped it."""

    slice: Slice
    mask: np.ndarray
    unwrapped: polar.Unwrapped | None = None


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
    named = zip(names, spacings, strict=True)
    pairs = errors.pair_up(stack, named, "name")
    slices = (Slice(image, name, spacing) for image, (name, spacing) in pairs)
    return _Work(version, options, slices, bool(volume))


def _mask_each(work: _Work) -> Iterator[_Masked]:
    """Make the masks of slices one after another, or of a volume as a whole."""
    if work.version not in BOUNDARY_VERSIONS:
        yield from _mask_each_directly(work)
    elif work.is_volume:
        slices = list(work.slices)
        results = follow_in_volume(slices, work.version)
        for slice_, (unwrapped, mask) in zip(slices, results, strict=True):
            yield _Masked(slice_, mask, unwrapped)
    else:
        for slice_ in work.slices:
            with errors.placed(slice_.name):
                unwrapped, stages = _follow(slice_.image, slice_.spacing_mm, work.version)
                mask = _mask(stages)
            yield _Masked(slice_, mask, unwrapped)


def _mask_each_directly(work: _Work) -> Iterator[_Masked]:
    """Make the masks of slices by a version that does not unwrap the head."""
    version = VERSIONS[work.version]
    for slice_ in work.slices:
        options = work.options
        if "spacing_mm" in options:
            options = options | {"spacing_mm": slice_.spacing_mm}
        with errors.placed(slice_.name):
            mask = version(slice_.image, **options)
        yield _Masked(slice_, mask)


def _rate_each(work: _Work) -> Iterator[tuple[np.ndarray, float]]:
    """Make masks, and estimate how far to trust each by itself."""
    for masked in _mask_each(work):
        yield masked.mask, _quality_of(masked, work.version)


def _quality_of(masked: _Masked, version: str) -> float:
    """Estimate how far to trust a mask, with the head that v8 or v9 has unwrapped already."""
    if version in BOUNDARY_VERSIONS:
        return polar.mask_quality(masked.unwrapped, masked.mask)
    image, name, spacing_mm = masked.slice
    with errors.placed(name):
        return polar.quality(image, masked.mask, spacing_mm=spacing_mm)


def _rate_together(
    rated: Iterable[tuple[np.ndarray, float]],
) -> Iterator[tuple[np.ndarray, float]]:
    """Lower the quality of masks that do not fit into their volume."""
    stack = []
    areas_px = []
    qualities = []
    for mask, quality in rated:
        stack.append(mask)
        areas_px.append(int(np.count_nonzero(mask)))
        qualities.append(quality)
    yield from zip(stack, polar.volume_qualities(areas_px, qualities).tolist(), strict=True)
