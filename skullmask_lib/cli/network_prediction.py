"""The commands ``predict`` and ``evaluate`` of ``python -m skullmask_lib.deep``.

What needs torch is imported when a command runs.
"""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np

from .. import deep, errors, texts
from ..errors import InputError
from ..io import datasets, nifti, outputs
from ..volumes import scans
from . import commands, options, score_tables, terminal

if TYPE_CHECKING:
    from torch import nn

    from ..deep.heads import Predictor

app = commands.new_app()

_Checkpoint = Annotated[
    Path,
    options.path_argument("NETWORK", help="The folder of a training, or a .pt file in it."),
]
_Input = Annotated[str, options.source_argument("INPUT")]
_Masks = Annotated[
    Path,
    options.path_option("-o", "--output", help="Where the masks go, as of skullmask mask."),
]
_Table = Annotated[
    Path | None,
    options.path_option("-o", "--output", help="CSV for the scores of every slice or scan."),
]

# --- predict -------------------------------------------------------------------------------------


@app.command(
    short_help="Make masks by a network.",
    epilog="Examples:\n\n"
    f"  {deep.PROGRAM} predict run slices.npy -o masks.npy\n\n"
    f"  {deep.PROGRAM} predict run/last.pt head.nii.gz -o mask.nii.gz",
)
def predict(
    checkpoint: _Checkpoint,
    input: _Input,
    output: _Masks,
    spacing: options.Spacing = None,
    axis: options.Axis = options.AXIAL,
) -> None:
    """Make the skull mask of every slice, or the brain mask of a volume, by a network.

    The mask is the largest component with a probability above 0.5, with its holes filled. A network
    for slices cuts a volume into slices; a network for volumes takes it whole.
    """
    network, file = _load(checkpoint)
    ask = deep.prediction.predictor(network)
    if deep.networks.is_of_volumes(network):
        _check_whole_volume(spacing, axis)
        _predict_volume(ask, input, output, file)
        terminal.say(f"1 brain mask by {checkpoint} → {output}")
        return
    data = datasets.load(input, axis=axis).spaced(spacing)
    empty: list[str] = []
    masks = _collect_empty(deep.heads.masks_of(ask, data), data.names, empty)
    masks = terminal.progress_bar(len(data.images), "slice", masks)
    datasets.write_masks(masks, output, data, keep=[file])
    made = texts.counted(len(data.images), "mask")
    remark = f"; empty: {len(empty)}, first {empty[0]}" if empty else ""
    terminal.say(f"{made} by {checkpoint} → {output}{remark}")


def _load(checkpoint: Path) -> tuple["nn.Module", Path]:
    """Read a network from a checkpoint or the folder of a training; name its file."""
    file = checkpoint
    if checkpoint.is_dir():
        names = (deep.training.BEST, deep.training.LAST)
        files = [checkpoint / name for name in names if (checkpoint / name).exists()]
        if not files:
            wanted = " or ".join(names)
            raise InputError(f"expected {wanted} in it, got neither", where=checkpoint)
        file = files[0]
    return deep.checkpoints.load(file).network, file


def _check_whole_volume(spacing: tuple[float, float] | None, axis: int) -> None:
    """Refuse options that cut a volume into slices."""
    if spacing is not None:
        raise InputError(
            "is for slices, and a volume brings its own; leave it out", where="--spacing"
        )
    if axis != options.AXIAL:
        raise InputError(
            "is for slices, and the network takes volumes; leave it out", where="--axis"
        )


def _predict_volume(ask: "Predictor", scan: str, output: Path, checkpoint: Path) -> None:
    """Write the brain mask of a scan, with its geometry, over neither the scan nor the network."""
    if nifti.split_name(output)[1] not in nifti.SUFFIXES:
        endings = " or ".join(nifti.SUFFIXES)
        raise InputError(f"expected a name that ends in {endings}", where=output)
    volume, image = scans.read(scan)
    with errors.placed(scan):
        mask = deep.brains.brain_of(ask, volume, nifti.affine_mm(image, scan))
    if not mask.any():
        terminal.warn(scan, "the network finds no brain; the mask is empty")
    with outputs.replacing(output, scan, checkpoint) as temporary:
        nifti.write(mask, temporary, image, shown=(0, 1))


def _collect_empty(
    masks: Iterable[np.ndarray],
    names: Iterable[str],
    empty: list[str],
) -> Iterator[np.ndarray]:
    """Pass masks on, and collect the names of those that are empty: no tumour, or a failure."""
    for mask, name in zip(masks, names, strict=True):
        if not mask.any():
            empty.append(name)
        yield mask


# --- evaluate ------------------------------------------------------------------------------------


class _Evaluation(NamedTuple):
    """The scores of all slices or scans, with their names.

    ``has_foreground`` says which true masks of slices are not empty. ``inputs`` are files that were
    read beside those that the command line names.
    """

    unit: str
    scores: list[dict[str, float]]
    names: tuple[str, ...]
    has_foreground: np.ndarray | None = None
    inputs: tuple[Path, ...] = ()


@app.command(
    short_help="Score the masks of a network against the truth.",
    epilog="Examples:\n\n"
    f"  {deep.PROGRAM} evaluate run phantom\n\n"
    f"  {deep.PROGRAM} evaluate run others.npz -o scores.csv\n\n"
    f"  {deep.PROGRAM} evaluate run nfbs:NFBS_Dataset -o scores.csv",
)
def evaluate(
    checkpoint: _Checkpoint,
    input: _Input,
    truth: options.Truth = None,
    output: _Table = None,
    spacing: options.Spacing = None,
    axis: options.Axis = options.AXIAL,
) -> None:
    """Score the masks of a network against the truth, one by one and on average.

    If true skull masks are empty on some slices but not on others, they count as unknown there, and
    these slices are left out of the means. A slice may show no brain or no tumour; such slices are
    also scored separately. A network for volumes takes a scan with its --truth, or what train
    takes.
    """
    network, file = _load(checkpoint)
    ask = deep.prediction.predictor(network)
    if deep.networks.is_of_volumes(network):
        _check_whole_volume(spacing, axis)
        evaluation = _evaluate_volumes(ask, input, truth)
    else:
        data = datasets.load(input, truth=truth, axis=axis).spaced(spacing)
        evaluation = _evaluate_slices(ask, data)
    if output:
        keep: list[str | Path] = [file, input, *evaluation.inputs]
        if truth:
            keep.append(truth)
        _write_scores(evaluation, output, keep)
    score_tables.say_scores(evaluation.scores, evaluation.names, unit=evaluation.unit)
    if evaluation.has_foreground is not None:
        score_tables.say_empty_slices(evaluation.scores, evaluation.has_foreground)


def _evaluate_slices(ask: "Predictor", data: datasets.Data) -> _Evaluation:
    """Score the masks of slices."""
    truth, _ = deep.heads.labels_of(data)  # refuses data without truth before the work
    masks = deep.heads.masks_of(ask, data)
    masks = terminal.progress_bar(len(data.images), "slice", masks)
    scores = deep.heads.score(masks, data)
    has_foreground = np.array([mask.any() for mask in truth])
    return _Evaluation("slice", scores, data.names, has_foreground=has_foreground)


def _evaluate_volumes(ask: "Predictor", source: str, truth: str | None) -> _Evaluation:
    """Score the brain masks of scans."""
    if truth:
        labelled = [deep.brains.Scan(Path(source).name, Path(source), Path(truth))]
    else:
        labelled = deep.brains.scans_in(source)
    scores = deep.brains.score(ask, terminal.progress_bar(len(labelled), "scan", labelled))
    names = []
    inputs = []
    for scan in labelled:
        names.append(nifti.split_name(scan.image)[0])
        inputs += [scan.image, scan.brain]
    return _Evaluation("scan", scores, tuple(names), inputs=tuple(inputs))


def _write_scores(evaluation: _Evaluation, file: Path, keep: Iterable[str | Path]) -> None:
    """Write the scores of every slice or scan as CSV, over none of the files to keep."""
    with (
        outputs.replacing(file, *keep) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        table = csv.writer(stream)
        table.writerow((evaluation.unit, *evaluation.scores[0]))
        for name, row in zip(evaluation.names, evaluation.scores, strict=True):
            scores = [f"{value:.6g}" for value in row.values()]
            table.writerow((texts.csv_text(name), *scores))
