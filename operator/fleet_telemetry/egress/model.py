"""What the egress side speaks of: answers of name servers, and what pods may reach."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.telemetry_host import AddressFamily, LookupResult
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.workloads.workload import WorkloadRef

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def family_of(address: Address | Network) -> AddressFamily:
    """Which family an address or a range is of."""
    return AddressFamily.IPV4 if address.version == 4 else AddressFamily.IPV6  # noqa: PLR2004  # IPv4


@dataclass(frozen=True, slots=True)
class Lookup:
    """What one name server said of one host's addresses of one family."""

    name_server: str
    """The name server's name."""
    family: AddressFamily
    outcome: LookupResult
    addresses: tuple[Address, ...] = ()
    """As told, not yet checked."""
    ttl: int = 0
    """Seconds: the least of the whole chain of aliases; of a negative answer, as its SOA says."""
    detail: str = ""
    """For people: why it is no OK, or what of it was left out."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The addresses of a telemetry host, for a network policy."""

    host: str
    port: int
    networks: tuple[Network, ...]
    """Single addresses as /32 and /128, and ranges; sorted, none inside another."""


@dataclass(frozen=True, slots=True)
class Reachable:
    """What else isolated pods may reach, by the user's choice: a range, or pods by labels."""

    cidr: Network | None = None
    namespace_selector: Manifest | None = None
    pod_selector: Manifest | None = None
    ports: tuple[tuple[str, int], ...] = ()
    """Protocol and port; empty: every port."""


@dataclass(frozen=True, slots=True)
class OwnerReference:
    """An owner of an object of ours, which is garbage-collected with it."""

    api_version: str
    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DesiredNetworkPolicy:
    """What a network policy for the pods of one workload has to do, in any dialect.

    ``Deny``: the pods do not reach the destinations, and nothing else changes. ``Allow``: they do,
    where another policy isolates them. ``Isolate``: they reach the destinations, cluster DNS and
    what is ``reachable``, and nothing else.
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
