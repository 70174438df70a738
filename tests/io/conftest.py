"""What several of these tests read: a series of DICOM files."""

import pytest
from dicoms import phantom, write_series


@pytest.fixture
def series(tmp_path):
    write_series(tmp_path / "series", phantom())
    return tmp_path / "series"
