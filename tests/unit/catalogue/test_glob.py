from __future__ import annotations

import re
import sys
from collections.abc import Callable
from itertools import product
from typing import SupportsIndex

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.glob import glob_matches, glob_to_regex, patterns_overlap
from tests.support.depth import steady
from tests.support.steps import steps_of


def _reference(pattern: str, text: str) -> bool:
    """The definition, word for word: slow, and easy to believe."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        swallows = bool(text) and text[0] != "/" and _reference(pattern, text[1:])
        return swallows or _reference(pattern[1:], text)
    if not text:
        return False
    matches = text[0] != "/" if pattern[0] == "?" else pattern[0] == text[0]
    return matches and _reference(pattern[1:], text[1:])


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("", ""),
        ("*", ""),
        ("***", ""),
        ("*", "a"),
        ("a", "a"),
        ("?", "a"),
        ("a*", "a"),
        ("*a", "bca"),
        ("a*c", "abbbc"),
        ("*-search", "8.9-datacenter-search"),
        ("*-search", "-search"),
        ("ALPINE_*", "ALPINE_DATABASE_URL"),
        ("a*b*c", "aXbXbXc"),
        ("*ab", "aab"),
        ("*aab", "aaab"),
        ("*?", "a"),
        ("emqx/*", "emqx/emqx"),
        ("*/*", "a/b"),
        ("*.*", "a.b"),
    ],
)
def test_matches(pattern: str, text: str) -> None:
    assert glob_matches(pattern, text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("", "a"),
        ("a", ""),
        ("?", ""),
        ("a", "A"),
        ("a", "b"),
        ("a", "ab"),
        ("ab", "a"),
        ("*?", ""),
        ("*", "/"),
        ("?", "/"),
        ("*", "a/b"),
        ("a*c", "a/c"),
        ("emqx*", "emqx/emqx"),
        ("*-search", "datacenter-search-2"),
        ("a.c", "abc"),
        ("a[b]c", "abc"),
        (".*", "abc"),
        ("*a/b", "x/a/b"),
    ],
)
def test_does_not_match(pattern: str, text: str) -> None:
    assert not glob_matches(pattern, text)


def test_agrees_with_the_definition_on_everything_small() -> None:
    patterns = ["".join(letters) for n in range(5) for letters in product("a*?/", repeat=n)]
    texts = ["".join(letters) for n in range(6) for letters in product("ab/", repeat=n)]
    wrong = [
        (pattern, text)
        for pattern in patterns[::3]
        for text in texts
        if glob_matches(pattern, text) != _reference(pattern, text)
    ]
    assert wrong == []


_PATTERNS = st.text(alphabet="ab/*?.-", max_size=9)
_TEXTS = st.text(alphabet="ab/.-", max_size=12)


@steady
@given(_PATTERNS, _TEXTS)
@example("*a*b/*", "aXab/")
@example("*ab*", "aab/b")
def test_agrees_with_the_definition_and_with_its_regular_expression(
    pattern: str, text: str
) -> None:
    expected = _reference(pattern, text)
    assert glob_matches(pattern, text) == expected
    assert (re.fullmatch(glob_to_regex(pattern), text) is not None) == expected


@steady
@given(_TEXTS, st.data())
def test_a_text_matches_each_pattern_that_was_made_from_it(text: str, data: st.DataObject) -> None:
    pattern = ""
    for character in text:
        pattern += data.draw(
            st.sampled_from([character] if character == "/" else [character, "?", "*", "**"])
        )
    assert glob_matches(pattern, text)


@steady
@given(st.text(max_size=12), st.text(max_size=12))
def test_wild_text_never_raises_and_a_text_matches_itself(pattern: str, text: str) -> None:
    glob_matches(pattern, text)
    assert glob_matches(text, text)


class _Counted(str):
    """Text that counts how often somebody looks at one of its characters."""

    __slots__ = ("looks",)

    looks: int

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        self.looks = getattr(self, "looks", 0) + 1
        return super().__getitem__(key)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*a" * 40 + "b", "a" * 4000),
        ("a*" * 40 + "b", "a" * 4000),
        ("*?" * 40 + "/", "a" * 4000),
        ("*" * 2000 + "b", "a" * 2000),
        ("a" * 50 + "*" + "a" * 50 + "b", "a" * 4000),
        ("?*" * 60, "a" * 20 + "/"),
        ("*aab" * 30, "aa" * 2000),
    ],
)
def test_patterns_that_hang_others_take_no_more_steps_than_their_size_allows(
    pattern: str, text: str
) -> None:
    counted_pattern, counted_text = _Counted(pattern), _Counted(text)
    assert not glob_matches(counted_pattern, counted_text)
    most = 3 * (len(pattern) + 1) * (len(text) + 1)
    assert counted_pattern.looks + counted_text.looks <= most


def test_one_star_costs_no_more_than_the_text_is_long() -> None:
    text = _Counted("a" * 10_000)
    assert glob_matches("*", text)
    assert text.looks <= 3 * len(text)


def test_long_input_needs_no_stack() -> None:
    text = "ab" * sys.getrecursionlimit()
    assert glob_matches("*" + "?" * len(text), text)
    assert not glob_matches("*b*a*b*c", text)


@pytest.mark.parametrize(
    ("pattern", "regex"),
    [
        ("emqx/emqx", "emqx/emqx"),
        ("emqx-*", "emqx-[^/]*"),
        ("v?.io/x", "v[^/][.]io/x"),
    ],
)
def test_the_regular_expression_says_the_same_without_anchors(pattern: str, regex: str) -> None:
    assert glob_to_regex(pattern) == regex


_WORDS = ["".join(letters) for n in range(1, 6) for letters in product("ab", repeat=n)]


@steady
@given(st.text("ab*?", min_size=1, max_size=4), st.text("ab*?", min_size=1, max_size=4))
@example("a*b", "?*")
@example("*a", "b*")
@example("a*", "*b*a")
@example("?", "*")
def test_two_globs_overlap_if_a_text_matches_both(one: str, other: str) -> None:
    # A text that both match need not be longer than both together; five letters show nearly all.
    common = [word for word in _WORDS if glob_matches(one, word) and glob_matches(other, word)]
    if common:
        assert patterns_overlap(one, other)
    elif len(one) + len(other) <= 5:
        assert not patterns_overlap(one, other)
    assert patterns_overlap(one, other) == patterns_overlap(other, one)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("emqx/emqx", "emqx", True),
        ("mirror/emqx/emqx", "emqx/emqx", True),
        ("acme/emqx", "emqx/emqx", False),
        ("acme/*x", "*e/emq?", True),
        ("acme/*x", "*e/emq", False),
        ("a/b", "a/b/c", False),
        ("b/c", "a/b/c", True),
    ],
)
def test_patterns_overlap_by_their_last_parts(one: str, other: str, *, overlap: bool) -> None:
    assert patterns_overlap(one, other) is overlap
    assert patterns_overlap(other, one) is overlap


@pytest.mark.parametrize(
    "patterns",
    [
        lambda n: ("*a" * n, "*b" * n),
        lambda n: ("?*" * n, "*?" * n + "x"),
        lambda n: ("*a" * n + "b", "a" * n),
    ],
)
def test_comparing_hostile_patterns_takes_no_more_steps_than_pairs_of_characters(
    patterns: Callable[[int], tuple[str, str]],
) -> None:
    short, long = (steps_of(lambda n=n: patterns_overlap(*patterns(n))) for n in (30, 120))
    assert long < 20 * short, "four times as long takes sixteen times as many steps at most"
