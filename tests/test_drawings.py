"""Figures of single lessons with odd data: nothing vanishes from them, and their texts are true."""

import numpy as np
import pytest

from skullmask_lib import drawings, plots
from skullmask_lib.io.data import Data
from skullmask_lib.sweeps import Sweep

DISTANCE_PX = np.hypot(*np.ogrid[-19:20, -19:20])
IMAGE = DISTANCE_PX.astype(np.float32)


def disc(radius):
    return np.uint8(radius > DISTANCE_PX)


@pytest.fixture
def drawn(monkeypatch):
    """Keep the figures that are rendered, to look into their axes."""
    figures = []
    render = plots.picture

    def kept(fig, *arguments, **options):
        figures.append(fig)
        return render(fig, *arguments, **options)

    for name in ("audit", "batches", "boundary", "dilation", "raters", "thresholds"):
        monkeypatch.setattr(getattr(drawings, name), "picture", kept)
    return figures


def test_a_mask_has_no_overlap_with_an_empty_truth():
    alt = drawings.threshold_picture(IMAGE, disc(0), [1, 2], [disc(9), disc(3)]).alt
    assert "highest, 0.000" in alt


def test_only_bands_that_were_tried_are_spoken_of():
    shown = (IMAGE, disc(3), disc(3), disc(3))
    alt = drawings.band_picture(*shown, np.array([[0.5, 0.9]]), [1], [6, 18]).alt
    assert alt == "The mean IoU is highest, 0.900, for the band 1 … 18."
    alt = drawings.band_picture(*shown, np.array([[0.5], [0.9]]), [1, 2], [6]).alt
    assert alt.endswith("; another lower end can make it 0.500.")


def test_fields_of_a_volume_without_a_brain_are_drawn():
    cube = np.ones((4, 4, 4))
    shown = {"a": cube}, {"b": 2 * cube}
    picture = drawings.fields_in_planes(*shown, np.eye(4), 0 * cube, at=(2, 2, 2))
    assert picture.pixels.min() < 255
