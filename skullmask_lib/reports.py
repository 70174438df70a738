"""The one way a notebook is run, and the pages made of executed notebooks."""

import ast
import base64
import contextlib
import difflib
import html
import logging
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError

from . import datasets, plots, registry
from .masks import InputError
from .sweep import LADDER_HEADER, phantom_ladder


class _ThisInterpreter(AsyncKernelManager):
    """Starts kernels with the running interpreter, whatever kernels are installed on the machine."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--IPKernelApp.log_level=50"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def parameters(notebook: str | Path) -> dict[str, object]:
    """Read the parameters of a notebook and their defaults from its ``parameters`` cell.

    Parameters
    ----------
    notebook : str or path

    Returns
    -------
    dict of str to object
        Empty if the notebook has no such cell.

    Raises
    ------
    InputError
        If the file is not a notebook, or a parameter is not a literal.

    Examples
    --------
    >>> parameters(registry.project_folder("notebooks") / "06_v7_final.ipynb")["dilation_size"]
    26
    """
    if not Path(notebook).is_file():
        raise InputError(f"{notebook}: no such notebook")
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except Exception as error:  # nbformat raises whatever its JSON and schema readers raise
        raise InputError(f"{notebook}: not a readable notebook ({str(error).splitlines()[0]})") from None
    tagged = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    found = {}
    for node in ast.parse("\n".join(tagged)).body:
        if not isinstance(node, ast.AnnAssign):
            raise InputError(f"{notebook}: expected annotated parameters, got {ast.unparse(node)}")
        try:
            found[node.target.id] = ast.literal_eval(node.value)
        except ValueError:
            raise InputError(f"{notebook}: expected a literal, got {ast.unparse(node)}") from None
    return found


def _check(notebook: Path, given: dict[str, object]) -> None:
    known = parameters(notebook)
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it has {', '.join(known) or 'none'}"
            raise InputError(f"{notebook.name}: no parameter {name}{hint}")
        wanted = type(known[name])
        allowed = (int, float) if wanted is float else (tuple, list) if wanted in (tuple, list) else (wanted,)
        if known[name] is not None and type(value) not in allowed:
            raise InputError(f"{notebook.name}: expected {name} as {wanted.__name__}, got {value!r}")


def execute(
    notebook: str | Path,
    output: str | Path,
    *,
    parameters: dict[str, object] | None = None,
    timeout_s: int = 600,
) -> Path:
    """Run a notebook from top to bottom in a kernel of this interpreter.

    Parameters
    ----------
    notebook : str or path
    output : str or path
        Where the executed notebook goes. After a failure what ran so far lies there too.
    parameters : dict of str to object, optional
        Checked, before anything runs, against the names and types in the notebook's ``parameters`` cell.
    timeout_s : int
        Longest time for one cell [s].

    Returns
    -------
    Path
        ``output``.

    Raises
    ------
    InputError
        If the notebook or a parameter cannot be used.
    RuntimeError
        If a cell fails; the message names the cell and the error.

    Examples
    --------
    >>> execute("missing.ipynb", "out.ipynb")
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: missing.ipynb: no such notebook
    """
    notebook, output = Path(notebook), Path(output)
    _check(notebook, parameters or {})
    with warnings.catch_warnings(), _quiet("papermill"):
        warnings.simplefilter("ignore")  # of papermill's and nbformat's own code; the kernel keeps its warnings
        try:
            papermill.execute_notebook(
                notebook,
                output,
                parameters=parameters,
                kernel_name="python3",
                kernel_manager_class=_ThisInterpreter,
                execution_timeout=timeout_s,
                progress_bar=False,
            )
        except PapermillExecutionError as error:
            reason = f"cell {error.exec_count} failed with {error.ename}: {error.evalue}"
            raise RuntimeError(f"{notebook.name}: {reason}") from None
        except CellTimeoutError:
            raise RuntimeError(f"{notebook.name}: a cell took longer than {timeout_s} s") from None
        except DeadKernelError:
            raise RuntimeError(f"{notebook.name}: the kernel died") from None
    return output


@contextlib.contextmanager
def _quiet(name: str):
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def fill(notebook: str | Path, output: str | Path, parameters: dict[str, object]) -> None:
    """Write a notebook with other parameters, without running it.

    Parameters
    ----------
    notebook : str or path
    output : str or path
    parameters : dict of str to object
        Checked as `execute` does.

    Raises
    ------
    InputError
        If the notebook or a parameter cannot be used.

    Examples
    --------
    >>> fill(lessons()[0], "out.ipynb", {"sorce": "phantom"})
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: 00_start_here.ipynb: no parameter sorce; did you mean source?
    """
    notebook = Path(notebook)
    _check(notebook, parameters)
    with _quiet("papermill"):
        papermill.execute_notebook(notebook, output, parameters=parameters, prepare_only=True)


def store(notebook: str | Path) -> None:
    """Run a notebook and write its outputs into it, without anything that differs from run to run.

    Parameters
    ----------
    notebook : str or path

    Raises
    ------
    RuntimeError
        If a cell fails; the notebook is left as it was.

    Examples
    --------
    >>> store("missing.ipynb")
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: missing.ipynb: no such notebook
    """
    with datasets.replacing(notebook) as temporary:
        executed = nbformat.read(execute(notebook, temporary), as_version=4)
        version = executed.metadata.language_info.version
        executed.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "version": version.rpartition(".")[0]},
        }
        for cell in executed.cells:
            tags = cell.metadata.get("tags")
            cell.metadata = {"tags": tags} if tags else {}
            for made in cell.get("outputs", []):
                made.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        nbformat.write(executed, temporary)


def lessons() -> list[Path]:
    """List the numbered notebooks, in order.

    Returns
    -------
    list of Path

    Examples
    --------
    >>> [path.name for path in lessons()][:2]
    ['00_start_here.ipynb', '01_v1_largest_component.ipynb']
    """
    return sorted(registry.project_folder("notebooks").glob("[0-9][0-9]_*.ipynb"))


def title(notebook: str | Path) -> str:
    """Read the first heading of a notebook.

    Parameters
    ----------
    notebook : str or path

    Returns
    -------
    str

    Examples
    --------
    >>> title(lessons()[1])
    '01 · v1: the largest bright component'
    """
    cells = nbformat.read(notebook, as_version=4).cells
    return next(cell.source.splitlines()[0].lstrip("# ") for cell in cells if cell.source.startswith("# "))


def page(notebooks: Sequence[Path], output: Path, *, name: str, top: str = "") -> None:
    """Bind executed notebooks into one HTML file that opens without a network.

    Parameters
    ----------
    notebooks : sequence of Path
    output : Path
    name : str
        Title of the page.
    top : str
        Markdown to put above the contents.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     page([], Path(folder, "index.html"), name="Nothing yet")
    ...     "Nothing yet" in Path(folder, "index.html").read_text(encoding="utf-8")
    True
    """
    contents = "\n".join(f"* [{title(path)}](#chapter-{number})" for number, path in enumerate(notebooks))
    cover = nbformat.v4.new_markdown_cell(f"# {name}\n\n{top}\n\n## Contents\n\n{contents}")
    chapters = {path.name: number for number, path in enumerate(notebooks)}
    cells = [cell for path in notebooks for cell in _chapter(path, chapters[path.name], chapters)]
    whole = nbformat.v4.new_notebook(cells=[cover, *cells])
    whole.metadata["title"] = name
    plain = ("exclude_input_prompt", "exclude_output_prompt", "exclude_anchor_links")
    exporter = HTMLExporter(embed_images=True, **dict.fromkeys(plain, True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert's own
        body, _ = exporter.from_notebook_node(whole)
    body = re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)  # from the web, and nothing here needs them
    body = re.sub(r"<(h[1-6]) id=\"[^\"]*\"", r"<\1", body)  # every lesson has its Summary
    output.write_text(body.replace("</head>", f"<style>{_PAGE_STYLE}</style></head>", 1), encoding="utf-8")


_PAGE_STYLE = """
main { max-width: 1080px; margin: 0 auto !important; }
.jp-InputArea pre, .jp-OutputArea pre { font-size: 12px !important; }
@media print {
  .jp-Cell { break-inside: avoid; }
  h2 { break-after: avoid; }
  hr { break-before: page; }
  pre { white-space: pre-wrap !important; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""


def _chapter(path: Path, number: int, chapters: dict[str, int]) -> list:
    """Give the cells of a notebook for the page: links between notebooks stay on it, pictures keep their text."""

    def link(found: re.Match) -> str:
        text, name = found.groups()
        target = number if name is None else chapters.get(name)
        return text if target is None else f"[{text}](#chapter-{target})"

    cells = nbformat.read(path, as_version=4).cells
    for cell in cells:
        cell.id = f"chapter-{number}-{cell.id}"
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\[([^\]]*)\]\((\w+\.ipynb)?(?:#[^)]*)?\)", link, cell.source)
        for made in cell.get("outputs", []):
            if "image/png" in made.get("data", {}):  # nbconvert would drop the alternative text
                alt = html.escape(made.metadata.get("image/png", {}).get("alt", ""))
                made.data = {"text/html": f'<img alt="{alt}" src="data:image/png;base64,{made.data["image/png"]}">'}
    return [nbformat.v4.new_markdown_cell(f'<hr id="chapter-{number}">'), *cells]


def demo(folder: str | Path, *, progress: Callable[[str], object] | None = None) -> Path:
    """Run all lessons on the phantom and bind them, the ladder on top, into ``index.html``.

    Parameters
    ----------
    folder : str or path
        Made if missing; a page that is there already is replaced.
    progress : callable, optional
        Called with the name of each lesson when it is done.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If the folder cannot be written.
    RuntimeError
        If a lesson fails; what ran of it is kept in the folder and named in the message.

    Examples
    --------
    >>> demo("missing/folder")
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: missing/folder: cannot be written, missing does not exist
    """
    folder = Path(folder)
    if not folder.exists():
        with datasets.replacing(folder) as temporary:
            temporary.mkdir()
    with datasets.replacing(folder / "index.html") as temporary:
        executed = []
        for lesson in lessons():
            executed.append(temporary.with_name(lesson.name))
            try:
                execute(lesson, executed[-1])
            except RuntimeError as error:
                kept = executed[-1].replace(folder / f"failed_{lesson.name}")
                raise RuntimeError(f"{error}; what ran is in {kept}") from None
            if progress:
                progress(lesson.stem)
        page(executed, temporary, name="The skull mask, v1 to v8", top=_ladder())
    return folder / "index.html"


def _ladder() -> str:
    """Say in Markdown, with a chart, how far the phantom's ladder agrees with the published one."""
    chart = plots.ladder_picture(phantom_ladder())
    return (
        f"![{chart.alt}](data:image/png;base64,{base64.b64encode(chart.png).decode()})\n\n"
        f"{plots.table(phantom_ladder(), LADDER_HEADER).data}\n\n"
        "Mean IoU over five slices. The five slices behind the published figures are not public; the phantom stands in "
        "for them. *By construction* marks what the phantom was calibrated to, *prediction* what it was not, "
        "*reconstruction* what we chose because the source names nothing; *other seeds* are four heads that nothing "
        "was calibrated on. Not for clinical use."
    )
