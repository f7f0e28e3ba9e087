"""Tags in which the version does not come first."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleet_telemetry.api.product.versions import MajorTags
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.glob import glob_matches, heads_matched
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.known_versions import TagReader
from fleet_telemetry.catalogue.tag_template import match_template
from fleet_telemetry.catalogue.version import Version, VersionSpan
from tests.support.builders import product
from tests.support.depth import steady
from tests.support.every import every
from tests.support.manifest_strategies import WILD_TEXT


@every(
    ("template", "tag", "text"),
    [
        ("stable-{version}", "stable-2.14.10", "2.14.10"),
        ("edge-{version}", "edge-24.11.3", "24.11.3"),
        ("release-{version}", "release-v1.43.0", "v1.43.0"),
        ("{version}_large_disk", "4.41_large_disk", "4.41"),
        ("pg*-ts{version}", "pg15.6-ts2.14.2", "2.14.2"),
        ("pg??-ts{version}", "pg15-ts2.14.2", "2.14.2"),
        # What the template leaves to the version may have a suffix, which is read as in any tag.
        ("stable-{version}", "stable-2.14.10-debian", "2.14.10-debian"),
        ("stable-{version}", "stable-2.14.10-nightly", "2.14.10-nightly"),
        ("{version}-*", "1.2.3-alpine-slim", "1.2.3-alpine"),
        ("v{version}", "v1.2.3", "1.2.3"),
        ("*{version}", "it-v1.2.3", "v1.2.3"),
        ("rev{version}", "rev1.2.3", "1.2.3"),
        ("RELEASE.{version}", "RELEASE.2.14.2", "2.14.2"),
        # Both ends are ends of numbers.
        ("{version}?", "1.2.35", None),
        ("1{version}", "15.6", None),
        ("1.{version}", "1.2.3", None),
        ("{version}.*", "1.2.3", None),
        ("{version}.*", "1.2.3.jammy", "1.2.3"),
        # No version at the place.
        ("stable-{version}", "stable-latest", None),
        ("stable-{version}", "stable-", None),
        ("stable-{version}", "2.14.10", None),
        ("stable-{version}", "unstable-2.14.10", None),
        ("{version}_large_disk", "_large_disk", None),
        ("{version}", "", None),
        ("stable-{version}", "stable-" + "1" * 122, None),
        # Which number is the version is not known.
        ("*{version}", "pg15.6-ts2.14.2", ""),
        ("*-{version}", "ubuntu-22.04-1.2.3", ""),
        ("{version}-*", "1.2.3-rc1", ""),
        ("{version}-*", "1.2.3-rc1-alpine", "1.2.3-rc1"),
        ("{version}.*", "0.6.3.post1", ""),
    ],
)
def test_a_tag_by_a_template(template: str, tag: str, text: str | None) -> None:
    assert match_template(template, tag) == text


_CHANNELS = [{"name": "Usage"}]


def _version(tag: str, *templates: str) -> str:
    known = product(
        "widget", images=[{"pattern": "widget", "tags": list(templates)}], channels=_CHANNELS
    )
    read = known.tags.read(tag, "standard", known.spec.images[0].tags)
    return read.version.text if read.version is not None else f"{read.fault}"


_STABLE = ("stable-{version}", "edge-{version}", "v*-{version}")


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("stable-2.14.10", "2.14.10"),
        # The word edge is the vendor's here, and not that of a branch.
        ("edge-24.11.3", "24.11.3"),
        ("stable-2.14", "2.14"),
        # A tag that matches no template is read as before.
        ("2.14.10", "2.14.10"),
        ("v2.14.10-debian", "2.14.10"),
        ("24.11.3-edge", Reason.VERSION_UNREADABLE),
        ("stable-2.14.10-nightly", Reason.VERSION_UNREADABLE),
        ("stable-2024-11-03", Reason.VERSION_UNREADABLE),
        ("stable-2", Reason.VERSION_NOT_KNOWN),
        ("stable", Reason.VERSION_UNREADABLE),
        # The first template that matches is used, also if another one would read a version.
        ("v1.2.3-4.5.6", "4.5.6"),
    ],
)
def test_the_version_at_the_place_is_read_as_a_tag_is(tag: str, expected: str) -> None:
    assert _version(tag, *_STABLE) == expected


def test_of_two_templates_that_match_the_first_is_used() -> None:
    both = ("{version}-pg*", "*-pg{version}")
    assert _version("1.2.3-pg4.5.6", *both) == "1.2.3"
    assert _version("1.2.3-pg4.5.6", *reversed(both)) == "4.5.6"


@pytest.mark.parametrize("template", ["RELEASE.{version}", "RELEASE.{version}Z", "*{version}*"])
def test_a_calendar_is_no_version(template: str) -> None:
    assert _version("RELEASE.2024-09-13T20-26-02Z", template) == Reason.VERSION_UNREADABLE


def test_words_without_a_number_name_no_version() -> None:
    assert _version("lts-jdk17") == Reason.VERSION_UNREADABLE


def test_a_container_is_read_by_the_templates_of_its_image() -> None:
    known = product(
        "widget",
        images=[
            {"pattern": "widget/server", "tags": ["stable-{version}"]},
            {"pattern": "widget/x"},
        ],
        channels=_CHANNELS,
    )
    for name, expected in (("server", "2.14.10"), ("x", None)):
        image = ImageReference.parse(f"widget/{name}:stable-2.14.10")
        entry = known.match_image(image, "main")
        assert entry is not None
        version = known.read_tag(image, entry).version
        assert (version.text if version else None) == expected


_PARTS = st.text("ab1.-_*?", max_size=6)
_TAGS = st.text("ab12.-_v", max_size=12)


@steady
@given(pattern=st.text("ab*?/", max_size=7), text=st.text("ab/", max_size=7))
@example(pattern="*a*", text="aaa")
def test_heads_are_what_the_glob_matches(pattern: str, text: str) -> None:
    expected = [n for n in range(len(text) + 1) if glob_matches(pattern, text[:n])]
    assert heads_matched(pattern, text) == expected


@steady
@given(head=_PARTS, tail=_PARTS, tag=_TAGS)
def test_what_stands_beside_the_version_is_what_the_template_says(
    head: str, tail: str, tag: str
) -> None:
    found = match_template(f"{head}{{version}}{tail}", tag)
    if found:
        places = [at for at in range(len(tag)) if tag.startswith(found, at)]
        assert any(
            glob_matches(head, tag[:at]) and glob_matches(tail, tag[at + len(found) :])
            for at in places
        )
        assert found.lstrip("vV")[0].isdigit()


@steady
@given(templates=st.lists(WILD_TEXT, max_size=4), tag=WILD_TEXT)
def test_nothing_makes_it_fail(templates: list[str], tag: str) -> None:
    TagReader((), MajorTags.NONE).read(tag, "standard", templates)


@pytest.mark.parametrize(
    ("tag", "text", "version"),
    [
        ("v0.6.3.post1", "0.6.3.post1", Version((0, 6, 3, 0), 10, 1)),
        ("0.6.3.post12-cu121", "0.6.3.post12", Version((0, 6, 3, 0), 10, 12)),
        ("0.6.3-post1", "0.6.3", Version((0, 6, 3, 0))),
        ("0.6.3.postgres", None, None),
        ("0.6.3.post", None, None),
    ],
)
def test_a_post_release(tag: str, text: str | None, version: Version | None) -> None:
    span = VersionSpan.parse(tag)
    assert (span.text if span else None) == text
    assert (span.low if span else None) == version


def test_a_post_release_comes_after_its_release_and_before_all_later_ones() -> None:
    names = ("0.6.3-rc.1", "0.6.3", "0.6.3.post1", "0.6.3.post2", "0.6.3.1", "0.6.4-dev", "0.6.4")
    versions = [Version.parse(name) for name in names]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(versions)
