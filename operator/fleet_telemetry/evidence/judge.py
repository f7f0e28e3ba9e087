"""The verdict on a channel, by all evidence. What is not proven is never called compliant.

A verdict is the answer of the first check in ``CHECKS`` that has one. ``WORKLOAD_CHECKS`` judge the
workload alone: its template and its pods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from fleet_telemetry.api.policy import ChannelName, Mode, OnConflict, Rollout, When
from fleet_telemetry.api.product import (
    ChannelRule,
    DefaultState,
    Provenance,
    RefusedVariable,
    ResourceSwitch,
    Semantics,
    Setting,
    Switch,
)
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import State
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.catalogue.product import RuleLookup, least_certain
from fleet_telemetry.evidence.facts import Facts, PodFacts, counterparts
from fleet_telemetry.evidence.registry import SOURCES
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.resource import is_younger, why_not_set
from fleet_telemetry.evidence.seed import Data, DataAge, locate_data, prove_volume_claims
from fleet_telemetry.evidence.verdict import (
    Observation,
    StateFinding,
    Verdict,
    best_finding,
    worst_finding,
)
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.desired import may_write, refused_entries
from fleet_telemetry.switches.exclusive import may_be_beside, pairs
from fleet_telemetry.switches.injection import missed_admission
from fleet_telemetry.switches.jvm import jvm_words, system_property
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.ownership import is_ours
from fleet_telemetry.switches.reading import (
    ReadingSource,
    SwitchReading,
    farthest_from,
    setting_of,
    with_default,
)
from fleet_telemetry.switches.registry import mechanism_of
from fleet_telemetry.switches.resource import state_in
from fleet_telemetry.switches.shared_values import may_replace
from fleet_telemetry.switches.start import doubt_of_start
from fleet_telemetry.workloads.workload import PodTemplate

_NOT_REPORTED = Reported()
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
    every = (*targets, *(found for _, found in counterparts(facts.pods, targets)))
    return least_certain(
        one.product.provenance_of(channel, one.image, one.version) for one in every
    )


def judge_container(case: Case) -> StateFinding:
    """The finding on one container by all evidence, but for what its version leaves."""
    return _first(CHECKS, case)


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


@dataclass(frozen=True)
class Case:
    """One container of the pod template, with its effective policy."""

    facts: Facts
    target: MatchedContainer
    channel: ChannelName
    effective: EffectivePolicy
    imagined: bool = False
    """The policy is imagined, to find out whether something is sent. Then nothing is said of a
    policy, and one switch that is on decides: all of them would have to be off."""
    new_data: bool = False
    """The product's data is taken to begin with the pods, as in a new installation."""

    @property
    def desired(self) -> Setting:
        """The setting that the policy asks for."""
        return setting_of(self.effective.desired)

    @property
    def report(self) -> Reported:
        """What the product reports."""
        return self.facts.reported.get((self.target.product.name, self.channel), _NOT_REPORTED)

    @cached_property
    def lookup(self) -> RuleLookup:
        """The rule for the container's version."""
        return self.facts.readings.rule(self.target, self.channel)

    @property
    def rule(self) -> ChannelRule:
        """The same, after the first workload check: there is one."""
        assert self.lookup.rule is not None, "the check _without_rule came first"
        return self.lookup.rule

    @cached_property
    def counterparts(self) -> list[tuple[PodFacts, MatchedContainer]]:
        """The pods' containers that run the same component."""
        every = self.facts.targets_of(self.target.product.name, self.channel)
        return list(counterparts(self.facts.pods, [self.target], every))

    @cached_property
    def is_stopped(self) -> bool:
        """Whether a switch that is sufficient alone is proven to be set."""
        if self.lookup.rule is None or self.in_workload.state is not State.COMPLIANT:
            return False
        return any(
            _is_sufficient(self, switch)
            and _BY_SEMANTICS[switch.semantics](self, switch).state is State.COMPLIANT
            for switch in _effective_switches(self)
        )

    @cached_property
    def in_workload(self) -> StateFinding:
        """The finding by the workload alone."""
        found = _first(WORKLOAD_CHECKS, self)
        if found.state is not State.COMPLIANT:
            return found
        runs = [self.target, *(pod for _, pod in self.counterparts)]
        unverified = next((one for one in runs if not one.verified), None)
        if unverified is None:
            return found
        image = f"Image: {unverified.reference}."
        return StateFinding(State.UNKNOWN, Reason.VERSION_NOT_VERIFIED, image)


VerdictCheck = Callable[[Case], StateFinding | None]
"""A named check: its finding, or None if it has nothing to say."""


def _first(checks: tuple[VerdictCheck, ...], case: Case) -> StateFinding:
    for check in checks:
        finding = check(case)
        if finding is not None:
            return finding
    raise AssertionError("the last check always has a finding")


# By all evidence


def _exempt(case: Case) -> StateFinding | None:
    exempt = case.effective.exempt
    if exempt is None:
        return None
    until = f", until {exempt.expires_at.isoformat()}" if exempt.expires_at else ""
    return StateFinding(State.EXEMPT, Reason.EXEMPT_BY_POLICY, f"({exempt.reason}{until})")


def _reported_opposite(case: Case) -> StateFinding | None:
    """A report of the opposite setting overrides all other evidence, except a switch that stops the
    channel whatever the product's own setting is."""
    report = case.report
    if report.setting in (Setting.UNKNOWN, case.desired):
        return None
    if case.is_stopped:
        own = (
            "The product's own setting is the opposite, and has no effect while the switch is set."
        )
        return replace(case.in_workload, detail=f"{case.in_workload.detail} {own}".strip())
    if report.restart_needed or case.in_workload.reason is Reason.PODS_OUTDATED:
        return StateFinding(State.PENDING, Reason.RESTART_NEEDED, report.message)
    if not report.enforceable:
        return StateFinding(State.NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH, report.message)
    reason = Reason.REPORTED_CONTRARY
    if report.remediation_conflict:
        reason = Reason.SETTING_FOUGHT_OVER
    return StateFinding(State.NON_COMPLIANT, report.fault or reason, report.message)


def _reported_desired(case: Case) -> StateFinding | None:
    """A report of the desired setting. A switch that is read at every start must also be set in the
    workload, or the next start would change the setting back."""
    if case.report.setting is not case.desired:
        return None
    found = case.in_workload
    if case.lookup.rule is None and _may_be_undone(case):
        unset = "The product reports the desired setting, but the workload does not set the switch."
        return replace(found, detail=f"{found.detail} {unset}")
    switches = case.lookup.rule.switches if case.lookup.rule is not None else ()
    undone = [
        finding
        for switch in switches
        if _is_needed_at_start(case, switch)
        and (finding := _BY_SEMANTICS[switch.semantics](case, switch)).state
        in (State.NON_COMPLIANT, State.PENDING)
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
    return switch.semantics is Semantics.START and not _is_sufficient(case, switch)


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


def _not_reported(case: Case) -> StateFinding | None:
    """If only a report could prove the setting: why there is none."""
    report, found = case.report, case.in_workload
    if report.fault is None or found.reason not in _WAITS_FOR_REPORT:
        return None
    if report.fault is Reason.CREDENTIALS_MISSING and case.imagined:
        return None
    if report.fault is Reason.CREDENTIALS_MISSING:
        detail = f"{found.detail} {report.fault.meaning}".strip()
        return StateFinding(State.UNKNOWN, found.reason, detail)
    return StateFinding(State.UNKNOWN, report.fault, report.message)


def _by_workload(case: Case) -> StateFinding | None:
    return case.in_workload


CHECKS: tuple[VerdictCheck, ...] = (
    _exempt,
    _reported_opposite,
    _reported_desired,
    _not_reported,
    _by_workload,
)


# By the workload alone


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
    switches = _effective_switches(case)
    pair = next(iter(pairs(case.target.container, switches)), None)
    if pair is None:
        return None
    own, beside = pair
    detail = f"{own.name} and {beside.name} are both set."
    return StateFinding(State.NON_COMPLIANT, Reason.EXCLUSIVE_VARIABLE, detail)


def _without_switch(case: Case) -> StateFinding | None:
    if _effective_switches(case):
        return None
    return StateFinding(State.NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH, case.rule.remedy)


def _by_switches(case: Case) -> StateFinding | None:
    """All switches must be set, and the one that needs attention most decides; or one that is
    sufficient alone."""
    if case.imagined and case.desired is Setting.ENABLED:
        return _by_any_switch(case)
    sufficient = [switch for switch in _effective_switches(case) if _is_sufficient(case, switch)]
    others = [switch for switch in _effective_switches(case) if switch not in sufficient]
    findings = [_BY_SEMANTICS[switch.semantics](case, switch) for switch in sufficient]
    if others:
        worst = worst_finding(_BY_SEMANTICS[switch.semantics](case, switch) for switch in others)
        # What is only read for this channel is nothing that its policy could bring about.
        found = [
            (switch, finding)
            for switch, finding in zip(sufficient, findings, strict=True)
            if finding.state is State.COMPLIANT or not _is_evidence_only(switch)
        ]
        for switch, finding in () if case.imagined else found:
            also = f"{_label(switch)} alone would suffice: {finding.reason}."
            worst = replace(worst, detail=f"{worst.detail} {also}".strip())
        findings = [*(finding for _, finding in found), worst]
    return best_finding(findings)


def _by_any_switch(case: Case) -> StateFinding:
    """One of the switches that must all be off decides, if none stops everything alone."""
    needed: list[StateFinding] = []
    stops: list[StateFinding] = []
    for switch in _effective_switches(case):
        finding = _BY_SEMANTICS[switch.semantics](case, switch)
        (stops if switch.sufficient else needed).append(finding)
    return worst_finding((*stops, best_finding(needed)) if needed else stops)


def _is_evidence_only(switch: Switch) -> bool:
    return switch.resource is not None and switch.resource.evidence_only


def _is_sufficient(case: Case, switch: Switch) -> bool:
    return switch.sufficient and case.desired is Setting.DISABLED


WORKLOAD_CHECKS: tuple[VerdictCheck, ...] = (
    _without_rule,
    _without_telemetry,
    _refused_variable,
    _exclusive_pair,
    _without_switch,
    _by_switches,
)


def _effective_switches(case: Case) -> list[Switch]:
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


# By one switch


def _by_suspension(case: Case, switch: Switch) -> StateFinding:
    """A CronJob that is suspended starts nothing; what it started before has to end."""
    declared = _read(case, case.target, switch, case.rule)
    if declared.setting is not case.desired:
        return _not_set(case, switch, declared)
    if case.facts.active:
        return StateFinding(State.PENDING, Reason.JOB_STILL_RUNS)
    if case.facts.pods_unread:
        return StateFinding(State.UNKNOWN, Reason.PODS_NOT_READABLE)
    return StateFinding(State.COMPLIANT, Reason.CRON_JOB_SUSPENDED)


def _by_resource(case: Case, switch: Switch, resource: ResourceSwitch) -> StateFinding:
    """A field of a custom resource takes effect if every pod runs a version that reads it; if it is
    read at the start alone, every pod has to be younger than its last change."""
    declared = _read(case, case.target, switch, case.rule)
    if declared.setting is not case.desired:
        return why_not_set(
            case.facts, case.target, resource, case.effective, declared, imagined=case.imagined
        )
    found = _by_pods(case, switch, Reason.RESOURCE_IN_EFFECT)
    if found.state is not State.COMPLIANT or switch.semantics is not Semantics.START:
        return found
    changed = state_in(case.target.container, resource).changed
    if changed is None and case.counterparts:
        return StateFinding(State.UNKNOWN, Reason.RESOURCE_CHANGE_UNKNOWN, f"({resource.label})")
    older = sum(not is_younger(pod, changed) for pod, _ in case.counterparts)
    if older:
        count = f"{older} of {len(case.counterparts)} pods."
        return StateFinding(State.PENDING, Reason.PODS_OUTDATED, count)
    return found


def _by_start_switch(case: Case, switch: Switch) -> StateFinding:
    if switch.resource is not None:
        return _by_resource(case, switch, switch.resource)
    if switch.suspend and case.desired is Setting.DISABLED:
        return _by_suspension(case, switch)
    found = _by_pods(case, switch, Reason.RUNNING_IN_EVERY_POD)
    keeps_opt_out = switch.env is not None and switch.env.keeps_opt_out
    if (
        keeps_opt_out
        and case.desired is Setting.ENABLED
        # The user's own opt-out comes first. What waits for a rollout would not be enough.
        and found.state is not State.NON_COMPLIANT
    ):
        return StateFinding(State.NOT_ENFORCEABLE, Reason.OPT_OUT_PERSISTS, case.rule.remedy)
    return found


def _by_seed_switch(case: Case, switch: Switch) -> StateFinding:
    """Without a report, a seed is proven only if the data was initialised with it."""
    places = _data(case, switch)
    if case.new_data or all(place.age is DataAge.PER_POD for place in places):
        return _by_pods(case, switch, Reason.SEED_PROVEN)
    declared = _read(case, case.target, switch, case.rule)
    is_opposite = declared.setting not in (Setting.UNKNOWN, case.desired)
    if is_opposite and declared.source is not ReadingSource.DEFAULT:
        finding = _not_set(case, switch, declared)
        if finding.state is State.PENDING:  # existing data ignores the next start
            return StateFinding(State.UNKNOWN, Reason.SEED_NOT_PROVEN, finding.detail)
        return finding
    volumes = _proven_claims(case, places)
    if volumes and declared.setting is case.desired:
        return _by_pods(case, switch, Reason.SEED_PROVEN, volumes)
    return StateFinding(State.UNKNOWN, Reason.SEED_NOT_PROVEN, _ineffective(case, switch))


def _by_runtime_switch(case: Case, switch: Switch) -> StateFinding:
    if switch.resource is not None:
        return _by_resource(case, switch, switch.resource)
    return StateFinding(State.UNKNOWN, Reason.NOT_REPORTED, case.rule.remedy)


_BY_SEMANTICS: dict[Semantics, Callable[[Case, Switch], StateFinding]] = {
    Semantics.START: _by_start_switch,
    Semantics.SEED: _by_seed_switch,
    Semantics.RUNTIME: _by_runtime_switch,
}


def _by_pods(
    case: Case, switch: Switch, proven: Reason, seeded: tuple[str, ...] = ()
) -> StateFinding:
    """A switch that is read at every start takes effect if every pod was started with it."""
    declared = _read(case, case.target, switch, case.rule)
    running = [
        # What may be injected into every version says nothing about what an unknown one reads.
        _read(
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
        return _not_set(case, switch, declared)
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
    if not different:
        by_default = all(reading.source is ReadingSource.DEFAULT for reading in running)
        reason = Reason.DEFAULT_APPLIES if by_default else proven
        workload_type = case.facts.workload.ref.kind.type
        is_over = workload_type.last_run_counts and all(
            pod.finished for pod, _ in case.counterparts
        )
        if is_over and reason is Reason.RUNNING_IN_EVERY_POD:
            reason = Reason.LAST_RUN_COMPLIANT
        return StateFinding(State.COMPLIANT, reason, _ineffective(case, switch), seeded)
    if by_template:
        count = f"{len(different)} of {len(running)} pods."
        return StateFinding(State.PENDING, Reason.PODS_OUTDATED, count)
    farthest = farthest_from(case.desired, different)
    return _not_set(case, switch, farthest, next_pods=Reason.PODS_OUTDATED)


def _without_pods(case: Case, switch: Switch, declared: SwitchReading) -> StateFinding:
    """There is no pod that could show the setting, or not every pod is known."""
    if case.facts.pods_unread:
        return StateFinding(State.UNKNOWN, Reason.PODS_NOT_READABLE)
    found = StateFinding(State.PENDING, Reason.NO_PODS)
    if declared.setting is not case.desired:
        found = _not_set(case, switch, declared, next_pods=Reason.NO_PODS)
    if found.reason is Reason.NO_PODS and case.facts.idle:
        return StateFinding(State.COMPLIANT, Reason.SCALED_TO_ZERO)
    return found


def _not_set(
    case: Case, switch: Switch, reading: SwitchReading, next_pods: Reason | None = None
) -> StateFinding:
    """The setting is not the desired one: whether and when it will be.

    ``next_pods`` is the reason if pods are injected, so that the next pod has the setting.
    """
    source = f"({reading.detail})" if reading.detail else ""
    detail = " ".join(filter(None, (source, _ineffective(case, switch))))
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
    mechanism, container = mechanism_of(switch), case.target.container
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
    is_contested = (container.index, case.channel, _label(switch)) in case.facts.contested
    queued = injection.rollout is Rollout.IMMEDIATE or workload.restarts_no_pod
    missed = missed_admission(workload, effective.policy)
    later = missed and _is_older_than_product(case)
    # The first that holds.
    answers = (
        (overridden or nothing_to_write, State.NON_COMPLIANT, Reason.SWITCH_OVERRIDDEN),
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


def _read(
    case: Case, target: MatchedContainer, switch: Switch, rule: ChannelRule | None
) -> SwitchReading:
    """The effect of a container's switch, by the switch that its own version has in its place."""
    if rule is None:
        return SwitchReading(Setting.UNKNOWN, ReadingSource.UNREADABLE, target.reference)
    label = _label(switch)
    same = [one for one in rule.switches if mechanism_of(one) and _label(one) == label]
    if switch.resource is not None and not rule.switches:
        # That version does not read the field, whatever it holds.
        return with_default(SwitchReading(Setting.UNSET, ReadingSource.NOTHING), rule.default)
    switches = same or list(rule.switches) or [switch]
    if switch.semantics is Semantics.START and any(s.semantics is Semantics.SEED for s in switches):
        # The pod's version reads it once only, so that it runs with the setting is not proven.
        return SwitchReading(Setting.UNKNOWN, ReadingSource.NOTHING)
    readings = []
    for one in switches:
        persists = one.env is not None and one.env.persists
        reading = case.facts.readings.reading(target, one)
        reading = with_default(reading, rule.default, persists=persists)
        doubt = case.facts.readings.doubt(target, one)
        readings.append(_doubted(reading, case.desired, doubt) if doubt else reading)
    return farthest_from(case.desired, readings)


def _doubted(reading: SwitchReading, desired: Setting, doubt: str) -> SwitchReading:
    """A reading of a container whose start may change variables: only the opposite stands."""
    if reading.setting is desired:
        return SwitchReading(Setting.UNKNOWN, ReadingSource.START, doubt)
    if reading.source is ReadingSource.DEFAULT:
        return SwitchReading(Setting.UNKNOWN, ReadingSource.START_UNSET, doubt)
    return reading


def _label(switch: Switch) -> str:
    mechanism = mechanism_of(switch)
    return mechanism.label(switch) if mechanism is not None else ""


def _data(case: Case, switch: Switch) -> list[Data]:
    """Where the data of each pod is; without pods, where that of the next one will be."""
    return [_locate(found, pod.template, switch) for pod, found in case.counterparts] or [
        _locate(case.target, case.facts.workload.template, switch)
    ]


def _locate(target: MatchedContainer, template: PodTemplate, switch: Switch) -> Data:
    if doubt_of_start(target):
        return Data(DataAge.UNKNOWN)
    return locate_data(target.container, template, switch.seed_proof)


def _proven_claims(case: Case, places: list[Data]) -> tuple[str, ...] | None:
    if any(place.age is not DataAge.CLAIM for place in places):
        return None
    recorded = [
        volume
        for seed in case.facts.seeds
        if (seed.product, seed.channel, seed.desired)
        == (case.target.product.name, case.channel, case.effective.desired)
        for volume in seed.volumes
    ]
    claims = sorted({place.claim for place in places})
    return prove_volume_claims(case.facts.workload, claims, case.facts.claims, recorded)


def _ineffective(case: Case, switch: Switch) -> str:
    """Variables that are set and mistaken for the switch."""
    names = [n for n in switch.ineffective if case.target.container.variable(n) is not None]
    return f"{', '.join(names)} is set and has no effect." if names else ""
