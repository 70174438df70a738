"""Sliders without a browser: they redraw, say what went wrong, and go back to where they began."""

import pytest

from skullmask_lib import explore, plots
from skullmask_lib.masks import InputError


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

    return explore.sliders(view, width_px=(1, 9, 2), kind=["a", "b"])


def shown(explorer):
    """What the widgets hold: the text and the picture."""
    *_, text, image = explorer._box.children
    return text.value, image.value


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
    assert "InputError: no &lt;b&gt;seven&lt;/b&gt;" in text
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
        with pytest.raises(InputError, match=f"expected an argument of view that has a default, got {name}"):
            explore.sliders(view, **{name: (1, 2, 1)})
