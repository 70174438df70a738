"""Print the constraints that have pip install the oldest versions that pyproject.toml permits: one a line."""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]


def requirements():
    """Give all that the project and its extras depend on, but for the extras themselves."""
    extras = PROJECT["optional-dependencies"].values()
    entries = [*PROJECT["dependencies"], *(entry for extra in extras for entry in extra)]
    return [entry for entry in entries if not entry.startswith(f"{PROJECT['name']}[")]


def oldest(entry):
    """Give the constraint that pins a requirement to its minimum.

    Examples
    --------
    >>> oldest("numpy>=2.0,<3"), oldest("nbval==0.11.*")
    ('numpy==2.0', 'nbval==0.11.*')
    """
    name, relation, version = re.match(r"([\w-]+)(>=|==)([\d.*]+)", entry).groups()
    return f"{name}{'==' if relation == '>=' else relation}{version}"


def constraints():
    """Give one constraint for each requirement, and OpenCV's once more for its headless wheel."""
    lines = [oldest(entry) for entry in requirements()]
    headless = [
        line.replace("python", "python-headless")
        for line in lines
        if line.startswith("opencv-python")
    ]
    return lines + headless


def release(version):
    """Turn the text of a release into numbers that compare: ``"0.10.0"`` comes after ``"0.9.1"``."""
    return tuple(int(part) for part in version.split("."))


if __name__ == "__main__":
    sys.stdout.write("\n".join(constraints()) + "\n")
