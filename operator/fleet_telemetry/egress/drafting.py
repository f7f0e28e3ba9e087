"""Drafts of network policies from the egress sections in effect, without regard to the policies of
others. All functions are pure: they return what they draft, and notes on what they leave out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

import msgspec

from fleet_telemetry.api.policy import (
    EgressAction,
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
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.dialects.registry import dialect_named, select_dialect
from fleet_telemetry.egress.facts import EgressInput, HostFacts, PlannedNetworkPolicy
from fleet_telemetry.egress.host_use import HostUse, Key, needed_besides, serving_besides
from fleet_telemetry.egress.model import (
    DesiredNetworkPolicy,
    Destination,
    Network,
    OwnerReference,
    Reachable,
)
from fleet_telemetry.egress.networks import collapsed
from fleet_telemetry.egress.notes import KeyedNote, Note, unanswered_families
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.policy.precedence import EgressSection


@dataclass(frozen=True, slots=True)
class ChannelSection:
    """The egress section in effect for a channel, and the dialect to write it in."""

    section: EgressSection
    dialect: Dialect

    @property
    def action(self) -> EgressAction:
        """The action that the section asks for."""
        return self.section.egress.action

    @property
    def opens(self) -> bool:
        """Whether the pods are to reach the channel's hosts."""
        return self.section.policy.spec.submission is Submission.ENABLED

    @property
    def accepts_shared(self) -> bool:
        """Whether addresses count that also serve others."""
        return self.section.egress.shared_addresses is SharedAddresses.ACCEPT

    def refuses_to_open(self, dialect: Dialect) -> Note | None:
        """Why it allows nothing in a dialect: users of a namespace must not override what the
        cluster's administrators deny."""
        is_cluster = self.section.policy.kind is PolicyKind.CLUSTER
        if is_cluster or not dialect.only_cluster_policies_open:
            return None
        detail = (
            f"Only a ClusterTelemetryPolicy lets anything through by a {dialect.policy_kind.kind}."
        )
        return Note(EgressReason.DIALECT_CANNOT, detail)


Sections = Mapping[Key, ChannelSection]


@dataclass(frozen=True, slots=True)
class Drafts:
    """The drafts, and notes on what is left out of them; a channel may have several."""

    policies: tuple[PlannedNetworkPolicy, ...] = ()
    notes: tuple[KeyedNote, ...] = ()


@dataclass(frozen=True, slots=True)
class _Destinations:
    """Hosts with their networks, and notes on what is left out."""

    found: tuple[Destination, ...] = ()
    notes: tuple[KeyedNote, ...] = ()


@dataclass(slots=True)
class _Collected:
    """Networks by host and port, while they are collected."""

    networks: dict[tuple[str, int], set[Network]] = field(default_factory=dict)
    notes: list[KeyedNote] = field(default_factory=list)

    def add(self, use: HostUse, networks: Iterable[Network]) -> None:
        self.networks.setdefault((use.host, use.port), set()).update(networks)

    def destinations(self) -> _Destinations:
        found = tuple(
            Destination(host, port, collapsed(networks))
            for (host, port), networks in sorted(self.networks.items())
        )
        return _Destinations(found, tuple(self.notes))


def draft_policies(given: EgressInput, uses: tuple[HostUse, ...]) -> Drafts:
    """The drafts for a workload: one for each dialect and action.

    A policy that isolates replaces those that allow, and those that deny by a dialect whose denials
    are not final: beside it, such a Deny would allow everything else. Final denials override
    whatever is allowed, so they stay.
    """
    sections, notes = _usable_sections(given)
    policies: list[PlannedNetworkPolicy] = []
    for action, dialect, keys, destinations in _draft_parts(given, sections, uses):
        notes = (*notes, *destinations.notes)
        if destinations.found or action is EgressAction.ISOLATE:
            own = {key: sections[key] for key in keys}
            policies.append(_draft(given, action, dialect, own, destinations.found))
    return Drafts(tuple(policies), notes)


def _usable_sections(given: EgressInput) -> tuple[Sections, tuple[KeyedNote, ...]]:
    """The sections that a policy can be drafted for, and why for the others none can."""
    sections: dict[Key, ChannelSection] = {}
    notes: list[KeyedNote] = []
    for key, in_effect in given.effective.items():
        if in_effect.egress is None or in_effect.exempt is not None:
            continue
        section = in_effect.egress
        dialect = select_dialect(section.egress.dialect, given.network.served)
        refusal = _refusal(given, section, dialect)
        if dialect is not None and refusal is None:
            found = ChannelSection(section, dialect)
            if found.action is not EgressAction.DENY:
                refusal = found.refuses_to_open(dialect)
            if refusal is None:
                sections[key] = found
        if refusal is not None:
            notes.append((key, refusal))
    return sections, tuple(notes)


def _refusal(given: EgressInput, section: EgressSection, dialect: Dialect | None) -> Note | None:
    """Why no policy is drafted for a section, whatever its action is."""
    if section.policy.spec.mode is Mode.AUDIT:
        return Note(EgressReason.AUDIT_ONLY)
    if given.workload.template.host_network:
        return Note(EgressReason.HOST_NETWORK)
    if not given.workload.pod_selector:
        return Note(EgressReason.PODS_NOT_SELECTABLE)
    if dialect is None:
        asked = dialect_named(section.egress.dialect)
        needs = f" It needs {asked.plugin.needs}." if asked and asked.plugin else ""
        detail = f"It asks for {section.egress.dialect}.{needs}"
        return Note(EgressReason.DIALECT_NOT_SERVED, detail)
    return None


_DraftPart = tuple[EgressAction, Dialect, Sequence[Key], _Destinations]


def _draft_parts(
    given: EgressInput, sections: Sections, uses: tuple[HostUse, ...]
) -> Iterator[_DraftPart]:
    """Action, dialect, channels and destinations of each draft; without destinations there is
    nothing to deny or to allow."""
    isolating = [key for key, one in sections.items() if one.action is EgressAction.ISOLATE]
    opening = [key for key, one in sections.items() if one.opens]
    closing = [key for key in sections if key not in opening]
    alone = [key for key in sections if key not in isolating]
    if isolating:
        joining = [
            key for key in alone if key in opening or not sections[key].dialect.denial_is_final
        ]
        alone = [key for key in alone if key not in joining]
        for dialect in _dialects_of(sections, isolating):
            own = [key for key in isolating if sections[key].dialect is dialect]
            destinations = _allowed(given, sections, uses, opening, dialect)
            yield EgressAction.ISOLATE, dialect, [*own, *joining], destinations
            joining = []
    for dialect in _dialects_of(sections, alone):
        mine = [key for key in alone if sections[key].dialect is dialect]
        denying = [key for key in mine if key in closing]
        allowing = [key for key in mine if key in opening]
        yield (
            EgressAction.DENY,
            dialect,
            denying,
            _denied(given, sections, uses, denying, closing, dialect),
        )
        yield (
            EgressAction.ALLOW,
            dialect,
            allowing,
            _allowed(given, sections, uses, allowing, dialect),
        )


def _dialects_of(sections: Sections, keys: Iterable[Key]) -> list[Dialect]:
    return sorted({sections[key].dialect for key in keys}, key=lambda dialect: dialect.name)


def _allowed(
    given: EgressInput,
    sections: Sections,
    uses: tuple[HostUse, ...],
    keys: Iterable[Key],
    dialect: Dialect,
) -> _Destinations:
    """The hosts to allow: only those that the version certainly uses."""
    collected = _Collected()
    for key in keys:
        refusal = sections[key].refuses_to_open(dialect)
        if refusal is not None:
            collected.notes.append((key, refusal))
            continue
        own = [use for use in uses if (use.product, use.channel) == key]
        if own and not any(use.certain for use in own):
            collected.notes.append((key, Note(EgressReason.VERSION_UNREADABLE)))
        for use in own:
            facts = given.hosts.get(use.host, HostFacts())
            networks = {*facts.allow, *(facts.ranges if sections[key].accepts_shared else ())}
            if use.certain and networks:
                collected.add(use, networks)
            elif use.certain:
                reason = EgressReason.HOSTS_NOT_RESOLVED
                if facts.over_quota:
                    reason = EgressReason.TOO_MANY_HOSTS
                collected.notes.append((key, Note(reason, f"{use.host}.")))
    return collected.destinations()


def _denied(  # noqa: PLR0917  # the parts of one decision
    given: EgressInput,
    sections: Sections,
    uses: tuple[HostUse, ...],
    keys: Collection[Key],
    closing: Collection[Key],
    dialect: Dialect,
) -> _Destinations:
    """The hosts to deny: every host that any version it may be uses, except what a channel needs
    that is not denied itself (``closing``)."""
    collected = _Collected()
    for use in uses:
        key = use.product, use.channel
        if key in keys:
            known = _known(given, use)
            networks, notes = _denied_of(given, sections[key], uses, use, known, closing)
            collected.notes += ((key, note) for note in notes)
            if networks and (networks == known or dialect.group_kind is None):
                collected.add(use, networks)
    return collected.destinations()


def _known(given: EgressInput, use: HostUse) -> frozenset[Network]:
    """The networks of a host that a denial covers."""
    facts = given.hosts.get(use.host, HostFacts())
    previously = given.previously_denied.get(use.host, ()) if facts.unresolved else ()
    return frozenset((*facts.deny, *facts.ranges, *previously))


def _denied_of(  # noqa: PLR0917  # the parts of one decision
    given: EgressInput,
    section: ChannelSection,
    uses: tuple[HostUse, ...],
    use: HostUse,
    known: frozenset[Network],
    closing: Collection[Key],
) -> tuple[frozenset[Network], list[Note]]:
    """Which of a host's known networks are denied, and notes on why it is not all of them."""
    facts = given.hosts.get(use.host, HostFacts())
    networks = known
    notes: list[Note] = []
    if not facts.complete:
        notes.append(Note(EgressReason.TOO_MANY_ADDRESSES, f"{use.host}."))
    if facts.over_quota:
        notes.append(Note(EgressReason.TOO_MANY_HOSTS, f"{use.host}."))
    elif facts.unresolved or not networks:
        notes.append(Note(EgressReason.HOSTS_NOT_RESOLVED, f"{use.host}."))
    elif facts.unanswered:
        notes.append(unanswered_families(use.host, facts))
    provider = facts.shared_by or use.provider
    if provider and not section.accepts_shared:
        detail = f"{use.host} is served by {provider}."
        notes.append(Note(EgressReason.SHARED_ADDRESSES, detail))
        networks = _without(networks, (*facts.shared, *facts.ranges))
    spared = [
        (other, EgressReason.NEEDED_BY_OTHER_CHANNEL, f"for the channel {other.channel}")
        for other in needed_besides(use, uses, section.section.policy, closing)
    ]
    if not section.accepts_shared:
        spared += [
            (other, EgressReason.ALSO_SERVES, f"{other.host} also serves {other.also_serves}")
            for other in serving_besides(use, uses)
        ]
    for other, reason, why in spared:
        left = _spare(networks, use, other, given.hosts.get(other.host, HostFacts()))
        if left != networks or other.host == use.host:
            notes.append(Note(reason, f"{use.host}, {why}."))
            networks = left
    return networks, notes


def _spare(
    networks: frozenset[Network], use: HostUse, other: HostUse, theirs: HostFacts
) -> frozenset[Network]:
    """What is left of a host's networks if another host is not to be denied."""
    if other.host == use.host:
        return frozenset()
    return _without(networks, {*theirs.allow, *theirs.deny, *theirs.ranges})


def _without(some: Iterable[Network], others: Iterable[Network]) -> frozenset[Network]:
    """The networks that have no address in common with any of the others."""
    theirs = AddressSet.of(others)
    return frozenset(mine for mine in some if not theirs.meets(AddressSet.of([mine])))


def _draft(
    given: EgressInput,
    action: EgressAction,
    dialect: Dialect,
    sections: Sections,
    destinations: tuple[Destination, ...],
) -> PlannedNetworkPolicy:
    own = [one.section for one in sections.values()]
    owners = dict.fromkeys(_owner(section.policy) for section in own)
    reachable: list[Reachable] = []
    for section in _sections_for_reachable(own):
        for peer in map(_reachable, section.egress.reachable):
            if peer not in reachable:
                reachable.append(peer)
    desired = DesiredNetworkPolicy(
        workload=given.workload.ref,
        selector=given.workload.pod_selector,
        action=action,
        destinations=destinations,
        reachable=tuple(reachable),
        families=given.network.families,
        owners=tuple(sorted(owners, key=lambda owner: (owner.kind, owner.name))),
    )
    return PlannedNetworkPolicy(dialect, desired, frozenset(sections))


def _sections_for_reachable(sections: Sequence[EgressSection]) -> Sequence[EgressSection]:
    """The sections whose ``reachable`` counts. Where a cluster's policy isolates, a namespace's
    policy adds nothing."""
    of_cluster = [
        section
        for section in sections
        if section.policy.kind is PolicyKind.CLUSTER
        and section.egress.action is EgressAction.ISOLATE
    ]
    return of_cluster or sections


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
