"""What several of these tests look at: a drawn head, and one unwrapped."""

import pytest
from inputs import ring_head

from skullmask_lib import polar


@pytest.fixture(scope="module")
def drawn():
    image, truth = ring_head()
    return image, truth


@pytest.fixture(scope="module")
def unwrapped():
    return polar.unwrap(ring_head((150, 250), (1.5, 0.8), at_mm=(4, -3))[0], (1.5, 0.8))
