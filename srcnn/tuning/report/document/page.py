"""A `Document` as one HTML file that needs nothing else: no script, style, font or picture of any host.

MLflow shows such a file in a sandboxed frame: scripts run, but without an origin of their own, so the page keeps nothing and
asks for nothing. Its content security policy says so, and a browser holds it to that. Plots are bokeh's where a figure has
one; its library stands in the page once. Readers without scripts see the PNG pictures.

The page is a jinja2 template, ``templates/page.html``, with its style and script beside it. jinja2 escapes every value, but
for the three that pass the filter ``safe``: what markdown-it makes of a text (it escapes HTML in it), bokeh's elements, and
bokeh's library.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt

from srcnn.tuning.report.document.document import Document, Table, Text
from srcnn.tuning.report.document.escape import safe_link

__all__ = ["to_html"]

# Bold, code, links and lists, as `Text` promises; a picture would be a request to somewhere, and HTML is text.
_MARKDOWN = MarkdownIt("zero", {"html": False}).enable(
    ["list", "emphasis", "backticks", "link", "escape", "entity", "newline"]
)


def to_html(document: Document) -> str:
    """The page."""
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
    environment.filters |= {"base64": _base64, "markdown": _markdown, "safe_link": safe_link}
    environment.tests |= {"table": lambda part: isinstance(part, Table), "text": lambda part: isinstance(part, Text)}
    return environment


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _markdown(text: str) -> str:
    return str(_MARKDOWN.render(text)).rstrip()


def _plots(document: Document) -> tuple[dict[str, str], str]:
    """The elements that bokeh fills, by figure, and what fills them; nothing where no figure has a bokeh model."""
    models: dict[str, Any] = {f.name: f.interactive for f in document.figures if f.interactive is not None}
    if not models:
        return {}, ""
    from bokeh.embed import components  # slow to import, and a page of tables needs none of it
    from bokeh.resources import Resources

    script, elements = components(models)
    # The core alone: tables, widgets and formulas are several times its size, and plots use none of them.
    library = Resources(mode="inline", components=["bokeh"]).render_js()
    return {name: str(element) for name, element in elements.items()}, f"{library}\n{script}"
