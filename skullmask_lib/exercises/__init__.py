"""The exercises of the lessons: how answers are checked, and texts that open on a click.

`checking` judges an answer, `definitions` says what an exercise is, and each lesson has a module
with its exercises. The questions stand in the lessons, the answers in ``notebooks/solutions``.
"""

import inspect
import textwrap
from collections.abc import Callable

from IPython.display import Markdown


def fold(summary: str, text: str) -> Markdown:
    """Hide a text behind its summary until the reader clicks on it.

    Parameters
    ----------
    summary : str
        The line that is always visible.
    text : str
        Markdown.

    Returns
    -------
    Markdown

    Examples
    --------
    >>> print(fold("Answer to (a)", "No: the bone is missing.").data)
    <details><summary>Answer to (a)</summary>
    <BLANKLINE>
    No: the bone is missing.
    <BLANKLINE>
    </details>
    """
    return Markdown(f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>")


def answer(summary: str, solution: Callable[..., object], text: str) -> Markdown:
    """Show the code of a solution and what came of it, behind a fold.

    The code shown is the code that the cell ran, so the two cannot differ.

    Parameters
    ----------
    summary : str
        The line that is always visible.
    solution : callable
        A function defined in a cell or a file.
    text : str
        Markdown: the value to expect, and why.

    Returns
    -------
    Markdown

    Examples
    --------
    >>> shown = answer("Modify", fold, "Expect two lines.")
    >>> "def fold(summary" in shown.data, "Expect two lines." in shown.data
    (True, True)
    """
    code = textwrap.dedent(inspect.getsource(solution)).rstrip()
    return fold(summary, f"```python\n{code}\n```\n\n{text}")
