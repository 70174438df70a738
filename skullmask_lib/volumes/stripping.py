"""The brain of a whole volume, without training: v8 finds the skull slice by slice, and the brain lies within.

*Brain* is all tissue within the skull, down to the upper end of the spinal cord, with ventricles and sulci filled, and
about a millimetre of the fluid around it. What holds the mask together is the vault, the slices in which v8 trusts its
own outline; further down, at orbits, petrous bone and neck, the brain is what hangs together with that of the vault.
"""

import os
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
from scipy import ndimage

from .. import masks, polar, versions
from ..errors import EmptyMaskWarning, InputError, InputWarning
from ..io import nifti, outputs
from . import brain_masks

JOINED_MM = 1.5  # voxels are joined as long as they stay no larger than this
EVERY_MM = 4.0  # a slice for v8
LEAST_FIELD_MM = 50.0  # of view: below it the voxel size is in another unit
HEIGHT_MM = 175.0  # from the top of the skull to below the brain stem
NEAR_MM = 10.0  # as far as the skull of a slice speaks for its neighbours
SKULL_MM = 3.0  # least distance from the outer surface of the skull to the brain
CORE_MM = 3.0  # what the brain hangs together by is thicker than twice this; meninges, vessels and nerves are thinner
SULCUS_MM = 8.0  # half the width of what is bridged
RIM_MM = 1.0  # of fluid around the brain
NECK_MM = 8.0  # what hangs on the filled brain by a neck thinner than twice this is not of it
BRAIN_ML = (900.0, 2000.0)  # of a grown head; outside of it look at the mask
THICK_MM = 4.5  # slices that are thicker blur the thin bone between brain and orbits

_LEAST_HEAD_MM2 = 3000.0  # area from which a slice shows a head
_UPPER_MM, _SHARE = 90.0, 0.25  # height below the crown, and the share of its slices that must show a skull
_BARE_ML, _EVEN_AIR = 2100.0, 0.2  # at most so much tissue, and at least such a share of voxels alike: a brain alone
_FLATTEST = 1e7  # condition of an affine's matrix
_DEEP = 0.6  # of the way from the centre to the skull there is nothing but brain
_FAT = 1.8  # times the brain's level
_SHADES = 200  # grey levels from 0 to the brain's level, for Otsu
_EASY = 0.75  # of Otsu's threshold, where the skull is known: fluid is let in rather than gyri lost
_SMOOTHING_MM = 0.6
_BEYOND_MM = 25.0  # the head goes on where the volume ends


class Stripped(NamedTuple):
    """The files that `strip_scan` writes."""

    brain: Path
    mask: Path
    picture: Path


class _Look(NamedTuple):
    """What v8 sees in a slice: how far to trust it, its mask, the head, and the values of what is surely brain."""

    trust: float
    skull: np.ndarray
    head: np.ndarray
    deep: np.ndarray


def strip(volume: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Find the brain in a volume of the head.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), integer or float
        MR on which bone is darker than brain: T1, T2, FLAIR.
    affine : ndarray of shape (4, 4)
        Voxels to world [mm], x to the right, y to the front, z upwards; of any orientation, oblique ones too.

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8 of {0, 1}
        Empty, with a warning, if there is no brain; a warning too if few slices show a skull that can be trusted, or
        if the brain seems to be stripped already.

    Raises
    ------
    InputError
        If the volume is not one of finite values that differ, or the affine is none.

    References
    ----------
    Threshold, erosion, largest component, dilation: M. E. Brummer, R. M. Mersereau, R. L. Eisner, R. R. J. Lewine,
    "Automatic detection of brain contours in MRI data sets", IEEE Transactions on Medical Imaging 12(2):153–166, 1993,
    doi:10.1109/42.232244. That the skull is found first, and all of the numbers, are this project's.

    Examples
    --------
    >>> radius_mm = 4 * np.linalg.norm(np.indices((46, 46, 46)).T - 22.5, axis=-1)
    >>> head = np.select([radius_mm < 70, radius_mm < 78, radius_mm < 86], [0.8, 0.1, 1.0])  # brain, bone, scalp
    >>> brain = strip(head, np.diag([4, 4, 4, 1]))
    >>> round(float(0.75 / np.pi * brain.sum() * 4**3) ** (1 / 3))  # its radius
    71
    """
    volume, affine = brain_masks.check_volume(volume), np.asarray(affine, float)
    if affine.shape != (4, 4) or not np.isfinite(affine).all() or np.linalg.cond(affine[:3, :3]) > _FLATTEST:
        raise InputError(f"expected an affine (4, 4) that can be inverted, got {affine.tolist()}")
    ras, ras_affine = nifti.to_ras(volume, affine)
    sizes_mm = nib.affines.voxel_sizes(ras_affine)
    if (field_mm := max(ras.shape * sizes_mm)) < LEAST_FIELD_MM:
        wanted = f"expected a field of view from {LEAST_FIELD_MM:g} mm"
        raise InputError(f"{wanted}, got {field_mm:.3g} mm; is it a head, and its unit right?")
    joined = [min(n, max(1, int(JOINED_MM / mm))) for n, mm in zip(ras.shape, sizes_mm, strict=True)]
    coarse = _join(ras, joined)
    brain = _brain(_levelled(coarse), sizes_mm * joined)
    if not brain.any():
        warnings.warn("the mask is empty: no brain in it", EmptyMaskWarning, stacklevel=2)
    if max(joined) > 1:
        brain = ndimage.zoom(brain.astype(np.float32), joined, order=1, mode="nearest", grid_mode=True) > 0.5
    x, y, z = ras.shape
    return np.ascontiguousarray(nifti.from_ras(brain[:x, :y, :z], affine)).astype(np.uint8)


def strip_scan(scan: str | os.PathLike, output_path: str | os.PathLike, *, n4: bool = False) -> Stripped:
    """Find the brain in a file: write brain, mask and a picture to look at.

    Parameters
    ----------
    scan : str or path
        ``<PREFIX>.nii``, ``<PREFIX>.nii.gz`` or a pair ``<PREFIX>.hdr``, ``<PREFIX>.img``, one volume; or the folder
        ``<PREFIX>`` of a DICOM series.
    output_path : str or path
        Folder, made if missing.
    n4 : bool
        Correct the bias field first, see `preprocess.n4`; the brain then holds the corrected values, as float32.

    Returns
    -------
    Stripped
        ``<PREFIX>_brain`` with the values of the scan, elsewhere what can be stored nearest to 0, and
        ``<PREFIX>_brainmask`` of {0, 1}, both with the scan's suffix (``.nii.gz`` for a pair and DICOM), shape and
        geometry, without the texts of its header; and ``<PREFIX>_qc.png``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    InputError
        If it is not readable as one volume, what `strip` refuses, or if there cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from skullmask_lib import phantom
    >>> volume, _, affine = phantom.render_volume(shape=(62, 74, 54), spacing_mm=(3, 3, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nib.save(nib.Nifti1Image(volume, affine), f"{folder}/head.nii.gz")
    ...     [path.name for path in strip_scan(f"{folder}/head.nii.gz", f"{folder}/out")]
    ['head_brain.nii.gz', 'head_brainmask.nii.gz', 'head_qc.png']
    """
    from .. import plots
    from . import preprocess

    scan, folder = brain_masks.existing(scan), Path(output_path)
    prefix, suffix = nifti.split_name(scan)
    volume, image = brain_masks.read(scan)
    name = scan.name or prefix  # that of "." is empty
    affine = nifti.affine_mm(image, scan)
    with brain_masks.naming(scan), warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        values = preprocess.n4(volume, affine, progress=True)[0] if n4 else volume
        mask = strip(values, affine)
    for remark in remarks:
        warnings.warn(f"{name}: {remark.message}", remark.category, stacklevel=2)
    thickest_mm = nib.affines.voxel_sizes(affine).max()
    if mask.any() and thickest_mm > THICK_MM:
        told = f"look at the orbits, which may be taken in where slices are as thick as {thickest_mm:.3g} mm"
        warnings.warn(f"{name}: {told}", InputWarning, stacklevel=2)
    brain_ml = float(mask.sum(dtype=int) * abs(np.linalg.det(affine[:3, :3])) / 1000)
    if mask.any() and not BRAIN_ML[0] <= brain_ml <= BRAIN_ML[1]:
        told = f"look at the mask, a brain of {brain_ml:.0f} mL is unusual"
        warnings.warn(f"{name}: {told}", InputWarning, stacklevel=2)
    stored, scaling = nifti.stored(image) if not n4 else (values, (1.0, 0.0))
    zero = -scaling[1] / scaling[0]  # as it is stored
    if stored.dtype.kind in "iu":
        limits, zero = np.iinfo(stored.dtype), round(zero)
        if not limits.min <= zero <= limits.max:  # then the values themselves, as float32
            stored, scaling, zero = volume, (1.0, 0.0), 0
    nothing = stored.dtype.type(zero)
    shown = plots.three_planes(*nifti.to_ras(values, affine), mask=nifti.to_ras(mask, affine)[0], name=name)
    kind = suffix if suffix in nifti.SUFFIXES else ".nii.gz"
    made = Stripped(*(folder / f"{prefix}_{what}" for what in (f"brain{kind}", f"brainmask{kind}", "qc.png")))
    brain_masks.make_folder(folder)
    with ExitStack() as stack:
        brain_file, mask_file, picture_file = (stack.enter_context(outputs.replacing(path, scan)) for path in made)
        nifti.write(np.where(mask, stored, nothing), brain_file, image, scaling=scaling)
        nifti.write(mask, mask_file, image, shown=(0, 1))
        picture_file.write_bytes(shown.png)
    return made


def _join(volume: np.ndarray, joined: list[int]) -> np.ndarray:
    """Average blocks of so many voxels along each axis."""
    x, y, z = joined
    padded = np.pad(volume, [(0, -n % by) for n, by in zip(volume.shape, joined, strict=True)], mode="edge")
    columns, rows, slices = (n // by for n, by in zip(padded.shape, joined, strict=True))
    return padded.reshape(columns, x, rows, y, slices, z).mean(axis=(1, 3, 5), dtype=np.float32)


def _levelled(volume: np.ndarray) -> np.ndarray:
    """Shift air to 0, and scale by a power of two, which rounds nothing, so that bright tissue is about 1."""
    air, bright = np.percentile(volume, (1, 99.9))
    _, exponent = np.frexp(bright - air)
    return np.ldexp(volume - np.float32(air), -int(exponent))


def _brain(volume: np.ndarray, sizes_mm: np.ndarray) -> np.ndarray:
    """Find the brain in a volume in RAS order, as bool."""
    slices = np.ascontiguousarray(volume[:, ::-1, ::-1].T)  # from the top down, rows from front to back
    spacing_mm = sizes_mm[::-1]
    brain = np.zeros(slices.shape, bool)
    inside, vault, level = _inside_skull(slices, spacing_mm)
    if not inside.any():
        return brain.T[:, ::-1, ::-1]
    box = brain_masks.box_around(inside)
    near_mm = np.minimum(spacing_mm, SKULL_MM)  # the next slice is felt, however thick
    reach_mm = _BEYOND_MM, NECK_MM + 2.0, NECK_MM + 2.0  # the largest ball's to the sides
    margin = [int(reach / mm) + 1 for reach, mm in zip(reach_mm, near_mm, strict=True)]

    def part(values: np.ndarray) -> np.ndarray:
        flat = np.pad(values[box], [(0, 0), *((n, n) for n in margin[1:])])
        return np.pad(flat, [(margin[0],) * 2, (0, 0), (0, 0)], mode="edge")

    def dilate(mask: np.ndarray, radius_mm: float) -> np.ndarray:
        return brain_masks.dilate(mask, radius_mm, near_mm)

    def erode(mask: np.ndarray, radius_mm: float) -> np.ndarray:
        return ~dilate(~mask, radius_mm)

    room, vault = erode(part(inside), SKULL_MM), np.pad(vault[box[0]], margin[0])
    values = ndimage.gaussian_filter(part(slices), _SMOOTHING_MM / spacing_mm) * np.float32(_SHADES / level)
    seen = np.clip(values[vault][room[vault]], 0, 1.2 * _SHADES).astype(np.uint8)
    if not seen.size:
        return brain.T[:, ::-1, ::-1]
    dark = seen <= masks.otsu_threshold(seen[None])
    threshold = sum(shades.mean() if shades.size else 0 for shades in (seen[dark], seen[~dark])) / 2
    lowest = np.where(vault, _EASY, 1)[:, None, None] * threshold
    tissue = room & (values > lowest) & (values < _FAT * _SHADES)
    core = _main_part(erode(tissue, CORE_MM), vault)
    grown = tissue & dilate(core, CORE_MM + 1.0)
    filled = brain_masks.fill_holes(erode(dilate(grown, SULCUS_MM), SULCUS_MM - RIM_MM) & room) > 0
    filled &= dilate(_main_part(erode(filled, NECK_MM), vault), NECK_MM + 2.0)
    brain[box] = filled[tuple(slice(n, -n) for n in margin)]
    return brain.T[:, ::-1, ::-1]


def _inside_skull(slices: np.ndarray, spacing_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Give what may lie inside of the skull, which slices are of the vault, and the brain's level."""
    step, looks, top = max(1, round(EVERY_MM / spacing_mm[0])), [], None
    for k in range(0, len(slices), step):
        looks.append(_look(slices[k], spacing_mm[1:]))
        top = k if top is None and looks[-1].trust >= polar.TRUSTED else top
        if top is not None and (k - top) * spacing_mm[0] > HEIGHT_MM:
            break
    trusts = np.array([look.trust for look in looks])
    inside, vault = np.zeros(slices.shape, bool), np.zeros(len(slices), bool)
    share = _share_of_skulls(looks, trusts, step * spacing_mm[0], spacing_mm[1] * spacing_mm[2])
    if share < _SHARE and _is_bare(slices, looks, step, float(np.prod(spacing_mm))):
        warnings.warn("no skull around it: is the brain stripped already?", InputWarning, stacklevel=4)
        return inside, vault, 0.0
    trusted = np.flatnonzero(trusts >= min(polar.TRUSTED, trusts.max()))
    level = np.median(np.concatenate([looks[i].deep for i in trusted])) if trusts.any() else 0
    if level <= 0:
        return inside, vault, 0.0
    if share < _SHARE:
        warnings.warn("look at the mask: few slices show a skull clearly", InputWarning, stacklevel=4)
    silhouette = np.any([looks[i].skull for i in trusted], axis=0)  # further down the brain is no wider than this
    for k in range(min(len(slices), len(looks) * step)):
        i = min(round(k / step), len(looks) - 1)
        near = trusted[np.abs(trusted - i).argmin()]
        vault[k] = near == i
        beside = i < trusted[0] or abs(near - i) * step * spacing_mm[0] <= NEAR_MM
        inside[k] = looks[i].head & (looks[near].skull if beside else silhouette)
    return inside, vault, float(level)


def _is_bare(slices: np.ndarray, looks: list[_Look], step: int, voxel_mm3: float) -> bool:
    """Tell whether a volume holds no more tissue than a brain, in air that is the same everywhere.

    After a z-score the air of a brain is 0, and darker tissue lies below it.
    """
    sides = slices[:, :, [0, -1]]
    values, counts = np.unique(sides, return_counts=True)
    air = values[counts.argmax()]
    tissue = slices != air
    if np.mean(tissue) > 1 - _EVEN_AIR:
        return False
    if air > slices.min():
        tissue_px = np.count_nonzero(tissue)
    else:
        tissue_px = step * sum(np.count_nonzero(look.head) for look in looks)
    return tissue_px * voxel_mm3 / 1000 <= _BARE_ML


def _share_of_skulls(looks: list[_Look], trusts: np.ndarray, step_mm: float, pixel_mm2: float) -> float:
    """Give the share of slices that show a skull clearly, from the crown down to the orbits."""
    heads = np.flatnonzero([look.head.sum() * pixel_mm2 >= _LEAST_HEAD_MM2 for look in looks])
    if not heads.size:
        return 0.0
    upper = trusts[heads[0] : heads[0] + int(np.ceil(_UPPER_MM / step_mm))]
    return float(np.mean(upper >= polar.TRUSTED))


def _look(image: np.ndarray, spacing_mm: np.ndarray) -> _Look:
    unwrapped = polar.unwrap(image, spacing_mm)
    if unwrapped is None:
        nothing = np.zeros(image.shape, bool)
        return _Look(0.0, nothing, nothing, image[nothing])
    stages = versions.scalp_boundary(unwrapped)
    skin, depth = unwrapped.skin, stages["outline"]
    deep, head = (polar.fill_outline(unwrapped, d) > 0 for d in (skin - _DEEP * (skin - depth), 0 * skin))
    return _Look(polar.trust(unwrapped, depth), stages["filled"] > 0, head, image[deep])


def _main_part(mask: np.ndarray, vault: np.ndarray) -> np.ndarray:
    """Keep the component with most voxels in the vault."""
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels[vault].ravel(), minlength=1)
    sizes[0] = 0
    return mask & (labels == sizes.argmax())
