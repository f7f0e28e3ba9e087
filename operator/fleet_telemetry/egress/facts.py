"""What the egress of a workload depends on, and what is ordered for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.telemetry_host import AddressFamily
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.egress.host_use import Key
from fleet_telemetry.egress.model import Network, Order
from fleet_telemetry.egress.network_policies import NetworkPolicy
from fleet_telemetry.egress.selectors import labels_in, read_selector
from fleet_telemetry.switches.injection import EffectivePolicies
from fleet_telemetry.workloads.workload import Workload

_NAMED = 3


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What is known of a host's addresses now."""

    allow: tuple[Network, ...] = ()
    """For an allowlist."""
    deny: tuple[Network, ...] = ()
    """For a denylist: what it had for a longer time, and what its vendor publishes."""
    shared: tuple[Network, ...] = ()
    """Those of the denylist that serve others, too."""
    ranges: tuple[Network, ...] = ()
    """That its provider publishes."""
    complete: bool = True
    """False where it has more addresses than are kept."""
    shared_by: str = ""
    """Who serves others from the same addresses."""
    unheard: bool = False
    """No name server has said anything of it so far, not even that there is no address."""


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """What is known of the network policies that concern a workload."""

    policies: tuple[NetworkPolicy, ...] = ()
    """All NetworkPolicies of its namespace, ours included."""
    served: frozenset[EgressDialect] = frozenset({EgressDialect.NETWORK_POLICY})
    """The kinds that the cluster knows."""
    enforced: bool = False
    """Somebody vouches for the enforcement of NetworkPolicies."""
    others: tuple[str, ...] = ()
    """Kinds of network policy that are not read and of which there are some."""
    behind: tuple[str, ...] = ()
    """Policies of other kinds that count only for what no NetworkPolicy lets through, by name."""
    families: frozenset[AddressFamily] = frozenset(AddressFamily)


@dataclass(frozen=True, slots=True)
class EgressInput:
    """Everything that the egress of a workload depends on."""

    workload: Workload
    targets: tuple[MatchedContainer, ...]
    effective: EffectivePolicies
    pod_labels: tuple[Mapping[str, str], ...] = ()
    """Of the pods that run."""
    on_host_network: bool = False
    """Some of the pods that run have the node's own network, whatever the workload says now."""
    hosts: Mapping[str, HostFacts] = field(default_factory=dict)
    network: NetworkFacts = field(default_factory=NetworkFacts)
    inherited: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)
    """What was denied for the sake of a host when this replica began to lead."""

    @property
    def labels(self) -> tuple[Mapping[str, str], ...]:
        """Of the pods that run, and of those to come: pods are many and alike, so each once, and
        only labels by which somebody selects."""
        selectors = [one.pod_selector for one in self.network.policies]
        selectors.append(read_selector(self.workload.pod_selector))
        keys = {key for selector in selectors for key in labels_in(selector)}
        every = (*self.pod_labels, self.workload.template.labels)
        told = ({key: one[key] for key in one.keys() & keys} for one in every)
        return tuple({frozenset(one.items()): one for one in told}.values())

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


@dataclass(frozen=True, slots=True)
class Note:
    """Why a channel's wish is not ordered, or not in full."""

    reason: EgressReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order, the dialect it is for, and the channels whose wish it is."""

    dialect: EgressDialect
    order: Order
    channels: frozenset[Key]

    @property
    def key(self) -> tuple[EgressDialect, EgressAction]:
        """Tells it from the workload's other orders."""
        return self.dialect, self.order.action


def named(names: Iterable[str]) -> str:
    """Some names in a sentence."""
    every = list(names)
    more = f" and {len(every) - _NAMED} more" if len(every) > _NAMED else ""
    return f"{', '.join(every[:_NAMED])}{more}"
