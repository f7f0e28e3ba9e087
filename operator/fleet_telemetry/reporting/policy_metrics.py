"""The metrics of policies and their exceptions, computed at the time of a scrape.

They come from the replica that leads and from no other, so that sums over replicas are true.
"""

from __future__ import annotations

import math
from collections import Counter as Tally
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from fleet_telemetry.api.conditions import ConditionStatus
from fleet_telemetry.api.policy import (
    ClusterWorkloadReference,
    Policy,
    PolicyException,
    RuntimeAction,
)
from fleet_telemetry.kube.entries import PolicyEntry, PolicyKey
from fleet_telemetry.objects.text import printable
from fleet_telemetry.reporting.families import Family
from fleet_telemetry.reporting.fleet_metrics import FleetSource

_POLICY = ("policy_kind", "policy_namespace", "policy")
_EXEMPTED = (*_POLICY, "resource_namespace", "kind", "name")

INFO = Family(
    "policy_info",
    "Always 1; the labels are what a policy asks for. Absent if its spec cannot be read.",
    (*_POLICY, "submission", "mode", "injection", "rollout", "runtime", "egress"),
    "policies",
)
CONDITION = Family(
    "policy_condition",
    "1 for the current status (true, false or unknown) of a policy's condition, 0 for the others.",
    (*_POLICY, "condition", "status"),
    "15 x policies",
)
OVERRULED = Family(
    "policy_overruled_workloads",
    "Workloads for which a policy of higher precedence asks for the opposite setting.",
    _POLICY,
    "policies",
)
EXCEPTION = Family(
    "exception_info",
    "Always 1; the labels are a policy, a workload that an exception names, expired or not, and "
    "the exception's reason, cut to 120 characters.",
    (*_EXEMPTED, "reason"),
    "exceptions",
)
EXPIRY = Family(
    "exception_expiry_timestamp_seconds",
    "When an exception expires; absent if it does not.",
    _EXEMPTED,
    "exceptions with an expiry",
)
_LONGEST_REASON = 120
"""Characters."""
FAMILIES = (INFO, CONDITION, OVERRULED, EXCEPTION, EXPIRY)


class PolicyCollector(Collector):
    """Computes the series."""

    def __init__(
        self, source: FleetSource, policies: Callable[[], Mapping[PolicyKey, PolicyEntry]]
    ) -> None:
        self._source = source
        self._policies = policies

    def collect(self) -> Iterator[Metric]:
        """Compute the series."""
        info, condition, overruled, exception, expiry = (family.gauge() for family in FAMILIES)
        conflicts = self._conflicts()
        policies = list(self._policies().items()) if self._source.visible() else []
        for key, entry in sorted(policies, key=itemgetter(0)):
            names = list(key)
            for found in entry.status.conditions:
                for status in ConditionStatus:
                    labels = [*names, found.type, status.lower()]
                    condition.add_metric(labels, float(found.status is status))
            if entry.policy is None:
                continue
            info.add_metric([*names, *_sections(entry.policy)], 1)
            overruled.add_metric(names, conflicts[key])
            for workload, one in _exceptions(entry.policy).items():
                reason = printable(one.reason.strip(), _LONGEST_REASON)
                exception.add_metric([*names, *workload, reason], 1)
                if one.expires_at is not None:
                    expiry.add_metric([*names, *workload], one.expires_at.timestamp())
        yield from (info, condition, overruled, exception, expiry)

    def _conflicts(self) -> Tally[PolicyKey]:
        return Tally(
            (found.policy.kind, found.policy.namespace, found.policy.name)
            for _, plan in self._source.plans()
            for found in plan.by_policy
            if found.overruled_by
        )


def _sections(policy: Policy) -> list[str]:
    spec = policy.spec
    return [
        spec.submission,
        spec.mode,
        policy.injection.when,
        policy.injection.rollout,
        spec.runtime.action if spec.runtime else RuntimeAction.VERIFY,
        spec.egress.action if spec.egress else "",
    ]


def _exceptions(policy: Policy) -> dict[tuple[str, str, str], PolicyException]:
    """The exempted workloads, each once, with the exception that lasts longest."""
    found: dict[tuple[str, str, str], PolicyException] = {}
    for exception in policy.spec.exceptions:
        workload = exception.workload
        namespace = (
            workload.namespace
            if isinstance(workload, ClusterWorkloadReference)
            else policy.namespace
        )
        key = (namespace, workload.kind, workload.name)
        if key not in found or _ends(exception) > _ends(found[key]):
            found[key] = exception
    return found


def _ends(exception: PolicyException) -> float:
    ends = exception.expires_at
    return ends.timestamp() if ends is not None else math.inf
