"""Names and figures as plain text in Markdown and LaTeX, whatever characters they hold; for HTML, jinja2 escapes them."""

from __future__ import annotations

import re

__all__ = ["code", "latex", "markdown", "safe_link"]

_MARKDOWN = re.compile(r"([\\`*_\[\]<>|~])")
# What begins a heading, a list or a quotation at the start of a line; inside one it means nothing.
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


def _one_line(text: str) -> str:
    return " ".join(text.split())


def markdown(text: str) -> str:
    """A text that Markdown shows as it is, in a paragraph and in a table's cell; line ends become spaces."""
    escaped = _MARKDOWN.sub(r"\\\1", _one_line(text).replace("&", "&amp;"))
    return _OPENING.sub(lambda match: f"{match[1]}{match[2][:-1]}\\{match[2][-1]}", escaped)


def code(text: str) -> str:
    """A text as code in Markdown."""
    inner = _one_line(text)
    longest = max((len(run) for run in re.findall(r"`+", inner)), default=0)
    fence = "`" * (longest + 1)
    padded = f" {inner} " if inner[:1] == "`" or inner[-1:] == "`" else inner
    return f"{fence}{padded}{fence}" if inner else ""


def latex(text: str) -> str:
    """A text that LaTeX typesets as it is, signs of the keyboard and the dashes and signs of figures included."""
    return "".join(_LATEX.get(sign, sign) for sign in _one_line(text))


def safe_link(address: str | None) -> str | None:
    """An address if a browser would open it as a page; None for anything else, such as a script."""
    if address is None or not re.match(r"^https?://[^\s<>\"']+$", address):
        return None
    return address
