"""One report for each combination of parameters, and the page that compares them."""

import base64
import hashlib
import itertools
import math
import re
import secrets
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import jinja2
import numpy as np

from .. import plots, texts
from ..errors import InputError
from ..io import journal, outputs
from . import inputs as sources
from . import notebooks, privacy, report, running
from .provenance import provenance

_COMPARED = ("iou", "hd95_mm", "hd95_px", "assd_mm", "assd_px", "quality", "area_mm2", "area_px")  # of scores.csv


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
        See `report.report`.
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
    skullmask_lib.errors.InputError: report.ipynb: no parameter dilation_sise; did you mean dilation_size?
    """
    notebook, folder = notebooks.find(notebook), Path(folder)
    inputs = {"images": str(images)} | ({"truth": str(truth)} if truth else {})
    runs = {}
    for chosen in itertools.product(*values.values()):
        chosen = dict(zip(values, chosen, strict=True))
        runs[_name(chosen)] = chosen, sources.prepare(notebook, inputs, (parameters or {}) | chosen)
    record = folder / "runs.jsonl"
    if folder.is_dir() and any(folder.iterdir()) and not record.is_file():
        raise InputError(f"{folder}: holds files that no grid of reports wrote; choose another folder")
    known = journal.read(record)
    if not folder.exists():
        with outputs.replacing(folder) as temporary:
            temporary.mkdir()
    made_from = {}
    for name, (_, given) in runs.items():
        told = provenance(notebook, inputs, given)
        made_from[name] = {key: told[key] for key in ("skullmask", "notebook", "inputs", "parameters")}
    done = {name: {"state": "done", **made_from[name]} for name in runs}
    todo = [name for name in runs if known.get(name) != done[name] or not (folder / name / "report.html").is_file()]

    secret = [folder, *inputs.values(), *(Path(each).parent for each in (folder, notebook, *inputs.values()))]

    def run(name: str) -> dict[str, object]:
        own = {key: value for key, value in runs[name][1].items() if key not in (*inputs, "save")}
        try:
            report.report(images, folder / name, truth=truth, notebook=notebook, parameters=own)
        except Exception as error:  # whatever it is, it does not stop the others
            told = str(error).partition("; what ran is in ")[0] or repr(error)
            return {"state": "failed", "error": privacy.pathless(told, *secret)}
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
            while not all(future.done() for future in waiting):
                running.stop()
                time.sleep(0.2)
            raise
    known = journal.read(record)
    title = str((parameters or {}).get("title") or "")
    _write_index(folder, {name: chosen for name, (chosen, _) in runs.items()}, known, title)
    return [name for name in runs if known[name]["state"] == "failed"]


def _name(chosen: dict[str, object]) -> str:
    """Name a run, and its folder, by its parameters."""
    name = ",".join(f"{key}={_shown(value)}" for key, value in chosen.items())
    safe = re.sub(r"[^\w.=+,-]", "_", name)[:80]
    return safe if safe == name else f"{safe}_{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _shown(value: object) -> object:
    value = "+".join(map(str, value)) if isinstance(value, list) else value
    return value if isinstance(value, (int, float)) else str(value)


def _cell(value: object) -> object:
    shown = _shown(value)
    return texts.plain(shown) if isinstance(shown, str) else shown


def _write_index(folder: Path, runs: dict[str, dict[str, object]], known: dict[str, dict], title: str) -> None:
    """Write the page that compares the runs: what each was given, and the means of its scores."""
    means = {name: _means(report.scores(folder / name)) for name in runs if known[name]["state"] == "done"}
    scores = [column for column in _COMPARED if any(column in mean for mean in means.values())]
    rows = []
    for name, chosen in runs.items():
        failed = known[name]["state"] == "failed"
        cells = [_cell(value) for value in chosen.values()]
        cells += [means.get(name, {}).get(column, math.nan) for column in scores]
        page = Path(f"{name}{'_failed' * failed}", "report.html")
        state = known[name]["state"]
        rows.append(
            {
                "name": name,
                "state": state,
                "page": (folder / page).exists() and page,
                "cells": [*cells, texts.plain(known[name].get("error", state))],
            }
        )
    inputs = ", ".join(given["name"] for given in known[next(iter(runs))]["inputs"].values())
    inputs = texts.plain(inputs)
    failures = sum(row["state"] == "failed" for row in rows)
    first = {name: mean[scores[0]] for name, mean in means.items() if scores and scores[0] in mean}
    chart = _chart(runs, first, scores[0]) if first else None
    environment = jinja2.Environment(autoescape=True, loader=jinja2.FileSystemLoader(Path(__file__).parent))
    page = environment.get_template("grid.html").render(
        title=texts.plain(title) or f"{inputs}: reports compared",
        summary=f"{inputs}: {len(rows)} reports, {failures} failed. "
        "Scores are means over the slices whose truth is known.",
        columns=["run", *next(iter(runs.values())), *(f"mean {column}" for column in scores), "state"],
        rows=rows,
        chart=chart,
        png=chart and base64.b64encode(chart.png).decode(),
        nonce=secrets.token_urlsafe(),
    )
    with outputs.replacing(folder / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")


def _means(rows: list[dict]) -> dict[str, float]:
    """Average the columns of ``scores.csv`` over the slices whose truth is known, where they are finite."""
    rows = [row for row in rows if not math.isnan(row.get("iou", 0.0))] or rows
    columns = {key: [row[key] for row in rows if math.isfinite(row.get(key, math.nan))] for key in _COMPARED}
    return {key: float(np.mean(column)) for key, column in columns.items() if column}


def _chart(runs: dict[str, dict[str, object]], scores: dict[str, float], score: str) -> plots.Picture:
    """Draw a score against the parameter with most values, a line for each choice of the others."""
    across = max(next(iter(runs.values())), key=lambda name: len({str(chosen[name]) for chosen in runs.values()}))
    lines: dict[str, list[tuple]] = {}
    for name, chosen in runs.items():
        others = _name({other: value for other, value in chosen.items() if other != across})
        lines.setdefault(others, []).append((_shown(chosen[across]), scores.get(name, math.nan)))
    numbers = all(isinstance(place, (int, float)) for points in lines.values() for place, _ in points)
    fig, (axes,) = plots.figure(width=11, height=3.8)
    with plots.look():
        for (others, points), style in zip(lines.items(), itertools.cycle(("-", "--", ":", "-."))):
            axes.plot(*zip(*points, strict=True), style if numbers else "", marker="o", label=others)
        axes.set(xlabel=across, ylabel=f"mean {score}")
        if any(lines):
            axes.legend()
    told = ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
    return plots.picture(fig, f"Mean {score} of every run: {told}.")
