"""The types of egress: DNS lookups, destinations and desired network policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.workloads.workload import WorkloadRef

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


EVERY_ADDRESS: Mapping[AddressFamily, Network] = {
    AddressFamily.IPV4: IPv4Network("0.0.0.0/0"),
    AddressFamily.IPV6: IPv6Network("::/0"),
}
"""The network of a whole family."""


def family_of(address: Address | Network) -> AddressFamily:
    """The family of an address or a range."""
    return AddressFamily.IPV4 if address.version == 4 else AddressFamily.IPV6  # noqa: PLR2004  # IPv4


@dataclass(frozen=True, slots=True)
class Lookup:
    """The result of one lookup: one host, one name server, one family."""

    name_server: str
    """The name server's name."""
    family: AddressFamily
    outcome: LookupResult
    addresses: tuple[Address, ...] = ()
    """As returned, not yet checked."""
    ttl: int = 0
    """Seconds: the shortest of the chain of aliases; of a negative response, from its SOA."""
    detail: str = ""
    """For the user: why the result is not OK, or what was left out."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The addresses of a telemetry host, for a network policy."""

    host: str
    port: int
    networks: tuple[Network, ...]
    """Single addresses as /32 and /128, and ranges; sorted, none inside another."""


@dataclass(frozen=True, slots=True)
class Reachable:
    """A user-defined exception for isolated pods: a range, or pods by labels."""

    cidr: Network | None = None
    namespace_selector: Manifest | None = None
    pod_selector: Manifest | None = None
    ports: tuple[tuple[str, int], ...] = ()
    """Protocol and port; empty: every port."""


@dataclass(frozen=True, slots=True)
class OwnerReference:
    """An owner of one of our objects, which is garbage-collected with it."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DesiredNetworkPolicy:
    """The desired effect of a network policy for the pods of one workload, in any dialect.

    ``Deny``: the pods cannot reach the destinations; nothing else changes. ``Allow``: they can,
    even if another policy isolates them. ``Isolate``: they can reach the destinations, cluster DNS
    and ``reachable``, and nothing else.
    """

    workload: WorkloadRef
    selector: Manifest
    """A LabelSelector of the workload's pods, as in manifests; never empty."""
    action: EgressAction
    destinations: tuple[Destination, ...]
    """May be empty only with Isolate."""
    reachable: tuple[Reachable, ...] = ()
    families: frozenset[AddressFamily] = frozenset(AddressFamily)
    owners: tuple[OwnerReference, ...] = ()
