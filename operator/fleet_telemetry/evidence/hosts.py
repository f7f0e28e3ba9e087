"""The hosts that the channels of a container are sent to: the one place that says which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.channel import Host, Sender
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.verdict import Verdict


def hosts_of_container(
    target: MatchedContainer, channel: ChannelName
) -> Iterator[tuple[Host, bool]]:
    """The hosts that the container may send the channel to, and whether its version surely does;
    none if its image has no such channel in any version."""
    product, image = target.product, target.image
    if product.has_channel(channel, image):
        yield from product.hosts_of(channel, image, target.version)


def hosts_of(targets: Iterable[MatchedContainer], verdict: Verdict) -> tuple[Host, ...]:
    """Each host and port once, also those of which it is not certain that the version has them."""
    found: dict[tuple[str, int], Host] = {}
    for one in targets:
        if one.product.name == verdict.product:
            for host, _ in hosts_of_container(one, verdict.channel):
                found.setdefault((host.host, host.port), host)
    return tuple(found.values())


def names_asked(
    targets: Iterable[MatchedContainer], channel: ChannelName | None = None
) -> frozenset[str]:
    """The hosts, in lower case, that pods with these containers may ask DNS for; on one channel, or
    on any. Those that only browsers send to are not among them."""
    return frozenset(
        host.host.lower()
        for target in targets
        for one in target.product.spec.channels
        if channel in (None, one.name)
        for host, _ in hosts_of_container(target, one.name)
        if host.sent_by is Sender.POD
    )
