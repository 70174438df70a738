"""The commands of ``python -m skullmask_lib.deep``: ``train``, ``predict`` and ``evaluate``.

They are no commands of ``skullmask``, which needs no network. What needs torch is imported when a
command runs.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import deep
from ..errors import InputError
from ..io import datasets, outputs
from . import commands, options, score_tables, terminal

if TYPE_CHECKING:
    from torch import nn

    from ..deep.heads import Asked, Prepared

PROGRAM = "python -m skullmask_lib.deep"
RANDOM = "random-phantoms"
_VALIDATION_HEADS = 50  # random phantoms to validate by
_FIRST_VALIDATION_HEAD = 900_000  # seeds of heads to learn from are lower

app = typer.Typer(
    name="deep",
    help="Networks that find the skull mask. Not for clinical use.",
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
        "an .npz with images and truth, nfbs:FOLDER or lgg:FOLDER.",
    ),
]
_Validation = Annotated[
    list[str] | None,
    typer.Option(
        parser=options.source,
        metavar="SOURCE",
        help="Slices of other heads to validate by; by default a fifth of the heads.",
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
    f"  {PROGRAM} train nfbs:NFBS_Dataset -o run --residual --device cuda",
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
    batch_size: Annotated[int, typer.Option(min=1, help="Slices in a batch.")] = 8,
    rate: Annotated[float, typer.Option(help="The largest rate.")] = 3e-3,
    every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 50,
    heads: Annotated[int, typer.Option(min=1, help=f"Heads of {RANDOM}.")] = 200,
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
    """Train a network on slices with true masks, or go on where a training was stopped.

    Slices of one head stay together: their names tell which head they are of, as head[number].
    """
    settings = {"levels": levels, "is_residual": residual or None, "dropout": dropout}
    settings = {name: value for name, value in settings.items() if value is not None}
    if network != "unet" and settings:
        raise InputError(
            "has no --levels, --residual and --dropout; these are of a U-Net", where=network
        )
    built = deep.networks.build(network, seed=seed, base_filters=base_filters, **settings)
    if RANDOM in sources:
        batch_of, held_out = _random_phantoms(sources, validation, output, heads, batch_size, seed)
        data = f"{heads} {RANDOM}"
    else:
        prepared, held_out = _labelled(sources, validation, seed, one_slice_per_head)
        batch_of = deep.heads.batches(prepared, batch_size, seed=seed)
        data = _fingerprint(prepared)
    bar = terminal.progress_bar(steps, "step")
    with bar:
        log = deep.training.train(
            built,
            batch_of,
            output,
            steps=steps,
            rate=rate,
            seed=seed,
            validate=lambda trained: deep.heads.mean_dice(_asked(trained), held_out),
            every=every,
            device=device,
            options={
                "batch_size": batch_size,
                "data": data,
                "validation": _fingerprint(held_out),
            },
            progress=lambda step, _: bar.update(step - bar.n),
        )
    best = deep.training.best_row(log)
    weights = deep.networks.count_weights(built)
    terminal.say(f"{network} of {weights} weights, {steps} steps → {output}")
    if best:
        terminal.say(f"best Dice by validation {best.validation:.4f}, after {best.step} steps")


def _labelled(
    sources: list[str],
    validation: list[str] | None,
    seed: int,
    one_slice_per_head: bool,
) -> tuple["Prepared", "Prepared"]:
    """Prepare slices to learn from and slices of other heads to validate by."""
    training_parts = list(map(datasets.load, sources))
    if validation:
        validation_parts = list(map(datasets.load, validation))
        deep.heads.check_apart(training_parts, validation_parts)
    else:
        training_parts, validation_parts = deep.heads.split(
            training_parts, seed=seed, one_slice_per_head=one_slice_per_head
        )
    return deep.heads.prepare(training_parts), deep.heads.prepare(validation_parts)


def _random_phantoms(
    sources: list[str],
    validation: list[str] | None,
    output: Path,
    heads: int,
    batch_size: int,
    seed: int,
) -> tuple[Callable, "Prepared"]:
    """Draw random images of random heads to learn from, and others to validate by."""
    if len(sources) > 1:
        raise InputError("stands alone, got other sources beside it", where=RANDOM)
    slices = deep.data.SLICES
    maps = deep.data.bank(slices * heads, output, progress=True)
    if validation:
        held_out = deep.heads.prepare(list(map(datasets.load, validation)))
    else:
        others = deep.data.bank(
            slices * _VALIDATION_HEADS, output, seed=_FIRST_VALIDATION_HEAD, progress=True
        )
        batch = deep.data.random_batch(others, len(others), _FIRST_VALIDATION_HEAD)
        held_out = deep.heads.Prepared(*batch)

    def batch_of(step: int) -> tuple:
        return deep.data.random_batch(maps, batch_size, seed * 10**9 + step)

    return batch_of, held_out


def _fingerprint(prepared: "Prepared") -> str:
    """Tell these slices from others, so that a training does not go on with others."""
    checksum = hashlib.sha256()
    for part in prepared:
        checksum.update(part.tobytes())
    return checksum.hexdigest()[:16]


def _asked(network: "nn.Module") -> "Asked":
    return lambda images: deep.prediction.probabilities(network, images)


@app.command(
    short_help="Make masks by a network.",
    epilog="Examples:\n\n"
    f"  {PROGRAM} predict run slices.npy -o masks.npy\n\n"
    f"  {PROGRAM} predict run/last.pt head.nii.gz -o skull.nii.gz",
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
    """Make the mask of every slice by a network: what it holds for probable, in one piece."""
    found, file = _load(network)
    ask = _asked(found)
    data = datasets.load(input, axis=axis).spaced(spacing)
    masks = deep.heads.masks_of(ask, data)
    masks = terminal.progress_bar(len(data.images), "slice", masks)
    datasets.write_masks(masks, output, data, keep=[file])
    plural = "" if len(data.images) == 1 else "s"
    terminal.say(f"{len(data.images)} mask{plural} by {network} → {output}")


@app.command(
    short_help="Score the masks of a network against the truth.",
    epilog="Examples:\n\n"
    f"  {PROGRAM} evaluate run phantom\n\n"
    f"  {PROGRAM} evaluate run others.npz -o scores.csv",
)
def evaluate(
    network: _Checkpoint,
    input: Annotated[str, options.source_argument("INPUT")],
    truth: options.Truth = None,
    output: Annotated[
        Path | None,
        options.path_option("-o", "--output", help="CSV for the scores of every slice."),
    ] = None,
    spacing: options.Spacing = None,
    axis: options.Axis = options.AXIAL,
) -> None:
    """Score the masks of a network against the truth, slice by slice and on average.

    A skull mask that is empty on some slices and not on others is unknown there: they are left out
    of the means.
    """
    found, file = _load(network)
    ask = _asked(found)
    data = datasets.load(input, truth=truth, axis=axis).spaced(spacing)
    deep.heads.labels_of(data)  # before the work
    masks = deep.heads.masks_of(ask, data)
    masks = terminal.progress_bar(len(data.images), "slice", masks)
    scores = deep.heads.score(masks, data)
    if output:
        keep: list[str | Path] = [file, input]
        if truth:
            keep.append(truth)
        _write_scores(scores, data.names, output, keep)
    score_tables.say_scores(scores, data.names)


def _load(path: Path) -> tuple["nn.Module", Path]:
    """Read a network for slices from a checkpoint or the folder of a training; name its file."""
    file = path
    if path.is_dir():
        names = (deep.training.BEST, deep.training.LAST)
        files = [path / name for name in names if (path / name).exists()]
        if not files:
            raise InputError(f"expected {' or '.join(names)} in it, got neither", where=path)
        file = files[0]
    network = deep.checkpoints.load(file).network
    if network.settings.get("dimensions") == 3:
        raise InputError("expected a network for slices, got one for volumes", where=file)
    return network, file


def _write_scores(
    scores: list[dict[str, float]],
    names: tuple[str, ...],
    file: Path,
    keep: Iterable[str | Path],
) -> None:
    """Write the scores of every slice as CSV, over none of the files to keep."""
    with outputs.replacing(file, *keep) as temporary, temporary.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("slice", *scores[0]))
        for name, row in zip(names, scores, strict=True):
            table.writerow((name, *(f"{value:.6g}" for value in row.values())))
