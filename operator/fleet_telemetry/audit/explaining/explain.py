"""From a workload and its decision to the explanation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from fleet_telemetry.api.policy import ChannelName
from fleet_telemetry.api.product.setting import DefaultState, Setting
from fleet_telemetry.api.reasons import ObservedReason, Reason
from fleet_telemetry.api.workload_telemetry import Sends, State
from fleet_telemetry.audit.advising import Advisor, named_policy
from fleet_telemetry.audit.explaining.explanation import (
    ChannelExplained,
    ContainerExplained,
    EvidenceSeen,
    ExplainedWorkload,
    Explanation,
    Happened,
    PolicyExplained,
)
from fleet_telemetry.audit.judging import decide_on, findings_of
from fleet_telemetry.audit.result import Finding, PolicyAdvice, Problem
from fleet_telemetry.audit.sources import Definitions, PolicyKey, Scope, policy_key
from fleet_telemetry.audit.subject import Other, Subject
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.matching import MatchedContainer, match_containers
from fleet_telemetry.decision import Plan
from fleet_telemetry.evidence.facts import Facts
from fleet_telemetry.evidence.observed import observed_message, observed_of
from fleet_telemetry.evidence.pod_versions import gather_pod_facts
from fleet_telemetry.evidence.reason_remedies import OBSERVED_REMEDIES, PROVEN, REMEDIES
from fleet_telemetry.evidence.references import with_values
from fleet_telemetry.policy.outcomes import outcomes_of
from fleet_telemetry.policy.precedence import select_policies
from fleet_telemetry.switches.overrides import read_switch
from fleet_telemetry.switches.reading import ReadingSource, SwitchReading
from fleet_telemetry.switches.registry import mechanism_of
from fleet_telemetry.switches.resource import with_fields
from fleet_telemetry.switches.start import doubt_of_start
from fleet_telemetry.workloads.workload import PodTemplate, Workload

_MOST_PODS = 20
_NO_PRODUCT = "The catalogue knows no product for the images of this workload, so nothing is said."
_LOOSE = (
    "The pod belongs to no workload of a kind that is known, so nothing is decided for it. Whether "
    "its product sends is not known."
)
_DEFAULTS = {
    DefaultState.ON: "the default of this version is to send",
    DefaultState.OFF: "the default of this version is not to send",
    DefaultState.NO_TELEMETRY: "this version sends nothing",
}


def explain(
    subject: Subject | Other,
    definitions: Definitions,
    catalogue: Catalogue,
    now: datetime,
    *,
    scope: Scope | None = None,
    workloads: Iterable[Workload] = (),
    history: Iterable[Happened] = (),
    problems: Iterable[Problem] = (),
) -> Explanation:
    """Everything about one workload. ``catalogue`` has the products of the definitions; ``scope``
    and ``workloads`` are what else was read, for the advice on policies."""
    advice: tuple[PolicyAdvice, ...] = ()
    channels: tuple[ChannelExplained, ...] = ()
    if isinstance(subject, Other):
        reference = ExplainedWorkload(
            namespace=subject.namespace, kind=subject.kind, name=subject.name
        )
        template, message = subject.template, _LOOSE
    else:
        ref = subject.workload.ref
        reference = ExplainedWorkload(namespace=ref.namespace, kind=ref.kind, name=ref.name)
        template, message = subject.workload.template, ""
        plan = decide_on(subject, definitions.policies, catalogue, now)
        channels = tuple(
            ChannelExplained(
                finding=finding,
                policies=tuple(_policies(subject, definitions, plan, finding, now)),
                evidence=tuple(_evidence(subject, plan, finding, catalogue)),
                missing=tuple(_missing(finding)),
            )
            for finding in findings_of(subject, plan)
        )
        around = {one.ref: one for one in (subject.workload, *workloads)}
        advisor = Advisor(definitions, catalogue, now)
        chosen = _advised(subject, definitions)
        advice = tuple(advisor.advise(chosen, around, scope or Scope(subject.place.cluster)))
    containers = tuple(_containers(template, catalogue))
    if not any(one.product for one in containers):
        message = _NO_PRODUCT
    return Explanation(
        time=now,
        place=subject.place,
        workload=reference,
        message=message,
        containers=containers,
        channels=channels,
        policy_advice=advice,
        history=tuple(history),
        problems=tuple(problems),
    )


def _advised(subject: Subject, definitions: Definitions) -> set[PolicyKey]:
    """The policies that the explanation advises on: those that meet the workload, and those that
    are not applied yet."""
    met = select_policies(definitions.policies, subject.workload, subject.namespace_labels)
    return {*definitions.files, *map(policy_key, met)}


def _containers(template: PodTemplate, catalogue: Catalogue) -> Iterator[ContainerExplained]:
    found = {one.container.index: one for one in match_containers(template, catalogue)}
    for container in template.containers:
        target = found.get(container.index)
        if target is None:
            yield ContainerExplained(name=container.name, image=container.image)
            continue
        message = target.fault.meaning if target.fault else ""
        if not message and not target.verified:
            message = Reason.VERSION_NOT_VERIFIED.meaning
        yield ContainerExplained(
            name=container.name,
            image=container.image,
            product=target.product.name,
            title=target.product.spec.title,
            version=target.version.text if target.version else "",
            message=message,
        )


def _policies(
    subject: Subject, definitions: Definitions, plan: Plan, finding: Finding, now: datetime
) -> Iterator[PolicyExplained]:
    built_in = any(
        one.product.name == finding.product and one.product.has_builtin_name for one in plan.targets
    )
    for one in outcomes_of(
        definitions.policies,
        subject.workload,
        finding.product,
        finding.channel,
        namespace_labels=subject.namespace_labels,
        now=now,
        built_in=built_in,
    ):
        policy = one.policy
        yield PolicyExplained(
            policy=named_policy(policy),
            submission=policy.spec.submission,
            mode=policy.spec.mode,
            outcome=one.outcome,
            why=one.why,
        )


def _evidence(
    subject: Subject, plan: Plan, finding: Finding, catalogue: Catalogue
) -> Iterator[EvidenceSeen]:
    channel = finding.channel
    targets = [
        one
        for one in with_values(plan.targets, subject.config_maps)
        if one.product.name == finding.product and one.product.has_channel(channel, one.image)
    ]
    for target in targets:
        yield from _of_container(target, channel, "declared", "the pod template")
    if not subject.place.file:
        yield from _of_pods(subject, plan, targets, channel, catalogue)
    key = finding.product, channel
    verdict = next(one for one in plan.verdicts if (one.product, one.channel) == key)
    reported = verdict.observed("reported")
    if subject.reported.get(key) is not None or reported.setting is not Setting.UNKNOWN:
        yield EvidenceSeen(
            source="reported",
            where="the product's own API, as the operator recorded it",
            shows=reported.setting,
            message=reported.message or _unused(subject, key),
            time=subject.recorded_at,
        )
    egress = plan.egress.get(key)
    if egress is not None:
        yield EvidenceSeen(
            source="egress",
            where="the network policies, as the operator recorded them",
            shows=egress.verdict,
            message=egress.message,
            time=subject.recorded_at,
        )
    found = observed_of(verdict)
    is_recorded = subject.recorded_at is not None
    if is_recorded or found.reason is not ObservedReason.NOT_OBSERVED:
        message = observed_message(verdict, egress)
        yield EvidenceSeen(
            source="observed",
            where="the cluster's DNS, as the operator recorded it",
            shows=found.verdict,
            message=f"{message} {OBSERVED_REMEDIES.get(found.reason, '')}".strip(),
            time=subject.recorded_at,
        )


def _unused(subject: Subject, key: tuple[str, ChannelName]) -> str:
    """Why a recorded report does not count; empty if it does."""
    recorded = subject.reported[key].setting if key in subject.reported else Setting.UNKNOWN
    if recorded is Setting.UNKNOWN:
        return ""
    return f"{recorded} is recorded. It counts where a policy has credentials for the product."


def _of_pods(
    subject: Subject,
    plan: Plan,
    targets: list[MatchedContainer],
    channel: ChannelName,
    catalogue: Catalogue,
) -> Iterator[EvidenceSeen]:
    namespace = subject.workload.ref.namespace
    facts = tuple(
        replace(pod, targets=with_fields(pod.targets, namespace, subject.fields))
        for pod in gather_pod_facts(subject.pods, catalogue, subject.config_maps)
    )
    names = {id(fact): pod.name for fact, pod in zip(facts, subject.pods, strict=True)}
    known = Facts(subject.workload, plan.targets, facts)
    found = list(known.counterparts(targets, channel)) if targets else []
    for fact, target in found[:_MOST_PODS]:
        ended = ", which has ended" if fact.finished else ""
        yield from _of_container(target, channel, "running", f"pod {names[id(fact)]}{ended}")
    if len(found) > _MOST_PODS:
        yield EvidenceSeen(
            source="running",
            where=f"{len(found) - _MOST_PODS} more containers of pods",
            shows="not listed",
        )
    if not found:
        reason = Reason.PODS_NOT_READABLE if subject.pods_unread else Reason.NO_PODS
        yield EvidenceSeen(
            source="running", where="no pod", shows=Setting.UNKNOWN, message=reason.meaning
        )


def _of_container(
    target: MatchedContainer, channel: ChannelName, source: str, where: str
) -> Iterator[EvidenceSeen]:
    """What a container shows by each switch of its version."""
    at = f"{where}, container {target.container.name}"
    found = target.rule(channel)
    if found.rule is None:
        reason = target.fault or found.reason or Reason.VERSION_NOT_COVERED
        yield EvidenceSeen(source=source, where=at, shows=Setting.UNKNOWN, message=reason.meaning)
        return
    rule = found.rule
    if not rule.switches:
        message = _DEFAULTS.get(rule.default, "nothing in a manifest switches it")
        yield EvidenceSeen(source=source, where=at, shows=Setting.UNSET, message=message)
    for switch in rule.switches:
        mechanism = mechanism_of(switch)
        reading = read_switch(target.container, switch)
        doubt = doubt_of_start(target, switch)
        notes = [_note(reading, rule.default), f"({doubt} may change it)" if doubt else ""]
        yield EvidenceSeen(
            source=source,
            where=at,
            entry=mechanism.label(switch) if mechanism is not None else "the product's own setting",
            shows=reading.setting,
            message=" ".join(filter(None, notes)),
        )


def _note(reading: SwitchReading, default: DefaultState) -> str:
    """The reading in words; the value itself is not said, which may be anything."""
    if reading.setting is Setting.UNSET:
        return f"not set; {_DEFAULTS.get(default, 'the default of this version is not known')}"
    is_elsewhere = reading.source is ReadingSource.OVERRIDE or reading.is_from_reference
    by = f"by {reading.detail}" if is_elsewhere and reading.detail else ""
    if reading.setting is Setting.UNKNOWN:
        if reading.source is ReadingSource.NOTHING:
            return "nothing in a manifest shows it"
        return f"{by}: {reading.why_unknown.meaning}" if by else reading.why_unknown.meaning
    return by


def _missing(finding: Finding) -> Iterator[str]:
    """What to do so that it is proven; each sentence once."""
    words = []
    if finding.state is not None and finding.state is not State.COMPLIANT:
        words.append(finding.state_reason)
    if finding.sends is Sends.UNKNOWN:
        words.append(finding.reason)
    advice = (_advice(word) for word in dict.fromkeys(words))
    yield from dict.fromkeys(filter(None, advice))


def _advice(word: str) -> str:
    reason = next((one for one in Reason if one == word), None)
    if reason is None or reason in PROVEN:
        return ""
    return REMEDIES.get(reason, reason.meaning)
