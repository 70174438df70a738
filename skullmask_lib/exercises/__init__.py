"""The exercises of the lessons: how answers are checked, and texts that open on a click.

`checking` judges an answer, `definitions` says what an exercise is, and each lesson has a module
with its exercises. The questions stand in the lessons, the answers in ``notebooks/solutions``.
"""

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
