"""What denials of ours that stand in the cluster keep pods from, as their manifests say it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network

from fleet_telemetry.egress.model import Network
from fleet_telemetry.objects.manifest import Manifest, dig, items_at


def denied_networks(manifest: Manifest) -> tuple[Network, ...]:
    """Of a NetworkPolicy, a ClusterNetworkPolicy or a CiliumCIDRGroup that denies. What somebody
    spoilt in it is left out."""
    return tuple(dict.fromkeys(_read(_texts(manifest))))


def _texts(manifest: Manifest) -> Iterator[object]:
    yield from _list(manifest, "spec", "externalCIDRs")
    for rule in items_at(manifest, "spec", "egress"):
        for peer in items_at(rule, "to"):
            yield from _list(peer, "ipBlock", "except")
            yield from _list(peer, "networks")


def _list(manifest: Manifest, *path: str) -> list[object]:
    found = dig(manifest, *path)
    return found if isinstance(found, list) else []


def _read(texts: Iterator[object]) -> Iterator[Network]:
    for text in texts:
        try:
            network = ip_network(text) if isinstance(text, str) else None
        except ValueError:
            continue
        if network is not None and network.prefixlen:
            yield network
