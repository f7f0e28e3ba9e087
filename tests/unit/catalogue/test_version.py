from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from fleet_telemetry.catalogue.version import Version, VersionRanges, VersionSpan
from tests.support.depth import steady
from tests.support.every import every
from tests.support.manifest_strategies import WILD_TEXT


def _span(tag: str) -> VersionSpan:
    span = VersionSpan.parse(tag)
    assert span is not None, tag
    return span


def _ranges(*ranges: str) -> VersionRanges:
    return VersionRanges.parse(ranges)


# Tags that name one version. The second column is what a person calls it, the third the same
# version in other words.
_EXACT = [
    # Dependency-Track
    ("4.13.0", "4.13.0", "4.13.0"),
    ("4.14.3-alpine", "4.14.3", "4.14.3"),
    ("5.0.0-rc.1", "5.0.0-rc.1", "5.0.0-rc.1"),
    ("5.0.0-rc.2-alpine", "5.0.0-rc.2", "5.0.0-rc.2"),
    ("5.7.0-alpha.8", "5.7.0-alpha.8", "5.7.0-alpha.8"),
    # SonarQube: by release, by calendar, with a build
    ("8.9.0-community", "8.9.0", "8.9.0"),
    ("9.9.0.65466-community", "9.9.0.65466", "9.9.0.65466"),
    ("10.7.0-datacenter-app", "10.7.0", "10.7.0"),
    ("10.0.0-developer", "10.0.0", "10.0.0"),
    ("25.6.0.109173-community", "25.6.0.109173", "25.6.0.109173"),
    ("26.7.0.124771-community", "26.7.0.124771", "26.7.0.124771"),
    ("2025.1.1-enterprise", "2025.1.1", "2025.1.1"),
    ("2026.4.0-developer", "2026.4.0", "2026.4.0"),
    ("2026.4.0-datacenter-search", "2026.4.0", "2026.4.0"),
    # EMQX
    ("5.8.9", "5.8.9", "5.8.9"),
    ("5.8.6-elixir", "5.8.6", "5.8.6"),
    ("5.8.1-msodbc", "5.8.1", "5.8.1"),
    ("5.0.5-beta.1", "5.0.5-beta.1", "5.0.5-beta.1"),
    ("5.9.0-rc.10", "5.9.0-rc.10", "5.9.0-rc.10"),
    # Others
    ("v5.8.9", "5.8.9", "5.8.9"),
    ("V5.8.9", "5.8.9", "5.8.9"),
    ("v5.0.0-rc.1", "5.0.0-rc.1", "5.0.0-rc.1"),
    ("V5.0.0-rc.1", "5.0.0-rc.1", "5.0.0-rc.1"),
    ("5.0.0-RC1", "5.0.0-RC1", "5.0.0-rc.1"),
    ("5.0.0-rc-1", "5.0.0-rc-1", "5.0.0-rc.1"),
    ("5.0.0.rc1", "5.0.0.rc1", "5.0.0-rc.1"),
    ("9.9.0-M2", "9.9.0-M2", "9.9.0-milestone.2"),
    ("1.0.0-pre.1", "1.0.0-pre.1", "1.0.0-alpha.1"),
    ("5.0.0+build.7", "5.0.0", "5.0.0"),
    ("5.0.0-1", "5.0.0", "5.0.0"),
    ("5.0.0-20261121", "5.0.0", "5.0.0"),
    ("5.0.0-gabcdef0", "5.0.0", "5.0.0"),
    ("5.0.0-r1_2", "5.0.0", "5.0.0"),
    ("0.0.0", "0.0.0", "0.0.0"),
    ("1.2.3.4", "1.2.3.4", "1.2.3.4"),
    # The version of what is below the product
    ("4.14.3-alpine3.20.1", "4.14.3", "4.14.3"),
    ("4.14.3-Debian-12.5.0-r4", "4.14.3", "4.14.3"),
    ("4.14.3-ubi8-minimal-8.10-1130", "4.14.3", "4.14.3"),
    ("4.14.3-jdk-21.0.4_7-alpine-3.20", "4.14.3", "4.14.3"),
    ("2.10.4-python3.11", "2.10.4", "2.10.4"),
    ("4.14.3-k8s1.29.3", "4.14.3", "4.14.3"),
    ("4.14.3-windowsservercore-10.0.20348.2700", "4.14.3", "4.14.3"),
    # A build, a date, and numbers that are too few for a version
    ("4.14.3-20240101.1", "4.14.3", "4.14.3"),
    ("4.14.3-2026-11-21", "4.14.3", "4.14.3"),
    ("4.14.3-1.el9", "4.14.3", "4.14.3"),
    ("4.14.3-4-1", "4.14.3", "4.14.3"),
    ("4.14.3-12-g1a2b3c4", "4.14.3", "4.14.3"),
    # A flavour that only begins like a stage is a flavour.
    ("5.0.0-alphabet", "5.0.0", "5.0.0"),
    ("5.0.0-developer", "5.0.0", "5.0.0"),
    # A candidate of a release is one candidate, however short the release is written.
    ("5.1-rc.2", "5.1-rc.2", "5.1.0-rc.2"),
]


@every(("tag", "text", "same"), _EXACT)
def test_an_exact_tag_is_one_version(tag: str, text: str, same: str) -> None:
    assert _span(tag) == VersionSpan(text, Version.parse(same))


# Tags that float: from the first version they may be to the first they cannot be.
_FLOATING = [
    ("4.14", "4.14", "4.14.0", "4.15.0-dev"),
    ("4", "4", "4.0.0", "5.0.0-dev"),
    ("v5", "5", "5.0.0", "6.0.0-dev"),
    ("5.8-elixir", "5.8", "5.8.0", "5.9.0-dev"),
    ("6", "6", "6.0.0", "7.0.0-dev"),
    ("9.9-community", "9.9", "9.9.0", "9.10.0-dev"),
    ("9-community", "9", "9.0.0", "10.0.0-dev"),
    ("2025.1-developer", "2025.1", "2025.1.0", "2025.2.0-dev"),
    ("2025-lta-developer", "2025", "2025.0.0", "2026.0.0-dev"),
    ("2025.4-lta-enterprise", "2025.4", "2025.4.0", "2025.5.0-dev"),
    # Builds on the way to a release may be any of them.
    ("4.15.0-SNAPSHOT", "4.15.0-SNAPSHOT", "4.15.0-dev", "4.15.0"),
    ("4.15.0-snapshot.7", "4.15.0-snapshot.7", "4.15.0-dev", "4.15.0"),
    ("10.7.0-dev", "10.7.0-dev", "10.7.0-dev", "10.7.0"),
    ("5.0.0-rc", "5.0.0-rc", "5.0.0-rc.0", "after 5.0.0-rc"),
    ("5.0.0-beta", "5.0.0-beta", "5.0.0-beta.0", "5.0.0-m.0"),
    ("5.0.0-alpha-alpine", "5.0.0-alpha", "5.0.0-alpha.0", "5.0.0-beta.0"),
    # Both at once: whatever is built on that line.
    ("4-snapshot", "4-snapshot", "4.0.0-dev", "5.0.0-dev"),
    ("5-snapshot", "5-snapshot", "5.0.0-dev", "6.0.0-dev"),
    ("5-SNAPSHOT-alpine", "5-SNAPSHOT", "5.0.0-dev", "6.0.0-dev"),
    ("5.1-dev", "5.1-dev", "5.1.0-dev", "5.2.0-dev"),
    ("5.1-dev-123", "5.1-dev-123", "5.1.0-dev", "5.2.0-dev"),
    ("5-rc", "5-rc", "5.0.0-rc.0", "6.0.0-dev"),
    ("5.1-alpha", "5.1-alpha", "5.1.0-alpha.0", "5.2.0-dev"),
]

# The ends of a stage, which no tag spells out.
_STAGE_BOUNDS = {
    "after 5.0.0-rc": Version((5, 0, 0, 0), 5),
    "5.0.0-rc.0": Version((5, 0, 0, 0), 4),
    "5.0.0-beta.0": Version((5, 0, 0, 0), 2),
    "5.0.0-m.0": Version((5, 0, 0, 0), 3),
    "5.0.0-alpha.0": Version((5, 0, 0, 0), 1),
    "5.1.0-alpha.0": Version((5, 1, 0, 0), 1),
}


def _bound(text: str) -> Version:
    return _STAGE_BOUNDS.get(text) or Version.parse(text)


@every(("tag", "text", "low", "high"), _FLOATING)
def test_a_floating_tag_is_all_versions_that_it_may_be(
    tag: str, text: str, low: str, high: str
) -> None:
    assert _span(tag) == VersionSpan(text, _bound(low), _bound(high))


_NO_VERSION = [
    "",
    "latest",
    "latest-alpine",
    "snapshot",
    "community",
    "developer",
    "lts",
    "lts-community",
    "datacenter-search",
    "stable",
    "main",
    "v",
    "abcdef0",
    "1234abc",
    "0a1b2c3d",
    "deadbeef",
    "sha-1234567",
    "4.13.0a1",
    "4..13",
    "4.13.",
    ".4",
    "-4",
    "4.x",
    "4.13.0_1",
    "1.2.3.4.5",
    # Dates and builds
    "2026-11-21",
    "2026.11-21",
    "20261121",
    "20261121-alpine",
    "12345",
    "5-20261121",
    "5-1a2b3c4",
    "5-g1234567",
    "4.13-abcdef0",
    # No version has leading zeros: dates do
    "01.002.0003",
    "2026.01.02",
    "4.013.0",
    "v04.13.0",
    "00",
    # Two versions, each of which may be the product's
    "4.2.0-5.0.4",
    "4.2.0-v5.0.4",
    "4.2.0-dt5.0.4",
    "4.2.0-dt-5.0.4",
    "4.2.0-dt_5.0.4",
    "4.2.0-DT-V5.0.4",
    "4.2.0-upstream-4.14.3",
    "4.2.0-build4.14.3",
    "4.2.0-dt5.0",
    "4.2.0-5.0",
    "4.2-dt5.0.4",
    "4.2.0-rc.1-dt5.0.4",
    "4.2.0-alpine3.20-dt5.0.4",
    "4.2.0-jdk21.0.4-5.0.4-alpine-dt5.0.4",
    "4.2.0-4-14-3",
    "4.2.0-dt-4_14_3",
    # Too long for a number of a version
    "1.1234567890.0",
    # Blanks and line ends
    " 4.13.0",
    "4.13.0 ",
    "4.13.0\n",
    # Digits and letters of other alphabets: no registry takes them
    "\u0664.\u0661\u0663.0",
    "\uff14.13.0",
    "1.0-\u017fnapshot",
    "1.0-m\u0131lestone",
    "4.13.0-\u00e9",
    "\ud800",
    # Not a tag at all
    "4.13.0@sha256",
    "4.13.0:1",
]


@every("tag", _NO_VERSION)
def test_a_tag_that_names_no_version_has_none(tag: str) -> None:
    assert VersionSpan.parse(tag) is None


@every("text", _NO_VERSION)
def test_a_version_that_cannot_be_read_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a version such as 4\.13\.0 or 5\.0\.0-rc\.2"):
        Version.parse(text)


def test_the_sentence_quotes_what_was_written() -> None:
    with pytest.raises(ValueError, match=r"'4\.x' is not a version"):
        Version.parse("4.x")


_ASCENDING = [
    "3.8.0",
    "4.12.7",
    "4.13.0-SNAPSHOT",
    "4.13.0-alpha.1",
    "4.13.0-beta.1",
    "4.13.0-beta.2",
    "4.13.0-M1",
    "4.13.0-rc.1",
    "4.13.0-rc.2",
    "4.13.0-rc.10",
    "4.13.0",
    "4.13.0.1",
    "4.13.1-rc.1",
    "4.13.1",
    "4.13.6",
    "4.13.10",
    "4.14.0",
    "5.0.0-dev",
    "5.0.0-rc.1",
    "5.0.0",
    "5.10.0",
    "9.9.0",
    "9.9.0.65466",
    "9.9.1",
    "10.0.0",
    "25.6.0.109173",
    "25.6.0.200000",
    "26.1.0.1",
    "2025.1.0",
    "2026.4.0",
]


def test_versions_stand_in_the_order_of_their_release() -> None:
    versions = [Version.parse(text) for text in _ASCENDING]
    for before, after in combinations(versions, 2):
        assert before < after
        assert after > before
        assert before <= after
        assert before != after


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("4", "4.0.0"),
        ("4.13", "4.13.0.0"),
        ("v4.13.0", "4.13.0-alpine"),
        ("5.0.0-SNAPSHOT", "5.0.0-dev"),
        ("5.0.0-m.1", "5.0.0-milestone.1"),
    ],
)
def test_missing_numbers_flavours_and_synonyms_make_no_difference(one: str, other: str) -> None:
    assert Version.parse(one) == Version.parse(other)
    assert hash(Version.parse(one)) == hash(Version.parse(other))


_POINTS = st.builds(
    Version,
    st.tuples(*[st.integers(0, 2)] * 4),
    st.sampled_from([0, 1, 2, 3, 4, 9]),
    st.integers(0, 2),
)


@steady
@given(_POINTS, _POINTS, _POINTS)
def test_the_order_is_total(a: Version, b: Version, c: Version) -> None:
    assert [a < b, a == b, a > b].count(True) == 1
    assert (a <= b) == (a < b or a == b)
    assert (a >= b) == (not a < b)
    if a < b < c:
        assert a < c
    if a == b:
        assert hash(a) == hash(b)
        assert (a < c) == (b < c)


@pytest.mark.parametrize(
    ("ranges", "inside", "outside"),
    [
        # Half-open: the lower bound is in, the upper one is not.
        (
            (">=4.13.0 <5.0.0",),
            ("4.13.0", "4.13.0.1", "4.14", "4.14.3", "4.999.0", "5.0.0-rc.1", "5.0.0-SNAPSHOT"),
            ("4.12.9", "4.13.0-rc.1", "5.0.0", "5.0.1", "5", "4"),
        ),
        ((">=26.7",), ("26.7", "26.7.0.1", "26.10.0", "2026.1.0", "27"), ("26.6.9", "26.7.0-rc.1")),
        (("<4.13.0",), ("0.0.1", "4.12", "4.13.0-rc.1", "3"), ("4.13.0", "4.13", "4", "5")),
        # The pre-releases of the upper bound belong to it.
        (("<5.0.0-dev",), ("4.99.0", "4", "4.99"), ("5.0.0-SNAPSHOT", "5.0.0-rc.1", "5", "5.0")),
        ((">=5.0.0-rc.1 <5.0.0-rc.2",), ("5.0.0-rc.1",), ("5.0.0-rc.2", "5.0.0-rc", "5.0.0")),
        ((">=5.0.0-rc.2",), ("5.0.0-rc.2", "5.0.0-rc.10", "5", "5.0"), ("5.0.0-rc.1", "5.0.0-rc")),
        # A union.
        (
            ("<4.0.0", ">=5.0.0 <6.0.0"),
            ("3.9.0", "5.0.0", "5.8", "5.9.9"),
            ("4.0.0", "4", "4.999.0", "6.0.0"),
        ),
        # Whatever is written between the bounds.
        (("  >=1.0.0   <2.0.0 ",), ("1.0.0",), ("2.0.0",)),
        ((">=1.0.0<2.0.0",), ("1.5.0",), ("2.0.0",)),
        # Short bounds are the first version of that name.
        ((">=8.3 <9.9",), ("8.3", "8.9-community", "9.8"), ("8.2", "9.9", "8", "9")),
    ],
)
def test_a_range_holds_its_versions_and_no_others(
    ranges: tuple[str, ...], inside: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    compiled = _ranges(*ranges)
    assert [tag for tag in inside if not compiled.covers(_span(tag))] == []
    assert [tag for tag in outside if compiled.covers(_span(tag))] == []


def test_no_range_holds_every_version_even_one_that_cannot_be_read() -> None:
    assert _ranges().covers(_span("0.0.1"))
    assert _ranges().covers(_span("5"))
    assert _ranges().covers(None)


@pytest.mark.parametrize("ranges", ["<5", ">=0", ">=4.0.0 <5.0.0"])
def test_no_range_holds_a_version_that_cannot_be_read(ranges: str) -> None:
    assert not _ranges(ranges).covers(None)


@pytest.mark.parametrize(
    ("ranges", "tag", "touches"),
    [
        (">=4.13.0 <5.0.0-dev", "4", True),
        (">=4.13.0 <5.0.0-dev", "4-snapshot", True),
        (">=4.13.0 <5.0.0-dev", "4.12", False),
        (">=4.13.0 <5.0.0-dev", "5", False),
        (">=4.13.0 <5.0.0-dev", "4.13.0", True),
        (">=4.13.0 <5.0.0-dev", "4.13.0-rc.1", False),
        (">=4.13.0 <5.0.0-dev", "5.0.0-SNAPSHOT", False),
        ("<4.13.0", "4", True),
        ("<4.13.0", "4.13.0", False),
        ("<4.13.0", "4.13.0-rc.1", True),
        (">=4.13.0", "4.13.0-SNAPSHOT", False),
        (">=5.0.0-rc.2", "5.0.0-rc", True),
        (">=5.0.0-rc.2", "5.0.0-rc.1", False),
        ("<5.0.0-rc.2", "5.0.0-rc.1", True),
    ],
)
def test_a_range_touches_a_span_when_some_of_it_lies_inside(
    ranges: str, tag: str, touches: bool
) -> None:
    assert _ranges(ranges).touches(_span(tag)) is touches


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (("<4.13.0",), (">=4.13.0",), False),
        (("<4.13.0",), (">=4.12.9",), True),
        (("<4.13.0",), (">=4.13.0-rc.1",), True),
        ((">=1 <2",), (">=2 <3",), False),
        ((">=1 <3",), (">=2 <4",), True),
        ((">=1 <4",), (">=2 <3",), True),
        ((">=1 <2", ">=5 <6"), (">=2 <5",), False),
        ((">=1 <2", ">=5 <6"), (">=2 <5.0.1",), True),
        ((">=2",), (">=9",), True),
        (("<2",), ("<9",), True),
        ((), (">=1 <2",), True),
        ((), (), True),
    ],
)
def test_ranges_overlap_when_some_version_lies_in_both(
    one: tuple[str, ...], other: tuple[str, ...], overlap: bool
) -> None:
    assert _ranges(*one).overlaps(_ranges(*other)) is overlap
    assert _ranges(*other).overlaps(_ranges(*one)) is overlap


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "4.13.0",
        ">4.13.0",
        "<=5",
        "=5",
        "==5",
        "~=5.0",
        "^5",
        ">=",
        "<",
        ">= 5",
        ">=5 <",
        ">=5 >=6",
        "<5 <6",
        "<6 >=5",
        ">=5 <6 <7",
        "5 - 6",
        ">=5 || >=7",
    ],
)
def test_what_is_no_range_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a version") as caught:
        VersionRanges.parse((text,))
    assert text.strip(" ")[:2].strip() in str(caught.value)


@pytest.mark.parametrize(
    "text", [">=latest", "<4.x", ">=5 <latest", ">=2026-11-21", ">=1.2.3.4.5", ">=5,<6"]
)
def test_a_range_of_nonsense_names_the_bound(text: str) -> None:
    with pytest.raises(ValueError, match=r"'[^<>=]+' is not a version such as"):
        VersionRanges.parse((text,))


@pytest.mark.parametrize(
    "text", [">=5 <5", ">=5 <4", ">=5.0.0 <5.0.0-rc.1", ">=5.0.0-rc.2 <5.0.0-rc.2", ">=5 <5.0"]
)
def test_a_range_in_which_no_version_can_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no version can be in range") as caught:
        VersionRanges.parse((text,))
    assert text in str(caught.value)


def test_one_bad_range_of_several_is_enough() -> None:
    with pytest.raises(ValueError, match="'>4' is not a version range"):
        _ranges(">=1 <2", ">4")


def _write(version: Version) -> str:
    stage = {0: "-dev", 1: "-alpha", 2: "-beta", 3: "-m", 4: "-rc", 9: ""}[version.stage]
    count = f".{version.step}" if version.stage not in {0, 9} else ""
    return ".".join(map(str, version.numbers)) + stage + count


_WRITABLE = _POINTS.filter(lambda version: version.stage not in {0, 9} or version.step == 0)


@st.composite
def _range_and_bounds(draw: st.DrawFn) -> tuple[str, Version | None, Version | None]:
    low, high = draw(st.none() | _WRITABLE), draw(st.none() | _WRITABLE)
    assume(low is not None or high is not None)
    assume(low is None or high is None or low < high)
    text = (f">={_write(low)} " if low else "") + (f"<{_write(high)}" if high else "")
    return text, low, high


@steady
@given(_WRITABLE)
def test_what_is_written_reads_as_it_was(version: Version) -> None:
    assert Version.parse(_write(version)) == version


@steady
@given(_range_and_bounds(), _POINTS)
def test_a_range_holds_exactly_what_lies_between_its_bounds(
    ranged: tuple[str, Version | None, Version | None], point: Version
) -> None:
    text, low, high = ranged
    between = (low is None or low <= point) and (high is None or point < high)
    span = VersionSpan("", point)
    assert _ranges(text).covers(span) is between
    assert _ranges(text).touches(span) is between


_SPANS = st.one_of(
    _POINTS.map(lambda point: VersionSpan("", point)),
    st.tuples(_POINTS, _POINTS)
    .filter(lambda pair: pair[0] < pair[1])
    .map(lambda pair: VersionSpan("", *pair)),
)


def _is_in(point: Version, span: VersionSpan) -> bool:
    return point == span.low if span.high is None else span.low <= point < span.high


@steady
@given(st.lists(_range_and_bounds(), min_size=1, max_size=3), _SPANS, _POINTS)
def test_covering_and_touching_a_span_agree_with_its_points(
    ranged: list[tuple[str, Version | None, Version | None]], span: VersionSpan, point: Version
) -> None:
    ranges = _ranges(*(text for text, _, _ in ranged))
    if ranges.covers(span):
        assert ranges.touches(span)
    if _is_in(point, span):
        inside = ranges.covers(VersionSpan("", point))
        assert inside or not ranges.covers(span)
        assert not inside or ranges.touches(span)


@steady
@given(_range_and_bounds(), _range_and_bounds(), _POINTS)
def test_overlapping_agrees_with_the_points_and_both_ways(
    one: tuple[str, Version | None, Version | None],
    other: tuple[str, Version | None, Version | None],
    point: Version,
) -> None:
    first, second = _ranges(one[0]), _ranges(other[0])
    span = VersionSpan("", point)
    assert first.overlaps(second) is second.overlaps(first)
    assert first.overlaps(first)
    if first.covers(span) and second.covers(span):
        assert first.overlaps(second)


@steady
@given(
    st.one_of(
        WILD_TEXT,
        st.from_regex(
            r"(?i)v?\d{1,5}([.]\d{1,10}){0,4}([-.](snapshot|milestone|m|rc)\d?)?[-+]?.{0,4}",
            fullmatch=True,
        ),
    )
)
@example("1.0-\u017fnapshot")
@example("9" * 5000)
@example("1." * 5000)
@example("1-rc" + "9" * 5000)
def test_a_wild_tag_never_raises_and_a_span_is_never_empty(tag: str) -> None:
    span = VersionSpan.parse(tag)
    if span is not None:
        assert span.text
        assert span.text in tag
        assert span.high is None or span.low < span.high
        assert VersionRanges().covers(span)


@steady
@given(WILD_TEXT)
@example(">=\u0664")
@example(">=1 <\u0665")
@example("\u2003>=1")
def test_a_wild_range_is_read_or_refused_with_a_value_error(text: str) -> None:
    try:
        ranges = VersionRanges.parse((text,))
    except ValueError as error:
        assert str(error)  # noqa: PT017
    else:
        assert ranges.overlaps(ranges)


@steady
@given(st.integers(0, 9999), st.none() | st.integers(0, 999_999_999))
def test_a_floating_tag_holds_all_of_its_line_and_nothing_of_the_next(
    major: int, minor: int | None
) -> None:
    tag = str(major) if minor is None else f"{major}.{minor}"
    following = str(major + 1) if minor is None else f"{major}.{minor + 1}"
    assume(VersionSpan.parse(f"{following}.0.0") is not None)
    span = _span(tag)
    assert _is_in(Version.parse(tag), span)
    rest = ".0" if minor is not None else ".0.0"
    assert _is_in(Version.parse(f"{tag}{rest}"), span)
    assert _is_in(Version.parse(f"{tag}.999{rest[2:]}"), span)
    assert not _is_in(Version.parse(f"{tag}{rest}-rc.1"), span)
    assert not _is_in(Version.parse(f"{following}{rest}"), span)
    assert not _is_in(Version.parse(f"{following}{rest}-SNAPSHOT"), span)


#: The archived preview of Dependency-Track 5 counted further than the first releases.
def test_numbers_alone_do_not_tell_an_archived_preview_from_a_release() -> None:
    preview, release = Version.parse("5.6.0"), Version.parse("5.0.4")
    assert release < preview
    assert _ranges(">=5.0.0-rc.2").covers(_span("5.6.0"))
