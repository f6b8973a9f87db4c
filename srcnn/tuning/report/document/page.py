"""Conversion of a `Document` to one self-contained HTML file, without scripts, styles, fonts or pictures from other hosts.

MLflow shows the file in a sandboxed frame: scripts run, but without an origin, so the page stores nothing and loads nothing. Its
content security policy enforces this. Figures with a bokeh model are interactive plots; bokeh's library is included once. Without
scripts, the page shows the PNG pictures.

The page is a jinja2 template, ``templates/page.html``, with its style and script in the same folder. jinja2 escapes all values
except the three with the filter ``safe``: the output of markdown-it (which escapes HTML), bokeh's elements, and bokeh's library.
"""

from __future__ import annotations

import base64
import io
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from PIL import Image

from srcnn.tuning.report.document.document import Comparison, Document, Table, Text
from srcnn.tuning.report.document.escape import safe_link

__all__ = ["to_html"]

# Only bold, code, links and lists, as documented for `Text`. No pictures, which would cause requests, and no HTML.
_MARKDOWN = MarkdownIt("zero", {"html": False}).enable(
    ["list", "emphasis", "backticks", "fence", "link", "escape", "entity", "newline"]
)


def to_html(document: Document) -> str:
    """Return a document as an HTML page."""
    plots, library = _plots(document)
    return _environment().get_template("page.html").render(document=document, plots=plots, library=library)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("srcnn.tuning.report.document"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"data": _data, "markdown": _markdown, "safe_link": safe_link}
    environment.tests |= {
        "comparison": lambda part: isinstance(part, Comparison),
        "table": lambda part: isinstance(part, Table),
        "text": lambda part: isinstance(part, Text),
    }
    return environment


def _data(png: bytes) -> str:
    """Return a picture as an address that holds it, as lossless WebP where that is shorter: every browser since 2020 reads it."""
    kind, data = "png", png
    try:
        with Image.open(io.BytesIO(png)) as image:
            packed = io.BytesIO()
            image.save(packed, "webp", lossless=True, quality=60, method=3, exact=True)
    except (OSError, KeyError):  # no picture, or a Pillow without WebP
        packed = io.BytesIO()
    if 0 < len(packed.getvalue()) < len(png):
        kind, data = "webp", packed.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _markdown(text: str) -> str:
    return str(_MARKDOWN.render(text)).rstrip()


def _plots(document: Document) -> tuple[dict[str, str], str]:
    """Return bokeh's elements by figure, and the scripts that fill them; empty if no figure has a bokeh model."""
    models: dict[str, Any] = {f.name: f.interactive for f in document.figures if f.interactive is not None}
    if not models:
        return {}, ""
    from bokeh.embed import components  # slow to import, and not needed for pages without plots
    from bokeh.resources import Resources

    script, elements = components(models)
    # Only the core: tables, widgets and formulas are several times its size, and not used in plots.
    library = Resources(mode="inline", components=["bokeh"]).render_js()
    return {name: str(element) for name, element in elements.items()}, f"{library}\n{script}"
