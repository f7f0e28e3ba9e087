"""Globs that cannot hang: ``*`` and ``?`` within one path segment, matched in linear memory and
at worst ``len(pattern) * len(text)`` steps. Users write them, so regular expressions are out."""

from __future__ import annotations

from functools import lru_cache


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


def heads_matched(pattern: str, text: str) -> list[int]:
    """The lengths of all beginnings of ``text`` that ``pattern`` covers, in their order.

    One step of a few integer operations for each character: ``reached`` has a bit for each place in
    the pattern.
    """
    pattern = _single_stars(pattern)
    end = 1 << len(pattern)
    stars, anything = _places(pattern, "*"), _places(pattern, "?")
    literal = {character: _places(pattern, character) for character in {*pattern} - {*"*?"}}
    reached = _past_stars(1, stars)
    found = [0] if reached & end else []
    for length, character in enumerate(text, 1):
        wild = 0 if character == "/" else anything
        same = literal.get(character, 0) | wild
        swallowed = 0 if character == "/" else reached & stars
        reached = _past_stars(((reached & same) << 1) | swallowed, stars)
        if not reached:
            break
        if reached & end:
            found.append(length)
    return found


def _past_stars(reached: int, stars: int) -> int:
    """The places reached, and those after a star, which may stand for nothing. There are no two
    stars in a row."""
    return reached | ((reached & stars) << 1)


def glob_to_regex(pattern: str) -> str:
    """The same glob as an RE2 expression without anchors, for match conditions in CEL.

    Image patterns hold nothing but letters, digits, ``*?._/-``, of which only the dot is special.
    """
    special = {"*": "[^/]*", "?": "[^/]", ".": "[.]"}
    return "".join(special.get(character, character) for character in pattern)


@lru_cache(maxsize=65536)
def patterns_overlap(one: str, other: str) -> bool:
    """Whether an image's path can match both image patterns. Of the longer one, the parts that
    stand before the shorter one do not count, because a pattern matches the last parts of a path.
    """
    pairs = zip(reversed(one.split("/")), reversed(other.split("/")), strict=False)
    return all(_parts_overlap(first, second) for first, second in pairs)


def _parts_overlap(one: str, other: str) -> bool:
    """Whether a text without slashes matches both globs.

    A walk over both globs at once; ``reached`` has a bit for each place in ``other``, so it takes
    one step of a few integer operations for each character of ``one``.
    """
    if not _has_wildcard(one):
        return glob_matches(other, one)
    if not _has_wildcard(other):
        return glob_matches(one, other)
    one, other = _single_stars(one), _single_stars(other)
    end = 1 << len(other)
    everywhere = (end << 1) - 1
    stars = _places(other, "*")
    anything = (end - 1) & ~stars
    reached = 1
    for character in one:
        reached |= (reached & stars) << 1  # a star in the other glob may stand for nothing
        if character == "*":
            # It swallows any rest of the other glob, or nothing: all places from the first one on.
            reached = everywhere & ~((reached & -reached) - 1) if reached else 0
            continue
        same = anything if character == "?" else _places(other, character) | _places(other, "?")
        reached = ((reached & same) << 1) | (reached & stars)
    reached |= (reached & stars) << 1
    return bool(reached & end)


def _single_stars(pattern: str) -> str:
    while "**" in pattern:  # each round halves the longest row of stars
        pattern = pattern.replace("**", "*")
    return pattern


def _has_wildcard(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def _places(text: str, wanted: str) -> int:
    return sum(1 << place for place, character in enumerate(text) if character == wanted)
