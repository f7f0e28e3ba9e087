"""The setting is not the desired one: whether and when it will be."""

from __future__ import annotations

from fleet_telemetry.api.policy import Mode, OnConflict, Rollout, When
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.evidence.case import Case
from fleet_telemetry.evidence.verdict import StateFinding
from fleet_telemetry.switches.desired import may_write
from fleet_telemetry.switches.exclusive import may_be_beside
from fleet_telemetry.switches.ownership import is_ours
from fleet_telemetry.switches.reading import ReadingSource, SwitchReading
from fleet_telemetry.switches.registry import label_of, mechanism_of
from fleet_telemetry.switches.shared_values import may_replace
from fleet_telemetry.switches.write_timing import missed_admission


def judge_unset(
    case: Case, switch: Switch, reading: SwitchReading, next_pods: Reason | None = None
) -> StateFinding:
    """The setting is not the desired one: whether and when it will be.

    ``next_pods`` is the reason if pods are injected, so that the next pod has the setting.
    """
    source = f"({reading.detail})" if reading.detail else ""
    detail = " ".join(filter(None, (source, mistaken_variables(case, switch))))
    effective, workload = case.effective, case.facts.workload
    injection = effective.injection
    overridden = reading.source in (
        ReadingSource.REFERENCE,
        ReadingSource.AMBIGUOUS,
        ReadingSource.OVERRIDE,
        ReadingSource.EXCLUSIVE,
        ReadingSource.START,
        ReadingSource.SHELL,
        ReadingSource.PROGRAM,
        ReadingSource.IMAGE_ARGUMENTS,
    )
    audit = effective.policy.spec.mode is Mode.AUDIT
    mechanism, container = mechanism_of(switch), case.target.container.as_written
    entry = mechanism.find(container, switch) if mechanism is not None else None
    # In another controller's template nothing is ours, and it owns what it copies into pods.
    ours = (
        not workload.is_injected_by_pod
        and entry is not None
        and is_ours(
            workload, container, entry, case.target.product.all_switches, case.facts.recorded
        )
    )
    # The variable has to be absent, and is; something else, such as an envFrom, may set it.
    nothing_to_write = (
        entry is None
        and mechanism is not None
        and mechanism.value_for(switch, effective.desired) is None
    )
    # An envFrom may hold what keeps the product from starting beside the switch.
    unread = (
        may_be_beside(container, switch)
        if entry is None and not nothing_to_write and mechanism is not None
        else ""
    )
    if unread:
        detail = f"{detail} The envFrom may hold {unread}.".strip()
    # It is known what the reference gives, and a reference is never replaced.
    is_given = entry is not None and entry.by_reference
    # The reading may be that of an older pod, and the entry as desired.
    contrary = entry is not None and not (
        mechanism is not None and mechanism.read(container, switch).setting is case.desired
    )
    kept = injection.on_conflict is OnConflict.KEEP and contrary and not ours
    holds_more = (
        entry is not None
        and contrary
        and not ours
        and not may_replace(case.target.product, switch, entry.value)
    )
    is_off = not ours and not may_write(switch, effective)
    obstacle = (
        mechanism.obstacle(case.target, switch, effective.desired)
        if mechanism is not None
        else None
    )
    is_contested = (container.index, case.channel, label_of(switch)) in case.facts.contested
    queued = injection.rollout is Rollout.IMMEDIATE or workload.restarts_no_pod
    missed = missed_admission(workload, effective.policy)
    later = missed and _is_older_than_product(case)
    # The first that holds.
    answers = (
        (overridden or nothing_to_write, State.NON_COMPLIANT, Reason.SWITCH_OVERRIDDEN),
        (is_given, State.NON_COMPLIANT, Reason.CONFIG_MAP_CONTRARY),
        (bool(unread), State.NON_COMPLIANT, Reason.EXCLUSIVE_VARIABLE),
        (effective.overruled, State.NON_COMPLIANT, Reason.OVERRULED),
        (is_contested, State.NON_COMPLIANT, Reason.SWITCH_CONTESTED),
        (audit, State.NON_COMPLIANT, Reason.AUDIT_ONLY),
        (case.facts.excluded, State.NON_COMPLIANT, Reason.NAMESPACE_EXCLUDED),
        (workload.is_left_out, State.NON_COMPLIANT, Reason.LEFT_OUT_BY_LABEL),
        (kept, State.NON_COMPLIANT, Reason.CONTRARY_VALUE_KEPT),
        (holds_more, State.NON_COMPLIANT, Reason.VALUE_MAY_HOLD_MORE),
        (is_off, State.NON_COMPLIANT, Reason.ARGUMENTS_OFF),
        (obstacle is not None, State.NON_COMPLIANT, obstacle),
        (not ours and injection.when is When.NEVER, State.NON_COMPLIANT, Reason.INJECTION_OFF),
        (next_pods is not None, State.PENDING, next_pods),
        (workload.template_immutable, State.NON_COMPLIANT, Reason.TEMPLATE_IMMUTABLE),
        (queued, State.PENDING, Reason.ROLLOUT_QUEUED),
        # An injected value follows its policy at any change of the template.
        (ours or injection.when is When.ALWAYS, State.PENDING, Reason.AWAITING_ROLLOUT),
        (later, State.PENDING, Reason.PRODUCT_ADDED_LATER),
        (missed, State.PENDING, Reason.MISSED_ADMISSION),
    )
    late = State.NON_COMPLIANT, Reason.AWAITING_UPGRADE
    state, reason = next(((s, r) for holds, s, r in answers if holds and r), late)
    if state is State.NON_COMPLIANT and reading.setting is Setting.UNKNOWN:
        own = (Reason.VALUE_MAY_HOLD_MORE, Reason.EXCLUSIVE_VARIABLE, Reason.SWITCH_CONTESTED)
        why = reason if reason in own else reading.why_unknown
        return StateFinding(State.UNKNOWN, why, detail)
    return StateFinding(state, reason, detail)


def _is_older_than_product(case: Case) -> bool:
    """Whether the workload was created before the TelemetryProduct was as it is now."""
    origin, created = case.target.product.origin, case.facts.workload.created
    return origin is not None and created is not None and created < origin.changed


def mistaken_variables(case: Case, switch: Switch) -> str:
    """Variables that are set and mistaken for the switch."""
    names = [n for n in switch.ineffective if case.target.container.variable(n) is not None]
    return f"{', '.join(names)} is set and has no effect." if names else ""
