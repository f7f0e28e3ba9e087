"""What is worth an Event: a condition that flips in a way in which a person would want to know.

Nothing is told twice: the condition as it was is in the object's status, also for the next leader.
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
    """Which status of which condition is told, and by which name."""

    condition: str
    status: ConditionStatus
    reason: str
    also_first: bool = False
    """Also where the condition was not there before."""


_OF_POLICIES = (
    _Rule("Accepted", ConditionStatus.FALSE, "PolicyNotAccepted", also_first=True),
    _Rule("Conflicted", ConditionStatus.TRUE, "PolicyOverruled", also_first=True),
    _Rule("ExceptionExpired", ConditionStatus.TRUE, "ExceptionExpired"),
)
_OF_WORKLOADS = (
    # That it is compliant again is not told: every rollout passes through Unknown to there.
    _Rule("Compliant", ConditionStatus.FALSE, "TelemetryNotCompliant"),
)


def policy_notices(before: Iterable[Condition], after: Iterable[Condition]) -> tuple[Notice, ...]:
    """What is to be told on a policy."""
    return tuple(_find(before, after, _OF_POLICIES))


def workload_notices(before: Iterable[Condition], after: Iterable[Condition]) -> tuple[Notice, ...]:
    """What is to be told on a workload. A verdict that is its first is no news: a policy that is
    new would tell of all workloads at once, and says so itself."""
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
