"""Check the page for teachers.

Its minutes, plans, quiz and measurements are those of the lessons and of the tables of results.
"""

import importlib.util
import io
import re
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pacing
import pages
import pytest
from PIL import Image
from result_tables import (
    DATA,
    MEASUREMENT_HEADER,
    cells_of,
    column,
    measured_values,
    measurements_of,
    numbers,
    rows_of,
    select,
)

import skullmask_lib as sm
from skullmask_lib import masks, polar

PAGE = pages.HOUSE / "docs" / "teaching.md"
specification = importlib.util.spec_from_file_location(
    "slides", pages.HOUSE / "figures" / "slides.py"
)
slides = importlib.util.module_from_spec(specification)
specification.loader.exec_module(slides)


def test_the_tables_are_counted_from_the_lessons():
    text = pages.text_of(PAGE)
    written = pacing.tables()
    assert set(re.findall(r"<!-- pacing: (.+?) -->", text)) == set(written)
    for name, table in written.items():
        marked = f"<!-- pacing: {name} -->\n\n{table}\n\n<!-- end -->"
        assert marked in text, "run python tests/pacing.py"


def test_plans_fit_their_time_and_name_sections_that_there_are():
    assert 70 <= pacing.plan_minutes("90 minutes") <= 90
    assert 150 <= pacing.plan_minutes("half a day") <= 210
    for day in pacing.WEEK:
        assert pacing.day_minutes(day) <= 160
    for plan in pacing.PLANS.values():
        for number, *chosen in plan:
            [lesson] = [path for path in pacing.LESSONS if path.name.startswith(number)]
            assert set(chosen) <= set(pacing.sections(lesson)), (number, chosen)


@pytest.fixture
def measured_class():
    """Give the measurements of a class that works on one computer."""
    return measurements_of(DATA / "class.csv")


def test_a_class_was_measured_and_is_shown(measured_class):
    shown = pages.table_of(pages.text_of(PAGE), MEASUREMENT_HEADER)
    assert shown == cells_of(measured_class)
    values = measured_values(measured_class)
    assert int(values["kernels"]) == 30
    assert float(values["memory of one kernel"]) < 400
    assert float(values["a move"]) < 1000  # even on a busy machine


@pytest.mark.full
def test_the_program_measures_a_class(measured_class, tmp_path):
    program = pages.HOUSE / "benchmarks" / "bench_class.py"
    output = tmp_path / "class.csv"
    command = [sys.executable, program, "--kernels", "2", "--moves", "1", "-o", output]
    subprocess.run(command, check=True, capture_output=True)
    written = measurements_of(output)
    assert column(written, "what") == column(measured_class, "what")
    assert column(written, "unit") == column(measured_class, "unit")


# --- the quiz ------------------------------------------------------------------------------------


def mean_iou(rows):
    return float(np.mean(numbers(rows, "iou")))


def mean_iou_on_phantom(made):
    """Score masks of the phantom's slices."""
    truth = sm.load("phantom").truth
    return np.mean(list(map(sm.iou, made, truth)))


def phantom_scores():
    """Score v1, v5 and v7 on the phantom, and v1 with its holes filled."""
    images = sm.load("phantom").images
    scores = {}
    for version in ("v1", "v5", "v7"):
        made = sm.mask_slices(images, version=version)
        scores[version] = mean_iou_on_phantom(made)
    filled = map(masks.fill_holes, sm.mask_slices(images, version="v1"))
    scores["v1, filled"] = mean_iou_on_phantom(filled)
    return scores


def mean_iou_when_degraded(method):
    """Average a method over all degradations of the real heads."""
    of_method = select(rows_of(DATA / "real_degraded.csv"), method=method)
    degraded = [row for row in of_method if row["treatment"] != "none"]
    return mean_iou(degraded)


def percent_of_bad_masks_trusted():
    """Count how many of the bad masks of v8 have a quality above the limit."""
    is_trusted = []
    for row in rows_of(DATA / "real_quality.csv"):
        is_of_v8 = row["group"] in ("as it is", "degraded", "marrow")
        is_bad = 0 < float(row["iou"]) < 0.93
        if is_of_v8 and is_bad:
            is_trusted.append(float(row["quality"]) >= polar.TRUSTED)
    return 100 * np.mean(is_trusted)


def numbers_of_the_quiz():
    """Compute the numbers of the quiz, as the page writes them, by question."""
    published = sm.published()
    assert published["edge_components_per_slice"] == 0
    spacing_mm = sm.load("phantom").spacing_mm
    width_mm = published["kernel_width_px"] * spacing_mm[0, 0]
    on_phantom = phantom_scores()
    heads = rows_of(DATA / "real_heads.csv")
    v7_in_mm = select(heads, method="v7, width in mm")
    eroded = select(heads, method="filled head, eroded")
    v8 = select(heads, method="v8")
    weights = rows_of(DATA / "real_weights.csv")
    usual = select(weights, term="nothing")
    without_inner_path = select(weights, term="the inner path")
    return {
        1: [f"{2 * 0.95 / 1.95:.3f}"],
        2: ["On none"],
        3: [f"{published['kernel_width_px']:g} px", f"{width_mm:.2f} mm"],
        4: [f"{on_phantom['v1']:.2f}", f"{on_phantom['v1, filled']:.2f}"],
        5: [f"{on_phantom['v5']:.3f}", f"{on_phantom['v7']:.3f}"],
        6: [f"{mean_iou(v7_in_mm):.3f}", f"{mean_iou(eroded):.3f}"],
        7: [f"{mean_iou(v8):.3f}"],
        8: [
            f"{mean_iou(without_inner_path):.3f}",
            f"from {min(numbers(usual, 'iou_min')):.3f}",
            f"to {min(numbers(without_inner_path, 'iou_min')):.3f}",
        ],
        9: [
            f"v8 scores {mean_iou_when_degraded('v8'):.3f}",
            f"a network, {mean_iou_when_degraded('v9'):.3f}",
        ],
        10: [f"below {polar.TRUSTED:g}", f"{percent_of_bad_masks_trusted():.1f} %"],
    }


def test_the_quiz_holds_the_numbers_of_the_tables():
    _, _, quiz = pages.text_of(PAGE).partition("## Ten questions")
    questions = re.split(r"^\d+\. ", quiz, flags=re.MULTILINE)[1:]
    assert len(questions) == 10
    for number, wanted in numbers_of_the_quiz().items():
        question = " ".join(questions[number - 1].split())
        assert re.search(r"\? \*.+\*$", question), "a question, and its answer"
        missing = [text for text in wanted if text not in question]
        assert missing == [], number


# --- the slides ----------------------------------------------------------------------------------


def test_the_slides_are_for_a_projector_small_and_on_the_page():
    targets = pages.links(PAGE)
    files = sorted(slides.FOLDER.glob("*.png"))
    assert [path.stem for path in files] == list(slides.SLIDES)
    assert sum(path.stat().st_size for path in files) < 1e6
    for path in files:
        with Image.open(path) as slide:
            assert slide.size == (1600, 900)
        assert f"../figures/slides/{path.name}" in targets


@pytest.mark.parametrize("draw", [slides.baselines, slides.network])
def test_no_setting_of_matplotlib_changes_a_slide(draw):
    settings = {"legend.frameon": True, "lines.linewidth": 9, "font.size": 30, "axes.grid": True}
    with mpl.rc_context(settings):
        pixels = draw().pixels
    np.testing.assert_array_equal(pixels, draw().pixels)


@pytest.mark.full
@pytest.mark.parametrize("name", slides.SLIDES)
def test_a_slide_shows_what_is_measured_now(name):
    stored = pixels_of(slides.FOLDER / f"{name}.png")
    drawn = pixels_of(io.BytesIO(slides.SLIDES[name]().png))
    assert abs(drawn - stored).mean() < 1  # fonts differ a little between versions of matplotlib


def pixels_of(file):
    """Read the pixels of a picture as floats."""
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"), float)
