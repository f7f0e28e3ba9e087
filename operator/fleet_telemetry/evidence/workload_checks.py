"""The finding by the workload alone: its template and its pods.

It is that of the first check in ``WORKLOAD_CHECKS`` that has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from fleet_telemetry.api.product.channel import RefusedVariable
from fleet_telemetry.api.product.setting import DefaultState, Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.evidence.case import Case
from fleet_telemetry.evidence.switch_checks import effective_switches, is_sufficient, judge_switch
from fleet_telemetry.evidence.verdict import StateFinding, best_finding, worst_finding
from fleet_telemetry.switches.desired import refused_entries
from fleet_telemetry.switches.exclusive import pairs
from fleet_telemetry.switches.jvm import jvm_words, system_property
from fleet_telemetry.switches.registry import label_of

WorkloadCheck = Callable[[Case], StateFinding | None]
"""The same of the workload alone."""


def judge_workload(case: Case) -> StateFinding:
    """The finding by the workload alone."""
    found = next(one for one in (check(case) for check in WORKLOAD_CHECKS) if one is not None)
    if found.state is not State.COMPLIANT:
        return found
    runs = [case.target, *(pod for _, pod in case.counterparts)]
    unverified = next((one for one in runs if not one.verified), None)
    if unverified is None:
        return found
    image = f"Image: {unverified.reference}."
    return StateFinding(State.UNKNOWN, Reason.VERSION_NOT_VERIFIED, image)


def is_stopped(case: Case, found: StateFinding) -> bool:
    """Whether a switch that is sufficient alone is proven to be set.

    ``found`` is the finding by the workload alone.
    """
    if case.lookup.rule is None or found.state is not State.COMPLIANT:
        return False
    return any(
        is_sufficient(case, switch) and judge_switch(case, switch).state is State.COMPLIANT
        for switch in effective_switches(case)
    )


def _without_rule(case: Case) -> StateFinding | None:
    if case.lookup.rule is not None:
        return None
    reason = case.target.fault or case.lookup.reason or Reason.VERSION_NOT_COVERED
    return StateFinding(State.UNKNOWN, reason, f"Image: {case.target.reference}.")


def _without_telemetry(case: Case) -> StateFinding | None:
    if case.rule.default is not DefaultState.NO_TELEMETRY:
        return None
    if case.desired is not Setting.DISABLED:
        return StateFinding(State.NOT_ENFORCEABLE, Reason.NO_TELEMETRY_IN_VERSION)
    # Pods may still run another version, or one that cannot be read.
    rules = [
        (one, case.facts.readings.rule(one, case.channel).rule) for _, one in case.counterparts
    ]
    unreadable = [one.reference for one, rule in rules if rule is None]
    senders = [rule for _, rule in rules if rule and rule.default is not DefaultState.NO_TELEMETRY]
    if senders:
        count = f"{len(senders)} of {len(rules)} pods."
        return StateFinding(State.PENDING, Reason.PODS_OUTDATED, count)
    if unreadable:
        detail = f"Image: {unreadable[0]}, {len(unreadable)} of {len(rules)} pods."
        return StateFinding(State.UNKNOWN, Reason.VERSION_UNREADABLE, detail)
    if case.facts.pods_unread:
        return StateFinding(State.UNKNOWN, Reason.PODS_NOT_READABLE)
    return StateFinding(State.COMPLIANT, Reason.NO_TELEMETRY_IN_VERSION)


def _refused_variable(case: Case) -> StateFinding | None:
    for refusal in case.rule.refuses:
        for name in _refused_names(case, refusal):
            detail = f"{name}: {refusal.effect}"
            return StateFinding(State.NON_COMPLIANT, Reason.REFUSED_VARIABLE, detail)
    return None


def _refused_names(case: Case, refusal: RefusedVariable) -> Iterator[str]:
    """The variables and the system properties of the container that are refused."""
    container = case.target.container
    yield from (entry.name for entry in refused_entries(container, refusal))
    options = (
        switch.env.config_property.java_options
        for switch in case.rule.switches
        if switch.env is not None and switch.env.config_property is not None
    )
    if refusal.config_property is not None:
        for word in jvm_words(container, next(options, ())):
            if (system_property(word) or ("",))[0] == refusal.config_property:
                yield word


def _exclusive_pair(case: Case) -> StateFinding | None:
    """The next start fails, whatever the setting is."""
    switches = effective_switches(case)
    pair = next(iter(pairs(case.target.container, switches)), None)
    if pair is None:
        return None
    own, beside = pair
    detail = f"{own.name} and {beside.name} are both set."
    return StateFinding(State.NON_COMPLIANT, Reason.EXCLUSIVE_VARIABLE, detail)


def _without_switch(case: Case) -> StateFinding | None:
    if effective_switches(case):
        return None
    return StateFinding(State.NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH, case.rule.remedy)


def _by_switches(case: Case) -> StateFinding | None:
    """All switches must be set, and the one that needs attention most decides; or one that is
    sufficient alone."""
    if case.imagined and case.desired is Setting.ENABLED:
        return _by_any_switch(case)
    sufficient = [switch for switch in effective_switches(case) if is_sufficient(case, switch)]
    others = [switch for switch in effective_switches(case) if switch not in sufficient]
    findings = [judge_switch(case, switch) for switch in sufficient]
    if others:
        worst = worst_finding(judge_switch(case, switch) for switch in others)
        # What is only read for this channel is nothing that its policy could bring about.
        found = [
            (switch, finding)
            for switch, finding in zip(sufficient, findings, strict=True)
            if finding.state is State.COMPLIANT or not _is_evidence_only(switch)
        ]
        for switch, finding in () if case.imagined else found:
            also = f"{label_of(switch)} alone would suffice: {finding.reason}."
            worst = replace(worst, detail=f"{worst.detail} {also}".strip())
        findings = [*(finding for _, finding in found), worst]
    return best_finding(findings)


def _is_evidence_only(switch: Switch) -> bool:
    return switch.resource is not None and switch.resource.evidence_only


def _by_any_switch(case: Case) -> StateFinding:
    """One of the switches that must all be off decides, if none stops everything alone."""
    needed: list[StateFinding] = []
    stops: list[StateFinding] = []
    for switch in effective_switches(case):
        finding = judge_switch(case, switch)
        (stops if switch.sufficient else needed).append(finding)
    return worst_finding((*stops, best_finding(needed)) if needed else stops)


WORKLOAD_CHECKS: tuple[WorkloadCheck, ...] = (
    _without_rule,
    _without_telemetry,
    _refused_variable,
    _exclusive_pair,
    _without_switch,
    _by_switches,
)
