"""Text as reStructuredText that is read as it was."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Of what stands below a directive.
INDENT = "   "

_WIDTH = 79

#: What Sphinx has made of quotes, and will make of them again.
_STRAIGHT = str.maketrans("\u201c\u201d\u2018\u2019", "\"\"''")

#: What a paragraph must not begin with, if it is to be one.
_BEGINS = re.compile(
    r"[-+=#_/>•‣⃯]|\.\.|:(?![a-z:]+:`)|\(?(\d+|[a-zA-Z]|[ivxlcdmIVXLCDM]+)[.)](\s|$)"
)

#: Before a line that would be a transition, or the underline of the one above it.
_RULES = re.compile(r"^(?=([!-/:-@\[-`{-~])\1*$)", re.MULTILINE)


def escaped(text: str) -> str:
    """Return text no character of which is markup within a line."""
    text = text.translate(_STRAIGHT)
    text = re.sub(r"([\\*`|])", r"\\\1", text)
    return re.sub(r"_(?![^\W_])", r"\\_", text)


def paragraph(text: str) -> str:
    """Return markup in lines, so that it is a paragraph, however it begins and ends."""
    text = " ".join(part for part in text.split(" ") if part)
    if _BEGINS.match(text):
        text = f"\\{text}"
    if text.endswith("::"):
        text = f"{text[:-1]}\\:"
    lines = textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return _RULES.sub(r"\\ ", lines)


def plain_paragraph(text: str) -> str:
    """Return text as a paragraph without any markup."""
    return paragraph(escaped(text))


def directive(name: str, argument: str = "", options: Sequence[str] = (), held: str = "") -> str:
    """Return a directive with its options, each as ``:name: value``, and what it holds."""
    head = f".. {name}:: {indented(argument, 1)}".rstrip()
    text = "\n".join([head, *(f"{INDENT}{option}" for option in options)])
    return f"{text}\n\n{textwrap.indent(held, INDENT)}" if held else text


def list_table(title: str, rows: Iterable[Sequence[str]], options: Sequence[str]) -> str:
    """Return a table; title and cells are markup."""
    lines = []
    for row in rows:
        for number, cell in enumerate(row):
            lines.append(f"{'  -' if number else '* -'} {indented(cell, 1, '    ')}".rstrip())
    return directive("list-table", paragraph(title), options, "\n".join(lines))


def indented(text: str, first: int = 0, indent: str = INDENT) -> str:
    """Return text behind a margin, but for so many lines at its beginning."""
    lines = text.split("\n")
    return "\n".join([*lines[:first], *(line and indent + line for line in lines[first:])])
