"""Export of a network to ONNX, for `learned` and for every other program that runs networks."""

import io
import warnings

import torch
from torch import nn

from ..errors import InputError
from ..io import outputs
from ..io.paths import AnyPath
from . import networks

# OpenCV 4.10 to 5 read it
OPSET = 13
# The export needs an image to follow through the network; any size will do later on
_EXAMPLE_SIDE = 64


def save_onnx(network: nn.Module, file: AnyPath) -> None:
    """Write a network as ONNX; batch norm becomes part of the convolutions.

    Parameters
    ----------
    network : nn.Module
        One of `networks.NETWORKS` for slices. It takes ``images`` of shape (B, 1, H, W) and returns
        ``logits`` of the same shape, where H and W are multiples of ``network.multiple``.
    file : str or path
        Written whole or not at all.

    Raises
    ------
    InputError
        If the network is none of `networks.NETWORKS`, if it is for volumes, or if the file cannot
        be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_onnx(networks.build("unet", base_filters=2), f"{folder}/small.onnx")
    """
    networks.name_of(network)  # refuses any other module
    if networks.is_of_volumes(network):
        raise InputError("expected a network for slices, got one for volumes")
    stream = io.BytesIO()
    side = max(_EXAMPLE_SIDE, network.multiple)
    images = torch.zeros(1, 1, side, side)
    with warnings.catch_warnings():
        # The newer exporter needs another package
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            network.eval(),
            (images,),
            stream,
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes={name: {0: "B", 2: "H", 3: "W"} for name in ("images", "logits")},
            opset_version=OPSET,
            dynamo=False,
        )
    with outputs.replacing(file) as temporary:
        temporary.write_bytes(stream.getvalue())
