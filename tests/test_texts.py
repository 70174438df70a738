"""Names that came from files are harmless where they are shown, and many of them are named briefly."""

import codecs
import csv
import io
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from skullmask_lib import texts

NAMES = st.text(st.characters(codec=None), max_size=12)
ENCODINGS = ("ascii", "latin-1", "cp437", "cp1252", "utf-8")


@given(NAMES)
def test_a_plain_text_has_no_control_characters_and_is_utf_8(name):
    shown = texts.plain(name)
    shown.encode("utf-8")
    assert not [sign for sign in shown if unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp")]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("head.npy[3]", "head.npy[3]"),
        ("ü 中.png", "ü 中.png"),
        ("a\x1b[2J\x9b1m\x07", "a\\x1b[2J\\x9b1m\\x07"),
        ("a\nb\tc\r", "a b c "),
        ("x\udcff.npy", "x\\xff.npy"),
        ("x\ud800", "x\\ud800"),
        ("gpj.\u202efile", "gpj.\\u202efile"),
        (7, "7"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(name, shown):
    assert texts.plain(name) == shown


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_an_encoding_lacks_has_a_readable_stand_in(encoding):
    codecs.register_error("skullmask", texts.stand_in)
    shown = "a … b × c – d ü 中 \udcff".encode(encoding, "skullmask").decode(encoding)
    assert shown.startswith("a … b × c – d" if encoding in ("utf-8", "cp1252") else "a ... b ")
    assert shown.endswith("\\xff")
    assert ("中" if encoding == "utf-8" else "\\u4e2d") in shown
    assert encoding == "ascii" or "ü" in shown
    assert encoding != "ascii" or shown == "a ... b x c - d \\xfc \\u4e2d \\xff"


FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "＝1",
    '=cmd|"/c calc"!A1',
    "a;=1",
)


@pytest.mark.parametrize("name", FORMULAS)
def test_no_cell_of_text_begins_as_a_formula(name):
    written = io.StringIO()
    csv.writer(written).writerow([texts.csv_text(name), 0.5])
    for delimiter in ",;":
        [row] = csv.reader(io.StringIO(written.getvalue()), delimiter=delimiter)
        assert not [cell for cell in row if cell.lstrip()[:1] in tuple("=+-@＝＋－＠")]


@given(NAMES)
def test_a_cell_is_one_line_of_utf_8(name):
    cell = texts.csv_text(name)
    cell.encode("utf-8")
    assert cell.lstrip()[:1] not in tuple("=+-@\t\r")
    assert "\n" not in cell


@pytest.mark.parametrize("name", ["head-1.png", "a=b.nii", "x[3]", "ü中.npy", "0.5"])
def test_a_harmless_name_stays_in_a_cell(name):
    assert texts.csv_text(name) == name


EVIL = (
    "[click](http://evil.example)",
    "![x](http://evil.example/x.png)",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<http://evil.example>",
    "http://evil.example",
    "www.evil.example",
    "jo@evil.example",
    "[a][b] [1]: http://evil.example",
    "[1](http://evil.example)",
    "[1][1]",
    "a|b|c",
    "$\\href{javascript:alert(1)}{x}$",
    "\\(x\\)",
    "`<b>`",
    "x\n\n# heading\n\n* item",
    "__brain__.npy",
    "_mask_ 1.png",
    "T1: _a_",
    "a*b*c.png",
    "~~old~~.png",
)


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("line", ["{}", "# {}", "* <code>{}</code>"])
def test_a_name_is_text_in_markdown(name, line):
    page = markdown2html_mistune(line.format(texts.inert(name)))
    page = page.replace('<a class="anchor-link"', "")
    for tag in ("<a ", "<img", "<script", "<b>", "<em>", "<strong>", "<del>"):
        assert tag not in page
    assert not re.search(
        r"[$\\](?!</span>)", re.sub(r'"[^"]*"', "", page)
    )  # MathJax looks at text between tags
    assert page.count("<h1") == line.startswith("#")


@pytest.mark.parametrize(
    "name", ["phantom[0]", "head_1.npy[12]", "slice 3", "a-b (1).png", "a*b", "a_b_c", "~x", "80 %"]
)
def test_a_harmless_name_stays_in_markdown(name):
    assert texts.inert(name) == name
