"""The addresses that a draft allows or denies, and notes on those that it leaves out."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.egress.address_set import AddressSet
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.facts import EgressInput, HostFacts
from fleet_telemetry.egress.host_use import HostUse, Key, needed_besides, serving_besides
from fleet_telemetry.egress.model import Destination, Network
from fleet_telemetry.egress.networks import collapsed
from fleet_telemetry.egress.notes import KeyedNote, Note, unanswered_families
from fleet_telemetry.egress.usable_sections import ChannelSection, Sections


@dataclass(frozen=True, slots=True)
class DraftDestinations:
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

    def destinations(self) -> DraftDestinations:
        found = tuple(
            Destination(host, port, collapsed(networks))
            for (host, port), networks in sorted(self.networks.items())
        )
        return DraftDestinations(found, tuple(self.notes))


def allowed_destinations(
    given: EgressInput,
    sections: Sections,
    uses: tuple[HostUse, ...],
    keys: Iterable[Key],
    dialect: Dialect,
) -> DraftDestinations:
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


def denied_destinations(  # noqa: PLR0917  # the parts of one decision
    given: EgressInput,
    sections: Sections,
    uses: tuple[HostUse, ...],
    keys: Collection[Key],
    closing: Collection[Key],
    dialect: Dialect,
) -> DraftDestinations:
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
