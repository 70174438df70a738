"""Processes of a user whom the system does not know, who has no home, as in some containers."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from commands import SKULLMASK
from pages import HOUSE

NOBODY = """
import os, pwd
os.environ.pop("HOME", None)
def unknown(_):
    raise KeyError("uid not found")
pwd.getpwuid = unknown
"""
# May read all, and write nothing
CAPABILITIES = ("--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search")


def homeless(folder, library=HOUSE):
    """Give an environment in which our processes find neither a home nor the user."""
    site = folder / "homeless"
    site.mkdir()
    (site / "sitecustomize.py").write_text(NOBODY, encoding="utf-8")
    environment = {"PYTHONPATH": os.pathsep.join([str(site), str(library)])}
    code = "from pathlib import Path; Path.home()"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, check=False)
    assert b"Could not determine home directory" in done.stderr
    return environment


@contextlib.contextmanager
def stranger(folder, library=HOUSE):
    """Give a folder that is open to all, and a function that starts our command there as a stranger.

    Only root can become somebody else; otherwise it is simulated. ``folder`` takes what that needs,
    and the command is that of the library which lies in ``library``.
    """
    become = ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", *CAPABILITIES]
    environment = dict(os.environ)
    for name in ("HOME", "XDG_CACHE_HOME"):
        environment.pop(name, None)
    environment |= {"PYTHONPATH": str(library), "SKULLMASK_DATA": ""}
    if not _can_run([*become, sys.executable, "-c", "pass"]):
        become = []
        environment |= homeless(folder, library)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as empty:
        os.chmod(empty, 0o777)

        def start(*arguments):
            return subprocess.Popen(
                [*become, *SKULLMASK, *arguments],
                cwd=empty,
                env=environment | {"TMPDIR": empty},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

        yield Path(empty), start


def ended(process):
    """Wait for a process, and give what it printed and complained; one that hangs is killed."""
    try:
        return process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _can_run(command):
    if not shutil.which(command[0]):
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
