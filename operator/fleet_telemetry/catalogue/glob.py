"""Globs that cannot hang: ``*`` and ``?`` within one path segment, matched in linear memory and
at worst ``len(pattern) * len(text)`` steps. Users write them, so regular expressions are out."""

from __future__ import annotations


def glob_matches(pattern: str, text: str) -> bool:
    """Whether ``pattern`` covers the whole of ``text``; ``*`` and ``?`` never match a ``/``."""
    pattern_at = text_at = 0
    star_at, resume_at = -1, 0
    while text_at < len(text):
        wanted = pattern[pattern_at] if pattern_at < len(pattern) else ""
        if wanted == "*":
            star_at, resume_at = pattern_at, text_at
            pattern_at += 1
        elif wanted and (wanted == text[text_at] or (wanted == "?" and text[text_at] != "/")):
            pattern_at += 1
            text_at += 1
        elif star_at >= 0 and text[resume_at] != "/":
            # Let the last star swallow one character more. An earlier star never has to be
            # tried again, which is what keeps this from backtracking without end.
            resume_at += 1
            pattern_at, text_at = star_at + 1, resume_at
        else:
            return False
    return not pattern[pattern_at:].strip("*")


def glob_to_regex(pattern: str) -> str:
    """The same glob as an RE2 expression without anchors, for match conditions in CEL.

    Image patterns hold nothing but letters, digits, ``*?._/-``, of which only the dot is special.
    """
    special = {"*": "[^/]*", "?": "[^/]", ".": "[.]"}
    return "".join(special.get(character, character) for character in pattern)
