"""The brain of a whole volume, without training: v8 finds the skull, and the brain lies within.

Only this method belongs here, from an array to an array; `strip_files` reads and writes the files.
nidataset's recipe is in `brain_masks`, v8 in `boundary`, and v8's primitives in `polar`.

*Brain* means all tissue within the skull, down to the upper end of the spinal cord, with
ventricles, sulci and cisterns filled and a millimetre or two of fluid around it; see `EXTENTS` for
less and more. The *vault* is the set of slices in which v8 trusts its own outline. Further down, at
the orbits, the petrous bone and the neck, only what is connected to the brain of the vault counts
as brain.
"""

import warnings
from typing import NamedTuple

import nibabel as nib
import numpy as np
from scipy import ndimage

from .. import boundary, masks, polar
from ..errors import EmptyMaskWarning, InputError, InputWarning, check_affine
from ..io import nifti
from . import morphology, scans, verdicts
from .verdicts import Finding, Verdict

# Voxels are joined into blocks of at most this size
JOINED_MM = 1.4
# Voxels larger than this are split in two
SPLIT_MM = 2.0
# From one slice that v8 looks at to the next
EVERY_MM = 4.0
# Least field of view; below it the voxel size must be in another unit
LEAST_FIELD_MM = 50.0
# From the top of the skull to below the brain stem
HEIGHT_MM = 175.0
# How far the skull of one slice speaks for its neighbours
NEAR_MM = 10.0
# Least distance from the outer surface of the skull to the brain
MIN_BRAIN_DEPTH_MM = 3.0
# The brain's connections are thicker than twice this; meninges, vessels and nerves are thinner
CORE_MM = 3.0
# Gyri in wide fluid are kept if they are thicker than twice this …
GYRUS_MM = 1.5
# … and lie deeper than this below the skull's outer surface, beneath the dura that lines it
DURA_MM = 10.0
# Half the width of the sulci that are bridged
SULCUS_MM = 8.0
# Half the width of the cisterns at the base that are bridged: that between the temporal lobes
CISTERN_MM = 20.0
# What hangs on the filled brain by a neck thinner than twice this is cut off
NECK_MM = 8.0

# A slice between two trusted ones counts from this share of the limit on: rounding decides less
_BETWEEN_SHARE = 0.8
# A volume may be a brain alone only if it has no more tissue than this
_BARE_ML = 2100.0
# A volume may be a brain alone only if this share of its voxels has one and the same value
_EVEN_AIR_SHARE = 0.2
# Voxel sizes are rounded to so many decimals of a millimetre: an oblique affine gives 2 mm only
# nearly, and must not lie beyond a limit of 2 mm
_DECIMALS = 5
# This part of the way from the skull to the centre is surely brain
_DEEP_SHARE = 0.6
# Fat is brighter than this many times the brain's level
_FAT = 1.8
# Grey levels from 0 to the brain's level, for Otsu's threshold
_SHADES = 200
# This part of the threshold will do in the vault, and near what is surely brain elsewhere: rather
# let fluid in than lose gyri
_LENIENT_SHARE = 0.75
# Standard deviation of the Gaussian that smooths the values
_SMOOTHING_MM = 0.6
# The head is continued this far where the volume ends
_BEYOND_MM = 25.0
# Fluid is seen if it is brighter than bone by this share of the brain's level
_FLUID_CONTRAST = 0.1
# Deep in the brain, what is darker than this part of its level is ventricle, or the edge of one
_VENTRICLE = 0.6
_VENTRICLE_PERCENTILE = 10
# The shell of the skull is bone, with marrow in it
_BONE_PERCENTILE = 25
# Fluid is darker than this part of the brain's level; veins are brighter
_FLUID = 0.75
# How much further the core, gyri and what is left without necks are dilated than eroded
_CORE_REGROWN_MM = 1.0
_GYRUS_REGROWN_MM = 1.0
_NECK_REGROWN_MM = 2.0


class Extent(NamedTuple):
    """How much of the fluid around the brain a mask takes in.

    Attributes
    ----------
    rim_mm : float
        Around all of the brain, whatever is there.
    fluid_mm : int
        Further out, as far as fluid is seen. If it is 0, no cisterns are bridged.
    """

    rim_mm: float
    fluid_mm: int


EXTENTS = {
    "usual": Extent(rim_mm=1.0, fluid_mm=1),
    "tight": Extent(rim_mm=0.0, fluid_mm=0),
    "with-csf": Extent(rim_mm=1.0, fluid_mm=2),
}


class _SampledSlice(NamedTuple):
    """What v8 or v9 sees in one slice.

    Attributes
    ----------
    finding : Finding
        What is seen of the head, and how far to trust it.
    skull, head : ndarray of shape (H, W), bool
        Everything inside the outer surface of the skull, and everything inside the skin.
    deep_values : ndarray
        Values of what is surely brain.
    """

    finding: Finding
    skull: np.ndarray
    head: np.ndarray
    deep_values: np.ndarray


class _Skull(NamedTuple):
    """What v8 or v9 says of a whole volume, in slices from the top down.

    Attributes
    ----------
    inside : ndarray of shape (N, H, W), bool
        Where the brain may be.
    vault : ndarray of shape (N,), bool
        The slices whose own skull is trusted.
    brain_value : float
        Median value of what is surely brain.
    samples : list of _SampledSlice
        At every few slices.
    step : int
        From one sample to the next [slices].
    sample_of_slices : ndarray of shape (N,), int
        Which sample speaks for a slice; the number of samples stands for none.
    remark : str
        What the user should know, if anything.
    """

    inside: np.ndarray
    vault: np.ndarray
    brain_value: float
    samples: list[_SampledSlice]
    step: int
    sample_of_slices: np.ndarray
    remark: str = ""


def strip(
    volume: np.ndarray,
    affine: np.ndarray,
    *,
    extent: str = "usual",
    version: str = "v8",
) -> np.ndarray:
    """Find the brain in a volume of the head.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z), integer or float
        An MR image on which bone is darker than brain: T1, T2 or FLAIR.
    affine : ndarray of shape (4, 4)
        Voxel indices to world coordinates [mm]: x to the right, y to the front, z upwards. Any
        orientation will do, oblique ones too.
    extent : str
        How much of the fluid around the brain counts, one of `EXTENTS`: "usual" is one or two
        millimetres and the cisterns, "tight" none, and "with-csf" also all that lies up to three
        millimetres from the brain and can be told from bone.
    version : str
        Which version finds the skull, one of `boundary.BOUNDARY_VERSIONS`: "v8", which needs no
        training, or "v9", which uses a network as well, from the crown down to the orbits.

    Returns
    -------
    ndarray of shape (X, Y, Z), uint8 of {0, 1}
        Empty, with a warning, if there is no brain. A warning also says if few slices show a skull
        that can be trusted, or if the brain seems to be stripped already.

    Raises
    ------
    InputError
        If the volume is not three-dimensional, if its values are not finite or do not differ, if
        the affine cannot be used, or if the extent or the version is unknown.

    References
    ----------
    Threshold, erosion, largest component and dilation follow M. E. Brummer, R. M. Mersereau,
    R. L. Eisner, R. R. J. Lewine, "Automatic detection of brain contours in MRI data sets", IEEE
    Transactions on Medical Imaging 12(2):153–166, 1993, doi:10.1109/42.232244. Finding the skull
    first, and all of the numbers, are this project's own.

    Examples
    --------
    A head of 4 mm voxels with brain, bone and scalp, and the radius of the brain found [mm]:

    >>> radius_mm = 4 * np.linalg.norm(np.indices((46, 46, 46)).T - 22.5, axis=-1)
    >>> head = np.select([radius_mm < 70, radius_mm < 78, radius_mm < 86], [0.8, 0.1, 1.0])
    >>> brain = strip(head, np.diag([4, 4, 4, 1]))
    >>> round(float(0.75 / np.pi * brain.sum() * 4**3) ** (1 / 3))
    71
    """
    mask, _ = strip_with_verdict(volume, affine, extent=extent, version=version)
    return mask


def strip_with_verdict(
    volume: np.ndarray,
    affine: np.ndarray,
    *,
    extent: str = "usual",
    version: str = "v8",
) -> tuple[np.ndarray, Verdict]:
    """Find the brain in a volume of the head, and say how far to trust the mask.

    Parameters
    ----------
    volume, affine, extent, version
        See `strip`.

    Returns
    -------
    mask : ndarray of shape (X, Y, Z), uint8 of {0, 1}
        As from `strip`, with the same warnings.
    verdict : Verdict
        Of the whole and of each level, see `verdicts.judge`. Levels are those of the volume in RAS
        order.

    Raises
    ------
    InputError
        See `strip`.

    Examples
    --------
    >>> from skullmask_lib import phantom
    >>> volume, _, affine = phantom.render_volume(shape=(46, 56, 24), spacing_mm=(4, 4, 8))
    >>> _, verdict = strip_with_verdict(volume, affine)
    >>> verdict.quality > polar.TRUSTED
    True
    """
    check_extent(extent)
    version = boundary.check_version(version)
    volume = scans.check_volume(volume)
    affine = check_affine(affine, 4)
    ras, ras_affine = nifti.to_ras(volume, affine)
    sizes_mm = nib.affines.voxel_sizes(ras_affine).round(_DECIMALS)
    _check_field(ras.shape, sizes_mm)

    factors = _joining_factors(ras.shape, sizes_mm)
    coarse = _scaled(_join(ras, factors))
    # From the top down, rows from front to back.
    slices = np.ascontiguousarray(coarse[:, ::-1, ::-1].T)
    spacing_mm = (sizes_mm * factors)[::-1]
    skull = _find_skull(slices, spacing_mm, version)
    if skull.remark:
        warnings.warn(skull.remark, InputWarning, stacklevel=3)
    brain = _find_brain(skull, slices, spacing_mm, EXTENTS[extent])
    if not brain.any():
        warnings.warn("the mask is empty: no brain in it", EmptyMaskWarning, stacklevel=3)

    ras_mask = _unjoin(brain.T[:, ::-1, ::-1], factors, ras.shape)
    verdict = _judge(ras_mask, float(np.prod(sizes_mm)), factors[2], skull, spacing_mm[0])
    mask = np.ascontiguousarray(nifti.from_ras(ras_mask, affine)).astype(np.uint8)
    return mask, verdict


def check_extent(extent: str) -> str:
    """Return the name of an extent if there is one of this name.

    Parameters
    ----------
    extent : str

    Returns
    -------
    str

    Raises
    ------
    InputError
        If it is not one of `EXTENTS`.

    Examples
    --------
    >>> check_extent("tight")
    'tight'
    """
    if not isinstance(extent, str) or extent not in EXTENTS:
        raise InputError(f"expected an extent of {', '.join(EXTENTS)}, got {extent!r}")
    return extent


def _judge(
    ras_mask: np.ndarray,
    voxel_mm3: float,
    factor: int,
    skull: _Skull,
    thickness_mm: float,
) -> Verdict:
    """Judge a mask of RAS order; of its slices ``factor`` were joined, then looked at."""
    # Joined slices count from the top down, levels from the lowest up
    levels = np.arange(ras_mask.shape[2])
    joined = len(skull.vault) - 1 - levels // factor
    return verdicts.judge(
        ras_mask,
        voxel_mm3,
        [sample.finding for sample in skull.samples],
        skull.step * thickness_mm,
        skull.sample_of_slices[joined],
    )


def _check_field(shape: tuple[int, ...], sizes_mm: np.ndarray) -> None:
    """Refuse a volume that is too small for a head."""
    field_mm = max(shape * sizes_mm)
    if field_mm < LEAST_FIELD_MM:
        wanted = f"expected a field of view from {LEAST_FIELD_MM:g} mm"
        raise InputError(f"{wanted}, got {field_mm:.3g} mm; is it a head, and its unit right?")


def _joining_factors(shape: tuple[int, ...], sizes_mm: np.ndarray) -> list[int]:
    """Return how many voxels to join along each axis."""
    factors = []
    for size, size_mm in zip(shape, sizes_mm, strict=True):
        wanted = max(1, int(JOINED_MM / size_mm))
        factors.append(min(size, wanted))
    return factors


def _join(volume: np.ndarray, factors: list[int]) -> np.ndarray:
    """Average blocks of voxels; the last block of an axis is filled up by its last voxel."""
    padding = []
    blocks = []
    for size, factor in zip(volume.shape, factors, strict=True):
        missing = -size % factor
        padding.append((0, missing))
        blocks += [(size + missing) // factor, factor]
    padded = np.pad(volume, padding, mode="edge")
    return padded.reshape(blocks).mean(axis=(1, 3, 5), dtype=np.float32)


def _unjoin(brain: np.ndarray, factors: list[int], shape: tuple[int, ...]) -> np.ndarray:
    """Undo `_join` for a mask."""
    if max(factors) > 1:
        brain = _split(brain, factors) > 0.5
    x, y, z = shape
    return brain[:x, :y, :z]


def _scaled(volume: np.ndarray) -> np.ndarray:
    """Shift air to 0, and scale bright tissue to about 1, by a power of two to round nothing."""
    air, bright = np.percentile(volume, (1, 99.9))
    _, exponent = np.frexp(bright - air)
    return np.ldexp(volume - np.float32(air), -int(exponent))


# --- the skull ----------------------------------------------------------------------------------


def _find_skull(slices: np.ndarray, spacing_mm: np.ndarray, version: str) -> _Skull:
    """Find the skull in every few slices, and where the brain may be in all of them."""
    thickness_mm = spacing_mm[0]
    step = max(1, round(EVERY_MM / thickness_mm))
    step_mm = step * thickness_mm
    samples = _sample_downwards(slices, spacing_mm, step, version)
    sample_of_slices = _nearest_samples(len(slices), len(samples), step)
    findings = [sample.finding for sample in samples]
    qualities = np.array([finding.quality for finding in findings])
    clarity = verdicts.clarity(verdicts.above_orbits(findings, step_mm))
    nothing = np.zeros(slices.shape, bool)
    no_vault = np.zeros(len(slices), bool)
    is_clear = clarity >= polar.TRUSTED
    voxel_mm3 = float(np.prod(spacing_mm))
    if not is_clear and _is_bare(slices, samples, step, voxel_mm3):
        remark = "no skull around it: is the brain stripped already?"
        return _Skull(nothing, no_vault, 0.0, samples, step, sample_of_slices, remark)

    trusted = _trusted(qualities)
    brain_value = 0.0
    if qualities.any():
        deep_values = [samples[i].deep_values for i in trusted]
        brain_value = float(np.median(np.concatenate(deep_values)))
    if brain_value <= 0:
        return _Skull(nothing, no_vault, 0.0, samples, step, sample_of_slices)
    remark = ""
    if not is_clear:
        remark = "look at the mask: few slices show a skull clearly"
    inside, vault = _spread(samples, trusted, sample_of_slices, step_mm, slices.shape)
    return _Skull(inside, vault, brain_value, samples, step, sample_of_slices, remark)


def _trusted(qualities: np.ndarray) -> np.ndarray:
    """List the samples to be trusted; one between two of them need not reach the limit itself."""
    least = min(polar.TRUSTED, qualities.max())
    is_trusted = qualities >= least
    is_between = np.zeros_like(is_trusted)
    is_between[1:-1] = is_trusted[:-2] & is_trusted[2:]
    return np.flatnonzero(is_trusted | is_between & (qualities >= _BETWEEN_SHARE * least))


def _nearest_samples(slices: int, samples: int, step: int) -> np.ndarray:
    """Return the nearest sample of each slice; the number of samples stands for none."""
    numbers = np.arange(slices)
    nearest = np.minimum(np.rint(numbers / step).astype(int), samples - 1)
    return np.where(numbers < samples * step, nearest, samples)


def _sample_downwards(
    slices: np.ndarray,
    spacing_mm: np.ndarray,
    step: int,
    version: str,
) -> list[_SampledSlice]:
    """Look at every few slices, from the top down to below the brain.

    The network of v9 was never shown slices below the orbits, so only v8 looks at them.
    """
    thickness_mm, height_mm, width_mm = spacing_mm.tolist()
    pixel_mm = (height_mm, width_mm)
    samples: list[_SampledSlice] = []
    top = None
    for k in range(0, len(slices), step):
        findings = [sample.finding for sample in samples]
        is_below_orbits = verdicts.is_below_orbits(findings, step * thickness_mm)
        samples.append(_examine(slices[k], pixel_mm, "v8" if is_below_orbits else version))
        if top is None and samples[-1].finding.quality >= polar.TRUSTED:
            top = k
        if top is not None and (k - top) * thickness_mm > HEIGHT_MM:
            break
    return samples


def _examine(image: np.ndarray, spacing_mm: tuple[float, float], version: str) -> _SampledSlice:
    """Find head and skull in one slice."""
    unwrapped, stages = boundary.follow_boundary(
        polar.unwrap(image, spacing_mm),
        image.shape,
        version,
    )
    if unwrapped is None:
        nothing = np.zeros(image.shape, bool)
        return _SampledSlice(verdicts.NOTHING, nothing, nothing, image[nothing])
    skin = unwrapped.skin
    depth = stages["outline"]
    deep_outline = skin - _DEEP_SHARE * (skin - depth)
    deep = polar.fill_outline(unwrapped, deep_outline) > 0
    head = polar.fill_outline(unwrapped, np.zeros_like(skin)) > 0
    skull = stages["filled"] > 0
    deep_values = image[deep]
    height_mm, width_mm = spacing_mm
    finding = Finding(
        quality=polar.outline_quality(unwrapped, depth),
        head_mm2=float(head.sum() * height_mm * width_mm),
        skull_mm2=float(skull.sum() * height_mm * width_mm),
        shell=verdicts.brightest_shell(unwrapped, depth, deep_values),
    )
    return _SampledSlice(finding, skull, head, deep_values)


def _is_bare(slices: np.ndarray, samples: list[_SampledSlice], step: int, voxel_mm3: float) -> bool:
    """Return True if a volume holds no more tissue than a brain, in air of a single value.

    After a z-score the air around a brain is 0, and darker tissue lies below it.
    """
    sides = slices[:, :, [0, -1]]
    values, counts = np.unique(sides, return_counts=True)
    air = values[counts.argmax()]
    tissue = slices != air
    if np.mean(tissue) > 1 - _EVEN_AIR_SHARE:
        return False
    if air > slices.min():
        tissue_voxels = int(np.count_nonzero(tissue))
    else:
        tissue_voxels = step * sum(int(sample.head.sum()) for sample in samples)
    return bool(tissue_voxels * voxel_mm3 / 1000 <= _BARE_ML)


def _spread(
    samples: list[_SampledSlice],
    trusted: np.ndarray,
    sample_of_slices: np.ndarray,
    step_mm: float,
    shape: tuple[int, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """Carry the trusted skulls over to all slices: where the brain may be, and the vault."""
    inside = np.zeros(shape, bool)
    vault = np.zeros(shape[0], bool)
    silhouette = np.any([samples[i].skull for i in trusted], axis=0)
    for k, i in enumerate(sample_of_slices):
        if i == len(samples):
            break
        nearest = trusted[np.abs(trusted - i).argmin()]
        vault[k] = nearest == i
        is_above = i < trusted[0]
        is_near = abs(nearest - i) * step_mm <= NEAR_MM
        # Further down the brain is no wider than higher up.
        skull = silhouette
        if is_above or is_near:
            skull = samples[nearest].skull
        inside[k] = samples[i].head & skull
    return inside, vault


# --- the brain within ---------------------------------------------------------------------------


def _find_brain(
    skull: _Skull,
    slices: np.ndarray,
    spacing_mm: np.ndarray,
    extent: Extent,
) -> np.ndarray:
    """Find the brain inside the skull, as bool, with parts of voxels where these are large."""
    brain = _brain_within(skull, slices, spacing_mm, extent)
    factors = np.where(spacing_mm > SPLIT_MM, 2, 1).tolist()
    if max(factors) == 1 or not brain.any():
        return brain
    fine_skull = skull._replace(
        inside=_split(skull.inside, factors) > 0.5,
        vault=np.repeat(skull.vault, factors[0]),
    )
    fine = _brain_within(fine_skull, _split(slices, factors), spacing_mm / factors, extent)
    # In large voxels thin bone fades, and parts of them may leak through it.
    widest_mm = spacing_mm.max()
    margins = [(int(widest_mm / mm) + 1,) * 2 for mm in spacing_mm]
    near = morphology.dilate(np.pad(brain, margins), widest_mm, spacing_mm)
    for axis, (factor, (margin, _)) in enumerate(zip(factors, margins, strict=True)):
        inner = np.arange(margin, near.shape[axis] - margin)
        near = near.take(inner.repeat(factor), axis)
    return _join(fine & near, factors) > 0.5


def _split(values: np.ndarray, factors: list[int]) -> np.ndarray:
    """Split voxels into parts, with values between those of their neighbours, as float32."""
    floats = values.astype(np.float32)
    return ndimage.zoom(floats, factors, order=1, mode="nearest", grid_mode=True)


def _brain_within(
    skull: _Skull,
    slices: np.ndarray,
    spacing_mm: np.ndarray,
    extent: Extent,
) -> np.ndarray:
    """Find the brain inside the skull, as bool."""
    brain = np.zeros(slices.shape, bool)
    if not skull.inside.any():
        return brain
    box = morphology.box_around(skull.inside)
    # Balls reach the next slice, however thick it is.
    ball_mm = np.minimum(spacing_mm, MIN_BRAIN_DEPTH_MM)
    margins = _margins(ball_mm)
    inside = _cut(skull.inside, box, margins)
    room = _erode(inside, MIN_BRAIN_DEPTH_MM, ball_mm)
    vault = np.pad(skull.vault[box[0]], margins[0])
    sigmas = _SMOOTHING_MM / spacing_mm
    smooth = ndimage.gaussian_filter(_cut(slices, box, margins), sigmas)
    values = smooth * np.float32(_SHADES / skull.brain_value)

    tissue, firm = _tissue(values, room, vault)
    core = _main_part(_erode(firm, CORE_MM, ball_mm), vault)
    grown = tissue & morphology.dilate(core, CORE_MM + _CORE_REGROWN_MM, ball_mm)
    grown |= tissue & _gyri(core, firm, inside, vault, ball_mm)
    bridged = morphology.dilate(grown, SULCUS_MM, ball_mm)
    rimmed = _erode(bridged, SULCUS_MM - extent.rim_mm, ball_mm) & room
    filled = morphology.fill_holes(rimmed) > 0
    fluid = np.zeros_like(filled)
    if extent.fluid_mm:
        deep = _erode(filled, NECK_MM, ball_mm)
        fluid = room & _fluid(values, deep[vault], (inside & ~room)[vault], vault)
    if fluid.any():
        filled |= fluid & _bridged_below(filled, vault, spacing_mm[1:])
        filled = morphology.fill_holes(filled) > 0
    trunk = _main_part(_erode(filled, NECK_MM, ball_mm), vault)
    filled &= morphology.dilate(trunk, NECK_MM + _NECK_REGROWN_MM, ball_mm)
    # As balls do, a step of a millimetre reaches the next voxel.
    step_mm = np.minimum(spacing_mm, 1)
    for _ in range(extent.fluid_mm):
        filled |= fluid & morphology.dilate(filled, 1, step_mm)
    inner = tuple(slice(margin, -margin) for margin in margins)
    brain[box] = filled[inner]
    return brain


def _margins(ball_mm: np.ndarray) -> list[int]:
    """Return the voxels to add to each side of a box: the continued head, and the largest ball."""
    side_mm = NECK_MM + _NECK_REGROWN_MM
    reaches_mm = (_BEYOND_MM, side_mm, side_mm)
    return [int(reach / mm) + 1 for reach, mm in zip(reaches_mm, ball_mm, strict=True)]


def _cut(values: np.ndarray, box: tuple[slice, ...], margins: list[int]) -> np.ndarray:
    """Cut out a box and widen it: by zeros at the sides, by more of the same above and below."""
    slices, rows, columns = margins
    wide = np.pad(values[box], [(0, 0), (rows, rows), (columns, columns)])
    return np.pad(wide, [(slices, slices), (0, 0), (0, 0)], mode="edge")


def _erode(mask: np.ndarray, radius_mm: float, ball_mm: np.ndarray) -> np.ndarray:
    """Erode a mask of bool with a ball."""
    return ~morphology.dilate(~mask, radius_mm, ball_mm)


def _tissue(
    values: np.ndarray,
    room: np.ndarray,
    vault: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Mark what may be brain by its brightness, and what is so with more certainty.

    The threshold lies halfway between the mean brightness of the two classes into which Otsu's
    method splits the vault. What may be brain is brighter than a share of it, and darker than fat.
    """
    in_vault = values[vault][room[vault]]
    if not in_vault.size:
        nothing = np.zeros(values.shape, bool)
        return nothing, nothing
    shades = np.clip(in_vault, 0, 1.2 * _SHADES).astype(np.uint8)
    is_dark = shades <= masks.otsu_of_values(shades)
    threshold = (_mean(shades[is_dark]) + _mean(shades[~is_dark])) / 2
    tissue = room & (values > _LENIENT_SHARE * threshold) & (values < _FAT * _SHADES)
    firm = tissue & (vault[:, None, None] | (values > threshold))
    return tissue, firm


def _gyri(
    core: np.ndarray,
    firm: np.ndarray,
    inside: np.ndarray,
    vault: np.ndarray,
    ball_mm: np.ndarray,
) -> np.ndarray:
    """Follow the core of the vault into thinner gyri, beneath the dura that lines the skull."""
    gyri = np.zeros_like(core)
    if not core.any():
        return gyri
    below_crown = inside.copy()
    # Above the crown no skull was seen, so nothing is known to be deep.
    below_crown[: vault.argmax()] = False
    deep = _erode(below_crown, DURA_MM, ball_mm) & vault[:, None, None]
    thin = _erode(firm, GYRUS_MM, ball_mm) & deep
    followed = ndimage.binary_propagation(core, mask=thin | core)
    return deep & morphology.dilate(followed, GYRUS_MM + _GYRUS_REGROWN_MM, ball_mm)


def _bridged_below(brain: np.ndarray, vault: np.ndarray, pixel_mm: np.ndarray) -> np.ndarray:
    """Bridge the cisterns of each slice below the vault, and fill what brain surrounds."""
    bridged = np.zeros_like(brain)
    if not vault.any():
        return bridged
    lowest = np.flatnonzero(vault)[-1]
    for k in range(lowest + 1, len(brain)):
        closed = morphology.close_slice(brain[k], CISTERN_MM, pixel_mm)
        bridged[k] = masks.fill_holes(closed)
    return bridged


def _fluid(
    values: np.ndarray,
    deep: np.ndarray,
    shell: np.ndarray,
    vault: np.ndarray,
) -> np.ndarray:
    """Mark what is darker than brain, and as bright as its ventricles rather than as bone.

    ``deep`` is deep in the brain, ``shell`` the outermost part of the skull; both in the vault.
    """
    in_vault = values[vault]
    deep_values = in_vault[deep]
    ventricles = deep_values[deep_values < _VENTRICLE * _SHADES]
    bone = in_vault[shell]
    if not ventricles.size or not bone.size:
        return np.zeros(values.shape, bool)
    fluid_level = np.percentile(ventricles, _VENTRICLE_PERCENTILE)
    bone_level = np.percentile(bone, _BONE_PERCENTILE)
    if fluid_level - bone_level < _FLUID_CONTRAST * _SHADES:
        return np.zeros(values.shape, bool)
    return (values > (fluid_level + bone_level) / 2) & (values < _FLUID * _SHADES)


def _mean(values: np.ndarray) -> float:
    """Return the mean, or 0 of nothing."""
    if not values.size:
        return 0
    return values.mean()


def _main_part(mask: np.ndarray, vault: np.ndarray) -> np.ndarray:
    """Keep the component with most voxels in the vault."""
    labels, _ = ndimage.label(mask)
    sizes = np.bincount(labels[vault].ravel(), minlength=1)
    sizes[0] = 0
    return mask & (labels == sizes.argmax())
