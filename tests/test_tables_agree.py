"""What several tables of results measure is the same in all of them.

Each script writes its own table. So after a change of v8, of v9 or of `strip`, a table that was not
measured anew shows here.
"""

import learning_curve
import numpy as np
import pytest
import real_degraded
import real_heads
import real_volume_copies
from real_quality import AS_IT_IS, NONE
from result_tables import DATA, numbers, rows_of, select

from skullmask_lib import learned

# Four digits are written, and machines may round differently
TOLERANCE = 5e-4
METHODS_OF_STRIP = {"v8": "strip", "v9": "strip, v9"}


@pytest.fixture(scope="module")
def usual():
    """Give the mean IoU of each method on all sets of real heads."""
    return {method: iou for method, _, iou, *_ in real_heads.means(rows_of(real_heads.TABLE))}


@pytest.fixture(scope="module")
def brain_masks():
    return rows_of(DATA / "brain_masks.csv")


@pytest.mark.parametrize("method", [real_heads.WIDE, "v8"])
def test_the_learning_curve_has_our_versions_of_today(usual, method):
    curve = rows_of(DATA / "learning_curve.csv")
    iou = learning_curve.level(curve, learning_curve.REAL, method)
    assert iou == pytest.approx(usual[method], abs=TOLERANCE)


def test_slices_as_they_are_score_as_usual_beside_degraded_ones(usual):
    as_they_are = select(rows_of(real_degraded.TABLE), treatment=NONE)
    for version in ("v8", "v9"):
        [iou] = numbers(select(as_they_are, method=version), "iou")
        assert iou == pytest.approx(usual[version], abs=TOLERANCE)
    quality = select(rows_of(DATA / "real_quality.csv"), group=AS_IT_IS)
    assert np.mean(numbers(quality, "iou")) == pytest.approx(usual["v8"], abs=TOLERANCE)


def test_the_network_alone_scores_as_after_its_training():
    as_they_are = select(rows_of(real_degraded.TABLE), treatment=NONE)
    [iou] = numbers(select(as_they_are, method=real_degraded.NETWORK), "iou")
    trained = select(rows_of(DATA / "network.csv"), sha256=learned.SHA256)
    of_sets = [row for row in trained if row["head"] != "random phantoms"]
    assert iou == pytest.approx(np.mean(numbers(of_sets, "iou")), abs=TOLERANCE)


@pytest.mark.parametrize("version", METHODS_OF_STRIP)
def test_volumes_as_they_are_score_as_beside_the_peers(brain_masks, version):
    copies = rows_of(real_volume_copies.TABLE)
    as_they_are = select(copies, copy=real_volume_copies.NONE, skull_by=version)
    for row in as_they_are:
        [peer] = select(brain_masks, volume=row["volume"], method=METHODS_OF_STRIP[version])
        for name in ("dice", "dice_whole"):
            if row[name] == "":
                assert peer[name] == ""
            else:
                assert float(row[name]) == pytest.approx(float(peer[name]), abs=TOLERANCE), row


def test_strip_scores_the_same_beside_networks_for_volumes(brain_masks):
    for row in select(rows_of(DATA / "deep_volumes.csv"), method="strip"):
        for peer in select(brain_masks, method="strip", volume=row["data"]):
            assert float(row["dice"]) == pytest.approx(float(peer["dice"]), abs=TOLERANCE)
