"""What several tests of networks share."""

import numpy as np
import pytest

from skullmask_lib import phantom
from skullmask_lib.deep import random_brains


@pytest.fixture
def quick_heads(monkeypatch):
    """Have a ball of grey matter stand for every random volume, which takes much longer to draw."""
    middle = np.array(random_brains.SHAPE) / 2
    offsets = np.indices(random_brains.SHAPE) - middle[:, None, None, None]
    is_ball = np.linalg.norm(offsets, axis=0) < 40
    labels = is_ball * np.uint8(phantom.LABELS["grey_matter"])
    monkeypatch.setattr(random_brains, "random_labels", lambda _: labels)
