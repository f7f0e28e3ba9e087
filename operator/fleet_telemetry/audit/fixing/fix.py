"""The fix of one workload: changes, a patch, and what an audit would say after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from fleet_telemetry.api.workload_telemetry import Sends
from fleet_telemetry.audit.fixing.changing import changes_of, obstacles_of
from fleet_telemetry.audit.fixing.charts import chart_of, helm_values
from fleet_telemetry.audit.fixing.noting import notes_of
from fleet_telemetry.audit.fixing.patching import patch_of
from fleet_telemetry.audit.judging import decide_on
from fleet_telemetry.audit.result import Finding, Fix, FixOutcome
from fleet_telemetry.audit.subject import Subject
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.catalogue.matching import MatchedContainer
from fleet_telemetry.switches.disabling import plan_disabling
from fleet_telemetry.switches.edits import Edit
from fleet_telemetry.switches.patched import patched
from fleet_telemetry.workloads.workload import Pod, PodPhase

_AFTERWARDS = "afterwards"


def fix_of(
    subject: Subject,
    targets: Sequence[MatchedContainer],
    findings: Sequence[Finding],
    catalogue: Catalogue,
    now: datetime,
) -> Fix | None:
    """The fix of the channels that send or may send; None if none does. ``findings`` are those of
    the subject, ``targets`` its containers that run products."""
    open_findings = [one for one in findings if one.sends is not Sends.NO]
    if not open_findings:
        return None
    workload = subject.workload
    channels = [(one.product, one.channel) for one in open_findings]
    planned = plan_disabling(workload, targets, channels)
    edits = tuple(one for one in planned if isinstance(one, Edit))
    is_edited = not workload.ref.kind.type.is_injected_by_pod
    may_patch = (
        is_edited
        and workload.controller is None
        and not (workload.template_immutable and any(edit.mechanism != "suspend" for edit in edits))
    )
    outcomes = tuple(_outcomes(subject, open_findings, edits, catalogue, now))
    # What something else overrides is no fix.
    helps = any(one.after is not Sends.YES for one in outcomes)
    patch = patch_of(workload, edits) if may_patch and helps else None
    chart = chart_of(workload.labels)
    return Fix(
        place=subject.place,
        namespace=workload.ref.namespace,
        api_version=workload.ref.kind.type.api.api_version,
        kind=workload.ref.kind.value,
        name=workload.ref.name,
        changes=tuple(changes_of(workload, planned)),
        obstacles=tuple(obstacles_of(planned)),
        outcomes=outcomes,
        remedies=tuple(dict.fromkeys(one.remedy for one in open_findings if one.remedy)),
        notes=tuple(dict.fromkeys(notes_of(workload, targets, channels, edits))),
        patch_form=patch.form if patch else None,
        patch=patch.content if patch else None,
        chart=chart,
        helm_values=helm_values(chart, edits) if helps else None,
    )


def _outcomes(
    subject: Subject,
    findings: Sequence[Finding],
    edits: Sequence[Edit],
    catalogue: Catalogue,
    now: datetime,
) -> Iterator[FixOutcome]:
    """The decision on the workload as it would be, with pods that were started like that. What a
    product reported before says nothing about it."""
    after = subject.workload if not edits else patched(subject.workload, edits)
    as_written = Pod(
        _AFTERWARDS, after.template, uid=_AFTERWARDS, phase=PodPhase.RUNNING, ready=True
    )
    # A CronJob that is suspended runs no pod.
    is_suspended = any(one.schedule and one.schedule.suspended for one in after.template.containers)
    changed = replace(
        subject,
        workload=after,
        pods=() if is_suspended else (as_written,),
        reported={} if edits else subject.reported,
    )
    plan = decide_on(changed, (), catalogue, now)
    found = {(one.product, one.channel): one.sends for one in plan.verdicts}
    for one in findings:
        sends = found.get((one.product, one.channel))
        if sends is not None:
            yield FixOutcome(
                product=one.product,
                channel=one.channel,
                before=one.sends,
                after=sends.sends,
                reason=sends.reason,
                message=sends.message,
            )
