"""Conditions: observations about an object, one entry per type."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from fleet_telemetry.api.schema import ApiType, Time, described
from fleet_telemetry.objects.text import printable

LONGEST_MESSAGE = 4096
"""Characters."""


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiType, frozen=True, kw_only=True):
    """One observation about an object, in the form that Kubernetes tools expect."""

    type: Annotated[str, described("What is observed.", min_length=1, max_length=64)]
    status: Annotated[ConditionStatus, described("Whether it holds.")]
    reason: Annotated[
        str, described("The reason, one CamelCase word.", min_length=1, max_length=64)
    ]
    message: Annotated[str, described("The reason in a sentence.", max_length=LONGEST_MESSAGE)]
    last_transition_time: Annotated[
        Time, described("When the status last changed; a change of the reason does not count.")
    ]
    observed_generation: (
        Annotated[
            int, described("The generation of the object that this condition describes.", ge=0)
        ]
        | None
    ) = None


class ObservedCondition(ApiType, frozen=True, kw_only=True):
    """A condition without a time: the result of a pure decision."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


def merge_conditions(
    before: Iterable[Condition],
    observations: Iterable[ObservedCondition],
    *,
    now: datetime,
    generation: int | None = None,
) -> tuple[Condition, ...]:
    """Give observations their times: a time moves only when the status flips.

    Conditions of types that are no longer observed are dropped. Messages are on one line, and cut.
    """
    known = {condition.type: condition for condition in before}
    merged = []
    for seen in observations:
        old = known.get(seen.type)
        since = old.last_transition_time if old and old.status == seen.status else now
        merged.append(
            Condition(
                type=seen.type,
                status=seen.status,
                reason=seen.reason,
                message=printable(seen.message, LONGEST_MESSAGE),
                last_transition_time=since.replace(microsecond=0),
                observed_generation=generation,
            )
        )
    return tuple(merged)
