"""JSON with comments and trailing commas, changed in one place without touching any other.

The text comes from a product's server, so it may be made to take long: it is scanned once, token by
token, and what does not end, such as a comment, is an error where it begins and no reason to look
for another one behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

LONGEST = 256 * 1024
"""Characters of a text."""
DEEPEST = 64
"""Levels of objects and arrays."""

# Alternatives that begin with different characters, each of which consumes what it has seen.
_TOKEN = re.compile(
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|//[^\r\n]*+|/\*|[{}\[\],]|[^"/{}\[\],]++', re.DOTALL
)
_DEEPER = {"{": 1, "[": 1, "}": -1, "]": -1}
_SPACE = re.compile(r"[ \t\r\n]*")
_BOM = "\ufeff"


def loads(text: str) -> dict[str, Any]:
    """What the text says; of a name that is there twice, the last counts.

    Raises ValueError, with nothing of the text in it, where it is not one object.
    """
    return _read(_plain(text))


def set_string(text: str, name: str, value: str) -> str:
    """The text with one property of the outermost object set, and every other character as it was.

    Where the name is there twice, the last is changed, which is the one that counts; where it is
    not there, it is added as the first. Raises ValueError where the text is not one object.
    """
    plain = _plain(text)
    _read(plain)
    start, end = _value_of(plain, name)
    literal = json.dumps(value, ensure_ascii=False)
    if end:
        return text[:start] + literal + text[end:]
    rest = _past_space(text, start)
    space = text[start:rest]
    is_empty = plain[_past_space(plain, start)] == "}"
    if is_empty and "\n" in space:
        space = f"{space[: space.rindex(chr(10)) + 1]}  "
    # What stood behind the brace now stands behind the new property.
    behind = "" if is_empty else "," if space else ", "
    member = f"{json.dumps(name, ensure_ascii=False)}: {literal}{behind}"
    return text[:start] + space + member + text[start:]


def _read(plain: str) -> dict[str, Any]:
    try:
        found = json.loads(plain, parse_constant=_refuse)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise _not_an_object()
    return found


def _not_an_object() -> ValueError:
    return ValueError("this is not a JSON object with comments")


def _plain(text: str) -> str:
    """Plain JSON of the same length, so that every place is the same in both. Raises ValueError
    for what cannot become JSON."""
    if len(text) > LONGEST:
        raise _not_an_object()
    parts: list[str] = []
    before = ""
    comma = depth = 0
    """Which part the last comma is, and how deep this one is."""
    for piece in _tokens(text):
        kind = piece if piece in _DEEPER or piece == "," else "value" if piece.strip() else ""
        depth += _DEEPER.get(kind, 0)
        # A comma trails only where a value stands before it.
        if not 0 <= depth <= DEEPEST or (kind == "," and before in ("", "{", "[", ",")):
            raise _not_an_object()
        if kind == ",":
            comma = len(parts)
        elif kind in ("}", "]") and before == ",":
            parts[comma] = " "
        before = kind or before
        parts.append(piece)
    return "".join(parts)


def _tokens(text: str) -> Iterator[str]:
    """Brackets, commas, strings, and what is between them, with blanks instead of comments. Raises
    ValueError where a string or a comment does not end."""
    at = 0
    if text.startswith(_BOM):
        yield " "
        at = 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _not_an_object()
        start, at = at, match.end()
        if match[0] == "/*":
            at = text.find("*/", at) + 2
            if at < match.end():
                raise _not_an_object()
        yield " " * (at - start) if match[0].startswith("/") else match[0]


def _value_of(plain: str, name: str) -> tuple[int, int]:
    """Where the value of the last property of that name begins and ends; where there is none, where
    the object's content begins, and 0."""
    decoder = json.JSONDecoder()
    begin = at = _past_space(plain, 0) + 1
    found = begin, 0
    while plain[at := _past_space(plain, at)] != "}":
        if plain[at] == ",":
            at = _past_space(plain, at + 1)
        key, at = decoder.raw_decode(plain, at)
        at = _past_space(plain, _past_space(plain, at) + 1)
        _, end = decoder.raw_decode(plain, at)
        if key == name:
            found = at, end
        at = end
    return found


def _past_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match
    return match.end()


def _refuse(_constant: str) -> NoReturn:
    raise ValueError
