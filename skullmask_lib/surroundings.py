"""What a process must not depend on: a home, the terminal's encoding, matplotlib's settings.

Nothing here runs on import. The command line prepares its own process; `reports` and `explore`
prepare the kernels that they start.
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

# Where IPython, Jupyter and matplotlib write instead of the user's home
_CACHES = {
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "jupyter_config",
    "JUPYTER_DATA_DIR": "jupyter_data",
    "JUPYTER_RUNTIME_DIR": "jupyter_runtime",
    "MPLCONFIGDIR": "matplotlib",
}


def settle() -> None:
    """Let this process run without a home and write to a terminal of any encoding.

    If the home is missing or read-only, caches go to a temporary folder, which is removed at the
    end. What is written to a closed output goes nowhere. The user's settings of matplotlib are
    ignored: they may be damaged, and no picture depends on them.

    Examples
    --------
    >>> settle()
    """
    codecs.register_error("skullmask", texts.stand_in)
    if sys.stdout is None:
        sys.stdout = _nowhere()
    if sys.stderr is None:
        sys.stderr = _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="skullmask")
    os.environ.pop("MPLBACKEND", None)  # an unknown one stops the import; we need none
    _find_home()
    _settle_matplotlib()


def _nowhere() -> io.TextIOBase:
    """Open an output that drops what is written to it."""
    return open(os.devnull, "w", encoding="utf-8")


def _settle_matplotlib() -> None:
    """Let matplotlib start with its own defaults."""
    defaults = _matplotlibrc()
    os.environ["MATPLOTLIBRC"] = str(defaults)
    if os.path.lexists(defaults.name):  # a file in the working folder would come first
        with contextlib.chdir(defaults.parent):
            importlib.import_module("matplotlib")


def _matplotlibrc() -> Path:
    """Find the file of matplotlib's own defaults, without importing it."""
    package = importlib.util.find_spec("matplotlib")
    return Path(package.origin).with_name("mpl-data") / "matplotlibrc"


def _find_home() -> None:
    """If the home cannot be written, let caches go to a temporary folder."""
    home = _home()
    if home and home.is_dir() and os.access(home, os.W_OK):
        return
    folder = tempfile.mkdtemp(prefix="skullmask-home-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if home is None:
        os.environ["HOME"] = folder
        os.environ["USERPROFILE"] = folder  # the same on Windows
    for variable, name in _CACHES.items():
        os.environ.setdefault(variable, os.path.join(folder, name))


def _home() -> Path | None:
    """Find the user's home; None without HOME for a user whom the system does not know."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def for_kernels(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make an environment for a kernel in which no setting changes how pictures look.

    A ``matplotlibrc`` in the folder where the kernel runs still comes first.

    Parameters
    ----------
    environment : mapping of str to str, optional
        The environment of this process by default.

    Returns
    -------
    dict of str to str
        Without ``MPLBACKEND`` and ``PYTHONOPTIMIZE``. ``MATPLOTLIBRC`` names the file of
        matplotlib's own defaults.

    Examples
    --------
    >>> for_kernels({"MPLBACKEND": "nonsense", "LANG": "C"})["LANG"]
    'C'
    """
    if environment is None:
        environment = os.environ
    settled = dict(environment)
    settled.pop("MPLBACKEND", None)
    settled.pop("PYTHONOPTIMIZE", None)
    settled["MATPLOTLIBRC"] = str(_matplotlibrc())
    return settled
