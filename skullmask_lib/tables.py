"""Tables of results, as Markdown for a notebook and as text for a terminal.

Only the layout of rows lives here. What columns a table has is decided where its rows are made.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
from IPython.display import Markdown

from .texts import inert, plain

_LENGTH = re.compile(r"\[(mm|px)\]|_(mm|px)$")
_NUMBER = re.compile(r"[-−]?\d[\d,]*(\.\d+)?")
_MISSING = {"", "–"}


def markdown(
    rows: Sequence[Sequence[object]],
    header: Sequence[str],
) -> Markdown:
    """Lay out a table for a notebook; for a terminal see `text`.

    Parameters
    ----------
    rows : sequence of sequences
        Floats are rounded to four decimals and lengths to two; published figures stay as they are.
        NaN becomes a dash.
    header : sequence of str
        Names of lengths hold ``[mm]`` or ``[px]``, or end in ``_mm`` or ``_px``; names of published
        figures begin with ``published``.

    Returns
    -------
    Markdown

    Examples
    --------
    >>> print(markdown([("v1", 0.73456)], ["version", "IoU"]).data)
    | version | IoU    |
    | :------ | -----: |
    | v1      | 0.7346 |
    """
    return Markdown(_laid_out(rows, header, inert))


def text(
    rows: Sequence[Sequence[object]],
    header: Sequence[str],
) -> str:
    """Lay out a table for a terminal; its texts are made `plain`.

    Parameters
    ----------
    rows, header
        See `markdown`.

    Returns
    -------
    str

    Examples
    --------
    >>> print(text([("a&b", 0.5)], ["slice", "IoU"]))
    | slice | IoU    |
    | :---- | -----: |
    | a&b   | 0.5000 |
    """
    return _laid_out(rows, header, plain)


def _laid_out(
    rows: Sequence[Sequence[object]],
    header: Sequence[str],
    shown: Callable[[object], str],
) -> str:
    cells = []
    for row in rows:
        named = zip(row, header, strict=True)
        cells.append([_cell(value, name, shown) for value, name in named])
    widths = []
    for column in zip(header, *cells, strict=True):
        widths.append(max(2, *map(len, column)))  # a rule is a dash and a colon
    columns = zip(*rows, strict=True) if rows else [()] * len(header)
    rule = list(map(_rule, columns, widths))
    lines = []
    for line in (header, rule, *cells):
        padded = map(str.ljust, line, widths)
        lines.append(f"| {' | '.join(padded)} |")
    return "\n".join(lines)


def _rule(column: Sequence[object], width: int) -> str:
    """Draw the line below a name; its colon says on which side the column is aligned."""
    dashes = "-" * (width - 1)
    if _holds_numbers(column):
        return f"{dashes}:"
    return f":{dashes}"


def _holds_numbers(column: Sequence[object]) -> bool:
    """Check whether a column holds a number, or nothing but the texts of numbers."""
    if not all(isinstance(value, str) for value in column):
        return True
    texts = {str(value) for value in column} - _MISSING
    return bool(texts) and all(map(_NUMBER.fullmatch, texts))


def _cell(
    value: object,
    name: str,
    shown: Callable[[object], str],
) -> str:
    if not isinstance(value, float | np.floating):
        return shown(value)
    if np.isnan(value):
        return "–"
    if name.startswith("published"):
        return format(value, "g")
    if _LENGTH.search(name):
        return format(value, "z.2f")
    return format(value, "z.4f")
