"""Desired policies for tests, and what the rendered policies mean: small readings of our own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.dialects.common import Rendered
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.registry import DIALECTS, select_dialect
from fleet_telemetry.egress.model import (
    Address,
    DesiredNetworkPolicy,
    Destination,
    Network,
    OwnerReference,
    Reachable,
)
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef


def dialect_named(name: EgressDialect) -> Dialect:
    """The dialect; there is one."""
    found = select_dialect(name, DIALECTS)
    assert found is not None
    return found


NETWORK_POLICY = dialect_named(EgressDialect.NETWORK_POLICY)
CILIUM = dialect_named(EgressDialect.CILIUM)
CLUSTER_NETWORK_POLICY = dialect_named(EgressDialect.CLUSTER_NETWORK_POLICY)
KINDS = tuple(kind for dialect in DIALECTS for kind in dialect.kinds)
"""All that are written."""

WEB = WorkloadRef("shop", WorkloadKind.DEPLOYMENT, "web")
SELECTOR = {"matchLabels": {"app": "web"}}
POLICY = OwnerReference("fleettelemetry.io/v1alpha1", "TelemetryPolicy", "opt-out", "uid-1")
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


def to(host: str, *networks: str, port: int = 443) -> Destination:
    return Destination(host, port, tuple(ip_network(network) for network in networks))


def order(
    action: EgressAction,
    *destinations: Destination,
    workload: WorkloadRef = WEB,
    selector: Mapping[str, Any] = SELECTOR,
    reachable: Iterable[Reachable] = (),
    families: Iterable[AddressFamily] = AddressFamily,
    owners: Iterable[OwnerReference] = (),
) -> DesiredNetworkPolicy:
    return DesiredNetworkPolicy(
        workload,
        selector,
        action,
        destinations,
        tuple(reachable),
        frozenset(families),
        tuple(owners),
    )


def deny(*destinations: Destination, **more: Any) -> DesiredNetworkPolicy:
    return order(EgressAction.DENY, *destinations, **more)


def allow(*destinations: Destination, **more: Any) -> DesiredNetworkPolicy:
    return order(EgressAction.ALLOW, *destinations, **more)


def isolate(*destinations: Destination, **more: Any) -> DesiredNetworkPolicy:
    return order(EgressAction.ISOLATE, *destinations, **more)


def is_ours(manifest: Mapping[str, Any]) -> bool:
    """Whether any dialect takes it for ours."""
    return any(dialect.is_ours(manifest) for dialect in DIALECTS)


def may_replace(rendered: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether any dialect would write over it."""
    return any(dialect.may_replace(rendered, live) for dialect in DIALECTS)


def groups_of(given: Iterable[DesiredNetworkPolicy]) -> Iterator[Rendered]:
    """The address groups that policies refer to, one for each host, by host."""
    networks: dict[str, set[Network]] = {}
    for one in given:
        for host, own in CILIUM.groups(one).items():
            networks.setdefault(host, set()).update(own)
    for host, own in sorted(networks.items()):
        group = CILIUM.render_group(host, list(own))
        if group is not None:
            yield group


def rendered(dialect: Any, given: DesiredNetworkPolicy) -> Rendered:
    """The policy; there is one."""
    manifest: Rendered | None = dialect.render(given)
    assert manifest is not None
    return manifest


# What policies mean


def let_through(policy: Rendered, address: str | Address, port: int, protocol: str = "TCP") -> bool:
    """Whether a NetworkPolicy lets an address through, as if it were the only one."""
    target = ip_address(address) if isinstance(address, str) else address
    return any(
        ("ports" not in rule or {"protocol": protocol, "port": port} in rule["ports"])
        and any(_in_block(peer["ipBlock"], target) for peer in rule["to"] if "ipBlock" in peer)
        for rule in policy["spec"]["egress"]
    )


def _in_block(block: Rendered, address: Address) -> bool:
    return address in ip_network(block["cidr"]) and not any(
        address in ip_network(exception) for exception in block.get("except", ())
    )


def verdict(policy: Rendered, address: str | Address, port: int, protocol: str = "TCP") -> str:
    """What a ClusterNetworkPolicy says of an address: its first rule that matches; or nothing."""
    target = ip_address(address) if isinstance(address, str) else address
    wanted = {protocol.lower(): {"destinationPort": {"number": port}}}
    for rule in policy["spec"]["egress"]:
        networks = [ip_network(one) for peer in rule["to"] for one in peer.get("networks", ())]
        on_port = "protocols" not in rule or wanted in rule["protocols"]
        if on_port and any(target in network for network in networks):
            return str(rule["action"])
    return ""


def around(networks: Iterable[Network]) -> Iterator[Address]:
    """The first and last address of each network, and their neighbours."""
    for network in networks:
        kind = type(network.network_address)
        for place in (
            int(network.network_address) - 1,
            int(network.network_address),
            int(network.broadcast_address),
            int(network.broadcast_address) + 1,
        ):
            if 0 <= place < 1 << network.max_prefixlen:
                yield kind(place)


def networks_of(given: DesiredNetworkPolicy) -> list[Network]:
    return [network for one in given.destinations for network in one.networks]


def covered(networks: Iterable[Network], address: Address) -> bool:
    return any(address in network for network in networks)
