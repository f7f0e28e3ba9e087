"""The state of a check: the accepted answer, the remediations, and the delay to the next check."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product.setting import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.controllers.daily_limit import TIMES_PER_DAY
from fleet_telemetry.controllers.runtime.check_state import CheckState
from fleet_telemetry.evidence.report import Reported
from tests.support.depth import examples

RIGHT = Reported(setting=Setting.DISABLED)
WRONG = Reported(setting=Setting.ENABLED)
DOWN = Reported(fault=Reason.UNREACHABLE, message="no connection")
REJECTED = Reported(fault=Reason.CREDENTIALS_REJECTED)
REFUSED = Reported(setting=Setting.ENABLED, fault=Reason.PERMISSION_MISSING)
"""It answered, and could not be remediated."""
HOUR = 3600.0
DAY = 86400.0


def after(*answers: Reported) -> CheckState:
    state = CheckState(HOUR, planned=0)
    for answer in answers:
        state.record_answer(answer, 0)
    return state


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def test_the_first_answer_counts_whatever_it_is() -> None:
    for answer in (RIGHT, WRONG, DOWN, REFUSED):
        state = CheckState(HOUR, planned=0)
        assert state.record_answer(answer, 0)
        assert state.result is answer


def test_the_same_answer_is_nothing_new() -> None:
    state = after(RIGHT)
    assert not state.record_answer(Reported(setting=Setting.DISABLED), 0)
    assert state.record_answer(WRONG, 0)
    assert not after(DOWN).record_answer(DOWN, 0)
    assert after(DOWN).record_answer(REJECTED, 0)


@pytest.mark.parametrize("answered", [RIGHT, WRONG, REFUSED])
def test_two_failures_keep_an_earlier_answer_and_the_third_does_not(
    answered: Reported,
) -> None:
    state = after(answered)
    assert not state.record_answer(DOWN, 0)
    assert not state.record_answer(REJECTED, 0)
    assert state.result is answered
    assert state.record_answer(DOWN, 0)
    assert state.result is DOWN


def test_an_answer_in_between_is_patience_anew() -> None:
    assert after(RIGHT, DOWN, DOWN, RIGHT, DOWN, DOWN).result is RIGHT
    # So is one that could not be remediated, because it has a setting.
    assert after(RIGHT, DOWN, DOWN, REFUSED, DOWN, DOWN).result is REFUSED
    assert after(*[REFUSED] * 9, DOWN).result is REFUSED


def test_a_contrary_answer_counts_at_once_also_if_it_could_not_be_remediated() -> None:
    state = after(RIGHT)
    assert state.record_answer(REFUSED, 0)
    assert state.result is REFUSED


def test_an_answer_without_a_setting_is_no_failure() -> None:
    unknown = Reported(setting=Setting.UNKNOWN, message="too old")
    assert after(RIGHT, unknown).result is unknown


def test_an_answer_after_failures_counts_at_once() -> None:
    assert after(DOWN, DOWN, DOWN, DOWN, RIGHT).result is RIGHT


@pytest.mark.parametrize(
    ("before", "now", "drifted"),
    [
        (RIGHT, WRONG, True),
        (RIGHT, REFUSED, True),
        (RIGHT, RIGHT, False),
        (RIGHT, DOWN, False),
        (WRONG, WRONG, False),
        (WRONG, RIGHT, False),
        (DOWN, WRONG, False),
        (None, WRONG, False),
    ],
)
def test_a_drift_is_reported_where_it_was_right_before(
    before: Reported | None, now: Reported, drifted: bool
) -> None:
    state = after(*([before] if before else []))
    assert state.has_drifted(now, Submission.DISABLED) is drifted


def test_another_desired_setting_is_no_drift() -> None:
    assert not after(RIGHT).has_drifted(RIGHT, Submission.ENABLED)
    assert after(WRONG).has_drifted(RIGHT, Submission.ENABLED)


def test_a_drift_is_reported_once_also_if_it_cannot_be_remediated() -> None:
    state = after(RIGHT)
    drifts = 0
    for _ in range(5):
        drifts += state.has_drifted(REFUSED, Submission.DISABLED)
        state.record_answer(REFUSED, 0)
    assert drifts == 1


def test_failures_are_tried_again_later_and_later_up_to_the_interval() -> None:
    state = CheckState(HOUR, planned=0)
    waits = []
    for _ in range(20):
        state.record_answer(DOWN, 0)
        waits.append(state.delay(0, lambda low, _: low))
    assert waits == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, *[3600] * 11]
    # The shortest interval is no longer than that.
    assert replace(state, interval=60).delay(0, lambda low, _: low) == 60
    state.record_answer(RIGHT, 0)
    assert state.delay(0, middle) == 3600


def test_a_failed_remediation_is_retried_too() -> None:
    assert after(REFUSED).delay(0, lambda low, _: low) == 10
    assert after(REFUSED, REFUSED, REFUSED).delay(0, lambda low, _: low) == 40


def test_a_product_gets_the_time_that_it_asks_for_up_to_the_interval() -> None:
    assert after(DOWN).delay(1800, middle) == 1800
    assert after(DOWN).delay(1, lambda low, _: low) == 10
    for asked in (7200, 86400, 1e300, float("inf")):
        assert after(DOWN).delay(asked, middle) == HOUR
        assert after(*[DOWN] * 9).delay(asked, lambda low, _: low) == HOUR
        assert after(RIGHT).delay(asked, middle) == HOUR
        assert replace(after(DOWN), interval=60).delay(asked, middle) == 60


@examples(300)
@given(
    st.lists(st.sampled_from([RIGHT, WRONG, DOWN, REJECTED, REFUSED]), min_size=1, max_size=12),
    st.floats(0),
    st.floats(60, DAY),
    st.randoms(use_true_random=False),
)
def test_no_answer_puts_the_next_check_off_beyond_the_interval(
    answers: list[Reported], asked: float, interval: float, draw: random.Random
) -> None:
    state = replace(after(*answers), interval=interval)
    assert 0 < state.delay(asked, draw.uniform) <= interval * 1.1


def test_an_answer_counts_for_three_intervals_and_a_failure_does_not_prolong_that() -> None:
    state = after(RIGHT)
    assert not state.record_answer(DOWN, 2 * HOUR)
    assert state.expires() == 3 * HOUR
    assert state.current(3 * HOUR - 1) is RIGHT
    late = state.current(3 * HOUR)
    assert late == Reported(
        fault=Reason.REPORT_STALE, message="The last check: Unreachable. no connection"
    )


def test_the_same_answer_after_a_stale_one_is_news() -> None:
    state = after(RIGHT)
    assert state.record_answer(RIGHT, 4 * HOUR)
    assert state.current(4 * HOUR) is RIGHT
    assert not state.record_answer(RIGHT, 5 * HOUR)
    assert state.expires() == 8 * HOUR


def test_the_first_failure_after_a_stale_answer_says_why() -> None:
    state = after(RIGHT)
    assert state.record_answer(DOWN, 4 * HOUR)
    assert state.current(4 * HOUR) is DOWN


def test_pods_that_come_and_go_do_not_keep_an_answer_alive() -> None:
    # Every change of the pods forgets the failures.
    state, now = after(RIGHT), 0.0
    while now < 3 * HOUR:
        now += 60
        state.record_answer(DOWN, now)
        state.reset(check_changed=False)
    current = state.current(now)
    assert current is not None
    assert current.setting is Setting.UNKNOWN


def test_before_the_first_answer_an_earlier_leaders_counts_for_ten_minutes() -> None:
    state = CheckState(HOUR, planned=1000)
    assert state.current(1599) is None
    assert state.expires() == 1600
    assert state.current(1600) == Reported(fault=Reason.REPORT_STALE)
    assert state.record_answer(RIGHT, 1700)


@examples(300)
@given(
    st.lists(
        st.tuples(
            st.floats(0, 2 * HOUR),
            st.sampled_from([RIGHT, WRONG, DOWN, REJECTED, REFUSED]),
            st.booleans(),
        ),
        max_size=20,
    ),
    st.floats(0, DAY),
)
def test_a_setting_that_counts_was_answered_within_three_intervals(
    answers: list[tuple[float, Reported, bool]], later: float
) -> None:
    state, now = CheckState(HOUR, planned=0), 0.0
    given = []
    for wait, answer, changed in answers:
        now += wait
        if changed:
            state.reset(check_changed=False)
        state.record_answer(answer, now)
        given.append((now, answer.setting))
    now += later
    current = state.current(now)
    if current is not None and current.setting is not Setting.UNKNOWN:
        assert any(setting is current.setting and when > now - 3 * HOUR for when, setting in given)


@examples(200)
@given(st.integers(0, 30), st.floats(60, 86400), st.randoms(use_true_random=False))
def test_checks_have_a_jitter(failures: int, interval: float, draw: random.Random) -> None:
    state = replace(after(*([DOWN] * failures or [RIGHT])), interval=interval)
    wait = state.delay(0, draw.uniform)
    if failures:
        # Never sooner than the backoff says.
        expected = min(10 * 2 ** min(failures - 1, 12), interval)
        assert expected <= wait <= expected * 1.1
    else:
        assert interval * 0.9 <= wait <= interval * 1.1


def test_it_is_remediated_three_times_within_a_day() -> None:
    state = CheckState(HOUR, planned=0)
    for number, now in enumerate((0.0, 100.0, 200.0), 1):
        assert not state.remediations.is_reached(now)
        assert state.remediations.count(now) is (number == TIMES_PER_DAY)
    assert state.remediations.is_reached(300)
    assert state.remediations.is_reached(DAY - 1)
    # The first is a day old: one more.
    assert not state.remediations.is_reached(DAY)
    assert state.remediations.count(DAY)
    assert state.remediations.is_reached(DAY + 99)
    assert not state.remediations.is_reached(DAY + 100)


def test_another_check_resets_the_remediations_and_another_pod_does_not() -> None:
    state = CheckState(HOUR, planned=0)
    for _ in range(TIMES_PER_DAY):
        state.remediations.count(0)
    state.reset(check_changed=False)
    assert state.remediations.is_reached(1)
    state.reset(check_changed=True)
    assert not state.remediations.is_reached(1)


def test_after_a_change_failures_are_counted_anew_and_the_answer_stands() -> None:
    state = after(RIGHT, DOWN, DOWN)
    state.reset(check_changed=False)
    assert state.result is RIGHT
    state.record_answer(DOWN, 0)
    assert state.result is RIGHT
    assert state.delay(0, lambda low, _: low) == 10


@examples(300)
@given(st.lists(st.sampled_from([RIGHT, WRONG, DOWN, REJECTED, REFUSED]), min_size=1, max_size=12))
def test_the_last_setting_counts_until_three_failures_in_a_row(
    answers: list[Reported],
) -> None:
    failures_in_a_row = 0
    for answer in reversed(answers):
        if answer.setting is not Setting.UNKNOWN:
            break
        failures_in_a_row += 1
    answered = [answer for answer in answers if answer.setting is not Setting.UNKNOWN]
    expected = answered[-1] if answered and failures_in_a_row < 3 else answers[-1]
    assert after(*answers).result == expected
