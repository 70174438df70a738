"""What commands write to the terminal: lines, tables, warnings and progress.

Nothing here knows masks, scores or any particular command. Names that come from files are
made harmless by `texts` before they are printed.
"""

import contextlib
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence

from tqdm import tqdm

from .. import errors, texts

_DELAY_S = 2  # before a bar over slices shows: short runs need none


def say(*lines: object) -> None:
    r"""Print lines; a name in them cannot hold an escape code.

    Parameters
    ----------
    *lines : object

    Raises
    ------
    OSError
        If standard output takes no more, as on a full disk.

    Examples
    --------
    >>> say("written", "a\x1b[2J.npy")
    written
    a\x1b[2J.npy
    """
    with naming_output():
        for line in lines:
            print(texts.plain(line))


def say_table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> None:
    """Print a table, see `tables.text`.

    Parameters
    ----------
    rows : sequence of sequences
    header : sequence of str

    Examples
    --------
    >>> say_table([("v1", 0.5)], ("version", "IoU"))
    | version | IoU    |
    | :------ | -----: |
    | v1      | 0.5000 |
    """
    from .. import tables  # imports IPython

    table = tables.text(rows, header)
    say(*table.splitlines())


def complain(text: object) -> None:
    """Print one line on stderr, after the name of the program.

    Parameters
    ----------
    text : object
        Line breaks in it become spaces.

    Examples
    --------
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     complain("a.npy: the file is empty")
    skullmask: a.npy: the file is empty
    """
    words = str(text).split()
    line = texts.plain(" ".join(words))
    print(f"skullmask: {line}", file=sys.stderr)


def warn(source: str, text: str) -> None:
    """Warn of something about a file or a slice.

    Parameters
    ----------
    source : str
        Name of the file or slice.
    text : str

    Examples
    --------
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     warn("a.npy[3]", "too dark")
    >>> print(caught[0].message)
    a.npy[3]: too dark
    """
    warnings.warn(errors.InputWarning(text, where=source), stacklevel=2)


def collect_warnings() -> list[Warning]:
    """Keep all warnings from now on in a list instead of showing them.

    They are shown at the end, grouped: a run that fails then says nothing but its error.

    Returns
    -------
    list of Warning
        Grows with every warning.

    Examples
    --------
    >>> with warnings.catch_warnings():
    ...     collected = collect_warnings()
    ...     warn("a.npy[3]", "too dark")
    >>> collected
    [InputWarning('too dark', 'a.npy[3]')]
    """
    collected: list[Warning] = []

    def collect(message, *_details, **_streams) -> None:
        collected.append(message)

    warnings.showwarning = collect
    warnings.simplefilter("always", UserWarning)
    return collected


def show_warnings(collected: Iterable[Warning]) -> None:
    """Print warnings on stderr, those with the same text in one line.

    Parameters
    ----------
    collected : iterable of Warning

    Examples
    --------
    >>> remarks = [errors.InputWarning("too dark", where=name) for name in ("a[0]", "a[1]")]
    >>> with contextlib.redirect_stderr(sys.stdout):
    ...     show_warnings(remarks)
    skullmask: warning: a[0] … a[1]: too dark
    """
    for text in texts.grouped(collected):
        complain(f"warning: {text}")


@contextlib.contextmanager
def naming_output() -> Iterator[None]:
    """Make an error of writing to standard output name it.

    Raises
    ------
    OSError

    Examples
    --------
    >>> with naming_output():
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    ...
    OSError: [Errno 28] No space left on device: 'the output'
    """
    try:
        yield
    except BrokenPipeError:  # the reader went away, as head does
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, "the output") from None


def flush_output() -> None:
    """Write what is still buffered, so that a full disk is an error now and not at exit.

    Raises
    ------
    OSError

    Examples
    --------
    >>> flush_output()
    """
    with naming_output():
        sys.stdout.flush()


def abandon_full_output() -> None:
    """Send standard output nowhere if it takes no more; Python would fail to flush it at exit.

    Examples
    --------
    >>> abandon_full_output()
    """
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


def progress_bar(total: int, unit: str, items: Iterable | None = None) -> tqdm:
    """Show progress on stderr if that is a terminal.

    Parameters
    ----------
    total : int
    unit : str
        What is counted.
    items : iterable, optional
        What to iterate over; without it the caller moves the bar with ``update``.

    Returns
    -------
    tqdm

    Examples
    --------
    >>> list(progress_bar(2, "slice", "ab"))
    ['a', 'b']
    """
    delay_s = _DELAY_S if unit == "slice" else 0
    return tqdm(
        items,
        total=total,
        unit=unit,
        delay=delay_s,
        file=sys.stderr,
        disable=None,
        leave=False,
    )
