"""What is believed of a product, by its answers one after the other, and when it is asked again."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_telemetry.api.policy import Submission
from fleet_telemetry.api.product import Setting
from fleet_telemetry.api.reasons import Reason
from fleet_telemetry.controllers.runtime.check_state import ROUNDS, Standing
from fleet_telemetry.evidence.reported import Reported
from tests.support.depth import examples

RIGHT = Reported(setting=Setting.DISABLED)
WRONG = Reported(setting=Setting.ENABLED)
DOWN = Reported(fault=Reason.UNREACHABLE, message="no connection")
REJECTED = Reported(fault=Reason.CREDENTIALS_REJECTED)
REFUSED = Reported(setting=Setting.ENABLED, fault=Reason.PERMISSION_MISSING)
"""It told, and could not be put right."""
DAY = 86400.0


def after(*answers: Reported) -> Standing:
    fakeg = Standing()
    for answer in answers:
        fakeg.hear(answer)
    return fakeg


def middle(low: float, high: float) -> float:
    return (low + high) / 2


def test_the_first_answer_counts_whatever_it_is() -> None:
    for answer in (RIGHT, WRONG, DOWN, REFUSED):
        fakeg = Standing()
        assert fakeg.hear(answer)
        assert fakeg.result is answer


def test_the_same_answer_is_nothing_new() -> None:
    fakeg = after(RIGHT)
    assert not fakeg.hear(Reported(setting=Setting.DISABLED))
    assert fakeg.hear(WRONG)
    assert not after(DOWN).hear(DOWN)
    assert after(DOWN).hear(REJECTED)


@pytest.mark.parametrize("told", [RIGHT, WRONG, REFUSED])
def test_two_failures_leave_an_earlier_answer_fakeg_and_the_third_does_not(
    told: Reported,
) -> None:
    fakeg = after(told)
    assert not fakeg.hear(DOWN)
    assert not fakeg.hear(REJECTED)
    assert fakeg.result is told
    assert fakeg.hear(DOWN)
    assert fakeg.result is DOWN


def test_an_answer_in_between_is_patience_anew() -> None:
    assert after(RIGHT, DOWN, DOWN, RIGHT, DOWN, DOWN).result is RIGHT
    # So is one that could not be put right, for it told.
    assert after(RIGHT, DOWN, DOWN, REFUSED, DOWN, DOWN).result is REFUSED
    assert after(*[REFUSED] * 9, DOWN).result is REFUSED


def test_a_contrary_answer_counts_at_once_also_where_it_could_not_be_put_right() -> None:
    fakeg = after(RIGHT)
    assert fakeg.hear(REFUSED)
    assert fakeg.result is REFUSED


def test_what_answers_and_does_not_tell_is_no_failure() -> None:
    unknown = Reported(setting=Setting.UNKNOWN, message="too old to tell")
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
def test_a_drift_is_told_where_it_was_right_before(
    before: Reported | None, now: Reported, drifted: bool
) -> None:
    fakeg = after(*([before] if before else []))
    assert fakeg.has_drifted(now, Submission.DISABLED) is drifted


def test_another_wish_is_no_drift() -> None:
    assert not after(RIGHT).has_drifted(RIGHT, Submission.ENABLED)
    assert after(WRONG).has_drifted(RIGHT, Submission.ENABLED)


def test_a_drift_is_told_once_also_where_it_cannot_be_put_right() -> None:
    fakeg = after(RIGHT)
    drifts = 0
    for _ in range(5):
        drifts += fakeg.has_drifted(REFUSED, Submission.DISABLED)
        fakeg.hear(REFUSED)
    assert drifts == 1


def test_failures_are_tried_again_later_and_later_up_to_the_interval() -> None:
    fakeg = Standing()
    waits = []
    for _ in range(20):
        fakeg.hear(DOWN)
        waits.append(fakeg.delay(3600, 0, lambda low, _: low))
    assert waits == [10, 20, 40, 80, 160, 320, 640, 1280, 2560, *[3600] * 11]
    # The shortest interval is no longer than that.
    assert fakeg.delay(60, 0, lambda low, _: low) == 60
    fakeg.hear(RIGHT)
    assert fakeg.delay(3600, 0, middle) == 3600


def test_a_refusal_to_be_put_right_is_tried_again_too() -> None:
    assert after(REFUSED).delay(3600, 0, lambda low, _: low) == 10
    assert after(REFUSED, REFUSED, REFUSED).delay(3600, 0, lambda low, _: low) == 40


def test_a_product_that_asks_to_be_left_alone_is_left_alone() -> None:
    assert after(DOWN).delay(60, 7200, middle) == 7200
    assert after(DOWN).delay(3600, 1, lambda low, _: low) == 10
    assert after(WRONG).delay(60, 7200, middle) == 7200


@examples(200)
@given(st.integers(0, 30), st.floats(60, 86400), st.randoms(use_true_random=False))
def test_questions_are_spread_a_little(failures: int, interval: float, draw: random.Random) -> None:
    fakeg = after(*([DOWN] * failures or [RIGHT]))
    wait = fakeg.delay(interval, 0, draw.uniform)
    if failures:
        # Never sooner than the backoff says.
        expected = min(10 * 2 ** min(failures - 1, 12), interval)
        assert expected <= wait <= expected * 1.1
    else:
        assert interval * 0.9 <= wait <= interval * 1.1


def test_it_is_put_right_three_times_within_a_day() -> None:
    fakeg = Standing()
    for number, now in enumerate((0.0, 100.0, 200.0), 1):
        assert fakeg.may_be_put_right(now)
        assert fakeg.count_round(now) is (number == ROUNDS)
    assert not fakeg.may_be_put_right(300)
    assert not fakeg.may_be_put_right(DAY - 1)
    # The first is a day old: one more.
    assert fakeg.may_be_put_right(DAY)
    assert fakeg.count_round(DAY)
    assert not fakeg.may_be_put_right(DAY + 99)
    assert fakeg.may_be_put_right(DAY + 100)


def test_another_wish_has_its_own_rounds_and_another_pod_has_not() -> None:
    fakeg = Standing()
    for _ in range(ROUNDS):
        fakeg.count_round(0)
    fakeg.begin_anew(another_wish=False)
    assert not fakeg.may_be_put_right(1)
    fakeg.begin_anew(another_wish=True)
    assert fakeg.may_be_put_right(1)


def test_after_a_change_failures_are_counted_anew_and_the_answer_stands() -> None:
    fakeg = after(RIGHT, DOWN, DOWN)
    fakeg.begin_anew(another_wish=False)
    assert fakeg.result is RIGHT
    fakeg.hear(DOWN)
    assert fakeg.result is RIGHT
    assert fakeg.delay(3600, 0, lambda low, _: low) == 10


@examples(300)
@given(st.lists(st.sampled_from([RIGHT, WRONG, DOWN, REJECTED, REFUSED]), min_size=1, max_size=12))
def test_what_a_product_told_last_counts_until_it_was_silent_three_times(
    answers: list[Reported],
) -> None:
    silences = 0
    for answer in reversed(answers):
        if answer.setting is not Setting.UNKNOWN:
            break
        silences += 1
    told = [answer for answer in answers if answer.setting is not Setting.UNKNOWN]
    expected = told[-1] if told and silences < 3 else answers[-1]
    assert after(*answers).result == expected
