"""A host that fails again and again is left alone for a growing while."""

from __future__ import annotations

import pytest

from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.vendors.breaker import Breaker
from fleet_telemetry.vendors.http import VendorError

HOST, OTHER = "10.0.0.7:8080", "10.0.0.8:8080"
DOWN = VendorError(Reason.UNREACHABLE, "no connection")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def left_alone(breaker: Breaker, host: str = HOST) -> float:
    """For so many seconds; 0 if it may be asked."""
    try:
        breaker.check(host)
    except VendorError as error:
        return error.retry_after or 0
    return 0


def fail(breaker: Breaker, times: int, error: VendorError = DOWN) -> None:
    for _ in range(times):
        breaker.failed(HOST, error)


def test_two_failures_are_borne_and_the_third_is_not(breaker: Breaker) -> None:
    assert left_alone(breaker) == 0
    fail(breaker, 2)
    assert left_alone(breaker) == 0
    fail(breaker, 1)
    assert left_alone(breaker) == 30
    assert left_alone(breaker, OTHER) == 0


def test_the_message_says_what_is_left_alone(breaker: Breaker) -> None:
    fail(breaker, 3)
    with pytest.raises(VendorError, match=r"^10\.0\.0\.7:8080 failed 3 times or more") as raised:
        breaker.check(HOST)
    assert raised.value.reason is Reason.UNREACHABLE


def test_an_answer_in_between_forgets_the_failures(breaker: Breaker) -> None:
    fail(breaker, 2)
    breaker.succeeded(HOST)
    fail(breaker, 2)
    assert left_alone(breaker) == 0


def test_it_may_be_tried_when_the_while_is_over(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 29.5
    assert left_alone(breaker) == 0.5
    clock.now += 0.5
    assert left_alone(breaker) == 0
    # One that helps ends it all.
    breaker.succeeded(HOST)
    fail(breaker, 2)
    assert left_alone(breaker) == 0


def test_each_vain_trial_doubles_the_while_up_to_ten_minutes(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    waits = []
    for _ in range(20):
        waits.append(left_alone(breaker))
        clock.now += waits[-1]
        fail(breaker, 1)
    assert waits == [30, 60, 120, 240, 480, *[600] * 15]


def test_what_fails_meanwhile_does_not_prolong_it(breaker: Breaker, clock: Clock) -> None:
    # Such as the others of several questions that were under way, or the breaker's own error.
    fail(breaker, 10)
    assert left_alone(breaker) == 30
    clock.now += 30
    fail(breaker, 1)
    assert left_alone(breaker) == 60


def test_a_host_that_asks_for_more_gets_it_up_to_ten_minutes(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3, VendorError(Reason.RATE_LIMITED, "answered 429", retry_after=300))
    assert left_alone(breaker) == 300
    clock.now += 300
    fail(breaker, 1, VendorError(Reason.RATE_LIMITED, "answered 429", retry_after=1))
    assert left_alone(breaker) == 60
    for asked in (601, 86400, float("inf")):
        clock.now += 600
        fail(breaker, 1, VendorError(Reason.UNREACHABLE, "answered 503", retry_after=asked))
        assert left_alone(breaker) == 600


def test_only_the_hosts_of_the_workload_are_remembered(breaker: Breaker) -> None:
    fail(breaker, 3)
    for number in range(1000):
        host = f"10.0.1.{number}:80"
        breaker.keep({HOST, host})
        breaker.failed(host, DOWN)
    breaker.keep({HOST, OTHER})
    assert left_alone(breaker) == 30
    assert left_alone(breaker, "10.0.1.999:80") == 0
    assert len(breaker) == 1


@pytest.mark.parametrize("reason", Reason)
def test_only_what_is_the_hosts_own_fault_counts(breaker: Breaker, reason: Reason) -> None:
    fail(breaker, 3, VendorError(reason, "no"))
    # A certificate may be fine, and the policy's ca.crt not.
    of_the_host = {Reason.UNREACHABLE, Reason.VENDOR_ERROR, Reason.RATE_LIMITED}
    assert (left_alone(breaker) > 0) == (reason in of_the_host)
