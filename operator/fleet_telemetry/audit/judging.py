"""From a workload to its findings, by the decision that webhook and controller use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.api.product.channel import Sender
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import ObservedReason
from fleet_telemetry.api.workload_telemetry import EgressVerdict, Sends
from fleet_telemetry.audit.advising import named_policy
from fleet_telemetry.audit.fixing.changing import changes_of, obstacles_of
from fleet_telemetry.audit.result import Finding, HostName
from fleet_telemetry.audit.subject import Subject
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.decision import Input, Plan, decide, with_egress
from fleet_telemetry.evidence.egress import EgressFinding
from fleet_telemetry.evidence.hosts import hosts_of
from fleet_telemetry.evidence.observed import observed_message, observed_of
from fleet_telemetry.evidence.remedies import reason_remedy, vendor_remedies
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.switches.disabling import plan_disabling
from fleet_telemetry.switches.edits import Edit, SkippedEdit
from fleet_telemetry.switches.recorded import Recorded


def decide_on(
    subject: Subject, policies: tuple[Policy, ...], catalogue: Catalogue, now: datetime
) -> Plan:
    """The decision on a workload, with the network's verdicts."""
    given = Input(
        workload=subject.workload,
        policies=policies,
        catalogue=catalogue,
        now=now,
        namespace_labels=subject.namespace_labels,
        pods=subject.pods,
        reported=subject.reported,
        contacts=subject.contacts,
        claims=subject.claims,
        config_maps=subject.config_maps,
        fields=subject.fields,
        seeds=subject.seeds,
        recorded=Recorded(subject.recorded),
        excluded=subject.excluded,
        pods_unread=subject.pods_unread,
        active_parts=subject.active_parts,
    )
    return with_egress(decide(given), subject.egress)


def findings_of(subject: Subject, plan: Plan) -> Iterator[Finding]:
    """One finding for each channel of each product in the workload."""
    for verdict in plan.verdicts:
        if verdict.sends is None:
            continue
        targets = [one for one in plan.targets if one.product.name == verdict.product]
        egress = plan.egress.get((verdict.product, verdict.channel))
        ref, policy, sends = subject.workload.ref, verdict.policy, verdict.sends
        planned = _planned(subject, targets, verdict)
        versions = dict.fromkeys(one.version.text for one in targets if one.version)
        yield Finding(
            place=subject.place,
            namespace=ref.namespace,
            kind=ref.kind,
            name=ref.name,
            product=verdict.product,
            title=targets[0].product.spec.title,
            version=", ".join(versions),
            channel=verdict.channel,
            sends=sends.sends,
            reason=sends.reason,
            message=sends.message,
            policy=named_policy(policy) if policy else None,
            desired=verdict.desired,
            state=verdict.state,
            state_reason=verdict.reason or "",
            state_message=verdict.message,
            declared=verdict.observed("declared").setting,
            # Of a file nothing runs; a pod of its template is only imagined.
            running=Setting.UNKNOWN if subject.place.file else verdict.observed("running").setting,
            reported=verdict.observed("reported").setting,
            egress=egress.verdict if egress else EgressVerdict.UNKNOWN,
            **_observed(verdict, egress),
            provenance=verdict.provenance,
            hosts=tuple(_hosts(targets, verdict)),
            advice=reason_remedy(verdict),
            remedy=" ".join(dict.fromkeys(vendor_remedies(targets, verdict))),
            changes=tuple(changes_of(subject.workload, planned)),
            obstacles=tuple(obstacles_of(planned)),
        )


def _observed(verdict: Verdict, egress: EgressFinding | None) -> dict[str, Any]:
    """What DNS showed; nothing if it shows nothing to anybody."""
    found = observed_of(verdict)
    if found.reason is ObservedReason.NOT_OBSERVED:
        return {}
    return {
        "observed": found.verdict,
        "observed_reason": found.reason,
        "observed_message": observed_message(verdict, egress),
        "observed_since": found.since,
        "last_observed_time": found.last,
    }


def _hosts(targets: Iterable[MatchedContainer], verdict: Verdict) -> Iterator[HostName]:
    for host in hosts_of(targets, verdict):
        yield HostName(
            host=host.host,
            port=host.port,
            sent_by_browser=host.sent_by is Sender.BROWSER,
            also_serves=host.also_serves,
        )


def _planned(
    subject: Subject, targets: Sequence[MatchedContainer], verdict: Verdict
) -> tuple[Edit | SkippedEdit, ...]:
    """What switches the channel off, where it sends or may send."""
    if verdict.sends is None or verdict.sends.sends is Sends.NO:
        return ()
    return plan_disabling(subject.workload, targets, [(verdict.product, verdict.channel)])
