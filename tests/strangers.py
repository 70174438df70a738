"""Processes of a user whom the system does not know, who has no home, as in some containers."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from commands import SKULLMASK

HOUSE = Path(__file__).parents[1]
NOBODY = """
import os, pwd
os.environ.pop("HOME", None)
def unknown(_):
    raise KeyError("uid not found")
pwd.getpwuid = unknown
"""
CAPABILITIES = (
    "--inh-caps",
    "+dac_read_search",
    "--ambient-caps",
    "+dac_read_search",
)  # reads all, writes nothing


def homeless(folder, library=HOUSE):
    """Give an environment in which the system knows neither a home nor the user, for processes of our own."""
    site = folder / "homeless"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NOBODY, encoding="utf-8")
    environment = {"PYTHONPATH": os.pathsep.join([str(site), str(library)])}
    code = "from pathlib import Path; Path.home()"
    told = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | environment, capture_output=True, check=False
    )
    assert b"Could not determine home directory" in told.stderr
    return environment


@contextlib.contextmanager
def stranger(folder, library=HOUSE):
    """Give an empty folder for all, and a function that starts a command there as a user whom nobody knows.

    Only root can become somebody else; otherwise it is simulated. ``folder`` takes what that needs, and the
    command is that of the library which lies in ``library``.
    """
    become = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", *CAPABILITIES]
    environment = {
        name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")
    }
    probe = [*become, sys.executable, "-c", "pass"]
    if (
        not shutil.which("setpriv")
        or subprocess.run(probe, capture_output=True, check=False).returncode
    ):
        become, environment = [], environment | homeless(folder, library)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as empty:
        os.chmod(empty, 0o777)

        def start(*arguments):
            return subprocess.Popen(
                [*become, *SKULLMASK, *arguments],
                cwd=empty,
                env={"PYTHONPATH": str(library)} | environment | {"TMPDIR": empty},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

        yield Path(empty), start
