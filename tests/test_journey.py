"""Check the published journey on the phantom.

Its scores are inside the accepted ranges, and where they were when somebody last looked at them.
"""

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
# The seed of the phantom that is calibrated to the published figures
CALIBRATED = 26


@cache
def head(seed=CALIBRATED):
    """Give the images of a phantom, their truth and their spacing."""
    images, labels, spacing_mm, _ = phantom.five_slices(seed=seed)
    return images, phantom.skull_mask(labels), spacing_mm


@cache
def mean_ious(seed=CALIBRATED):
    """Give the mean IoU of every version, and of v7 at every width."""
    images, truth, spacing_mm = head(seed)
    means = {}
    for version, ious in sm.ladder(images, truth, spacing_mm=spacing_mm).items():
        means[version] = float(ious.mean())
    for width, mean in ious_of_widths(seed).items():
        means[f"width {width}"] = mean
    return means


@cache
def ious_of_widths(seed=CALIBRATED):
    """Give the mean IoU of v7 at every width."""
    images, truth, _ = head(seed)
    means = sm.sweep(images, truth, sizes=WIDTHS).iou.mean(axis=0)
    return dict(zip(WIDTHS, means.tolist(), strict=True))


def best_of(ious):
    """Find the width with the highest IoU."""
    return max(ious, key=ious.get)


def scalp_touches_frame(images):
    """Tell for each slice whether v7 finds a bright component that touches the frame."""
    return [bool(sm.trace("v7", image)["scalp"].any()) for image in images]


@pytest.mark.parametrize(("version", "margin"), [("v1", 0.02), ("v2", 0.02), ("v7", 0.01)])
def test_the_phantom_agrees_with_the_published_ladder(version, margin):
    published = sm.published()[f"iou_{version}"]
    assert mean_ious()[version] == pytest.approx(published, abs=margin)


def test_the_published_width_is_the_best():
    published = {width: sm.published()[f"iou_width_{width}"] for width in WIDTHS}
    assert best_of(published) == 26
    assert best_of(ious_of_widths()) == 26


@pytest.mark.parametrize("index", range(5))
def test_otsu_finds_the_published_threshold(index):
    images, *_ = head()
    threshold = otsu_threshold(normalize(images[index]))
    assert threshold == pytest.approx(sm.published()["otsu_threshold"], abs=2)


def test_the_frame_rule_never_fires():
    images, *_ = head()
    assert scalp_touches_frame(images) == [False] * 5
    assert sm.published()["edge_components_per_slice"] == 0


def test_the_frame_rule_fires_on_every_cropped_slice():
    images = sm.load("phantom-cropped").images
    assert scalp_touches_frame(images) == [True] * 5


@pytest.mark.parametrize("seed", OTHER_SEEDS)
def test_heads_that_were_not_calibrated_agree(seed):
    ious = mean_ious(seed)
    assert ious["v1"] == pytest.approx(sm.published()["iou_v1"], abs=0.03)
    assert ious["v2"] == pytest.approx(sm.published()["iou_v2"], abs=0.03)
    assert ious["v7"] >= 0.95
    assert ious["v8"] >= 0.985
    assert best_of(ious_of_widths(seed)) in (26, 28)


def test_nothing_moved():
    rounded = {item: round(iou, 4) for item, iou in mean_ious().items()}
    assert rounded == GOLDEN


if __name__ == "__main__":
    print("GOLDEN = {")
    for item, iou in mean_ious().items():
        print(f'    "{item}": {iou:.4f},')
    print("}")
