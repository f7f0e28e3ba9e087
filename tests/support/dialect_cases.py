"""Orders for tests, and what the rendered policies mean: small readings of our own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.egress.dialects.common import Rendered
from fleet_telemetry.egress.dialects.registry import DIALECTS
from fleet_telemetry.egress.model import (
    Address,
    Destination,
    Network,
    Order,
    OwnerReference,
    Reachable,
)
from fleet_telemetry.workloads.registry import WorkloadKind
from fleet_telemetry.workloads.workload import WorkloadRef

NETWORK_POLICY = DIALECTS[EgressDialect.NETWORK_POLICY]
CILIUM = DIALECTS[EgressDialect.CILIUM]
CLUSTER_NETWORK_POLICY = DIALECTS[EgressDialect.CLUSTER_NETWORK_POLICY]

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
) -> Order:
    return Order(
        workload,
        selector,
        action,
        destinations,
        tuple(reachable),
        frozenset(families),
        tuple(owners),
    )


def deny(*destinations: Destination, **more: Any) -> Order:
    return order(EgressAction.DENY, *destinations, **more)


def allow(*destinations: Destination, **more: Any) -> Order:
    return order(EgressAction.ALLOW, *destinations, **more)


def isolate(*destinations: Destination, **more: Any) -> Order:
    return order(EgressAction.ISOLATE, *destinations, **more)


def rendered(dialect: Any, given: Order) -> Rendered:
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


def networks_of(given: Order) -> list[Network]:
    return [network for one in given.destinations for network in one.networks]


def covered(networks: Iterable[Network], address: Address) -> bool:
    return any(address in network for network in networks)
