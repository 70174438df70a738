"""`Data`: the slices that everything else works on, what is known of them, and their `Origin`.

`Data` lives here, with the functions that make one `Data` from another. No file is opened here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import errors
from .paths import AnyPath

if TYPE_CHECKING:
    import nibabel as nib

_ARRAYS = ("images", "truth", "spacing_mm", "brain", "tumour")
_MASKS = ("truth", "brain", "tumour")


@dataclass(frozen=True)
class Origin:
    """Where slices come from: all that is needed to write their masks in the same format.

    It is small, holds no file open, and can be sent to another process.

    Attributes
    ----------
    source : str or path
        As the user named it.
    format : str
        As `sources.format_of` names it: ``".npy"``, ``"folder"``, ``"series"``, ``"name"``, …
    is_single : bool
        The source is an array or a picture of one slice, (H, W), without an axis of slices.
    files : tuple of str
        The names of the pictures in a folder, one for each slice; empty for other formats.
    geometry : Nifti1Header, Nifti2Header or None
        Shape and place of a NIfTI or DICOM volume, without text, see `nifti.geometry`.
    axis : {0, 1, 2}
        Axis of that volume, in RAS order, across which it was cut.
    """

    source: AnyPath
    format: str
    is_single: bool = False
    files: tuple[str, ...] = ()
    geometry: "nib.Nifti1Header | None" = None
    axis: int = 2


@dataclass(frozen=True, eq=False, repr=False)
class Data:
    """Slices and what is known of them.

    A `Data` is equal to itself alone, so that it can be the key of a dictionary.

    Attributes
    ----------
    images : ndarray of shape (N, H, W)
        float32; a memory-mapped ``.npy`` keeps the dtype of its file.
    truth : ndarray of shape (N, H, W), uint8 of {0, 1}, or None
        The true skull masks.
    spacing_mm : ndarray of shape (N, 2), float64, or None
        Row and column spacing of every slice [mm].
    names : tuple of str
        N labels.
    brain : ndarray of shape (N, H, W), uint8 of {0, 1}, or None
        The true brain masks.
    volume : bool
        Whether the slices follow one another in one volume.
    tumour : ndarray of shape (N, H, W), uint8 of {0, 1}, or None
        The tumour masks of LGG.
    origin : Origin or None
        Where `load` read the slices, so that masks can be written beside them; also kept by a
        selection of them. None for arrays that were put together by hand.
    """

    images: np.ndarray
    truth: np.ndarray | None
    spacing_mm: np.ndarray | None
    names: tuple[str, ...]
    brain: np.ndarray | None = None
    volume: bool = False
    tumour: np.ndarray | None = None
    origin: Origin | None = None

    def __repr__(self) -> str:
        count, rows, columns = self.images.shape
        parts = [f"{count} slices of {rows} x {columns} {self.images.dtype}"]
        for kind in _MASKS:
            if getattr(self, kind) is not None:
                parts.append(kind)
        if self.spacing_mm is not None:
            row_mm, column_mm = self.spacing_mm[0]
            parts.append(f"spacing {row_mm:g} x {column_mm:g} mm")
        parts.append(self.names[0])
        if self.names[-1] != self.names[0]:
            parts[-1] += f" … {self.names[-1]}"
        return f"Data({', '.join(parts)})"

    @property
    def length_unit(self) -> str:
        """The unit of lengths that are measured on these slices: mm, or px without a spacing."""
        return "px" if self.spacing_mm is None else "mm"

    def spacing_of(self, index: int) -> errors.Spacing | None:
        """Return the row and column spacing of a slice [mm], or None without a spacing."""
        if self.spacing_mm is None:
            return None
        row_mm, column_mm = self.spacing_mm[index].tolist()
        return row_mm, column_mm

    def spaced(self, spacing_mm: Sequence[float] | None) -> "Data":
        """Return the same slices with another row and column spacing [mm].

        Without a spacing (None or empty) nothing changes.
        """
        if spacing_mm is None or np.size(spacing_mm) == 0:
            return self
        spacing = errors.check_spacing(spacing_mm)
        repeated = np.tile(spacing, (len(self.images), 1))
        return replace(self, spacing_mm=repeated)


def select(data: Data, places: slice | list[int]) -> Data:
    """Return the slices at some places, with all that is known of them.

    Parameters
    ----------
    data : Data
    places : slice or list of int

    Returns
    -------
    Data

    Examples
    --------
    >>> data = Data(np.zeros((3, 4, 4)), None, None, ("a", "b", "c"))
    >>> select(data, [2, 0]).names
    ('c', 'a')
    """
    names = np.array(data.names, dtype=object)
    selected: dict[str, Any] = {"names": tuple(names[places])}
    for field in _ARRAYS:
        array = getattr(data, field)
        if array is not None:
            selected[field] = array[places]
    return replace(data, **selected)


def numbered(name: str, count: int) -> tuple[str, ...]:
    """Label slices by their place in one file.

    Parameters
    ----------
    name : str
    count : int

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> numbered("head.npy", 2)
    ('head.npy[0]', 'head.npy[1]')
    """
    return tuple(f"{name}[{place}]" for place in range(count))
