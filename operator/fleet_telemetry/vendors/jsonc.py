"""JSON with comments and trailing commas, changed in one place without touching any other."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_COMMENTS = re.compile(rf"{_STRING}|//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_TOKENS = re.compile(rf"{_STRING}|[{{}}\[\],]", re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_BOM = "\ufeff"


def loads(text: str) -> dict[str, Any]:
    """What the text says; of a name that is there twice, the last counts.

    Raises ValueError, with nothing of the text in it, where it is not one object.
    """
    try:
        found = json.loads(_plain(text), parse_constant=_refuse)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError("this is not a JSON object with comments")  # noqa: TRY004
    return found


def set_string(text: str, name: str, value: str) -> str:
    """The text with one property of the outermost object set, and every other character as it was.

    Where the name is there twice, the last is changed, which is the one that counts; where it is
    not there, it is added as the first. Raises ValueError where the text is not one object.
    """
    loads(text)
    plain = _plain(text)
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


def _plain(text: str) -> str:
    """Plain JSON of the same length, so that every place is the same in both."""
    if text.startswith(_BOM):
        text = f" {text[1:]}"
    text = _COMMENTS.sub(lambda m: m[0] if m[0][0] == '"' else " " * len(m[0]), text)
    characters = list(text)
    before, end = "", 0
    for token in _TOKENS.finditer(text):
        kind = token[0]
        if text[end : token.start()].strip():
            before = "value"
        if kind == "," and before in ("", "{", "[", ","):
            kind = "stray"  # a comma trails only where a value stands before it
        if kind in ("}", "]") and before == ",":
            characters[end - 1] = " "
        before, end = kind, token.end()
    return "".join(characters)


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
