"""Volumes in three planes through one voxel."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from matplotlib.figure import Figure
from nibabel.affines import voxel_sizes

from ..errors import InputError
from ..texts import plain
from .frames import PANELS_WIDTH_IN, TITLE_DOTS, fitted_text, panels, slice_panel
from .pictures import Picture, key, picture, size_dots
from .style import STYLE, in_look

# Volumes are drawn with at most so many dots along their longest side
_LONGEST_SIDE_DOTS = 1024
# The place of a plane is at least so wide beside the widest, for its title
_NARROWEST = 0.4


class Plane(NamedTuple):
    """A plane of a volume: its axis, and the axes that run across and down in its picture."""

    name: str
    axis: int
    across: int
    down: int


PLANES = (
    Plane("axial", axis=2, across=0, down=1),
    Plane("coronal", axis=1, across=0, down=2),
    Plane("sagittal", axis=0, across=1, down=2),
)


@in_look
def three_planes(
    volume: np.ndarray,
    affine: np.ndarray,
    *,
    mask: np.ndarray | None = None,
    doubtful: np.ndarray | None = None,
    at: Sequence[int] | None = None,
    name: str = "",
) -> Picture:
    """Show a volume in three planes through one voxel, to scale, with the outline of a mask.

    Parameters
    ----------
    volume : ndarray of shape (X, Y, Z)
        In RAS order: the patient's left is on the left.
    affine : ndarray of shape (4, 4)
        Voxels to world [mm].
    mask : ndarray of shape (X, Y, Z), {0, 1}, optional
    doubtful : ndarray of shape (X, Y, Z), {0, 1}, optional
        A part of the mask that should be looked at; its outline has another colour.
    at : sequence of int, optional
        Where the planes cross; by default the middle of the mask, or of the volume.
    name : str
        Of the volume, and what else to say of the picture. It stands above the planes.

    Returns
    -------
    Picture

    Raises
    ------
    InputError
        If a doubtful part comes without its mask.

    Examples
    --------
    >>> three_planes(np.ones((4, 4, 4)), np.diag([2, 2, 3, 1]), name="a cube").alt
    'a cube: axial, coronal and sagittal plane through voxel 2, 2, 2'
    """
    parts = _parts(mask, doubtful)
    place = _middle(volume, mask) if at is None else at
    voxel = [int(index) for index in place]
    spacing_mm = voxel_sizes(affine)
    extent_mm = np.multiply(volume.shape, spacing_mm)
    dot_mm = max(spacing_mm.min(), extent_mm.max() / _LONGEST_SIDE_DOTS)
    sizes = np.maximum(1, np.rint(extent_mm / dot_mm)).astype(int).tolist()
    widths_mm = np.array([extent_mm[plane.across] for plane in PLANES])
    widths_mm = np.maximum(widths_mm, _NARROWEST * widths_mm.max())
    height = 0.8 + PANELS_WIDTH_IN * extent_mm[1:].max() / np.sum(widths_mm)
    lines = 1
    if name:
        lines = 2
        height += TITLE_DOTS / STYLE["figure.dpi"]
    fig, frames = panels(*widths_mm, height=height, lines=lines)
    if name:
        _headline(fig, name)
    for frame, plane in zip(frames, PLANES, strict=True):
        size = (sizes[plane.across], sizes[plane.down])  # OpenCV's (x, y)
        outlined = {}
        for kind, part in parts.items():
            cut = cut_plane(part, plane, voxel)
            outlined[kind] = cv2.resize(cut, size, interpolation=cv2.INTER_NEAREST)
        image = cv2.resize(cut_plane(volume, plane, voxel), size)
        title = f"{plane.name}, {'xyz'[plane.axis]} = {voxel[plane.axis]}"
        slice_panel(fig, frame, image, title, outlined=outlined)
    if parts:
        key(fig, tuple(parts))
    indices = ", ".join(map(str, voxel))
    alt = f"axial, coronal and sagittal plane through voxel {indices}"
    return picture(fig, f"{name}: {alt}" if name else alt)


def _parts(mask: np.ndarray | None, doubtful: np.ndarray | None) -> dict[str, np.ndarray]:
    """Part a mask into what is outlined in its colour, and what in that of doubt."""
    if mask is None:
        if doubtful is not None:
            raise InputError("expected the mask of which a part is doubtful, got None")
        return {}
    if doubtful is None or not doubtful.any():
        return {"mask": mask}
    sure = (mask > 0) & (doubtful == 0)
    return {"mask": sure, "doubtful": doubtful > 0}


def _headline(fig: Figure, text: str) -> None:
    """Write a title above all panels, in the upper of two lines."""
    width_dots, height_dots = size_dots(fig)
    baseline = 1 - TITLE_DOTS / height_dots
    look = {"size": STYLE["axes.titlesize"], "weight": "bold"}
    fig.text(0.5, baseline, fitted_text(plain(text), width_dots, **look), ha="center", **look)


def _middle(volume: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Find the middle of a mask, or of the volume if there is none."""
    if mask is None or not mask.any():
        return np.divide(volume.shape, 2)
    return np.mean(np.nonzero(mask), axis=1)


def cut_plane(
    volume: np.ndarray,
    plane: Plane,
    at: Sequence[int],
) -> np.ndarray:
    """Cut a volume; the last row and column axes point up and to the right."""
    part = np.take(volume, at[plane.axis], plane.axis)
    return part.T[::-1].astype(np.float32)
