"""What labelled slices and random images are worth to a network: the first part of ``make deep``.

It writes three tables for lesson 30:

* data/learning_curve.csv: a network that learns from 1 to 200 labelled slices of phantoms with
  varied anatomy, with and without augmentation, beside v7 and v8;
* data/network_parts.csv: a network that learns from random images, with one group of parts after
  another left out of `randomise.PARTS`;
* data/network_progress.csv: the same with nothing left out, scored on the way.

Networks are tested on other phantoms and, if ``--heads`` names their folder, on the real heads,
which none of them has learned from. All trainings of a table take the same number of steps. A run
that was stopped goes on where it was.
"""

import argparse
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import real_heads
import scripts
import torch
from learning_curve import NETWORK, REAL, SUMMARY_HEADER, VARIED, summary
from train_network import (
    FIRST_HELD_OUT_HEAD,
    HELD_OUT_MAPS,
    fingerprint,
    new_parser,
    on_one_thread,
    precision_of,
)
from trainings import (
    MEASURED,
    Row,
    Settings,
    Tests,
    complete,
    score_of,
    scores,
    scores_of_network,
    trained,
)

import skullmask_lib as sm
from skullmask_lib import phantom, tables
from skullmask_lib.deep import data, heads, prediction, randomise, training
from skullmask_lib.io import outputs
from skullmask_lib.project import project_folder

CURVE = "learning_curve.csv"
PARTS = "network_parts.csv"
PROGRESS = "network_progress.csv"
TRAINING = ("seed", "steps", "batch")
CURVE_HEADER = ("method", "labelled", "augmented", *TRAINING, *MEASURED)
PARTS_HEADER = ("without", *TRAINING, *MEASURED)
PROGRESS_HEADER = (*TRAINING, "step", *MEASURED)
SEEDS = (0, 1, 2)

RANDOM = "random images"

# --- Labelled slices: the curve ------------------------------------------------------------------

LABELLED = (1, 2, 5, 10, 20, 50, 100, 200)
# Without augmentation, fewer points will do
LABELLED_PLAIN = (1, 5, 20, 200)
CURVE_STEPS = 240
CURVE_BATCH = 8
FIRST_LABELLED_HEAD = 700_000
FIRST_TEST_HEAD = 800_000
TEST_HEADS = 10
SHAPE = (384, 312)
SPACING_MM = (0.84, 0.84)


def varied_head(seed: int) -> sm.Data:
    """Render slices of a phantom in T1 whose measures are drawn at random."""
    generator = np.random.default_rng(seed)
    measures = randomise.random_measures(generator)
    images = []
    truth = []
    for level in generator.uniform(*randomise.LEVELS, data.SLICES):
        image, labels = phantom.render_slice(
            level * measures["half_height_mm"],
            seed=seed,
            shape=SHAPE,
            spacing_mm=SPACING_MM,
            measures=measures,
        )
        images.append(image)
        truth.append(phantom.skull_mask(labels))
    spacing_mm = np.tile(SPACING_MM, (data.SLICES, 1))
    names = tuple(f"varied-{seed}[{index}]" for index in range(data.SLICES))
    return sm.Data(np.stack(images), np.stack(truth), spacing_mm, names)


@cache
def labelled_slices(folder: Path) -> heads.Prepared:
    """Prepare all slices to learn from, head by head; the folder keeps them for the next run.

    The file is named after what the first head looks like now.
    """
    count = max(LABELLED) // data.SLICES
    first = heads.prepare([varied_head(FIRST_LABELLED_HEAD)])
    file = folder / f"labelled-{FIRST_LABELLED_HEAD}-{count}-{fingerprint(*first)}.npz"
    if not file.exists():
        made = [varied_head(FIRST_LABELLED_HEAD + head) for head in range(count)]
        outputs.make_folder(folder)
        with outputs.replacing(file) as temporary:
            np.savez(temporary, **heads.prepare(made)._asdict())
    with np.load(file) as stored:
        return heads.Prepared(stored["images"], stored["masks"])


def some_slices(count: int, seed: int, folder: Path) -> heads.Prepared:
    """Choose slices to learn from: those of one head in random order, then those of the next."""
    images, masks = labelled_slices(folder)
    generator = np.random.default_rng(seed)
    places: list[int] = []
    for head in generator.permutation(len(images) // data.SLICES):
        places += (head * data.SLICES + generator.permutation(data.SLICES)).tolist()
    return heads.Prepared(images[places[:count]], masks[places[:count]])


def varied_tests() -> Tests:
    """Render the phantoms that the curve is tested on."""
    return {VARIED: [varied_head(FIRST_TEST_HEAD + head) for head in range(TEST_HEADS)]}


def curve_settings() -> list[Settings]:
    """List our versions, which learn nothing, and all trainings."""
    settings: list[Settings] = []
    for method in (real_heads.WIDE, "v8"):
        settings.append({"method": method})
    for augmented, numbers in (("yes", LABELLED), ("no", LABELLED_PLAIN)):
        for seed in SEEDS:
            for labelled in numbers:
                settings.append(
                    {
                        "method": NETWORK,
                        "labelled": labelled,
                        "augmented": augmented,
                        "seed": seed,
                        "steps": CURVE_STEPS,
                        "batch": CURVE_BATCH,
                    }
                )
    return settings


def point_of_curve(
    settings: Settings, folder: Path, tests: Tests, precision: torch.dtype | None
) -> list[Row]:
    """Measure one training, or one of our versions."""
    method = settings["method"]
    if method != NETWORK:
        width_mm = real_heads.published_width_mm()
        return scores(lambda head: real_heads.masks_of(method, head, width_mm), tests)
    seed = settings["seed"]
    batch_of = heads.batches(
        some_slices(settings["labelled"], seed, folder),
        settings["batch"],
        seed=seed,
        augment=settings["augmented"] == "yes",
    )
    network, cpu_s = trained(batch_of, steps=settings["steps"], seed=seed, precision=precision)
    return [{**row, "cpu_s": cpu_s} for row in scores_of_network(network, tests)]


# --- Random images: what each part is worth ------------------------------------------------------

PARTS_STEPS = 200
PARTS_BATCH = 8
MAPS = 400
FIRST_HEAD = 600_000
BATCHES_APART = 1_000_000
NOTHING = "nothing"
GROUPS = {
    "anatomy": ("anatomy", "warp"),
    "thick scalp": ("scalp", "layers", "even scalp"),
    "contrast": ("contrast", "free contrast"),
    "bone and fluid": ("bone", "dark bone", "marrow", "fluid"),
    "fat and muscle": ("fat", "muscle"),
    "texture and noise": ("texture", "tumour", "noise"),
    "resolution": ("through-plane", "blur", "pixels"),
    "brightness": ("bias", "gamma"),
    "frame": ("defacing", "frame"),
    "everything": randomise.PARTS,
}


def part_settings() -> list[Settings]:
    """List all trainings on random images: a few with everything, one without each group."""
    common = {"steps": PARTS_STEPS, "batch": PARTS_BATCH}
    settings: list[Settings] = []
    for seed in SEEDS:
        settings.append({"without": NOTHING, "seed": seed, **common})
    for group in GROUPS:
        settings.append({"without": group, "seed": 0, **common})
    return settings


def random_batches(settings: Settings, folder: Path) -> Callable[[int], training.Batch]:
    """Give random images without a group of parts."""
    parts = GROUPS.get(settings.get("without", NOTHING), ())
    anatomy = "anatomy" not in parts
    maps = data.bank(MAPS, folder, seed=FIRST_HEAD, anatomy=anatomy, processes=2)
    first = BATCHES_APART * (settings["seed"] + 1)
    size = settings["batch"]
    return lambda step: data.random_batch(maps, size, first + step, without=parts)


def scores_everywhere(network: torch.nn.Module, folder: Path, tests: Tests) -> list[Row]:
    """Score a network on random images of other phantoms, with all parts, and on all tests."""
    maps = data.bank(HELD_OUT_MAPS, folder, seed=FIRST_HELD_OUT_HEAD, processes=2)
    images, shares = data.random_batch(maps, len(maps), FIRST_HELD_OUT_HEAD)
    found = prediction.probabilities(network, images[:, 0]) > 0.5
    ious = [sm.iou(*pair) for pair in zip(found, shares[:, 0] > 0.5, strict=True)]
    return [score_of(RANDOM, ious), *scores_of_network(network, tests)]


def without_part(
    settings: Settings, folder: Path, tests: Tests, precision: torch.dtype | None
) -> list[Row]:
    """Measure one training on random images."""
    network, cpu_s = trained(
        random_batches(settings, folder),
        steps=settings["steps"],
        seed=settings["seed"],
        precision=precision,
    )
    return [{**row, "cpu_s": cpu_s} for row in scores_everywhere(network, folder, tests)]


# --- Random images: scores on the way ------------------------------------------------------------

PROGRESS_STEPS = (5, 10, 25, 50, 100, 200, 300, 400)


def progress_settings() -> list[Settings]:
    """List the one training that is scored on the way."""
    return [{"seed": 0, "steps": max(PROGRESS_STEPS), "batch": PARTS_BATCH}]


def on_the_way(
    settings: Settings, folder: Path, tests: Tests, precision: torch.dtype | None
) -> list[Row]:
    """Measure one training on the way; the time is that of the whole training."""
    rows: list[Row] = []

    def score(network: torch.nn.Module, step: int) -> None:
        if step in PROGRESS_STEPS:
            for row in scores_everywhere(network, folder, tests):
                rows.append({"step": step, **row})

    _, cpu_s = trained(
        random_batches(settings, folder),
        steps=settings["steps"],
        seed=settings["seed"],
        on_the_way=score,
        precision=precision,
    )
    return [{**row, "cpu_s": cpu_s} for row in rows]


# --- The command line ----------------------------------------------------------------------------

TABLES = {
    CURVE: (CURVE_HEADER, curve_settings, point_of_curve),
    PROGRESS: (PROGRESS_HEADER, progress_settings, on_the_way),
    PARTS: (PARTS_HEADER, part_settings, without_part),
}


def complete_table(name: str, real: Tests, options: argparse.Namespace) -> None:
    """Measure what a table lacks."""
    header, settings_of, measure = TABLES[name]
    if name == CURVE:
        tests = varied_tests() | real
        scored = list(tests)
    else:
        tests = real
        scored = [RANDOM, *tests]
    precision = precision_of(options.bfloat16)
    measure = partial(measure, folder=options.folder, tests=tests, precision=precision)
    complete(
        options.output / name,
        header,
        settings_of(),
        scored,
        measure,
        bfloat16=options.bfloat16,
    )


def main() -> None:
    parser = new_parser(__doc__, "network")
    parser.add_argument(
        "--heads",
        type=Path,
        default=scripts.real_folder("slices"),
        help="folder of real heads, to score each network on",
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=project_folder("data"), help="folder of the tables"
    )
    parser.add_argument(
        "--tables",
        nargs="+",
        choices=TABLES,
        default=list(TABLES),
        metavar="TABLE",
        help=f"only these of {', '.join(TABLES)}",
    )
    options = on_one_thread(parser)
    for name in options.tables:
        scripts.check_output(options.output / name)
    real: Tests = {}
    if options.heads:
        real = {REAL: [sm.load(file) for file in scripts.files_of(options.heads)]}
    for name in TABLES:
        if name in options.tables:
            complete_table(name, real, options)
    if CURVE in options.tables and options.heads:
        rows = scripts.read(options.output / CURVE)
        print(tables.markdown(summary(rows), SUMMARY_HEADER).data)


if __name__ == "__main__":
    scripts.run(main)
