r"""What an executed notebook must not reveal: where it ran, when, and by whom.

Functions here take text and notebooks and return them without folders, control characters and
metadata. Nothing is run, read or written.
"""

import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import nbformat

from .. import texts

HIDDEN = "hide-input"  # the tag of a cell whose code only draws, formats or gives an answer
_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_UNTOUCHED = {"data", "output_type", "image/png", "image/jpeg"}  # parts of an output
_COLOURS = re.compile(r"\x1b\[[\d;]*m")

_POSIX_START = r"(?:file://|~|…|(?<![\w.~…/<+]))/"
_POSIX_FOLDERS = re.compile(_POSIX_START + r"(?:[^\s/\\\"'<>|*?()]+/)+")

_RESERVED = r"\\/:\"'<>|*?"  # no file name on Windows contains these
_BEFORE_BACKSLASH = rf"[^{_RESERVED}\r\n\t]*[^{_RESERVED}\s]\\+"  # may contain spaces
_BEFORE_SLASH = rf"[^{_RESERVED}\s]+/+"
_DRIVE = r"\b[A-Za-z]:[\\/]+"
_SHARE = r"(?<![\w\\:])\\\\+[\w.$-]+\\+"
_WINDOWS_FOLDERS = re.compile(
    rf"(?:{_DRIVE}|{_SHARE})(?:{_BEFORE_BACKSLASH}|{_BEFORE_SLASH})*",
)


def clean(executed: nbformat.NotebookNode, *private: str | Path) -> nbformat.NotebookNode:
    """Remove what differs between runs and machines from an executed notebook.

    Parameters
    ----------
    executed : NotebookNode
        Changed in place.
    *private : str or path
        Folders to remove wherever they occur; see `pathless`.

    Returns
    -------
    NotebookNode
        The same notebook without widget views. Of the metadata of its cells it keeps the tags, and
        closes the code of cells tagged ``hide-input``.

    Examples
    --------
    >>> cell = nbformat.v4.new_code_cell("1", metadata={"tags": ["parameters"], "papermill": {}})
    >>> clean(nbformat.v4.new_notebook(cells=[cell])).cells[0].metadata
    {'tags': ['parameters']}
    """
    version = executed.metadata.get("language_info", {}).get("version", "")
    executed.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "version": version.rpartition(".")[0]},
    }
    for cell in executed.cells:
        cell.metadata = _cell_metadata(cell.metadata.get("tags"))
        if cell.cell_type == "code":
            cell.outputs = _in_one_piece(cell.outputs)
        for output in cell.get("outputs", []):
            _clean_output(output, private)
    return executed


def _in_one_piece(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Join what a cell prints in a row; a busy kernel sends it in several pieces."""
    joined: list[nbformat.NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _cell_metadata(tags: list[str] | None) -> dict[str, object]:
    """Keep the tags of a cell; a cell tagged ``hide-input`` is also closed in JupyterLab."""
    metadata: dict[str, object] = {}
    if tags:
        metadata["tags"] = tags
    if tags and HIDDEN in tags:
        metadata["jupyter"] = {"source_hidden": True}
    return metadata


def _clean_output(output: nbformat.NotebookNode, private: Sequence[str | Path]) -> None:
    """Scrub every text of one output, in place."""
    data = output.get("data", {})
    data.pop(_WIDGET_VIEW, None)
    for part in (output, data):
        for name in set(part) - _UNTOUCHED:
            part[name] = _scrubbed(part[name], private)


def _scrubbed(value: object, private: Sequence[str | Path]) -> object:
    """Return a text, or a list or dict of texts, without folders and control characters."""
    if isinstance(value, str):
        return _scrubbed_text(value, private)
    if isinstance(value, list):
        return [_scrubbed(item, private) for item in value]
    if isinstance(value, dict):
        scrubbed = type(value)()
        for name, item in value.items():
            scrubbed[name] = _scrubbed(item, private)
        return scrubbed
    return value


def _scrubbed_text(text: str, private: Sequence[str | Path]) -> str:
    text = pathless(_COLOURS.sub("", text), *private)
    return re.sub(r"[^\n\t]+", lambda match: texts.plain(match[0]), text)


def pathless(text: str, *private: str | Path) -> str:
    r"""Remove folders from a text; file names stay.

    Parameters
    ----------
    text : str
    *private : str or path
        Folders to remove literally, in addition to everything that looks like a path. Needed for
        names with spaces, whose end cannot be recognized.

    Returns
    -------
    str

    Examples
    --------
    >>> pathless('File "/home/jo/lib/a.py", of ~/b c/d', "~/b c")
    'File "…/a.py", of …/d'
    >>> pathless(r"C:\Users\jo\x.nii")
    '…/x.nii'
    """
    for folder in _spellings(private):
        text = re.sub(rf"{re.escape(folder)}(?!\w)", "…", text)
    text = _WINDOWS_FOLDERS.sub("…/", text)
    return _POSIX_FOLDERS.sub("…/", text)


def _spellings(private: Iterable[str | Path]) -> list[str]:
    """List the ways in which private folders may be spelled in a text, longest first."""
    folders = {Path.home(), Path.cwd(), Path(sys.prefix), Path(sys.base_prefix), *private}
    folders.add(Path(tempfile.gettempdir()))
    spellings = set()
    for folder in folders:
        path = Path(folder)
        for name in (str(folder), str(path.absolute()), str(path.resolve())):
            if "/" in name.rstrip("/") or "\\" in name.rstrip("\\"):
                spellings.add(name)
                spellings.add(name.replace("\\", "\\\\"))  # Python's repr doubles backslashes
    return sorted(spellings, key=len, reverse=True)
