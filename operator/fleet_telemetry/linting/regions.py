"""The versions of a product, cut wherever something changes for a channel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.channel import ChannelRule
from fleet_telemetry.api.product.image import Image
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.catalogue.version import Version, VersionSpan

_FIRST = Version((0, 0, 0, 0), stage=0)
_LAST = Version((10**9, 0, 0, 0))


@dataclass(frozen=True, slots=True)
class Region:
    """Versions from ``low`` up to, not including, ``high``, for which one rule holds, or none."""

    low: Version
    high: Version
    rule: ChannelRule | None
    verified: bool
    opens: bool
    """Whether a rule begins or ends here. Elsewhere a line of versions begins, or what is verified
    ends."""

    @property
    def first_release(self) -> Version:
        """The first version that is no candidate."""
        return Version(self.low.numbers)

    def holds(self, span: VersionSpan) -> bool:
        """Whether all of a version is in it."""
        return self.low <= span.low and span.end <= self.high

    def holds_first(self, span: VersionSpan) -> bool:
        """Whether a version is the first one of it, or a candidate for that."""
        return self.holds(span) and span.low.numbers == self.low.numbers


def regions(product: Product, channel: ChannelName, image: Image) -> Iterator[Region]:
    """The regions that have a release, within the product's lines of versions."""
    rules = [one for one in product.rules.get(channel, ()) if one.concerns(image)]
    bounds = {
        bound
        for one in rules
        for interval in one.versions.intervals
        for bound in (interval.low, interval.high)
        if bound is not None
    }
    lines = [
        (line.lowest, line.after_verified, line.after_highest)
        for line in product.tags.lines
        if not line.editions or image.edition in line.editions
    ]
    if not product.tags.lines:
        lines = [(_FIRST, _LAST, _LAST)]
    for lowest, after_verified, after_highest in lines:
        inner = {bound for bound in bounds if lowest < bound < after_highest}
        cuts = sorted({lowest, after_verified, after_highest, *inner})
        for low, high in pairwise(cuts):
            if not Version(low.numbers) < high:
                continue  # candidates alone
            span = VersionSpan("", low, high)
            rule = next((one.rule for one in rules if one.versions.covers(span)), None)
            yield Region(low, high, rule, high <= after_verified, low in bounds)


def written(version: Version) -> str:
    """The numbers of a version."""
    numbers = version.numbers if version.numbers[3] else version.numbers[:3]
    return ".".join(map(str, numbers))
