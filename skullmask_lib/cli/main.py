"""Run the command line: from the arguments to the exit code.

Errors become one line on stderr here. `commands` lists the commands.
"""

import logging
import os
import sys

import typer

from .. import surroundings
from ..errors import InputError
from . import terminal
from .commands import app
from .spacing_argument import split_spacing

_FAILED = 1
_WRONG_INPUT = 2
_INTERRUPTED = 130  # typer returns it after Ctrl-C, too
_UsageError = typer.BadParameter.__base__  # typer's own copy of click exports it by no name


def main(app: typer.Typer = app, program: str = "skullmask") -> None:
    """Run the command line and leave Python.

    Parameters
    ----------
    app : typer.Typer
        Its commands.
    program : str
        What to call it in help texts.

    Raises
    ------
    SystemExit
        With code 2 after one line on stderr if the user can mend what is wrong, with 1 if not.
    """
    surroundings.settle()
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # its remarks on odd headers
    code = _exit_code(app, program, sys.argv[1:])
    terminal.abandon_full_output()
    sys.exit(code)


def _exit_code(app: typer.Typer, program: str, arguments: list[str]) -> int | None:
    """Run a command; what it raises becomes one line on stderr and an exit code."""
    collected = terminal.collect_warnings()
    try:
        code = app(split_spacing(arguments), prog_name=program, standalone_mode=False)
        terminal.flush_output()
        if code != _INTERRUPTED:
            terminal.show_warnings(collected)
    except BrokenPipeError:  # the reader of our output went away, as head does
        return _FAILED
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except (_UsageError, InputError, OSError, MemoryError) as error:
        terminal.complain(_sentence(error, program))
        return _WRONG_INPUT
    except RuntimeError as error:
        terminal.complain(error)
        return _FAILED
    if code == _INTERRUPTED:
        terminal.complain("interrupted")
    return code


def _sentence(error: Exception, program: str) -> str:
    """Say in one line what is wrong, and with which file or argument."""
    if isinstance(error, _UsageError):
        return f"{error.format_message()} (see {program} --help)"
    if isinstance(error, MemoryError):
        advice = str(error) or "take fewer slices"
        return f"not enough memory: {advice}"
    if isinstance(error, OSError):
        return _system_error(error)
    return str(error)


def _system_error(error: OSError) -> str:
    """Say what went wrong with which file."""
    if not error.strerror:
        return str(error)
    files = [error.filename, error.filename2]
    names = [os.fsdecode(file) for file in files if file is not None]
    if not names:
        names = ["reading or writing"]
    return ": ".join([*names, error.strerror])
