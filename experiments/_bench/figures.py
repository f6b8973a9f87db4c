"""Printed figures that have a file: a text's lines, written once with the places of their figures in files of results.

``experiments/results/figures.yaml`` holds a list of groups and says which lines of the README each is for:

    figures:
      - file: experiments/results/replay.json     # default of the group's places
        at: tables[0].figures                     # in front of its places; may be left out
        lines:
          - "| random | {[method=random,workers=1].compute[0]|.0f} core-s |"
      - printed: TPAMI 2016, table 3              # a source outside: its figures may stand in these lines as they are
        lines:
          - "| the paper | 32.75 dB | {experiments/results/x.csv#[row=9-5-5].psnr|.2f} dB |"
    undeclared:                                   # debts: parts of lines that have figures and no file yet
      - "An older measurement"

Between braces stands ``PLACE|FORMAT``. A place goes down a JSON, YAML or CSV file (CSV: a list of rows by column) by
``.name``, ``[number]``, ``[name=value,...]`` (the only element that has these values) and ``['a name.with dots']``. ``FILE#``
before it names another file than the group's. In the end there is a number, or a text of which ``#0`` takes the first number.
The format is Python's, so the figure is compared to the decimals that are printed; ``s`` prints a text as it is,
and ``.0 %`` a share as 98 %.

What must be declared (`faults`): a line's text must stand in the README, spaces and line ends aside. A figure with a unit (dB,
core-s, core-seconds) anywhere, and every number that stands by itself in a row of a table, must be part of such a line, and must
come from a place, unless the group says where it is printed.
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
#: With a unit; an interval after it, or a list before it, belongs to it: "0.30 dB [0.15, 0.48]", "37.06, 32.93 and 30.52 dB".
_MEASURED = re.compile(
    rf"(?<![\w.])(?:{_NUMBER}(?:,| and| to|, and) )*{_NUMBER}(?:\*\*)? ?(?:dB|core-s|core-seconds)\b"
    r"(?:(?:\*\*)? \[[^\]]*\d[^\]]*\])?"
)
#: By itself: not a part of a name such as 9-1-5, x3 or Set5.
_ALONE = re.compile(rf"(?<![\w.,-]){_NUMBER}(?![\w-])")
_IN_TEXT = re.compile(r"[-+]?\d+(?:\.\d+)?")


class FigureError(Exception):
    """A place that is not in its file."""


def look_up(content: Any, place: str) -> Any:
    """What stands at a place.

    Raises:
        FigureError: there is nothing, or more than one element has the values.
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
    """A line with its figures.

    Args:
        root: the folder that files are named from.
        group: one of the file's groups.
        line: one of its lines.

    Raises:
        FigureError: a file is not there, a place is not in it, or the format does not fit.
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


def faults(root: Path, text: str, declared: Mapping[str, Any]) -> list[str]:
    """What a text prints that its files do not say, a line for each; empty if nothing.

    Args:
        root: the folder that files are named from.
        text: Markdown.
        declared: ``figures`` and ``undeclared``, as this module's head shows.
    """
    found: list[str] = []
    flat, starts = _flat(text)
    covered = bytearray(len(flat))
    for group in declared.get("figures", ()):
        for line in group["lines"]:
            if not group.get("printed"):
                found += [f"{line!r}: {figure} is written out; it must come from a file" for figure in _literal(line)]
            try:
                rendered = " ".join(render(root, group, line).split())
            except FigureError as error:
                found.append(f"{line!r}: {error}")
                continue
            place = flat.find(rendered)
            if place < 0:
                found.append(f"the files say {rendered!r}, which the text does not")
            while place >= 0:
                covered[place : place + len(rendered)] = b"\1" * len(rendered)
                place = flat.find(rendered, place + 1)
    lines = text.splitlines()
    debts = dict.fromkeys(declared.get("undeclared", ()), False)
    bare: dict[int, list[str]] = {}
    for at, figure in _figures(flat, text, starts):
        if all(covered[at : at + len(figure)]):
            continue
        number = bisect.bisect_right(starts, at) - 1
        owing = [debt for debt in debts if debt in lines[number]]
        debts.update(dict.fromkeys(owing, True))
        if not owing:
            bare.setdefault(number, []).append(figure.replace("*", ""))
    for number, figures in sorted(bare.items()):
        found.append(f"line {number + 1}: no file for {', '.join(dict.fromkeys(figures))}: {lines[number].strip()}")
    return found + [f"undeclared: {debt!r} owes nothing any more" for debt, used in debts.items() if not used]


def _literal(line: str) -> list[str]:
    """Figures that a line has outside its holes."""
    bare = _HOLE.sub(lambda hole: "\0" * len(hole.group()), line)
    pattern = _ALONE if line.lstrip().startswith("|") else re.compile(r"(?<![\w.,-])\d+\.\d+(?![\w-])")
    return pattern.findall(bare) + [m.group() for m in _MEASURED.finditer(bare)]


def _flat(text: str) -> tuple[str, list[int]]:
    """The text with one space for each run of white space, and where in it each line starts."""
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
    """Where in the flat text each figure stands that must have a file."""
    for match in _MEASURED.finditer(flat):
        yield match.start(), match.group()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        # The row above the rule is the head of a table: its numbers name things, and those with a unit are above.
        head = number + 1 < len(lines) and re.match(r"\s*\|[\s:|-]+\|\s*$", lines[number + 1])
        if line.lstrip().startswith("|") and not head:
            flat_line = " ".join(line.split())
            for match in _ALONE.finditer(flat_line):
                yield starts[number] + match.start(), match.group()
