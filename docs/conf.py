"""Settings of the site: ``make site``. Its sources are written by ``publish/sources.py``."""

import inspect
import tomllib
from pathlib import Path

_HOUSE = Path(__file__).resolve().parents[1]
_PROJECT = tomllib.loads((_HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = _PROJECT["name"]
author = "The skullmask developers"
copyright = author
release = _PROJECT["version"]

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
nitpicky = True
nitpick_ignore_regex = [("py:obj", r"\w+\.\w+")]  # "See Also" may name modules that have no page
add_module_names = False
default_role = "code"
highlight_language = "none"  # blocks without a language are commands
smartquotes = False  # "--" begins an option, and the quotes of a type are code

# Lessons show their stored outputs; nothing runs.
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # explorers are pictures here, and no script comes from the web
nb_merge_streams = True
nb_render_markdown_format = "myst"  # links in outputs are followed, too
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings name shapes and units, too
autodoc_mock_imports = ["torch"]  # the site needs no torch
autosummary_generate = False
numpydoc_show_class_members = False

html_theme = "furo"
html_title = "skullmask"
html_static_path = [str(_HOUSE / "publish" / "static")]
html_css_files = ["site.css"]
html_js_files = ["offline.js"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False


def _without_fields(_app, _kind, _name, member, skip, _options) -> bool:
    """Leave out the fields of named tuples; the text of their class describes them."""
    text = getattr(member, "__doc__", None) or ""
    return skip or text.startswith("Alias for field number")


def _signature_of_init(_app, kind, _name, member, _options, signature, returns):
    """Show the arguments of a class whose base is mocked, too: those of its own ``__init__``."""
    if kind != "class" or not inspect.isfunction(vars(member).get("__init__")):
        return signature, returns
    _, *arguments = inspect.signature(member.__init__).parameters.values()  # without self
    bare = [argument.replace(annotation=inspect.Parameter.empty) for argument in arguments]
    return str(inspect.Signature(bare)), returns


def setup(app) -> None:
    """Add to Sphinx what its settings do not know."""
    app.connect("autodoc-skip-member", _without_fields)
    app.connect("autodoc-process-signature", _signature_of_init)
