"""Every version on real heads, beside two baselines that look for no skull: ``make real-heads``.

The folder that SKULLMASK_REAL names holds the heads, as ``slices/*.npz``; they are not part of the
project. The constants of the baselines are the best there are, chosen with the truth: the erosion
once for all heads, the dilation for each. The table goes to data/real_heads.csv, the figure to
figures/real_heads.png.
"""

import argparse
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import scripts
from scipy import ndimage
from tqdm import tqdm

import skullmask_lib as sm
from skullmask_lib import learned, masks, plots, polar, tables, versions
from skullmask_lib.io import outputs

TABLE = Path(__file__).parents[1] / "data" / "real_heads.csv"
FIGURE = Path(__file__).parents[1] / "figures" / "real_heads.png"
ERODED, DILATED = "filled head, eroded", "true brain, dilated"
# The published width on the phantom's pixels, carried over to the pixels of each head
WIDE = "v7, width in mm"
MEASURES = ("iou", "iou_min", "assd_mm", "hd95_mm")
MEANS_HEADER = ("method", "sets", "IoU", "worst set", "worst slice", "ASSD_mm", "HD95_mm")
HEADER = (
    "head",
    "sequence",
    "method",
    "constant_mm",
    "slices",
    *MEASURES,
    "at_edge",
    "date",
    "version",
)
SHOWN = {"chris": 2, "oms01": 2, "oms01_FLAIR": 2, "oms01_T2W": 0}  # head and slice of the figure
SEQUENCES = {"": "T1", "T1": "T1", "noisy": "T1", "T2W": "T2", "FLAIR": "FLAIR"}
CONSTANTS_MM = np.arange(0.5, 16.1, 0.5)

Rows = list[dict[str, object]]


def sequence_of(head: str) -> str:
    """Read the sequence off a head's name; those without one are T1."""
    suffix = head.partition("_")[2]
    if suffix not in SEQUENCES:
        endings = ", ".join(filter(None, SEQUENCES))
        raise sm.InputError(f"expected a name that ends in one of {endings}, or in none", head)
    return SEQUENCES[suffix]


def summary(made: np.ndarray, data: sm.Data) -> dict[str, float]:
    """Average the scores over the slices; the worst slice stands beside the mean."""
    scores = sm.score_slices(made, data.truth, data.spacing_mm)
    ious = [score["iou"] for score in scores]
    summed_up = {"iou": float(np.mean(ious)), "iou_min": min(ious)}
    for key in ("assd_mm", "hd95_mm"):
        summed_up[key] = float(np.mean([score[key] for score in scores]))
    return summed_up


def eroded(data: sm.Data, constant_mm: float) -> list[np.ndarray]:
    """Peel a constant layer off the head that v8 finds."""
    path = np.full(polar.ANGLES, constant_mm / polar.STEP_MM)
    inside = []
    for image, spacing_mm in zip(data.images, data.spacing_mm, strict=True):
        head = polar.unwrap(image, spacing_mm)
        inside.append(polar.fill_outline(head, path))
    return inside


def dilated(data: sm.Data, constant_mm: float) -> list[np.ndarray]:
    """Grow the true brain by a constant and fill it."""
    grown = []
    for brain, spacing_mm in zip(data.brain, data.spacing_mm, strict=True):
        distance_mm = ndimage.distance_transform_edt(brain == 0, sampling=spacing_mm)
        is_near = (distance_mm <= constant_mm).astype(np.uint8)
        grown.append(masks.fill_holes(is_near))
    return grown


BASELINES = {ERODED: eroded, DILATED: dilated}


def best_constant(
    make: Callable[[sm.Data, float], list[np.ndarray]],
    heads: list[sm.Data],
    constants_mm: np.ndarray = CONSTANTS_MM,
) -> float:
    """Find the constant [mm] with the best mean IoU over the heads' slices."""

    def mean_iou(constant_mm: float) -> float:
        ious = []
        for head in heads:
            pairs = zip(make(head, constant_mm), head.truth, strict=True)
            ious += [sm.iou(mask, truth) for mask, truth in pairs]
        return np.mean(ious)

    return float(max(constants_mm, key=mean_iou))


@cache
def published_width_mm() -> float:
    """Return v7's width on the phantom's pixels, where it was matched to the published figures."""
    width_px = versions.options_of("v7")["dilation_size"]
    pixel_mm = float(sm.load("phantom").spacing_mm[0, 0])
    return round(width_px * pixel_mm, 2)


def masks_of(method: str, data: sm.Data, constant_mm: float) -> Iterable[np.ndarray]:
    """Make the masks of a version or a baseline; the baselines and v7 in mm need their constant."""
    if method == WIDE:
        return wide_masks(data, constant_mm)
    if method in BASELINES:
        return BASELINES[method](data, constant_mm)
    return sm.mask_slices(data.images, names=data.names, version=method, spacing_mm=data.spacing_mm)


def width_px(width_mm: float, spacing_mm: np.ndarray) -> int:
    """Return the width of v7's element in pixels of a slice."""
    return round(width_mm / float(spacing_mm.mean()))


def wide_masks(data: sm.Data, width_mm: float) -> list[np.ndarray]:
    """Make v7's masks with an element that is as many millimetres wide on every slice."""
    made = []
    for image, spacing_mm in zip(data.images, data.spacing_mm, strict=True):
        made.append(sm.v7(image, dilation_size=width_px(width_mm, spacing_mm)))
    return made


def network_mask(
    image: np.ndarray, spacing_mm: Sequence[float], network: cv2.dnn.Net | None = None
) -> np.ndarray:
    """Make the mask of a network alone: the largest piece that is probably inside, filled.

    The network is that of the library unless another is given.
    """
    probability = learned.inside_probability(image, tuple(spacing_mm), network=network)
    return learned.most_probable_mask(probability)


def constants_of(data: sm.Data, erosion_mm: float) -> dict[str, float | str]:
    """Give every method with its constant [mm], if it has one."""
    constants = dict.fromkeys(sm.VERSIONS, "")
    constants[WIDE] = published_width_mm()
    constants[ERODED] = erosion_mm
    if data.brain is not None:
        constants[DILATED] = best_constant(dilated, [data])
    return constants


def at_edge(data: sm.Data) -> int:
    """Count the slices on which a bright component touches the frame."""
    count = 0
    for image in data.images:
        stages = versions.brain_and_scalp(image)
        count += bool(stages["scalp"].any())
    return count


def measure(folder: Path) -> list[dict[str, object]]:
    """Score every version on every head of a folder of ``.npz`` files."""
    heads = {file.stem: sm.load(file) for file in scripts.files_of(folder)}
    erosion_mm = best_constant(eroded, list(heads.values()))
    rows = []
    for head, data in tqdm(heads.items(), unit="head", leave=False, disable=None):
        known = {"slices": len(data.images), "at_edge": at_edge(data)}
        for method, constant_mm in constants_of(data, erosion_mm).items():
            scores = summary(masks_of(method, data, constant_mm), data)
            rounded = {key: round(value, 4) for key, value in scores.items()}
            row = {
                "head": head,
                "sequence": sequence_of(head),
                "method": method,
                "constant_mm": constant_mm,
            }
            rows.append(row | known | rounded)
    return rows


def means(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """Average over the sets, a row for each method."""
    table = []
    for method in dict.fromkeys(row["method"] for row in rows):
        sets = scripts.select(rows, method=method)
        ious = scripts.numbers(sets, "iou")
        worst_slice = min(scripts.numbers(sets, "iou_min"))
        assd_mm = float(np.mean(scripts.numbers(sets, "assd_mm")))
        hd95_mm = float(np.mean(scripts.numbers(sets, "hd95_mm")))
        mean = float(np.mean(ious))
        table.append((method, len(sets), mean, min(ious), worst_slice, assd_mm, hd95_mm))
    return table


def pictures(folder: Path) -> plots.Picture:
    """Show one slice of each of four heads with the masks of v7 and of v8."""
    fig, axes = plots.figure(len(SHOWN), 2, width=10.5, height=7)
    for column, (head, index) in enumerate(SHOWN.items()):
        data = sm.load(folder / f"{head}.npz")
        image, truth = data.images[index], data.truth[index]
        for row, method in enumerate((WIDE, "v8")):
            mask = list(masks_of(method, data, published_width_mm()))[index]
            name = f"{head.partition('_')[0]}, {sequence_of(head)}\n" if row == 0 else ""
            title = f"{name}{method.replace(', width', '')}: IoU {sm.iou(mask, truth):.2f}"
            plots.compare(axes[row * len(SHOWN) + column], image, mask, truth, title)
    plots.key(fig)
    return plots.picture(
        fig,
        "Four scans with the masks of v7, its width in mm, and of v8 compared with the true ones.",
    )


def command_line(
    description: str,
    table: Path,
    *,
    folder: str = "slices",
    check: Callable[[Path], object] | None = None,
) -> argparse.Namespace:
    """Read the folder of heads and the output from the command line; all tables share them.

    The folder must hold heads, unless another check is given.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--heads", type=Path, default=scripts.real_folder(folder), help="folder of heads"
    )
    parser.add_argument("-o", "--output", type=Path, default=table, help="the CSV")
    options = parser.parse_args()
    scripts.require_heads(options.heads)
    check = check or scripts.files_of
    check(options.heads)
    scripts.check_output(options.output)
    cv2.setNumThreads(1)
    return options


def make_table(
    options: argparse.Namespace,
    header: Sequence[str],
    measure: Callable[..., Rows],
) -> Rows:
    """Measure what a folder holds, and write the table.

    Warnings are for users; here the scores say what is wrong with a mask.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", sm.InputWarning)
        rows = measure(options.heads)
    scripts.write_stamped(options.output, header, rows)
    return rows


def main() -> None:
    options = command_line(__doc__, TABLE)
    rows = make_table(options, HEADER, measure)
    if options.output == TABLE:
        with outputs.replacing(FIGURE) as temporary:
            temporary.write_bytes(pictures(options.heads).png)
    print(tables.markdown(means(rows), MEANS_HEADER).data)


if __name__ == "__main__":
    scripts.run(main)
