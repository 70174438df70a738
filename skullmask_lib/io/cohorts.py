"""The data sets of the articles, NFBS and LGG: whose files they are, and which are missing.

This module lists files and reads tables; `loading` reads the slices. ``data/README.md`` says where
the data sets are published.

- NFBS has a folder for every participant: ``A00028185/sub-A00028185_ses-NFB3_T1w.nii.gz`` and two
  files beside it.
- LGG has a folder for every patient: ``TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1.tif`` and so
  on, each slice with a ``…_1_mask.tif``, and beside the folders a ``data.csv``.
"""

import contextlib
import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InputError, extra
from . import nifti, paths, pictures
from .paths import AnyPath

if TYPE_CHECKING:
    import pandas as pd

PREFIXES = ("nfbs:", "lgg:")  # stand before the folder of such a data set
NFBS_FILES = {"t1w": "T1w", "brain": "T1w_brain", "brainmask": "T1w_brainmask"}
FLAIR = 1  # of the channels before contrast, FLAIR and after contrast
_COLUMNS = {  # names of columns in tables, in small letters and digits alone
    "owner": "(participant|subject|sub|patient|anonymized)(id)?|id",
    "sex": "sex|gender",
    "age": r"age|age(in|at|y|\d).*",
}
_UNKNOWN = ("", "na", "n/a", "nan")  # in the cells of tables


class _Layout(NamedTuple):
    """How the folder of one person is called, and an example of a file in it."""

    pattern: str
    example: str


_LAYOUTS = {
    "participant": _Layout(
        r"A\d{8}",
        "NFBS: A00028185/sub-A00028185_ses-NFB3_T1w.nii.gz",
    ),
    "patient": _Layout(
        r"TCGA_[A-Z\d]{2}_[A-Z\d]{4}_\d{8}",
        "LGG: TCGA_CS_4941_19960909/TCGA_CS_4941_19960909_1.tif",
    ),
}


def prefixed(source: AnyPath) -> tuple[str, Path]:
    """Part the path of a source from the prefix of a data set.

    Parameters
    ----------
    source : str or path
        A path may be given as a ``file://`` address.

    Returns
    -------
    prefix : {"nfbs:", "lgg:", ""}
        Empty for any other source.
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
    prefix = _prefix(source)
    if prefix and prefix == source:
        raise InputError(
            "expected the folder of the data set behind the colon, got nothing",
            where=prefix.removesuffix(":"),
        )
    return prefix, Path(paths.local(str(source).removeprefix(prefix)))


def _prefix(source: AnyPath) -> str:
    if isinstance(source, str):
        for prefix in PREFIXES:
            if source.startswith(prefix):
                return prefix
    return ""


def files(prefix: str, folder: AnyPath) -> list[tuple[str, Path | None, Path | None]]:
    """List the files that a data set is read from.

    Parameters
    ----------
    prefix : {"nfbs:", "lgg:"}
    folder : str or path

    Returns
    -------
    list of tuple
        The participant or patient, a volume or a slice, and its mask. A path is None where there
        is no such file.

    Raises
    ------
    InputError
        If the folder holds no participant or patient.

    Examples
    --------
    >>> files("nfbs:", Path(__file__).parent)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: ...: expected the layout of NFBS: A00028185/sub-A00028185_...
    """
    if prefix == "nfbs:":
        rows = nfbs_files(folder)
        columns = itemgetter("participant", "t1w", "brainmask")
    else:
        rows = lgg_files(folder)
        columns = itemgetter("patient", "image", "mask")
    return list(map(columns, rows))


def nfbs_files(folder: AnyPath) -> list[dict[str, object]]:
    """List the files of every participant of NFBS.

    Parameters
    ----------
    folder : str or path
        The data set, the folder that holds it, or one participant's folder.

    Returns
    -------
    list of dict
        One for every participant: ``participant``; the paths ``t1w``, ``brain`` and ``brainmask``,
        None where there is no such file; and ``missing``, a tuple of the names of these.

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
        scans = {}
        for kind, ending in NFBS_FILES.items():
            scans[kind] = home / f"sub-{home.name}_ses-NFB3_{ending}.nii.gz"
        rows.append({"participant": home.name} | _existing(scans))
    return rows


def lgg_files(folder: AnyPath) -> list[dict[str, object]]:
    """List the slices of every patient of LGG with their masks.

    Parameters
    ----------
    folder : str or path
        The data set, the folder that holds it, or one patient's folder.

    Returns
    -------
    list of dict
        One for every slice, ordered by patient and number: ``patient`` as in ``data.csv``;
        ``slice``; the paths ``image`` and ``mask``, None where there is no such file; and
        ``missing``, a tuple of the names of these.

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
        for number in _slice_numbers(home) or [1]:
            name = f"{home.name}_{number}"
            files = {"image": home / f"{name}.tif", "mask": home / f"{name}_mask.tif"}
            row = {"patient": home.name[:12], "slice": number}
            rows.append(row | _existing(files))
    return rows


def _slice_numbers(home: Path) -> list[int]:
    """List the numbers in the names of a patient's images and masks."""
    pattern = re.compile(rf"{home.name}_(\d+)(_mask)?\.tif")
    numbers = set()
    for file in home.iterdir():
        match = pattern.fullmatch(file.name)
        if match:
            numbers.add(int(match[1]))
    return sorted(numbers)


def _homes(folder: AnyPath, person: str) -> list[Path]:
    """Find everyone's folder: the one named, or those up to three folders below it."""
    layout = _LAYOUTS[person]
    top = Path(folder)
    if not top.is_dir():
        raise InputError("no such folder", where=folder)
    if re.fullmatch(layout.pattern, top.resolve().name):
        return [top.resolve()]
    for depth in ("*", "*/*", "*/*/*"):
        homes = [home for home in sorted(top.glob(depth)) if _is_home(home, top, layout)]
        if homes:  # LGG is in its archive twice
            first = homes[0].parent
            return [home for home in homes if home.parent == first]
    raise InputError(f"expected the layout of {layout.example}; no such folder in it", where=folder)


def _is_home(home: Path, top: Path, layout: _Layout) -> bool:
    if not re.fullmatch(layout.pattern, home.name) or not home.is_dir():
        return False
    parts = home.relative_to(top).parts
    return not any(part.startswith(".") for part in parts)


def _existing(files: dict[str, Path]) -> dict[str, object]:
    """Return the paths of files, None for those that are missing, and the names of these."""
    row: dict[str, object] = dict(files)
    missing = []
    for kind, file in files.items():
        if not file.is_file():
            row[kind] = None
            missing.append(file.name)
    row["missing"] = tuple(missing)
    return row


def nfbs_index(folder: AnyPath) -> "pd.DataFrame":
    """Tabulate the files of every participant of NFBS, with what tables beside them say.

    Parameters
    ----------
    folder : str or path
        See `nfbs_files`.

    Returns
    -------
    DataFrame
        One row per participant: ``participant``, ``t1w``, ``brain``, ``brainmask`` and ``missing``
        as `nfbs_files` gives them; ``sex`` as it is written, and ``age`` [years], where a .csv or
        .tsv beside the folders has columns of participants, sex and age. The archive itself brings
        no table.

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


def lgg_index(folder: AnyPath) -> "pd.DataFrame":
    """Tabulate the slices of every patient of LGG, with tumour, sex and age.

    Parameters
    ----------
    folder : str or path
        See `lgg_files`.

    Returns
    -------
    DataFrame
        One row per slice: ``patient``, ``slice``, ``image``, ``mask`` and ``missing`` as
        `lgg_files` gives them; ``tumour``, whether the mask marks any pixel, NA without a mask;
        and from ``data.csv`` ``sex``, a code that the published table does not explain, and
        ``age`` [years].

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


def _index(
    rows: list[dict[str, Any]],
    person: str,
    folder: AnyPath,
) -> "pd.DataFrame":
    """Tabulate files, with what tables beside the folders of people say of them."""
    pd = extra("pandas", "an index", "volumes")
    index = pd.DataFrame(rows)
    if "mask" in index:
        has_tumour = [_marks_pixels(row["mask"]) for row in rows]
        index["tumour"] = pd.array(has_tumour, "boolean")
    beside_people = _homes(folder, person)[0].resolve().parent
    recorded = _people({Path(folder).resolve(), beside_people})
    owners = [recorded[row[person]] for row in rows]
    index["sex"] = [owner.get("sex") for owner in owners]
    ages = [owner.get("age") for owner in owners]
    index["age"] = pd.to_numeric(ages, errors="coerce").astype(float)
    return index


def _marks_pixels(mask: Path | None) -> bool | None:
    if mask is None:
        return None
    with nifti.reading(mask, ".tif"):
        return bool(pictures.read(mask).values.any())


def _people(folders: Iterable[Path]) -> defaultdict[str, dict[str, str]]:
    """Collect sex and age of people from the tables in some folders; the first table counts."""
    tables = []
    for folder in folders:
        tables += [file for file in folder.glob("[!.]*.[ct]sv") if file.is_file()]
    people: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for table in sorted(tables):
        with contextlib.suppress(csv.Error):
            for row in _rows_of(table):
                person = people[row.get("owner", "").removeprefix("sub-")]
                for field in ("sex", "age"):
                    value = row.get(field, "")
                    if value.lower() not in _UNKNOWN:
                        person.setdefault(field, value)
    return people


def _rows_of(table: Path) -> Iterator[dict[str, str]]:
    """Read the rows of a table by field; of columns for the same field the first counts."""
    with open(table, newline="", encoding="utf-8", errors="replace") as stream:
        header = stream.readline()
        delimiter = max("\t;,", key=header.count)
        lines = csv.reader([header, *stream], delimiter=delimiter)
        fields = list(map(_field, next(lines)))
        for cells in lines:
            row: dict[str, str] = {}
            for field, cell in zip(fields, cells, strict=False):
                row.setdefault(field, cell.strip())
            yield row


def _field(column: str) -> str:
    """Recognize the columns of people, sex and age; empty for any other."""
    plain = re.sub(r"[\W_]", "", column).lower()
    for field, pattern in _COLUMNS.items():
        if re.fullmatch(pattern, plain):
            return field
    return ""


def class_counts(index: "pd.DataFrame") -> "pd.Series":
    """Count the classes of an index: slices with and without tumour, or participants by sex.

    Parameters
    ----------
    index : DataFrame
        As `lgg_index` or `nfbs_index` gives it.

    Returns
    -------
    Series of int
        By the name of the class; ``unknown`` where a mask or a table is missing. The name of the
        series is ``slices`` or ``participants``.

    Examples
    --------
    >>> import pandas as pd
    >>> tumour = pd.array([False, True, None, False], "boolean")
    >>> class_counts(pd.DataFrame({"tumour": tumour})).to_dict()
    {'no tumour': 2, 'tumour': 1, 'unknown': 1}
    """
    if "tumour" in index:
        counted = "slices"
        classes = index["tumour"].map({True: "tumour", False: "no tumour"})
    else:
        counted = "participants"
        classes = index["sex"]
    classes = classes.astype(object).where(classes.notna(), "unknown")
    return classes.value_counts().sort_index().rename(counted)
