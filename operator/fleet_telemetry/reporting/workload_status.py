"""``WorkloadTelemetry`` from a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from fleet_telemetry.api.conditions import ConditionStatus, ObservedCondition, merge_conditions
from fleet_telemetry.api.policy import ChannelName, Policy
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.resources import API_VERSION, WORKLOAD_TELEMETRY
from fleet_telemetry.api.workload_telemetry import (
    ChannelPolicy,
    ChannelStatus,
    ContactRecord,
    InjectedVariable,
    ObservedVerdict,
    PolicyReference,
    SeedRecord,
    State,
    WorkloadName,
    WorkloadTelemetryStatus,
    workload_telemetry_name,
)
from fleet_telemetry.decision import Plan
from fleet_telemetry.evidence.hosts import hosts_of
from fleet_telemetry.evidence.registry import SOURCES
from fleet_telemetry.evidence.remedies import remedy_of
from fleet_telemetry.evidence.report import Reported
from fleet_telemetry.evidence.verdict import Verdict, worst_state
from fleet_telemetry.kube.kinds import WORKLOAD_BY_KIND
from fleet_telemetry.reporting.messages import cut
from fleet_telemetry.reporting.workload_summary import labels_of, summarize
from fleet_telemetry.workloads.workload import Workload

_MOST_FIELDS = 256
"""As the schema allows."""
_MOST_HOSTS = 64
"""As the schema allows."""
_MOST_EARLIER = 32
"""As the schema allows."""
_STATUS_BY_STATE = {
    State.COMPLIANT: ConditionStatus.TRUE,
    State.NON_COMPLIANT: ConditionStatus.FALSE,
    State.NOT_ENFORCEABLE: ConditionStatus.FALSE,
}


def build_workload_status(
    workload: Workload,
    plan: Plan,
    before: WorkloadTelemetryStatus | None,
    now: datetime,
    contacts: tuple[ContactRecord, ...] = (),
) -> WorkloadTelemetryStatus:
    """The status to show; equal to ``before`` where nothing changed."""
    targets = plan.targets
    products = list(dict.fromkeys(target.product.name for target in targets))
    versions = dict.fromkeys(target.version.text for target in targets if target.version)
    # The policy that decides on usage stands for the workload; else the first that decides.
    leading = next(
        (v for v in plan.verdicts if v.policy and v.channel is ChannelName.USAGE),
        next((v for v in plan.verdicts if v.policy), None),
    )
    policy = leading.policy if leading else None
    channels = tuple(_channels(workload, plan, several=len(products) > 1))
    return WorkloadTelemetryStatus(
        workload=WorkloadName(kind=workload.ref.kind, name=workload.ref.name),
        product=products[0] if products else None,
        version=", ".join(versions) or None,
        policy=PolicyReference(kind=policy.kind, name=policy.name) if policy else None,
        desired=leading.desired if leading else None,
        channels=channels,
        summary=summarize(plan.verdicts, channels),
        injected=plan.injected,
        injected_before=_injected_before(before, plan),
        resources=plan.fields.records,
        seeds=tuple(_seeds(plan.verdicts)),
        contacts=contacts,
        conditions=merge_conditions(
            before.conditions if before else (), _observe(plan.verdicts), now=now
        ),
    )


def differs_in_contacts_alone(
    status: WorkloadTelemetryStatus, before: WorkloadTelemetryStatus
) -> bool:
    """Whether nothing but the contacts differs. Where DNS is not observed any longer, stored
    contacts go with the next write, and are no reason for one."""
    return msgspec.structs.replace(status, contacts=before.contacts) == before


def differs_in_observed_alone(
    status: WorkloadTelemetryStatus, before: WorkloadTelemetryStatus
) -> bool:
    """Whether nothing but what is observed of the channels differs, and no contact does. While a
    new leader begins to observe, that is no reason for a write."""
    return _without_observed(status) == _without_observed(before)


def _without_observed(status: WorkloadTelemetryStatus) -> WorkloadTelemetryStatus:
    replace, summary = msgspec.structs.replace, status.summary
    nothing: dict[str, Any] = {
        "observed": ObservedVerdict.UNKNOWN,
        "observed_reason": None,
        "observed_message": None,
        "observed_since": None,
        "last_observed_time": None,
    }
    return replace(
        status,
        channels=tuple(replace(one, **nothing) for one in status.channels),
        summary=replace(summary, observed=ObservedVerdict.UNKNOWN) if summary else None,
    )


def _injected_before(
    before: WorkloadTelemetryStatus | None, plan: Plan
) -> tuple[InjectedVariable, ...]:
    """What was recorded as injected and is not injected now, without the oldest if too many."""
    if before is None:
        return ()
    known = dict.fromkeys((*before.injected_before, *before.injected))
    earlier = [one for one in known if one not in plan.injected]
    return tuple(earlier[-_MOST_EARLIER:])


def _channels(workload: Workload, plan: Plan, *, several: bool) -> Iterator[ChannelStatus]:
    for verdict in plan.verdicts:
        egress = plan.egress.get((verdict.product, verdict.channel))
        fields: dict[str, Any] = {}
        for source in SOURCES:
            fields |= source.status(verdict, egress)
        sends = verdict.sends
        hosts = dict.fromkeys(host.host for host in hosts_of(plan.targets, verdict))
        yield ChannelStatus(
            name=verdict.channel,
            product=verdict.product if several else None,
            policy=_channel_policy(verdict.policy) if verdict.policy else None,
            state=verdict.state,
            reason=verdict.reason,
            message=cut(verdict.message) or None,
            sends=sends.sends if sends else None,
            sends_reason=sends.reason if sends else None,
            sends_message=cut(sends.message) if sends else None,
            hosts=tuple(hosts)[:_MOST_HOSTS],
            remedy=cut(remedy_of(workload, plan.targets, verdict)) or None,
            provenance=verdict.provenance,
            **fields,
        )


def _channel_policy(policy: Policy) -> ChannelPolicy:
    return ChannelPolicy(kind=policy.kind, namespace=policy.namespace or None, name=policy.name)


def stored_reports(
    record: WorkloadTelemetryStatus,
) -> dict[tuple[str, ChannelName], Reported]:
    """The last reports that the previous leader stored, until the products are checked again."""
    return {
        (channel.product or record.product or "", channel.name): Reported(
            setting=channel.reported,
            # Where the state was Compliant, the report was later than the last lookup.
            as_of=channel.last_observed_time if channel.state is State.COMPLIANT else None,
            last_submission=channel.last_submission_time,
            inventory=channel.inventory,
        )
        for channel in record.channels
        if channel.reported is not Setting.UNKNOWN
    }


def _seeds(verdicts: Iterable[Verdict]) -> Iterator[SeedRecord]:
    for verdict in verdicts:
        if verdict.seeded and verdict.desired is not None:
            yield SeedRecord(
                product=verdict.product,
                channel=verdict.channel,
                desired=verdict.desired,
                volumes=verdict.seeded,
            )


def _observe(verdicts: Iterable[Verdict]) -> Iterator[ObservedCondition]:
    """The condition Compliant, if a policy covers the workload."""
    in_effect = [verdict for verdict in verdicts if verdict.state is not None]
    state = worst_state(verdict.state for verdict in in_effect if verdict.state)
    if state is None or state is State.EXEMPT:
        return
    verdict = next(verdict for verdict in in_effect if verdict.state is state)
    yield ObservedCondition(
        type="Compliant",
        status=_STATUS_BY_STATE.get(state, ConditionStatus.UNKNOWN),
        reason=verdict.reason or state,
        message=cut(f"{verdict.product}, {verdict.channel}: {verdict.message}"),
    )


def workload_telemetry_manifest(
    workload: Workload, status: WorkloadTelemetryStatus
) -> dict[str, Any]:
    """The object itself, owned by the workload, with the labels of its status."""
    return {
        "apiVersion": API_VERSION,
        "kind": WORKLOAD_TELEMETRY.kind,
        "metadata": {
            "name": workload_telemetry_name(workload.ref),
            "namespace": workload.ref.namespace,
            "labels": labels_of(status),
            "ownerReferences": [
                {
                    "apiVersion": WORKLOAD_BY_KIND[workload.ref.kind].api_version,
                    "kind": workload.ref.kind,
                    "name": workload.ref.name,
                    "uid": workload.uid,
                }
            ],
        },
    }


def status_manifest(manifest: dict[str, Any], status: Any) -> dict[str, Any]:
    """The same object with a status, for the status subresource."""
    names = ("name", "namespace")
    metadata = {key: manifest["metadata"][key] for key in names if key in manifest["metadata"]}
    return {**manifest, "metadata": metadata, "status": msgspec.to_builtins(status)}
