"""The one decision that the webhook, the controller and the command line share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName, Policy
from fleet_telemetry.api.workload_telemetry import InjectedVariable, SeedRecord
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.matching import MatchedContainer, match_containers
from fleet_telemetry.evidence.checks import Check, answer_without_asking, plan_checks
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.reported import Reported
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.evidence.verdict import Evidence, PodEvidence, Verdict, judge
from fleet_telemetry.policy.precedence import (
    EffectivePolicy,
    covers_channel,
    live_exception,
    resolve_effective,
    select_policies,
)
from fleet_telemetry.switches.edits import Edit, SkippedEdit, Trigger
from fleet_telemetry.switches.injection import (
    EffectivePolicies,
    InjectionContext,
    is_ours,
    plan_edits,
    wishes_for,
)
from fleet_telemetry.workloads.workload import Pod, Workload


@dataclass(frozen=True, slots=True)
class Input:
    """Everything a decision depends on, gathered beforehand."""

    workload: Workload
    policies: tuple[Policy, ...]
    catalogue: Catalogue
    now: datetime
    trigger: Trigger = Trigger.RECONCILE
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    before: Workload | None = None
    """The workload before the update, where there is one."""
    is_pod: bool = False
    """The template is one pod's own, on its way in; the rest is its workload's."""
    recorded: tuple[InjectedVariable, ...] = ()
    pods: tuple[Pod, ...] = ()
    reported: Mapping[tuple[str, ChannelName], Reported] = field(default_factory=dict)
    """What products told last; counts only of those that are to be asked now."""
    reported_before: Mapping[tuple[str, ChannelName], Reported] = field(default_factory=dict)
    """The same, as whoever led before was told it; counts until a product is asked again."""
    claims: Mapping[str, VolumeClaimFacts] = field(default_factory=dict)
    seeds: tuple[SeedRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyVerdict:
    """What one policy makes of one workload, by its own wish."""

    policy: Policy
    verdicts: tuple[Verdict, ...]
    overruled_by: tuple[Policy, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write and what to say about one workload."""

    targets: tuple[MatchedContainer, ...]
    edits: tuple[Edit, ...]
    skipped_edits: tuple[SkippedEdit, ...]
    effective: EffectivePolicies
    verdicts: tuple[Verdict, ...] = ()
    by_policy: tuple[PolicyVerdict, ...] = ()
    injected: tuple[InjectedVariable, ...] = ()
    checks: tuple[Check, ...] = ()
    """What the products are to be asked."""
    egress: Mapping[tuple[str, ChannelName], EgressFinding] = field(default_factory=dict)
    """What the network does with each channel; known once network policies were written."""

    @property
    def changes(self) -> tuple[Edit | SkippedEdit, ...]:
        """What is written, and what is left although a policy wishes otherwise."""
        return (*self.edits, *self.skipped_edits)


def plan_injection(given: Input) -> Plan:
    """What to write into the template; all that an admission needs."""
    targets = match_containers(given.workload.template, given.catalogue)
    targets_before = (
        match_containers(given.before.template, given.catalogue) if given.before else ()
    )
    covering = select_policies(given.policies, given.workload, given.namespace_labels)
    effective = _resolve_all(given, targets, covering)
    planned: tuple[Edit | SkippedEdit, ...] = ()
    if (targets or targets_before) and _may_be_written(given):
        planned = plan_edits(
            InjectionContext(
                trigger=given.trigger,
                workload=given.workload,
                targets=targets,
                before=given.before,
                targets_before=targets_before,
                recorded=given.recorded,
            ),
            effective,
        )
    return Plan(
        targets=targets,
        edits=tuple(edit for edit in planned if isinstance(edit, Edit)),
        skipped_edits=tuple(remark for remark in planned if isinstance(remark, SkippedEdit)),
        effective=effective,
    )


def decide(given: Input) -> Plan:
    """What to write and where every channel stands."""
    plan = plan_injection(given)
    checks = tuple(plan_checks(plan.targets, plan.effective, given.workload.ref.namespace))
    known = {_channel_of(check): answer_without_asking(check) for check in checks}
    reported = {**given.reported_before, **given.reported}
    evidence = Evidence(
        workload=given.workload,
        targets=plan.targets,
        pods=tuple(
            PodEvidence(pod.template, match_containers(pod.template, given.catalogue))
            for pod in given.pods
        ),
        reported={key: known[key] or reported.get(key, Reported()) for key in known},
        claims=given.claims,
        seeds=given.seeds,
    )
    channels = list(_channels(plan.targets))
    verdicts = (
        judge(evidence, product, channel, plan.effective.get((product, channel)))
        for product, channel in channels
    )
    return replace(
        plan,
        verdicts=tuple(verdict for verdict in verdicts if verdict is not None),
        by_policy=tuple(_judge_by_policy(given, evidence, plan.effective, channels)),
        injected=tuple(_injected(given, plan)),
        checks=checks,
    )


def _channel_of(check: Check) -> tuple[str, ChannelName]:
    return check.product, ChannelName.USAGE


def _resolve_all(
    given: Input, targets: tuple[MatchedContainer, ...], covering: tuple[Policy, ...]
) -> EffectivePolicies:
    effective = {}
    for product, channel in _channels(targets):
        in_effect = resolve_effective(covering, given.workload.ref, product, channel, given.now)
        if in_effect is not None:
            effective[product, channel] = in_effect
    return effective


def _channels(targets: tuple[MatchedContainer, ...]) -> Iterator[tuple[str, ChannelName]]:
    """The channels that the containers use, each once, in the catalogue's order."""
    seen = set()
    for target in targets:
        for channel in target.product.spec.channels:
            key = target.product.name, channel.name
            if key not in seen and target.product.has_channel(channel.name, target.image):
                seen.add(key)
                yield key


def _may_be_written(given: Input) -> bool:
    """Somebody else's controller would put its own template back, and a Job's is immutable."""
    if given.is_pod:
        return given.workload.controller is not None
    if given.workload.controller is not None:
        return False
    return given.trigger is Trigger.CREATE or not given.workload.template_immutable


def _judge_by_policy(
    given: Input,
    evidence: Evidence,
    effective: EffectivePolicies,
    channels: list[tuple[str, ChannelName]],
) -> Iterator[PolicyVerdict]:
    """What each policy that covers the workload makes of it by its own wish."""
    for policy in select_policies(given.policies, given.workload, given.namespace_labels):
        verdicts = []
        winners = []
        for product, channel in channels:
            if not covers_channel(policy, product, channel):
                continue
            own = effective[product, channel]
            exempt = live_exception(policy, given.workload.ref, given.now)
            if exempt is not None:
                own = EffectivePolicy(policy, policy.injection, exempt=exempt)
            elif own.desired is not policy.spec.submission:
                if own.policy not in winners:
                    winners.append(own.policy)
                own = EffectivePolicy(policy, policy.injection, overruled=True)
            verdict = judge(evidence, product, channel, own)
            if verdict is not None:
                verdicts.append(verdict)
        if verdicts:
            yield PolicyVerdict(policy, tuple(verdicts), tuple(winners))


def _injected(given: Input, plan: Plan) -> Iterator[InjectedVariable]:
    """What stands in the template because of a policy: unclaimed, and ours by name and value,
    or a related setting that a policy asks for or that was recorded before."""
    recorded = {(entry.container, entry.name, entry.value) for entry in given.recorded}
    for target in plan.targets:
        container = target.container
        settings = {
            (wish.name, wish.value)
            for wish in wishes_for(target, plan.effective)
            if wish.switch is None
        }
        for entry in container.env:
            if entry.by_reference or given.workload.field_owners.covers(container.name, entry.name):
                continue
            if (
                is_ours(given.workload, container, entry, target.product.variables)
                or (entry.name, entry.value) in settings
                or (container.name, entry.name, entry.value) in recorded
            ):
                yield InjectedVariable(container=container.name, name=entry.name, value=entry.value)
