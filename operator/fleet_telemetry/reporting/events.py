"""Which conditions become Events when they change.

No Event is repeated: the previous condition is in the object's status, also for the next leader.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fleet_telemetry.api.conditions import Condition, ConditionStatus
from fleet_telemetry.api.reasons import Reason


@dataclass(frozen=True, slots=True)
class Notice:
    """What to write as an Event."""

    reason: str
    note: str
    warning: bool = True
    """An Event of the type Warning; else of the type Normal."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A condition status that becomes an Event, and the Event's reason."""

    condition: str
    status: ConditionStatus
    reason: str
    also_first: bool = False
    """Also if the condition did not exist before."""
    because: frozenset[str] = frozenset()
    """Only for these reasons of the condition; empty for all."""


_OF_POLICIES = (
    _Rule("Accepted", ConditionStatus.FALSE, "PolicyNotAccepted", also_first=True),
    _Rule("Conflicted", ConditionStatus.TRUE, "PolicyOverruled", also_first=True),
    _Rule("ExceptionExpired", ConditionStatus.TRUE, "ExceptionExpired"),
    _Rule("Verified", ConditionStatus.FALSE, "TelemetryChecksFail", also_first=True),
)
_ANSWER_LOST = frozenset(
    {
        Reason.CREDENTIALS_REJECTED,
        Reason.PERMISSION_MISSING,
        Reason.RATE_LIMITED,
        Reason.REPORT_STALE,
        Reason.SECRET_NOT_READABLE,
        Reason.TLS_NOT_TRUSTED,
        Reason.UNREACHABLE,
        Reason.VENDOR_ERROR,
    }
)
_OF_PRODUCTS = (
    _Rule("Accepted", ConditionStatus.FALSE, "ProductNotAccepted", also_first=True),
    _Rule("OverridesBuiltin", ConditionStatus.TRUE, "BuiltinProductOverridden", also_first=True),
)
_OF_WORKLOADS = (
    # Becoming compliant is no Event: every rollout goes through Unknown to Compliant.
    _Rule("Compliant", ConditionStatus.FALSE, "TelemetryNotCompliant"),
    # The product answered before, and a person has to look why it does not any more.
    _Rule("Compliant", ConditionStatus.UNKNOWN, "TelemetryNotVerified", because=_ANSWER_LOST),
)


def policy_notices(before: Iterable[Condition], after: Iterable[Condition]) -> tuple[Notice, ...]:
    """The Events of a policy."""
    return tuple(_find(before, after, _OF_POLICIES))


def product_notices(before: Iterable[Condition], after: Iterable[Condition]) -> tuple[Notice, ...]:
    """The Events of a TelemetryProduct."""
    return tuple(_find(before, after, _OF_PRODUCTS))


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
        if rule.because and found.reason not in rule.because:
            continue
        if rule.condition not in was and not rule.also_first:
            continue
        if was.get(rule.condition) is not rule.status:
            yield Notice(rule.reason, found.message)
