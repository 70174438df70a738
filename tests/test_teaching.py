"""The page for teachers: its minutes, plans, quiz and measurements are those of lessons and tables."""

import csv
import importlib.util
import io
import re
import subprocess
import sys

import numpy as np
import pacing
import pages
import pytest
from PIL import Image

import skullmask_lib as sm
from skullmask_lib import masks, polar

PAGE = pages.HOUSE / "docs" / "teaching.md"
DATA = pages.HOUSE / "data"
specification = importlib.util.spec_from_file_location(
    "slides", pages.HOUSE / "figures" / "slides.py"
)
slides = importlib.util.module_from_spec(specification)
specification.loader.exec_module(slides)
CLASS_HEADER = ("what", "value", "unit", "note")


def rows_of(name):
    with open(DATA / name, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def mean_of(rows, key="iou"):
    return float(np.mean([float(row[key]) for row in rows]))


def test_the_tables_are_counted_from_the_lessons():
    text = pages.text_of(PAGE)
    written = pacing.tables()
    assert set(re.findall(r"<!-- pacing: (.+?) -->", text)) == set(written)
    for name, table in written.items():
        marked = f"<!-- pacing: {name} -->\n\n{table}\n\n<!-- end -->"
        assert marked in text, "run python tests/pacing.py"


def test_plans_fit_their_time_and_name_sections_that_there_are():
    minutes = {plan: pacing.plan_minutes(plan) for plan in pacing.PLANS}
    assert 70 <= minutes["90 minutes"] <= 90
    assert 150 <= minutes["half a day"] <= 210
    assert all(pacing.day_minutes(day) <= 160 for day in pacing.WEEK)
    for plan in pacing.PLANS.values():
        for number, *chosen in plan:
            [path] = [path for path in pacing.LESSONS if path.name.startswith(number)]
            assert set(chosen) <= set(pacing.sections(path)), (number, chosen)


def test_a_class_was_measured_and_is_shown():
    with open(DATA / "class.csv", newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert tuple(header) == CLASS_HEADER
    assert pages.table_of(pages.text_of(PAGE), CLASS_HEADER) == rows
    values = {what: value for what, value, *_ in rows}
    assert int(values["kernels"]) == 30
    assert float(values["memory of one kernel"]) < 400
    assert float(values["a move"]) < 1000  # even on a busy machine


@pytest.mark.full
def test_the_program_measures_a_class(tmp_path):
    program = pages.HOUSE / "benchmarks" / "bench_class.py"
    options = ["--kernels", "2", "--moves", "1", "-o", tmp_path / "class.csv"]
    subprocess.run([sys.executable, program, *options], check=True, capture_output=True)
    with open(tmp_path / "class.csv", newline="", encoding="utf-8") as file:
        made = [(row["what"], row["unit"]) for row in csv.DictReader(file)]
    assert made == [(row["what"], row["unit"]) for row in rows_of("class.csv")]


def numbers():
    """Compute the numbers of the quiz, as the page writes them, by question."""
    published = sm.published()
    heads = rows_of("real_heads.csv")
    weights = rows_of("real_weights.csv")
    degraded = rows_of("real_degraded.csv")
    phantom = sm.load("phantom")
    ladder = {}
    for version in ("v1", "v5", "v7"):
        made = sm.mask_slices(phantom.images, version=version)
        ladder[version] = np.mean(list(map(sm.iou, made, phantom.truth)))
    filled = map(masks.fill_holes, sm.mask_slices(phantom.images, version="v1"))
    ladder["v1, filled"] = np.mean(list(map(sm.iou, filled, phantom.truth)))
    width_mm = published["kernel_width_px"] * phantom.spacing_mm[0, 0]

    def of(rows, **wanted):
        return [row for row in rows if all(row[key] == value for key, value in wanted.items())]

    def spoilt(method):
        return mean_of([row for row in of(degraded, method=method) if row["treatment"] != "none"])

    without = of(weights, term="the inner path")
    usual = of(weights, term="nothing")
    return {
        1: [f"{2 * 0.95 / 1.95:.3f}"],
        2: [f"On {published['edge_components_per_slice']:g}"],
        3: [f"{published['kernel_width_px']:g} px", f"{width_mm:.2f} mm"],
        4: [f"{ladder['v1']:.2f}", f"{ladder['v1, filled']:.2f}"],
        5: [f"{ladder['v5']:.3f}", f"{ladder['v7']:.3f}"],
        6: [
            f"{mean_of(of(heads, method='v7, width in mm')):.3f}",
            f"{mean_of(of(heads, method='filled head, eroded')):.3f}",
        ],
        7: [f"{mean_of(of(heads, method='v8')):.3f}"],
        8: [
            f"{mean_of(without):.3f}",
            f"from {min(float(row['iou_min']) for row in usual):.3f}",
            f"to {min(float(row['iou_min']) for row in without):.3f}",
        ],
        9: [f"v8 scores {spoilt('v8'):.3f}", f"a network, {spoilt('v9'):.3f}"],
        10: [f"below {polar.TRUSTED:g}", f"{missed_percent():.1f} %"],
    }


def missed_percent():
    """Count how many of the bad masks of v8 have a quality above the limit."""
    groups = ("as it is", "degraded", "marrow")
    bad = []
    for row in rows_of("real_quality.csv"):
        if row["group"] in groups and 0 < float(row["iou"]) < 0.93:
            bad.append(float(row["quality"]) >= polar.TRUSTED)
    return 100 * np.mean(bad)


def test_the_slides_are_for_a_projector_small_and_on_the_page():
    files = sorted(slides.FOLDER.glob("*.png"))
    assert [path.stem for path in files] == list(slides.SLIDES)
    assert sum(path.stat().st_size for path in files) < 1e6
    for path in files:
        with Image.open(path) as slide:
            assert slide.size == (1600, 900)
        assert f"../figures/slides/{path.name}" in pages.targets(pages.text_of(PAGE))


@pytest.mark.full
@pytest.mark.parametrize("name", slides.SLIDES)
def test_a_slide_shows_what_is_measured_now(name):
    with Image.open(slides.FOLDER / f"{name}.png") as stored:
        pixels = np.asarray(stored.convert("RGB"), float)
    drawn = np.asarray(Image.open(io.BytesIO(slides.SLIDES[name]().png)).convert("RGB"), float)
    assert abs(drawn - pixels).mean() < 1  # fonts differ a little between versions of matplotlib


def test_the_quiz_holds_the_numbers_of_the_tables():
    _, _, quiz = pages.text_of(PAGE).partition("## Ten questions")
    questions = re.split(r"^\d+\. ", quiz, flags=re.MULTILINE)[1:]
    assert len(questions) == 10
    for number, wanted in numbers().items():
        question = " ".join(questions[number - 1].split())
        assert re.search(r"\? \*.+\*$", question), "a question, and its answer"
        assert [text for text in wanted if text not in question] == [], number
