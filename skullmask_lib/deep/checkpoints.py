"""Checkpoints: a network in a file, with what is needed to build it again.

A checkpoint is read without running any code in it: tensors, numbers, text, lists and dictionaries
are all that it may hold.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from ..errors import InputError, Place
from ..io import outputs
from ..io.paths import AnyPath
from . import networks

FORMAT = "skullmask network"
VERSION = 1


class Checkpoint(NamedTuple):
    """What a file holds: a network, and what else was saved with it."""

    network: nn.Module
    extra: dict[str, Any]


def save(
    file: AnyPath,
    network: nn.Module,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write a network to a file, which appears whole or not at all.

    Parameters
    ----------
    file : str or path
    network : nn.Module
        One of `networks.NETWORKS`.
    extra : mapping, optional
        Tensors, numbers, text, lists and dictionaries to keep with it.

    Raises
    ------
    InputError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> network = networks.build("unet", base_filters=2, levels=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(f"{folder}/small.pt", network, {"step": 3})
    ...     checkpoint = load(f"{folder}/small.pt")
    >>> checkpoint.network.settings == network.settings, checkpoint.extra
    (True, {'step': 3})
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "network": networks.name_of(network),
        "settings": network.settings,
        # Convolutions may be stored channels last, which `load` would take for another network's
        "weights": {name: tensor.contiguous() for name, tensor in network.state_dict().items()},
        "extra": dict(extra or {}),
    }
    with outputs.replacing(file) as temporary:
        torch.save(content, temporary)
        outputs.sync(temporary)


def load(file: AnyPath) -> Checkpoint:
    """Read a network from a file of `save`, on the CPU and ready to predict.

    Parameters
    ----------
    file : str or path

    Returns
    -------
    Checkpoint

    Raises
    ------
    InputError
        If the file holds something else, is damaged, or holds weights of another network.
    FileNotFoundError

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "notes.pt")
    ...     _ = file.write_text("no network")
    ...     load(file)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: ...notes.pt: expected a checkpoint of skullmask, got ...
    """
    content = _read(Path(file))
    network = _build(content, file)
    try:
        _fill(network, content["weights"])
    except (AttributeError, RuntimeError, TypeError):
        settings = ", ".join(f"{name} {value}" for name, value in network.settings.items())
        wanted = f"weights of a {content['network']} with {settings}"
        raise InputError(f"expected {wanted}, got others", where=file) from None
    check_finite(network, file)
    return Checkpoint(network.eval(), content["extra"])


def _read(file: Path) -> dict[str, Any]:
    """Read the content of a checkpoint, and check that it is one."""
    wanted = "expected a checkpoint of skullmask"
    with file.open("rb") as stream:
        try:
            content = torch.load(stream, map_location="cpu", weights_only=True)
        except MemoryError:
            raise
        except Exception:  # torch names no errors; a damaged file raises any
            raise InputError(f"{wanted}, got another or a damaged file", where=file) from None
    keys = {"format", "version", "network", "settings", "weights", "extra"}
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{wanted}, got one of another program", where=file)
    if content.get("version") != VERSION:
        got = f"version {content.get('version')}"
        raise InputError(f"{wanted} of version {VERSION}, got {got}", where=file)
    if content.keys() != keys or not isinstance(content["extra"], dict):
        raise InputError(f"{wanted}, got one that is not complete", where=file)
    return content


def check_finite(network: nn.Module, name: Place) -> None:
    """Refuse weights that are NaN or infinite.

    Parameters
    ----------
    network : nn.Module
    name : str or path
        Where the weights come from, for the message.

    Raises
    ------
    InputError

    Examples
    --------
    >>> network = nn.Linear(3, 2)
    >>> _ = network.bias.data.fill_(torch.nan)
    >>> check_finite(network, "step 7")
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: step 7: has weights that are NaN or infinite
    """
    if not all(bool(torch.isfinite(weights).all()) for weights in network.state_dict().values()):
        raise InputError("has weights that are NaN or infinite", where=name)


def _build(content: Mapping[str, Any], file: AnyPath) -> nn.Module:
    """Build the network that a checkpoint describes; its weights take no memory yet."""
    try:
        return networks.build_on_meta(content["network"], content["settings"])
    except InputError as error:
        raise error.at(file) from None
    except TypeError:
        got = content["settings"]
        raise InputError(f"expected settings of a network, got {got}", where=file) from None


def _fill(network: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Give a network weights of the same names and shapes; memory is taken for no others."""
    wanted = {name: tensor.shape for name, tensor in network.state_dict().items()}
    shapes = {name: tensor.shape for name, tensor in weights.items()}
    if shapes != wanted or not all(tensor.is_contiguous() for tensor in weights.values()):
        raise TypeError("weights of another network")
    network.to_empty(device="cpu")
    network.load_state_dict(weights)
