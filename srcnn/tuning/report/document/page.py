"""A `Document` as one HTML file that needs nothing else: no script, style, font or picture of any host.

MLflow shows such a file in a sandboxed frame: scripts run, but without an origin of their own, so the page keeps nothing and
asks for nothing. Its content security policy says so, and a browser holds it to that. Plots are bokeh's where a figure has
one; its library stands in the page once. Readers without scripts see the PNG pictures.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from markdown_it import MarkdownIt

from srcnn.tuning.report.document import escape
from srcnn.tuning.report.document.document import Cell, Document, Figure, Section, Table, Text

__all__ = ["to_html"]

_POLICY = (
    "default-src 'none'; img-src data: blob:; font-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)

_STYLE = """\
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5c6370; --paper: #ffffff; --line: #d9dce1; --band: #f5f6f8;
  --link: #0a5fa5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6ea; --soft: #a2a9b4; --paper: #16181c; --line: #363b44;
  --band: #1f2228; --link: #7cbcf0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem clamp(0.8rem, 3vw, 2.5rem) 4rem; max-width: 76rem; color: var(--ink);
  background: var(--paper); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
  overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 0.2rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 0.8rem; padding-top: 0.6rem; border-top: 1px solid var(--line); }
.subtitle { color: var(--soft); margin: 0 0 1.2rem; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus { text-decoration: underline; }
nav { background: var(--band); border: 1px solid var(--line); border-radius: 6px; padding: 0.7rem 1rem; }
nav ul { margin: 0; padding: 0; list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.4rem; }
ul { padding-left: 1.3rem; }
code { font: 0.88em ui-monospace, "Liberation Mono", Menlo, monospace; background: var(--band); padding: 0.1em 0.3em;
  border-radius: 3px; }
.table { margin: 1.2rem 0; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.35rem 0.6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; }
th { background: var(--band); font-weight: 600; }
tbody tr:last-child td { border-bottom: 0; }
tbody tr:hover td { background: var(--band); }
figure { margin: 1.4rem 0; }
.plot { background: #ffffff; color: #1c1e21; color-scheme: light; border: 1px solid var(--line); border-radius: 6px;
  padding: 0.5rem; overflow-x: auto; }
.plot img { display: block; width: 100%; max-width: 62rem; height: auto; margin: 0 auto; }
figcaption, .caption { color: var(--soft); font-size: 0.9rem; margin: 0.5rem 0 0; }
#address { position: fixed; left: 0; right: 0; bottom: 0; padding: 0.7rem 1rem; background: var(--band);
  border-top: 1px solid var(--line); font-size: 0.9rem; }
#address[hidden] { display: none; }
#address input { width: min(34rem, 100%); font: inherit; padding: 0.2rem 0.4rem; }
@media (max-width: 30rem) { body { font-size: 15px; } th, td { padding: 0.3rem 0.5rem; } }
@media print { body { max-width: none; padding: 0; } nav { display: none; } figure, tr { break-inside: avoid; } }
"""

# A frame without an origin may open no other page, and one that it loads in its own place stays blank: there a link shows its
# address to copy. On a page of its own links are links.
_SCRIPT = """\
document.addEventListener("click", function (event) {
  var link = event.target.closest && event.target.closest("a[href]");
  if (!link) { return; }
  var address = link.getAttribute("href");
  if (address.charAt(0) === "#") {
    var place = document.getElementById(address.slice(1));
    if (place) { event.preventDefault(); place.scrollIntoView(); }
  } else if (window.parent !== window && window.origin === "null") {
    event.preventDefault();
    var bar = document.getElementById("address");
    bar.hidden = false;
    bar.querySelector("input").value = link.href;
    bar.querySelector("input").select();
  }
});
document.querySelector("#address button").addEventListener("click", function () {
  document.getElementById("address").hidden = true;
});
"""

_BAR = """\
<div id="address" hidden><label>This frame opens no other page; the run is at
<input readonly aria-label="address of the run"></label> <button type="button">close</button></div>"""

# Bold, code, links and lists, as `Text` promises; a picture would be a request to somewhere, and HTML is text.
_MARKDOWN = MarkdownIt("zero", {"html": False}).enable(
    ["list", "emphasis", "backticks", "link", "escape", "entity", "newline"]
)


def to_html(document: Document) -> str:
    """The page."""
    plots, library = _plots(document)
    anchors = [f"section-{place}" for place in range(1, len(document.sections) + 1)]
    contents = "".join(
        f'<li><a href="#{anchor}">{escape.html(section.title)}</a></li>'
        for anchor, section in zip(anchors, document.sections, strict=True)
    )
    body = "\n".join(
        part
        for anchor, section in zip(anchors, document.sections, strict=True)
        for part in _section(anchor, section, plots)
    )
    return f"""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{escape.html(document.title)}</title>
<style>
{_STYLE}</style>
{library}
</head>
<body>
<h1>{escape.html(document.title)}</h1>
<p class="subtitle">{escape.html(document.subtitle)}</p>
<nav aria-label="Contents"><ul>{contents}</ul></nav>
<main>
{body}
</main>
{_BAR}
<script>
{_SCRIPT}</script>
</body>
</html>
"""


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


def _section(anchor: str, section: Section, plots: dict[str, str]) -> Iterator[str]:
    yield f'<section id="{anchor}">\n<h2>{escape.html(section.title)}</h2>'
    for part in section.parts:
        if isinstance(part, Text):
            yield _MARKDOWN.render(part.markdown).rstrip()
        elif isinstance(part, Table):
            yield _table(part)
        else:
            yield _figure(part, plots.get(part.name))
    yield "</section>"


def _cell(cell: Cell) -> str:
    text, link = escape.html(cell.text), escape.safe_link(cell.link)
    if cell.bold:
        text = f"<strong>{text}</strong>"
    return text if link is None else f'<a href="{escape.html(link)}">{text}</a>'


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape.html(name)}</th>' for name in table.head)
    rows = "\n".join(
        f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in table.rows[: table.shown]
    )
    caption = f'\n<p class="caption">{escape.html(table.caption)}</p>' if table.caption else ""
    # The box can be scrolled with the keyboard too, which needs a focus and a name.
    return (
        f'<div class="table" id="table-{table.name}"><div class="scroll" tabindex="0" role="region" '
        f'aria-label="table {table.name}"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n'
        f"</table></div>{caption}</div>"
    )


def _figure(figure: Figure, plot: str | None) -> str:
    data = base64.b64encode(figure.png).decode("ascii")
    picture = f'<img alt="{escape.html(figure.alt)}" src="data:image/png;base64,{data}">'
    shown = picture if plot is None else f"{plot}<noscript>{picture}</noscript>"
    label = f' role="group" aria-label="{escape.html(figure.alt)}"' if plot is not None else ""
    return (
        f'<figure id="figure-{figure.name}"><div class="plot"{label}>{shown}</div>'
        f"<figcaption>{escape.html(figure.caption)}</figcaption></figure>"
    )
