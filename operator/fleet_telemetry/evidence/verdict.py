"""Where each channel stands, by the evidence there is. What cannot be shown is not called so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from fleet_telemetry.api.policy import (
    ChannelName,
    Mode,
    OnConflict,
    Policy,
    Rollout,
    Submission,
    When,
)
from fleet_telemetry.api.product import ChannelRule, DefaultState, Semantics, Setting, Switch
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import SeedRecord, State
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.evidence.reported import Reported
from fleet_telemetry.evidence.seed import (
    Data,
    DataAge,
    VolumeClaimFacts,
    locate_data,
    prove_volume_claims,
)
from fleet_telemetry.policy.precedence import EffectivePolicy
from fleet_telemetry.switches.injection import injectable_rule, is_ours, missed_admission
from fleet_telemetry.switches.reading import (
    Reading,
    Source,
    farthest_from,
    find_variable,
    nearest_to_sending,
    read_switch,
    setting_of,
    with_default,
)
from fleet_telemetry.workloads.workload import PodTemplate, Workload


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where one channel of one product stands."""

    product: str
    channel: ChannelName
    declared: Setting
    running: Setting
    declared_effect: Setting
    """What ``declared`` comes to: an unset switch is its default, where that is known."""
    running_effect: Setting
    policy: Policy | None = None
    desired: Submission | None = None
    state: State | None = None
    reason: Reason | None = None
    message: str = ""
    reported: Setting = Setting.UNKNOWN
    last_submission: datetime | None = None
    inventory: tuple[str, ...] = ()
    seeded: tuple[str, ...] = ()
    """Claims whose data was shown to have begun with the setting."""


@dataclass(frozen=True, slots=True)
class PodEvidence:
    """A pod that counts, and the containers in it that run products."""

    template: PodTemplate
    targets: tuple[MatchedContainer, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything there is to go by for one workload."""

    workload: Workload
    targets: tuple[MatchedContainer, ...]
    pods: tuple[PodEvidence, ...] = ()
    reported: Mapping[tuple[str, ChannelName], Reported] = field(default_factory=dict)
    claims: Mapping[str, VolumeClaimFacts] = field(default_factory=dict)
    seeds: tuple[SeedRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class _Finding:
    """A state with its reason, and what else a person should know."""

    state: State
    reason: Reason
    detail: str = ""
    seeded: tuple[str, ...] = ()
    """The claims whose data was shown to have begun with the setting."""


_NOTHING_SAID = Reported()
_WAITS_FOR_REPORT = (Reason.SEED_NOT_PROVEN, Reason.NOT_REPORTED)
_WORST_FIRST = (
    State.NON_COMPLIANT,
    State.NOT_ENFORCEABLE,
    State.UNKNOWN,
    State.PENDING,
    State.COMPLIANT,
    State.EXEMPT,
)


def worst_state(states: Iterable[State]) -> State | None:
    """The one that needs attention most; None if there are none."""
    return min(states, key=_WORST_FIRST.index, default=None)


def judge(
    evidence: Evidence, product: str, channel: ChannelName, effective: EffectivePolicy | None
) -> Verdict | None:
    """The verdict on one channel of one product; None if the workload does not use the channel."""
    targets = [
        target
        for target in evidence.targets
        if target.product.name == product and target.product.has_channel(channel, target.image)
    ]
    if not targets:
        return None
    pod_targets = [found for _, found in _counterparts(evidence.pods, targets)]
    bare = Verdict(
        product=product,
        channel=channel,
        declared=_meaning(targets, channel),
        running=_meaning(pod_targets, channel),
        declared_effect=_meaning(targets, channel, effect=True),
        running_effect=_meaning(pod_targets, channel, effect=True),
    )
    said = evidence.reported.get((product, channel), _NOTHING_SAID)
    bare = replace(
        bare,
        reported=said.setting,
        last_submission=said.last_submission,
        inventory=said.inventory,
    )
    if effective is None:
        return bare
    findings = [_Case(evidence, target, channel, effective).find() for target in targets]
    finding = min(findings, key=lambda found: _WORST_FIRST.index(found.state))
    return replace(
        bare,
        policy=effective.policy,
        desired=effective.desired,
        state=finding.state,
        reason=finding.reason,
        message=f"{finding.reason.meaning} {finding.detail}".strip(),
        seeded=finding.seeded,
    )


def _meaning(
    targets: Iterable[MatchedContainer], channel: ChannelName, *, effect: bool = False
) -> Setting:
    """What containers say. ``effect``: what that comes to, so an unset switch is its default."""
    meanings = []
    for target in targets:
        rule = injectable_rule(target, channel)
        if rule is None:
            meanings.append(Setting.UNKNOWN)
            continue
        for switch in rule.switches:
            reading = read_switch(target.container, switch)
            # A seed that is unset says nothing of data that may have been there before.
            if effect and switch.semantics is Semantics.START:
                reading = with_default(reading, rule.default)
            meanings.append(reading.meaning)
        if not rule.switches:
            silent = effect and rule.default is DefaultState.NO_TELEMETRY
            meanings.append(Setting.DISABLED if silent else Setting.UNSET)
    return nearest_to_sending(meanings)


def _counterparts(
    pods: Iterable[PodEvidence], targets: Iterable[MatchedContainer]
) -> Iterator[tuple[PodEvidence, MatchedContainer]]:
    """The containers of the pods that run the same components of the same products."""
    wanted = {(target.product.name, target.image.component) for target in targets}
    for pod in pods:
        for target in pod.targets:
            if (target.product.name, target.image.component) in wanted:
                yield pod, target


def _contrary(said: Reported) -> _Finding:
    """A contrary report beats every other evidence."""
    if said.restart_needed:
        return _Finding(State.PENDING, Reason.RESTART_NEEDED, said.message)
    if not said.enforceable:
        return _Finding(State.NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH, said.message)
    reason = Reason.SETTING_FOUGHT_OVER if said.fought_over else Reason.REPORTED_CONTRARY
    return _Finding(State.NON_COMPLIANT, said.fault or reason, said.message)


@dataclass(frozen=True)
class _Case:
    """One container of the template, with the policy that decides for it."""

    evidence: Evidence
    target: MatchedContainer
    channel: ChannelName
    effective: EffectivePolicy

    @property
    def wanted(self) -> Setting:
        return setting_of(self.effective.desired)

    @cached_property
    def counterparts(self) -> list[tuple[PodEvidence, MatchedContainer]]:
        return list(_counterparts(self.evidence.pods, [self.target]))

    def find(self) -> _Finding:
        exempt = self.effective.exempt
        if exempt is not None:
            until = f", until {exempt.expires_at.isoformat()}" if exempt.expires_at else ""
            detail = f"({exempt.reason}{until})"
            return _Finding(State.EXEMPT, Reason.EXEMPT_BY_POLICY, detail)
        said = self.evidence.reported.get((self.target.product.name, self.channel), _NOTHING_SAID)
        found = self._find_in_workload()
        if said.setting not in (Setting.UNKNOWN, self.wanted):
            if found.reason is Reason.PODS_OUTDATED:
                return _Finding(State.PENDING, Reason.RESTART_NEEDED, said.message)
            return _contrary(said)
        if said.setting is self.wanted:
            return self._confirmed(found)
        if said.fault is not None and found.reason in _WAITS_FOR_REPORT:
            if said.fault is Reason.CREDENTIALS_MISSING:
                detail = f"{found.detail} {said.fault.meaning}".strip()
                return _Finding(State.UNKNOWN, found.reason, detail)
            return _Finding(State.UNKNOWN, said.fault, said.message)
        return found

    def _confirmed(self, found: _Finding) -> _Finding:
        """The product says what the policy wishes. A switch that the next start reads has to stand
        in the workload too, or the next start would turn it back."""
        lookup = self.target.product.rule_for(self.channel, self.target.image, self.target.version)
        switches = lookup.rule.switches if lookup.rule is not None else ()
        reads_at_start = any(switch.semantics is Semantics.START for switch in switches)
        if found.reason is Reason.REFUSED_VARIABLE or (
            reads_at_start and found.state in (State.NON_COMPLIANT, State.PENDING)
        ):
            return found
        if found.state is State.COMPLIANT and found.reason is not Reason.DEFAULT_APPLIES:
            return found
        return _Finding(State.COMPLIANT, Reason.REPORTED, seeded=found.seeded)

    def _find_in_workload(self) -> _Finding:
        lookup = self.target.product.rule_for(self.channel, self.target.image, self.target.version)
        if lookup.rule is None:
            reason = lookup.reason or Reason.VERSION_NOT_COVERED
            return _Finding(State.UNKNOWN, reason, f"Image: {self.target.reference}.")
        return self._find_by_rule(lookup.rule)

    def _find_by_rule(self, rule: ChannelRule) -> _Finding:
        if rule.default is DefaultState.NO_TELEMETRY:
            is_met = self.wanted is Setting.DISABLED
            state = State.COMPLIANT if is_met else State.NOT_ENFORCEABLE
            return _Finding(state, Reason.NO_TELEMETRY_IN_VERSION)
        for refusal in rule.refuses:
            if self.target.container.variable(refusal.env) is not None:
                detail = f"{refusal.env}: {refusal.effect}"
                return _Finding(State.NON_COMPLIANT, Reason.REFUSED_VARIABLE, detail)
        switches = [s for s in rule.switches if s.semantics is not Semantics.NONE]
        if not switches:
            return _Finding(State.NOT_ENFORCEABLE, Reason.NO_EFFECTIVE_SWITCH, rule.remedy)
        findings = [self._find_by_switch(rule, s) for s in switches]
        return min(findings, key=lambda found: _WORST_FIRST.index(found.state))

    def _find_by_switch(self, rule: ChannelRule, switch: Switch) -> _Finding:
        match switch.semantics:
            case Semantics.START:
                return self._find_running(rule, switch, Reason.RUNNING_IN_EVERY_POD)
            case Semantics.SEED:
                return self._find_seed(rule, switch)
            case _:
                return _Finding(State.UNKNOWN, Reason.NOT_REPORTED, rule.remedy)

    def _find_seed(self, rule: ChannelRule, switch: Switch) -> _Finding:
        """Without a report, a seed counts only where the data is shown to have begun with it."""
        places = self._data(switch)
        if all(place.age is DataAge.PER_POD for place in places):
            return self._find_running(rule, switch, Reason.SEED_PROVEN)
        declared = self._read(self.target, switch, rule)
        if declared.source is not Source.DEFAULT and declared.meaning not in (
            Setting.UNKNOWN,
            self.wanted,
        ):
            finding = self._unmet(switch, declared)
            if finding.state is State.PENDING:  # data that is there already ignores the next start
                return _Finding(State.UNKNOWN, Reason.SEED_NOT_PROVEN, finding.detail)
            return finding
        volumes = self._proven_claims(places)
        if volumes and declared.meaning is self.wanted:
            return self._find_running(rule, switch, Reason.SEED_PROVEN, volumes)
        return _Finding(State.UNKNOWN, Reason.SEED_NOT_PROVEN, self._aside(switch))

    def _find_running(
        self, rule: ChannelRule, switch: Switch, proven: Reason, seeded: tuple[str, ...] = ()
    ) -> _Finding:
        """A switch that each start reads counts where every pod was started with it."""
        declared = self._read(self.target, switch, rule)
        running = [
            self._read(found, switch, injectable_rule(found, self.channel))
            for _, found in self.counterparts
        ]
        # Where somebody else's controller owns the template, the pods are injected instead, and
        # what the template says is no evidence either way.
        by_template = self.evidence.workload.controller is None
        if by_template and declared.meaning is not self.wanted:
            return self._unmet(switch, declared)
        if not running:
            if declared.meaning is self.wanted:
                return _Finding(State.PENDING, Reason.NO_PODS)
            return self._unmet(switch, declared, next_pods=Reason.NO_PODS)
        contrary = [reading for reading in running if reading.meaning is not self.wanted]
        if not contrary:
            by_default = all(reading.source is Source.DEFAULT for reading in running)
            reason = Reason.DEFAULT_APPLIES if by_default else proven
            return _Finding(State.COMPLIANT, reason, self._aside(switch), seeded)
        if by_template:
            count = f"{len(contrary)} of {len(running)} pods."
            return _Finding(State.PENDING, Reason.PODS_OUTDATED, count)
        farthest = farthest_from(self.wanted, contrary)
        return self._unmet(switch, farthest, next_pods=Reason.PODS_OUTDATED)

    def _unmet(self, switch: Switch, reading: Reading, next_pods: Reason | None = None) -> _Finding:
        """What is there is not what the policy wishes. Will it be, and when?

        ``next_pods`` is the reason where pods are injected, so that the next pod has the setting.
        """
        detail = " ".join(
            filter(None, (f"({reading.detail})" if reading.detail else "", self._aside(switch)))
        )

        effective, workload = self.effective, self.evidence.workload
        injection = effective.injection
        overridden = reading.source in (Source.REFERENCE, Source.AMBIGUOUS, Source.OVERRIDE)
        audit = effective.policy.spec.mode is Mode.AUDIT
        entry = find_variable(self.target.container, switch.env) if switch.env else None
        ours = entry is not None and is_ours(
            workload, self.target.container, entry, self.target.product.variables
        )
        kept = injection.on_conflict is OnConflict.KEEP and entry is not None and not ours
        queued = injection.rollout is Rollout.IMMEDIATE or workload.restarts_no_pod
        missed = missed_admission(workload, effective.policy)
        # The first that holds.
        answers = (
            (overridden, State.NON_COMPLIANT, Reason.SWITCH_OVERRIDDEN),
            (effective.overruled, State.NON_COMPLIANT, Reason.OVERRULED),
            (audit, State.NON_COMPLIANT, Reason.AUDIT_ONLY),
            (kept, State.NON_COMPLIANT, Reason.CONTRARY_VALUE_KEPT),
            (not ours and injection.when is When.NEVER, State.NON_COMPLIANT, Reason.INJECTION_OFF),
            (next_pods is not None, State.PENDING, next_pods),
            (workload.template_immutable, State.NON_COMPLIANT, Reason.TEMPLATE_IMMUTABLE),
            (queued, State.PENDING, Reason.ROLLOUT_QUEUED),
            # A value of ours follows its policy at any change of the template.
            (ours or injection.when is When.ALWAYS, State.PENDING, Reason.AWAITING_ROLLOUT),
            (missed, State.PENDING, Reason.MISSED_ADMISSION),
        )
        late = State.NON_COMPLIANT, Reason.AWAITING_UPGRADE
        state, reason = next(((s, r) for holds, s, r in answers if holds and r), late)
        if state is State.NON_COMPLIANT and reading.meaning is Setting.UNKNOWN:
            return _Finding(State.UNKNOWN, reading.why_unknown, detail)
        return _Finding(state, reason, detail)

    def _read(self, target: MatchedContainer, switch: Switch, rule: ChannelRule | None) -> Reading:
        """What a container comes to, by the switch that its own version has in this place."""
        if rule is None:
            return Reading(Setting.UNKNOWN, Source.UNREADABLE, target.reference)
        name = switch.env.name if switch.env else ""
        same_name = [s for s in rule.switches if s.env and s.env.name == name]
        switches = same_name or list(rule.switches) or [switch]
        readings = [with_default(read_switch(target.container, s), rule.default) for s in switches]
        return farthest_from(self.wanted, readings)

    def _data(self, switch: Switch) -> list[Data]:
        """Where the data of each pod lives; without pods, where the next one's will."""
        return [
            locate_data(found.container, pod.template, switch.seed_proof)
            for pod, found in self.counterparts
        ] or [
            locate_data(self.target.container, self.evidence.workload.template, switch.seed_proof)
        ]

    def _proven_claims(self, places: list[Data]) -> tuple[str, ...] | None:
        if any(place.age is not DataAge.CLAIM for place in places):
            return None
        recorded = [
            volume
            for seed in self.evidence.seeds
            if (seed.product, seed.channel, seed.desired)
            == (self.target.product.name, self.channel, self.effective.desired)
            for volume in seed.volumes
        ]
        claims = sorted({place.claim for place in places})
        return prove_volume_claims(self.evidence.workload, claims, self.evidence.claims, recorded)

    def _aside(self, switch: Switch) -> str:
        """Names that somebody took for the switch."""
        mistaken = [
            name for name in switch.ineffective if self.target.container.variable(name) is not None
        ]
        return f"{', '.join(mistaken)} is set and does nothing." if mistaken else ""
