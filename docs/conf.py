"""Sphinx builds these pages with MyST (Markdown) and the theme furo: ``make docs``, into ``build/docs``.

Nothing is fetched at build time or by a page. Warnings are errors, so a link or a reference that leads nowhere breaks the build.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(ROOT / "experiments"), str(HERE)]

from srcnn import __version__  # noqa: E402

import command_reference  # noqa: E402  the path must be set first
import field_reference  # noqa: E402
import layer_picture  # noqa: E402

project = "srcnn"
copyright = "srcnn contributors, Apache-2.0"
author = "srcnn contributors"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["cluster/**"]
root_doc = "index"
nitpicky = True
# Types of other libraries have no page here, and their own sites are not asked at build time.
nitpick_ignore_regex = [
    ("py:.*", r"(?!srcnn\.).*"),
    # Parts of results that a caller seldom touches: the reference names them and describes none.
    ("py:class", r"srcnn\.(upscaling\.enlarge\._Image|training\.recorded_step\.Recorder|champions\.card\.\w+)"),
    ("py:class", r"srcnn\.tuning\.(interactive\.plots|report\.data\.search_data|trials\.\w+)\.\w+"),
]
default_role = "code"  # docstrings put names of code between single backticks
highlight_language = "none"  # indented blocks are commands, outputs and Python; fenced ones say what they are

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"srcnn {__version__}"
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_theme_options = {"navigation_with_keys": True}
# The pictures in which a page shows a network are photographs: no theme may turn their colours round.
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"


def _outside(_app: Any, _page: str, content: list[str]) -> None:
    """Give a Markdown file outside of these pages as it is, where MyST would look for a page."""
    content[0] = re.sub(r"\]\((?=(?:\.\./)+(?:experiments|mlruns|srcnn|examples)/[^)#]*\.md\))", "](path:", content[0])


def setup(app: Any) -> dict[str, Any]:
    """Add what Sphinx does not know: files outside, the map of packages, and what is made from the code."""
    app.connect("source-read", _outside)
    app.connect("source-read", layer_picture.insert)
    app.connect("source-read", command_reference.insert)
    app.connect("source-read", field_reference.insert)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
