"""The table of real heads: whole, what README and docs show, and what the program computes where the heads are."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pages
import pytest
from oldest import release
from pages import table_of

import skullmask_lib as sm
from skullmask_lib import polar
from skullmask_lib.sweeps import phantom_ladder

HOUSE = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("real_heads", HOUSE / "benchmarks" / "real_heads.py")
real_heads = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real_heads)

WEIGHTS = [
    "MIN_SCALP_MM",
    "_AIR_SHARE",
    "_BEND_COST",
    "_BONE_WINDOW_MM",
    "_BRAIN_WEIGHT",
    "_BRAIN_WINDOW_MM",
    "_BRIGHTEST",
    "_CLOSING_MM",
    "_DARKEST",
    "_DARKNESS_WEIGHT",
    "_DEPTH_COST_PER_MM",
    "_FRAME_COST",
    "_SURFACE_WINDOW_MM",
    "_THICKNESS_COST_PER_MM",
    "_THIN_SCALP_COST",
]
METHODS = [*sm.VERSIONS, real_heads.WIDE, real_heads.ERODED, real_heads.DILATED]


@pytest.fixture(scope="module")
def rows():
    with open(real_heads.TABLE, newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


@pytest.fixture(scope="module")
def heads(real):
    return {file.stem: sm.load(file) for file in sorted((real / "slices").glob("*.npz"))}


def test_the_table_is_whole(rows):
    assert all(tuple(row) == real_heads.HEADER for row in rows)
    by_head = {}
    for row in rows:
        by_head.setdefault(row["head"], []).append(row["method"])
        assert row["sequence"] == real_heads.sequence_of(row["head"])
        assert release(row["version"]) <= release(sm.__version__)
        assert 0 <= float(row["iou_min"]) <= float(row["iou"]) <= 1
    assert all(methods == [m for m in METHODS if m in methods] for methods in by_head.values())
    measured = [
        method for method in METHODS if any(method in methods for methods in by_head.values())
    ]
    assert all(set(measured) - set(methods) <= {real_heads.DILATED} for methods in by_head.values())
    unmeasured = [method for method in METHODS if method not in measured]
    assert (
        unmeasured == list(sm.VERSIONS)[len(sm.VERSIONS) - len(unmeasured) :]
    )  # versions that are new
    assert "v8" in measured


def test_the_docs_show_the_means(rows):
    header = real_heads.MEANS_HEADER
    shown = table_of(pages.text_of(pages.RESULTS), header)
    wanted = real_heads.tables.markdown(real_heads.means(rows), header).data
    assert shown == table_of(wanted, header)


def test_the_readme_shows_v7_and_v8(rows):
    header = ("version", "phantom", "real and simulated heads", "their worst slice")
    shown = table_of(pages.text_of(pages.README), header)
    on_phantom = {version: iou for version, _, iou, *_ in phantom_ladder()}
    on_heads = {method: (iou, worst) for method, _, iou, _, worst, *_ in real_heads.means(rows)}
    assert [row[0].partition(",")[0] for row in shown] == ["v7", "v8"]
    for name, *cells in shown:
        version = name.partition(",")[0]
        assert cells == [f"{iou:.4f}" for iou in (on_phantom[version], *on_heads[version])]


def test_the_docs_count_the_heads(rows):
    heads = {row["head"] for row in rows}
    simulated = {head for head in heads if head.startswith(("brainweb", "sim"))}
    people = {head.partition("_")[0] for head in heads - simulated}
    assert (len(heads), len(heads - simulated), len(people), len(simulated)) == (12, 6, 3, 6)
    assert {row["slices"] for row in rows} == {"5"}
    for page in (pages.README, pages.RESULTS):
        text = pages.unwrapped(page)
        assert "twelve sets of five slices" in text
        assert "six scans of three people and six simulated images" in text


def test_the_docs_say_how_wide_v7_is(rows):
    [width_mm] = {float(row["constant_mm"]) for row in rows if row["method"] == real_heads.WIDE}
    assert f"26 px of 0.42 mm are {width_mm:g} mm" in pages.unwrapped(pages.RESULTS)


@pytest.mark.full
@pytest.mark.filterwarnings("ignore:.*the mask is empty")
def test_the_program_computes_the_table(rows, heads):
    assert list(dict.fromkeys(row["head"] for row in rows)) == list(heads)
    for row in rows:
        data, method = heads[row["head"]], row["method"]
        made = real_heads.masks_of(method, data, float(row["constant_mm"] or 0))
        for key, value in real_heads.summary(made, data).items():
            assert float(row[key]) == pytest.approx(value, rel=2e-3, abs=5e-4), (
                row["head"],
                method,
                key,
            )
        assert int(row["at_edge"]) == real_heads.at_edge(data)


@pytest.mark.full
def test_the_constants_are_the_best(rows, heads):
    for row in rows:
        if row["method"] == real_heads.DILATED and row["head"] in ("brainweb", "oms01"):
            assert float(row["constant_mm"]) == real_heads.best_constant(
                real_heads.dilated, [heads[row["head"]]]
            )
    [erosion_mm] = {float(row["constant_mm"]) for row in rows if row["method"] == real_heads.ERODED}
    around = erosion_mm + np.array([-0.5, 0, 0.5])
    assert real_heads.best_constant(real_heads.eroded, list(heads.values()), around) == erosion_mm


@pytest.mark.full
def test_no_weight_of_v8_decides(heads, monkeypatch):
    """Half or one and a half of any weight moves the mean IoU by less than 0.01."""
    slices = [(d.images[k], d.truth[k], d.spacing_mm[k]) for d in heads.values() for k in (0, 3)]

    def mean_iou():
        return np.mean([sm.iou(sm.v8(image, spacing_mm=mm), truth) for image, truth, mm in slices])

    as_it_is = mean_iou()
    for name in WEIGHTS:
        for factor in (0.5, 1.5):
            monkeypatch.setattr(polar, name, factor * getattr(polar, name))
            assert mean_iou() == pytest.approx(as_it_is, abs=0.01), (name, factor)
            monkeypatch.undo()
    least, usual, greatest = polar.SKULL_MM
    for usual_mm in (0.5 * usual, 1.5 * usual):
        monkeypatch.setattr(polar, "SKULL_MM", (least, usual_mm, greatest))
        assert mean_iou() == pytest.approx(as_it_is, abs=0.01), usual_mm
