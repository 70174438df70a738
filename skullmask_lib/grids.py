"""One report for each combination of parameters, and the page that compares them."""

import base64
import csv
import itertools
import math
import re
import secrets
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import jinja2
import numpy as np

from . import datasets, journal, notebooks, plots, reports

_COMPARED = ("iou", "dice", "quality", "area_px", "area_mm2")  # columns of scores.csv


def grid(
    images: str | Path,
    folder: str | Path,
    values: dict[str, Sequence[object]],
    *,
    truth: str | Path | None = None,
    notebook: str | Path = "report",
    parameters: dict[str, object] | None = None,
    jobs: int = 1,
    progress: Callable[[], object] | None = None,
) -> list[str]:
    """Make a report for each combination of parameters, and an index that sorts and compares them.

    A run that is recorded as done, with these inputs, parameters and this version of the library, is not run again.

    Parameters
    ----------
    images, truth, notebook, parameters
        See `reports.report`.
    folder : str or path
        Made if missing. Takes ``index.html``, ``runs.jsonl`` and a folder for each run.
    values : dict of str to sequence
        Parameter to its values, see `notebooks.read_values`.
    jobs : int
        How many run at a time.
    progress : callable, optional
        Called when a run is over, or needs no run.

    Returns
    -------
    list of str
        The runs that failed; their pages show the error.

    Raises
    ------
    InputError
        If something cannot be used; nothing has run then.

    Examples
    --------
    >>> grid("phantom", "out", {"dilation_sise": [16]})
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: report.ipynb: no parameter dilation_sise; did you mean dilation_size?
    """
    notebook, folder = notebooks.find(notebook), Path(folder)
    inputs = {"images": str(images)} | ({"truth": str(truth)} if truth else {})
    combinations = [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]
    runs = {_name(chosen): (parameters or {}) | chosen for chosen in combinations}
    for given in runs.values():
        reports.prepare(notebook, inputs, given)
    if not folder.exists():
        with datasets.replacing(folder) as temporary:
            temporary.mkdir()
    record = folder / "runs.jsonl"
    hashes = {name: reports.sha256(source) for name, source in inputs.items()} | {"notebook": reports.sha256(notebook)}
    made_from = {
        name: {"skullmask": reports.library(), "sha256": hashes, "parameters": given} for name, given in runs.items()
    }
    known = journal.read(record)
    todo = [
        name
        for name in runs
        if known.get(name) != {"state": "done", **made_from[name]} or not (folder / name / "report.html").is_file()
    ]

    def run(name: str) -> dict[str, object]:
        try:
            reports.report(images, folder / name, truth=truth, notebook=notebook, parameters=runs[name])
        except Exception as error:  # whatever it is, it does not stop the others
            return {"state": "failed", "error": str(error).partition("; what ran is in ")[0] or repr(error)}
        return {"state": "done"}

    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(jobs) as pool:
        for name in todo:
            journal.append(record, name, {"state": "started"})
        for _ in range(len(runs) - len(todo) if progress else 0):
            progress()
        waiting = {pool.submit(run, name): name for name in todo}
        try:
            for over in as_completed(waiting):
                name = waiting[over]
                journal.append(record, name, over.result() | made_from[name])
                if progress:
                    progress()
        except BaseException:  # Ctrl-C among them
            pool.shutdown(wait=False, cancel_futures=True)
            reports.stop()
            raise
    known = journal.read(record)
    _write_index(folder, dict(zip(runs, combinations, strict=True)), known)
    return [name for name in runs if known[name]["state"] == "failed"]


def _name(chosen: dict[str, object]) -> str:
    """Name a run, and its folder, by its parameters."""
    return re.sub(r"[^\w.=+,-]", "_", ",".join(f"{name}={_shown(value)}" for name, value in chosen.items()))


def _shown(value: object) -> object:
    return (
        value
        if isinstance(value, (int, float))
        else "+".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    )


def _write_index(folder: Path, runs: dict[str, dict[str, object]], known: dict[str, dict]) -> None:
    """Write the page that compares the runs: what each was given, and the means of its scores."""
    means = {name: _means(folder / name / "scores.csv") for name in runs if known[name]["state"] == "done"}
    scores = [column for column in _COMPARED if any(column in mean for mean in means.values())]
    rows = []
    for name, chosen in runs.items():
        failed = known[name]["state"] == "failed"
        cells = [_shown(value) for value in chosen.values()]
        cells += [means.get(name, {}).get(column, math.nan) for column in scores]
        page = Path(name, f"{'failed_' * failed}report.html")
        state = known[name]["state"]
        rows.append(
            {
                "name": name,
                "state": state,
                "page": (folder / page).exists() and page,
                "cells": [*cells, known[name].get("error", state)],
            }
        )
    failures = sum(row["state"] == "failed" for row in rows)
    chart = _chart(runs, {name: mean[scores[0]] for name, mean in means.items()}, scores[0]) if scores else None
    environment = jinja2.Environment(autoescape=True, loader=jinja2.FileSystemLoader(Path(__file__).parent))
    page = environment.get_template("grid.html").render(
        title="Reports compared",
        summary=f"{len(rows)} runs, {failures} failed. Scores are means over the slices.",
        columns=["run", *next(iter(runs.values())), *(f"mean {column}" for column in scores), "state"],
        rows=rows,
        chart=chart,
        png=chart and base64.b64encode(chart.png).decode(),
        nonce=secrets.token_urlsafe(),
    )
    with datasets.replacing(folder / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def _means(table: Path) -> dict[str, float]:
    """Average the columns of ``scores.csv``."""
    if not table.is_file():
        return {}
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {column: float(np.mean([float(row[column]) for row in rows])) for column in _COMPARED if column in rows[0]}


def _chart(runs: dict[str, dict[str, object]], scores: dict[str, float], score: str) -> plots.Picture:
    """Draw a score against the parameter with most values, a line for each choice of the others."""
    across = max(next(iter(runs.values())), key=lambda name: len({str(chosen[name]) for chosen in runs.values()}))
    lines: dict[str, list[tuple]] = {}
    for name, chosen in runs.items():
        others = _name({other: value for other, value in chosen.items() if other != across})
        lines.setdefault(others, []).append((_shown(chosen[across]), scores.get(name, math.nan)))
    fig, (axes,) = plots.figure(width=11, height=3.8)
    for (others, points), style in zip(lines.items(), itertools.cycle(("-", "--", ":", "-."))):
        axes.plot(*zip(*points, strict=True), style, marker="o", label=others)
    axes.set(xlabel=across, ylabel=f"mean {score}")
    if any(lines):
        axes.legend()
    told = ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
    return plots.picture(fig, f"Mean {score} of every run: {told}.")
