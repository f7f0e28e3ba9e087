"""A workload's results for auditors, in the form of OpenReports and of the older PolicyReport."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fleet_telemetry.api.policy import Mode, Policy
from fleet_telemetry.api.workload_telemetry import EgressVerdict, ObservedVerdict, State
from fleet_telemetry.decision import Plan
from fleet_telemetry.evidence.observed import observed_of
from fleet_telemetry.evidence.reason_remedies import REMEDIES
from fleet_telemetry.evidence.registry import SETTING_SOURCES
from fleet_telemetry.evidence.verdict import Verdict
from fleet_telemetry.kube.kinds import WORKLOAD_BY_KIND
from fleet_telemetry.objects.kind import Kind
from fleet_telemetry.objects.manifest import Manifest, dig, items_at, number_at
from fleet_telemetry.reporting.messages import cut
from fleet_telemetry.workloads.workload import Workload

OPEN_REPORTS = Kind("openreports.io", "v1alpha1", "reports", "Report")
POLICY_REPORTS = Kind("wgpolicyk8s.io", "v1alpha2", "policyreports", "PolicyReport")
SOURCE = "fleet-telemetry"
MANAGED_BY = {"app.kubernetes.io/managed-by": "fleet-telemetry"}
CATEGORY = "Vendor telemetry"


class ReportOutcome(StrEnum):
    """What a result comes to."""

    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    WARN = "warn"
    ERROR = "error"
    SKIP = "skip"


_OUTCOMES = {
    State.COMPLIANT: ReportOutcome.PASS,
    State.NON_COMPLIANT: ReportOutcome.FAIL,
    State.NOT_ENFORCEABLE: ReportOutcome.FAIL,
    State.PENDING: ReportOutcome.WARN,
    # Not known is never a pass.
    State.UNKNOWN: ReportOutcome.ERROR,
    State.EXEMPT: ReportOutcome.SKIP,
}
_SEVERITIES = {
    ReportOutcome.PASS: "info",
    ReportOutcome.SKIP: "info",
    ReportOutcome.WARN: "low",
    ReportOutcome.ERROR: "medium",
    ReportOutcome.FAIL: "high",
}


@dataclass(frozen=True, slots=True)
class ReportResult:
    """What is found of one channel of one product."""

    key: str
    """The same for as long as the policy decides on this channel of this workload."""
    policy: str
    rule: str
    outcome: ReportOutcome
    severity: str
    scored: bool
    message: str
    properties: tuple[tuple[str, str], ...]

    def manifest(self, seconds: int) -> dict[str, Any]:
        """As the report has it; ``seconds`` since the epoch is when it came to be so."""
        return {
            "policy": self.policy,
            "rule": self.rule,
            "category": CATEGORY,
            "severity": self.severity,
            "result": self.outcome.value,
            "scored": self.scored,
            "message": self.message,
            "source": SOURCE,
            "timestamp": {"seconds": seconds, "nanos": 0},
            "properties": dict(self.properties),
        }


def build_results(workload: Workload, plan: Plan, cluster: str = "") -> tuple[ReportResult, ...]:
    """A result for each channel that a policy covers. ``cluster`` is the cluster's name."""
    return tuple(
        _result(workload, verdict, verdict.policy, _egress(plan, verdict), cluster)
        for verdict in plan.verdicts
        if verdict.policy is not None and verdict.state is not None
    )


def _egress(plan: Plan, verdict: Verdict) -> EgressVerdict:
    found = plan.egress.get((verdict.product, verdict.channel))
    return found.verdict if found is not None else EgressVerdict.UNKNOWN


def _result(
    workload: Workload, verdict: Verdict, policy: Policy, egress: EgressVerdict, cluster: str
) -> ReportResult:
    assert verdict.state is not None
    is_audit = policy.spec.mode is Mode.AUDIT
    outcome = _OUTCOMES[verdict.state]
    if is_audit and outcome is ReportOutcome.FAIL:
        outcome = ReportOutcome.WARN
    reason = verdict.reason
    meaning = reason.meaning if reason else ""
    return ReportResult(
        key=f"{workload.uid}.{policy.uid}.{verdict.product}.{verdict.channel}",
        policy=policy.name,
        rule=f"{verdict.product}.{verdict.channel}",
        outcome=outcome,
        severity=_SEVERITIES[outcome],
        scored=not is_audit,
        message=cut(verdict.message or meaning),
        properties=(
            *_properties(workload, verdict, policy, egress),
            *((("cluster", cluster),) if cluster else ()),
        ),
    )


def _properties(
    workload: Workload, verdict: Verdict, policy: Policy, egress: EgressVerdict
) -> Iterator[tuple[str, str]]:
    observed = observed_of(verdict).verdict
    yield "resultID", f"{workload.uid}.{policy.uid}.{verdict.product}.{verdict.channel}"
    yield (
        "evidence",
        (
            ", ".join(f"{name}={verdict.observed(name).setting}" for name in SETTING_SOURCES)
            + f", egress={egress}"
            + (f", observed={observed}" if observed is not ObservedVerdict.UNKNOWN else "")
        ),
    )
    yield "policyKind", policy.kind.value
    yield "desired", str(verdict.desired or "")
    yield "state", str(verdict.state)
    if verdict.reason is not None:
        yield "reason", str(verdict.reason)
    if verdict.provenance is not None:
        yield "provenance", verdict.provenance.value
    is_open = verdict.state not in (State.COMPLIANT, State.EXEMPT)
    if is_open and verdict.reason is not None and verdict.reason in REMEDIES:
        yield "remediation", REMEDIES[verdict.reason]
    if verdict.sends is not None:
        yield "sends", verdict.sends.sends.value
    if verdict.last_submission is not None:
        yield "lastSubmission", verdict.last_submission.isoformat()


def report_manifest(
    kind: Kind, workload: Workload, results: Iterable[ReportResult], seconds: int
) -> dict[str, Any]:
    """The report of a workload, owned by it; ``seconds`` is when all results came to be."""
    results = tuple(results)
    owner = {
        "apiVersion": WORKLOAD_BY_KIND[workload.ref.kind].api_version,
        "kind": str(workload.ref.kind),
        "name": workload.ref.name,
        "uid": workload.uid,
    }
    counted = Counter(result.outcome for result in results)
    manifest: dict[str, Any] = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": workload.uid,
            "namespace": workload.ref.namespace,
            "labels": MANAGED_BY,
            "ownerReferences": [owner],
        },
        "scope": {**owner, "namespace": workload.ref.namespace},
        "summary": {outcome.value: counted[outcome] for outcome in ReportOutcome},
        "results": [result.manifest(seconds) for result in results],
    }
    if kind is OPEN_REPORTS:
        manifest["source"] = SOURCE
    return manifest


@dataclass(frozen=True, slots=True)
class LiveReport:
    """The live report, as far as a comparison needs it."""

    digest: int
    """Of all that it says, without the times of results."""
    results: Mapping[str, tuple[int, int]]
    """By key: the digest of the result, and its seconds."""


def read_written(manifest: Manifest) -> LiveReport:
    """What a report in the cluster says. Somebody may have written anything into it."""
    found: dict[str, tuple[int, int]] = {}
    order = []
    for result in items_at(manifest, "results"):
        key = str(dig(result, "properties", "resultID") or "")
        digest = _digest({name: value for name, value in result.items() if name != "timestamp"})
        found[key] = digest, number_at(result, "timestamp", "seconds")
        order.append(digest)
    besides = {name: manifest.get(name) for name in ("scope", "summary", "source")}
    return LiveReport(hash((_digest(besides), *order)), found)


def report_to_write(
    kind: Kind,
    workload: Workload,
    results: Iterable[ReportResult],
    before: LiveReport | None,
    now: int,
) -> dict[str, Any] | None:
    """The report, if it is to be written; None where the cluster has it already.

    A result keeps its time for as long as nothing in it changes. ``now`` is in seconds.
    """
    report = report_manifest(kind, workload, results, now)
    wanted = read_written(report)
    if before is None:
        return report
    if wanted.digest == before.digest:
        return None
    for result in report["results"]:
        key = result["properties"]["resultID"]
        was, since = before.results.get(key, (None, now))
        if was == wanted.results[key][0]:
            result["timestamp"]["seconds"] = since
    return report


def _digest(content: Any) -> int:
    """Of plain content, whatever the order of its keys; good within this process."""
    if isinstance(content, Mapping):
        return hash(frozenset((key, _digest(value)) for key, value in content.items()))
    if isinstance(content, list):
        return hash(tuple(map(_digest, content)))
    return hash(content)
