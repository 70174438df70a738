"""The one way a notebook is run, the pages made of executed notebooks, and reports on own slices."""

import base64
import contextlib
import datetime
import hashlib
import html
import json
import logging
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
import weakref
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import cv2
import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError

from . import datasets, notebooks, plots, registry
from .masks import InputError
from .sweep import LADDER_HEADER, parse_range, phantom_ladder

_kernels: weakref.WeakSet = weakref.WeakSet()


class _ThisInterpreter(AsyncKernelManager):
    """Starts kernels with the running interpreter, whatever kernels are installed on the machine."""

    def __init__(self, **options):
        super().__init__(**options)
        _kernels.add(self)

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--IPKernelApp.log_level=50"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


def execute(
    notebook: str | Path,
    output: str | Path,
    *,
    parameters: dict[str, object] | None = None,
    timeout_s: int = 600,
    folder: str | Path | None = None,
    progress_bar: dict[str, object] | bool = False,
) -> Path:
    """Run a notebook from top to bottom in a kernel of this interpreter.

    Parameters
    ----------
    notebook : str or path
    output : str or path
        Where the executed notebook goes. After a failure what ran so far lies there too.
    parameters : dict of str to object, optional
        Checked, before anything runs, as `notebooks.check` does.
    timeout_s : int
        Longest time for one cell [s].
    folder : str or path, optional
        Where it runs; the working folder by default.
    progress_bar : dict or bool
        Options of a tqdm bar over the cells; none by default.

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
    notebooks.check(notebook, parameters or {})
    with warnings.catch_warnings(), _quiet("papermill"):
        warnings.simplefilter("ignore")  # of papermill's and nbformat's own code; the kernel keeps its warnings
        try:
            papermill.execute_notebook(
                notebook,
                output,
                parameters=parameters,
                kernel_name="python3",
                language="python",
                kernel_manager_class=_ThisInterpreter,
                execution_timeout=timeout_s,
                progress_bar=progress_bar,
                resources={"metadata": {"path": str(folder or "")}},
            )
        except PapermillExecutionError as error:
            reason = f"cell {error.exec_count} failed with {error.ename}: {error.evalue}"
            raise RuntimeError(f"{notebook.name}: {reason}") from None
        except CellTimeoutError:
            raise RuntimeError(f"{notebook.name}: a cell took longer than {timeout_s} s") from None
        except DeadKernelError:
            raise RuntimeError(f"{notebook.name}: the kernel died") from None
    return output


def stop() -> None:
    """End every notebook that runs in another thread: its kernel dies.

    Examples
    --------
    >>> stop()
    """
    for manager in list(_kernels):
        if manager.has_kernel:
            manager.provisioner.process.kill()


@contextlib.contextmanager
def _quiet(name: str):
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
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
    >>> fill(notebooks.lessons()[0], "out.ipynb", {"imges": "phantom"})
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: 00_start_here.ipynb: no parameter imges; did you mean images?
    """
    notebook = Path(notebook)
    notebooks.check(notebook, parameters)
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
        nbformat.write(_clean(nbformat.read(execute(notebook, temporary), as_version=4)), temporary)


def _clean(executed: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Take out of an executed notebook what tells where, when and by whom it was run."""
    version = executed.metadata.get("language_info", {}).get("version", "")
    executed.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "version": version.rpartition(".")[0]},
    }
    for cell in executed.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
        for made in cell.get("outputs", []):
            made.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
            for texts, name in _texts(made):
                said = texts[name]
                texts[name] = [_pathless(line) for line in said] if isinstance(said, list) else _pathless(said)
    return executed


def _texts(output: nbformat.NotebookNode) -> Iterator[tuple[dict, str]]:
    """Give the places of an output that hold text."""
    yield from ((output, name) for name in ("text", "evalue", "traceback") if name in output)
    data = output.get("data", {})
    yield from ((data, name) for name in data if name.startswith("text/"))


_FOLDERS = re.compile(r"(?:(?:…|(?<![\w.~:/<+=]))/|\b[A-Za-z]:\\)(?:[^\s/\\\"'<>|:*?()]+[/\\])+")


def _pathless(text: str) -> str:
    """Take the folders out of a text, these first, for their names may hold spaces."""
    for folder in sorted({str(Path.home()), str(Path.cwd()), sys.prefix, tempfile.gettempdir()}, key=len, reverse=True):
        text = text.replace(f"{folder}{os.sep}", "…/") if folder != os.sep else text
    return _FOLDERS.sub("…/", text)


def page(executed: Sequence[Path], output: Path, *, name: str, top: str = "") -> None:
    """Bind executed notebooks into one HTML file that opens without a network.

    Parameters
    ----------
    executed : sequence of Path
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
    contents = "\n".join(f"* [{notebooks.title(path)}](#chapter-{number})" for number, path in enumerate(executed))
    cover = nbformat.v4.new_markdown_cell(f"# {name}\n\n{top}\n\n## Contents\n\n{contents}")
    chapters = {path.name: number for number, path in enumerate(executed)}
    cells = [cell for path in executed for cell in _chapter(path, chapters[path.name], chapters)]
    _write_page([cover, *cells], output, name)


def _write_page(cells: list[nbformat.NotebookNode], output: Path, name: str, *, top: str = "") -> None:
    whole = nbformat.v4.new_notebook(cells=cells)
    whole.metadata["title"] = html.escape(name)
    plain = ("exclude_input_prompt", "exclude_output_prompt", "exclude_anchor_links")
    exporter = HTMLExporter(embed_images=True, **dict.fromkeys(plain, True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nbconvert's own
        body, _ = exporter.from_notebook_node(whole)
    body = re.sub(r"<script.*?</script>", "", body, flags=re.DOTALL)  # from the web, and nothing here needs them
    body = re.sub(r"<(h[1-6]) id=\"[^\"]*\"", r"<\1", body)  # every lesson has its Summary
    body = body.replace("<head>", f"<head>{_NOTHING_RUNS}", 1)
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    body = body.replace("</head>", f"<style>{style}</style></head>", 1)
    output.write_text(re.sub(r"<body[^>]*>", rf"\g<0>{top}", body, count=1), encoding="utf-8")


_NOTHING_RUNS = (  # no script and no request, whatever names a user's file holds
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'\">"
)
_TOGGLE = '<label class="toggle"><input type="checkbox" id="code"> show the code</label>'


def _chapter(path: Path, number: int, chapters: dict[str, int]) -> list:
    """Give the cells of a notebook for the page: links between notebooks stay on it."""

    def link(found: re.Match) -> str:
        text, name = found.groups()
        target = number if name is None else chapters.get(name)
        return text if target is None else f"[{text}](#chapter-{target})"

    cells = _with_alt(nbformat.read(path, as_version=4).cells)
    for cell in cells:
        cell.id = f"chapter-{number}-{cell.id}"
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\[([^\]]*)\]\((\w+\.ipynb)?(?:#[^)]*)?\)", link, cell.source)
    return [nbformat.v4.new_markdown_cell(f'<hr id="chapter-{number}">'), *cells]


def _with_alt(cells: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Keep the alternative texts of pictures, which nbconvert would drop."""
    for made in (made for cell in cells for made in cell.get("outputs", [])):
        if "image/png" in made.get("data", {}):
            alt = html.escape(made.metadata.get("image/png", {}).get("alt", ""))
            made.data = {"text/html": f'<img alt="{alt}" src="data:image/png;base64,{made.data["image/png"]}">'}
    return cells


def report(
    images: str | Path,
    folder: str | Path,
    *,
    truth: str | Path | None = None,
    notebook: str | Path = "report",
    parameters: dict[str, object] | None = None,
    timeout_s: int = 3600,
    progress_bar: dict[str, object] | bool = False,
) -> Path:
    """Run a notebook on own slices and make a report of it that can be sent.

    Names of files get into the report; names of folders do not, and of a file's header nothing but its geometry.

    Parameters
    ----------
    images : str or path
        See `datasets.load`.
    folder : str or path
        Made if missing. Takes ``report.html``, one file that opens without a network, ``report.ipynb``,
        ``provenance.json``, and what the notebook writes: the notebook ``report``:  ``scores.csv`` and the masks.
    truth : str or path, optional
    notebook : str or path
        See `notebooks.find`.
    parameters : dict of str to object, optional
        Further ones, see `notebooks.check`.
    timeout_s : int
        Longest time for one cell [s].
    progress_bar : dict or bool
        See `execute`.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If the images, a parameter or the folder cannot be used.
    RuntimeError
        If a cell fails; what ran is kept in the folder and named in the message.

    Examples
    --------
    >>> report("phantom", "out", parameters={"overlay_count": 50})
    Traceback (most recent call last):
    ...
    skullmask_lib.masks.InputError: report.ipynb: expected overlay_count from 1 to 24, got 50
    """
    notebook, folder = notebooks.find(notebook), Path(folder)
    inputs = {"images": str(images)} | ({"truth": str(truth)} if truth else {})
    given = prepare(notebook, inputs, parameters or {})
    earlier = _earlier(folder)
    if not folder.exists():
        with datasets.replacing(folder) as temporary:
            temporary.mkdir()
    for unfinished in folder.glob(".report.html-*"):  # of a run that was killed
        shutil.rmtree(unfinished)
    with (
        tempfile.TemporaryDirectory(prefix="skullmask-") as elsewhere,  # room for it where the folder's disk is full
        datasets.replacing(folder / "report.html") as final,
    ):
        ran, work, started = Path(elsewhere, "report.ipynb"), final.parent, time.monotonic()
        links = {name: _link(work, name, source) for name, source in inputs.items()}
        try:
            execute(
                notebook, ran, parameters=given | links, timeout_s=timeout_s, folder=work, progress_bar=progress_bar
            )
            whole = _clean(nbformat.read(ran, as_version=4))
            told = provenance(notebook, inputs, given) | {"seconds": round(time.monotonic() - started, 1)}
            whole.cells.append(nbformat.v4.new_markdown_cell(_told(told)))
            nbformat.write(whole, work / "report.ipynb")
            name = str(given.get("title") or notebooks.title(notebook))
            _write_page(_with_alt(whole.cells), final, name, top=_TOGGLE)
            made = {path.name for path in work.iterdir()} - set(inputs) | {"provenance.json"}
            text = json.dumps(told | {"files": sorted(made)}, indent=2, ensure_ascii=False)
            (work / "provenance.json").write_text(text + "\n", encoding="utf-8")
        except (RuntimeError, OSError) as error:
            shutil.rmtree(work)  # makes room where the disk is full
            kept = _keep(ran, folder / "failed_report.ipynb")
            full = isinstance(error, OSError)
            said = f"{folder}: cannot be written ({error.strerror})" if full else error
            raise (InputError if full else RuntimeError)(f"{said}{kept}") from None
        for name in (earlier | {"failed_report.ipynb", "failed_report.html"}) - made:
            _remove(folder / name)
        for name in made - {final.name}:
            _remove(folder / name)
            os.replace(work / name, folder / name)
    return folder / "report.html"


def prepare(notebook: Path, inputs: dict[str, str], parameters: dict[str, object]) -> dict[str, object]:
    """Check all that a report needs, before anything runs.

    Parameters
    ----------
    notebook : Path
    inputs : dict of str to str
        The images and, where there is one, the truth.
    parameters : dict of str to object

    Returns
    -------
    dict of str to object
        The parameters to run with.

    Raises
    ------
    InputError
        If something of it cannot be used.

    Examples
    --------
    >>> prepare(notebooks.find("report"), {"images": "phantom"}, {"title": "A head"})
    {'images': 'phantom', 'title': 'A head', 'save': True}
    """
    saving = {"save": True} if "save" in notebooks.parameters(notebook) else {}
    for name in {"images", "truth", "save"} & set(parameters):
        raise InputError(
            f"{notebook.name}: {name} is no parameter to choose here; images and truth have their own place"
        )
    given = inputs | parameters | saving
    if isinstance(given.get("version"), list):
        given["version"] = ",".join(given["version"])
    notebooks.check(notebook, given)
    slices = parse_range(str(given["slices"]), low=0) if given.get("slices") else None
    channel = given.get("channel")
    channel = None if channel == -1 else channel
    datasets.load(inputs["images"], truth=inputs.get("truth"), channel=channel, slices=slices)
    return given


def _earlier(folder: Path) -> set[str]:
    """Name what an earlier report wrote; a file of another origin is not overwritten."""
    try:
        told = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        earlier = {Path(name).name for name in told["files"]}
    except (OSError, ValueError, TypeError, KeyError):
        earlier = set()
    for pattern in ("report.*", "provenance.json", "scores.csv", "masks", "masks.*"):
        for path in folder.glob(pattern):
            if path.name not in earlier:
                raise InputError(f"{path}: is there already, and not from a report; choose another folder")
    return earlier


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _link(work: Path, name: str, source: str) -> str:
    """Put an input into the folder where the notebook runs, so that no other folder needs to be named."""
    if datasets.is_name(source):
        return source
    path = Path(source).absolute()
    link = work / name if path.is_dir() else work / name / path.name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(path)
    return link.relative_to(work).as_posix()


def _keep(ran: Path, kept: Path) -> str:
    """Keep what ran of a notebook, with a page of it where there is room, and say where."""
    try:
        cleaned = _clean(nbformat.read(ran, as_version=4))
    except (OSError, ValueError, AttributeError):  # not even the notebook could be written
        return ""
    try:
        with datasets.replacing(kept) as temporary:
            nbformat.write(cleaned, temporary)
    except InputError:
        return f"; what ran is in {shutil.copy(ran, tempfile.mkdtemp(prefix='skullmask-'))}"
    with contextlib.suppress(InputError), datasets.replacing(kept.with_suffix(".html")) as temporary:
        _write_page(_with_alt(cleaned.cells), temporary, kept.stem, top=_TOGGLE)
    return f"; what ran is in {kept}"


def provenance(notebook: Path, inputs: dict[str, str], parameters: dict[str, object]) -> dict[str, object]:
    """Tell what a report is made of, and how to make it again.

    Parameters
    ----------
    notebook : Path
    inputs : dict of str to str
        The images and, where there is one, the truth.
    parameters : dict of str to object

    Returns
    -------
    dict of str to object
        Ready for JSON. Names of folders are left out.

    Examples
    --------
    >>> told = provenance(notebooks.find("report"), {"images": "phantom"}, {"images": "phantom", "title": "A head"})
    >>> told["command"]
    "skullmask report phantom -p 'title=A head' -o report"
    """
    shown = {name: source if datasets.is_name(source) else Path(source).name for name, source in inputs.items()}
    shown |= {name: f"FOLDER_OF_{name.upper()}" for name, source in inputs.items() if Path(source).is_dir()}
    command = ["skullmask", "report", shown["images"], *(("--truth", shown["truth"]) if "truth" in shown else ())]
    if notebook.stem != "report":
        command += ["--notebook", notebook.stem]
    for name, value in parameters.items():
        if name not in (*inputs, "save"):
            command += ["-p", f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}"]
    required = [requirement for requirement in metadata.requires("skullmask") if "extra ==" not in requirement]
    packages = {name: _installed(name) for name in sorted(re.match(r"[\w-]+", r)[0] for r in required)}
    return {
        "command": shlex.join([*command, "-o", "report"]),
        "inputs": {name: {"name": shown[name], "sha256": sha256(source)} for name, source in inputs.items()},
        "parameters": notebooks.parameters(notebook) | parameters | shown,
        "notebook": {"name": notebook.name, "sha256": sha256(notebook)},
        "skullmask": library(),
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": packages | {"opencv-python": cv2.__version__},
    }


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def library() -> str:
    """Name the version of this library, and the commit where it runs from a clone.

    Returns
    -------
    str

    Examples
    --------
    >>> library().split()[0] == _installed("skullmask")
    True
    """
    clone = registry.project_folder("notebooks").parent
    asked = ["git", "-C", str(clone), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    commit = ""
    if (clone / ".git").exists() and shutil.which("git"):
        commit = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return f"{_installed('skullmask')}{commit and f' (commit {commit})'}"


def sha256(source: str | Path) -> str | None:
    """Hash a file, or the names and hashes of a folder's files.

    Parameters
    ----------
    source : str or path

    Returns
    -------
    str or None
        None for a phantom, which is made anew.

    Examples
    --------
    >>> sha256("phantom") is None, len(sha256(notebooks.find("report")))
    (True, 64)
    """
    if datasets.is_name(source):
        return None if source in datasets.PHANTOMS else registry.originals()[source].sha256
    path = Path(source)
    if path.is_dir():
        files = "".join(f"{sha256(file)} {file.name}\n" for file in sorted(path.iterdir()) if file.is_file())
        return hashlib.sha256(files.encode()).hexdigest()
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _told(told: dict[str, object]) -> str:
    """Set the provenance as Markdown."""
    rows = [
        (name, f"{given['name']}, sha256 {given['sha256'] or '– (made anew)'}")
        for name, given in told["inputs"].items()
    ]
    rows += [(name, told[name]) for name in ("skullmask", "made", "seconds", "python", "system") if told[name]]
    rows += [("packages", ", ".join(f"{name} {version}" for name, version in told["packages"].items() if version))]
    rows += [("parameters", ", ".join(f"{name} = {value!r}" for name, value in told["parameters"].items()))]
    table = plots.table([(name, str(value)) for name, value in rows], ("what", "value")).data
    return f"## Provenance\n\n{table}\n\nTo make it again:\n\n```\n{told['command']}\n```"


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
        for lesson in notebooks.lessons():
            executed.append(temporary.with_name(lesson.name))
            try:
                execute(lesson, executed[-1])
            except RuntimeError as error:
                raise RuntimeError(f"{error}{_keep(executed[-1], folder / f'failed_{lesson.name}')}") from None
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
