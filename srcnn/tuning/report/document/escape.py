"""Escaping of plain text for Markdown and LaTeX; for HTML, jinja2 escapes it."""

from __future__ import annotations

import re

__all__ = ["code", "latex", "markdown", "safe_link"]

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~])")
# Characters that begin a heading, a list or a quotation, but only at the start of a line.
_OPENING = re.compile(r"^(\s*)([#+-]|\d+[.)])(?=\s)", re.MULTILINE)
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "×": r"$\times$",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
}


_WEB = re.compile(r"^https?://[^\s<>\"']+$")
_BESIDE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*\.(?:md|html)$")  # another page of the same report


def _one_line(text: str) -> str:
    return " ".join(text.split())


def markdown(text: str) -> str:
    """Return a text escaped for paragraphs and table cells in Markdown; line breaks become spaces."""
    escaped = _MARKDOWN.sub(r"\\\1", _one_line(text).replace("&", "&amp;"))
    return _OPENING.sub(lambda match: f"{match[1]}{match[2][:-1]}\\{match[2][-1]}", escaped)


def code(text: str) -> str:
    """Return a text as inline code in Markdown."""
    inner = _one_line(text)
    longest = max((len(run) for run in re.findall(r"`+", inner)), default=0)
    fence = "`" * (longest + 1)
    padded = f" {inner} " if inner[:1] == "`" or inner[-1:] == "`" else inner
    return f"{fence}{padded}{fence}" if inner else ""


def latex(text: str) -> str:
    """Return a text escaped for LaTeX, including dashes and mathematical signs."""
    return "".join(_LATEX.get(sign, sign) for sign in _one_line(text))


def safe_link(address: str | None) -> str | None:
    """Return an address if it is a valid HTTP or HTTPS address, or a page beside this one; None otherwise, as for a script."""
    if address is not None and (_WEB.match(address) or _BESIDE.match(address)):
        return address
    return None
