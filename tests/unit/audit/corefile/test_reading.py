"""Corefiles of others: whatever is in them, they are read in linear time, and without a fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.audit.corefile.foreign import Zone, read_corefile, zone_of
from fleet_telemetry.audit.corefile.words import (
    LONGEST_TEXT,
    CorefileError,
    Word,
    words_of,
    written,
)

KUBEADM = """\
# by kubeadm
.:53 {
    errors
    health {
       lameduck 5s
    }
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
    }
}
"""
PIECES = st.sampled_from(
    [" ", "\n", "\r", "\t", "#", '"', "\\", "{", "}", "import ", "(a) {", "a", ".:53 ", "x,", "é"]
)
WILD = st.lists(PIECES | st.text(max_size=3), max_size=60).map("".join)


def texts(text: str) -> list[str]:
    return [word.text for word in words_of(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b\tc", ["a", "b", "c"]),
        ("a # b\nc", ["a", "c"]),
        ("a#b\nc", ["a", "c"]),
        ('"a b" c', ["a b", "c"]),
        ('"a\nb" c', ["a\nb", "c"]),
        (r'"a\"b\c"', [r'a"b\c']),
        (r'"a\\" b', [r"a\\", "b"]),
        ('a"b c"', ['a"b', 'c"']),
        ('""', [""]),
        ("a\r\nb", ["a", "b"]),
        ("a\rb", ["ab"]),
        ("a\u2003b", ["a", "b"]),
        ("a\x1cb", ["a\x1cb"]),
        ("", []),
    ],
)
def test_words_are_those_of_core_dns(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_a_word_knows_its_line_and_whether_it_starts_it() -> None:
    assert words_of('a "b\nc" d\ne') == [
        Word("a", 1, starts_line=True),
        Word("b\nc", 1, quoted=True),
        Word("d", 2),
        Word("e", 3, starts_line=True),
    ]


@pytest.mark.parametrize("text", ['a "b', '"', '"\\"', "x" * (LONGEST_TEXT + 1)])
def test_what_core_dns_does_not_read_either(text: str) -> None:
    with pytest.raises(CorefileError):
        words_of(text)


@given(WILD)
def test_what_is_written_has_the_same_words(text: str) -> None:
    try:
        words = words_of(text)
    except CorefileError:
        return
    again = words_of("\n".join(written(words)))
    assert [(one.text, one.quoted, one.starts_line) for one in again] == [
        (one.text, one.quoted, one.starts_line) for one in words
    ]


@given(WILD, st.dictionaries(st.sampled_from(["a", "b.server", "c"]), WILD, max_size=3))
def test_nothing_makes_it_crash(text: str, files: dict[str, str]) -> None:
    found = read_corefile(text, files, files)
    assert all(problem.isprintable() for problem in found.problems)
    for block in found.blocks:
        for one in block.directives:
            assert one.name == one.words[0].text
            assert all(isinstance(line, tuple) for line in one.properties)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "text",
    [
        '"' + "\\\\" * (LONGEST_TEXT // 2 - 1) + '"',
        "{ " * (LONGEST_TEXT // 2),
        "a {\n" * (LONGEST_TEXT // 4),
        "#" * LONGEST_TEXT,
        '"a' * (LONGEST_TEXT // 2),
        "import a\n" * (LONGEST_TEXT // 9),
        "(a) {\nimport a\nimport a\n}\nimport a\n",
        "(a) {\n" + "x " * 90_000 + "\n}\n.:53 {\n" + "import a\n" * 100 + "}",
        "a\r" * (LONGEST_TEXT // 2),
    ],
    ids=["escapes", "braces", "nested", "comment", "quotes", "imports", "loop", "bomb", "returns"],
)
def test_hostile_ones_end(text: str) -> None:
    read_corefile(text, {"a": "import a\nimport a\n"}, {})


def test_a_real_one() -> None:
    (block,) = read_corefile(KUBEADM, {}, {}).blocks
    assert block.zones == (Zone("", "53", has_port=True),)
    assert [one.name for one in block.directives] == [
        "errors",
        "health",
        "kubernetes",
        "forward",
        "cache",
    ]
    (kubernetes,) = block.all_of("kubernetes")
    assert kubernetes.arguments == ("cluster.local", "in-addr.arpa", "ip6.arpa")
    assert ("pods", "insecure") in kubernetes.properties


def test_snippets_and_files_are_imported_in_their_place() -> None:
    text = """\
(common) {
  errors
  log
}
.:53 {
  import common
  import /etc/coredns/custom/*.override
  forward . 192.0.2.1
}
import /etc/coredns/custom/*.server
import local.conf
"""
    custom = {
        "b.server": "b.example { cache }",
        "a.server": "a.example:53,\nc.example { whoami }",
        "a.override": "hosts { fallthrough }",
        "readme": "}",
    }
    found = read_corefile(text, {"local.conf": "d.example {\n}"}, custom)
    assert found.problems == ()
    assert [one.name for one in found.blocks[0].directives] == ["errors", "log", "hosts", "forward"]
    assert [[zone.name for zone in block.zones] for block in found.blocks[1:]] == [
        ["a.example", "c.example"],
        ["b.example"],
        ["d.example"],
    ]


@pytest.mark.parametrize(
    ("custom", "line"),
    [
        (None, "import /etc/coredns/custom/*.server"),
        ({}, "import /etc/other/x"),
        ({}, "import a/*/*"),
    ],
)
def test_what_it_imports_from_elsewhere_is_said(custom: dict[str, str] | None, line: str) -> None:
    (problem,) = read_corefile(f"{line}\n.:53 {{\n}}", {}, custom).problems
    assert "imports" in problem
    assert line.split()[1] in problem


@pytest.mark.parametrize("text", [".:53 {\n", "a {\n b {\n", "(a) {\n b\n", "import\n"])
def test_what_is_not_closed_is_said_with_what_comes_before(text: str) -> None:
    found = read_corefile(f"before {{\n}}\n{text}", {}, {})
    assert found.problems[0].startswith("the Corefile is read only in part: ")
    assert found.blocks[0].zones[0].name == "before"


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (".", Zone("")),
        (".:5353", Zone("", "5353", has_port=True)),
        ("Example.COM.", Zone("example.com")),
        ("dns://example.com:1053", Zone("example.com", "1053", has_port=True)),
        ("tls://.", Zone("", transport="tls")),
        ("example.com:x", Zone("example.com:x")),
        ("example.com:00000000000000053", Zone("example.com", "0", has_port=True)),
    ],
)
def test_keys(key: str, expected: Zone) -> None:
    assert zone_of(key) == expected
