"""The one way a notebook is run, the pages made of executed notebooks, and reports on own slices."""

import base64
import contextlib
import csv
import html
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import LocalHandler

from . import cohorts, datasets, nifti, notebooks, outputs, plots, surroundings, texts
from .masks import InputError, check_slice
from .provenance import as_markdown, contents, provenance
from .sweep import LADDER_HEADER, parse_range, phantom_ladder
from .versions import VERSIONS, options_of

# For every file that it reads or writes papermill goes to a folder it remembers, and takes all other threads with it
LocalHandler.cwd = lambda *_: None
_DILATING = [name for name in VERSIONS if "dilation_size" in options_of(name)]
SERIES = "series"  # stands for the name of a folder, which a report keeps to itself
_kernels: weakref.WeakSet = weakref.WeakSet()


class _ThisInterpreter(AsyncKernelManager):
    """Starts kernels with the running interpreter, whatever kernels are installed on the machine."""

    def __init__(self, **options):
        super().__init__(**options)
        _kernels.add(self)

    async def start_kernel(self, **options):
        options |= {"env": surroundings.for_kernels(options.get("env"))}
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}  # cells print another way
        return await super().start_kernel(**options, **silent)

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

    It sees every docstring, and matplotlib's default settings instead of the user's, see `surroundings.for_kernels`.
    A ``matplotlibrc`` in the folder where it runs still counts.

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
        finally:
            if threading.current_thread() is not threading.main_thread():
                ensure_event_loop().close()  # that of this thread, which nobody else would close
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
    with outputs.replacing(notebook) as temporary:
        nbformat.write(_clean(nbformat.read(execute(notebook, temporary), as_version=4)), temporary)


def _clean(executed: nbformat.NotebookNode, *secret: str | Path) -> nbformat.NotebookNode:
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
            data = made.get("data", {})
            data.pop("application/vnd.jupyter.widget-view+json", None)
            for place in (made, data):
                for name in set(place) - _KEPT:
                    place[name] = _scrubbed(place[name], secret)
    return executed


_KEPT = {"data", "output_type", "image/png", "image/jpeg"}  # of an output, as it is
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_POSIX_FOLDERS = re.compile(r"(?:file://|~|…|(?<![\w.~…/<+]))/(?:[^\s/\\\"'<>|*?()]+/)+")
_SIGNS = r"\\/:\"'<>|*?"  # that no name of a file on Windows holds
_PART = rf"(?:[^{_SIGNS}\r\n\t]*[^{_SIGNS}\s]\\+|[^{_SIGNS}\s]+/+)"  # of a path; before \ it may hold spaces
_WINDOWS_FOLDERS = re.compile(rf"(?:\b[A-Za-z]:[\\/]+|(?<![\w\\:])\\\\+[\w.$-]+\\+){_PART}*")


def _scrubbed(value: object, secret: Sequence[str | Path]) -> object:
    """Take folders and control characters out of a text, and out of all texts in a list or dict."""
    if isinstance(value, str):
        text = pathless(_COLOURS.sub("", value), *secret)
        return re.sub(r"[^\n\t]+", lambda found: texts.plain(found[0]), text)
    if isinstance(value, list):
        return [_scrubbed(part, secret) for part in value]
    if isinstance(value, dict):
        return type(value)({name: _scrubbed(part, secret) for name, part in value.items()})
    return value


def pathless(text: str, *secret: str | Path) -> str:
    r"""Take the folders out of a text.

    Parameters
    ----------
    text : str
    *secret : str or path
        Folders whose names may hold spaces, and the like: these are found as they are.

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
    for name in _spellings(secret):
        text = re.sub(rf"{re.escape(name)}(?!\w)", "…", text)
    return _POSIX_FOLDERS.sub("…/", _WINDOWS_FOLDERS.sub("…/", text))


def _spellings(secret: Sequence[str | Path]) -> list[str]:
    """Give how the names of folders may be written in a text, the longest first."""
    known = {Path.home(), Path.cwd(), Path(sys.prefix), Path(sys.base_prefix), *secret}
    known.add(Path(tempfile.gettempdir()))
    names = set()
    for folder in known:
        for written in (folder, Path(folder).absolute(), Path(folder).resolve()):
            name = str(written)
            if "/" in name.rstrip("/") or "\\" in name.rstrip("\\"):
                names |= {name, name.replace("\\", "\\\\")}  # as Python's repr writes it
    return sorted(names, key=len, reverse=True)


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
    whole.metadata["title"] = name
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
    "content=\"default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'\">"
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

    Names of files get into the report; names of folders do not, and of a file's header nothing but its geometry. The
    slices of a DICOM series are therefore called ``series[0]`` and so on.

    Parameters
    ----------
    images : str or path
        See `datasets.load`.
    folder : str or path
        Missing, empty or an earlier report, which is replaced as a whole. Takes ``report.html``, one file that opens
        without a network, ``report.ipynb``, ``provenance.json``, and what the notebook writes: ``report`` writes
        ``scores.csv`` and the masks.
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
        If a cell fails; what ran is kept in a folder beside, ``…_failed``, and named in the message.

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
    beside = folder.with_name(f"{folder.name}_failed")
    for place in (folder, beside):
        _check_ours(place)
    files = {name: path for name, path in given.items() if os.sep in str(path) and Path(str(path)).is_file()}
    told, started = provenance(notebook, inputs | files, given), time.monotonic()
    named = [cohorts.prefixed(value)[1] for value in inputs.values()]
    secret = [folder, *named, *(Path(value).parent for value in (folder, notebook, *named, *files.values()))]
    with tempfile.TemporaryDirectory(prefix="skullmask-") as elsewhere, outputs.replacing(folder, over=True) as made:
        made.mkdir()
        ran, work = Path(elsewhere, "report.ipynb"), made.with_name("work")
        work.mkdir()
        links = {name: _link(work, name, source) for name, source in (inputs | files).items()}
        try:
            execute(
                notebook, ran, parameters=given | links, timeout_s=timeout_s, folder=work, progress_bar=progress_bar
            )
            for path in {*work.iterdir()} - {work / name for name in links}:
                os.replace(path, made / path.name)
            whole = _clean(nbformat.read(ran, as_version=4), *secret)
            told["seconds"] = round(time.monotonic() - started, 1)
            whole.cells.append(nbformat.v4.new_markdown_cell(as_markdown(told)))
            _bind(whole, made, str(given.get("title") or ""), told)
        except (RuntimeError, OSError) as error:
            for place in (work, made):  # makes room where the disk is full
                shutil.rmtree(place)
            full = isinstance(error, OSError)
            said = f"{folder}: cannot be written ({error.strerror})" if full else error
            raise (InputError if full else RuntimeError)(f"{said}{_keep(ran, beside, told, secret)}") from None
    shutil.rmtree(beside, ignore_errors=True)
    return folder / "report.html"


def scores(folder: Path) -> list[dict]:
    """Read the scores of every slice from a report.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of dict
        Column to number, and ``name`` to the slice's name. Empty where there is no ``scores.csv`` of that kind.

    Examples
    --------
    >>> scores(Path("missing"))
    []
    """
    try:
        with open(folder / "scores.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [{key: value if key == "name" else float(value) for key, value in row.items()} for row in rows]
    except (OSError, ValueError, TypeError):
        return []


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
    for name in {"images", "truth", "save"} & set(parameters):
        raise InputError(
            f"{notebook.name}: {name} is not chosen as a parameter: images and truth have a place of their own"
        )
    given = inputs | parameters | ({"save": True} if "save" in notebooks.parameters(notebook) else {})
    if isinstance(given.get("version"), list):
        given["version"] = ",".join(map(str, given["version"]))
    notebooks.check(notebook, given)
    _check_differ(notebook, given)
    slices, channel = given.get("slices"), given.get("channel")
    data = datasets.load(
        inputs["images"],
        truth=inputs.get("truth"),
        channel=channel if isinstance(channel, int) and channel >= 0 else None,
        slices=parse_range(slices, low=0) if isinstance(slices, str) and slices else None,
    )
    if data.truth is None and notebook in notebooks.lessons() and "slice_index" in notebooks.parameters(notebook):
        raise InputError(
            f"{inputs['images']}: brings no truth, and {notebook.name} measures; name the true masks as well"
        )
    for name, most in (("slice_index", len(data.names) - 1), ("dilation_size", min(data.images.shape[1:]))):
        value = (notebooks.parameters(notebook) | given).get(name)
        if isinstance(value, int) and value > most:
            raise InputError(f"{notebook.name}: expected {name} up to {most} for {inputs['images']}, got {value}")
    for name, image in zip(data.names, data.images, strict=True):
        try:
            check_slice(image)
            name.encode()
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        except UnicodeEncodeError:
            raise InputError(f"{name!a}: expected a name in UTF-8") from None
    return given


def _check_differ(notebook: Path, given: dict[str, object]) -> None:
    """Refuse versions side by side that a width makes one and the same."""
    chosen = str(given.get("version", "")).lower().split(",")
    same = [name for name in dict.fromkeys(chosen) if name in _DILATING]
    width = given.get("dilation_size")
    if width and len(same) > 1:
        raise InputError(
            f"{notebook.name}: {', '.join(same)} differ in their width alone, and are the same with "
            f"dilation_size={width}; name one of them, or leave dilation_size out"
        )


def _check_ours(folder: Path) -> None:
    """Refuse a folder with anything in it but an earlier report, as it was made: it would be replaced as a whole."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file, and a report is a folder; choose another name")
    found = {path.name: contents(path) for path in folder.iterdir() if path.name != "provenance.json"}
    try:
        made = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, TypeError, KeyError):
        made = {}
    for name, digest in found.items():
        if not isinstance(made, dict) or made.get(name) != digest:
            raise InputError(
                f"{folder}: holds {name}, which no report wrote or which was changed; choose another folder"
            )


def _link(work: Path, name: str, source: str) -> str:
    """Put an input into the folder where the notebook runs, so that no other folder needs to be named."""
    if datasets.is_name(source):
        return source
    prefix, path = cohorts.prefixed(source)
    link = work / name / (SERIES if path.is_dir() else path.name)
    link.parent.mkdir(exist_ok=True)
    try:
        link.symlink_to(path.absolute())
    except OSError:  # on Windows not everybody may
        _copy(source, path, link)
    return f"{prefix}{link.relative_to(work).as_posix()}"


def _copy(source: str, path: Path, copy: Path) -> None:
    """Put what an input is read from somewhere else, without a second copy on disk where that goes."""
    if not path.is_dir():
        for file in nifti.files(path):
            _copy_file(file, copy.with_name(file.name))
        return
    for file in datasets.files_in(source):
        folder = path.absolute()
        if not file.absolute().is_relative_to(folder):
            folder = path.resolve()
        place = copy / file.absolute().relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        _copy_file(file, place)


def _copy_file(path: str | Path, copy: str | Path) -> None:
    try:
        os.link(os.path.realpath(path), copy)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(path, copy)


def _bind(
    whole: nbformat.NotebookNode, folder: Path, title: str, told: dict[str, object], *, page: bool = True
) -> None:
    """Write an executed notebook, its page, and what it was made from with the hashes of all files."""
    heading = next((cell for cell in whole.cells if cell.source.startswith("# ")), None)
    if title and heading:
        heading.source = f"# {texts.inert(title)}\n{heading.source.partition(chr(10))[2]}"
    nbformat.write(whole, folder / "report.ipynb")
    name = texts.plain(title) or notebooks.title(folder / "report.ipynb")
    if page:
        _write_page(_chapter(folder / "report.ipynb", 0, {})[1:], folder / "report.html", name, top=_TOGGLE)
    files = {path.name: contents(path) for path in sorted(folder.iterdir())}
    text = json.dumps(told | {"files": files}, indent=2, ensure_ascii=False)
    (folder / "provenance.json").write_text(text + "\n", encoding="utf-8")


def _keep(ran: Path, folder: Path, told: dict[str, object], secret: Sequence[str | Path] = ()) -> str:
    """Keep what ran of a notebook as a report of its own, up to where it failed, and say where."""
    try:
        whole = _clean(nbformat.read(ran, as_version=4), *secret)
    except (OSError, ValueError, AttributeError):  # not even the notebook could be written
        return ""
    last = max((place for place, cell in enumerate(whole.cells) if cell.get("execution_count")), default=0)
    whole.cells = whole.cells[: last + 1]
    for page in (True, False):  # the notebook alone where the disk is full
        with contextlib.suppress(InputError), outputs.replacing(folder, over=True) as temporary:
            temporary.mkdir()
            _bind(whole, temporary, "", told, page=page)
            return f"; what ran is in {folder / 'report.ipynb'}"
    return f"; what ran is in {shutil.copy(ran, tempfile.mkdtemp(prefix='skullmask-'))}"


def demo(folder: str | Path, *, progress: Callable[[str], object] | None = None) -> Path:
    """Run the lessons of the journey on the phantom and bind them, the ladder on top, into ``index.html``.

    Parameters
    ----------
    folder : str or path
        Made if missing; a page that is there already is replaced.
    progress : callable, optional
        Called with the name of each lesson before it runs.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If the folder cannot be written, or its folder ``failed`` holds anything but what ran of an earlier demo.
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
    _check_ours(folder / "failed")
    if not folder.exists():
        with outputs.replacing(folder) as temporary:
            temporary.mkdir()
    with outputs.replacing(folder / "index.html") as temporary:
        executed = []
        for lesson in notebooks.journey():
            executed.append(temporary.with_name(lesson.name))
            if progress:
                progress(lesson.stem)
            try:
                execute(lesson, executed[-1], folder=temporary.parent)
            except RuntimeError as error:
                raise RuntimeError(f"{error}{_keep(executed[-1], folder / 'failed', {})}") from None
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
