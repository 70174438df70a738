"""What several of these tests run and report on: a small notebook, and slices with their truth."""

from pathlib import Path

import numpy as np
import pytest
from inputs import ring_heads, ring_truths
from reporting import write_notebook


@pytest.fixture
def notebook(folder):
    """Give a function that writes own.ipynb, see `write_notebook`, and returns its path."""

    def write(*cells, **options):
        write_notebook(folder / "own.ipynb", *cells, **options)
        return Path("own.ipynb")

    return write


@pytest.fixture
def slices(folder):
    """Write three heads and their truth, slices.npy and truth.npy; give their folder."""
    np.save(folder / "slices.npy", ring_heads())
    np.save(folder / "truth.npy", ring_truths())
    return folder
