"""Name the notebooks that are not stored as they ran from top to bottom; a hook of pre-commit."""

import json
import sys
from pathlib import Path


def has_run(notebook):
    """Return True if the code cells are numbered 1, 2, 3 …, as after one run of the whole notebook."""
    counts = [cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return counts == list(range(1, len(counts) + 1))


def main(paths):
    failed = 0
    for path in paths:
        if not has_run(json.loads(Path(path).read_text(encoding="utf-8"))):
            sys.stderr.write(
                f"{path}: run it from top to bottom and store the outputs: make notebooks\n"
            )
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
