"""The tracer: points become the mask that they outline, are kept by slice, and are saved whole."""

import browser
import cv2
import nbformat
import numpy as np
import pytest

import skullmask_lib as sm
from skullmask_lib import polar
from skullmask_lib.drawings import tracing
from skullmask_lib.explore import tracer as tracers
from skullmask_lib.io.data import Data

DATA = sm.load("phantom")


@pytest.fixture
def tracer(folder):  # noqa: ARG001
    return tracers.Tracer(DATA)


def true_depths_mm(index):
    """Find how deep below the skin the true mask begins, at the angle of each point."""
    head = polar.unwrap(DATA.images[index], DATA.spacing_mm[index])
    rows, columns = head.head.shape
    truth = cv2.resize(DATA.truth[index].astype(np.float32), (columns, rows))
    first = (polar.along_rays(head, truth) > 0.5).argmax(axis=1)
    return polar.STEP_MM * first[:: polar.ANGLES // tracing.POINTS]


def trace(tracer, depths_mm):
    """Set all points of the slice that is shown, and draw once."""
    tracer._points_mm[tracer.slice_index.value] = depths_mm
    tracer._turn()


@pytest.mark.parametrize("index", [0, pytest.param(4, marks=pytest.mark.full)])
def test_points_on_the_skull_make_its_mask(tracer, index):
    tracer.slice_index.value = index
    trace(tracer, true_depths_mm(index))
    masks = tracer.masks()
    truth = DATA.truth[index]
    assert sm.iou(masks[index], truth) > 0.99
    outward_mm = sm.metrics.outward_mm(masks[index], truth, DATA.spacing_mm[index])
    assert outward_mm == pytest.approx(0, abs=0.25)
    assert np.flatnonzero(masks.any(axis=(1, 2))).tolist() == [index]


def test_each_slice_keeps_its_points(tracer):
    trace(tracer, np.full(tracing.POINTS, 8.0))
    tracer.points[3].value = -9.0
    values = [point.value for point in tracer.points]
    assert values == [-8.0] * 3 + [-9.0] + [-8.0] * 20
    pictures = (tracer._strip.value, tracer._image.value)
    tracer.slice_index.value = 1
    assert [point.value for point in tracer.points] == [0.0] * tracing.POINTS
    tracer.slice_index.value = 0
    assert [point.value for point in tracer.points] == values
    assert (tracer._strip.value, tracer._image.value) == pictures
    tracer.clear_button.click()
    assert not tracer.masks().any()


def test_the_line_passes_through_the_points_that_are_set_and_round_the_ends():
    points_mm = np.zeros(tracing.POINTS)
    points_mm[[2, 9, 20]] = 5.0, 9.0, 7.0
    outline_mm = tracing.outline_of(points_mm)
    assert outline_mm[[30, 135, 300]].tolist() == [5.0, 9.0, 7.0]
    assert 5 < outline_mm[359] < 7  # between the last point and the first
    assert outline_mm.min() == 5  # it does not swing out
    points_mm[2] = 0
    assert tracing.outline_of(points_mm) is None


def test_a_column_of_the_strip_is_centred_on_its_angle():
    head = polar.unwrap(DATA.images[0], DATA.spacing_mm[0])
    points_mm = np.zeros(tracing.POINTS)
    points_mm[[0, 7, 8, 9, 16]] = 6.0, 6.0, 12.0, 6.0, 6.0
    middle_of_8 = round(8.5 * tracing.COLUMN_DOTS)
    bare = tracing.strip_pixels(head, np.zeros(tracing.POINTS))
    with_line = tracing.strip_pixels(head, points_mm)
    with_points = tracing.strip_pixels(head, points_mm, with_points=True)

    rows_of_line = np.flatnonzero((with_line != bare)[:, middle_of_8].any(axis=1))
    assert rows_of_line.mean() == pytest.approx(
        tracing.HEIGHT_DOTS * 12 / tracing.DEEPEST_MM, abs=1
    )
    columns_of_points = np.flatnonzero((with_points != with_line).any(axis=(0, 2)))
    assert (columns_of_points[0] + columns_of_points[-1]) / 2 == middle_of_8


def test_what_is_saved_can_be_scored_and_replaces_an_earlier_file(tracer, folder):
    trace(tracer, true_depths_mm(0))
    path = tracer.save("anna")
    assert path.as_posix() == "traces/anna.npy"
    np.testing.assert_array_equal(np.load(folder / path), tracer.masks())
    tracer.clear_button.click()
    trace(tracer, np.full(tracing.POINTS, 8.0))
    tracer.rater.value = "anna"
    tracer.save_button.click()
    assert "traces/anna.npy" in tracer._message.value
    np.testing.assert_array_equal(np.load(folder / path), tracer.masks())


def test_slices_that_are_not_traced_keep_their_earlier_masks(tracer, folder):
    trace(tracer, np.full(tracing.POINTS, 8.0))
    earlier = tracer.masks()[0]
    tracer.save("anna")
    again = tracers.Tracer(DATA)  # as after a restart of the kernel
    again.slice_index.value = 1
    trace(again, np.full(tracing.POINTS, 9.0))
    again.rater.value = "anna"
    again.save_button.click()
    saved = np.load(folder / "traces" / "anna.npy")
    np.testing.assert_array_equal(saved[0], earlier)
    np.testing.assert_array_equal(saved[1], again.masks()[1])
    assert not saved[2:].any()
    assert DATA.names[0] in again._message.value
    assert DATA.names[1] not in again._message.value


def test_a_file_of_another_head_is_not_replaced(tracer, folder):
    (folder / "traces").mkdir()
    np.save(folder / "traces" / "anna.npy", np.ones((2, 9, 9), np.uint8))
    trace(tracer, np.full(tracing.POINTS, 8.0))
    with pytest.raises(sm.InputError):
        tracer.save("anna")
    assert np.load(folder / "traces" / "anna.npy").shape == (2, 9, 9)


def test_a_name_that_is_no_file_of_the_folder_is_refused(tracer, folder):
    trace(tracer, np.full(tracing.POINTS, 8.0))
    for name in ("", " ", "../anna", "a/b", "a.b", ".hidden", "-a", "a\0"):
        with pytest.raises(sm.InputError):
            tracer.save(name)
    tracer.rater.value = "../anna"
    tracer.save_button.click()
    assert "color:#b00020" in tracer._message.value
    assert list(folder.iterdir()) == []


def test_nothing_traced_is_nothing_saved(tracer, folder):
    tracer.rater.value = "anna"
    tracer.save_button.click()
    assert "color:#b00020" in tracer._message.value
    assert list(folder.iterdir()) == []


def test_a_slice_without_a_head_is_named_and_others_can_be_traced(folder):  # noqa: ARG001
    images = np.stack([DATA.images[0], np.zeros_like(DATA.images[0])])
    tracer = tracers.Tracer(Data(images, None, DATA.spacing_mm[:2], ("head", "air")))
    tracer.slice_index.value = 1
    assert "color:#b00020" in tracer._text.value
    assert "air" in tracer._text.value
    assert tracer.points[0].disabled
    for point in tracer.points:
        point.value = -8
    assert not tracer.masks().any()
    tracer.slice_index.value = 0
    trace(tracer, np.full(tracing.POINTS, 8.0))
    assert tracer.masks()[0].any()


def test_the_first_slice_need_not_show_a_head(folder):
    images = np.stack([np.zeros_like(DATA.images[0]), DATA.images[0]])
    tracer = tracers.Tracer(Data(images, None, DATA.spacing_mm[:2], ("air", "head")))
    assert "text/plain" in tracer._repr_mimebundle_()[0]
    for point in tracer.points:
        point.value = -8
    tracer.slice_index.value = 1
    trace(tracer, np.full(tracing.POINTS, 8.0))
    path = tracer.save("anna")
    assert np.load(folder / path).any(axis=(1, 2)).tolist() == [False, True]


def test_without_a_kernel_it_is_a_picture(tracer):
    data, metadata = tracer._repr_mimebundle_()
    assert {"image/png", "text/plain"} <= set(data)
    assert data["text/plain"].startswith("Tracer(slice=phantom[0]): 0 of 24 points")
    assert metadata["image/png"]["alt"].startswith("phantom[0]: ")


CELL = """import numpy as np
import skullmask_lib as sm
from skullmask_lib import explore

explore.Tracer(sm.load("phantom"))"""


def is_at(handle, x, y):
    """Tell whether a point is where the click was; it glides there."""
    box = handle.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    return middle == pytest.approx((x, y), abs=2)


@pytest.mark.full
def test_clicks_on_the_picture_set_points_in_lab(tmp_path):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cell = nbformat.v4.new_code_cell(CELL)
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), folder / "trace.ipynb")
    depths_mm = true_depths_mm(0)
    with browser.chromium() as chromium, browser.lab(folder, tmp_path / "log") as (address, token):
        page, errors = browser.open_page(chromium)
        page.set_viewport_size({"width": 1280, "height": 1000})
        browser.run_in_lab(page, address, token, folder / "trace.ipynb")
        box = page.locator(".skullmask-explorer")
        picture = box.locator(".skullmask-strip img")
        picture.wait_for(timeout=60_000)
        corner = picture.bounding_box()
        text = box.locator(".skullmask-stage .widget-html-content").first
        for index, depth_mm in enumerate(depths_mm):
            x = corner["x"] + (index + 0.5) * tracing.COLUMN_DOTS
            y = corner["y"] + depth_mm * tracing.HEIGHT_DOTS / tracing.DEEPEST_MM
            page.mouse.click(x, y)
            handle = box.locator(".skullmask-strip .noUi-handle").nth(index)
            count = f"{index + 1} of {tracing.POINTS} points"
            browser.wait_for(lambda count=count: count in text.text_content(), seconds=20)
            browser.wait_for(lambda handle=handle, x=x, y=y: is_at(handle, x, y), seconds=5)
        box.get_by_label("your name").fill("anna")
        page.keyboard.press("Tab")
        box.get_by_role("button", name="save").click()
        saved = folder / "traces" / "anna.npy"
        browser.wait_for(saved.is_file, seconds=20)
        assert sm.iou(np.load(saved)[0], DATA.truth[0]) > 0.98
        first = box.locator(".skullmask-strip .noUi-handle").first
        before = float(first.get_attribute("aria-valuenow"))
        first.focus()
        first.press("ArrowDown")  # a key does as well: deeper by a step
        browser.wait_for(lambda: float(first.get_attribute("aria-valuenow")) < before, seconds=20)
        assert errors == []
