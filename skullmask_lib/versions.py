"""The journey v1 … v7 in primitives: each version is a few lines, and each was meant to mend the one before.

Every version takes one slice and returns its mask; ``trace`` shows the stages on the way. The source of the
journey is the article "Building a Skull Mask Generator for MRI Images Without Deep Learning"; what it left
open (v3, v4, the widths of v5 and v6) is reconstructed here and labelled so.
"""

import difflib
import inspect
import warnings
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from . import masks

Stages = dict[str, np.ndarray]
MAX_BLOCK_SIZE_PX = 9999  # for cv2.blur


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


def v3(image: np.ndarray, *, threshold: int = 50) -> np.ndarray:
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


def v4(image: np.ndarray, *, block_size: int = 101) -> np.ndarray:
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


def v5(image: np.ndarray, *, dilation_size: int = 16) -> np.ndarray:
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


def v6(image: np.ndarray, *, dilation_size: int = 22) -> np.ndarray:
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


def v7(image: np.ndarray, *, dilation_size: int = 26) -> np.ndarray:
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
        reason = "no bright component inside of the frame" if "brain" in stages else "nothing bright to build it from"
        warnings.warn(f"the mask is empty: {reason}", stacklevel=3)
    return mask


VERSIONS: dict[str, Callable[..., np.ndarray]] = {f.__name__: f for f in (v1, v2, v3, v4, v5, v6, v7)}
DEFAULT_VERSION = "v7"
_STAGES: dict[str, Callable[..., Stages]] = {
    "v1": _largest_component_stages,
    "v2": _flood_fill_stages,
    "v3": _fixed_threshold_stages,
    "v4": _adaptive_threshold_stages,
    **dict.fromkeys(("v5", "v6", "v7"), _interior_brain_stages),
}


def options_of(version: str) -> dict[str, int]:
    """Give the options of a version with their defaults, read from its signature.

    Parameters
    ----------
    version : str
        A key of `VERSIONS`.

    Returns
    -------
    dict of str to int

    Raises
    ------
    InputError
        If there is no such version.

    Examples
    --------
    >>> options_of("v7")
    {'dilation_size': 26}
    """
    if version not in VERSIONS:
        near = difflib.get_close_matches(str(version), VERSIONS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise masks.InputError(f"expected a version of {', '.join(VERSIONS)}, got {version!r}{hint}")
    parameters = list(inspect.signature(VERSIONS[version]).parameters.values())[1:]
    return {parameter.name: parameter.default for parameter in parameters}


def check_options(version: str, options: dict) -> dict:
    """Complete the options of a version with its defaults, if it has them all.

    Parameters
    ----------
    version : str
        A key of `VERSIONS`.
    options : dict of str to int

    Returns
    -------
    dict of str to int

    Raises
    ------
    InputError
        If there is no such version, or it has no such option.

    Examples
    --------
    >>> check_options("v1", {"dilation_size": 3})
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: v1 has no option dilation_size; v5, v6, v7 have it
    """
    known = options_of(version)
    for name in options:
        if name not in known:
            takers = [v for v in VERSIONS if name in options_of(v)]
            hint = f"; {', '.join(takers)} have it" if takers else ""
            raise masks.InputError(f"{version} has no option {name}{hint}")
    return known | options


def trace(version: str, image: np.ndarray, **options: int) -> Stages:
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
    dict of str to ndarray of shape (H, W), uint8
        Stage name to array, in order; the last one is the mask.

    Raises
    ------
    InputError
        If the version or an option is unknown, or the image or an option unusable.

    Examples
    --------
    >>> list(trace("v1", np.eye(3)))
    ['gray', 'bright', 'largest component']
    """
    options = check_options(version, options)
    return _STAGES[version](image, **options)


def create_skull_mask(image: np.ndarray, *, version: str | None = None, **options: int) -> np.ndarray:
    """Make the skull mask of one slice: the one-call door.

    Parameters
    ----------
    image : ndarray of shape (H, W)
    version : str, optional
        A key of `VERSIONS`; the default is `DEFAULT_VERSION`.
    **options
        The version's own, for example ``dilation_size=26``.

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
    version = version or DEFAULT_VERSION
    options = check_options(version, options)
    return VERSIONS[version](image, **options)


def mask_slices(
    images: Iterable[np.ndarray], *, names: Iterable[str], version: str | None = None, **options: int
) -> Iterator[np.ndarray]:
    """Make the masks of many slices one after another; errors and warnings name the slice.

    Parameters
    ----------
    images : iterable of ndarray of shape (H, W)
    names : iterable of str
        One label for each slice.
    version, **options
        See `create_skull_mask`.

    Yields
    ------
    ndarray of shape (H, W), uint8

    Raises
    ------
    InputError
        As `create_skull_mask`, with the slice's name in front.

    Examples
    --------
    >>> [int(mask.sum()) for mask in mask_slices(np.eye(4)[None], names=["a"], version="v1")]
    [4]
    """
    for image, name in zip(images, names, strict=True):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                mask = create_skull_mask(image, version=version, **options)
            except masks.InputError as error:
                raise masks.InputError(f"{name}: {error}") from None
        for warning in caught:
            warnings.warn(f"{name}: {warning.message}", warning.category, stacklevel=2)
        yield mask
