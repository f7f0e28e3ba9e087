from __future__ import annotations

import re
from enum import StrEnum

import msgspec
import pytest

from fleet_telemetry.api.conditions import Condition
from fleet_telemetry.api.reasons import EgressReason, HostReason, PolicyReason, Reason

_MEMBERS = [*Reason, *EgressReason, *PolicyReason, *HostReason]
_AnyReason = Reason | EgressReason | PolicyReason | HostReason


@pytest.mark.parametrize("reason", _MEMBERS, ids=lambda reason: f"{type(reason).__name__}.{reason}")
class TestEveryReason:
    def test_is_one_camel_case_word_that_its_name_spells(self, reason: _AnyReason) -> None:
        assert re.fullmatch(r"([A-Z][a-z]+)+", reason.value)
        assert re.sub(r"(?<!^)(?=[A-Z])", "_", reason.value).upper() == reason.name

    def test_is_its_word(self, reason: _AnyReason) -> None:
        assert reason == reason.value
        assert f"{reason}" == str(reason) == reason.value
        assert type(reason)(reason.value) is reason

    def test_means_something_in_whole_sentences(self, reason: _AnyReason) -> None:
        assert reason.meaning[0].isupper()
        assert reason.meaning.endswith(".")
        assert "  " not in reason.meaning

    def test_fits_into_a_condition(self, reason: _AnyReason) -> None:
        condition = {
            "type": "Compliant",
            "status": "False",
            "reason": reason.value,
            "message": reason.meaning,
            "lastTransitionTime": "2026-11-20T08:00:00Z",
        }
        assert msgspec.convert(condition, Condition).reason == reason


@pytest.mark.parametrize("reasons", [Reason, EgressReason, PolicyReason, HostReason])
def test_no_word_and_no_meaning_is_there_twice(reasons: type[StrEnum]) -> None:
    # An enumeration would make the second member of one value an alias of the first.
    assert len(reasons.__members__) == len(list(reasons))
    meanings = [reason.meaning for reason in list(reasons)]  # type: ignore[attr-defined]
    assert len(set(meanings)) == len(meanings)
