"""Why a field of a custom resource does not have the desired setting, and whether it will."""

from __future__ import annotations

from datetime import datetime

from fleet_telemetry.api.policy import Mode
from fleet_telemetry.api.product import ResourceSwitch, Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.facts import Facts, PodFacts
from fleet_telemetry.evidence.verdict import StateFinding
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.reading import SwitchReading
from fleet_telemetry.switches.resource import state_in
from fleet_telemetry.switches.resource_plan import is_kept, may_set
from fleet_telemetry.workloads.resource_fields import FieldRefusal

_REFUSED = {
    FieldRefusal.FORBIDDEN: (State.NON_COMPLIANT, Reason.RESOURCE_WRITE_FORBIDDEN),
    FieldRefusal.REFUSED: (State.NON_COMPLIANT, Reason.RESOURCE_WRITE_REFUSED),
    FieldRefusal.FOUGHT_OVER: (State.NON_COMPLIANT, Reason.SETTING_FOUGHT_OVER),
    FieldRefusal.FAILED: (State.PENDING, Reason.RESOURCE_AWAITS_WRITE),
}


def why_not_set(
    facts: Facts,
    target: MatchedContainer,
    resource: ResourceSwitch,
    effective: EffectivePolicy,
    reading: SwitchReading,
    *,
    imagined: bool,
) -> StateFinding:
    """The finding on a field that does not have the desired setting, by a real policy, or by one
    that is imagined to find out whether something is sent."""
    state = state_in(target.container, resource)
    detail = " ".join(filter(None, (f"({resource.label})", state.detail)))
    if reading.setting is Setting.UNKNOWN and (state.fault is not None or state.is_other):
        return StateFinding(State.UNKNOWN, reading.why_unknown, detail)
    refused = _REFUSED.get(state.refusal) if state.refusal is not None else None
    excluded, workload = facts.excluded, facts.workload
    is_audit = effective.policy.spec.mode is Mode.AUDIT
    cannot = may_set(resource, effective)
    no, yes = State.NON_COMPLIANT, State.PENDING
    # The first that holds.
    answers = (
        (effective.overruled, no, Reason.OVERRULED),
        (is_audit, no, Reason.AUDIT_ONLY),
        (resource.evidence_only, no, Reason.RESOURCE_READ_ONLY),
        (excluded, no, Reason.NAMESPACE_EXCLUDED),
        (workload.is_left_out, no, Reason.LEFT_OUT_BY_LABEL),
        (cannot is not None, no, cannot),
        (bool(state.contested), no, Reason.RESOURCE_CONTESTED),
        (not state.exists, no, Reason.RESOURCE_ABSENT),
        (is_kept(state, resource, effective), no, Reason.CONTRARY_VALUE_KEPT),
        (refused is not None, *(refused or (no, None))),
    )
    pending = yes, Reason.RESOURCE_AWAITS_WRITE
    found, reason = next(((s, r) for holds, s, r in answers if holds and r), pending)
    if found is no and reading.setting is Setting.UNKNOWN:
        # What the product makes of the field is not known, so it may be as desired.
        return StateFinding(State.UNKNOWN, reading.why_unknown, detail)
    if state.contested and reason is Reason.RESOURCE_CONTESTED and not imagined:
        detail = f"{detail} The other workload: {state.contested}."
    return StateFinding(found, reason, detail)


def is_younger(pod: PodFacts, changed: datetime | None) -> bool:
    """Whether a pod was started after the field last changed. The nodes' clocks and that of the API
    server may differ a little, so a pod of the same minute may be older."""
    if changed is None or pod.started is None:
        return False
    return (pod.started - changed).total_seconds() > _CLOCKS_DIFFER_SECONDS


_CLOCKS_DIFFER_SECONDS = 60.0
