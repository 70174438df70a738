"""From a slider's event to its new picture, in Chromium.

Every explorer of the app and of the lessons is measured. The slices are the phantom's, 768 × 624. A
move is a real key press on a slider; its time runs from the key's event in the page to the frame in
which the new picture is there.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import scripts
from tqdm import tqdm

from skullmask_lib.explore.app import QUESTIONS
from skullmask_lib.project import project_folder
from skullmask_lib.reports import notebooks
from skullmask_lib.tables import markdown

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import browser

WANTED_MS = 100, 250  # median and 95th percentile

WATCH = """handle => {
  const picture = handle.closest('.skullmask-explorer').querySelector('img');
  window.moved = new Promise((done, failed) => {
    setTimeout(() => failed('no new picture within 5 s'), 5000);
    handle.addEventListener('keydown', () => {
      const start = performance.now();
      const shown = () => requestAnimationFrame(() => done(performance.now() - start));
      picture.addEventListener('load', shown, {once: true});
    }, {once: true, capture: true});
  });
}"""


def moves(shown: browser.Shown, count: int) -> Iterator[float]:
    """Move every slider of an explorer in turn, up to its end and back, and give the times [ms]."""
    sliders = list(shown.sliders().values())
    keys = ["ArrowRight"] * len(sliders)
    for n in range(count):
        which = n * len(sliders) // count
        handle = sliders[which]
        now = float(handle.get_attribute("aria-valuenow"))
        if now == float(handle.get_attribute("aria-valuemin")):
            keys[which] = "ArrowRight"
        elif now == float(handle.get_attribute("aria-valuemax")):
            keys[which] = "ArrowLeft"
        handle.focus()
        handle.evaluate(WATCH)
        handle.press(keys[which])
        yield shown.page.evaluate("window.moved")
        shown.page.wait_for_timeout(50)


def app_explorers(chromium) -> Iterator[tuple[str, browser.Shown]]:
    with browser.explorer() as (_, address):
        page, _ = browser.open_page(chromium)
        page.goto(address)
        shown = browser.Shown(page)
        for question in QUESTIONS:
            shown.box.get_by_label(question).check()
            page.wait_for_timeout(1000)
            yield question, shown


def lesson_explorers(chromium) -> Iterator[tuple[str, browser.Shown]]:
    with tempfile.TemporaryDirectory() as root:
        folder = shutil.copytree(project_folder("notebooks"), Path(root, "notebooks"))
        with browser.lab(folder, Path(root, "lab.log")) as (address, token):
            for path in notebooks.lessons():
                browser.blank(folder / path.name)
                page, _ = browser.open_page(chromium)
                browser.run_in_lab(page, address, token, folder / path.name)
                yield f"lesson {path.stem[:2]}", browser.Shown(page)
                page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--moves", type=scripts.count, default=60, help="of every explorer (default: 60)"
    )
    count = parser.parse_args().moves
    rows = []
    total = len(QUESTIONS) + len(notebooks.lessons())
    with browser.chromium() as chromium, tqdm(total=total, unit="explorer", disable=None) as bar:
        for shown_explorers in (app_explorers, lesson_explorers):
            for name, shown in shown_explorers(chromium):
                times = list(moves(shown, count))
                median, late = np.percentile(times, (50, 95))
                good = median <= WANTED_MS[0] and late <= WANTED_MS[1]
                rows.append(
                    (
                        name,
                        len(times),
                        f"{median:.0f}",
                        f"{late:.0f}",
                        f"{max(times):.0f}",
                        "yes" if good else "no",
                    )
                )
                bar.update()
    wanted = f"within {WANTED_MS[0]} and {WANTED_MS[1]}"
    print(
        markdown(
            rows, ("explorer", "moves", "median [ms]", "95 % [ms]", "slowest [ms]", wanted)
        ).data
    )
    print(f"\n{os.cpu_count()} processors; from the key's event to the frame with the new picture")


if __name__ == "__main__":
    scripts.run(main)
