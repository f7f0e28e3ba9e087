"""Which orders may stand beside the network policies of others.

NetworkPolicies add up: each can only let more through. So one that denies (by letting everything
else through) is ordered only where nothing else isolates the pods, and one that allows only where
something does. Both select no pod for which that is not so, be it somebody else's that has the
labels of the workload's pods as well.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from fleet_telemetry.api.policy import EgressAction, EgressDialect
from fleet_telemetry.api.reasons import EgressReason
from fleet_telemetry.api.selector import LabelSelector
from fleet_telemetry.egress.facts import EgressInput, Note, Ordered, named
from fleet_telemetry.egress.host_use import Key
from fleet_telemetry.egress.model import OwnerReference
from fleet_telemetry.egress.reachability import Coverage, judge
from fleet_telemetry.egress.selectors import apart_from, both, is_within, read_selector


class Fitting:
    """One workload. Says in ``notes`` why an order may not stand, or not as it was drafted."""

    def __init__(self, given: EgressInput, notes: dict[Key, Note]) -> None:
        self._given = given
        self._notes = notes

    def fit(self, draft: Ordered) -> Ordered | None:
        """The draft as it may stand beside what is there; None where it may not."""
        action = draft.order.action
        if draft.dialect is not EgressDialect.NETWORK_POLICY or action is EgressAction.ISOLATE:
            return draft
        return self._fit_deny(draft) if action is EgressAction.DENY else self._fit_allow(draft)

    def _fit_deny(self, draft: Ordered) -> Ordered | None:
        """It lets through all the rest, so none of its pods may be shut off from that."""
        given = self._given
        if EgressDialect.CILIUM in given.network.served:
            note = Note(EgressReason.DIALECT_CANNOT, "On Cilium only dialect: Cilium denies.")
            self._notes.update(dict.fromkeys(draft.channels, note))
            return None
        objection = self._shut_off()
        if objection is None:
            own = read_selector(draft.order.selector)
            others = given.foreign()
            apart = apart_from(own, (one.pod_selector for one in others), given.labels)
            if apart is not None:
                return _selecting(draft, own, apart)
            detail = f"NetworkPolicy {named(one.name for one in others)}, for other pods."
            objection = Note(EgressReason.WOULD_WIDEN, detail)
        for key in draft.channels:
            self._notes.setdefault(key, objection)
        return None

    def _shut_off(self) -> Note | None:
        """What shuts off the workload's pods without us. Where NetworkPolicies do so for all pods,
        what is found says what comes of that."""
        isolating = self._given.isolating_any()
        if unreadable := [one.name for one in isolating if not one.certain]:
            detail = f"NetworkPolicy {named(unreadable)}."
            return Note(EgressReason.POLICY_NOT_READABLE, detail)
        if isolating:
            detail = f"NetworkPolicy {named(one.name for one in isolating)}."
            return Note(EgressReason.WOULD_WIDEN, detail)
        if behind := self._given.network.behind:
            return Note(EgressReason.WOULD_WIDEN, f"{named(behind)}.")
        return None

    def _fit_allow(self, draft: Ordered) -> Ordered | None:
        """It isolates, so all of its pods have to be isolated without it."""
        given = self._given
        some = [one for one in given.isolating_any() if one.certain]
        everyone = [one for one in some if all(map(one.pod_selector.matches, given.labels))]
        if not everyone:
            names = named(one.name for one in some)
            detail = f"NetworkPolicy {names} isolates only some of them." if some else ""
            self._notes.update(
                dict.fromkeys(draft.channels, Note(EgressReason.NOT_ISOLATED, detail))
            )
            return None
        others = [policy for policy in given.network.policies if not policy.ours]
        if judge(others, given.labels, draft.order.destinations).coverage is Coverage.ALL:
            return None
        own = read_selector(draft.order.selector)
        covering = [one for one in everyone if is_within(own, one.pod_selector)]
        if not covering:
            covering = everyone[:1]
            draft = _selecting(draft, own, both(own, covering[0].pod_selector))
        # It goes with the last of those that isolate all that it selects, even while no operator
        # runs: left alone, it would isolate the pods itself.
        owners = tuple(
            OwnerReference("networking.k8s.io/v1", "NetworkPolicy", policy.name, policy.uid)
            for policy in covering
        )
        return replace(draft, order=replace(draft.order, owners=owners))


def may_stay(given: EgressInput, dialect: EgressDialect, action: EgressAction) -> bool:
    """Whether an object that is not ordered any more may stay until what takes its place is there:
    it denies, and lets nothing through that is shut off otherwise."""
    if action is EgressAction.ALLOW:
        return False
    widens = dialect is EgressDialect.NETWORK_POLICY and action is EgressAction.DENY
    return not widens or not (given.isolating_any() or given.network.behind)


def _selecting(draft: Ordered, before: LabelSelector, after: LabelSelector) -> Ordered:
    """The draft for fewer pods."""
    if after == before:
        return draft
    return replace(draft, order=replace(draft.order, selector=msgspec.to_builtins(after)))
