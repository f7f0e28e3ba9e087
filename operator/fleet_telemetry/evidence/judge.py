"""The verdict on a channel, by all evidence. What is not proven is never called compliant.

A verdict is the finding of the first check in ``CHECKS`` that has one, else the finding by the
workload alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.channel import Provenance
from fleet_telemetry.api.product.setting import Semantics, Setting
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.catalogue.product import least_certain
from fleet_telemetry.evidence.case import Case
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.registry import SOURCES
from fleet_telemetry.evidence.switch_checks import is_sufficient, judge_switch
from fleet_telemetry.evidence.verdict import Observation, StateFinding, Verdict, worst_finding
from fleet_telemetry.evidence.workload_checks import is_stopped, judge_workload
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.overrides import read_switch

_WAITS_FOR_REPORT = (
    Reason.SEED_NOT_PROVEN,
    Reason.NOT_REPORTED,
    Reason.VERSION_UNREADABLE,
    Reason.VERSION_NOT_KNOWN,
    Reason.VERSION_NOT_VERIFIED,
)


def judge(
    facts: Facts, product: str, channel: ChannelName, effective: EffectivePolicy | None
) -> Verdict | None:
    """The verdict on one channel of one product; None if the workload does not use the channel."""
    targets = facts.targets_of(product, channel)
    if not targets:
        return None
    observations = _observe(facts, product, channel)
    if effective is None:
        return Verdict(
            product, channel, observations, provenance=_provenance(facts, targets, channel)
        )
    cases = (Case(facts, target, channel, effective) for target in targets)
    findings = [(case, judge_container(case)) for case in cases]
    finding = worst_finding(with_rest(case, found) for case, found in findings)
    if_denied = worst_finding(with_rest(case, found, denied=True) for case, found in findings)
    return Verdict(
        product=product,
        channel=channel,
        observations=observations,
        policy=effective.policy,
        desired=effective.desired,
        provenance=_provenance(facts, targets, channel),
        if_denied=if_denied if if_denied != finding else None,
    ).with_finding(finding)


def _provenance(
    facts: Facts, targets: tuple[MatchedContainer, ...], channel: ChannelName
) -> Provenance | None:
    """The least certain one of the template's and the pods' containers."""
    every = (*targets, *(found for _, found in facts.counterparts(targets, channel)))
    return least_certain(
        one.product.provenance_of(channel, one.image, one.version) for one in every
    )


def judge_container(case: Case) -> StateFinding:
    """The finding on one container by all evidence, but for what its version leaves."""
    found = judge_workload(case)
    answers = (check(case, found) for check in CHECKS)
    return next((one for one in answers if one is not None), found)


def with_rest(case: Case, found: StateFinding, *, denied: bool = False) -> StateFinding:
    """A finding, with regard to what is sent although the channel is disabled. Neither switches nor
    a report show that it is not; only the network stops it (``denied``)."""
    if found.state is not State.COMPLIANT or case.desired is not Setting.DISABLED:
        return found
    rest = next(_what_is_left(case, case.target), "")
    older = [one for _, one in case.counterparts if next(_what_is_left(case, one), "")]
    if not rest and not older:
        return found
    detail = f"What is left: {rest or next(_what_is_left(case, older[0]))}"
    if denied:
        state, reason = State.COMPLIANT, Reason.REST_DENIED
    elif rest:
        state, reason = State.NOT_ENFORCEABLE, Reason.PARTLY_DISABLED
    else:  # pods of an older version, which their successors end
        state, reason = State.PENDING, Reason.PODS_OUTDATED
        detail = f"{len(older)} of {len(case.counterparts)} pods. {detail}"
    return replace(found, state=state, reason=reason, detail=detail)


def _what_is_left(case: Case, target: MatchedContainer) -> Iterator[str]:
    """What the versions that a container may have send while their switches disable the channel."""
    for rule in case.facts.readings.possible_rules(target, case.channel):
        if rule.leaves:
            yield rule.leaves if rule.leaves.endswith(".") else f"{rule.leaves}."


def _observe(facts: Facts, product: str, channel: ChannelName) -> dict[str, Observation]:
    found = ((source.name, source.observe(facts, product, channel)) for source in SOURCES)
    return {name: seen for name, seen in found if seen is not None}


EvidenceCheck = Callable[[Case, StateFinding], StateFinding | None]
"""A named check of all evidence, given the finding by the workload alone: its finding, or None if
it has nothing to say."""


def _exempt(case: Case, found: StateFinding) -> StateFinding | None:
    del found
    exempt = case.effective.exempt
    if exempt is None:
        return None
    until = f", until {exempt.expires_at.isoformat()}" if exempt.expires_at else ""
    return StateFinding(State.EXEMPT, Reason.EXEMPT_BY_POLICY, f"({exempt.reason}{until})")


def _reported_opposite(case: Case, found: StateFinding) -> StateFinding | None:
    """A report of the opposite setting overrides all other evidence, except a switch that stops the
    channel whatever the product's own setting is."""
    report = case.report
    if report.setting in (Setting.UNKNOWN, case.desired):
        return None
    if is_stopped(case, found):
        own = (
            "The product's own setting is the opposite, and has no effect while the switch is set."
        )
        return replace(found, detail=f"{found.detail} {own}".strip())
    if report.restart_needed or found.reason is Reason.PODS_OUTDATED:
        return StateFinding(State.PENDING, Reason.RESTART_NEEDED, report.message)
    if not report.enforceable:
        return StateFinding(State.NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH, report.message)
    reason = Reason.REPORTED_CONTRARY
    if report.remediation_conflict:
        reason = Reason.SETTING_FOUGHT_OVER
    return StateFinding(State.NON_COMPLIANT, report.fault or reason, report.message)


def _reported_desired(case: Case, found: StateFinding) -> StateFinding | None:
    """A report of the desired setting. A switch that is read at every start must also be set in the
    workload, or the next start would change the setting back."""
    if case.report.setting is not case.desired:
        return None
    if case.lookup.rule is None and _may_be_undone(case):
        unset = "The product reports the desired setting, but the workload does not set the switch."
        return replace(found, detail=f"{found.detail} {unset}")
    switches = case.lookup.rule.switches if case.lookup.rule is not None else ()
    undone = [
        finding
        for switch in switches
        if _is_needed_at_start(case, switch)
        and (finding := judge_switch(case, switch)).state in (State.NON_COMPLIANT, State.PENDING)
    ]
    if undone and not _keeps_from_starting(found):
        return worst_finding(undone)
    is_proven = found.state is State.COMPLIANT and found.reason is not Reason.DEFAULT_APPLIES
    if _keeps_from_starting(found) or is_proven:
        return found
    return StateFinding(State.COMPLIANT, Reason.REPORTED, seeded=found.seeded)


def _keeps_from_starting(found: StateFinding) -> bool:
    """Whether the next start fails, so that what is reported now says nothing about it."""
    return found.reason is Reason.REFUSED_VARIABLE or (
        found.reason is Reason.EXCLUSIVE_VARIABLE and found.state is State.NON_COMPLIANT
    )


def _is_needed_at_start(case: Case, switch: Switch) -> bool:
    """Whether the next start changes a setting that the product reports if this is not set."""
    return switch.semantics is Semantics.START and not is_sufficient(case, switch)


def _may_be_undone(case: Case) -> bool:
    """Whether the version cannot be read, and may be one that reads a switch at every start which
    the workload does not set."""
    target = case.target
    rules = case.facts.readings.possible_rules(target, case.channel)
    return any(
        _is_needed_at_start(case, switch)
        and read_switch(target.container, switch).setting is not case.desired
        for rule in rules
        for switch in rule.switches
    )


def _not_reported(case: Case, found: StateFinding) -> StateFinding | None:
    """If only a report could prove the setting: why there is none."""
    report = case.report
    if report.fault is None or found.reason not in _WAITS_FOR_REPORT:
        return None
    if report.fault is Reason.CREDENTIALS_MISSING and case.imagined:
        return None
    if report.fault is Reason.CREDENTIALS_MISSING:
        detail = f"{found.detail} {report.fault.meaning}".strip()
        return StateFinding(State.UNKNOWN, found.reason, detail)
    return StateFinding(State.UNKNOWN, report.fault, report.message)


CHECKS: tuple[EvidenceCheck, ...] = (
    _exempt,
    _reported_opposite,
    _reported_desired,
    _not_reported,
)
