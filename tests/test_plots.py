"""Figures of odd data: masks of 255 or bool, slices almost without bright pixels, long names."""

import numpy as np
import pytest

from skullmask_lib import plots

SQUARE = np.zeros((24, 24), np.uint8)
SQUARE[8:16, 8:16] = 1


@pytest.mark.parametrize("full", [255, 256, True, 1.0, np.uint16(65535)])
def test_a_mask_is_drawn_alike_whatever_its_ones_are(full):
    other = np.where(SQUARE, full, type(full)(0))
    for draw in (painted, outlined, in_a_panel, in_planes):
        np.testing.assert_array_equal(draw(other), draw(SQUARE), err_msg=draw.__name__)


def painted(mask):
    return plots.paint(np.zeros(mask.shape), {"mask": mask}, 0.5)


def outlined(mask):
    fig, axes = plots.figure()
    plots.outline(plots.show(axes[0], SQUARE), mask)
    return plots.picture(fig, "").pixels


def in_a_panel(mask):
    fig, (frame,) = plots.panels(1)
    plots.slice_panel(fig, frame, 0 * SQUARE, kinds={"mask": mask}, outlined={"truth": mask})
    return plots.picture(fig, "").pixels


def in_planes(mask):
    volume = np.zeros((24, 24, 24))
    part = np.zeros(volume.shape, np.uint8)
    part[..., :12] = SQUARE[..., None]
    whole = np.repeat(mask[..., None], 24, axis=2)
    return plots.three_planes(volume, np.eye(4), mask=whole, doubtful=part).pixels


@pytest.mark.parametrize(("dark", "bright"), [(0, 0.001), (10, 1000), (-1000, -999.5)])
def test_a_few_bright_pixels_are_seen_on_a_flat_slice(dark, bright):
    image = np.full((64, 64), float(dark))
    image[30:33, 40:43] = bright
    assert plots.grey_limits(image) == (dark, bright)
    assert plots.head_window(image, margin=0) == (slice(30, 33), slice(40, 43))
