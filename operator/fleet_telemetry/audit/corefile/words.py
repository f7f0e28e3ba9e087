"""The words of a Corefile, as CoreDNS' own lexer reads them.

Source: github.com/coredns/caddy v1.1.4, caddyfile/lexer.go and dispenser.go. Time and memory are
linear in the length of the text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fleet_telemetry.objects.text import printable

LONGEST_TEXT = 1_000_000
"""Characters. A ConfigMap has at most as many bytes, and a few more."""
_LONGEST_WORD = 60
# Go's unicode.IsSpace.
_SPACE = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


@dataclass(frozen=True, slots=True)
class Word:
    """One word: between blanks, or between quotation marks."""

    text: str
    line: int
    """Counts from 1."""
    starts_line: bool = False
    """The first one of its line."""
    quoted: bool = False

    @property
    def shown(self) -> str:
        """For a message."""
        return printable(self.text, _LONGEST_WORD)


class CorefileError(ValueError):
    """A Corefile that CoreDNS would not read either; the message says in which line."""


def words_of(text: str) -> list[Word]:
    """The words of a text. Raises CorefileError."""
    if len(text) > LONGEST_TEXT:
        raise CorefileError(f"it is longer than {LONGEST_TEXT} characters")
    return list(_lex(text))


def _lex(text: str) -> Iterator[Word]:
    line, at, end, last = 1, 0, len(text), 0
    while at < end:
        character = text[at]
        if character == "\n":
            line += 1
        if character in _SPACE:
            at += 1
            continue
        if character == "#":
            at = _until_newline(text, at)
            continue
        first = line
        if character == '"':
            word, at = _quoted(text, at + 1, line)
            line += word.count("\n")
            yield Word(word, first, starts_line=first > last, quoted=True)
            last = line
            continue
        word, at = _bare(text, at)
        yield Word(word, first, starts_line=first > last)
        last = first


def _until_newline(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _bare(text: str, at: int) -> tuple[str, int]:
    """The word that begins here, and where it ends. A carriage return does not end it, and is no
    part of it."""
    begin, end = at, len(text)
    while at < end and text[at] != "#" and (text[at] == "\r" or text[at] not in _SPACE):
        at += 1
    return text[begin:at].replace("\r", ""), at


def _quoted(text: str, at: int, line: int) -> tuple[str, int]:
    """The text until the closing mark, and where it goes on. Only a mark can be escaped."""
    parts: list[str] = []
    begin = at
    mark = -1
    while True:
        if mark < at:
            mark = text.find('"', at)
        slash = text.find("\\", at, mark if mark >= 0 else len(text))
        if mark < 0:
            raise CorefileError(f'line {line}: a quotation mark " is not closed')
        if slash < 0:
            parts.append(text[begin:mark])
            return "".join(parts), mark + 1
        if slash + 1 < len(text) and text[slash + 1] == '"':
            parts.append(text[begin:slash])
            begin = slash + 1
        at = slash + 2


def written(words: Iterable[Word], indent: str = "    ") -> list[str]:
    """Lines that have these words of one directive, with the blocks in it indented."""
    lines: list[list[str]] = []
    depth = 0
    for word in words:
        is_bare = not word.quoted
        if is_bare and word.text == "}":
            depth = max(depth - 1, 0)
        if word.starts_line or not lines:
            lines.append([f"{indent * depth}{_spelled(word)}"])
        else:
            lines[-1].append(_spelled(word))
        if is_bare and word.text == "{":
            depth += 1
    return [" ".join(line) for line in lines]


def _spelled(word: Word) -> str:
    if not word.quoted:
        return word.text
    escaped = word.text.replace('"', '\\"')
    return f'"{escaped}"'
