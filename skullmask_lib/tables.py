"""Tables of results: as Markdown for a notebook, as text for a terminal."""

import re
from collections.abc import Callable, Sequence

import numpy as np
from IPython.display import Markdown

from .texts import inert, plain


def markdown(rows: Sequence[Sequence[object]], header: Sequence[str]) -> Markdown:
    """Set a table that a notebook shows; for a terminal see `text`.

    Parameters
    ----------
    rows : sequence of sequences
        Numbers that are not whole are rounded to four digits behind the point, lengths to two; published ones stay;
        for NaN stands a dash.
    header : sequence of str
        Lengths end in their unit, ``[mm]``, ``_mm``, ``[px]`` or ``_px``; published figures begin with ``published``.

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


def text(rows: Sequence[Sequence[object]], header: Sequence[str]) -> str:
    """Set a table for a terminal; its texts are made `plain`.

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


def _laid_out(rows: Sequence[Sequence[object]], header: Sequence[str], shown: Callable[[object], str]) -> str:
    cells = []
    for row in rows:
        pairs = zip(row, header, strict=True)
        cells.append([_number(cell, name) if isinstance(cell, float) else shown(cell) for cell, name in pairs])
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    first = rows[0] if rows else [""] * len(header)
    rule = []
    for width, cell in zip(widths, first, strict=True):
        dashes = "-" * (width - 1)
        rule.append(f":{dashes}" if isinstance(cell, str) else f"{dashes}:")
    lines = []
    for line in (header, rule, *cells):
        padded = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        lines.append(f"| {' | '.join(padded)} |")
    return "\n".join(lines)


def _number(value: float, name: str) -> str:
    if np.isnan(value):
        return "–"
    if name.startswith("published"):
        return format(value, "g")
    return format(value, ".2f" if re.search(r"(\[|_)(mm|px)\]?$", name) else ".4f")
