"""What happens to a workload under policies: it is created, and its pods start as admission leaves
them. The decisions are those of webhook and controller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from fleet_telemetry.api.policy import Policy
from fleet_telemetry.audit.fixing.changing import changes_of
from fleet_telemetry.audit.subject import Subject
from fleet_telemetry.catalogue.catalogue import Catalogue
from fleet_telemetry.decision import Input, Plan, decide, plan_injection
from fleet_telemetry.switches.edits import Edit, Trigger
from fleet_telemetry.switches.patched import patched
from fleet_telemetry.workloads.workload import Pod, PodPhase, Workload

_NAME = "as-created"


@dataclass(frozen=True, slots=True)
class AdmissionOutcome:
    """What admission does to a workload, and the decision once its pods run."""

    sets: tuple[str, ...]
    """As in ``Expectation.sets``."""
    after: Workload
    """The workload, or its pods where the template is another controller's."""
    plan: Plan


def run_workload(
    subject: Subject, policies: tuple[Policy, ...], catalogue: Catalogue, now: datetime
) -> AdmissionOutcome:
    """The outcome for one workload."""
    workload = subject.workload
    given = Input(
        workload=workload,
        policies=policies,
        catalogue=catalogue,
        now=now,
        trigger=Trigger.CREATE,
        namespace_labels=subject.namespace_labels,
        is_pod=workload.is_injected_by_pod,
        config_maps=subject.config_maps,
    )
    edits = plan_injection(given).edits
    after = patched(workload, edits)
    pod = Pod(_NAME, after.template, uid=_NAME, phase=PodPhase.RUNNING, ready=True)
    # A CronJob that is suspended, and what has no replicas, runs no pod.
    running = replace(
        given,
        workload=workload if given.is_pod else after,
        trigger=Trigger.RECONCILE,
        is_pod=False,
        pods=() if after.is_idle else (pod,),
    )
    return AdmissionOutcome(
        sets=tuple(sorted(_written(workload, edits))),
        after=after,
        plan=decide(running),
    )


def _written(workload: Workload, edits: Iterable[Edit]) -> Iterator[str]:
    for one in changes_of(workload, edits):
        yield f"- {one.entry}" if one.removed else one.entry
