"""Which versions a product has, and what that makes of an image's tag.

Tags hold other numbers too: builds, dates, a mirror's own calendar. Such a number must not pass
for a version, or the switch of a version that does not run would be read and written.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fleet_telemetry.api.product.versions import KnownVersions, MajorTags, VersionLine
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.catalogue.tag_template import match_template
from fleet_telemetry.catalogue.version import Version, VersionRanges, VersionSpan, names_build

_MINOR, _PATCH = 1, 2


@dataclass(frozen=True, slots=True)
class TagReading:
    """The version that a tag names; ``fault`` says why there is none."""

    version: VersionSpan | None
    fault: Reason | None = None
    verified: bool = True
    """Whether the product's facts are verified for all of the version."""


@dataclass(frozen=True, slots=True)
class _ReleaseLine:
    lowest: Version
    after_verified: Version
    after_highest: Version
    largest_minor: int | None
    largest_patch: int | None
    editions: tuple[str, ...]

    def touches(self, span: VersionSpan) -> bool:
        return self.lowest < span.end and span.low < self.after_highest

    def read(self, span: VersionSpan) -> TagReading | None:
        """None unless the span lies in the line. What comes before the line was never released."""
        if not self.touches(span) or self.after_highest < span.end:
            return None
        for place, largest in ((_MINOR, self.largest_minor), (_PATCH, self.largest_patch)):
            if largest is not None and span.low.numbers[place] > largest:
                return None
        if span.low < self.lowest:
            span = replace(span, low=self.lowest)
        return TagReading(span, verified=span.end <= self.after_verified)


@dataclass(frozen=True, slots=True)
class TagReader:
    """Reads a product's tags."""

    lines: tuple[_ReleaseLine, ...]
    major_tags: MajorTags

    @classmethod
    def compile(cls, known: KnownVersions) -> TagReader:
        """Raises ValueError with a sentence for a person."""
        lines = tuple(_compile_line(line) for line in known.lines)
        for at, line in enumerate(lines):
            for other in lines[:at]:
                if _share(line.editions, other.editions) and not (
                    line.after_highest <= other.lowest or other.after_highest <= line.lowest
                ):
                    raise ValueError(f"line {at + 1} overlaps an earlier line of its editions")
        return cls(lines, known.major_tags)

    def read(self, tag: str, edition: str, templates: Iterable[str] = ()) -> TagReading:
        """Never fails. A floating tag is a version only if one line has all that it may be. The
        first template that matches says where the version stands; without one, it comes first."""
        matched = (match_template(template, tag) for template in templates)
        tag = next((found for found in matched if found is not None), tag)
        span = VersionSpan.parse(tag) if tag else None
        if span is None:
            return TagReading(None, Reason.VERSION_UNREADABLE)
        if not self._is_published(span, tag):
            return TagReading(None, Reason.VERSION_NOT_KNOWN)
        if names_build(tag):
            return TagReading(None, Reason.VERSION_UNREADABLE)
        if not self.lines:
            return TagReading(span)
        found = (line.read(span) for line in self.lines if _share(line.editions, (edition,)))
        return next(filter(None, found), TagReading(None, Reason.VERSION_NOT_KNOWN))

    def may_be_in(self, ranges: VersionRanges, editions: Iterable[str]) -> bool:
        """Whether some version of the editions is in the ranges."""
        return not self.lines or any(
            _share(line.editions, editions)
            and ranges.touches(VersionSpan("", line.lowest, line.after_highest))
            for line in self.lines
        )

    def _is_published(self, span: VersionSpan, tag: str) -> bool:
        """Whether the vendor writes so few numbers: to others, a single one is a build's."""
        match self.major_tags:
            case MajorTags.ANY:
                return True
            case MajorTags.WITH_SUFFIX:
                return span.precision > 1 or not tag.lstrip("vV").isdigit()
            case MajorTags.NONE:
                return span.precision > 1


def _share(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether two lists have an edition in common; an empty one has all."""
    return not one or not other or bool({*one} & {*other})


def _compile_line(line: VersionLine) -> _ReleaseLine:
    highest = line.highest or line.verified
    lowest, after_verified, after_highest = (
        Version.parse(line.lowest),
        _span(line.verified).end,
        _span(highest).end,
    )
    if not lowest < after_verified <= after_highest:
        raise ValueError(
            f"a line's lowest ({line.lowest}), verified ({line.verified}) and highest ({highest}) "
            f"are not in this order"
        )
    return _ReleaseLine(
        lowest, after_verified, after_highest, line.largest_minor, line.largest_patch, line.editions
    )


def _span(text: str) -> VersionSpan:
    span = VersionSpan.parse(text)
    if span is None:
        raise ValueError(f"{text!r} is not a version such as 4.13.0, 5.0.0-rc.2 or 4.14")
    return span
