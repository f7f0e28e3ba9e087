"""Whether every pod was started with the desired setting."""

from __future__ import annotations

from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.evidence.case import Case
from fleet_telemetry.evidence.not_set import judge_unset, mistaken_variables
from fleet_telemetry.evidence.switch_reading import read_effect
from fleet_telemetry.evidence.verdict import StateFinding
from fleet_telemetry.switches.reading import ReadingSource, SwitchReading, farthest_from


def judge_pods(
    case: Case, switch: Switch, proven: Reason, seeded: tuple[str, ...] = ()
) -> StateFinding:
    """A switch that is read at every start takes effect if every pod was started with it."""
    declared = read_effect(case, case.target, switch, case.rule)
    running = [
        # What may be injected into every version says nothing about what an unknown one reads.
        read_effect(
            case,
            found,
            switch,
            case.facts.readings.rule(found, case.channel).rule,
        )
        for _, found in case.counterparts
    ]
    # If the template is not ours to edit, the pods are injected instead, and the template is no
    # evidence either way.
    by_template = switch.resource is not None or not case.facts.workload.is_injected_by_pod
    if by_template and declared.setting is not case.desired:
        return judge_unset(case, switch, declared)
    if case.facts.pods_unread or not running:
        return _without_pods(case, switch, declared)
    different = [reading for reading in running if reading.setting is not case.desired]
    unreadable = [one for one in different if one.source is ReadingSource.UNREADABLE]
    if unreadable and unreadable == different:
        detail = f"{unreadable[0].detail}, {len(unreadable)} of {len(running)} pods."
        return StateFinding(State.UNKNOWN, Reason.VERSION_UNREADABLE, f"Image: {detail}")
    doubtful = [reading for reading in different if reading.source is ReadingSource.START]
    if doubtful and len(doubtful) == len(different):
        detail = f"({doubtful[0].detail}) {len(doubtful)} of {len(running)} pods."
        return StateFinding(State.UNKNOWN, Reason.COMMAND_OVERRIDDEN, detail)
    changed = [one for one in different if _changed_alone(declared, one)]
    if by_template and changed and len(changed) == len(different):
        where = f"({changed[0].detail}) " if changed[0].detail else ""
        detail = f"{where}{len(changed)} of {len(running)} pods."
        return StateFinding(State.UNKNOWN, Reason.CONFIG_MAP_CHANGED, detail)
    if not different:
        by_default = all(reading.source is ReadingSource.DEFAULT for reading in running)
        reason = Reason.DEFAULT_APPLIES if by_default else proven
        workload_type = case.facts.workload.ref.kind.type
        is_over = workload_type.last_run_counts and all(
            pod.finished for pod, _ in case.counterparts
        )
        if is_over and reason is Reason.RUNNING_IN_EVERY_POD:
            reason = Reason.LAST_RUN_COMPLIANT
        return StateFinding(State.COMPLIANT, reason, mistaken_variables(case, switch), seeded)
    if by_template:
        count = f"{len(different)} of {len(running)} pods."
        return StateFinding(State.PENDING, Reason.PODS_OUTDATED, count)
    farthest = farthest_from(case.desired, different)
    return judge_unset(case, switch, farthest, next_pods=Reason.PODS_OUTDATED)


def _changed_alone(declared: SwitchReading, running: SwitchReading) -> bool:
    """Whether a pod may differ from the template only in what a ConfigMap held when it began."""
    if running.why is not Reason.CONFIG_MAP_CHANGED:
        return False
    return running.source is ReadingSource.ENV_FROM or running.detail == declared.detail


def _without_pods(case: Case, switch: Switch, declared: SwitchReading) -> StateFinding:
    """There is no pod that could show the setting, or not every pod is known."""
    if case.facts.pods_unread:
        return StateFinding(State.UNKNOWN, Reason.PODS_NOT_READABLE)
    found = StateFinding(State.PENDING, Reason.NO_PODS)
    if declared.setting is not case.desired:
        found = judge_unset(case, switch, declared, next_pods=Reason.NO_PODS)
    if found.reason is Reason.NO_PODS and case.facts.idle:
        return StateFinding(State.COMPLIANT, Reason.SCALED_TO_ZERO)
    return found
