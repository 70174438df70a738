"""Reports for the tests: small notebooks, what reports are made from, and what they leave behind."""

from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

# --- notebooks -----------------------------------------------------------------------------------

PARAMETERS = """
images: str = "phantom"  # what
width: int = 1  # [px], 0 … 99
name: str = "a"  # any
""".strip()
KERNEL = {"name": "a-kernel-nobody-has", "display_name": "x", "language": "python"}


def write_notebook(path, *cells, parameters=PARAMETERS):
    """Write a notebook: a cell of parameters, and cells that use them."""
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    others = [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook = nbformat.v4.new_notebook(cells=[first, *others], metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, path)


def outputs_of(path):
    """List the outputs of all cells of a notebook file."""
    outputs = []
    for cell in nbformat.read(path, as_version=4).cells:
        outputs += cell.get("outputs", [])
    return outputs


def printed(path):
    """Join what the cells of a notebook file have printed."""
    return "".join(output.get("text", "") for output in outputs_of(path))


# --- reports -------------------------------------------------------------------------------------

# The files of every report, and those of a report that saves the masks of an array
REPORT = ["provenance.json", "report.html", "report.ipynb"]
REPORT_ON_ARRAY = ["masks.npy", *REPORT, "scores.csv"]


def save_pictures(folder, images, prefix=""):
    """Write images as pictures whose brightest pixel is white: 0.png, 1.png and so on."""
    Path(folder).mkdir(exist_ok=True)
    for index, image in enumerate(images):
        picture = Image.fromarray((255 * image / image.max()).astype(np.uint8))
        picture.save(Path(folder, f"{prefix}{index}.png"))


def with_parameters(*assignments):
    """Give the options that pass parameters to a notebook."""
    options = []
    for assignment in assignments:
        options += ["-p", assignment]
    return options


def names_in(folder):
    """List the names of all files and folders in a folder."""
    return sorted(path.name for path in Path(folder).iterdir())


def page_in(folder):
    """Read the page of a report."""
    return Path(folder, "report.html").read_text(encoding="utf-8")
