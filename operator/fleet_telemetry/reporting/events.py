"""Which conditions become Events when they change.

No Event is repeated: the previous condition is in the object's status, also for the next leader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fleet_telemetry.api.conditions import Condition, ConditionStatus


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning to write as an Event."""

    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class _Rule:
    """A condition status that becomes an Event, and the Event's reason."""

    condition: str
    status: ConditionStatus
    reason: str
    also_first: bool = False
    """Also if the condition did not exist before."""


_OF_POLICIES = (
    _Rule("Accepted", ConditionStatus.FALSE, "PolicyNotAccepted", also_first=True),
    _Rule("Conflicted", ConditionStatus.TRUE, "PolicyOverruled", also_first=True),
    _Rule("ExceptionExpired", ConditionStatus.TRUE, "ExceptionExpired"),
)
_OF_WORKLOADS = (
    # Becoming compliant is no Event: every rollout goes through Unknown to Compliant.
    _Rule("Compliant", ConditionStatus.FALSE, "TelemetryNotCompliant"),
)


def policy_notices(before: Iterable[Condition], after: Iterable[Condition]) -> tuple[Notice, ...]:
    """The Events of a policy."""
    return tuple(_find(before, after, _OF_POLICIES))


def workload_notices(before: Iterable[Condition], after: Iterable[Condition]) -> tuple[Notice, ...]:
    """The Events of a workload. The first verdict creates none: a new policy would create one for
    every workload, and its own status reports them."""
    return tuple(_find(before, after, _OF_WORKLOADS))


def _find(
    before: Iterable[Condition], after: Iterable[Condition], rules: tuple[_Rule, ...]
) -> Iterator[Notice]:
    was = {condition.type: condition.status for condition in before}
    now = {condition.type: condition for condition in after}
    for rule in rules:
        found = now.get(rule.condition)
        if found is None or found.status is not rule.status:
            continue
        if rule.condition not in was and not rule.also_first:
            continue
        if was.get(rule.condition) is not rule.status:
            yield Notice(rule.reason, found.message)
