"""The published journey on the phantom: inside the accepted ranges, and where it was when last looked at."""

from functools import cache

import pytest

import skullmask_lib as sm
from skullmask_lib import phantom
from skullmask_lib.masks import normalize, otsu_threshold
from skullmask_lib.sweeps import OTHER_SEEDS

# Mean IoU on the phantom. What moves here belongs in CHANGELOG.md. To renew: python tests/test_journey.py
GOLDEN = {
    "v1": 0.7321,
    "v2": 0.8202,
    "v3": 0.5071,
    "v4": 0.3938,
    "v5": 0.9278,
    "v6": 0.9666,
    "v7": 0.9788,
    "v8": 0.9986,
    "v9": 0.9986,
    "width 22": 0.9666,
    "width 24": 0.9753,
    "width 26": 0.9788,
    "width 28": 0.9756,
    "width 30": 0.9688,
}
WIDTHS = range(22, 31, 2)


@cache
def head(seed=26):
    images, labels, spacing_mm, _ = phantom.five_slices(seed=seed)
    return images, phantom.skull_mask(labels), spacing_mm


@cache
def measured(seed=26):
    """Mean IoU of every version and of v7 at every width."""
    images, truth, spacing_mm = head(seed)
    swept = sm.sweep(images, truth, sizes=WIDTHS)
    means = {
        version: float(scores.mean())
        for version, scores in sm.ladder(images, truth, spacing_mm=spacing_mm).items()
    }
    return means | {
        f"width {w}": float(iou) for w, iou in zip(WIDTHS, swept.iou.mean(axis=0), strict=True)
    }


def best_width(seed=26):
    return max(WIDTHS, key=lambda width: measured(seed)[f"width {width}"])


@pytest.mark.parametrize(("version", "margin"), [("v1", 0.02), ("v2", 0.02), ("v7", 0.01)])
def test_the_phantom_agrees_with_the_published_ladder(version, margin):
    assert measured()[version] == pytest.approx(sm.published()[f"iou_{version}"], abs=margin)


def test_the_published_width_is_the_best():
    published = {width: sm.published()[f"iou_width_{width}"] for width in WIDTHS}
    assert best_width() == max(published, key=published.get) == 26


@pytest.mark.parametrize("index", range(5))
def test_otsu_finds_the_published_threshold(index):
    threshold = otsu_threshold(normalize(head()[0][index]))
    assert threshold == pytest.approx(sm.published()["otsu_threshold"], abs=2)


def test_the_frame_rule_never_fires():
    assert [sm.trace("v7", image)["scalp"].any() for image in head()[0]] == [False] * 5
    assert sm.published()["edge_components_per_slice"] == 0


def test_the_frame_rule_fires_on_every_cropped_slice():
    images = sm.load("phantom-cropped").images
    assert [sm.trace("v7", image)["scalp"].any() for image in images] == [True] * 5


@pytest.mark.parametrize("seed", OTHER_SEEDS)
def test_heads_that_were_not_calibrated_agree(seed):
    scores = measured(seed)
    assert scores["v1"] == pytest.approx(sm.published()["iou_v1"], abs=0.03)
    assert scores["v2"] == pytest.approx(sm.published()["iou_v2"], abs=0.03)
    assert scores["v7"] >= 0.95
    assert scores["v8"] >= 0.985
    assert best_width(seed) in (26, 28)


def test_nothing_moved():
    assert {item: round(iou, 4) for item, iou in measured().items()} == GOLDEN


if __name__ == "__main__":
    print("GOLDEN = {")
    for item, iou in measured().items():
        print(f'    "{item}": {iou:.4f},')
    print("}")
