"""Brain masks of whole volumes by nidataset's recipe, and what its page does with them: search, check, apply, compare.

Volumes are ``(X, Y, Z)`` in the order of their file; masks are ``uint8`` of {0, 1}. Components and background are
6-connected: voxels are neighbours where they share a face. The recipe was made for CT angiography.
"""

import contextlib
import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import cv2
import nibabel as nib
import numpy as np
from scipy import ndimage
from tqdm import tqdm

from .. import phantom
from ..errors import InputError, check_binary, check_unmasked, check_values, check_whole
from ..io import dicom, nifti, outputs, paths
from . import preprocess

MODALITIES = {
    "CT_contrast": {"threshold": (50, 300), "closing_radius": 3},
    "CT_plain": {"threshold": (20, 100), "closing_radius": 4},
    "MRI_T1": {"threshold": None, "closing_radius": 3},
    "MRI_T2": {"threshold": (100, 500), "closing_radius": 3},
}
Threshold = tuple[float, float] | None
_Path = str | os.PathLike


@dataclass(frozen=True)
class QualityControl:
    """What is known of a mask without a truth.

    Attributes
    ----------
    coverage_percent : float
        Of the whole volume.
    head_percent : float or None
        Of the image's voxels above zero; None without an image.
    components, holes : int
        Parts of the mask, and parts of the background that the mask encloses.
    touches_frame : bool
        A voxel of the mask lies on a side of the volume.
    warnings : tuple of str
        One sentence for each thing to look at.
    """

    coverage_percent: float
    head_percent: float | None
    components: int
    holes: int
    touches_frame: bool
    warnings: tuple[str, ...]


class Volume(NamedTuple):
    """A volume in RAS order, and what is known of it.

    Attributes
    ----------
    array : ndarray of shape (X, Y, Z), float32
    affine : ndarray of shape (4, 4), float64
        Voxels to world [mm].
    brain : ndarray of shape (X, Y, Z), uint8 of {0, 1}, or None
        The true brain.
    name : str
    """

    array: np.ndarray
    affine: np.ndarray
    brain: np.ndarray | None
    name: str


def load(source: _Path) -> Volume:
    """Load a volume and turn it to RAS order.

    Parameters
    ----------
    source : str or path
        ``"phantom"``, or see `read`.

    Returns
    -------
    Volume

    Raises
    ------
    FileNotFoundError, InputError
        If there is nothing, or nothing that can be read as one volume.

    Examples
    --------
    >>> load("phantom").array.shape
    (92, 112, 92)
    """
    if source == "phantom":
        array, labels, affine = phantom.render_volume()
        return Volume(array, affine, phantom.brain_mask(labels), "phantom")
    array, image = read(source)
    return Volume(*nifti.to_ras(array, nifti.affine_mm(image, source)), None, Path(source).name)


def read(source: _Path, dtype: type | None = np.float32) -> tuple[np.ndarray, nib.Nifti1Image]:
    """Read a NIfTI file or the folder of a DICOM series, see `nifti.read` and `dicom.read_series`.

    Parameters
    ----------
    source : str or path
    dtype : type or None
        Float type of the values; None is the file's own type. Those of DICOM are float32.

    Returns
    -------
    array : ndarray of shape (X, Y, Z)
    image : Nifti1Image or Nifti2Image

    Raises
    ------
    FileNotFoundError, InputError
        If there is nothing, or nothing that can be read as one volume.

    Examples
    --------
    >>> read("missing.nii.gz")
    Traceback (most recent call last):
    ...
    FileNotFoundError: missing.nii.gz: no such file
    """
    if existing(source).is_dir():
        image = dicom.read_series(source)
        return image.get_fdata(dtype=np.float32), image
    if not nifti.split_name(source)[1]:
        wanted = f"a file that ends in {', '.join(nifti.READABLE[:4])}, or the folder of a DICOM series"
        raise InputError(f"{source}: expected {wanted}")
    return nifti.read(source, dtype)


def _check_bins(values: np.ndarray) -> None:
    """Refuse values whose range does not split into 256 bins of numbers that differ."""
    low, high = values.min(), values.max()
    with np.errstate(over="ignore", invalid="ignore"):
        edges = np.linspace(low, high, 257)
    if not (edges[:-1] < edges[1:]).all():
        told = "expected values whose range is large against their size"
        raise InputError(f"{told}, got {low:g} to {high:g}; subtract their lowest, or give a threshold (low, high)")


def otsu_range(volume: np.ndarray) -> tuple[float, float]:
    """Find the automatic range: from half to twice Otsu's threshold of the voxels above zero.

    The histogram has 256 bins between the lowest and the highest of these voxels. Its counts are float32, as those of
    scikit-image: that decides between thresholds that split almost equally well.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), integer or float

    Returns
    -------
    low, high : float

    Raises
    ------
    InputError
        If no voxel is above zero, or the values are too large against their range for 256 bins.

    References
    ----------
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems,
    Man, and Cybernetics 9(1):62–66, 1979, doi:10.1109/TSMC.1979.4310076. The same bins as scikit-image's.

    Examples
    --------
    >>> otsu_range(np.array([[[0, 0, 10, 10, 200, 210]]]))
    (5.1953125, 20.78125)
    """
    values = np.ravel(volume, order="K")
    values = values[values > 0]
    if not values.size:
        raise InputError("no voxel is above zero, as the automatic threshold needs; give a threshold (low, high)")
    counts = None
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:  # few levels: each enters the histogram once
        counts = sum(np.bincount(part, minlength=2**16) for part in np.array_split(values, 64))
        values = np.flatnonzero(counts)
        counts = counts[values]
    values = values.astype(np.float64)
    threshold = values[0]
    if (values != threshold).any():
        _check_bins(values)
        counts, edges = np.histogram(values, 256, weights=counts)
        counts, centres = counts.astype(np.float32), (edges[:-1] + edges[1:]) / 2
        sums = counts * centres
        below, above = counts.cumsum()[:-1], counts[::-1].cumsum()[::-1][1:]
        mean_below, mean_above = sums.cumsum()[:-1] / below, sums[::-1].cumsum()[::-1][1:] / above
        threshold = centres[np.argmax(below * above * (mean_below - mean_above) ** 2)]
    return float(threshold * 0.5), float(threshold * 2.0)


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Fill the holes: background that is not connected to a side of the volume.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8

    Examples
    --------
    >>> shell = np.ones((3, 3, 3), np.uint8)
    >>> shell[1, 1, 1] = 0
    >>> int(fill_holes(shell).sum())
    27
    """
    background, _ = _label_background(mask)
    return (background != background[0, 0, 0])[1:-1, 1:-1, 1:-1].astype(np.uint8)


def close(mask: np.ndarray, radius: int) -> np.ndarray:
    """Close a mask with a ball: dilate, then erode.

    Outside of the volume nothing is known: it counts as background while dilating, as mask while eroding.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}
    radius : int
        Of the ball [voxels]: it holds what lies at most this far from its centre; 0 changes nothing.

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8

    Raises
    ------
    InputError
        If the radius is not a whole number from 0 to 50.

    Examples
    --------
    >>> close(np.array([[[0, 1, 0, 1, 0, 0, 0, 1, 0]]]), 1)
    array([[[1, 1, 1, 1, 0, 0, 0, 1, 1]]], dtype=uint8)
    """
    mask = np.asarray(check_unmasked(mask), np.uint8)
    radius, columns = _check_radius(radius), mask.shape[1]
    grown = dilate(np.pad(mask, ((0, 0), (0, radius), (0, 0))), radius)
    gaps = 1 - grown
    gaps[:, columns:] = 0
    return 1 - dilate(gaps, radius)[:, :columns]


def largest_component(mask: np.ndarray) -> np.ndarray:
    """Keep the largest component; of equally large ones that whose first voxel comes first in C order.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8
        Empty if ``mask`` is.

    Examples
    --------
    >>> largest_component(np.array([[[1, 0, 1, 1, 0, 1, 1]]]))
    array([[[0, 0, 1, 1, 0, 0, 0]]], dtype=uint8)
    """
    labels, count = ndimage.label(mask)
    sizes = sum(np.bincount(plane.ravel(), minlength=count + 1) for plane in labels)
    return (labels == 1 + np.argmax(sizes[1:])).astype(np.uint8) if count else np.zeros(labels.shape, np.uint8)


def brain_mask(volume: np.ndarray, *, threshold: Threshold = None, closing_radius: int = 3) -> np.ndarray:
    """Make the brain mask of a volume: range, filled holes, closing with a ball, largest component.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), integer or float
    threshold : pair of float, optional
        Lowest and highest value of the brain, both included; the default is `otsu_range`.
    closing_radius : int
        Of the ball [voxels], 0 … 50.

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8

    Raises
    ------
    InputError
        If the volume is not one of finite values that differ, if an option is not what it should be, or if no voxel
        lies in the range.

    References
    ----------
    The recipe of ``generate_brain_mask`` in nidataset, version 0.9.1; equal to it voxel for voxel.

    Examples
    --------
    >>> brain_mask(np.array([[[0, 0, 9, 10, 0, 11, 0, 0, 0, 0, 12, 0]]]), closing_radius=1)
    array([[[0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]]], dtype=uint8)
    """
    volume, radius = check_volume(volume), _check_radius(closing_radius)
    low, high = _limits(volume, threshold)
    inside = _between(volume, low, high)
    if not inside.any():
        least, most = float(volume.min()), float(volume.max())
        raise InputError(f"no voxel lies from {low:g} to {high:g}, the values go from {least:g} to {most:g}")
    box = box_around(inside, radius + 1)  # beyond it nothing changes
    mask = np.zeros(volume.shape, np.uint8)
    mask[box] = largest_component(close(fill_holes(inside[box]), radius))
    return mask


def generate_brain_mask(
    nii_path: _Path, output_path: _Path, threshold: Threshold = None, closing_radius: int = 3, debug: bool = False
) -> None:
    """Make the brain mask of a NIfTI file and write it as ``<PREFIX>_brain_mask.nii.gz``.

    It has the shape and the geometry of the scan, no text of its header, and holds uint8 of {0, 1}. See
    `brain_mask`, and `mask_scan` for other files.

    Parameters
    ----------
    nii_path : str or path
        The scan, ``<PREFIX>.nii.gz``.
    output_path : str or path
        Folder for the mask, made if missing.
    threshold : pair of float, optional
        Lowest and highest value of the brain; the default is `otsu_range`.
    closing_radius : int
        Of the ball [voxels].
    debug : bool
        Print the threshold, the range, the input, the folder and the file that was made.

    Raises
    ------
    FileNotFoundError
        If the scan does not exist.
    InputError
        If it is not a readable ``.nii.gz`` of one volume, or what `brain_mask` refuses, or if the mask cannot be
        written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scan = nib.Nifti1Image(np.pad(np.uint8([[[8, 9]]]), 2), np.eye(4))
    ...     nib.save(scan, f"{folder}/scan.nii.gz")
    ...     generate_brain_mask(f"{folder}/scan.nii.gz", f"{folder}/masks", threshold=(5, 10))
    ...     int(nib.load(f"{folder}/masks/scan_brain_mask.nii.gz").get_fdata().sum())
    2
    """
    _check_gz(nii_path)
    mask_scan(nii_path, output_path, threshold=threshold, closing_radius=closing_radius, debug=debug)


def mask_scan(
    scan: _Path, output_path: _Path, *, threshold: Threshold = None, closing_radius: int = 3, debug: bool = False
) -> tuple[Path, np.ndarray]:
    """Make the brain mask of a file or a DICOM series and write it: `generate_brain_mask` for all that is read.

    Parameters
    ----------
    scan : str or path
        See `read`.
    output_path : str or path
        Folder for the mask, made if missing.
    threshold : pair of float, optional
        Lowest and highest value of the brain; the default is `otsu_range`.
    closing_radius : int
        Of the ball [voxels].
    debug : bool
        Print the threshold, the range, the input, the folder and the file that was made.

    Returns
    -------
    output : Path
        See `mask_path`. The file has the shape and the geometry of the scan, and no text of its header.
    mask : ndarray of shape (X, Y, Z), uint8 of {0, 1}

    Raises
    ------
    FileNotFoundError
        If the scan does not exist.
    InputError
        If it is not readable as one volume, or what `brain_mask` refuses, or if the mask cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nib.save(nib.Nifti1Image(np.pad(np.uint8([[[8, 9]]]), 2), np.eye(4)), f"{folder}/scan.nii")
    ...     output, mask = mask_scan(f"{folder}/scan.nii", folder, threshold=(5, 10))
    >>> output.name, int(mask.sum())
    ('scan_brain_mask.nii', 2)
    """
    (low, high), mask, _, image = _masked(scan, threshold, closing_radius)
    output = mask_path(scan, output_path)
    _write(mask, output, image, scan, shown=(0, 1))
    if debug:
        used = f"Using Otsu's threshold: {low * 2:.2f}\nAdjusted range: " if threshold is None else "Using range: "
        print(f"{used}({low:.2f}, {high:.2f})\nInput file: '{scan}'\nOutput path: '{output_path}'")  # noqa: T201
        print(f"Brain mask saved at: {output}")  # noqa: T201
    return output, mask


def mask_path(scan: _Path, output_path: _Path) -> Path:
    """Tell where `mask_scan` writes the mask of a scan.

    Parameters
    ----------
    scan, output_path : str or path
        The scan, and the folder for its mask.

    Returns
    -------
    Path

    Examples
    --------
    >>> mask_path("scans/a.nii.gz", "masks").as_posix()
    'masks/a_brain_mask.nii.gz'
    """
    name, suffix = nifti.split_name(scan)
    return Path(output_path, f"{name}_brain_mask{suffix if suffix in nifti.SUFFIXES else '.nii.gz'}")


def quality_control(mask: np.ndarray, image: np.ndarray | None = None) -> QualityControl:
    """Check a mask without a truth.

    Components are counted. The page that describes the recipe counts the values in the mask instead, which gives 1
    however many parts there are.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z)
        0 and one other value.
    image : ndarray of shape (X, Y, Z), optional
        Its volume.

    Returns
    -------
    QualityControl
        With a warning where the coverage is outside of 20 … 60 %, where there are several components or any hole,
        and where the mask touches a side of the volume.

    Raises
    ------
    InputError
        If the mask is not binary, or not of the shape of the image.

    Examples
    --------
    >>> found = quality_control(np.pad(np.uint8([[[1, 1, 0, 1]]]), 1))
    >>> found.components, found.holes, found.touches_frame
    (2, 0, False)
    >>> found.warnings
    ('the mask covers 5.6 % of the volume, not 20 … 60 %', 'the mask has 2 components')
    """
    mask = _check_mask(mask, image)
    coverage_percent = 100 * float(mask.mean())
    head = None if image is None else np.asarray(check_unmasked(image)) > 0
    head_percent = None if head is None or not head.any() else 100 * float(mask[head].mean())
    components = ndimage.label(mask)[1]
    holes = _label_background(mask)[1] - 1
    touches_frame = bool(mask.sum(dtype=int) > mask[1:-1, 1:-1, 1:-1].sum(dtype=int))
    remarks = (
        (not 20 <= coverage_percent <= 60, f"covers {coverage_percent:.1f} % of the volume, not 20 … 60 %"),
        (components > 1, f"has {components} components"),
        (holes > 0, f"has {holes} hole{'s' * (holes > 1)}"),
        (touches_frame, "touches the frame of the volume"),
    )
    warnings = tuple(f"the mask {remark}" for holds, remark in remarks if holds)
    return QualityControl(coverage_percent, head_percent, components, holes, touches_frame, warnings)


def search_threshold(volume: np.ndarray, thresholds: Iterable[Threshold], *, closing_radius: int = 3) -> list[dict]:
    """Make the mask at several thresholds, and check each.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), integer or float
    thresholds : iterable of pairs of float
        None is the automatic one.
    closing_radius : int
        Of the ball [voxels].

    Returns
    -------
    list of dict
        One for each threshold: ``threshold`` as given, ``low`` and ``high``, and the fields of `QualityControl`. A
        range without a voxel has a coverage of 0.

    Raises
    ------
    InputError
        See `brain_mask`.

    Examples
    --------
    >>> volume = np.arange(27).reshape(3, 3, 3)
    >>> rows = search_threshold(volume, [(13, 30), (50, 60), None], closing_radius=0)
    >>> [(row["threshold"], round(row["coverage_percent"]), row["components"]) for row in rows]
    [((13, 30), 52, 1), ((50, 60), 0, 0), (None, 70, 1)]
    """
    volume, rows = check_volume(volume), []
    for threshold in thresholds:
        low, high = _limits(volume, threshold)
        mask = _between(volume, low, high)
        if mask.any():
            mask = brain_mask(volume, threshold=(low, high), closing_radius=closing_radius)
        rows.append({"threshold": threshold, "low": low, "high": high, **asdict(quality_control(mask, volume))})
    return rows


def apply_mask(volume: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Keep the volume inside of a mask; zero elsewhere.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
    mask : ndarray of shape (X, Y, Z)
        0 and one other value.

    Returns
    -------
    ndarray of shape (X, Y, Z)
        In the dtype of the volume.

    Raises
    ------
    InputError
        If the mask is not binary, or not of the shape of the volume.

    Examples
    --------
    >>> apply_mask(np.array([[[5, 6, 7]]]), np.array([[[0, 1, 1]]]))
    array([[[0, 6, 7]]])
    """
    volume = np.asarray(check_unmasked(volume))
    return np.where(_check_mask(mask, volume), volume, volume.dtype.type(0))


def surface(mask: np.ndarray) -> np.ndarray:
    """Find the voxels of a mask that have a neighbour outside of it, or lie on a side of the volume.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z)
        0 and one other value.

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8

    Examples
    --------
    >>> int(surface(np.pad(np.ones((3, 3, 3)), 1)).sum())
    26
    """
    mask = _check_mask(mask)
    return mask - ndimage.binary_erosion(mask)


def compare_radii(volume: np.ndarray, radii: Iterable[int] = range(2, 7), *, threshold: Threshold = None) -> list[dict]:
    """Make the mask at several closing radii, and count the voxels of its `surface`: fewer is smoother.

    Every surface voxel is counted. The page that describes the recipe takes what is above zero of a Sobel filter along
    one axis, which sees only the sides that face one way.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), integer or float
    radii : iterable of int
        Of the ball [voxels].
    threshold : pair of float, optional
        The default is `otsu_range`.

    Returns
    -------
    list of dict
        One for each radius: ``closing_radius``, ``surface_voxels``, ``mask_voxels`` and ``coverage_percent``.

    Raises
    ------
    InputError
        See `brain_mask`.

    Examples
    --------
    >>> volume = np.pad(np.ones((3, 3, 7)), 3)
    >>> volume[:, :, 6] = 0
    >>> [(row["surface_voxels"], row["mask_voxels"]) for row in compare_radii(volume, (0, 1))]
    [(26, 27), (51, 55)]
    """
    volume = check_volume(volume)
    limits, rows = _limits(volume, threshold), []
    for radius in radii:
        mask = brain_mask(volume, threshold=limits, closing_radius=radius)
        voxels = {"surface_voxels": int(surface(mask).sum(dtype=int)), "mask_voxels": int(mask.sum(dtype=int))}
        rows.append({"closing_radius": radius, **voxels, "coverage_percent": 100 * voxels["mask_voxels"] / mask.size})
    return rows


def overlay_edges(volume: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Set the `surface` of a mask to the volume's highest value, so that any viewer shows it.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
    mask : ndarray of shape (X, Y, Z)
        0 and one other value.

    Returns
    -------
    ndarray of shape (X, Y, Z)
        In the dtype of the volume.

    Raises
    ------
    InputError
        If the mask is not binary, or not of the shape of the volume.

    Examples
    --------
    >>> overlay_edges(np.arange(6).reshape(1, 1, 6), np.array([[[0, 1, 0, 0, 0, 0]]]))
    array([[[0, 5, 2, 3, 4, 5]]])
    """
    volume = np.asarray(check_unmasked(volume))
    return np.where(surface(_check_mask(mask, volume)), volume.max(), volume)


def preprocess_scan(
    nii_path: _Path, output_path: _Path, *, threshold: Threshold = (50, 300), closing_radius: int = 3
) -> None:
    """Mask a scan, and bring what is inside of the mask to mean 0 and standard deviation 1.

    Parameters
    ----------
    nii_path : str or path
        The scan, ``.nii.gz``.
    output_path : str or path
        ``.nii`` or ``.nii.gz``; float32, zero outside of the mask, with the scan's shape and geometry.
    threshold : pair of float or None
        None is `otsu_range`; the default is that of CT with contrast.
    closing_radius : int
        Of the ball [voxels].

    Raises
    ------
    FileNotFoundError, InputError
        See `generate_brain_mask`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     scan = nib.Nifti1Image(np.pad(np.uint8([[[80, 90]]]), 2), np.eye(4))
    ...     nib.save(scan, f"{folder}/scan.nii.gz")
    ...     preprocess_scan(f"{folder}/scan.nii.gz", f"{folder}/ready.nii.gz")
    ...     nib.load(f"{folder}/ready.nii.gz").get_fdata()[2, 2, 1:5]
    array([ 0., -1.,  1.,  0.])
    """
    output = Path(output_path)
    if not output.name.lower().endswith(nifti.SUFFIXES):
        raise InputError(f"{output}: expected a name that ends in {' or '.join(nifti.SUFFIXES)}")
    _check_gz(nii_path)
    _, mask, volume, image = _masked(nii_path, threshold, closing_radius)
    with naming(nii_path):
        ready = preprocess.zscore(volume, mask)
    _write(ready, output, image, nii_path)


def batch(table: _Path, scans: _Path, output_path: _Path, *, progress: bool = False) -> list[dict]:
    r"""Make the brain masks of many scans, each with the parameters of its modality.

    What goes wrong with one scan stops none of the others.

    Parameters
    ----------
    table : str or path
        Names the modality of every scan, one of `MODALITIES`: JSON as ``{"scan_001": {"modality": "CT_plain"}}``,
        or CSV with the columns ``scan_id`` and ``modality``.
    scans : str or path
        Folder with ``<scan_id>.nii.gz``.
    output_path : str or path
        Folder for the masks, made if missing; each modality has a folder in it.
    progress : bool
        Show a progress bar.

    Returns
    -------
    list of dict
        One for each scan: ``scan``, ``modality``, ``state`` (done, skipped where the modality is unknown, failed),
        ``reason`` (why not done) and ``output`` (the mask, or None).

    Raises
    ------
    FileNotFoundError
        If the table does not exist.
    InputError
        If it cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = Path(folder, "scans.csv")
    ...     _ = table.write_text("scan_id,modality\na,PET\n../b,MRI_T1\n")
    ...     for row in batch(table, folder, folder):
    ...         print(row["state"], row["reason"])
    skipped no parameters for the modality 'PET'; known are CT_contrast, CT_plain, MRI_T1, MRI_T2
    failed expected the plain name of a scan, got '../b'
    """
    rows = []
    for scan, modality in tqdm(_read_table(table), unit="scan", leave=False, disable=not progress):
        row = {"scan": scan, "modality": modality, "state": "failed", "reason": "", "output": None}
        try:
            if modality not in MODALITIES:
                row["state"] = "skipped"
                raise InputError(f"no parameters for the modality {modality!r}; known are {', '.join(MODALITIES)}")
            if not scan.strip(".") or set(scan) & set("/\\:\0"):
                raise InputError(f"expected the plain name of a scan, got {scan!r}")
            source, folder = Path(scans, f"{scan}.nii.gz"), Path(output_path, modality)
            generate_brain_mask(source, folder, **MODALITIES[modality])
            row |= {"state": "done", "output": mask_path(source, folder)}
        except (InputError, OSError) as error:
            row["reason"] = str(error)
        rows.append(row)
    return rows


def _read_table(table: _Path) -> list[tuple[str, str]]:
    path = existing(table)
    with nifti.reading(path, 'JSON {scan_id: {"modality": …}} or CSV scan_id,modality'):
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            return [(scan, str(entry.get("modality"))) for scan, entry in json.loads(text).items()]
        return [(str(row["scan_id"]), str(row["modality"])) for row in csv.DictReader(text.splitlines())]


def existing(path: _Path) -> Path:
    """Return a path if there is a file or a folder.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    InputError
        If it is a pipe, a socket, a device or a link that leads nowhere.

    Examples
    --------
    >>> existing("missing.nii.gz")
    Traceback (most recent call last):
    ...
    FileNotFoundError: missing.nii.gz: no such file
    """
    path = Path(path)
    if not paths.kind_of(path):
        raise FileNotFoundError(f"{path}: no such file")
    return path


def _check_gz(path: _Path) -> None:
    """Refuse what nidataset's function refuses."""
    if nifti.split_name(existing(path))[1] != ".nii.gz":
        raise InputError(f"{path}: expected a .nii.gz file")
    nifti.check_file(path)


def _masked(scan: _Path, threshold: Threshold, closing_radius: int) -> tuple:
    """Give the range, the mask, the volume and the image of a scan."""
    volume, image = read(scan, None)
    with naming(scan):
        limits = _limits(check_volume(volume), threshold)
        return limits, brain_mask(volume, threshold=limits, closing_radius=closing_radius), volume, image


@contextlib.contextmanager
def naming(path: _Path) -> Iterator[None]:
    """Put a path in front of what is wrong with its values.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    InputError

    Examples
    --------
    >>> with naming("a.nii.gz"):
    ...     check_volume(np.zeros((2, 2, 2)))
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: a.nii.gz: expected values that differ, every voxel is 0
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _write(array: np.ndarray, output: Path, like: nib.Nifti1Image, source: _Path, **options) -> None:
    make_folder(output.parent)
    with outputs.replacing(output, source) as temporary:
        nifti.write(array, temporary, like, **options)


def make_folder(folder: _Path) -> None:
    """Make a folder, and those above it, where it is missing.

    Parameters
    ----------
    folder : str or path

    Raises
    ------
    InputError
        If it is a file, or cannot be made.

    Examples
    --------
    >>> make_folder(__file__)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: ...volumes.py: is no folder and cannot be made one (File exists)
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: is no folder and cannot be made one ({error.strerror})") from None


def check_volume(volume: np.ndarray) -> np.ndarray:
    """Return ``volume`` if it is one of real, finite values that differ; say what is wrong otherwise.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), bool, integer or float

    Returns
    -------
    ndarray of shape (X, Y, Z)
        The same array.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_volume(np.ones((4, 4)))
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected a volume (X, Y, Z), got shape (4, 4)
    """
    volume = np.asarray(check_unmasked(volume))
    if volume.ndim != 3 or not volume.size:
        raise InputError(f"expected a volume (X, Y, Z), got shape {volume.shape}")
    check_values(volume)
    low, high = float(volume.min()), float(volume.max())
    if low == high:
        raise InputError(f"expected values that differ, every voxel is {low:g}")
    return volume


def _check_mask(mask: np.ndarray, volume: np.ndarray | None = None) -> np.ndarray:
    mask = check_binary(mask)
    if mask.ndim != 3 or not mask.size or (volume is not None and mask.shape != np.shape(volume)):
        wanted = "(X, Y, Z)" if volume is None else np.shape(volume)
        raise InputError(f"expected a mask of shape {wanted}, got {mask.shape}")
    return mask


def _check_radius(radius: int) -> int:
    return check_whole(radius, "closing radius", 0, 50, "voxels")  # the cost grows with its cube


def _limits(volume: np.ndarray, threshold: Threshold) -> tuple[float, float]:
    if threshold is None:
        return otsu_range(volume)
    if isinstance(threshold, tuple | list):
        threshold = tuple(value.item() if isinstance(value, np.generic) else value for value in threshold)
    pair = np.asarray(threshold, object)
    if pair.shape != (2,) or not all(isinstance(value, Real) for value in pair) or not pair[0] <= pair[1]:
        raise InputError(
            f"expected a threshold (low, high), two numbers in rising order, got {' '.join(str(threshold).split())}"
        )
    return float(pair[0]), float(pair[1])


def _between(volume: np.ndarray, low: float, high: float) -> np.ndarray:
    return (volume >= np.float64(low)) & (volume <= np.float64(high))  # float32 would round them


def box_around(mask: np.ndarray, margin: int = 0) -> tuple[slice, ...]:
    """Give the smallest box around a mask, and so many voxels more at each side that has them.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z)
        Not empty.
    margin : int

    Returns
    -------
    tuple of three slices

    Examples
    --------
    >>> box_around(np.pad([[[1]]], ((2, 2), (0, 0), (3, 3))), 1)
    (slice(1, 4, None), slice(0, 1, None), slice(2, 5, None))
    """
    used = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return tuple(
        slice(max(int(at[0]) - margin, 0), min(int(at[-1]) + margin + 1, n))
        for at, n in zip(used, mask.shape, strict=True)
    )


def _label_background(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the parts of the background; a layer of it is put around the mask."""
    return ndimage.label(np.pad(mask, 1) == 0)


def dilate(mask: np.ndarray, radius: float, spacing: Sequence[float] = (1, 1, 1)) -> np.ndarray:
    """Dilate with a ball, plane by plane.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z), bool or uint8 of {0, 1}
        As many rows (of the second axis) as the ball reaches must be empty at the end, or be alike at both ends: they
        keep the planes apart.
    radius : float
    spacing : sequence of float
        Size of a voxel, in the unit of the radius.

    Returns
    -------
    ndarray of shape (X, Y, Z)
        Of the dtype of the mask: 1 where a voxel of it is at most so far away.

    Examples
    --------
    >>> point = np.pad(np.ones((1, 1, 1), np.uint8), 1)
    >>> int(dilate(point, 1).sum()), int(dilate(point, 1, (2, 1, 0.5)).sum())
    (7, 5)
    """
    planes = np.ascontiguousarray(mask).view(np.uint8)
    grown, count = planes.copy(), len(planes)
    reach = radius * (1 + 1e-6)  # a voxel at the very end of it is in, however its size was rounded
    y, z = (np.arange(-int(reach / mm), int(reach / mm) + 1) * mm for mm in spacing[1:])
    for offset in range(min(int(reach / spacing[0]) + 1, count)):
        disc = (y[:, None] ** 2 + z**2 <= reach**2 - (offset * spacing[0]) ** 2).astype(np.uint8)
        wide = cv2.dilate(planes.reshape(-1, planes.shape[2]), disc).reshape(planes.shape)  # one below the other
        grown[offset:] |= wide[: count - offset]
        grown[: count - offset] |= wide[offset:]
    return grown.view(mask.dtype)
