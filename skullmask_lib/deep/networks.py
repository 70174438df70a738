"""The networks: one U-Net for slices and volumes, plain or residual, and FCN-32 for slices.

Only layers live here. A network takes images of shape (B, 1, H, W) or (B, 1, D, H, W) and returns
logits of the same shape: above 0 where it holds a pixel for foreground.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from ..errors import InputError, check_whole

# With five levels these take 2 GB
_MOST_FILTERS = 128


class _Layers(NamedTuple):
    """The layers of torch for one number of dimensions."""

    convolution: type[nn.Module]
    transposed: type[nn.Module]
    norm: type[nn.Module]
    pool: type[nn.Module]
    dropout: type[nn.Module]


_LAYERS = {
    2: _Layers(nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.MaxPool2d, nn.Dropout2d),
    3: _Layers(nn.Conv3d, nn.ConvTranspose3d, nn.BatchNorm3d, nn.MaxPool3d, nn.Dropout3d),
}


class Block(nn.Module):
    """Two 3 × 3 convolutions in sequence, each with batch norm; ReLU after both.

    A residual block adds its own input before the last ReLU, through a 1 × 1 convolution where the
    number of channels changes.
    """

    def __init__(self, layers: _Layers, inputs: int, outputs: int, is_residual: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            layers.convolution(inputs, outputs, 3, padding=1, bias=False),
            layers.norm(outputs),
            nn.ReLU(),
            layers.convolution(outputs, outputs, 3, padding=1, bias=False),
            layers.norm(outputs),
        )
        self.shortcut = None
        if is_residual:
            self.shortcut = nn.Identity()
            if inputs != outputs:
                self.shortcut = layers.convolution(inputs, outputs, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return features of the same size, with another number of channels."""
        if self.training:
            _check_batch_norm(features)
        result = self.body(features)
        if self.shortcut is not None:
            result = result + self.shortcut(features)
        return functional.relu(result)


class UNet(nn.Module):
    """U-Net: down by pooling, up by transposed convolutions, with a skip at every level.

    Parameters
    ----------
    dimensions : {2, 3}
        Of an image.
    base_filters : int
        Channels of the first level; each level down has twice as many.
    levels : int
        Sizes of image from the input down, so that there are ``levels - 1`` poolings.
    is_residual : bool
        Whether every block adds its input to its output.
    dropout : float
        Share of channels that training leaves out, after every pooling.

    Attributes
    ----------
    settings : dict
        The parameters above, from which the same network can be built again.
    multiple : int
        Sides of an image must be multiples of it.

    Raises
    ------
    InputError
        If a parameter is out of range; from the network, if a side of an image is no multiple.
        `logits_of` pads such images.

    References
    ----------
    Ronneberger et al., U-Net: convolutional networks for biomedical image segmentation, MICCAI
    2015. He et al., Deep residual learning for image recognition, CVPR 2016.

    Examples
    --------
    >>> network = UNet()
    >>> network(torch.zeros(1, 1, 32, 24)).shape, count_weights(network)
    (torch.Size([1, 1, 32, 24]), 121033)

    The residual network for volumes with 16 base filters and five levels:

    >>> volumetric = UNet(3, base_filters=16, levels=5, is_residual=True, dropout=0.1)
    >>> count_weights(volumetric)
    5734177
    """

    def __init__(
        self,
        dimensions: int = 2,
        base_filters: int = 8,
        levels: int = 4,
        *,
        is_residual: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if dimensions not in _LAYERS:
            raise InputError(f"expected 2 or 3 dimensions, got {dimensions}")
        _check_filters(base_filters)
        check_whole(levels, "number of levels", 1, 8, "levels")
        _check_dropout(dropout)
        self.settings = {
            "dimensions": dimensions,
            "base_filters": base_filters,
            "levels": levels,
            "is_residual": is_residual,
            "dropout": dropout,
        }
        self.multiple = 2 ** (levels - 1)
        layers = _LAYERS[dimensions]
        widths = [base_filters * 2**level for level in range(levels)]
        self.first = Block(layers, 1, widths[0], is_residual)
        self.pool = layers.pool(2)
        self.dropout = layers.dropout(dropout)
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        self.merge = nn.ModuleList()
        for upper, lower in itertools.pairwise(widths):
            self.down.append(Block(layers, upper, lower, is_residual))
            self.up.append(layers.transposed(lower, upper, 2, stride=2))
            self.merge.append(Block(layers, 2 * upper, upper, is_residual))
        self.head = layers.convolution(base_filters, 1, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of images."""
        check_sides(images, self.multiple)
        features = self.first(images)
        skips = []
        for block in self.down:
            skips.append(features)
            features = block(self.dropout(self.pool(features)))
        for up, merge in zip(reversed(self.up), reversed(self.merge), strict=True):
            features = merge(torch.cat([skips.pop(), up(features)], dim=1))
        return self.head(features)


class FCN32(nn.Module):
    """FCN-32: five poolings, then one step up by 32, without skips and so without fine detail.

    Parameters
    ----------
    base_filters : int
        Channels of the first level; the next levels have twice, four, eight and eight times as
        many.

    Attributes
    ----------
    settings, multiple
        As of `UNet`.

    References
    ----------
    Long et al., Fully convolutional networks for semantic segmentation, CVPR 2015.

    Examples
    --------
    >>> network = FCN32()
    >>> network(torch.zeros(1, 1, 64, 32)).shape, count_weights(network)
    (torch.Size([1, 1, 64, 32]), 740945)
    """

    multiple = 32

    def __init__(self, base_filters: int = 16) -> None:
        super().__init__()
        _check_filters(base_filters)
        self.settings = {"base_filters": base_filters}
        widths = [1, *(base_filters * factor for factor in (1, 2, 4, 8, 8))]
        self.body = nn.Sequential()
        for inputs, outputs in itertools.pairwise(widths):
            self.body.append(Block(_LAYERS[2], inputs, outputs, is_residual=False))
            self.body.append(nn.MaxPool2d(2))
        self.head = nn.Sequential(
            nn.Conv2d(widths[-1], widths[-1], 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(widths[-1], 1, 1),
        )
        self.up = nn.ConvTranspose2d(1, 1, 64, stride=32, padding=16, bias=False)
        _interpolate_linearly(self.up)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the logits of images."""
        check_sides(images, self.multiple)
        return self.up(self.head(self.body(images)))


def _check_filters(base_filters: int) -> None:
    check_whole(base_filters, "number of base filters", 1, _MOST_FILTERS, "filters")


def _check_batch_norm(features: torch.Tensor) -> None:
    """Refuse features (B, C, …) of which batch norm would see one value per channel."""
    if features[:, 0].numel() == 1:
        raise InputError(
            "expected two pixels or more at the lowest level to learn from, got 1; "
            "take fewer levels, or more images in a batch"
        )


def _check_dropout(dropout: float) -> None:
    is_number = isinstance(dropout, (int, float))
    if not is_number or not 0 <= dropout < 1:
        raise InputError(f"expected a dropout from 0 to below 1, got {dropout!r}")


def _interpolate_linearly(up: nn.ConvTranspose2d) -> None:
    """Let a step up begin as bilinear interpolation."""
    side = up.kernel_size[0]
    distances = (torch.arange(side) - (side - 1) / 2).abs()
    weights = 1 - distances / up.stride[0]
    with torch.no_grad():
        up.weight.copy_(torch.outer(weights, weights))


NETWORKS: dict[str, Callable[..., nn.Module]] = {"unet": UNet, "fcn32": FCN32}


def build(name: str, *, seed: int = 0, **settings: Any) -> nn.Module:
    """Build a network with random weights.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`.
    seed : int
        The same seed gives the same weights; torch's own random state is left as it was.
    **settings
        Of the network.

    Returns
    -------
    nn.Module

    Examples
    --------
    >>> network = build("unet", seed=1, base_filters=4)
    >>> network.settings["base_filters"]
    4
    """
    kind = _kind(name)
    with own_random_numbers(seed):
        return kind(**settings)


@contextlib.contextmanager
def own_random_numbers(seed: int, device: str = "cpu") -> Iterator[None]:
    """Draw from a seed in the ``with`` block, and leave torch's own random states as they were.

    Parameters
    ----------
    seed : int
    device : str
        Where numbers are drawn beside the CPU, if elsewhere. The states of other devices are not
        touched at all.

    Examples
    --------
    >>> with own_random_numbers(0):
    ...     first = torch.rand(3)
    >>> with own_random_numbers(0):
    ...     again = torch.rand(3)
    >>> torch.equal(first, again)
    True
    """
    is_on_cuda = torch.device(device).type == "cuda"
    with torch.random.fork_rng(devices=[device] if is_on_cuda else []):
        torch.default_generator.manual_seed(seed)
        if is_on_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def build_on_meta(name: str, settings: Mapping[str, Any]) -> nn.Module:
    """Build a network whose weights have names and shapes but take no memory.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`.
    settings : mapping
        Of the network.

    Returns
    -------
    nn.Module
        On torch's device ``"meta"``.

    Examples
    --------
    >>> build_on_meta("unet", {"dimensions": 3, "base_filters": 128, "levels": 8}).head.weight.shape
    torch.Size([1, 128, 1, 1, 1])
    """
    kind = _kind(name)
    with torch.device("meta"):
        return kind(**settings)


def _kind(name: str) -> Callable[..., nn.Module]:
    if name not in NETWORKS:
        kinds = ", ".join(NETWORKS)
        raise InputError(f"expected one of the networks {kinds}, got {name}")
    return NETWORKS[name]


def name_of(network: nn.Module) -> str:
    """Return the name under which `build` knows a network.

    Parameters
    ----------
    network : nn.Module

    Returns
    -------
    str

    Examples
    --------
    >>> name_of(FCN32())
    'fcn32'
    """
    for name, kind in NETWORKS.items():
        if type(network) is kind:
            return name
    kinds = ", ".join(NETWORKS)
    raise InputError(f"expected one of the networks {kinds}, got {type(network).__name__}")


def is_of_volumes(network: nn.Module) -> bool:
    """Tell a network for volumes from one for slices.

    Parameters
    ----------
    network : nn.Module
        One of `NETWORKS`.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_of_volumes(FCN32(2)), is_of_volumes(UNet(3, base_filters=2))
    (False, True)
    """
    return network.settings.get("dimensions") == 3


def count_weights(network: nn.Module) -> int:
    """Count the weights that training changes.

    Parameters
    ----------
    network : nn.Module

    Returns
    -------
    int

    Examples
    --------
    >>> count_weights(nn.Linear(3, 2))
    8
    """
    return sum(weights.numel() for weights in network.parameters() if weights.requires_grad)


def logits_of(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Return the logits of images of any size.

    They are padded with zeros at their end, to the next size that the network takes, and the logits
    are cropped back.

    Parameters
    ----------
    network : nn.Module
    images : tensor of shape (B, 1, H, W) or (B, 1, D, H, W)

    Returns
    -------
    tensor
        Of the same shape.

    Examples
    --------
    >>> logits_of(FCN32(2), torch.zeros(2, 1, 50, 41)).shape
    torch.Size([2, 1, 50, 41])
    """
    sides = images.shape[2:]
    padding: list[int] = []
    for side in reversed(sides):  # torch pads the last axis first
        padding += [0, -side % network.multiple]
    if not any(padding):
        return network(images)
    inside = tuple(map(slice, sides))
    return network(functional.pad(images, padding))[(..., *inside)]


def check_sides(images: torch.Tensor, multiple: int) -> None:
    """Refuse images whose sides cannot be halved as often as a network does.

    Parameters
    ----------
    images : tensor of shape (B, 1, H, W) or (B, 1, D, H, W)
    multiple : int
        What every side must be a multiple of.

    Raises
    ------
    InputError

    Examples
    --------
    >>> check_sides(torch.zeros(1, 1, 50, 48), 8)
    Traceback (most recent call last):
    ...
    skullmask_lib.errors.InputError: expected sides that are multiples of 8, got 50 x 48; pad ...
    """
    if torch.jit.is_tracing():  # an exported network takes sizes that are not known yet
        return
    sides = images.shape[2:]
    if any(side % multiple for side in sides):
        got = " x ".join(map(str, sides))
        raise InputError(f"expected sides that are multiples of {multiple}, got {got}; pad them")
