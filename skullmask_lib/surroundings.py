"""What a process should not depend on: a home, the terminal's encoding, settings of matplotlib.

Nothing here is called on import: the command line settles its own process, and `reports` and
`serve` the kernels that they start.
"""

import atexit
import codecs
import contextlib
import importlib
import importlib.util
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from . import texts

_CACHES = {  # where IPython, Jupyter and matplotlib write, if not into the user's home
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "jupyter_config",
    "JUPYTER_DATA_DIR": "jupyter_data",
    "JUPYTER_RUNTIME_DIR": "jupyter_runtime",
    "MPLCONFIGDIR": "matplotlib",
}


def settle() -> None:
    """Let this process run without a home and write to a terminal of any encoding.

    Where the home is missing or cannot be written, caches go to a temporary folder, which is
    removed at the end. What is written to an output that is closed goes nowhere. The user's
    settings of matplotlib are not read: they may be damaged, and no picture depends on them.

    Examples
    --------
    >>> settle()
    """
    codecs.register_error("skullmask", texts.stand_in)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="skullmask")
    os.environ.pop("MPLBACKEND", None)  # an unknown one stops the import; we need none
    _find_home()
    _settle_matplotlib()


def _settle_matplotlib() -> None:
    """Let matplotlib start with its own defaults."""
    defaults = _matplotlibrc()
    os.environ["MATPLOTLIBRC"] = str(defaults)
    if os.path.lexists(defaults.name):  # one in the working folder comes before all
        with contextlib.chdir(defaults.parent):
            importlib.import_module("matplotlib")


def _matplotlibrc() -> Path:
    """Find the file of matplotlib's own defaults, without importing it."""
    package = importlib.util.find_spec("matplotlib")
    return Path(package.origin).with_name("mpl-data") / "matplotlibrc"


def _find_home() -> None:
    try:
        home = Path.home()
    except RuntimeError:  # no HOME, and a user whom the system does not know
        home = None
    if home and home.is_dir() and os.access(home, os.W_OK):
        return
    folder = tempfile.mkdtemp(prefix="skullmask-home-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if home is None:
        os.environ["HOME"] = folder
        os.environ["USERPROFILE"] = folder  # what Windows calls it
    for variable, name in _CACHES.items():
        os.environ.setdefault(variable, os.path.join(folder, name))


def for_kernels(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the environment of a kernel that makes pictures: nothing in it changes how they look.

    It cannot rule out a ``matplotlibrc`` in the folder where the kernel runs, which matplotlib reads first.

    Parameters
    ----------
    environment : mapping of str to str, optional
        That of this process by default.

    Returns
    -------
    dict of str to str
        Without ``MPLBACKEND`` and ``PYTHONOPTIMIZE``; ``MATPLOTLIBRC`` names the file of matplotlib's
        own defaults.

    Examples
    --------
    >>> for_kernels({"MPLBACKEND": "nonsense", "LANG": "C"})["LANG"]
    'C'
    """
    kept = dict(os.environ if environment is None else environment)
    for variable in ("MPLBACKEND", "PYTHONOPTIMIZE"):
        kept.pop(variable, None)
    return kept | {"MATPLOTLIBRC": str(_matplotlibrc())}
