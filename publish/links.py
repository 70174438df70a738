"""Links of Markdown text, changed for readers outside of the clone.

Only text goes in and out; what a link leads to is decided by the callers.
"""

import posixpath
import re
from collections.abc import Callable
from pathlib import PurePosixPath

_CODE = r"`+[^`\n]*`+"
_TARGET = r"<[^<>\n]*>|[^\s()<](?:[^\s()]|\([^\s()]*\))*"
_TITLE = r"\s+(?:\"[^\"]*\"|'[^']*'|\([^()]*\))"
_PICTURE = rf"!\[[^\[\]]*\]\(\s*(?:{_TARGET})(?:{_TITLE})?\s*\)"

# Code comes first where it starts first, so links within code stay as they are. A picture can be
# the text of a link.
_TOKEN = re.compile(
    r"^```.*?^```$"
    rf"|!?\[(?P<text>(?:{_CODE}|{_PICTURE}|[^\[\]`])*)\]"
    rf"\((?P<before>\s*)(?P<target>{_TARGET})(?P<title>(?:{_TITLE})?\s*)\)"
    rf"|{_CODE}",
    re.MULTILINE | re.DOTALL,
)


def retarget(text: str, change: Callable[[str], str | None]) -> str:
    """Change the target of every link and picture of a Markdown text.

    Parameters
    ----------
    text : str
        Markdown. Links in code are left alone.
    change : callable
        Takes a target and returns the new one, or None to keep the words and drop the link. Of a
        picture, the description is kept.

    Returns
    -------
    str

    Examples
    --------
    >>> retarget("See [a](a.md), `[b](b.md)` and [c](c.md).", {"a.md": "A", "c.md": None}.get)
    'See [a](A), `[b](b.md)` and c.'
    >>> retarget('[![a](a.png)](b.md "c")', {"a.png": None, "b.md": "B"}.get)
    '[a](B "c")'
    """

    def changed(token: re.Match[str]) -> str:
        if token["target"] is None:
            return token[0]
        words = retarget(token["text"], change)
        target = change(token["target"].strip("<>"))
        if target is None:
            return words
        if token["target"].startswith("<"):
            target = f"<{target}>"
        start = "![" if token[0].startswith("!") else "["
        return f"{start}{words}]({token['before']}{target}{token['title']})"

    return _TOKEN.sub(changed, text)


def targets(text: str) -> list[str]:
    """List the targets of the links and pictures of a Markdown text.

    Examples
    --------
    >>> targets("See [a](a.md#b) and `[b](b.md)`.")
    ['a.md#b']
    >>> targets("[![a](a.png)](b.md)")
    ['a.png', 'b.md']
    """
    listed: list[str] = []

    def listing(target: str) -> str:
        listed.append(target)
        return target

    retarget(text, listing)
    return listed


def is_external(target: str) -> bool:
    """Return whether a link leads out of the project.

    Examples
    --------
    >>> is_external("https://example.org/"), is_external("docs/install.md")
    (True, False)
    """
    return target.startswith(("https://", "http://", "mailto:"))


def resolve(target: str, page: PurePosixPath) -> tuple[PurePosixPath, str]:
    """Follow a link from a page to a path in the project, and to an anchor.

    Parameters
    ----------
    target : str
        As the page has it. An anchor alone leads to the page itself.
    page : PurePosixPath
        Relative to the project, as the result.

    Returns
    -------
    path : PurePosixPath
    anchor : str
        Empty if there is none.

    Examples
    --------
    >>> resolve("../README.md#start", PurePosixPath("docs/install.md"))
    (PurePosixPath('README.md'), 'start')
    """
    path, _, anchor = target.partition("#")
    if not path:
        return page, anchor
    joined = posixpath.join(page.parent.as_posix(), path)
    return PurePosixPath(posixpath.normpath(joined)), anchor


def relative(path: PurePosixPath, page: PurePosixPath, anchor: str = "") -> str:
    """Write a link from a page to a path of the project.

    Examples
    --------
    >>> relative(PurePosixPath("index.md"), PurePosixPath("docs/install.md"), "start")
    '../index.md#start'
    """
    target = posixpath.relpath(path.as_posix(), page.parent.as_posix())
    if anchor:
        target += f"#{anchor}"
    return target


def slug(heading: str) -> str:
    """Write the anchor of a heading as GitHub and the site do.

    JupyterLab keeps capital letters and writes dashes for blanks; lessons link in its notation.

    Examples
    --------
    >>> slug("Where-it-fails")
    'where-it-fails'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
