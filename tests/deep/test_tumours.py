"""Random patients with tumours: seeded, stored like LGG, cropped and put back, and scored apart."""

import cv2
import numpy as np
import pytest
from complaints import refused

import skullmask_lib as sm
from skullmask_lib import phantom
from skullmask_lib.deep import heads, tumours
from skullmask_lib.volumes import preprocess


@pytest.fixture(scope="module")
def patients():
    return tumours.random_patients(range(3))


def box_of_head(image):
    return preprocess.crop_to_head(image).box


def test_a_seed_gives_one_patient(patients):
    again = tumours.random_patients([1])
    assert again.names == patients.names[6:12]
    assert np.array_equal(again.images, patients.images[6:12])
    assert np.array_equal(again.tumour, patients.tumour[6:12])
    assert not np.array_equal(patients.images[:6], patients.images[6:12])


def test_names_tell_the_patients_apart(patients):
    training, validation = heads.split([patients], share=0.3)
    assert len({heads.head_of(name) for name in patients.names}) == 3
    assert len(training[0].names) == 12
    assert len(validation[0].names) == 6


def test_a_tumour_is_bright_and_on_about_as_many_slices_as_in_lgg():
    data = tumours.random_patients(range(20))
    has_tumour = data.tumour.any(axis=(1, 2))
    assert 0.3 < has_tumour.mean() < 0.5
    for image, tumour in zip(data.images[has_tumour], data.tumour[has_tumour], strict=True):
        around = cv2.dilate(tumour, np.ones((9, 9), np.uint8)) - tumour
        if tumour.sum() > 50:
            assert np.median(image[tumour > 0]) > np.median(image[around > 0])


def test_no_tumour_leaves_the_slice_of_the_phantom_as_it_is(patients):
    generator = np.random.default_rng(0)
    measures = tumours.randomise.random_measures(generator)
    signals = tumours._random_signals(generator)
    level_mm = tumours.LEVELS[1] * measures["half_height_mm"]
    image, _ = phantom.render_slice(
        level_mm,
        seed=0,
        contrast="FLAIR",
        shape=tumours.SHAPE,
        spacing_mm=(tumours.STEP_MM, tumours.STEP_MM),
        measures=measures,
        signals=signals,
    )
    assert not patients.tumour[5].any()
    white = np.percentile(image, 99.8)
    expected = np.rint(255 * np.clip(image / white, 0, 1))
    assert np.array_equal(patients.images[5], expected)


def test_patients_are_stored_and_loaded_as_lgg_is(patients, tmp_path):
    tumours.write(patients, tmp_path / "kaggle_3m")
    loaded = sm.load(f"lgg:{tmp_path}")
    assert loaded.names == patients.names
    assert np.array_equal(loaded.images, patients.images)
    assert np.array_equal(loaded.tumour, patients.tumour)
    index = sm.lgg_index(tmp_path)
    assert index["tumour"].tolist() == patients.tumour.any(axis=(1, 2)).tolist()
    assert not any(index["missing"])


@pytest.mark.parametrize("box_of", [tumours.whole, box_of_head])
def test_the_truth_comes_back_through_the_pixels_of_a_network(patients, box_of):
    prepared, boxes = tumours.prepare(patients, enhance=preprocess.clahe, box_of=box_of)
    assert prepared.images.shape == (18, 1, *tumours.PREPARED_SHAPE)
    assert 0 <= prepared.images.min() < 0.05
    assert 0.9 < prepared.images.max() <= 1
    back = tumours.masks_of(
        lambda _: prepared.masks[:, 0], prepared, boxes, patients.images.shape[1:]
    )
    scores = tumours.score(back, patients.tumour)
    assert scores["dice_tumour"] > 0.9
    assert scores["iou_empty"] == 1


def test_a_crop_is_undone_pixel_by_pixel(patients):
    """Without a change of size nothing is lost."""
    box = (slice(20, 20 + tumours.PREPARED_SHAPE[0]), slice(9, 9 + tumours.PREPARED_SHAPE[1]))
    prepared, boxes = tumours.prepare(patients, box_of=lambda _: box)
    back = tumours.masks_of(lambda _: prepared.masks[:, 0], prepared, boxes, tumours.SHAPE)
    expected = np.zeros_like(patients.tumour)
    expected[(slice(None), *box)] = patients.tumour[(slice(None), *box)]
    assert np.array_equal(back, expected)
    assert back.any()


def test_slices_with_and_without_tumour_are_scored_apart():
    truth = np.zeros((4, 3, 3), np.uint8)
    truth[:2, 0] = 1
    masks = truth.copy()
    masks[1, 0, 2] = 0  # one pixel of three is missed
    masks[3, 2, 2] = 1  # one is found where there is nothing
    scores = tumours.score(masks, truth)
    assert scores["iou_tumour"] == pytest.approx((1 + 2 / 3) / 2)
    assert scores["dice_tumour"] == pytest.approx((1 + 4 / 5) / 2)
    assert scores["iou_empty"] == scores["dice_empty"] == 0.5
    assert scores["iou_all"] == pytest.approx((1 + 2 / 3 + 1 + 0) / 4)
    assert np.isnan(tumours.score(masks[:2], truth[:2])["iou_empty"])


def test_pooled_dice_is_of_all_pixels_and_an_empty_answer_scores_nothing(patients):
    prepared, _ = tumours.prepare(patients)
    truth = prepared.masks[:, 0]
    assert heads.pooled_dice(lambda _: truth, prepared) == 1
    assert heads.pooled_dice(np.zeros_like, prepared) == 0
    half = np.where(np.arange(truth.shape[2]) % 2, truth, 0)
    found, true = half > 0.5, truth > 0.5
    expected = 2 * (found & true).sum() / (found.sum() + true.sum())
    assert heads.pooled_dice(lambda _: half, prepared) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("seeds", "slices", "wrong"), [([], 6, "none"), ([10_000], 6, "10000"), ([0], 0, "0")]
)
def test_what_is_no_patient_is_refused(seeds, slices, wrong):
    with refused(None, [wrong]):
        tumours.random_patients(seeds, slices=slices)


def test_slices_without_tumour_masks_are_refused():
    with refused("phantom[0]", ["tumour"]):
        tumours.prepare(sm.load("phantom"))
