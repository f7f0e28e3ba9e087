"""Which numbers in tags are versions of a product."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet_telemetry.api.product.versions import KnownVersions, MajorTags, VersionLine
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.known_versions import TagReader
from fleet_telemetry.catalogue.version import Version
from tests.support.depth import steady
from tests.support.every import every
from tests.support.manifest_strategies import WILD_TEXT
from tests.support.product_tables import DIGEST, tag_of

_KNOWN, _LATER = "known", "later"
_UNREADABLE, _NO_VERSION = Reason.VERSION_UNREADABLE, Reason.VERSION_NOT_KNOWN


def _said(image: str) -> str:
    tag = tag_of(image)
    if tag.fault is not None:
        assert tag.version is None
        return tag.fault
    assert tag.version is not None
    return _KNOWN if tag.verified else _LATER


@every(
    ("tag", "expected"),
    [
        ("4.0.0", _KNOWN),
        ("4.14", _KNOWN),
        # A patch release that is newer than this catalogue.
        ("4.14.3-alpine", _KNOWN),
        ("4.14.3-corp3", _KNOWN),
        ("4.13.2-java21-g1234567", _KNOWN),
        ("v4.13.2", _KNOWN),
        ("V4.13.2", _KNOWN),
        ("4.13.2.7", _KNOWN),
        ("4.14.19", _KNOWN),
        (f"4.13.2@{DIGEST}", _KNOWN),
        ("5.0.0-rc1", _KNOWN),
        ("5.0.1-SNAPSHOT", _KNOWN),
        # A minor release.
        ("4.15.0", _LATER),
        ("5.1.0", _LATER),
        ("5.1.0-SNAPSHOT", _LATER),
        ("5.1.0-rc.1", _LATER),
        ("5.49", _LATER),
        ("4.29.19", _LATER),
        # A build in the place of a minor or a patch version.
        ("5.50", _NO_VERSION),
        ("4.30.0", _NO_VERSION),
        ("4.1187", _NO_VERSION),
        ("5.20241101", _NO_VERSION),
        ("4.0.1187", _NO_VERSION),
        ("5.0.20241101", _NO_VERSION),
        ("5.0.20-rc.1", _NO_VERSION),
        # Another major, a build, a date, a mirror's calendar, a part of a commit.
        ("6.0.0", _NO_VERSION),
        ("6.0.0-SNAPSHOT", _NO_VERSION),
        ("3.8.0", _NO_VERSION),
        ("3", _NO_VERSION),
        ("4", _NO_VERSION),
        ("5", _NO_VERSION),
        ("v5", _NO_VERSION),
        ("5-alpine", _NO_VERSION),
        ("5-latest", _NO_VERSION),
        ("5-corp3", _NO_VERSION),
        ("0", _NO_VERSION),
        ("42", _NO_VERSION),
        ("1187", _NO_VERSION),
        ("1187-main", _NO_VERSION),
        ("2024", _NO_VERSION),
        ("2024.10", _NO_VERSION),
        ("2024.10.1", _NO_VERSION),
        ("2025.1", _NO_VERSION),
        ("24.10.1", _NO_VERSION),
        ("1.4.13", _NO_VERSION),
        ("0.0.1187", _NO_VERSION),
        ("9999.9.9", _NO_VERSION),
        ("20241101", _UNREADABLE),
        ("2024-11-01", _UNREADABLE),
        ("2024.01.02", _UNREADABLE),
        ("05.0.4", _UNREADABLE),
        ("5.0.04", _UNREADABLE),
        ("1234567", _UNREADABLE),
        ("1234567890", _UNREADABLE),
        ("9" * 100, _UNREADABLE),
        ("5.0." + "4" * 100, _UNREADABLE),
        ("5-1a2b3c4", _UNREADABLE),
        ("5.0-1a2b3c4", _UNREADABLE),
        ("1187-20241101", _UNREADABLE),
        ("\u0665.0.4", _UNREADABLE),
        ("\uff15.0.4", _UNREADABLE),
        ("\u00b2.0", _UNREADABLE),
        ("latest", _UNREADABLE),
        # Two versions.
        ("4.12.7-4.14.3", _UNREADABLE),
        ("4.12.7-v5.0.4", _UNREADABLE),
        ("4.12.7+5.0.4-alpine", _UNREADABLE),
        # What a branch held some time after that version.
        ("4.12-main-1a2b3c4", _UNREADABLE),
        ("4.12.7-master", _UNREADABLE),
        ("4.12.7-alpine.nightly", _UNREADABLE),
        ("4.5-latest", _UNREADABLE),
        ("4.12-pr1187", _UNREADABLE),
        ("4.12-build.1187", _UNREADABLE),
        ("4.12-b1187", _UNREADABLE),
        ("latest-5.0.4", _UNREADABLE),
        ("stable-5.0.4", _UNREADABLE),
        ("release-5.0.4", _UNREADABLE),
        ("sha256", _UNREADABLE),
        ("", _UNREADABLE),
    ],
)
def test_what_a_tag_of_dependency_track_says(tag: str, expected: str) -> None:
    for name in ("dependencytrack/apiserver", "corp.example/hub/dependencytrack/bundled"):
        assert _said(f"{name}:{tag}") == expected


@every(
    ("image", "expected"),
    [
        ("sonarqube:4.5", _KNOWN),
        ("sonarqube:8.9.10-community", _KNOWN),
        ("sonarqube:10.8.1-developer", _KNOWN),
        ("sonarqube:10-community", _KNOWN),
        ("sonarqube:24.12.0.100206-community", _KNOWN),
        ("sonarqube:26.12.0-community", _KNOWN),
        ("sonarqube:2025.1", _KNOWN),
        ("sonarqube:2025-lta-developer", _KNOWN),
        ("sonarqube:2026.6.0-enterprise", _KNOWN),
        ("sonarqube:27.1.0-community", _LATER),
        ("sonarqube:2027.1.0-developer", _LATER),
        # Between the lines, and beyond them.
        ("sonarqube:11.0.0", _NO_VERSION),
        ("sonarqube:26.1.109173", _NO_VERSION),
        ("sonarqube:24.11.1", _NO_VERSION),
        ("sonarqube:2024.10.1", _NO_VERSION),
        ("sonarqube:2035.1.1", _NO_VERSION),
        ("sonarqube:1187", _NO_VERSION),
        # A mirror's calendar, and builds.
        ("sonarqube:2026.11.21", _NO_VERSION),
        ("sonarqube:2026.11", _NO_VERSION),
        ("sonarqube:2026.4.21-community", _NO_VERSION),
        ("sonarqube:26.11.21", _NO_VERSION),
        ("sonarqube:25.13.0", _NO_VERSION),
        ("sonarqube:10.1187.0", _NO_VERSION),
        ("sonarqube:10-main", _UNREADABLE),
        ("sourcegraph/worker:5.1.20261121", _NO_VERSION),
        ("sourcegraph/worker:5.2.1187", _NO_VERSION),
        ("sourcegraph/worker:3.43.1187", _NO_VERSION),
        ("sourcegraph/worker:4.5.99999", _NO_VERSION),
        ("sourcegraph/worker:5.1.9", _KNOWN),
        ("sonarqube:26", _NO_VERSION),
        ("sonarqube:9", _NO_VERSION),
        ("sonarqube:v9", _NO_VERSION),
        ("sonarqube:20241101-community", _UNREADABLE),
        ("emqx/emqx:5.8.49", _KNOWN),
        ("emqx/emqx:5.8.50", _NO_VERSION),
        ("emqx/emqx:5.1187", _NO_VERSION),
        ("emqx/emqx-enterprise:6.2.2-sf", _KNOWN),
        ("emqx/emqx:6.3.0", _LATER),
        ("emqx/emqx:5.11.0", _LATER),
        ("emqx/emqx:5", _NO_VERSION),
        ("emqx/emqx:7.0.0", _NO_VERSION),
        ("emqx/emqx:2025.1", _NO_VERSION),
        ("sourcegraph/worker:5.6.9999", _KNOWN),
        ("sourcegraph/worker:5.11.0", _LATER),
        ("sourcegraph/frontend:7.7.0", _LATER),
        ("sourcegraph/frontend:8.0.0", _NO_VERSION),
        ("sourcegraph/server:287912", _UNREADABLE),
        ("sourcegraph/server:287912_2024-08-01_5.6-abcdef0", _UNREADABLE),
        ("dependencytrack/hyades-apiserver:5.7.0-alpha.8", _KNOWN),
        ("dependencytrack/hyades-apiserver:5.8.0", _NO_VERSION),
        ("dependencytrack/hyades-apiserver:4.14.3", _NO_VERSION),
    ],
)
def test_each_product_has_its_own_numbers(image: str, expected: str) -> None:
    assert _said(image) == expected


def _reader(*lines: VersionLine, major_tags: MajorTags = MajorTags.ANY) -> TagReader:
    return TagReader.compile(KnownVersions(lines=lines, major_tags=major_tags))


_LINES = (
    VersionLine(lowest="1.2.0", verified="1.4", highest="1"),
    VersionLine(lowest="3.0.0-rc", verified="3.5.1"),
)


@pytest.mark.parametrize(
    ("tag", "low", "expected"),
    [
        # A floating tag begins with its line.
        ("1.2", "1.2.0", _KNOWN),
        ("1", "1.2.0", _LATER),
        ("3.0", "3.0.0", _KNOWN),
        ("3.0.0-rc.1", "3.0.0-rc.1", _KNOWN),
        ("3.5.1", "3.5.1", _KNOWN),
        ("1.5", "1.5.0", _LATER),
        ("1.99.9", "1.99.9", _LATER),
        # Some of it is no version.
        ("3.5", None, _NO_VERSION),
        ("3", None, _NO_VERSION),
        ("3.5.1.1", None, _NO_VERSION),
        ("1.1.9", None, _NO_VERSION),
        ("2", None, _NO_VERSION),
        ("2.0.0-SNAPSHOT", None, _NO_VERSION),
    ],
)
def test_a_tag_is_a_version_if_one_line_has_all_that_it_may_be(
    tag: str, low: str | None, expected: str
) -> None:
    found = _reader(*_LINES).read(tag, "standard")
    assert (found.version.low if found.version else None) == (Version.parse(low) if low else None)
    assert (found.fault or (_KNOWN if found.verified else _LATER)) == expected


@pytest.mark.parametrize(
    ("major_tags", "bare", "suffixed"),
    [
        (MajorTags.NONE, _NO_VERSION, _NO_VERSION),
        (MajorTags.WITH_SUFFIX, _NO_VERSION, None),
        (MajorTags.ANY, None, None),
    ],
)
@pytest.mark.parametrize("lines", [(), _LINES])
def test_a_single_number_is_a_version_where_the_vendor_writes_so(
    major_tags: MajorTags,
    bare: Reason | None,
    suffixed: Reason | None,
    lines: tuple[VersionLine, ...],
) -> None:
    reader = _reader(*lines, major_tags=major_tags)
    assert {reader.read(tag, "standard").fault for tag in ("1", "v1", "V1")} == {bare}
    assert {reader.read(tag, "standard").fault for tag in ("1-alpine", "v1-lts")} == {suffixed}
    assert reader.read("1.3", "standard").fault is None


def test_without_lines_any_number_may_be_a_version() -> None:
    reader = _reader(major_tags=MajorTags.NONE)
    for tag in ("0.1", "2024.10.1", "999.0.0"):
        assert reader.read(tag, "standard").fault is None
        assert reader.read(tag, "standard").verified


def test_a_line_may_be_of_one_edition_only() -> None:
    reader = _reader(
        VersionLine(lowest="1.0", verified="1", editions=("one",)),
        VersionLine(lowest="1.0", verified="5", editions=("other",)),
    )
    assert reader.read("4.0", "one").fault is _NO_VERSION
    assert reader.read("4.0", "other").fault is None


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ((VersionLine(lowest="2", verified="1"),), "not in this order"),
        ((VersionLine(lowest="1", verified="3", highest="2"),), "not in this order"),
        ((VersionLine(lowest="1.0.1", verified="1.0.0"),), "not in this order"),
        ((VersionLine(lowest="1", verified="1.x"),), "'1.x' is not a version"),
        ((VersionLine(lowest="01", verified="2"),), "'01' is not a version"),
        ((VersionLine(lowest="1", verified="2", highest="20241101"),), "is not a version"),
        (
            (VersionLine(lowest="1", verified="2"), VersionLine(lowest="2.9", verified="3")),
            "line 2 overlaps",
        ),
        (
            (
                VersionLine(lowest="2", verified="2", editions=("a", "b")),
                VersionLine(lowest="1", verified="1", highest="9", editions=("b",)),
            ),
            "line 2 overlaps",
        ),
    ],
)
def test_lines_that_contradict_each_other_are_refused(
    lines: tuple[VersionLine, ...], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        _reader(*lines)


_POINTS = st.builds(
    lambda numbers: ".".join(map(str, numbers)), st.tuples(*[st.integers(0, 9)] * 3)
)


@steady
@given(_POINTS, st.sampled_from(MajorTags))
def test_a_point_is_known_just_where_a_line_has_it(tag: str, major_tags: MajorTags) -> None:
    found = _reader(*_LINES, major_tags=major_tags).read(tag, "standard")
    point = Version.parse(tag)
    inside = Version.parse("1.2.0") <= point < Version.parse("2.0.0-dev") or Version.parse(
        "3.0.0-rc"
    ) <= point <= Version.parse("3.5.1")
    assert (found.fault is None) is inside
    if inside:
        later = Version.parse("1.5.0-dev") <= point < Version.parse("2.0.0-dev")
        assert found.verified is not later


@steady
@given(
    st.one_of(
        WILD_TEXT,
        st.from_regex(
            r"(?i)v?\d{1,5}([.]\d{1,10}){0,4}([-.](rc|snapshot)\d?)?.{0,9}", fullmatch=True
        ),
    )
)
@example("9" * 10_000)
@example("1." * 10_000)
@example("4.13.0-" + "rc-" * 10_000)
def test_a_wild_tag_never_raises_and_a_version_lies_in_a_line(tag: str) -> None:
    found = _reader(*_LINES).read(tag, "standard")
    assert (found.version is None) is (found.fault is not None)
    if found.version is not None:
        assert Version.parse("1.2.0") <= found.version.low <= Version.parse("3.5.1")
