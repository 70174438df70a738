"""The network's opinion of a slice: right on phantoms, the same in every thread, refused where it was changed."""

import threading

import cv2
import numpy as np
import pytest
from complaints import refused

import skullmask_lib as sm
from skullmask_lib import learned, phantom, polar
from skullmask_lib.project import project_folder

SHAPE = (256, 208)
SPACING_MM = (1.0, 1.0)


def head(contrast="T1", level_mm=20.0, seed=5):
    image, labels = phantom.render_slice(
        level_mm, seed=seed, contrast=contrast, shape=SHAPE, spacing_mm=SPACING_MM
    )
    return image, phantom.skull_mask(labels)


@pytest.fixture(scope="module")
def slice_():
    return head()


@pytest.mark.parametrize("contrast", phantom.SIGNALS)
def test_the_inside_of_phantoms_is_found(contrast):
    image, truth = head(contrast)
    probability = learned.inside_probability(image, SPACING_MM)
    assert sm.iou((probability > 0.5).astype(np.uint8), truth) > 0.95


def test_a_probability_has_the_shape_of_its_slice(slice_):
    image, _ = slice_
    probability = learned.inside_probability(image[:, 3:], SPACING_MM)
    assert probability.shape == (SHAPE[0], SHAPE[1] - 3)
    assert probability.dtype == np.float32
    assert 0 <= probability.min() < 0.01
    assert 0.99 < probability.max() <= 1


def test_without_a_spacing_the_head_is_the_ruler(slice_):
    image, truth = slice_
    probability = learned.inside_probability(image)
    assert sm.iou((probability > 0.5).astype(np.uint8), truth) > 0.95


def test_the_unit_and_the_dtype_of_a_slice_do_not_matter(slice_):
    image, _ = slice_
    integers = np.round(1000 * image).astype(np.uint16)
    small = 1e-9 * integers + 5e-9
    first = learned.inside_probability(integers, SPACING_MM) > 0.5
    second = learned.inside_probability(small, SPACING_MM) > 0.5
    assert np.mean(first != second) < 1e-5


def test_the_input_is_not_changed(slice_):
    image, _ = slice_
    before = image.copy()
    learned.inside_probability(image, SPACING_MM)
    assert np.array_equal(image, before)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (40, 50)])
def test_where_there_is_no_head_nothing_is_inside(shape):
    probability = learned.inside_probability(np.full(shape, 7.0), (1.0, 1.0))
    assert probability.shape == shape
    assert not probability.any()


def test_nan_is_refused_as_everywhere():
    with refused(None, ["1"]):
        learned.inside_probability(np.array([[0.0, np.nan]]))


def test_every_thread_says_the_same(slice_):
    image, _ = slice_
    wanted = learned.inside_probability(image, SPACING_MM)
    results = {}

    def ask(index):
        for _ in range(3):
            results[index] = learned.inside_probability(image, SPACING_MM)

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == len(threads)
    for result in results.values():
        assert np.array_equal(result, wanted)


# --- The window and the preparation --------------------------------------------------------------


@pytest.mark.parametrize("step_mm", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("first", "last"), [((0, 0), (150, 90)), ((31, 7), (200, 191))])
def test_a_window_holds_the_head_and_its_surroundings(step_mm, first, last):
    mask = np.zeros(SHAPE, np.uint8)
    mask[first[0] : last[0], first[1] : last[1]] = 1
    window = learned.window_around(mask, step_mm)
    margin = learned.MARGIN_MM / step_mm
    sides = (window.row, window.rows), (window.column, window.columns)
    for (start, length), low, high in zip(sides, first, last, strict=True):
        assert start <= low - margin
        assert start + length >= high + margin
        assert length * step_mm / learned.STEP_MM % learned.MULTIPLE == 0


def test_beyond_the_frame_all_is_zero_and_does_not_count():
    generator = np.random.default_rng(0)
    brightness = generator.uniform(0.3, 0.6, (64, 64)).astype(np.float32)
    inside = learned.prepare(brightness, 1.0, learned.Window(0, 0, 64, 64))
    around = learned.prepare(brightness, 1.0, learned.Window(-64, -32, 192, 128))
    assert inside.min() == 0
    assert inside.max() == 1
    assert np.array_equal(around[32:64, 16:48], inside)
    around[32:64, 16:48] = 0
    assert not around.any()


def test_the_grid_of_v8_and_that_of_training_are_prepared_alike():
    coarse = np.random.default_rng(1).random((64, 32), np.float32)
    fine = np.kron(coarse, np.ones((2, 2), np.float32))
    of_coarse = learned.prepare(coarse, 1.0, learned.Window(-16, 0, 96, 32))
    of_fine = learned.prepare(fine, 0.5, learned.Window(-32, 0, 192, 64))
    assert np.allclose(of_coarse, of_fine, atol=1e-6)


def test_outside_of_the_window_nothing_is_inside(slice_):
    image, _ = slice_
    wide = np.pad(image, 150)
    unwrapped = polar.unwrap(wide, SPACING_MM)
    window = learned.window_around(unwrapped.head, polar.STEP_MM)
    probability = learned.probability_on_grid(unwrapped)
    assert probability.shape == unwrapped.head.shape
    assert not probability[: window.row].any()
    assert not probability[:, window.column + window.columns :].any()


# --- The file ------------------------------------------------------------------------------------


def test_the_network_is_the_one_that_was_measured():
    assert isinstance(learned.load_network(project_folder("data") / learned.NETWORK), cv2.dnn.Net)


def test_a_network_that_was_changed_is_refused(tmp_path):
    content = bytearray((project_folder("data") / learned.NETWORK).read_bytes())
    content[len(content) // 2] ^= 1
    file = tmp_path / learned.NETWORK
    file.write_bytes(content)
    with refused(learned.NETWORK):
        learned.load_network(file)


def test_a_network_that_is_missing_is_refused(tmp_path):
    with refused("none.onnx"):
        learned.load_network(tmp_path / "none.onnx")


def test_the_network_is_small():
    assert (project_folder("data") / learned.NETWORK).stat().st_size < 1_000_000
