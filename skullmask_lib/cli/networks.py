"""The commands of ``python -m skullmask_lib.deep``: ``train``, ``predict`` and ``evaluate``.

They are no commands of ``skullmask``, which needs no network. What needs torch is imported when a
command runs.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
import typer

from .. import deep, errors, metrics
from ..errors import InputError
from ..io import datasets, nifti, outputs
from ..volumes import scans
from . import commands, options, score_tables, terminal

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from ..deep.brains import Scan
    from ..deep.heads import Predictor, Prepared
    from ..deep.training import Batch

PROGRAM = "python -m skullmask_lib.deep"
RANDOM = "random-phantoms"
_VALIDATION_HEADS = 50  # random phantoms to validate by
_FIRST_VALIDATION_HEAD = 900_000  # seeds of heads to learn from are lower
# Volumes are larger than slices, and one is worth many of them
_BATCH_SIZES = {2: 8, 3: 2}
_HEADS = {2: 200, 3: 40}
_VALIDATION_VOLUMES = 8

app = typer.Typer(
    name="deep",
    help="Networks that find the skull mask of slices, or the brain of volumes. "
    "Not for clinical use.",
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback(invoke_without_command=True)
def _deep(context: typer.Context) -> None:
    commands.show_help_without_command(context)


_Sources = Annotated[
    list[str],
    options.source_argument(
        "SOURCE",
        help=f"{RANDOM}, or slices with truth: phantom, a head that skullmask data list names, "
        "an .npz with images and truth, nfbs:FOLDER or lgg:FOLDER. Volumes: nfbs:FOLDER, or a "
        "folder of scans with masks beside them, as head.nii.gz and head_brainmask.nii.gz.",
    ),
]
_Validation = Annotated[
    list[str] | None,
    typer.Option(
        parser=options.source,
        metavar="SOURCE",
        help="Slices or volumes of other heads to validate by; by default a fifth of the heads.",
    ),
]
_Checkpoint = Annotated[
    Path,
    options.path_argument("NETWORK", help="The folder of a training, or a .pt file in it."),
]


@app.command(
    short_help="Train a network, or go on where a training was stopped.",
    epilog="Examples:\n\n"
    f"  {PROGRAM} train heads.npz -o run\n\n"
    f"  {PROGRAM} train heads.npz --validation others.npz -o run --steps 2000\n\n"
    f"  {PROGRAM} train {RANDOM} --heads 500 -o run\n\n"
    f"  {PROGRAM} train nfbs:NFBS_Dataset -o run --dimensions 3 --residual --device cuda\n\n"
    f"  {PROGRAM} train lgg:kaggle_3m -o run --residual --steps 3000",
)
def train(
    sources: _Sources,
    output: Annotated[
        Path,
        options.path_option(
            "-o", "--output", help="A folder for the network and its log; made if missing."
        ),
    ],
    validation: _Validation = None,
    dimensions: Annotated[
        int, typer.Option(min=2, max=3, help="2: skull masks of slices; 3: brains of volumes.")
    ] = 2,
    network: Annotated[str, typer.Option(help="unet or fcn32.")] = "unet",
    base_filters: Annotated[int, typer.Option(help="Channels of the first level.")] = 8,
    levels: Annotated[
        int | None, typer.Option(help="Levels of a U-Net.  [default: 4]", show_default=False)
    ] = None,
    residual: Annotated[bool, typer.Option("--residual", help="A residual U-Net.")] = False,
    dropout: Annotated[
        float | None, typer.Option(help="Dropout of a U-Net.  [default: 0]", show_default=False)
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Batches to learn from, in all.")] = 500,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, help="Of a batch.  [default: 8 slices or 2 volumes]"),
    ] = None,
    rate: Annotated[float, typer.Option(help="The largest rate.")] = 3e-3,
    every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 50,
    heads: Annotated[
        int | None,
        typer.Option(min=1, help=f"Heads of {RANDOM}.  [default: 200 for slices, 40 for volumes]"),
    ] = None,
    one_slice_per_head: Annotated[
        bool,
        typer.Option(
            "--one-slice-per-head",
            help="Take names that differ in digits alone for those of heads, not of slices.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and changes.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train a network on images with true masks, or go on where a training was stopped.

    Slices of one head stay together: their names tell which head they are of, as head[number]. So
    do scans of one person, where their names begin with one subject of BIDS.
    """
    is_of_volumes = dimensions == 3
    if is_of_volumes and one_slice_per_head:
        raise InputError("is for slices; leave it out", where="--one-slice-per-head")
    settings = _settings_of(network, dimensions, levels, residual, dropout)
    built = deep.networks.build(network, seed=seed, base_filters=base_filters, **settings)
    draws = _Draws(heads or _HEADS[dimensions], batch_size or _BATCH_SIZES[dimensions], seed)
    if RANDOM in sources:
        _check_alone(sources)
        draw = _random_volumes if is_of_volumes else _random_phantoms
        material = draw(validation, output, draws)
    elif is_of_volumes:
        material = _labelled_volumes(sources, validation, draws)
    else:
        material = _labelled(sources, validation, draws, one_slice_per_head)
    bar = terminal.progress_bar(steps, "step")
    with bar:
        log = deep.training.train(
            built,
            material.batch_of,
            output,
            steps=steps,
            rate=rate,
            seed=seed,
            validate=lambda trained: _dice(trained, material.held_out),
            every=every,
            device=device,
            options={
                "batch_size": draws.batch_size,
                "data": material.data,
                "validation": _fingerprint(material.held_out),
                "score": "mean Dice" if is_of_volumes else "pooled Dice",
            },
            progress=lambda step, _: bar.update(step - bar.n),
        )
    best = deep.training.best_row(log)
    weights = deep.networks.count_weights(built)
    terminal.say(f"{network} of {weights} weights, {steps} steps → {output}")
    if best:
        terminal.say(f"best Dice by validation {best.validation:.4f}, after {best.step} steps")


def _settings_of(
    network: str,
    dimensions: int,
    levels: int | None,
    residual: bool,
    dropout: float | None,
) -> dict[str, Any]:
    """Collect the settings that were asked for; only a U-Net has them."""
    settings: dict[str, Any] = {}
    if dimensions == 3:
        settings["dimensions"] = dimensions
    if levels is not None:
        settings["levels"] = levels
    if residual:
        settings["is_residual"] = True
    if dropout is not None:
        settings["dropout"] = dropout
    if network != "unet" and settings:
        raise InputError(
            "has no --dimensions 3, --levels, --residual and --dropout; these are of a U-Net",
            where=network,
        )
    return settings


class _Draws(NamedTuple):
    """What decides how images are drawn."""

    heads: int
    batch_size: int
    seed: int


class _Material(NamedTuple):
    """What a network learns from, what it is validated by, and a name of the first."""

    batch_of: Callable[[int], "Batch"]
    held_out: "Prepared"
    data: str


def _labelled(
    sources: list[str],
    validation: list[str] | None,
    draws: _Draws,
    one_slice_per_head: bool,
) -> _Material:
    """Prepare slices to learn from and slices of other heads to validate by."""
    training_parts = list(map(datasets.load, sources))
    if validation:
        validation_parts = list(map(datasets.load, validation))
        deep.heads.check_apart(training_parts, validation_parts)
    else:
        training_parts, validation_parts = deep.heads.split(
            training_parts, seed=draws.seed, one_slice_per_head=one_slice_per_head
        )
    prepared = deep.heads.prepare(training_parts)
    held_out = deep.heads.prepare(validation_parts)
    batch_of = deep.heads.batches(prepared, draws.batch_size, seed=draws.seed)
    return _Material(batch_of, held_out, _fingerprint(prepared))


def _labelled_volumes(
    sources: list[str],
    validation: list[str] | None,
    draws: _Draws,
) -> _Material:
    """Prepare volumes to learn from and volumes of other people to validate by."""
    training_scans = _scans_in(sources)
    if validation:
        validation_scans = _scans_in(validation)
        deep.brains.check_apart(training_scans, validation_scans)
    else:
        training_scans, validation_scans = deep.brains.split(training_scans, seed=draws.seed)
    prepared = deep.brains.prepare_scans(training_scans)
    held_out = deep.brains.prepare_scans(validation_scans)
    batch_of = deep.heads.batches(
        prepared, draws.batch_size, seed=draws.seed, change=deep.brains.augmented
    )
    return _Material(batch_of, held_out, _fingerprint(prepared))


def _scans_in(sources: list[str]) -> list["Scan"]:
    found: list[Scan] = []
    for source in sources:
        found += deep.brains.scans_in(source)
    return found


def _check_alone(sources: list[str]) -> None:
    if len(sources) > 1:
        raise InputError("stands alone, got other sources beside it", where=RANDOM)


def _random_phantoms(
    validation: list[str] | None,
    output: Path,
    draws: _Draws,
) -> _Material:
    """Draw random slices of random heads to learn from, and others to validate by."""
    slices = deep.data.SLICES
    maps = deep.data.bank(slices * draws.heads, output, progress=True)
    if validation:
        held_out = deep.heads.prepare(list(map(datasets.load, validation)))
    else:
        others = deep.data.bank(
            slices * _VALIDATION_HEADS, output, seed=_FIRST_VALIDATION_HEAD, progress=True
        )
        batch = deep.data.random_batch(others, len(others), _FIRST_VALIDATION_HEAD)
        held_out = deep.heads.Prepared(*batch)

    def batch_of(step: int) -> "Batch":
        return deep.data.random_batch(maps, draws.batch_size, _seed_of(step, draws))

    return _Material(batch_of, held_out, f"{draws.heads} {RANDOM}")


def _random_volumes(
    validation: list[str] | None,
    output: Path,
    draws: _Draws,
) -> _Material:
    """Draw random volumes of random heads to learn from, and others to validate by."""
    random_brains = deep.random_brains
    labels = random_brains.bank(draws.heads, output, progress=True)
    if validation:
        held_out = deep.brains.prepare_scans(_scans_in(validation))
    else:
        others = random_brains.bank(
            _VALIDATION_VOLUMES, output, seed=_FIRST_VALIDATION_HEAD, progress=True
        )
        held_out = random_brains.random_batch(others, len(others), _FIRST_VALIDATION_HEAD)

    def batch_of(step: int) -> "Batch":
        return random_brains.random_batch(labels, draws.batch_size, _seed_of(step, draws))

    return _Material(batch_of, held_out, f"{draws.heads} {RANDOM}")


def _seed_of(step: int, draws: _Draws) -> int:
    """Give every step of every seed random numbers of its own."""
    return draws.seed * 10**9 + step


def _fingerprint(prepared: "Prepared") -> str:
    """Tell these slices from others, so that a training does not go on with others."""
    checksum = hashlib.sha256()
    for part in prepared:
        checksum.update(part.tobytes())
    return checksum.hexdigest()[:16]


def _is_of_volumes(network: "nn.Module") -> bool:
    return network.settings.get("dimensions") == 3


def _asked(network: "nn.Module") -> "Predictor":
    """Let a network say its probabilities: of slices (N, H, W), or of a volume."""
    if _is_of_volumes(network):
        return lambda volume: deep.prediction.volume_probabilities(network, volume)
    return lambda images: deep.prediction.probabilities(network, images)


def _dice(network: "nn.Module", held_out: "Prepared") -> float:
    """Score a network: the mean over volumes, or the pixels of all slices, some of them empty."""
    if _is_of_volumes(network):
        return deep.brains.mean_dice(_asked(network), held_out)
    return deep.heads.pooled_dice(_asked(network), held_out)


@app.command(
    short_help="Make masks by a network.",
    epilog="Examples:\n\n"
    f"  {PROGRAM} predict run slices.npy -o masks.npy\n\n"
    f"  {PROGRAM} predict run/last.pt head.nii.gz -o mask.nii.gz",
)
def predict(
    network: _Checkpoint,
    input: Annotated[str, options.source_argument("INPUT")],
    output: Annotated[
        Path,
        options.path_option("-o", "--output", help="Where the masks go, as of skullmask mask."),
    ],
    spacing: options.Spacing = None,
    axis: options.Axis = options.AXIAL,
) -> None:
    """Make the skull mask of every slice, or the brain mask of a volume, by a network.

    A mask is what the network holds for probable, in one piece. Whether a volume is cut into slices
    is a matter of the network.
    """
    found, file = _load(network)
    if _is_of_volumes(found):
        _check_whole_volume(spacing, axis)
        _predict_volume(found, input, output, file)
        terminal.say(f"1 brain mask by {network} → {output}")
        return
    data = datasets.load(input, axis=axis).spaced(spacing)
    empty: list[str] = []
    masks = _noting_empty(deep.heads.masks_of(_asked(found), data), data.names, empty)
    masks = terminal.progress_bar(len(data.images), "slice", masks)
    datasets.write_masks(masks, output, data, keep=[file])
    plural = "" if len(data.images) == 1 else "s"
    of_empty = f"; empty: {len(empty)}, first {empty[0]}" if empty else ""
    terminal.say(f"{len(data.images)} mask{plural} by {network} → {output}{of_empty}")


def _noting_empty(
    masks: Iterable["np.ndarray"],
    names: Iterable[str],
    empty: list[str],
) -> Iterator["np.ndarray"]:
    """Pass masks on, and note the names of those that are empty: no tumour, or a failure."""
    for mask, name in zip(masks, names, strict=True):
        if not mask.any():
            empty.append(name)
        yield mask


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


def _predict_volume(network: "nn.Module", scan: str, output: Path, file: Path) -> None:
    """Write the brain mask of a scan, with its geometry, over neither the scan nor the network."""
    if nifti.split_name(output)[1] not in nifti.SUFFIXES:
        endings = " or ".join(nifti.SUFFIXES)
        raise InputError(f"expected a name that ends in {endings}", where=output)
    volume, image = scans.read(scan)
    with errors.placed(scan):
        mask = deep.brains.brain_of(_asked(network), volume, nifti.affine_mm(image, scan))
    if not mask.any():
        terminal.warn(scan, "the network finds no brain; the mask is empty")
    with outputs.replacing(output, scan, file) as temporary:
        nifti.write(mask, temporary, image, shown=(0, 1))


@app.command(
    short_help="Score the masks of a network against the truth.",
    epilog="Examples:\n\n"
    f"  {PROGRAM} evaluate run phantom\n\n"
    f"  {PROGRAM} evaluate run others.npz -o scores.csv\n\n"
    f"  {PROGRAM} evaluate run nfbs:NFBS_Dataset -o scores.csv",
)
def evaluate(
    network: _Checkpoint,
    input: Annotated[str, options.source_argument("INPUT")],
    truth: options.Truth = None,
    output: Annotated[
        Path | None,
        options.path_option("-o", "--output", help="CSV for the scores of every slice or scan."),
    ] = None,
    spacing: options.Spacing = None,
    axis: options.Axis = options.AXIAL,
) -> None:
    """Score the masks of a network against the truth, one by one and on average.

    A skull mask that is empty on some slices and not on others is unknown there: they are left out
    of the means. Brains and tumours may be missing on a slice; such slices are also scored apart. A
    network for volumes takes a scan with its --truth, or what train takes.
    """
    found, file = _load(network)
    shows_truth = None
    keep: list[str | Path] = [file, input]
    if truth:
        keep.append(truth)
    if _is_of_volumes(found):
        _check_whole_volume(spacing, axis)
        scores, names, kept = _score_volumes(found, input, truth)
        keep += kept
        unit = "scan"
    else:
        data = datasets.load(input, truth=truth, axis=axis).spaced(spacing)
        true_masks, _ = deep.heads.labels_of(data)  # before the work
        shows_truth = np.array([mask.any() for mask in true_masks])
        masks = deep.heads.masks_of(_asked(found), data)
        masks = terminal.progress_bar(len(data.images), "slice", masks)
        scores = deep.heads.score(masks, data)
        names = data.names
        unit = "slice"
    if output:
        _write_scores(scores, names, unit, output, keep)
    score_tables.say_scores(scores, names, unit=unit)
    if shows_truth is not None:
        score_tables.say_empty_slices(scores, shows_truth)


def _score_volumes(
    network: "nn.Module",
    source: str,
    truth: str | None,
) -> tuple[list[dict[str, float]], tuple[str, ...], list[Path]]:
    """Score the brain masks of scans; return their names and files too."""
    if truth:
        found = [deep.brains.Scan(Path(source).name, Path(source), Path(truth))]
    else:
        found = deep.brains.scans_in(source)
    scores = []
    kept: list[Path] = []
    for scan in terminal.progress_bar(len(found), "scan", found):
        volume, affine, true_brain = deep.brains.read_scan(scan)
        with errors.placed(scan.image):
            mask = deep.brains.brain_of(_asked(network), volume, affine)
        scores.append(
            {"iou": metrics.iou(mask, true_brain), "dice": metrics.dice(mask, true_brain)}
        )
        kept += [scan.image, scan.brain]
    names = tuple(nifti.split_name(scan.image)[0] for scan in found)
    return scores, names, kept


def _load(path: Path) -> tuple["nn.Module", Path]:
    """Read a network from a checkpoint or the folder of a training; name its file."""
    file = path
    if path.is_dir():
        names = (deep.training.BEST, deep.training.LAST)
        files = [path / name for name in names if (path / name).exists()]
        if not files:
            raise InputError(f"expected {' or '.join(names)} in it, got neither", where=path)
        file = files[0]
    return deep.checkpoints.load(file).network, file


def _write_scores(
    scores: list[dict[str, float]],
    names: tuple[str, ...],
    unit: str,
    file: Path,
    keep: Iterable[str | Path],
) -> None:
    """Write the scores of every slice or scan as CSV, over none of the files to keep."""
    with outputs.replacing(file, *keep) as temporary, temporary.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow((unit, *scores[0]))
        for name, row in zip(names, scores, strict=True):
            table.writerow((name, *(f"{value:.6g}" for value in row.values())))
