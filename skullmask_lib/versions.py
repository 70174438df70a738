"""The journey v1 … v7 in primitives, and v8 beyond it: each version is a few lines, meant to mend the one before.

Every version takes one slice and returns its mask; ``trace`` shows the stages on the way. The source of the
journey is the article "Building a Skull Mask Generator for MRI Images Without Deep Learning"; what it left
open (v3, v4, the widths of v5 and v6) is reconstructed here and labelled so. v8 is this project's own.
"""

import contextlib
import difflib
import inspect
import itertools
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np

from . import masks, polar

if TYPE_CHECKING:
    from .datasets import Data

Stages = dict[str, np.ndarray]
MAX_BLOCK_SIZE_PX = 9999  # for cv2.blur
_DIM = 0.2  # of the contrast that the slices of a volume have: with less a slice shows air
GreyLevel = Annotated[int, masks.Range(0, 254, 1, "grey level")]
BlockSize = Annotated[int, masks.Range(3, 301, 2, "px")]
DilationSize = Annotated[int, masks.Range(1, 61, 1, "px")]


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
    """Adaptive threshold: the largest piece brighter than its neighbourhood's mean, filled. A reconstruction.

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


def v5(image: np.ndarray, *, dilation_size: DilationSize = 16) -> np.ndarray:
    """Interior brain, dilated: take the largest bright piece off the frame and grow it over the skull.

    Bright components that touch the frame are scalp candidates; they are taken out after the dilation, and
    holes are filled. The width 16 is a reconstruction: the source names none for v5.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    dilation_size : int
        Width of the elliptical structuring element [px], 1 … shorter side; it reaches about half as far.

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
    >>> v5(np.array([[0, 0, 0, 0, 9], [0, 0, 0, 0, 9], [0, 9, 0, 0, 9], [0, 0, 0, 0, 9]]), dilation_size=3)
    array([[0, 0, 0, 0, 0],
           [0, 1, 0, 0, 0],
           [1, 1, 1, 0, 0],
           [0, 1, 0, 0, 0]], dtype=uint8)
    """
    return _mask(_interior_brain_stages(image, dilation_size))


def v6(image: np.ndarray, *, dilation_size: DilationSize = 22) -> np.ndarray:
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


def v7(image: np.ndarray, *, dilation_size: DilationSize = 26) -> np.ndarray:
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


def v8(image: np.ndarray, *, spacing_mm: tuple[float, float] | None = None) -> np.ndarray:
    """Scalp boundary: unwrap the head and follow the edge between scalp and bone once around.

    The head is what is not air, its holes filled. In its polar picture every place is priced as the skull's
    outer surface (scalp outside, dark bone inside, brain where the bone ends), and a cheap closed path
    is drawn where the brightness is halfway from scalp to bone.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    spacing_mm : pair of float, optional
        Row and column spacing [mm]; without it the head's size is the ruler, and pixels are taken for square.

    Returns
    -------
    ndarray of shape (H, W), uint8
        Empty, with a warning, if there is no head.

    Raises
    ------
    InputError
        If the spacing is not two positive numbers, or makes a field of view beyond a metre.

    See Also
    --------
    polar.quality : how far to trust the mask.

    Examples
    --------
    >>> y, x = np.ogrid[-40:40, -40:40]
    >>> radius = np.hypot(y, x)
    >>> head = 1.0 * (radius < 36) - 0.9 * ((radius < 30) & (radius > 26))  # scalp, bone and brain
    >>> mask = v8(head, spacing_mm=(2, 2))
    >>> abs(np.sqrt(mask.sum() / np.pi) - 30).round() == 0
    np.True_
    """
    return _mask(_scalp_boundary_stages(image, spacing_mm))


def _largest_component_stages(image: np.ndarray) -> Stages:
    gray, bright = _bright(image)
    return {"gray": gray, "bright": bright, "largest component": masks.largest_component(bright)}


def _flood_fill_stages(image: np.ndarray) -> Stages:
    gray, bright = _bright(image)
    flooded = masks.flood_from_edges(bright == 0)
    return {"gray": gray, "bright": bright, "flooded from the frame": flooded, "not flooded": 1 - flooded}


def _fixed_threshold_stages(image: np.ndarray, threshold: int) -> Stages:
    threshold = masks.check_whole(threshold, "threshold", 0, 254, "grey levels")
    gray = masks.normalize(image)
    above = (gray > threshold).astype(np.uint8)
    largest = masks.largest_component(above)
    return {"gray": gray, "above": above, "largest": largest, "filled": masks.fill_holes(largest)}


def _adaptive_threshold_stages(image: np.ndarray, block_size: int) -> Stages:
    block_size = masks.check_whole(block_size, "block size", 3, MAX_BLOCK_SIZE_PX, "px")
    if block_size % 2 == 0:
        raise masks.InputError(f"expected an odd block size, got {block_size} px")
    gray = masks.normalize(image)
    local_mean = cv2.blur(gray, (block_size, block_size), borderType=cv2.BORDER_REPLICATE)
    above = (gray > local_mean).astype(np.uint8)
    largest = masks.largest_component(above)
    stages = {"gray": gray, "local mean": local_mean, "above": above, "largest": largest}
    return stages | {"filled": masks.fill_holes(largest)}


def _interior_brain_stages(image: np.ndarray, dilation_size: int) -> Stages:
    stages = brain_and_scalp(image)
    dilated = masks.dilate(stages["brain"], dilation_size)
    without_scalp = dilated & ~stages["scalp"]
    filled = masks.fill_holes(without_scalp)
    return stages | {"dilated": dilated, "without scalp": without_scalp, "filled": filled}


def _scalp_boundary_stages(image: np.ndarray, spacing_mm: tuple[float, float] | None) -> Stages:
    unwrapped = polar.unwrap(image, spacing_mm)
    if unwrapped is None:
        return dict.fromkeys(("head", "filled"), np.zeros(np.shape(image), np.uint8))
    polar.warn_of_rivals(unwrapped)
    return scalp_boundary(unwrapped)


def scalp_boundary(unwrapped: polar.Unwrapped) -> Stages:
    """Do what v8 does once the head is unwrapped.

    Parameters
    ----------
    unwrapped : polar.Unwrapped

    Returns
    -------
    dict of str to ndarray
        As `trace` gives it.

    Examples
    --------
    >>> disc = np.hypot(*np.ogrid[-40:40, -40:40]) < 36
    >>> list(scalp_boundary(polar.unwrap(disc, (2, 2))))
    ['head', 'unwrapped', 'cost', 'path', 'outline', 'filled']
    """
    cost, path, outline = _outlined(unwrapped)
    stages = {"head": unwrapped.head, "unwrapped": unwrapped.brightness, "cost": cost, "path": path}
    return stages | {"outline": outline, "filled": _filled(unwrapped, outline)}


def _outlined(unwrapped: polar.Unwrapped, near: Sequence = ()) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the cost, its closed path, and the outline [steps below the skin]; ``near`` are neighbours' outlines."""
    cost = polar.boundary_cost(unwrapped.brightness, unwrapped.cut)
    if near:
        cost += polar.neighbour_cost(unwrapped, near, cost.shape[1])
    path = polar.closed_path(cost)
    return cost, path, polar.half_maximum(unwrapped.brightness, path, unwrapped.cut)


def _filled(unwrapped: polar.Unwrapped, outline: np.ndarray) -> np.ndarray:
    """Fill an outline; where the skin leaps from ray to ray, only the largest piece stays, without its holes."""
    return masks.fill_holes(masks.largest_component(polar.fill_outline(unwrapped, outline)))


def brain_and_scalp(image: np.ndarray) -> Stages:
    """Do what v5, v6 and v7 do before they dilate.

    Parameters
    ----------
    image : ndarray of shape (H, W)

    Returns
    -------
    dict of str to ndarray of shape (H, W), uint8
        ``gray``, ``bright`` (above Otsu's threshold), ``scalp`` (bright components that touch the frame) and
        ``brain`` (the largest one that does not; empty if there is none).

    Examples
    --------
    >>> stages = brain_and_scalp(np.array([[9, 0, 0], [0, 0, 0], [0, 0, 9]]))
    >>> int(stages["scalp"].sum()), int(stages["brain"].sum())
    (2, 0)
    """
    gray, bright = _bright(image)
    labels, areas_px = masks.label_components(bright)
    is_scalp = masks.touches_edge(labels)
    areas_px[is_scalp] = areas_px[0] = 0
    brain = (labels == areas_px.argmax()) & bool(areas_px.any())
    scalp = is_scalp[labels] if is_scalp.any() else np.zeros(labels.shape, bool)
    return {"gray": gray, "bright": bright, "scalp": scalp.astype(np.uint8), "brain": brain.astype(np.uint8)}


def _bright(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gray = masks.normalize(image)
    return gray, (gray > masks.otsu_threshold(gray)).astype(np.uint8)


def _mask(stages: Stages) -> np.ndarray:
    mask = stages[list(stages)[-1]]
    if not mask.any():
        reasons = {"brain": "no bright component inside of the frame", "head": "no head in it"}
        reason = next((reasons[stage] for stage in reasons if stage in stages), "nothing bright to build it from")
        warnings.warn(f"the mask is empty: {reason}", masks.EmptyMaskWarning, stacklevel=3)
    return mask


_REGISTRY: dict[Callable[..., np.ndarray], Callable[..., Stages]] = {  # a version, and what it makes on the way
    v1: _largest_component_stages,
    v2: _flood_fill_stages,
    v3: _fixed_threshold_stages,
    v4: _adaptive_threshold_stages,
    v5: _interior_brain_stages,
    v6: _interior_brain_stages,
    v7: _interior_brain_stages,
    v8: _scalp_boundary_stages,
}
VERSIONS: dict[str, Callable[..., np.ndarray]] = {version.__name__: version for version in _REGISTRY}


def options_of(version: str) -> dict[str, object]:
    """Give the options of a version with their defaults, read from its signature.

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
    parameters = list(inspect.signature(VERSIONS[_known(version)]).parameters.values())[1:]
    return {parameter.name: parameter.default for parameter in parameters}


def _known(version: str) -> str:
    """Give a version's name in small letters, as `VERSIONS` has it."""
    if not isinstance(version, Hashable):
        hint = "the version comes before the image, as in trace('v8', image)"
        got = type(version).__name__
        raise masks.InputError(f"expected a version of {', '.join(VERSIONS)}, got {got}; {hint}")
    name = version.lower() if isinstance(version, str) else version
    if name in VERSIONS:
        return name
    near = difflib.get_close_matches(str(name), VERSIONS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise masks.InputError(f"expected a version of {', '.join(VERSIONS)}, got {version!r}{hint}")


def choose(version: str | None, options: dict) -> tuple[str, dict]:
    """Settle which version runs, and complete its options with its defaults.

    Parameters
    ----------
    version : str or None
        A key of `VERSIONS`, in small or large letters; None is v8, or v7 where a dilation size is given: the source's
        own call keeps working.
    options : dict

    Returns
    -------
    version : str
    options : dict

    Raises
    ------
    InputError
        If there is no such version, or it has no such option.

    Examples
    --------
    >>> choose(None, {"dilation_size": 22})
    ('v7', {'dilation_size': 22})
    >>> choose("v1", {"dilation_size": 3})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: v1 has no option dilation_size; v5, v6, v7... have it
    """
    if version is None:
        version = "v7" if "dilation_size" in options else "v8"
    version = _known(version)
    known = options_of(version)
    for name in options:
        if name not in known:
            raise masks.InputError(f"{version} has no option {name}{_hint_for(name, known)}")
    return version, known | options


def _hint_for(option: str, known: Iterable[str]) -> str:
    """Say which versions have an option, or which option may be meant."""
    takers = [version for version in VERSIONS if option in options_of(version)]
    if len(takers) == 1:
        return f"; {takers[0]} has it"
    if takers:
        return f"; {', '.join(takers)} have it"
    near = difflib.get_close_matches(option, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def trace(version: str, image: np.ndarray, **options) -> Stages:
    """Run a version and keep what it makes on the way.

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
        Stage name to array, in order; the last one is the mask. They are (H, W) and uint8, but for v8, which works
        on a grid and in polar coordinates of its own (see `polar`); where it finds no head, it has no other stages
        than ``head`` and ``filled``, both empty.

    Raises
    ------
    InputError
        If the version or an option is unknown, or the image or an option unusable.

    Examples
    --------
    >>> list(trace("v1", np.eye(3)))
    ['gray', 'bright', 'largest component']
    """
    version, options = choose(version, options)
    return _REGISTRY[VERSIONS[version]](image, **options)


def create_skull_mask(image: np.ndarray, *, version: str | None = None, **options) -> np.ndarray:
    """Make the skull mask of one slice: the one-call door.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    version : str, optional
        A key of `VERSIONS`; the default is v8, or v7 where ``dilation_size`` is given.
    **options
        The version's own, for example ``spacing_mm=(0.42, 0.42)`` or ``dilation_size=26``.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 inside of the outer surface of the skull.

    Raises
    ------
    InputError
        If the version or an option is unknown, or the image or an option unusable.

    Examples
    --------
    >>> create_skull_mask(np.array([[0, 0, 0], [0, 9, 0], [0, 0, 0]]), dilation_size=1)
    array([[0, 0, 0],
           [0, 1, 0],
           [0, 0, 0]], dtype=uint8)
    """
    version, options = choose(version, options)
    return VERSIONS[version](image, **options)


def mask_slices(
    images: "Iterable[np.ndarray] | Data",
    *,
    names: Iterable[str] | None = None,
    version: str | None = None,
    spacing_mm: np.ndarray | None = None,
    volume: bool | None = None,
    **options,
) -> Iterator[np.ndarray]:
    """Make the masks of many slices one after another; errors and warnings name the slice.

    Parameters
    ----------
    images : iterable of ndarray of shape (H, W), or Data
        ``Data`` brings what the next arguments do not give: names, spacing, and whether it is a volume.
    names : iterable of str, optional
        One label for each slice; otherwise ``slice 0``, ``slice 1``, …
    version, **options
        See `create_skull_mask`.
    spacing_mm : ndarray of shape (N, 2), optional
        Row and column spacing of every slice [mm], as in `Data`; used by the versions that know millimetres.
    volume : bool
        The slices follow one another in a volume. Where both slices beside one can be trusted more, v8 pulls its
        outline towards theirs; a slice of far less contrast than the others shows air and has an empty mask.

    Yields
    ------
    ndarray of shape (H, W), uint8

    Raises
    ------
    InputError
        As `create_skull_mask`, with the slice's name in front; or if there are not as many spacings as names.

    Examples
    --------
    >>> [int(mask.sum()) for mask in mask_slices(np.eye(4)[None], names=["a"], version="v1")]
    [4]
    """
    version, options = choose(version, options)
    if hasattr(images, "images"):
        data = images
        images = data.images
        names = data.names if names is None else names
        spacing_mm = data.spacing_mm if spacing_mm is None else spacing_mm
        volume = data.volume if volume is None else volume
    masks.check_stack(images)
    if names is None:
        images = list(images)
        names = [f"slice {index}" for index in range(len(images))]
    names = tuple(names)
    slices = zip(images, names, _options_of_slices(options, spacing_mm, len(names)), strict=True)
    if volume and version == "v8":
        yield from _mask_volume(slices)
        return
    for image, name, settled in slices:
        with naming(name):
            mask = VERSIONS[version](image, **settled)
        yield mask


def _options_of_slices(options: dict, spacing_mm: np.ndarray | None, count: int) -> list[dict]:
    """Give every slice its options, with its own spacing where the version takes one."""
    if spacing_mm is None:
        return [options] * count
    wanted = f"the spacings of {count} slices, shape {(count, 2)}"
    try:
        spacing_mm = np.asarray(spacing_mm, float)
    except (TypeError, ValueError):
        raise masks.InputError(f"expected {wanted}, got {spacing_mm!r}") from None
    if spacing_mm.shape != (count, 2):
        raise masks.InputError(f"expected {wanted}, got shape {spacing_mm.shape}")
    if "spacing_mm" not in options:
        return [options] * count
    return [options | {"spacing_mm": pair} for pair in spacing_mm]


def _mask_volume(slices: Iterable[tuple[np.ndarray, str, dict]]) -> Iterator[np.ndarray]:
    """Make the masks of v8 in a volume, whose slices know each other.

    A slice of far less contrast than the others shows air, if no head is clear in it. Where the slices on both sides of
    one can be trusted more, they pull its outline.
    """
    slices = list(slices)
    contrasts = []
    for image, name, _ in slices:
        with naming(name):
            contrasts.append(polar.contrast(masks.check_slice(image)))
    least = _DIM * np.percentile(contrasts, 90) if contrasts else 0.0

    def heads():
        for (image, name, options), contrast in zip(slices, contrasts, strict=True):
            with naming(name):
                unwrapped = polar.unwrap(image, **options)
                outline = _outlined(unwrapped)[-1] if unwrapped else None
                trust = polar.trust(unwrapped, outline) if unwrapped else 0.0
                if contrast < least and not _is_clear(unwrapped, outline, trust):
                    unwrapped, outline, trust = None, None, 0.0
                polar.warn_of_rivals(unwrapped)
            yield name, np.shape(image), unwrapped, outline, trust

    nobody = (None,) * 4 + (0.0,)
    in_threes = itertools.pairwise(itertools.pairwise(itertools.chain([nobody], heads(), [nobody])))
    for (before, (name, shape, unwrapped, outline, trust)), (_, after) in in_threes:
        if min(before[-1], after[-1]) > max(polar.CLEARLY * trust, polar.TRUSTED) and unwrapped:
            near = [polar.outline(other, places) for _, _, other, places, _ in (before, after)]
            outline = _outlined(unwrapped, near)[-1]
        mask = _filled(unwrapped, outline) if unwrapped else np.zeros(shape, np.uint8)
        with naming(name):
            checked = _mask({"head": mask})
        yield checked


def _is_clear(unwrapped: polar.Unwrapped | None, outline: np.ndarray | None, trust: float) -> bool:
    """Tell whether a slice shows a skull as large as a head, with an outline that can be trusted.

    Without a spacing the head is its own ruler, and only the trust decides.
    """
    if unwrapped is None or trust < polar.TRUSTED:
        return False
    radius_mm = polar.STEP_MM * np.maximum(unwrapped.skin - outline, 0)
    return np.pi * np.mean(radius_mm**2) >= polar.HEAD_MM2


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Put a slice's name in front of what is raised and warned.

    Parameters
    ----------
    name : str

    Raises
    ------
    InputError

    Examples
    --------
    >>> with naming("a.npy[3]"):
    ...     masks.check_slice(np.zeros((0, 3)))
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: a.npy[3]: expected a slice with at least one pixel, got shape (0, 3)
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        except masks.InputError as error:
            raise masks.InputError(f"{name}: {error}") from None
    for warning in caught:
        warnings.warn(f"{name}: {warning.message}", warning.category, stacklevel=3)
