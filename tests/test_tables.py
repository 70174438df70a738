"""Tables of results: how numbers are rounded, and on which side a column is aligned."""

import numpy as np
import pytest
from markdown_it import MarkdownIt

from skullmask_lib import tables


def cells(rows, header):
    """Give the rule below the header and the cells of every row."""
    _, *lines = tables.text(rows, header).splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("change", -0.00004, "0.0000"),
        ("change", -0.0, "0.0000"),
        ("change", -0.00006, "-0.0001"),
        ("outwards [mm]", -0.004, "0.00"),
        ("gaps [mm], finest axis", 4.0, "4.00"),
        ("hd95_px", 1.5, "1.50"),
        ("published HD95_mm", 1.5, "1.5"),
        ("IoU at 26 px", 1.5, "1.5000"),
        ("IoU", float("nan"), "–"),
        ("slices", 5, "5"),
        ("IoU", np.float32(0.12345), "0.1235"),
        ("IoU", np.float32("nan"), "–"),
    ],
)
def test_a_number_is_rounded_as_its_column_asks(name, value, shown):
    assert cells([(value,)], [name])[1] == [shown]


@pytest.mark.parametrize(
    ("column", "is_right"),
    [
        ([0.5, "none"], True),
        (["0.5", "-1,234.5", "−3", "26"], True),
        (["–", "16", ""], True),
        (["16", "none"], False),
        (["–", ""], False),
        (["0:9", "3"], False),
        (["v7"], False),
        ([], False),
    ],
)
def test_columns_of_numbers_are_aligned_on_the_right(column, is_right):
    [[rule], *_] = cells([(value,) for value in column], ["name"])
    assert rule.endswith(":") == is_right
    assert rule.startswith(":") != is_right


@pytest.mark.parametrize("value", ["a", 1])
def test_a_column_of_one_character_is_a_table_all_the_same(value):
    page = MarkdownIt("commonmark").enable("table").render(tables.text([(value,)], ["n"]))
    assert page.startswith("<table>")
