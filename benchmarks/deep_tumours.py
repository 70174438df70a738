"""Networks that find tumours, on phantoms in the layout of LGG: ``make deep``.

FCN-32, U-Net and residual U-Net learn from random patients, choose their best step by others, and
are scored on patients that neither has seen. Three seeds each. Then U-Net alone, with one thing
changed at a time: Dice per image in the loss, no CLAHE, no crop.

The table goes to data/deep_tumours.csv, a row for every training. Rows of the same recipe that are
there already are kept, so a run that was stopped goes on where it was.
"""

import argparse
import functools
import itertools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scripts
import torch
from train_network import fingerprint, new_parser, on_one_thread, precision_of
from trainings import STAMP, Clock, Row, Settings, complete, is_checkpoint

import skullmask_lib as sm
from skullmask_lib import tables
from skullmask_lib.deep import checkpoints, heads, losses, networks, prediction, training, tumours
from skullmask_lib.volumes import preprocess

HOUSE = Path(__file__).parents[1]
TABLE = HOUSE / "data" / "deep_tumours.csv"
PHANTOMS = "other patients"
SCORES = (
    "iou_all",
    "dice_all",
    "iou_tumour",
    "dice_tumour",
    "iou_empty",
    "dice_empty",
    "iou_small",
    "iou_large",
)
# What decides the result of a training: its rows are kept as long as this stays the same
RECIPE = ("variant", "seed", "steps", "batch", "rate", "patients", "slices_crc32")
HEADER = (*RECIPE, "precision", "weights", "best_step", "test", "images", *SCORES, *STAMP)
MEANS_HEADER = (
    "training",
    "seeds",
    "IoU, all",
    "Dice, all",
    "IoU, tumour",
    "lowest",
    "highest",
    "Dice, tumour",
    "IoU, empty",
)

TRAINING = range(0, 160)
VALIDATION = range(200, 215)
TEST = range(300, 330)
PARTS = (TRAINING, VALIDATION, TEST)
SEEDS = (0, 1, 2)
STEPS = 600
BATCH = 8
RATE = 1e-2
CHECKPOINTS = 10
# Patients of each part whose slices are checksummed; to render all of them takes a minute
PATIENTS_TO_CHECK = 5
# Tumours that cover fewer pixels of a slice are small
SMALL_PX = 100


class Variant(NamedTuple):
    """A network, and how it is trained."""

    network: str
    settings: tuple[tuple[str, Any], ...] = ()
    dice_per_image: bool = False
    has_clahe: bool = True
    is_cropped: bool = True


# With as many base filters, the weights are of the same order
FCN32 = Variant("fcn32", (("base_filters", 8),))
UNET = Variant("unet", (("base_filters", 8),))
RESUNET = Variant("unet", (("base_filters", 8), ("is_residual", True)))
VARIANTS = {
    "FCN-32": FCN32,
    "U-Net": UNET,
    "ResUNet": RESUNET,
    "U-Net, Dice per image": UNET._replace(dice_per_image=True),
    "U-Net, no CLAHE": UNET._replace(has_clahe=False),
    "U-Net, no crop": UNET._replace(is_cropped=False),
}


# --- One training --------------------------------------------------------------------------------


@functools.cache
def patients(seeds: range) -> sm.Data:
    """Render patients, once for all variants."""
    return tumours.random_patients(seeds)


def prepared(variant: Variant, seeds: range) -> tuple[heads.Prepared, list[tumours.Box]]:
    """Prepare the slices of patients as a variant does."""
    return tumours.prepare(
        patients(seeds),
        enhance=preprocess.clahe if variant.has_clahe else np.copy,
        box_of=box_of_head if variant.is_cropped else tumours.whole,
    )


def box_of_head(image: np.ndarray) -> tumours.Box:
    return preprocess.crop_to_head(image).box


def train(
    variant: Variant,
    seed: int,
    folder: Path,
    *,
    patients_to_learn_from: range = TRAINING,
    patients_to_validate_by: range = VALIDATION,
    steps: int = STEPS,
    bfloat16: bool = False,
    progress: Callable[[int, float], None] | None = None,
) -> tuple[torch.nn.Module, int]:
    """Train a network; return it as it was at its best step, and that step."""
    network = networks.build(variant.network, seed=seed, **dict(variant.settings))
    network = network.to(memory_format=torch.channels_last)  # faster on a CPU
    learning, _ = prepared(variant, patients_to_learn_from)
    validation, _ = prepared(variant, patients_to_validate_by)
    batch_of = heads.batches(learning, BATCH, seed=seed)
    log = training.train(
        network,
        batch_of,
        folder,
        steps=steps,
        rate=RATE,
        loss=functools.partial(losses.dice_and_cross_entropy, per_image=variant.dice_per_image),
        seed=seed,
        validate=lambda network: heads.pooled_dice(prediction.predictor(network), validation),
        every=steps_between_checkpoints(steps),
        precision=precision_of(bfloat16),
        options={
            "variant": str(variant),
            "bfloat16": bfloat16,
            "first batch": fingerprint(*batch_of(0)),
        },
        progress=progress,
    )
    best = training.best_row(log)
    return checkpoints.load(folder / training.BEST).network, best.step


def steps_between_checkpoints(steps: int) -> int:
    return max(1, steps // CHECKPOINTS)


def score(network: torch.nn.Module, variant: Variant, seeds: range = TEST) -> dict[str, float]:
    """Score a network on patients, on the pixels of their slices."""
    slices, boxes = prepared(variant, seeds)
    made = tumours.masks_of(prediction.predictor(network), slices, boxes, tumours.SHAPE)
    truth = patients(seeds).tumour
    is_small = truth.sum(axis=(1, 2)) < SMALL_PX
    scores = tumours.score(made, truth)
    for name, chosen in (("iou_small", is_small), ("iou_large", ~is_small)):
        scores[name] = tumours.score(made[chosen], truth[chosen])["iou_tumour"]
    return scores


# --- All of them ---------------------------------------------------------------------------------


def wanted(options: argparse.Namespace) -> list[Settings]:
    """List the recipes of all trainings."""
    recipes = []
    for name, seed in itertools.product(VARIANTS, options.seeds):
        values = (
            name,
            seed,
            options.steps,
            BATCH,
            RATE,
            len(TRAINING),
            slices_crc32(),
        )
        recipes.append(dict(zip(RECIPE, values, strict=True)))
    return recipes


@functools.cache
def slices_crc32() -> str:
    """Return a checksum of some slices and tumours, so that rows of other phantoms are dropped."""
    arrays = []
    for seeds in PARTS:
        data = patients(seeds[:PATIENTS_TO_CHECK])
        arrays += [data.images, data.tumour]
    return fingerprint(*arrays)


def measure(recipe: Settings, folder: Path, *, bfloat16: bool) -> list[Row]:
    """Train by a recipe, and score; a training that was stopped goes on in its folder."""
    variant = VARIANTS[recipe["variant"]]
    precision = "bfloat16" if bfloat16 else "float32"
    name = re.sub(r"\W+", "-", " ".join(map(str, (*recipe.values(), precision))))
    for seeds in PARTS:
        patients(seeds)  # rendered before the clock starts
    clock = Clock(folder / name)
    steps = recipe["steps"]

    def note_time(step: int, _: float) -> None:
        if is_checkpoint(step, every=steps_between_checkpoints(steps), steps=steps):
            clock.note()

    network, best_step = train(
        variant,
        recipe["seed"],
        folder / name,
        steps=steps,
        bfloat16=bfloat16,
        progress=note_time,
    )
    scores = score(network, variant)
    row = {
        "precision": precision,
        "weights": networks.count_weights(network),
        "best_step": best_step,
        "test": PHANTOMS,
        "images": len(patients(TEST).images),
        "cpu_s": round(clock.noted_s, 1),
    }
    return [row | {kind: round(value, 4) for kind, value in scores.items()}]


def means(rows: Iterable[Row]) -> list[tuple[object, ...]]:
    """Average the rows of every variant over its seeds."""
    by_variant: dict[str, list[Row]] = {}
    for row in rows:
        by_variant.setdefault(row["variant"], []).append(row)
    table = []
    for variant, of_variant in by_variant.items():
        mean = {}
        for kind in SCORES:
            mean[kind] = float(np.mean(scripts.numbers(of_variant, kind)))
        ious = scripts.numbers(of_variant, "iou_tumour")
        table.append(
            (
                variant,
                len(of_variant),
                mean["iou_all"],
                mean["dice_all"],
                mean["iou_tumour"],
                min(ious),
                max(ious),
                mean["dice_tumour"],
                mean["iou_empty"],
            )
        )
    return table


def main() -> None:
    parser = new_parser(__doc__, "tumours")
    parser.add_argument("-o", "--output", type=Path, default=TABLE, help="the CSV")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=list(SEEDS),
        help="of every network (default: 0 1 2); as soon as one is trained, the rows of others go",
    )
    parser.add_argument(
        "--steps",
        type=scripts.count,
        default=STEPS,
        help="of a training (default: %(default)s); as soon as one has ended, other rows go",
    )
    options = on_one_thread(parser)
    scripts.check_output(options.output)
    measure_one = functools.partial(measure, folder=options.folder, bfloat16=options.bfloat16)
    complete(options.output, HEADER, wanted(options), [PHANTOMS], measure_one)
    print(tables.markdown(means(scripts.read(options.output)), MEANS_HEADER).data)


if __name__ == "__main__":
    scripts.run(main)
