"""The facts on which the egress of a workload depends, and what is planned from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.plugin import NetworkPlugin
from fleet_telemetry.egress.dialects.registry import DIALECTS, always_served
from fleet_telemetry.egress.host_use import Key
from fleet_telemetry.egress.labels_to_come import labels_to_come
from fleet_telemetry.egress.model import DesiredNetworkPolicy, Network
from fleet_telemetry.egress.network_policies import NetworkPolicy
from fleet_telemetry.egress.selectors import labels_in, read_selector
from fleet_telemetry.switches.desired import EffectivePolicies
from fleet_telemetry.workloads.workload import Workload

_NAMED = 3


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What is known of a host's addresses now."""

    allow: tuple[Network, ...] = ()
    """For an allowlist."""
    deny: tuple[Network, ...] = ()
    """For a denylist: the addresses of a longer time, and those that its vendor publishes."""
    shared: tuple[Network, ...] = ()
    """Those of the denylist that also serve others."""
    ranges: tuple[Network, ...] = ()
    """The ranges that its provider publishes."""
    complete: bool = True
    """False where it has more addresses than are kept."""
    shared_by: str = ""
    """Who serves others from the same addresses."""
    unanswered: tuple[AddressFamily, ...] = ()
    """The families of which no name server has given a result yet, or none for a day."""
    over_quota: bool = False
    """It is not looked up, because TelemetryPolicies name too many hosts."""
    unresolved: bool = False
    """No name server has given any result for it so far, not even that it has no address."""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What is known of the network policies that concern a workload."""

    policies: tuple[NetworkPolicy, ...] = ()
    """All NetworkPolicies of its namespace, including ours."""
    served: frozenset[Dialect] = always_served(DIALECTS)
    """The dialects whose kinds the cluster serves."""
    plugins: tuple[tuple[NetworkPlugin, str], ...] = ()
    """The network plug-ins of which there is a sign, with the sign."""
    enforced: bool = False
    """The installation declares that the cluster enforces NetworkPolicies."""
    others: tuple[str, ...] = ()
    """Kinds of network policy that are present and not evaluated."""
    lower_tier: tuple[str, ...] = ()
    """The names of policies of other kinds that any NetworkPolicy overrides."""
    families: frozenset[AddressFamily] = frozenset(AddressFamily)


@dataclass(frozen=True, slots=True)
class EgressInput:
    """Everything that the egress of a workload depends on."""

    workload: Workload
    targets: tuple[MatchedContainer, ...]
    effective: EffectivePolicies
    pod_labels: tuple[Mapping[str, str], ...] = ()
    """The labels of the running pods."""
    on_host_network: bool = False
    """Some running pods use the node's network, whatever the template says now."""
    hosts: Mapping[str, HostFacts] = field(default_factory=dict)
    network: NetworkFacts = field(default_factory=NetworkFacts)
    previously_denied: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)
    """By host: the networks that objects of ours denied when this replica became the leader."""

    @property
    def labels(self) -> tuple[Mapping[str, str], ...]:
        """The labels of the running pods and of those to come. Many pods have the same labels, so
        each set appears once, and only with labels that a selector uses."""
        selectors = [one.pod_selector for one in self.network.policies]
        selectors.append(read_selector(self.workload.pod_selector))
        keys = {key for selector in selectors for key in labels_in(selector)}
        every = (*self.pod_labels, *labels_to_come(self.workload, selectors))
        relevant = ({key: one[key] for key in one.keys() & keys} for one in every)
        return tuple({frozenset(one.items()): one for one in relevant}.values())

    def foreign(self) -> tuple[NetworkPolicy, ...]:
        """The NetworkPolicies of others that isolate any pods at all, or may do so."""
        found = (
            policy
            for policy in self.network.policies
            if not policy.ours and (policy.isolates or not policy.certain)
        )
        return tuple(sorted(found, key=lambda policy: policy.name))

    def isolating_any(self) -> tuple[NetworkPolicy, ...]:
        """Those of them that isolate any of the workload's pods, or may do so."""
        labels = self.labels
        return tuple(one for one in self.foreign() if any(map(one.pod_selector.matches, labels)))


PolicyRole = tuple[EgressDialect, EgressAction]
"""Distinguishes the network policies of one workload: there is one for each dialect and action."""


@dataclass(frozen=True, slots=True)
class PlannedNetworkPolicy:
    """A desired network policy, the dialect to write it in, and the channels it is for."""

    dialect: Dialect
    desired: DesiredNetworkPolicy
    channels: frozenset[Key]

    @property
    def role(self) -> PolicyRole:
        """Distinguishes it from the workload's other policies."""
        return self.dialect.name, self.desired.action


def named(names: Iterable[str]) -> str:
    """Some names in a sentence."""
    every = list(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return f"{', '.join(every[:_NAMED])}{more}"
