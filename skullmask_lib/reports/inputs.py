"""What a report is made from: checked before anything runs, then linked to where the notebook runs.

Nothing here runs a notebook or writes a report.
"""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import InputError, check_slice
from ..io import cohorts, datasets, nifti
from ..sweeps import parse_range
from ..versions import VERSIONS, options_of
from . import notebooks

SERIES = "series"  # stands for the name of a folder, which a report does not reveal
_RESERVED = {"images", "truth", "save"}  # parameters that the library sets itself
_DILATING = [name for name in VERSIONS if "dilation_size" in options_of(name)]


def sources(images: str | Path, truth: str | Path | None) -> dict[str, str]:
    """Collect the inputs of a report by the names of their parameters.

    Parameters
    ----------
    images : str or path
    truth : str or path or None

    Returns
    -------
    dict of str to str

    Raises
    ------
    InputError
        If the truth is an empty text.

    Examples
    --------
    >>> sources("phantom", None)
    {'images': 'phantom'}
    >>> sources("phantom", "")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected a path of the truth, got an empty text
    """
    named = {"images": str(images)}
    if truth is None:
        return named
    if not str(truth):
        raise InputError("expected a path of the truth, got an empty text")
    named["truth"] = str(truth)
    return named


def load(
    images: str,
    truth: str | None,
    channel: int | None,
    slices: str,
) -> datasets.Data:
    """Load the slices of a report, and check each.

    Parameters
    ----------
    images : str
    truth : str or None
    channel : int or None
        Which channel of colour pictures to take.
    slices : str
        ``start:stop:step``, stop included; empty for all slices.

    Returns
    -------
    Data

    Raises
    ------
    InputError
        If they cannot be loaded, no version takes a slice, or no page can show its name.

    Examples
    --------
    >>> len(load("phantom", None, None, "1:3").images)
    3
    """
    places = None
    if slices:
        places = parse_range(slices, low=0)
    data = datasets.load(images, truth=truth, channel=channel, slices=places)
    for name, image in zip(data.names, data.images, strict=True):
        _check_named_slice(name, image)
    return data


def _check_named_slice(name: str, image: object) -> None:
    """Refuse a slice that no version takes, and a name that no page can show."""
    try:
        check_slice(image)
    except InputError as error:
        raise error.at(name) from None
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError("expected a name in UTF-8", where=f"{name!a}") from None


def prepare(
    notebook: Path,
    inputs: dict[str, str],
    parameters: dict[str, object],
    *,
    load: Callable[..., datasets.Data] = load,
) -> dict[str, object]:
    """Check everything that a report needs, before anything runs.

    Parameters
    ----------
    notebook : Path
    inputs : dict of str to str
        The images and, where there is one, the truth.
    parameters : dict of str to object
    load : callable
        Loads the slices: `load`, or one that remembers what it loaded.

    Returns
    -------
    dict of str to object
        The parameters to run with.

    Raises
    ------
    InputError
        If an input or a parameter cannot be used.

    Examples
    --------
    >>> prepare(notebooks.find("report"), {"images": "phantom"}, {"title": "A head"})
    {'images': 'phantom', 'title': 'A head', 'save': True}
    """
    parameters = _completed(notebook, inputs, parameters)
    notebooks.check(notebook, parameters)
    _check_versions_differ(notebook, parameters)
    data = load(
        inputs["images"],
        inputs.get("truth"),
        _channel(parameters),
        _slices(parameters),
    )
    if data.truth is None and _measures(notebook):
        raise InputError(
            f"brings no truth, and {notebook.name} measures; name the true masks as well",
            where=inputs["images"],
        )
    _check_fits(notebook, inputs["images"], data, parameters)
    return parameters


def _completed(
    notebook: Path,
    inputs: dict[str, str],
    parameters: dict[str, object],
) -> dict[str, object]:
    """Merge inputs and parameters, and let the notebook save its masks if it can."""
    for name in _RESERVED & set(parameters):
        raise InputError(
            f"{name} is not chosen as a parameter: images and truth have a place of their own",
            where=notebook.name,
        )
    completed = inputs | parameters
    if "save" in notebooks.parameters(notebook):
        completed["save"] = True
    versions = completed.get("version")
    if isinstance(versions, list):
        completed["version"] = ",".join(map(str, versions))
    return completed


def _check_versions_differ(notebook: Path, parameters: dict[str, object]) -> None:
    """Refuse to compare versions that one dilation size makes the same."""
    chosen = str(parameters.get("version", "")).lower().split(",")
    same = [name for name in dict.fromkeys(chosen) if name in _DILATING]
    dilation_size = parameters.get("dilation_size")
    if dilation_size and len(same) > 1:
        raise InputError(
            f"{', '.join(same)} differ in their width alone, and are the same "
            f"with dilation_size={dilation_size}; name one of them, or leave dilation_size out",
            where=notebook.name,
        )


def _channel(parameters: Mapping[str, object]) -> int | None:
    """Read which channel to take; notebooks write -1 for none."""
    channel = parameters.get("channel")
    if isinstance(channel, int) and channel >= 0:
        return channel
    return None


def _slices(parameters: Mapping[str, object]) -> str:
    """Read which slices to take; empty for all."""
    slices = parameters.get("slices")
    if isinstance(slices, str):
        return slices
    return ""


def _measures(notebook: Path) -> bool:
    """Tell whether a notebook is a lesson that compares slices with their truth."""
    if notebook not in notebooks.lessons():
        return False
    return "slice_index" in notebooks.parameters(notebook)


def _check_fits(
    notebook: Path,
    images: str,
    data: datasets.Data,
    parameters: dict[str, object],
) -> None:
    """Refuse a slice beyond the last one, and a dilation size beyond the shorter side."""
    values = notebooks.parameters(notebook) | parameters
    largest = {
        "slice_index": len(data.names) - 1,
        "dilation_size": min(data.images.shape[1:]),
    }
    for name, high in largest.items():
        value = values.get(name)
        if isinstance(value, int) and value > high:
            raise InputError(
                f"expected {name} up to {high} for {images}, got {value}", where=notebook.name
            )


def files_among(parameters: Mapping[str, object]) -> dict[str, str]:
    """Select the parameters that name existing files by their paths.

    Parameters
    ----------
    parameters : mapping of str to object

    Returns
    -------
    dict of str to str
        A name without a folder does not count as a path.

    Examples
    --------
    >>> files_among({"images": "phantom", "dilation_size": 26})
    {}
    """
    files = {}
    for name, value in parameters.items():
        if os.sep in str(value) and os.path.isfile(str(value)):
            files[name] = value
    return files


def private_folders(
    folder: Path,
    notebook: Path,
    sources: Mapping[str, str],
    files: Mapping[str, str],
) -> list[Path]:
    """List what a report must not name: where it goes, and the folders of what it is made from.

    Parameters
    ----------
    folder : Path
        Of the report.
    notebook : Path
    sources, files : mapping of str to str
        See `sources` and `files_among`.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> [str(path) for path in private_folders(Path("a/b"), Path("c/d.ipynb"), {}, {})]
    ['a/b', 'a', 'c']
    """
    private = [folder, folder.parent, notebook.parent]
    for source in sources.values():
        _, path = cohorts.prefixed(source)
        private += [path, path.parent]
    for file in files.values():
        private.append(Path(file).parent)
    return private


def link(work: Path, name: str, source: str) -> str:
    """Put an input into the folder where the notebook runs, so that it names no other folder.

    Parameters
    ----------
    work : Path
        Where the notebook runs.
    name : str
        Parameter that names the input; becomes a folder in ``work``.
    source : str

    Returns
    -------
    str
        What to give to the notebook: a path relative to ``work``, or a data set's own name.

    Examples
    --------
    >>> link(Path("work"), "images", "phantom")
    'phantom'
    """
    if datasets.is_name(source):
        return source
    prefix, path = cohorts.prefixed(source)
    place = work / name / (SERIES if path.is_dir() else path.name)
    place.parent.mkdir(exist_ok=True)
    try:
        place.symlink_to(path.absolute())
    except OSError:  # Windows does not let everybody make links
        _copy(source, path, place)
    return f"{prefix}{place.relative_to(work).as_posix()}"


def _copy(source: str, path: Path, copy: Path) -> None:
    """Copy the files that an input is read from; hard links where the disk allows them."""
    if not path.is_dir():
        for file in nifti.files(path):
            _copy_file(file, copy.with_name(file.name))
        return
    for file in datasets.files_in(source):
        folder = path.absolute()
        if not file.absolute().is_relative_to(folder):
            folder = path.resolve()
        place = copy / file.absolute().relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(file, place)


def _copy_file(path: Path, copy: Path) -> None:
    try:
        os.link(os.path.realpath(path), copy)
    except OSError:  # on another disk, or one without hard links
        shutil.copyfile(path, copy)
