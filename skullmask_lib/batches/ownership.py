"""Whose files lie where masks go: a batch's masks, the operating system's files, or somebody's own.

All code that removes or replaces something where masks go is here, and does so only once it knows
whose it is.
"""

import os
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import InputError
from ..io import paths
from . import mask_stacks, stores
from .stacks import Stack

NOT_OURS = "no batch made this file; move it, or choose another name"
PARTIAL = ".partial-"  # how the names begin that `writing` gives to files half written
_HALF_WRITTEN = re.compile(r"(.*/)?\.partial-[0-9a-f]{8}[^/]{0,7}", re.DOTALL)
_HALF_WRITTEN_BY_ZARR = re.compile(r"(zarr|c(/\d+)+)(\.\w+)*\.partial")
_PART_OF_ZARR = re.compile(r"zarr\.json|c(/\d+){0,3}")
_ZARR_2_METADATA = (".zarray", ".zattrs", ".zgroup", ".zmetadata")  # hidden, but left by no system
_CANNOT_BE_REACHED = "cannot be reached"


def exists(masks: Stack) -> bool:
    """Return whether anything lies where masks go.

    An empty folder counts as nothing, and so do files that systems leave, such as ``.DS_Store``.

    Parameters
    ----------
    masks : Stack
        A stack that `mask_stacks.planned` returned.

    Returns
    -------
    bool

    Raises
    ------
    InputError
        If an address cannot be reached.

    Examples
    --------
    >>> exists(Stack("gone.npy", "npy", (5, 768, 624)))
    False
    """
    if stores.is_address(masks.path):
        with stores.reaching(masks.path, _CANNOT_BE_REACHED):
            store, place = stores.file_system(masks.path)
            return store.exists(place)
    path = Path(masks.path)
    if masks.kind == "npy" or not path.is_dir():
        return path.exists()
    return any(kind in ("mask", "stranger") for _, kind in _contents(masks))


def is_ours(masks: Stack) -> bool:
    """Return whether what lies where masks go can be these masks.

    Parameters
    ----------
    masks : Stack
        A stack that `mask_stacks.planned` returned.

    Returns
    -------
    bool
        Judged by the header of a ``.npy``, and by the shape and dtype of a Zarr array; any folder
        may hold masks in files.

    Raises
    ------
    InputError
        If an address cannot be reached.

    Examples
    --------
    >>> is_ours(Stack("gone.npy", "npy", (5, 768, 624)))
    False
    """
    path = Path(masks.path)
    if masks.kind == "files":
        return path.is_dir()
    if masks.kind == "zarr":
        return _is_array_of_masks(masks)
    if not path.is_file():
        return False
    try:
        with open(path, "rb") as file:
            header = file.read(masks.offset)
    except OSError:
        return False
    return header == mask_stacks.npy_header(masks.shape)


def _is_array_of_masks(masks: Stack) -> bool:
    """Return whether there is a Zarr array of these masks, whole or damaged, and nothing else."""
    names = _names_in(masks.path)
    if names is None:
        return False
    others = [name for name in names if not _is_part_of_array(name)]
    if not all(map(_is_left_by_system, others)):
        return False
    try:
        array = stores.open_array(masks.path)
    except InputError:  # its zarr.json is lost or damaged
        return not others
    return array.shape == masks.shape and array.dtype == np.uint8


def _names_in(path: str) -> list[str] | None:
    """List a folder, or the place that an address leads to; None if there is no folder."""
    with stores.reaching(path, _CANNOT_BE_REACHED):
        if not stores.is_address(path):
            return os.listdir(path) if os.path.isdir(path) else None
        store, place = stores.file_system(path)
        if not store.isdir(place):
            return None
        entries = store.ls(place, detail=False)
    return [PurePosixPath(entry).name for entry in entries]


def _is_part_of_array(name: str) -> bool:
    if name in ("zarr.json", "c"):
        return True
    return _HALF_WRITTEN_BY_ZARR.fullmatch(name) is not None


def stranger_in(masks: Stack) -> str | None:
    """Find something where masks go that is none of them, nor hidden.

    Parameters
    ----------
    masks : Stack

    Returns
    -------
    str or None
        The first one found; None if there are only masks, or nothing.

    Raises
    ------
    InputError
        If an address cannot be reached.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("a.png", "notes.txt"):
    ...         Path(folder, name).touch()
    ...     masks = mask_stacks.masks_at(folder, "files", (1,), ("a.tif",))
    ...     os.path.basename(stranger_in(masks))
    'notes.txt'
    """
    if not stores.is_address(masks.path):
        if not os.path.lexists(masks.path):
            return None
        if Path(masks.path).is_symlink():
            return masks.path
        stranger = _stranger_below(masks)
        if stranger:
            return str(stranger)
    if exists(masks) and not is_ours(masks):
        return masks.path
    return None


def _stranger_below(masks: Stack) -> Path | None:
    if masks.kind == "npy":
        return None
    for path, kind in _contents(masks):
        if kind == "stranger":
            return path
    return None


def check_alone(masks: Stack) -> None:
    """Check that nothing but masks lies where masks go.

    Parameters
    ----------
    masks : Stack

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_alone(mask_stacks.masks_at("gone.npy", "npy", (5, 768, 624)))
    """
    stranger = stranger_in(masks)
    if stranger:
        raise InputError(NOT_OURS, where=stranger)


def check_unmixed(masks: Stack) -> None:
    """Check that no file has the name of a mask that the journal does not record.

    Parameters
    ----------
    masks : Stack

    Raises
    ------
    InputError

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, "a.npy").touch()
    ...     masks = Stack(folder, "files", (1,), names=("a.tif",), recorded_files=("a.png",))
    ...     check_unmixed(masks)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: ...a.npy: no batch made this file; move it, or ...
    """
    if not masks.recorded_files:
        return
    is_recorded = _membership(masks)
    for index in range(masks.first, masks.first + len(masks.names)):
        for name in mask_stacks.mask_names(masks, index):
            file = Path(masks.path, name)
            if not is_recorded(Path(name).as_posix()) and os.path.lexists(file):
                raise InputError(NOT_OURS, where=file)


def remove(masks: Stack) -> None:
    """Remove masks, and nothing else; a folder stays if something hidden is left in it.

    Parameters
    ----------
    masks : Stack

    Raises
    ------
    InputError
        If something else lies among them; then nothing is removed.
    OSError
        If something cannot be removed.

    Examples
    --------
    >>> remove(mask_stacks.masks_at("gone.npy", "npy", (5, 768, 624)))
    """
    check_alone(masks)
    path = Path(masks.path)
    if stores.is_address(masks.path):
        _remove_at_address(masks.path)
    elif path.is_dir():
        _remove_folder(masks)
    else:
        path.unlink(missing_ok=True)


def _remove_at_address(address: str) -> None:
    with stores.reaching(address, "cannot be removed", (InputError, OSError)):
        store, place = stores.file_system(address)
        if store.exists(place):
            store.rm(place, recursive=True)


def _remove_folder(masks: Stack) -> None:
    for path, kind in reversed(list(_contents(masks))):
        if kind == "mask":
            path.unlink(missing_ok=True)
        elif kind == "folder":
            _remove_if_empty(path)
    _remove_if_empty(Path(masks.path))


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def keep_hidden(earlier: Stack, later: Stack) -> None:
    """Move the files that systems left in a folder without masks to its replacement, and remove it.

    Parameters
    ----------
    earlier, later : Stack
        Stacks for the same masks, that `mask_stacks.planned` returned.

    Raises
    ------
    InputError
        If the replacement has a file of the same name already.
    OSError
        If something else is in the folder, or something cannot be moved.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("m", "new"):
    ...         Path(folder, name).mkdir()
    ...     Path(folder, "m", ".DS_Store").touch()
    ...     earlier = mask_stacks.masks_at(f"{folder}/m", "files", (1,), ("a.png",))
    ...     later = mask_stacks.masks_at(f"{folder}/new", "files", (1,), ("a.png",))
    ...     keep_hidden(earlier, later)
    ...     [path.relative_to(folder).as_posix() for path in Path(folder).rglob("*")]
    ['new', 'new/.DS_Store']
    """
    for path, kind in reversed(list(_contents(earlier))):
        if kind == "folder":
            path.rmdir()
        elif kind == "hidden":
            target = Path(later.path, path.relative_to(earlier.path))
            if os.path.lexists(target):
                raise InputError("is in the way of the masks; move it", where=path)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
    Path(earlier.path).rmdir()


def remove_half_written(masks: Stack) -> None:
    """Remove the files that workers were writing when they were killed.

    Parameters
    ----------
    masks : Stack

    Examples
    --------
    >>> remove_half_written(Stack("gone", "files", (1,), names=("a.png",)))
    """
    if masks.kind == "npy":
        return
    pattern = _HALF_WRITTEN
    candidates = f"{PARTIAL}*"
    if masks.kind == "zarr":
        pattern = _HALF_WRITTEN_BY_ZARR
        candidates = "*.partial"
    folder = Path(masks.path)
    for path in folder.rglob(candidates):
        if path.is_file() and pattern.fullmatch(path.relative_to(folder).as_posix()):
            path.unlink(missing_ok=True)


def _contents(masks: Stack) -> Iterator[tuple[Path, str]]:
    """Yield what lies in a folder of masks, top down: a mask, folder, hidden file or stranger."""
    is_mask = _membership(masks)
    for folder, folders, files in os.walk(masks.path):
        for name in sorted(folders + files):
            path = Path(folder, name)
            if is_mask(path.relative_to(masks.path).as_posix()) and not path.is_symlink():
                yield path, "folder" if name in folders else "mask"
            elif _is_left_by_system(name):
                if name in folders:
                    folders.remove(name)
                yield path, "hidden"
            else:
                yield path, "stranger"


def _is_left_by_system(name: str) -> bool:
    """Return whether a system left a file: it is hidden, and neither half written nor of Zarr."""
    if name in _ZARR_2_METADATA or name.startswith(PARTIAL):
        return False
    return paths.is_hidden(name)


def _membership(masks: Stack) -> Callable[[str], bool]:
    """Return a test whether a path within the folder is a mask, or a folder that leads to one."""
    if masks.kind == "zarr":
        return _is_in_array
    places = _places(masks.names, masks.recorded_files)
    if masks.recorded_files:
        return places.__contains__

    def is_mask(path: str) -> bool:
        return path in places or _HALF_WRITTEN.fullmatch(path) is not None

    return is_mask


def _is_in_array(path: str) -> bool:
    patterns = (_PART_OF_ZARR, _HALF_WRITTEN_BY_ZARR)
    return any(pattern.fullmatch(path) for pattern in patterns)


@lru_cache(maxsize=2)  # for the finished masks, and for those under way
def _places(names: tuple[str, ...], recorded_files: tuple[str, ...]) -> frozenset[str]:
    """Return the files of masks, and the folders that lead to them, within the folder of all."""
    places: set[str] = set()
    stack = Stack("", "files", (len(names),), names=names, recorded_files=recorded_files)
    for index in range(len(names)):
        for file in mask_stacks.mask_files(stack, index):
            place = file.as_posix()
            while place and place not in places:
                places.add(place)
                place = place.rpartition("/")[0]
    return frozenset(places)
