"""Links hold outside of the clone: on the site, on Colab and in the students' zip."""

from pathlib import PurePosixPath

import pytest

from publish import links

PAGE = PurePosixPath("docs/results.md")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[a](b.md)", "[a](B.MD)"),
        ("![a figure\nof two lines](b.png)", "![a figure\nof two lines](B.PNG)"),
        ("[`sm.iou`](api.md) and `[a](b.md)`", "[`sm.iou`](API.MD) and `[a](b.md)`"),
        ("```\n[a](b.md)\n```\n[a](b.md)", "```\n[a](b.md)\n```\n[a](B.MD)"),
        ("`phantom[2]` (see [a](b.md))", "`phantom[2]` (see [a](B.MD))"),
        ("mask[0](x) stays code only in code", "mask[0](X) stays code only in code"),
    ],
)
def test_every_target_outside_of_code_is_changed(text, wanted):
    assert links.retarget(text, str.upper) == wanted


def test_a_dropped_link_leaves_its_words():
    assert links.retarget("See [the answers](a.ipynb).", lambda _: None) == "See the answers."


@pytest.mark.parametrize(
    ("target", "path", "anchor"),
    [
        ("glossary.md", "docs/glossary.md", ""),
        ("../README.md#start", "README.md", "start"),
        ("#the-ladder", "docs/results.md", "the-ladder"),
        ("../notebooks/../data/README.md", "data/README.md", ""),
    ],
)
def test_a_link_is_followed_and_written_again(target, path, anchor):
    followed = links.resolve(target, PAGE)
    assert followed == (PurePosixPath(path), anchor)
    assert links.resolve(links.relative(*[followed[0], PAGE, followed[1]]), PAGE) == followed
