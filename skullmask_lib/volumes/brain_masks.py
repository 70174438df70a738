"""Brain masks by nidataset's recipe: make them, search for thresholds, and check their quality.

Scans are read in `scans`, binary morphology is in `morphology`, our own method in `stripping`.

Volumes are ``(X, Y, Z)`` in the order of their file; masks are ``uint8`` of {0, 1}. The recipe was
made for CT angiography.
"""

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import nibabel as nib
import numpy as np
from scipy import ndimage
from tqdm import tqdm

from .. import errors, metrics
from ..errors import InputError, check_binary, check_unmasked
from ..io import nifti
from . import morphology, preprocess, scans
from .scans import ScanPath

MODALITIES: dict[str, dict[str, Any]] = {
    "CT_contrast": {"threshold": (50, 300), "closing_radius": 3},
    "CT_plain": {"threshold": (20, 100), "closing_radius": 4},
    "MRI_T1": {"threshold": None, "closing_radius": 3},
    "MRI_T2": {"threshold": (100, 500), "closing_radius": 3},
}
Threshold = tuple[float, float] | None

# The automatic range, in parts of Otsu's threshold.
_RANGE_OF_OTSU = (0.5, 2.0)
# Bins of the histogram for Otsu's threshold.
_BINS = 256
# Parts in which grey levels are counted, to save memory.
_PARTS = 64
# Share of the volume that a good mask covers.
_USUAL_COVERAGE_PERCENT = (20, 60)


# --- the recipe ---------------------------------------------------------------------------------


def otsu_range(volume: np.ndarray) -> tuple[float, float]:
    """Compute the automatic range: from half to twice Otsu's threshold of the voxels above zero.

    The histogram has 256 bins between the lowest and the highest of these voxels. Its counts are
    float32, as in scikit-image: that decides between thresholds that split almost equally well.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), integer or float

    Returns
    -------
    low, high : float

    Raises
    ------
    InputError
        If no voxel is above zero, or if the range of the values is too small against their size
        for 256 bins.

    References
    ----------
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on
    Systems, Man, and Cybernetics 9(1):62–66, 1979, doi:10.1109/TSMC.1979.4310076. The bins are
    those of scikit-image.

    Examples
    --------
    >>> otsu_range(np.array([[[0, 0, 10, 10, 200, 210]]]))
    (5.1953125, 20.78125)
    """
    values = np.ravel(volume, order="K")
    values = values[values > 0]
    if not values.size:
        need = "no voxel is above zero, as the automatic threshold needs"
        raise InputError(f"{need}; give a threshold (low, high)")
    counts = None
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        values, counts = _count_levels(values)
    threshold = _otsu_threshold(values.astype(np.float64), counts)
    low, high = _RANGE_OF_OTSU
    return float(threshold * low), float(threshold * high)


def _count_levels(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct values of integers below 2**16, and how often each occurs."""
    counts = np.zeros(2**16, np.int64)
    for part in np.array_split(values, _PARTS):
        counts += np.bincount(part, minlength=2**16)
    levels = np.flatnonzero(counts)
    return levels, counts[levels]


def _otsu_threshold(values: np.ndarray, weights: np.ndarray | None) -> float:
    """Return Otsu's threshold of weighted float64 values, as scikit-image computes it."""
    if (values == values[0]).all():
        return values[0]
    _check_bins(values)
    histogram, edges = np.histogram(values, _BINS, weights=weights)
    counts = histogram.astype(np.float32)
    centres = (edges[:-1] + edges[1:]) / 2
    sums = counts * centres
    below = counts.cumsum()[:-1]
    above = counts[::-1].cumsum()[::-1][1:]
    mean_below = sums.cumsum()[:-1] / below
    mean_above = sums[::-1].cumsum()[::-1][1:] / above
    variance = below * above * (mean_below - mean_above) ** 2
    return centres[np.argmax(variance)]


def _check_bins(values: np.ndarray) -> None:
    """Refuse values whose range does not split into bins with distinct edges."""
    low = values.min()
    high = values.max()
    with np.errstate(over="ignore", invalid="ignore"):
        edges = np.linspace(low, high, _BINS + 1)
    if not (edges[:-1] < edges[1:]).all():
        wanted = "expected values whose range is large against their size"
        remedy = "subtract their lowest, or give a threshold (low, high)"
        raise InputError(f"{wanted}, got {low:g} to {high:g}; {remedy}")


def brain_mask(
    volume: np.ndarray,
    *,
    threshold: Threshold = None,
    closing_radius: int = 3,
) -> np.ndarray:
    """Make the brain mask of a volume.

    Voxels within a range of values are taken, their holes filled, gaps closed with a ball, and
    the largest component is kept.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), integer or float
    threshold : pair of float, optional
        Lowest and highest value of the brain, both included; the default is `otsu_range`.
    closing_radius : int
        Radius of the ball [voxels], 0 … 50.

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8

    Raises
    ------
    InputError
        If the volume is not three-dimensional, if its values are not finite or do not differ, if
        an option is out of range, or if no voxel lies in the range.

    References
    ----------
    The recipe of ``generate_brain_mask`` in nidataset, version 0.9.1; equal to it voxel for voxel.

    Examples
    --------
    >>> volume = np.array([[[0, 0, 9, 10, 0, 11, 0, 0, 0, 0, 12, 0]]])
    >>> brain_mask(volume, closing_radius=1)
    array([[[0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0]]], dtype=uint8)
    """
    volume = scans.check_volume(volume)
    radius = morphology.check_radius(closing_radius)
    low, high = _limits(volume, threshold)
    inside = _between(volume, low, high)
    if not inside.any():
        least = float(volume.min())
        most = float(volume.max())
        values = f"the values go from {least:g} to {most:g}"
        raise InputError(f"no voxel lies from {low:g} to {high:g}, {values}")
    box = morphology.box_around(inside, radius + 1)  # nothing changes beyond it
    filled = morphology.fill_holes(inside[box])
    closed = morphology.close(filled, radius)
    mask = np.zeros(volume.shape, np.uint8)
    mask[box] = morphology.largest_component(closed)
    return mask


def _limits(volume: np.ndarray, threshold: Threshold) -> tuple[float, float]:
    """Return the range of the brain's values: the threshold, or the automatic range for None."""
    if threshold is None:
        return otsu_range(volume)
    typed = errors.as_typed(threshold)
    pair = np.asarray(typed, object)
    if not _is_range(pair):
        wanted = "a threshold (low, high), two numbers in rising order"
        got = " ".join(str(typed).split())
        raise InputError(f"expected {wanted}, got {got}")
    return float(pair[0]), float(pair[1])


def _is_range(pair: np.ndarray) -> bool:
    """Return True if an object array holds two real numbers in rising order."""
    if pair.shape != (2,):
        return False
    low, high = pair
    if not isinstance(low, Real) or not isinstance(high, Real):
        return False
    return low <= high


def _between(volume: np.ndarray, low: float, high: float) -> np.ndarray:
    """Mark the voxels from low to high, compared in float64: float32 would round the limits."""
    return (volume >= np.float64(low)) & (volume <= np.float64(high))


# --- from file to file --------------------------------------------------------------------------


def generate_brain_mask(
    nii_path: ScanPath,
    output_path: ScanPath,
    threshold: Threshold = None,
    closing_radius: int = 3,
    debug: bool = False,
) -> None:
    """Make the brain mask of a NIfTI file and write it as ``<PREFIX>_brain_mask.nii.gz``.

    The mask has the shape and the geometry of the scan, holds uint8 of {0, 1}, and keeps none of
    the texts in the scan's header. See `brain_mask` for the recipe, and `mask_scan` for other
    kinds of files.

    Parameters
    ----------
    nii_path : str or path
        The scan, ``<PREFIX>.nii.gz``.
    output_path : str or path
        Folder for the mask; it is made if missing.
    threshold : pair of float, optional
        Lowest and highest value of the brain; the default is `otsu_range`.
    closing_radius : int
        Radius of the ball that closes gaps [voxels].
    debug : bool
        Print the threshold, the range, the input, the folder and the file that was written.

    Raises
    ------
    FileNotFoundError
        If the scan does not exist.
    InputError
        If the scan is not a readable ``.nii.gz`` of one volume, if `brain_mask` refuses it, or if
        the mask cannot be written.

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
    mask_scan(
        nii_path, output_path, threshold=threshold, closing_radius=closing_radius, debug=debug
    )


def _check_gz(path: ScanPath) -> None:
    """Refuse every file that nidataset's function refuses."""
    _, suffix = nifti.split_name(scans.existing(path))
    if suffix != ".nii.gz":
        raise InputError("expected a .nii.gz file", where=path)
    nifti.check_file(path)


def mask_scan(
    scan: ScanPath,
    output_path: ScanPath,
    *,
    threshold: Threshold = None,
    closing_radius: int = 3,
    debug: bool = False,
) -> tuple[Path, np.ndarray]:
    """Make the brain mask of a file or a DICOM series and write it.

    This is `generate_brain_mask` for every kind of scan that can be read.

    Parameters
    ----------
    scan : str or path
        Any scan that `scans.read` accepts.
    output_path : str or path
        Folder for the mask; it is made if missing.
    threshold : pair of float, optional
        Lowest and highest value of the brain; the default is `otsu_range`.
    closing_radius : int
        Radius of the ball that closes gaps [voxels].
    debug : bool
        Print the threshold, the range, the input, the folder and the file that was written.

    Returns
    -------
    output : Path
        The file of the mask, see `mask_path`. It has the shape and the geometry of the scan, and
        none of the texts in its header.
    mask : ndarray of shape (X, Y, Z), uint8 of {0, 1}

    Raises
    ------
    FileNotFoundError
        If the scan does not exist.
    InputError
        If the scan cannot be read as one volume, if `brain_mask` refuses it, or if the mask cannot
        be written.

    Examples
    --------
    >>> import tempfile
    >>> scan = nib.Nifti1Image(np.pad(np.uint8([[[8, 9]]]), 2), np.eye(4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nib.save(scan, f"{folder}/scan.nii")
    ...     output, mask = mask_scan(f"{folder}/scan.nii", folder, threshold=(5, 10))
    >>> output.name, int(mask.sum())
    ('scan_brain_mask.nii', 2)
    """
    masked = _mask_file(scan, threshold, closing_radius)
    output = mask_path(scan, output_path)
    scans.write(masked.mask, output, masked.image, scan, shown=(0, 1))
    if debug:
        low, high = masked.limits
        if threshold is None:
            print(f"Using Otsu's threshold: {low / _RANGE_OF_OTSU[0]:.2f}")  # noqa: T201
            print(f"Adjusted range: ({low:.2f}, {high:.2f})")  # noqa: T201
        else:
            print(f"Using range: ({low:.2f}, {high:.2f})")  # noqa: T201
        print(f"Input file: '{scan}'\nOutput path: '{output_path}'")  # noqa: T201
        print(f"Brain mask saved at: {output}")  # noqa: T201
    return output, masked.mask


def mask_path(scan: ScanPath, output_path: ScanPath) -> Path:
    """Return the file to which `mask_scan` writes the mask of a scan.

    Parameters
    ----------
    scan : str or path
    output_path : str or path
        Folder for the mask.

    Returns
    -------
    Path

    Examples
    --------
    >>> mask_path("scans/a.nii.gz", "masks").as_posix()
    'masks/a_brain_mask.nii.gz'
    """
    prefix, _ = nifti.split_name(scan)
    return Path(output_path, f"{prefix}_brain_mask{scans.output_suffix(scan)}")


class _MaskedScan(NamedTuple):
    """A scan and its brain mask."""

    limits: tuple[float, float]
    mask: np.ndarray
    volume: np.ndarray
    image: nib.Nifti1Image


def _mask_file(scan: ScanPath, threshold: Threshold, closing_radius: int) -> _MaskedScan:
    """Read a scan in its own dtype and make its mask."""
    volume, image = scans.read(scan, None)
    with errors.placed(scan):
        limits = _limits(scans.check_volume(volume), threshold)
        mask = brain_mask(volume, threshold=limits, closing_radius=closing_radius)
    return _MaskedScan(limits, mask, volume, image)


def preprocess_scan(
    nii_path: ScanPath,
    output_path: ScanPath,
    *,
    threshold: Threshold = (50, 300),
    closing_radius: int = 3,
) -> None:
    """Mask a scan, and scale what lies inside the mask to mean 0 and standard deviation 1.

    Parameters
    ----------
    nii_path : str or path
        The scan, ``.nii.gz``.
    output_path : str or path
        The file to write, ``.nii`` or ``.nii.gz``: float32, zero outside the mask, with the
        scan's shape and geometry.
    threshold : pair of float or None
        Lowest and highest value of the brain, by default for CT with contrast. None is
        `otsu_range`.
    closing_radius : int
        Radius of the ball that closes gaps [voxels].

    Raises
    ------
    FileNotFoundError, InputError
        As `generate_brain_mask`.

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
        endings = " or ".join(nifti.SUFFIXES)
        raise InputError(f"expected a name that ends in {endings}", where=output)
    _check_gz(nii_path)
    masked = _mask_file(nii_path, threshold, closing_radius)
    with errors.placed(nii_path):
        scores = preprocess.zscore(masked.volume, masked.mask)
    scans.write(scores, output, masked.image, nii_path)


def batch(
    table: ScanPath,
    folder: ScanPath,
    output_path: ScanPath,
    *,
    progress: bool = False,
) -> list[dict]:
    r"""Make the brain masks of many scans, each with the parameters of its modality.

    A scan that fails does not stop the others.

    Parameters
    ----------
    table : str or path
        Names the modality of every scan, one of `MODALITIES`: JSON as
        ``{"scan_001": {"modality": "CT_plain"}}``, or CSV with the columns ``scan_id`` and
        ``modality``.
    folder : str or path
        Holds ``<scan_id>.nii.gz``.
    output_path : str or path
        Folder for the masks, with a folder for each modality; made if missing.
    progress : bool
        Show a progress bar.

    Returns
    -------
    list of dict
        One for each scan: ``scan``, ``modality``, ``state`` (done, skipped where the modality is
        unknown, or failed), ``reason`` (why not done) and ``output`` (the mask's file, or None).

    Raises
    ------
    FileNotFoundError
        If the table does not exist.
    InputError
        If the table cannot be read.

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
    listed = _read_table(table)
    for scan, modality in tqdm(listed, unit="scan", leave=False, disable=not progress):
        rows.append(_mask_listed(scan, modality, Path(folder), Path(output_path)))
    return rows


def _read_table(table: ScanPath) -> list[tuple[str, str]]:
    """Read the scans and their modalities from JSON or CSV."""
    path = scans.existing(table)
    listed = []
    with nifti.reading(path, 'JSON {scan_id: {"modality": …}} or CSV scan_id,modality'):
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".json":
            for scan, entry in json.loads(text).items():
                listed.append((scan, str(entry.get("modality"))))
        else:
            for row in csv.DictReader(text.splitlines()):
                listed.append((str(row["scan_id"]), str(row["modality"])))
    return listed


def _mask_listed(scan: str, modality: str, folder: Path, output_path: Path) -> dict:
    """Mask one scan of a table, and return its row of the result."""
    row = {"scan": scan, "modality": modality, "state": "failed", "reason": "", "output": None}
    if modality not in MODALITIES:
        known = ", ".join(MODALITIES)
        reason = f"no parameters for the modality {modality!r}; known are {known}"
        return row | {"state": "skipped", "reason": reason}
    masks_folder = output_path / modality
    try:
        _check_plain(scan)
        source = folder / f"{scan}.nii.gz"
        generate_brain_mask(source, masks_folder, **MODALITIES[modality])
    except (InputError, OSError) as error:
        return row | {"reason": str(error)}
    return row | {"state": "done", "output": mask_path(source, masks_folder)}


def _check_plain(scan: str) -> None:
    """Refuse a scan's name that could lead to another folder."""
    if not scan.strip(".") or set(scan) & set("/\\:\0"):
        raise InputError(f"expected the plain name of a scan, got {scan!r}")


# --- checks, comparisons and uses of masks ------------------------------------------------------


@dataclass(frozen=True)
class QualityControl:
    """What can be said of a mask without a truth.

    Attributes
    ----------
    coverage_percent : float
        Share of the whole volume.
    head_percent : float or None
        Share of the image's voxels above zero; None without an image.
    components : int
        Parts of the mask.
    holes : int
        Parts of the background that the mask encloses.
    touches_frame : bool
        True if a voxel of the mask lies on a side of the volume.
    warnings : tuple of str
        One sentence for each thing to look at.
    """

    coverage_percent: float
    head_percent: float | None
    components: int
    holes: int
    touches_frame: bool
    warnings: tuple[str, ...]


def quality_control(mask: np.ndarray, image: np.ndarray | None = None) -> QualityControl:
    """Check a mask without a truth.

    Components are counted. The page that describes the recipe counts the distinct values of the
    mask instead, which gives 1 however many parts there are.

    Parameters
    ----------
    mask : ndarray of shape (X, Y, Z)
        Holds 0 and one other value.
    image : ndarray of shape (X, Y, Z), optional
        The volume that was masked.

    Returns
    -------
    QualityControl
        It warns of a coverage outside 20 … 60 %, of several components, of any hole, and of a mask
        that touches a side of the volume.

    Raises
    ------
    InputError
        If the mask is not binary, or its shape is not that of the image.

    Examples
    --------
    >>> quality = quality_control(np.pad(np.uint8([[[1, 1, 0, 1]]]), 1))
    >>> quality.components, quality.holes, quality.touches_frame
    (2, 0, False)
    >>> quality.warnings
    ('the mask covers 5.6 % of the volume, not 20 … 60 %', 'the mask has 2 components')
    """
    mask = _check_mask(mask, image)
    coverage_percent = 100 * float(mask.mean())
    head_percent = _head_percent(mask, image)
    _, components = ndimage.label(mask)
    holes = morphology.count_holes(mask)
    inner = mask[1:-1, 1:-1, 1:-1]
    touches_frame = bool(mask.sum(dtype=int) > inner.sum(dtype=int))

    remarks = []
    least, most = _USUAL_COVERAGE_PERCENT
    if not least <= coverage_percent <= most:
        usual = f"{least} … {most} %"
        remarks.append(f"the mask covers {coverage_percent:.1f} % of the volume, not {usual}")
    if components > 1:
        remarks.append(f"the mask has {components} components")
    if holes == 1:
        remarks.append("the mask has 1 hole")
    if holes > 1:
        remarks.append(f"the mask has {holes} holes")
    if touches_frame:
        remarks.append("the mask touches the frame of the volume")
    return QualityControl(
        coverage_percent, head_percent, components, holes, touches_frame, tuple(remarks)
    )


def _head_percent(mask: np.ndarray, image: np.ndarray | None) -> float | None:
    """Return the mask's share of the voxels above zero, or None where there are none."""
    if image is None:
        return None
    head = np.asarray(check_unmasked(image)) > 0
    if not head.any():
        return None
    return 100 * float(mask[head].mean())


def search_threshold(
    volume: np.ndarray,
    thresholds: Iterable[Threshold],
    *,
    closing_radius: int = 3,
) -> list[dict]:
    """Make a mask at each of several thresholds, and check it.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), integer or float
    thresholds : iterable of pairs of float
        None is the automatic threshold.
    closing_radius : int
        Radius of the ball that closes gaps [voxels].

    Returns
    -------
    list of dict
        One for each threshold: ``threshold`` as passed, its limits ``low`` and ``high``, and the
        fields of `QualityControl`. A range without a voxel has a coverage of 0.

    Raises
    ------
    InputError
        As `brain_mask`, but for an empty range.

    Examples
    --------
    >>> volume = np.arange(27).reshape(3, 3, 3)
    >>> rows = search_threshold(volume, [(13, 30), (50, 60), None], closing_radius=0)
    >>> [(row["threshold"], round(row["coverage_percent"]), row["components"]) for row in rows]
    [((13, 30), 52, 1), ((50, 60), 0, 0), (None, 70, 1)]
    """
    volume = scans.check_volume(volume)
    rows = []
    for threshold in thresholds:
        low, high = _limits(volume, threshold)
        mask = _between(volume, low, high)
        if mask.any():
            mask = brain_mask(volume, threshold=(low, high), closing_radius=closing_radius)
        quality = quality_control(mask, volume)
        row = {"threshold": threshold, "low": low, "high": high}
        rows.append(row | asdict(quality))
    return rows


def compare_radii(
    volume: np.ndarray,
    radii: Iterable[int] = range(2, 7),
    *,
    threshold: Threshold = None,
) -> list[dict]:
    """Make a mask with each of several closing radii, and count the voxels of its surface.

    Fewer surface voxels mean a smoother mask. All of them are counted, see `metrics.surface_of`.
    The page that describes the recipe counts where a Sobel filter along one axis is above zero,
    which sees only the sides that face one way.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), integer or float
    radii : iterable of int
        Radii of the ball that closes gaps [voxels].
    threshold : pair of float, optional
        Lowest and highest value of the brain; the default is `otsu_range`.

    Returns
    -------
    list of dict
        One for each radius: ``closing_radius``, ``surface_voxels``, ``mask_voxels`` and
        ``coverage_percent``.

    Raises
    ------
    InputError
        As `brain_mask`.

    Examples
    --------
    >>> volume = np.pad(np.ones((3, 3, 7)), 3)
    >>> volume[:, :, 6] = 0
    >>> [(row["surface_voxels"], row["mask_voxels"]) for row in compare_radii(volume, (0, 1))]
    [(26, 27), (51, 55)]
    """
    volume = scans.check_volume(volume)
    limits = _limits(volume, threshold)
    rows = []
    for radius in radii:
        mask = brain_mask(volume, threshold=limits, closing_radius=radius)
        mask_voxels = int(mask.sum(dtype=int))
        row = {
            "closing_radius": radius,
            "surface_voxels": int(metrics.surface_of(mask).sum(dtype=int)),
            "mask_voxels": mask_voxels,
            "coverage_percent": 100 * mask_voxels / mask.size,
        }
        rows.append(row)
    return rows


def apply_mask(volume: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Keep the volume inside a mask, and set the rest to zero.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
    mask : ndarray of shape (X, Y, Z)
        Holds 0 and one other value.

    Returns
    -------
    ndarray of shape (X, Y, Z), in the dtype of the volume

    Raises
    ------
    InputError
        If the mask is not binary, or its shape is not that of the volume.

    Examples
    --------
    >>> apply_mask(np.array([[[5, 6, 7]]]), np.array([[[0, 1, 1]]]))
    array([[[0, 6, 7]]])
    """
    volume = np.asarray(check_unmasked(volume))
    zero = volume.dtype.type(0)
    return np.where(_check_mask(mask, volume), volume, zero)


def overlay_edges(volume: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Set the surface of a mask to the volume's highest value, so that any viewer shows it.

    See `metrics.surface_of`.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
    mask : ndarray of shape (X, Y, Z)
        Holds 0 and one other value.

    Returns
    -------
    ndarray of shape (X, Y, Z), in the dtype of the volume

    Raises
    ------
    InputError
        If the mask is not binary, or its shape is not that of the volume.

    Examples
    --------
    >>> overlay_edges(np.arange(6).reshape(1, 1, 6), np.array([[[0, 1, 0, 0, 0, 0]]]))
    array([[[0, 5, 2, 3, 4, 5]]])
    """
    volume = np.asarray(check_unmasked(volume))
    edges = metrics.surface_of(_check_mask(mask, volume))
    return np.where(edges, volume.max(), volume)


def _check_mask(mask: np.ndarray, volume: np.ndarray | None = None) -> np.ndarray:
    """Return a binary, three-dimensional mask as uint8 if it has the shape of the volume."""
    mask = check_binary(mask)
    wanted: object = "(X, Y, Z)"
    fits = mask.ndim == 3 and mask.size > 0
    if volume is not None:
        wanted = np.shape(volume)
        fits = fits and mask.shape == wanted
    if not fits:
        raise InputError(f"expected a mask of shape {wanted}, got {mask.shape}")
    return mask
