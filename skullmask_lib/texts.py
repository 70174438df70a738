"""Names from files, shown safely in a terminal, a table or a page, and shortened if there are many.

A file's name, and the names of slices in it, may contain anything: escape codes, formulas,
Markdown. Each function here makes such a text harmless for one place. Nothing here opens a file.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from .errors import InputWarning

_ASCII = {
    "…": "...", "×": "x", "·": "-", "–": "-", "—": "-", "−": "-", "→": "->", "≤": "<=", "≥": ">=",
    "‘": "'", "’": "'", "“": '"', "”": '"', "²": "2", "³": "3", "°": "deg",
    "\N{NO-BREAK SPACE}": " ",
}  # fmt: skip
_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # show letters in another order
_FORMULA = re.compile(r"(^|;)(\s*[=+\-@＝＋－＠])")  # a semicolon may end a cell, too
_MARKUP = re.compile(  # brackets alone are none, but [text](…), [text][…] and [text]: …
    r"[&<|`$\\@]|!(?=\[)|\[(?![^\[\]]*\](?![(\[:]))|://|\bwww\."
    r"|([*~])(?=.*\1)"  # one alone emphasises nothing
    r"|(?<![^\W_])_|_(?![^\W_])",  # within a word it is an underscore
    re.IGNORECASE,
)
_NUMBER = re.compile(r"([0-9]+)")


def stand_in(error: UnicodeError) -> tuple[str, int]:
    r"""Replace what an encoding lacks by readable ASCII; for `codecs.register_error`.

    Parameters
    ----------
    error : UnicodeEncodeError

    Returns
    -------
    text : str
    end : int
        Where encoding goes on.

    Raises
    ------
    UnicodeError
        If the error is not about encoding.

    Examples
    --------
    >>> stand_in(UnicodeEncodeError("ascii", "1 …中", 2, 4, "not in range"))
    ('...\\u4e2d', 4)
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = ""
    for sign in error.object[error.start : error.end]:
        text += _ASCII.get(sign) or _escaped(sign)
    return text, error.end


def _escaped(sign: str) -> str:
    r"""Write a sign as ``\x1b`` or ``\u4e2d``, and a byte that is no text as ``\xff``."""
    if "\udc80" <= sign <= "\udcff":
        return f"\\x{ord(sign) - 0xDC00:02x}"
    if sign.isascii():
        return f"\\x{ord(sign):02x}"
    return sign.encode("ascii", "backslashreplace").decode()


def plain(text: object) -> str:
    r"""Make a text harmless in a terminal: one line, in which control characters are visible.

    Parameters
    ----------
    text : object

    Returns
    -------
    str
        It can be encoded as UTF-8.

    Examples
    --------
    >>> plain("a\nb\x1b[2J")
    'a b\\x1b[2J'
    """
    text = str(text)
    if text.isprintable():
        return text
    one_line = _BREAKS.sub(" ", text)
    return "".join(map(_visible, one_line))


def of_error(error: BaseException) -> str:
    r"""Return the message of an error in one line, or its type where it has no message.

    Parameters
    ----------
    error : BaseException

    Returns
    -------
    str

    Examples
    --------
    >>> of_error(OSError("no\nroute")), of_error(TimeoutError())
    ('no route', 'TimeoutError')
    """
    return " ".join(str(error).split()) or type(error).__name__


def _visible(sign: str) -> str:
    is_control = unicodedata.category(sign) in ("Cc", "Cs")
    if is_control or _TURNS.match(sign):
        return _escaped(sign)
    return sign


def csv_text(text: object) -> str:
    r"""Make a text harmless in a cell of a CSV file, so that no spreadsheet runs it as a formula.

    Numbers must be written without it: a minus sign looks like a formula.

    Parameters
    ----------
    text : object

    Returns
    -------
    str
        As from `plain`, with an apostrophe before what would begin a formula.

    References
    ----------
    OWASP, "CSV Injection".

    Examples
    --------
    >>> csv_text("=1+1.png"), csv_text("head-1.png")
    ("'=1+1.png", 'head-1.png')
    """
    return _FORMULA.sub(r"\1'\2", plain(text))


def inert(text: object) -> str:
    r"""Make a text harmless in Markdown and HTML: no link, picture, tag, emphasis, formula or cell.

    Parameters
    ----------
    text : object

    Returns
    -------
    str
        One line.

    Examples
    --------
    >>> inert("a|b\n<form>")
    'a\\|b &lt;form>'
    >>> inert("width [px] of head.npy[3]"), inert("![x](y)")
    ('width [px] of head.npy[3]', '&#33;&#91;x](y)')
    """
    words = plain(text).split()
    return _MARKUP.sub(_entity, " ".join(words))


_ENTITIES = {"&": "&amp;", "<": "&lt;", "|": "\\|", "://": "&#58;//"}


def _entity(match: re.Match) -> str:
    """Write what would be markup as an entity."""
    text = match[0]
    if text in _ENTITIES:
        return _ENTITIES[text]
    if text in "$\\":  # MathJax reads the finished page, but not across tags
        return f"<span>&#{ord(text)};</span>"
    if len(text) == 1:
        return f"&#{ord(text)};"
    return f"{text[:-1]}&#46;"  # www.


def counted(count: int, noun: str) -> str:
    """Count things in words.

    Parameters
    ----------
    count : int
    noun : str
        Of one of them, with a regular plural.

    Returns
    -------
    str

    Examples
    --------
    >>> counted(1, "mask"), counted(2, "mask")
    ('1 mask', '2 masks')
    """
    plural = "" if count == 1 else "s"
    return f"{count} {noun}{plural}"


def grouped(remarks: Iterable[Warning]) -> list[str]:
    """Join equal remarks on many slices; runs of slices are named by their ends.

    Parameters
    ----------
    remarks : iterable of Warning
        An `InputWarning` names the slice.

    Returns
    -------
    list of str

    Examples
    --------
    >>> grouped([InputWarning("dark", where=name) for name in ("a[0]", "a[1]", "b")])
    ['a[0] … a[1], b: dark']
    """
    groups: dict[str, dict[str, None]] = {}  # names in their order, each once
    for remark in remarks:
        text = str(remark)
        name = ""
        if isinstance(remark, InputWarning):
            text = remark.message
            name = remark.where or ""
        groups.setdefault(text, {})[name] = None
    lines = []
    for text, names in groups.items():
        joined = ", ".join(spans(filter(None, names)))
        lines.append(f"{joined}: {text}" if joined else text)
    return lines


def spans(names: Iterable[str]) -> list[str]:
    """Name many slices briefly: runs are named by their ends.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    list of str
        A run consists of two or more names that differ in one number, which goes up by one.

    Examples
    --------
    >>> spans(["a.npy[3]", "a.npy[4]", "a.npy[5]", "a.npy[9]", "b.png"])
    ['a.npy[3] … a.npy[5]', 'a.npy[9]', 'b.png']
    >>> spans(["slice_9.png", "slice_10.png", "slice_11.png"])
    ['slice_9.png … slice_11.png']
    """
    runs: list[_Run] = []
    for name in names:
        place = _place_of_successor(runs[-1].last, name) if runs else None
        if place is not None and runs[-1].place in (None, place):
            runs[-1] = runs[-1]._replace(last=name, place=place)
        else:
            runs.append(_Run(name, name))
    return [run.first if run.place is None else f"{run.first} … {run.last}" for run in runs]


class _Run(NamedTuple):
    """Names that differ in one number."""

    first: str
    last: str
    place: int | None = None  # of that number; None for a single name


def _place_of_successor(before: str, name: str) -> int | None:
    """Find the number of a name that is one higher than in the name before.

    None if anything else differs.
    """
    old = _NUMBER.split(before)
    new = _NUMBER.split(name)
    if len(old) != len(new) or name.isdecimal():
        return None
    differing = [place for place in range(len(new)) if old[place] != new[place]]
    if len(differing) != 1:
        return None
    [place] = differing
    is_word = place % 2 == 0
    if is_word:
        return None
    follows = str(int(old[place]) + 1).zfill(len(old[place]))
    if new[place] != follows:
        return None
    return place
