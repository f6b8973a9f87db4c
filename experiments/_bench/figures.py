"""Figures of the README and of docs/explanation, and their sources: lines of text with the place of each figure in a file.

``experiments/results/figures.yaml`` is a list of groups of lines of these pages:

    figures:
      - file: experiments/results/replay.json     # default file of the group's locations
        at: tables[0].figures                     # optional prefix of its locations
        lines:
          - "| random | {[method=random,workers=1].compute[0]|.0f} core-s |"
      - printed: TPAMI 2016, table 3              # external source: these lines may contain its figures as literals
        lines:
          - "| the paper | 32.75 dB | {experiments/results/x.csv#[row=9-5-5].psnr|.2f} dB |"
    undeclared:                                   # parts of lines with figures that have no file yet
      - "An older measurement"

A placeholder is ``{LOCATION|FORMAT}``. A location selects a value in a JSON, YAML or CSV file (CSV: a list of rows with named
columns) by ``.name``, ``[number]``, ``[name=value,...]`` (the only element with these values) and ``['a name.with dots']``. A
prefix ``FILE#`` selects another file. The result is a number, or a text of which ``#0`` takes the first number. The format is
a Python format, so the figure is compared with the printed decimals; ``s`` prints a text unchanged, and ``.0 %`` prints 0.98
as 98 %.

Rules (`faults`): each line must occur in one of the pages, apart from spaces and line ends. Every figure with a unit (dB,
core-s, core-seconds), and every separate number in a row of a table, must be part of such a line, and must come from a
location unless the group names an external source.
"""

from __future__ import annotations

import bisect
import csv
import gzip
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

__all__ = ["FigureError", "faults", "look_up", "render"]

_HOLE = re.compile(r"\{([^{}|]*)\|([^{}|]*)\}")
_STEP = re.compile(r"\.?([^.\[\]#'=]+)|\['([^']*)'\]|\[(\d+)\]|\[([^\[\]]*=[^\[\]]*)\]|(#\d+)")
_NUMBER = r"\d+(?:[.,]\d+)*"
#: Numbers with a unit, including an interval after it or a list before it: "0.30 dB [0.15, 0.48]", "37.06, 32.93 and 30.52 dB".
_MEASURED = re.compile(
    rf"(?<![\w.])(?:{_NUMBER}(?:,| and| to|, and) )*{_NUMBER}(?:\*\*)? ?(?:dB|core-s|core-seconds)\b"
    r"(?:(?:\*\*)? \[[^\]]*\d[^\]]*\])?"
)
#: Separate numbers: not part of a name such as 9-1-5, x3 or Set5.
_ALONE = re.compile(rf"(?<![\w.,-]){_NUMBER}(?![\w-])")
_IN_TEXT = re.compile(r"[-+]?\d+(?:\.\d+)?")


class FigureError(Exception):
    """A location that does not exist in its file."""


def look_up(content: Any, place: str) -> Any:
    """Return the value at a location.

    Raises:
        FigureError: there is no such value, or several elements match.
    """
    at, found = 0, content
    while at < len(place):
        step = _STEP.match(place, at)
        if step is None:
            raise FigureError(f"{place}: cannot be read from {place[at:]!r} on")
        name, quoted, index, chosen, number = step.groups()
        at = step.end()
        try:
            if index is not None:
                found = found[int(index)]
            elif chosen is not None:
                found = _chosen(found, chosen)
            elif number is not None:
                found = float(_IN_TEXT.findall(found)[int(number[1:])])
            else:
                found = found[name if quoted is None else quoted]
        except (KeyError, IndexError, TypeError):
            raise FigureError(f"{place}: there is no {step.group()}") from None
    return found


def _chosen(rows: Sequence[Mapping[str, Any]], text: str) -> Any:
    wanted = dict(part.split("=", 1) for part in text.split(","))
    found = [row for row in rows if all(str(row.get(name)) == value for name, value in wanted.items())]
    if len(found) != 1:
        raise FigureError(f"[{text}]: must be one element, but {len(found)} have these values")
    return found[0]


def _content(path: Path) -> Any:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    if path.suffix == ".json":
        return json.loads(text)
    if path.suffix in (".yaml", ".yml"):
        return yaml.safe_load(text)
    lines = text.split("\n", 1)[1] if text.startswith("# {") else text
    return list(csv.DictReader(io.StringIO(lines)))


def render(root: Path, group: Mapping[str, Any], line: str) -> str:
    """Return a line with its figures.

    Args:
        root: the folder to which file names are relative.
        group: one of the groups of the file.
        line: one of its lines.

    Raises:
        FigureError: a file or a location does not exist, or the format does not match.
    """

    def fill(hole: re.Match[str]) -> str:
        place, form = hole.groups()
        file, named, rest = place.partition("#") if re.match(r"[\w./-]+\.(json|ya?ml|csv|gz)#", place) else ("", "", "")
        name = file if named else group.get("file")
        if not name:
            raise FigureError(f"{place}: no file is named")
        path = root / name
        if not path.is_file():
            raise FigureError(f"{name}: there is no such file")
        whole = rest if named else f"{group.get('at', '')}{_joined(group, place)}"
        value = look_up(_content(path), whole)
        try:
            if form.endswith(" %"):
                return format(float(value), form[:-2] + "%").replace("%", " %")
            return format(value if form.endswith("s") else float(value), form)
        except (TypeError, ValueError):
            raise FigureError(f"{name}: {whole}: {value!r} cannot be printed as {form!r}") from None

    return _HOLE.sub(fill, line)


def _joined(group: Mapping[str, Any], place: str) -> str:
    return f".{place}" if group.get("at") and place[:1] not in ("[", "#", ".") else place


def faults(root: Path, text: str | Mapping[str, str], declared: Mapping[str, Any]) -> list[str]:
    """Return the differences between pages and their declared figures, one line each; empty if there are none.

    Args:
        root: the folder to which file names are relative.
        text: Markdown text, or several by the name of their page. A declared line must occur in one of them.
        declared: ``figures`` and ``undeclared``, as described above.
    """
    found: list[str] = []
    texts = {"": text} if isinstance(text, str) else text
    pages = [_Page(f"{name}: " if name else "", one) for name, one in texts.items()]
    for group in declared.get("figures", ()):
        for line in group["lines"]:
            if not group.get("printed"):
                found += [f"{line!r}: {figure} is written out; it must come from a file" for figure in _literal(line)]
            try:
                rendered = " ".join(render(root, group, line).split())
            except FigureError as error:
                found.append(f"{line!r}: {error}")
                continue
            standing = [page.cover(rendered) for page in pages]  # in each: a figure may stand in several
            if not any(standing):
                found.append(f"the files say {rendered!r}, which the text does not")
    debts = dict.fromkeys(declared.get("undeclared", ()), False)
    for page in pages:
        found += page.bare(debts)
    return found + [f"undeclared: {debt!r} owes nothing any more" for debt, used in debts.items() if not used]


class _Page:
    """A text, and which of its characters a declared line covers."""

    def __init__(self, prefix: str, text: str) -> None:
        self._prefix = prefix
        self._text = text
        self._flat, self._starts = _flat(text)
        self._covered = bytearray(len(self._flat))

    def cover(self, rendered: str) -> bool:
        """Mark every place of a line with its figures; return whether there is one."""
        place = first = self._flat.find(rendered)
        while place >= 0:
            self._covered[place : place + len(rendered)] = b"\1" * len(rendered)
            place = self._flat.find(rendered, place + 1)
        return first >= 0

    def bare(self, debts: dict[str, bool]) -> list[str]:
        """Return the lines with figures that no declared line covers; mark the debts that excuse one."""
        lines = self._text.splitlines()
        bare: dict[int, list[str]] = {}
        for at, figure in _figures(self._flat, self._text, self._starts):
            if all(self._covered[at : at + len(figure)]):
                continue
            number = bisect.bisect_right(self._starts, at) - 1
            owing = [debt for debt in debts if debt in lines[number]]
            debts.update(dict.fromkeys(owing, True))
            if not owing:
                bare.setdefault(number, []).append(figure.replace("*", ""))
        return [
            f"{self._prefix}line {number + 1}: no file for {', '.join(dict.fromkeys(figures))}: {lines[number].strip()}"
            for number, figures in sorted(bare.items())
        ]


def _literal(line: str) -> list[str]:
    """Return figures of a line outside its placeholders."""
    bare = _HOLE.sub(lambda hole: "\0" * len(hole.group()), line)
    pattern = _ALONE if line.lstrip().startswith("|") else re.compile(r"(?<![\w.,-])\d+\.\d+(?![\w-])")
    return pattern.findall(bare) + [m.group() for m in _MEASURED.finditer(bare)]


def _flat(text: str) -> tuple[str, list[int]]:
    """Return the text with single spaces as white space, and the position of each line in it."""
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for line in text.splitlines():
        starts.append(length)
        words = " ".join(line.split())
        if words:
            parts.append(words + " ")
            length += len(words) + 1
    return "".join(parts), starts


def _figures(flat: str, text: str, starts: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield the position of each figure in the flat text that must have a source."""
    for match in _MEASURED.finditer(flat):
        yield match.start(), match.group()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        # The row above the rule is the head of a table: its numbers are names, and those with a unit were found above.
        head = number + 1 < len(lines) and re.match(r"\s*\|[\s:|-]+\|\s*$", lines[number + 1])
        if line.lstrip().startswith("|") and not head:
            flat_line = " ".join(line.split())
            for match in _ALONE.finditer(flat_line):
                yield starts[number] + match.start(), match.group()
