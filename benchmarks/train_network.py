"""Train the network of `skullmask_lib.learned` on random images, from nothing: ``make network``.

No scan takes part. The labels are those of phantoms with random anatomy, the images are drawn anew
for every step (`skullmask_lib.deep.randomise`). Each seed is scored on random images of phantoms
that are kept for that, and after training, if ``--heads`` names their folder, on the real heads.
The table goes to network.csv in the folder. A run that was stopped goes on where it was.

``--install`` makes the network of the best seed, by the phantoms, the one that comes with the
library: data/network.onnx, .csv and .md, and the checksum in skullmask_lib/learned.py.
"""

import argparse
import hashlib
import re
import shutil
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import scripts
import torch
from real_heads import network_mask, summary
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import learned, tables
from skullmask_lib.deep import checkpoints, data, export, networks, training
from skullmask_lib.io import outputs
from skullmask_lib.project import project_folder

HOUSE = Path(__file__).parents[1]
TABLE = "network.csv"
CARD = "network.md"
# The table of the model card lies between these
SCORES = "<!-- scores -->"
END_OF_SCORES = "<!-- end of scores -->"
VALIDATION = "random phantoms"
HEADER = (
    "seed",
    "steps",
    "batch",
    "head",
    "slices",
    "iou",
    "iou_min",
    "assd_mm",
    "hd95_mm",
    "sha256",
    "date",
    "version",
)
MEANS_HEADER = ("seed", VALIDATION, "sets", "IoU", "worst set", "worst slice", "ASSD_mm")

# Label maps to train on, and others to choose the best seed by
MAPS = 2400
FIRST_HEAD = 1_000
HELD_OUT_MAPS = 200
FIRST_HELD_OUT_HEAD = 900_000
STEPS = 4000
BATCH = 16
RATE = 3e-3
# Seeds of batches are counted on from a multiple of this
BATCHES_APART = 1_000_000
EVERY = 100


def train(seed: int, options: argparse.Namespace) -> torch.nn.Module:
    """Train one network, and return it as it was when it was best."""
    maps = bank(MAPS, FIRST_HEAD, options)
    images, truth = held_out_images(options)
    network = networks.build("unet", seed=seed).to(memory_format=torch.channels_last)
    folder = options.folder / f"seed-{seed}"

    def batch_of(step: int) -> tuple[np.ndarray, np.ndarray]:
        return data.random_batch(maps, BATCH, BATCHES_APART * (seed + 1) + step)

    with tqdm(total=options.steps, unit="step", desc=f"seed {seed}", disable=None) as bar:
        training.train(
            network,
            batch_of,
            folder,
            steps=options.steps,
            rate=RATE,
            seed=seed,
            validate=lambda network: float(np.mean(ious(network, images, truth))),
            every=EVERY,
            precision=precision_of(options.bfloat16),
            options={
                "bfloat16": options.bfloat16,
                "maps": MAPS,
                "batch": BATCH,
                "first batch": fingerprint(*batch_of(0)),
            },
            progress=lambda step, _: bar.update(step - bar.n),
        )
    return checkpoints.load(folder / training.BEST).network.eval()


def fingerprint(*arrays: np.ndarray) -> str:
    """Name what arrays hold, so that a run does not go on with images of another recipe."""
    checksum = 0
    for array in arrays:
        checksum = zlib.crc32(array.tobytes(), checksum)
    return f"{checksum:08x}"


def bank(count: int, seed: int, options: argparse.Namespace) -> np.ndarray:
    """Give label maps, rendered on the first call."""
    return data.bank(count, options.folder, seed=seed, processes=options.processes, progress=True)


def held_out_images(options: argparse.Namespace) -> tuple[torch.Tensor, np.ndarray]:
    """Make random images of the phantoms that are kept to choose by, and their masks.

    Their label maps are drawn with replacement, see `data.random_batch`: not all of them are shown,
    but every seed and every step is scored on the same images.
    """
    maps = bank(HELD_OUT_MAPS, FIRST_HELD_OUT_HEAD, options)
    images, shares = data.random_batch(maps, len(maps), FIRST_HELD_OUT_HEAD)
    return torch.from_numpy(images), shares > 0.5


@torch.no_grad()
def ious(network: torch.nn.Module, images: torch.Tensor, truth: np.ndarray) -> list[float]:
    """Score a network on every image."""
    logits = [network(part) for part in images.split(20)]
    inside = torch.cat(logits).numpy() > 0
    return [sm.iou(*pair) for pair in zip(inside, truth, strict=True)]


def score(network: cv2.dnn.Net, folder: Path) -> list[dict[str, object]]:
    """Score a network on every set of real heads."""
    rows = []
    for file in scripts.files_of(folder):
        head = sm.load(file)
        made = []
        for image, spacing_mm in zip(head.images, head.spacing_mm, strict=True):
            made.append(network_mask(image, spacing_mm, network))
        scores = {name: round(value, 4) for name, value in summary(made, head).items()}
        rows.append({"head": file.stem, "slices": len(made), **scores})
    return rows


def measure(seed: int, options: argparse.Namespace) -> list[dict[str, object]]:
    """Train with one seed, export, and score."""
    network = train(seed, options)
    file = onnx_of(seed, options)
    export.save_onnx(network, file)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    of_phantoms = ious(network, *held_out_images(options))
    cells = scripts.iou_cells(of_phantoms)
    rows = [{"head": VALIDATION, "slices": len(of_phantoms), **cells}]
    if options.heads:
        rows += score(learned.load_network(file, sha256=sha256), options.heads)
    settings = {"seed": seed, "steps": options.steps, "batch": BATCH, "sha256": sha256}
    return [settings | row for row in rows]


def onnx_of(seed: int, options: argparse.Namespace) -> Path:
    return options.folder / f"seed-{seed}.onnx"


def means(rows: Sequence[dict[str, object]]) -> list[tuple[object, ...]]:
    """Sum up the rows of every seed: on the phantoms, and on all sets of real heads."""
    table = []
    for seed in dict.fromkeys(row["seed"] for row in rows):
        of_seed = scripts.select(rows, seed=seed)
        [validation] = scripts.numbers(scripts.select(of_seed, head=VALIDATION), "iou")
        sets = [row for row in of_seed if row["head"] != VALIDATION]
        table.append((seed, validation, len(sets), *means_of_sets(sets)))
    return table


def means_of_sets(sets: Sequence[dict[str, object]]) -> tuple[float, float, float, float]:
    """Return the mean IoU, the worst set, the worst slice and the mean ASSD; NaN without sets."""
    if not sets:
        return np.nan, np.nan, np.nan, np.nan
    set_ious = scripts.numbers(sets, "iou")
    worst_slice = min(scripts.numbers(sets, "iou_min"))
    assd_mm = np.mean(scripts.numbers(sets, "assd_mm"))
    return float(np.mean(set_ious)), min(set_ious), worst_slice, float(assd_mm)


def best_seed(rows: Sequence[dict[str, object]]) -> object:
    """Find the seed that is best on the phantoms; the real heads have no say."""
    return max(means(rows), key=lambda row: row[1])[0]


def install(rows: Sequence[dict[str, object]], options: argparse.Namespace) -> None:
    """Make the best network the one that comes with the library, and say so on its card."""
    seed = best_seed(rows)
    target = project_folder("data")
    with outputs.replacing(target / learned.NETWORK) as temporary:
        shutil.copyfile(onnx_of(seed, options), temporary)
    scripts.write_stamped(target / TABLE, HEADER, rows)
    rows = scripts.read(target / TABLE)  # with date and version
    rewrite(target / CARD, lambda text: filled_card(text, rows))
    checksum = f'SHA256 = "{cells_of_card(rows)["SHA-256"].strip("`")}"'
    rewrite(
        HOUSE / "skullmask_lib" / "learned.py",
        lambda text: re.sub(r'^SHA256 = "\w+"$', checksum, text, flags=re.MULTILINE),
    )


def filled_card(text: str, rows: Sequence[dict[str, object]]) -> str:
    """Write into the model card what the table says."""
    for name, value in cells_of_card(rows).items():
        text = re.sub(rf"^\| {name} \|.*$", f"| {name} | {value} |", text, flags=re.MULTILINE)
    before, _, rest = text.partition(SCORES)
    _, _, after = rest.partition(END_OF_SCORES)
    table = tables.markdown(means(rows), MEANS_HEADER).data
    return f"{before}{SCORES}\n\n{table}\n\n{END_OF_SCORES}{after}"


def cells_of_card(rows: Sequence[dict[str, object]]) -> dict[str, str]:
    """Return what the model card says of the best network, by the name of its row."""
    seed = str(best_seed(rows))
    row = next(row for row in rows if str(row["seed"]) == seed)
    images = int(row["steps"]) * int(row["batch"])
    return {
        "SHA-256": f"`{row['sha256']}`",
        "seed": seed,
        "trained on": (
            f"{images:,} random images of {MAPS:,} slices of phantoms, "
            f"{int(row['steps']):,} steps of {row['batch']}; **no scan**"
        ),
        "date": str(row["date"]),
    }


def rewrite(file: Path, change: Callable[[str], str]) -> None:
    """Change the text of a file."""
    text = change(file.read_text(encoding="utf-8"))
    with outputs.replacing(file) as temporary:
        temporary.write_text(text, encoding="utf-8")


# --- The command line ----------------------------------------------------------------------------


def new_parser(description: str, folder: str) -> argparse.ArgumentParser:
    """Return a parser with what all long trainings are asked; a folder of build keeps them."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=HOUSE / "build" / folder,
        help=f"keeps trainings, so that they go on (default: build/{folder})",
    )
    parser.add_argument("--bfloat16", action="store_true", help="faster where the CPU has it")
    return parser


def on_one_thread(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line, and let OpenCV and torch use one thread."""
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    return options


def precision_of(bfloat16: bool) -> torch.dtype | None:
    """Return the precision of the convolutions, as `training.train` takes it."""
    return torch.bfloat16 if bfloat16 else None


def main() -> None:
    parser = new_parser(__doc__, "network")
    parser.add_argument("--heads", type=Path, help="folder of real heads, to score each seed on")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="of trainings (default: 0 1 2)"
    )
    parser.add_argument(
        "--steps", type=scripts.count, default=STEPS, help="of a training (default: %(default)s)"
    )
    parser.add_argument("--processes", type=scripts.count, default=2, help="to render the phantoms")
    parser.add_argument(
        "--install",
        action="store_true",
        help="into data/ and learned.py; without --heads the table there lacks the real heads",
    )
    options = on_one_thread(parser)
    if options.heads:
        scripts.files_of(options.heads)
    rows = []
    for seed in options.seeds:
        rows += measure(seed, options)
        scripts.write_stamped(options.folder / TABLE, HEADER, rows)
    print(tables.markdown(means(rows), MEANS_HEADER).data)
    print(f"Seed {best_seed(rows)} is the best on phantoms.")
    if options.install:
        install(rows, options)


if __name__ == "__main__":
    scripts.run(main)
