"""The command ``train`` of ``python -m skullmask_lib.deep``.

What needs torch is imported when the command runs.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import deep
from ..deep.training_sets import BATCH_SIZES, LARGEST_SEED, RANDOM, RANDOM_HEADS
from ..errors import InputError, check_whole
from . import commands, options, terminal

app = commands.new_app()

_Sources = Annotated[
    list[str],
    options.source_argument(
        "SOURCE",
        help=f"{RANDOM}, or slices with truth: phantom, a head that skullmask data list names, "
        "an .npz with images and truth, nfbs:FOLDER or lgg:FOLDER. Volumes: nfbs:FOLDER, or a "
        "folder of scans with masks beside them, as head.nii.gz and head_brainmask.nii.gz.",
    ),
]
_Output = Annotated[
    Path,
    options.path_option(
        "-o", "--output", help="A folder for the network and its log; made if missing."
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
_Dimensions = Annotated[
    int,
    typer.Option(min=2, max=3, help="2: skull masks of slices; 3: brains of volumes."),
]
_Levels = Annotated[
    int | None,
    typer.Option(help="Levels of a U-Net.  [default: 4]", show_default=False),
]
_Residual = Annotated[
    bool,
    typer.Option("--residual", help="A residual U-Net."),
]
_Dropout = Annotated[
    float | None,
    typer.Option(help="Dropout of a U-Net.  [default: 0]", show_default=False),
]
_BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Slices or volumes in a batch.  "
        f"[default: {BATCH_SIZES[2]} slices or {BATCH_SIZES[3]} volumes]",
    ),
]
_Heads = Annotated[
    int | None,
    typer.Option(
        min=1,
        help=f"Heads of {RANDOM}.  [default: {RANDOM_HEADS[2]} for slices, "
        f"{RANDOM_HEADS[3]} for volumes]",
    ),
]
_OneSlicePerHead = Annotated[
    bool,
    typer.Option(
        "--one-slice-per-head",
        help="Treat names that differ only in their digits as different heads, not as slices of "
        "one.",
    ),
]


@app.command(
    short_help="Train a network, or go on where a training was stopped.",
    epilog="Examples:\n\n"
    f"  {deep.PROGRAM} train heads.npz -o run\n\n"
    f"  {deep.PROGRAM} train heads.npz --validation others.npz -o run --steps 2000\n\n"
    f"  {deep.PROGRAM} train {RANDOM} --heads 500 -o run\n\n"
    f"  {deep.PROGRAM} train nfbs:NFBS_Dataset -o run --dimensions 3 --residual --device cuda\n\n"
    f"  {deep.PROGRAM} train lgg:kaggle_3m -o run --residual --steps 3000",
)
def train(
    sources: _Sources,
    output: _Output,
    validation: _Validation = None,
    dimensions: _Dimensions = 2,
    network: Annotated[str, typer.Option(help="unet or fcn32.")] = "unet",
    base_filters: Annotated[int, typer.Option(help="Channels of the first level.")] = 8,
    levels: _Levels = None,
    residual: _Residual = False,
    dropout: _Dropout = None,
    steps: Annotated[int, typer.Option(min=1, help="Batches to learn from, in all.")] = 500,
    batch_size: _BatchSize = None,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 3e-3,
    every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 50,
    heads: _Heads = None,
    one_slice_per_head: _OneSlicePerHead = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights, order and augmentation.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train a network on images with true masks, or go on where a training was stopped.

    Slices of one head never end up in both training and validation: names such as head[number] say
    which head a slice belongs to. The same holds for scans whose names begin with the same BIDS
    subject.
    """
    if one_slice_per_head and (dimensions == 3 or RANDOM in sources or validation):
        raise InputError("is for slices to hold out; leave it out", where="--one-slice-per-head")
    if heads is not None and RANDOM not in sources:
        raise InputError(f"is for {RANDOM}; leave it out", where="--heads")
    check_whole(seed, "seed", 0, LARGEST_SEED)
    deep.training.check_plan(steps=steps, every=every, rate=rate, device=device)
    settings = _unet_settings(network, dimensions, levels, residual, dropout)
    built = deep.networks.build(network, seed=seed, base_filters=base_filters, **settings)
    sets = deep.training_sets.gather(
        sources,
        output,
        validation=validation,
        dimensions=dimensions,
        batch_size=batch_size,
        random_heads=heads,
        seed=seed,
        one_slice_per_head=one_slice_per_head,
    )
    with terminal.progress_bar(steps, "step") as bar:
        log = deep.training.train(
            built,
            sets.batch_of,
            output,
            steps=steps,
            rate=rate,
            seed=seed,
            validate=lambda trained: sets.score(deep.prediction.predictor(trained)),
            every=every,
            device=device,
            options=sets.options,
            progress=lambda step, _: bar.update(step - bar.n),
        )
    weights = deep.networks.count_weights(built)
    terminal.say(f"{network} of {weights} weights, {steps} steps → {output}")
    best = deep.training.best_row(log)
    if best:
        terminal.say(f"best Dice by validation {best.validation:.4f}, after {best.step} steps")


def _unet_settings(
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
