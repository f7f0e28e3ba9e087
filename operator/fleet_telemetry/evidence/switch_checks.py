"""The finding by one switch, according to when it takes effect."""

from __future__ import annotations

from collections.abc import Callable

from fleet_telemetry.api.product.setting import Semantics, Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.evidence.case import Case
from fleet_telemetry.evidence.not_set import judge_unset
from fleet_telemetry.evidence.pod_checks import judge_pods
from fleet_telemetry.evidence.resource_checks import judge_resource
from fleet_telemetry.evidence.seed_checks import judge_seed_switch
from fleet_telemetry.evidence.switch_reading import read_effect
from fleet_telemetry.evidence.verdict import StateFinding


def is_sufficient(case: Case, switch: Switch) -> bool:
    """Whether the switch alone stops the channel, and the policy asks for that."""
    return switch.sufficient and case.desired is Setting.DISABLED


def effective_switches(case: Case) -> list[Switch]:
    """The switches of the container's version that something outside the product can set."""
    return [
        switch
        for switch in case.rule.switches
        if switch.semantics in _BY_SEMANTICS and (not switch.suspend or _may_suspend(case))
    ]


def _may_suspend(case: Case) -> bool:
    """Whether it is a CronJob that the operator may suspend, or one that is suspended."""
    schedule = case.target.container.schedule
    return schedule is not None and (
        schedule.suspended or not case.facts.workload.is_injected_by_pod
    )


def _by_suspension(case: Case, switch: Switch) -> StateFinding:
    """A CronJob that is suspended starts nothing; what it started before has to end."""
    declared = read_effect(case, case.target, switch, case.rule)
    if declared.setting is not case.desired:
        return judge_unset(case, switch, declared)
    if case.facts.active:
        return StateFinding(State.PENDING, Reason.JOB_STILL_RUNS)
    if case.facts.pods_unread:
        return StateFinding(State.UNKNOWN, Reason.PODS_NOT_READABLE)
    return StateFinding(State.COMPLIANT, Reason.CRON_JOB_SUSPENDED)


def _by_start_switch(case: Case, switch: Switch) -> StateFinding:
    if switch.resource is not None:
        return judge_resource(case, switch, switch.resource)
    if switch.suspend and case.desired is Setting.DISABLED:
        return _by_suspension(case, switch)
    found = judge_pods(case, switch, Reason.RUNNING_IN_EVERY_POD)
    keeps_opt_out = switch.env is not None and switch.env.keeps_opt_out
    if (
        keeps_opt_out
        and case.desired is Setting.ENABLED
        # The user's own opt-out comes first. What waits for a rollout would not be enough.
        and found.state is not State.NON_COMPLIANT
    ):
        return StateFinding(State.NOT_ENFORCEABLE, Reason.OPT_OUT_PERSISTS, case.rule.remedy)
    return found


def _by_runtime_switch(case: Case, switch: Switch) -> StateFinding:
    if switch.resource is not None:
        return judge_resource(case, switch, switch.resource)
    return StateFinding(State.UNKNOWN, Reason.NOT_REPORTED, case.rule.remedy)


_BY_SEMANTICS: dict[Semantics, Callable[[Case, Switch], StateFinding]] = {
    Semantics.START: _by_start_switch,
    Semantics.SEED: judge_seed_switch,
    Semantics.RUNTIME: _by_runtime_switch,
}


def judge_switch(case: Case, switch: Switch) -> StateFinding:
    """The finding by one of the effective switches. Raises KeyError for another one."""
    return _BY_SEMANTICS[switch.semantics](case, switch)
