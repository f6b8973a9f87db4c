"""Draws the map of packages in docs/architecture.md, which is Mermaid text, as a picture inside the page.

Mermaid's own program runs in the browser and comes from another host. The map has a simple form, rows of boxes and arrows
that lead down, so a row of boxes for each ``subgraph`` is enough; the picture takes the place of the text.
"""

from __future__ import annotations

import html
import re
from typing import Any, NamedTuple

__all__ = ["Layers", "drawn", "insert", "read"]

_FENCE = re.compile(r"^```mermaid\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r'subgraph \w+ \["([^"]+)"\]')
_BOX = re.compile(r'(\w+)\["([^"]+)"\]')
_WIDTH, _HEIGHT, _BOX_HEIGHT, _GAP = 860, 62, 26, 10


class Layers(NamedTuple):
    """Rows of a map from the top, and its arrows."""

    rows: list[tuple[str, list[tuple[str, str]]]]  #: title of a row, and the name and text of each of its boxes
    arrows: list[tuple[str, str]]  #: names of two boxes


def read(text: str) -> Layers:
    """Return the rows and arrows of a map that is written as Mermaid text."""
    rows: list[tuple[str, list[tuple[str, str]]]] = []
    arrows = []
    for line in text.splitlines():
        if row := _ROW.search(line):
            rows.append((row[1], []))
        elif box := _BOX.search(line):
            rows[-1][1].append((box[1], box[2]))
        elif "-->" in line:
            one, others = line.split("-->")
            arrows += [(one.strip(), other.strip()) for other in others.split("&")]
    return Layers(rows, arrows)


def drawn(layers: Layers) -> str:
    """Return a picture as SVG, whose colours are those of the page."""
    places: dict[str, tuple[float, float]] = {}
    boxes = []
    for number, (title, row) in enumerate(layers.rows):
        top = number * _HEIGHT
        boxes.append(f'<text class="title" x="4" y="{top + 14}">{html.escape(title)}</text>')
        widths = [max(74, 8 * len(text) + 18) for _, text in row]
        left = (_WIDTH - sum(widths) - _GAP * 3 * (len(row) - 1)) / 2
        for (name, text), width in zip(row, widths, strict=True):
            places[name] = (left + width / 2, top + 20)
            boxes.append(f'<rect x="{left:.0f}" y="{top + 20}" width="{width}" height="{_BOX_HEIGHT}" rx="5"/>')
            boxes.append(f'<text x="{left + width / 2:.0f}" y="{top + 38}">{html.escape(text)}</text>')
            left += width + 3 * _GAP
    lines = []
    for one, other in layers.arrows:
        (x, y), (to_x, to_y) = places[one], places[other]
        lines.append(f'<line x1="{x:.0f}" y1="{y + _BOX_HEIGHT:.0f}" x2="{to_x:.0f}" y2="{to_y:.0f}"/>')
    height = len(layers.rows) * _HEIGHT
    label = "Packages in rows; a line means that the upper one imports the lower one"
    # Lines first: the boxes cover them.
    return "\n".join(
        [
            f'<svg class="layers" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}">',
            *lines,
            *boxes,
            "</svg>",
        ]
    )


def insert(_app: Any, _page: str, content: list[str]) -> None:
    """Put the picture in the place of the text of a map (event ``source-read`` of Sphinx)."""

    content[0] = _FENCE.sub(lambda fence: f"{drawn(read(fence[1]))}\n", content[0])
