"""Lists of networks."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import collapse_addresses

from fleet_telemetry.egress.model import Network


def outermost(networks: Iterable[Network]) -> tuple[Network, ...]:
    """The networks that are inside no other one: sorted, each once, IPv4 first.

    Adjacent networks are not joined, so the list names the networks that were given.
    """
    found: list[Network] = []
    for network in sorted(networks, key=network_order):
        # A network sorts after every network that contains it.
        if not found or network.network_address not in found[-1]:
            found.append(network)
    return tuple(found)


def network_order(network: Network) -> tuple[int, int, int]:
    """The sort key of a network: family, first address, and the larger one first."""
    return network.version, int(network.network_address), network.prefixlen


def collapsed(networks: Iterable[Network]) -> tuple[Network, ...]:
    """The same addresses in as few networks as possible: sorted, IPv4 first.

    Adjacent networks are joined.
    """
    by_version: dict[int, list[Network]] = {4: [], 6: []}
    for network in networks:
        by_version[network.version].append(network)
    return tuple(
        network
        for version in (4, 6)
        for network in collapse_addresses(by_version[version])  # type: ignore[type-var]
    )
