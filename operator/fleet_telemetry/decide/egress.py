"""What network policies are to say for a workload's pods, as orders that any dialect can take.

NetworkPolicies add up: each can only let more through. So one that denies (by letting everything
else through) is ordered only where nothing else isolates the pods, and one that allows only where
something does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import collapse_addresses, ip_network

import msgspec

from fleet_telemetry.decide.hosts import HostUse, find_uses
from fleet_telemetry.decide.injection import GovernanceByChannel
from fleet_telemetry.decide.matching import Target
from fleet_telemetry.decide.precedence import EgressSection
from fleet_telemetry.decide.reachability import Coverage, isolators, judge
from fleet_telemetry.model.egress import (
    Destination,
    Family,
    Network,
    Order,
    OwnerReference,
    Reachable,
)
from fleet_telemetry.model.manifest import Manifest
from fleet_telemetry.model.network_policy import NetworkPolicy
from fleet_telemetry.model.policy import (
    ChannelName,
    EgressAction,
    EgressDialect,
    Mode,
    Policy,
    ReachablePeer,
    SharedAddresses,
    Submission,
)
from fleet_telemetry.model.reasons import EgressReason
from fleet_telemetry.model.resources import API_VERSION
from fleet_telemetry.model.selector import LabelSelector
from fleet_telemetry.model.workload import Workload

Key = tuple[str, ChannelName]
"""A product and one of its channels."""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What is known of a host's addresses now."""

    allow: tuple[Network, ...] = ()
    """For an allowlist."""
    deny: tuple[Network, ...] = ()
    """For a denylist: what it had for a longer time, and what its vendor publishes."""
    ranges: tuple[Network, ...] = ()
    """That its provider publishes."""
    complete: bool = True
    """False where it has more addresses than are kept."""
    shared_by: str = ""
    """Who serves others from the same addresses."""


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
    families: frozenset[Family] = frozenset(Family)


@dataclass(frozen=True, slots=True)
class EgressInput:
    """Everything that the egress of a workload depends on."""

    workload: Workload
    targets: tuple[Target, ...]
    governance: GovernanceByChannel
    pod_labels: tuple[Mapping[str, str], ...] = ()
    """Of the pods that run."""
    hosts: Mapping[str, HostFacts] = field(default_factory=dict)
    network: NetworkFacts = field(default_factory=NetworkFacts)

    @property
    def labels(self) -> tuple[Mapping[str, str], ...]:
        """Of the pods that run, and of those to come."""
        return (*self.pod_labels, self.workload.template.labels)

    def foreign_isolators(self) -> tuple[NetworkPolicy, ...]:
        """The NetworkPolicies of others that isolate any of the pods for egress."""
        others = [policy for policy in self.network.policies if not policy.ours]
        found = {
            (policy.namespace, policy.name): policy
            for labels in self.labels
            for policy in isolators(others, labels)
        }
        return tuple(found[key] for key in sorted(found))


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


@dataclass(frozen=True, slots=True)
class EgressPlan:
    """What is to be written, and what was left out and why."""

    uses: tuple[HostUse, ...]
    orders: tuple[Ordered, ...] = ()
    notes: Mapping[Key, Note] = field(default_factory=dict)


def plan_egress(given: EgressInput) -> EgressPlan:
    """What is to be written for a workload's pods."""
    drafting = _Drafting(given)
    fitted = [drafting.fit(draft) for draft in drafting.drafts()]
    return EgressPlan(
        uses=drafting.uses,
        orders=tuple(order for order in fitted if order is not None),
        notes=drafting.notes,
    )


class _Drafting:
    """One workload: the sections that are in force, and what stands in their way."""

    def __init__(self, given: EgressInput) -> None:
        self._given = given
        self.uses = find_uses(given.targets, given.governance)
        self.notes: dict[Key, Note] = {}
        self._sections: dict[Key, EgressSection] = {}
        self._dialects: dict[Key, EgressDialect] = {}
        for key, governed in given.governance.items():
            if governed.egress is not None and governed.exempt is None:
                self._take(key, governed.egress)

    def _take(self, key: Key, section: EgressSection) -> None:
        dialect = _dialect(section, self._given.network.served)
        if section.policy.spec.mode is Mode.AUDIT:
            self.notes[key] = Note(EgressReason.AUDIT_ONLY)
        elif self._given.workload.template.host_network:
            self.notes[key] = Note(EgressReason.HOST_NETWORK)
        elif not self._given.workload.pod_selector:
            self.notes[key] = Note(EgressReason.PODS_NOT_SELECTABLE)
        elif dialect is None:
            detail = f"It asks for {section.egress.dialect}."
            self.notes[key] = Note(EgressReason.DIALECT_NOT_SERVED, detail)
        else:
            self._sections[key] = section
            self._dialects[key] = dialect

    def drafts(self) -> Iterator[Ordered]:
        """One order for each dialect and action. Where anything isolates, nothing has to be denied
        or allowed besides."""
        sections = self._sections
        isolating = [
            key
            for key, section in sections.items()
            if section.egress.action is EgressAction.ISOLATE
        ]
        opening = [key for key, section in sections.items() if _opens(section)]
        if isolating:
            dialect = self._dialects[isolating[0]]
            destinations = self._openings(opening)
            yield self._ordered(EgressAction.ISOLATE, dialect, list(sections), destinations)
            return
        for dialect in sorted(set(self._dialects.values())):
            mine = [key for key, found in self._dialects.items() if found is dialect]
            denying = [key for key in mine if key not in opening]
            allowing = [key for key in mine if key in opening]
            for action, keys, destinations in (
                (EgressAction.DENY, denying, self._closings(denying)),
                (EgressAction.ALLOW, allowing, self._openings(allowing)),
            ):
                if destinations:
                    yield self._ordered(action, dialect, keys, destinations)

    def _openings(self, keys: list[Key]) -> tuple[Destination, ...]:
        """What to let through: only hosts that the version surely talks to."""
        found: dict[tuple[str, int], set[Network]] = {}
        for key in keys:
            own = [use for use in self.uses if (use.product, use.channel) == key]
            if own and not any(use.certain for use in own):
                self.notes[key] = Note(EgressReason.VERSION_UNREADABLE)
            for use in own:
                facts = self._given.hosts.get(use.host, HostFacts())
                networks = {*facts.allow, *(facts.ranges if self._accepts_shared(key) else ())}
                if use.certain and networks:
                    found.setdefault((use.host, use.port), set()).update(networks)
                elif use.certain:
                    self.notes[key] = Note(EgressReason.HOSTS_NOT_RESOLVED, f"{use.host}.")
        return _destinations(found)

    def _closings(self, keys: list[Key]) -> tuple[Destination, ...]:
        """What to deny: every host that any version it may be talks to, but none that a channel
        needs which is not to be denied."""
        found: dict[tuple[str, int], set[Network]] = {}
        for use in self.uses:
            key = (use.product, use.channel)
            if key not in keys:
                continue
            facts = self._given.hosts.get(use.host, HostFacts())
            note = self._objection(use, facts, keys)
            if note is not None:
                self.notes[key] = note
                continue
            found.setdefault((use.host, use.port), set()).update((*facts.deny, *facts.ranges))
            if not facts.complete:
                self.notes[key] = Note(EgressReason.TOO_MANY_ADDRESSES, f"{use.host}.")
        return _destinations(found)

    def _objection(self, use: HostUse, facts: HostFacts, denying: list[Key]) -> Note | None:
        """Why a host is not denied."""
        products = {product for product, _ in denying}
        # Of a channel without rules only the policy says that it is meant.
        meant = self._sections[use.product, use.channel].policy.spec.channels
        for other in self.uses:
            if (
                other.product not in products
                or other.channel in meant
                or (other.product, other.channel) in denying
            ):
                continue
            theirs = self._given.hosts.get(other.host, HostFacts())
            if other.host == use.host or _overlap(facts.deny, (*theirs.allow, *theirs.deny)):
                detail = f"{use.host}, for the channel {other.channel}."
                return Note(EgressReason.NEEDED_BY_OTHER_CHANNEL, detail)
        provider = facts.shared_by or use.provider
        if provider and not self._accepts_shared((use.product, use.channel)):
            detail = f"{use.host} is served by {provider}."
            return Note(EgressReason.SHARED_ADDRESSES, detail)
        if not facts.deny and not facts.ranges:
            return Note(EgressReason.HOSTS_NOT_RESOLVED, f"{use.host}.")
        return None

    def _accepts_shared(self, key: Key) -> bool:
        return self._sections[key].egress.shared_addresses is SharedAddresses.ACCEPT

    def _ordered(
        self,
        action: EgressAction,
        dialect: EgressDialect,
        keys: list[Key],
        destinations: tuple[Destination, ...],
    ) -> Ordered:
        sections = [self._sections[key] for key in keys]
        owners = dict.fromkeys(_owner(section.policy) for section in sections)
        reachable: list[Reachable] = []
        for section in sections:
            for peer in map(_reachable, section.egress.reachable):
                if peer not in reachable:
                    reachable.append(peer)
        order = Order(
            workload=self._given.workload.ref,
            selector=self._given.workload.pod_selector,
            action=action,
            destinations=destinations,
            reachable=tuple(reachable),
            families=self._given.network.families,
            owners=tuple(sorted(owners, key=lambda owner: (owner.kind, owner.name))),
        )
        return Ordered(dialect, order, frozenset(keys))

    def fit(self, draft: Ordered) -> Ordered | None:
        """The draft as it may stand beside what is there; None where it may not."""
        action = draft.order.action
        if draft.dialect is not EgressDialect.NETWORK_POLICY or action is EgressAction.ISOLATE:
            return draft
        isolating = self._given.foreign_isolators()
        if action is EgressAction.DENY:
            if EgressDialect.CILIUM in self._given.network.served:
                note = Note(EgressReason.DIALECT_CANNOT, "On Cilium only dialect: Cilium denies.")
                self.notes.update(dict.fromkeys(draft.channels, note))
                return None
            # It would let through the rest of the internet, where that is shut off already.
            return None if isolating else draft
        if not isolating:
            self.notes.update(dict.fromkeys(draft.channels, Note(EgressReason.NOT_ISOLATED)))
            return None
        others = [policy for policy in self._given.network.policies if not policy.ours]
        if judge(others, self._given.labels, draft.order.destinations).coverage is Coverage.ALL:
            return None
        # It goes with the last of those that isolate, even while no operator runs: left alone, it
        # would isolate the pods itself.
        owners = tuple(
            OwnerReference("networking.k8s.io/v1", "NetworkPolicy", policy.name, policy.uid)
            for policy in isolating
        )
        return replace(draft, order=replace(draft.order, owners=owners))


def _opens(section: EgressSection) -> bool:
    """Whether the pods are to reach the channel's hosts."""
    return section.policy.spec.submission is Submission.ENABLED


def _dialect(section: EgressSection, served: frozenset[EgressDialect]) -> EgressDialect | None:
    wanted = section.egress.dialect
    if wanted is EgressDialect.AUTO:
        cilium = EgressDialect.CILIUM
        return cilium if cilium in served else EgressDialect.NETWORK_POLICY
    return wanted if wanted in served else None


def _overlap(some: Iterable[Network], others: Iterable[Network]) -> bool:
    theirs = list(others)
    return any(
        mine.version == other.version and mine.overlaps(other) for mine in some for other in theirs
    )


def _destinations(found: Mapping[tuple[str, int], set[Network]]) -> tuple[Destination, ...]:
    return tuple(
        Destination(host, port, collapsed(networks))
        for (host, port), networks in sorted(found.items())
    )


def collapsed(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Sorted, none inside another, IPv4 first."""
    by_version: dict[int, list[Network]] = {4: [], 6: []}
    for network in networks:
        by_version[network.version].append(network)
    return tuple(
        network
        for version in (4, 6)
        for network in collapse_addresses(by_version[version])  # type: ignore[type-var]
    )


def _owner(policy: Policy) -> OwnerReference:
    return OwnerReference(API_VERSION, policy.kind, policy.name, policy.uid)


def _reachable(peer: ReachablePeer) -> Reachable:
    return Reachable(
        cidr=ip_network(peer.cidr, strict=False) if peer.cidr else None,
        namespace_selector=_selector(peer.namespace_selector),
        pod_selector=_selector(peer.pod_selector),
        ports=tuple((port.protocol, port.port) for port in peer.ports),
    )


def _selector(selector: LabelSelector | None) -> Manifest | None:
    if selector is None:
        return None
    found: Manifest = msgspec.to_builtins(selector)
    return found
