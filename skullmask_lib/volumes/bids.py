"""The rules of BIDS for what `strip` reads and writes: scans, names, sidecars, the description.

BIDS is the Brain Imaging Data Structure, https://bids.neuroimaging.io. No image is opened here, and
nothing is written: functions return names, and what goes into files.
"""

import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from ..errors import InputError

DESCRIPTION = "dataset_description.json"
VERSION = "1.10.0"
# Suffixes of the scans that `strip` understands
SUFFIXES = ("T1w", "T2w", "FLAIR")
# Where derivatives of a data set lie, from its folder
DERIVATIVES = Path("derivatives", "skullmask")
# What BIDS does not name; its validator passes over these
IGNORED = ("masks.tsv", "strip.jsonl", "figures")

# The name of the data set in its derivatives' BIDS URIs
_RAW = "raw"
# ``key-value`` pairs, then the suffix and the extension
_NAME = re.compile(r"((?:[a-z]+-[a-zA-Z0-9]+_)+)([a-zA-Z0-9]+)(\.nii(?:\.gz)?)")
# These keys follow ``space`` in a name
_AFTER_SPACE = ("split", "recording", "chunk")
# Only derivatives have these keys
_DERIVED = ("space", "res", "den", "label", "desc")


class Scan(NamedTuple):
    """One scan of a data set, and the names of what is made from it.

    Attributes
    ----------
    path : str
        Within the data set, with slashes.
    brain, mask, picture : str
        Within the derivatives, with slashes.
    """

    path: str
    brain: str
    mask: str
    picture: str


def is_dataset(folder: Path) -> bool:
    """Return whether a folder is a data set of BIDS.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    bool

    Examples
    --------
    >>> is_dataset(Path(__file__).parent)
    False
    """
    return (folder / DESCRIPTION).is_file()


def description(folder: Path) -> dict[str, object]:
    """Read the description of a raw data set.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to object

    Raises
    ------
    InputError
        If it is not JSON, or describes derivatives.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, DESCRIPTION).write_text('{"Name": "Heads", "BIDSVersion": "1.8.0"}')
    ...     description(Path(folder))["Name"]
    'Heads'
    """
    file = folder / DESCRIPTION
    try:
        fields = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise InputError("expected an object of JSON", where=file)
    kind = fields.get("DatasetType", "raw")
    if kind != "raw":
        raise InputError(f"expected a raw data set, got DatasetType {kind!r}", where=file)
    return fields


def scans(folder: Path) -> list[Scan]:
    """List the scans of a data set from which brains can be found.

    They lie in the folders ``anat`` of subjects and sessions. Of complex images only the magnitude
    counts.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Scan
        In the order of their paths.

    Raises
    ------
    InputError
        If there are none, or if one comes twice, packed and unpacked.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "sub-01/anat/sub-01_T1w.nii.gz")
    ...     file.parent.mkdir(parents=True)
    ...     file.touch()
    ...     scans(Path(folder))[0].mask
    'sub-01/anat/sub-01_space-T1w_desc-brain_mask.nii.gz'
    """
    candidates = [*folder.glob("sub-*/anat/*.nii*"), *folder.glob("sub-*/ses-*/anat/*.nii*")]
    by_picture: dict[str, Scan] = {}  # packed and unpacked scans of one name share it
    for path in sorted(candidates):
        scan = _scan(path.relative_to(folder))
        if scan is None:
            continue
        if scan.picture in by_picture:
            twice = f"comes twice, also as {by_picture[scan.picture].path}; remove one of them"
            raise InputError(twice, where=path)
        by_picture[scan.picture] = scan
    if not by_picture:
        suffixes = ", ".join(SUFFIXES)
        wanted = f"expected a scan in sub-*/[ses-*/]anat whose name ends in {suffixes}"
        raise InputError(wanted, where=folder)
    return list(by_picture.values())


def _scan(path: Path) -> Scan | None:
    """Name what is made from a file; None if it is no scan for `strip`."""
    match = _NAME.fullmatch(path.name)
    if not match:
        return None
    start, suffix, extension = match.groups()
    entities = dict(pair.split("-") for pair in start.strip("_").split("_"))
    is_magnitude = entities.get("part", "mag") == "mag"
    is_raw = not any(key in entities for key in _DERIVED)
    if suffix not in SUFFIXES or not is_magnitude or not is_raw:
        return None
    brain = _named(entities | {"desc": "brain"}, suffix)
    # Masks of several scans of a session differ in nothing else
    mask = _named(entities | {"space": suffix, "desc": "brain"}, "mask")
    folder = path.parent
    subject, *_ = path.parts
    return Scan(
        path=path.as_posix(),
        brain=(folder / f"{brain}{extension}").as_posix(),
        mask=(folder / f"{mask}{extension}").as_posix(),
        picture=Path(subject, "figures", f"{brain}.png").as_posix(),
    )


def _named(entities: dict[str, str], suffix: str) -> str:
    """Put a name together; ``space`` and ``desc`` come in their places."""
    last = [key for key in (*_AFTER_SPACE, "desc") if key in entities]
    first = [key for key in entities if key not in (*last, "space")]
    if "space" in entities:
        first.append("space")
    pairs = [f"{key}-{entities[key]}" for key in (*first, *last)]
    return "_".join([*pairs, suffix])


def mask_sidecar(scan: Scan) -> dict[str, object]:
    """Describe a mask of the brain.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    dict of str to object
        Ready for JSON.

    Examples
    --------
    >>> scan = Scan("sub-01/anat/sub-01_T1w.nii", "brain.nii", "mask.nii", "figure.png")
    >>> mask_sidecar(scan)["Sources"]
    ['bids:raw:sub-01/anat/sub-01_T1w.nii']
    """
    source = f"bids:{_RAW}:{scan.path}"
    return {
        "Description": "Mask of the brain, with ventricles and sulci filled",
        "Type": "Brain",
        "Sources": [source],
        "SpatialReference": source,
    }


def brain_sidecar(scan: Scan) -> dict[str, object]:
    """Describe a scan of which only the brain is left.

    Parameters
    ----------
    scan : Scan

    Returns
    -------
    dict of str to object
        Ready for JSON.

    Examples
    --------
    >>> scan = Scan("sub-01/anat/sub-01_T1w.nii", "brain.nii", "mask.nii", "figure.png")
    >>> brain_sidecar(scan)["Sources"]
    ['bids:raw:sub-01/anat/sub-01_T1w.nii', 'bids::mask.nii']
    """
    source = f"bids:{_RAW}:{scan.path}"
    return {
        "Description": "The scan inside the mask of the brain",
        "SkullStripped": True,
        "Sources": [source, f"bids::{scan.mask}"],
        "SpatialReference": source,
    }


def derivative_description(
    source: dict[str, object],
    folder: Path,
    derivatives: Path,
    version: str,
) -> dict[str, object]:
    """Describe the data set of all masks.

    Parameters
    ----------
    source : dict of str to object
        As from `description`.
    folder, derivatives : Path
        Of the data set, and of the masks.
    version : str
        Of this library.

    Returns
    -------
    dict of str to object
        Ready for JSON.

    Examples
    --------
    >>> fields = derivative_description({"Name": "Heads"}, Path("a"), Path("a/derivatives/b"), "1")
    >>> fields["Name"], fields["DatasetLinks"]
    ('Heads: brains', {'raw': '../..'})
    """
    link = _link(folder, derivatives)
    origin = {"URL": link}
    if isinstance(source.get("DatasetDOI"), str):
        origin = {"DOI": str(source["DatasetDOI"])}
    described: dict[str, object] = {
        "Name": f"{source.get('Name', folder.name)}: brains",
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "skullmask", "Version": version}],
        "SourceDatasets": [origin],
        "DatasetLinks": {_RAW: link},
    }
    for field in ("License", "Authors"):
        if field in source:
            described[field] = source[field]
    return described


def _link(folder: Path, derivatives: Path) -> str:
    """Return the way from the derivatives to the data set, or its address on another drive."""
    folder = folder.resolve()
    try:
        way = os.path.relpath(folder, derivatives.resolve())
    except ValueError:
        return folder.as_uri()
    return Path(way).as_posix()
