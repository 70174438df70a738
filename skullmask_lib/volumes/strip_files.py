"""One scan: from its file to the brain, its mask, a picture of both and a sidecar.

`stripping` finds the brain. Here its scan is read, and the results are written, all or none of
them. `folders` does so for many scans.
"""

import json
import warnings
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np

from .. import boundary, errors, polar
from ..errors import InputWarning
from ..io import nifti, outputs
from . import scans, stripping, verdicts
from .scans import ScanPath
from .verdicts import Verdict

# Usual brains of adults; look at the mask of a smaller or larger one.
BRAIN_ML = (verdicts.LEAST_BRAIN_ML, 2000.0)
# Thicker slices blur the thin bone between brain and orbits.
THICK_MM = 4.5

# Slope and intercept of stored numbers that are the values themselves.
_PLAIN = (1.0, 0.0)


class Stripped(NamedTuple):
    """The files that `strip_scan` writes."""

    brain: Path
    mask: Path
    picture: Path
    sidecar: Path


def strip_scan(
    scan: ScanPath,
    output_path: ScanPath,
    *,
    n4: bool = False,
    extent: str = "usual",
    version: str = "v8",
) -> Stripped:
    """Find the brain in a file, and write the brain, its mask, a picture to look at and a verdict.

    Parameters
    ----------
    scan : str or path
        One volume, as ``<PREFIX>.nii``, ``<PREFIX>.nii.gz`` or a pair ``<PREFIX>.hdr``,
        ``<PREFIX>.img``; or the folder ``<PREFIX>`` of a DICOM series.
    output_path : str or path
        Folder for the results; it is made if missing.
    n4 : bool
        Correct the bias field first, see `preprocess.n4`. The brain then holds the corrected
        values, as float32.
    extent : str
        How much of the fluid around the brain counts, see `stripping.strip`.
    version : str
        Which version finds the skull, see `stripping.strip`.

    Returns
    -------
    Stripped
        The four files: ``<PREFIX>_brain`` with the values of the scan, and outside the brain the
        number nearest to 0 that can be stored; ``<PREFIX>_brainmask`` of {0, 1};
        ``<PREFIX>_qc.png``; and ``<PREFIX>_brainmask.json`` with the verdict, see `describe`. Both
        volumes have the scan's suffix (``.nii.gz`` for a pair and DICOM), shape and geometry, and
        none of the texts in its header.

    Raises
    ------
    FileNotFoundError
        If the scan does not exist.
    InputError
        If the scan cannot be read as one volume, if `stripping.strip` refuses it, or if the results
        cannot be written.

    Warns
    -----
    InputWarning
        If the mask should be looked at.

    Examples
    --------
    >>> import tempfile
    >>> from skullmask_lib import phantom
    >>> volume, _, affine = phantom.render_volume(shape=(62, 74, 54), spacing_mm=(3, 3, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     nib.save(nib.Nifti1Image(volume, affine), f"{folder}/head.nii.gz")
    ...     [path.name for path in strip_scan(f"{folder}/head.nii.gz", f"{folder}/out")]
    ['head_brain.nii.gz', 'head_brainmask.nii.gz', 'head_qc.png', 'head_brainmask.json']
    """
    scan = scans.existing(scan)
    files = outputs_of(scan, Path(output_path))
    fields = {"Sources": [scan.name]}
    strip_to(
        scan,
        files,
        n4=n4,
        extent=extent,
        version=version,
        fields=fields,
        progress=True,
    )
    return files


def outputs_of(scan: Path, folder: Path) -> Stripped:
    """Name the files that `strip_scan` writes for a scan.

    Parameters
    ----------
    scan, folder : Path

    Returns
    -------
    Stripped

    Examples
    --------
    >>> outputs_of(Path("head.hdr"), Path("out")).mask.name
    'head_brainmask.nii.gz'
    """
    prefix, _ = nifti.split_name(scan)
    suffix = scans.output_suffix(scan)
    return Stripped(
        brain=folder / f"{prefix}_brain{suffix}",
        mask=folder / f"{prefix}_brainmask{suffix}",
        picture=folder / f"{prefix}_qc.png",
        sidecar=folder / f"{prefix}_brainmask.json",
    )


def strip_to(
    scan: Path,
    files: Stripped,
    *,
    n4: bool = False,
    extent: str = "usual",
    version: str = "v8",
    fields: Mapping[str, object] | None = None,
    progress: bool = False,
    before_replacing: Callable[[Stripped], object] | None = None,
) -> Verdict:
    """Find the brain in a file, and write the results to the files that are named.

    Parameters
    ----------
    scan : Path
    files : Stripped
        Their folders are made if missing.
    n4, extent, version
        See `strip_scan`.
    fields : mapping of str to object, optional
        Written into the sidecar, before the verdict.
    progress : bool
        Show how far the bias field is.
    before_replacing : callable, optional
        Called with the finished temporary files, before they take their places.

    Returns
    -------
    Verdict

    Raises
    ------
    FileNotFoundError, InputError
        See `strip_scan`.

    Examples
    --------
    >>> strip_to(Path("missing.nii"), outputs_of(Path("missing.nii"), Path("out")))
    Traceback (most recent call last):
    ...
    FileNotFoundError: missing.nii: no such file
    """
    from .. import plots
    from . import preprocess

    stripping.check_extent(extent)
    version = boundary.check_version(version)
    # The name of "." is empty.
    name = scan.name or nifti.split_name(scan)[0]
    volume, image = scans.read(scan)
    affine = nifti.affine_mm(image, scan)
    values = volume
    with errors.placed(scan), warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        if n4:
            values, _ = preprocess.n4(volume, affine, progress=progress)
        mask, verdict = stripping.strip_with_verdict(
            values,
            affine,
            extent=extent,
            version=version,
        )
    for remark in remarks:
        errors.warn_at(name, remark, stacklevel=3)
    for doubt in _doubts(verdict, affine):
        warnings.warn(InputWarning(doubt, where=name), stacklevel=2)

    stored = values
    scaling = _PLAIN
    if not n4:
        stored, scaling = nifti.stored(image)
    zero = _stored_zero(stored.dtype, scaling)
    if zero is None:
        stored = volume  # as float32
        scaling = _PLAIN
        zero = 0.0
    brain = np.where(mask, stored, stored.dtype.type(zero))
    upright_mask, _ = nifti.to_ras(mask, affine)
    picture = plots.three_planes(
        *nifti.to_ras(values, affine),
        mask=upright_mask,
        doubtful=_doubtful_part(upright_mask, verdict),
        name=name,
    )
    described = dict(fields or {})
    described |= describe(verdict, n4=n4, extent=extent, version=version)

    for file in files:
        outputs.make_folder(file.parent)
    with ExitStack() as stack:
        temporary = [stack.enter_context(outputs.replacing(file, scan)) for file in files]
        brain_file, mask_file, picture_file, sidecar_file = temporary
        nifti.write(brain, brain_file, image, scaling=scaling)
        nifti.write(mask, mask_file, image, shown=(0, 1))
        picture_file.write_bytes(picture.png)
        sidecar_file.write_bytes(json_bytes(described))
        if before_replacing is not None:
            before_replacing(Stripped(*temporary))
    return verdict


def describe(
    verdict: Verdict,
    *,
    n4: bool,
    extent: str,
    version: str,
) -> dict[str, object]:
    """Put a verdict into the fields of a sidecar.

    Parameters
    ----------
    verdict : Verdict
    n4 : bool
        Whether the bias field was corrected.
    extent : str
        How much of the fluid around the brain counts.
    version : str
        Which version found the skull.

    Returns
    -------
    dict of str to object
        Ready for JSON. Levels are those of the volume in RAS order, from the lowest up.

    Examples
    --------
    >>> is_brain = np.array([False, True, True])
    >>> verdict = Verdict(0.7, np.array([0.0, 0.2, 0.8]), is_brain, 1400.0, ())
    >>> describe(verdict, n4=False, extent="usual", version="v8")["DoubtfulLevels"]
    '1'
    """
    return {
        "BiasFieldCorrected": n4,
        "BrainExtent": extent,
        "SkullFoundBy": version,
        "BrainVolumeInMillilitres": round(verdict.brain_ml, 1),
        "Quality": round(verdict.quality, 4),
        "QualityThreshold": polar.TRUSTED,
        "Doubts": list(verdict.doubts),
        "DoubtfulLevels": verdict.doubtful_levels(),
        "LevelQuality": verdict.level_quality.round(4).tolist(),
    }


def json_bytes(fields: Mapping[str, object]) -> bytes:
    r"""Write fields as JSON that people can read, in UTF-8.

    Parameters
    ----------
    fields : mapping of str to object

    Returns
    -------
    bytes
        A byte of a file's name that is not UTF-8 is escaped; `json.loads` returns the same name.

    Examples
    --------
    >>> json_bytes({"Name": "Köpfe"}).decode()
    '{\n  "Name": "Köpfe"\n}\n'
    """
    text = json.dumps(fields, indent=2, ensure_ascii=False)
    return f"{text}\n".encode(errors="backslashreplace")


def _doubtful_part(mask: np.ndarray, verdict: Verdict) -> np.ndarray:
    """Take the part of a mask, in RAS order, on levels that should be looked at."""
    is_doubtful = verdict.level_quality < polar.TRUSTED
    return mask * is_doubtful.astype(mask.dtype)


def _doubts(verdict: Verdict, affine: np.ndarray) -> list[str]:
    """Say why a mask that is not empty should be looked at."""
    doubts: list[str] = []
    if not verdict.is_brain.any():
        return doubts
    if verdict.quality < polar.TRUSTED:
        reasons = ", ".join(verdict.doubts)
        doubts.append(f"look at the mask, its quality is below {polar.TRUSTED}: {reasons}")
    thickest_mm = nib.affines.voxel_sizes(affine).max()
    if thickest_mm > THICK_MM:
        slices = f"slices are as thick as {thickest_mm:.3g} mm"
        doubts.append(f"look at the orbits, which may be taken in where {slices}")
    least_ml, most_ml = BRAIN_ML
    if not least_ml <= verdict.brain_ml <= most_ml:
        doubts.append(f"look at the mask, a brain of {verdict.brain_ml:.0f} mL is unusual")
    return doubts


def _stored_zero(dtype: np.dtype, scaling: tuple[float, float]) -> float | None:
    """Return the stored number whose value is nearest to 0, or None if the dtype has none."""
    slope, intercept = scaling
    zero = 0.0 - intercept / slope  # not -0.0
    if dtype.kind not in "iu":
        return zero
    nearest = round(zero)
    limits = np.iinfo(dtype)
    if not limits.min <= nearest <= limits.max:
        return None
    return nearest
