"""What is done to slices and volumes before they are masked: contrast, crop, bias field, resampling, intensity scale.

The source of contrast and crop is the article on tumour segmentation, that of bias field, resampling and rescaling
the one on 3-D skull stripping. N4 needs SimpleITK and resampling needs nilearn, both of the extra ``volumes``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import nibabel as nib
import numpy as np
from tqdm import tqdm

from .. import errors, masks
from ..errors import InputError, extra

_EDGES_PX = 5  # width of the Gaussian before the edges are found, and of the square that they are dilated with


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
        One per axis, rows before columns: ``array[crop.box]`` cuts any other array alike.
    affine : ndarray of shape (3, 3) or (4, 4), float64, or None
        Indices of the crop to world.
    """

    image: np.ndarray
    others: tuple[np.ndarray, ...]
    box: tuple[slice, ...]
    affine: np.ndarray | None


def equalize(image: np.ndarray) -> np.ndarray:
    """Equalise the histogram of a slice.

    Parameters
    ----------
    image : ndarray of shape (H, W), bool, integer or float

    Returns
    -------
    ndarray of shape (H, W)
        uint8 is what OpenCV gives, 0 … 255; uint16 is equalised over its own levels, 0 … 65535. All else is stretched
        over 65536 levels first and comes back in its own range of [min, max], in its own float dtype or else as
        float64. A flat slice stays as it is.

    Raises
    ------
    InputError
        If the slice holds NaN or infinite values, or is not ``(H, W)``.

    References
    ----------
    OpenCV's ``equalizeHist``; R. C. Gonzalez and R. E. Woods, "Digital Image Processing", chapter 3.

    Examples
    --------
    >>> equalize(np.array([[0.0, 1.0], [2.0, 9.0]])).round(1)
    array([[0., 3.],
           [6., 9.]])
    """
    return _on_levels(image, lambda array: np.uint16(_unit(array) * 65535), _equalize)


def clahe(image: np.ndarray, *, clip_limit: float = 2.0, grid: tuple[int, int] = (8, 8)) -> np.ndarray:
    """Equalise the histogram of every tile of a slice with a limit on the contrast (CLAHE).

    Parameters
    ----------
    image : ndarray of shape (H, W), bool, integer or float
    clip_limit : float
        How many times the mean of a tile's histogram a bin may hold; the rest is spread over all bins.
    grid : pair of int
        Rows and columns of tiles, each 1 … 32.

    Returns
    -------
    ndarray of shape (H, W)
        uint8 and uint16 are what OpenCV gives. All else goes through the 256 levels of `masks.normalize` and comes back
        within its own range of [min, max], in its own float dtype or else as float64. A flat slice stays as it is.

    Raises
    ------
    InputError
        If the slice holds NaN or infinite values, or is not ``(H, W)``; if the limit is not above 0, or the grid not
        two whole numbers in range.

    Notes
    -----
    OpenCV clips no bin below one pixel. On the 65536 levels of uint16 a bin seldom holds more, so that the effect
    depends on the size of a tile and on the number of distinct values more than on ``clip_limit``. For the usual effect
    give 8 bits (`masks.normalize`) or floats.

    References
    ----------
    K. Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 474–485, 1994,
    doi:10.1016/B978-0-12-336156-1.50061-6. OpenCV's implementation.

    Examples
    --------
    >>> clahe(np.array([[10, 10, 20, 90]], np.uint8), grid=(1, 1))
    array([[128, 128, 191, 255]], dtype=uint8)
    """
    if not 0 < clip_limit < np.inf or np.shape(grid) != (2,):
        raise InputError(f"expected a clip limit above 0 and a grid of rows and columns, got {clip_limit} and {grid}")
    rows, columns = (errors.check_whole(n, "number of tiles", 1, 32, "a side") for n in grid)
    # far above 65536, where nothing is clipped any more, OpenCV's count of pixels overflows
    return _on_levels(image, masks.normalize, cv2.createCLAHE(min(float(clip_limit), 65536.0), (columns, rows)).apply)


def _on_levels(image, to_levels, change) -> np.ndarray:
    """Change the grey levels of a slice: its own where it is unsigned of 8 or 16 bit, else those that it is given."""
    image = errors.check_slice(image)
    image = np.ascontiguousarray(image, image.dtype.newbyteorder("="))
    if (low := image.min()) == (high := image.max()):
        return image.copy()
    if image.dtype in (np.uint8, np.uint16):
        return change(image)
    levels = to_levels(image)
    share = change(levels) / np.iinfo(levels.dtype).max
    made = np.clip(float(low) * (1 - share) + float(high) * share, float(low), float(high))
    return made.astype(image.dtype if image.dtype.kind == "f" else np.float64)


def _equalize(levels: np.ndarray) -> np.ndarray:
    below = np.bincount(levels.ravel()).cumsum()
    below = np.float32(below - below[levels.min()])  # the darkest pixels become 0; the precision is OpenCV's
    return np.rint(below * (np.iinfo(levels.dtype).max / below[-1])).astype(levels.dtype)[levels]


def _unit(array: np.ndarray) -> np.ndarray:
    """Stretch to 0 … 1 in float64; dividing first keeps any range finite."""
    array = np.asarray(array, np.float64)
    if not array.size or array.min() == array.max():
        raise InputError(f"expected at least two different values, got {array.ravel()[:1].tolist()}")
    array = array / np.abs(array).max()
    return (array - array.min()) / (array.max() - array.min())


def crop_to_head(image: np.ndarray, *others: np.ndarray, margin_px: int = 0, affine: np.ndarray | None = None) -> Crop:
    """Crop a slice to the head: CLAHE, edges, dilation, contours, extreme points; cut further arrays alike.

    The edges are Canny's with Otsu's threshold and half of it. Dilation joins them to outlines, and what stays small is
    noise. The outline of a head may come in pieces of which the largest is the brain, so the extreme points are those
    of every contour whose bounding box covers at least a twentieth of the largest one's.

    Parameters
    ----------
    image : ndarray of shape (H, W), bool, integer or float
    *others : ndarray of shape (H, W)
        For example a mask.
    margin_px : int
        Pixels to add on every side, as far as the frame allows; at most the longer side of the image.
    affine : ndarray of shape (3, 3) or (4, 4), optional
        Row and column (and slice), in this order, to world. It moves along: a pixel of the crop has the world
        coordinates that it had.

    Returns
    -------
    Crop
        The whole frame where there is no contour, as in a flat slice.

    Raises
    ------
    InputError
        If an array is not a slice of the same shape, or the margin or the affine cannot be used.

    Notes
    -----
    A slice k of `load` shows the RAS volume with anterior up: row r and column c are voxel (c, Y − 1 − r, k), so its
    affine is ``affine @ [[0, 1, 0, 0], [-1, 0, 0, Y - 1], [0, 0, 1, k], [0, 0, 0, 1]]``.

    References
    ----------
    J. Canny, "A computational approach to edge detection", IEEE Transactions on Pattern Analysis and Machine
    Intelligence 8(6):679–698, 1986, doi:10.1109/TPAMI.1986.4767851; S. Suzuki and K. Abe, "Topological structural
    analysis of digitized binary images by border following", Computer Vision, Graphics, and Image Processing
    30(1):32–46, 1985, doi:10.1016/0734-189X(85)90016-7. OpenCV's implementations.

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
    return _cut(np.asarray(image), others, _head_box(image), margin_px, affine)


def crop_volume(volume: np.ndarray, affine: np.ndarray, *others: np.ndarray, margin_px: int = 0) -> Crop:
    """Crop a volume to the head, as `crop_to_head` finds it in the maximum-intensity projections along the three axes.

    Projections hold less noise than slices, and the head in every one of its widths.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
        In any order of axes.
    affine : ndarray of shape (4, 4)
        Voxel to world; it moves along.
    *others : ndarray of shape (X, Y, Z)
    margin_px : int
        Voxels to add on every side, as far as the frame allows.

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
    boxes = [np.insert(_head_box(volume.max(a)), a, (volume.shape[a], 0), axis=1) for a in range(3)]
    return _cut(volume, others, (np.min(boxes, axis=0)[0], np.max(boxes, axis=0)[1]), margin_px, affine)


def _head_box(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First (row, column) of the head, and the first behind it."""
    gray = cv2.GaussianBlur(clahe(masks.normalize(image)), (_EDGES_PX, _EDGES_PX), 0)
    high = masks.otsu_threshold(gray)
    edges = cv2.dilate(cv2.Canny(gray, high / 2, high), np.ones((_EDGES_PX, _EDGES_PX), np.uint8))
    contours, _ = cv2.findContours(edges, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    boxes = [cv2.boundingRect(contour) for contour in contours] or [(0, 0, *image.shape[::-1])]
    x, y, width, height = np.transpose(boxes)
    x, y, width, height = np.transpose(boxes)[:, width * height >= (width * height).max() / 20]
    return np.array([y.min(), x.min()]), np.array([(y + height).max(), (x + width).max()])


def _cut(image, others, corners, margin_px, affine) -> Crop:
    margin_px = errors.check_whole(margin_px, "margin", 0, max(image.shape), "px")
    start, stop = np.maximum(corners[0] - margin_px, 0), np.minimum(corners[1] + margin_px, image.shape)
    box = tuple(map(slice, start.tolist(), stop.tolist()))
    if affine is not None:
        affine = _check_affine(affine, {image.ndim + 1, 4})
        affine[:-1, -1] += affine[:-1, : start.size] @ start
    others = (np.asarray(errors.check_unmasked(other)) for other in others)
    cut = (_check_shape(other, image.shape)[box].copy() for other in others)
    return Crop(image[box].copy(), tuple(cut), box, affine)


def n4(
    volume: np.ndarray,
    affine: np.ndarray | None = None,
    *,
    mask: np.ndarray | None = None,
    shrink_factor: int = 3,
    iterations: Sequence[int] = (20, 10, 10, 5),
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Correct the bias field by N4: estimate its logarithm on a shrunken image, divide the full one by it.

    Parameters
    ----------
    volume : ndarray of shape (H, W) or (X, Y, Z), bool, integer or float
    affine : ndarray of shape (3, 3) or (4, 4), optional
        Indices to world [mm]: it tells the voxel size. By default voxels are as long on every side.
    mask : ndarray of the same shape, optional
        Where the field is estimated; voxels that are not above 0 are always left out. By default the foreground of
        Otsu's threshold. The field is divided out everywhere.
    shrink_factor : int
        Of the axis of the finest voxels. Axes of thicker voxels are shrunk less, so that the shrunken voxels are about
        as long on every side, and no axis to fewer than 12 voxels.
    iterations : sequence of int
        Of each level; every level doubles the resolution of the splines.
    progress : bool
        Show a bar on a terminal's stderr if it takes over two seconds.

    Returns
    -------
    image : ndarray, float32
        ``volume / field``.
    field : ndarray, float32
        Above 0. The same on any number of processors, and whatever the orientation of the volume in the world.

    Raises
    ------
    InputError
        If SimpleITK is missing, or the volume, the mask or an option cannot be used.

    References
    ----------
    N. J. Tustison et al., "N4ITK: improved N3 bias correction", IEEE Transactions on Medical Imaging
    29(6):1310–1320, 2010, doi:10.1109/TMI.2010.2046908. SimpleITK's implementation.

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
        gray = masks.normalize(volume.reshape(1, -1))
        mask = (gray > masks.otsu_threshold(gray)).reshape(volume.shape)
    inside = _check_shape(errors.check_binary(mask), volume.shape) * (volume > 0)
    affine = _check_affine(np.eye(4) if affine is None else affine, {volume.ndim + 1, 4})
    spacing = nib.affines.voxel_sizes(affine)[: volume.ndim]
    wanted = errors.check_whole(shrink_factor, "shrink factor", 1, 100, "a side") * spacing.min() / spacing
    shrink = [max(1, min(round(n), size // 12)) for n, size in zip(wanted, volume.shape, strict=True)]
    iterations = [errors.check_whole(n, "number of iterations", 1, 1000, "a level") for n in np.atleast_1d(iterations)]
    full, inside = (sitk.GetImageFromArray(np.ascontiguousarray(a.T)) for a in (volume.astype(np.float32), inside))
    inside = sitk.Shrink(inside, shrink)
    if 1 in volume.shape or not sitk.GetArrayViewFromImage(inside).any():
        raise InputError(f"expected 2 voxels a side and foreground above 0, got {volume.shape} shrunk by {shrink}")
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations(iterations)
    corrector.SetConvergenceThreshold(0)  # else rounding may decide on one iteration more
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    try:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(4)  # N4's last digits depend on how its sums are split
        with tqdm(desc="N4", total=sum(iterations), delay=2, leave=False, disable=None if progress else True) as bar:
            corrector.AddCommand(sitk.sitkIterationEvent, bar.update)
            corrector.Execute(sitk.Shrink(full, shrink), inside)
        field = np.exp(sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(full)).T)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    return (volume / field).astype(np.float32), field


def resample_crop(
    volume: np.ndarray, affine: np.ndarray, *, shape: Sequence[int] = (96, 128, 160), voxel_mm: float = 2.0
) -> tuple[np.ndarray, np.ndarray]:
    """Resample a volume to a box of cubic voxels about the origin of the world.

    What holds 0 and at most one value above it is a mask, whatever its dtype, and is resampled by the nearest voxel;
    all else is an image and is interpolated linearly. Image and mask of one head come out on one grid. The source
    takes the origin for the middle of the head; where it is not, move the affine first.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), bool, integer or float
    affine : ndarray of shape (4, 4)
        Voxel to world [mm].
    shape : (X, Y, Z)
        Voxels of the box.
    voxel_mm : float
        Their size [mm].

    Returns
    -------
    array : ndarray of the shape asked for
        float32; uint8 of {0, 1} for a mask. 0 outside the volume.
    affine : ndarray of shape (4, 4), float64
        Voxel to world; the first voxel lies at ``-shape * voxel_mm / 2``, as in the source.

    Raises
    ------
    InputError
        If nilearn is missing, an argument cannot be used, or nothing of the image lies in the box.

    References
    ----------
    A. Abraham et al., "Machine learning for neuroimaging with scikit-learn", Frontiers in Neuroinformatics 8:14, 2014,
    doi:10.3389/fninf.2014.00014. nilearn's ``resample_img``.

    Examples
    --------
    >>> affine = np.array([[1.0, 0, 0, -4], [0, 1, 0, -4], [0, 0, 1, -4], [0, 0, 0, 1]])
    >>> array, affine = resample_crop(np.full((8, 8, 8), 255), affine, shape=(2, 2, 4))
    >>> array.dtype.name, array.sum(), affine[:3, 3]
    ('uint8', np.uint64(16), array([-2., -2., -4.]))
    """
    resample = extra("nilearn.image", "resampling", "volumes").resample_img
    volume, affine = _check(volume, 3), _check_affine(affine, {4})
    if np.shape(shape) != (3,) or not 0 < voxel_mm < np.inf:
        raise InputError(f"expected three numbers of voxels and a size above 0 mm, got {shape} and {voxel_mm}")
    shape = [errors.check_whole(n, "number of voxels", 1, 1024, "an axis") for n in shape]
    how = "nearest" if np.isin(volume, (0, volume.max())).all() else "linear"
    volume = np.uint8(volume != 0) if how == "nearest" else volume.astype(np.float32)
    target = nib.affines.from_matvec(np.eye(3) * voxel_mm, np.multiply(shape, -voxel_mm / 2))
    made = resample(nib.Nifti1Image(volume, affine), target, shape, how, force_resample=True, copy_header=True)
    array = np.array(made.dataobj, volume.dtype, order="C")
    if how == "linear" and not array.any():
        raise InputError(f"expected a head about the origin of the world, got nothing of it in {shape} voxels there")
    return array, target


def rescale(image: np.ndarray) -> np.ndarray:
    """Stretch intensities linearly to 0 … 255.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (X, Y, Z), bool, integer or float

    Returns
    -------
    ndarray of the same shape, float32
        ``(x − min) / (max − min) · 255``; `masks.normalize` gives the same, truncated to uint8.

    Raises
    ------
    InputError
        If all values are equal, some not finite, or the shape is another.

    References
    ----------
    SimpleITK's ``RescaleIntensityImageFilter``.

    Examples
    --------
    >>> rescale(np.array([[-1, 0, 4]]))
    array([[  0.,  51., 255.]], dtype=float32)
    """
    return (_unit(_check(image, 2, 3)) * 255).astype(np.float32)


def zscore(image: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Give intensities a mean of 0 and a standard deviation of 1, inside a mask if there is one.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (X, Y, Z), bool, integer or float
    mask : ndarray of the same shape, optional

    Returns
    -------
    ndarray of the same shape, float32
        0 outside the mask. The standard deviation is that of the values themselves (n, not n − 1).

    Raises
    ------
    InputError
        If there are not two different values inside the mask, some not finite, or the shapes are others.

    References
    ----------
    J. C. Reinhold et al., "Evaluating the impact of intensity normalization on MR image synthesis", Proceedings of SPIE
    10949, 2019, doi:10.1117/12.2513089.

    Examples
    --------
    >>> zscore(np.array([[1, 3, 9]]), mask=[[1, 1, 0]])
    array([[-1.,  1.,  0.]], dtype=float32)
    """
    image = _check(image, 2, 3)
    inside = np.ones(image.shape, bool) if mask is None else _check_shape(errors.check_binary(mask), image.shape) > 0
    values = _unit(image[inside])
    made = np.zeros(image.shape, np.float32)
    made[inside] = (values - values.mean()) / values.std()
    return made


def _check(array: np.ndarray, *axes: int) -> np.ndarray:
    array = np.asarray(errors.check_unmasked(array))
    if array.ndim not in axes:
        raise InputError(f"expected an array of {' or '.join(map(str, axes))} axes, got shape {array.shape}")
    if not array.size:
        raise InputError(f"expected an array of at least one pixel, got shape {array.shape}")
    errors.check_values(array)
    return array


def _check_shape(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape != shape:
        raise InputError(f"expected an array of the image's shape {shape}, got {array.shape}")
    return array


def _check_affine(affine: np.ndarray, sizes: set[int]) -> np.ndarray:
    affine = np.array(affine, float)
    if affine.shape not in {(n, n) for n in sizes} or not np.isfinite(affine).all() or np.linalg.det(affine) == 0:
        raise InputError(f"expected an invertible affine of {' or '.join(map(str, sizes))} rows, got {affine.tolist()}")
    return affine
