"""Prepare slices and volumes for a mask: contrast, crop, bias field, resampling, intensity scale.

Only functions of arrays belong here: nothing reads or writes a file, and nothing computes a mask.

Contrast and crop follow the article on tumour segmentation; bias field, resampling and rescaling
follow the one on 3-D skull stripping. N4 needs SimpleITK and resampling needs nilearn, both of the
extra ``volumes``.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import cv2
import nibabel as nib
import numpy as np
from tqdm import tqdm

from .. import errors, masks
from ..errors import InputError, extra

# Width of the Gaussian before the edges are found, and of the square that dilates them.
_EDGES_PX = 5
# A contour belongs to the head if the largest contour's box is at most this many times its own.
_LARGEST_RATIO = 20
# Above it nothing is clipped any more; far above it OpenCV's count of pixels overflows.
_LARGEST_CLIP_LIMIT = 65536.0
# N4 shrinks no axis to fewer voxels than this.
_LEAST_SHRUNKEN_VOXELS = 12
# The last digits of N4 depend on how its sums are split among threads.
_N4_THREADS = 4


@dataclass(frozen=True, eq=False)
class Crop:
    """What was cut out.

    Attributes
    ----------
    image : ndarray
        A copy of the part inside the box.
    others : tuple of ndarray
        The same part of every further array.
    box : tuple of slice
        One for each axis, rows before columns: ``array[crop.box]`` cuts any other array alike.
    affine : ndarray of shape (3, 3) or (4, 4), float64, or None
        Indices of the crop to world coordinates.
    """

    image: np.ndarray
    others: tuple[np.ndarray, ...]
    box: tuple[slice, ...]
    affine: np.ndarray | None


# --- contrast -----------------------------------------------------------------------------------


def equalize(image: np.ndarray) -> np.ndarray:
    """Equalise the histogram of a slice.

    Parameters
    ----------
    image : ndarray of shape (H, W), bool, integer or float

    Returns
    -------
    ndarray of shape (H, W)
        uint8 gives what OpenCV gives, 0 … 255; uint16 is equalised over its own levels, 0 … 65535.
        Everything else is first stretched over 65536 levels. It comes back in its own range of
        [min, max], in its own float dtype or as float64. A flat slice stays as it is.

    Raises
    ------
    InputError
        If the slice holds NaN or infinite values, or is not ``(H, W)``.

    References
    ----------
    OpenCV's ``equalizeHist``; R. C. Gonzalez and R. E. Woods, "Digital Image Processing",
    chapter 3.

    Examples
    --------
    >>> equalize(np.array([[0.0, 1.0], [2.0, 9.0]])).round(1)
    array([[0., 3.],
           [6., 9.]])
    """
    return _on_levels(image, _to_16_bits, _equalize)


def clahe(
    image: np.ndarray,
    *,
    clip_limit: float = 2.0,
    grid: tuple[int, int] = (8, 8),
) -> np.ndarray:
    """Equalise the histogram of every tile of a slice, with a limit on the contrast (CLAHE).

    Parameters
    ----------
    image : ndarray of shape (H, W), bool, integer or float
    clip_limit : float
        How many times the mean of a tile's histogram a bin may hold. The rest is spread over all
        bins.
    grid : pair of int
        Rows and columns of tiles, each 1 … 32.

    Returns
    -------
    ndarray of shape (H, W)
        uint8 and uint16 give what OpenCV gives. Everything else goes through the 256 levels of
        `masks.normalize`. It comes back within its own range of [min, max], in its own float dtype
        or as float64. A flat slice stays as it is.

    Raises
    ------
    InputError
        If the slice holds NaN or infinite values, or is not ``(H, W)``; if the limit is not above
        0, or the grid not two whole numbers in range.

    Notes
    -----
    OpenCV clips no bin below one pixel. On the 65536 levels of uint16 a bin seldom holds more, so
    that the effect depends on the size of a tile and on the number of distinct values more than on
    ``clip_limit``. For the usual effect pass 8 bits (`masks.normalize`) or floats.

    References
    ----------
    K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 474–485,
    1994, doi:10.1016/B978-0-12-336156-1.50061-6. OpenCV's implementation.

    Examples
    --------
    >>> clahe(np.array([[10, 10, 20, 90]], np.uint8), grid=(1, 1))
    array([[128, 128, 191, 255]], dtype=uint8)
    """
    if not 0 < clip_limit < np.inf or np.shape(grid) != (2,):
        wanted = "a clip limit above 0 and a grid of rows and columns"
        raise InputError(f"expected {wanted}, got {clip_limit} and {grid}")
    rows, columns = (errors.check_whole(n, "number of tiles", 1, 32, "a side") for n in grid)
    limit = min(float(clip_limit), _LARGEST_CLIP_LIMIT)
    equalizer = cv2.createCLAHE(limit, (columns, rows))
    return _on_levels(image, masks.normalize, equalizer.apply)


_Change = Callable[[np.ndarray], np.ndarray]


def _on_levels(image: np.ndarray, to_levels: _Change, change: _Change) -> np.ndarray:
    """Change the grey levels of a slice: its own if it is uint8 or uint16, or those made of it."""
    image = errors.check_slice(image)
    image = np.ascontiguousarray(image, image.dtype.newbyteorder("="))
    if image.min() == image.max():
        return image.copy()
    if image.dtype in (np.uint8, np.uint16):
        return change(image)
    low = float(image.min())
    high = float(image.max())
    levels = to_levels(image)
    share = change(levels) / np.iinfo(levels.dtype).max
    changed = np.clip(low * (1 - share) + high * share, low, high)
    if image.dtype.kind == "f":
        return changed.astype(image.dtype)
    return changed.astype(np.float64)


def _to_16_bits(image: np.ndarray) -> np.ndarray:
    """Stretch a slice over the levels of uint16."""
    return (_stretch(image) * 65535).astype(np.uint16)


def _equalize(levels: np.ndarray) -> np.ndarray:
    """Equalise the histogram of levels, in the float32 precision of OpenCV."""
    counts = np.bincount(levels.ravel()).cumsum()
    darkest = counts[levels.min()]
    ranks = (counts - darkest).astype(np.float32)
    scale = np.iinfo(levels.dtype).max / ranks[-1]
    return np.rint(ranks * scale).astype(levels.dtype)[levels]


# --- crop ---------------------------------------------------------------------------------------


def crop_to_head(
    image: np.ndarray,
    *others: np.ndarray,
    margin_px: int = 0,
    affine: np.ndarray | None = None,
) -> Crop:
    """Crop a slice to the head, and cut further arrays alike.

    CLAHE brings out the edges, which are Canny's with Otsu's threshold and half of it. Dilation
    joins them to outlines; what stays small is noise. The outline of a head may come in pieces of
    which the largest is the brain. The box therefore holds the extreme points of every contour
    whose own box covers at least a twentieth of the largest one's.

    Parameters
    ----------
    image : ndarray of shape (H, W), bool, integer or float
    *others : ndarray of shape (H, W)
        For example a mask.
    margin_px : int
        Pixels to add on every side, as far as the frame allows; at most the longer side of the
        image.
    affine : ndarray of shape (3, 3) or (4, 4), optional
        Row and column (and slice), in this order, to world coordinates. It moves along: a pixel of
        the crop keeps its world coordinates.

    Returns
    -------
    Crop
        The whole slice where there is no contour, as in a flat slice.

    Raises
    ------
    InputError
        If an array is not a slice of the same shape, or the margin or the affine cannot be used.

    Notes
    -----
    Slice k of `load` shows the RAS volume with anterior up: row r and column c are voxel
    (c, Y − 1 − r, k). Its affine is therefore
    ``affine @ [[0, 1, 0, 0], [-1, 0, 0, Y - 1], [0, 0, 1, k], [0, 0, 0, 1]]``.

    References
    ----------
    J. Canny, "A computational approach to edge detection", IEEE Transactions on Pattern Analysis
    and Machine Intelligence 8(6):679–698, 1986, doi:10.1109/TPAMI.1986.4767851; S. Suzuki and
    K. Abe, "Topological structural analysis of digitized binary images by border following",
    Computer Vision, Graphics, and Image Processing 30(1):32–46, 1985,
    doi:10.1016/0734-189X(85)90016-7. OpenCV's implementations.

    Examples
    --------
    >>> image = np.zeros((64, 64))
    >>> image[20:40, 30:50] = 1
    >>> crop = crop_to_head(image, margin_px=1, affine=np.diag([2.0, 2.0, 1.0]))
    >>> crop.box
    (slice(16, 43, None), slice(26, 53, None))
    >>> crop.affine[:, 2]
    array([32., 52.,  1.])
    """
    corners = _head_corners(image)
    return _cut(np.asarray(image), others, corners, margin_px, affine)


def crop_volume(
    volume: np.ndarray,
    affine: np.ndarray,
    *others: np.ndarray,
    margin_px: int = 0,
) -> Crop:
    """Crop a volume to the head, which is found in its projections along the three axes.

    `crop_to_head` describes how. Maximum-intensity projections hold less noise than slices, and
    show the head at its widest.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
        In any order of axes.
    affine : ndarray of shape (4, 4)
        Voxel indices to world coordinates; it moves along.
    *others : ndarray of shape (X, Y, Z)
    margin_px : int
        Voxels to add on every side, as far as the frame allows; at most the longest side of the
        volume.

    Returns
    -------
    Crop

    Raises
    ------
    InputError
        As `crop_to_head`.

    Examples
    --------
    >>> volume = np.zeros((64, 64, 40))
    >>> volume[20:40, 30:50, 10:30] = 1
    >>> crop = crop_volume(volume, np.diag([1.0, 1.0, 3.0, 1.0]))
    >>> crop.image.shape, crop.affine[:3, 3]
    ((25, 25, 25), array([17., 27., 21.]))
    """
    volume = _check(volume, 3)
    starts = []
    stops = []
    for axis, size in enumerate(volume.shape):
        start, stop = _head_corners(volume.max(axis))
        starts.append(np.insert(start, axis, size))
        stops.append(np.insert(stop, axis, 0))
    corners = np.min(starts, axis=0), np.max(stops, axis=0)
    return _cut(volume, others, corners, margin_px, affine)


def _head_corners(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first (row, column) of the head, and the first behind it."""
    contrasted = clahe(masks.normalize(image))
    gray = cv2.GaussianBlur(contrasted, (_EDGES_PX, _EDGES_PX), 0)
    high = masks.otsu_threshold(gray)
    square = np.ones((_EDGES_PX, _EDGES_PX), np.uint8)
    edges = cv2.dilate(cv2.Canny(gray, high / 2, high), square)
    contours, _ = cv2.findContours(edges, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return np.array([0, 0]), np.array(image.shape)
    boxes = np.array([cv2.boundingRect(contour) for contour in contours])
    areas_px = boxes[:, 2] * boxes[:, 3]
    boxes = boxes[areas_px >= areas_px.max() / _LARGEST_RATIO]
    x, y, width, height = boxes.T
    start = np.array([y.min(), x.min()])
    stop = np.array([(y + height).max(), (x + width).max()])
    return start, stop


def _cut(
    image: np.ndarray,
    others: Sequence[np.ndarray],
    corners: tuple[np.ndarray, np.ndarray],
    margin_px: int,
    affine: np.ndarray | None,
) -> Crop:
    """Cut all arrays to a box with a margin, and move the affine along."""
    margin_px = errors.check_whole(margin_px, "margin", 0, max(image.shape), "px")
    head_start, head_stop = corners
    start = np.maximum(head_start - margin_px, 0)
    stop = np.minimum(head_stop + margin_px, image.shape)
    box = tuple(map(slice, start.tolist(), stop.tolist()))
    if affine is not None:
        affine = errors.check_affine(affine, image.ndim + 1, 4)
        affine[:-1, -1] += affine[:-1, : start.size] @ start
    parts = []
    for other in others:
        array = np.asarray(errors.check_unmasked(other))
        parts.append(_check_shape(array, image.shape)[box].copy())
    return Crop(image[box].copy(), tuple(parts), box, affine)


# --- bias field ---------------------------------------------------------------------------------


def n4(
    volume: np.ndarray,
    affine: np.ndarray | None = None,
    *,
    mask: np.ndarray | None = None,
    shrink_factor: int = 3,
    iterations: Sequence[int] = (20, 10, 10, 5),
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Correct the bias field by N4.

    The logarithm of the field is estimated on a shrunken image; the full image is divided by the
    field.

    Parameters
    ----------
    volume : ndarray of shape (H, W) or (X, Y, Z), bool, integer or float
    affine : ndarray of shape (3, 3) or (4, 4), optional
        Indices to world coordinates [mm], which gives the voxel size. By default voxels are cubes.
    mask : ndarray of the same shape, optional
        Where the field is estimated; voxels that are not above 0 are always left out. By default
        the foreground of Otsu's threshold. The field is divided out everywhere.
    shrink_factor : int
        Factor along the axis of the finest voxels. Axes of thicker voxels are shrunk less, so that
        the shrunken voxels are about as long on every side. No axis is shrunk to fewer than 12
        voxels.
    iterations : sequence of int
        Iterations of each level; every level doubles the resolution of the splines.
    progress : bool
        Show a bar on a terminal's stderr if it takes over two seconds.

    Returns
    -------
    image : ndarray, float32
        ``volume / field``.
    field : ndarray, float32
        Above 0. It does not depend on the number of processors, nor on the orientation of the
        volume in the world.

    Raises
    ------
    InputError
        If SimpleITK is missing, or the volume, the mask or an option cannot be used.

    References
    ----------
    N. J. Tustison et al., "N4ITK: improved N3 bias correction", IEEE Transactions on Medical
    Imaging 29(6):1310–1320, 2010, doi:10.1109/TMI.2010.2046908. SimpleITK's implementation.

    Examples
    --------
    >>> ramp = np.linspace(1, 2, 32) * np.ones((32, 32))
    >>> image, field = n4(ramp, mask=np.ones((32, 32)), shrink_factor=1)
    >>> bool(np.ptp(image) < 0.1 * np.ptp(ramp)), field.dtype.name
    (True, 'float32')
    """
    sitk = extra("SimpleITK", "N4", "volumes")
    volume = _check(volume, 2, 3)
    if mask is None:
        mask = _foreground(volume)
    inside = _check_shape(errors.check_binary(mask), volume.shape) * (volume > 0)
    factors = _shrink_factors(volume.shape, affine, shrink_factor)
    iterations = _check_iterations(iterations)
    full_image = _to_sitk(sitk, volume.astype(np.float32))
    inside_image = sitk.Shrink(_to_sitk(sitk, inside), factors)
    if 1 in volume.shape or not sitk.GetArrayViewFromImage(inside_image).any():
        wanted = "2 voxels a side and foreground above 0"
        raise InputError(f"expected {wanted}, got {volume.shape} shrunk by {factors}")

    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations(iterations)
    # With a threshold, rounding might decide on one iteration more.
    corrector.SetConvergenceThreshold(0)
    with _threads(sitk, _N4_THREADS):
        with _bar(sum(iterations), progress) as bar:
            corrector.AddCommand(sitk.sitkIterationEvent, bar.update)
            corrector.Execute(sitk.Shrink(full_image, factors), inside_image)
        log_field = corrector.GetLogBiasFieldAsImage(full_image)
    field = np.exp(sitk.GetArrayFromImage(log_field).T)
    return (volume / field).astype(np.float32), field


def _foreground(volume: np.ndarray) -> np.ndarray:
    """Mark what lies above Otsu's threshold."""
    gray = masks.normalize_values(volume)
    return gray > masks.otsu_of_values(gray)


def _shrink_factors(
    shape: tuple[int, ...],
    affine: np.ndarray | None,
    shrink_factor: int,
) -> list[int]:
    """Return the factor for each axis that makes shrunken voxels about as long on every side."""
    if affine is None:
        affine = np.eye(4)
    affine = errors.check_affine(affine, len(shape) + 1, 4)
    sizes_mm = nib.affines.voxel_sizes(affine)[: len(shape)]
    largest = errors.check_whole(shrink_factor, "shrink factor", 1, 100, "a side")
    factors = []
    for size, wanted in zip(shape, largest * sizes_mm.min() / sizes_mm, strict=True):
        most = size // _LEAST_SHRUNKEN_VOXELS
        factors.append(max(1, min(round(wanted), most)))
    return factors


def _check_iterations(iterations: Sequence[int]) -> list[int]:
    """Return the iterations of each level if they are whole numbers in range."""
    checked = []
    for number in np.atleast_1d(iterations):
        checked.append(errors.check_whole(number, "number of iterations", 1, 1000, "a level"))
    return checked


def _to_sitk(sitk: ModuleType, array: np.ndarray) -> Any:
    """Return an image of SimpleITK, whose axes are in the reverse order."""
    return sitk.GetImageFromArray(np.ascontiguousarray(array.T))


def _bar(total: int, progress: bool) -> tqdm:
    """Return a bar for N4's iterations, which shows on a terminal alone."""
    disable = None if progress else True
    return tqdm(desc="N4", total=total, delay=2, leave=False, disable=disable)


@contextlib.contextmanager
def _threads(sitk: ModuleType, count: int) -> Iterator[None]:
    """Let SimpleITK compute with so many threads."""
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(count)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


# --- resampling and intensity scale -------------------------------------------------------------


def resample_crop(
    volume: np.ndarray,
    affine: np.ndarray,
    *,
    shape: Sequence[int] = (96, 128, 160),
    voxel_mm: float = 2.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Resample a volume to a box of cubic voxels about the origin of the world.

    A volume that holds 0 and at most one value above it is a mask, whatever its dtype, and is
    resampled by the nearest voxel. Everything else is an image and is interpolated linearly. Image
    and mask of one head come out on one grid. The source takes the origin for the middle of the
    head; where it is not, move the affine first.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), bool, integer or float
    affine : ndarray of shape (4, 4)
        Voxel indices to world coordinates [mm].
    shape : (X, Y, Z)
        Size of the box [voxels].
    voxel_mm : float
        Size of a voxel [mm].

    Returns
    -------
    array : ndarray of the requested shape
        float32, or uint8 of {0, 1} for a mask; 0 outside the volume.
    affine : ndarray of shape (4, 4), float64
        Voxel indices to world coordinates [mm]. The first voxel lies at ``-shape * voxel_mm / 2``,
        as in the source.

    Raises
    ------
    InputError
        If nilearn is missing, an argument cannot be used, or nothing of the image lies in the box.

    References
    ----------
    A. Abraham et al., "Machine learning for neuroimaging with scikit-learn", Frontiers in
    Neuroinformatics 8:14, 2014, doi:10.3389/fninf.2014.00014. nilearn's ``resample_img``.

    Examples
    --------
    >>> affine = np.array([[1.0, 0, 0, -4], [0, 1, 0, -4], [0, 0, 1, -4], [0, 0, 0, 1]])
    >>> array, affine = resample_crop(np.full((8, 8, 8), 255), affine, shape=(2, 2, 4))
    >>> array.dtype.name, array.sum(), affine[:3, 3]
    ('uint8', np.uint64(16), array([-2., -2., -4.]))
    """
    nilearn_image = extra("nilearn.image", "resampling", "volumes")
    volume = _check(volume, 3)
    affine = errors.check_affine(affine, 4)
    if np.shape(shape) != (3,) or not 0 < voxel_mm < np.inf:
        wanted = "three numbers of voxels and a size above 0 mm"
        raise InputError(f"expected {wanted}, got {shape} and {voxel_mm}")
    shape = [errors.check_whole(n, "number of voxels", 1, 1024, "an axis") for n in shape]
    is_mask = volume.min() >= 0 and np.isin(volume, (0, volume.max())).all()
    if is_mask:
        volume = (volume != 0).astype(np.uint8)
        interpolation = "nearest"
    else:
        volume = volume.astype(np.float32)
        interpolation = "linear"
    origin_mm = np.multiply(shape, -voxel_mm / 2)
    target = nib.affines.from_matvec(np.eye(3) * voxel_mm, origin_mm)
    try:
        resampled = nilearn_image.resample_img(
            nib.Nifti1Image(volume, affine),
            target,
            shape,
            interpolation,
            force_resample=True,
            copy_header=True,
        )
        array = np.array(resampled.dataobj, volume.dtype, order="C")
    except nilearn_image.resampling.BoundingBoxError:  # it ends before the box begins
        array = np.zeros(shape, volume.dtype)
    if not is_mask and not array.any():
        wanted = "expected a head about the origin of the world"
        raise InputError(f"{wanted}, got nothing of it in {shape} voxels there")
    return array, target


def rescale(image: np.ndarray) -> np.ndarray:
    """Stretch intensities linearly to 0 … 255.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (X, Y, Z), bool, integer or float

    Returns
    -------
    ndarray of the same shape, float32
        ``(x − min) / (max − min) · 255``. `masks.normalize` is the uint8 counterpart. It computes
        in the precision of the image, so that single pixels may differ by one level.

    Raises
    ------
    InputError
        If all values are equal, some are not finite, or there are not two or three axes.

    References
    ----------
    SimpleITK's ``RescaleIntensityImageFilter``.

    Examples
    --------
    >>> rescale(np.array([[-1, 0, 4]]))
    array([[  0.,  51., 255.]], dtype=float32)
    """
    stretched = _stretch(_check(image, 2, 3))
    return (stretched * 255).astype(np.float32)


def zscore(image: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Scale intensities to a mean of 0 and a standard deviation of 1, inside a mask if given.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (X, Y, Z), bool, integer or float
    mask : ndarray of the same shape, optional

    Returns
    -------
    ndarray of the same shape, float32
        0 outside the mask. The standard deviation is that of the values themselves (n, not
        n − 1).

    Raises
    ------
    InputError
        If there are not two different values inside the mask, if some are not finite, or if image
        and mask differ in shape.

    References
    ----------
    J. C. Reinhold et al., "Evaluating the impact of intensity normalization on MR image
    synthesis", Proceedings of SPIE 10949, 2019, doi:10.1117/12.2513089.

    Examples
    --------
    >>> zscore(np.array([[1, 3, 9]]), mask=[[1, 1, 0]])
    array([[-1.,  1.,  0.]], dtype=float32)
    """
    image = _check(image, 2, 3)
    inside = np.ones(image.shape, bool)
    if mask is not None:
        inside = _check_shape(errors.check_binary(mask), image.shape) > 0
    values = _stretch(image[inside])
    scores = np.zeros(image.shape, np.float32)
    scores[inside] = (values - values.mean()) / values.std()
    return scores


def _stretch(array: np.ndarray) -> np.ndarray:
    """Stretch values to 0 … 1 in float64; dividing first keeps any range finite."""
    array = np.asarray(array, np.float64)
    if not array.size or array.min() == array.max():
        value = array.ravel()[:1].tolist()
        raise InputError(f"expected at least two different values, got {value}")
    array = array / np.abs(array).max()
    low = array.min()
    return (array - low) / (array.max() - low)


# --- checks -------------------------------------------------------------------------------------


def _check(array: np.ndarray, *axes: int) -> np.ndarray:
    """Return an array if it has one of these numbers of axes and holds real, finite values."""
    array = np.asarray(errors.check_unmasked(array))
    if array.ndim not in axes:
        wanted = " or ".join(map(str, axes))
        raise InputError(f"expected an array of {wanted} axes, got shape {array.shape}")
    if not array.size:
        raise InputError(f"expected an array of at least one pixel, got shape {array.shape}")
    errors.check_values(array)
    return array


def _check_shape(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array if it has the shape of the image."""
    if array.shape != shape:
        raise InputError(f"expected an array of the image's shape {shape}, got {array.shape}")
    return array
