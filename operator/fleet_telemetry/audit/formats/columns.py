"""Text in columns of a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

ELLIPSIS = "…"


def width(text: str) -> int:
    """How many columns of a terminal a printable text takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def padded(text: str, columns: int) -> str:
    """A text filled with spaces; a longer one stays."""
    return text + " " * (columns - width(text))


def cut(text: str, columns: int) -> str:
    """A text of at most so many columns, its middle replaced by an ellipsis: the ends of names
    tell them apart."""
    if width(text) <= columns:
        return text
    if columns < 1:
        return ""
    tail = (columns - 1) // 2
    end = _head(text[::-1], tail)[::-1]
    return f"{_head(text, columns - 1 - width(end))}{ELLIPSIS}{end}"


def wrapped(text: str, columns: int, indent: str) -> Iterator[str]:
    """Lines of a paragraph, broken at spaces and, where a word is too long, within it. The lines
    after the first are indented."""
    room = max(columns, len(indent) + 10)
    line = ""
    for word in text.split():
        rest = word
        while rest:
            joined = f"{line} {rest}" if line.strip() else line + rest
            if width(joined) <= room:
                line, rest = joined, ""
            elif line.strip():
                yield line
                line = indent
            else:
                head = _head(rest, room - width(line)) or rest[0]
                yield line + head
                line, rest = indent, rest[len(head) :]
    if line.strip():
        yield line


def _head(text: str, columns: int) -> str:
    taken = 0
    for at, character in enumerate(text):
        taken += _width(character)
        if taken > columns:
            return text[:at]
    return text


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
