"""The tables of results that are committed, as the tests read them.

A row is a dict of the texts of its cells by the names of their columns, as the CSV file holds them.
"""

import pages
from scripts import numbers, select  # noqa: F401  # the tests take them from here
from scripts import read as rows_of

DATA = pages.HOUSE / "data"
# The columns of every table of a benchmark: one measurement in a row
MEASUREMENT_HEADER = ("what", "value", "unit", "note")


def column(rows, name):
    """List the texts of a column."""
    return [row[name] for row in rows]


def distinct(rows, name):
    """List what a column holds, each text once, in the order of the rows."""
    return list(dict.fromkeys(column(rows, name)))


def names_of_real_heads():
    """List the sets of real heads in the order of their table."""
    return distinct(rows_of(DATA / "real_heads.csv"), "head")


def by_first_cell(summary, header):
    """Look up the rows of a summary by their first cell; each is a dict of its cells by column."""
    return {row[0]: dict(zip(header, row, strict=True)) for row in summary}


def measurements_of(path):
    """Read the rows of a benchmark's table, and check that it has the columns of one."""
    rows = rows_of(path)
    for row in rows:
        assert tuple(row) == MEASUREMENT_HEADER
    return rows


def measured_values(rows):
    """Look up the values of a benchmark's table by what was measured."""
    return {row["what"]: row["value"] for row in rows}


def cells_of(rows):
    """List the cells of every row, as `pages.table_of` lists those of a page."""
    return [list(row.values()) for row in rows]
