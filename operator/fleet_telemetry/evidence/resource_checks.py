"""The finding by a switch that is a field of a custom resource."""

from __future__ import annotations

from datetime import datetime

from fleet_telemetry.api.policy import Mode
from fleet_telemetry.api.product.resource_switch import ResourceSwitch
from fleet_telemetry.api.product.setting import Semantics, Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.evidence.case import Case
from fleet_telemetry.evidence.pod_checks import judge_pods
from fleet_telemetry.evidence.pod_facts import PodFacts
from fleet_telemetry.evidence.switch_reading import read_effect
from fleet_telemetry.evidence.verdict import StateFinding
from fleet_telemetry.switches.reading import SwitchReading
from fleet_telemetry.switches.resource import state_in
from fleet_telemetry.switches.resource_plan import is_kept, may_set
from fleet_telemetry.workloads.resource_fields import FieldRefusal

_CLOCKS_DIFFER_SECONDS = 60.0
_REFUSED = {
    FieldRefusal.FORBIDDEN: (State.NON_COMPLIANT, Reason.RESOURCE_WRITE_FORBIDDEN),
    FieldRefusal.REFUSED: (State.NON_COMPLIANT, Reason.RESOURCE_WRITE_REFUSED),
    FieldRefusal.CONFLICT: (State.NON_COMPLIANT, Reason.SETTING_FOUGHT_OVER),
    FieldRefusal.FAILED: (State.PENDING, Reason.RESOURCE_AWAITS_WRITE),
}


def judge_resource(case: Case, switch: Switch, resource: ResourceSwitch) -> StateFinding:
    """A field of a custom resource takes effect if every pod runs a version that reads it; if it is
    read at the start alone, every pod has to be younger than its last change."""
    declared = read_effect(case, case.target, switch, case.rule)
    if declared.setting is not case.desired:
        return _judge_unset(case, resource, declared)
    found = judge_pods(case, switch, Reason.RESOURCE_IN_EFFECT)
    if found.state is not State.COMPLIANT or switch.semantics is not Semantics.START:
        return found
    changed = state_in(case.target.container, resource).changed
    if changed is None and case.counterparts:
        return StateFinding(State.UNKNOWN, Reason.RESOURCE_CHANGE_UNKNOWN, f"({resource.label})")
    older = sum(not _is_younger(pod, changed) for pod, _ in case.counterparts)
    if older:
        count = f"{older} of {len(case.counterparts)} pods."
        return StateFinding(State.PENDING, Reason.PODS_OUTDATED, count)
    return found


def _judge_unset(case: Case, resource: ResourceSwitch, reading: SwitchReading) -> StateFinding:
    """Why the field does not have the desired setting, and whether it will."""
    facts, effective = case.facts, case.effective
    state = state_in(case.target.container, resource)
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
    if state.contested and reason is Reason.RESOURCE_CONTESTED and not case.imagined:
        detail = f"{detail} The other workload: {state.contested}."
    return StateFinding(found, reason, detail)


def _is_younger(pod: PodFacts, changed: datetime | None) -> bool:
    """Whether a pod was started after the field last changed. The nodes' clocks and that of the API
    server may differ a little, so a pod of the same minute may be older."""
    if changed is None or pod.started is None:
        return False
    return (pod.started - changed).total_seconds() > _CLOCKS_DIFFER_SECONDS
