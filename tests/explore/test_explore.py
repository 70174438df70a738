"""Explorers and the app without a browser: they redraw, say what went wrong, and can be reset."""

import base64
import datetime
import gc
import html
import io
import re
import tracemalloc
import warnings
import zlib
from functools import partial
from typing import Annotated

import ipywidgets as widgets
import nibabel as nib
import numpy as np
import pytest
from inputs import ring_head
from PIL import Image

import skullmask_lib as sm
from skullmask_lib import errors, plots, versions, views
from skullmask_lib.errors import InputError
from skullmask_lib.explore import app as apps
from skullmask_lib.explore import controls, explorers
from skullmask_lib.io import arrays


@pytest.fixture
def drawn():
    return []


@pytest.fixture
def explorer(drawn):
    def view(*, width_px=3, kind="a"):
        drawn.append((width_px, kind))
        if width_px == 7:
            raise InputError("no <b>seven</b>")
        fig, (axes,) = plots.figure(width=2, height=2)
        axes.plot([0, width_px])
        return plots.picture(fig, f"{width_px} pixels of {kind}")

    return explorers.sliders(view, width_px=(1, 9, 2), kind=["a", "b"])


def shown(explorer):
    """What the widgets hold: the text and the picture."""
    return explorer._text.value, explorer._image.value


def test_a_control_redraws(explorer, drawn):
    before = shown(explorer)
    explorer.controls["width_px"].value = 5
    explorer.controls["kind"].value = "b"
    text, png = shown(explorer)
    assert text == "5 pixels of b"
    assert png != before[1]
    assert drawn == [(3, "a"), (5, "a"), (5, "b")]


def test_an_error_is_shown_in_red_and_raised(explorer):
    with pytest.raises(InputError, match="no <b>seven</b>"):
        explorer.controls["width_px"].value = 7
    text, _ = shown(explorer)
    assert "color:#b00020" in text
    assert "no &lt;b&gt;seven&lt;/b&gt;" in text
    explorer.controls["width_px"].value = 9
    assert shown(explorer)[0] == "9 pixels of a"


def test_reset_goes_back_and_draws_once(explorer, drawn):
    before = shown(explorer)
    explorer.controls["width_px"].value = 9
    explorer.controls["kind"].value = "b"
    drawn.clear()
    explorer.reset.click()
    assert shown(explorer) == before
    assert explorer.controls["kind"].index == 0  # what the browser shows
    assert drawn == [(3, "a")]
    explorer.controls["width_px"].value = 5  # the controls are still watched
    assert drawn == [(3, "a"), (5, "a")]


def test_reset_mends_what_an_error_left(explorer):
    with pytest.raises(InputError):
        explorer.controls["width_px"].value = 7
    explorer.reset.click()
    assert shown(explorer)[0] == "3 pixels of a"


def test_labels_carry_units(explorer):
    assert [control.description for control in explorer.controls.values()] == ["width [px]", "kind"]


def test_what_no_view_takes_is_refused():
    def view(*, width_px):
        raise AssertionError(width_px)

    for name in ("width_px", "depth"):
        with pytest.raises(
            InputError, match=f"expected an argument of the view that has a default, got {name}"
        ):
            explorers.sliders(view, **{name: (1, 2, 1)})


def test_any_other_error_is_named():
    def view(*, width_px=3):
        return plots.picture(plots.figure()[0], str(1 / (width_px - 5)))

    explorer = explorers.sliders(view, width_px=(1, 9, 2))
    with pytest.raises(ZeroDivisionError):
        explorer.controls["width_px"].value = 5
    assert "ZeroDivisionError: " in shown(explorer)[0]


def test_a_warning_is_shown_and_does_not_stop():
    def view(*, width_px=3):
        if width_px > 3:
            warnings.warn("rather <wide>", stacklevel=2)
        return plots.picture(plots.figure()[0], "drawn")

    explorer = explorers.sliders(view, width_px=(1, 9, 2))
    explorer.controls["width_px"].value = 5
    assert shown(explorer)[0] == "drawn<br>rather &lt;wide&gt;"


def test_controls_come_from_the_signature():
    controls = explorers.sliders(
        partial(views.thresholds, sm.load("phantom"), threshold=60)
    ).controls
    assert list(controls) == ["version", "threshold", "block_size", "opacity"]
    level = controls["threshold"]
    assert (level.min, level.max, level.step, level.value) == (0, 254, 1, 60)
    size = controls["block_size"]
    assert (size.min, size.max, size.step) == (3, 301, 2)
    assert size.value == sm.v4.__kwdefaults__["block_size"]
    labels = [control.description for control in controls.values()]
    assert labels == ["version", "threshold [grey level]", "block size [px]", "opacity"]
    assert controls["version"].options == ("v3", "v4")
    rule = explorers.sliders(partial(views.frame_rule, sm.load("phantom"))).controls["rule"]
    assert isinstance(rule, widgets.Checkbox)
    assert rule.value is True


@pytest.mark.parametrize(
    ("value", "offer"),
    [("c", ["a", "b"]), (None, (1, 3, 1)), ("2", (1, 3, 1)), (4, (1, 3, 1)), (None, ["a"])],
)
def test_a_start_that_a_control_cannot_show_is_refused(value, offer):
    with pytest.raises(InputError, match="width"):
        controls.control("width_px", value, offer)


def test_an_option_is_shown_where_the_version_has_it():
    controls = explorers.sliders(partial(views.stages, sm.load("phantom"))).controls
    for version in sm.VERSIONS:
        controls["version"].value = version
        options = explorers._VERSION_OPTIONS & set(controls)
        visible = {name for name in options if controls[name].layout.display is None}
        assert visible == set(sm.VERSIONS[version].__kwdefaults__ or {}) - {"spacing_mm"}


def test_an_option_of_a_version_s_own_gets_its_slider(monkeypatch):
    def newest(
        image, *, percentile: Annotated[int, errors.Range(1, 99, 2, "%")] = 60, spacing_mm=None
    ):
        raise AssertionError(image, percentile, spacing_mm)

    monkeypatch.setitem(versions.VERSIONS, "newest", newest)

    @views.with_options
    def view(*, opacity: views.Opacity = 0.65, **options):
        return plots.picture(plots.figure()[0], f"{opacity} {options['percentile']}")

    explorer = explorers.sliders(view)
    slider = explorer.controls["percentile"]
    assert (slider.min, slider.max, slider.step, slider.value) == (1, 99, 2, 60)
    assert slider.description == "percentile [%]"
    assert "spacing_mm" not in explorer.controls
    slider.value = 71
    assert shown(explorer)[0] == "0.65 71"
    with pytest.raises(TypeError, match="percentil"):
        view(percentil=3)


@pytest.fixture
def app():
    return apps.App()


def chosen(app):
    return app.explorers[app.question.value]


def upload(app, name, content):
    now = datetime.datetime.now(datetime.UTC)
    file = {
        "name": name,
        "type": "",
        "size": len(content),
        "content": memoryview(content),
        "last_modified": now,
    }
    app.upload.value = (file,)


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def bomb():
    """Give a picture of a few kilobytes that would take gigabytes."""
    stream = io.BytesIO()
    Image.new("1", (20_000, 9)).save(stream, "PNG")
    content = bytearray(stream.getvalue())
    content[20:24] = (20_000).to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return stream.getvalue()


def linked(explorer):
    """Decode the mask that the page offers; give it and the name of its file."""
    link = explorer._link.value
    [content] = re.findall(r'href="data:image/png;base64,([^"]+)"', link)
    [name] = re.findall(r'download="([^"]+)"', link)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), name


def is_visible_slider(control):
    is_slider = isinstance(control, widgets.IntSlider | widgets.FloatSlider)
    return is_slider and control.layout.display is None


def change(control):
    """Move a control to its next value; tell whether it could be moved."""
    if isinstance(control, widgets.Checkbox):
        control.value = not control.value
    elif isinstance(control, widgets.Dropdown):
        control.index = (control.index + 1) % len(control.options)
    elif control.layout.display is not None:
        return False
    elif control.value + control.step <= control.max:
        control.value += control.step
    else:
        control.value -= control.step
    return True


@pytest.mark.parametrize("question", apps.QUESTIONS)
def test_every_control_of_the_app_draws_and_the_page_says_what_the_library_computes(app, question):
    app.question.value = question
    explorer = chosen(app)
    for name, control in explorer.controls.items():
        before = (shown(explorer), explorer._call.value)
        if not change(control):
            continue
        assert (shown(explorer), explorer._call.value) != before, name
        names = {}
        exec(explorer._call.value, names)  # the Python that the page offers
        mask = names["mask"]
        png_mask, file = linked(explorer)
        np.testing.assert_array_equal(png_mask, 255 * mask)
        source = app.source.value
        index = app.slice_index.value
        truth = app._sources[source].data.truth[index]
        text, _ = shown(explorer)
        assert f"IoU {sm.iou(mask, truth):.4f}" in text
        assert file == f"{source.replace('-', '_')}_{index}_mask.png"


def test_only_the_chosen_question_redraws(app, monkeypatch):
    drawn = []
    for question, explorer in app.explorers.items():

        def recorded(question=question, view=explorer._view, **options):
            drawn.append(question)
            return view(**options)

        monkeypatch.setattr(explorer, "_view", recorded)
    app.slice_index.value = 1
    app.question.value = "v8 · Where does the path run?"
    app.slice_index.value = 3
    assert drawn == ["v1 · Which threshold?"] + 2 * ["v8 · Where does the path run?"]


def test_reset_keeps_the_data_and_the_slice(app):
    app.source.value = "phantom-cropped"
    app.slice_index.value = 3
    controls = chosen(app).controls
    controls["offset"].value = 12
    app.opacity.value = 0.2
    chosen(app).reset.click()
    assert (app.source.value, app.slice_index.value) == ("phantom-cropped", 3)
    assert (controls["offset"].value, app.opacity.value) == (0, 0.65)


def test_a_stage_slider_ends_at_the_last_stage(app):
    app.question.value = "Any version, stage by stage"
    controls = chosen(app).controls
    controls["stage"].value = 7
    controls["version"].value = "v1"
    assert (controls["stage"].value, controls["stage"].max) == (3, 3)
    assert "v1, stage 3 of 3, largest component" in shown(chosen(app))[0]


def test_an_own_file_is_opened_and_its_masks_are_the_library_s(app):
    images = np.stack([ring_head(axes_mm=(85, 70 + n))[0] for n in range(3)]).astype(np.float32)
    upload(app, "mine.npy", npy(images))
    assert app.source.value == "mine.npy"
    assert (app.slice_index.value, app.slice_index.max) == (1, 2)
    app.question.value = "v8 · Where does the path run?"
    np.testing.assert_array_equal(linked(chosen(app))[0], 255 * sm.v8(images[1]))
    assert chosen(app)._call.value == (
        "import skullmask_lib as sm\nimage = sm.load('mine.npy').images[1]\nmask = sm.v8(image)"
    )
    quality = sm.quality(images[1], sm.v8(images[1]))
    assert f"quality {quality:.2f}" in shown(chosen(app))[0]


def test_one_slice_needs_no_slice_slider(app):
    app.slice_index.value = 4
    upload(app, "one.png", png((255 * ring_head()[0]).astype(np.uint8)))
    assert app.slice_index.value == 0
    assert app.slice_index.layout.display == "none"
    app.source.value = "phantom"
    assert app.slice_index.layout.display is None


def test_a_volume_brings_its_spacing(app, tmp_path):
    volume = np.stack([ring_head()[0]] * 3, axis=2)
    nib.save(nib.Nifti1Image(volume, np.diag([1.0, 1.0, 5.0, 1.0])), tmp_path / "h.nii.gz")
    upload(app, "h.nii.gz", (tmp_path / "h.nii.gz").read_bytes())
    app.question.value = "v8 · Where does the path run?"
    assert "spacing_mm=(1.0, 1.0)" in chosen(app)._call.value


BAD = {
    "bomb.png": (bomb(), "bomb.png: "),
    "text.npy": (b"no array", "text.npy: not a readable .npy file"),
    "empty.png": (b"", "empty.png: the file is empty"),
    "notes.txt": (b"some", "notes.txt: expected a file that ends in .npy"),
    "colour.png": (
        png(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)),
        "colour.png: looks like colour",
    ),
    "objects.npy": (
        npy(np.array([{"a": 1}], dtype=object)),
        "objects.npy: not a readable .npy file",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_used_is_named_in_red_and_nothing_changes(app, name):
    before = (shown(chosen(app)), app.source.options)
    content, reason = BAD[name]
    upload(app, name, content)
    assert "color:#b00020" in app._message.value
    assert reason in app._message.value
    assert "/tmp" not in app._message.value
    assert (shown(chosen(app)), app.source.options) == before


def test_what_is_remarked_while_a_file_is_read_is_shown_by_its_name(app, monkeypatch, folder):
    load = apps.datasets.load

    def loud(source, **options):
        if "mine" in str(source):
            warnings.warn(f"{source}: lossy <b>", stacklevel=2)
        return load(source, **options)

    monkeypatch.setattr(apps.datasets, "load", loud)
    upload(app, "mine.npy", npy(np.stack([ring_head()[0]] * 2)))
    assert app._message.value.endswith("<br>mine.npy: lossy &lt;b&gt;")
    assert app.source.value == "mine.npy"
    np.save(folder / "mine.npy", ring_head()[0])
    assert apps.App("mine.npy")._message.value == "mine.npy: lossy &lt;b&gt;"


def test_a_slice_of_unknown_truth_says_so(folder):  # noqa: ARG001
    image, truth = ring_head()
    np.save("mine.npy", np.stack([image] * 3))
    np.save("truth.npy", np.stack([truth, 0 * truth, truth]))
    app = apps.App("mine.npy", truth="truth.npy")
    text, _ = shown(chosen(app))
    assert "unknown" in text
    assert "IoU" not in text
    app.slice_index.value = 0
    assert f"IoU {sm.iou(sm.v1(image), truth):.4f}" in shown(chosen(app))[0]


def test_what_the_command_line_refuses_is_refused_alike(app, skullmask, folder):
    (folder / "a.npy").write_bytes(npy(np.zeros((2, 2, 2, 2))))
    code, _, [line] = skullmask("mask", "a.npy", "-o", "m.npy")
    upload(app, "a.npy", (folder / "a.npy").read_bytes())
    assert code == 2
    assert line == f"skullmask: {re.sub('<[^>]*>', '', app._message.value)}"


def test_a_colour_file_opens_by_its_channel(app):
    gray = (255 * ring_head()[0]).astype(np.uint8)
    app.channel.value = 1
    upload(app, "c.png", png(np.stack([0 * gray, gray, 0 * gray], axis=2)))
    assert "c.png: slices: 1, each 220 × 190 px" in app._message.value
    assert "channel=1" in chosen(app)._call.value


def test_a_file_that_is_too_large_is_told_where_to_go(app, monkeypatch):
    monkeypatch.setattr(apps, "UPLOAD_LIMIT_MB", 1)
    upload(app, "large.npy", npy(np.zeros((3, 400, 400), np.float32)))
    assert (
        "large.npy: expected up to 1 MB, got 2 MB; open it with: skullmask explore large.npy"
        in app._message.value
    )


def test_an_upload_of_slices_that_are_too_large_is_told(app, monkeypatch):
    monkeypatch.setattr(errors, "LARGEST_SLICE_PX", 2**17)
    upload(app, "large.npy", npy(np.zeros((1, 400, 400), np.uint8)))
    assert "large.npy: expected slices of at most 131072 px" in app._message.value
    assert app.source.value == "phantom"


@pytest.mark.parametrize("place", ["load", "read_npz", "view"])
def test_an_upload_that_does_not_fit_in_memory_is_told(app, monkeypatch, place):
    def fail(*_, **__):
        raise MemoryError

    stream = io.BytesIO()
    np.savez(stream, images=ring_head()[0])
    if place == "load":
        monkeypatch.setattr(apps.datasets, "load", fail)
    elif place == "read_npz":
        monkeypatch.setattr(arrays, "read_npz", fail)
    else:
        monkeypatch.setattr(chosen(app), "_view", fail)
    upload(app, "large.npz", stream.getvalue())
    assert "large.npz: does not fit in memory" in app._message.value
    assert "color:#b00020" in app._message.value


@pytest.mark.parametrize("name", ["<b>x<i>.npy", "a$\\foo$.npy", "run:3 é.npy"])
def test_a_name_is_shown_as_it_is(app, name):
    upload(app, name, npy(np.stack([ring_head()[0]] * 2)))
    app.question.value = "v2 · Where does the flood arrive?"
    assert app.source.value == name
    for text in (app._message.value, shown(chosen(app))[0]):
        assert html.escape(name) in text
        assert "<b>x" not in text


@pytest.mark.parametrize("name", ["..", "", "a\0b.npy", 300 * "n" + ".npy"])
def test_a_name_that_no_file_can_have_is_refused(app, name):
    upload(app, name, npy(np.zeros((9, 9))))
    assert "color:#b00020" in app._message.value
    assert app.source.value == "phantom"


def test_the_same_name_again_is_opened_again(app):
    upload(app, "mine.npy", npy(np.stack([ring_head()[0]] * 12)))
    assert (app.slice_index.value, app.slice_index.max) == (6, 11)
    app.source.value = "phantom"
    upload(app, "mine.npy", npy(np.stack([ring_head()[0]] * 3)))
    assert (app.source.value, app.slice_index.value, app.slice_index.max) == ("mine.npy", 1, 2)


def test_after_an_error_nothing_of_the_slice_before_is_left(app):
    images = np.stack([ring_head()[0]] * 4)
    images[3, 110, 95] = np.nan
    upload(app, "mine.npy", npy(images))
    explorer = chosen(app)
    with pytest.raises(InputError, match=r"mine.npy\[3\]: expected finite values"):
        app.slice_index.value = 3
    assert explorer.stage.children == (explorer._text,)
    assert repr(app).endswith("no picture")
    assert "image/png" not in app._repr_mimebundle_()[0]
    app.slice_index.value = 2
    assert len(explorer.stage.children) == 4


def test_a_file_whose_first_picture_fails_can_still_be_looked_at(folder):  # noqa: ARG001
    images = np.stack([ring_head()[0]] * 3)
    images[1, 110, 95] = np.nan
    np.save("mine.npy", images)
    app = apps.App("mine.npy")
    assert "mine.npy[1]: expected finite values" in shown(chosen(app))[0]
    app.slice_index.value = 2
    assert "quality" in shown(chosen(app))[0]


def test_a_truth_brings_the_scores(folder):  # noqa: ARG001
    image, truth = ring_head()
    np.save("mine.npy", image)
    np.save("truth.npy", truth)
    app = apps.App("mine.npy", truth="truth.npy")
    assert f"IoU {sm.iou(sm.v1(image), truth):.4f}" in shown(chosen(app))[0]


def test_a_truth_of_the_phantom_is_not_passed_over(folder):  # noqa: ARG001
    data = sm.load("phantom")
    np.save("truth.npy", data.brain)
    text, _ = shown(chosen(apps.App("phantom", truth="truth.npy")))
    assert f"IoU {sm.iou(sm.v1(data.images[2]), data.brain[2]):.4f}" in text


def test_a_default_out_of_range_is_refused():
    def view(*, width_px=70):
        raise AssertionError(width_px)

    with pytest.raises(InputError, match="expected a width from 1 to 9, got 70"):
        explorers.sliders(view, width_px=(1, 9, 2))


def test_a_broken_ending_leaves_the_explorer_alive(explorer):
    with pytest.raises(ZeroDivisionError), explorer.still():
        raise ZeroDivisionError
    explorer.controls["width_px"].value = 5
    assert shown(explorer)[0] == "5 pixels of a"


def test_a_slice_that_no_version_takes_is_refused_by_its_name(app):
    with pytest.raises(InputError, match=r"nan.npy\[0\]: expected finite values"):
        upload(app, "nan.npy", npy(np.full((1, 9, 9), np.nan)))
    text, _ = shown(chosen(app))
    assert "nan.npy[0]: expected finite values, got 81 that are NaN or infinite" in text
    app.source.value = "phantom"
    assert "IoU" in shown(chosen(app))[0]


@pytest.mark.full
def test_fifty_quick_moves_leave_memory_and_widgets_where_they_were(app):
    def moves(count):
        for question in apps.QUESTIONS:
            app.question.value = question
            sliders = [*filter(is_visible_slider, chosen(app).controls.values())]
            for n in range(count):
                slider = sliders[n % len(sliders)]
                slider.value = slider.min if slider.value > slider.min else slider.min + slider.step
        gc.collect()
        return tracemalloc.get_traced_memory()[0], len(widgets.widget._instances)

    tracemalloc.start()
    try:
        moves(7)  # fills what is kept of each slice
        before, count = moves(7)
        after, count_after = moves(7)
    finally:
        tracemalloc.stop()
    assert count_after == count
    assert after - before < 1e6  # the picture of one explorer takes more


def test_the_app_begins_in_the_middle_of_a_file(folder):
    np.save("mine.npy", np.stack([ring_head()[0]] * 7))
    path = str(folder / "mine.npy")
    app = apps.App(path)
    assert (app.source.value, app.slice_index.value, app.slice_index.max) == ("mine.npy", 3, 6)
    _, load, *_ = chosen(app)._call.value.splitlines()
    assert load == f"image = sm.load({path!r}).images[3]"


def test_the_app_tells_a_bad_source():
    with pytest.raises(InputError, match=r"missing.npy: no such file"):
        apps.App("missing.npy")


def test_a_stored_app_shows_a_picture_without_a_kernel(app):
    data, metadata = app._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "image/png", "text/plain"}
    assert data["text/plain"].startswith("Explorer(source='phantom', slice_index=2, offset=0")
    assert metadata["image/png"]["alt"] in data["text/plain"]
