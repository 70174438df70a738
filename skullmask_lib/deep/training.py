"""Training of a network: a number of steps that can be stopped and taken up again.

Nothing here knows what the images show. The caller gives a function from the number of a step to a
batch; since a step depends on its number alone, a run that was killed ends as if it had not been.
"""

from __future__ import annotations  # the site's builder replaces torch by a stand-in

import contextlib
import csv
import functools
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import nn

from ..errors import InputError, check_whole
from ..io import outputs
from ..io.paths import AnyPath
from . import checkpoints, losses, networks

BEST = "best.pt"
LAST = "last.pt"
LOG = "log.csv"

Batch: TypeAlias = "tuple[np.ndarray | torch.Tensor, np.ndarray | torch.Tensor]"
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

_WARM_UP = 20  # steps
_WEIGHT_DECAY = 1e-4
_LARGEST_GRADIENT = 5.0


class Row(NamedTuple):
    """A line of the log: the steps done, the mean loss since the line before, the validation."""

    step: int
    loss: float
    validation: float


def train(
    network: nn.Module,
    batch_of: Callable[[int], Batch],
    folder: AnyPath,
    *,
    steps: int,
    rate: float = 3e-3,
    loss: Loss = losses.dice_and_cross_entropy,
    seed: int = 0,
    validate: Callable[[nn.Module], float] | None = None,
    every: int = 50,
    device: str = "cpu",
    precision: torch.dtype | None = None,
    options: Mapping[str, Any] | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> list[Row]:
    """Train a network, or take up a training that was stopped.

    The folder gets the network after the last step (``last.pt``), the best one by validation
    (``best.pt``) and a log (``log.csv``). They are written every ``every`` steps, each whole or not
    at all. Run again after it was killed, it goes on from there, and on the CPU, with as many
    threads, ends with the very same weights.

    Parameters
    ----------
    network : nn.Module
        One of `networks.NETWORKS`; trained in place. It ends with the weights of the last step,
        ready to predict.
    batch_of : callable
        From the number of a step, counted from 0, to images and masks: float32 of shape
        (B, 1, H, W) or (B, 1, D, H, W). The same number must give the same batch.
    folder : str or path
        Made if missing.
    steps : int
        In all.
    rate : float
        The largest rate of Adam. The rate rises to it in the first steps and falls to 0 as a
        cosine.
    loss : callable
        From logits and masks to a number, see `losses`.
    seed : int
        Of dropout. `networks.build` takes that of the first weights.
    validate : callable, optional
        From a network, ready to predict, to a score; more is better.
    every : int
        Steps from one checkpoint to the next.
    device : str
        As torch names it, ``"cpu"`` or ``"cuda"``.
    precision : torch.dtype, optional
        Such as ``torch.bfloat16``, for the convolutions alone. Faster where the processor has it.
        It must be as before for a run to go on, and so must ``loss``.
    options : mapping, optional
        Numbers and text that must be as before for a run to go on, such as a name of the data.
    progress : callable, optional
        Called after every step with the number of steps done and the loss.

    Returns
    -------
    list of Row
        The log.

    Raises
    ------
    InputError
        If a number or the device cannot be used, the folder holds another training, or the loss,
        its gradient or a weight is no longer finite. The last checkpoint stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> network = networks.build("unet", base_filters=2, levels=2)
    >>> def batch_of(step):
    ...     images = np.random.default_rng(step).random((2, 1, 8, 8), np.float32)
    ...     return images, (images > 0.5).astype(np.float32)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     log = train(network, batch_of, folder, steps=40, every=20, rate=0.01)
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['last.pt', 'log.csv']
    >>> [row.step for row in log], log[1].loss < log[0].loss
    ([20, 40], True)
    """
    check_plan(steps=steps, every=every, rate=rate, device=device)
    folder = outputs.make_folder(folder)
    plan = {
        "steps": steps,
        "rate": rate,
        "seed": seed,
        "every": every,
        "loss": _name_of_loss(loss),
        "precision": str(precision),
    }
    # What is first is named first where a run cannot go on, and nothing replaces the plan
    options = plan | dict(options or {}) | plan
    network.to(device)
    optimizer = torch.optim.AdamW(network.parameters(), rate, weight_decay=_WEIGHT_DECAY)
    log = _resume(network, optimizer, folder / LAST, options)
    first = log[-1].step if log else 0
    recent: list[float] = []
    for step in range(first, steps):
        optimizer.param_groups[0]["lr"] = rate_at(step, steps, rate)
        batch = batch_of(step)
        with networks.own_random_numbers(seed * steps + step, device), _named(step):
            value = _take_step(network, optimizer, batch, loss, precision)
        recent.append(value)
        done = step + 1
        if done % every == 0 or done == steps:
            checkpoints.check_finite(network, f"step {step}")  # before anything is replaced
            row = Row(done, sum(recent) / len(recent), _validation(network, validate))
            _save_if_best(network, row, log, folder / BEST)
            log.append(row)
            write_log(log, folder / LOG)
            _save(network, optimizer, folder / LAST, options, log)
            recent = []
        if progress:
            progress(done, value)
    network.eval()
    return log


def best_row(log: list[Row]) -> Row | None:
    """Return the first row of the best validation; None where no row has a validation.

    Parameters
    ----------
    log : list of Row

    Returns
    -------
    Row or None

    Examples
    --------
    >>> best_row([Row(10, 0.5, math.nan), Row(20, 0.4, 0.7), Row(30, 0.3, 0.6)])
    Row(step=20, loss=0.4, validation=0.7)
    """
    validated = [row for row in log if not math.isnan(row.validation)]
    return max(validated, key=lambda row: row.validation, default=None)


def rate_at(step: int, steps: int, rate: float) -> float:
    """Return the rate of a step: a short rise, then half a cosine down to 0.

    Parameters
    ----------
    step : int
        Counted from 0.
    steps : int
    rate : float
        The largest one.

    Returns
    -------
    float

    Examples
    --------
    >>> [round(rate_at(step, 1000, 1.0), 2) for step in (0, 10, 100, 500, 999)]
    [0.05, 0.55, 0.98, 0.5, 0.0]
    """
    rise = min(1.0, (step + 1) / _WARM_UP)
    fall = (1 + math.cos(math.pi * step / steps)) / 2
    return rate * rise * fall


def write_log(log: list[Row], file: AnyPath) -> None:
    """Write a log as CSV.

    Parameters
    ----------
    log : list of Row
    file : str or path

    Raises
    ------
    InputError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_log([Row(10, 0.5, 0.75)], f"{folder}/log.csv")
    ...     Path(folder, "log.csv").read_text().split()
    ['step,loss,validation', '10,0.500000,0.750000']
    """
    with outputs.replacing(file) as temporary, temporary.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(Row._fields)
        for row in log:
            table.writerow((row.step, f"{row.loss:.6f}", f"{row.validation:.6f}"))


def read_log(file: AnyPath) -> list[Row]:
    """Read a log that `write_log` has written.

    Parameters
    ----------
    file : str or path

    Returns
    -------
    list of Row

    Raises
    ------
    InputError
        If the file is no log.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_log([Row(10, 0.5, 0.75)], f"{folder}/log.csv")
    ...     read_log(f"{folder}/log.csv")
    [Row(step=10, loss=0.5, validation=0.75)]
    """
    try:
        with open(file, newline="", encoding="utf-8") as table:
            header, *rows = csv.reader(table)
        log = [Row(int(step), float(loss), float(score)) for step, loss, score in rows]
    except (ValueError, csv.Error):
        header, log = [], []
    if tuple(header) != Row._fields:
        raise InputError("expected the log of a training", where=file)
    return log


def check_plan(*, steps: int, every: int, rate: float, device: str) -> None:
    """Refuse a training of no steps, with a rate that changes nothing, or on no device.

    Parameters
    ----------
    steps, every, rate, device
        See `train`.

    Raises
    ------
    InputError
        If one of them cannot be used.

    Examples
    --------
    >>> check_plan(steps=100, every=10, rate=1e-3, device="cpu")
    """
    check_whole(steps, "number of steps", 1, 10**9, "steps")
    check_whole(every, "number of steps between checkpoints", 1, 10**9, "steps")
    if not 0 < rate < math.inf:
        raise InputError(f"expected a rate above 0, got {rate}")
    _check_device(device)


def _check_device(device: str) -> None:
    """Refuse a device of another kind than the CPU and CUDA, and one that this machine lacks."""
    try:
        wanted = torch.device(device)
    except RuntimeError:
        wanted = torch.device("meta")
    if wanted.type not in ("cpu", "cuda"):
        raise InputError(f"expected cpu or cuda as the device, got {device}")
    number = wanted.index or 0
    if wanted.type == "cuda" and number >= torch.cuda.device_count():
        raise InputError(f"expected a device that is here, got {device}; take cpu or another card")


def _name_of_loss(loss: Loss) -> str:
    """Name a loss, with the settings that `functools.partial` or a module holds."""
    if isinstance(loss, functools.partial):
        return f"{_name_of_loss(loss.func)} of {loss.args}, {loss.keywords}"
    if isinstance(loss, nn.Module):
        return f"{loss!r} {dict(loss.state_dict())}"
    return getattr(loss, "__name__", type(loss).__name__)


@contextlib.contextmanager
def _named(step: int) -> Iterator[None]:
    """Put the number of the step in front of an error."""
    try:
        yield
    except InputError as error:
        raise error.at(f"step {step}") from None


def _take_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    loss: Loss,
    precision: torch.dtype | None,
) -> float:
    """Change the weights by one batch, and return its loss."""
    device = next(network.parameters()).device
    images, masks = [torch.as_tensor(part, device=device) for part in batch]
    network.train()
    optimizer.zero_grad()
    with torch.autocast(device.type, precision, enabled=precision is not None):
        logits = networks.logits_of(network, images)
    value = loss(logits.float(), masks)
    if not torch.isfinite(value):
        raise InputError(f"the loss is {value.item()}; take a lower rate")
    value.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
    if not torch.isfinite(norm):
        raise InputError(f"the gradient of the loss is {norm.item()}; take a lower rate")
    optimizer.step()
    return value.item()


def _validation(network: nn.Module, validate: Callable[[nn.Module], float] | None) -> float:
    """Score the network as it is now; NaN without a validation."""
    if validate is None:
        return math.nan
    network.eval()
    with torch.no_grad():
        return float(validate(network))


def _save_if_best(network: nn.Module, row: Row, log: list[Row], file: Path) -> None:
    """Write the network if its validation is above that of every earlier row."""
    if math.isnan(row.validation):
        return
    best = best_row(log)
    if best is None or row.validation > best.validation:
        checkpoints.save(file, network, {"step": row.step, "validation": row.validation})


def _save(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    file: Path,
    options: Mapping[str, Any],
    log: list[Row],
) -> None:
    """Write all that a run needs to go on."""
    extra = {
        "options": dict(options),
        "optimizer": optimizer.state_dict(),
        "log": [tuple(row) for row in log],
    }
    checkpoints.save(file, network, extra)


def _resume(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    file: Path,
    options: Mapping[str, Any],
) -> list[Row]:
    """Give the network and the optimizer the state of an earlier run; return its log."""
    if not file.exists():
        return []
    earlier, extra = checkpoints.load(file)
    try:
        before = {"network": networks.name_of(earlier), **earlier.settings, **extra["options"]}
        log = [Row(*row) for row in extra["log"]]
        state = extra["optimizer"]
    except (KeyError, TypeError):
        raise InputError("holds no training that could go on", where=file) from None
    now = {"network": networks.name_of(network), **network.settings, **options}
    _check_unchanged(before, now, file)
    network.load_state_dict(earlier.state_dict())
    try:
        optimizer.load_state_dict(state)
    except (KeyError, TypeError, ValueError):
        raise InputError("holds no training that could go on", where=file) from None
    return log


def _check_unchanged(before: Mapping[str, Any], now: Mapping[str, Any], file: Path) -> None:
    """Refuse to go on with another network, or in another way."""
    for name, value in now.items():
        if name not in before:
            reason = f"without {name}, perhaps by an earlier version"
            raise InputError(f"was begun {reason}; take another folder", where=file)
        if before[name] != value:
            change = f"{name} {before[name]}, now {value}"
            raise InputError(f"was begun with {change}; take another folder", where=file)
