"""Finds the commands that the documentation tells a reader to type: in fenced and indented blocks, and inside of sentences."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Block", "Written", "blocks", "commands_in", "commands_of", "flags_in", "is_python", "split"]

#: A shell's word between two commands of one line.
_BETWEEN = {"&&", "||", ";", "|", "&", "(", ")", "&&(", ")&&"}
_ASSIGNMENT = re.compile(r"^[A-Z_]+=\S*$")
_FENCE = re.compile(r"^( *)```(\S*)")
_CODE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
#: How a piece of code inside of a sentence must begin to be a command.
_BEGINS = re.compile(
    r"^(?:python3? (?:-m |-c |experiments/|examples/)|srcnn (?:[a-z]+\b|--)|make [a-z]+|pip (?:install|wheel) |"
    r"mlflow [a-z]+ |pytest -|(?:[a-z_]+/)?[a-z]+\.py (?:-|[a-z]|[A-Z]))"
)
_FLAG = re.compile(r"^--?[a-zA-Z][\w-]*")


class Block(NamedTuple):
    """A block of code of a document."""

    line: int  #: of its first line, from 1
    language: str  #: of a fence; empty: none is given, or the block is indented
    text: str  #: without the indentation


class Written(NamedTuple):
    """A command as it is written in a document."""

    line: int  #: from 1
    words: tuple[str, ...]  #: the program and its arguments, without assignments before it
    named: bool = False  #: in a sentence, which may name a command without its arguments

    @property
    def text(self) -> str:
        """The command in one line."""
        return " ".join(self.words)


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced and the indented blocks of a Markdown text, in order."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        line = lines[number]
        if fence := _FENCE.match(line):
            end = number + 1
            while end < len(lines) and lines[end].strip() != "```":
                end += 1
            yield Block(number + 2, fence[2], _plain(lines[number + 1 : end]))
            number = end + 1
        elif line.startswith("    ") and line.strip() and (number == 0 or not lines[number - 1].strip()):
            end = number + 1
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            yield Block(number + 1, "", _plain(lines[number:end]))
            number = end
        else:
            number += 1


def _plain(lines: list[str]) -> str:
    least = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[least:] for line in lines).rstrip()


def is_python(block: Block) -> bool:
    """Return whether a block without a language is Python: it can be read as such, and is no single word."""
    if block.language:
        return block.language == "python"
    try:
        tree = ast.parse(block.text)
    except SyntaxError:
        return False
    return any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in tree.body)


def commands_in(text: str) -> Iterator[Written]:
    """Yield every command of a Markdown text, those of blocks first."""
    sentences = text.splitlines()
    for block in blocks(text):
        for number in range(block.line - 1, block.line - 1 + len(block.text.splitlines())):
            sentences[number] = ""
        if block.language in ("", "bash", "sh") and not is_python(block):
            yield from commands_of(block)
    flat = "\n".join(sentences)
    for code in _CODE.finditer(flat):
        written = " ".join(code[1].split())
        if _BEGINS.match(written):
            line = flat.count("\n", 0, code.start()) + 1
            for words in split(written):
                yield Written(line, words, named=True)


def commands_of(block: Block) -> Iterator[Written]:
    """Yield the commands of a block of shell lines."""
    kept, first = "", block.line
    for number, line in enumerate(block.text.splitlines(), block.line):
        first = first if kept else number
        kept += line
        if kept.endswith("\\"):
            kept = kept[:-1]
            continue
        try:
            found = split(kept)
        except ValueError:  # a quotation goes on in the next line
            kept += "\n"
            continue
        for words in found:
            yield Written(first, words)
        kept = ""
    assert not kept, f"line {first}: a quotation does not end: {kept}"


def split(line: str) -> list[tuple[str, ...]]:
    """Return the commands of a shell line, each as its words.

    Raises:
        ValueError: a quotation does not end.
    """
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();|&")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if word in _BETWEEN:
            found.append([])
        elif found[-1] or not _ASSIGNMENT.match(word):
            found[-1].append(word)
    return [tuple(words) for words in found if words]


def flags_in(text: str) -> Iterator[str]:
    """Yield every flag that a sentence names between backticks, such as ``--budget 40M``: the flag alone."""
    sentences = text.splitlines()
    for block in blocks(text):
        for number in range(block.line - 1, block.line - 1 + len(block.text.splitlines())):
            sentences[number] = ""
    for code in _CODE.finditer("\n".join(sentences)):
        if code[1].startswith("-"):
            for word in code[1].replace(",", " ").split():
                if match := _FLAG.match(word):
                    yield match[0]
