"""Metrics of the fleet: workloads counted by namespace and product, computed at each scrape."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from fleet_telemetry.api.conditions import Condition, ConditionStatus
from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.channel import Provenance
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.api.workload_telemetry import (
    EgressVerdict,
    Sends,
    State,
    WorkloadTelemetryStatus,
)
from fleet_telemetry.decision import Plan
from fleet_telemetry.evidence.registry import SETTING_SOURCES
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.kube.unmanaged_pods import UnmanagedPod
from fleet_telemetry.reporting.families import Family
from fleet_telemetry.workloads.workload import WorkloadRef

_GROUP = ("resource_namespace", "product", "channel")
_GROUPS = "namespaces x products x channels in use"

WORKLOADS = Family(
    "workloads",
    "Workloads that a policy covers, by channel state and desired setting.",
    (*_GROUP, "desired", "state"),
    f"6 x {_GROUPS}",
)
WITHOUT_POLICY = Family(
    "workloads_without_policy",
    "Workloads with a channel that no policy covers.",
    _GROUP,
    _GROUPS,
)
SENDS = Family(
    "workloads_sends",
    "Workloads by whether a channel sends something, by all evidence and whatever policies say.",
    (*_GROUP, "sends"),
    f"3 x {_GROUPS}",
)
SUBMITTING = Family(
    "workloads_submitting",
    "Workloads that a policy opts out and that submit all the same, by evidence.",
    (*_GROUP, "evidence"),
    f"3 x {_GROUPS}",
)
SUBMITTED_LATE = Family(
    "workloads_submitted_late",
    "Workloads that submitted something more than 5 minutes after they were proven opted out.",
    _GROUP,
    _GROUPS,
)
CONTACTED = Family(
    "workloads_contacted",
    "Workloads that a policy opts out and whose pods asked DNS for a host of the channel alone "
    "(reason ObservedContact).",
    _GROUP,
    _GROUPS,
)
EGRESS = Family(
    "workloads_egress",
    "Workloads by egress verdict on the hosts of a channel.",
    (*_GROUP, "verdict"),
    f"4 x {_GROUPS}",
)
PROVENANCE = Family(
    "workloads_provenance",
    "Workloads with a channel, by where the facts come from by which it is judged: the vendor's "
    "source, its documentation alone, or the user's TelemetryProduct.",
    (*_GROUP, "provenance"),
    f"3 x {_GROUPS}",
)
CHECKED = Family(
    "vendor_checked_workloads",
    "Workloads whose product is checked by its API, by the last result (ok or a reason).",
    ("resource_namespace", "product", "result"),
    "namespaces x products x results in use",
)
UNMANAGED = Family(
    "unmanaged_pods",
    "Pods that run a product that no workload is listed with: they have no controller (none), or "
    "one that the operator does not manage or whose own template does not run the product (other). "
    "Nothing is injected into them.",
    ("resource_namespace", "product", "controller"),
    "2 x namespaces x products in use",
)
FAMILIES = (
    UNMANAGED,
    WORKLOADS,
    WITHOUT_POLICY,
    PROVENANCE,
    SENDS,
    SUBMITTING,
    SUBMITTED_LATE,
    CONTACTED,
    EGRESS,
    CHECKED,
)
LATE = timedelta(minutes=5)
"""A submission that was under way counts as one from before."""


@dataclass(frozen=True, slots=True)
class LastCheck:
    """What came of asking a workload's product the last time."""

    ref: WorkloadRef
    product: str
    result: str
    """``ok`` or a reason."""
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSource:
    """Where the metrics of the fleet come from; each part is asked at the time of the scrape, in
    a thread of its own."""

    plans: Callable[[], Iterable[tuple[WorkloadRef, Plan]]]
    status_of: Callable[[WorkloadRef], WorkloadTelemetryStatus | None] = lambda _: None
    checks: Callable[[], Iterable[LastCheck]] = tuple
    unmanaged: Callable[[], Iterable[UnmanagedPod]] = tuple
    visible: Callable[[], bool] = lambda: True
    """Whether there is a fleet to show here: half of one would pass for the whole."""

    def compliant_since(self, ref: WorkloadRef) -> datetime | None:
        """Since when a workload is compliant, if it is."""
        found = self.compliance(ref)
        is_true = found is not None and found.status is ConditionStatus.TRUE
        return found.last_transition_time if found is not None and is_true else None

    def compliance(self, ref: WorkloadRef) -> Condition | None:
        """A workload's condition Compliant, if a policy covers it."""
        record = self.status_of(ref)
        conditions = record.conditions if record else ()
        return next((one for one in conditions if one.type == "Compliant"), None)


def evidence_of(verdict: Verdict) -> Iterator[tuple[str, Setting]]:
    """What each evidence comes to."""
    for name in SETTING_SOURCES:
        yield name, verdict.observed(name).effect


class FleetCollector(Collector):
    """Counts the fleet."""

    def __init__(self, source: FleetSource) -> None:
        self._source = source

    def collect(self) -> Iterator[Metric]:
        """Compute the series."""
        counts = _Counts()
        if self._source.visible():
            for ref, plan in self._source.plans():
                since = self._source.compliant_since(ref)
                for verdict in plan.verdicts:
                    counts.add(ref, verdict, since)
                    counts.add_egress(ref, verdict, plan)
            for pod in self._source.unmanaged():
                counts.add_unmanaged(pod)
            for check in self._source.checks():
                counts.tallies[CHECKED][check.ref.namespace, check.product, check.result] += 1
        for family, tally in counts.tallies.items():
            gauge = family.gauge()
            for labels, count in sorted(tally.items()):
                gauge.add_metric(labels, count)
            yield gauge


class _Counts:
    def __init__(self) -> None:
        self.tallies: dict[Family, Tally[tuple[str, ...]]] = {
            family: Tally() for family in FAMILIES
        }

    def add(self, ref: WorkloadRef, verdict: Verdict, compliant_since: datetime | None) -> None:
        # Adding a zero makes a series, so that a change has something to start from.
        group = (ref.namespace, verdict.product, str(verdict.channel))
        self.tallies[WITHOUT_POLICY][group] += verdict.state is None
        for possible in Provenance:
            self.tallies[PROVENANCE][*group, str(possible)] += verdict.provenance is possible
        for answer in Sends:
            found = verdict.sends.sends if verdict.sends is not None else Sends.UNKNOWN
            self.tallies[SENDS][*group, str(answer)] += found is answer
        opted_out = verdict.desired is Submission.DISABLED and verdict.state is not State.EXEMPT
        for evidence, meaning in evidence_of(verdict):
            submits = opted_out and meaning is Setting.ENABLED
            self.tallies[SUBMITTING][(*group, evidence)] += submits
        self.tallies[SUBMITTED_LATE][group] += (
            opted_out
            and compliant_since is not None
            and verdict.last_submission is not None
            and verdict.last_submission > compliant_since + LATE
        )
        self.tallies[CONTACTED][group] += opted_out and verdict.reason is Reason.OBSERVED_CONTACT
        if verdict.state is not None:
            for state in State:
                key = (*group, str(verdict.desired or ""), str(state))
                self.tallies[WORKLOADS][key] += verdict.state is state

    def add_unmanaged(self, pod: UnmanagedPod) -> None:
        for product in pod.products:
            for possible in ("none", "other"):
                key = pod.namespace, product, possible
                self.tallies[UNMANAGED][key] += (pod.controller is None) is (possible == "none")

    def add_egress(self, ref: WorkloadRef, verdict: Verdict, plan: Plan) -> None:
        found = plan.egress.get((verdict.product, verdict.channel))
        for possible in EgressVerdict if found is not None else ():
            key = (ref.namespace, verdict.product, str(verdict.channel), str(possible))
            self.tallies[EGRESS][key] += found is not None and found.verdict is possible
