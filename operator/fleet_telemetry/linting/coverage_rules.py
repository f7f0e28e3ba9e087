"""Versions without a rule, and what a table leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.image import Image
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.glob import glob_matches
from fleet_telemetry.catalogue.image import ImageReference
from fleet_telemetry.catalogue.product import Product
from fleet_telemetry.catalogue.version import VersionSpan
from fleet_telemetry.linting.finding import LintFinding, channel_path
from fleet_telemetry.linting.regions import Region, regions, written
from fleet_telemetry.linting.table import Reject, Table

_LINES_WITHOUT_END = 10**9


@dataclass(frozen=True, slots=True)
class _Tried:
    """An image of a row."""

    channel: ChannelName
    image: Image
    version: VersionSpan | None


def check_gaps(
    product: Product, table: Table | None, catalogue: Catalogue
) -> Iterator[LintFinding]:
    """Versions without a rule, unless the table has one of them, and says so."""
    tried = _tried(product, table, catalogue)
    for place, channel in enumerate(product.spec.channels):
        if not channel.rules:
            continue
        for region, images in _regions(product, channel.name).items():
            is_gap = region.rule is None and region.verified
            if is_gap and not _has(tried, channel.name, region, images):
                what = (
                    f"channel {channel.name}: no rule is for versions {_range(region)} of "
                    f"{_named(images)}"
                )
                advice = (
                    "add a rule, or, if this is meant, a row of the table with such a version, "
                    "state: Unknown and reason: VersionNotCovered"
                )
                yield LintFinding(channel_path(place), what, advice)


def check_coverage(product: Product, table: Table, catalogue: Catalogue) -> Iterator[LintFinding]:
    """What the table has no row for."""
    matched = {
        found.image.pattern
        for match in table.matches
        if (found := catalogue.match_image(match.image, match.container)) is not None
        and found.product.name == product.name
    }
    for image in product.spec.images:
        if image.pattern not in matched:
            what = f"no image of the pattern {image.pattern} stands in matches"
            yield LintFinding(("matches",), what, "add one, with a version")
    yield from _check_exclusions(product, table)
    if not table.rejects:
        what = "rejects has no image of other software"
        yield LintFinding(
            (), what, "add some with a similar name, such as the vendor's other images"
        )
    tried = _tried(product, table, catalogue)
    for channel in product.spec.channels:
        if channel.rules:
            yield from _check_channel(product, channel.name, tried)
    yield from _check_doubtful(product, tried)


def _check_exclusions(product: Product, table: Table) -> Iterator[LintFinding]:
    rejects = [one if isinstance(one, Reject) else Reject(image=one) for one in table.rejects]
    own = [
        (reference.tag, one.container)
        for one in rejects
        for reference in (ImageReference.parse(one.image),)
        if any(reference.matches(image.pattern) for image in product.spec.images)
    ]
    tags = dict.fromkeys(tag for image in product.spec.images for tag in image.exclude_tags)
    for glob in tags:
        if not any(glob_matches(glob, tag) for tag, _ in own):
            what = f"no row of rejects has an image of the product with a tag {glob}"
            yield LintFinding(("rejects",), what, "add one, because the product excludes it")
    for image in product.spec.images:
        others = [
            one.container
            for one in rejects
            if ImageReference.parse(one.image).matches(image.pattern)
            and not any(glob_matches(name, one.container) for name in image.only_containers)
        ]
        if image.only_containers and not others:
            what = f"no row of rejects has the image {image.pattern} in another container"
            advice = "add one, {image: ..., container: ...}, because of onlyContainers"
            yield LintFinding(("rejects",), what, advice)
    names = dict.fromkeys(
        name for image in product.spec.images for name in image.exclude_containers
    )
    for glob in names:
        if not any(glob_matches(glob, container) for _, container in own):
            what = f"no row of rejects has an image of the product in a container {glob}"
            advice = "add one, {image: ..., container: ...}, because the product excludes it"
            yield LintFinding(("rejects",), what, advice)


def _check_channel(
    product: Product, channel: ChannelName, tried: list[_Tried]
) -> Iterator[LintFinding]:
    for region, images in _regions(product, channel).items():
        if region.rule is None or not region.verified:
            continue  # see check_gaps and _check_doubtful
        if not _has(tried, channel, region, images):
            what = f"channel {channel}: no row has a version {_range(region)} of {_named(images)}"
            yield LintFinding(("channels",), what, "add one")
        elif region.opens and not _has(tried, channel, region, images, first=True):
            what = (
                f"channel {channel}: no row has {written(region.first_release)} of "
                f"{_named(images)}, where a rule begins"
            )
            yield LintFinding(("channels",), what, "add it, because the edge is where mistakes are")


def _check_doubtful(product: Product, tried: list[_Tried]) -> Iterator[LintFinding]:
    """Versions that are not verified, and those that cannot be read, once in the table; the latter
    for each channel that is switched then."""
    for channel in product.spec.channels:
        has_unread = any(one.version is None and one.channel is channel.name for one in tried)
        if any(rule.harmless_anywhere for rule in channel.rules) and not has_unread:
            what = f"channel {channel.name}: no row has an image whose version cannot be read"
            yield LintFinding(("channels",), what, "add one, such as the tag latest")
    if tried and all(one.version is not None for one in tried):
        what = "no row of channels has an image whose version cannot be read"
        yield LintFinding(("channels",), what, "add one, such as the tag latest")
    doubtful = [
        (channel.name, region, images)
        for channel in product.spec.channels
        for region, images in _regions(product, channel.name).items()
        if region.rule is not None and not region.verified
    ]
    if doubtful and not any(_has(tried, *one) for one in doubtful):
        _, region, images = doubtful[0]
        what = f"no row of channels has a version {_range(region)} of {_named(images)}"
        advice = "add one, with state: Unknown and reason: VersionNotVerified"
        yield LintFinding(("channels",), what, advice)


def _regions(product: Product, channel: ChannelName) -> dict[Region, list[Image]]:
    """The regions of all images that have the channel, each with its images."""
    found: dict[Region, list[Image]] = {}
    for image in product.spec.images:
        if product.has_channel(channel, image):
            for region in regions(product, channel, image):
                found.setdefault(region, []).append(image)
    return found


def _tried(product: Product, table: Table | None, catalogue: Catalogue) -> list[_Tried]:
    tried = []
    for row in table.channels if table is not None else ():
        for image in row.images:
            found = catalogue.match_image(image, row.container)
            if found is not None and found.product.name == product.name:
                tag = found.product.read_tag(found.reference, found.image)
                tried.append(_Tried(row.channel, found.image, tag.version))
    return tried


def _has(
    tried: list[_Tried],
    channel: ChannelName,
    region: Region,
    images: list[Image],
    *,
    first: bool = False,
) -> bool:
    holds = region.holds_first if first else region.holds
    kinds = {(image.edition, image.component) for image in images}
    return any(
        one.channel is channel
        and one.version is not None
        and (one.image.edition, one.image.component) in kinds
        and holds(one.version)
        for one in tried
    )


def _range(region: Region) -> str:
    low = f"from {written(region.first_release)} on"
    if region.high.numbers[0] == _LINES_WITHOUT_END:
        return low
    return f"{low} and before {written(region.high)}"


def _named(images: list[Image]) -> str:
    return " and ".join(dict.fromkeys(image.pattern for image in images))
