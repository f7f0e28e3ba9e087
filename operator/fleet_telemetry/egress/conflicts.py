"""Conflict resolution: which drafts may stand beside the network policies of others.

NetworkPolicies add up: each can only allow more. So a NetworkPolicy that denies, by allowing
everything else, is written only where no other policy isolates the pods, and one that allows is
written only where another policy does. Neither may select a pod for which that does not hold, such
as a pod of somebody else that has the labels of the workload's pods.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from fleet_telemetry.api.policy import EgressAction
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.egress.dialects.dialect import Dialect, SideEffect
from fleet_telemetry.egress.facts import EgressInput, PlannedNetworkPolicy, named
from fleet_telemetry.egress.model import OwnerReference
from fleet_telemetry.egress.notes import KeyedNote, Note
from fleet_telemetry.egress.reachability import AddressCoverage, judge
from fleet_telemetry.egress.selectors import apart_from, both, is_within, read_selector


@dataclass(frozen=True, slots=True)
class Resolution:
    """A draft as it may be written; None where it may not, with notes for its channels."""

    policy: PlannedNetworkPolicy | None
    notes: tuple[KeyedNote, ...] = ()


def resolve_conflicts(given: EgressInput, draft: PlannedNetworkPolicy) -> Resolution:
    """The draft, changed where it may stand only in part beside the policies of others."""
    match draft.dialect.side_effect(draft.desired.action):
        case SideEffect.WIDENS:
            return _resolve_widening(given, draft)
        case SideEffect.ISOLATES:
            return _resolve_isolating(given, draft)
    return Resolution(draft)


def may_stay(given: EgressInput, dialect: Dialect, action: EgressAction) -> bool:
    """Whether an object that is no longer desired may stay until its replacement exists: it denies,
    and allows nothing that would be denied without it."""
    if action is EgressAction.ALLOW:
        return False
    widens = dialect.side_effect(action) is SideEffect.WIDENS
    return not widens or not (given.isolating_any() or given.network.lower_tier)


def _resolve_widening(given: EgressInput, draft: PlannedNetworkPolicy) -> Resolution:
    """A draft that allows all the rest: none of its pods may be isolated without it."""
    note = _plugin_against(given) or _isolated_by(given)
    if note is not None:
        return _refused(draft, note)
    own = read_selector(draft.desired.selector)
    others = given.foreign()
    apart = apart_from(own, (one.pod_selector for one in others), given.labels)
    if apart is None:
        detail = f"NetworkPolicy {named(one.name for one in others)}, for other pods."
        return _refused(draft, Note(EgressReason.WOULD_WIDEN, detail))
    return Resolution(_selecting(draft, own, apart))


def _plugin_against(given: EgressInput) -> Note | None:
    """Which network plug-in would take an address range for less than it is."""
    for dialect in given.network.served:
        if dialect.plugin is not None:
            detail = f"On {dialect.name} only dialect: {dialect.name} denies."
            return Note(EgressReason.DIALECT_CANNOT, detail)
    for plugin, sign in given.network.plugins:
        detail = (
            f"The cluster has {plugin.name} ({sign}), with which a NetworkPolicy that denies would "
            f"cut the pods off from nodes and the API server. To deny with {plugin.name}, the "
            f"cluster has to serve {plugin.needs}."
        )
        return Note(EgressReason.DIALECT_CANNOT, detail)
    return None


def _isolated_by(given: EgressInput) -> Note | None:
    """Which policies of others isolate any of the workload's pods."""
    isolating = given.isolating_any()
    if unreadable := [one.name for one in isolating if not one.certain]:
        return Note(EgressReason.POLICY_NOT_READABLE, f"NetworkPolicy {named(unreadable)}.")
    if isolating:
        names = named(one.name for one in isolating)
        return Note(EgressReason.WOULD_WIDEN, f"NetworkPolicy {names}.")
    if given.network.lower_tier:
        return Note(EgressReason.WOULD_WIDEN, f"{named(given.network.lower_tier)}.")
    return None


def _resolve_isolating(given: EgressInput, draft: PlannedNetworkPolicy) -> Resolution:
    """A draft that isolates by allowing: all of its pods have to be isolated without it."""
    some = [one for one in given.isolating_any() if one.certain]
    everyone = [one for one in some if all(map(one.pod_selector.matches, given.labels))]
    if not everyone:
        names = named(one.name for one in some)
        detail = f"NetworkPolicy {names} isolates only some of them." if some else ""
        return _refused(draft, Note(EgressReason.NOT_ISOLATED, detail))
    others = [policy for policy in given.network.policies if not policy.ours]
    if judge(others, given.labels, draft.desired.destinations).coverage is AddressCoverage.ALL:
        return Resolution(None)
    own = read_selector(draft.desired.selector)
    covering = [one for one in everyone if is_within(own, one.pod_selector)]
    if not covering:
        covering = everyone[:1]
        draft = _selecting(draft, own, both(own, covering[0].pod_selector))
    # The policies that isolate all of its pods own it. It is deleted with the last of them, even
    # while no operator runs: alone, it would isolate the pods itself.
    owners = tuple(
        OwnerReference("networking.k8s.io/v1", "NetworkPolicy", policy.name, policy.uid)
        for policy in covering
    )
    return Resolution(replace(draft, desired=replace(draft.desired, owners=owners)))


def _refused(draft: PlannedNetworkPolicy, note: Note) -> Resolution:
    return Resolution(None, tuple((key, note) for key in sorted(draft.channels)))


def _selecting(
    draft: PlannedNetworkPolicy, before: LabelSelector, after: LabelSelector
) -> PlannedNetworkPolicy:
    """The draft for fewer pods."""
    if after == before:
        return draft
    return replace(draft, desired=replace(draft.desired, selector=msgspec.to_builtins(after)))
