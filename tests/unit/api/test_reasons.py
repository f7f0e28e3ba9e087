from __future__ import annotations

import re
from enum import StrEnum

import msgspec
import pytest

from fleet_telemetry.api.conditions import Condition
from fleet_telemetry.api.reasons import EgressReason, HostReason, PolicyReason, Reason

_MEMBERS = [*Reason, *EgressReason, *PolicyReason, *HostReason]
_AnyReason = Reason | EgressReason | PolicyReason | HostReason


def test_every_reason_is_a_word_with_a_meaning_that_fits_into_a_condition() -> None:
    wrong = {f"{type(one).__name__}.{one}": found for one in _MEMBERS if (found := _problem(one))}
    assert wrong == {}


def _problem(reason: _AnyReason) -> str:
    """What is wrong with a reason; empty if nothing is."""
    if not re.fullmatch(r"([A-Z][a-z]+)+", reason.value):
        return "is not in CamelCase"
    if re.sub(r"(?<!^)(?=[A-Z])", "_", reason.value).upper() != reason.name:
        return f"has the name {reason.name}"
    meaning = reason.meaning
    if not meaning[0].isupper() or not meaning.endswith(".") or "  " in meaning:
        return f"has a meaning that is no sentence: {meaning}"
    condition = {
        "type": "Compliant",
        "status": "False",
        "reason": reason.value,
        "message": meaning,
        "lastTransitionTime": "2026-11-20T08:00:00Z",
    }
    try:
        decoded = msgspec.convert(condition, Condition)
    except msgspec.ValidationError as error:
        return f"does not fit into a condition: {error}"
    return "" if decoded.reason == reason else f"is decoded as {decoded.reason}"


@pytest.mark.parametrize("reasons", [Reason, EgressReason, PolicyReason, HostReason])
def test_no_word_and_no_meaning_is_there_twice(reasons: type[StrEnum]) -> None:
    # An enumeration would make the second member of one value an alias of the first.
    assert len(reasons.__members__) == len(list(reasons))
    meanings = [reason.meaning for reason in list(reasons)]  # type: ignore[attr-defined]
    assert len(set(meanings)) == len(meanings)
