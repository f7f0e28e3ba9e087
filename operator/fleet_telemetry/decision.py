"""The one decision that the webhook, the controller and the command line share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName, Policy
from fleet_telemetry.api.product.switch import Switch
from fleet_telemetry.api.workload_telemetry import (
    InjectedVariable,
    ResourceRecord,
    SeedRecord,
)
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.matching import MatchedContainer, match_containers
from fleet_telemetry.evidence.checks import Check, WorkloadPlace, plan_checks, result_without_check
from fleet_telemetry.evidence.config_maps import ConfigMaps
from fleet_telemetry.evidence.contact_evidence import (
    ContactJudge,
    sends_with_contacts,
    with_contacts,
)
from fleet_telemetry.evidence.contacts import NO_CONTACTS, Contacts
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.judge import judge
from fleet_telemetry.evidence.pod_versions import gather_pod_facts, with_versions_of
from fleet_telemetry.evidence.references import with_values
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.seed import VolumeClaimFacts
from fleet_telemetry.evidence.sends import find_sends
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.policy.precedence import (
    EffectivePolicy,
    covers_channel,
    live_exception,
    resolve_effective,
    select_policies,
)
from fleet_telemetry.switches.desired import (
    EffectivePolicies,
    contested_switches,
    desired_variables,
)
from fleet_telemetry.switches.edits import Edit, SkippedEdit, Trigger
from fleet_telemetry.switches.injection import plan_edits
from fleet_telemetry.switches.injection_context import InjectionContext
from fleet_telemetry.switches.ownership import (
    injected_arguments,
    injected_suspension,
    is_ours,
)
from fleet_telemetry.switches.recorded import NOTHING_RECORDED, Recorded
from fleet_telemetry.switches.resource import with_fields
from fleet_telemetry.switches.resource_plan import NO_FIELDS, FieldPlan, plan_fields
from fleet_telemetry.workloads.resource_fields import FieldStates
from fleet_telemetry.workloads.workload import Container, Pod, PodTemplate, Workload


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
    """The workload before the update, if there is one."""
    is_pod: bool = False
    """The template is that of one pod that is being created; the rest is its workload's."""
    origin: PodTemplate | None = None
    """The template that this pod is certainly created from."""
    recorded: Recorded = NOTHING_RECORDED
    pods: tuple[Pod, ...] = ()
    reported: Mapping[tuple[str, ChannelName], Reported] = field(default_factory=dict)
    """The last reports of products. Only those of products with a check are used."""
    reported_before: Mapping[tuple[str, ChannelName], Reported] = field(default_factory=dict)
    """The same, from the previous leader; used until the product is checked again."""
    contacts: Contacts = NO_CONTACTS
    """What DNS showed of the workload."""
    claims: Mapping[str, VolumeClaimFacts] = field(default_factory=dict)
    seeds: tuple[SeedRecord, ...] = ()
    config_maps: ConfigMaps = field(default_factory=dict)
    """Those that were read of what the workload and its pods take variables from."""
    excluded: bool = False
    """Whether nothing in the namespace may be changed."""
    pods_unread: bool = False
    """There may be more pods than ``pods``: they could not all be read."""
    active_parts: bool = False
    """Whether a Job of the CronJob has not finished, also while none of its pods runs."""
    fields: FieldStates = field(default_factory=dict)
    """What is known of the fields of custom resources that products read."""
    field_records: tuple[ResourceRecord, ...] = ()
    """What WorkloadTelemetry lists of them."""


@dataclass(frozen=True, slots=True)
class PolicyVerdict:
    """The verdicts on one workload by one policy alone."""

    policy: Policy
    verdicts: tuple[Verdict, ...]
    overruled_by: tuple[Policy, ...] = ()
    checked: tuple[str, ...] = ()
    """The products that are checked with this policy's credentials."""
    idle: bool = False
    """No pod of the workload runs, and none starts until somebody changes the workload."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write for one workload, and its state."""

    targets: tuple[MatchedContainer, ...]
    edits: tuple[Edit, ...]
    skipped_edits: tuple[SkippedEdit, ...]
    effective: EffectivePolicies
    verdicts: tuple[Verdict, ...] = ()
    by_policy: tuple[PolicyVerdict, ...] = ()
    injected: tuple[InjectedVariable, ...] = ()
    checks: tuple[Check, ...] = ()
    """The checks of the products' APIs."""
    egress: Mapping[tuple[str, ChannelName], EgressFinding] = field(default_factory=dict)
    """The egress finding of each channel; known after network policies are written."""
    fields: FieldPlan = NO_FIELDS
    """The fields of custom resources: what to read, to write and to record."""
    holds_until: datetime | None = field(default=None, compare=False)
    """When it may change although nothing happens: a lookup no longer counts. None: never."""

    @property
    def changes(self) -> tuple[Edit | SkippedEdit, ...]:
        """The edits and the skipped edits."""
        return (*self.edits, *self.skipped_edits)


def plan_injection(given: Input) -> Plan:
    """The edits of the template, which is all that admission needs."""
    targets = match_containers(given.workload.template, given.catalogue)
    if given.is_pod:
        targets = with_versions_of(targets, given.origin, given.catalogue)
    targets_before = (
        match_containers(given.before.template, given.catalogue) if given.before else ()
    )
    covering = select_policies(given.policies, given.workload, given.namespace_labels)
    effective = _resolve_all(given, targets, covering)
    planned: tuple[Edit | SkippedEdit, ...] = ()
    # What was injected for a product that is no longer known is still recorded, and goes.
    if (targets or targets_before or given.recorded) and _may_be_written(given):
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
        skipped_edits=tuple(skipped for skipped in planned if isinstance(skipped, SkippedEdit)),
        effective=effective,
    )


def decide(given: Input) -> Plan:
    """The edits of the template, and the verdict on every channel."""
    plan = plan_injection(given)
    namespace = given.workload.ref.namespace
    fields = plan_fields(
        plan.targets,
        plan.effective,
        namespace,
        given.fields,
        given.field_records,
        may_write=not (given.excluded or given.workload.is_left_out),
    )
    if fields.refs:
        plan = replace(plan, targets=with_fields(plan.targets, namespace, given.fields))
    pods = tuple(
        replace(pod, targets=with_fields(pod.targets, namespace, given.fields))
        if fields.refs
        else pod
        for pod in gather_pod_facts(given.pods, given.catalogue, given.config_maps)
    )
    is_idle = (
        given.workload.is_idle
        and not given.pods_unread
        and not any(pod.counts for pod in given.pods)
    )
    place = WorkloadPlace(given.workload.ref.namespace, given.namespace_labels, pods)
    checks = tuple(plan_checks(plan.targets, plan.effective, place))
    known = {_channel_of(check): result_without_check(check) for check in checks}
    reported = {**given.reported_before, **given.reported}
    facts = Facts(
        workload=given.workload,
        targets=with_values(plan.targets, given.config_maps),
        pods=pods,
        reported={key: known[key] or reported.get(key, Reported()) for key in known},
        contacts=given.contacts,
        now=given.now,
        claims=given.claims,
        seeds=given.seeds,
        excluded=given.excluded,
        recorded=given.recorded,
        idle=is_idle,
        pods_unread=given.pods_unread,
        active=given.active_parts
        or given.workload.is_active
        or any(pod.counts for pod in given.pods),
        contested=frozenset(
            (target.container.index, channel, name)
            for target in plan.targets
            for channel, name in contested_switches(target, plan.effective)
        ),
    )
    channels = list(_channels(plan.targets))
    lookups = ContactJudge(facts)
    return replace(
        plan,
        verdicts=tuple(_judge_all(lookups, channels, plan.effective)),
        by_policy=tuple(_judge_by_policy(given, lookups, plan.effective, channels, checks)),
        injected=tuple(_injected(given, plan)),
        checks=checks,
        fields=fields,
        holds_until=min(filter(None, (lookups.find(*key).until for key in channels)), default=None),
    )


def _judge_all(
    lookups: ContactJudge,
    channels: list[tuple[str, ChannelName]],
    effective: EffectivePolicies,
) -> Iterator[Verdict]:
    """The verdicts by the effective policies, and whether something is sent whatever they say."""
    facts = lookups.facts
    for product, channel in channels:
        verdict = judge(facts, product, channel, effective.get((product, channel)))
        if verdict is not None:
            found = lookups.find(product, channel)
            verdict = with_contacts(verdict, found)
            sends = sends_with_contacts(find_sends(facts, verdict), found)
            yield replace(verdict, sends=sends)


def with_egress(plan: Plan, findings: Mapping[tuple[str, ChannelName], EgressFinding]) -> Plan:
    """The plan with the egress findings, once network policies are written, and the verdicts in
    their light."""

    def in_light(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
        found = (findings.get((verdict.product, verdict.channel)) for verdict in verdicts)
        return tuple(
            verdict if finding is None else verdict.with_egress(finding.verdict)
            for verdict, finding in zip(verdicts, found, strict=True)
        )

    by_policy = tuple(replace(one, verdicts=in_light(one.verdicts)) for one in plan.by_policy)
    return replace(plan, verdicts=in_light(plan.verdicts), by_policy=by_policy, egress=findings)


def _channel_of(check: Check) -> tuple[str, ChannelName]:
    return check.product, ChannelName.USAGE


def _resolve_all(
    given: Input, targets: tuple[MatchedContainer, ...], covering: tuple[Policy, ...]
) -> EffectivePolicies:
    effective = {}
    built_in = _built_in(targets)
    for product, channel in _channels(targets):
        in_effect = resolve_effective(
            covering,
            given.workload.ref,
            product,
            channel,
            given.now,
            built_in=product in built_in,
        )
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


def _built_in(targets: tuple[MatchedContainer, ...]) -> set[str]:
    """The products that policies cover without naming them."""
    return {target.product.name for target in targets if target.product.has_builtin_name}


def _may_be_written(given: Input) -> bool:
    """Another controller would restore its own template, that of a Job is immutable, and one that
    may be adopted has to stay as its pods were started with."""
    workload = given.workload
    if given.excluded or workload.is_left_out:
        return False
    if given.is_pod:
        return workload.is_injected_by_pod
    if workload.controller is not None or workload.ref.kind.type.is_injected_by_pod:
        return False
    is_new = given.trigger is Trigger.CREATE
    return is_new or not (workload.template_immutable or workload.is_adoptable)


def _judge_by_policy(
    given: Input,
    lookups: ContactJudge,
    effective: EffectivePolicies,
    channels: list[tuple[str, ChannelName]],
    checks: tuple[Check, ...],
) -> Iterator[PolicyVerdict]:
    """The verdicts of each policy that covers the workload, by that policy alone."""
    facts = lookups.facts
    built_in = _built_in(facts.targets)
    for policy in select_policies(given.policies, given.workload, given.namespace_labels):
        verdicts = []
        winners = []
        for product, channel in channels:
            if not covers_channel(policy, product, channel, built_in=product in built_in):
                continue
            own = effective[product, channel]
            exempt = live_exception(policy, given.workload.ref, given.now)
            if exempt is not None:
                own = EffectivePolicy(policy, policy.injection, exempt=exempt)
            elif own.desired is not policy.spec.submission:
                if own.policy not in winners:
                    winners.append(own.policy)
                own = EffectivePolicy(policy, policy.injection, overruled=True)
            verdict = judge(facts, product, channel, own)
            if verdict is not None:
                verdicts.append(with_contacts(verdict, lookups.find(product, channel)))
        if verdicts:
            checked = tuple(
                check.product
                for check in checks
                if check.is_for_namespace and effective[_channel_of(check)].runtime_policy is policy
            )
            yield PolicyVerdict(policy, tuple(verdicts), tuple(winners), checked, facts.idle)


def _injected(given: Input, plan: Plan) -> Iterator[InjectedVariable]:
    """What policies injected into the template: switches and related settings without a field
    owner, or what was recorded before."""
    known = {target.container.index for target in plan.targets}
    for container in given.workload.template.containers:
        if container.index not in known:  # it ran a product that is no longer known
            for entry in container.env:
                if is_ours(given.workload, container, entry, (), given.recorded):
                    yield InjectedVariable(
                        container=container.name, name=entry.name, value=entry.value
                    )
            yield from injected_arguments(given.workload, container, (), given.recorded)
            yield from _suspension(given, container, ())
    for target in plan.targets:
        container = target.container
        yield from injected_arguments(
            given.workload, container, target.product.all_switches, given.recorded
        )
        yield from _suspension(given, container, target.product.all_switches)
        settings = {
            (one.name, one.value)
            for one in desired_variables(target, plan.effective)
            if one.switch is None
        }
        for entry in container.env:
            is_unowned_setting = (entry.name, entry.value) in settings and not (
                entry.by_reference or given.workload.field_owners.covers(container.name, entry.name)
            )
            switches = target.product.all_switches
            if is_unowned_setting or is_ours(
                given.workload, container, entry, switches, given.recorded
            ):
                yield InjectedVariable(container=container.name, name=entry.name, value=entry.value)


def _suspension(
    given: Input, container: Container, switches: tuple[Switch, ...]
) -> Iterator[InjectedVariable]:
    found = injected_suspension(given.workload, container, switches, given.recorded)
    if found is not None:
        yield found
