"""Versions as image tags carry them, and the ranges in which catalogue facts hold.

A tag such as ``10.7-community`` floats: it is a *span* of versions, and a fact holds for it only
if it holds for all of the span. That is how an imprecise tag stays imprecise instead of becoming
a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

_TAG = re.compile(
    r"v?(?P<numbers>\d{1,4}(?:\.\d{1,9}){0,3})"
    r"(?:[-.](?P<stage>alpha|beta|milestone|m|rc|snapshot|dev|pre)[-.]?(?P<count>\d{1,9})?"
    r"|[.]post(?P<post>\d{1,9}))?"
    r"(?P<flavour>[-+][0-9A-Za-z][0-9A-Za-z._+-]*)?",
    re.IGNORECASE | re.ASCII,
)
_NUMBERS = re.compile(r"\d+(?:\.\d+)*", re.ASCII)
_FIRST_NUMBERS = re.compile(r"\D*(\d+(?:\.\d+)*)", re.ASCII)
_LEADING_ZERO = re.compile(r"v?(?:\d+\.)*0\d", re.IGNORECASE | re.ASCII)
_COMMIT = re.compile(r"[-+.]g?(?=[a-f]*\d)[0-9a-f]{7,64}", re.ASCII)
_DIGITS_AND_DOTS = re.compile(r"[0-9.]+")
_LONGEST_FIRST = 4
"""Digits in front of the first dot. Longer ones are dates."""
_BARE = re.compile(r"\d{1,3}", re.ASCII)  # longer ones are years, dates and builds
_SEPARATORS = re.compile(r"[-+._]", re.ASCII)
_SEPARATE = re.compile(r"[-+_]", re.ASCII)
_BRANCHES = frozenset(
    [
        "canary",
        "develop",
        "development",
        "edge",
        "head",
        "latest",
        "main",
        "master",
        "nightly",
        "trunk",
        "unstable",
    ]
)
# What an image is built on, and how often it was built: its version says nothing about the product.
# No product of the catalogue has one of these names.
_BESIDE = frozenset(
    [
        *(
            "al",
            "al2",
            "al2023",
            "alma",
            "almalinux",
            "alpine",
            "amazonlinux",
            "amzn",
            "azurelinux",
        ),
        *("bookworm", "bullseye", "busybox", "buster", "centos", "chiseled", "debian", "deb"),
        *("distroless", "el", "fc", "fedora", "focal", "jammy", "leap", "ltsc", "mariner"),
        *("minimal", "musl", "nanoserver", "noble", "ol", "opensuse", "oraclelinux", "photon"),
        *("rhel", "rocky", "rockylinux", "sles", "slim", "stretch", "suse", "trixie", "ubi"),
        *("ubuntu", "windows", "windowsservercore", "wolfi"),
        *("bun", "corretto", "cuda", "elixir", "erlang", "glibc", "go", "golang", "graalvm"),
        *("java", "jdk", "jre", "k8s", "kube", "kubernetes", "node", "nodejs", "openjdk"),
        *("openssl", "otp", "perl", "php", "py", "python", "ruby", "scala", "temurin", "zulu"),
    ]
)
_BUILD = re.compile(r"(?:b|bld|build|ci|mr|pr)\d*", re.ASCII)
_RANGE = re.compile(r"(?:>=(?P<low>[^\s<>=]+))?\s*(?:<(?P<high>[^\s<>=]+))?")

# The order in which projects step towards a release; everything before the release itself.
_STAGES = {
    "dev": 0,
    "snapshot": 0,
    "pre": 1,
    "alpha": 1,
    "beta": 2,
    "m": 3,
    "milestone": 3,
    "rc": 4,
}
_RELEASE = 9
_POST = 10
"""A post-release of Python, such as 0.6.3.post1, comes after 0.6.3 and before all later versions
(PEP 440, Post-releases)."""
_PRECISION = 3  # major.minor.patch; fewer numbers make a floating tag


class Version(NamedTuple):
    """One point on a product's line of versions; missing numbers count as zero. Versions have the
    order of their fields. They are compared a hundred times for a request."""

    numbers: tuple[int, int, int, int]
    stage: int = _RELEASE
    step: int = 0
    """The number of the stage: 2 in ``rc.2``."""

    @classmethod
    def parse(cls, text: str) -> Version:
        """Reads ``5.0.0-rc.2``. Raises ValueError with a sentence for a person."""
        span = VersionSpan.parse(text)
        if span is None:
            raise ValueError(f"{text!r} is not a version such as 4.13.0 or 5.0.0-rc.2")
        return span.low


def names_build(tag: str) -> bool:
    """Whether a tag stands for what a branch or a build held, whatever version is in front of it:
    ``4.12-main-1a2b3c4``, ``4.12.7-nightly``, and ``4.12-pr1187`` with fewer than three numbers."""
    numbers = _FIRST_NUMBERS.match(tag)
    words = _SEPARATORS.split(tag.lower())
    floats = numbers is None or numbers[1].count(".") < _PRECISION - 1
    return not _BRANCHES.isdisjoint(words) or (floats and any(map(_BUILD.fullmatch, words)))


@dataclass(frozen=True, slots=True)
class VersionSpan:
    """All versions from ``low`` up to, not including, ``high``; or just ``low`` if there is none.

    ``text`` is what a person would call it: the tag without its flavour.
    """

    text: str
    low: Version
    high: Version | None = None

    @property
    def precision(self) -> int:
        """How many numbers are written: 2 in ``4.14``."""
        match = _NUMBERS.match(self.text)
        return match[0].count(".") + 1 if match else 0

    @property
    def end(self) -> Version:
        """The first point after all of the span."""
        if self.high is not None:
            return self.high
        return Version(self.low.numbers, self.low.stage, self.low.step + 1)

    @classmethod
    def parse(cls, tag: str) -> VersionSpan | None:
        """None for a tag that names no version: ``latest``, ``community``, a commit, nothing."""
        match = _TAG.fullmatch(tag)
        if match is None:
            return None
        numbers = [int(number) for number in match["numbers"].split(".")]
        flavour = match["flavour"] or "-"
        if len(numbers) < _PRECISION and (flavour[1:2].isdigit() or _COMMIT.fullmatch(flavour)):
            return None  # a date or a build, such as 2026-11-21 or 5-1a2b3c4
        if _has_other_version(flavour):
            return None  # such as 4.2.0-dt5.0.4: nobody knows which of them is the product's
        if _LEADING_ZERO.match(tag):
            return None  # a date, such as 2026.01.02: no version is written so
        padded = (*numbers, 0, 0, 0)[:4]
        low = (padded[0], padded[1], padded[2], padded[3])
        after = (*numbers[:-1], numbers[-1] + 1, 0, 0, 0)[:4]
        high = Version((after[0], after[1], after[2], after[3]), stage=0)
        floats = len(numbers) < _PRECISION
        if match["stage"]:
            text = tag[match.start("numbers") : match.end("count" if match["count"] else "stage")]
            stage = _STAGES[match["stage"].lower()]
            if floats and (stage == _STAGES["snapshot"] or match["count"] is None):
                return cls(text, Version(low, stage), high)  # 4-snapshot is any 4.x on its way
            return cls(text, *_before_release(low, stage, match["count"]))
        if match["post"]:
            text = tag[match.start("numbers") : match.end("post")]
            return cls(text, Version(low, _POST, int(match["post"])))
        text = match["numbers"]
        return cls(text, Version(low), high) if floats else cls(text, Version(low))


def _has_other_version(flavour: str) -> bool:
    """Whether what follows a version has another one that may be the product's: numbers joined by
    dots, or three of them by dashes, and not behind the name of a system or of a runtime."""
    in_a_row, word = 0, ""
    for part in _SEPARATE.split(flavour.lower()):
        numbers = [one for one in _DIGITS_AND_DOTS.finditer(part) if one[0].strip(".")]
        dotted = [one for one in numbers if _is_dotted(one[0].strip("."))]
        first = next(iter(dotted or numbers), None)
        before = part if first is None else part[: first.start()]
        word = word if before in ("", "v") else before.rstrip(".")
        in_a_row = in_a_row + 1 if _BARE.fullmatch(part) else 0
        if word not in _BESIDE and (dotted or in_a_row == _PRECISION):
            return True
    return False


def _is_dotted(numbers: str) -> bool:
    return 0 < numbers.find(".") <= _LONGEST_FIRST


def _before_release(
    numbers: tuple[int, int, int, int], stage: int, count: str | None
) -> tuple[Version, Version | None]:
    """A snapshot may be any state before its release, ``-rc`` any of the candidates."""
    if stage == _STAGES["snapshot"]:
        return Version(numbers, stage), Version(numbers)
    if count is None:
        return Version(numbers, stage), Version(numbers, stage + 1)
    return Version(numbers, stage, int(count)), None


@dataclass(frozen=True, slots=True)
class _Interval:
    """``low <= version < high``; None means without end."""

    low: Version | None
    high: Version | None

    def covers(self, span: VersionSpan) -> bool:
        if self.low is not None and span.low < self.low:
            return False
        if self.high is None:
            return True
        return span.low < self.high if span.high is None else span.high <= self.high

    def overlaps(self, other: _Interval) -> bool:
        return (other.high is None or self.low is None or self.low < other.high) and (
            self.high is None or other.low is None or other.low < self.high
        )


@dataclass(frozen=True, slots=True)
class VersionRanges:
    """A union of half-open ranges, each like ``>=4.13.0 <5.0.0-rc.2``, ``>=26.7`` or ``<4.13.0``.

    No ranges at all cover every version, an unreadable one included.
    """

    intervals: tuple[_Interval, ...] = ()

    @classmethod
    def parse(cls, ranges: tuple[str, ...]) -> VersionRanges:
        """Raises ValueError with a sentence for a person."""
        return cls(tuple(_parse_interval(text) for text in ranges))

    def covers(self, span: VersionSpan | None) -> bool:
        """Whether *all* of the span lies inside; an unreadable version is inside nothing."""
        if not self.intervals:
            return True
        return span is not None and any(interval.covers(span) for interval in self.intervals)

    def touches(self, span: VersionSpan) -> bool:
        """Whether *some* of the span lies inside."""
        return self.overlaps(VersionRanges((_Interval(span.low, span.end),)))

    def overlaps(self, other: VersionRanges) -> bool:
        """Whether some version lies in both."""
        if not self.intervals or not other.intervals:
            return True
        return any(mine.overlaps(its) for mine in self.intervals for its in other.intervals)


def _parse_interval(text: str) -> _Interval:
    match = _RANGE.fullmatch(text.strip())
    if match is None or not (match["low"] or match["high"]):
        raise ValueError(f"{text!r} is not a version range such as '>=4.13.0 <5.0.0'")
    low = Version.parse(match["low"]) if match["low"] else None
    high = Version.parse(match["high"]) if match["high"] else None
    if low is not None and high is not None and not low < high:
        raise ValueError(f"no version can be in range {text!r}")
    return _Interval(low, high)
