"""The last plan of each workload."""

from __future__ import annotations

from collections.abc import Iterator

from fleet_telemetry.decision import Plan, PolicyVerdict
from fleet_telemetry.kube.entries import PolicyKey
from fleet_telemetry.workloads.workload import WorkloadRef


class Plans:
    """What this replica knows about the fleet while it is the leader; empty otherwise."""

    def __init__(self) -> None:
        self._plans: dict[WorkloadRef, Plan] = {}

    def get(self, ref: WorkloadRef) -> Plan | None:
        """The last plan of a workload; None if there is none yet."""
        return self._plans.get(ref)

    def upsert(self, ref: WorkloadRef, plan: Plan) -> None:
        """Replace the plan of a workload."""
        self._plans[ref] = plan

    def delete(self, ref: WorkloadRef) -> None:
        """Drop the plan of a workload that no longer exists."""
        self._plans.pop(ref, None)

    def clear(self) -> None:
        """Drop all plans."""
        self._plans.clear()

    def items(self) -> Iterator[tuple[WorkloadRef, Plan]]:
        """All plans: a copy, because a scrape calls this from its own thread."""
        return iter(list(self._plans.items()))


def policy_key(found: PolicyVerdict) -> PolicyKey:
    """The key of the policy that a verdict belongs to."""
    return found.policy.kind, found.policy.namespace, found.policy.name
