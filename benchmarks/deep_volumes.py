"""Networks that find the brain in volumes, trained on phantoms alone: ``make deep``.

The network is the one of the article on 3-D skull stripping, with its faults mended: a residual
U-Net for volumes with five levels. To save time, it has 8 base filters and not 16, and sees voxels
of 4 mm and not 2 mm. It is trained twice: on T1 phantoms in the layout of NFBS, as in the article,
and on random contrasts of phantoms. Both are scored on phantoms that are kept for that, and, where
SKULLMASK_REAL names their folder, on real volumes whose brain is known, beside `strip`. No scan
takes part in training.

The table goes to data/deep_volumes.csv. A run that was stopped goes on where it was; what is
trained stays in build/deep_volumes.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import scripts
import torch
from bench_peers import VOLUMES, check_volumes
from bench_peers import score as dice_on_levels
from tqdm import tqdm
from train_network import fingerprint, new_parser, on_one_thread, precision_of
from trainings import Clock, is_checkpoint

import skullmask_lib as sm
from skullmask_lib import tables
from skullmask_lib.deep import (
    brains,
    checkpoints,
    heads,
    networks,
    prediction,
    random_brains,
    training,
)
from skullmask_lib.volumes import stripping

PROJECT = Path(__file__).parents[1]
TABLE = PROJECT / "data" / "deep_volumes.csv"
HEADER = (
    "method",
    "seed",
    "steps",
    "cpu_s",
    "weights",
    "data",
    "volumes",
    "levels",
    "iou",
    "dice",
    "dice_min",
    "seconds",
    "machine",
    "date",
    "version",
)
SHOWN = ("method", "seed", "data", "iou", "dice", "seconds")
HELD_OUT = "held-out phantoms"
STRIP = "strip"

SETTINGS = {"dimensions": 3, "base_filters": 8, "levels": 5, "is_residual": True, "dropout": 0.05}
BATCH = 2
RATE = 3e-3
EVERY = 50
# Participants drawn in the layout of NFBS, and others who are kept to score by
PARTICIPANTS = 48
HELD_OUT_PARTICIPANTS = 8
FIRST_HELD_OUT = 900_000
# Heads of which random contrasts are drawn
BANK = 40
FIRST_OF_BANK = 1_000
T1 = "T1 phantoms"
RANDOM = "random contrasts"
KINDS = (T1, RANDOM)
STEPS = 2_560
# Seeds of batches are counted on from a multiple of this
BATCHES_APART = 1_000_000

Mask = Callable[[np.ndarray, np.ndarray], np.ndarray]  # volume and affine in, brain mask out
Row = dict[str, object]


def participants(count: int, first: int, folder: Path) -> list[brains.Scan]:
    """Draw participants, unless they are there, and list their scans."""
    home = folder / f"{count}-from-{first}"
    random_brains.write_nfbs(home, count, seed=first)
    return brains.scans_in(f"nfbs:{home}")


def batches_of(kind: str, seed: int, folder: Path) -> Callable[[int], heads.Prepared]:
    """Give what a network learns from, batch by batch."""
    if kind == T1:
        prepared = brains.prepare_scans(participants(PARTICIPANTS, 0, folder / "nfbs"))
        return heads.batches(prepared, BATCH, seed=seed, change=brains.augmented)
    labels = random_brains.bank(BANK, folder, seed=FIRST_OF_BANK, progress=True)
    first = BATCHES_APART * (seed + 1)
    return lambda step: random_brains.random_batch(labels, BATCH, first + step)


def train(kind: str, seed: int, options: argparse.Namespace) -> tuple[Mask, Row]:
    """Train one network; return what makes masks of it, and what to say of it in the table."""
    folder = options.folder / f"{kind.replace(' ', '-')}-{seed}"
    steps = options.steps
    network = networks.build("unet", seed=seed, **SETTINGS).to(memory_format=torch.channels_last_3d)
    batch_of = batches_of(kind, seed, options.folder)
    clock = Clock(folder)
    with tqdm(total=steps, unit="step", desc=f"{kind} {seed}", disable=None) as bar:

        def progress(step: int, _: float) -> None:
            if is_checkpoint(step, every=EVERY, steps=steps):
                clock.note()
            bar.update(step - bar.n)

        training.train(
            network,
            batch_of,
            folder,
            steps=steps,
            rate=RATE,
            seed=seed,
            every=EVERY,
            precision=precision_of(options.bfloat16),
            options={
                "bfloat16": options.bfloat16,
                "data": kind,
                "first batch": fingerprint(*batch_of(0)),
            },
            progress=progress,
        )
    network = checkpoints.load(folder / training.LAST).network
    mask_of = partial(brains.brain_of, prediction.predictor(network))
    return mask_of, {
        "method": kind,
        "seed": seed,
        "steps": steps,
        "cpu_s": round(clock.noted_s),
        "weights": networks.count_weights(network),
    }


def score_phantoms(mask_of: Mask, folder: Path) -> Row:
    """Score a method on the phantoms that no training has seen."""
    scans = participants(HELD_OUT_PARTICIPANTS, FIRST_HELD_OUT, folder / "held_out")
    ious = []
    dices = []
    seconds = []
    for scan in scans:
        volume, affine, truth = brains.read_scan(scan)
        mask, mask_s = timed(mask_of, volume, affine)
        ious.append(sm.iou(mask, truth))
        dices.append(sm.dice(mask, truth))
        seconds.append(mask_s)
    return {
        "data": HELD_OUT,
        "volumes": len(scans),
        "iou": round(float(np.mean(ious)), 4),
        "dice": round(float(np.mean(dices)), 4),
        "dice_min": round(min(dices), 4),
        "seconds": round(float(np.mean(seconds)), 2),
    }


def score_scans(mask_of: Mask, folder: Path) -> Iterator[Row]:
    """Score a method on every real or simulated scan, on the levels whose truth can be trusted."""
    for name, facts in VOLUMES.items():
        first, last = facts.levels
        scan = brains.Scan(name, folder / name / "image.nii.gz", folder / name / "brain.nii.gz")
        volume, affine, truth = brains.read_scan(scan)
        mask, mask_s = timed(mask_of, volume, affine)
        yield {
            "data": name,
            "volumes": 1,
            "levels": f"{first}:{last}",
            "dice": round(dice_on_levels(mask, truth, facts.levels), 4),
            "seconds": round(mask_s, 2),
        }


def timed(mask_of: Mask, volume: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, float]:
    """Make a mask, and measure the seconds of one processor core."""
    started = time.process_time()
    mask = mask_of(volume, affine)
    return mask, time.process_time() - started


def rows_of(mask_of: Mask, settings: Row, options: argparse.Namespace) -> list[Row]:
    """Score a method on everything."""
    rows = [score_phantoms(mask_of, options.folder)]
    if options.scans:
        rows += score_scans(mask_of, options.scans)
    machine = f"{scripts.processor()}, one thread"
    if options.bfloat16 and settings["method"] in KINDS:
        machine = f"{machine}, bfloat16"
    return [settings | row | {"machine": machine} for row in rows]


def main() -> None:
    parser = new_parser(__doc__, "deep_volumes")
    parser.add_argument("-o", "--output", type=Path, default=TABLE, help="the CSV")
    parser.add_argument(
        "--scans", type=Path, default=scripts.real_folder("volumes"), help="folder of real volumes"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0], help="of both trainings (default: 0)"
    )
    parser.add_argument(
        "--steps", type=scripts.count, default=STEPS, help="of a training (default: %(default)s)"
    )
    options = on_one_thread(parser)
    if options.scans:
        check_volumes(options.scans)
    scripts.check_output(options.output)
    methods: list[tuple[Mask, Row]] = [(stripping.strip, {"method": STRIP})]
    for kind, seed in itertools.product(KINDS, options.seeds):
        methods.append(train(kind, seed, options))
    rows = []
    for mask_of, settings in methods:
        rows += rows_of(mask_of, settings, options)
    scripts.write_stamped(options.output, HEADER, rows)
    lines = []
    for row in rows:
        lines.append([row.get(name, float("nan")) for name in SHOWN])
    print(tables.markdown(lines, SHOWN).data)


if __name__ == "__main__":
    scripts.run(main)
