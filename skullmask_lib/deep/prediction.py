"""What a network says of slices and volumes: probabilities of foreground.

Images of any size are welcome here, see `networks.logits_of`.
"""

import itertools
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import nn

from ..errors import InputError
from . import networks
from .heads import Predictor


def predictor(network: nn.Module) -> Predictor:
    """Return the function that asks a network, for `heads` and `brains`, which need no torch.

    Parameters
    ----------
    network : nn.Module
        One of `networks.NETWORKS`.

    Returns
    -------
    callable
        `probabilities` of this network, or `volume_probabilities` if it is for volumes.

    Examples
    --------
    >>> from . import networks
    >>> ask = predictor(networks.build("unet", base_filters=2))
    >>> ask(np.zeros((3, 50, 41))).shape
    (3, 50, 41)
    """
    if networks.is_of_volumes(network):
        return partial(volume_probabilities, network)
    return partial(probabilities, network)


def probabilities(
    network: nn.Module,
    images: np.ndarray,
    *,
    batch_size: int = 16,
) -> np.ndarray:
    """Ask a network for slices about every pixel.

    Parameters
    ----------
    network : nn.Module
        On the device that does the work; it is left ready to predict.
    images : ndarray of shape (N, H, W)
        Prepared as for training.
    batch_size : int
        Slices at a time.

    Returns
    -------
    ndarray of shape (N, H, W), float32, 0 … 1

    Raises
    ------
    InputError
        If the images are not slices.

    Examples
    --------
    >>> from . import networks
    >>> network = networks.build("unet", base_filters=2)
    >>> probabilities(network, np.zeros((3, 50, 41))).shape
    (3, 50, 41)
    """
    if np.ndim(images) != 3:
        raise InputError(f"expected slices (N, H, W), got shape {np.shape(images)}")
    result = np.empty(images.shape, np.float32)
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        result[part] = _ask(network, images[part, None])[:, 0]
    return result


def volume_probabilities(
    network: nn.Module,
    volume: np.ndarray,
    *,
    window: Sequence[int] | None = None,
    overlap: float = 0.5,
) -> np.ndarray:
    """Ask a network for volumes about every voxel, in windows if the volume is large.

    Parameters
    ----------
    network : nn.Module
        On the device that does the work; it is left ready to predict.
    volume : ndarray of shape (D, H, W)
        Prepared as for training.
    window : sequence of 3 int, optional
        What the network sees at a time. By default, and where it is larger than the volume, the
        whole of it.
    overlap : float
        Share of a window's side that the next one covers too. Where windows overlap, probabilities
        are averaged.

    Returns
    -------
    ndarray of shape (D, H, W), float32, 0 … 1

    Raises
    ------
    InputError
        If the volume has other than three axes, or the window or the overlap cannot be used.

    Examples
    --------
    >>> from . import networks
    >>> network = networks.build("unet", dimensions=3, base_filters=2, levels=2)
    >>> volume_probabilities(network, np.zeros((9, 12, 7)), window=(8, 8, 8)).shape
    (9, 12, 7)
    """
    if np.ndim(volume) != 3:
        raise InputError(f"expected a volume (D, H, W), got shape {np.shape(volume)}")
    if not 0 <= overlap < 1:
        raise InputError(f"expected an overlap from 0 to below 1, got {overlap}")
    window = _window(volume.shape, window)
    total = np.zeros(volume.shape, np.float32)
    count = np.zeros(volume.shape, np.float32)
    for corner in itertools.product(*map(_starts, volume.shape, window, [overlap] * 3)):
        part = tuple(map(slice, corner, np.add(corner, window)))
        total[part] += _ask(network, volume[part][None, None])[0, 0]
        count[part] += 1
    return total / count


def _window(shape: Sequence[int], window: Sequence[int] | None) -> tuple[int, ...]:
    """Check a window, and cut it to the size of the volume."""
    if window is None:
        return tuple(shape)
    if len(window) != 3 or min(window) < 1:
        raise InputError(f"expected a window of three sides of at least 1, got {tuple(window)}")
    return tuple(map(min, window, shape))


def _starts(size: int, side: int, overlap: float) -> list[int]:
    """Return where windows begin along one axis; the last one ends where the volume does."""
    step = max(1, round(side * (1 - overlap)))
    return [*range(0, size - side, step), size - side]


def _ask(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Return the probabilities of a batch (B, 1, …) of any size."""
    device = next(network.parameters()).device
    batch = torch.as_tensor(np.asarray(images, np.float32), device=device)
    network.eval()
    with torch.no_grad():
        logits = networks.logits_of(network, batch)
    return torch.sigmoid(logits).cpu().numpy()
