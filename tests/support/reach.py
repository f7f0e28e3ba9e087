"""What pods reach by NetworkPolicies, for tests: by labels and networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fleet_telemetry.egress.address_set import EVERYWHERE, AddressSet
from fleet_telemetry.egress.model import Network
from fleet_telemetry.egress.network_policies import NetworkPolicy
from fleet_telemetry.egress.reachability import Reach, find_reach, policies_selecting


def isolators(
    policies: Iterable[NetworkPolicy], labels: Mapping[str, str]
) -> tuple[NetworkPolicy, ...]:
    """The policies that certainly isolate pods with these labels, by namespace and name."""
    found = (one for one in policies_selecting(policies, labels) if one.isolates)
    return tuple(sorted(found, key=lambda policy: (policy.namespace, policy.name)))


def reach(
    policies: Iterable[NetworkPolicy],
    labels: Mapping[str, str],
    networks: Iterable[Network],
    port: int,
    protocol: str = "TCP",
) -> Reach:
    """What pods with these labels reach of some networks; without networks, of every address."""
    wanted = AddressSet.of(networks) or EVERYWHERE
    return find_reach(policies_selecting(policies, labels), wanted, port, protocol)
