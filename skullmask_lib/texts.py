"""How names from files are shown: in a terminal, a table, a page; and many of them briefly.

A file's name, and the names of slices in it, may hold anything: escape codes, formulas, Markdown.
Each function here makes such a text harmless for one place. Nothing here opens a file.
"""

import re
import unicodedata
from collections.abc import Iterable

_ASCII = {
    "…": "...", "×": "x", "·": "-", "–": "-", "—": "-", "−": "-", "→": "->", "≤": "<=", "≥": ">=",
    "‘": "'", "’": "'", "“": '"', "”": '"', "²": "2", "³": "3", "°": "deg", "\N{NO-BREAK SPACE}": " ",
}  # fmt: skip
_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # show letters in another order
_FORMULA = re.compile(r"(^|;)(\s*[=+\-@＝＋－＠])")  # a semicolon may end a cell, too
_MARKUP = re.compile(  # brackets alone are none, but [text](…), [text][…] and [text]: …
    r"[&<|`$\\@]|!(?=\[)|\[(?![^\[\]]*\](?![(\[:]))|://|\bwww\.", re.IGNORECASE
)
_NUMBER = re.compile(r"([0-9]+)")


def stand_in(error: UnicodeError) -> tuple[str, int]:
    r"""Put readable ASCII in the place of what an encoding lacks; for `codecs.register_error`.

    Parameters
    ----------
    error : UnicodeEncodeError

    Returns
    -------
    text : str
    end : int
        Where to go on.

    Raises
    ------
    UnicodeError
        If something else is wrong than that a sign cannot be encoded.

    Examples
    --------
    >>> stand_in(UnicodeEncodeError("ascii", "1 …中", 2, 4, "not in range"))
    ('...\\u4e2d', 4)
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    return "".join(_ASCII.get(sign) or _escaped(sign) for sign in missing), error.end


def _escaped(sign: str) -> str:
    r"""Write a sign as ``\x1b`` or ``\u4e2d``; a byte that was no text as that byte, ``\xff``."""
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
        Can be encoded as UTF-8.

    Examples
    --------
    >>> plain("a\nb\x1b[2J")
    'a b\\x1b[2J'
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(_visible(sign) for sign in _BREAKS.sub(" ", text))


def _visible(sign: str) -> str:
    harmful = unicodedata.category(sign) in ("Cc", "Cs") or _TURNS.match(sign)
    return _escaped(sign) if harmful else sign


def csv_text(text: object) -> str:
    r"""Make a text harmless in a cell of a CSV file: no spreadsheet takes it for a formula.

    Not for numbers.

    Parameters
    ----------
    text : object

    Returns
    -------
    str
        As `plain` gives it, with an apostrophe before what would begin a formula.

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
    r"""Make a text harmless in Markdown and HTML: no link, picture, tag, formula or cell of a table.

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
    return _MARKUP.sub(_entity, " ".join(plain(text).split()))


def _entity(found: re.Match) -> str:
    special = {"&": "&amp;", "<": "&lt;", "|": "\\|", "://": "&#58;//"}
    text = found[0]
    if text in special:
        return special[text]
    if text in "$\\":  # MathJax looks at the finished page, but not across tags
        return f"<span>&#{ord(text)};</span>"
    return f"&#{ord(text)};" if len(text) == 1 else f"{text[:-1]}&#46;"


def grouped(remarks: Iterable[str]) -> list[str]:
    """Say what holds for many slices once; runs of slices are named by their ends.

    Parameters
    ----------
    remarks : iterable of str
        Each a name, a colon and a text, or a text alone.

    Returns
    -------
    list of str

    Examples
    --------
    >>> grouped(["a[0]: dark", "a[1]: dark", "b: empty"])
    ['a[0] … a[1]: dark', 'b: empty']
    """
    groups: dict[str, list[str]] = {}
    for remark in dict.fromkeys(remarks):
        name, colon, text = remark.partition(": ")
        groups.setdefault(text if colon else remark, []).append(name if colon else "")
    lines = []
    for text, names in groups.items():
        lines.append(f"{', '.join(spans(names))}: {text}".removeprefix(": "))
    return lines


def spans(names: Iterable[str]) -> list[str]:
    """Name many slices briefly: of a run only its ends.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    list of str
        A run is two names or more that differ in one number, which goes up by one.

    Examples
    --------
    >>> spans(["a.npy[3]", "a.npy[4]", "a.npy[5]", "a.npy[9]", "b.png"])
    ['a.npy[3] … a.npy[5]', 'a.npy[9]', 'b.png']
    >>> spans(["slice_9.png", "slice_10.png", "slice_11.png"])
    ['slice_9.png … slice_11.png']
    """
    runs: list[tuple[list[str], int | None]] = []
    for name in names:
        last, place = runs[-1] if runs else ([], None)
        counted = _counted(last[-1], name) if last else None
        if counted is not None and place in (None, counted):
            runs[-1] = ([last[0], name], counted)
        else:
            runs.append(([name], None))
    return [" … ".join(ends) for ends, _ in runs]


def _counted(before: str, name: str) -> int | None:
    """Tell which number of a name is one higher than before, if nothing else differs."""
    old = _NUMBER.split(before)
    new = _NUMBER.split(name)
    if len(old) != len(new) or name.isdecimal():
        return None
    differing = [place for place in range(len(new)) if old[place] != new[place]]
    if len(differing) != 1:
        return None
    [place] = differing
    if place % 2 == 0:  # words differ
        return None
    follows = str(int(old[place]) + 1).zfill(len(old[place]))
    return place if new[place] == follows else None
