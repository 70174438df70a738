"""Exercises of lesson 02: flood fill from the frame."""

import itertools
from functools import partial

import cv2
import numpy as np
from scipy import ndimage

from .. import masks, metrics
from ..io.datasets import load
from .definitions import Exercise, Mistake

# 02.1: a closing before the flood


def _bright(index: int = 2) -> np.ndarray:
    gray = masks.normalize(load("phantom").images[index])
    return (gray > masks.otsu_threshold(gray)).astype(np.uint8)


def _truth() -> np.ndarray:
    return load("phantom").truth[2]


def _cut_scalp(gap_px: int) -> np.ndarray:
    """Open a gap in the bright scalp above the forehead, as the lesson does."""
    cut = _bright()
    skull = _truth()
    top = skull.any(axis=1).argmax()
    middle = int(skull[top].nonzero()[0].mean())
    left = middle - gap_px // 2
    cut[: top + 3, left : left + gap_px] = 0
    return cut


def _closed(gap_px: int, width_px: int, operation: int = cv2.MORPH_CLOSE) -> np.ndarray:
    square = np.ones((width_px, width_px), np.uint8)
    return cv2.morphologyEx(_cut_scalp(gap_px), operation, square)


def _widest_mended_px(width_px: int, operation: int = cv2.MORPH_CLOSE) -> int:
    uncut = metrics.iou(masks.fill_holes(_bright()), _truth())
    mended = []
    for gap_px in range(13):
        mask = masks.fill_holes(_closed(gap_px, width_px, operation))
        if metrics.iou(mask, _truth()) > uncut - 0.01:
            mended.append(gap_px)
    return max(mended, default=0)


def _share_inside(mask: np.ndarray) -> float:
    return float(_truth()[mask > 0].mean())


def _largest(width_px: int) -> np.ndarray:
    return masks.largest_component(_closed(2, width_px))


def _closing() -> tuple[int, float]:
    return _widest_mended_px(3), _share_inside(_largest(15))


def _first_leak() -> tuple[int, float]:
    widest_px, share = _closing()
    return widest_px + 1, share


def _share_of_skull() -> tuple[int, float]:
    covered = _largest(15)[_truth() > 0]
    return _widest_mended_px(3), float(covered.mean())


# 02.2: a flood of one's own


def _flood(dark: np.ndarray, structure: np.ndarray | None = None) -> np.ndarray:
    frame = np.ones(dark.shape, bool)
    frame[1:-1, 1:-1] = False
    return ndimage.binary_propagation(frame & (dark > 0), structure, mask=dark > 0)


def _flood_from_a_corner(dark: np.ndarray) -> np.ndarray:
    corner = np.zeros(dark.shape, bool)
    corner[0, 0] = dark[0, 0]
    return ndimage.binary_propagation(corner, mask=dark > 0)


_SIDES = {"top": np.s_[0], "bottom": np.s_[-1], "left": np.s_[:, 0], "right": np.s_[:, -1]}


def _flood_from(dark: np.ndarray, sides: tuple[str, ...]) -> np.ndarray:
    start = np.zeros(dark.shape, bool)
    for side in sides:
        start[_SIDES[side]] = dark[_SIDES[side]]
    return ndimage.binary_propagation(start, mask=dark)


def _floods_from_some_sides() -> list[Mistake]:
    mistakes = []
    for count in range(1, len(_SIDES)):
        for sides in itertools.combinations(_SIDES, count):
            reply = f"the water starts at the {' and the '.join(sides)} alone, but it should start "
            mistake = Mistake(partial(_flood_from, sides=sides), f"{reply}at all sides.")
            mistakes.append(mistake)
    return mistakes


def _one_pass(dark: np.ndarray) -> np.ndarray:
    frame = np.ones(dark.shape, bool)
    frame[1:-1, 1:-1] = False
    return ndimage.binary_dilation(frame & dark) & dark


def _with_bright_frame(dark: np.ndarray, *, wets_bright: bool = True) -> np.ndarray:
    """Start at the whole frame; water also leaks from its bright pixels."""
    frame = np.ones(dark.shape, bool)
    frame[1:-1, 1:-1] = False
    wet = ndimage.binary_propagation(frame, mask=frame | (dark > 0))
    return wet if wets_bright else wet & (dark > 0)


def _dry(dark: np.ndarray) -> np.ndarray:
    return (dark > 0) & ~_flood(dark)


_RING = """
.......
..###..
.#...#.
.#...#.
..###..
.......
"""
_SPIRAL = """
#.#######
#.#.....#
#.#.###.#
#.#.#.#.#
#.#...#.#
#.#####.#
#.......#
#########
"""
_CELLS = """
.........
.#####...
.#.#.####
.#####.#.
.....###.
"""


def _dark_pixels() -> list[tuple]:
    """List a phantom's slice at a third of its size, and drawings with gaps at other places."""
    drawings = []
    for text in (_RING, _SPIRAL, _CELLS):
        drawings.append(np.array([list(row) for row in text.split()]) == ".")
    _, spiral, cells = drawings
    # The spiral opens at the top, and each of its turns at another side
    turned = [spiral[::-1].copy(), spiral.T.copy(), spiral.T[:, ::-1].copy()]
    cut = cells[1:]
    dark = [_bright()[::3, ::3] == 0, *drawings, *turned, cut]
    return [(pixels,) for pixels in dark]


EXERCISES = (
    Exercise(
        "02.1",
        kind="modify",
        level=2,
        minutes=15,
        wanted="the widest gap in pixels and a share between 0 and 1, as (gap, share)",
        solution=_closing,
        right="the small square mends narrow gaps, and the wide one also bridges the dark bone, so "
        "that brain and scalp become one component.",
        hints=(
            "after each closing, fill the holes and compare the IoU with that of the slice without "
            "a gap.",
            "for the share, close the slice with the wide square and take "
            "`masks.largest_component` of the result, without filling.",
            "the share is the mean of the true mask over the pixels of that component, "
            "`true[component > 0].mean()`.",
        ),
        mistakes=(
            Mistake(
                lambda: (0, _share_inside(masks.largest_component(_cut_scalp(2)))),
                "this is the slice before any closing.",
            ),
            Mistake(
                _first_leak,
                "the first number is the narrowest gap that leaks, but the widest that does not is "
                "asked for.",
            ),
            Mistake(
                lambda: (_widest_mended_px(3), _share_inside(_largest(3))),
                "the gap is right, but the share is that of the small square.",
            ),
            Mistake(
                lambda: (_widest_mended_px(15), _share_inside(_largest(15))),
                "the share is right, but the gap is that of the wide square.",
            ),
            Mistake(
                _share_of_skull,
                "the gap is right, but this is the share of the skull that the component covers; "
                "give the share of the component that lies inside.",
            ),
            Mistake(
                lambda: (_widest_mended_px(3), _share_inside(masks.fill_holes(_closed(2, 15)))),
                "the gap is right, but the share is that of the filled mask; give that of the "
                "largest component before filling.",
            ),
        ),
    ),
    Exercise(
        "02.2",
        kind="make",
        level=2,
        minutes=20,
        wanted="a function that takes the dark pixels and returns the wet ones, an array of the "
        "same shape",
        solution=_flood,
        right="these are the pixels of `masks.flood_from_edges`, which does not go over the whole "
        "slice in each pass.",
        hints=(
            "keep two arrays of truth values, the dark pixels and those that are wet so far.",
            "in each pass, let a copy of the wet pixels grow by one in four directions, then keep "
            "what is dark.",
            "`grown[1:] |= wet[:-1]` grows downwards, and the loop ends when the number of wet "
            "pixels stays the same.",
        ),
        mistakes=(
            Mistake(
                lambda dark: _flood(dark, np.ones((3, 3))),
                "this water also moves diagonally, but it should move up, down, left and right.",
            ),
            Mistake(
                _flood_from_a_corner,
                "the water starts at a part of the frame, but it should start at the whole of it.",
            ),
            *_floods_from_some_sides(),
            Mistake(_one_pass, "this is one pass, so repeat it until nothing changes."),
            Mistake(
                _with_bright_frame,
                "bright pixels of the frame are wet, but the flood starts at the dark ones alone.",
            ),
            Mistake(
                lambda dark: _with_bright_frame(dark, wets_bright=False),
                "water comes in at bright pixels of the frame, but the flood starts at the dark "
                "ones alone.",
            ),
            Mistake(
                _dry, "these are the dark pixels that stay dry, but the wet ones are asked for."
            ),
            Mistake(lambda dark: dark, "these are all dark pixels, wet or not."),
        ),
        arguments=_dark_pixels,
    ),
)
