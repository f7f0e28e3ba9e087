"""What network policies are to say for a workload's pods, as orders that any dialect can take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import collapse_addresses, ip_network

import msgspec

from fleet_telemetry.api.policy import (
    EgressAction,
    EgressDialect,
    Mode,
    Policy,
    PolicyKind,
    ReachablePeer,
    SharedAddresses,
    Submission,
)
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.resources import API_VERSION
from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.egress.address_set import AddressSet
from fleet_telemetry.egress.conflicts import Fitting
from fleet_telemetry.egress.facts import EgressInput, HostFacts, Note, Ordered
from fleet_telemetry.egress.host_use import HostUse, Key, find_uses, needed_besides
from fleet_telemetry.egress.model import Destination, Network, Order, OwnerReference, Reachable
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.policy.precedence import EgressSection


@dataclass(frozen=True, slots=True)
class EgressPlan:
    """What is to be written, and what was left out and why."""

    uses: tuple[HostUse, ...]
    orders: tuple[Ordered, ...] = ()
    notes: Mapping[Key, Note] = field(default_factory=dict)


def plan_egress(given: EgressInput) -> EgressPlan:
    """What is to be written for a workload's pods."""
    drafting = _Drafting(given)
    fitting = Fitting(given, drafting.notes)
    fitted = [fitting.fit(draft) for draft in drafting.drafts()]
    return EgressPlan(
        uses=drafting.uses,
        orders=tuple(order for order in fitted if order is not None),
        notes=drafting.notes,
    )


class _Drafting:
    """One workload: the sections that are in force, and what stands in their way."""

    def __init__(self, given: EgressInput) -> None:
        self._given = given
        self.uses = find_uses(given.targets, given.effective)
        self.notes: dict[Key, Note] = {}
        self._sections: dict[Key, EgressSection] = {}
        self._dialects: dict[Key, EgressDialect] = {}
        for key, in_effect in given.effective.items():
            if in_effect.egress is not None and in_effect.exempt is None:
                self._take(key, in_effect.egress)

    def _take(self, key: Key, section: EgressSection) -> None:
        note = self._refusal(section)
        if note is not None:
            self.notes[key] = note
            return
        dialect = _dialect(section, self._given.network.served)
        assert dialect is not None
        self._sections[key] = section
        self._dialects[key] = dialect

    def _refusal(self, section: EgressSection) -> Note | None:
        """Why a section orders nothing at all."""
        dialect = _dialect(section, self._given.network.served)
        if section.policy.spec.mode is Mode.AUDIT:
            return Note(EgressReason.AUDIT_ONLY)
        if self._given.workload.template.host_network:
            return Note(EgressReason.HOST_NETWORK)
        if not self._given.workload.pod_selector:
            return Note(EgressReason.PODS_NOT_SELECTABLE)
        if dialect is None:
            detail = f"It asks for {section.egress.dialect}."
            return Note(EgressReason.DIALECT_NOT_SERVED, detail)
        if section.egress.action is EgressAction.DENY:
            return None
        return _may_not_open(section, dialect)

    def drafts(self) -> Iterator[Ordered]:
        """One order for each dialect and action.

        What isolates takes the place of what allows, and of what denies by NetworkPolicies: beside
        it, that would let everything else through. Other denials beat whatever lets through, so
        they stay.
        """
        sections = self._sections
        isolating = [
            key
            for key, section in sections.items()
            if section.egress.action is EgressAction.ISOLATE
        ]
        opening = [key for key, section in sections.items() if _opens(section)]
        closing = [key for key in sections if key not in opening]
        alone = [key for key in sections if key not in isolating]
        if isolating:
            joining = [key for key in alone if key in opening or not self._beats_all(key)]
            alone = [key for key in alone if key not in joining]
            for dialect in self._dialects_of(isolating):
                own = [key for key in isolating if self._dialects[key] is dialect]
                destinations = self._openings(opening, dialect)
                yield self._ordered(EgressAction.ISOLATE, dialect, [*own, *joining], destinations)
                joining = []
        for dialect in self._dialects_of(alone):
            mine = [key for key in alone if self._dialects[key] is dialect]
            denying = [key for key in mine if key in closing]
            allowing = [key for key in mine if key in opening]
            for action, keys, destinations in (
                (EgressAction.DENY, denying, self._closings(denying, closing, dialect)),
                (EgressAction.ALLOW, allowing, self._openings(allowing, dialect)),
            ):
                if destinations:
                    yield self._ordered(action, dialect, keys, destinations)

    def _dialects_of(self, keys: list[Key]) -> list[EgressDialect]:
        return sorted({self._dialects[key] for key in keys})

    def _beats_all(self, key: Key) -> bool:
        """Whether a denial in the key's dialect counts whatever else lets through."""
        return self._dialects[key] is not EgressDialect.NETWORK_POLICY

    def _openings(self, keys: list[Key], dialect: EgressDialect) -> tuple[Destination, ...]:
        """What to let through: only hosts that the version surely talks to."""
        found: dict[tuple[str, int], set[Network]] = {}
        for key in keys:
            refusal = _may_not_open(self._sections[key], dialect)
            if refusal is not None:
                self.notes[key] = refusal
                continue
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

    def _closings(
        self, keys: list[Key], closing: list[Key], dialect: EgressDialect
    ) -> tuple[Destination, ...]:
        """What to deny: every host that any version it may be talks to, but nothing that a channel
        needs which is not to be denied by anything (``closing``)."""
        found: dict[tuple[str, int], set[Network]] = {}
        for use in self.uses:
            if (use.product, use.channel) in keys:
                known = self._known(use)
                networks = self._closed(use, known, closing)
                # One group holds a host's addresses for all workloads on Cilium.
                whole = networks == known
                if networks and (whole or dialect is not EgressDialect.CILIUM):
                    found.setdefault((use.host, use.port), set()).update(networks)
        return _destinations(found)

    def _known(self, use: HostUse) -> set[Network]:
        """Where a host is, as far as a denial goes."""
        facts = self._given.hosts.get(use.host, HostFacts())
        inherited = self._given.inherited.get(use.host, ()) if facts.unheard else ()
        return {*facts.deny, *facts.ranges, *inherited}

    def _closed(self, use: HostUse, known: set[Network], closing: list[Key]) -> set[Network]:
        """What of a host is denied. A note says why that is not all of it, the gravest reason."""
        key = use.product, use.channel
        facts = self._given.hosts.get(use.host, HostFacts())
        networks = known
        if not facts.complete:
            self.notes[key] = Note(EgressReason.TOO_MANY_ADDRESSES, f"{use.host}.")
        if facts.unheard or not networks:
            self.notes[key] = Note(EgressReason.HOSTS_NOT_RESOLVED, f"{use.host}.")
        provider = facts.shared_by or use.provider
        if provider and not self._accepts_shared(key):
            detail = f"{use.host} is served by {provider}."
            self.notes[key] = Note(EgressReason.SHARED_ADDRESSES, detail)
            networks = _without(networks, (*facts.shared, *facts.ranges))
        policy = self._sections[key].policy
        for other in needed_besides(use, self.uses, policy, closing):
            theirs = self._given.hosts.get(other.host, HostFacts())
            needed = {*theirs.allow, *theirs.deny, *theirs.ranges}
            left = set() if other.host == use.host else _without(networks, needed)
            if left != networks or other.host == use.host:
                detail = f"{use.host}, for the channel {other.channel}."
                self.notes[key] = Note(EgressReason.NEEDED_BY_OTHER_CHANNEL, detail)
                networks = left
        return networks

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
        for section in _whose_lists_count(sections):
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


def _whose_lists_count(sections: Sequence[EgressSection]) -> Sequence[EgressSection]:
    """Of what is reachable. Where a cluster's policy isolates, a namespace's adds nothing."""
    of_cluster = [
        section
        for section in sections
        if section.policy.kind is PolicyKind.CLUSTER
        and section.egress.action is EgressAction.ISOLATE
    ]
    return of_cluster or sections


def _may_not_open(section: EgressSection, dialect: EgressDialect) -> Note | None:
    """Why a section lets nothing through in a dialect. A ClusterNetworkPolicy beats what the
    cluster's administrators shut off, which is not for those to decide who have a namespace."""
    if (
        dialect is not EgressDialect.CLUSTER_NETWORK_POLICY
        or section.policy.kind is PolicyKind.CLUSTER
    ):
        return None
    detail = "Only a ClusterTelemetryPolicy lets anything through by a ClusterNetworkPolicy."
    return Note(EgressReason.DIALECT_CANNOT, detail)


def _opens(section: EgressSection) -> bool:
    """Whether the pods are to reach the channel's hosts."""
    return section.policy.spec.submission is Submission.ENABLED


def _dialect(section: EgressSection, served: frozenset[EgressDialect]) -> EgressDialect | None:
    wanted = section.egress.dialect
    if wanted is EgressDialect.AUTO:
        cilium = EgressDialect.CILIUM
        return cilium if cilium in served else EgressDialect.NETWORK_POLICY
    return wanted if wanted in served else None


def _without(some: Iterable[Network], others: Iterable[Network]) -> set[Network]:
    """Those that have no address in common with any of the others."""
    theirs = AddressSet.of(others)
    return {mine for mine in some if not theirs.meets(AddressSet.of([mine]))}


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
