"""The page that compares the runs of a grid: a table of mean scores to sort, and a chart.

Scores of finished reports are read and ``index.html`` is written here; nothing is run. The frame
of the page is in ``grid.html``.
"""

import base64
import hashlib
import itertools
import math
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

from .. import metrics, plots, texts
from ..io import outputs
from . import report

_COMPARED = (  # columns of ``scores.csv``, the most telling first
    "iou",
    "hd95_mm",
    "hd95_px",
    "assd_mm",
    "assd_px",
    "quality",
    "area_mm2",
    "area_px",
)
_LINE_STYLES = ("-", "--", ":", "-.")
_NAME_LIMIT = 80  # characters


def run_name(choice: Mapping[str, object]) -> str:
    """Name a run, and its folder, by the parameters that were chosen for it.

    Parameters
    ----------
    choice : mapping of str to object

    Returns
    -------
    str
        Safe as the name of a folder. A hash tells apart what would become the same name, or the
        name of what a failed run leaves.

    Examples
    --------
    >>> run_name({"dilation_size": 26, "version": "v7"})
    'dilation_size=26,version=v7'
    >>> run_name({"title": "a b"})
    'title=a_b_d7c6d0'
    >>> run_name({"title": "a_failed"})
    'title=a_failed_5625dc'
    """
    parts = []
    for parameter, value in choice.items():
        parts.append(f"{parameter}={_shown(value)}")
    name = ",".join(parts)
    safe = re.sub(r"[^\w.=+,-]", "_", name)[:_NAME_LIMIT]
    if safe == name and not name.endswith("_failed"):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{safe}_{digest[:6]}"


def _shown(value: object) -> object:
    """Return a number as it is, and anything else as text."""
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, list):
        return "+".join(map(str, value))
    return str(value)


def write(
    folder: Path,
    runs: Mapping[str, Mapping[str, object]],
    recorded: Mapping[str, dict],
    title: str,
) -> None:
    """Write the page that compares the runs of a grid.

    Parameters
    ----------
    folder : Path
        Holds a report for each run; receives ``index.html``.
    runs : mapping of str to mapping of str to object
        Name of a run to the parameters that were chosen for it.
    recorded : mapping of str to dict
        Name of a run to its last record: ``state``, ``inputs`` and maybe ``error``.
    title : str
        Empty to name the inputs.

    Examples
    --------
    >>> import tempfile
    >>> recorded = {"width=1": {"state": "failed", "error": "too narrow", "inputs": {}}}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder), {"width=1": {"width": 1}}, recorded, "Widths")
    ...     "too narrow" in Path(folder, "index.html").read_text(encoding="utf-8")
    True
    """
    means = {}
    for name in runs:
        if recorded[name]["state"] == "done":
            means[name] = _means(report.scores(folder / name))
    scored = set().union(*means.values())
    columns = [column for column in _COMPARED if column in scored]
    rows = []
    for name, choice in runs.items():
        mean = means.get(name, {})
        scores = [mean.get(column, math.nan) for column in columns]
        rows.append(_row(folder, name, choice, recorded[name], scores))
    first = next(iter(runs))
    picture = None
    if columns:
        picture = chart(runs, means, columns[0])
    page = _rendered(
        rows,
        names=_input_names(recorded[first]),
        columns=["run", *runs[first], *map("mean {}".format, columns), "state"],
        title=texts.plain(title),
        picture=picture,
    )
    with outputs.replacing(folder / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def _row(
    folder: Path,
    name: str,
    choice: Mapping[str, object],
    record: dict,
    scores: Sequence[float],
) -> dict[str, object]:
    """Collect one row of the table, and where the page of its report is."""
    state = record["state"]
    page = Path(name, "report.html")
    if state == "failed":
        page = Path(f"{name}_failed", "report.html")
    cells = [*map(_cell, choice.values()), *scores]
    cells.append(texts.plain(record.get("error", state)))
    return {
        "name": name,
        "state": state,
        "page": page if (folder / page).exists() else None,
        "cells": cells,
    }


def _cell(value: object) -> object:
    """Return a number as it is, and anything else as text that is harmless in a page."""
    shown = _shown(value)
    if isinstance(shown, str):
        return texts.plain(shown)
    return shown


def _input_names(record: dict) -> str:
    names = [source["name"] for source in record["inputs"].values()]
    return texts.plain(", ".join(names))


def _rendered(
    rows: Sequence[Mapping[str, object]],
    *,
    names: str,
    columns: Sequence[str],
    title: str,
    picture: plots.Picture | None,
) -> str:
    """Fill ``grid.html``."""
    failures = sum(row["state"] == "failed" for row in rows)
    summary = (
        f"{names}: {len(rows)} reports, {failures} failed. "
        "Scores are means over the slices whose truth is known."
    )
    if any(math.inf in row["cells"] for row in rows):
        summary += " A mean distance is infinite where a mask is empty."
    png = None
    if picture:
        png = base64.b64encode(picture.png).decode()
    templates = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(autoescape=True, loader=templates)
    return environment.get_template("grid.html").render(
        title=title or f"{names}: reports compared",
        summary=summary,
        columns=columns,
        rows=rows,
        chart=picture,
        png=png,
        nonce=secrets.token_urlsafe(),
    )


def _means(rows: Sequence[dict]) -> dict[str, float]:
    """Average the columns of ``scores.csv`` that are compared, without those that hold no value."""
    compared = []
    for row in rows:
        compared.append({column: row[column] for column in _COMPARED if column in row})
    means = metrics.mean_scores(compared)
    return {column: mean for column, mean in means.items() if not math.isnan(mean)}


def chart(
    runs: Mapping[str, Mapping[str, object]],
    means: Mapping[str, Mapping[str, float]],
    column: str,
) -> plots.Picture:
    """Draw a score against the parameter with most values, one line for each choice of the others.

    Parameters
    ----------
    runs : mapping of str to mapping of str to object
        See `write`.
    means : mapping of str to mapping of str to float
        Name of a run to its mean scores.
    column : str
        The score to draw.

    Returns
    -------
    Picture

    Examples
    --------
    >>> runs = {"a": {"width": 1}, "b": {"width": 2}}
    >>> chart(runs, {"a": {"iou": 0.5}, "b": {"iou": 0.75}}, "iou").alt
    'Mean iou of every run: a 0.5000, b 0.7500.'
    """
    across = _most_varied(runs)
    lines: dict[str, list[tuple]] = {}
    for name, choice in runs.items():
        others = dict(choice)
        place = _shown(others.pop(across))
        score = means.get(name, {}).get(column, math.nan)
        lines.setdefault(run_name(others), []).append((place, score))

    fig, (axes,) = plots.figure(width=11, height=3.8)
    with plots.look():
        for (others, points), style in zip(lines.items(), itertools.cycle(_LINE_STYLES)):
            if _are_numbers([place for place, _ in points]):
                points.sort()
            else:
                style = ""  # no line between categories
            places, scores = zip(*points, strict=True)
            axes.plot(places, scores, linestyle=style, marker="o", label=others)
        axes.set(xlabel=across, ylabel=f"mean {column}")
        if any(lines):
            axes.legend()
    spoken = []
    for name, mean in means.items():
        if column in mean:
            spoken.append(f"{name} {mean[column]:.4f}")
    return plots.picture(fig, f"Mean {column} of every run: {', '.join(spoken)}.")


def _most_varied(runs: Mapping[str, Mapping[str, object]]) -> str:
    """Find the parameter with most values."""
    values: dict[str, set[str]] = {}
    for choice in runs.values():
        for parameter, value in choice.items():
            values.setdefault(parameter, set()).add(str(value))
    return max(values, key=lambda parameter: len(values[parameter]))


def _are_numbers(values: Sequence[object]) -> bool:
    return all(isinstance(value, (int, float)) for value in values)
