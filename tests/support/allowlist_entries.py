"""Entries of an allowlist."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from hypothesis import strategies as st

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.egress.allowlist import AllowlistEntry, EntryAction
from fleet_telemetry.egress.published_ranges import CLOUDFLARE


def entry(
    host: str = "telemetry.example.com",
    port: int = 443,
    *,
    product: str = "sonarqube",
    channel: ChannelName = ChannelName.USAGE,
    action: EntryAction = EntryAction.ALLOW,
    addresses: Iterable[str] = (),
    ranges: Iterable[str] = (),
    used_by: int = 1,
) -> AllowlistEntry:
    return AllowlistEntry(
        host,
        port,
        product,
        channel,
        action,
        tuple(map(ip_address, addresses)),
        tuple(map(ip_network, ranges)),
        used_by,
    )


FLEET = (
    entry(
        "telemetry-gateway.sourcegraph.com",
        product="sourcegraph",
        addresses=["34.107.157.31"],
        used_by=2,
    ),
    entry("pings.sourcegraph.com", product="sourcegraph", addresses=["34.36.231.254"]),
    entry(
        "sourcegraph.com",
        product="sourcegraph",
        channel=ChannelName.LICENSE,
        ranges=[str(network) for network in CLOUDFLARE.seed.networks if network.prefixlen == 32],
    ),
    entry(
        "update.sonarsource.org",
        80,
        channel=ChannelName.UPDATE_CHECK,
        addresses=["192.0.2.10", "192.0.2.9", "2001:db8::9"],
        used_by=3,
    ),
    entry(action=EntryAction.DENY, addresses=["198.51.100.7"], used_by=3),
    entry("metrics.dependencytrack.org", product="dependency-track"),
)

IN_THE_DOCS = (
    entry("pings.sourcegraph.com", product="sourcegraph", addresses=["34.36.231.254"], used_by=2),
    entry(
        "update.sonarsource.org",
        80,
        channel=ChannelName.UPDATE_CHECK,
        addresses=["192.0.2.9", "2001:db8::9"],
        used_by=3,
    ),
    entry(
        "telemetry.sonarsource.com",
        action=EntryAction.DENY,
        addresses=["198.51.100.7"],
        used_by=3,
    ),
    entry("metrics.dependencytrack.org", product="dependency-track"),
)

_labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
_v4 = st.integers(0, 2**32 - 1)
_v6 = st.integers(2**64, 2**128 - 1)
_networks = st.one_of(
    st.builds(lambda n, p: IPv4Network((n, p), strict=False), _v4, st.integers(1, 32)),
    st.builds(lambda n, p: IPv6Network((n, p), strict=False), _v6, st.integers(1, 128)),
)
entries = st.builds(
    AllowlistEntry,
    host=st.builds("{}.{}.example".format, _labels, _labels),
    port=st.integers(1, 65535),
    product=_labels,
    channel=st.sampled_from(ChannelName),
    action=st.sampled_from(EntryAction),
    addresses=st.lists(st.one_of(_v4.map(IPv4Address), _v6.map(IPv6Address)), max_size=4).map(
        tuple
    ),
    ranges=st.lists(_networks, max_size=4).map(tuple),
    used_by=st.integers(0, 1000),
)
