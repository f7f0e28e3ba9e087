"""The series of single workloads, several for each: by far the most of all.

They are written as text straight away and one family after the other, so that ten thousand
workloads take neither long nor much memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from fleet_telemetry.api.conditions import ConditionStatus
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.workload_telemetry import EgressVerdict, Sends
from fleet_telemetry.decision import Plan
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.reporting.families import Family, escape
from fleet_telemetry.reporting.fleet_metrics import FleetSource, evidence_of
from fleet_telemetry.workloads.workload import WorkloadRef

INFO = Family(
    "workload_info",
    "Always 1; the labels are the product and version that a workload runs.",
    ("kind", "name", "product", "resource_namespace", "version"),
    "workloads x products",
)
STATE = Family(
    "workload_state",
    "Always 1; the labels are the state of a channel and its reason. Absent if no policy covers "
    "the channel.",
    (
        "channel",
        "desired",
        "kind",
        "name",
        "policy",
        "policy_kind",
        "product",
        "reason",
        "resource_namespace",
        "state",
    ),
    "workloads x channels",
)
ENABLED = Family(
    "submission_enabled",
    "1 if the evidence shows that telemetry is on, 0 if it shows that it is off; absent if it "
    "shows neither.",
    ("channel", "evidence", "kind", "name", "product", "resource_namespace"),
    "workloads x channels x evidence with a result",
)
SENDS = Family(
    "workload_sends",
    "1 if a channel sends something, or the next pods will, and 0 if it is proven that they do "
    "not, by all evidence and whatever policies say; absent if neither is proven.",
    ("channel", "kind", "name", "product", "resource_namespace"),
    "workloads x channels",
)
LAST_SUBMISSION = Family(
    "last_submission_timestamp_seconds",
    "When the product last sent something, as it reports.",
    ("channel", "kind", "name", "product", "resource_namespace"),
    "workloads whose product reports it",
)
COMPLIANT_SINCE = Family(
    "compliant_since_timestamp_seconds",
    "Since when a workload is proven compliant in all channels; absent if it is not.",
    ("kind", "name", "resource_namespace"),
    "compliant workloads",
)
NOT_COMPLIANT_SINCE = Family(
    "not_compliant_since_timestamp_seconds",
    "Since when a workload's condition Compliant has been as the label status says: false, or "
    "unknown. Absent if it is true, or if no policy covers the workload.",
    ("kind", "name", "resource_namespace", "status"),
    "workloads that are covered and not compliant",
)
LAST_CHECK = Family(
    "vendor_last_check_timestamp_seconds",
    "When the product was last checked by its API; the result (ok or a reason) is a label.",
    ("kind", "name", "product", "resource_namespace", "result"),
    "workloads whose product is checked",
)
UNMANAGED = Family(
    "unmanaged_pod_info",
    "Always 1; the labels are a pod that runs a product that no workload is listed with, and the "
    "pod's controller if it has one.",
    ("controller_kind", "controller_name", "name", "product", "resource_namespace"),
    "such pods x products",
)
FAMILIES = (
    INFO,
    STATE,
    ENABLED,
    SENDS,
    LAST_SUBMISSION,
    COMPLIANT_SINCE,
    NOT_COMPLIANT_SINCE,
    LAST_CHECK,
    UNMANAGED,
)

Planned = tuple[WorkloadRef, Plan]
Series = Iterator[tuple[tuple[str, ...], float]]


def render_workloads(source: FleetSource) -> Iterator[str]:
    """All of them in Prometheus' text format, in pieces."""
    visible = source.visible()
    plans = list(source.plans()) if visible else []
    writers: dict[Family, Callable[[list[Planned]], Series]] = {
        INFO: _info,
        STATE: _state,
        ENABLED: _enabled,
        SENDS: _sends,
        LAST_SUBMISSION: _last_submission,
    }
    for family, write in writers.items():
        yield from family.text(write(plans))
    yield from COMPLIANT_SINCE.text(_compliant_since(source, plans))
    yield from NOT_COMPLIANT_SINCE.text(_not_compliant_since(source, plans))
    yield from LAST_CHECK.text(_last_check(source) if visible else ())
    yield from UNMANAGED.text(_unmanaged(source) if visible else ())


def _info(plans: Iterable[Planned]) -> Series:
    for ref, plan in plans:
        versions: dict[str, dict[str, None]] = {}
        for target in plan.targets:
            known = versions.setdefault(target.product.name, {})
            if target.version is not None:
                known[target.version.text] = None
        for product, texts in versions.items():
            version = escape(", ".join(texts))
            yield (ref.kind, ref.name, product, ref.namespace, version), 1.0


def _state(plans: Iterable[Planned]) -> Series:
    for ref, verdict in _verdicts(plans):
        if verdict.state is not None:
            policy = verdict.policy
            yield (
                (
                    verdict.channel,
                    verdict.desired or "",
                    ref.kind,
                    ref.name,
                    policy.name if policy else "",
                    policy.kind if policy else "",
                    verdict.product,
                    verdict.reason or "",
                    ref.namespace,
                    verdict.state,
                ),
                1.0,
            )


def _enabled(plans: Iterable[Planned]) -> Series:
    for ref, plan in plans:
        for verdict in plan.verdicts:
            names = (ref.kind, ref.name, verdict.product, ref.namespace)
            for evidence, meaning in evidence_of(verdict):
                if meaning is Setting.ENABLED or meaning is Setting.DISABLED:
                    yield (verdict.channel, evidence, *names), float(meaning is Setting.ENABLED)
            found = plan.egress.get((verdict.product, verdict.channel))
            # Where the network lets it out, that says nothing of whether anything is sent.
            if found is not None and found.verdict is EgressVerdict.DENIED:
                yield (verdict.channel, "egress", *names), 0.0


def _sends(plans: Iterable[Planned]) -> Series:
    for ref, verdict in _verdicts(plans):
        if verdict.sends is not None and verdict.sends.sends is not Sends.UNKNOWN:
            names = (ref.kind, ref.name, verdict.product, ref.namespace)
            yield (verdict.channel, *names), float(verdict.sends.sends is Sends.YES)


def _last_submission(plans: Iterable[Planned]) -> Series:
    for ref, verdict in _verdicts(plans):
        if verdict.last_submission is not None:
            names = (ref.kind, ref.name, verdict.product, ref.namespace)
            yield (verdict.channel, *names), verdict.last_submission.timestamp()


def _compliant_since(source: FleetSource, plans: Iterable[Planned]) -> Series:
    for ref, _ in plans:
        since = source.compliant_since(ref)
        if since is not None:
            yield (ref.kind, ref.name, ref.namespace), since.timestamp()


def _not_compliant_since(source: FleetSource, plans: Iterable[Planned]) -> Series:
    for ref, _ in plans:
        found = source.compliance(ref)
        if found is not None and found.status is not ConditionStatus.TRUE:
            labels = (ref.kind, ref.name, ref.namespace, found.status.lower())
            yield labels, found.last_transition_time.timestamp()


def _last_check(source: FleetSource) -> Series:
    for check in source.checks():
        ref = check.ref
        names = (ref.kind, ref.name, check.product, ref.namespace)
        yield (*names, check.result), check.at.timestamp()


def _unmanaged(source: FleetSource) -> Series:
    for pod in source.unmanaged():
        owner = pod.controller
        kind, name = (escape(owner.kind), escape(owner.name)) if owner else ("", "")
        for product in pod.products:
            yield (kind, name, pod.name, product, pod.namespace), 1.0


def _verdicts(plans: Iterable[Planned]) -> Iterator[tuple[WorkloadRef, Verdict]]:
    for ref, plan in plans:
        for verdict in plan.verdicts:
            yield ref, verdict
