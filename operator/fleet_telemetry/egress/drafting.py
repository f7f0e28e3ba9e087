"""Drafts of network policies from the egress sections in effect, without regard to the policies of
others. All functions are pure: they return what they draft, and notes on what they leave out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

import msgspec

from fleet_telemetry.api.policy import EgressAction, Policy, PolicyKind, ReachablePeer
from fleet_telemetry.api.resources import API_VERSION
from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.egress.destinations import (
    DraftDestinations,
    allowed_destinations,
    denied_destinations,
)
from fleet_telemetry.egress.dialects.dialect import Dialect
from fleet_telemetry.egress.facts import EgressInput, PlannedNetworkPolicy
from fleet_telemetry.egress.host_use import HostUse, Key
from fleet_telemetry.egress.model import (
    DesiredNetworkPolicy,
    Destination,
    OwnerReference,
    Reachable,
)
from fleet_telemetry.egress.notes import KeyedNote
from fleet_telemetry.egress.usable_sections import Sections, usable_sections
from fleet_telemetry.objects.manifest import Manifest
from fleet_telemetry.policy.precedence import EgressSection


@dataclass(frozen=True, slots=True)
class Drafts:
    """The drafts, and notes on what is left out of them; a channel may have several."""

    policies: tuple[PlannedNetworkPolicy, ...] = ()
    notes: tuple[KeyedNote, ...] = ()


def draft_policies(given: EgressInput, uses: tuple[HostUse, ...]) -> Drafts:
    """The drafts for a workload: one for each dialect and action.

    A policy that isolates replaces those that allow, and those that deny by a dialect whose denials
    are not final: beside it, such a Deny would allow everything else. Final denials override
    whatever is allowed, so they stay.
    """
    sections, notes = usable_sections(given)
    policies: list[PlannedNetworkPolicy] = []
    for action, dialect, keys, destinations in _draft_parts(given, sections, uses):
        notes = (*notes, *destinations.notes)
        if destinations.found or action is EgressAction.ISOLATE:
            own = {key: sections[key] for key in keys}
            policies.append(_draft(given, action, dialect, own, destinations.found))
    return Drafts(tuple(policies), notes)


_DraftPart = tuple[EgressAction, Dialect, Sequence[Key], DraftDestinations]


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
            destinations = allowed_destinations(given, sections, uses, opening, dialect)
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
            denied_destinations(given, sections, uses, denying, closing, dialect),
        )
        yield (
            EgressAction.ALLOW,
            dialect,
            allowing,
            allowed_destinations(given, sections, uses, allowing, dialect),
        )


def _dialects_of(sections: Sections, keys: Iterable[Key]) -> list[Dialect]:
    return sorted({sections[key].dialect for key in keys}, key=lambda dialect: dialect.name)


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
