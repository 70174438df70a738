"""The data sets of the sources, as they are published: which files belong to whom, and which are missing.

NFBS is a folder for every participant, ``A00028185/sub-A00028185_ses-NFB3_T1w.nii.gz`` and two files beside it. LGG is
a folder for every patient, ``TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1.tif`` … with a ``…_1_mask.tif`` each, and a
``data.csv``. ``data/README.md`` says where they are published.
"""

import contextlib
import csv
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, extra
from . import nifti, paths, pictures

if TYPE_CHECKING:
    import pandas as pd

PREFIXES = ("nfbs:", "lgg:")  # what stands before the folder of such a data set
NFBS_FILES = {"t1w": "T1w", "brain": "T1w_brain", "brainmask": "T1w_brainmask"}
FLAIR = 1  # of the channels before contrast, FLAIR and after contrast
_HOMES = {  # of whom: what the folders are called, and what is in them
    "participant": (r"A\d{8}", "NFBS: A00028185/sub-A00028185_ses-NFB3_T1w.nii.gz"),
    "patient": (r"TCGA_[A-Z\d]{2}_[A-Z\d]{4}_\d{8}", "LGG: TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1.tif"),
}
_COLUMNS = {  # what the columns of a table are called, in small letters and digits alone
    "who": "(participant|subject|sub|patient|anonymized)(id)?|id",
    "sex": "sex|gender",
    "age": r"age|age(in|at|y|\d).*",
}


def prefixed(source: str | os.PathLike) -> tuple[str, Path]:
    """Part a path, or the ``file://`` address of one, from what says that it is a data set of the sources.

    Parameters
    ----------
    source : str or path

    Returns
    -------
    prefix : str
        Empty for all else.
    path : Path

    Raises
    ------
    InputError
        If no path follows.

    Examples
    --------
    >>> prefixed("nfbs:heads")[0], prefixed("C:/heads")[0], prefixed("./nfbs:heads")[0]
    ('nfbs:', '', '')
    """
    prefix = next((each for each in PREFIXES if isinstance(source, str) and source.startswith(each)), "")
    if prefix and prefix == source:
        raise InputError(f"{source} expected the folder of the data set behind the colon, got nothing")
    return prefix, Path(paths.local(str(source).removeprefix(prefix)))


def files(prefix: str, folder: str | os.PathLike) -> list[tuple[str, Path | None, Path | None]]:
    """List what a data set is read from.

    Parameters
    ----------
    prefix : {"nfbs:", "lgg:"}
    folder : str or path

    Returns
    -------
    list of tuple
        Whose it is, a volume or a slice, and its mask; None where there is no such file.

    Raises
    ------
    InputError
        If there is nobody.

    Examples
    --------
    >>> files("nfbs:", Path(__file__).parent)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: ...: expected the layout of NFBS: A00028185/sub-A00028185_ses-NFB3_T1w.nii.gz; ...
    """
    if prefix == "nfbs:":
        return [(row["participant"], row["t1w"], row["brainmask"]) for row in nfbs_files(folder)]
    return [(row["patient"], row["image"], row["mask"]) for row in lgg_files(folder)]


def nfbs_files(folder: str | os.PathLike) -> list[dict[str, object]]:
    """List the files of every participant of NFBS.

    Parameters
    ----------
    folder : str or path
        The data set, the folder that holds it, or one participant's folder.

    Returns
    -------
    list of dict
        By participant: ``participant``, the paths ``t1w``, ``brain`` and ``brainmask``, None where there is no such
        file, and ``missing``, a tuple of their names.

    Raises
    ------
    InputError
        If there is no participant.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "A00028185").mkdir()
    ...     Path(folder, "A00028185", "sub-A00028185_ses-NFB3_T1w.nii.gz").touch()
    ...     [row] = nfbs_files(folder)
    >>> row["t1w"].name, row["missing"][0]
    ('sub-A00028185_ses-NFB3_T1w.nii.gz', 'sub-A00028185_ses-NFB3_T1w_brain.nii.gz')
    """
    rows = []
    for home in _homes(folder, "participant"):
        paths = {kind: home / f"sub-{home.name}_ses-NFB3_{end}.nii.gz" for kind, end in NFBS_FILES.items()}
        rows.append({"participant": home.name} | _there(paths))
    return rows


def lgg_files(folder: str | os.PathLike) -> list[dict[str, object]]:
    """List the slices of every patient of LGG with their masks.

    Parameters
    ----------
    folder : str or path
        The data set, the folder that holds it, or one patient's folder.

    Returns
    -------
    list of dict
        By patient and, as numbers, by slice: ``patient`` as in ``data.csv``, ``slice``, the paths ``image`` and
        ``mask``, None where there is no such file, and ``missing``, a tuple of their names.

    Raises
    ------
    InputError
        If there is no patient.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     home = Path(folder, "TCGA_CS_4941_19960909")
    ...     home.mkdir()
    ...     for number in (10, 9):
    ...         Path(home, f"{home.name}_{number}.tif").touch()
    ...     rows = lgg_files(folder)
    >>> [row["slice"] for row in rows], rows[0]["patient"], rows[0]["missing"]
    ([9, 10], 'TCGA_CS_4941', ('TCGA_CS_4941_19960909_9_mask.tif',))
    """
    rows = []
    for home in _homes(folder, "patient"):
        names = (re.fullmatch(rf"{home.name}_(\d+)(_mask)?\.tif", file.name) for file in home.iterdir())
        for number in sorted({int(name[1]) for name in names if name}) or [1]:
            paths = {"image": home / f"{home.name}_{number}.tif", "mask": home / f"{home.name}_{number}_mask.tif"}
            rows.append({"patient": home.name[:12], "slice": number} | _there(paths))
    return rows


def _homes(folder: str | os.PathLike, who: str) -> list[Path]:
    """Find the folders of these people: the one named, those in it, or in its folders, or in theirs."""
    (pattern, layout), top = _HOMES[who], Path(folder)
    if not top.is_dir():
        raise InputError(f"{folder}: no such folder")
    if re.fullmatch(pattern, top.resolve().name):
        return [top.resolve()]
    for depth in ("*", "*/*", "*/*/*"):
        found = sorted(home for home in top.glob(depth) if re.fullmatch(pattern, home.name) and home.is_dir())
        found = [home for home in found if not re.search(r"(^|/)\.", home.relative_to(top).as_posix())]
        if found:  # LGG is in its archive twice
            return [home for home in found if home.parent == found[0].parent]
    raise InputError(f"{folder}: expected the layout of {layout}; no such folder in it")


def _there(paths: dict[str, Path]) -> dict[str, object]:
    """Put None for the files that are missing, and name them."""
    missing = tuple(path.name for path in paths.values() if not path.is_file())
    return {kind: None if path.name in missing else path for kind, path in paths.items()} | {"missing": missing}


def nfbs_index(folder: str | os.PathLike) -> "pd.DataFrame":
    """Tell which files there are of every participant of NFBS, and what tables beside them say.

    Parameters
    ----------
    folder : str or path
        See `nfbs_files`.

    Returns
    -------
    DataFrame
        One row per participant: ``participant``, ``t1w``, ``brain``, ``brainmask`` and ``missing`` as `nfbs_files`
        gives them; ``sex``, as it is told, and ``age`` [years] where a .csv or .tsv beside the folders has columns of
        participants, sex and age. The archive itself brings no table.

    Raises
    ------
    InputError
        If there is no participant, or pandas is missing.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "A00028185").mkdir()
    ...     _ = Path(folder, "people.csv").write_text("id,age,sex" + chr(10) + "A00028185,24,F")
    ...     index = nfbs_index(folder)
    >>> index[["participant", "sex", "age"]].values.tolist(), len(index.missing[0])
    ([['A00028185', 'F', 24.0]], 3)
    """
    return _index(nfbs_files(folder), "participant", folder)


def lgg_index(folder: str | os.PathLike) -> "pd.DataFrame":
    """Tell which slices and masks there are of every patient of LGG, which show tumour, and what ``data.csv`` says.

    Parameters
    ----------
    folder : str or path
        See `lgg_files`.

    Returns
    -------
    DataFrame
        One row per slice: ``patient``, ``slice``, ``image``, ``mask`` and ``missing`` as `lgg_files` gives them;
        ``tumour``, whether the mask marks any pixel, NA without a mask; ``sex``, a code that the published table does
        not explain, and ``age`` [years].

    Raises
    ------
    InputError
        If there is no patient, a mask is damaged, or pandas is missing.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     home = Path(folder, "kaggle_3m", "TCGA_CS_4941_19960909")
    ...     home.mkdir(parents=True)
    ...     Image.new("L", (4, 4), 255).save(home / f"{home.name}_1_mask.tif")
    ...     index = lgg_index(folder)
    >>> index[["patient", "slice", "image", "tumour", "missing"]].values.tolist()
    [['TCGA_CS_4941', 1, None, True, ('TCGA_CS_4941_19960909_1.tif',)]]
    """
    return _index(lgg_files(folder), "patient", folder)


def _index(rows: list[dict[str, object]], who: str, folder: str | os.PathLike) -> "pd.DataFrame":
    pd = extra("pandas", "an index", "volumes")
    index = pd.DataFrame(rows)
    if "mask" in index:
        index["tumour"] = pd.array([_marks(row["mask"]) for row in rows], "boolean")
    told = _told({Path(folder).resolve(), _homes(folder, who)[0].resolve().parent})
    index["sex"] = [told.get((row[who], "sex")) for row in rows]
    index["age"] = pd.to_numeric([told.get((row[who], "age")) for row in rows], errors="coerce").astype(float)
    return index


def _marks(mask: Path | None) -> bool | None:
    if mask is None:
        return None
    with nifti.reading(mask, ".tif"):
        return bool(pictures.read(mask).values.any())


def _told(folders: Iterable[Path]) -> dict[tuple[str, str], str]:
    """Collect what the tables of some folders tell of people's sex and age; what is told first counts."""
    told: dict[tuple[str, str], str] = {}
    for table in sorted(file for folder in folders for file in folder.glob("[!.]*.[ct]sv") if file.is_file()):
        with open(table, newline="", encoding="utf-8", errors="replace") as stream, contextlib.suppress(csv.Error):
            header = stream.readline()
            lines = csv.reader([header, *stream], delimiter=max("\t;,", key=header.count))
            fields = [_field(name) for name in next(lines)]
            for cells in lines:
                row: dict[str, str] = {}
                for field, cell in zip(fields, cells, strict=False):
                    row.setdefault(field, cell.strip())
                for field in ("sex", "age"):
                    if row.get(field, "").lower() not in ("", "na", "n/a", "nan"):
                        told.setdefault((row.get("who", "").removeprefix("sub-"), field), row[field])
    return told


def _field(name: str) -> str:
    plain = re.sub(r"[\W_]", "", name).lower()
    return next((field for field, pattern in _COLUMNS.items() if re.fullmatch(pattern, plain)), "")


def class_counts(index: "pd.DataFrame") -> "pd.Series":
    """Count the classes of an index: slices with and without tumour, or participants by sex.

    Parameters
    ----------
    index : DataFrame
        As `lgg_index` or `nfbs_index` gives it.

    Returns
    -------
    Series of int
        By the name of the class; ``unknown`` where a mask or a table is missing. Its name is what was counted.

    Examples
    --------
    >>> import pandas as pd
    >>> class_counts(pd.DataFrame({"tumour": pd.array([False, True, None, False], "boolean")})).to_dict()
    {'no tumour': 2, 'tumour': 1, 'unknown': 1}
    """
    slices = "tumour" in index
    classes = index["tumour"].map({True: "tumour", False: "no tumour"}) if slices else index["sex"]
    counts = classes.astype(object).where(classes.notna(), "unknown").value_counts().sort_index()
    return counts.rename("slices" if slices else "participants")
