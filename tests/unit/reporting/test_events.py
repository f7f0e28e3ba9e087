"""What is told as an Event, and that nothing is told twice."""

from __future__ import annotations

import pytest

from fleet_telemetry.api.conditions import Condition, ConditionStatus
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.reporting.events import Notice, policy_notices, workload_notices
from tests.support.builders import NOW

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


def condition(
    kind: str, status: ConditionStatus, message: str = "Said.", reason: str = "Why"
) -> Condition:
    return Condition(
        type=kind, status=status, reason=reason, message=message, last_transition_time=NOW
    )


@pytest.mark.parametrize(
    ("kind", "bad", "reason"),
    [("Accepted", FALSE, "PolicyNotAccepted"), ("Conflicted", TRUE, "PolicyOverruled")],
)
def test_what_is_wrong_with_a_policy_is_told_once(
    kind: str, bad: ConditionStatus, reason: str
) -> None:
    good = TRUE if bad is FALSE else FALSE
    wrong = [condition(kind, bad)]

    told = (Notice(reason, "Said."),)
    assert policy_notices([], wrong) == told
    assert policy_notices([condition(kind, good)], wrong) == told
    assert policy_notices(wrong, [condition(kind, bad, "In other words.")]) == ()
    assert policy_notices(wrong, [condition(kind, good)]) == ()


def test_an_exception_that_ends_is_told_and_one_that_had_ended_before_is_not() -> None:
    ended = [condition("ExceptionExpired", TRUE)]

    assert policy_notices([], ended) == ()
    (notice,) = policy_notices([condition("ExceptionExpired", FALSE)], ended)
    assert notice.reason == "ExceptionExpired"


def test_a_workload_that_is_no_longer_compliant_is_told() -> None:
    good, bad = [condition("Compliant", TRUE)], [condition("Compliant", FALSE)]

    assert workload_notices(good, bad) == (Notice("TelemetryNotCompliant", "Said."),)
    assert workload_notices(bad, good) == ()


def test_the_first_verdict_on_a_workload_is_no_news() -> None:
    assert workload_notices([], [condition("Compliant", FALSE)]) == ()
    assert workload_notices([], [condition("Compliant", TRUE)]) == ()


def test_not_knowing_is_no_news() -> None:
    assert workload_notices([condition("Compliant", TRUE)], [condition("Compliant", UNKNOWN)]) == ()
    assert (
        workload_notices([condition("Compliant", UNKNOWN)], [condition("Compliant", FALSE)]) != ()
    )
    # As after every rollout.
    assert workload_notices([condition("Compliant", UNKNOWN)], [condition("Compliant", TRUE)]) == ()


def test_a_product_that_does_not_answer_any_more_is_told_once() -> None:
    lost = [condition("Compliant", UNKNOWN, reason=Reason.REPORT_STALE)]
    for before in (TRUE, FALSE):
        told = workload_notices([condition("Compliant", before)], lost)
        assert told == (Notice("TelemetryNotVerified", "Said."),)
    again = [condition("Compliant", UNKNOWN, reason=Reason.RATE_LIMITED)]
    assert workload_notices(lost, again) == ()
    assert workload_notices([], lost) == ()


def test_what_is_good_or_of_another_kind_is_not_told() -> None:
    assert policy_notices([], [condition("Accepted", TRUE), condition("Compliant", FALSE)]) == ()
    assert workload_notices([condition("Accepted", TRUE)], [condition("Accepted", FALSE)]) == ()
