"""How tests start the command line in a process of its own, and read what it prints."""

import re
import subprocess
import sys

SKULLMASK = (sys.executable, "-m", "skullmask_lib.cli")


def process(*arguments, cwd):
    """Run the command line in a process; give its exit code, output and error lines."""
    command = [*SKULLMASK, *map(str, arguments)]
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    return run.returncode, run.stdout, run.stderr.splitlines()


def scores_in(out):
    """Read the table of scores: by slice, each score by its name; a dash is NaN."""
    lines = [line.strip("| ").split("|") for line in out.splitlines() if line.startswith("|")]
    header, _, *rows = lines
    columns = [cell.strip() for cell in header[1:]]
    scores = {}
    for name, *cells in rows:
        values = [float(cell.replace("–", "nan")) for cell in cells]
        scores[name.strip()] = dict(zip(columns, values, strict=True))
    return scores


def rounded(scores):
    """Round scores as the table does: lengths to two digits, all else to four."""
    rounded_scores = {}
    for name, value in scores.items():
        digits = 2 if name.endswith(("_mm", "_px")) else 4
        rounded_scores[name] = round(value, digits)
    return rounded_scores


def summary_of(out):
    """Read the first line: how many masks, by which version, where, and the remarks counted."""
    pattern = r"(\d+) masks? by (\w+) → ([^;]+)(?:; (.+))?"
    count, version, path, remarks = re.fullmatch(pattern, out.splitlines()[0]).groups()
    counts = {}
    if remarks:
        for part in remarks.split(", "):
            number, remark = part.split(" ", 1)
            counts[remark] = int(number)
    return int(count), version, path, counts
