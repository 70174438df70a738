"""Exercises of lesson 03: other thresholds, and a band of grey levels."""

import cv2
import numpy as np

from .. import masks, versions
from ..io.datasets import load
from .definitions import Exercise, Mistake

# 03.1: v4 with a margin


def _gray(index: int = 2) -> np.ndarray:
    return masks.normalize(load("phantom").images[index])


def _above(margin: int = 5) -> np.ndarray:
    gray = _gray()
    width = versions.options_of("v4")["block_size"]
    local_mean = cv2.blur(gray, (width, width), borderType=cv2.BORDER_REPLICATE).astype(int)
    return (gray > local_mean + margin).astype(np.uint8)


def _count(margin: int = 5, connectivity: int = 8) -> int:
    count, _ = cv2.connectedComponents(_above(margin), connectivity=connectivity)
    return count - 1


# 03.2: a band that is placed without the truth

_CORNER_PX = 30


def _corners(gray: np.ndarray) -> np.ndarray:
    ends = np.r_[:_CORNER_PX, -_CORNER_PX:0]
    return gray[np.ix_(ends, ends)]


def _band(gray: np.ndarray) -> tuple[float, int]:
    return float(np.percentile(_corners(gray), 99)), masks.otsu_threshold(gray)


def _band_of_all(gray: np.ndarray) -> tuple[float, int]:
    return float(np.percentile(gray, 99)), masks.otsu_threshold(gray)


def _band_of_a_fraction(gray: np.ndarray) -> tuple[float, int]:
    return float(np.percentile(_corners(gray), 0.99)), masks.otsu_threshold(gray)


def _band_of_corners_alone(gray: np.ndarray) -> tuple[float, int]:
    corners = np.ascontiguousarray(_corners(gray))
    return float(np.percentile(corners, 99)), masks.otsu_threshold(corners)


def _band_of_first_corner(gray: np.ndarray) -> tuple[float, int]:
    corner = gray[:_CORNER_PX, :_CORNER_PX]
    return float(np.percentile(corner, 99)), masks.otsu_threshold(gray)


def _band_of_three_corners(gray: np.ndarray) -> tuple[float, int]:
    """Miss the brightest corner."""
    halves = (slice(_CORNER_PX), slice(-_CORNER_PX, None))
    corners = [gray[rows, columns] for rows in halves for columns in halves]
    dimmest = sorted(corners, key=np.mean)[:-1]
    return float(np.percentile(dimmest, 99)), masks.otsu_threshold(gray)


def _band_to_the_brightest(gray: np.ndarray) -> tuple[float, int]:
    return float(_corners(gray).max()), masks.otsu_threshold(gray)


def _noisy(image: np.ndarray, share: float) -> np.ndarray:
    """Add the Rician noise of the lesson."""
    noise = share * np.ptp(image) * np.random.default_rng(3).standard_normal((2, *image.shape))
    return np.hypot(image - image.min() + noise[0], noise[1])


def _with_spot(gray: np.ndarray) -> np.ndarray:
    """Draw a bright spot at the inner end of the last corner."""
    spotted = gray.copy()
    spotted[-_CORNER_PX:-20, -_CORNER_PX:-20] = 40
    return spotted


def _grays() -> list[tuple]:
    image = load("phantom").images[2]
    noisy = [masks.normalize(_noisy(image, share)) for share in (0.005, 0.03)]
    spotted = []
    for turn in range(4):
        spotted.append(np.rot90(_with_spot(_gray(4)), turn).copy())
    return [(gray,) for gray in (_gray(), _gray(0), *noisy, *spotted)]


EXERCISES = (
    Exercise(
        "03.1",
        kind="modify",
        level=1,
        minutes=10,
        wanted="the number of components, an integer",
        solution=_count,
        right="most components were noise in the air, and the margin silences them; it also thins "
        "out the brain, so the mask is still no good.",
        hints=(
            "repeat v4's first two lines with the margin, and count the components of the result.",
            "`masks.label_components` returns the labels and the areas, and the areas have one "
            "entry for each label.",
            "one of the labels is the background, which is no component.",
        ),
        mistakes=(
            Mistake(lambda: _count(0), "this is v4 as it was, without the margin."),
            Mistake(lambda: _count() + 1, "the background counts as one here, so leave it out."),
            Mistake(
                lambda: _count(connectivity=4),
                "these are 4-connected components, but bright pixels have eight neighbours here.",
            ),
            Mistake(
                lambda: _count(-5),
                "this margin lowers the level, but a pixel should be brighter than before to pass.",
            ),
            Mistake(
                lambda: np.count_nonzero(_above()),
                "this counts pixels, but the components are asked for.",
            ),
        ),
    ),
    Exercise(
        "03.2",
        kind="make",
        level=3,
        minutes=20,
        wanted="a function that takes grey levels and returns the two ends of the band, as "
        "(low, high)",
        solution=_band,
        right="the lower end follows the noise, but then it comes too close to the bone, so now "
        "score this band on every slice with and without noise.",
        hints=(
            "everything that is needed follows from the grey levels alone.",
            "each corner has 30 × 30 pixels, and `np.ix_` with the first and the last rows and "
            "columns cuts out all four at once.",
            "the lower end is a percentile of these pixels, and the upper end is "
            "`masks.otsu_threshold` of the whole slice.",
        ),
        mistakes=(
            Mistake(
                _band_of_all,
                "the lower end comes from the whole slice, but it should come from the corners.",
            ),
            Mistake(
                _band_of_a_fraction,
                "`np.percentile` counts to 100, so 0.99 is less than one per cent.",
            ),
            Mistake(
                _band_of_three_corners,
                "the lower end misses a corner, but the pixels of all four are asked for.",
            ),
            Mistake(
                _band_of_first_corner,
                "the lower end comes from too few pixels, because all four corners count.",
            ),
            Mistake(
                _band_to_the_brightest,
                "the lower end is the brightest pixel of the corners, which is one outlier.",
            ),
            Mistake(
                _band_of_corners_alone,
                "the upper end is Otsu's threshold of the corners, but that of the whole slice is "
                "asked for.",
            ),
            Mistake(
                lambda _: (1, 18),
                "this is the lesson's band, which was chosen with the truth.",
            ),
        ),
        arguments=_grays,
    ),
)
